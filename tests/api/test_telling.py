"""Being told, over HTTP and on the pages: addresses, hours, the log, receipts."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import select, text

from api import postman
from api.senders import senders_of
from api.settings import Settings
from api.wording import renderer
from grids.rules.permissions import Role
from grids.tables import Delivery, Message, Person, Post


class Inbox:
    """A webhook that keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    opened = Inbox()
    yield opened
    opened.server.shutdown()
    opened.server.server_close()


@pytest.fixture
def told(city: Any) -> Any:
    """The city, whose operator lets webhooks on this machine be spoken to."""
    city.app.state.settings = Settings(
        webhook_secret="s",
        outgoing_hosts="127.0.0.1",
        outgoing_networks="127.0.0.0/8",
        public_url="https://grid.example.org",
    )
    return city


def deliver(city: Any) -> None:
    settings = city.app.state.settings
    postman.route_all(city.database, city.clock, renderer(settings.public_url))
    postman.deliver(city.database, city.clock, senders_of(settings))


def contact_of(city: Any, login: str, url: str, **said: Any) -> dict[str, Any]:
    answer = city.as_(login).post(
        "/api/me/contacts", json={"way": "webhook", "address": url, "language": "en", **said}
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def code_in(got: dict[str, Any]) -> str:
    return str(got["text"]).split("code is ")[1][:6]


def test_an_address_gets_a_code_and_then_what_is_posted_and_says_that_it_was_read(
    told: Any, inbox: Inbox
) -> None:
    leader = told.as_("leader")
    contact = contact_of(told, "leader", inbox.url)
    deliver(told)
    wrong = leader.post(f"/api/me/contacts/{contact['id']}/confirm", json={"code": "abc"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "wrong_address_code")
    right = leader.post(f"/api/me/contacts/{contact['id']}/confirm", json={"code": code_in(inbox.got[0])})
    assert right.status_code == 204
    told.clock.advance(minutes=2)
    number = told.report()
    told.act("centre", f"incidents/{number}/accept", {"level": 1, "reason": "x"})
    deliver(told)

    sent = inbox.got[1]
    assert number in sent["text"]
    assert sent["text"].endswith(f"https://grid.example.org/incidents/{number}")
    path = sent["read_url"].removeprefix("https://grid.example.org")
    assert told.stranger().post(path).status_code == 204
    with told.database.readers() as session:
        reader = session.scalars(select(Person.id).where(Person.login == "leader")).one()
        assert session.scalars(select(Message.read_at).where(Message.person_id == reader)).all() == [
            told.clock()
        ]
    (listed,) = leader.get("/api/me/contacts").json()
    assert listed["confirmed_at"] is not None


def test_wrong_codes_are_counted_though_they_are_refused(told: Any, inbox: Inbox) -> None:
    contact = contact_of(told, "leader", inbox.url)
    client = told.as_("leader")

    codes = [
        client.post(f"/api/me/contacts/{contact['id']}/confirm", json={"code": "nope"}).json()["code"]
        for _ in range(6)
    ]

    assert codes == ["wrong_address_code"] * 5 + ["code_over"]


def test_nobody_guesses_a_key(told: Any) -> None:
    answer = told.stranger().post("/api/deliveries/0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000/read")

    assert (answer.status_code, answer.json()["code"]) == (404, "delivery_not_found")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"way": "email", "address": "a@example.org"}, "way_not_set_up"),
        ({"way": "webhook", "address": "https://example.org/x"}, "host_not_allowed"),
        ({"way": "webhook", "address": "no address"}, "bad_address"),
    ],
)
def test_what_could_never_be_sent_is_refused_when_it_is_added(told: Any, said: Any, code: str) -> None:
    answer = told.as_("leader").post("/api/me/contacts", json=said)

    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_another_persons_address_is_not_found(told: Any, inbox: Inbox) -> None:
    contact = contact_of(told, "leader", inbox.url)
    client = told.as_("leader2")

    for path, body in (("code", None), ("confirm", {"code": "1"})):
        assert client.post(f"/api/me/contacts/{contact['id']}/{path}", json=body).status_code == 404
    assert client.delete(f"/api/me/contacts/{contact['id']}").status_code == 404
    assert client.get("/api/me/contacts").json() == []


def test_the_log_is_for_the_platform_the_auditor_and_the_administrator_and_hides_addresses_and_codes(
    told: Any, inbox: Inbox
) -> None:
    contact_of(told, "leader", inbox.url + "?secret=0123456789012345678901234567890123456789")
    deliver(told)

    for login in ("platform", "auditor"):
        (row,) = told.see(login, "deliveries")["items"]
        assert (row["person"], row["status"], row["body"]) == ("leader同志", "sent", None)
        assert "secret" not in json.dumps(row)
        page = told.as_(login).get("/messages/log?lang=en")
        assert page.status_code == 200
        assert "leader同志" in page.text
        assert code_in(inbox.got[0]) not in page.text
    for login in ("leader", "town", "scjg"):
        assert told.as_(login).get("/api/deliveries").status_code == 403
        assert told.as_(login).get("/messages/log").status_code == 403


def test_the_log_shows_its_own_district_only(told: Any, inbox: Inbox) -> None:
    contact_of(told, "leader", inbox.url)
    with told.database.sessions() as session:
        session.execute(text("UPDATE post SET area_code = '990202001001' WHERE title = 'grid_leader'"))
        session.commit()

    assert told.see("platform", "deliveries")["items"] == []


def test_the_log_goes_on_page_by_page(told: Any) -> None:
    with told.database.sessions() as session:
        person = session.scalars(select(Person.id).where(Person.login == "leader")).one()
        for n in range(5):
            session.add(
                Delivery(
                    key=f"0199aaaa-bbbb-7ccc-8ddd-eeeeffff000{n}",
                    person_id=person,
                    way="email",
                    address="a@example.org",
                    subject=str(n),
                    body="",
                    status="failed",
                    made_at=told.clock(),
                    next_try_at=told.clock(),
                )
            )
        session.commit()
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = told.see("platform", "deliveries", limit=2, **cursor)
        seen += [row["subject"] for row in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}

    assert seen == ["4", "3", "2", "1", "0"]
    assert told.see("platform", "deliveries", status="sent")["items"] == []


def post_id(city: Any, login: str) -> int:
    with city.database.readers() as session:
        asked = select(Post.id).join(Person, Person.id == Post.person_id).where(Person.login == login)
        return int(session.scalars(asked).one())


def test_who_holds_a_post_says_its_hours_and_an_administrator_those_of_others(told: Any) -> None:
    post = post_id(told, "leader")
    week = {"hours": [{"weekday": 0, "opens": "08:30", "closes": "17:30"}]}

    own = told.as_("leader").post(f"/api/posts/{post}/hours", json=week)
    assert (own.status_code, own.json()["on_duty_now"]) == (200, [])
    assert told.as_("platform").post(f"/api/posts/{post}/hours", json=week).status_code == 403
    assert told.as_("sibling").post(f"/api/posts/{post}/hours", json=week).status_code == 404
    with told.database.sessions() as session:
        session.execute(
            text("UPDATE post SET role = :role WHERE title = 'district_platform'"),
            {"role": Role.ADMINISTRATOR.value},
        )
        session.commit()
    freed = told.as_("platform").post(f"/api/posts/{post}/hours", json={"hours": []})
    assert (freed.status_code, len(freed.json()["on_duty_now"])) == (200, 1)


def test_the_pages_add_and_take_off_addresses_and_hours(told: Any, inbox: Inbox) -> None:
    leader = told.as_("leader")
    form = {"way": "webhook", "address": inbox.url, "language": "en"}
    assert leader.post("/my/contacts", data=form, follow_redirects=False).status_code == 303
    again = leader.post("/my/contacts", data=form | {"way": "nothing"})
    assert again.status_code == 422
    deliver(told)
    page = leader.get("/my/contacts?lang=en").text
    assert "Waits for its code" in page
    contact = leader.get("/api/me/contacts").json()[0]["id"]
    wrong = leader.post(f"/my/contacts/{contact}/confirm", data={"code": "x"})
    assert wrong.status_code == 422
    leader.post(f"/my/contacts/{contact}/confirm", data={"code": code_in(inbox.got[0])})
    assert "In use" in leader.get("/my/contacts?lang=en").text
    leader.post(f"/my/contacts/{contact}/change", data={"language": "zh-CN", "urgent_only": "1"})
    assert leader.get("/api/me/contacts").json()[0]["urgent_only"] is True
    leader.post(f"/my/contacts/{contact}/remove")
    assert leader.get("/api/me/contacts").json() == []

    post = post_id(told, "leader")
    hours = {"weekday": ["0", "1"], "opens": "20:00", "closes": "06:00"}
    assert leader.post(f"/posts/{post}/hours/add", data=hours, follow_redirects=False).status_code == 303
    assert "of the next day" in leader.get("/my/hours?lang=en").text
    bad = leader.post(f"/posts/{post}/hours/add", data={"opens": "20:00"})
    assert bad.status_code == 422
    leader.post(f"/posts/{post}/hours/remove", data={"row": "0"})
    leader.post(f"/posts/{post}/hours/remove", data={"row": "0"})
    assert leader.get(f"/api/posts/{post}/hours").json()["hours"] == []


def test_phones_do_not_leave_the_house_in_words(told: Any) -> None:
    facts = {"number": "2026060399010100001", "comment": "找 13812345678 或 0531-81234567"}
    message = Message(template="whistle.rework", facts=facts)

    wording = renderer(None)("zh-CN", [message], 0)

    assert "2026060399010100001" in wording.body
    assert "13812345678" not in wording.body
    assert "81234567" not in wording.body
