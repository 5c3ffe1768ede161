"""A place that acts up again and again is found, and a place that did so once is left alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.cluster import DBSCAN  # type: ignore[import-untyped]

from gis import clusters
from gis.clusters import space_time_clusters
from gis.errors import InvalidInput

DAY = 86_400.0
Floats = NDArray[np.float64]


def by_scikit_learn(
    x: Floats, y: Floats, t: Floats, radius_m: float, gap_s: float, min_points: int
) -> NDArray[np.int64]:
    """The same rule through DBSCAN on a table of all distances: 1 where both limits are just kept."""
    far = np.hypot(x[:, None] - x, y[:, None] - y) > radius_m
    apart = np.abs(t[:, None] - t) > gap_s
    distance = (far | apart) * 2.0
    labels: NDArray[np.int64] = (
        DBSCAN(eps=1.0, min_samples=min_points, metric="precomputed").fit(distance).labels_
    )
    return labels


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 250),
    st.integers(0, 2**32 - 1),
    st.integers(1, 8),
    st.sampled_from([300.0, 3_000.0]),
    st.sampled_from([39_500_000.0, 0.0]),
)
def test_clusters_equal_those_of_scikit_learn(
    n: int, seed: int, min_points: int, width: float, origin: float
) -> None:
    random = np.random.default_rng(seed)
    x, y = random.uniform(0, width, (2, n)).round(random.integers(0, 3)) + origin
    t = random.uniform(0, 365 * DAY, n).round(-3) + 1.76e9

    found = space_time_clusters(x, y, t, 100.0, 30 * DAY, min_points)

    np.testing.assert_array_equal(found, by_scikit_learn(x, y, t, 100.0, 30 * DAY, min_points))


def test_one_pass_or_many_give_the_same_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    x, y, t = random.uniform(0, 2_000, 800), random.uniform(0, 2_000, 800), random.uniform(0, 90 * DAY, 800)
    at_once = space_time_clusters(x, y, t, 100.0, 30 * DAY)
    monkeypatch.setattr(clusters, "_PAIRS_AT_ONCE", 20)

    np.testing.assert_array_equal(space_time_clusters(x, y, t, 100.0, 30 * DAY), at_once)
    assert at_once.max() > 3


def test_water_that_stands_three_times_at_one_corner_is_a_recurrent_point() -> None:
    x, y = [0.0, 30.0, 10.0, 900.0], [0.0, 0.0, 20.0, 0.0]
    days = np.array([0.0, 12.0, 40.0, 41.0])

    assert space_time_clusters(x, y, days * DAY, 100.0, 90 * DAY).tolist() == [0, 0, 0, -1]


def test_twice_is_not_yet_recurrent() -> None:
    assert space_time_clusters([0.0, 1.0], [0.0, 1.0], [0.0, DAY], 100.0, 90 * DAY).tolist() == [-1, -1]


def test_the_same_corner_after_a_long_silence_is_a_new_cluster() -> None:
    days = np.array([0.0, 10.0, 20.0, 200.0, 210.0, 220.0])

    labels = space_time_clusters(np.zeros(6), np.zeros(6), days * DAY, 100.0, 90 * DAY)

    assert labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_both_limits_are_included() -> None:
    x, days = [0.0, 100.0, 0.0], np.array([0.0, 0.0, 90.0])

    assert space_time_clusters(x, np.zeros(3), days * DAY, 100.0, 90 * DAY).tolist() == [0, 0, 0]
    assert space_time_clusters(x, np.zeros(3), days * DAY, 99.9, 90 * DAY).tolist() == [-1, -1, -1]


def test_a_thousand_calls_about_one_address_are_one_cluster() -> None:
    labels = space_time_clusters(np.zeros(1_000), np.zeros(1_000), np.arange(1_000.0), 30.0, DAY)

    assert (labels == 0).all()


def test_a_quiet_city_has_no_clusters() -> None:
    assert space_time_clusters([], [], [], 100.0, DAY).tolist() == []


@pytest.mark.parametrize(
    ("x", "t", "limits", "code", "field"),
    [
        ([0.0, 1.0], [0.0], (1.0, 1.0, 3), "lengths_differ", "t_seconds"),
        ([np.nan], [0.0], (1.0, 1.0, 3), "coordinate_not_finite", "x_m"),
        ([0.0], [np.inf], (1.0, 1.0, 3), "coordinate_not_finite", "t_seconds"),
        ([0.0], [0.0], (0.0, 1.0, 3), "radius_out_of_range", "radius_m"),
        ([0.0], [0.0], (1.0, float("nan"), 3), "gap_out_of_range", "gap_s"),
        ([0.0], [0.0], (1.0, 1.0, 0), "min_points_out_of_range", "min_points"),
    ],
)
def test_what_cannot_be_grouped_is_refused_by_name(
    x: list[float], t: list[float], limits: tuple[float, float, int], code: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        space_time_clusters(x, np.zeros(len(x)), t, *limits)

    assert refused.value.code == code
    assert refused.value.facts["field"] == field
