"""What can be wrong in a city, and who answers for it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, Numeric, String
from sqlalchemy.orm import Mapped, mapped_column

from grids.rules.categories import CategoryKind
from grids.rules.grading import Grade
from grids.rules.limits import Limit, Unit
from grids.tables.base import Base, Code, coded

__all__ = ["Category", "DutyBasis", "Responsibility"]


class DutyBasis(StrEnum):
    """Why a department answers: by law, by agreement, by designation (法定, 商定, 指定), or by default."""

    STATUTORY = "statutory"
    AGREED = "agreed"
    DESIGNATED = "designated"
    DEFAULT = "default"


class Category(Base):
    """One kind of incident with its default grade, limits and evidence."""

    __tablename__ = "category"

    code: Mapped[str] = mapped_column(String(8, collation="C"), primary_key=True)
    field_code: Mapped[str] = mapped_column(String(2))
    field_name: Mapped[str]
    field_name_en: Mapped[str]
    kind: Mapped[CategoryKind] = mapped_column(coded(CategoryKind))
    name: Mapped[str]
    name_en: Mapped[str]
    grade: Mapped[Grade] = mapped_column(coded(Grade))
    response_minutes: Mapped[int]
    arrive_hours: Mapped[int]
    handle_value: Mapped[Decimal] = mapped_column(Numeric(8, 2))
    handle_unit: Mapped[Unit] = mapped_column(coded(Unit))
    whistle_level: Mapped[int]
    callback_required: Mapped[bool]
    long_process: Mapped[bool]
    recurrence_radius_m: Mapped[int | None]
    evidence: Mapped[list[Any]]  # names of what completion must show
    retired_on: Mapped[date | None]

    @property
    def handle_limit(self) -> Limit:
        """How long handling may take, before the ceiling of the colour."""
        return Limit(self.handle_value, self.handle_unit)


class Responsibility(Base):
    """Which department leads and which cooperate for a category in an area, from a date on.

    The longest area code that covers the incident wins; `area_code` "" is the default everywhere.
    """

    __tablename__ = "responsibility"
    __table_args__ = (Index("ix_responsibility_category_area", "category_code", "area_code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    category_code: Mapped[str] = mapped_column(String(8, collation="C"))
    area_code: Mapped[Code]
    lead: Mapped[str] = mapped_column(String(16))
    cooperating: Mapped[list[Any]]
    basis: Mapped[DutyBasis] = mapped_column(coded(DutyBasis))
    source: Mapped[str]
    effective_from: Mapped[date]
    effective_to: Mapped[date | None]
