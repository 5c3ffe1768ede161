"""What can be wrong in a city, and who answers for it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, String
from sqlalchemy.orm import Mapped, mapped_column

from grids.rules.categories import CategoryKind
from grids.rules.grading import Grade
from grids.rules.limits import Limit, Unit
from grids.rules.responsibilities import RuleKind
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
    """Which department leads and which cooperate for a category in a place, from a date on.

    The place is an area by its code ("" is everywhere), and inside it a polygon where there is one. Which of the
    rules that fit an incident decides is `grids.rules.responsibilities.choose`.
    """

    __tablename__ = "responsibility"
    __table_args__ = (
        Index("ix_responsibility_category_area", "category_code", "area_code"),
        Index("ix_responsibility_boundary", "boundary", postgresql_using="gist"),
        CheckConstraint("lead is not null or kind = 'special_grid'", name="lead"),
        CheckConstraint("category_code is not null or boundary is not null", name="everything"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[RuleKind] = mapped_column(coded(RuleKind))
    name: Mapped[
        str | None
    ]  # of a special grid or a spatial exception, such as a market or a planning red line
    category_code: Mapped[str | None] = mapped_column(
        String(8, collation="C")
    )  # None: whatever happens there
    area_code: Mapped[Code]
    boundary: Mapped[WKBElement | None] = mapped_column(
        Geometry("MULTIPOLYGON", srid=4490, spatial_index=False)
    )
    lead: Mapped[str | None] = mapped_column(String(16))
    cooperating: Mapped[list[Any]]
    contact_name: Mapped[str | None]  # the special grid's own person
    contact_phone: Mapped[str | None]
    list_id: Mapped[int | None] = mapped_column(ForeignKey("duty_list.id"), index=True)
    item_no: Mapped[str | None]
    town_duty: Mapped[str | None]  # what the town does in it: patrol, report, assist
    process: Mapped[str | None]  # how it is handled, step by step
    demarcation: Mapped[str | None]  # where the duties of several departments meet: who does which part
    legal_basis: Mapped[str | None]
    draft: Mapped[bool] = mapped_column(
        server_default="false"
    )  # of a list that is not published: never in force
    basis: Mapped[DutyBasis] = mapped_column(coded(DutyBasis))
    source: Mapped[str]
    effective_from: Mapped[date]
    effective_to: Mapped[date | None]
