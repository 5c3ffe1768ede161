"""A service that begins reads what figures are made of before anybody asks, and serves whether it can or not."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from api.app import create_app
from api.settings import Settings
from grids import facts

pytestmark = pytest.mark.database


def begun(city: Any, **said: Any) -> TestClient:
    return TestClient(create_app(Settings(**said), clock=city.clock, database=city.database, warm=True))


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("waited for 30 s")


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "warming"]


@pytest.fixture
def months_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The months that are read from the rows while the test runs."""
    seen: list[str] = []
    read = facts.received_in

    def told(session: Any, since: Any, until: Any) -> Any:
        if until - since > timedelta(days=2):  # not one question's own
            seen.append(f"{since:%Y-%m}")
        return read(session, since, until)

    monkeypatch.setattr(facts, "received_in", told)
    return seen


def test_the_last_months_are_there_before_anybody_asks(city: Any, months_read: list[str]) -> None:
    city.report()
    month = f"{city.clock():%Y-%m}"

    with begun(city, warm_months=2):
        wait_for(lambda: not readers())
        now = city.clock()
        with city.database.readers() as session:
            found = facts.facts(session, now - timedelta(days=20), now)

    assert found.n > 0 or found.own
    assert months_read == [month]


def test_who_wants_no_months_read_has_none_read(city: Any, months_read: list[str]) -> None:
    with begun(city, warm_months=0):
        assert readers() == []

    assert months_read == []


def test_what_is_loaded_when_a_service_begins_is_none_of_the_collectors_business(city: Any) -> None:
    gc.unfreeze()  # the run has its own (`tests/conftest.py`)

    with begun(city, warm_months=0):
        assert gc.get_freeze_count() > 100_000


def test_a_service_that_cannot_read_serves_all_the_same(city: Any, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Any:
        raise OperationalError("select", {}, Exception("gone"))

    database = replace(city.database, readers=broken)
    app = create_app(Settings(), clock=city.clock, database=database, warm=True)

    with caplog.at_level(logging.WARNING, logger="gridwhistle.warming"), TestClient(app) as client:
        wait_for(lambda: not readers())
        alive = client.get("/livez")

    assert alive.status_code == 200
    assert [record.name for record in caplog.records] == ["gridwhistle.warming"]
