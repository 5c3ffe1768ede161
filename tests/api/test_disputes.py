"""Disputes about duty over HTTP: filed, read by their parties, decided; and their pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from grids.rules.permissions import Role
from grids.tables import Department, Person, Post

DISTRICT, TOWN = "990101", "990101001"
PARKING = "07-001"
FILING = {
    "matter": "收费停车场由谁监管",
    "position": "收费停车场不在交警职责内",
    "basis": "三定规定",
    "lead": "CG",
}
SETTLED = {
    "lead": "CG",
    "cooperating": ["JJ"],
    "grounds": [{"kind": "policy", "text": "会议纪要"}, {"kind": "law", "text": "《停车条例》第五条"}],
    "basis": "statutory",
}


def hire(
    city: Any, http: Any, login: str, role: Role, *, area: str | None = None, code: str | None = None
) -> None:
    """Give the city one more person in a post, where it has nobody of that name."""
    with city.database.sessions.begin() as session:
        if session.scalar(select(Person.id).where(Person.login == login)):
            return
        body = session.scalar(select(Department).where(Department.code == code)) if code else None
        person = Person(login=login, name=f"{login}同志", password_hash=http.QUICK.hash(http.PASSWORD))
        session.add(person)
        session.flush()
        session.add(
            Post(
                person_id=person.id,
                role=role,
                area_code=area,
                department_id=body.id if body else None,
                title=role.value,
            )
        )


@pytest.fixture
def county(city: Any, http: Any) -> Any:
    """The city with the district's leader and one more department."""
    hire(city, http, "district", Role.DISTRICT_LEADER, area=DISTRICT)
    hire(city, http, "zj", Role.DEPARTMENT_DUTY, code="ZJ")
    return city


def called(city: Any) -> tuple[str, str]:
    """Return an incident and its whistle, for which two departments were called; JJ leads."""
    number = city.report(category=PARKING, text="停车场乱收费")
    city.act("centre", f"incidents/{number}/accept", {"level": 3, "reason": "街道无权"})
    draft = {
        "level": 3,
        "reason": "停车场监管主体不明",
        "chosen_reason": "停车场监管主体不明",
        "departments": [{"code": "JJ", "role": "lead"}, {"code": "CG", "role": "cooperating"}],
        "appointed_at": (city.clock.now + timedelta(hours=3)).isoformat(),
        "appointed_place": "停车场",
    }
    whistle = city.act("office", f"incidents/{number}/whistles", draft, 201)["number"]
    city.act("town", f"whistles/{whistle}/confirm")
    return number, whistle


def filed(city: Any, number: str, by: str = "jj", **changes: Any) -> str:
    found: str = city.act(by, f"incidents/{number}/disputes", FILING | changes, 201)["number"]
    return found


def test_a_dispute_goes_from_the_filing_to_a_rule(county: Any) -> None:
    number, whistle = called(county)
    answer = county.as_("jj").post(f"/api/incidents/{number}/disputes", json=FILING)
    assert answer.status_code == 201
    dispute = answer.json()
    path = f"disputes/{dispute['number']}"
    assert answer.headers["location"] == f"/api/{path}"
    assert (dispute["status"], dispute["jointly_responsible"]) == ("filed", True)
    assert dispute["positions"][0]["position"] == FILING["position"]
    county.act("cg", f"{path}/state-position", {"position": "规划内停车场由住建负责"})
    county.act("jj", f"{path}/negotiate", {"minutes": "未达成一致"})
    county.act("governance", f"{path}/coordinate")
    county.act("governance", f"{path}/give-opinion", {"opinion": "应由执法局监管", "lead": "CG"})
    county.act("governance", f"{path}/meet", {"minutes": "编办、司法局、政府办到会", "lead": "CG"})
    early = county.act("governance", f"{path}/decide", SETTLED, 409)
    assert (early["code"], early["wanted"]) == (
        "signatures_missing",
        ["bianban", "justice", "government_office"],
    )
    for body in early["wanted"]:
        county.act("governance", f"{path}/sign-off", {"party": body, "name": "某主任"})

    decided = county.act("governance", f"{path}/decide", SETTLED)

    assert decided["status"] == "executing"
    assert [one["kind"] for one in decided["decision"]["grounds"]] == ["law", "policy"]
    assert decided["decision"]["rule"]["area"] == TOWN
    tasks = county.see("office", f"whistles/{whistle}")["tasks"]
    assert {task["department"]["code"]: task["role"] for task in tasks} == {"CG": "lead", "JJ": "cooperating"}
    assert county.act("governance", f"{path}/close")["status"] == "closed"
    assert county.first_broken(number) is None


def test_the_acts_that_are_offered_are_those_that_are_carried_out(county: Any) -> None:
    number, _ = called(county)
    path = f"disputes/{filed(county, number)}"

    def offered(login: str) -> set[str]:
        return {one["action"] for one in county.see(login, path)["actions"]}

    assert offered("jj") == {"state_position", "negotiate", "withdraw"}
    assert offered("cg") == offered("office") == {"state_position"}
    assert offered("governance") == {"coordinate", "suspend"}
    assert offered("auditor") == offered("hotline") == offered("district") == set()
    county.act("cg", f"{path}/state-position", {"position": "同意", "lead": "CG"})
    assert "agree" in offered("cg")
    county.act("cg", f"{path}/agree", {"lead": "CG", "grounds": [{"kind": "lists", "text": "边界清单"}]})
    assert offered("cg") == {"refuse"}
    assert offered("jj") == set()


def test_an_act_on_a_part_names_the_dispute_that_runs(county: Any) -> None:
    number, whistle = called(county)
    task = county.see("jj", f"whistles/{whistle}")["tasks"][0]
    assert "dispute" in {one["action"] for one in task["actions"]}

    filed(county, number)

    task = county.see("jj", f"whistles/{whistle}")["tasks"][0]
    assert task["disputed"] is True
    assert "dispute" not in {one["action"] for one in task["actions"]}


def test_only_parties_and_those_above_read_a_dispute(county: Any) -> None:
    number, _ = called(county)
    name = filed(county, number, also=["ZJ"])

    may = {
        login: county.as_(login).get(f"/api/disputes/{name}").status_code
        for login in ("jj", "cg", "zj", "office", "town", "governance", "auditor", "district", "hotline")
    }
    not_theirs = ("scjg", "ga", "sibling", "sibling_office", "leader", "worker")
    assert set(may.values()) == {200}
    for login in not_theirs:
        assert county.as_(login).get(f"/api/disputes/{name}").status_code == 404, login
        assert county.see(login, "disputes")["items"] == []
        answer = county.as_(login).post(f"/api/disputes/{name}/withdraw", json={"reason": "x"})
        assert answer.status_code == 404, login
        assert county.as_(login).get(f"/disputes/{name}").status_code == 404, login
    assert county.as_("zj").get(f"/api/incidents/{number}").status_code == 404
    assert county.stranger().get("/api/disputes").status_code == 401


def test_the_list_is_by_state_and_area_a_page_at_a_time(county: Any) -> None:
    names = [filed(county, called(county)[0]) for _ in range(3)]
    county.act("jj", f"disputes/{names[0]}/withdraw", {"reason": "已说清"})

    def listed(**wanted: Any) -> list[str]:
        return [one["number"] for one in county.see("governance", "disputes", **wanted)["items"]]

    assert listed() == names[::-1]
    assert listed(status="withdrawn") == names[:1]
    assert listed(area="990101002") == []
    first = county.see("governance", "disputes", limit=2)
    second = county.see("governance", "disputes", limit=2, cursor=first["next_cursor"])
    assert [one["number"] for one in first["items"] + second["items"]] == names[::-1]
    assert second["next_cursor"] is None
    bad = county.as_("governance").get("/api/disputes", params={"cursor": "x"})
    assert (bad.status_code, bad.json()["code"]) == (422, "bad_cursor")


def test_the_same_filing_sent_twice_is_one_dispute(county: Any) -> None:
    number, _ = called(county)
    key = {"Idempotency-Key": "dispute-1"}

    first, again = (
        county.as_("jj").post(f"/api/incidents/{number}/disputes", json=FILING, headers=key) for _ in range(2)
    )

    assert first.status_code == again.status_code == 201
    assert first.json()["number"] == again.json()["number"]


@pytest.mark.parametrize(
    ("act", "body", "field"),
    [
        ("decide", {"lead": "CG"}, "grounds"),
        ("decide", SETTLED | {"area": "9901"}, "area"),
        ("decide", SETTLED | {"grounds": [{"kind": "rumour", "text": "x"}]}, "kind"),
        ("sign-off", {"party": "bianban"}, "name"),
        ("suspend", {"reason": "x", "until": "tomorrow"}, "until"),
        ("state-position", {}, "position"),
    ],
)
def test_what_cannot_be_used_names_its_field(county: Any, act: str, body: Any, field: str) -> None:
    name = filed(county, called(county)[0])

    answer = county.act("governance", f"disputes/{name}/{act}", body, 422)

    assert any(str(one["field"]).endswith(field) for one in answer["errors"])


# -- pages


def page(city: Any, login: str, path: str) -> str:
    answer = city.as_(login).get(path, headers={"Accept-Language": "zh-CN"})
    assert answer.status_code == 200, answer.text[:400]
    return str(answer.text)


def form(city: Any, login: str, path: str, status: int = 303, **fields: str) -> str:
    answer = city.as_(login).post(
        path, data=fields, headers={"Sec-Fetch-Site": "same-origin"}, follow_redirects=False
    )
    assert answer.status_code == status, answer.text[:600]
    return str(answer.headers.get("location", answer.text))


def test_a_department_files_from_its_part_and_settles_on_the_page(county: Any) -> None:
    number, whistle = called(county)
    task = county.see("jj", f"whistles/{whistle}")["tasks"][0]["id"]
    assert f"/tasks/{task}/dispute" in page(county, "jj", f"/whistles/{whistle}")
    back = form(
        county,
        "jj",
        f"/tasks/{task}/dispute",
        whistle=whistle,
        at="whistle",
        matter=FILING["matter"],
        position=FILING["position"],
        lead="CG",
        also_ZJ="yes",
    )
    name = county.see("jj", "disputes")["items"][0]["number"]
    assert back == f"/whistles/{whistle}"
    for login in ("jj", "office"):
        assert f"/disputes/{name}" in page(county, login, f"/whistles/{whistle}")
    assert f"/disputes/{name}" in page(county, "office", f"/incidents/{number}")
    assert f"/disputes/{name}" not in page(county, "leader", f"/incidents/{number}")
    assert "职责争议中" in page(county, "leader", f"/incidents/{number}")
    assert "职责争议中" in page(county, "cg", "/inbox")
    assert f"/disputes/{name}" in page(county, "zj", "/disputes")
    here = f"/disputes/{name}"
    shown = page(county, "zj", here)
    assert "履职不停、时限照算" in shown
    assert f"/incidents/{number}" not in shown
    form(county, "cg", f"{here}/state_position", position="<b>同意</b>", lead="CG")
    form(county, "zj", f"{here}/state_position", position="同意", lead="CG")
    assert "&lt;b&gt;同意&lt;/b&gt;" in page(county, "jj", here)
    again = form(county, "cg", f"{here}/agree", 422, lead="CG", basis="agreed", area=TOWN, co_JJ="yes")
    assert "请至少填写一条认定依据" in again
    form(
        county,
        "cg",
        f"{here}/agree",
        lead="CG",
        basis="agreed",
        area=TOWN,
        co_JJ="yes",
        ground_lists="边界清单第3项",
    )
    shown = page(county, "jj", here)
    assert "边界清单第3项" in shown
    assert "职责争议中" not in page(county, "jj", f"/whistles/{whistle}")


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_every_stage_shows_its_page_to_everybody(county: Any, language: str) -> None:
    number, whistle = called(county)
    name = filed(county, number)
    path = f"disputes/{name}"
    steps: list[tuple[str, str, Any]] = [
        (
            "governance",
            "suspend",
            {"reason": "等批复", "until": (county.clock.now + timedelta(days=2)).isoformat()},
        ),
        ("governance", "resume", None),
        ("governance", "give-opinion", {"opinion": "应由执法局监管", "lead": "CG"}),
        ("governance", "meet", {"minutes": "到会"}),
        *(
            ("governance", "sign-off", {"party": b, "name": "某"})
            for b in ("bianban", "justice", "government_office")
        ),
        ("governance", "put-to-leader", {"reason": "议而未决"}),
        ("district", "decide", SETTLED | {"minutes": "一次议定"}),
        ("cg", "refuse", {"reason": "人手不足"}),
        ("governance", "close", None),
    ]
    for login, act, body in [("", "", None), *steps]:
        if act:
            county.act(login, f"{path}/{act}", body)
        for reader in ("jj", "cg", "office", "governance", "district", "auditor"):
            for address in (
                f"/disputes/{name}",
                "/disputes?every=true",
                f"/whistles/{whistle}",
                f"/incidents/{number}",
            ):
                answer = county.as_(reader).get(f"{address}{'&' if '?' in address else '?'}lang={language}")
                assert answer.status_code == 200, (reader, act, address)
                assert "fact." not in answer.text
                assert "because." not in answer.text
