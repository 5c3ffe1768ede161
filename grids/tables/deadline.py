"""Clocks as rows: each fires once, or is settled before."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from grids.rules.deadlines import DeadlineKind, Outcome
from grids.tables.base import Base, BigId, coded

__all__ = ["Deadline"]


class Deadline(Base):
    """One running or ended clock of an incident, one of its whistles or one of its tasks.

    `settled_at` is empty while it runs. `outcome` then says whether the act came in time (met), the clock
    ran out first (missed), or its reason went away (void). A missed clock that fired has `fired_at`.
    """

    __tablename__ = "deadline"
    __table_args__ = (
        # a subject has one running clock of a kind; a row fires once because firing settles it
        Index(
            "uq_deadline_running",
            "incident_id",
            "kind",
            text("coalesce(whistle_id, 0)"),
            text("coalesce(task_id, 0)"),
            unique=True,
            postgresql_where=text("settled_at is null"),
        ),
        Index("ix_deadline_running", "due_at", postgresql_where=text("settled_at is null")),
    )

    id: Mapped[BigId]
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"))
    whistle_id: Mapped[int | None] = mapped_column(ForeignKey("whistle.id"))
    task_id: Mapped[int | None] = mapped_column(ForeignKey("task.id"))
    kind: Mapped[DeadlineKind] = mapped_column(coded(DeadlineKind))
    round: Mapped[int]
    started_at: Mapped[datetime]
    due_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    fired_at: Mapped[datetime | None]
    outcome: Mapped[Outcome | None] = mapped_column(coded(Outcome))
