"""Where incidents gather: a choropleth of counts or of cases per 1,000 households at one level."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from gis.errors import InvalidInput
from maps.base import GridMap, base_map
from maps.choropleth import Fill, cell_layers, fill_legend, links_to, number, scope
from maps.palette import FEW_CASES, PLUM, classify
from maps.shapes import bounds_of, checked
from maps.words import Words

__all__ = ["Indicator", "hotspot_map"]

Indicator = Literal["count", "per_1000_households"]


def hotspot_map(
    cells: gpd.GeoDataFrame,
    indicator: Indicator,
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
    """Draw how many incidents each cell had, and which cells are hot beyond chance.

    cells : EPSG:4490 or 4326 polygons, one row a cell of the level, with the columns
        code        text, the grid's code
        name        text, its Chinese name
        n           int, incidents in the period, merged duplicates counted once
        value       float, what is coloured: n for "count", n / denominator * 1000 for "per_1000_households";
                    NaN is no data and is hatched, 0 is the lowest step
        denominator float, households; NaN where unknown (may be absent for "count")
        hot         bool, significant by Gi* after the false-discovery cut-off (may be absent)
    level : district, town, community or building_group, the level of the rows.
    period : first and last day, both included. category : the category's shown name, None for all.
    breaks : inner edges of the steps, to keep colours comparable over time; quantiles without.
    drill_url, list_url : paths on our host with {code}: the level below, and the incidents behind the number.
    A rate on 1 to 9 cases is dotted; a count is complete and never is.
    Raises `InvalidInput` for an unknown indicator or level, a missing column or no cells.
    """
    if indicator not in ("count", "per_1000_households"):
        raise InvalidInput(
            "unknown_indicator",
            f"indicator {indicator!r} is not known; use count or per_1000_households",
            field="indicator",
            got=indicator,
            wanted=["count", "per_1000_households"],
        )
    rate = indicator == "per_1000_households"
    wanted = ["code", "name", "n", "value", *(["denominator"] if rate else [])]
    cells = checked(cells, wanted, "cells", ("Polygon", "MultiPolygon"))
    classes = classify(cells["value"], whole=not rate, breaks=breaks)
    fill = Fill(classes, PLUM, number, _rate if rate else number, FEW_CASES if rate else 0, from_zero=True)
    columns = {words("Cases"): [number(float(n)) for n in cells["n"]]}
    if rate:
        columns[words("Per 1,000 households")] = [_rate(value) for value in cells["value"]]
    if "denominator" in cells.columns and cells["denominator"].notna().any():
        columns[words("Households")] = [number(value) for value in cells["denominator"].astype(float)]
    if rate:
        few = (cells["n"] > 0) & (cells["n"] < FEW_CASES)
        columns[words("Note")] = [words("small sample") if small else "" for small in few]
    hot = _hot(cells)
    if hot.any():
        yes = words("significant")
        columns[words("Hot spot")] = [yes if flag else "" for flag in hot]
    links = links_to([(drill_url, words("Open the level below")), (list_url, words("See these cases"))])
    layers = cell_layers(cells, fill, columns, links, hot)
    title = words("Cases per 1,000 households") if rate else words("Number of cases")
    m = base_map(
        bounds_of(cells),
        title=title,
        subtitle=scope(period, category, level, words),
        words=words,
        as_of=as_of,
        attribution=attribution,
        tile_url=tile_url,
    )
    m.drawing.layers += layers
    n = number(float(np.nansum(cells["n"].to_numpy(dtype=float))))
    unit = (
        words("Unit: cases per 1,000 households; n = {n}", n=n)
        if rate
        else words("Unit: cases; n = {n}", n=n)
    )
    outlined = words("Hot spot beyond chance (Gi*, 95 %, false discoveries controlled)")
    m.drawing.legend.append(fill_legend(layers, fill, unit, outlined, words))
    rule = words("Merged duplicates count once.")
    if rate:
        rule = words("Cases / households x 1,000; merged duplicates count once.")
    m.drawing.notes.append(rule)
    return m


def _hot(cells: gpd.GeoDataFrame) -> NDArray[np.bool_]:
    """Return which cells (n,) are hot: none where nobody has tested."""
    if "hot" not in cells.columns:
        return np.zeros(len(cells), dtype=bool)
    return np.asarray(cells["hot"].astype("boolean").fillna(False), dtype=bool)


def _rate(value: float) -> str:
    """Write a rate with one decimal, so that two of them compare at a glance; zero is plain."""
    return number(value) if np.isnan(value) or value == 0 else f"{value:,.1f}"
