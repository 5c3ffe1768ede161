"""How long it takes and how often it goes wrong: medians, ninetieth percentiles and shares by cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, get_args

import geopandas as gpd
import numpy as np

from gis.errors import InvalidInput
from maps.base import GridMap, base_map
from maps.breaks import RATE_BREAKS, WORKING_DAY, time_breaks
from maps.choropleth import Fill, cell_layers, drill_to, fill_legend, links_to, number, percent, scope
from maps.palette import FEW_ANSWERS, SLATE, Method, classify
from maps.shapes import bounds_of, checked
from maps.words import Words

__all__ = [
    "Rate",
    "Statistic",
    "Step",
    "rate_map",
    "rate_names",
    "rate_rules",
    "reached",
    "response_map",
    "step_names",
    "step_rules",
    "time_writer",
]

Step = Literal["accept", "respond", "arrive", "handle", "close"]
Statistic = Literal["median", "p90", "overdue"]
Rate = Literal["overdue", "on_time", "rework", "returned", "reopened"]

_POLYGONS = ("Polygon", "MultiPolygon")


@dataclass(frozen=True)
class _Kind:
    """What of a step is coloured: its column, its unit and its title."""

    column: str
    unit: str
    title: str


def response_map(
    cells: gpd.GeoDataFrame,
    step: Step,
    *,
    level: str,
    period: tuple[date, date],
    category: str | None = None,
    statistic: Statistic = "median",
    working: bool = False,
    breaks: Sequence[float] | None = None,
    method: Method = "quantile",
    drill_url: str | None = None,
    list_url: str | None = None,
    words: Words,
    as_of: datetime | None = None,
    attribution: str = "",
    tile_url: str | None = None,
) -> GridMap:
    """Draw how long one step took in each cell.

    cells : EPSG:4490 or 4326 polygons, one row a cell of the level, with the columns
        code           text, the grid's code
        name           text, its Chinese name
        n              int, how many times the figure stands on, open cases among them
        value          float, median minutes; NaN (hatched) where n is 0 or the median is not reached yet
        p90            float, the ninetieth percentile in minutes, NaN likewise
        overdue_share  float from 0 to 1, share of the n that came after their limit, NaN where n is 0
        open           int, how many of the n still run (may be absent)
    step : accept (reported to accepted), respond (issued to answered), arrive (appointed, else issued, to
        checked in), handle (accepted to the completion that was accepted) or close (reported to closed).
    statistic : what is coloured: the median, the ninetieth percentile or the share overdue.
    working : minutes are those of working hours; natural time otherwise.
    method, breaks : as for `maps.hotspot_map`; breaks in minutes, or shares.
    level, period, category, drill_url, list_url : as for `maps.hotspot_map`.
    A figure on fewer than 10 times is dotted. Raises `InvalidInput` as `maps.hotspot_map` does.
    """
    names = step_names(words)
    if step not in names:
        raise InvalidInput(
            "unknown_step",
            f"step {step!r} is not known; use accept, respond, arrive, handle or close",
            field="step",
            got=step,
            wanted=sorted(names),
        )
    kind = _kind(statistic, names[step], words)
    cells = checked(cells, ["code", "name", "n", "value", "p90", "overdue_share"], "cells", _POLYGONS)
    write, brief = time_writer(words, working=working)
    few = (cells["n"] > 0) & (cells["n"] < FEW_ANSWERS)
    columns = {
        words("Median"): [
            reached(write, value, n, words) for value, n in zip(cells["value"], cells["n"], strict=True)
        ],
        words("P90"): [
            reached(write, value, n, words) for value, n in zip(cells["p90"], cells["n"], strict=True)
        ],
        words("Overdue"): [percent(share) for share in cells["overdue_share"]],
        "n": [number(float(n)) for n in cells["n"]],
    }
    if "open" in cells.columns:
        columns[words("Still running")] = [number(float(count)) for count in cells["open"]]
    columns[words("Note")] = [words("small sample") if small else "" for small in few]
    shown = cells.assign(value=cells[kind.column].astype(float))
    if statistic == "overdue":
        edges = breaks or (RATE_BREAKS["overdue"] if method == "fixed" else None)
        classes = classify(shown["value"], whole=False, breaks=edges, zero=method == "fixed" and not breaks)
        fill = Fill(classes, SLATE, percent, percent, FEW_ANSWERS, from_zero=True)
    else:
        fixed = time_breaks(step, statistic, working=working)
        edges = breaks or (fixed if method == "fixed" else None)
        classes = classify(shown["value"], whole=False, breaks=edges, near=_clock)
        fill = Fill(classes, SLATE, write, brief, FEW_ANSWERS, from_zero=False)
    links = links_to([(drill_url, words("Open the level below")), (list_url, words("See these cases"))])
    layers = cell_layers(shown, fill, columns, links, drill=drill_to(drill_url))
    m = base_map(
        bounds_of(cells),
        title=kind.title,
        subtitle=scope(period, category, level, words),
        words=words,
        as_of=as_of,
        attribution=attribution,
        tile_url=tile_url,
    )
    m.drawing.layers += layers
    n = number(float(np.nansum(cells["n"].to_numpy(dtype=float))))
    unit = words("{unit}; n = {n}", unit=kind.unit, n=n)
    m.drawing.legend.append(fill_legend(layers, fill, unit, "", words))
    m.drawing.notes.append(step_rules(words)[step])
    m.drawing.notes.append(_clock_said(words, working=working))
    return m


def rate_map(
    cells: gpd.GeoDataFrame,
    rate: Rate,
    *,
    level: str,
    period: tuple[date, date],
    category: str | None = None,
    method: Method = "quantile",
    drill_url: str | None = None,
    list_url: str | None = None,
    words: Words,
    as_of: datetime | None = None,
    attribution: str = "",
    tile_url: str | None = None,
) -> GridMap:
    """Draw which share of the cases of each cell went one way.

    cells : as for `response_map`, with the columns code, name, and
        value        float from 0 to 1, NaN (hatched) where the denominator is 0
        n            int, the cases that the share counts     denominator  int, those that it is a share of
        open_late    int, of the denominator, the open cases that are late already (may be absent)
    A share of fewer than 10 cases is dotted. Raises `InvalidInput` ("unknown_indicator") for another rate, and as
    `maps.hotspot_map` does.
    """
    titles = rate_names(words)
    if rate not in titles:
        message = f"rate {rate!r} is not known; use one of {', '.join(get_args(Rate))}"
        raise InvalidInput("unknown_indicator", message, field="rate", got=rate, wanted=list(titles))
    cells = checked(cells, ["code", "name", "n", "denominator", "value"], "cells", _POLYGONS)
    of = cells["denominator"].astype(float)
    small = ((of > 0) & (of < FEW_ANSWERS)).to_numpy()
    columns = {
        titles[rate]: [percent(share) for share in cells["value"]],
        words("Cases counted"): [number(float(n)) for n in cells["n"]],
        words("Out of"): [number(value) for value in of],
    }
    if "open_late" in cells.columns:
        columns[words("Open and late")] = [number(float(count)) for count in cells["open_late"]]
    columns[words("Note")] = [words("small sample") if few else "" for few in small]
    fixed = method == "fixed"
    classes = classify(
        cells["value"], whole=False, breaks=RATE_BREAKS[rate] if fixed else None, near=_per_cent, zero=fixed
    )
    fill = Fill(classes, SLATE, percent, percent, FEW_ANSWERS, from_zero=True)
    links = links_to([(drill_url, words("Open the level below")), (list_url, words("See these cases"))])
    layers = cell_layers(cells, fill, columns, links, drill=drill_to(drill_url), small=small)
    m = base_map(
        bounds_of(cells),
        title=titles[rate],
        subtitle=scope(period, category, level, words),
        words=words,
        as_of=as_of,
        attribution=attribution,
        tile_url=tile_url,
    )
    m.drawing.layers += layers
    total = number(float(np.nansum(of.to_numpy())))
    unit = words("{unit}; n = {n}", unit=words("Unit: share of cases"), n=total)
    m.drawing.legend.append(fill_legend(layers, fill, unit, "", words))
    m.drawing.notes.append(rate_rules(words)[rate])
    return m


def step_rules(words: Words) -> Mapping[str, str]:
    """Return from where to where the time of each step is taken."""
    return {
        "accept": words("From the report to the acceptance."),
        "respond": words("From the call to the answer."),
        "arrive": words("From the appointed time, or else the call, to the check-in."),
        "handle": words("From acceptance to the completion that was accepted."),
        "close": words("From the report to the closing."),
    }


def rate_rules(words: Words) -> Mapping[str, str]:
    """Return what each rate counts, and out of what."""
    return {
        "overdue": words("Cases handled late or late by now, out of those handled or late."),
        "on_time": words("Cases handled within their limit, out of those handled or late."),
        "rework": words("Cases whose result was sent back, out of those with a result or late without one."),
        "returned": words("Parts that departments sent back, out of those done, sent back or late."),
        "reopened": words("Closed cases taken up again, out of those closed or late and open."),
    }


def time_writer(words: Words, *, working: bool) -> tuple[Callable[[float], str], Callable[[float], str]]:
    """Return what writes minutes in full and briefly; of working time a day has 7.5 hours, and says so."""
    if not working:
        return words.duration, words.brief_duration

    def brief(minutes: float) -> str:
        if not np.isfinite(minutes) or minutes < WORKING_DAY:
            return words.brief_duration(minutes)
        return words("{days} working d", days=f"{minutes / WORKING_DAY:.1f}".removesuffix(".0"))

    def full(minutes: float) -> str:
        if not np.isfinite(minutes) or minutes < WORKING_DAY:
            return words.duration(minutes)
        days, rest = divmod(round(minutes), WORKING_DAY)
        if rest < 30:
            return words("{days} working d", days=days)
        return words("{days} working d {hours} h", days=days, hours=round(rest / 60))

    return full, brief


def reached(write: Callable[[float], str], minutes: float, n: int, words: Words) -> str:
    """Write a time; where so many still run that it cannot be told yet, say that instead of a dash."""
    return words("not reached yet") if np.isnan(minutes) and n > 0 else write(minutes)


def step_names(words: Words) -> Mapping[str, tuple[str, str, str]]:
    """Return the titles of each step: of its median, its ninetieth percentile and its overdue share."""
    return {
        "accept": (
            words("Time to accept, median"),
            words("Time to accept, P90"),
            words("Accepted late, share"),
        ),
        "respond": (
            words("Time to respond, median"),
            words("Time to respond, P90"),
            words("Responded late, share"),
        ),
        "arrive": (
            words("Time to arrive, median"),
            words("Time to arrive, P90"),
            words("Arrived late, share"),
        ),
        "handle": (
            words("Time to handle, median"),
            words("Time to handle, P90"),
            words("Handled late, share"),
        ),
        "close": (
            words("Time to close, median"),
            words("Time to close, P90"),
            words("Handled late, share"),
        ),
    }


def _kind(statistic: str, titles: tuple[str, str, str], words: Words) -> _Kind:
    known = {
        "median": _Kind("value", words("Unit: time, median"), titles[0]),
        "p90": _Kind("p90", words("Unit: time, nine of ten are faster"), titles[1]),
        "overdue": _Kind("overdue_share", words("Unit: share of cases"), titles[2]),
    }
    if statistic not in known:
        message = f"statistic {statistic!r} is not known; use one of {', '.join(known)}"
        raise InvalidInput("unknown_indicator", message, field="statistic", got=statistic, wanted=list(known))
    return known[statistic]


def rate_names(words: Words) -> Mapping[str, str]:
    """Return what each rate is called."""
    return {
        "overdue": words("Overdue rate"),
        "on_time": words("On-time rate"),
        "rework": words("Rework rate"),
        "returned": words("Return rate"),
        "reopened": words("Reopening rate"),
    }


def _clock_said(words: Words, *, working: bool) -> str:
    if working:
        return words(
            "Working time only, a day of 7.5 hours; cases that still run count as at least so long (Kaplan-Meier)."
        )
    return words("Natural time; cases that still run count as at least so long (Kaplan-Meier).")


def _per_cent(share: float) -> float:
    return round(share, 2)


def _clock(minutes: float) -> float:
    """Round to what people say: 5 minutes, half hours, hours, half days."""
    units = ((60, 5), (6 * 60, 30), (48 * 60, 60), (np.inf, 720))
    unit = next(unit for under, unit in units if minutes < under)
    return float(max(round(minutes / unit), 1) * unit)
