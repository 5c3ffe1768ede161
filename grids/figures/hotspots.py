"""Which grids are beyond chance, high or low, alone and with their neighbours."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
from scipy.sparse import csr_array

from gis.hotspots import benjamini_hochberg, local_moran, star_test
from gis.smoothing import empirical_bayes, standardised_rates
from gis.weights import star
from grids.figures.asking import HotspotMetric

__all__ = ["FALSE_DISCOVERY", "FEWEST_CELLS", "scored"]

FALSE_DISCOVERY = 0.05  # of the cells called hot, at most this share by chance (Benjamini & Hochberg 1995)
FEWEST_CELLS = 20  # below this a cell's neighbourhood is most of the map and Gi* says nothing


def scored(cells: gpd.GeoDataFrame, weights: csr_array, metric: HotspotMetric) -> gpd.GeoDataFrame:
    """Return cells (as `grids.figures.counts.counted` makes them) with their scores.

    weights : (n, n) who touches whom, in the order of the cells.
    z, p : Getis-Ord Gi* with the cells that touch; NaN where nothing can be told. hot, cold (bool) : beyond chance at
    a false-discovery rate of 5 %. quadrant (int) : local Moran, 1 high among high, 2 low among high, 3 low among low,
    4 high among low, 0 for no more than chance. smoothed : the rate by 1,000 households after empirical Bayes, which
    a few incidents in a few homes cannot drive up; NaN for other metrics.
    Rates of unequal populations are scored as standard deviations from the rate of all (Assuncao & Reis 1999).
    With fewer than 20 cells, or where all are alike, nothing is scored.
    """
    size = len(cells)
    z, p, smoothed = (np.full(size, np.nan) for _ in range(3))
    quadrant = np.zeros(size, dtype=np.int64)
    hot, cold = np.zeros(size, dtype=np.bool_), np.zeros(size, dtype=np.bool_)
    events = cells["n"].to_numpy(dtype=np.float64)
    if metric is HotspotMetric.PER_1000_HOUSEHOLDS:
        homes = cells["denominator"].to_numpy(dtype=np.float64)
        if np.nansum(homes) > 0:
            smoothed = empirical_bayes(events, homes) * 1000
        values = standardised_rates(events, homes) if np.nansum(homes) > 0 else np.full(size, np.nan)
    else:
        values = cells["value"].to_numpy(dtype=np.float64)
    known = np.flatnonzero(np.isfinite(values))
    if known.size >= FEWEST_CELLS and np.ptp(values[known]) > 0:
        links = weights if known.size == size else csr_array(weights[known][:, known])
        test = star_test(values[known], star(links))
        z[known], p[known] = test.z, test.p
        beyond = benjamini_hochberg(p, FALSE_DISCOVERY)
        hot, cold = beyond & (z > 0), beyond & (z < 0)
        moran = local_moran(values[known], links)
        alike = benjamini_hochberg(moran.p, FALSE_DISCOVERY)
        quadrant[known] = np.where(alike, moran.quadrant, 0)
    return cells.assign(z=z, p=p, hot=hot, cold=cold, quadrant=quadrant, smoothed=smoothed)
