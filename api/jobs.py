"""Long jobs: what they are called, the door to ask for one, and the thread beside the sweeper that does them.

procrastinate keeps the queue: a job is one worker's, and a failing one is tried three times. What it leaves to its
users, a job whose worker was killed, is looked for here and put back on the queue. A job may therefore run
twice; it makes a file, and the last one made stands.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import threading
import zipfile
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import procrastinate

from api.clock import Clock
from api.database import Database
from api.papers.many import letter_paper, slip_paper
from gis.errors import CityError, InvalidInput
from grids import longjobs, paperwork
from grids.longjobs import Made
from grids.rules.permissions import Actor
from grids.tables import LongJob

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = ["MAKERS", "PAPERS", "Maker", "Paper", "defer", "do", "make_papers", "run"]

Maker = Callable[["Session", Mapping[str, Any]], Made]
"""From a read-only session and a job's arguments to its file."""

Paper = Callable[["Session", Mapping[str, Any]], tuple[str, bytes]]
"""From a read-only session and what a paper is of, to its file name and its bytes."""

PAPERS: dict[str, Paper] = {"letter": letter_paper, "slip": slip_paper}
"""The kinds of papers of which many can be asked for at once."""

_TRIES = 3
_STALLED = 30.0  # seconds without a word from a worker
_LOOK_EVERY = 10.0  # seconds

_log = logging.getLogger("gridwhistle.jobs")


def make_papers(session: Session, args: Mapping[str, Any]) -> Made:
    """Make one zip of many papers: args {"papers": [{"kind": ..., ...}, ...], "name": ...}, in that order.

    Papers with one name are told apart by a number. Raises `InvalidInput` ("unknown_paper", "too_many_papers").
    """
    asked = list(args.get("papers", ()))
    if not 1 <= len(asked) <= paperwork.MOST:
        message = f"between 1 and {paperwork.MOST} papers can be asked for at once"
        raise InvalidInput("too_many_papers", message, field="papers", got=len(asked))
    held = io.BytesIO()
    names: dict[str, int] = {}
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in asked:
            maker = PAPERS.get(str(one.get("kind")))
            if maker is None:
                raise InvalidInput(
                    "unknown_paper", "this kind of paper is not known", field="papers", wanted=sorted(PAPERS)
                )
            name, content = maker(session, one)
            names[name] = names.get(name, 0) + 1
            if names[name] > 1:
                stem, dot, ending = name.rpartition(".")
                name = f"{stem or ending}-{names[name]}{dot}{ending if stem else ''}"
            archive.writestr(name, content)
    return Made(f"{args.get('name') or 'papers'}.zip", "application/zip", held.getvalue())


MAKERS: dict[str, Maker] = {"papers": make_papers}
"""The jobs there are, by name."""


def defer(session: Session, name: str, args: Mapping[str, Any], *, by: Actor, now: datetime) -> LongJob:
    """Ask for a job; it begins when the session's transaction has committed, and not at all if it fails.

    Raises `InvalidInput` ("unknown_job").
    """
    if name not in MAKERS:
        raise InvalidInput(
            "unknown_job", "this kind of job is not known", field="name", wanted=sorted(MAKERS)
        )
    return longjobs.ask(session, name, args, person_id=by.person_id, now=now)


def do(database: Database, clock: Clock, key: UUID) -> None:
    """Do one job. What the city refuses ends it with that code; anything else is raised, to be tried again."""
    with database.sessions() as session:
        job = longjobs.begin(session, key, now=clock())
        session.commit()
    if job is None:
        return
    try:
        with database.readers() as session:
            made = MAKERS[job.name](session, job.args)
    except Exception as error:
        code = error.code if isinstance(error, CityError) else "internal_error"
        with database.sessions() as session:
            longjobs.fail(session, key, code, now=clock())
            session.commit()
        if isinstance(error, CityError):
            _log.warning("job refused", extra={"facts": {"job": job.name, "code": code}})
            return
        raise
    with database.sessions() as session:
        longjobs.finish(session, key, made, now=clock())
        session.commit()
    _log.info("job done", extra={"facts": {"job": job.name, "bytes": len(made.content)}})


def run(
    database: Database, clock: Clock, *, poll_seconds: float, stop: threading.Event, stalled: float = _STALLED
) -> None:
    """Do jobs until `stop` is set; outlives a database that fails. A job at hand is done first."""
    while not stop.is_set():
        try:
            asyncio.run(_work(database, clock, poll_seconds, stop, stalled))
        except Exception:
            _log.exception("jobs failed", extra={"facts": {"again_in_seconds": poll_seconds}})
        stop.wait(poll_seconds)


async def _work(
    database: Database, clock: Clock, poll_seconds: float, stop: threading.Event, stalled: float
) -> None:
    app = _app(database, clock)
    async with app.open_async():
        worker = asyncio.create_task(
            app.run_worker_async(
                queues=[longjobs.QUEUE],
                concurrency=1,
                listen_notify=False,
                fetch_job_polling_interval=poll_seconds,
                delete_jobs="successful",
                install_signal_handlers=False,
                update_heartbeat_interval=stalled / 3,
                stalled_worker_timeout=stalled,
            )
        )
        looked = 0.0
        loop = asyncio.get_running_loop()
        while not stop.is_set() and not worker.done():
            if loop.time() - looked >= min(_LOOK_EVERY, stalled):
                looked = loop.time()
                await _take_up_stalled(app, clock, stalled)
                with database.sessions() as session:
                    longjobs.forget(session, before=clock())
                    session.commit()
            await asyncio.sleep(0.1)
        if not worker.done():
            worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await worker


def _app(database: Database, clock: Clock) -> procrastinate.App:
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    connector = procrastinate.PsycopgConnector(conninfo=url, min_size=1, max_size=2, timeout=10)
    app = procrastinate.App(connector=connector)
    retry = procrastinate.RetryStrategy(max_attempts=_TRIES, wait=1, exponential_wait=4)

    @app.task(name=longjobs.TASK, queue=longjobs.QUEUE, retry=retry)
    def long_job(key: str) -> None:
        do(database, clock, UUID(key))

    return app


async def _take_up_stalled(app: procrastinate.App, clock: Clock, stalled: float) -> None:
    """Put jobs back on the queue whose worker has not been heard of: the library leaves them for ever."""
    for job in await app.job_manager.get_stalled_jobs(queue=longjobs.QUEUE, seconds_since_heartbeat=stalled):
        await app.job_manager.retry_job(job, retry_at=clock())
        _log.warning("job taken up again", extra={"facts": {"job": job.id}})
