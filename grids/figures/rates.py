"""Shares of cases: overdue, on time, reworked, sent back, reopened.

A denominator holds what could have been, and always those that are late and still open: a grid does not get better
by leaving its late cases open.
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from grids.figures.asking import Rate
from grids.figures.counts import FEW
from grids.figures.reading import MISSING, TASK_STATUSES
from grids.figures.taking import Taken
from grids.figures.times import in_the_rate, overdue
from grids.rules.tasks import TaskStatus

__all__ = ["shared"]

Bools = NDArray[np.bool_]
_RETURNED = TASK_STATUSES[TaskStatus.RETURNED]
_WITHDRAWN = TASK_STATUSES[TaskStatus.WITHDRAWN]


def shared(taken: Taken, rate: Rate, now: int) -> gpd.GeoDataFrame:
    """Return cells with n (numerator), denominator, open_late, value (n / denominator, 0 to 1) and small.

    now : microseconds. open_late : how many of the denominator are late and not done. NaN without a denominator.
    OVERDUE, ON_TIME : of the accepted cases that were handled or are late, those that were late, or were not.
    REWORK : of the cases with a result, ever, or late without one, those whose result was sent back.
    RETURNED : of the parts that departments have done, have sent back or are late with, those that were sent back.
    REOPENED : of the cases that were closed, ever, or are late and open, those that were taken up again.
    Cases that wait, or were closed from the ledger, are in no rate of handling.
    """
    if rate is Rate.RETURNED:
        cell, hit, counts, open_late = _of_tasks(taken, now)
    else:
        cell, (hit, counts, open_late) = taken.cell, _of_cases(taken, rate, now)
    cells = taken.cells
    size = len(cells)
    n, denominator, late = (
        np.bincount(cell[which], minlength=size).astype(np.int64)
        for which in (hit & counts, counts, open_late & counts)
    )
    cells["n"] = n
    cells["denominator"] = denominator.astype(np.float64)
    cells["open_late"] = late
    cells["value"] = np.divide(n, denominator, out=np.full(size, np.nan), where=denominator > 0)
    cells["small"] = (denominator > 0) & (denominator < FEW)
    return cells


def _of_cases(taken: Taken, rate: Rate, now: int) -> tuple[Bools, Bools, Bools]:
    """Return which cases are in the numerator, in the denominator, and late without a result."""
    resolved = taken.case("resolved") != MISSING
    late = overdue(taken, now)
    open_late = late & ~resolved
    judged = in_the_rate(taken) & (taken.case("accepted") != MISSING)
    again = taken.case("round") > 1
    if rate is Rate.OVERDUE:
        return late, judged & (resolved | late), open_late
    if rate is Rate.ON_TIME:
        return ~late, judged & (resolved | late), open_late
    if rate is Rate.REWORK:
        reworked = taken.case("reworks") > 0
        return reworked, judged & (resolved | reworked | again | late), open_late
    closed = taken.case("closed") != MISSING
    return again, (closed | again | (judged & open_late)), open_late


def _of_tasks(taken: Taken, now: int) -> tuple[NDArray[np.int32], Bools, Bools, Bools]:
    tasks, cell = taken.tasks()
    status, completed, due, marked = (
        taken.facts.task(name)[tasks] for name in ("status", "completed", "due", "overdue_at")
    )
    returned = status == _RETURNED
    done = completed != MISSING
    open_late = ~done & ~returned & (status != _WITHDRAWN) & ((marked != MISSING) | (due < now))
    return cell, returned, done | returned | open_late, open_late
