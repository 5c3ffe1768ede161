"""Being told: one's own addresses and hours, the log of what was sent, receipts."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from api.deps import Me, Now, ReadOnly, UnitOfWork
from api.outside import code_sender, require_reachable
from api.problems import answers, respond
from api.schemas.base import Line, TaskId
from api.schemas.messages import (
    CodeIn,
    ContactChangeIn,
    ContactIn,
    ContactOut,
    DeliveryOut,
    DeliveryPage,
    HoursIn,
    HoursOut,
    HoursRow,
)
from gis.errors import InvalidInput, NotFound
from grids import contacts, deliveries, outbox, roster
from grids.rules.messages import DeliveryStatus, Way
from grids.rules.permissions import Actor
from grids.rules.roster import keepers

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["messages"])

ACT = answers(401, 404, 409, 422)


@router.get("/me/contacts", responses=answers(401))
def list_contacts(me: Me, session: ReadOnly) -> list[ContactOut]:
    """Return one's own addresses."""
    return [ContactOut.of(one) for one in contacts.mine(session, me.person_id or 0)]


@router.post("/me/contacts", status_code=201, responses=ACT)
def add_contact(body: ContactIn, request: Request, me: Me, session: UnitOfWork, now: Now) -> ContactOut:
    """Add an address; a code is sent there, and it is used once the code was given."""
    require_reachable(request, body.way, body.address)
    added = contacts.add(
        session,
        body.way,
        body.address,
        language=body.language,
        urgent_only=body.urgent_only,
        by=me,
        now=now,
        words=code_sender(),
    )
    return ContactOut.of(added)


@router.post("/me/contacts/{contact}/code", status_code=204, responses=ACT)
def send_code(contact: TaskId, me: Me, session: UnitOfWork, now: Now) -> None:
    """Send a new code to an address that is not confirmed; at most one a minute."""
    contacts.send_code(session, contact, by=me, now=now, words=code_sender())


@router.post("/me/contacts/{contact}/confirm", status_code=204, response_model=None, responses=ACT)
def confirm_contact(
    contact: TaskId, body: CodeIn, request: Request, me: Me, session: UnitOfWork, now: Now
) -> Response | None:
    """Give the code that came; five wrong ones end it."""
    if contacts.confirm(session, contact, body.code, by=me, now=now):
        return None
    # answered and not raised: the wrong try has to be counted
    refused = InvalidInput("wrong_address_code", "this is not the code that was sent", field="code")
    return respond(request, refused)


@router.post("/me/contacts/{contact}", responses=ACT)
def change_contact(contact: TaskId, body: ContactChangeIn, me: Me, session: UnitOfWork) -> ContactOut:
    """Say anew in which language, and whether only of urgent cases, one is told there."""
    changed = contacts.change(session, contact, language=body.language, urgent_only=body.urgent_only, by=me)
    return ContactOut.of(changed)


@router.delete("/me/contacts/{contact}", status_code=204, responses=ACT)
def remove_contact(contact: TaskId, me: Me, session: UnitOfWork, now: Now) -> None:
    """Take an address off."""
    contacts.remove(session, contact, by=me, now=now)


@router.get("/posts/{post}/hours", responses=answers(401, 403, 404, 422))
def show_hours(post: TaskId, me: Me, session: ReadOnly, now: Now) -> HoursOut:
    """Return when a post is kept: one's own, or as an administrator any of the district."""
    return _hours(session, post, me, now)


@router.post("/posts/{post}/hours", responses=answers(401, 403, 404, 422))
def set_hours(post: TaskId, body: HoursIn, me: Me, session: UnitOfWork, now: Now) -> HoursOut:
    """Say anew when a post is kept, and who stands in; no hours at all: always."""
    roster.set_hours(session, post, [row.hours() for row in body.hours], by=me)
    return _hours(session, post, me, now)


def _hours(session: ReadOnly, post_id: int, me: Actor, now: Now) -> HoursOut:
    post = roster.post_for(session, post_id, me)
    hours = roster.hours_of(session, [post_id]).get(post_id, [])
    return HoursOut(
        post=post.id,
        title=post.title,
        hours=[
            HoursRow(weekday=h.weekday, day=h.day, opens=h.opens, closes=h.closes, stands_in=h.stands_in)
            for h in hours
        ],
        on_duty_now=list(keepers(post.person_id, hours, now)) if post.on_duty else [],
    )


@router.get("/deliveries", responses=answers(401, 403, 422))
def list_deliveries(
    me: Me,
    session: ReadOnly,
    status: DeliveryStatus | None = None,
    way: Way | None = None,
    person: Annotated[Line | None, Query(max_length=100)] = None,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DeliveryPage:
    """Return what was sent to whom, newest first, for the district's platform, its auditor and administrator."""
    before = int(cursor) if cursor else None
    rows = deliveries.log(session, me, status=status, way=way, name=person, before=before, limit=limit + 1)
    more = len(rows) > limit
    return DeliveryPage(
        items=[DeliveryOut.of(row) for row in rows[:limit]],
        next_cursor=str(rows[limit - 1].id) if more else None,
    )


@router.post("/deliveries/{key}/read", status_code=204, responses=answers(404, 422))
def say_read(key: UUID, session: UnitOfWork, now: Now) -> None:
    """Say that a sending was read. Who knows its key is its receiver: nobody need be signed in."""
    if not outbox.receipt(session, key, now=now):
        raise NotFound("delivery_not_found", "there is no such sending", key=str(key))
