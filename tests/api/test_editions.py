"""Editions over HTTP: a file is dropped, its faults are seen, a draft is drawn, somebody else publishes it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from shapely import box, to_geojson

FIRST, SECOND, THIRD = "990101001001001", "990101001001002", "990101001002001"
TOMORROW = "2026-06-04"
ACROSS = [[117.004, 35.999], [117.004, 36.021]]


def grid_file(edges: dict[str, float], overlap: float = 0.0) -> bytes:
    """Return GeoJSON of the city's areas with cells that begin at these edges, the last ending at 117.06."""
    west = sorted(edges.items(), key=lambda item: item[1])
    ends = [edge for _, edge in west[1:]] + [117.06]
    strips = {
        code: box(edge, 36.0, end + overlap, 36.02) for (code, edge), end in zip(west, ends, strict=True)
    }
    spans: dict[str, list[Any]] = {}
    for code, shape in strips.items():
        for length in (6, 9, 12, 15):
            spans.setdefault(code[:length], []).append(shape)
    rows = []
    for code, shapes in spans.items():
        whole = box(min(s.bounds[0] for s in shapes), 36.0, max(s.bounds[2] for s in shapes), 36.02)
        rows.append(
            {
                "type": "Feature",
                "properties": {"code": code, "name": code[-3:], "households": 400},
                "geometry": json.loads(to_geojson(whole)),
            }
        )
    return json.dumps({"type": "FeatureCollection", "features": rows}).encode()


def cells(http: Any, **moved: float) -> dict[str, float]:
    return {**http.CELLS, **{f"990101{code}": edge for code, edge in moved.items()}}


def upload(
    city: Any, login: str, data: bytes, status: int = 201, name: str = "grid.geojson", **form: str
) -> Any:
    told = {"effective": TOMORROW, "frame": "CGCS2000", **form}
    answer = city.as_(login).post("/api/editions", files={"file": (name, data)}, data=told)
    assert answer.status_code == status, answer.text
    return answer.json()


def begin(city: Any, login: str = "platform") -> int:
    base = city.see(login, "editions")[0]["edition"]
    return city.act(login, "editions/drafts", {"based_on": base, "effective": TOMORROW}, 201)["edition"]


def test_a_file_becomes_a_draft_with_its_faults_each_at_its_place(city: Any, http: Any) -> None:
    loaded = upload(city, "platform", grid_file(cells(http), overlap=0.0005))

    assert (loaded["status"], loaded["errors"] > 0) == ("draft", True)
    report = city.see("platform", f"editions/{loaded['edition']}/report")
    overlaps = [fault for fault in report["faults"] if fault["kind"] == "overlap"]
    assert [FIRST, SECOND] in [fault["codes"] for fault in overlaps]
    assert all(117.0 < fault["lon"] < 117.07 for fault in overlaps)
    shapes = city.as_("platform").get(f"/api/editions/{loaded['edition']}/faults").json()
    assert len(shapes["features"]) == len(report["faults"])
    refused = city.act("platform", f"editions/{loaded['edition']}/publish", {}, 422)
    assert refused["code"] == "edition_has_faults"


def test_a_file_that_is_no_grid_is_refused_for_the_true_reason(city: Any) -> None:
    assert upload(city, "platform", b"<html>", 422)["code"] == "file_not_what_its_name_says"
    assert upload(city, "platform", b"%PDF-1.4", 422, name="../../grid.pdf")["code"] == "unknown_file_type"
    assert len(city.see("platform", "editions")) == 1


def test_an_upload_says_what_its_coordinates_are_counted_in_whatever_the_file_claims(
    city: Any, http: Any
) -> None:
    answer = city.as_("platform").post(
        "/api/editions",
        files={"file": ("grid.geojson", grid_file(cells(http)))},
        data={"effective": TOMORROW},
    )

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (
        422,
        "frame_not_declared",
        "frame",
    )
    assert len(city.see("platform", "editions")) == 1


def test_the_same_upload_sent_twice_is_one_draft(city: Any, http: Any) -> None:
    client, body = city.as_("platform"), grid_file(cells(http))
    sent = {
        "files": {"file": ("grid.geojson", body)},
        "data": {"effective": TOMORROW, "frame": "CGCS2000"},
        "headers": {"Idempotency-Key": "a-key"},
    }

    first, second = (client.post("/api/editions", **sent) for _ in range(2))

    assert first.json() == second.json()
    assert len(city.see("platform", "editions")) == 2


def test_what_a_draft_would_change_is_seen_before_it_is_published(city: Any, http: Any) -> None:
    for lon in (117.018, 117.0185, 117.012):
        city.report(lon=lon, lat=36.01)
    loaded = upload(city, "platform", grid_file(cells(http, **{"001002001": 117.017})))

    seen = city.see("platform", f"editions/{loaded['edition']}/impact")

    assert seen["sentence"].startswith("2 open incidents move, 0 of them overdue")
    assert {row["to"] for row in seen["shown"]} == {THIRD}


def test_a_draft_is_drawn_undone_and_published_by_another(city: Any) -> None:
    number = begin(city)
    path = f"editions/{number}"
    drawn = city.act(
        "platform", f"{path}/operations", {"operation": {"kind": "split", "code": FIRST, "line": ACROSS}}
    )
    assert [step["operation"]["kind"] for step in drawn["operations"]] == ["split"]
    assert drawn["errors"] == 0
    areas = city.as_("platform").get(f"/api/grids?edition={number}&parent=990101001001").json()
    assert "990101001001003" in {feature["id"] for feature in areas["features"]}

    assert city.act("platform", f"{path}/undo", None)["operations"] == []
    city.act("platform", f"{path}/operations", {"operation": {"kind": "rename", "code": FIRST, "name": "东"}})
    assert city.act("platform", f"{path}/publish", {}, 403)["code"] == "second_person_needed"

    done = city.act("governance", f"{path}/publish", {"open_cases": "stay"})
    assert (done["status"], done["open_cases"]) == ("published", "stay")
    assert city.act("platform", f"{path}/undo", None, 409)["code"] == "not_a_draft"


def test_an_operation_that_makes_no_sense_names_what_is_wrong(city: Any) -> None:
    path = f"editions/{begin(city)}/operations"

    for operation, code in (
        ({"kind": "explode"}, "unusable_operation"),
        ({"kind": "split", "code": FIRST}, "unusable_operation"),
        ({"kind": "merge", "codes": [FIRST, "990101002001001"]}, "different_parents"),
        ({"kind": "rename", "code": "990101999999999", "name": "x"}, "unknown_area"),
    ):
        assert city.act("platform", path, {"operation": operation}, 422)["code"] == code, operation


@pytest.mark.parametrize("login", ["worker", "leader", "centre", "hotline", "auditor", "scjg"])
def test_only_those_who_keep_the_grid_work_on_editions(city: Any, login: str) -> None:
    base = city.see("platform", "editions")[0]["edition"]
    client = city.as_(login)

    asked = [
        client.get("/api/editions"),
        client.get(f"/api/editions/{base}"),
        client.post("/api/editions/drafts", json={"based_on": base, "effective": TOMORROW}),
        client.post(f"/api/editions/{base}/publish", json={}),
    ]

    assert [answer.status_code for answer in asked] == [403] * 4


def test_figures_are_asked_as_it_was_or_on_todays_grid(city: Any, http: Any) -> None:
    city.report(lon=117.018, lat=36.01)
    loaded = upload(
        city, "platform", grid_file(cells(http, **{"001002001": 117.017})), effective="2026-06-03"
    )
    city.act("governance", f"editions/{loaded['edition']}/publish", {"open_cases": "stay"})

    def counted(**asked: str) -> dict[str, int]:
        figure = city.see("platform", "measures/counts", level="community", **asked)
        return {row["code"][-6:]: row["n"] for row in figure["rows"] if row["n"]}

    assert counted() == counted(edition="as_was") == {"001001": 1}
    assert counted(edition="today") == counted(edition=str(loaded["edition"])) == {"001002": 1}
    assert city.as_("platform").get("/api/measures/counts?edition=99").status_code == 404
