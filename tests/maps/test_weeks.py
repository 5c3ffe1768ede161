from __future__ import annotations

from datetime import date, timedelta
from functools import partial

import numpy as np
import pytest

from gis.errors import InvalidInput
from maps import Weeks, hotspot_map
from maps.weeks import SPANS, packed

MONDAY = date(2026, 6, 1)
PERIOD = (MONDAY, date(2026, 9, 27))
COUNT = 17


@pytest.fixture
def weekly(cells):
    rng = np.random.default_rng(3)
    counts = np.array([rng.multinomial(n, np.full(COUNT, 1 / COUNT)) for n in cells["n"]])
    mondays = [MONDAY + timedelta(weeks=week) for week in range(COUNT)]
    return Weeks(list(cells["code"])[::-1], mondays, counts[::-1])


@pytest.fixture
def draw(cells, words):
    return partial(
        hotspot_map, cells, "per_1000_households", level="building_group", period=PERIOD, words=words
    )


def unpacked(text: str) -> list[int]:
    found, rest = [], text
    while rest:
        if rest[0] == "(":
            inside, _, rest = rest[1:].partition(")")
            found.append(int(inside))
        else:
            found.append(int(rest[0], 36))
            rest = rest[1:]
    return found + [0] * (COUNT - len(found))


def test_counts_of_a_week_are_one_letter_and_come_back_whole():
    row = [0, 1, 9, 10, 35, 36, 4711, *[0] * 9, 3]

    assert packed(row) == "019az(36)(4711)0000000003"
    assert unpacked(packed(row)) == row
    assert packed([0] * COUNT) == ""


def test_every_area_has_its_own_weeks_and_they_add_up_to_the_map(cells, draw, weekly):
    drawing = draw(weekly=weekly).drawing

    sums = [sum(unpacked(row)) for row in drawing.weeks["rows"]]
    assert sums == cells["n"].tolist()
    assert drawing.weeks["count"] == COUNT
    assert [drawing.weeks[name] for name in ("first", "since", "until")] == [
        "2026-06-01",
        "2026-06-01",
        "2026-09-27",
    ]
    assert drawing.weeks["per"][0] is None  # nobody knows its households
    assert drawing.weeks["per"][1] == cells["households"].iloc[1] / 1000


@pytest.mark.parametrize("method", ["fixed", "quantile"])
def test_the_classes_of_a_window_hold_wherever_it_stands(cells, draw, weekly, method):
    spans = draw(weekly=weekly, method=method).drawing.weeks["spans"]

    assert [span["weeks"] for span in spans] == list(SPANS)
    for span in spans:
        assert len(span["fills"]) == len(span["labels"]) == len(span["edges"]) + span["zero"]
        assert span["zero"] is True
    if method == "fixed":
        assert spans[2]["edges"] == [0, 1, 2, 4]  # as of about 30 days, whatever is drawn


def test_the_slider_begins_where_the_address_says(draw, weekly):
    weekly = Weeks(weekly.codes, weekly.mondays, weekly.counts, span=4, last=MONDAY + timedelta(weeks=9))
    nonsense = Weeks(weekly.codes, weekly.mondays, weekly.counts, span=99, last=date(2030, 1, 7))

    begun, left = draw(weekly=weekly).drawing.weeks, draw(weekly=nonsense).drawing.weeks

    assert (begun["span"], begun["at"]) == (4, 9)
    assert (left["span"], left["at"]) == (None, COUNT - 1)


def test_a_map_without_weeks_loads_no_slider(draw, weekly):
    with_slider, without = draw(weekly=weekly), draw()

    assert "weeks.js" in dict(with_slider.default_js).values()
    assert "weeks.js" not in dict(without.default_js).values()
    assert without.drawing.weeks is None
    assert draw(weekly=weekly, layer="gi").drawing.weeks is not None


def test_weeks_of_other_areas_or_with_a_hole_are_refused(draw, weekly):
    holed = [*weekly.mondays[:-1], weekly.mondays[-1] + timedelta(weeks=1)]
    wrong = [
        Weeks(weekly.codes[1:], weekly.mondays, weekly.counts[1:]),
        Weeks(weekly.codes, holed, weekly.counts),
        Weeks(weekly.codes, weekly.mondays, weekly.counts[:, 1:]),
        Weeks(weekly.codes, [], weekly.counts[:, :0]),
    ]
    for given in wrong:
        with pytest.raises(InvalidInput) as refusal:
            draw(weekly=given)
        assert refusal.value.code == "map_weeks"
