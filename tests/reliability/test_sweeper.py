"""Every clock fires once, never early and hardly late, whoever is killed meanwhile.

Each claim has its control: a sweeper without the guard, at which the same count finds the fault.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from api import worker
from api.clock import system_clock
from api.database import Database, make_engine, make_sessionmaker
from benchmarks import backlog
from grids import deadlines, lateness, trace
from grids.rules.deadlines import DeadlineKind
from grids.tables import Deadline, Incident, Message, Trace, Whistle

pytestmark = [pytest.mark.database, pytest.mark.timeout(1800)]

_fork = multiprocessing.get_context("fork")  # a worker is at work at once
Once = Callable[[Session], int]


def _sweep(session: Session) -> int:
    """Fire a small round, so that many a kill comes in the middle of one."""
    return deadlines.fire_due(session, backlog.NOON, limit=25).claimed


def _naive(session: Session) -> int:
    """Look for what is due, act on it, then mark it: as one would without locks."""
    rows = session.execute(
        select(Deadline.id, Deadline.incident_id)
        .where(Deadline.settled_at.is_(None), Deadline.due_at <= backlog.NOON)
        .order_by(Deadline.due_at)
        .limit(25)
    ).all()
    for row in rows:
        session.add(
            Trace(
                incident_id=row.incident_id,
                seq=(
                    session.scalar(select(func.max(Trace.seq)).where(Trace.incident_id == row.incident_id))
                    or 0
                )
                + 1,
                at=backlog.NOON,
                actor="",
                unit="",
                machine="incident",
                subject="",
                row="clock",
                action="clock_ran_out",
                to_state="",
                payload={},
                hash=b"",
            )
        )
        session.execute(
            text("update deadline set settled_at = :now, fired_at = :now, outcome = 'missed' where id = :id"),
            {"now": backlog.NOON, "id": row.id},
        )
        with suppress(DBAPIError):
            session.commit()
        session.rollback()
    return len(rows)


def _work(url: str, once: Once) -> None:
    """Be a worker process: do rounds until killed, over every loss of the connection."""
    engine = create_engine(url, poolclass=NullPool, connect_args={"options": "-c timezone=UTC"})
    while True:
        try:
            with Session(engine, expire_on_commit=False) as session:
                claimed = once(session)
                session.commit()
            if not claimed:
                time.sleep(0.02)
        except DBAPIError:
            time.sleep(0.05)


@contextmanager
def _workers(url: str, many: int, once: Once) -> Iterator[list[Any]]:
    def start() -> Any:
        process = _fork.Process(target=_work, args=(url, once), daemon=True)
        process.start()
        return process

    crew = [start() for _ in range(many)]
    crew.append(start)
    try:
        yield crew
    finally:
        for process in crew[:-1]:
            process.kill()
            process.join()


def _left(url: str) -> int:
    engine = create_engine(url, poolclass=NullPool)
    while True:
        try:
            with engine.connect() as connection:
                return connection.scalar(
                    text("select count(*) from deadline where settled_at is null and due_at <= :now"),
                    {"now": backlog.NOON},
                )
        except DBAPIError:
            time.sleep(0.1)


def _drain(
    url: str, once: Once, *, kills: int, crashes: int = 0, crash: Callable[[], None] | None = None
) -> Counter[str]:
    """Let four workers fire everything while some are killed and the database crashes; return what was done."""
    luck, done = random.Random(7), Counter[str]()
    with _workers(url, 4, once) as crew:
        *_, start = crew
        while True:
            time.sleep(luck.uniform(0.05, 0.35))
            left = _left(url)
            if not left:
                return done
            if done["kills"] < kills:
                place = luck.randrange(4)
                os.kill(crew[place].pid, signal.SIGKILL)
                crew[place].join()
                crew[place] = start()
                done["kills"] += 1
            if crash is not None and done["crashes"] < crashes and luck.random() < 0.1:
                crash()
                done["crashes"] += 1


def _times_fired(session: Session) -> Counter[Any]:
    """Return how often each clock that was due ran out, by the history."""
    rows = session.execute(
        select(Trace.incident_id, Trace.payload["clock"].astext).where(Trace.action == "clock_ran_out")
    )
    return Counter((row[0], row[1]) for row in rows)


@pytest.fixture(scope="module")
def filled(rig: Any) -> Callable[..., str]:
    """Make a database with this many clocks that have run out."""

    def make(clocks: int, **when: Any) -> str:
        url: str = rig.database()
        engine = create_engine(url, poolclass=NullPool)
        with Session(engine) as session:
            backlog.people(session)
            backlog.fill(session, clocks, **when)
            session.commit()
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("analyze"))
        return url

    return make


def test_every_clock_fires_exactly_once_though_workers_are_killed(
    rig: Any, filled: Any, soak: bool, publish: Any
) -> None:
    clocks, kills, crashes = (20_000, 60, 5) if soak else (1_500, 8, 1)
    url = filled(clocks)

    begun = time.monotonic()
    done = _drain(url, _sweep, kills=kills, crashes=crashes, crash=rig.crash)
    took = time.monotonic() - begun

    with Session(create_engine(url, poolclass=NullPool)) as session:
        times = _times_fired(session)
        of_backlog = session.execute(
            select(Deadline.incident_id, Deadline.kind).where(
                Deadline.due_at <= backlog.NOON, Deadline.because.is_(None)
            )
        ).all()
        missed = [row for row in of_backlog if times[row.incident_id, row.kind.value] == 0]
        doubled = [key for key, count in times.items() if count > 1]
        told_twice = session.scalar(
            select(func.count()).select_from(
                select(Message.incident_id)
                .where(Message.template.like("clock.%"))
                .group_by(Message.incident_id, Message.person_id, Message.template)
                .having(func.count() > 2)  # a department's duty that is told as such and by its place
                .subquery()
            )
        )
        assert (missed, doubled, told_twice) == ([], [], 0)
        assert lateness.left_behind(session, backlog.NOON) == 0
        for incident in session.scalars(select(Incident).order_by(func.random()).limit(500)):
            assert trace.first_broken(session, incident) is None
        climbed = session.scalar(
            select(func.count()).where(Deadline.kind == "community", Deadline.fired_at.is_not(None))
        )
        towns = session.scalar(
            select(func.count()).where(Whistle.level == 2, Whistle.reason == "no_answer_in_time")
        )
        assert climbed == towns
    assert done["kills"] >= min(kills, 3)
    publish(
        "B1",
        clocks=clocks,
        fired=sum(times.values()),
        twice=len(doubled),
        missed=len(missed),
        workers=4,
        killed=done["kills"],
        database_crashes=done["crashes"],
        seconds=round(took, 1),
    )


def test_a_sweeper_without_locks_fires_twice_and_the_same_count_finds_it(filled: Any, publish: Any) -> None:
    url = filled(400, mix={DeadlineKind.ACCEPT: 1})

    _drain(url, _naive, kills=0)

    with Session(create_engine(url, poolclass=NullPool)) as session:
        doubled = sum(count - 1 for count in _times_fired(session).values())
    assert doubled > 0
    publish("B1-control", clocks=400, twice=doubled)


def _drain_in_pairs(url: str) -> int:
    """Let two rounds at a time fire clocks that draw from several series of numbers; return the deadlocks."""
    engine, deadlocks = make_engine(url, pool_size=2), []

    def sweep() -> None:
        while True:
            try:
                with Session(engine, expire_on_commit=False) as session:
                    if not _sweep(session):
                        return
                    session.commit()
            except OperationalError as error:
                deadlocks.append(error)

    pair = [threading.Thread(target=sweep) for _ in range(2)]
    for thread in pair:
        thread.start()
    for thread in pair:
        thread.join()
    engine.dispose()
    return len(deadlocks)


def test_rounds_that_draw_numbers_take_turns(filled: Any, publish: Any, monkeypatch: Any) -> None:
    draws = dict.fromkeys((DeadlineKind.COMMUNITY, DeadlineKind.HANDLE, DeadlineKind.COMPLETE), 1)
    assert _drain_in_pairs(filled(250, mix=draws)) == 0

    # the same count finds what happens without turns
    monkeypatch.setattr(deadlines, "take_turns", lambda *_: None)
    without = 0
    for _ in range(5):  # two rounds have to meet in the wrong order for it
        without = without or _drain_in_pairs(filled(250, mix=draws))
    assert without > 0
    publish("B1-turns", clocks=250, deadlocks=0, without_turns=without)


@pytest.fixture
def running() -> Iterator[Callable[..., Any]]:
    """Start workers as the service does, as threads with the time of this machine."""
    stop = threading.Event()
    threads: list[threading.Thread] = []
    databases: list[Database] = []

    def start(url: str, many: int) -> Database:
        engine = make_engine(url, pool_size=10)
        database = Database(engine, make_sessionmaker(engine), make_sessionmaker(engine, readonly=True), None)
        databases.append(database)
        for _ in range(many):
            thread = threading.Thread(
                target=worker.run,
                args=(database, system_clock),
                kwargs={"poll_seconds": 1.0, "stop": stop},
            )
            thread.start()
            threads.append(thread)
        return database

    yield start
    stop.set()
    for thread in threads:
        thread.join(30)
    for database in databases:
        database.close()


def test_no_clock_fires_early_and_hardly_one_late(
    filled: Any, running: Any, soak: bool, publish: Any
) -> None:
    clocks, seconds = (20_000, 100) if soak else (300, 5)
    first = system_clock() + timedelta(seconds=8 if soak else 4)
    url = filled(clocks, first=first, last=first + timedelta(seconds=seconds))

    database = running(url, 2)
    end = first + timedelta(seconds=seconds + 60)
    while system_clock() < end:
        with database.readers() as session:
            left = session.scalar(
                select(func.count()).where(
                    Deadline.settled_at.is_(None), Deadline.due_at < first + timedelta(seconds=seconds)
                )
            )
        if not left:
            break
        time.sleep(0.3)

    with database.readers() as session:
        late = sorted(
            (fired_at - due_at).total_seconds()
            for fired_at, due_at in session.execute(
                select(Deadline.fired_at, Deadline.due_at).where(
                    Deadline.fired_at.is_not(None), Deadline.due_at >= first
                )
            )
        )
        held = max(beat.longest_hold_ms for beat in lateness.workers(session, system_clock())) / 1000
    assert len(late) >= clocks
    assert late[0] >= deadlines.GRACE.total_seconds()  # never early
    p50, p99 = late[len(late) // 2], late[int(len(late) * 0.99)]
    publish(
        "B2",
        clocks=len(late),
        early=0,
        p50_seconds=round(p50, 3),
        p99_seconds=round(p99, 3),
        longest_hold_seconds=held,
    )
    assert p99 < 2.0


def test_after_an_outage_the_backlog_fires_in_the_order_of_its_moments(
    filled: Any, soak: bool, publish: Any
) -> None:
    clocks = 10_000 if soak else 1_500
    url = filled(clocks)  # an hour's worth
    now, engine = backlog.NOON, make_engine(url)
    rounds: list[int] = []

    begun = time.monotonic()
    while True:
        with Session(engine, expire_on_commit=False) as session:
            done = deadlines.fire_due(session, now, limit=200)
            session.commit()
        if not done.claimed:
            break
        rounds.append(done.fired)
        now += timedelta(milliseconds=1)  # each round can be told from the one before
    took = time.monotonic() - begun

    with Session(engine) as session:
        spans = session.execute(
            select(Deadline.fired_at, func.min(Deadline.due_at), func.max(Deadline.due_at))
            .where(Deadline.fired_at.is_not(None), Deadline.due_at < backlog.NOON)
            .group_by(Deadline.fired_at)
            .order_by(Deadline.fired_at)
        ).all()
    engine.dispose()
    assert sum(rounds) >= clocks
    assert all(before[2] <= after[1] for before, after in pairwise(spans))
    publish("B2-outage", clocks=clocks, rounds=len(rounds), seconds=round(took, 1))
    assert took < 60
