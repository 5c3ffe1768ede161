"""Nobody sees or does anything outside their area or department: out of sight answers as missing does."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest

STRANGERS = ("neighbour", "leader2", "sibling", "sibling_office", "sibling_leader", "sibling_town", "jj")
EVENING = "2026-06-03T19:00:00+08:00"
WORDS = "KANARIENVOGEL"
PHONE = "13987651234"
STAFF = "13866660000"
LIAISON = "13855550000"


@dataclass(frozen=True)
class Case:
    """An incident in one town with a whistle at each level and a task for each department called."""

    number: str
    second: str
    third: str
    task: int
    dispute: str
    slip: str
    place: str
    photo: int
    campaign: str


@pytest.fixture(scope="module")
def case(still_city: Any) -> Case:
    """The case that nobody else may see."""
    city = still_city
    number = city.report(text=f"烧烤 {WORDS}", reporter={"name": "赵某", "phone": PHONE})
    city.act("centre", f"incidents/{number}/accept", {"level": 1})
    city.act("leader", f"whistles/{city.whistle(number, 1)}/escalate", {"reason": "劝导无效"})
    second = city.whistle(number, 2)
    city.act("centre", f"whistles/{second}/file", {"liaison_name": "孙干事", "liaison_phone": LIAISON})
    city.act("centre", f"whistles/{second}/assign", {"office": "执法办", "instruction": "处置"})
    third = city.act(
        "office",
        f"incidents/{number}/whistles",
        {
            "level": 3,
            "reason": "街道无执法权",
            "departments": [{"code": "SCJG", "role": "lead"}, {"code": "CG", "role": "cooperating"}],
            "appointed_at": EVENING,
            "appointed_place": "居委会",
        },
        201,
    )["number"]
    city.act("town", f"whistles/{third}/confirm")
    task = city.see("office", f"whistles/{third}")["tasks"][0]["id"]
    city.act("scjg", f"tasks/{task}/respond", {"staff_name": "张科", "staff_phone": STAFF})
    filed = city.act("scjg", f"incidents/{number}/disputes", FILING, 201)
    slip = city.act("governance", f"tasks/{task}/nudge", {"kind": "supervise", "note": f"速办 {WORDS}"})
    place = city.act("leader", "places", NAMED, 201)["number"]
    shown = city.as_("leader").post(f"/api/places/{place}/photos", data={"side": "before"}, files=PHOTO)
    campaign = city.act("office", "campaigns", CAMPAIGN | {"places": [place]}, 201)["number"]
    return Case(
        number, second, third, task, filed["number"], slip["number"], place, shown.json()["id"], campaign
    )


FILING = {"matter": f"谁管 {WORDS}", "position": "不是我局"}


PHOTO = {
    "file": (
        "x.png",
        bytes.fromhex(
            "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
            "53de0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
        ),
    )
}
NAMED = {
    "category": "10-001",
    "lon": 117.005,
    "lat": 36.01,
    "frame": "CGCS2000",
    "name": f"车库 {WORDS}",
}
PLAN = {"cause": "x", "measure": "x", "lead": "TOWN", "due_on": "2026-09-01"}
PLACE_ACTS: dict[str, Any] = {
    "confirm": {},
    "dismiss": {"reason": "x"},
    "plan": PLAN,
    "change-plan": PLAN | {"reason": "x"},
    "finish": {"result": "x"},
}
CAMPAIGN = {
    "name": f"整治 {WORDS}",
    "area": "990101001",
    "goal": "x",
    "lead": "TOWN",
    "from_on": "2026-06-01",
    "until_on": "2026-07-01",
}
WAITING = {"reason": "weather", "note": "x", "until": "2026-06-10T09:00:00+08:00"}
DRAFT = {"level": 3, "reason": "x", "appointed_at": EVENING, "appointed_place": "x"}
INCIDENT_ACTS: dict[str, Any] = {
    "place": {"code": "990101001001001"},
    "accept": {},
    "resolve": {"result": "x"},
    "verify": {"passed": True},
    "callback": {"reached": False},
    "reopen": {"reason": "x"},
    "whistles": DRAFT,
    "disputes": FILING,
    "inspect": {"found": "exist"},
    "reject": {"reason": "no_content", "reply": "x"},
    "merge": {"master": "2026060399010199998"},
    "cancel": {"reason": "x"},
    "regrade": {"grade": "red", "reason": "x"},
    "ask-suspension": WAITING,
    "suspend": WAITING,
    "refuse-suspension": {"note": "x"},
    "resume": None,
    "ledger": {"plan": "x", "lead": "TOWN", "review_on": "2026-07-01", "public_reply": "x"},
    "review-ledger": {"note": "x", "review_on": "2026-07-01"},
    "take-up": {"note": "x"},
    "close-ledger": {"public_reply": "x"},
}
WHISTLE_ACTS: dict[str, Any] = {
    "answer": None,
    "solve": {"result": "x"},
    "escalate": {"reason": "x"},
    "file": {"liaison_name": "x", "liaison_phone": LIAISON},
    "assign": {"office": "x", "instruction": "x"},
    "confirm": None,
    "refuse": {"reason": "x"},
    "issue": None,
    "verify": {},
    "archive": None,
    "action": {"measures": "x"},
    "withdraw": {"reason": "x"},
    "hand-back": {"reason": "x"},
    "liaison": {"liaison_name": "x", "liaison_phone": LIAISON},
    "submit": {key: value for key, value in DRAFT.items() if key != "level"},
    "confirm-by-phone": {"heard_by": "x"},
    "write-confirmation": None,
    "confirm-instead": {"reason": "x"},
    "change-departments": {"departments": [{"code": "CG", "role": "lead"}], "reason": "x"},
}
TASK_ACTS: dict[str, Any] = {
    "respond": {"staff_name": "x", "staff_phone": STAFF},
    "check-in": {"method": "manual", "reason": "x"},
    "start": None,
    "confirm-presence": {},
    "deny-presence": {"comment": "x"},
    "start-remote": {"reason": "x"},
    "complete": {"result": "x"},
    "rework": {"comment": "x"},
    "score": {"response": 1, "handling": 1, "result": 1, "comment": "x"},
    "peer-score": {"mark": 90},
    "request-return": {"reason": "not_our_duty", "legal_basis": "x"},
    "decide-return": {"granted": False, "note": "x"},
    "extend": {"value": 1, "unit": "work_day", "reason": "x", "citizen_told": True},
    "decide-extension": {"granted": True},
    "appeal": {"grounds": "x"},
    "decide-appeal": {"upheld": False, "note": "x"},
    "nudge": {"note": "x"},
}
SETTLED = {"lead": "CG", "grounds": [{"kind": "law", "text": "x"}]}
DISPUTE_ACTS: dict[str, Any] = {
    "state-position": {"position": "x"},
    "negotiate": {"minutes": "x"},
    "agree": SETTLED,
    "coordinate": {},
    "give-opinion": {"opinion": "x", "lead": "CG"},
    "meet": {"minutes": "x"},
    "sign-off": {"party": "bianban", "name": "x"},
    "put-to-leader": {"reason": "x"},
    "decide": SETTLED,
    "refuse": {"reason": "x"},
    "close": {},
    "withdraw": {"reason": "x"},
    "suspend": {"reason": "x", "until": EVENING},
    "resume": None,
}
MISSING = Case(
    "2026060399010199999",
    "W2026060399010199999",
    "W2026060399010199998",
    999_999,
    "D2026060399010199999",
    "B2026060399010199999",
    "P2026060399010199999",
    999_999,
    "C2026060399010199999",
)


def requests_about(case: Case) -> list[tuple[str, str, Any]]:
    """Return every request that names the case: method, address, body."""
    found: list[tuple[str, str, Any]] = [
        ("GET", f"incidents/{case.number}", None),
        ("GET", f"incidents/{case.number}/trace", None),
        ("GET", f"whistles/{case.second}", None),
        ("GET", f"whistles/{case.third}", None),
        ("GET", f"whistles/{case.third}/code", None),
        ("GET", f"whistles/{case.third}/returns", None),
        ("GET", f"whistles/{case.third}/letter.pdf", None),
        ("GET", f"tasks/{case.task}", None),
        ("GET", f"tasks/{case.task}/appraisal", None),
        ("GET", f"incidents/{case.number}/whistle-proposal", None),
        ("GET", f"slips/{case.slip}", None),
        ("GET", f"slips/{case.slip}/slip.pdf", None),
        ("POST", f"slips/{case.slip}/answer", {"text": "x"}),
    ]
    found += [("POST", f"incidents/{case.number}/{act}", body) for act, body in INCIDENT_ACTS.items()]
    found += [("POST", f"whistles/{case.third}/{act}", body) for act, body in WHISTLE_ACTS.items()]
    found += [("POST", f"tasks/{case.task}/{act}", body) for act, body in TASK_ACTS.items()]
    found.append(("GET", f"disputes/{case.dispute}", None))
    found += [("POST", f"disputes/{case.dispute}/{act}", body) for act, body in DISPUTE_ACTS.items()]
    found += [
        ("GET", f"places/{case.place}", None),
        ("POST", f"places/{case.place}/photos", PHOTO),
        ("GET", f"places/{case.place}/photos/{case.photo}", None),
        ("GET", f"campaigns/{case.campaign}", None),
        ("POST", f"campaigns/{case.campaign}/end", {"result": "x"}),
    ]
    found += [("POST", f"places/{case.place}/{act}", body) for act, body in PLACE_ACTS.items()]
    return found


def ask(client: Any, method: str, path: str, body: Any) -> Any:
    """Make a request with JSON, or with a photo."""
    if body is PHOTO:
        return client.request(method, f"/api/{path}", data={"side": "before"}, files=PHOTO)
    return client.request(method, f"/api/{path}", json=body)


def test_the_requests_cover_every_route_that_names_a_case(still_city: Any, case: Case) -> None:
    holes = {
        case.number: "{number}",
        case.second: "{number}",
        case.third: "{number}",
        str(case.task): "{task_id}",
        case.dispute: "{number}",
        case.slip: "{number}",
        case.place: "{number}",
        case.campaign: "{number}",
    }
    asked = set()
    for method, path, _ in requests_about(case):
        noun, key, *act = path.split("/")
        act = [*act[:1], *("{photo_id}" for _ in act[1:])]
        asked.add((method.lower(), "/".join(["/api", noun, holes[key], *act])))
    for path, operations in still_city.stranger().get("/openapi.json").json()["paths"].items():
        for method in operations:
            if "{number}" in path or "{task_id}" in path:
                assert (method, path) in asked or path.endswith("{act}"), path


@pytest.mark.parametrize("login", STRANGERS)
def test_a_case_of_somebody_else_answers_like_one_that_does_not_exist(
    still_city: Any, case: Case, login: str
) -> None:
    client = still_city.as_(login)
    before = still_city.count("trace", "deadline", "message", "whistle", "task")

    for (method, path, body), (_, missing, _) in zip(
        requests_about(case), requests_about(MISSING), strict=True
    ):
        there = ask(client, method, path, body)
        nowhere = ask(client, method, missing, body)
        assert (there.status_code, nowhere.status_code) == (404, 404), f"{method} {path}: {there.text}"
        assert anonymous(there.json(), case) == anonymous(nowhere.json(), MISSING), path

    assert still_city.count("trace", "deadline", "message", "whistle", "task") == before


def anonymous(body: dict[str, Any], case: Case) -> str:
    """Return a body without the numbers that were asked for."""
    text = json.dumps(body, ensure_ascii=False, sort_keys=True)
    for number in (
        case.second,
        case.third,
        case.number,
        case.dispute,
        case.slip,
        case.place,
        case.campaign,
    ):
        text = text.replace(number, "...")
    return re.sub(rf"\b({case.task}|{case.photo})\b", "...", text)


@pytest.mark.parametrize("login", STRANGERS)
def test_no_list_figure_or_map_shows_a_case_of_somebody_else(still_city: Any, case: Case, login: str) -> None:
    client = still_city.as_(login)

    for path in (
        "/api/incidents",
        "/api/incidents?area=990101001001001",
        "/api/incidents?q=" + WORDS,
        "/api/incidents?bbox=116.9,35.9,117.2,36.2",
        f"/api/incidents?q={case.number}",
        "/api/whistles",
        "/api/whistles?area=990101001",
        "/api/tasks",
        "/api/tasks?department=SCJG",
        "/api/disputes",
        "/disputes?every=true",
        "/api/slips",
        "/slips",
        "/api/ledger?ended=true",
        "/ledger",
        "/api/places",
        "/api/places?area=990101001",
        "/api/campaigns",
        "/points",
        "/campaigns",
        "/api/deliveries",
        "/maps/area",
        "/maps/hotspots",
        "/maps/responses",
        "/maps/recurrences",
        "/home",
        "/dispatch",
        "/inbox",
    ):
        answer = client.get(path)
        assert answer.status_code in (200, 403, 404, 422), (path, answer.text)
        for secret in (
            case.number,
            case.second,
            case.third,
            case.dispute,
            case.slip,
            WORDS,
            PHONE,
            STAFF,
            case.place,
        ):
            assert secret not in answer.text, f"{login} sees {secret} at {path}"
    counts = client.get("/api/measures/counts").json()
    assert sum(row["n"] for row in counts["rows"]) == 0


@pytest.mark.parametrize("login", ["sibling", "sibling_leader", "neighbour"])
def test_figures_and_people_of_an_area_out_of_sight_are_not_found(still_city: Any, login: str) -> None:
    client = still_city.as_(login)

    for path in (
        "/api/measures/counts?area=990101001001001",
        "/api/measures/hotspots?area=990101001",
        "/api/measures/responses?area=990101",
        "/api/measures/recurrences?area=990101001001001",
        "/api/measures/recurrent-places?area=990101001001001",
        "/api/grids/990101001001001/people",
        "/maps/area?area=990101001001001",
        "/maps/hotspots?area=990101001",
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "area_not_found"), path


def test_those_whose_case_it_is_see_it(still_city: Any, case: Case) -> None:
    for login in (
        "worker",
        "leader",
        "centre",
        "office",
        "town",
        "hotline",
        "platform",
        "auditor",
        "scjg",
        "cg",
    ):
        numbers = [one["number"] for one in still_city.see(login, "incidents")["items"]]
        assert case.number in numbers, login
        assert still_city.see(login, f"whistles/{case.third}")["number"] == case.third


def test_only_those_who_take_and_make_calls_read_who_reported(still_city: Any, case: Case) -> None:
    for login in ("hotline", "callback"):
        assert still_city.see(login, f"incidents/{case.number}")["reporters"][0]["phone"] == PHONE
    for login in ("worker", "leader", "centre", "office", "town", "platform", "auditor", "scjg"):
        shown = still_city.see(login, f"incidents/{case.number}")
        assert shown["reporters"] == [], login
        assert PHONE not in json.dumps(shown)
        assert PHONE not in json.dumps(still_city.see(login, f"incidents/{case.number}/trace"))


def staff_phone(city: Any, login: str, case: Case) -> str:
    tasks = city.see(login, f"whistles/{case.third}")["tasks"]
    phone: str = next(task["staff_phone"] for task in tasks if task["staff_phone"])
    return phone


def test_who_comes_can_be_called_by_the_town_and_the_departments_and_by_nobody_else(
    still_city: Any, case: Case
) -> None:
    assert {staff_phone(still_city, login, case) for login in ("office", "centre", "town", "scjg", "cg")} == {
        STAFF
    }
    assert {
        staff_phone(still_city, login, case) for login in ("worker", "leader", "platform", "auditor")
    } == {"138****0000"}
    assert still_city.see("cg", f"incidents/{case.number}")["tasks"][0]["staff_phone"] == STAFF
    assert still_city.see("platform", f"tasks/{case.task}")["staff_phone"] == "138****0000"


def test_the_liaison_can_be_called_from_the_community_until_the_whistle_ends(
    still_city: Any, case: Case
) -> None:
    # the level-2 whistle ended when it was passed up
    assert still_city.see("leader", f"whistles/{case.second}")["liaison_phone"] == "138****0000"


def test_a_department_acts_on_its_own_task_only(still_city: Any, case: Case) -> None:
    other = still_city.act("cg", f"tasks/{case.task}/start", None, 404)

    assert other["code"] == "task_not_found"
    town = still_city.act("office", f"tasks/{case.task}/respond", TASK_ACTS["respond"], 403)
    assert town["code"] == "not_your_department"


def test_an_auditor_reads_everything_and_does_nothing(still_city: Any, case: Case) -> None:
    for method, path, body in requests_about(case):
        answer = ask(still_city.as_("auditor"), method, path, body)
        if path.endswith("/code"):
            assert answer.status_code == 403, "who was not there does not say so"
        elif method == "GET":
            assert answer.status_code == (409 if path.endswith("/whistle-proposal") else 200), path
        else:
            assert answer.status_code in (403, 409, 422), f"{path}: {answer.status_code} {answer.text}"
    assert still_city.act("auditor", "incidents", still_city.said(), 403)["code"] == "not_your_role"
