"""Places where the same trouble comes back: a bubble with its kind and "×N" at each."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from maps.base import GridMap, base_map, own_link
from maps.choropleth import number, plain_cells
from maps.shapes import bounds_of, checked, points, simplified
from maps.words import CITY_ZONE, Words

__all__ = ["POINT_COLUMNS", "recurrence_layer", "recurrence_legend", "recurrence_map"]

POINT_COLUMNS = ("category_name", "kind", "times", "first_at", "last_at", "mean_gap_days", "open")
_ICONS = {"waterlogging": "drop", "parking": "parking", "garbage": "bin"}


def recurrence_map(
    places: gpd.GeoDataFrame,
    cells: gpd.GeoDataFrame,
    *,
    period: tuple[date, date],
    category: str | None = None,
    words: Words,
    as_of: datetime | None = None,
    attribution: str = "",
    tile_url: str | None = None,
    recurrent: int | None = None,
) -> GridMap:
    """Draw the recurrent points of an area over the bounds of its cells.

    places : EPSG:4490 or 4326 points, with the columns
        category_name  text           kind  text: waterlogging, parking, garbage, or any other
        times          int, cases that make up the place
        first_at, last_at  aware times of the first and the last case
        mean_gap_days  float, mean days between two of them, NaN for one
        open           int, how many are still open
        name, address, url, url_text  text, may be absent: the place's name, where it is, a page of it on our host,
                       and the words that lead there
    recurrent : how many places there are, where these are not all.
    cells : polygons with code and name, for orientation; at least one.
    Raises `InvalidInput` for a missing column or no cells.
    """
    cells = checked(cells, ("code", "name"), "cells", ("Polygon", "MultiPolygon"))
    places = checked(places, POINT_COLUMNS, "places", ("Point",))
    subtitle = [words.period(*period), *([category] if category else [])]
    m = base_map(
        bounds_of(cells),
        title=words("Recurrent places"),
        subtitle="\n".join(subtitle),
        words=words,
        as_of=as_of,
        attribution=attribution,
        tile_url=tile_url,
    )
    (shapes,) = simplified(cells)
    m.drawing.layers += [plain_cells("cells", "plain", cells, shapes, words), recurrence_layer(places, words)]
    m.drawing.legend.append(recurrence_legend(places, words, recurrent))
    if places.empty:
        m.drawing.notes.append(words("No recurrent place in this period."))
    if recurrent is not None and recurrent > len(places):
        m.drawing.notes.append(
            words(
                "The {shown} most frequent of {all} places; a category or a smaller area shows the others.",
                shown=number(len(places)),
                all=number(recurrent),
            )
        )
    m.drawing.notes.append(words("At least three cases of one category at one place within 90 days."))
    return m


def recurrence_layer(places: gpd.GeoDataFrame, words: Words) -> dict[str, Any]:
    """Return the layer of the recurrent points; columns as for `recurrence_map`, already checked."""
    rows = []
    # the fewest first, so that the worst place lies on top
    order = np.argsort(places["times"].to_numpy(dtype=int), kind="stable")
    spots = points(places)
    for place in order:
        row = places.iloc[int(place)]
        name = _text(row.get("name"))
        rows.append(
            {
                "at": spots[int(place)],
                "icon": _icon(row["kind"]),
                "times": int(row["times"]),
                "title": f"{name or row['category_name']} ×{int(row['times'])}",
                "values": [
                    _text(row["category_name"]) if name else "",
                    _day(row["first_at"]),
                    _day(row["last_at"]),
                    words("{days} days", days=number(round(float(row["mean_gap_days"]), 1)))
                    if not np.isnan(row["mean_gap_days"])
                    else "",
                    str(int(row["open"])),
                    _text(row.get("address")),
                ],
                "href": own_link(row.get("url")),
                "open": _text(row.get("url_text")) or None,
            }
        )
    columns = [
        words("Category"),
        words("First case"),
        words("Last case"),
        words("Mean interval"),
        words("Still open"),
        words("Address"),
    ]
    return {"kind": "recurrences", "id": "recurrences", "columns": columns, "rows": rows}


def recurrence_legend(places: gpd.GeoDataFrame, words: Words, recurrent: int | None = None) -> dict[str, Any]:
    """Return the legend of the recurrent points: only the kinds that the map shows; see `recurrence_map`."""
    names = {
        "drop": words("Waterlogging"),
        "parking": words("Parking"),
        "bin": words("Garbage"),
        "loop": words("Other"),
    }
    icons = [_icon(kind) for kind in places["kind"]]
    items = [
        {"swatch": "recurrence", "icon": icon, "text": f"{name} ({icons.count(icon)})"}
        for icon, name in names.items()
        if icon in icons
    ]
    count = number(len(places))
    if recurrent is not None and recurrent > len(places):
        count = words("{shown} of {all}", shown=count, all=number(recurrent))
    title = words("Recurrent places ({count})", count=count)
    note = words("×N: cases at the place") if len(places) else ""
    return {"title": title, "layer": "recurrences", "items": items, "note": note}


def _icon(kind: object) -> str:
    return _ICONS.get(str(kind), "loop")


def _text(value: object) -> str:
    """Return written text, "" for a missing value."""
    return value if isinstance(value, str) else ""


def _day(at: Any) -> str:
    return "" if pd.isna(at) else f"{at.astimezone(CITY_ZONE):%Y-%m-%d}"
