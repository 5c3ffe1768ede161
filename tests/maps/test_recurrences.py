from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from gis.errors import InvalidGeometry
from maps import recurrence_map

PERIOD = (date(2026, 6, 1), date(2026, 11, 21))
SPOTS = [(117.65, 36.15), (117.66, 36.16), (117.67, 36.14), (117.68, 36.13), (117.69, 36.15)]


def test_each_place_shows_its_kind_and_how_often_it_came_back(make_places, cells, words):
    m = recurrence_map(make_places(SPOTS), cells, period=PERIOD, words=words)

    drawn = [(row["icon"], row["times"], row["title"]) for row in m.drawing.layers[1]["rows"]]
    assert drawn == [
        ("drop", 3, "道路积水 ×3"),
        ("parking", 5, "乱停车 ×5"),
        ("bin", 7, "垃圾堆放 ×7"),
        ("loop", 9, "夜间噪声 ×9"),
        ("drop", 11, "道路积水 ×11"),
    ]


def test_the_card_of_a_place_tells_when_and_how_far_apart(make_places, cells, words):
    places = make_places(SPOTS[:1], url="/points/7", name="鹿鸣路桥下", open=2)

    (row,) = recurrence_map(places, cells, period=PERIOD, words=words).drawing.layers[1]["rows"]

    assert row["title"] == "鹿鸣路桥下 ×3"
    assert row["values"] == ["道路积水", "2026-09-02", "2026-11-19", "21.5 days", "2", "鹿鸣路桥下"]
    assert row["href"] == "/points/7"


def test_the_legend_lists_only_the_kinds_that_are_there(make_places, cells, words):
    m = recurrence_map(make_places(SPOTS[:2]), cells, period=PERIOD, words=words)

    assert [item["text"] for item in m.drawing.legend[0]["items"]] == ["Waterlogging (1)", "Parking (1)"]


def test_a_period_without_recurrent_places_says_so_and_still_shows_the_grids(make_places, cells, words):
    m = recurrence_map(make_places([]), cells, period=PERIOD, words=words)

    assert "No recurrent place in this period." in m.drawing.notes
    assert len(m.drawing.layers[0]["rows"]) == len(cells)


def test_a_map_of_the_most_frequent_places_says_of_how_many(make_places, cells, words):
    some = recurrence_map(make_places(SPOTS), cells, period=PERIOD, words=words, recurrent=90_000)
    all_of_them = recurrence_map(make_places(SPOTS), cells, period=PERIOD, words=words, recurrent=5)

    assert some.drawing.legend[0]["title"] == "Recurrent places (5 of 90,000)"
    assert some.drawing.notes[0].startswith("The 5 most frequent of 90,000 places")
    assert all_of_them.drawing.legend[0]["title"] == "Recurrent places (5)"
    assert not any("most frequent" in note for note in all_of_them.drawing.notes)


def test_a_place_seen_once_has_no_interval(make_places, cells, words):
    places = make_places(SPOTS[:1], mean_gap_days=np.nan)

    (row,) = recurrence_map(places, cells, period=PERIOD, words=words).drawing.layers[1]["rows"]

    assert row["values"][3] == ""


def test_a_place_without_a_point_is_refused(make_places, cells, words):
    places = make_places(SPOTS[:2])
    places.loc[1, "geometry"] = None

    with pytest.raises(InvalidGeometry):
        recurrence_map(places, cells, period=PERIOD, words=words)
