"""A flat sheet of metres round a place, on which areas can be laid over each other.

Degrees are scaled by the lengths of a degree at the middle of the place. Scaling keeps straight lines straight
and equal coordinates equal, so two areas that share an edge in the file share it on the sheet; a map projection
bends long edges, and would find slivers of hundreds of square metres along a 5 km edge that one neighbour has
a vertex on and the other has not. Across 1 degree of latitude the scale changes by some per cent: good enough
to buffer by a metre. Sizes that people read are measured in a projected system of the place instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from gis import crs
from gis.borders import degree_in_metres
from gis.errors import UnknownFrame

__all__ = ["Plane", "areas_m2", "plane_of"]

_STORAGE = pyproj.CRS.from_epsg(crs.STORAGE_SRID)

_TAIL_M = 0.005

Floats = NDArray[np.float64]
Shapes = TypeVar("Shapes", BaseGeometry, Point, NDArray[np.object_])


@dataclass(frozen=True)
class Plane:
    """How to come from the coordinates of a file to the sheet and back.

    origin, scale : (x, y) of the middle of the place, and metres in one unit of x and of y.
    source : the projected system that the coordinates are in; None for degrees.
    """

    origin: tuple[float, float]
    scale: tuple[float, float]
    source: pyproj.CRS | None = None

    def flat(self, shapes: Shapes) -> Shapes:
        """Return shapes (one, or an array with None) in metres of the sheet."""
        result: Shapes = shapely.transform(shapes, lambda xy: (xy - self.origin) * self.scale)
        return result

    def degrees(self, shapes: Shapes) -> Shapes:
        """Return shapes of the sheet in EPSG:4490 degrees."""

        def back(xy: Floats) -> Floats:
            there: Floats = xy / self.scale + self.origin
            if self.source is None:
                return there
            lon, lat = _between(self.source, _STORAGE).transform(*there.T)
            return np.column_stack([lon, lat])

        result: Shapes = shapely.transform(shapes, back)
        return result

    def area_m2(self, shape: BaseGeometry) -> float:
        """Return the size of a shape of the sheet, measured in a projected system of its place."""
        if shape.is_empty:
            return 0.0
        return float(_areas_m2(np.array([self.degrees(shape)], dtype=object))[0])

    def place(self, shape: BaseGeometry) -> tuple[float, float]:
        """Return a point (lon, lat) on a shape of the sheet: on its largest part, to 1 cm.

        An overlay can leave a tail without any width, which nobody would look for: a shape that is wider than
        that elsewhere is placed there.
        """
        wide = shape.buffer(-_TAIL_M)
        parts = shapely.get_parts(shape if wide.is_empty else wide)
        point = self.degrees(shapely.point_on_surface(parts[int(np.argmax(shapely.area(parts)))]))
        return round(float(point.x), 7), round(float(point.y), 7)

    def spot(self, shape: BaseGeometry | None) -> tuple[float, float] | None:
        """Return a point (lon, lat) on or near a shape of the sheet that need not be valid; None for no shape."""
        if shape is None or shape.is_empty:
            return None
        if shape.geom_type in ("Polygon", "MultiPolygon") and shape.is_valid:
            return self.place(shape)
        point = self.degrees(shape.centroid)
        if point.is_empty or not (math.isfinite(point.x) and math.isfinite(point.y)):
            return None
        return round(float(point.x), 7), round(float(point.y), 7)


def areas_m2(areas: gpd.GeoDataFrame) -> Floats:
    """Return the sizes (n,) in square metres of areas in EPSG:4490 or WGS84 degrees; 0 where one has no shape.

    All are measured in the one projected system of their middle: right to 1 in 1000 for a city.
    """
    return _areas_m2(np.asarray(areas.geometry.array, dtype=object))


def _areas_m2(shapes: NDArray[np.object_]) -> Floats:
    bounds = shapely.total_bounds(shapes) if len(shapes) else np.full(4, np.nan)
    if not np.isfinite(bounds).all():
        return np.zeros(len(shapes))
    west, south, east, north = bounds.tolist()
    there = _between(_STORAGE, crs.metric_crs((west + east) / 2, (south + north) / 2))
    flat = shapely.transform(shapes, lambda xy: np.column_stack(there.transform(*xy.T)))
    result: Floats = np.nan_to_num(shapely.area(flat))
    return result


def plane_of(areas: gpd.GeoDataFrame) -> Plane:
    """Return the sheet for a GeoDataFrame in degrees or in a projected system.

    Raises `UnknownFrame` (`frame_not_declared`) when it does not say what its coordinates are counted in.
    """
    if areas.crs is None:
        raise UnknownFrame("frame_not_declared", "the areas do not say their coordinate system", field="crs")
    bounds = np.asarray(areas.total_bounds, dtype=np.float64)
    west, south, east, north = bounds if np.isfinite(bounds).all() else np.zeros(4)
    origin = (float(west + east) / 2, float(south + north) / 2)
    if areas.crs.is_projected:
        unit = float(areas.crs.axis_info[0].unit_conversion_factor)
        return Plane(origin, (unit, unit), areas.crs)
    along, up = degree_in_metres(np.array([origin[1]]))
    return Plane(origin, (float(along[0]), float(up[0])))


@lru_cache(maxsize=32)
def _between(source: pyproj.CRS, target: pyproj.CRS) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(source, target, always_xy=True)
