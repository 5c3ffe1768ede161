from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from maps.words import Words, short_name


@pytest.mark.parametrize(
    ("minutes", "written", "brief"),
    [
        (0, "0 min", "0 min"),
        (44.6, "45 min", "45 min"),
        (60, "1 h", "1 h"),
        (130, "2 h 10 min", "2.2 h"),
        (1440, "1 d", "24 h"),
        (4560, "3 d 4 h", "3.2 d"),
        (float("nan"), "-", "-"),
    ],
)
def test_a_length_of_time_is_written_as_people_say_it(minutes, written, brief):
    words = Words()

    assert words.duration(minutes) == written
    assert words.brief_duration(minutes) == brief


def test_times_are_shown_by_the_clock_of_the_city_whatever_the_zone_they_come_in():
    at = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)

    assert Words().moment(at) == "2026-11-22 07:30"


def test_a_deadline_says_how_much_is_left_or_how_long_it_has_passed():
    now = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)

    assert Words().due(now + timedelta(hours=1, minutes=20), now) == ("1 h 20 min left", False)
    assert Words().due(now - timedelta(days=3), now) == ("overdue by 3 d", True)


def test_words_come_from_the_catalogue_with_their_places_filled():
    chinese = Words("zh-CN", {"{first} to {last}": "{first} 至 {last}"}.get)

    assert chinese.period(date(2026, 6, 1), date(2026, 9, 30)) == "2026-06-01 至 2026-09-30"


def test_braces_that_somebody_wrote_are_not_places_to_fill():
    assert Words()("{count} grids", count="{0.__class__} {count}") == "{0.__class__} {count} grids"


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("升平社区第12网格", "升平12"),
        ("升平社区12号网格", "升平12"),
        ("升平社区第12网格-2", "升平12-2"),
        ("凤城街道", "凤城"),
        ("鹿鸣镇", "鹿鸣"),
        ("升平社区", "升平"),
        ("东村", "东村"),
        ("Brooklyn", "Brooklyn"),
        ("", ""),
    ],
)
def test_a_small_map_shows_a_grid_by_its_short_name(name, short):
    assert short_name(name) == short
