"""Departments' tasks: the inbox, and the acts of their state table."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import Me, Now, ReadOnly, UnitOfWork
from api.problems import answers
from api.routes.query import Cursor, Limit
from api.schemas.base import ShortCode, TaskId
from api.schemas.tasks import CompleteIn, RespondIn, TaskListOut, TaskOut
from api.schemas.whistles import CommentIn
from grids import casefile, register
from grids.acts import tasks
from grids.rules.permissions import Actor
from grids.rules.tasks import TaskStatus

__all__ = ["router"]

router = APIRouter(prefix="/api/tasks", tags=["tasks"])

ACT = answers(401, 403, 404, 409, 422)


def _shown(session: ReadOnly, me: Actor, task_id: int) -> TaskOut:
    return TaskOut.of_row(casefile.show_task(session, me, task_id), me)


@router.get("", responses=answers(401, 422))
def list_tasks(
    me: Me,
    session: ReadOnly,
    department: ShortCode | None = None,
    status: Annotated[list[TaskStatus] | None, Query(max_length=11)] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> TaskListOut:
    """Return tasks in sight, a page at a time: open ones first, the one that is due first on top."""
    rows = register.find_tasks(
        session, me, department=department, statuses=tuple(status or ()), cursor=cursor, limit=limit + 1
    )
    more = register.cursor_of(rows[limit - 1].task) if len(rows) > limit else None
    return TaskListOut(items=[TaskOut.of_row(row, me) for row in rows[:limit]], next_cursor=more)


@router.get("/{task_id}", responses=answers(401, 404, 422))
def show_task(task_id: TaskId, me: Me, session: ReadOnly) -> TaskOut:
    """Return one task with what the reader may do now."""
    return _shown(session, me, task_id)


@router.post("/{task_id}/respond", responses=ACT)
def respond(task_id: TaskId, body: RespondIn, me: Me, session: UnitOfWork, now: Now) -> TaskOut:
    """Promise to come, with the name and the phone of who does."""
    tasks.respond(
        session,
        task_id,
        staff_name=body.staff_name,
        staff_phone=body.staff_phone,
        arrives_at=body.arrives_at,
        by=me,
        now=now,
    )
    return _shown(session, me, task_id)


@router.post("/{task_id}/start", responses=ACT)
def start(task_id: TaskId, me: Me, session: UnitOfWork, now: Now) -> TaskOut:
    """Begin the action; when the lead begins, everyone who has checked in begins with it."""
    tasks.start(session, task_id, by=me, now=now)
    return _shown(session, me, task_id)


@router.post("/{task_id}/complete", responses=ACT)
def complete(task_id: TaskId, body: CompleteIn, me: Me, session: UnitOfWork, now: Now) -> TaskOut:
    """Report the department's part as done; the lead comes last, and resolves the incident."""
    without = {one.evidence: one.reason for one in body.without}
    tasks.complete(
        session, task_id, result=body.result, evidence=body.evidence, without=without, by=me, now=now
    )
    return _shown(session, me, task_id)


@router.post("/{task_id}/rework", responses=ACT)
def rework(task_id: TaskId, body: CommentIn, me: Me, session: UnitOfWork, now: Now) -> TaskOut:
    """Send a department's part back to work."""
    tasks.rework(session, task_id, comment=body.comment, by=me, now=now)
    return _shown(session, me, task_id)
