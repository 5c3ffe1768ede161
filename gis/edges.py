"""Areas as sums of directed edges, so that joining and taking away keep every vertex as it was drawn.

Walk round an area with its ground to the left, and it is a set of directed edges. Two neighbours walk their
common edge in opposite directions: add their sets, opposite edges cancel, and what is left is the outline of
both together. Nothing is computed but sets, so every vertex of the result is one that was there before, in
all its digits; an overlay computes crossings, and two that should be one differ in the last.

This needs neighbours that have the same vertices along their common edge. `stitched` gives them those where
a vertex of one lies on an edge of the other; where they lie further apart, `InvalidGeometry` ("edges_differ").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from shapely.geometry import LineString, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from gis.errors import InvalidGeometry
from gis.geometry import as_multipolygon

__all__ = [
    "ROUNDING",
    "Edge",
    "edges_along",
    "edges_of",
    "faces_of",
    "joined",
    "run_between",
    "shaped",
    "shared_runs",
    "stitched",
    "taken_from",
    "tidy",
    "turned",
    "with_vertices",
]

Edge = tuple[tuple[float, float], tuple[float, float]]
Floats = NDArray[np.float64]

ROUNDING = 1e-7
"""Degrees, about a centimetre: places nearer than this are one place that a file wrote with seven decimals."""


def edges_of(area: BaseGeometry) -> set[Edge]:
    """Return the directed edges of an area, its ground to the left of each; holes included."""
    rings = shapely.get_rings(shapely.get_parts(shapely.orient_polygons(area)))
    return {edge for ring in rings for edge in edges_along(ring)}


def edges_along(line: BaseGeometry) -> list[Edge]:
    """Return the edges of one line in its own direction."""
    places: list[tuple[float, float]] = [(x, y) for x, y in shapely.get_coordinates(line).tolist()]
    return [(start, end) for start, end in pairwise(places) if start != end]


def turned(edges: Iterable[Edge]) -> set[Edge]:
    """Return the edges in the opposite direction."""
    return {(end, start) for start, end in edges}


def joined(areas: Sequence[BaseGeometry]) -> MultiPolygon:
    """Return the ground of areas that lie side by side, as one area.

    Raises `InvalidGeometry` ("edges_differ") when they lie over each other.
    """
    return shaped(_sum(edges_of(area) for area in areas))


def taken_from(area: BaseGeometry, part: BaseGeometry) -> MultiPolygon:
    """Return what is left of an area without a part of it; an empty area when nothing is.

    Raises `InvalidGeometry` ("edges_differ") when the part does not lie in the area, edge on edge.
    """
    return shaped(_sum([edges_of(area), turned(edges_of(part))]))


def shared_runs(one: BaseGeometry, other: BaseGeometry) -> list[LineString]:
    """Return the edges that two neighbours share, one line a run without a break, in no particular direction."""
    shared = sorted(edges_of(one) & turned(edges_of(other)))
    if not shared:
        return []
    merged = shapely.line_merge(shapely.multilinestrings(np.array(shared)))
    return [line for line in shapely.get_parts(merged) if isinstance(line, LineString)]


def run_between(run: LineString, one: set[Edge], other: set[Edge]) -> set[Edge]:
    """Return the edges of a run as the area with the edges `one` walks them, the other on the far side.

    Raises `InvalidGeometry` ("edges_differ") when it does not run between the two.
    """
    forward = set(edges_along(run))
    for edges in (forward, turned(forward)):
        if edges <= one and turned(edges) <= other:
            return edges
    raise _differ("the outlines of two areas that should meet along an edge do not have it both")


def shaped(edges: set[Edge]) -> MultiPolygon:
    """Return the area that has these directed edges, in one form whatever the order: counter-clockwise.

    Raises `InvalidGeometry` ("edges_differ") when they do not close round any ground.
    """
    if not edges:
        return MultiPolygon()
    inside = [face for face, own in faces_of(edges) if not own.isdisjoint(edges)]
    found = MultiPolygon(inside)
    if edges_of(found) != edges or not found.is_valid:
        raise _differ("the outlines of the areas lie apart where they should run along each other")
    return tidy(found)


def tidy(area: BaseGeometry) -> MultiPolygon:
    """Return an area in one form: parts and rings in a fixed order, counter-clockwise outside."""
    return as_multipolygon(shapely.orient_polygons(shapely.normalize(area)))


def faces_of(edges: Iterable[Edge]) -> list[tuple[Polygon, set[Edge]]]:
    """Return each piece of ground that the edges enclose, with its own directed edges; order is fixed."""
    lines = sorted({min(edge, (edge[1], edge[0])) for edge in edges})
    found = shapely.get_parts(shapely.polygonize(_lines(np.array(lines))))
    return [(face, edges_of(face)) for face in found if isinstance(face, Polygon)]


def stitched(areas: Sequence[MultiPolygon]) -> list[MultiPolygon]:
    """Return areas that have each other's vertices where they run along each other, in the same order.

    A vertex within `ROUNDING` of one of an area before it becomes that one; an edge gets the vertices of the
    others that lie on it within `ROUNDING`. An area that needs nothing comes back as the object it was.
    """
    found = list(areas)
    for row in range(1, len(found)):
        found[row] = _snapped(found[row], found[:row])
    return [with_vertices(area, _vertices(found[:row] + found[row + 1 :])) for row, area in enumerate(found)]


def with_vertices(area: MultiPolygon, places: Floats, *, near: float = ROUNDING) -> MultiPolygon:
    """Return an area with a vertex at each of the places (n, 2) that lies on one of its edges.

    On an edge: within `near` degrees of it and further than that from its ends. Without one, the area itself.
    """
    west, south, east, north = np.array(area.bounds) + near * np.array([-1, -1, 1, 1])
    x, y = places.T
    places = places[(x >= west) & (x <= east) & (y >= south) & (y <= north)]
    rings, of_part = shapely.get_rings(shapely.get_parts(area), return_index=True)
    vertices, of_ring = shapely.get_coordinates(rings, return_index=True)
    known = _as_numbers(vertices)
    places = places[~np.isin(_as_numbers(places), known)]
    if not len(places):
        return area
    starts = np.flatnonzero(of_ring[1:] == of_ring[:-1])
    segments = _lines(np.stack([vertices[starts], vertices[starts + 1]], axis=1))
    which, edge = shapely.STRtree(segments).query(shapely.points(places), predicate="dwithin", distance=near)
    ends = np.stack([vertices[starts[edge]], vertices[starts[edge] + 1]], axis=1)
    away = np.hypot(*np.moveaxis(ends - places[which][:, None], -1, 0)).min(axis=1)
    which, edge = which[away > near], edge[away > near]
    if not len(which):
        return area
    from_start = np.hypot(*(places[which] - vertices[starts[edge]]).T)
    order = np.lexsort((from_start, edge))
    after = starts[edge[order]] + 1
    vertices, of_ring = (
        np.insert(vertices, after, places[which[order]], axis=0),
        np.insert(of_ring, after, of_ring[after]),
    )
    return MultiPolygon(_polygons(vertices, of_ring, of_part))


def _polygons(vertices: Floats, of_ring: NDArray[np.intp], of_part: NDArray[np.intp]) -> list[Polygon]:
    rings = np.asarray(shapely.linearrings(vertices, indices=of_ring), dtype=object)
    parts = [rings[of_part == part].tolist() for part in np.unique(of_part)]
    return [Polygon(shell, holes) for shell, *holes in parts]


def _snapped(area: MultiPolygon, before: Sequence[MultiPolygon]) -> MultiPolygon:
    known, own = _vertices(before), shapely.get_coordinates(area)
    if np.isin(_as_numbers(own), _as_numbers(known)).all():
        return area
    found = cKDTree(known).query(own, distance_upper_bound=ROUNDING)
    distance, nearest = (np.asarray(part) for part in found)
    close = np.isfinite(distance) & (distance > 0)
    if not close.any():
        return area
    moved = own.copy()
    moved[close] = known[nearest[close]]
    return as_multipolygon(shapely.set_coordinates(shapely.from_wkb(shapely.to_wkb(area)), moved))


def _lines(ends: Floats) -> NDArray[np.object_]:
    return np.asarray(shapely.linestrings(ends), dtype=object)


def _vertices(areas: Sequence[BaseGeometry]) -> Floats:
    return shapely.get_coordinates(list(areas))


def _as_numbers(places: Floats) -> NDArray[np.complex128]:
    numbers: NDArray[np.complex128] = places[:, 0] + 1j * places[:, 1]
    return numbers


def _sum(sets: Iterable[set[Edge]]) -> set[Edge]:
    total: set[Edge] = set()
    for edges in sets:
        if not total.isdisjoint(edges):
            raise _differ("two areas that should lie side by side lie over each other")
        cancelled = total & turned(edges)
        total = (total - cancelled) | (edges - turned(cancelled))
    return total


def _differ(words: str) -> InvalidGeometry:
    return InvalidGeometry(
        "edges_differ",
        f"{words}; mend the faults of this grid first",
        field="geometry",
        wanted="shared edges",
    )
