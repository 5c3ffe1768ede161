from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest

from gis.errors import InvalidInput
from maps import area_map

SPOTS = [(117.65 + step / 1000, 36.15) for step in range(6)]


@pytest.fixture
def draw(cells, words, now, make_incidents, make_places):
    def area(own=1, incidents=None, places=None, **options):
        return area_map(
            cells.iloc[:own],
            cells.iloc[own : own + 6],
            make_incidents([]) if incidents is None else incidents,
            make_places([]) if places is None else places,
            words=words,
            as_of=now,
            **options,
        )

    return area


def layer(m, name):
    return next(one for one in m.drawing.layers if one["id"] == name)


def test_the_own_grid_is_bold_in_front_of_faded_neighbours(draw):
    m = draw()

    assert [one["id"] for one in m.drawing.layers] == [
        "neighbours",
        "own",
        "border",
        "recurrences",
        "incidents",
    ]
    assert len(layer(m, "own")["rows"]) == 1
    assert len(layer(m, "neighbours")["rows"]) == 6
    assert m.drawing.title == "升平社区第1网格"


def test_the_view_is_the_own_grid_and_the_neighbours_can_be_reached(draw, cells):
    m = draw()

    assert m.drawing.view == pytest.approx(tuple(cells.iloc[:1].total_bounds))
    assert m.drawing.limits == pytest.approx(tuple(cells.iloc[:7].total_bounds))


def test_several_own_grids_share_one_border_and_are_counted(draw):
    m = draw(own=5)

    assert len(layer(m, "own")["rows"]) == 5
    assert m.drawing.title == "5 grids"
    assert draw(own=5, title="升平社区").drawing.title == "升平社区"


def test_a_case_shows_its_urgency_by_shape_and_character_and_its_state_by_a_badge(draw, make_incidents):
    m = draw(incidents=make_incidents(SPOTS))

    shown = layer(m, "incidents")
    marks = [(shown["urgencies"][row["urgency"]]["shape"], row["badge"]) for row in shown["rows"]]
    assert marks == [
        ("triangle", "late"),
        ("diamond", "late"),
        ("square", "working"),
        ("circle", "done"),
        ("bar", "working"),
        ("diamond", "waiting"),
    ]
    assert [urgency["letter"] for urgency in shown["urgencies"]] == ["R", "O", "Y", "B", "G"]


def test_the_card_of_a_case_tells_status_due_and_place_and_leads_to_its_page(draw, make_incidents, now):
    incidents = make_incidents(SPOTS[:1], due_at=now + timedelta(hours=1, minutes=20))

    shown = layer(draw(incidents=incidents), "incidents")

    (row,) = shown["rows"]
    assert row["title"] == "路面塌陷"
    assert dict(zip(shown["columns"], row["values"], strict=True)) == {
        "Grade": "Red",
        "Status": "处置中",
        "Due": "2026-11-21 15:50 (1 h 20 min left)",
        "Address": "升平巷8号东门",
        "What was said": "车库里夜间烧烤，油烟很大，影响居民休息。",
        "Number": "2026112199000100000",
    }
    assert row["href"] == "/incidents/2026112199000100000"


def test_a_closed_case_is_never_overdue_and_one_without_a_limit_has_no_due_time(draw, make_incidents, now):
    late = now - timedelta(days=9)
    closed = layer(draw(incidents=make_incidents(SPOTS[:1], status="closed", due_at=late)), "incidents")
    free = layer(draw(incidents=make_incidents(SPOTS[:1], due_at=pd.NaT)), "incidents")

    assert closed["rows"][0]["badge"] == "done"
    assert closed["rows"][0]["values"][2] == ""
    assert free["rows"][0]["badge"] == "working"
    assert free["rows"][0]["values"][2] == ""


def test_missing_text_is_left_out_rather_than_written_as_nan(draw, make_incidents):
    (row,) = layer(draw(incidents=make_incidents(SPOTS[:1], address=float("nan"), text=None)), "incidents")[
        "rows"
    ]

    assert row["values"][3:5] == ["", ""]


def test_the_legend_counts_cases_by_urgency_and_explains_what_is_shown(draw, make_incidents, make_places):
    m = draw(incidents=make_incidents(SPOTS), places=make_places(SPOTS[:1]))

    titles = [part["title"] for part in m.drawing.legend]
    assert titles == ["Cases by urgency (6)", "State", "Recurrent places (1)", "Grids"]
    assert [item["text"] for item in m.drawing.legend[0]["items"]] == [
        "Red 1",
        "Orange 2",
        "Yellow 1",
        "Blue 1",
        "Green 1",
        "2 cases, the worst of them R",
    ]
    assert [item["text"] for item in m.drawing.legend[1]["items"]] == [
        "Overdue",
        "Waiting",
        "In hand",
        "Done",
    ]


def test_a_quiet_area_says_that_there_is_nothing(draw):
    m = draw()

    assert m.drawing.legend[0]["note"] == "No case in this area at present."
    assert [part["title"] for part in m.drawing.legend] == [
        "Cases by urgency (0)",
        "Recurrent places (0)",
        "Grids",
    ]


def test_an_unknown_grade_is_refused(draw, make_incidents):
    with pytest.raises(InvalidInput) as refusal:
        draw(incidents=make_incidents(SPOTS[:1], grade="purple"))

    assert refusal.value.code == "unknown_grade"


def test_an_area_without_a_grid_is_refused(draw):
    with pytest.raises(InvalidInput) as refusal:
        draw(own=0)

    assert refusal.value.code == "map_empty"
