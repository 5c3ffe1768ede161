"""Better cells from given ones: pieces at a border change sides while that helps.

Graph partitioning balances sums and shortens borders, but knows no lower and upper limit of a cell, nor its shape.
This search moves one piece at a time from its cell to a neighbouring one, the move that helps most first, and is
not stopped by the first dip: for a while a piece that was moved stays where it is (tabu search). A move that would
tear a cell apart is never made, and what comes back is the best that was seen.
Source: Glover (1989), ORSA Journal on Computing 1(3), 190-206.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gis.cells.pieces import Pieces, sums

__all__ = ["Load", "Rank", "SizeRule", "Weights", "excess", "mended", "rank", "refine"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_RULE = 1000.0  # what breaking the size rule by all of it weighs, against one unit of shape
_BROKEN = 0.15  # and what each cell that breaks it weighs besides, so that one breaks it rather than several
_REST = 8  # steps that a moved piece stays where it is
_TRIED = 24  # moves that are looked at in a step before the search gives up


@dataclass(frozen=True)
class SizeRule:
    """How large a cell may be: households from and to, and people at most."""

    least_households: int
    most_households: int
    most_people: int


@dataclass(frozen=True)
class Weights:
    """What counts how much beside the size rule: round cells, even cells, barriers that run along borders."""

    compact: float
    even: float
    barriers: float


@dataclass(frozen=True)
class Load:
    """Who lives on each piece: households and people (p,); people are all 0 where nobody counted them."""

    households: Floats
    people: Floats


class Rank(NamedTuple):
    """How good a division is, best lowest: cells that break the size rule, by how much, and all the rest."""

    broken: int
    excess: float
    rest: float


@dataclass(frozen=True)
class _Cells:
    """Sums of the cells (k,): households, people, m2, m round them, m of barrier inside."""

    households: Floats
    people: Floats
    area: Floats
    border: Floats
    barrier: Floats

    def at(self, cells: Ints) -> _Cells:
        """Return the sums of some cells, one after the other."""
        return _Cells(*(values[cells] for values in vars(self).values()))

    def changed(
        self, sign: int, pieces: Pieces, load: Load, moved: Ints, link: Floats, bar: Floats
    ) -> _Cells:
        """Return the sums with pieces added (sign 1) or taken away (-1), one a cell.

        link, bar : how long an edge, and how much of it along a barrier, each shares with the rest of the cell.
        """
        return _Cells(
            self.households + sign * load.households[moved],
            self.people + sign * load.people[moved],
            self.area + sign * pieces.area[moved],
            self.border + sign * (pieces.perimeter[moved] - 2 * link),
            self.barrier + sign * bar,
        )


def excess(households: Floats, people: Floats, rule: SizeRule) -> Floats:
    """Return by how much of a limit each cell breaks the size rule; 0 for one that keeps it."""
    short = np.maximum(rule.least_households - households, 0) / rule.least_households
    long = np.maximum(households - rule.most_households, 0) / rule.most_households
    crowd = np.maximum(people - rule.most_people, 0) / rule.most_people
    result: Floats = short + long + crowd
    return result


def rank(pieces: Pieces, load: Load, cell: Ints, rule: SizeRule, weights: Weights) -> Rank:
    """Return how good a division is."""
    return _Search(pieces, load, cell, rule, weights).rank()


def refine(pieces: Pieces, load: Load, cell: Ints, rule: SizeRule, weights: Weights, steps: int) -> Ints:
    """Return the cell (p,) of each piece after a search from those given, never a worse division.

    cell : numbers from 0 on without a hole, each of pieces that hang together. steps : how long to search on after
    the last improvement.
    """
    search = _Search(pieces, load, cell, rule, weights)
    search.descend()
    best, found, since, step = search.rank(), search.cell.copy(), 0, 0
    resting = np.zeros(len(cell), dtype=np.intp)
    while since < steps:
        moved = search.step(resting > step, best)
        if moved is None:
            break
        step += 1
        resting[moved] = step + _REST
        now = search.rank()
        since += 1
        if now < best:
            best, found, since = now, search.cell.copy(), 0
    search.cell = found
    return found if best <= rank(pieces, load, cell, rule, weights) else cell


def mended(pieces: Pieces, cell: Ints) -> Ints:
    """Return cells that each hang together, numbered without a hole: strays join the neighbour they touch most."""
    cell = cell.copy()
    around = _around(len(pieces), pieces.pairs)
    length = pieces.free_m + 0.1 * pieces.barrier_m
    seen = np.full(len(cell), -1)
    groups: list[list[int]] = []
    for start in range(len(cell)):
        if seen[start] < 0:
            groups.append(_reached(start, around, cell, -1))
            seen[groups[-1]] = len(groups) - 1
    largest = {int(cell[group[0]]): len(group) for group in sorted(groups, key=len)}
    for group in sorted(groups, key=len):
        own = int(cell[group[0]])
        if len(group) == largest.get(own):
            largest.pop(own)  # the first of two alike stays
            continue
        mine = np.isin(pieces.pairs, group)
        rim = mine[:, 0] != mine[:, 1]
        others = cell[np.where(mine[rim, 0], pieces.pairs[rim, 1], pieces.pairs[rim, 0])]
        if len(others):
            cell[group] = int(np.argmax(np.bincount(others, length[rim] + 1e-9)))
    result: Ints = np.unique(cell, return_inverse=True)[1].astype(np.intp)
    return result


class _Search:
    """A division, the sums of its cells, and what each piece shares with each cell."""

    def __init__(self, pieces: Pieces, load: Load, cell: Ints, rule: SizeRule, weights: Weights) -> None:
        self.pieces, self.load, self.rule, self.weights = pieces, load, rule, weights
        self.cell = cell.copy()
        self.count = int(cell.max()) + 1
        one, other = pieces.pairs.T
        self.source, self.target = np.concatenate([one, other]), np.concatenate([other, one])
        self.length = np.tile(pieces.free_m + pieces.barrier_m, 2)
        self.barred = np.tile(pieces.barrier_m, 2)
        self.around = _around(len(pieces), pieces.pairs)
        degree = np.bincount(self.source, minlength=len(pieces))
        self.rows = np.split(np.argsort(self.source, kind="stable"), np.cumsum(degree)[:-1])
        self.link = self._shared(self.length)
        self.bar = self._shared(self.barred)
        self.size = np.bincount(cell, minlength=self.count)
        own = np.arange(len(cell)), cell

        def summed(values: Floats) -> Floats:
            return sums(cell, values, self.count)

        self.cells = _Cells(
            summed(load.households),
            summed(load.people),
            summed(pieces.area),
            summed(pieces.perimeter - self.link[own]),
            summed(self.bar[own]) / 2,
        )
        self.mean = float(load.households.sum()) / self.count

    def _shared(self, lengths: Floats) -> Floats:
        table = np.zeros((len(self.cell), self.count))
        np.add.at(table, (self.source, self.cell[self.target]), lengths)
        return table

    def rank(self) -> Rank:
        """Return how good the division is now."""
        over = excess(self.cells.households, self.cells.people, self.rule)
        return Rank(
            int((over > 0).sum()), round(float(over.sum()), 9), round(float(self._rest(self.cells).sum()), 9)
        )

    def _rest(self, cells: _Cells) -> Floats:
        """Return the weighted shape, unevenness and barriers of each cell; lower is better."""
        spread = (cells.households - self.mean) / 100
        result: Floats = (
            self.weights.compact * cells.border / np.sqrt(4 * np.pi * np.maximum(cells.area, 1.0))
            + self.weights.even * spread**2
            + self.weights.barriers * cells.barrier / 100
        )
        return result

    def _cost(self, cells: _Cells) -> Floats:
        over = excess(cells.households, cells.people, self.rule)
        return _RULE * (over + _BROKEN * (over > 0)) + self._rest(cells)

    def moves(self) -> tuple[Ints, Ints, Floats]:
        """Return the pieces that could change sides, the cells they could go to, and what each move costs."""
        to = self.cell[self.target]
        some = (to != self.cell[self.source]) & (self.length > 0) & (self.size[self.cell[self.source]] > 1)
        key = np.unique(self.source[some] * self.count + to[some])
        moved, to = key // self.count, key % self.count
        own = self.cell[moved]
        before = self.cells.at(own), self.cells.at(to)
        sums = self.pieces, self.load, moved
        left = before[0].changed(-1, *sums, self.link[moved, own], self.bar[moved, own])
        joined = before[1].changed(1, *sums, self.link[moved, to], self.bar[moved, to])
        return (
            moved,
            to,
            self._cost(left) + self._cost(joined) - self._cost(before[0]) - self._cost(before[1]),
        )

    def descend(self) -> None:
        """Make moves that help, several at a time in cells that have nothing to do with each other, to the end."""
        for _ in range(4 * len(self.cell)):
            moved, to, cost = self.moves()
            touched: set[int] = set()
            for row in np.argsort(cost, kind="stable"):
                if cost[row] > -1e-9:
                    break
                piece, cell = int(moved[row]), int(to[row])
                both = {int(self.cell[piece]), cell}
                if not touched & both and self._stays_whole(piece):
                    self._move(piece, cell)
                    touched |= both
            if not touched:
                return

    def step(self, resting: NDArray[np.bool_], best: Rank) -> int | None:
        """Make the best move there is, help or not; return which piece moved, None when none can."""
        moved, to, cost = self.moves()
        now = self._total()
        hopeful = _RULE * (best.excess + _BROKEN * best.broken) + best.rest
        cost = np.where(resting[moved] & (now + cost >= hopeful - 1e-9), np.inf, cost)
        for row in np.argsort(cost, kind="stable")[:_TRIED]:
            if np.isfinite(cost[row]) and self._stays_whole(int(moved[row])):
                self._move(int(moved[row]), int(to[row]))
                return int(moved[row])
        return None

    def _total(self) -> float:
        return float(self._cost(self.cells).sum())

    def _move(self, piece: int, to: int) -> None:
        own = int(self.cell[piece])
        for sign, cell in ((-1, own), (1, to)):
            at = np.array([cell])
            after = self.cells.at(at).changed(
                sign, self.pieces, self.load, np.array([piece]), self.link[piece, at], self.bar[piece, at]
            )
            for name, values in vars(after).items():
                getattr(self.cells, name)[cell] = values[0]
            self.size[cell] += sign
        rows = self.rows[piece]
        others = self.target[rows]
        for table, values in ((self.link, self.length[rows]), (self.bar, self.barred[rows])):
            table[others, own] -= values
            table[others, to] += values
        self.link[others, own] = np.maximum(self.link[others, own], 0.0)
        self.cell[piece] = to

    def _stays_whole(self, piece: int) -> bool:
        """Tell whether the cell of a piece hangs together without it."""
        own = self.cell[piece]
        left = [other for other in self.around[piece] if self.cell[other] == own]
        if len(left) < 2:
            return True
        return set(left) <= set(_reached(left[0], self.around, self.cell, piece))


def _around(count: int, pairs: Ints) -> list[list[int]]:
    around: list[list[int]] = [[] for _ in range(count)]
    for one, other in pairs.tolist():
        around[one].append(other)
        around[other].append(one)
    return around


def _reached(start: int, around: list[list[int]], cell: Ints, without: int) -> list[int]:
    """Return the pieces of one cell that can be reached from one of them, not over `without`."""
    own, seen, todo = cell[start], {start, without}, [start]
    found = []
    while todo:
        piece = todo.pop()
        found.append(piece)
        for other in around[piece]:
            if other not in seen and cell[other] == own:
                seen.add(other)
                todo.append(other)
    return found
