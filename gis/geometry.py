"""Shapes: their limits, what makes them invalid and where, and GeoJSON in and out.

Nothing here repairs. `make_valid` of a star polygon of 201 vertices runs for more than 40 seconds, while
`is_valid` answers in milliseconds; and a repaired border is a border that nobody drew. A broken shape is
reported with its place, and whoever drew it decides.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from gis.errors import InvalidGeometry

__all__ = [
    "MOST_VERTICES",
    "RingFault",
    "as_multipolygon",
    "check_polygon",
    "from_geojson",
    "polygonal",
    "reach",
    "ring_faults",
    "to_geojson",
    "widest",
]

MOST_VERTICES = 100_000
"""Vertices that one area may have: the exact outline of a province has fewer."""

Geometries = NDArray[np.object_]

_REASON = re.compile(r"(?P<reason>[^\[]+)\[(?P<x>\S+) (?P<y>\S+?)(?: \S+)?\]")


class RingFault(NamedTuple):
    """Why a shape is invalid: its row in the array, what GEOS says, and where (None: no one place)."""

    row: int
    reason: str
    x: float | None
    y: float | None


def ring_faults(geometries: Geometries) -> list[RingFault]:
    """Return what is wrong with each invalid shape, in the order of `geometries`.

    geometries : (n,) shapes or None; None and empty shapes count as valid, as in OGC Simple Features.
    One fault a shape: GEOS names the first defect that it meets.
    """
    present = ~shapely.is_missing(geometries)
    broken = np.flatnonzero(present & ~shapely.is_valid(geometries))
    faults = []
    for index, said in zip(broken, shapely.is_valid_reason(geometries[broken]), strict=True):
        found = _REASON.fullmatch(said)
        if found is None:
            faults.append(RingFault(int(index), said, None, None))
            continue
        x, y = float(found["x"]), float(found["y"])
        placed = math.isfinite(x) and math.isfinite(y)
        faults.append(RingFault(int(index), found["reason"], x if placed else None, y if placed else None))
    return faults


def as_multipolygon(geometry: BaseGeometry, *, field: str = "geometry") -> MultiPolygon:
    """Return a polygon as the multipolygon that the database stores, in two dimensions.

    Raises `InvalidGeometry` (`geometry_wrong_type`) for anything that is not one or several polygons.
    """
    if isinstance(geometry, Polygon):
        geometry = MultiPolygon([geometry])
    if not isinstance(geometry, MultiPolygon):
        raise InvalidGeometry(
            "geometry_wrong_type",
            f"{field} must be a Polygon or a MultiPolygon, but is a {geometry.geom_type}",
            field=field,
            got=geometry.geom_type,
            wanted=["Polygon", "MultiPolygon"],
        )
    return shapely.force_2d(geometry)


def polygonal(geometry: BaseGeometry) -> MultiPolygon:
    """Return the polygons in `geometry`, without the points and lines that an overlay leaves beside them."""
    parts = shapely.get_parts(shapely.get_parts(geometry))
    return MultiPolygon([part for part in parts if isinstance(part, Polygon) and not part.is_empty])


def widest(shape: BaseGeometry) -> float:
    """Return the width of a shape where it is widest, in its own unit: of the largest circle that it holds."""
    parts = shapely.get_parts(polygonal(shape))
    if not len(parts):
        return 0.0
    tolerance = np.maximum(np.sqrt(shapely.area(parts)) / 100, 1e-3)
    radii = shapely.length(shapely.maximum_inscribed_circle(parts, tolerance=tolerance))
    return 2 * float(radii.max())


def reach(shape: BaseGeometry, other: BaseGeometry) -> float:
    """Return how far the farthest place of a shape is from another, in metres where both are in metres."""
    dense = shapely.segmentize(shape, max(shape.length / 2000, 0.25))
    return float(shapely.distance(shapely.points(shapely.get_coordinates(dense)), other).max())


def check_polygon(geometry: BaseGeometry, *, field: str) -> MultiPolygon:
    """Return `geometry` as a multipolygon that may be stored.

    Raises `InvalidGeometry` naming `field`: `geometry_wrong_type`, `geometry_empty`, `geometry_too_big`,
    `geometry_invalid` (with the reason of GEOS and the place).
    """
    if geometry.is_empty:
        raise InvalidGeometry("geometry_empty", f"{field} holds no area", field=field)
    area = as_multipolygon(geometry, field=field)
    vertices = shapely.get_num_coordinates(area)
    if vertices > MOST_VERTICES:
        raise InvalidGeometry(
            "geometry_too_big",
            f"{field} has {vertices} vertices; at most {MOST_VERTICES} are taken",
            field=field,
            got=int(vertices),
            wanted=MOST_VERTICES,
        )
    faults = ring_faults(np.array([area], dtype=object))
    if faults:
        reason, x, y = faults[0].reason, faults[0].x, faults[0].y
        place = "" if x is None else f" at {x:g}, {y:g}"
        raise InvalidGeometry(
            "geometry_invalid",
            f"{field} is not a valid area: {reason}{place}",
            field=field,
            got=reason,
            x=x,
            y=y,
        )
    return area


def from_geojson(value: Mapping[str, object], *, field: str) -> MultiPolygon:
    """Return the area that a GeoJSON geometry object holds, its coordinates as given.

    Raises `InvalidGeometry` naming `field`: `geometry_unreadable` when it is no GeoJSON geometry, has an open
    ring or a number that is not finite; else as `check_polygon`.
    """
    try:
        geometry = shapely.from_geojson(json.dumps(value, allow_nan=False))
    except (shapely.errors.GEOSException, TypeError, ValueError, RecursionError) as broken:
        raise InvalidGeometry(
            "geometry_unreadable", f"{field} is not a GeoJSON geometry: {broken}", field=field
        ) from broken
    return check_polygon(geometry, field=field)


def to_geojson(geometry: BaseGeometry, *, decimals: int = 7) -> dict[str, object]:
    """Return `geometry` as a GeoJSON geometry object; 7 decimals of a degree are a centimetre."""
    rounded = shapely.transform(geometry, lambda xy: np.round(xy, decimals))
    result: dict[str, object] = json.loads(shapely.to_geojson(rounded))
    return result
