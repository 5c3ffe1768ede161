"""How often something counts as having come back: chains of spans, each of which starts when the one before has ended.

A longest chain takes the span that ends first; then, of those that start from there on, again the one that ends
first (interval scheduling). `Chains` asks this of many places at once: their spans stand in arrays, place after place,
those of a place in order of their starts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Chains", "longest_chain"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Chains:
    """The longest chains of k places over m spans.

    first, past : (k,) where the spans of each place begin and end. after : (m,) the first span that may follow each;
    then : (m,) the first that may follow the span which ends first of those from each on. Both are `past` of the place
    or more where none may.
    """

    first: Ints
    past: Ints
    after: Ints
    then: Ints

    @classmethod
    def over(cls, place: NDArray[np.integer[Any]], moment: NDArray[np.integer[Any]], follow: Ints) -> Chains:
        """Return the chains of spans.

        place : (m,) ascending, m at least 1; moment : (m,) numbers of the moments at which they start, ascending within
        a place.
        follow : (n,) for the number of each moment the number, or n, from which on the next span of a chain may start.
        """
        starts = np.diff(place, prepend=-1) != 0
        first = np.flatnonzero(starts)
        base = (np.cumsum(starts) - 1) * (follow.size + 1)
        after = np.searchsorted(base + moment, base + follow[moment])
        # the least of a place and all behind it: what is behind stands later, and so says nothing of this place
        then = np.minimum.accumulate(after[::-1])[::-1]
        return cls(first, np.append(first[1:], place.size), after, then)

    def within(self, start: Ints, spans: int, window: int) -> Bools:
        """Tell in which places (k,) so many spans of a chain start within a window.

        start : (m,) moments; window : in their unit, included.
        """
        past = np.repeat(self.past, self.past - self.first)
        position, fits = self.after, np.ones(start.size, dtype=np.bool_)
        for step in range(spans - 1):
            if step:
                position = self.then[np.minimum(position, start.size - 1)]
            fits &= position < past
            fits &= start[np.minimum(position, start.size - 1)] - start <= window
        return np.logical_or.reduceat(fits, self.first)

    def lengths(self, which: Bools) -> Ints:
        """Return how many spans the chain of each place has, (k,); 0 for places that `which` (k,) does not name."""
        lengths = np.zeros(self.first.size, dtype=np.int64)
        for going, _ in self._steps(np.flatnonzero(which)):
            lengths[going] += 1
        return lengths

    def ends(self, start: Ints, end: Ints) -> tuple[Ints, Ints]:
        """Return when the first and the last span of each chain start, (k,) both; start, end : (m,) of all spans."""
        place = np.repeat(np.arange(self.first.size), self.past - self.first)
        order = np.lexsort((start, end, place))
        standing = np.empty(order.size, dtype=np.int64)
        standing[order] = np.arange(order.size)
        soonest = order[
            np.minimum.accumulate(standing[::-1])[::-1]
        ]  # the one that ends first of those from each on
        last = self.first.copy()
        for going, position in self._steps(np.arange(self.first.size)):
            last[going] = position
        return start[soonest[self.first]], start[soonest[last]]

    def _steps(self, going: Ints) -> Iterator[tuple[Ints, Ints]]:
        """Yield the places whose chains have one more span, and the positions from which on it is the first to end."""
        position = self.first[going]
        while going.size:
            yield going, position
            position = self.then[position]
            on = position < self.past[going]
            going, position = going[on], position[on]


def longest_chain(spans: list[tuple[int, int]]) -> list[int]:
    """Return the starts of a longest chain of spans (start, end), given in order of their starts."""
    soonest = list(spans)  # of those from each on the one that ends first
    for position in range(len(spans) - 2, -1, -1):
        soonest[position] = min(spans[position], soonest[position + 1], key=lambda span: (span[1], span[0]))
    starts = [start for start, _ in spans]
    chain: list[int] = []
    position = 0
    while position < len(spans):
        start, end = soonest[position]
        chain.append(start)
        position = bisect_left(starts, end, lo=position)
    return chain
