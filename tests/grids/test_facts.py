"""The facts in memory are the rows, whatever happened last, in whatever order transactions ended."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from gis.errors import CityError
from grids import deadlines, facts
from grids.acts import incidents, intake, joint, tasks, whistles
from grids.facts import Facts, FactStore
from grids.figures import reading
from grids.figures.reading import MISSING
from grids.rules.lifecycle import IncidentStatus, RejectReason
from grids.rules.moments import micros
from grids.rules.tasks import TaskStatus
from grids.rules.whistles import WhistleLevel
from grids.tables import Incident, Task, Trace

pytestmark = pytest.mark.database

SINCE, UNTIL = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)


def rows_of(found: Facts) -> dict[int, tuple]:
    """Return what the facts say of each case, as plain values."""
    moments = ("received", "accepted", "resolved", "closed", "due", "overdue_at")
    status = {number: member for member, number in reading.STATUSES.items()}
    columns = [found.case(name).tolist() for name in ("id", "grid", "status", "round", "reworks", *moments)]
    return {row[0]: (found.codes[row[1]], status[row[2]], *row[3:]) for row in zip(*columns, strict=True)}


def rows_in(session: Session) -> dict[int, tuple]:
    """Return the same of the rows."""
    moments = (
        Incident.received_at,
        Incident.accepted_at,
        Incident.resolved_at,
        Incident.closed_at,
        Incident.due_effective,
        Incident.first_overdue_at,
    )
    query = select(
        Incident.id, Incident.grid_code, Incident.status, Incident.round, Incident.rework_count, *moments
    )
    return {
        row[0]: (*row[1:5], *(MISSING if at is None else micros(at) for at in row[5:]))
        for row in session.execute(query)
    }


def parts_of(found: Facts) -> dict[int, tuple]:
    status = {number: member for member, number in reading.TASK_STATUSES.items()}
    ids = found.case("id")
    names = ("id", "row", "status", "reworks", "issued", "responded", "came", "completed")
    columns = [found.task(name).tolist() for name in names]
    return {row[0]: (int(ids[row[1]]), status[row[2]], *row[3:]) for row in zip(*columns, strict=True)}


def parts_in(session: Session) -> dict[int, tuple]:
    moments = (Task.issued_at, Task.responded_at, Task.checked_in_at, Task.completed_at)
    query = select(Task.id, Task.incident_id, Task.status, Task.rework_count, *moments)
    return {
        row[0]: (*row[1:4], *(MISSING if at is None else micros(at) for at in row[4:]))
        for row in session.execute(query)
    }


@pytest.fixture
def store() -> FactStore:
    return FactStore()


@pytest.fixture
def ask(store, engine: Engine):
    """Ask the store in a transaction of its own, as a request does."""

    def asked() -> Facts:
        with Session(engine) as reader:
            return store.facts(reader, SINCE, UNTIL)

    return asked


def kept(ask: Callable[[], Facts]) -> Facts:
    """Ask until the store answers out of its memory: on this cluster, tests beside this one write too."""
    for _ in range(600):
        found = ask()
        if not found.own:
            return found
        time.sleep(0.05)
    raise AssertionError("got facts read for one question alone during 30 s, wanted those of the store")


def test_a_change_is_seen_at_the_next_question(committed_city, ask, engine):
    city = committed_city
    incident = city.report()
    city.session.commit()
    before = kept(ask)
    city.clock.advance(minutes=5)
    incidents.accept(
        city.session,
        incident.number,
        by=city["centre"],
        now=city.clock(),
        level=WhistleLevel.FIRST,
        reason="由中心定级",
    )
    city.session.commit()

    after = ask()

    assert not after.own
    assert rows_of(before) != rows_of(after)
    with Session(engine) as session:
        assert rows_of(after) == rows_in(session)


def test_where_nothing_changed_the_same_arrays_are_given(committed_city, ask):
    committed_city.report()
    committed_city.session.commit()

    assert kept(ask) is ask()


def test_a_transaction_that_wrote_sees_its_own_changes_and_nobody_else_does(committed_city, ask, store):
    city = committed_city
    city.session.commit()
    kept(ask)
    city.report()

    mine = store.facts(city.session, SINCE, UNTIL)
    theirs = ask()

    assert mine.own
    assert (mine.n, theirs.n) == (1, 0)
    city.session.rollback()


def test_a_lower_step_that_becomes_visible_later_is_seen(committed_city, ask, engine):
    city = committed_city
    first, second = city.report(), city.report()
    city.session.commit()
    kept(ask)
    with Session(engine) as slow, Session(engine) as quick:
        _touch(slow, first, status=IncidentStatus.REJECTED)  # holds the lower id of the trace
        _touch(quick, second, status=IncidentStatus.REJECTED)
        quick.commit()
        between = ask()
        for _ in range(3):
            city.report()
            city.session.commit()
            ask()
        slow.commit()

    after = ask()

    assert rows_of(between)[first.id][1] is IncidentStatus.REPORTED
    assert rows_of(after)[first.id][1] is IncidentStatus.REJECTED
    assert rows_of(after) == rows_in(city.session)


def test_one_that_began_after_those_that_ended_and_holds_a_lower_step_is_seen(committed_city, ask, engine):
    """The first transaction that is not over has a number above `pg_snapshot_xmax`, which counts what ended."""
    city = committed_city
    one, two, three = city.report(), city.report(), city.report()
    city.session.commit()
    kept(ask)
    with Session(engine) as old, Session(engine) as middle, Session(engine) as young:
        for session in (old, middle, young):  # in this order they get their numbers
            session.execute(text("select pg_current_xact_id()"))
        _touch(young, three, status=IncidentStatus.REJECTED)  # the lowest id of the trace
        _touch(old, one, status=IncidentStatus.REJECTED)
        old.commit()
        ask()
        _touch(middle, two, status=IncidentStatus.REJECTED)
        middle.commit()
        ask()
        ask()
        young.commit()

    after = ask()

    assert {row[1] for row in rows_of(after).values()} == {IncidentStatus.REJECTED}


def test_what_is_asked_first_while_a_transaction_runs_is_right_too(committed_city, store, ask, engine):
    city = committed_city
    first, second = city.report(), city.report()
    city.session.commit()
    with Session(engine) as slow, Session(engine) as quick:
        _touch(slow, first, status=IncidentStatus.REJECTED)
        _touch(quick, second, status=IncidentStatus.REJECTED)
        quick.commit()
        during = ask()
        slow.commit()

    after = [rows_of(ask()) for _ in range(3)]

    assert during.own  # nobody knows yet from which step on to look
    assert after == [rows_in(city.session)] * 3
    assert rows_of(kept(ask)) == rows_in(city.session)


def test_what_changes_while_a_month_is_read_is_seen_and_others_are_answered_meanwhile(
    committed_city, engine, store, monkeypatch
):
    city = committed_city
    old = city.report()
    city.clock.advance(days=31)
    city.report()
    city.session.commit()
    june, july, later = (datetime(2026, month, 1, tzinfo=UTC) for month in (6, 7, 10))

    def asked(since: datetime, until: datetime) -> Callable[[], Facts]:
        def ask() -> Facts:
            with Session(engine) as reader:
                return store.facts(reader, since, until)

        return ask

    kept(asked(july, later))
    meanwhile = []
    read = facts.received_in

    def slowly(session: Session, since: datetime, until: datetime) -> reading.Rows:
        rows = read(session, since, until)
        if not meanwhile:
            with Session(engine) as other:
                _touch(other, old, status=IncidentStatus.REJECTED)
                other.commit()
            meanwhile.extend(kept(asked(july, later)).n for _ in range(3))
        return rows

    monkeypatch.setattr(facts, "received_in", slowly)

    after = kept(asked(june, later))

    assert meanwhile == [1, 1, 1]
    assert rows_of(after)[old.id][1] is IncidentStatus.REJECTED
    assert rows_of(after) == rows_in(city.session)


def test_many_changes_at_once_are_read_as_whole_months(committed_city, ask, monkeypatch):
    city = committed_city
    city.report()
    city.session.commit()
    kept(ask)
    monkeypatch.setattr(facts, "MOST_CHANGES", 3)
    for _ in range(8):
        city.report()
    city.session.commit()

    after = ask()

    assert rows_of(after) == rows_in(city.session)


def test_months_that_nobody_asks_for_make_room(committed_city, engine, store, monkeypatch):
    city = committed_city
    for _ in range(3):
        city.report()
        city.clock.advance(days=31)
    city.session.commit()
    monkeypatch.setattr(facts, "MOST_CASES", 2)
    june, july, later = (datetime(2026, month, 1, tzinfo=UTC) for month in (6, 7, 10))

    def asked(since: datetime, until: datetime) -> int:
        with Session(engine) as reader:
            return store.facts(reader, since, until).n

    assert [asked(june, july), asked(july, later), asked(june, july), asked(june, later)] == [1, 2, 1, 3]


def test_a_period_without_any_case_has_none(committed_city, engine, store):
    committed_city.report()
    committed_city.session.commit()

    with Session(engine) as reader:
        found = store.facts(reader, datetime(1990, 1, 1, tzinfo=UTC), datetime(1991, 1, 1, tzinfo=UTC))

    assert (found.n, found.case("grid").size, found.task("row").size) == (0, 0, 0)


def test_tables_that_were_emptied_are_read_anew(committed_city, ask, engine):
    city = committed_city
    for _ in range(2):
        city.report()
    city.session.commit()
    assert ask().n == 2
    city.session.close()
    with engine.begin() as connection:
        connection.execute(text("truncate incident, trace restart identity cascade"))

    assert ask().n == 0


def test_whatever_is_done_the_facts_are_the_rows(committed_city, ask, engine, soak):
    """A walk of random acts, each a transaction; some other transaction is nearly always open meanwhile."""
    city = committed_city
    city.session.commit()
    kept(ask)
    chance = random.Random(20260603)
    lasting: Session | None = None
    held: int | None = None
    seen = 0
    for step in range(400 if soak else 90):
        try:
            _act(city, chance, held)
            city.session.commit()
        except CityError:
            city.session.rollback()
        if lasting is None and chance.random() < 0.3:
            lasting = Session(engine)
            known = lasting.scalars(select(Incident.id).order_by(Incident.id)).all()
            held = chance.choice(known) if known else None
            if held is not None:
                some = lasting.get_one(Incident, held)
                _touch(lasting, some, rework_count=Incident.rework_count + 1)
        elif lasting is not None and chance.random() < 0.4:
            lasting.commit()
            lasting.close()
            lasting = held = None
        found = ask()
        with Session(engine) as session:
            assert rows_of(found) == rows_in(session), f"after step {step}"
            assert parts_of(found) == parts_in(session), f"after step {step}"
        seen += not found.own
    if lasting is not None:
        lasting.rollback()
        lasting.close()

    assert seen > 60
    assert len(np.unique(found.case("status"))) >= 3
    assert found.task("id").size > 0


def _touch(session: Session, incident: Incident, **changes) -> None:
    """Change a case as acts do: under its lock, with a step of the trace."""
    row = session.get_one(Incident, incident.id, with_for_update=True, populate_existing=True)
    for name, value in changes.items():
        setattr(row, name, value)
    row.trace_seq += 1
    session.add(
        Trace(
            incident_id=row.id,
            seq=row.trace_seq,
            at=row.received_at,
            actor="test",
            unit="",
            machine="incident",
            subject=row.number,
            row="I1",
            action="touch",
            to_state=row.status.value,
            payload={},
            hash=bytes(32),
        )
    )
    session.flush()


def _act(city, chance: random.Random, held: int | None) -> None:
    """Do something that may be refused."""
    session, now = city.session, city.clock()
    some = session.scalars(
        select(Incident)
        .where(Incident.status != IncidentStatus.REJECTED, Incident.id != (held or 0))
        .order_by(Incident.id)
    ).all()
    one = chance.choice(some) if some else None
    what = chance.choice(
        ("report", "accept", "accept", "solve", "reject", "file", "call", "respond", "time", "sweep")
    )
    if what == "report" or one is None:
        city.report(code=chance.choice(["990101001001001", "990101001002001", "990101002001001"]))
        return
    centre = city["centre" if one.grid_code[:9].endswith("001") else "centre2"]
    if what == "accept":
        level = chance.choice([WhistleLevel.FIRST, WhistleLevel.SECOND])
        incidents.accept(session, one.number, by=centre, now=now, level=level, reason="由中心定级")
    elif what == "reject":
        intake.reject(
            session, one.number, reason=RejectReason.NO_CONTENT, reply="内容不明", by=centre, now=now
        )
    elif what == "time":
        city.clock.advance(hours=chance.choice([1, 5, 30]))
    elif what == "sweep":
        deadlines.fire_due(session, now)
    elif what == "respond":
        task = session.scalars(
            select(Task)
            .where(Task.status == TaskStatus.PENDING_RESPONSE, Task.incident_id != (held or 0))
            .limit(1)
        ).first()
        if task is not None:
            code = session.scalar(
                select(text("code")).select_from(text("department")).where(text(f"id = {task.department_id}"))
            )
            tasks.respond(
                session, task.id, staff_name="赵", staff_phone="13612345678", by=city[code], now=now
            )
    else:
        whistle = city.whistle(one, 1 if what == "solve" else 2)
        if whistle is None:
            return
        if what == "solve":
            leader = {"990101001001": "leader", "990101001002": "leader2"}.get(one.grid_code[:12], "leader3")
            whistles.solve(session, whistle.number, result="好了", by=city[leader], now=now)
        elif what == "file":
            whistles.file(
                session, whistle.number, liaison_name="李", liaison_phone="13912345678", by=centre, now=now
            )
        else:
            draft = joint.Draft(
                reason="无执法权", appointed_at=now + timedelta(hours=2), appointed_place="升平巷"
            )
            blown = joint.blow(
                session, one.number, level=WhistleLevel.THIRD, draft=draft, by=city["office"], now=now
            )
            joint.confirm(session, blown.number, by=city["town"], now=now)
