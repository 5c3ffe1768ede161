"""When a recurrent problem point is cured (销号), when it is back, and when its plan wants a reminder.

The figures are defaults of ours; no published rule fixes them. A place keeps the number of quiet days that it was
found with.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from grids.rules.places import WATCHED_PLACES, PlaceStatus
from grids.rules.rain import Rain

__all__ = [
    "OVERDUE_EVERY",
    "QUIET_DAYS",
    "RAINS_TO_CURE",
    "RAIN_MM_TO_CURE",
    "PlanReminder",
    "Quiet",
    "WaitsFor",
    "is_back",
    "quiet_of",
    "reminder",
]

QUIET_DAYS = 90
"""How long nothing may come back after the treatment: as long as the window in which a place is found."""

RAINS_TO_CURE = 2
"""How many rains a waterlogging point has to stand without water."""

RAIN_MM_TO_CURE = 10.0
"""What such a rain brings at least: the lower bound of moderate rain (中雨) over 24 hours, GB/T 28592."""

OVERDUE_EVERY = 7
"""Days between two reminders of a plan whose day has passed; the first comes the day after it."""


class WaitsFor(StrEnum):
    """What is missing before a treated place is cured."""

    DAYS = "days"
    RAIN = "rain"


class PlanReminder(StrEnum):
    """What a plan is reminded of."""

    DUE_TOMORROW = "due_tomorrow"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class Quiet:
    """How far the quiet period of a treated place has come.

    rains, rains_wanted : rains that were big enough and brought no water; None where rain does not matter.
    rain_known : for how much of the time since the treatment a gauge was read, 0 to 1.
    """

    until: datetime
    days: int
    days_wanted: int
    rains: int | None
    rains_wanted: int | None
    rain_known: float | None
    waits_for: tuple[WaitsFor, ...]

    @property
    def over(self) -> bool:
        """Whether nothing is missing any more."""
        return not self.waits_for


def quiet_of(treated_at: datetime, quiet_days: int, now: datetime, *, rain: Rain | None = None) -> Quiet:
    """Return how far a place has come at which nothing has come back since it was treated.

    rain : what fell meanwhile, for categories that rain causes; None for the others. Such a place waits, however
    long, until enough rain has fallen: a dry season cures nothing.
    """
    until = treated_at + timedelta(days=quiet_days)
    waits = [WaitsFor.DAYS] if now < until else []
    rains: int | None = None
    known: float | None = None
    if rain is not None:
        rains = len(rain.over(treated_at, now, RAIN_MM_TO_CURE))
        known = rain.known_share(treated_at, now)
        if rains < RAINS_TO_CURE:
            waits.append(WaitsFor.RAIN)
    return Quiet(
        until=until,
        days=max(0, min((now - treated_at).days, quiet_days)),
        days_wanted=quiet_days,
        rains=rains,
        rains_wanted=None if rain is None else RAINS_TO_CURE,
        rain_known=known,
        waits_for=tuple(waits),
    )


def is_back(status: PlaceStatus, treated_at: datetime | None, received_at: datetime) -> bool:
    """Say whether a report brings a place back: one from before the end of the treatment does not."""
    return status in WATCHED_PLACES and treated_at is not None and received_at > treated_at


def reminder(due_on: date, today: date) -> PlanReminder | None:
    """Return what a plan is to be reminded of on a day: the day before it is due, the day after, then every week."""
    late = (today - due_on).days
    if late == -1:
        return PlanReminder.DUE_TOMORROW
    return PlanReminder.OVERDUE if late > 0 and (late - 1) % OVERDUE_EVERY == 0 else None
