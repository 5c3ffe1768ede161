"""Which open incidents a new report may be about: proposed to a person, never merged without one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from gis.borders import degree_in_metres
from gis.errors import Conflict
from grids.rules.calendar import aware_utc

__all__ = [
    "WITHIN",
    "Candidate",
    "Pair",
    "Proposal",
    "metres_from",
    "propose_duplicates",
    "require_mergeable",
]

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


def metres_from(lon: float, lat: float, there_lon: float, there_lat: float) -> tuple[float, float]:
    """Return how many metres east and north of a point (degrees) another lies; good within some kilometres."""
    along, up = degree_in_metres(np.array([lat]))
    return (there_lon - lon) * float(along[0]), (there_lat - lat) * float(up[0])


@dataclass(frozen=True, slots=True)
class Pair:
    """A report, and the incident that somebody says it is about.

    category, master_category : their codes, None where nobody has said yet. radius_m : of the category that
    either has. apart : the time between the two reports. resolved_first : the master was resolved before the
    report came in. same_reporter : one person reported both.
    """

    category: str | None
    master_category: str | None
    distance_m: float
    radius_m: float | None
    apart: timedelta
    master_open: bool
    resolved_first: bool
    same_reporter: bool


def require_mergeable(pair: Pair, *, within: timedelta = WITHIN) -> None:
    """Raise `Conflict` unless a report may be merged: open master, same category, near, and not long apart.

    A master that was resolved before the report came in is none: either it was not resolved, or this is the
    next time. A matter without a place is merged only where the same person reports it again.
    """
    if not pair.master_open:
        raise Conflict("master_ended", "the other case has ended: nothing can be merged into it")
    if pair.resolved_first:
        raise Conflict(
            "master_resolved",
            "the other case was resolved before this report came in: this is a new one, or that one is not solved",
        )
    if pair.category is None and pair.master_category is None:
        raise Conflict("category_needed", "neither of the two has a category: accept one of them first")
    if None not in (pair.category, pair.master_category) and pair.category != pair.master_category:
        raise Conflict(
            "another_category",
            "the two are not of one category",
            got=pair.category,
            wanted=pair.master_category,
        )
    if pair.apart > within:
        raise Conflict(
            "too_long_apart",
            f"the two were reported more than {within.days} days apart",
            got=pair.apart.days,
            wanted=within.days,
        )
    if pair.radius_m is None:
        if not pair.same_reporter:
            raise Conflict(
                "no_merge_radius",
                "a matter of this category has no place: only what one person reports again is merged",
            )
    elif pair.distance_m > pair.radius_m:
        raise Conflict(
            "too_far_apart",
            f"the two lie {pair.distance_m:.0f} m apart; this category allows {pair.radius_m:.0f} m",
            got=round(pair.distance_m),
            wanted=round(pair.radius_m),
        )
