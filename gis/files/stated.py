"""What the numbers of a file are counted in: what it states, what somebody declares, and which of them holds.

A declared frame goes before what the file says, since files in GCJ-02 or BD-09 mostly claim to be WGS84. Where
nobody says anything, nothing is guessed.
"""

from __future__ import annotations

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from gis import crs, datum
from gis.errors import InvalidInput, UnknownFrame

__all__ = ["STORAGE", "parse_stated", "shapes_to_storage"]

STORAGE = pyproj.CRS.from_epsg(datum.STORAGE_SRID)
# WGS84 and CGCS2000 agree to less than a metre (see gis.crs), so a frame on either is taken as it stands.
_AS_IT_STANDS = (pyproj.CRS.from_epsg(4326), STORAGE)

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]


def shapes_to_storage(
    name: str, geometries: Geometries, stated: pyproj.CRS | None, declared: crs.AnyFrame | None
) -> str:
    """Bring the shapes of a file, in place, to EPSG:4490; return the name of the frame that they were in.

    geometries : shapely shapes or None, as the file has them. stated : as `parse_stated` returns it.
    Raises `UnknownFrame` ("frame_not_declared", "no_exact_conversion"), `InvalidInput` ("coordinate_out_of_range").
    """
    if stated is None and declared is None:
        wanted = [*(one.value for one in crs.Frame), "EPSG:<number>"]
        raise UnknownFrame(
            "frame_not_declared",
            f"{name} does not say what its coordinates are counted in: declare the frame ({', '.join(wanted)})",
            field="frame",
            wanted=wanted,
        )
    native = declared.value if declared is not None else datum.system_name(stated)
    coordinates = shapely.get_coordinates(geometries)
    if not len(coordinates):
        return native
    x, y = coordinates[:, 0], coordinates[:, 1]
    if isinstance(declared, crs.EpsgFrame):
        x, y = datum.to_storage(declared.crs, x, y, whose=name, field="file")
    elif declared is not None:
        if stated is not None:
            x, y = datum.unprojected(stated, x, y)
        _check_degrees(name, x, y, native)
        x, y = crs.to_storage(x, y, declared)
    elif stated is not None and not any(stated.equals(one, ignore_axis_order=True) for one in _AS_IT_STANDS):
        x, y = datum.to_storage(stated, x, y, whose=name, field="file")
    _check_degrees(name, x, y, native)
    shapely.set_coordinates(geometries, np.column_stack([x, y]))
    return native


def parse_stated(name: str, stated: str | None) -> pyproj.CRS | None:
    """Return the system that a file states, None where it states none. Raises `UnknownFrame` ("unknown_crs")."""
    if not stated:
        return None
    try:
        known = pyproj.CRS.from_user_input(stated).to_2d()
    except pyproj.exceptions.CRSError:
        raise UnknownFrame(
            "unknown_crs",
            f"{name} is in a coordinate system that is not known: {stated[:200]!r}",
            field="frame",
            got=stated[:200],
        ) from None
    # a GeoPackage writes "Undefined ... SRS", GDAL an engineering system, where nobody stated one
    if not (known.is_geographic or known.is_projected) or "undefined" in known.name.lower():
        return None
    return known


def _check_degrees(name: str, lon: Floats, lat: Floats, native: str) -> None:
    beyond = ~((np.abs(lon) <= 180) & (np.abs(lat) <= 90))  # also true for NaN and infinity
    if not beyond.any():
        return
    x, y = float(lon[beyond][0]), float(lat[beyond][0])
    hint = ""
    if (np.abs(lat) <= 180).all() and (np.abs(lon) <= 90).all():
        hint = "; are longitude and latitude swapped?"
    elif abs(x) > 1000 or abs(y) > 1000:
        hint = "; these look like metres: the file must state its projection, or you declare it (EPSG:4548)"
    raise InvalidInput(
        "coordinate_out_of_range",
        f"{name} has {beyond.sum():,} points of {len(lon):,} that are no place in {native}, such as "
        f"{x:.10g}, {y:.10g}{hint}",
        field="file",
        got=[str(x), str(y)],
        wanted="longitude -180 to 180, latitude -90 to 90",
        bounds=datum.bounds_of(lon, lat),
    )
