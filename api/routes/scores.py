"""Marks for departments: the town's, the lead's, and the appeal against what they make."""

from __future__ import annotations

from fastapi import APIRouter

from api.deps import Me, Now, ReadOnly, UnitOfWork
from api.problems import answers
from api.schemas.base import TaskId
from api.schemas.scores import AppealDecisionIn, AppealIn, AppraisalOut, PeerScoreIn, ScoreIn
from api.schemas.tasks import TaskOut
from grids import casefile
from grids.acts import scores
from grids.acts.scores import Marks
from grids.rules.permissions import Actor

__all__ = ["router"]

router = APIRouter(prefix="/api/tasks", tags=["tasks"])

ACT = answers(401, 403, 404, 409, 422)


def _shown(session: ReadOnly, me: Actor, task_id: int) -> TaskOut:
    return TaskOut.of_row(casefile.show_task(session, me, task_id), me)


@router.post("/{task_id}/score", responses=ACT)
def score(task_id: TaskId, body: ScoreIn, me: Me, session: UnitOfWork, now: Now) -> TaskOut:
    """Score a department's part, as the town that blew the whistle."""
    scores.score(
        session,
        task_id,
        response=body.response,
        handling=body.handling,
        result=body.result,
        comment=body.comment,
        by=me,
        now=now,
    )
    return _shown(session, me, task_id)


@router.post("/{task_id}/peer-score", responses=ACT)
def score_peer(task_id: TaskId, body: PeerScoreIn, me: Me, session: UnitOfWork, now: Now) -> AppraisalOut:
    """Mark a cooperating department, as the lead of the same whistle."""
    given = scores.score_peer(session, task_id, mark=body.mark, comment=body.comment, by=me, now=now)
    return AppraisalOut.of(task_id, Marks(peer=given))


@router.post("/{task_id}/appeal", responses=ACT)
def appeal(task_id: TaskId, body: AppealIn, me: Me, session: UnitOfWork, now: Now) -> TaskOut:
    """Object to a result, once, as the department that it is of."""
    scores.appeal(session, task_id, grounds=body.grounds, by=me, now=now)
    return _shown(session, me, task_id)


@router.post("/{task_id}/decide-appeal", responses=ACT)
def decide_appeal(task_id: TaskId, body: AppealDecisionIn, me: Me, session: UnitOfWork, now: Now) -> TaskOut:
    """Decide a department's appeal, as the governance centre."""
    scores.decide_appeal(
        session,
        task_id,
        upheld=body.upheld,
        note=body.note,
        marks=body.items(),
        waived=body.waived,
        by=me,
        now=now,
    )
    return _shown(session, me, task_id)


@router.get("/{task_id}/appraisal", responses=answers(401, 404, 422))
def show_appraisal(task_id: TaskId, me: Me, session: ReadOnly) -> AppraisalOut:
    """Return how a result came about: marks, penalties with the steps that show them, all versions."""
    return _appraisal(session, me, task_id)


def _appraisal(session: ReadOnly, me: Actor, task_id: int) -> AppraisalOut:
    return AppraisalOut.of(task_id, casefile.show_task(session, me, task_id).marks)
