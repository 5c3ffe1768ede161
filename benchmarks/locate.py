"""Which of 1,000, 10,000 and 100,000 grids holds each point: gis.Locator beside four peers, same machine, same run.

Every program gets its polygons ready, in memory and indexed in its own way, and its points as objects of its own,
before its clock starts, and has to hand back one grid for each point; the answers are compared, and a
difference ends the run. Peers run by the fastest way that we found for them, on all cores.

Getting our own table ready, and what it takes, are rows of their own, by the number of grids: even ones, and uneven
ones whose areas span four orders of magnitude.

    python benchmarks/locate.py
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it also runs alone

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from benchmarks.table import Row, median_seconds, render
from benchmarks.tessellation import points_by_cell, random_points, tessellation
from gis.locate import Locator

__all__ = ["main"]

POINTS = 500_000
CELLS = (1_000, 10_000, 100_000)
GROWTH = (100, 1_000, 10_000, 100_000)
MANY_POINTS = 2_000_000
OURS = "gis.Locator"

Shapes = NDArray[np.object_]
Floats = NDArray[np.float64]
Answer = NDArray[np.int64]
Prepared = Callable[[], Answer]


def main(cells: Sequence[int] = CELLS, growth: Sequence[int] = GROWTH) -> list[Row]:
    """Return a row for each program and number of grids, then what our table costs as they grow.

    Raises AssertionError when answers differ.
    """
    rows = [row for count in cells for row in _side_by_side(count)]
    for uneven in (False, True):
        for count in growth:
            rows += _growth(count, uneven)
    return [*rows, *_single()]


def _side_by_side(cells: int) -> list[Row]:
    polygons = tessellation(cells)
    x, y = random_points(polygons, POINTS, seed=1)
    locator = Locator(polygons)
    expected = locator.locate(x, y)
    programs: dict[str, Prepared] = {OURS: lambda: locator.locate(x, y)}
    missing: dict[str, str] = {}
    for program, prepare in PEERS.items():
        try:
            programs[program] = prepare(polygons, x, y)
        except ImportError as reason:
            missing[program] = f"not available here: {reason}"
            continue
        answer = programs[program]()
        assert np.array_equal(answer, expected), f"{program} differs in {(answer != expected).sum()} points"
    seconds = median_seconds(programs)

    task = f"locate {POINTS:,} points in {cells:,} grids"
    vertices = f"{shapely.get_num_coordinates(polygons).mean():.0f} vertices a grid"
    ours = POINTS / seconds[OURS]
    rows = [Row(task, OURS, ours / 1e6, "M points/s", note=vertices)]
    for program in PEERS:
        if program in missing:
            rows.append(Row(task, program, None, "M points/s", note=missing[program]))
            continue
        theirs = POINTS / seconds[program]
        rows.append(Row(task, program, theirs / 1e6, "M points/s", ours / theirs, "same answers"))
    return rows


def _growth(cells: int, uneven: bool) -> list[Row]:
    polygons = tessellation(cells, uneven=uneven)
    begun, busy = time.perf_counter(), time.process_time()
    locator = Locator(polygons)
    built, worked = time.perf_counter() - begun, time.process_time() - busy
    x, y = random_points(polygons, MANY_POINTS, seed=1)
    programs: dict[str, Prepared] = {"over the area": lambda: locator.locate(x, y)}
    if uneven:
        x_by_grid, y_by_grid = points_by_cell(polygons, MANY_POINTS, seed=1)
        programs["grid by grid"] = lambda: locator.locate(x_by_grid, y_by_grid)
    seconds, of_processors = median_seconds(programs), median_seconds(programs, time.process_time)
    tracemalloc.start()  # arrays only; what GEOS keeps of the polygons is the same for all that use it
    Locator(polygons)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    task = f"{cells:,} grids, {'uneven' if uneven else 'even'}"
    rows = [
        Row(
            task,
            OURS,
            MANY_POINTS / taken / 1e6,
            "M points/s",
            note=f"{spread}; {nanoseconds:.1f} ns of processors",
        )
        for (spread, taken), nanoseconds in zip(
            seconds.items(), (taken / MANY_POINTS * 1e9 for taken in of_processors.values()), strict=True
        )
    ]
    return [
        *rows,
        Row(task, OURS, built, "s to build", note=f"{worked:.2f} s of processors, a single run"),
        Row(
            task,
            OURS,
            locator.nbytes / 1e6,
            "MB of table",
            note=f"{peak / 1e6:,.0f} MB at the peak of building",
        ),
    ]


def _single() -> list[Row]:
    polygons = tessellation(1_000)
    locator = Locator(polygons)
    x, y = random_points(polygons, 1_000, seed=1)
    seconds = median_seconds({"one": lambda: [locator.locate(x[i], y[i]) for i in range(1_000)]})
    return [Row("locate one point in 1,000 grids", OURS, seconds["one"] * 1e3, "microseconds")]


def _strtree(polygons: Shapes, x: Floats, y: Floats) -> Prepared:
    shapely.prepare(polygons)
    tree = shapely.STRtree(polygons)
    points = shapely.points(x, y)

    def run() -> Answer:  # by bounding boxes, then prepared polygons: twice as fast as to query by predicate
        point, grid = tree.query(points)
        held = shapely.intersects_xy(polygons[grid], x[point], y[point])
        return _lowest(point[held], grid[held], x.size)

    return run


def _sjoin(polygons: Shapes, x: Floats, y: Floats) -> Prepared:
    grids = gpd.GeoDataFrame({"grid": np.arange(polygons.size)}, geometry=polygons)
    points = gpd.GeoDataFrame({"point": np.arange(x.size)}, geometry=gpd.points_from_xy(x, y))

    def run() -> Answer:
        joined = points.sjoin(
            grids, predicate="within"
        )  # faster than covered_by; no point is on an edge here
        return _lowest(joined["point"].to_numpy(), joined["grid"].to_numpy(), x.size)

    return run


def _duckdb(polygons: Shapes, x: Floats, y: Floats) -> Prepared:
    import duckdb
    import duckdb_extension_spatial  # type: ignore[import-untyped]

    connection = duckdb.connect()
    [extension] = Path(duckdb_extension_spatial.__file__).parent.rglob("spatial.duckdb_extension")
    try:
        connection.execute(f"LOAD '{extension}'")
    except duckdb.Error as refused:
        raise ImportError(str(refused).splitlines()[0]) from refused
    connection.register("polygons", pd.DataFrame({"wkb": shapely.to_wkb(polygons)}))
    connection.register("places", pd.DataFrame({"x": x, "y": y}))
    connection.execute(
        "CREATE TABLE grids AS SELECT CAST(row_number() OVER () - 1 AS BIGINT) AS grid, ST_GeomFromWKB(wkb) AS shape"
        " FROM polygons"
    )
    connection.execute(
        "CREATE TABLE points AS SELECT CAST(row_number() OVER () - 1 AS BIGINT) AS point, ST_Point(x, y) AS place"
        " FROM places"
    )
    query = "SELECT point, grid FROM points JOIN grids ON ST_Intersects(shape, place)"

    def run() -> Answer:
        found = connection.execute(query).fetchnumpy()
        return _lowest(np.asarray(found["point"]), np.asarray(found["grid"]), x.size)

    return run


def _sedonadb(polygons: Shapes, x: Floats, y: Floats) -> Prepared:
    import sedonadb  # type: ignore[import-untyped]

    connection = sedonadb.connect()
    grids = gpd.GeoDataFrame({"grid": np.arange(polygons.size)}, geometry=polygons)
    points = gpd.GeoDataFrame({"point": np.arange(x.size)}, geometry=gpd.points_from_xy(x, y))
    connection.create_data_frame(grids).to_memtable().to_view("grids")
    connection.create_data_frame(points).to_memtable().to_view("points")
    query = "SELECT point, grid FROM points JOIN grids ON ST_Intersects(grids.geometry, points.geometry)"

    def run() -> Answer:
        found = connection.sql(query).to_arrow_table()
        return _lowest(found["point"].to_numpy(), found["grid"].to_numpy(), x.size)

    return run


def _lowest(point: Answer, grid: Answer, points: int) -> Answer:
    """Return one grid for each point out of pairs in any order: the lowest, -1 without any."""
    answer = np.full(points, -1, dtype=np.int64)
    if (
        np.bincount(point, minlength=points).max(initial=0) > 1
    ):  # a point on an edge: rare, and then worth a sort
        order = np.argsort(-grid, kind="stable")
        point, grid = point[order], grid[order]
    answer[point] = grid
    return answer


PEERS: dict[str, Callable[[Shapes, Floats, Floats], Prepared]] = {
    "SedonaDB": _sedonadb,
    "shapely STRtree": _strtree,
    "DuckDB spatial": _duckdb,
    "geopandas.sjoin": _sjoin,
}

if __name__ == "__main__":
    print(render(main()))
