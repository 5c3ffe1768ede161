"""A plan of an edition: files of areas, brought to our four levels and our codes; no database yet.

What cannot be used is listed as a fault and never guessed away. Codes of the files are kept when they are ours;
otherwise new ones are given inside each parent (`grids.rules.codes.number_children`) and the source code is
kept beside.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon
from shapely.geometry.base import BaseGeometry

from gis.areas import AreaFile, read_areas
from gis.coverage import Tolerance
from gis.crs import STORAGE_SRID, AnyFrame
from gis.errors import InvalidInput
from gis.faults import CoverageReport, Fault, FaultKind, Severity
from gis.files.archives import FileLimits
from gis.geometry import polygonal
from grids.ground.gate import Accepted, check_grid
from grids.ground.mapping import GridMapping, LevelSource
from grids.rules.codes import follows, number_children
from grids.rules.levels import CODE_LENGTH, TOP_DOWN, GridLevel, parent_level

__all__ = ["SHAPEFILE_NAMES", "GridSet", "check_plan", "plan_edition"]

SHAPEFILE_NAMES = {"source_code": "src_code", "size_reason": "sizereason"}
"""What our own columns are called in a Shapefile, whose names have ten letters at most."""

Rows = NDArray[np.intp]

_OPTIONAL = ("name", "households", "population", "size_reason")  # columns that a plain file may have


@dataclass(frozen=True)
class GridSet:
    """All areas of a planned edition, and what is known about where they come from.

    frame : EPSG:4490, sorted by code, with the columns code, level, name, parent_code (missing for districts),
        source_code (missing where the file has our codes), households, population (Int64, may be missing),
        size_reason (missing where none is given), derived (joined from the level below) and geometry
        (MultiPolygon, None where `problems` says why).
    problems : by row of `frame`, why an area has no shape.
    faults : what was found wrong while planning; of areas that no code could be given to these are all that is
        left, beside their shapes in `left_out`.
    sources : the files that were read.
    """

    frame: gpd.GeoDataFrame
    sources: tuple[AreaFile, ...]
    problems: Mapping[int, tuple[FaultKind, str]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    left_out: tuple[BaseGeometry, ...] = ()
    tolerance: Tolerance = field(default_factory=Tolerance)
    accepted: tuple[Accepted, ...] = ()

    @property
    def leaf_level(self) -> GridLevel:
        """The lowest level that the edition has: the one that points are placed in."""
        return max((GridLevel(value) for value in self.frame["level"]), key=TOP_DOWN.index)


@dataclass
class _Layer:
    """The areas of one level while they are worked on; all sequences have one entry an area.

    rows : their attributes in the file (of a joined level: those of one area below, for its code and name).
    given : the codes in the file. codes : ours; None where an area can have none.
    parent : position in the layer above, None where it has none there. stated : the code that the file gives
        for it, where it does. older : the source codes that an edition of ours was written with.
    """

    source: LevelSource
    rows: pd.DataFrame
    shapes: NDArray[np.object_]
    given: list[str | None]
    problems: dict[int, tuple[FaultKind, str]]
    names: list[str | None]
    households: list[int | None]
    population: list[int | None]
    size_reasons: list[str | None]
    parent: list[int | None] = field(default_factory=list)
    stated: list[str | None] = field(default_factory=list)
    older: list[str | None] = field(default_factory=list)
    codes: list[str | None] = field(default_factory=list)
    kept: bool = True

    @property
    def level(self) -> GridLevel:
        return self.source.level

    def label(self, row: int) -> str:
        return self.given[row] or f"{self.level.value.replace('_', ' ')} in row {row}"


def plan_edition(
    path: Path,
    mapping: GridMapping | None = None,
    *,
    layer: str | None = None,
    frame: AnyFrame | str | None = None,
    encoding: str | None = None,
    limits: FileLimits = FileLimits(),
) -> GridSet:
    """Read a grid and bring it to our levels and codes.

    path : a file, or a directory or zip with the files that the mapping names.
    mapping : how the files hold the levels; without one they must have our codes in a column `code`, and may
        have `name`, `households`, `population`, `size_reason` and `source_code`, as an export of an edition has.
    layer, frame, encoding : as `gis.areas.read_areas`; they go before what the mapping says.
    Nothing is refused for a fault of single areas: `check_plan` lists those.
    Raises what `read_areas` raises, and `InvalidInput`: `unknown_column`, `empty_level`, `mapping_needed`,
    `prefix_needed`, `too_many_children`.
    """
    plain = mapping is None
    wish = mapping or GridMapping(levels=())
    files: dict[tuple[str | None, str | None], AreaFile] = {}

    def table(source: LevelSource) -> AreaFile:
        key = (source.file, layer or source.layer)
        if key not in files:
            files[key] = read_areas(
                path,
                member=source.file,
                layer=key[1],
                frame=frame or wish.frame,
                encoding=encoding or wish.encoding,
                limits=limits,
            )
        return files[key]

    faults: list[Fault] = []
    left_out: list[BaseGeometry | None] = []
    if plain:
        layers = _plain_layers(table(LevelSource(GridLevel.DISTRICT)), faults, left_out)
    else:
        layers = [] if mapping is None else _mapped_layers(mapping, table, faults)
        _link(layers)
        _give_codes(layers, wish.prefix, faults)
    areas, problems = _assemble(layers)
    for one in layers:
        left_out += [shape for shape, code in zip(one.shapes, one.codes, strict=True) if code is None]
    return GridSet(
        frame=areas,
        sources=tuple(files.values()),
        problems=problems,
        faults=tuple(faults),
        left_out=tuple(shape for shape in left_out if shape is not None),
        tolerance=wish.tolerance,
        accepted=wish.accepted,
    )


def check_plan(plan: GridSet) -> CoverageReport:
    """Hold a plan against all the rules of a grid, under the allowances that its mapping states."""
    return check_grid(
        plan.frame,
        tolerance=plan.tolerance,
        accepted=plan.accepted,
        problems=plan.problems,
        faults=plan.faults,
        hidden=plan.left_out,
    )


def _plain_layers(file: AreaFile, faults: list[Fault], left_out: list[BaseGeometry | None]) -> list[_Layer]:
    """Sort the areas of a file with our own codes into levels, by the length of the code."""
    columns = file.frame.columns
    texts = [_text(value) for value in file.frame["code"]] if "code" in columns else []
    level_of_length = {length: level for level, length in CODE_LENGTH.items()}
    levels = [level_of_length.get(len(text or "")) for text in texts]
    if not any(levels):
        raise InvalidInput(
            "mapping_needed",
            f"{file.name} has no column 'code' with codes of 6, 9, 12 or 15 digits; a mapping says which of its "
            f"columns holds what: {', '.join(map(str, columns.drop('geometry')))}",
            field="mapping",
            got=[str(name) for name in columns.drop("geometry")],
            wanted="code",
        )
    optional: dict[str, Any] = {name: _first_of(columns, name) for name in _OPTIONAL}
    layers = []
    for level in TOP_DOWN:
        chosen = np.flatnonzero([found is level for found in levels])
        if len(chosen):
            layers.append(_layer(LevelSource(level, code="code", **optional), file, chosen, faults))
    for row in np.flatnonzero([found is None for found in levels]).tolist():
        words = f"row {row} of {file.name} is left out: its code {texts[row]!r} has not 6, 9, 12 or 15 digits"
        left_out.append(file.frame.geometry[row])
        faults.append(_fault(FaultKind.WRONG_CODE, texts[row] or f"row {row}", words, left_out[-1]))
    older = _first_of(columns, "source_code")
    for found in layers:
        found.codes, found.parent = list(found.given), [None] * len(found.given)
        found.older = _texts(found.rows, older)
    return layers


def _first_of(columns: pd.Index, name: str) -> str | None:
    """Return what a column of ours is called here, None where there is none."""
    return next((one for one in (name, SHAPEFILE_NAMES.get(name)) if one in columns), None)


def _mapped_layers(
    mapping: GridMapping, table: Callable[[LevelSource], AreaFile], faults: list[Fault]
) -> list[_Layer]:
    """Read the levels from the lowest up, so that what is joined has its parts; return them from the top."""
    layers: list[_Layer] = []
    for source in reversed(mapping.levels):
        if source.dissolve:
            layers.append(_join(source, layers[-1], faults))
            continue
        file = table(source)
        chosen = np.arange(len(file.frame))
        if source.column is not None:
            _check_columns(file, source, ("column",))
            chosen = np.flatnonzero([_text(value) == source.value for value in file.frame[source.column]])
        if not len(chosen):
            which = f" where {source.column} is {source.value}" if source.column else ""
            raise InvalidInput(
                "empty_level",
                f"{file.name} has no areas of level {source.level}{which}",
                field=f"levels.{source.level}",
            )
        layers.append(_layer(source, file, chosen, faults))
    return layers[::-1]


def _layer(source: LevelSource, file: AreaFile, chosen: Rows, faults: list[Fault]) -> _Layer:
    _check_columns(file, source, ("code", "parent", *_OPTIONAL))
    rows = file.frame.iloc[chosen]
    given = _texts(rows, source.code)
    layer = _Layer(
        source=source,
        rows=pd.DataFrame(rows.drop(columns="geometry")).reset_index(drop=True),
        shapes=np.asarray(rows.geometry.array, dtype=object),
        given=given,
        problems={new: file.problems[old] for new, old in enumerate(chosen.tolist()) if old in file.problems},
        names=_texts(rows, source.name),
        households=[],
        population=[],
        size_reasons=_texts(rows, source.size_reason),
    )
    layer.households = _counts(layer, source.households, faults)
    layer.population = _counts(layer, source.population, faults)
    return layer


def _check_columns(file: AreaFile, source: LevelSource, keys: Sequence[str]) -> None:
    present = [str(name) for name in file.frame.columns.drop("geometry")]
    for key in keys:
        wanted = getattr(source, key)
        if wanted is not None and wanted not in present:
            raise InvalidInput(
                "unknown_column",
                f"{file.name} has no column {wanted!r} (levels.{source.level}.{key}); "
                f"it has {', '.join(present)}",
                field=f"levels.{source.level}.{key}",
                got=wanted,
                wanted=present,
            )


def _join(source: LevelSource, below: _Layer, faults: list[Fault]) -> _Layer:
    """Make the areas of a level by joining those of the level below."""
    if source.code is not None and source.code not in below.rows:
        raise InvalidInput(
            "unknown_column",
            f"there is no column {source.code!r} at level {below.level} to join level {source.level} by",
            field=f"levels.{source.level}.code",
            got=source.code,
            wanted=[str(name) for name in below.rows.columns],
        )
    length = CODE_LENGTH[source.level]
    ours = [code[:length] if code and follows(code, below.level) else None for code in below.given]
    keys = ours if source.code is None else _texts(below.rows, source.code)
    members: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        if key is not None:
            members.setdefault(key, []).append(row)
    place = {key: number for number, key in enumerate(members)}
    below.parent = [None if key is None else place[key] for key in keys]
    below.stated = list(keys)
    first = [rows[0] for rows in members.values()]
    layer = _Layer(
        source=source,
        rows=below.rows.iloc[first].reset_index(drop=True),
        shapes=np.full(len(members), None, dtype=object),
        given=list(members),
        problems={},
        names=[None] * len(members),
        households=[_total(below.households, rows) for rows in members.values()],
        population=[_total(below.population, rows) for rows in members.values()],
        size_reasons=[None] * len(members),
    )
    named = _texts(below.rows, source.name if source.name in below.rows else None)
    for number, (key, rows) in enumerate(members.items()):
        names = sorted({name for row in rows if (name := named[row]) is not None})
        layer.names[number] = names[0] if names else None
        if len(names) > 1:
            words = f"{key} ({source.level}) has several names: {', '.join(names[:4])}; the first is taken"
            faults.append(_fault(FaultKind.WRONG_VALUE, key, words, severity=Severity.WARNING))
        shapes = below.shapes[rows]
        solid = shapes[~shapely.is_missing(shapes) & shapely.is_valid(shapes)]
        if len(solid):
            layer.shapes[number] = _union(solid)
        else:
            layer.problems[number] = (FaultKind.EMPTY_GEOMETRY, "none of its areas has a valid shape")
    return layer


def _union(shapes: NDArray[np.object_]) -> MultiPolygon:
    exact = shapely.coverage_is_valid(shapes)
    return polygonal(shapely.coverage_union_all(shapes) if exact else shapely.union_all(shapes))


def _total(counts: Sequence[int | None], rows: Sequence[int]) -> int | None:
    known = [count for row in rows if (count := counts[row]) is not None]
    return sum(known) if len(known) == len(rows) else None


def _link(layers: Sequence[_Layer]) -> None:
    """Find for each area the one above it; `stated` keeps what the file says."""
    if layers:
        layers[0].parent = [None] * len(layers[0].given)
    for upper, lower in pairwise(layers):
        if upper.source.dissolve:
            continue  # the joining has linked them
        row_of: dict[str, int] = {}
        for row, code in enumerate(upper.given):
            if code is not None:
                row_of.setdefault(code, row)
        if lower.source.parent is not None:
            lower.stated = _texts(lower.rows, lower.source.parent)
            lower.parent = [row_of.get(code or "") for code in lower.stated]
        elif lower.source.parent_by == "place":
            lower.parent = _by_place(upper.shapes, lower.shapes)
        else:
            lower.stated = [_longest_start(code or "", row_of) for code in lower.given]
            lower.parent = [row_of.get(code or "") for code in lower.stated]


def _longest_start(code: str, known: Mapping[str, int]) -> str | None:
    return next((code[:end] for end in range(len(code) - 1, 0, -1) if code[:end] in known), None)


def _by_place(above: NDArray[np.object_], shapes: NDArray[np.object_]) -> list[int | None]:
    """Return the area above that holds a point inside each shape, the first where several do."""
    inside = shapely.centroid(shapes)  # of a shape that is not valid, its middle has to do
    solid = ~shapely.is_missing(shapes) & shapely.is_valid(shapes)
    inside[solid] = shapely.point_on_surface(shapes[solid])
    rows, holders = shapely.STRtree(above).query(inside, predicate="intersects")
    found: list[int | None] = [None] * len(shapes)
    for row, holder in sorted(zip(rows.tolist(), holders.tolist(), strict=True), reverse=True):
        found[row] = holder
    return found


def _give_codes(layers: Sequence[_Layer], prefix: str | None, faults: list[Fault]) -> None:
    """Keep the codes of a level that are ours, or number its areas inside each parent.

    A level keeps its codes when the level above did and at least half of them are written as ours: the others
    are then faults. Districts keep theirs unless a prefix is given.
    """
    for upper, layer in zip([None, *layers], layers, strict=False):
        ours = sum(code is not None and follows(code, layer.level) for code in layer.given)
        layer.kept = (prefix is None if upper is None else upper.kept) and 2 * ours >= len(layer.given)
        if layer.kept:
            layer.codes = list(layer.given)
            for row, code in enumerate(layer.codes):
                if code is None:
                    words = f"{layer.label(row)} is left out: it has no code"
                    faults.append(_fault(FaultKind.WRONG_CODE, layer.label(row), words, layer.shapes[row]))
        elif upper is None and prefix is None:
            raise InvalidInput(
                "prefix_needed",
                f"the district codes of the file, such as {layer.given[0]!r}, are not six digits: give four in "
                "codes.prefix of the mapping for new ones to start with",
                field="codes.prefix",
                got=layer.given[0],
            )
        else:
            _number(layer, upper, prefix or "", faults)


def _number(layer: _Layer, upper: _Layer | None, prefix: str, faults: list[Fault]) -> None:
    middles = shapely.centroid(layer.shapes)
    lon, lat = shapely.get_x(middles), shapely.get_y(middles)
    known = lat[np.isfinite(lat)]
    squeeze = math.cos(math.radians(float(known.mean()))) if len(known) else 1.0  # as long as a degree north
    points = list(zip((lon * squeeze).tolist(), lat.tolist(), strict=True))
    layer.codes = [None] * len(points)
    rows_of: dict[str, list[int]] = {}
    for row, parent in enumerate(layer.parent):
        above: str | None = prefix
        if upper is not None:
            above = None if parent is None else upper.codes[parent]
        if above is not None:
            rows_of.setdefault(above, []).append(row)
            continue
        stated = layer.stated[row] if layer.stated else None
        where = f"{stated}, but there is no such area" if stated else "an area above it, but no such is found"
        words = f"{layer.label(row)} ({layer.level}) is left out: it should lie in {where}"
        faults.append(_fault(FaultKind.NOT_CHILD_OF_PARENT, layer.label(row), words, layer.shapes[row]))
    for above, rows in rows_of.items():
        codes = number_children(above, layer.level, [points[row] for row in rows])
        for row, code in zip(rows, codes, strict=True):
            layer.codes[row] = code
    for given, times in Counter(layer.given).items():
        if times > 1:
            words = f"{times} areas of level {layer.level} have the source code {given}"
            faults.append(_fault(FaultKind.DUPLICATE_CODE, given or "", words))


def _assemble(layers: Sequence[_Layer]) -> tuple[gpd.GeoDataFrame, dict[int, tuple[FaultKind, str]]]:
    entries: list[dict[str, Any]] = []
    shapes: list[BaseGeometry | None] = []
    problems: list[tuple[FaultKind, str] | None] = []
    for upper, layer in zip([None, *layers], layers, strict=False):
        above = parent_level(layer.level)
        for row, code in enumerate(layer.codes):
            if code is None:
                continue
            given, parent = layer.given[row], layer.parent[row]
            parent_code = None if parent is None or upper is None else upper.codes[parent]
            if parent_code is None and above is not None:
                stated = layer.stated[row] if layer.stated else None
                parent_code = stated or code[: CODE_LENGTH[above]]
            entries.append(
                {
                    "code": code,
                    "level": layer.level.value,
                    "name": layer.names[row] or given or code,
                    "parent_code": parent_code,
                    "source_code": layer.older[row] if layer.older else None if given == code else given,
                    "households": layer.households[row],
                    "population": layer.population[row],
                    "size_reason": layer.size_reasons[row],
                    "derived": layer.source.dissolve,
                }
            )
            shapes.append(layer.shapes[row])
            problems.append(layer.problems.get(row))
    order = sorted(range(len(entries)), key=lambda row: entries[row]["code"])
    frame = gpd.GeoDataFrame(
        pd.DataFrame([entries[row] for row in order]),
        geometry=[shapes[row] for row in order],
        crs=f"EPSG:{STORAGE_SRID}",
    ).astype({"households": "Int64", "population": "Int64"})
    # None, not NaN: the database takes these as they are
    for column in ("parent_code", "source_code", "size_reason"):
        frame[column] = pd.Series([entries[row][column] for row in order], index=frame.index, dtype=object)
    found = {new: problem for new, old in enumerate(order) if (problem := problems[old]) is not None}
    return frame, found


def _counts(layer: _Layer, column: str | None, faults: list[Fault]) -> list[int | None]:
    """Return a column of whole numbers, None where there is none or, with a fault, none that can be read."""
    counts: list[int | None] = []
    for row, text in enumerate(_texts(layer.rows, column)):
        good = text is None or (text.isascii() and text.isdigit() and len(text) < 10)
        counts.append(int(text) if text is not None and good else None)
        if not good:
            words = f"{layer.label(row)}: {column} must be a whole number, but is {text!r}"
            faults.append(_fault(FaultKind.WRONG_VALUE, layer.label(row), words, layer.shapes[row]))
    return counts


def _texts(rows: pd.DataFrame, column: str | None) -> list[str | None]:
    return [None] * len(rows) if column is None else [_text(value) for value in rows[column]]


def _text(value: object) -> str | None:
    """Return an attribute as text: whole numbers without the ".0" that a column with gaps gives them."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() or None


def _fault(
    kind: FaultKind,
    code: str,
    words: str,
    shape: BaseGeometry | None = None,
    severity: Severity = Severity.ERROR,
) -> Fault:
    middle = None if shape is None else shape.centroid
    if middle is None or middle.is_empty:
        return Fault(kind, (code,), words, severity)
    return Fault(kind, (code,), words, severity, lon=round(middle.x, 7), lat=round(middle.y, 7))
