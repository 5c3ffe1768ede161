"""The page and the figures that tell how the service does: who works, what is late and why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update
from starlette.testclient import TestClient

from api import worker
from api.settings import Settings
from grids import lateness
from grids.deadlines import Fired
from grids.rules.permissions import Scope
from grids.tables import Deadline, Incident

EVERYTHING = Scope(everything=True)


def test_who_watches_over_the_work_sees_the_page_and_nobody_else(city: Any) -> None:
    seen = {login: city.as_(login).get("/ops").status_code for login in ("platform", "governance", "auditor")}
    refused = {login: city.as_(login).get("/ops").status_code for login in ("worker", "town", "scjg")}

    assert set(seen.values()) == {200}
    assert set(refused.values()) == {403}
    assert 'href="/ops"' in city.as_("platform").get("/home").text
    assert 'href="/ops"' not in city.as_("town").get("/home").text


def test_a_clock_that_is_stuck_shows_its_reason_and_leads_to_its_case(city: Any) -> None:
    number = city.report()
    city.act("centre", f"incidents/{number}/accept", {"level": 1})
    city.clock.advance(days=3)
    with city.database.sessions.begin() as session:
        session.execute(text("delete from calendar_day"))
    done = city.fire()

    assert {reason.code for reason in done.stuck.values()} == {"calendar_unknown"}
    with city.database.readers() as session:
        late = lateness.late_clocks(session, EVERYTHING, city.clock())
        assert {(one.incident, one.stuck_code, one.holder) for one in late} == {
            (number, "calendar_unknown", None)
        }
        by_kind = {kind.kind.value: kind for kind in lateness.kinds(session, city.clock())}
    assert by_kind["community"].stuck == by_kind["community"].late == 1
    page = city.as_("platform").get("/ops", params={"lang": "en"}).text
    assert "calendar_unknown" in page
    assert city.whistle(number, 1) in page


def test_a_clock_whose_case_somebody_holds_names_the_connection(city: Any) -> None:
    number = city.report()
    city.clock.advance(days=3)
    with city.database.sessions() as holder:
        holder.scalars(select(Incident).where(Incident.number == number).with_for_update()).one()
        pid = holder.scalar(text("select pg_backend_pid()"))

        assert city.fire().fired == 0
        with city.database.readers() as session:
            (late,) = lateness.late_clocks(session, EVERYTHING, city.clock())
        assert late.holder is not None
        assert (late.holder.pid, late.holder.program) == (pid, "gridwhistle")
        assert f"connection {pid}" in city.as_("platform").get("/ops", params={"lang": "en"}).text
        holder.rollback()

    assert city.fire().fired == 1


def test_late_cases_are_shown_within_the_readers_area_only(city: Any) -> None:
    city.report()
    city.clock.advance(days=3)
    with city.database.readers() as session:
        assert len(lateness.late_clocks(session, Scope(areas=("990101001",)), city.clock())) == 1
        assert lateness.late_clocks(session, Scope(areas=("990101002",)), city.clock()) == []


def test_how_late_clocks_fired_is_told_for_the_last_hour(city: Any) -> None:
    city.report()
    city.clock.advance(days=3)
    city.fire()
    with city.database.sessions.begin() as session:
        session.execute(
            update(Deadline)
            .where(Deadline.fired_at.is_not(None))
            .values(fired_at=Deadline.due_at + timedelta(seconds=1.5))
        )
        fired_at = session.scalar(select(Deadline.fired_at).where(Deadline.fired_at.is_not(None)))

    with city.database.readers() as session:
        assert lateness.lag(session, fired_at + timedelta(minutes=59)) == lateness.Lag(1, 1.5, 1.5, 1.5)
        assert lateness.lag(session, fired_at + timedelta(minutes=61)).fired == 0


def test_a_worker_says_what_it_did_and_when_it_ends(city: Any) -> None:
    city.report()
    city.clock.advance(days=3)
    pulse = worker._Pulse(city.database, city.clock)

    worker.fire_all(city.database, city.clock, after_each=pulse.beat)
    city.clock.advance(seconds=6)
    pulse.beat(Fired())
    pulse.end()

    with city.database.readers() as session:
        (beat,) = lateness.workers(session, city.clock())
    assert beat.fired == 1
    assert beat.ended_at == city.clock()


def test_metrics_are_for_programs_on_this_machine_unless_a_setting_opens_them(city: Any) -> None:
    city.report()
    city.clock.advance(days=3)
    here = TestClient(city.app, client=("127.0.0.1", 5000))

    answer = here.get("/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    figures = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert figures['gridwhistle_clocks_late{kind="accept"}'] == "1.0"
    assert figures["gridwhistle_workers"] == "0.0"
    assert float(figures["gridwhistle_oldest_late_seconds"]) > 86_400
    assert TestClient(city.app, client=("10.0.0.9", 5000)).get("/metrics").status_code == 404


@pytest.mark.parametrize(("said", "status"), [("open", 200), ("off", 404)])
def test_the_setting_of_metrics_holds(city: Any, said: str, status: int) -> None:
    city.app.state.settings = Settings(metrics=said)

    assert TestClient(city.app, client=("10.0.0.9", 5000)).get("/metrics").status_code == status
