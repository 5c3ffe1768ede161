"""The reader: a process of its own that opens one untrusted file and hands back plain bytes.

Run as a script, never imported by the service: of our code it sees only the readers of single formats, keeps
one GDAL driver or none (the parent switches the others off in `OGR_SKIP` before GDAL loads), has no network
where the system lets it give that up, and lives under limits on memory, processor time and files. What it
returns is numbers, text and WKB in an .npz without pickles, which the parent checks again.

    python -I child.py REQUEST.json      in a private directory; writes result.npz, prints one JSON line
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import re
import resource
import sys
from pathlib import Path
from typing import Any

__all__ = ["main"]

_MOST_COLUMNS = 2000
_OTHER_FILE = re.compile(r"(nad|geoid)grids=(?!@null)|PARAMETERFILE|\b(init|file|catalog)=", re.IGNORECASE)
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000


class Refused(Exception):
    """What the file is refused for: a stable code, a sentence and facts."""

    def __init__(self, code: str, message: str, **facts: object) -> None:
        super().__init__(message)
        self.answer = {"code": code, "message": message, "facts": facts}


def main(request_file: str) -> None:
    """Read the data set that `request_file` names; print {"ok": true} or {"code", "message", "facts"}."""
    request = json.loads(Path(request_file).read_text("utf-8"))
    _confine(request)
    answer: dict[str, Any]
    try:
        _write(_READERS.get(request["driver"], _read_with_gdal)(request), request)
        answer = {"ok": True}
    except Refused as refused:
        answer = refused.answer
    except MemoryError:
        answer = {
            "code": "file_too_demanding",
            "message": "it takes more memory than a file may",
        }
    except RecursionError:
        answer = {"code": "file_unreadable", "message": "it is nested too deeply"}
    sys.stdout.write(json.dumps(answer) + "\n")


def _confine(request: dict[str, Any]) -> None:
    limits = {
        resource.RLIMIT_AS: request["memory_bytes"],
        resource.RLIMIT_CPU: request["cpu_seconds"],
        resource.RLIMIT_FSIZE: request["output_bytes"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 64,
    }
    for what, most in limits.items():
        _, hard = resource.getrlimit(what)
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS has no RLIMIT_AS to speak of
            resource.setrlimit(what, (soft, hard))
    # A second fence, since the driver that is left knows no network; not every system lets go of it.
    with contextlib.suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWNET) != 0 and os.geteuid() != 0:
            libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def _read_with_gdal(request: dict[str, Any]) -> dict[str, Any]:
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError

    if list(pyogrio.list_drivers()) != [request["driver"]]:
        raise Refused("file_unreadable", "the reader has other drivers than the one that is wanted")
    try:
        layer = _layer(pyogrio, request)
        meta, _, wkb, fields = pyogrio.raw.read(
            request["path"],
            layer=layer,
            encoding=request["encoding"],
            max_features=request["max_features"] + 1,
            datetime_as_string=True,
        )
        _check_whole(pyogrio, request, layer, len(meta["fields"]), 0 if wkb is None else len(wkb))
    except UnicodeError as wrong:
        raise Refused(
            "wrong_encoding",
            f"its text is not written in {request['encoding'] or 'UTF-8'}",
            field="encoding",
            got=request["encoding"],
        ) from wrong
    except (DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError, ValueError) as broken:
        said = str(broken).replace(request["path"], "the file").splitlines()[0]
        raise Refused("file_unreadable", f"it cannot be read: {said}") from broken
    geometries = [] if wkb is None else [None if one is None else bytes(one) for one in wkb]
    columns = {name: _plain(values) for name, values in zip(meta["fields"], fields, strict=True)}
    return {
        "geometries": geometries,
        "columns": columns,
        "crs": meta["crs"] or _unread_projection(request),
        "layer": layer,
        "problems": {},
    }


def _unread_projection(request: dict[str, Any]) -> str | None:
    """Return what stands in a .prj of which GDAL made nothing, so that it is shown and not taken for missing."""
    stated = Path(request["path"]).with_suffix(".prj")
    if request["driver"] != "ESRI Shapefile" or request["frame_declared"] or not stated.exists():
        return None
    with stated.open("rb") as file:
        return file.read(2000).decode("utf-8", "replace").strip() or None


def _check_whole(pyogrio: Any, request: dict[str, Any], layer: str, columns: int, features: int) -> None:
    """Refuse a file of which GDAL says nothing but reads only a part."""
    if request["driver"] == "ESRI Shapefile" and not columns:
        raise Refused("file_unreadable", "its table of attributes (.dbf) is broken")
    if request["driver"] == "FlatGeobuf":
        stated = pyogrio.read_info(request["path"], layer=layer)["features"]
        if features < min(stated, request["max_features"]):
            raise Refused(
                "file_unreadable",
                f"it says that it holds {stated:,} features, but only {features:,} can be read: it is broken",
            )


def _layer(pyogrio: Any, request: dict[str, Any]) -> str:
    spatial = [str(name) for name, kind in pyogrio.list_layers(request["path"]) if kind is not None]
    wanted = request["layer"]
    if request["driver"] in ("ESRI Shapefile", "FlatGeobuf"):  # which always have one
        if not spatial:
            raise Refused("file_unreadable", "it is broken or cut off at its beginning")
        return spatial[0]
    if not spatial:
        raise Refused("no_areas", "it has no layer of shapes")
    if wanted is None and len(spatial) == 1:
        return spatial[0]
    if wanted is None:
        raise Refused(
            "layer_needed",
            f"it has {len(spatial)} layers of areas; say which: {', '.join(spatial)}",
            field="layer",
            wanted=spatial,
        )
    if wanted not in spatial:
        raise Refused(
            "unknown_layer",
            f"it has no layer {wanted!r}; it has {', '.join(spatial)}",
            field="layer",
            got=wanted,
            wanted=spatial,
        )
    return str(wanted)


def _plain(values: Any) -> list[object]:
    """Return a column as JSON values: a missing number is None, bytes are left out."""
    return [
        None if value is None or _is_nan(value) or isinstance(value, bytes) else value
        for value in values.tolist()
    ]


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _read_geojson(request: dict[str, Any]) -> dict[str, Any]:
    document = _parse_json(Path(request["path"]).read_bytes())
    kind = document.get("type")
    features = document.get("features") if kind == "FeatureCollection" else [document]
    if kind not in ("FeatureCollection", "Feature") or not isinstance(features, list):
        raise Refused(
            "not_area_geojson",
            f"it is JSON, but no FeatureCollection: its type is {kind!r}",
            got=kind if isinstance(kind, str) else None,
            wanted=["FeatureCollection", "Feature"],
        )
    _check_number(len(features), request)
    geometries: list[bytes | None] = []
    problems: dict[int, str] = {}
    rows: list[dict[str, object]] = []
    for row, feature in enumerate(features):
        geometry = feature.get("geometry") if isinstance(feature, dict) else None
        wkb, problem = _wkb(geometry)
        geometries.append(wkb)
        if problem:
            problems[row] = problem
        properties = feature.get("properties") if isinstance(feature, dict) else None
        rows.append(
            {
                name: json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
                for name, value in (properties if isinstance(properties, dict) else {}).items()
            }
        )
    return {
        "geometries": geometries,
        "columns": _columns(rows),
        "crs": _stated_crs(document),
        "layer": None,
        "problems": problems,
    }


def _parse_json(raw: bytes) -> dict[str, Any]:
    def no_constant(text: str) -> object:
        raise ValueError(f"{text} is not a number in JSON")

    try:
        document = json.loads(raw.decode("utf-8-sig"), parse_constant=no_constant)
    except UnicodeDecodeError as wrong:
        raise Refused("file_unreadable", f"GeoJSON is UTF-8, but byte {wrong.start} is not") from wrong
    except ValueError as broken:
        raise Refused("file_unreadable", f"it is not whole JSON: {broken}") from broken
    if not isinstance(document, dict):
        raise Refused(
            "not_area_geojson", "it is JSON, but no object", wanted=["FeatureCollection", "Feature"]
        )
    return document


def _wkb(geometry: object) -> tuple[bytes | None, str | None]:
    import shapely

    if geometry is None:
        return None, None
    try:
        return shapely.to_wkb(shapely.from_geojson(json.dumps(geometry, allow_nan=False))), None
    except (shapely.errors.GEOSException, ValueError, TypeError) as broken:
        return None, str(broken).removeprefix("IllegalArgumentException: ").removeprefix("ParseException: ")


def _stated_crs(document: dict[str, Any]) -> str:
    """Return the frame of the coordinates: WGS84 by RFC 7946, unless the older `crs` member names another."""
    member = document.get("crs")
    if member is None:
        return "OGC:CRS84"
    try:
        return str(member["properties"]["name"])
    except (KeyError, TypeError):
        raise Refused(
            "unknown_crs",
            "its crs member names no coordinate system",
            field="frame",
            got=json.dumps(member)[:200],
        ) from None


def _read_kml(request: dict[str, Any]) -> dict[str, Any]:
    import shapely

    from gis.files.kml import NotKml, read_kml

    try:
        found = read_kml(Path(request["path"]).read_bytes())
    except NotKml as refused:
        raise Refused("file_unreadable", f"it {refused}") from refused
    rows, layer = _in_folder(found, request["layer"])
    _check_number(len(rows), request)
    return {
        "geometries": [
            None if (shape := found.shapes[row]) is None else shapely.to_wkb(shape) for row in rows
        ],
        "columns": _columns([found.values[row] for row in rows]),
        "crs": "OGC:CRS84",
        "layer": layer,
        "problems": {new: found.problems[old] for new, old in enumerate(rows) if old in found.problems},
    }


def _in_folder(found: Any, wanted: str | None) -> tuple[list[int], str | None]:
    """Return which placemarks are meant: those of the only folder with shapes, or all below the one named."""
    filled = [row for row, one in enumerate(found.shapes) if one is not None or row in found.problems]
    folders = list(dict.fromkeys(found.folders[row] for row in filled))
    if not folders:
        links = "; its links to other files are not followed, so hand in those files" if found.links else ""
        raise Refused("no_areas", f"it holds no shapes{links}")
    if wanted is None and len(folders) > 1:
        raise Refused(
            "layer_needed",
            f"it has {len(folders)} folders of shapes; say which, or one that they lie in: "
            + ", ".join(folders[:20]),
            field="layer",
            wanted=folders[:200],
        )
    if wanted is None:
        return [row for row, folder in enumerate(found.folders) if folder == folders[0]], folders[0] or None
    rows = [row for row, folder in enumerate(found.folders) if f"/{wanted}/" in f"/{folder}/"]
    if not rows:
        raise Refused(
            "unknown_layer",
            f"it has no folder {wanted!r}; it has {', '.join(folders[:20])}",
            field="layer",
            got=wanted,
            wanted=folders[:200],
        )
    return rows, wanted


def _read_parquet(request: dict[str, Any]) -> dict[str, Any]:
    from gis.files.geoparquet import NotGeoParquet, TooMuch, read_geoparquet

    try:
        geometries, columns, crs, problems = read_geoparquet(
            Path(request["path"]), request["max_features"], request["max_bytes"]
        )
    except NotGeoParquet as refused:
        raise Refused(refused.code, f"it {refused}") from refused
    except TooMuch as refused:
        raise Refused("file_too_demanding", f"it {refused}") from refused
    return {"geometries": geometries, "columns": columns, "crs": crs, "layer": None, "problems": problems}


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[object]]:
    """Return attributes by column, None where a feature has no such one."""
    names = dict.fromkeys(name for row in rows for name in row)
    if len(names) > _MOST_COLUMNS:
        raise Refused(
            "file_too_demanding",
            f"it has {len(names):,} columns; at most {_MOST_COLUMNS:,} are taken",
            got=len(names),
            wanted=_MOST_COLUMNS,
        )
    return {name: [row.get(name) for row in rows] for name in names}


def _check_number(features: int, request: dict[str, Any]) -> None:
    most = request["max_features"]
    if features > most:
        raise Refused(
            "too_many_features",
            f"it has {features:,} features; at most {most:,} are taken",
            got=features,
            wanted=most,
        )


def _write(result: dict[str, Any], request: dict[str, Any]) -> None:
    import numpy as np

    if result["crs"] and _OTHER_FILE.search(result["crs"]):
        raise Refused(
            "unknown_crs",
            "its coordinate system needs a file that lies elsewhere, which is never opened: export it in CGCS2000",
            field="frame",
        )
    geometries: list[bytes | None] = result.pop("geometries")
    if len(geometries) > request["max_features"]:
        raise Refused(
            "too_many_features",
            f"it has more than {request['max_features']} features",
            wanted=request["max_features"],
        )
    ends = np.cumsum([0 if one is None else len(one) for one in geometries], dtype=np.int64)
    meta = json.dumps(result).encode()
    if len(meta) > 2 * request["max_bytes"]:  # a view or a dictionary repeats one long text for little
        raise Refused("file_too_demanding", f"its attributes take more than {request['max_bytes']:,} bytes")
    np.savez(
        "result.npz",
        wkb=np.frombuffer(b"".join(one or b"" for one in geometries), dtype=np.uint8),
        ends=ends,
        meta=np.frombuffer(meta, dtype=np.uint8),
    )


_READERS = {"GeoJSON": _read_geojson, "KML": _read_kml, "Parquet": _read_parquet}
"""What is read without GDAL."""

if __name__ == "__main__":
    sys.path.append(
        str(Path(__file__).parents[1])
    )  # last, so that nothing of ours takes the place of a library
    main(sys.argv[1])
