"""The pages: what people see and do in a browser, here without one; every form works without a script."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from api.i18n import catalogue
from api.pages import home
from gis.errors import Forbidden, Unavailable
from grids.rules.permissions import Role
from grids.tables import Person, Post

HAN = re.compile("[\u3400-\u9fff]")
CELL = "990101001001001"
FAR = {"lon": "117.005", "lat": "36.01", "frame": "CGCS2000"}
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "path", "source", "wbr"}


class Page(HTMLParser):
    """A page as tests ask about it: its elements with their attributes, and its text."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.status = answer.status_code
        self.source: str = answer.text
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(self.source)
        assert self.open == [], f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1:] == [tag], f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and all(attributes.get(key) == value for key, value in wanted.items())
        ]

    def value(self, name: str) -> str:
        """Return what stands in a field."""
        (found, *_) = self.all("input", name=name)
        return found.get("value", "")


def get(city: Any, who: str, path: str, **params: str) -> Page:
    answer = city.as_(who).get(path, params=params or None, headers={"accept": "text/html"})
    return Page(answer)


def send(city: Any, who: str, path: str, **fields: str) -> Any:
    """Send a form as a browser does, without following where it leads."""
    return city.as_(who).post(path, data=fields, headers={"accept": "text/html"}, follow_redirects=False)


def done(city: Any, who: str, path: str, **fields: str) -> str:
    """Send a form that is carried out; return where it leads."""
    answer = send(city, who, path, **fields)
    assert answer.status_code == 303, re.findall(r'class="problem".*?</div>', answer.text, re.DOTALL)
    return str(answer.headers["location"])


@pytest.fixture
def whistled(city: Any) -> tuple[str, str]:
    """An accepted incident and its level-1 whistle."""
    number = city.report(text="车库里有人烧烤", address="升平巷车库")
    done(city, "centre", f"/incidents/{number}/accept", category="10-001", level="1", reason="先由社区协调")
    return number, city.whistle(number, 1)


# -- signing in


def test_a_stranger_is_sent_to_the_login_and_comes_back_to_what_they_asked_for(city, http):
    client = city.stranger()

    sent = client.get("/dispatch?open=1", follow_redirects=False)
    login = Page(client.get(sent.headers["location"]))
    back = client.post(
        "/login",
        data={"login": "centre", "password": http.PASSWORD, "next": login.value("next")},
        follow_redirects=False,
    )

    assert sent.status_code == 303
    assert back.status_code == 303
    assert back.headers["location"] == "/dispatch?open=1"


@pytest.mark.parametrize(
    "goal", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\nb", "javascript:1"]
)
def test_nobody_is_sent_to_another_host_after_the_login(city, http, goal):
    sent = {"login": "centre", "password": http.PASSWORD, "next": goal}

    answer = city.stranger().post("/login", data=sent, follow_redirects=False)

    assert answer.headers["location"] == "/home"


def test_a_wrong_password_says_so_and_keeps_the_account_but_not_the_password(city):
    answer = city.stranger().post("/login", data={"login": "centre", "password": "guess me"})
    page = Page(answer)

    assert page.status == 401
    assert page.value("login") == "centre"
    assert "guess me" not in page.source
    assert catalogue("zh-CN")["problem.bad_credentials"] in page.text


def test_an_account_that_is_locked_says_until_when(city):
    client = city.stranger()
    for _ in range(5):
        page = Page(client.post("/login", data={"login": "centre", "password": "wrong"}))

    assert page.status == 429
    assert "2026-06-03 09:15" in page.text


def test_who_logs_out_is_out(city):
    city.as_("centre").post("/logout")

    answer = city.as_("centre").get("/home", follow_redirects=False)

    assert answer.headers["location"].startswith("/login")


def test_a_person_with_two_posts_goes_on_in_the_other(city):
    with city.database.sessions.begin() as session:
        person = session.query(Person).filter_by(login="worker").one()
        session.add(
            Post(person_id=person.id, role=Role.GRID_LEADER, area_code="990101001001", title="网格长")
        )
    first = get(city, "worker", "/home")
    (other,) = [option["value"] for option in first.all("option") if "selected" not in option]

    goal = done(city, "worker", "/identity", post=other)

    assert goal == "/home"
    assert "升平社区" in get(city, "worker", "/home").text
    assert send(city, "worker", "/identity", post="999999").status_code == 404


# -- every page

PAGES = [
    "/home",
    "/my",
    "/report/new",
    "/dispatch",
    "/inbox",
    "/map/hotspots",
    "/map/responses",
    "/map/recurrences",
]
READERS = ["worker", "leader", "centre", "town", "hotline", "platform", "auditor", "scjg"]


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_every_page_is_whole_for_every_kind_of_reader(city, whistled, language):
    number, whistle = whistled
    for reader in READERS:
        for path in [*PAGES, *([f"/incidents/{number}", f"/whistles/{whistle}"] if reader != "scjg" else [])]:
            page = get(city, reader, path, lang=language)

            assert page.status == 200, (reader, path)
            check(page, language)


def check(page: Page, language: str) -> None:
    assert page.all("html") == [{"lang": language}]
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    labelled = {attributes["for"] for attributes in page.all("label") if "for" in attributes}
    for tag in ("input", "select", "textarea"):
        for attributes in page.all(tag):
            kind = attributes.get("type", "text")
            assert kind in ("hidden", "radio", "checkbox") or attributes.get("id") in labelled, attributes
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert "style" not in attributes
        for name in ("href", "src", "action"):
            assert attributes.get(name, "/").startswith(("/", "#", "tel:", "?")), attributes
    assert all("src" in attributes for attributes in page.all("script"))
    assert page.all("style") == []
    for form in page.all("form"):
        assert form.get("action", "").startswith("/")


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_the_coverage_page_is_whole_for_those_who_may_read_it(city, language):
    for reader in ("centre", "town", "platform", "auditor"):
        for path in ("/coverage", "/coverage?category_field=07&level=building_group"):
            check(get(city, reader, path + ("&" if "?" in path else "?") + f"lang={language}"), language)
    assert get(city, "leader", "/coverage").status == 403
    assert "/coverage" not in get(city, "leader", "/home").source


def test_the_interface_is_english_for_who_reads_english(city, whistled):
    number, whistle = whistled
    data = {"莱城区", "凤城街道", "升平社区", "胜利社区", "口镇", "下水河村", "中文", "先由社区协调"}
    written = re.compile("|".join([*data, "第\\d网格", "\\w+同志", "车库里有人烧烤", "升平巷车库", "王某"]))
    for path in [*PAGES, f"/incidents/{number}", f"/whistles/{whistle}"]:
        page = get(city, "hotline", path, lang="en")

        left = written.sub("", page.text)
        assert not HAN.search(left), (path, HAN.findall(left))


def test_a_chosen_language_is_kept(city):
    get(city, "centre", "/home", lang="en")

    assert get(city, "centre", "/dispatch").all("html") == [{"lang": "en"}]
    assert get(city, "centre", "/dispatch", lang="zh-CN").all("html") == [{"lang": "zh-CN"}]


def test_changing_the_language_keeps_the_filters(city):
    page = get(city, "centre", "/dispatch", open="1", q="烧烤")

    (other,) = [link["href"] for link in page.all("a") if "lang=en" in link.get("href", "")]
    assert "open=1" in other
    assert "q=" in other


def test_what_people_write_is_shown_and_never_becomes_markup(city):
    evil = "<img src=x onerror=alert(1)>\"'{{7*7}}${8*8}</script>"
    number = city.report(text=evil, address=evil, reporter={"name": evil, "phone": "13812345678"})
    for path in (f"/incidents/{number}", "/dispatch", "/home", "/inbox", "/my"):
        page = get(city, "hotline", path)

        assert evil not in page.source
        assert page.all("img") == []
    assert evil in unescape(get(city, "hotline", f"/incidents/{number}").source)


# -- reporting


def test_a_report_by_coordinates_is_filed_in_its_cell(city):
    goal = done(
        city, "hotline", "/report/new", text="车库里有人烧烤", name="王某", phone="13812345678", **FAR
    )

    page = get(city, "hotline", goal)
    assert CELL in page.text
    assert "13812345678" in page.text
    assert get(city, "centre", goal).status == 200
    assert "13812345678" not in get(city, "centre", goal).source


def test_who_reports_something_in_another_area_is_told_that_it_is_filed(city):
    goal = done(city, "leader2", "/report/new", text="路灯不亮", **FAR)

    page = get(city, "leader2", goal)
    number = goal.rpartition("=")[2]
    assert page.status == 200
    assert f"已上报，编号 {number}。" in page.text
    assert get(city, "centre", f"/incidents/{number}").status == 200
    assert get(city, "leader2", f"/incidents/{number}").status == 404


def test_a_report_without_a_place_comes_back_with_what_was_typed(city):
    answer = send(city, "hotline", "/report/new", text="路灯不亮", address="升平巷 8 号", phone="13812345678")
    page = Page(answer)

    assert page.status == 422
    assert catalogue("zh-CN")["problem.place_needed"] in page.text
    assert "路灯不亮" in page.text
    assert page.value("address") == "升平巷 8 号"
    assert page.value("phone") == "13812345678"
    assert page.all("input", name="lon")[0]["aria-invalid"] == "true"


@pytest.mark.parametrize(
    ("field", "wrong", "code"),
    [
        ("lon", "abc", "bad_number"),
        ("lat", "nan", "bad_number"),
        ("lon", "1e999", "bad_number"),
        ("lon", "200", "coordinate_out_of_range"),
        ("frame", "MARS", "unknown_frame"),
        ("phone", "110", "bad_phone"),
        ("text", "", "text_length"),
        ("occurred_at", "yesterday", "bad_time"),
        ("occurred_at", "0001-01-01T00:00", "bad_time"),
        ("occurred_at", "2026-06-09T00:00", "time_out_of_range"),
        ("category", "99-999", "unknown_category"),
    ],
)
def test_what_is_wrong_with_a_report_stands_beside_its_field(city, field, wrong, code):
    page = Page(send(city, "hotline", "/report/new", **({"text": "路灯不亮", **FAR} | {field: wrong})))

    assert page.status == 422
    assert code in page.text
    said = [one for tag in ("input", "select", "textarea") for one in page.all(tag, name=field)]
    assert said[0].get("aria-invalid") == "true"
    assert city.count("incident") == {"incident": 0}


def test_the_same_form_sent_twice_files_one_report(city):
    key = get(city, "hotline", "/report/new").value("key")

    goals = [done(city, "hotline", "/report/new", text="路灯不亮", key=key, **FAR) for _ in range(2)]

    assert goals[0] == goals[1]
    assert city.count("incident") == {"incident": 1}


def test_a_place_can_be_checked_before_the_report_is_sent(city):
    page = Page(send(city, "hotline", "/report/new", do="locate", text="路灯不亮", **FAR))

    assert page.status == 200
    assert CELL in page.text
    assert "worker同志" in page.text
    assert "路灯不亮" in page.text
    assert city.count("incident") == {"incident": 0}


@pytest.mark.parametrize(
    ("lon", "lat", "said"),
    [
        ("117.0101", "36.01", "Which cell is it?"),
        ("116.9", "36.01", "This point lies in no grid cell."),
        ("36.01", "117.005", "problem.axes_swapped"),
        ("x", "36.01", "problem.bad_number"),
        ("", "", "No place chosen yet."),
    ],
)
def test_the_form_tells_at_once_where_a_point_lies(city, lon, lat, said):
    answer = city.as_("hotline").get(
        "/report/place", params={"lon": lon, "lat": lat, "frame": "WGS84", "lang": "en"}
    )
    words = next(text for msgid, text in catalogue("en").items() if msgid.startswith(said))

    assert answer.status_code == 200
    assert words.partition("{")[0] in Page(answer).text


# twelve metres west of the second cell
NEAR = {"lon": "117.009867", "lat": "36.01", "frame": "CGCS2000"}
FIRST, SECOND = "990101001001001", "990101001001002"


def radios(page):
    return [(one["value"], "checked" in one) for one in page.all("input", name="cell")]


def test_near_a_border_the_form_asks_which_cell_it_is_before_it_files(city):
    asked = Page(send(city, "hotline", "/report/new", text="路灯不亮", **NEAR))

    assert asked.status == 422
    assert catalogue("zh-CN")["problem.cell_needed"] in asked.text
    assert "离边界 12 米：请确认是哪一格" in asked.text
    assert radios(asked) == [(FIRST, True), (SECOND, False)]
    assert "凤城街道 · 升平社区 · 第2网格" in asked.text
    assert "相距 12 米" in asked.text
    assert "路灯不亮" in asked.text
    assert city.count("incident") == {"incident": 0}

    goal = done(city, "hotline", "/report/new", text="路灯不亮", cell=SECOND, key=asked.value("key"), **NEAR)

    page = get(city, "hotline", goal)
    assert SECOND in page.text
    assert "报件人确认是这一格" in page.text


def test_the_chosen_cell_stays_chosen_when_the_form_comes_back(city):
    page = Page(send(city, "hotline", "/report/new", text="", cell=SECOND, **NEAR))

    assert page.status == 422
    assert radios(page) == [(FIRST, False), (SECOND, True)]


def test_a_cell_that_was_chosen_for_another_point_is_asked_again_or_forgotten(city):
    stale = Page(send(city, "hotline", "/report/new", text="路灯不亮", cell="990101002001001", **NEAR))
    assert stale.status == 422
    assert "cell_not_candidate" in stale.text
    assert radios(stale) == [(FIRST, True), (SECOND, False)]

    goal = done(city, "hotline", "/report/new", text="路灯不亮", cell=SECOND, **FAR)

    assert CELL in get(city, "hotline", goal).text


def test_a_point_just_outside_may_be_left_to_the_platform(city):
    beside = NEAR | {"lon": "117.060133"}
    asked = Page(send(city, "hotline", "/report/new", do="locate", text="路灯不亮", **beside))
    assert [value for value, _ in radios(asked)] == ["990101002001002", "none"]

    none = done(city, "hotline", "/report/new", text="路灯不亮", cell="none", **beside)
    there = done(city, "hotline", "/report/new", text="路灯不亮", cell="990101002001002", **beside)

    placed = [
        city.see("platform", f"incidents/{goal.rpartition('/')[2]}")["placement"] for goal in (none, there)
    ]
    assert [one["how"] for one in placed] == ["outside", "confirmed"]


def test_a_coarse_position_is_not_taken_before_somebody_has_looked_at_the_point(city):
    coarse = FAR | {"accuracy_m": "320"}
    asked = Page(send(city, "hotline", "/report/new", text="路灯不亮", **coarse))

    assert asked.status == 422
    assert catalogue("zh-CN")["problem.pin_not_confirmed"] in asked.text
    assert "±320 米" in asked.text
    assert radios(asked) == []
    assert "required" in asked.all("input", name="pin")[0]
    done(city, "hotline", "/report/new", text="路灯不亮", pin="1", **coarse)
    done(city, "hotline", "/report/new", text="路灯不亮", **(FAR | {"accuracy_m": "50"}))


def test_a_coarse_point_that_is_right_and_near_a_border_is_asked_for_its_cell_next(city):
    asked = Page(send(city, "hotline", "/report/new", text="路灯不亮", pin="1", accuracy_m="320", **NEAR))

    assert radios(asked) == [(FIRST, True), (SECOND, False)]
    assert [one["type"] for one in asked.all("input", name="pin")] == ["hidden"]


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_a_case_says_why_in_both_languages(city, language):
    number = city.report(accuracy_m=8.0, **{k: float(v) for k, v in NEAR.items() if k != "frame"})
    city.act("centre", f"incidents/{number}/accept", {})
    words = catalogue(language)

    page = get(city, "centre", f"/incidents/{number}?lang={language}")

    for heading in ("cell", "category", "grade", "due", "people", "departments", "whistle"):
        assert words[f"what.{heading}"] in page.text
    assert words["because.cell.border"].partition("{place}")[2].partition("{")[0] in page.text
    assert words["because.grade.category"].partition("{grade}")[2] in page.text
    assert "because." not in page.text
    assert "{" not in page.text.partition(words["Why"])[2].partition(words["History"])[0]


# -- a case by forms alone


def test_a_case_goes_from_the_call_to_the_end_by_forms_alone(city):
    goal = done(
        city,
        "hotline",
        "/report/new",
        text="车库无照经营烧烤",
        category="10-001",
        name="王某",
        phone="13812345678",
        **FAR,
    )
    number = goal.rpartition("/")[2]
    done(city, "centre", f"{goal}/accept", category="10-001", level="1", reason="先由社区协调")
    first = f"/whistles/{city.whistle(number, 1)}"
    assert done(city, "leader", f"{first}/answer", at="incident") == goal
    second = done(city, "leader", f"{first}/escalate", reason="社区没有执法权")
    done(city, "centre", f"{second}/file", liaison_name="孙干事", liaison_phone="13855550000")
    done(city, "centre", f"{second}/assign", office="综合执法办公室", instruction="今晚处置")
    third = done(city, "office", f"{second}/escalate", reason="需要多部门联合执法")
    draft = {"type": "joint_enforcement", "reason": "街道没有执法权", "appointed_at": "2026-06-03T19:00"}
    called = {"role_SCJG": "lead", "role_GA": "cooperating", "role_CG": ""}
    called["chosen_reason"] = "烟尘已停,不需环保到场"
    done(
        city,
        "office",
        f"{third}/submit",
        appointed_place="居委会门口",
        limit="10",
        unit="work_hour",
        **draft,
        **called,
    )
    done(city, "town", f"{third}/confirm")
    whistle = third.rpartition("/")[2]
    tasks = {
        task["department"]["code"]: task["id"] for task in city.see("office", f"whistles/{whistle}")["tasks"]
    }
    assert set(tasks) == {"SCJG", "GA"}

    def part(who: str, act: str, **fields: str) -> str:
        return done(city, who, f"/tasks/{tasks[who.upper()]}/{act}", whistle=whistle, at="inbox", **fields)

    for who in ("scjg", "ga"):
        assert (
            part(who, "respond", staff_name="张科", staff_phone="13900001111", arrives_at="2026-06-03T18:55")
            == "/inbox"
        )
    assert "我单位于2026-06-03 18:55准时报到" in get(city, "office", third).text
    city.clock.advance(hours=10)
    part("scjg", "check_in", method="gps", lon="117.0051", lat="36.0101", frame="WGS84")
    part("ga", "check_in", method="manual", reason="街道工作人员在场核实")
    part("scjg", "start")
    part("ga", "complete", result="维持了现场秩序")
    shown = {"evidence_licence_check": "1", "other_evidence": "现场笔录", "without": "夜间当场处置,未拍照"}
    part("scjg", "complete", result="已取缔并处罚", **shown)
    done(city, "office", f"{third}/verify", comment="现场已清理")
    done(city, "worker", f"{goal}/verify", comment="夜间复查无反弹")
    done(
        city, "callback", f"{goal}/callback", reached="1", solved="yes", satisfaction="5", comment="十分满意"
    )
    for task in tasks.values():
        marks = {"response": "100", "handling": "100", "result": "100"}
        done(city, "office", f"/tasks/{task}/score", whistle=whistle, at="whistle", **marks)
    done(city, "centre", f"{third}/archive")

    page = get(city, "platform", goal)
    assert city.status(number) == "closed"
    assert "十分满意" in page.text
    assert city.first_broken(number) is None
    shown = get(city, "platform", third).text
    for text in ("响应 2/2", "到场 2/2", "办结 2/2", "已归档", "证照核查、现场笔录", "100.00"):
        assert text in shown


def test_what_may_be_done_is_offered_to_whom_it_is_for_and_nobody_else(city, whistled):
    number, whistle = whistled

    def offered(who: str) -> set[str]:
        return {form["action"] for form in get(city, who, f"/incidents/{number}").all("form", method="post")}

    assert offered("leader") >= {
        f"/whistles/{whistle}/answer",
        f"/whistles/{whistle}/solve",
        f"/whistles/{whistle}/escalate",
    }
    assert offered("auditor") == {"/logout"}
    assert send(city, "auditor", f"/whistles/{whistle}/answer").status_code == 403


def test_an_act_that_fails_half_way_leaves_nothing_behind(city):
    number = city.report()
    before = city.count("trace", "deadline", "message", "whistle")

    page = Page(
        send(city, "centre", f"/incidents/{number}/accept", category="10-001", grade="red", at="incident")
    )

    assert page.status == 422
    assert catalogue("zh-CN")["problem.reason_needed"] in page.text
    assert page.all("details", **{"class": "act"})[0].get("open") == ""
    assert city.status(number) == "reported"
    assert city.count("trace", "deadline", "message", "whistle") == before


def test_an_act_that_came_too_late_says_so_and_shows_how_it_stands(city, whistled):
    number, whistle = whistled
    done(city, "leader", f"/whistles/{whistle}/solve", result="已劝离")

    page = Page(send(city, "leader", f"/whistles/{whistle}/escalate", reason="社区没有执法权", at="incident"))

    assert page.status == 409
    assert catalogue("zh-CN")["problem.illegal_transition"] in page.text
    assert city.status(number) == "resolved"


def test_a_draft_without_a_lead_comes_back_with_its_departments(city):
    number = city.report()
    done(city, "centre", f"/incidents/{number}/accept", category="10-001", level="3", reason="直接吹三级哨")
    third = f"/whistles/{city.whistle(number, 3)}"

    fields = {
        "role_SCJG": "cooperating",
        "role_GA": "cooperating",
        "reason": "没有执法权",
        "type": "comprehensive",
    }
    page = Page(send(city, "office", f"{third}/submit", at="whistle", **fields))

    assert page.status == 422
    assert catalogue("zh-CN")["problem.one_lead"] in page.text
    chosen = [one for one in page.all("option", value="cooperating") if "selected" in one]
    assert len(chosen) == 2


def test_a_task_under_another_whistle_is_not_found(city, whistled):
    _, whistle = whistled

    assert send(city, "office", "/tasks/1/respond", whistle=whistle).status_code == 404
    assert send(city, "office", "/tasks/1/respond").status_code == 404


def test_unknown_acts_and_cases_out_of_sight_are_not_found(city, whistled):
    number, whistle = whistled

    for path in (f"/incidents/{number}/explode", f"/whistles/{whistle}/explode", "/tasks/1/explode"):
        assert send(city, "centre", path).status_code == 404
    for path in (
        f"/incidents/{number}",
        f"/whistles/{whistle}",
        "/incidents/1",
        "/my?area=990101002",
        "/dispatch?area=990101002",
    ):
        page = get(city, "worker" if "?" in path else "sibling", path)
        assert page.status == 404
        assert len(page.all("h1")) == 1


# -- lists


def test_the_inbox_shows_what_waits_and_forgets_what_was_read(city, whistled):
    number, whistle = whistled
    page = get(city, "leader", "/inbox")
    newest = page.value("up_to")
    late = city.report(cell="990101001001002")
    done(city, "centre", f"/incidents/{late}/accept", category="10-001", level="1", reason="先由社区协调")

    goal = done(city, "leader", "/messages/read", up_to=newest)
    after = get(city, "leader", "/inbox")

    assert number in page.text
    assert f"/whistles/{whistle}" in page.source
    assert goal == "/inbox#messages"
    assert late in after.text
    assert f"一级哨 {whistle}" not in after.text


def test_numbers_on_the_landing_page_lead_to_lists_of_so_many(city):
    for _ in range(3):
        city.report()
    page = get(city, "centre", "/home")

    tiles = [link["href"] for link in page.all("a", **{"class": "tile"})]
    counts = re.findall(r"<b>(\d+)\+?</b>", page.source)
    for href, count in zip(tiles, counts, strict=True):
        listed = (
            set(re.findall(r"/incidents/(\d{19})", get(city, "centre", href).source))
            if "dispatch" in href
            else None
        )
        assert listed is None or len(listed) == int(count), href
    assert "/dispatch?status=reported" in tiles


def test_the_list_of_incidents_filters_and_goes_on_page_by_page(city):
    with_lamp = city.report(text="路灯不亮", category="01-011")
    for _ in range(51):
        city.report()

    first = get(city, "platform", "/dispatch")
    (older,) = [link["href"] for link in first.all("a") if "cursor=" in link.get("href", "")]
    second = get(city, "platform", f"/dispatch{older}")
    found = get(
        city, "platform", "/dispatch", q="路灯", status="reported", category="01-011", area="990101001"
    )

    assert len(first.all("a", **{"class": "case"})) == 50
    assert len(second.all("a", **{"class": "case"})) == 2
    assert [link["href"] for link in found.all("a", **{"class": "case"})] == [f"/incidents/{with_lamp}"]
    assert "没有符合条件的事件" in get(city, "platform", "/dispatch", q="没有的词").text


@pytest.mark.parametrize(
    ("field", "wrong"), [("status", "flying"), ("grade", "pink"), ("from", "abc"), ("cursor", "???")]
)
def test_a_filter_that_cannot_be_used_is_named(city, field, wrong):
    page = get(city, "platform", "/dispatch", **{field: wrong})

    assert page.status == 422
    assert len(page.all("div", **{"class": "problem"})) == 1


# -- analysis


def test_the_map_and_the_table_answer_the_same_question(city):
    for _ in range(3):
        city.report()
    city.report(cell="990101002001001")

    page = get(
        city, "platform", "/map/hotspots", **{"from": "2026-06-01", "to": "2026-06-30", "metric": "count"}
    )

    (frame,) = page.all("iframe")
    rows = dict(
        re.findall(
            r'<th scope="row"><a href="[^"]*area=(\d+)[^"]*">.*?<td class="n">.*?>(\d+)</a>',
            page.source,
            re.DOTALL,
        )
    )
    assert frame["src"].startswith("/maps/hotspots?area=990101&level=town")
    assert city.as_("platform").get(frame["src"]).status_code == 200
    assert rows == {"990101001": "3", "990101002": "1"}


def test_a_name_in_the_table_leads_one_level_down_to_the_cell(city):
    city.report()
    path = "/map/hotspots"
    for level in ("town", "community", "building_group"):
        page = get(city, "platform", path)
        assert f"level={level}" in page.all("iframe")[0]["src"]
        (path, *_) = map(unescape, re.findall(r'<th scope="row"><a href="([^"]+)"', page.source))

    assert path == f"/my?area={CELL}"
    assert [link for link in page.all("a") if link.get("href", "").startswith("/map/hotspots?area=990101&")]


def test_a_department_sees_its_own_cases_in_its_district(city):
    page = get(city, "scjg", "/map/responses")

    assert page.status == 200
    assert page.all("iframe")[0]["src"].startswith("/maps/responses?area=990101&")


@pytest.mark.parametrize(
    "asked",
    [{"level": "galaxy"}, {"metric": "beauty"}, {"from": "2026-06-30", "to": "2026-06-01"}, {"from": "x"}],
)
def test_a_question_that_cannot_be_answered_is_named_and_draws_no_map(city, asked):
    page = get(city, "platform", "/map/hotspots", **asked)

    assert page.status == 422
    assert page.all("iframe") == []
    assert len(page.all("div", **{"class": "problem"})) == 1


# -- errors


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_an_address_without_a_page_gets_a_page_that_says_what_to_do(city, language):
    page = get(city, "centre", "/nowhere", lang=language)

    assert page.status == 404
    check(page, language)
    assert "no_such_address" in page.text
    assert "/home" in page.source


def test_an_act_that_another_site_started_is_refused(city):
    answer = city.as_("centre").post(
        "/logout", headers={"origin": "https://evil.example", "accept": "text/html"}, follow_redirects=False
    )

    assert answer.status_code == 403
    assert catalogue("zh-CN")["problem.cross_site"] in Page(answer).text


def test_a_form_that_is_far_too_big_is_refused(city):
    answer = send(city, "hotline", "/report/new", text="x" * 1_200_000, **FAR)

    assert answer.status_code == 413
    assert len(Page(answer).all("h1")) == 1


def test_no_page_is_kept_by_a_cache_or_framed_by_others(city):
    answer = city.as_("centre").get("/home")

    assert answer.headers["cache-control"] == "no-store"
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (Unavailable("database_busy", "the database does not answer now"), 503, "database_busy"),
        (RuntimeError("secret detail"), 500, "internal_error"),
        (Forbidden("no_post", "this person holds no post"), 403, "no_post"),
    ],
)
def test_a_page_that_cannot_be_made_says_so_plainly_and_tells_nothing_more(
    city, monkeypatch, failure, status, code
):
    def fail(*_: Any) -> None:
        raise failure

    city.as_("centre")
    monkeypatch.setattr(home, "waiting_for", fail)
    page = get(city, "centre", "/home")

    assert page.status == status
    check(page, "zh-CN")
    assert code in page.text
    assert "secret detail" not in page.source
    assert ("再试一次" in page.text or "重试" in page.text) == (status >= 500)
