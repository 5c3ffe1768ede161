"""Slips of supervision: list, show, answer, issue by hand."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.deps import Me, Now, ReadOnly, UnitOfWork
from api.problems import answers
from api.routes.query import Limit
from api.schemas.base import TaskId
from api.schemas.slips import NudgeIn, SlipAnswerIn, SlipListOut, SlipOut
from grids.acts import slips
from grids.rules.slips import SlipKind

__all__ = ["router"]

router = APIRouter(tags=["slips"])

ACT = answers(401, 403, 404, 409, 422)
Number = Annotated[str, Path(pattern=r"^[TBJ]\d{19}$")]


@router.get("/api/slips", responses=answers(401, 422))
def list_slips(
    me: Me,
    session: ReadOnly,
    kind: SlipKind | None = None,
    waiting: bool = False,
    cursor: Annotated[int | None, Query(ge=1)] = None,
    limit: Limit = 50,
) -> SlipListOut:
    """Return slips in sight, newest first, a page at a time; waiting : those that are still to be answered."""
    rows = slips.find(session, me, kind=kind, open_only=waiting, before=cursor, limit=limit + 1)
    more = str(rows[limit - 1].slip.id) if len(rows) > limit else None
    return SlipListOut(items=[SlipOut.of(row) for row in rows[:limit]], next_cursor=more)


@router.get("/api/slips/{number}", responses=answers(401, 404, 422))
def show_slip(number: Number, me: Me, session: ReadOnly) -> SlipOut:
    """Return one slip."""
    return SlipOut.of(slips.show(session, me, number))


@router.post("/api/slips/{number}/answer", responses=ACT)
def answer_slip(number: Number, body: SlipAnswerIn, me: Me, session: UnitOfWork, now: Now) -> SlipOut:
    """Answer a slip as the unit that it is addressed to."""
    slips.answer(session, number, text=body.text, by=me, now=now)
    return SlipOut.of(slips.show(session, me, number))


@router.post("/api/tasks/{task_id}/nudge", responses=ACT)
def nudge(task_id: TaskId, body: NudgeIn, me: Me, session: UnitOfWork, now: Now) -> SlipOut:
    """Issue a slip by hand: a reminder by town or platform, the others by the governance centre."""
    slip = slips.nudge(session, task_id, kind=body.kind, note=body.note, by=me, now=now)
    return SlipOut.of(slips.show(session, me, slip.number))
