"""Whistles: find, show, and the acts of their state table."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import Me, Now, ReadOnly, UnitOfWork
from api.problems import answers
from api.routes.query import Area, Cursor, Limit
from api.schemas.base import WhistleNumber
from api.schemas.whistles import (
    AssignIn,
    ChangeIn,
    FileIn,
    HeardIn,
    LiaisonIn,
    NoteIn,
    ReasonIn,
    ResultIn,
    SubmitIn,
    WhistleBrief,
    WhistleListOut,
    WhistleOut,
)
from grids import casefile, register
from grids.acts import confirming, joint, returns, whistles
from grids.rules.whistles import WhistleLevel, WhistleStatus

__all__ = ["router"]

router = APIRouter(prefix="/api/whistles", tags=["whistles"])

ACT = answers(401, 403, 404, 409, 422)


@router.get("", responses=answers(401, 422))
def list_whistles(
    me: Me,
    session: ReadOnly,
    area: Area = None,
    level: Annotated[WhistleLevel | None, Query()] = None,
    status: WhistleStatus | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> WhistleListOut:
    """Return whistles in sight, newest first, a page at a time."""
    rows = register.find_whistles(
        session, me.scope, area=area, level=level, status=status, cursor=cursor, limit=limit + 1
    )
    more = register.cursor_of(rows[limit - 1][0]) if len(rows) > limit else None
    items = [WhistleBrief.brief(whistle, incident) for whistle, incident in rows[:limit]]
    return WhistleListOut(items=items, next_cursor=more)


@router.get("/{number}", responses=answers(401, 404, 422))
def show_whistle(number: WhistleNumber, me: Me, session: ReadOnly, now: Now) -> WhistleOut:
    """Return a whistle with its tasks and what the reader may do now."""
    return WhistleOut.of(casefile.show_whistle(session, me, number, now=now), me)


@router.post("/{number}/answer", responses=ACT)
def answer_whistle(number: WhistleNumber, me: Me, session: UnitOfWork, now: Now) -> WhistleOut:
    """Take a level-1 whistle in hand."""
    whistles.answer(session, number, by=me, now=now)
    return WhistleOut.of(casefile.show_whistle(session, me, number, now=now), me)


@router.post("/{number}/solve", responses=ACT)
def solve_whistle(number: WhistleNumber, body: ResultIn, me: Me, session: UnitOfWork, now: Now) -> WhistleOut:
    """Report a level-1 or level-2 whistle as solved; the incident waits to be verified."""
    whistles.solve(session, number, result=body.result, by=me, now=now)
    return WhistleOut.of(casefile.show_whistle(session, me, number, now=now), me)


@router.post("/{number}/escalate", responses=ACT)
def escalate_whistle(
    number: WhistleNumber, body: ReasonIn, me: Me, session: UnitOfWork, now: Now
) -> WhistleOut:
    """Pass a whistle up; the answer is the whistle of the next level."""
    new = whistles.escalate(session, number, reason=body.reason, by=me, now=now)
    return WhistleOut.of(casefile.show_whistle(session, me, new.number, now=now), me)


@router.post("/{number}/liaison", responses=ACT)
def name_liaison(number: WhistleNumber, body: LiaisonIn, me: Me, session: UnitOfWork, now: Now) -> WhistleOut:
    """Name who of the town goes to the community, for a level-2 whistle."""
    whistles.name_liaison(
        session,
        number,
        liaison_name=body.liaison_name,
        liaison_phone=body.liaison_phone,
        by=me,
        now=now,
    )
    return WhistleOut.of(casefile.show_whistle(session, me, number, now=now), me)


@router.post("/{number}/file", responses=ACT)
def file_whistle(
    number: WhistleNumber, me: Me, session: UnitOfWork, now: Now, body: FileIn = FileIn()
) -> WhistleOut:
    """File a level-2 whistle at the town's centre; who goes to the community may be named along with it."""
    whistles.file(
        session,
        number,
        liaison_name=body.liaison_name,
        liaison_phone=body.liaison_phone,
        by=me,
        now=now,
    )
    return WhistleOut.of(casefile.show_whistle(session, me, number, now=now), me)


@router.post("/{number}/hand-back", responses=ACT)
def hand_back_whistle(
    number: WhistleNumber, body: ReasonIn, me: Me, session: UnitOfWork, now: Now
) -> WhistleOut:
    """Give a case back to the community; the answer is the community's new whistle."""
    new = whistles.hand_back(session, number, reason=body.reason, by=me, now=now)
    return WhistleOut.of(casefile.show_whistle(session, me, new.number, now=now), me)


@router.post("/{number}/assign", responses=ACT)
def assign_whistle(
    number: WhistleNumber, body: AssignIn, me: Me, session: UnitOfWork, now: Now
) -> WhistleOut:
    """Give a level-2 whistle to an office of the town."""
    whistles.assign(session, number, office=body.office, instruction=body.instruction, by=me, now=now)
    return WhistleOut.of(casefile.show_whistle(session, me, number, now=now), me)


@router.post("/{number}/submit", responses=ACT)
def submit_whistle(
    number: WhistleNumber, body: SubmitIn, me: Me, session: UnitOfWork, now: Now
) -> WhistleOut:
    """Complete a drafted level-3 whistle and send it to the town's main leader."""
    joint.submit(session, number, body.to_draft(), by=me, now=now)
    return WhistleOut.of(casefile.show_whistle(session, me, number, now=now), me)


@router.post("/{number}/confirm", responses=ACT)
def confirm_whistle(number: WhistleNumber, me: Me, session: UnitOfWork, now: Now) -> WhistleOut:
    """Confirm a level-3 whistle as the town's main leader; its tasks go out at once."""
    joint.confirm(session, number, by=me, now=now)
    return WhistleOut.of(casefile.show_whistle(session, me, number, now=now), me)


@router.post("/{number}/confirm-by-phone", responses=ACT)
def confirm_by_phone(
    number: WhistleNumber, body: HeardIn, me: Me, session: UnitOfWork, now: Now
) -> WhistleOut:
    """Record that the main leader confirmed an emergency by telephone; its tasks go out at once."""
    confirming.confirm_by_phone(session, number, heard_by=body.heard_by, by=me, now=now)
    return WhistleOut.of(casefile.show_whistle(session, me, number, now=now), me)


@router.post("/{number}/write-confirmation", responses=ACT)
def write_confirmation(number: WhistleNumber, me: Me, session: UnitOfWork, now: Now) -> WhistleOut:
    """Confirm in writing what was confirmed by telephone, as the town's main leader."""
    confirming.write_confirmation(session, number, by=me, now=now)
    return WhistleOut.of(casefile.show_whistle(session, me, number, now=now), me)


@router.post("/{number}/confirm-instead", responses=ACT)
def confirm_instead(
    number: WhistleNumber, body: ReasonIn, me: Me, session: UnitOfWork, now: Now
) -> WhistleOut:
    """Confirm a whistle as the district, once the town's leader has let the time pass."""
    confirming.confirm_instead(session, number, reason=body.reason, by=me, now=now)
    return WhistleOut.of(casefile.show_whistle(session, me, number, now=now), me)


@router.post("/{number}/withdraw", responses=ACT)
def withdraw_whistle(
    number: WhistleNumber, body: ReasonIn, me: Me, session: UnitOfWork, now: Now
) -> WhistleOut:
    """Take a level-3 whistle back before anybody came; its departments are let go, the town has the case again."""
    confirming.withdraw(session, number, reason=body.reason, by=me, now=now)
    return WhistleOut.of(casefile.show_whistle(session, me, number, now=now), me)


@router.post("/{number}/change-departments", responses=ACT)
def change_departments(
    number: WhistleNumber, body: ChangeIn, me: Me, session: UnitOfWork, now: Now
) -> WhistleOut:
    """Say which departments answer from now on, as the district's platform: added, let go, or leading instead."""
    called = [(named.code, named.role) for named in body.departments]
    returns.change_departments(session, number, called, reason=body.reason, by=me, now=now)
    return WhistleOut.of(casefile.show_whistle(session, me, number, now=now), me)


@router.post("/{number}/refuse", responses=ACT)
def refuse_whistle(
    number: WhistleNumber, body: ReasonIn, me: Me, session: UnitOfWork, now: Now
) -> WhistleOut:
    """Refuse a level-3 whistle as the town's main leader; the town keeps the case."""
    joint.refuse(session, number, reason=body.reason, by=me, now=now)
    return WhistleOut.of(casefile.show_whistle(session, me, number, now=now), me)


@router.post("/{number}/issue", responses=ACT)
def issue_whistle(number: WhistleNumber, me: Me, session: UnitOfWork, now: Now) -> WhistleOut:
    """Give every department that has none its task; a repeat changes nothing."""
    joint.issue(session, number, by=me, now=now)
    return WhistleOut.of(casefile.show_whistle(session, me, number, now=now), me)


@router.post("/{number}/verify", responses=ACT)
def verify_whistle(
    number: WhistleNumber, me: Me, session: UnitOfWork, now: Now, body: NoteIn = NoteIn()
) -> WhistleOut:
    """Accept every department's part and the whole whistle, as the town."""
    joint.verify(session, number, comment=body.comment, by=me, now=now)
    return WhistleOut.of(casefile.show_whistle(session, me, number, now=now), me)


@router.post("/{number}/archive", responses=ACT)
def archive_whistle(number: WhistleNumber, me: Me, session: UnitOfWork, now: Now) -> WhistleOut:
    """Put a scored whistle away."""
    joint.archive(session, number, by=me, now=now)
    return WhistleOut.of(casefile.show_whistle(session, me, number, now=now), me)
