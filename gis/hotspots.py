"""Where incidents gather more than chance would have it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.special import ndtr

from gis.errors import InvalidInput

__all__ = ["LocalMoran", "benjamini_hochberg", "getis_ord_star", "local_moran", "two_sided_p"]

Floats = NDArray[np.float64]


class LocalMoran(NamedTuple):
    """Local Moran's I of each grid; each field is (n,)."""

    statistic: Floats
    """I: above zero among its like, below zero the odd one out, zero without neighbours."""
    z: Floats
    """Standard deviations from what the same neighbours would give with the counts of the others shuffled."""
    quadrant: NDArray[np.int64]
    """1 high among high, 2 low among high, 3 low among low, 4 high among low."""


def getis_ord_star(counts: ArrayLike, weights: csr_array) -> Floats:
    """Score how far incidents gather in and around each grid (Getis-Ord Gi*).

    counts : (n,) incidents per grid in one time window, in the row order of `weights`; n of at least 3.
    weights : (n, n) sparse, 1 for neighbours and on the diagonal (the star), else 0.
    Returns z : (n,) standard deviations from the city mean; hot above, cold below zero, 0 for a grid that
    neighbours all others, of which nothing can be told.
    Raises `InvalidInput` when shapes differ, a count is not finite, the diagonal is not 1 or all counts are
    equal (no variance).
    Source: Ord & Getis (1995), Geographical Analysis 27(4), 286-306, equation 14.
    """
    x = _checked(counts, weights)
    if not np.all(weights.diagonal() == 1):
        raise InvalidInput(
            "weights_without_self",
            "each grid must be its own neighbour here: put 1 on the diagonal of the weights",
            field="weights",
        )
    n = x.size
    total, squares = _row_sums(weights)
    expected = x.mean() * total
    spread = np.sqrt(np.maximum(n * squares - total**2, 0) / (n - 1))
    return _over((weights @ x - expected) / x.std(), spread)


def local_moran(values: ArrayLike, weights: csr_array) -> LocalMoran:
    """Tell the grids that are like their neighbours from those that differ (local Moran's I).

    values : (n,) counts or rates per grid, in the row order of `weights`; n of at least 3.
    weights : (n, n) sparse, 1 for neighbours, 0 on the diagonal; rows are brought to a sum of 1 here.
    Raises `InvalidInput` when shapes differ, a value is not finite, the diagonal is not 0 or all are equal.
    Source: Anselin (1995), Geographical Analysis 27(2), 93-115; z by conditional randomisation after Sokal,
    Oden & Thomson (1998), Geographical Analysis 30(4), 331-354, equations A7 and A8.
    """
    x = _checked(values, weights)
    if weights.diagonal().any():
        raise InvalidInput(
            "weights_with_self",
            "no grid may be its own neighbour here: put 0 on the diagonal of the weights",
            field="weights",
        )
    n = x.size
    total, squares = _row_sums(weights)
    share = np.divide(1.0, total, out=np.zeros(n), where=total > 0)
    z = (x - x.mean()) / x.std()
    lag = share * (weights @ z)
    # Given its own value, the neighbours of a grid are drawn from all others: hence their mean and spread.
    drawn = (total > 0) * -z / (n - 1)
    spread = np.sqrt(np.maximum(squares * share**2 - (total > 0) / (n - 1), 0) * n / (n - 2))
    spread = spread * np.sqrt(np.maximum(1 - z**2 / (n - 1), 0))
    quadrant = np.where(z > 0, np.where(lag > 0, 1, 4), np.where(lag > 0, 2, 3))
    return LocalMoran(z * lag * (n - 1) / n, np.sign(z) * _over(lag - drawn, spread), quadrant)


def two_sided_p(z: ArrayLike) -> Floats:
    """Return how likely a score at least as far from zero is by chance, for normal scores z of any shape."""
    p: Floats = 2 * ndtr(-np.abs(np.asarray(z, dtype=np.float64)))
    return p


def benjamini_hochberg(p: ArrayLike, q: float) -> NDArray[np.bool_]:
    """Pick the scores that hold when many are looked at, so that at most a share q of the picks are chance.

    p : (n,) p-values; nan for grids with nothing to test, which are neither picked nor counted.
    q : the false-discovery rate that is accepted, between 0 and 1.
    Returns (n,) booleans. Raises `InvalidInput` (p, q) for what is no probability.
    Source: Benjamini & Hochberg (1995), Journal of the Royal Statistical Society B 57(1), 289-300.
    """
    values = np.asarray(p, dtype=np.float64)
    for field, given in (("p", values), ("q", np.asarray(q, dtype=np.float64))):
        if np.any((given < 0) | (given > 1)) or (field == "q" and np.isnan(given)):
            raise InvalidInput(
                "no_probability",
                f"{field} must lie between 0 and 1",
                field=field,
                wanted=[0, 1],
            )
    ordered = np.sort(values[~np.isnan(values)])
    below = np.flatnonzero(ordered <= q * np.arange(1, ordered.size + 1) / max(ordered.size, 1))
    if not below.size:
        return np.zeros(values.shape, dtype=np.bool_)
    picked: NDArray[np.bool_] = values <= ordered[below[-1]]
    return picked


def _checked(values: ArrayLike, weights: csr_array) -> Floats:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or x.size < 3 or weights.shape != (x.size, x.size):
        raise InvalidInput(
            "lengths_differ",
            f"{x.shape} counts do not go with weights of shape {weights.shape}; 3 or more grids are needed",
            field="weights",
            got=list(weights.shape),
            wanted=[x.size, x.size],
        )
    if not np.isfinite(x).all():
        raise InvalidInput(
            "count_not_finite",
            f"{int((~np.isfinite(x)).sum())} of {x.size} counts are no numbers",
            field="counts",
            count=int((~np.isfinite(x)).sum()),
        )
    if x.min() == x.max():
        raise InvalidInput(
            "no_variance",
            f"all {x.size} counts are {x[0]:g}: with no difference between grids none can stand out",
            field="counts",
            got=float(x[0]),
        )
    return x


def _row_sums(weights: csr_array) -> tuple[Floats, Floats]:
    ones = np.ones(weights.shape[0])
    return weights @ ones, weights.multiply(weights) @ ones


def _over(above: Floats, spread: Floats) -> Floats:
    # A spread that is only rounding error is none.
    return np.divide(above, spread, out=np.zeros_like(above), where=spread > 1e-6)
