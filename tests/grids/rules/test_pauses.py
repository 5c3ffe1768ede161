"""A clock that stands still: what it has left, and where it ends after it goes on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import Conflict, InvalidInput, Unavailable
from grids.rules.calendar import SHANGHAI, WorkCalendar
from grids.rules.deadlines import RULES, DeadlineKind
from grids.rules.disputes import DISPUTE
from grids.rules.grading import Grade
from grids.rules.holidays import days_of_year
from grids.rules.lifecycle import INCIDENT, IncidentStatus
from grids.rules.limits import Limit, Unit, due
from grids.rules.pauses import (
    HELD,
    STANDS_STILL,
    WAITING,
    ClockMove,
    SuspensionReason,
    check_extension,
    check_review_day,
    check_runs_in_time,
    check_until,
    due_after_extension,
    due_after_pause,
    review_due,
    time_left,
)
from grids.rules.tasks import TASK
from grids.rules.whistles import WHISTLE

CALENDAR = WorkCalendar({d.day: d.working for year in (2024, 2025, 2026) for d in days_of_year(year)})
NOW = datetime(2026, 3, 11, 2, 0, tzinfo=UTC)  # a Wednesday, ten o'clock in the city


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def shown(at: datetime) -> str:
    assert at.tzinfo is UTC
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


PAUSES = [
    # due, unit, stood still from, to: runs out
    # clocks that always run get back every hour, nights and holidays too
    ("2026-03-12 10:00", "natural_hour", "2026-03-11 10:00", "2026-03-11 22:00", "2026-03-12 22:00"),
    ("2026-03-12 10:00", "urgent_hour", "2026-03-11 18:00", "2026-03-12 08:00", "2026-03-13 00:00"),
    ("2026-03-14 00:00", "natural_day", "2026-03-11 10:00", "2026-03-13 10:00", "2026-03-16 00:00"),
    ("2026-10-02 09:00", "natural_hour", "2026-10-01 09:00", "2026-10-08 09:00", "2026-10-09 09:00"),
    # working clocks get back the office hours that they lost: a day, an hour, a lunch break, a night
    ("2026-03-12 17:30", "work_day", "2026-03-11 10:00", "2026-03-12 10:00", "2026-03-13 17:30"),
    ("2026-03-11 15:00", "work_hour", "2026-03-11 10:00", "2026-03-11 11:00", "2026-03-11 16:00"),
    ("2026-03-11 15:00", "work_hour", "2026-03-11 12:00", "2026-03-11 13:30", "2026-03-11 15:00"),
    ("2026-03-12 17:30", "work_day", "2026-03-11 17:30", "2026-03-12 08:30", "2026-03-12 17:30"),
    ("2026-03-12 17:30", "work_day", "2026-03-11 23:00", "2026-03-12 03:00", "2026-03-12 17:30"),
    # Friday evening to Monday morning costs nothing; Friday noon to Monday noon costs one day of work
    ("2026-03-17 17:30", "work_day", "2026-03-13 17:30", "2026-03-16 08:30", "2026-03-17 17:30"),
    ("2026-03-17 17:30", "work_day", "2026-03-13 12:00", "2026-03-16 12:00", "2026-03-18 17:30"),
    # National Day: eight days of which one afternoon and one morning were worked
    ("2026-10-09 17:30", "work_day", "2026-09-30 13:30", "2026-10-08 12:00", "2026-10-10 17:30"),
    # it went on after the moment at which it was due: it has what it had, and not a minute less
    ("2026-03-12 17:30", "work_day", "2026-03-12 16:30", "2026-03-20 10:00", "2026-03-20 11:00"),
    ("2026-03-12 17:30", "work_day", "2026-03-12 16:30", "2026-03-21 10:00", "2026-03-23 09:30"),
    ("2026-03-11 12:00", "natural_hour", "2026-03-11 11:00", "2026-03-31 11:00", "2026-03-31 12:00"),
    # stopped at its very last moment it has nothing left, and is due when it goes on
    ("2026-03-12 17:30", "work_day", "2026-03-12 17:30", "2026-03-16 08:00", "2026-03-16 08:00"),
    # it had run out before: a pause does not bring it back
    ("2026-03-11 09:00", "work_hour", "2026-03-11 10:00", "2026-03-13 10:00", "2026-03-11 09:00"),
]


@pytest.mark.parametrize(("falls", "unit", "began", "ended", "expected"), PAUSES)
def test_a_clock_goes_on_with_what_it_had_left(falls, unit, began, ended, expected):
    after = due_after_pause(local(falls), Unit(unit), local(began), local(ended), CALENDAR)

    assert shown(after) == expected


EXTENSIONS = [
    # counted from the moment at which it was due, as any limit that begins there
    ("2026-03-12 17:30", 3, "work_day", "2026-03-17 17:30"),
    ("2026-03-12 10:15", 1, "work_day", "2026-03-13 17:30"),
    ("2026-03-12 16:30", 4, "work_hour", "2026-03-13 11:30"),
    ("2026-03-12 17:30", 24, "natural_hour", "2026-03-13 17:30"),
    ("2026-09-30 17:30", 3, "work_day", "2026-10-10 17:30"),
]


@pytest.mark.parametrize(("falls", "value", "unit", "expected"), EXTENSIONS)
def test_an_extension_counts_from_the_moment_that_was_due(falls, value, unit, expected):
    assert shown(due_after_extension(local(falls), Limit(value, unit), CALENDAR)) == expected


moments = st.timedeltas(timedelta(), timedelta(days=176)).map(
    lambda after: datetime(2026, 1, 5, tzinfo=UTC) + after
)
units = st.sampled_from(list(Unit))
lengths = st.timedeltas(timedelta(), timedelta(days=30))
limits = st.builds(Limit, st.integers(1, 20), units)


@given(limit=limits, start=moments, into=lengths)
@settings(deadline=None)
def test_a_pause_of_nothing_moves_nothing(limit, start, into):
    falls = due(start, limit, CALENDAR)
    stops = min(start + into, falls)

    assert due_after_pause(falls, limit.unit, stops, stops, CALENDAR) == falls


@given(limit=limits, start=moments, into=lengths, long=lengths)
@settings(deadline=None)
def test_a_clock_has_as_much_left_when_it_goes_on_as_when_it_stopped(limit, start, into, long):
    falls = due(start, limit, CALENDAR)
    stops = min(start + into, falls)
    goes_on = stops + long

    after = due_after_pause(falls, limit.unit, stops, goes_on, CALENDAR)

    assert time_left(after, limit.unit, goes_on, CALENDAR) == time_left(falls, limit.unit, stops, CALENDAR)
    assert after >= falls
    assert after >= goes_on


@given(limit=limits, start=moments, long=st.lists(lengths, min_size=3, max_size=3))
@settings(deadline=None, max_examples=60)
def test_pauses_may_be_taken_out_in_any_order(limit, start, long):
    falls = due(start, Limit(limit.value + 20, limit.unit), CALENDAR)
    # three spans of the same clock before it runs out, taken out of it in every order
    spans = [
        (start + n * timedelta(hours=3), start + n * timedelta(hours=3) + one / 400)
        for n, one in enumerate(long)
    ]

    ends = set()
    for order in permutations(spans):
        moved = falls
        for began, ended in order:
            moved = due_after_pause(moved, limit.unit, began, ended, CALENDAR)
        ends.add(moved)

    assert len(ends) == 1


@given(limit=limits, start=moments, into=lengths, first=lengths, second=lengths)
@settings(deadline=None)
def test_a_pause_cut_in_two_is_the_same_pause(limit, start, into, first, second):
    falls = due(start, limit, CALENDAR)
    began = min(start + into, falls)
    middle, ended = began + first, began + first + second

    once = due_after_pause(falls, limit.unit, began, ended, CALENDAR)
    half = due_after_pause(falls, limit.unit, began, middle, CALENDAR)

    assert due_after_pause(half, limit.unit, middle, ended, CALENDAR) == once


def test_a_working_clock_asks_the_calendar_and_others_do_not():
    unknown = WorkCalendar({})
    span = (local("2026-03-11 10:00"), local("2026-03-13 10:00"))

    with pytest.raises(Unavailable, match="2026"):
        due_after_pause(local("2026-03-12 17:30"), Unit.WORK_DAY, *span, unknown)

    after = due_after_pause(local("2026-03-12 17:30"), Unit.NATURAL_HOUR, *span, unknown)
    assert shown(after) == "2026-03-14 17:30"


@pytest.mark.parametrize(
    ("grade", "overdue", "code"),
    [
        (Grade.RED, False, "red_runs_on"),
        (Grade.RED, True, "red_runs_on"),
        (Grade.GREEN, True, "already_overdue"),
        (None, True, "already_overdue"),
    ],
)
def test_a_red_case_and_a_late_one_run_on(grade, overdue, code):
    with pytest.raises(Conflict) as refusal:
        check_runs_in_time(grade, overdue=overdue)

    assert refusal.value.code == code


def test_every_other_case_may_stand_still():
    for grade in (*Grade, None):
        if grade is not Grade.RED:
            check_runs_in_time(grade, overdue=False)


@pytest.mark.parametrize(("hours", "fits"), [(-1, False), (0, False), (1, True), (720, True), (721, False)])
def test_a_suspension_ends_later_than_now_and_within_thirty_days(hours, fits):
    until = NOW + timedelta(hours=hours)

    if fits:
        check_until(until, NOW, most_days=30)
        return
    with pytest.raises(InvalidInput) as refusal:
        check_until(until, NOW, most_days=30)
    assert (refusal.value.code, refusal.value.facts["field"]) == ("bad_until", "until")


SHANDONG = (1, Limit(10, "work_day"))
LUELIANG = (3, Limit(3, "work_day"))
ASKED = [
    # granted before, asked for, rule: refused as
    (0, Limit(10, "work_day"), SHANDONG, None),
    (0, Limit(11, "work_day"), SHANDONG, "extension_too_long"),
    (1, Limit(1, "work_day"), SHANDONG, "extension_used_up"),
    (2, Limit(3, "work_day"), LUELIANG, None),
    (2, Limit(4, "work_day"), LUELIANG, "extension_too_long"),
    (3, Limit(1, "work_day"), LUELIANG, "extension_used_up"),
    # clocks have no order of their own: what counts is where they lead
    (0, Limit(3, "natural_day"), LUELIANG, None),
    (0, Limit(9, "natural_day"), LUELIANG, "extension_too_long"),
    (0, Limit(1, "work_hour"), LUELIANG, None),
    (0, Limit(1, "work_hour"), (0, Limit(3, "work_day")), "extension_used_up"),
]


@pytest.mark.parametrize(("granted", "amount", "rule", "refused"), ASKED)
def test_how_often_and_how_long_a_part_is_extended_is_its_profile_s_word(granted, amount, rule, refused):
    times, most = rule

    def check() -> None:
        check_extension(amount, local("2026-03-12 17:30"), CALENDAR, granted=granted, times=times, most=most)

    if refused is None:
        check()
        return
    with pytest.raises((Conflict, InvalidInput)) as refusal:
        check()
    assert refusal.value.code == refused


@pytest.mark.parametrize(("days", "fits"), [(0, False), (1, True), (90, True), (91, False)])
def test_the_ledger_is_reviewed_after_today_and_within_ninety_days(days, fits):
    day = date(2026, 3, 11) + timedelta(days=days)

    if fits:
        check_review_day(day, NOW, most_days=90)
        return
    with pytest.raises(InvalidInput) as refusal:
        check_review_day(day, NOW, most_days=90)
    assert refusal.value.facts["field"] == "review_on"


def test_a_day_of_review_lasts_to_its_midnight():
    assert shown(review_due(date(2026, 4, 1))) == "2026-04-02 00:00"


def test_a_dispute_about_duty_is_no_reason_for_anything_to_wait():
    words = " ".join((*SuspensionReason, *ClockMove))

    assert "disput" not in words
    assert "duty" not in words
    assert DeadlineKind.DISPUTE not in STANDS_STILL
    assert not HELD.keys() & {DISPUTE.name}
    assert not any("dispute" in acts for acts in HELD.values())


def test_what_is_held_is_an_act_of_its_machine_and_what_stands_still_is_a_clock():
    for machine in (WHISTLE, TASK):
        assert HELD[machine.name] <= {row.action for row in machine.transitions}
    assert RULES.keys() >= STANDS_STILL


def test_a_case_that_waits_can_only_go_on_or_be_closed_from_the_ledger():
    ways = {
        (state, row.action, row.target)
        for row in INCIDENT.transitions
        for state in row.sources & WAITING
        if row.target is not None
    }

    assert ways == {
        (IncidentStatus.SUSPENDED, "resume", IncidentStatus.HANDLING),
        (IncidentStatus.LEDGER, "take_up", IncidentStatus.HANDLING),
        (IncidentStatus.LEDGER, "close_ledger", IncidentStatus.CLOSED),
    }
