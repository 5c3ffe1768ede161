"""What happened, in order: rows are added and chained by hash, never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from grids.tables.base import Base, BigId

__all__ = ["Trace"]


class Trace(Base):
    """One step of a case. `seq` counts from 1 without gaps within an incident."""

    __tablename__ = "trace"
    __table_args__ = (UniqueConstraint("incident_id", "seq"),)

    id: Mapped[BigId]
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"))
    seq: Mapped[int]
    at: Mapped[datetime]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    actor: Mapped[str]  # name and role as they were then
    unit: Mapped[str]
    machine: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str]  # the number of the incident or whistle, or the letter number of the task
    row: Mapped[str] = mapped_column(String(8))  # row of the state table, such as "T5"
    action: Mapped[str] = mapped_column(String(32))
    from_state: Mapped[str | None] = mapped_column(String(32))
    to_state: Mapped[str] = mapped_column(String(32))
    payload: Mapped[dict[str, Any]]
    previous_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
