"""What becomes of a report besides being accepted: looked at first, turned down, merged, called off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from geoalchemy2.shape import to_shape
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID
from gis.errors import Conflict, Forbidden, InvalidInput
from grids import directory
from grids.acts import regrading
from grids.acts.case import Case, said
from grids.acts.coordination import running, unmark
from grids.acts.reporters import belonging, merged_into, reporters
from grids.rules.deadlines import DeadlineKind, Outcome
from grids.rules.disputes import DisputeStatus
from grids.rules.duplicates import (
    WITHIN,
    Candidate,
    Pair,
    Proposal,
    metres_from,
    propose_duplicates,
    require_mergeable,
)
from grids.rules.grading import Grade
from grids.rules.lifecycle import INCIDENT, Channel, IncidentStatus, Inspection, RejectReason
from grids.rules.pauses import Decision
from grids.rules.permissions import SYSTEM, Actor, Role, Scope
from grids.rules.whistles import WhistleLevel, WhistleStatus
from grids.scope import incidents_in
from grids.tables import IS_OPEN, Category, Deadline, Incident, Reporter, Suspension, Whistle

__all__ = ["cancel", "inspect", "look_first", "merge", "proposals", "reject"]

_S = IncidentStatus
_MERGEABLE = frozenset({_S.REPORTED, _S.TO_VERIFY, _S.ACCEPTED, _S.HANDLING})
_W = WhistleStatus
_BEFORE_DEPARTMENTS = frozenset({_W.BLOWN, _W.HANDLING, _W.FILED, _W.TASKED, _W.DRAFTED, _W.PENDING_CONFIRM})
_DEGREE_M = 111_000.0  # of latitude, at least; for the window that an index searches


def look_first(case: Case) -> None:
    """Send what the public reported to the worker of the cell (row I2), where one is on duty to look.

    What its category calls red waits for nobody: the town accepts it at once.
    """
    incident = case.incident
    if incident.channel is not Channel.CITIZEN:
        return
    if incident.category_code is not None:
        category = case.session.get_one(Category, incident.category_code)
        if category.grade is Grade.RED:
            return
    workers = directory.on_duty(case.session, (Role.GRID_WORKER,), incident.grid_code, case.now)
    if not workers:
        return
    case.move(incident, "send_to_verify", by=SYSTEM)
    case.start_clock(DeadlineKind.INSPECT)
    case.tell_people((worker.id for worker in workers), "incident.to_inspect")


def inspect(
    session: Session, number: str, *, found: Inspection, note: str | None = None, by: Actor, now: datetime
) -> Incident:
    """Say what is to be seen where the public reported something (row I2); the town's centre hears of it.

    Anything but "it is there" needs a note. Who could not look may look again; who has looked has looked.
    """
    if found is not Inspection.EXIST and not (note or "").strip():
        raise InvalidInput(
            "text_needed", "note is empty: say what was seen, or why nobody could look", field="note"
        )
    case = Case.open(session, number, by, now)
    incident = case.incident
    INCIDENT.decide(incident.status, "inspect", by.role)
    if incident.inspection not in (None, Inspection.UNABLE):
        raise Conflict("already_inspected", "somebody has looked already", found=incident.inspection.value)
    case.move(incident, "inspect", {"found": found.value, "comment": note})
    incident.inspection, incident.inspected_at = found, now
    case.stop_clock(DeadlineKind.INSPECT)
    told = case.tell((Role.TOWN_GRID_CENTRE,), "incident.inspected", found=found.value)
    if not told:
        case.tell((Role.TOWN_LEADER, Role.DISTRICT_PLATFORM), "incident.inspected", found=found.value)
    session.flush()
    return incident


def reject(
    session: Session, number: str, *, reason: RejectReason, reply: str, by: Actor, now: datetime
) -> Incident:
    """Turn a report down (row I4); `reply` is what the reporters are told, every one of them.

    Raises `InvalidInput` ("not_found_missing") for "it is not there" against, or before, the word of the worker
    who was sent to look.
    """
    said(reply, "reply", "say what the reporter is told")
    case = Case.open(session, number, by, now)
    incident = case.incident
    INCIDENT.decide(incident.status, "reject", by.role)
    sent = incident.status is IncidentStatus.TO_VERIFY
    if reason is RejectReason.NOT_EXIST and sent and incident.inspection is not Inspection.NOT_EXIST:
        raise InvalidInput(
            "not_found_missing",
            "the worker of the cell has not said that it is not there",
            field="reason",
            got=incident.inspection.value if incident.inspection else None,
        )
    case.move(incident, "reject", {"rejected_for": reason.value, "reply": reply})
    incident.rejected_for, incident.reply = reason, reply
    case.stop_clock(DeadlineKind.ACCEPT)
    _stop_what_runs(case)
    _pass_on(case)
    session.flush()
    return incident


def merge(session: Session, number: str, *, master: str, by: Actor, now: datetime) -> Incident:
    """Join a report to the open case that it is about (row I5); return the report.

    Its whistles and clocks end with it; who reported it is called back when the master is done. What the rules of
    duplicates forbid is a `Conflict`, and so is a report for which departments are at work: merge the other
    into that. Raises `InvalidInput` for a master that is missing or out of sight, or the report itself.
    """
    case, into = _both(session, number, master, by, now)
    incident, other = case.incident, into.incident
    INCIDENT.decide(incident.status, "merge", by.role)
    _require_nobody_called(case)
    require_mergeable(_pair(session, incident, other))
    case.move(incident, "merge", {"master": other.number})
    incident.master_id = other.id
    _wind_up(case, "merged")
    session.flush()
    into.note(
        "joined", "I5", {"report": incident.number, "reporters": len(reporters(session, other.id))}, by=by
    )
    into.tell((Role.GRID_LEADER, Role.TOWN_OFFICE), "incident.joined", report=incident.number)
    regrading.look_again(into)
    session.flush()
    return incident


def cancel(session: Session, number: str, *, reason: str, by: Actor, now: datetime) -> Incident:
    """Call a report off (row I14), before departments are at work; a citizen calls off only their own.

    Raises `Conflict` ("others_reported") once other reports were merged into it: they are not withdrawn.
    """
    said(reason, "reason", "say why it is called off")
    case = Case.open(session, number, by, now)
    incident = case.incident
    INCIDENT.decide(incident.status, "cancel", by.role)
    if by.role is Role.CITIZEN and incident.reported_by_id != by.person_id:
        raise Forbidden("not_your_report", "only who reported it may call it off")
    _require_nobody_called(case)
    if merged_into(session, incident.id):
        raise Conflict("others_reported", "other people reported this too: it cannot be called off")
    case.move(incident, "cancel", {"reason": reason})
    _wind_up(case, "cancelled")
    if by.role is not Role.CITIZEN:
        _pass_on(case)
    session.flush()
    return incident


def proposals(session: Session, incident: Incident, scope: Scope) -> list[Proposal]:
    """Return the open cases in sight that a report may be about, the nearest first; a person decides.

    Only what came in before it, or is further on than it, is proposed as a master.
    """
    if incident.status not in _MERGEABLE:
        return []
    radii = {
        row.code: float(row.recurrence_radius_m)
        for row in session.execute(
            select(Category.code, Category.recurrence_radius_m).where(
                Category.recurrence_radius_m.is_not(None)
            )
        )
        if incident.category_code in (None, row.code) and row.recurrence_radius_m is not None
    }
    if not radii:
        return []
    ((lon, lat),) = to_shape(incident.point).coords
    reach = 4 * max(radii.values()) / _DEGREE_M
    window = func.ST_MakeEnvelope(lon - reach, lat - reach, lon + reach, lat + reach, STORAGE_SRID)
    rows = session.execute(
        select(Incident, func.ST_X(Incident.point), func.ST_Y(Incident.point)).where(
            incidents_in(scope),
            IS_OPEN,
            Incident.id != incident.id,
            Incident.category_code.in_(radii),
            Incident.received_at.between(incident.received_at - WITHIN, incident.received_at + WITHIN),
            Incident.point.op("&&")(window),
        )
    ).all()
    found: list[Proposal] = []
    for code, radius in radii.items():
        near = [
            Candidate(
                other.number,
                code,
                *metres_from(lon, lat, x, y),
                other.received_at,
                open=_leads(other, incident),
            )
            for other, x, y in rows
            if other.category_code == code
        ]
        found += propose_duplicates(0.0, 0.0, code, incident.received_at, near, radius_m=radius)
    return sorted(found, key=lambda one: (one.distance_m, one.number))


def _leads(other: Incident, incident: Incident) -> bool:
    """Tell whether another open case may be the master of this report."""
    if other.resolved_at is not None and other.resolved_at < incident.received_at:
        return False
    if (other.received_at, other.id) < (incident.received_at, incident.id):
        return True
    return incident.accepted_at is None and other.accepted_at is not None


# -- two cases at once


def _both(session: Session, number: str, master: str, by: Actor, now: datetime) -> tuple[Case, Case]:
    """Lock a report and its master in the order of their ids, so that no two merges wait in a ring."""
    if number == master:
        raise InvalidInput("merged_into_itself", "a report is not merged into itself", field="master")
    ids = {
        row.number: row.id
        for row in session.execute(
            select(Incident.number, Incident.id).where(
                Incident.number.in_((number, master)), incidents_in(by.scope)
            )
        )
    }
    if set(ids) != {number, master}:
        case = Case.open(session, number, by, now)
        INCIDENT.decide(case.incident.status, "merge", by.role)
        raise InvalidInput(
            "no_such_master", f"there is no incident {master} that you may see", field="master", got=master
        )
    cases = {row_id: Case.open_by_id(session, row_id, by, now) for row_id in sorted(ids.values())}
    return cases[ids[number]], cases[ids[master]]


def _pair(session: Session, incident: Incident, master: Incident) -> Pair:
    ((lon, lat),) = to_shape(incident.point).coords
    ((x, y),) = to_shape(master.point).coords
    east, north = metres_from(lon, lat, x, y)
    code = incident.category_code or master.category_code
    category = session.get(Category, code) if code else None
    resolved = master.resolved_at
    return Pair(
        category=incident.category_code,
        master_category=master.category_code,
        distance_m=(east * east + north * north) ** 0.5,
        radius_m=category.recurrence_radius_m if category else None,
        apart=abs(incident.received_at - master.received_at),
        master_open=master.status not in _ENDED,
        resolved_first=resolved is not None and resolved < incident.received_at,
        same_reporter=bool(_phones(session, incident.id) & _phones(session, master.id)),
    )


_ENDED = frozenset({_S.CLOSED, _S.REJECTED, _S.MERGED, _S.CANCELLED})


def _phones(session: Session, incident_id: int) -> set[str | None]:
    return set(
        session.scalars(
            select(Reporter.phone).where(
                Reporter.incident_id.in_(belonging(incident_id)), Reporter.phone.is_not(None)
            )
        )
    )


# -- a case that ends before it is done


def _require_nobody_called(case: Case) -> None:
    called = case.session.scalar(
        select(Whistle.number)
        .where(
            Whistle.incident_id == case.incident.id,
            Whistle.issued_at.is_not(None),
            Whistle.status != WhistleStatus.WITHDRAWN,
        )
        .limit(1)
    )
    if called is not None:
        raise Conflict("departments_called", "departments were called for this case", whistle=called)


def _wind_up(case: Case, because: str) -> None:
    """End the whistles of this round, a dispute and every clock; what somebody asked for has lost its reason."""
    for level in WhistleLevel:
        whistle = case.whistle_at(level)
        if whistle is not None and whistle.status in _BEFORE_DEPARTMENTS:
            case.move(whistle, "withdraw", {"reason": because}, by=SYSTEM)
            whistle.ended_at = case.now
    dispute = running(case)
    if dispute is not None:  # whose duty it is, is no question any more
        unmark(case, dispute)
        # what was decided stays decided, also where the case is over before it was carried out
        last = "close" if dispute.status is DisputeStatus.EXECUTING else "withdraw"
        case.move(dispute, last, {"reason": because}, by=SYSTEM)
        dispute.ended_at, dispute.stage_due_at = case.now, None
    _stop_what_runs(case)
    for asked in _asked(case):
        asked.decision, asked.decided_at = Decision.LAPSED, case.now


def _asked(case: Case) -> Sequence[Any]:
    return case.session.scalars(
        select(Suspension).where(
            Suspension.incident_id == case.incident.id, Suspension.decision == Decision.ASKED
        )
    ).all()


def _stop_what_runs(case: Case) -> None:
    """End every clock: void, or missed where its moment had passed, whoever ends the case."""
    for clock in case.session.scalars(
        select(Deadline).where(
            Deadline.incident_id == case.incident.id,
            Deadline.settled_at.is_(None),
            Deadline.due_at < case.now,
        )
    ).all():
        case.settle(clock, Outcome.MISSED)
    case.stop_clock(*DeadlineKind, void=True)


def _pass_on(case: Case) -> None:
    """Let every reporter know: by their account who has one, by the hotline who left a phone."""
    accounts = case.session.scalars(
        select(Incident.reported_by_id).where(
            Incident.id.in_(belonging(case.incident.id)),
            Incident.channel == Channel.CITIZEN,
            Incident.reported_by_id.is_not(None),
        )
    )
    case.tell_people({account for account in accounts if account is not None}, "incident.answered")
    callable_ = len(reporters(case.session, case.incident.id))
    if callable_:
        case.tell((Role.HOTLINE_DESK,), "incident.reply", reporters=callable_)
