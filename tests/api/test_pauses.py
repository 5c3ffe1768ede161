"""Suspension, extension and the ledger over HTTP: the JSON routes, and the pages that show and do the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

WEATHER = {"reason": "weather", "note": "连日大雨", "until": "2026-06-13T09:00:00+08:00"}
LEDGER = {
    "plan": "随片区改造解决",
    "lead": "CG",
    "review_on": "2026-07-01",
    "public_reply": "已纳入改造计划",
}


def handled(city: Any, level: int = 1) -> str:
    number: str = city.report(category="07-001")
    city.act("centre", f"incidents/{number}/accept", {"level": level, "reason": "直接到街道"})
    return number


def called(city: Any) -> tuple[str, Any]:
    """A case with two departments at work: its number, and the lead's task."""
    number = handled(city, 2)
    second = city.whistle(number, 2)
    city.act("centre", f"whistles/{second}/file", {"liaison_name": "李芳", "liaison_phone": "13900000000"})
    body = {
        "level": 3,
        "reason": "街道无执法权",
        "departments": [{"code": "SCJG", "role": "lead"}, {"code": "CG", "role": "cooperating"}],
        "appointed_at": "2026-06-03T19:00:00+08:00",
        "appointed_place": "居委会",
    }
    whistle = city.act("office", f"incidents/{number}/whistles", body, 201)["number"]
    tasks = city.act("town", f"whistles/{whistle}/confirm")["tasks"]
    return number, next(task for task in tasks if task["department"]["code"] == "SCJG")


def sent(city: Any, who: str, path: str, **fields: str) -> Any:
    return city.as_(who).post(path, data=fields, headers={"accept": "text/html"}, follow_redirects=False)


def page(city: Any, who: str, path: str, **query: str) -> str:
    answer = city.as_(who).get(path, params={"lang": "en", **query}, headers={"accept": "text/html"})
    assert answer.status_code == 200, answer.text[:500]
    return str(answer.text)


def test_a_case_is_asked_for_suspended_and_goes_on(city: Any) -> None:
    number = handled(city)
    before = city.see("platform", f"incidents/{number}")["due_effective"]

    asked = city.act("leader", f"incidents/{number}/ask-suspension", WEATHER)
    assert [one["decision"] for one in asked["suspensions"]] == ["asked"]
    assert asked["status"] == "handling"
    waits = city.act("centre", f"incidents/{number}/suspend", {})
    assert (waits["status"], waits["suspensions"][0]["until"]) == ("suspended", WEATHER["until"])
    assert {clock["kind"] for clock in waits["clocks"]} == {"suspension"}
    city.clock.advance(days=2)
    goes_on = city.act("centre", f"incidents/{number}/resume")

    assert goes_on["status"] == "handling"
    assert goes_on["due_at"] == before
    assert datetime.fromisoformat(goes_on["due_effective"]) > datetime.fromisoformat(before)
    assert goes_on["suspensions"][0]["ended_at"] is not None
    assert city.first_broken(number) is None


def test_the_worker_lets_it_go_on_when_its_day_has_come(city: Any) -> None:
    number = handled(city)
    city.act("centre", f"incidents/{number}/suspend", WEATHER)
    city.clock.advance(days=10, seconds=1)

    city.fire()

    assert city.status(number) == "handling"


@pytest.mark.parametrize(
    ("by", "act", "body", "status", "code", "field"),
    [
        ("leader", "ask-suspension", {**WEATHER, "reason": "disputed"}, 422, None, "reason"),
        (
            "leader",
            "ask-suspension",
            {**WEATHER, "until": "2026-07-09T09:00:00+08:00"},
            422,
            "bad_until",
            "until",
        ),
        ("leader", "ask-suspension", {**WEATHER, "note": " "}, 422, "text_needed", "note"),
        ("office", "ask-suspension", WEATHER, 403, "not_your_level", None),
        ("centre", "ask-suspension", WEATHER, 403, "not_your_role", None),
        ("platform", "suspend", WEATHER, 403, "not_your_level", None),
        ("centre", "suspend", {}, 422, "missing_field", "reason"),
        ("centre", "refuse-suspension", {"note": "不必"}, 409, "nothing_asked", None),
        ("centre", "resume", {}, 409, "illegal_transition", None),
        ("centre", "ledger", LEDGER, 403, "not_your_role", None),
        ("platform", "ledger", {**LEDGER, "review_on": "2026-09-02"}, 422, "bad_review_day", "review_on"),
        ("platform", "ledger", {**LEDGER, "plan": ""}, 422, "text_needed", "plan"),
        ("platform", "take-up", {"note": "可以"}, 409, "illegal_transition", None),
        ("auditor", "suspend", WEATHER, 403, "not_your_role", None),
    ],
)
def test_what_may_not_be_is_refused_by_name(
    city: Any, by: str, act: str, body: Any, status: int, code: str | None, field: str | None
) -> None:
    number = handled(city)
    before = city.count("trace", "deadline", "suspension", "ledger_item", "message")

    answer = city.act(by, f"incidents/{number}/{act}", body, status)

    assert code is None or answer["code"] == code
    assert field is None or answer["field"] == field
    assert city.count("trace", "deadline", "suspension", "ledger_item", "message") == before


def test_more_time_is_asked_for_and_granted(city: Any) -> None:
    number, task = called(city)
    more = {"value": 2, "unit": "work_day", "reason": "等待鉴定", "citizen_told": True}

    asked = city.act("scjg", f"tasks/{task['id']}/extend", more)
    assert [one["decision"] for one in asked["extensions"]] == ["asked"]
    assert "extend" not in {one["action"] for one in asked["actions"]}
    granted = city.act("platform", f"tasks/{task['id']}/decide-extension", {"granted": True, "note": "同意"})

    assert granted["due_at"] == granted["extensions"][0]["due_after"] > task["due_at"]
    case = city.see("platform", f"incidents/{number}")
    assert case["due_effective"] == granted["due_at"] != case["due_at"]
    (row,) = [one for one in city.see("scjg", "tasks")["items"] if one["id"] == task["id"]]
    assert row["extensions"][0]["decision"] == "granted"


@pytest.mark.parametrize(
    ("by", "body", "status", "code"),
    [
        (
            "scjg",
            {"value": 11, "unit": "work_day", "reason": "复杂", "citizen_told": True},
            422,
            "extension_too_long",
        ),
        ("scjg", {"value": 1, "unit": "work_day", "reason": "", "citizen_told": True}, 422, "text_needed"),
        (
            "cg",
            {"value": 1, "unit": "work_day", "reason": "复杂", "citizen_told": True},
            404,
            "task_not_found",
        ),
        ("office", {"value": 1, "unit": "work_day", "reason": "复杂", "citizen_told": True}, 403, None),
        ("scjg", {"value": 1, "unit": "work_day", "reason": "复杂"}, 422, None),
    ],
)
def test_more_time_is_refused_by_name(city: Any, by: str, body: Any, status: int, code: str | None) -> None:
    _, task = called(city)

    answer = city.act(by, f"tasks/{task['id']}/extend", body, status)

    assert code is None or answer["code"] == code
    assert city.count("extension") == {"extension": 0}


def test_a_hard_case_stands_on_the_ledger_and_is_listed_there(city: Any) -> None:
    number = handled(city)

    held = city.act("platform", f"incidents/{number}/ledger", LEDGER)
    assert held["status"] == "ledger"
    (row,) = city.see("centre", "ledger")["items"]
    assert (row["number"], row["plan"], row["review_on"]) == (number, LEDGER["plan"], "2026-07-01")
    assert city.see("sibling", "ledger")["items"] == []
    assert city.see("platform", "ledger", area="990101002")["items"] == []
    city.act("platform", f"incidents/{number}/review-ledger", {"note": "已开工", "review_on": "2026-08-01"})
    assert city.see("centre", "ledger")["items"][0]["reviews"][0]["next"] == "2026-08-01"
    again = city.act("platform", f"incidents/{number}/take-up", {"note": "场地腾空"})
    assert again["status"] == "handling"
    assert city.see("centre", "ledger")["items"] == []
    assert city.see("centre", "ledger", ended="true")["items"][0]["ended_how"] == "taken_up"
    city.act("platform", f"incidents/{number}/ledger", LEDGER)
    closed = city.act("platform", f"incidents/{number}/close-ledger", {"public_reply": "依法终结"})
    assert closed["status"] == "closed"
    assert city.first_broken(number) is None


# -- pages


def test_the_page_of_a_case_that_waits_says_so_with_its_day(city: Any) -> None:
    number = handled(city)
    fields = {"reason": "weather", "note": "连日大雨", "until": "2026-06-13T09:00"}
    assert sent(city, "leader", f"/incidents/{number}/ask_suspension", **fields).status_code == 303

    shown = page(city, "centre", f"/incidents/{number}")
    assert "Somebody asks to suspend it until 2026-06-13 09:00" in shown
    assert 'value="2026-06-13T09:00"' in shown
    assert sent(city, "centre", f"/incidents/{number}/suspend", **fields).status_code == 303

    shown = page(city, "leader", f"/incidents/{number}")
    assert "Suspended until 2026-06-13 09:00" in shown
    assert "连日大雨" in shown
    city.clock.advance(days=1)
    assert sent(city, "centre", f"/incidents/{number}/resume", note="雨停").status_code == 303
    shown = page(city, "leader", f"/incidents/{number}")
    assert "Suspended until" not in shown
    assert "First promised" in shown
    assert "it was suspended, and went on" in shown


def test_the_page_of_a_whistle_shows_what_more_time_was_asked_for(city: Any) -> None:
    number, task = called(city)
    whistle = task["whistle"]
    form = {"whistle": whistle, "at": "whistle"}
    asked = sent(
        city, "scjg", f"/tasks/{task['id']}/extend", amount="2", unit="work_day", reason="等待鉴定", **form
    )
    assert asked.status_code == 303

    shown = page(city, "platform", f"/whistles/{whistle}")
    assert "等待鉴定" in shown
    assert "those who reported it do not know yet" in shown
    assert sent(city, "platform", f"/tasks/{task['id']}/grant_extension", **form).status_code == 303
    assert "now due" in page(city, "scjg", f"/whistles/{whistle}")
    assert "granted 2 working days more for task" in page(city, "platform", f"/incidents/{number}")


def test_the_inbox_of_who_decides_shows_what_was_asked_for(city: Any) -> None:
    _, task = called(city)
    more = {"value": 2, "unit": "work_day", "reason": "等待鉴定", "citizen_told": True}
    city.act("scjg", f"tasks/{task['id']}/extend", more)

    assert "等待鉴定" in page(city, "platform", "/inbox")


def test_the_ledger_page_lists_plan_lead_and_day(city: Any) -> None:
    number = handled(city)
    assert "Nothing is on the ledger here." in page(city, "platform", "/ledger")
    assert sent(city, "platform", f"/incidents/{number}/ledger", **LEDGER).status_code == 303

    shown = page(city, "centre", "/ledger")
    for words in (number, LEDGER["plan"], LEDGER["public_reply"], "2026-07-01"):
        assert words in shown
    assert "On the ledger, looked at again on 2026-07-01" in page(city, "centre", f"/incidents/{number}")
    city.clock.advance(days=60)
    assert "overdue" in page(city, "centre", "/ledger")
    sent(city, "platform", f"/incidents/{number}/close_ledger", public_reply="依法终结")
    assert number in page(city, "centre", "/ledger", ended="true")


def test_a_form_that_cannot_be_carried_out_comes_back_with_its_input(city: Any) -> None:
    number = handled(city)

    answer = sent(
        city, "centre", f"/incidents/{number}/suspend", reason="weather", note="雨", until="2027-01-01T09:00"
    )

    assert answer.status_code == 422
    assert 'value="2027-01-01T09:00"' in answer.text
    assert "30" in answer.text


def test_a_case_that_waits_is_due_when_it_goes_on(city: Any) -> None:
    number = handled(city)
    city.act("centre", f"incidents/{number}/suspend", WEATHER)
    due = datetime.fromisoformat(city.see("centre", f"incidents/{number}")["due_effective"])
    city.clock.set(due + timedelta(days=1))

    city.fire()

    assert city.see("centre", f"incidents/{number}")["first_overdue_at"] is None
