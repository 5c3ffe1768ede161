"""What departments do under a level-3 whistle: respond, start, complete; how they come: `grids.acts.presence`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from sqlalchemy.orm import Session

from gis.errors import Conflict, InvalidInput
from grids.acts import presence, together
from grids.acts.case import Case, said
from grids.acts.ladder import resolve_incident, resume_handling, send_task_back, tasks_of
from grids.rules.deadlines import DeadlineKind
from grids.rules.evidence import kept, missing_evidence, named_evidence, reasons_without
from grids.rules.lifecycle import INCIDENT, IncidentStatus
from grids.rules.permissions import SYSTEM, Actor, Role, require_department
from grids.rules.phones import check_phone, mask_phone
from grids.rules.tasks import DONE_STATUSES, LET_GO, TASK, TaskRole, TaskStatus
from grids.rules.whistles import WhistleStatus
from grids.tables import Category, Task

__all__ = ["complete", "respond", "rework", "start"]


def respond(
    session: Session,
    task_id: int,
    *,
    staff_name: str,
    staff_phone: str,
    arrives_at: datetime | None = None,
    by: Actor,
    now: datetime,
) -> Task:
    """Promise to come, with the name and the phone of who does (row T1).

    arrives_at defaults to the appointed time and may not be later.
    """
    said(staff_name, "staff_name", "name who comes")
    phone = check_phone(staff_phone, field="staff_phone")
    case, whistle, task = Case.of_task(session, task_id, by, now)
    require_department(by, task.department_id)
    meets_at = presence.meets_at(whistle, task)
    if arrives_at is not None and meets_at is not None and arrives_at > meets_at:
        raise InvalidInput(
            "late_arrival",
            "the promised arrival is after the time that the town appointed",
            field="arrives_at",
            got=arrives_at.isoformat(),
            wanted=meets_at.isoformat(),
        )
    task.arrives_at = arrives_at or meets_at
    # the trace says that a phone was given, and keeps none: people may ask for theirs to be erased
    case.move(task, "respond", {"staff": staff_name, "arrives_at": task.arrives_at, "phone_given": True})
    task.staff_name, task.staff_phone, task.responded_at = staff_name.strip(), phone, now
    case.stop_clock(DeadlineKind.RESPOND, task=task)
    if whistle.status is WhistleStatus.ISSUED:
        case.move(whistle, "progress", by=SYSTEM)
    case.tell(
        (Role.TOWN_OFFICE, Role.TOWN_GRID_CENTRE),
        "task.responded",
        whistle=whistle.number,
        task=task.id,
        # the sentence of the answer; a message stays where it was sent to, so it holds no whole number
        department=task.department.name,
        department_en=task.department.name_en,
        staff=task.staff_name,
        phone=mask_phone(phone),
        arrives_at=task.arrives_at,
    )
    session.flush()
    return task


def start(session: Session, task_id: int, *, by: Actor, now: datetime) -> Task:
    """Begin the action (row T6). When the lead begins, everyone who has checked in begins with it: a joint action."""
    case, whistle, task = Case.of_task(session, task_id, by, now)
    require_department(by, task.department_id)
    beginning = [task]
    if task.role is TaskRole.LEAD:
        beginning += [
            other
            for other in tasks_of(session, whistle.id)
            if other.id != task.id and other.status is TaskStatus.CHECKED_IN
        ]
    for one in beginning:
        case.move(one, "start", {"together": len(beginning)})
        one.started_at = now
    together.begin(case, whistle, beginning)
    session.flush()
    return task


def complete(
    session: Session,
    task_id: int,
    *,
    result: str,
    evidence: Sequence[str] = (),
    without: Mapping[str, str] = MappingProxyType({}),
    by: Actor,
    now: datetime,
) -> Task:
    """Report the department's part as done (row T7); the last part resolves the incident (row I9).

    evidence : what is on record, by the names of the category's list or in own words. without : names of that list
    with the reason why there is none. Raises `Conflict` ("parts_open") when the lead reports before the
    cooperating departments have, and `InvalidInput` ("evidence_missing") when the last part is reported and
    something of the list is neither on record of any part nor explained.
    """
    said(result, "result", "say what was done")
    case, whistle, task = Case.of_task(session, task_id, by, now)
    require_department(by, task.department_id)
    TASK.decide(task.status, "complete", by.role)
    others = [other for other in tasks_of(session, whistle.id) if other.id != task.id]
    others = [other for other in others if other.status not in LET_GO]
    open_parts = [other for other in others if other.status not in DONE_STATUSES]
    if task.role is TaskRole.LEAD and open_parts:
        raise Conflict(
            "parts_open",
            "the lead completes last; still open: " + ", ".join(t.department.name for t in open_parts),
            departments=[t.department.code for t in open_parts],
        )
    if not open_parts:
        _check_evidence(case, others, evidence, without)
    case.move(
        task, "complete", {"result": result, "evidence": list(evidence), "without": dict(without) or None}
    )
    task.result, task.evidence, task.completed_at = result, kept(evidence, without), now
    case.stop_clock(DeadlineKind.COMPLETE, task=task)
    case.stop_clock(DeadlineKind.PROGRESS, DeadlineKind.LONG_OVERDUE, task=task, void=True)
    if not open_parts and case.incident.status is IncidentStatus.HANDLING:
        lead = next((t for t in (task, *others) if t.role is TaskRole.LEAD), task)
        whistle.result = lead.result
        together.conclude(case, whistle, lead.result or result)
        resolve_incident(case, lead.result or result, by=SYSTEM)
    session.flush()
    return task


def _check_evidence(
    case: Case, others: Sequence[Task], evidence: Sequence[str], without: Mapping[str, str]
) -> None:
    category = (
        case.session.get(Category, case.incident.category_code) if case.incident.category_code else None
    )
    if category is None:
        return
    shown, explained = set(evidence), dict(without)
    for other in others:
        shown |= set(named_evidence(other.evidence))
        explained = reasons_without(other.evidence) | explained
    missing = missing_evidence(category.evidence, shown, explained)
    if missing:
        raise InvalidInput(
            "evidence_missing",
            "neither on record of any part nor explained: " + ", ".join(missing),
            field="evidence",
            missing=list(missing),
        )


def rework(session: Session, task_id: int, *, comment: str, by: Actor, now: datetime) -> Task:
    """Send a department's part back (row T8); a resolved incident goes back to work with it (row I10).

    Raises `Conflict` for a part of an incident that is verified or closed, or of a round that is over: such an
    incident is reopened instead.
    """
    said(comment, "comment", "say what is still wrong")
    case, whistle, task = Case.of_task(session, task_id, by, now)
    if whistle.round != case.incident.round:
        raise Conflict(
            "illegal_transition",
            f"this part belongs to round {whistle.round} of the case, which is over",
            machine=TASK.name,
            state=task.status,
            action="rework",
            allowed=[],
        )
    resolved = case.incident.status is not IncidentStatus.HANDLING
    if resolved:
        INCIDENT.decide(case.incident.status, "rework", SYSTEM.role)
    send_task_back(case, whistle, task, comment, by=by)
    if resolved:
        case.move(case.incident, "rework", {"comment": comment}, by=SYSTEM)
        case.stop_clock(DeadlineKind.VERIFY, void=True)
        resume_handling(case)
    session.flush()
    return task
