"""The map of one's own area: own grid bold, neighbours faded, what is going on in it and what comes back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import geopandas as gpd
import pandas as pd

from maps.base import GridMap, base_map, own_link
from maps.choropleth import plain_cells
from maps.palette import URGENCIES, stage_of, urgency_of
from maps.recurrences import POINT_COLUMNS, recurrence_layer, recurrence_legend
from maps.shapes import bounds_of, checked, joint_outline, points, simplified
from maps.words import Words

__all__ = ["INCIDENT_COLUMNS", "area_map"]

_CELL_COLUMNS = ("code", "name", "level")
_POLYGONS = ("Polygon", "MultiPolygon")
INCIDENT_COLUMNS = (
    "number",
    "category_name",
    "grade",
    "status",
    "status_text",
    "due_at",
    "address",
    "text",
    "url",
)


def area_map(
    own: gpd.GeoDataFrame,
    neighbours: gpd.GeoDataFrame,
    incidents: gpd.GeoDataFrame,
    recurrences: gpd.GeoDataFrame,
    *,
    words: Words,
    as_of: datetime,
    title: str | None = None,
    attribution: str = "",
    tile_url: str | None = None,
    recurrent: int | None = None,
) -> GridMap:
    """Draw the cells that somebody answers for, with the incidents and recurrent points in them.

    own, neighbours : EPSG:4490 or 4326 polygons with code, name and level; own holds at least one.
    incidents : points, with the columns
        number         text          category_name  text        address, text  text, may be missing
        grade          red, orange, yellow, blue or green
        status         the code of its state            status_text  that state in the reader's language
        due_at         aware time of the next limit, NaT for none
        url            path of its page on our host; another address is left out
    recurrences : points with the columns of `maps.recurrence_map`; recurrent : how many there are, where these are
        not all.
    as_of : when the data was read, aware; time left and overdue are told against it.
    title : by default the name of the one own cell, or how many they are.
    Raises `InvalidInput` for a missing column, an unknown grade or no own cell.
    """
    own = checked(own, _CELL_COLUMNS, "own", _POLYGONS)
    neighbours = checked(neighbours, _CELL_COLUMNS, "neighbours", _POLYGONS)
    incidents = checked(incidents, INCIDENT_COLUMNS, "incidents", ("Point",))
    recurrences = checked(recurrences, POINT_COLUMNS, "recurrences", ("Point",))
    if title is None:
        title = str(own["name"].iloc[0]) if len(own) == 1 else words("{count} grids", count=len(own))
    m = base_map(
        bounds_of(own),
        limits=bounds_of(own, neighbours),
        title=title,
        words=words,
        as_of=as_of,
        attribution=attribution,
        tile_url=tile_url,
    )
    mine, around = simplified(own, neighbours)
    layer = _incident_layer(incidents, as_of, words)
    m.drawing.layers += [
        plain_cells("neighbours", "faded", neighbours, around, words),
        plain_cells("own", "own", own, mine, words),
        {"kind": "outline", "id": "border", "look": "own", "outline": joint_outline(mine)},
        recurrence_layer(recurrences, words),
        layer,
    ]
    m.drawing.legend += [_incident_legend(layer, words), _state_legend(layer, words)]
    m.drawing.legend.append(recurrence_legend(recurrences, words, recurrent))
    m.drawing.legend.append(
        {
            "title": words("Grids"),
            "layer": None,
            "items": [
                {"swatch": "own", "text": words("Own grid")},
                *([{"swatch": "faded", "text": words("Neighbouring grid")}] if len(neighbours) else []),
            ],
            "note": "",
        }
    )
    m.drawing.legend = [part for part in m.drawing.legend if part["items"] or part["layer"]]
    return m


def _incident_layer(incidents: gpd.GeoDataFrame, as_of: datetime, words: Words) -> dict[str, Any]:
    rows = []
    names = _grade_names(words)
    for place, at in enumerate(points(incidents)):
        row = incidents.iloc[place]
        stage = stage_of(str(row["status"]))
        due, late = "", False
        if stage != "done" and not pd.isna(row["due_at"]):
            length, late = words.due(row["due_at"], as_of)
            due = f"{words.moment(row['due_at'])} ({length})"
        grade = urgency_of(str(row["grade"]))
        rows.append(
            {
                "at": at,
                "urgency": grade,
                "badge": "late" if late else stage,
                "title": str(row["category_name"]),
                "values": [
                    names[grade],
                    str(row["status_text"]),
                    due,
                    *(
                        str(row[name]) if isinstance(row[name], str) else ""
                        for name in ("address", "text", "number")
                    ),
                ],
                "href": own_link(row["url"]),
            }
        )
    columns = [
        words("Grade"),
        words("Status"),
        words("Due"),
        words("Address"),
        words("What was said"),
        words("Number"),
    ]
    letters = (words("R"), words("O"), words("Y"), words("B"), words("G"))
    urgencies = [
        {"fill": urgency.fill, "ink": urgency.ink, "shape": urgency.shape, "letter": letter}
        for urgency, letter in zip(URGENCIES, letters, strict=True)
    ]
    return {"kind": "incidents", "id": "incidents", "urgencies": urgencies, "columns": columns, "rows": rows}


def _incident_legend(layer: dict[str, Any], words: Words) -> dict[str, Any]:
    urgencies = [row["urgency"] for row in layer["rows"]]
    counts = [urgencies.count(step) for step in range(len(URGENCIES))]
    cluster: list[dict[str, Any]] = []
    if len(urgencies) > 1:
        letter = layer["urgencies"][min(urgencies)]["letter"]
        text = words("{count} cases, the worst of them {letter}", count=2, letter=letter)
        cluster.append({"swatch": "cluster", "count": 2, "letter": letter, "text": text, "wide": True})
    return {
        "title": words("Cases by urgency ({count})", count=len(layer["rows"])),
        "layer": "incidents",
        "across": True,
        "items": [
            {"swatch": "urgency", "step": step, "text": f"{name} {counts[step]}"}
            for step, name in enumerate(_grade_names(words))
        ]
        + cluster,
        "note": "" if layer["rows"] else words("No case in this area at present."),
    }


def _grade_names(words: Words) -> tuple[str, ...]:
    """Return the names of the grades, in the order of URGENCIES."""
    return words("Red"), words("Orange"), words("Yellow"), words("Blue"), words("Green")


def _state_legend(layer: dict[str, Any], words: Words) -> dict[str, Any]:
    shown = {row["badge"] for row in layer["rows"]}
    badges = {
        "late": words("Overdue"),
        "waiting": words("Waiting"),
        "working": words("In hand"),
        "done": words("Done"),
    }
    items: list[dict[str, Any]] = [
        {"swatch": "badge", "badge": badge, "text": text} for badge, text in badges.items() if badge in shown
    ]
    return {"title": words("State"), "layer": None, "across": True, "items": items, "note": ""}
