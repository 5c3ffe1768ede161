"""How late clocks fire while people report: one worker beside 200 reports a second.

On a throw-away PostGIS that keeps what it acknowledges, with the made-up district of the demo: two processes report
through the use case, each report a transaction, at a pace; one process sweeps as the service does; 50 clocks a second
run out meanwhile. The lateness is from the due moment to when the step was written; a clock fires a second after its
due moment by design (`grids.deadlines.GRACE`). What the machine reached in reports a second stands beside it.

    python benchmarks/lateness.py
"""

from __future__ import annotations

import multiprocessing
import shutil
import sys
import tempfile
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it also runs alone

import numpy as np
import shapely
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import NullPool

from api import worker
from api.clock import system_clock
from api.cluster import Cluster
from api.database import Database, make_engine, migrate
from benchmarks import backlog
from benchmarks.table import Row, render
from grids.acts import incidents
from grids.acts.incidents import Report
from grids.demo import city
from grids.rules.deadlines import DeadlineKind
from grids.rules.lifecycle import Channel
from grids.rules.permissions import Actor, Role
from grids.tables import Deadline, Grid, Incident, Person, Post

__all__ = ["main"]

SECONDS, REPORTS, DUE = 20, 200, 50
OURS = "grids.deadlines"
_WARM = timedelta(seconds=8)
_fork = multiprocessing.get_context("fork")


def main(seconds: int = SECONDS, reports: int = REPORTS, due: int = DUE) -> list[Row]:
    """Return the median and the 99th percentile of the lateness, and the reports a second that were reached."""
    root = Path(tempfile.mkdtemp(prefix="gridwhistle-bench-"))
    root.chmod(0o755)
    cluster = Cluster(root / "pg").start()
    try:
        cluster.create_database("lateness")
        return _measure(cluster.url("lateness"), seconds, reports, due)
    finally:
        cluster.stop()
        shutil.rmtree(root)


def _measure(url: str, seconds: int, reports: int, due: int) -> list[Row]:
    engine = make_engine(url)
    migrate(engine)
    with Session(engine) as session:
        made = city.make(session, scale="tiny", seed=1, now=system_clock())
        session.commit()
        district = (
            session.scalars(select(Grid.code).where(func.length(Grid.code) == 6)).first() or made.district
        )
        begins = system_clock() + _WARM
        warns = dict.fromkeys((DeadlineKind.ACCEPT, DeadlineKind.VERIFY, DeadlineKind.CALLBACK), 1)
        backlog.fill(
            session,
            seconds * due,
            mix=warns,
            first=begins,
            last=begins + timedelta(seconds=seconds),
            district=district,
        )
        session.commit()
        before = session.scalar(select(func.count()).select_from(Incident)) or 0
    engine.dispose()
    ends = begins + timedelta(seconds=seconds)
    crew = [_fork.Process(target=_sweep, args=(url, ends + timedelta(seconds=5)))]
    crew += [
        _fork.Process(target=_report, args=(url, begins, ends, reports / 2, place)) for place in range(2)
    ]
    for process in crew:
        process.start()
    for process in crew:
        process.join()
    with Session(create_engine(url, poolclass=NullPool)) as session:
        lags = session.scalars(
            select(func.extract("epoch", Deadline.fired_at - Deadline.due_at)).where(
                Deadline.due_at.between(begins, ends), Deadline.fired_at.is_not(None)
            )
        ).all()
        made_now = (session.scalar(select(func.count()).select_from(Incident)) or 0) - before
    late = np.array([float(lag) for lag in lags])
    task = f"a clock fires beside {reports} reports/s"
    reached = f"{made_now / seconds:.0f} reports/s reached, {len(late)} of {seconds * due} clocks"
    return [
        Row(task, OURS, float(np.median(late)), "s late", note=f"median; {reached}"),
        Row(task, OURS, float(np.quantile(late, 0.99)), "s late", note="99th percentile; 1 s is by design"),
    ]


def _sweep(url: str, until: datetime) -> None:
    engine = make_engine(url)
    database = Database(engine, sessionmaker(engine), sessionmaker(engine), None)
    stop = threading.Event()
    threading.Timer((until - system_clock()).total_seconds(), stop.set).start()
    worker.run(database, system_clock, poll_seconds=0.25, stop=stop)


def _report(url: str, begins: datetime, ends: datetime, pace: float, seed: int) -> None:
    """Report at a pace until the end; what the machine cannot do in time is not made up for."""
    random = np.random.default_rng(seed)
    engine = make_engine(url)
    with Session(engine) as session:
        post = session.scalars(select(Post).where(Post.role == Role.HOTLINE_DESK)).first()
        if post is None:
            raise RuntimeError("the made-up district has a hotline desk")
        person = session.get_one(Person, post.person_id)
        desk = Actor(person.id, person.name, post.role, "", post.area_code)
        cells = [
            shapely.from_wkb(bytes(cell.boundary.data)).representative_point()
            for cell in session.scalars(select(Grid).where(func.length(Grid.code) == 15))
        ]
    while (now := system_clock()) < ends:
        if now < begins:
            time.sleep(min(0.2, (begins - now).total_seconds()))
            continue
        spot = cells[random.integers(len(cells))]
        said = Report(Channel.HOTLINE, spot.x, spot.y, "CGCS2000", "路面积水", category="07-001")
        with Session(engine) as session:
            incidents.report(session, said, by=desk, now=now)
            session.commit()
        rest = 1 / pace - (system_clock() - now).total_seconds()
        if rest > 0:
            time.sleep(rest)


if __name__ == "__main__":
    print(render(main()))
