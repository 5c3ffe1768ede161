from __future__ import annotations

from itertools import pairwise

import pytest

from maps.breaks import RATE_BREAKS, TIME_BREAKS, WORKING_DAY, count_breaks, time_breaks
from maps.palette import classify

LEVELS = ("district", "town", "community", "building_group")
INDICATORS = ("count", "per_1000_households", "per_km2")


@pytest.mark.parametrize("indicator", INDICATORS)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("days", [1, 7, 30, 92, 365, 3653])
def test_fixed_breaks_rise_for_every_level_and_length_of_time(indicator, level, days):
    edges = count_breaks(indicator, level, days)

    assert len(edges) == 3
    assert all(low < high for low, high in pairwise((0, *edges)))


@pytest.mark.parametrize(
    ("indicator", "level", "days", "edges"),
    [
        ("per_1000_households", "town", 30, (1, 2, 4)),
        ("per_1000_households", "building_group", 30, (1, 2, 4)),
        ("per_1000_households", "town", 90, (3, 6, 10)),
        ("count", "building_group", 30, (2, 3, 4)),
        ("count", "community", 365, (20, 50, 100)),
        ("per_km2", "community", 30, (1, 4, 15)),
    ],
)
def test_a_colour_stands_for_the_same_numbers_in_every_area_and_grows_with_the_period(
    indicator, level, days, edges
):
    assert count_breaks(indicator, level, days) == edges


@pytest.mark.parametrize(
    ("usual", "edges"),
    [
        (None, (1, 2, 4)),
        (0.0, (1, 2, 4)),  # nothing has happened yet
        (1.3, (1, 2, 4)),  # a district whose year was published
        (2.0, (1, 2, 4)),
        (2.3, (2, 4, 8)),
        (8.2, (5, 10, 20)),
        (97, (50, 100, 200)),  # a county-level city where everything is reported
        (0.02, (0.01, 0.02, 0.04)),  # one category
    ],
)
def test_breaks_lie_round_what_is_usual_in_the_year(usual, edges):
    assert count_breaks("per_1000_households", "town", 30, usual=usual) == edges


def test_counts_of_a_rare_category_still_tell_one_from_none():
    assert count_breaks("count", "building_group", 30, usual=0.02) == (2, 3, 4)


@pytest.mark.parametrize("edges", RATE_BREAKS.values())
def test_breaks_of_shares_are_steps(edges):
    assert len(classify([1.0], whole=False, breaks=edges)) == len(edges) + 1


@pytest.mark.parametrize("working", [False, True])
@pytest.mark.parametrize("statistic", TIME_BREAKS)
@pytest.mark.parametrize("step", ["accept", "respond", "arrive", "handle", "close"])
def test_breaks_of_times_are_steps_by_both_clocks(step, statistic, working):
    edges = time_breaks(step, statistic, working=working)

    assert len(classify([1.0], whole=False, breaks=edges)) == len(edges) + 1


def test_eight_hours_and_a_day_are_one_working_day():
    assert time_breaks("accept", "p90", working=True) == (30, 120, WORKING_DAY)
    assert time_breaks("handle", "median", working=True) == (240, WORKING_DAY, 3 * WORKING_DAY)


def test_zero_has_a_step_of_its_own_with_fixed_breaks():
    counts = classify([0, 4], whole=True, breaks=(2, 4, 8), zero=True)
    rates = classify([0.5, 4], whole=False, breaks=(1, 2, 4), zero=True)

    assert counts.labels("{:g}".format) == ["0", "1", "2 – 3", "4 – 7", "≥ 8"]
    assert rates.labels("{:g}".format) == ["0", "< 1", "1 – 2", "2 – 4", "≥ 4"]
    assert counts.of([0, 1, 2, 3, 8]).tolist() == [0, 1, 2, 2, 4]
    assert rates.of([0, 0.1, 1, float("nan")]).tolist() == [0, 1, 2, -1]
