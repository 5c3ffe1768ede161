"""Chance, drawn in blocks: thousands of small decisions from one generator, fast and repeatable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar

import numpy as np

__all__ = ["Luck"]

T = TypeVar("T")

_BLOCK = 8192


class Luck:
    """Draws from a generator; NumPy is slow for one number at a time."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._uniform: list[float] = []
        self._normal: list[float] = []

    def share(self) -> float:
        """Return a number from 0 to 1, evenly."""
        if not self._uniform:
            self._uniform = self._random.random(_BLOCK).tolist()
        return self._uniform.pop()

    def chance(self, probability: float) -> bool:
        """Return True as often as said."""
        return self.share() < probability

    def between(self, low: float, high: float) -> float:
        """Return a number from low to high, evenly."""
        return low + (high - low) * self.share()

    def number(self, count: int) -> int:
        """Return one of 0 to count - 1."""
        return min(int(self.share() * count), count - 1)

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[self.number(len(options))]

    def normal(self) -> float:
        """Return a standard normal number."""
        if not self._normal:
            self._normal = self._random.standard_normal(_BLOCK).tolist()
        return self._normal.pop()

    def lognormal(self, median: float, spread: float) -> float:
        """Return a number as times to react are: most near the median, some much longer."""
        return median * math.exp(spread * self.normal())

    def minutes(self, median: float, spread: float = 0.7) -> timedelta:
        """Return a time to react, in whole seconds."""
        return timedelta(seconds=max(5, round(60 * self.lognormal(median, spread))))
