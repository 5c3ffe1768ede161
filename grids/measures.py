"""Figures for maps: how many, how long, what comes back; one row a grid, with n and the denominator.

Duplicates that were merged count once, with their master. Rejected and cancelled reports and reports that lie
in no cell do not count. Areas are those of the grid in force at the end of the window, and an incident counts
where the code lies that it hit ("as it was"), or in the cell that holds its point where that code is no more; or
both are those of an edition that the window names, and an incident counts where its point lies on that grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Float, Select, case, cast, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from gis.crs import STORAGE_SRID, metric_crs
from gis.errors import InvalidInput
from gis.hotspots import benjamini_hochberg, getis_ord_star, two_sided_p
from gis.weights import contiguity, star
from grids import atlas
from grids.ground.regridding import Moved, as_it_was, moved_to
from grids.rules.calendar import local_day
from grids.rules.categories import WATERLOGGING
from grids.rules.deadlines import CHECK_IN_GRACE
from grids.rules.levels import CODE_LENGTH, GridLevel
from grids.rules.lifecycle import OPEN_STATUSES, IncidentStatus
from grids.rules.pauses import WAITING
from grids.rules.permissions import Scope
from grids.rules.recurrence import find_recurrences
from grids.scope import incidents_in, under
from grids.tables import IS_OPEN, Category, Incident, LedgerItem, Placement, Task, Whistle

__all__ = [
    "FALSE_DISCOVERY",
    "AreaView",
    "HotspotMetric",
    "ResponseMetric",
    "Window",
    "area_view",
    "hotspots",
    "recurrences",
    "responses",
]

_Rows = TypeVar("_Rows", bound=tuple[Any, ...])

FALSE_DISCOVERY = 0.05  # of the cells called hot, at most this share by chance (Benjamini & Hochberg 1995)
FEWEST_CELLS = 20  # below this a cell's neighbourhood is most of the map and Gi* says nothing
RECURRENCE_DAYS = 180  # how far back the area map looks for places that come back


class HotspotMetric(StrEnum):
    """What the hotspot map counts."""

    COUNT = "count"
    PER_1000_HOUSEHOLDS = "per_1000_households"


class ResponseMetric(StrEnum):
    """From where to where a time is taken."""

    ACCEPT = "accept"  # report to acceptance
    RESPOND = "respond"  # task issued to the department's answer
    ARRIVE = "arrive"  # appointed time, or else the issue, to check-in
    HANDLE = "handle"  # acceptance to the completion that was accepted


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


@dataclass(frozen=True)
class AreaView:
    """What the map of an area shows; columns as `maps.area_map` takes them, `status` still a code.

    Incidents also say `how` they were placed and by which `edition` (missing for those in no cell).
    """

    own: gpd.GeoDataFrame
    neighbours: gpd.GeoDataFrame
    incidents: gpd.GeoDataFrame
    recurrences: gpd.GeoDataFrame


_COUNTED = Incident.status.not_in(
    (IncidentStatus.MERGED, IncidentStatus.REJECTED, IncidentStatus.CANCELLED)
) & (Incident.placement != Placement.OUTSIDE)


def _walls(scope: Scope, window: Window) -> list[ColumnElement[bool]]:
    walls = [
        incidents_in(scope),
        _COUNTED,
        Incident.received_at >= window.since,
        Incident.received_at < window.until,
    ]
    if window.category:
        walls.append(Incident.category_code == window.category)
    return walls


def _place(
    session: Session,
    walls: list[ColumnElement[bool]],
    window: Window,
    hit: ColumnElement[str] | None = None,
) -> Moved:
    """Return where incidents count, and put the wall of the window's area up there."""
    if window.edition is None:
        place = as_it_was(session, atlas.day_with_grid(session, window.last_day), walls, hit)
    else:
        place = moved_to(session, window.edition, walls)
    if window.area:
        walls.append(under(place.code, window.area))
    return place


def _joined(query: Select[_Rows], place: Moved) -> Select[_Rows]:
    return query if place.source is None else query.outerjoin(place.source, place.on)


def hotspots(
    session: Session, scope: Scope, window: Window, metric: HotspotMetric = HotspotMetric.COUNT
) -> gpd.GeoDataFrame:
    """Return the incidents of a window by grid, as counts or per 1,000 households, and which grids are hot.

    Columns: code, name, level, households, n (int), value (float; NaN where households are unknown), denominator
    (float, NaN for counts), hot (bool), geometry (EPSG:4490). A grid is hot when its Getis-Ord Gi* with its
    edge neighbours is high beyond chance at a false-discovery rate of 5 %; with fewer than 20 grids none is.
    Source: Ord & Getis (1995), Geographical Analysis 27(4), 286-306.
    """
    cells = _cells(session, window)
    walls = _walls(scope, window)
    place = _place(session, walls, window)
    code = func.left(place.code, CODE_LENGTH[window.level])
    query = select(code.label("code"), func.count().label("n")).select_from(Incident)
    rows = session.execute(_joined(query, place).where(*walls).group_by("code")).all()
    counted = {row.code: row.n for row in rows}
    cells["n"] = np.array([counted.get(code, 0) for code in cells["code"]], dtype=np.int64)
    if metric is HotspotMetric.COUNT:
        cells["denominator"] = np.nan
        cells["value"] = cells["n"].astype(float)
    else:
        homes = cells["households"].astype(float)
        cells["denominator"] = homes.where(homes > 0)
        cells["value"] = cells["n"] / cells["denominator"] * 1000
    cells["hot"] = _hot(cells)
    return cells


def _hot(cells: gpd.GeoDataFrame) -> NDArray[np.bool_]:
    hot = np.zeros(len(cells), dtype=bool)
    known = cells["value"].notna().to_numpy()
    values = cells.loc[known, "value"].to_numpy(dtype=np.float64)
    if values.size < FEWEST_CELLS or np.ptp(values) == 0:
        return hot
    z = getis_ord_star(values, star(contiguity(cells.geometry.to_numpy()[known])))
    hot[known] = (z > 0) & benjamini_hochberg(two_sided_p(z), FALSE_DISCOVERY)
    return hot


def responses(
    session: Session, scope: Scope, window: Window, metric: ResponseMetric, *, now: datetime
) -> gpd.GeoDataFrame:
    """Return how long a step took by grid: median and 90th percentile in minutes, n, share overdue.

    Columns: code, name, level, households, n, open (of the n, how many still run), value (median), p90,
    denominator (= n), overdue_share, geometry. A case that still runs counts with the time that has passed so
    far, so that a slow grid cannot look fast by leaving cases open. Reports of the window count, whenever the
    step came. Percentiles interpolate, as `percentile_cont` does.

    Late handling is judged by the due moment that holds (`Incident.due_effective`: moved by approved extensions and by
    the time in which the case stood still). A case that is suspended or on the ledger, or was closed from the ledger,
    is in no rate of handling: those on the ledger are listed apart (`grids.ledger`).
    """
    cells = _cells(session, window)
    start, end, late, extra = _step(metric, now)
    # who comes before the appointed time waits, and is as early as can be
    minutes = func.greatest(func.extract("epoch", func.coalesce(end, literal(now)) - start) / 60.0, 0.0)
    walls = _walls(scope, window)
    # what became overdue counts where it did, also when it lies in another grid by now
    where = func.coalesce(Incident.overdue_grid_code, Incident.grid_code)
    place = _place(session, walls, window, where if metric is ResponseMetric.HANDLE else None)
    code = func.left(place.code, CODE_LENGTH[window.level])
    query = select(
        code.label("code"),
        func.count().label("n"),
        func.count().filter(end.is_(None)).label("running"),
        func.percentile_cont(0.5).within_group(minutes).label("median"),
        func.percentile_cont(0.9).within_group(minutes).label("p90"),
        func.avg(cast(case((late, 1.0), else_=0.0), Float)).label("late"),
    ).select_from(Incident)
    query = _joined(query, place).where(*walls, start.is_not(None), start <= now, *extra)
    if metric in (ResponseMetric.RESPOND, ResponseMetric.ARRIVE):
        query = query.join(Task, Task.incident_id == Incident.id).join(Whistle, Whistle.id == Task.whistle_id)
    found = {row.code: row for row in session.execute(query.group_by("code"))}
    rows = [found.get(code) for code in cells["code"]]
    cells["n"] = np.array([row.n if row else 0 for row in rows], dtype=np.int64)
    cells["open"] = np.array([row.running if row else 0 for row in rows], dtype=np.int64)
    cells["value"] = np.array([float(row.median) if row else np.nan for row in rows])
    cells["p90"] = np.array([float(row.p90) if row else np.nan for row in rows])
    cells["denominator"] = cells["n"].astype(float)
    cells["overdue_share"] = np.array([float(row.late) if row else np.nan for row in rows])
    return cells


def _step(
    metric: ResponseMetric, now: datetime
) -> tuple[ColumnElement[Any], ColumnElement[Any], ColumnElement[bool], list[ColumnElement[bool]]]:
    """Return start, end, the condition of being late, and further walls of a step."""
    moment = literal(now)
    if metric is ResponseMetric.ACCEPT:
        late = func.coalesce(Incident.accepted_at, moment) - Incident.received_at > timedelta(days=1)
        # closed without ever having been accepted here: an imported case, of which nobody knows when it was
        known = or_(Incident.accepted_at.is_not(None), Incident.status.in_(OPEN_STATUSES))
        return _as(Incident.received_at), _as(Incident.accepted_at), late, [known]
    if metric is ResponseMetric.RESPOND:
        late = func.coalesce(Task.responded_at, moment) > Task.response_due_at
        return _as(Task.issued_at), _as(Task.responded_at), late, []
    if metric is ResponseMetric.ARRIVE:
        appointed = func.coalesce(Whistle.appointed_at, Task.issued_at)
        late = func.coalesce(Task.checked_in_at, moment) > appointed + CHECK_IN_GRACE
        return appointed, _as(Task.checked_in_at), late, []
    late = Incident.first_overdue_at.is_not(None)
    return _as(Incident.accepted_at), _as(Incident.resolved_at), late, [_IN_THE_RATE]


_CLOSED_FROM_LEDGER = (
    select(LedgerItem.id)
    .where(
        LedgerItem.incident_id == Incident.id,
        LedgerItem.round == Incident.round,
        LedgerItem.ended_how == "closed",
    )
    .correlate(Incident)
    .exists()
)
_IN_THE_RATE = Incident.status.not_in(WAITING) & ~_CLOSED_FROM_LEDGER


def _as(column: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    return column.expression


def _cells(session: Session, window: Window) -> gpd.GeoDataFrame:
    day = atlas.day_with_grid(session, window.last_day)
    cells = atlas.areas(session, level=window.level, parent=window.area, edition_id=window.edition, on=day)
    if cells.empty:
        raise InvalidInput(
            "no_cells",
            f"there is no {window.level} in area {window.area or 'of the city'}: choose a level below the area's own",
            field="level",
            got=window.level.value,
        )
    if cells["households"].isna().any():
        below = _households_below(session, window, day)
        homes = cells["households"].astype(float)
        cells["households"] = homes.fillna(cells["code"].map(below).astype(float))
    return cells


def _households_below(session: Session, window: Window, day: date) -> dict[str, float]:
    leaves = atlas.areas(session, parent=window.area, edition_id=window.edition, on=day)
    leaves = leaves[leaves["households"].notna()]
    length = CODE_LENGTH[window.level]
    if leaves.empty:
        return {}
    deepest = leaves[leaves["code"].str.len() == leaves["code"].str.len().max()]
    homes = deepest.groupby(deepest["code"].str[:length])["households"].sum()
    return {str(code): float(number) for code, number in homes.items()}


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
        recurrences=recurrences(session, scope, window),
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
