"""The list of the grid's editions, and the two ways to another: a file of areas, or a draft drawn from one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from api.deps import ReadOnly, UnitOfWork
from api.names import Names
from api.pages.forms import Filled, date_of, text_of, tried, whole_of
from api.pages.layout import see_other
from api.pages.visit import Sent, Visit, Visiting
from api.uploads import LIMITS, Upload, load_upload, opened
from gis.errors import CityError, InvalidInput
from grids.ground import drafts, editions
from grids.rules.calendar import local_day
from grids.rules.permissions import require_grid_keeper, signature
from grids.tables import Edition

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


async def _with_files(request: Request) -> AsyncIterator[FormData]:
    async with request.form(max_files=2, max_fields=50) as data:  # closes the files
        yield data


Files = Annotated[FormData, Depends(_with_files)]


@router.get("/grids")
def list_editions(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show the editions of one's district, and the form that loads another."""
    return _list(session, visit)


def _list(
    session: ReadOnly, visit: Visit, sent: Filled = Filled(), problem: CityError | None = None
) -> HTMLResponse:
    require_grid_keeper(visit.me)
    mine = [
        (edition, areas)
        for edition, areas in editions.listing(session)
        if all(visit.me.scope.covers(code) for code in editions.districts_of(session, edition.id))
    ]
    today = local_day(visit.now)
    return visit.show(
        session,
        "editions.html",
        names=Names(session, visit.words, visit.now, {}),
        problem=problem,
        here="/grids",
        editions=mine,
        sent=sent,
        frames=visit.frames(),
        today=today,
        tomorrow=(today + timedelta(days=1)).isoformat(),
        most_bytes=LIMITS.bytes,
    )


@router.post("/grids")
def load(session: UnitOfWork, visit: Visiting, data: Files) -> Response:
    """Store a file of areas as a draft and show it."""
    require_grid_keeper(visit.me)
    done = tried(session, lambda: _load(session, visit, data))
    if isinstance(done, CityError):
        return _list(session, visit, Filled.of("load", data, done), done)
    return see_other(f"/grids/{done.id}")


def _load(session: UnitOfWork, visit: Visit, data: FormData) -> Edition:
    file, mapping = data.get("file"), data.get("mapping")
    if not isinstance(file, UploadFile) or not file.filename:
        raise InvalidInput("file_needed", "choose a file of areas", field="file")
    wish = mapping.file.read() if isinstance(mapping, UploadFile) and mapping.filename else None
    sent = Upload(
        filename=file.filename,
        data=file.file.read(),
        mapping=wish,
        frame=text_of(data, "frame"),
        layer=text_of(data, "layer"),
        encoding=text_of(data, "encoding"),
        accept_frame=text_of(data, "accept_frame"),
    )
    return load_upload(
        session,
        sent,
        name=text_of(data, "name"),
        effective=date_of(data, "effective"),
        by=visit.me,
        now=visit.now,
        admit=visit.frame,
    )


@router.post("/grids/drafts")
def begin(session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """Begin a draft from an edition and show it."""
    base = whole_of(data, "based_on") or 0
    opened(session, visit.me, base)

    def act() -> Edition:
        return drafts.begin(
            session,
            base,
            name=text_of(data, "name"),
            effective_from=date_of(data, "effective"),
            by=signature(visit.me),
            now=visit.now,
        )

    done = tried(session, act)
    if isinstance(done, CityError):
        return _list(session, visit, Filled.of(f"begin-{base}", data, done), done)
    return see_other(f"/grids/{done.id}")
