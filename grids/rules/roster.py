"""Who keeps a post at a moment: hours of the week, single days that override them, and who stands in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum

from gis.errors import InvalidInput
from grids.rules.calendar import SHANGHAI

__all__ = ["MOST_HOURS", "Hours", "Weekday", "check_hours", "keepers", "next_kept"]

MOST_HOURS = 100
"""How many rows a post may have."""

_AHEAD = 15  # days that are looked ahead for the next hours: two weeks show every weekday


class Weekday(IntEnum):
    """A day of the week, Monday first, as `datetime.date.weekday` counts."""

    MONDAY = 0
    TUESDAY = 1
    WEDNESDAY = 2
    THURSDAY = 3
    FRIDAY = 4
    SATURDAY = 5
    SUNDAY = 6


@dataclass(frozen=True, slots=True)
class Hours:
    """One stretch of duty, on every such weekday (0 is Monday) or on one day; exactly one of the two is said.

    opens, closes : of the city's clock. `closes` before or at `opens` is of the next day, so that 08:00 to 08:00
    is a day and a night. Both None: on that day nobody keeps the post.
    stands_in : the person who keeps it instead of its holder.
    """

    opens: time | None
    closes: time | None
    weekday: int | None = None
    day: date | None = None
    stands_in: int | None = None

    def on(self, day: date) -> tuple[datetime, datetime] | None:
        """Return when the stretch that begins on a day begins and ends, None for a day without duty."""
        if self.opens is None or self.closes is None:
            return None
        ends = day if self.closes > self.opens else day + timedelta(days=1)
        return (
            datetime.combine(day, self.opens, SHANGHAI).astimezone(UTC),
            datetime.combine(ends, self.closes, SHANGHAI).astimezone(UTC),
        )


def keepers(holder: int, hours: Sequence[Hours], moment: datetime) -> tuple[int, ...]:
    """Return who keeps a post at a moment: its holder, whoever stands in, or nobody.

    A post without hours is kept always. A stretch belongs to the day on which it begins: the morning's end of a
    night duty is yesterday's, whatever is said of today.
    """
    if not hours:
        return (holder,)
    today = moment.astimezone(SHANGHAI).date()
    found: list[int] = []
    for day in (today - timedelta(days=1), today):
        for row in _of(hours, day):
            stretch = row.on(day)
            keeper = holder if row.stands_in is None else row.stands_in
            if stretch and stretch[0] <= moment < stretch[1] and keeper not in found:
                found.append(keeper)
    return tuple(found)


def next_kept(person: int, holder: int, hours: Sequence[Hours], moment: datetime) -> datetime | None:
    """Return when a person next keeps a post, `moment` itself while they do; None for nowhere in two weeks."""
    if person in keepers(holder, hours, moment):
        return moment
    today = moment.astimezone(SHANGHAI).date()
    for day in (today + timedelta(days=n) for n in range(_AHEAD)):
        opens = [
            stretch[0]
            for row in _of(hours, day)
            if (stretch := row.on(day)) and person == (holder if row.stands_in is None else row.stands_in)
        ]
        ahead = [opening for opening in opens if opening > moment]
        if ahead:
            return min(ahead)
    return None


def _of(hours: Sequence[Hours], day: date) -> list[Hours]:
    """Return the rows that hold for a day: its own where it has any, else those of its weekday."""
    own = [row for row in hours if row.day == day]
    return own or [row for row in hours if row.weekday == day.weekday()]


def check_hours(hours: Sequence[Hours]) -> None:
    """Raise `InvalidInput` ("bad_hours") that names the first row which cannot be meant."""
    if len(hours) > MOST_HOURS:
        raise InvalidInput(
            "bad_hours", f"a post has at most {MOST_HOURS} rows of hours", field="hours", got=len(hours)
        )
    for place, row in enumerate(hours):
        if (row.weekday is None) == (row.day is None):
            raise _bad(place, "weekday", "says either a weekday or a day")
        if row.weekday is not None and not 0 <= row.weekday <= 6:
            raise _bad(place, "weekday", "has a weekday from 0 (Monday) to 6")
        if (row.opens is None) != (row.closes is None):
            raise _bad(place, "closes", "has both times, or on a day without duty none")
        if row.opens is None and row.day is None:
            raise _bad(
                place, "opens", "of a weekday has times: leave the weekday out where nobody is on duty"
            )
        if row.opens is None and row.stands_in is not None:
            raise _bad(place, "opens", "has times where somebody stands in")


def _bad(place: int, field: str, wanted: str) -> InvalidInput:
    return InvalidInput("bad_hours", f"row {place + 1} of the hours {wanted}", field=f"hours.{place}.{field}")
