"""Plan the cells of a community: read its buildings, propose drafts, make a whole grid of the one that is chosen.

A draft goes nowhere by itself: it is a file to look at, and, put in the place of the community's cells, a grid file
that is loaded as a draft edition like any other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry import GeometryCollection, MultiPolygon
from shapely.geometry.base import BaseGeometry

from gis.areas import AREAS, AreaFile, read_features
from gis.cells.refining import SizeRule
from gis.crs import STORAGE_SRID, to_storage
from gis.edges import with_vertices
from gis.errors import InvalidInput, NotFound
from gis.partition import Draft, SizeReason, Wishes, partition
from gis.plane import plane_of
from grids.csvtables import CsvSource, partial
from grids.exports import kind_of
from grids.ground.gate import CELL_HOUSEHOLDS, MOST_CELL_PEOPLE
from grids.rules.codes import check_code, number_children
from grids.rules.levels import GridLevel

__all__ = [
    "RULE",
    "Buildings",
    "Columns",
    "coded",
    "community_outline",
    "propose",
    "read_barriers",
    "read_buildings",
    "whole_grid",
    "write_drafts",
]

RULE = SizeRule(*CELL_HOUSEHOLDS, MOST_CELL_PEOPLE)

Floats = NDArray[np.float64]

_POINTS = ("Point", "MultiPoint", *AREAS)
_LINES = ("LineString", "MultiLineString", *AREAS)
_GRID_COLUMNS = (
    "code",
    "level",
    "name",
    "source_code",
    "households",
    "population",
    "size_reason",
    "geometry",
)
# what columns are called where nobody says; the first that a file has is taken
_NAMES = {
    "lon": ("lon", "longitude", "lng", "x", "经度"),
    "lat": ("lat", "latitude", "y", "纬度"),
    "households": ("households", "户数"),
    "people": ("people", "population", "人口", "人数"),
}


@dataclass(frozen=True)
class Columns:
    """What the columns of a file of buildings are called; None for the usual names."""

    households: str | None = None
    people: str | None = None
    lon: str | None = None
    lat: str | None = None


@dataclass(frozen=True)
class Buildings:
    """Where people live.

    lon, lat : (n,) EPSG:4490 degrees. households, people : (n,) whole numbers; people None where nobody counted.
    footprints : (n,) polygons, None for points. names : (n,) where each stands in its file.
    problems : what could not be read as it is meant, a line each.
    """

    lon: Floats
    lat: Floats
    households: Floats
    people: Floats | None
    footprints: NDArray[np.object_]
    names: tuple[str, ...]
    problems: tuple[str, ...] = ()


def read_buildings(
    path: Path,
    *,
    columns: Columns = Columns(),
    frame: str | None = None,
    layer: str | None = None,
    encoding: str | None = None,
) -> Buildings:
    """Read buildings with their households, and people where there are such: a CSV table, or points or footprints.

    frame : what the coordinates are counted in; a table without it is taken as WGS84, another file as it says.
    Raises `InvalidInput`: "unknown_column"; "wrong_count" and "wrong_coordinate", which name the row and the
    column; "no_buildings" for a file without any; and what `CsvSource` and `gis.areas.read_features` raise.
    """
    if path.suffix.lower() == ".csv" or path.suffixes[-2:] == [".csv", ".gz"]:
        found = _from_table(path, columns, frame or "WGS84", encoding or "utf-8")
    else:
        found = _from_shapes(path, columns, frame, layer, encoding)
    if not len(found.lon):
        raise InvalidInput("no_buildings", f"{path.name} holds no building", field="buildings")
    return found


def read_barriers(
    path: Path, *, frame: str | None = None, layer: str | None = None, encoding: str | None = None
) -> tuple[BaseGeometry, tuple[str, ...]]:
    """Read lines that borders should follow, or areas such as a lake, whose edges they should follow.

    Returns them as one shape in EPSG:4490, and what could not be used, a line each.
    Raises what `gis.areas.read_features` raises.
    """
    file = read_features(path, _LINES, layer=layer, frame=frame, encoding=encoding)
    shapes = np.asarray(file.frame.geometry.array, dtype=object)
    problems = [f"{file.name} row {row}: {words}; left out" for row, (_, words) in file.problems.items()]
    area = shapely.get_dimensions(shapes) == 2
    for row in np.flatnonzero(area & ~shapely.is_valid(shapes)).tolist():
        problems.append(f"{file.name} row {row}: {shapely.is_valid_reason(shapes[row])}; left out")
        shapes[row] = None
    parts = shapely.get_parts(shapes[~shapely.is_missing(shapes)])
    return GeometryCollection(list(parts)), tuple(problems)


def community_outline(areas: gpd.GeoDataFrame, code: str) -> MultiPolygon:
    """Return the outline of a community among areas with the columns code and geometry.

    Raises `InvalidInput` ("wrong_grid_code") for no code of a community, `NotFound` ("area_not_found").
    """
    check_code(code, GridLevel.COMMUNITY)
    found = areas.geometry[(areas["code"] == code) & areas.geometry.notna()]
    if found.empty:
        raise NotFound("area_not_found", f"there is no community {code} among the areas", code=code)
    outline: MultiPolygon = found.iloc[0]
    return outline


def propose(
    outline: MultiPolygon, buildings: Buildings, barriers: BaseGeometry | None, *, drafts: int, seed: int
) -> list[Draft]:
    """Propose drafts for a community by the size rule of cells. Raises what `gis.partition.partition` raises."""
    return partition(
        outline,
        buildings.lon,
        buildings.lat,
        buildings.households,
        buildings.people,
        footprints=buildings.footprints,
        barriers=barriers,
        wishes=Wishes(RULE, drafts=drafts, seed=seed),
    )


def coded(draft: Draft, community: str, name: str, say: Callable[[SizeReason], str]) -> gpd.GeoDataFrame:
    """Return the cells of a draft with the columns code, level, name and size_reason before their own, by code.

    community, name : its code and its name. say : a reason in words. Codes go from west to east and from north to
    south; names are 景远社区第1网格, 景远社区第2网格, ...
    """
    cells = draft.cells
    middle = shapely.centroid(plane_of(cells).flat(np.asarray(cells.geometry.array, dtype=object)))
    codes = number_children(
        community, GridLevel.BUILDING_GROUP, [(float(point.x), float(point.y)) for point in middle]
    )
    reasons = [None if reason is None else say(SizeReason(reason)) for reason in cells["reason"]]
    first = pd.DataFrame(
        {
            "code": codes,
            "level": GridLevel.BUILDING_GROUP.value,
            "name": [f"{name}第{int(code[-3:])}网格" for code in codes],
            "size_reason": pd.Series(reasons, dtype="string"),
        },
        index=cells.index,
    )
    own = cells.astype({"population": "Int64"})
    found = gpd.GeoDataFrame(pd.concat([first, own], axis=1), geometry="geometry", crs=cells.crs)
    return found.sort_values("code", ignore_index=True)


def whole_grid(
    areas: gpd.GeoDataFrame, community: str, cells: gpd.GeoDataFrame, draft: Draft
) -> gpd.GeoDataFrame:
    """Return all areas with the cells of a community replaced by those of a draft; `grids load` takes them so.

    areas : EPSG:4490 with code, level, name, geometry, and where known source_code, households, population,
    size_reason. cells : the draft's, as `coded` gives them.
    Whoever shares an edge on which a new border ends gets a vertex there, so that edges match to the last digit.
    """
    inside = areas["code"].str.startswith(community) & (areas["code"] != community)
    kept = areas[~inside].copy()
    kept.geometry = [
        shape if shape is None else with_vertices(shape, draft.vertices) for shape in kept.geometry
    ]
    both = pd.concat([kept, cells.assign(source_code=None)], ignore_index=True)
    for column in ("source_code", "size_reason"):
        both[column] = (both[column] if column in both else pd.Series(pd.NA, index=both.index)).astype(
            "string"
        )
    for column in ("households", "population"):
        both[column] = (both[column] if column in both else pd.Series(pd.NA, index=both.index)).astype(
            "Int64"
        )
    grid = gpd.GeoDataFrame(both[list(_GRID_COLUMNS)], geometry="geometry", crs=f"EPSG:{STORAGE_SRID}")
    return grid.sort_values("code", ignore_index=True)


def write_drafts(layers: Sequence[gpd.GeoDataFrame], path: Path) -> None:
    """Write drafts, as `coded` gives them, to a GeoPackage with the layers draft_1, draft_2, ...

    Raises `InvalidInput` ("unknown_file_type", "cannot_write").
    """
    kind_of(path, {".gpkg": "GPKG"})
    with partial(path) as temporary:
        for number, cells in enumerate(layers, start=1):
            cells.to_file(temporary, layer=f"draft_{number}", driver="GPKG", mode="w" if number == 1 else "a")


def _from_table(path: Path, columns: Columns, frame: str, encoding: str) -> Buildings:
    source = CsvSource(path, encoding)
    lon, lat = (_column(path.name, source.columns, columns, name) for name in ("lon", "lat"))
    homes, people = (_column(path.name, source.columns, columns, name) for name in ("households", "people"))
    rows, problems = [], []
    for block in source.blocks():
        rows.append(block.rows)
        problems += [f"{path.name} line {one.line}: {one.reason}; left out" for one in block.malformed]
    table = pd.concat(rows)
    names = tuple(f"line {line}" for line in table.index)
    x, y = (_coordinates(path.name, names, str(column), table[column]) for column in (lon, lat))
    x, y = to_storage(x, y, frame)
    return Buildings(
        lon=x,
        lat=y,
        households=_counts(path.name, names, str(homes), table[homes]),
        people=None if people is None else _counts(path.name, names, people, table[people]),
        footprints=np.full(len(table), None, dtype=object),
        names=names,
        problems=tuple(problems),
    )


def _from_shapes(
    path: Path, columns: Columns, frame: str | None, layer: str | None, encoding: str | None
) -> Buildings:
    file: AreaFile = read_features(path, _POINTS, layer=layer, frame=frame, encoding=encoding)
    present = [str(name) for name in file.frame.columns.drop("geometry")]
    homes, people = (_column(file.name, present, columns, name) for name in ("households", "people"))
    problems = [f"{file.name} row {row}: {words}; left out" for row, (_, words) in file.problems.items()]
    table = file.frame[file.frame.geometry.notna()]
    names = tuple(f"row {row}" for row in table.index)
    shapes = np.asarray(table.geometry.array, dtype=object)
    body = shapely.get_dimensions(shapes) == 2
    sound = shapely.is_valid(shapes)
    for row in np.flatnonzero(body & ~sound).tolist():
        words = f"its footprint is not valid ({shapely.is_valid_reason(shapes[row])}); its middle is taken"
        problems.append(f"{file.name} {names[row]}: {words}")
    footprints = np.full(len(shapes), None, dtype=object)
    footprints[body & sound] = shapes[body & sound]
    points = shapely.centroid(shapes)
    points[body & sound] = shapely.point_on_surface(shapes[body & sound])
    return Buildings(
        lon=shapely.get_x(points),
        lat=shapely.get_y(points),
        households=_counts(file.name, names, str(homes), table[homes]),
        people=None if people is None else _counts(file.name, names, people, table[people]),
        footprints=footprints,
        names=names,
        problems=tuple(problems),
    )


def _column(file: str, present: Sequence[str], columns: Columns, name: str) -> str | None:
    """Return what a column is called in a file; None only for people, where nobody asked for them."""
    asked = getattr(columns, name)
    for wanted in (asked,) if asked is not None else _NAMES[name]:
        if wanted in present:
            return str(wanted)
    if asked is None and name == "people":
        return None
    raise InvalidInput(
        "unknown_column",
        f"{file} has no column {asked or _NAMES[name][0]!r}; it has {', '.join(present)}",
        field=f"{name}_column",
        got=asked,
        wanted=list(present),
    )


def _coordinates(file: str, names: Sequence[str], column: str, values: pd.Series[Any]) -> Floats:
    found = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(found))
    if len(wrong):
        raise _wrong("wrong_coordinate", file, names, column, values, wrong, "a number of degrees")
    return found


def _counts(file: str, names: Sequence[str], column: str, values: pd.Series[Any]) -> Floats:
    found = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=math.nan)
    wrong = np.flatnonzero(~(np.isfinite(found) & (found >= 0) & (found == np.floor(found)) & (found < 1e9)))
    if len(wrong):
        raise _wrong("wrong_count", file, names, column, values, wrong, "a whole number from 0 on")
    return found


def _wrong(
    code: str,
    file: str,
    names: Sequence[str],
    column: str,
    values: pd.Series[Any],
    wrong: NDArray[np.intp],
    wanted: str,
) -> InvalidInput:
    got = str(values.iloc[int(wrong[0])])
    more = f", and {len(wrong) - 1} more rows are alike" if len(wrong) > 1 else ""
    return InvalidInput(
        code,
        f"{file} {names[int(wrong[0])]}: {column} must be {wanted}, but is {got!r}{more}",
        field=column,
        row=names[int(wrong[0])],
        got=got,
        wanted=wanted,
        count=len(wrong),
    )
