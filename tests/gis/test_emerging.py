"""A hot spot has a history: new, lasting, growing, fading; each pattern by its definition, chance kept out."""

from __future__ import annotations

import numpy as np
import pymannkendall  # type: ignore[import-untyped]
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely.geometry import box

from gis.emerging import Pattern, emerging_hotspots, mann_kendall, patterns
from gis.errors import InvalidInput
from gis.hotspots import getis_ord_star, two_sided_p
from gis.weights import contiguity, star

Floats = NDArray[np.float64]

SIDE, WEEKS = 12, 20
CELLS = SIDE * SIDE
CITY = star(contiguity([box(i, j, i + 1, j + 1) for j in range(SIDE) for i in range(SIDE)]))
CORNER = np.zeros((SIDE, SIDE), dtype=bool)
CORNER[1:4, 1:4] = True
MIDDLE = 2 * SIDE + 2
"""The cell in the middle of the corner."""


# --- the trend ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [3, 30, 3_000], ids=["many ties", "some ties", "few ties"])
@pytest.mark.parametrize("times", [2, 3, 10, 53])
def test_the_trend_equals_pymannkendall_with_ties(values: int, times: int) -> None:
    series = np.random.default_rng(times).integers(0, values, (60, times)).astype(float)

    mine = mann_kendall(series)

    for i, row in enumerate(series):
        if np.ptp(row) == 0:
            continue
        peer = pymannkendall.original_test(row)
        assert (mine.s[i], mine.z[i], mine.p[i]) == pytest.approx((peer.s, peer.z, peer.p), rel=0, abs=1e-12)


def test_a_series_that_never_changes_has_no_trend() -> None:
    assert mann_kendall([5.0] * 12) == (0.0, 0.0, 1.0)


def test_weeks_that_nobody_knows_are_passed_over() -> None:
    series = np.random.default_rng(1).integers(0, 6, 30).astype(float)
    with_gaps = series.copy()
    with_gaps[[0, 7, 8, 29]] = np.nan

    assert mann_kendall(with_gaps) == mann_kendall(np.delete(series, [0, 7, 8, 29]))


def test_one_week_or_none_has_no_trend_to_tell() -> None:
    assert np.isnan(mann_kendall([[np.nan, 3.0, np.nan], [np.nan] * 3]).p).all()
    assert np.isnan(mann_kendall(np.empty((2, 0))).z).all()


def test_series_of_any_shape_keep_it() -> None:
    series = np.random.default_rng(2).normal(size=(3, 4, 12))

    found = mann_kendall(series)

    assert found.s.shape == found.z.shape == found.p.shape == (3, 4)
    assert found.z[2, 1] == mann_kendall(series[2, 1]).z


@given(st.lists(st.integers(-20, 20), min_size=2, max_size=30))
def test_backwards_a_trend_runs_the_other_way_and_the_unit_does_not_matter(values: list[int]) -> None:
    series = np.array(values, dtype=float)

    forth, back = mann_kendall(series), mann_kendall(series[::-1])

    assert (back.s, back.z) == (-forth.s, -forth.z)
    assert mann_kendall(series * 1_000 - 7) == forth


def test_an_infinite_value_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        mann_kendall([1.0, np.inf])

    assert refused.value.code == "count_not_finite"


# --- the patterns ---------------------------------------------------------------------------------------

# Twenty weeks of one cell, from the first to the last: H hot, C cold, a dot neither.
HISTORIES = [
    ("....................", 0, Pattern.NONE),
    ("HHHH...H............", 0, Pattern.NONE),  # only in the past, and not for most of it
    ("HHHHHHHHHHHHHHHHH...", 0, Pattern.NONE),  # 85 %
    ("...................H", 0, Pattern.NEW),
    ("..CC...............H", 0, Pattern.NEW),  # was cold, but never hot
    ("..................HH", 0, Pattern.CONSECUTIVE),
    ("...HHHHHHHHHHHHHHHHH", 0, Pattern.CONSECUTIVE),  # 85 %
    ("..CC............HHHH", 0, Pattern.CONSECUTIVE),
    ("..HHHHHHHHHHHHHHHHHH", 1, Pattern.INTENSIFYING),  # 90 %
    ("HHHHHHHHHHHHHHHHHHHH", 1, Pattern.INTENSIFYING),
    ("HHHHHHHHHHHHHHHHHHHH", 0, Pattern.PERSISTENT),
    ("H.HHHHHHHHHHHHHH.HHH", 0, Pattern.PERSISTENT),
    ("CHHHHHHHHHHHHHHHHHHH", 0, Pattern.PERSISTENT),
    ("HHHHHHHHHHHHHHHHHHHH", -1, Pattern.DIMINISHING),
    (".HHHHHHHHHHHHHHHHHHH", -1, Pattern.DIMINISHING),
    ("H..................H", 0, Pattern.SPORADIC),
    ("..HH...H...HHH....HH", 1, Pattern.SPORADIC),
    ("HHHHHHHHHHHHHHHH...H", 0, Pattern.SPORADIC),  # 85 %
    ("H.C................H", 0, Pattern.OSCILLATING),
    ("CC.HH...........C.HH", 0, Pattern.OSCILLATING),
    ("HHHHHHHHHHHHHHHHHH..", 0, Pattern.HISTORICAL),  # 90 %
    ("HHHHHHHHHHHHHHHHHHH.", -1, Pattern.HISTORICAL),
    ("HHHHHHHHHHHHHHHHHHHC", 0, Pattern.HISTORICAL),
    ("HHHHHHHHHHHHHHHHHHHC", 1, Pattern.HISTORICAL),
]


def pattern_of(history: str, trend: int) -> int:
    marks = np.array([list(history)])
    return int(patterns(marks == "H", marks == "C", [trend])[0])


@pytest.mark.parametrize(("history", "trend", "pattern"), HISTORIES)
def test_a_history_has_its_pattern(history: str, trend: int, pattern: Pattern) -> None:
    # the very last one is a new cold spot as well; what was hot for most of the time goes first
    assert pattern_of(history, trend) == pattern


@pytest.mark.parametrize(("history", "trend", "pattern"), HISTORIES)
def test_a_cold_history_has_the_cold_twin(history: str, trend: int, pattern: Pattern) -> None:
    mirrored = history.translate(str.maketrans("HC", "CH"))

    found = pattern_of(mirrored, -trend)

    if history.endswith("C"):  # once cold for most of the time, and hot now: the heat of today goes first
        assert found == Pattern.NEW
    else:
        assert found == -pattern


def test_every_pattern_is_in_the_table_and_has_a_twin_with_its_name() -> None:
    assert {pattern for _, _, pattern in HISTORIES} == {pattern for pattern in Pattern if pattern >= 0}
    for pattern in Pattern:
        if pattern > 0:
            assert Pattern(-pattern).name == f"COLD_{pattern.name}"


# --- from counts to patterns ----------------------------------------------------------------------------


def a_year(a_week: NDArray[np.float64]) -> Floats:
    """Return counts of a city in which the corner has so many more in each week."""
    counts = np.random.default_rng(7).poisson(4.0, (CELLS, a_week.size)).astype(float)
    counts[CORNER.ravel()] += a_week
    return counts


STORIES = [
    (np.r_[np.zeros(19), 12], Pattern.NEW),
    (np.r_[np.zeros(15), np.full(5, 12)], Pattern.CONSECUTIVE),
    (np.linspace(16, 40, 20), Pattern.INTENSIFYING),
    (np.full(20, 14), Pattern.PERSISTENT),
    (np.linspace(40, 16, 20), Pattern.DIMINISHING),
    (np.r_[np.tile([14, 14, 0, 0, 0], 3), 0, 0, 0, 14, 14], Pattern.SPORADIC),
    (np.r_[np.full(19, 14), -1], Pattern.HISTORICAL),
]


@pytest.mark.parametrize(("a_week", "pattern"), STORIES, ids=lambda given: getattr(given, "name", ""))
def test_a_corner_with_a_story_shows_its_pattern_and_the_far_side_none(
    a_week: Floats, pattern: Pattern
) -> None:
    found = emerging_hotspots(a_year(a_week), CITY, bins_back=0)

    assert Pattern(int(found.pattern[MIDDLE])) == pattern
    assert (found.pattern.reshape(SIDE, SIDE)[7:, 7:] == Pattern.NONE).mean() > 0.95


def test_a_corner_that_was_empty_and_is_hot_now_swings() -> None:
    counts = np.random.default_rng(8).poisson(9.0, (CELLS, WEEKS)).astype(float)
    counts[CORNER.ravel(), 2:9] = 0
    counts[CORNER.ravel(), 11] += 20
    counts[CORNER.ravel(), 18:] += 20

    found = emerging_hotspots(counts, CITY)

    assert Pattern(int(found.pattern[MIDDLE])) == Pattern.OSCILLATING


def test_a_corner_where_nothing_happens_any_more_is_a_cold_spot() -> None:
    counts = np.random.default_rng(9).poisson(9.0, (CELLS, WEEKS)).astype(float)
    counts[CORNER.ravel(), -3:] = 0

    found = emerging_hotspots(counts, CITY, bins_back=0)

    assert Pattern(int(found.pattern[MIDDLE])) == Pattern.COLD_CONSECUTIVE


def test_without_bins_before_the_score_is_that_of_the_star_on_one_great_city_of_all_bins() -> None:
    counts = a_year(np.linspace(0, 9, WEEKS))
    apart = np.kron(np.eye(WEEKS), CITY.toarray())  # a week's cells neighbour those of the same week only

    found = emerging_hotspots(counts, CITY, bins_back=0)

    expected = getis_ord_star(counts.T.ravel(), type(CITY)(apart)).reshape(WEEKS, CELLS).T
    np.testing.assert_allclose(found.z, expected, atol=1e-9)


def test_with_a_bin_before_the_score_is_that_of_the_star_with_those_neighbours_too() -> None:
    counts = a_year(np.linspace(0, 9, WEEKS))
    joined = np.kron(np.eye(WEEKS) + np.eye(WEEKS, k=-1), CITY.toarray())

    found = emerging_hotspots(counts, CITY)

    expected = getis_ord_star(counts.T.ravel(), type(CITY)(joined)).reshape(WEEKS, CELLS).T
    np.testing.assert_allclose(found.z, expected, atol=1e-9)


def test_the_trend_is_that_of_scores_that_share_no_week() -> None:
    counts = a_year(np.linspace(0, 9, WEEKS))

    found = emerging_hotspots(counts, CITY)

    alone = mann_kendall(emerging_hotspots(counts, CITY, bins_back=0).z)
    np.testing.assert_array_equal(found.trend_z, alone.z)
    np.testing.assert_allclose(found.trend_p, two_sided_p(alone.z))


def test_hot_and_cold_bins_exclude_each_other() -> None:
    found = emerging_hotspots(a_year(np.full(WEEKS, 20)), CITY)

    assert found.hot.any()
    assert not (found.hot & found.cold).any()
    assert (found.z[found.hot] > 0).all()
    assert (found.z[found.cold] < 0).all()


@pytest.mark.parametrize("a_cell", [0.05, 0.5, 5.0])
def test_in_years_where_nothing_gathers_patterns_are_found_no_more_often_than_admitted(a_cell: float) -> None:
    random = np.random.default_rng(21)
    years = [random.poisson(a_cell, (CELLS, WEEKS)).astype(float) for _ in range(200)]

    found = [emerging_hotspots(year, CITY) for year in years]

    most = scipy.stats.binom(200, 0.05).ppf(0.975)
    assert sum(bool((year.hot | year.cold).any()) for year in found) <= most
    assert sum(bool(year.pattern.any()) for year in found) <= most
    assert np.mean([year.trend_p < 0.05 for year in found]) < 0.055  # of each cell by itself


def test_scores_that_share_a_week_would_show_trends_that_are_not_there() -> None:
    random = np.random.default_rng(22)
    years = [emerging_hotspots(random.poisson(5.0, (CELLS, WEEKS)), CITY) for _ in range(30)]

    assert np.mean([mann_kendall(year.z).p < 0.05 for year in years]) > 0.1


@pytest.mark.parametrize(
    ("counts", "code"),
    [
        (np.ones(5), "lengths_differ"),
        (np.ones((CELLS + 1, WEEKS)), "lengths_differ"),
        (np.ones((CELLS, 9)), "too_few_bins"),
        (np.full((CELLS, WEEKS), np.nan), "count_not_finite"),
        (np.ones((CELLS, WEEKS)), "no_variance"),
    ],
)
def test_counts_that_tell_no_pattern_are_refused(counts: Floats, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        emerging_hotspots(counts, CITY)

    assert refused.value.code == code


def test_a_cell_that_is_not_its_own_neighbour_is_refused() -> None:
    counts = np.random.default_rng(1).poisson(2.0, (4, 12))

    with pytest.raises(InvalidInput) as refused:
        emerging_hotspots(counts, contiguity([box(i, 0, i + 1, 1) for i in range(4)]))

    assert refused.value.code == "weights_without_self"
