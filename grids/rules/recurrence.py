"""Places where the same trouble comes back: recurrent problem points (反复问题点).

A place is recurrent when one category happened there at least three times within 90 days, each time at least
a day after the one before and, where the closing times are known, after that one was closed. The radius of
"there" is the category's own. Waterlogging is counted per rain episode instead, as gauges tell them
(`grids.rules.rain`). Where none was read, reports less than six hours apart are one rain: the gap between reports
stands for the dry gap, and a rain that nobody reports for six hours counts as two.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from gis.errors import InvalidInput
from grids.rules.categories import WATERLOGGING
from grids.rules.rain import DRY_GAP, NO_RAIN, Rain, rain_starts, starts_of

__all__ = [
    "MIN_GAP",
    "MIN_TIMES",
    "WINDOW_DAYS",
    "RecurrenceKind",
    "RecurrentPoint",
    "counted_times",
    "find_recurrences",
]

WINDOW_DAYS = 90
MIN_TIMES = 3
MIN_GAP = timedelta(hours=24)

STILL_OPEN = np.iinfo(np.int64).max
SECOND = 1_000_000


class RecurrenceKind(StrEnum):
    """What was counted as one time: a new incident, or a rain episode."""

    INCIDENTS = "incidents"
    RAIN_EPISODES = "rain_episodes"


@dataclass(frozen=True, slots=True)
class RecurrentPoint:
    """One place and what came back there.

    x_m, y_m : metres; the place of one of its incidents, from which all members lie within the radius.
    times : how often it came back as the rule counts, over the whole period given.
    first_at, last_at : first and last member (UTC).
    members : positions in the arrays given, by time; those too close in time to count are among them.
    mean_gap_days : mean time between the counted ones.
    """

    x_m: float
    y_m: float
    category: str
    times: int
    first_at: datetime
    last_at: datetime
    members: tuple[int, ...]
    mean_gap_days: float
    kind: RecurrenceKind


@dataclass(frozen=True, slots=True)
class _Rule:
    window: int
    min_times: int
    min_gap: int
    rain_gap: int


def find_recurrences(
    x_m: NDArray[np.float64],
    y_m: NDArray[np.float64],
    at: NDArray[np.datetime64],
    category: Sequence[str],
    radius_m: Mapping[str, float],
    *,
    closed_at: NDArray[np.datetime64] | None = None,
    window_days: float = WINDOW_DAYS,
    min_times: int = MIN_TIMES,
    min_gap: timedelta = MIN_GAP,
    rain_categories: Collection[str] = WATERLOGGING,
    rain_gap: timedelta = DRY_GAP,
    rain: Rain = NO_RAIN,
) -> list[RecurrentPoint]:
    """Return the recurrent points among n incidents, the most frequent first.

    x_m, y_m : (n,) metres in any metric frame, finite. at : (n,) datetime64, UTC. category : (n,) codes.
    radius_m : category -> metres; a category that is not named has no place and is left out.
    closed_at : (n,) datetime64, UTC, NaT while open; a next time then counts only after the one before was
    closed.
        Not used for waterlogging, where the next rain is a next time whatever the state of the case.
    window_days, min_times : how many times within how many days make a place recurrent.
    min_gap : the least time between two that both count.
    rain : what gauges tell of the rain; rain_gap : the gap between reports that stands for a dry one elsewhere.

    Greedy: of all incidents taken as a centre, the one with the most times around it becomes a point and
    takes its members along, until none is left with enough; of equals the earliest. The result does not
    depend on the order of the input. Merged duplicates should be left out by the caller. Raises
    `InvalidInput("bad_incidents")` when lengths differ or a coordinate or time is missing,
    `InvalidInput("bad_recurrence_rule")` for numbers that make no rule.
    """
    rule = _rule(window_days, min_times, min_gap, rain_gap)
    starts = _microseconds(at)
    closed = None if closed_at is None else _microseconds(closed_at)
    _check(x_m, y_m, starts, closed, category, radius_m)
    by_category: defaultdict[str, list[int]] = defaultdict(list)
    for index, code in enumerate(category):
        if code in radius_m:
            by_category[code].append(index)
    points: list[RecurrentPoint] = []
    for code, rows in by_category.items():
        rainy = code in rain_categories
        ends = [_end(int(starts[i]), None if rainy or closed is None else int(closed[i]), rule) for i in rows]
        place = _Category(
            code,
            sorted(
                (int(starts[i]), float(x_m[i]), float(y_m[i]), i, end)
                for i, end in zip(rows, ends, strict=True)
            ),
            float(radius_m[code]),
            rule,
            rain if rainy else None,
        )
        points.extend(place.points())
    return sorted(points, key=lambda p: (-p.times, p.category, p.first_at, p.x_m, p.y_m))


class _Category:
    """The incidents of one category, by time, in square bins as wide as the radius."""

    def __init__(
        self,
        code: str,
        incidents: list[tuple[int, float, float, int, int]],
        radius: float,
        rule: _Rule,
        rain: Rain | None,
    ) -> None:
        self.code, self.incidents, self.radius, self.rule = code, incidents, radius, rule
        self.rainy = rain is not None
        self.moments = [_moment(incident[0]) for incident in incidents] if self.rainy else []
        self.behind = [rain.behind(moment) for moment in self.moments] if rain is not None else []
        self.free = [True] * len(incidents)
        self.episodes: dict[int, dict[int, int]] = {}
        self.bins: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for rank, (_, x, y, _, _) in enumerate(incidents):
            self.bins[self._bin(x, y)].append(rank)

    def points(self) -> list[RecurrentPoint]:
        """Take the strongest centre again and again.

        The heap holds bounds: the times around a centre only fall as members go elsewhere, so a centre whose
        bound still holds when it comes to the top is the strongest there is.
        """
        heap = [(-len(self._around_bins(rank)), rank) for rank in range(len(self.incidents))]
        heapq.heapify(heap)
        found: list[RecurrentPoint] = []
        while heap and -heap[0][0] >= self.rule.min_times:
            bound, rank = heapq.heappop(heap)
            if not self.free[rank]:
                continue
            members = self._around(rank)
            spans = self._spans(rank, members)
            if not _within_window(spans, self.rule):
                continue
            counted = _most_times(spans)
            if len(counted) < -bound:
                heapq.heappush(heap, (-len(counted), rank))
                continue
            for member in members:
                self.free[member] = False
            found.append(self._point(rank, members, counted))
        return found

    def _point(self, rank: int, members: list[int], counted: list[int]) -> RecurrentPoint:
        _, x, y, _, _ = self.incidents[rank]
        return RecurrentPoint(
            x_m=x,
            y_m=y,
            category=self.code,
            times=len(counted),
            first_at=_moment(self.incidents[members[0]][0]),
            last_at=_moment(self.incidents[members[-1]][0]),
            members=tuple(self.incidents[member][3] for member in members),
            mean_gap_days=(counted[-1] - counted[0]) / (86_400 * SECOND * max(1, len(counted) - 1)),
            kind=RecurrenceKind.RAIN_EPISODES if self.rainy else RecurrenceKind.INCIDENTS,
        )

    def _bin(self, x: float, y: float) -> tuple[int, int]:
        return math.floor(x / self.radius), math.floor(y / self.radius)

    def _around_bins(self, rank: int) -> list[int]:
        _, x, y, _, _ = self.incidents[rank]
        column, line = self._bin(x, y)
        return [
            other
            for i in (column - 1, column, column + 1)
            for j in (line - 1, line, line + 1)
            for other in self.bins.get((i, j), ())
        ]

    def _around(self, rank: int, *, taken_too: bool = False) -> list[int]:
        """Ranks within the radius of a centre, by time."""
        _, x, y, _, _ = self.incidents[rank]
        return sorted(
            other
            for other in self._around_bins(rank)
            if (taken_too or self.free[other])
            and math.hypot(self.incidents[other][1] - x, self.incidents[other][2] - y) <= self.radius
        )

    def _spans(self, rank: int, members: list[int]) -> list[tuple[int, int]]:
        """Start of each member, and the moment from which a next one counts; one span for a rain episode."""
        if not self.rainy:
            return [(self.incidents[member][0], self.incidents[member][4]) for member in members]
        began = self._episodes(rank)
        return [(start, start + 1) for start in dict.fromkeys(began[member] for member in members)]

    def _episodes(self, rank: int) -> dict[int, int]:
        """Return when the rain of each report around a centre began, as all reports there tell it.

        Reports taken by another point count here too, and the rains are told apart once: so taking members
        away can only lower the count.
        """
        if rank not in self.episodes:
            around = self._around(rank, taken_too=True)
            began = starts_of(
                [self.moments[other] for other in around],
                [self.behind[other] for other in around],
                timedelta(microseconds=self.rule.rain_gap),
            )
            self.episodes[rank] = {other: _number(start) for other, start in zip(around, began, strict=True)}
        return self.episodes[rank]


def counted_times(
    at: Sequence[datetime], closed_at: Sequence[datetime | None], *, rain: Rain | None = None
) -> list[datetime]:
    """Return the times that count among what happened at one place: the starts of a largest set, by time.

    at : aware, in order; closed_at : None while open. rain : for a category that rain causes; None for the others.
    """
    if rain is not None:
        return list(dict.fromkeys(rain_starts(at, rain)))
    gap = MIN_GAP // timedelta(microseconds=1)
    spans = []
    for start, closed in zip(at, closed_at, strict=True):
        begin = _number(start)
        spans.append((begin, STILL_OPEN if closed is None else max(begin + gap, _number(closed))))
    return [_moment(start) for start in _most_times(spans)]


def _most_times(spans: list[tuple[int, int]]) -> list[int]:
    """Starts of a largest set of spans that do not overlap (interval scheduling: earliest end first)."""
    starts, earliest = [start for start, _ in spans], _earliest_ends(spans)
    counted: list[int] = []
    position = 0
    while position < len(spans):
        end, start = earliest[position]
        counted.append(start)
        position = bisect_left(starts, end, lo=position)
    return counted


def _within_window(spans: list[tuple[int, int]], rule: _Rule) -> bool:
    """Say whether `min_times` spans follow each other, the last starting within the window of the first."""
    starts, earliest = [start for start, _ in spans], _earliest_ends(spans)
    for first, (start, end) in enumerate(spans):
        position = first
        for _ in range(rule.min_times - 1):
            position = bisect_left(starts, end, lo=position)
            if position == len(spans) or starts[position] - start > rule.window:
                break
            end = earliest[position][0]
        else:
            return True
    return False


def _earliest_ends(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """For each position, (end, start) of the span from there on that ends first."""
    earliest: list[tuple[int, int]] = [(0, 0)] * len(spans)
    best = (STILL_OPEN + 1, 0)
    for position in range(len(spans) - 1, -1, -1):
        start, end = spans[position]
        best = min(best, (end, start))
        earliest[position] = best
    return earliest


def _end(start: int, closed: int | None, rule: _Rule) -> int:
    return start + rule.min_gap if closed is None else max(start + rule.min_gap, closed)


def _microseconds(at: NDArray[np.datetime64]) -> NDArray[np.int64]:
    moments = np.asarray(at, dtype="datetime64[us]")
    return np.where(np.isnat(moments), STILL_OPEN, moments.astype(np.int64))


def _number(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _moment(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def _rule(window_days: float, min_times: int, min_gap: timedelta, rain_gap: timedelta) -> _Rule:
    one = timedelta(microseconds=1)
    if not (0 < window_days < math.inf) or min_times < 2 or min_gap < one or rain_gap < one:
        raise InvalidInput(
            "bad_recurrence_rule",
            "a recurrence needs a window above 0 days, at least 2 times, and gaps above 0;"
            f" got {window_days} days, {min_times} times, {min_gap}, {rain_gap}",
            field="rule",
        )
    return _Rule(int(window_days * 86_400 * SECOND), min_times, min_gap // one, rain_gap // one)


def _check(
    x_m: NDArray[np.float64],
    y_m: NDArray[np.float64],
    starts: NDArray[np.int64],
    closed: NDArray[np.int64] | None,
    category: Sequence[str],
    radius_m: Mapping[str, float],
) -> None:
    lengths = {len(x_m), len(y_m), len(starts), len(category)} | (set() if closed is None else {len(closed)})
    if len(lengths) != 1:
        raise InvalidInput(
            "bad_incidents", f"the arrays have different lengths: {sorted(lengths)}", field="incidents"
        )
    missing = ~(np.isfinite(x_m) & np.isfinite(y_m)) | (starts == STILL_OPEN)
    if missing.any():
        index = int(np.flatnonzero(missing)[0])
        raise InvalidInput(
            "bad_incidents", f"incident {index} has no place or no time", field="incidents", index=index
        )
    bad = {code: radius for code, radius in radius_m.items() if not 0 < radius < math.inf}
    if bad:
        raise InvalidInput("bad_recurrence_rule", f"a radius is above 0 metres, got {bad}", field="radius_m")
