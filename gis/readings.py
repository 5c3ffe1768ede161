"""The ways in which the numbers of a file may be meant: each frame that could hold at a place, axes as they are or
exchanged.

All is computed forwards, from true places to the numbers that a frame would write for them; what somebody gave in
GCJ-02 or BD-09 is never brought back to find out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_crs_info
from pyproj.enums import PJType

from gis.borders import degree_in_metres
from gis.crs import AnyFrame, EpsgFrame, Frame, from_storage, parse_frame
from gis.errors import InvalidInput, UnknownFrame

__all__ = ["Reading", "explained", "readings_at", "readings_inside"]

Floats = NDArray[np.float64]

_STEP_DEGREES = 1e-4  # over which the scale of a frame is measured
_MOST_NAMED = 3
_SLACK = 0.05  # of the width of a district, by which numbers may lie outside it
_SAME_M, _ALIKE_M = (
    1.0,
    30.0,
)  # frames whose numbers for a place differ by less are one; of the register's, alike
_UNPREFIXED_3, _PREFIXED_3, _UNPREFIXED_6, _PREFIXED_6 = (
    4534,
    4513,
    4502,
    4491,
)  # CGCS2000, zones from 75 E on


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to take the numbers: as coordinates of `frame`, with their axes exchanged when `swapped`."""

    frame: AnyFrame
    swapped: bool = False

    def numbers(self, lon: Floats, lat: Floats) -> Floats:
        """Return (n, 2): the numbers that a file would hold for places of the storage frame."""
        x, y = from_storage(lon, lat, self.frame)
        return np.column_stack([y, x] if self.swapped else [x, y])

    def metres(self, lon: float, lat: float) -> Floats:
        """Return (2,): metres on the ground in one unit of the first and of the second number, at a place."""
        here = np.array([[lon, lat], [lon + _STEP_DEGREES, lat], [lon, lat + _STEP_DEGREES]])
        x, y = from_storage(here[:, 0], here[:, 1], self.frame)
        along, up = degree_in_metres(np.array([lat]))
        steps = np.hypot(x[1:] - x[0], y[1:] - y[0])
        scale: Floats = np.array([along[0], up[0]]) * _STEP_DEGREES / steps
        return scale[::-1] if self.swapped else scale

    def __str__(self) -> str:
        name = "WGS84 or CGCS2000" if self.frame in (Frame.WGS84, Frame.CGCS2000) else str(self.frame)
        return f"{name} with the axes swapped" if self.swapped else name


def readings_at(
    lon: float, lat: float, *, first: AnyFrame = Frame.CGCS2000, registered: bool = False
) -> list[Reading]:
    """Return the readings that differ from each other at a place: `first`, the other frames, then the axes swapped.

    Frames are the four of degrees, the 3-degree and 6-degree zones of CGCS2000 round the place with and without
    their number before the easting, UTM and Web Mercator; with `registered` also every projected system of the
    EPSG register that is meant for the place, in metres or in feet.
    """
    frames: list[AnyFrame | str] = [first, Frame.CGCS2000, Frame.GCJ02, Frame.BD09]
    frames += [EpsgFrame(code) for code in _zones(lon, lat)]
    if registered:
        frames += [f"EPSG:{code}" for code in _registered(round(lon, 2), round(lat, 2))]
    same = _ALIKE_M if registered else _SAME_M
    found: list[Reading] = []
    seen: list[Floats] = []
    place = np.array([lon]), np.array([lat])
    for swapped, frame in product((False, True), frames):
        try:
            reading = Reading(parse_frame(frame), swapped)
            numbers = reading.numbers(*place)[0]
            with np.errstate(invalid="ignore", divide="ignore"):
                scale = reading.metres(lon, lat)
        except UnknownFrame:
            continue  # it is no plain system, or has no published conversion
        known = np.isfinite([*numbers, *scale]).all()
        if known and not any(np.hypot(*((numbers - other) * scale)) < same for other in seen):
            found.append(reading)
            seen.append(numbers)
    return found


def readings_inside(
    bounds: Sequence[float], district: Sequence[float], *, first: AnyFrame = Frame.CGCS2000
) -> list[Reading]:
    """Return the readings under which numbers with these bounds lie in a district, those that fill it best first.

    bounds : least x and y, greatest x and y, of the numbers; of a single point the same twice. district : west,
    south, east, north in degrees of the storage frame. Meant to explain why numbers cannot be what they are
    declared to be: an outline tells frames apart that lie a few hundred metres apart, bounds do not.
    """
    west, south, east, north = district
    lon, lat = (west + east) / 2, (south + north) / 2
    rim = np.linspace(0.0, 1.0, 9)
    across, along = west + rim * (east - west), south + rim * (north - south)
    rim_lon = np.concatenate([across, across, np.full(9, west), np.full(9, east)])
    rim_lat = np.concatenate([np.full(9, south), np.full(9, north), along, along])
    given = np.asarray(bounds, dtype=np.float64).reshape(2, 2)
    found: list[tuple[float, Reading]] = []
    for reading in readings_at(lon, lat, first=first, registered=True):
        numbers = reading.numbers(rim_lon, rim_lat)
        if not np.isfinite(numbers).all():
            continue
        there = np.array([numbers.min(axis=0), numbers.max(axis=0)])
        slack = _SLACK * (there[1] - there[0])
        if (given[0] >= there[0] - slack).all() and (given[1] <= there[1] + slack).all():
            off = np.abs((given - there) * reading.metres(lon, lat)).sum()
            found.append((float(off), reading))
    return [reading for _, reading in sorted(found, key=lambda one: one[0])]


def explained(refused: InvalidInput, district: Sequence[float], called: str) -> InvalidInput:
    """Return a refusal of numbers that are no place in their frame, saying in which ones they would lie in a district.

    refused : "coordinate_out_of_range" with the fact `bounds` of the numbers; any other is returned as it is.
    called : what the district is called in the sentence.
    """
    bounds = refused.facts.get("bounds")
    if refused.code != "coordinate_out_of_range" or not isinstance(bounds, list):
        return refused
    fits = [str(one) for one in readings_inside(bounds, district)][:_MOST_NAMED]
    if not fits:
        return refused
    words = f"{refused.message}. They would lie in {called} in {' or '.join(fits)}"
    return InvalidInput(refused.code, words, **{**refused.facts, "fits": fits})


def _zones(lon: float, lat: float) -> Iterator[int]:
    """Return the numbers of the zones round a place, the 3-degree ones first, its own before its neighbours."""
    three, six = round(lon / 3) - 25, int(lon // 6) - 12  # counted from the first that China has
    for aside in (0, -1, 1):
        if 0 <= three + aside <= 20:
            yield _UNPREFIXED_3 + three + aside
            yield _PREFIXED_3 + three + aside
    for aside in (0, -1, 1):
        if 0 <= six + aside <= 10:
            yield _UNPREFIXED_6 + six + aside
            yield _PREFIXED_6 + six + aside
    if -80 <= lat <= 84:
        utm = int((lon + 180) // 6)
        for aside in (0, -1, 1):
            yield (32601 if lat >= 0 else 32701) + (utm + aside) % 60
    yield 3857


@lru_cache(maxsize=64)
def _registered(lon: float, lat: float) -> tuple[int, ...]:
    """Return the numbers of all projected systems that are meant for a place."""
    found = query_crs_info(
        auth_name="EPSG",
        pj_types=PJType.PROJECTED_CRS,
        area_of_interest=AreaOfInterest(lon - 0.01, lat - 0.01, lon + 0.01, lat + 0.01),
        contains=True,
    )
    return tuple(int(info.code) for info in found)
