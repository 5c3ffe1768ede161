"""More time for a department's part (row T9): asked for before it runs out, granted or refused.

How often and how much is the case's limit profile's word; a red case and a late part get none. While the question
is open the clock runs on; what was asked for in time and granted late heals the clock that ran out meanwhile.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gis.errors import Conflict
from grids.acts.case import Case, said
from grids.rules import explanation
from grids.rules.deadlines import DeadlineKind
from grids.rules.limits import Limit
from grids.rules.pauses import (
    ClockMove,
    Decision,
    check_extension,
    check_runs_in_time,
    due_after_extension,
)
from grids.rules.permissions import Actor, Role, require_department
from grids.rules.tasks import DONE_STATUSES, LET_GO, TASK, TaskRole
from grids.tables import Deadline, Extension, Task, Whistle

__all__ = ["decide", "extend"]


def extend(
    session: Session,
    task_id: int,
    *,
    amount: Limit,
    reason: str,
    citizen_told: bool,
    by: Actor,
    now: datetime,
) -> Extension:
    """Ask for more time for one's own part, before it runs out.

    amount : counted from the moment at which the part is due. citizen_told : whether who reported it knows.
    Raises `Conflict` ("red_runs_on", "already_overdue", "already_asked", "extension_used_up"), `InvalidInput`
    ("extension_too_long").
    """
    said(reason, "reason", "say why the time does not suffice")
    case, whistle, task = Case.of_task(session, task_id, by, now)
    require_department(by, task.department_id)
    TASK.decide(task.status, "extend", by.role)
    late = task.first_overdue_at is not None or now > task.due_at
    check_runs_in_time(case.incident.grade, overdue=late)
    if _asked(session, task) is not None:
        raise Conflict("already_asked", "somebody has asked for this already; it waits for a decision")
    check_extension(
        amount,
        task.due_at,
        case.calendar,
        granted=_granted(session, task),
        times=case.rules.extension_times,
        most=case.rules.extension_amount,
    )
    wanted = due_after_extension(task.due_at, amount, case.calendar)
    case.move(
        task,
        "extend",
        {"amount": amount.to_json(), "reason": reason, "citizen_told": citizen_told, "until": wanted},
    )
    asked = Extension(
        incident_id=case.incident.id,
        task_id=task.id,
        amount=amount.to_json(),
        reason=reason.strip(),
        citizen_told=citizen_told,
        asked_at=now,
        asked_by_id=by.person_id,
        decision=Decision.ASKED,
        due_before=task.due_at,
    )
    session.add(asked)
    case.start_clock(DeadlineKind.EXTENSION_DECISION, whistle=whistle, task=task)
    case.tell(
        (Role.TOWN_GRID_CENTRE, Role.DISTRICT_PLATFORM),
        "extension.asked",
        whistle=whistle.number,
        letter=task.letter_number,
        until_at=wanted,
    )
    session.flush()
    return asked


def decide(
    session: Session, task_id: int, *, granted: bool, note: str | None = None, by: Actor, now: datetime
) -> Extension:
    """Grant or refuse more time, as the town's centre or the district's platform; a refusal says why.

    Granted, the part's clock runs out later, and with it the lead's (which finishes last), the whistle's own moment
    and the case's handling clock where they were due before. Raises `Conflict` ("nothing_asked").
    """
    if not granted:
        said(note or "", "note", "say why there is no more time")
    case, whistle, task = Case.of_task(session, task_id, by, now)
    action = "grant_extension" if granted else "refuse_extension"
    TASK.decide(task.status, action, by.role)
    asked = _asked(session, task)
    if asked is None:
        raise Conflict("nothing_asked", "nothing of this kind waits for a decision")
    amount = Limit.from_json(asked.amount)
    after = due_after_extension(task.due_at, amount, case.calendar) if granted else None
    case.move(task, action, {"amount": asked.amount, "comment": note, "until": after})
    case.stop_clock(DeadlineKind.EXTENSION_DECISION, task=task)
    asked.decision = Decision.GRANTED if granted else Decision.REFUSED
    asked.decided_at, asked.decided_by_id = now, by.person_id
    asked.decision_note = (note or "").strip() or None
    asked.due_after = after
    if after is not None:
        _give(case, whistle, task, asked, after)
    case.tell_department(
        task.department_id,
        "extension.granted" if granted else "extension.refused",
        whistle=whistle.number,
        letter=task.letter_number,
        until_at=after,
        reason=note,
    )
    session.flush()
    return asked


def _give(case: Case, whistle: Whistle, task: Task, asked: Extension, after: datetime) -> None:
    before = task.due_at
    lead = case.session.scalar(
        select(Task).where(
            Task.whistle_id == whistle.id,
            Task.role == TaskRole.LEAD,
            Task.status.not_in(DONE_STATUSES | LET_GO),
        )
    )
    for part in (task, lead):
        if (
            part is not None
            and part.due_at < after
            and _move(case, asked, after, DeadlineKind.COMPLETE, part)
        ):
            part.due_at = after
            # it is not late any more: what was to follow from that does not
            case.stop_clock(DeadlineKind.LONG_OVERDUE, task=part, void=True)
    if whistle.due_at is not None and whistle.due_at < after:
        whistle.due_at = after
    handled = case.handle_by()
    if handled is not None and handled < after:
        _move(case, asked, after, DeadlineKind.HANDLE, None)
    case.explain(
        explanation.extended(
            after,
            before,
            Limit.from_json(asked.amount),
            case.actor,
            asked.decision_note or asked.reason,
            at=case.now,
            letter=task.letter_number,
        )
    )


def _move(case: Case, asked: Extension, after: datetime, kind: DeadlineKind, part: Task | None) -> bool:
    """Let a clock run out later, and say so, unless it had run out before more time was asked for."""
    clock = case.session.scalar(
        select(Deadline)
        .where(
            Deadline.incident_id == case.incident.id,
            Deadline.kind == kind,
            Deadline.round == case.incident.round,
            Deadline.task_id == part.id if part is not None else Deadline.task_id.is_(None),
        )
        .order_by(Deadline.id.desc())
        .limit(1)
    )
    if clock is None or clock.due_at < asked.asked_at:
        return False
    case.move_clock(clock, after, ClockMove.EXTENSION)
    return True


def _asked(session: Session, task: Task) -> Extension | None:
    return session.scalar(
        select(Extension).where(Extension.task_id == task.id, Extension.decision == Decision.ASKED)
    )


def _granted(session: Session, task: Task) -> int:
    return (
        session.scalar(
            select(func.count()).where(Extension.task_id == task.id, Extension.decision == Decision.GRANTED)
        )
        or 0
    )
