"""Made-up districts: polygons that share wiggly edges, the same ones for the same numbers.

Grid cells of a district follow walls, roads and streams. Here a Voronoi tessellation of well-spread seeds
gives the cells, and every edge between two corners is bent by midpoint displacement, once, so that both
neighbours have the same vertices. Seeds spread evenly give cells of like size; seeds that crowd round towns
give cells of a hectare beside cells of many square kilometres, as where a city meets its countryside.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import Voronoi, cKDTree

__all__ = ["points_by_cell", "random_points", "tessellation"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_WIGGLE = 0.12  # how far a midpoint moves aside, as a share of its edge
_ROUNDS = 3  # of moving each seed to the middle of its cell
_SAMPLES_A_CELL = 50
_TOWNS = np.array([[0.3, 0.35], [0.7, 0.6], [0.45, 0.8]])  # as shares of the width
_TOWN_RADIUS, _TOWN_SPREAD = 0.03, 1.4  # of a log-normal distance from the town's centre


def tessellation(
    cells: int = 1_000, *, width: float = 20_000.0, halvings: int = 4, uneven: bool = False, seed: int = 0
) -> NDArray[np.object_]:
    """Return (cells,) valid polygons that fill a square of `width` with no gap and no overlap.

    halvings : times that each edge is halved and bent; 4 gives about 93 vertices a cell.
    uneven : whether cells crowd round three towns; their areas then span some four orders of magnitude.
    """
    random = np.random.default_rng(seed)
    seeds = _seeds(cells, uneven, random)
    for _ in range(_ROUNDS):
        samples = _seeds(cells * _SAMPLES_A_CELL, uneven, random)
        nearest = cKDTree(seeds).query(samples, workers=-1)[1]
        count = np.bincount(nearest, minlength=cells)
        middle = np.column_stack([np.bincount(nearest, samples[:, i], cells) for i in (0, 1)])
        seeds = np.where(count[:, None] > 0, middle / np.maximum(count, 1)[:, None], seeds)
    seeds *= width
    # Seeds mirrored over the four sides make the outer edges of the inner cells run along the square.
    mirrored = [seeds, seeds * [-1, 1], seeds * [1, -1], [2 * width, 0] + seeds * [-1, 1]]
    voronoi = Voronoi(np.vstack([*mirrored, [0, 2 * width] + seeds * [1, -1]]))
    corners = _snapped(voronoi.vertices, width)
    cell, start, end = _ways_round(voronoi, corners, seeds)
    ends = np.column_stack([np.minimum(start, end), np.maximum(start, end)])
    edges, edge = np.unique(ends, axis=0, return_inverse=True)
    outer = np.any(
        (corners[edges[:, 0]] == corners[edges[:, 1]]) & np.isin(corners[edges[:, 0]], [0, width]), axis=1
    )
    wiggle = np.where(outer, 0.0, _WIGGLE)
    while True:
        lines = _bent(corners[edges], halvings, wiggle, np.random.default_rng(seed))
        along = np.where((start < end)[:, None, None], lines[edge], lines[edge, ::-1])[:, :-1]
        vertices, of_cell = along.reshape(-1, 2), np.repeat(cell, along.shape[1])
        closed = np.flatnonzero(np.diff(of_cell, prepend=-1))
        order = np.insert(np.arange(len(vertices)), np.append(closed[1:], len(vertices)), closed)
        polygons = shapely.polygons(shapely.linearrings(vertices[order], indices=of_cell[order]))
        broken = ~np.asarray(shapely.is_valid(polygons))
        if not broken.any():
            return np.asarray(polygons)
        wiggle[edge[broken[cell]]] /= 2  # a bent edge crosses another: straighten those of that cell


def random_points(polygons: NDArray[np.object_], count: int, *, seed: int = 0) -> tuple[Floats, Floats]:
    """Return x and y, (count,) each, spread evenly over the bounds of `polygons`."""
    west, south, east, north = shapely.total_bounds(polygons)
    random = np.random.default_rng(seed)
    return random.uniform(west, east, count), random.uniform(south, north, count)


def points_by_cell(polygons: NDArray[np.object_], count: int, *, seed: int = 0) -> tuple[Floats, Floats]:
    """Return x and y, (count,) each, as many in or close round each polygon, as where reports follow people."""
    random = np.random.default_rng(seed)
    west, south, east, north = shapely.bounds(polygons)[random.integers(0, len(polygons), count)].T
    return random.uniform(west, east), random.uniform(south, north)


def _seeds(count: int, uneven: bool, random: np.random.Generator) -> Floats:
    """Return (count, 2) places in the unit square."""
    if not uneven:
        return random.uniform(0, 1, (count, 2))
    seeds = np.empty((0, 2))
    while len(seeds) < count:
        away = _TOWN_RADIUS * random.lognormal(0, _TOWN_SPREAD, count)
        angle = random.uniform(0, 2 * np.pi, count)
        town = _TOWNS[random.integers(0, len(_TOWNS), count)]
        places = town + away[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
        seeds = np.vstack([seeds, places[np.all((places > 0) & (places < 1), axis=1)]])
    return seeds[:count]


def _snapped(corners: Floats, width: float) -> Floats:
    """Put corners that rounding left beside the outer square onto it."""
    corners = np.where(np.abs(corners) < 1e-6 * width, 0.0, corners)
    return np.where(np.abs(corners - width) < 1e-6 * width, width, corners)


def _ways_round(voronoi: Voronoi, corners: Floats, seeds: Floats) -> tuple[Ints, Ints, Ints]:
    """Return (cell, corner at its start, corner at its end) of all edges, each cell's counterclockwise."""
    regions = [voronoi.regions[region] for region in voronoi.point_region[: len(seeds)]]
    cell = np.repeat(np.arange(len(seeds)), [len(region) for region in regions])
    corner = np.concatenate([np.asarray(region, dtype=np.int64) for region in regions])
    around = corners[corner] - seeds[cell]
    order = np.lexsort((np.arctan2(around[:, 1], around[:, 0]), cell))
    start = corner[order]
    first = np.flatnonzero(np.diff(cell, prepend=-1))
    last = np.append(first[1:], len(cell)) - 1
    end = np.roll(start, -1)
    end[last] = start[first]
    return cell, start, end


def _bent(ends: Floats, halvings: int, wiggle: Floats, random: np.random.Generator) -> Floats:
    """Return (edges, 2 ** halvings + 1, 2) lines between `ends` (edges, 2, 2)."""
    lines = ends
    for _ in range(halvings):
        way = np.diff(lines, axis=1)
        aside = random.uniform(-1, 1, way.shape[:2]) * wiggle[:, None]
        halved = np.empty((len(lines), 2 * lines.shape[1] - 1, 2))
        halved[:, ::2] = lines
        halved[:, 1::2] = (
            lines[:, :-1] + way / 2 + aside[:, :, None] * np.stack([-way[..., 1], way[..., 0]], axis=2)
        )
        lines = halved
    return lines
