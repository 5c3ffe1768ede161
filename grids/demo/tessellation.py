"""Cells that share bent edges: a tessellation in which both neighbours have the very same vertices.

Real cells follow walls, roads and streams. Here each edge of a Voronoi tessellation is bent once into a smooth
curve. The curve stays inside the two triangles that the edge spans with the seeds on its sides; triangles of
different edges do not overlap, so bent edges never cross, whatever the seeds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import Voronoi, cKDTree

__all__ = ["Tessellation", "spread", "tessellate"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_PIECES = 8  # straight pieces of a bent edge
_WAVES = 3
_AMPLITUDE = 0.16  # of an edge's length, for the longest wave
_ROOM = 0.8  # of the way to the border of the triangles, at most
_SHORT_M = 5.0  # shorter edges stay straight
_ROUNDS = 3  # of moving each seed to the middle of its cell
_SAMPLES_A_CELL = 120


@dataclass(frozen=True)
class Tessellation:
    """Cells and who borders on whom.

    polygons : (n,) shapely polygons, in the order of the seeds.
    neighbours : (m, 2) pairs of cells that share an edge.
    """

    polygons: NDArray[np.object_]
    neighbours: Ints


def spread(seeds: Floats, samples: Floats) -> Floats:
    """Return seeds (n, 2) moved to the middle of the samples (m, 2) nearest to them (Lloyd's method)."""
    count = len(seeds)
    for _ in range(_ROUNDS):
        nearest = cKDTree(seeds).query(samples)[1]
        size = np.bincount(nearest, minlength=count)
        middle = np.column_stack([np.bincount(nearest, samples[:, axis], count) for axis in (0, 1)])
        seeds = np.where(size[:, None] > 0, middle / np.maximum(size, 1)[:, None], seeds)
    return seeds


def tessellate(seeds: Floats, ghosts: Floats, random: np.random.Generator) -> Tessellation:
    """Return the cells of `seeds`, (n, 2) in metres; `ghosts` lie around them and get no cell.

    The polygons are in metres too, counter-clockwise, valid, with no gap and no overlap between them.
    """
    voronoi = Voronoi(np.vstack([seeds, ghosts]))
    sides = voronoi.ridge_points.astype(np.intp)
    ends = np.array(voronoi.ridge_vertices, dtype=np.intp)
    ours = (sides < len(seeds)).any(axis=1)
    sides, ends = sides[ours], ends[ours]
    if (ends < 0).any():
        raise ValueError("a cell is open to the outside: the ghosts do not surround the seeds")
    points = voronoi.points
    edges = _bent(voronoi.vertices[ends], points[sides], random)
    return Tessellation(
        polygons=_rings(len(seeds), sides, edges, points),
        neighbours=sides[(sides < len(seeds)).all(axis=1)],
    )


def _bent(ends: Floats, sides: Floats, random: np.random.Generator) -> Floats:
    """Return (e, pieces + 1, 2): each edge from its first end to its second, bent to one side or the other."""
    start, way = ends[:, 0], ends[:, 1] - ends[:, 0]
    length = np.hypot(*way.T)
    along = way / np.maximum(length, 1e-12)[:, None]
    aside = np.column_stack([-along[:, 1], along[:, 0]])
    step = np.linspace(0.0, 1.0, _PIECES + 1)
    waves = np.arange(1, _WAVES + 1)
    weight = random.uniform(-1.0, 1.0, (len(ends), _WAVES)) / waves
    curve = _AMPLITUDE * length[:, None] * (weight @ np.sin(np.pi * waves[:, None] * step))
    # the two seeds mirror each other in the edge, so one triangle gives the room on both sides
    seed = sides[:, 0] - start
    height = np.abs((seed * aside).sum(axis=1))
    foot = (seed * along).sum(axis=1) / np.maximum(length, 1e-12)
    room = _ROOM * height[:, None] * _triangle(foot[:, None], step)
    curve = np.where(length[:, None] < _SHORT_M, 0.0, np.clip(curve, -room, room))
    curve[:, [0, -1]] = 0.0
    line: Floats = start[:, None] + step[:, None] * way[:, None] + curve[..., None] * aside[:, None]
    line[:, 0], line[:, -1] = ends[:, 0], ends[:, 1]
    return line


def _triangle(foot: Floats, step: Floats) -> Floats:
    """Return how high the triangle with its top over `foot` is at each step of its base, as a share."""
    rising = np.where(foot > 0, step / np.where(foot > 0, foot, 1.0), np.inf)
    falling = np.where(foot < 1, (1 - step) / np.where(foot < 1, 1 - foot, 1.0), np.inf)
    return np.minimum(rising, falling)


def _rings(count: int, sides: Ints, edges: Floats, seeds: Floats) -> NDArray[np.object_]:
    """Join the edges round each seed: its cell is convex before bending, so their middles' angles order them."""
    cell = sides.ravel()
    edge = np.repeat(np.arange(len(sides)), 2)
    mine = cell < count
    cell, edge = cell[mine], edge[mine]
    first, last = edges[edge, 0] - seeds[cell], edges[edge, -1] - seeds[cell]
    middle = (first + last) / 2
    order = np.lexsort((np.arctan2(middle[:, 1], middle[:, 0]), cell))
    forward = first[:, 0] * last[:, 1] - first[:, 1] * last[:, 0] > 0
    lines = np.where(forward[:, None, None], edges[edge], edges[edge][:, ::-1])[order]
    coordinates = lines[:, :-1].reshape(-1, 2)
    owner = np.repeat(cell[order], lines.shape[1] - 1)
    return np.asarray(shapely.polygons(shapely.linearrings(coordinates, indices=owner)), dtype=object)
