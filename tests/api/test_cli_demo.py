"""`gridwhistle demo`: one command, a district to look at; and when it ends, nothing of it goes on."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from typer.testing import CliRunner

from api.cli import main


@pytest.fixture
def address(monkeypatch, make_database):
    """A database of its own, which the commands use."""
    url = make_database()
    monkeypatch.setenv("GRID_DATABASE_URL", url)
    return url


def run(*arguments):
    return CliRunner().invoke(main, list(arguments))


class Served:
    """A demo that serves in a process of its own."""

    def __init__(self, folder, *arguments):
        code = "from api.cli import main; main()"
        with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, "demo", *arguments],
                stdout=out,
                stderr=err,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                # heard as in a terminal: whoever starts the tests in the background has SIGINT ignored
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        self.folder = folder
        patience = time.monotonic() + 120
        while "Ctrl-C" not in self.said("out") and self.process.poll() is None:
            assert time.monotonic() < patience, self.said("err")
            time.sleep(0.1)

    def said(self, stream):
        return (self.folder / stream).read_text("utf-8")

    @property
    def url(self):
        return re.search(r"http://\S+", self.said("out"))[0]

    def end(self, number):
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


@pytest.fixture
def made(monkeypatch, made_up):
    """A database in which the demo is made already."""
    address, _facts = made_up()
    monkeypatch.setenv("GRID_DATABASE_URL", address)


@pytest.fixture
def serve(tmp_path, made):
    started = []

    def serve(*arguments):
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(Served(folder, *arguments))
        return started[-1]

    yield serve
    for demo in started:
        demo.process.kill()
        demo.process.wait()


def free_port():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_serves_until_it_is_stopped_and_starts_again_where_it_was(serve, number):
    port = free_port()

    demo = serve("--port", str(port))

    assert demo.url == f"http://127.0.0.1:{port}/"
    assert "the password of all is gridwhistle-demo" in demo.said("out")
    assert re.search(r"^  worker +grid_worker ", demo.said("out"), re.MULTILINE)
    with urllib.request.urlopen(f"{demo.url}livez") as answer:
        assert answer.status == 200
    assert demo.end(number) == 0
    assert demo.said("err") == "stopped\n"
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{demo.url}livez")


def test_a_port_that_is_taken_is_passed_by_unless_it_was_asked_for(serve, monkeypatch):
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        taken = door.getsockname()[1]
        monkeypatch.setenv("GRID_PORT", str(taken))

        asked = run("demo", "--port", str(taken))
        demo = serve()

        assert (asked.exit_code, "[port_taken]" in asked.stderr) == (1, True)
        assert f"port {taken} is taken; using" in demo.said("err")
        assert int(demo.url.rstrip("/").rpartition(":")[2]) > taken


def test_a_demo_is_made_once_and_anew_only_when_told(address):
    first = run("demo", "--scale", "tiny", "--no-serve")
    again = run("demo", "--no-serve")
    other = run("demo", "--scale", "district", "--no-serve")
    anew = run("demo", "--scale", "tiny", "--reset", "--no-serve")

    assert first.exit_code == again.exit_code == anew.exit_code == 0
    assert (other.exit_code, "[demo_other_scale]" in other.stderr) == (1, True)
    assert run("trace", "verify").stdout.startswith("84 cases, ")


def test_a_demo_does_not_mix_with_a_city_of_somebodys_own(address, tmp_path):
    square = "[[[117,36],[117.1,36],[117.1,36.1],[117,36.1],[117,36]]]"
    (tmp_path / "grid.geojson").write_text(
        '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"code": "110101"}, '
        f'"geometry": {{"type": "Polygon", "coordinates": {square}}}}}]}}'
    )
    run("grids", "load", str(tmp_path / "grid.geojson"), "--frame", "WGS84", "--effective", "2026-01-01")

    for arguments in ((), ("--reset",)):
        result = run("demo", "--scale", "tiny", "--no-serve", *arguments)
        assert (result.exit_code, "[not_a_demo]" in result.stderr) == (1, True)
    assert '"edition": 1' in run("grids", "list", "--json").stdout


def test_a_small_answer_is_sent_at_once():
    """asyncio turns Nagle's algorithm off only for a socket that says it is TCP; else each answer waits 40 ms."""
    from api.cli.demo import _listen

    with _listen("127.0.0.1", 8200, exact=False) as door:
        assert door.proto == socket.IPPROTO_TCP
