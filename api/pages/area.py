"""The area that a person answers for: its map, and beside it what is open in it, the most urgent first."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.deps import ReadOnly
from api.pages.visit import Visiting
from grids import atlas, register
from grids.register import Filters
from grids.rules.calendar import local_day
from grids.rules.permissions import require_area
from grids.tables import Incident

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_MOST = 200
_NEVER = datetime.max.replace(tzinfo=UTC)


@router.get("/my")
def my_area(session: ReadOnly, visit: Visiting, area: str | None = None) -> HTMLResponse:
    """Show an area, the person's own unless they choose one inside it."""
    code = area or visit.me.area_code
    if code is None:
        return visit.show(session, "area.html", area=None, incidents=[], more=False, crumbs=[], below=[])
    require_area(visit.me, code)
    atlas.grid(session, code, on=local_day(visit.now))
    names = visit.names(session)
    page = register.find_incidents(session, visit.me.scope, Filters(area=code, open_only=True), limit=_MOST)
    return visit.show(
        session,
        "area.html",
        names=names,
        area=code,
        incidents=sorted(page.items, key=_urgency),
        more=page.next_cursor is not None,
        crumbs=[(c, name) for c, name in names.above(code) if visit.me.scope.covers(c)],
        below=names.below(code),
    )


def _urgency(incident: Incident) -> tuple[int, datetime]:
    # not graded yet: after red and orange, before what may wait
    return (incident.grade.rank if incident.grade else 2, incident.due_effective or _NEVER)
