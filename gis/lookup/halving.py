"""Filling the table of `gis.lookup.squares`: squares that borders pass are halved until nothing or one bend is left.

The squares of the raster that borders pass are taken in batches, which depend on nothing but the polygons,
and each batch goes from large squares to small ones. What a square passes on to its quarters are the segments
of border that pass it, and its candidates: all polygons that may hold a point in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from gis.borders import Borders
from gis.lookup.bends import segments_of, turn
from gis.lookup.raster import Raster, Ways, least_side, passed_squares, passes, ranges

__all__ = ["BLOCK", "FIRST_BEND", "OUTSIDE", "THREADS", "UNCLEAR", "Filling", "fill"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ints32 = NDArray[np.int32]

# What stands for a square in the table: the index of a polygon, or
OUTSIDE = -1
"""The index of the polygon that holds a point, where none does."""
UNCLEAR = -2  # only tests of polygons tell
FIRST_BEND = -3  # bend k as FIRST_BEND - k
BLOCK = -(1 << 30)  # block k as BLOCK - k: the quarters south-west, south-east, north-west, north-east

THREADS = min(4, os.cpu_count() or 1)  # NumPy and GEOS let other threads run meanwhile
_BATCH = 1 << 16  # squares of the raster that are halved together
_FINEST = 1 / 64  # of the mean side of a polygon: squares of that side are halved no more
_MOST_HALVINGS = 14  # the slack is then 2 % of a square
_BLOCKS_A_SEGMENT, _BLOCKS_A_POLYGON = (
    2,
    32,
)  # at most in a batch, nearest to the raster first; a tenth of it is usual


class Filling(NamedTuple):
    """What stands for each square, and the bends that are referred to.

    table : the squares of the raster, row by row from the south, then those of block 0, block 1, ...
    path, answers : the bends, as `gis.lookup.bends.Bends` takes them.
    """

    table: Ints32
    path: Ints32
    answers: Ints32


def fill(raster: Raster, polygons: NDArray[np.object_], tree: shapely.STRtree, borders: Borders) -> Filling:
    """Return the table over polygons, prepared and tested twice, with their tree and their borders."""
    work = _Work(raster, polygons, tree, borders)
    square, segment = work.passed()
    starts = np.flatnonzero(np.diff(square, prepend=-1))
    table = work.patches(square[starts])
    cuts = np.append(starts[::_BATCH], square.size).tolist()
    with ThreadPoolExecutor(THREADS) as pool:
        batches = pool.map(
            lambda begin, end: work.batch(square[begin:end], segment[begin:end]), cuts[:-1], cuts[1:]
        )
        return _joined(table, batches)


def _joined(table: Ints32, batches: Iterator[tuple[Ints, Filling]]) -> Filling:
    """Return the table with all batches in it, each of which counts its blocks and bends from 0."""
    parts, paths, answers = [table], [np.empty((0, 3), np.int32)], [np.empty((0, 2), np.int32)]
    blocks = bends = 0
    for squares, filling in batches:
        entries = filling.table
        block = entries <= BLOCK
        bend = (entries <= FIRST_BEND) & ~block
        entries[block] -= blocks
        entries[bend] -= bends
        table[squares] = entries[: squares.size]
        parts.append(entries[squares.size :])
        paths.append(filling.path)
        answers.append(filling.answers)
        blocks += (entries.size - squares.size) // 4
        bends += len(filling.path)
    return Filling(np.concatenate(parts), np.concatenate(paths), np.concatenate(answers))


class _Near(NamedTuple):
    """Squares of one size that borders pass.

    west, south : (k,) their corners, in squares of the raster.
    square, segment : (p,) each segment of border that passes one of them, by square.
    candidate[first[i]:first[i + 1]] : polygons that may hold a point in square i, rising.
    holder : (k,) the lowest polygon that holds all of the square, the number of polygons where none does.
    """

    west: Floats
    south: Floats
    square: Ints
    segment: Ints32
    first: Ints
    candidate: Ints32
    holder: Ints32


class _Work:
    """What all batches look at, and none changes."""

    def __init__(
        self, raster: Raster, polygons: NDArray[np.object_], tree: shapely.STRtree, borders: Borders
    ) -> None:
        self.raster, self.polygons, self.tree, self.borders = raster, polygons, tree, borders
        self.segments = segments_of(borders)
        x, y = raster.across(borders.x), raster.up(borders.y)
        start, end = self.segments.start, self.segments.end
        self.ways = Ways(x[start], y[start], x[end], y[end])
        self.finest = np.maximum(
            _FINEST * shapely.length(polygons) / 4 * raster.per_unit,
            2 * least_side(raster.bounds) * raster.per_unit,
        )

    def passed(self) -> tuple[Ints, Ints32]:
        """Return each (square of the raster, segment of border that passes it), by square."""
        squares, segments = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
        for start in range(0, self.segments.start.size, _BATCH):
            way, column, row = passed_squares(Ways(*(field[start : start + _BATCH] for field in self.ways)))
            squares.append(row * self.raster.columns + column)
            segments.append((way + start).astype(np.int32))
        square, segment = np.concatenate(squares), np.concatenate(segments)
        order = np.argsort(square, kind="stable")
        return square[order], segment[order]

    def patches(self, near: Ints) -> Ints32:
        """Return the raster with each connected patch of squares that no border passes given to its polygon."""
        free = np.ones((self.raster.rows, self.raster.columns), dtype=np.bool_)
        free.ravel()[near] = False
        labels, count = ndimage.label(free)
        patch = labels.ravel()
        somewhere = np.zeros(count + 1, dtype=np.int64)
        somewhere[patch] = np.arange(patch.size)
        owner = np.full(count + 1, self.polygons.size, dtype=np.int32)
        at, holder = self._holders(somewhere[1:])
        np.minimum.at(owner, at + 1, holder)
        table: Ints32 = self._or_outside(owner)[patch]
        return table

    def batch(self, square: Ints, segment: Ints32) -> tuple[Ints, Filling]:
        """Return the squares of the raster that occur, and what stands for them and their quarters."""
        squares, near = self._near_in_raster(square, segment)
        budget = _BLOCKS_A_SEGMENT * segment.size + _BLOCKS_A_POLYGON * np.unique(near.candidate).size
        # A point beyond the area may be anywhere, so that neither halves nor bends say anything about it.
        fixed = self.raster.beyond(squares)
        entries, slot = np.empty(squares.size, dtype=np.int32), np.arange(squares.size)
        parts, paths, answers = [entries], [], []
        blocks = bends = 0
        for halvings in range(_MOST_HALVINGS + 1):
            side = 0.5**halvings
            codes, path, sides = self._bends(near, side)
            codes[codes <= FIRST_BEND] -= bends
            codes[fixed] = UNCLEAR
            finest = np.minimum.reduceat(self.finest[near.candidate], near.first[:-1])
            room = max(budget - blocks, 0) if halvings < _MOST_HALVINGS else 0
            halve = np.flatnonzero((codes == UNCLEAR) & (side > finest) & ~fixed)[:room]
            codes[halve] = BLOCK - blocks - np.arange(halve.size)
            entries[slot] = codes
            paths.append(path)
            answers.append(sides)
            bends += len(path)
            blocks += halve.size
            if not halve.size:
                break
            entries, slot, near = self._quarters(near, halve, side / 2)
            fixed = np.zeros(slot.size, dtype=np.bool_)
            parts.append(entries)
            if not slot.size:
                break
        return squares, Filling(np.concatenate(parts), np.concatenate(paths), np.concatenate(answers))

    def _near_in_raster(self, square: Ints, segment: Ints32) -> tuple[Ints, _Near]:
        starts = np.flatnonzero(np.diff(square, prepend=-1))
        squares = square[starts]
        number = np.repeat(np.arange(squares.size), np.diff(starts, append=square.size))
        owned = self._owned(number, segment)
        # Where polygons overlap, one may hold the whole of a square that only borders of others pass.
        held = self._pairs(*self._holders(squares))
        row, column = np.divmod(squares, self.raster.columns)
        return squares, self._near(column + 0.0, row + 0.0, number, segment, owned, _without(held, owned))

    def _near(
        self, west: Floats, south: Floats, square: Ints, segment: Ints32, owned: Ints, held: Ints
    ) -> _Near:
        of, candidate = np.divmod(np.sort(np.concatenate([owned, held])), self.polygons.size)
        holder = np.full(west.size, self.polygons.size, dtype=np.int32)
        at, polygon = np.divmod(held, self.polygons.size)
        np.minimum.at(holder, at, polygon.astype(np.int32))
        first = np.searchsorted(of, np.arange(west.size + 1))
        return _Near(west, south, square, segment, first, candidate.astype(np.int32), holder)

    def _bends(self, near: _Near, side: float) -> tuple[Ints32, Ints32, Ints32]:
        """Return what stands for each square, a bend or `UNCLEAR`, and the bends, counted from 0."""
        segments, vertices = self.segments, self.borders.vertices
        begin = np.searchsorted(near.square, np.arange(near.west.size))
        count = np.diff(begin, append=near.square.size)
        line = np.flatnonzero(count == 1)
        one = near.segment[begin[line]]
        lines = np.column_stack([segments.start[one], segments.end[one], np.full(one.size, -1, np.int32)])
        line_sides = np.column_stack([segments.left[one], segments.right[one]])

        # Two segments: the way leads along the first to the corner, and onward along the second.
        pair = np.flatnonzero(count == 2)
        one, two = near.segment[begin[pair]], near.segment[begin[pair] + 1]
        names = segments.start_name[two], segments.end_name[two]
        ahead = (segments.end_name[one] == names[0]) | (segments.end_name[one] == names[1])
        name = np.where(ahead, segments.end_name[one], segments.start_name[one])
        start = np.where(ahead, segments.start[one], segments.end[one])
        corner = np.where(ahead, segments.end[one], segments.start[one])
        end = np.where(name == names[0], segments.end[two], segments.start[two])
        turns = turn(vertices[start], vertices[corner], vertices[end])
        x = self.raster.across(self.borders.x[corner]) - near.west[pair]
        y = self.raster.up(self.borders.y[corner]) - near.south[pair]
        inside = (x >= 0) & (x <= side) & (y >= 0) & (y <= side)
        good = np.flatnonzero(((name == names[0]) | (name == names[1])) & inside & (turns != 0))
        left = turns[good] > 0
        paths = np.column_stack([start, corner, end])[good]
        corners = np.where(left[:, None], paths, paths[:, ::-1])
        sides = np.column_stack([segments.left[one], segments.right[one]])[good]
        corner_sides = np.where((left == ahead[good])[:, None], sides, sides[:, ::-1])

        square = np.concatenate([line, pair[good]])
        path = np.concatenate([lines, corners])
        answers = np.minimum(np.concatenate([line_sides, corner_sides]), near.holder[square][:, None])
        kept, number = _distinct_rows(np.column_stack([path, answers]))
        codes = np.full(near.west.size, UNCLEAR, dtype=np.int32)
        codes[square] = FIRST_BEND - number
        return codes, path[kept], self._or_outside(answers[kept])

    def _quarters(self, near: _Near, halve: Ints, side: float) -> tuple[Ints32, Ints, _Near]:
        """Return what stands for the quarters of some squares, and which of them borders pass, with these."""
        number = np.full(near.west.size, -1, dtype=np.int64)
        number[halve] = np.arange(halve.size)
        kept = np.flatnonzero(number[near.square] >= 0)
        of, segment = near.square[kept], near.segment[kept]
        ways = self.ways.of(segment)
        quarters, passing = [], []
        for quarter in range(4):
            west, south = near.west[of] + side * (quarter % 2), near.south[of] + side * (quarter // 2)
            hit = np.flatnonzero(passes(ways, west, south, side))
            quarters.append(4 * number[of[hit]] + quarter)
            passing.append(segment[hit])
        square, segment = np.concatenate(quarters), np.concatenate(passing)
        order = np.argsort(square, kind="stable")
        square, segment = square[order], segment[order]

        west = (near.west[halve][:, None] + side * np.array([0, 1, 0, 1])).ravel()
        south = (near.south[halve][:, None] + side * np.array([0, 0, 1, 1])).ravel()
        x, y = self.raster.back(west + side / 2, south + side / 2)
        passed = np.zeros(west.size, dtype=np.bool_)
        passed[square] = True
        entries = np.empty(west.size, dtype=np.int32)
        free, slot = np.flatnonzero(~passed), np.flatnonzero(passed)
        entries[free] = self._first_holder(near, halve[free // 4], x[free], y[free])

        square = (np.cumsum(passed) - 1)[square]
        owned = self._owned(square, segment)
        parent = halve[slot // 4]
        lengths = near.first[parent + 1] - near.first[parent]
        candidate = near.candidate[np.repeat(near.first[parent], lengths) + ranges(lengths)]
        others = _without(self._pairs(np.repeat(np.arange(slot.size), lengths), candidate), owned)
        at, polygon = np.divmod(others, self.polygons.size)
        held = others[shapely.intersects_xy(self.polygons[polygon], x[slot[at]], y[slot[at]])]
        return entries, slot, self._near(west[slot], south[slot], square, segment, owned, held)

    def _first_holder(self, near: _Near, square: Ints, x: Floats, y: Floats) -> Ints32:
        """Return the lowest candidate of a square that holds each place in it, else `OUTSIDE`."""
        found = np.full(x.size, OUTSIDE, dtype=np.int32)
        at, end = near.first[square], near.first[square + 1]
        left = np.arange(x.size)
        while left.size:  # by rising index, so the first that holds it is the answer
            candidate = near.candidate[at]
            hit = shapely.intersects_xy(self.polygons[candidate], x[left], y[left])
            found[left[hit]] = candidate[hit]
            more = ~hit & (at + 1 < end)
            left, at, end = left[more], at[more] + 1, end[more]
        return found

    def _holders(self, square: Ints) -> tuple[Ints, Ints32]:
        """Return each (position in `square`, polygon that holds the middle of that square of the raster)."""
        row, column = np.divmod(square, self.raster.columns)
        x, y = self.raster.back(column + 0.5, row + 0.5)
        at, polygon = self.tree.query(shapely.points(x, y))
        held = shapely.intersects_xy(self.polygons[polygon], x[at], y[at])
        return at[held], polygon[held].astype(np.int32)

    def _owned(self, square: Ints, segment: Ints32) -> Ints:
        """Return the pairs of a square and a polygon that one of its segments bounds, each once, rising."""
        first = self.segments.first
        lengths = first[segment + 1] - first[segment]
        owner = self.segments.owner[np.repeat(first[segment], lengths) + ranges(lengths)]
        pairs = np.sort(self._pairs(np.repeat(square, lengths), owner))
        distinct: Ints = pairs[np.diff(pairs, prepend=-1) != 0]
        return distinct

    def _pairs(self, square: Ints, polygon: Ints32) -> Ints:
        """Return pairs of a square and a polygon as single numbers, that sort by square and then polygon."""
        pairs: Ints = square * self.polygons.size + polygon
        return pairs

    def _or_outside(self, polygon: Ints32) -> Ints32:
        polygon[polygon == self.polygons.size] = OUTSIDE
        return polygon


def _without(pairs: Ints, others: Ints) -> Ints:
    """Return the pairs that are not among others, which rise and are not empty."""
    place = np.minimum(np.searchsorted(others, pairs), others.size - 1)
    missing: Ints = pairs[others[place] != pairs]
    return missing


def _distinct_rows(rows: Ints32) -> tuple[Ints, Ints]:
    """Return where the first of each distinct row stands, and for each row its number among those."""
    order = np.lexsort(rows.T)
    new = np.ones(len(rows), dtype=np.bool_)
    new[1:] = np.any(rows[order[1:]] != rows[order[:-1]], axis=1)
    number = np.empty(len(rows), dtype=np.int64)
    number[order] = np.cumsum(new) - 1
    return order[new], number
