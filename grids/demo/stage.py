"""A stage for cases that run through the real use cases, each at its own moments, all on one time line.

A story is a generator: it yields the moment of its next act and then acts. Between two acts the clocks that
ran out fire, as the worker would have fired them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from heapq import heapify, heappop, heappush

import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from grids import deadlines
from grids.acts import incidents
from grids.acts.incidents import Report
from grids.demo.ground import Ground
from grids.demo.names import mobile
from grids.demo.people import Staff
from grids.demo.places import Gazetteer
from grids.rules.calendar import SHANGHAI, WorkCalendar, local_day
from grids.rules.levels import GridLevel
from grids.rules.lifecycle import Channel
from grids.rules.permissions import Actor, Role
from grids.rules.whistles import WhistleLevel
from grids.tables import Incident, Whistle

__all__ = ["Stage", "Story", "play"]

Story = Iterator[datetime]

_SWEEP = timedelta(seconds=3)
_CHANNELS = {Role.GRID_WORKER: Channel.GRID_WORKER, Role.BUILDING_LEADER: Channel.BUILDING_LEADER}


@dataclass
class Stage:
    """Where the stories play, and who acts in them.

    now : when the curtain falls; what is open then stays open.
    """

    session: Session
    staff: Staff
    ground: Ground
    gazetteer: Gazetteer
    calendar: WorkCalendar
    now: datetime

    @cached_property
    def _middle(self) -> dict[str, tuple[float, float]]:
        cells = self.ground.of(GridLevel.BUILDING_GROUP)
        x, y = shapely.get_coordinates(shapely.point_on_surface(cells.geometry.to_numpy())).T.tolist()
        return dict(zip(cells["code"], zip(x, y, strict=True), strict=True))

    def point(self, cell: str, *, east: float = 0.0, north: float = 0.0) -> tuple[float, float]:
        """Return a place near the middle of a cell, moved by some metres; it may be in the next cell."""
        lon, lat = self._middle[cell]
        return lon + east / 90_000, lat + north / 111_000

    def ago(self, *, days: float = 0, hours: float = 0, minutes: float = 0) -> datetime:
        """Return a moment before the end, in whole seconds."""
        return (self.now - timedelta(days=days, hours=hours, minutes=minutes)).replace(microsecond=0)

    def working_day(self, days: int, hour: int, minute: int = 0) -> datetime:
        """Return a time of day, Asia/Shanghai, on the last working day that lies at least so many days back."""
        day = local_day(self.now) - timedelta(days=days)
        while not self.calendar.is_working_day(day):
            day -= timedelta(days=1)
        return datetime.combine(day, time(hour, minute), SHANGHAI).astimezone(UTC)

    def cells(self, area: str) -> list[str]:
        """Return the cells of an area that have a grid worker, by code."""
        return [
            code
            for code in sorted(self._middle)
            if code.startswith(area) and self.staff.at(Role.GRID_WORKER, code) is not None
        ]

    def worker(self, cell: str) -> Actor:
        """Return a cell's grid worker."""
        return self.staff.one(Role.GRID_WORKER, cell)

    def leader(self, cell: str) -> Actor:
        """Return the grid leader of a cell's community."""
        return self.staff.one(Role.GRID_LEADER, cell[:12])

    def town(self, role: Role, cell: str) -> Actor:
        """Return who holds a role of a cell's town."""
        return self.staff.one(role, cell[:9])

    def district(self, role: Role, cell: str) -> Actor:
        """Return who holds a role of a cell's district."""
        return self.staff.one(role, cell[:6])

    def report(
        self,
        now: datetime,
        *,
        by: Actor,
        cell: str,
        category: str,
        text: str,
        address: str | None = None,
        caller: tuple[str, int] | None = None,
        east: float = 0.0,
        north: float = 0.0,
    ) -> Incident:
        """Report something in a cell; caller : name and number of the telephone of who called, if anybody did."""
        lon, lat = self.point(cell, east=east, north=north)
        return incidents.report(
            self.session,
            Report(
                channel=_CHANNELS.get(by.role, Channel.HOTLINE),
                lon=lon,
                lat=lat,
                frame="CGCS2000",
                text=text,
                accuracy_m=8.0 if by.role in _CHANNELS else None,
                address=address or f"{self.gazetteer.road(cell)}{20 + int(cell[-3:])}号",
                category=category,
                reporter_name=caller[0] if caller else None,
                reporter_phone=mobile(caller[1]) if caller else None,
            ),
            by=by,
            now=now,
        )

    def whistle(self, incident: Incident, level: WhistleLevel) -> Whistle:
        """Return the last whistle of an incident at a level."""
        query = select(Whistle).where(Whistle.incident_id == incident.id, Whistle.level == level)
        return self.session.scalars(query.order_by(Whistle.id.desc()).limit(1)).one()


def play(session: Session, stories: Iterable[Story], until: datetime) -> None:
    """Play all stories together, act by act in the order of their moments, to the end.

    Raises `ValueError` for a story that would act after `until`, and the reason of a clock that cannot fire.
    """
    waiting: list[tuple[datetime, int, Story]] = []
    for number, story in enumerate(stories):
        waiting += [(moment, number, story) for moment in [next(story, None)] if moment is not None]
    heapify(waiting)
    while waiting:
        moment, number, story = heappop(waiting)
        if moment > until:
            raise ValueError(f"story {number} acts at {moment}, after the end at {until}")
        _fire_until(session, moment)
        following = next(story, None)
        if following is not None:
            heappush(waiting, (following, number, story))
    _fire_until(session, until)


def _fire_until(session: Session, moment: datetime) -> None:
    while (due := deadlines.next_due(session, moment)) is not None and due + _SWEEP < moment:
        fired = deadlines.fire_due(session, due + _SWEEP)
        for reason in fired.stuck.values():
            raise reason
