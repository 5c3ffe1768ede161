"""A department that does not come: on record by itself, told, taken when it comes late, and contradicted by the town.

Three departments are called for seven. Two come; the urban management says at twenty to eight that it is there, from
two kilometres away, and the town has seen nobody.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

EVENING = datetime.fromisoformat("2026-06-03T19:00:00+08:00")
HERE = {"method": "gps", "lon": 117.0051, "lat": 36.0101, "frame": "WGS84", "accuracy_m": 8}
BODIES = ("scjg", "cg", "ga")


def at(city: Any, moment: datetime) -> None:
    """Move to a moment, after the worker has fired all that came due on the way."""
    city.clock.set(moment)
    city.fire()


@pytest.fixture
def called(city: Any) -> tuple[str, dict[str, int]]:
    """Three departments have promised to be there at seven; return the whistle, and tasks by login."""
    number = city.report(text="车库无照经营烧烤,夜间扰民")
    city.act("centre", f"incidents/{number}/accept", {"level": 2, "reason": "社区无执法权"})
    second = city.whistle(number, 2)
    city.act("centre", f"whistles/{second}/file", {"liaison_name": "孙", "liaison_phone": "13855550000"})
    city.act("centre", f"whistles/{second}/assign", {"office": "执法办", "instruction": "当晚处置"})
    draft = {
        "level": 3,
        "reason": "街道无执法权,无法单独解决",
        "departments": [
            {"code": code.upper(), "role": "cooperating" if n else "lead"} for n, code in enumerate(BODIES)
        ],
        "appointed_at": EVENING.isoformat(),
        "appointed_place": "升平社区居委会门口",
    }
    whistle = city.act("office", f"incidents/{number}/whistles", draft, 201)["number"]
    city.act("town", f"whistles/{whistle}/confirm")
    listed = city.see("office", f"whistles/{whistle}")["tasks"]
    tasks = {task["department"]["code"].lower(): task["id"] for task in listed}
    for login, task in tasks.items():
        city.act(login, f"tasks/{task}/respond", {"staff_name": "值班员", "staff_phone": "13866660000"})
    return whistle, tasks


@pytest.mark.timeout(120)
def test_who_does_not_come_is_on_record_and_comes_late_and_is_contradicted(
    city: Any, called: tuple[str, dict[str, int]]
) -> None:
    whistle, tasks = called
    at(city, EVENING)
    for login in ("scjg", "ga"):
        city.act(login, f"tasks/{tasks[login]}/check-in", HERE)
        city.act("office", f"tasks/{tasks[login]}/confirm-presence")

    at(city, EVENING + timedelta(minutes=14))
    assert city.see("office", f"tasks/{tasks['cg']}")["presence"] is None
    at(city, EVENING + timedelta(minutes=16))

    missing = city.see("cg", f"tasks/{tasks['cg']}")
    assert (missing["status"], missing["presence"]) == ("responded", "no_show")
    assert "task.no_show" in city.told("office")
    assert "clock.check_in" in city.told("cg")
    assert "clock.check_in" in city.told("platform")
    assert "clock.check_in" not in city.told("scjg")
    city.act("scjg", f"tasks/{tasks['scjg']}/start")

    at(city, EVENING + timedelta(minutes=40))
    away = HERE | {"lon": 117.0273}
    refused = city.act("cg", f"tasks/{tasks['cg']}/check-in", away, 422)
    assert (refused["code"], refused["field"]) == ("reason_needed", "reason")
    late = city.act("cg", f"tasks/{tasks['cg']}/check-in", {**away, "reason": "路上堵车,已到路口"})
    assert (late["status"], late["presence"], late["minutes_late"]) == ("checked_in", "claimed", 40)

    seen = {"comment": "到八点仍未见到城管人员"}
    city.act("cg", f"tasks/{tasks['cg']}/deny-presence", seen, 403)
    denied = city.act("office", f"tasks/{tasks['cg']}/deny-presence", seen)

    assert denied["presence"] == "contradicted"
    assert [(word["witness"], word["came"], word["flags"]) for word in denied["presence_words"]] == [
        ("department", True, ["far"]),
        ("town", False, []),
    ]
    own = city.see("cg", f"tasks/{tasks['cg']}")
    assert [(word["reason"], word["flags"]) for word in own["presence_words"]] == [
        ("路上堵车,已到路口", []),  # what is doubtful is for the town and the district
        ("到八点仍未见到城管人员", []),
    ]
    for login in ("cg", "auditor"):
        assert "task.contradicted" in city.told(login)
    acts = [step["action"] for step in city.see("auditor", f"incidents/{own['incident']}/trace")]
    assert [act for act in acts if act in ("no_show", "check_in", "deny_presence")] == [
        "check_in",
        "check_in",
        "no_show",
        "check_in",
        "deny_presence",
    ]
    assert city.first_broken(own["incident"]) is None
    shown = city.see("office", f"whistles/{whistle}")
    assert [task["presence"] for task in shown["tasks"]] == ["confirmed", "contradicted", "confirmed"]


@pytest.mark.timeout(120)
def test_a_check_in_that_was_kept_on_the_telephone_has_both_times(
    city: Any, called: tuple[str, dict[str, int]]
) -> None:
    _, tasks = called
    at(city, EVENING + timedelta(minutes=50))
    kept = {
        **HERE,
        "claimed_at": (EVENING - timedelta(minutes=4)).isoformat(),
        "sent_at": city.clock.now.isoformat(),
        "client_key": "4f2d6c0a9b8e7d61",
        "device": "aa55aa55aa55aa55",
    }

    first = city.act("cg", f"tasks/{tasks['cg']}/check-in", kept)
    again = city.act("cg", f"tasks/{tasks['cg']}/check-in", kept)
    confirmed = city.act("office", f"tasks/{tasks['cg']}/confirm-presence", {"comment": "六点五十六分见到"})

    assert (first["presence"], first["minutes_late"], again["minutes_late"]) == ("claimed", 50, 50)
    assert (confirmed["presence"], confirmed["minutes_late"]) == ("confirmed", 0)
    (word, _) = confirmed["presence_words"]
    assert word["flags"] == ["late_synced"]
    assert datetime.fromisoformat(word["claimed_at"]) == EVENING - timedelta(minutes=4)
    assert datetime.fromisoformat(word["recorded_at"]) == EVENING + timedelta(minutes=50)


@pytest.mark.timeout(120)
def test_the_code_is_for_the_town_alone_and_changes_every_ten_minutes(
    city: Any, called: tuple[str, dict[str, int]]
) -> None:
    whistle, tasks = called
    at(city, EVENING)
    shown = city.see("office", f"whistles/{whistle}/code")

    assert city.as_("cg").get(f"/api/whistles/{whistle}/code").status_code == 403
    assert city.as_("jj").get(f"/api/whistles/{whistle}/code").status_code == 404
    assert datetime.fromisoformat(shown["valid_until"]) == EVENING + timedelta(minutes=10)
    assert shown["svg"].startswith("<svg")
    assert f"whistle={whistle}&code={shown['code']}" in shown["address"]

    at(city, EVENING + timedelta(minutes=25))
    old = {"method": "code", "code": shown["code"]}
    assert city.act("cg", f"tasks/{tasks['cg']}/check-in", old, 422)["code"] == "wrong_code"
    new = {"method": "code", "code": city.see("town", f"whistles/{whistle}/code")["code"]}
    assert city.act("cg", f"tasks/{tasks['cg']}/check-in", new)["presence"] == "claimed"
