"""How many clocks that ran out a worker fires in a second, with their steps, messages, slips and climbs.

On a throw-away PostGIS that keeps what it acknowledges, with every post of a district filled (`benchmarks.backlog`):
clocks that only warn, those that change more by kind, a mix of all, and a backlog of 100,000 with two workers.
Beside it the same effects one by one, each in a transaction of its own, as the sweeper did at first and as a job queue
does; a loop without locks that only marks and tells (it fires twice with two workers); and procrastinate, a queue on
the same PostgreSQL, with jobs that do nothing at all. Each program starts from a copy of the same database.

    python benchmarks/sweep.py
"""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it also runs alone

from sqlalchemy import create_engine, make_url, select, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from api.cluster import Cluster
from api.database import make_engine, migrate
from benchmarks import backlog
from benchmarks.table import Row, render
from grids import deadlines, directory
from grids.rules.deadlines import RULES, DeadlineKind
from grids.tables import Deadline, Incident, Message

__all__ = ["main"]

CLOCKS = 10_000
BACKLOG = 100_000
ONE_BY_ONE = 400
ROUND = 500
OURS = "grids.deadlines"
TASK = "fire clocks that ran out, a mix of all kinds"

_CHANGES_MORE = (DeadlineKind.COMMUNITY, DeadlineKind.HANDLE, DeadlineKind.COMPLETE)
_WARNS: Mapping[DeadlineKind, int] = {
    kind: part
    for kind, part in backlog.MIX.items()
    if kind not in (*_CHANGES_MORE, DeadlineKind.RESPOND, DeadlineKind.CHECK_IN, DeadlineKind.PROGRESS)
}
_fork = multiprocessing.get_context("fork")


def main(clocks: int = CLOCKS, backlog_of: int = BACKLOG) -> list[Row]:
    """Return how fast each program fires, and how long a backlog takes two workers."""
    root = Path(tempfile.mkdtemp(prefix="gridwhistle-bench-"))
    root.chmod(0o755)
    cluster = Cluster(root / "pg").start()
    try:
        return _measure(_Places(cluster), clocks, backlog_of)
    finally:
        cluster.stop()
        shutil.rmtree(root)


class _Places:
    """Databases with people in them, made from one template."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._made = cluster, 0
        cluster.create_database("sweep_template")
        engine = make_engine(cluster.url("sweep_template"))
        migrate(engine)
        with Session(engine) as session:
            backlog.people(session)
            session.commit()
        engine.dispose()

    def with_clocks(self, clocks: int, mix: Mapping[DeadlineKind, int]) -> str:
        """Return the address of a database with so many clocks that ran out."""
        self._made += 1
        name = f"sweep_{self._made}"
        self._cluster.create_database(name, template="sweep_template")
        url = self._cluster.url(name)
        engine = create_engine(url, poolclass=NullPool)
        with Session(engine) as session:
            backlog.fill(session, clocks, mix=mix)
            session.commit()
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("vacuum analyze"))
        return url


def _measure(places: _Places, clocks: int, backlog_of: int) -> list[Row]:
    ours, holds = _timed(places.with_clocks(clocks, backlog.MIX), _ours)
    rows = [Row(TASK, OURS, ours, "clocks/s", note=f"one worker; cases held at most {max(holds):.2f} s")]
    for program, run, many, note in (
        ("one by one", _one_by_one, ONE_BY_ONE, "the same effects, a transaction each"),
        ("without locks", _naive, ONE_BY_ONE * 5, "marks and tells only: no history, no slips, no climbs"),
    ):
        theirs, _ = _timed(places.with_clocks(many, backlog.MIX), run)
        rows.append(Row(TASK, program, theirs, "clocks/s", ours / theirs, note))
    theirs = _procrastinate(places.with_clocks(1, backlog.MIX))
    rows.append(Row(TASK, "procrastinate", theirs, "jobs/s", ours / theirs, "jobs that do nothing"))
    warns, _ = _timed(places.with_clocks(clocks, _WARNS), _ours)
    rows.append(Row("fire clocks that only warn", OURS, warns, "clocks/s", note="history and messages"))
    for kind in _CHANGES_MORE:
        each, _ = _timed(places.with_clocks(clocks // 5, {kind: 1}), _ours)
        effect = "climbs to the town" if kind is DeadlineKind.COMMUNITY else "marks the case, issues a slip"
        rows.append(Row(f"fire clocks of the kind {kind}", OURS, each, "clocks/s", note=effect))
    if backlog_of:
        url = places.with_clocks(backlog_of, backlog.MIX)
        begun = time.perf_counter()
        crew = [_fork.Process(target=_drain, args=(url,)) for _ in range(2)]
        for process in crew:
            process.start()
        for process in crew:
            process.join()
            if process.exitcode:
                raise RuntimeError(f"a worker ended with {process.exitcode}, so the backlog was not shared")
        took = time.perf_counter() - begun
        rows.append(Row(f"a backlog of {backlog_of:,} clocks", OURS, took, "s", note="two workers"))
    return rows


def _timed(url: str, run: Callable[[Session], int]) -> tuple[float, list[float]]:
    """Return clocks a second, and how long each round took."""
    engine = create_engine(url, poolclass=NullPool)
    fired, rounds = 0, []
    with engine.connect() as connection:
        begun = time.perf_counter()
        while True:
            start = time.perf_counter()
            with Session(connection, expire_on_commit=False) as session:
                done = run(session)
                session.commit()
            if not done:
                break
            fired += done
            rounds.append(time.perf_counter() - start)
        return fired / (time.perf_counter() - begun), rounds


def _drain(url: str) -> None:
    _timed(url, _ours)


def _ours(session: Session) -> int:
    return deadlines.fire_due(session, backlog.NOON, limit=ROUND).claimed


def _one_by_one(session: Session) -> int:
    return deadlines.fire_due(session, backlog.NOON, limit=1).claimed


def _naive(session: Session) -> int:
    row = session.execute(
        select(Deadline.id, Deadline.kind, Deadline.incident_id, Incident.grid_code)
        .join(Incident, Incident.id == Deadline.incident_id)
        .where(Deadline.settled_at.is_(None), Deadline.due_at <= backlog.NOON)
        .order_by(Deadline.due_at)
        .limit(1)
    ).first()
    if row is None:
        return 0
    rule = RULES[row.kind]
    for person in directory.on_duty(session, (*rule.owed_by, *rule.told), row.grid_code, backlog.NOON):
        session.add(
            Message(
                incident_id=row.incident_id,
                person_id=person.id,
                template=f"clock.{row.kind}",
                facts={},
                posted_at=backlog.NOON,
            )
        )
    session.execute(
        text("update deadline set settled_at = :now, fired_at = :now, outcome = 'missed' where id = :id"),
        {"now": backlog.NOON, "id": row.id},
    )
    return 1


def _procrastinate(url: str, jobs: int = 2_000) -> float:
    """Return how many jobs a second one procrastinate worker does that have nothing in them."""
    from procrastinate import App, PsycopgConnector

    async def run() -> float:
        address = make_url(url)
        connector = PsycopgConnector(
            kwargs={
                "dbname": address.database,
                "user": address.username,
                "host": address.query["host"],
                "options": "-c search_path=queue",
            }
        )
        app = App(connector=connector)

        @app.task(name="nothing")
        async def nothing(number: int) -> None:
            assert number >= 0

        async with app.open_async():
            await connector.execute_query_async("create schema queue")
            await app.schema_manager.apply_schema_async()
            numbers: list[Any] = [{"number": number} for number in range(jobs)]
            await nothing.batch_defer_async(*numbers)
            begun = time.perf_counter()
            await app.run_worker_async(wait=False, concurrency=20, install_signal_handlers=False)
            return jobs / (time.perf_counter() - begun)

    return asyncio.run(run())


if __name__ == "__main__":
    print(render(main()))
