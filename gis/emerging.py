"""Hot spots over time: which came up, which stay, which fade; by Gi* of each week and the trend of it.

A cube of counts, cells by bins of time, is scored bin by bin: Gi* of a cell, its neighbours and the same cells
in the bin before, against all bins of the cube. Which bins are hot or cold is decided over the whole cube at a
false-discovery rate. How a cell's bins follow each other, and whether their scores rise or fall, gives its pattern.

The patterns are those of the tool "Emerging Hot Spot Analysis" of ArcGIS Pro, as its page "How Emerging Hot Spot
Analysis works" defines them, in our words at `Pattern`. Two things are stricter here. Probabilities take the
skewness of small counts into account (`gis.shuffling`). And the trend is that of scores that share no bin of time:
those that do rise and fall together by chance, and the test would find three times the trends that it admits to.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from gis.errors import InvalidInput
from gis.hotspots import benjamini_hochberg
from gis.shuffling import RowSums, row_sums, shuffled, skewed_p, two_sided_p

__all__ = [
    "FEWEST_BINS",
    "Emerging",
    "MannKendall",
    "Pattern",
    "emerging_hotspots",
    "mann_kendall",
    "patterns",
]

Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]

FEWEST_BINS = 10
"""Bins of time below which neither a trend nor a pattern can be told."""
MOSTLY = 90
"""Per cent of the bins from which on a cell counts as hot all along."""


class Pattern(IntEnum):
    """What a cell's bins show; hot patterns are above zero, their cold twins have the same number below it."""

    NONE = 0
    """None of the others: never hot, or hot only in the past and not for most of it."""
    NEW = 1
    """Hot in the last bin and in none before it."""
    CONSECUTIVE = 2
    """Hot in the last two bins or more, without a break, and in none before those; in less than 90 % of all bins."""
    INTENSIFYING = 3
    """Hot in at least 90 % of the bins and in the last, and ever more so: the scores rise beyond chance."""
    PERSISTENT = 4
    """Hot in at least 90 % of the bins and in the last, with no trend either way."""
    DIMINISHING = 5
    """Hot in at least 90 % of the bins and in the last, but less and less: the scores fall beyond chance."""
    SPORADIC = 6
    """Hot in the last bin and, with breaks, before; in less than 90 % of the bins, and cold in none."""
    OSCILLATING = 7
    """Hot in the last bin, and cold in some bin before; hot in less than 90 % of the bins."""
    HISTORICAL = 8
    """Not hot in the last bin, but in at least 90 % of all bins."""
    COLD_NEW = -1
    COLD_CONSECUTIVE = -2
    COLD_INTENSIFYING = -3
    COLD_PERSISTENT = -4
    COLD_DIMINISHING = -5
    COLD_SPORADIC = -6
    COLD_OSCILLATING = -7
    COLD_HISTORICAL = -8


class MannKendall(NamedTuple):
    """The trend of each series; each field is of the shape of the series without its last axis."""

    s: Floats
    """Pairs that rise less pairs that fall."""
    z: Floats
    """Standard deviations of `s` from none, ties and the step of 1 allowed for; nan below two values."""
    p: Floats
    """Two-sided, of the normal distribution; nan below two values."""


class Emerging(NamedTuple):
    """Hot and cold spots over time, by cell."""

    pattern: NDArray[np.int64]
    """(cells,) codes of `Pattern`."""
    z: Floats
    """(cells, bins) Gi* of each bin with the bin before it."""
    hot: Marks
    """(cells, bins) high beyond chance, at the false-discovery rate over the cube."""
    cold: Marks
    """(cells, bins) low beyond chance, likewise."""
    trend_z: Floats
    """(cells,) of Mann-Kendall on the Gi* of each bin alone: above zero rising."""
    trend_p: Floats
    """(cells,) two-sided, of each cell by itself."""


def mann_kendall(series: ArrayLike) -> MannKendall:
    """Tell whether series rise or fall beyond chance, whatever the shape of the rise (Mann-Kendall).

    series : (..., times) values in the order of time; nan where none is known, which is passed over.
    Raises `InvalidInput` (count_not_finite) for an infinite value.
    Source: Mann (1945), Econometrica 13(3), 245-259; variance with ties of Kendall (1975), Rank Correlation Methods.
    """
    x = np.asarray(series, dtype=np.float64)
    if np.isinf(x).any():
        raise InvalidInput(
            "count_not_finite",
            f"{int(np.isinf(x).sum())} of {x.size} values are infinite",
            field="series",
            count=int(np.isinf(x).sum()),
        )
    # By time first, a pair of times is compared for all series at once, in memory that lies together.
    by_time = np.ascontiguousarray(np.moveaxis(x, -1, 0))
    s = np.zeros(by_time.shape[1:], dtype=np.int64)
    for at in range(1, by_time.shape[0]):
        now, before = by_time[at], by_time[:at]
        s += np.count_nonzero(now > before, axis=0) - np.count_nonzero(now < before, axis=0)
    n = np.count_nonzero(~np.isnan(x), axis=-1)
    variance = (n * (n - 1) * (2 * n + 5) - _of_ties(x)) / 18
    z = np.divide(s - np.sign(s), np.sqrt(variance), out=np.zeros(s.shape), where=variance > 0)
    z = np.where(n < 2, np.nan, z)
    return MannKendall(s.astype(np.float64), z, two_sided_p(z))


def _of_ties(x: Floats) -> Floats:
    """Return what equal values take off 18 times the variance: t (t - 1) (2 t + 5) for each t that are equal."""
    ordered = np.sort(x, axis=-1)
    same = np.zeros(x.shape, dtype=np.int64)  # how many equal ones stand before each value
    for at in range(1, x.shape[-1] if x.ndim else 0):
        same[..., at] = np.where(ordered[..., at] == ordered[..., at - 1], same[..., at - 1] + 1, 0)
    # The t-th of equal values adds f(t) - f(t - 1) with f(t) = t (t - 1) (2 t + 5); t = same + 1.
    taken: Floats = np.sum(6.0 * same * (same + 2), axis=-1)
    return taken


def emerging_hotspots(
    counts: ArrayLike, weights: csr_array, *, false_discovery: float = 0.05, bins_back: int = 1
) -> Emerging:
    """Tell new hot spots from lasting and fading ones, over bins of time such as weeks.

    counts : (cells, bins) incidents, bins in the order of time; at least 3 cells and 10 bins.
    weights : (cells, cells) sparse, above 0 for neighbours and on the diagonal (the star), else 0.
    false_discovery : the share of the bins called hot or cold that may be chance, over the whole cube; and of the
    trends found among cells that are hot or cold all along.
    bins_back : how many bins before each count among its neighbours; the first bins have fewer.
    All bins are compared with the mean of the whole cube, so that a week in which the whole city is busy is hot in
    many cells. Raises `InvalidInput` when shapes differ, bins are too few, a count is not finite, the diagonal is
    not above 0 or all counts are equal.
    Source: see the module; Gi* as `gis.hotspots.getis_ord_star`.
    """
    cube = _checked(counts, weights, bins_back)
    z, skewness = _scores(cube, weights, bins_back)
    picked = benjamini_hochberg(skewed_p(z, skewness).ravel(), false_discovery).reshape(cube.shape)
    hot, cold = picked & (z > 0), picked & (z < 0)
    trend = mann_kendall(z if bins_back == 0 else _scores(cube, weights, 0)[0])
    lasting = _mostly(hot) | _mostly(cold)
    sure = benjamini_hochberg(np.where(lasting, trend.p, np.nan), false_discovery)
    found = patterns(hot, cold, np.where(sure, np.sign(trend.z), 0.0))
    return Emerging(found, z, hot, cold, trend.z, trend.p)


def _scores(cube: Floats, weights: csr_array, bins_back: int) -> tuple[Floats, Floats]:
    """Return Gi* of all bins and the skewness that it has by chance; both 0 where nothing can be told."""
    bins = cube.shape[1]
    off = cube - cube.mean()
    own = weights @ off
    around, many = own.copy(), np.ones(bins)
    for back in range(1, bins_back + 1):
        around[:, back:] += own[:, :-back]
        many[back:] += 1
    sums = RowSums(*(np.multiply.outer(each, many) for each in row_sums(weights)))
    squares = off * off
    chance = shuffled(sums, cube.size, 0.0, squares.sum(), (squares * off).sum())
    return np.divide(
        around, chance.spread, out=np.zeros_like(around), where=chance.spread > 0
    ), chance.skewness


def patterns(hot: Marks, cold: Marks, trend: ArrayLike) -> NDArray[np.int64]:
    """Return the pattern of each cell from its hot and its cold bins.

    hot, cold : (cells, bins) booleans, never both. trend : (cells,) above 0 where scores rise beyond chance, below 0
    where they fall, else 0. A cell that fits several is given the first in the order of `Pattern`.
    """
    rising = np.sign(np.asarray(trend, dtype=np.float64))
    warm = _of_one_sign(hot, cold, rising)
    return np.where(warm != Pattern.NONE, warm, -_of_one_sign(cold, hot, -rising))


def _of_one_sign(hot: Marks, cold: Marks, rising: Floats) -> NDArray[np.int64]:
    bins = hot.shape[1]
    times = hot.sum(axis=1)
    # The run that reaches the last bin: how many bins from the end on there is none that is not hot.
    run = np.where(hot.all(axis=1), bins, np.argmin(hot[:, ::-1], axis=1))
    last, mostly = hot[:, -1], _mostly(hot)
    cases = {
        Pattern.NEW: last & (times == 1),
        Pattern.CONSECUTIVE: last & ~mostly & (run >= 2) & (run == times),
        Pattern.INTENSIFYING: last & mostly & (rising > 0),
        Pattern.PERSISTENT: last & mostly & (rising == 0),
        Pattern.DIMINISHING: last & mostly & (rising < 0),
        Pattern.SPORADIC: last & ~mostly & ~cold.any(axis=1),
        Pattern.OSCILLATING: last & ~mostly & cold.any(axis=1),
        Pattern.HISTORICAL: ~last & mostly,
    }
    return np.select(list(cases.values()), [int(pattern) for pattern in cases], int(Pattern.NONE))


def _mostly(marks: Marks) -> Marks:
    often: Marks = 100 * marks.sum(axis=1) >= MOSTLY * marks.shape[1]
    return often


def _checked(counts: ArrayLike, weights: csr_array, bins_back: int) -> Floats:
    cube = np.asarray(counts, dtype=np.float64)
    if cube.ndim != 2 or cube.shape[0] < 3 or weights.shape != (cube.shape[0], cube.shape[0]):
        raise InvalidInput(
            "lengths_differ",
            f"{cube.shape} counts, cells by bins, do not go with weights of shape {weights.shape}; 3 or more cells "
            "are needed",
            field="weights",
            got=list(weights.shape),
            wanted=list(cube.shape[:1] * 2),
        )
    if cube.shape[1] < FEWEST_BINS or not 0 <= bins_back < cube.shape[1]:
        raise InvalidInput(
            "too_few_bins",
            f"{cube.shape[1]} bins of time are too few to tell a pattern from chance: take {FEWEST_BINS} or more",
            field="counts",
            got=cube.shape[1],
            wanted=FEWEST_BINS,
        )
    if not np.isfinite(cube).all():
        count = int((~np.isfinite(cube)).sum())
        raise InvalidInput(
            "count_not_finite", f"{count} of {cube.size} counts are no numbers", field="counts", count=count
        )
    if not np.all(weights.diagonal() > 0):
        raise InvalidInput(
            "weights_without_self",
            "each grid must be its own neighbour here: put 1 on the diagonal of the weights",
            field="weights",
        )
    if cube.min() == cube.max():
        raise InvalidInput(
            "no_variance",
            f"all {cube.size} counts are {cube.flat[0]:g}: with no difference between bins none can stand out",
            field="counts",
            got=float(cube.flat[0]),
        )
    return cube
