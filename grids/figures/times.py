"""How long a step takes: the median and the 90th percentile by grid, with those that still wait counted in.

What still runs has taken at least as long as it has run. It is censored there, as Kaplan and Meier (1958) do: a slow
grid cannot look fast by leaving cases open, nor slow by cases that came in an hour ago. Where nothing runs any more,
the percentiles are those of the times themselves, interpolated as PostgreSQL's `percentile_cont` does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from grids.figures.asking import ResponseMetric
from grids.figures.counts import FEW
from grids.figures.reading import MISSING, STATUSES, TASK_STATUSES
from grids.figures.taking import Taken
from grids.rules.calendar import WorkCalendar
from grids.rules.lifecycle import OPEN_STATUSES
from grids.rules.pauses import WAITING
from grids.rules.survival import by_group
from grids.rules.tasks import LET_GO
from grids.rules.workingtime import working_micros

__all__ = ["QUANTILES", "Spans", "in_the_rate", "overdue", "percentiles", "spans", "timed"]

QUANTILES = (0.5, 0.9)
_MINUTE = 60_000_000
_DAY = 24 * 60 * _MINUTE
_BITS = 63  # of a number that is never below 0

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spans:
    """Steps with their beginning and end, microseconds; each field is (k,).

    cell : where each counts. end : `MISSING` while it runs. late : whether it took, or has taken, too long.
    """

    cell: NDArray[np.int32]
    start: Ints
    end: Ints
    late: Bools


def spans(taken: Taken, metric: ResponseMetric, now: int) -> Spans:
    """Return the steps of the cases that were taken, as far as they had begun by `now` (microseconds).

    ACCEPT : report to acceptance, late after a day. RESPOND : issue of the part to the department's answer, late after
    its own limit. ARRIVE : the appointed time, or else the issue, to the check-in, late after the grace of the case.
    HANDLE : acceptance to the result that stands, late by the due moment that is judged. CLOSE : report to closing, of
    the last round; late as handling is, so never for an imported case, of whose limits nobody knows.

    A part that was let go before the step came is in no time. A case that waits, suspended or on the ledger, or was
    closed from the ledger, is in no time of handling or closing: those are listed apart (`grids.ledger`). One that was
    closed without ever having been accepted here is an imported case: of those only receipt and closing are known.
    """
    if metric in (ResponseMetric.RESPOND, ResponseMetric.ARRIVE):
        return _of_tasks(taken, metric, now)
    received, accepted = taken.case("received"), taken.case("accepted")
    if metric is ResponseMetric.ACCEPT:
        end = accepted
        started = received <= now
        started &= (end != MISSING) | _is(taken.case("status"), OPEN_STATUSES, STATUSES)
        late = np.where(end == MISSING, now, end) - received > _DAY
        start = received
    elif metric is ResponseMetric.CLOSE:
        runs = _is(taken.case("status"), OPEN_STATUSES, STATUSES)
        start, end = received, np.where(runs, MISSING, taken.case("closed"))
        started = (start <= now) & (runs | (end != MISSING)) & in_the_rate(taken)
        late = overdue(taken, now)
    else:
        start, end = accepted, taken.case("resolved")
        started = (start != MISSING) & (start <= now) & in_the_rate(taken)
        late = overdue(taken, now)
    return Spans(taken.cell[started], start[started], end[started], late[started])


def _of_tasks(taken: Taken, metric: ResponseMetric, now: int) -> Spans:
    tasks, cell = taken.tasks()
    issued, came = (taken.facts.task(name)[tasks] for name in ("appointed", "came"))
    if metric is ResponseMetric.ARRIVE:
        start, end = issued, came
        due = start + taken.facts.task("grace")[tasks] * np.int64(_MINUTE)
    else:
        start, end, due = (taken.facts.task(name)[tasks] for name in ("issued", "responded", "response_due"))
    let_go = _is(taken.facts.task("status")[tasks], LET_GO, TASK_STATUSES)
    counts = (start <= now) & ~(let_go & (end == MISSING))
    late = np.where(end == MISSING, now, end) > due
    return Spans(cell[counts], start[counts], end[counts], late[counts])


def in_the_rate(taken: Taken) -> Bools:
    """Tell which cases are in rates of handling: those that do not wait and were not closed from the ledger."""
    counts: Bools = ~_is(taken.case("status"), WAITING, STATUSES) & ~taken.case("from_ledger")
    return counts


def overdue(taken: Taken, now: int) -> Bools:
    """Tell which cases were handled too late or are late: the mark, or a due moment that is over by `now`."""
    due, marked = taken.case("due"), taken.case("overdue_at") != MISSING
    late: Bools = marked | ((taken.case("resolved") == MISSING) & (due != MISSING) & (due < now))
    return late


def _is(column: NDArray[np.int8], some: Collection[Any], numbers: Mapping[Any, int]) -> Bools:
    among = np.zeros(max(numbers.values()) + 1, dtype=np.bool_)
    among[[numbers[one] for one in some]] = True
    result: Bools = among[column]
    return result


def timed(
    cells: gpd.GeoDataFrame, steps: Spans, now: int, calendar: WorkCalendar | None = None
) -> gpd.GeoDataFrame:
    """Return cells with n, open, denominator (= n), value (median), p90, overdue_share and small.

    calendar : count office hours; None for all minutes. value, p90 : minutes; NaN without data, and where so many
    still run that the share was never reached. Who comes before the appointed time waits for nobody: 0 minutes.
    """
    ended = steps.end != MISSING
    until = np.maximum(np.where(ended, steps.end, now), steps.start)
    took = until - steps.start
    if calendar is not None:
        took = working_micros(calendar, _moments(steps.start), _moments(until))
    found = percentiles(steps.cell, took, ended, len(cells), QUANTILES)
    n = np.bincount(steps.cell, minlength=len(cells)).astype(np.int64)
    late = np.bincount(steps.cell[steps.late], minlength=len(cells))
    cells["n"] = n
    cells["open"] = np.bincount(steps.cell[~ended], minlength=len(cells)).astype(np.int64)
    cells["denominator"] = n.astype(np.float64)
    cells["value"], cells["p90"] = found[:, 0], found[:, 1]
    cells["overdue_share"] = np.divide(late, n, out=np.full(len(cells), np.nan), where=n > 0)
    cells["small"] = (n > 0) & (n < FEW)
    return cells


def percentiles(
    group: NDArray[np.int32], took: Ints, ended: Bools, groups: int, quantiles: Sequence[float]
) -> Floats:
    """Return the quantiles of each group in minutes, (groups, len(quantiles)).

    They are interpolated where all have ended, else estimated. group : (k,) 0 to groups - 1. took : (k,) microseconds,
    0 or more. NaN for a group without members, or where the share was never reached.
    """
    group, took, ended = _by_group_and_time(group, took, ended, groups)
    minutes = took / _MINUTE
    running = np.bincount(group[~ended], minlength=groups) > 0
    if not running.any():
        return _interpolated(group, minutes, groups, quantiles)
    if running[group].all():
        return by_group(group, minutes, ended, groups, quantiles)
    censored = running[group]
    found = by_group(group[censored], minutes[censored], ended[censored], groups, quantiles)
    whole = ~censored
    interpolated = _interpolated(group[whole], minutes[whole], groups, quantiles)
    result: Floats = np.where(running[:, None], found, interpolated)
    return result


def _by_group_and_time(
    group: NDArray[np.int32], took: Ints, ended: Bools, groups: int
) -> tuple[NDArray[np.int32], Ints, Bools]:
    """Return what was given by group, then by time: written as one number each, which sorts many times faster."""
    bits = int(took.max(initial=0)).bit_length() + 1
    if bits + groups.bit_length() > _BITS:
        order = np.lexsort((took, group))
        return group[order], took[order], ended[order]
    key = (group.astype(np.int64) << bits) | (took << 1) | ended
    key.sort()
    return (key >> bits).astype(np.int32), (key & ((1 << bits) - 1)) >> 1, (key & 1).astype(np.bool_)


def _interpolated(
    group: NDArray[np.int32], ordered: Floats, groups: int, quantiles: Sequence[float]
) -> Floats:
    """Return the quantiles of minutes that are given by group, then by time."""
    n = np.bincount(group, minlength=groups)
    begins = np.cumsum(n) - n
    found = np.full((groups, len(quantiles)), np.nan)
    filled = np.flatnonzero(n)
    for column, share in enumerate(quantiles):
        place = share * (n[filled] - 1)
        low = np.floor(place)
        first = ordered[begins[filled] + low.astype(np.int64)]
        second = ordered[begins[filled] + np.ceil(place).astype(np.int64)]
        found[filled, column] = first + (place - low) * (second - first)
    return found


def _moments(micros: Ints) -> NDArray[np.datetime64]:
    return micros.view("datetime64[us]")
