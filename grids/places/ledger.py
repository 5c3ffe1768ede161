"""The ledger of recurrent problem points as one person may see it (积水点台账 and the like): lists, and one whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, func, literal, or_, select, tuple_
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID
from gis.errors import InvalidInput, NotFound
from grids import rain as rains
from grids.cursors import read_cursor, write_cursor
from grids.places.acts import actions_on
from grids.places.membership import HAPPENED, MAY_HAVE, at_place, is_rainy
from grids.places.placecase import seat
from grids.rules.calendar import local_day
from grids.rules.curing import Quiet, quiet_of
from grids.rules.grading import Grade
from grids.rules.lifecycle import OPEN_STATUSES, IncidentStatus
from grids.rules.permissions import Actor, Scope
from grids.rules.places import WATCHED_PLACES, PhotoSide, PlaceStatus
from grids.rules.rain import Rain, RainEpisode
from grids.rules.recurrence import counted_times
from grids.rules.rhythm import Intervals, hour_of_week, intervals
from grids.scope import incidents_in, places_in, under
from grids.tables import (
    Campaign,
    CampaignPlace,
    Category,
    Department,
    Incident,
    Person,
    Place,
    PlaceIncident,
    PlacePhoto,
    PlaceStep,
)

__all__ = [
    "AtPlace",
    "PhotoLine",
    "PlaceFile",
    "PlaceFilters",
    "PlacePage",
    "PlaceRow",
    "RainLine",
    "count_places",
    "find_places",
    "rows_of",
    "show_place",
]

LONGEST_PAGE = 200
_RAINS_SHOWN = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class PlaceFilters:
    """What to look for; None or empty means no wall. bbox : W, S, E, N. text : of the number or the name.

    among, beside : categories of which it is one, or none. least_times : how often it came back at least.
    overdue_only : the day of the plan has passed, and it is not treated.
    """

    area: str | None = None
    statuses: tuple[PlaceStatus, ...] = ()
    category: str | None = None
    lead: str | None = None
    campaign: str | None = None
    text: str | None = None
    bbox: tuple[float, float, float, float] | None = None
    among: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    least_times: int = 0
    overdue_only: bool = False


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """A place in a list. open : of its incidents, how many still run; overdue : its plan is late; rainy : by rains."""

    place: Place
    category: Category
    lon: float
    lat: float
    members: int
    open: int
    overdue: bool

    @property
    def rainy(self) -> bool:
        """Whether its times are rains."""
        return is_rainy(self.place)


@dataclass(frozen=True, slots=True)
class PlacePage:
    """Some places, those found last first, and the cursor of the next page (None on the last)."""

    items: Sequence[PlaceRow]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class AtPlace:
    """An incident of a place. counts : neither merged nor turned down since. visible : the reader may open it."""

    number: str
    received_at: datetime
    closed_at: datetime | None
    status: IncidentStatus
    grade: Grade | None
    address: str | None
    episode_at: datetime | None
    counts: bool
    visible: bool


@dataclass(frozen=True, slots=True)
class PhotoLine:
    """A photo without its picture."""

    id: int
    side: PhotoSide
    note: str | None
    taken_at: datetime | None
    added_at: datetime
    added_by: str | None
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class RainLine:
    """A rain, and how many reports of water it brought to the place."""

    episode: RainEpisode
    reports: int


@dataclass(frozen=True)
class PlaceFile:
    """A place whole.

    members : by time. times : when each time that counts began. hours : (7, 24) reports by hour of the week, Monday
    first, on the city's clock. quiet : while it is treated, and as it was when it was cured. unjudged : while it is
    treated, how many reports there nobody has looked at yet; it is not cured before that. rains : for waterlogging,
    the last year's, newest first.
    bodies : departments of the district by code. actions : what the reader may do now.
    """

    row: PlaceRow
    members: Sequence[AtPlace]
    times: Sequence[datetime]
    intervals: Intervals
    hours: NDArray[np.int64]
    quiet: Quiet | None
    unjudged: int
    rains: Sequence[RainLine]
    steps: Sequence[PlaceStep]
    photos: Sequence[PhotoLine]
    campaigns: Sequence[Campaign]
    bodies: Mapping[str, Department]
    actions: tuple[str, ...]

    @property
    def place(self) -> Place:
        """The place itself."""
        return self.row.place

    def photos_of(self, side: PhotoSide) -> list[PhotoLine]:
        """Return the photos of one side of the treatment, in the order in which they came."""
        return [photo for photo in self.photos if photo.side is side]


def find_places(
    session: Session,
    scope: Scope,
    filters: PlaceFilters = PlaceFilters(),
    *,
    now: datetime,
    cursor: str | None = None,
    limit: int = 50,
) -> PlacePage:
    """Return places in a scope, those found last first, a page at a time (at most 200).

    Raises `InvalidInput` ("bad_cursor", "bad_limit").
    """
    if not 1 <= limit <= LONGEST_PAGE:
        raise InvalidInput("bad_limit", f"limit is 1 to {LONGEST_PAGE}", field="limit", got=limit)
    walls = [places_in(scope), *_conditions(filters, now)]
    if cursor is not None:
        at, last, _ = read_cursor(cursor)
        walls.append(tuple_(Place.found_at, Place.id) < tuple_(literal(at), literal(last)))
    rows = rows_of(session, walls, now=now, limit=limit + 1)
    more = len(rows) > limit
    return PlacePage(
        rows[:limit], write_cursor(rows[limit - 1].place.found_at, rows[limit - 1].place.id) if more else None
    )


def count_places(
    session: Session, scope: Scope, filters: PlaceFilters = PlaceFilters(), *, now: datetime
) -> dict[PlaceStatus, int]:
    """Return how many places stand how, all states named; the filter's own states do not count as a wall."""
    walls = _conditions(filters, now, by_status=False)
    rows = session.execute(
        select(Place.status, func.count()).where(places_in(scope), *walls).group_by(Place.status)
    )
    found = {row[0]: row[1] for row in rows}
    return {status: found.get(status, 0) for status in PlaceStatus}


def rows_of(
    session: Session, walls: Collection[ColumnElement[bool]], *, now: datetime, limit: int | None = None
) -> list[PlaceRow]:
    """Return the places inside some walls as rows, those found last first."""
    mine = PlaceIncident.place_id == Place.id
    at_it = (
        select(func.count())
        .select_from(PlaceIncident)
        .join(Incident, Incident.id == PlaceIncident.incident_id)
    )
    members = at_it.where(mine, HAPPENED).correlate(Place).scalar_subquery()
    running = at_it.where(mine, Incident.status.in_(OPEN_STATUSES)).correlate(Place).scalar_subquery()
    rows = session.execute(
        select(Place, Category, func.ST_X(Place.point), func.ST_Y(Place.point), members, running)
        .join(Category, Category.code == Place.category_code)
        .where(*walls)
        .order_by(Place.found_at.desc(), Place.id.desc())
        .limit(limit)
    ).all()
    today = local_day(now)
    return [
        PlaceRow(
            place=place,
            category=category,
            lon=lon,
            lat=lat,
            members=count,
            open=still,
            overdue=place.status is PlaceStatus.TREATING
            and place.due_on is not None
            and place.due_on < today,
        )
        for place, category, lon, lat, count, still in rows
    ]


def _conditions(filters: PlaceFilters, now: datetime, *, by_status: bool = True) -> list[ColumnElement[bool]]:
    walls: list[ColumnElement[bool]] = []
    if filters.area:
        walls.append(under(Place.grid_code, filters.area))
    if filters.statuses and by_status:
        walls.append(Place.status.in_(filters.statuses))
    if filters.category:
        walls.append(Place.category_code == filters.category)
    if filters.among:
        walls.append(Place.category_code.in_(filters.among))
    if filters.beside:
        walls.append(Place.category_code.not_in(filters.beside))
    if filters.least_times:
        walls.append(Place.times >= filters.least_times)
    if filters.lead:
        walls.append(Place.lead == filters.lead)
    if filters.campaign:
        inside = (
            select(CampaignPlace.place_id)
            .join(Campaign, Campaign.id == CampaignPlace.campaign_id)
            .where(Campaign.number == filters.campaign)
        )
        walls.append(Place.id.in_(inside))
    if filters.text and filters.text.strip():
        wanted = filters.text.strip()
        walls.append(or_(Place.number == wanted, Place.name.contains(wanted, autoescape=True)))
    if filters.bbox:
        walls.append(Place.point.op("&&")(func.ST_MakeEnvelope(*filters.bbox, STORAGE_SRID)))
    if filters.overdue_only:
        walls += [Place.status == PlaceStatus.TREATING, Place.due_on < local_day(now)]
    return walls


def show_place(session: Session, actor: Actor, number: str, *, now: datetime) -> PlaceFile:
    """Return a place whole. Raises `NotFound` ("place_not_found") where it is missing or out of sight."""
    rows = rows_of(session, [Place.number == number, places_in(actor.scope)], now=now)
    if not rows:
        raise NotFound(
            "place_not_found",
            f"there is no recurrent problem point {number} that you may see",
            number=number,
        )
    (row,) = rows
    place = row.place
    members = _members(session, place, actor.scope)
    counted = [member for member in members if member.counts]
    moments = [member.received_at for member in counted]
    since = min((*moments[:1], place.treated_at or now, now - _RAINS_SHOWN))
    rain = rains.read_rain(session, place.grid_code[:6], since, now) if is_rainy(place) else None
    times = counted_times(moments, [member.closed_at for member in counted], rain=rain)
    quiet, unjudged = _quiet(session, place, rain, now)
    return PlaceFile(
        row=row,
        members=members,
        times=times,
        intervals=intervals(times),
        hours=hour_of_week(moments),
        quiet=quiet,
        unjudged=unjudged,
        rains=_rains(rain, moments, now) if rain is not None else (),
        steps=session.scalars(
            select(PlaceStep).where(PlaceStep.place_id == place.id).order_by(PlaceStep.seq)
        ).all(),
        photos=_photos(session, place),
        campaigns=session.scalars(
            select(Campaign)
            .join(CampaignPlace, CampaignPlace.campaign_id == Campaign.id)
            .where(CampaignPlace.place_id == place.id)
            .order_by(Campaign.from_on.desc(), Campaign.id.desc())
        ).all(),
        bodies={
            body.code: body
            for body in session.scalars(
                select(Department)
                .where(Department.district_code == place.grid_code[:6])
                .order_by(Department.code)
            )
        },
        actions=actions_on(actor, place, seat(session, actor, place.grid_code)),
    )


def _members(session: Session, place: Place, scope: Scope) -> list[AtPlace]:
    rows = session.execute(
        select(
            Incident.number,
            Incident.received_at,
            Incident.closed_at,
            Incident.status,
            Incident.grade,
            Incident.address,
            PlaceIncident.episode_at,
            HAPPENED,
            incidents_in(scope),
        )
        .join(PlaceIncident, PlaceIncident.incident_id == Incident.id)
        .where(PlaceIncident.place_id == place.id)
        .order_by(Incident.received_at, Incident.id)
    )
    return [AtPlace(*row) for row in rows]


def _quiet(session: Session, place: Place, rain: Rain | None, now: datetime) -> tuple[Quiet | None, int]:
    """Return how far the quiet period has come, for what was cured how it ended; and the reports that hold a cure."""
    if place.treated_at is None or place.status not in WATCHED_PLACES:
        return None, 0
    if place.status is PlaceStatus.CURED:
        return quiet_of(place.treated_at, place.quiet_days, place.cured_at or now, rain=rain), 0
    waiting = at_place(session, place, since=place.treated_at, until=now, what=MAY_HAVE)
    return quiet_of(place.treated_at, place.quiet_days, now, rain=rain), len(waiting)


def _rains(rain: Rain, moments: Sequence[datetime], now: datetime) -> list[RainLine]:
    behind = [rain.behind(moment) for moment in moments]
    recent = [one for one in reversed(rain.episodes) if one.ended_at > now - _RAINS_SHOWN]
    return [RainLine(one, behind.count(one)) for one in recent]


def _photos(session: Session, place: Place) -> list[PhotoLine]:
    rows = session.execute(
        select(
            PlacePhoto.id,
            PlacePhoto.side,
            PlacePhoto.note,
            PlacePhoto.taken_at,
            PlacePhoto.added_at,
            Person.name,
            PlacePhoto.width,
            PlacePhoto.height,
        )
        .outerjoin(Person, Person.id == PlacePhoto.added_by_id)
        .where(PlacePhoto.place_id == place.id)
        .order_by(PlacePhoto.id)
    )
    return [PhotoLine(*row) for row in rows]
