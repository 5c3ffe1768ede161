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

__all__ = ["ACTS", "called_in", "draft_of"]


def _answer(session: UnitOfWork, visit: Visit, number: str, _data: FormData) -> Whistle:
    return whistles.answer(session, number, by=visit.me, now=visit.now)


def _solve(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    return whistles.solve(session, number, result=text_of(data, "result") or "", by=visit.me, now=visit.now)


def _escalate(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    return whistles.escalate(
        session, number, reason=text_of(data, "reason") or "", by=visit.me, now=visit.now
    )


def _name_liaison(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    return whistles.name_liaison(
        session,
        number,
        liaison_name=text_of(data, "liaison_name") or "",
        liaison_phone=text_of(data, "liaison_phone") or "",
        by=visit.me,
        now=visit.now,
    )


def _hand_back(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    return whistles.hand_back(
        session, number, reason=text_of(data, "reason") or "", by=visit.me, now=visit.now
    )


def _file(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    return whistles.file(
        session,
        number,
        liaison_name=text_of(data, "liaison_name"),
        liaison_phone=text_of(data, "liaison_phone"),
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
    return joint.submit(session, number, draft_of(data), by=visit.me, now=visit.now)


def called_in(data: FormData) -> tuple[tuple[str, TaskRole], ...]:
    """Return the departments that a form calls: one field `role_CODE` for each. Raises `InvalidInput`."""
    try:
        return tuple(
            (name.removeprefix("role_"), TaskRole(str(role)))
            for name, role in data.items()
            if name.startswith("role_") and role
        )
    except ValueError:
        raise InvalidInput("unknown_choice", "choose one of the list", field="departments") from None


def draft_of(data: FormData) -> Draft:
    """Return the whistle for departments that a form holds. Raises `InvalidInput`."""
    try:
        kind = WhistleType(str(data.get("type")))
    except ValueError:
        raise InvalidInput("unknown_choice", "choose one of the list", field="type") from None
    value, unit = text_of(data, "limit"), text_of(data, "unit")
    return Draft(
        type=kind,
        reason=text_of(data, "reason"),
        departments=called_in(data),
        chosen_reason=text_of(data, "chosen_reason") or "",  # whoever changes the list here says why
        appointed_at=moment_of(data, "appointed_at"),
        appointed_place=text_of(data, "appointed_place"),
        limit=Limit(value, unit or "") if value else None,
        contact_name=text_of(data, "contact_name"),
        contact_phone=text_of(data, "contact_phone"),
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
    (WHISTLE.name, "hand_back"): _hand_back,
    (WHISTLE.name, "name_liaison"): _name_liaison,
    (WHISTLE.name, "refuse"): _refuse,
    (WHISTLE.name, "solve"): _solve,
    (WHISTLE.name, "submit"): _submit,
    (WHISTLE.name, "verify"): _verify,
}
