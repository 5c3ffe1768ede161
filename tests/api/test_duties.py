"""Who answers and who is near, over HTTP: locate with its rule, nearest, coverage, the pages and the commands."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from geoalchemy2.shape import from_shape
from shapely import Point, box
from shapely.geometry import MultiPolygon
from sqlalchemy import create_engine, delete, select, text
from typer.testing import CliRunner

from api.cli import main
from grids.rules.departments import StationKind
from grids.rules.responsibilities import RuleKind
from grids.tables import Department, DutyBasis, Responsibility, Station

CELL = "990101001001001"
HERE = {"lon": 117.003, "lat": 36.003, "frame": "CGCS2000"}
PHONE = "15412345678"


def polygon(city: Any, kind: RuleKind, lead: str | None, **changes: Any) -> None:
    row = {
        "category_code": "07-001",
        "area_code": CELL,
        "cooperating": ["ZJ"],
        "basis": DutyBasis.AGREED,
        "source": "会商纪要第3号",
        "effective_from": date(2026, 1, 1),
        "boundary": from_shape(MultiPolygon([box(117.001, 36.001, 117.005, 36.005)]), srid=4490),
    } | changes
    with city.database.sessions.begin() as session:
        session.add(Responsibility(kind=kind, lead=lead, **row))


def station(city: Any) -> None:
    with city.database.sessions.begin() as session:
        body = session.scalars(select(Department).where(Department.code == "CG")).one()
        session.add(
            Station(
                department_id=body.id,
                town_code="990101001",
                kind=StationKind.ENFORCEMENT_SQUAD,
                name="凤城街道综合行政执法中队",
                contact_name="赵队",
                contact_phone=PHONE,
                place=from_shape(Point(117.006, 36.003), srid=4490),
            )
        )


def test_inside_a_red_line_the_place_tells_which_rule_decided_and_whose_special_grid_it_is(city):
    polygon(city, RuleKind.EXCEPTION, "ZRZY", name="锦绣苑红线")
    polygon(
        city,
        RuleKind.SPECIAL_GRID,
        None,
        name="实验小学",
        category_code=None,
        contact_name="保卫科",
        contact_phone=PHONE,
    )

    found = city.see("worker", "locate", **HERE, category="07-001")

    assert found["decided_by"] | {"rule": 0} == {
        "rule": 0,
        "kind": "exception",
        "name": "锦绣苑红线",
        "basis": "agreed",
        "source": "会商纪要第3号",
        "since": "2026-01-01",
        "conflict": [],
    }
    assert [one["code"] for one in found["departments"]] == ["ZRZY", "ZJ"]
    assert [(one["name"], one["contact_phone"]) for one in found["special_grids"]] == [
        ("实验小学", "154****5678")
    ]
    elsewhere = city.see("worker", "locate", **HERE | {"lon": 117.008}, category="07-001")
    assert (elsewhere["decided_by"]["kind"], elsewhere["special_grids"]) == ("default", [])


def test_the_nearest_are_named_with_masked_numbers_and_what_they_have_in_hand(city):
    station(city)
    city.report()

    found = city.see("centre", "nearest", **HERE, category="07-001", limit=3)

    assert [(one["name"], one["distance_m"], one["load"]) for one in found["people"]] == [
        ("worker同志", 0.0, 1),
        ("leader同志", 0.0, 1),
        ("centre同志", 0.0, 1),
    ]
    assert found["people"][0]["phone"].startswith("139****")
    (squad,) = found["stations"]
    assert (squad["duty"], squad["kind"], squad["contact_phone"]) == (
        "cooperating",
        "enforcement_squad",
        "154****5678",
    )
    assert squad["distance_m"] == pytest.approx(270, abs=3)
    assert found["nobody"] is False
    assert PHONE not in json.dumps(found)


def test_the_nearest_are_asked_for_by_role_and_nobody_near_is_said(city):
    workers = city.see("centre", "nearest", **HERE, roles=["grid_worker"])
    far = city.see("centre", "nearest", lon=117.5, lat=36.5, frame="CGCS2000")
    wrong = city.as_("centre").get("/api/nearest", params={**HERE, "roles": "mayor"})

    assert {one["role"] for one in workers["people"]} == {"grid_worker"}
    assert (far["nobody"], far["people"], far["stations"]) == (True, [], [])
    assert (wrong.status_code, wrong.json()["code"]) == (422, "unknown_choice")


def test_nobody_finds_people_outside_their_own_area(still_city):
    own = {one["area"] for one in still_city.see("leader", "nearest", **HERE, limit=50)["people"]}
    other = still_city.see("sibling", "nearest", **HERE, limit=50)["people"]

    assert {area[:12] for area in own} == {"990101001001"}
    assert {one["area"][:9] for one in other} == {"990101002"}
    assert still_city.see("scjg", "nearest", **HERE)["people"] == []


def test_coverage_is_for_those_who_see_to_it_and_only_inside_their_area(still_city):
    for login in ("centre", "office", "town", "platform", "auditor"):
        assert still_city.see(login, "coverage")["holes"] == [], login
    for login in ("worker", "leader", "hotline", "callback", "scjg"):
        answer = still_city.as_(login).get("/api/coverage", params={"area": "990101"})
        assert (answer.status_code, answer.json()["code"]) == (403, "not_your_role"), login
        assert still_city.as_(login).get("/coverage").status_code == 403
    outside = still_city.as_("centre").get("/api/coverage", params={"area": "990101002"})
    assert (outside.status_code, outside.json()["code"]) == (404, "area_not_found")


def test_coverage_shows_nobody_and_many_by_area_and_the_empty_posts(city):
    with city.database.sessions.begin() as session:
        session.execute(delete(Responsibility).where(Responsibility.category_code == "07-002"))
    for lead in ("CG", "GA"):
        polygon(city, RuleKind.LISTED, lead, area_code="990101002", boundary=None)
    polygon(city, RuleKind.EXCEPTION, "ZRZY", name="锦绣苑红线")

    found = city.see("platform", "coverage", category_field="07", level="town")

    assert found["categories"] == [f"07-00{n}" for n in range(1, 7)]
    assert [(row["area"], row["counts"][:2]) for row in found["rows"]] == [
        ("990101001", [1, 0]),
        ("990101002", [2, 0]),
    ]
    assert found["holes"] == [
        {"area": "990101002", "category": "07-001", "leads": ["CG", "GA"]},
        {"area": "990101", "category": "07-002", "leads": []},
    ]
    assert [rule["name"] for rule in found["polygons"]] == ["锦绣苑红线"]
    assert {"role": "grid_worker", "area": "990101001002001", "name": "第1网格"} in found["empty_posts"]


def test_the_coverage_page_names_each_problem_and_leads_down_to_it(city):
    with city.database.sessions.begin() as session:
        session.execute(delete(Responsibility).where(Responsibility.category_code == "07-002"))
    for lead in ("CG", "GA"):
        polygon(city, RuleKind.LISTED, lead, area_code="990101002", boundary=None)

    page = city.as_("platform").get("/coverage?lang=en").text
    field = city.as_("platform").get("/coverage?category_field=07&level=community&only=1&lang=en")
    clean = city.as_("platform").get("/coverage?category_field=08&only=1&lang=en").text

    assert "Nobody leads" in page
    assert "Several lead" in page
    assert "/coverage?area=990101001" in page
    assert field.status_code == 200
    assert "No area has a problem." in clean
    assert city.as_("platform").get("/coverage?level=moon").status_code == 422


def test_a_dispatcher_sees_who_could_be_sent_and_a_grid_worker_does_not(city):
    station(city)
    polygon(city, RuleKind.SPECIAL_GRID, None, name="实验小学", category_code=None, contact_phone=PHONE)
    number = city.report(lon=117.003, lat=36.003)

    dispatcher = city.as_("centre").get(f"/incidents/{number}").text
    worker = city.as_("worker").get(f"/incidents/{number}").text

    assert "综合行政执法中队" in dispatcher
    assert "综合行政执法中队" not in worker
    assert "实验小学" in worker
    assert PHONE not in dispatcher + worker


def test_the_report_form_names_the_departments_of_the_category_that_is_chosen(city):
    polygon(city, RuleKind.EXCEPTION, "ZRZY", name="锦绣苑红线")

    part = city.as_("worker").get("/report/place", params={**HERE, "category": "07-001"}).text

    assert "区自然资源局" in part
    assert "锦绣苑红线" in part


# -- the command line


@pytest.fixture
def run(monkeypatch, made_up):
    """Run a command on the smallest made-up district."""
    address, _facts = made_up()
    monkeypatch.setenv("GRID_DATABASE_URL", address)

    def run(*arguments):
        return CliRunner().invoke(main, list(map(str, arguments)), prog_name="gridwhistle")

    run.address = address
    return run


def test_the_made_up_district_has_a_clean_list_and_a_seeded_fault_is_found(run, tmp_path):
    clean = run("responsibilities", "check")
    area = json.loads(run("responsibilities", "list", "--category", "07-001", "--json").stdout)[-1]["area"]
    path = tmp_path / "list.csv"
    path.write_text(
        "category,area,lead,cooperating,basis,source,effective_from\n"
        f"07-001,{area[:9]},CG,JJ,agreed,会商纪要,2026-01-01\n",
        "utf-8",
    )
    loaded = run("responsibilities", "load", path)
    again = run("responsibilities", "load", path)
    engine = create_engine(run.address)
    with engine.begin() as connection:
        connection.execute(text("delete from responsibility where category_code = '13-002'"))
    engine.dispose()
    found = run("responsibilities", "check", "--json")

    assert (clean.exit_code, clean.stdout) == (0, "every category has one lead everywhere\n")
    assert (loaded.exit_code, loaded.stdout) == (0, "1 rules stored\n")
    assert (again.exit_code, "row 2, column effective_from" in again.stderr) == (1, True)
    assert found.exit_code == 1
    assert [(one["fault"], one["category"]) for one in json.loads(found.stdout)] == [("nobody", "13-002")]
    assert "会商纪要" in run("responsibilities", "list", "--area", area[:9]).stdout
