"""Who came to the place: both sides' words, the code that the town shows, and what was done together."""

from __future__ import annotations

from fastapi import APIRouter, Request

from api.codes import check_in_address, qr_svg
from api.deps import AdmitFrame, Me, Now, ReadOnly, UnitOfWork
from api.problems import answers
from api.schemas.base import TaskId, WhistleNumber
from api.schemas.presence import ActionIn, CheckInIn, CodeOut, JointActionOut
from api.schemas.tasks import TaskOut
from api.schemas.whistles import CommentIn, NoteIn, ReasonIn
from grids import casefile
from grids.acts import presence, together
from grids.rules.permissions import Actor

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["tasks"])

ACT = answers(401, 403, 404, 409, 422)


def _shown(session: ReadOnly, me: Actor, task_id: int) -> TaskOut:
    return TaskOut.of_row(casefile.show_task(session, me, task_id), me)


@router.post("/tasks/{task_id}/check-in", responses=ACT)
def check_in(
    task_id: TaskId, body: CheckInIn, me: Me, admit: AdmitFrame, session: UnitOfWork, now: Now
) -> TaskOut:
    """Record that a department's people came: when, where, how far off, how late."""
    presence.check_in(session, task_id, body.to_check_in(admit), by=me, now=now)
    return _shown(session, me, task_id)


@router.post("/tasks/{task_id}/confirm-presence", responses=ACT)
def confirm_presence(
    task_id: TaskId, me: Me, session: UnitOfWork, now: Now, body: NoteIn = NoteIn()
) -> TaskOut:
    """Say as the town that a department came that says so."""
    presence.confirm_presence(session, task_id, comment=body.comment, by=me, now=now)
    return _shown(session, me, task_id)


@router.post("/tasks/{task_id}/deny-presence", responses=ACT)
def deny_presence(task_id: TaskId, body: CommentIn, me: Me, session: UnitOfWork, now: Now) -> TaskOut:
    """Say as the town that a department did not come; both words stay on record."""
    presence.deny_presence(session, task_id, comment=body.comment, by=me, now=now)
    return _shown(session, me, task_id)


@router.post("/tasks/{task_id}/start-remote", responses=ACT)
def start_remote(task_id: TaskId, body: ReasonIn, me: Me, session: UnitOfWork, now: Now) -> TaskOut:
    """Let a department begin without coming, as the town."""
    presence.start_remote(session, task_id, reason=body.reason, by=me, now=now)
    return _shown(session, me, task_id)


@router.get("/whistles/{number}/code", responses=answers(401, 403, 404, 409, 422), tags=["whistles"])
def show_code(number: WhistleNumber, request: Request, me: Me, session: ReadOnly, now: Now) -> CodeOut:
    """Return the six digits that the town shows at the place now, and the QR code that holds them."""
    code = presence.shown_code(session, me, number, now)
    address = check_in_address(request, number, code.digits)
    return CodeOut(code=code.digits, valid_until=code.until, address=address, svg=qr_svg(address))


@router.post("/whistles/{number}/action", responses=ACT, tags=["whistles"])
def say_action(
    number: WhistleNumber, body: ActionIn, me: Me, session: UnitOfWork, now: Now
) -> JointActionOut | None:
    """Say what was done together, which ends the joint action; or, without measures, what follows it."""
    if body.measures is None and body.follow_up is not None:
        done = together.follow_up(session, number, text=body.follow_up, by=me, now=now)
    else:
        done = together.end_action(
            session,
            number,
            measures=body.measures or "",
            documents=body.documents,
            follow_up=body.follow_up,
            by=me,
            now=now,
        )
    return JointActionOut.of(done)
