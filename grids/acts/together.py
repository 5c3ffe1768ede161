"""What the departments do together at the place (联合行动, row T6): who took part, what was done, what follows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from gis.errors import Conflict, Forbidden
from grids.acts.case import Case, said
from grids.acts.ladder import tasks_of
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.rules.tasks import LET_GO, TaskRole
from grids.rules.whistles import WHISTLE
from grids.tables import JointAction, Task, Whistle

__all__ = ["action_of", "begin", "conclude", "end_action", "follow_up"]


def action_of(session: Session, whistle_id: int) -> JointAction | None:
    """Return the last joint action under a whistle, None where there was none."""
    return session.scalar(
        select(JointAction)
        .where(JointAction.whistle_id == whistle_id)
        .order_by(JointAction.id.desc())
        .limit(1)
    )


def begin(case: Case, whistle: Whistle, tasks: Sequence[Task]) -> JointAction | None:
    """Let these departments begin: with the lead among them it is the joint action, later ones join it.

    Returns None where there is nothing to join: a department that begins before the lead works for itself.
    """
    action = action_of(case.session, whistle.id)
    if action is not None and action.ended_at is None:
        action.participants = [*action.participants, *_participants(tasks)]
        return action
    if all(task.role is not TaskRole.LEAD for task in tasks):
        return None
    action = JointAction(
        incident_id=case.incident.id,
        whistle_id=whistle.id,
        started_at=case.now,
        started_by_id=case.actor.person_id,
        participants=_participants(tasks),
        documents=[],
    )
    case.session.add(action)
    return action


def _participants(tasks: Sequence[Task]) -> list[dict[str, Any]]:
    return [
        {"department": task.department.code, "staff": task.staff_name, "part": task.role.value}
        for task in tasks
    ]


def end_action(
    session: Session,
    number: str,
    *,
    measures: str,
    documents: Sequence[str] = (),
    follow_up: str | None = None,
    by: Actor,
    now: datetime,
) -> JointAction:
    """Say what was done together, as the lead or as the town (row T6).

    measures : what was done. documents : references of the papers that were served. follow_up : what is done after
    it, such as a legal site for a merchant. Raises `Conflict` ("no_joint_action") where none runs, and `Forbidden`
    ("not_the_lead") for a cooperating department.
    """
    said(measures, "measures", "say what was done together")
    case, whistle = Case.of_whistle(session, number, by, now)
    WHISTLE.decide(whistle.status, "end_action", by.role, level=whistle.level)
    if by.role is Role.DEPARTMENT_DUTY and not _leads(session, by, whistle):
        raise Forbidden("not_the_lead", "the lead says what was done together, or the town")
    action = action_of(session, whistle.id)
    if action is None or action.ended_at is not None:
        raise _none(number)
    _end(case, whistle, action, measures, documents, follow_up, by=by)
    session.flush()
    return action


def _end(
    case: Case,
    whistle: Whistle,
    action: JointAction,
    measures: str,
    documents: Sequence[str],
    follow_up: str | None,
    *,
    by: Actor,
) -> None:
    papers = [paper.strip() for paper in documents if paper.strip()]
    facts = {"measures": measures, "documents": papers, "follow_up": follow_up}
    case.move(whistle, "end_action", facts, by=by)
    action.ended_at, action.measures, action.documents = case.now, measures, papers
    action.follow_up = follow_up or action.follow_up


def conclude(case: Case, whistle: Whistle, measures: str) -> None:
    """End what still runs when the last part is done; the lead's result is then what was done together."""
    action = action_of(case.session, whistle.id)
    if action is not None and action.ended_at is None:
        _end(case, whistle, action, measures, (), None, by=SYSTEM)


def follow_up(session: Session, number: str, *, text: str, by: Actor, now: datetime) -> JointAction:
    """Say as the town what is done after the joint action (row T6), once it has begun; the last word stands."""
    said(text, "follow_up", "say what is done after it")
    case, whistle = Case.of_whistle(session, number, by, now)
    WHISTLE.decide(whistle.status, "follow_up", by.role, level=whistle.level)
    action = action_of(session, whistle.id)
    if action is None:
        raise _none(number)
    case.move(whistle, "follow_up", {"follow_up": text})
    action.follow_up = text
    session.flush()
    return action


def _leads(session: Session, by: Actor, whistle: Whistle) -> bool:
    return any(
        task.role is TaskRole.LEAD and task.department_id == by.department_id and task.status not in LET_GO
        for task in tasks_of(session, whistle.id)
    )


def _none(number: str) -> Conflict:
    return Conflict("no_joint_action", f"no joint action runs under whistle {number}", number=number)
