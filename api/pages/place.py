"""At the place: the code that the town shows, and the page on which a department checks in with it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from api.codes import check_in_address, qr_svg
from api.deps import ReadOnly
from api.pages.forms import Filled
from api.pages.layout import see_other
from api.pages.visit import Visiting
from grids import casefile
from grids.acts import presence
from grids.rules.tasks import TASK

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/whistles/{number}/code")
def show_code(number: str, session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show the six digits big, with the QR code and who has come: for the town's telephone, or to print."""
    code = presence.shown_code(session, visit.me, number, visit.now)
    file = casefile.show_whistle(session, visit.me, number)
    return visit.show(
        session,
        "code.html",
        here=f"/whistles/{number}/code",
        file=file,
        whistle=file.whistle,
        code=code,
        seconds=max(5, int((code.until - visit.now).total_seconds()) + 1),
    )


@router.get("/whistles/{number}/code.svg")
def draw_code(number: str, request: Request, session: ReadOnly, visit: Visiting) -> Response:
    """Return the QR code of the digits that are shown now."""
    code = presence.shown_code(session, visit.me, number, visit.now)
    drawn = qr_svg(check_in_address(request, number, code.digits))
    return Response(drawn, media_type="image/svg+xml")


@router.get("/check-in")
def check_in(session: ReadOnly, visit: Visiting, whistle: str = "", code: str = "") -> Response:
    """Let somebody of a department who scanned the code check in; others are shown the whistle."""
    file = casefile.show_whistle(session, visit.me, whistle)
    mine = [task for task in file.tasks if task.department_id == visit.me.department_id]
    if not mine:
        return see_other(f"/whistles/{file.whistle.number}")
    task = mine[-1]
    acts = [
        act
        for act in file.actions
        if act.machine == TASK.name and act.key == str(task.id) and act.action in ("check_in", "respond")
    ]
    scanned = Filled(f"task-{task.id}-check_in", {"method": "qr", "code": code[:16], "frame": "WGS84"})
    return visit.show(
        session,
        "checkin.html",
        here="/check-in",
        file=file,
        whistle=file.whistle,
        incident=file.incident,
        task=task,
        acts=acts,
        sent=scanned if code else Filled(),
        whistle_of={file.whistle.id: file.whistle},
        task_of={str(task.id): task},
        at="whistle",
    )
