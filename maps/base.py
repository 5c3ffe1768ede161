"""The empty map: frame, limits, scale, credits, and the one safe way for text to reach the browser.

folium writes popup and tooltip text into a JavaScript template literal, where `${...}` runs even after
`html.escape`; a nonce does not help, because the text sits inside the nonced script. Worse, branca compiles what
a folium template has written as a Jinja template once more: `{{ ... }}` in a text would run here, on the server.
So no text goes that way. Everything that is drawn - outlines, names, addresses, words of the legend - is data in
one `<script type="application/json">` block, with `<` written as \\u003c, which `maps.page` puts into the finished
page and our own static map.js reads and shows with `textContent`. What has to pass through a folium template, the
page title, goes through `safe_text`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import folium
from folium.template import Template

from gis.errors import InvalidInput
from maps.shapes import Bounds
from maps.words import Words

__all__ = ["DATA_PLACE", "Drawing", "GridMap", "base_map", "data_block", "own_link", "safe_text", "say_grid"]

DATA_PLACE = "@the-data-of-the-map@"
"""Where the data block of a rendered map goes."""

_OWN_LINK = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")
_TILES = re.compile(r"(?:https?:/)?/(?![/\\])[^\s\\]+")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass
class Drawing:
    """What map.js draws: plain JSON values only, in the order in which they lie on each other.

    title, subtitle (lines) : the head of the legend. notes : lines below it (definition, method).
    layers, legend : as maps.area, .hotspots, .responses and .recurrences make them; the keys are listed in
    api/static/map.js. credits : the line at the foot of the map.
    view : what is in sight at first; limits : what can be reached. layout : "listed" where a list stands beside
    the map on a wide screen and below it on a narrow one, with the legend in it.
    weeks : counts by cell and week, and how a slider over them looks, as maps.weeks makes it.
    """

    title: str
    subtitle: str
    view: Bounds
    limits: Bounds
    language: str
    words: Mapping[str, str]
    credits: list[str]
    tiles: str | None = None
    notes: list[str] = field(default_factory=list)
    layout: str = ""
    layers: list[dict[str, Any]] = field(default_factory=list)
    legend: list[dict[str, Any]] = field(default_factory=list)
    weeks: dict[str, Any] | None = None

    def as_json(self, *, links: bool, tiles: bool) -> dict[str, Any]:
        """Return the drawing as JSON values, without links or tiles where there is no server behind it."""
        layers = self.layers if links else [_unlinked(layer) for layer in self.layers]
        return {**vars(self), "tiles": self.tiles if tiles else None, "layers": layers}


class GridMap(folium.Map):
    """A folium map that draws a `Drawing` and asks for our own assets only.

    folium's default assets (jQuery, Bootstrap, icon fonts) are dropped: nothing here uses them. Layers of
    folium's own may be added by `add_to` as usual; one that needs a foreign asset is refused by `maps.page`.
    """

    default_js = [("leaflet", "leaflet/leaflet.js"), ("gridwhistle", "map.js")]  # noqa: RUF012
    default_css = [("leaflet_css", "leaflet/leaflet.css"), ("gridwhistle_css", "map.css")]  # noqa: RUF012

    _template = Template(
        """
        {% macro header(this, kwargs) %}
            <meta name="viewport" content="width=device-width, initial-scale=1" />
        {% endmacro %}
        {% macro html(this, kwargs) %}
            <main class="gw-frame"><div class="gw-map" id="{{ this.get_name() }}"></div></main>
            <script type="application/json" id="{{ this.get_name() }}_data">{{ this.place }}</script>
        {% endmacro %}
        {% macro script(this, kwargs) %}
            var {{ this.get_name() }} = L.map("{{ this.get_name() }}", {
                center: {{ this.location|tojson }},
                crs: L.CRS.{{ this.crs }},
                ...{{ this.options|tojavascript }}
            });
            gridwhistle.draw({{ this.get_name() }}, "{{ this.get_name() }}_data");
        {% endmacro %}
        """
    )

    def __init__(self, drawing: Drawing) -> None:
        west, south, east, north = drawing.view
        super().__init__(
            location=[(south + north) / 2, (west + east) / 2],
            tiles=None,
            zoom_start=12,
            zoom_control=False,
            attribution_control=False,
            min_zoom=3,
            max_zoom=19,
            # Without raster tiles nothing blurs between whole zoom levels, so the area can fill its frame.
            zoom_snap=1 if drawing.tiles else 0.25,
            zoom_delta=1,
        )
        self._id = "grid"  # the same page for the same data: it can be compared, cached and signed
        self.options["minZoom"], self.options["maxZoom"] = 3, 19
        self.drawing = drawing
        self.place = DATA_PLACE
        root = self.get_root()
        root.title = safe_text(drawing.title)  # type: ignore[attr-defined]  # the root is branca's Figure


def base_map(
    bounds: Bounds,
    *,
    title: str,
    words: Words,
    subtitle: str = "",
    as_of: datetime | None = None,
    attribution: str = "",
    limits: Bounds | None = None,
    tile_url: str | None = None,
    kind: type[GridMap] = GridMap,
) -> GridMap:
    """Return a map without layers: blank ground, scale bar, credits, no remote tiles.

    bounds : what is in sight at first, degrees. limits : how far the map may be dragged, by default half as
    much again on every side.
    as_of : when the data was read, aware; shown in the city's time. attribution : source of the boundaries.
    tile_url : a tile address with {z}, {x} and {y} in WGS 84 / CGCS2000, on our own host ("/...") or one that
    the page's CSP lets through; left out of a standalone file.
    kind : of map, for one that needs further files of ours.
    Raises `InvalidInput` for bounds that are no box on the earth and for a tile address of another form.
    """
    west, south, east, north = bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise InvalidInput(
            "map_bounds",
            "bounds must be west, south, east, north in degrees",
            field="bounds",
            got=list(bounds),
        )
    if tile_url is not None and not (
        _TILES.fullmatch(tile_url) and all(part in tile_url for part in ("{z}", "{x}", "{y}"))
    ):
        raise InvalidInput(
            "map_tiles", "a tile address must hold {z}, {x} and {y}", field="tile_url", got=tile_url
        )
    credit_lines = [words("Data as of {time}", time=words.moment(as_of))] if as_of else []
    drawing = Drawing(
        title=title,
        subtitle=subtitle,
        view=bounds,
        limits=limits or _padded(bounds, 0.5),
        language=words.language,
        words=_interface(words),
        credits=[*credit_lines, *([attribution] if attribution else [])],
        tiles=tile_url,
    )
    return kind(drawing)


def say_grid(drawn: GridMap, words: Words, edition: int | None = None, name: str = "") -> None:
    """Say in the legend on which grid a map counts: an edition and its name, None for the cells of their time."""
    if edition is None:
        said = words("Grid: as it was, each case in the cell in which it lay then.")
    else:
        facts = {"name": name, "number": edition}
        said = words("Grid: {name} (edition {number}), each case where its place lies on it.", **facts)
    drawn.drawing.notes.append(said)


def safe_text(text: str) -> str:
    """Encode text for an HTML or template-literal sink: all but letters, digits and blanks becomes `&#n;`.

    Measured in Chromium: none of 48 payloads ran, and the text shows unchanged.
    """
    return "".join(char if char.isalnum() or char == " " else f"&#{ord(char)};" for char in _whole(text))


def data_block(value: object) -> str:
    """Write JSON that may stand inside a `<script>` element: no `<`, no NaN, no half of a surrogate pair."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _whole(text).replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def own_link(url: object) -> str | None:
    """Return an address if it is a path on our own host, else None, as for `javascript:` and `//host`."""
    return url if isinstance(url, str) and _OWN_LINK.fullmatch(url) else None


def _whole(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)


def _padded(bounds: Bounds, share: float) -> Bounds:
    west, south, east, north = bounds
    wide, high = (east - west) * share or 0.01, (north - south) * share or 0.01
    return (
        max(west - wide, -180.0),
        max(south - high, -90.0),
        min(east + wide, 180.0),
        min(north + high, 90.0),
    )


def _unlinked(layer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layer without the addresses that only answer on our own host."""
    rows: Sequence[Any] = layer.get("rows", [])
    if layer["kind"] != "cells":
        rows = [{**row, "href": None} for row in rows]
    return {**layer, "links": [], "drill": None, "rows": rows}


def _interface(words: Words) -> dict[str, str]:
    """Return the words of the controls, by the names that map.js knows."""
    return {
        "map": words("Map"),
        "legend": words("Legend"),
        "close": words("Close"),
        "zoom_in": words("Zoom in"),
        "zoom_out": words("Zoom out"),
        "whole": words("Show the whole area"),
        "cases_here": words("Cases at this place"),
        "also_here": words("Also here:"),
        "open": words("Open the case"),
        "tiles_failed": words("The background map is not available; boundaries and cases still are."),
        "retry": words("Try again"),
    }
