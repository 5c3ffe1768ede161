"""A table of squares laid over polygons, that answers which polygon holds a point.

A raster lies over the area. A square that no border passes belongs to one polygon as a whole, or to none, and
its points are answered by one look into the table. A square that borders pass is halved both ways, and its
quarters again, until what is left in it is a bend: one straight line, or one corner (`gis.lookup.bends`); on which
side of it a point lies says which polygon holds it. A quarter that still has more in it at the finest size, as
where three polygons meet, is unclear, and its points are tested against the polygons themselves. So squares
are small only where borders are dense, their number follows that of the vertices, and it matters little
whether cells are many, few, or of very uneven size.

Why the answer is exact although points are rounded into squares.
1. Points and vertices get their place in the raster from one formula, monotone and off by less than 1e-8 of a
   square; halving looks at further binary digits of the same number, which rounds nothing. A border passes a
   square when it comes within 1e-6 of it (both in squares of the raster, however often halved). So each
   point lies in the square that it is looked up in, widened by far less than this slack, and every
   border that is not passed on to that square stays away from all of this wider square.
2. No border passes: a way between two points of the wider square that changed the answer would have to cross
   a border. So all of it has the answer of its middle, which is tested exactly. Two squares of the raster side
   by side share part of their slack, so a connected patch of them has one answer too.
3. The polygons that may hold a point of the square are those with a border that passes, and those that hold
   the square as a whole; the latter are found by testing the middle of the square. Both are among those of the
   larger square that it is a quarter of.
4. One segment of border passes: no end of it lies in the wider square, as the ring would go on from there. The
   line parts the square in two, each side without a border in it. A polygon of a ring with the segment in it
   holds the side where its interior lies (it is valid), another holds both sides or none.
5. Two segments pass that meet at a vertex in the square: their other ends lie outside the wider square, as above,
   and every ring that has one has the other. The square is convex, so the two legs part it in two: the
   wedge of less than half a turn between them, which is where a point lies to the left of both legs when the
   way along them turns left, and the rest. As in 4, each side has one answer.
6. Whether a point lies left or right of a line between vertices is decided on the coordinates as given,
   by a determinant with an error bound. Where the bound leaves it open, as for every point on a border, and in
   unclear squares, the point is tested against all polygons in whose bounds it lies.
7. The outermost squares stand for all that lies beyond; 1 holds there for points that are not beyond the
   bounds of all polygons. They are never halved and have no bends, and a point beyond is outside.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.borders import Borders
from gis.lookup.bends import Bends
from gis.lookup.halving import BLOCK, FIRST_BEND, OUTSIDE, UNCLEAR, fill
from gis.lookup.raster import Raster

__all__ = ["SquareTable"]

Floats = NDArray[np.float64]
Ints32 = NDArray[np.int32]

_SQUARES_A_SEGMENT = 4  # of the raster, for each segment of border
_FEWEST_SQUARES, _MOST_SQUARES = 1 << 18, 1 << 24  # 1 MB and 64 MB; the proof counts on the most


class SquareTable:
    """Which polygon holds each point: the lowest index among those that cover it, `OUTSIDE` where none does.

    polygons : (n,) valid polygons, prepared and tested twice, so that threads may share them.
    tree : the tree of `polygons`, asked once for the same reason. borders : the borders of `polygons`.
    """

    def __init__(self, polygons: NDArray[np.object_], tree: shapely.STRtree, borders: Borders) -> None:
        self._polygons, self._tree = polygons, tree
        if polygons.size:
            west, south, east, north = (float(bound) for bound in shapely.total_bounds(polygons))
            wanted = _SQUARES_A_SEGMENT * borders.vertices.size // 2  # most segments are shared by two
            squares = min(max(wanted, _FEWEST_SQUARES), _MOST_SQUARES)
            self._raster = Raster.over((west, south, east, north), squares)
            table, path, answers = fill(self._raster, polygons, tree, borders)
        else:
            self._raster = Raster((0.0, 0.0, 0.0, 0.0), 0.0, 1, 1)
            table, path, answers = np.array([OUTSIDE]), np.empty((0, 3), int), np.empty((0, 2), int)
        self._table = table.astype(np.int32, copy=False)
        self._bends = Bends(borders, path, answers)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of all polygons; zeros where there are none."""
        return self._raster.bounds

    @property
    def nbytes(self) -> int:
        """The memory that the table takes, in bytes, without the polygons and their borders."""
        return self._table.nbytes + self._bends.nbytes

    def look_up(self, x: Floats, y: Floats) -> Ints32:
        """Return the index of the polygon that holds each point; x, y : (n,) finite, in the polygons' CRS."""
        across, up = self._raster.across(x), self._raster.up(y)
        square = up.astype(np.int32)
        square *= self._raster.columns
        square += across.astype(np.int32)
        found = self._table.take(square)
        near = np.flatnonzero(found < OUTSIDE)
        if near.size:
            found[near] = self._look_closer(found[near], across[near], up[near], x[near], y[near])
        return found

    def _look_closer(self, found: Ints32, across: Floats, up: Floats, x: Floats, y: Floats) -> Ints32:
        self._descend(found, across, up)
        bent = np.flatnonzero(found <= FIRST_BEND)
        if bent.size:
            answer, certain = self._bends.answer(FIRST_BEND - found[bent], x[bent], y[bent])
            found[bent] = np.where(certain, answer, UNCLEAR)
        unclear = np.flatnonzero(found == UNCLEAR)
        if unclear.size:
            found[unclear] = self._test(x[unclear], y[unclear])
        return found

    def _descend(self, found: Ints32, across: Floats, up: Floats) -> None:
        """Put in place of each block what stands for the quarter, of the quarter, ... that the point lies in."""
        deep = np.flatnonzero(found <= BLOCK)
        across, up, block = across[deep] % 1, up[deep] % 1, found[deep]
        while deep.size:
            across *= 2
            up *= 2
            east, north = across >= 1, up >= 1
            across -= east
            up -= north
            quarter = (BLOCK - block) * 4
            quarter += self._raster.size
            quarter += east
            quarter += north
            quarter += north
            block = self._table.take(quarter)
            found[deep] = block
            more = np.flatnonzero(block <= BLOCK)
            deep, across, up, block = deep[more], across[more], up[more], block[more]

    def _test(self, x: Floats, y: Floats) -> Ints32:
        """Return what the polygons themselves say."""
        west, south, east, north = self._raster.bounds
        inside = np.flatnonzero((x >= west) & (x <= east) & (y >= south) & (y <= north))
        point, polygon = self._tree.query(shapely.points(x[inside], y[inside]))
        point = inside[point]
        held = shapely.intersects_xy(self._polygons[polygon], x[point], y[point])
        found = np.full(x.size, self._polygons.size, dtype=np.int32)
        np.minimum.at(found, point[held], polygon[held].astype(np.int32))
        found[found == self._polygons.size] = OUTSIDE
        return found
