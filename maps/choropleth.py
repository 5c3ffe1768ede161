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

__all__ = [
    "HOT",
    "SMALL",
    "SPOT",
    "STEP",
    "Fill",
    "cell_layers",
    "classes_said",
    "drill_to",
    "fill_legend",
    "level_names",
    "links_to",
    "number",
    "percent",
    "plain_cells",
    "scope",
    "signed",
]

# as map.js reads a row: code, name, short name, value, outline, spot, step, flags, texts
_VALUE, SPOT, STEP, _FLAGS, _TEXTS = 3, 5, 6, 7, 8
SMALL, HOT, _COLD = 1, 2, 4


@dataclass(frozen=True)
class Fill:
    """How values become colours.

    classes : the steps. ramp : five colours, lightest first; spread over the steps there are.
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
    cold: NDArray[np.bool_] | None = None,
    drill: str | None = None,
    small: NDArray[np.bool_] | None = None,
) -> list[dict[str, Any]]:
    """Return the layers of a choropleth: the cells, and a line round those that are hot, another round the cold.

    cells : checked, with code, name, n and value. columns : heading -> text of each cell, for the popup.
    hot, cold : (n,) yes or no for each cell. small : (n,) which stand on few cases, by default by `n`.
    drill : the address with {code} that a click leads to.
    """
    (shapes,) = simplified(cells)
    values = cells["value"].to_numpy(dtype=float)
    steps = fill.classes.of(values)
    counts = cells["n"].to_numpy(dtype=float)
    none = np.zeros(len(cells), dtype=bool)
    small = (counts > 0) & (counts < fill.few) if small is None else small
    hot, cold = (none if flagged is None else flagged for flagged in (hot, cold))
    labels = [
        None if step < 0 else fill.brief(value) for value, step in zip(values.tolist(), steps, strict=True)
    ]
    flags = SMALL * small + HOT * hot + _COLD * cold
    layer = _cells("cells", "area", cells, shapes)
    layer.update(fills=list(fill.colours), columns=list(columns), links=links, drill=drill)
    for place, row in enumerate(layer["rows"]):
        row[_VALUE] = labels[place]
        row[STEP] = int(steps[place])
        row[_FLAGS] = int(flags[place])
        row[_TEXTS] = [texts[place] for texts in columns.values()]
    lines = [
        {"kind": "outline", "id": look, "look": look, "outline": joint_outline(shapes[flagged])}
        for look, flagged in (("cold", cold), ("hot", hot))
        if flagged.any()
    ]
    return [layer, *lines]


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
    layers: list[dict[str, Any]],
    fill: Fill,
    title: str,
    hot: str,
    words: Words,
    *,
    cold: str = "",
    labels: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return the legend of a choropleth: its steps, then only those marks that the map shows.

    title : indicator and unit. hot, cold : the words for an outlined cell. labels : the words of the steps, where
    they are no numbers.
    """
    cells = layers[0]["rows"]
    shown = {layer["id"] for layer in layers}
    if labels is None:
        labels = fill.classes.labels(fill.write, from_zero=fill.from_zero)
    items: list[dict[str, Any]] = [
        {"swatch": "fill", "fill": colour, "text": label}
        for colour, label in zip(fill.colours, labels, strict=True)
    ]
    dotted = sorted({row[STEP] for row in cells if row[_FLAGS] & SMALL and row[STEP] >= 0})
    if dotted:
        text = words("Small sample (n < {few})", few=fill.few)
        items.append({"swatch": "dots", "step": dotted[len(dotted) // 2], "text": text})
    if any(row[STEP] < 0 for row in cells):
        items.append({"swatch": "nodata", "text": words("No data")})
    if "hot" in shown:
        items.append({"swatch": "hot", "text": hot})
    if "cold" in shown:
        items.append({"swatch": "cold", "text": cold})
    return {"title": title, "layer": None, "items": items, "note": classes_said(fill.classes, words)}


def classes_said(classes: Classes, words: Words) -> str:
    """Return how the classes were made, for the line below the legend."""
    method = {"fixed": words("Fixed classes"), "quantile": words("Quantile classes")}[classes.method]
    if not classes.whole and len(classes.edges) > 1:
        method = words("{method}, lower edge included", method=method)
    return method


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


def drill_to(href: str | None) -> str | None:
    """Return the address that a click on a cell leads to. Raises `InvalidInput` as `links_to` does."""
    return links_to([(href, "")])[0]["href"] if href else None


def signed(value: float, write: Callable[[float], str]) -> str:
    """Write a change with a triangle and a sign: "▲ +3", "▼ −1.2", "= 0"; "-" for NaN."""
    if np.isnan(value):
        return "-"
    length = write(abs(value))
    if value == 0 or length == write(0.0):
        return f"= {length}"
    return f"▲ +{length}" if value > 0 else f"▼ −{length}"  # a minus as wide as the plus


def percent(share: float) -> str:
    """Write a share from 0 to 1 in per cent, with a decimal below ten: 12%, 4.5%; "-" for NaN."""
    if np.isnan(share):
        return "-"
    return f"{share:.0%}" if share >= 0.0995 or share == 0 else f"{share:.1%}".replace(".0%", "%")


def number(value: float) -> str:
    """Write a count or rate in at most one decimal: 12, 12.4, 0.35 below one; "-" for NaN."""
    if np.isnan(value):
        return "-"
    if value == round(value):
        return f"{value:,.0f}"
    return f"{value:.2f}".rstrip("0") if abs(value) < 1 else f"{value:,.1f}"
