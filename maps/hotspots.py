"""Where incidents gather: cells filled by how many, and what is beyond chance about them.

Four ways to look at the same counts: hot and cold cells outlined (Gi*), cells by whom they lie among (local
Moran), a surface that knows no borders (kernel density), and how the hot spots came about (emerging).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Literal, get_args

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from gis.errors import InvalidInput
from grids.figures.hotspots import FEWEST_CELLS
from maps.base import GridMap, base_map
from maps.breaks import count_breaks, said_of_usual
from maps.choropleth import (
    SPOT,
    Fill,
    cell_layers,
    drill_to,
    fill_legend,
    links_to,
    number,
    scope,
)
from maps.palette import FEW_CASES, PATTERNS, PLUM, QUADRANTS, Classes, Method, classify
from maps.shapes import bounds_of, checked
from maps.weeks import Weeks, add_weeks
from maps.words import Words

__all__ = ["Indicator", "Layer", "hotspot_map", "indicator_names", "pattern_names", "quadrant_names"]

Indicator = Literal["count", "per_1000_households", "per_km2"]
Layer = Literal["gi", "moran", "emerging"]


def hotspot_map(
    cells: gpd.GeoDataFrame,
    indicator: Indicator,
    *,
    level: str,
    period: tuple[date, date],
    category: str | None = None,
    breaks: Sequence[float] | None = None,
    method: Method = "quantile",
    usual: float | None = None,
    layer: Layer = "gi",
    weekly: Weeks | None = None,
    drill_url: str | None = None,
    list_url: str | None = None,
    words: Words,
    as_of: datetime | None = None,
    attribution: str = "",
    tile_url: str | None = None,
) -> GridMap:
    """Draw how many incidents each cell had, and which cells are beyond chance.

    cells : EPSG:4490 or 4326 polygons, one row a cell of the level, with the columns
        code        text, the grid's code
        name        text, its Chinese name
        n           int, incidents in the period, merged duplicates counted once
        value       float, what is coloured: n for "count", else n by the denominator; NaN is no data and is
                    hatched, 0 has a step of its own
        denominator float, households or km2 by the indicator; NaN where unknown (may be absent for
                    "count")
        hot, cold   bool, significant by Gi* after the false-discovery cut-off (may be absent)
        quadrant    int 0 to 4, for layer "moran": 0 beyond no chance, 1 high among high, 2 low among high, 3 low
                    among low, 4 high among low
        pattern     text, for layer "emerging": a key of `PATTERNS`, after "cold_" its cold twin; "" for none
    level : district, town, community or building_group, the level of the rows.
    period : first and last day, both included. category : the category's shown name, None for all.
    method : fixed classes, comparable over time (see `maps.breaks`), or quantiles. breaks : inner edges of the
    steps in place of either. usual : cases per 1,000 households in 30 days, round which fixed classes are set.
    weekly : counts by week, for a slider below the map; taken for layers "gi" and "emerging".
    drill_url, list_url : paths on our host with {code}: the level below, and the incidents behind the number.
    A rate on 1 to 9 cases is dotted; a count is complete and never is.
    Raises `InvalidInput` for an unknown indicator, layer or level, a missing column or no cells.
    """
    _known(indicator, get_args(Indicator), "indicator")
    _known(layer, get_args(Layer), "layer")
    rate = indicator != "count"
    extra = {"moran": ["quadrant"], "emerging": ["pattern"]}.get(layer, [])
    wanted = ["code", "name", "n", "value", *(["denominator"] if rate else []), *extra]
    cells = checked(cells, wanted, "cells", ("Polygon", "MultiPolygon"))
    if breaks is None and method == "fixed":
        days = (period[1] - period[0]).days + 1
        breaks = count_breaks(indicator, level, days, usual=usual) if level in _LEVELS else None
        classes = classify(cells["value"], whole=not rate, breaks=breaks, zero=True)
    else:
        classes = classify(cells["value"], whole=not rate, breaks=breaks)
    fill = Fill(classes, PLUM, number, _rate if rate else number, FEW_CASES if rate else 0, from_zero=True)
    columns = _columns(cells, indicator, words)
    hot, cold = _flag(cells, "hot"), _flag(cells, "cold")
    if hot.any() or cold.any():
        yes = {1: words("hot, significant"), -1: words("cold, significant"), 0: ""}
        columns[words("Hot spot")] = [yes[sign] for sign in (hot.astype(int) - cold.astype(int)).tolist()]
    links = links_to([(drill_url, words("Open the level below")), (list_url, words("See these cases"))])
    drill = drill_to(drill_url)
    legend: dict[str, Any]
    unit = _unit(cells, indicator, words)
    if layer == "moran":
        layers, legend = _moran(cells, fill, columns, links, drill, unit, words)
    else:
        lines = {"hot": hot, "cold": cold} if layer == "gi" else {}
        layers = cell_layers(cells, fill, columns, links, drill=drill, **lines)
        outlined = words("Hot spot beyond chance (Gi*, 95 %, false discoveries controlled)")
        unusually_few = words("Cold spot beyond chance (Gi*, 95 %, false discoveries controlled)")
        legend = fill_legend(layers, fill, unit, outlined, words, cold=unusually_few)
    m = base_map(
        bounds_of(cells),
        title=indicator_names(words)[indicator],
        subtitle=scope(period, category, level, words),
        words=words,
        as_of=as_of,
        attribution=attribution,
        tile_url=tile_url,
    )
    m.drawing.layers += layers
    m.drawing.legend.append(legend)
    if layer == "emerging":
        _emerging(m, cells, words)
    if weekly is not None and layer != "moran":
        per = cells["denominator"].to_numpy(dtype=float) / _UNITS[indicator] if rate else None
        add_weeks(
            m,
            weekly,
            list(cells["code"]),
            per=per,
            indicator=indicator,
            level=level,
            period=period,
            classes=classes,
            usual=usual,
            words=words,
        )
    if method == "fixed" and layer != "moran":
        m.drawing.notes += said_of_usual(usual, words)
    if len(cells) < FEWEST_CELLS:
        m.drawing.notes.append(
            words("Of fewer than {count} areas none is called hot or cold.", count=FEWEST_CELLS)
        )
    m.drawing.notes.append(_rule(indicator, words))
    return m


_UNITS = {"per_1000_households": 1000.0, "per_km2": 1.0}  # of the denominator, in one unit of the value
_CROWDED = 300  # cells: of more of them some have no room for a whole sign at the first view
_LEVELS = ("district", "town", "community", "building_group")


def indicator_names(words: Words) -> dict[str, str]:
    """Return what each indicator is called."""
    return {
        "count": words("Number of cases"),
        "per_1000_households": words("Cases per 1,000 households"),
        "per_km2": words("Cases per km²"),
    }


def quadrant_names(words: Words) -> tuple[str, ...]:
    """Return what each quadrant of a local Moran is called, none first."""
    return (
        words("Nothing beyond chance"),
        words("High among high (a cluster)"),
        words("Low among high (spared)"),
        words("Low among low (a quiet part)"),
        words("High among low (stands out)"),
    )


def pattern_names(words: Words) -> dict[str, str]:
    """Return what each pattern of a hot spot is called, its cold twin under "cold_"."""
    hot = {
        "new": words("New hot spot"),
        "consecutive": words("Consecutive hot spot"),
        "intensifying": words("Intensifying hot spot"),
        "persistent": words("Persistent hot spot"),
        "diminishing": words("Diminishing hot spot"),
        "sporadic": words("Sporadic hot spot"),
        "oscillating": words("Oscillating hot spot"),
        "historical": words("Historical hot spot"),
    }
    cold = {
        "cold_new": words("New cold spot"),
        "cold_consecutive": words("Consecutive cold spot"),
        "cold_intensifying": words("Intensifying cold spot"),
        "cold_persistent": words("Persistent cold spot"),
        "cold_diminishing": words("Diminishing cold spot"),
        "cold_sporadic": words("Sporadic cold spot"),
        "cold_oscillating": words("Oscillating cold spot"),
        "cold_historical": words("Historical cold spot"),
    }
    return {**hot, **cold}


def _moran(
    cells: gpd.GeoDataFrame,
    counted: Fill,
    columns: dict[str, list[str]],
    links: list[dict[str, str]],
    drill: str | None,
    unit: str,
    words: Words,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the layers and the legend of cells filled by quadrant; what has no value stays hatched."""
    names = quadrant_names(words)
    quadrants = cells["quadrant"].to_numpy(dtype=int)
    columns[words("Local Moran")] = [names[quadrant] if quadrant else "" for quadrant in quadrants]
    as_steps = np.where(cells["value"].isna(), np.nan, quadrants.astype(float))
    values = cells["value"].to_numpy(dtype=float)
    steps = Classes((0.0, 1.0, 2.0, 3.0, 4.0), "fixed", whole=True)
    fill = Fill(steps, QUADRANTS, number, number, 0, from_zero=True)
    layers = cell_layers(cells.assign(value=as_steps), fill, columns, links, drill=drill)
    for row, value in zip(layers[0]["rows"], values.tolist(), strict=True):
        row[3] = None if np.isnan(value) else counted.brief(value)
    legend = fill_legend(layers, fill, unit, "", words, labels=names)
    legend["note"] = words("Local Moran's I at 95 %, false discoveries controlled")
    return layers, legend


def _emerging(m: GridMap, cells: gpd.GeoDataFrame, words: Words) -> None:
    """Put the sign of its pattern on each cell that has one, and the signs that occur into the legend."""
    names = pattern_names(words)
    patterns = cells["pattern"].tolist()
    spots = []
    for row, pattern in zip(m.drawing.layers[0]["rows"], patterns, strict=True):
        if pattern in names:
            x, y, _ = row[SPOT]
            spots.append([x, y, pattern.removeprefix("cold_"), 0 if pattern.startswith("cold_") else 1])
            row[8].append(names[pattern])
        else:
            row[8].append("")
    m.drawing.layers[0]["columns"].append(words("How it came about"))
    m.drawing.layers.append({"kind": "signs", "id": "patterns", "signs": dict(PATTERNS), "spots": spots})
    items = [
        {
            "swatch": "sign",
            "sign": PATTERNS[pattern.removeprefix("cold_")],
            "hot": not pattern.startswith("cold_"),
            "text": f"{name} ({patterns.count(pattern)})",
        }
        for pattern, name in names.items()
        if pattern in patterns
    ]
    said = [words("Gi* by week with a Mann-Kendall trend; new: hot in the last week only.")]
    if len(cells) > _CROWDED:
        said.append(words("Where cells are too small for a sign it is a dot: dark for hot, light for cold."))
    m.drawing.legend.append(
        {
            "title": words("Emerging hot spots"),
            "layer": "patterns",
            "items": items,
            "note": (" " if words.language == "en" else "").join(said)
            if items
            else words("No cell has been hot or cold beyond chance."),
        }
    )


def _columns(cells: gpd.GeoDataFrame, indicator: Indicator, words: Words) -> dict[str, list[str]]:
    columns = {words("Cases"): [number(float(n)) for n in cells["n"]]}
    if indicator == "per_1000_households":
        columns[words("Per 1,000 households")] = [_rate(value) for value in cells["value"]]
    if indicator == "per_km2":
        columns[words("Per km²")] = [_rate(value) for value in cells["value"]]
    if "smoothed" in cells.columns and indicator != "count":
        columns[words("Smoothed")] = [_rate(value) for value in cells["smoothed"]]
    for name, heading in (("households", words("Households")), ("km2", words("Area (km²)"))):
        if name in cells.columns and cells[name].notna().any():
            columns[heading] = [number(value) for value in cells[name].astype(float)]
    if indicator != "count":
        few = (cells["n"] > 0) & (cells["n"] < FEW_CASES)
        columns[words("Note")] = [words("small sample") if small else "" for small in few]
    return columns


def _unit(cells: gpd.GeoDataFrame, indicator: Indicator, words: Words) -> str:
    n = number(float(np.nansum(cells["n"].to_numpy(dtype=float))))
    if indicator == "per_1000_households":
        return words("Unit: cases per 1,000 households; n = {n}", n=n)
    if indicator == "per_km2":
        return words("Unit: cases per km²; n = {n}", n=n)
    return words("Unit: cases; n = {n}", n=n)


def _rule(indicator: Indicator, words: Words) -> str:
    if indicator == "per_1000_households":
        return words("Cases / households x 1,000; merged duplicates count once.")
    if indicator == "per_km2":
        return words("Cases / area of the grid; merged duplicates count once.")
    return words("Merged duplicates count once.")


def _known(given: str, wanted: tuple[str, ...], field: str) -> None:
    if given not in wanted:
        message = f"{field} {given!r} is not known; use one of {', '.join(wanted)}"
        raise InvalidInput("unknown_indicator", message, field=field, got=given, wanted=list(wanted))


def _flag(cells: gpd.GeoDataFrame, column: str) -> NDArray[np.bool_]:
    """Return which cells (n,) carry a flag: none where nobody has tested."""
    if column not in cells.columns:
        return np.zeros(len(cells), dtype=bool)
    return np.asarray(cells[column].astype("boolean").fillna(False), dtype=bool)


def _rate(value: float) -> str:
    """Write a rate with one decimal, so that two of them compare at a glance; zero is plain."""
    return number(value) if np.isnan(value) or value == 0 else f"{value:,.1f}"
