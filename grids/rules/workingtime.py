"""Office hours between many pairs of moments at once: what `WorkCalendar.working_time` is to one pair.

The working time before a moment is that of the whole days before it and of the part of its own day; between two
moments lies the difference. So a million pairs cost a few passes over arrays, however far they are apart.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from grids.rules.calendar import SHANGHAI, WorkCalendar

__all__ = ["working_micros"]

_MICRO = timedelta(microseconds=1)
_DAY = timedelta(days=1) // _MICRO
_AHEAD = int((datetime(2000, 1, 1, tzinfo=SHANGHAI).utcoffset() or timedelta()) / _MICRO)


def working_micros(
    calendar: WorkCalendar, start: NDArray[np.datetime64], end: NDArray[np.datetime64]
) -> NDArray[np.int64]:
    """Return the office hours between moments in microseconds; 0 where the end comes first.

    start, end : (n,) datetime64, UTC, none missing. Moments before 1992, when China had summer time, are counted by
    today's offset. Raises `Unavailable` ("calendar_unknown") where a day from a start to its end is not in the
    calendar: none is guessed.
    """
    begins = start.astype("datetime64[us]").astype(np.int64) + _AHEAD
    ends = np.maximum(end.astype("datetime64[us]").astype(np.int64) + _AHEAD, begins)
    if not begins.size:
        return np.zeros(0, dtype=np.int64)
    first, last = int(begins.min() // _DAY), int(ends.max() // _DAY)
    days = [date(1970, 1, 1) + timedelta(days=day) for day in range(first, last + 1)]
    known = np.array([calendar.days.get(day) is not None for day in days])
    missing = np.concatenate([[0], np.cumsum(~known)])
    begin_day, end_day = begins // _DAY - first, ends // _DAY - first
    unknown = np.flatnonzero(missing[end_day + 1] > missing[begin_day])
    if unknown.size:
        at = int(begin_day[unknown[0]])
        calendar.is_working_day(days[at + int(np.argmin(known[at:]))])  # raises in its own words
    working = np.array([bool(calendar.days.get(day)) for day in days])
    before = np.concatenate([[0], np.cumsum(working * (calendar.day_length // _MICRO))])
    windows = [
        ((opens - _midnight()) // _MICRO, (closes - _midnight()) // _MICRO)
        for opens, closes in calendar.windows_on(date(2000, 1, 1))
    ]

    def worked(moments: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.int64]:
        since_midnight = moments % _DAY
        today = np.zeros_like(moments)
        for opens, closes in windows:
            today += np.clip(since_midnight - opens, 0, closes - opens)
        result: NDArray[np.int64] = before[day] + np.where(working[day], today, 0)
        return result

    return worked(ends, end_day) - worked(begins, begin_day)


def _midnight() -> datetime:
    return datetime(2000, 1, 1, tzinfo=SHANGHAI).astimezone(UTC)
