"""Forms of the acts on a whistle; what climbs is shown as the new whistle."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import FormData

from api.deps import UnitOfWork
from api.pages.forms import moment_of, text_of
from api.pages.visit import Act, Visit
from gis.errors import InvalidInput
from grids.acts import joint, whistles
from grids.acts.joint import Draft
from grids.rules.limits import Limit
from grids.rules.tasks import TaskRole
from grids.rules.whistles import WHISTLE, WhistleType
from grids.tables import Whistle

__all__ = ["ACTS"]


def _answer(session: UnitOfWork, visit: Visit, number: str, _data: FormData) -> Whistle:
    return whistles.answer(session, number, by=visit.me, now=visit.now)


def _solve(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    return whistles.solve(session, number, result=text_of(data, "result") or "", by=visit.me, now=visit.now)


def _escalate(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    return whistles.escalate(
        session, number, reason=text_of(data, "reason") or "", by=visit.me, now=visit.now
    )


def _file(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    return whistles.file(
        session,
        number,
        liaison_name=text_of(data, "liaison_name") or "",
        liaison_phone=text_of(data, "liaison_phone") or "",
        by=visit.me,
        now=visit.now,
    )


def _assign(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    return whistles.assign(
        session,
        number,
        office=text_of(data, "office") or "",
        instruction=text_of(data, "instruction") or "",
        by=visit.me,
        now=visit.now,
    )


def _submit(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    return joint.submit(session, number, _draft(data), by=visit.me, now=visit.now)


def _draft(data: FormData) -> Draft:
    """Return the draft that a form holds: one field `role_CODE` for each department that is called."""
    try:
        kind = WhistleType(str(data.get("type")))
        chosen = tuple(
            (name.removeprefix("role_"), TaskRole(str(role)))
            for name, role in data.items()
            if name.startswith("role_") and role
        )
    except ValueError:
        raise InvalidInput("unknown_choice", "choose one of the list", field="type") from None
    value, unit = text_of(data, "limit"), text_of(data, "unit")
    return Draft(
        type=kind,
        reason=text_of(data, "reason"),
        departments=chosen,
        appointed_at=moment_of(data, "appointed_at"),
        appointed_place=text_of(data, "appointed_place"),
        limit=Limit(value, unit or "") if value else None,
    )


def _confirm(session: UnitOfWork, visit: Visit, number: str, _data: FormData) -> Whistle:
    return joint.confirm(session, number, by=visit.me, now=visit.now)


def _refuse(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    return joint.refuse(session, number, reason=text_of(data, "reason") or "", by=visit.me, now=visit.now)


def _verify(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    return joint.verify(session, number, comment=text_of(data, "comment"), by=visit.me, now=visit.now)


def _archive(session: UnitOfWork, visit: Visit, number: str, _data: FormData) -> Whistle:
    return joint.archive(session, number, by=visit.me, now=visit.now)


ACTS: Mapping[tuple[str, str], Act] = {
    (WHISTLE.name, "answer"): _answer,
    (WHISTLE.name, "archive"): _archive,
    (WHISTLE.name, "assign"): _assign,
    (WHISTLE.name, "confirm"): _confirm,
    (WHISTLE.name, "escalate"): _escalate,
    (WHISTLE.name, "file"): _file,
    (WHISTLE.name, "refuse"): _refuse,
    (WHISTLE.name, "solve"): _solve,
    (WHISTLE.name, "submit"): _submit,
    (WHISTLE.name, "verify"): _verify,
}
