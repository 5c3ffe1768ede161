"""Where on Earth: the frame of a coordinate, the frame we store in, and metres.

Chinese map services publish shifted coordinates: GCJ-02 (AMap, Tencent) lies some 500 m off, BD-09 (Baidu)
another kilometre, enough to put a report into the wrong grid. Every coordinate that comes in therefore says
its frame, and is brought to the storage frame, CGCS2000 (EPSG:4490), here and nowhere else.

Besides the four frames of degrees, a coordinate may be counted in a system of the EPSG register, such as
EPSG:4548, the 3-degree zone about 117 E; its lon and lat are then the easting and the northing (`gis.datum`).

WGS84 and CGCS2000 pass unchanged. Both are realisations of the same terrestrial reference system with
ellipsoids that differ by 0.1 mm at the pole. CGCS2000 is fixed at epoch 2000.0, so the two drift apart with
the plate by 3 to 4 cm a year: under a metre so far, and below what a telephone can measure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import overload

import numpy as np
import pyproj
from numpy.typing import ArrayLike, NDArray

from gis import datum
from gis.datum import STORAGE_SRID
from gis.errors import InvalidInput, UnknownFrame

__all__ = [
    "SHIFTED",
    "STORAGE_SRID",
    "AnyFrame",
    "EpsgFrame",
    "Frame",
    "admit_frame",
    "check_degrees",
    "from_storage",
    "is_place",
    "looks_swapped",
    "metres_between",
    "metric_crs",
    "parse_frame",
    "to_storage",
]

Floats = NDArray[np.float64]


class Frame(StrEnum):
    """What a longitude and latitude are counted in."""

    WGS84 = "WGS84"
    CGCS2000 = "CGCS2000"
    GCJ02 = "GCJ02"
    BD09 = "BD09"


@dataclass(frozen=True, slots=True)
class EpsgFrame:
    """A coordinate system by its number in the EPSG register; made by `parse_frame`, which looks it up there."""

    code: int

    @property
    def value(self) -> str:
        """The name that is stored, such as "EPSG:4548"."""
        return f"EPSG:{self.code}"

    @property
    def crs(self) -> pyproj.CRS:
        """The system itself."""
        return _crs(self.code)

    def __str__(self) -> str:
        return self.value


AnyFrame = Frame | EpsgFrame
"""What a coordinate may be counted in; `value` is its stable name."""

SHIFTED = frozenset({Frame.GCJ02, Frame.BD09})
"""The frames whose conversion to true coordinates an operator may forbid."""

_SPELLINGS = {
    **{frame.value: frame for frame in Frame},
    "EPSG4326": Frame.WGS84,
    "CRS84": Frame.WGS84,
    "OGCCRS84": Frame.WGS84,
    "EPSG4490": Frame.CGCS2000,
    "BD09LL": Frame.BD09,
}
_EPSG = re.compile(r"(?:URNOGCDEFCRS)?EPSG([0-9]{4,6})")

# GCJ-02 counts on the Krasovsky 1940 ellipsoid, and is defined as no shift outside this box.
_AXIS, _ECCENTRICITY_SQUARED = 6378245.0, 0.00669342162296594323
_WEST, _EAST, _SOUTH, _NORTH = 72.004, 137.8347, 0.8293, 55.8271
_BAIDU = np.pi * 3000.0 / 180.0

# Each round of the fixed point shrinks the error some 150 times, from 600 m: six leave less than 1e-8 m.
_ROUNDS = 6

_CGCS2000 = pyproj.Geod(ellps="GRS80")  # CGCS2000 has the axis and the flattening of GRS80

# EPSG:4534 is the 3-degree Gauss-Krueger zone about 75 E; one code a zone up to EPSG:4554 about 135 E.
_FIRST_ZONE, _LAST_ZONE, _FIRST_ZONE_EPSG = 25, 45, 4534


def parse_frame(text: AnyFrame | str) -> AnyFrame:
    """Return the frame that `text` names: "GCJ-02", "gcj02", "BD-09", "EPSG:4326", "EPSG:4548", ...

    A frame is returned as it is. Raises `UnknownFrame` (field, got, wanted) for anything else: a frame is
    declared, never guessed.
    """
    if isinstance(text, Frame | EpsgFrame):
        return text
    plain = re.sub(r"[^A-Z0-9]", "", str(text).upper())
    if plain in _SPELLINGS:
        return _SPELLINGS[plain]
    number = _EPSG.fullmatch(plain)
    if number is not None and _is_flat(int(number[1])):
        return EpsgFrame(int(number[1]))
    wanted = [*(frame.value for frame in Frame), "EPSG:<number>"]
    why = "is no system of easting and northing or of degrees" if number else "is not known"
    raise UnknownFrame(
        "unknown_frame",
        f"frame {str(text)!r} {why}; use one of {', '.join(wanted)}, such as EPSG:4548",
        field="frame",
        got=str(text),
        wanted=wanted,
    )


def admit_frame(text: AnyFrame | str, *, forbid_gcj_inverse: bool) -> AnyFrame:
    """Return the frame that `text` names, where the operator lets its coordinates in.

    forbid_gcj_inverse : refuse GCJ-02 and BD-09, whose coordinates would have to be brought back to true ones.
    Raises `UnknownFrame`, and `InvalidInput` ("frame_forbidden").
    """
    frame = parse_frame(text)
    if forbid_gcj_inverse and frame in SHIFTED:
        raise InvalidInput(
            "frame_forbidden",
            f"coordinates in {frame} are not taken here: the operator forbids converting them back. "
            "Give them in CGCS2000 or WGS84",
            field="frame",
            got=frame.value,
            wanted=[Frame.CGCS2000.value, Frame.WGS84.value],
        )
    return frame


@overload
def to_storage(lon: float, lat: float, frame: AnyFrame | str) -> tuple[float, float]: ...
@overload
def to_storage(lon: ArrayLike, lat: ArrayLike, frame: AnyFrame | str) -> tuple[Floats, Floats]: ...
def to_storage(
    lon: ArrayLike, lat: ArrayLike, frame: AnyFrame | str
) -> tuple[float | Floats, float | Floats]:
    """Bring coordinates counted in `frame` to the storage frame (CGCS2000, degrees).

    lon, lat : numbers, or arrays of one shape: degrees, or easting and northing in a projected system.
    Returns (lon, lat), numbers for numbers and arrays for arrays; exact to 1e-6 m, also backwards.
    A GCJ-02 point outside the box in which that frame is shifted passes unchanged, as the services do.
    Raises `UnknownFrame` (also "no_exact_conversion", where no conversion of the datum better than 5 m is
    published), and `InvalidInput` naming lon or lat for what is not finite or no place in the frame.
    """
    known = parse_frame(frame)
    if isinstance(known, EpsgFrame):
        x, y = datum.to_storage(known.crs, *_finite(lon, lat))
        return _like(lon, x), _like(lat, y)
    x, y = check_degrees(lon, lat)
    if known is Frame.BD09:
        x, y = _bd_to_gcj(x, y)
    if known in (Frame.BD09, Frame.GCJ02):
        x, y = _gcj_to_wgs(x, y)
    return _like(lon, x), _like(lat, y)


@overload
def from_storage(lon: float, lat: float, frame: AnyFrame | str) -> tuple[float, float]: ...
@overload
def from_storage(lon: ArrayLike, lat: ArrayLike, frame: AnyFrame | str) -> tuple[Floats, Floats]: ...
def from_storage(
    lon: ArrayLike, lat: ArrayLike, frame: AnyFrame | str
) -> tuple[float | Floats, float | Floats]:
    """Bring degrees of the storage frame (CGCS2000) to `frame`; shapes and errors as `to_storage`.

    A place that a projected system cannot hold comes out infinite.
    """
    known = parse_frame(frame)
    x, y = check_degrees(lon, lat)
    if isinstance(known, EpsgFrame):
        x, y = datum.from_storage(known.crs, x, y)
        return _like(lon, x), _like(lat, y)
    if known in (Frame.BD09, Frame.GCJ02):
        x, y = _wgs_to_gcj(x, y)
    if known is Frame.BD09:
        x, y = _gcj_to_bd(x, y)
    return _like(lon, x), _like(lat, y)


def check_degrees(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """Return lon and lat as arrays of one shape, finite and on the globe.

    Raises `InvalidInput` naming lon or lat, with the first value at fault and how many there are.
    """
    x, y = _finite(lon, lat)
    for field, values, limit in (("lon", x, 180.0), ("lat", y, 90.0)):
        beyond = np.abs(values) > limit
        if beyond.any():
            first = float(values[beyond].flat[0])
            hint = (
                "; this looks like metres: name the projection, such as EPSG:4548"
                if abs(first) > 1000
                else ""
            )
            raise InvalidInput(
                "coordinate_out_of_range",
                f"{field} must lie between {-limit:g} and {limit:g} degrees, but is {first:.10g}{hint}",
                field=field,
                got=first,
                wanted=[-limit, limit],
                count=int(beyond.sum()),
                bounds=datum.bounds_of(x, y),
            )
    return x, y


def is_place(lon: ArrayLike, lat: ArrayLike, frame: AnyFrame) -> NDArray[np.bool_]:
    """Tell, for each of some coordinates, whether `to_storage` would take it; shapes as there, NaN allowed."""
    x, y = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    if isinstance(frame, EpsgFrame):
        return datum.is_place(frame.crs, x, y)
    good: NDArray[np.bool_] = (np.abs(x) <= 180) & (np.abs(y) <= 90)  # false for NaN
    return good


def metric_crs(lon: float, lat: float) -> pyproj.CRS:
    """Return the projected CRS, in metres, to measure in round a place given in degrees.

    In China the 3-degree Gauss-Krueger zone of CGCS2000 (EPSG:4534 to 4554), scale true to 4e-4;
    elsewhere the UTM zone, and beyond 84 N and 80 S the polar stereographic.
    Raises `InvalidInput` naming lon or lat for what is not finite or out of range.
    """
    x, y = check_degrees(lon, lat)
    zone = round(float(x) / 3)
    if _in_box(x, y) and _FIRST_ZONE <= zone <= _LAST_ZONE:
        return _crs(_FIRST_ZONE_EPSG + zone - _FIRST_ZONE)
    if y >= 84:
        return _crs(32661)
    if y < -80:
        return _crs(32761)
    return _crs((32600 if y >= 0 else 32700) + min(int(x + 180) // 6 + 1, 60))


@overload
def metres_between(lon1: float, lat1: float, lon2: float, lat2: float) -> float: ...
@overload
def metres_between(lon1: ArrayLike, lat1: ArrayLike, lon2: ArrayLike, lat2: ArrayLike) -> Floats: ...
def metres_between(lon1: ArrayLike, lat1: ArrayLike, lon2: ArrayLike, lat2: ArrayLike) -> float | Floats:
    """Return the length in metres of the shortest way over the ellipsoid (Karney's geodesic).

    Numbers give a number; arrays, broadcast against each other, give an array.
    Raises `InvalidInput` naming lon or lat for what is not finite or out of range.
    """
    x1, y1 = check_degrees(lon1, lat1)
    x2, y2 = check_degrees(lon2, lat2)
    ends = np.broadcast_arrays(x1, y1, x2, y2)
    from_lon, from_lat, till_lon, till_lat = (np.ravel(end) for end in ends)
    metres: Floats = _CGCS2000.inv(from_lon, from_lat, till_lon, till_lat)[2]
    return float(metres[0]) if ends[0].ndim == 0 else metres.reshape(ends[0].shape)


def looks_swapped(lon: float, lat: float, bounds: Sequence[float], frame: AnyFrame = Frame.CGCS2000) -> bool:
    """Tell whether a point off the map would lie on it with its axes exchanged.

    bounds : (west, south, east, north) of the district, in degrees. frame : what lon and lat are counted in; a
    shift of GCJ-02 or BD-09 is left out of account. Never raises: it explains an error.
    """
    west, south, east, north = bounds

    def inside(x: float, y: float) -> bool:
        if isinstance(frame, EpsgFrame):
            if not is_place(x, y, frame):
                return False
            x, y = (float(one) for one in datum.unprojected(frame.crs, np.array(x), np.array(y)))
        return west <= x <= east and south <= y <= north

    return not inside(lon, lat) and inside(lat, lon)


def _finite(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    x, y = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    if x.shape != y.shape:
        raise InvalidInput(
            "lengths_differ",
            f"lon and lat must be of one shape, but are {x.shape} and {y.shape}",
            field="lat",
            got=list(y.shape),
            wanted=list(x.shape),
        )
    for field, values in (("lon", x), ("lat", y)):
        broken = ~np.isfinite(values)
        if broken.any():
            raise InvalidInput(
                "coordinate_not_finite",
                f"{field} must be a number, but is {values[broken].flat[0]} in {broken.sum()} of {values.size} points",
                field=field,
                got=str(values[broken].flat[0]),
                wanted="a finite number",
                count=int(broken.sum()),
            )
    return x, y


def _like(given: ArrayLike, result: Floats) -> float | Floats:
    return float(result) if np.ndim(given) == 0 else result


@lru_cache(maxsize=128)
def _crs(epsg: int) -> pyproj.CRS:
    return pyproj.CRS.from_epsg(epsg)


@lru_cache(maxsize=1024)
def _is_flat(epsg: int) -> bool:
    """Tell whether the register has the number, for a system of two axes in degrees, metres or feet."""
    try:
        known = pyproj.CRS.from_epsg(epsg)
    except pyproj.exceptions.CRSError:
        return False
    if len(known.axis_info) != 2:
        return False
    operation = known.coordinate_operation
    if operation is not None and "Zoned Grid System" in operation.method_name:
        return False  # EPSG:32600, whose every coordinate is one of many zones
    return known.is_projected or (known.is_geographic and known.axis_info[0].unit_name == "degree")


def _in_box(lon: Floats, lat: Floats) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (lon >= _WEST) & (lon <= _EAST) & (lat >= _SOUTH) & (lat <= _NORTH)
    return inside


def _wgs_to_gcj(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    shifted = _in_box(lon, lat)
    shift_lon, shift_lat = _gcj_shift(np.where(shifted, lon, 105.0), np.where(shifted, lat, 35.0))
    return np.where(shifted, lon + shift_lon, lon), np.where(shifted, lat + shift_lat, lat)


def _gcj_to_wgs(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    shifted = _in_box(lon, lat)
    from_lon, from_lat = np.where(shifted, lon, 105.0), np.where(shifted, lat, 35.0)
    x, y = from_lon, from_lat
    for _ in range(_ROUNDS):
        shift_lon, shift_lat = _gcj_shift(x, y)
        x, y = from_lon - shift_lon, from_lat - shift_lat
    return np.where(shifted, x, lon), np.where(shifted, y, lat)


def _gcj_shift(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """Return the GCJ-02 shift in degrees at a WGS84 place: a published fit, as every map service uses it."""
    x, y = lon - 105.0, lat - 35.0
    root, common = np.sqrt(np.abs(x)), _wave(x, 20, 1 / 6) + _wave(x, 20, 1 / 2)
    east = common + _wave(x, 20, 1) + _wave(x, 40, 3) + _wave(x, 150, 12) + _wave(x, 300, 30)
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + 2 / 3 * east
    north = common + _wave(y, 20, 1) + _wave(y, 40, 3) + _wave(y, 160, 12) + _wave(y, 320, 30)
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + 2 / 3 * north
    latitude = np.radians(lat)
    flattened = 1 - _ECCENTRICITY_SQUARED * np.sin(latitude) ** 2
    prime_vertical = _AXIS / np.sqrt(flattened)
    meridian = prime_vertical * (1 - _ECCENTRICITY_SQUARED) / flattened
    return np.degrees(east / (prime_vertical * np.cos(latitude))), np.degrees(north / meridian)


def _wave(at: Floats, metres: float, half_wave: float) -> Floats:
    wave: Floats = metres * np.sin(np.pi * at / half_wave)
    return wave


def _gcj_to_bd(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    distance = np.hypot(lon, lat) + 2e-5 * np.sin(lat * _BAIDU)
    angle = np.arctan2(lat, lon) + 3e-6 * np.cos(lon * _BAIDU)
    return distance * np.cos(angle) + 0.0065, distance * np.sin(angle) + 0.006


def _bd_to_gcj(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    x, y = lon - 0.0065, lat - 0.006
    for _ in range(_ROUNDS):
        again_lon, again_lat = _gcj_to_bd(x, y)
        x, y = x + (lon - again_lon), y + (lat - again_lat)
    return x, y
