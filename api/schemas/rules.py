"""The limits and the calendar as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from pydantic import Field

from api.schemas.base import Answer
from grids.calendars import DayChange
from grids.rules.holidays import DayOfYear
from grids.rules.profiles import Change, LimitProfile
from grids.tables import CalendarDraft, DraftStatus
from grids.tables import LimitProfile as ProfileRow

__all__ = [
    "CalendarDraftOut",
    "ChangeOut",
    "DayChangeOut",
    "DayOut",
    "ProfileOut",
    "StoredProfileOut",
    "YearOut",
]


class ChangeOut(Answer):
    """One limit in which two profiles differ; null where one of them has no such limit."""

    field: str = Field(description="its name in a file of limits, such as clocks.accept")
    before: str | None
    after: str | None


class ProfileOut(Answer):
    """The limits of a district on a day."""

    code: str
    version: int = Field(description="0 for the default that comes with the product")
    name: str
    name_en: str
    source: str
    rules: dict[str, Any] = Field(description="every limit, as a file of limits has it")

    @classmethod
    def of(cls, profile: LimitProfile) -> ProfileOut:
        """Return a profile."""
        return cls(
            code=profile.code,
            version=profile.version,
            name=profile.name,
            name_en=profile.name_en,
            source=profile.source,
            rules=profile.rules(),
        )


class StoredProfileOut(ProfileOut):
    """A profile that was drafted or published, and what it changes against what is in force."""

    id: int
    district: str
    status: DraftStatus
    effective_from: date
    drafted_at: datetime
    drafted_by: str
    published_at: datetime | None
    published_by: str | None
    changes: list[ChangeOut] | None = Field(default=None, description="against what holds on its first day")

    @classmethod
    def stored(cls, row: ProfileRow, changes: Sequence[Change] | None = None) -> StoredProfileOut:
        """Return a row, with its changes where they were asked for."""
        return cls(
            code=row.code,
            version=row.version_no,
            name=row.name,
            name_en=row.name_en,
            source=row.source,
            rules=row.rules,
            id=row.id,
            district=row.district_code,
            status=row.status,
            effective_from=row.effective_from,
            drafted_at=row.drafted_at,
            drafted_by=row.drafted_by,
            published_at=row.published_at,
            published_by=row.published_by,
            changes=None if changes is None else [ChangeOut(**change._asdict()) for change in changes],
        )


class DayOut(Answer):
    """One day; `name` is the holiday's, on a made-up workday that of the holiday it pays for."""

    day: date
    working: bool
    name: str | None


class YearOut(Answer):
    """A year of the working calendar. days : those that differ from their weekday or have a name."""

    year: int
    known: bool = Field(description="false for a year that nobody has loaded: nothing is guessed")
    days: list[DayOut]

    @classmethod
    def of(cls, year: int, *, known: bool, named: Sequence[DayOfYear]) -> YearOut:
        """Return a year."""
        return cls(year=year, known=known, days=[DayOut(**day._asdict()) for day in named])


class DayChangeOut(Answer):
    """A day that a draft changes; `before` is null where the day was not loaded."""

    day: date
    before: bool | None
    after: bool
    name: str | None


class CalendarDraftOut(Answer):
    """The notice of a year, drafted or published."""

    id: int
    year: int
    status: DraftStatus
    source: str
    drafted_at: datetime
    drafted_by: str
    published_at: datetime | None
    published_by: str | None
    changes: list[DayChangeOut] | None = Field(default=None, description="what a draft would change today")

    @classmethod
    def of(cls, row: CalendarDraft, changes: Sequence[DayChange] | None = None) -> CalendarDraftOut:
        """Return a draft, with its changes where they were asked for."""
        return cls(
            id=row.id,
            year=row.year,
            status=row.status,
            source=row.source,
            drafted_at=row.drafted_at,
            drafted_by=row.drafted_by,
            published_at=row.published_at,
            published_by=row.published_by,
            changes=None if changes is None else [DayChangeOut(**change._asdict()) for change in changes],
        )
