"""How often a misdeclared frame is noticed: made-up districts all over China, half of them declared as they are.

Every set is a district at an arbitrary place, drawn anew from numbers: its cells as an earlier edition has them, and a
file of today that redraws some, moves some borders, is measured with some noise, and may cover a part only. The
file is written in one frame and declared as one; the evidence is control points, the earlier outline or the
earlier cells. Tables of points are counted on their own, since most of them cannot tell.

    python benchmarks/frames.py [SETS]
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it also runs alone

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.borders import degree_in_metres
from gis.crs import metric_crs, parse_frame
from gis.frames import Verdict, examine_borders, examine_control_points, examine_points
from gis.readings import Reading

__all__ = ["EVIDENCE", "Tally", "judged", "tally"]

EVIDENCE = ("control points", "outline", "cells")

Floats = NDArray[np.float64]
Shapes = NDArray[np.object_]

_DEGREES = ("WGS84", "CGCS2000", "GCJ02", "BD09")


@dataclass(frozen=True)
class Judged:
    """One set: what the file is written in, what it is declared as, and what was said of it."""

    evidence: str
    true: Reading
    verdict: Verdict
    apart_m: float  # between what was written and what was declared, at the middle of the district

    @property
    def honest(self) -> bool:
        """Whether the declared frame is the true one, under whichever of its names."""
        return self.apart_m < 1.0

    @property
    def named(self) -> bool:
        """Whether the true frame is the one that was named."""
        fits = self.verdict.fits
        return fits is not None and str(fits) == str(self.true)


@dataclass(frozen=True)
class Tally:
    """Counts over some sets."""

    honest: int
    false_alarms: int
    misdeclared: int
    caught: int
    named: int
    undecided: int
    """Honest sets of which nothing could be said."""

    @property
    def recall(self) -> float:
        """Share of the misdeclared sets that were noticed."""
        return self.caught / self.misdeclared

    @property
    def false_alarm_rate(self) -> float:
        """Share of the honest sets that were accused."""
        return self.false_alarms / self.honest

    @property
    def named_rate(self) -> float:
        """Share of the noticed sets for which the frame that fits was named."""
        return self.named / self.caught


def tally(sets: list[Judged]) -> Tally:
    """Count what was said of some sets."""
    honest = [one for one in sets if one.honest]
    wrong = [one for one in sets if not one.honest]
    caught = [one for one in wrong if one.verdict.misdeclared]
    return Tally(
        honest=len(honest),
        false_alarms=sum(one.verdict.misdeclared for one in honest),
        misdeclared=len(wrong),
        caught=len(caught),
        named=sum(one.named for one in caught),
        undecided=sum(one.verdict.fits is None for one in honest),
    )


def judged(sets: int, *, evidence: tuple[str, ...] = EVIDENCE, first: int = 0) -> Iterator[Judged]:
    """Make sets and judge each; set number n is the same in every run."""
    for number in range(first, first + sets):
        random = np.random.default_rng([2026, number])
        kind = evidence[number % len(evidence)]
        place = float(random.uniform(75, 134)), float(random.uniform(19, 52))
        true, declared = _frames(place, random)
        metres = _District(random)
        if kind == "points":
            verdict = _by_points(place, metres, true, declared, random)
        elif kind == "control points":
            verdict = _by_control_points(place, metres, true, declared, random)
        else:
            verdict = _by_borders(place, metres, true, declared, random, outline=kind == "outline")
        yield Judged(kind, true, verdict, _apart(true, declared, place))


def _frames(place: tuple[float, float], random: np.random.Generator) -> tuple[Reading, str]:
    """Return how a file is written, and what is said of it: the same in 55 of 100 files."""
    zone = round(place[0] / 3)
    systems = (
        metric_crs(*place).to_string(),
        f"EPSG:{4513 + zone - 25}",  # its zone before the easting
        f"EPSG:{4534 + zone - 25 + int(random.choice([-1, 1]))}",  # the neighbour's
        f"EPSG:{32601 + int((place[0] + 180) // 6)}",
        "EPSG:3857",
    )
    shares = [0.15, 0.15, 0.27, 0.23, 0.06, 0.04, 0.04, 0.03, 0.03]
    names = (*_DEGREES, *systems)
    written = str(random.choice(names, p=shares))
    if random.random() < 0.55:
        return Reading(parse_frame(written)), written
    if random.random() < 0.1:
        return Reading(parse_frame(written), swapped=True), written
    declared = str(random.choice(names, p=shares))
    return Reading(parse_frame(written)), declared


class _District:
    """The ground in metres round (0, 0): an uneven outline and the middles of its cells."""

    def __init__(self, random: np.random.Generator) -> None:
        self.radius = float(random.uniform(2_000, 12_000))
        angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
        wave = sum(
            random.normal(0, 0.12 / k) * np.cos(k * angle + random.uniform(0, 2 * np.pi)) for k in range(1, 6)
        )
        reach = self.radius * (1 + np.clip(wave, -0.5, 0.5))
        self.outline = shapely.Polygon(np.column_stack([reach * np.cos(angle), reach * np.sin(angle)]))
        count = int(random.integers(25, 140))
        self.seeds = random.uniform(-1, 1, (count, 2)) * self.radius * 1.3
        waves = random.uniform(250, 900, 4)
        turn = random.uniform(0, 2 * np.pi, 4)
        self.bends = np.column_stack([np.cos(turn), np.sin(turn)]) * (2 * np.pi / waves)[:, None]
        self.phase = random.uniform(0, 2 * np.pi, (4, 2))

    def cells(self, seeds: Floats) -> Shapes:
        """Return the cells about some middles, their borders bent alike on both sides."""
        drawn = shapely.get_parts(
            shapely.voronoi_polygons(shapely.MultiPoint(seeds), extend_to=self.outline.buffer(self.radius))
        )
        cut = shapely.intersection(drawn, self.outline)
        parts = shapely.get_parts(cut[~shapely.is_empty(cut)])
        parts = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
        fine = shapely.segmentize(parts, 60.0)
        return np.asarray(shapely.transform(fine, self._bent), dtype=object)

    def rim(self) -> Shapes:
        """Return the outline of the district, bent as the cells are."""
        fine = shapely.segmentize(self.outline, 60.0)
        return np.array([shapely.transform(fine, self._bent)], dtype=object)

    def _bent(self, xy: Floats) -> Floats:
        along = xy @ self.bends.T
        return xy + 12.0 * np.column_stack(
            [np.sin(along + self.phase[:, axis]).sum(axis=1) for axis in (0, 1)]
        )


def _by_borders(
    place: tuple[float, float],
    district: _District,
    true: Reading,
    declared: str,
    random: np.random.Generator,
    *,
    outline: bool,
) -> Verdict:
    seeds = district.seeds.copy()
    if random.random() < 0.6:  # some cells, side by side, are drawn anew
        middle = seeds[random.integers(len(seeds))]
        order = np.argsort(np.hypot(*(seeds - middle).T))
        anew = order[: int(len(seeds) * random.uniform(0.02, 0.4))]
        seeds[anew] += random.normal(0, district.radius * 0.15, (len(anew), 2))
    today = district.cells(seeds)
    if random.random() < 0.5:  # and only some are in the file
        centre = shapely.get_coordinates(shapely.centroid(today))
        rim = shapely.distance(shapely.centroid(today), district.outline.exterior)
        from_cell = int(np.argmin(rim)) if outline else int(random.integers(len(today)))
        order = np.argsort(np.hypot(*(centre - centre[from_cell]).T))
        today = today[order[: max(6, int(len(today) * random.uniform(0.25, 0.9)))]]
    today = _moved(today, district, random)
    reference = district.rim() if outline else district.cells(district.seeds)
    file = shapely.transform(today, lambda xy: true.numbers(*_degrees(xy, place).T))
    return examine_borders(file, declared, shapely.transform(reference, lambda xy: _degrees(xy, place)))


def _moved(cells: Shapes, district: _District, random: np.random.Generator) -> Shapes:
    """Move 2 % of the borders by up to 100 m, all a little, and every vertex by the noise of a survey."""
    noise, aside = float(random.uniform(0, 10)), random.normal(0, 3, 2)

    def move(xy: Floats) -> Floats:
        corners, at = np.unique(np.round(xy, 3), axis=0, return_inverse=True)
        moved = corners + aside + random.normal(0, noise / np.sqrt(2), corners.shape)
        for _ in range(2):
            middle = random.uniform(-0.7, 0.7, 2) * district.radius
            bump = np.exp(-0.5 * (np.hypot(*(corners - middle).T) / (0.07 * district.radius)) ** 2)
            moved += bump[:, None] * random.uniform(-100, 100, 2)
        return np.asarray(moved[at.ravel()])

    return np.asarray(shapely.transform(cells, move), dtype=object)


def _by_control_points(
    place: tuple[float, float],
    district: _District,
    true: Reading,
    declared: str,
    random: np.random.Generator,
) -> Verdict:
    count = int(random.integers(3, 31))
    spots = random.uniform(-0.7, 0.7, (count, 2)) * district.radius
    seen = spots + random.normal(0, float(random.uniform(0, 10)) / np.sqrt(2), spots.shape)
    if count >= 10:  # some are of another place
        seen[: int(0.15 * count)] += random.uniform(200, 2_000, 2)
    lon, lat = _degrees(spots, place).T
    x, y = true.numbers(*_degrees(seen, place).T).T
    return examine_control_points(x, y, lon, lat, declared)


def _by_points(
    place: tuple[float, float],
    district: _District,
    true: Reading,
    declared: str,
    random: np.random.Generator,
) -> Verdict:
    """Judge a year of incidents: more in the middle than outside, some of them of the neighbours."""
    count = int(random.integers(200, 20_000))
    spots = random.normal(0, 0.45 * district.radius, (count * 3, 2))
    held = shapely.contains_xy(district.outline, *spots.T)
    if random.random() < 0.5:  # the table also has what people outside called about
        held |= random.random(len(held)) < random.uniform(0, 0.05)
    spots = spots[held][:count] + random.normal(0, random.uniform(0, 30), (min(count, int(held.sum())), 2))
    x, y = true.numbers(*_degrees(spots, place).T).T
    ground = shapely.transform(district.outline, lambda xy: _degrees(xy, place))
    return examine_points(x, y, declared, ground)


def _degrees(xy: Floats, place: tuple[float, float]) -> Floats:
    along, up = degree_in_metres(np.array([place[1]]))
    return xy / np.array([along[0], up[0]]) + place


def _apart(true: Reading, declared: str, place: tuple[float, float]) -> float:
    at = np.array([place[0]]), np.array([place[1]])
    other = Reading(parse_frame(declared))
    way = (true.numbers(*at) - other.numbers(*at))[0] * true.metres(*place)
    return float(np.hypot(*way)) if np.isfinite(way).all() else float("inf")


def report(sets: int = 1_000) -> str:
    """Judge this many sets, and as many tables of points, and return the figures as a table."""
    rows = [
        "| evidence | misdeclared | noticed | frame named | honest | accused | cannot tell |",
        "|---|" + "---:|" * 6,
    ]
    found = list(judged(sets))
    parts = [("all", found), *((kind, [one for one in found if one.evidence == kind]) for kind in EVIDENCE)]
    parts.append(("points of a table", list(judged(sets, evidence=("points",)))))
    for name, part in parts:
        said = tally(part)
        rows.append(
            f"| {name} | {said.misdeclared} | {said.recall:.1%} | {said.named_rate:.1%} of these | {said.honest} | "
            f"{said.false_alarm_rate:.1%} | {said.undecided} |"
        )
    missed = Counter(
        f"{one.true} declared {one.verdict.declared}"
        for one in found
        if not one.honest and not one.verdict.misdeclared
    )
    return "\n".join([*rows, *(f"missed: {count} x {what}" for what, count in missed.most_common(5))])


if __name__ == "__main__":
    print(report(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000))
