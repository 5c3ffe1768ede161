"""What most figures are made of is read when the service begins, so that nobody's first question has to wait for it.

In a thread beside the requests, the newest month first: a question that comes meanwhile waits for at most the month
that is being read, and only where it needs one that is not there yet (`grids.facts`).

What is loaded by then (libraries, routes, models: a million objects) stays as long as the process, and is kept out of
the rounds of the garbage collector: each of them would hold up one question in a hundred for a third of a second.
"""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta

from fastapi import FastAPI

from api.clock import Clock
from api.database import Database
from grids.facts import facts

__all__ = ["warming"]

_log = logging.getLogger("gridwhistle.warming")
_TRIES, _PAUSE = 600, 0.1  # seconds between them
_PATIENCE = 5.0  # seconds for the month that is being read when the service ends


def warming(
    database: Database, clock: Clock, months: int
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Return the lifespan of a service whose first act is to read the cases of the last months into memory.

    months : how many, the present one among them, 0 for none. A failure is logged and nothing else: who asks reads for
    himself.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        gc.collect()
        gc.freeze()
        ending = threading.Event()
        reader = threading.Thread(
            target=_read, args=(database, clock(), months, ending), name="warming", daemon=True
        )
        if months:
            reader.start()
        yield
        if months:
            ending.set()
            reader.join(_PATIENCE)

    return lifespan


def _read(database: Database, now: datetime, months: int, ending: threading.Event) -> None:
    begins = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    try:
        for _ in range(months):
            for _ in range(_TRIES):
                with database.readers() as session:
                    kept = not facts(session, begins, begins + timedelta(microseconds=1)).own
                # nothing is kept while a transaction runs that began before the first question
                if kept or ending.wait(_PAUSE):
                    break
            if ending.is_set():
                return
            begins = (begins - timedelta(days=1)).replace(day=1)
    except Exception:
        _log.warning("the last months could not be read: the first figures will take longer", exc_info=True)
