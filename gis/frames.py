"""Whether coordinates are counted in the frame that somebody declared, and which frame fits if they are not.

Three kinds of evidence, from strong to weak: control points, whose true places are known; the borders of the
district, or of its cells, as another source has them; the share of a table's points that lies in the district.
Each is compared with what the frames in question would write for the true places (`gis.readings`). Where the
evidence does not tell two frames apart, the verdict says so and names none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree
from shapely.geometry.base import BaseGeometry

from gis.crs import AnyFrame, Frame, parse_frame
from gis.errors import InvalidInput
from gis.readings import Reading, readings_at

__all__ = ["LEAST_CONTROL_POINTS", "Verdict", "examine_borders", "examine_control_points", "examine_points"]

LEAST_CONTROL_POINTS = 3

_NEAR_M = 50.0  # control points fit when half of them lie nearer than this to where they should
_STEADY_M = 15.0  # a shift is constant when half of its vectors differ from the middle one by less

_WIDTH_M = 15.0  # of the bell that says how well a border lies on another: noise of surveys and of clicking
_SPACING_M = 8.0  # of the points that stand for the borders of a file
_MOST_POINTS = 1_000_000
_SAME_SCALE = 2e-3  # between frames whose numbers may be measured alike
_SAMPLES = 600  # places on the reference's borders that are looked for in the file
_LEAST_SAMPLES = 30
_CHANCES = 24  # arbitrary shifts, which tell how well borders lie on each other by chance
_CHANCE_M = (200.0, 1600.0)
_SURE = 6.0  # standard deviations above chance
_LEAST_GAIN = 0.08  # and at least this share of the borders more than by chance

_LEAST_MOVED = 8  # points that lie in the district under one frame and not under another
_UNEXPLAINED = 0.1  # share of the points outside that may stay outside

Floats = NDArray[np.float64]
Geometries = NDArray[np.object_]


@dataclass(frozen=True)
class Verdict:
    """What the evidence says of a declared frame.

    fits : the reading of the coordinates that fits best; None when the evidence cannot tell, or fits nothing.
    confidence : from 0 to 1, how much better that one fits than the next best; 0 where none fits.
    shift_m : how far the declared frame puts things from where they belong, where that is a length.
    reason : in words, with numbers.
    """

    declared: AnyFrame
    fits: Reading | None
    confidence: float
    shift_m: float | None
    reason: str

    @property
    def misdeclared(self) -> bool:
        """True when another reading than the declared one fits."""
        return self.fits is not None and self.fits != Reading(self.declared)


def examine_control_points(
    x: ArrayLike, y: ArrayLike, lon: ArrayLike, lat: ArrayLike, declared: AnyFrame | str
) -> Verdict:
    """Judge by control points: x, y (n,) as the file has them; lon, lat (n,) the true places, storage frame.

    Half of the pairs may be wrong. Raises `InvalidInput` ("too_few_control_points") for less than three pairs.
    """
    known = parse_frame(declared)
    given = np.column_stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)])
    true_lon, true_lat = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    if len(given) < LEAST_CONTROL_POINTS:
        raise InvalidInput(
            "too_few_control_points",
            f"{len(given)} control points cannot tell frames apart: at least {LEAST_CONTROL_POINTS} are needed, "
            "20 are better",
            field="control_points",
            got=len(given),
            wanted=LEAST_CONTROL_POINTS,
        )
    place = float(np.median(true_lon)), float(np.median(true_lat))
    for registered in (False, True):  # the whole register only when no usual frame fits
        ways = {
            reading: (given - reading.numbers(true_lon, true_lat)) * reading.metres(*place)
            for reading in readings_at(*place, first=known, registered=registered)
        }
        off = {reading: float(np.median(np.hypot(*way.T))) for reading, way in ways.items()}
        if min(off.values()) <= _NEAR_M:
            break
    best = min(off, key=lambda one: off[one])
    told = f"{len(given)} control points lie {_length(off[Reading(known)])} from where {known} puts them"
    if off[best] > _NEAR_M:
        way = ways[Reading(known)]
        middle = np.median(way, axis=0)
        steady = float(np.median(np.hypot(*(way - middle).T)))
        constant = steady < _STEADY_M
        if constant:
            told += f", all by the same way ({middle[0]:+.0f} m east, {middle[1]:+.0f} m north)"
        return Verdict(
            known,
            None,
            0.0,
            float(np.hypot(*middle)) if constant else None,
            f"{told}, and no known frame fits",
        )
    if off[Reading(known)] <= max(2 * off[best], off[best] + _STEADY_M):
        best = Reading(known)
    others = [value for reading, value in off.items() if reading != best]
    confidence = 1 - off[best] / max(min(others), off[best], 1e-9)
    if best == Reading(known):
        return Verdict(known, best, confidence, 0.0, told)
    return Verdict(
        known,
        best,
        confidence,
        _shift(known, best, place),
        f"{told}, and {_length(off[best])} from where {best} puts them",
    )


def examine_borders(shapes: Geometries, declared: AnyFrame | str, reference: Geometries) -> Verdict:
    """Judge by borders: those of `shapes`, numbers as the file has them, against those of `reference`.

    shapes, reference : polygons or None. The reference is of the same district, in the storage frame: its
    outline, or its cells. It may be redrawn in part, measured with some noise, or larger than what the file holds.
    """
    known = parse_frame(declared)
    theirs, ours = _pieces(shapes), _pieces(reference)
    if not len(theirs) or not len(ours):
        return Verdict(known, None, 0.0, None, "there are no borders to compare")
    ground, file = _Ground(ours), _Borders(theirs)
    place = ground.place
    found = {reading: _lie_on(file, ground, reading) for reading in readings_at(*place, first=known)}
    scores = {reading: score for reading, score in found.items() if score is not None}
    if not scores:
        return Verdict(known, None, 0.0, None, "the file lies elsewhere under every known frame")
    best = max(scores, key=lambda one: scores[one].share)
    top, mine = scores[best], scores.get(Reading(known))
    told = f"{top.share:.0%} of the borders lie on each other under {best} ({top.chance:.0%} would by chance)"
    if best != Reading(known) and mine is not None:
        told += f", {mine.share:.0%} under {known}"
        gain = top.share - mine.share
        if mine.sure and gain < _LEAST_GAIN:
            best, top = Reading(known), mine
        elif gain < max(_LEAST_GAIN, 0.5 * (top.share - top.chance)):
            return Verdict(known, None, 0.0, None, f"{told}: too little to tell them apart")
    if not top.sure:
        return Verdict(known, None, 0.0, None, f"{told}: too little to tell the frames apart")
    next_best = max([score.share for reading, score in scores.items() if reading != best], default=0.0)
    confidence = min(1.0, (top.share - max(top.chance, next_best)) / (top.share - top.chance))
    return Verdict(known, best, max(0.0, confidence), _shift(known, best, place), told)


def examine_points(x: ArrayLike, y: ArrayLike, declared: AnyFrame | str, district: BaseGeometry) -> Verdict:
    """Judge by where a table's points lie: x, y (n,) as the table has them; district : storage frame.

    Weak evidence: a shift of 500 m moves few points over the border of a district, so that mostly it cannot
    tell. It speaks only when nearly all points that lie outside would lie inside under another frame.
    """
    known = parse_frame(declared)
    given = np.column_stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)])
    given = given[np.isfinite(given).all(axis=1)]
    centre = shapely.point_on_surface(district)
    place = float(centre.x), float(centre.y)
    shapely.prepare(district)
    inside: dict[Reading, NDArray[np.bool_]] = {}
    for reading in readings_at(*place, first=known):
        there = shapely.transform(district, _writer(reading))
        if np.isfinite(shapely.bounds(there)).all():
            shapely.prepare(there)
            inside[reading] = shapely.contains_xy(there, given[:, 0], given[:, 1])
    mine = inside.get(Reading(known), np.zeros(len(given), dtype=bool))
    told = f"{int((~mine).sum()):,} of {len(given):,} points lie outside the district under {known}"
    for reading in sorted(inside, key=lambda one: -int(inside[one].sum())):
        if reading != Reading(known) and _explains(inside[reading], mine):
            left = int((~inside[reading]).sum())
            confidence = 1 - left / int((~mine).sum())
            return Verdict(
                known,
                reading,
                confidence,
                _shift(known, reading, place),
                f"{told}, and {left:,} under {reading}",
            )
    against = [reading for reading in inside if reading != Reading(known)]
    if against and all(_explains(mine, inside[reading]) for reading in against):
        most = max(int(inside[reading].sum()) for reading in against)
        confidence = 1 - int((~mine).sum()) / max(len(given) - most, 1)
        return Verdict(known, Reading(known), confidence, 0.0, f"{told}, and more under every other frame")
    return Verdict(
        known, None, 0.0, None, f"{told}: too few of them near its border to tell the frames apart"
    )


def _explains(inside: NDArray[np.bool_], mine: NDArray[np.bool_]) -> bool:
    """Tell whether nearly all points that lie outside by one reading lie inside by another, and hardly one more out."""
    gained, left = int((inside & ~mine).sum()), int((~inside).sum())
    return gained >= _LEAST_MOVED and left <= _UNEXPLAINED * int((~mine).sum())


@dataclass(frozen=True)
class _Score:
    """How well borders lie on borders: the share that does, the share by chance, and whether that is certain."""

    share: float
    chance: float
    spread: float

    @property
    def sure(self) -> bool:
        return self.share - self.chance >= max(_SURE * self.spread, _LEAST_GAIN)


class _Borders:
    """The borders of a file, in its own numbers, ready to be asked how far a place is from the nearest."""

    def __init__(self, pieces: Floats) -> None:
        ends = pieces.reshape(-1, 2)
        self.low, self.high = ends.min(axis=0), ends.max(axis=0)
        self._pieces = pieces
        self._trees: list[tuple[Floats, cKDTree]] = []

    def distance(self, numbers: Floats, shifts: Floats, scale: Floats) -> Floats:
        """Return (s, n) metres from numbers (n, 2), moved by shifts (s, 2) in metres, to the nearest border.

        scale : metres in one unit of the numbers. What is far from every border is at an infinite distance.
        """
        alike = (tree for tree in self._trees if np.allclose(tree[0], scale, rtol=_SAME_SCALE, atol=0))
        found = next(alike, None)
        if found is None:
            found = scale, cKDTree(_dense(self._pieces * np.tile(scale, 2)))
            self._trees.append(found)
        asked = (numbers * found[0])[None, :, :] + shifts[:, None, :]
        away, _ = found[1].query(asked.reshape(-1, 2), distance_upper_bound=4 * _WIDTH_M)
        return np.asarray(away, dtype=np.float64).reshape(len(shifts), len(numbers))


class _Ground:
    """The borders of a reference, in the storage frame; `place` is a place in the middle of them."""

    def __init__(self, pieces: Floats) -> None:
        self.place = float(np.median(pieces[:, 0])), float(np.median(pieces[:, 1]))
        self._pieces = pieces
        self._scale = Reading(Frame.CGCS2000).metres(*self.place)
        self._ways = (
            (pieces[:, :2] + pieces[:, 2:]) / 2 - self.place
        ) * self._scale  # from the place, in metres
        self._low, self._high = self._ways.min(axis=0), self._ways.max(axis=0)

    def near(self, file: _Borders, reading: Reading) -> Floats:
        """Return (n, 2): places along the borders that may lie where the file does, by a straight guess of where."""
        centre = reading.numbers(np.array([self.place[0]]), np.array([self.place[1]]))[0]
        ends = np.array([file.low - centre, file.high - centre]) * reading.metres(*self.place)
        low, high = (ends[:, ::-1] if reading.swapped else ends) + np.array([[-_CHANCE_M[1]], [_CHANCE_M[1]]])
        if (low > self._high).any() or (high < self._low).any():
            return np.zeros((0, 2))
        return _along(self._pieces[((self._ways >= low) & (self._ways <= high)).all(axis=1)], self._scale)


def _lie_on(file: _Borders, ground: _Ground, reading: Reading) -> _Score | None:
    """Return how well the reference's borders are found in the file; None where the two do not meet."""
    samples = ground.near(file, reading)
    if len(samples) < _LEAST_SAMPLES:
        return None
    numbers = reading.numbers(*samples.T)
    numbers = numbers[((numbers >= file.low) & (numbers <= file.high)).all(axis=1)]
    if len(numbers) < _LEAST_SAMPLES:
        return None
    random = np.random.default_rng(0)
    angle = random.uniform(0, 2 * np.pi, _CHANCES)
    length = random.uniform(*_CHANCE_M, _CHANCES)
    shifts = np.vstack([[0.0, 0.0], np.column_stack([length * np.cos(angle), length * np.sin(angle)])])
    away = file.distance(numbers, shifts, reading.metres(*ground.place))
    bell = np.exp(-0.5 * (away / _WIDTH_M) ** 2).mean(axis=1)
    chance = float(np.median(bell[1:]))
    spread = 1.4826 * float(np.median(np.abs(bell[1:] - chance)))
    return _Score(float(bell[0]), chance, max(spread, 0.005))


def _pieces(shapes: Geometries) -> Floats:
    """Return (m, 4): the straight pieces of all rings, x1, y1, x2, y2."""
    known = shapes[~shapely.is_missing(shapes)]
    rings = shapely.get_rings(shapely.get_parts(known))
    vertices, ring = shapely.get_coordinates(rings, return_index=True)
    along = np.flatnonzero(ring[1:] == ring[:-1])
    pieces: Floats = np.hstack([vertices[along], vertices[along + 1]])
    return pieces


def _along(pieces: Floats, scale: Floats) -> Floats:
    """Return (`_SAMPLES`, 2): places evenly along the pieces, whose lengths `scale` brings to metres."""
    if not len(pieces):
        return np.zeros((0, 2))
    lengths = np.hypot(*((pieces[:, 2:] - pieces[:, :2]) * scale).T)
    ends = np.cumsum(lengths)
    at = (np.arange(_SAMPLES) + 0.5) / _SAMPLES * ends[-1]
    piece = np.minimum(np.searchsorted(ends, at), len(pieces) - 1)
    share = 1 - (ends[piece] - at) / np.where(lengths[piece] > 0, lengths[piece], 1.0)
    start, end = pieces[piece, :2], pieces[piece, 2:]
    places: Floats = start + share[:, None] * (end - start)
    return places


def _dense(pieces: Floats) -> Floats:
    """Return (k, 2): points along pieces in metres, some `_SPACING_M` apart."""
    lengths = np.hypot(*(pieces[:, 2:] - pieces[:, :2]).T)
    spacing = max(_SPACING_M, float(lengths.sum()) / _MOST_POINTS)
    counts = np.maximum(np.ceil(lengths / spacing).astype(np.intp), 1)
    piece = np.repeat(np.arange(len(pieces)), counts)
    step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    share = (step / counts[piece])[:, None]
    points: Floats = pieces[piece, :2] * (1 - share) + pieces[piece, 2:] * share
    return points


def _writer(reading: Reading) -> Callable[[Floats], Floats]:
    return lambda places: reading.numbers(*places.T)


def _shift(declared: AnyFrame, fits: Reading, place: tuple[float, float]) -> float | None:
    at = np.array([place[0]]), np.array([place[1]])
    plain = Reading(declared)
    metres = float(np.hypot(*((fits.numbers(*at) - plain.numbers(*at))[0] * plain.metres(*place))))
    return metres if np.isfinite(metres) and metres < 1e6 else None


def _length(metres: float) -> str:
    return f"{metres:,.0f} m" if metres < 1e5 else f"{metres / 1000:,.0f} km"
