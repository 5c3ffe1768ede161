"""How long one vector tile of a whole city takes from the question to its bytes, in the service's own process.

7,270 grids of some 50 vertices in a square half a degree wide, 300,000 incidents of a year of which 20,000 are open,
on a throw-away PostGIS. Tiles at random places of the city, each asked for in turn by every program, warm.
Beside ours, which keeps the tiles of a published grid: the same tile drawn anew, the same statement over borders that
were stored in the plane of the map, and the same grids of the same box as GeoJSON, as GET /api/grids gives them.
Beside a year's incidents, counted from the facts in memory: the same counted by PostgreSQL. The tiles are asserted
equal to the byte, the squares to the last digit, the GeoJSON to hold the same grids.

    python benchmarks/tiles.py
"""

from __future__ import annotations

import math
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it also runs alone

import numpy as np
import pyogrio
import shapely
from shapely.geometry import MultiPolygon
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from api.cluster import Cluster
from api.database import make_engine, migrate
from benchmarks.table import Row, render
from benchmarks.tessellation import tessellation
from gis.tiles import Tile
from grids import atlas, squares, tiles
from grids.register import Filters
from grids.rules.levels import GridLevel
from grids.rules.permissions import Scope

__all__ = ["main"]

CELLS, INCIDENTS, OPEN = 7_270, 300_000, 20_000
ASKED = 60
WEST, SOUTH, WIDTH = 117.4, 36.0, 0.5
TODAY = date(2026, 6, 1)
YEAR = datetime(2025, 6, 1, tzinfo=UTC)
OURS = "grids.tiles"
CITY = Scope(areas=("990101",))

_STORED = """
select ST_AsMVT(drawn.*, 'grids', 4096, 'geom', 'id') from (
  select id, code, name, 'building_group' as level, edition_id as edition, households, population,
    ST_AsMVTGeom(plane, ST_TileEnvelope(:z, :x, :y), 4096, 64, true) as geom
  from stored where level = 'building_group' and boundary && ST_MakeEnvelope(:w, :s, :e, :n, 4490) order by code
) drawn
"""
_INCIDENTS = """
insert into incident (number, status, round, channel, text, category_code, grade, point, native_lon, native_lat,
  native_frame, grid_code, placement, received_at, rework_count, trace_seq, version)
select 'B' || i, case when i <= :open then 'handling' else 'closed' end, 1, 'hotline', 'x', null,
  (array['red', 'orange', 'yellow', 'blue', 'green'])[1 + i % 5], ST_SetSRID(ST_Point(lon, lat), 4490), lon, lat,
  'CGCS2000', '990101' || lpad((1 + i % 20)::text, 3, '0') || '001001', 'inside',
  cast(:since as timestamptz) + (i % 365) * interval '1 day', 0, 0, 1
from (select i, :west + :width * random() as lon, :south + :width * random() as lat from generate_series(1, :n) i) q
"""


def main(cells: int = CELLS, incidents: int = INCIDENTS, asked: int = ASKED) -> list[Row]:
    """Return the median and the 95th percentile for each zoom and program."""
    root = Path(tempfile.mkdtemp(prefix="gridwhistle-bench-"))
    root.chmod(0o755)
    cluster = Cluster(root / "pg").start()
    try:
        cluster.create_database("tiles")
        engine = make_engine(cluster.url("tiles"))
        migrate(engine)
        with engine.begin() as connection:
            _fill(connection, cells, incidents)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("vacuum analyze"))
        with Session(engine) as session:
            rows = _grids(session, asked) + _incidents(session, asked)
        engine.dispose()
        return rows
    finally:
        cluster.stop()
        shutil.rmtree(root)


def _fill(connection: Connection, cells: int, incidents: int) -> None:
    edition = connection.execute(
        text(
            "insert into edition (name, status, source, frame, leaf_level, effective_from, loaded_at, report) values "
            "('bench', 'published', 'bench', 'CGCS2000', 'building_group', '2020-01-01', :at, '{}') returning id"
        ),
        {"at": YEAR},
    ).scalar_one()
    shapes = shapely.transform(
        tessellation(cells, width=WIDTH, halvings=3), lambda places: np.add(places, [WEST, SOUTH])
    )
    connection.execute(
        text(
            "insert into grid (edition_id, code, level, name, households, area_m2, boundary) values (:edition, :code, "
            "'building_group', :name, 400, 1, ST_GeomFromWKB(:shape, 4490))"
        ),
        [
            {
                "edition": edition,
                "code": f"990101{1 + i // 400:03d}{1 + i // 20 % 20:03d}{1 + i % 20:03d}",
                "name": f"第{i}网格",
                "shape": MultiPolygon([shape]).wkb,
            }
            for i, shape in enumerate(shapes)
        ],
    )
    connection.execute(
        text("create table stored as select *, ST_Transform(boundary, 3857) as plane from grid")
    )
    connection.execute(text("create index on stored using gist (boundary)"))
    connection.execute(
        text(_INCIDENTS),
        {"n": incidents, "open": OPEN, "since": YEAR, "west": WEST, "south": SOUTH, "width": WIDTH},
    )


def _grids(session: Session, asked: int) -> list[Row]:
    rows = []
    for zoom in (11, 12, 13, 14):
        places = _places(zoom, asked)
        programs: dict[str, Callable[[Tile], Any]] = {
            OURS: lambda tile: tiles.grid_tile(session, tile, level=GridLevel.BUILDING_GROUP, on=TODAY),
            "drawn anew": lambda tile: _anew(session, tile),
            "a stored column": lambda tile: _stored(session, tile),
            "GeoJSON": lambda tile: _geojson(session, tile),
        }
        for tile in places[:5]:
            ours, anew, stored, plain = (run(tile) for run in programs.values())
            assert ours == anew == stored
            assert set(_codes(ours)) <= set(plain[0])
        rows += _timed(f"grids of a tile of zoom {zoom}", places, programs)
    return rows


def _incidents(session: Session, asked: int) -> list[Row]:
    rows = []
    for zoom in (9, 11, 13, 15):
        places = _places(zoom, asked)
        programs: dict[str, Callable[[Tile], Any]] = {
            OURS: lambda tile: tiles.incident_tile(session, CITY, tile, Filters(open_only=True))
        }
        rows += _timed(f"open incidents of a tile of zoom {zoom}", places, programs)
    year = Filters(since=YEAR)
    for zoom in (9, 11):
        places = _places(zoom, asked // 3)
        for tile in places[:3]:
            by_rows = squares.from_rows(session, CITY, tile, year)
            assert squares.from_facts(session, CITY, tile, year) == by_rows
        programs = {
            OURS: lambda tile: tiles.incident_tile(session, CITY, tile, year),
            "squares by PostgreSQL": lambda tile: squares.from_rows(session, CITY, tile, year),
        }
        rows += _timed(f"a year's incidents of a tile of zoom {zoom}", places, programs)
    return rows


def _timed(task: str, places: list[Tile], programs: dict[str, Callable[[Tile], Any]]) -> list[Row]:
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for tile in places:
        for name, run in programs.items():
            run(tile)
            begun = time.perf_counter()
            run(tile)
            taken[name].append(1e3 * (time.perf_counter() - begun))
    ours = float(np.median(taken[OURS]))
    return [
        Row(
            task,
            name,
            float(np.median(each)),
            "ms",
            None if name == OURS else float(np.median(each)) / ours,
            f"95th percentile {np.quantile(each, 0.95):.1f} ms",
        )
        for name, each in taken.items()
    ]


def _places(zoom: int, asked: int) -> list[Tile]:
    draw = np.random.default_rng(zoom)
    lon, lat = draw.uniform((WEST, SOUTH), (WEST + WIDTH, SOUTH + WIDTH), (asked, 2)).T
    x = (lon + 180) / 360 * 2**zoom
    y = (1 - np.arcsinh(np.tan(np.radians(lat))) / math.pi) / 2 * 2**zoom
    return [Tile(zoom, int(east), int(down)) for east, down in zip(x, y, strict=True)]


def _anew(session: Session, tile: Tile) -> bytes:
    edition = session.execute(text("select id from edition")).scalar_one()
    return tiles.drawn_grid(session, tile, GridLevel.BUILDING_GROUP, (edition,))


def _stored(session: Session, tile: Tile) -> bytes:
    box = dict(zip("wsen", tile.box(tiles.BUFFER), strict=True))
    return bytes(session.scalar(text(_STORED), {"z": tile.z, "x": tile.x, "y": tile.y, **box}) or b"")


def _geojson(session: Session, tile: Tile) -> tuple[list[str], list[str]]:
    found = atlas.areas(session, level=GridLevel.BUILDING_GROUP, bbox=tile.box(tiles.BUFFER), on=TODAY)
    shapes = shapely.transform(found.geometry.to_numpy(), lambda places: np.round(places, 7))
    return found["code"].tolist(), shapely.to_geojson(shapes).tolist()


def _codes(tile: bytes) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "0.mvt"
        path.write_bytes(tile)
        return pyogrio.read_dataframe(path, layer="grids")["code"].tolist()  # type: ignore[no-any-return]


if __name__ == "__main__":
    print(render(main()))
