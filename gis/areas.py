"""Files of areas, read into a checked GeoDataFrame in the storage frame.

The file is copied, found to be what its name says, and opened with that one driver by a process under limits
(`gis.files.child`); what comes back is checked again here. A shape that cannot be used does not stop the reading:
it is listed by row, so that whoever made the file sees all of them at once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray

from gis import crs
from gis.errors import InvalidInput, UnknownFrame
from gis.faults import FaultKind
from gis.files.archives import DataSet, FileLimits, bring_in
from gis.files.filekinds import FileKind
from gis.files.stated import STORAGE, parse_stated, shapes_to_storage
from gis.geometry import as_multipolygon

__all__ = ["AREAS", "AreaFile", "read_areas", "read_features"]

AREAS = ("Polygon", "MultiPolygon")

_CHILD = Path(__file__).with_name("files") / "child.py"
_DRIVER = {
    FileKind.GEOPACKAGE: "GPKG",
    FileKind.SHAPEFILE: "ESRI Shapefile",
    FileKind.FLATGEOBUF: "FlatGeobuf",
    FileKind.GEOJSON: "GeoJSON",  # this and those below are read without GDAL
    FileKind.KML: "KML",
    FileKind.GEOPARQUET: "Parquet",
}
Geometries = NDArray[np.object_]


@dataclass(frozen=True)
class AreaFile:
    """What one file, or one layer of it, holds.

    frame : the attribute columns as the file has them, and `geometry` in EPSG:4490: areas as MultiPolygons,
        else as the file has them, or None where `problems` says why. The index counts the features of the file from 0.
    problems : by row, what kind of fault and in words; these rows must not be stored.
    native_frame : the frame or coordinate system that the file's numbers are in, e.g. "BD09", "EPSG:4548".
    stated_frame : the system that the file itself states, by its own words; "" where it states none.
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
    stated_frame: str = ""


def read_areas(
    path: Path,
    *,
    member: str | None = None,
    layer: str | None = None,
    frame: crs.AnyFrame | str | None = None,
    encoding: str | None = None,
    limits: FileLimits = FileLimits(),
) -> AreaFile:
    """Read the areas of a file into the storage frame: `read_features`, for polygons and nothing else."""
    return read_features(
        path, AREAS, member=member, layer=layer, frame=frame, encoding=encoding, limits=limits
    )


def read_features(
    path: Path,
    kinds: Collection[str],
    *,
    member: str | None = None,
    layer: str | None = None,
    frame: crs.AnyFrame | str | None = None,
    encoding: str | None = None,
    limits: FileLimits = FileLimits(),
) -> AreaFile:
    """Read the features of a file of any kind in `gis.files.filekinds` into the storage frame.

    kinds : the types of geometry that are taken; a feature of another type is listed in `problems`.
    path : the file; or a zip or directory, of which `member` names the file where there are several.
    layer : which layer of a GeoPackage or folder of a KML file, needed where it has several; the folder that
        others lie in takes all of theirs.
    frame : the frame that the coordinates are really counted in; it goes before what the file says, since
        files in GCJ-02 or BD-09 mostly claim to be WGS84. Without it the file must state its own.
    encoding : of the text in a Shapefile that does not state it.
    Raises `NotFound`, and `InvalidInput` whose message starts with the file's name; see docs/problems.md.
    """
    declared = None if frame is None else crs.parse_frame(frame)
    with tempfile.TemporaryDirectory(prefix="gridwhistle-read-") as directory:
        work = Path(directory)
        data = bring_in(Path(path), member, work, limits, encoding)
        meta, geometries = _read_apart(data, layer, work, limits, frame_declared=declared is not None)
    problems = {int(row): (FaultKind.UNREADABLE_GEOMETRY, words) for row, words in meta["problems"].items()}
    _check_shapes(data.name, geometries, kinds, problems, limits)
    stated = parse_stated(data.name, meta["crs"])
    native = shapes_to_storage(data.name, geometries, stated, declared)
    if not len(geometries):
        raise _refused(data.name, "no_areas", "it is whole, but holds no features")
    columns = {str(name): _column(data.name, str(name), values) for name, values in meta["columns"].items()}
    columns.pop("geometry", None)
    areas = gpd.GeoDataFrame(
        pd.DataFrame(columns, index=pd.RangeIndex(len(geometries))), geometry=geometries, crs=STORAGE
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
        stated_frame="" if stated is None else stated.name,
    )


def _read_apart(
    data: DataSet, layer: str | None, work: Path, limits: FileLimits, *, frame_declared: bool
) -> tuple[dict[str, Any], Geometries]:
    """Let the child read; return its facts (columns, crs, layer, problems) and the shapes or None."""
    driver = _DRIVER[data.kind]
    request = {
        "driver": driver,
        "path": str(data.path),
        "layer": layer,
        "encoding": data.encoding,
        "frame_declared": frame_declared,
        "max_features": limits.features,
        "max_bytes": limits.bytes,
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
        "ARROW_DEFAULT_MEMORY_POOL": "system",
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
    name: str,
    geometries: Geometries,
    kinds: Collection[str],
    problems: dict[int, tuple[FaultKind, str]],
    limits: FileLimits,
) -> None:
    """Take out, in place, what is of no wanted kind or not usable, and say why; refuse what is over the limits."""
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
        elif geometry.geom_type not in kinds:
            wanted = "an area" if kinds is AREAS else f"a {' or '.join(kinds)}"
            problems[row] = (FaultKind.WRONG_GEOMETRY_TYPE, f"it is a {geometry.geom_type}, not {wanted}")
        elif counts[row] > limits.vertices_each:
            problems[row] = (
                FaultKind.TOO_MANY_VERTICES,
                f"it has {counts[row]:,} vertices; at most {limits.vertices_each:,} are taken",
            )
        elif not np.isfinite(shapely.get_coordinates(geometry)).all():
            problems[row] = (FaultKind.UNREADABLE_GEOMETRY, "it has coordinates that are not numbers")
        else:
            flat = shapely.force_2d(geometry)
            geometries[row] = as_multipolygon(flat) if flat.geom_type in AREAS else flat
            continue
        geometries[row] = None


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
