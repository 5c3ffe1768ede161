from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

import grids.rules
from gis.errors import InvalidInput
from grids.rules.calendar import SHANGHAI, WorkCalendar
from grids.rules.categories import (
    CATEGORY_COLUMNS,
    WATERLOGGING,
    Basis,
    CategoryKind,
    CategoryRule,
    read_categories,
    shipped_categories,
)
from grids.rules.departments import shipped_departments
from grids.rules.grading import CEILINGS, Grade
from grids.rules.holidays import days_of_year
from grids.rules.limits import Limit, Unit, due

SHIPPED = Path(grids.rules.__file__).parents[1] / "data" / "categories.csv"
CALENDAR = WorkCalendar({d.day: d.working for d in days_of_year(2026)})


def by_code() -> dict[str, CategoryRule]:
    return {rule.code: rule for rule in shipped_categories()}


def a_table(**changes: str) -> str:
    """The first shipped row alone, with some cells changed."""
    with SHIPPED.open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    text = io.StringIO()
    writer = csv.DictWriter(text, CATEGORY_COLUMNS)
    writer.writeheader()
    writer.writerow({**row, **changes})
    return text.getvalue()


def test_the_shipped_table_has_80_categories_in_16_fields() -> None:
    rules = shipped_categories()

    assert len(rules) == 80
    assert [rule.code for rule in rules] == sorted({rule.code for rule in rules})
    assert len({rule.field_code for rule in rules}) == 16
    assert Counter(rule.kind for rule in rules) == {
        CategoryKind.EVENT: 58,
        CategoryKind.SERVICE: 14,
        CategoryKind.COMPONENT: 8,
    }
    assert Counter(rule.grade for rule in rules) == {
        Grade.RED: 6,
        Grade.ORANGE: 22,
        Grade.YELLOW: 14,
        Grade.BLUE: 16,
        Grade.GREEN: 22,
    }


def test_every_category_and_field_is_named_once_in_both_languages() -> None:
    rules = shipped_categories()

    assert len({rule.name_zh for rule in rules}) == len({rule.name_en for rule in rules}) == 80
    assert len({rule.field_zh for rule in rules}) == len({rule.field_en for rule in rules}) == 16
    assert all(rule.name_en.isascii() and not rule.name_zh.isascii() for rule in rules)


def test_departments_exist_and_the_town_always_takes_part() -> None:
    known = {body.code for body in shipped_departments()}

    for rule in shipped_categories():
        assert {rule.lead, *rule.cooperating} <= known
        assert "TOWN" in rule.cooperating
        assert rule.lead not in {"TOWN", "PMC", "UTIL"}  # a ranked bureau leads


@pytest.mark.parametrize(
    "start",
    ["2026-03-09 08:30", "2026-03-11 23:59", "2026-03-13 19:00", "2026-03-14 03:00", "2026-09-30 17:00"],
)
def test_no_category_takes_longer_than_its_colour_allows_except_long_processes(start: str) -> None:
    at = datetime.fromisoformat(start).replace(tzinfo=SHANGHAI)

    longer = {
        rule.code
        for rule in shipped_categories()
        if due(at, rule.handle_limit, CALENDAR) > due(at, CEILINGS[rule.grade], CALENDAR)
    }

    assert longer == {"01-012", "02-006", "14-004"}
    assert longer == {rule.code for rule in shipped_categories() if rule.long_process}


def test_grades_that_districts_have_published_stand_as_published() -> None:
    rules = by_code()

    assert {rule.code: rule.grade for rule in rules.values() if rule.grade_basis is Basis.REPORTED} == {
        "11-001": Grade.RED,
        "11-002": Grade.RED,
        "01-001": Grade.GREEN,
        "07-001": Grade.GREEN,
    }
    assert rules["11-001"].handle_limit == Limit(24, Unit.NATURAL_HOUR)
    assert rules["01-001"].handle_limit == Limit(3, Unit.WORK_DAY)


def test_one_category_reads_as_it_is_written() -> None:
    barbecue = by_code()["10-001"]

    assert barbecue.name_zh == "无照(证)经营(含室内烧烤餐饮)"
    assert barbecue.grade is Grade.YELLOW
    assert barbecue.handle_limit == Limit(24, Unit.URGENT_HOUR)
    assert (barbecue.lead, barbecue.cooperating) == ("SCJG", ("CG", "STHJ", "GA", "TOWN"))
    assert (barbecue.response_limit_min, barbecue.arrive_limit_h, barbecue.whistle_level) == (30, 4, 3)
    assert barbecue.recurrence_radius_m == 20
    assert barbecue.references.cjt214_2007 is None


def test_cross_references_stay_text_with_their_leading_zeros() -> None:
    garbage = by_code()["02-001"].references

    assert garbage.cjt214_2007 == "0102"
    assert garbage.gbt30428_2_2013_unlabelled == "0110"
    assert garbage.gbt47678_5_2026_observed == "06010"


def test_personal_evidence_is_marked() -> None:
    dispute = by_code()["12-001"]

    assert dispute.evidence == ("mediation_record", "party_signature")
    assert dispute.restricted_evidence == {"party_signature"}
    assert dispute.recurrence_radius_m is None


def test_waterlogging_is_told_apart() -> None:
    assert {rule.code for rule in shipped_categories() if rule.waterlogging} == WATERLOGGING
    assert by_code()["01-002"].name_en == "Road waterlogging"


@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [
        ("category_code", "17-001", "a field 01 to 16"),
        ("category_code", "1-1", "a field 01 to 16"),
        ("field_code", "02", "01, the beginning"),
        ("field_zh", "", "1 to 100 characters"),
        ("field_en", "", "1 to 100 characters"),
        ("name_zh", "", "1 to 100 characters"),
        ("name_en", "x" * 101, "1 to 100 characters"),
        ("kind", "thing", "one of event, component, service"),
        ("colour_grade", "purple", "one of red, orange, yellow, blue, green"),
        ("response_limit_min", "0", "a whole number from 1 to 1440"),
        ("response_limit_min", "1.5", "a whole number"),
        ("response_limit_min", "٣", "a whole number"),
        ("arrive_limit_h", "", "a whole number"),
        ("handle_limit_value", "0", "a limit in work_day"),
        ("handle_limit_value", "1.5", "a limit in work_day"),
        ("handle_limit_value", "soon", "a limit in work_day"),
        ("handle_limit_unit", "workday", "one of work_day, work_hour"),
        ("default_whistle_level", "4", "a whole number from 1 to 3"),
        ("lead_dept_code", "ZJ;CG", "one department code"),
        ("lead_dept_code", "QQ", "a department that exists"),
        ("coop_dept_codes", "CG;;JJ", "department codes separated by ;"),
        ("coop_dept_codes", "CG;CG", "each once"),
        ("coop_dept_codes", "CG;QQ", r"\(QQ does not\)"),
        ("coop_dept_codes", "CG;ZJ", "other than the lead, ZJ"),
        ("evidence_required", "Near photo", "lower-case names"),
        ("callback_required", "yes", "true or false"),
        ("long_process", "", "true or false"),
        ("recurrence_radius_m", "0", "a whole number from 1 to 2000"),
        ("grade_basis", "", "one of reported, other_cities, default"),
        ("limit_basis", "", "one of reported, other_cities, default"),
        ("dept_basis", "guess", "one of reported, other_cities, default"),
        ("notes", "Call 119", "lower-case names"),
    ],
)
def test_a_cell_that_cannot_be_used_is_refused_by_row_and_column(
    column: str, value: str, wanted: str
) -> None:
    known = {body.code for body in shipped_departments()}

    with pytest.raises(InvalidInput, match=rf"categories, row 2 .*column {column}: .*{wanted}") as caught:
        read_categories(a_table(**{column: value}), known)

    assert caught.value.code == "bad_sheet"
    assert (caught.value.facts["row"], caught.value.facts["column"]) == (2, column)


def test_red_on_working_hours_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"column handle_limit_unit: .*red runs day and night"):
        read_categories(a_table(colour_grade="red"))


def test_an_arrival_after_the_end_of_handling_is_refused() -> None:
    with pytest.raises(
        InvalidInput, match=r"column arrive_limit_h: .*no more hours than handling may take, 4"
    ):
        read_categories(a_table(handle_limit_unit="work_hour", handle_limit_value="4", arrive_limit_h="5"))


def test_a_field_with_two_names_is_refused() -> None:
    lines = a_table().splitlines()
    second = lines[1].replace("01-001", "01-002").replace("Urban construction", "Urban building")

    with pytest.raises(InvalidInput, match=r"row 3 .*column field_code: .*Urban construction"):
        read_categories("\n".join([*lines, second]))


def test_without_a_list_of_departments_any_well_formed_code_passes() -> None:
    assert read_categories(a_table(lead_dept_code="QQ"))[0].lead == "QQ"


def test_the_shipped_file_says_every_thing_once_and_in_plain_words() -> None:
    text = SHIPPED.read_text(encoding="utf-8")

    assert "\r" not in text
    assert not {"SEED", "DESIGN", "TODO"} & set(text.replace("_", ",").replace(";", ",").split(","))
