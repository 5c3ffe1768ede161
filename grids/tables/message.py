"""Messages that go out with a change, how they leave the house, and the keys that make a repeated request harmless."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from grids.rules.messages import DeliveryStatus, Way
from grids.tables.base import Base, BigId, coded

__all__ = ["Contact", "Delivery", "DeliveryItem", "DutyHours", "IdempotencyKey", "Message"]


class Message(Base):
    """One message to one person, posted in the same transaction as the change it tells of.

    `template` is a code whose words stand in the catalogues; `facts` fills it. `routed_at` is empty until the
    sendings that it leads to are on the list of deliveries.
    """

    __tablename__ = "message"
    __table_args__ = (
        Index("ix_message_unread", "person_id", postgresql_where=text("read_at is null")),
        Index("ix_message_person_posted", "person_id", "posted_at"),
        Index("ix_message_unrouted", "id", postgresql_where=text("routed_at is null")),
    )

    id: Mapped[BigId]
    incident_id: Mapped[int | None] = mapped_column(ForeignKey("incident.id"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    template: Mapped[str]
    facts: Mapped[dict[str, Any]]
    posted_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    routed_at: Mapped[datetime | None]


class Contact(Base):
    """An address at which a person wants to be told."""

    __tablename__ = "contact"
    __table_args__ = (UniqueConstraint("person_id", "way", "address"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    way: Mapped[Way] = mapped_column(coded(Way))
    address: Mapped[str]
    language: Mapped[str]  # of the catalogues
    urgent_only: Mapped[bool] = mapped_column(default=False)
    added_at: Mapped[datetime]
    code_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))  # of the code that was sent there
    code_sent_at: Mapped[datetime | None]
    code_tries: Mapped[int] = mapped_column(default=0)
    confirmed_at: Mapped[datetime | None]  # nothing but codes goes there before
    ended_at: Mapped[datetime | None]


class DutyHours(Base):
    """When a post is kept: on days of the week, or on one day, from a time to a time of the city's clock.

    A post without any row is kept always. `weekday` is 0 on Monday; `day` overrides weekdays; a day without times
    is one on which nobody keeps the post.
    """

    __tablename__ = "duty_hours"
    __table_args__ = (
        CheckConstraint("(weekday is null) <> (day is null)", name="when"),
        CheckConstraint(
            "(opens is null) = (closes is null) and (opens is not null or day is not null)", name="times"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id", ondelete="CASCADE"), index=True)
    weekday: Mapped[int | None]
    day: Mapped[date | None]
    opens: Mapped[time | None]
    closes: Mapped[time | None]  # before or at `opens`: of the next day
    stands_in_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))  # who keeps it instead then


class Delivery(Base):
    """One sending to one address: one or more messages to that person, bundled. Its words are kept as sent."""

    __tablename__ = "delivery"
    __table_args__ = (
        Index(
            "ix_delivery_waiting", "next_try_at", postgresql_where=text("status in ('waiting', 'sending')")
        ),
        Index("ix_delivery_person", "person_id", "made_at"),
        Index("ix_delivery_tried", "person_id", "way", "tried_at"),
    )

    id: Mapped[BigId]
    key: Mapped[UUID] = mapped_column(unique=True)  # stable: a receiver drops what it has had
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    way: Mapped[Way] = mapped_column(coded(Way))
    address: Mapped[str]
    subject: Mapped[str]
    body: Mapped[str]
    status: Mapped[DeliveryStatus] = mapped_column(coded(DeliveryStatus))
    made_at: Mapped[datetime]
    next_try_at: Mapped[datetime]  # of a sending that is in hand: when another worker may take it up
    tries: Mapped[int] = mapped_column(default=0)
    tried_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    read_at: Mapped[datetime | None]
    error: Mapped[str | None]


class DeliveryItem(Base):
    """Which messages a sending holds."""

    __tablename__ = "delivery_item"

    delivery_id: Mapped[int] = mapped_column(ForeignKey("delivery.id", ondelete="CASCADE"), primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id"), primary_key=True, index=True)


class IdempotencyKey(Base):
    """The answer to a POST that was already carried out for this person and key."""

    __tablename__ = "idempotency_key"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[int]
    answer: Mapped[dict[str, Any]]
    made_at: Mapped[datetime] = mapped_column(index=True)
