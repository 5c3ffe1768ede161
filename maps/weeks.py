"""The slider of a hot-spot map: one matrix of areas by weeks, which the page restyles by itself.

The map's own page adds up the weeks that its slider stands on, colours the cells by the classes given here, and
tells the page around it, whose table then shows the same numbers. So the classes of every length of a window are
made here, where they are tested: fixed ones by the length, quantiles over all windows of that length, so that
colours compare while the slider moves.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gis.errors import InvalidInput
from maps.base import GridMap
from maps.breaks import count_breaks
from maps.choropleth import number
from maps.palette import FEW_CASES, PLUM, Classes, Method, classify, steps_of
from maps.words import Words

__all__ = ["SPANS", "Weeks", "add_weeks", "packed"]

SPANS = (1, 2, 4, 13)
"""Weeks of a window that slides; from the start is the other way to look."""


@dataclass(frozen=True)
class Weeks:
    """Counts of areas by week, and where the slider stands at first.

    codes : (cells,) text. mondays : (weeks,), each seven days after the one before. counts : (cells, weeks) cases.
    span : weeks of the window that slides, None for from the start. last : Monday of its last week, None for the
    end.
    """

    codes: Sequence[str]
    mondays: Sequence[date]
    counts: NDArray[np.int64]
    span: int | None = None
    last: date | None = None


def add_weeks(
    m: GridMap,
    weekly: Weeks,
    codes: Sequence[str],
    *,
    indicator: str,
    per: NDArray[np.float64] | None,
    level: str,
    period: tuple[date, date],
    classes: Classes,
    usual: float | None = None,
    words: Words,
) -> None:
    """Give a hot-spot map a slider over its weeks.

    weekly : of the cells of the map, in any order. codes : of the map's cells.
    per : (cells,) in the order of `codes`, what a rate divides by in its own unit (thousands of households, km2), NaN
    where unknown; None for counts.
    period : first and last day of the map, for the ends of the first and the last week. classes : those of the map.
    usual : as for `maps.hotspot_map`.
    Raises `InvalidInput` ("map_weeks") for shapes that differ, weeks that do not follow each other, or cells that
    are not those of the map.
    """
    weeks, counts = weekly.mondays, np.asarray(weekly.counts)
    place = {code: at for at, code in enumerate(weekly.codes)}
    follow = all(b - a == timedelta(7) for a, b in itertools.pairwise(weeks))
    if counts.shape != (len(place), len(weeks)) or not follow or not len(weeks):
        message = f"counts must be (cells, weeks) of weeks in a row, not {counts.shape}"
        raise InvalidInput("map_weeks", message, field="counts", got=list(counts.shape))
    if set(codes) != set(place):
        raise InvalidInput("map_weeks", "the weeks are of other cells than the map", field="codes")
    counts = counts[[place[code] for code in codes]]
    spans = [weeks_long for weeks_long in SPANS if weeks_long < len(weeks)]
    span = weekly.span if weekly.span in spans else None
    at = len(weeks) - 1
    if weekly.last is not None:
        at = min(max((weekly.last - weeks[0]).days // 7, 0), at)
    m.default_js = [*m.default_js, ("gridwhistle_weeks", "weeks.js")]
    m.drawing.weeks = {
        "first": weeks[0].isoformat(),
        "count": len(weeks),
        "rows": [packed(row) for row in counts.tolist()],
        "per": None if per is None else [_short(value) for value in per.tolist()],
        "since": period[0].isoformat(),
        "until": period[1].isoformat(),
        "edges": list(classes.edges),
        "zero": classes.zero_alone,
        "few": FEW_CASES if per is not None else 0,
        "decimals": 0 if per is None else 1,
        "at": at,
        "span": span,
        "spans": [
            _span(counts, weeks_long, per, indicator, level, classes.method, usual, words)
            for weeks_long in spans
        ],
        "words": _said(words),
    }


def packed(row: Sequence[int]) -> str:
    """Write counts as one letter each, 0 to 9 and a to z for up to 35, more in brackets; zeros at the end left out.

    A year of 727 cells is 38 kB so, a third of what JSON's lists take.
    """
    letters = "0123456789abcdefghijklmnopqrstuvwxyz"
    return "".join(letters[count] if count < len(letters) else f"({count})" for count in row).rstrip("0")


def _span(
    counts: NDArray[np.int64],
    weeks: int,
    divisor: NDArray[np.float64] | None,
    indicator: str,
    level: str,
    method: Method,
    usual: float | None,
    words: Words,
) -> dict[str, Any]:
    """Return the classes of all windows of so many weeks."""
    if method == "fixed":
        breaks = count_breaks(indicator, level, 7 * weeks, usual=usual)
        classes = classify([], whole=divisor is None, breaks=breaks, zero=True)
    else:
        sums = np.cumsum(np.pad(counts, ((0, 0), (1, 0))), axis=1)
        windows = (sums[:, weeks:] - sums[:, :-weeks]).astype(np.float64)
        if divisor is not None:
            windows = windows / divisor[:, None]
        classes = classify(np.append(windows.ravel(), 0.0), whole=divisor is None)
    said = {"fixed": words("Fixed classes"), "quantile": words("Quantile classes")}[classes.method]
    return {
        "weeks": weeks,
        "text": words("{count} weeks", count=weeks) if weeks > 1 else words("1 week"),
        "edges": list(classes.edges),
        "zero": classes.zero_alone,
        "fills": list(steps_of(PLUM, len(classes))),
        "labels": classes.labels(number),
        "note": words("{classes}, the same for every {count} weeks", classes=said, count=weeks),
    }


def _said(words: Words) -> dict[str, str]:
    return {
        "title": words("Weeks"),
        "slider": words("Last week shown"),
        "start": words("From the start"),
        "window": words("Window"),
        "play": words("Play"),
        "pause": words("Pause"),
        "back": words("One week back"),
        "on": words("One week on"),
        "speed": words("Speed"),
        "cases": words("{from} to {to}: {count} cases"),
        "whole": words("Hot spots and signs are those of the whole period, and are shown for it only."),
        "keys": words("Arrow keys: one week; space: play"),
    }


def _short(value: float) -> float | None:
    return None if not np.isfinite(value) or value <= 0 else round(value, 6)
