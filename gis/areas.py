"""Files of areas, read into a checked GeoDataFrame in the storage frame.

The file is copied, found to be what its name says, and opened with that one driver by a process under limits
(`gis.child`); what comes back is checked again here. A shape that cannot be used does not stop the reading:
it is listed by row, so that whoever made the file sees all of them at once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyproj
import pyproj.transformer
import shapely
from numpy.typing import NDArray

from gis import crs
from gis.archives import DataSet, FileKind, FileLimits, bring_in
from gis.errors import InvalidInput, UnknownFrame
from gis.faults import FaultKind
from gis.geometry import as_multipolygon

__all__ = ["AreaFile", "read_areas"]

_CHILD = Path(__file__).with_name("child.py")
_DRIVER = {
    FileKind.GEOPACKAGE: "GPKG",
    FileKind.SHAPEFILE: "ESRI Shapefile",
    FileKind.GEOJSON: "GeoJSON",  # read without GDAL
}
# WGS84 and CGCS2000 agree to less than a metre (see gis.crs), so a frame on either is taken as it stands.
_WGS84 = pyproj.CRS.from_epsg(4326)
_STORAGE = pyproj.CRS.from_epsg(crs.STORAGE_SRID)
_ACCURACY_M = 5.0

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AreaFile:
    """What one file, or one layer of it, holds.

    frame : the attribute columns as the file has them, and `geometry` in EPSG:4490: a MultiPolygon, or None
        where `problems` says why. The index counts the features of the file from 0.
    problems : by row, what kind of fault and in words; these rows must not be stored.
    native_frame : the frame or coordinate system that the file's numbers are in, e.g. "BD09", "EPSG:4548".
    sha256 : of the bytes that were read, so that an edition can name its source for good.
    """

    frame: gpd.GeoDataFrame
    name: str
    kind: FileKind
    layer: str | None
    native_frame: str
    encoding: str | None
    sha256: str
    problems: Mapping[int, tuple[FaultKind, str]] = field(default_factory=dict)


def read_areas(
    path: Path,
    *,
    member: str | None = None,
    layer: str | None = None,
    frame: crs.Frame | str | None = None,
    encoding: str | None = None,
    limits: FileLimits = FileLimits(),
) -> AreaFile:
    """Read the areas of a GeoPackage, GeoJSON file or Shapefile into the storage frame.

    path : the file; or a zip or directory, of which `member` names the file where there are several.
    layer : which layer of a GeoPackage, needed where it has several.
    frame : the frame that the coordinates are really counted in; it goes before what the file says, since
        files in GCJ-02 or BD-09 mostly claim to be WGS84. Without it the file must state its own.
    encoding : of the text in a Shapefile that does not state it.
    Raises `NotFound`, and `InvalidInput` whose message starts with the file's name; see docs/problems.md.
    """
    declared = None if frame is None else crs.parse_frame(frame)
    with tempfile.TemporaryDirectory(prefix="gridwhistle-read-") as directory:
        work = Path(directory)
        data = bring_in(Path(path), member, work, limits, encoding)
        meta, geometries = _read_apart(data, layer, work, limits)
    problems = {int(row): (FaultKind.UNREADABLE_GEOMETRY, words) for row, words in meta["problems"].items()}
    _check_shapes(data.name, geometries, problems, limits)
    native = _to_storage(data.name, geometries, meta["crs"], declared)
    columns = {str(name): _column(data.name, str(name), values) for name, values in meta["columns"].items()}
    columns.pop("geometry", None)
    areas = gpd.GeoDataFrame(
        pd.DataFrame(columns, index=pd.RangeIndex(len(geometries))), geometry=geometries, crs=_STORAGE
    )
    return AreaFile(
        frame=areas,
        name=data.name,
        kind=data.kind,
        layer=meta["layer"],
        native_frame=native,
        encoding=data.encoding,
        sha256=data.sha256,
        problems=problems,
    )


def _read_apart(
    data: DataSet, layer: str | None, work: Path, limits: FileLimits
) -> tuple[dict[str, Any], Geometries]:
    """Let the child read; return its facts (columns, crs, layer, problems) and the shapes or None."""
    driver = _DRIVER[data.kind]
    request = {
        "driver": driver,
        "path": str(data.path),
        "layer": layer,
        "encoding": data.encoding,
        "max_features": limits.features,
        "memory_bytes": limits.memory_bytes,
        "cpu_seconds": limits.cpu_seconds,
        "output_bytes": 2 * limits.bytes + 40 * limits.vertices,
    }
    asked = work / "request.json"
    asked.write_text(json.dumps(request), "utf-8")
    others = [name for name in pyogrio.list_drivers() if name != driver]
    environment = {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "OGR_SKIP": ",".join(others),
        "OPENBLAS_NUM_THREADS": "1",  # each thread would claim memory under the limit
        "OMP_NUM_THREADS": "1",
    }
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_CHILD), str(asked)],
            cwd=work,
            env=environment,
            capture_output=True,
            timeout=limits.wall_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _refused(data.name, "file_too_demanding", "it takes longer to read than a file may") from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise _refused(
            data.name,
            "file_too_demanding" if done.returncode < 0 else "file_unreadable",
            "the reader had to stop: the file is broken, or takes more time or memory than a file may",
        ) from None
    if not answer.get("ok"):
        raise _refused(data.name, str(answer["code"]), str(answer["message"]), **answer.get("facts", {}))
    return _unpack(data.name, work / "result.npz", limits)


def _unpack(name: str, result: Path, limits: FileLimits) -> tuple[dict[str, Any], Geometries]:
    with np.load(result, allow_pickle=False) as stored:
        wkb, ends = stored["wkb"].tobytes(), stored["ends"].tolist()
        meta: dict[str, Any] = json.loads(stored["meta"].tobytes())
    if len(wkb) > 40 * limits.vertices:
        raise _refused(name, "too_many_vertices", f"it has more than {limits.vertices:,} vertices")
    geometries = np.full(len(ends), None, dtype=object)
    begin = 0
    for row, end in enumerate(ends):
        if end > begin:
            try:
                with np.errstate(invalid="ignore"):  # NaN is listed later, with its row
                    geometries[row] = shapely.from_wkb(wkb[begin:end])
            except shapely.errors.GEOSException as broken:
                meta["problems"][row] = str(broken).partition(": ")[2] or str(broken)
        begin = end
    return meta, geometries


def _check_shapes(
    name: str, geometries: Geometries, problems: dict[int, tuple[FaultKind, str]], limits: FileLimits
) -> None:
    """Take out, in place, what is no usable area, and say why; refuse the file when it is over the limits."""
    counts = shapely.get_num_coordinates(geometries)
    if counts.sum() > limits.vertices:
        raise _refused(
            name,
            "too_many_vertices",
            f"it has {counts.sum():,} vertices; at most {limits.vertices:,} are taken",
            got=int(counts.sum()),
            wanted=limits.vertices,
        )
    for row, geometry in enumerate(geometries):
        if row in problems:
            continue
        if geometry is None or geometry.is_empty:
            problems[row] = (FaultKind.EMPTY_GEOMETRY, "it has no shape")
        elif geometry.geom_type not in ("Polygon", "MultiPolygon"):
            problems[row] = (FaultKind.WRONG_GEOMETRY_TYPE, f"it is a {geometry.geom_type}, not an area")
        elif counts[row] > limits.vertices_each:
            problems[row] = (
                FaultKind.TOO_MANY_VERTICES,
                f"it has {counts[row]:,} vertices; at most {limits.vertices_each:,} are taken",
            )
        elif not np.isfinite(shapely.get_coordinates(geometry)).all():
            problems[row] = (FaultKind.UNREADABLE_GEOMETRY, "it has coordinates that are not numbers")
        else:
            geometries[row] = as_multipolygon(geometry)
            continue
        geometries[row] = None


def _to_storage(name: str, geometries: Geometries, stated: str | None, declared: crs.Frame | None) -> str:
    """Bring the shapes, in place, to EPSG:4490; return the name of the frame that they were in."""
    known = _parse_crs(name, stated)
    if known is None and declared is None:
        raise UnknownFrame(
            "frame_not_declared",
            f"{name} does not say what its coordinates are counted in: declare the frame "
            f"({', '.join(crs.Frame)})",
            field="frame",
            wanted=[str(one) for one in crs.Frame],
        )
    native = str(declared) if declared is not None else _crs_name(known)
    coordinates = shapely.get_coordinates(geometries)
    if not len(coordinates):
        return native
    lon, lat = coordinates[:, 0], coordinates[:, 1]
    if declared is not None:
        if known is not None:
            lon, lat = _unprojected(known, lon, lat)
        _check_degrees(name, lon, lat, native)
        lon, lat = crs.to_storage(lon, lat, declared)
    elif known is not None and not any(
        known.equals(one, ignore_axis_order=True) for one in (_WGS84, _STORAGE)
    ):
        lon, lat = _to_datum(name, known, lon, lat)
    _check_degrees(name, lon, lat, native)
    shapely.set_coordinates(geometries, np.column_stack([lon, lat]))
    return native


def _parse_crs(name: str, stated: str | None) -> pyproj.CRS | None:
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


def _crs_name(known: pyproj.CRS | None) -> str:
    if known is None:
        return ""
    authority = known.to_authority(min_confidence=100)
    return known.name if authority is None else ":".join(authority)


def _unprojected(known: pyproj.CRS, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the degrees, on the datum of the projection itself, of coordinates in metres."""
    if not known.is_projected:
        return x, y
    transformer = pyproj.Transformer.from_crs(known, known.geodetic_crs, always_xy=True)
    lon, lat = transformer.transform(x, y)
    return np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)


def _to_datum(name: str, known: pyproj.CRS, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Bring coordinates to degrees on CGCS2000 or WGS84 by a published conversion of the place, or refuse.

    Without the check PROJ would leave Xi'an 1980 as it stands or use for Beijing 1954 the parameters of an
    oil field, and be off by a hundred metres.
    """
    lon, lat = _unprojected(known, x, y)
    _check_degrees(name, lon, lat, _crs_name(known))
    target = _STORAGE if known.geodetic_crs is not None and known.geodetic_crs.equals(_STORAGE) else _WGS84
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of better grids, which we do not have and do not fetch
        found = pyproj.transformer.TransformerGroup(
            known,
            target,
            always_xy=True,
            area_of_interest=pyproj.transformer.AreaOfInterest(lon.min(), lat.min(), lon.max(), lat.max()),
            allow_ballpark=False,
        )
    best = next((one for one in found.transformers if 0 <= one.accuracy <= _ACCURACY_M), None)
    if best is None:
        raise UnknownFrame(
            "no_exact_conversion",
            f"{name} is in {_crs_name(known)}, for which no conversion to CGCS2000 better than "
            f"{_ACCURACY_M:g} m is published here: convert it with the parameters of your surveying office first",
            field="frame",
            got=_crs_name(known),
        )
    lon, lat = best.transform(x, y)
    return np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)


def _check_degrees(name: str, lon: Floats, lat: Floats, native: str) -> None:
    beyond = ~((np.abs(lon) <= 180) & (np.abs(lat) <= 90))  # also true for NaN and infinity
    if not beyond.any():
        return
    x, y = float(lon[beyond][0]), float(lat[beyond][0])
    hint = ""
    if (np.abs(lat) <= 180).all() and (np.abs(lon) <= 90).all():
        hint = "; are longitude and latitude swapped?"
    elif abs(x) > 1000 or abs(y) > 1000:
        hint = "; these look like metres: the file must state its projection"
    raise InvalidInput(
        "coordinate_out_of_range",
        f"{name} has {beyond.sum():,} points of {len(lon):,} that are no place in {native}, such as "
        f"{x:g}, {y:g}{hint}",
        field="file",
        got=[str(x), str(y)],
        wanted="longitude -180 to 180, latitude -90 to 90",
    )


def _column(name: str, column: str, values: list[object]) -> list[object]:
    """Return the values of one column, or refuse text that no database stores."""
    for row, value in enumerate(values):
        if isinstance(value, str) and ("\x00" in value or not _is_unicode(value)):
            raise _refused(
                name,
                "text_not_storable",
                f"column {column!r} of feature {row} holds what is no text (NUL or a lone surrogate)",
                column=column,
                row=row,
            )
    return values


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refused(name: str, code: str, words: str, **facts: object) -> InvalidInput:
    kind = UnknownFrame if code == "unknown_crs" else InvalidInput
    return kind(code, f"{name}: {words}", **{"field": "file", "file": name, **facts})
