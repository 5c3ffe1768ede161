"""Frames of geometry to small numbers for the browser.

A page that holds 727 cells must stay light on a phone: outlines are simplified together, so that neighbours
keep one common edge, and written as whole millionths of a degree, each vertex as the step from the last.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from gis.errors import InvalidGeometry, InvalidInput, UnknownFrame

__all__ = [
    "Bounds",
    "Outline",
    "bounds_of",
    "checked",
    "joint_outline",
    "label_spots",
    "outline",
    "points",
    "simplified",
]

Bounds: TypeAlias = tuple[float, float, float, float]
"""West, south, east, north in degrees."""

Outline: TypeAlias = list[list[list[int]]]
"""Polygons of rings [x, y, dx, dy, dx, dy, ...] in millionths of a degree, without the closing vertex."""

_UNIT = 1_000_000
# degrees; the finest is about a metre, what a screen can show at the deepest zoom, the coarsest about 70
_TOLERANCES = tuple(1e-5 * 2**step for step in range(7))
_MOST_VERTICES = 24_000  # about 200 kB of JSON
_MANY = 2_000  # polygons: of more, none is drawn large before somebody asks for a part of them
_MOST_OF_MANY = 100_000  # about 1.2 MB
_PIXELS = 3_000  # that the longer side of many polygons may take at first, on the widest screen
_FRAMES = (4490, 4326)  # alike to well under a metre, so drawn as one


def checked(
    frame: gpd.GeoDataFrame, columns: Collection[str], name: str, kinds: Collection[str]
) -> gpd.GeoDataFrame:
    """Return a frame that can be drawn, with a plain 0..n-1 index.

    columns : what it must have beside its geometry. kinds : the geometry types that it may hold.
    Raises `InvalidInput` for a missing column, `UnknownFrame` for coordinates in neither EPSG:4490 nor
    EPSG:4326, `InvalidGeometry` for a missing, empty or foreign shape; `facts["row"]` says which.
    """
    missing = sorted(set(columns) - set(frame.columns))
    if missing:
        raise InvalidInput(
            "map_columns",
            f"{name} lacks the columns {', '.join(missing)}",
            field=name,
            got=[str(column) for column in frame.columns],
            wanted=sorted(columns),
        )
    epsg = frame.crs.to_epsg() if frame.crs is not None else None
    if epsg not in _FRAMES:
        raise UnknownFrame(
            "map_frame",
            f"{name} must be in EPSG:4490 or EPSG:4326, not {epsg}",
            field=name,
            got=epsg,
            wanted=list(_FRAMES),
        )
    for row, shape in enumerate(frame.geometry.array):
        found = _fault(shape, kinds)
        if found:
            message = f"row {row} of {name} holds {found}, wanted {' or '.join(kinds)}"
            raise InvalidGeometry("map_shape", message, field=name, row=row, got=found)
    return frame.reset_index(drop=True)


def bounds_of(*frames: gpd.GeoDataFrame) -> Bounds:
    """Return the box around every shape of the frames. Raises `InvalidInput` when there is none."""
    boxes = [frame.total_bounds for frame in frames if len(frame)]
    if not boxes:
        raise InvalidInput("map_empty", "there is nothing to draw: no grid was given", field="cells")
    array = np.array(boxes)
    west, south = array[:, :2].min(axis=0)
    east, north = array[:, 2:].max(axis=0)
    return float(west), float(south), float(east), float(north)


def simplified(*frames: gpd.GeoDataFrame) -> list[NDArray[np.object_]]:
    """Return the polygons of each frame as they are drawn; neighbours, in any frame, keep one common edge.

    The tolerance starts at a metre, or where they are more than 2,000 at a pixel of the first view, and doubles until
    all of them together have at most 24,000 vertices, or 16 a polygon up to 100,000.
    """
    parts = [np.asarray(frame.geometry.array, dtype=object) for frame in frames]
    shapes = np.concatenate(parts) if parts else np.empty(0, dtype=object)
    return np.split(_thinned(shapes), np.cumsum([len(part) for part in parts])[:-1])


def outline(shape: Any) -> Outline:
    """Write one polygon or multipolygon for the browser."""
    return [
        [_ring(ring) for ring in (polygon.exterior, *polygon.interiors)]
        for polygon in shapely.get_parts(shape)
        if not polygon.is_empty
    ]


def joint_outline(shapes: NDArray[np.object_]) -> Outline:
    """Write one outline round all the polygons (n,), without the edges between them; nothing for none."""
    return outline(shapely.union_all(shapes)) if len(shapes) else []


def label_spots(shapes: NDArray[np.object_]) -> list[list[int]]:
    """Return where a name has most room in each polygon (n,): [x, y, r] in millionths of a degree.

    x, y is the centre and r the radius, in degrees of latitude, of the widest circle inside the polygon.
    """
    if not len(shapes):
        return []
    # A degree of longitude is shorter by the cosine of the latitude: squeeze, so that the circle is round.
    squeeze = math.cos(math.radians(float(np.mean(shapely.total_bounds(shapes)[[1, 3]]))))
    round_shapes = shapely.transform(shapes, lambda xy: xy * np.array([squeeze, 1.0]))
    sizes = np.sqrt(shapely.area(round_shapes))
    rays = shapely.maximum_inscribed_circle(round_shapes, tolerance=np.maximum(sizes / 50, 1e-9))
    ends = shapely.get_coordinates(rays).reshape(-1, 2, 2)
    radii = np.hypot(*(ends[:, 1] - ends[:, 0]).T)
    spots = np.column_stack([ends[:, 0, 0] / squeeze, ends[:, 0, 1], radii])
    rounded: list[list[int]] = _millionths(spots).tolist()
    return rounded


def points(frame: gpd.GeoDataFrame) -> list[list[int]]:
    """Return the points of a frame as [x, y] in millionths of a degree."""
    shapes = np.asarray(frame.geometry.array, dtype=object)
    pairs: list[list[int]] = _millionths(shapely.get_coordinates(shapes)).tolist()
    return pairs


def _thinned(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    if not len(shapes):
        return shapes
    simple = shapes
    most = max(_MOST_VERTICES, min(16 * len(shapes), _MOST_OF_MANY))
    tolerances = _TOLERANCES
    if len(shapes) > _MANY:
        west, south, east, north = shapely.total_bounds(shapes)
        pixel = max(east - west, north - south) / _PIXELS
        tolerances = tuple(pixel * 2 ** (step / 2) for step in range(5))
    # The second way is for edges that do not match to the last digit: those, the first leaves as they are.
    for simplify in (shapely.coverage_simplify, shapely.simplify):
        for tolerance in tolerances:
            simple = simplify(shapes, tolerance)
            if shapely.get_num_coordinates(simple).sum() <= most:
                return simple
    return simple


def _fault(shape: Any, kinds: Collection[str]) -> str:
    """Return what is wrong with a shape in a few words, "" for nothing."""
    if shape is None or shape.is_empty:
        return "no shape"
    if shape.geom_type not in kinds:
        return str(shape.geom_type)
    return "" if shape.is_valid else "an invalid shape"


def _ring(ring: Any) -> list[int]:
    vertices = _millionths(shapely.get_coordinates(ring))[:-1]
    steps = np.diff(vertices, axis=0, prepend=np.zeros((1, 2), dtype=np.int64))
    keep = np.any(steps != 0, axis=1)
    keep[:1] = True
    flat: list[int] = steps[keep].ravel().tolist()
    return flat


def _millionths(degrees: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.round(degrees * _UNIT).astype(np.int64)
