"""The responsibility list comes from files: whole or not at all, and what is wrong is named by row and column."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from geoalchemy2.shape import to_shape
from shapely import Polygon, box
from shapely.geometry import mapping
from sqlalchemy import func, select

from gis.crs import Frame, from_storage
from gis.errors import CityError, InvalidInput
from grids.duty import duties, responsibilities
from grids.duty.dutycheck import check
from grids.duty.responsibilities import DutyMapping, read_duty_mapping
from grids.rules.responsibilities import RuleKind
from grids.tables import Responsibility

DAY = date(2026, 6, 3)
CELL = "990101001001001"
HEADER = "category,area,lead,cooperating,basis,source,effective_from,effective_to\n"
ESTATE = box(117.001, 36.001, 117.005, 36.005)


def table(tmp_path: Path, *lines: str, header: str = HEADER, encoding: str = "utf-8") -> Path:
    path = tmp_path / "list.csv"
    path.write_text(header + "\n".join(lines) + "\n", encoding)
    return path


def places(tmp_path: Path, *features: tuple[Any, dict[str, Any]]) -> Path:
    path = tmp_path / "places.geojson"
    rows = [
        {"type": "Feature", "geometry": mapping(shape), "properties": properties}
        for shape, properties in features
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": rows}), "utf-8")
    return path


RED_LINE = {
    "kind": "exception",
    "name": "锦绣苑红线",
    "category": "07-001",
    "lead": "ZRZY",
    "cooperating": "ZJ;PMC",
    "basis": "agreed",
    "source": "会商纪要第3号",
    "effective_from": "2026-06-01",
}
SCHOOL = {
    "kind": "special_grid",
    "name": "实验小学",
    "contact_name": "保卫科",
    "contact_phone": "13912345678",
    "basis": "designated",
    "source": "名册",
    "effective_from": "2026-06-01",
}


def rules(city: Any) -> int:
    return city.session.scalar(select(func.count()).select_from(Responsibility))


def faults(problem: CityError) -> list[tuple[int, str]]:
    return [(one["row"], one["column"]) for one in problem.facts["faults"]]


def test_items_of_the_list_hold_from_their_day_on(city, tmp_path):
    path = table(
        tmp_path,
        "07-001,990101001,CG,JJ;TOWN,agreed,会商纪要第3号,2026-06-01,",
        "07-002,990101,JJ,,法定,三定方案,2026-09-01,2027-01-01",
    )

    loaded = responsibilities.load(city.session, path, on=DAY)

    assert (len(loaded.added), loaded.ended) == (2, ())
    found = duties.duty_for(city.session, "07-001", CELL, on=DAY)
    assert (found.lead, found.kind, found.basis, found.rule_id) == (
        "CG",
        RuleKind.LISTED,
        "agreed",
        loaded.added[0],
    )
    assert duties.duty_for(city.session, "07-002", CELL, on=DAY).kind is RuleKind.DEFAULT
    assert duties.duty_for(city.session, "07-002", CELL, on=date(2026, 9, 1)).lead == "JJ"
    assert check(city.session, on=DAY) == []


def test_every_cell_that_cannot_be_used_is_named_and_nothing_is_stored(city, tmp_path):
    before = rules(city)
    path = table(
        tmp_path,
        "07-001,990101001,CG,,agreed,纪要,2026-06-01,",
        "7-1,990101009,CG,,agreed,纪要,2026-06-01,",
        "07-002,990101001,XX,YY,agreed,,2026-06-01,",
    )

    with pytest.raises(InvalidInput) as refused:
        responsibilities.load(city.session, path, on=DAY)

    assert refused.value.code == "bad_rules"
    assert faults(refused.value) == [
        (3, "category"),
        (3, "area"),
        (3, "lead"),
        (4, "lead"),
        (4, "cooperating"),
        (4, "source"),
    ]
    assert "row 3, column category: got '7-1'" in refused.value.message
    assert rules(city) == before


def test_a_new_rule_ends_the_one_that_it_follows(city, tmp_path):
    old = responsibilities.load(
        city.session, table(tmp_path, "07-001,990101001,CG,,agreed,旧,2026-01-01,"), on=DAY
    )
    new = responsibilities.load(
        city.session, table(tmp_path, "07-001,990101001,JJ,,agreed,新,2026-07-01,"), on=DAY
    )

    assert new.ended == old.added
    assert city.session.get_one(Responsibility, old.added[0]).effective_to == date(2026, 7, 1)
    assert duties.duty_for(city.session, "07-001", CELL, on=date(2026, 6, 30)).lead == "CG"
    assert duties.duty_for(city.session, "07-001", CELL, on=date(2026, 7, 1)).lead == "JJ"
    assert check(city.session, on=DAY) == []


def test_the_same_file_twice_is_refused_the_second_time(city, tmp_path):
    path = table(tmp_path, "07-001,990101001,CG,,agreed,纪要,2026-06-01,")
    responsibilities.load(city.session, path, on=DAY)

    with pytest.raises(InvalidInput, match="already") as refused:
        responsibilities.load(city.session, path, on=DAY)

    assert faults(refused.value) == [(2, "effective_from")]


def test_a_rule_for_a_while_says_who_leads_afterwards(city, tmp_path):
    responsibilities.load(city.session, table(tmp_path, "07-001,990101001,CG,,agreed,旧,2026-01-01,"), on=DAY)
    summer = "07-001,990101001,JJ,,agreed,夏季,2026-07-01,2026-09-01"

    with pytest.raises(InvalidInput) as refused:
        responsibilities.load(city.session, table(tmp_path, summer), on=DAY)
    loaded = responsibilities.load(
        city.session, table(tmp_path, summer, "07-001,990101001,CG,,agreed,秋季,2026-09-01,"), on=DAY
    )

    assert faults(refused.value) == [(2, "effective_to")]
    assert (len(loaded.added), len(loaded.ended)) == (2, 1)


def test_two_rows_for_the_same_place_category_and_days_are_refused(city, tmp_path):
    path = table(
        tmp_path,
        "07-001,990101001,CG,,agreed,甲,2026-06-01,2026-08-01",
        "07-001,990101001,JJ,,agreed,乙,2026-07-01,",
    )

    with pytest.raises(InvalidInput) as refused:
        responsibilities.load(city.session, path, on=DAY)

    assert faults(refused.value) == [(3, "effective_from")]


def test_a_list_with_columns_of_its_own_is_read_by_a_mapping(city, tmp_path):
    path = table(
        tmp_path,
        "07-001,990101001,CG,会商纪要",
        header="事项编码,属地,牵头,依据文号\n",
        encoding="gb18030",
    )
    toml = tmp_path / "list.toml"
    toml.write_text(
        'encoding = "gb18030"\n[columns]\ncategory = "事项编码"\narea = "属地"\nlead = "牵头"\nsource = "依据文号"\n'
        '[values]\nbasis = "商定"\neffective_from = 2026-06-01\n',
        "utf-8",
    )

    loaded = responsibilities.load(city.session, path, on=DAY, mapping=read_duty_mapping(toml))

    assert city.session.get_one(Responsibility, loaded.added[0]).source == "会商纪要"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[columns]\nwhat = 'x'", "columns"),
        ("[values]\nlead = 3", "values"),
        ("frame = 3", "frame"),
        ("other = 'x'", "mapping"),
        ("columns = 'x'", "columns"),
        ("not toml", "mapping"),
    ],
)
def test_a_mapping_that_cannot_be_used_names_its_key(tmp_path, text, field):
    path = tmp_path / "list.toml"
    path.write_text(text, "utf-8")

    with pytest.raises(InvalidInput) as refused:
        read_duty_mapping(path)

    assert (refused.value.code, refused.value.facts["field"]) == ("wrong_mapping", field)


def test_a_column_that_is_missing_is_named_once(city, tmp_path):
    path = table(tmp_path, "07-001,990101001", header="category,area\n")

    with pytest.raises(InvalidInput) as refused:
        responsibilities.load(city.session, path, on=DAY)

    assert (refused.value.code, refused.value.facts["got"]) == ("unknown_column", "lead")


def test_places_find_the_smallest_area_that_holds_them(city, tmp_path):
    both = box(117.008, 36.001, 117.012, 36.005)
    path = places(tmp_path, (ESTATE, RED_LINE), (both, SCHOOL))

    loaded = responsibilities.load(city.session, path, on=DAY)

    areas = [city.session.get_one(Responsibility, number).area_code for number in loaded.added]
    assert areas == [CELL, "990101001001"]
    assert duties.duty_for(city.session, "07-001", CELL, on=DAY, point=(117.003, 36.003)).lead == "ZRZY"
    (school,) = duties.special_grids(city.session, CELL, (117.009, 36.003), on=DAY)
    assert (school.name, school.contact_phone) == ("实验小学", "13912345678")
    assert check(city.session, on=DAY) == []


def test_places_in_another_frame_are_brought_to_ours(city, tmp_path):
    lon, lat = from_storage(*(list(axis) for axis in zip(*ESTATE.exterior.coords, strict=True)), Frame.GCJ02)

    path = places(tmp_path, (Polygon(list(zip(lon, lat, strict=True))), RED_LINE))

    (number,) = responsibilities.load(city.session, path, on=DAY, frame="GCJ02").added

    stored = city.session.get_one(Responsibility, number).boundary

    assert to_shape(stored).symmetric_difference(ESTATE).area < 1e-4 * ESTATE.area


def test_a_place_outside_the_district_or_with_a_broken_outline_is_named(city, tmp_path):

    bow = Polygon([(117.001, 36.001), (117.005, 36.005), (117.005, 36.001), (117.001, 36.005)])
    path = places(tmp_path, (box(118.0, 36.0, 118.1, 36.1), RED_LINE), (bow, SCHOOL), (ESTATE, RED_LINE))
    before = rules(city)

    with pytest.raises(InvalidInput) as refused:
        responsibilities.load(city.session, path, on=DAY)

    assert faults(refused.value) == [(2, "geometry"), (3, "geometry")]
    assert rules(city) == before


def test_a_mapping_without_a_name_of_ours_is_refused_before_anything_is_read(city, tmp_path):
    path = table(tmp_path, "07-001,990101001,CG,,agreed,纪要,2026-06-01,")

    with pytest.raises(InvalidInput, match="nowhere"):
        responsibilities.load(city.session, path, on=DAY, mapping=DutyMapping(columns={"lead": "nowhere"}))


def test_the_list_is_shown_for_an_area_with_what_it_lies_in(city, tmp_path):
    path = table(
        tmp_path,
        "07-001,990101001,CG,,agreed,纪要,2026-06-01,",
        "07-001,990101002,CG,,agreed,纪要,2026-06-01,",
    )
    responsibilities.load(city.session, path, on=DAY)

    found = responsibilities.listing(city.session, area="990101001001", category="07-001", on=DAY)

    assert [(rule.area_code, rule.kind) for rule in found] == [
        ("", RuleKind.DEFAULT),
        ("990101001", RuleKind.LISTED),
    ]
