"""The ladder of whistles: how one begins, climbs, is resolved and comes back. Use cases of both floors of
whistles stand on it; nothing here is called from outside `grids`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session, joinedload

from gis.errors import Conflict, NotFound
from grids import directory
from grids.acts import slips
from grids.acts.case import Case, next_number
from grids.duty import duties, powers
from grids.rules import explanation
from grids.rules.calendar import SHANGHAI, local_day
from grids.rules.deadlines import DeadlineKind, Outcome
from grids.rules.grading import Grade
from grids.rules.limits import Limit
from grids.rules.pauses import Decision
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.rules.tasks import DONE_STATUSES, TaskRole
from grids.rules.whistles import WHISTLE, WhistleLevel, WhistleStatus, WhistleType
from grids.standing import hands_in
from grids.tables import Appeal, Deadline, Task, Whistle

__all__ = [
    "LET_GO",
    "NOT_WHISTLED",
    "Draft",
    "Listed",
    "begin",
    "blow_second",
    "by_the_list",
    "climb",
    "drop_clocks",
    "give_back",
    "last_level",
    "pass_up",
    "resolve_incident",
    "resume_handling",
    "send_back",
    "send_task_back",
    "stop_town_clocks",
    "take_back",
    "tasks_of",
]

# the town itself and property managers are informed, not whistled
NOT_WHISTLED = frozenset({"TOWN", "PMC"})

LET_GO = frozenset({WhistleStatus.REFUSED, WhistleStatus.WITHDRAWN, WhistleStatus.RETURNED_TO_COMMUNITY})
"""Nobody is called by the whistle any more, and the case is not solved: another level has it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a level-3 whistle says. What is left out is taken from the responsibility list.

    departments : (code, role) pairs with exactly one lead, or None for those of the list.
    chosen_reason : why others than the list names.
    appointed_at : None only in an emergency: at once. limit : how long the departments have; None for what is
    left of the incident's own limit. contact_name, contact_phone : of the town, for the departments; None for who
    submits it.
    """

    type: WhistleType = WhistleType.COMPREHENSIVE
    reason: str | None = None
    departments: tuple[tuple[str, TaskRole], ...] | None = None
    appointed_at: datetime | None = None
    appointed_place: str | None = None
    limit: Limit | None = None
    chosen_reason: str | None = None
    contact_name: str | None = None
    contact_phone: str | None = None


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
        id=case.batch.next_id(Whistle) if case.batch else None,
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


def _blow_first(case: Case, reason: str | None = None) -> Whistle:
    whistle = _new(case, WhistleLevel.FIRST, WhistleStatus.BLOWN, case.incident.grid_code[:12], reason)
    facts = None if reason is None else {"reason": reason}
    case.begun(whistle, "blow", facts, by=_by(case, "blow", WhistleLevel.FIRST))
    if not case.tell((Role.GRID_LEADER,), "whistle.first", whistle=whistle.number):
        climb(case, whistle, "empty_post")
        return whistle
    case.start_clock(DeadlineKind.COMMUNITY, whistle=whistle)
    return whistle


def blow_second(case: Case, reason: str | None) -> Whistle:
    """Blow for the town (row W3), with the clocks of the dual track."""
    whistle = _new(case, WhistleLevel.SECOND, WhistleStatus.BLOWN, case.incident.grid_code[:9], reason)
    case.begun(whistle, "blow", {"reason": reason}, by=_by(case, "blow", WhistleLevel.SECOND))
    case.start_clock(DeadlineKind.LIAISON, whistle=whistle)
    case.start_clock(DeadlineKind.FILE, whistle=whistle)
    if not case.tell((Role.TOWN_GRID_CENTRE,), "whistle.second", whistle=whistle.number, reason=reason):
        case.tell((Role.TOWN_LEADER, Role.DISTRICT_PLATFORM), "whistle.empty_post", whistle=whistle.number)
    return whistle


def climb(case: Case, whistle: Whistle, reason: str) -> Whistle:
    """Take a level-1 whistle to the town by itself: nobody answered, or the post is empty."""
    case.move(whistle, "escalate", {"reason": reason}, by=SYSTEM)
    if reason != "no_answer_in_time":  # else its clock has just ended
        case.stop_clock(DeadlineKind.COMMUNITY, whistle=whistle, void=True)
    whistle.ended_at = case.now
    case.move(case.incident, "climb", {"reason": reason, "level": 2}, by=SYSTEM)
    case.explain(explanation.whistle(WhistleLevel.SECOND, reason, at=case.now, area=whistle.area_code))
    return blow_second(case, reason)


def last_level(case: Case) -> WhistleLevel:
    """Return the highest level that was blown in this round (the first where none was)."""
    for level in (WhistleLevel.THIRD, WhistleLevel.SECOND):
        whistle = case.whistle_at(level)
        if whistle is not None and whistle.status not in LET_GO:
            return level
    return WhistleLevel.FIRST


def give_back(case: Case, reason: str) -> Whistle:
    """Whistle for the community anew after the town gave the case back to it (row W4)."""
    case.explain(explanation.whistle(WhistleLevel.FIRST, "handed_back", at=case.now))
    return _blow_first(case, reason)


def take_back(case: Case, reason: str) -> Whistle:
    """Let the town have the case again whose whistle for the departments is no more (rows W6, W9).

    Its own whistle comes back to where it stood; where it had none (a red case) one is blown. Returns that.
    """
    second = case.whistle_at(WhistleLevel.SECOND)
    if second is None or second.status is not WhistleStatus.ESCALATION_APPLIED:
        return blow_second(case, reason)
    second.ended_at = None
    if second.tasked_at is not None:
        case.move(second, "keep", {"reason": reason}, by=SYSTEM)
    else:
        case.move(second, "keep_filed", {"reason": reason}, by=SYSTEM)
        case.start_clock(DeadlineKind.ASSIGN, whistle=second)
    return second


def stop_town_clocks(case: Case, whistle: Whistle) -> None:
    """End the clocks of a whistle of level 1 or 2 that ends there: what nobody needs any more is void."""
    case.stop_clock(DeadlineKind.COMMUNITY, DeadlineKind.ASSIGN, whistle=whistle)
    drop_clocks(case, Deadline.whistle_id == whistle.id)


def drop_clocks(case: Case, of: ColumnElement[bool]) -> None:
    """End running clocks that have lost their reason; what was late by then stays late."""
    case.session.flush()
    for clock in case.session.scalars(
        select(Deadline).where(Deadline.incident_id == case.incident.id, Deadline.settled_at.is_(None), of)
    ):
        case.settle(clock, Outcome.VOID if case.now <= clock.due_at else Outcome.MISSED)


def pass_up(case: Case, whistle: Whistle, reason: str, draft: Draft | None = None) -> Whistle:
    """End a whistle that its level cannot solve and blow the next one; return that."""
    case.move(whistle, "escalate", {"reason": reason})
    stop_town_clocks(case, whistle)
    whistle.ended_at = case.now
    case.move(case.incident, "climb", {"reason": reason, "level": whistle.level + 1}, by=SYSTEM)
    if whistle.level == WhistleLevel.FIRST:
        return blow_second(case, reason)
    return _draft(case, draft or Draft(reason=reason))


def _draft(case: Case, draft: Draft) -> Whistle:
    """Draft a level-3 whistle (row W5), its departments taken from the responsibility list."""
    whistle = _new(case, WhistleLevel.THIRD, WhistleStatus.DRAFTED, case.incident.grid_code[:9], draft.reason)
    whistle.type = draft.type
    listed = by_the_list(case, whistle.number)
    whistle.departments = listed.departments
    case.explain(listed.why)
    case.begun(
        whistle,
        "draft",
        {"departments": whistle.departments, "rule": listed.rule, "reason": draft.reason},
        by=_by(case, "draft", WhistleLevel.THIRD),
    )
    case.start_clock(DeadlineKind.DRAFT, whistle=whistle)
    case.tell((Role.TOWN_OFFICE,), "whistle.drafted", whistle=whistle.number)
    return whistle


class Listed(NamedTuple):
    """Whom the responsibility list calls, lead first; the rule in a sentence; the entry of the explain record."""

    departments: list[dict[str, str]]
    rule: str
    why: dict[str, Any]


def by_the_list(case: Case, number: str | None = None) -> Listed:
    """Return whom the list calls for a case today: decided rules, exceptions on the spot, then the category's own.

    The items are those of the list that held when the case was accepted: another list is for later cases.

    number : of the whistle that they are called by, None where it is not blown yet.
    """
    try:
        duty = duties.duty_for(
            case.session,
            case.incident.category_code or "",
            case.incident.grid_code,
            on=case.today,
            point=case.incident.point,
            list_on=local_day(case.incident.accepted_at or case.now),
        )
    except NotFound as nobody:
        why = explanation.nobody(at=case.now, whistle=number, powers=_powers(case))
        return Listed([], nobody.message, why)
    called = [d for d in duty.departments() if d["code"] not in NOT_WHISTLED]
    why = explanation.departments(called, duty, at=case.now, whistle=number, powers=_powers(case))
    return Listed(called, duty.rule, why)


def _powers(case: Case) -> list[dict[str, str]]:
    """Return the powers by which the town could act itself: it may not need the departments at all."""
    held = powers.of_case(case.session, case.incident.category_code, case.incident.grid_code, on=case.today)
    return [
        {"no": one.row.item_no, "name": one.row.name, "since": one.row.effective_from.isoformat()}
        for one in held
    ]


def resolve_incident(case: Case, result: str, *, by: Actor) -> None:
    """Report the incident as resolved (row I9); its handling clock stands still while it is checked."""
    incident = case.incident
    case.move(incident, "resolve", {"result": result}, by=by)
    incident.result, incident.resolved_at, incident.handler_id = result, case.now, case.actor.person_id
    case.stop_clock(DeadlineKind.HANDLE)
    case.start_clock(DeadlineKind.VERIFY)
    case.tell((Role.GRID_WORKER, Role.TOWN_OFFICE), "incident.to_verify")
    case.session.flush()
    others = directory.on_duty(
        case.session, (Role.GRID_WORKER, Role.TOWN_OFFICE), incident.grid_code, case.now
    )
    if not {person.id for person in others} - hands_in(case.session, incident):
        # nobody else is there to look: the leader may, and the centre sees to it that somebody does
        case.tell((Role.TOWN_LEADER, Role.TOWN_GRID_CENTRE), "incident.no_verifier")


def resume_handling(case: Case) -> None:
    """Let the handling clock run on to its old due moment after a completion was not accepted."""
    incident = case.incident
    incident.rework_count += 1
    incident.resolved_at = None
    due_at = case.handle_by()
    if due_at is not None:
        case.start_clock(DeadlineKind.HANDLE, case.handle_limit(), due_at=due_at)


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
    case.stop_clock(DeadlineKind.SCORE, DeadlineKind.APPRAISAL, task=task, void=True)
    # the result is made anew, and with it what may be said against it
    asked = (Appeal.task_id == task.id) & (Appeal.decision == Decision.ASKED)
    case.session.execute(update(Appeal).where(asked).values(decision=Decision.LAPSED, decided_at=case.now))
    case.stop_clock(DeadlineKind.APPEAL_DECISION, task=task, void=True)
    task.rework_count += 1
    slips.reworked(case, whistle, task)
    task.completed_at = task.accepted_at = None
    case.start_clock(DeadlineKind.COMPLETE, due_at=task.due_at, whistle=whistle, task=task)
    slips.watch(case, task)
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
