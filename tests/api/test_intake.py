"""Over HTTP and on the pages: a report is looked at, joined, turned down, called off; a case is judged anew."""

from __future__ import annotations

from typing import Any

import pytest

STREET = {"category": "02-001", "text": "绿化带里堆着垃圾"}


def report(city: Any, phone: str = "13800000001", metres: float = 0.0, **said: Any) -> str:
    """File a report so many metres east of the middle of the first cell."""
    told = STREET | {"reporter": {"name": "王某", "phone": phone}, "lon": 117.005 + metres / 90_160} | said
    number: str = city.report(**told)
    return number


def test_what_the_public_reports_is_looked_at_before_the_town_accepts_it(city: Any) -> None:
    number = report(city, channel="citizen")
    case = city.see("worker", f"incidents/{number}")
    assert case["status"] == "to_verify"
    assert {one["kind"] for one in case["clocks"]} == {"accept", "inspect"}
    assert {one["action"] for one in case["actions"]} == {"inspect", "accept"}

    bare = city.act("worker", f"incidents/{number}/inspect", {"found": "not_exist"}, 422)
    seen = city.act("worker", f"incidents/{number}/inspect", {"found": "exist"})

    assert (bare["code"], bare["field"]) == ("text_needed", "note")
    assert (seen["inspection"], seen["inspected_at"]) == ("exist", "2026-06-03T09:00:00+08:00")
    assert {one["action"] for one in seen["actions"]} == {"accept"}
    assert "incident.inspected" in city.told("centre")
    assert city.act("centre", f"incidents/{number}/accept", {})["status"] == "handling"


def test_a_duplicate_is_proposed_and_joined_and_the_master_lists_it(city: Any) -> None:
    master = report(city)
    city.clock.advance(hours=3)
    number = report(city, "13800000002", 12)

    proposed = city.see("centre", f"incidents/{number}")["proposals"]
    assert proposed == [{"number": master, "distance_m": 12, "apart_hours": 3.0}]
    joined = city.act("centre", f"incidents/{number}/merge", {"master": master})

    assert (joined["status"], joined["master"], joined["clocks"]) == ("merged", master, [])
    case = city.see("hotline", f"incidents/{master}")
    assert [(one["number"], one["into"]) for one in case["merged"]] == [(number, master)]
    assert [one["phone"] for one in case["reporters"]] == ["13800000001", "13800000002"]
    assert city.see("centre", f"incidents/{master}")["reporters"] == []
    step = city.see("platform", f"incidents/{master}/trace")[-1]
    assert (step["action"], step["payload"]) == ("joined", {"report": number, "reporters": 2})
    assert "1380000" not in str(city.see("platform", f"incidents/{number}/trace"))
    assert city.first_broken(master) is city.first_broken(number) is None


def test_a_merge_that_is_sent_twice_is_done_once(city: Any) -> None:
    master, number = report(city), report(city, "13800000002")
    city.act("centre", f"incidents/{number}/merge", {"master": master})
    before = city.count("trace", "message", "deadline")

    again = city.act("centre", f"incidents/{number}/merge", {"master": master}, 409)

    assert again["code"] == "illegal_transition"
    assert city.count("trace", "message", "deadline") == before


@pytest.mark.parametrize(
    ("by", "act", "body", "status", "code"),
    [
        ("office", "merge", {"master": "2026060399010199999"}, 403, "not_your_role"),
        ("centre", "merge", {"master": "2026060399010199999"}, 422, "no_such_master"),
        ("centre", "merge", {"master": "12"}, 422, "bad_request_body"),
        ("centre", "reject", {"reason": "no_content", "reply": ""}, 422, "text_needed"),
        ("worker", "reject", {"reason": "no_content", "reply": "x"}, 403, "not_your_role"),
        ("centre", "reject", {"reason": "because", "reply": "x"}, 422, None),
        ("centre", "regrade", {"grade": "red", "reason": "x"}, 409, "illegal_transition"),
        ("auditor", "cancel", {"reason": "x"}, 403, "not_your_role"),
        ("hotline", "cancel", {"reason": ""}, 422, "text_needed"),
    ],
)
def test_what_cannot_be_done_says_why_and_writes_nothing(
    city: Any, by: str, act: str, body: dict[str, Any], status: int, code: str | None
) -> None:
    number = report(city)
    before = city.count("trace", "message", "deadline")

    refused = city.act(by, f"incidents/{number}/{act}", body, status)

    assert code in (None, refused["code"], "bad_request_body")
    assert city.count("trace", "message", "deadline") == before


def test_a_rejection_is_told_to_the_hotline_and_stands_in_the_case(city: Any) -> None:
    number = report(city)

    told = {"reason": "emergency_line", "reply": "紧急情况请拨打 119"}
    case = city.act("centre", f"incidents/{number}/reject", told)

    assert (case["status"], case["rejected_for"], case["reply"]) == ("rejected", *told.values())
    assert city.told("hotline")[-1] == "incident.reply"


def test_a_case_is_judged_worse_by_the_centre_and_better_by_the_platform_alone(city: Any) -> None:
    number = report(city, category="01-011")  # three working days
    city.act("centre", f"incidents/{number}/accept", {"level": 1})
    first = city.see("centre", f"incidents/{number}")["due_at"]

    worse = city.act("centre", f"incidents/{number}/regrade", {"grade": "red", "reason": "电线裸露"})
    falls = city.act("centre", f"incidents/{number}/regrade", {"grade": "blue", "reason": "已断电"}, 403)
    better = city.act("platform", f"incidents/{number}/regrade", {"grade": "blue", "reason": "已断电"})

    assert first > worse["due_at"] == "2026-06-04T09:00:00+08:00"
    assert falls["code"] == "grade_falls"
    assert (better["grade"], better["due_at"]) == ("blue", worse["due_at"])
    told = [one for one in better["explanation"] if one["what"] == "grade"]
    assert [one["because"] for one in told] == ["category", "regraded", "regraded"]


def test_what_is_stated_when_it_is_accepted_makes_it_worse(city: Any) -> None:
    number = report(city)
    wrong = city.act("centre", f"incidents/{number}/accept", {"circumstances": ["keeps_returning"]}, 422)

    case = city.act("centre", f"incidents/{number}/accept", {"circumstances": ["trapped"]})

    assert (wrong["code"], wrong["field"]) == ("not_to_be_stated", "circumstances")
    assert case["grade"] == "red"
    assert [one["level"] for one in case["whistles"]] == [3]


# -- pages


def test_the_page_proposes_cases_and_joins_to_the_one_that_is_chosen(city: Any) -> None:
    master, number = report(city), report(city, "13800000002", 9)
    browser = city.as_("centre")
    page = browser.get(f"/incidents/{number}").text
    assert f'name="proposed" value="{master}"' in page
    assert "9 米" in page

    answer = browser.post(f"/incidents/{number}/merge", data={"proposed": master, "master": ""})

    assert answer.status_code == 200
    assert f'href="/incidents/{master}"' in answer.text
    assert number in browser.get(f"/incidents/{master}").text
    assert "有上报并入" in browser.get(f"/incidents/{master}").text


def test_forms_of_the_worker_and_the_town_do_what_they_say(city: Any) -> None:
    number = report(city, channel="citizen")
    worker, centre, platform = (city.as_(login) for login in ("worker", "centre", "platform"))

    refused = worker.post(f"/incidents/{number}/inspect", data={"found": "unable", "note": ""}).text
    assert "field-wrong" in refused
    worker.post(f"/incidents/{number}/inspect", data={"found": "exist", "note": "两袋"})
    centre.post(
        f"/incidents/{number}/accept", data={"category": "02-001", "stated_near_school_or_hospital": "1"}
    )
    case = city.see("centre", f"incidents/{number}")
    assert (case["status"], case["grade"], case["inspection"]) == ("handling", "blue", "exist")
    platform.post(f"/incidents/{number}/regrade", data={"grade": "yellow", "reason": "气味扰民"})
    assert city.see("centre", f"incidents/{number}")["grade"] == "yellow"
    page = centre.get(f"/incidents/{number}").text
    assert "提级" in page

    other = report(city)
    centre.post(f"/incidents/{other}/reject", data={"reason": "no_content", "reply": "请补充地点"})
    assert city.see("centre", f"incidents/{other}")["reply"] == "请补充地点"
    assert "请补充地点" in centre.get(f"/incidents/{other}").text
    third = report(city)
    city.as_("hotline").post(f"/incidents/{third}/cancel", data={"reason": "反映人撤回"})
    assert city.status(third) == "cancelled"


def test_a_check_by_residents_word_is_written_down(city: Any) -> None:
    number = report(city)
    city.act("centre", f"incidents/{number}/accept", {})
    city.act("leader", f"incidents/{number}/resolve", {"result": "已清运"})
    city.as_("worker").post(f"/incidents/{number}/verify", data={"how": "survey", "comment": ""})
    assert city.status(number) == "resolved"

    city.as_("worker").post(
        f"/incidents/{number}/verify", data={"how": "survey", "comment": "走访六户,均满意"}
    )

    assert city.see("centre", f"incidents/{number}")["verified_how"] == "survey"
