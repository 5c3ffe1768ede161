"""The grid over HTTP: where a point lies and who answers there, areas as GeoJSON, people of an area."""

from __future__ import annotations

from typing import Any

import pytest
from shapely.geometry import shape


def test_a_point_is_placed_with_its_chances_and_those_who_answer(still_city: Any) -> None:
    found = still_city.see(
        "worker", "locate", lon=117.0099, lat=36.01, frame="CGCS2000", accuracy_m=50, category="10-001"
    )

    assert (found["code"], found["how"], found["edition"]) == ("990101001001001", "border", 1)
    assert found["border_distance_m"] == pytest.approx(9.0, abs=0.5)
    assert [one["code"] for one in found["candidates"]] == ["990101001001001", "990101001001002"]
    assert sum(one["share"] for one in found["candidates"]) == pytest.approx(1, abs=0.01)
    assert found["confirm"] is True
    assert [(one["role"], one["name"]) for one in found["responsible"]] == [
        ("grid_worker", "worker同志"),
        ("building_leader", None),
        ("grid_leader", "leader同志"),
        ("town_grid_centre", "centre同志"),
        ("town_office", "office同志"),
        ("town_leader", "town同志"),
    ]
    assert [(one["code"], one["role"]) for one in found["departments"]][:2] == [
        ("SCJG", "lead"),
        ("CG", "cooperating"),
    ]
    assert found["departments"][0]["name"] == "区市场监督管理局"
    assert found["rule"].startswith("responsibility ")
    assert (found["decided_by"]["kind"], found["decided_by"]["since"]) == ("default", "2020-01-01")
    assert found["special_grids"] == []


def test_a_point_outside_every_cell_is_told_how_far_it_is(still_city: Any) -> None:
    found = still_city.see("worker", "locate", lon=117.07, lat=36.01, frame="WGS84", category="10-001")

    assert (found["code"], found["how"], found["levels"], found["departments"]) == (None, "outside", {}, None)
    assert found["border_distance_m"] == pytest.approx(901, abs=3)
    assert found["responsible"] == []


def test_areas_come_as_geojson_by_level_parent_and_box(still_city: Any) -> None:
    answer = still_city.as_("worker").get("/api/grids", params={"level": "town"})
    towns = answer.json()

    assert answer.headers["content-type"] == "application/geo+json"
    assert towns["type"] == "FeatureCollection"
    assert [one["id"] for one in towns["features"]] == ["990101001", "990101002"]
    assert towns["features"][0]["properties"]["name"] == "凤城街道"
    assert towns["features"][0]["properties"]["households"] is None
    outline: Any = shape(towns["features"][0]["geometry"])
    assert outline.bounds == (117.0, 36.0, 117.04, 36.02)
    assert all(part.exterior.is_ccw for part in outline.geoms)  # RFC 7946, 3.1.6

    below = still_city.see("worker", "grids", parent="990101001001", level="building_group")
    assert [one["id"] for one in below["features"]] == ["990101001001001", "990101001001002"]
    box = still_city.see("worker", "grids", level="building_group", bbox="117.041,36.001,117.042,36.002")
    assert [one["id"] for one in box["features"]] == ["990101002001001"]


def test_a_long_list_of_areas_is_cut_and_says_so(still_city: Any) -> None:
    cut = still_city.see("worker", "grids", limit=3)
    whole = still_city.see("worker", "grids")

    assert (cut["numberReturned"], cut["truncated"], len(cut["features"])) == (3, True, 3)
    assert (whole["numberReturned"], whole["truncated"]) == (12, False)


def test_one_area_is_a_feature(still_city: Any) -> None:
    area = still_city.see("worker", "grids/990101001001")

    assert (area["type"], area["id"], area["properties"]["level"]) == ("Feature", "990101001001", "community")
    assert shape(area["geometry"]).bounds == pytest.approx((117.0, 36.0, 117.02, 36.02))
    missing = still_city.as_("worker").get("/api/grids/990101003")
    assert (missing.status_code, missing.json()["code"]) == (404, "grid_not_found")


def test_the_people_of_an_area_are_named_and_their_numbers_masked(still_city: Any) -> None:
    people = still_city.see("leader", "grids/990101001001/people")

    assert [(one["role"], one["area"]) for one in people] == [
        ("grid_leader", "990101001001"),
        ("grid_worker", "990101001001001"),
        ("grid_worker", "990101001001002"),
    ]
    assert all(one["phone"].startswith("139****") for one in people)


def test_departments_and_categories_are_listed(still_city: Any) -> None:
    own = [one["code"] for one in still_city.see("worker", "departments")]
    theirs = [one["code"] for one in still_city.see("scjg", "departments")]
    categories = still_city.see("worker", "categories")

    assert own == theirs == sorted(own)
    assert {"SCJG", "CG", "GA"} <= set(own)
    assert still_city.see("worker", "departments", district="110101") == []
    assert len(categories) == 80
    assert categories[0]["name_en"] == "Road damage"
