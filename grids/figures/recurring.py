"""Places where one category comes back: found among the cases in memory; only their numbers are read from the rows.

The points of a category hang on its cases alone, so they are kept under these, and as long as none of them changes
nobody looks for them again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID, metric_crs
from gis.errors import InvalidInput
from gis.near import spread
from grids.cursors import read_cursor, write_cursor
from grids.figures.asking import Window
from grids.figures.counts import FEW
from grids.figures.ground import Shelf
from grids.figures.reading import MISSING, STATUSES
from grids.figures.taking import Taken, take
from grids.rain import read_rain
from grids.rules.categories import WATERLOGGING
from grids.rules.centres import STILL_OPEN, Recurrences, recurrences_of
from grids.rules.codes import level_of
from grids.rules.levels import GridLevel
from grids.rules.lifecycle import OPEN_STATUSES
from grids.rules.moments import micros, moment
from grids.rules.permissions import Scope
from grids.rules.rain import NO_RAIN, Rain
from grids.tables import Category, Incident

__all__ = ["MOST_ON_A_MAP", "RecurrentPlaces", "recurrences", "recurrent_places"]

MOST_ON_A_MAP = 2_000
"""More recurrent places than this no map shows: it takes the most frequent, and says so."""

Ints = NDArray[np.int64]


class RecurrentPlaces(NamedTuple):
    """Recurrent places of a window, the most frequent first.

    total : how many there are. places : those that were asked for; category, category_name, category_name_en, kind
    (waterlogging, parking, garbage or other), times, first_at, last_at (aware), mean_gap_days, open (cases still
    open), numbers (list of incident numbers, by time), grid_code (of the first of them), geometry (points, EPSG:4490).
    next_cursor : of those that follow, None after the last.
    """

    total: int
    places: gpd.GeoDataFrame
    next_cursor: str | None


def recurrences(session: Session, scope: Scope, window: Window) -> gpd.GeoDataFrame:
    """Return how much of what happens in each grid happens where it keeps coming back.

    Columns: those of every figure, n (cases at recurrent places), denominator (all cases), value (n / denominator, 0
    to 1), places (how many begin in the grid), open (of n, how many are still open). For the rule see
    `grids.rules.recurrence`; a place may lie across a border, and each of its cases counts in its own grid. Places are
    found among the cases of the window's area alone: what lies across its own border does not help to make one.
    """
    taken = take(session, scope, window)
    found = _find(session, taken, window)
    cells, size = taken.cells, len(taken.cells)
    cell = taken.cell[found.members]
    n = np.bincount(cell, minlength=size)
    denominator = taken.counted().astype(np.float64)
    cells["n"] = n.astype(np.int64)
    cells["denominator"] = denominator
    cells["value"] = np.divide(n, denominator, out=np.full(size, np.nan), where=denominator > 0)
    cells["small"] = (denominator > 0) & (denominator < FEW)
    cells["places"] = np.bincount(taken.cell[found.members[found.begin]], minlength=size)
    cells["open"] = np.bincount(cell[_open_now(taken)[found.members]], minlength=size)
    return cells


def recurrent_places(
    session: Session, scope: Scope, window: Window, *, most: int | None = None, cursor: str | None = None
) -> RecurrentPlaces:
    """Return the places of a window where one category came back at least three times within 90 days.

    most : how many at most; cursor : where the ones before ended. The level of the window is of no account; an area
    that is not on the grid has no places. Raises `InvalidInput` ("bad_cursor").
    """
    level = level_of(window.area) if window.area else GridLevel.DISTRICT
    try:
        taken = take(session, scope, replace(window, level=level))
    except InvalidInput as error:
        if error.code != "no_cells":
            raise
        return RecurrentPlaces(0, _no_places(), None)
    found = _find(session, taken, window)
    begin = found.behind(cursor, taken) if cursor else 0
    end = found.times.size if most is None else min(found.times.size, begin + most)
    shown = found.some(np.arange(begin, end))
    more = found.cursor(end - 1, taken) if begin < end < found.times.size else None
    return RecurrentPlaces(found.times.size, _places(session, taken, shown), more)


@dataclass(frozen=True, slots=True)
class _Found:
    """k recurrent points, the most frequent first, then the one that began first.

    category : (k,) positions in the facts. times, mean_gap_days : (k,). members : (m,) positions among the cases
    taken, point after point and of a point by time; begin : (k,) where those of each point begin.
    """

    category: Ints
    times: Ints
    mean_gap_days: NDArray[np.float64]
    members: Ints
    begin: Ints

    @property
    def sizes(self) -> Ints:
        return np.diff(self.begin, append=self.members.size)

    def some(self, which: Ints) -> _Found:
        """Return some of the points, given by their positions."""
        sizes = self.sizes[which]
        return _Found(
            self.category[which],
            self.times[which],
            self.mean_gap_days[which],
            self.members[spread(self.begin[which], sizes)],
            np.cumsum(sizes) - sizes,
        )

    def in_order(self, taken: Taken) -> _Found:
        first = self.members[self.begin]
        order = np.lexsort((taken.case("id")[first], taken.case("received")[first], -self.times))
        return self.some(order)

    def cursor(self, point: int, taken: Taken) -> str:
        first = int(self.members[self.begin[point]])
        at, row_id = (int(taken.case(name)[first]) for name in ("received", "id"))
        return write_cursor(moment(at), row_id, str(self.times[point]))

    def behind(self, cursor: str, taken: Taken) -> int:
        """Return the position of the first point that stands behind a cursor."""
        at, row_id, times = read_cursor(cursor)
        if not times.isdecimal():
            raise InvalidInput(
                "bad_cursor", "take the cursor from the answer before this one", field="cursor"
            )
        first = self.members[self.begin]
        began, ids = (taken.case(name)[first] for name in ("received", "id"))
        same = self.times == int(times)
        earlier = (began < micros(at)) | ((began == micros(at)) & (ids <= row_id))
        return int(np.count_nonzero((self.times > int(times)) | (same & earlier)))


def _find(session: Session, taken: Taken, window: Window) -> _Found:
    radius = _radius(session)
    kind = taken.case("category")
    counts = np.array([code in radius for code in taken.facts.categories], dtype=np.bool_)
    rows = np.flatnonzero(counts[kind])
    rows = rows[np.argsort(kind[rows], kind="stable")]
    kind = kind[rows]
    lon, lat, at, closed = (taken.case(name)[rows] for name in ("lon", "lat", "received", "closed"))
    closed[closed == MISSING] = STILL_OPEN
    west, south, east, north = taken.ground.cells.total_bounds
    crs = metric_crs((west + east) / 2, (south + north) / 2)
    rain = _rain(session, taken, window)

    def points(some: slice) -> tuple[int, Recurrences, Ints]:
        code = taken.facts.categories[kind[some.start]]
        found = _points(
            lon[some],
            lat[some],
            at[some],
            closed[some],
            radius[code],
            rain=rain if code in WATERLOGGING else None,
            crs=crs,
        )
        return int(kind[some.start]), found, rows[some]

    begins = np.flatnonzero(np.diff(kind, prepend=-1)).tolist()
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as threads:  # numpy lets them run at once
        parts = list(threads.map(points, (slice(*ends) for ends in pairwise([*begins, rows.size]))))
    return _together(parts).in_order(taken)


_SIDE_BY_SIDE = 2  # categories; more would leave no processor to the other questions of a small machine
_KEPT_BYTES = 64_000_000  # of points, for each process: those of a city
_kept = Shelf(_KEPT_BYTES, weight=lambda found: found.members.nbytes + 48 * found.times.size)


def _points(
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    at: Ints,
    closed_at: Ints,
    radius_m: float,
    *,
    rain: Rain | None,
    crs: pyproj.CRS,
) -> Recurrences:
    """Return the recurrent points of one category, from the shelf where they were found before."""

    def find() -> Recurrences:
        x, y = pyproj.Transformer.from_crs(STORAGE_SRID, crs, always_xy=True).transform(lon, lat)
        return recurrences_of(x, y, at, radius_m, closed_at=closed_at if rain is None else None, rain=rain)

    key = hashlib.blake2b(repr((radius_m, crs.to_string(), rain)).encode())
    for column in (lon, lat, at, closed_at):
        key.update(column.data)
    return _kept.get(key.digest(), find)


def _together(parts: list[tuple[int, Recurrences, Ints]]) -> _Found:
    """Return the points of several categories; of each its position, its points and the places of its cases."""
    nothing = np.empty(0, dtype=np.int64)
    members = np.concatenate([nothing, *(rows[found.members] for _, found, rows in parts)])
    sizes = np.concatenate([nothing, *(found.sizes for _, found, _ in parts)])
    return _Found(
        np.concatenate([nothing, *(np.full(found.times.size, kind) for kind, found, _ in parts)]),
        np.concatenate([nothing, *(found.times for _, found, _ in parts)]),
        np.concatenate([np.empty(0), *(found.mean_gap_days for _, found, _ in parts)]),
        members,
        np.cumsum(sizes) - sizes,
    )


def _radius(session: Session) -> dict[str, float]:
    """Return how many metres a place of each category reaches; those without have no places."""
    known = session.execute(
        select(Category.code, Category.recurrence_radius_m).where(Category.recurrence_radius_m > 0)
    ).all()
    return {code: float(radius) for code, radius in known if radius is not None}


def _rain(session: Session, taken: Taken, window: Window) -> Rain:
    """Return what gauges tell of the rain where all lies in one district; of several nobody could say whose it was."""
    districts = {taken.codes[place][:6] for place in np.unique(taken.leaf).tolist()}
    if len(districts) != 1:
        return NO_RAIN
    return read_rain(session, districts.pop(), window.since, window.until)


def _open_now(taken: Taken) -> NDArray[np.bool_]:
    among = np.zeros(max(STATUSES.values()) + 1, dtype=np.bool_)
    among[[STATUSES[status] for status in OPEN_STATUSES]] = True
    told: NDArray[np.bool_] = among[taken.case("status")]
    return told


def _places(session: Session, taken: Taken, found: _Found) -> gpd.GeoDataFrame:
    if not found.times.size:
        return _no_places()
    members, sizes = found.members, found.sizes
    known = {one.code: one for one in session.scalars(select(Category))}
    categories = [known[taken.facts.categories[kind]] for kind in found.category.tolist()]
    numbers = _numbers(session, taken.case("id")[members])
    received = taken.case("received")
    lon, lat, still = (
        np.add.reduceat(column[members], found.begin)
        for column in (taken.case("lon"), taken.case("lat"), _open_now(taken).astype(np.int64))
    )
    columns = {
        "category": [one.code for one in categories],
        "category_name": [one.name for one in categories],
        "category_name_en": [one.name_en for one in categories],
        "kind": [_kind(one.code) for one in categories],
        "times": found.times,
        "first_at": _moments(received[members[found.begin]]),
        "last_at": _moments(received[members[found.begin + sizes - 1]]),
        "mean_gap_days": found.mean_gap_days,
        "open": still,
        "numbers": [numbers[begin:end] for begin, end in pairwise([*found.begin.tolist(), members.size])],
        "grid_code": [taken.codes[leaf] for leaf in taken.leaf[members[found.begin]].tolist()],
    }
    return gpd.GeoDataFrame(
        columns, geometry=shapely.points(lon / sizes, lat / sizes), crs=f"EPSG:{STORAGE_SRID}"
    )


def _moments(received: Ints) -> list[datetime]:
    return [moment(at) for at in received.tolist()]


def _numbers(session: Session, ids: Ints) -> list[str]:
    """Return the numbers of cases."""
    query = select(Incident.id, Incident.number).where(Incident.id == func.any(ids.tolist()))
    known: Mapping[int, str] = dict(session.execute(query).all())
    return [known[one] for one in ids.tolist()]


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


def _no_places() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({name: [] for name in _PLACE_COLUMNS}, geometry=[], crs=f"EPSG:{STORAGE_SRID}")
