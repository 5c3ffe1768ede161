"""Messages that go out with a change, and the keys that make a repeated request harmless."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from grids.tables.base import Base, BigId

__all__ = ["IdempotencyKey", "Message"]


class Message(Base):
    """One message to one person, posted in the same transaction as the change it tells of.

    `template` is a code whose words stand in the catalogues; `facts` fills it.
    """

    __tablename__ = "message"
    __table_args__ = (
        Index("ix_message_unread", "person_id", postgresql_where=text("read_at is null")),
        Index("ix_message_person_posted", "person_id", "posted_at"),
    )

    id: Mapped[BigId]
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    template: Mapped[str]
    facts: Mapped[dict[str, Any]]
    posted_at: Mapped[datetime]
    read_at: Mapped[datetime | None]


class IdempotencyKey(Base):
    """The answer to a POST that was already carried out for this person and key."""

    __tablename__ = "idempotency_key"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[int]
    answer: Mapped[dict[str, Any]]
    made_at: Mapped[datetime] = mapped_column(index=True)
