"""What chance would do: the sum over a grid's neighbours when the values are shuffled among the grids.

The scores of `gis.hotspots` compare a weighted sum of values with what it would be if the same values were dealt
out to the grids anew. The mean and the spread of that sum are known exactly, and so is its skewness: where most grids
have no incident in a week, a few have one and fewer still two, its upper tail is long. The normal curve then finds
something hot in most cities in which nothing is; the curve that has the right skewness as well (Pearson's type III,
a shifted gamma distribution) keeps to the rate that was asked for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.special import gammainc, gammaincc, ndtr

__all__ = ["RowSums", "Shuffled", "row_sums", "shuffled", "skewed_p", "two_sided_p"]

Floats = NDArray[np.float64]

_ROUNDING = 1e-12  # a spread below this share of what it is the difference of is none
_NEARLY_SYMMETRIC = (
    1e-5  # below this skewness the normal curve differs by a thousandth at most, as far out as 8
)


class RowSums(NamedTuple):
    """Sums of the weights of each row; each field is (n,)."""

    first: Floats
    second: Floats
    """Of their squares."""
    third: Floats
    """Of their cubes."""


class Shuffled(NamedTuple):
    """What a weighted sum is when the values are shuffled; each field is (n,)."""

    mean: Floats
    spread: Floats
    """Standard deviation; 0 where every order of the values gives the same sum."""
    skewness: Floats
    """Third central moment over the third power of the spread; 0 where there is no spread."""


def row_sums(weights: csr_array) -> RowSums:
    """Return the sums of the weights of each row, of their squares and of their cubes."""
    ones = np.ones(weights.shape[1])
    first: Floats = weights @ ones
    data = weights.data
    if np.all(data == 1):
        return RowSums(first, first, first)
    second, third = (_alike(weights, data**power) @ ones for power in (2, 3))
    return RowSums(first, second, third)


def _alike(weights: csr_array, data: Floats) -> csr_array:
    return csr_array((data, weights.indices, weights.indptr), shape=weights.shape)


def shuffled(sums: RowSums, n: int, mean: ArrayLike, squares: ArrayLike, cubes: ArrayLike) -> Shuffled:
    """Return mean, spread and skewness of sums of weights times values, over all orders of the values.

    n : how many values are shuffled, at least 3. mean : of the values. squares, cubes : sums over the values of
    the second and third powers of what they differ from their mean; each a number or (rows,).
    Source: moments of a linear permutation statistic, e.g. Hájek, Šidák & Sen (1999), Theory of Rank Tests, 3.3;
    for weights of 0 and 1 those of a sum drawn without replacement.
    """
    even = sums.first / n
    of_squares = sums.second - n * even * even
    of_squares = np.where(of_squares > _ROUNDING * sums.second, of_squares, 0.0)
    of_cubes = sums.third - even * (3 * sums.second - 2 * n * even * even)
    variance = of_squares * np.asarray(squares) / (n - 1)
    third = of_cubes * np.asarray(cubes) * n / ((n - 1) * (n - 2))
    spread = np.sqrt(variance)
    skewness = np.divide(third, variance * spread, out=np.zeros_like(spread), where=spread > 0)
    return Shuffled(sums.first * np.asarray(mean), spread, skewness)


def two_sided_p(z: ArrayLike) -> Floats:
    """Return how likely a score at least as far from zero is by chance, for normal scores z of any shape."""
    p: Floats = 2 * ndtr(-np.abs(np.asarray(z, dtype=np.float64)))
    return p


def skewed_p(z: ArrayLike, skewness: ArrayLike) -> Floats:
    """Return how likely a score at least as far out is by chance, where scores by chance are skewed.

    z : scores of mean 0 and standard deviation 1, of any shape. skewness : of their distribution, a number or
    like z; with 0 the answer is that of `two_sided_p`.
    Returns twice the probability of the tail beyond z, at most 1, and 1 where z is 0; nan where z is.
    Source: Pearson type III, which Mielke & Berry (2007), Permutation Methods, 2.3, fit to shuffled scores.
    """
    score, skew = np.broadcast_arrays(np.asarray(z, dtype=np.float64), np.asarray(skewness, dtype=np.float64))
    bent = np.abs(skew) > _NEARLY_SYMMETRIC
    p = np.array(two_sided_p(score))
    shape = 4 / skew[bent] ** 2
    # The gamma variable, its long tail on the right: below zero it cannot fall.
    at = np.maximum(shape + np.sign(skew[bent]) * score[bent] * np.sqrt(shape), 0)
    outward = np.sign(score[bent]) == np.sign(skew[bent])
    tail = np.empty_like(at)
    tail[outward] = gammaincc(shape[outward], at[outward])
    tail[~outward] = gammainc(shape[~outward], at[~outward])
    p[bent] = np.where(score[bent] == 0, 1.0, np.minimum(2 * tail, 1))
    return p
