"""The log of what was sent to whom: for those who keep the service, with addresses masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from grids import directory, roster
from grids.rules.messages import DeliveryStatus, Way, mask_address
from grids.rules.permissions import Actor, Role, require_role
from grids.tables import Delivery, DeliveryItem, Person

__all__ = ["LOG_READERS", "Logged", "counts", "log"]

LOG_READERS = frozenset({Role.DISTRICT_PLATFORM, Role.AUDITOR, Role.ADMINISTRATOR, Role.SYSTEM})


@dataclass(frozen=True, slots=True)
class Logged:
    """One sending as the log shows it. `body` is None for a code, which is nobody else's to read."""

    id: int
    key: UUID
    person: str
    way: Way
    address: str
    subject: str
    body: str | None
    messages: int
    status: DeliveryStatus
    tries: int
    made_at: datetime
    next_try_at: datetime | None
    sent_at: datetime | None
    read_at: datetime | None
    error: str | None


def log(
    session: Session,
    by: Actor,
    *,
    status: DeliveryStatus | None = None,
    way: Way | None = None,
    name: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> Sequence[Logged]:
    """Return what was sent to people of the reader's district, newest first.

    name : a part of the person's name or their whole login. before : an id of the page before.
    Raises `Forbidden` ("not_your_role").
    """
    require_role(by, LOG_READERS)
    messages = (
        select(func.count())
        .where(DeliveryItem.delivery_id == Delivery.id)
        .correlate(Delivery)
        .scalar_subquery()
    )
    asked = (
        select(Delivery, Person.name, messages)
        .join(Person, Person.id == Delivery.person_id)
        .order_by(Delivery.id.desc())
        .limit(limit)
    )
    district = directory.district_of(session, by)
    if district is not None:
        asked = asked.where(roster.in_district(district))
    if status is not None:
        asked = asked.where(Delivery.status == status)
    if way is not None:
        asked = asked.where(Delivery.way == way)
    if name:
        asked = asked.where((Person.login == name) | Person.name.contains(name, autoescape=True))
    if before is not None:
        asked = asked.where(Delivery.id < before)
    return [_logged(row, person, held) for row, person, held in session.execute(asked)]


def _logged(row: Delivery, person: str, held: int) -> Logged:
    return Logged(
        id=row.id,
        key=row.key,
        person=person,
        way=row.way,
        address=mask_address(row.way, row.address),
        subject=row.subject,
        body=row.body if held else None,
        messages=held,
        status=row.status,
        tries=row.tries,
        made_at=row.made_at,
        next_try_at=row.next_try_at if row.status is DeliveryStatus.WAITING else None,
        sent_at=row.sent_at,
        read_at=row.read_at,
        error=row.error,
    )


def counts(session: Session, by: Actor) -> dict[DeliveryStatus, int]:
    """Return how many sendings to people of the reader's district stand where."""
    require_role(by, LOG_READERS)
    asked = select(Delivery.status, func.count()).group_by(Delivery.status)
    district = directory.district_of(session, by)
    if district is not None:
        asked = asked.where(
            exists().where(Person.id == Delivery.person_id, roster.in_district(district)).correlate(Delivery)
        )
    found = {status: many for status, many in session.execute(asked)}  # noqa: C416 - a Result has keys()
    return {status: found.get(status, 0) for status in DeliveryStatus}
