"""How long a thing may take: a limit is a number and a clock, and a start turns it into a moment.

Five clocks, as city limits are written in practice (a case standard gives condition, limit and close
condition):

    urgent_hour, natural_hour   run always, nights and holidays included, from the moment itself
    natural_day                 the day of the start is not counted; ends at midnight after the n-th day
    work_hour                   runs only inside office hours; a 22:00 report starts at the next window
    work_day                    the day of the start is not counted; ends at end of business of the n-th
    working day

Source of the counting: Civil Code of the PRC, art. 201 (a period in days does not count the first day, one in
hours runs from the moment), 203 (it ends at midnight or, where there are business hours, when business stops;
a last day that is a holiday moves to the next working day, which here holds for work_day by counting working
days only). natural_day does not move: it is the limit for things that go on through holidays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from gis.errors import InvalidInput
from grids.rules.calendar import SHANGHAI, WorkCalendar, aware_utc, forward, local_day

__all__ = ["Limit", "Unit", "binding_limit", "due", "earliest_due", "elapsed", "moment_at_share"]

LONGEST = Decimal(100_000)
"""More than eleven years of hours: a longer limit is a slip of the keyboard."""

HOUR_IN_MICROSECONDS = 3_600_000_000


class Unit(StrEnum):
    """The clock that a limit is counted on."""

    WORK_DAY = "work_day"
    WORK_HOUR = "work_hour"
    URGENT_HOUR = "urgent_hour"
    NATURAL_HOUR = "natural_hour"
    NATURAL_DAY = "natural_day"


_DAYS = frozenset({Unit.WORK_DAY, Unit.NATURAL_DAY})


@dataclass(frozen=True, init=False)
class Limit:
    """A length of time on one of the five clocks, such as 4 work_hour.

    Hours may be fractions, days are whole (half a working day is written in work_hour: with the first day not
    counted, "half a day" would end tomorrow).
    Raises `InvalidInput("bad_limit")` for a number that is not above zero, not finite, too long or half a
    day, and for a unit that is not one of the five.
    """

    value: Decimal
    unit: Unit

    def __init__(self, value: Decimal | float | str, unit: Unit | str) -> None:
        """value : the number, kept as written (0.1 is a tenth); unit : one of `Unit`, or its name."""
        object.__setattr__(self, "value", _number(value))
        object.__setattr__(self, "unit", _unit(unit))
        if self.unit in _DAYS and self.value % 1:
            raise InvalidInput(
                "bad_limit",
                f"a limit in {self.unit} is a whole number, got {self.value}; write part of a day in hours",
                field="value",
                got=str(self.value),
            )

    def __str__(self) -> str:
        return f"{_plain(self.value)} {self.unit}"

    def to_json(self) -> dict[str, int | str]:
        """Return {"value": 4, "unit": "work_hour"}; a fraction is a string, so that nothing rounds it."""
        whole = self.value == self.value.to_integral_value()
        return {"value": int(self.value) if whole else _plain(self.value), "unit": str(self.unit)}

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Limit:
        """Read what `to_json` wrote; raise `InvalidInput("bad_limit")` for anything else."""
        value, unit = data.get("value"), data.get("unit")
        if (
            set(data) != {"value", "unit"}
            or not isinstance(unit, str)
            or not isinstance(value, int | float | str)
        ):
            raise InvalidInput(
                "bad_limit",
                f'a limit is {{"value": number, "unit": one of {", ".join(Unit)}}}; got keys {sorted(data)}',
                field="limit",
            )
        return cls(value, unit)


def due(start: datetime, limit: Limit, calendar: WorkCalendar) -> datetime:
    """Return the last moment (UTC) that is still on time for a limit that starts at `start`.

    What happens exactly at that moment is on time. Raises `Unavailable("calendar_unknown")` for the two
    working clocks when the calendar lacks a day on the way, `InvalidInput("naive_time")` when `start` has no
    offset.
    """
    return moment_at_share(start, limit, 1, calendar)


def moment_at_share(
    start: datetime, limit: Limit, share: Decimal | int | str, calendar: WorkCalendar
) -> datetime:
    """Return the first moment (UTC) at which `share` of a limit is used up, as `elapsed` counts it.

    share : above 0; 1 is the due moment, Decimal("0.75") the moment for a reminder, 2 a limit missed by its
    length.
    """
    part = Decimal(share)
    if not part.is_finite() or part <= 0:
        raise InvalidInput(
            "bad_share", f"a share of a limit is above zero, got {share}", field="share", got=str(share)
        )
    start, amount = aware_utc(start, "start"), limit.value * part
    if limit.unit is Unit.WORK_HOUR:
        return calendar.after_working_time(start, _hours(amount))
    if limit.unit is Unit.WORK_DAY:
        whole, rest = _split_days(amount)
        day = local_day(start)
        for _ in range(whole):
            day = calendar.next_working_day(day)
        return calendar.moment_in_day(day, _part(calendar.day_length, rest))
    if limit.unit is Unit.NATURAL_DAY:
        whole, rest = _split_days(amount)
        midnight = datetime.combine(local_day(start) + timedelta(days=whole), time(), SHANGHAI)
        return aware_utc(midnight) + _part(timedelta(days=1), rest)
    return start + _hours(amount)


def elapsed(start: datetime, end: datetime, unit: Unit, calendar: WorkCalendar) -> Decimal:
    """Return how much of a limit in `unit` has run between two moments.

    Hours are hours of the clock named. Days begin to run on the day after the start, and grow through each
    day in proportion (through its office hours for work_day), so that `elapsed(start, due(start, n days),
    ...)` is n.
    Raises `InvalidInput("period_backwards")` when `end` lies before `start`.
    """
    start, end = forward(start, end)
    if unit is Unit.WORK_HOUR:
        return _in_hours(calendar.working_time(start, end))
    if unit is Unit.WORK_DAY:
        return _elapsed_work_days(start, end, calendar)
    if unit is Unit.NATURAL_DAY:
        first = aware_utc(datetime.combine(local_day(start) + timedelta(days=1), time(), SHANGHAI))
        return _ratio(max(timedelta(), end - first), timedelta(days=1))
    return _in_hours(end - start)


def binding_limit(start: datetime, limits: Iterable[Limit], calendar: WorkCalendar) -> Limit:
    """Return the limit that falls due first when all start at once; of equals, the first named.

    Limits on different clocks have no order of their own (24 urgent_hour is longer than 1 work_day on a
    Monday morning and shorter on a Friday evening), so they are compared by their due moments from one start.
    Raises `InvalidInput("bad_limit")` when there is none to choose from.
    """
    chosen: tuple[datetime, Limit] | None = None
    for limit in limits:
        falls_due = due(start, limit, calendar)
        if chosen is None or falls_due < chosen[0]:
            chosen = (falls_due, limit)
    if chosen is None:
        raise InvalidInput("bad_limit", "there is no limit to choose the earliest of", field="limits")
    return chosen[1]


def earliest_due(start: datetime, limits: Iterable[Limit], calendar: WorkCalendar) -> datetime:
    """Return the first due moment (UTC) of several limits that start at once."""
    return due(start, binding_limit(start, limits, calendar), calendar)


def _elapsed_work_days(start: datetime, end: datetime, calendar: WorkCalendar) -> Decimal:
    day, last, whole = local_day(start), local_day(end), 0
    while (day := day + timedelta(days=1)) < last:
        whole += calendar.is_working_day(day)
    if day > last or not calendar.is_working_day(last):
        return Decimal(whole)
    worked = sum(
        (max(timedelta(), min(end, closes) - opens) for opens, closes in calendar.windows_on(last)),
        timedelta(),
    )
    return whole + _ratio(worked, calendar.day_length)


def _number(value: Decimal | float | str) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite() or not 0 < number <= LONGEST:
        raise InvalidInput(
            "bad_limit",
            f"a limit is a number above 0 and not above {LONGEST}, got {value!r}",
            field="value",
            got=str(value),
        )
    return number


def _unit(unit: Unit | str) -> Unit:
    try:
        return Unit(unit)
    except ValueError:
        raise InvalidInput(
            "bad_limit", f"{unit!r} is not a unit; use one of {', '.join(Unit)}", field="unit", got=str(unit)
        ) from None


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")


def _split_days(amount: Decimal) -> tuple[int, Decimal]:
    """Split 2.25 days into the 3rd day and a quarter of it, and 3 into the 3rd day and the whole of it."""
    whole = int(amount.to_integral_value(rounding="ROUND_CEILING"))
    return whole, amount - (whole - 1)


def _micro(length: timedelta) -> int:
    return length // timedelta(microseconds=1)


def _hours(amount: Decimal) -> timedelta:
    return timedelta(microseconds=int(amount * HOUR_IN_MICROSECONDS))


def _part(length: timedelta, share: Decimal) -> timedelta:
    return timedelta(microseconds=int(_micro(length) * share))


def _in_hours(length: timedelta) -> Decimal:
    return Decimal(_micro(length)) / HOUR_IN_MICROSECONDS


def _ratio(length: timedelta, whole: timedelta) -> Decimal:
    return Decimal(_micro(length)) / _micro(whole)
