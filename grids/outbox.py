"""Messages, posted in the transaction of the change they tell of; people read them in their inbox."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from grids.rules.trace import plain
from grids.tables import Message

__all__ = ["mark_read", "post", "unread"]


def post(
    session: Session,
    person_ids: Iterable[int],
    template: str,
    facts: Mapping[str, Any],
    *,
    incident_id: int,
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
    """Mark a person's messages up to an id as read."""
    session.execute(
        update(Message)
        .where(Message.person_id == person_id, Message.id <= up_to, Message.read_at.is_(None))
        .values(read_at=now)
    )
