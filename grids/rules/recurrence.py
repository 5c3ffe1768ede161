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
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

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

_WIDER = 1 + 1e-9  # what a search tree may round away; who is near is then said by `hypot`
_AT_ONCE = 1 << 21  # pairs of sites looked at in one go
_KEPT = (
    1 << 25
)  # incidents in circles up to which these are kept, some 130 MB; the others are searched for again

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


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
    places: dict[str, int] = {}
    kinds = np.fromiter((places.setdefault(code, len(places)) for code in category), np.int32, len(category))
    by_category = np.argsort(kinds, kind="stable")
    ends = np.cumsum(np.bincount(kinds, minlength=len(places))).tolist()
    points: list[RecurrentPoint] = []
    for code, begin, end in zip(places, [0, *ends], ends, strict=False):
        if code not in radius_m:
            continue
        rows = by_category[begin:end]
        rainy = code in rain_categories
        span_ends = _ends(starts[rows], None if rainy or closed is None else closed[rows], rule)
        place = _Category(
            code,
            _Incidents.by_time(starts[rows], span_ends, x_m[rows], y_m[rows], rows),
            float(radius_m[code]),
            rule,
            rain if rainy else None,
        )
        points.extend(place.points())
    return sorted(points, key=lambda p: (-p.times, p.category, p.first_at, p.x_m, p.y_m))


@dataclass(frozen=True, slots=True)
class _Incidents:
    """Incidents of one category by time; each field is (n,), and a rank is a position in them.

    start, end : microseconds; from `end` on a next one counts. row : the positions in what was given.
    """

    start: Ints
    end: Ints
    x: Floats
    y: Floats
    row: Ints

    @classmethod
    def by_time(cls, start: Ints, end: Ints, x: Floats, y: Floats, row: Ints) -> _Incidents:
        order = np.lexsort((row, y, x, start))
        return cls(start[order], end[order], x[order], y[order], row[order])


class _Sites:
    """The different coordinates at which a category happened, and who is near whom; all at one site have one circle.

    of : (n,) the site of each rank. ranks, begin, many : the ranks at each site, by time.
    """

    def __init__(self, incidents: _Incidents, radius: float) -> None:
        self.radius = radius
        x, y = incidents.x, incidents.y
        order = np.lexsort((y, x))
        first = np.ones(order.size, dtype=np.bool_)
        first[1:] = (np.diff(x[order]) != 0) | (np.diff(y[order]) != 0)
        self.begin = np.flatnonzero(first)
        self.many = np.diff(self.begin, append=order.size)
        self.ranks = order  # stable, so that those at one site are by time
        self.of = np.empty(order.size, dtype=np.int64)
        self.of[order] = np.cumsum(first) - 1
        self.x, self.y = x[order][first], y[order][first]
        self.tree = cKDTree(np.column_stack([self.x, self.y]))

    def around(self, site: int) -> list[int]:
        """Return the ranks within the radius of a site, by time."""
        x, y = float(self.x[site]), float(self.y[site])
        near = [
            other
            for other in self.tree.query_ball_point((x, y), self.radius * _WIDER)
            if math.hypot(self.x[other] - x, self.y[other] - y) <= self.radius
        ]
        found: list[int] = np.sort(np.concatenate([self.at(other) for other in near])).tolist()
        return found

    def at(self, site: int) -> Ints:
        """Return the ranks at a site, by time."""
        begin = int(self.begin[site])
        ranks: Ints = self.ranks[begin : begin + int(self.many[site])]
        return ranks

    def circles(self) -> Iterator[tuple[Ints, Ints]]:
        """Yield (site, rank) of all who are near a site, by site and then by time, some whole sites at a time."""
        near = self.tree.query_ball_point(self.tree.data, self.radius * _WIDER, return_length=True)
        cuts = np.searchsorted(np.cumsum(near), np.arange(0, int(near.sum()), _AT_ONCE), "right").tolist()
        for begin, end in zip(cuts, [*cuts[1:], near.size], strict=True):
            if begin == end:
                continue
            some = cKDTree(self.tree.data[begin:end])
            pairs = some.sparse_distance_matrix(self.tree, self.radius * _WIDER, output_type="ndarray")
            site, other = pairs["i"].astype(np.int64) + begin, pairs["j"].astype(np.int64)
            within = self._within(site, other)
            site, other = site[within], other[within]
            many = self.many[other]
            shift = self.begin[other] - (np.cumsum(many) - many)
            rank = self.ranks[np.repeat(shift, many) + np.arange(int(many.sum()))]
            key = np.repeat(site, many) * self.of.size + rank
            key.sort()
            yield key // self.of.size, key % self.of.size

    def _within(self, site: Ints, other: Ints) -> Bools:
        dx, dy = self.x[other] - self.x[site], self.y[other] - self.y[site]
        away = np.hypot(dx, dy)
        within: Bools = away <= self.radius
        brink = np.flatnonzero(np.abs(away - self.radius) <= self.radius * (_WIDER - 1))
        within[brink] = [
            math.hypot(a, b) <= self.radius
            for a, b in zip(dx[brink].tolist(), dy[brink].tolist(), strict=True)
        ]
        return within


class _Category:
    """The incidents of one category, and the places that they make."""

    def __init__(
        self, code: str, incidents: _Incidents, radius: float, rule: _Rule, rain: Rain | None
    ) -> None:
        self.code, self.incidents, self.rule = code, incidents, rule
        self.sites = _Sites(incidents, radius)
        self.spans = list(zip(incidents.start.tolist(), incidents.end.tolist(), strict=True))
        self.rainy = rain is not None
        self.moments = [_moment(start) for start, _ in self.spans] if self.rainy else []
        self.behind = [rain.behind(moment) for moment in self.moments] if rain is not None else []
        self.free = bytearray(b"\1" * len(self.spans))
        self.episodes: dict[int, dict[int, int]] = {}
        self.circles: dict[int, NDArray[np.int32]] = {}
        self.kept = 0

    def points(self) -> list[RecurrentPoint]:
        """Take the strongest centre again and again.

        The heap holds bounds: the times around a centre only fall as members go elsewhere, so a centre whose
        bound still holds when it comes to the top is the strongest there is. Of a site it holds the first incident
        that is still free, which of equals there is the one to take.
        """
        sites, times = self._bounds()
        ranks = self.sites.ranks[self.sites.begin[sites]]
        heap = list(zip((-times).tolist(), ranks.tolist(), sites.tolist(), strict=True))
        heapq.heapify(heap)
        found: list[RecurrentPoint] = []
        while heap and -heap[0][0] >= self.rule.min_times:
            bound, rank, site = heapq.heappop(heap)
            if not self.free[rank]:
                first = next((one for one in self.sites.at(site).tolist() if self.free[one]), None)
                if first is not None:
                    heapq.heappush(heap, (bound, first, site))
                continue
            around = self._around(site)
            members = [one for one in around if self.free[one]]
            spans = self._spans(site, members)
            if (self.rainy or len(members) < len(around)) and not _within_window(spans, self.rule):
                continue  # the bounds say it where nobody is taken yet
            counted = _most_times(spans)
            if len(counted) < -bound:
                heapq.heappush(heap, (-len(counted), rank, site))
                continue
            for member in members:
                self.free[member] = 0
            found.append(self._point(site, members, counted))
        return found

    def _bounds(self) -> tuple[Ints, Ints]:
        """Return the sites that may be centres, and how many times at most count around each."""
        sites, times = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
        for site, rank in self.sites.circles():
            first = np.flatnonzero(np.diff(site, prepend=-1))
            if self.rainy:
                many = np.diff(first, append=site.size)
            else:
                many = _times_around(site, rank, first, self.incidents, self.rule)
            enough = many >= self.rule.min_times
            sites.append(site[first][enough])
            times.append(many[enough])
            self._keep(site[first][enough], first[enough], np.diff(first, append=site.size)[enough], rank)
        return np.concatenate(sites), np.concatenate(times)

    def _keep(self, sites: Ints, begin: Ints, many: Ints, rank: Ints) -> None:
        """Keep who is around some sites, as long as that is not too much for the memory."""
        self.kept += int(many.sum())
        if self.kept <= _KEPT:
            ranks = rank.astype(np.int32)
            for site, start, length in zip(sites.tolist(), begin.tolist(), many.tolist(), strict=True):
                self.circles[site] = ranks[start : start + length]

    def _around(self, site: int) -> list[int]:
        """Return the ranks around a site, by time."""
        circle = self.circles.get(site)
        return self.sites.around(site) if circle is None else circle.tolist()

    def _point(self, site: int, members: list[int], counted: list[int]) -> RecurrentPoint:
        return RecurrentPoint(
            x_m=float(self.sites.x[site]),
            y_m=float(self.sites.y[site]),
            category=self.code,
            times=len(counted),
            first_at=_moment(self.spans[members[0]][0]),
            last_at=_moment(self.spans[members[-1]][0]),
            members=tuple(self.incidents.row[members].tolist()),
            mean_gap_days=(counted[-1] - counted[0]) / (86_400 * SECOND * max(1, len(counted) - 1)),
            kind=RecurrenceKind.RAIN_EPISODES if self.rainy else RecurrenceKind.INCIDENTS,
        )

    def _spans(self, site: int, members: list[int]) -> list[tuple[int, int]]:
        """Start of each member, and the moment from which a next one counts; one span for a rain episode."""
        if not self.rainy:
            return [self.spans[member] for member in members]
        began = self._episodes(site)
        return [(start, start + 1) for start in dict.fromkeys(began[member] for member in members)]

    def _episodes(self, site: int) -> dict[int, int]:
        """Return when the rain of each report around a centre began, as all reports there tell it.

        Reports taken by another point count here too, and the rains are told apart once: so taking members
        away can only lower the count.
        """
        if site not in self.episodes:
            around = self._around(site)
            began = starts_of(
                [self.moments[other] for other in around],
                [self.behind[other] for other in around],
                timedelta(microseconds=self.rule.rain_gap),
            )
            self.episodes[site] = {other: _number(start) for other, start in zip(around, began, strict=True)}
        return self.episodes[site]


def _times_around(site: Ints, rank: Ints, first: Ints, incidents: _Incidents, rule: _Rule) -> Ints:
    """Return how many times count around each site while nobody is taken yet, 0 where never enough in the window.

    site, rank : who is near each site, by site and then by time; first : where each site begins. What `_most_times`
    and `_within_window` do for one centre, for all at once: each step is a search in one sorted array of numbers that
    hold the site and the rank.
    """
    size = incidents.start.size + 1  # a rank of n: after the last
    key = site * size + rank
    after = site * size + np.searchsorted(incidents.start, incidents.end, "left")[rank]
    own = np.searchsorted(key, after, "left")  # the first that counts after each
    # of those from each on, the one that ends first; the numbers of a site are all above those of the sites before
    best = np.searchsorted(key, np.minimum.accumulate(after[::-1])[::-1], "left")
    past = np.repeat(np.append(first[1:], site.size), np.diff(first, append=site.size))
    start = incidents.start[rank]
    place, soon = own, np.ones(site.size, dtype=np.bool_)
    for step in range(rule.min_times - 1):
        if step:
            place = best[np.minimum(place, site.size - 1)]
        soon &= place < past
        soon &= start[np.minimum(place, site.size - 1)] - start <= rule.window
    often = np.add.reduceat(soon.astype(np.int64), first) > 0
    times = np.zeros(first.size, dtype=np.int64)
    going, place = np.flatnonzero(often), first[often]
    while going.size:
        times[going] += 1
        end, place = past[place], best[place]
        on = place < end
        going, place = going[on], place[on]
    return times


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


def _ends(starts: Ints, closed: Ints | None, rule: _Rule) -> Ints:
    soonest = starts + rule.min_gap
    return soonest if closed is None else np.maximum(soonest, closed)


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
