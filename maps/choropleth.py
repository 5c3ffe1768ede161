"""What hotspots and response times share: cells filled by step, and the legend that explains the fill."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from gis.errors import InvalidInput
from maps.base import own_link
from maps.palette import Classes, steps_of
from maps.shapes import joint_outline, label_spots, outline, simplified
from maps.words import Words, short_name

__all__ = ["Fill", "cell_layers", "fill_legend", "links_to", "number", "plain_cells", "scope"]

# as map.js reads a row: code, name, short name, value, outline, spot, step, flags, texts
_VALUE, _STEP, _FLAGS, _TEXTS = 3, 6, 7, 8
_SMALL, _HOT = 1, 2


@dataclass(frozen=True)
class Fill:
    """How values become colours.

    classes : the steps. ramp : five colours, lightest first.
    write, brief : a value in words, for the legend and for the label on the map.
    few : a value that stands on more than none but fewer than this many cases is dotted; 0 never.
    from_zero : zero is a value that occurs, and the lowest step says so.
    """

    classes: Classes
    ramp: Sequence[str]
    write: Callable[[float], str]
    brief: Callable[[float], str]
    few: int
    from_zero: bool

    @property
    def colours(self) -> tuple[str, ...]:
        """The colour of each step."""
        return steps_of(self.ramp, len(self.classes))


def cell_layers(
    cells: gpd.GeoDataFrame,
    fill: Fill,
    columns: dict[str, list[str]],
    links: list[dict[str, str]],
    hot: NDArray[np.bool_] | None = None,
) -> list[dict[str, Any]]:
    """Return the layers of a choropleth: the cells, and a line round those that are hot.

    cells : checked, with code, name, n and value. columns : heading -> text of each cell, for the popup.
    hot : (n,) yes or no for each cell.
    """
    (shapes,) = simplified(cells)
    values = cells["value"].to_numpy(dtype=float)
    steps = fill.classes.of(values)
    counts = cells["n"].to_numpy(dtype=float)
    small = (counts > 0) & (counts < fill.few)
    hot = np.zeros(len(cells), dtype=bool) if hot is None else hot
    labels = [
        None if step < 0 else fill.brief(value) for value, step in zip(values.tolist(), steps, strict=True)
    ]
    flags = _SMALL * small + _HOT * hot
    layer = _cells("cells", "area", cells, shapes)
    layer.update(fills=list(fill.colours), columns=list(columns), links=links)
    for place, row in enumerate(layer["rows"]):
        row[_VALUE] = labels[place]
        row[_STEP] = int(steps[place])
        row[_FLAGS] = int(flags[place])
        row[_TEXTS] = [texts[place] for texts in columns.values()]
    if not hot.any():
        return [layer]
    return [layer, {"kind": "outline", "id": "hot", "look": "hot", "outline": joint_outline(shapes[hot])}]


def plain_cells(
    layer: str, look: str, cells: gpd.GeoDataFrame, shapes: NDArray[np.object_], words: Words
) -> dict[str, Any]:
    """Return a layer of cells that are only bounded and named; shapes (n,) are as `simplified` gave them."""
    made = _cells(layer, look, cells, shapes)
    made["columns"] = [words("Code")]
    for row in made["rows"]:
        row[_TEXTS] = [row[0]]
    return made


def _cells(layer: str, look: str, cells: gpd.GeoDataFrame, shapes: NDArray[np.object_]) -> dict[str, Any]:
    """Return a layer of named cells without values; the order within a row is the one that map.js reads."""
    rows = []
    for code, name, shape, spot in zip(
        cells["code"], cells["name"], shapes, label_spots(shapes), strict=True
    ):
        short = short_name(str(name))
        rows.append(
            [str(code), str(name), 0 if short == name else short, None, outline(shape), spot, 0, 0, []]
        )
    return {"kind": "cells", "id": layer, "look": look, "fills": [], "columns": [], "links": [], "rows": rows}


def fill_legend(
    layers: list[dict[str, Any]], fill: Fill, title: str, hot: str, words: Words
) -> dict[str, Any]:
    """Return the legend of a choropleth: its steps, then only those marks that the map shows.

    title : indicator and unit. hot : the words for an outlined cell.
    """
    cells = layers[0]["rows"]
    labels = fill.classes.labels(fill.write, from_zero=fill.from_zero)
    items: list[dict[str, Any]] = [
        {"swatch": "fill", "fill": colour, "text": label}
        for colour, label in zip(fill.colours, labels, strict=True)
    ]
    dotted = sorted({row[_STEP] for row in cells if row[_FLAGS] & _SMALL and row[_STEP] >= 0})
    if dotted:
        text = words("Small sample (n < {few})", few=fill.few)
        items.append({"swatch": "dots", "step": dotted[len(dotted) // 2], "text": text})
    if any(row[_STEP] < 0 for row in cells):
        items.append({"swatch": "nodata", "text": words("No data")})
    if len(layers) > 1:
        items.append({"swatch": "hot", "text": hot})
    method = {"fixed": words("Fixed classes"), "quantile": words("Quantile classes")}[fill.classes.method]
    if not fill.classes.whole and len(fill.classes.edges) > 1:
        method = words("{method}, lower edge included", method=method)
    return {"title": title, "layer": None, "items": items, "note": method}


def scope(period: tuple[date, date], category: str | None, level: str, words: Words) -> str:
    """Return what a choropleth is about in two lines: when, then which category and level.

    Raises `InvalidInput` for a level that is not among the four.
    """
    names = level_names(words)
    if level not in names:
        wanted = ", ".join(names)
        message = f"level {level!r} is not known; use one of {wanted}"
        raise InvalidInput("unknown_level", message, field="level", got=level, wanted=list(names))
    return f"{words.period(*period)}\n{category or words('all categories')} · {names[level]}"


def level_names(words: Words) -> dict[str, str]:
    """Return what each level of the grid is called."""
    return {
        "district": words("District"),
        "town": words("Town"),
        "community": words("Community"),
        "building_group": words("Building group"),
    }


def links_to(pairs: Sequence[tuple[str | None, str]]) -> list[dict[str, str]]:
    """Return the links of a cell's popup from (address with {code}, words); an address left None is left out.

    Raises `InvalidInput` for an address that is no path on our own host or has no place for the code.
    """
    links = []
    for href, text in pairs:
        if href is None:
            continue
        if own_link(href) is None or "{code}" not in href:
            raise InvalidInput(
                "map_link", "a cell's link is a path on our host with {code}", field="link", got=href
            )
        links.append({"href": href, "text": text})
    return links


def number(value: float) -> str:
    """Write a count or rate in at most one decimal: 12, 12.4, 0.35 below one; "-" for NaN."""
    if np.isnan(value):
        return "-"
    if value == round(value):
        return f"{value:,.0f}"
    return f"{value:.2f}".rstrip("0") if abs(value) < 1 else f"{value:,.1f}"
