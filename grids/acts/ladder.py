"""The ladder of whistles: how one begins, climbs, is resolved and comes back. Use cases of both floors of
whistles stand on it; nothing here is called from outside `grids`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from gis.errors import Conflict, InvalidInput, NotFound
from grids.acts.case import Case, next_number
from grids.duty import duties
from grids.rules import explanation
from grids.rules.calendar import SHANGHAI
from grids.rules.deadlines import DeadlineKind, limit_of
from grids.rules.grading import Grade
from grids.rules.limits import Limit
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.rules.tasks import DONE_STATUSES, TaskRole
from grids.rules.whistles import WHISTLE, WhistleLevel, WhistleStatus, WhistleType
from grids.tables import Task, Whistle

__all__ = [
    "NOT_WHISTLED",
    "Draft",
    "begin",
    "blow_second",
    "climb",
    "last_level",
    "pass_up",
    "resolve_incident",
    "resume_handling",
    "said",
    "send_back",
    "send_task_back",
    "tasks_of",
]

# the town itself and property managers are informed, not whistled
NOT_WHISTLED = frozenset({"TOWN", "PMC"})


@dataclass(frozen=True, slots=True)
class Draft:
    """What a level-3 whistle says. What is left out is taken from the responsibility list.

    departments : (code, role) pairs with exactly one lead, or None for those of the list.
    limit : how long the departments have; None for what is left of the incident's own limit.
    """

    type: WhistleType = WhistleType.COMPREHENSIVE
    reason: str | None = None
    departments: tuple[tuple[str, TaskRole], ...] | None = None
    appointed_at: datetime | None = None
    appointed_place: str | None = None
    limit: Limit | None = None


def begin(case: Case, level: WhistleLevel, because: str, **facts: object) -> Whistle:
    """Blow the first whistle of a round at a level (row I6).

    because, facts : why at that level, as `grids.rules.explanation` has it.
    """
    if level is WhistleLevel.FIRST and len(case.incident.grid_code) < 12:
        level, because, facts = WhistleLevel.SECOND, "no_community", {}
    case.explain(explanation.whistle(level, because, at=case.now, **facts))
    if level is WhistleLevel.FIRST:
        return _blow_first(case)
    if level is WhistleLevel.THIRD:
        return _draft(
            case,
            Draft(
                type=WhistleType.EMERGENCY if case.incident.grade is Grade.RED else WhistleType.COMPREHENSIVE
            ),
        )
    return blow_second(case, reason=None)


def _new(case: Case, level: WhistleLevel, status: WhistleStatus, area: str, reason: str | None) -> Whistle:
    stem = f"W{case.now.astimezone(SHANGHAI):%Y%m%d}{area[:6]}"
    whistle = Whistle(
        number=f"{stem}{next_number(case.session, f'whistle {stem}'):05d}",
        incident_id=case.incident.id,
        level=level,
        round=case.incident.round,
        status=status,
        area_code=area,
        reason=reason,
        blown_at=case.now,
        blown_by_id=case.actor.person_id,
    )
    case.session.add(whistle)
    return whistle


def _by(case: Case, action: str, level: WhistleLevel) -> Actor:
    """Return who made a whistle: the actor where the table lets them, else the system that follows them."""
    makers = {role for row in WHISTLE.rows(action, level) if not row.sources for role in row.roles}
    return case.actor if case.actor.role in makers else SYSTEM


def _blow_first(case: Case) -> Whistle:
    whistle = _new(case, WhistleLevel.FIRST, WhistleStatus.BLOWN, case.incident.grid_code[:12], None)
    case.begun(whistle, "blow", by=_by(case, "blow", WhistleLevel.FIRST))
    if not case.tell((Role.GRID_LEADER,), "whistle.first", whistle=whistle.number):
        climb(case, whistle, "empty_post")
        return whistle
    case.start_clock(
        DeadlineKind.COMMUNITY, limit_of(DeadlineKind.COMMUNITY, case.incident.grade), whistle=whistle
    )
    return whistle


def blow_second(case: Case, reason: str | None) -> Whistle:
    """Blow for the town (row W3), with the clocks of the dual track."""
    whistle = _new(case, WhistleLevel.SECOND, WhistleStatus.BLOWN, case.incident.grid_code[:9], reason)
    case.begun(whistle, "blow", {"reason": reason}, by=_by(case, "blow", WhistleLevel.SECOND))
    grade = case.incident.grade
    case.start_clock(DeadlineKind.LIAISON, limit_of(DeadlineKind.LIAISON, grade), whistle=whistle)
    case.start_clock(DeadlineKind.ASSIGN, limit_of(DeadlineKind.ASSIGN, grade), whistle=whistle)
    if not case.tell((Role.TOWN_GRID_CENTRE,), "whistle.second", whistle=whistle.number, reason=reason):
        case.tell((Role.TOWN_LEADER, Role.DISTRICT_PLATFORM), "whistle.empty_post", whistle=whistle.number)
    return whistle


def climb(case: Case, whistle: Whistle, reason: str) -> Whistle:
    """Take a level-1 whistle to the town by itself: nobody answered, or the post is empty."""
    case.move(whistle, "escalate", {"reason": reason}, by=SYSTEM)
    case.stop_clock(DeadlineKind.COMMUNITY, whistle=whistle, void=True)
    whistle.ended_at = case.now
    case.move(case.incident, "climb", {"reason": reason, "level": 2}, by=SYSTEM)
    case.explain(explanation.whistle(WhistleLevel.SECOND, reason, at=case.now, area=whistle.area_code))
    return blow_second(case, reason)


def last_level(case: Case) -> WhistleLevel:
    """Return the highest level that was blown in this round (the first where none was)."""
    for level in (WhistleLevel.THIRD, WhistleLevel.SECOND):
        whistle = case.whistle_at(level)
        if whistle is not None and whistle.status is not WhistleStatus.REFUSED:
            return level
    return WhistleLevel.FIRST


def pass_up(case: Case, whistle: Whistle, reason: str, draft: Draft | None = None) -> Whistle:
    """End a whistle that its level cannot solve and blow the next one; return that."""
    case.move(whistle, "escalate", {"reason": reason})
    case.stop_clock(DeadlineKind.COMMUNITY, DeadlineKind.LIAISON, DeadlineKind.ASSIGN, whistle=whistle)
    whistle.ended_at = case.now
    case.move(case.incident, "climb", {"reason": reason, "level": whistle.level + 1}, by=SYSTEM)
    if whistle.level == WhistleLevel.FIRST:
        return blow_second(case, reason)
    return _draft(case, draft or Draft(reason=reason))


def _draft(case: Case, draft: Draft) -> Whistle:
    """Draft a level-3 whistle (row W5), its departments taken from the responsibility list."""
    whistle = _new(case, WhistleLevel.THIRD, WhistleStatus.DRAFTED, case.incident.grid_code[:9], draft.reason)
    whistle.type = draft.type
    rule = "chosen by the town"
    if draft.departments is None:
        try:
            duty = duties.duty_for(
                case.session,
                case.incident.category_code or "",
                case.incident.grid_code,
                on=case.today,
                point=case.incident.point,
            )
            whistle.departments = [d for d in duty.departments() if d["code"] not in NOT_WHISTLED]
            rule = duty.rule
            why = explanation.departments(whistle.departments, duty, at=case.now, whistle=whistle.number)
        except NotFound as nobody:
            whistle.departments, rule = [], nobody.message
            why = explanation.nobody(at=case.now, whistle=whistle.number)
        case.explain(why)
    case.begun(
        whistle,
        "draft",
        {"departments": whistle.departments, "rule": rule, "reason": draft.reason},
        by=_by(case, "draft", WhistleLevel.THIRD),
    )
    case.tell((Role.TOWN_OFFICE,), "whistle.drafted", whistle=whistle.number)
    return whistle


def resolve_incident(case: Case, result: str, *, by: Actor) -> None:
    """Report the incident as resolved (row I9); its handling clock stands still while it is checked."""
    incident = case.incident
    case.move(incident, "resolve", {"result": result}, by=by)
    incident.result, incident.resolved_at, incident.handler_id = result, case.now, case.actor.person_id
    case.stop_clock(DeadlineKind.HANDLE)
    case.start_clock(DeadlineKind.VERIFY, limit_of(DeadlineKind.VERIFY, incident.grade))
    case.tell((Role.GRID_WORKER, Role.TOWN_OFFICE), "incident.to_verify")


def resume_handling(case: Case) -> None:
    """Let the handling clock run on to its old due moment after a completion was not accepted."""
    incident = case.incident
    incident.rework_count += 1
    incident.resolved_at = None
    due_at = case.handle_by()
    if due_at is not None:
        case.start_clock(DeadlineKind.HANDLE, due_at=due_at)


def send_back(case: Case, comment: str) -> None:
    """Give a resolved incident back to those who handled it, at the level where it was solved."""
    resume_handling(case)
    whistle = case.whistle_at(last_level(case))
    if whistle is None:
        raise Conflict("no_whistle", "this incident has no whistle to send back")
    if whistle.level < WhistleLevel.THIRD:
        case.move(whistle, "rework", {"comment": comment}, by=SYSTEM)
        whistle.ended_at = None
        role = Role.GRID_LEADER if whistle.level == WhistleLevel.FIRST else Role.TOWN_OFFICE
        case.tell((role,), "whistle.rework", whistle=whistle.number, comment=comment)
        return
    for task in tasks_of(case.session, whistle.id):
        if task.status in DONE_STATUSES:
            send_task_back(case, whistle, task, comment, by=SYSTEM)


def send_task_back(case: Case, whistle: Whistle, task: Task, comment: str, *, by: Actor) -> None:
    """Send a department's part back to work (row T8); its old due moment still binds.

    A whistle that the town had accepted as a whole runs again with it (row W8).
    """
    case.move(task, "rework", {"comment": comment}, by=by)
    if whistle.status is not WhistleStatus.IN_PROGRESS:
        case.move(whistle, "rework", {"comment": comment}, by=SYSTEM)
        whistle.ended_at = whistle.completed_at = None
    case.stop_clock(DeadlineKind.SCORE, task=task, void=True)
    task.rework_count += 1
    task.completed_at = task.accepted_at = None
    case.start_clock(DeadlineKind.COMPLETE, due_at=task.due_at, whistle=whistle, task=task)
    case.tell_department(
        task.department_id, "task.rework", whistle=whistle.number, task=task.id, comment=comment
    )


def tasks_of(session: Session, whistle_id: int) -> list[Task]:
    """Return a whistle's tasks with their departments, the lead first."""
    return list(
        session.scalars(
            select(Task)
            .where(Task.whistle_id == whistle_id)
            .options(joinedload(Task.department))
            .order_by(Task.letter_number)
        )
    )


def said(text: str, field: str, what: str) -> None:
    """Raise `InvalidInput` ("text_needed") when a required text is empty."""
    if not text.strip():
        raise InvalidInput("text_needed", f"{field} is empty: {what}", field=field)
