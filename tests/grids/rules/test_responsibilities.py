"""Which rule decides: the order of kinds, and inside one kind of places, categories, days and ids."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import permutations

import pytest

from grids.rules.responsibilities import Choice, Place, Rule, RuleKind, Why, choose, fits

CELL = "990101001001001"
PARKING = Place("07-001", CELL, date(2026, 6, 3))
LISTED = Rule(1, RuleKind.LISTED, "990101", "07-001", "JJ", date(2026, 1, 1))


def rule(number: int, lead: str | None, **changes: object) -> Rule:
    return replace(LISTED, id=number, lead=lead, **changes)


KINDS = {
    RuleKind.DECIDED: rule(50, "A", kind=RuleKind.DECIDED, area=""),
    RuleKind.EXCEPTION: rule(40, "B", kind=RuleKind.EXCEPTION, area="", polygon_m2=9e9, category=None),
    RuleKind.SPECIAL_GRID: rule(30, "C", kind=RuleKind.SPECIAL_GRID, polygon_m2=10.0),
    RuleKind.LISTED: rule(20, "D", area="990101001001"),
    RuleKind.DEFAULT: rule(10, "E", kind=RuleKind.DEFAULT, area=CELL, since=date(2026, 6, 1)),
}


@pytest.mark.parametrize("absent", range(len(KINDS)))
def test_the_strongest_kind_decides_however_wide_its_area_or_late_its_id(absent: int) -> None:
    left = list(KINDS.values())[absent:]

    found = chosen(*left)

    assert found.rule is left[0]
    assert found.others == tuple((other, Why.KIND) for other in left[1:])


def chosen(*rules: Rule) -> Choice:
    """Choose among rules in every order: the answer must not depend on it."""
    found = {choose(order, PARKING) for order in permutations(rules)}
    assert len(found) == 1
    (only,) = found
    assert only is not None
    return only


POLYGON = {"kind": RuleKind.EXCEPTION, "polygon_m2": 400.0}


@pytest.mark.parametrize(
    ("winner", "loser", "why"),
    [
        (rule(9, "X", area="990101001"), rule(1, "Y", area="990101", since=date(2026, 5, 1)), Why.AREA),
        (rule(9, "X", area=CELL), rule(1, "Y", area="990101001001"), Why.AREA),
        (rule(9, "X", area="990101"), rule(1, "Y", area=""), Why.AREA),
        (
            rule(9, "X", area="990101001", **POLYGON | {"polygon_m2": 9e9}),
            rule(1, "Y", area="990101", **POLYGON),
            Why.AREA,
        ),
        (rule(9, "X", polygon_m2=5e6), rule(1, "Y"), Why.POLYGON),
        (
            rule(9, "X", **POLYGON, category=None),
            rule(1, "Y", **POLYGON | {"polygon_m2": 401.0}),
            Why.POLYGON,
        ),
        (
            rule(9, "X", **POLYGON),
            rule(1, "Y", **POLYGON, category=None, since=date(2026, 6, 1)),
            Why.CATEGORY,
        ),
        (rule(9, "X", since=date(2026, 2, 1)), rule(1, "Y", since=date(2026, 1, 31)), Why.OLDER),
        (rule(1, "X"), rule(9, "X"), Why.REPEATED),
        (rule(1, "X"), rule(9, "Y"), Why.CONFLICT),
    ],
)
def test_inside_one_kind_the_narrower_rule_decides(winner: Rule, loser: Rule, why: Why) -> None:
    assert chosen(winner, loser) == Choice(winner, ((loser, why),))


def test_rules_that_only_ids_tell_apart_are_a_conflict_of_their_leads() -> None:
    found = chosen(rule(3, "X"), rule(4, "Y"), rule(5, "X"), rule(6, "Z", area=""))

    assert found.rule.id == 3
    assert found.leads == ("X", "Y")
    assert [why for _, why in found.others] == [Why.CONFLICT, Why.REPEATED, Why.AREA]


@pytest.mark.parametrize(
    "never",
    [
        rule(1, "X", area="990101002"),
        rule(1, "X", area="990101001001002"),
        rule(1, "X", category="07-002"),
        rule(1, "X", since=date(2026, 6, 4)),
        rule(1, "X", until=date(2026, 6, 3)),
        rule(1, "X", **POLYGON, holds=False),
        rule(1, "X", kind=RuleKind.EXCEPTION),
        rule(1, "X", kind=RuleKind.SPECIAL_GRID, category=None),
    ],
)
def test_a_rule_for_another_place_category_or_day_has_no_say(never: Rule) -> None:
    assert not fits(never, PARKING)
    assert choose([never], PARKING) is None


@pytest.mark.parametrize(
    "still",
    [
        rule(1, "X", since=PARKING.on),
        rule(1, "X", until=date(2026, 6, 4)),
        rule(1, "X", area=""),
        rule(1, "X", kind=RuleKind.DECIDED, polygon_m2=None),
    ],
)
def test_a_rule_holds_from_its_first_day_to_the_day_before_its_end(still: Rule) -> None:
    assert fits(still, PARKING)


def test_a_special_grid_without_a_department_leaves_the_departments_as_they_are() -> None:
    school = rule(1, None, kind=RuleKind.SPECIAL_GRID, category=None, polygon_m2=900.0)

    assert fits(school, PARKING)
    assert choose([school], PARKING) is None
    assert chosen(school, LISTED) == Choice(LISTED)


def test_a_choice_among_one_rule_knows_its_lead() -> None:
    assert chosen(LISTED).leads == ("JJ",)
