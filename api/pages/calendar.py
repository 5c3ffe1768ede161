"""The working calendar: a year as twelve months, and the notices that were drafted for it."""

from __future__ import annotations

from calendar import Calendar
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from api.deps import ReadOnly, UnitOfWork
from api.pages.forms import Filled, text_of, tried, whole_of
from api.pages.layout import see_other
from api.pages.visit import Visit, Visiting
from gis.errors import CityError, InvalidInput
from grids import calendars
from grids.calendars import DayChange
from grids.rules import holidays
from grids.rules.calendar import local_day
from grids.rules.holidays import DayOfYear
from grids.rules.notices import differences, library_notice, read_notice, whole_year
from grids.rules.permissions import RULE_KEEPERS, RULE_READERS, require_role, signature
from grids.tables import CalendarDraft, DraftStatus

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_MOST_BYTES = 64 * 1024
_YEARS = range(2000, 2100)


async def _with_file(request: Request) -> AsyncIterator[FormData]:
    async with request.form(max_files=1, max_fields=20) as data:  # closes the file
        yield data


WithFile = Annotated[FormData, Depends(_with_file)]
DraftId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@dataclass(frozen=True, slots=True)
class Cell:
    """One day in a month: `kind` is work, weekend, holiday or made_up; `change` what a draft does to it."""

    day: date
    kind: str
    name: str | None
    change: DayChange | None = None


@dataclass(frozen=True, slots=True)
class Holiday:
    """A holiday in a row of the table: its days off as (first, last) and the weekend days worked for it."""

    name: str
    off: tuple[tuple[date, date], ...]
    worked: tuple[date, ...]


@router.get("/rules/calendar")
def show_calendar(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show a year of the calendar or, where one is named, a draft and what it would change."""
    return _page(session, visit)


@router.post("/rules/calendar")
def draft(session: UnitOfWork, visit: Visiting, data: WithFile) -> Response:
    """Store the notice of a year as a draft and show it."""
    require_role(visit.me, RULE_KEEPERS)
    done = tried(session, lambda: _draft(session, visit, data))
    if isinstance(done, CityError):
        return _page(session, visit, Filled.of("draft", data, done), done)
    return see_other(f"/rules/calendar?draft={done.id}")


@router.post("/rules/calendar/drafts/{draft_id}/publish")
def publish(session: UnitOfWork, visit: Visiting, draft_id: DraftId) -> Response:
    """Put a drafted year into the calendar."""
    require_role(visit.me, RULE_KEEPERS)
    year = calendars.get(session, draft_id).year
    done = tried(session, lambda: calendars.publish(session, draft_id, by=signature(visit.me), now=visit.now))
    if isinstance(done, CityError):
        return _page(session, visit, problem=done, draft_id=draft_id)
    return see_other(f"/rules/calendar?year={year}")


@router.post("/rules/calendar/drafts/{draft_id}/withdraw")
def withdraw(session: UnitOfWork, visit: Visiting, draft_id: DraftId) -> Response:
    """Put a draft away."""
    require_role(visit.me, RULE_KEEPERS)
    done = tried(session, lambda: calendars.withdraw(session, draft_id))
    if isinstance(done, CityError):
        return _page(session, visit, problem=done, draft_id=draft_id)
    return see_other(f"/rules/calendar?year={done.year}")


def _draft(session: UnitOfWork, visit: Visit, data: FormData) -> CalendarDraft:
    year, file = whole_of(data, "year"), data.get("file")
    if year is None or year not in _YEARS:
        raise InvalidInput("bad_number", "say the year that the notice is for", field="year", got=year)
    source = text_of(data, "source")
    if isinstance(file, UploadFile) and file.filename:
        content = file.file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise InvalidInput("bad_notice", "a notice has at most 64 kB", field="file")
        notice = read_notice(content, file.filename)
    elif year in holidays.known_years():
        notice, source = list(library_notice(year)), source or "chinesecalendar"
    else:
        raise InvalidInput("file_needed", "the days of this year have to come from a file", field="file")
    return calendars.draft(session, year, notice, source=source or "", by=signature(visit.me), now=visit.now)


def _page(
    session: ReadOnly,
    visit: Visit,
    sent: Filled = Filled(),
    problem: CityError | None = None,
    draft_id: int | None = None,
) -> HTMLResponse:
    require_role(visit.me, RULE_READERS)
    query, today = visit.request.query_params, local_day(visit.now)
    asked = draft_id or (whole_of(query, "draft") if sent.problem is None else None)
    row = None if asked is None or not 0 < asked < 2**31 else calendars.get(session, asked)
    wanted = row.year if row else whole_of(query, "year")
    year = today.year if wanted is None or wanted not in _YEARS else wanted
    known = calendars.known_years(session)
    drafts = [one for one in calendars.drafts(session) if one.status is DraftStatus.DRAFT]
    is_draft = row is not None and row.status is DraftStatus.DRAFT
    days = whole_year(year, calendars.notice_of(row)) if row else calendars.days_of(session, year)
    changed = calendars.changes(session, row) if row is not None and is_draft else []
    until = calendars.known_until(session)
    return visit.show(
        session,
        "calendar.html",
        problem=problem,
        here="/rules/calendar" + (f"?draft={row.id}" if row else f"?year={year}"),
        sent=sent,
        year=year,
        years=sorted({*known, *(one.year for one in drafts), year}),
        known=known,
        loaded=year in known,
        until=until,
        ends_soon=until is None or until < today + timedelta(days=60),
        next_year=(until or today).year + 1,
        row=row if is_draft else None,
        shown=bool(days),
        months=_months(year, days, {one.day: one for one in changed}),
        holidays=_holidays(days),
        worked=sum(one.working for one in days),
        changed=changed,
        drafts=[(one, len(calendars.changes(session, one))) for one in drafts],
        library=holidays.known_years(),
        running=calendars.running_clocks(session) if is_draft else 0,
        today=today,
        may_change=visit.me.role in RULE_KEEPERS,
        signed_as=signature(visit.me),
    )


def _months(
    year: int, days: Iterable[DayOfYear], changed: Mapping[date, DayChange]
) -> list[list[list[Cell | None]]]:
    """Return twelve months of weeks of seven cells, from Monday; None outside the month."""
    by_day = {one.day: Cell(one.day, _kind(one), one.name, changed.get(one.day)) for one in days}
    if not by_day:
        return []
    weeks = Calendar(firstweekday=0)
    return [
        [
            [by_day.get(day) if day.month == month else None for day in week]
            for week in weeks.monthdatescalendar(year, month)
        ]
        for month in range(1, 13)
    ]


def _kind(one: DayOfYear) -> str:
    weekend = one.day.weekday() >= 5
    if one.working:
        return "made_up" if weekend else "work"
    return "holiday" if one.name or not weekend else "weekend"


def _holidays(days: Iterable[DayOfYear]) -> list[Holiday]:
    """Return the holidays of a year in the order of their first day off."""
    off: dict[str, list[date]] = {}
    worked: dict[str, list[date]] = {}
    for one in differences(days):
        (worked if one.working else off).setdefault(one.name or "", []).append(one.day)
    names = sorted({*off, *worked}, key=lambda name: (off.get(name) or worked[name])[0])
    return [Holiday(name, tuple(_runs(off.get(name, []))), tuple(worked.get(name, ()))) for name in names]


def _runs(days: Iterable[date]) -> Iterable[tuple[date, date]]:
    first = last = None
    for day in days:
        if last is not None and day - last == timedelta(days=1):
            last = day
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = day
    if first is not None and last is not None:
        yield first, last
