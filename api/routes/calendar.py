"""The working calendar: which days of a year are worked, and what was drafted for it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.deps import Me, ReadOnly
from api.problems import answers
from api.schemas.rules import CalendarDraftOut, YearOut
from grids import calendars
from grids.rules.notices import differences
from grids.rules.permissions import RULE_READERS, require_role

__all__ = ["router"]

router = APIRouter(prefix="/api/calendar", tags=["rules"])

Year = Annotated[int, Path(ge=2000, le=2099)]


@router.get("/drafts", responses=answers(401, 403, 422))
def list_drafts(
    me: Me, session: ReadOnly, year: Annotated[int | None, Query(ge=2000, le=2099)] = None
) -> list[CalendarDraftOut]:
    """Return the notices that were drafted or published, the newest first."""
    require_role(me, RULE_READERS)
    return [CalendarDraftOut.of(row) for row in calendars.drafts(session, year)]


@router.get("/drafts/{draft_id}", responses=answers(401, 403, 404, 422))
def show_draft(
    me: Me, session: ReadOnly, draft_id: Annotated[int, Path(ge=1, le=2**31 - 1)]
) -> CalendarDraftOut:
    """Return one notice, and the days on which it and the calendar differ."""
    require_role(me, RULE_READERS)
    row = calendars.get(session, draft_id)
    return CalendarDraftOut.of(row, calendars.changes(session, row))


@router.get("/{year}", responses=answers(401, 422))
def show_year(_me: Me, session: ReadOnly, year: Year) -> YearOut:
    """Return the days of a year that are not as their weekday; every other is worked from Monday to Friday."""
    days = calendars.days_of(session, year)
    return YearOut.of(year, known=bool(days), named=differences(days))
