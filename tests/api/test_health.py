"""Alive and ready: what keeps requests away, and what somebody has to look at."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from api.routes.health import durability_faults
from grids import lateness

SAFE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "data_checksums": "on"}


def test_a_database_that_keeps_what_it_acknowledged_has_no_fault() -> None:
    assert durability_faults(SAFE) == []
    assert durability_faults({**SAFE, "synchronous_commit": "remote_apply"}) == []


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_every_setting_that_could_lose_something_is_caught(setting: str) -> None:
    (fault,) = durability_faults({**SAFE, setting: "off"})

    assert fault.startswith(f"{setting} is off")


def test_a_process_that_answers_is_alive_without_asking_the_database(still_city: Any) -> None:
    assert still_city.stranger().get("/livez").json() == {"status": "alive"}


def test_the_throw_away_database_of_the_tests_is_not_ready_for_the_city(city: Any) -> None:
    # its durability is switched off, and that is what is noticed
    answer = city.stranger().get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["status"] == "not_ready"
    assert [fault.split()[0] for fault in answer.json()["faults"]] == [
        "fsync",
        "full_page_writes",
        "synchronous_commit",
    ]


def ready(city: Any, monkeypatch: pytest.MonkeyPatch, *, at_work: bool = True) -> Any:
    """Return what /readyz says of everything but durability."""
    monkeypatch.setattr("api.routes.health.durability_faults", lambda _: [])
    if at_work:
        with city.database.sessions.begin() as session:
            lateness.beat(session, "a", city.clock(), started_at=city.clock())
    return city.stranger().get("/readyz")


def test_ready_needs_the_schema_of_this_release(city: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ready(city, monkeypatch).json() == {"status": "ready", "faults": [], "warnings": []}
    with city.database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))

    answer = ready(city, monkeypatch)

    assert answer.status_code == 503
    assert "gridwhistle db migrate" in answer.json()["faults"][0]


def test_deadlines_that_nobody_fires_are_a_warning(city: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    city.report()
    city.clock.advance(days=3)

    answer = ready(city, monkeypatch)

    assert answer.status_code == 200
    assert answer.json()["warnings"][0].startswith("1 deadlines are due")
    city.fire()
    assert ready(city, monkeypatch).json()["warnings"] == []


def test_a_calendar_that_ends_soon_is_a_warning(city: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    city.clock.advance(days=180)

    assert "known until 2026-12-31" in ready(city, monkeypatch).json()["warnings"][0]


def test_nobody_at_work_is_a_warning(city: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no worker was seen" in ready(city, monkeypatch, at_work=False).json()["warnings"][0]
    assert ready(city, monkeypatch).json()["warnings"] == []
    city.clock.advance(seconds=31)

    assert "no worker was seen" in ready(city, monkeypatch, at_work=False).json()["warnings"][0]
