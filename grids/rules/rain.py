"""Rain as a series of episodes, from what gauges collected; which episode put water on a street.

An episode is rain without a dry gap in it: it rains while any gauge of the district collects something, and what
falls less than the gap after that belongs to it still. Six hours is the minimum inter-event time that urban
drainage usually works with; like every figure here it is our default and an argument of the function.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from gis.errors import InvalidInput
from grids.rules.moments import MICROSECOND, moment

__all__ = [
    "DRAINS",
    "DRY_GAP",
    "NO_RAIN",
    "WET_MM",
    "Rain",
    "RainEpisode",
    "rain_of",
    "rain_starts",
]

DRY_GAP = timedelta(hours=6)
"""How long it stays dry between two episodes."""

WET_MM = 0.1
"""What a gauge collects at least in one reading while it rains: the step of a common tipping bucket."""

DRAINS = timedelta(hours=12)
"""How long after an episode water that is reported is still that episode's."""


@dataclass(frozen=True, slots=True)
class RainEpisode:
    """One rain. mm : the most that one gauge collected in it; peak_mm_h : the most within one reading, per hour."""

    began_at: datetime
    ended_at: datetime
    mm: float
    peak_mm_h: float = 0.0


@dataclass(frozen=True)
class Rain:
    """Episodes by time, and the spans for which gauges were read, so that "no rain" is not mistaken for "unknown"."""

    episodes: tuple[RainEpisode, ...] = ()
    known: tuple[tuple[datetime, datetime], ...] = ()

    def known_share(self, since: datetime, until: datetime) -> float:
        """Return for how much of a span some gauge was read, 0 to 1."""
        read = sum(
            (
                min(end, until) - max(begin, since)
                for begin, end in self.known
                if begin < until and end > since
            ),
            timedelta(),
        )
        return read / (until - since) if until > since else 0.0

    def behind(self, at: datetime, drains: timedelta = DRAINS) -> RainEpisode | None:
        """Return the rain that water seen at a moment comes from; None when it had been dry for long."""
        position = bisect_right(self.episodes, at, key=lambda one: one.began_at) - 1
        if position < 0 or at > self.episodes[position].ended_at + drains:
            return None
        return self.episodes[position]

    def over(self, since: datetime, until: datetime, mm: float) -> list[RainEpisode]:
        """Return the episodes of at least so many millimetres that began and ended between two moments."""
        return [
            one for one in self.episodes if one.began_at >= since and one.ended_at <= until and one.mm >= mm
        ]


NO_RAIN = Rain()
"""Nothing is known of the rain."""


def rain_of(
    at: NDArray[np.datetime64],
    minutes: NDArray[np.int64],
    mm: NDArray[np.float64],
    gauge: Sequence[str],
    *,
    dry_gap: timedelta = DRY_GAP,
    wet_mm: float = WET_MM,
) -> Rain:
    """Return the episodes that n readings of one or more gauges tell of.

    at : (n,) datetime64, UTC: when a reading began; minutes : (n,) for how long it was collected; mm : (n,) how much;
    gauge : (n,) names. In any order. It is wet when any gauge is. An episode ends with the last wet reading before
    `dry_gap` or more without any; it may hold spans in which no gauge was read, if they are shorter than that.
    Raises `InvalidInput` ("bad_rain") for lengths that differ, negative rain or readings of no length.
    """
    if not len(at) == len(minutes) == len(mm) == len(gauge):
        raise InvalidInput("bad_rain", "the arrays have different lengths", field="rain")
    if len(at) == 0:
        return NO_RAIN
    if not bool(np.all(np.isfinite(mm)) and np.all(mm >= 0) and np.all(minutes > 0)):
        raise InvalidInput("bad_rain", "rain is 0 mm or more, over at least a minute", field="mm")
    order = np.argsort(at, kind="stable")
    starts = at[order].astype("datetime64[us]").astype(np.int64)
    ends = starts + minutes[order].astype(np.int64) * 60_000_000
    fallen = mm[order].astype(np.float64)
    names = np.unique(np.asarray(gauge, dtype=object)[order].astype(str), return_inverse=True)[1]
    known = [(moment(begin), moment(end)) for begin, end in _joined(starts, ends, 0)]
    wet = fallen >= wet_mm
    if not wet.any():
        return Rain((), tuple(known))
    starts, ends, fallen, names = starts[wet], ends[wet], fallen[wet], names[wet]
    hourly = fallen / ((ends - starts) / 3_600_000_000)
    gap = dry_gap // MICROSECOND
    spans = _joined(starts, ends, gap - 1)  # a dry span of the whole gap parts two
    firsts = np.searchsorted(starts, [begin for begin, _ in spans])
    episodes = []
    for (begin, end), first, last in zip(spans, firsts, [*firsts[1:], len(starts)], strict=True):
        by_gauge = np.bincount(names[first:last], weights=fallen[first:last])
        peak = round(float(hourly[first:last].max()), 2)
        episodes.append(RainEpisode(moment(begin), moment(end), round(float(by_gauge.max()), 2), peak))
    return Rain(tuple(episodes), tuple(known))


def _joined(starts: NDArray[np.int64], ends: NDArray[np.int64], gap: int) -> list[tuple[int, int]]:
    """Return spans, sorted by start, as those that lie more than `gap` apart (microseconds)."""
    reached = np.maximum.accumulate(ends)
    breaks = np.flatnonzero(starts[1:] - reached[:-1] > gap) + 1
    firsts = np.concatenate(([0], breaks))
    lasts = np.concatenate((breaks, [len(starts)])) - 1
    return [(int(starts[a]), int(reached[b])) for a, b in zip(firsts, lasts, strict=True)]


def rain_starts(at: Sequence[datetime], rain: Rain = NO_RAIN, gap: timedelta = DRY_GAP) -> list[datetime]:
    """Return when the rain of each of several reports of water at one place began.

    at : aware, in order. The rain is the episode that a report lies in or shortly after (`DRAINS`). Where no gauge
    tells of one, reports less than `gap` apart are taken for one rain, which begins with the first of them. The
    answer never falls from one report to the next.
    """
    began: list[datetime] = []
    for position, told in enumerate(at):
        episode = rain.behind(told)
        if episode is not None:
            start = episode.began_at
        elif position and told - at[position - 1] < gap:
            start = began[-1]
        else:
            start = told
        began.append(max(start, began[-1]) if began else start)
    return began
