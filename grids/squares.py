"""Incidents of a tile gathered in squares: how many there are in each, how bad the worst is, where their middle lies.

Counted from the facts in memory (`grids.facts`), or from the rows where the facts do not know a filter, and for open
cases, which an index of their own names. Both answer the same to the last digit: which square an incident lies in is
told by the degrees of the squares' edges, which both compare with, and not by a formula that each would round in its
own way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Float, case, func, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID
from gis.tiles import Tile
from grids.facts import Facts, facts
from grids.figures.reading import CHANNELS, GRADES, MISSING, STATUSES
from grids.figures.taking import COUNTED, seen
from grids.register import Filters, conditions
from grids.rules.grading import Grade
from grids.rules.lifecycle import OPEN_STATUSES, UNCOUNTED_STATUSES
from grids.rules.moments import micros
from grids.rules.permissions import Scope
from grids.scope import incidents_in
from grids.tables import Incident

__all__ = ["SIDE", "Square", "from_facts", "from_rows", "squares"]

SIDE = 16
"""Squares along a tile: each is 16 pixels wide where tiles have 256."""

_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_RANKS = len(Grade)  # stands for no grade, below the mildest


@dataclass(frozen=True, slots=True)
class Square:
    """A square with incidents in it. line, column : from the north and from the west, of `SIDE`.

    worst : the worst grade where any is known. lon, lat : the mean of where they lie, in degrees.
    """

    line: int
    column: int
    n: int
    worst: Grade | None
    lon: float
    lat: float


def squares(session: Session, scope: Scope, tile: Tile, filters: Filters) -> list[Square]:
    """Return the squares of a tile that hold incidents in a scope, line by line.

    Merged, rejected and cancelled reports do not count. The western and the northern edge of a square are its own.
    """
    if filters.text or filters.bbox or filters.asks_to_wait or _only_open(filters):
        return from_rows(session, scope, tile, filters)
    return from_facts(session, scope, tile, filters)


def from_rows(session: Session, scope: Scope, tile: Tile, filters: Filters) -> list[Square]:
    """Return what `squares` does, counted by PostgreSQL; for any filters."""
    lons, souths = _edges(tile)
    lon, lat = func.ST_X(Incident.point), func.ST_Y(Incident.point)
    column = func.width_bucket(lon, literal(lons.tolist(), ARRAY(Float(53))))
    line = func.width_bucket(-lat, literal(souths.tolist(), ARRAY(Float(53))))
    # wider than the tile: the box only lets the index find them, the edges decide
    around = func.ST_MakeEnvelope(*tile.box(1), STORAGE_SRID)
    rank = case({grade: grade.rank for grade in Grade}, value=Incident.grade)
    # each expression stands here once, or PostgreSQL works it out as often; what lies beside the tile is left out below
    query = (
        select(line, column, func.count(), func.min(rank), func.avg(lon), func.avg(lat))
        .where(
            incidents_in(scope),
            *conditions(filters),
            Incident.status.not_in(UNCOUNTED_STATUSES),
            Incident.point.op("&&")(around),
        )
        .group_by(text("1, 2"))
        .order_by(text("1, 2"))
    )
    # a plan that were made once for all tiles would take the same index for one street and for the whole city
    session.execute(text("set local plan_cache_mode = force_custom_plan"))
    grades = tuple(Grade)
    return [
        Square(
            down - 1, right - 1, n, None if worst is None else grades[worst], *_rounded(mean_lon, mean_lat)
        )
        for down, right, n, worst, mean_lon, mean_lat in session.execute(query)
        if 1 <= down <= SIDE and 1 <= right <= SIDE
    ]


def from_facts(session: Session, scope: Scope, tile: Tile, filters: Filters) -> list[Square]:
    """Return what `squares` does, counted in memory; text, bbox and asks_to_wait are not looked at."""
    found = facts(session, filters.since or _ALWAYS[0], filters.until or _ALWAYS[1])
    lons, souths = _edges(tile)
    lon, lat = found.case("lon"), found.case("lat")
    inside = _states(filters)[found.case("status")]
    inside &= (lon >= lons[0]) & (lon < lons[-1])
    inside &= (lat <= -souths[0]) & (lat > -souths[-1])
    rows = np.flatnonzero(inside)
    rows = rows[_asked_for(found, filters, rows)]
    if not scope.everything:
        rows = rows[seen(found, scope)[rows]]
    lon, lat = lon[rows], lat[rows]
    at = _between(-lat, souths).astype(np.int64) * SIDE + _between(lon, lons)
    n = np.bincount(at, minlength=SIDE * SIDE)
    ranks = _ranks()[found.case("grade")[rows]]
    graded = np.bincount(at * (_RANKS + 1) + ranks, minlength=SIDE * SIDE * (_RANKS + 1))
    worst = (graded.reshape(-1, _RANKS + 1) > 0).argmax(axis=1)
    full = np.flatnonzero(n)
    mean_lon, mean_lat = (
        np.bincount(at, weights=degrees, minlength=SIDE * SIDE)[full] / n[full] for degrees in (lon, lat)
    )
    grades = (*Grade, None)
    return [
        Square(*divmod(place, SIDE), count, grades[rank], *_rounded(east, north))
        for place, count, rank, east, north in zip(
            full.tolist(),
            n[full].tolist(),
            worst[full].tolist(),
            mean_lon.tolist(),
            mean_lat.tolist(),
            strict=True,
        )
    ]


def _between(degrees: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return between which edges degrees lie, 0 to `SIDE` - 1: with so few edges quicker than a search for each."""
    place = np.zeros(degrees.shape, dtype=np.uint8)
    for edge in edges[1:-1]:
        place += degrees >= edge
    return place


def _asked_for(found: Facts, filters: Filters, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which of some cases pass the filters that are not of their state, as `grids.register.conditions` does."""
    passed = np.ones(rows.shape, dtype=np.bool_)

    def demand(name: str, what: Callable[[NDArray[Any]], Any]) -> None:
        nonlocal passed
        passed &= what(found.case(name)[rows])

    if filters.since:
        since = micros(filters.since)
        demand("received", lambda at: at >= since)
    if filters.until:
        until = micros(filters.until)
        demand("received", lambda at: at < until)
    if filters.area:
        area = np.array([code.startswith(filters.area) for code in found.codes], dtype=np.bool_)
        demand("grid", lambda grid: area[grid])
    if filters.category:
        kinds = found.categories
        kind = kinds.index(filters.category) if filters.category in kinds else -1
        demand("category", lambda category: category == kind)
    if filters.grade:
        grade = GRADES[filters.grade]
        demand("grade", lambda number: number == grade)
    if filters.channel:
        channel = CHANNELS[filters.channel]
        demand("channel", lambda number: number == channel)
    if filters.overdue_only:
        demand("overdue_at", lambda at: at != MISSING)
    if filters.counted_only:
        demand("outside", np.logical_not)
    return passed


def _states(filters: Filters) -> NDArray[np.bool_]:
    """Return whether a case counts, by the number of its state in the facts."""
    wanted = set(filters.statuses or COUNTED) & set(COUNTED)
    if filters.open_only:
        wanted &= OPEN_STATUSES
    counts = np.zeros(max(STATUSES.values()) + 1, dtype=np.bool_)
    counts[[STATUSES[status] for status in wanted]] = True
    return counts


def _ranks() -> NDArray[np.int64]:
    """Return the rank of each grade by its number in the facts; `_RANKS` for none."""
    ranks = np.full(max(GRADES.values()) + 1, _RANKS, dtype=np.int64)
    for grade, number in GRADES.items():
        ranks[number] = grade.rank
    return ranks


def _only_open(filters: Filters) -> bool:
    return filters.open_only or bool(filters.statuses and OPEN_STATUSES.issuperset(filters.statuses))


def _rounded(lon: float, lat: float) -> tuple[float, float]:
    """Return a mean to the centimetre: the last digits hang on the order in which it was added up."""
    return round(lon, 7), round(lat, 7)


def _edges(tile: Tile) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the degrees of the squares' edges, (`SIDE` + 1,) each, rising: longitudes, and minus the latitudes."""
    lons, lats = tile.edges(SIDE)
    return np.array(lons), -np.array(lats)
