"""Clocks that run out: what climbs, what is marked, what is told; and that each fires once."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from grids import calendars, deadlines
from grids.acts import incidents, whistles
from grids.rules.lifecycle import Channel
from grids.rules.whistles import WhistleLevel
from grids.tables import CalendarDay, Deadline

pytestmark = pytest.mark.database


def fire(city):
    return deadlines.fire_due(city.session, city.clock())


def test_an_unanswered_whistle_climbs_to_the_town_by_itself(city):
    incident = city.accepted()  # Wednesday morning: one working day ends on Thursday at close of business
    city.clock.advance(days=1, hours=8, minutes=30, seconds=1)

    fire(city)

    assert city.whistle(incident, 1).status == "escalated"
    assert city.whistle(incident, 2).reason == "no_answer_in_time"
    assert "whistle.second" in city.told("centre")
    assert "clock.community" in city.told("leader")


def test_taking_a_whistle_in_hand_does_not_stop_the_clock(city):
    incident = city.accepted()
    whistles.answer(city.session, city.whistle(incident, 1).number, by=city["leader"], now=city.clock())
    city.clock.advance(days=2)

    fire(city)

    assert city.whistle(incident, 2) is not None


def test_a_solved_whistle_never_climbs(city):
    incident = city.accepted()
    number = city.whistle(incident, 1).number
    whistles.solve(city.session, number, result="好了", by=city["leader"], now=city.clock())
    city.clock.advance(days=1, hours=9)

    fire(city)

    assert city.whistle(incident, 2) is None


def test_a_case_that_is_not_done_in_time_is_marked_with_the_moment(city):
    incident = city.accepted()
    city.clock.advance(hours=24, seconds=1)

    fire(city)

    assert incident.first_overdue_at == incident.due_at
    assert incident.status == "handling"
    assert "clock.handle" in city.told("town")
    assert "clock.handle" in city.told("platform")


def test_a_case_under_verification_does_not_become_overdue(city):
    incident = city.accepted()
    number = city.whistle(incident, 1).number
    whistles.solve(city.session, number, result="好了", by=city["leader"], now=city.clock())
    city.clock.advance(hours=30)

    fire(city)

    assert incident.first_overdue_at is None


def test_work_sent_back_after_its_due_moment_is_overdue_at_once(city):
    incident = city.accepted()
    number = city.whistle(incident, 1).number
    whistles.solve(city.session, number, result="好了", by=city["leader"], now=city.clock())
    city.clock.advance(hours=30)
    incidents.verify(
        city.session, incident.number, passed=False, comment="没好", by=city["worker"], now=city.clock()
    )
    city.clock.advance(seconds=1)

    fire(city)

    assert incident.first_overdue_at == incident.due_at


def test_a_clock_fires_once_however_often_one_looks(city):
    city.accepted()
    city.clock.advance(days=3)

    first, second = fire(city).fired, fire(city).fired

    assert first > 0
    fired = city.session.scalars(select(Deadline).where(Deadline.fired_at.is_not(None))).all()
    assert first + second == len(fired) == len({clock.id for clock in fired})
    assert fire(city).fired == 0 or second > 0


def test_a_missing_calendar_year_holds_up_only_the_clocks_that_need_it(city):
    stuck = city.accepted()
    fine = city.report(by="worker", channel=Channel.GRID_WORKER, category="02-001")
    for day in city.session.scalars(select(CalendarDay)):
        city.session.delete(day)
    city.session.flush()
    city.clock.advance(days=3)

    done = fire(city)

    assert {reason.code for reason in done.stuck.values()} == {"calendar_unknown"}
    assert fine.first_overdue_at is not None  # marking needs no calendar
    assert stuck.first_overdue_at is not None
    assert deadlines.left_behind(city.session, city.clock()) == len(done.stuck)
    calendars.load_years(city.session, [2026])
    assert not fire(city).stuck


def test_two_workers_never_fire_the_same_clock(engine, committed_city):
    city = committed_city
    for _ in range(12):
        city.accepted(WhistleLevel.FIRST)
    city.session.commit()
    late = city.clock() + timedelta(days=3)
    fired: list[int] = []

    def work() -> None:
        with Session(engine, expire_on_commit=False) as session:
            for _ in range(200):
                done = deadlines.fire_due(session, late, limit=5).fired
                session.commit()
                fired.append(done)
                if not done:
                    break

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    with Session(engine) as session:
        rows = session.scalars(select(Deadline).where(Deadline.fired_at.is_not(None))).all()
        assert sum(fired) == len(rows)
        assert deadlines.left_behind(session, late) == 0
