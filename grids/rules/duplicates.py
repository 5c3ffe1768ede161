"""Which open incidents a new report may be about: proposed to a person, never merged without one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from grids.rules.calendar import aware_utc

__all__ = ["WITHIN", "Candidate", "Proposal", "propose_duplicates"]

WITHIN = timedelta(days=7)
"""How far apart in time two reports of one thing may be."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An incident that is already there.

    x_m, y_m : metres, in the frame of the new report. open : it can be a master: not ended, not merged
    itself.
    """

    number: str
    category: str
    x_m: float
    y_m: float
    reported_at: datetime
    open: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """An open incident that a new report may belong to; `apart` is the time between the two."""

    number: str
    distance_m: float
    apart: timedelta


def propose_duplicates(
    x_m: float,
    y_m: float,
    category: str,
    reported_at: datetime,
    candidates: Iterable[Candidate],
    *,
    radius_m: float | None,
    within: timedelta = WITHIN,
) -> list[Proposal]:
    """Return the open incidents that a report may duplicate, the nearest first, of equals the older.

    Same category, at most `radius_m` away, at most `within` apart in either direction (a report written
    offline may arrive late). radius_m : the category's own; None for a matter without a place, which is never
    proposed.
    """
    if radius_m is None:
        return []
    at = aware_utc(reported_at, "reported_at")
    found = []
    for candidate in candidates:
        if candidate.category != category or not candidate.open:
            continue
        distance = math.hypot(candidate.x_m - x_m, candidate.y_m - y_m)
        apart = abs(at - aware_utc(candidate.reported_at, "reported_at"))
        if distance <= radius_m and apart <= within:
            found.append((distance, candidate.reported_at, candidate.number, apart))
    return [Proposal(number, distance, apart) for distance, _, number, apart in sorted(found)]
