"""Which moments count as work: the days a city works, and its office hours on them.

The days are data, announced year by year by the State Council (holidays, and the weekend days worked in
exchange for them), so a calendar knows only the days it was given. A day it was not given is refused, never
guessed from the weekday: a guess would move a deadline that people are judged by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from gis.errors import InvalidInput, Unavailable

__all__ = ["OFFICE_HOURS", "SHANGHAI", "Window", "WorkCalendar", "aware_utc", "forward", "local_day"]

SHANGHAI = ZoneInfo("Asia/Shanghai")
"""The one legal time of China: eight hours ahead of UTC, without summer time since 1992."""

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of one working day, Asia/Shanghai wall time: its first moment counts, its last does not."""

    opens: time
    closes: time

    @property
    def length(self) -> timedelta:
        """How much working time the window holds."""
        return _since_midnight(self.closes) - _since_midnight(self.opens)


OFFICE_HOURS: tuple[Window, ...] = (Window(time(8, 30), time(12, 0)), Window(time(13, 30), time(17, 30)))
"""The office hours that a district starts with: 08:30-12:00 and 13:30-17:30, seven and a half hours.

No law fixes them for the whole country; districts differ by up to an hour, some by season. They are a
default to configure, and a calendar takes any windows that do not overlap and stay within one day.
"""


@dataclass(frozen=True)
class WorkCalendar:
    """The working days of some years and the office hours kept on them; never changes once made.

    days : every known day -> True when it is worked (a make-up Saturday is, a holiday Monday is not).
    windows : office hours of each working day, in order, without overlap.

    All methods raise `Unavailable("calendar_unknown")` when they need a day that is not in `days`, and
    `InvalidInput("naive_time")` for a moment without an offset. Moments go in with any offset, come out in
    UTC.
    Raises `InvalidInput("bad_office_hours")` when the windows are empty, unordered, overlapping or zoned.
    """

    days: Mapping[date, bool]
    windows: tuple[Window, ...] = OFFICE_HOURS
    day_length: timedelta = field(init=False, compare=False)
    """The working time of one whole working day."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "days", MappingProxyType(dict(self.days)))
        object.__setattr__(self, "windows", tuple(self.windows))
        _check_windows(self.windows)
        object.__setattr__(self, "day_length", sum((w.length for w in self.windows), timedelta()))

    def is_working_day(self, day: date) -> bool:
        """Say whether people work on `day`, a date in Asia/Shanghai."""
        working = self.days.get(day)
        if working is None:
            raise Unavailable(
                "calendar_unknown",
                f"the calendar does not know whether {day} is worked: the year {day.year} is not loaded,"
                " or not whole; load it from the State Council's holiday notice for that year",
                year=day.year,
                day=day.isoformat(),
            )
        return working

    def next_working_day(self, day: date) -> date:
        """Return the first working day after `day`, `day` itself excluded."""
        while True:
            day += ONE_DAY
            if self.is_working_day(day):
                return day

    def next_working_moment(self, at: datetime) -> datetime:
        """Return `at` when it lies in office hours, else the moment that the next window opens (UTC)."""
        for opens, closes in self._windows_from(local_day(at)):
            if at < closes:
                return aware_utc(max(at, opens))
        raise AssertionError("the windows of a calendar end only by an unknown day")  # pragma: no cover

    def working_seconds(self, start: datetime, end: datetime) -> float:
        """Return the seconds of office hours between two moments.

        Raises `InvalidInput("period_backwards")` when `end` lies before `start`.
        """
        return self.working_time(start, end).total_seconds()

    def working_time(self, start: datetime, end: datetime) -> timedelta:
        """Return the office hours between two moments, exact to the microsecond."""
        start, end = forward(start, end)
        total, last = timedelta(), local_day(end)
        day = local_day(start)
        while day <= last:
            if self.is_working_day(day):
                for opens, closes in self.windows_on(day):
                    total += max(timedelta(), min(end, closes) - max(start, opens))
            day += ONE_DAY
        return total

    def after_working_time(self, start: datetime, amount: timedelta) -> datetime:
        """Return the first moment (UTC) by which `amount` of office hours has passed since `start`.

        An amount that is used up exactly at closing time ends there, not at the next opening.
        """
        left = amount
        for opens, closes in self._windows_from(local_day(start)):
            begins = max(start, opens)
            if begins >= closes:
                continue
            if left <= closes - begins:
                return aware_utc(begins + left)
            left -= closes - begins
        raise AssertionError("the windows of a calendar end only by an unknown day")  # pragma: no cover

    def moment_in_day(self, day: date, worked: timedelta) -> datetime:
        """Return the first moment (UTC) of `day` by which `worked` of its office hours has passed.

        The whole of the day gives its end of business. `day` is taken as worked without asking the calendar.
        """
        for opens, closes in self.windows_on(day):
            if worked <= closes - opens:
                return aware_utc(opens + worked)
            worked -= closes - opens
        raise InvalidInput(
            "bad_office_hours", "a day holds less working time than was asked for", day=str(day)
        )

    def windows_on(self, day: date) -> list[tuple[datetime, datetime]]:
        """Return the windows of `day` as pairs of moments in UTC, whether or not the day is worked."""
        midnight = datetime.combine(day, time(), SHANGHAI).astimezone(UTC)
        return [
            (midnight + _since_midnight(w.opens), midnight + _since_midnight(w.closes)) for w in self.windows
        ]

    def _windows_from(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        while True:
            if self.is_working_day(day):
                yield from self.windows_on(day)
            day += ONE_DAY


def aware_utc(at: datetime, field: str = "at") -> datetime:
    """Return the same moment in UTC; raise `InvalidInput("naive_time")` when it carries no offset."""
    if at.tzinfo is None or at.utcoffset() is None:
        raise InvalidInput(
            "naive_time", f"{field} has no offset from UTC: {at.isoformat()}; write +08:00 or Z", field=field
        )
    return at.astimezone(UTC)


def local_day(at: datetime) -> date:
    """Return the date that the clocks of China show at a moment."""
    return aware_utc(at).astimezone(SHANGHAI).date()


def forward(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return both moments in UTC; raise `InvalidInput("period_backwards")` when the end comes first."""
    start, end = aware_utc(start, "start"), aware_utc(end, "end")
    if end < start:
        raise InvalidInput(
            "period_backwards",
            f"the period ends at {end.isoformat()}, before it starts at {start.isoformat()}",
            field="end",
        )
    return start, end


def _since_midnight(at: time) -> timedelta:
    return timedelta(hours=at.hour, minutes=at.minute, seconds=at.second, microseconds=at.microsecond)


def _check_windows(windows: tuple[Window, ...]) -> None:
    moments = [moment for window in windows for moment in (window.opens, window.closes)]
    named = [f"{w.opens:%H:%M}-{w.closes:%H:%M}" for w in windows]
    zoned = any(moment.tzinfo is not None for moment in moments)
    if not windows or zoned or any(w.opens >= w.closes for w in windows) or moments != sorted(moments):
        raise InvalidInput(
            "bad_office_hours",
            "office hours are windows within one day, in order and without overlap, in plain Asia/Shanghai"
            f" time; got {', '.join(named) or 'none'}",
            field="windows",
            got=named,
        )
