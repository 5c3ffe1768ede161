"""The map of a plan: drafts of a community's cells one on top of the other, one shown at a time, their numbers beside.

Drafts differ by a street here and a yard there; laid over each other in one place, a click apart, that is seen
better than on small maps side by side. The table keeps all numbers in sight.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gis.errors import InvalidInput
from gis.partition import Draft, SizeReason, Style
from maps.base import GridMap, base_map
from maps.choropleth import number, plain_cells
from maps.shapes import bounds_of, checked, joint_outline, points, simplified
from maps.words import Words

__all__ = ["BUILDING_COLUMNS", "plan_map", "size_reason", "style_name"]

_CELL_COLUMNS = (
    "code",
    "name",
    "households",
    "population",
    "buildings",
    "compactness",
    "barrier_m",
    "walk_m",
    "reason",
)
BUILDING_COLUMNS = ("households",)
_POLYGONS = ("Polygon", "MultiPolygon")
_LINES = ("LineString", "MultiLineString")
_VALUE, _TEXTS = 3, 8  # as map.js reads a row of cells


def style_name(style: Style, words: Words) -> str:
    """Return what a draft is made for, in a word or two."""
    return {
        Style.COMPACT: words("compact"),
        Style.EVEN: words("even"),
        Style.FEW: words("few cells"),
        Style.BARRIERS: words("along barriers"),
    }[style]


def size_reason(reason: SizeReason, words: Words) -> str:
    """Return why a cell is larger or smaller than the rule has it, as a sentence."""
    return {
        SizeReason.FEW_HOUSEHOLDS: words("The community has fewer households than one cell should have."),
        SizeReason.LARGE_BUILDING: words(
            "One building has more households or people than a cell should have."
        ),
        SizeReason.NO_NUMBER_FITS: words(
            "So many households cannot be divided into cells of 300 to 500 with at most 1,000 people."
        ),
        SizeReason.CROWDED: words("Households are large: 300 of them are more than 1,000 people."),
        SizeReason.NONE_FOUND: words("No better division of these buildings was found."),
    }[reason]


def plan_map(
    drafts: Sequence[tuple[Draft, gpd.GeoDataFrame]],
    neighbours: gpd.GeoDataFrame,
    buildings: gpd.GeoDataFrame,
    barriers: gpd.GeoDataFrame,
    *,
    title: str,
    words: Words,
) -> GridMap:
    """Draw the drafts of a plan, the first of them shown at first.

    drafts : each with its cells: EPSG:4490 or 4326 polygons with code, name, households, population, buildings,
        compactness, barrier_m, walk_m and reason (a code of `SizeReason`, or missing), as
        `grids.ground.planner` makes them.
    neighbours : polygons around, with code, name and level. buildings : points with households.
    barriers : lines. title : the name of the community.
    Raises `InvalidInput` ("map_empty") without a draft, and for a missing column.
    """
    if not drafts:
        raise InvalidInput("map_empty", "there is nothing to draw: no draft was given", field="drafts")
    frames = [checked(cells, _CELL_COLUMNS, "cells", _POLYGONS) for _, cells in drafts]
    neighbours = checked(neighbours, ("code", "name", "level"), "neighbours", _POLYGONS)
    buildings = checked(buildings, BUILDING_COLUMNS, "buildings", ("Point",))
    barriers = checked(barriers, (), "barriers", _LINES)
    homes = number(float(frames[0]["households"].sum()))
    m = base_map(
        bounds_of(frames[0]),
        title=title,
        subtitle=words("{count} buildings, {homes} households", count=len(buildings), homes=homes),
        words=words,
    )
    columns: list[dict[str, Any]] = []
    around, *shapes = simplified(neighbours, *frames)
    m.drawing.layers.append(plain_cells("neighbours", "faded", neighbours, around, words))
    for place, ((draft, _), cells, drawn) in enumerate(zip(drafts, frames, shapes, strict=True), start=1):
        layers = _draft_layers(f"draft-{place}", cells, drawn, words)
        for layer in layers:
            layer["hidden"] = place > 1
        m.drawing.layers += layers
        columns.append(
            {
                "title": str(place),
                "note": style_name(draft.style, words),
                "layers": [layer["id"] for layer in layers],
            }
        )
    m.drawing.layers += [_lines(barriers), _dots(buildings)]
    m.drawing.legend += [
        {
            "title": words("Drafts"),
            "layer": None,
            "items": [],
            "note": "",
            "choices": {"columns": columns, "rows": _table([draft for draft, _ in drafts], words)},
        },
        _key(frames, buildings, barriers, words),
    ]
    m.drawing.notes.append(
        words(
            "Compactness is 1 for a circle. The way is the longest from the middle of a cell's households to one of "
            "its buildings, as the crow flies."
        )
    )
    return m


def _draft_layers(
    name: str, cells: gpd.GeoDataFrame, shapes: NDArray[np.object_], words: Words
) -> list[dict[str, Any]]:
    layer = plain_cells(name, "plan", cells, shapes, words)
    columns = {
        words("Code"): cells["code"].astype(str),
        words("Households"): cells["households"].map(_whole),
        words("People"): cells["population"].map(_whole),
        words("Buildings"): cells["buildings"].map(_whole),
        words("Compactness"): cells["compactness"].map("{:.2f}".format),
        words("Longest way"): cells["walk_m"].map(_metres),
        words("Barriers inside"): cells["barrier_m"].map(_metres),
        words("Size"): cells["reason"].map(
            lambda reason: "" if pd.isna(reason) else size_reason(SizeReason(reason), words)
        ),
    }
    layer["columns"] = list(columns)
    for place, row in enumerate(layer["rows"]):
        row[_VALUE] = words("{count} households", count=_whole(cells["households"].iloc[place]))
        row[_TEXTS] = [values.iloc[place] for values in columns.values()]
    broken = cells["reason"].notna().to_numpy()
    if not broken.any():
        return [layer]
    marked = {
        "kind": "outline",
        "id": f"{name}-size",
        "look": "hot",
        "outline": joint_outline(shapes[broken]),
    }
    return [layer, marked]


def _table(drafts: Sequence[Draft], words: Words) -> list[list[str]]:
    """Return the numbers of the drafts, a row a number: its name, then one text a draft."""
    numbers = [draft.numbers for draft in drafts]
    rows = {
        words("Cells"): [f"{one.cells}" for one in numbers],
        words("Within the rule"): [f"{one.within_rule:.0%}" for one in numbers],
        words("Households, least"): [_whole(one.households[0]) for one in numbers],
        words("median"): [_whole(round(one.households[1])) for one in numbers],
        words("most"): [_whole(one.households[2]) for one in numbers],
        words("Most people"): [_whole(one.most_people) for one in numbers],
        words("Compactness"): [f"{one.compactness[0]:.2f}" for one in numbers],
        words("least"): [f"{one.compactness[1]:.2f}" for one in numbers],
        words("Barriers inside, m"): [_whole(round(one.barrier_m)) for one in numbers],
        words("Longest way, m"): [_whole(round(one.walk_m)) for one in numbers],
        words("Buildings outside"): [f"{one.outside}" for one in numbers],
    }
    return [[name, *values] for name, values in rows.items()]


def _key(
    frames: Sequence[gpd.GeoDataFrame], buildings: gpd.GeoDataFrame, barriers: gpd.GeoDataFrame, words: Words
) -> dict[str, Any]:
    items: list[dict[str, Any]] = [{"swatch": "plan", "text": words("Proposed cell")}]
    if any(cells["reason"].notna().any() for cells in frames):
        items.append({"swatch": "hot", "text": words("Larger or smaller than the rule")})
    if len(buildings):
        items.append({"swatch": "dot", "text": words("Building, larger with more households")})
    if len(barriers):
        items.append({"swatch": "barrier", "text": words("Road or river that borders follow")})
    return {"title": words("Legend"), "layer": None, "items": items, "note": ""}


def _dots(buildings: gpd.GeoDataFrame) -> dict[str, Any]:
    """Return small discs: [x, y, radius in tenths of a pixel]."""
    homes = buildings["households"].to_numpy(dtype=float)
    size = np.clip(np.round(10 * (1.4 + 0.28 * np.sqrt(homes))), 14, 70).astype(int).tolist()
    rows = [[*at, radius] for at, radius in zip(points(buildings), size, strict=True)]
    return {"kind": "dots", "id": "buildings", "dots": rows}


def _lines(barriers: gpd.GeoDataFrame) -> dict[str, Any]:
    parts = shapely.get_parts(np.asarray(barriers.geometry.array, dtype=object))
    lines = [np.round(shapely.get_coordinates(part) * 1e6).astype(int).tolist() for part in parts]
    return {"kind": "lines", "id": "barriers", "lines": lines}


def _whole(value: float | None) -> str:
    return "" if value is None or pd.isna(value) else number(float(value))


def _metres(value: float) -> str:
    return f"{value:,.0f} m"
