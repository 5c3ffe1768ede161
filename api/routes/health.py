"""Is it alive, and is it ready: for whoever restarts processes and sends traffic to them.

Ready means that what is acknowledged is kept: the database answers, its schema is this release's, and it is
set to survive a power cut. What is wrong without being the fault of this process (deadlines that nobody fires,
a calendar that ends) is a warning: taking the pages away would not help.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from fastapi import APIRouter, Request, Response
from pydantic import Field

from api.database import schema_revisions
from api.deps import Durability, Now, ReadOnly
from api.problems import answers
from api.schemas.base import Answer
from grids import calendars, lateness
from grids.rules.calendar import local_day

__all__ = ["durability_faults", "router"]

router = APIRouter(tags=["health"])

_CALENDAR_AHEAD = timedelta(days=60)


class Alive(Answer):
    """A process that answers."""

    status: str = "alive"


class Ready(Answer):
    """Whether requests may come; `faults` keep them away, `warnings` want somebody to look."""

    status: str = Field(description="ready or not_ready")
    faults: list[str]
    warnings: list[str]


@router.get("/livez")
async def alive() -> Alive:
    """Answer without looking at anything."""
    return Alive()


@router.get("/readyz", responses={503: {"model": Ready}, **answers(500)})
def ready(request: Request, response: Response, session: ReadOnly, now: Now, durability: Durability) -> Ready:
    """Say what keeps requests away and what somebody has to look at; 503 while something keeps them away."""
    faults = durability_faults(durability)
    current, newest = schema_revisions(request.app.state.database.engine)
    if current != newest:
        faults.append(
            f"schema is at {current or 'none'}, this release works with {newest}: gridwhistle db migrate"
        )
        return _answer(response, faults, [])
    return _answer(response, faults, _warnings(session, now))


def _answer(response: Response, faults: list[str], warnings: list[str]) -> Ready:
    if faults:
        response.status_code = 503
        response.headers["Retry-After"] = "10"
    return Ready(status="not_ready" if faults else "ready", faults=faults, warnings=warnings)


def durability_faults(settings: Mapping[str, str]) -> list[str]:
    """Return what in a database's settings could lose what was acknowledged."""
    lasting = {"on", "local", "remote_write", "remote_apply"}
    faults = [
        f"{name} is {settings.get(name)}: a crash can lose or tear what was acknowledged"
        for name in ("fsync", "full_page_writes")
        if settings.get(name) != "on"
    ]
    if settings.get("synchronous_commit") not in lasting:
        faults.append(
            f"synchronous_commit is {settings.get('synchronous_commit')}: a crash can lose the last acts"
        )
    return faults


def _warnings(session: ReadOnly, now: datetime) -> list[str]:
    warnings = []
    behind = lateness.left_behind(session, now)
    if behind:
        oldest = lateness.oldest_due(session, now) or now
        minutes = (now - oldest).total_seconds() / 60
        stuck = sum(kind.stuck for kind in lateness.kinds(session, now))
        why = f"{stuck} are stuck, see /ops" if stuck else "does a worker run?"
        warnings.append(
            f"{behind} deadlines are due and have not fired, the oldest for {minutes:.0f} minutes: {why}"
        )
    if not any(
        beat.ended_at is None and beat.seen_at > now - lateness.ALIVE
        for beat in lateness.workers(session, now)
    ):
        warnings.append("no worker was seen for 30 seconds: deadlines do not fire, messages do not leave")
    until = calendars.known_until(session)
    if until is None or until < local_day(now + _CALENDAR_AHEAD):
        warnings.append(
            f"the working calendar is known until {until.isoformat() if until else 'no day'}: load the next year"
        )
    return warnings
