"""Which days are worked, holidays and make-up workdays included."""

from __future__ import annotations

from datetime import date

from sqlalchemy.orm import Mapped, mapped_column

from grids.tables.base import Base

__all__ = ["CalendarDay"]


class CalendarDay(Base):
    """One day of a year that was loaded whole; a day without a row belongs to a year nobody has loaded."""

    __tablename__ = "calendar_day"

    day: Mapped[date] = mapped_column(primary_key=True)
    working: Mapped[bool]
    name: Mapped[str | None]  # the holiday's name, or that of the holiday a make-up workday belongs to
    source: Mapped[str]
