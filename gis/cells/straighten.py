"""From pieces to cells that can be published: straight borders, and an outline that is nobody else's but its own.

Halfway lines between buildings zigzag. `shapely.coverage_simplify` straightens the borders of all cells together;
buildings are holes in the ground while it does, and the border of a hole is not its to move, so no border passes
over a building. Where a border follows a barrier, it stays. In the end the outline, to the last digit as it was
given, is cut by those lines: it gains a vertex where a border ends, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon

from gis.cells.pieces import Pieces, as_points
from gis.edges import with_vertices
from gis.geometry import polygonal
from gis.plane import Plane

__all__ = ["Drawn", "draw"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Shapes = NDArray[np.object_]

_NEAR_M = 0.5  # a border that would end as near to a vertex of the outline as this ends in it
_CLEAR_M = 4.0  # how far a border stays away from a building that is a point, where there is room
_LEAST_M = 0.01
_ON_LINE = 1e-9  # degrees, a tenth of a millimetre
_ROOM = 0.7  # of the room between a building and the nearest edge of its piece


@dataclass(frozen=True)
class Drawn:
    """Cells (k,) in the coordinates of the outline, in the order of their numbers, and the vertices (m, 2) it gains."""

    cells: tuple[MultiPolygon, ...]
    vertices: Floats


def draw(
    outline: MultiPolygon,
    plane: Plane,
    pieces: Pieces,
    cell: Ints,
    spots: Floats,
    walls: Shapes,
    straighten_m: float,
) -> Drawn:
    """Draw the cells of a community.

    outline : as it was given. plane : the sheet of the pieces. cell : (p,) the cell of each piece.
    spots, walls : (s, 2) and (s,), on the sheet, where buildings stand and their footprints or None; no border
    crosses them. straighten_m : how far a border may leave the halfway line, about; 0 leaves it as it is.
    """
    holes = _holes(pieces, spots, walls)
    points = plane.degrees(as_points(spots))
    while True:
        drawn = _drawn(outline, plane, pieces, cell, holes, straighten_m)
        if straighten_m == 0 or _sound(drawn, outline, points, cell[pieces.home]):
            return drawn
        straighten_m = straighten_m / 2 if straighten_m > 1 else 0.0


def _drawn(
    outline: MultiPolygon, plane: Plane, pieces: Pieces, cell: Ints, holes: Shapes, straighten_m: float
) -> Drawn:
    parts, owner = _parts(pieces, cell, holes, straighten_m)
    if not cell.any():
        return Drawn((outline,), np.empty((0, 2)))
    inner, outer = _borders(parts, owner)
    ends, places = _ends(inner, outer, outline, plane)
    lines = plane.degrees(_as_lines(inner))
    moved = {
        tuple(end): tuple(place)
        for end, place in zip(
            shapely.get_coordinates(plane.degrees(as_points(ends))).tolist(),
            places.tolist(),
            strict=True,
        )
    }
    lines = shapely.transform(lines, lambda xy: np.array([moved.get((x, y), (x, y)) for x, y in xy.tolist()]))
    known = set(map(tuple, _vertices(outline).tolist()))
    vertices = np.array([place for place in places.tolist() if tuple(place) not in known]).reshape(-1, 2)
    rim = _segments(shapely.get_rings(shapely.get_parts(with_vertices(outline, vertices))))[0]
    network = np.concatenate([lines[shapely.length(lines) > 0], _as_lines(rim)])
    found = shapely.get_parts(shapely.polygonize(network))
    inside = shapely.point_on_surface(found)
    kept = shapely.intersects(outline, inside)
    found, inside = found[kept], plane.flat(inside[kept])
    rows, nearest = shapely.STRtree(parts).query_nearest(inside, all_matches=False)
    of = np.empty(len(found), dtype=np.intp)
    of[rows] = owner[nearest]
    cells = [polygonal(shapely.coverage_union_all(found[of == number])) for number in range(cell.max() + 1)]
    return Drawn(tuple(cells), vertices)


def _parts(pieces: Pieces, cell: Ints, holes: Shapes, straighten_m: float) -> tuple[Shapes, Ints]:
    """Return polygons on the sheet, what barriers leave of each cell, straightened; and the cell of each."""
    of_face = cell[pieces.piece]
    parts: list[Polygon] = []
    owner: list[int] = []
    tree = shapely.STRtree(holes)
    for block in np.unique(pieces.block):
        shapes: list[Polygon] = []
        cells: list[int] = []
        for number in np.unique(of_face[pieces.block == block]).tolist():
            faces = pieces.faces[(pieces.block == block) & (of_face == number)]
            joined = shapely.get_parts(shapely.coverage_union_all(faces))
            shapes += list(joined)
            cells += [number] * len(joined)
        if straighten_m > 0 and len(shapes) > 1:
            shapes = _straightened(np.array(shapes, dtype=object), holes, tree, straighten_m)
        parts += shapes
        owner += cells
    return np.array(parts, dtype=object), np.array(owner, dtype=np.intp)


def _straightened(shapes: Shapes, holes: Shapes, tree: shapely.STRtree, straighten_m: float) -> list[Polygon]:
    shapely.prepare(shapes)
    rows, inside = tree.query(shapes, predicate="contains_properly")
    cut = [shapely.get_rings(holes[inside[rows == row]]) for row in range(len(shapes))]
    pierced = [
        shapely.polygons(shape.exterior, [*shape.interiors, *rings]) if len(rings) else shape
        for shape, rings in zip(shapes, cut, strict=True)
    ]
    simple = shapely.coverage_simplify(np.array(pierced, dtype=object), straighten_m, simplify_boundary=False)
    filled = []
    for shape, rings in zip(simple, cut, strict=True):
        ours = {ring.bounds for ring in rings}
        filled.append(Polygon(shape.exterior, [ring for ring in shape.interiors if ring.bounds not in ours]))
    return filled


def _holes(pieces: Pieces, spots: Floats, walls: Shapes) -> Shapes:
    """Return polygons that stand for the buildings, each inside its piece and apart from all others.

    A building that a barrier runs through is one on either side of it.
    """
    known = np.flatnonzero(~shapely.is_missing(walls))
    rows, touched = shapely.STRtree(pieces.faces).query(walls[known], predicate="intersects")
    own = pieces.piece[touched] == pieces.home[known[rows]]
    body = np.column_stack([known[rows], pieces.block[touched]])[own]
    bodies = [
        shapely.intersection(walls[row], shapely.coverage_union_all(pieces.faces[touched[own][of]]))
        for (row, _), of in _grouped(body)
    ]
    bodies = list(shapely.buffer(bodies, -0.05, join_style="mitre"))
    points = as_points(spots)
    rows, found = shapely.STRtree(pieces.faces).query(points, predicate="intersects")
    rows, first = np.unique(rows, return_index=True)
    room = np.asarray(shapely.distance(points[rows], shapely.boundary(pieces.faces[found[first]]))) * _ROOM
    wide = room > _LEAST_M
    discs = np.asarray(shapely.buffer(points[rows][wide], np.minimum(room[wide], _CLEAR_M), quad_segs=2))
    parts = shapely.get_parts(shapely.union_all([*bodies, *discs]))
    rings = shapely.get_exterior_ring(parts[shapely.area(parts) > _LEAST_M**2])
    return np.asarray(shapely.polygons(rings), dtype=object)


def _grouped(keys: Ints) -> list[tuple[list[int], Ints]]:
    """Return each row that occurs among keys (n, 2), and the places where it does."""
    found, place = np.unique(keys, axis=0, return_inverse=True)
    order = np.argsort(place.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(place.ravel(), minlength=len(found)))[:-1]
    return list(zip(found.tolist(), np.split(order, ends), strict=True)) if len(found) else []


def _as_lines(segments: Floats) -> Shapes:
    return np.asarray(shapely.linestrings(segments.reshape(-1, 2, 2)), dtype=object)


def _segments(rings: Shapes) -> tuple[Floats, Ints]:
    """Return the segments (m, 4) of rings, and the row of the ring that each is from."""
    xy, row = shapely.get_coordinates(rings, return_index=True)
    whole = row[1:] == row[:-1]
    return np.hstack([xy[:-1], xy[1:]])[whole], row[:-1][whole]


def _borders(parts: Shapes, owner: Ints) -> tuple[Floats, Floats]:
    """Return the segments (m, 4) between two cells, and those round all of them."""
    rings, part = shapely.get_rings(parts, return_index=True)
    segments, ring = _segments(rings)
    of = owner[part[ring]]
    turned = np.hstack([segments[:, 2:], segments[:, :2]])
    ahead = (segments[:, 0] > segments[:, 2]) | (
        (segments[:, 0] == segments[:, 2]) & (segments[:, 1] > segments[:, 3])
    )
    segments = np.where(ahead[:, None], turned, segments)
    order = np.lexsort(segments.T)
    alike = (segments[order[1:]] == segments[order[:-1]]).all(axis=1)
    first = np.flatnonzero(alike)
    between = first[of[order[first]] != of[order[first + 1]]]
    single = ~(np.concatenate([[False], alike]) | np.concatenate([alike, [False]]))
    return segments[order[between]], segments[order[single]]


def _ends(inner: Floats, outer: Floats, outline: MultiPolygon, plane: Plane) -> tuple[Floats, Floats]:
    """Return where borders meet the outline, on the sheet (m, 2), and the places there in its own coordinates."""
    rim = {tuple(vertex) for vertex in outer.reshape(-1, 2).tolist()}
    ends = np.array([end for end in np.unique(inner.reshape(-1, 2), axis=0).tolist() if tuple(end) in rim])
    if not len(ends):
        return np.empty((0, 2)), np.empty((0, 2))
    points = as_points(ends)
    own = _vertices(outline)
    flat_own = plane.flat(as_points(own))
    tree = shapely.STRtree(flat_own)
    (rows, nearest), away = tree.query_nearest(points, all_matches=False, return_distance=True)
    close = np.full(len(ends), np.inf)
    vertex = np.zeros(len(ends), dtype=np.intp)
    close[rows], vertex[rows] = away, nearest
    border = outline.boundary
    foot = shapely.get_point(shapely.shortest_line(border, plane.degrees(points)), 0)
    return ends, np.where((close < _NEAR_M)[:, None], own[vertex], shapely.get_coordinates(foot))


def _vertices(outline: MultiPolygon) -> Floats:
    return np.unique(shapely.get_coordinates(outline), axis=0)


def _sound(drawn: Drawn, outline: MultiPolygon, points: Shapes, cell: Ints) -> bool:
    """Tell whether the cells tile the outline to the last digit and hold their buildings."""
    cells = np.array(drawn.cells, dtype=object)
    if (
        shapely.is_empty(cells).any()
        or not shapely.is_valid(cells).all()
        or not shapely.coverage_is_valid(cells)
    ):
        return False
    border = with_vertices(outline, drawn.vertices)
    joined = polygonal(shapely.coverage_union_all(cells))
    exact = shapely.equals_exact(joined.normalize(), border.normalize())
    return bool(exact and shapely.dwithin(cells[cell], points, _ON_LINE).all())
