"""Whether everything has somebody: leads by area and category, empty posts, and all that is wrong with the list."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from geoalchemy2.shape import from_shape
from shapely import box
from shapely.geometry import MultiPolygon
from sqlalchemy import delete, update

from gis.errors import InvalidInput, NotFound
from grids.duty.dutycheck import DutyFault, check
from grids.ground.coverage import coverage, empty_posts
from grids.rules.levels import GridLevel
from grids.rules.permissions import Role
from grids.rules.responsibilities import RuleKind
from grids.tables import DutyBasis, Responsibility

DAY = date(2026, 6, 3)
TOWN = "990101001"


def add(city: Any, lead: str, *, kind: RuleKind = RuleKind.LISTED, **changes: Any) -> int:
    row = {
        "category_code": "07-001",
        "area_code": TOWN,
        "cooperating": [],
        "basis": DutyBasis.AGREED,
        "source": "纪要",
        "effective_from": date(2026, 1, 1),
    } | changes
    if "boundary" in row:
        row["boundary"] = from_shape(MultiPolygon([row["boundary"]]), srid=4490)
    rule = Responsibility(kind=kind, lead=lead, **row)
    city.session.add(rule)
    city.session.flush()
    return rule.id


def test_the_shipped_list_has_one_lead_for_everything_everywhere(city):
    found = coverage(city.session, "990101", on=DAY)

    assert found.rows == ("990101001", "990101002")
    assert len(found.columns) == 80
    assert {count for row in found.counts for count in row} == {1}
    assert found.leads[0][found.columns.index("07-001")] == "JJ"
    assert found.holes == ()


def test_the_matrix_shows_nobody_one_and_many_and_what_holds_for_part_of_an_area_apart(city):
    city.session.execute(delete(Responsibility).where(Responsibility.category_code == "07-002"))
    add(city, "JJ", category_code="07-002", area_code="990101001002")
    add(city, "CG", area_code="990101002")
    add(city, "GA", area_code="990101002")
    red_line = add(city, "ZRZY", kind=RuleKind.EXCEPTION, boundary=box(117.001, 36.001, 117.005, 36.005))

    towns = coverage(city.session, "990101", on=DAY, category_field="07")
    cells = coverage(city.session, TOWN, on=DAY, level=GridLevel.COMMUNITY, category_field="07")

    first, second = towns.columns.index("07-001"), towns.columns.index("07-002")
    assert [row[first] for row in towns.counts] == [1, 2]
    assert [row[second] for row in towns.counts] == [0, 0]
    assert [row[second] for row in cells.counts] == [0, 1]
    assert [row[second] for row in cells.leads] == [None, "JJ"]
    assert [(one.area, one.category, one.leads) for one in towns.holes] == [
        ("990101002", "07-001", ("CG", "GA")),
        ("990101001001", "07-002", ()),
        ("990101002", "07-002", ()),
    ]
    assert [one.rule for one in towns.polygons] == [red_line]
    assert coverage(city.session, "990101002", on=DAY).polygons == ()


def test_a_cell_is_shown_as_a_row_of_its_own(city):
    assert coverage(city.session, "990101001001001", on=DAY).rows == ("990101001001001",)


def test_what_cannot_be_shown_is_named(city):
    with pytest.raises(InvalidInput, match="district"):
        coverage(city.session, TOWN, on=DAY, level=GridLevel.DISTRICT)
    with pytest.raises(InvalidInput, match="77"):
        coverage(city.session, TOWN, on=DAY, category_field="77")
    with pytest.raises(NotFound, match="990199"):
        coverage(city.session, "990199", on=DAY)


def test_posts_that_nobody_on_duty_holds_are_named_from_the_town_down(city):
    city.vacate(Role.TOWN_GRID_CENTRE, TOWN)
    city.vacate(Role.GRID_LEADER, "990101001002")

    found = [(one.role, one.area) for one in empty_posts(city.session, TOWN, on=DAY)]

    assert found == [
        (Role.TOWN_GRID_CENTRE, TOWN),
        (Role.GRID_LEADER, "990101001002"),
        (Role.GRID_WORKER, "990101001002001"),
        (Role.GRID_WORKER, "990101001002002"),
    ]


def test_a_list_without_a_fault_is_clean(city):
    add(city, "JJ")
    add(city, "CG", kind=RuleKind.EXCEPTION, boundary=box(117.0, 36.0, 117.04, 36.02))

    assert check(city.session, on=DAY) == []


SEEDED = {
    DutyFault.SEVERAL: lambda city: [add(city, "CG"), add(city, "GA")],
    DutyFault.UNKNOWN_DEPARTMENT: lambda city: [add(city, "XX")],
    DutyFault.UNKNOWN_CATEGORY: lambda city: [add(city, "CG", category_code="77-001")],
    DutyFault.UNKNOWN_AREA: lambda city: [add(city, "CG", area_code="990101009")],
    DutyFault.POLYGON_OUTSIDE: lambda city: [
        add(city, "CG", kind=RuleKind.EXCEPTION, boundary=box(117.03, 36.0, 117.05, 36.02))
    ],
    DutyFault.DATES_OVERLAP: lambda city: [add(city, "CG"), add(city, "CG", effective_from=date(2026, 7, 1))],
}


@pytest.mark.parametrize("fault", SEEDED)
def test_a_seeded_fault_is_found_and_nothing_else_is(city, fault):
    seeded = SEEDED[fault](city)

    found = check(city.session, on=DAY)

    expected = {fault} | ({DutyFault.DATES_OVERLAP} if fault is DutyFault.SEVERAL else set())
    assert {one.fault for one in found} == expected
    assert {number for one in found for number in one.rules} in ({*seeded}, set())


def test_a_category_without_any_rule_is_told_once_for_the_district(city):
    city.session.execute(delete(Responsibility).where(Responsibility.category_code == "07-001"))

    (found,) = check(city.session, on=DAY)

    assert (found.fault, found.area, found.category) == (DutyFault.NOBODY, "990101", "07-001")


def test_a_rule_for_everywhere_has_to_stay_in_the_districts(city):
    inside = add(city, "CG", kind=RuleKind.EXCEPTION, area_code="", boundary=box(117.03, 36.0, 117.05, 36.02))

    assert check(city.session, on=DAY) == []
    city.session.execute(
        update(Responsibility)
        .where(Responsibility.id == inside)
        .values(boundary=from_shape(MultiPolygon([box(118, 36, 118.1, 36.1)]), srid=4490))
    )
    assert [one.fault for one in check(city.session, on=DAY)] == [DutyFault.POLYGON_OUTSIDE]


def test_what_is_over_is_not_judged_and_what_is_to_come_is(city):
    add(city, "XX", effective_to=DAY)
    assert check(city.session, on=DAY) == []

    add(city, "XX", effective_from=date(2027, 1, 1))
    assert [one.fault for one in check(city.session, on=DAY)] == [DutyFault.UNKNOWN_DEPARTMENT]


def test_only_the_rules_that_touch_an_area_are_judged_for_it(city):
    add(city, "XX", area_code="990101002")

    assert check(city.session, on=DAY, area=TOWN) == []
    assert [one.fault for one in check(city.session, on=DAY, area="990101002001")] == [
        DutyFault.UNKNOWN_DEPARTMENT
    ]
