"""Where incidents gather more than chance would have it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from gis.errors import InvalidInput
from gis.shuffling import RowSums, row_sums, shuffled, skewed_p, two_sided_p

__all__ = [
    "LocalMoran",
    "MoransI",
    "StarTest",
    "benjamini_hochberg",
    "getis_ord_star",
    "local_moran",
    "morans_i",
    "star_test",
    "two_sided_p",
]

Floats = NDArray[np.float64]


class StarTest(NamedTuple):
    """Getis-Ord Gi* of each grid and how likely it is by chance; each field is (n,)."""

    z: Floats
    """Standard deviations from the city mean, as `getis_ord_star`."""
    p: Floats
    """Two-sided, for the skewness that these counts have when they are shuffled; nan where nothing can be told."""


class LocalMoran(NamedTuple):
    """Local Moran's I of each grid; each field is (n,)."""

    statistic: Floats
    """I: above zero among its like, below zero the odd one out, zero without neighbours."""
    z: Floats
    """Standard deviations from what the same neighbours would give with the counts of the others shuffled."""
    quadrant: NDArray[np.int64]
    """1 high among high, 2 low among high, 3 low among low, 4 high among low."""
    p: Floats
    """Two-sided, for the skewness that the shuffled neighbours have; nan where nothing can be told."""


class MoransI(NamedTuple):
    """How alike neighbours are in the whole city: one number with its test."""

    i: float
    """Above `expected` where like lies by like, below it where neighbours differ."""
    expected: float
    """What shuffled values give on average, -1 / (n - 1)."""
    z: float
    """Standard deviations of `i` from `expected` over all orders of the values."""
    p: float
    """Two-sided, of the normal distribution."""


def getis_ord_star(counts: ArrayLike, weights: csr_array) -> Floats:
    """Score how far incidents gather in and around each grid (Getis-Ord Gi*).

    counts : (n,) incidents per grid in one time window, in the row order of `weights`; n of at least 3. For rates
    of unequal populations use `gis.smoothing.standardised_rates`.
    weights : (n, n) sparse, above 0 for neighbours and on the diagonal (the star), else 0; the score is the same
    whether they are 1 or rows of a common sum.
    Returns z : (n,) standard deviations from the city mean; hot above, cold below zero, 0 for a grid that
    neighbours all others, of which nothing can be told. For probabilities take `star_test`: those of the normal
    distribution are too small by far where counts are few.
    Raises `InvalidInput` when shapes differ, a count is not finite, the diagonal is not above 0 or all counts are
    equal (no variance).
    Source: Ord & Getis (1995), Geographical Analysis 27(4), 286-306, equation 14.
    """
    return _star(counts, weights)[0]


def star_test(counts: ArrayLike, weights: csr_array) -> StarTest:
    """Score each grid as `getis_ord_star` does, and say how likely such a score is by chance.

    Takes and raises the same. The probability comes from a curve with the mean, the spread and the skewness of all
    orders of the counts, so that `benjamini_hochberg` keeps its rate for counts of one in ten grids as well as for
    hundreds in each. Where counts vary much more than chance would have it (most incidents in few grids), three
    moments do not tell all, and up to twice the rate was seen: look first at a grid that outweighs the others.
    Source: as `getis_ord_star`; the third moment and the curve in `gis.shuffling`.
    """
    z, skewness = _star(counts, weights)
    p = skewed_p(z, skewness)
    p[np.isnan(skewness)] = np.nan
    return StarTest(z, p)


def _star(counts: ArrayLike, weights: csr_array) -> tuple[Floats, Floats]:
    """Return z and the skewness of z by chance, nan where there is no spread."""
    x = _checked(counts, weights)
    if not np.all(weights.diagonal() > 0):
        raise InvalidInput(
            "weights_without_self",
            "each grid must be its own neighbour here: put 1 on the diagonal of the weights",
            field="weights",
        )
    middle = x.mean()
    off = x - middle
    squares = off * off
    chance = shuffled(row_sums(weights), x.size, 0.0, squares.sum(), (squares * off).sum())
    told = chance.spread > 0
    z = np.divide(weights @ off, chance.spread, out=np.zeros_like(x), where=told)
    return z, np.where(told, chance.skewness, np.nan)


def local_moran(values: ArrayLike, weights: csr_array) -> LocalMoran:
    """Tell the grids that are like their neighbours from those that differ (local Moran's I).

    values : (n,) counts or rates per grid, in the row order of `weights`; n of at least 4.
    weights : (n, n) sparse, above 0 for neighbours, 0 on the diagonal; rows are brought to a sum of 1 here.
    Raises `InvalidInput` when shapes differ, a value is not finite, the diagonal is not 0 or all are equal.
    Source: Anselin (1995), Geographical Analysis 27(2), 93-115; z by conditional randomisation after Sokal,
    Oden & Thomson (1998), Geographical Analysis 30(4), 331-354, equations A7 and A8; p as in `star_test`.
    """
    x = _without_self(values, weights, least=4)
    n = x.size
    sums = row_sums(weights)
    share = np.divide(1.0, sums.first, out=np.zeros(n), where=sums.first > 0)
    twice = share * share
    even = RowSums(sums.first * share, sums.second * twice, sums.third * twice * share)
    z = (x - x.mean()) / x.std()
    square = z * z
    lag = share * (weights @ z)
    # Given its own value, the neighbours of a grid are drawn from all others: their mean, squares and cubes.
    mean = -z / (n - 1)
    squares = n - square - (n - 1) * mean * mean
    squares = np.where(squares > 1e-12 * n, squares, 0.0)
    cube = square * z
    cubes = cube.sum() - cube - mean * (3 * (n - square) - 2 * (n - 1) * mean * mean)
    chance = shuffled(even, n - 1, mean, squares, cubes)
    told = chance.spread > 0
    score = np.divide(lag - chance.mean, chance.spread, out=np.zeros(n), where=told)
    p = np.where(told, skewed_p(score, chance.skewness), np.nan)
    quadrant = np.where(z > 0, np.where(lag > 0, 1, 4), np.where(lag > 0, 2, 3))
    return LocalMoran(z * lag * (n - 1) / n, np.sign(z) * score, quadrant, p)


def morans_i(values: ArrayLike, weights: csr_array, *, standardise: bool = True) -> MoransI:
    """Tell in one number whether neighbours are alike in the city as a whole (Moran's I).

    values : (n,) counts or rates per grid, in the row order of `weights`; n of at least 4.
    weights : (n, n) sparse, above 0 for neighbours, 0 on the diagonal. standardise : whether rows are brought to a
    sum of 1 first, as usual; without it grids with many neighbours weigh more.
    Returns `i`, `z` and `p` as nan where no grid has a neighbour.
    Raises `InvalidInput` when shapes differ, a value is not finite, the diagonal is not 0 or all are equal.
    Source: Moran (1950), Biometrika 37, 17-23; moments under randomisation of Cliff & Ord (1981), Spatial
    Processes, chapter 2.
    """
    x = _without_self(values, weights, least=4)
    n, links = x.size, csr_array(weights)
    if standardise:
        total = row_sums(links).first
        share = np.divide(1.0, total, out=np.zeros(n), where=total > 0)
        links = csr_array(
            (links.data * np.repeat(share, np.diff(links.indptr)), links.indices, links.indptr),
            shape=links.shape,
        )
    off = x - x.mean()
    out, into = np.asarray(links.sum(axis=1)), np.asarray(links.sum(axis=0))
    s0, expected = float(out.sum()), -1 / (n - 1)
    if s0 == 0:
        return MoransI(np.nan, expected, np.nan, np.nan)
    both = links + links.T
    s1, s2 = float((both.data**2).sum()) / 2, float(((out + into) ** 2).sum())
    i = n / s0 * float(off @ (links @ off)) / float(off @ off)
    peaked = n * float((off**4).sum()) / float(off @ off) ** 2
    loose = n * ((n**2 - 3 * n + 3) * s1 - n * s2 + 3 * s0**2)
    tight = peaked * ((n**2 - n) * s1 - 2 * n * s2 + 6 * s0**2)
    variance = (loose - tight) / ((n - 1) * (n - 2) * (n - 3) * s0**2) - expected**2
    if variance <= 1e-12:  # every order of the values gives the same
        return MoransI(i, expected, np.nan, np.nan)
    z = (i - expected) / variance**0.5
    return MoransI(i, expected, z, float(two_sided_p(z)))


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


def _without_self(values: ArrayLike, weights: csr_array, least: int) -> Floats:
    x = _checked(values, weights, least)
    if weights.diagonal().any():
        raise InvalidInput(
            "weights_with_self",
            "no grid may be its own neighbour here: put 0 on the diagonal of the weights",
            field="weights",
        )
    return x


def _checked(values: ArrayLike, weights: csr_array, least: int = 3) -> Floats:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or x.size < least or weights.shape != (x.size, x.size):
        raise InvalidInput(
            "lengths_differ",
            f"{x.shape} counts do not go with weights of shape {weights.shape}; {least} or more grids are needed",
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
