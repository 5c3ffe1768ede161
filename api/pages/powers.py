"""Powers that towns exercise themselves, and what departments may hand down to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from api.deps import ReadOnly, UnitOfWork
from api.dutylists import district_of, table_of
from api.pages.forms import Filled, date_of, text_of, tried
from api.pages.layout import see_other
from api.pages.visit import Sent, Visit, Visiting
from gis.errors import CityError, InvalidInput, NotFound
from grids.duty import admissions, powers
from grids.duty.admissions import ASKERS, DECIDERS, Wish
from grids.rules.calendar import local_day
from grids.rules.pauses import Decision
from grids.rules.permissions import RULE_KEEPERS, require_role

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_SHOWN = (Decision.ASKED, Decision.GRANTED, Decision.REFUSED)


async def _with_file(request: Request) -> AsyncIterator[FormData]:
    async with request.form(max_files=1, max_fields=20) as data:  # closes the file
        yield data


WithFile = Annotated[FormData, Depends(_with_file)]
AdmissionId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("/powers")
def show_powers(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show the powers of a town, the reader's own unless they choose another of the district."""
    return _powers(session, visit)


@router.post("/powers")
def import_powers(session: UnitOfWork, visit: Visiting, data: WithFile) -> Response:
    """Store a table of powers."""
    require_role(visit.me, RULE_KEEPERS)
    file = data.get("file")

    def act() -> object:
        if not isinstance(file, UploadFile) or not file.filename:
            raise InvalidInput("file_needed", "choose a table of powers", field="file")
        return powers.import_powers(
            session,
            table_of(file.file),
            district=district_of(session, visit.me),
            on=local_day(visit.now),
        )

    done = tried(session, act)
    if isinstance(done, CityError):
        return _powers(session, visit, Filled.of("import", data, done), done)
    return see_other("/powers")


@router.get("/admissions")
def show_admissions(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show what was asked for, approved and refused, as far as the reader may see it."""
    return _admissions(session, visit)


@router.post("/admissions")
def ask(session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """Ask for a task to be handed down."""
    require_role(visit.me, ASKERS)

    def act() -> object:
        wish = Wish(
            title=text_of(data, "title") or "",
            content=text_of(data, "content") or "",
            legal_basis=text_of(data, "legal_basis") or "",
            support=text_of(data, "support") or "",
            towns=tuple(str(code) for code in data.getlist("towns")),
            until=_until(data),
        )
        return admissions.ask(session, wish, by=visit.me, now=visit.now)

    done = tried(session, act)
    if isinstance(done, CityError):
        return _admissions(session, visit, Filled.of("ask", data, done), done)
    return see_other("/admissions")


@router.post("/admissions/{admission_id}/decide")
def decide(session: UnitOfWork, visit: Visiting, admission_id: AdmissionId, data: Sent) -> Response:
    """Approve or refuse."""
    granted, note = text_of(data, "decision") == Decision.GRANTED, text_of(data, "note")
    done = tried(
        session,
        lambda: admissions.decide(
            session, admission_id, granted=granted, note=note, by=visit.me, now=visit.now
        ),
    )
    if isinstance(done, CityError):
        return _admissions(session, visit, Filled.of(f"decide-{admission_id}", data, done), done)
    return see_other("/admissions")


def _until(data: FormData) -> date | None:
    return date_of(data, "until") if text_of(data, "until") else None


def _powers(
    session: ReadOnly, visit: Visit, sent: Filled = Filled(), problem: CityError | None = None
) -> HTMLResponse:
    district, today = district_of(session, visit.me), local_day(visit.now)
    names = visit.names(session)
    towns = admissions.towns_of(session, district, on=today)
    own = (visit.me.area_code or "")[:9]
    area = text_of(visit.request.query_params, "area") or own or district
    if area != district and area not in towns:
        raise NotFound("area_not_found", f"there is no area {area} that you may see", code=area)
    return visit.show(
        session,
        "powers.html",
        names=names,
        problem=problem,
        here="/powers",
        sent=sent,
        area=area,
        district=district,
        towns=sorted(towns.items()),
        powers=powers.in_town(session, area, on=today),
        may_change=visit.me.role in RULE_KEEPERS,
    )


def _admissions(
    session: ReadOnly, visit: Visit, sent: Filled = Filled(), problem: CityError | None = None
) -> HTMLResponse:
    district, today = district_of(session, visit.me), local_day(visit.now)
    asked = text_of(visit.request.query_params, "decision")
    only = next((one for one in _SHOWN if one == asked), None)
    chosen = sent.values.get("towns", "")
    return visit.show(
        session,
        "admissions.html",
        problem=problem,
        here="/admissions",
        sent=sent,
        only=only,
        choices=_SHOWN,
        found=admissions.find(session, visit.me, decisions=[only] if only else ()),
        towns=sorted(admissions.towns_of(session, district, on=today).items()),
        chosen=chosen,
        today=today,
        may_ask=visit.me.role in ASKERS,
        may_decide=visit.me.role in DECIDERS,
        sees_all=visit.me.role in DECIDERS or visit.me.role in RULE_KEEPERS or visit.me.role in ASKERS,
    )
