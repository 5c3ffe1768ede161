"""Which polygon holds each point, how far it is from the border, and which others it may lie in."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from gis.borders import Borders, degree_in_metres
from gis.crs import check_degrees, metres_between
from gis.errors import InvalidGeometry, InvalidInput
from gis.lookup.halving import OUTSIDE, THREADS
from gis.lookup.squares import SquareTable

__all__ = ["Locator"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_CHUNK = 1 << 16  # points at a time: their arrays stay in the processor's cache
_OUTSIDE_AT_ONCE = 1 << 10  # a point far away has every polygon within reach
_WIDEST_M = 100_000.0  # an accuracy circle wider than a district says nothing about its grids
_LEAST_SHARE = 1e-6
_CIRCLE = np.linspace(0, 2 * np.pi, 129)  # 128 vertices: 0.04 % less area than the circle


class Locator:
    """Polygons, prepared once, that tell of any number of points which of them holds each.

    polygons : valid shapely polygons or multipolygons, all in one CRS, sorted by code.
    A point on an edge belongs to the polygons on both sides, and so to the one with the lowest index; the
    same goes for polygons that overlap. Safe to share between threads.
    Raises `InvalidGeometry` (index, count) for what is no polygon, empty or invalid.
    """

    def __init__(self, polygons: Sequence[BaseGeometry] | NDArray[np.object_]) -> None:
        self.polygons = _checked_polygons(polygons)
        # GEOS indexes a prepared polygon at the second test of it, and a tree at the first question, which two
        # threads must not do at once.
        shapely.prepare(self.polygons)
        inside = shapely.point_on_surface(self.polygons)
        for _ in range(2):
            shapely.intersects_xy(self.polygons, shapely.get_x(inside), shapely.get_y(inside))
        self._tree = shapely.STRtree(self.polygons)
        self._tree.query(inside[:1])
        self._borders = Borders(self.polygons)
        self._table = SquareTable(self.polygons, self._tree, self._borders)

    def __len__(self) -> int:
        return self.polygons.size

    def __reduce__(self) -> tuple[type[Locator], tuple[NDArray[np.object_]]]:
        return Locator, (self.polygons,)  # what is prepared does not travel: the other process builds anew

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of all polygons; zeros where there are none."""
        return self._table.bounds

    @property
    def nbytes(self) -> int:
        """The memory that the table of squares takes, in bytes; polygons and borders are not counted."""
        return self._table.nbytes

    def locate(self, x: ArrayLike, y: ArrayLike) -> Indices:
        """Return the index of the polygon that holds each point, -1 where none does.

        x, y : (n,) in the polygons' CRS. Returns (n,) integers.
        Raises `InvalidInput` when the lengths differ, or with how many coordinates are not finite.
        """
        xs, ys = _checked_points(x, y)
        found = np.empty(xs.size, dtype=np.intp)

        def fill(start: int) -> None:
            part = slice(start, start + _CHUNK)
            found[part] = self._table.look_up(xs[part], ys[part])

        starts = range(0, xs.size, _CHUNK)
        if len(starts) <= 2 or THREADS == 1:
            for start in starts:
                fill(start)
        else:
            with ThreadPoolExecutor(THREADS) as pool:
                list(pool.map(fill, starts))
        return found

    def distance_to_border(self, x: ArrayLike, y: ArrayLike, index: ArrayLike) -> Floats:
        """Return how far each point is from the border of one polygon, in the units of a projected CRS.

        x, y, index : (n,), index as `locate` gave it. Returns (n,), nan where index is -1.
        For polygons in degrees ask `border_distance_m`.
        """
        xs, ys = _checked_points(x, y)
        unit = np.ones(xs.size)
        return self._borders.nearest(xs, ys, self._checked_index(index, xs.size), unit, unit).distance

    def border_distance_m(self, lon: ArrayLike, lat: ArrayLike, index: ArrayLike) -> Floats:
        """Return how far each point is from the border of one polygon, in metres, for polygons in degrees.

        lon, lat, index : (n,), index as `locate` gave it. Returns (n,), nan where index is -1.
        Right to 0.01 m within 100 m and to 0.5 % within 10 km.
        """
        xs, ys = check_degrees(np.atleast_1d(lon), np.atleast_1d(lat))
        return self._borders.nearest(
            xs, ys, self._checked_index(index, xs.size), *degree_in_metres(ys)
        ).distance

    def nearest(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Indices, Floats]:
        """Return the nearest polygon to each point, and how many metres away, for polygons in degrees.

        lon, lat : (n,). Returns index (n,), the lowest at equal distance, and distance (n,) along the
        ellipsoid, zero inside. Without any polygon all are -1 and nan.
        """
        xs, ys = check_degrees(np.atleast_1d(lon), np.atleast_1d(lat))
        index = self.locate(xs, ys)
        metres = np.where(index == OUTSIDE, np.nan, 0.0)
        away = np.flatnonzero(index == OUTSIDE)
        for start in range(0, away.size if len(self) else 0, _OUTSIDE_AT_ONCE):
            part = away[start : start + _OUTSIDE_AT_ONCE]
            index[part], metres[part] = self._nearest_outside(xs[part], ys[part])
        return index, metres

    def shares(self, lon: float, lat: float, accuracy_m: float) -> list[tuple[int, float]]:
        """Return the polygons that a point of limited accuracy may lie in, for polygons in degrees.

        accuracy_m : radius of the circle that the true place lies in, 0 to 100,000 metres.
        Returns (index, share of the circle's area) by falling share, shares under one in a million left out;
        what is missing to 1 lies outside. With accuracy 0 all goes to the polygon that holds the point.
        Raises `InvalidInput` (lon, lat, accuracy_m) when it is no such number.
        """
        x, y = check_degrees(lon, lat)
        if not 0 <= accuracy_m <= _WIDEST_M:
            raise InvalidInput(
                "accuracy_out_of_range",
                f"accuracy_m must lie between 0 and {_WIDEST_M:g} metres, but is {accuracy_m}",
                field="accuracy_m",
                got=str(accuracy_m),
                wanted=[0, _WIDEST_M],
            )
        if accuracy_m == 0:
            return [(int(held), 1.0) for held in self.locate(x, y) if held != OUTSIDE]
        # A circle in metres is an ellipse in degrees; shares of its area are the same in both.
        degree_x, degree_y = degree_in_metres(y)
        ring = (x + accuracy_m / degree_x * np.cos(_CIRCLE), y + accuracy_m / degree_y * np.sin(_CIRCLE))
        circle = Polygon(np.column_stack(ring))
        touched = np.sort(self._tree.query(circle, predicate="intersects"))
        shares = shapely.area(shapely.intersection(self.polygons[touched], circle)) / circle.area
        found = [
            (int(touched[i]), float(shares[i])) for i in range(touched.size) if shares[i] >= _LEAST_SHARE
        ]
        return sorted(found, key=lambda pair: -pair[1])

    def _nearest_outside(self, lon: Floats, lat: Floats) -> tuple[Indices, Floats]:
        degree_x, degree_y = degree_in_metres(lat)
        # No polygon need be further away than any one of them; the nearest in degrees is a good first guess.
        _, guess = self._tree.query_nearest(shapely.points(lon, lat), all_matches=False)
        reach = self._borders.nearest(lon, lat, guess, degree_x, degree_y).distance * (1 + 1e-9)
        wide, high = reach / degree_x, reach / degree_y
        point, index = self._tree.query(shapely.box(lon - wide, lat - high, lon + wide, lat + high))
        near = self._borders.nearest(lon[point], lat[point], index, degree_x[point], degree_y[point])
        order = np.lexsort((index, near.distance, point))
        best = order[np.searchsorted(point[order], np.arange(lon.size))]
        return index[best], metres_between(lon, lat, near.x[best], near.y[best])

    def _checked_index(self, index: ArrayLike, points: int) -> Indices:
        indices = np.atleast_1d(np.asarray(index)).astype(np.intp)
        if indices.shape != (points,) or np.any((indices < OUTSIDE) | (indices >= len(self))):
            raise InvalidInput(
                "index_out_of_range",
                f"index must name one of the {len(self)} polygons, or -1, for each of {points} points",
                field="index",
                wanted=[OUTSIDE, len(self) - 1],
            )
        return indices


def _checked_polygons(polygons: Sequence[BaseGeometry] | NDArray[np.object_]) -> NDArray[np.object_]:
    given = np.empty(len(polygons), dtype=object)
    given[:] = polygons
    kinds = [shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON]
    other = ~np.isin(shapely.get_type_id(given), kinds)
    for code, wrong in (
        ("geometry_wrong_type", other),
        ("geometry_empty", shapely.is_empty(given)),
        ("geometry_invalid", ~shapely.is_valid(given)),
    ):
        if wrong.any():
            index = int(np.flatnonzero(wrong)[0])
            got = (
                shapely.is_valid_reason(given[index])
                if code == "geometry_invalid"
                else str(given[index])[:80]
            )
            raise InvalidGeometry(
                code,
                f"polygon {index} cannot hold points: {got}; {wrong.sum()} of {given.size} are like it",
                index=index,
                got=got,
                wanted=["Polygon", "MultiPolygon"],
                count=int(wrong.sum()),
            )
    return given


def _checked_points(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    xs = np.atleast_1d(np.asarray(x, dtype=np.float64))
    ys = np.atleast_1d(np.asarray(y, dtype=np.float64))
    if xs.ndim != 1 or xs.shape != ys.shape:
        raise InvalidInput(
            "lengths_differ",
            f"x and y must be of one length, but are {xs.shape} and {ys.shape}",
            field="y",
            got=list(ys.shape),
            wanted=list(xs.shape),
        )
    broken = ~(np.isfinite(xs) & np.isfinite(ys))
    if broken.any():
        first = int(np.flatnonzero(broken)[0])
        raise InvalidInput(
            "coordinate_not_finite",
            f"{broken.sum()} of {xs.size} points have a coordinate that is no number, first point {first}",
            field="y" if np.isfinite(xs[first]) else "x",
            got=[str(xs[first]), str(ys[first])],
            wanted="finite numbers",
            count=int(broken.sum()),
            index=first,
        )
    return xs, ys
