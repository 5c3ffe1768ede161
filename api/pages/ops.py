"""Is the work going on: who is at work, what is late and why, how late clocks fire, how far the calendar reaches."""

from __future__ import annotations

from datetime import datetime, timedelta

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.deps import ReadOnly
from api.pages.visit import Visiting
from grids import calendars, lateness
from grids.rules.calendar import local_day
from grids.rules.permissions import OPERATORS, require_role
from grids.tables import Heartbeat

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_CALENDAR_AHEAD = timedelta(days=60)
_LATE_SHOWN = 50


@router.get("/ops")
def show_operations(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show how the service does; the cases that are late only to those in whose area they lie."""
    require_role(visit.me, OPERATORS)
    until = calendars.known_until(session)
    workers = lateness.workers(session, visit.now)
    oldest = lateness.oldest_due(session, visit.now)
    return visit.show(
        session,
        "ops.html",
        workers=[(beat, _state(beat, visit.now)) for beat in workers],
        at_work=sum(_state(beat, visit.now) == "at_work" for beat in workers),
        kinds=lateness.kinds(session, visit.now),
        lag=lateness.lag(session, visit.now),
        oldest=oldest,
        minutes_since=lambda at: (visit.now - at).total_seconds() / 60,
        late=lateness.late_clocks(session, visit.me.scope, visit.now, limit=_LATE_SHOWN),
        shown=_LATE_SHOWN,
        known_until=until,
        calendar_ends=until is None or until < local_day(visit.now + _CALENDAR_AHEAD),
    )


def _state(beat: Heartbeat, now: datetime) -> str:
    if beat.ended_at is not None:
        return "ended"
    return "at_work" if beat.seen_at > now - lateness.ALIVE else "gone"
