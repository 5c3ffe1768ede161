"""The working calendar in the database: loaded whole years, never a guessed day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from grids.rules import holidays
from grids.rules.calendar import WorkCalendar, local_day
from grids.tables import CalendarDay

__all__ = ["around", "known_until", "load_year", "load_years"]

# a clock looks back at most at a case's start and forward at most at its longest limit with holidays
_BACK, _AHEAD = timedelta(days=400), timedelta(days=400)


def load_year(session: Session, days: Iterable[tuple[date, bool, str | None]], *, source: str) -> None:
    """Write the days of one or more whole years, replacing what was known of them."""
    rows = [{"day": day, "working": working, "name": name, "source": source} for day, working, name in days]
    if not rows:
        return
    statement = insert(CalendarDay).values(rows)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[CalendarDay.day],
            set_={key: statement.excluded[key] for key in ("working", "name", "source")},
        )
    )


def load_years(session: Session, years: Iterable[int]) -> None:
    """Seed years from the published holiday notices that the `chinesecalendar` library carries.

    Raises `Unavailable` ("calendar_unknown") for a year it does not know.
    """
    for year in years:
        load_year(session, holidays.days_of_year(year), source="chinesecalendar")


def around(session: Session, now: datetime) -> WorkCalendar:
    """Return the calendar of the days around `now`; what lies outside what was loaded is unknown."""
    today = local_day(now)
    rows = session.execute(
        select(CalendarDay.day, CalendarDay.working).where(
            CalendarDay.day.between(today - _BACK, today + _AHEAD)
        )
    )
    return WorkCalendar({day: working for day, working in rows})  # noqa: C416 - a Result has keys()


def known_until(session: Session) -> date | None:
    """Return the last day of the calendar, or None when nothing was loaded."""
    return session.scalar(select(func.max(CalendarDay.day)))
