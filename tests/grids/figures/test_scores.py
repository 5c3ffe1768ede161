"""Hot and cold grids, and those that become so: plain frames in, plain frames out."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from shapely import box

from gis.errors import InvalidInput
from gis.hotspots import star_test
from gis.smoothing import empirical_bayes
from gis.weights import contiguity, star
from grids.figures.asking import HotspotMetric
from grids.figures.counts import counted
from grids.figures.hotspots import scored
from grids.figures.series import with_patterns

SIDE = 10


def lattice(side: int = SIDE, homes: float = 400.0) -> gpd.GeoDataFrame:
    cells = [box(x, y, x + 1, y + 1) for y in range(side) for x in range(side)]
    codes = [f"{number:015d}" for number in range(len(cells))]
    columns = {"code": codes, "name": codes, "level": "building_group", "households": homes, "km2": 2.0}
    return gpd.GeoDataFrame(columns, geometry=cells, crs="EPSG:4490")


def busy_corner(extra: int) -> np.ndarray:
    """Return counts that differ by chance, with one corner of three by three much busier, or quieter."""
    n = np.random.default_rng(3).poisson(20, SIDE * SIDE).reshape(SIDE, SIDE)
    n[:3, :3] += extra
    return n.ravel()


def test_a_busy_corner_is_hot_and_a_quiet_one_cold():
    cells = lattice()
    weights = contiguity(cells.geometry.to_numpy())

    hot = scored(counted(cells, busy_corner(25), HotspotMetric.COUNT), weights, HotspotMetric.COUNT)
    cold = scored(counted(lattice(), busy_corner(-14), HotspotMetric.COUNT), weights, HotspotMetric.COUNT)

    assert hot["hot"].to_numpy().reshape(SIDE, SIDE)[:2, :2].all()
    assert not hot["cold"].any()
    assert cold["cold"].to_numpy().reshape(SIDE, SIDE)[:2, :2].all()
    assert hot["z"].to_numpy() == pytest.approx(star_test(busy_corner(25), star(weights)).z)
    assert hot.loc[hot["hot"], "quadrant"].isin((0, 1)).all()
    assert (hot["quadrant"] == 1).any()
    assert hot["smoothed"].isna().all()


def test_a_rate_is_smoothed_and_what_has_no_homes_is_not_scored():
    cells = lattice()
    cells.loc[7, "households"] = np.nan

    found = scored(
        counted(cells, busy_corner(25), HotspotMetric.PER_1000_HOUSEHOLDS),
        contiguity(cells.geometry.to_numpy()),
        HotspotMetric.PER_1000_HOUSEHOLDS,
    )

    smoothed = empirical_bayes(busy_corner(25).astype(float), cells["households"].to_numpy()) * 1000
    assert found["smoothed"].to_numpy() == pytest.approx(smoothed, nan_ok=True)
    assert np.isnan(found.loc[7, ["value", "z", "p", "smoothed"]].astype(float)).all()
    assert found["hot"].any()


def test_few_grids_or_equal_ones_are_not_scored():
    few, alike = lattice(4), lattice()
    for cells, n in ((few, np.arange(16)), (alike, np.full(100, 7))):
        found = scored(
            counted(cells, n, HotspotMetric.COUNT), contiguity(cells.geometry.to_numpy()), HotspotMetric.COUNT
        )
        assert not found["hot"].any()
        assert found["z"].isna().all()


def test_a_rate_on_few_cases_is_marked_and_a_count_never_is():
    n = np.array([0, 1, 9, 10])
    assert counted(lattice(2), n, HotspotMetric.PER_KM2)["small"].tolist() == [False, True, True, False]
    assert not counted(lattice(2), n, HotspotMetric.COUNT)["small"].any()


def test_a_corner_that_became_busy_in_the_last_week_is_new():
    cells = lattice()
    weeks = np.random.default_rng(1).poisson(5, (SIDE * SIDE, 12))
    corner = np.zeros((SIDE, SIDE), dtype=bool)
    corner[:3, :3] = True
    weeks[corner.ravel(), -1] += 30

    found = with_patterns(cells, weeks, contiguity(cells.geometry.to_numpy()))

    assert (found["pattern"].to_numpy().reshape(SIDE, SIDE)[:2, :2] == "new").all()
    assert found["n"].tolist() == weeks.sum(axis=1).tolist()
    assert (found["denominator"] == 12).all()
    with pytest.raises(InvalidInput):
        with_patterns(cells, weeks[:, :9], contiguity(cells.geometry.to_numpy()))
