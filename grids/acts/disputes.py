"""Disputes about duty: filed, talked over, coordinated, met about, at most once put to the leader.

A dispute is a flag beside the case. No step of it touches a clock but its own: duties and clocks go on, and all
parties are jointly responsible (`grids.rules.disputes`). How one ends is in `grids.acts.verdicts`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from gis.errors import Conflict, Forbidden, InvalidInput
from grids import docket
from grids.acts.case import Case, next_number, said
from grids.acts.coordination import (
    allow,
    begin_stage,
    end,
    held,
    known,
    opened,
    paper,
    running,
    running_whistle,
    tell_all,
    unmark,
)
from grids.rules import explanation
from grids.rules.calendar import SHANGHAI
from grids.rules.deadlines import DeadlineKind
from grids.rules.disputes import (
    DISPUTABLE,
    DISPUTE,
    LONGEST_SUSPENSION,
    TOWN,
    Body,
    DisputeStatus,
    DisputeStepKind,
    signers,
)
from grids.rules.limits import due
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.rules.tasks import TASK, TaskRole
from grids.tables import Deadline, Dispute, Task, Whistle

__all__ = [
    "Filing",
    "coordinate",
    "file",
    "give_opinion",
    "meet",
    "negotiate",
    "overdue",
    "put_to_leader",
    "resume",
    "sign_off",
    "state_position",
    "suspend",
    "withdraw",
]

_S, _K = DisputeStatus, DisputeStepKind


@dataclass(frozen=True, slots=True)
class Filing:
    """What somebody disputes. lead : whom they hold to lead, if they say so. also : further departments, by code."""

    matter: str
    position: str
    basis: str | None = None
    lead: str | None = None
    also: tuple[str, ...] = ()


def file(session: Session, incident_number: str, filing: Filing, *, by: Actor, now: datetime) -> Dispute:
    """Dispute whose duty a case is (row D1): all its parts are marked (row T4), and everybody works on.

    Who leads now leads on meanwhile; where no department was called yet, the town does. Raises `Conflict`
    ("not_disputable", "dispute_running"), `Forbidden` ("not_a_party") for a department without a part in it, and
    `InvalidInput` ("parties_needed", "unknown_department").
    """
    said(filing.matter, "matter", "say whose duty is in question, and what for")
    said(filing.position, "position", "say what you hold, and why")
    case = Case.open(session, incident_number, by, now)
    DISPUTE.decide(None, "file", by.role)
    incident = case.incident
    if incident.status not in DISPUTABLE:
        raise Conflict(
            "not_disputable",
            f"a case that is {incident.status} has no duty to dispute: that is done while it is handled",
            state=incident.status,
        )
    other = running(case)
    if other is not None:
        raise Conflict("dispute_running", f"dispute {other.number} runs for this case", number=other.number)
    whistle = running_whistle(case)
    tasks = held(session, whistle)
    party = docket.seat_of(session, by, incident.grid_code) or Body.HOTLINE_CENTRE
    codes = [task.department.code for task in sorted(tasks, key=lambda one: one.role is not TaskRole.LEAD)]
    if not codes and whistle is not None:
        codes = [str(named["code"]) for named in whistle.departments or ()]
    if by.role is Role.DEPARTMENT_DUTY and party not in codes:
        raise Forbidden("not_a_party", "your department has no part in this case", got=party, wanted=codes)
    for code in filing.also:
        known(case, code, "also")
    everybody = tuple(dict.fromkeys((*codes, *(code for code in filing.also if code != TOWN), TOWN)))
    if everybody == (TOWN,):
        raise InvalidInput(
            "parties_needed", "no department was called yet: name those that are concerned", field="also"
        )
    if filing.lead is not None:
        known(case, filing.lead, "lead")
    leads = next((task.department.code for task in tasks if task.role is TaskRole.LEAD), TOWN)
    stem = f"D{now.astimezone(SHANGHAI):%Y%m%d}{incident.grid_code[:6]}"
    dispute = Dispute(
        number=f"{stem}{next_number(session, f'dispute {stem}'):05d}",
        incident_id=incident.id,
        whistle_id=whistle.id if whistle is not None else None,
        area_code=incident.grid_code[:9],
        status=_S.FILED,
        matter=filing.matter.strip(),
        parties=list(everybody),
        provisional_lead=leads,
        filed_at=now,
        filed_by_id=by.person_id,
        filed_by_party=party,
        counted_from=now,
    )
    session.add(dispute)
    facts = {"matter": dispute.matter, "parties": everybody, "provisional_lead": leads, "view": filing.lead}
    case.begun(dispute, "file", facts)
    paper(case, dispute, _K.POSITION, party, filing.position, basis=filing.basis, lead=filing.lead)
    for task in tasks:
        if any(task.status in row.sources for row in TASK.rows("dispute")):
            mine = by.department_id == task.department_id
            case.move(task, "dispute", {"dispute": dispute.number}, by=by if mine else SYSTEM)
            task.disputed = True
    begin_stage(case, dispute)
    case.explain(explanation.dispute(dispute.number, leads, "filed", at=now, parties=list(everybody)))
    tell_all(case, dispute, "dispute.filed", Role.TOWN_LEADER, Role.GOVERNANCE_CENTRE, Role.DISTRICT_PLATFORM)
    session.flush()
    return dispute


def state_position(
    session: Session,
    number: str,
    *,
    position: str,
    basis: str | None = None,
    lead: str | None = None,
    by: Actor,
    now: datetime,
) -> Dispute:
    """Say what a party holds (row D1), and whom it holds to lead; what it says last counts."""
    said(position, "position", "say what you hold, and why")
    case, dispute, _, party = opened(session, number, "state_position", by, now)
    if lead is not None:
        known(case, lead, "lead")
    case.move(dispute, "state_position", {"party": party, "view": lead})
    paper(case, dispute, _K.POSITION, party, position, basis=basis, lead=lead)
    session.flush()
    return dispute


def negotiate(session: Session, number: str, *, minutes: str, by: Actor, now: datetime) -> Dispute:
    """Record the talk to which whoever leads for now called the others (row D2); its day began with filing."""
    said(minutes, "minutes", "say who met and what came of it")
    case, dispute, _, party = opened(session, number, "negotiate", by, now)
    case.move(dispute, "negotiate", {"party": party})
    paper(case, dispute, _K.MINUTES, party, minutes)
    tell_all(case, dispute, "dispute.negotiated")
    session.flush()
    return dispute


def coordinate(
    session: Session,
    number: str,
    *,
    opinion: str | None = None,
    lead: str | None = None,
    by: Actor,
    now: datetime,
) -> Dispute:
    """Take a dispute to the establishment office (row D3), which gives its opinion at once or later.

    lead : whom the opinion names; an opinion names somebody.
    """
    case, dispute, _, _ = opened(session, number, "coordinate", by, now)
    if opinion:
        _check_opinion(case, opinion, lead)
    case.move(dispute, "coordinate", {"view": lead} if opinion else {})
    begin_stage(case, dispute)
    if opinion:
        paper(case, dispute, _K.OPINION, Body.BIANBAN, opinion, lead=lead)
    tell_all(case, dispute, "dispute.coordinated")
    session.flush()
    return dispute


def give_opinion(
    session: Session, number: str, *, opinion: str, lead: str | None, by: Actor, now: datetime
) -> Dispute:
    """Say as the establishment office who should lead (row D3); a later opinion takes the place of this one."""
    case, dispute, _, _ = opened(session, number, "give_opinion", by, now)
    _check_opinion(case, opinion, lead)
    case.move(dispute, "give_opinion", {"view": lead})
    paper(case, dispute, _K.OPINION, Body.BIANBAN, opinion, lead=lead)
    tell_all(case, dispute, "dispute.opinion")
    session.flush()
    return dispute


def _check_opinion(case: Case, opinion: str, lead: str | None) -> None:
    said(opinion, "opinion", "say what the establishment office holds")
    if lead is None:
        raise InvalidInput("lead_needed", "an opinion names the department that should lead", field="lead")
    known(case, lead, "lead")


def meet(
    session: Session, number: str, *, minutes: str, lead: str | None = None, by: Actor, now: datetime
) -> Dispute:
    """Record the joint meeting (row D4); the bodies sign its minutes, and only then it may decide."""
    said(minutes, "minutes", "say who met and what the meeting holds")
    case, dispute, _, _ = opened(session, number, "meet", by, now)
    if lead is not None:
        known(case, lead, "lead")
    case.move(dispute, "meet", {"view": lead})
    paper(case, dispute, _K.MEETING, Body.BIANBAN, minutes, lead=lead)
    begin_stage(case, dispute)
    tell_all(case, dispute, "dispute.met")
    session.flush()
    return dispute


def sign_off(session: Session, number: str, *, party: str, name: str, by: Actor, now: datetime) -> Dispute:
    """Sign the joint opinion (会签, row D4): a party for itself, the board for the bodies.

    party : a department's code, TOWN or a `Body`. name : of who signs.
    Raises `Forbidden` ("not_yours_to_sign"), `Conflict` ("already_signed").
    """
    said(name, "name", "name who signs")
    case, dispute, stand, seat = opened(session, number, "sign_off", by, now)
    mine = signers(replace(stand, signed=frozenset()), by.role, seat)
    if party not in mine:
        raise Forbidden("not_yours_to_sign", f"you do not sign for '{party}'", got=party, wanted=list(mine))
    if party in stand.signed:
        raise Conflict("already_signed", f"{party} has signed", signed=sorted(stand.signed))
    case.move(dispute, "sign_off", {"party": party})
    paper(case, dispute, _K.SIGN_OFF, party, name)
    session.flush()
    return dispute


def put_to_leader(session: Session, number: str, *, reason: str, by: Actor, now: datetime) -> Dispute:
    """Put a matter to the district's leader (row D5), which happens once.

    Raises `Conflict` ("leader_once") where the leader has coordinated it before: on this case, or in this town on
    the same category between the same two departments.
    """
    said(reason, "reason", "say what the joint meeting could not settle")
    case, dispute = Case.of_dispute(session, number, by, now)
    # two cases of one matter wait for each other here, and the second sees the first
    next_number(session, f"leader {dispute.area_code} {case.incident.category_code}")
    stand = docket.stand_of(session, dispute)
    allow(
        case, dispute, "put_to_leader", replace(stand, led=docket.led_before(session, dispute, case.incident))
    )
    case.move(dispute, "put_to_leader", {"reason": reason})
    dispute.leader_at = now
    tell_all(case, dispute, "dispute.to_leader", Role.DISTRICT_LEADER, reason=reason)
    session.flush()
    return dispute


def withdraw(session: Session, number: str, *, reason: str, by: Actor, now: datetime) -> Dispute:
    """Take a dispute back (row D9), as whoever filed it: who leads, leads."""
    said(reason, "reason", "say why it is taken back")
    case, dispute, _, _ = opened(session, number, "withdraw", by, now)
    unmark(case, dispute)
    end(case, dispute, "withdraw", _S.WITHDRAWN, {"reason": reason})
    leads = dispute.provisional_lead or TOWN
    case.explain(explanation.dispute(dispute.number, leads, "withdrawn", at=now))
    tell_all(case, dispute, "dispute.withdrawn", Role.GOVERNANCE_CENTRE)
    session.flush()
    return dispute


def suspend(
    session: Session, number: str, *, reason: str, until: datetime, by: Actor, now: datetime
) -> Dispute:
    """Let the coordination rest until a day (row D10), at most 30: it alone, every duty and every clock goes on."""
    said(reason, "reason", "say what the coordination waits for")
    case, dispute, _, _ = opened(session, number, "suspend", by, now)
    latest = due(now, LONGEST_SUSPENSION, case.calendar)
    if not now < until <= latest:
        raise InvalidInput(
            "bad_until",
            f"a coordination rests until a moment to come, {latest.isoformat()} at the latest",
            field="until",
            got=until.isoformat(),
            wanted=latest.isoformat(),
            days=int(LONGEST_SUSPENSION.value),
        )
    before = dispute.status.value
    case.move(dispute, "suspend", {"reason": reason, "until": until})
    dispute.suspended_from, dispute.suspended_at = before, now
    case.stop_clock(DeadlineKind.DISPUTE, void=True)
    dispute.stage_due_at = case.start_clock(DeadlineKind.DISPUTE, due_at=until)
    tell_all(case, dispute, "dispute.suspended", reason=reason, until_at=until)
    session.flush()
    return dispute


def resume(session: Session, number: str, *, by: Actor, now: datetime) -> Dispute:
    """Take the coordination up again (row D10); it goes on at the establishment office."""
    case, dispute, _, _ = opened(session, number, "resume", by, now)
    _resume(case, dispute, by=by)
    session.flush()
    return dispute


def _resume(case: Case, dispute: Dispute, *, by: Actor) -> None:
    case.move(dispute, "resume", {}, by=by)
    if dispute.suspended_at is not None:
        dispute.counted_from += case.now - dispute.suspended_at
        dispute.suspended_at = None
    begin_stage(case, dispute)
    tell_all(case, dispute, "dispute.resumed")


def overdue(case: Case, _clock: Deadline, _whistle: Whistle | None, _task: Task | None) -> None:
    """Say that a stage took too long: to the parties while they talk, later to the leader; end a rest that is over.

    The governance centre and the platform hear of it as of every such clock.
    """
    dispute = running(case)
    if dispute is None:
        return
    if dispute.status is _S.SUSPENDED:
        _resume(case, dispute, by=SYSTEM)
        return
    late = dispute.status not in (_S.FILED, _S.NEGOTIATING)
    tell_all(case, dispute, "dispute.overdue", *((Role.DISTRICT_LEADER,) if late else ()))
