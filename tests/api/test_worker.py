"""The worker: fires what is due in time, outlives what fails, and ends when it is told to."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from sqlalchemy import text

from api import worker
from gis.errors import Unavailable
from grids import deadlines, repeats
from grids.acts import effects


def overdue(city: Any, many: int = 1) -> list[str]:
    """Report incidents that nobody accepts in time."""
    numbers = [city.report() for _ in range(many)]
    city.clock.advance(days=1)
    return numbers


class Running:
    """The worker as a thread, for the length of a `with`."""

    def __init__(self, city: Any, poll_seconds: float = 0.05) -> None:
        self.stop = threading.Event()
        self.thread = threading.Thread(
            target=worker.run,
            args=(city.database, city.clock),
            kwargs={"poll_seconds": poll_seconds, "stop": self.stop},
        )

    def __enter__(self) -> Running:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join(10)
        assert not self.thread.is_alive()


def until(holds: Any, seconds: float = 20) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def fired(city: Any) -> int:
    with city.database.readers() as session:
        return session.scalar(text("SELECT count(*) FROM deadline WHERE fired_at IS NOT NULL")) or 0


def test_what_is_due_fires_once_though_three_workers_run(city: Any) -> None:
    overdue(city, 12)
    with Running(city), Running(city), Running(city):
        until(lambda: fired(city) == 12)
        time.sleep(0.3)

    assert fired(city) == 12
    assert city.told("town") == ["clock.accept"] * 12


def test_a_running_worker_sees_what_falls_due_later(city: Any) -> None:
    number = city.report()
    with Running(city):
        time.sleep(0.2)
        assert fired(city) == 0
        city.clock.advance(days=1)
        until(lambda: fired(city) == 1)

    assert "incident.clock_ran_out" in city.steps(number)


def test_it_outlives_a_database_that_fails(
    city: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    overdue(city)
    real, failures = deadlines.fire_due, iter(range(3))

    def failing(*args: Any, **kwargs: Any) -> Any:
        if next(failures, None) is not None:
            args[0].execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return real(*args, **kwargs)

    monkeypatch.setattr(deadlines, "fire_due", failing)
    with caplog.at_level(logging.ERROR), Running(city):
        until(lambda: fired(city) == 1)

    records: list[Any] = [record for record in caplog.records if record.name == "gridwhistle.worker"]
    waits = [record.facts["again_in_seconds"] for record in records]
    assert waits == [0.05, 0.1, 0.2]


def test_a_clock_that_cannot_fire_is_named_once_and_holds_up_nobody(
    city: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    overdue(city, 4)
    monkeypatch.setattr(effects, "changes_more", lambda _kind: True)
    real = effects.carry_out

    def stuck(case: Any, clock: Any, *of: Any) -> None:
        if clock.id <= 2:
            raise Unavailable("calendar_unknown", "the year is not loaded")
        real(case, clock, *of)

    monkeypatch.setattr(effects, "carry_out", stuck)
    with caplog.at_level(logging.WARNING), Running(city):
        until(lambda: fired(city) == 2)
        time.sleep(0.3)

    records: list[Any] = [record for record in caplog.records if record.message == "deadline stuck"]
    said = [record.facts for record in records]
    assert said == [{"deadline": 1, "code": "calendar_unknown"}, {"deadline": 2, "code": "calendar_unknown"}]


def test_it_sleeps_to_the_next_due_moment_and_never_longer_than_told(city: Any) -> None:
    assert worker._until_next(city.database, city.clock(), 5.0) == 5.0
    city.report()
    city.clock.advance(hours=5, minutes=29, seconds=58)

    assert worker._until_next(city.database, city.clock(), 5.0) == pytest.approx(
        3.001
    )  # and a second of grace
    city.clock.advance(seconds=4)
    assert worker._until_next(city.database, city.clock(), 5.0) == 0.2  # due, and nobody has fired it


def test_it_forgets_keys_that_no_client_repeats_any_more(city: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    city.as_("hotline").post("/api/incidents", json=city.said(), headers={"Idempotency-Key": "k"})
    city.clock.advance(days=8)
    with Running(city):
        until(lambda: city.count("idempotency_key") == {"idempotency_key": 0})

    assert callable(repeats.forget)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_as_a_process_it_ends_on_a_signal(city: Any, number: int) -> None:
    program = (
        "import sys; from api.clock import system_clock; from api.logs import configure;"
        "from api.database import *; from api.settings import Settings; from api.worker import run_until_signalled;"
        "configure(); e = make_engine(sys.argv[1]);"
        "d = Database(e, make_sessionmaker(e), make_sessionmaker(e, readonly=True), None);"
        "run_until_signalled(d, system_clock, Settings(worker_poll_seconds=30))"
    )
    url = city.database.engine.url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-c", program, url], stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert process.stderr is not None
    assert '"worker started"' in process.stderr.readline()
    time.sleep(0.5)

    process.send_signal(number)

    assert process.wait(10) == 0
    assert '"worker stopped"' in process.stderr.read()
    process.stderr.close()
