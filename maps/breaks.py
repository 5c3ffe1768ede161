"""Fixed classes: the numbers at which a colour changes, the same for every area and every month.

A colour that is to be compared between two months must stand for the same numbers in both, so the breaks are set
here, by indicator. How many cases a place has is skewed (most places few, few places many), so their breaks double.
They are given for 30 days and grow with the period, which keeps an ordinary place in one colour whether a week or a
year is shown. Between two cities, and between all matters and one category, what is ordinary differs a hundredfold:
breaks are multiplied by 1, 2 or 5 times a power of ten after what has been usual in the year, which neither the
period nor the part of the city on the map changes. Times break where a limit lies, so that a colour says whether it
was kept; shares where a reader would act. Who wants the map's own spread takes quantiles.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

from maps.words import Words

__all__ = ["RATE_BREAKS", "TIME_BREAKS", "WORKING_DAY", "count_breaks", "said_of_usual", "time_breaks"]

# Cases per 1,000 households in 30 days. A district whose year has been published (727 cells, about 400 households
# each) has 1 to 2 as its ordinary; twice and four times that are what its worst tenth and hundredth have.
_PER_1000 = (1.0, 2.0, 4.0)
_ORDINARY = 1.5  # of which what is usual is put in the middle of the second step
_RUNGS = (1.0, 2.0, 5.0, 10.0)
# Cases per square kilometre in 30 days: villages lie below 1, built-up land about 4, old town centres above 16.
_PER_KM2 = (1.0, 4.0, 16.0)
# Thousands of households of an ordinary area: a cell has 300 to 500 by rule, the others as many as they hold cells.
_THOUSANDS = {"building_group": 0.4, "community": 2.0, "town": 20.0, "district": 200.0}
_READABLE = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)

WORKING_DAY = 450
"""Minutes of a working day, by which working time is told in days: seven and a half hours, those a district starts
with."""

_DAY = 24 * 60
TIME_BREAKS: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "p90": {
        "accept": (30, 120, 480, _DAY),  # a day is the limit of the hotline
        "respond": (30, 60, 120, 480),  # half an hour is the limit of a department's answer
        "arrive": (15, 30, 60, 120),  # a quarter of an hour's grace after the appointed time
        "handle": (
            _DAY,
            3 * _DAY,
            5 * _DAY,
            15 * _DAY,
        ),  # urgent, ordinary, difficult matters; the longest limit
        "close": (_DAY, 3 * _DAY, 7 * _DAY, 20 * _DAY),  # as handling, with verification and callback
    },
    "median": {
        "accept": (5, 10, 30, 120),
        "respond": (10, 20, 30, 60),
        "arrive": (5, 15, 30, 60),
        "handle": (240, 480, _DAY, 3 * _DAY),
        "close": (480, _DAY, 3 * _DAY, 7 * _DAY),
    },
}
"""Minutes, by statistic and step. A limit is what nearly all keep, so half are done long before it: the ninetieth
percentile breaks at the limits and above, the median at them and below."""

RATE_BREAKS: Mapping[str, tuple[float, ...]] = {
    "overdue": (0.05, 0.10, 0.20),
    "rework": (0.05, 0.10, 0.20),
    "returned": (0.05, 0.10, 0.20),
    "reopened": (0.05, 0.10, 0.20),
    "on_time": (0.80, 0.90, 0.95),
}
"""Shares, by rate; none at all is a step of its own."""


def time_breaks(step: str, statistic: str, *, working: bool = False) -> tuple[float, ...]:
    """Return rising breaks in minutes of a step's "median" or "p90", in working time if asked.

    Days become working days of `WORKING_DAY`; nothing shorter than a day becomes longer than one.
    """
    edges = TIME_BREAKS[statistic][step]
    if not working:
        return edges
    turned = [edge / _DAY * WORKING_DAY if edge >= _DAY else min(edge, WORKING_DAY) for edge in edges]
    return _rising([float(edge) for edge in turned])


def count_breaks(indicator: str, level: str, days: float, *, usual: float | None = None) -> tuple[float, ...]:
    """Return three rising breaks of "count", "per_1000_households" or "per_km2" over a period of `days`.

    level : one of the four; an area holds as many cases as it has households.
    usual : cases per 1,000 households in 30 days that are usual in the city or district; None for one as quiet as
    the breaks were set for.
    Raises KeyError for an indicator's or level's name that is none; the maps have asked before.
    """
    months = days / 30 * _times(usual)
    if indicator == "per_km2":
        return _rising([_readable(edge * months) for edge in _PER_KM2])
    if indicator == "per_1000_households":
        return _rising([_readable(edge * months) for edge in _PER_1000])
    homes = _THOUSANDS[level]
    # whole numbers, and a single case is never in the same step as none
    whole = [max(round(_readable(edge * homes * months)), 2 + place) for place, edge in enumerate(_PER_1000)]
    return _rising([float(edge) for edge in whole])


def said_of_usual(usual: float | None, words: Words) -> list[str]:
    """Return the note of a legend that says round what its classes are set; none where nobody knows."""
    if usual is None or not 0 < usual < math.inf:
        return []
    rate = f"{usual:.2g}" if usual < 10 else f"{usual:,.0f}"
    return [
        words(
            "Classes are set round what has been usual here in the year: {rate} cases per 1,000 households in 30 days.",
            rate=rate,
        )
    ]


def _times(usual: float | None) -> float:
    """Return by how much breaks are multiplied, by what is usual: 1, 2 or 5 times a power of ten, near in ratio."""
    if usual is None or not 0 < usual < math.inf:
        return 1.0
    wanted = usual / _ORDINARY
    power = 10.0 ** math.floor(math.log10(wanted))
    return min(_RUNGS, key=lambda rung: abs(math.log(rung * power / wanted))) * power


def _readable(value: float) -> float:
    """Round to 1, 1.5, 2, 3, 4, 5, 6 or 8 times a power of ten."""
    power = 10.0 ** int(f"{value:e}".partition("e")[2])
    return round(min(_READABLE, key=lambda step: abs(step * power - value)) * power, 10)


def _rising(edges: list[float]) -> tuple[float, ...]:
    """Return edges of which each is above the one before; two that rounding made alike are one."""
    kept = edges[:1]
    for one, other in itertools.pairwise(edges):
        if other > one:
            kept.append(other)
    return tuple(kept)
