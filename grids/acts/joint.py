"""Whistles of level 3: draft, confirm by the town's main leader, issue to departments, verify, archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from gis.errors import Conflict, InvalidInput
from grids import directory
from grids.acts import presence, slips
from grids.acts.case import Case, said
from grids.acts.ladder import LET_GO, NOT_WHISTLED, Draft, pass_up, take_back, tasks_of
from grids.rules import explanation
from grids.rules.appointing import soonest
from grids.rules.deadlines import DeadlineKind
from grids.rules.limits import Limit, Unit, due, earliest_due
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.rules.phones import check_phone
from grids.rules.tasks import DONE_STATUSES, TaskRole, TaskStatus
from grids.rules.tasks import LET_GO as TASK_LET_GO
from grids.rules.whistles import WHISTLE, WhistleLevel, WhistleStatus, WhistleType
from grids.tables import Department, Person, Task, Whistle

__all__ = [
    "Draft",
    "archive",
    "blow",
    "confirm",
    "departments_due",
    "differ",
    "issue",
    "issue_task",
    "issue_tasks",
    "refuse",
    "response_minutes",
    "submit",
    "verify",
]


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
        if third is None or third.status in LET_GO:
            second = case.whistle_at(WhistleLevel.SECOND)
            if second is None:
                raise Conflict("nothing_to_escalate", "this incident has no level-2 whistle to take up")
            said(reason, "reason", "say why it cannot be solved here")
            third = pass_up(case, second, reason, draft)
        if draft.chosen_reason is None:  # who names departments in the same breath gives one reason for all
            draft = replace(draft, chosen_reason=reason)
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
    listed = whistle.departments or []
    called = _checked_departments(case, draft.departments, listed)
    chosen = differ(called, listed)
    if chosen and _leads(listed):
        said(draft.chosen_reason or "", "chosen_reason", "say why others are called than the list names")
    due_at = departments_due(case, draft.limit)
    appointed_at = _appointment(case, draft, due_at)
    said(draft.appointed_place or "", "appointed_place", "name the place where the departments meet")
    contact, phone = _contact(case, draft)

    if chosen:
        case.explain(
            explanation.departments_by_hand(
                called, case.actor, draft.chosen_reason, at=case.now, whistle=whistle.number
            )
        )
    whistle.type, whistle.reason, whistle.departments = draft.type, reason, called
    whistle.chosen_reason = draft.chosen_reason if chosen else None
    whistle.appointed_at, whistle.appointed_place = appointed_at, draft.appointed_place
    whistle.contact_name, whistle.contact_phone = contact, phone
    whistle.due_at = due_at
    case.move(
        whistle,
        "submit",
        {
            "type": draft.type.value,
            "reason": reason,
            "departments": called,
            "chosen_reason": whistle.chosen_reason,
            "appointed_at": appointed_at,
            "place": draft.appointed_place,
            "contact": contact,
            "due_at": due_at,
        },
    )
    whistle.submitted_at = case.now
    case.stop_clock(DeadlineKind.DRAFT, whistle=whistle)
    at_once = case.rules.confirm_emergency if draft.type is WhistleType.EMERGENCY else None
    case.start_clock(DeadlineKind.CONFIRM, at_once, whistle=whistle)
    if not case.tell((Role.TOWN_LEADER,), "whistle.to_confirm", whistle=whistle.number):
        case.tell((Role.DISTRICT_PLATFORM,), "whistle.empty_post", whistle=whistle.number)


def differ(called: Sequence[Mapping[str, str]], listed: Sequence[Mapping[str, str]]) -> bool:
    """Tell whether others are called than a list names, or in other roles."""
    return {(d["code"], d["role"]) for d in called} != {(d["code"], d["role"]) for d in listed}


def _leads(listed: Sequence[Mapping[str, str]]) -> bool:
    return any(named["role"] == TaskRole.LEAD for named in listed)


def _contact(case: Case, draft: Draft) -> tuple[str, str | None]:
    """Return name and telephone of the town for the departments: as said, else of who submits."""
    own = case.session.get(Person, case.actor.person_id) if case.actor.person_id else None
    phone = own.phone if own is not None else None
    if draft.contact_phone is not None:
        phone = check_phone(draft.contact_phone, field="contact_phone")
    return (draft.contact_name or "").strip() or case.actor.name, phone


def _appointment(case: Case, draft: Draft, due_at: datetime) -> datetime:
    """Return when the departments meet; an emergency that names no time meets as soon as they can have answered."""
    at = draft.appointed_at
    if at is None and draft.type is WhistleType.EMERGENCY:
        return soonest(case.now, response_minutes(case, draft.type), due_at)
    if at is None or at < case.now:
        raise InvalidInput(
            "appointment_needed",
            "appoint a time, not in the past, at which the departments come to the place",
            field="appointed_at",
            got=at.isoformat() if at else None,
        )
    if at > due_at:
        raise InvalidInput(
            "appointment_after_due",
            f"the departments would meet after they have to be done, at {due_at.isoformat()}",
            field="appointed_at",
            got=at.isoformat(),
            wanted=due_at.isoformat(),
        )
    _check_appointment(case, at)
    return at


def _check_appointment(case: Case, at: datetime) -> None:
    """Refuse a meeting that is farther off than the limits of the case allow, where they say so."""
    most = case.rules.appoint_within
    if most is None:
        return
    latest = due(case.now, most, case.calendar)
    if at > latest:
        raise InvalidInput(
            "appointment_too_far",
            f"the departments come within {most}, by {latest.isoformat()} at the latest",
            field="appointed_at",
            got=at.isoformat(),
            wanted=latest.isoformat(),
        )


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


def departments_due(case: Case, limit: Limit | None) -> datetime:
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
    issue_tasks(case, whistle, by=SYSTEM)
    session.flush()
    return whistle


def refuse(session: Session, number: str, *, reason: str, by: Actor, now: datetime) -> Whistle:
    """Refuse a level-3 whistle as the town's main leader (row W6): the town keeps the case."""
    said(reason, "reason", "say why the departments are not called")
    case, whistle = Case.of_whistle(session, number, by, now)
    case.move(whistle, "refuse", {"reason": reason})
    whistle.ended_at, whistle.result = now, reason
    case.stop_clock(DeadlineKind.CONFIRM, whistle=whistle)
    take_back(case, reason)
    case.tell(
        (Role.TOWN_OFFICE, Role.TOWN_GRID_CENTRE), "whistle.refused", whistle=whistle.number, reason=reason
    )
    session.flush()
    return whistle


def issue(session: Session, number: str, *, by: Actor, now: datetime) -> Whistle:
    """Give every department of a confirmed whistle that has none its task (row W7); a repeat changes nothing."""
    case, whistle = Case.of_whistle(session, number, by, now)
    WHISTLE.decide(whistle.status, "issue", by.role, level=3)
    issue_tasks(case, whistle, by=by)
    session.flush()
    return whistle


def issue_tasks(case: Case, whistle: Whistle, *, by: Actor) -> None:
    """Give every department that a confirmed whistle names, and that holds no task under it, its task (row W7)."""
    tasks = tasks_of(case.session, whistle.id)
    have = {task.department.code for task in tasks if task.status not in TASK_LET_GO}
    missing = [d for d in whistle.departments or [] if d["code"] not in have]
    if not missing:
        return
    case.move(whistle, "issue", {"departments": [d["code"] for d in missing]}, by=by)
    whistle.issued_at = whistle.issued_at or case.now
    presence.ensure_secret(whistle)
    district = case.incident.grid_code[:6]
    for number, named in enumerate(missing, start=len(tasks) + 1):
        body = directory.department(case.session, district, named["code"])
        issue_task(case, whistle, body, TaskRole(named["role"]), f"{whistle.number}-{number:02d}")


def response_minutes(case: Case, kind: WhistleType | None) -> int:
    """Return how many minutes a department has to answer."""
    own: int | None = (case.incident.limits or {}).get("response_minutes")
    if own:
        return own
    rules = case.rules
    return rules.emergency_response_minutes if kind is WhistleType.EMERGENCY else rules.response_minutes


def issue_task(case: Case, whistle: Whistle, body: Department, role: TaskRole, letter: str) -> None:
    """Give a department its task under a whistle that is out, with the clocks of it and its letter.

    Who is called after the appointed hour comes when it has answered, and who is called when the whistle is due
    already gets the time of the departments anew: nobody begins late.
    """
    if whistle.due_at is None or whistle.appointed_at is None:
        raise Conflict("incomplete_whistle", "the whistle has no appointed time", whistle=whistle.number)
    minutes = response_minutes(case, whistle.type)
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
        due_at=whistle.due_at if whistle.due_at > case.now else departments_due(case, None),
    )
    case.session.add(task)
    case.begun(
        task,
        "issue",
        {"department": body.code, "role": role.value, "respond_by": respond_by, "due_at": task.due_at},
        by=SYSTEM,
    )
    case.start_clock(DeadlineKind.RESPOND, due_at=respond_by, whistle=whistle, task=task)
    meeting = whistle.appointed_at if whistle.appointed_at > case.now else respond_by
    come_by = meeting + case.rules.check_in_grace
    case.start_clock(DeadlineKind.CHECK_IN, due_at=come_by, whistle=whistle, task=task)
    case.start_clock(DeadlineKind.COMPLETE, due_at=task.due_at, whistle=whistle, task=task)
    slips.watch(case, task)
    facts = {"whistle": whistle.number, "letter": letter, "task": task.id, "department": body.name}
    if not case.tell_department(body.id, "task.issued", **facts):
        case.tell((Role.DISTRICT_PLATFORM,), "task.empty_post", **facts)


def verify(session: Session, number: str, *, comment: str | None = None, by: Actor, now: datetime) -> Whistle:
    """Accept every department's part and the whole whistle as the town (rows T8, W8)."""
    case, whistle = Case.of_whistle(session, number, by, now)
    tasks = [task for task in tasks_of(session, whistle.id) if task.status not in TASK_LET_GO]
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
                case.start_clock(DeadlineKind.SCORE, whistle=whistle, task=task)
                case.start_clock(DeadlineKind.APPRAISAL, whistle=whistle, task=task)
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
