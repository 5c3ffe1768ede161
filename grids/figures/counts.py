"""How many incidents each grid had: as they are, by its households, or by its ground."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from grids.figures.asking import HotspotMetric
from grids.rules.calendar import SHANGHAI

__all__ = ["FEW", "counted", "rate_in_a_month", "year_to_quarter"]

FEW = 10
"""A share or a median that stands on fewer cases is marked."""


def counted(cells: gpd.GeoDataFrame, n: NDArray[np.int64], metric: HotspotMetric) -> gpd.GeoDataFrame:
    """Return cells with n, denominator, value and small.

    n : (cells,) incidents. denominator : households or km2; NaN for plain counts, and where nobody knows. value : n,
    or n by 1,000 households or by km2; NaN without a denominator, never 0. small : a rate that stands on 1 to 9.
    """
    cells["n"] = n
    if metric is HotspotMetric.COUNT:
        cells["denominator"] = np.nan
        cells["value"] = n.astype(np.float64)
    else:
        size = cells["households" if metric is HotspotMetric.PER_1000_HOUSEHOLDS else "km2"].astype(float)
        cells["denominator"] = size.where(size > 0)
        by = 1000.0 if metric is HotspotMetric.PER_1000_HOUSEHOLDS else 1.0
        cells["value"] = n / cells["denominator"] * by
    cells["small"] = (n > 0) & (n < FEW) & (metric is not HotspotMetric.COUNT)
    return cells


def year_to_quarter(day: date, now: datetime) -> tuple[datetime, datetime]:
    """Return the 365 days up to the end of the quarter of a day, or up to `now` where that quarter still runs."""
    month = (day.month - 1) // 3 * 3 + 3
    next_one = date(day.year + month // 12, month % 12 + 1, 1)
    until = min(datetime.combine(next_one, time(), SHANGHAI), now)
    return until - timedelta(days=365), until


def rate_in_a_month(received: NDArray[np.int64], households: float, until: datetime) -> float | None:
    """Return how many cases 1,000 households have in 30 days; None without a case or without households.

    received : (n,) microseconds since 1970, of at most a year before `until`. A service that has run for less has its
    rate from its first case on, over at least a week.
    """
    if not received.size or not households > 0:
        return None
    days = (until.timestamp() - float(received.min()) / 1e6) / 86_400
    return received.size / households * 1000 / max(days, 7.0) * 30
