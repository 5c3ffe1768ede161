from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gis.errors import InvalidInput, Unavailable
from grids.rules.calendar import OFFICE_HOURS, SHANGHAI, Window, WorkCalendar
from grids.rules.holidays import days_of_year
from grids.rules.limits import Limit, Unit, binding_limit, due, earliest_due, elapsed, moment_at_share

DAYS = {d.day: d.working for year in (2024, 2025, 2026) for d in days_of_year(year)}
CALENDAR = WorkCalendar(DAYS)
HOURS_THAT_ALWAYS_RUN = (Unit.URGENT_HOUR, Unit.NATURAL_HOUR)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def shown(at: datetime) -> str:
    assert at.tzinfo is UTC
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


CASES = [
    # work_hour: inside office hours only, 08:30-12:00 and 13:30-17:30
    ("2026-03-13 16:00", 2, "work_hour", "2026-03-16 09:00"),  # Friday 16:00 + 2: Monday 09:00
    ("2026-03-11 22:00", 4, "work_hour", "2026-03-12 14:00"),  # 22:00 report starts at the next window
    ("2026-03-11 10:00", 2, "work_hour", "2026-03-11 12:00"),  # used up at noon: noon, not after lunch
    ("2026-03-11 10:00", 3, "work_hour", "2026-03-11 14:30"),  # across lunch
    ("2026-03-11 12:30", 1, "work_hour", "2026-03-11 14:30"),  # in the lunch break
    ("2026-03-11 17:30", 1, "work_hour", "2026-03-12 09:30"),  # at closing time
    ("2026-03-11 13:30", 4, "work_hour", "2026-03-11 17:30"),  # exactly one afternoon
    ("2026-03-11 08:30", "7.5", "work_hour", "2026-03-11 17:30"),  # exactly one day
    ("2026-03-11 08:30", "0.25", "work_hour", "2026-03-11 08:45"),
    ("2026-09-30 16:30", 2, "work_hour", "2026-10-08 09:30"),  # before National Day
    ("2026-10-03 09:00", 4, "work_hour", "2026-10-08 14:00"),  # in National Day
    ("2026-10-09 17:00", 2, "work_hour", "2026-10-10 10:00"),  # Friday, the make-up Saturday is worked
    ("2026-10-10 17:00", 2, "work_hour", "2026-10-12 10:00"),  # make-up Saturday, then an ordinary Sunday off
    (
        "2026-02-13 17:00",
        2,
        "work_hour",
        "2026-02-14 10:00",
    ),  # Friday, make-up Saturday before Spring Festival
    ("2026-02-14 17:00", 2, "work_hour", "2026-02-24 10:00"),  # over nine days of Spring Festival
    ("2025-12-31 17:00", 1, "work_hour", "2026-01-04 09:00"),  # New Year, then the worked Sunday
    # work_day: first day not counted, end of business of the n-th
    ("2026-03-11 08:30", 1, "work_day", "2026-03-12 17:30"),  # early on Wednesday: Thursday
    ("2026-03-11 23:59", 1, "work_day", "2026-03-12 17:30"),  # late on Wednesday: Thursday all the same
    ("2026-03-12 00:00", 1, "work_day", "2026-03-13 17:30"),  # a minute later it is Thursday
    ("2026-03-13 16:00", 2, "work_day", "2026-03-17 17:30"),  # Friday: Monday, Tuesday
    ("2026-03-14 10:00", 1, "work_day", "2026-03-16 17:30"),  # Saturday: Monday
    ("2026-03-15 10:00", 1, "work_day", "2026-03-16 17:30"),  # Sunday: Monday
    ("2026-09-30 10:00", 1, "work_day", "2026-10-08 17:30"),  # the day before National Day
    ("2026-10-05 10:00", 3, "work_day", "2026-10-10 17:30"),  # 8, 9 and the make-up Saturday
    ("2026-10-08 10:00", 3, "work_day", "2026-10-12 17:30"),  # 9, Saturday 10, Monday 12
    ("2026-09-18 10:00", 1, "work_day", "2026-09-20 17:30"),  # Friday: Saturday off, Sunday 20 worked
    ("2026-09-24 10:00", 3, "work_day", "2026-09-30 17:30"),  # Mid-autumn 25-27
    ("2026-01-02 10:00", 1, "work_day", "2026-01-04 17:30"),  # in the New Year holiday: the worked Sunday
    ("2026-02-13 10:00", 2, "work_day", "2026-02-24 17:30"),  # 14 February, then the 24th
    ("2026-02-27 10:00", 2, "work_day", "2026-03-02 17:30"),  # Saturday 28 is worked, Sunday is not
    ("2026-05-08 10:00", 1, "work_day", "2026-05-09 17:30"),  # make-up Saturday after Labour Day
    ("2026-03-02 10:00", 20, "work_day", "2026-03-30 17:30"),  # four ordinary weeks
    # the clocks that always run
    ("2026-03-13 16:00", 24, "natural_hour", "2026-03-14 16:00"),  # red: Saturday afternoon
    ("2026-10-01 03:00", 24, "natural_hour", "2026-10-02 03:00"),  # nights and holidays included
    ("2026-03-11 23:30", 2, "urgent_hour", "2026-03-12 01:30"),
    ("2026-03-11 09:00", "0.25", "natural_hour", "2026-03-11 09:15"),  # a quarter of an hour
    ("2026-12-31 20:00", 24, "urgent_hour", "2027-01-01 20:00"),  # no calendar is asked
    ("2026-03-11 09:00", 3, "natural_day", "2026-03-15 00:00"),  # 12, 13, 14 March: midnight after
    ("2026-03-11 23:59", 1, "natural_day", "2026-03-13 00:00"),
    ("2026-09-30 09:00", 7, "natural_day", "2026-10-08 00:00"),  # does not move for a holiday
]


@pytest.mark.parametrize(("start", "value", "unit", "moment"), CASES)
def test_a_limit_falls_due(start: str, value: int | str, unit: str, moment: str) -> None:
    assert shown(due(local(start), Limit(value, unit), CALENDAR)) == moment


@pytest.mark.parametrize(("start", "value", "unit", "moment"), CASES)
def test_what_has_run_by_the_due_moment_is_the_limit(
    start: str, value: int | str, unit: str, moment: str
) -> None:
    assert elapsed(local(start), local(moment), Unit(unit), CALENDAR) == Decimal(value)


def test_seconds_and_microseconds_are_kept() -> None:
    start = local("2026-03-13 16:00:30.000007")

    assert due(start, Limit(2, "work_hour"), CALENDAR) == local("2026-03-16 09:00:30.000007")
    assert due(start, Limit(2, "urgent_hour"), CALENDAR) == local("2026-03-13 18:00:30.000007")


@pytest.mark.parametrize("unit", [Unit.WORK_DAY, Unit.WORK_HOUR])
def test_a_working_clock_refuses_to_run_into_an_unknown_year(unit: Unit) -> None:
    with pytest.raises(Unavailable, match="the year 2027") as caught:
        due(local("2026-12-31 17:00"), Limit(3, unit), CALENDAR)

    assert caught.value.code == "calendar_unknown"
    with pytest.raises(Unavailable, match="the year 2027"):
        elapsed(local("2026-12-31 17:00"), local("2027-01-04 12:00"), unit, CALENDAR)


@pytest.mark.parametrize("unit", [*HOURS_THAT_ALWAYS_RUN, Unit.NATURAL_DAY])
def test_a_clock_that_always_runs_asks_no_calendar(unit: Unit) -> None:
    nothing_known = WorkCalendar({})

    assert due(local("2031-05-01 10:00"), Limit(2, unit), nothing_known) > local("2031-05-01 10:00")
    assert elapsed(local("2031-05-01 10:00"), local("2031-05-03 10:00"), unit, nothing_known) > 0


@pytest.mark.parametrize(
    ("start", "limit", "share", "moment"),
    [
        ("2026-03-11 08:30", Limit(4, "work_hour"), "0.75", "2026-03-11 11:30"),  # reminder at three quarters
        ("2026-03-11 09:00", Limit(24, "natural_hour"), "0.75", "2026-03-12 03:00"),
        ("2026-03-13 10:00", Limit(3, "work_day"), "0.75", "2026-03-18 10:22"),  # a quarter of Wednesday
        ("2026-03-13 10:00", Limit(2, "work_day"), "0.5", "2026-03-16 17:30"),
        ("2026-03-13 10:00", Limit(4, "natural_day"), "0.5", "2026-03-16 00:00"),
        ("2026-03-13 10:00", Limit(1, "work_day"), "2", "2026-03-17 17:30"),  # missed by its own length
    ],
)
def test_a_share_of_a_limit_is_a_moment(start: str, limit: Limit, share: str, moment: str) -> None:
    at = moment_at_share(local(start), limit, Decimal(share), CALENDAR)

    assert shown(at) == moment
    assert elapsed(local(start), at, limit.unit, CALENDAR) == pytest.approx(limit.value * Decimal(share))


@pytest.mark.parametrize("share", [0, -1, "NaN", "Infinity"])
def test_a_share_above_zero_is_wanted(share: int | str) -> None:
    with pytest.raises(InvalidInput, match="above zero"):
        moment_at_share(local("2026-03-11 08:30"), Limit(4, "work_hour"), share, CALENDAR)


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (0, "work_hour"),
        (-1, "work_hour"),
        (100_001, "natural_hour"),
        (float("nan"), "work_hour"),
        (float("inf"), "work_hour"),
        ("soon", "work_hour"),
        ("", "work_hour"),
        (True, "work_hour"),
        ("0.5", "work_day"),
        (1.5, "natural_day"),
        (4, "workhour"),
        (4, ""),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(value: float | str, unit: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Limit(value, unit)

    assert caught.value.code == "bad_limit"


@pytest.mark.parametrize(
    ("limit", "data"),
    [
        (Limit(4, "work_hour"), {"value": 4, "unit": "work_hour"}),
        (Limit(Decimal("4.00"), "work_hour"), {"value": 4, "unit": "work_hour"}),
        (Limit(0.1, "natural_hour"), {"value": "0.1", "unit": "natural_hour"}),
        (Limit("2.50", "urgent_hour"), {"value": "2.5", "unit": "urgent_hour"}),
        (Limit(20, "work_day"), {"value": 20, "unit": "work_day"}),
    ],
)
def test_a_limit_goes_to_json_and_comes_back_equal(limit: Limit, data: dict[str, int | str]) -> None:
    assert limit.to_json() == data
    assert Limit.from_json(data) == limit
    assert str(limit) == f"{data['value']} {data['unit']}"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"value": 4},
        {"unit": "work_hour"},
        {"value": None, "unit": "work_hour"},
        {"value": 4, "unit": 4},
        {"value": [4], "unit": "work_hour"},
        {"value": 4, "unit": "work_hour", "from": "now"},
    ],
)
def test_json_that_is_no_limit_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as caught:
        Limit.from_json(data)

    assert caught.value.code == "bad_limit"


def test_the_shorter_of_two_clocks_depends_on_the_start() -> None:
    limits = [Limit(24, "urgent_hour"), Limit(1, "work_day")]

    on_monday_morning = binding_limit(local("2026-03-16 08:00"), limits, CALENDAR)
    on_monday_evening = binding_limit(local("2026-03-16 19:00"), limits, CALENDAR)

    assert on_monday_morning == Limit(24, "urgent_hour")  # Tuesday 08:00 before Tuesday 17:30
    assert on_monday_evening == Limit(1, "work_day")  # Tuesday 17:30 before Tuesday 19:00
    assert shown(earliest_due(local("2026-03-16 19:00"), limits, CALENDAR)) == "2026-03-17 17:30"


def test_of_limits_that_fall_due_together_the_first_named_binds() -> None:
    limits = [Limit(1, "urgent_hour"), Limit(1, "natural_hour")]

    assert binding_limit(local("2026-03-16 08:00"), limits, CALENDAR).unit is Unit.URGENT_HOUR
    assert binding_limit(local("2026-03-16 08:00"), limits[::-1], CALENDAR).unit is Unit.NATURAL_HOUR


def test_nothing_cannot_be_the_earliest() -> None:
    with pytest.raises(InvalidInput, match="no limit"):
        earliest_due(local("2026-03-16 08:00"), [], CALENDAR)


def test_elapsed_refuses_a_period_backwards_and_a_moment_without_offset() -> None:
    with pytest.raises(InvalidInput, match="before it starts"):
        elapsed(local("2026-03-16 08:00"), local("2026-03-15 08:00"), Unit.WORK_DAY, CALENDAR)
    with pytest.raises(InvalidInput, match="start has no offset"):
        due(datetime(2026, 3, 16), Limit(1, "work_day"), CALENDAR)  # noqa: DTZ001 - that is the point


# ---- an independent oracle: every minute of three years, marked worked or not by hand ----

FIRST = datetime(2024, 1, 1)  # noqa: DTZ001 - the oracle counts wall minutes of Shanghai, without any zone
MINUTES = 1096 * 1440
OFF = """2024-01-01 2024-02-10 2024-02-11 2024-02-12 2024-02-13 2024-02-14 2024-02-15 2024-02-16 2024-02-17
2024-04-04 2024-04-05 2024-04-06 2024-05-01 2024-05-02 2024-05-03 2024-05-04 2024-05-05 2024-06-10 2024-09-15
2024-09-16 2024-09-17 2024-10-01 2024-10-02 2024-10-03 2024-10-04 2024-10-05 2024-10-06 2024-10-07 2025-01-01
2025-01-28 2025-01-29 2025-01-30 2025-01-31 2025-02-01 2025-02-02 2025-02-03 2025-02-04 2025-04-04 2025-04-05
2025-04-06 2025-05-01 2025-05-02 2025-05-03 2025-05-04 2025-05-05 2025-05-31 2025-06-01 2025-06-02 2025-10-01
2025-10-02 2025-10-03 2025-10-04 2025-10-05 2025-10-06 2025-10-07 2025-10-08 2026-01-01 2026-01-02 2026-01-03
2026-02-15 2026-02-16 2026-02-17 2026-02-18 2026-02-19 2026-02-20 2026-02-21 2026-02-22 2026-02-23 2026-04-04
2026-04-05 2026-04-06 2026-05-01 2026-05-02 2026-05-03 2026-05-04 2026-05-05 2026-06-19 2026-06-20 2026-06-21
2026-09-25 2026-09-26 2026-09-27 2026-10-01 2026-10-02 2026-10-03 2026-10-04 2026-10-05 2026-10-06 2026-10-07"""
ON = """2024-02-04 2024-02-18 2024-04-07 2024-04-28 2024-05-11 2024-09-14 2024-09-29 2024-10-12 2025-01-26
2025-02-08 2025-04-27 2025-09-28 2025-10-11 2026-01-04 2026-02-14 2026-02-28 2026-05-09 2026-09-20 2026-10-10"""

OTHER_HOURS = (
    Window(time(7, 0), time(11, 20)),
    Window(time(14, 10), time(18, 0)),
    Window(time(19, 0), time(19, 30)),
)


def worked_minutes(windows: tuple[Window, ...]) -> NDArray[np.bool_]:
    """One flag for every minute of 2024 to 2026."""
    off, on = set(OFF.split()), set(ON.split())
    minute_of_day = np.zeros(1440, dtype=bool)
    for window in windows:
        a, b = (t.hour * 60 + t.minute for t in (window.opens, window.closes))
        minute_of_day[a:b] = True
    flags = []
    for number in range(1096):
        day = FIRST + timedelta(days=number)
        name = f"{day:%Y-%m-%d}"
        works = name in on or (day.isoweekday() <= 5 and name not in off)
        flags.append(minute_of_day if works else np.zeros(1440, dtype=bool))
    return np.concatenate(flags)


class Oracle:
    """Steps through the minutes; minute m is the stretch from m to m + 1."""

    def __init__(self, windows: tuple[Window, ...]) -> None:
        self.worked = worked_minutes(windows)
        self.before = np.concatenate([[0], np.cumsum(self.worked)])  # worked minutes before each minute
        self.a_day = int(self.worked[: 1440 * 7].reshape(7, 1440).sum(axis=1).max())

    def due(self, start: int, value: Decimal, unit: Unit) -> int:
        if unit in HOURS_THAT_ALWAYS_RUN:
            return start + int(value * 60)
        if unit is Unit.NATURAL_DAY:
            return (start // 1440 + int(value) + 1) * 1440
        if unit is Unit.WORK_HOUR:
            need = int(self.before[start] + value * 60)
            return int(np.argmax(self.before >= need))
        minute, days = (start // 1440 + 1) * 1440, 0
        while True:
            today = np.flatnonzero(self.worked[minute : minute + 1440])
            days += bool(today.size)
            if days == value:
                return int(minute + today[-1] + 1)
            minute += 1440

    def elapsed(self, start: int, end: int, unit: Unit) -> float:
        tomorrow = (start // 1440 + 1) * 1440
        if unit in HOURS_THAT_ALWAYS_RUN:
            return (end - start) / 60
        if unit is Unit.NATURAL_DAY:
            return max(0, end - tomorrow) / 1440
        if unit is Unit.WORK_HOUR:
            return float(self.before[end] - self.before[start]) / 60
        return float(max(0, self.before[end] - self.before[tomorrow])) / self.a_day


def moment(minute: int) -> datetime:
    return (FIRST + timedelta(minutes=minute) - timedelta(hours=8)).replace(tzinfo=UTC)


@pytest.mark.parametrize("windows", [OFFICE_HOURS, OTHER_HOURS], ids=["office hours", "three windows"])
def test_two_thousand_random_limits_agree_with_stepping_through_every_minute(
    windows: tuple[Window, ...],
) -> None:
    chance, oracle = random.Random(20260701), Oracle(windows)
    calendar = WorkCalendar(DAYS, windows)
    for _ in range(2000):
        unit = chance.choice(list(Unit))
        start = chance.randrange(MINUTES - 60 * 1440)
        whole = unit in {Unit.WORK_DAY, Unit.NATURAL_DAY}
        value = Decimal(chance.randint(1, 20)) if whole else Decimal(chance.randint(1, 4 * 48)) / 4
        end = start + chance.randrange(40 * 1440)
        case = f"{moment(start)} {value} {unit} {moment(end)}"

        assert due(moment(start), Limit(value, unit), calendar) == moment(oracle.due(start, value, unit)), (
            case
        )
        ran = elapsed(moment(start), moment(end), unit, calendar)
        assert float(ran) == pytest.approx(oracle.elapsed(start, end, unit), abs=1e-12), case


# ---- laws that hold for every start and limit ----

STARTS = st.datetimes(datetime(2024, 1, 1), datetime(2026, 8, 1)).map(lambda d: d.replace(tzinfo=UTC))  # noqa: DTZ001
HOURS = st.integers(1, 400).map(lambda quarters: Decimal(quarters) / 4)
HOUR_UNITS = st.sampled_from([Unit.WORK_HOUR, Unit.URGENT_HOUR, Unit.NATURAL_HOUR])
LIMITS = st.one_of(
    st.builds(Limit, HOURS, HOUR_UNITS),
    st.builds(Limit, st.integers(1, 30), st.sampled_from([Unit.WORK_DAY, Unit.NATURAL_DAY])),
)


@settings(deadline=None)
@given(STARTS, LIMITS)
def test_nothing_is_due_before_it_starts_and_all_of_it_has_run_by_then(start: datetime, limit: Limit) -> None:
    end = due(start, limit, CALENDAR)

    assert end > start
    assert elapsed(start, end, limit.unit, CALENDAR) == limit.value
    assert elapsed(start, end - timedelta(microseconds=1), limit.unit, CALENDAR) < limit.value


@settings(deadline=None)
@given(STARTS, STARTS, LIMITS)
def test_who_starts_later_is_never_due_earlier(one: datetime, other: datetime, limit: Limit) -> None:
    early, late = sorted([one, other])

    assert due(early, limit, CALENDAR) <= due(late, limit, CALENDAR)


@settings(deadline=None)
@given(STARTS, HOUR_UNITS, HOURS, HOURS)
def test_hours_may_be_split(start: datetime, unit: Unit, first: Decimal, second: Decimal) -> None:
    at_once = due(start, Limit(first + second, unit), CALENDAR)

    assert due(due(start, Limit(first, unit), CALENDAR), Limit(second, unit), CALENDAR) == at_once


@settings(deadline=None)
@given(STARTS, st.integers(1, 15), st.integers(1, 15))
def test_working_days_may_be_split(start: datetime, first: int, second: int) -> None:
    halfway = due(start, Limit(first, "work_day"), CALENDAR)

    assert due(halfway, Limit(second, "work_day"), CALENDAR) == due(
        start, Limit(first + second, "work_day"), CALENDAR
    )


@settings(deadline=None)
@given(st.lists(STARTS, min_size=3, max_size=3), HOUR_UNITS)
def test_hours_that_ran_add_up(moments: list[datetime], unit: Unit) -> None:
    a, b, c = sorted(moments)

    parts = elapsed(a, b, unit, CALENDAR) + elapsed(b, c, unit, CALENDAR)

    assert float(parts) == pytest.approx(float(elapsed(a, c, unit, CALENDAR)), abs=1e-12)


@settings(deadline=None)
@given(st.lists(STARTS, min_size=3, max_size=3), st.sampled_from(Unit))
def test_more_time_never_means_less_has_run(moments: list[datetime], unit: Unit) -> None:
    a, b, c = sorted(moments)

    assert elapsed(a, b, unit, CALENDAR) <= elapsed(a, c, unit, CALENDAR)


@settings(deadline=None, max_examples=50)
@given(STARTS, LIMITS)
def test_shares_of_a_limit_come_in_their_order(start: datetime, limit: Limit) -> None:
    shares = ["0.25", "0.5", "0.75", "1"]

    moments = [moment_at_share(start, limit, share, CALENDAR) for share in shares]

    assert all(earlier <= later for earlier, later in pairwise([start, *moments]))
    assert moments[-1] == due(start, limit, CALENDAR)


@settings(deadline=None)
@given(STARTS.filter(lambda at: at.date() < date(2026, 7, 1)), st.integers(1, 20))
def test_a_working_day_limit_ends_at_closing_time_of_a_worked_day(start: datetime, days: int) -> None:
    end = due(start, Limit(days, "work_day"), CALENDAR).astimezone(SHANGHAI)

    assert end.time() == time(17, 30)
    assert CALENDAR.is_working_day(end.date())
    assert end.date() > start.astimezone(SHANGHAI).date()
