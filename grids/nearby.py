"""Who is near a place, to be sent there: people on duty in the towns and the stations of the departments.

The order is for dispatch. People come by distance, at the same distance (all whose area holds the point are at 0)
from the smallest area up, then by load. Stations come by distance, then by load; where a category is asked for, the
nearest of each department comes before any second one, that of the lead first and of those that cooperate next.

Distances are geodesic metres on CGCS2000. The areas of posts are found by the nearest-neighbour search of their
GiST index, which counts in degrees; it is asked for more until nothing that it left out can be nearer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
from geoalchemy2 import Geography
from sqlalchemy import ColumnElement, Float, and_, case, cast, func, literal, or_, select, true
from sqlalchemy import type_coerce as coerce
from sqlalchemy.orm import Session

from gis.borders import degree_in_metres
from gis.crs import STORAGE_SRID
from gis.errors import InvalidInput
from grids import directory
from grids.atlas import in_force
from grids.duty.duties import Duty, find_duty, where
from grids.rules.departments import StationKind
from grids.rules.permissions import Actor, Role
from grids.rules.tasks import DONE_STATUSES, TaskRole
from grids.scope import under
from grids.tables import IS_OPEN, Department, Edition, Grid, Incident, Person, Post, Station, Task

__all__ = ["NEAR_M", "ROLES", "NearPerson", "NearStation", "Nearby", "nearest"]

NEAR_M = 5_000.0
"""How far one looks when nobody says."""

ROLES: tuple[Role | StationKind, ...] = (*directory.LOCAL_POSTS, *StationKind)
"""Who may be near: the posts of cells, communities and towns, and the three kinds of stations (1+5+N)."""

_AHEAD = 4  # so many times the places asked for are looked at first: most need no second look


@dataclass(frozen=True, slots=True)
class NearPerson:
    """Somebody on duty. distance_m : to the area of their post, 0 inside it, and the nearest where they hold several.

    load : open cases in the areas of all posts that they hold on duty in the towns, each counted once.
    """

    person_id: int
    name: str
    phone: str | None
    role: Role
    title: str
    area: str
    distance_m: float
    load: int = 0


@dataclass(frozen=True, slots=True)
class NearStation:
    """A station. distance_m : to its place. duty : what its department does for the category, None for nothing.

    load : open cases in the station's town for which its department holds a task that is not done.
    """

    station_id: int
    name: str
    kind: StationKind
    town: str
    department: Department
    contact_name: str
    contact_phone: str
    distance_m: float
    duty: TaskRole | None
    load: int = 0


@dataclass(frozen=True, slots=True)
class Nearby:
    """People and stations within `within_m` metres, in the order in which one would send them."""

    people: tuple[NearPerson, ...]
    stations: tuple[NearStation, ...]
    within_m: float

    @property
    def nobody(self) -> bool:
        """Whether there is nobody on duty and no station so near."""
        return not self.people and not self.stations


def nearest(
    session: Session,
    point: tuple[float, float],
    *,
    by: Actor,
    on: date,
    code: str | None = None,
    category: str | None = None,
    roles: Sequence[str] = (),
    within_m: float = NEAR_M,
    limit: int = 10,
) -> Nearby:
    """Return who is near a point, at most `limit` people and `limit` stations.

    point : longitude and latitude in the storage frame. code : its cell, by which it is judged who leads for
    `category`. by : the reader, who finds people of their own area only, and stations of their own district.
    roles : codes of `ROLES`; all of them where there is none.
    Raises `InvalidInput`: "unknown_choice" for a role, "unknown_category".
    """
    kinds = _kinds(roles)
    posts = [kind for kind in kinds if isinstance(kind, Role)]
    stations = [kind for kind in kinds if isinstance(kind, StationKind)]
    duty = None
    if category is not None:
        directory.category(session, category)
        duty = find_duty(session, category, code, on=on, point=point) if code else None
    return Nearby(
        people=_people(session, point, posts, by, on, within_m, limit) if posts else (),
        stations=_stations(session, point, stations, by, duty, within_m, limit) if stations else (),
        within_m=within_m,
    )


def _kinds(roles: Sequence[str]) -> list[Role | StationKind]:
    known = {kind.value: kind for kind in ROLES}
    for role in roles:
        if role not in known:
            raise InvalidInput(
                "unknown_choice",
                f"{role!r} is nobody who is sent to a place; use {', '.join(known)}",
                field="roles",
                got=role,
                wanted=list(known),
            )
    return [known[role] for role in dict.fromkeys(roles)] or list(ROLES)


def _people(
    session: Session,
    point: tuple[float, float],
    roles: Sequence[Role],
    by: Actor,
    on: date,
    within_m: float,
    limit: int,
) -> tuple[NearPerson, ...]:
    if not by.scope.everything and not by.scope.areas:
        return ()
    count = _AHEAD * limit
    while True:
        rows = _nearest_posts(session, point, roles, by, on, count)
        people = _each_once(rows, within_m)
        if len(rows) < count:
            break
        # whatever comes later in the index is at least as far away as its last, counted in degrees
        farthest = rows[-1].degrees * _least_metres(point[1])
        wanted = people[limit - 1].distance_m if len(people) >= limit else within_m
        if farthest >= wanted:
            break
        count *= _AHEAD
    # those whose areas are equally near are told apart by their load, so it is known before the list is cut
    loads = _people_loads(session, [one.person_id for one in people[: 2 * limit]])
    weighed = [replace(one, load=loads.get(one.person_id, 0)) for one in people[: 2 * limit]]
    weighed.sort(key=lambda one: (one.distance_m, -len(one.area), one.load, one.person_id))
    return tuple(weighed[:limit])


def _nearest_posts(
    session: Session, point: tuple[float, float], roles: Sequence[Role], by: Actor, on: date, count: int
) -> Sequence[Any]:
    here = where(point)
    degrees: ColumnElement[float] = coerce(Grid.boundary.op("<->")(here), Float)
    walls = [under(Grid.code, area) for area in by.scope.areas]
    near = (
        select(
            Person.id,
            Person.name,
            Person.phone,
            Post.role,
            Post.title,
            Post.area_code,
            Grid.id.label("grid_id"),
            degrees.label("degrees"),
        )
        .select_from(Grid)
        .join(Edition, Edition.id == Grid.edition_id)
        .join(Post, and_(Post.area_code == Grid.code, Post.role.in_(roles), Post.on_duty))
        .join(Person, and_(Person.id == Post.person_id, Person.disabled_at.is_(None)))
        .where(in_force(on), true() if by.scope.everything else or_(*walls))
        .order_by(degrees)
        .limit(count)
        .cte("near")
    )
    # measured once for each area: that of a town is costly, and four people share it
    measured = (
        select(Grid.id, _metres(Grid.boundary, here).label("metres"))
        .where(Grid.id.in_(select(near.c.grid_id)))
        .cte("measured")
        .prefix_with("MATERIALIZED")
    )
    return session.execute(
        select(near, measured.c.metres)
        .join(measured, measured.c.id == near.c.grid_id)
        .order_by(near.c.degrees)
    ).all()


def _each_once(rows: Sequence[Any], within_m: float) -> list[NearPerson]:
    """Return people by distance, each with the post that brings them nearest."""
    found: dict[int, NearPerson] = {}
    for row in sorted(rows, key=lambda row: (row.metres, -len(row.area_code), row.id)):
        if row.metres <= within_m and row.id not in found:
            found[row.id] = NearPerson(
                person_id=row.id,
                name=row.name,
                phone=row.phone,
                role=row.role,
                title=row.title,
                area=row.area_code,
                distance_m=row.metres,
            )
    return list(found.values())


def _people_loads(session: Session, people: Sequence[int]) -> dict[int, int]:
    if not people:
        return {}
    rows = session.execute(
        select(Post.person_id, func.count(func.distinct(Incident.id)))
        .join(
            Incident,
            and_(
                IS_OPEN,
                Incident.grid_code >= Post.area_code,
                Incident.grid_code < func.concat(Post.area_code, ":"),
            ),
        )
        .where(Post.person_id.in_(people), Post.on_duty, Post.role.in_(directory.LOCAL_POSTS))
        .group_by(Post.person_id)
    )
    return {person: load for person, load in rows}  # noqa: C416 - a Row is no pair to the type checker


def _stations(
    session: Session,
    point: tuple[float, float],
    kinds: Sequence[StationKind],
    by: Actor,
    duty: Duty | None,
    within_m: float,
    limit: int,
) -> tuple[NearStation, ...]:
    district = directory.district_of(session, by)
    metres = _metres(Station.place, where(point))
    part = _part(duty)
    load = (
        select(func.count(func.distinct(Incident.id)))
        .join(Task, Task.incident_id == Incident.id)
        .where(
            IS_OPEN,
            Task.department_id == Station.department_id,
            Task.status.not_in(DONE_STATUSES),
            Incident.grid_code >= Station.town_code,
            Incident.grid_code < func.concat(Station.town_code, ":"),
        )
        .correlate(Station)
        .scalar_subquery()
    )
    nth: ColumnElement[int] = (
        literal(1)
        if duty is None
        else func.row_number().over(partition_by=Station.department_id, order_by=(metres, Station.id))
    )
    rows = session.execute(
        select(
            Station,
            Department,
            metres.label("metres"),
            part.label("part"),
            load.label("load"),
            nth.label("nth"),
        )
        .join(Department, Department.id == Station.department_id)
        .where(
            Station.kind.in_(kinds),
            under(Station.town_code, district) if district else true(),
            metres <= within_m,
        )
        .order_by("nth", "part", "metres", "load", Station.id)
        .limit(limit)
    )
    parts = {0: TaskRole.LEAD, 1: TaskRole.COOPERATING}
    return tuple(
        NearStation(
            station_id=station.id,
            name=station.name,
            kind=station.kind,
            town=station.town_code,
            department=body,
            contact_name=station.contact_name,
            contact_phone=station.contact_phone,
            distance_m=distance,
            duty=parts.get(rank),
            load=held,
        )
        for station, body, distance, rank, held, _ in rows
    )


def _part(duty: Duty | None) -> ColumnElement[int]:
    """Return what a station's department does: 0 leads, 1 cooperates, 2 neither."""
    if duty is None:
        return case((true(), 2), else_=2)
    return case((Department.code == duty.lead, 0), (Department.code.in_(duty.cooperating), 1), else_=2)


def _metres(place: Any, here: Any) -> ColumnElement[float]:
    on_earth = Geography(srid=STORAGE_SRID)
    return coerce(func.ST_Distance(cast(place, on_earth), cast(here, on_earth)), Float)


def _least_metres(lat: float) -> float:
    """Return how many metres a degree is at least, in any direction, within some tens of kilometres."""
    along, _ = degree_in_metres(np.array([min(abs(lat) + 0.5, 89.0)]))
    return float(along[0])
