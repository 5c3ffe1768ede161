"""A table of small squares laid over polygons, that answers which polygon holds a point.

A square that no border comes near lies wholly in one polygon, or wholly outside, and its points are answered
by one look into the table. The few squares near a border name the polygons that their points may belong to,
and those points are tested exactly.

Why the answer is exact although points are rounded into squares. Points and vertices get their place in the
table from one formula, `_raster`, which is monotone and off by less than 1e-8 of a square in any table of at
most 2^24 squares (four roundings of a number below 2^24). A square counts as near a border when the border
passes within `_SLACK`, 1e-6, of it. So a point whose rounding carries it into the next square is still within
the slack of that square; and a square with no border within its slack has one answer there, since a way
between two of its points that changed the answer would have to cross a border. Two such squares side by side
share part of their slack, so a connected patch of them has one answer too, and one exact test finds it.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from gis.borders import Segments

__all__ = ["OUTSIDE", "SquareTable"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OUTSIDE = -1
"""The index of the polygon that holds a point, where none does."""

_NEAR_BORDER = 0.04  # the part of the area that is left to exact tests
_MOST_SQUARES = 1 << 24  # 64 MB; the proof above counts on it
_SLACK = 1e-6  # of a square


class SquareTable:
    """Which polygon holds each point: the lowest index among those that cover it, `OUTSIDE` where none does.

    polygons : (n,) valid polygons, prepared and tested once, so that threads may share them.
    tree : the tree of `polygons`. borders : their borders, in the units of the polygons.
    """

    def __init__(self, polygons: NDArray[np.object_], tree: shapely.STRtree, borders: Segments) -> None:
        self._polygons, self._tree = polygons, tree
        self._west = self._south = self._per_unit = 0.0
        self._columns = self._rows = 1
        if polygons.size:
            # A column and a row more on each side stand for all that lies beyond.
            self._west, self._south, east, north = (float(bound) for bound in shapely.total_bounds(polygons))
            self._per_unit = 1 / _square_side(polygons, (self._west, self._south, east, north))
            self._columns = _span(self._west, east, self._per_unit)
            self._rows = _span(self._south, north, self._per_unit)
        # For each square its polygon, `OUTSIDE`, or -2 - k for the k-th square near a border, whose points
        # may belong to candidates[first[k]:first[k + 1]], by rising index.
        squares, self._candidates = self._squares_near_borders(borders)
        self._first = np.flatnonzero(np.diff(squares, prepend=-1, append=-1)).astype(np.int32)
        near = squares[self._first[:-1]]
        self._table = self._patches(near)
        self._table[near] = -2 - np.arange(near.size, dtype=np.int32)

    @property
    def nbytes(self) -> int:
        """The memory that the table takes, in bytes."""
        return self._table.nbytes + self._first.nbytes + self._candidates.nbytes

    def look_up(self, x: Floats, y: Floats) -> NDArray[np.int32]:
        """Return the index of the polygon that holds each point; x, y : (n,) finite, in the polygons' CRS."""
        square = _raster(y, self._south, self._per_unit, self._rows).astype(np.int32)
        square *= self._columns
        square += _raster(x, self._west, self._per_unit, self._columns).astype(np.int32)
        found = self._table.take(square)
        near = np.flatnonzero(found < OUTSIDE)
        if near.size:
            found[near] = self._test_candidates(-2 - found[near], x[near], y[near])
        return found

    def _test_candidates(self, entry: NDArray[np.int32], x: Floats, y: Floats) -> NDArray[np.int32]:
        found = np.full(x.size, OUTSIDE, dtype=np.int32)
        at, end = self._first[entry], self._first[entry + 1]
        left = np.arange(x.size)
        while left.size:  # by rising index, so the first that covers the point is the answer
            candidate = self._candidates[at]
            hit = shapely.intersects_xy(self._polygons[candidate], x[left], y[left])
            found[left[hit]] = candidate[hit]
            more = ~hit & (at + 1 < end)
            left, at, end = left[more], at[more] + 1, end[more]
        return found

    def _squares_near_borders(self, borders: Segments) -> tuple[Ints, NDArray[np.int32]]:
        """Return each (square near a border, polygon that a point in it may belong to), sorted."""
        column, row, polygon = _crossed(
            Segments(
                _raster(borders.x1, self._west, self._per_unit, self._columns),
                _raster(borders.y1, self._south, self._per_unit, self._rows),
                _raster(borders.x2, self._west, self._per_unit, self._columns),
                _raster(borders.y2, self._south, self._per_unit, self._rows),
                borders.polygon,
            )
        )
        square = row * self._columns + column
        near = np.unique(square)
        # Where polygons overlap, one may hold the whole of a square that only borders of others pass. It then
        # holds the middle of it.
        at, holder = self._holders(near)
        count = max(self._polygons.size, 1)
        pairs = np.unique(np.concatenate([square * count + polygon, near[at] * count + holder]))
        return pairs // count, (pairs % count).astype(np.int32)

    def _patches(self, near: Ints) -> NDArray[np.int32]:
        """Return the table with each connected patch of squares away from borders given to its polygon."""
        free = np.ones((self._rows, self._columns), dtype=np.bool_)
        free.ravel()[near] = False
        labels, count = ndimage.label(free)
        patch = labels.ravel()
        somewhere = np.zeros(count + 1, dtype=np.int32)
        somewhere[patch] = np.arange(patch.size, dtype=np.int32)
        owner = np.full(count + 1, self._polygons.size, dtype=np.int32)
        at, holder = self._holders(somewhere[1:].astype(np.int64))
        np.minimum.at(owner, at + 1, holder.astype(np.int32))
        owner[owner == self._polygons.size] = OUTSIDE
        table: NDArray[np.int32] = owner[patch]
        return table

    def _holders(self, square: Ints) -> tuple[Ints, Ints]:
        """Return each (position in `square`, polygon that holds the middle of that square)."""
        side = 1 / self._per_unit if self._per_unit else 0.0
        x = self._west + (square % self._columns - 0.5) * side
        y = self._south + (square // self._columns - 0.5) * side
        at, polygon = self._tree.query(shapely.points(x, y))
        held = shapely.intersects_xy(self._polygons[polygon], x[at], y[at])
        return at[held], polygon[held]


def _raster(values: Floats, start: float, per_unit: float, count: int) -> Floats:
    """Return table coordinates: the whole part is the column or row, the first and last being all beyond."""
    raster = values - start
    raster *= per_unit
    raster += 1
    return np.clip(raster, 0, count - 1, out=raster)


def _span(start: float, end: float, per_unit: float) -> int:
    return int((end - start) * per_unit + 1) + 2  # rounds as `_raster` does


def _square_side(polygons: NDArray[np.object_], bounds: tuple[float, float, float, float]) -> float:
    """Return the side of a square that leaves about `_NEAR_BORDER` of the area to exact tests.

    A line of length L crosses 4 / pi * L / side squares; inner borders count twice in the sum of the lengths.
    """
    west, south, east, north = bounds
    length = float(shapely.length(polygons).sum()) / 2
    side = _NEAR_BORDER * float(shapely.area(polygons).sum()) * np.pi / 4 / length
    while ((east - west) / side + 3) * ((north - south) / side + 3) > _MOST_SQUARES:
        side *= 1.1
    # The middle of a square must be a number that lies in that square: 64 steps of the coarsest coordinate.
    return max(side, max(abs(bound) for bound in bounds) * 2.0**-46)


def _crossed(borders: Segments) -> tuple[Ints, Ints, Ints]:
    """Return (column, row, polygon) of all squares that a border passes within `_SLACK`, some repeatedly."""
    x1, y1, x2, y2, polygon = borders
    first = np.floor(np.minimum(x1, x2) - _SLACK).astype(np.int64)
    spans = np.floor(np.maximum(x1, x2) + _SLACK).astype(np.int64) - first + 1
    one = np.repeat(np.arange(x1.size), spans)
    column = first[one] + _ranges(spans)
    # Where the border enters and leaves the column and its slack, as shares of the way along it.
    dx, dy = (x2 - x1)[one], (y2 - y1)[one]
    upright = dx == 0
    dx[upright] = 1
    enter = np.clip((column - _SLACK - x1[one]) / dx, 0, 1)
    leave = np.clip((column + 1 + _SLACK - x1[one]) / dx, 0, 1)
    enter[upright], leave[upright] = 0, 1
    y_enter, y_leave = y1[one] + enter * dy, y1[one] + leave * dy
    bottom = np.floor(np.minimum(y_enter, y_leave) - _SLACK).astype(np.int64)
    heights = np.floor(np.maximum(y_enter, y_leave) + _SLACK).astype(np.int64) - bottom + 1
    each = np.repeat(np.arange(column.size), heights)
    return column[each], bottom[each] + _ranges(heights), polygon[one[each]]


def _ranges(lengths: Ints) -> Ints:
    """Return 0, 1, ... length - 1 for each length, one after the other."""
    starts = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) - np.repeat(starts, lengths)
