"""A surface of density over the map: where incidents gather, whatever the borders of the cells are.

The surface is counted in metres, in the projection of the place; the map is in degrees, a row as high as the
projection of web maps makes it. Every pixel is looked up in the surface at its own place, so that nothing shifts.
The picture has few colours and travels inside the page.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pyproj import CRS, Transformer

from maps.base import GridMap, base_map
from maps.breaks import count_breaks, said_of_usual
from maps.choropleth import drill_to, links_to, number, plain_cells, scope
from maps.palette import PLUM, Method, classify
from maps.shapes import Bounds, bounds_of, checked, simplified
from maps.words import Words

__all__ = ["density_map"]

_MOST_PIXELS = 480  # on the longer side; a pixel of a district of 25 km is then about 50 m
_KM2 = 1e6


def density_map(
    values: NDArray[np.float64],
    corner: tuple[float, float],
    cell_m: float,
    crs: CRS,
    cells: gpd.GeoDataFrame,
    *,
    bandwidth_m: float,
    level: str,
    period: tuple[date, date],
    category: str | None = None,
    method: Method = "quantile",
    usual: float | None = None,
    drill_url: str | None = None,
    list_url: str | None = None,
    words: Words,
    as_of: datetime | None = None,
    attribution: str = "",
    tile_url: str | None = None,
) -> GridMap:
    """Draw a kernel density surface over the bounds of cells.

    values : (ny, nx) incidents per square metre, rows from south to north; corner : x, y of its south-western
    corner; cell_m : the side of its squares; crs : the metric projection all of these are in.
    cells : polygons with code, name and n, for orientation and their counts.
    method : fixed classes of cases per km2 (as of `maps.hotspot_map` for "per_km2"), or quantiles of the surface.
    usual and the rest as for `maps.hotspot_map`.
    """
    cells = checked(cells, ("code", "name", "n"), "cells", ("Polygon", "MultiPolygon"))
    bounds = bounds_of(cells)
    dense = _resampled(np.asarray(values, dtype=np.float64) * _KM2, corner, cell_m, crs, bounds)
    days = (period[1] - period[0]).days + 1
    # Below a tenth of the first class the surface is only the far tail of the kernel: as good as none.
    fixed = count_breaks("per_km2", level, days, usual=usual)
    least = fixed[0] / 10 if method == "fixed" else float(dense.max()) / 100
    known = np.where(dense < least, 0.0, dense)
    breaks: Sequence[float] | None = fixed if method == "fixed" else None
    classes = classify(known.ravel(), whole=False, breaks=breaks, zero=method == "fixed")
    steps = classes.of(known)
    ramp = PLUM[-len(classes) :] if len(classes) < len(PLUM) else PLUM
    m = base_map(
        bounds,
        title=words("Density of cases"),
        subtitle=scope(period, category, level, words),
        words=words,
        as_of=as_of,
        attribution=attribution,
        tile_url=tile_url,
    )
    (shapes,) = simplified(cells)
    ground = plain_cells("cells", "clear", cells, shapes, words)
    ground["columns"] = [words("Cases")]
    ground["links"] = links_to(
        [(drill_url, words("Open the level below")), (list_url, words("See these cases"))]
    )
    ground["drill"] = drill_to(drill_url)
    for row, n in zip(ground["rows"], cells["n"], strict=True):
        row[8] = [number(float(n))]
    m.drawing.layers += [_picture(steps, ramp, bounds, shapes), ground]
    n = number(float(cells["n"].sum()))
    items: list[dict[str, Any]] = [
        {"swatch": "fill", "fill": colour, "text": label}
        for colour, label in zip(ramp, classes.labels(number), strict=True)
    ]
    note = {"fixed": words("Fixed classes"), "quantile": words("Quantile classes")}[classes.method]
    m.drawing.legend.append(
        {"title": words("Unit: cases per km²; n = {n}", n=n), "layer": None, "items": items, "note": note}
    )
    if method == "fixed":
        m.drawing.notes += said_of_usual(usual, words)
    facts = {"metres": number(bandwidth_m), "side": number(cell_m)}
    m.drawing.notes.append(
        words("Kernel density, bandwidth {metres} m, on squares of {side} m; it adds up to n.", **facts)
    )
    return m


def _resampled(
    dense: NDArray[np.float64], corner: tuple[float, float], cell_m: float, crs: CRS, bounds: Bounds
) -> NDArray[np.float64]:
    """Return the surface (rows, columns) as it lies on a web map of the bounds, the north first."""
    west, south, east, north = bounds
    top, bottom = _mercator(north), _mercator(south)
    wide, high = math.radians(east - west), top - bottom
    longer = max(wide, high)
    columns, rows = (max(round(_MOST_PIXELS * side / longer), 1) for side in (wide, high))
    lon = west + (np.arange(columns) + 0.5) / columns * (east - west)
    up = top - (np.arange(rows) + 0.5) / rows * high
    lat = np.degrees(2 * np.arctan(np.exp(up)) - math.pi / 2)
    across_all, up_all = np.meshgrid(lon, lat)
    flat = Transformer.from_crs("EPSG:4490", crs, always_xy=True)
    x, y = flat.transform(across_all.ravel(), up_all.ravel())
    across = (np.asarray(x) - corner[0]) / cell_m - 0.5
    along = (np.asarray(y) - corner[1]) / cell_m - 0.5
    return _between(dense, across, along).reshape(rows, columns)


def _between(
    dense: NDArray[np.float64], across: NDArray[np.float64], along: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the surface at places counted in its squares, straight between their middles; 0 outside of it."""
    ny, nx = dense.shape
    column, row = np.floor(across).astype(int), np.floor(along).astype(int)
    right, above = across - column, along - row
    found = np.zeros(len(across))
    for dx, part_x in ((0, 1 - right), (1, right)):
        for dy, part_y in ((0, 1 - above), (1, above)):
            inside = (column + dx >= 0) & (column + dx < nx) & (row + dy >= 0) & (row + dy < ny)
            at = dense[np.clip(row + dy, 0, ny - 1), np.clip(column + dx, 0, nx - 1)]
            found += np.where(inside, at * part_x * part_y, 0.0)
    return found


def _picture(
    steps: NDArray[np.int64], ramp: Sequence[str], bounds: Bounds, shapes: NDArray[np.object_]
) -> dict[str, Any]:
    """Return the layer of a picture of steps, cut out along the outer border of the cells."""
    rows, columns = steps.shape
    mask = Image.new("1", (columns, rows))
    pen = ImageDraw.Draw(mask)
    west, south, east, north = bounds
    top, bottom = _mercator(north), _mercator(south)
    for polygon in shapely.get_parts(shapely.union_all(shapes)):
        for ring, inside in ((polygon.exterior, 1), *((hole, 0) for hole in polygon.interiors)):
            lon, lat = shapely.get_coordinates(ring).T
            up = np.log(np.tan(math.pi / 4 + np.radians(lat) / 2))
            x, y = (lon - west) / (east - west) * columns, (top - up) / (top - bottom) * rows
            pen.polygon(list(zip(x.tolist(), y.tolist(), strict=True)), fill=inside)
    nothing = len(ramp)
    letters = np.where(np.asarray(mask), steps, nothing).astype(np.uint8)
    picture = Image.frombytes("P", (columns, rows), letters.tobytes())
    picture.putpalette([int(colour[at : at + 2], 16) for colour in (*ramp, "#FFFFFF") for at in (1, 3, 5)])
    written = io.BytesIO()
    picture.save(written, "PNG", optimize=True, transparency=nothing)
    data = base64.b64encode(written.getvalue()).decode("ascii")
    return {
        "kind": "image",
        "id": "density",
        "image": f"data:image/png;base64,{data}",
        "box": [round(edge, 7) for edge in bounds],
    }


def _mercator(latitude: float) -> float:
    return math.log(math.tan(math.pi / 4 + math.radians(latitude) / 2))
