"""The finished page: every asset ours, every inline script nonced, or all of it in one file."""

from __future__ import annotations

import base64
import hashlib
import json
import mimetypes
import re
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

import folium

from gis.errors import InvalidInput, Unavailable
from maps.base import DATA_PLACE, GridMap, data_block

__all__ = ["Assets", "page", "save_html"]

_OWN = ("faults.css", "faults.js", "map.css", "map.js", "weeks.js")
# As branca writes them; nothing else in the page can look like this, because text is JSON without `<`.
_ASSET = re.compile(
    r'[ \t]*(?:<script src="(?P<js>[^"]*)"></script>|<link rel="stylesheet" href="(?P<css>[^"]*)"\s*/>)\n?'
)
_INLINE = re.compile(r"<script(?P<rest>(?:\s[^>]*)?)>(?P<body>.*?)</script>", re.DOTALL)
_REMOTE = re.compile(
    r"""(?:src|href|action|data)\s*=\s*["']?\s*(?:https?:)?//|@import|url\(\s*["']?\s*(?:https?:)?//"""
)
_CSS_URL = re.compile(r"url\(\s*['\"]?([^'\")]+)['\"]?\s*\)")


@dataclass(frozen=True)
class Assets:
    """Where the browser files of a map lie: our own, map.js first of all, and the vendored folder beside them.

    folder : the directory that holds map.js, map.css and vendor/manifest.json. prefix : its address.
    """

    folder: Path
    prefix: str = "/static/"

    def file(self, name: str) -> Path:
        """Return the file of an asset, "map.js" or "leaflet/leaflet.js".

        Raises `Unavailable` when set-up has not copied it, `InvalidInput` when no map may use it.
        """
        package, _, rest = name.partition("/")
        path: Path | None = self.folder / name if name in _OWN else None
        if rest:
            vendor = self.folder / "vendor"
            entry = _manifest(vendor / "manifest.json").get(package)
            path = vendor / entry["folder"] / rest if entry and rest in entry["files"] else None
        if path is None:
            raise InvalidInput("remote_asset", f"maps serve no copy of {name}", field="asset", got=name)
        if not path.is_file():
            raise Unavailable(
                "assets_missing", f"{path} is missing: set-up copies the browser assets", got=name
            )
        return path

    def url(self, name: str) -> str:
        """Return the address of an asset; that of our own files changes with what is in them, for caches."""
        path = self.file(name)
        address = self.prefix + path.relative_to(self.folder).as_posix()
        return address if "/" in name else f"{address}?v={hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


def page(m: folium.Map, assets: Assets, *, standalone: bool = False, nonce: str | None = None) -> str:
    """Return a map as an HTML page that asks for nothing but our own files.

    nonce : put on every script, for a `script-src 'nonce-...'` policy.
    standalone : everything in one file that opens from a disk; links to our pages and background tiles are
    left out, and the file forbids itself any request by a policy of its own.
    Raises `InvalidInput` (remote_asset) for a layer that needs a file from another host, and `Unavailable`
    when set-up has not copied the browser assets.
    """
    if not isinstance(m, GridMap):
        raise InvalidInput("map_kind", "only maps made by this package can be shown", got=type(m).__name__)
    html = m.get_root().render()
    foreign = _REMOTE.search(html)
    if foreign:
        around = html[max(0, foreign.start() - 20) : foreign.end() + 60]
        raise InvalidInput("remote_asset", f"the map asks for a file of another host: {around!r}", got=around)
    mark = f' nonce="{escape(nonce)}"' if nonce else ""
    html = _INLINE.sub(lambda tag: f"<script{mark}{tag['rest']}>{tag['body']}</script>", html)
    opening = f'<html lang="{escape(m.drawing.language)}">'
    html = html.replace("<html>", opening, 1)
    tag = re.compile(_ASSET.pattern.replace("<script src", f"<script{re.escape(mark)} src"))
    if standalone:
        html = tag.sub(lambda found: _inlined(assets, found["js"], found["css"], mark), html)
        html = html.replace("<head>", "<head>\n" + _own_policy(html), 1)
    else:
        html = tag.sub(lambda found: _linked(assets, found["js"], found["css"], mark), html)
    # Last of all, so that what people wrote passes through no template and no pattern.
    data = data_block(m.drawing.as_json(links=not standalone, tiles=not standalone))
    before, _, after = html.partition(DATA_PLACE)
    return before + data + after


def save_html(m: folium.Map, path: Path, assets: Assets) -> Path:
    """Write a map as one self-contained HTML file; return its path."""
    path.write_text(page(m, assets, standalone=True), encoding="utf-8")
    return path


def _linked(assets: Assets, script: str | None, style: str | None, mark: str) -> str:
    if script:
        return f'<script{mark} src="{escape(assets.url(script))}"></script>\n'
    return f'<link rel="stylesheet" href="{escape(assets.url(style or ""))}"/>\n'


def _inlined(assets: Assets, script: str | None, style: str | None, mark: str) -> str:
    path = assets.file(script or style or "")
    text = path.read_text("utf-8")
    if script:
        closing = re.compile(r"</(script)", re.IGNORECASE)
        return f"<script{mark}>" + closing.sub(r"<\\/\1", text) + "</script>\n"
    return (
        "<style>"
        + _CSS_URL.sub(lambda found: f"url({_data_uri(path.parent / found[1])})", text)
        + "</style>\n"
    )


def _data_uri(path: Path) -> str:
    if path.name.startswith("#"):  # a reference inside the document, as in behavior: url(#default#VML)
        return path.name
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _own_policy(html: str) -> str:
    """Return a policy by which a saved file runs its own scripts only and asks for nothing."""
    bodies = [tag["body"] for tag in _INLINE.finditer(html) if "application/json" not in tag["rest"]]
    digests = [base64.b64encode(hashlib.sha256(body.encode()).digest()).decode("ascii") for body in bodies]
    scripts = " ".join(f"'sha256-{digest}'" for digest in digests)
    rule = (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
    )
    return f'<meta http-equiv="Content-Security-Policy" content="{rule}"/>\n'


@lru_cache
def _manifest(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise Unavailable(
            "assets_missing", f"{path} is missing: set-up copies the browser assets", got=path.name
        )
    manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return manifest
