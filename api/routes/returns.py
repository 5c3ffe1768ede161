"""Tasks that departments send back as not their own, and the decision on it."""

from __future__ import annotations

from fastapi import APIRouter

from api.deps import Me, Now, ReadOnly, UnitOfWork
from api.problems import answers
from api.schemas.base import TaskId, WhistleNumber
from api.schemas.returns import DecideReturnIn, RequestReturnIn, ReturnOut
from api.schemas.tasks import TaskOut
from grids import casefile
from grids.acts import returns

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["tasks"])

ACT = answers(401, 403, 404, 409, 422)


@router.post("/tasks/{task_id}/request-return", responses=ACT)
def request_return(task_id: TaskId, body: RequestReturnIn, me: Me, session: UnitOfWork, now: Now) -> TaskOut:
    """Ask to be rid of a task as not one's own; asked for too late, it stays where it is at once."""
    returns.request_return(
        session,
        task_id,
        reason=body.reason,
        legal_basis=body.legal_basis,
        suggested=body.department,
        by=me,
        now=now,
    )
    return TaskOut.of_row(casefile.show_task(session, me, task_id), me)


@router.post("/tasks/{task_id}/decide-return", responses=ACT)
def decide_return(task_id: TaskId, body: DecideReturnIn, me: Me, session: UnitOfWork, now: Now) -> TaskOut:
    """Grant a return, to another department or to nobody, or refuse it, which counts as unfounded."""
    returns.decide(session, task_id, body.to_verdict(), by=me, now=now)
    return TaskOut.of_row(casefile.show_task(session, me, task_id), me)


@router.get("/whistles/{number}/returns", responses=answers(401, 404, 422))
def list_returns(number: WhistleNumber, me: Me, session: ReadOnly) -> list[ReturnOut]:
    """Return the requests to be rid of tasks under a whistle, task by task."""
    file = casefile.show_whistle(session, me, number)
    return [ReturnOut.of(request) for task in file.tasks for request in file.returns.get(task.id, ())]
