from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest

from gis.errors import Unavailable
from grids.rules.holidays import days_of_year, known_years

# As the State Council's notices announced them, written by hand and not taken from the library under test: first
# and last day off, and the weekend days worked in exchange.
NOTICES: dict[int, tuple[list[tuple[str, str]], list[str]]] = {
    2024: (
        [
            ("01-01", "01-01"),
            ("02-10", "02-17"),
            ("04-04", "04-06"),
            ("05-01", "05-05"),
            ("06-10", "06-10"),
            ("09-15", "09-17"),
            ("10-01", "10-07"),
        ],
        ["02-04", "02-18", "04-07", "04-28", "05-11", "09-14", "09-29", "10-12"],
    ),
    2025: (
        [
            ("01-01", "01-01"),
            ("01-28", "02-04"),
            ("04-04", "04-06"),
            ("05-01", "05-05"),
            ("05-31", "06-02"),
            ("10-01", "10-08"),
        ],
        ["01-26", "02-08", "04-27", "09-28", "10-11"],
    ),
    2026: (
        [
            ("01-01", "01-03"),
            ("02-15", "02-23"),
            ("04-04", "04-06"),
            ("05-01", "05-05"),
            ("06-19", "06-21"),
            ("09-25", "09-27"),
            ("10-01", "10-07"),
        ],
        ["01-04", "02-14", "02-28", "05-09", "09-20", "10-10"],
    ),
}


@pytest.mark.parametrize("year", NOTICES)
def test_a_year_has_the_working_days_of_its_notice(year: int) -> None:
    holidays, worked = NOTICES[year]
    off = [(date.fromisoformat(f"{year}-{a}"), date.fromisoformat(f"{year}-{b}")) for a, b in holidays]
    made_up = {date.fromisoformat(f"{year}-{day}") for day in worked}

    days = days_of_year(year)

    for day, working, _ in days:
        in_holiday = any(first <= day <= last for first, last in off)
        assert working == (day in made_up or (day.weekday() < 5 and not in_holiday)), day
    assert made_up <= {day for day, working, _ in days if working}


def test_2026_has_six_make_up_workdays_and_names_what_they_pay_for() -> None:
    made_up = {f"{d.day:%m-%d}": d.name for d in days_of_year(2026) if d.working and d.day.weekday() >= 5}

    assert made_up == {
        "01-04": "元旦",
        "02-14": "春节",
        "02-28": "春节",
        "05-09": "劳动节",
        "09-20": "国庆节",
        "10-10": "国庆节",
    }


@pytest.mark.parametrize("year", [2024, 2025, 2026])
def test_a_year_comes_whole_and_in_order(year: int) -> None:
    days = [d.day for d in days_of_year(year)]

    assert days[0] == date(year, 1, 1)
    assert days[-1] == date(year, 12, 31)
    assert all(b - a == timedelta(days=1) for a, b in pairwise(days))


def test_every_holiday_has_a_chinese_name() -> None:
    names = {d.name for year in known_years() for d in days_of_year(year)} - {None}

    assert names == {
        "元旦", "春节", "清明节", "劳动节", "端午节", "国庆节", "中秋节", "抗战胜利70周年纪念日",
    }  # fmt: skip


def test_a_year_without_a_notice_is_refused_and_says_what_to_do() -> None:
    with pytest.raises(Unavailable, match=r"2099 .*State Council's notice") as caught:
        days_of_year(2099)

    assert caught.value.code == "calendar_unknown"
    assert caught.value.facts["year"] == 2099


def test_ordinary_weekends_and_weekdays_have_no_name() -> None:
    days = {d.day: d for d in days_of_year(2026)}

    assert days[date(2026, 3, 14)] == (date(2026, 3, 14), False, None)
    assert days[date(2026, 3, 16)] == (date(2026, 3, 16), True, None)
