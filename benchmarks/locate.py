"""Which of 1,000 grids holds each of 500,000 points: gis.Locator beside four peers, same machine, same run.

Every program gets its polygons ready, in memory and indexed in its own way, and its points as objects of its own,
before its clock starts, and has to hand back one grid for each point; the answers are compared, and a
difference ends the run. Peers run by the fastest way that we found for them, on all cores. Getting our own table
ready is a row of its own.

    python benchmarks/locate.py
"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it also runs alone

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from benchmarks.table import Row, median_seconds, render
from benchmarks.tessellation import random_points, tessellation
from gis.locate import Locator

__all__ = ["main"]

CELLS = 1_000
POINTS = 500_000
OURS = "gis.Locator"

Shapes = NDArray[np.object_]
Floats = NDArray[np.float64]
Answer = NDArray[np.int64]
Prepared = Callable[[], Answer]


def main(cells: int = CELLS, points: int = POINTS) -> list[Row]:
    """Return a row for each program, then what our table costs; raises AssertionError when answers differ."""
    polygons = tessellation(cells)
    x, y = random_points(polygons, points, seed=1)
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

    task = f"locate {points:,} points in {cells:,} grids"
    vertices = f"{shapely.get_num_coordinates(polygons).mean():.0f} vertices a grid"
    rows = [Row(task, OURS, points / seconds[OURS] / 1e6, "M points/s", note=vertices)]
    for program in PEERS:
        if program in missing:
            rows.append(Row(task, program, None, "M points/s", note=missing[program]))
            continue
        ratio = seconds[program] / seconds[OURS]
        rows.append(Row(task, program, points / seconds[program] / 1e6, "M points/s", ratio, "same answers"))
    return rows + _costs(polygons, locator, x, y)


def _costs(polygons: Shapes, locator: Locator, x: Floats, y: Floats) -> list[Row]:
    seconds = median_seconds(
        {
            "one": lambda: [locator.locate(x[i], y[i]) for i in range(1_000)],
            "build": lambda: Locator(polygons),
        }
    )
    tracemalloc.start()  # arrays only; what GEOS keeps of the polygons is the same for all that use it
    Locator(polygons)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return [
        Row("locate one point", OURS, seconds["one"] * 1e3, "microseconds"),
        Row("build the table", OURS, seconds["build"], "s"),
        Row("size of the table", OURS, locator.nbytes / 1e6, "MB"),
        Row("memory at the peak of building", OURS, peak / 1e6, "MB", note="a single run"),
    ]


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
