"""The grid in force: find the cell of a point, read areas for maps.

The cells in force are held in memory as a `gis.Locator`, one per database. Every location asks the
database which editions are in force (one small query), so that a new edition is used before the next report
is placed, in every process. `grids.ground.editions` loads and publishes them.

A position is never exact: it stands for a circle. Where that circle reaches into a cell other than the one that
holds the point, whoever reports is asked which of the cells it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from weakref import WeakKeyDictionary

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import Pool

from gis.crs import STORAGE_SRID, looks_swapped, parse_frame, to_storage
from gis.errors import InvalidInput, NotFound, Unavailable
from gis.locate import Locator
from gis.readings import explained
from grids.rules import explanation
from grids.rules.levels import CODE_LENGTH, GridLevel
from grids.scope import under
from grids.tables import Edition, EditionStatus, Grid, Placement

__all__ = [
    "BORDER_M",
    "Atlas",
    "Candidate",
    "Place",
    "areas",
    "change_editions",
    "current",
    "day_with_grid",
    "grid",
    "hold_edition",
    "in_force",
    "levels_of",
    "locate",
    "of_edition",
    "require_cell",
    "whole",
]

_EDITIONS_LOCK = 7_301_003  # any constant that no other lock of ours has

BORDER_M = 30.0  # nearer than this to a border, the answer says so; no circle of a position is smaller


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cell that a position may lie in.

    share : of the circle round the point, 0 to 1. distance_m : from the point to the cell, 0 for the one that
    holds it.
    """

    code: str
    name: str
    share: float
    distance_m: float
    edition_id: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a point lies.

    lon, lat : in the storage frame. code : the cell, None outside every grid.
    levels : level -> code of the areas that hold the point. nearest_district : for a point outside.
    candidates : the cells that a circle of the accuracy, of at least `BORDER_M`, touches, the largest share first.
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
    candidates: tuple[Candidate, ...] = ()

    @property
    def confirm(self) -> bool:
        """Whether it may as well lie elsewhere, so that whoever reports is asked."""
        return self.how is not Placement.CONFIRMED and any(one.code != self.code for one in self.candidates)

    def confirmed(self, code: str) -> Place:
        """Return the place in the cell that whoever reports says it is; the same where there was no choice.

        Raises `InvalidInput` ("cell_not_candidate") for a cell that it cannot lie in.
        """
        chosen = next((one for one in self.candidates if one.code == code), None)
        if chosen is None:
            raise InvalidInput(
                "cell_not_candidate",
                f"this point cannot lie in {code}: its candidates are "
                f"{', '.join(one.code for one in self.candidates) or 'none, for it is outside every grid'}",
                field="cell",
                got=code,
                wanted=[one.code for one in self.candidates],
            )
        if not self.confirm:
            return self
        return replace(
            self,
            how=Placement.CONFIRMED,
            code=code,
            nearest_district=code[:6],
            edition_id=chosen.edition_id,
            levels=levels_of(code),
        )


@dataclass(frozen=True)
class Atlas:
    """The cells in force, prepared for location.

    codes, editions : (n,) of the cells, sorted by code; locator : over their polygons in that order.
    names : of the areas of all levels, by code. edition_names : of the editions, by id.
    """

    codes: NDArray[np.object_]
    editions: NDArray[np.int64]
    locator: Locator
    names: dict[str, str]
    edition_names: dict[int, str] = field(default_factory=dict)

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
        return self.locator.bounds

    def place(self, lon: float, lat: float, frame: str, *, accuracy_m: float | None = None) -> Place:
        """Place one point by the edge rule: the cell that covers it, the lowest code on a shared edge.

        Raises `UnknownFrame`, or `InvalidInput` ("axes_swapped") for a point that lies outside every grid
        and would lie inside with its coordinates exchanged.
        """
        known = parse_frame(frame)
        bounds = self.bounds
        if looks_swapped(lon, lat, bounds, known):
            raise InvalidInput(
                "axes_swapped",
                f"longitude {lon:g}, latitude {lat:g} lies outside the city and inside it the other way round: "
                "are they swapped?",
                field="lon",
                got=[lon, lat],
                wanted="longitude, or easting, first",
            )
        try:
            x, y = to_storage(lon, lat, known)
        except InvalidInput as refused:
            raise explained(refused, bounds, "the city") from refused
        index = int(self.locator.locate(np.array([x]), np.array([y]))[0])
        if index < 0:
            return self._outside(x, y, known.value, accuracy_m)
        distance = float(self.locator.border_distance_m(x, y, np.array([index]))[0])
        code = str(self.codes[index])
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
            candidates=self.candidates(x, y, index, distance, accuracy_m),
        )

    def candidates(
        self, x: float, y: float, index: int, distance: float, accuracy_m: float | None
    ) -> tuple[Candidate, ...]:
        """Return the cells that a position may lie in, the largest share first.

        x, y : in the storage frame. index : of the cell that holds the point, -1 for none. distance : metres to its
        border, or to the nearest cell. accuracy_m : None where nobody said.
        """
        radius = max(accuracy_m or 0.0, BORDER_M)
        if radius < distance:  # nearly always: the circle lies within one cell, or reaches none
            return () if index < 0 else (self._candidate(index, 1.0, 0.0),)
        shares = self.locator.shares(x, y, radius)
        cells = np.array([cell for cell, _ in shares], dtype=np.intp)
        away = self.locator.border_distance_m(np.full(len(cells), x), np.full(len(cells), y), cells)
        return tuple(
            self._candidate(cell, share, 0.0 if cell == index else metres)
            for (cell, share), metres in zip(shares, away.tolist(), strict=True)
        )

    def why(
        self, place: Place, lon: float, lat: float, *, accuracy_m: float | None, at: datetime
    ) -> dict[str, Any]:
        """Return the entry of the explain record that says why a point, as it was given, came to its place."""
        return explanation.cell(
            place.code,
            place.how.value,
            at=at,
            edition=place.edition_id,
            edition_name=self.edition_names.get(place.edition_id) if place.edition_id else None,
            frame=place.frame,
            lon=lon,
            lat=lat,
            accuracy_m=accuracy_m,
            border_m=place.border_distance_m,
            candidates=[(one.code, one.share, one.distance_m) for one in place.candidates],
        )

    def _candidate(self, index: int, share: float, metres: float) -> Candidate:
        code = str(self.codes[index])
        return Candidate(
            code=code,
            name=self.names.get(code, code),
            share=round(share, 4),
            distance_m=metres,
            edition_id=int(self.editions[index]),
        )

    def _outside(self, x: float, y: float, frame: str, accuracy_m: float | None) -> Place:
        nearest, metres = self.locator.nearest(x, y)
        distance = float(metres[0])
        return Place(
            lon=x,
            lat=y,
            frame=frame,
            how=Placement.OUTSIDE,
            code=None,
            nearest_district=str(self.codes[int(nearest[0])])[:6],
            border_distance_m=distance,
            edition_id=None,
            candidates=self.candidates(x, y, -1, distance, accuracy_m),
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


def hold_edition(session: Session) -> None:
    """Keep the editions in force as they are until the transaction ends; any number may hold them at once.

    Whoever places a report holds them before looking: else a publication could commit between the look and
    the report, and the report would lie in a cell that is no more.
    """
    session.execute(select(func.pg_advisory_xact_lock_shared(_EDITIONS_LOCK)))


def change_editions(session: Session) -> None:
    """Wait until nobody holds the editions in force, and keep others from it until the transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(_EDITIONS_LOCK)))


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


def current(session: Session, *, on: date, keep: bool = True) -> Atlas:
    """Return the atlas of the editions in force on a day, from memory where nothing changed.

    Editions that are published never change, so their ids tell whether what is in memory still holds.
    keep : hold it in memory in the place of the one before; False for a look at another day.

    Raises `Unavailable` ("no_grid") while nothing is published.
    """
    ids = tuple(session.scalars(select(Edition.id).where(in_force(on)).order_by(Edition.id)))
    bind = session.get_bind()
    pool = (bind.engine if isinstance(bind, Connection) else bind).pool
    kept = _atlases.get(pool)
    if kept is not None and kept[0] == ids:
        return kept[1]
    atlas = _build(session, ids)
    if keep:
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
    editions = select(Edition.id, Edition.name).where(Edition.id.in_(edition_ids))
    return Atlas(
        codes=np.array([row.code for row in rows], dtype=object),
        editions=np.array([row.edition_id for row in rows], dtype=np.int64),
        locator=Locator(polygons),
        names={row.code: row.name for row in session.execute(names)},
        edition_names={row.id: row.name for row in session.execute(editions)},
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


def grid(session: Session, code: str, *, on: date, edition_id: int | None = None) -> Grid:
    """Return one area by its code, in force on a day or of one edition. Raises `NotFound` ("grid_not_found")."""
    found = session.scalar(
        select(Grid)
        .join(Edition, Edition.id == Grid.edition_id)
        .where(Grid.code == code, Grid.edition_id == edition_id if edition_id else in_force(on))
    )
    if found is None:
        which = f"edition {edition_id}" if edition_id else "the edition in force"
        raise NotFound("grid_not_found", f"there is no area {code} in {which}", code=code)
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

    Columns: code, level, name, source_code, households, population, size_reason, area_m2, edition_id, geometry.
    edition_id asks for one edition instead of those in force.
    """
    wanted: list[ColumnElement[bool]] = [Grid.edition_id == edition_id if edition_id else in_force(on)]
    if level is not None:
        wanted.append(Grid.level == level)
    if parent is not None:
        wanted.append(under(Grid.code, parent))
    if bbox is not None:
        wanted.append(Grid.boundary.op("&&")(func.ST_MakeEnvelope(*bbox, STORAGE_SRID)))
    columns = (
        "code",
        "level",
        "name",
        "source_code",
        "households",
        "population",
        "size_reason",
        "area_m2",
        "edition_id",
    )
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


def whole(session: Session, edition: Edition) -> gpd.GeoDataFrame:
    """Return all areas of one edition, columns as `areas`."""
    return areas(session, edition_id=edition.id, on=edition.effective_from)
