"""Where incidents recur: groups of points that are close to each other in space and in time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from gis.errors import InvalidInput

__all__ = ["NOISE", "space_time_clusters"]

NOISE = -1
"""The label of a point in no cluster."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_PAIRS_AT_ONCE = 1_000_000  # some 200 MB of work space, however many incidents share one address


def space_time_clusters(
    x_m: ArrayLike,
    y_m: ArrayLike,
    t_seconds: ArrayLike,
    radius_m: float,
    gap_s: float,
    min_points: int = 3,
) -> Ints:
    """Group incidents that recur about one place (ST-DBSCAN).

    Two incidents are near when at most `radius_m` and at most `gap_s` lie between them. One that has
    `min_points` near it, itself included, is a core; cores near each other are one cluster, and with them what
    is near a core. So a place that acts up again before `gap_s` has passed goes on as the same cluster however
    long it lasts, and after a longer silence is a new one; along a street a cluster may grow past `radius_m`.
    The default of 3 is what makes a place a recurrent point.

    x_m, y_m : (n,) metres in a projected CRS. t_seconds : (n,) seconds since any moment.
    Returns (n,) labels, 0 and up in the order of the first core, -1 for what is in no cluster; an incident
    near the cores of two clusters goes to the lower label.
    Raises `InvalidInput` when lengths differ, a value is not finite, or a limit is out of range.
    Source: Ester et al. (1996), KDD-96, 226-231; Birant & Kut (2007), Data & Knowledge Engineering 60(1),
    208-221, without their third measure.
    """
    places = _checked(x_m, y_m, t_seconds)
    _check_limits(radius_m, gap_s, min_points)
    n, pairs = len(places), _NearPairs(places, radius_m, gap_s)
    near = np.zeros(n, dtype=np.int64)
    for first, _ in pairs:
        near += np.bincount(first, minlength=n)
    core = near >= min_points

    group = np.arange(n)
    for first, second in pairs:
        both = core[first] & core[second]
        ends = group[first[both]], group[second[both]]
        links = csr_array((np.ones(ends[0].size, dtype=np.int8), ends), shape=(n, n))
        group = connected_components(links, directed=False)[1].astype(np.int64)[group]

    labels = np.full(n, NOISE, dtype=np.int64)
    _, first_core, of_core = np.unique(group[core], return_index=True, return_inverse=True)
    labels[core] = np.argsort(np.argsort(first_core))[of_core]

    lowest = np.full(n, n, dtype=np.int64)
    for first, second in pairs:
        reached = ~core[first] & core[second]
        np.minimum.at(lowest, first[reached], labels[second[reached]])
    edge = lowest < n
    labels[edge] = lowest[edge]
    return labels


class _NearPairs:
    """All ordered pairs of near points, each point with itself too, to go through more than once.

    They come some at a time, so that memory stays bounded; few enough to keep are found only once.
    """

    def __init__(self, places: Floats, radius_m: float, gap_s: float) -> None:
        self._places, self._radius_m, self._gap_s = places, radius_m, gap_s
        # A box about each point, a little wide so that rounding loses nothing; then the exact test.
        self._scaled = (places - places.min(axis=0, initial=np.inf)) / [radius_m, radius_m, gap_s]
        self._tree, self._reach = cKDTree(self._scaled), 1 + 1e-6
        in_box = self._tree.query_ball_point(self._scaled, self._reach, p=np.inf, return_length=True)
        batch = np.cumsum(in_box) // _PAIRS_AT_ONCE
        self._batches = np.split(np.arange(len(places)), np.flatnonzero(np.diff(batch)) + 1)
        self._kept = [self._pairs_of(self._batches[0])] if len(self._batches) == 1 else None

    def __iter__(self) -> Iterator[tuple[Ints, Ints]]:
        return iter(self._kept) if self._kept else map(self._pairs_of, self._batches)

    def _pairs_of(self, chosen: Ints) -> tuple[Ints, Ints]:
        points = cKDTree(self._scaled[chosen])
        pairs = points.sparse_distance_matrix(self._tree, self._reach, p=np.inf, output_type="ndarray")
        first, second = chosen[pairs["i"]], pairs["j"].astype(np.int64)
        way = self._places[first] - self._places[second]
        near = (np.hypot(way[:, 0], way[:, 1]) <= self._radius_m) & (np.abs(way[:, 2]) <= self._gap_s)
        return first[near], second[near]


def _checked(x_m: ArrayLike, y_m: ArrayLike, t_seconds: ArrayLike) -> Floats:
    given = {"x_m": x_m, "y_m": y_m, "t_seconds": t_seconds}
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in given.items()}
    wanted = columns["x_m"].shape
    for name, values in columns.items():
        if values.ndim != 1 or values.shape != wanted:
            raise InvalidInput(
                "lengths_differ",
                f"{name} must be as long as x_m, {wanted}, but is {values.shape}",
                field=name,
                got=list(values.shape),
                wanted=list(wanted),
            )
        broken = int((~np.isfinite(values)).sum())
        if broken:
            raise InvalidInput(
                "coordinate_not_finite",
                f"{name} must be a number, but is not in {broken} of {values.size} points",
                field=name,
                wanted="a finite number",
                count=broken,
            )
    return np.column_stack(list(columns.values()))


def _check_limits(radius_m: float, gap_s: float, min_points: int) -> None:
    for name, limit, code in (
        ("radius_m", radius_m, "radius_out_of_range"),
        ("gap_s", gap_s, "gap_out_of_range"),
        ("min_points", min_points, "min_points_out_of_range"),
    ):
        if not 0 < limit < np.inf:
            raise InvalidInput(
                code, f"{name} must be above 0, but is {limit}", field=name, got=str(limit), wanted="above 0"
            )
