"""A hot spot is a statement of statistics: the same numbers as PySAL, and a cut-off that counts its errors."""

from __future__ import annotations

import esda  # type: ignore[import-untyped]
import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from libpysal.weights import WSP, W  # type: ignore[import-untyped]
from numpy.typing import NDArray
from scipy.sparse import csr_array
from shapely.geometry import box

from gis.errors import InvalidInput
from gis.hotspots import benjamini_hochberg, getis_ord_star, local_moran, two_sided_p
from gis.weights import contiguity, distance_band, star

SIDE = 12
CITY = contiguity([box(i, j, i + 1, j + 1) for j in range(SIDE) for i in range(SIDE)])


def counts_with_a_hot_corner() -> NDArray[np.float64]:
    counts = np.random.default_rng(1).poisson(3.0, (SIDE, SIDE)).astype(float)
    counts[:3, :3] += 15
    return counts.ravel()


def as_pysal(weights: csr_array) -> W:
    return WSP(weights).to_W(silence_warnings=True)


def scattered() -> csr_array:
    return distance_band(np.random.default_rng(2).uniform(0, 1_000, (SIDE * SIDE, 2)), 160.0)


@pytest.mark.parametrize("neighbours", [CITY, scattered()], ids=["touching", "near"])
def test_the_star_score_equals_pysal(neighbours: csr_array) -> None:
    counts = counts_with_a_hot_corner()
    peer = esda.G_Local(counts, as_pysal(neighbours), transform="B", permutations=0, star=True)

    np.testing.assert_allclose(getis_ord_star(counts, star(neighbours)), peer.Zs, rtol=0, atol=1e-9)


def test_local_moran_equals_pysal() -> None:
    counts = counts_with_a_hot_corner()
    peer = esda.Moran_Local(counts, as_pysal(CITY), transformation="r", permutations=0)

    mine = local_moran(counts, CITY)

    np.testing.assert_allclose(mine.statistic, peer.Is, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(mine.quadrant, peer.q)
    # PySAL gives the moments for I without its factor (n - 1) / n.
    unscaled = peer.Is * counts.size / (counts.size - 1)
    np.testing.assert_allclose(mine.z, (unscaled - peer.EIc) / np.sqrt(peer.VIc), rtol=0, atol=1e-9)


def test_the_hot_corner_stands_out_and_the_rest_does_not() -> None:
    counts = counts_with_a_hot_corner()

    z = getis_ord_star(counts, star(CITY)).reshape(SIDE, SIDE)
    hot = benjamini_hochberg(two_sided_p(z.ravel()), 0.05).reshape(SIDE, SIDE)

    assert hot[:3, :3].all()
    assert not hot[5:, 5:].any()
    assert (local_moran(counts, CITY).quadrant.reshape(SIDE, SIDE)[:2, :2] == 1).all()


def test_local_moran_scores_are_those_of_shuffled_neighbours() -> None:
    counts = counts_with_a_hot_corner()
    grid, random = 40, np.random.default_rng(3)
    around = CITY[[grid]].indices
    z = (counts - counts.mean()) / counts.std()
    others = np.delete(z, grid)
    drawn = (
        np.array([random.choice(others, around.size, replace=False).mean() for _ in range(20_000)]) * z[grid]
    )

    scored = (z[grid] * z[around].mean() - drawn.mean()) / drawn.std()

    assert local_moran(counts, CITY).z[grid] == pytest.approx(scored, abs=0.05)


def test_a_grid_without_neighbours_scores_zero_in_local_moran() -> None:
    weights = csr_array(np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], dtype=float))

    found = local_moran([1.0, 2.0, 3.0, 9.0], weights)

    assert found.statistic[3] == 0
    assert found.z[3] == 0
    assert np.isfinite(found.z).all()


def test_where_all_are_neighbours_of_all_no_grid_stands_out() -> None:
    everybody = csr_array(np.ones((5, 5)))

    assert getis_ord_star([1.0, 2.0, 3.0, 4.0, 90.0], everybody).tolist() == [0.0] * 5


@given(st.floats(1e-9, 1e9), st.floats(-1e3, 1e3))
def test_the_score_does_not_depend_on_the_unit_of_a_rate(factor: float, shift: float) -> None:
    counts = counts_with_a_hot_corner()

    scaled = getis_ord_star((counts + shift) * factor, star(CITY))

    np.testing.assert_allclose(scaled, getis_ord_star(counts, star(CITY)), atol=1e-7)


@pytest.mark.parametrize(
    ("counts", "weights", "code"),
    [
        ([1.0, 2.0, 3.0], csr_array(np.eye(4)), "lengths_differ"),
        ([1.0, 2.0], csr_array(np.eye(2)), "lengths_differ"),
        ([2.0, 2.0, 2.0], csr_array(np.eye(3)), "no_variance"),
        ([1.0, np.nan, 2.0], csr_array(np.eye(3)), "count_not_finite"),
        ([1.0, 2.0, 3.0], csr_array((3, 3)), "weights_without_self"),
    ],
)
def test_a_score_that_cannot_be_is_refused(counts: list[float], weights: csr_array, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        getis_ord_star(counts, weights)

    assert refused.value.code == code


def test_local_moran_refuses_a_grid_that_is_its_own_neighbour() -> None:
    with pytest.raises(InvalidInput) as refused:
        local_moran(counts_with_a_hot_corner(), star(CITY))

    assert refused.value.code == "weights_with_self"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.sampled_from([0.01, 0.05, 0.2, 1.0]))
def test_the_cut_off_equals_an_independent_program(p: list[float], q: float) -> None:
    adjusted = scipy.stats.false_discovery_control(p, method="bh")
    decided = np.abs(adjusted - q) > 1e-12  # at the cut-off itself the two may round apart

    np.testing.assert_array_equal(benjamini_hochberg(p, q)[decided], (adjusted <= q)[decided])


def test_grids_without_a_test_are_neither_picked_nor_counted() -> None:
    assert benjamini_hochberg([0.02, np.nan, np.nan, 0.9], 0.05).tolist() == [True, False, False, False]
    assert benjamini_hochberg([], 0.05).tolist() == []
    assert benjamini_hochberg([np.nan], 0.05).tolist() == [False]


@pytest.mark.parametrize(("p", "q"), [([1.2], 0.05), ([-0.1], 0.05), ([0.5], 1.5), ([0.5], float("nan"))])
def test_what_is_no_probability_is_refused(p: list[float], q: float) -> None:
    with pytest.raises(InvalidInput) as refused:
        benjamini_hochberg(p, q)

    assert refused.value.code == "no_probability"


def test_two_sided_p_is_that_of_the_normal_distribution() -> None:
    assert two_sided_p([0.0, 1.959963984540054, -2.5758293035489]) == pytest.approx([1.0, 0.05, 0.01])
