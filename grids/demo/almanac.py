"""The weather and the days of a made-up year: when it rains, which days are worked, what each season brings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from grids.demo.copying import write
from grids.rules import holidays
from grids.rules.calendar import WorkCalendar, local_day
from grids.tables import CalendarDay

__all__ = ["HOURS", "SEASONS", "WEEKS", "Almanac", "load_calendar", "make_almanac"]

Floats = NDArray[np.float64]

_CHANCE_OF_RAIN = (0.05, 0.07, 0.10, 0.15, 0.20, 0.30, 0.45, 0.40, 0.25, 0.15, 0.10, 0.05)
_MEAN_RAIN_MM = (3.0, 4.0, 6.0, 9.0, 12.0, 22.0, 32.0, 30.0, 18.0, 9.0, 6.0, 3.0)
_HEAVY_MM = 20.0  # from here on water stands in low places

SEASONS: dict[str, tuple[float, ...]] = {
    "even": (1.0,) * 12,
    "warm": (0.4, 0.4, 0.7, 1.0, 1.3, 1.6, 1.8, 1.8, 1.4, 1.0, 0.6, 0.4),
    "cold": (1.8, 1.6, 1.1, 0.7, 0.5, 0.4, 0.4, 0.4, 0.6, 0.9, 1.4, 1.7),
    "heating": (2.0, 1.6, 0.7, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.4, 2.2),
    "harvest": (0.05, 0.05, 0.1, 0.1, 0.2, 5.0, 0.3, 0.1, 0.6, 6.0, 1.0, 0.1),
    "leaves": (0.6, 0.6, 1.0, 0.8, 0.3, 0.2, 0.1, 0.2, 0.6, 1.8, 2.6, 1.4),
    "building": (0.2, 0.3, 1.0, 1.3, 1.4, 1.3, 1.1, 1.1, 1.3, 1.4, 1.1, 0.5),
    "pay": (2.6, 1.6, 0.6, 0.5, 0.6, 0.8, 0.7, 0.7, 0.8, 0.8, 1.0, 2.4),
}
"""What each month brings, January first, by kind of season; only proportions count."""

WEEKS: dict[str, tuple[float, ...]] = {
    "even": (1.0,) * 7,
    "office": (1.25, 1.15, 1.1, 1.1, 1.15, 0.7, 0.55),
    "leisure": (0.75, 0.7, 0.8, 0.9, 1.3, 1.5, 1.2),
}
"""What each day of the week brings, Monday first; "school" means the days that are worked."""

HOURS: dict[str, tuple[float, ...]] = {
    "day": (1, 1, 1, 1, 1, 3, 8, 14, 18, 19, 17, 13, 10, 12, 15, 16, 15, 13, 10, 8, 6, 4, 2, 1),
    "office": (0, 0, 0, 0, 0, 0, 1, 4, 16, 20, 18, 12, 5, 9, 17, 18, 15, 7, 2, 1, 1, 0, 0, 0),
    "evening": (3, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 1, 1, 2, 4, 9, 16, 20, 20, 17, 11, 6),
    "night": (12, 8, 6, 4, 3, 2, 1, 1, 1, 1, 1, 1, 2, 2, 1, 1, 1, 2, 4, 7, 10, 14, 18, 16),
    "school": (0, 0, 0, 0, 0, 0, 3, 22, 6, 1, 0, 3, 5, 2, 1, 6, 20, 14, 3, 0, 0, 0, 0, 0),
    "commute": (0, 0, 0, 0, 0, 1, 6, 16, 14, 7, 4, 4, 5, 4, 4, 5, 9, 16, 14, 8, 4, 2, 1, 0),
    "even": (1,) * 24,
}
"""What each hour of the day brings, from midnight, Asia/Shanghai."""


@dataclass(frozen=True)
class Almanac:
    """The days of the year, one entry a day from `first` on.

    rain_mm : of each day. rain_hour : the hour at which it begins. worked : working days.
    """

    first: date
    month: NDArray[np.intp]
    weekday: NDArray[np.intp]
    rain_mm: Floats
    rain_hour: NDArray[np.intp]
    worked: NDArray[np.bool_]

    def heavy_days(self) -> NDArray[np.intp]:
        """Return the days of June to September on which water stands in low places, the wettest first."""
        summer = (self.month >= 5) & (self.month <= 8)
        days = np.flatnonzero(summer & (self.rain_mm >= _HEAVY_MM))
        return days[np.argsort(-self.rain_mm[days], kind="stable")]

    def weights(self, season: str, week: str) -> Floats:
        """Return how much each day brings, adding up to 1."""
        if season == "rain":
            raw = np.maximum(self.rain_mm - 8.0, 0.0)
        elif season == "snow":
            raw = ((self.month == 11) | (self.month <= 1)) * self.rain_mm
        else:
            raw = np.array(SEASONS[season])[self.month]
        raw = raw * (self.worked if week == "school" else np.array(WEEKS[week])[self.weekday])
        if raw.sum() <= 0:
            raw = np.ones(len(raw))
        return np.asarray(raw / raw.sum())


def make_almanac(first: date, days: int, calendar: WorkCalendar, random: np.random.Generator) -> Almanac:
    """Return the weather of so many days from `first` on, as in the north of China: wet in July and August."""
    dates = [first + timedelta(days=number) for number in range(days)]
    month = np.array([day.month - 1 for day in dates])
    wet = random.uniform(size=days) < np.array(_CHANCE_OF_RAIN)[month]
    amount = random.gamma(1.1, 1.0, days) * np.array(_MEAN_RAIN_MM)[month] / 1.1
    hour = np.clip(np.round(random.normal(16, 4, days)), 0, 23).astype(np.intp)
    return Almanac(
        first=first,
        month=month,
        weekday=np.array([day.weekday() for day in dates]),
        rain_mm=np.where(wet, amount, 0.0),
        rain_hour=hour,
        worked=np.array([calendar.is_working_day(day) for day in dates]),
    )


def load_calendar(session: Session, now: datetime) -> WorkCalendar:
    """Make sure that the years around `now` are in the calendar; return it.

    A year that is there stays as it is. One whose holidays are not published yet gets made-up ones, and says so.
    """
    year = local_day(now).year
    years = (year - 1, year, year + 1)
    have = set(session.scalars(select(CalendarDay.day).where(CalendarDay.day.in_(map(_new_year, years)))))
    days: list[dict[str, object]] = []
    for one in years:
        if _new_year(one) in have:
            continue
        known = one in holidays.known_years()
        source = _PUBLISHED if known else _MADE_UP
        for day, working, name in holidays.days_of_year(one) if known else _made_up(one):
            days.append({"day": day, "working": working, "name": name, "source": source})
    write(session, CalendarDay, days)
    rows = session.execute(
        select(CalendarDay.day, CalendarDay.working).where(
            CalendarDay.day.between(_new_year(years[0]), date(years[-1], 12, 31))
        )
    )
    return WorkCalendar({day: working for day, working in rows})  # noqa: C416 - a Result has keys()


_PUBLISHED = "chinesecalendar"
_MADE_UP = "made up for the demo: weekends and holidays of fixed date only, no make-up workdays"

_FIXED: tuple[tuple[int, Iterable[int], str], ...] = (
    (1, (1,), "元旦"),
    (4, (5,), "清明节"),
    (5, range(1, 6), "劳动节"),
    (10, range(1, 8), "国庆节"),
)


def _made_up(year: int) -> Iterator[tuple[date, bool, str | None]]:
    named = {date(year, month, day): name for month, days, name in _FIXED for day in days}
    day = _new_year(year)
    while day.year == year:
        name = named.get(day)
        yield day, name is None and day.weekday() < 5, name
        day += timedelta(days=1)


def _new_year(year: int) -> date:
    return date(year, 1, 1)
