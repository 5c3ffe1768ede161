"""A case that stands still for a time: suspension asked for, decided and ended (row I8); what standing still is.

Whoever handles the case asks; the town's centre decides or, with departments at work, the district's platform, which
may also suspend unasked. While it stands still its clocks of work do too: each ends where it is, and another takes its
place when the case goes on, with as much left as it had. The ledger (`grids.acts.ledger`) stands on the same two.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from gis.errors import Conflict, Forbidden, InvalidInput
from grids import calendars
from grids.acts.case import STANDING, Case, said
from grids.acts.ladder import resolve_incident
from grids.rules import explanation
from grids.rules.calendar import WorkCalendar
from grids.rules.deadlines import DeadlineKind, Outcome
from grids.rules.lifecycle import INCIDENT
from grids.rules.limits import Limit, Unit
from grids.rules.pauses import (
    ASKED_BY,
    DECIDED_BY,
    STANDS_STILL,
    ClockMove,
    Decision,
    SuspensionReason,
    check_runs_in_time,
    check_until,
    due_after_pause,
)
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.rules.tasks import DONE_STATUSES, LET_GO, TaskRole, TaskStatus
from grids.rules.whistles import WhistleLevel, WhistleStatus
from grids.standing import Standing, standings
from grids.tables import Deadline, Incident, Suspension, Task, Whistle

__all__ = [
    "ask_suspension",
    "go_on",
    "is_overdue",
    "open_parts",
    "refuse_suspension",
    "resume",
    "resume_by_clock",
    "stand_still",
    "suspend",
]


def ask_suspension(
    session: Session,
    number: str,
    *,
    reason: SuspensionReason,
    note: str,
    until: datetime,
    by: Actor,
    now: datetime,
) -> Suspension:
    """Ask that a case may wait (row I8), as the one who handles it at its level; its clocks go on meanwhile.

    Raises `Forbidden` ("not_your_level"), `Conflict` ("red_runs_on", "already_overdue", "already_asked"),
    `InvalidInput` ("bad_until").
    """
    said(note, "note", "say what the case waits for")
    case = Case.open(session, number, by, now)
    INCIDENT.decide(case.incident.status, "ask_suspension", by.role)
    standing = _standing(case)
    wanted = ASKED_BY[standing.level]
    not_theirs = by.role is Role.DEPARTMENT_DUTY and by.department_id not in standing.parts
    if by.role is not wanted or not_theirs:
        raise Forbidden(
            "not_your_level",
            f"a case at level {standing.level} is handled, and its suspension asked for, by {wanted}",
            level=int(standing.level),
            wanted=wanted.value,
        )
    _check_free(case, standing)
    check_until(until, now, most_days=case.rules.suspension_days)
    if standing.suspension_asked:
        raise Conflict("already_asked", "somebody has asked for this already; it waits for a decision")
    facts = {"suspension_reason": reason.value, "comment": note, "until": until}
    case.move(case.incident, "ask_suspension", facts)
    asked = Suspension(
        incident_id=case.incident.id,
        round=case.incident.round,
        reason=reason,
        note=note.strip(),
        until=until,
        asked_at=now,
        asked_by_id=by.person_id,
        decision=Decision.ASKED,
    )
    session.add(asked)
    case.tell((DECIDED_BY[standing.level],), "suspension.asked", until_at=until)
    session.flush()
    return asked


def suspend(
    session: Session,
    number: str,
    *,
    reason: SuspensionReason | None = None,
    note: str | None = None,
    until: datetime | None = None,
    by: Actor,
    now: datetime,
) -> Suspension:
    """Let a case wait (row I8): as it was asked for, where it was, else for a reason and until a day of one's own.

    What is given replaces what was asked for. Raises as `ask_suspension`, and `InvalidInput` naming what is missing.
    """
    case = Case.open(session, number, by, now)
    INCIDENT.decide(case.incident.status, "suspend", by.role)
    standing = _standing(case)
    _require_decider(by, standing)
    _check_free(case, standing)
    asked = _asked(case)
    reason = reason or (asked.reason if asked else None)
    until = until or (asked.until if asked else None)
    note = (note or "").strip() or (asked.note if asked else "")
    if reason is None or until is None:
        field = "reason" if reason is None else "until"
        raise InvalidInput("missing_field", f"{field} is missing: nobody asked for a suspension", field=field)
    said(note, "note", "say what the case waits for")
    check_until(until, now, most_days=case.rules.suspension_days)
    case.move(case.incident, "suspend", {"suspension_reason": reason.value, "comment": note, "until": until})
    if asked is None:
        asked = Suspension(incident_id=case.incident.id, round=case.incident.round, asked_at=now)
        asked.asked_by_id = by.person_id
        session.add(asked)
    asked.reason, asked.note, asked.until = reason, note, until
    asked.decision, asked.decided_at, asked.decided_by_id = Decision.GRANTED, now, by.person_id
    stand_still(case)
    case.start_clock(DeadlineKind.SUSPENSION, due_at=until)
    _tell_handlers(case, standing, "suspension.granted", until_at=until)
    session.flush()
    return asked


def refuse_suspension(session: Session, number: str, *, note: str, by: Actor, now: datetime) -> Suspension:
    """Say no to a suspension that was asked for (row I8). Raises `Conflict` ("nothing_asked")."""
    said(note, "note", "say why the case does not wait")
    case = Case.open(session, number, by, now)
    INCIDENT.decide(case.incident.status, "refuse_suspension", by.role)
    standing = _standing(case)
    _require_decider(by, standing)
    asked = _asked(case)
    if asked is None:
        raise Conflict("nothing_asked", "nothing of this kind waits for a decision")
    case.move(case.incident, "refuse_suspension", {"comment": note})
    asked.decision, asked.decided_at, asked.decided_by_id = Decision.REFUSED, now, by.person_id
    asked.decision_note = note.strip()
    _tell_handlers(case, standing, "suspension.refused", reason=note)
    session.flush()
    return asked


def resume(session: Session, number: str, *, note: str | None = None, by: Actor, now: datetime) -> Incident:
    """Let a suspended case go on before its day (row I8)."""
    case = Case.open(session, number, by, now)
    INCIDENT.decide(case.incident.status, "resume", by.role)
    _require_decider(by, _standing(case))
    case.stop_clock(DeadlineKind.SUSPENSION, void=True)
    _resume(case, note, by=by)
    session.flush()
    return case.incident


def resume_by_clock(case: Case) -> None:
    """Let a suspended case go on because its day has come (effect of the SUSPENSION clock).

    It stood still until this moment, for until now nobody could work on it.
    """
    _resume(case, None, by=SYSTEM)


def _resume(case: Case, note: str | None, *, by: Actor) -> None:
    running = case.session.scalars(
        select(Suspension).where(
            Suspension.incident_id == case.incident.id,
            Suspension.decision == Decision.GRANTED,
            Suspension.ended_at.is_(None),
        )
    ).one()
    running.ended_at = case.now
    case.move(case.incident, "resume", {"comment": note}, by=by)
    go_on(case, ClockMove.SUSPENSION, since=running.decided_at or running.asked_at)
    _tell_handlers(case, _standing(case), "suspension.over")


# -- standing still


def stand_still(case: Case) -> None:
    """Stop the clocks of work and what is in action; the case itself is in its waiting state already."""
    case.session.flush()
    for clock in case.session.scalars(
        select(Deadline).where(
            Deadline.incident_id == case.incident.id,
            Deadline.kind.in_(STANDS_STILL),
            Deadline.settled_at.is_(None),
        )
    ):
        # one that ran out before, and that nobody has looked at yet, is late and not stopped
        case.settle(clock, Outcome.MISSED if clock.due_at < case.now else Outcome.MOVED)
    for task in _tasks(case, TaskStatus.IN_ACTION):
        case.move(task, "suspend", by=SYSTEM)
    case.session.flush()


def go_on(case: Case, because: ClockMove, *, since: datetime) -> None:
    """Start what stood still again, each clock with what it had left; since : when the case began to wait.

    A part that is done keeps its time too: should it be sent back, it finds the days that everybody was given.
    """
    session = case.session
    session.flush()
    calendar = calendars.around(session, case.now, since=since)
    first = case.handle_by()
    stopped = session.scalars(
        select(Deadline)
        .where(Deadline.incident_id == case.incident.id, Deadline.settled_at.is_not(None), STANDING)
        .order_by(Deadline.id)
    ).all()
    units = {clock.id: _unit(case, clock) for clock in stopped}
    for clock in stopped:
        if _lost_its_reason(session, clock):
            case.settle(clock, Outcome.VOID)
            continue
        stood = clock.settled_at or since
        moved = due_after_pause(clock.due_at, units[clock.id], stood, case.now, calendar)
        new = case.move_clock(clock, moved, because)
        if clock.kind is DeadlineKind.COMPLETE and clock.task_id is not None:
            session.get_one(Task, clock.task_id).due_at = new.due_at
    _give_done_parts_their_time(case, because, since, calendar)
    for task in _tasks(case, TaskStatus.SUSPENDED):
        case.move(task, "resume", by=SYSTEM)
    _move_whistles(case)
    last = case.handle_by()
    if first is not None and last is not None and last != first:
        case.explain(explanation.stood_still(last, first, because.value, since=since, at=case.now))
    _resolve_if_done(case)
    session.flush()


def _lost_its_reason(session: Session, clock: Deadline) -> bool:
    """Say whether the part that a clock is about is done or let go, or its whistle over: decided while it stood."""
    task = session.get(Task, clock.task_id) if clock.task_id is not None else None
    whistle = session.get(Whistle, clock.whistle_id) if clock.whistle_id is not None else None
    if task is not None and task.status in DONE_STATUSES | LET_GO:
        return True
    return whistle is not None and whistle.ended_at is not None


def _unit(case: Case, clock: Deadline) -> Unit:
    """Return by which count a clock runs: by its own limit, else as handling does, else always."""
    if clock.limit:
        return Limit.from_json(clock.limit).unit
    own = case.handle_limit()
    if own is not None:
        return own.unit
    kept = (case.incident.limits or {}).get("handle") or []
    return Limit.from_json(kept[0]).unit if kept else Unit.NATURAL_HOUR


def _give_done_parts_their_time(
    case: Case, because: ClockMove, since: datetime, calendar: WorkCalendar
) -> None:
    handling = case.handle_limit()
    unit = handling.unit if handling is not None else Unit.NATURAL_HOUR
    for task in _tasks(case, *DONE_STATUSES):
        after = due_after_pause(task.due_at, unit, since, case.now, calendar)
        if after != task.due_at:
            case.moved(DeadlineKind.COMPLETE, task.due_at, after, because, task)
            task.due_at = after


def _move_whistles(case: Case) -> None:
    """Let the due moment that a whistle names follow the clocks: of handling, or of the parts under it."""
    for whistle in case.session.scalars(
        select(Whistle).where(
            Whistle.incident_id == case.incident.id,
            Whistle.round == case.incident.round,
            Whistle.due_at.is_not(None),
            Whistle.ended_at.is_(None),
        )
    ):
        parts = [part.due_at for part in open_parts(case, whistle)]
        if parts:
            whistle.due_at = max(parts)
        elif whistle.level < WhistleLevel.THIRD:
            whistle.due_at = case.handle_by()


def open_parts(case: Case, whistle: Whistle) -> list[Task]:
    """Return the tasks of a whistle that are not done and not let go, the lead first."""
    return list(
        case.session.scalars(
            select(Task)
            .where(Task.whistle_id == whistle.id, Task.status.not_in(DONE_STATUSES | LET_GO))
            .order_by(Task.role != TaskRole.LEAD, Task.letter_number)
        )
    )


def _resolve_if_done(case: Case) -> None:
    """Resolve a case whose last open part was taken away while it waited: nobody is left who would."""
    third = case.whistle_at(WhistleLevel.THIRD)
    if third is None or third.status is not WhistleStatus.IN_PROGRESS or open_parts(case, third):
        return
    done = case.session.scalars(
        select(Task)
        .where(Task.whistle_id == third.id, Task.status.in_(DONE_STATUSES))
        .order_by(Task.role != TaskRole.LEAD, Task.letter_number)
    ).first()
    if done is not None:
        third.result = done.result
        resolve_incident(case, done.result or "", by=SYSTEM)


def _tasks(case: Case, *statuses: TaskStatus) -> list[Task]:
    return list(
        case.session.scalars(
            select(Task)
            .join(Whistle, Whistle.id == Task.whistle_id)
            .where(
                Task.incident_id == case.incident.id,
                Whistle.round == case.incident.round,
                Task.status.in_(statuses),
            )
            .order_by(Task.letter_number)
        )
    )


# -- who, and whether


def is_overdue(case: Case, standing: Standing) -> bool:
    """Say whether handling or an open part is late, also where the sweeper has not looked yet."""
    late = select(Deadline.id).where(
        Deadline.incident_id == case.incident.id,
        Deadline.kind.in_((DeadlineKind.HANDLE, DeadlineKind.COMPLETE)),
        Deadline.settled_at.is_(None),
        Deadline.due_at < case.now,
    )
    return standing.overdue or case.session.scalar(late.limit(1)) is not None


def _standing(case: Case) -> Standing:
    case.session.flush()
    return standings(case.session, [case.incident.id])[case.incident.id]


def _check_free(case: Case, standing: Standing) -> None:
    check_runs_in_time(case.incident.grade, overdue=is_overdue(case, standing))


def _require_decider(by: Actor, standing: Standing) -> None:
    wanted = DECIDED_BY[standing.level]
    if by.role is not wanted:
        raise Forbidden(
            "not_your_level",
            f"a case at level {standing.level} is suspended, and goes on, by the word of {wanted}",
            level=int(standing.level),
            wanted=wanted.value,
        )


def _asked(case: Case) -> Suspension | None:
    return case.session.scalar(
        select(Suspension).where(
            Suspension.incident_id == case.incident.id, Suspension.decision == Decision.ASKED
        )
    )


def _tell_handlers(case: Case, standing: Standing, template: str, **facts: object) -> None:
    if standing.level is WhistleLevel.THIRD:
        for department_id in sorted(standing.parts):
            case.tell_department(department_id, template, **facts)
        case.tell((Role.TOWN_OFFICE,), template, **facts)
        return
    case.tell((ASKED_BY[standing.level],), template, **facts)
