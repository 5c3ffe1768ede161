from __future__ import annotations

from datetime import date

import pytest

from gis.errors import InvalidInput
from maps import coverage_map

DAY = date(2026, 11, 21)


@pytest.fixture
def gaps(cells):
    return cells.head(4).assign(
        posts=[0, 1, 3, 0],
        posts_needed=[5, 5, 5, 0],
        nobody=[0, 80, 2, 7],
        several=[0, 1, 0, 0],
        categories=80,
    )


def test_empty_posts_are_counted_out_of_those_there_should_be(gaps, words):
    m = coverage_map(gaps, "posts", level="community", on=DAY, words=words)
    layer = m.drawing.layers[0]

    assert [row[6] for row in layer["rows"]] == [0, 1, 2, -1]  # no post is needed in the last
    assert layer["rows"][1][8] == ["1 of 5", "80 of 80", "1"]
    assert m.drawing.legend[0]["title"] == "Unit: posts; 4 of 15 are empty"


def test_categories_without_a_lead_are_a_map_of_their_own(gaps, words):
    m = coverage_map(
        gaps, "leads", level="community", on=DAY, drill_url="/map/coverage?area={code}", words=words
    )

    assert [row[6] for row in m.drawing.layers[0]["rows"]] == [0, 4, 1, 2]
    assert m.drawing.layers[0]["drill"] == "/map/coverage?area={code}"
    assert m.drawing.legend[0]["title"] == "Unit: categories, of 80"


def test_what_cannot_be_missing_is_refused(gaps, words):
    with pytest.raises(InvalidInput) as refusal:
        coverage_map(gaps, "dogs", level="community", on=DAY, words=words)

    assert refusal.value.code == "unknown_indicator"
