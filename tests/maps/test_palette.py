from __future__ import annotations

import math

import numpy as np
import pytest

from gis.errors import InvalidInput
from maps.palette import INK, PLUM, SLATE, URGENCIES, classify, stage_of, steps_of, urgency_of


def contrast(one: str, other: str) -> float:
    """Return the WCAG contrast of two colours, 1 to 21."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def written(value: float) -> str:
    return f"{value:g}"


def test_every_grade_has_a_shape_of_its_own_and_a_legible_character():
    assert len({urgency.shape for urgency in URGENCIES}) == len(URGENCIES) == 5
    assert all(contrast(urgency.fill, urgency.ink) >= 4.5 for urgency in URGENCIES)


def test_areas_are_never_filled_with_a_colour_of_urgency():
    assert not {urgency.fill for urgency in URGENCIES} & {*PLUM, *SLATE}


@pytest.mark.parametrize("ramp", [PLUM, SLATE])
def test_a_ramp_grows_darker_step_by_step(ramp):
    against_ink = [contrast(colour, INK) for colour in ramp]

    assert against_ink == sorted(against_ink, reverse=True)


def test_an_unknown_grade_is_refused_with_the_grades_that_exist():
    with pytest.raises(InvalidInput) as refusal:
        urgency_of("purple")

    assert refusal.value.code == "unknown_grade"
    assert "red, orange, yellow, blue, green" in str(refusal.value)


def test_a_status_says_whether_anybody_is_on_it():
    assert stage_of("reported") == "waiting"
    assert stage_of("handling") == "working"
    assert stage_of("suspended") == "working"
    assert stage_of("closed") == "done"


def test_fixed_steps_hold_their_lower_edge_and_the_last_has_no_upper_one():
    classes = classify([0, 3.9, 4, 11, 400, math.nan], whole=False, breaks=(2, 4, 7, 11))

    assert classes.of([0, 1.9, 2, 3.9, 4, 11, 400, math.nan]).tolist() == [0, 0, 1, 1, 2, 4, 4, -1]
    assert classes.labels(written) == ["0 – 2", "2 – 4", "4 – 7", "7 – 11", "≥ 11"]
    assert classes.method == "fixed"


def test_steps_of_counts_do_not_share_a_number():
    classes = classify([0, 1, 5, 9], whole=True, breaks=(1, 3, 6))

    assert classes.labels(written) == ["0", "1 – 2", "3 – 5", "≥ 6"]
    assert classes.of([0, 1, 2, 3, 5, 6]).tolist() == [0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize("breaks", [(), (0, 1), (3, 2), (1, 1), (1, 2, 3, 4, 5), (1, math.inf), (math.nan,)])
def test_breaks_that_cannot_be_steps_are_refused(breaks):
    with pytest.raises(InvalidInput) as refusal:
        classify([1, 2, 3], whole=False, breaks=breaks)

    assert refusal.value.code == "map_breaks"


def test_quantile_steps_hold_about_as_many_grids_each_and_zero_stays_alone():
    counts = np.array([0] * 20 + list(range(1, 101)))

    classes = classify(counts, whole=True)

    assert classes.labels(written)[0] == "0"
    assert classes.of([0]).tolist() == [0]
    sizes = np.bincount(classes.of(counts))
    assert sizes[0] == 20
    assert all(20 <= size <= 30 for size in sizes[1:])


def test_every_grid_falls_into_a_step_and_a_larger_value_never_into_a_lower_one():
    rng = np.random.default_rng(1)
    for whole in (True, False):
        for _ in range(200):
            values = rng.lognormal(1, 2, rng.integers(1, 40)) * rng.integers(0, 2)
            values = np.floor(values) if whole else values

            classes = classify(values, whole=whole)
            steps = classes.of(values)

            assert 1 <= len(classes) <= 5
            assert len(classes.labels(written)) == len(classes) == len(steps_of(PLUM, len(classes)))
            assert steps.min() >= 0
            assert steps.max() < len(classes)
            assert np.all(np.diff(steps[np.argsort(values, kind="stable")]) >= 0)


def test_nothing_but_missing_data_makes_no_steps():
    classes = classify([math.nan, math.nan], whole=True)

    assert len(classes) == 0
    assert classes.of([math.nan]).tolist() == [-1]
    assert classes.labels(written) == []
