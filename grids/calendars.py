"""The working calendar in the database: whole years, never a guessed day; changed by two people together.

A year comes from the State Council's notice: somebody drafts it, somebody else publishes it. Days that are over do not
change, and no clock that runs is counted anew: a due moment stands in its row. What changes is what is counted from
then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from gis.errors import Conflict, Forbidden, InvalidInput, NotFound
from grids.rules import holidays
from grids.rules.calendar import WorkCalendar, local_day
from grids.rules.holidays import DayOfYear
from grids.rules.notices import check_notice, whole_year
from grids.tables import CalendarDay, CalendarDraft, Deadline, DraftStatus

__all__ = [
    "DayChange",
    "around",
    "changes",
    "days_of",
    "draft",
    "drafts",
    "get",
    "known_until",
    "known_years",
    "load_year",
    "load_years",
    "notice_of",
    "publish",
    "running_clocks",
    "withdraw",
]

# a clock looks back at most at a case's start and forward at most at its longest limit with holidays
_BACK, _AHEAD = timedelta(days=400), timedelta(days=400)
_PUBLISH_LOCK = 7_301_006  # any constant: one publication at a time, whoever runs it
_YEARS = range(2000, 2100)


class DayChange(NamedTuple):
    """A day that a draft would change: how it is now (None: not loaded) and how it would be."""

    day: date
    before: bool | None
    after: bool
    name: str | None


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


def around(session: Session, now: datetime, *, since: datetime | None = None) -> WorkCalendar:
    """Return the calendar of the days around `now`; what lies outside what was loaded is unknown.

    since : a moment from which on the days are needed, where that may lie more than a year back.
    """
    today = local_day(now)
    first = today - _BACK if since is None else min(local_day(since), today - _BACK)
    rows = session.execute(
        select(CalendarDay.day, CalendarDay.working).where(CalendarDay.day.between(first, today + _AHEAD))
    )
    return WorkCalendar({day: working for day, working in rows})  # noqa: C416 - a Result has keys()


def known_until(session: Session) -> date | None:
    """Return the last day of the calendar, or None when nothing was loaded."""
    return session.scalar(select(func.max(CalendarDay.day)))


def known_years(session: Session) -> list[int]:
    """Return the years of which days were loaded, in order."""
    year = func.extract("year", CalendarDay.day)
    return [int(found) for found in session.scalars(select(year).distinct().order_by(year))]


def days_of(session: Session, year: int) -> list[DayOfYear]:
    """Return the loaded days of a year, in order; none for a year that nobody loaded."""
    rows = session.execute(
        select(CalendarDay.day, CalendarDay.working, CalendarDay.name)
        .where(CalendarDay.day.between(date(year, 1, 1), date(year, 12, 31)))
        .order_by(CalendarDay.day)
    )
    return [DayOfYear(*row) for row in rows]


# -- a year in two steps


def draft(
    session: Session, year: int, notice: Iterable[DayOfYear], *, source: str, by: str, now: datetime
) -> CalendarDraft:
    """Store the notice of a year as a draft.

    source : the paper that it follows. Raises `InvalidInput`: "bad_notice" naming the day, "source_needed".
    """
    if year not in _YEARS:
        raise InvalidInput(
            "bad_notice", f"a year from {_YEARS[0]} to {_YEARS[-1]}, got {year}", field="year", got=year
        )
    if not source.strip():
        raise InvalidInput("source_needed", "say which notice the days follow", field="source")
    row = CalendarDraft(
        year=year,
        days=[
            {"day": one.day.isoformat(), "working": one.working, "name": one.name}
            for one in check_notice(year, notice)
        ],
        source=source.strip(),
        status=DraftStatus.DRAFT,
        drafted_at=now,
        drafted_by=by,
    )
    session.add(row)
    session.flush()
    return row


def drafts(session: Session, year: int | None = None) -> Sequence[CalendarDraft]:
    """Return the drafts, published and withdrawn ones included, the newest first."""
    rows = select(CalendarDraft).order_by(CalendarDraft.id.desc())
    return session.scalars(rows if year is None else rows.where(CalendarDraft.year == year)).all()


def get(session: Session, draft_id: int, *, lock: bool = False) -> CalendarDraft:
    """Return a draft. Raises `NotFound` ("no_such_notice")."""
    row = session.get(CalendarDraft, draft_id, with_for_update=lock, populate_existing=lock)
    if row is None:
        raise NotFound("no_such_notice", f"there is no draft {draft_id} of the calendar", id=draft_id)
    return row


def notice_of(row: CalendarDraft) -> tuple[DayOfYear, ...]:
    """Return the days that a draft names."""
    return tuple(DayOfYear(date.fromisoformat(d["day"]), d["working"], d["name"]) for d in row.days)


def changes(session: Session, row: CalendarDraft) -> list[DayChange]:
    """Return the days on which a draft's year and the loaded one differ in whether they are worked, in order.

    In a year that nobody has loaded these are the days that the draft names.
    """
    notice = notice_of(row)
    have = {one.day: one.working for one in days_of(session, row.year)}
    named = {one.day for one in notice}
    return [
        DayChange(one.day, have.get(one.day), one.working, one.name)
        for one in whole_year(row.year, notice)
        if have.get(one.day) is not one.working and (have or one.day in named)
    ]


def running_clocks(session: Session) -> int:
    """Return how many clocks run: none of them moves, whatever is published."""
    return session.scalar(select(func.count()).where(Deadline.settled_at.is_(None))) or 0


def publish(session: Session, draft_id: int, *, by: str, now: datetime) -> list[DayChange]:
    """Put a drafted year into the calendar and return what that changed; running clocks stay as they are.

    Raises `Conflict` ("not_a_draft"), `Forbidden` ("second_person_needed") when `by` drafted it, and `InvalidInput`
    ("past_day") when a day that is over would change; a day that is over and was never known may be filled in.
    """
    session.execute(select(func.pg_advisory_xact_lock(_PUBLISH_LOCK)))
    row = _open_draft(session, draft_id)
    if row.drafted_by == by:
        raise Forbidden(
            "second_person_needed",
            f"{by} drafted this calendar of {row.year}: somebody else has to publish it",
            draft=draft_id,
            drafted_by=row.drafted_by,
        )
    found, today = changes(session, row), local_day(now)
    past = [one.day for one in found if one.day < today and one.before is not None]
    if past:
        raise InvalidInput(
            "past_day",
            f"{', '.join(day.isoformat() for day in past[:5])} are over: clocks have run by them, and they stay",
            field="days",
            got=[day.isoformat() for day in past],
            wanted=today.isoformat(),
        )
    have = {one.day for one in days_of(session, row.year)}
    open_days = [
        one for one in whole_year(row.year, notice_of(row)) if one.day >= today or one.day not in have
    ]
    load_year(session, open_days, source=row.source)
    row.status, row.published_at, row.published_by = DraftStatus.PUBLISHED, now, by
    session.flush()
    return found


def withdraw(session: Session, draft_id: int) -> CalendarDraft:
    """Put a draft away. Raises `Conflict` ("not_a_draft") for what was published."""
    row = _open_draft(session, draft_id)
    row.status = DraftStatus.WITHDRAWN
    session.flush()
    return row


def _open_draft(session: Session, draft_id: int) -> CalendarDraft:
    row = get(session, draft_id, lock=True)
    if row.status is not DraftStatus.DRAFT:
        raise Conflict("not_a_draft", f"calendar draft {draft_id} is {row.status.value}, not a draft")
    return row
