"""Which points lie within a radius of each other: found by squares, many points at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["circles", "spread"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_AT_ONCE = 1 << 22  # pairs looked at in one go, each some 50 bytes
_REACH = 2  # squares to a radius: five by five hold a circle, and twice as many points as lie in it
_ACROSS = 2 * _REACH + 1
_SLACK = 1 + 1e-6  # more than rounding moves a point on the scale of squares
_MOST_SQUARES = 1 << 30  # along one axis, so that the number of a square fits
_COUNTED = 1 << 20  # squares that may be counted one by one, however few the points


def circles(
    x_m: Floats, y_m: Floats, radius_m: float, *, at_once: int = _AT_ONCE
) -> Iterator[tuple[Ints, Ints]]:
    """Yield (centre, other) of all pairs of n points at most `radius_m` apart; each point is near itself.

    x_m, y_m : (n,) finite, metres in a projected CRS. at_once : about how many pairs are looked at in one go.
    What is yielded at a time holds whole circles: the pairs of a centre stand together, in no order. Near is what
    `np.hypot` puts within the radius.
    """
    if not x_m.size:
        return
    east, north = x_m - x_m.min(), y_m - y_m.min()
    side = max(radius_m / _REACH * _SLACK, float(max(east.max(), north.max())) / _MOST_SQUARES)
    column, row = (east / side).astype(np.int64), (north / side).astype(np.int64)
    width = int(column.max()) + _ACROSS
    square = (row + _REACH) * width + column + _REACH  # there is a margin round all
    order = np.argsort(square, kind="stable")
    square, east, north = square[order], east[order], north[order]
    # the points of one row of squares stand together, so that a circle lies in one stretch a row
    below = _below(square, width * (int(row.max()) + _ACROSS))
    west = square[:, None] - _REACH + np.arange(-_REACH, _REACH + 1) * width
    begin = below(west)
    many = below(west + _ACROSS) - begin
    candidates = np.cumsum(many.sum(axis=1))
    cuts = np.searchsorted(candidates, np.arange(0, candidates[-1], at_once), "right").tolist()
    for first, past in zip(cuts, [*cuts[1:], order.size], strict=True):
        if first == past:
            continue
        centre = np.repeat(np.arange(first, past), many[first:past].sum(axis=1))
        other = spread(begin[first:past].ravel(), many[first:past].ravel())
        near = np.hypot(east[other] - east[centre], north[other] - north[centre]) <= radius_m
        yield order[centre[near]], order[other[near]]


def _below(square: Ints, past: int) -> Callable[[Ints], Ints]:
    """Return what tells how many of some sorted squares, all below `past`, are below given ones."""
    if past > 8 * square.size + _COUNTED:
        return lambda given: np.searchsorted(square, given)
    counted = np.concatenate([[0], np.cumsum(np.bincount(square, minlength=past))])
    return lambda given: counted[given]


def spread(begin: Ints, many: Ints) -> Ints:
    """Return for each i the `many[i]` numbers from `begin[i]` on, one after the other."""
    end = np.cumsum(many)
    total = int(end[-1]) if end.size else 0
    numbers: Ints = np.repeat(begin - (end - many), many) + np.arange(total)
    return numbers
