"""The pages of recurrent problem points: who may open what, what is refused, and what a photo may be."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from api.worker import do_nights

SAID = {
    "category": "07-001",
    "lon": "117.005",
    "lat": "36.01",
    "frame": "CGCS2000",
    "name": "校门 <script>x</script>",
}


@pytest.fixture(scope="module")
def point(still_city: Any) -> str:
    """A point that the grid leader named and confirmed, with a photo; its address."""
    leader = still_city.as_("leader")
    answer = leader.post("/points", data=SAID, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    address = str(answer.headers["location"])
    assert leader.post(f"{address}/confirm", data={"note": "属实"}).status_code == 200
    assert send(leader, address, photo()).status_code == 200
    return address


def photo(colour: str = "red") -> bytes:
    taken = BytesIO()
    Image.new("RGB", (40, 30), colour).save(taken, "JPEG")
    return taken.getvalue()


def send(who: Any, address: str, content: bytes, **said: str) -> Any:
    fields = {"side": "before", "note": "x"} | said
    return who.post(f"{address}/add_photo", data=fields, files={"photo": ("a.jpg", content, "image/jpeg")})


@pytest.mark.parametrize("login", ["leader", "worker", "centre", "office", "town", "platform", "auditor"])
def test_those_in_whose_area_it_lies_see_the_point(still_city: Any, point: str, login: str) -> None:
    who = still_city.as_(login)

    for page in (point, "/points?kind=parking"):
        text = who.get(page).text
        assert "校门 &lt;script&gt;x&lt;/script&gt;" in text
        assert "<script>x" not in text
    assert who.get(f"{point}/photos/1.jpg").headers["content-type"] == "image/jpeg"


@pytest.mark.parametrize("login", ["neighbour", "leader2", "sibling", "sibling_town", "jj", "cg"])
def test_others_do_not(still_city: Any, point: str, login: str) -> None:
    who = still_city.as_(login)

    assert "校门" not in who.get("/points?kind=parking&status=all").text
    for page in (point, f"{point}/photos/1.jpg"):
        assert who.get(page, headers={"Accept": "text/html"}).status_code == 404
    for act in ("confirm", "plan", "finish", "add_photo"):
        assert who.post(f"{point}/{act}", data={"note": "x"}).status_code == 404


@pytest.mark.parametrize("page", ["/points", "/points/new", "/campaigns", "/campaigns/new"])
def test_a_stranger_is_sent_to_the_login(still_city: Any, page: str) -> None:
    answer = still_city.stranger().get(page, follow_redirects=False)

    assert (answer.status_code, answer.headers["location"][:6]) == (303, "/login")


@pytest.mark.parametrize(
    ("login", "page"),
    [
        ("worker", "/points/new"),
        ("auditor", "/points/new"),
        ("leader", "/campaigns/new"),
        ("jj", "/campaigns/new"),
    ],
)
def test_forms_are_for_those_who_may_send_them(still_city: Any, login: str, page: str) -> None:
    assert still_city.as_(login).get(page).status_code == 403


def test_a_campaign_is_offered_to_those_who_may_begin_one(still_city: Any, point: str) -> None:
    assert 'action="/campaigns/new"' in still_city.as_("office").get("/points?kind=parking").text
    assert 'action="/campaigns/new"' not in still_city.as_("leader").get("/points?kind=parking").text
    assert (
        'name="place"'
        in still_city.as_("office").get(f"/campaigns/new?place={point.rpartition('/')[2]}").text
    )


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("kind=parking", True),
        ("kind=water", False),
        ("kind=nonsense", False),
        ("kind=parking&status=confirmed", True),
        ("kind=parking&status=cured", False),
        ("kind=parking&status=all", True),
        ("kind=parking&times=3", False),
        ("kind=parking&overdue=1", False),
        ("kind=parking&q=校门", True),
        ("kind=parking&q=后门", False),
        ("kind=parking&lead=JJ", False),
        ("kind=parking&area=990101001001", True),
    ],
)
def test_the_address_says_what_the_ledger_shows(still_city: Any, point: str, query: str, shown: bool) -> None:
    answer = still_city.as_("centre").get(f"/points?{query}")

    assert answer.status_code == 200
    assert (f'href="{point}"' in answer.text) is shown


@pytest.mark.parametrize(
    ("query", "status"), [("status=lost", 422), ("times=x", 422), ("cursor=x", 422), ("area=990101002", 404)]
)
def test_filters_that_cannot_be_used_are_refused(still_city: Any, query: str, status: int) -> None:
    assert still_city.as_("centre").get(f"/points?{query}").status_code == status


def test_what_is_no_photo_comes_back_with_the_form_open(still_city: Any, point: str) -> None:
    leader = still_city.as_("leader")

    for answer in (send(leader, point, b"no photo"), send(leader, point, photo(), side="beside")):
        assert answer.status_code == 422
        assert '<details class="act" open>' in answer.text
    assert leader.post(f"{point}/add_photo", data={"side": "before"}).status_code == 422


def test_a_photo_of_a_telephone_passes_where_a_form_of_that_size_does_not(
    still_city: Any, point: str
) -> None:
    leader = still_city.as_("leader")
    large = photo("blue") + b"\0" * 3_000_000  # a telephone's tags and previews stand behind the picture

    assert send(leader, point, large).status_code == 200
    assert leader.post(f"{point}/confirm", data={"note": "x" * 1_200_000}).status_code == 413
    assert send(leader, point, b"\0" * 16_500_000).status_code == 413


def test_an_act_that_no_form_has_is_not_found(still_city: Any, point: str) -> None:
    for act in ("cure", "return", "join", "nonsense"):
        assert still_city.as_("platform").post(f"{point}/{act}").status_code == 404


def test_an_incident_links_to_its_point_and_says_which_time_it_is(still_city: Any, point: str) -> None:
    number = still_city.report(category="07-001")
    still_city.act("centre", f"incidents/{number}/accept", {"level": 1})

    text = still_city.as_("centre").get(f"/incidents/{number}").text

    assert f'href="{point}"' in text
    assert "此处第 1 件" in text
    assert f'href="/incidents/{number}"' in still_city.as_("centre").get(point).text


PLAN = {"cause": "无处停", "measure": "划线", "lead": "JJ", "due_on": "2026-06-20"}


def named(city: Any, by: str = "leader", **said: str) -> str:
    """Name a point; return its address."""
    answer = city.as_(by).post("/points", data=SAID | said, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def sent(city: Any, by: str, address: str, **said: str) -> None:
    answer = city.as_(by).post(address, data=said, follow_redirects=False)
    assert answer.status_code == 303, answer.text


def waits_at(city: Any, address: str) -> list[str]:
    """Return the logins on whose landing page and in whose inbox a point stands among what waits for them."""
    row = f'<a class="case case-plain" href="{address}"'
    logins = ("worker", "leader", "leader2", "centre", "office", "platform", "jj", "cg", "auditor")
    home, inbox = (
        [login for login in logins if row in city.as_(login).get(page).text] for page in ("/home", "/inbox")
    )
    assert home == inbox
    return home


def test_a_point_waits_for_whose_turn_it_is(city: Any) -> None:
    point = named(city)
    assert waits_at(city, point) == ["leader"]

    sent(city, "leader", f"{point}/confirm")
    assert waits_at(city, point) == ["centre", "office"]

    sent(city, "office", f"{point}/plan", **PLAN, co_CG="yes")
    assert waits_at(city, point) == ["jj"]

    sent(city, "jj", f"{point}/finish", result="好了")
    assert waits_at(city, point) == []


def test_a_plan_that_the_town_leads_waits_for_the_town(city: Any) -> None:
    point = named(city)
    sent(city, "leader", f"{point}/confirm")
    sent(city, "office", f"{point}/plan", **PLAN | {"lead": "TOWN"})

    assert waits_at(city, point) == ["centre", "office"]


def test_the_page_says_what_is_missing_until_a_point_is_cured(city: Any) -> None:
    point = named(city)
    sent(city, "leader", f"{point}/confirm")
    sent(city, "office", f"{point}/plan", **PLAN, co_CG="yes")
    assert "<dt>协办单位</dt> <dd>" in city.as_("leader").get(point).text  # in the history too
    sent(city, "jj", f"{point}/finish", result="好了")
    assert "最早 2026-09-01" in city.as_("leader").get(point).text

    city.clock.advance(days=89)
    number = city.report(category="07-001")
    city.clock.advance(days=2)
    text = city.as_("leader").get(point).text
    assert "此处有 1 件上报尚未审核" in text
    assert "最早 " not in text  # that day is over
    assert "今夜自动销号" not in text

    city.act("centre", f"incidents/{number}/reject", {"reason": "no_content", "reply": "没有内容"})
    assert "今夜自动销号" in city.as_("leader").get(point).text

    city.clock.advance(days=1)
    do_nights(city.database, city.clock)
    text = city.as_("leader").get(point).text
    assert "已销号，无需办理" in text
    assert "<dt>平静天数</dt> <dd>92</dd>" in text


def test_what_was_set_aside_waits_for_nobody(city: Any) -> None:
    point = named(city)
    sent(city, "leader", f"{point}/dismiss", reason="只是洒水车")

    text = city.as_("leader").get(point).text

    assert "已不列入，无需办理" in text
    assert "尚无方案" not in text
    assert waits_at(city, point) == []


def test_a_campaign_has_a_name_and_ends_before_its_last_day(city: Any) -> None:
    point = named(city)
    number = point.rpartition("/")[2]
    office = city.as_("office")
    form = office.get(f"/campaigns/new?place={number}").text
    assert ("姓名" in form, "名称" in form) == (False, True)

    last = (city.clock() + timedelta(days=30)).date().isoformat()
    wanted = {
        "place": number,
        "name": "停车",
        "goal": "畅通",
        "lead": "JJ",
        "from_on": "2026-06-03",
        "until_on": last,
    }
    campaign = office.post("/campaigns", data=wanted, follow_redirects=False).headers["location"]
    sent(city, "office", f"{campaign}/end", result="好")

    for page in (campaign, "/campaigns?every=true"):
        text = office.get(page).text
        assert ("已结束" in text, "已到期" in text) == (True, False)
