"""Statistics of 10,000 grids: gis.hotspots beside esda, the trend beside pymannkendall, density beside scikit-learn.

Peers get their weights ready before the clock starts, each in the form that is fastest for it: for esda a
`Graph` that has its diagonal and its transformation already; what it takes from an ordinary `W`, as its
documentation shows it, is a row of its own. Answers are compared, and a difference ends the run.

    python benchmarks/hotspots.py
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it also runs alone

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_array

from benchmarks.table import Row, median_seconds, render
from benchmarks.tessellation import tessellation
from gis.density import bands, kernel_density, round_breaks
from gis.emerging import emerging_hotspots, mann_kendall
from gis.hotspots import getis_ord_star, local_moran, star_test
from gis.weights import contiguity, star

__all__ = ["main"]

CELLS, WEEKS, POINTS = 10_000, 52, 300_000
TOWN = (0.0, 0.0, 20_000.0, 20_000.0)

Floats = NDArray[np.float64]
Runs = Mapping[str, Callable[[], object]]


def main(cells: int = CELLS, weeks: int = WEEKS, points: int = POINTS) -> list[Row]:
    """Return rows by task. Raises AssertionError when answers differ."""
    polygons = tessellation(cells)
    neighbours = contiguity(polygons)
    counts = np.random.default_rng(1).poisson(4.0, cells).astype(float)
    return [
        *_stars(counts, neighbours),
        *_morans(counts, neighbours),
        *_trends(np.random.default_rng(2).poisson(3.0, (cells, weeks)).astype(float), star(neighbours)),
        *_neighbours(polygons),
        *_densities(points),
    ]


def _rows(task: str, runs: Runs, notes: Mapping[str, str]) -> list[Row]:
    """Time all of them in turns; the first is ours."""
    seconds = median_seconds(runs)
    ours = next(iter(seconds.values()))
    return [
        Row(task, name, taken * 1e3, "ms", taken / ours if at else None, notes.get(name, ""))
        for at, (name, taken) in enumerate(seconds.items())
    ]


def _stars(counts: Floats, neighbours: csr_array) -> list[Row]:
    from esda import G_Local  # type: ignore[import-untyped]
    from libpysal.graph import Graph  # type: ignore[import-untyped]
    from libpysal.weights import WSP  # type: ignore[import-untyped]

    ours = star(neighbours)
    ready = Graph.from_sparse(ours.tocoo()).transform("B")
    usual = WSP(neighbours).to_W(silence_warnings=True)
    peers = {
        "esda G_Local, weights ready": lambda: G_Local(
            counts, ready, transform="B", permutations=0, star=None
        ),
        "esda G_Local, from a W": lambda: G_Local(counts, usual, transform="B", permutations=0, star=True),
    }
    score = getis_ord_star(counts, ours)
    for name, run in peers.items():
        assert np.allclose(score, run().Zs, rtol=0, atol=1e-9), f"{name} differs"
    task = f"Gi* of {counts.size:,} grids"
    name = "esda G_Local, 999 permutations"
    permuted = {
        "gis.star_test": lambda: star_test(counts, ours),
        name: lambda: G_Local(counts, ready, transform="B", star=None, seed=1),
    }
    assert np.allclose(score, permuted[name]().Zs, rtol=0, atol=1e-9), f"{name} differs"
    assert np.array_equal(score, permuted["gis.star_test"]().z)
    return [
        *_rows(
            task,
            {"gis.getis_ord_star": lambda: getis_ord_star(counts, ours), **peers},
            dict.fromkeys(peers, "same answers"),
        ),
        *_rows(
            f"{task}, with a probability each",
            permuted,
            {"gis.star_test": "by three moments", name: "its default; same Gi*, each grid's own count held"},
        ),
    ]


def _morans(counts: Floats, neighbours: csr_array) -> list[Row]:
    from esda import Moran_Local
    from libpysal.graph import Graph

    ready = Graph.from_sparse(neighbours.tocoo()).transform("R")

    def peer() -> Moran_Local:
        with warnings.catch_warnings():  # it turns a warning of scipy back on each time
            return Moran_Local(counts, ready, transformation="r", permutations=0)

    found = local_moran(counts, neighbours)
    assert np.allclose(found.statistic, peer().Is, rtol=0, atol=1e-9), "local Moran differs"
    name = "esda Moran_Local, weights ready"
    return _rows(
        f"local Moran of {counts.size:,} grids",
        {"gis.local_moran": lambda: local_moran(counts, neighbours), name: peer},
        {"gis.local_moran": "with a probability each", name: "same answers, no permutations"},
    )


def _trends(cube: Floats, weights: csr_array) -> list[Row]:
    import pymannkendall  # type: ignore[import-untyped]

    few = cube[:: max(len(cube) // 200, 1)]  # one at a time, it needs a minute for all
    found = mann_kendall(few)

    def peer() -> list[tuple[float, float, float]]:
        return [(test.s, test.z, test.p) for test in map(pymannkendall.original_test, few)]

    assert np.allclose(np.array(peer()).T, found, rtol=0, atol=1e-12), "Mann-Kendall differs"
    weeks = cube.shape[1]
    return [
        *_rows(
            f"Mann-Kendall of {len(few):,} grids over {weeks} weeks",
            {"gis.mann_kendall": lambda: mann_kendall(few), "pymannkendall.original_test": peer},
            {"pymannkendall.original_test": "same answers; finds the slope too"},
        ),
        *_rows(
            f"{len(cube):,} grids over {weeks} weeks",
            {"gis.mann_kendall": lambda: mann_kendall(cube)},
            {},
        ),
        *_rows(
            f"{len(cube):,} grids over {weeks} weeks",
            {"gis.emerging_hotspots": lambda: emerging_hotspots(cube, weights)},
            {},
        ),
    ]


def _neighbours(polygons: NDArray[np.object_]) -> list[Row]:
    import geopandas as gpd
    from libpysal.graph import Graph

    frame = gpd.GeoDataFrame(geometry=polygons)

    def peer() -> Graph:
        return Graph.build_contiguity(frame, rook=False)

    assert (contiguity(polygons) != csr_array(peer().sparse)).nnz == 0, "neighbours differ"
    name = "libpysal Graph.build_contiguity"
    return _rows(
        f"who touches whom among {len(polygons):,} grids",
        {"gis.contiguity": lambda: contiguity(polygons), name: peer},
        {name: "same answers"},
    )


def _densities(points: int) -> list[Row]:
    from sklearn.neighbors import KernelDensity  # type: ignore[import-untyped]

    cell, bandwidth = 100.0, 400.0
    random = np.random.default_rng(3)
    x, y = np.clip(random.normal(10_000, 3_000, (2, points)), 0, 20_000)
    surface = kernel_density(x, y, TOWN, cell, bandwidth)
    rows, columns = surface.values.shape
    across = surface.x0 + (np.arange(columns) + 0.5) * cell
    up = surface.y0 + (np.arange(rows) + 0.5) * cell
    # The peer takes minutes for all squares: it is asked for some of them.
    some = random.integers(0, rows * columns, 20)
    where = np.column_stack([across[some % columns], up[some // columns]])
    tree = KernelDensity(bandwidth=bandwidth, rtol=1e-4).fit(np.column_stack([x, y]))

    def peer() -> Floats:
        density: Floats = np.exp(tree.score_samples(where)) * points
        return density

    off = np.abs(surface.values.ravel()[some] - peer()).max() / surface.values.max()
    assert off < 0.01, f"densities differ by {off:.4f} of the peak"
    west, south, east, north = surface.bounds

    def blurred() -> Floats:
        squares, _, _ = np.histogram2d(y, x, (rows, columns), [(south, north), (west, east)])
        return gaussian_filter(squares, bandwidth / cell, mode="constant") / cell**2

    blur = "numpy histogram2d, scipy gaussian_filter"
    blunt = np.abs(surface.values - blurred()).max() / surface.values.max()
    assert blunt < 0.02, f"densities differ by {blunt:.4f} of the peak"
    task = f"density of {points:,} points"
    ours = _rows(
        task,
        {"gis.kernel_density": lambda: kernel_density(x, y, TOWN, cell, bandwidth), blur: blurred},
        {
            "gis.kernel_density": f"all {rows * columns:,} squares",
            blur: f"points moved to the middle of their square; within {blunt:.4f} of the peak",
        },
    )
    theirs = median_seconds({"": peer})[""] * 1e3 * rows * columns / some.size
    name = "scikit-learn KernelDensity"
    note = f"from {some.size} of the squares; within {off:.4f} of the peak"
    drawn = _rows(
        task, {"gis.bands": lambda: bands(surface, round_breaks(surface))}, {"gis.bands": "areas of it"}
    )
    return [*ours, Row(task, name, theirs, "ms", theirs / (ours[0].value or np.nan), note), *drawn]


if __name__ == "__main__":
    print(render(main()))
