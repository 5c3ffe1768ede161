"""What stops or moves a clock, each asked for by one and decided by another."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from grids.rules.pauses import Decision, SuspensionReason
from grids.tables.base import Base, BigId, coded

__all__ = ["Extension", "LedgerItem", "Suspension"]


class Suspension(Base):
    """A time in which a case waits for something that nobody here can hurry (row I8)."""

    __tablename__ = "suspension"
    __table_args__ = (
        Index(
            "uq_suspension_running",
            "incident_id",
            unique=True,
            postgresql_where=text("decision in ('asked', 'granted') and ended_at is null"),
        ),
    )

    id: Mapped[BigId]
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"))
    round: Mapped[int]
    reason: Mapped[SuspensionReason] = mapped_column(coded(SuspensionReason))
    note: Mapped[str]
    until: Mapped[datetime]
    asked_at: Mapped[datetime]
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decision: Mapped[Decision] = mapped_column(coded(Decision))
    decided_at: Mapped[datetime | None]  # granted: from here on the case waits
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decision_note: Mapped[str | None]
    ended_at: Mapped[datetime | None]


class Extension(Base):
    """More time for a department's part, asked for before it ran out (row T9)."""

    __tablename__ = "extension"
    __table_args__ = (
        Index("uq_extension_asked", "task_id", unique=True, postgresql_where=text("decision = 'asked'")),
    )

    id: Mapped[BigId]
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"), index=True)
    amount: Mapped[dict[str, Any]]  # a limit: {"value": 3, "unit": "work_day"}
    reason: Mapped[str]
    citizen_told: Mapped[bool]
    asked_at: Mapped[datetime]
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decision: Mapped[Decision] = mapped_column(coded(Decision))
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decision_note: Mapped[str | None]
    due_before: Mapped[datetime]
    due_after: Mapped[datetime | None]


class LedgerItem(Base):
    """A case that cannot be solved soon, kept with a plan and a day of review (挂账, row I13)."""

    __tablename__ = "ledger_item"
    __table_args__ = (
        Index("uq_ledger_item_open", "incident_id", unique=True, postgresql_where=text("ended_at is null")),
        CheckConstraint("length(trim(plan)) > 0", name="plan"),
    )

    id: Mapped[BigId]
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"))
    round: Mapped[int]
    plan: Mapped[str]
    lead: Mapped[str] = mapped_column(String(16))  # code of the department, or TOWN
    review_on: Mapped[date]
    public_reply: Mapped[str]
    opened_at: Mapped[datetime]
    opened_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    reviews: Mapped[list[Any]] = mapped_column(server_default="[]")  # [{"on", "by", "note", "next"}]
    ended_at: Mapped[datetime | None]
    ended_how: Mapped[str | None]  # taken up again, or closed
