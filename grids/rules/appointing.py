"""When departments can meet: a time to propose to the town, never after they have to be done."""

from __future__ import annotations

from datetime import datetime, timedelta

__all__ = ["TRAVEL", "proposed", "soonest"]

TRAVEL = timedelta(minutes=30)
"""What a department is given to come, once it has answered."""

_HOUR = timedelta(hours=1)
_STEP = timedelta(minutes=5)


def soonest(now: datetime, response_minutes: int, due_at: datetime) -> datetime:
    """Return when departments meet that are called at once: when all can have answered, on the next five minutes."""
    return _within(_up(now + timedelta(minutes=response_minutes), _STEP), now, due_at)


def proposed(now: datetime, response_minutes: int, due_at: datetime) -> datetime:
    """Return a time to meet (UTC): the first full hour by which departments can have answered and come.

    due_at : when they have to be done; where the full hour lies after it, they meet as soon as they can.
    """
    hour = _up(now + timedelta(minutes=response_minutes) + TRAVEL, _HOUR)
    return hour if hour <= due_at else soonest(now, response_minutes, due_at)


def _within(at: datetime, now: datetime, due_at: datetime) -> datetime:
    return max(now, min(at, due_at))


def _up(moment: datetime, step: timedelta) -> datetime:
    midnight = moment.replace(
        hour=0, minute=0, second=0, microsecond=0
    )  # a full hour here is one in the city too
    return midnight + -((midnight - moment) // step) * step
