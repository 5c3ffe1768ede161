"""Recurrent points of one category: of all incidents taken as a centre the strongest, again and again.

Strength is how many times count among the incidents within the radius that belong to no point yet; of equals the
earliest centre is the stronger. A centre that is stronger than all that share an incident with it stays so whatever
else is taken, for strength only falls. So all such centres are taken in one round, and the points are those which
taking one at a time would give.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gis.errors import InvalidInput
from gis.near import circles, spread
from grids.rules.chains import Chains
from grids.rules.moments import MICROSECOND, micros
from grids.rules.rain import DRAINS, DRY_GAP, Rain

__all__ = [
    "MIN_GAP",
    "MIN_TIMES",
    "STILL_OPEN",
    "USUAL",
    "WINDOW_DAYS",
    "RecurrenceRule",
    "Recurrences",
    "recurrence_rule",
    "recurrences_of",
]

STILL_OPEN = np.iinfo(np.int64).max
"""The moment at which a case closes that is open."""

WINDOW_DAYS = 90
MIN_TIMES = 3
MIN_GAP = timedelta(hours=24)

_DAY = 86_400_000_000
_KEPT = (
    1 << 24
)  # pairs of a centre and an incident that are kept, some 200 MB; more are searched for each time

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RecurrenceRule:
    """How many times within a window make a place recurrent, and the least gaps between two times; microseconds.

    rain_gap : for what rain causes, the gap between reports that stands for a dry one where no gauge was read.
    """

    window: int
    min_times: int
    min_gap: int
    rain_gap: int


def recurrence_rule(
    window_days: float = WINDOW_DAYS,
    min_times: int = MIN_TIMES,
    min_gap: timedelta = MIN_GAP,
    rain_gap: timedelta = DRY_GAP,
) -> RecurrenceRule:
    """Return a rule. Raises `InvalidInput("bad_recurrence_rule")` for numbers that make none."""
    if not (0 < window_days < inf) or min_times < 2 or min_gap < MICROSECOND or rain_gap < MICROSECOND:
        raise InvalidInput(
            "bad_recurrence_rule",
            "a recurrence needs a window above 0 days, at least 2 times, and gaps above 0;"
            f" got {window_days} days, {min_times} times, {min_gap}, {rain_gap}",
            field="rule",
        )
    return RecurrenceRule(int(window_days * _DAY), min_times, min_gap // MICROSECOND, rain_gap // MICROSECOND)


USUAL = recurrence_rule()


@dataclass(frozen=True, slots=True)
class Recurrences:
    """k recurrent points of one category as columns, in no order.

    x_m, y_m : (k,) the place of one incident of each, from which all its members lie within the radius. times : (k,)
    how often it came back as the rule counts. mean_gap_days : (k,) between those that count. members : (m,) positions
    in the arrays given, point after point and of a point by time. sizes : (k,) how many members each has.
    """

    x_m: Floats
    y_m: Floats
    times: Ints
    mean_gap_days: Floats
    members: Ints
    sizes: Ints


def recurrences_of(
    x_m: Floats,
    y_m: Floats,
    at: Ints,
    radius_m: float,
    *,
    closed_at: Ints | None = None,
    rain: Rain | None = None,
    rule: RecurrenceRule = USUAL,
) -> Recurrences:
    """Return the recurrent points among n incidents of one category.

    x_m, y_m : (n,) finite metres. at : (n,) microseconds of Unix time. closed_at : (n,) the same, `STILL_OPEN` while
    open; the next time then counts only after it. rain : for a category that rain causes, what gauges tell of it, and
    a next rain is a next time whatever became of the case; None for the others.
    """
    order = _in_order(y_m, x_m, at)
    start = at[order]
    if rain is not None:
        spans: _Singly | _ByRain = _ByRain(start, rain, rule)
    else:
        end = start + rule.min_gap
        spans = _Singly(start, end if closed_at is None else np.maximum(end, closed_at[order]))
    sites = _Sites(x_m[order], y_m[order], radius_m)
    return _Rounds(sites, spans, rule).points(order)


class _Singly:
    """Each incident is a time of its own; the number of its moment is its rank by time.

    start, end, follow : (n,) by number: the moment, the one from which on a next one counts, and its number.
    """

    def __init__(self, start: Ints, end: Ints) -> None:
        self.start, self.end = start, end
        self.follow = np.searchsorted(start, end)

    def numbers(self, _first: Ints, rank: Ints) -> Ints:
        return rank


class _ByRain:
    """All incidents of one rain are one time; the number of its moment is that of the rain's beginning.

    Which rain a report tells of, all reports round the centre say together, those too that another point took: so
    taking some away can only lower the count. See `grids.rules.rain.rain_starts`.
    """

    def __init__(self, start: Ints, rain: Rain, rule: RecurrenceRule) -> None:
        self._at, self._gap = start, rule.rain_gap
        began, ended = (
            np.array([micros(at) for at in moments], dtype=np.int64)
            for moments in (
                [one.began_at for one in rain.episodes],
                [one.ended_at + DRAINS for one in rain.episodes],
            )
        )
        self.start = np.unique(np.concatenate([start, began]))
        self.end = self.start + 1
        self.follow = np.arange(1, self.start.size + 1)
        self._own = np.searchsorted(self.start, start)
        self._gauged = np.full(start.size, -1, dtype=np.int64)
        last = np.searchsorted(began, start, "right") - 1
        told = np.flatnonzero(last >= 0)
        told = told[start[told] <= ended[last[told]]]
        self._gauged[told] = np.searchsorted(self.start, began[last[told]])

    def numbers(self, first: Ints, rank: Ints) -> Ints:
        """Return the number of the rain of each report; rank : (m,) round centres that begin at `first`, by time."""
        gap = np.diff(self._at[rank], prepend=0)
        gap[first] = self._gap
        gauged = self._gauged[rank]
        # one that is the same rain as the report before stands at -1, and takes over what the highest so far is
        told = np.where(gauged >= 0, gauged, np.where(gap < self._gap, -1, self._own[rank]))
        base = np.repeat(np.arange(first.size), np.diff(first, append=rank.size)) * (self.start.size + 1)
        highest: Ints = np.maximum.accumulate(base + told) - base
        return highest


class _Sites:
    """The different coordinates at which incidents happened; all at one site have one circle.

    Incidents are given in order, and a rank is a position among them. of : (n,) the site of each. x, y : of each site.
    """

    def __init__(self, x: Floats, y: Floats, radius: float) -> None:
        order = _in_order(y, x)
        new = np.ones(order.size, dtype=np.bool_)
        new[1:] = (np.diff(x[order]) != 0) | (np.diff(y[order]) != 0)
        self._begin = np.flatnonzero(new)
        self._many = np.diff(self._begin, append=order.size)
        self._ranks, self._radius = order, radius
        self.of = np.empty(order.size, dtype=np.int64)
        self.of[order] = np.cumsum(new) - 1
        self.x, self.y = x[order][new], y[order][new]

    def circles(self) -> Iterator[tuple[Ints, Ints]]:
        """Yield (site, rank) of all who are near a site, by site and rank, some whole sites at a time."""
        for site, other in circles(self.x, self.y, self._radius):
            many = self._many[other]
            rank = self._ranks[spread(self._begin[other], many)]
            pair = np.repeat(site, many) * self.of.size + rank
            pair.sort()
            site = pair // self.of.size
            yield site, pair - site * self.of.size


def _in_order(*keys: NDArray[Any]) -> Ints:
    """Return what `np.lexsort` returns, which is slow: only where the last key alone leaves ties."""
    order = np.argsort(keys[-1])
    last = keys[-1][order]
    if (last[1:] == last[:-1]).any():
        order = np.lexsort(keys)
    return order


@dataclass(frozen=True, slots=True)
class _Block:
    """Incidents round some sites, (m,) each, by site and rank; `number` is that of the moment."""

    site: NDArray[np.int32]
    rank: NDArray[np.int32]
    number: NDArray[np.int32]

    def only(self, which: Bools) -> _Block:
        return _Block(self.site[which], self.rank[which], self.number[which])

    def first(self) -> Ints:
        """Return where each site begins."""
        return np.flatnonzero(np.diff(self.site, prepend=-1))


class _Rounds:
    """The incidents that belong to no point yet, and the sites that may still be centres."""

    def __init__(self, sites: _Sites, spans: _Singly | _ByRain, rule: RecurrenceRule) -> None:
        self._sites, self._spans, self._rule = sites, spans, rule
        self._free = np.ones(sites.of.size, dtype=np.bool_)
        self._alive = np.ones(sites.x.size, dtype=np.bool_)
        self._kept: list[_Block] | None = None

    def points(self, order: Ints) -> Recurrences:
        """Return the points; order : (n,) the position of each rank in what was given."""
        rounds: list[tuple[Ints, Ints, Floats, Ints, Ints]] = []
        while self._alive.any():
            if self._kept is None:
                self._kept = self._kept_if_few()
            times, first_free = self._strengths()
            self._alive &= times >= self._rule.min_times
            self._thin()
            rounds += self._take_strongest(times, first_free)
        nothing = np.empty(0, dtype=np.int64)
        site, times, gaps, many, ranks = (
            np.concatenate([nothing, *parts]) for parts in (zip(*rounds, strict=True) if rounds else [()] * 5)
        )
        return Recurrences(
            self._sites.x[site],
            self._sites.y[site],
            times,
            gaps.astype(np.float64),
            order[ranks],
            many,
        )

    def _searched(self) -> Iterator[_Block]:
        for site, rank in self._sites.circles():
            first = np.flatnonzero(np.diff(site, prepend=-1))
            number = self._spans.numbers(first, rank)
            many = np.diff(first, append=site.size)
            enough = np.repeat(many >= self._rule.min_times, many)
            if not enough.any():
                continue
            small = (column[enough].astype(np.int32) for column in (site, rank, number))
            yield _Block(*small)

    def _kept_if_few(self) -> list[_Block] | None:
        """Return what `_blocks` does as a list, None where that is too much to keep."""
        kept, pairs = [], 0
        for block in self._blocks():
            pairs += block.site.size
            if pairs > _KEPT:
                return None
            kept.append(block)
        return kept

    def _blocks(self) -> Iterable[_Block]:
        """Return who is free round each site that may still be a centre."""
        if self._kept is not None:
            return self._kept
        return (block for whole in self._searched() if (block := self._thinned(whole)).site.size)

    def _thin(self) -> None:
        if self._kept is not None:
            self._kept = [block for whole in self._kept if (block := self._thinned(whole)).site.size]

    def _thinned(self, block: _Block) -> _Block:
        return block.only(self._free[block.rank] & self._alive[block.site])

    def _strengths(self) -> tuple[Ints, Ints]:
        """Return how many times count round each site, 0 where never enough in the window, and its first free rank."""
        times = np.zeros(self._alive.size, dtype=np.int64)
        first_free = np.full(self._alive.size, self._free.size, dtype=np.int64)
        for block in self._blocks():
            chains = Chains.over(block.site, block.number, self._spans.follow)
            site = block.site[chains.first]
            often = chains.within(self._spans.start[block.number], self._rule.min_times, self._rule.window)
            own = self._sites.of[block.rank] == block.site
            first_free[site] = np.minimum.reduceat(np.where(own, block.rank, self._free.size), chains.first)
            times[site] = chains.lengths(often & (first_free[site] < self._free.size))
        return times, first_free

    def _take_strongest(self, times: Ints, first_free: Ints) -> list[tuple[Ints, Ints, Floats, Ints, Ints]]:
        """Take the centres that are stronger than all that share an incident with them.

        Returns of each block of them the sites, times, mean gaps in days, numbers of members, and their ranks.
        """
        alive = np.flatnonzero(self._alive)
        standing = np.empty(self._alive.size, dtype=np.int32)
        standing[alive[np.lexsort((first_free[alive], -times[alive]))]] = np.arange(alive.size)
        best = np.full(self._free.size, alive.size, dtype=np.int32)
        for block in self._blocks():
            np.minimum.at(best, block.rank, standing[block.site])
        taken = []
        for block in self._blocks():
            first = block.first()
            strongest = np.logical_and.reduceat(best[block.rank] == standing[block.site], first)
            if not strongest.any():
                continue
            many = np.diff(first, append=block.site.size)
            won = block.only(np.repeat(strongest, many))
            chains = Chains.over(won.site, won.number, self._spans.follow)
            site = won.site[chains.first].astype(np.int64)
            begins, ends = chains.ends(self._spans.start[won.number], self._spans.end[won.number])
            gaps = (ends - begins) / (_DAY * np.maximum(1, times[site] - 1))
            taken.append((site, times[site], gaps, many[strongest], won.rank.astype(np.int64)))
        for site, _, _, _, ranks in taken:
            self._free[ranks] = False
            self._alive[site] = False
        self._thin()
        return taken
