"""Clocks that run out: what climbs, what is marked, what is told; and that each fires once."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from grids import calendars, deadlines, directory, lateness, trace
from grids.acts import effects, incidents, whistles
from grids.batch import Batch
from grids.rules.deadlines import RULES
from grids.rules.permissions import Role
from grids.rules.trace import rendered
from grids.rules.whistles import WhistleLevel
from grids.tables import CalendarDay, Deadline, Incident, Trace

pytestmark = pytest.mark.database

CELL_CODES = ("990101001001001", "990101001001002", "990101001002002", "990101002001001")


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
    city.accepted()
    fine = city.report()
    for day in city.session.scalars(select(CalendarDay)):
        city.session.delete(day)
    city.session.flush()
    city.clock.advance(days=3)

    done = fire(city)

    assert {reason.code for reason in done.stuck.values()} == {"calendar_unknown"}
    assert city.outcomes(fine, "accept") == ["missed"]  # reminding needs no calendar
    row = city.session.scalars(select(Deadline).where(Deadline.id.in_(done.stuck))).all()
    assert {(clock.stuck_code, clock.stuck_at) for clock in row} == {("calendar_unknown", city.clock())}
    assert lateness.left_behind(city.session, city.clock()) == len(done.stuck)
    calendars.load_years(city.session, [2026])
    assert fire(city).claimed == 0  # set aside for a minute
    city.clock.advance(seconds=60)
    assert fire(city).fired == len(done.stuck)
    assert lateness.left_behind(city.session, city.clock()) == 0


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
        assert lateness.left_behind(session, late) == 0


def test_an_act_that_came_in_time_wins_though_the_sweeper_looks_first_a_moment_later(city):
    incident = city.accepted()
    number = city.whistle(incident, 1).number
    due_at = city.clocks(incident)["community"]
    deadlines.fire_due(city.session, due_at - timedelta(minutes=1))  # the case itself is late by then
    city.clock.set(due_at + timedelta(milliseconds=900))

    assert fire(city).claimed == 0  # the act has a second to reach its case
    whistles.solve(city.session, number, result="好了", by=city["leader"], now=due_at)

    city.clock.advance(seconds=5)
    fire(city)
    assert city.outcomes(incident, "community") == ["met"]
    assert city.whistle(incident, 2) is None


def test_no_clock_fires_early_and_each_fires_a_second_after_its_moment(city):
    incident = city.accepted()
    due_at = city.clocks(incident)["community"]
    deadlines.fire_due(city.session, due_at - timedelta(minutes=2))  # the case itself is late by then
    for ahead in (-60.0, -0.001, 0.0, 0.999):
        assert deadlines.fire_due(city.session, due_at + timedelta(seconds=ahead)).fired == 0

    assert deadlines.fire_due(city.session, due_at + deadlines.GRACE).fired >= 1


def test_what_waited_for_another_act_is_written_after_it_and_says_when_it_came(city):
    incident = city.accepted()
    due_at = city.clocks(incident)["handle"]
    city.clock.set(due_at + timedelta(seconds=2))
    fire(city)

    whistle = city.whistle(incident, 2) or city.whistle(incident, 1)
    arrived = due_at - timedelta(milliseconds=5)
    if whistle.level == 1:
        whistles.solve(city.session, whistle.number, result="好了", by=city["leader"], now=arrived)
    else:
        whistles.name_liaison(city.session, whistle.number, name="李", by=city["centre"], now=arrived)

    steps = city.session.scalars(
        select(Trace).where(Trace.incident_id == incident.id).order_by(Trace.seq)
    ).all()
    assert [step.at for step in steps] == sorted(step.at for step in steps)
    assert steps[-1].at == due_at + timedelta(seconds=2)
    assert steps[-1].payload["received_at"] == rendered(arrived)
    assert trace.first_broken(city.session, incident) is None


def test_an_empty_post_is_passed_over_at_once(city):
    city.vacate(Role.GRID_LEADER, "990101001001")

    incident = city.accepted()

    assert city.whistle(incident, 1).status == "escalated"
    assert city.whistle(incident, 2).reason == "empty_post"
    assert "community" not in city.clocks(incident)


def test_a_round_tells_whom_an_act_by_itself_would_tell(city):
    for code in ("990101001001001", "990101001002002", "990101002001001"):
        city.report(code=code)
        city.accepted(code=code)
    city.clock.advance(days=1)
    clocks = city.session.scalars(select(Deadline).where(Deadline.settled_at.is_(None))).all()
    batch = Batch(city.session, city.clock(), (), CELL_CODES, {1, 2, 3}, {})

    for roles in {(*RULES[clock.kind].owed_by, *RULES[clock.kind].told) for clock in clocks}:
        for code in CELL_CODES:
            alone = directory.on_duty(city.session, roles, code, city.clock())
            assert sorted(batch.on_duty(roles, code)) == sorted({person.id for person in alone})


def test_a_bug_in_one_effect_stops_no_other_clock(city, monkeypatch):
    city.accepted()
    city.accepted(code="990101002001001")
    city.clock.advance(days=3)
    real = effects.carry_out

    def broken(case, clock, *of):
        if case.incident.grid_code.startswith("990101002"):
            raise KeyError("a bug")
        real(case, clock, *of)

    monkeypatch.setattr(effects, "carry_out", broken)
    done = fire(city)

    assert {reason.code for reason in done.stuck.values()} == {"clock_failed"}
    assert done.fired > 0
    for incident in city.session.scalars(select(Incident)):
        assert trace.first_broken(city.session, incident) is None
