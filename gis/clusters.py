"""Where incidents recur: groups of points that are close to each other in space and in time.

Most points of a city lie either alone or on a heap: many calls about one address. So the points are sorted into
cells, half a radius wide and one gap long, in which all are near each other; a cell with enough of them is full, and
all of them are cores of one cluster without a look at any pair. Pairs are formed only of the others, and between full
cells only where their bounding boxes leave it open. The answer is that of the plain rule, to the last point.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from gis.errors import InvalidInput

__all__ = ["NOISE", "space_time_clusters"]

NOISE = -1
"""The label of a point in no cluster."""

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_AT_ONCE = 1 << 17  # pairs looked at in one go: their work space stays in the processor's cache
_KEPT = (
    1 << 24
)  # pairs to look at up to which the near ones are kept, some 150 MB; above, they are found again
_MOST_CELLS = 1 << 24  # along x and along y; what lies beyond shares the last cell, which is slow but right
_PADDING = 2  # cells between the end of a row and the next row's beginning, so that a range never runs over


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
    208-221, without their third measure; the cells after Gunawan (2013), A faster algorithm for DBSCAN.
    """
    places = _checked(x_m, y_m, t_seconds)
    _check_limits(radius_m, gap_s, min_points)
    n = len(places)
    if not n:
        return np.empty(0, dtype=np.int64)
    reach = _Reach(radius_m, gap_s)
    frame = _Frame.around(places, reach)
    order = np.argsort(frame.keys, kind="stable")
    points = _Points(frame.keys[order], *(np.ascontiguousarray(places[order, axis]) for axis in range(3)))
    full, single = _sorted_out(points, reach, min_points)
    alone = points.take(single)

    pairs = _NearPairs(alone, frame, reach)
    at = _near_full_cells(full, alone, frame, reach)
    near = np.ones(single.size, dtype=np.int64)
    for first, second in pairs:
        near += np.bincount(first, minlength=near.size) + np.bincount(second, minlength=near.size)
    near += np.bincount(at.point, weights=at.many, minlength=near.size).astype(np.int64)
    core = near >= min_points

    # of a cluster's parts: the full cells first, then each other point
    groups = _Groups(full.size + single.size)
    for first, second in pairs:
        both = core[first] & core[second]
        groups.join(full.size + first[both], full.size + second[both])
    groups.join(at.cell[core[at.point]], full.size + at.point[core[at.point]])
    _join_full_cells(full, frame, reach, groups)

    group = np.full(n, -1, dtype=np.int64)  # of each core, as the caller counts the points
    group[order[full.members]] = np.repeat(groups.of[: full.size], full.many)
    group[order[single[core]]] = groups.of[full.size :][core]
    labels = _in_order_of_the_first(group)

    by_part = np.concatenate([labels[order[full.members[full.first]]], labels[order[single]]])
    lowest = np.full(single.size, n, dtype=np.int64)
    for first, second in pairs:
        for edge, middle in ((first, second), (second, first)):
            reached = ~core[edge] & core[middle]
            np.minimum.at(lowest, edge[reached], by_part[full.size + middle[reached]])
    reached = ~core[at.point]
    np.minimum.at(lowest, at.point[reached], by_part[at.cell[reached]])
    at_edge = np.flatnonzero(lowest < n)
    labels[order[single[at_edge]]] = lowest[at_edge]
    return labels


@dataclass(frozen=True, slots=True)
class _Reach:
    """What near means."""

    radius_m: float
    gap_s: float

    def holds(self, dx: Floats, dy: Floats, dt: Floats) -> Bools:
        """Say whether so much in between is near: `hypot` exactly, though it is asked only on the brink."""
        squared = dx * dx + dy * dy
        near: Bools = (squared <= self._beyond) & (np.abs(dt) <= self.gap_s)
        brink = np.flatnonzero(near & (squared > self._within))
        near[brink] = np.hypot(dx[brink], dy[brink]) <= self.radius_m
        return near

    def surely(self, dx: Floats, dy: Floats, dt: Floats) -> Bools:
        """Say where nothing at most as far apart as this can be out of reach."""
        sure: Bools = (dx * dx + dy * dy <= self._within) & (dt <= self.gap_s)
        return sure

    def perhaps(self, dx: Floats, dy: Floats, dt: Floats) -> Bools:
        """Say where something at least as far apart as this may still be near."""
        open_: Bools = (dx * dx + dy * dy <= self._beyond) & (dt <= self.gap_s)
        return open_

    @property
    def _squares(self) -> bool:
        return 1e-100 < self.radius_m < 1e100  # else its square is no number to rely on

    @property
    def _within(self) -> float:
        return self.radius_m**2 * (1 - 1e-12) if self._squares else -1.0

    @property
    def _beyond(self) -> float:
        return self.radius_m**2 * (1 + 1e-12) if self._squares else np.inf


@dataclass(frozen=True, slots=True)
class _Frame:
    """Cells half a radius wide and one gap long, numbered along x, then y, then time.

    keys : (n,) the number of each point's cell. row, slab : how far the numbers of cells above and after lie.
    slabs : how many cells there are along time.

    What is near lies at most two cells away along x and y, and one along time.
    """

    keys: Ints
    row: int
    slab: int
    slabs: int

    @classmethod
    def around(cls, places: Floats, reach: _Reach) -> _Frame:
        with np.errstate(over="ignore"):
            column, row, slab = (
                _cell_numbers(places[:, axis], width)
                for axis, width in enumerate((reach.radius_m / 2, reach.radius_m / 2, reach.gap_s))
            )
        column, row = np.minimum(column, _MOST_CELLS), np.minimum(row, _MOST_CELLS)
        columns = int(column.max()) + 1 + _PADDING
        in_slab = columns * (int(row.max()) + 1 + _PADDING)
        slab = np.minimum(slab, (1 << 62) // in_slab)
        keys = slab.astype(np.int64) * in_slab + row.astype(np.int64) * columns + column.astype(np.int64)
        return cls(keys, columns, in_slab, int(slab.max()) + 1)

    def rows_around(self) -> list[int]:
        """Return how far the rows of cells lie that may hold something near, the own one among them."""
        slabs = (0,) if self.slabs == 1 else (-1, 0, 1)
        return [slab * self.slab + row * self.row for slab in slabs for row in (-2, -1, 0, 1, 2)]

    def forward(self, keys: Ints) -> Iterator[tuple[Ints, Ints]]:
        """Yield ranges (start, how many) of what may be near each key and comes after it, in sorted keys."""
        for away in self.rows_around():
            if away == 0:
                start = np.arange(1, keys.size + 1)
                yield start, np.searchsorted(keys, keys + 2, "right") - start
            elif away > 0:
                yield self.across(keys, keys, away)

    @staticmethod
    def across(keys: Ints, others: Ints, away: int) -> tuple[Ints, Ints]:
        """Return ranges (start, how many) of sorted others that may be near each key, in the row so far away."""
        start = np.searchsorted(others, keys + (away - 2), "left")
        return start, np.searchsorted(others, keys + (away + 2), "right") - start


def _cell_numbers(values: Floats, width: float) -> Floats:
    """Return whole numbers from 0 for values in steps of a width, which is widened by more than rounding loses."""
    from_first = values - values.min()
    widened = width * (1 + 1e-9 + 8 * np.finfo(np.float64).eps * float(from_first.max() / width))
    numbers: Floats = np.floor(from_first / widened)
    return numbers


@dataclass(frozen=True, slots=True)
class _Points:
    """Points in the order of their cells."""

    keys: Ints
    x: Floats
    y: Floats
    t: Floats

    def take(self, chosen: Ints) -> _Points:
        return _Points(self.keys[chosen], self.x[chosen], self.y[chosen], self.t[chosen])


@dataclass(frozen=True, slots=True)
class _Full:
    """Cells whose points are all cores and near each other.

    keys, first, many, low, high : (size,) number of the cell, the first of its points and how many, and (size, 3)
    the box about them. members : positions of all their points, cell by cell; points : those points.
    """

    keys: Ints
    first: Ints
    many: Ints
    low: Floats
    high: Floats
    members: Ints
    points: _Points

    @property
    def size(self) -> int:
        return self.keys.size

    @classmethod
    def of(cls, points: _Points, first: Ints, many: Ints) -> _Full:
        members = np.repeat(first - (np.cumsum(many) - many), many) + np.arange(int(many.sum()))
        inner, begin = points.take(members), np.cumsum(many) - many
        axes = (inner.x, inner.y, inner.t)
        if not many.size:
            return cls(begin, begin, many, np.empty((0, 3)), np.empty((0, 3)), members, inner)
        low = np.column_stack([np.minimum.reduceat(axis, begin) for axis in axes])
        high = np.column_stack([np.maximum.reduceat(axis, begin) for axis in axes])
        return cls(inner.keys[begin], begin, many, low, high, members, inner)


def _sorted_out(points: _Points, reach: _Reach, min_points: int) -> tuple[_Full, Ints]:
    """Return the full cells, and the positions of the points in no such cell."""
    first = np.flatnonzero(np.diff(points.keys, prepend=-1))
    many = np.diff(first, append=points.keys.size)
    enough = many >= min_points
    full = _Full.of(points, first[enough], many[enough])
    small = reach.surely(*(full.high - full.low).T)
    if not small.all():  # a cell is as long as the gap and a trifle, so that this is rare
        enough[enough] = small
        full = _Full.of(points, first[enough], many[enough])
    return full, np.flatnonzero(~np.repeat(enough, many))


def _expanded(start: Ints, many: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield (which range, position in it) of all ranges, some whole ranges at a time."""
    which = np.flatnonzero(many > 0)
    if not which.size:
        return
    start, many = start[which], many[which]
    ends = np.cumsum(many)
    cuts = np.searchsorted(ends, np.arange(0, int(ends[-1]), _AT_ONCE), "right").tolist()
    for begin, end in zip(cuts, [*cuts[1:], which.size], strict=True):
        if begin == end:
            continue
        part = many[begin:end]
        shift = start[begin:end] - (ends[begin:end] - part)
        before = int(ends[begin] - part[0])
        yield (
            np.repeat(which[begin:end], part),
            np.repeat(shift, part) + np.arange(before, int(ends[end - 1])),
        )


class _NearPairs:
    """All pairs of near points, each once, to go through more than once."""

    def __init__(self, points: _Points, frame: _Frame, reach: _Reach) -> None:
        self._points, self._reach = points, reach
        self._ranges = list(frame.forward(points.keys))
        few = sum(int(many.sum()) for _, many in self._ranges) <= _KEPT
        self._kept = [self._joined()] if few else None

    def __iter__(self) -> Iterator[tuple[Ints, Ints]]:
        return iter(self._kept) if self._kept is not None else self._found()

    def _joined(self) -> tuple[Ints, Ints]:
        none = np.empty(0, dtype=np.int64)
        first, second = zip((none, none), *self._found(), strict=True)
        return np.concatenate(first), np.concatenate(second)

    def _found(self) -> Iterator[tuple[Ints, Ints]]:
        x, y, t = self._points.x, self._points.y, self._points.t
        for start, many in self._ranges:
            for a, b in _expanded(start, many):
                near = np.flatnonzero(self._reach.holds(x[a] - x[b], y[a] - y[b], t[a] - t[b]))
                yield a[near], b[near]


@dataclass(frozen=True, slots=True)
class _AtFull:
    """Which single points are near how many of the points in which full cells."""

    cell: Ints
    point: Ints
    many: Ints


def _near_full_cells(full: _Full, alone: _Points, frame: _Frame, reach: _Reach) -> _AtFull:
    found = [(np.empty(0, dtype=np.int64),) * 3]
    for away in frame.rows_around():
        for cell, point in _expanded(*frame.across(full.keys, alone.keys, away)):
            place = np.column_stack([alone.x[point], alone.y[point], alone.t[point]])
            low, high = full.low[cell], full.high[cell]
            far = np.maximum(high - place, place - low)
            gap = np.maximum(np.maximum(low - place, place - high), 0)
            sure, perhaps = reach.surely(*far.T), reach.perhaps(*gap.T)
            many = np.where(sure, full.many[cell], 0)
            open_ = np.flatnonzero(perhaps & ~sure)
            for which, member in _expanded(full.first[cell[open_]], full.many[cell[open_]]):
                p = point[open_[which]]
                near = reach.holds(
                    alone.x[p] - full.points.x[member],
                    alone.y[p] - full.points.y[member],
                    alone.t[p] - full.points.t[member],
                )
                many[open_] += np.bincount(which[near], minlength=open_.size)
            some = many > 0
            found.append((cell[some], point[some], many[some]))
    return _AtFull(*(np.concatenate(column) for column in zip(*found, strict=True)))


class _Groups:
    """Parts that belong together."""

    def __init__(self, parts: int) -> None:
        self.of: Ints = np.arange(parts)

    def join(self, first: Ints, second: Ints) -> None:
        if first.size:
            ends = self.of[first], self.of[second]
            links = csr_array((np.ones(first.size, dtype=np.int8), ends), shape=(self.of.size,) * 2)
            self.of = connected_components(links, directed=False)[1].astype(np.int64)[self.of]


def _join_full_cells(full: _Full, frame: _Frame, reach: _Reach, groups: _Groups) -> None:
    """Join the full cells of which a point of the one is near a point of the other.

    First those whose boxes say so; then by trial of the two points that are closest to the middle of the other
    cell's box; and only for what is left the rest of their pairs.
    """
    none = np.empty(0, dtype=np.int64)
    joined, open_ = [(none, none)], [(none, none)]
    for start, many in frame.forward(full.keys):
        for a, b in _expanded(start, many):
            far = np.maximum(full.high[a] - full.low[b], full.high[b] - full.low[a])
            gap = np.maximum(np.maximum(full.low[a] - full.high[b], full.low[b] - full.high[a]), 0)
            sure, perhaps = reach.surely(*far.T), reach.perhaps(*gap.T)
            left = perhaps & ~sure
            joined.append((a[sure], b[sure]))
            open_.append((a[left], b[left]))
    groups.join(*(np.concatenate(column) for column in zip(*joined, strict=True)))
    a, b = (np.concatenate(column) for column in zip(*open_, strict=True))
    a, b = _still_apart(a, b, groups)
    p, q = _closest_to(full, a, b, reach), _closest_to(full, b, a, reach)
    points = full.points
    near = reach.holds(points.x[p] - points.x[q], points.y[p] - points.y[q], points.t[p] - points.t[q])
    groups.join(a[near], b[near])
    a, b = _still_apart(a[~near], b[~near], groups)
    touching = np.zeros(a.size, dtype=np.bool_)
    for which, p in _expanded(full.first[a], full.many[a]):
        place = np.column_stack([points.x[p], points.y[p], points.t[p]])
        gap = np.maximum(np.maximum(full.low[b[which]] - place, place - full.high[b[which]]), 0)
        within = reach.perhaps(*gap.T)
        which, p = which[within], p[within]
        for one, q in _expanded(full.first[b[which]], full.many[b[which]]):
            r = p[one]
            near = reach.holds(
                points.x[r] - points.x[q], points.y[r] - points.y[q], points.t[r] - points.t[q]
            )
            touching[which[one[near]]] = True
    groups.join(a[touching], b[touching])


def _still_apart(a: Ints, b: Ints, groups: _Groups) -> tuple[Ints, Ints]:
    apart = groups.of[a] != groups.of[b]
    return a[apart], b[apart]


def _closest_to(full: _Full, cells: Ints, others: Ints, reach: _Reach) -> Ints:
    """Return of each cell the point that is closest to the middle of the other cell's box."""
    found = np.empty(cells.size, dtype=np.int64)
    middle = (full.low + full.high) / 2
    for which, member in _expanded(full.first[cells], full.many[cells]):
        x, y, t = middle[others[which]].T
        away = np.maximum(
            np.hypot(full.points.x[member] - x, full.points.y[member] - y) / reach.radius_m,
            np.abs(full.points.t[member] - t) / reach.gap_s,
        )
        order = np.lexsort((-away, which))  # of each cell the closest comes last, and stays
        found[which[order]] = member[order]
    return found


def _in_order_of_the_first(group: Ints) -> Ints:
    """Return labels from 0 for groups, by their first member; what has none, -1, stays."""
    members = np.flatnonzero(group >= 0)
    first = np.full(int(group.max(initial=-1)) + 1, group.size, dtype=np.int64)
    first[group[members[::-1]]] = members[::-1]  # the last that is set stays
    label = np.empty(first.size, dtype=np.int64)
    label[np.argsort(first, kind="stable")] = np.arange(first.size)
    return np.where(group >= 0, label[group], NOISE) if first.size else np.full(group.size, NOISE)


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
