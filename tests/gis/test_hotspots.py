"""A hot spot is a statement of statistics: the same numbers as PySAL, and a cut-off that counts its errors."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple

import esda  # type: ignore[import-untyped]
import libpysal  # type: ignore[import-untyped]
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
from gis.hotspots import (
    LocalMoran,
    benjamini_hochberg,
    getis_ord_star,
    local_moran,
    morans_i,
    star_test,
    two_sided_p,
)
from gis.shuffling import skewed_p
from gis.smoothing import standardised_rates
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


class Example(NamedTuple):
    """Values and weights that come with PySAL, as its documentation uses them."""

    values: NDArray[np.float64]
    weights: W

    @property
    def sparse(self) -> csr_array:
        self.weights.transform = "b"
        return csr_array(self.weights.sparse)


EXAMPLES = {
    "St. Louis": ("stl.gal", "stl_hom.txt", "HR8893"),
    "sudden deaths": ("sids2.gal", "sids2.dbf", "SIDR74"),
    "Columbus": ("columbus.gal", "columbus.dbf", "CRIME"),
    "Baltimore": ("baltim_q.gal", "baltim.dbf", "PRICE"),
    "US incomes": ("states48.gal", "usjoin.csv", "2009"),
    "de Smith": ("desmith.gal", "desmith.txt", "z"),
}


def example(name: str) -> Example:
    weights, table, column = EXAMPLES[name]
    with closing(libpysal.io.open(libpysal.examples.get_path(weights))) as file:
        neighbours = file.read()
    with closing(libpysal.io.open(libpysal.examples.get_path(table))) as file:
        values = np.array([float(value) for value in file.by_col(column)])
    return Example(values, neighbours)


def six_points() -> Example:
    """Return the points that esda's documentation of G_Local uses."""
    points = [(10, 10), (20, 10), (40, 10), (15, 20), (30, 20), (30, 30)]
    weights = libpysal.weights.DistanceBand(points, threshold=15, silence_warnings=True)
    return Example(np.array([2, 3, 3.2, 5, 8, 7]), weights)


def random_weights(seed: int, *, rows_of_one: bool) -> csr_array:
    """Return weights that run one way, with the star; of 0 and 1, or rows with a sum of 1."""
    random = np.random.default_rng(seed)
    ones = (random.random((80, 80)) < 0.08).astype(float)
    np.fill_diagonal(ones, 1.0)
    return csr_array(ones / ones.sum(axis=1, keepdims=True) if rows_of_one else ones)


def without_self(weights: csr_array) -> csr_array:
    bare = csr_array(weights - csr_array(np.diag(weights.diagonal())))
    bare.eliminate_zeros()
    return bare


@pytest.mark.parametrize("neighbours", [CITY, scattered()], ids=["touching", "near"])
def test_the_star_score_equals_pysal(neighbours: csr_array) -> None:
    counts = counts_with_a_hot_corner()
    peer = esda.G_Local(counts, as_pysal(neighbours), transform="B", permutations=0, star=True)

    np.testing.assert_allclose(getis_ord_star(counts, star(neighbours)), peer.Zs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_star_score_equals_pysal_on_its_examples(name: str) -> None:
    counts, weights = example(name)
    peer = esda.G_Local(counts, weights, transform="B", permutations=0, star=True)

    mine = getis_ord_star(counts, star(example(name).sparse))

    np.testing.assert_allclose(mine, peer.Zs, rtol=0, atol=1e-9)


def test_the_star_score_is_the_one_that_pysal_publishes() -> None:
    points = six_points()
    published = [-1.39727626, -0.28917762, 0.65064964, -0.28917762, 1.23452088, 2.02424331]

    np.testing.assert_allclose(getis_ord_star(points.values, star(points.sparse)), published, atol=5e-9)


@pytest.mark.parametrize("seed", range(8))
def test_the_star_score_equals_pysal_on_random_weights(seed: int) -> None:
    counts = np.random.default_rng(seed).gamma(1.5, 4.0, 80)
    weights = random_weights(seed, rows_of_one=False)
    peer = esda.G_Local(counts, as_pysal(weights), transform="B", permutations=0, star=None)

    np.testing.assert_allclose(getis_ord_star(counts, weights), peer.Zs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_rows_brought_to_a_sum_of_one_give_the_same_score_where_pysal_takes_another_variance(
    seed: int,
) -> None:
    counts = np.random.default_rng(seed).gamma(1.5, 4.0, 80)
    weights = random_weights(seed, rows_of_one=True)
    peer = esda.G_Local(counts, as_pysal(weights), transform="R", permutations=0, star=None)

    mine = getis_ord_star(counts, weights)

    np.testing.assert_allclose(
        mine, getis_ord_star(counts, random_weights(seed, rows_of_one=False)), atol=1e-9
    )
    # PySAL's variance holds for weights of 0 and 1: it reads a row's sum, 1, for the sum of its squares too.
    squares = (weights.toarray() ** 2).sum(axis=1)
    np.testing.assert_allclose(mine, peer.Zs * np.sqrt(79 / (80 * squares - 1)), rtol=0, atol=1e-9)


def local_pairs() -> list[tuple[str, NDArray[np.float64], csr_array]]:
    random = [
        (
            f"random {seed}",
            np.random.default_rng(seed).gamma(1.5, 4.0, 80),
            without_self(random_weights(seed, rows_of_one=seed % 2 == 0)),
        )
        for seed in range(6)
    ]
    return [("a hot corner", counts_with_a_hot_corner(), CITY), *random]


@pytest.mark.parametrize(
    ("name", "counts", "weights"), local_pairs(), ids=lambda given: given if isinstance(given, str) else ""
)
def test_local_moran_equals_pysal(name: str, counts: NDArray[np.float64], weights: csr_array) -> None:
    peer = esda.Moran_Local(counts, as_pysal(weights), transformation="r", permutations=0)

    mine = local_moran(counts, weights)

    assert_same_local(mine, peer, counts.size)


@pytest.mark.parametrize("name", EXAMPLES)
def test_local_moran_equals_pysal_on_its_examples(name: str) -> None:
    values, weights = example(name)
    peer = esda.Moran_Local(values, weights, transformation="r", permutations=0)

    assert_same_local(local_moran(values, example(name).sparse), peer, values.size)


def assert_same_local(mine: LocalMoran, peer: esda.Moran_Local, n: int) -> None:
    np.testing.assert_allclose(mine.statistic, peer.Is, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(mine.quadrant, peer.q)
    # PySAL gives the moments for I without its factor (n - 1) / n.
    unscaled = peer.Is * n / (n - 1)
    np.testing.assert_allclose(mine.z, (unscaled - peer.EIc) / np.sqrt(peer.VIc), rtol=0, atol=1e-9)


def test_the_quadrants_are_those_that_pysal_publishes() -> None:
    values, _ = example("de Smith")

    assert local_moran(values, example("de Smith").sparse).quadrant.tolist() == [4, 4, 4, 2, 3, 3, 1, 4, 3, 3]


@pytest.mark.parametrize("standardise", [True, False], ids=["rows of one", "ones"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_morans_i_equals_pysal_on_its_examples(name: str, standardise: bool) -> None:
    values, weights = example(name)
    peer = esda.Moran(values, weights, transformation="r" if standardise else "b", permutations=0)

    mine = morans_i(values, example(name).sparse, standardise=standardise)

    assert mine == pytest.approx((peer.I, peer.EI, peer.z_rand, peer.p_rand), rel=0, abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_morans_i_equals_pysal_on_random_weights(seed: int) -> None:
    values = np.random.default_rng(seed).gamma(1.5, 4.0, 80)
    weights = without_self(random_weights(seed, rows_of_one=seed % 2 == 0))
    peer = esda.Moran(values, as_pysal(weights), transformation="r", permutations=0)

    mine = morans_i(values, weights)

    assert mine == pytest.approx((peer.I, peer.EI, peer.z_rand, peer.p_rand), rel=0, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "published"), [("St. Louis", 0.24365582621771659), ("sudden deaths", 0.24772519320480135)]
)
def test_morans_i_is_the_one_that_pysal_publishes(name: str, published: float) -> None:
    assert morans_i(example(name).values, example(name).sparse).i == pytest.approx(published, abs=1e-9)


def test_morans_i_of_a_city_without_neighbours_is_not_known() -> None:
    found = morans_i([1.0, 2.0, 3.0, 9.0], csr_array((4, 4)))

    assert np.isnan([found.i, found.z, found.p]).all()
    assert found.expected == pytest.approx(-1 / 3)


def test_where_all_are_neighbours_of_all_morans_i_says_nothing() -> None:
    found = morans_i([1.0, 2.0, 3.0, 9.0], csr_array(1.0 - np.eye(4)))

    assert found.i == pytest.approx(found.expected)
    assert np.isnan([found.z, found.p]).all()


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


@pytest.mark.parametrize("grid", [0, 40, 77])
def test_a_probability_of_local_moran_is_the_share_of_shuffled_neighbours_as_far_out(grid: int) -> None:
    counts, random = (
        np.random.default_rng(6).poisson(0.4, SIDE * SIDE).astype(float),
        np.random.default_rng(3),
    )
    around = CITY[[grid]].indices
    counts[around] = 1 + np.arange(around.size) % 2
    others = np.delete(counts, grid)
    drawn = np.array([random.choice(others, around.size, replace=False).sum() for _ in range(40_000)])

    share = ((drawn > counts[around].sum()).mean() + (drawn >= counts[around].sum()).mean()) / 2

    assert local_moran(counts, CITY).p[grid] == pytest.approx(2 * share, rel=0.3, abs=5e-4)


# --- what chance would do -------------------------------------------------------------------------------


def test_the_star_test_scores_as_the_star() -> None:
    counts = counts_with_a_hot_corner()

    np.testing.assert_array_equal(star_test(counts, star(CITY)).z, getis_ord_star(counts, star(CITY)))


def shuffled_stars(counts: NDArray[np.float64], times: int) -> NDArray[np.float64]:
    random = np.random.default_rng(5)
    return np.array([getis_ord_star(random.permutation(counts), star(CITY)) for _ in range(times)])


@pytest.mark.parametrize("a_cell", [0.2, 1.0, 6.0], ids=["few", "some", "many"])
def test_a_probability_of_the_star_is_the_share_of_shuffles_as_far_out(a_cell: float) -> None:
    counts = np.random.default_rng(4).poisson(a_cell, SIDE * SIDE).astype(float)
    shuffles = shuffled_stars(counts, 4_000)
    found = star_test(counts, star(CITY))
    inner = np.flatnonzero(star(CITY).sum(axis=1) == 9)

    # Scores come in steps: half of what is exactly as far counts, as a smooth curve has it.
    beyond = np.abs(shuffles[:, inner]) * np.sign(shuffles[:, inner]) * np.sign(found.z[inner])
    far = np.abs(found.z[inner])
    share = ((beyond > far + 1e-9).mean(axis=0) + (beyond > far - 1e-9).mean(axis=0)) / 2

    np.testing.assert_allclose(found.p[inner], np.minimum(2 * share, 1), atol=0.12)
    rare = found.p[inner] < 0.05
    assert rare.any()
    np.testing.assert_allclose(found.p[inner][rare], 2 * share[rare], atol=0.02)


def test_few_counts_have_a_long_upper_tail_and_no_lower_one() -> None:
    z, skewness = np.array([3.0, -3.0]), np.full(2, 0.8)

    upper, lower = skewed_p(z, skewness)

    assert lower < two_sided_p(3.0) < upper


@given(st.floats(-8, 8), st.floats(-3, 3))
def test_the_skewed_curve_equals_an_independent_program(z: float, skewness: float) -> None:
    curve = scipy.stats.pearson3(skewness)

    expected = min(1.0, 2 * (curve.sf(z) if z > 0 else curve.cdf(z))) if z else 1.0

    assert float(skewed_p(z, skewness)) == pytest.approx(expected, rel=1e-3, abs=1e-12)


def a_quiet_city(kind: str, random: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Return values in which nothing gathers anywhere: complete spatial randomness."""
    if kind == "rates":
        homes = random.lognormal(5.5, 0.8, n).round() + 5
        return standardised_rates(random.poisson(homes * 0.01), homes)
    return random.poisson(float(kind), n).astype(float)


QUIET = ["0.1", "0.3", "1", "3", "30", "rates"]
SIMULATIONS, LEVEL = 200, 0.05
# With a true rate of 5 %, 200 cities have more than 16 false alarms once in 40 times.
MOST_ALARMS = int(scipy.stats.binom(SIMULATIONS, LEVEL).ppf(0.975))
LARGE = contiguity([box(i, j, i + 1, j + 1) for j in range(25) for i in range(25)])


@pytest.mark.parametrize("kind", QUIET)
def test_in_cities_where_nothing_gathers_hot_spots_are_found_no_more_often_than_admitted(kind: str) -> None:
    random = np.random.default_rng(11)
    cities = [a_quiet_city(kind, random, LARGE.shape[0]) for _ in range(SIMULATIONS)]

    alarms = sum(benjamini_hochberg(star_test(city, star(LARGE)).p, LEVEL).any() for city in cities)

    assert alarms <= MOST_ALARMS


@pytest.mark.parametrize("kind", QUIET)
def test_in_cities_where_nothing_gathers_local_moran_finds_no_more_than_admitted(kind: str) -> None:
    random = np.random.default_rng(12)
    cities = [a_quiet_city(kind, random, LARGE.shape[0]) for _ in range(SIMULATIONS)]

    alarms = sum(benjamini_hochberg(local_moran(city, LARGE).p, LEVEL).any() for city in cities)

    assert alarms <= MOST_ALARMS


@pytest.mark.parametrize(
    "probabilities",
    [lambda city: star_test(city, star(LARGE)).p, lambda city: local_moran(city, LARGE).p],
    ids=["star", "Moran"],
)
def test_where_counts_are_more_uneven_than_chance_false_alarms_at_most_double(
    probabilities: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> None:
    random = np.random.default_rng(14)
    cities = [random.negative_binomial(1, 0.2, LARGE.shape[0]).astype(float) for _ in range(SIMULATIONS)]

    alarms = sum(benjamini_hochberg(probabilities(city), LEVEL).any() for city in cities)

    assert alarms <= scipy.stats.binom(SIMULATIONS, 2 * LEVEL).ppf(0.975)


def test_the_normal_curve_would_cry_wolf_where_counts_are_few() -> None:
    random = np.random.default_rng(11)
    cities = [a_quiet_city("0.3", random, LARGE.shape[0]) for _ in range(SIMULATIONS)]

    alarms = sum(
        benjamini_hochberg(two_sided_p(getis_ord_star(city, star(LARGE))), LEVEL).any() for city in cities
    )

    assert alarms > 3 * MOST_ALARMS


def test_of_the_grids_called_hot_in_a_city_with_real_hot_spots_few_are_chance() -> None:
    random = np.random.default_rng(13)
    raised, inner = np.zeros((25, 25)), np.zeros((25, 25), dtype=bool)
    raised[3:9, 3:9], inner[4:8, 4:8] = 3.0, True
    real = (star(LARGE) @ raised.ravel()) > 0  # a grid is hot by its neighbours too
    shares, missed = [], []
    for _ in range(SIMULATIONS):
        found = star_test(random.poisson(0.5 + raised.ravel()).astype(float), star(LARGE))
        hot = benjamini_hochberg(found.p, LEVEL) & (found.z > 0)
        shares.append((hot & ~real).sum() / max(hot.sum(), 1))
        missed.append(1 - hot[inner.ravel()].mean())

    assert np.mean(shares) <= LEVEL
    assert np.mean(missed) < 0.1


def test_a_grid_without_neighbours_scores_zero_in_local_moran() -> None:
    weights = csr_array(np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], dtype=float))

    found = local_moran([1.0, 2.0, 3.0, 9.0], weights)

    assert found.statistic[3] == 0
    assert found.z[3] == 0
    assert np.isfinite(found.z).all()
    assert np.isnan(found.p).tolist() == [False, False, False, True]


def test_where_all_are_neighbours_of_all_no_grid_stands_out() -> None:
    everybody = csr_array(np.ones((5, 5)))

    assert getis_ord_star([1.0, 2.0, 3.0, 4.0, 90.0], everybody).tolist() == [0.0] * 5
    assert np.isnan(star_test([1.0, 2.0, 3.0, 4.0, 90.0], everybody).p).all()


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


@pytest.mark.parametrize("statistic", [local_moran, morans_i])
def test_moran_refuses_a_grid_that_is_its_own_neighbour(statistic: Callable[..., object]) -> None:
    with pytest.raises(InvalidInput) as refused:
        statistic(counts_with_a_hot_corner(), star(CITY))

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
