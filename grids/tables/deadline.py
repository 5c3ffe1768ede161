"""Clocks as rows: each fires once, or is settled before. And who fires them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from grids.rules.deadlines import DeadlineKind, Outcome
from grids.rules.pauses import ClockMove
from grids.tables.base import Base, BigId, coded

__all__ = ["Deadline", "Heartbeat"]


class Deadline(Base):
    """One running or ended clock of an incident, one of its whistles or one of its tasks.

    `settled_at` is empty while it runs. `outcome` then says whether the act came in time (met), the clock
    ran out first (missed), its reason went away (void), or it stands still or gave way to another (moved). A
    missed clock that fired has `fired_at`. A row's due moment never changes, which a trigger sees to: a clock that
    is moved ends, and another takes its place that names it (`replaces_id`) and why (`because`).
    A clock that ran out and could not fire has the reason, and when that was last tried (`stuck_code`, `stuck_at`).
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
        CheckConstraint("(replaces_id is null) = (because is null)", name="moved"),
        Index("ix_deadline_incident", "incident_id"),
        Index("ix_deadline_running", "due_at", postgresql_where=text("settled_at is null")),
        Index("ix_deadline_fired", "fired_at", postgresql_where=text("fired_at is not null")),
    )

    id: Mapped[BigId]
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"))
    whistle_id: Mapped[int | None] = mapped_column(ForeignKey("whistle.id"))
    task_id: Mapped[int | None] = mapped_column(ForeignKey("task.id"))
    kind: Mapped[DeadlineKind] = mapped_column(coded(DeadlineKind))
    round: Mapped[int]
    limit: Mapped[dict[str, Any] | None]  # the limit that binds, {"value", "unit"}; None for a given moment
    because: Mapped[ClockMove | None] = mapped_column(coded(ClockMove))
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("deadline.id"))
    started_at: Mapped[datetime]
    due_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    fired_at: Mapped[datetime | None]
    outcome: Mapped[Outcome | None] = mapped_column(coded(Outcome))
    stuck_at: Mapped[datetime | None]
    stuck_code: Mapped[str | None] = mapped_column(String(64))


class Heartbeat(Base):
    """One worker process: when it was last seen, and what it has done since it began."""

    __tablename__ = "heartbeat"

    worker: Mapped[str] = mapped_column(primary_key=True)  # host, process and when it began
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]  # it was told to end; without it, it is at work or was killed
    fired: Mapped[int] = mapped_column(BigInteger, default=0)
    longest_hold_ms: Mapped[int] = mapped_column(default=0)  # cases were locked by one round at most so long
