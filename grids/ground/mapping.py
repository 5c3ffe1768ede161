"""The mapping: a TOML file that says how somebody's files hold our four levels.

    [codes]                     # only when the codes of the files are not ours
    prefix = "9901"             # made-up province and prefecture that the new district codes start with

    [every_level]               # what holds for all levels, unless a level says otherwise
    layer = "grids"             # of a GeoPackage with several layers; a folder of a KML file
    code = "code"               # column of the code; kept as the source code when ours differ
    parent = "parent_code"      # column with the code of the area above

    [levels.district]           # one table a level, from the district down without a hole
    column = "level"            # the areas of this level are the rows where this column ...
    value = 1                   # ... has this value
    [levels.town]
    file = "towns.geojson"      # in the directory or zip that is loaded
    name = "TOWNNAME"           # further columns: name, households, population, size_reason
    parent_by = "place"         # or "prefix": the code starts with the code of the area above
    [levels.community]
    dissolve = true             # not in the files: joined from the areas of the level below, by `code` there

    [tolerance]                 # as gis.coverage.Tolerance: overlap_m2, gap_m2, edge_m, covered_percent
    edge_m = 5

    [[accepted]]                # one known defect, which stays in the report as a warning
    kind = "gap"
    lon = 120.62
    lat = 24.27
    reason = "the airfield belongs to no village"

`frame` and `encoding` may stand at the top of the file; an argument of the command goes before them. A file
with our own codes in a column `code` needs no mapping.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

from gis.coverage import Tolerance
from gis.crs import AnyFrame, parse_frame
from gis.errors import InvalidInput, NotFound
from gis.faults import FaultKind
from grids.ground.gate import ACCEPTABLE, Accepted
from grids.rules.codes import PREFIX_PATTERN
from grids.rules.levels import TOP_DOWN, GridLevel

__all__ = ["GridMapping", "LevelSource", "read_mapping"]

_PARENT_BY = ("prefix", "place")


@dataclass(frozen=True)
class LevelSource:
    """Where the areas of one level are, and which columns say what; None where nothing is said.

    parent : column with the code of the area above. parent_by : "prefix" or "place", without such a column.
    size_reason : column that says why a cell is larger or smaller than the rule has it.
    dissolve : the level is joined from the level below, whose columns `code` and `name` then mean.
    """

    level: GridLevel
    file: str | None = None
    layer: str | None = None
    column: str | None = None
    value: str | None = None
    code: str | None = None
    name: str | None = None
    parent: str | None = None
    parent_by: str | None = None
    households: str | None = None
    population: str | None = None
    size_reason: str | None = None
    dissolve: bool = False


@dataclass(frozen=True)
class GridMapping:
    """How files hold a grid; `levels` from the district down."""

    levels: tuple[LevelSource, ...]
    prefix: str | None = None
    frame: AnyFrame | None = None
    encoding: str | None = None
    tolerance: Tolerance = field(default_factory=Tolerance)
    accepted: tuple[Accepted, ...] = ()


_LEVEL_KEYS = tuple(one.name for one in fields(LevelSource) if one.name != "level")
_TEXT = (str,)
_NUMBER = (int, float)
_TYPES: Mapping[str, tuple[type, ...]] = {"dissolve": (bool,), "value": (str, int, float)}


def read_mapping(path: Path) -> GridMapping:
    """Read a mapping.

    Raises `NotFound` (`file_not_found`), and `InvalidInput` (`wrong_mapping`) that names the key at fault: one
    that is unknown, of the wrong type or missing, or levels with a hole.
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise NotFound("file_not_found", f"there is no file {str(path)!r}", field="mapping") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise _wrong(f"{path.name} is not TOML: {broken}", "mapping") from broken
    top = _table(
        document, "", ("codes", "every_level", "levels", "tolerance", "accepted", "frame", "encoding")
    )
    codes = _table(top.get("codes", {}), "codes", ("prefix",))
    prefix = _typed(codes, "codes.", "prefix", _TEXT)
    if prefix is not None and PREFIX_PATTERN.fullmatch(prefix) is None:
        raise _wrong(f"codes.prefix must be four digits, but is {prefix!r}", "codes.prefix")
    frame = _typed(top, "", "frame", _TEXT)
    return GridMapping(
        levels=_levels(top),
        prefix=prefix,
        frame=None if frame is None else parse_frame(frame),
        encoding=_typed(top, "", "encoding", _TEXT),
        tolerance=_tolerance(top.get("tolerance", {})),
        accepted=_accepted(top.get("accepted", [])),
    )


def _levels(top: Mapping[str, Any]) -> tuple[LevelSource, ...]:
    common = _table(top.get("every_level", {}), "every_level", _LEVEL_KEYS)
    tables = _table(top.get("levels", {}), "levels", tuple(level.value for level in TOP_DOWN))
    named = [level for level in TOP_DOWN if level.value in tables]
    if not named or tuple(named) != TOP_DOWN[: len(named)]:
        raise _wrong(
            "levels must go from district down without a hole "
            f"({', '.join(TOP_DOWN)}), but are {', '.join(named) or 'none'}: a level that the files lack can be "
            "joined from the level below with dissolve = true",
            "levels",
        )
    sources = [
        _level(level, {**common, **_table(tables[level], f"levels.{level}", _LEVEL_KEYS)}) for level in named
    ]
    for upper, source in pairwise(sources):
        if not upper.dissolve and source.parent is None and source.parent_by is None:
            raise _wrong(
                f"levels.{source.level} does not say how an area finds the one above it: give parent (a column) "
                "or parent_by",
                f"levels.{source.level}.parent",
            )
    if sources[-1].dissolve:
        raise _wrong(f"levels.{named[-1]} is the lowest level, so nothing can be joined to it", "dissolve")
    return tuple(sources)


def _level(level: GridLevel, table: Mapping[str, Any]) -> LevelSource:
    where = f"levels.{level}."
    found = {key: _typed(table, where, key, _TYPES.get(key, _TEXT)) for key in _LEVEL_KEYS}
    if found["parent_by"] not in (None, *_PARENT_BY):
        raise _wrong(f"{where}parent_by must be one of {', '.join(_PARENT_BY)}", f"{where}parent_by")
    if (found["column"] is None) != (found["value"] is None):
        raise _wrong(f"{where}column and value belong together", f"{where}column")
    dissolve = bool(found.pop("dissolve"))
    if not dissolve and found["code"] is None:
        raise _wrong(f"{where}code is missing: the column that tells the areas apart", f"{where}code")
    if found["value"] is not None:
        found["value"] = str(found["value"])
    return LevelSource(level=level, dissolve=dissolve, **found)


def _tolerance(table: Any) -> Tolerance:
    names = tuple(one.name for one in fields(Tolerance))
    known = _table(table, "tolerance", names)
    given = {name: _typed(known, "tolerance.", name, _NUMBER) for name in known}
    for name, value in given.items():
        if not 0 <= value <= (100 if name == "covered_percent" else 1e9):
            raise _wrong(f"tolerance.{name} cannot be {value}", f"tolerance.{name}")
    return Tolerance(**{name: float(value) for name, value in given.items()})


def _accepted(entries: Any) -> tuple[Accepted, ...]:
    if not isinstance(entries, list):
        raise _wrong("accepted is a list of tables: [[accepted]]", "accepted")
    result = []
    for number, entry in enumerate(entries, start=1):
        where = f"accepted[{number}]"
        table = _table(entry, where, ("kind", "lon", "lat", "reason", "within_m"))
        for key, types in (("kind", _TEXT), ("lon", _NUMBER), ("lat", _NUMBER), ("reason", _TEXT)):
            if _typed(table, f"{where}.", key, types) in (None, ""):
                raise _wrong(f"{where}.{key} is missing", f"{where}.{key}")
        if table["kind"] not in ACCEPTABLE:
            raise _wrong(f"{where}.kind must be one of {', '.join(ACCEPTABLE)}", f"{where}.kind")
        within = _typed(table, f"{where}.", "within_m", _NUMBER)
        place = (float(table["lon"]), float(table["lat"]))
        result.append(
            Accepted(
                FaultKind(table["kind"]),
                *place,
                reason=table["reason"],
                within_m=Accepted.within_m if within is None else float(within),
            )
        )
    return tuple(result)


def _table(value: Any, name: str, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(f"{name} must be a table", name)
    unknown = [key for key in value if key not in keys]
    if unknown:
        where = f"{name}." if name else ""
        raise _wrong(f"{where}{unknown[0]} is not known; use {', '.join(keys)}", f"{where}{unknown[0]}")
    return value


def _typed(table: Mapping[str, Any], where: str, key: str, types: tuple[type, ...]) -> Any:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        wanted = " or ".join(one.__name__ for one in types)
        raise _wrong(f"{where}{key} must be {wanted}, but is {value!r}", f"{where}{key}")
    return value


def _wrong(words: str, field: str) -> InvalidInput:
    return InvalidInput("wrong_mapping", words, field=field)
