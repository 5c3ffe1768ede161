"""When something comes back: the hours of the week in which it happens, and the time from one to the next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from grids.rules.calendar import SHANGHAI

__all__ = ["Intervals", "hour_of_week", "intervals"]

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Intervals:
    """Days between times that follow each other. shortest, median and longest are None for fewer than two times."""

    days: tuple[float, ...]
    shortest: float | None
    median: float | None
    longest: float | None


def hour_of_week(moments: Iterable[datetime], zone: tzinfo = SHANGHAI) -> NDArray[np.int64]:
    """Count moments by the hour of the week of a zone's clock: (7, 24), Monday first. moments : aware."""
    counts = np.zeros((7, 24), dtype=np.int64)
    for moment in moments:
        local = moment.astimezone(zone)
        counts[local.weekday(), local.hour] += 1
    return counts


def intervals(moments: Sequence[datetime]) -> Intervals:
    """Return the days between moments (aware, in any order) that follow each other, rounded to a hundredth."""
    ordered = sorted(moments)
    days = tuple(round((after - before).total_seconds() / _DAY, 2) for before, after in pairwise(ordered))
    if not days:
        return Intervals((), None, None, None)
    return Intervals(days, min(days), round(float(np.median(days)), 2), max(days))
