"""What the map of one area shows: its cells, those around it, what is open in it, what keeps coming back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import geopandas as gpd
import pandas as pd
import shapely
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID
from grids import atlas
from grids.figures.asking import Window
from grids.figures.recurring import MOST_ON_A_MAP, RecurrentPlaces, recurrent_places
from grids.rules.calendar import local_day
from grids.rules.levels import GridLevel
from grids.rules.lifecycle import OPEN_STATUSES
from grids.rules.permissions import Scope
from grids.scope import incidents_in, under
from grids.tables import IS_OPEN, Category, Incident

__all__ = ["AreaView", "area_view"]

RECURRENCE_DAYS = 180  # how far back the area map looks for places that come back


@dataclass(frozen=True)
class AreaView:
    """What the map of an area shows; columns as `maps.area_map` takes them, `status` still a code.

    Incidents also say `how` they were placed and by which `edition` (missing for those in no cell).
    """

    own: gpd.GeoDataFrame
    neighbours: gpd.GeoDataFrame
    incidents: gpd.GeoDataFrame
    recurrences: RecurrentPlaces


def area_view(session: Session, scope: Scope, area: str, *, now: datetime) -> AreaView:
    """Return what the map of an area shows: its cells, the areas around it, open incidents, recurrent places.

    own : the area itself and, where it is divided, the areas one level below, bold. neighbours : areas of its
    own level that touch it. incidents : open ones in the area that the scope lets one see.
    """
    today = local_day(now)
    own = atlas.areas(session, parent=area, on=today)
    if own.empty:
        atlas.grid(session, area, on=today)  # raises NotFound in its own words
    level = own.loc[own["code"].str.len().idxmin(), "level"]
    below = own[own["code"].str.len() == len(area) + 3]
    itself = own[own["code"] == area]
    shown = below if len(below) else itself
    west, south, east, north = own.total_bounds
    around = atlas.areas(session, level=GridLevel(level), bbox=(west, south, east, north), on=today)
    others = around[around["code"] != area]
    outline = itself.geometry.iloc[0]
    touching = others[shapely.dwithin(others.geometry.to_numpy(), outline, _TOUCH_DEGREES)]
    window = Window(area, GridLevel(level), now - timedelta(days=RECURRENCE_DAYS), now + timedelta(days=1))
    return AreaView(
        own=shown,
        neighbours=touching,
        incidents=_open_incidents(session, scope, area),
        recurrences=recurrent_places(session, scope, window, most=MOST_ON_A_MAP),
    )


_TOUCH_DEGREES = 1e-9  # only asks whether edges are shared; no length is measured


def _open_incidents(session: Session, scope: Scope, area: str) -> gpd.GeoDataFrame:
    rows = session.execute(
        select(
            Incident.number,
            Incident.status,
            Incident.grade,
            Incident.due_effective,
            Incident.address,
            Incident.text,
            Incident.placement,
            Incident.edition_id,
            Category.name,
            Category.name_en,
            Category.grade.label("default_grade"),
            func.ST_X(Incident.point).label("lon"),
            func.ST_Y(Incident.point).label("lat"),
        )
        .outerjoin(Category, Category.code == Incident.category_code)
        .where(
            incidents_in(scope), under(Incident.grid_code, area), Incident.status.in_(OPEN_STATUSES), IS_OPEN
        )
        .order_by(Incident.received_at.desc())
        .limit(5000)
    ).all()
    return gpd.GeoDataFrame(
        {
            "number": [row.number for row in rows],
            "category_name": [row.name or "" for row in rows],
            "category_name_en": [row.name_en or "" for row in rows],
            # not graded yet: the category's own colour, else the mildest
            "grade": [(row.grade or row.default_grade or "green") for row in rows],
            "status": [row.status.value for row in rows],
            "due_at": pd.to_datetime([row.due_effective for row in rows], utc=True),
            "address": [row.address for row in rows],
            "text": [row.text for row in rows],
            "how": [row.placement.value for row in rows],
            "edition": pd.array([row.edition_id for row in rows], dtype="Int64"),
            "url": [f"/incidents/{row.number}" for row in rows],
        },
        geometry=shapely.points([row.lon for row in rows], [row.lat for row in rows]) if rows else [],
        crs=f"EPSG:{STORAGE_SRID}",
    )
