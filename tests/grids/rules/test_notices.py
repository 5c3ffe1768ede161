from __future__ import annotations

import json
from datetime import date

import pytest

from gis.errors import InvalidInput
from grids.rules.holidays import DayOfYear, days_of_year
from grids.rules.notices import check_notice, differences, library_notice, read_notice, whole_year

CSV = "day,working,name\n2027-01-01,no,元旦\n2027-01-03,yes,元旦\n2027-01-02,no,元旦\n"
NEW_YEAR = [
    DayOfYear(date(2027, 1, 1), False, "元旦"),
    DayOfYear(date(2027, 1, 3), True, "元旦"),
    DayOfYear(date(2027, 1, 2), False, "元旦"),
]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (CSV.encode(), "notice.csv"),
        (CSV.encode("utf-8-sig"), "notice.csv"),
        (CSV.encode("gb18030"), "notice.csv"),
        (CSV.replace("no", "休").replace("yes", "班").encode(), "notice.csv"),
        (
            json.dumps(
                [
                    {"day": "2027-01-01", "working": False, "name": "元旦"},
                    {"day": "2027-01-03", "working": "yes", "name": "元旦"},
                    {"day": "2027-01-02", "working": 0, "name": "元旦"},
                ]
            ).encode(),
            "notice.json",
        ),
        (
            json.dumps(
                {
                    "year": 2027,
                    "days": [
                        {"date": "2027-01-01", "isOffDay": True, "name": "元旦"},
                        {"date": "2027-01-03", "isOffDay": False, "name": "元旦"},
                        {"date": "2027-01-02", "isOffDay": True, "name": "元旦"},
                    ],
                }
            ).encode(),
            "2027.json",
        ),
    ],
)
def test_a_notice_is_read_in_all_its_forms(content: bytes, name: str) -> None:
    assert read_notice(content, name) == NEW_YEAR


@pytest.mark.parametrize(
    ("content", "name", "named"),
    [
        (b"", "n.csv", "header"),
        (b"date,off\n", "n.csv", "header"),
        (b"day,working,name\n", "n.csv", "0 days"),
        (b"day,working,name\n2027-13-01,no,x\n", "n.csv", "line 2"),
        (b"day,working,name\n2027-01-01,maybe,x\n", "n.csv", "line 2"),
        (b'day,working,name\n2027-01-01,"no,x\n', "n.csv", "no CSV"),
        (b"{", "n.json", "no JSON"),
        (b'{"days": 3}', "n.json", "list"),
        (b'[{"day": null, "working": true}]', "n.json", "day 1"),
        (b'[{"day": "2027-01-01"}]', "n.json", "working"),
        (b"\xff\xff\x00", "n.csv", "GB 18030"),
    ],
)
def test_a_file_that_is_no_notice_says_where(content: bytes, name: str, named: str) -> None:
    with pytest.raises(InvalidInput, match=named) as refused:
        read_notice(content, name)

    assert refused.value.code == "bad_notice"


@pytest.mark.parametrize(
    ("days", "named"),
    [
        ([("2027-01-01", False, "元旦"), ("2028-01-01", False, "元旦")], "2028-01-01"),
        ([("2027-01-01", False, "元旦"), ("2027-01-01", True, "元旦")], "twice"),
        ([("2027-01-01", False, "元旦"), ("2027-01-04", True, None)], "2027-01-04"),
        ([("2027-01-02", False, "元旦")], "not one weekday off"),
        ([], "not one weekday off"),
        ([("2027-01-01", False, "x" * 41)], "longer"),
    ],
)
def test_a_notice_with_a_slip_is_refused(days: list[tuple[str, bool, str | None]], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        check_notice(2027, [DayOfYear(date.fromisoformat(day), works, name) for day, works, name in days])


@pytest.mark.parametrize("year", [2024, 2025, 2026])
def test_a_year_is_its_weekdays_and_its_notice(year: int) -> None:
    notice = library_notice(year)

    assert whole_year(year, notice) == days_of_year(year)
    assert check_notice(year, reversed(notice)) == notice
    assert len(whole_year(year, ())) == (366 if year == 2024 else 365)


def test_a_made_up_workday_and_a_named_weekend_are_differences() -> None:
    assert differences(whole_year(2027, NEW_YEAR)) == tuple(sorted(NEW_YEAR))
