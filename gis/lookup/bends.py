"""Where a border runs straight through a small square, or turns there once, and on which side points lie.

A segment of border is a straight line between two vertices next to each other; polygons that share it give it
once. A bend is a line alone in its square, or two segments that meet at a corner in the square. It parts the
square in two, and two orientation tests tell in which part a point lies.

The orientation of three points is the sign of a determinant. Computed in floating point it is certain
when it exceeds an error bound (Shewchuk 1997, Discrete & Computational Geometry 18, 305-363); when it does
not, this module says so, and the point is tested exactly by other means.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gis.borders import Borders

__all__ = ["Bends", "Segments", "segments_of", "turn"]

Floats = NDArray[np.float64]
Places = NDArray[np.complex128]  # x + iy
Ints = NDArray[np.int64]
Ints32 = NDArray[np.int32]
Bools = NDArray[np.bool_]
Signs = NDArray[np.int8]

_UNCERTAIN = 4e-16  # Shewchuk's bound for this determinant is 3.33e-16 of the sum of its two products
_UNDERFLOW = 1e-290  # below it, products may have lost their digits


class Segments(NamedTuple):
    """All segments of border, each once whoever shares it.

    start, end : (m,) places of its ends in the vertices of `Borders`; `start_name` and `end_name` are equal
    for equal vertices. owner[first[k]:first[k + 1]] : the polygons that it bounds.
    left, right : (m,) the lowest polygon that lies to the left and to the right of it, where it owns it;
    the number of polygons where none does.
    """

    start: Ints32
    end: Ints32
    start_name: Ints32
    end_name: Ints32
    left: Ints32
    right: Ints32
    first: Ints
    owner: Ints32


def segments_of(borders: Borders) -> Segments:
    """Return the segments of all borders."""
    polygons = borders.first.size - 1
    names = np.unique(borders.vertices, return_inverse=True)[1].astype(np.int32)
    start = np.flatnonzero(~borders.last)
    start = start[names[start] != names[start + 1]].astype(np.int32)  # a vertex may be given twice
    forward = names[start] < names[start + 1]
    begin, finish = np.where(forward, start, start + 1), np.where(forward, start + 1, start)
    key = names[begin].astype(np.int64) * borders.vertices.size + names[finish]
    order = np.argsort(key, kind="stable")
    new = np.diff(key[order], prepend=-1) != 0
    first = np.flatnonzero(new)
    segment = np.cumsum(new) - 1
    owner = np.repeat(np.arange(polygons, dtype=np.int32), np.diff(borders.first))[start[order]]
    on_left = borders.interior_left[start[order]] == forward[order]
    sides = []
    for side in (on_left, ~on_left):
        lowest = np.full(first.size, polygons, dtype=np.int32)
        np.minimum.at(lowest, segment[side], owner[side])
        sides.append(lowest)
    begin, finish = begin[order[first]], finish[order[first]]
    return Segments(
        begin, finish, names[begin], names[finish], sides[0], sides[1], np.append(first, owner.size), owner
    )


class Bends:
    """Lines and corners that part squares in two, and the answer on either side.

    path : (k, 3) vertices; the way from the first over the second to the third turns left, or is a line and
    has -1 for the third. answers : (k, 2) for points to the left of the whole way, and for others.
    """

    def __init__(self, borders: Borders, path: Ints32, answers: Ints32) -> None:
        self._vertices = borders.vertices
        self._bends = np.hstack([path, answers])  # side by side, so that one look into memory brings all

    def __len__(self) -> int:
        return len(self._bends)

    @property
    def nbytes(self) -> int:
        """The memory that they take, in bytes, without the borders."""
        return self._bends.nbytes

    def answer(self, bend: Ints32, x: Floats, y: Floats) -> tuple[Ints32, Bools]:
        """Return the answer for each point in a square with a bend, and whether it is certain; each (n,)."""
        first, second, third, left, other = self._bends.take(bend, axis=0).T
        point = x + 1j * y
        corner = self._vertices.take(second)
        side = turn(self._vertices.take(first), corner, point)
        turned = np.flatnonzero(third >= 0)
        if turned.size:
            onward = turn(corner[turned], self._vertices.take(third[turned]), point[turned])
            side[turned] = np.minimum(side[turned], onward)
        return np.where(side > 0, left, other), side != 0


def turn(start: Places, end: Places, point: Places) -> Signs:
    """Return 1 where a point lies to the left of the line from start to end, -1 to the right, 0 if uncertain."""
    start, end = start - point, end - point
    ahead, across = start.real * end.imag, start.imag * end.real
    left = ahead - across
    bound = np.abs(ahead) + np.abs(across)
    bound *= _UNCERTAIN
    bound += _UNDERFLOW
    signs: Signs = (left > bound).astype(np.int8)
    signs -= left < -bound
    return signs
