"""Slips of supervision: the list, one slip as a paper, and the form to answer it."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from api.deps import ReadOnly, UnitOfWork
from api.pages.forms import Filled, text_of, tried, whole_of
from api.pages.layout import query_of, see_other
from api.pages.visit import Sent, Visit, Visiting
from gis.errors import CityError
from grids.acts import slips
from grids.rules.slips import SlipKind

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_PAGE = 50


@router.get("/slips")
def list_slips(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show the slips in sight, newest first."""
    query = visit.request.query_params
    kind = next((k for k in SlipKind if k.value == query.get("kind")), None)
    waiting = query.get("waiting") == "1"
    rows = slips.find(
        session,
        visit.me,
        kind=kind,
        open_only=waiting,
        before=whole_of(query, "cursor"),
        limit=_PAGE + 1,
    )
    more = str(rows[_PAGE - 1].slip.id) if len(rows) > _PAGE else None
    return visit.show(
        session,
        "slips.html",
        rows=rows[:_PAGE],
        kind=kind,
        waiting=waiting,
        next_page=query_of(visit.request, cursor=more, lang=None) if more else None,
    )


@router.get("/slips/{number}")
def show_slip(number: str, session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show one slip as a paper."""
    return _page(session, visit, number)


@router.post("/slips/{number}/answer")
def answer_slip(number: str, session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """Answer a slip, then show it again."""
    text = text_of(data, "text") or ""
    done = tried(session, lambda: slips.answer(session, number, text=text, by=visit.me, now=visit.now))
    if isinstance(done, CityError):
        return _page(session, visit, number, sent=Filled.of("slip-answer", data, done), problem=done)
    return see_other(f"/slips/{number}")


def _page(
    session: ReadOnly, visit: Visit, number: str, *, sent: Filled = Filled(), problem: CityError | None = None
) -> HTMLResponse:
    return visit.show(
        session,
        "slip.html",
        problem=problem,
        here=f"/slips/{number}",
        row=slips.show(session, visit.me, number),
        form=sent.form("slip-answer"),
    )
