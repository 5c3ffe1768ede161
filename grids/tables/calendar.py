"""Which days are worked, holidays and make-up workdays included."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from grids.tables.base import Base, coded
from grids.tables.limitprofile import DraftStatus

__all__ = ["CalendarDay", "CalendarDraft"]


class CalendarDay(Base):
    """One day of a year that was loaded whole; a day without a row belongs to a year nobody has loaded."""

    __tablename__ = "calendar_day"

    day: Mapped[date] = mapped_column(primary_key=True)
    working: Mapped[bool]
    name: Mapped[str | None]  # the holiday's name, or that of the holiday a make-up workday belongs to
    source: Mapped[str]


class CalendarDraft(Base):
    """A year's holidays and make-up workdays, drafted by one and published by another."""

    __tablename__ = "calendar_draft"

    id: Mapped[int] = mapped_column(primary_key=True)
    year: Mapped[int]
    days: Mapped[list[Any]]  # what differs from the weekday: [{"day", "working", "name"}]
    source: Mapped[str]  # the notice that it follows
    status: Mapped[DraftStatus] = mapped_column(coded(DraftStatus))
    drafted_at: Mapped[datetime]
    drafted_by: Mapped[str]
    published_at: Mapped[datetime | None]
    published_by: Mapped[str | None]
