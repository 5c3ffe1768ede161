"""`gridwhistle grids check` of 5,000 and of 20,000 areas at four levels, sound ones and with hundreds of faults.

The whole command is timed, from its start to its exit: reading the file in its child process, looking, and writing
the report. Its memory is that of all its processes together at the worst moment. Then the search for overlaps alone,
beside two ways in which it is often done; all have to name the same pairs.

    python benchmarks/check.py
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it also runs alone

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from benchmarks.damage import CELL, KINDS, sound_grid, spoil
from benchmarks.table import Row, median_seconds, render
from gis.coverage import check_coverage
from gis.faults import FaultKind

__all__ = ["main"]

RUNS = 3
SIZES = (1, 4)  # districts of 5,000 areas each
FAULTS = 300
OURS = "grids check"
SEARCH = "gis.check_coverage"

Pairs = set[tuple[str, str]]


def main(sizes: tuple[int, ...] = SIZES, faults: int = FAULTS) -> list[Row]:
    """Return a row for each file, then one for each way to find overlaps; raises AssertionError when they differ."""
    rows = []
    for districts in sizes:
        sound = sound_grid(districts=districts, communities=430, cells=4560, seed=0)
        spoiled, found = _spoiled(sound, faults)
        task = f"check {len(sound):,} areas at four levels"
        rows += [_timed(task, sound, 0), _timed(f"{task}, {found} faults", spoiled, found)]
    return rows + _overlaps()


def _spoiled(sound: gpd.GeoDataFrame, count: int) -> tuple[gpd.GeoDataFrame, int]:
    """Return a grid with about so many faults of all kinds, and how many there are to find."""
    kinds = list(KINDS) * (count // len(KINDS))
    while True:
        try:
            frame, seeded = spoil(sound, kinds)
            return frame, len(seeded)
        except LookupError:
            kinds = kinds[: len(kinds) * 9 // 10]


def _timed(task: str, frame: gpd.GeoDataFrame, wanted: int) -> Row:
    with tempfile.TemporaryDirectory(prefix="gridwhistle-bench-") as directory:
        _write(frame, Path(directory))
        runs = [_run(Path(directory)) for _ in range(RUNS)]
    for report, _, _ in runs:
        assert abs(len(report["faults"]) - wanted) <= wanted // 10, "the gate missed faults"
    seconds = statistics.median(seconds for _, seconds, _ in runs)
    memory = max(memory for _, _, memory in runs)
    vertices = shapely.get_num_coordinates(frame.geometry.to_numpy()).sum() / 1e6
    return Row(task, OURS, seconds, "s", note=f"{memory / 1e6:,.0f} MB, {vertices:.1f} million vertices")


def _write(frame: gpd.GeoDataFrame, directory: Path) -> None:
    frame.to_file(directory / "grid.gpkg", layer="grid")
    same = 'code = "code"\nparent = "parent_code"\ncolumn = "level"\n'
    same += 'households = "households"\npopulation = "population"\n'
    levels = ["district", "town", "community", CELL]
    (directory / "grid.toml").write_text(
        "".join(f'[levels.{level}]\nvalue = "{level}"\n{same}' for level in levels), "utf-8"
    )


def _run(directory: Path) -> tuple[dict[str, list[object]], float, int]:
    """Return the report of one run of the command, its seconds, and the bytes that it held at most."""
    command = [
        sys.executable,
        "-c",
        "from api.cli import main; main()",
        "grids",
        "check",
        str(directory / "grid.gpkg"),
        "--json",
    ]
    command += ["--mapping", str(directory / "grid.toml")]
    most = 0
    begun = time.perf_counter()
    with (directory / "report.json").open("wb") as report:
        process = subprocess.Popen(command, stdout=report, cwd=Path(__file__).parents[1])
        while process.poll() is None:
            most = max(most, _resident(process.pid))
            time.sleep(0.02)
    seconds = time.perf_counter() - begun
    return json.loads((directory / "report.json").read_text("utf-8")), seconds, most


def _resident(pid: int) -> int:
    """Return the bytes that a process and all below it hold in memory; 0 where /proc does not say."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    except OSError:  # it has just ended, or this is no Linux
        return 0
    return pages * 4096 + sum(_resident(int(child)) for child in children)


def _overlaps() -> list[Row]:
    sound = sound_grid(communities=430, cells=4560, seed=0)
    kinds = ["overlap_sliver", "overlap_big", "overlap_of_three", "overlap_hair"] * 20
    spoiled, _ = spoil(sound[sound["level"].isin([CELL, "community", "district"])], kinds)
    cells = spoiled[spoiled["level"] == CELL][["code", "geometry"]].reset_index(drop=True)
    flat = cells.to_crs(4548)
    programs = {
        SEARCH: lambda: _by_the_gate(cells),
        "shapely STRtree, every pair": lambda: _every_pair(flat),
        "geopandas.overlay": lambda: _overlay(flat),
    }
    expected = programs[SEARCH]()
    for name, find in programs.items():
        assert find() == expected, f"{name} finds other pairs"
    seconds = median_seconds(programs)
    task = f"find {len(expected)} overlaps among {len(cells):,} cells"
    rows = [Row(task, SEARCH, seconds[SEARCH], "s", note="gaps and rings too")]
    peers = [name for name in programs if name != SEARCH]
    return rows + [
        Row(task, name, seconds[name], "s", seconds[name] / seconds[SEARCH], "same pairs") for name in peers
    ]


def _by_the_gate(cells: gpd.GeoDataFrame) -> Pairs:
    faults = check_coverage(cells).faults
    return {(fault.codes[0], fault.codes[1]) for fault in faults if fault.kind is FaultKind.OVERLAP}


def _every_pair(cells: gpd.GeoDataFrame) -> Pairs:
    shapes: NDArray[np.object_] = cells.geometry.to_numpy()
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    one, other = one[one < other], other[one < other]
    large = shapely.area(shapely.intersection(shapes[one], shapes[other])) > 1.0
    codes = cells["code"].to_numpy()
    return set(zip(codes[one[large]].tolist(), codes[other[large]].tolist(), strict=True))


def _overlay(cells: gpd.GeoDataFrame) -> Pairs:
    both = gpd.overlay(cells, cells, how="intersection", keep_geom_type=True)
    both = both[(both["code_1"] < both["code_2"]) & (both.area > 1.0)]
    return set(zip(both["code_1"], both["code_2"], strict=True))


if __name__ == "__main__":
    print(render(main()))
