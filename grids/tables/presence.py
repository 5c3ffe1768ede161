"""Who was seen at the place, by whom, when and how near."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from grids.rules.presence import Witness
from grids.rules.tasks import CheckInMethod
from grids.tables.base import Base, BigId, coded

__all__ = ["Attendance", "JointAction"]


class Attendance(Base):
    """One word on a department's presence (row T5); rows are added, never changed.

    `recorded_at` is the server's own time and decides how late it is; `claimed_at` is the device's.
    """

    __tablename__ = "attendance"
    __table_args__ = (UniqueConstraint("task_id", "client_key"),)

    id: Mapped[BigId]
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"), index=True)
    witness: Mapped[Witness] = mapped_column(coded(Witness))
    came: Mapped[bool]
    method: Mapped[CheckInMethod | None] = mapped_column(coded(CheckInMethod))
    recorded_at: Mapped[datetime]
    claimed_at: Mapped[datetime | None]
    lon: Mapped[float | None]
    lat: Mapped[float | None]
    accuracy_m: Mapped[float | None]
    distance_m: Mapped[float | None]
    minutes_late: Mapped[int | None]
    reason: Mapped[str | None]
    person_name: Mapped[str | None]
    device: Mapped[str | None]
    client_key: Mapped[str | None]  # of an offline record, so that a repeat is one record
    flags: Mapped[list[Any]] = mapped_column(server_default="[]")  # codes of PresenceFlag
    by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


class JointAction(Base):
    """What the departments did together at the place (联合行动, row T6)."""

    __tablename__ = "joint_action"

    id: Mapped[BigId]
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    whistle_id: Mapped[int] = mapped_column(ForeignKey("whistle.id"), index=True)
    started_at: Mapped[datetime]
    started_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    ended_at: Mapped[datetime | None]
    participants: Mapped[list[Any]]  # [{"department", "staff", "part"}]
    measures: Mapped[str | None]
    documents: Mapped[list[Any]] = mapped_column(server_default="[]")  # references of papers served
    follow_up: Mapped[str | None]  # what is done after it, such as a legal site for the merchant
