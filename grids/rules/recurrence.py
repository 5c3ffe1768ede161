"""Places where the same trouble comes back: recurrent problem points (反复问题点).

A place is recurrent when one category happened there at least three times within 90 days, each time at least
a day after the one before and, where the closing times are known, after that one was closed. The radius of
"there" is the category's own. Waterlogging is counted per rain episode instead, as gauges tell them
(`grids.rules.rain`). Where none was read, reports less than six hours apart are one rain: the gap between reports
stands for the dry gap, and a rain that nobody reports for six hours counts as two.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from math import inf

import numpy as np
from numpy.typing import NDArray

from gis.errors import InvalidInput
from grids.rules.categories import WATERLOGGING
from grids.rules.centres import (
    MIN_GAP,
    MIN_TIMES,
    STILL_OPEN,
    WINDOW_DAYS,
    Recurrences,
    recurrence_rule,
    recurrences_of,
)
from grids.rules.chains import longest_chain
from grids.rules.moments import MICROSECOND, micros, moment
from grids.rules.rain import DRY_GAP, NO_RAIN, Rain, rain_starts

__all__ = [
    "RecurrenceKind",
    "RecurrentPoint",
    "counted_times",
    "find_recurrences",
]


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
    rule = recurrence_rule(window_days, min_times, min_gap, rain_gap)
    starts = _microseconds(at)
    closed = None if closed_at is None else _microseconds(closed_at)
    _check(x_m, y_m, starts, closed, category, radius_m)
    places: dict[str, int] = {}
    kinds = np.fromiter((places.setdefault(code, len(places)) for code in category), np.int32, len(category))
    points: list[RecurrentPoint] = []
    for code, place in places.items():
        if code not in radius_m:
            continue
        rows = np.flatnonzero(kinds == place)
        rainy = code in rain_categories
        found = recurrences_of(
            x_m[rows],
            y_m[rows],
            starts[rows],
            float(radius_m[code]),
            closed_at=None if closed is None else closed[rows],
            rain=rain if rainy else None,
            rule=rule,
        )
        kind = RecurrenceKind.RAIN_EPISODES if rainy else RecurrenceKind.INCIDENTS
        points.extend(_points(code, kind, found, rows, starts))
    return sorted(points, key=lambda p: (-p.times, p.category, p.first_at, p.x_m, p.y_m))


def _points(
    category: str,
    kind: RecurrenceKind,
    found: Recurrences,
    rows: NDArray[np.int64],
    starts: NDArray[np.int64],
) -> Iterator[RecurrentPoint]:
    for place, (begin, end) in enumerate(pairwise([0, *np.cumsum(found.sizes).tolist()])):
        members = rows[found.members[begin:end]]
        yield RecurrentPoint(
            x_m=float(found.x_m[place]),
            y_m=float(found.y_m[place]),
            category=category,
            times=int(found.times[place]),
            first_at=moment(int(starts[members[0]])),
            last_at=moment(int(starts[members[-1]])),
            members=tuple(members.tolist()),
            mean_gap_days=float(found.mean_gap_days[place]),
            kind=kind,
        )


def counted_times(
    at: Sequence[datetime], closed_at: Sequence[datetime | None], *, rain: Rain | None = None
) -> list[datetime]:
    """Return the times that count among what happened at one place: the starts of a largest set, by time.

    at : aware, in order; closed_at : None while open. rain : for a category that rain causes; None for the others.
    """
    if rain is not None:
        return list(dict.fromkeys(rain_starts(at, rain)))
    gap = MIN_GAP // MICROSECOND
    spans = []
    for start, closed in zip(at, closed_at, strict=True):
        begin = micros(start)
        spans.append((begin, STILL_OPEN if closed is None else max(begin + gap, micros(closed))))
    return [moment(start) for start in longest_chain(spans)]


def _microseconds(at: NDArray[np.datetime64]) -> NDArray[np.int64]:
    moments = np.asarray(at, dtype="datetime64[us]")
    return np.where(np.isnat(moments), STILL_OPEN, moments.astype(np.int64))


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
    bad = {code: radius for code, radius in radius_m.items() if not 0 < radius < inf}
    if bad:
        raise InvalidInput("bad_recurrence_rule", f"a radius is above 0 metres, got {bad}", field="radius_m")
