"""A place that acts up again and again is found, and a place that did so once is left alone."""

from __future__ import annotations

import tracemalloc

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


def heaps(random: np.random.Generator, n: int, width: float) -> tuple[Floats, Floats]:
    """Return places as calls have them: on a few heaps of any width, several about the very same spot."""
    middle = random.uniform(0, width, (random.integers(1, 12), 2))
    spread = random.choice([0.0, 1.0, 20.0, 60.0], len(middle))
    which = random.integers(0, len(middle), n)
    x, y = (middle[which] + random.normal(0, 1, (n, 2)) * spread[which, None]).T
    return x, y


@settings(max_examples=120, deadline=None)
@given(
    st.integers(1, 300),
    st.integers(0, 2**32 - 1),
    st.integers(1, 40),
    st.sampled_from([250.0, 600.0]),
    st.sampled_from([0.2 * DAY, 5 * DAY, 30 * DAY, 400 * DAY]),
    st.sampled_from([1, 20, 1 << 17]),
)
def test_heaps_of_calls_are_grouped_as_scikit_learn_groups_them(
    n: int, seed: int, min_points: int, width: float, gap_s: float, at_once: int
) -> None:
    random = np.random.default_rng(seed)
    x, y = heaps(random, n, width)
    t = random.uniform(0, 365 * DAY, n).round(random.choice([-5, -3, 0]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clusters, "_AT_ONCE", at_once)
        patch.setattr(clusters, "_KEPT", at_once * 50)
        found = space_time_clusters(x, y, t, 100.0, gap_s, min_points)

    np.testing.assert_array_equal(found, by_scikit_learn(x, y, t, 100.0, gap_s, min_points))


@pytest.mark.parametrize("min_points", [3, 10])
def test_in_space_alone_a_whole_district_is_grouped_as_scikit_learn_does(min_points: int) -> None:
    random = np.random.default_rng(5)
    x, y = (
        np.concatenate(two)
        for two in zip(heaps(random, 5_000, 9e3), random.uniform(0, 9e3, (2, 15_000)), strict=True)
    )
    theirs = DBSCAN(eps=100.0, min_samples=min_points).fit(np.column_stack([x, y])).labels_

    found = space_time_clusters(x, y, np.zeros(x.size), 100.0, 1.0, min_points)

    np.testing.assert_array_equal(found, theirs)
    assert theirs.max() > 5


def test_pairs_on_the_very_limits_are_near_wherever_the_cells_begin() -> None:
    # 60-80-100 triangles: the third point shifts where the first cell begins, in space and in time
    for shift in np.linspace(0, 50, 41):
        x, y = [-shift, 0.0, 60.0, 120.0], [-shift / 3, 0.0, 80.0, 160.0]
        t = np.array([-1_000 - shift, 0.0, 90.0, 180.0])
        assert space_time_clusters(x, y, t, 100.0, 90.0, 2).tolist() == [-1, 0, 0, 0]
        assert space_time_clusters(x, y, t, 99.999999, 90.0, 2).tolist() == [-1] * 4
        assert space_time_clusters(x, y, t, 100.0, 89.999999, 2).tolist() == [-1] * 4


def test_a_name_that_holds_everything_far_away_is_no_harm() -> None:
    x = [0.0, 1.0, 2.0, 1e15, 1e15, 1e15, -1e300]

    assert space_time_clusters(x, x, np.zeros(7), 30.0, DAY).tolist() == [0, 0, 0, 1, 1, 1, -1]


@pytest.mark.parametrize(("gap_s", "clusters_"), [(400 * DAY, 1), (30 * DAY, 1), (1.0, 0)])
def test_ten_thousand_calls_on_one_spot_need_no_table_of_pairs(gap_s: float, clusters_: int) -> None:
    # 10,000 x 10,000 pairs would be 800 MB as one array of numbers
    t = np.random.default_rng(3).permutation(10_000) * (365 * DAY / 10_000)
    tracemalloc.start()
    try:
        labels = space_time_clusters(np.zeros(10_000), np.zeros(10_000), t, 100.0, gap_s)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert labels.max() + 1 == clusters_
    assert most < 30e6


def test_two_heaps_that_only_just_touch_are_one_cluster_and_a_hair_further_two() -> None:
    random = np.random.default_rng(2)
    y, t = random.uniform(0, 30, 6_000), random.uniform(0, DAY, 6_000)
    x = np.concatenate([random.uniform(0, 20, 3_000), random.uniform(120.01, 140, 3_000)])
    x[[17, 4_000]], y[[17, 4_000]] = [20.0, 120.0], 12.0

    assert space_time_clusters(x, y, t, 100.0, 9 * DAY).max() == 0
    x[4_000] = 120.0000001
    assert space_time_clusters(x, y, t, 100.0, 9 * DAY).max() == 1


def test_one_pass_or_many_give_the_same_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    x, y, t = random.uniform(0, 2_000, 800), random.uniform(0, 2_000, 800), random.uniform(0, 90 * DAY, 800)
    at_once = space_time_clusters(x, y, t, 100.0, 30 * DAY)
    monkeypatch.setattr(clusters, "_AT_ONCE", 20)
    monkeypatch.setattr(clusters, "_KEPT", 20)

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
