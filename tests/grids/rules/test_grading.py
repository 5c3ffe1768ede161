from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pytest

from grids.rules.calendar import SHANGHAI, WorkCalendar
from grids.rules.grading import (
    CEILINGS,
    Circumstances,
    Grade,
    RaiseReason,
    RaiseWhen,
    limit_for,
    limits_for,
    raise_grade,
    reasons_to_raise,
)
from grids.rules.holidays import days_of_year
from grids.rules.limits import Limit, Unit

CALENDAR = WorkCalendar({d.day: d.working for d in days_of_year(2026)})
RED, ORANGE, YELLOW, BLUE, GREEN = Grade
MONDAY_MORNING = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)
FRIDAY_EVENING = datetime(2026, 3, 13, 19, 0, tzinfo=SHANGHAI)


@dataclass(frozen=True)
class Category:
    handle_limit: Limit
    long_process: bool = False


@pytest.mark.parametrize("grade", Grade)
@pytest.mark.parametrize("reason", [RaiseReason.CASUALTIES, RaiseReason.TRAPPED, RaiseReason.FIRE])
def test_people_in_danger_make_any_grade_red(grade: Grade, reason: RaiseReason) -> None:
    assert raise_grade(grade, [reason]) is RED


@pytest.mark.parametrize(
    ("grade", "raised"), [(GREEN, BLUE), (BLUE, YELLOW), (YELLOW, ORANGE), (ORANGE, RED), (RED, RED)]
)
@pytest.mark.parametrize(
    "reason",
    [
        RaiseReason.NEAR_SCHOOL_OR_HOSPITAL,
        RaiseReason.RAIN_WARNING,
        RaiseReason.MANY_REPORTERS,
        RaiseReason.KEEPS_RETURNING,
    ],
)
def test_any_other_reason_raises_by_one_step(grade: Grade, raised: Grade, reason: RaiseReason) -> None:
    assert raise_grade(grade, [reason]) is raised


def test_reasons_add_up_and_a_repeated_one_counts_once() -> None:
    school, many = RaiseReason.NEAR_SCHOOL_OR_HOSPITAL, RaiseReason.MANY_REPORTERS

    assert raise_grade(GREEN, [school, many]) is YELLOW
    assert raise_grade(GREEN, [school, school]) is BLUE
    assert raise_grade(YELLOW, [school, many, RaiseReason.RAIN_WARNING]) is RED


@pytest.mark.parametrize("grade", Grade)
def test_without_a_reason_the_grade_stays(grade: Grade) -> None:
    assert raise_grade(grade, []) is grade


@pytest.mark.parametrize(
    ("facts", "reasons"),
    [
        (Circumstances(), []),
        (Circumstances(casualties=True), ["casualties"]),
        (Circumstances(trapped=True), ["trapped"]),
        (Circumstances(fire=True), ["fire"]),
        (Circumstances(school_or_hospital_m=100.0), ["near_school_or_hospital"]),
        (Circumstances(school_or_hospital_m=100.1), []),
        (Circumstances(school_or_hospital_m=0.0), ["near_school_or_hospital"]),
        (Circumstances(rain_warning=True), []),  # a broken bench does not care for rain
        (Circumstances(rain_warning=True, waterlogging=True), ["rain_warning"]),
        (Circumstances(waterlogging=True), []),
        (Circumstances(reporters=4), []),
        (Circumstances(reporters=5), ["many_reporters"]),
        (Circumstances(times_in_30_days=2), []),
        (Circumstances(times_in_30_days=3), ["keeps_returning"]),
        (Circumstances(fire=True, reporters=9), ["fire", "many_reporters"]),
    ],
)
def test_circumstances_give_reasons(facts: Circumstances, reasons: list[str]) -> None:
    assert list(reasons_to_raise(facts)) == reasons


def test_thresholds_can_be_set() -> None:
    strict = RaiseWhen(school_or_hospital_within_m=500, reporters=2, times_in_30_days=2)

    assert (
        len(
            reasons_to_raise(Circumstances(school_or_hospital_m=400, reporters=2, times_in_30_days=2), strict)
        )
        == 3
    )


def test_the_ceilings_are_those_of_the_five_colours() -> None:
    assert {grade: str(limit) for grade, limit in CEILINGS.items()} == {
        RED: "24 natural_hour",
        ORANGE: "48 natural_hour",
        YELLOW: "2 work_day",
        BLUE: "3 work_day",
        GREEN: "3 work_day",
    }


@pytest.mark.parametrize(
    ("category", "grade", "start", "limit"),
    [
        (Limit(4, Unit.WORK_HOUR), GREEN, MONDAY_MORNING, "4 work_hour"),  # shorter than three working days
        (Limit(3, Unit.WORK_DAY), GREEN, MONDAY_MORNING, "3 work_day"),
        (Limit(5, Unit.WORK_DAY), BLUE, MONDAY_MORNING, "3 work_day"),  # the colour allows no more
        (Limit(3, Unit.WORK_DAY), YELLOW, MONDAY_MORNING, "2 work_day"),  # raised to yellow
        (Limit(3, Unit.WORK_DAY), ORANGE, MONDAY_MORNING, "48 natural_hour"),  # raised to orange
        (
            Limit(1, Unit.WORK_DAY),
            ORANGE,
            MONDAY_MORNING,
            "1 work_day",
        ),  # Tuesday 17:30 before Wednesday 09:00
        (
            Limit(1, Unit.WORK_DAY),
            ORANGE,
            FRIDAY_EVENING,
            "48 natural_hour",
        ),  # Sunday evening before Monday's
        (Limit(4, Unit.WORK_HOUR), RED, MONDAY_MORNING, "4 work_hour"),
        (Limit(4, Unit.WORK_HOUR), RED, FRIDAY_EVENING, "24 natural_hour"),  # red does not wait for Monday
        (Limit(24, Unit.NATURAL_HOUR), RED, FRIDAY_EVENING, "24 natural_hour"),
    ],
)
def test_the_limit_is_the_categorys_or_the_colours_whichever_falls_due_first(
    category: Limit, grade: Grade, start: datetime, limit: str
) -> None:
    assert str(limit_for(Category(category), grade, start, CALENDAR)) == limit


@pytest.mark.parametrize("grade", [ORANGE, YELLOW, BLUE, GREEN])
def test_a_long_process_keeps_its_own_limit(grade: Grade) -> None:
    demolition = Category(Limit(20, Unit.WORK_DAY), long_process=True)

    assert limit_for(demolition, grade, MONDAY_MORNING, CALENDAR) == Limit(20, Unit.WORK_DAY)


def test_a_long_process_that_turns_red_ends_within_a_day() -> None:
    demolition = Category(Limit(20, Unit.WORK_DAY), long_process=True)

    assert limit_for(demolition, RED, MONDAY_MORNING, CALENDAR) == Limit(24, Unit.NATURAL_HOUR)


def test_a_city_may_set_its_own_ceilings() -> None:
    ceilings = {**CEILINGS, GREEN: Limit(2, Unit.WORK_HOUR)}

    assert limits_for(Category(Limit(1, Unit.WORK_DAY)), GREEN, ceilings)[1] == Limit(2, Unit.WORK_HOUR)
    assert (
        limit_for(Category(Limit(1, Unit.WORK_DAY)), GREEN, MONDAY_MORNING, CALENDAR, ceilings)
        == ceilings[GREEN]
    )


def test_red_is_the_worst() -> None:
    assert sorted(Grade, key=lambda grade: grade.rank) == [RED, ORANGE, YELLOW, BLUE, GREEN]
