"""Forms of what stops or moves clocks: suspension, extension, the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from starlette.datastructures import FormData

from api.deps import UnitOfWork
from api.pages.forms import day_of, moment_of, text_of
from api.pages.visit import Act, Visit
from gis.errors import InvalidInput
from grids.acts import extensions, ledger, pauses
from grids.rules.calendar import local_day
from grids.rules.lifecycle import INCIDENT
from grids.rules.limits import Limit
from grids.rules.pauses import SuspensionReason
from grids.rules.tasks import TASK

__all__ = ["ACTS"]


def _reason(data: FormData) -> SuspensionReason | None:
    said = text_of(data, "reason")
    try:
        return SuspensionReason(said) if said else None
    except ValueError:
        raise InvalidInput("unknown_choice", "choose one of the list", field="reason") from None


def _missing(name: str) -> InvalidInput:
    return InvalidInput("missing_field", f"{name} is missing", field=name)


def _day(data: FormData, name: str) -> date:
    midnight = day_of(data, name)
    if midnight is None:
        raise _missing(name)
    return local_day(midnight)


def _ask_suspension(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    reason, until = _reason(data), moment_of(data, "until")
    if reason is None or until is None:
        raise _missing("reason" if reason is None else "until")
    note = text_of(data, "note") or ""
    return pauses.ask_suspension(
        session, number, reason=reason, note=note, until=until, by=visit.me, now=visit.now
    )


def _suspend(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    return pauses.suspend(
        session,
        number,
        reason=_reason(data),
        note=text_of(data, "note"),
        until=moment_of(data, "until"),
        by=visit.me,
        now=visit.now,
    )


def _refuse_suspension(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    return pauses.refuse_suspension(
        session, number, note=text_of(data, "note") or "", by=visit.me, now=visit.now
    )


def _resume(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    return pauses.resume(session, number, note=text_of(data, "note"), by=visit.me, now=visit.now)


def _ledger(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    return ledger.put(
        session,
        number,
        plan=text_of(data, "plan") or "",
        lead=text_of(data, "lead") or "",
        review_on=_day(data, "review_on"),
        public_reply=text_of(data, "public_reply") or "",
        by=visit.me,
        now=visit.now,
    )


def _review(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    note = text_of(data, "note") or ""
    day = _day(data, "review_on")
    return ledger.review(session, number, note=note, review_on=day, by=visit.me, now=visit.now)


def _take_up(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    return ledger.take_up(session, number, note=text_of(data, "note") or "", by=visit.me, now=visit.now)


def _close(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    reply = text_of(data, "public_reply") or ""
    return ledger.close(session, number, public_reply=reply, by=visit.me, now=visit.now)


def _extend(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> object:
    return extensions.extend(
        session,
        int(key),
        amount=Limit(text_of(data, "amount") or "", text_of(data, "unit") or ""),
        reason=text_of(data, "reason") or "",
        citizen_told=data.get("citizen_told") == "1",
        by=visit.me,
        now=visit.now,
    )


def _grant(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> object:
    note = text_of(data, "note")
    return extensions.decide(session, int(key), granted=True, note=note, by=visit.me, now=visit.now)


def _refuse(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> object:
    note = text_of(data, "note")
    return extensions.decide(session, int(key), granted=False, note=note, by=visit.me, now=visit.now)


ACTS: Mapping[tuple[str, str], Act] = {
    (INCIDENT.name, "ask_suspension"): _ask_suspension,
    (INCIDENT.name, "close_ledger"): _close,
    (INCIDENT.name, "ledger"): _ledger,
    (INCIDENT.name, "refuse_suspension"): _refuse_suspension,
    (INCIDENT.name, "resume"): _resume,
    (INCIDENT.name, "review_ledger"): _review,
    (INCIDENT.name, "suspend"): _suspend,
    (INCIDENT.name, "take_up"): _take_up,
    (TASK.name, "extend"): _extend,
    (TASK.name, "grant_extension"): _grant,
    (TASK.name, "refuse_extension"): _refuse,
}
