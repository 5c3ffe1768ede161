from __future__ import annotations

from datetime import date

import pytest

from gis.errors import InvalidInput
from maps import response_map

PERIOD = (date(2026, 6, 1), date(2026, 9, 30))


@pytest.fixture
def times(cells):
    return cells.assign(value=cells["minutes"])


def test_a_median_is_shown_with_its_p90_its_overdue_share_and_how_many_it_stands_on(times, words):
    times = times.assign(n=12, value=130.0, p90=1500.0, overdue_share=0.125)

    m = response_map(times, "handle", level="community", period=PERIOD, words=words)

    layer = m.drawing.layers[0]
    assert layer["columns"] == ["Median", "P90", "Overdue", "n", "Note"]
    assert layer["rows"][0][8] == ["2 h 10 min", "1 d 1 h", "12%", "12", ""]
    assert layer["rows"][0][3] == "2.2 h"


def test_steps_are_written_as_times_and_do_not_start_with_a_zero_that_never_occurs(times, words):
    m = response_map(times, "respond", level="town", period=PERIOD, breaks=(30, 60, 1440), words=words)

    items = [item["text"] for item in m.drawing.legend[0]["items"]]
    assert items[:4] == ["< 30 min", "30 min – 1 h", "1 h – 1 d", "≥ 1 d"]


def test_quantile_steps_end_on_times_that_people_say(times, words):
    m = response_map(times, "handle", level="town", period=PERIOD, words=words)

    texts = [item["text"] for item in m.drawing.legend[0]["items"] if item["swatch"] == "fill"]
    assert len(texts) == 5
    assert not [
        text for text in texts if " min" in text and not text.replace(" min", "").endswith(("0", "5", " h"))
    ]


def test_a_median_on_fewer_than_ten_answers_is_dotted_and_said(times, words):
    m = response_map(times.assign(n=4), "arrive", level="town", period=PERIOD, words=words)

    row = m.drawing.layers[0]["rows"][5]
    assert row[7] & 1
    assert row[8][4] == "small sample"
    assert "Small sample (n < 10)" in [item["text"] for item in m.drawing.legend[0]["items"]]


def test_grids_where_nobody_answered_yet_are_hatched(times, words):
    m = response_map(times, "handle", level="town", period=PERIOD, words=words)

    assert m.drawing.layers[0]["rows"][0][6] == -1
    assert m.drawing.layers[0]["rows"][0][8] == ["-", "-", "-", "0", ""]


def test_slow_grids_are_not_outlined_as_hot_spots(times, words):
    m = response_map(times, "handle", level="town", period=PERIOD, words=words)

    assert [layer["kind"] for layer in m.drawing.layers] == ["cells"]


def test_an_unknown_step_is_refused(times, words):
    with pytest.raises(InvalidInput) as refusal:
        response_map(times, "sleep", level="town", period=PERIOD, words=words)

    assert refusal.value.code == "unknown_step"
