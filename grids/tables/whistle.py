"""Whistles, and the tasks that departments get under them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from grids.rules.presence import Presence
from grids.rules.tasks import CheckInMethod, TaskRole, TaskStatus
from grids.rules.whistles import WHISTLE, WhistleLevel, WhistleStatus, WhistleType
from grids.tables.base import Base, BigId, Code, coded
from grids.tables.organisation import Department

__all__ = ["Task", "Whistle"]


def _states_of_levels() -> str:
    parts = []
    for level in WhistleLevel:
        states = sorted(
            {row.target.value for row in WHISTLE.transitions if row.level == level and row.target}
        )
        parts.append(f"level = {int(level)} and status in ({', '.join(repr(state) for state in states)})")
    return " or ".join(parts)


_STATES_OF_LEVELS = _states_of_levels()


class Whistle(Base):
    """One call for help on an incident, at one of three levels.

    `area_code` is who must act: the community at level 1, the town at levels 2 and 3.
    """

    __tablename__ = "whistle"
    __table_args__ = (
        CheckConstraint("level between 1 and 3", name="level"),
        # a state that the table of this level knows
        CheckConstraint(_STATES_OF_LEVELS, name="level_status"),
        Index("ix_whistle_area_blown", "area_code", "blown_at"),
        # what is over at its level may be followed by another there; two that run may not
        Index(
            "uq_whistle_running",
            "incident_id",
            "level",
            "round",
            unique=True,
            postgresql_where=text(
                "status not in ('escalated', 'refused', 'withdrawn', 'returned_to_community')"
            ),
        ),
    )

    id: Mapped[BigId]
    number: Mapped[str] = mapped_column(String(24, collation="C"), unique=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    level: Mapped[int]
    round: Mapped[int]
    status: Mapped[WhistleStatus] = mapped_column(coded(WhistleStatus))
    area_code: Mapped[Code]
    reason: Mapped[str | None]
    blown_at: Mapped[datetime]
    blown_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    answered_at: Mapped[datetime | None]
    # level 2: the dual track (somebody goes to the community; the centre files), and the town's own assignment
    liaison_name: Mapped[str | None]
    liaison_phone: Mapped[str | None]
    liaison_named_at: Mapped[datetime | None]
    filed_at: Mapped[datetime | None]
    office: Mapped[str | None]
    instruction: Mapped[str | None]
    tasked_at: Mapped[datetime | None]
    # level 3
    type: Mapped[WhistleType | None] = mapped_column(coded(WhistleType))
    departments: Mapped[list[Any] | None]  # the draft: [{"code", "role"}]; tasks hold it once issued
    appointed_at: Mapped[datetime | None]
    appointed_place: Mapped[str | None]
    due_at: Mapped[datetime | None]
    submitted_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]
    confirmed_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    confirmed_by_phone: Mapped[str | None]  # who heard the leader say so; the written word follows
    written_at: Mapped[datetime | None]
    contact_name: Mapped[str | None]  # of the town, for the departments
    contact_phone: Mapped[str | None]
    chosen_reason: Mapped[str | None]  # why the town called others than the list names
    code_secret: Mapped[str | None]  # of the six-digit code that is shown at the place
    issued_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    result: Mapped[str | None]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own name for it


_HELD = "status not in ('returned', 'withdrawn')"


class Task(Base):
    """What one department owes under a level-3 whistle."""

    __tablename__ = "task"
    __table_args__ = (
        # a department that sent its task back, or was let go, may be called again
        Index("uq_task_department", "whistle_id", "department_id", unique=True, postgresql_where=text(_HELD)),
        Index("uq_task_lead", "whistle_id", unique=True, postgresql_where=text(_HELD + " and role = 'lead'")),
        Index("ix_task_department_issued", "department_id", "issued_at"),
    )

    id: Mapped[BigId]
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    whistle_id: Mapped[int] = mapped_column(ForeignKey("whistle.id"))
    department_id: Mapped[int] = mapped_column(ForeignKey("department.id"))
    role: Mapped[TaskRole] = mapped_column(coded(TaskRole))
    status: Mapped[TaskStatus] = mapped_column(coded(TaskStatus))
    disputed: Mapped[bool] = mapped_column(default=False)
    letter_number: Mapped[str]
    issued_at: Mapped[datetime]
    response_due_at: Mapped[datetime]
    due_at: Mapped[datetime]
    responded_at: Mapped[datetime | None]
    staff_name: Mapped[str | None]
    staff_phone: Mapped[str | None]
    arrives_at: Mapped[datetime | None]
    checked_in_at: Mapped[datetime | None]
    check_in_method: Mapped[CheckInMethod | None] = mapped_column(coded(CheckInMethod))
    check_in_lon: Mapped[float | None]
    check_in_lat: Mapped[float | None]
    check_in_distance_m: Mapped[float | None]
    check_in_reason: Mapped[str | None]
    minutes_late: Mapped[int | None]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    result: Mapped[str | None]
    evidence: Mapped[list[Any] | None]
    presence: Mapped[Presence | None] = mapped_column(coded(Presence))
    remote_reason: Mapped[str | None]  # why nobody had to come (row T13)
    first_overdue_at: Mapped[datetime | None]
    rework_count: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column()

    department: Mapped[Department] = relationship(lazy="raise")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own name for it
