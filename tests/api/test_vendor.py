from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

from api import vendor

FRONTEND = Path(__file__).parents[2] / "frontend"
WANTED = {"htmx.org": "2.0.11", "leaflet": "1.9.4"}


@pytest.fixture
def modules(tmp_path):
    """Return a node_modules folder with every file that we take."""
    folder = tmp_path / "node_modules"
    for name, files in vendor.PACKAGES.items():
        for source in files.values():
            path = folder / name / source
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{name} {source}\r\n".encode())
        about = {"name": name, "version": WANTED[name], "license": "MIT"}
        (folder / name / "package.json").write_text(json.dumps(about))
        (folder / name / "dist" / "unwanted.js").write_text("not ours to serve")
    return folder


@pytest.fixture
def served(tmp_path, modules):
    folder = tmp_path / "static" / "vendor"
    assert vendor.copy_assets(modules, folder)
    return folder


def everything(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_the_served_assets_are_the_ones_that_were_copied():
    assert vendor.verify() == []


def test_package_and_lock_pin_the_same_versions_and_name_no_registry():
    pins = json.loads((FRONTEND / "package.json").read_text("utf-8"))["dependencies"]
    lock = json.loads((FRONTEND / "package-lock.json").read_text("utf-8"))
    locked = {path.removeprefix("node_modules/"): entry for path, entry in lock["packages"].items() if path}

    assert pins.keys() == vendor.PACKAGES.keys()
    assert {name: entry["version"] for name, entry in locked.items()} == pins
    assert all(entry["integrity"].startswith("sha512-") for entry in locked.values())
    assert not re.search("https?:|resolved", (FRONTEND / "package-lock.json").read_text("utf-8"))


def test_only_the_named_files_are_taken_byte_for_byte_with_their_licences(modules, served):
    files = everything(served)

    assert files["leaflet@1.9.4/leaflet.js"] == b"leaflet dist/leaflet.js\r\n"
    assert "leaflet@1.9.4/LICENSE" in files
    assert "htmx.org@2.0.11/LICENSE" in files
    assert "htmx.org@2.0.11/htmx.min.js" in files
    assert not [name for name in files if "unwanted" in name]
    assert len(files) == sum(len(names) for names in vendor.PACKAGES.values()) + 1


def test_the_manifest_holds_the_hash_of_every_file(served):
    manifest = json.loads((served / "manifest.json").read_text("utf-8"))
    data = (served / "leaflet@1.9.4" / "leaflet.js").read_bytes()

    fact = manifest["leaflet"]["files"]["leaflet.js"]
    assert fact["sha256"] == hashlib.sha256(data).hexdigest()
    assert fact["integrity"] == "sha384-" + base64.b64encode(hashlib.sha384(data).digest()).decode()
    assert fact["bytes"] == len(data)
    assert manifest["leaflet"]["licence"] == "MIT"


def test_a_second_run_changes_nothing(modules, served):
    before = {path: path.stat().st_mtime_ns for path in served.rglob("*")}

    assert not vendor.copy_assets(modules, served)

    assert {path: path.stat().st_mtime_ns for path in served.rglob("*")} == before


def test_a_changed_a_missing_and_a_stray_file_are_named_and_put_right(modules, served):
    (served / "leaflet@1.9.4" / "leaflet.js").write_text("alert(1)")
    (served / "htmx.org@2.0.11" / "htmx.min.js").unlink()
    (served / "left-over.js").write_text("old")

    assert sorted(vendor.verify(served)) == [
        "htmx.org: htmx.min.js is missing",
        "leaflet: leaflet.js is not the file that was copied",
        "left-over.js is not in the manifest",
    ]
    assert vendor.copy_assets(modules, served)
    assert vendor.verify(served) == []


def test_the_folder_of_an_earlier_version_disappears(modules, served):
    about = json.loads((modules / "leaflet" / "package.json").read_text())
    (modules / "leaflet" / "package.json").write_text(json.dumps({**about, "version": "1.9.5"}))

    assert vendor.copy_assets(modules, served, {**WANTED, "leaflet": "1.9.5"})

    assert sorted(path.name for path in served.iterdir()) == [
        "htmx.org@2.0.11",
        "leaflet@1.9.5",
        "manifest.json",
    ]


def test_another_version_than_the_pinned_one_is_refused_and_nothing_is_touched(modules, served):
    before = everything(served)

    with pytest.raises(ValueError, match=r"leaflet is 1\.9\.4, but package\.json pins 2\.0\.0"):
        vendor.copy_assets(modules, served, {**WANTED, "leaflet": "2.0.0"})

    assert everything(served) == before


def test_a_missing_package_or_file_says_what_to_run(modules, tmp_path):
    with pytest.raises(FileNotFoundError, match="npm ci --ignore-scripts"):
        vendor.copy_assets(tmp_path / "nowhere", tmp_path / "out")
    (modules / "leaflet" / "dist" / "leaflet.css").unlink()
    with pytest.raises(FileNotFoundError, match=r"leaflet 1\.9\.4 has no file dist/leaflet\.css"):
        vendor.copy_assets(modules, tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_template_asks_for_a_file_by_package_and_name():
    leaflet = vendor.vendored("leaflet/leaflet.js")

    assert leaflet.url == "/static/vendor/leaflet@1.9.4/leaflet.js"
    assert leaflet.integrity.startswith("sha384-")
    with pytest.raises(KeyError):
        vendor.vendored("leaflet/leaflet-src.js")


def test_assets_that_were_never_copied_name_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"python -m api\.vendor"):
        vendor.vendored("leaflet/leaflet.js", tmp_path)


def test_the_command_reports_faults_by_its_exit_code(modules, served, tmp_path, capsys):
    to = ["--to", str(served)]

    assert vendor.main(["--check", *to]) == 0
    assert "browser assets in place" in capsys.readouterr().out
    (served / "leaflet@1.9.4" / "leaflet.js").unlink()
    assert vendor.main(["--check", *to]) == 1
    assert "leaflet: leaflet.js is missing" in capsys.readouterr().err
    assert vendor.main(["--modules", str(tmp_path / "nowhere"), *to]) == 1
    assert "npm ci" in capsys.readouterr().err
    assert vendor.main(["--modules", str(modules), *to]) == 0
    assert "browser assets copied" in capsys.readouterr().out
