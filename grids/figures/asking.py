"""What a figure is asked for: where, at which level, when, of what, and by which measure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from gis.errors import InvalidInput
from grids.rules.calendar import SHANGHAI, local_day
from grids.rules.grading import Grade
from grids.rules.levels import GridLevel
from grids.rules.lifecycle import Channel

__all__ = ["Figure", "HotspotMetric", "Rate", "ResponseMetric", "TimeKind", "Window", "lately"]


_LATELY = timedelta(days=90)


def lately(
    now: datetime, *, since: datetime | None = None, until: datetime | None = None
) -> tuple[datetime, datetime]:
    """Return the period that is meant where nobody says one: ninety whole days, the last of them today.

    since, until : what was said of it. Without since it is the ninety days before until.
    """
    end = until or datetime.combine(local_day(now) + timedelta(days=1), time(), SHANGHAI).astimezone(UTC)
    return since or end - _LATELY, end


class HotspotMetric(StrEnum):
    """What the hotspot map counts."""

    COUNT = "count"
    PER_1000_HOUSEHOLDS = "per_1000_households"
    PER_KM2 = "per_km2"


class ResponseMetric(StrEnum):
    """From where to where a time is taken."""

    ACCEPT = "accept"  # report to acceptance
    RESPOND = "respond"  # task issued to the department's answer
    ARRIVE = "arrive"  # appointed time, or else the issue, to check-in
    HANDLE = "handle"  # acceptance to the completion that was accepted
    CLOSE = "close"  # report to closing: how long who reported it waited in all


class TimeKind(StrEnum):
    """Which minutes of a time count."""

    NATURAL = "natural"
    WORKING = "working"  # office hours on working days


class Rate(StrEnum):
    """A share of the cases that could have been; see `grids.figures.rates`."""

    OVERDUE = "overdue"
    ON_TIME = "on_time"
    REWORK = "rework"
    RETURNED = "returned"
    REOPENED = "reopened"


class Figure(StrEnum):
    """Every figure that is given out; each has its definition in words."""

    COUNT = "count"
    PER_1000_HOUSEHOLDS = "per_1000_households"
    PER_KM2 = "per_km2"
    GATHERING = "gathering"
    ACCEPT = "accept"
    RESPOND = "respond"
    ARRIVE = "arrive"
    HANDLE = "handle"
    CLOSE = "close"
    WORKING = "working"
    OVERDUE = "overdue"
    ON_TIME = "on_time"
    REWORK = "rework"
    RETURNED = "returned"
    REOPENED = "reopened"
    RECURRENCES = "recurrences"
    RECURRENT_PLACES = "recurrent_places"
    WEEKLY = "weekly"
    EMERGING = "emerging"
    DENSITY = "density"
    DEFAULT_POINTS = "default_points"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Window:
    """Where, at which level and when. `since` is inclusive, `until` exclusive, by the moment of the report.

    edition : on which grid; None for "as it was".
    """

    area: str | None
    level: GridLevel
    since: datetime
    until: datetime
    category: str | None = None
    edition: int | None = None
    grade: Grade | None = None
    channel: Channel | None = None

    def __post_init__(self) -> None:
        """Refuse a window that ends before it begins."""
        if self.until <= self.since:
            raise InvalidInput(
                "bad_period", "the period ends before it begins", field="to", got=self.until.isoformat()
            )

    @property
    def last_day(self) -> date:
        """The last day that the window touches: a month that ends at midnight does not touch the next."""
        return local_day(self.until - timedelta(microseconds=1))
