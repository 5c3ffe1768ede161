"""What leaves the house as a file: incidents for a spreadsheet or a map, an edition that can be loaded again.

Incidents leave without those who reported them. The columns of a file are told by its functions; they are kept
once they work, because scripts and spreadsheets of other people hold on to them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import geopandas as gpd
import pandas as pd
import shapely
from openpyxl import Workbook
from shapely.geometry import shape
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID
from gis.errors import InvalidInput
from gis.faults import CoverageReport
from gis.files import writing
from gis.files.filekinds import FileKind
from gis.files.writing import KINDS_WRITTEN, write_features
from grids.csvtables import partial, safe_cell
from grids.ground import editions
from grids.ground.plan import SHAPEFILE_NAMES
from grids.register import Filters
from grids.rules.calendar import SHANGHAI
from grids.scope import under
from grids.spreadsheets import MOST_SHEET_ROWS, typed_cell
from grids.tables import Category, Edition, Grid, Incident

__all__ = [
    "INCIDENT_COLUMNS",
    "edition_areas",
    "export_edition",
    "export_incidents",
    "fault_table",
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
    "edition",
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
    """Write incidents to a .csv, .xlsx, .geojson or .gpkg file; return how many.

    Of the filters area, since, until, statuses and category count. A CSV file is UTF-8 with a byte-order mark,
    and no text in it begins a formula; in an XLSX file text is typed. Raises `InvalidInput` ("unknown_file_type",
    "cannot_write", "too_many_rows" for more than a sheet of XLSX holds).
    """
    kind = kind_of(path, {".csv": "csv", ".xlsx": "xlsx", ".geojson": "geojson", ".gpkg": "gpkg"})
    rows = _incidents(session, filters, advance)
    with partial(path) as temporary:
        if kind == "gpkg":
            return _write_package(temporary, rows)
        if kind == "xlsx":
            return _write_sheet(temporary, rows)
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
            Incident.edition_id.label("edition"),
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


def _write_sheet(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("incidents")
    sheet.freeze_panes = "A2"
    sheet.append([typed_cell(sheet, name) for name in INCIDENT_COLUMNS])
    count = 0
    for count, row in enumerate(rows, start=1):
        if count > MOST_SHEET_ROWS:
            raise InvalidInput(
                "too_many_rows",
                f"a sheet holds {MOST_SHEET_ROWS:,} rows: choose a shorter period, or write .csv",
                field="output",
                wanted=MOST_SHEET_ROWS,
            )
        sheet.append([typed_cell(sheet, value) for value in row.values()])
    book.save(path)
    return count


def _write_geojson(file: IO[str], rows: Iterator[dict[str, Any]]) -> int:
    return write_features(
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


def _write_package(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    table = pd.DataFrame(rows, columns=list(INCIDENT_COLUMNS))
    points = shapely.points(table["lon"].astype(float), table["lat"].astype(float))
    table["edition"] = table["edition"].astype("Int64")
    for column in table.columns.drop(["round", "edition", "lon", "lat"]):
        table[column] = table[column].astype("string")  # a column without any value is text too
    frame = gpd.GeoDataFrame(table, geometry=points, crs=f"EPSG:{STORAGE_SRID}")
    frame.to_file(path, layer="incidents", driver="GPKG", geometry_type="Point")
    return len(frame)


def export_edition(session: Session, edition_id: int, path: Path) -> Edition:
    """Write the areas of an edition to a file that loads without a mapping, as `write_areas` does.

    Columns: code, level, name, source_code (src_code in a Shapefile), households, population, size_reason (sizereason
    there). EPSG:4490, which GeoJSON and KML call WGS84 (see `gis.crs`).
    Raises `NotFound` ("edition_not_found") and what `write_areas` raises.
    """
    edition = editions.get(session, edition_id)
    write_areas(edition_areas(session, edition_id), path, layer="grids")
    return edition


def edition_areas(session: Session, edition_id: int) -> gpd.GeoDataFrame:
    """Return the areas of an edition with the columns of an exported file. Raises `NotFound` ("edition_not_found")."""
    areas = editions.areas_of(session, edition_id)
    query = select(Grid.code, Grid.source_code, Grid.size_reason).where(Grid.edition_id == edition_id)
    kept = {row.code: row for row in session.execute(query)}
    for column in ("source_code", "size_reason"):
        areas[column] = (
            areas["code"].map({code: getattr(row, column) for code, row in kept.items()}).astype("string")
        )
    for column in ("households", "population"):
        areas[column] = areas[column].astype("Int64")
    return areas[
        ["code", "level", "name", "source_code", "households", "population", "size_reason", "geometry"]
    ]


def write_areas(frame: gpd.GeoDataFrame, path: Path, *, layer: str) -> None:
    """Write areas in EPSG:4490 to a file of the kind that its name ends in: see `gis.files.writing.KINDS_WRITTEN`.

    Raises `InvalidInput` ("unknown_file_type", "cannot_write").
    """
    kind = FileKind(kind_of(path, KINDS_WRITTEN))
    if kind is FileKind.SHAPEFILE:
        frame = frame.rename(columns=SHAPEFILE_NAMES)
    with partial(path) as temporary:
        writing.write_areas(frame, temporary, kind, layer=layer)


def fault_table(faults: Sequence[Mapping[str, Any]]) -> gpd.GeoDataFrame:
    """Return faults, as a report or an edition keeps them as plain values, one row each in EPSG:4490.

    Columns: kind, severity, level (None where unknown), codes (a list), area_m2, lon, lat (NaN where unknown),
    message, and the shape of the defect as geometry, None where it has none.
    """
    columns = ("kind", "severity", "level", "codes", "area_m2", "lon", "lat", "message")
    table = pd.DataFrame(
        {name: pd.Series([fault[name] for fault in faults], dtype=object) for name in columns}
    )
    for name in ("area_m2", "lon", "lat"):
        table[name] = table[name].astype(float)
    shapes = [None if fault["geometry"] is None else shape(fault["geometry"]) for fault in faults]
    return gpd.GeoDataFrame(table, geometry=shapes, crs=f"EPSG:{STORAGE_SRID}")


def write_faults(report: CoverageReport, path: Path) -> None:
    """Write the faults of a report to a .gpkg or .geojson file, each as the shape of the defect or its place.

    Raises `InvalidInput` ("unknown_file_type", "cannot_write").
    """
    kind_of(path, {".gpkg": "GPKG", ".geojson": "GeoJSON"})
    table = fault_table([fault.to_dict() for fault in report.faults])
    places = gpd.points_from_xy(table["lon"], table["lat"], crs=table.crs)
    known = table["lon"].notna()
    placed = table.geometry.where(table.geometry.notna() | ~known, gpd.GeoSeries(places, index=table.index))
    table = table.assign(
        codes=[", ".join(codes) for codes in table["codes"]],
        level=table["level"].astype("string"),
        area_m2=table["area_m2"].astype("Float64"),
    )
    write_areas(table.set_geometry(placed).drop(columns=["lon", "lat"]), path, layer="faults")
