"""Disputes about duty: file, find, show, and the acts of their state table."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.deps import AdmitFrame, Me, Now, ReadOnly, UnitOfWork
from api.idempotency import Once
from api.problems import answers
from api.routes.query import Area, Cursor, Limit
from api.schemas.base import DisputeNumber, IncidentNumber
from api.schemas.disputes import (
    DisputeBrief,
    DisputeListOut,
    DisputeOut,
    FilingIn,
    MeetingIn,
    MinutesIn,
    OpinionGivenIn,
    OpinionIn,
    PositionIn,
    RestIn,
    SettlementIn,
    SignatureIn,
)
from api.schemas.whistles import NoteIn, ReasonIn
from grids import docket
from grids.acts import disputes, verdicts
from grids.rules.disputes import DisputeStatus
from grids.rules.permissions import Actor
from grids.tables import DutyBasis

__all__ = ["router"]

router = APIRouter(tags=["disputes"])

ACT = answers(401, 403, 404, 409, 422)
ONE = "/api/disputes/{number}"


def _shown(session: ReadOnly, me: Actor, number: str) -> DisputeOut:
    return DisputeOut.of(docket.show_dispute(session, me, number))


@router.post("/api/incidents/{number}/disputes", status_code=201, response_model=DisputeOut, responses=ACT)
def file_dispute(
    number: IncidentNumber, body: FilingIn, me: Me, once: Once, session: UnitOfWork, now: Now
) -> Response:
    """Dispute whose duty a case is. Every part is marked; duties and clocks go on, all are jointly responsible."""

    def file() -> tuple[DisputeOut, str]:
        made = disputes.file(session, number, body.to_filing(), by=me, now=now)
        return _shown(session, me, made.number), f"/api/disputes/{made.number}"

    return once.create(body, file)


@router.get("/api/disputes", responses=answers(401, 422))
def list_disputes(
    me: Me,
    session: ReadOnly,
    status: Annotated[list[DisputeStatus] | None, Query(max_length=10)] = None,
    area: Area = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> DisputeListOut:
    """Return disputes in sight, newest first; a department sees those that it is party to."""
    rows = docket.find_disputes(
        session, me, area=area, statuses=tuple(status or ()), cursor=cursor, limit=limit + 1
    )
    more = docket.cursor_of(rows[limit - 1]) if len(rows) > limit else None
    return DisputeListOut(items=[DisputeBrief.brief(row) for row in rows[:limit]], next_cursor=more)


@router.get(ONE, responses=answers(401, 404, 422))
def show_dispute(number: DisputeNumber, me: Me, session: ReadOnly) -> DisputeOut:
    """Return a dispute with its papers and what the reader may do now."""
    return _shown(session, me, number)


@router.post(f"{ONE}/state-position", responses=ACT)
def state_position(
    number: DisputeNumber, body: PositionIn, me: Me, session: UnitOfWork, now: Now
) -> DisputeOut:
    """Say what a party holds, and whom it holds to lead; what it says last counts."""
    disputes.state_position(
        session, number, position=body.position, basis=body.basis, lead=body.lead, by=me, now=now
    )
    return _shown(session, me, number)


@router.post(f"{ONE}/negotiate", responses=ACT)
def negotiate(number: DisputeNumber, body: MinutesIn, me: Me, session: UnitOfWork, now: Now) -> DisputeOut:
    """Record the parties' talk, as who leads for now."""
    disputes.negotiate(session, number, minutes=body.minutes, by=me, now=now)
    return _shown(session, me, number)


@router.post(f"{ONE}/agree", responses=ACT)
def agree(
    number: DisputeNumber, body: SettlementIn, me: Me, admit: AdmitFrame, session: UnitOfWork, now: Now
) -> DisputeOut:
    """Settle it as the departments agreed: all have named the same lead."""
    verdicts.agree(session, number, body.to_settlement(admit, DutyBasis.AGREED), by=me, now=now)
    return _shown(session, me, number)


@router.post(f"{ONE}/coordinate", responses=ACT)
def coordinate(
    number: DisputeNumber, me: Me, session: UnitOfWork, now: Now, body: OpinionIn = OpinionIn()
) -> DisputeOut:
    """Take it to the establishment office, with its opinion or without."""
    disputes.coordinate(session, number, opinion=body.opinion, lead=body.lead, by=me, now=now)
    return _shown(session, me, number)


@router.post(f"{ONE}/give-opinion", responses=ACT)
def give_opinion(
    number: DisputeNumber, body: OpinionGivenIn, me: Me, session: UnitOfWork, now: Now
) -> DisputeOut:
    """Say as the establishment office who should lead."""
    disputes.give_opinion(session, number, opinion=body.opinion, lead=body.lead, by=me, now=now)
    return _shown(session, me, number)


@router.post(f"{ONE}/meet", responses=ACT)
def meet(number: DisputeNumber, body: MeetingIn, me: Me, session: UnitOfWork, now: Now) -> DisputeOut:
    """Record the joint meeting; its minutes are then signed."""
    disputes.meet(session, number, minutes=body.minutes, lead=body.lead, by=me, now=now)
    return _shown(session, me, number)


@router.post(f"{ONE}/sign-off", responses=ACT)
def sign_off(number: DisputeNumber, body: SignatureIn, me: Me, session: UnitOfWork, now: Now) -> DisputeOut:
    """Sign the joint opinion: a party for itself, the board for the bodies."""
    disputes.sign_off(session, number, party=body.party, name=body.name, by=me, now=now)
    return _shown(session, me, number)


@router.post(f"{ONE}/put-to-leader", responses=ACT)
def put_to_leader(number: DisputeNumber, body: ReasonIn, me: Me, session: UnitOfWork, now: Now) -> DisputeOut:
    """Put the matter to the district's leader, which happens once (`leader_once`)."""
    disputes.put_to_leader(session, number, reason=body.reason, by=me, now=now)
    return _shown(session, me, number)


@router.post(f"{ONE}/decide", responses=ACT)
def decide(
    number: DisputeNumber, body: SettlementIn, me: Me, admit: AdmitFrame, session: UnitOfWork, now: Now
) -> DisputeOut:
    """Decide it: a rule of the responsibility list from today on, and the parts change hands at once."""
    verdicts.decide(session, number, body.to_settlement(admit, DutyBasis.DESIGNATED), by=me, now=now)
    return _shown(session, me, number)


@router.post(f"{ONE}/refuse", responses=ACT)
def refuse(number: DisputeNumber, body: ReasonIn, me: Me, session: UnitOfWork, now: Now) -> DisputeOut:
    """Say that what was decided is not done: recorded for accountability, nothing else changes."""
    verdicts.refuse(session, number, reason=body.reason, by=me, now=now)
    return _shown(session, me, number)


@router.post(f"{ONE}/close", responses=ACT)
def close(
    number: DisputeNumber, me: Me, session: UnitOfWork, now: Now, body: NoteIn = NoteIn()
) -> DisputeOut:
    """Close it: what was decided is carried out."""
    verdicts.close(session, number, note=body.comment, by=me, now=now)
    return _shown(session, me, number)


@router.post(f"{ONE}/withdraw", responses=ACT)
def withdraw(number: DisputeNumber, body: ReasonIn, me: Me, session: UnitOfWork, now: Now) -> DisputeOut:
    """Take it back, as who filed it."""
    disputes.withdraw(session, number, reason=body.reason, by=me, now=now)
    return _shown(session, me, number)


@router.post(f"{ONE}/suspend", responses=ACT)
def suspend(number: DisputeNumber, body: RestIn, me: Me, session: UnitOfWork, now: Now) -> DisputeOut:
    """Let the coordination rest, at most 30 days; duties and clocks go on."""
    disputes.suspend(session, number, reason=body.reason, until=body.until, by=me, now=now)
    return _shown(session, me, number)


@router.post(f"{ONE}/resume", responses=ACT)
def resume(number: DisputeNumber, me: Me, session: UnitOfWork, now: Now) -> DisputeOut:
    """Take the coordination up again."""
    disputes.resume(session, number, by=me, now=now)
    return _shown(session, me, number)
