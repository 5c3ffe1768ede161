"""Coordinate systems of the register: to the storage frame and back, by published conversions only.

The storage frame is CGCS2000; WGS84 is taken for it as it stands (`gis.crs` says why). From any other datum PROJ
must know a conversion for the place that is better than `ACCURACY_M`. Without that rule it would leave Xi'an 1980
as it stands, or use for Beijing 1954 the parameters of an oil field, and be off by a hundred metres.

Conversions are looked up once for a system and a region of whole degrees, and kept; they may be used from any
thread at the same time.
"""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import pyproj
import pyproj.transformer
from numpy.typing import NDArray
from pyproj.enums import TransformDirection

from gis.errors import InvalidInput, UnknownFrame

__all__ = [
    "ACCURACY_M",
    "STORAGE_SRID",
    "bounds_of",
    "from_storage",
    "is_place",
    "system_name",
    "to_storage",
    "unprojected",
]

STORAGE_SRID = 4490
"""CGCS2000, geographic, x = longitude and y = latitude."""

ACCURACY_M = 5.0
"""A conversion between datums is used when it is published as at least this accurate, in metres."""

_STORAGE = pyproj.CRS.from_epsg(STORAGE_SRID)
_WGS84 = pyproj.CRS.from_epsg(4326)
# A zone is often used somewhat beyond its edge; what lies farther out was never measured in it.
_BEYOND_DEGREES = 6.0

Floats = NDArray[np.float64]


def to_storage(
    known: pyproj.CRS, x: Floats, y: Floats, *, whose: str = "a coordinate", field: str = "lon"
) -> tuple[Floats, Floats]:
    """Bring coordinates of `known`, easting first, to degrees of the storage frame.

    whose, field : what a refusal begins with, such as the name of a file, and the field that it names.
    Raises `UnknownFrame` ("no_exact_conversion"), and `InvalidInput` ("coordinate_out_of_range", with the first
    at fault, how many, and the bounds of all) for what is no place in the system.
    """
    if not x.size:
        return x, y
    _check_places(known, x, y, whose, field)
    lon, lat = unprojected(known, x, y)
    return _run(_published(known, lon, lat, whose), x, y)


def from_storage(
    known: pyproj.CRS, lon: Floats, lat: Floats, *, whose: str = "a coordinate"
) -> tuple[Floats, Floats]:
    """Bring degrees of the storage frame to coordinates of `known`, easting first; infinite where it has none.

    Raises `UnknownFrame` ("no_exact_conversion").
    """
    if not lon.size:
        return lon, lat
    return _run(_published(known, lon, lat, whose), lon, lat, TransformDirection.INVERSE)


def unprojected(known: pyproj.CRS, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the degrees, on the datum of the system itself, of coordinates; infinite where there is no place."""
    if not known.is_projected:
        return x, y
    return _run(_unprojection(known), x, y)


def is_place(known: pyproj.CRS, x: Floats, y: Floats) -> NDArray[np.bool_]:
    """Tell which coordinates are a place in `known`: finite, on the globe, and not far from where it is used."""
    lon, lat = unprojected(known, x, y)
    with np.errstate(invalid="ignore"):
        good: NDArray[np.bool_] = np.isfinite(x) & np.isfinite(y) & (np.abs(lon) <= 180) & (np.abs(lat) <= 90)
        used = known.area_of_use
        if used is not None and known.is_projected:
            good &= (lat >= used.south - _BEYOND_DEGREES) & (lat <= used.north + _BEYOND_DEGREES)
            if used.west < used.east:  # else it reaches over the date line
                good &= (lon >= used.west - _BEYOND_DEGREES) & (lon <= used.east + _BEYOND_DEGREES)
    return good


def system_name(known: pyproj.CRS | None) -> str:
    """Return the register's name of a system, "EPSG:4548", its own name where it has none, "" for None."""
    if known is None:
        return ""
    authority = known.to_authority(min_confidence=100)
    return known.name if authority is None else ":".join(authority)


def bounds_of(x: Floats, y: Floats) -> list[float] | None:
    """Return [west, south, east, north] of the coordinates that are finite, None where there are none."""
    good = np.isfinite(x) & np.isfinite(y)
    if not good.any():
        return None
    return [float(one) for one in (x[good].min(), y[good].min(), x[good].max(), y[good].max())]


def _check_places(known: pyproj.CRS, x: Floats, y: Floats, whose: str, field: str) -> None:
    beyond = ~is_place(known, x, y)
    if not beyond.any():
        return
    first_x, first_y = float(x[beyond].flat[0]), float(y[beyond].flat[0])
    name, count = system_name(known), int(beyond.sum())
    hint = ""
    if known.is_projected and abs(first_x) <= 180 and abs(first_y) <= 90:
        hint = "; these look like degrees: is the frame WGS84 or CGCS2000?"
    elif is_place(known, y[beyond], x[beyond]).all():
        hint = "; are the axes swapped? The easting comes first, whatever the system's own order"
    elif not known.is_projected:
        hint = "; these look like metres: name the projection, such as EPSG:4548"
    raise InvalidInput(
        "coordinate_out_of_range",
        f"{whose} has {count:,} of {x.size:,} points that are no place in {name}, such as "
        f"{first_x:.10g}, {first_y:.10g}{hint}",
        field=field,
        got=[str(first_x), str(first_y)],
        wanted=f"easting and northing of a place where {name} is used",
        count=count,
        bounds=bounds_of(x, y),
    )


def _published(known: pyproj.CRS, lon: Floats, lat: Floats, whose: str) -> pyproj.Transformer:
    """Return the conversion for the whole degrees round some places, so that neighbours share one."""
    west, south = float(np.floor(lon.min())), float(np.floor(lat.min()))
    east, north = max(float(np.ceil(lon.max())), west + 1), max(float(np.ceil(lat.max())), south + 1)
    found = _conversion(known, (west, south, east, north))
    if found is None:
        raise UnknownFrame(
            "no_exact_conversion",
            f"{whose} is in {system_name(known)}, for which no conversion to CGCS2000 better than "
            f"{ACCURACY_M:g} m is published here: convert it with the parameters of your surveying office first",
            field="frame",
            got=system_name(known),
        )
    return found


@lru_cache(maxsize=256)
def _conversion(known: pyproj.CRS, region: tuple[float, float, float, float]) -> pyproj.Transformer | None:
    target = _STORAGE if known.geodetic_crs is not None and known.geodetic_crs.equals(_STORAGE) else _WGS84
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of better grids, which we do not have and do not fetch
        found = pyproj.transformer.TransformerGroup(
            known,
            target,
            always_xy=True,
            area_of_interest=pyproj.transformer.AreaOfInterest(*region),
            allow_ballpark=False,
        )
    best = next((one for one in found.transformers if 0 <= one.accuracy <= ACCURACY_M), None)
    # made anew from its definition, since the group's own transformers are bound to this thread
    return None if best is None else pyproj.Transformer.from_pipeline(best.definition)


@lru_cache(maxsize=256)
def _unprojection(known: pyproj.CRS) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(known, known.geodetic_crs, always_xy=True)


def _run(
    transformer: pyproj.Transformer,
    x: Floats,
    y: Floats,
    direction: TransformDirection = TransformDirection.FORWARD,
) -> tuple[Floats, Floats]:
    first, second = transformer.transform(x, y, direction=direction)
    return np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
