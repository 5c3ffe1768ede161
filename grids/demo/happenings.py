"""What goes wrong in a made-up district in a year: what, where and when, before anybody deals with it.

Most of it is spread over the people, by season, day of the week and hour. The rest happens again and again in a
few places: water under low bridges on days of heavy rain, cars at the same gates, rubbish at the same corners,
a night market, a school, a station square. Some things are reported twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gis.borders import degree_in_metres
from gis.locate import Locator
from grids.demo.almanac import HOURS, Almanac
from grids.demo.patterns import BRIDGE, PATTERNS, REST, SPOTS, SpotKind
from grids.rules.calendar import SHANGHAI
from grids.rules.categories import CategoryRule

__all__ = ["Happenings", "Spot", "Terrain", "happen"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Spot:
    """One place where things come back; its name without the street's."""

    kind: SpotKind
    lon: float
    lat: float


@dataclass(frozen=True)
class Terrain:
    """The cells of one district and how to find them.

    codes : (n,) of its cells, sorted. bounds : (n, 4). people, urban : (n,). locator : over the whole city, with
    `first` as the index of the district's first cell. old_town : (n,) cells of the street in the middle, where
    the night market, the school and the station square are; empty where there is none.
    """

    codes: list[str]
    bounds: Floats
    people: Floats
    urban: NDArray[np.bool_]
    old_town: NDArray[np.bool_]
    locator: Locator
    first: int

    def cell_of(self, lon: Floats, lat: Floats) -> NDArray[np.intp]:
        """Return the place in `codes` of the cell that holds each point, below 0 or beyond for none of them."""
        return self.locator.locate(lon, lat) - self.first

    def inside(self, lon: Floats, lat: Floats) -> NDArray[np.bool_]:
        """Tell which points lie in this district."""
        place = self.cell_of(lon, lat)
        return np.asarray((place >= 0) & (place < len(self.codes)))


@dataclass(frozen=True)
class Happenings:
    """Everything that was reported, in the order of the reports.

    at : (n,) seconds since 1970. category : (n,) places in the list of categories. lon, lat : (n,) CGCS2000.
    spot : (n,) places in `spots`, -1 elsewhere. master : (n,) which earlier report it repeats, -1 for none.
    """

    at: Ints
    category: Ints
    lon: Floats
    lat: Floats
    spot: Ints
    master: Ints
    spots: list[Spot]

    def __len__(self) -> int:
        return int(self.at.size)


def happen(
    count: int,
    terrain: Terrain,
    almanac: Almanac,
    categories: tuple[CategoryRule, ...],
    until: datetime,
    random: np.random.Generator,
) -> Happenings:
    """Return `count` reports from the almanac's first day until a moment."""
    place = {rule.code: number for number, rule in enumerate(categories)}
    duplicates = round(count * _DUPLICATES)
    parts, spots = _at_spots(count, terrain, almanac, place, random)
    left = count - duplicates - sum(len(part.at) for part in parts)
    once = _joined([*parts, _elsewhere(left, terrain, almanac, categories, random)])
    again, which = _repeated(duplicates, once, categories, terrain, random)
    every = _joined([once, again])
    master = np.concatenate([np.full(once.at.size, -1), which])
    at = _before(every.at, master, int(_midnight(almanac).timestamp()), int(until.timestamp()))
    order = np.lexsort((master, at))
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return Happenings(
        at=at[order],
        category=every.category[order],
        lon=every.lon[order],
        lat=every.lat[order],
        spot=every.spot[order],
        master=np.where(master >= 0, rank[master], -1)[order],
        spots=spots,
    )


_DUPLICATES = 0.04
_WEEK = 7 * 86_400


class _Part(NamedTuple):
    at: Ints
    category: Ints
    lon: Floats
    lat: Floats
    spot: Ints


def _joined(parts: list[_Part]) -> _Part:
    return _Part(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _before(at: Ints, master: Ints, first: int, last: int) -> Ints:
    """Put everything between two moments, and what repeats a report after it.

    What the calendar would put after the last moment happens in the same hour some weeks earlier.
    """
    at = np.where(at >= last, at - (1 + (at - last) // _WEEK) * _WEEK, at)
    at = np.clip(at, first, last - 1)
    early = (master >= 0) & (at <= at[master])
    return np.where(early, np.minimum(at[master] + 60, last - 1), at)


def _midnight(almanac: Almanac) -> datetime:
    return datetime(almanac.first.year, almanac.first.month, almanac.first.day, tzinfo=SHANGHAI)


def _moments(
    count: int, almanac: Almanac, season: str, week: str, hours: str, random: np.random.Generator
) -> Ints:
    days = random.choice(len(almanac.month), count, p=almanac.weights(season, week))
    return _on_days(days, almanac, hours, random)


def _on_days(days: NDArray[np.intp], almanac: Almanac, hours: str, random: np.random.Generator) -> Ints:
    profile = np.array(HOURS[hours], dtype=float)
    hour = random.choice(24, days.size, p=profile / profile.sum())
    start = int(_midnight(almanac).timestamp())
    return np.asarray(
        start + days * 86_400 + hour * 3_600 + random.integers(0, 3_600, days.size), dtype=np.int64
    )


def _at_spots(
    count: int, terrain: Terrain, almanac: Almanac, place: dict[str, int], random: np.random.Generator
) -> tuple[list[_Part], list[Spot]]:
    spots: list[Spot] = []
    parts = []
    for kind in (BRIDGE, *SPOTS):
        wanted = round(count * kind.share)
        own = max(2 if kind is BRIDGE else 1, round(wanted / kind.times))
        if kind is BRIDGE:
            wet = almanac.heavy_days()
            # on the wettest days water stands under every bridge
            days = np.tile(wet, own)[: own * len(wet)]
            which = np.repeat(np.arange(own), len(wet))
            chosen = random.permutation(len(days))[:wanted]
            days, which = days[chosen], which[chosen]
            at = _on_days(days, almanac, "even", random) % 3_600
            at += int(_midnight(almanac).timestamp()) + days * 86_400 + (almanac.rain_hour[days] + 1) * 3_600
        else:
            which = random.integers(0, own, wanted)
            at = _moments(wanted, almanac, kind.season, kind.week, kind.hours, random)
        first = len(spots)
        spots += _choose_spots(own, kind, terrain, random)
        codes, shares = zip(*kind.what, strict=True)
        what = random.choice([place[code] for code in codes], at.size, p=np.array(shares) / sum(shares))
        lon = np.array([spots[first + number].lon for number in which.tolist()])
        lat = np.array([spots[first + number].lat for number in which.tolist()])
        lon, lat = _scattered(lon, lat, kind.spread_m, terrain, random)
        parts.append(_Part(at, what.astype(np.int64), lon, lat, (first + which).astype(np.int64)))
    return parts, spots


def _choose_spots(count: int, kind: SpotKind, terrain: Terrain, random: np.random.Generator) -> list[Spot]:
    weight = np.where(terrain.urban, terrain.people, 0.0)
    lon, lat = _places(count, weight, terrain, random)
    if terrain.old_town.any():
        # the first of each kind lies where visitors of the demo have their posts
        here = _places(1, np.where(terrain.old_town, terrain.people, 0.0), terrain, random)
        lon[0], lat[0] = here[0][0], here[1][0]
    return [Spot(kind, x, y) for x, y in zip(lon.tolist(), lat.tolist(), strict=True)]


def _elsewhere(
    count: int,
    terrain: Terrain,
    almanac: Almanac,
    categories: tuple[CategoryRule, ...],
    random: np.random.Generator,
) -> _Part:
    patterns = [PATTERNS.get(rule.code, REST) for rule in categories]
    weight = np.array([pattern.weight for pattern in patterns])
    what = random.choice(len(categories), count, p=weight / weight.sum())
    at = np.zeros(count, dtype=np.int64)
    lon, lat = np.zeros(count), np.zeros(count)
    spread = {
        "people": terrain.people,
        "urban": np.where(terrain.urban, terrain.people, 0.0),
        "rural": np.where(terrain.urban, 0.0, terrain.people),
    }
    for times in sorted({pattern[1:4] for pattern in patterns}):
        rows = np.flatnonzero(
            np.isin(what, [n for n, pattern in enumerate(patterns) if pattern[1:4] == times])
        )
        at[rows] = _moments(rows.size, almanac, *times, random)
    for where in sorted(spread):
        rows = np.flatnonzero(
            np.isin(what, [n for n, pattern in enumerate(patterns) if pattern.where == where])
        )
        lon[rows], lat[rows] = _places(rows.size, spread[where], terrain, random)
    return _Part(at, what.astype(np.int64), lon, lat, np.full(count, -1, dtype=np.int64))


def _places(
    count: int, weight: Floats, terrain: Terrain, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return points in cells drawn by weight, evenly inside each."""
    cell = random.choice(len(weight), count, p=weight / weight.sum())
    lon, lat = np.zeros(count), np.zeros(count)
    left = np.arange(count)
    while left.size:
        west, south, east, north = terrain.bounds[cell[left]].T
        x, y = random.uniform(west, east), random.uniform(south, north)
        hit = terrain.cell_of(x, y) == cell[left]
        lon[left[hit]], lat[left[hit]] = x[hit], y[hit]
        left = left[~hit]
    return lon, lat


def _scattered(
    lon: Floats, lat: Floats, metres: float | Floats, terrain: Terrain, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """Move points by some metres; those that would leave the district stay."""
    along, up = degree_in_metres(lat)
    x = lon + random.normal(0, 1, lon.size) * metres / along
    y = lat + random.normal(0, 1, lon.size) * metres / up
    stay = ~terrain.inside(x, y)
    return np.where(stay, lon, x), np.where(stay, lat, y)


def _repeated(
    count: int,
    once: _Part,
    categories: tuple[CategoryRule, ...],
    terrain: Terrain,
    random: np.random.Generator,
) -> tuple[_Part, NDArray[np.intp]]:
    """Report some things again, soon after and near by; return the reports and which they repeat."""
    radius = np.array([rule.recurrence_radius_m or 0 for rule in categories], dtype=float)[once.category]
    which = random.choice(np.flatnonzero(radius > 0), count)
    later = random.lognormal(np.log(3_600), 0.9, count).astype(np.int64) + 120
    lon, lat = _scattered(once.lon[which], once.lat[which], radius[which] / 4, terrain, random)
    return _Part(once.at[which] + later, once.category[which], lon, lat, once.spot[which]), which
