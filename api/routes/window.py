"""The window of a figure: which area at which level, from when to when, inside what the reader may see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import Depends, Query

from api.analysis import require_begun
from api.deps import Me, Now, PageMe, ReadOnly
from api.routes.query import Area, Category, From, To
from api.schemas.base import moment_from
from grids import directory
from grids.ground import editions
from grids.measures import Window, lately
from grids.rules.calendar import local_day
from grids.rules.codes import level_of
from grids.rules.grading import Grade
from grids.rules.levels import GridLevel, child_level
from grids.rules.lifecycle import Channel
from grids.rules.permissions import Actor, require_area
from grids.tables import Category as CategoryRow

__all__ = ["Chosen", "Figures", "MapChosen"]


@dataclass(frozen=True)
class Figures:
    """What was asked for, with everything that was left out filled in."""

    window: Window
    area: str
    category: CategoryRow | None

    @property
    def days(self) -> tuple[date, date]:
        """Return the first and the last day, both included."""
        last = self.window.until - timedelta(microseconds=1)
        return local_day(self.window.since), local_day(last)


@dataclass(frozen=True)
class Asked:
    """What the address says."""

    area: str | None
    level: GridLevel | None
    category: str | None
    since: str | None
    until: str | None
    edition: str | None
    grade: Grade | None
    channel: Channel | None


def _asked(
    area: Area = None,
    level: Annotated[GridLevel | None, Query(description="by default the level below the area's")] = None,
    category: Category = None,
    since: From = None,
    until: To = None,
    edition: Annotated[
        str | None,
        Query(
            pattern="^(as_was|today|[1-9][0-9]{0,8})$",
            description="on which grid: as_was (by default, the cells that incidents hit), today (the grid in force "
            "now), or the number of an edition",
        ),
    ] = None,
    grade: Annotated[Grade | None, Query(description="of the cases")] = None,
    channel: Annotated[Channel | None, Query(description="the way they came in")] = None,
) -> Asked:
    return Asked(area, level, category, since, until, edition, grade, channel)


def _figures(asked: Asked, me: Actor, session: ReadOnly, now: datetime) -> Figures:
    """Return the window that an address asks for: by default one's own area, in the last 90 days.

    Raises `NotFound` ("area_not_found") for an area out of sight. A department sees its own cases wherever in
    its district they lie.
    """
    district = directory.district_of(session, me) or ""
    chosen = asked.area or me.area_code or district
    if me.department_id is None or not chosen.startswith(district):
        require_area(me, chosen)
    own = level_of(chosen)
    since, until = lately(
        now, since=moment_from(asked.since, "from"), until=moment_from(asked.until, "to", end=True)
    )
    return Figures(
        window=Window(
            area=chosen,
            level=asked.level or child_level(own) or own,
            since=since,
            until=until,
            category=asked.category,
            edition=editions.to_count_on(session, asked.edition, chosen, on=local_day(now)),
            grade=asked.grade,
            channel=asked.channel,
        ),
        area=chosen,
        category=directory.category(session, asked.category) if asked.category else None,
    )


def _for_json(asked: Annotated[Asked, Depends(_asked)], me: Me, session: ReadOnly, now: Now) -> Figures:
    """Return the window of a figure. Raises what `api.analysis.require_begun` raises, as the pages do."""
    figures = _figures(asked, me, session, now)
    require_begun(figures.window, now)
    return figures


def _for_page(asked: Annotated[Asked, Depends(_asked)], me: PageMe, session: ReadOnly, now: Now) -> Figures:
    return _figures(asked, me, session, now)


Chosen = Annotated[Figures, Depends(_for_json)]
"""The window of a figure as JSON."""

MapChosen = Annotated[Figures, Depends(_for_page)]
"""The window of a figure on a map: a stranger is sent to the login."""
