"""Tasks that departments send back as not their own (rows T2, T3), and a whistle's departments changed (row T12).

While a return waits for its decision every clock runs on, and so does the department's duty to answer: whoever asks
without ground is late, and whoever asked with ground owes nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gis.errors import Conflict, InvalidInput
from grids import directory
from grids.acts import disputes, parties
from grids.acts.case import Case, said
from grids.acts.ladder import NOT_WHISTLED, by_the_list, drop_clocks, tasks_of
from grids.rules.deadlines import DeadlineKind
from grids.rules.disputes import DISPUTE
from grids.rules.limits import due
from grids.rules.pauses import Decision
from grids.rules.permissions import SYSTEM, Actor, Role, require_department
from grids.rules.returns import ReturnReason
from grids.rules.tasks import DONE_STATUSES, LET_GO, TASK, TaskRole, TaskStatus
from grids.rules.whistles import WHISTLE
from grids.standing import standings
from grids.tables import Deadline, ReturnRequest, Task, Whistle

__all__ = ["Verdict", "change_departments", "decide", "hops", "request_return"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is decided on a return.

    hand_to : code of the department that gets the task instead, if any. lead : code of the one that leads from now
    on, where the lead goes and nobody gets its task.
    """

    granted: bool
    note: str
    hand_to: str | None = None
    lead: str | None = None


def request_return(
    session: Session,
    task_id: int,
    *,
    reason: ReturnReason,
    legal_basis: str,
    suggested: str | None = None,
    by: Actor,
    now: datetime,
) -> ReturnRequest:
    """Ask to be rid of a task as not one's own (row T2), with the legal basis and who is said to answer for it.

    After the time that the case's rules give for it the request is refused by itself at once, which is on record:
    the task stays where it is.
    """
    said(legal_basis, "legal_basis", "name the text by which this is not your duty")
    case, whistle, task = Case.of_task(session, task_id, by, now)
    require_department(by, task.department_id)
    TASK.decide(task.status, "request_return", by.role)
    if suggested is not None:
        _check_called(case, task, suggested, "suggested")
    until = due(task.issued_at, case.rules.return_window, case.calendar)
    before = task.status
    facts = {
        "return_reason": reason.value,
        "legal_basis": legal_basis,
        "suggested": suggested,
        "until": until,
    }
    case.move(task, "request_return", facts)
    request = ReturnRequest(
        incident_id=case.incident.id,
        task_id=task.id,
        reason=reason,
        legal_basis=legal_basis,
        suggested=suggested,
        before=before.value,
        due_at=until,
        asked_at=now,
        asked_by_id=by.person_id,
        decision=Decision.ASKED,
    )
    session.add(request)
    told = {"whistle": whistle.number, "task": task.id, "department": task.department.name}
    if now > until:
        _send_back(case, task, request, Decision.REFUSED, "return_too_late", by=SYSTEM)
        case.tell_department(task.department_id, "task.return_too_late", **told, until=until)
    else:
        case.start_clock(DeadlineKind.RETURN_DECISION, whistle=whistle, task=task)
        case.tell((Role.TOWN_GRID_CENTRE, Role.DISTRICT_PLATFORM), "task.return_requested", **told)
    session.flush()
    return request


def decide(session: Session, task_id: int, verdict: Verdict, *, by: Actor, now: datetime) -> ReturnRequest:
    """Decide on a return as the town's centre or the district's platform (rows T3, T12).

    Granted with another department, that gets a task with a letter and an answer's time of its own; without, the
    task is gone. No due moment of the whistle or the incident moves. A lead that goes with nobody in its place is
    followed by the one that is named; where every task was sent back the whistle goes back to its draft. A case that
    was handed on as often as its rules allow is not handed on: the task stays, and a dispute is filed.
    Raises `Conflict` ("no_return_asked"), `InvalidInput` ("already_called", "successor_needed", "unknown_department").
    """
    said(verdict.note, "note", "say why")
    case, whistle, task = Case.of_task(session, task_id, by, now)
    request = session.scalar(
        select(ReturnRequest).where(
            ReturnRequest.task_id == task.id, ReturnRequest.decision == Decision.ASKED
        )
    )
    TASK.decide(task.status, "return", by.role)
    if request is None:
        raise Conflict("no_return_asked", "no return waits for a decision here", id=task_id)
    if not verdict.granted:
        _send_back(case, task, request, Decision.REFUSED, verdict.note, by=by)
        case.tell_department(
            task.department_id,
            "task.return_refused",
            whistle=whistle.number,
            task=task.id,
            reason=verdict.note,
        )
    elif verdict.hand_to is not None and hops(session, case.incident.id) >= case.rules.most_hops:
        _to_the_meeting(case, whistle, task, request, verdict)
    else:
        _grant(case, whistle, task, request, verdict)
    session.flush()
    return request


def hops(session: Session, incident_id: int) -> int:
    """Return how often a case was handed on to another department because one sent it back."""
    handed_on = select(func.count()).where(
        ReturnRequest.incident_id == incident_id,
        ReturnRequest.decision == Decision.GRANTED,
        ReturnRequest.handed_to.is_not(None),
    )
    return session.scalar(handed_on) or 0


def change_departments(
    session: Session,
    number: str,
    called: Sequence[tuple[str, TaskRole]],
    *,
    reason: str,
    by: Actor,
    now: datetime,
) -> Whistle:
    """Change who is called under a whistle that is out, as the district's platform (row T12).

    called : all that are to answer from now on, with exactly one lead. Who is not among them is let go, who comes
    new gets a task, the whistle's due moment stays. Raises `InvalidInput` ("one_lead", "unknown_department",
    "not_whistled"), `Conflict` ("nothing_changed").
    """
    said(reason, "reason", "say why others answer for it")
    case, whistle = Case.of_whistle(session, number, by, now)
    WHISTLE.decide(whistle.status, "change_departments", by.role, level=whistle.level)
    leads = [code for code, role in called if role is TaskRole.LEAD]
    if len(leads) != 1:
        raise InvalidInput(
            "one_lead",
            f"exactly one department leads; got {len(leads)} leads of {len(called)} departments",
            field="departments",
            got=[code for code, _ in called],
        )
    others = [code for code, role in called if role is not TaskRole.LEAD]
    if not parties.switch(case, whistle, leads[0], others, reason, by=by):
        raise Conflict("nothing_changed", "these departments are called already, in these roles")
    session.flush()
    return whistle


def _check_called(case: Case, task: Task, code: str, field: str) -> None:
    """Refuse a department that cannot be called, or is the one that sends the task back."""
    if code in NOT_WHISTLED:
        raise InvalidInput("not_whistled", f"'{code}' is informed, not whistled", field=field, got=code)
    body = directory.department(case.session, case.incident.grid_code[:6], code)
    if body.id == task.department_id:
        raise InvalidInput("already_called", f"{code} is the one that sends it back", field=field, got=code)


def _send_back(
    case: Case, task: Task, request: ReturnRequest, decision: Decision, note: str, *, by: Actor
) -> None:
    """Leave a task where it stood when its return was asked for."""
    responded = request.before == TaskStatus.RESPONDED
    case.move(task, "send_back_responded" if responded else "send_back", {"reason": note}, by=by)
    _close(case, task, request, decision, note, by=by)


def _close(
    case: Case, task: Task, request: ReturnRequest, decision: Decision, note: str, *, by: Actor
) -> None:
    request.decision, request.decided_at, request.decision_note = decision, case.now, note
    request.decided_by_id = by.person_id
    case.stop_clock(DeadlineKind.RETURN_DECISION, task=task)
    case.session.flush()


def _grant(case: Case, whistle: Whistle, task: Task, request: ReturnRequest, verdict: Verdict) -> None:
    held = [one for one in tasks_of(case.session, whistle.id) if one.status not in LET_GO and one is not task]
    lead, others = _who_is_left(case, task, held, verdict)
    facts = {
        "department": task.department.code,
        "handed_to": verdict.hand_to,
        "reason": verdict.note,
        "lead": lead if task.role is TaskRole.LEAD else None,
    }
    case.move(task, "return", facts)
    task.disputed = False
    _close(case, task, request, Decision.GRANTED, verdict.note, by=case.actor)
    request.handed_to = verdict.hand_to
    drop_clocks(case, Deadline.task_id == task.id)
    case.tell_department(
        task.department_id, "task.returned", whistle=whistle.number, task=task.id, reason=verdict.note
    )
    if lead is None:
        _redraft(case, whistle, verdict.note)
    else:
        roles = {lead: TaskRole.LEAD} | dict.fromkeys(others, TaskRole.COOPERATING)
        whistle.departments = [{"code": code, "role": role.value} for code, role in roles.items()]
        parties.switch(case, whistle, lead, others, verdict.note)


def _who_is_left(
    case: Case, task: Task, held: Sequence[Task], verdict: Verdict
) -> tuple[str | None, list[str]]:
    """Return who leads and who cooperates after a return; nobody leads where nobody is left."""
    codes = {one.department.code: one for one in held}
    new = verdict.hand_to
    if new is not None:
        _check_called(case, task, new, "department")
        if new in codes and task.role is not TaskRole.LEAD:
            raise InvalidInput(
                "already_called", f"{new} is called under this whistle already", field="department", got=new
            )
    named = new if new is not None and task.role is TaskRole.LEAD else verdict.lead
    if task.role is not TaskRole.LEAD:
        lead = next(code for code, one in codes.items() if one.role is TaskRole.LEAD)
    elif not codes and named is None:
        return None, []
    elif named is None or (named not in codes and named != new):
        raise InvalidInput(
            "successor_needed",
            "the lead goes: name who of the others leads from now on, or who gets its task",
            field="lead",
            got=named,
            wanted=sorted(codes),
        )
    else:
        lead = named
        _check_successor(codes.get(lead))
    everybody = [*codes, *([new] if new is not None and new not in codes else [])]
    return lead, [code for code in everybody if code != lead]


def _check_successor(task: Task | None) -> None:
    """Refuse a lead whose own part is done, or that has asked to be rid of it."""
    if task is not None and task.status in DONE_STATUSES | {TaskStatus.RETURN_REQUESTED}:
        raise Conflict(
            "successor_not_free",
            f"{task.department.name} has done its part or asks to be rid of it: it cannot lead now",
            department=task.department.code,
        )


def _redraft(case: Case, whistle: Whistle, reason: str) -> None:
    """Let the town draft anew where every department sent its task back (row T12)."""
    case.move(whistle, "redraft", {"reason": reason}, by=SYSTEM)
    drop_clocks(case, Deadline.whistle_id == whistle.id)
    whistle.submitted_at = whistle.confirmed_at = whistle.confirmed_by_id = whistle.issued_at = None
    whistle.confirmed_by_phone = whistle.written_at = None
    sent_back = {task.department.code for task in tasks_of(case.session, whistle.id)}
    listed = by_the_list(case, whistle.number)
    whistle.departments = [named for named in listed.departments if named["code"] not in sent_back]
    case.start_clock(DeadlineKind.DRAFT, whistle=whistle)
    case.tell((Role.TOWN_OFFICE,), "whistle.redrafted", whistle=whistle.number)


def _to_the_meeting(
    case: Case, whistle: Whistle, task: Task, request: ReturnRequest, verdict: Verdict
) -> None:
    """Leave the task where it is and let a dispute say whose it is: the case was handed on often enough."""
    assert verdict.hand_to is not None
    _check_called(case, task, verdict.hand_to, "department")
    most = case.rules.most_hops
    running = standings(case.session, [case.incident.id])[case.incident.id].dispute
    if running is None and not any(case.actor.role in row.roles for row in DISPUTE.rows("file")):
        raise Conflict(
            "too_many_hops",
            f"the case was handed on {most} times: let its parties file a dispute, the joint meeting decides",
            hops=most,
        )
    _send_back(case, task, request, Decision.LAPSED, "to_the_meeting", by=case.actor)
    case.session.flush()
    if running is None:
        filing = disputes.Filing(
            matter=verdict.note,
            position=verdict.note,
            basis=request.legal_basis,
            lead=verdict.hand_to,
            also=(verdict.hand_to,),
        )
        disputes.file(case.session, case.incident.number, filing, by=case.actor, now=case.now)
    case.tell_department(task.department_id, "task.to_the_meeting", whistle=whistle.number, task=task.id)
