"""From degrees to the pixels of a sheet: a projection of the place in metres, fitted into a frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyproj
import shapely
from matplotlib.path import Path
from numpy.typing import NDArray

from gis.crs import STORAGE_SRID, metric_crs
from maps.paper.ink import Box
from maps.shapes import Bounds

__all__ = ["Ground", "nice_length"]

_UNIT = 1_000_000
_LEAST_M = 200.0  # a place of no extent is shown with this much around it


class Ground:
    """Where a place of the earth lies on the sheet: a conformal projection, so that one scale holds all over it.

    metres : of ground in one pixel. turn : degrees by which true north is turned clockwise from the top.
    """

    def __init__(self, view: Bounds, frame: Box, *, room: float = 14.0) -> None:
        """Fit what is in view, west, south, east, north in degrees, into a frame with some room round it."""
        west, south, east, north = view
        middle = ((west + east) / 2, (south + north) / 2)
        self._metric = pyproj.Transformer.from_crs(STORAGE_SRID, metric_crs(*middle), always_xy=True)
        edge = shapely.get_coordinates(shapely.segmentize(shapely.box(*view), max(east - west, 1e-9) / 8))
        x, y = self._metric.transform(edge[:, 0], edge[:, 1])
        wide, high = max(np.ptp(x), _LEAST_M), max(np.ptp(y), _LEAST_M)
        left, top, right, bottom = frame
        self.metres = float(max(wide / (right - left - 2 * room), high / (bottom - top - 2 * room)))
        self._origin = np.array([(x.min() + x.max()) / 2, (y.min() + y.max()) / 2])
        self._middle = np.array([(left + right) / 2, (top + bottom) / 2])
        (x0, x1), (y0, y1) = self._metric.transform([middle[0]] * 2, [middle[1], middle[1] + 0.001])
        self.turn = math.degrees(math.atan2(x1 - x0, y1 - y0))

    def of_degrees(self, lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return pixels (n, 2) of degrees (n, 2)."""
        x, y = self._metric.transform(lonlat[:, 0], lonlat[:, 1])
        return self.of_metres(np.column_stack([x, y]))

    def of_metres(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return pixels (n, 2) of metres (n, 2) in the projection of the place."""
        flipped = np.array([1.0, -1.0]) / self.metres
        return np.asarray(self._middle + (xy - self._origin) * flipped)

    def to_degrees(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return degrees (n, 2) of pixels (n, 2)."""
        metres = self._origin + (xy - self._middle) * self.metres * np.array([1.0, -1.0])
        lon, lat = self._metric.transform(metres[:, 0], metres[:, 1], direction="INVERSE")
        return np.column_stack([lon, lat])

    def spots(self, spots: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Return pixels (n, 2) of places in millionths of a degree, of which further numbers are left out."""
        if not spots:
            return np.empty((0, 2))
        return self.of_degrees(np.array([spot[:2] for spot in spots], dtype=np.float64) / _UNIT)

    def outlines(self, outlines: Sequence[Any]) -> list[Path]:
        """Return a path for each outline (polygons of rings of steps, as `maps.shapes.outline` writes them).

        Outer rings run one way and holes the other, so that holes stay open by either rule of filling.
        """
        rings: list[NDArray[np.float64]] = []
        owners: list[tuple[int, bool]] = []
        for owner, polygons in enumerate(outlines):
            for polygon in polygons:
                for place, flat in enumerate(polygon):
                    steps = np.array(flat, dtype=np.float64).reshape(-1, 2)
                    if len(steps) > 2:
                        rings.append(np.cumsum(steps, axis=0) / _UNIT)
                        owners.append((owner, place > 0))
        if not rings:
            return [Path(np.empty((0, 2))) for _ in outlines]
        drawn = np.split(
            self.of_degrees(np.concatenate(rings)), np.cumsum([len(ring) for ring in rings])[:-1]
        )
        parts: list[list[Path]] = [[] for _ in outlines]
        for ring, (owner, hole) in zip(drawn, owners, strict=True):
            if (_area(ring) > 0) == hole:
                ring = ring[::-1]
            parts[owner].append(Path(np.vstack([ring, ring[:1]]), closed=True))
        return [Path.make_compound_path(*part) if part else Path(np.empty((0, 2))) for part in parts]


def nice_length(most: float) -> float:
    """Return the largest of 1, 2 and 5 times a power of ten that is at most `most`, above zero."""
    power = 10.0 ** math.floor(math.log10(most))
    return float(max(step * power for step in (1, 2, 5) if step * power <= most * (1 + 1e-9)))


def _area(ring: NDArray[np.float64]) -> float:
    x, y = ring.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
