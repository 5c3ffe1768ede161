"""Who neighbours whom, as sparse matrices: row i and column j are 1 where j is a neighbour of i, else empty."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, eye_array
from scipy.spatial import cKDTree
from shapely.geometry.base import BaseGeometry

from gis.errors import InvalidInput

__all__ = ["contiguity", "distance_band", "star"]


def contiguity(polygons: Sequence[BaseGeometry] | NDArray[np.object_]) -> csr_array:
    """Return which polygons touch: queen contiguity, where one shared point is enough.

    polygons : (n,) in one CRS, edge-matched as `check_coverage` demands: a gap, however thin, parts neighbours.
    Returns (n, n), symmetric, 0 on the diagonal; the row of an island is empty.
    """
    shapes = np.asarray(polygons, dtype=object)
    first, second = shapely.STRtree(shapes).query(shapes)
    # The tree finds each pair twice, and each shape with itself: only half of the rest is worth a look.
    once = first < second
    first, second = first[once], second[once]
    touch = shapely.intersects(shapes[first], shapes[second])
    return _both_ways(first[touch], second[touch], len(shapes))


def distance_band(xy_m: ArrayLike, radius_m: float) -> csr_array:
    """Return which points lie within `radius_m` of each other, that distance included.

    xy_m : (n, 2) metres in a projected CRS. Returns (n, n), symmetric, 0 on the diagonal.
    Raises `InvalidInput` (xy_m, radius_m) for what is not finite, or a radius that is not above zero.
    """
    places = np.asarray(xy_m, dtype=np.float64)
    if places.ndim != 2 or places.shape[1] != 2:
        raise InvalidInput(
            "lengths_differ",
            f"xy_m must hold two columns, x and y, but is of shape {places.shape}",
            field="xy_m",
            got=list(places.shape),
            wanted=["n", 2],
        )
    if not np.isfinite(places).all():
        count = int((~np.isfinite(places)).any(axis=1).sum())
        raise InvalidInput(
            "coordinate_not_finite",
            f"xy_m must be numbers, but is not in {count} of {len(places)} points",
            field="xy_m",
            wanted="finite numbers",
            count=count,
        )
    if not 0 < radius_m < np.inf:
        raise InvalidInput(
            "radius_out_of_range",
            f"radius_m must be above 0 metres, but is {radius_m}",
            field="radius_m",
            got=str(radius_m),
        )
    first, second = cKDTree(places).query_pairs(radius_m, output_type="ndarray").T
    return _both_ways(first, second, len(places))


def star(weights: csr_array) -> csr_array:
    """Return `weights` with 1 on the diagonal: each grid counted among its own neighbours."""
    loops = eye_array(weights.shape[0], format="csr")
    return csr_array(weights - weights.multiply(loops) + loops)


def _both_ways(first: NDArray[np.int64], second: NDArray[np.int64], n: int) -> csr_array:
    pairs = np.concatenate([first, second]), np.concatenate([second, first])
    return csr_array((np.ones(pairs[0].size), pairs), shape=(n, n))
