"""Default points: one coordinate that holds many incidents which have nothing to do with each other.

Where nobody knows the place, a form or a geocoder writes down one that it knows: the city hall, the hotline's own
address, the middle of a town. On a map that is the hottest spot of the city, and no officer could ever cool it.
What gives it away is not how much lies there but that it is everything: a broken lift comes back as a lift, an
unlit crossing as an unlit crossing; a default point has the whole catalogue, on all days, or takes in many
addresses that cannot all be there. And it has much more than the coordinates round it, which is what tells it from
a large estate in a part of the city where every gate has a bit of everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from gis.borders import degree_in_metres
from gis.errors import InvalidInput

__all__ = [
    "DECIMALS",
    "LARGEST_SHARE",
    "MIN_ADDRESSES",
    "MIN_CATEGORIES",
    "MIN_COUNT",
    "MIN_DAYS",
    "NEIGHBOURS",
    "TIMES_NEIGHBOURS",
    "DefaultPoint",
    "find_default_points",
]

DECIMALS = 6
"""Degrees are compared at six places, a tenth of a metre: no two fixes of a telephone agree so well, so what agrees
was looked up, not measured."""

MIN_COUNT = 20
"""Below this a few categories come together by chance, and the map would not change if they were left out."""

MIN_CATEGORIES = 4.0
"""How many categories weigh alike there, counted as 1 / sum of squared shares (Simpson 1949; Hill 1973): four
equal ones give four, while one that has nine tenths and three that share the rest give 1.2."""

LARGEST_SHARE = 0.5
"""No category has more than half: where one does, that is what is wrong there."""

MIN_ADDRESSES = 5.0
"""How many addresses weigh alike there, where addresses are known: five are no variants of one spelling."""

MIN_DAYS = 5
"""On fewer days it may be one storm, one fire or one man with a long list."""

NEIGHBOURS = 20
"""The nearest other coordinates say how much one holds in this part of the city; a distance instead would leave a
village with nobody to be compared with."""

TIMES_NEIGHBOURS = 5.0
"""How often it holds what the coordinates round it hold on average."""


@dataclass(frozen=True, slots=True)
class DefaultPoint:
    """A coordinate that stands for no place.

    lon, lat : degrees, at six decimals. n : incidents there. categories : how many different ones. addresses : how
    many different ones, 0 where none are known. days : how many different ones. members : positions in the arrays
    given, ascending.
    """

    lon: float
    lat: float
    n: int
    categories: int
    addresses: int
    days: int
    members: tuple[int, ...]


def find_default_points(
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    category: Sequence[str] | NDArray[np.str_],
    day: NDArray[np.datetime64],
    text_key: Sequence[str | None] | Callable[[NDArray[np.int64]], Sequence[str | None]] | None = None,
    *,
    min_count: int = MIN_COUNT,
    min_categories: float = MIN_CATEGORIES,
    largest_share: float = LARGEST_SHARE,
    min_addresses: float = MIN_ADDRESSES,
    min_days: int = MIN_DAYS,
    times_neighbours: float = TIMES_NEIGHBOURS,
) -> list[DefaultPoint]:
    """Return the default points among n incidents, the one with most incidents first.

    lon, lat : (n,) degrees, finite. category : (n,) codes; "" for none, which is one category too. day : (n,)
    datetime64 of any unit, counted by the day. text_key : (n,) address in one spelling, None or "" where unknown;
    or what returns them for some positions, and is asked once, for those that the answer hangs on.

    A coordinate is one when it has `min_count` incidents on `min_days` days, `times_neighbours` as many as the
    20 coordinates next to it have on average (the only one there is passes: nothing to compare it with), no category
    with more than `largest_share`, and either `min_categories` that weigh alike or `min_addresses` addresses that do.
    Merged duplicates should be left out by the caller. Does not depend on the order of the input.
    Raises `InvalidInput("bad_incidents")` when lengths differ or a coordinate is missing,
    `InvalidInput("bad_default_point_rule")` for numbers that make no rule.
    """
    _check_rule(min_count, min_categories, largest_share, min_addresses, min_days, times_neighbours)
    kinds = np.asarray(category, dtype=np.str_)
    days = np.asarray(day).astype("datetime64[D]")
    _check(lon, lat, kinds, days, None if callable(text_key) else text_key)
    cell, held, order = _coordinates(lon, lat)
    wide = np.flatnonzero(held >= min_count)
    if not len(wide):
        return []
    busy = wide[held[wide] >= times_neighbours * _around(cell, held, wide)]
    starts = (np.cumsum(held) - held)[busy]
    everything = []
    for spot, start in zip(busy.tolist(), starts.tolist(), strict=True):
        members = np.sort(order[start : start + int(held[spot])])
        shares = _shares(kinds[members])
        when = len(np.unique(days[members]))
        if shares.max() <= largest_share and when >= min_days:
            everything.append((spot, members, shares, when))
    texts = _texts(text_key, [members for _, members, _, _ in everything])
    found = []
    for (spot, members, shares, when), keys in zip(everything, texts, strict=True):
        told = [text for text in keys if text]
        # addresses of the few that have one do not speak for the rest
        addresses = _alike(_shares(np.array(told))) if 2 * len(told) >= len(members) else 0.0
        mixed = _alike(shares) >= min_categories or addresses >= min_addresses
        if mixed:
            found.append(
                DefaultPoint(
                    lon=float(cell[spot, 0]) / 10**DECIMALS,
                    lat=float(cell[spot, 1]) / 10**DECIMALS,
                    n=len(members),
                    categories=len(shares),
                    addresses=len(set(told)),
                    days=when,
                    members=tuple(members.tolist()),
                )
            )
    return sorted(found, key=lambda point: (-point.n, point.lon, point.lat))


def _coordinates(
    lon: NDArray[np.float64], lat: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the different coordinates (m, 2) in millionths, how many incidents each has, and (n,) theirs in order."""
    east, north = (np.round(axis * 10**DECIMALS).astype(np.int64) for axis in (lon, lat))
    # one number a coordinate sorts several times faster than rows do; 180 degrees are 1.8e8 of these steps
    key = (east + 180 * 10**DECIMALS) * (400 * 10**DECIMALS) + (north + 180 * 10**DECIMALS)
    order = np.argsort(key)
    first = np.flatnonzero(np.diff(key[order], prepend=-1))
    one = order[first]
    return np.column_stack([east[one], north[one]]), np.diff(first, append=key.size), order


def _texts(
    text_key: Sequence[str | None] | Callable[[NDArray[np.int64]], Sequence[str | None]] | None,
    groups: Sequence[NDArray[np.int64]],
) -> list[Sequence[str | None]]:
    """Return the addresses of each group of positions, none where nobody tells any."""
    if text_key is None or not groups:
        return [()] * len(groups)
    if not callable(text_key):
        return [[text_key[i] for i in members.tolist()] for members in groups]
    told = text_key(np.concatenate(groups))
    ends = np.cumsum([len(members) for members in groups]).tolist()
    return [told[end - len(members) : end] for end, members in zip(ends, groups, strict=True)]


def _around(cell: NDArray[np.int64], held: NDArray[np.int64], spots: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return how many incidents the coordinates next to each of `spots` have on average, 0 where there are none."""
    others = min(NEIGHBOURS, len(cell) - 1)
    if not others:
        return np.zeros(len(spots))
    degrees = cell / 10**DECIMALS
    east, north = degree_in_metres(degrees[:, 1].mean(keepdims=True))
    plane = degrees * np.concatenate([east, north])
    # asked of a few coordinates only, so that a tree that is made quickly is better than one that answers quickly
    tree = cKDTree(plane, balanced_tree=False, compact_nodes=False)
    near = np.asarray(tree.query(plane[spots], others + 1)[1])  # the nearest is itself
    return held[near[:, 1:]].mean(axis=1)  # type: ignore[no-any-return]


def _shares(values: NDArray[np.str_]) -> NDArray[np.float64]:
    if not len(values):
        return np.ones(1)
    _, counts = np.unique(values, return_counts=True)
    return counts / counts.sum()  # type: ignore[no-any-return]


def _alike(shares: NDArray[np.float64]) -> float:
    """Return how many equal parts are as mixed as these (inverse Simpson index)."""
    return float(1 / (shares**2).sum() + 1e-9)


def _check_rule(
    min_count: int,
    min_categories: float,
    largest_share: float,
    min_addresses: float,
    min_days: int,
    times_neighbours: float,
) -> None:
    if (
        min_count < 2
        or min_categories <= 1
        or min_addresses <= 1
        or not 0 < largest_share <= 1
        or min_days < 1
        or times_neighbours < 1
    ):
        raise InvalidInput(
            "bad_default_point_rule",
            "a default point needs at least 2 incidents, more than 1 category and address, a largest share above 0"
            f" and up to 1, 1 day, and 1 time its neighbours; got {min_count}, {min_categories}, {min_addresses},"
            f" {largest_share}, {min_days}, {times_neighbours}",
            field="rule",
        )


def _check(
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    category: NDArray[np.str_],
    day: NDArray[np.datetime64],
    text_key: Sequence[str | None] | None,
) -> None:
    lengths = {len(lon), len(lat), len(category), len(day)} | (set() if text_key is None else {len(text_key)})
    if len(lengths) != 1:
        raise InvalidInput(
            "bad_incidents", f"the arrays have different lengths: {sorted(lengths)}", field="incidents"
        )
    missing = ~(np.isfinite(lon) & np.isfinite(lat)) | (np.abs(lon) > 180) | (np.abs(lat) > 90)
    if missing.any():
        index = int(np.flatnonzero(missing)[0])
        raise InvalidInput("bad_incidents", f"incident {index} has no place", field="incidents", index=index)
