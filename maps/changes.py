"""What has changed between two periods: cells filled from brown (less) to plum (more), with triangle and sign.

The two ends of the colours come near each other for some who see fewer colours, so that every label and every line
of a table says the direction as well, by a triangle and a signed number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

import geopandas as gpd
import numpy as np
from numpy.typing import ArrayLike, NDArray

from maps.base import GridMap, base_map
from maps.choropleth import Fill, cell_layers, drill_to, fill_legend, links_to, number, scope, signed
from maps.palette import CHANGE, FEW_CASES, Method
from maps.shapes import bounds_of, checked
from maps.words import Words

__all__ = ["CHANGE_COLUMNS", "change_map"]

CHANGE_COLUMNS = ("code", "name", "n", "n_before", "value", "value_before", "change")


@dataclass(frozen=True)
class _Turned:
    """Steps on both sides of no change: at most -edge, below 0, 0, above 0, at least edge.

    Made like `maps.palette.Classes`, so that a choropleth takes them; nothing here is ever below the lowest step.
    """

    edge: float
    nothing: float
    whole: bool
    method: Method = "quantile"

    @property
    def edges(self) -> tuple[float, ...]:
        return (-self.edge, 0.0, self.edge)

    def __len__(self) -> int:
        return 5

    def of(self, values: ArrayLike) -> NDArray[np.int64]:
        array = np.asarray(values, dtype=np.float64)
        sign = np.where(np.abs(array) < self.nothing, 0, np.sign(array))
        far = np.abs(array) >= self.edge
        steps = np.where(np.isnan(array), -1, 2 + sign + np.where(far, sign, 0))
        return steps.astype(np.int64)

    def labels(self, write: Callable[[float], str]) -> list[str]:
        much = write(self.edge)
        return [
            f"▼ ≤ −{much}",  # a minus as wide as the plus
            f"▼ {_inner('−', self.edge, write, whole=self.whole)}",
            f"= {write(0.0)}",
            f"▲ {_inner('+', self.edge, write, whole=self.whole)}",
            f"▲ ≥ +{much}",
        ]


def change_map(
    cells: gpd.GeoDataFrame,
    *,
    indicator: str,
    write: Callable[[float], str] = number,
    whole: bool = True,
    level: str,
    period: tuple[date, date],
    before: tuple[date, date],
    category: str | None = None,
    few: int = FEW_CASES,
    drill_url: str | None = None,
    list_url: str | None = None,
    words: Words,
    as_of: datetime | None = None,
    attribution: str = "",
    tile_url: str | None = None,
) -> GridMap:
    """Draw by how much a figure of each cell has changed from one period to another.

    cells : EPSG:4490 or 4326 polygons with the columns
        code, name       text
        value, n         the figure of the later period and what it stands on
        value_before, n_before  those of the earlier one
        change           value - value_before; NaN (hatched) where either is missing
    indicator : what the figure is called. write : a length of change in words. whole : the figure is a count.
    before : first and last day of the earlier period. few : a change is dotted where either period stands on 1 to
    few - 1 cases, never for 0. The rest as for `maps.hotspot_map`.
    The outer steps begin where the third with the largest changes does.
    """
    cells = checked(cells, CHANGE_COLUMNS, "cells", ("Polygon", "MultiPolygon"))
    change = cells["change"].to_numpy(dtype=float)
    steps = _turned(change, write, whole=whole)

    def say(value: float) -> str:
        return signed(value, write)

    fill = Fill(steps, CHANGE, write, say, few, from_zero=True)  # type: ignore[arg-type]  # steps on two sides
    later, earlier = (cells[name].to_numpy(dtype=float) for name in ("n", "n_before"))
    least = np.minimum(later, earlier)
    small = (least < few) & (np.maximum(later, earlier) > 0) if few else np.zeros(len(cells), dtype=bool)
    columns = {
        words("Now"): [write(value) for value in cells["value"].astype(float)],
        words("Before"): [write(value) for value in cells["value_before"].astype(float)],
        words("Change of the figure"): [say(value) for value in change.tolist()],
        words("n now / before"): [
            f"{number(now)} / {number(then)}" for now, then in zip(later, earlier, strict=True)
        ],
        words("Note"): [words("small sample") if flag else "" for flag in small.tolist()],
    }
    links = links_to([(drill_url, words("Open the level below")), (list_url, words("See these cases"))])
    shown = cells.assign(value=change)
    layers = cell_layers(shown, fill, columns, links, drill=drill_to(drill_url), small=small)
    title = words("Change: {indicator}", indicator=indicator)
    span = words("against {period}", period=words.period(*before))
    when, what = scope(period, category, level, words).split("\n", 1)
    m = base_map(
        bounds_of(cells),
        title=title,
        subtitle=f"{when}\n{span}\n{what}",
        words=words,
        as_of=as_of,
        attribution=attribution,
        tile_url=tile_url,
    )
    m.drawing.layers += layers
    facts = {"now": number(float(np.nansum(later))), "before": number(float(np.nansum(earlier)))}
    unit = words("Unit: {indicator}; n = {now}, before {before}", indicator=indicator, **facts)
    legend = fill_legend(layers, fill, unit, "", words, labels=steps.labels(write))
    legend["note"] = words("▲ more, ▼ less; the strongest third of the changes has the dark colours.")
    m.drawing.legend.append(legend)
    days = [(last - first).days + 1 for first, last in (period, before)]
    if days[0] != days[1]:
        said = words(
            "The periods differ in length: {now} days, before {before}.", now=days[0], before=days[1]
        )
        m.drawing.notes.append(said)
    return m


def _inner(sign: str, edge: float, write: Callable[[float], str], *, whole: bool) -> str:
    """Write the step between no change and an edge, the smaller number first; of whole numbers those it holds."""
    near, far = ("1", write(edge - 1)) if whole else (write(0.0), write(edge))
    if near == far:
        return f"{sign}{far}"
    first = f"{sign}{near}" if whole else near
    return f"{first} – {sign}{far}" if sign == "+" else f"{sign}{far} – {first}"


def _turned(change: NDArray[np.float64], write: Callable[[float], str], *, whole: bool) -> _Turned:
    """Return steps for changes (n,): what is written like no change is none."""
    sizes = np.abs(change[np.isfinite(change)])
    sizes = np.array([size for size in sizes.tolist() if write(size) != write(0.0)])
    if not len(sizes):
        return _Turned(2.0 if whole else 1.0, 1.0, whole)
    edge = float(np.quantile(sizes, 2 / 3))
    if whole:
        return _Turned(max(float(round(edge)), 2.0), 1.0, whole)
    return _Turned(max(float(f"{edge:.2g}"), float(sizes.min())), float(sizes.min()), whole)
