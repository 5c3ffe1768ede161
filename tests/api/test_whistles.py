"""Whistles and tasks over HTTP: what the ladder refuses, what the lists show."""

from __future__ import annotations

from typing import Any

import pytest

EVENING = "2026-06-03T19:00:00+08:00"
JOINT = {
    "level": 3,
    "type": "joint_enforcement",
    "reason": "街道无执法权",
    "departments": [{"code": "SCJG", "role": "lead"}, {"code": "CG", "role": "cooperating"}],
    "appointed_at": EVENING,
    "appointed_place": "居委会",
}


def at_the_town(city: Any) -> str:
    """Bring an incident to level 2, filed and assigned; return its number."""
    number: str = city.report()
    city.act("centre", f"incidents/{number}/accept", {"level": 2})
    whistle = city.whistle(number, 2)
    city.act("centre", f"whistles/{whistle}/file", {"liaison_name": "孙干事", "liaison_phone": "13855550000"})
    city.act("centre", f"whistles/{whistle}/assign", {"office": "执法办", "instruction": "处置"})
    return number


def test_a_whistle_for_departments_is_blown_confirmed_and_issued(city: Any) -> None:
    number = at_the_town(city)

    answer = city.as_("office").post(f"/api/incidents/{number}/whistles", json=JOINT)

    whistle = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/whistles/{whistle['number']}"
    assert (whistle["status"], whistle["appointed_at"]) == ("pending_confirm", EVENING)
    assert [clock["kind"] for clock in whistle["clocks"]] == ["confirm"]
    confirmed = city.act("town", f"whistles/{whistle['number']}/confirm")
    assert confirmed["status"] == "issued"
    assert [(task["department"]["code"], task["role"]) for task in confirmed["tasks"]] == [
        ("SCJG", "lead"),
        ("CG", "cooperating"),
    ]
    assert city.act("platform", f"whistles/{whistle['number']}/issue")["tasks"] == confirmed_for_platform(
        city, whistle["number"]
    )


def confirmed_for_platform(city: Any, whistle: str) -> Any:
    return city.see("platform", f"whistles/{whistle}")["tasks"]


@pytest.mark.parametrize(
    ("change", "code", "place"),
    [
        ({"departments": []}, "one_lead", "departments"),
        ({"departments": [{"code": "SCJG", "role": "cooperating"}]}, "one_lead", "departments"),
        (
            {"departments": [{"code": "SCJG", "role": "lead"}, {"code": "CG", "role": "lead"}]},
            "one_lead",
            "departments",
        ),
        ({"departments": [{"code": "XXX", "role": "lead"}]}, "unknown_department", "departments"),
        ({"departments": [{"code": "TOWN", "role": "lead"}]}, "not_whistled", "departments"),
        ({"departments": [{"code": "SCJG", "role": "boss"}]}, "invalid_field", "departments.0.role"),
        ({"appointed_at": "2026-06-03T08:00:00+08:00"}, "appointment_needed", "appointed_at"),
        ({"appointed_at": None}, "appointment_needed", "appointed_at"),
        ({"appointed_place": " "}, "text_needed", "appointed_place"),
        ({"reason": ""}, "text_needed", "reason"),
        ({"limit": {"value": 0, "unit": "work_hour"}}, "invalid_field", "limit.value"),
        ({"limit": {"value": 1, "unit": "fortnight"}}, "invalid_field", "limit.unit"),
        ({"limit": {"value": 0.5, "unit": "work_day"}}, "bad_limit", "value"),
        ({"level": 4}, "invalid_field", "level"),
        ({"level": "3rd"}, "invalid_field", "level"),
    ],
    ids=str,
)
def test_a_whistle_that_cannot_be_blown_says_why_and_leaves_nothing(
    city: Any, change: dict[str, Any], code: str, place: str
) -> None:
    number = at_the_town(city)
    before = city.count("whistle", "trace", "deadline", "message")

    answer = city.act("office", f"incidents/{number}/whistles", {**JOINT, **change}, 422)

    assert (answer["code"], answer["field"]) == (code, place)
    assert city.count("whistle", "trace", "deadline", "message") == before


def test_lists_of_whistles_are_filtered_and_paged(city: Any) -> None:
    numbers = [at_the_town(city) for _ in range(3)]
    city.act("office", f"incidents/{numbers[0]}/whistles", JOINT, 201)

    def found(**filters: Any) -> list[tuple[str, int]]:
        rows, cursor = [], None
        while True:
            page = city.see(
                "platform", "whistles", limit=2, **filters, **({"cursor": cursor} if cursor else {})
            )
            rows += [(one["incident"], one["level"]) for one in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return rows

    assert found() == [(numbers[0], 3), (numbers[2], 2), (numbers[1], 2), (numbers[0], 2)]
    assert found(level=3) == [(numbers[0], 3)]
    assert found(status="tasked") == [(numbers[2], 2), (numbers[1], 2)]
    assert found(area="990101002") == []
    assert city.see("sibling", "whistles")["items"] == []


def issued(city: Any, **changes: Any) -> Any:
    """Call two departments; return the whistle."""
    number = at_the_town(city)
    whistle = city.act("office", f"incidents/{number}/whistles", {**JOINT, **changes}, 201)["number"]
    return city.act("town", f"whistles/{whistle}/confirm")


def test_a_department_finds_its_own_tasks_the_most_urgent_on_top(city: Any) -> None:
    slow = issued(city)["tasks"][0]["id"]
    urgent = issued(city, limit={"value": 12, "unit": "urgent_hour"})["tasks"][0]["id"]

    inbox = city.see("scjg", "tasks")

    assert [task["id"] for task in inbox["items"]] == [urgent, slow]
    assert inbox["next_cursor"] is None
    assert inbox["items"][0]["actions"][0]["action"] == "respond"
    first = city.see("scjg", "tasks", limit=1)
    second = city.see("scjg", "tasks", limit=1, cursor=first["next_cursor"])
    assert [task["id"] for task in first["items"] + second["items"]] == [urgent, slow]
    assert second["next_cursor"] is None
    assert city.see("scjg", "tasks", status="completed")["items"] == []
    assert city.see("scjg", "tasks", department="CG")["items"] == []
    assert {task["department"]["code"] for task in city.see("office", "tasks")["items"]} == {"SCJG", "CG"}


def test_answers_of_departments_are_checked(city: Any) -> None:
    task = issued(city)["tasks"][0]["id"]
    good = {"staff_name": "张科", "staff_phone": "13866660000"}

    def refused(act: str, body: dict[str, Any], by: str = "scjg") -> tuple[str, str]:
        answer = city.act(by, f"tasks/{task}/{act}", body, 422)
        assert "1386666" not in str(answer)
        return answer["code"], answer["field"]

    assert refused("respond", {**good, "staff_phone": "110"}) == ("bad_phone", "staff_phone")
    assert refused("respond", {**good, "staff_name": ""}) == ("text_needed", "staff_name")
    late = {**good, "arrives_at": "2026-06-03T20:00:00+08:00"}
    assert refused("respond", late) == ("late_arrival", "arrives_at")
    city.act("scjg", f"tasks/{task}/respond", good)
    assert refused("check-in", {"method": "gps"}) == ("point_needed", "lon")
    far = {"method": "gps", "lon": 117.05, "lat": 36.01, "frame": "WGS84"}
    assert refused("check-in", far) == ("reason_needed", "reason")
    assert refused("check-in", {**far, "frame": "XX"}) == ("unknown_frame", "frame")
    assert (
        city.act("scjg", f"tasks/{task}/check-in", {**far, "reason": "对面停车"})["check_in_distance_m"] > 200
    )


def test_a_whistle_is_withdrawn_and_blown_again(city: Any) -> None:
    whistle = issued(city)

    gone = city.act("office", f"whistles/{whistle['number']}/withdraw", {"reason": "商户已搬离"})

    assert (gone["status"], {task["status"] for task in gone["tasks"]}) == ("withdrawn", {"withdrawn"})
    again = city.act("office", f"incidents/{gone['incident']}/whistles", JOINT, 201)
    assert again["status"] == "pending_confirm"


def test_the_two_tracks_of_level_two_are_two_requests(city: Any) -> None:
    number = city.report()
    city.act("centre", f"incidents/{number}/accept", {"level": 2})
    whistle = city.whistle(number, 2)

    named = city.act(
        "office", f"whistles/{whistle}/liaison", {"liaison_name": "孙干事", "liaison_phone": "13855550000"}
    )
    filed = city.act("centre", f"whistles/{whistle}/file")

    assert (named["status"], named["liaison_name"], filed["status"]) == ("blown", "孙干事", "filed")
    assert [clock["kind"] for clock in filed["clocks"]] == ["assign"]
    back = city.act("centre", f"whistles/{whistle}/hand-back", {"reason": "社区可以调解"})
    assert (back["level"], back["status"]) == (1, "blown")


def test_a_proposal_says_all_that_a_whistle_needs_and_goes_out_as_it_is(city: Any) -> None:
    number = at_the_town(city)

    made = city.see("office", f"incidents/{number}/whistle-proposal")

    assert [body["code"] for body in made["departments"]] == ["SCJG", "CG", "STHJ", "GA"]
    assert made["why"][0]["what"] == "departments"
    asked = ("type", "reason", "departments", "appointed_at", "appointed_place")
    blown = city.act(
        "office",
        f"incidents/{number}/whistles",
        {"level": 3, **{name: made[name] for name in asked}},
        201,
    )
    assert (blown["status"], blown["chosen_reason"]) == ("pending_confirm", None)
    assert blown["contact_phone"].startswith("1390000")
    assert city.as_("platform").get(f"/api/incidents/{number}/whistle-proposal").status_code == 409


def test_an_emergency_by_telephone_and_what_the_leader_writes(city: Any) -> None:
    number = city.report(category="08-001")
    city.act("centre", f"incidents/{number}/accept", {})
    whistle = city.whistle(number, 3)
    city.act(
        "office",
        f"whistles/{whistle}/submit",
        {"type": "emergency", "reason": "险情", "appointed_place": "现场"},
    )

    out = city.act("office", f"whistles/{whistle}/confirm-by-phone", {"heard_by": "孙干事"})
    written = city.act("town", f"whistles/{whistle}/write-confirmation")

    assert (out["status"], out["confirmed_by_phone"], out["written_at"]) == ("issued", "孙干事", None)
    assert written["written_at"] is not None


def test_returns_are_asked_for_and_decided(city: Any) -> None:
    whistle = issued(city)
    tasks = {task["department"]["code"]: task["id"] for task in whistle["tasks"]}
    body = {"reason": "not_our_duty", "legal_basis": "三定规定第五条", "department": "JJ"}

    asked = city.act("cg", f"tasks/{tasks['CG']}/request-return", body)
    gone = city.act(
        "platform",
        f"tasks/{tasks['CG']}/decide-return",
        {"granted": True, "note": "属交警职责", "department": "JJ"},
    )

    assert (asked["status"], gone["status"]) == ("return_requested", "returned")
    (row,) = city.see("office", f"whistles/{whistle['number']}/returns")
    assert (row["decision"], row["handed_to"], row["by_itself"]) == ("granted", "JJ", False)
    assert [task["department"]["code"] for task in city.see("jj", "tasks")["items"]] == ["JJ"]
    changed = city.act(
        "platform",
        f"whistles/{whistle['number']}/change-departments",
        {"departments": [{"code": "JJ", "role": "lead"}], "reason": "由交警负责"},
    )
    assert [d["code"] for d in changed["departments"]] == ["JJ"]
