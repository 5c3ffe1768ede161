"""What stops or moves the clocks of a case: suspension, extension, and the ledger as acts and as a list."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import Me, Now, ReadOnly, UnitOfWork
from api.problems import answers
from api.routes.query import Area
from api.schemas.base import IncidentNumber, TaskId
from api.schemas.incidents import IncidentOut
from api.schemas.pauses import (
    AskSuspensionIn,
    CloseLedgerIn,
    DecideExtensionIn,
    ExtendIn,
    LedgerIn,
    LedgerListOut,
    LedgerRowOut,
    NoteIn,
    ResumeIn,
    ReviewIn,
    SuspendIn,
)
from api.schemas.tasks import TaskOut
from grids import casefile, ledger
from grids.acts import extensions, pauses
from grids.acts import ledger as keeping
from grids.rules.permissions import Actor

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["pauses"])

ACT = answers(401, 403, 404, 409, 422)


def _case(session: ReadOnly, me: Actor, number: str, now: Now) -> IncidentOut:
    return IncidentOut.of(casefile.show_incident(session, me, number, now=now), me)


@router.get("/ledger", responses=answers(401, 422))
def list_ledger(
    me: Me, session: ReadOnly, area: Area = None, ended: Annotated[bool, Query()] = False
) -> LedgerListOut:
    """Return the hard cases that stand apart from every rate, what is reviewed first on top, at most 200.

    `ended=true` adds those that were taken up again or closed.
    """
    rows = ledger.on_ledger(session, me.scope, area=area, ended=ended)
    return LedgerListOut(items=[LedgerRowOut.of_row(row) for row in rows])


@router.post("/incidents/{number}/ask-suspension", responses=ACT)
def ask_suspension(
    number: IncidentNumber, body: AskSuspensionIn, me: Me, session: UnitOfWork, now: Now
) -> IncidentOut:
    """Ask that a case may wait, as the one who handles it; its clocks go on until somebody decides."""
    pauses.ask_suspension(
        session, number, reason=body.reason, note=body.note, until=body.until, by=me, now=now
    )
    return _case(session, me, number, now)


@router.post("/incidents/{number}/suspend", responses=ACT)
def suspend_incident(
    number: IncidentNumber, body: SuspendIn, me: Me, session: UnitOfWork, now: Now
) -> IncidentOut:
    """Let a case wait, asked or not: its clocks of work stand still until its day, or until `resume`."""
    pauses.suspend(session, number, reason=body.reason, note=body.note, until=body.until, by=me, now=now)
    return _case(session, me, number, now)


@router.post("/incidents/{number}/refuse-suspension", responses=ACT)
def refuse_suspension(
    number: IncidentNumber, body: NoteIn, me: Me, session: UnitOfWork, now: Now
) -> IncidentOut:
    """Say no to a suspension that was asked for."""
    pauses.refuse_suspension(session, number, note=body.note, by=me, now=now)
    return _case(session, me, number, now)


@router.post("/incidents/{number}/resume", responses=ACT)
def resume_incident(
    number: IncidentNumber, me: Me, session: UnitOfWork, now: Now, body: ResumeIn | None = None
) -> IncidentOut:
    """Let a suspended case go on before its day, each clock with the time that it had left."""
    pauses.resume(session, number, note=body.note if body else None, by=me, now=now)
    return _case(session, me, number, now)


@router.post("/incidents/{number}/ledger", responses=ACT)
def put_on_ledger(
    number: IncidentNumber, body: LedgerIn, me: Me, session: UnitOfWork, now: Now
) -> IncidentOut:
    """Put a hard case on the ledger, with its plan and its day of review."""
    keeping.put(
        session,
        number,
        plan=body.plan,
        lead=body.lead,
        review_on=body.review_on,
        public_reply=body.public_reply,
        by=me,
        now=now,
    )
    return _case(session, me, number, now)


@router.post("/incidents/{number}/review-ledger", responses=ACT)
def review_ledger(
    number: IncidentNumber, body: ReviewIn, me: Me, session: UnitOfWork, now: Now
) -> IncidentOut:
    """Say how far a case on the ledger is, and when it is looked at next."""
    keeping.review(session, number, note=body.note, review_on=body.review_on, by=me, now=now)
    return _case(session, me, number, now)


@router.post("/incidents/{number}/take-up", responses=ACT)
def take_up(number: IncidentNumber, body: NoteIn, me: Me, session: UnitOfWork, now: Now) -> IncidentOut:
    """Take a case from the ledger to work again."""
    keeping.take_up(session, number, note=body.note, by=me, now=now)
    return _case(session, me, number, now)


@router.post("/incidents/{number}/close-ledger", responses=ACT)
def close_ledger(
    number: IncidentNumber, body: CloseLedgerIn, me: Me, session: UnitOfWork, now: Now
) -> IncidentOut:
    """Close a case from the ledger with what the public is told."""
    keeping.close(session, number, public_reply=body.public_reply, by=me, now=now)
    return _case(session, me, number, now)


@router.post("/tasks/{task_id}/extend", responses=ACT)
def extend(task_id: TaskId, body: ExtendIn, me: Me, session: UnitOfWork, now: Now) -> TaskOut:
    """Ask for more time for one's own part, before it runs out."""
    extensions.extend(
        session,
        task_id,
        amount=body.amount(),
        reason=body.reason,
        citizen_told=body.citizen_told,
        by=me,
        now=now,
    )
    return TaskOut.of_row(casefile.show_task(session, me, task_id), me)


@router.post("/tasks/{task_id}/decide-extension", responses=ACT)
def decide_extension(
    task_id: TaskId, body: DecideExtensionIn, me: Me, session: UnitOfWork, now: Now
) -> TaskOut:
    """Grant more time or refuse it: granted, every clock that was due before runs out later."""
    extensions.decide(session, task_id, granted=body.granted, note=body.note, by=me, now=now)
    return TaskOut.of_row(casefile.show_task(session, me, task_id), me)
