"""Tasks that departments send back: one goes to whose duty it is, one stays, a third goes to the joint meeting."""

from __future__ import annotations

from typing import Any

import pytest

BASIS = "《部门职责边界清单》第12项"


def issued(city: Any) -> tuple[str, dict[str, int]]:
    """Call the market office and urban management to a barbecue; return the whistle and its tasks."""
    number = city.report()
    city.act("centre", f"incidents/{number}/accept", {"level": 2})
    liaison = {"liaison_name": "孙干事", "liaison_phone": "13855550000"}
    city.act("centre", f"whistles/{city.whistle(number, 2)}/file", liaison)
    blown = city.act(
        "office",
        f"incidents/{number}/whistles",
        {
            "level": 3,
            "reason": "街道无执法权",
            "departments": [{"code": "SCJG", "role": "lead"}, {"code": "CG", "role": "cooperating"}],
            "appointed_at": "2026-06-03T19:00:00+08:00",
            "appointed_place": "升平社区居委会门口",
        },
        201,
    )
    city.act("town", f"whistles/{blown['number']}/confirm")
    return blown["number"], tasks_of(city, blown["number"])


def tasks_of(city: Any, whistle: str) -> dict[str, int]:
    """Return the newest task of each department under a whistle."""
    seen = city.see("office", f"whistles/{whistle}")["tasks"]
    return {task["department"]["code"]: task["id"] for task in seen}


def states(city: Any, whistle: str) -> dict[str, str]:
    """Return where each department's task stands."""
    seen = city.see("office", f"whistles/{whistle}")["tasks"]
    return {task["department"]["code"]: task["status"] for task in seen}


def ask(city: Any, code: str, task: int, whose: str | None = None) -> Any:
    """Let a department send its task back."""
    body = {"reason": "not_our_duty", "legal_basis": BASIS, "department": whose}
    return city.act(code.lower(), f"tasks/{task}/request-return", body)


def decide(
    city: Any, task: int, to: str | None, *, granted: bool = True, by: str = "platform", status: int = 200
) -> Any:
    """Decide on what was asked for."""
    body = {"granted": granted, "note": "经核对清单", "department": to}
    return city.act(by, f"tasks/{task}/decide-return", body, status)


@pytest.mark.timeout(120)
def test_a_task_goes_to_the_department_whose_duty_it_is(city: Any) -> None:
    whistle, tasks = issued(city)
    before = city.see("office", f"whistles/{whistle}")
    city.clock.advance(minutes=20)
    city.fire()

    ask(city, "CG", tasks["CG"], "STHJ")
    decide(city, tasks["CG"], "STHJ")

    after = city.see("office", f"whistles/{whistle}")
    assert (after["due_at"], after["appointed_at"]) == (before["due_at"], before["appointed_at"])
    assert states(city, whistle) == {"SCJG": "pending_response", "CG": "returned", "STHJ": "pending_response"}
    letters = [task["letter_number"] for task in after["tasks"]]
    assert len(set(letters)) == 3
    new = tasks_of(city, whistle)["STHJ"]
    staff = {"staff_name": "王工", "staff_phone": "13866660000"}
    answered = city.act("sthj", f"tasks/{new}/respond", staff)
    assert answered["responded_at"] <= answered["response_due_at"]
    city.clock.advance(days=3)
    city.fire()
    assert "clock.complete" not in city.told("cg")
    assert "task.returned" in city.told("cg")


@pytest.mark.timeout(120)
def test_a_refused_return_stays_and_so_does_its_time(city: Any) -> None:
    whistle, tasks = issued(city)
    ask(city, "CG", tasks["CG"])
    city.clock.advance(minutes=40)
    city.fire()

    back = decide(city, tasks["CG"], None, granted=False, by="centre")

    assert back["status"] == "pending_response"
    assert "task.return_refused" in city.told("cg")
    late = city.act(
        "cg", f"tasks/{tasks['CG']}/respond", {"staff_name": "李队", "staff_phone": "13866660000"}
    )
    assert late["responded_at"] > late["response_due_at"]
    (row,) = city.see("platform", f"whistles/{whistle}/returns")
    assert (row["decision"], row["by_itself"]) == ("refused", False)


@pytest.mark.timeout(120)
def test_who_sends_a_task_back_too_late_keeps_it_at_once(city: Any) -> None:
    whistle, tasks = issued(city)
    city.clock.advance(days=2)
    city.fire()

    kept = ask(city, "CG", tasks["CG"])

    assert kept["status"] == "pending_response"
    (row,) = city.see("platform", f"whistles/{whistle}/returns")
    assert (row["decision"], row["by_itself"]) == ("refused", True)
    assert city.steps(city.see("office", f"whistles/{whistle}")["incident"])[-2:] == [
        "task.request_return",
        "task.send_back",
    ]


@pytest.mark.timeout(120)
def test_a_case_is_not_handed_on_for_ever(city: Any) -> None:
    whistle, tasks = issued(city)
    ask(city, "CG", tasks["CG"], "STHJ")
    decide(city, tasks["CG"], "STHJ")
    ask(city, "STHJ", tasks_of(city, whistle)["STHJ"], "GA")
    decide(city, tasks_of(city, whistle)["STHJ"], "GA")
    third = tasks_of(city, whistle)["GA"]
    ask(city, "GA", third, "JJ")

    assert decide(city, third, "JJ", status=409)["code"] == "too_many_hops"
    kept = decide(city, third, "JJ", by="centre")

    assert (kept["status"], kept["disputed"]) == ("pending_response", True)
    assert "JJ" not in states(city, whistle)
    number = city.see("office", f"whistles/{whistle}")["incident"]
    assert "dispute.file" in city.steps(number)
    assert city.first_broken(number) is None


@pytest.mark.timeout(120)
def test_where_everybody_sends_it_back_the_town_drafts_anew(city: Any) -> None:
    whistle, tasks = issued(city)
    ask(city, "CG", tasks["CG"])
    decide(city, tasks["CG"], None)
    ask(city, "SCJG", tasks["SCJG"])

    decide(city, tasks["SCJG"], None)

    again = city.see("office", f"whistles/{whistle}")
    assert (again["status"], [clock["kind"] for clock in again["clocks"]]) == ("drafted", ["draft"])
    city.act(
        "office",
        f"whistles/{whistle}/submit",
        {
            "departments": [{"code": "JJ", "role": "lead"}],
            "chosen_reason": "原列部门均已退办",
            "appointed_at": "2026-06-03T19:00:00+08:00",
            "appointed_place": "居委会",
        },
    )
    city.act("town", f"whistles/{whistle}/confirm")
    assert states(city, whistle)["JJ"] == "pending_response"
    assert "whistle.redrafted" in city.told("office")
