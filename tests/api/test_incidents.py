"""Incidents over HTTP: reported at their cell, found by filters, page by page, with every act of the table."""

from __future__ import annotations

from typing import Any

import pytest

from gis.crs import from_storage


def test_a_report_answers_with_its_place_its_clocks_and_where_to_find_it(city: Any) -> None:
    answer = city.as_("hotline").post("/api/incidents", json=city.said())

    assert answer.status_code == 201
    body = answer.json()
    assert answer.headers["location"] == f"/api/incidents/{body['number']}"
    assert body == {
        "number": "2026060399010100001",
        "status": "reported",
        "category": "10-001",
        "grade": None,
        "placement": {
            "code": "990101001001001",
            "levels": {
                "district": "990101",
                "town": "990101001",
                "community": "990101001001",
                "building_group": "990101001001001",
            },
            "how": "inside",
            "border_distance_m": pytest.approx(450, abs=5),
            "edition": 1,
            "confirm": False,
            "candidates": [
                {
                    "code": "990101001001001",
                    "name": "第1网格",
                    "share": 1.0,
                    "distance_m": 0.0,
                }
            ],
        },
        "received_at": "2026-06-03T09:00:00+08:00",
        "due": {"accept": "2026-06-03T14:30:00+08:00"},
        "whistles": [],
    }


def test_a_grid_workers_own_find_is_accepted_and_whistled_at_once(city: Any) -> None:
    body = city.act("worker", "incidents", city.said(channel="grid_worker", category="02-007"), 201)

    assert (body["status"], body["grade"]) == ("handling", "green")
    assert [one["level"] for one in body["whistles"]] == [1]
    assert set(body["due"]) == {"handle", "community"}


def test_a_point_in_another_frame_is_placed_where_it_really_lies(city: Any) -> None:
    lon, lat = from_storage(117.005, 36.01, "GCJ-02")
    number = city.act("hotline", "incidents", city.said(lon=lon, lat=lat, frame="GCJ-02"), 201)["number"]

    case = city.see("hotline", f"incidents/{number}")
    assert (case["lon"], case["lat"]) == (pytest.approx(117.005, abs=1e-6), pytest.approx(36.01, abs=1e-6))
    assert case["native"] == {"lon": lon, "lat": lat, "frame": "GCJ02", "accuracy_m": None}


def test_a_point_near_a_border_says_so_and_one_outside_waits_for_a_person(city: Any) -> None:
    near = city.act("hotline", "incidents", city.said(lon=117.00999), 201)
    outside = city.act("hotline", "incidents", city.said(lon=117.2), 201)

    assert near["placement"]["how"] == "border"
    assert near["placement"]["border_distance_m"] < 30
    assert (outside["placement"]["how"], outside["placement"]["code"]) == ("outside", None)
    number = outside["number"]
    refused = city.act("platform", f"incidents/{number}/place", {"code": "990101"}, 404)
    assert refused["code"] == "grid_not_found"
    placed = city.act("platform", f"incidents/{number}/place", {"code": "990101002001002"})
    assert placed["placement"]["how"] == "manual"
    assert city.see("sibling", f"incidents/{number}")["number"] == number


METRE = 1 / 90_160  # degrees of longitude at the latitude of the town
FIRST, SECOND = "990101001001001", "990101001001002"


def test_near_a_border_a_client_asks_first_and_sends_the_answer(city: Any) -> None:
    lon = 117.01 - 12 * METRE
    asked = city.see("hotline", "locate", lon=lon, lat=36.01, frame="CGCS2000")
    unasked = city.act("hotline", "incidents", city.said(lon=lon), 201)["placement"]
    number = city.act("hotline", "incidents", city.said(lon=lon) | {"cell": SECOND}, 201)["number"]
    case = city.see("centre", f"incidents/{number}")

    assert asked["confirm"] is True
    assert [(one["code"], one["name"], one["distance_m"]) for one in asked["candidates"]] == [
        (FIRST, "第1网格", 0.0),
        (SECOND, "第2网格", 12.0),
    ]
    assert (unasked["code"], unasked["how"], unasked["confirm"]) == (FIRST, "border", True)
    assert unasked["candidates"] == asked["candidates"]
    assert (case["placement"]["code"], case["placement"]["how"]) == (SECOND, "confirmed")
    assert case["placement"]["edition"] == 1


def test_the_answer_to_a_confirmed_report_asks_nothing_more(city: Any) -> None:
    placed = city.act("hotline", "incidents", city.said(lon=117.00999) | {"cell": SECOND}, 201)["placement"]

    assert (placed["code"], placed["how"], placed["confirm"]) == (SECOND, "confirmed", False)
    assert len(placed["candidates"]) == 2


@pytest.mark.parametrize("lon", [117.00999, 117.005, 117.2])
def test_a_cell_that_it_cannot_be_is_refused_and_those_that_it_can_are_named(city: Any, lon: float) -> None:
    refused = city.act("hotline", "incidents", city.said(lon=lon) | {"cell": "990101002001002"}, 422)

    candidates = city.see("hotline", "locate", lon=lon, lat=36.01, frame="CGCS2000")["candidates"]
    assert (refused["code"], refused["field"]) == ("cell_not_candidate", "cell")
    assert refused["wanted"] == [one["code"] for one in candidates]
    assert city.count("incident") == {"incident": 0}


def test_a_case_explains_its_choices_to_a_machine(city: Any) -> None:
    number = city.report(category="10-001")
    city.clock.advance(minutes=5)
    case = city.act("centre", f"incidents/{number}/accept", {"grade": "orange", "reason": "周边有学校"})

    told = {one["what"]: one for one in case["explanation"]}
    assert list(told) == ["cell", "category", "grade", "due", "people", "departments", "whistle"]
    assert told["cell"]["at"] == "2026-06-03T09:00:00+08:00"
    assert told["cell"]["facts"]["edition"] == 1
    assert (told["grade"]["chose"], told["grade"]["because"]) == ("orange", "by_hand")
    assert (told["grade"]["facts"]["by"], told["grade"]["facts"]["reason"]) == ("centre同志", "周边有学校")
    assert told["departments"]["chose"][0] == "SCJG"
    assert told["whistle"]["chose"] == 3


def test_a_list_is_walked_page_by_page_without_gap_or_repeat(city: Any) -> None:
    numbers = []
    for minute in range(7):
        numbers.append(city.report())
        if minute % 2:
            city.clock.advance(minutes=1)  # some come in at one moment

    seen, cursor = [], None
    while True:
        page = city.see("platform", "incidents", limit=3, **({"cursor": cursor} if cursor else {}))
        seen += [one["number"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == list(reversed(numbers))


def test_a_list_is_narrowed_by_place_time_state_and_words(city: Any) -> None:
    first = city.report(text="下水道堵塞 100%_真的", category="01-004")
    city.clock.advance(days=1)
    second = city.report(cell="990101001002001", address="胜利路 7 号")
    third = city.report(cell="990101002001001", category=None)
    city.act("centre", f"incidents/{second}/accept", {"level": 1})

    def found(**filters: Any) -> list[str]:
        return [one["number"] for one in city.see("platform", "incidents", **filters)["items"]]

    assert found() == [third, second, first]
    assert found(area="990101001") == [second, first]
    assert found(area="990101001002") == [second]
    assert found(status="handling") == [second]
    assert found(status=["handling", "reported"]) == [third, second, first]
    assert found(category="01-004") == [first]
    assert found(grade="yellow") == [second]
    assert found(**{"from": "2026-06-04"}) == [third, second]
    assert found(to="2026-06-03") == [first]
    assert found(**{"from": "2026-06-03T09:00:00+08:00", "to": "2026-06-03T09:00:01+08:00"}) == [first]
    assert found(bbox="117.04,36,117.05,36.02") == [third]
    assert found(q="下水道") == [first]
    assert found(q="100%_真") == [first]
    assert found(q="100__真") == []
    assert found(q="胜利路") == [second]
    assert found(q=third) == [third]
    assert found(open="true", overdue="true") == []


def test_the_community_solves_it_and_the_reporter_says_so(city: Any) -> None:
    number = city.report(category="02-007")
    city.act("centre", f"incidents/{number}/accept", {})
    whistle = city.whistle(number, 1)
    city.act("leader", f"whistles/{whistle}/answer")
    city.act("leader", f"incidents/{number}/resolve", {"result": "已清运"})
    city.act("worker", f"incidents/{number}/verify", {"passed": False, "comment": "还剩一件"})
    assert city.status(number) == "handling"
    city.act("leader", f"whistles/{whistle}/solve", {"result": "全部清运"})
    city.act("worker", f"incidents/{number}/verify", {"passed": True})
    closed = city.act(
        "callback",
        f"incidents/{number}/callback",
        {"reached": True, "solved": "yes", "satisfaction": 4},
    )

    assert closed["status"] == "closed"
    assert closed["rework_count"] == 1
    assert [one["action"] for one in closed["actions"]] == ["reopen"]
    again = city.act("callback", f"incidents/{number}/reopen", {"reason": "又堆满了"})
    assert (again["status"], again["round"]) == ("handling", 2)


def test_what_a_person_may_do_is_told_with_the_case(city: Any) -> None:
    number = city.report()

    def offered(login: str) -> set[str]:
        return {one["action"] for one in city.see(login, f"incidents/{number}")["actions"]}

    assert offered("centre") == {"accept", "reject", "merge", "cancel"}
    assert offered("worker") == {"accept"}
    assert offered("hotline") == {"cancel"}
    assert offered("town") == set()
    assert offered("auditor") == set()
