"""Forms of what becomes of a report besides being accepted, and of a grade that changes."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import FormData

from api.deps import UnitOfWork
from api.pages.forms import text_of
from api.pages.visit import Act, Visit
from gis.errors import InvalidInput
from grids.acts import intake, regrading
from grids.rules.grading import Grade
from grids.rules.lifecycle import INCIDENT, Inspection, RejectReason

__all__ = ["ACTS"]


def _inspect(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    try:
        found = Inspection(text_of(data, "found") or "")
    except ValueError:
        raise InvalidInput("unknown_choice", "choose one of the list", field="found") from None
    note = text_of(data, "note")
    return intake.inspect(session, number, found=found, note=note, by=visit.me, now=visit.now)


def _reject(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    try:
        reason = RejectReason(text_of(data, "reason") or "")
    except ValueError:
        raise InvalidInput("unknown_choice", "choose one of the list", field="reason") from None
    reply = text_of(data, "reply") or ""
    return intake.reject(session, number, reason=reason, reply=reply, by=visit.me, now=visit.now)


def _merge(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    """Join it to the case that was chosen among the proposals, or to the one whose number was typed."""
    master = text_of(data, "master") or text_of(data, "proposed") or ""
    return intake.merge(session, number, master=master, by=visit.me, now=visit.now)


def _cancel(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    reason = text_of(data, "reason") or ""
    return intake.cancel(session, number, reason=reason, by=visit.me, now=visit.now)


def _regrade(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    try:
        grade = Grade(text_of(data, "grade") or "")
    except ValueError:
        raise InvalidInput("unknown_choice", "choose one of the list", field="grade") from None
    reason = text_of(data, "reason") or ""
    return regrading.regrade(session, number, grade=grade, reason=reason, by=visit.me, now=visit.now)


ACTS: Mapping[tuple[str, str], Act] = {
    (INCIDENT.name, "cancel"): _cancel,
    (INCIDENT.name, "inspect"): _inspect,
    (INCIDENT.name, "merge"): _merge,
    (INCIDENT.name, "regrade"): _regrade,
    (INCIDENT.name, "reject"): _reject,
}
