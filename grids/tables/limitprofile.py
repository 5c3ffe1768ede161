"""Which limits hold in a district from which day on."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from grids.tables.base import Base, Code, coded

__all__ = ["DraftStatus", "LimitProfile"]


class DraftStatus(StrEnum):
    """A draft may be changed; what was published never, and stays for the cases that began with it."""

    DRAFT = "draft"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class LimitProfile(Base):
    """A dated set of limits (`grids.rules.profiles`), in force for a district from a day on.

    Of the published ones of a district the one with the latest `effective_from` not after the day is in force.
    """

    __tablename__ = "limit_profile"
    __table_args__ = (
        UniqueConstraint("district_code", "code", "version_no"),
        Index("ix_limit_profile_in_force", "district_code", "effective_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    district_code: Mapped[Code]
    code: Mapped[str] = mapped_column(String(32))
    version_no: Mapped[int]
    name: Mapped[str]
    name_en: Mapped[str]
    source: Mapped[str]  # the paper that it follows
    rules: Mapped[dict[str, Any]]
    effective_from: Mapped[date]
    status: Mapped[DraftStatus] = mapped_column(coded(DraftStatus))
    drafted_at: Mapped[datetime]
    drafted_by: Mapped[str]
    published_at: Mapped[datetime | None]
    published_by: Mapped[str | None]
