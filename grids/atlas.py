"""The grid in force: find the cell of a point, read areas for maps.

The cells in force are held in memory as a `gis.Locator`, one per database. Every location asks the
database which editions are in force (one small query), so that a new edition is used before the next report
is placed, in every process. `grids.editions` loads and publishes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from weakref import WeakKeyDictionary

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import Pool

from gis.crs import STORAGE_SRID, Frame, looks_swapped, parse_frame, to_storage
from gis.errors import InvalidInput, NotFound, Unavailable
from gis.locate import Locator
from grids.rules.levels import CODE_LENGTH, GridLevel
from grids.scope import under
from grids.tables import Edition, EditionStatus, Grid, Placement

__all__ = [
    "BORDER_M",
    "Atlas",
    "Place",
    "areas",
    "current",
    "day_with_grid",
    "grid",
    "in_force",
    "levels_of",
    "locate",
    "of_edition",
    "require_cell",
]

BORDER_M = 30.0  # nearer than this to a border, the answer says so


@dataclass(frozen=True, slots=True)
class Place:
    """Where a point lies.

    lon, lat : in the storage frame. code : the cell, None outside every grid.
    levels : level -> code of the areas that hold the point. nearest_district : for a point outside.
    candidates : (code, share of the accuracy circle), where an accuracy was given.
    """

    lon: float
    lat: float
    frame: str
    how: Placement
    code: str | None
    nearest_district: str
    border_distance_m: float | None
    edition_id: int | None
    levels: dict[str, str] = field(default_factory=dict)
    candidates: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Atlas:
    """The cells in force, prepared for location.

    codes, editions : (n,) of the cells, sorted by code; locator : over their polygons in that order.
    names : of the areas of all levels, by code.
    """

    codes: NDArray[np.object_]
    editions: NDArray[np.int64]
    locator: Locator
    names: dict[str, str]

    @classmethod
    def of(cls, areas: gpd.GeoDataFrame, leaf_level: GridLevel) -> Atlas:
        """Make an atlas of areas that are in no database: columns code, level, name, geometry."""
        leaves = areas[areas["level"] == leaf_level].sort_values("code")
        return cls(
            codes=leaves["code"].to_numpy(dtype=object),
            editions=np.zeros(len(leaves), dtype=np.int64),
            locator=Locator(leaves.geometry.to_numpy()),
            names=dict(zip(areas["code"], areas["name"], strict=True)),
        )

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of all cells, degrees."""
        west, south, east, north = shapely.total_bounds(self.locator.polygons)
        return float(west), float(south), float(east), float(north)

    def place(self, lon: float, lat: float, frame: str, *, accuracy_m: float | None = None) -> Place:
        """Place one point by the edge rule: the cell that covers it, the lowest code on a shared edge.

        Raises `UnknownFrame`, or `InvalidInput` ("axes_swapped") for a point that lies outside every grid
        and would lie inside with its coordinates exchanged.
        """
        known = parse_frame(frame)
        if looks_swapped(lon, lat, self.bounds):
            raise InvalidInput(
                "axes_swapped",
                f"longitude {lon:g}, latitude {lat:g} lies outside the city and inside it the other way round: "
                "are they swapped?",
                field="lon",
                got=[lon, lat],
                wanted="longitude first",
            )
        x, y = to_storage(lon, lat, known)
        index = int(self.locator.locate(np.array([x]), np.array([y]))[0])
        if index < 0:
            return self._outside(x, y, known)
        distance = float(self.locator.border_distance_m(x, y, np.array([index]))[0])
        code = str(self.codes[index])
        shares = self.locator.shares(x, y, accuracy_m) if accuracy_m else []
        return Place(
            lon=x,
            lat=y,
            frame=known.value,
            how=Placement.BORDER if distance <= BORDER_M else Placement.INSIDE,
            code=code,
            nearest_district=code[:6],
            border_distance_m=distance,
            edition_id=int(self.editions[index]),
            levels=levels_of(code),
            candidates=tuple((str(self.codes[i]), round(share, 4)) for i, share in shares),
        )

    def _outside(self, x: float, y: float, frame: Frame) -> Place:
        nearest, metres = self.locator.nearest(x, y)
        return Place(
            lon=x,
            lat=y,
            frame=frame.value,
            how=Placement.OUTSIDE,
            code=None,
            nearest_district=str(self.codes[int(nearest[0])])[:6],
            border_distance_m=float(metres[0]),
            edition_id=None,
        )


def levels_of(code: str) -> dict[str, str]:
    """Return the codes of the areas that a code lies in, by level, itself included."""
    return {level.value: code[: CODE_LENGTH[level]] for level in GridLevel if CODE_LENGTH[level] <= len(code)}


def of_edition(session: Session, edition_id: int) -> Atlas:
    """Return the atlas of one edition, in force or not."""
    return _build(session, (edition_id,))


def in_force(on: date) -> ColumnElement[bool]:
    """Return the condition that an edition is in force on a day."""
    return and_(
        Edition.status.in_((EditionStatus.PUBLISHED, EditionStatus.SUPERSEDED)),
        Edition.effective_from <= on,
        or_(Edition.effective_to.is_(None), Edition.effective_to > on),
    )


def day_with_grid(session: Session, day: date) -> date:
    """Return a day, or the first day of the oldest published edition where the day lies before it.

    So older history is shown on the oldest grid that there is.
    """
    first = session.scalar(
        select(func.min(Edition.effective_from)).where(
            Edition.status.in_((EditionStatus.PUBLISHED, EditionStatus.SUPERSEDED))
        )
    )
    return max(day, first) if first is not None else day


# by connection pool, which all engines on one database share
_atlases: WeakKeyDictionary[Pool, tuple[tuple[int, ...], Atlas]] = WeakKeyDictionary()


def current(session: Session, *, on: date) -> Atlas:
    """Return the atlas of the editions in force on a day, from memory where nothing changed.

    Editions that are published never change, so their ids tell whether what is in memory still holds.

    Raises `Unavailable` ("no_grid") while nothing is published.
    """
    ids = tuple(session.scalars(select(Edition.id).where(in_force(on)).order_by(Edition.id)))
    bind = session.get_bind()
    pool = (bind.engine if isinstance(bind, Connection) else bind).pool
    kept = _atlases.get(pool)
    if kept is not None and kept[0] == ids:
        return kept[1]
    atlas = _build(session, ids)
    _atlases[pool] = (ids, atlas)
    return atlas


def _build(session: Session, edition_ids: Sequence[int]) -> Atlas:
    rows = session.execute(
        select(Grid.code, Grid.edition_id, Grid.boundary)
        .join(Edition, Edition.id == Grid.edition_id)
        .where(Grid.edition_id.in_(edition_ids), Grid.level == Edition.leaf_level)
        .order_by(Grid.code)
    ).all()
    if not rows:
        raise Unavailable(
            "no_grid", "no grid edition is in force: load and publish one (gridwhistle grids load, publish)"
        )
    polygons = shapely.from_wkb([bytes(row.boundary.data) for row in rows])
    names = select(Grid.code, Grid.name).where(Grid.edition_id.in_(edition_ids))
    return Atlas(
        codes=np.array([row.code for row in rows], dtype=object),
        editions=np.array([row.edition_id for row in rows], dtype=np.int64),
        locator=Locator(polygons),
        names={row.code: row.name for row in session.execute(names)},
    )


def locate(
    session: Session, lon: float, lat: float, frame: str, *, accuracy_m: float | None = None, on: date
) -> Place:
    """Place one point in the grid in force on a day; see `Atlas.place`."""
    return current(session, on=on).place(lon, lat, frame, accuracy_m=accuracy_m)


def require_cell(session: Session, code: str, *, on: date) -> int:
    """Return the edition in force that holds a cell. Raises `NotFound` ("grid_not_found")."""
    found = session.scalar(
        select(Grid.edition_id)
        .join(Edition, Edition.id == Grid.edition_id)
        .where(Grid.code == code, Grid.level == Edition.leaf_level, in_force(on))
    )
    if found is None:
        raise NotFound("grid_not_found", f"there is no grid cell {code} in the edition in force", code=code)
    return found


def grid(session: Session, code: str, *, on: date) -> Grid:
    """Return one area in force by its code. Raises `NotFound` ("grid_not_found")."""
    found = session.scalar(
        select(Grid).join(Edition, Edition.id == Grid.edition_id).where(Grid.code == code, in_force(on))
    )
    if found is None:
        raise NotFound("grid_not_found", f"there is no area {code} in the edition in force", code=code)
    return found


def areas(
    session: Session,
    *,
    level: GridLevel | None = None,
    parent: str | None = None,
    bbox: tuple[float, float, float, float] | None = None,
    edition_id: int | None = None,
    on: date,
    limit: int | None = None,
) -> gpd.GeoDataFrame:
    """Return areas as a GeoDataFrame (EPSG:4490), by code: of a level, under a parent, touching a box.

    Columns: code, level, name, households, population, area_m2, edition_id, geometry. edition_id asks for
    one edition instead of those in force.
    """
    wanted: list[ColumnElement[bool]] = [Grid.edition_id == edition_id if edition_id else in_force(on)]
    if level is not None:
        wanted.append(Grid.level == level)
    if parent is not None:
        wanted.append(under(Grid.code, parent))
    if bbox is not None:
        wanted.append(Grid.boundary.op("&&")(func.ST_MakeEnvelope(*bbox, STORAGE_SRID)))
    columns = ("code", "level", "name", "households", "population", "area_m2", "edition_id")
    rows = session.execute(
        select(*(getattr(Grid, name) for name in columns), Grid.boundary)
        .join(Edition, Edition.id == Grid.edition_id)
        .where(*wanted)
        .order_by(Grid.code)
        .limit(limit)
    ).all()
    data: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in columns}
    data["level"] = [level.value for level in data["level"]]
    shapes = shapely.from_wkb([bytes(row.boundary.data) for row in rows])
    return gpd.GeoDataFrame(data, geometry=shapes, crs=f"EPSG:{STORAGE_SRID}")
