"""How recurrent problem points are found: a report that happens at one joins it, and every night the rule looks anew.

A report that is accepted at a place that was treated brings it back at once. The night goes over what happened in
the last half year: it lets in what belongs to a place and had not joined, and opens places that nobody knew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from geoalchemy2.shape import from_shape, to_shape
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID, metric_crs
from grids import atlas, outbox
from grids import rain as rains
from grids.places.membership import HAPPENED, LOOK_BACK, Member, count_again, join_all, place_of
from grids.places.placecase import LEADERS, TOWN_DESKS, PlaceCase, place_number
from grids.rules.calendar import local_day
from grids.rules.curing import QUIET_DAYS, is_back
from grids.rules.defaultpoints import find_default_points
from grids.rules.permissions import SYSTEM, Role
from grids.rules.places import LIVE_PLACES, LONGEST_NAME, WATCHED_PLACES, FoundHow, PlaceStatus
from grids.rules.rain import Rain
from grids.rules.recurrence import RecurrentPoint, find_recurrences
from grids.scope import under
from grids.tables import Category, Grid, Incident, Place, PlaceIncident, Placement, PlaceStep

__all__ = ["Found", "find", "look_at_report"]

_ALERTED = (*LEADERS, *TOWN_DESKS, Role.DISTRICT_PLATFORM)
_SHOWN = 200  # numbers of incidents in one step; the rest is counted
_ONE_BY_ONE = 5  # places found in one night of which a person is told singly; more are counted


@dataclass(frozen=True, slots=True)
class Found:
    """What the rule did: places found, found again after they were set aside, returned; incidents that joined one."""

    found: int = 0
    found_again: int = 0
    returned: int = 0
    joined: int = 0


def look_at_report(session: Session, incident: Incident, now: datetime) -> Place | None:
    """Let an accepted incident join the place whose radius holds it; return that.

    A treated or cured place returns, with an alert, when it was reported after the treatment. The caller holds the
    lock on the incident. Costs one look into an index where no place is near.
    """
    if incident.category_code is None or incident.placement is Placement.OUTSIDE:
        return None
    ((lon, lat),) = to_shape(incident.point).coords
    near = place_of(session, incident.category_code, lon, lat, LIVE_PLACES | WATCHED_PLACES)
    if near is None:
        return None
    case = PlaceCase.open_by_id(session, near.id, now)
    if case is None:
        return None
    member = Member(incident.id, incident.number, incident.received_at, incident.closed_at)
    joined = _take_in(case, [member])
    if joined:
        count_again(session, case.place)
    return case.place if joined else None


def _take_in(case: PlaceCase, members: Sequence[Member]) -> list[Member]:
    """Let incidents join a place as it stands now; the first that is back brings it back."""
    place = case.place
    back = next((one for one in members if is_back(place.status, place.treated_at, one.received_at)), None)
    if back is not None:
        joined = join_all(case, members, note=False)
        if all(one.id != back.id for one in joined):
            return joined
        _return(case, back, joined)
        return joined
    return join_all(case, members) if place.status in LIVE_PLACES else []


def _return(case: PlaceCase, back: Member, joined: Sequence[Member]) -> None:
    place = case.place
    quiet = (back.received_at - place.treated_at).days if place.treated_at is not None else None
    case.move(
        "return",
        {
            "incident": back.number,
            "incidents": [one.number for one in joined][:_SHOWN],
            "quiet_days": quiet,
            "treated_at": place.treated_at,
        },
    )
    place.returned_at, place.returns = case.now, place.returns + 1
    case.tell(
        "place.returned",
        roles=_ALERTED,
        lead=True,
        incident_id=back.id,
        incident=back.number,
        days=quiet,
    )


# -- the rule over what happened


def find(session: Session, district: str, now: datetime, *, rain: Rain | None = None) -> Found:
    """Go over what happened in a district in the last half year: join, return, find again, find.

    An incident in the circle of a place joins that, or nothing where the place was set aside and has not come back
    often enough since; so the same trouble never gets a second place. Merged duplicates count once; what lies on a
    default point (`grids.rules.defaultpoints`) has no place. rain : where the caller knows it.
    """
    if rain is None:
        rain = rains.read_rain(session, district, now - LOOK_BACK, now)
    known = {one.code: one for one in session.scalars(select(Category)) if one.recurrence_radius_m}
    table = _happened(session, district, now, sorted(known))
    if table.empty:
        return Found()
    free = ~table["joined"].to_numpy() & ~_on_default_points(table)
    places = _places(session, district)
    done, taken = _at_places(session, table, free, places, rain, now)
    rest = table[free & ~taken]
    points = find_recurrences(
        rest["x"].to_numpy(),
        rest["y"].to_numpy(),
        _utc(rest["at"]),
        rest["category"].tolist(),
        {code: float(one.recurrence_radius_m or 0) for code, one in known.items()},
        closed_at=_utc(rest["closed"]),
        rain=rain,
    )
    cases = [case for point in points if (case := _open(session, district, rest, point, rain, now))]
    _tell_of_found(session, cases, now)
    session.flush()
    return replace(done, found=len(cases), joined=done.joined + sum(len(p.members) for p in points))


def _happened(session: Session, district: str, now: datetime, categories: Sequence[str]) -> pd.DataFrame:
    rows = session.execute(
        select(
            Incident.id,
            Incident.number,
            Incident.category_code,
            Incident.received_at,
            Incident.closed_at,
            Incident.address,
            func.ST_X(Incident.point),
            func.ST_Y(Incident.point),
            PlaceIncident.place_id.is_not(None),
        )
        .outerjoin(PlaceIncident, PlaceIncident.incident_id == Incident.id)
        .where(
            under(Incident.grid_code, district),
            Incident.received_at >= now - LOOK_BACK,
            Incident.received_at <= now,
            Incident.category_code.in_(categories),
            HAPPENED,
        )
        .order_by(Incident.received_at, Incident.id)
    ).all()
    columns = ["id", "number", "category", "at", "closed", "address", "lon", "lat", "joined"]
    table = pd.DataFrame(rows, columns=columns)
    if table.empty:
        return table
    table["closed"] = pd.to_datetime(table["closed"], utc=True)
    table["at"] = pd.to_datetime(table["at"], utc=True)
    frame = metric_crs(float(table["lon"].median()), float(table["lat"].median()))
    points = gpd.GeoSeries(shapely.points(table["lon"], table["lat"]), crs=f"EPSG:{STORAGE_SRID}").to_crs(
        frame
    )
    table["x"], table["y"] = points.x.to_numpy(), points.y.to_numpy()
    return table


def _on_default_points(table: pd.DataFrame) -> NDArray[np.bool_]:
    found = find_default_points(
        table["lon"].to_numpy(),
        table["lat"].to_numpy(),
        table["category"].tolist(),
        _utc(table["at"]),
        table["address"].tolist(),
    )
    on_one = np.zeros(len(table), dtype=bool)
    for point in found:
        on_one[list(point.members)] = True
    return on_one


def _places(session: Session, district: str) -> pd.DataFrame:
    rows = session.execute(
        select(
            Place.id,
            Place.category_code,
            Place.radius_m,
            func.ST_X(Place.point),
            func.ST_Y(Place.point),
        )
        .where(under(Place.grid_code, district))
        .order_by(Place.id)
    ).all()
    return pd.DataFrame(rows, columns=["id", "category", "radius", "lon", "lat"])


def _at_places(
    session: Session,
    table: pd.DataFrame,
    free: NDArray[np.bool_],
    places: pd.DataFrame,
    rain: Rain,
    now: datetime,
) -> tuple[Found, NDArray[np.bool_]]:
    """Let what lies in the circle of a place in; return what came of it, and which rows lie in one."""
    taken = np.zeros(len(table), dtype=bool)
    if places.empty:
        return Found(), taken
    nearest = _nearest(table, free, places)
    taken = nearest >= 0
    found_again = returned = joined = 0
    for position in np.unique(nearest[taken]):
        case = PlaceCase.open_by_id(session, int(places["id"].iloc[position]), now)
        if case is None:
            continue
        rows = table[nearest == position]
        before = case.place.status
        if before is PlaceStatus.DISMISSED:
            came = _find_again(case, rows, rain)
            found_again += bool(came)
        else:
            came = _take_in(case, _members(rows))
            returned += before in WATCHED_PLACES and case.place.status is PlaceStatus.RETURNED
        if came:
            joined += len(came)
            count_again(session, case.place)
    return Found(found_again=found_again, returned=returned, joined=joined), taken


def _nearest(table: pd.DataFrame, free: NDArray[np.bool_], places: pd.DataFrame) -> NDArray[np.int64]:
    """Return for each row the position of the nearest place of its category that holds it, -1 for none."""
    frame = metric_crs(float(table["lon"].median()), float(table["lat"].median()))
    spots = gpd.GeoSeries(shapely.points(places["lon"], places["lat"]), crs=f"EPSG:{STORAGE_SRID}").to_crs(
        frame
    )
    nearest = np.full(len(table), -1, dtype=np.int64)
    least = np.full(len(table), np.inf)
    x, y, category = table["x"].to_numpy(), table["y"].to_numpy(), table["category"].to_numpy()
    rows_of = {code: np.flatnonzero(free & (category == code)) for code in set(places["category"])}
    for position, (code, radius, spot) in enumerate(
        zip(places["category"], places["radius"], spots, strict=True)
    ):
        rows = rows_of[code]
        metres = np.hypot(x[rows] - spot.x, y[rows] - spot.y)
        better = (metres <= radius) & (metres < least[rows])
        nearest[rows[better]], least[rows[better]] = position, metres[better]
    return nearest


def _members(rows: pd.DataFrame) -> list[Member]:
    columns = (rows[name].tolist() for name in ("id", "number", "at", "closed"))
    return [
        Member(one, number, at.to_pydatetime(), None if pd.isna(closed) else closed.to_pydatetime())
        for one, number, at, closed in zip(*columns, strict=True)
    ]


def _find_again(case: PlaceCase, rows: pd.DataFrame, rain: Rain) -> list[Member]:
    """Put a place that was set aside before the grid leader again, when it came back often enough since."""
    since = case.session.scalar(
        select(func.max(PlaceStep.at)).where(
            PlaceStep.place_id == case.place.id, PlaceStep.action == "dismiss"
        )
    )
    later = rows if since is None else rows[rows["at"] > since]
    again = find_recurrences(
        np.zeros(len(later)),
        np.zeros(len(later)),
        _utc(later["at"]),
        later["category"].tolist(),
        {case.place.category_code: 1.0},
        closed_at=_utc(later["closed"]),
        rain=rain,
    )
    if not again:
        return []
    joined = join_all(case, _members(later), note=False)
    if joined:
        case.move(
            "find_again",
            {"incidents": [one.number for one in joined][:_SHOWN], "times": again[0].times, "since": since},
        )
        case.place.found_at = case.now
        case.tell("place.found_again", roles=(*LEADERS, *TOWN_DESKS), times=again[0].times)
    return joined


def _open(
    session: Session, district: str, rows: pd.DataFrame, point: RecurrentPoint, rain: Rain, now: datetime
) -> PlaceCase | None:
    """Open a place for what the rule found, at the incident round which it lies."""
    mine = rows.iloc[list(point.members)]
    centre = mine[(mine["x"] == point.x_m) & (mine["y"] == point.y_m)].iloc[0]
    found = atlas.current(session, on=local_day(now)).place(
        float(centre["lon"]), float(centre["lat"]), "CGCS2000"
    )
    if found.code is None or found.edition_id is None or not found.code.startswith(district):
        return None  # the ground was taken out of the grid meanwhile
    category = session.get_one(Category, point.category)
    place = Place(
        number=place_number(session, found.code, now),
        category_code=point.category,
        grid_code=found.code,
        edition_id=found.edition_id,
        point=from_shape(shapely.Point(found.lon, found.lat), srid=STORAGE_SRID),
        radius_m=category.recurrence_radius_m,
        name=_name(session, mine["address"], found.code, found.edition_id),
        status=PlaceStatus.SUSPECTED,
        found_how=FoundHow.RULE,
        found_at=now,
        times=point.times,
        quiet_days=QUIET_DAYS,
        returns=0,
        step_seq=0,
        cooperating=[],
    )
    case = PlaceCase(session, place, SYSTEM, now)
    members = _members(mine)
    case.begun(
        "find",
        {
            "category": point.category,
            "grid": found.code,
            "radius_m": place.radius_m,
            "times": point.times,
            "incidents": [one.number for one in members][:_SHOWN],
            "members": len(members),
        },
    )
    join_all(case, members, note=False)
    count_again(session, place, rain=rain)
    return case


def _name(session: Session, told: pd.Series[Any], code: str, edition_id: int) -> str:
    """Return what people call the place: the address told most often, else the name of its cell."""
    addresses = Counter(text.strip() for text in told if isinstance(text, str) and text.strip())
    if addresses:
        most = max(addresses.values())
        return min(text for text, count in addresses.items() if count == most)[:LONGEST_NAME]
    name = session.scalar(select(Grid.name).where(Grid.code == code, Grid.edition_id == edition_id))
    return (name or code)[:LONGEST_NAME]


def _tell_of_found(session: Session, cases: Sequence[PlaceCase], now: datetime) -> None:
    """Tell each person of what was found for them; of many in one night only how many."""
    theirs: dict[int, list[PlaceCase]] = {}
    for case in cases:
        for person_id in case.reached((*LEADERS, *TOWN_DESKS)):
            theirs.setdefault(person_id, []).append(case)
    for person_id, found in sorted(theirs.items()):
        if len(found) > _ONE_BY_ONE:
            _tell(session, person_id, "place.found_many", {"count": len(found), "places": True}, now)
            continue
        for case in found:
            _tell(session, person_id, "place.found", {**case.facts(), "times": case.place.times}, now)


def _tell(session: Session, person_id: int, template: str, facts: Mapping[str, Any], now: datetime) -> None:
    outbox.post(session, [person_id], template, facts, incident_id=None, now=now)


def _utc(moments: pd.Series[Any]) -> NDArray[np.datetime64]:
    return pd.to_datetime(moments, utc=True).dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
