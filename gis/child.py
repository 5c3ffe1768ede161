"""The reader: a process of its own that opens one untrusted file and hands back plain bytes.

Run as a script, never imported by the service: it sees none of our code, keeps one GDAL driver (the parent
switches the others off in `OGR_SKIP` before GDAL loads), has no network where the system lets it give that
up, and lives under limits on memory, processor time and files. What it returns is numbers, text and WKB in
an .npz without pickles, which the parent checks again.

    python -I child.py REQUEST.json      in a private directory; writes result.npz, prints one JSON line
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import resource
import sys
from pathlib import Path
from typing import Any

__all__ = ["main"]

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
        result = _read_geojson(request) if request["driver"] == "GeoJSON" else _read_with_gdal(request)
        _write(result, request)
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
    except UnicodeError as wrong:
        raise Refused(
            "wrong_encoding",
            f"its text is not written in {request['encoding']}",
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
        "crs": meta["crs"],
        "layer": layer,
        "problems": {},
    }


def _layer(pyogrio: Any, request: dict[str, Any]) -> str:
    spatial = [str(name) for name, kind in pyogrio.list_layers(request["path"]) if kind is not None]
    wanted = request["layer"]
    if request["driver"] == "ESRI Shapefile" and spatial:
        return spatial[0]
    if wanted is None and len(spatial) == 1:
        return spatial[0]
    if wanted is None:
        raise Refused(
            "layer_needed",
            f"it has {len(spatial)} layers of areas; say which: {', '.join(spatial) or 'none'}",
            field="layer",
            wanted=spatial,
        )
    if wanted not in spatial:
        raise Refused(
            "unknown_layer",
            f"it has no layer {wanted!r}; it has {', '.join(spatial) or 'none'}",
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
    if len(features) > request["max_features"]:
        raise Refused(
            "too_many_features",
            f"it has {len(features)} features; at most {request['max_features']} are taken",
            got=len(features),
            wanted=request["max_features"],
        )
    geometries: list[bytes | None] = []
    problems: dict[int, str] = {}
    columns: dict[str, list[object]] = {}
    for row, feature in enumerate(features):
        geometry = feature.get("geometry") if isinstance(feature, dict) else None
        wkb, problem = _wkb(geometry)
        geometries.append(wkb)
        if problem:
            problems[row] = problem
        properties = feature.get("properties") if isinstance(feature, dict) else None
        for name, value in (properties if isinstance(properties, dict) else {}).items():
            simple = value is None or isinstance(value, str | int | float | bool)
            column = columns.setdefault(str(name), [None] * len(features))
            column[row] = value if simple else json.dumps(value, ensure_ascii=False)
    return {
        "geometries": geometries,
        "columns": columns,
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


def _write(result: dict[str, Any], request: dict[str, Any]) -> None:
    import numpy as np

    geometries: list[bytes | None] = result.pop("geometries")
    if len(geometries) > request["max_features"]:
        raise Refused(
            "too_many_features",
            f"it has more than {request['max_features']} features",
            wanted=request["max_features"],
        )
    ends = np.cumsum([0 if one is None else len(one) for one in geometries], dtype=np.int64)
    meta = json.dumps(result).encode()
    np.savez(
        "result.npz",
        wkb=np.frombuffer(b"".join(one or b"" for one in geometries), dtype=np.uint8),
        ends=ends,
        meta=np.frombuffer(meta, dtype=np.uint8),
    )


if __name__ == "__main__":
    main(sys.argv[1])
