"""Where incidents recur among 300,000: gis.space_time_clusters beside scikit-learn's DBSCAN, same run, same labels.

A year of incidents within 100 m: spread evenly, and as calls come, half of them about addresses that act up again and
again, the others along streets. In space alone DBSCAN is given the places and finds neighbours in its tree; with a gap
in time, which is no distance that the tree knows, it is given the table of near pairs (its own radius_neighbors_graph,
without those too far apart in time), the fastest way that we found for it. Labels have to be equal one by one.

    python benchmarks/clusters.py
"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it also runs alone

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.cluster import DBSCAN
from sklearn.neighbors import radius_neighbors_graph

from benchmarks.table import Row, median_seconds, render
from gis.clusters import space_time_clusters

__all__ = ["main"]

POINTS = 300_000
RADIUS_M = 100.0
DAY = 86_400.0
YEAR = 365 * DAY
GAP_S = 30 * DAY
OURS = "gis.space_time_clusters"
PEER = "scikit-learn DBSCAN"

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def main(points: int = POINTS) -> list[Row]:
    """Return a row for each program and task. Raises AssertionError when a label differs."""
    rows = []
    for spread, (x, y, t) in {
        "evenly, 5 near each": _evenly(points, 5.0),
        "evenly, 20 near each": _evenly(points, 20.0),
        "as calls come": _as_calls_come(points),
    }.items():
        for gap_s, peer in ((2 * YEAR, _in_space), (GAP_S, _with_time)):
            when = "in space alone" if gap_s > YEAR else f"and within {gap_s / DAY:.0f} days"
            rows += _side_by_side(f"cluster {points:,} points, {spread}, {when}", x, y, t, gap_s, peer)
    spot, t = np.zeros(10_000), _evenly(10_000, 5.0)[2]
    rows.append(_memory("cluster 10,000 points on one spot", spot, spot, t))
    return rows


def _side_by_side(
    task: str,
    x: Floats,
    y: Floats,
    t: Floats,
    gap_s: float,
    peer: Callable[[Floats, Floats, Floats], Ints],
) -> list[Row]:
    found, theirs = space_time_clusters(x, y, t, RADIUS_M, gap_s), peer(x, y, t)
    assert np.array_equal(found, theirs), f"{task}: {(found != theirs).sum()} labels differ"
    seconds = median_seconds(
        {
            OURS: lambda: space_time_clusters(x, y, t, RADIUS_M, gap_s),
            PEER: lambda: peer(x, y, t),
        }
    )
    note = f"{found.max() + 1:,} clusters, {(found >= 0).mean():.0%} of the points in one"
    return [
        Row(task, OURS, seconds[OURS], "s", note=note),
        Row(task, PEER, seconds[PEER], "s", seconds[PEER] / seconds[OURS], str(peer.__doc__)),
    ]


def _in_space(x: Floats, y: Floats, _t: Floats) -> Ints:
    """Its own tree."""
    labels: Ints = DBSCAN(eps=RADIUS_M, min_samples=3).fit(np.column_stack([x, y])).labels_
    return labels


def _with_time(x: Floats, y: Floats, t: Floats) -> Ints:
    """Its own graph of near places, thinned by time."""
    graph = radius_neighbors_graph(np.column_stack([x, y]), RADIUS_M, mode="connectivity").tocoo()
    near = np.abs(t[graph.row] - t[graph.col]) <= GAP_S
    ends = graph.row[near], graph.col[near]
    # explicit zeros count as neighbours: the pairs are the neighbourhood, whatever their distance
    pairs = csr_array((np.zeros(ends[0].size), ends), shape=graph.shape)
    labels: Ints = DBSCAN(eps=1.0, min_samples=3, metric="precomputed").fit(pairs).labels_
    return labels


def _evenly(points: int, near: float) -> tuple[Floats, Floats, Floats]:
    random = np.random.default_rng(0)
    width = RADIUS_M * np.sqrt(points * np.pi / near)
    return random.uniform(0, width, points), random.uniform(0, width, points), random.uniform(0, YEAR, points)


def _as_calls_come(points: int, width: float = 30_000.0) -> tuple[Floats, Floats, Floats]:
    random = np.random.default_rng(0)
    calls, addresses = points // 2, points // 20
    places = random.uniform(0, width, (addresses, 2))
    often = np.arange(1, addresses + 1) ** -0.7
    about = random.choice(addresses, calls, p=often / often.sum())
    streets = random.uniform(0, width, (points - calls, 2))
    streets[:, 1] = np.round(streets[:, 1] / 250) * 250  # a street every 250 m
    all_of_them = np.concatenate([places[about] + random.normal(0, 8, (calls, 2)), streets])
    x, y = random.permutation(all_of_them).T
    return np.ascontiguousarray(x), np.ascontiguousarray(y), random.uniform(0, YEAR, points)


def _memory(task: str, x: Floats, y: Floats, t: Floats) -> Row:
    tracemalloc.start()
    try:
        space_time_clusters(x, y, t, RADIUS_M, GAP_S)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return Row(task, OURS, most / 1e6, "MB", note="peak of its work space")


if __name__ == "__main__":
    print(render(main()))
