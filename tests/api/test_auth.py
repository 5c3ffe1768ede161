"""Signing in: who gets in, how long, how often one may try, and from where an act may come."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from api import auth
from api.settings import Settings
from grids.accounts import SessionRules
from grids.rules.permissions import Role
from grids.tables import Person, Post, WebSession


@pytest.fixture
def guarded(
    http: Any, cluster: Any, city_template: str, worker_id: str, clock: Any, request: pytest.FixtureRequest
) -> Iterator[Any]:
    """The city with the sessions that the service really has: 30 minutes idle, 12 hours at most."""
    name = f"city_auth_{worker_id}_{abs(hash(request.node.name)) % 10**9}"
    with http.open_city(cluster, city_template, name, clock, Settings()) as opened:
        yield opened


def log_in(
    city: Any, http: Any, login: str = "worker", password: str | None = None, client: Any = None
) -> Any:
    body = {"login": login, "password": http.PASSWORD if password is None else password}
    return (client or city.stranger()).post("/api/login", json=body)


def test_a_person_who_signs_in_learns_who_they_are(guarded: Any, http: Any) -> None:
    answer = log_in(guarded, http, "leader")

    me = answer.json()
    assert (me["login"], me["unit"], me["post"]["role"]) == ("leader", "升平社区", "grid_leader")
    assert me["scope"] == {"areas": ["990101001001"], "departments": []}
    department = log_in(guarded, http, "scjg").json()
    assert department["scope"] == {"areas": [], "departments": ["SCJG"]}


def test_the_cookie_is_out_of_reach_of_scripts_and_foreign_pages(guarded: Any, http: Any) -> None:
    cookie = log_in(guarded, http).headers["set-cookie"]

    assert cookie.startswith(f"{auth.COOKIE}=")
    assert {"httponly", "samesite=lax", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    assert "secure" not in cookie.lower()
    over_https = guarded.stranger()
    over_https.base_url = "https://testserver"
    assert "secure" in log_in(guarded, http, client=over_https).headers["set-cookie"].lower()


def test_the_database_holds_no_token_and_no_password(guarded: Any, http: Any) -> None:
    token = log_in(guarded, http).cookies[auth.COOKIE]

    with guarded.database.readers() as session:
        kept = session.scalars(select(WebSession.token_hash)).all()
        hashes = session.scalars(select(Person.password_hash)).all()
    assert all(token.encode() not in fingerprint for fingerprint in kept)
    assert len(kept[0]) == 32
    assert all(one.startswith("$argon2id$") and http.PASSWORD not in one for one in hashes)


def test_a_wrong_password_and_an_unknown_login_look_the_same(guarded: Any, http: Any) -> None:
    wrong = log_in(guarded, http, "worker", "falsch")
    unknown = log_in(guarded, http, "nobody", "falsch")

    assert (wrong.status_code, wrong.json()["code"]) == (401, "bad_credentials")
    assert plain(wrong) == plain(unknown)


def plain(answer: Any) -> Any:
    """Return an answer without what differs on every answer."""
    body = answer.json()
    body.pop("request_id", None)
    return answer.status_code, body, answer.headers.get("retry-after")


@pytest.mark.parametrize("login", ["worker", "nobody"])
def test_five_failures_lock_a_login_for_a_quarter_of_an_hour_whether_it_exists_or_not(
    guarded: Any, http: Any, login: str
) -> None:
    answers = [log_in(guarded, http, login, "falsch") for _ in range(5)]
    right = log_in(guarded, http, login)

    assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 429]
    assert answers[-1].headers["retry-after"] == "900"
    assert (right.status_code, right.json()["code"]) == (429, "account_locked")
    guarded.clock.advance(minutes=15, seconds=1)
    assert log_in(guarded, http, login).status_code == (200 if login == "worker" else 401)


def test_a_lock_binds_in_every_process_because_the_database_keeps_it(guarded: Any, http: Any) -> None:
    for _ in range(5):
        log_in(guarded, http, "worker", "falsch")
    guarded.app.state.strangers = auth.Strangers()

    assert log_in(guarded, http, "worker").status_code == 429


def test_many_tries_at_once_are_all_counted(guarded: Any, http: Any) -> None:
    statuses: list[int] = []
    tries = [
        threading.Thread(target=lambda: statuses.append(log_in(guarded, http, "worker", "x").status_code))
        for _ in range(12)
    ]
    for one in tries:
        one.start()
    for one in tries:
        one.join()

    assert sorted(statuses) == [401] * 4 + [429] * 8


def test_a_good_sign_in_forgives_the_failures_before(guarded: Any, http: Any) -> None:
    for _ in range(4):
        log_in(guarded, http, "worker", "falsch")
    assert log_in(guarded, http, "worker").status_code == 200
    for _ in range(4):
        assert log_in(guarded, http, "worker", "falsch").status_code == 401

    assert log_in(guarded, http, "worker").status_code == 200


def test_logins_that_nobody_could_have_are_refused_and_not_a_fault(guarded: Any, http: Any) -> None:
    for login in ("", "a\x00b", "\ud800", "x" * 200, "' or 1=1 --", "工人"):
        body = json.dumps({"login": login, "password": "\ud800"})
        answer = guarded.stranger().post(
            "/api/login", content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code in (401, 422), (login, answer.text)


def test_a_session_changes_its_id_at_every_sign_in_and_the_old_one_dies(guarded: Any, http: Any) -> None:
    client = guarded.stranger()
    first = log_in(guarded, http, client=client).cookies[auth.COOKIE]
    second = log_in(guarded, http, client=client).cookies[auth.COOKIE]

    assert first != second
    assert client.get("/api/me").status_code == 200
    assert with_token(guarded, first).get("/api/me").status_code == 401


def with_token(city: Any, token: str) -> Any:
    client = city.stranger()
    client.cookies.set(auth.COOKIE, token)
    return client


def test_signing_out_ends_the_session_everywhere(guarded: Any, http: Any) -> None:
    client = guarded.stranger()
    token = log_in(guarded, http, client=client).cookies[auth.COOKIE]

    assert client.post("/api/logout").status_code == 204

    assert auth.COOKIE not in client.cookies
    assert with_token(guarded, token).get("/api/me").status_code == 401


def test_a_session_ends_half_an_hour_after_its_last_use(guarded: Any, http: Any) -> None:
    client = guarded.stranger()
    log_in(guarded, http, client=client)
    for _ in range(3):
        guarded.clock.advance(minutes=29)
        assert client.get("/api/me").status_code == 200
    guarded.clock.advance(minutes=30, seconds=1)

    assert client.get("/api/me").status_code == 401


def test_a_session_ends_after_twelve_hours_however_much_it_is_used(guarded: Any, http: Any) -> None:
    client = guarded.stranger()
    log_in(guarded, http, client=client)
    for _ in range(28):
        guarded.clock.advance(minutes=25)
        client.get("/api/me")
    assert client.get("/api/me").status_code == 200
    guarded.clock.advance(minutes=20)

    assert client.get("/api/me").status_code == 401


def test_a_person_who_is_disabled_is_out_at_once(guarded: Any, http: Any) -> None:
    client = guarded.stranger()
    log_in(guarded, http, client=client)
    with guarded.database.sessions.begin() as session:
        session.scalars(select(Person).where(Person.login == "worker")).one().disabled_at = guarded.clock()

    assert client.get("/api/me").status_code == 401
    assert log_in(guarded, http).status_code == 401


def test_a_person_with_two_posts_acts_from_one_at_a_time(guarded: Any, http: Any) -> None:
    with guarded.database.sessions.begin() as session:
        person = session.scalars(select(Person).where(Person.login == "worker")).one()
        second = Post(
            person_id=person.id, role=Role.GRID_LEADER, area_code="990101001002", title="代理网格长"
        )
        session.add(second)
        session.flush()
        post_id = second.id
        foreign = session.scalars(select(Post.id).where(Post.person_id != person.id)).first()
    client = guarded.stranger()
    log_in(guarded, http, client=client)

    assert client.post("/api/me/post", json={"post": post_id}).status_code == 204

    me = client.get("/api/me").json()
    assert (me["post"]["role"], me["scope"]["areas"]) == ("grid_leader", ["990101001002"])
    assert len(me["posts"]) == 2
    stolen = client.post("/api/me/post", json={"post": foreign})
    assert (stolen.status_code, stolen.json()["code"]) == (404, "post_not_found")
    assert client.get("/api/me").json()["post"]["id"] == post_id


def test_a_person_without_a_post_has_nothing_to_sign_in_to(guarded: Any, http: Any) -> None:
    with guarded.database.sessions.begin() as session:
        session.execute(
            text("DELETE FROM post WHERE person_id = (SELECT id FROM person WHERE login = 'auditor')")
        )

    answer = log_in(guarded, http, "auditor")

    assert (answer.status_code, answer.json()["code"]) == (403, "no_post")


def test_tokens_are_long_and_never_alike(guarded: Any, http: Any) -> None:
    tokens = {log_in(guarded, http).cookies[auth.COOKIE] for _ in range(20)}

    assert len(tokens) == 20
    assert all(re.fullmatch(r"[\w-]{43}", token) for token in tokens)


FOREIGN = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": "http://testserver"},
    {"origin": "http://testserver", "referer": "http://evil.example/"},
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://testserver.evil.example"},
    {"origin": "http://testserver:81"},
    {"origin": "testserver"},
    {"referer": "http://evil.example/?http://testserver/"},
    {"origin": "http://[::1"},
]
OWN = [
    {},
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
    {"origin": "http://testserver"},
    {"origin": "https://TESTSERVER"},
    {"referer": "http://testserver/login"},
    {"sec-fetch-site": "same-origin", "origin": "http://testserver"},
    {"sec-fetch-site": "same-origin", "origin": "https://grid.example"},  # a proxy changed the Host
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_no_page_of_somebody_else_can_act_for_a_reader(still_city: Any, headers: dict[str, str]) -> None:
    client = still_city.as_("hotline")
    before = still_city.count("incident", "web_session")

    for path, body in (("incidents", still_city.said()), ("login", {}), ("logout", {}), ("me/post", {})):
        answer = client.post(f"/api/{path}", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site"), path

    assert still_city.count("incident", "web_session") == before


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_our_own_pages_and_scripts_can_act(still_city: Any, headers: dict[str, str]) -> None:
    answer = still_city.as_("hotline").post("/api/incidents", json=still_city.said(), headers=headers)

    assert answer.status_code == 201


def test_a_foreign_page_may_lead_a_reader_here_to_look(still_city: Any) -> None:
    answer = still_city.as_("hotline").get("/api/incidents", headers={"sec-fetch-site": "cross-site"})

    assert answer.status_code == 200


def test_strangers_are_forgotten_before_they_fill_the_memory() -> None:
    strangers, rules, now = auth.Strangers(most=10), SessionRules(), datetime(2026, 6, 3, tzinfo=UTC)
    for number in range(50):
        strangers.failed(f"nobody{number}", rules, now)

    assert len(strangers._tries) == 10
    for _ in range(5):
        lock = strangers.failed("nobody49", rules, now)
    assert lock == timedelta(minutes=15)
    assert strangers.locked_for("nobody49", rules, now + timedelta(minutes=14)) == timedelta(minutes=1)
    assert strangers.locked_for("nobody49", rules, now + timedelta(minutes=16)) is None
