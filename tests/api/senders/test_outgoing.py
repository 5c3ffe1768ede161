"""The door outwards: speaks to the hosts of the list at public addresses, and to nobody else."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from api.senders.outgoing import Door, is_public
from api.senders.sending import SendFailed

HOME = [ip_network("127.0.0.0/8")]


class _Server:
    """A real server on this machine that counts what it gets and answers as told."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler], None]) -> None:
        self.hits: list[tuple[str, bytes, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.hits.append((self.path, body, dict(self.headers)))
                answer(self)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[..., _Server]]:
    opened: list[_Server] = []

    def start(answer: Callable[[BaseHTTPRequestHandler], None]) -> _Server:
        opened.append(_Server(answer))
        return opened[-1]

    yield start
    for server in opened:
        server.close()


def says(status: int, body: bytes = b"{}", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


INSIDE = [
    # as numbers, in every spelling that a name service or the C library takes
    "127.0.0.1",
    "127.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0x7f.1",
    "0",
    "0.0.0.0",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "169.254.169.254",
    "2852039166",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:a9fe:a9fe]",
    "[::127.0.0.1]",
    "[fd00::1]",
    "[fd00:ec2::254]",
    "[fc00::1]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::1]",
    "[2002:a00:1::1]",
    "[2001:db8::1]",
    "[2001:0:7f00:1::1]",
    "localhost",
]


@pytest.mark.parametrize("host", INSIDE)
def test_an_address_of_the_inside_is_refused_though_its_host_is_on_the_list(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _self, where: opened.append(where))
    door = Door([host.strip("[]").lower()])

    with pytest.raises(SendFailed) as refused:
        door.post(f"https://{host}/latest/meta-data", b"{}", {})

    assert (refused.value.reason, refused.value.final) == ("address_not_allowed", True)
    assert opened == []


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/",
        "https://oapi.dingtalk.com.example.org/",
        "https://xoapi.dingtalk.com/",
        "https://oapi.dingtalk.com@example.org/",
        "https://example.org#oapi.dingtalk.com",
        "https://example.org?oapi.dingtalk.com",
        "https://example.org\\oapi.dingtalk.com",
        "ftp://oapi.dingtalk.com/",
        "file:///etc/passwd",
        "gopher://oapi.dingtalk.com/",
        "https:///x",
        "https://oapi.dingtalk.com:99999/",
        "https://oapi.dingtalk.com/ x",
        "https://oapi.dingtalk.com/\r\nX: y",
    ],
)
def test_a_host_that_is_not_on_the_list_is_not_even_looked_up(url: str) -> None:
    def resolve(*_: Any, **__: Any) -> Any:
        raise AssertionError("it was looked up")

    with pytest.raises(SendFailed) as refused:
        Door(["oapi.dingtalk.com"], resolve=resolve).post(url, b"", {})

    assert refused.value.final


def test_a_star_stands_for_all_below_and_not_for_the_name_itself() -> None:
    door = Door(["*.example.org"])

    assert door.allows("https://hooks.example.org/x")
    assert not door.allows("https://example.org/x")
    assert not door.allows("https://badexample.org/x")


def rows(*addresses: str) -> list[tuple[Any, ...]]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]


def test_a_name_that_points_elsewhere_a_moment_later_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([rows("93.184.216.34"), rows("127.0.0.1"), rows("127.0.0.1")])
    opened: list[Any] = []

    def connect(_self: Any, where: Any) -> None:
        opened.append(where)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    door = Door(["rebind.example.org"], resolve=lambda *_, **__: next(answers))

    with pytest.raises(SendFailed, match="connection_refused"):
        door.post("https://rebind.example.org/", b"", {})
    assert opened == [("93.184.216.34", 443)]
    with pytest.raises(SendFailed, match="address_not_allowed"):
        door.post("https://rebind.example.org/", b"", {})


def test_a_name_with_one_address_inside_is_refused_whole() -> None:
    door = Door(["two.example.org"], resolve=lambda *_, **__: rows("93.184.216.34", "10.0.0.1"))

    with pytest.raises(SendFailed, match="address_not_allowed"):
        door.post("https://two.example.org/", b"", {})


def test_a_public_host_is_spoken_to_with_tls_only() -> None:
    door = Door(["a.example.org"], resolve=lambda *_, **__: rows("93.184.216.34"))

    with pytest.raises(SendFailed, match="tls_wanted"):
        door.post("http://a.example.org/", b"", {})


def test_without_the_check_the_inside_would_have_been_reached(serve: Callable[..., _Server]) -> None:
    # the negative control: the same request goes through where the operator allowed the network
    server = serve(says(200))

    answer = Door(["127.0.0.1"], HOME).post(f"http://127.0.0.1:{server.port}/x?y=1", b"{}", {"X-A": "b"})

    assert (answer.status, answer.body) == (200, b"{}")
    ((path, body, headers),) = server.hits
    assert (path, body, headers["X-A"]) == ("/x?y=1", b"{}", "b")


def test_a_redirect_inwards_is_not_followed(serve: Callable[..., _Server]) -> None:
    inside = serve(says(200))
    front = serve(says(302, Location=f"http://127.0.0.1:{inside.port}/"))

    answer = Door(["127.0.0.1"], HOME).post(f"http://127.0.0.1:{front.port}/", b"", {})

    assert answer.status == 302
    assert inside.hits == []


def test_a_long_answer_is_cut_off(serve: Callable[..., _Server]) -> None:
    server = serve(says(200, b"x" * (64 * 1024 + 1)))

    with pytest.raises(SendFailed, match="answer_too_large"):
        Door(["127.0.0.1"], HOME).post(f"http://127.0.0.1:{server.port}/", b"", {})


def drips(handler: BaseHTTPRequestHandler) -> None:
    """Answer one letter at a time, for ever: no single read is ever late."""
    try:
        for letter in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10_000:
            handler.wfile.write(bytes([letter]))
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass


def silent(_handler: BaseHTTPRequestHandler) -> None:
    time.sleep(2)


@pytest.mark.parametrize("answer", [drips, silent])
def test_a_slow_answer_has_so_long_and_no_longer(
    serve: Callable[..., _Server], answer: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    server = serve(answer)
    began = time.monotonic()

    with pytest.raises(SendFailed, match="timeout"):
        Door(["127.0.0.1"], HOME, seconds=0.5).post(f"http://127.0.0.1:{server.port}/", b"", {})

    assert time.monotonic() - began < 1.5


def test_no_header_brings_another_one_in(serve: Callable[..., _Server]) -> None:
    server = serve(says(200))

    with pytest.raises(SendFailed, match="bad_header"):
        Door(["127.0.0.1"], HOME).post(f"http://127.0.0.1:{server.port}/", b"", {"X": "a\r\nY: b"})

    assert server.hits == []


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "2002:0808:0808::1"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(ip_address(address))
