"""Slips of supervision: who was reminded, supervised, warned, and what they answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from grids.rules.slips import SlipCause, SlipKind
from grids.tables.base import Base, BigId, Code, coded

__all__ = ["Slip"]


class Slip(Base):
    """One slip to one unit (row T11). `unit` is the code of a department, or of the town or community."""

    __tablename__ = "slip"
    __table_args__ = (
        # one slip of a kind for one cause on one thing in one round
        Index(
            "uq_slip_cause",
            "incident_id",
            "kind",
            "cause",
            "round",
            "step",
            text("coalesce(task_id, 0)"),
            unique=True,
        ),
        Index("ix_slip_area_issued", "area_code", "issued_at"),
    )

    id: Mapped[BigId]
    number: Mapped[str] = mapped_column(String(24, collation="C"), unique=True)
    kind: Mapped[SlipKind] = mapped_column(coded(SlipKind))
    cause: Mapped[SlipCause] = mapped_column(coded(SlipCause))
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    whistle_id: Mapped[int | None] = mapped_column(ForeignKey("whistle.id"))
    task_id: Mapped[int | None] = mapped_column(ForeignKey("task.id"))
    round: Mapped[int]
    step: Mapped[int] = mapped_column(default=1)  # counts what may happen again, such as a further rework
    area_code: Mapped[Code]
    unit: Mapped[str] = mapped_column(String(32))
    facts: Mapped[dict[str, Any]]
    recipients: Mapped[list[Any]]  # names and posts, as they were then
    copies: Mapped[list[Any]]
    issued_at: Mapped[datetime]
    issued_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))  # None: by the system
    answer_due_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    answered_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    answer: Mapped[str | None]
