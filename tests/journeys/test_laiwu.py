"""The barbecue in the garages: a case that a town could not solve alone, from the call to the archive.

After a case that a district of Jinan published: residents complain of an unlicensed barbecue in the garages,
noise and smoke at night; the town whistles, the hotline desk calls four departments for seven in the evening,
all answer within half an hour with name and phone, act together, and the town gives all four full marks.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

DEPARTMENTS = {"SCJG": "scjg", "CG": "cg", "STHJ": "sthj", "GA": "ga"}
STAFF = {"SCJG": "张科", "CG": "李队", "STHJ": "王工", "GA": "赵警官"}
EVENING = "2026-06-03T19:00:00+08:00"


def at(city: Any, clock: str) -> None:
    """Move to a time of the day, after the worker has fired all that came due on the way."""
    hour, minute = map(int, clock.split(":"))
    day = city.clock.now.astimezone(datetime.fromisoformat(EVENING).tzinfo)
    city.clock.set(day.replace(hour=hour, minute=minute))
    city.fire()


def blown_to_the_departments(city: Any) -> tuple[str, str]:
    """Take a barbecue up the ladder to four departments; return incident and level-3 whistle."""
    number = city.report(address="凤城街道升平社区某小区车库", text="车库无照经营烧烤,夜间扰民,污染环境")
    city.act("centre", f"incidents/{number}/accept", {"level": 1})
    city.act("leader", f"whistles/{city.whistle(number, 1)}/escalate", {"reason": "多次劝导无效"})
    second = city.whistle(number, 2)
    city.act("centre", f"whistles/{second}/file", {"liaison_name": "孙干事", "liaison_phone": "13855550000"})
    task = {"office": "综合执法办", "instruction": "当晚处置"}
    city.act("centre", f"whistles/{second}/assign", task)
    city.act("office", f"whistles/{second}/escalate", {"reason": "街道无执法权,无法单独解决"})
    third = city.act(
        "office",
        f"incidents/{number}/whistles",
        {
            "level": 3,
            "type": "joint_enforcement",
            "reason": "街道无执法权,无法单独解决",
            "departments": [
                {"code": code, "role": "lead" if code == "SCJG" else "cooperating"} for code in DEPARTMENTS
            ],
            "appointed_at": EVENING,
            "appointed_place": "升平社区居委会门口",
        },
        201,
    )
    city.act("town", f"whistles/{third['number']}/confirm")
    return number, third["number"]


def tasks_of(city: Any, whistle: str) -> dict[str, Any]:
    """Return the tasks under a whistle, by department."""
    return {task["department"]["code"]: task for task in city.see("office", f"whistles/{whistle}")["tasks"]}


def promise(city: Any, code: str, task: dict[str, Any]) -> Any:
    """Let a department promise to come at the appointed time."""
    staff = {"staff_name": STAFF[code], "staff_phone": "13866660000"}
    return city.act(DEPARTMENTS[code], f"tasks/{task['id']}/respond", staff)


EVIDENCE = {
    "CG": ["after_photo", "near_photo"],
    "STHJ": [],
    "GA": [],
    "SCJG": ["far_photo", "reference_photo", "licence_check", "joint_action_record", "legal_document"],
}
"""Who shows what of the category's list."""


def came(city: Any, whistle: str) -> dict[str, Any]:
    """Let all four come at seven, each in its own way, and the town confirm it; return the tasks."""
    tasks = tasks_of(city, whistle)
    here = {"lon": 117.0051, "lat": 36.0101, "frame": "WGS84", "accuracy_m": 9}
    code = city.see("office", f"whistles/{whistle}/code")
    ways = {
        "SCJG": {"method": "gps", **here},
        "CG": {"method": "qr", "code": code["code"], **here},
        "STHJ": {"method": "code", "code": code["code"]},
    }
    for body, how in ways.items():
        claimed = city.act(DEPARTMENTS[body], f"tasks/{tasks[body]['id']}/check-in", how)
        assert (claimed["status"], claimed["presence"]) == ("checked_in", "claimed")
        seen = city.act("office", f"tasks/{tasks[body]['id']}/confirm-presence")
        assert seen["presence"] == "confirmed"
    by_hand = {"method": "manual", "reason": "手机没有信号,现场登记"}
    registered = city.act("office", f"tasks/{tasks['GA']['id']}/check-in", by_hand)
    assert registered["presence"] == "confirmed"
    return tasks


def acted_together(city: Any, whistle: str) -> dict[str, Any]:
    """Let all four come, begin together, say what they did, and do their parts, the lead last."""
    tasks = came(city, whistle)
    city.act("scjg", f"tasks/{tasks['SCJG']['id']}/start")
    done = {"result": "取缔并处罚"}
    early = city.act("scjg", f"tasks/{tasks['SCJG']['id']}/complete", done, 409)
    assert early["code"] == "parts_open"
    said = {"measures": "取缔车库烧烤,立案处罚", "documents": ["莱市监罚〔2026〕31号"]}
    city.act("scjg", f"whistles/{whistle}/action", said)
    for code in ("CG", "STHJ", "GA"):
        part = {**done, "evidence": EVIDENCE[code]}
        city.act(DEPARTMENTS[code], f"tasks/{tasks[code]['id']}/complete", part)
    bare = city.act("scjg", f"tasks/{tasks['SCJG']['id']}/complete", done, 422)
    assert (bare["code"], bare["missing"]) == (
        "evidence_missing",
        ["far_photo", "reference_photo", "licence_check", "joint_action_record", "legal_document"],
    )
    city.act("scjg", f"tasks/{tasks['SCJG']['id']}/complete", {**done, "evidence": EVIDENCE["SCJG"]})
    return tasks


@pytest.mark.timeout(120)
def test_the_barbecue_goes_from_the_call_to_the_archive(city: Any) -> None:
    at(city, "14:00")
    number, whistle = blown_to_the_departments(city)
    tasks = tasks_of(city, whistle)
    assert set(tasks) == set(DEPARTMENTS)
    assert {task["status"] for task in tasks.values()} == {"pending_response"}

    at(city, "14:25")
    for code, task in tasks.items():
        promise(city, code, task)
    answers = {code: task["answer"] for code, task in tasks_of(city, whistle).items()}
    assert answers["CG"]["zh-CN"].endswith(
        "回复：我单位于2026-06-03 19:00准时报到。工作人员：李队，联系电话：13866660000。"
    )
    assert "2026-06-03 19:00" in answers["CG"]["en"]
    at(city, "19:00")
    acted_together(city, whistle)
    assert city.status(number) == "resolved"
    at(city, "21:30")
    site = {"follow_up": "街道帮商户在便民市场找到合法经营场所"}
    together = city.act("office", f"whistles/{whistle}/action", site)
    assert [one["staff"] for one in together["participants"]] == [*STAFF.values()]
    assert (together["measures"], together["follow_up"]) == ("取缔车库烧烤,立案处罚", site["follow_up"])
    city.act("office", f"whistles/{whistle}/verify", {"comment": "现场已清理,商户已另寻合法场所"})
    city.act("worker", f"incidents/{number}/verify", {"passed": True})
    call = {"reached": True, "solved": "yes", "satisfaction": 5, "comment": "十分满意"}
    city.act("callback", f"incidents/{number}/callback", call)
    assert city.status(number) == "closed"
    for task in tasks.values():
        marks = {"response": 100, "handling": 100, "result": 100}
        scored = city.act("office", f"tasks/{task['id']}/score", marks)
        assert scored["score"]["total"] == "100.00"
    city.act("centre", f"whistles/{whistle}/archive")

    case = city.see("platform", f"incidents/{number}")
    assert [one["status"] for one in case["whistles"]] == ["escalated", "escalation_applied", "archived"]
    assert {task["minutes_late"] for task in case["tasks"]} == {0}
    assert {task["presence"] for task in case["tasks"]} == {"confirmed"}
    assert {task["whistle_result"] for task in case["tasks"]} == {"100.00"}
    assert {task["status"] for task in case["tasks"]} == {"scored"}
    assert case["clocks"] == []
    assert case["first_overdue_at"] is None
    assert case["callbacks"][0]["satisfaction"] == 5


@pytest.mark.timeout(120)
def test_its_history_has_no_gap_and_its_chain_is_whole(city: Any) -> None:
    at(city, "14:00")
    number, whistle = blown_to_the_departments(city)
    for code, task in tasks_of(city, whistle).items():
        promise(city, code, task)

    history = city.see("auditor", f"incidents/{number}/trace")

    assert [step["seq"] for step in history] == list(range(1, len(history) + 1))
    hashes = [None, *(step["hash"] for step in history)]
    assert [step["previous_hash"] for step in history] == hashes[:-1]
    assert city.first_broken(number) is None
    acts = [f"{step['machine']}.{step['action']}" for step in history]
    assert acts == [
        "incident.report",
        "incident.accept",
        "incident.start",
        "whistle.blow",
        "whistle.escalate",
        "incident.climb",
        "whistle.blow",
        "whistle.name_liaison",
        "whistle.file",
        "whistle.assign",
        "whistle.escalate",
        "incident.climb",
        "whistle.draft",
        "whistle.submit",
        "whistle.confirm",
        "whistle.issue",
        *["task.issue"] * 4,
        "task.respond",
        "whistle.progress",
        *["task.respond"] * 3,
    ]
    assert "13866660000" not in str(history)


@pytest.mark.timeout(120)
def test_each_hears_of_what_is_theirs_to_do(city: Any) -> None:
    at(city, "14:00")
    number, whistle = blown_to_the_departments(city)
    for code, task in tasks_of(city, whistle).items():
        promise(city, code, task)
    at(city, "19:00")
    acted_together(city, whistle)
    city.act("office", f"whistles/{whistle}/verify")
    city.act("worker", f"incidents/{number}/verify", {"passed": True})

    assert city.told("leader") == ["whistle.first", "whistle.liaison"]
    assert city.told("centre")[:2] == ["incident.reported", "whistle.second"]
    assert "whistle.drafted" in city.told("office")
    assert city.told("town") == ["whistle.assigned", "whistle.to_confirm"]
    for login in DEPARTMENTS.values():
        assert city.told(login) == ["task.issued"]
    assert city.told("callback") == ["incident.call_back"]
    assert city.told("jj") == city.told("sibling") == []


@pytest.mark.timeout(120)
def test_a_whistle_that_nobody_answers_climbs_by_itself(city: Any) -> None:
    number = city.report(category="12-001", text="邻里因噪音争吵")
    city.act("centre", f"incidents/{number}/accept", {})

    city.clock.advance(days=1)
    early = city.fire()
    city.clock.advance(hours=12)
    late = city.fire()

    assert (early.fired, late.fired > 0, late.stuck) == (0, True, {})
    case = city.see("platform", f"incidents/{number}")
    assert [(one["level"], one["status"]) for one in case["whistles"]] == [(1, "escalated"), (2, "blown")]
    assert "whistle.second" in city.told("centre")
    steps = city.steps(number)
    assert steps[steps.index("incident.clock_ran_out") :][:4] == [
        "incident.clock_ran_out",
        "whistle.escalate",
        "incident.climb",
        "whistle.blow",
    ]
    city.clock.advance(days=5)
    city.fire()
    case = city.see("platform", f"incidents/{number}")
    assert case["first_overdue_at"] is not None
    assert "clock.handle" in city.told("platform")
    assert "clock.liaison" in city.told("town")
    assert city.fire().fired == 0
    assert city.first_broken(number) is None


@pytest.mark.timeout(120)
def test_a_whistle_to_an_empty_post_climbs_at_once(city: Any) -> None:
    city.vacate("leader")
    number = city.report()

    city.act("centre", f"incidents/{number}/accept", {"level": 1})

    case = city.see("platform", f"incidents/{number}")
    assert [(one["level"], one["status"]) for one in case["whistles"]] == [(1, "escalated"), (2, "blown")]
    empty = [one for one in case["responsible"]["people"] if one["role"] == "grid_leader"]
    assert empty == [{"role": "grid_leader", "area": "990101001001", "person_id": None, "name": None}]


@pytest.mark.timeout(120)
def test_a_late_answer_is_taken_and_marked(city: Any) -> None:
    at(city, "14:00")
    number, whistle = blown_to_the_departments(city)
    tasks = tasks_of(city, whistle)
    for code in ("CG", "STHJ", "GA"):
        promise(city, code, tasks[code])

    at(city, "14:31")
    answered = promise(city, "SCJG", tasks["SCJG"])

    assert answered["status"] == "responded"
    assert answered["responded_at"] > answered["response_due_at"]
    missed = [
        step
        for step in city.see("auditor", f"incidents/{number}/trace")
        if step["action"] == "clock_ran_out" and step["payload"]["clock"] == "respond"
    ]
    assert [step["payload"]["letter"] for step in missed] == [tasks["SCJG"]["letter_number"]]
    assert "clock.respond" in city.told("scjg")
    assert "clock.respond" in city.told("platform")
    assert "clock.respond" not in city.told("cg")
