"""How long it takes: a choropleth of median times, with the ninetieth percentile and the overdue share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal

import geopandas as gpd
import numpy as np

from gis.errors import InvalidInput
from maps.base import GridMap, base_map
from maps.choropleth import Fill, cell_layers, fill_legend, links_to, number, scope
from maps.palette import FEW_ANSWERS, SLATE, classify
from maps.shapes import bounds_of, checked
from maps.words import Words

__all__ = ["Step", "response_map"]

Step = Literal["accept", "respond", "arrive", "handle"]


def response_map(
    cells: gpd.GeoDataFrame,
    step: Step,
    *,
    level: str,
    period: tuple[date, date],
    category: str | None = None,
    breaks: Sequence[float] | None = None,
    drill_url: str | None = None,
    list_url: str | None = None,
    words: Words,
    as_of: datetime | None = None,
    attribution: str = "",
    tile_url: str | None = None,
) -> GridMap:
    """Draw the median time of one step in each cell.

    cells : EPSG:4490 or 4326 polygons, one row a cell of the level, with the columns
        code           text, the grid's code
        name           text, its Chinese name
        n              int, how many times the median stands on
        value          float, median minutes; NaN (hatched) where n is 0
        p90            float, the ninetieth percentile in minutes, NaN likewise
        overdue_share  float from 0 to 1, share of the n that came after their limit, NaN likewise
    step : accept (reported to accepted), respond (issued to answered), arrive (appointed, else issued, to
        checked in) or handle (accepted to the completion that was accepted).
    breaks : inner edges in minutes; quantiles without.
    level, period, category, drill_url, list_url : as for `maps.hotspot_map`.
    A median on fewer than 5 times is dotted. Raises `InvalidInput` as `maps.hotspot_map` does.
    """
    titles = {
        "accept": words("Time to accept, median"),
        "respond": words("Time to respond, median"),
        "arrive": words("Time to arrive, median"),
        "handle": words("Time to handle, median"),
    }
    rules = {
        "accept": words("From the report to the acceptance."),
        "respond": words("From the call to the answer."),
        "arrive": words("From the appointed time, or else the call, to the check-in."),
        "handle": words("From acceptance to the completion that was accepted."),
    }
    if step not in titles:
        raise InvalidInput(
            "unknown_step",
            f"step {step!r} is not known; use accept, respond, arrive or handle",
            field="step",
            got=step,
            wanted=sorted(titles),
        )
    wanted = ["code", "name", "n", "value", "p90", "overdue_share"]
    cells = checked(cells, wanted, "cells", ("Polygon", "MultiPolygon"))
    classes = classify(cells["value"], whole=False, breaks=breaks, near=_clock)
    fill = Fill(classes, SLATE, words.duration, words.brief_duration, FEW_ANSWERS, from_zero=False)
    few = (cells["n"] > 0) & (cells["n"] < FEW_ANSWERS)
    columns = {
        words("Median"): [words.duration(value) for value in cells["value"]],
        words("P90"): [words.duration(value) for value in cells["p90"]],
        words("Overdue"): [_percent(share) for share in cells["overdue_share"]],
        "n": [number(float(n)) for n in cells["n"]],
        words("Note"): [words("small sample") if small else "" for small in few],
    }
    links = links_to([(drill_url, words("Open the level below")), (list_url, words("See these cases"))])
    layers = cell_layers(cells, fill, columns, links)
    m = base_map(
        bounds_of(cells),
        title=titles[step],
        subtitle=scope(period, category, level, words),
        words=words,
        as_of=as_of,
        attribution=attribution,
        tile_url=tile_url,
    )
    m.drawing.layers += layers
    n = number(float(np.nansum(cells["n"].to_numpy(dtype=float))))
    unit = words("Unit: time, median; n = {n}", n=n)
    m.drawing.legend.append(fill_legend(layers, fill, unit, "", words))
    m.drawing.notes.append(rules[step])
    return m


def _percent(share: float) -> str:
    return "-" if np.isnan(share) else f"{share:.0%}"


def _clock(minutes: float) -> float:
    """Round to what people say: 5 minutes, half hours, hours, half days."""
    units = ((60, 5), (6 * 60, 30), (48 * 60, 60), (np.inf, 720))
    unit = next(unit for under, unit in units if minutes < under)
    return float(max(round(minutes / unit), 1) * unit)
