"""Two incidents among nine households are no rate: small grids are believed less, by Marshall's formula."""

from __future__ import annotations

import csv
from pathlib import Path

import libpysal  # type: ignore[import-untyped]
import numpy as np
import pytest
from esda.smoothing import Empirical_Bayes, assuncao_rate  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gis.errors import InvalidInput
from gis.smoothing import empirical_bayes, standardised_rates

Floats = NDArray[np.float64]


def homicides() -> tuple[Floats, Floats]:
    """Return homicides and people of the counties round St. Louis, the example of PySAL's smoothing."""
    with Path(libpysal.examples.get_path("stl_hom.csv")).open(newline="") as file:
        rows = list(csv.DictReader(file))
    return (
        np.array([float(row["HC7984"]) for row in rows]),
        np.array([float(row["PO7984"]) for row in rows]),
    )


def a_city(seed: int) -> tuple[Floats, Floats]:
    random = np.random.default_rng(seed)
    homes = random.integers(5, 3_000, 150).astype(float)
    return random.poisson(homes * random.gamma(2.0, 0.01, 150)).astype(float), homes


def test_smoothed_rates_are_those_that_pysal_publishes() -> None:
    published = [2.36718950e-05, 4.54539167e-05, 4.78114019e-05, 2.76907146e-05, 6.58989323e-05]

    smoothed = empirical_bayes(*homicides())

    np.testing.assert_allclose(smoothed[:5], published, rtol=1e-8)
    np.testing.assert_allclose(smoothed, Empirical_Bayes(*homicides()).r.ravel(), rtol=0, atol=1e-15)


def test_standardised_rates_are_those_that_pysal_publishes() -> None:
    events, people = [30, 25, 25, 15, 33, 21, 30, 20], [100, 100, 110, 90, 100, 90, 110, 90]

    scores = standardised_rates(events, people)

    np.testing.assert_allclose(
        scores[:4], [1.03843594, -0.04099089, -0.56250375, -1.73061861], rtol=0, atol=1e-8
    )


@pytest.mark.parametrize("seed", range(5))
def test_rates_of_made_up_cities_equal_pysal(seed: int) -> None:
    events, homes = a_city(seed)

    np.testing.assert_allclose(
        empirical_bayes(events, homes), Empirical_Bayes(events, homes).r.ravel(), atol=1e-12
    )
    np.testing.assert_allclose(standardised_rates(events, homes), assuncao_rate(events, homes), atol=1e-9)


def test_where_rates_differ_by_chance_only_each_is_that_of_the_whole() -> None:
    smoothed = empirical_bayes([10, 11, 9, 10], [100, 100, 100, 100])

    np.testing.assert_allclose(smoothed, [0.1] * 4)


def test_the_rate_of_a_small_grid_moves_further_than_that_of_a_large_one() -> None:
    events, homes = a_city(1)
    events[:2], homes[:2] = [4, 400], [10, 1_000]

    smoothed = empirical_bayes(events, homes)

    overall = events.sum() / homes.sum()
    assert overall < smoothed[0] < smoothed[1] < 0.4


def test_a_grid_without_households_has_no_rate_and_moves_no_other() -> None:
    events, homes = a_city(2)

    smoothed = empirical_bayes([*events, 7, 3], [*homes, 0, np.nan])

    assert np.isnan(smoothed[-2:]).all()
    np.testing.assert_array_equal(smoothed[:-2], empirical_bayes(events, homes))
    assert np.isnan(standardised_rates([*events, 7], [*homes, 0])[-1])


def test_where_nothing_happened_the_rates_are_zero_and_no_data_stays_no_data() -> None:
    assert empirical_bayes([0, 0, 0], [5, 50, 0])[:2].tolist() == [0.0, 0.0]
    assert standardised_rates([0, 0], [5, 50]).tolist() == [0.0, 0.0]
    assert np.isnan(empirical_bayes([0, 1], [0, 0])).all()
    assert empirical_bayes([], []).size == 0


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(1, 5_000)), min_size=2, max_size=40),
)
def test_a_smoothed_rate_lies_between_its_own_and_that_of_the_whole(grids: list[tuple[int, int]]) -> None:
    events, homes = np.array(grids, dtype=float).T
    own, overall = events / homes, events.sum() / homes.sum()

    smoothed = empirical_bayes(events, homes)

    slack = 1e-12 * max(own.max(), 1)
    assert (smoothed >= np.minimum(own, overall) - slack).all()
    assert (smoothed <= np.maximum(own, overall) + slack).all()


@pytest.mark.parametrize(
    ("events", "population", "code", "field"),
    [
        ([1.0, 2.0], [3.0], "lengths_differ", "population"),
        ([-1.0], [3.0], "count_not_finite", "events"),
        ([np.nan], [3.0], "count_not_finite", "events"),
        ([1.0], [-3.0], "count_not_finite", "population"),
        ([1.0], [np.inf], "count_not_finite", "population"),
    ],
)
def test_what_is_no_count_is_refused(
    events: list[float], population: list[float], code: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        empirical_bayes(events, population)

    assert (refused.value.code, refused.value.facts["field"]) == (code, field)
