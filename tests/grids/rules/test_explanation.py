"""The explain record: entries that say what was chosen and why, the same for the same facts."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from grids.rules import explanation
from grids.rules.calendar import WorkCalendar
from grids.rules.explanation import BECAUSE, What
from grids.rules.grading import Grade
from grids.rules.limits import Limit, Unit, due
from grids.rules.permissions import Actor, Role
from grids.rules.trace import canonical

FRIDAY = datetime(2026, 3, 6, 7, 0, tzinfo=UTC)  # three in the afternoon
CALENDAR = WorkCalendar(
    {day: day.weekday() < 5 for day in (date(2026, 3, 1) + timedelta(n) for n in range(40))}
)
CENTRE = Actor(7, "李芳", Role.TOWN_GRID_CENTRE, "凤城街道", "990101001")


def test_an_entry_says_what_was_chosen_why_and_when():
    made = explanation.entry(What.GRADE, "red", "category", at=FRIDAY, default=None, share=0.25)

    assert made == {
        "what": "grade",
        "chose": "red",
        "because": "category",
        "at": "2026-03-06T07:00:00.000000Z",
        "facts": {"share": "0.25"},
    }


def test_no_choice_has_a_reason_that_is_not_its_own():
    assert set(BECAUSE) == set(What)
    with pytest.raises(ValueError, match="never chosen"):
        explanation.entry(What.GRADE, "red", "border", at=FRIDAY)


def test_entries_hold_nothing_that_the_history_could_not_hold():
    limits = (Limit(Decimal("0.5"), Unit.URGENT_HOUR), Limit(24, Unit.NATURAL_HOUR))
    moments = [due(FRIDAY, limit, CALENDAR) for limit in limits]
    made = [
        a_cell("border", candidates=[("a", 0.6, 0.0), ("b", 0.4, 12.3)], accuracy_m=8.0),
        explanation.due(limits, moments, FRIDAY, CALENDAR, clock_from="accept", at=FRIDAY),
        explanation.entry(What.CELL, None, "outside", at=FRIDAY, moment=FRIDAY, share=Decimal("0.1")),
    ]

    for one in made:
        canonical(one)  # raises for a float or a moment
        assert json.loads(json.dumps(one)) == one


def a_cell(because, code="a", **facts):
    told = {
        "edition": 1,
        "edition_name": "first",
        "frame": "GCJ02",
        "lon": 117.0,
        "lat": 36.0,
        "border_m": 12.34,
    }
    return explanation.cell(code, because, at=FRIDAY, **(told | facts))


def test_candidates_are_told_where_there_is_a_choice_and_only_the_first_five():
    many = [(f"cell{n}", 0.125, float(n)) for n in range(8)]

    assert "candidates" not in a_cell("inside", candidates=[("a", 1.0, 0.0)])["facts"]
    assert a_cell("border", candidates=[("a", 0.626, 0.0), ("b", 0.374, 12.34)])["facts"]["candidates"] == [
        {"code": "a", "share": "0.63", "m": "0.0"},
        {"code": "b", "share": "0.37", "m": "12.3"},
    ]
    assert len(a_cell("border", candidates=many)["facts"]["candidates"]) == 5
    assert "candidates" in a_cell("outside", None, candidates=[("b", 0.2, 9.0)])["facts"]


@pytest.mark.parametrize(
    ("limits", "because", "binding"),
    [
        ((Limit(2, Unit.WORK_HOUR), Limit(24, Unit.NATURAL_HOUR)), "category_limit", 0),
        ((Limit(10, Unit.WORK_DAY), Limit(2, Unit.WORK_DAY)), "ceiling", 1),
        (
            (Limit(2, Unit.WORK_DAY), Limit(2, Unit.WORK_DAY)),
            "category_limit",
            0,
        ),  # of equals the category's own
        ((Limit(20, Unit.WORK_DAY),), "long_process", 0),
    ],
)
def test_the_limit_that_falls_due_first_is_named_with_the_other_one(limits, because, binding):
    moments = [due(FRIDAY, limit, CALENDAR) for limit in limits]

    made = explanation.due(limits, moments, FRIDAY, CALENDAR, clock_from="accept", at=FRIDAY)

    assert (made["because"], made["facts"]["limit"]) == (because, limits[binding].to_json())
    assert made["chose"] == f"{min(moments):%Y-%m-%dT%H:%M:%S}.000000Z"
    other = [limit.to_json() for number, limit in enumerate(limits) if number != binding]
    assert [made["facts"]["other"]] if other else other == []
    assert ("other_due" in made["facts"]) == bool(other)


@pytest.mark.parametrize(
    ("limit", "days"),
    [
        (Limit(1, Unit.WORK_DAY), 2),  # over the weekend to Monday
        (Limit(6, Unit.WORK_DAY), 4),
        (Limit(1, Unit.WORK_HOUR), 0),  # still on Friday
        (Limit(8, Unit.WORK_HOUR), 2),
        (Limit(72, Unit.NATURAL_HOUR), 0),  # these clocks run on
        (Limit(3, Unit.NATURAL_DAY), 0),
    ],
)
def test_days_without_work_that_a_limit_passes_over_are_counted(limit, days):
    assert explanation.days_off(limit, FRIDAY, due(FRIDAY, limit, CALENDAR), CALENDAR) == days


def test_the_day_off_on_which_a_limit_begins_is_not_passed_over():
    saturday, limit = FRIDAY + timedelta(days=1), Limit(1, Unit.WORK_DAY)

    assert explanation.days_off(limit, saturday, due(saturday, limit, CALENDAR), CALENDAR) == 1


def test_a_person_who_chooses_is_named_with_their_reason_in_short():
    long = "长" * 900
    made = explanation.grade(Grade.RED, Grade.GREEN, CENTRE, long, at=FRIDAY)

    assert (made["chose"], made["because"]) == ("red", "by_hand")
    assert made["facts"]["default"] == "green"
    assert (made["facts"]["by"], made["facts"]["role"]) == ("李芳", "town_grid_centre")
    assert 190 < len(made["facts"]["reason"]) < 210
    assert explanation.grade(Grade.RED, Grade.RED, CENTRE, "给出了理由", at=FRIDAY)["facts"] == {}


def test_a_category_is_the_reporters_word_or_that_of_who_accepts():
    said = explanation.category("10-001", "10-001", CENTRE, at=FRIDAY)
    changed = explanation.category("10-001", "02-007", CENTRE, at=FRIDAY)
    given = explanation.category("10-001", None, CENTRE, at=FRIDAY)

    assert said["because"] == "reported"
    assert (changed["because"], changed["facts"]["before"]) == ("by_hand", "02-007")
    assert "before" not in given["facts"]


def test_empty_posts_are_named():
    people = [
        {"role": "grid_worker", "area": "990101001001001", "person_id": None, "name": None},
        {"role": "grid_leader", "area": "990101001001", "person_id": 5, "name": "王"},
    ]

    made = explanation.people(people, at=FRIDAY)

    assert (made["chose"], made["because"]) == ([5], "empty_posts")
    assert made["facts"]["empty"] == [{"role": "grid_worker", "area": "990101001001001"}]
    assert explanation.people(people[1:], at=FRIDAY)["because"] == "posts"
