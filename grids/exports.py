"""What leaves the house as a file: incidents for a spreadsheet or a map, an edition that can be loaded again.

Incidents leave without those who reported them. The columns of a file are told by its functions; they are kept
once they work, because scripts and spreadsheets of other people hold on to them.
"""

from __future__ import annotations

import csv
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import geopandas as gpd
import pandas as pd
import shapely
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID
from gis.errors import InvalidInput
from gis.faults import CoverageReport
from grids import editions
from grids.csvtables import partial, safe_cell
from grids.register import Filters
from grids.rules.calendar import SHANGHAI
from grids.scope import under
from grids.tables import Category, Edition, Grid, Incident

__all__ = [
    "INCIDENT_COLUMNS",
    "export_edition",
    "export_incidents",
    "kind_of",
    "write_areas",
    "write_faults",
]

INCIDENT_COLUMNS = (
    "number",
    "status",
    "round",
    "channel",
    "category",
    "category_name",
    "category_name_en",
    "grade",
    "grid_code",
    "grid_name",
    "placement",
    "lon",
    "lat",
    "address",
    "text",
    "received_at",
    "accepted_at",
    "resolved_at",
    "verified_at",
    "closed_at",
    "due_at",
    "first_overdue_at",
    "source_key",
)
"""Columns of exported incidents; lon and lat in CGCS2000, times of Asia/Shanghai with their offset."""

_BATCH = 2000
_SHAPEFILE_NAMES = {"source_code": "src_code"}  # names of columns have ten letters there


def kind_of(path: Path, wanted: Mapping[str, str]) -> str:
    """Return what a file is to be by the end of its name: a value of `wanted`, whose keys are such as ".csv".

    Raises `InvalidInput` ("unknown_file_type").
    """
    try:
        return wanted[path.suffix.lower()]
    except KeyError:
        raise InvalidInput(
            "unknown_file_type",
            f"{path.name} must end in {', '.join(wanted)}",
            field="output",
            got=path.suffix,
            wanted=list(wanted),
        ) from None


def export_incidents(
    session: Session, filters: Filters, path: Path, *, advance: Callable[[int], object] = lambda _rows: None
) -> int:
    """Write incidents to a .csv, .geojson or .gpkg file; return how many.

    Of the filters area, since, until, statuses and category count. A CSV file is UTF-8 with a byte-order mark,
    and no text in it begins a formula. Raises `InvalidInput` ("unknown_file_type", "cannot_write").
    """
    kind = kind_of(path, {".csv": "csv", ".geojson": "geojson", ".gpkg": "gpkg"})
    rows = _incidents(session, filters, advance)
    with partial(path) as temporary:
        if kind == "gpkg":
            return _write_package(temporary, rows)
        encoding = "utf-8-sig" if kind == "csv" else "utf-8"
        with temporary.open("w", encoding=encoding, newline="") as file:
            return _write_csv(file, rows) if kind == "csv" else _write_geojson(file, rows)


def _incidents(
    session: Session, filters: Filters, advance: Callable[[int], object]
) -> Iterator[dict[str, Any]]:
    walls = [
        under(Incident.grid_code, filters.area) if filters.area else None,
        Incident.received_at >= filters.since if filters.since else None,
        Incident.received_at < filters.until if filters.until else None,
        Incident.status.in_(filters.statuses) if filters.statuses else None,
        Incident.category_code == filters.category if filters.category else None,
    ]
    same = {name: getattr(Incident, name) for name in INCIDENT_COLUMNS if hasattr(Incident, name)}
    query = (
        select(
            *(column.label(name) for name, column in same.items()),
            Incident.category_code.label("category"),
            Category.name.label("category_name"),
            Category.name_en.label("category_name_en"),
            Grid.name.label("grid_name"),
            func.ST_X(Incident.point).label("lon"),
            func.ST_Y(Incident.point).label("lat"),
        )
        .outerjoin(Category, Category.code == Incident.category_code)
        .outerjoin(Grid, (Grid.edition_id == Incident.edition_id) & (Grid.code == Incident.grid_code))
        .where(*(wall for wall in walls if wall is not None))
        .order_by(Incident.received_at, Incident.id)
        .execution_options(yield_per=_BATCH)
    )
    for batch in session.execute(query).mappings().partitions():
        for row in batch:
            yield {name: _plain(row[name]) for name in INCIDENT_COLUMNS}
        advance(len(batch))


def _plain(value: Any) -> Any:
    if hasattr(value, "astimezone"):
        return value.astimezone(SHANGHAI).isoformat(timespec="seconds")
    return getattr(value, "value", value)


def _write_csv(file: IO[str], rows: Iterator[dict[str, Any]]) -> int:
    writer = csv.writer(file)
    writer.writerow(INCIDENT_COLUMNS)
    count = 0
    for row in rows:
        writer.writerow([safe_cell(value) for value in row.values()])
        count += 1
    return count


def _write_geojson(file: IO[str], rows: Iterator[dict[str, Any]]) -> int:
    return _write_features(
        file,
        (
            {
                "type": "Feature",
                "id": row["number"],
                "geometry": {"type": "Point", "coordinates": [row.pop("lon"), row.pop("lat")]},
                "properties": row,
            }
            for row in rows
        ),
    )


def _write_features(file: IO[str], features: Iterable[dict[str, Any]]) -> int:
    """Write a FeatureCollection, a feature a line, every coordinate with all of its digits (GDAL rounds them)."""
    file.write('{"type": "FeatureCollection", "features": [')
    count = 0
    for count, feature in enumerate(features, start=1):
        file.write(("\n" if count == 1 else ",\n") + json.dumps(feature, ensure_ascii=False, allow_nan=False))
    file.write("\n]}\n")
    return count


def _area_features(frame: gpd.GeoDataFrame) -> Iterator[dict[str, Any]]:
    table = pd.DataFrame(frame.drop(columns="geometry")).astype(object)
    records = table.where(table.notna(), None).to_dict("records")
    for properties, shape in zip(records, frame.geometry, strict=True):
        geometry = None if shape is None else json.loads(shapely.to_geojson(shape))
        yield {"type": "Feature", "geometry": geometry, "properties": properties}


def _write_package(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    table = pd.DataFrame(rows, columns=list(INCIDENT_COLUMNS))
    points = shapely.points(table["lon"].astype(float), table["lat"].astype(float))
    for column in table.columns.drop(["round", "lon", "lat"]):
        table[column] = table[column].astype("string")  # a column without any value is text too
    frame = gpd.GeoDataFrame(table, geometry=points, crs=f"EPSG:{STORAGE_SRID}")
    frame.to_file(path, layer="incidents", driver="GPKG", geometry_type="Point")
    return len(frame)


def export_edition(session: Session, edition_id: int, path: Path) -> Edition:
    """Write the areas of an edition to a .gpkg, .geojson or .zip (Shapefile) file that loads without a mapping.

    Columns: code, level, name, source_code (src_code in a Shapefile), households, population. EPSG:4490, which
    GeoJSON calls WGS84 (see `gis.crs`). Raises `NotFound` ("edition_not_found") and what `write_areas` raises.
    """
    edition = editions.get(session, edition_id)
    areas = editions.areas_of(session, edition_id)
    query = select(Grid.code, Grid.source_code).where(Grid.edition_id == edition_id)
    source_code = dict(session.execute(query).all())
    areas["source_code"] = areas["code"].map(source_code).astype("string")
    for column in ("households", "population"):
        areas[column] = areas[column].astype("Int64")
    write_areas(
        areas[["code", "level", "name", "source_code", "households", "population", "geometry"]],
        path,
        layer="grids",
    )
    return edition


def write_areas(frame: gpd.GeoDataFrame, path: Path, *, layer: str) -> None:
    """Write areas in EPSG:4490 to a .gpkg, .geojson or .zip (Shapefile) file; GeoJSON has no word for the frame.

    Raises `InvalidInput` ("unknown_file_type", "cannot_write").
    """
    kind = kind_of(path, {".gpkg": "GPKG", ".geojson": "GeoJSON", ".zip": "ESRI Shapefile"})
    with partial(path) as temporary:
        if kind == "GPKG":
            frame.to_file(temporary, layer=layer, driver=kind)
        elif kind == "GeoJSON":
            with temporary.open("w", encoding="utf-8") as file:
                _write_features(file, _area_features(frame))
        else:
            _write_shapefile(frame.rename(columns=_SHAPEFILE_NAMES), temporary, layer)


def _write_shapefile(frame: gpd.GeoDataFrame, path: Path, layer: str) -> None:
    with tempfile.TemporaryDirectory(prefix="gridwhistle-export-") as directory:
        frame.to_file(Path(directory) / f"{layer}.shp", driver="ESRI Shapefile", encoding="UTF-8")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for part in sorted(Path(directory).iterdir()):
                archive.write(part, part.name)


def write_faults(report: CoverageReport, path: Path) -> None:
    """Write the faults of a report to a .gpkg or .geojson file, each as the shape of the defect or its place.

    Raises `InvalidInput` ("unknown_file_type", "cannot_write").
    """
    kind_of(path, {".gpkg": "GPKG", ".geojson": "GeoJSON"})
    shapes = [
        fault.geometry
        if fault.geometry is not None or fault.lon is None
        else shapely.Point(fault.lon, fault.lat or 0.0)
        for fault in report.faults
    ]
    table = pd.DataFrame(
        {
            "kind": [fault.kind.value for fault in report.faults],
            "severity": [fault.severity.value for fault in report.faults],
            "level": pd.array([fault.level for fault in report.faults], dtype="string"),
            "codes": [", ".join(fault.codes) for fault in report.faults],
            "area_m2": pd.array([fault.area_m2 for fault in report.faults], dtype="Float64"),
            "message": [fault.message for fault in report.faults],
        }
    )
    write_areas(gpd.GeoDataFrame(table, geometry=shapes, crs=f"EPSG:{STORAGE_SRID}"), path, layer="faults")
