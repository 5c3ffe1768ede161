"""The worker: fires what is due, brings open cases over to a new grid, does the night's work on recurrent problem
points; nothing else has a clock of its own.

Beside it, each in a thread of its own, the postman sends what was posted and long jobs are done.

It may run as a thread beside the web server or as a process, alone or many times: rows are claimed with SKIP
LOCKED and fire once (`grids.deadlines`). Killed at any moment it leaves nothing half done. An error of the
database, or a bug, is logged and tried again later; the loop ends when it is told to.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from types import FrameType
from typing import TYPE_CHECKING

from api import jobs, postman
from api.clock import Clock
from api.database import Database
from api.senders import senders_of
from api.settings import Settings
from api.wording import renderer
from gis.errors import CityError
from grids import deadlines, lateness, repeats
from grids.deadlines import GRACE, Fired
from grids.ground import succession
from grids.ground.succession import Brought
from grids.places import night

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = ["bring_all_over", "do_nights", "fire_all", "run", "run_all", "run_until_signalled"]

BATCH = 100  # cases that are brought over at a time
SMALLEST, LARGEST = 20, 1000  # clocks that fire in one transaction
_HOLD = 0.5  # seconds: a round that held its cases for longer makes the next one smaller
_AGAIN = 0.2  # seconds until what somebody else held is looked at again
_BEAT = timedelta(seconds=5)
_LONGEST_BACKOFF = 30.0  # seconds
_KEYS_LIVE = timedelta(days=7)  # how long a repeated request finds its first answer
_TIDY_EVERY = timedelta(hours=1)
_NIGHT_EVERY = timedelta(minutes=1)  # how often is asked whether a district's night has come
_NIGHT_AGAIN = timedelta(hours=1)  # when one that failed is tried anew

_log = logging.getLogger("gridwhistle.worker")

Stuck = dict[int, CityError]
"""What could not be done, by id, with the reason."""


def fire_all(
    database: Database,
    clock: Clock,
    stop: threading.Event | None = None,
    *,
    size: int = 200,
    after_each: Callable[[Fired], None] = lambda _: None,
) -> Fired:
    """Fire everything that is due by now and that nobody else holds; return what was done.

    size : clocks of the first round; later ones follow how long it took. after_each : told of each round.
    `claimed` of the answer is that of the last round, 0 unless `stop` was set; `held_seconds` that of the longest.
    """
    total = Fired()
    while stop is None or not stop.is_set():
        begun = time.monotonic()
        with database.sessions() as session:
            done = deadlines.fire_due(session, clock(), limit=size)
            session.commit()
        held = done.held_seconds = time.monotonic() - begun
        after_each(done)
        total.fired += done.fired
        total.stuck |= done.stuck
        total.held_seconds = max(total.held_seconds, held)
        total.claimed = done.claimed
        if not done.claimed:
            break
        # what was taken up and neither fired nor set aside, another worker had fired meanwhile
        if done.fired:
            size = max(SMALLEST, min(LARGEST, size * 2, int(size * _HOLD / max(held, 1e-6))))
    return total


def bring_all_over(database: Database, clock: Clock, stop: threading.Event | None = None) -> Brought:
    """Bring everything that is open over to the editions in force; return what was done."""

    def once(session: Session, limit: int) -> tuple[int, Stuck]:
        done = succession.bring_over(session, clock(), limit=limit)
        return done.moved, done.stuck

    return Brought(*_in_batches(database, once, stop))


def do_nights(database: Database, clock: Clock, stop: threading.Event | None = None) -> set[str]:
    """Do the night's work of every district whose night has come; return those in which it failed, which is logged.

    One transaction a district: found, cured and told of together, or not at all.
    """
    with database.readers() as session:
        due = night.districts_due(session, clock())
    failed: set[str] = set()
    for district in due:
        if stop is not None and stop.is_set():
            break
        try:
            with database.sessions() as session:
                # the rule may think for longer than a page may
                session.connection().exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
                done = night.nightly(session, district, clock())
                session.commit()
        except Exception:
            failed.add(district)
            _log.exception("night's work failed", extra={"facts": {"district": district}})
            continue
        if done is not None:
            facts = {**asdict(done.found), "cured": done.cured, "reminded": done.reminded}
            _log.info("places looked through", extra={"facts": {"district": district, **facts}})
    return failed


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
    unmoved: set[int] = set()
    pulse = _Pulse(database, clock)
    tidied: datetime | None = None
    night_at = clock()
    failures = 0
    while not stop.is_set():
        try:
            _report(fire_all(database, clock, stop, after_each=pulse.beat))
            brought = bring_all_over(database, clock, stop)
            _report_brought(brought, unmoved)
            unmoved = set(brought.stuck)
            if tidied is None or clock() - tidied >= _TIDY_EVERY:
                _tidy(database, clock())
                tidied = clock()
            if clock() >= night_at:
                failed = do_nights(database, clock, stop)
                night_at = clock() + (_NIGHT_AGAIN if failed else _NIGHT_EVERY)
            wait = _until_next(database, clock(), poll_seconds)
            failures = 0
        except Exception:
            failures += 1
            wait = min(poll_seconds * 2 ** min(failures - 1, 10), _LONGEST_BACKOFF)
            _log.exception("worker failed", extra={"facts": {"again_in_seconds": wait, "failures": failures}})
        stop.wait(wait)
    pulse.end()


class _Pulse:
    """Says every few seconds that this worker is at work."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._started = clock()
        self._name = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(3)}"
        self._last: datetime | None = None
        self._fired, self._held = 0, 0.0

    def beat(self, done: Fired) -> None:
        """Add what was done, and say so when it is time."""
        self._fired += done.fired
        self._held = max(self._held, done.held_seconds if done.fired else 0.0)
        now = self._clock()
        if self._last is None or now - self._last >= _BEAT:
            self._say(now)
            self._last = now

    def end(self) -> None:
        """Say that it ends."""
        try:
            self._say(self._clock(), ended=True)
        except Exception:  # the database is gone; that nobody was seen for a while will tell
            _log.info("worker could not say that it ends")

    def _say(self, now: datetime, *, ended: bool = False) -> None:
        with self._database.sessions() as session:
            lateness.beat(
                session,
                self._name,
                now,
                started_at=self._started,
                fired=self._fired,
                hold_seconds=self._held,
                ended=ended,
            )
            session.commit()
        self._fired, self._held = 0, 0.0


def _report(done: Fired) -> None:
    if done.fired:
        _log.info("deadlines fired", extra={"facts": {"fired": done.fired}})
    for clock_id, reason in done.stuck.items():
        _log.warning(
            "deadline stuck",
            extra={"facts": {"deadline": clock_id, "code": reason.code}},
            exc_info=reason.__cause__,
        )


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
        lateness.forget_workers(session, before=now - _KEYS_LIVE)
        session.commit()


def _until_next(database: Database, now: datetime, poll_seconds: float) -> float:
    with database.readers() as session:
        due = deadlines.next_due(session, now)
    if due is None:
        return poll_seconds
    ahead = (due + GRACE - now).total_seconds()
    if ahead <= 0:
        return min(poll_seconds, _AGAIN)  # somebody is at work on it
    return min(poll_seconds, ahead + 0.001)


def run_all(database: Database, clock: Clock, settings: Settings, *, stop: threading.Event) -> None:
    """Run the sweeper, and beside it the postman and the long jobs, until `stop` is set."""
    poll_seconds = settings.worker_poll_seconds
    senders, render = senders_of(settings), renderer(settings.public_url)
    beside = [
        threading.Thread(
            target=postman.run,
            args=(database, clock, senders, render),
            kwargs={"poll_seconds": poll_seconds, "stop": stop},
            name="postman",
        ),
        threading.Thread(
            target=jobs.run,
            args=(database, clock),
            kwargs={"poll_seconds": poll_seconds, "stop": stop},
            name="jobs",
        ),
    ]
    for thread in beside:
        thread.start()
    try:
        run(database, clock, poll_seconds=poll_seconds, stop=stop)
    finally:
        stop.set()
        for thread in beside:
            thread.join()


def run_until_signalled(database: Database, clock: Clock, settings: Settings) -> None:
    """Run all as a process of its own; SIGTERM and SIGINT end it after the batch at hand."""
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        _log.info("worker started")
        run_all(database, clock, settings, stop=stop)
        _log.info("worker stopped")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
