"""Copy the pinned browser assets, with their licences, to the folder that we serve.

    python -m api.vendor            copy what is missing or changed, then verify
    python -m api.vendor --check    only verify; exit 1 with one line for each fault

`frontend/package-lock.json` pins the packages, and npm checks its integrity hashes while it installs them;
from there we take the named files only, byte for byte, into `api/static/vendor/<name>@<version>/`, and write
`manifest.json` beside them: version, licence, and of every file its size, SHA-256 and the SRI value for
templates. The folder is not committed; the wheel and the container image carry it, so nobody who runs the
service needs Node.

Only the standard library is used: set-up may call this before anything else is installed.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

__all__ = ["PACKAGES", "VENDOR", "Vendored", "copy_assets", "main", "vendored", "verify"]

_FRONTEND = Path(__file__).resolve().parent.parent / "frontend"
_MODULES = _FRONTEND / "node_modules"
VENDOR = Path(__file__).resolve().parent / "static" / "vendor"
_MANIFEST = "manifest.json"
_URL = "/static/vendor/"

# name on npm -> {file as we serve it: file in the package}. The licence is always carried along.
PACKAGES: Mapping[str, Mapping[str, str]] = {
    "htmx.org": {"LICENSE": "LICENSE", "htmx.min.js": "dist/htmx.min.js"},
    "leaflet": {
        "LICENSE": "LICENSE",
        "images/layers-2x.png": "dist/images/layers-2x.png",
        "images/layers.png": "dist/images/layers.png",
        "images/marker-icon-2x.png": "dist/images/marker-icon-2x.png",
        "images/marker-icon.png": "dist/images/marker-icon.png",
        "images/marker-shadow.png": "dist/images/marker-shadow.png",
        "leaflet.css": "dist/leaflet.css",
        "leaflet.js": "dist/leaflet.js",
    },
}


@dataclass(frozen=True)
class Vendored:
    """One served file: its address on our own host and its SRI value (`sha384-...`)."""

    url: str
    integrity: str


def vendored(name: str, folder: Path = VENDOR) -> Vendored:
    """Look up a served file by package and file, for instance "leaflet/leaflet.js".

    Raises FileNotFoundError, naming the command to run, when set-up has not copied the assets, and KeyError
    for a file that we do not serve: both are mistakes of ours, not of a visitor.
    """
    package, _, file = name.partition("/")
    entry = _known(folder)[package]
    return Vendored(_URL + entry["folder"] + "/" + file, entry["files"][file]["integrity"])


def copy_assets(modules: Path, folder: Path = VENDOR, wanted: Mapping[str, str] | None = None) -> bool:
    """Copy the files of PACKAGES out of a `node_modules` folder; return False when all was in place already.

    wanted : name -> version, by default what frontend/package.json pins; another version is refused.

    The new folder is built aside and takes the old one's place in two renames, so that files of earlier
    versions disappear and no half-written folder is ever served. Raises FileNotFoundError for a missing
    package or file and ValueError for a version that is not the pinned one.
    """
    wanted = _pinned() if wanted is None else wanted
    manifest = {name: _describe(modules / name, name, wanted[name]) for name in sorted(PACKAGES)}
    if folder.is_dir() and _matches(folder, manifest):
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".vendor-", dir=folder.parent) as aside:
        fresh = Path(aside) / "new"
        for name, entry in manifest.items():
            for file, source in PACKAGES[name].items():
                target = fresh / entry["folder"] / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(modules / name / source, target)
        text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        (fresh / _MANIFEST).write_text(text, encoding="utf-8")
        for path in (fresh, *fresh.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        if folder.exists():
            folder.rename(Path(aside) / "old")
        fresh.replace(folder)
    _known.cache_clear()
    return True


def verify(folder: Path = VENDOR) -> list[str]:
    """Hash every served file again; return one plain sentence for each fault, none when all is well."""
    try:
        manifest = _load(folder)
    except (OSError, ValueError) as error:
        return [str(error)]
    faults = [f"{name} is not in the manifest" for name in sorted(PACKAGES.keys() - manifest.keys())]
    known = {folder / _MANIFEST}
    for name, entry in manifest.items():
        for file, fact in entry["files"].items():
            path = folder / entry["folder"] / file
            known.add(path)
            if not path.is_file():
                faults.append(f"{name}: {file} is missing")
            elif _hashes(path) != fact:
                faults.append(f"{name}: {file} is not the file that was copied")
    strays = sorted({path for path in folder.rglob("*") if path.is_file()} - known)
    return faults + [f"{path.relative_to(folder)} is not in the manifest" for path in strays]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0 done, 1 faults found or packages missing."""
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m api.vendor", description=about)
    parser.add_argument("--check", action="store_true", help="verify what is there, copy nothing")
    parser.add_argument("--modules", type=Path, default=_MODULES, help="where npm put the packages")
    parser.add_argument("--to", type=Path, default=VENDOR, help="where they are served from")
    options = parser.parse_args(arguments)
    try:
        changed = False if options.check else copy_assets(options.modules, options.to)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    faults = verify(options.to)
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    if not faults:
        sys.stdout.write(f"browser assets {'copied' if changed else 'in place'}: {options.to}\n")
    return 1 if faults else 0


def _pinned() -> dict[str, str]:
    """Return name -> version as frontend/package.json pins them."""
    pins: dict[str, str] = json.loads((_FRONTEND / "package.json").read_text("utf-8"))["dependencies"]
    return pins


def _describe(package: Path, name: str, version: str) -> dict[str, Any]:
    """Return a package's manifest entry, read from the files that npm installed."""
    facts = package / "package.json"
    if not facts.is_file():
        raise FileNotFoundError(f"no {name} in {package.parent}: run `npm ci --ignore-scripts` in frontend/")
    about = json.loads(facts.read_text("utf-8"))
    if about["version"] != version:
        raise ValueError(f"{name} is {about['version']}, but package.json pins {version}: run `npm ci` again")
    files = {}
    for file, source in PACKAGES[name].items():
        if not (package / source).is_file():
            raise FileNotFoundError(f"{name} {version} has no file {source}")
        files[file] = _hashes(package / source)
    return {"folder": f"{name}@{version}", "version": version, "licence": about["license"], "files": files}


def _hashes(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    sri = base64.b64encode(hashlib.sha384(data).digest()).decode("ascii")
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "integrity": f"sha384-{sri}"}


def _matches(folder: Path, manifest: dict[str, Any]) -> bool:
    """Say whether a folder holds exactly what the manifest wants, by hash."""
    try:
        return _load(folder) == manifest and not verify(folder)
    except (OSError, ValueError):
        return False


def _load(folder: Path) -> dict[str, Any]:
    path = folder / _MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `python -m api.vendor` to copy the browser assets")
    manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return manifest


_known = lru_cache(_load)


if __name__ == "__main__":
    raise SystemExit(main())
