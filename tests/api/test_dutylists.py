"""Responsibility lists, powers of towns and tasks handed down over HTTP: who sees them, who acts, what pages say."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

TODAY = "2026-06-03"
HEAD = "item_no,category,area,lead,cooperating,basis,town_duty,demarcation\n"
FIRST = HEAD + "1,10-001,990101,SCJG,CG,法定,巡查、上报,\n2,07-001,990101,JJ,CG,法定,,路内交警，路外城管\n"
SECOND = FIRST.replace("10-001,990101,SCJG,CG", "10-001,990101,CG,SCJG")
POWERS = (
    "item_no,name,towns,department,categories,conditions,limit,contact_phone,legal_basis,source,effective_from\n"
    "31,露天烧烤处罚,990101001,CG,10-001,两名执法人员在场,5000元以下,0531-81234567,大气污染防治法,赋权清单,2026-01-01\n"
)
WISH = {
    "title": "沿街商铺消防安全排查",
    "content": "每月一次，逐户登记",
    "legal_basis": "工作条例",
    "support": "每镇街下沉2人",
    "towns": ["990101001"],
}
EVERYBODY = ("worker", "leader", "centre", "town", "hotline", "scjg", "auditor")


def words_of(page: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


def see(city: Any, who: str, path: str, status: int = 200) -> str:
    answer = city.as_(who).get(path, headers={"accept": "text/html"})
    assert answer.status_code == status, words_of(answer.text)
    return str(answer.text)


def send(city: Any, who: str, path: str, file: str | None = None, **fields: Any) -> Any:
    files = {"file": ("t.csv", file.encode(), "text/csv")} if file is not None else None
    return city.as_(who).post(
        path, data=fields, files=files, headers={"accept": "text/html"}, follow_redirects=False
    )


def draft(
    city: Any, table: str | None = FIRST, who: str = "platform", status: int = 201, **headers: str
) -> Any:
    answer = city.as_(who).post(
        "/api/duty-lists",
        data={"name": "职责清单", "source": "区办发〔2026〕12号", "effective_from": TODAY},
        files={"file": ("t.csv", table.encode(), "text/csv")} if table is not None else None,
        headers=headers,
    )
    assert answer.status_code == status, answer.text
    return answer.json()


def publish(city: Any, table: str = FIRST) -> int:
    number: int = draft(city, table)["id"]
    city.act("governance", f"duty-lists/{number}/publish")
    return number


def test_a_list_is_drafted_compared_tried_out_and_published_by_a_second_person(city: Any, clock: Any) -> None:
    publish(city)
    for _ in range(4):
        city.report()
    for _ in range(6):
        city.report(category="07-001")
    clock.advance(minutes=1)
    number = draft(city, SECOND)["id"]

    compared = city.see("platform", f"duty-lists/{number}/compare")
    tried = city.act("platform", f"duty-lists/{number}/dry-run")
    own = city.as_("platform").post(f"/api/duty-lists/{number}/publish")
    published = city.act("governance", f"duty-lists/{number}/publish")

    assert (compared["same"], compared["added"], compared["dropped"]) == (1, [], [])
    assert compared["changed"][0]["changes"][0] == {"field": "lead", "before": "SCJG", "after": "CG"}
    assert (tried["match"], tried["change"], tried["rows"][0]["count"]) == (6, 4, 4)
    assert (own.status_code, own.json()["code"]) == (403, "second_person_needed")
    assert (published["status"], published["version"], published["dry_run"]) == ("published", 2, tried)
    assert city.see("worker", f"duty-lists/{number}")["items"][0]["lead"] == "CG"
    assert (
        city.see("worker", "locate", lon=117.003, lat=36.003, frame="CGCS2000", category="10-001")[
            "departments"
        ][0]["code"]
        == "CG"
    )
    again = city.as_("governance").post(f"/api/duty-lists/{number}/publish")
    assert (again.status_code, again.json()["code"]) == (409, "not_a_draft")


@pytest.mark.parametrize("who", EVERYBODY)
def test_a_draft_is_for_those_who_keep_the_rules_and_what_is_published_for_all(city: Any, who: str) -> None:
    published = publish(city)
    drafted = draft(city, SECOND)["id"]

    shown = {one["id"] for one in city.see(who, "duty-lists")}

    assert shown == ({published, drafted} if who == "auditor" else {published})
    for path in (f"duty-lists/{drafted}", f"duty-lists/{drafted}/compare", f"duty-lists/{drafted}/items.csv"):
        assert city.as_(who).get(f"/api/{path}").status_code == (200 if who == "auditor" else 404)
    for path in ("dry-run", "publish"):
        assert city.as_(who).post(f"/api/duty-lists/{drafted}/{path}").status_code == 403
    assert city.as_(who).delete(f"/api/duty-lists/{drafted}").status_code == 403
    draft(city, who=who, status=403)
    assert ("起草新版本" in see(city, who, "/duties")) is False
    see(city, who, f"/duties/{published}")


def test_a_copied_draft_goes_out_as_a_table_and_is_put_away(city: Any) -> None:
    publish(city)
    number = draft(city, None)["id"]

    table = city.as_("platform").get(f"/api/duty-lists/{number}/items.csv").text
    again = draft(city, table.removeprefix("\ufeff").replace("JJ", "GA"))["id"]

    assert "路内交警，路外城管" in table
    assert city.see("platform", f"duty-lists/{again}/compare")["changed"][0]["category"] == "07-001"
    assert city.as_("platform").delete(f"/api/duty-lists/{number}").status_code == 204
    assert city.see("platform", f"duty-lists/{number}")["status"] == "withdrawn"
    assert city.see("platform", f"duty-lists/{number}")["items"] == []


def test_a_draft_that_is_sent_twice_is_stored_once(city: Any) -> None:
    first = draft(city, **{"Idempotency-Key": "k1"})
    assert draft(city, **{"Idempotency-Key": "k1"}) == first
    assert draft(city, SECOND, status=422, **{"Idempotency-Key": "k1"})["code"] == "idempotency_key_reused"
    assert len(city.see("platform", "duty-lists")) == 1


def test_a_table_that_cannot_be_used_names_its_cells(city: Any) -> None:
    refused = draft(city, FIRST.replace("JJ", "NONE"), status=422)

    assert refused["code"] == "bad_rules"
    assert [(one["row"], one["column"]) for one in refused["faults"]] == [(3, "lead")]
    assert city.see("platform", "duty-lists") == []
    assert draft(city, None, status=409)["code"] == "no_list_yet"


def test_the_page_of_a_draft_says_what_the_year_would_have_been(city: Any, clock: Any) -> None:
    publish(city)
    for category in ("10-001", "07-001", "07-001"):
        number = city.report(category=category)
    clock.advance(minutes=1)
    fields = {"name": "二版", "source": "区办发〔2026〕30号", "effective_from": TODAY}

    nothing = send(city, "platform", "/duties", **fields)
    sent = send(city, "platform", "/duties", SECOND, **fields)
    address = sent.headers["location"]
    tried = send(city, "platform", f"{address}/dry-run")
    page = words_of(see(city, "platform", address))

    assert (nothing.status_code, "请选择文件" in nothing.text) == (422, True)
    assert (sent.status_code, tried.status_code) == (303, 303)
    assert "2 件一致，1 件牵头单位变化。" in page
    assert "新增 0 项，删除 0 项，修改 1 项，不变 1 项。" in page
    assert "须由另一人发布" in page
    assert number not in page
    own = send(city, "platform", f"{address}/publish")
    assert (own.status_code, "second_person_needed" in own.text) == (403, True)
    assert send(city, "governance", f"{address}/publish").status_code == 303
    assert "第 2 版" in words_of(see(city, "worker", "/duties")) or "2" in words_of(
        see(city, "worker", "/duties")
    )
    assert "路内交警，路外城管" in see(city, "scjg", f"{address}?shared=1")


def test_an_item_of_a_draft_is_changed_on_the_page(city: Any) -> None:
    publish(city)
    address = send(city, "platform", "/duties", copy="1", name="x", source="y", effective_from=TODAY).headers[
        "location"
    ]
    item = re.findall(rf"{address}\?item=(\d+)", see(city, "platform", address))[1]
    cells = {"item_no": "2", "lead": "CG", "cooperating": "JJ", "basis": "agreed", "demarcation": "路外城管"}

    form = see(city, "platform", f"{address}?item={item}")
    wrong = send(city, "platform", f"{address}/items/{item}", **cells | {"cooperating": "NONE"})
    right = send(city, "governance", f"{address}/items/{item}", **cells)

    assert f'action="{address}/items/{item}"' in form
    assert (wrong.status_code, "NONE" in wrong.text) == (422, True)
    assert right.status_code == 303
    number = int(address.rpartition("/")[2])
    changed = city.see("platform", f"duty-lists/{number}/compare")["changed"]
    assert {cell["field"] for cell in changed[0]["changes"]} == {
        "lead",
        "cooperating",
        "basis",
        "demarcation",
    }
    # who changed it last is who drafted it
    assert city.as_("governance").post(f"/api/duty-lists/{number}/publish").status_code == 403
    assert city.act("platform", f"duty-lists/{number}/publish")["status"] == "published"


def test_powers_are_imported_listed_and_shown_on_the_case(city: Any) -> None:
    sent = send(city, "governance", "/powers", POWERS)
    mine, other = city.report(), city.report(category="07-001")

    assert sent.status_code == 303
    (power,) = city.see("centre", "powers")
    assert (power["town"], power["department"], power["limit"]) == ("990101001", "CG", "5000元以下")
    assert city.see("scjg", "powers") == [power]
    assert city.see("centre", "powers", area="990101002") == []
    assert city.as_("centre").get("/api/powers?area=990102").status_code == 404
    page = words_of(see(city, "centre", f"/incidents/{mine}"))
    assert ("镇街可自行办理" in page, "两名执法人员在场" in page, "0531-81234567" in page) == (
        True,
        True,
        True,
    )
    assert "镇街可自行办理" not in see(city, "centre", f"/incidents/{other}")
    assert "露天烧烤处罚" in see(city, "worker", "/powers")
    refused = send(city, "governance", "/powers", POWERS)  # they hold from that day already
    assert (refused.status_code, "第 2 行" in words_of(refused.text)) == (422, True)
    assert send(city, "centre", "/powers", POWERS).status_code == 403
    assert see(city, "centre", "/powers?area=990102001", 404)


def test_a_task_is_asked_for_and_decided_over_json(city: Any) -> None:
    wish = city.act("scjg", "admissions", WISH, 201)
    assert city.see("centre", "admissions") == []
    assert (
        city.as_("platform").post(f"/api/admissions/{wish['id']}/decide", json={"granted": True}).status_code
        == 403
    )
    assert city.as_("jj").get(f"/api/admissions/{wish['id']}").status_code == 404
    silent = city.as_("governance").post(f"/api/admissions/{wish['id']}/decide", json={"granted": False})
    assert (silent.status_code, silent.json()["field"]) == (422, "note")

    done = city.act("governance", f"admissions/{wish['id']}/decide", {"granted": True})

    assert (done["decision"], done["decided_by"] is None) == ("granted", False)
    assert [one["id"] for one in city.see("centre", "admissions")] == [wish["id"]]
    assert city.see("governance", "admissions", decision="refused") == []
    assert city.as_("centre").post("/api/admissions", json=WISH).status_code == 403
    assert city.as_("scjg").post("/api/admissions", json=WISH | {"towns": ["990199001"]}).status_code == 422


def test_a_task_is_asked_for_and_refused_on_the_page(city: Any) -> None:
    fields = {**WISH, "towns": ["990101001", "990101002"], "until": "2026-12-31"}
    assert send(city, "scjg", "/admissions", **fields).status_code == 303
    number = city.see("scjg", "admissions")[0]["id"]

    silent = send(city, "governance", f"/admissions/{number}/decide", decision="refused")
    done = send(city, "governance", f"/admissions/{number}/decide", decision="refused", note="经费未落实")

    assert (silent.status_code, "此项必填" in silent.text) == (422, True)
    assert done.status_code == 303
    assert "经费未落实" in see(city, "governance", "/admissions?decision=refused")
    assert "经费未落实" in see(city, "scjg", "/admissions")
    assert WISH["title"] not in see(city, "centre", "/admissions")
    bad = send(city, "scjg", "/admissions", **fields | {"support": ""})
    assert (bad.status_code, "每月一次" in bad.text) == (422, True)
    assert send(city, "centre", "/admissions", **fields).status_code == 403
