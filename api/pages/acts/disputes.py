"""Forms of the acts on a dispute, and the one by which it is filed from a task."""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.datastructures import FormData

from api.deps import UnitOfWork
from api.pages.forms import moment_of, text_of
from api.pages.visit import Act, Visit
from gis.errors import InvalidInput
from grids import casefile
from grids.acts import disputes, verdicts
from grids.acts.disputes import Filing
from grids.acts.verdicts import Settlement
from grids.duty.decided import Extent
from grids.rules.disputes import DISPUTE, Ground, GroundKind
from grids.rules.tasks import TASK
from grids.tables import Dispute, DutyBasis

__all__ = ["ACTS"]

_ALSO, _TICK = "also_", "co_"


def _file(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> Dispute:
    number = casefile.show_task(session, visit.me, int(key)).incident.number
    filing = Filing(
        matter=text_of(data, "matter") or "",
        position=text_of(data, "position") or "",
        basis=text_of(data, "basis"),
        lead=text_of(data, "lead"),
        also=tuple(name.removeprefix(_ALSO) for name in data if name.startswith(_ALSO)),
    )
    return disputes.file(session, number, filing, by=visit.me, now=visit.now)


def _state_position(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Dispute:
    return disputes.state_position(
        session,
        number,
        position=text_of(data, "position") or "",
        basis=text_of(data, "basis"),
        lead=text_of(data, "lead"),
        by=visit.me,
        now=visit.now,
    )


def _negotiate(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Dispute:
    minutes = text_of(data, "minutes") or ""
    return disputes.negotiate(session, number, minutes=minutes, by=visit.me, now=visit.now)


def _coordinate(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Dispute:
    return disputes.coordinate(
        session,
        number,
        opinion=text_of(data, "opinion"),
        lead=text_of(data, "lead"),
        by=visit.me,
        now=visit.now,
    )


def _give_opinion(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Dispute:
    return disputes.give_opinion(
        session,
        number,
        opinion=text_of(data, "opinion") or "",
        lead=text_of(data, "lead"),
        by=visit.me,
        now=visit.now,
    )


def _meet(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Dispute:
    return disputes.meet(
        session,
        number,
        minutes=text_of(data, "minutes") or "",
        lead=text_of(data, "lead"),
        by=visit.me,
        now=visit.now,
    )


def _sign_off(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Dispute:
    return disputes.sign_off(
        session,
        number,
        party=text_of(data, "party") or "",
        name=text_of(data, "name") or "",
        by=visit.me,
        now=visit.now,
    )


def _put_to_leader(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Dispute:
    reason = text_of(data, "reason") or ""
    return disputes.put_to_leader(session, number, reason=reason, by=visit.me, now=visit.now)


def _agree(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Dispute:
    return verdicts.agree(session, number, _settlement(visit, data), by=visit.me, now=visit.now)


def _decide(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Dispute:
    return verdicts.decide(session, number, _settlement(visit, data), by=visit.me, now=visit.now)


def _settlement(visit: Visit, data: FormData) -> Settlement:
    """Return what a form settles: a ground for each line, a tick `co_CODE` for each cooperating department."""
    lead = text_of(data, "lead")
    if lead is None:
        raise InvalidInput("lead_needed", "name the department that leads", field="lead")
    try:
        basis = DutyBasis(str(data.get("basis")))
    except ValueError:
        raise InvalidInput("unknown_choice", "choose one of the list", field="basis") from None
    grounds = tuple(
        Ground(kind, line.strip())
        for kind in GroundKind
        for line in (text_of(data, f"ground_{kind.value}") or "").splitlines()
        if line.strip()
    )
    cooperating = [name.removeprefix(_TICK) for name in data if name.startswith(_TICK)]
    return Settlement(
        lead=lead,
        cooperating=tuple(code for code in cooperating if code != lead),
        grounds=grounds,
        basis=basis,
        extent=_extent(visit, data),
        minutes=text_of(data, "minutes"),
    )


def _extent(visit: Visit, data: FormData) -> Extent:
    area, drawn = text_of(data, "area"), text_of(data, "boundary")
    if drawn is None:
        return Extent(area)
    try:
        shape = json.loads(drawn)
    except (ValueError, RecursionError):
        shape = None
    if not isinstance(shape, dict):
        raise InvalidInput("geometry_unreadable", "boundary is not a GeoJSON geometry", field="boundary")
    return Extent(area, shape, visit.frame(text_of(data, "frame")))


def _refuse(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Dispute:
    reason = text_of(data, "reason") or ""
    return verdicts.refuse(session, number, reason=reason, by=visit.me, now=visit.now)


def _close(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Dispute:
    return verdicts.close(session, number, note=text_of(data, "comment"), by=visit.me, now=visit.now)


def _withdraw(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Dispute:
    reason = text_of(data, "reason") or ""
    return disputes.withdraw(session, number, reason=reason, by=visit.me, now=visit.now)


def _suspend(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Dispute:
    until = moment_of(data, "until")
    if until is None:
        raise InvalidInput("missing_field", "until is missing", field="until")
    reason = text_of(data, "reason") or ""
    return disputes.suspend(session, number, reason=reason, until=until, by=visit.me, now=visit.now)


def _resume(session: UnitOfWork, visit: Visit, number: str, _data: FormData) -> Dispute:
    return disputes.resume(session, number, by=visit.me, now=visit.now)


ACTS: Mapping[tuple[str, str], Act] = {
    (TASK.name, "dispute"): _file,
    (DISPUTE.name, "agree"): _agree,
    (DISPUTE.name, "close"): _close,
    (DISPUTE.name, "coordinate"): _coordinate,
    (DISPUTE.name, "decide"): _decide,
    (DISPUTE.name, "give_opinion"): _give_opinion,
    (DISPUTE.name, "meet"): _meet,
    (DISPUTE.name, "negotiate"): _negotiate,
    (DISPUTE.name, "put_to_leader"): _put_to_leader,
    (DISPUTE.name, "refuse"): _refuse,
    (DISPUTE.name, "resume"): _resume,
    (DISPUTE.name, "sign_off"): _sign_off,
    (DISPUTE.name, "state_position"): _state_position,
    (DISPUTE.name, "suspend"): _suspend,
    (DISPUTE.name, "withdraw"): _withdraw,
}
