"""The postman: bundles what was posted, and sends it, outside of every transaction.

A thread beside the sweeper, so that a mail server which does not answer holds up no deadline. Any number may run;
killed at any moment it loses nothing: what it had in hand, at most `LANES` sendings, is taken up by another after
the lease, with the same keys.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.clock import Clock
from api.database import Database
from api.senders import Sender, SendFailed
from grids import outbox
from grids.outbox import Render, Sending
from grids.rules.messages import DeliveryStatus, Way

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = ["LANES", "Delivered", "deliver", "route_all", "run"]

LANES = 8
"""How many sendings are on their way at once, each to somebody else."""

_PEOPLE = 100  # whose messages are bundled in one transaction
_LONGEST_BACKOFF = 30.0  # seconds

_log = logging.getLogger("gridwhistle.postman")


@dataclass
class Delivered:
    """What one round did: sendings that arrived, that are tried again, and that are given up."""

    sent: int = 0
    again: int = 0
    failed: int = 0


def route_all(database: Database, clock: Clock, render: Render, stop: threading.Event | None = None) -> int:
    """Bundle everything that was posted by now; return how many messages that were."""
    count = 0
    while stop is None or not stop.is_set():
        with database.sessions() as session:
            routed = outbox.route(session, clock(), render=render, limit=_PEOPLE)
            session.commit()
        count += routed
        if not routed:
            break
    return count


def deliver(
    database: Database,
    clock: Clock,
    senders: Mapping[Way, Sender],
    *,
    lanes: int = LANES,
    stop: threading.Event | None = None,
) -> Delivered:
    """Send everything that may go by now, so many at once; return what became of it."""
    done = Delivered()
    with ThreadPoolExecutor(lanes, thread_name_prefix="lane") as pool:
        while stop is None or not stop.is_set():
            with database.sessions() as session:
                taken = outbox.claim(session, clock(), limit=lanes)
                session.commit()
            if not taken:
                break
            trying = {pool.submit(_try, senders, sending): sending for sending in taken}
            _record(database, clock, trying, done)
    return done


def _record(
    database: Database, clock: Clock, trying: Mapping[Future[SendFailed | None], Sending], done: Delivered
) -> None:
    for future in as_completed(trying):
        sending, failed = trying[future], future.result()
        with database.sessions() as session:
            status = _note(session, clock, sending, failed)
            session.commit()
        if status is DeliveryStatus.SENT:
            done.sent += 1
        elif status is DeliveryStatus.FAILED:
            done.failed += 1
        else:
            done.again += 1
        if failed is not None:
            facts = {
                "delivery": sending.id,
                "way": sending.way.value,
                "try": sending.tries,
                "code": failed.reason,
                "status": status.value,
            }
            _log.warning("sending failed", extra={"facts": facts})


def _note(session: Session, clock: Clock, sending: Sending, failed: SendFailed | None) -> DeliveryStatus:
    if failed is None:
        return outbox.record(session, sending, clock())
    return outbox.record(session, sending, clock(), error=failed.reason, final=failed.final)


def _try(senders: Mapping[Way, Sender], sending: Sending) -> SendFailed | None:
    """Send once; whatever goes wrong is an answer, so that one sending never ends the round of all."""
    sender = senders.get(sending.way)
    if sender is None:
        return SendFailed("way_not_set_up")
    try:
        sender.send(sending)
    except SendFailed as failed:
        return failed
    except Exception:
        _log.exception("a sender broke", extra={"facts": {"delivery": sending.id, "way": sending.way.value}})
        return SendFailed("our_fault")
    return None


def run(
    database: Database,
    clock: Clock,
    senders: Mapping[Way, Sender],
    render: Render,
    *,
    poll_seconds: float,
    stop: threading.Event,
) -> None:
    """Route and send until `stop` is set, looking every `poll_seconds`; outlives a database that fails."""
    failures = 0
    while not stop.is_set():
        try:
            route_all(database, clock, render, stop)
            done = deliver(database, clock, senders, stop=stop)
            if done.sent:
                _log.info("messages sent", extra={"facts": vars(done)})
            failures, wait = 0, poll_seconds
        except Exception:
            failures += 1
            wait = min(poll_seconds * 2 ** min(failures - 1, 10), _LONGEST_BACKOFF)
            _log.exception(
                "postman failed", extra={"facts": {"again_in_seconds": wait, "failures": failures}}
            )
        stop.wait(wait)
