"""Papers as PDF: the need letters of a whistle, and slips of supervision."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from api import jobs
from api.deps import Me, Now, ReadOnly, UnitOfWork, Words
from api.names import Names
from api.papers.letters import need_letter
from api.papers.sheet import Sheet, find_font, write_pdf
from api.papers.slips import slip_sheet
from api.problems import answers
from api.routes.slips import Number
from api.schemas.base import Body, Moment, WhistleNumber
from api.schemas.messages import JobOut
from gis.errors import Conflict, NotFound
from grids import casefile, paperwork
from grids.acts import slips
from grids.tables import Person

__all__ = ["router"]

router = APIRouter(tags=["papers"])


@router.get(
    "/api/whistles/{number}/letter.pdf", responses=answers(401, 404, 409, 422), response_class=Response
)
def letter(
    number: WhistleNumber,
    me: Me,
    session: ReadOnly,
    words: Words,
    now: Now,
    request: Request,
    department: Annotated[
        str | None, Query(max_length=16, description="one letter; else all in sight")
    ] = None,
) -> Response:
    """Return the need letters of a level-3 whistle as one PDF; a department gets its own."""
    file = casefile.show_whistle(session, me, number)
    tasks = [
        task
        for task in file.tasks
        if (me.department_id is None or task.department_id == me.department_id)
        and (department is None or task.department.code == department)
    ]
    if not file.tasks:
        raise Conflict(
            "not_issued", f"whistle {number} has no letters: no department was called yet", number=number
        )
    if not tasks:
        raise NotFound(
            "task_not_found",
            f"whistle {number} has no letter to '{department}' that you may see",
            department=department,
        )
    names = Names(session, words, now)
    leader = session.get(Person, file.whistle.confirmed_by_id) if file.whistle.confirmed_by_id else None
    sheets = [need_letter(file, task, words, place=names.place, confirmed_by=leader) for task in tasks]
    return _pdf(request, sheets, f"letter-{number}.pdf", now)


@router.get("/api/slips/{number}/slip.pdf", responses=answers(401, 404, 422), response_class=Response)
def slip(number: Number, me: Me, session: ReadOnly, words: Words, now: Now, request: Request) -> Response:
    """Return a slip of supervision as PDF."""
    names = Names(session, words, now)
    sheet = slip_sheet(slips.show(session, me, number), words, place=names.place)
    return _pdf(request, [sheet], f"slip-{number}.pdf", now)


class Many(Body):
    """Which papers: letters or slips of a time, `until` exclusive."""

    kind: Literal["letter", "slip"]
    since: Moment
    until: Moment


@router.post("/api/papers", status_code=202, responses=answers(401, 422))
def ask_for_many(body: Many, me: Me, session: UnitOfWork, words: Words, now: Now, request: Request) -> JobOut:
    """Have many papers made as one zip; the answer says where to ask how far it is."""
    listed = paperwork.letters if body.kind == "letter" else paperwork.slip_numbers
    numbers = listed(session, me, body.since, body.until)
    font = request.app.state.settings.pdf_font
    said = {
        "kind": body.kind,
        "language": words.language,
        "at": now.isoformat(),
        "font": str(font) if font else None,
        "department_id": me.department_id,
    }
    papers = [{**said, "number": number} for number in numbers]
    job = jobs.defer(session, "papers", {"papers": papers, "name": f"{body.kind}s"}, by=me, now=now)
    return JobOut.of(job)


def _pdf(request: Request, sheets: list[Sheet], name: str, now: Now) -> Response:
    font = find_font(request.app.state.settings.pdf_font)
    return Response(
        write_pdf(sheets, font=font, title=sheets[0].title, made_at=now),
        media_type="application/pdf",
        headers={"content-disposition": f'inline; filename="{name}"', "cache-control": "private, no-store"},
    )
