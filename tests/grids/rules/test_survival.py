"""Cases that are still open count for as long as they have been open, and never make a grid look quick."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from statsmodels.duration.survfunc import SurvfuncRight

from gis.errors import InvalidInput
from grids.rules.survival import by_group, kaplan_meier

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
NAN = float("nan")


def at_random(seed: int, n: int, *, whole: bool, open_share: float) -> tuple[Floats, Bools]:
    random = np.random.default_rng(seed)
    minutes = random.exponential(200.0, n)
    return (np.ceil(minutes / 20) if whole else minutes), random.random(n) >= open_share


@pytest.mark.parametrize("open_share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("whole", [True, False])
def test_the_curve_equals_that_of_statsmodels(whole: bool, open_share: float) -> None:
    for seed in range(20):
        minutes, ended = at_random(seed, 5 + 40 * seed, whole=whole, open_share=open_share)
        theirs = SurvfuncRight(minutes, ended.astype(int))

        ours = kaplan_meier(minutes, ended)

        np.testing.assert_array_equal(ours.times, theirs.surv_times)
        np.testing.assert_allclose(ours.survival, theirs.surv_prob, rtol=1e-10, atol=1e-12)


def test_quantiles_equal_those_of_statsmodels_where_no_step_lies_on_them() -> None:
    # where the curve lies level exactly on 1 - p, statsmodels takes the end of that part, and we its beginning
    compared = 0
    for seed in range(200):
        minutes, ended = at_random(seed, 50 + seed, whole=bool(seed % 2), open_share=0.3)
        theirs = SurvfuncRight(minutes, ended.astype(int))
        for p in (0.1, 0.25, 0.5, 0.75, 0.9, 0.99):
            if np.isclose(theirs.surv_prob, 1 - p, rtol=0, atol=1e-9).any():
                continue
            assert kaplan_meier(minutes, ended).quantile(p) == pytest.approx(theirs.quantile(p), nan_ok=True)
            compared += 1
    assert compared > 1_000


def test_the_textbook_example_of_leukaemia_remissions() -> None:
    # Freireich et al. (1963), the 21 patients on 6-MP; the estimates as Kalbfleisch & Prentice print them
    weeks = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    relapsed = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]

    curve = kaplan_meier(weeks, relapsed)

    assert curve.times.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert curve.survival.round(3).tolist() == [0.857, 0.807, 0.753, 0.69, 0.627, 0.538, 0.448]
    assert curve.quantile(0.5) == 23
    assert np.isnan(curve.quantile(0.9))


def test_open_cases_make_the_median_later_than_that_of_the_closed_ones() -> None:
    closed = kaplan_meier([10, 20, 30], [True] * 3)
    with_open = kaplan_meier([10, 20, 30, 500, 600], [True, True, True, False, False])

    assert (closed.quantile(0.5), with_open.quantile(0.5)) == (20, 30)


def test_where_nothing_is_over_there_is_no_median_and_not_a_zero() -> None:
    curve = kaplan_meier([5, 10, 15], [False] * 3)

    assert curve.times.size == 0
    assert np.isnan(curve.quantile(0.5))


def test_an_end_and_an_open_case_at_the_same_minute_count_the_end_first() -> None:
    assert kaplan_meier([10, 10], [True, False]).survival.tolist() == [0.5]


def test_a_level_part_on_the_half_gives_its_beginning() -> None:
    # products: 3/4 x 2/3 is not 0.5 in floating point
    assert kaplan_meier([1, 2, 3, 4], [True] * 4).quantile(0.5) == 2
    assert by_group([0] * 4, [1, 2, 3, 4], [True] * 4, 1, [0.5]).tolist() == [[2]]


def test_what_has_no_members_has_no_figure() -> None:
    np.testing.assert_array_equal(
        by_group([2, 2, 0], [7, 9, 4], [True, True, False], 4, [0.5, 0.9]),
        [[NAN, NAN], [NAN, NAN], [7, 9], [NAN, NAN]],
    )
    assert by_group([], [], [], 0, [0.5]).shape == (0, 1)
    assert np.isnan(by_group([], [], [], 3, [0.5])).all()
    assert kaplan_meier([], []).times.size == 0


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 12) | st.floats(0, 1e6), st.booleans()), max_size=120
    ),
    st.lists(st.floats(0.01, 0.99), max_size=4),
)
def test_each_group_has_the_quantiles_it_has_alone(
    rows: list[tuple[int, float, bool]], quantiles: list[float]
) -> None:
    group = np.array([row[0] for row in rows], dtype=int)
    minutes = np.array([row[1] for row in rows], dtype=float)
    ended = np.array([row[2] for row in rows], dtype=bool)

    found = by_group(group, minutes, ended, 8, quantiles)

    assert found.shape == (8, len(quantiles))
    for one in range(8):
        alone = kaplan_meier(minutes[group == one], ended[group == one])
        np.testing.assert_array_equal(found[one], [alone.quantile(p) for p in quantiles])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=60),
    st.integers(0, 20),
    st.integers(1, 20),
)
def test_an_open_case_that_grows_older_never_makes_it_look_quicker(
    rows: list[tuple[int, bool]], so_far: int, more: int
) -> None:
    minutes, ended = [row[0] for row in rows], [*(row[1] for row in rows), False]

    before = kaplan_meier([*minutes, so_far], ended).quantile(0.5)
    after = kaplan_meier([*minutes, so_far + more], ended).quantile(0.5)

    assert np.isnan(after) or after >= before


def test_a_million_cases_in_ten_thousand_grids_lose_nothing_to_rounding() -> None:
    random = np.random.default_rng(7)
    n, groups = 1_000_000, 10_000
    group, ended = random.integers(0, groups, n), random.random(n) < 0.7
    minutes = random.lognormal(5, 1.5, n).round()

    found = by_group(group, minutes, ended, groups, [0.5, 0.9])

    for one in (0, 1, 4_999, 9_998, 9_999):
        alone = kaplan_meier(minutes[group == one], ended[group == one])
        np.testing.assert_array_equal(found[one], [alone.quantile(0.5), alone.quantile(0.9)])


@pytest.mark.parametrize(
    ("group", "minutes", "ended", "quantile", "code", "field"),
    [
        ([0], [1.0, 2.0], [True, True], 0.5, "lengths_differ", "group"),
        ([0, 0], [1.0, 2.0], [True], 0.5, "lengths_differ", "ended"),
        ([0], [NAN], [True], 0.5, "coordinate_not_finite", "minutes"),
        ([2], [1.0], [True], 0.5, "index_out_of_range", "group"),
        ([-1], [1.0], [True], 0.5, "index_out_of_range", "group"),
        ([0], [1.0], [True], 1.0, "share_out_of_range", "quantiles"),
        ([0], [1.0], [True], NAN, "share_out_of_range", "quantiles"),
    ],
)
def test_what_cannot_be_estimated_is_refused_by_name(
    group: list[int], minutes: list[float], ended: list[bool], quantile: float, code: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        by_group(group, minutes, ended, 2, [quantile])

    assert refused.value.code == code
    assert refused.value.facts["field"] == field
