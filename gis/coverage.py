"""The topology gate: do areas tile the ground, level by level, as a grid must?

Neighbours share edges and never overlap, children fill their parent and stay in it. The gate lists every
defect with its size and place; it repairs nothing. What counts as noise of drawing is stated in `Tolerance` and
repeated in the report.

How a defect is counted once: an invalid shape is listed and then left out, and no gap is reported where it
lies, nor above it where a level is joined from it; ground that the cells of another parent cover is that cell's
leaving of its parent, no gap; a strip along the border of a parent no wider than the allowance for edges is
neither a gap nor a child outside, and only when such strips come to more than the allowed share is the parent
called not covered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from gis.faults import CoverageReport, Fault, FaultKind, Severity
from gis.geometry import polygonal, reach, ring_faults
from gis.plane import Plane, plane_of

__all__ = ["Tolerance", "check_coverage"]

Geometries = NDArray[np.object_]
Rows = NDArray[np.intp]

# Where no parent says what should be covered: open slits narrower than this are gaps, wider ones may be water
# or a road between districts; a closed hole narrower than _ENCLAVE_M on average is a gap, a wider one perhaps
# an enclave, for a person to judge.
_SLIT_M = 1.0
_ENCLAVE_M = 10.0

_NEIGHBOURS_SHOWN = 4


@dataclass(frozen=True)
class Tolerance:
    """What counts as noise of drawing.

    overlap_m2, gap_m2 : an overlap or gap up to this size is ignored.
    edge_m : how far the border of a parent and the outer border of its children may lie apart.
    covered_percent : how much of a parent its children must cover, strips along its border included.
    """

    overlap_m2: float = 1.0
    gap_m2: float = 1.0
    edge_m: float = 1.0
    covered_percent: float = 99.5


@dataclass(frozen=True)
class _Sheet:
    """The areas laid out in metres, one entry a row; `usable` are those whose shape can be laid over others.

    hidden : further areas of the file that have no row.
    """

    plane: Plane
    tolerance: Tolerance
    shapes: Geometries
    usable: NDArray[np.bool_]
    codes: list[str]
    labels: list[str]
    levels: list[str]
    parents: list[str | None]
    derived: NDArray[np.bool_]
    hidden: Geometries

    def fault(
        self,
        kind: FaultKind,
        rows: list[int],
        message: str,
        shape: BaseGeometry | None = None,
        severity: Severity = Severity.ERROR,
    ) -> Fault:
        """Return a fault of the areas in `rows`, measured and placed where it has a shape.

        Without one it is placed in the last area: of two with one code, that is the one that came second.
        """
        codes, level = tuple(dict.fromkeys(self.codes[row] for row in rows)), self.levels[rows[0]]
        if shape is None:
            at = self.plane.spot(self.shapes[rows[-1]])
            return Fault(kind, codes, message, severity, level, None, *(at or (None, None)))
        lon, lat = self.plane.place(shape)
        area = self.plane.area_m2(shape)
        return Fault(kind, codes, message, severity, level, area, lon, lat, self.plane.degrees(shape))

    def size(self, shape: BaseGeometry) -> str:
        """Return the size of a shape as people read it."""
        return f"{self.plane.area_m2(shape):,.1f} m2"


def check_coverage(
    areas: gpd.GeoDataFrame,
    *,
    tolerance: Tolerance = Tolerance(),
    problems: Mapping[int, tuple[FaultKind, str]] | None = None,
    hidden: Iterable[BaseGeometry] = (),
) -> CoverageReport:
    """Look for everything that keeps areas from being a grid, and list it.

    areas : polygons in any coordinate system that is stated. Columns, all optional but the geometry:
        `code` (else the index), `level` (areas of one level must not overlap; else all are of one level),
        `parent_code` (the code of the area of the level above that must hold this one; missing at the top),
        `source_code` (shown beside the code), `derived` (True for a parent made by joining its children:
        it proves nothing about them, so they are looked at as if they had none).
    problems : by position, why an area has no shape, when the reader of the file knows.
    hidden : areas of the file that could not become rows, in the same coordinates: no gap is seen where they lie.
    Returns the report: errors first, then by kind and code. 5,000 areas take seconds.
    Raises `UnknownFrame` when the coordinate system is missing.
    """
    sheet = _lay_out(areas, tolerance, list(hidden))
    faults = [*_nameless(sheet), *_shapeless(sheet, dict(problems or {})), *_invalid(sheet, areas)]
    notes: list[str] = []
    rows_of = {level: _rows(sheet, level) for level in dict.fromkeys(sheet.levels)}
    row_of = _row_of(sheet)
    children = _children(sheet, row_of)
    for level, rows in rows_of.items():
        solid = rows[sheet.usable[rows]]
        if not len(solid):
            continue
        clean, overlaps = _overlaps(sheet, solid)
        faults += overlaps
        shadow = _shadow(sheet, rows)
        faults += _nesting(sheet, level, rows, clean, children, shadow, notes)
        faults += _free_gaps(sheet, solid, row_of, shadow)
    faults += _childless(sheet, rows_of, children)
    order = {kind: place for place, kind in enumerate(FaultKind)}
    faults.sort(key=lambda f: (f.severity is Severity.WARNING, order[f.kind], f.codes))
    return CoverageReport(
        counts={level: len(rows) for level, rows in rows_of.items()},
        faults=tuple(faults),
        tolerance=asdict(tolerance),
        notes=tuple(notes),
    )


def _lay_out(areas: gpd.GeoDataFrame, tolerance: Tolerance, hidden: list[BaseGeometry]) -> _Sheet:
    plane = plane_of(areas)
    given = np.asarray(areas.geometry.array, dtype=object)
    shapes = plane.flat(given)
    # a polygon whose edges touch within a rounding error can be valid in degrees and not on the sheet
    usable = shapely.is_valid(given) & shapely.is_valid(shapes) & ~shapely.is_empty(shapes)
    usable &= np.isin(shapely.get_type_id(given), (3, 6))
    codes = _texts(areas, "code") or [str(name) for name in areas.index]
    sources = _texts(areas, "source_code") or [None] * len(areas)
    return _Sheet(
        plane=plane,
        tolerance=tolerance,
        shapes=shapes,
        usable=usable,
        codes=[code or "?" for code in codes],
        labels=[
            code or "?" if source in (None, "", code) else f"{code} ({source})"
            for code, source in zip(codes, sources, strict=True)
        ],
        levels=[level or "area" for level in _texts(areas, "level") or ["area"] * len(areas)],
        parents=[parent or None for parent in _texts(areas, "parent_code") or [None] * len(areas)],
        derived=np.asarray(areas["derived"], dtype=bool)
        if "derived" in areas
        else np.zeros(len(areas), bool),
        hidden=plane.flat(np.array(hidden, dtype=object)),
    )


def _texts(areas: gpd.GeoDataFrame, column: str) -> list[str | None] | None:
    if column not in areas:
        return None
    return [None if pd.isna(value) else str(value) for value in areas[column]]


def _rows(sheet: _Sheet, level: str) -> Rows:
    return np.flatnonzero(np.array(sheet.levels) == level)


def _row_of(sheet: _Sheet) -> dict[str | None, int]:
    """Return the row of each code, the first of several."""
    row_of: dict[str | None, int] = {}
    for row, code in enumerate(sheet.codes):
        row_of.setdefault(code, row)
    return row_of


def _children(sheet: _Sheet, row_of: Mapping[str | None, int]) -> dict[int, Rows]:
    """Return the rows of the children of each row that has some."""
    parent_rows = [
        (row_of[p], row) for row, p in enumerate(sheet.parents) if p in row_of and row_of[p] != row
    ]
    grouped = groupby(sorted(parent_rows), key=lambda pair: pair[0])
    return {parent: np.array([row for _, row in pairs], dtype=np.intp) for parent, pairs in grouped}


def _nameless(sheet: _Sheet) -> Iterator[Fault]:
    """Find codes that several areas have, and parents that nobody has."""
    rows_of: dict[str, list[int]] = {}
    orphans: dict[str, list[int]] = {}
    for row, code in enumerate(sheet.codes):
        rows_of.setdefault(code, []).append(row)
    for row, parent in enumerate(sheet.parents):
        if parent is not None and (parent not in rows_of or parent == sheet.codes[row]):
            orphans.setdefault(parent, []).append(row)
    for code, rows in rows_of.items():
        if len(rows) > 1:
            yield sheet.fault(FaultKind.DUPLICATE_CODE, rows, f"{len(rows)} areas have the code {code}")
    for parent, rows in orphans.items():
        shown = _named(sheet, rows)
        yield sheet.fault(
            FaultKind.NOT_CHILD_OF_PARENT, rows, f"{shown} should lie in {parent}, but there is no such area"
        )


def _shapeless(sheet: _Sheet, problems: dict[int, tuple[FaultKind, str]]) -> Iterator[Fault]:
    types = shapely.get_type_id(sheet.shapes)
    for row, shape in enumerate(sheet.shapes):
        if row in problems:
            kind, words = problems[row]
            yield sheet.fault(kind, [row], f"{sheet.labels[row]}: {words}")
        elif shape is None or shape.is_empty:
            yield sheet.fault(FaultKind.EMPTY_GEOMETRY, [row], f"{sheet.labels[row]} has no shape")
        elif types[row] not in (3, 6):
            words = f"{sheet.labels[row]} is a {shape.geom_type}, not an area"
            yield sheet.fault(FaultKind.WRONG_GEOMETRY_TYPE, [row], words)


def _invalid(sheet: _Sheet, areas: gpd.GeoDataFrame) -> Iterator[Fault]:
    given = np.asarray(areas.geometry.array, dtype=object)
    listed = ring_faults(given)
    drawn = {fault.row for fault in listed}
    touching = [fault for fault in ring_faults(sheet.shapes) if fault.row not in drawn]
    for fault in listed + touching:
        place: Point | None = None
        if fault.x is not None and fault.y is not None:
            spot = Point(fault.x, fault.y)
            place = sheet.plane.degrees(sheet.plane.flat(spot) if fault.row in drawn else spot)
        yield Fault(
            FaultKind.INVALID_RING,
            (sheet.codes[fault.row],),
            f"{sheet.labels[fault.row]} is not a valid area: {fault.reason}"
            + ("" if fault.row in drawn else ", within a rounding error"),
            Severity.ERROR if fault.row in drawn else Severity.WARNING,
            sheet.levels[fault.row],
            lon=None if place is None else round(place.x, 7),
            lat=None if place is None else round(place.y, 7),
            geometry=place,
        )


def _overlaps(sheet: _Sheet, rows: Rows) -> tuple[bool, list[Fault]]:
    """Return whether all edges of the level match exactly, and the pairs that lie over each other."""
    shapes = sheet.shapes[rows]
    suspects = np.flatnonzero(~shapely.is_empty(shapely.coverage_invalid_edges(shapes)))
    if not len(suspects):
        return True, []
    tree = shapely.STRtree(shapes)
    first, second = tree.query(shapes[suspects], predicate="intersects")
    pairs = np.sort(np.column_stack([suspects[first], second]), axis=1)
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    shared = shapely.intersection(shapes[pairs[:, 0]], shapes[pairs[:, 1]])
    faults = []
    for (one, other), common in zip(rows[pairs].tolist(), shared, strict=True):
        if common.area > sheet.tolerance.overlap_m2:
            both = polygonal(common)
            words = f"{sheet.labels[one]} and {sheet.labels[other]} overlap by {sheet.size(both)}"
            faults.append(sheet.fault(FaultKind.OVERLAP, [one, other], words, both))
    return False, faults


def _shadow(sheet: _Sheet, rows: Rows) -> BaseGeometry | None:
    """Return the ground of a level under shapes that cannot be used: nothing is said about gaps there.

    An area that is joined from those below lacks the ground of those that could not be joined.
    """
    lost = ~sheet.usable & ~shapely.is_missing(sheet.shapes)
    if not sheet.derived[rows].any():
        lost &= np.isin(np.arange(len(lost)), rows)
    cast = np.concatenate([sheet.shapes[lost], sheet.hidden[~shapely.is_missing(sheet.hidden)]])
    if not len(cast):
        return None
    sound = shapely.is_valid(cast) & np.isin(shapely.get_type_id(cast), (3, 6))
    # convex hulls are cheap for the worst of shapes
    return polygonal(shapely.union_all(np.where(sound, cast, shapely.convex_hull(cast))))


def _nesting(
    sheet: _Sheet,
    level: str,
    rows: Rows,
    clean: bool,
    children: dict[int, Rows],
    shadow: BaseGeometry | None,
    notes: list[str],
) -> Iterator[Fault]:
    """Hold the children that are of `level` against their parents."""
    solid = rows[sheet.usable[rows]]
    tree = shapely.STRtree(sheet.shapes[solid])
    for parent, all_kids in children.items():
        kids = all_kids[np.isin(all_kids, rows)]
        inside = kids[sheet.usable[kids]]
        if sheet.derived[parent] or not len(inside):
            continue
        if not sheet.usable[parent]:
            notes.append(
                f"What lies in {sheet.labels[parent]} was not held against its shape: it has none valid."
            )
            continue
        outline, shapes = sheet.shapes[parent], sheet.shapes[inside]
        covered = polygonal(shapely.coverage_union_all(shapes) if clean else shapely.union_all(shapes))
        if shapely.equals_exact(outline.normalize(), covered.normalize()):
            continue
        yield from _outside(sheet, parent, inside)
        if 2 * len(kids) < len(all_kids):
            continue  # strays of another level: it is the others that have to fill the parent
        yield from _uncovered(sheet, level, parent, outline.difference(covered), solid, tree, shadow)


def _outside(sheet: _Sheet, parent: int, kids: Rows) -> Iterator[Fault]:
    outline = sheet.shapes[parent]
    grown = outline.buffer(sheet.tolerance.edge_m, join_style="mitre")
    shapely.prepare(grown)
    for row in kids[~shapely.covers(grown, sheet.shapes[kids])]:
        parts = shapely.get_parts(polygonal(sheet.shapes[row].difference(outline)))
        parts = parts[~shapely.covers(grown, parts)]
        out = MultiPolygon(list(parts))
        if out.area > sheet.tolerance.overlap_m2:
            words = (
                f"{sheet.labels[row]} leaves its parent {sheet.labels[parent]} by {sheet.size(out)}, "
                f"up to {reach(out, outline):,.1f} m"
            )
            yield sheet.fault(FaultKind.CHILD_OUTSIDE_PARENT, [row, parent], words, out)


def _uncovered(
    sheet: _Sheet,
    level: str,
    parent: int,
    missing: BaseGeometry,
    solid: Rows,
    tree: shapely.STRtree,
    shadow: BaseGeometry | None,
) -> Iterator[Fault]:
    outline, least = sheet.shapes[parent], sheet.tolerance.gap_m2
    if shadow is not None:
        missing = missing.difference(shadow)
    parts = shapely.get_parts(polygonal(missing))
    small = shapely.area(parts) <= least
    noise = 0.0
    for part in parts[~small]:
        for gap in shapely.get_parts(_bare(sheet, part, solid, tree)):
            if gap.area <= least or _along_border(gap, outline, sheet.tolerance.edge_m, least):
                noise += gap.area
                continue
            beside = solid[tree.query(gap, predicate="dwithin", distance=0.01)].tolist()
            words = (
                f"{sheet.size(gap)} of {sheet.labels[parent]} lie in no {_word(level)}"
                f"{', between ' + _named(sheet, beside) if beside else ''}"
            )
            yield sheet.fault(FaultKind.GAP, [parent, *beside], words, gap)
    allowed = outline.area * (1 - sheet.tolerance.covered_percent / 100)
    crumbs = MultiPolygon(list(parts[small]))  # edges that differ in the last digit leave thousands
    if noise + crumbs.area > allowed:
        noise += _bare(sheet, crumbs, solid, tree).area
    if noise > allowed:
        share = 100 * (1 - noise / outline.area)
        words = (
            f"only {share:.2f} % of {sheet.labels[parent]} is covered by its areas of level {_word(level)}"
        )
        yield sheet.fault(FaultKind.PARENT_NOT_COVERED, [parent], words, polygonal(missing))


def _bare(sheet: _Sheet, part: BaseGeometry, solid: Rows, tree: shapely.STRtree) -> MultiPolygon:
    """Return the ground of a part that no area of the level covers, whosever child it may be."""
    near = solid[tree.query(part, predicate="intersects")]
    return polygonal(part.difference(shapely.union_all(sheet.shapes[near])))


def _along_border(gap: BaseGeometry, outline: BaseGeometry, width: float, least: float) -> bool:
    """Tell whether a gap is no more than a strip along the border, as wide as edges may lie apart.

    Where the border turns a sharp corner, a strip is a little wider; less than the size of a gap does not count.
    """
    close = outline.boundary.intersection(shapely.box(*gap.buffer(2 * width).bounds))
    return bool(gap.difference(close.buffer(width)).area <= least)


def _childless(sheet: _Sheet, rows_of: dict[str, Rows], children: dict[int, Rows]) -> Iterator[Fault]:
    """Find areas without children where others of their level have some."""
    for level, rows in rows_of.items():
        bare = [row for row in rows.tolist() if row not in children]
        if len(bare) < len(rows):
            for row in bare:
                words = f"{sheet.labels[row]} is divided no further, unlike others of level {_word(level)}"
                shape = polygonal(sheet.shapes[row]) if sheet.usable[row] else None
                yield sheet.fault(FaultKind.PARENT_NOT_COVERED, [row], words, shape)


def _free_gaps(
    sheet: _Sheet, rows: Rows, row_of: Mapping[str | None, int], shadow: BaseGeometry | None
) -> Iterator[Fault]:
    """Find gaps among areas that no drawn parent holds together: closed holes, and open slits."""
    parents = [row_of.get(sheet.parents[row] or "") for row in rows]
    free = rows[[parent is None or bool(sheet.derived[parent]) for parent in parents]]
    if not len(free):
        return
    shapes = sheet.shapes[free]
    tree = shapely.STRtree(shapes)
    outlines = shapely.get_parts(polygonal(shapely.union_all(shapes)))
    holes = [Polygon(ring) for outline in outlines for ring in outline.interiors]
    for hole in holes:
        if hole.area <= sheet.tolerance.gap_m2:
            continue
        islands = shapes[tree.query(hole, predicate="contains")]
        bare = hole.difference(shapely.union_all(islands))
        yield from _hole(sheet, free, tree, polygonal(bare if shadow is None else bare.difference(shadow)))
    yield from _slits(sheet, free, tree, shapely.STRtree(holes))


def _hole(sheet: _Sheet, free: Rows, tree: shapely.STRtree, hole: MultiPolygon) -> Iterator[Fault]:
    beside = free[tree.query(hole, predicate="dwithin", distance=0.01)].tolist()
    if hole.area <= sheet.tolerance.gap_m2 or len(beside) < 2:
        return  # noise, or a hole that was drawn into one area on purpose
    narrow = 2 * hole.area / hole.length < _ENCLAVE_M
    words = f"{sheet.size(hole)} between {_named(sheet, beside)} lie in no {_word(sheet.levels[beside[0]])}"
    if not narrow:
        words += ": an enclave, or an area is missing"
    yield sheet.fault(FaultKind.GAP, beside, words, hole, Severity.ERROR if narrow else Severity.WARNING)


def _slits(sheet: _Sheet, free: Rows, tree: shapely.STRtree, holes: shapely.STRtree) -> Iterator[Fault]:
    """Find open gaps along which two areas run at less than _SLIT_M from each other."""
    shapes, least = sheet.shapes[free], sheet.tolerance.gap_m2
    edges = shapely.coverage_invalid_edges(shapes, gap_width=_SLIT_M)
    suspects = np.flatnonzero(~shapely.is_empty(edges))
    # flat ends, or every end of an edge would look like a slit of its own
    near = shapely.buffer(edges[suspects], _SLIT_M, quad_segs=2, cap_style="flat")
    first, second = shapely.STRtree(near).query(near, predicate="intersects")
    first, second = first[first < second], second[first < second]
    # of areas that lie over each other the outer edges run together, with nothing between them
    apart = shapely.area(shapely.intersection(shapes[suspects[first]], shapes[suspects[second]])) <= least
    first, second = first[apart], second[apart]
    strips = shapely.intersection(near[first], near[second])
    strips = shapely.difference(strips, shapes[suspects[first]])
    strips = shapely.difference(strips, shapes[suspects[second]])
    for row in np.flatnonzero(shapely.area(strips) > least).tolist():
        pair = (int(suspects[first[row]]), int(suspects[second[row]]))
        bare = strips[row]
        for other in np.setdiff1d(tree.query(bare, predicate="intersects"), pair):
            bare = bare.difference(shapes[other])
        parts = shapely.get_parts(polygonal(bare))
        # closed holes were found before, with their true size
        closed = holes.query(shapely.point_on_surface(parts), predicate="intersects")[0]
        parts = np.delete(parts, closed)
        slit = MultiPolygon(list(parts[shapely.area(parts) > least]))
        if not slit.is_empty:
            beside = free[list(pair)].tolist()
            words = f"a slit of about {sheet.size(slit)} lies open between {_named(sheet, beside)}"
            yield sheet.fault(FaultKind.GAP, beside, words, slit)


def _named(sheet: _Sheet, rows: list[int]) -> str:
    names = [sheet.labels[row] for row in rows]
    more = len(names) - _NEIGHBOURS_SHOWN
    if more > 0:
        names = [*names[:_NEIGHBOURS_SHOWN], f"{more} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _word(level: str) -> str:
    return level.replace("_", " ")
