"""What every act on a dispute stands on: who may do it, its papers, the clock of its stage, who hears of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from gis.errors import InvalidInput
from grids import directory, docket
from grids.acts.case import Case
from grids.acts.ladder import tasks_of
from grids.rules.deadlines import DeadlineKind
from grids.rules.disputes import (
    DISPUTE,
    TOWN,
    DisputeStatus,
    DisputeStepKind,
    Stand,
    obstacle,
)
from grids.rules.limits import due
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.rules.tasks import LET_GO
from grids.rules.whistles import WhistleLevel, WhistleStatus
from grids.tables import Dispute, DisputeStep, Task, Whistle

__all__ = [
    "allow",
    "begin_stage",
    "end",
    "held",
    "known",
    "opened",
    "paper",
    "running",
    "running_whistle",
    "tell_all",
    "unmark",
]

_RUNNING = frozenset(
    {WhistleStatus.DRAFTED, WhistleStatus.PENDING_CONFIRM, WhistleStatus.ISSUED, WhistleStatus.IN_PROGRESS}
)


def opened(
    session: Session, number: str, action: str, by: Actor, now: datetime
) -> tuple[Case, Dispute, Stand, str | None]:
    """Return case, dispute, how it stands and as whom the actor speaks, where the act is theirs to do."""
    case, dispute = Case.of_dispute(session, number, by, now)
    stand = docket.stand_of(session, dispute)
    return case, dispute, stand, allow(case, dispute, action, stand)


def allow(case: Case, dispute: Dispute, action: str, stand: Stand) -> str | None:
    """Return as whom the actor speaks, where the act is theirs to do; raises `Conflict` or `Forbidden`."""
    role = case.actor.role
    DISPUTE.decide(dispute.status, action, role)
    party = docket.seat_of(case.session, case.actor, dispute.area_code)
    refusal = obstacle(action, stand, role, party)
    if refusal is not None:
        raise refusal
    return party


def running(case: Case) -> Dispute | None:
    """Return the dispute that runs for a case, None where none does."""
    return case.session.scalar(
        select(Dispute).where(
            Dispute.incident_id == case.incident.id,
            Dispute.status.not_in((DisputeStatus.CLOSED, DisputeStatus.WITHDRAWN)),
        )
    )


def running_whistle(case: Case) -> Whistle | None:
    """Return the whistle to departments that runs in this round, None where none does."""
    whistle = case.whistle_at(WhistleLevel.THIRD)
    return whistle if whistle is not None and whistle.status in _RUNNING else None


def held(session: Session, whistle: Whistle | None) -> list[Task]:
    """Return a whistle's parts that somebody holds, with their departments."""
    if whistle is None:
        return []
    return [task for task in tasks_of(session, whistle.id) if task.status not in LET_GO]


def known(case: Case, code: str, field: str) -> None:
    """Raise `InvalidInput` ("unknown_department") naming the field, where the district has no such department."""
    try:
        directory.department(case.session, case.incident.grid_code[:6], code)
    except InvalidInput as unknown:
        raise InvalidInput(unknown.code, unknown.message, **(unknown.facts | {"field": field})) from None


def paper(
    case: Case,
    dispute: Dispute,
    kind: DisputeStepKind,
    party: str | None,
    text: str,
    *,
    basis: str | None = None,
    lead: str | None = None,
) -> None:
    """Put a paper on record: what a party or a body said or signed, and whom it holds to lead."""
    case.session.add(
        DisputeStep(
            dispute_id=dispute.id,
            kind=kind,
            party=party,
            text=text.strip(),
            basis=basis,
            lead=lead,
            at=case.now,
            by_id=case.actor.person_id,
            by_name=case.actor.name,
        )
    )
    case.session.flush()


def begin_stage(case: Case, dispute: Dispute) -> None:
    """Start the clock of the stage that has begun; that of the one before ends."""
    case.stop_clock(DeadlineKind.DISPUTE)
    if dispute.status is DisputeStatus.JOINT_MEETING:
        total = case.rules.dispute_total
        ends = due(dispute.counted_from, total, case.calendar)
        dispute.stage_due_at = case.start_clock(DeadlineKind.DISPUTE, total, due_at=ends)
    else:
        dispute.stage_due_at = case.start_clock(DeadlineKind.DISPUTE, case.rules.stage(dispute.status))


def end(
    case: Case,
    dispute: Dispute,
    action: str,
    end: DisputeStatus,
    facts: dict[str, Any],
    *,
    by: Actor | None = None,
) -> None:
    """End a dispute, and its clock."""
    case.move(dispute, action, facts, by=by)
    dispute.ended_at, dispute.stage_due_at = case.now, None
    case.stop_clock(DeadlineKind.DISPUTE, void=end is DisputeStatus.WITHDRAWN)


def unmark(case: Case, dispute: Dispute) -> None:
    """Take the mark off the parts (row T4): nobody answers jointly any more."""
    for task in case.session.scalars(
        select(Task).where(Task.incident_id == case.incident.id, Task.disputed).order_by(Task.id)
    ):
        if task.status not in LET_GO:
            case.move(task, "settle", {"dispute": dispute.number}, by=SYSTEM)
        task.disputed = False


def tell_all(
    case: Case, dispute: Dispute, template: str, *roles: Role, also: Sequence[str] = (), **facts: Any
) -> None:
    """Message the parties of a dispute and further departments, and who holds these roles for the place."""
    town = (Role.TOWN_OFFICE, Role.TOWN_GRID_CENTRE) if TOWN in dispute.parties else ()
    for code in dict.fromkeys((*dispute.parties, *also)):
        if code != TOWN:
            body = directory.department(case.session, case.incident.grid_code[:6], code)
            case.tell_department(body.id, template, dispute=dispute.number, **facts)
    case.tell((*town, *roles), template, dispute=dispute.number, **facts)
