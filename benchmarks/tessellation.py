"""A made-up district: polygons that share wiggly edges, the same ones for the same numbers.

Grid cells of a district follow walls, roads and streams. Here a Voronoi tessellation of well-spread seeds
gives cells of like size, and every edge between two corners is bent by midpoint displacement, once, so that
both neighbours have the same vertices.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import Voronoi, cKDTree

__all__ = ["random_points", "tessellation"]

_WIGGLE = 0.12  # how far a midpoint moves aside, as a share of its edge
_ROUNDS = 3  # of moving each seed to the middle of its cell
_SAMPLES_A_CELL = 200


def tessellation(
    cells: int = 1_000, *, width: float = 20_000.0, halvings: int = 4, seed: int = 0
) -> NDArray[np.object_]:
    """Return (cells,) valid polygons that fill a square of `width` with no gap and no overlap.

    halvings : times that each edge is halved and bent; 4 gives about 93 vertices a cell.
    """
    random = np.random.default_rng(seed)
    seeds = _spread(random.uniform(0, width, (cells, 2)), width, random)
    # Seeds mirrored over the four sides make the outer edges of the inner cells run along the square.
    mirrored = [seeds, seeds * [-1, 1], seeds * [1, -1], [2 * width, 0] + seeds * [-1, 1]]
    voronoi = Voronoi(np.vstack([*mirrored, [0, 2 * width] + seeds * [1, -1]]))
    corners = _snapped(voronoi.vertices, width)
    edges: dict[tuple[int, int], NDArray[np.float64]] = {}
    rings = []
    for cell in range(cells):
        region = np.array(voronoi.regions[voronoi.point_region[cell]])
        around = corners[region] - seeds[cell]
        region = region[np.argsort(np.arctan2(around[:, 1], around[:, 0]))]
        ring = []
        for start, end in zip(region.tolist(), np.roll(region, -1).tolist(), strict=True):
            key = (min(start, end), max(start, end))
            if key not in edges:
                straight = bool(
                    np.any((corners[start] == corners[end]) & np.isin(corners[start], [0, width]))
                )
                edges[key] = _bent(corners[list(key)], 0 if straight else halvings, (seed, *key))
            edge = edges[key]
            ring.append((edge if start == key[0] else edge[::-1])[:-1])
        rings.append(np.vstack(ring))
    polygons = np.array([shapely.Polygon(ring) for ring in rings])
    assert shapely.is_valid(polygons).all(), "a bent edge crossed another: take another seed"
    return polygons


def random_points(
    polygons: NDArray[np.object_], count: int, *, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and y, (count,) each, spread evenly over the bounds of `polygons`."""
    west, south, east, north = shapely.total_bounds(polygons)
    random = np.random.default_rng(seed)
    return random.uniform(west, east, count), random.uniform(south, north, count)


def _spread(seeds: NDArray[np.float64], width: float, random: np.random.Generator) -> NDArray[np.float64]:
    cells = len(seeds)
    for _ in range(_ROUNDS):
        samples = random.uniform(0, width, (cells * _SAMPLES_A_CELL, 2))
        nearest = cKDTree(seeds).query(samples)[1]
        count = np.maximum(np.bincount(nearest, minlength=cells), 1)
        seeds = np.column_stack([np.bincount(nearest, samples[:, i], cells) / count for i in (0, 1)])
    return seeds


def _snapped(corners: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Put corners that rounding left beside the outer square onto it."""
    corners = np.where(np.abs(corners) < 1e-6 * width, 0.0, corners)
    return np.where(np.abs(corners - width) < 1e-6 * width, width, corners)


def _bent(ends: NDArray[np.float64], halvings: int, key: tuple[int, ...]) -> NDArray[np.float64]:
    random = np.random.default_rng(key)
    line = ends
    for _ in range(halvings):
        way = np.diff(line, axis=0)
        aside = random.uniform(-_WIGGLE, _WIGGLE, len(way))[:, None] * np.column_stack(
            [-way[:, 1], way[:, 0]]
        )
        halved = np.empty((2 * len(line) - 1, 2))
        halved[::2], halved[1::2] = line, line[:-1] + way / 2 + aside
        line = halved
    return line
