"""Whistles of level 3: draft, confirm by the town's main leader, issue to departments, verify, archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from gis.errors import Conflict, InvalidInput
from grids import directory
from grids.acts.case import Case
from grids.acts.ladder import NOT_WHISTLED, Draft, blow_second, pass_up, said, tasks_of
from grids.rules import explanation
from grids.rules.deadlines import CHECK_IN_GRACE, DeadlineKind, confirm_limit, limit_of
from grids.rules.limits import Limit, Unit, due, earliest_due
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.rules.tasks import DONE_STATUSES, TaskRole, TaskStatus
from grids.rules.whistles import WHISTLE, WhistleLevel, WhistleStatus, WhistleType
from grids.tables import Department, Task, Whistle

__all__ = ["Draft", "archive", "blow", "confirm", "issue", "refuse", "submit", "verify"]


def blow(
    session: Session,
    incident_number: str,
    *,
    level: WhistleLevel,
    draft: Draft,
    by: Actor,
    now: datetime,
) -> Whistle:
    """Blow a whistle on an incident that is being handled, from the level below it.

    Level 2 takes the community's running whistle up. Level 3 takes the town's up, drafts the departments'
    whistle and sends it to the main leader. Raises `Conflict` where there is nothing to take up.
    """
    case = Case.open(session, incident_number, by, now)
    reason = draft.reason or ""
    if level is WhistleLevel.SECOND:
        said(reason, "reason", "say why it cannot be solved here")
        first = case.whistle_at(WhistleLevel.FIRST)
        if first is None:
            raise Conflict("nothing_to_escalate", "this incident has no level-1 whistle to take up")
        new = pass_up(case, first, reason)
    elif level is WhistleLevel.THIRD:
        third = case.whistle_at(WhistleLevel.THIRD)
        if third is None or third.status is WhistleStatus.REFUSED:
            second = case.whistle_at(WhistleLevel.SECOND)
            if second is None:
                raise Conflict("nothing_to_escalate", "this incident has no level-2 whistle to take up")
            said(reason, "reason", "say why it cannot be solved here")
            third = pass_up(case, second, reason, draft)
        _submit(case, third, draft)
        new = third
    else:
        raise Conflict(
            "illegal_transition", "a level-1 whistle is blown when the incident is accepted", level=int(level)
        )
    session.flush()
    return new


def submit(session: Session, number: str, draft: Draft, *, by: Actor, now: datetime) -> Whistle:
    """Complete a drafted level-3 whistle and send it to the town's main leader (row W5)."""
    case, whistle = Case.of_whistle(session, number, by, now)
    _submit(case, whistle, draft)
    session.flush()
    return whistle


def _submit(case: Case, whistle: Whistle, draft: Draft) -> None:
    WHISTLE.decide(whistle.status, "submit", case.actor.role, level=3)
    reason = draft.reason or whistle.reason
    said(reason or "", "reason", "say why the town cannot solve it alone")
    whistle.type, whistle.reason = draft.type, reason
    listed = whistle.departments or []
    whistle.departments = _checked_departments(case, draft.departments, listed)
    if whistle.departments != listed:
        case.explain(
            explanation.departments_by_hand(
                whistle.departments, case.actor, draft.reason, at=case.now, whistle=whistle.number
            )
        )
    if draft.appointed_at is None or draft.appointed_at < case.now:
        raise InvalidInput(
            "appointment_needed",
            "appoint a time, not in the past, at which the departments come to the place",
            field="appointed_at",
            got=draft.appointed_at.isoformat() if draft.appointed_at else None,
        )
    whistle.appointed_at = draft.appointed_at
    said(draft.appointed_place or "", "appointed_place", "name the place where the departments meet")
    whistle.appointed_place = draft.appointed_place
    whistle.due_at = _departments_due(case, draft.limit)
    case.move(
        whistle,
        "submit",
        {
            "type": draft.type.value,
            "reason": reason,
            "departments": whistle.departments,
            "appointed_at": draft.appointed_at,
            "place": draft.appointed_place,
            "due_at": whistle.due_at,
        },
    )
    whistle.submitted_at = case.now
    emergency = draft.type is WhistleType.EMERGENCY
    case.start_clock(DeadlineKind.CONFIRM, confirm_limit(emergency=emergency), whistle=whistle)
    if not case.tell((Role.TOWN_LEADER,), "whistle.to_confirm", whistle=whistle.number):
        case.tell((Role.DISTRICT_PLATFORM,), "whistle.empty_post", whistle=whistle.number)


def _checked_departments(
    case: Case, chosen: Sequence[tuple[str, TaskRole]] | None, listed: Sequence[Mapping[str, str]]
) -> list[dict[str, str]]:
    pairs = list(chosen) if chosen is not None else [(d["code"], TaskRole(d["role"])) for d in listed]
    leads = [code for code, role in pairs if role is TaskRole.LEAD]
    codes = [code for code, _ in pairs]
    if len(leads) != 1 or len(set(codes)) != len(codes):
        raise InvalidInput(
            "one_lead",
            f"a level-3 whistle names each department once and exactly one lead; got {len(leads)} leads of "
            f"{len(codes)} departments",
            field="departments",
            got=codes,
        )
    district = case.incident.grid_code[:6]
    for code in codes:
        if code in NOT_WHISTLED:
            raise InvalidInput(
                "not_whistled", f"'{code}' is informed, not whistled", field="departments", got=code
            )
        directory.department(case.session, district, code)
    ordered = sorted(pairs, key=lambda pair: pair[1] is not TaskRole.LEAD)
    return [{"code": code, "role": role.value} for code, role in ordered]


def _departments_due(case: Case, limit: Limit | None) -> datetime:
    """Return when the departments have to be done: the earlier of the incident's due moment and the limit.

    An incident that is overdue already gives them its handling limit anew; its own due moment stays.
    """
    own = case.handle_by()
    if limit is not None:
        until = due(case.now, limit, case.calendar)
        return min(until, own) if own is not None and own > case.now else until
    if own is not None and own > case.now:
        return own
    facts = (case.incident.limits or {}).get("handle") or [Limit(1, Unit.WORK_DAY).to_json()]
    return earliest_due(case.now, [Limit.from_json(limit) for limit in facts], case.calendar)


def confirm(session: Session, number: str, *, by: Actor, now: datetime) -> Whistle:
    """Confirm a level-3 whistle as the town's main leader (row W6); its tasks go out at once (row W7)."""
    case, whistle = Case.of_whistle(session, number, by, now)
    case.move(whistle, "confirm", {"departments": whistle.departments})
    whistle.confirmed_at, whistle.confirmed_by_id = now, by.person_id
    case.stop_clock(DeadlineKind.CONFIRM, whistle=whistle)
    _issue(case, whistle, by=SYSTEM)
    session.flush()
    return whistle


def refuse(session: Session, number: str, *, reason: str, by: Actor, now: datetime) -> Whistle:
    """Refuse a level-3 whistle as the town's main leader (row W6): the town keeps the case."""
    said(reason, "reason", "say why the departments are not called")
    case, whistle = Case.of_whistle(session, number, by, now)
    case.move(whistle, "refuse", {"reason": reason})
    whistle.ended_at, whistle.result = now, reason
    case.stop_clock(DeadlineKind.CONFIRM, whistle=whistle)
    second = case.whistle_at(WhistleLevel.SECOND)
    if second is not None and second.status is WhistleStatus.ESCALATION_APPLIED:
        case.move(second, "keep", {"reason": reason}, by=SYSTEM)
        second.ended_at = None
    else:
        blow_second(case, reason)
    case.tell(
        (Role.TOWN_OFFICE, Role.TOWN_GRID_CENTRE), "whistle.refused", whistle=whistle.number, reason=reason
    )
    session.flush()
    return whistle


def issue(session: Session, number: str, *, by: Actor, now: datetime) -> Whistle:
    """Give every department of a confirmed whistle that has none its task (row W7); a repeat changes nothing."""
    case, whistle = Case.of_whistle(session, number, by, now)
    WHISTLE.decide(whistle.status, "issue", by.role, level=3)
    _issue(case, whistle, by=by)
    session.flush()
    return whistle


def _issue(case: Case, whistle: Whistle, *, by: Actor) -> None:
    have = {task.department.code for task in tasks_of(case.session, whistle.id)}
    missing = [d for d in whistle.departments or [] if d["code"] not in have]
    if not missing:
        return
    case.move(whistle, "issue", {"departments": [d["code"] for d in missing]}, by=by)
    whistle.issued_at = whistle.issued_at or case.now
    district = case.incident.grid_code[:6]
    for number, named in enumerate(missing, start=len(have) + 1):
        body = directory.department(case.session, district, named["code"])
        _issue_task(case, whistle, body, TaskRole(named["role"]), f"{whistle.number}-{number:02d}")


def _issue_task(case: Case, whistle: Whistle, body: Department, role: TaskRole, letter: str) -> None:
    if whistle.due_at is None or whistle.appointed_at is None:
        raise Conflict("incomplete_whistle", "the whistle has no appointed time", whistle=whistle.number)
    minutes = (case.incident.limits or {}).get("response_minutes") or (
        30 if whistle.type is WhistleType.EMERGENCY else 60
    )
    respond_by = case.now + timedelta(minutes=minutes)  # on a clock that always runs
    task = Task(
        incident_id=case.incident.id,
        whistle_id=whistle.id,
        department_id=body.id,
        role=role,
        status=TaskStatus.PENDING_RESPONSE,
        letter_number=letter,
        issued_at=case.now,
        response_due_at=respond_by,
        due_at=max(whistle.due_at, case.now),
    )
    case.session.add(task)
    case.begun(
        task,
        "issue",
        {"department": body.code, "role": role.value, "respond_by": respond_by, "due_at": task.due_at},
        by=SYSTEM,
    )
    case.start_clock(DeadlineKind.RESPOND, due_at=respond_by, whistle=whistle, task=task)
    come_by = whistle.appointed_at + CHECK_IN_GRACE
    case.start_clock(DeadlineKind.CHECK_IN, due_at=come_by, whistle=whistle, task=task)
    case.start_clock(DeadlineKind.COMPLETE, due_at=task.due_at, whistle=whistle, task=task)
    facts = {"whistle": whistle.number, "letter": letter, "task": task.id, "department": body.name}
    if not case.tell_department(body.id, "task.issued", **facts):
        case.tell((Role.DISTRICT_PLATFORM,), "task.empty_post", **facts)


def verify(session: Session, number: str, *, comment: str | None = None, by: Actor, now: datetime) -> Whistle:
    """Accept every department's part and the whole whistle as the town (rows T8, W8)."""
    case, whistle = Case.of_whistle(session, number, by, now)
    tasks = tasks_of(session, whistle.id)
    unfinished = [t for t in tasks if t.status not in DONE_STATUSES]
    if whistle.status is WhistleStatus.IN_PROGRESS:
        if unfinished:
            raise Conflict(
                "parts_open",
                "parts are still open: " + ", ".join(t.department.name for t in unfinished),
                departments=[t.department.code for t in unfinished],
            )
        for task in tasks:
            if task.status is TaskStatus.COMPLETED:
                case.move(task, "accept", {"comment": comment})
                task.accepted_at = now
                score_by = limit_of(DeadlineKind.SCORE, None)
                case.start_clock(DeadlineKind.SCORE, score_by, whistle=whistle, task=task)
        case.move(whistle, "complete", by=SYSTEM)
        whistle.completed_at = now
    case.move(whistle, "verify", {"comment": comment})
    whistle.ended_at = now
    session.flush()
    return whistle


def archive(session: Session, number: str, *, by: Actor, now: datetime) -> Whistle:
    """Put a scored whistle away (row W8)."""
    case, whistle = Case.of_whistle(session, number, by, now)
    case.move(whistle, "archive")
    session.flush()
    return whistle
