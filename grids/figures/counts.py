"""How many incidents each grid had: as they are, by its households, or by its ground."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from grids.figures.asking import HotspotMetric

__all__ = ["FEW", "counted"]

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
