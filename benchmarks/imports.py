"""How fast the history of another system comes in: `incidents import` beside plainer ways for the same rows.

A file of 50,000 calls with a row each, to a made-up district of 727 cells, on a throw-away PostGIS that keeps what it
acknowledges. Ours reads, checks, places and seals each row and commits all of them at once. Beside it the use case
that a report of today goes through, called for one row after the other with a commit each; the same cases and steps
made one by one as SQLAlchemy objects and committed together; and pandas.to_sql, that writes the bare columns as texts:
no cell, no history, no check, and twice when it is called twice.

    python benchmarks/imports.py
"""

from __future__ import annotations

import csv
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it also runs alone

import numpy as np
import pandas as pd
from geoalchemy2.shape import from_shape
from shapely import Point
from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from api.cluster import Cluster
from api.database import make_engine, migrate
from benchmarks import backlog
from benchmarks.table import Row, render
from gis.crs import STORAGE_SRID, Frame
from grids import atlas, trace
from grids.acts import incidents
from grids.csvtables import CsvSource, Rejects
from grids.demo.ground import make_ground
from grids.demo.scales import SIZES, Scale
from grids.exchange import import_incidents
from grids.ground import editions
from grids.profile import Profile, read_profile
from grids.rules.calendar import local_day
from grids.rules.levels import GridLevel
from grids.rules.lifecycle import Channel, IncidentStatus
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.tables import Edition, EditionStatus, Incident

__all__ = ["main"]

ROWS = 50_000
ONE_BY_ONE = 500
AS_OBJECTS = 5_000
RUNS = 3
OURS = "incidents import"
TASK = "import the history of another system"

PROFILE = """
source = "old"
frame = "CGCS2000"
timezone = "Asia/Shanghai"
time_formats = ["%Y-%m-%d %H:%M:%S"]
[columns]
id = "id"
text = ["title", "text"]
category = "kind"
received = "received"
closed = "closed"
lon = "lon"
lat = "lat"
address = "address"
[categories]
"占道停车" = "07-001"
"积水" = "01-002"
"噪声" = "09-002"
[defaults]
channel = "hotline"
"""


def main(rows: int = ROWS) -> list[Row]:
    """Return how many rows a second each way brings in."""
    root = Path(tempfile.mkdtemp(prefix="gridwhistle-bench-"))
    root.chmod(0o755)
    cluster = Cluster(root / "pg").start()
    try:
        cluster.create_database("imports")
        engine = make_engine(cluster.url("imports"))
        migrate(engine)
        with Session(engine) as session:
            backlog.people(session)
            bounds = _ground(session)
            session.commit()
        engine.dispose()
        table, profile = root / "history.csv", root / "profile.toml"
        profile.write_text(PROFILE, "utf-8")
        _write_table(table, rows, bounds)
        return _measure(
            create_engine(cluster.url("imports"), poolclass=NullPool), table, read_profile(profile)
        )
    finally:
        cluster.stop()
        shutil.rmtree(root)


def _measure(engine: Engine, table: Path, profile: Profile) -> list[Row]:
    cells = pd.read_csv(table, dtype=str, keep_default_na=False)
    peers: tuple[tuple[str, Callable[[], int], str], ...] = (
        ("the use case, row by row", lambda: _by_use_case(engine, cells.head(ONE_BY_ONE)), "a commit each"),
        (
            "SQLAlchemy objects",
            lambda: _as_objects(engine, cells.head(AS_OBJECTS)),
            "placed and sealed one by one",
        ),
        ("pandas.to_sql", lambda: _to_sql(engine, table), "bare texts: not placed, not sealed"),
    )
    times: list[float] = []
    for run in range(RUNS):
        begun = time.perf_counter()
        done = _import(engine, table, replace(profile, source=f"old{run}"))
        times.append(done / (time.perf_counter() - begun))
    ours = statistics.median(times)
    again = time.perf_counter()
    assert _import(engine, table, replace(profile, source="old0")) == 0, "a repeat added something"
    again = len(cells) / (time.perf_counter() - again)
    rows = [Row(TASK, OURS, ours, "rows/s", note=f"{len(cells):,} rows, read to committed")]
    for name, run_peer, note in peers:
        begun = time.perf_counter()
        done = run_peer()
        theirs = done / (time.perf_counter() - begun)
        rows.append(Row(TASK, name, theirs, "rows/s", ours / theirs, note))
    with Session(engine) as session:
        few = session.scalars(select(Incident).order_by(func.random()).limit(200)).all()
        assert all(trace.first_broken(session, one) is None for one in few), "a history does not hold"
    return [*rows, Row("import the same file again", OURS, again, "rows/s", note="nothing is added")]


def _import(engine: Engine, table: Path, profile: Profile) -> int:
    with Session(engine) as session:
        source = CsvSource(table)
        with Rejects(table.with_suffix(".rejects.csv"), source) as rejects:
            done = import_incidents(session, source, profile, rejects, now=backlog.NOON)
        session.commit()
    assert not done.rejected, done.rejected
    return done.imported


def _by_use_case(engine: Engine, cells: pd.DataFrame) -> int:
    desk = Actor(None, "desk", Role.HOTLINE_DESK, "desk", backlog.DISTRICT, None)
    for row in cells.itertuples():
        said = incidents.Report(
            Channel.HOTLINE, float(row.lon), float(row.lat), "CGCS2000", row.text, address=row.address
        )
        with Session(engine) as session:
            incidents.report(session, said, by=desk, now=backlog.NOON)
            session.commit()
    return len(cells)


def _as_objects(engine: Engine, cells: pd.DataFrame) -> int:
    with Session(engine) as session:
        grid = atlas.current(session, on=local_day(backlog.NOON))
        for row in cells.itertuples():
            found = grid.place(float(row.lon), float(row.lat), "CGCS2000")
            incident = Incident(
                number=f"object{row.id}",
                status=IncidentStatus.CLOSED,
                channel=Channel.HOTLINE,
                text=row.text,
                address=row.address,
                point=from_shape(Point(found.lon, found.lat), srid=STORAGE_SRID),
                native_lon=found.lon,
                native_lat=found.lat,
                native_frame=found.frame,
                edition_id=found.edition_id,
                grid_code=found.code or found.nearest_district,
                placement=found.how,
                border_distance_m=found.border_distance_m,
                received_at=pd.Timestamp(row.received, tz="Asia/Shanghai").to_pydatetime(),
                explanation=[],
                trace_seq=0,
            )
            session.add(incident)
            session.flush()
            trace.append(
                session,
                incident,
                actor=SYSTEM,
                at=backlog.NOON,
                machine="incident",
                subject=incident.number,
                row="I1",
                action="import_closed",
                from_state=None,
                to_state="closed",
                payload={"source": "objects", "source_id": row.id},
            )
        session.commit()
    return len(cells)


def _to_sql(engine: Engine, table: Path) -> int:
    cells = pd.read_csv(table, dtype=str)
    with engine.begin() as connection:
        cells.to_sql(
            "bare_history", connection, if_exists="replace", index=False, chunksize=5_000, method="multi"
        )
    return len(cells)


def _ground(session: Session) -> tuple[float, float, float, float]:
    areas = make_ground(SIZES[Scale.DISTRICT], np.random.default_rng(0)).areas
    edition = Edition(
        name="bench",
        status=EditionStatus.PUBLISHED,
        source="bench",
        frame=Frame.CGCS2000.value,
        leaf_level=GridLevel.BUILDING_GROUP,
        effective_from=date(2020, 1, 1),
        loaded_at=backlog.NOON,
        report={},
    )
    session.add(edition)
    session.flush()
    editions.store_areas(session, edition.id, areas.assign(source_code=None))
    west, south, east, north = areas.total_bounds
    return west, south, east, north


def _write_table(path: Path, rows: int, bounds: tuple[float, float, float, float]) -> None:
    random = np.random.default_rng(0)
    west, south, east, north = bounds
    lon, lat = random.uniform(west, east, rows), random.uniform(south, north, rows)
    kinds = random.choice(["占道停车", "积水", "噪声"], rows)
    first = pd.Timestamp(2025, 1, 1)
    received = first + pd.to_timedelta(random.integers(0, 500 * 86_400, rows), unit="s")
    took = pd.to_timedelta(random.integers(600, 8 * 86_400, rows), unit="s")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "title", "text", "kind", "received", "closed", "lon", "lat", "address"])
        for i in range(rows):
            closed = "" if i % 5 == 0 else str((received[i] + took[i]).floor("s"))
            text = f"市民来电反映{kinds[i]}，第{i % 97}次，请尽快处理"
            place = (f"{lon[i]:.7f}", f"{lat[i]:.7f}", f"升平巷{i % 300}号")
            writer.writerow([i, kinds[i], text, kinds[i], str(received[i]), closed, *place])


if __name__ == "__main__":
    print(render(main()))
