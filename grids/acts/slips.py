"""Slips of supervision (row T11): issued by clocks or by hand, each to one unit, with copies, and answered."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from gis.errors import Conflict, Forbidden, NotFound
from grids.acts.case import Case, next_number, said
from grids.rules.calendar import SHANGHAI
from grids.rules.deadlines import DeadlineKind
from grids.rules.lifecycle import IncidentStatus
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.rules.slips import (
    HANDLING,
    SlipCause,
    SlipKind,
    kind_for,
    long_overdue_at,
    progress_at,
)
from grids.rules.tasks import DONE_STATUSES, LET_GO
from grids.scope import under
from grids.tables import Deadline, Department, Incident, Person, Post, Slip, Task, Whistle

__all__ = ["SlipRow", "after_miss", "answer", "by_clock", "find", "nudge", "reworked", "show", "watch"]

_MOMENT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class SlipRow:
    """A slip with the case that it is about; department is None where the town itself is addressed."""

    slip: Slip
    incident: Incident
    whistle: Whistle | None
    department: Department | None
    may_answer: bool


def watch(case: Case, task: Task) -> None:
    """Start the clock that reminds a department before its time is over."""
    at = _progress_at(case, task)
    if at > case.now:
        case.start_clock(DeadlineKind.PROGRESS, due_at=at, whistle=_whistle(case, task), task=task)


def by_clock(case: Case, clock: Deadline, whistle: Whistle | None, task: Task | None) -> None:
    """Issue what a clock of supervision asks for (effect of PROGRESS, LONG_OVERDUE and SLIP_ANSWER)."""
    if clock.kind is DeadlineKind.SLIP_ANSWER:
        _ignored(case, whistle, task)
        return
    if task is None or task.status in DONE_STATUSES | LET_GO:
        return
    if clock.kind is DeadlineKind.LONG_OVERDUE:
        _issue(case, SlipCause.LONG_OVERDUE, whistle, task)
        return
    again = _later(case, task)
    if again is None:
        _issue(case, SlipCause.PROGRESS, whistle, task)
    elif again > case.now:
        case.session.flush()
        case.start_clock(DeadlineKind.PROGRESS, due_at=again, whistle=whistle, task=task)


def _later(case: Case, task: Task) -> datetime | None:
    """Return when the share is used up that is not yet, because the due moment moved; None where it is."""
    if case.incident.status is not IncidentStatus.HANDLING:
        until = case.session.scalar(
            select(Deadline.due_at).where(
                Deadline.incident_id == case.incident.id,
                Deadline.kind.in_((DeadlineKind.SUSPENSION, DeadlineKind.LEDGER_REVIEW)),
                Deadline.settled_at.is_(None),
            )
        )
        return case.now if until is None else max(until, case.now) + _MOMENT
    at = _progress_at(case, task)
    return at if at > case.now else None


def _progress_at(case: Case, task: Task) -> datetime:
    return progress_at(task.issued_at, task.due_at, case.rules.progress_share)


def after_miss(case: Case, clock: Deadline, whistle: Whistle | None, task: Task | None) -> None:
    """Issue the slip that a missed clock leads to, if any."""
    if clock.kind is DeadlineKind.RESPOND and task is not None:
        _issue(case, SlipCause.NO_RESPONSE, whistle, task)
    elif clock.kind is DeadlineKind.COMPLETE and task is not None:
        _issue(case, SlipCause.OVERDUE, whistle, task)
        least = timedelta(hours=case.rules.long_overdue_hours)
        at = long_overdue_at(task.issued_at, clock.due_at, least)
        if task.id not in _known(case).warned:  # it was done late, sent back, and is late again
            case.start_clock(DeadlineKind.LONG_OVERDUE, due_at=max(at, case.now), whistle=whistle, task=task)
    elif clock.kind is DeadlineKind.HANDLE and case.incident.id not in _known(case).at_work:
        _issue(case, SlipCause.OVERDUE, whistle, None, due_at=clock.due_at)


@dataclass
class _Known:
    """What there is of supervision on some cases: read once for all cases of a round, then kept up to date.

    issued : (incident, kind, cause, round, step, task) of each slip. waiting : (incident, task) whose answer a clock
    waits for. warned : tasks for which the clock of the warning runs. at_work : incidents of which a department
    owes its part still; where none does, it is the town that is late.
    """

    issued: set[tuple[int, SlipKind, SlipCause, int, int, int | None]]
    waiting: set[tuple[int, int | None]]
    warned: set[int]
    at_work: set[int]


def _known(case: Case) -> _Known:
    ids = [case.incident.id] if case.batch is None else case.batch.incidents
    return case.once("supervision", lambda: _look(case.session, ids))


def _look(session: Session, incident_ids: Collection[int]) -> _Known:
    slips = session.execute(
        select(Slip.incident_id, Slip.kind, Slip.cause, Slip.round, Slip.step, Slip.task_id).where(
            Slip.incident_id.in_(incident_ids)
        )
    )
    clocks = session.execute(
        select(Deadline.incident_id, Deadline.task_id, Deadline.kind).where(
            Deadline.incident_id.in_(incident_ids),
            Deadline.kind.in_((DeadlineKind.SLIP_ANSWER, DeadlineKind.LONG_OVERDUE)),
            Deadline.settled_at.is_(None),
        )
    ).all()
    held = select(Task.incident_id).where(
        Task.incident_id.in_(incident_ids), Task.status.not_in(sorted(LET_GO | DONE_STATUSES))
    )
    return _Known(
        issued={(row[0], row[1], row[2], row[3], row[4], row[5]) for row in slips},
        waiting={(row[0], row[1]) for row in clocks if row[2] is DeadlineKind.SLIP_ANSWER},
        warned={row[1] for row in clocks if row[2] is DeadlineKind.LONG_OVERDUE and row[1]},
        at_work=set(session.scalars(held)),
    )


def reworked(case: Case, whistle: Whistle, task: Task) -> None:
    """Supervise a department whose part was sent back for the second time, and each time after."""
    if task.rework_count >= 2:
        _issue(case, SlipCause.REWORK, whistle, task, step=task.rework_count)


def nudge(session: Session, task_id: int, *, kind: SlipKind, note: str, by: Actor, now: datetime) -> Slip:
    """Issue a slip by hand (row T11): a reminder by town or platform, the others by the governance centre."""
    said(note, "note", "say what is asked for")
    if kind is not SlipKind.REMIND and by.role is not Role.GOVERNANCE_CENTRE:
        raise Forbidden("not_your_role", "supervision and warnings are issued by the governance centre")
    case, whistle, task = Case.of_task(session, task_id, by, now)
    case.move(task, "nudge", {"slip": kind.value, "reason": note})
    earlier = session.scalars(
        select(Slip.step).where(Slip.task_id == task.id, Slip.cause == SlipCause.BY_HAND, Slip.kind == kind)
    ).all()
    slip = _issue(case, SlipCause.BY_HAND, whistle, task, kind=kind, step=len(earlier) + 1, note=note)
    session.flush()
    if slip is None:
        raise Conflict("stale_version", "somebody issued the same slip at the same time")
    return slip


def answer(session: Session, number: str, *, text: str, by: Actor, now: datetime) -> Slip:
    """Answer a slip as the unit that it is addressed to. Raises `Conflict` ("already_answered")."""
    said(text, "text", "say what was and what will be done")
    row = show(session, by, number)
    if row.slip.answered_at is None and not row.may_answer:
        raise Forbidden("not_your_slip", "the unit that a slip is addressed to answers it")
    case = Case.open_by_id(session, row.incident.id, by, now)
    slip = session.get_one(Slip, row.slip.id, populate_existing=True)
    if slip.answered_at is not None:
        raise Conflict("already_answered", f"slip {number} was answered already", number=number)
    slip.answered_at, slip.answered_by_id, slip.answer = now, by.person_id, text.strip()
    case.note(
        "slip_answered", "T11", {"slip_number": number, "slip": slip.kind.value, "comment": text}, by=by
    )
    task = session.get(Task, slip.task_id) if slip.task_id else None
    if not _unanswered(case, task):
        case.stop_clock(DeadlineKind.SLIP_ANSWER, task=task, own=True)
    session.flush()
    return slip


def _unanswered(case: Case, task: Task | None) -> Sequence[Slip]:
    return case.session.scalars(
        select(Slip)
        .where(
            Slip.incident_id == case.incident.id,
            Slip.task_id == task.id if task is not None else Slip.task_id.is_(None),
            Slip.answered_at.is_(None),
            Slip.answer_due_at.is_not(None),
        )
        .order_by(Slip.id)
    ).all()


def _ignored(case: Case, whistle: Whistle | None, task: Task | None) -> None:
    """A slip was not answered: supervision becomes a warning; an unanswered warning goes to discipline."""
    waiting = _unanswered(case, task)
    if not waiting:
        return
    if all(slip.kind is not SlipKind.WARN for slip in waiting):
        _issue(case, SlipCause.IGNORED, whistle, task, step=len(waiting))
        return
    case.tell(
        (Role.GOVERNANCE_CENTRE, Role.DISTRICT_LEADER),
        "slip.unanswered",
        slip=waiting[-1].number,
        unit=waiting[-1].unit,
    )


def _issue(
    case: Case,
    cause: SlipCause,
    whistle: Whistle | None,
    task: Task | None,
    *,
    kind: SlipKind | None = None,
    step: int = 1,
    note: str | None = None,
    due_at: datetime | None = None,
) -> Slip | None:
    """Issue one slip, once for a cause: a repeat of the same step is None."""
    session, kind, known = case.session, kind or kind_for(cause), _known(case)
    about = (case.incident.id, task.id if task else None)
    issued = (about[0], kind, cause, case.incident.round, step, about[1])
    if issued in known.issued:
        return None
    known.issued.add(issued)
    handling = HANDLING[kind]
    area = case.incident.grid_code[:9]
    stem = f"{handling.letter}{case.now.astimezone(SHANGHAI):%Y%m%d}{area[:6]}"
    to = case.department_duty(task.department_id) if task is not None else case.on_duty(_TOWN)
    copied = case.on_duty(handling.copies)
    due_at = due_at or (task.due_at if task is not None else case.handle_by())
    slip = Slip(
        number=f"{stem}{next_number(session, f'slip {stem}'):05d}",
        kind=kind,
        cause=cause,
        incident_id=case.incident.id,
        whistle_id=whistle.id if whistle else None,
        task_id=task.id if task else None,
        round=case.incident.round,
        step=step,
        area_code=area,
        unit=task.department.code if task is not None else area,
        facts={
            "due_at": None if due_at is None else due_at.isoformat(),
            "note": note,
            "reworks": task.rework_count if task is not None else case.incident.rework_count,
        },
        recipients=_named(case, to),
        copies=_named(case, copied),
        issued_at=case.now,
        issued_by_id=case.actor.person_id,
    )
    case.note(
        "slip",
        "T11",
        {
            "slip": kind.value,
            "slip_cause": cause.value,
            "slip_number": slip.number,
            "unit": slip.unit,
            "letter": task.letter_number if task else None,
            "whistle": whistle.number if whistle else None,
        },
        by=case.actor if cause is SlipCause.BY_HAND else SYSTEM,
    )
    if handling.answered:
        if about in known.waiting:
            case.stop_clock(DeadlineKind.SLIP_ANSWER, task=task, own=True, void=True)
        known.waiting.add(about)
        slip.answer_due_at = case.start_clock(DeadlineKind.SLIP_ANSWER, whistle=whistle, task=task)
    case.put(slip)
    case.tell_people({*to, *copied}, f"slip.{kind}", slip=slip.number, unit=slip.unit)
    return slip


_TOWN = (Role.TOWN_OFFICE, Role.TOWN_GRID_CENTRE)


def _named(case: Case, person_ids: Iterable[int]) -> list[dict[str, Any]]:
    """Return names with posts, as they are now; a slip is a paper, and papers do not change."""
    ids = list(person_ids)
    names: dict[int, dict[str, Any]] = case.once("names on slips", dict)
    new = [one for one in ids if one not in names]
    if new:
        rows = case.session.execute(
            select(Person.id, Person.name, Post.title)
            .join(Post, (Post.person_id == Person.id) & Post.on_duty)
            .where(Person.id.in_(new))
            .order_by(Post.id)
        )
        for person_id, name, title in rows:
            names.setdefault(person_id, {"name": name, "post": title})
    return [names[one] for one in ids if one in names]


def _whistle(case: Case, task: Task) -> Whistle:
    return case.session.get_one(Whistle, task.whistle_id)


def show(session: Session, actor: Actor, number: str) -> SlipRow:
    """Return one slip. Raises `NotFound` ("slip_not_found") where it is missing or out of the actor's sight."""
    found = _rows(session, actor, Slip.number == number, limit=1)
    if not found:
        raise NotFound("slip_not_found", f"there is no slip {number} that you may see", number=number)
    return found[0]


def find(
    session: Session,
    actor: Actor,
    *,
    kind: SlipKind | None = None,
    open_only: bool = False,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[SlipRow]:
    """Return slips in sight, newest first; before : the id of the last one of the page before.

    since, until : when they were issued; the one inclusive, the other not.
    """
    walls = [] if kind is None else [Slip.kind == kind]
    if open_only:
        walls += [Slip.answered_at.is_(None), Slip.answer_due_at.is_not(None)]
    if since is not None:
        walls.append(Slip.issued_at >= since)
    if until is not None:
        walls.append(Slip.issued_at < until)
    if before is not None:
        walls.append(Slip.id < before)
    return _rows(session, actor, *walls, limit=limit)


def _rows(session: Session, actor: Actor, *walls: Any, limit: int) -> list[SlipRow]:
    scope = actor.scope
    mine = [under(Slip.area_code, area) for area in scope.areas if len(area) <= 9]
    mine += [under(Incident.grid_code, area) for area in scope.areas if len(area) > 9]
    if scope.departments:
        mine.append(Task.department_id.in_(scope.departments))
    query = (
        select(Slip, Incident, Whistle, Department)
        .join(Incident, Incident.id == Slip.incident_id)
        .outerjoin(Whistle, Whistle.id == Slip.whistle_id)
        .outerjoin(Task, Task.id == Slip.task_id)
        .outerjoin(Department, Department.id == Task.department_id)
        .where(*walls)
        .order_by(Slip.id.desc())
        .limit(limit)
    )
    if not scope.everything:
        query = query.where(or_(*mine)) if mine else query.where(Slip.id < 0)
    return [
        SlipRow(slip, incident, whistle, body, _may_answer(actor, slip, body))
        for slip, incident, whistle, body in session.execute(query)
    ]


def _may_answer(actor: Actor, slip: Slip, body: Department | None) -> bool:
    if slip.answered_at is not None:
        return False
    if body is not None:
        return actor.department_id == body.id
    return actor.role in (Role.TOWN_OFFICE, Role.TOWN_GRID_CENTRE) and actor.area_code == slip.area_code
