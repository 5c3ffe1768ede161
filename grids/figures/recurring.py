"""Places where one category comes back, from the rows themselves: their numbers are part of the answer."""

from __future__ import annotations

from typing import Any, TypeVar

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID, metric_crs
from grids import atlas
from grids.figures.asking import Window
from grids.ground.regridding import Moved, as_it_was, moved_to
from grids.rain import read_rain
from grids.rules.categories import WATERLOGGING
from grids.rules.lifecycle import OPEN_STATUSES, UNCOUNTED_STATUSES
from grids.rules.permissions import Scope
from grids.rules.rain import NO_RAIN, Rain
from grids.rules.recurrence import find_recurrences
from grids.scope import incidents_in, under
from grids.tables import Category, Incident, Placement

__all__ = ["recurrences"]

_Rows = TypeVar("_Rows", bound=tuple[Any, ...])

_COUNTED = Incident.status.not_in(UNCOUNTED_STATUSES) & (Incident.placement != Placement.OUTSIDE)


def _walls(scope: Scope, window: Window) -> list[ColumnElement[bool]]:
    walls = [
        incidents_in(scope),
        _COUNTED,
        Incident.received_at >= window.since,
        Incident.received_at < window.until,
    ]
    if window.category:
        walls.append(Incident.category_code == window.category)
    if window.grade:
        walls.append(Incident.grade == window.grade)
    if window.channel:
        walls.append(Incident.channel == window.channel)
    return walls


def _place(session: Session, walls: list[ColumnElement[bool]], window: Window) -> Moved:
    """Return where incidents count, and put the wall of the window's area up there."""
    if window.edition is None:
        place = as_it_was(session, atlas.day_with_grid(session, window.last_day), walls)
    else:
        place = moved_to(session, window.edition, walls)
    if window.area:
        walls.append(under(place.code, window.area))
    return place


def _joined(query: Select[_Rows], place: Moved) -> Select[_Rows]:
    return query if place.source is None else query.outerjoin(place.source, place.on)


def recurrences(session: Session, scope: Scope, window: Window) -> gpd.GeoDataFrame:
    """Return the places of a window where one category came back at least three times within 90 days.

    Columns: category, category_name, category_name_en, kind (waterlogging, parking, garbage or other), times,
    first_at, last_at (aware), mean_gap_days,
    open (cases still open), numbers (list of incident numbers), grid_code, geometry (points, EPSG:4490), the
    most frequent first. Distances are metres in a projection of the place; see `grids.rules.recurrence`.
    """
    walls = _walls(scope, window)
    place = _place(session, walls, window)
    query = select(
        Incident.number,
        Incident.category_code,
        Incident.received_at,
        Incident.closed_at,
        Incident.status,
        place.code,
        func.ST_X(Incident.point).label("lon"),
        func.ST_Y(Incident.point).label("lat"),
    ).select_from(Incident)
    rows = session.execute(
        _joined(query, place)
        .where(*walls, Incident.category_code.is_not(None))
        .order_by(Incident.received_at, Incident.id)
    ).all()
    known = {category.code: category for category in session.scalars(select(Category))}
    radius = {c.code: float(c.recurrence_radius_m) for c in known.values() if c.recurrence_radius_m}
    data = pd.DataFrame(rows, columns=["number", "category", "at", "closed", "status", "grid", "lon", "lat"])
    if data.empty:
        return _places([])
    lon, lat = data["lon"].to_numpy(), data["lat"].to_numpy()
    plane = gpd.GeoSeries(shapely.points(lon, lat), crs=f"EPSG:{STORAGE_SRID}").to_crs(
        metric_crs(float(np.median(lon)), float(np.median(lat)))
    )
    found = find_recurrences(
        plane.x.to_numpy(),
        plane.y.to_numpy(),
        _utc(data["at"]),
        data["category"].tolist(),
        radius,
        closed_at=_utc(data["closed"]),
        rain=_rain(session, set(data["grid"].str[:6]), window),
    )
    open_now = data["status"].isin(OPEN_STATUSES).to_numpy()
    places = []
    for point in found:
        members = list(point.members)
        middle = members[0]
        places.append(
            {
                "category": point.category,
                "category_name": known[point.category].name,
                "category_name_en": known[point.category].name_en,
                "kind": _kind(point.category),
                "times": point.times,
                "first_at": point.first_at,
                "last_at": point.last_at,
                "mean_gap_days": point.mean_gap_days,
                "open": int(open_now[members].sum()),
                "numbers": data["number"].iloc[members].tolist(),
                "grid_code": data["grid"].iloc[middle],
                "geometry": shapely.Point(lon[members].mean(), lat[members].mean()),
            }
        )
    return _places(places)


def _rain(session: Session, districts: set[str], window: Window) -> Rain:
    """Return what gauges tell of the rain where all lies in one district; of several nobody could say whose it was."""
    if len(districts) != 1:
        return NO_RAIN
    return read_rain(session, next(iter(districts)), window.since, window.until)


def _kind(category: str) -> str:
    """Return the sign that maps use for a recurrent place of a category."""
    if category in WATERLOGGING:
        return "waterlogging"
    if category in ("07-001", "07-002", "03-007"):
        return "parking"
    return "garbage" if category.startswith("02-") else "other"


_PLACE_COLUMNS = (
    "category",
    "category_name",
    "category_name_en",
    "kind",
    "times",
    "first_at",
    "last_at",
    "mean_gap_days",
    "open",
    "numbers",
    "grid_code",
    "geometry",
)


def _places(rows: list[dict[str, Any]]) -> gpd.GeoDataFrame:
    frame = pd.DataFrame(rows, columns=list(_PLACE_COLUMNS))
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=f"EPSG:{STORAGE_SRID}")


def _utc(moments: pd.Series[Any]) -> NDArray[np.datetime64]:
    return pd.to_datetime(moments, utc=True).dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
