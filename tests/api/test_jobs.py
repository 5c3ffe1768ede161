"""Long jobs: asked for in a transaction, done beside the sweeper, taken up again when a worker was killed."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from api import jobs
from gis.errors import InvalidInput
from grids import longjobs
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.tables import LongJob, Person


@pytest.fixture
def papers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(jobs.PAPERS, "note", lambda _session, of: (f"{of['name']}.txt", of["text"].encode()))


class Running:
    """The jobs' thread, for the length of a `with`."""

    def __init__(self, city: Any, stalled: float = 30.0) -> None:
        self.stop = threading.Event()
        self.thread = threading.Thread(
            target=jobs.run,
            args=(city.database, city.clock),
            kwargs={"poll_seconds": 0.05, "stop": self.stop, "stalled": stalled},
        )

    def __enter__(self) -> Running:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join(15)
        assert not self.thread.is_alive()


def ask(city: Any, login: str = "office", **args: Any) -> str:
    with city.database.sessions() as session:
        person = session.scalars(select(Person.id).where(Person.login == login)).one()
        by = Actor(person, login, Role.TOWN_OFFICE)
        job = jobs.defer(session, "papers", args, by=by, now=city.clock())
        session.commit()
        return str(job.key)


def until_done(city: Any, key: str, login: str = "office", seconds: float = 20) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        shown = city.see(login, f"jobs/{key}")
        if shown["status"] in ("done", "failed"):
            return dict(shown)
        time.sleep(0.05)
    raise AssertionError("it was never done")


NOTES = [{"kind": "note", "name": "甲", "text": "一"}, {"kind": "note", "name": "甲", "text": "二"}]


def test_many_papers_come_as_one_zip_to_who_asked(city: Any, papers: None) -> None:
    key = ask(city, papers=NOTES, name="函件")
    assert city.see("office", f"jobs/{key}")["status"] == "waiting"
    with Running(city):
        done = until_done(city, key)

    assert (done["status"], done["error"]) == ("done", None)
    file = city.as_("office").get(done["file"])
    with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == {
            "甲.txt": "一",
            "甲-2.txt": "二",
        }
    assert file.headers["content-type"] == "application/zip"
    for path in (f"/api/jobs/{key}", done["file"]):
        assert city.as_("town").get(path).json()["code"] == "job_not_found"


def test_a_job_of_a_transaction_that_failed_was_never_asked_for(city: Any, papers: None) -> None:
    with city.database.sessions() as session:
        jobs.defer(session, "papers", {"papers": NOTES}, by=SYSTEM, now=city.clock())
        session.rollback()

    with city.database.readers() as session:
        assert session.scalar(text("SELECT count(*) FROM procrastinate_jobs")) == 0


def test_what_the_city_refuses_ends_a_job_with_its_code(city: Any, papers: None) -> None:
    key = ask(city, papers=[{"kind": "nothing"}])
    with Running(city):
        done = until_done(city, key)

    assert (done["status"], done["error"], done["file"]) == ("failed", "unknown_paper", None)


def test_a_job_that_is_not_known_is_not_taken(city: Any) -> None:
    with city.database.sessions() as session, pytest.raises(InvalidInput, match="not known"):
        jobs.defer(session, "nothing", {}, by=SYSTEM, now=city.clock())


def test_a_job_that_broke_is_tried_again(city: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = iter([True, False])

    def once_broken(_session: Any, _of: Any) -> tuple[str, bytes]:
        if next(tries):
            raise RuntimeError("the printer is out")
        return "a.txt", b"a"

    monkeypatch.setitem(jobs.PAPERS, "note", once_broken)
    key = ask(city, papers=[{"kind": "note"}])
    with Running(city):
        end = time.monotonic() + 20
        while city.see("office", f"jobs/{key}")["status"] != "done" and time.monotonic() < end:
            time.sleep(0.1)

    assert city.see("office", f"jobs/{key}")["status"] == "done"


KILLED = """
import sys, time, threading
from api import jobs
from api.clock import system_clock
from api.database import Database, make_engine, make_sessionmaker
engine = make_engine(sys.argv[1])
database = Database(engine, make_sessionmaker(engine), make_sessionmaker(engine, readonly=True), None)
def slow(session, of):
    print("begun", flush=True)
    time.sleep(600)
jobs.PAPERS["note"] = slow
jobs.run(database, system_clock, poll_seconds=0.05, stop=threading.Event(), stalled=1.5)
"""


def test_a_job_whose_worker_was_killed_is_taken_up_by_another(city: Any, papers: None) -> None:
    key = ask(city, papers=NOTES)
    url = city.database.engine.url.render_as_string(hide_password=False)
    killed = subprocess.Popen(
        [sys.executable, "-c", KILLED, url], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert killed.stdout is not None
    assert killed.stdout.readline() == "begun\n"
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    with city.database.readers() as session:
        assert session.scalar(text("SELECT status::text FROM procrastinate_jobs")) == "doing"

    with Running(city, stalled=1.5):
        done = until_done(city, key, seconds=30)

    assert done["status"] == "done"


def test_files_are_kept_for_a_day(city: Any, papers: None) -> None:
    key = ask(city, papers=NOTES)
    with Running(city):
        until_done(city, key)
    city.clock.advance(hours=25)
    with city.database.sessions() as session:
        longjobs.forget(session, before=city.clock() - timedelta(seconds=1))
        session.commit()

    with city.database.readers() as session:
        assert session.scalars(select(LongJob)).all() == []
    assert json.loads(city.as_("office").get(f"/api/jobs/{key}").content)["code"] in (
        "job_not_found",
        "not_signed_in",
    )
