"""Figures by grid, as they go out."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import Field

from api.schemas.base import Answer, AreaCode, Shown
from grids.rules.levels import GridLevel

__all__ = ["CountRow", "HotspotRow", "MeasureOut", "RecurrenceRow", "ResponseRow"]


class CountRow(Answer):
    """One grid and how many incidents it had."""

    code: AreaCode
    name: str
    n: int
    households: float | None


class HotspotRow(CountRow):
    """One grid, its value, and whether it is hot."""

    value: float | None = Field(description="what the map colours; null where households are unknown")
    denominator: float | None = Field(description="households, for a rate")
    hot: bool


class ResponseRow(Answer):
    """One grid and how long a step took in it."""

    code: AreaCode
    name: str
    n: int = Field(description="how many times the median stands on; those that still run are among them")
    open: int = Field(description="of these, how many still run and count with the time so far")
    denominator: float | None
    value: float | None = Field(description="median, minutes")
    p90: float | None = Field(description="90th percentile, minutes")
    overdue_share: float | None


class RecurrenceRow(Answer):
    """One place where the same trouble comes back."""

    category: str
    category_name: str
    category_name_en: str
    kind: str
    times: int
    first_at: Shown
    last_at: Shown
    mean_gap_days: float | None
    open: int
    numbers: list[str]
    grid_code: AreaCode
    lon: float
    lat: float


Row = TypeVar("Row", bound=Answer)


class MeasureOut(Answer, Generic[Row]):
    """A figure: what was asked for, and one row a grid or place."""

    area: AreaCode
    level: GridLevel
    since: Shown = Field(description="included")
    until: Shown = Field(description="not included")
    category: str | None
    metric: str | None
    edition: int | None = Field(
        description="the edition whose cells count; null: each incident's own, as it was"
    )
    rows: list[Row]
