"""Each way of sending against a real server of its kind on this machine."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from pydantic import ValidationError

from api.senders import door_of, senders_of
from api.senders.mail import MailSender
from api.senders.outgoing import Door
from api.senders.robots import DingTalkSender, WeComSender
from api.senders.sending import SendFailed
from api.senders.texts import TextSender
from api.senders.webhook import WebhookSender, signature
from api.settings import Settings
from grids.outbox import Sending
from grids.rules.messages import Way

KEY = UUID("0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000")
HOME = [ip_network("127.0.0.0/8")]


def sending(way: Way, address: str, body: str = "案件 1 等您", subject: str = "网格哨 1 条") -> Sending:
    return Sending(1, KEY, way, address, subject, body, 2)


class Hook:
    """A real HTTP server that keeps what it gets."""

    def __init__(self) -> None:
        self.status, self.answer = 200, b'{"errcode":0,"errmsg":"ok"}'
        self.paths: list[str] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.paths.append(self.path)
                outer.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                outer.headers.append(dict(self.headers))
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(outer.answer)))
                self.end_headers()
                self.wfile.write(outer.answer)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def hook() -> Iterator[Hook]:
    opened = Hook()
    yield opened
    opened.server.shutdown()
    opened.server.server_close()


@pytest.fixture
def door() -> Door:
    return Door(["127.0.0.1"], HOME)


class MailBox:
    """A real SMTP server that keeps what it gets, or refuses as told."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.recipients: list[str] = []
        self.says = "250 OK"

    async def handle_RCPT(  # noqa: N802 - the server's name for it
        self, _server: Any, _session: Any, envelope: Any, address: str, _o: Any
    ) -> str:
        if self.says.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.says

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        self.recipients += envelope.rcpt_tos
        return "250 taken"


@pytest.fixture
def mail() -> Iterator[Callable[..., tuple[MailBox, int]]]:
    opened: list[Controller] = []

    def start(**said: Any) -> tuple[MailBox, int]:
        box = MailBox()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        controller = Controller(box, hostname="127.0.0.1", port=port, **said)
        controller.start()
        opened.append(controller)
        return box, port

    yield start
    for controller in opened:
        controller.stop()


def test_a_mail_arrives_with_its_words_and_the_key_as_its_id(mail: Any) -> None:
    box, port = mail()
    sender = MailSender("127.0.0.1", port, security="none", sender="grid@district.example.org")

    sender.send(sending(Way.EMAIL, "zhang@example.org", subject="网格哨\n1 条"))

    (arrived,) = box.mails
    assert box.recipients == ["zhang@example.org"]
    assert arrived["Message-ID"] == f"<{KEY}@district.example.org>"
    assert (arrived["Subject"], arrived["Auto-Submitted"]) == ("网格哨 1 条", "auto-generated")
    assert arrived.get_content().strip() == "案件 1 等您"


def test_a_server_that_wants_a_login_gets_it(mail: Any) -> None:
    seen: list[tuple[bytes, bytes]] = []

    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        seen.append((data.login, data.password))
        return AuthResult(success=data.password == b"word", handled=False)

    box, port = mail(authenticator=check, auth_require_tls=False)
    said: Any = {"security": "none", "sender": "grid@example.org"}

    MailSender("127.0.0.1", port, login=("grid", "word"), **said).send(sending(Way.EMAIL, "z@example.org"))
    with pytest.raises(SendFailed) as refused:
        MailSender("127.0.0.1", port, login=("grid", "no"), **said).send(sending(Way.EMAIL, "z@example.org"))

    assert seen[0] == (b"grid", b"word")
    assert len(box.mails) == 1
    assert (refused.value.reason, refused.value.final) == ("smtp_535", False)


@pytest.mark.parametrize(
    ("says", "reason", "final"),
    [("550 no such user", "smtp_550", True), ("451 greylisted, come again", "smtp_451", False)],
)
def test_a_refused_reader_is_final_and_a_busy_server_is_not(
    mail: Any, says: str, reason: str, final: bool
) -> None:
    box, port = mail()
    box.says = says

    with pytest.raises(SendFailed) as refused:
        MailSender("127.0.0.1", port, security="none", sender="g@example.org").send(
            sending(Way.EMAIL, "z@example.org")
        )

    assert (refused.value.reason, refused.value.final) == (reason, final)


def test_without_tls_nothing_is_told_to_a_server_that_should_speak_it(mail: Any) -> None:
    box, port = mail()

    with pytest.raises(SendFailed) as refused:
        MailSender("127.0.0.1", port, sender="g@example.org", login=("u", "p")).send(
            sending(Way.EMAIL, "z@example.org")
        )

    assert not refused.value.final
    assert box.mails == []


def test_no_mail_server_is_worth_another_try() -> None:
    with pytest.raises(SendFailed) as refused:
        MailSender("127.0.0.1", 1, security="none", sender="g@example.org").send(
            sending(Way.EMAIL, "z@example.org")
        )

    assert (refused.value.reason, refused.value.final) == ("connection_lost", False)


def test_a_webhook_is_signed_and_says_the_key_and_where_to_say_that_it_was_read(
    hook: Hook, door: Door
) -> None:
    sender = WebhookSender(
        door, "secret", public_url="https://grid.example.org/", clock=lambda: 1_780_000_000
    )

    sender.send(sending(Way.WEBHOOK, f"{hook.url}/hook"))

    said = json.loads(hook.bodies[0])
    assert said == {
        "id": str(KEY),
        "try": 2,
        "subject": "网格哨 1 条",
        "text": "案件 1 等您",
        "read_url": f"https://grid.example.org/api/deliveries/{KEY}/read",
    }
    assert hook.headers[0]["Idempotency-Key"] == str(KEY)
    wanted = hmac.new(b"secret", b"1780000000." + hook.bodies[0], hashlib.sha256).hexdigest()
    assert hook.headers[0]["X-Gridwhistle-Signature"] == f"t=1780000000,v1={wanted}"
    assert signature("secret", 1, b"a") != signature("secret", 2, b"a")


def test_a_dingtalk_robot_gets_its_shape_and_the_signature_that_its_secret_makes(
    hook: Hook, door: Door
) -> None:
    sender = DingTalkSender(door, clock=lambda: 1_780_000_000.5)

    sender.send(sending(Way.DINGTALK, f"{hook.url}/robot/send?access_token=abc#SEC123"))

    said = json.loads(hook.bodies[0])
    assert said["msgtype"] == "text"
    assert said["text"]["content"] == f"网格哨 1 条\n案件 1 等您\n[{KEY}]"
    asked = parse_qs(urlsplit(hook.paths[0]).query)
    digest = hmac.new(b"SEC123", b"1780000000500\nSEC123", hashlib.sha256).digest()
    assert asked == {
        "access_token": ["abc"],
        "timestamp": ["1780000000500"],
        "sign": [base64.b64encode(digest).decode()],
    }
    assert "SEC123" not in hook.paths[0]


def test_a_wecom_robot_takes_two_kilobytes_and_gets_no_more(hook: Hook, door: Door) -> None:
    WeComSender(door).send(sending(Way.WECOM, f"{hook.url}/cgi-bin/webhook/send?key=k", body="长" * 3000))

    content = json.loads(hook.bodies[0])["text"]["content"]
    assert len(content.encode()) <= 2048
    assert content.endswith(f"…\n[{KEY}]")


@pytest.mark.parametrize(("code", "final"), [(45009, False), (93000, True)])
def test_what_a_robot_refuses_is_no_success_though_http_says_200(
    hook: Hook, door: Door, code: int, final: bool
) -> None:
    hook.answer = json.dumps({"errcode": code, "errmsg": "what they say"}).encode()

    with pytest.raises(SendFailed) as refused:
        WeComSender(door).send(sending(Way.WECOM, hook.url))

    assert (refused.value.reason, refused.value.final) == (f"robot_{code}", final)


def test_a_text_message_fills_the_gateways_shape_and_never_breaks_it(hook: Hook) -> None:
    shape = '{"to": ["{phone}"], "params": {"body": "[网格] {text}"}, "ref": "{key}", "n": 1}'
    sender = TextSender(f"{hook.url}/sms", shape, authorization="Bearer x", networks=HOME)

    sender.send(sending(Way.SMS, "13812345678", body='"}, {phone} {key}'))

    said = json.loads(hook.bodies[0])
    assert said == {
        "to": ["13812345678"],
        "params": {"body": '[网格] 网格哨 1 条\n"}, {phone} {key}'},
        "ref": str(KEY),
        "n": 1,
    }
    assert hook.headers[0]["Authorization"] == "Bearer x"


@pytest.mark.parametrize(
    ("status", "final"), [(500, False), (503, False), (429, False), (404, True), (302, True), (401, True)]
)
def test_a_busy_receiver_is_tried_again_and_one_that_refuses_is_not(
    hook: Hook, door: Door, status: int, final: bool
) -> None:
    hook.status = status

    with pytest.raises(SendFailed) as refused:
        WebhookSender(door, "s").send(sending(Way.WEBHOOK, hook.url))

    assert (refused.value.reason, refused.value.final) == (f"http_{status}", final)


def test_the_settings_say_which_ways_there_are() -> None:
    assert set(senders_of(Settings())) == {Way.WECOM, Way.DINGTALK}
    assert set(senders_of(Settings(outgoing_hosts=""))) == set()
    full = Settings(
        mail_host="localhost",
        sms_url="https://sms.example.org/",
        webhook_secret="s",
        outgoing_hosts="*.Example.org, a.example",
        outgoing_networks="10.1.0.0/16,fd00:1::/64",
    )
    assert set(senders_of(full)) == set(Way)
    assert door_of(full).allows("https://hooks.example.org/")
    assert len(full.allowed_networks) == 2


def test_secrets_are_not_shown_and_a_shape_that_is_no_json_is_refused() -> None:
    said = repr(Settings(mail_password="hidden", sms_authorization="hidden", webhook_secret="hidden"))
    assert "hidden" not in said
    for wrong in ({"sms_body": "{phone}"}, {"outgoing_networks": "10.0.0.1/8"}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
