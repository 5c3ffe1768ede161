from __future__ import annotations

from datetime import date
from functools import partial

import numpy as np
import pytest

from maps import change_map
from maps.palette import CHANGE

NOW_, BEFORE = (date(2026, 6, 1), date(2026, 6, 30)), (date(2026, 5, 2), date(2026, 5, 31))
CHANGES = [np.nan, 0, 3, -3, 12, -12]


@pytest.fixture
def draw(cells, words):
    cells = cells.head(6).assign(n=[15] * 6, value=15.0, n_before=[15, 15, 12, 18, 3, 27])
    cells = cells.assign(value_before=cells["n_before"].astype(float), change=CHANGES)
    return partial(
        change_map, cells, indicator="Number of cases", level="town", period=NOW_, before=BEFORE, words=words
    )


def rows(m):
    return m.drawing.layers[0]["rows"]


def test_less_is_brown_more_is_plum_and_no_change_lies_between(draw):
    m = draw(few=0)

    assert [row[6] for row in rows(m)] == [-1, 2, 3, 1, 4, 0]
    assert m.drawing.layers[0]["fills"] == list(CHANGE)


def test_a_triangle_and_a_sign_say_the_direction_without_colour(draw):
    assert [row[3] for row in rows(draw(few=0))] == [None, "= 0", "▲ +3", "▼ −3", "▲ +12", "▼ −12"]


def test_both_periods_both_numbers_and_what_they_stand_on_are_said(draw):
    m = draw(few=0)

    assert m.drawing.title == "Change: Number of cases"
    assert "2026-06-01 to 2026-06-30\nagainst 2026-05-02 to 2026-05-31" in m.drawing.subtitle
    assert rows(m)[4][8] == ["15", "3", "▲ +12", "15 / 3", ""]
    assert m.drawing.legend[0]["title"] == "Unit: Number of cases; n = 90, before 90"
    texts = [item["text"] for item in m.drawing.legend[0]["items"]]
    assert texts[:5] == ["▼ ≤ −12", "▼ −11 – −1", "= 0", "▲ +1 – +11", "▲ ≥ +12"]
    assert "No data" in texts


def test_a_change_of_one_case_is_never_a_strong_one(draw, cells, words):
    ones = cells.head(4).assign(n=5, value=5.0, n_before=4, value_before=4.0, change=[1.0, -1.0, 1.0, 0.0])

    m = change_map(ones, indicator="x", level="town", period=NOW_, before=BEFORE, words=words)

    assert [row[6] for row in rows(m)] == [3, 1, 3, 2]
    assert [item["text"] for item in m.drawing.legend[0]["items"]][:5] == [
        "▼ ≤ −2",
        "▼ −1",
        "= 0",
        "▲ +1",
        "▲ ≥ +2",
    ]


def test_a_change_that_stands_on_few_cases_in_either_period_is_dotted(draw):
    assert [row[7] & 1 for row in rows(draw(few=10))] == [0, 0, 0, 0, 1, 0]


def test_periods_of_different_length_are_named(draw):
    m = draw(before=(date(2026, 5, 1), date(2026, 5, 31)))

    assert "The periods differ in length: 30 days, before 31." in m.drawing.notes


def test_where_nothing_has_changed_everything_is_in_the_middle(draw, cells, words):
    same = cells.head(4).assign(n=5, value=5.0, n_before=5, value_before=5.0, change=0.0)

    m = change_map(same, indicator="x", level="town", period=NOW_, before=BEFORE, words=words)

    assert {row[6] for row in rows(m)} == {2}
