"""Vector tiles (Mapbox Vector Tile 2.1) of the grid and of incidents, made by PostGIS as they are asked for.

A tile of incidents holds what the list of the same filters holds, for the same reader: from zoom 13 on as points,
above that, and where a tile would hold more points than a browser can draw, gathered in squares with how many and
how bad (`grids.squares`). A square belongs to one tile only, so that the tiles of a zoom add up to the list. Points
are put into their tile by the closed formula of the Mercator projection: CGCS2000 is WGS 84 within a metre.

Tiles of the grid are the same for everybody, and editions that are published never change: those asked for last are
kept in memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import (
    CTE,
    Boolean,
    ColumnElement,
    Integer,
    Select,
    Text,
    func,
    literal,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.pool import Pool

from gis.crs import STORAGE_SRID
from gis.tiles import EXTENT, Tile
from grids import atlas
from grids.facts import pool_of
from grids.figures.ground import Shelf
from grids.register import Filters, conditions
from grids.rules.levels import GridLevel
from grids.rules.lifecycle import UNCOUNTED_STATUSES
from grids.rules.permissions import Scope
from grids.scope import incidents_in
from grids.squares import Square, squares
from grids.tables import Edition, EditionStatus, Grid, Incident

__all__ = [
    "BUFFER",
    "MOST_POINTS",
    "POINTS_FROM",
    "drawn_grid",
    "grid_tile",
    "incident_tile",
    "level_at",
]

BUFFER = 64
"""Units beyond the edge of a tile, so that a line or a sign on the edge is drawn whole."""

POINTS_FROM = 13
"""The zoom from which incidents are single points: a tile is 4 km wide in the middle of China."""

MOST_POINTS = 5_000
"""A browser draws about so many without a pause; a tile with more is gathered in squares too."""

_KEPT_BYTES = 64_000_000  # of tiles of the grid, for each process: those of a city and its surroundings
_FINAL = (EditionStatus.PUBLISHED, EditionStatus.SUPERSEDED)
_HAS_WRITTEN = literal_column("pg_current_xact_id_if_assigned() is not null", Boolean)
_shelves: WeakKeyDictionary[Pool, Shelf] = WeakKeyDictionary()

_LEVELS = ((13, GridLevel.BUILDING_GROUP), (11, GridLevel.COMMUNITY), (9, GridLevel.TOWN))


def level_at(zoom: int) -> GridLevel:
    """Return the level whose areas are worth looking at one by one at a zoom."""
    return next((level for least, level in _LEVELS if zoom >= least), GridLevel.DISTRICT)


def grid_tile(
    session: Session, tile: Tile, *, level: GridLevel | None = None, edition_id: int | None = None, on: date
) -> bytes:
    """Return the areas of a level that touch a tile, in force on a day or of one edition; empty where there are none.

    level : by default the one that fits the zoom. Layer `grids`; each feature has its area's id and the attributes
    code, name, level, edition, and households and population where they are known.
    """
    shown = level or level_at(tile.z)
    chosen = Edition.id == edition_id if edition_id else atlas.in_force(on)
    editions = session.execute(
        select(Edition.id, Edition.loaded_at, Edition.status, _HAS_WRITTEN).where(chosen).order_by(Edition.id)
    ).all()
    if not editions:
        return b""
    numbers = tuple(edition.id for edition in editions)
    if any(written or status not in _FINAL for *_, status, written in editions):
        return drawn_grid(session, tile, shown, numbers)
    shelf = _shelves.setdefault(pool_of(session), Shelf(_KEPT_BYTES, weight=_weight))
    # with the moment of loading, for a restored backup may have other grids under the same numbers
    key = tuple((edition.id, edition.loaded_at) for edition in editions)
    return shelf.get((key, shown, tile), lambda: drawn_grid(session, tile, shown, numbers))


def _weight(tile: bytes) -> int:
    return len(tile) + 500  # what an entry takes beside its bytes: tiles of the sea are empty, and many


def drawn_grid(session: Session, tile: Tile, level: GridLevel, editions: tuple[int, ...]) -> bytes:
    """Return the areas of a level and of some editions that touch a tile, drawn anew; see `grid_tile`."""
    around = func.ST_MakeEnvelope(*tile.box(BUFFER), STORAGE_SRID)
    envelope = func.ST_TileEnvelope(tile.z, tile.x, tile.y)
    # simplified by the snapping to the tile's own units, which moves a vertex that neighbours share alike for both
    drawn = func.ST_AsMVTGeom(func.ST_Transform(Grid.boundary, 3857), envelope, EXTENT, BUFFER, True)
    rows = (
        select(
            Grid.id,
            Grid.code,
            Grid.name,
            literal(level.value).label("level"),
            Grid.edition_id.label("edition"),
            Grid.households,
            Grid.population,
            drawn.label("geom"),
        )
        .where(Grid.edition_id.in_(editions), Grid.level == level, Grid.boundary.op("&&")(around))
        .order_by(Grid.code)
    )
    return _tile(session, rows, "grids", "id")


def incident_tile(session: Session, scope: Scope, tile: Tile, filters: Filters) -> bytes:
    """Return the incidents in a scope that lie in a tile; empty where there are none.

    Merged, rejected and cancelled reports are left out, as in every figure. Layer `incidents`. A point has number,
    status, and category and grade where they are known, its members in the neighbouring strip of `BUFFER` too. A
    square has n, and worst, the worst grade in it where any is known; it lies in the middle of its incidents.
    """
    if tile.z >= POINTS_FROM:
        points = _points(tile, scope, filters)
        held = session.scalar(select(func.count()).select_from(points.limit(MOST_POINTS + 1).subquery()))
        if not held:
            return b""
        if held <= MOST_POINTS:
            return _tile(session, points.order_by(literal_column("number")), "incidents")
    return _gathered(session, tile, squares(session, scope, tile, filters))


def _points(tile: Tile, scope: Scope, filters: Filters) -> Select[Any]:
    here = _here(tile, scope, filters)
    return select(
        here.c.number,
        here.c.status,
        here.c.category_code.label("category"),
        here.c.grade,
        func.ST_Point(func.floor(here.c.east), func.floor(here.c.south)).label("geom"),
    ).where(_within(here.c.east, BUFFER), _within(here.c.south, BUFFER))


def _gathered(session: Session, tile: Tile, found: Sequence[Square]) -> bytes:
    """Return a tile with a point for each square."""
    if not found:
        return b""
    units = [_unit(tile, square) for square in found]
    columns = (
        literal([square.n for square in found], ARRAY(Integer)),
        literal([square.worst and square.worst.value for square in found], ARRAY(Text)),
        literal([east for east, _ in units], ARRAY(Integer)),
        literal([south for _, south in units], ARRAY(Integer)),
    )
    each = func.unnest(*columns).table_valued("n", "worst", "east", "south").render_derived()
    return _tile(
        session,
        select(each.c.n, each.c.worst, func.ST_Point(each.c.east, each.c.south).label("geom")),
        "incidents",
    )


def _unit(tile: Tile, square: Square) -> tuple[int, int]:
    """Return where the middle of a square's incidents lies in a tile, in whole units."""
    world = EXTENT * 2**tile.z
    north = math.asinh(math.tan(math.radians(square.lat))) / math.pi
    east = (square.lon + 180.0) / 360.0 * world - tile.x * EXTENT
    return math.floor(east), math.floor((1.0 - north) / 2.0 * world - tile.y * EXTENT)


def _here(tile: Tile, scope: Scope, filters: Filters) -> CTE:
    """Return the incidents in and right beside a tile, with where in it they lie."""
    east, south = _units(tile)
    # a little wider than the tile: the box only lets the index find them, the formula decides
    around = func.ST_MakeEnvelope(*tile.box(BUFFER + 1), STORAGE_SRID)
    found = select(
        Incident.number,
        Incident.status,
        Incident.category_code,
        Incident.grade,
        east.label("east"),
        south.label("south"),
    ).where(
        incidents_in(scope),
        *conditions(filters),
        Incident.status.not_in(UNCOUNTED_STATUSES),
        Incident.point.op("&&")(around),
    )
    # materialized: else the formula is worked out again wherever it is used, and takes most of the time
    return found.cte("here").prefix_with("MATERIALIZED")


def _units(tile: Tile) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Return where an incident lies in a tile, in its units from its north-western corner (spherical Mercator)."""
    world = float(EXTENT * 2**tile.z)
    north = func.asinh(func.tan(func.radians(func.ST_Y(Incident.point)))) / math.pi
    east = (func.ST_X(Incident.point) + 180.0) / 360.0 * world - float(tile.x * EXTENT)
    south = (1.0 - north) / 2.0 * world - float(tile.y * EXTENT)
    return east, south


def _within(value: ColumnElement[Any], buffer: int = 0) -> ColumnElement[bool]:
    """Return the condition that a place is on the tile; its western and northern edges are its own."""
    return (value >= -buffer) & (value < EXTENT + buffer)


def _tile(session: Session, rows: Select[Any], layer: str, identity: str | None = None) -> bytes:
    drawn = rows.subquery("drawn")
    names = [layer, EXTENT, "geom", *([identity] if identity else [])]
    query = select(func.ST_AsMVT(literal_column("drawn.*"), *names)).select_from(drawn)
    return bytes(session.scalar(query) or b"")
