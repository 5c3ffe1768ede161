"""Messages, posted in the transaction of the change they tell of; people read them in their inbox.

Who wants to be told elsewhere too (table contact) gets sendings: `route` bundles what was posted into deliveries,
`claim` hands them out one try at a time, `record` writes down what became of a try. No transaction is open while
a sending is on its way. A worker that is killed meanwhile leaves a sending in hand; after its lease another takes
it up, with the same key: at least once, and a receiver that remembers keys sees it once.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, insert, select, update
from sqlalchemy.orm import Session, aliased

from grids import roster
from grids.rules.grading import Grade
from grids.rules.messages import (
    LEASE,
    MOST_TRIES,
    PAUSE,
    DeliveryStatus,
    Way,
    delivery_key,
    next_try,
)
from grids.rules.trace import plain
from grids.tables import Contact, Delivery, DeliveryItem, Incident, Message, Person

__all__ = [
    "Render",
    "Sending",
    "Wording",
    "claim",
    "mark_read",
    "post",
    "queue",
    "receipt",
    "record",
    "route",
    "unread",
]

_URGENT = (Grade.RED, Grade.ORANGE)
_SHOWN = 20  # messages of which the words go into one sending; the others are counted, and stand in the inbox

_luck = Random(secrets.randbits(64))  # noqa: S311 - only keeps retries apart


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of one sending."""

    subject: str
    body: str


Render = Callable[[str, Sequence[Message], int], Wording]
"""From a language of the catalogues, messages and how many more there are, to the words of a sending."""


@dataclass(frozen=True, slots=True)
class Sending:
    """One try of one delivery, in the hands of a worker. `key` is the same at every try."""

    id: int
    key: UUID
    way: Way
    address: str
    subject: str
    body: str
    tries: int


def post(
    session: Session,
    person_ids: Iterable[int],
    template: str,
    facts: Mapping[str, Any],
    *,
    incident_id: int | None,
    now: datetime,
) -> None:
    """Post one message to each person (once, however often a person is named)."""
    for person_id in sorted(set(person_ids)):
        session.add(
            Message(
                incident_id=incident_id,
                person_id=person_id,
                template=template,
                facts=plain(facts),
                posted_at=now,
            )
        )


def unread(session: Session, person_id: int, *, limit: int = 50) -> Sequence[Message]:
    """Return a person's unread messages, newest first."""
    return session.scalars(
        select(Message)
        .where(Message.person_id == person_id, Message.read_at.is_(None))
        .order_by(Message.posted_at.desc(), Message.id.desc())
        .limit(limit)
    ).all()


def mark_read(session: Session, person_id: int, *, up_to: int, now: datetime) -> None:
    """Mark a person's messages up to an id as read, and the sendings that held nothing else."""
    session.execute(
        update(Message)
        .where(Message.person_id == person_id, Message.id <= up_to, Message.read_at.is_(None))
        .values(read_at=now)
    )
    held = select(DeliveryItem.message_id).where(DeliveryItem.delivery_id == Delivery.id)
    session.execute(
        update(Delivery)
        .where(
            Delivery.person_id == person_id,
            Delivery.read_at.is_(None),
            held.exists(),
            ~held.join(Message).where(Message.read_at.is_(None)).exists(),
        )
        .values(read_at=now)
        .execution_options(synchronize_session=False)
    )


# -- from messages to deliveries


def route(session: Session, now: datetime, *, render: Render, limit: int = 100) -> int:
    """Bundle what was posted to up to `limit` people into deliveries; return how many messages that were.

    The caller commits. A message joins the delivery of its person and way that still waits for its first try, so
    that `claim`, which lets one go a minute, sends what came meanwhile together. What was read in the inbox by
    now, or has nowhere to go, leads to nothing. What is not urgent (red, orange) waits while its reader is off
    duty, and never goes to a contact that wants urgent things only.
    """
    waiting = select(Message.person_id).where(Message.routed_at.is_(None))
    # a person is one worker's at a time, so that two never make two deliveries of the same minute
    people = session.scalars(
        select(Person.id)
        .where(Person.id.in_(waiting))
        .order_by(Person.id)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    ).all()
    if not people:
        return 0
    rows = session.execute(
        select(Message, Incident.grade)
        .outerjoin(Incident, Incident.id == Message.incident_id)
        .where(Message.routed_at.is_(None), Message.person_id.in_(people))
        .order_by(Message.id)
    ).all()
    session.execute(
        update(Message).where(Message.id.in_([message.id for message, _ in rows])).values(routed_at=now)
    )
    fresh: dict[int, list[tuple[Message, bool]]] = {}
    for message, grade in rows:
        if message.read_at is None:
            fresh.setdefault(message.person_id, []).append((message, grade in _URGENT))
    contacts = session.scalars(
        select(Contact)
        .where(
            Contact.person_id.in_(list(fresh)), Contact.ended_at.is_(None), Contact.confirmed_at.is_not(None)
        )
        .order_by(Contact.id)
    ).all()
    if contacts:
        open_ones = _open_deliveries(session, {contact.person_id for contact in contacts})
        off = roster.off_until(session, [contact.person_id for contact in contacts], now)
        for contact in contacts:
            told = [pair for pair in fresh[contact.person_id] if pair[1] or not contact.urgent_only]
            if told:
                urgent = any(is_urgent for _, is_urgent in told)
                goes_at = now if urgent else off.get(contact.person_id, now)
                delivery = open_ones.get((contact.person_id, contact.way, contact.address))
                _bundle(session, contact, delivery, [message for message, _ in told], goes_at, now, render)
    session.flush()
    return len(rows)


def _open_deliveries(session: Session, people: set[int]) -> dict[tuple[int, Way, str], Delivery]:
    """Return the deliveries that may still grow, locked, by person, way and address."""
    rows = session.scalars(
        select(Delivery)
        .where(
            Delivery.person_id.in_(people),
            Delivery.status == DeliveryStatus.WAITING,
            Delivery.tries == 0,
            exists().where(DeliveryItem.delivery_id == Delivery.id),  # codes go alone
        )
        .order_by(Delivery.id)
        .with_for_update()
    )
    return {(row.person_id, row.way, row.address): row for row in rows}


def _bundle(
    session: Session,
    contact: Contact,
    delivery: Delivery | None,
    told: Sequence[Message],
    goes_at: datetime,
    now: datetime,
    render: Render,
) -> None:
    """Put messages into a contact's delivery, a new one where none is open, and word the whole anew."""
    held = 0
    shown: Sequence[Message] = told[:_SHOWN]
    if delivery is None:
        wording = render(contact.language, shown, len(told) - len(shown))
        delivery = _new(contact.person_id, contact.way, contact.address, wording, goes_at, now)
        session.add(delivery)
        session.flush()
    else:
        items = select(DeliveryItem.message_id).where(DeliveryItem.delivery_id == delivery.id)
        held = session.scalar(select(func.count()).select_from(items.subquery())) or 0
        before = session.scalars(
            select(Message).where(Message.id.in_(items)).order_by(Message.id).limit(_SHOWN)
        ).all()
        shown = [*before, *told][:_SHOWN]
        wording = render(contact.language, shown, held + len(told) - len(shown))
        delivery.subject, delivery.body = wording.subject, wording.body
        delivery.next_try_at = min(delivery.next_try_at, goes_at)
    session.execute(
        insert(DeliveryItem), [{"delivery_id": delivery.id, "message_id": one.id} for one in told]
    )


def _new(
    person_id: int, way: Way, address: str, wording: Wording, goes_at: datetime, now: datetime
) -> Delivery:
    return Delivery(
        key=delivery_key(now, secrets.token_bytes(10)),
        person_id=person_id,
        way=way,
        address=address,
        subject=wording.subject,
        body=wording.body,
        status=DeliveryStatus.WAITING,
        made_at=now,
        next_try_at=goes_at,
    )


def queue(
    session: Session, person_id: int, way: Way, address: str, wording: Wording, *, now: datetime
) -> None:
    """Put one sending on the list that is about no message: a code, to an address that a person wants to add."""
    session.add(_new(person_id, way, address, wording, now, now))


# -- from deliveries to tries


def claim(session: Session, now: datetime, *, limit: int = 8) -> list[Sending]:
    """Take up to `limit` sendings in hand, earliest first; the caller commits before it sends any.

    One a person and way, and none where the last went less than a minute ago. A try counts when it is taken in
    hand: a sending that kills its worker ends after `MOST_TRIES` like one that fails.
    """
    due = (
        Delivery.status.in_((DeliveryStatus.WAITING, DeliveryStatus.SENDING)),
        Delivery.next_try_at <= now,
    )
    other = aliased(Delivery)
    just_now = exists().where(
        other.person_id == Delivery.person_id,
        other.way == Delivery.way,
        other.id != Delivery.id,
        other.tried_at > now - PAUSE,
    )
    ready = select(Delivery.person_id).where(*due, ~just_now).order_by(Delivery.next_try_at).limit(limit * 8)
    people = session.scalars(
        select(Person.id)
        .where(Person.id.in_(ready))
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    ).all()
    if not people:
        return []
    # asked anew now that these people are ours: another worker may have sent to them a moment ago
    rows = session.scalars(
        select(Delivery)
        .where(*due, ~just_now, Delivery.person_id.in_(people))
        .order_by(Delivery.next_try_at, Delivery.id)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    taken: dict[tuple[int, Way], Delivery] = {}
    for row in rows:
        if row.tries >= MOST_TRIES:
            row.status, row.error = DeliveryStatus.FAILED, "no_word"
        elif len(taken) < limit:
            taken.setdefault((row.person_id, row.way), row)
    for row in taken.values():
        row.status = DeliveryStatus.SENDING
        row.tries += 1
        row.tried_at, row.next_try_at = now, now + LEASE
    session.flush()
    return [
        Sending(row.id, row.key, row.way, row.address, row.subject, row.body, row.tries)
        for row in taken.values()
    ]


def record(
    session: Session, sending: Sending, now: datetime, *, error: str | None = None, final: bool = False
) -> DeliveryStatus:
    """Write down what became of a try, and return where the delivery stands now.

    error : a short code, None when it was sent. final : no further try can help.
    A try that another has taken up since, because its lease was over, still tells that it was sent; its failure
    is the other's to tell.
    """
    row = session.get_one(Delivery, sending.id, with_for_update=True, populate_existing=True)
    if error is None:
        if row.status is not DeliveryStatus.SENT:
            row.status, row.sent_at, row.error = DeliveryStatus.SENT, now, None
    elif row.status is DeliveryStatus.SENDING and row.tries == sending.tries:
        row.error = error[:200]
        if final or row.tries >= MOST_TRIES:
            row.status = DeliveryStatus.FAILED
        else:
            row.status, row.next_try_at = DeliveryStatus.WAITING, next_try(row.tries, now, _luck)
    session.flush()
    return row.status


def receipt(session: Session, key: UUID, *, now: datetime) -> bool:
    """Mark a sending and what it held as read, as its receiver says who knows the key. False for no such key."""
    row = session.scalar(select(Delivery).where(Delivery.key == key).with_for_update())
    if row is None or row.tries == 0:
        return False
    row.read_at = row.read_at or now
    held = select(DeliveryItem.message_id).where(DeliveryItem.delivery_id == row.id)
    session.execute(
        update(Message).where(Message.id.in_(held), Message.read_at.is_(None)).values(read_at=now)
    )
    return True
