"""Places where one category comes back: found among the cases in memory; only their numbers are read from the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID, metric_crs
from gis.errors import InvalidInput
from grids.figures.asking import Window
from grids.figures.reading import STATUSES
from grids.figures.taking import Taken, take
from grids.rain import read_rain
from grids.rules.categories import WATERLOGGING
from grids.rules.codes import level_of
from grids.rules.levels import GridLevel
from grids.rules.lifecycle import OPEN_STATUSES
from grids.rules.permissions import Scope
from grids.rules.rain import NO_RAIN, Rain
from grids.rules.recurrence import RecurrentPoint, find_recurrences
from grids.tables import Category, Incident

__all__ = ["recurrences"]


def recurrences(session: Session, scope: Scope, window: Window) -> gpd.GeoDataFrame:
    """Return the places of a window where one category came back at least three times within 90 days.

    Columns: category, category_name, category_name_en, kind (waterlogging, parking, garbage or other), times,
    first_at, last_at (aware), mean_gap_days,
    open (cases still open), numbers (list of incident numbers), grid_code, geometry (points, EPSG:4490), the
    most frequent first. Distances are metres in a projection of the place; see `grids.rules.recurrence`.
    The level of the window is of no account; an area that is not on the grid has no places.
    """
    level = level_of(window.area) if window.area else GridLevel.DISTRICT
    try:
        taken = take(session, scope, replace(window, level=level))
    except InvalidInput as error:
        if error.code != "no_cells":
            raise
        return _places([])
    rows = np.flatnonzero(_has_category(taken))
    if not rows.size:
        return _places([])
    rows = rows[np.lexsort((taken.case("id")[rows], taken.case("received")[rows]))]
    lon, lat = taken.case("lon")[rows], taken.case("lat")[rows]
    crs = metric_crs(float(np.median(lon)), float(np.median(lat)))
    known = {category.code: category for category in session.scalars(select(Category))}
    radius = {c.code: float(c.recurrence_radius_m) for c in known.values() if c.recurrence_radius_m}
    x, y = pyproj.Transformer.from_crs(STORAGE_SRID, crs, always_xy=True).transform(lon, lat)
    kinds = np.array(taken.facts.categories, dtype=object)[taken.case("category")[rows]]
    found = find_recurrences(
        x,
        y,
        _moments(taken, "received", rows),
        kinds.tolist(),
        radius,
        closed_at=_moments(taken, "closed", rows),
        rain=_rain(session, _districts(taken, rows), window),
    )
    numbers = _numbers(session, taken.case("id")[rows], found)
    among = np.zeros(max(STATUSES.values()) + 1, dtype=np.bool_)
    among[[STATUSES[status] for status in OPEN_STATUSES]] = True
    open_now = among[taken.case("status")[rows]]
    leaf = taken.leaf[rows]
    # all members one after the other: a sum by place is one call instead of one a place
    members = np.array([member for point in found for member in point.members], dtype=np.int64)
    sizes = np.array([len(point.members) for point in found], dtype=np.int64)
    begins = np.cumsum(sizes) - sizes
    still, east, north = (
        np.add.reduceat(column[members], begins).tolist() if found else []
        for column in (open_now.astype(np.int64), lon, lat)
    )
    places = [
        {
            "category": point.category,
            "category_name": known[point.category].name,
            "category_name_en": known[point.category].name_en,
            "kind": _kind(point.category),
            "times": point.times,
            "first_at": point.first_at,
            "last_at": point.last_at,
            "mean_gap_days": point.mean_gap_days,
            "open": still[place],
            "numbers": [numbers[member] for member in point.members],
            "grid_code": taken.codes[leaf[point.members[0]]],
            "lon": east[place] / len(point.members),
            "lat": north[place] / len(point.members),
        }
        for place, point in enumerate(found)
    ]
    return _places(places)


def _has_category(taken: Taken) -> NDArray[np.bool_]:
    named = np.array([code != "" for code in taken.facts.categories], dtype=np.bool_)
    told: NDArray[np.bool_] = named[taken.case("category")]
    return told


def _moments(taken: Taken, name: str, rows: NDArray[np.int64]) -> NDArray[np.datetime64]:
    """Return moments of some cases; what is missing is NaT."""
    return taken.case(name)[rows].view("datetime64[us]")


def _districts(taken: Taken, rows: NDArray[np.int64]) -> set[str]:
    return {taken.codes[place][:6] for place in np.unique(taken.leaf[rows]).tolist()}


def _numbers(session: Session, ids: NDArray[np.int64], found: Sequence[RecurrentPoint]) -> dict[int, str]:
    """Return the numbers of the cases of some points, by their position."""
    members = [member for point in found for member in point.members]
    wanted = ids[members].tolist()
    query = select(Incident.id, Incident.number).where(Incident.id == func.any(wanted))
    by_id: dict[int, str] = dict(session.execute(query).all())
    return dict(zip(members, (by_id[one] for one in wanted), strict=True))


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
)


def _places(rows: list[dict[str, Any]]) -> gpd.GeoDataFrame:
    frame = pd.DataFrame(rows, columns=list(_PLACE_COLUMNS))
    points = shapely.points([(row["lon"], row["lat"]) for row in rows]) if rows else []
    return gpd.GeoDataFrame(frame, geometry=points, crs=f"EPSG:{STORAGE_SRID}")
