"""Figures by grid, as they go out."""

from __future__ import annotations

from datetime import date
from typing import Generic, TypeVar

from pydantic import Field

from api.schemas.base import Answer, AreaCode, Shown
from grids.measures import TimeKind
from grids.rules.grading import Grade
from grids.rules.levels import GridLevel
from grids.rules.lifecycle import Channel

__all__ = [
    "ChangeRow",
    "CountRow",
    "DefaultPointRow",
    "DensityOut",
    "EmergingRow",
    "Head",
    "HotspotRow",
    "MeasureOut",
    "RateRow",
    "RecurrenceRow",
    "RecurrentPlaceRow",
    "RecurrentPlacesOut",
    "ResponseRow",
    "WeekRow",
    "WeeklyOut",
]


class CountRow(Answer):
    """One grid and how many incidents it had."""

    code: AreaCode
    name: str
    level: GridLevel
    households: float | None
    km2: float = Field(description="size, measured in a projected system of the place")
    n: int
    value: float | None = Field(
        description="what the map colours; null where it is not known, which is not 0"
    )
    denominator: float | None = Field(description="what n is divided by; null for a plain count")
    small: bool = Field(description="a rate or a time that stands on 1 to 9 cases")
    incidents: str | None = Field(
        description="address of the list of the cases behind it; null on another grid than theirs"
    )


class HotspotRow(CountRow):
    """One grid, its value, and whether it is beyond chance."""

    z: float | None = Field(description="Getis-Ord Gi*, standard deviations; null where nothing can be told")
    p: float | None
    hot: bool
    cold: bool
    quadrant: int = Field(
        description="local Moran: 1 high among high, 2 low among high, 3 low among low, 4 high among low, 0 chance"
    )
    smoothed: float | None = Field(description="the rate after empirical Bayes; null for other metrics")
    left_out: int = Field(description="incidents at default points that do not count, where so asked")


class ResponseRow(CountRow):
    """One grid and how long a step took in it; `value` is the median in minutes, n how many it stands on."""

    open: int = Field(description="of n, how many still run and count as censored")
    p90: float | None = Field(description="90th percentile, minutes; null where it was not reached")
    overdue_share: float | None


class RateRow(CountRow):
    """One grid and a share of its cases, 0 to 1; n is the numerator."""

    open_late: int = Field(description="of the denominator, how many are late and not done")


class EmergingRow(CountRow):
    """One grid and how its weeks went; the denominator is the number of whole weeks."""

    pattern: str = Field(description='such as "new" or "cold_persistent"; "" for none')
    z: float | None = Field(description="Gi* of the last whole week")
    trend_z: float | None
    trend_p: float | None


class ChangeRow(CountRow):
    """One grid and a figure in two periods."""

    value_before: float | None
    n_before: float | None
    change: float | None = Field(description="value less value_before")


class WeekRow(Answer):
    """One grid and its incidents by week."""

    code: AreaCode
    name: str
    n: int
    counts: list[int]


class DefaultPointRow(Answer):
    """One coordinate that holds many unrelated incidents."""

    lon: float
    lat: float
    name: str = Field(description='the address that most of them give, "" for none')
    n: int
    categories: int = Field(description="how many different ones")
    addresses: int
    days: int
    left_out: int = Field(description="how many a map of hotspots or a surface leaves out for it")
    grid_code: AreaCode


class RecurrenceRow(CountRow):
    """One grid and the share of its cases, 0 to 1, that happened where the same trouble comes back."""

    places: int = Field(description="recurrent places whose first case lies in the grid")
    open: int = Field(description="of n, how many are still open")


class RecurrentPlaceRow(Answer):
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


class Head(Answer):
    """What was asked for, and what the figure means."""

    area: AreaCode
    level: GridLevel
    since: Shown = Field(description="included")
    until: Shown = Field(description="not included")
    category: str | None
    grade: Grade | None
    channel: Channel | None
    metric: str | None
    time: TimeKind | None
    edition: int | None = Field(
        description="the edition whose cells count; null: each incident's own, as it was"
    )
    definition: str = Field(description="what counts, in the reader's language")


Row = TypeVar("Row", bound=Answer)


class MeasureOut(Head, Generic[Row]):
    """A figure: what was asked for, and one row a grid or place."""

    rows: list[Row]


class RecurrentPlacesOut(MeasureOut[RecurrentPlaceRow]):
    """Recurrent places, the most frequent first, and where the next page begins."""

    total: int = Field(description="how many there are on all pages")
    next_cursor: str | None


class WeeklyOut(Head):
    """Counts by week."""

    weeks: list[date] = Field(description="the Mondays with which the weeks begin")
    whole: list[bool] = Field(description="whether the week lies in the period whole")
    rows: list[WeekRow]


class DensityOut(Head):
    """A surface in squares."""

    crs: str
    x0: float = Field(description="west edge, metres in the CRS")
    y0: float = Field(description="south edge")
    cell_m: float
    bandwidth_m: float
    n: int
    left_out: int = Field(description="incidents at default points, which do not count")
    per_km2: list[list[float]] = Field(description="rows from south to north, each from west to east")
