"""Which incidents happened at a place, and how often it came back by them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from geoalchemy2.shape import to_shape
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID
from grids import rain as rains
from grids.places.placecase import PlaceCase
from grids.rules.categories import WATERLOGGING
from grids.rules.duplicates import metres_from
from grids.rules.lifecycle import UNCOUNTED_STATUSES, IncidentStatus
from grids.rules.permissions import SYSTEM
from grids.rules.places import PlaceStatus
from grids.rules.rain import Rain, rain_starts
from grids.rules.recurrence import counted_times
from grids.tables import Incident, Place, PlaceIncident, Placement

__all__ = [
    "HAPPENED",
    "LOOK_BACK",
    "MAY_HAVE",
    "WIDEST_M",
    "Member",
    "at_place",
    "count_again",
    "is_rainy",
    "join_all",
    "members_of",
    "place_of",
]

LOOK_BACK = timedelta(days=180)
"""How far back what happened counts when a place is found or named."""

WIDEST_M = 500
"""No place reaches further; how far an index looks for one."""

_DEGREE_M = 111_000.0  # of latitude, at least
_S = IncidentStatus

HAPPENED: ColumnElement[bool] = Incident.status.not_in(UNCOUNTED_STATUSES | {_S.REPORTED, _S.TO_VERIFY}) & (
    Incident.placement != Placement.OUTSIDE
)
"""The condition of what counts: accepted in its cell, and not the same thing told twice."""

MAY_HAVE: ColumnElement[bool] = Incident.status.not_in(UNCOUNTED_STATUSES)
"""The condition of what counts, or may yet when somebody has looked at it."""


@dataclass(frozen=True, slots=True)
class Member:
    """An incident at a place."""

    id: int
    number: str
    received_at: datetime
    closed_at: datetime | None


_MEMBER = (Incident.id, Incident.number, Incident.received_at, Incident.closed_at)


def is_rainy(place: Place) -> bool:
    """Tell whether a place is counted by rains."""
    return place.category_code in WATERLOGGING


def place_of(
    session: Session, category: str, lon: float, lat: float, statuses: Collection[PlaceStatus] | None = None
) -> Place | None:
    """Return the nearest place of a category whose radius holds a point (EPSG:4490), without those set aside.

    statuses : only places that stand so.
    """
    reach = (
        4 * WIDEST_M / _DEGREE_M
    )  # a degree of longitude is that much shorter up to 75 degrees of latitude
    window = func.ST_MakeEnvelope(lon - reach, lat - reach, lon + reach, lat + reach, STORAGE_SRID)
    wanted = Place.status.in_(statuses) if statuses else Place.status != PlaceStatus.DISMISSED
    rows = session.execute(
        select(Place, func.ST_X(Place.point), func.ST_Y(Place.point)).where(
            Place.category_code == category, wanted, Place.point.op("&&")(window)
        )
    ).all()
    near: list[tuple[float, int, Place]] = []
    for place, x, y in rows:
        east, north = metres_from(lon, lat, x, y)
        metres = (east * east + north * north) ** 0.5
        if metres <= place.radius_m:
            near.append((metres, place.id, place))
    return min(near, key=lambda one: one[:2])[2] if near else None


def at_place(
    session: Session,
    place: Place,
    *,
    since: datetime,
    until: datetime,
    what: ColumnElement[bool] = HAPPENED,
) -> list[Member]:
    """Return what happened within the radius of a place between two moments and belongs to no place yet, by time.

    what : the condition of what counts; `MAY_HAVE` takes in reports that nobody has accepted yet.
    """
    ((lon, lat),) = to_shape(place.point).coords
    reach = 4 * place.radius_m / _DEGREE_M
    window = func.ST_MakeEnvelope(lon - reach, lat - reach, lon + reach, lat + reach, STORAGE_SRID)
    rows = session.execute(
        select(*_MEMBER, func.ST_X(Incident.point), func.ST_Y(Incident.point))
        .where(
            Incident.category_code == place.category_code,
            Incident.received_at.between(since, until),
            what,
            Incident.point.op("&&")(window),
            ~select(PlaceIncident.incident_id).where(PlaceIncident.incident_id == Incident.id).exists(),
        )
        .order_by(Incident.received_at, Incident.id)
    ).all()
    return [
        Member(*row[:4])
        for row in rows
        if sum(metre * metre for metre in metres_from(lon, lat, row[4], row[5])) <= place.radius_m**2
    ]


def join_all(case: PlaceCase, members: Iterable[Member], *, note: bool = True) -> list[Member]:
    """Let incidents join a place, and write that down unless another step tells it; return those that joined.

    One that is under lock just now, or joined another place meanwhile, is left to the next night: who holds a place
    waits for no incident.
    """
    wanted = {member.id: member for member in members}
    if not wanted:
        return []
    session, place = case.session, case.place
    free = session.scalars(
        select(Incident.id)
        .where(Incident.id.in_(wanted))
        .order_by(Incident.id)
        .with_for_update(skip_locked=True, read=True, key_share=True)
    ).all()
    if not free:
        return []
    rows = [{"place_id": place.id, "incident_id": one, "joined_at": case.now} for one in free]
    statement = insert(PlaceIncident).on_conflict_do_nothing(index_elements=["incident_id"])
    taken = set(session.scalars(statement.returning(PlaceIncident.incident_id), rows))
    joined = [member for member in wanted.values() if member.id in taken]
    if joined and note:
        case.move("join", {"incidents": [member.number for member in joined]}, by=SYSTEM)
    return joined


def members_of(session: Session, place_id: int) -> Sequence[Member]:
    """Return what counts at a place, by time."""
    rows = session.execute(
        select(*_MEMBER)
        .join(PlaceIncident, PlaceIncident.incident_id == Incident.id)
        .where(PlaceIncident.place_id == place_id, HAPPENED)
        .order_by(Incident.received_at, Incident.id)
    )
    return [Member(*row) for row in rows]


def count_again(session: Session, place: Place, *, rain: Rain | None = None) -> None:
    """Count anew how often a place came back, when first and when last; for waterlogging by its rains.

    rain : what fell since its first incident, where the caller knows; it is read otherwise.
    """
    session.flush()
    members = members_of(session, place.id)
    moments = [member.received_at for member in members]
    place.first_at, place.last_at = (moments[0], moments[-1]) if moments else (None, None)
    if not is_rainy(place) or not moments:
        place.times = len(counted_times(moments, [member.closed_at for member in members]))
        return
    if rain is None:
        rain = rains.read_rain(session, place.grid_code[:6], moments[0], moments[-1] + timedelta(minutes=1))
    began = rain_starts(moments, rain)
    place.times = len(set(began))
    known = {
        row.incident_id: row.episode_at
        for row in session.execute(
            select(PlaceIncident.incident_id, PlaceIncident.episode_at).where(
                PlaceIncident.place_id == place.id
            )
        )
    }
    for member, start in zip(members, began, strict=True):
        if known.get(member.id) != start:
            session.execute(
                update(PlaceIncident).where(PlaceIncident.incident_id == member.id).values(episode_at=start)
            )
