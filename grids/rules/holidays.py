"""The days of past and announced years: which are worked, and the holiday that makes the difference.

Read from the package chinesecalendar, which carries the State Council's yearly notices. It knows a year only
once the notice is out (in autumn of the year before) and a release has followed. This seeds the calendar
table, which a person may fill by hand from the notice; the table is what deadlines are counted on.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from typing import NamedTuple

import chinese_calendar
from chinese_calendar.constants import Holiday, holidays

from gis.errors import Unavailable

__all__ = ["DayOfYear", "days_of_year", "known_years"]


class DayOfYear(NamedTuple):
    """One day; `name` is the holiday's Chinese name, on a make-up workday that of the holiday it pays for."""

    day: date
    working: bool
    name: str | None


_NAMES = {
    "New Year's Day": "元旦",
    "Spring Festival": "春节",
    "Tomb-sweeping Day": "清明节",
    "Labour Day": "劳动节",
    "Dragon Boat Festival": "端午节",
    "National Day": "国庆节",
    "Mid-autumn Festival": "中秋节",
    "Anti-Fascist 70th Day": "抗战胜利70周年纪念日",
}


@cache
def known_years() -> tuple[int, ...]:
    """Return the years that can be seeded, in order.

    A year counts as known when both its Spring Festival and its National Day are there: a notice for one year
    may name a first or last day of its neighbours, and a year known by such a day alone would lack all the
    others.
    """
    named = {(day.year, name) for day, name in holidays.items()}
    return tuple(
        year
        for year in sorted({year for year, _ in named})
        if {(year, Holiday.spring_festival.value), (year, Holiday.national_day.value)} <= named
    )


def days_of_year(year: int) -> list[DayOfYear]:
    """Return all 365 or 366 days of a year, in order.

    Raises `Unavailable("calendar_unknown")` for a year whose notice the package does not carry.
    """
    if year not in known_years():
        first, last = known_years()[0], known_years()[-1]
        raise Unavailable(
            "calendar_unknown",
            f"the holidays of {year} are not known here, only those of {first} to {last}: take a newer"
            " release of chinesecalendar once the State Council's notice is out, or enter its days by hand",
            year=year,
            known=[first, last],
        )
    days = []
    day = date(year, 1, 1)
    while day.year == year:
        working = bool(chinese_calendar.is_workday(day))
        _, name = chinese_calendar.get_holiday_detail(day)
        days.append(DayOfYear(day, working, None if name is None else _NAMES.get(str(name), str(name))))
        day += timedelta(days=1)
    return days
