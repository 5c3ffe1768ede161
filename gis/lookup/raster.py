"""A raster over an area, and which of its squares, whole or halved, a straight way passes.

Places here are counted in squares of the raster; the whole part is the column or row. All come from one
formula, `Raster.across` and `Raster.up`, which is monotone and off by less than 1e-8 of a square where no
raster has more than 2^24 squares (four roundings of a number below 2^24). A way counts as passing a square
when it comes within `SLACK` of it, so that no rounding brings a point across a way unknown to its square.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["SLACK", "Raster", "Ways", "least_side", "passed_squares", "passes", "ranges"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bounds = tuple[float, float, float, float]

SLACK = 1e-6
"""How near a way must come to a square to count as passing it, in squares of the raster."""


class Raster(NamedTuple):
    """Squares over an area; the first and last column and row stand for all that lies beyond it.

    bounds : west, south, east, north of the area.
    """

    bounds: Bounds
    per_unit: float
    columns: int
    rows: int

    @classmethod
    def over(cls, bounds: Bounds, squares: int) -> Raster:
        """Return a raster of at most some number of squares, of 16 to 2^24."""
        west, south, east, north = bounds
        side = float(np.sqrt((east - west) * (north - south) / squares))
        while ((east - west) / side + 3) * ((north - south) / side + 3) > squares:
            side *= 1.05
        per_unit = 1 / max(side, least_side(bounds))
        columns, rows = (
            int((end - start) * per_unit + 1) + 2 for start, end in ((west, east), (south, north))
        )
        return cls(bounds, per_unit, columns, rows)

    @property
    def size(self) -> int:
        """The number of squares."""
        return self.columns * self.rows

    def across(self, x: Floats) -> Floats:
        """Return how many squares from the west each x lies."""
        return _places(x, self.bounds[0], self.per_unit, self.columns)

    def up(self, y: Floats) -> Floats:
        """Return how many squares from the south each y lies."""
        return _places(y, self.bounds[1], self.per_unit, self.rows)

    def back(self, across: Floats, up: Floats) -> tuple[Floats, Floats]:
        """Return x and y of places counted in squares."""
        return self.bounds[0] + (across - 1) / self.per_unit, self.bounds[1] + (up - 1) / self.per_unit

    def beyond(self, square: Ints) -> Bools:
        """Return whether each square stands for what lies beyond the area."""
        row, column = np.divmod(square, self.columns)
        outer: Bools = (row == 0) | (row == self.rows - 1) | (column == 0) | (column == self.columns - 1)
        return outer


class Ways(NamedTuple):
    """Straight ways from (x1, y1) to (x2, y2), in squares of the raster; each field is (m,)."""

    x1: Floats
    y1: Floats
    x2: Floats
    y2: Floats

    def of(self, at: NDArray[np.integer]) -> Ways:
        """Return the ways at some positions."""
        return Ways(*(field[at] for field in self))


def least_side(bounds: Bounds) -> float:
    """Return the least side of a square: 64 steps of the coarsest coordinate, so that its middle lies in it."""
    return max(abs(bound) for bound in bounds) * 2.0**-46


def passed_squares(ways: Ways) -> tuple[Ints, Ints, Ints]:
    """Return (way, column, row) of all squares of the raster that each way passes."""
    first = np.floor(np.minimum(ways.x1, ways.x2) - SLACK).astype(np.int64)
    spans = np.floor(np.maximum(ways.x1, ways.x2) + SLACK).astype(np.int64) - first + 1
    way = np.repeat(np.arange(first.size), spans)
    column = first[way] + ranges(spans)
    low, high = _heights(ways.of(way), column, column + 1)
    bottom = np.floor(low - SLACK).astype(np.int64)
    heights = np.floor(high + SLACK).astype(np.int64) - bottom + 1
    each = np.repeat(np.arange(way.size), heights)
    return way[each], column[each], bottom[each] + ranges(heights)


def passes(ways: Ways, west: Floats, south: Floats, side: float) -> Bools:
    """Return whether each way passes its square, which is given by its south-western corner and its side."""
    east, north = west + side, south + side
    low, high = _heights(ways, west, east)
    return (
        (np.minimum(ways.x1, ways.x2) <= east + SLACK)
        & (np.maximum(ways.x1, ways.x2) >= west - SLACK)
        & (low <= north + SLACK)
        & (high >= south - SLACK)
    )


def ranges(lengths: Ints) -> Ints:
    """Return 0, 1, ... length - 1 for each length, one after the other."""
    starts = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) - np.repeat(starts, lengths)


def _heights(ways: Ways, west: Floats | Ints, east: Floats | Ints) -> tuple[Floats, Floats]:
    """Return the lowest and the highest y of each way between two uprights and their slack."""
    dx, dy = ways.x2 - ways.x1, ways.y2 - ways.y1
    upright = dx == 0
    dx[upright] = 1
    # Where the way enters and leaves, as shares of its length.
    enter = np.clip((west - SLACK - ways.x1) / dx, 0, 1)
    leave = np.clip((east + SLACK - ways.x1) / dx, 0, 1)
    enter[upright], leave[upright] = 0, 1
    y_enter, y_leave = ways.y1 + enter * dy, ways.y1 + leave * dy
    return np.minimum(y_enter, y_leave), np.maximum(y_enter, y_leave)


def _places(values: Floats, start: float, per_unit: float, count: int) -> Floats:
    places = values - start
    places *= per_unit
    places += 1
    return np.clip(places, 0, count - 1, out=places)
