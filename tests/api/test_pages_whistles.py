"""Forms of whistles and returns as a browser sends them: one press, a change with its reason, a late leader."""

from __future__ import annotations

from typing import Any

import pytest


def filed(city: Any, **said: Any) -> str:
    """Bring a case to the town, filed; return its number."""
    number: str = city.report(**said)
    city.act("centre", f"incidents/{number}/accept", {"level": 2})
    city.act("centre", f"whistles/{city.whistle(number, 2)}/file")
    return number


def press(city: Any, who: str, path: str, **fields: str) -> Any:
    """Send a form as a browser does."""
    return city.as_(who).post(path, data=fields, headers={"accept": "text/html"}, follow_redirects=False)


def see(city: Any, who: str, path: str) -> str:
    """Return a page."""
    answer = city.as_(who).get(path, headers={"accept": "text/html"})
    assert answer.status_code == 200, answer.text
    text: str = answer.text
    return text


AS_PROPOSED = {
    "type": "joint_enforcement",
    "reason": "街道无执法权",
    "role_SCJG": "lead",
    "role_CG": "cooperating",
    "role_STHJ": "cooperating",
    "role_GA": "cooperating",
    "appointed_at": "2026-06-03T19:00",
    "appointed_place": "居委会",
    "contact_name": "李芳",
    "contact_phone": "13900001111",
}


def test_one_press_sends_the_whistle_to_the_leader(city: Any) -> None:
    number = filed(city)
    page = see(city, "office", f"/incidents/{number}")
    assert f'action="/incidents/{number}/whistle"' in page
    assert f'action="/incidents/{number}/whistle"' not in see(city, "platform", f"/incidents/{number}")

    answer = press(city, "office", f"/incidents/{number}/whistle", **AS_PROPOSED)

    assert (answer.status_code, answer.headers["location"]) == (303, f"/incidents/{number}")
    whistle = city.see("office", f"whistles/{city.whistle(number, 3)}")
    assert (whistle["status"], whistle["contact_phone"]) == ("pending_confirm", "13900001111")
    assert f'action="/incidents/{number}/whistle"' not in see(city, "office", f"/incidents/{number}")


def test_whoever_changes_the_departments_is_asked_why(city: Any) -> None:
    number = filed(city)

    answer = press(city, "office", f"/incidents/{number}/whistle", **AS_PROPOSED | {"role_GA": ""})

    assert answer.status_code == 422
    assert "chosen_reason-wrong" in answer.text
    assert city.see("office", f"incidents/{number}")["whistles"][-1]["level"] == 2


def test_the_page_says_who_may_confirm_instead_of_a_late_leader(city: Any) -> None:
    number = filed(city)
    press(city, "office", f"/incidents/{number}/whistle", **AS_PROPOSED)
    whistle = city.whistle(number, 3)
    assert "platform同志" not in see(city, "office", f"/whistles/{whistle}").split("<main")[1]
    city.clock.advance(hours=3)
    city.fire()

    assert "platform同志" in see(city, "office", f"/whistles/{whistle}")
    done = press(city, "platform", f"/whistles/{whistle}/confirm_instead", reason="主要领导外出")

    assert done.status_code == 303
    assert city.see("office", f"whistles/{whistle}")["status"] == "issued"


@pytest.mark.parametrize("granted", ["1", "0"])
def test_a_return_goes_through_the_forms(city: Any, granted: str) -> None:
    number = filed(city)
    press(city, "office", f"/incidents/{number}/whistle", **AS_PROPOSED)
    whistle = city.whistle(number, 3)
    city.act("town", f"whistles/{whistle}/confirm")
    tasks = {t["department"]["code"]: t["id"] for t in city.see("office", f"whistles/{whistle}")["tasks"]}
    asked = {"reason": "not_our_duty", "legal_basis": "三定<b>规定</b>", "suggested": "JJ"}

    assert (
        press(city, "ga", f"/tasks/{tasks['GA']}/request_return", whistle=whistle, **asked).status_code == 303
    )
    page = see(city, "platform", f"/whistles/{whistle}")
    assert "三定&lt;b&gt;规定&lt;/b&gt;" in page
    assert see(city, "platform", "/inbox").count(f"/tasks/{tasks['GA']}/return") == 1
    decided = {"granted": granted, "note": "经核对", "department": "JJ" if granted == "1" else ""}
    assert (
        press(city, "platform", f"/tasks/{tasks['GA']}/return", whistle=whistle, **decided).status_code == 303
    )

    states = {
        t["department"]["code"]: t["status"] for t in city.see("office", f"whistles/{whistle}")["tasks"]
    }
    assert states["GA"] == ("returned" if granted == "1" else "pending_response")
    assert ("JJ" in states) == (granted == "1")
