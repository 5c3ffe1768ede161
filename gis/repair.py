"""Repairs that somebody asks for: slivers closed, areas clipped to their parents, gaps given to a neighbour.

Each repair answers one fault of `gis.coverage`, and only when the fault is no larger than was wished for. It
moves one shared edge: the edge of one area is put where its neighbour's is, vertex by vertex, so that what fitted
together before fits together afterwards; nothing else moves. A border that a repair has moved may leave the areas
below it in fault, so the gate looks again after each round, until there is nothing left to do.

An invalid ring is never repaired: a mended border is a border that nobody drew.

Source of the rules, of which there are three in any such program: Arroyo Ohori, Ledoux & Meijers (2012),
"Validation and automatic repair of planar partitions using a constrained triangulation", PFG 2012(5), 613-630.
Ours differ in who gets the ground: the area whose parent holds it, then the lower code, as for a point on an edge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from shapely.geometry import MultiPolygon
from shapely.geometry.base import BaseGeometry

from gis.coverage import Tolerance, check_coverage
from gis.edges import Edge, edges_of, shaped, turned, with_vertices
from gis.errors import InvalidGeometry, UnknownFrame
from gis.faults import CoverageReport, Fault, FaultKind, Repair
from gis.geometry import polygonal, reach, widest
from gis.plane import Plane, areas_m2, plane_of

__all__ = ["Wishes", "repair"]

Floats = NDArray[np.float64]

_ORDER = (FaultKind.CHILD_OUTSIDE_PARENT, FaultKind.OVERLAP, FaultKind.GAP)
_MOST_ROUNDS = 30  # a border moved at the top needs one for each level below, and some to settle
_EXACT = 1e-9  # degrees, a tenth of a millimetre: two computed places nearer than this are one
_TOUCH_M = 0.01
_SIDE = (
    0.35  # of the border of a sliver, that the area which takes it has to have: about one of its two sides
)
_KEPT_SHARE = 0.5  # of an area that has to be left
_MOST_ABOVE = 10  # of areas that lie in each other, or a ring of parents would have no end


@dataclass(frozen=True)
class Wishes:
    """Which repairs are wished for, and up to what size; 0 wishes for none of the kind.

    sliver_m : an overlap or a gap that is nowhere wider than this is closed.
    clip_m : an area that leaves its parent by no more than this is cut off at the parent's border.
    gap_m2 : a wider gap of up to this size goes whole to the neighbour with the longest edge along it.
    """

    sliver_m: float = 2.0
    clip_m: float = 2.0
    gap_m2: float = 0.0


def repair(
    areas: gpd.GeoDataFrame,
    tolerance: Tolerance = Tolerance(),
    wishes: Wishes = Wishes(),
    *,
    problems: Mapping[int, tuple[FaultKind, str]] | None = None,
    hidden: Iterable[BaseGeometry] = (),
    keep: Callable[[Fault], bool] = lambda _fault: False,
) -> tuple[gpd.GeoDataFrame, list[Repair]]:
    """Do what is wished for about the faults of areas; return the areas as they are then, and what was done.

    areas, tolerance, problems, hidden : as `check_coverage`, but in degrees; the areas given are not changed.
    keep : tells of a fault whether somebody has accepted it, so that it stays.
    Returns (areas, repairs): the same rows in the same order; a row that no repair touched has the very same
    shape. Repairs are listed as they were made, then the faults that were left, each with the reason.
    A second run on what the first returned changes nothing. Whether the areas are sound now, only
    `check_coverage` can tell.
    Raises `UnknownFrame` ("repair_needs_degrees") for a projected coordinate system.
    """
    plane = plane_of(areas)
    if plane.source is not None:
        raise UnknownFrame(
            "repair_needs_degrees", "areas are repaired in degrees", field="crs", got=str(areas.crs)
        )
    work = _Work(areas, plane, tolerance, wishes)
    hidden = list(hidden)
    for _ in range(_MOST_ROUNDS):
        report = check_coverage(work.frame(), tolerance=tolerance, problems=problems, hidden=hidden)
        if not work.round(report, keep):
            break
    return work.frame(), [*work.done, *work.left]


class _Work:
    """The areas while they are repaired, in degrees; what was done; and what was left in the last round."""

    def __init__(self, areas: gpd.GeoDataFrame, plane: Plane, tolerance: Tolerance, wishes: Wishes) -> None:
        self.areas, self.plane, self.tolerance, self.wishes = areas, plane, tolerance, wishes
        self.shapes = np.asarray(areas.geometry.array, dtype=object).copy()
        self.boxes = shapely.bounds(self.shapes)
        self.codes = [str(code) for code in areas.get("code", areas.index)]
        rows: dict[str, list[int]] = {}
        for row, code in enumerate(self.codes):
            rows.setdefault(code, []).append(row)
        self.rows = rows
        stated = areas["parent_code"] if "parent_code" in areas else [None] * len(areas)
        self.parents = [rows[one][0] if isinstance(one, str) and one in rows else None for one in stated]
        self.derived = (
            np.asarray(areas["derived"], dtype=bool) if "derived" in areas else np.zeros(len(areas), bool)
        )
        self.done: list[Repair] = []
        self.left: list[Repair] = []
        self.changed: set[int] = set()

    def frame(self) -> gpd.GeoDataFrame:
        """Return the areas as they are now."""
        geometry = gpd.GeoSeries(self.shapes, index=self.areas.index, crs=self.areas.crs)
        return self.areas.set_geometry(geometry)

    def round(self, report: CoverageReport, keep: Callable[[Fault], bool]) -> bool:
        """Answer the faults of a report, those of the upper levels first; return whether an area changed."""
        self.left, self.changed = [], set()
        mine = [fault for fault in report.errors if fault.kind in _ORDER and not keep(fault)]
        for fault in sorted(mine, key=lambda one: (self._depth(one), _ORDER.index(one.kind), one.codes)):
            answer = self._answer(fault)
            if answer is not None:
                (self.done if answer.done else self.left).append(answer)
        self._rejoin()
        return bool(self.changed)

    def _depth(self, fault: Fault) -> int:
        """Return how many areas lie above those of a fault; a gap is counted with what should fill it."""
        return self._above(self.rows[fault.codes[0]][0]) + (fault.kind is FaultKind.GAP)

    def _above(self, row: int) -> int:
        above, parent = 0, self.parents[row]
        while parent is not None and above < _MOST_ABOVE:
            above, parent = above + 1, self.parents[parent]
        return above

    def _answer(self, fault: Fault) -> Repair | None:
        """Do what is wished for about a fault; None when an earlier repair has changed it."""
        if any(len(self.rows[code]) > 1 for code in fault.codes):
            return Repair(fault, "several areas have one of these codes, which has to be mended first")
        rows = [self.rows[code][0] for code in fault.codes]
        if fault.kind is FaultKind.OVERLAP:
            return self._overlap(fault, rows[0], rows[1])
        if fault.kind is FaultKind.CHILD_OUTSIDE_PARENT:
            return self._outside(fault, rows[0], rows[1])
        return self._gap(fault, rows)

    def _overlap(self, fault: Fault, one: int, other: int) -> Repair | None:
        if not self.wishes.sliver_m:
            return Repair(fault, "slivers are not to be closed")
        common = shapely.intersection(self.shapes[one], self.shapes[other])
        if not common.is_empty:
            common = polygonal(shapely.intersection(*self._matched(one, other, common)))
        flat = self.plane.flat(common)
        if flat.area <= self.tolerance.overlap_m2:
            return None
        width = widest(flat)
        if width > self.wishes.sliver_m:
            return Repair(
                fault, f"{_names(fault)} overlap {width:,.1f} m wide, more than {self.wishes.sliver_m:g} m"
            )
        keeper, loser = self._owner(common, one, other)
        words = f"what {_names(fault)} both had is {self.codes[keeper]}'s now"
        return self._put(fault, loser, common, words, take=False)

    def _owner(self, ground: BaseGeometry, one: int, other: int) -> tuple[int, int]:
        """Return which of two areas keeps the ground that both have, and which gives it up."""
        above = [self.parents[row] for row in (one, other)]
        if above[0] != above[1]:
            held = [0.0 if p is None else shapely.intersection(ground, self._solid(p)).area for p in above]
            if held[0] != held[1]:
                return (one, other) if held[0] > held[1] else (other, one)
        return (one, other) if self.codes[one] < self.codes[other] else (other, one)

    def _solid(self, row: int) -> BaseGeometry:
        shape = self.shapes[row]
        return shape if shape is not None and shape.is_valid else MultiPolygon()

    def _outside(self, fault: Fault, child: int, parent: int) -> Repair | None:
        if not self.wishes.clip_m:
            return Repair(fault, "areas are not to be clipped to their parents")
        outline = self.plane.flat(self.shapes[parent])
        over = shapely.difference(self.shapes[child], self.shapes[parent])
        if over.is_empty:
            return None
        whole, holder = self._matched(child, parent, over)
        parts = shapely.get_parts(polygonal(shapely.difference(whole, holder)))
        far = np.array([reach(self.plane.flat(part), outline) for part in parts])
        parts, far = parts[far > self.tolerance.edge_m], far[far > self.tolerance.edge_m]
        if not len(parts):
            return None
        if far.max() > self.wishes.clip_m:
            words = f"{self.codes[child]} leaves {self.codes[parent]} by {far.max():,.1f} m"
            return Repair(fault, f"{words}, more than {self.wishes.clip_m:g} m")
        out = MultiPolygon(list(parts))
        words = f"{self.codes[child]} ends at the border of {self.codes[parent]} now"
        return self._put(fault, child, out, words, take=False)

    def _gap(self, fault: Fault, rows: list[int]) -> Repair | None:
        if fault.geometry is None:
            return None
        ground = self._as_drawn(fault.geometry, rows)
        fresh = sorted(self.changed.intersection(rows))
        if fresh and (ground is None or self._meets(ground, fresh)):
            return None  # a repair of this round has filled it or cut it: the next round sees
        flat = self.plane.flat(fault.geometry)
        width, size = widest(flat), fault.area_m2 or 0.0
        if width > self.wishes.sliver_m and size > self.wishes.gap_m2:
            most = f"{self.wishes.sliver_m:g} m or {self.wishes.gap_m2:,.0f} m2"
            return Repair(fault, f"the gap is {width:,.1f} m wide and has {size:,.1f} m2, more than {most}")
        # told of a parent, a gap is for its children; else for any that lie round it
        takers = [row for row in rows if self.parents[row] == rows[0]] if rows[0] in self.parents else rows
        shared = {row: self._edge_along(row, flat) for row in takers}
        taker = max(takers, key=lambda row: (round(shared[row], 2), _reversed(self.codes[row])), default=None)
        if taker is None or shared[taker] <= _TOUCH_M:
            return Repair(fault, "no area that could take it runs along the gap")
        if size > self.wishes.gap_m2 and shared[taker] < _SIDE * flat.length:
            return Repair(fault, "the gap runs between more areas than one of them could take")
        if ground is None:
            return Repair(fault, "where the gap ends cannot be told from the edges round it")
        words = f"{self.codes[taker]}, which runs along it for {shared[taker]:,.1f} m, has the gap now"
        return self._put(fault, taker, ground, words, take=True)

    def _meets(self, ground: BaseGeometry, rows: list[int]) -> bool:
        """Tell whether some ground lies under one of these areas, by more than rounding."""
        common = self.plane.flat(shapely.intersection(self.shapes[rows], ground))
        return bool((shapely.area(common) > self.tolerance.gap_m2 / 1000).any())

    def _edge_along(self, row: int, flat: BaseGeometry) -> float:
        """Return how many metres of the border of a gap lie along an area."""
        beside = self.plane.flat(self.shapes[row]).intersection(flat.buffer(1.0))
        return float(shapely.length(shapely.intersection(flat.boundary, beside.buffer(_TOUCH_M))))

    def _as_drawn(self, ground: BaseGeometry, rows: list[int]) -> MultiPolygon | None:
        """Return ground that the gate computed with the vertices of the areas round it, to the last digit.

        None when its border is not made of the edges of those areas, as of a slit that ends in the open.
        """
        around = [self.shapes[row] for row in rows]
        found = _snapped(ground, shapely.get_coordinates(around))
        edges = shapely.union_all([shape.boundary for shape in around])
        spots = shapely.points(shapely.get_coordinates(found))
        if not found.is_valid or (shapely.distance(spots, edges) > _EXACT).any():
            return None
        return _multi(found)

    def _matched(self, one: int, other: int, ground: BaseGeometry) -> tuple[MultiPolygon, MultiPolygon]:
        """Return two areas with each other's vertices round some ground: edges that lie on each other are one then.

        Otherwise an overlay leaves spikes as thin as a rounding error.
        """
        pair = _multi(self.shapes[one]), _multi(self.shapes[other])
        places = [_inside(shapely.get_coordinates(shape), ground) for shape in pair]
        return (
            with_vertices(pair[0], places[1], near=_EXACT),
            with_vertices(pair[1], places[0], near=_EXACT),
        )

    def _put(self, fault: Fault, row: int, ground: MultiPolygon, words: str, *, take: bool) -> Repair:
        """Let an area take ground or give it up; its new vertices go to all areas that have an edge there."""
        if self.derived[row]:
            return Repair(
                fault, f"{self.codes[row]} is joined from the areas below it: there this has to be mended"
            )
        near = self._near(ground, row)
        ground = _multi(_snapped(ground, shapely.get_coordinates([self.shapes[one] for one in (*near, row)])))
        try:
            shape = _moved(_multi(self.shapes[row]), ground, take=take)
        except InvalidGeometry:
            return Repair(fault, f"the edges of {self.codes[row]} do not fit those of the ground in question")
        before, after = self._size(self.shapes[row]), self._size(shape)
        if shape.is_empty or after < _KEPT_SHARE * before:
            return Repair(
                fault, f"too little of {self.codes[row]} would be left: {after:,.1f} of {before:,.1f} m2"
            )
        ends = _inside(shapely.get_coordinates(shape), ground)
        matched = {one: with_vertices(_multi(self.shapes[one]), ends, near=_EXACT) for one in near}
        if not all(one.is_valid for one in matched.values()):
            return Repair(
                fault, "an area beside would become invalid by the vertex where the new edge begins"
            )
        self._set(row, shape)
        for one, other in matched.items():
            if shapely.get_num_coordinates(other) != shapely.get_num_coordinates(self.shapes[one]):
                self._set(one, other)
        self.changed.add(row)
        return Repair(fault, words, {self.codes[row]: (before, after)})

    def _near(self, ground: BaseGeometry, besides: int) -> list[int]:
        """Return the sound areas of all levels, without one, that may have an edge round some ground."""
        west, south, east, north = ground.bounds
        boxes, margin = self.boxes, 2 * _EXACT
        meets = (boxes[:, 0] <= east + margin) & (boxes[:, 2] >= west - margin)
        meets &= (boxes[:, 1] <= north + margin) & (boxes[:, 3] >= south - margin)
        rows = np.flatnonzero(meets)
        rows = rows[
            shapely.is_valid(self.shapes[rows]) & np.isin(shapely.get_type_id(self.shapes[rows]), (3, 6))
        ]
        return [int(row) for row in rows if row != besides]

    def _set(self, row: int, shape: MultiPolygon) -> None:
        single = isinstance(self.areas.geometry.iloc[row], shapely.Polygon) and len(shape.geoms) == 1
        self.shapes[row] = shape.geoms[0] if single else shape
        self.boxes[row] = shape.bounds

    def _size(self, shape: BaseGeometry) -> float:
        return float(areas_m2(gpd.GeoDataFrame(geometry=[shape], crs=self.areas.crs))[0])

    def _rejoin(self) -> None:
        """Make the areas anew that are joined from those below, where one of those has changed."""
        stale = {parent for row in self.changed if (parent := self.parents[row]) is not None}
        while stale:
            row = max(stale, key=self._above)
            stale.discard(row)
            if not self.derived[row]:
                continue
            kids = self.shapes[[child for child, above in enumerate(self.parents) if above == row]]
            kids = kids[~shapely.is_missing(kids) & shapely.is_valid(kids)]
            exact = shapely.coverage_is_valid(kids)
            self._set(row, polygonal(shapely.coverage_union_all(kids) if exact else shapely.union_all(kids)))
            if (parent := self.parents[row]) is not None:
                stale.add(parent)


def _multi(shape: BaseGeometry) -> MultiPolygon:
    return shape if isinstance(shape, MultiPolygon) else polygonal(shape)


def _names(fault: Fault) -> str:
    return " and ".join(fault.codes[:2])


def _reversed(code: str) -> list[int]:
    """Return a key by which the lower code is the greater one."""
    return [-ord(letter) for letter in code]


def _moved(area: MultiPolygon, ground: MultiPolygon, *, take: bool) -> MultiPolygon:
    """Return an area with some ground or without it: a valid one, with no vertex that neither of them had.

    Raises `InvalidGeometry` ("edges_differ").
    """
    places = _inside(shapely.get_coordinates([area, ground]), ground)
    other = edges_of(ground) if take else turned(edges_of(ground))
    count = Counter([*_cut(edges_of(area), places), *_cut(other, places)])
    # what runs there and back again has no ground beside it
    return shaped({(start, end) for (start, end), times in count.items() if times > count[end, start]})


def _cut(edges: set[Edge], places: Floats) -> list[Edge]:
    """Return edges, each of them cut at the places that lie on it."""
    ends = np.array(sorted(edges))
    tree = shapely.STRtree(shapely.linestrings(ends))  # type: ignore[arg-type]
    place, edge = tree.query(shapely.points(places), predicate="dwithin", distance=_EXACT)
    away = np.hypot(*np.moveaxis(ends[edge] - places[place][:, None], -1, 0))
    inner = (away > _EXACT).all(axis=1)
    whole = np.delete(ends, edge[inner], axis=0).tolist()
    runs = [[tuple(start), tuple(end)] for start, end in whole]
    for row in np.unique(edge[inner]):
        on = inner & (edge == row)
        stops = places[place[on][np.argsort(away[on, 0])]]
        runs.append([tuple(one) for one in (ends[row, 0].tolist(), *stops.tolist(), ends[row, 1].tolist())])
    return [piece for run in runs for piece in pairwise(run)]


def _snapped(shape: BaseGeometry, known: Floats) -> BaseGeometry:
    """Return a shape whose vertices are those known places that they are next to, to the last digit."""
    distance, nearest = cKDTree(known).query(shapely.get_coordinates(shape), distance_upper_bound=_EXACT)
    close = np.isfinite(distance)

    def moved(xy: Floats) -> Floats:
        return np.where(close[:, None], known[np.where(close, nearest, 0)], xy)

    return shapely.transform(shape, moved)


def _inside(places: Floats, ground: BaseGeometry) -> Floats:
    """Return each of the places (n, 2) that lies in the box round some ground, once."""
    west, south, east, north = ground.bounds
    x, y = places.T
    meets = (x >= west - _EXACT) & (x <= east + _EXACT) & (y >= south - _EXACT) & (y <= north + _EXACT)
    inside: Floats = np.unique(places[meets], axis=0)
    return inside
