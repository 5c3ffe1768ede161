"""Figures for maps and tables: how many, how long, which share, what gathers, what comes back; one row a grid.

Every figure has its n and its denominator; children add up to their parent. Duplicates that were merged count once,
with their master. Rejected and cancelled reports and reports that lie in no cell do not count. Areas are those of the
grid in force at the end of the window, and an incident counts where the code lies that it hit ("as it was"), or in
the cell that holds its point where that code is no more; or both are those of an edition that the window names, and an
incident counts where its point lies on that grid.

This is the door: it asks for the facts (`grids.facts`) and hands them to `grids.figures`, one module a question. All
frames are in EPSG:4490 with the columns code, name, level, households, km2, n, value, denominator and `small` (stands
on 1 to 9 cases, where it is a rate or a time); what is not known is NaN, never 0.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID, metric_crs
from gis.density import Surface, kernel_density
from gis.errors import InvalidInput
from grids import calendars
from grids.figures import counts as counting
from grids.figures import hotspots as scoring
from grids.figures import rates as sharing
from grids.figures import series, times
from grids.figures.areaview import AreaView, area_view
from grids.figures.asking import Figure, HotspotMetric, Rate, ResponseMetric, TimeKind, Window, lately
from grids.figures.recurring import MOST_ON_A_MAP, RecurrentPlaces, recurrences, recurrent_places
from grids.figures.series import Weekly
from grids.figures.taking import COUNTED, Taken, take
from grids.rules.codes import level_of
from grids.rules.defaultpoints import DefaultPoint, find_default_points
from grids.rules.levels import CODE_LENGTH, TOP_DOWN, GridLevel
from grids.rules.moments import micros
from grids.rules.permissions import Scope
from grids.tables import Incident

__all__ = [
    "COUNTED",
    "MOST_ON_A_MAP",
    "AreaView",
    "Density",
    "Figure",
    "HotspotMetric",
    "Rate",
    "RecurrentPlaces",
    "ResponseMetric",
    "TimeKind",
    "Weekly",
    "Window",
    "area_view",
    "compare",
    "counts",
    "default_points",
    "density",
    "emerging",
    "hotspots",
    "lately",
    "rates",
    "recurrences",
    "recurrent_places",
    "responses",
    "usual",
    "weekly",
]


class Density(NamedTuple):
    """A surface, the CRS that its metres are of, and how many incidents were left out as they lie at default points."""

    surface: Surface
    crs: pyproj.CRS
    left_out: int


def counts(
    session: Session, scope: Scope, window: Window, metric: HotspotMetric = HotspotMetric.COUNT
) -> gpd.GeoDataFrame:
    """Return how many incidents each grid had; see `grids.figures.counts.counted`."""
    taken = take(session, scope, window)
    return counting.counted(taken.cells, taken.counted(), metric)


def usual(session: Session, scope: Scope, window: Window, *, now: datetime) -> float | None:
    """Return how many cases of a window's kind 1,000 households usually have in 30 days, None where nobody can tell.

    Usual is what a year had, up to the end of the quarter in which the window ends, in the largest area round the
    window's that the reader sees whole; a department has its own cases, of the district. So it is one number for all
    areas, levels and periods of a quarter, by which classes may be set.
    """
    since, until = counting.year_to_quarter(window.last_day, now)
    area = window.area
    if area is not None:
        above = (area[: CODE_LENGTH[level]] for level in TOP_DOWN)
        area = next((code for code in above if scope.covers(code)), area[: CODE_LENGTH[GridLevel.DISTRICT]])
    level = level_of(area) if area is not None else GridLevel.DISTRICT
    year = replace(window, area=area, level=level, since=since, until=until, edition=None)
    try:
        taken = take(session, scope, year)
    except InvalidInput:
        return None  # no grid was in force then
    households = float(taken.ground.cells["households"].astype(float).sum())
    return counting.rate_in_a_month(taken.case("received"), households, until)


def hotspots(
    session: Session,
    scope: Scope,
    window: Window,
    metric: HotspotMetric = HotspotMetric.COUNT,
    *,
    without_default_points: bool = False,
) -> gpd.GeoDataFrame:
    """Return the counts of a window and which grids are hot or cold beyond chance.

    Columns: those of `counts`, z, p, hot, cold, quadrant, smoothed (see `grids.figures.hotspots.scored`) and left_out:
    how many incidents of the grid do not count as they lie at default points, 0 unless it is asked that they are.
    Source: Ord & Getis (1995), Geographical Analysis 27(4), 286-306; Anselin (1995), ibid. 27(2), 93-115.
    """
    taken = take(session, scope, window)
    out = np.zeros(taken.rows.shape, dtype=np.bool_)
    if without_default_points:
        out = _at_default_points(session, taken)[1]
    cells = counting.counted(taken.cells, taken.counted(~out), metric)
    cells["left_out"] = taken.counted(out)
    return scoring.scored(cells, taken.ground.weights, metric)


def responses(
    session: Session,
    scope: Scope,
    window: Window,
    metric: ResponseMetric,
    *,
    now: datetime,
    time: TimeKind = TimeKind.NATURAL,
) -> gpd.GeoDataFrame:
    """Return how long a step took by grid: median and 90th percentile in minutes, n, share overdue.

    Columns: those of every figure, value (median), p90, open (of the n, how many still run) and overdue_share. Reports
    of the window count, whenever the step came; see `grids.figures.times`. Raises `Unavailable` ("calendar_unknown")
    for working time where the calendar lacks a day.
    """
    taken = take(session, scope, window, where_late=metric is ResponseMetric.HANDLE)
    calendar = None
    if time is TimeKind.WORKING:
        calendar = calendars.around(session, now, since=window.since)
    moment = micros(now)
    return times.timed(taken.cells, times.spans(taken, metric, moment), moment, calendar)


def rates(session: Session, scope: Scope, window: Window, rate: Rate, *, now: datetime) -> gpd.GeoDataFrame:
    """Return a share of the cases by grid; see `grids.figures.rates.shared`. Columns: also open_late."""
    late = rate in (Rate.OVERDUE, Rate.ON_TIME)
    return sharing.shared(take(session, scope, window, where_late=late), rate, micros(now))


def weekly(session: Session, scope: Scope, window: Window) -> Weekly:
    """Return how many incidents each grid had by week; see `grids.figures.series.by_week`."""
    return series.by_week(take(session, scope, window), window.since, window.until)


def emerging(session: Session, scope: Scope, window: Window) -> gpd.GeoDataFrame:
    """Return which grids are becoming hot or cold, over the whole weeks of a window, Monday to Sunday.

    Columns: those of every figure, pattern, z, trend_z, trend_p; see `grids.figures.series.with_patterns`.
    """
    taken = take(session, scope, window)
    by_week = series.by_week(taken, window.since, window.until)
    return series.with_patterns(taken.cells, series.whole_weeks(by_week), taken.ground.weights)


def density(
    session: Session, scope: Scope, window: Window, *, bandwidth_m: float = 300.0, cell_m: float = 100.0
) -> Density:
    """Return the incidents of a window as a surface that knows no borders, default points left out.

    bandwidth_m, cell_m : see `gis.density.kernel_density`. Metres are those of a projected system of the place.
    """
    taken = take(session, scope, window)
    kept = ~_at_default_points(session, taken)[1]
    west, south, east, north = taken.ground.cells.total_bounds
    crs = metric_crs((west + east) / 2, (south + north) / 2)
    there = pyproj.Transformer.from_crs(STORAGE_SRID, crs, always_xy=True)
    x, y = there.transform(taken.case("lon")[kept], taken.case("lat")[kept])
    bounds = there.transform_bounds(west, south, east, north)
    surface = kernel_density(x, y, bounds, cell_m, bandwidth_m)
    return Density(surface, crs, int((~kept).sum()))


def default_points(session: Session, scope: Scope, window: Window) -> gpd.GeoDataFrame:
    """Return the coordinates of a window that hold many unrelated incidents, the one with most of them first.

    Columns: lon, lat, name (the address that most of them give, "" for none), n, categories, addresses, days (how many
    different ones), left_out (how many incidents a map of hotspots or a surface leaves out for it), grid_code (as it
    was hit), geometry (points, EPSG:4490). For the rule see `grids.rules.defaultpoints`.
    """
    taken = take(session, scope, window)
    found, _, addresses = _at_default_points(session, taken)
    codes, grid = taken.facts.codes, taken.case("grid")
    rows = [
        {
            "lon": point.lon,
            "lat": point.lat,
            "name": _most_common([addresses.get(member) for member in point.members]),
            "n": point.n,
            "categories": point.categories,
            "addresses": point.addresses,
            "days": point.days,
            "left_out": point.n,
            "grid_code": codes[int(grid[point.members[0]])],
        }
        for point in found
    ]
    names = ("lon", "lat", "name", "n", "categories", "addresses", "days", "left_out", "grid_code")
    return gpd.GeoDataFrame(
        {name: [row[name] for row in rows] for name in names},
        geometry=shapely.points([(point.lon, point.lat) for point in found]) if found else [],
        crs=f"EPSG:{STORAGE_SRID}",
    )


def compare(later: gpd.GeoDataFrame, earlier: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the later of two figures with value_before, n_before and change; see `grids.figures.series.changes`."""
    return series.changes(later, earlier)


_At = tuple[list[DefaultPoint], NDArray[np.bool_], dict[int, str | None]]


def _at_default_points(session: Session, taken: Taken) -> _At:
    """Return the default points, which cases (m,) lie at one, and addresses by their position."""
    lon, lat = taken.case("lon"), taken.case("lat")
    out = np.zeros(taken.rows.shape, dtype=np.bool_)
    addresses: dict[int, str | None] = {}

    def keys(places: NDArray[np.int64]) -> list[str | None]:
        ids = taken.case("id")[places].tolist()
        query = select(Incident.id, Incident.address).where(Incident.id == func.any(ids))
        told: dict[int, str | None] = {row.id: row.address for row in session.execute(query)}
        addresses.update(zip(places.tolist(), map(told.get, ids), strict=True))
        return [None if text is None else text.strip().casefold() for text in map(told.get, ids)]

    kinds = np.array(taken.facts.categories, dtype=np.str_)[taken.case("category")]
    days = taken.case("received").view("datetime64[us]")
    found = find_default_points(lon, lat, kinds, days, keys)
    for point in found:
        out[list(point.members)] = True
    return found, out, addresses


def _most_common(texts: list[Any]) -> str:
    told = Counter(text.strip() for text in texts if text and text.strip())
    return max(sorted(told), key=told.__getitem__, default="")
