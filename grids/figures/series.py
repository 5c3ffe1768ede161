"""How counts go over time: by week, what is emerging, and what changed between two periods."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gis.emerging import Pattern, emerging_hotspots
from gis.errors import InvalidInput
from gis.weights import star
from grids.figures.hotspots import FEWEST_CELLS
from grids.figures.taking import Taken
from grids.rules.calendar import SHANGHAI, local_day

__all__ = ["FEWEST_WEEKS", "MOST_WEEKS", "Weekly", "by_week", "changes", "whole_weeks", "with_patterns"]

FEWEST_WEEKS = 10  # a trend over fewer is none (Mann-Kendall)
MOST_WEEKS = 530  # ten years
_DAY = 86_400_000_000
_AHEAD = int((datetime(2000, 1, 1, tzinfo=SHANGHAI).utcoffset() or timedelta()).total_seconds()) * 1_000_000
_MONDAY = 3  # the first of January 1970 was a Thursday, three days after a Monday


@dataclass(frozen=True)
class Weekly:
    """Counts by week.

    codes, names : of the cells. weeks : the Mondays that the weeks begin with, in the city. counts : (cells, weeks)
    incidents; the first and the last week may lie in the window only in part, which `whole` (weeks,) says.
    """

    codes: list[str]
    names: list[str]
    weeks: list[date]
    counts: NDArray[np.int64]
    whole: NDArray[np.bool_]


def by_week(taken: Taken, since: datetime, until: datetime) -> Weekly:
    """Return how many incidents each cell had by week, all weeks that the window touches.

    Raises `InvalidInput` ("bad_period") for more than ten years.
    """
    first = _week_of(local_day(since))
    last = _week_of(local_day(until - timedelta(microseconds=1)))
    many = last - first + 1
    if many > MOST_WEEKS:
        raise InvalidInput(
            "bad_period",
            f"the period has {many} weeks: ask for at most {MOST_WEEKS}",
            field="from",
            got=many,
            wanted=MOST_WEEKS,
        )
    cells = taken.ground.cells
    day = (taken.case("received") + _AHEAD) // _DAY
    week = (day + _MONDAY) // 7 - first
    flat = np.bincount(taken.cell.astype(np.int64) * many + week, minlength=len(cells) * many)
    mondays = [date(1970, 1, 1) + timedelta(days=(first + number) * 7 - _MONDAY) for number in range(many)]
    begins = [datetime(day.year, day.month, day.day, tzinfo=SHANGHAI) for day in mondays]
    whole = [since <= begin and begin + timedelta(days=7) <= until for begin in begins]
    return Weekly(
        codes=cells["code"].tolist(),
        names=cells["name"].tolist(),
        weeks=mondays,
        counts=flat.reshape(len(cells), many).astype(np.int64),
        whole=np.array(whole, dtype=np.bool_),
    )


def _week_of(day: date) -> int:
    return ((day - date(1970, 1, 1)).days + _MONDAY) // 7


def whole_weeks(weekly: Weekly) -> NDArray[np.int64]:
    """Return the counts of the weeks that lie in the window whole, (cells, whole weeks)."""
    counts: NDArray[np.int64] = weekly.counts[:, weekly.whole]
    return counts


def with_patterns(cells: gpd.GeoDataFrame, counts: NDArray[np.int64], weights: csr_array) -> gpd.GeoDataFrame:
    """Return cells with n, value (= n), denominator (the weeks), pattern, z (of the last week), trend_z and trend_p.

    counts : (cells, weeks) of whole weeks. weights : who touches whom. pattern : the name of a `gis.emerging.Pattern`
    in small letters, "" for none. With fewer than 20 cells, or where all counts are equal, none has a pattern.
    Raises `InvalidInput` ("too_few_bins").
    """
    if counts.shape[1] < FEWEST_WEEKS:
        raise InvalidInput(
            "too_few_bins",
            f"the period has {counts.shape[1]} whole weeks from Monday to Sunday: a trend needs {FEWEST_WEEKS}",
            field="from",
            got=counts.shape[1],
            wanted=FEWEST_WEEKS,
        )
    size = len(cells)
    cells["n"] = counts.sum(axis=1).astype(np.int64)
    cells["denominator"] = float(counts.shape[1])
    cells["value"] = cells["n"].astype(float)
    cells["small"] = False
    pattern = [""] * size
    z, trend_z, trend_p = (np.full(size, np.nan) for _ in range(3))
    if size >= FEWEST_CELLS and np.ptp(counts) > 0:
        found = emerging_hotspots(counts, star(weights))
        pattern = ["" if code == 0 else Pattern(code).name.lower() for code in found.pattern.tolist()]
        z, trend_z, trend_p = found.z[:, -1], found.trend_z, found.trend_p
    cells["pattern"] = pattern
    return cells.assign(z=z, trend_z=trend_z, trend_p=trend_p)


def changes(later: gpd.GeoDataFrame, earlier: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the later figures with value_before, n_before and change (value less value_before).

    Both have one row a grid with code, n and value. A grid that the earlier has not, as no such cell was there, or a
    value that is no number on either side, has a change of NaN, never 0.
    """
    before = earlier.set_index("code")
    value = later["code"].map(before["value"]).astype(float)
    return later.assign(
        value_before=value.to_numpy(),
        n_before=later["code"].map(before["n"]).astype(float).to_numpy(),
        change=(later["value"].astype(float) - value).to_numpy(),
    )
