"""The map of what is wrong with a grid: each fault in its place, and a list beside it that leads there.

A fault can be a metre wide in a district of thirty kilometres, so each has a mark of one size at any zoom, and its
own shape below it once the map is near enough. What kind it is, its colour, the hatch of its ground and the sign in
its mark say alike; whether it is an error or a warning, the form of the mark.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gis.errors import InvalidInput
from maps.base import GridMap, base_map
from maps.choropleth import level_names, number, plain_cells
from maps.palette import FAULTS, OTHER_FAULT
from maps.shapes import Bounds, outline, points
from maps.words import Words

__all__ = ["AREA_COLUMNS", "FAULT_COLUMNS", "MOST_FAULTS", "fault_map"]

AREA_COLUMNS = ("code", "level", "name")
FAULT_COLUMNS = ("kind", "kind_text", "severity", "level", "codes", "area_m2", "message", "lon", "lat")

MOST_FAULTS = 2_000
"""Faults that one page lists, errors first; more of them nobody mends by hand."""

_WHOLE_LEVEL = 700  # areas of a level that are all drawn; of a larger one, only those near a fault
_MOST_OF_LEVEL = 1_500
_NEAR = 0.002  # degrees, about 200 m
_MOST_VERTICES = 60_000  # of one level, about 500 kB
_TOLERANCES = tuple(1e-6 * 3**step for step in range(7))  # degrees, from a tenth of a metre on
_MOST_CORNERS = 400  # of the shape of one fault
_CODES_SHOWN = 3
_LEVELS = ("district", "town", "community", "building_group")


class _FaultMap(GridMap):
    """A map with a list of faults beside it, in place of a legend that opens and shuts."""

    default_js = [*GridMap.default_js, ("gridwhistle_faults", "faults.js")]  # noqa: RUF012
    default_css = [*GridMap.default_css, ("gridwhistle_faults_css", "faults.css")]  # noqa: RUF012


def fault_map(
    areas: gpd.GeoDataFrame,
    faults: gpd.GeoDataFrame,
    *,
    words: Words,
    title: str,
    as_of: datetime | None = None,
    attribution: str = "",
    tile_url: str | None = None,
) -> GridMap:
    """Draw the faults of a grid over its areas, with a list of them.

    areas : EPSG:4490 or 4326, with code, level and name; a shape may be missing or invalid. Of a level with many
    areas only those near a fault are drawn, and the page says so.
    faults : in the order of the list, with the columns
        kind        a value of `gis.faults.FaultKind`      kind_text  that kind in the reader's language
        severity    error or warning                       level      of its areas, or None
        codes       of the areas concerned: a list         message    what the gate says
        area_m2     its size, NaN for none                 lon, lat   a place on it, NaN for none
    and the defect itself as geometry, or None. One without a place is in the list and not on the map.
    Raises `InvalidInput` ("map_columns") for a missing column, ("map_empty") when no area has a shape.
    """
    _check(areas, AREA_COLUMNS, "areas")
    _check(faults, FAULT_COLUMNS, "faults")
    drawn = areas[_drawable(areas)].reset_index(drop=True)
    if drawn.empty:
        raise InvalidInput("map_empty", "there is nothing to draw: no area has a shape", field="areas")
    listed = faults.iloc[np.argsort(faults["severity"] != "error", kind="stable")].head(MOST_FAULTS)
    shown = _near_faults(drawn, listed)
    m = base_map(
        _all_bounds(drawn, listed),
        title=title,
        subtitle=_summary(faults, words),
        words=words,
        as_of=as_of,
        attribution=attribution,
        tile_url=tile_url,
        kind=_FaultMap,
    )
    m.drawing.layout = "listed"
    m.drawing.layers = [*_ground(shown, words), _layer(listed, words)]
    if len(shown) < len(drawn):
        m.drawing.notes.append(
            words(
                "{shown} of {count} areas are drawn: of a level with many, those near a fault.",
                shown=f"{len(shown):,}",
                count=f"{len(drawn):,}",
            )
        )
    if len(listed) < len(faults):
        m.drawing.notes.append(
            words(
                "The first {shown} of {count} faults are listed, errors first; the file of the faults has all.",
                shown=f"{len(listed):,}",
                count=f"{len(faults):,}",
            )
        )
    return m


def _check(frame: gpd.GeoDataFrame, columns: tuple[str, ...], name: str) -> None:
    missing = [column for column in columns if column not in frame]
    if missing:
        raise InvalidInput(
            "map_columns",
            f"{name} lacks the columns {', '.join(missing)}",
            field=name,
            got=[str(column) for column in frame.columns],
            wanted=list(columns),
        )


def _drawable(areas: gpd.GeoDataFrame) -> NDArray[np.bool_]:
    """Tell which areas have an outline round some ground, valid or not."""
    shapes = np.asarray(areas.geometry.array, dtype=object)
    known = np.isin(shapely.get_type_id(shapes), (3, 6)) & np.isfinite(shapely.bounds(shapes)).all(axis=1)
    known[known] = shapely.area(shapely.convex_hull(shapes[known])) > 0
    return known


def _summary(faults: gpd.GeoDataFrame, words: Words) -> str:
    errors = int((faults["severity"] == "error").sum())
    said = words("{errors} errors, {warnings} warnings", errors=errors, warnings=len(faults) - errors)
    if not len(faults):
        return words("No faults.")
    return said


def _near_faults(areas: gpd.GeoDataFrame, faults: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the areas of small levels, and of large ones those near a fault, the nearest first."""
    places = [place for place in _places(faults) if place is not None]
    shapes = np.asarray(areas.geometry.array, dtype=object)
    levels = areas["level"].to_numpy(dtype=object)
    kept = np.zeros(len(areas), dtype=bool)
    for level in dict.fromkeys(levels.tolist()):
        rows = np.flatnonzero(levels == level)
        if len(rows) > _WHOLE_LEVEL:
            tree = shapely.STRtree(list(shapes[rows]))
            near = tree.query(np.array(places, dtype=object), predicate="dwithin", distance=_NEAR)[1]
            rows = rows[list(dict.fromkeys(near.tolist()))[:_MOST_OF_LEVEL]]
        kept[rows] = True
    if not kept.any():  # one level of many areas, and no fault that has a place
        kept[:_MOST_OF_LEVEL] = True
    return areas[kept].reset_index(drop=True)


def _places(faults: gpd.GeoDataFrame) -> list[BaseGeometry | None]:
    """Return where each fault is marked."""
    return [
        None if pd.isna(lon) or pd.isna(lat) else shapely.Point(lon, lat)
        for lon, lat in zip(faults["lon"], faults["lat"], strict=True)
    ]


def _all_bounds(areas: gpd.GeoDataFrame, faults: gpd.GeoDataFrame) -> Bounds:
    """Return the box round all areas and the places of their faults, which may lie far off."""
    spots = [place for place in _places(faults) if place is not None]
    array = shapely.bounds(np.array([*areas.geometry, *spots], dtype=object))
    low, high = np.nanmin(array[:, :2], axis=0), np.nanmax(array[:, 2:], axis=0)
    west, south = np.clip(low, [-180, -90], [180, 90])
    east, north = np.clip(high, [-180, -90], [180, 90])
    return float(west), float(south), float(east), float(north)


def _ground(areas: gpd.GeoDataFrame, words: Words) -> list[dict[str, Any]]:
    """Return the areas as layers: the lowest level filled, those above as lines."""
    found = areas["level"].to_numpy(dtype=object)
    levels = sorted(
        dict.fromkeys(found.tolist()), key=lambda one: _LEVELS.index(one) if one in _LEVELS else 9
    )
    parts = [areas[found == level].reset_index(drop=True) for level in levels]
    thin = [_thinned(part) for part in parts]
    cells, shapes = parts[-1], thin[-1]
    layer = plain_cells("areas", "plain", cells, _for_names(shapes), words)
    level = level_names(words).get(levels[-1], str(levels[-1]))
    for row, shape in zip(layer["rows"], shapes, strict=True):
        row[4], row[8] = outline(shape), [row[0], level]  # as map.js reads a row
    layers = [{**layer, "columns": [words("Code"), words("Level")]}]
    for depth, borders in reversed(list(enumerate(thin[:-1]))):
        lines = [outline(shape) for shape in borders]
        layers.append({"kind": "borders", "id": f"level{depth}", "weight": 3.4 - depth, "shapes": lines})
    return layers


def _for_names(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return shapes with room for a name in each: an invalid one has none that could be measured."""
    return np.where(shapely.is_valid(shapes), shapes, shapely.convex_hull(shapes))


def _thinned(cells: gpd.GeoDataFrame) -> NDArray[np.object_]:
    """Return the shapes of a level as they are drawn: as they are while they are few, then simplified together.

    A level at a time, or the borders of one level would be told from those of another; and only as far as need be,
    because every crack that simplifying leaves looks like a fault.
    """
    shapes = np.asarray(cells.geometry.array, dtype=object)
    sound = shapely.is_valid(shapes)
    thin = shapes
    for tolerance in _TOLERANCES:
        if shapely.get_num_coordinates(thin).sum() <= _MOST_VERTICES:
            break
        thin = shapes.copy()
        thin[sound] = shapely.coverage_simplify(shapes[sound], tolerance)
    return thin


def _layer(faults: gpd.GeoDataFrame, words: Words) -> dict[str, Any]:
    kinds = list(dict.fromkeys(faults["kind"]))
    texts = dict(zip(faults["kind"], faults["kind_text"], strict=True))
    errors = Counter(faults.loc[faults["severity"] == "error", "kind"])
    total = Counter(faults["kind"])
    order = list(FAULTS)
    kinds.sort(key=lambda kind: order.index(kind) if kind in order else len(order))
    marks = [FAULTS.get(kind, OTHER_FAULT) for kind in kinds]
    return {
        "kind": "faults",
        "id": "faults",
        "words": _words(words),
        "kinds": [
            {
                "text": str(texts[kind]),
                "fill": mark.fill,
                "hatch": mark.hatch,
                "sign": mark.sign,
                "errors": errors[kind],
                "warnings": total[kind] - errors[kind],
            }
            for kind, mark in zip(kinds, marks, strict=True)
        ],
        "columns": [words("Areas"), words("Level"), words("Extent"), words("What the check says")],
        "rows": _rows(faults, {kind: place for place, kind in enumerate(kinds)}, words),
    }


def _rows(faults: gpd.GeoDataFrame, kinds: Mapping[str, int], words: Words) -> list[dict[str, Any]]:
    names = level_names(words)
    rows = []
    for row, place in zip(faults.itertuples(), _places(faults), strict=True):
        codes = [str(code) for code in row.codes]
        size = "" if pd.isna(row.area_m2) else words("{size} m²", size=number(round(float(row.area_m2), 1)))
        level = "" if row.level is None or pd.isna(row.level) else names.get(row.level, str(row.level))
        more = len(codes) - _CODES_SHOWN
        short = " · ".join(codes[:_CODES_SHOWN]) + (f" +{more}" if more > 0 else "")
        rows.append(
            {
                "kind": kinds[row.kind],
                "error": row.severity == "error",
                "at": None if place is None else points(gpd.GeoDataFrame(geometry=[place], crs=4490))[0],
                "shape": _shape(row.geometry),
                "codes": short,
                "size": size,
                "values": [", ".join(codes), level, size, str(row.message)],
            }
        )
    return rows


def _shape(shape: BaseGeometry | None) -> list[list[list[int]]] | None:
    """Return the ground of a fault for the browser, of few enough corners; None where it has none."""
    if shape is None or shape.is_empty or shape.geom_type not in ("Polygon", "MultiPolygon"):
        return None
    tolerance = 2e-6
    while shapely.get_num_coordinates(shape) > _MOST_CORNERS and tolerance < 1e-3:
        simple = shapely.simplify(shape, tolerance)
        shape, tolerance = (shape if simple.is_empty else simple), tolerance * 4
    return outline(shape)


def _words(words: Words) -> dict[str, str]:
    return {
        "list": words("Faults"),
        "all": words("All"),
        "errors": words("Errors"),
        "warnings": words("Warnings"),
        "error": words("Error"),
        "warning": words("Warning"),
        "kinds": words("Kinds"),
        "everything": words("All kinds"),
        "nothing": words("No kind"),
        "nowhere": words("has no place"),
        "shown": words("{shown} of {count} shown", shown="{shown}", count="{count}"),
        "none": words("No fault of these kinds."),
        "clean": words("Nothing is wrong with this grid."),
        "here": words("{count} faults here", count="{count}"),
    }
