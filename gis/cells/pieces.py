"""Pieces: the ground round each building, of which cells are put together.

A community is cut into one piece for each spot where people live: what lies nearer to it than to any other and is
not beyond a barrier. Pieces are made of faces, the smallest parts that spots and barriers cut the ground into,
which share their edges to the last digit; so whatever pieces are joined tile the community again.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Voronoi, cKDTree
from shapely.geometry.base import BaseGeometry

__all__ = ["Pieces", "as_points", "cut", "joined_spots", "sums"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Shapes = NDArray[np.object_]

_GRID_M = 0.001  # lines are crossed on a grid of this width, so that no sliver is thinner
_ALONG_M = (
    5.0  # a barrier that runs as near to the outline as this is the outline itself, drawn by somebody else
)
_TOUCH_M = 1.0  # pieces that share less than this are no neighbours: nobody walks through a corner
_ONE_SPOT_M = 0.5  # buildings nearer to each other than this stand at one spot
_WALL_M = 2.0  # a footprint claims the ground round points along its walls, this far apart or more
_MOST_SEEDS = 60_000


@dataclass(frozen=True)
class Pieces:
    """The ground of a community in pieces, on a sheet in metres.

    faces : (f,) polygons that tile the outline. piece : (f,) the piece that each belongs to.
    block : (f,) faces with one number hang together without crossing a barrier.
    home : (s,) the piece of each spot; as a rule its own, but a spot inside the footprint of another shares its.
    area, perimeter : (p,) of the pieces, m2 and m.
    pairs : (m, 2) pieces that are neighbours; free_m, barrier_m : (m,) how long an edge they share, and how much
        of it runs along a barrier. Links that hold the parts of a split outline together have neither.
    barriers : the lines that count as barriers here.
    """

    faces: Shapes
    piece: Ints
    block: Ints
    home: Ints
    area: Floats
    perimeter: Floats
    pairs: Ints
    free_m: Floats
    barrier_m: Floats
    barriers: BaseGeometry

    def __len__(self) -> int:
        return len(self.area)


def sums(rows: Ints, values: ArrayLike, count: int) -> Floats:
    """Return the sums (count,) of values (n,) by row (n,)."""
    return np.bincount(rows, values, count).astype(np.float64)


def as_points(places: Floats) -> Shapes:
    """Return places (n, 2) as an array of points, also of none or one."""
    return np.asarray(shapely.points(places.reshape(-1, 2)), dtype=object)


def joined_spots(places: Floats) -> Ints:
    """Return the spot (n,) of each building; places (n, 2) in metres. Spots are numbered as they first occur."""
    near = cKDTree(places).query_pairs(_ONE_SPOT_M, output_type="ndarray")
    labels = _components(len(places), near)
    _, first, spot = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[spot], dtype=np.intp)


def cut(outline: BaseGeometry, spots: Floats, walls: Shapes, barriers: BaseGeometry) -> Pieces:
    """Cut a community into pieces.

    outline : valid polygon or multipolygon. spots : (s, 2) inside it, at least one, no two alike.
    walls : (s,) footprint of the buildings at each spot, or None. barriers : lines, may be empty. All in metres.
    """
    shapely.prepare(outline)
    barriers = _inner_barriers(outline, barriers)
    seeds, owner = _seeds(spots, walls)
    walled = np.flatnonzero(~shapely.is_missing(walls))
    lines = [_ridges(seeds, owner, outline), outline.boundary, barriers, *shapely.boundary(walls[walled])]
    faces = shapely.get_parts(
        shapely.polygonize(shapely.get_parts(shapely.union_all(lines, grid_size=_GRID_M)))
    )
    inside = shapely.point_on_surface(faces)
    kept = shapely.intersects(outline, inside)
    faces, inside = faces[kept], inside[kept]
    whose = owner[cKDTree(seeds).query(shapely.get_coordinates(inside))[1]]
    built = np.full(len(faces), len(spots))
    rows, holders = shapely.STRtree(walls[walled]).query(inside, predicate="intersects")
    np.minimum.at(built, rows, walled[holders])
    whose = np.where(built < len(spots), built, whose)
    edges, free_m, barrier_m = _shared_edges(faces, barriers)
    one, other = edges.T
    whole = (free_m > _GRID_M) | ((built[one] < len(spots)) & (built[one] == built[other]))
    part = _components(len(faces), edges[whole & (whose[one] == whose[other])])
    stands = part[_faces_of(faces, spots)]
    piece, joins = _settle(faces, part, stands, edges, free_m, barrier_m)
    numbers, piece = np.unique(piece, return_inverse=True)
    home = np.searchsorted(numbers, stands)
    return _gathered(faces, piece, home, edges, free_m, barrier_m, piece[joins], barriers)


def _inner_barriers(outline: BaseGeometry, barriers: BaseGeometry) -> BaseGeometry:
    """Return the barriers inside the outline, less those that run along it."""
    inner = shapely.intersection(shapely.union_all([barriers]), outline)
    border = outline.boundary.buffer(_ALONG_M)
    beside = shapely.get_parts(shapely.line_merge(shapely.intersection(inner, border)))
    along = shapely.union_all(beside[shapely.length(beside) > 4 * _ALONG_M])
    return shapely.difference(inner, along.buffer(2 * _GRID_M)) if not along.is_empty else inner


def _seeds(spots: Floats, walls: Shapes) -> tuple[Floats, Ints]:
    """Return the points (m, 2) that claim ground, and the spot that each of them stands for."""
    known = np.flatnonzero(~shapely.is_missing(walls))
    length = float(shapely.length(walls[known]).sum())
    step = max(_WALL_M, length / _MOST_SEEDS)
    dense = shapely.segmentize(shapely.boundary(walls[known]), step)
    points, rows = shapely.get_coordinates(dense, return_index=True)
    bare = np.setdiff1d(np.arange(len(spots)), known)
    seeds, owner = np.vstack([spots[bare], points]), np.concatenate([bare, known[rows]])
    _, first = np.unique(np.round(seeds, 3), axis=0, return_index=True)
    return seeds[np.sort(first)], owner[np.sort(first)]


def _ridges(seeds: Floats, owner: Ints, outline: BaseGeometry) -> BaseGeometry:
    """Return the lines halfway between seeds of different spots, a little longer than the outline needs them."""
    west, south, east, north = outline.bounds
    middle, reach = np.array([west + east, south + north]) / 2, 20 * max(east - west, north - south, 1.0)
    turns = np.arange(8) * np.pi / 4
    around = middle + reach * np.column_stack([np.cos(turns), np.sin(turns)])
    drawn = Voronoi(np.vstack([seeds - middle, around - middle]))
    sides, ends = drawn.ridge_points, np.array([ends for ends in drawn.ridge_vertices if len(ends) == 2])
    sides = sides[[len(ends) == 2 for ends in drawn.ridge_vertices]]
    both = np.asarray((sides < len(seeds)).all(axis=1) & (ends >= 0).all(axis=1))
    both[both] = owner[sides[both, 0]] != owner[sides[both, 1]]
    lines = shapely.linestrings(drawn.vertices[ends[both]] + middle)
    return shapely.union_all(shapely.clip_by_rect(lines, west - 1, south - 1, east + 1, north + 1))


def _faces_of(faces: Shapes, spots: Floats) -> Ints:
    """Return the face (s,) that each spot lies in, the first of several; the nearest where it lies in none."""
    rows, found = shapely.STRtree(faces).query_nearest(as_points(spots), all_matches=True)
    order = np.lexsort((found, rows))
    return np.asarray(found[order][np.unique(rows[order], return_index=True)[1]], dtype=np.intp)


def _shared_edges(faces: Shapes, barriers: BaseGeometry) -> tuple[Ints, Floats, Floats]:
    """Return the pairs (m, 2) of faces with a common edge, and how long it is free and along a barrier."""
    rings, face = shapely.get_rings(faces, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    whole = ring[1:] == ring[:-1]
    first, second, owner = xy[:-1][whole], xy[1:][whole], face[ring[:-1][whole]]
    turned = (first[:, 0] > second[:, 0]) | ((first[:, 0] == second[:, 0]) & (first[:, 1] > second[:, 1]))
    ends = np.where(turned[:, None], np.hstack([second, first]), np.hstack([first, second]))
    order = np.lexsort(ends.T)
    twins = np.flatnonzero((ends[order[1:]] == ends[order[:-1]]).all(axis=1))
    one, other = order[twins], order[twins + 1]
    length = np.hypot(*(ends[one, 2:] - ends[one, :2]).T)
    middles = as_points((ends[one, :2] + ends[one, 2:]) / 2)
    shapely.prepare(barriers)
    barred = np.asarray(shapely.dwithin(barriers, middles, 3 * _GRID_M))
    pairs = np.sort(np.column_stack([owner[one], owner[other]]), axis=1)
    apart = pairs[:, 0] != pairs[:, 1]
    return _summed(pairs[apart], length[apart] * ~barred[apart], length[apart] * barred[apart])


def _summed(pairs: Ints, *values: Floats) -> tuple[Ints, Floats, Floats]:
    found, place = np.unique(pairs.reshape(-1, 2), axis=0, return_inverse=True)
    free, barred = (sums(place.ravel(), value, len(found)) for value in values)
    return found.astype(np.intp), free, barred


def _settle(
    faces: Shapes, part: Ints, stands: Ints, edges: Ints, free_m: Floats, barrier_m: Floats
) -> tuple[Ints, Ints]:
    """Return the piece of each face, and (j, 2) faces of one piece that lie apart.

    part : (f,) a number for what hangs together of the ground of one spot. stands : (s,) the part that each spot
    stands on: that is a piece. The rest, which a barrier or a bay of the outline cuts off, goes to the piece that it
    shares the longest edge with, over a barrier only where there is no other way.
    """
    count = int(part.max()) + 1
    piece = np.full(count, -1, dtype=np.intp)
    piece[stands] = stands
    links = [list[tuple[bool, float, int]]() for _ in range(count)]
    pairs, free, barred = _summed(np.sort(part[edges], axis=1), free_m, barrier_m)
    for (one, other), open_m, shut_m in zip(pairs.tolist(), free.tolist(), barred.tolist(), strict=True):
        if one != other:
            key = (open_m <= _TOUCH_M, -max(open_m, shut_m))
            links[one].append((*key, other))
            links[other].append((*key, one))
    heap = [(*link, int(piece[one])) for one in np.flatnonzero(piece >= 0).tolist() for link in links[one]]
    heapq.heapify(heap)
    while heap:
        *_, one, taker = heapq.heappop(heap)
        if piece[one] < 0:
            piece[one] = taker
            for link in links[one]:
                heapq.heappush(heap, (*link, taker))
    joins = []
    bare, settled = np.flatnonzero(piece[part] < 0), np.flatnonzero(piece[part] >= 0)
    if len(bare):  # a part of a split outline where nobody lives
        rows, nearest = shapely.STRtree(faces[settled]).query_nearest(faces[bare], all_matches=False)
        for row, near in zip(bare[rows].tolist(), settled[nearest].tolist(), strict=True):
            if piece[part[row]] < 0:
                piece[part[row]] = piece[part[near]]
            joins.append((row, near))
    return piece[part], np.array(joins, dtype=np.intp).reshape(-1, 2)


def _gathered(
    faces: Shapes,
    piece: Ints,
    home: Ints,
    edges: Ints,
    free_m: Floats,
    barrier_m: Floats,
    joins: Ints,
    barriers: BaseGeometry,
) -> Pieces:
    count = int(piece.max()) + 1
    within = piece[edges[:, 0]] == piece[edges[:, 1]]
    hidden = sums(piece[edges[within, 0]], (free_m + barrier_m)[within], count)
    pairs, free, barred = _summed(np.sort(piece[edges[~within]], axis=1), free_m[~within], barrier_m[~within])
    near = free + barred > _TOUCH_M
    pairs, free, barred = pairs[near], free[near], barred[near]
    bridges = _bridges(faces, piece, np.vstack([pairs, joins]), count)
    none = np.zeros(len(bridges))
    return Pieces(
        faces=faces,
        piece=piece,
        block=_components(len(faces), edges[free_m > _TOUCH_M]),
        home=home,
        area=sums(piece, shapely.area(faces), count),
        perimeter=sums(piece, shapely.length(faces), count) - 2 * hidden,
        pairs=np.vstack([pairs, bridges]),
        free_m=np.concatenate([free, none]),
        barrier_m=np.concatenate([barred, none]),
        barriers=barriers,
    )


def _bridges(faces: Shapes, piece: Ints, pairs: Ints, count: int) -> Ints:
    """Return the links (b, 2) that hold parts together which share no edge: the nearest two pieces of each."""
    found = []
    part = _components(count, pairs)
    while part.max() > 0:
        apart = part[piece] != part[piece[0]]
        mine, theirs = np.flatnonzero(~apart), np.flatnonzero(apart)
        (rows, nearest), away = shapely.STRtree(faces[mine]).query_nearest(
            faces[theirs], all_matches=False, return_distance=True
        )
        least = int(np.argmin(away))
        link = (int(piece[mine[nearest[least]]]), int(piece[theirs[rows[least]]]))
        found.append(link)
        part = _components(count, np.vstack([pairs, np.array(found, dtype=np.intp)]))
    return np.array(found, dtype=np.intp).reshape(-1, 2)


def _components(count: int, pairs: Ints) -> Ints:
    ones = np.ones(len(pairs), dtype=np.int8)
    graph = coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    labels: Ints = connected_components(graph, directed=False)[1].astype(np.intp)
    return labels
