"""The worker: fires what is due, brings open cases over to a new grid; nothing else has a clock of its own.

It may run as a thread beside the web server or as a process, alone or many times: rows are claimed with SKIP
LOCKED and fire once (`grids.deadlines`). Killed at any moment it leaves nothing half done. An error of the
database, or a bug, is logged and tried again later; the loop ends when it is told to.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from types import FrameType
from typing import TYPE_CHECKING

from api.clock import Clock
from api.database import Database
from gis.errors import CityError
from grids import deadlines, repeats
from grids.deadlines import Fired
from grids.ground import succession
from grids.ground.succession import Brought

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = ["bring_all_over", "fire_all", "run", "run_until_signalled"]

BATCH = 100
_LONGEST_BACKOFF = 30.0  # seconds
_KEYS_LIVE = timedelta(days=7)  # how long a repeated request finds its first answer
_TIDY_EVERY = timedelta(hours=1)

_log = logging.getLogger("gridwhistle.worker")

Stuck = dict[int, CityError]
"""What could not be done, by id, with the reason."""


def fire_all(database: Database, clock: Clock, stop: threading.Event | None = None) -> Fired:
    """Fire everything that is due by now; return what was done."""

    def once(session: Session, limit: int) -> tuple[int, Stuck]:
        done = deadlines.fire_due(session, clock(), limit=limit)
        return done.fired, done.stuck

    return Fired(*_in_batches(database, once, stop))


def bring_all_over(database: Database, clock: Clock, stop: threading.Event | None = None) -> Brought:
    """Bring everything that is open over to the editions in force; return what was done."""

    def once(session: Session, limit: int) -> tuple[int, Stuck]:
        done = succession.bring_over(session, clock(), limit=limit)
        return done.moved, done.stuck

    return Brought(*_in_batches(database, once, stop))


def _in_batches(
    database: Database, once: Callable[[Session, int], tuple[int, Stuck]], stop: threading.Event | None
) -> tuple[int, Stuck]:
    """Do a thing batch by batch, each committed by itself, until there is no news; return how many, and the stuck.

    What could not be done is left as it is and does not hold up the rest.
    """
    count, stuck = 0, Stuck()
    while stop is None or not stop.is_set():
        with database.sessions() as session:
            # those that are stuck come first again: they must not fill the batch
            done, failed = once(session, BATCH + len(stuck))
            session.commit()
        news = done or failed.keys() - stuck.keys()
        count += done
        stuck |= failed
        if not news:
            break
    return count, stuck


def run(database: Database, clock: Clock, *, poll_seconds: float, stop: threading.Event) -> None:
    """Do what is due until `stop` is set, sleeping to the next due moment but never over `poll_seconds`."""
    known_stuck: set[int] = set()
    unmoved: set[int] = set()
    tidied: datetime | None = None
    failures = 0
    while not stop.is_set():
        try:
            done = fire_all(database, clock, stop)
            _report(done, known_stuck)
            brought = bring_all_over(database, clock, stop)
            _report_brought(brought, unmoved)
            unmoved = set(brought.stuck)
            known_stuck = set(done.stuck)
            if tidied is None or clock() - tidied >= _TIDY_EVERY:
                _tidy(database, clock())
                tidied = clock()
            wait = _until_next(database, clock(), poll_seconds)
            failures = 0
        except Exception:
            failures += 1
            wait = min(poll_seconds * 2 ** min(failures - 1, 10), _LONGEST_BACKOFF)
            _log.exception("worker failed", extra={"facts": {"again_in_seconds": wait, "failures": failures}})
        stop.wait(wait)


def _report(done: Fired, known_stuck: set[int]) -> None:
    if done.fired:
        _log.info("deadlines fired", extra={"facts": {"fired": done.fired}})
    for clock_id, reason in done.stuck.items():
        if clock_id not in known_stuck:  # said once, not every few seconds
            _log.warning("deadline stuck", extra={"facts": {"deadline": clock_id, "code": reason.code}})


def _report_brought(done: Brought, known_stuck: set[int]) -> None:
    if done.moved:
        _log.info("cases follow the new grid", extra={"facts": {"moved": done.moved}})
    for incident_id, reason in done.stuck.items():
        if incident_id not in known_stuck:
            _log.warning(
                "case does not follow", extra={"facts": {"incident": incident_id, "code": reason.code}}
            )


def _tidy(database: Database, now: datetime) -> None:
    with database.sessions() as session:
        repeats.forget(session, before=now - _KEYS_LIVE)
        session.commit()


def _until_next(database: Database, now: datetime, poll_seconds: float) -> float:
    with database.readers() as session:
        due = deadlines.next_due(session)
    if due is None or due <= now:
        # what is due and did not fire is stuck, or held by somebody who is at work on it
        return poll_seconds
    return min(poll_seconds, (due - now).total_seconds() + 0.001)


def run_until_signalled(database: Database, clock: Clock, *, poll_seconds: float) -> None:
    """Run as a process of its own; SIGTERM and SIGINT end it after the batch at hand."""
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        _log.info("worker started")
        run(database, clock, poll_seconds=poll_seconds, stop=stop)
        _log.info("worker stopped")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
