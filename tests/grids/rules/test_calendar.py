from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest

from gis.errors import InvalidInput, Unavailable
from grids.rules.calendar import OFFICE_HOURS, SHANGHAI, Window, WorkCalendar, aware_utc, local_day
from grids.rules.holidays import days_of_year

CALENDAR = WorkCalendar({d.day: d.working for year in (2025, 2026) for d in days_of_year(year)})


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def shown(at: datetime) -> str:
    assert at.tzinfo is UTC
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


def test_office_hours_are_seven_and_a_half_hours() -> None:
    assert CALENDAR.day_length == timedelta(hours=7, minutes=30)
    assert [f"{w.opens:%H:%M}-{w.closes:%H:%M}" for w in OFFICE_HOURS] == ["08:30-12:00", "13:30-17:30"]


@pytest.mark.parametrize(
    ("day", "working"),
    [
        ("2026-10-10", True),  # Saturday, made up for National Day
        ("2026-10-11", False),  # Sunday
        ("2026-10-07", False),  # Wednesday, last day of National Day
        ("2026-10-08", True),  # Thursday after it
        ("2026-02-14", True),  # Saturday before Spring Festival
        ("2026-02-23", False),  # Monday, last day of Spring Festival
        ("2026-01-04", True),  # Sunday, made up for New Year
    ],
)
def test_a_day_is_worked_as_the_notice_says_whatever_its_weekday(day: str, working: bool) -> None:
    assert CALENDAR.is_working_day(date.fromisoformat(day)) is working


def test_an_unknown_year_is_refused_never_guessed() -> None:
    with pytest.raises(
        Unavailable, match=r"2027 .*load it from the State Council's holiday notice"
    ) as caught:
        CALENDAR.is_working_day(date(2027, 1, 4))

    assert caught.value.code == "calendar_unknown"
    assert caught.value.facts == {"year": 2027, "day": "2027-01-04"}


def test_a_day_missing_inside_a_year_is_refused_too() -> None:
    days = dict(CALENDAR.days)
    del days[date(2026, 6, 1)]

    with pytest.raises(Unavailable, match="2026-06-01"):
        WorkCalendar(days).next_working_moment(local("2026-05-31 12:00"))


@pytest.mark.parametrize(
    ("at", "moment"),
    [
        ("2026-03-11 09:15", "2026-03-11 09:15"),  # in the morning's hours: now
        ("2026-03-11 08:30", "2026-03-11 08:30"),  # the first moment counts
        ("2026-03-11 12:00", "2026-03-11 13:30"),  # noon does not: after lunch
        ("2026-03-11 12:45", "2026-03-11 13:30"),
        ("2026-03-11 17:30", "2026-03-12 08:30"),  # closing time belongs to tomorrow
        ("2026-03-11 22:00", "2026-03-12 08:30"),  # 22:00 report
        ("2026-03-11 03:00", "2026-03-11 08:30"),
        ("2026-03-13 18:00", "2026-03-16 08:30"),  # Friday evening: Monday
        ("2026-10-01 10:00", "2026-10-08 08:30"),  # National Day: Thursday week
        ("2026-10-09 20:00", "2026-10-10 08:30"),  # Friday: the make-up Saturday
        ("2026-02-14 17:30", "2026-02-24 08:30"),  # Spring Festival, nine days
    ],
)
def test_work_begins_at_the_next_open_window(at: str, moment: str) -> None:
    assert shown(CALENDAR.next_working_moment(local(at))) == moment


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-03-11 08:30", "2026-03-11 17:30", 7.5),  # one whole day, lunch left out
        ("2026-03-11 12:00", "2026-03-11 13:30", 0),  # lunch
        ("2026-03-11 11:30", "2026-03-11 14:00", 1),  # across lunch
        ("2026-03-13 16:30", "2026-03-16 09:00", 1.5),  # across a weekend
        ("2026-03-14 00:00", "2026-03-16 00:00", 0),  # a weekend
        ("2026-10-01 00:00", "2026-10-12 00:00", 22.5),  # 8, 9 and the make-up Saturday 10 October
        ("2026-02-09 00:00", "2026-03-02 00:00", 82.5),  # 9-14, then 24-28 February: eleven days
        ("2026-03-11 10:00", "2026-03-11 10:00", 0),
        ("2026-03-11 20:00", "2026-03-12 07:00", 0),
    ],
)
def test_working_time_is_counted_inside_office_hours_only(start: str, end: str, hours: float) -> None:
    assert CALENDAR.working_seconds(local(start), local(end)) == hours * 3600


def test_a_year_adds_up_to_its_working_days() -> None:
    working = sum(d.working for d in days_of_year(2026))

    seconds = CALENDAR.working_seconds(local("2026-01-01 00:00"), local("2026-12-31 23:59"))

    assert seconds == working * 7.5 * 3600


@pytest.mark.parametrize(
    ("start", "hours", "moment"),
    [
        ("2026-03-11 08:30", 3.5, "2026-03-11 12:00"),  # used up at noon: noon, not the end of lunch
        ("2026-03-11 08:30", 7.5, "2026-03-11 17:30"),  # used up at closing time
        ("2026-03-11 12:15", 1, "2026-03-11 14:30"),
        ("2026-03-13 17:00", 1, "2026-03-16 09:00"),
        ("2026-03-11 08:30", 15, "2026-03-12 17:30"),
    ],
)
def test_working_time_passes_inside_office_hours_only(start: str, hours: float, moment: str) -> None:
    assert shown(CALENDAR.after_working_time(local(start), timedelta(hours=hours))) == moment


def test_the_offset_of_a_moment_changes_nothing() -> None:
    at = local("2026-03-11 22:00")
    new_york = at.astimezone(timezone(timedelta(hours=-4)))

    assert CALENDAR.next_working_moment(new_york) == CALENDAR.next_working_moment(at)
    assert local_day(new_york) == date(2026, 3, 11)
    assert local_day(datetime(2026, 3, 10, 16, 0, tzinfo=UTC)) == date(2026, 3, 11)  # midnight in Shanghai


@pytest.mark.parametrize("call", ["next_working_moment", "after_working_time", "working_seconds"])
def test_a_moment_without_offset_is_refused(call: str) -> None:
    naive = datetime(2026, 3, 11, 9, 0)  # noqa: DTZ001 - that is the point
    others = {
        "next_working_moment": (),
        "after_working_time": (timedelta(1),),
        "working_seconds": (local("2026-03-12 09:00"),),
    }

    with pytest.raises(InvalidInput, match="no offset") as caught:
        getattr(CALENDAR, call)(naive, *others[call])

    assert caught.value.code == "naive_time"


def test_a_period_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(InvalidInput, match="before it starts") as caught:
        CALENDAR.working_seconds(local("2026-03-12 09:00"), local("2026-03-11 09:00"))

    assert caught.value.code == "period_backwards"


@pytest.mark.parametrize(
    "windows",
    [
        (),
        (Window(time(9), time(9)),),
        (Window(time(17), time(9)),),
        (Window(time(9), time(13)), Window(time(12), time(17))),
        (Window(time(13), time(17)), Window(time(9), time(12))),
        (Window(time(9, tzinfo=UTC), time(17, tzinfo=UTC)),),
    ],
    ids=["none", "empty", "backwards", "overlapping", "unordered", "zoned"],
)
def test_office_hours_that_make_no_day_are_refused(windows: tuple[Window, ...]) -> None:
    with pytest.raises(InvalidInput, match="in order and without overlap") as caught:
        WorkCalendar({}, windows)

    assert caught.value.code == "bad_office_hours"


def test_a_calendar_never_changes() -> None:
    days = {date(2026, 3, 11): True}
    calendar = WorkCalendar(days)

    days[date(2026, 3, 11)] = False

    assert calendar.is_working_day(date(2026, 3, 11))
    with pytest.raises(TypeError):
        calendar.days[date(2026, 3, 11)] = False  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        calendar.windows = ()  # type: ignore[misc]


def test_a_day_cannot_give_more_than_its_hours() -> None:
    assert shown(CALENDAR.moment_in_day(date(2026, 3, 11), timedelta(hours=7.5))) == "2026-03-11 17:30"

    with pytest.raises(InvalidInput, match="less working time"):
        CALENDAR.moment_in_day(date(2026, 3, 11), timedelta(hours=8))


def test_utc_comes_back_as_utc() -> None:
    assert aware_utc(local("2026-03-11 08:00")) == datetime(2026, 3, 11, 0, 0, tzinfo=UTC)
