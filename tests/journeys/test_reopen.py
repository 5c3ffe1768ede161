"""A case that was closed and was not solved: the citizen says so, and the second round does not wash the first clean.

The rule after a published one of Qingpu: first contact within a working day, a second handling of three working days
after dissatisfaction; the first due date is still judged.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

NO = {"reached": True, "solved": "no", "satisfaction": 1, "comment": "第二天又堆满了"}
YES = {"reached": True, "solved": "yes", "satisfaction": 5}


def moment(text: str) -> datetime:
    """Return a moment of an answer."""
    return datetime.fromisoformat(text)


def until(city: Any, when: datetime) -> None:
    """Let time pass; the worker fires what comes due on the way."""
    city.clock.set(when)
    city.fire()


def said(phone: str) -> dict[str, Any]:
    """Return a citizen's report of rubbish, under a telephone of their own."""
    return {
        "channel": "citizen",
        "category": "02-001",
        "text": "小区门口垃圾成堆",
        "reporter": {"name": "市民", "phone": phone},
    }


@pytest.mark.timeout(120)
def test_a_case_that_was_not_solved_is_taken_up_again_and_the_first_due_date_is_judged(city: Any) -> None:
    number = city.report(**said("13800000001"))
    city.act("worker", f"incidents/{number}/inspect", {"found": "exist", "note": "三堆"})
    accepted = city.act("centre", f"incidents/{number}/accept", {})
    second_report = city.report(**said("13800000002"))
    city.act("centre", f"incidents/{second_report}/merge", {"master": number})
    first_due = accepted["due_at"]

    # four working hours; the leader clears it an hour too late
    until(city, moment(first_due) + timedelta(hours=1))
    late = city.see("centre", f"incidents/{number}")
    assert late["first_overdue_at"] == first_due
    city.act("leader", f"incidents/{number}/resolve", {"result": "已清运"})
    city.act("worker", f"incidents/{number}/verify", {"passed": True})

    # both are called; the second is not content
    asked = city.see("callback", f"incidents/{number}")
    first, second = asked["to_call"]
    call = f"incidents/{number}/callback"
    assert city.act("callback", call, {**YES, "reporter_id": first})["status"] == "verified"
    again = city.act("callback", call, {**NO, "reporter_id": second})

    assert (again["status"], again["round"]) == ("handling", 2)
    assert (again["due_at"], again["first_overdue_at"]) == (first_due, first_due)
    handle = {one["kind"]: one["due_at"] for one in again["clocks"]}["handle"]
    assert (
        moment(handle).date() == moment("2026-06-08T17:30:00+08:00").date()
    )  # three working days, over a weekend
    assert city.steps(number)[-3:] == ["incident.close", "incident.reopen", "whistle.blow"]

    # the second round is in time, both are asked again, and the mark of the first stays
    until(city, city.clock() + timedelta(hours=16))
    city.act("leader", f"incidents/{number}/resolve", {"result": "清运并加装监控"})
    city.act(
        "worker",
        f"incidents/{number}/verify",
        {"passed": True, "how": "survey", "comment": "走访六户,均满意"},
    )
    assert city.see("callback", f"incidents/{number}")["to_call"] == [first, second]
    city.act("callback", call, YES)
    closed = city.act("callback", call, YES)

    assert (closed["status"], closed["round"], closed["verified_how"]) == ("closed", 2, "survey")
    assert (closed["due_at"], closed["first_overdue_at"]) == (first_due, first_due)
    assert [one["round"] for one in closed["callbacks"]] == [1, 1, 2, 2]
    assert {one["kind"] for one in closed["clocks"]} <= {"slip_answer"}  # of the slip for the first round
    assert city.first_broken(number) is None

    # a fortnight later the desk takes it up once more; after that only those who inspect
    until(city, city.clock() + timedelta(days=16))
    refused = city.act("callback", f"incidents/{number}/reopen", {"reason": "复发"}, 409)
    assert refused["code"] == "too_late_to_reopen"
    assert "reopen" not in {one["action"] for one in city.see("callback", f"incidents/{number}")["actions"]}
    third = city.act("governance", f"incidents/{number}/reopen", {"reason": "抽查发现复发"})
    assert (third["round"], third["due_at"]) == (3, first_due)
