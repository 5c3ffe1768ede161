"""What chance would do is known exactly: as if every order of the values had been tried."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import scipy.stats
from scipy.sparse import csr_array

from gis.shuffling import row_sums, shuffled, skewed_p

VALUES = np.array([0.0, 0.0, 1.0, 1.0, 3.0, 7.0])


@pytest.mark.parametrize(
    "weights",
    [[1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0], [0.5, 0.25, 0.25, 0, 0, 0], [3, 0, 0, 0.1, 0, 1]],
    ids=["two", "all but one", "a row of one", "uneven"],
)
def test_mean_spread_and_skewness_are_those_over_all_orders(weights: list[float]) -> None:
    row = csr_array(np.array([weights], dtype=float))
    off = VALUES - VALUES.mean()
    sums = np.array([np.dot(weights, order) for order in permutations(VALUES)])

    found = shuffled(row_sums(row), VALUES.size, VALUES.mean(), (off**2).sum(), (off**3).sum())

    assert (found.mean[0], found.spread[0]) == pytest.approx((sums.mean(), sums.std()))
    assert found.skewness[0] == pytest.approx(scipy.stats.skew(sums))


def test_a_sum_over_all_alike_is_the_same_in_every_order() -> None:
    row = csr_array(np.full((1, 6), 0.1))

    found = shuffled(row_sums(row), 6, 2.0, 36.0, 90.0)

    assert (found.spread[0], found.skewness[0]) == (0.0, 0.0)


def test_a_probability_that_is_not_known_stays_so() -> None:
    p = skewed_p([np.nan, 0.0, 9.0, -9.0], [0.5, 0.5, 0.5, 0.5])

    assert np.isnan(p[0])
    assert p[1] == 1.0
    assert 0 < p[2] < 1e-8
    assert p[3] == 0.0  # with that skewness nothing lies so far below
