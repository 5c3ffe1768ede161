"""Who is missing where: cells with posts that nobody holds, and categories that nobody leads."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, get_args

import geopandas as gpd

from gis.errors import InvalidInput
from maps.base import GridMap, base_map
from maps.choropleth import Fill, cell_layers, drill_to, fill_legend, level_names, links_to, number
from maps.palette import PLUM, classify
from maps.shapes import bounds_of, checked
from maps.words import Words

__all__ = ["COVERAGE_COLUMNS", "Missing", "coverage_map", "missing_names"]

Missing = Literal["posts", "leads"]
COVERAGE_COLUMNS = ("code", "name", "posts", "posts_needed", "nobody", "several", "categories")

_POST_BREAKS = (1, 2, 5, 10)
_LEAD_BREAKS = (1, 6, 21, 61)  # of some two hundred categories: a few, a field of them, several fields


def coverage_map(
    cells: gpd.GeoDataFrame,
    missing: Missing,
    *,
    level: str,
    on: date,
    drill_url: str | None = None,
    list_url: str | None = None,
    words: Words,
    as_of: datetime | None = None,
    attribution: str = "",
    tile_url: str | None = None,
) -> GridMap:
    """Draw how many posts nobody holds, or how many categories nobody leads, in each cell.

    cells : EPSG:4490 or 4326 polygons with the columns
        code, name    text
        posts         int, posts in the area that nobody on duty holds   posts_needed  int, those there should be
        nobody        int, categories without a lead somewhere in it     several       int, with more than one
        categories    int, how many categories there are
    missing : which of the two is coloured. on : the day that the rules and posts are those of.
    drill_url, list_url : paths with {code}: the level below, and the table of what is missing.
    Raises `InvalidInput` for something else that is missing, a missing column or no cells.
    """
    if missing not in get_args(Missing):
        message = f"missing {missing!r} is not known; use posts or leads"
        raise InvalidInput(
            "unknown_indicator", message, field="missing", got=missing, wanted=list(get_args(Missing))
        )
    cells = checked(cells, COVERAGE_COLUMNS, "cells", ("Polygon", "MultiPolygon"))
    posts = missing == "posts"
    value = cells["posts" if posts else "nobody"]
    of = cells["posts_needed" if posts else "categories"]
    shown = cells.assign(value=value.astype(float).where(of > 0), n=value)
    classes = classify(shown["value"], whole=True, breaks=_POST_BREAKS if posts else _LEAD_BREAKS)
    fill = Fill(classes, PLUM, number, number, 0, from_zero=True)
    columns = {
        words("Empty posts"): _out_of(cells["posts"], cells["posts_needed"], words),
        words("Categories without a lead"): _out_of(cells["nobody"], cells["categories"], words),
        words("Categories with several leads"): [number(float(count)) for count in cells["several"]],
    }
    links = links_to([(drill_url, words("Open the level below")), (list_url, words("See what is missing"))])
    layers = cell_layers(shown, fill, columns, links, drill=drill_to(drill_url))
    m = base_map(
        bounds_of(cells),
        title=missing_names(words)[missing],
        subtitle=f"{on.isoformat()}\n{level_names(words)[level]}",
        words=words,
        as_of=as_of,
        attribution=attribution,
        tile_url=tile_url,
    )
    m.drawing.layers += layers
    total = {"count": number(float(value.sum())), "all": number(float(of.sum() if posts else of.max()))}
    unit = (
        words("Unit: posts; {count} of {all} are empty", **total)
        if posts
        else words("Unit: categories, of {all}", all=total["all"])
    )
    m.drawing.legend.append(fill_legend(layers, fill, unit, "", words))
    m.drawing.notes.append(
        words("Grid workers, grid leaders and town centres that nobody on duty is.")
        if posts
        else words("An area counts as its worst grid does; rules inside a polygon are left out.")
    )
    return m


def missing_names(words: Words) -> dict[str, str]:
    """Return what each kind of gap is called."""
    return {"posts": words("Empty posts"), "leads": words("Categories without a lead")}


def _out_of(counts: gpd.GeoSeries, of: gpd.GeoSeries, words: Words) -> list[str]:
    return [
        words("{count} of {all}", count=number(float(count)), all=number(float(all_)))
        for count, all_ in zip(counts, of, strict=True)
    ]
