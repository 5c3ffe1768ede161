"""Rates of small grids: what may be believed of 2 incidents among 9 households.

A rate of few households jumps by chance, so that the smallest grids are always the best and the worst. An
empirical-Bayes estimate moves each rate towards that of the whole, the more the fewer households stand behind
it; a standardised rate says how many standard deviations it is off, so that rates of unequal grids compare.
Show the smoothed rate; test the standardised one for hot spots.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gis.errors import InvalidInput

__all__ = ["empirical_bayes", "standardised_rates"]

Floats = NDArray[np.float64]


class _Rates(NamedTuple):
    known: NDArray[np.bool_]
    rate: Floats
    people: Floats
    overall: float
    between: float
    """Variance of the true rates between grids; may be below zero where chance alone varies as much."""


def empirical_bayes(events: ArrayLike, population: ArrayLike) -> Floats:
    """Return the rate of each grid, moved towards the rate of all by as much as chance may have moved it.

    events : (n,) counts, 0 or more. population : (n,) households or people behind them, 0 or more.
    Returns (n,) events per head; nan where the population is 0 or nan, which takes no part. Where the rates differ
    by no more than chance, all are the rate of the whole.
    Raises `InvalidInput` (lengths_differ, count_not_finite) when shapes differ or a number is negative or
    infinite, or an event count no number.
    Source: Marshall (1991), Journal of the Royal Statistical Society C 40(2), 283-294, the global estimator.
    """
    rates = _rates(events, population)
    smoothed = np.full(rates.known.size, np.nan)
    if rates.overall > 0:
        between = max(rates.between, 0.0)
        trust = between / (between + rates.overall / rates.people)
        smoothed[rates.known] = rates.overall + trust * (rates.rate - rates.overall)
    else:
        smoothed[rates.known] = 0.0
    return smoothed


def standardised_rates(events: ArrayLike, population: ArrayLike) -> Floats:
    """Return how many standard deviations the rate of each grid is off that of the whole.

    Takes and raises the same as `empirical_bayes`. Returns (n,), nan where the population is 0 or nan, 0 in all
    others where nothing happened at all.
    These have about the same spread whatever the population, which `gis.hotspots` supposes of its values.
    Source: Assunção & Reis (1999), Statistics in Medicine 18(16), 2147-2162.
    """
    rates = _rates(events, population)
    scores = np.full(rates.known.size, np.nan)
    if rates.overall > 0:
        chance = rates.overall / rates.people
        variance = rates.between + chance
        spread = np.sqrt(np.where(variance > 0, variance, chance))
        scores[rates.known] = (rates.rate - rates.overall) / spread
    else:
        scores[rates.known] = 0.0
    return scores


def _rates(events: ArrayLike, population: ArrayLike) -> _Rates:
    counts, heads = np.asarray(events, dtype=np.float64), np.asarray(population, dtype=np.float64)
    if counts.ndim != 1 or counts.shape != heads.shape:
        raise InvalidInput(
            "lengths_differ",
            f"population must be as long as events, {counts.shape}, but is {heads.shape}",
            field="population",
            got=list(heads.shape),
            wanted=list(counts.shape),
        )
    for field, bad in (
        ("events", ~np.isfinite(counts) | (counts < 0)),
        ("population", np.isinf(heads) | (heads < 0)),
    ):
        if bad.any():
            raise InvalidInput(
                "count_not_finite",
                f"{field} must be numbers of 0 or more, but {int(bad.sum())} of {bad.size} are not",
                field=field,
                count=int(bad.sum()),
            )
    known = heads > 0
    people = heads[known]
    if not people.size:
        return _Rates(known, people, people, 0.0, 0.0)
    rate = counts[known] / people
    overall = float(counts[known].sum() / people.sum())
    spread = float((people * (rate - overall) ** 2).sum() / people.sum())
    return _Rates(known, rate, people, overall, spread - overall / float(people.mean()))
