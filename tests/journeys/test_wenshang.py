"""Whose car park is it: a dispute about duty, from the quarrel to the rule by which the next case is given out.

After a county's published coordination rule, under which among others the supervision of car parks was decided for
the enforcement bureau: departments talk first, then the establishment office (编办) gives its opinion, then a joint
meeting signs; the leader coordinates once. Meanwhile nobody stops working, and no clock stands still.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from grids.rules.permissions import Role
from grids.tables import Person, Post

PARKING = "07-001"
DISTRICT, TOWN = "990101", "990101001"


def at(city: Any, moment: str) -> None:
    """Move to a moment of June 2026, "03 14:00", after the worker has fired all that came due on the way."""
    day, time = moment.split()
    city.clock.set(datetime.fromisoformat(f"2026-06-{day}T{time}:00+08:00"))
    city.fire()


def leader_of(city: Any, http: Any) -> None:
    """Give the district a leader."""
    with city.database.sessions.begin() as session:
        if session.scalar(select(Person.id).where(Person.login == "district")) is None:
            person = Person(login="district", name="区长", password_hash=http.QUICK.hash(http.PASSWORD))
            session.add(person)
            session.flush()
            session.add(
                Post(person_id=person.id, role=Role.DISTRICT_LEADER, area_code=DISTRICT, title="leader")
            )


def called(city: Any) -> tuple[str, str]:
    """Let the town call traffic police and enforcement bureau for a car park; return incident and whistle."""
    number = city.report(category=PARKING, text="商场停车场乱收费、占用盲道", address="凤城街道某商场")
    city.act("centre", f"incidents/{number}/accept", {"level": 3, "reason": "街道无监管权"})
    whistle = city.act(
        "office",
        f"incidents/{number}/whistles",
        {
            "level": 3,
            "reason": "停车场监管,街道无法单独解决",
            "chosen_reason": "停车场监管主体不明",
            "departments": [{"code": "JJ", "role": "lead"}, {"code": "CG", "role": "cooperating"}],
            "appointed_at": (city.clock.now + timedelta(hours=2)).isoformat(),
            "appointed_place": "停车场入口",
        },
        201,
    )["number"]
    city.act("town", f"whistles/{whistle}/confirm")
    return number, whistle


def clocks(city: Any, number: str) -> dict[tuple[str, int | None], str]:
    """Return when each running clock of a case is due, but for its dispute's own."""
    found = city.see("platform", f"incidents/{number}")["clocks"]
    return {(one["kind"], one["task"]): one["due_at"] for one in found if one["kind"] != "dispute"}


def parts(city: Any, whistle: str) -> dict[str, Any]:
    """Return the tasks under a whistle that somebody holds, by department."""
    tasks = city.see("office", f"whistles/{whistle}")["tasks"]
    return {one["department"]["code"]: one for one in tasks if one["status"] not in ("withdrawn", "returned")}


def disputed(city: Any, number: str) -> str:
    """Let the traffic police say that the car park is not theirs; return the dispute's address."""
    name = city.act(
        "jj",
        f"incidents/{number}/disputes",
        {
            "matter": "经营性停车场由谁监管",
            "position": "我单位负责路内停车,路外停车场不在职责内",
            "basis": "三定规定",
            "lead": "CG",
        },
        201,
    )["number"]
    return f"disputes/{name}"


def up_to_the_meeting(city: Any, path: str) -> None:
    """Let the talk fail, the establishment office give its opinion, and the joint meeting meet."""
    city.act("cg", f"{path}/state-position", {"position": "无执法依据,应由交警负责", "lead": "JJ"})
    city.act("jj", f"{path}/negotiate", {"minutes": "两家会商,未达成一致"})
    early = city.act(
        "jj", f"{path}/agree", {"lead": "CG", "grounds": [{"kind": "policy", "text": "会商"}]}, 409
    )
    assert early["code"] == "positions_differ"
    city.act("governance", f"{path}/coordinate", {"opinion": "建议由综合执法局牵头", "lead": "CG"})
    city.act("governance", f"{path}/meet", {"minutes": "编办、司法局、政府办会商认定", "lead": "CG"})


def signed(city: Any, path: str) -> None:
    """Let the bodies of the meeting sign, and one party."""
    for body in ("bianban", "justice", "government_office"):
        city.act("governance", f"{path}/sign-off", {"party": body, "name": "某主任"})
    city.act("cg", f"{path}/sign-off", {"party": "CG", "name": "局长"})


DECISION = {
    "lead": "CG",
    "cooperating": ["JJ"],
    "basis": "designated",
    "grounds": [
        {"kind": "policy", "text": "职责交叉事项认定意见"},
        {"kind": "san_ding", "text": "综合行政执法局三定规定第四条"},
    ],
}


@pytest.mark.timeout(240)
def test_the_car_park_is_decided_for_the_enforcement_bureau(city: Any, http: Any) -> None:
    leader_of(city, http)
    at(city, "03 09:00")
    number, whistle = called(city)
    before = clocks(city, number)

    # they quarrel, and not one clock stops
    path = disputed(city, number)
    assert clocks(city, number) == before
    assert {one["disputed"] for one in parts(city, whistle).values()} == {True}

    # while they do, the hour to answer passes for both: it is missed as if nobody had quarrelled
    at(city, "03 11:30")
    assert city.see("jj", path)["jointly_responsible"] is True
    late = [
        step["payload"]["letter"]
        for step in city.see("auditor", f"incidents/{number}/trace")
        if step["action"] == "clock_ran_out" and step["payload"]["clock"] == "respond"
    ]
    assert len(late) == 2
    staff = {"staff_name": "李队", "staff_phone": "13866660000"}
    city.act("cg", f"tasks/{parts(city, whistle)['CG']['id']}/respond", staff)

    # talk fails, the opinion follows, the joint meeting signs; those above hear of what takes too long
    at(city, "05 09:00")
    assert "dispute.overdue" in city.told("jj")
    up_to_the_meeting(city, path)
    refused = city.act("governance", f"{path}/decide", DECISION, 409)
    assert refused["code"] == "signatures_missing"
    signed(city, path)

    # by now the case itself is overdue, and stays so
    at(city, "09 10:00")
    case = city.see("platform", f"incidents/{number}")
    assert case["first_overdue_at"] is not None
    due, running = case["due_at"], clocks(city, number)

    decided = city.act("governance", f"{path}/decide", DECISION)

    assert [one["kind"] for one in decided["decision"]["grounds"]] == ["san_ding", "policy"]
    now = parts(city, whistle)
    assert {code: one["role"] for code, one in now.items()} == {"CG": "lead", "JJ": "cooperating"}
    assert not any(one["disputed"] for one in now.values())
    case = city.see("platform", f"incidents/{number}")
    assert (case["due_at"], clocks(city, number)) == (due, running)
    assert case["first_overdue_at"] is not None
    city.act("governance", f"{path}/close", {"comment": "已约谈开发商"})
    assert city.first_broken(number) is None

    # the next case of its kind in the town goes there at once, and says by which rule
    later = city.report(category=PARKING, cell="990101001002001", text="另一停车场")
    city.act("centre", f"incidents/{later}/accept", {"level": 3, "reason": "街道无监管权"})
    draft = city.see("office", f"whistles/{city.whistle(later, 3)}")
    assert draft["departments"] == [
        {"code": "CG", "role": "lead"},
        {"code": "JJ", "role": "cooperating"},
    ]
    case = city.see("office", f"incidents/{later}")
    rule = decided["decision"]["rule"]["id"]
    assert case["responsible"]["rule"].startswith(f"responsibility {rule} (decided {decided['number']})")
    why = [one for one in case["explanation"] if one["what"] == "departments"][-1]
    assert (why["because"], why["facts"]["source"]) == ("decided", decided["number"])
    shown = city.as_("office").get(f"/incidents/{later}?lang=zh-CN").text
    assert decided["number"] in shown

    # in the other town nothing was decided
    other = city.report(category=PARKING, cell="990101002001001", text="镇上的停车场")
    city.act("sibling", f"incidents/{other}/accept", {"level": 3, "reason": "镇里无监管权"})
    assert "decided" not in city.see("sibling", f"incidents/{other}")["responsible"]["rule"]


@pytest.mark.timeout(240)
def test_the_leader_coordinates_it_once(city: Any, http: Any) -> None:
    leader_of(city, http)
    at(city, "03 09:00")
    number, whistle = called(city)
    path = disputed(city, number)
    up_to_the_meeting(city, path)
    signed(city, path)
    city.act("governance", f"{path}/put-to-leader", {"reason": "交警不予会签"})
    assert "dispute.to_leader" in city.told("district")
    city.act("district", f"{path}/decide", DECISION | {"minutes": "由综合执法局牵头,一次议定"})
    assert parts(city, whistle)["CG"]["role"] == "lead"
    city.act("cg", f"{path}/refuse", {"reason": "编制不足"})
    assert "dispute.refused" in city.told("governance")
    city.act("governance", f"{path}/close")

    # the same departments over the same matter in the same town: another case, the same answer
    again, _ = called(city)
    path = disputed(city, again)
    up_to_the_meeting(city, path)
    signed(city, path)

    second = city.act("governance", f"{path}/put-to-leader", {"reason": "再请领导协调"}, 409)

    assert second["code"] == "leader_once"
    offered = {one["action"] for one in city.see("governance", path)["actions"]}
    assert "decide" in offered
    assert "put_to_leader" not in offered
