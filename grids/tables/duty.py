"""Versions of the responsibility list, powers given to towns, and what departments may hand down to them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from grids.rules.pauses import Decision
from grids.tables.base import Base, Code, coded
from grids.tables.limitprofile import DraftStatus

__all__ = ["DelegatedPower", "DutyList", "TaskAdmission"]


class DutyList(Base):
    """One version of a district's responsibility list; its items are `Responsibility` rows that name it."""

    __tablename__ = "duty_list"
    __table_args__ = (UniqueConstraint("district_code", "version_no"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    district_code: Mapped[Code]
    version_no: Mapped[int]
    name: Mapped[str]
    source: Mapped[str]
    based_on_id: Mapped[int | None] = mapped_column(ForeignKey("duty_list.id"))
    effective_from: Mapped[date]
    status: Mapped[DraftStatus] = mapped_column(coded(DraftStatus))
    dry_run: Mapped[dict[str, Any] | None]  # what it would have changed in the year before
    drafted_at: Mapped[datetime]
    drafted_by: Mapped[str]
    published_at: Mapped[datetime | None]
    published_by: Mapped[str | None]


class DelegatedPower(Base):
    """A power of a department that a town exercises itself, with its conditions, limits and contacts."""

    __tablename__ = "delegated_power"
    __table_args__ = (Index("ix_delegated_power_area", "area_code", "effective_from"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    area_code: Mapped[Code]  # the town
    department_id: Mapped[int] = mapped_column(ForeignKey("department.id"))
    item_no: Mapped[str]
    name: Mapped[str]
    category_codes: Mapped[list[Any]]
    conditions: Mapped[str]
    limit_text: Mapped[str]
    contact_phone: Mapped[str | None]
    legal_basis: Mapped[str]
    source: Mapped[str]
    effective_from: Mapped[date]
    effective_to: Mapped[date | None]


class TaskAdmission(Base):
    """A department's wish to hand a task down to towns: none is handed down without approval (交办事项准入)."""

    __tablename__ = "task_admission"

    id: Mapped[int] = mapped_column(primary_key=True)
    department_id: Mapped[int] = mapped_column(ForeignKey("department.id"), index=True)
    district_code: Mapped[Code]
    title: Mapped[str]
    content: Mapped[str]
    legal_basis: Mapped[str]
    support: Mapped[str]  # the people, money and powers that come with it
    towns: Mapped[list[Any]]  # codes; empty for all
    until: Mapped[date | None]
    asked_at: Mapped[datetime]
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decision: Mapped[Decision] = mapped_column(coded(Decision))
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decision_note: Mapped[str | None]
