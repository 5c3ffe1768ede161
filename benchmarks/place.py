"""How long one location takes as the service makes it: the cell, the border, and the cells in the accuracy circle.

10,000 single calls of `grids.atlas.Atlas.place` among 2,000 cells, one after the other, in process; what the database
adds to it in the service is one small query. The median and the 99th percentile are those of the calls, and of
several runs the median. On a busy machine the 99th percentile says how long other programs keep the processor;
the time on the processor itself stands beside it.

    python benchmarks/place.py
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it also runs alone

import geopandas as gpd
import numpy as np
import shapely

from benchmarks.table import RUNS, Row, render
from benchmarks.tessellation import random_points, tessellation
from grids.atlas import Atlas
from grids.rules.levels import GridLevel

__all__ = ["main"]

CELLS = 2_000
CALLS = 10_000
OURS = "grids.atlas"
WAYS: dict[str, tuple[str, float | None]] = {
    "no accuracy given": ("CGCS2000", None),
    "GCJ-02, within 50 m": ("GCJ02", 50.0),
    "within 200 m": ("CGCS2000", 200.0),
}


def main(cells: int = CELLS, calls: int = CALLS) -> list[Row]:
    """Return the median and the 99th percentile for each way of asking."""
    atlas = _atlas(cells)
    lon, lat = (values.tolist() for values in random_points(atlas.locator.polygons, calls, seed=1))
    rows = []
    for way, (frame, accuracy) in WAYS.items():
        runs = []
        for _ in range(RUNS):
            taken, worked = np.empty(calls), np.empty(calls)
            for i in range(calls):
                begun, busy = time.perf_counter(), time.thread_time()
                atlas.place(lon[i], lat[i], frame, accuracy_m=accuracy)
                worked[i], taken[i] = time.thread_time() - busy, time.perf_counter() - begun
            runs.append([*np.quantile(taken, [0.5, 0.99]), np.quantile(worked, 0.99)])
        median, slowest, on_processor = (statistics.median(run[i] for run in runs) * 1e3 for i in range(3))
        task = f"place one point among {cells:,} grids, {way}"
        rows += [
            Row(task, OURS, median, "ms", note="median call"),
            Row(task, OURS, slowest, "ms", note=f"99th percentile; {on_processor:.2f} ms on the processor"),
        ]
    return rows


def _atlas(cells: int) -> Atlas:
    """Return an atlas of a made-up district 25 km wide."""
    polygons = shapely.transform(
        tessellation(cells, width=0.25), lambda places: np.add(places, [117.5, 36.1])
    )
    codes = [f"990101001{cell // 999 + 1:03d}{cell % 999 + 1:03d}" for cell in range(cells)]
    areas = gpd.GeoDataFrame({"code": codes, "name": codes}, geometry=polygons, crs="EPSG:4490")
    return Atlas.of(areas.assign(level=GridLevel.BUILDING_GROUP), GridLevel.BUILDING_GROUP)


if __name__ == "__main__":
    print(render(main()))
