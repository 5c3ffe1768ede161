"""Powers that towns exercise themselves, and what departments may hand down to them."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response, UploadFile

from api.deps import Me, Now, ReadOnly, UnitOfWork
from api.dutylists import district_of, table_of
from api.idempotency import Once
from api.problems import answers
from api.routes.query import Area
from api.schemas.dutylists import (
    AdmissionIn,
    AdmissionOut,
    DecideAdmissionIn,
    ImportedOut,
    PowerOut,
    SentTable,
)
from gis.errors import NotFound
from grids.duty import admissions, powers
from grids.duty.admissions import Wish
from grids.rules.calendar import local_day
from grids.rules.pauses import Decision
from grids.rules.permissions import RULE_KEEPERS, require_role

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["duties"])

AdmissionId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("/powers", responses=answers(401, 404))
def list_powers(me: Me, session: ReadOnly, now: Now, area: Area = None) -> list[PowerOut]:
    """Return the powers that hold today in a town, in one's own by default; they bind everybody in the district."""
    district = district_of(session, me)
    code = area or me.area_code or district
    if code[:6] != district:
        raise NotFound("area_not_found", f"there is no area {code} that you may see", code=code)
    return [PowerOut.of(one) for one in powers.in_town(session, code, on=local_day(now))]


@router.post("/powers", status_code=201, response_model=ImportedOut, responses=answers(401, 403, 413, 422))
def import_powers(me: Me, session: UnitOfWork, now: Now, once: Once, file: UploadFile) -> Response:
    """Store a CSV table of powers for the towns of one's district: all of it, or nothing."""
    require_role(me, RULE_KEEPERS)
    content = table_of(file.file)
    district = district_of(session, me)

    def make() -> tuple[ImportedOut, str]:
        done = powers.import_powers(session, content, district=district, on=local_day(now))
        return ImportedOut.of(done), f"/api/powers?area={district}"

    return once.create(SentTable(sha256=hashlib.sha256(content).hexdigest(), district=district), make)


@router.get("/admissions", responses=answers(401, 422))
def list_admissions(
    me: Me,
    session: ReadOnly,
    decision: Annotated[Decision | None, Query(description="such as refused; all by default")] = None,
) -> list[AdmissionOut]:
    """Return what one may see: a department its own, a town what is approved for it, the district all; newest first."""
    found = admissions.find(session, me, decisions=[decision] if decision else ())
    return [AdmissionOut.of(one) for one in found]


@router.post("/admissions", status_code=201, response_model=AdmissionOut, responses=answers(401, 403, 422))
def ask_for_admission(body: AdmissionIn, me: Me, session: UnitOfWork, now: Now, once: Once) -> Response:
    """Ask, as a department, for a task to be handed down to towns."""

    def make() -> tuple[AdmissionOut, str]:
        wish = Wish(**body.model_dump(exclude={"towns"}), towns=tuple(body.towns))
        row = admissions.ask(session, wish, by=me, now=now)
        return AdmissionOut.of(admissions.get(session, me, row.id)), f"/api/admissions/{row.id}"

    return once.create(body, make)


@router.get("/admissions/{admission_id}", responses=answers(401, 404))
def show_admission(admission_id: AdmissionId, me: Me, session: ReadOnly) -> AdmissionOut:
    """Return one wish that one may see."""
    return AdmissionOut.of(admissions.get(session, me, admission_id))


@router.post("/admissions/{admission_id}/decide", responses=answers(401, 403, 404, 409, 422))
def decide_admission(
    admission_id: AdmissionId, body: DecideAdmissionIn, me: Me, session: UnitOfWork, now: Now
) -> AdmissionOut:
    """Approve or refuse a wish; a refusal says why."""
    admissions.decide(session, admission_id, granted=body.granted, note=body.note, by=me, now=now)
    return AdmissionOut.of(admissions.get(session, me, admission_id))
