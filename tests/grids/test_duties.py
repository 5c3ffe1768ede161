"""Who answers for a place: the rule that decides, as the database finds it, and what stands in its explanation."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from geoalchemy2.shape import from_shape
from shapely import Point, box
from shapely.geometry import MultiPolygon

from gis.errors import NotFound
from grids import directory
from grids.duty import duties
from grids.rules.permissions import Role
from grids.rules.responsibilities import RuleKind
from grids.rules.whistles import WhistleLevel
from grids.tables import DutyBasis, Responsibility

DAY = date(2026, 6, 3)
CELL = "990101001001001"
INSIDE, BESIDE = (117.003, 36.003), (117.008, 36.01)
RED_LINE = MultiPolygon([box(117.001, 36.001, 117.005, 36.005)])


def add(city: Any, kind: RuleKind, lead: str | None, **changes: Any) -> int:
    row = {
        "name": None,
        "category_code": "07-001",
        "area_code": "990101001",
        "cooperating": ["CG"],
        "basis": DutyBasis.AGREED,
        "source": "会商纪要第3号",
        "effective_from": date(2026, 1, 1),
    } | changes
    if isinstance(row.get("boundary"), MultiPolygon):
        row["boundary"] = from_shape(row["boundary"], srid=4490)
    rule = Responsibility(kind=kind, lead=lead, **row)
    city.session.add(rule)
    city.session.flush()
    return rule.id


def test_inside_a_planning_red_line_the_planners_lead_and_outside_the_police(city):
    listed = add(city, RuleKind.LISTED, "JJ")
    red_line = add(
        city, RuleKind.EXCEPTION, "ZRZY", name="锦绣苑红线", boundary=RED_LINE, cooperating=["ZJ", "PMC"]
    )

    inside = duties.duty_for(city.session, "07-001", CELL, on=DAY, point=INSIDE)
    outside = duties.duty_for(city.session, "07-001", CELL, on=DAY, point=BESIDE)

    assert (inside.lead, inside.kind, inside.rule_id) == ("ZRZY", RuleKind.EXCEPTION, red_line)
    assert [one["code"] for one in inside.departments()] == ["ZRZY", "ZJ", "PMC"]
    assert inside.rule == (
        f"responsibility {red_line} (exception 锦绣苑红线) for area 990101001 since 2026-01-01"
    )
    assert [(fact["rule"], fact["why"]) for fact in inside.because][:2] == [
        (red_line, None),
        (listed, "kind"),
    ]
    assert [fact["kind"] for fact in inside.because] == ["exception", "listed", "default"]
    assert (outside.lead, outside.rule_id) == ("JJ", listed)
    assert outside.rule == f"responsibility {listed} for area 990101001 since 2026-01-01"


def test_on_the_edge_of_a_red_line_one_is_inside_it(city):
    add(city, RuleKind.EXCEPTION, "ZRZY", boundary=RED_LINE)

    assert duties.duty_for(city.session, "07-001", CELL, on=DAY, point=(117.001, 36.003)).lead == "ZRZY"


def test_a_point_as_a_table_holds_it_is_as_good_as_its_coordinates(city):
    add(city, RuleKind.EXCEPTION, "ZRZY", boundary=RED_LINE)
    stored = from_shape(Point(*INSIDE), srid=4490)

    assert duties.duty_for(city.session, "07-001", CELL, on=DAY, point=stored) == duties.duty_for(
        city.session, "07-001", CELL, on=DAY, point=INSIDE
    )


def test_without_a_point_rules_with_a_polygon_have_no_say(city):
    add(city, RuleKind.EXCEPTION, "ZRZY", boundary=RED_LINE)

    assert duties.duty_for(city.session, "07-001", CELL, on=DAY).kind is RuleKind.DEFAULT


def test_of_two_polygons_the_smaller_decides(city):
    add(city, RuleKind.EXCEPTION, "ZRZY", boundary=RED_LINE)
    small = add(
        city, RuleKind.EXCEPTION, "ZJ", boundary=MultiPolygon([box(117.002, 36.002, 117.004, 36.004)])
    )

    assert duties.duty_for(city.session, "07-001", CELL, on=DAY, point=INSIDE).rule_id == small


def test_a_rule_for_any_category_reaches_what_has_a_rule_of_its_own_only_by_its_kind(city):
    market = add(city, RuleKind.SPECIAL_GRID, "SCJG", name="农贸市场", category_code=None, boundary=RED_LINE)

    found = duties.duty_for(city.session, "03-003", CELL, on=DAY, point=INSIDE)

    assert (found.rule_id, found.because[0]["category"]) == (market, None)


def test_a_rule_that_ended_or_has_not_begun_is_not_asked(city):
    add(city, RuleKind.DECIDED, "GA", effective_to=DAY)
    add(city, RuleKind.DECIDED, "SF", effective_from=date(2026, 6, 4))
    add(city, RuleKind.DECIDED, "SW", area_code="990101002")

    assert duties.duty_for(city.session, "07-001", CELL, on=DAY).kind is RuleKind.DEFAULT


def test_two_rules_alike_but_for_their_leads_are_named_as_a_conflict(city):
    first = add(city, RuleKind.LISTED, "JJ")
    add(city, RuleKind.LISTED, "CG")

    found = duties.duty_for(city.session, "07-001", CELL, on=DAY)

    assert (found.rule_id, found.lead, found.conflict) == (first, "JJ", ("JJ", "CG"))


def test_where_the_list_names_nobody_a_person_decides(city):
    with pytest.raises(NotFound, match="99-999") as nobody:
        duties.duty_for(city.session, "99-999", CELL, on=DAY, point=INSIDE)
    assert nobody.value.code == "no_responsibility"


def test_the_special_grids_that_hold_a_point_are_named_with_their_keepers(city):
    school = {"name": "实验小学", "contact_name": "保卫科", "contact_phone": "15412345678"}
    for category in (None, "07-001"):
        add(city, RuleKind.SPECIAL_GRID, None, category_code=category, boundary=RED_LINE, **school)
    large = MultiPolygon([box(117.0, 36.0, 117.01, 36.02)])
    add(city, RuleKind.SPECIAL_GRID, "SCJG", name="市场", category_code=None, boundary=large)

    found = duties.special_grids(city.session, CELL, INSIDE, on=DAY)

    assert [(one.name, one.contact_name) for one in found] == [("实验小学", "保卫科"), ("市场", None)]
    assert [one.name for one in duties.special_grids(city.session, CELL, BESIDE, on=DAY)] == ["市场"]


def test_a_case_inside_a_red_line_calls_the_departments_of_the_red_line(city):
    add(city, RuleKind.EXCEPTION, "ZRZY", boundary=RED_LINE, cooperating=["ZJ"])
    lon, lat = INSIDE

    incident = city.accepted(WhistleLevel.THIRD, category="07-001", lon=lon, lat=lat)

    assert incident.responsible["departments"][0] == {"code": "ZRZY", "role": "lead"}
    assert [one["code"] for one in city.whistle(incident, 3).departments] == ["ZRZY", "ZJ"]


def test_an_empty_post_stands_in_its_place_with_nobody_in_it(city):
    city.vacate(Role.GRID_LEADER, "990101001001")

    found = directory.responsible_people(city.session, CELL)

    assert [(one["role"], one["area"], one["name"]) for one in found] == [
        ("grid_worker", CELL, "worker"),
        ("building_leader", CELL, None),
        ("grid_leader", "990101001001", None),
        ("town_grid_centre", "990101001", "centre"),
        ("town_office", "990101001", "office"),
        ("town_leader", "990101001", "town"),
    ]
