"""GeoParquet in: a Parquet file whose `geo` metadata says which column holds shapes, and in which system.

Counts are looked at before anything is unpacked, and batches are counted as they come, since a Parquet page
of a few bytes may repeat one long value a million times.

This module is loaded by the reading process (`gis.files.child`): it knows nothing else of ours.
Source: GeoParquet 1.1, https://geoparquet.org/releases/v1.1.0/
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import shapely

__all__ = ["NotGeoParquet", "TooMuch", "read_geoparquet"]

_BATCH = 4096
_COLLECTION = 7  # shapely's number of a GeometryCollection
_NATIVE = ("point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon")


class NotGeoParquet(ValueError):
    """Why a file is not taken, in words that follow "it", and the stable `code` of the reason."""

    def __init__(self, words: str, code: str = "file_unreadable") -> None:
        super().__init__(words)
        self.code = code


class TooMuch(ValueError):
    """The file unpacks to more than it may, in words that follow "it"."""


def read_geoparquet(
    path: Path, max_features: int, max_bytes: int
) -> tuple[list[bytes | None], dict[str, list[object]], str | None, dict[int, str]]:
    """Return shapes as WKB, the other columns, the coordinate system (None where it is unknown), and problems.

    problems : by row, why a shape cannot be read. Columns of bytes, of further shapes and of their boxes are
    left out. At most `max_features` + 1 rows are read, so that the caller sees that there are more.
    Raises `NotGeoParquet` and, for what unpacks to more than `max_bytes`, `TooMuch`.
    """
    try:
        return _read(path, max_features, max_bytes)
    except (NotGeoParquet, TooMuch, MemoryError):
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError) as broken:
        said = str(broken).replace(str(path), "the file").splitlines() or [type(broken).__name__]
        raise NotGeoParquet(f"cannot be read: {said[0][:200]}") from broken


def _read(
    path: Path, max_features: int, max_bytes: int
) -> tuple[list[bytes | None], dict[str, list[object]], str | None, dict[int, str]]:
    with pq.ParquetFile(path) as file:
        geo = _geo(file)
        name, encoding, crs = _primary(geo, file.schema_arrow.names)
        if file.metadata.num_rows > max_features:
            return [None] * (max_features + 1), {}, crs, {}
        groups = (file.metadata.row_group(number) for number in range(file.metadata.num_row_groups))
        if sum(group.total_byte_size for group in groups) > max_bytes:
            raise TooMuch(f"unpacks to more than {max_bytes:,} bytes")
        left_out = {name, *geo["columns"]}
        shapes: list[bytes | None] = []
        columns: dict[str, list[object]] = {}
        problems: dict[int, str] = {}
        for batch in _batches(file, max_bytes):
            for field, values in zip(batch.schema, batch.columns, strict=True):
                if field.name == name:
                    _take_shapes(values, encoding, shapes, problems)
                elif field.name not in left_out and not _is_left_out(field):
                    columns.setdefault(field.name, []).extend(map(_plain, values.to_pylist()))
    return shapes, columns, crs, problems


def _batches(file: pq.ParquetFile, max_bytes: int) -> Iterator[pa.RecordBatch]:
    taken = 0
    for batch in file.iter_batches(batch_size=_BATCH, use_threads=False):
        taken += batch.get_total_buffer_size()
        if taken > max_bytes:
            raise TooMuch(f"unpacks to more than {max_bytes:,} bytes")
        yield batch


def _geo(file: pq.ParquetFile) -> dict[str, Any]:
    raw = (file.metadata.metadata or {}).get(b"geo")
    if raw is None:
        raise NotGeoParquet(
            "is Parquet, but no GeoParquet: no metadata 'geo' says which column holds the shapes",
            "not_geoparquet",
        )
    try:
        geo = json.loads(raw)
    except (ValueError, RecursionError) as broken:
        raise NotGeoParquet(f"has metadata 'geo' that is not JSON: {broken}", "not_geoparquet") from broken
    if not isinstance(geo, dict) or not isinstance(geo.get("columns"), dict):
        raise NotGeoParquet("has metadata 'geo' that names no columns of shapes", "not_geoparquet")
    return geo


def _primary(geo: dict[str, Any], present: list[str]) -> tuple[str, str, str | None]:
    """Return the column of the shapes, how it is written, and the coordinate system that it states."""
    name = geo.get("primary_column")
    about = geo["columns"].get(name) if isinstance(name, str) else None
    if not isinstance(about, dict) or present.count(str(name)) != 1:
        raise NotGeoParquet(
            f"says that its shapes are in column {str(name)[:80]!r}, but has no one such column of shapes",
            "not_geoparquet",
        )
    encoding = str(about.get("encoding"))
    if encoding.upper() != "WKB" and encoding not in _NATIVE:
        raise NotGeoParquet(
            f"has shapes in the encoding {encoding[:80]!r}; WKB and {', '.join(_NATIVE)} are read",
            "not_geoparquet",
        )
    if "crs" not in about:
        return str(name), encoding, "OGC:CRS84"
    crs = about["crs"]
    stated = crs if isinstance(crs, str) or crs is None else json.dumps(crs)
    return str(name), encoding, stated


def _take_shapes(values: Any, encoding: str, shapes: list[bytes | None], problems: dict[int, str]) -> None:
    if encoding in _NATIVE:
        shapes.extend(_from_native(values, encoding))
        return
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    kind = values.type
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)):
        raise NotGeoParquet(f"has a column of shapes that holds {kind}, not WKB")
    for raw in values.to_pylist():
        try:
            shapes.append(None if raw is None else _checked(raw))
        except shapely.errors.GEOSException as broken:
            problems[len(shapes)] = str(broken).partition(": ")[2] or str(broken)
            shapes.append(None)


def _checked(raw: bytes) -> bytes:
    """Return WKB that another process may read without care: GEOS follows collections however deep they lie."""
    shape = shapely.from_wkb(raw)
    if shapely.get_type_id(shape) == _COLLECTION and not shape.is_empty:
        shape = shapely.GeometryCollection([shapely.Point(0, 0)])
    wkb: bytes = shapely.to_wkb(shape)
    return wkb


def _from_native(values: Any, encoding: str) -> list[bytes | None]:
    import geopandas as gpd

    field = pa.field("shapes", values.type, metadata={"ARROW:extension:name": f"geoarrow.{encoding}"})
    try:
        table = gpd.GeoDataFrame.from_arrow(pa.table([values], schema=pa.schema([field])))
    except (ValueError, TypeError, NotImplementedError, AttributeError, KeyError, IndexError) as broken:
        raise NotGeoParquet(f"has a column of shapes that is not written as {encoding}") from broken
    return [None if shape is None else shapely.to_wkb(shape) for shape in table.geometry]


def _is_left_out(field: pa.Field) -> bool:
    kind = field.type
    box = pa.types.is_struct(kind) and {"xmin", "ymin"} <= {
        kind.field(n).name for n in range(kind.num_fields)
    }
    return bool(box or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _plain(value: object) -> object:
    """Return a value as JSON holds it: a missing number is None, moments and exact numbers are text."""
    if isinstance(value, float):
        return None if value != value else value  # NaN
    if isinstance(value, bytes):
        return None
    if value is None or isinstance(value, str | int | bool):
        return value
    return (
        json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else str(value)
    )
