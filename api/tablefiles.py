"""A table as a file for other programs: CSV and XLSX for spreadsheets, GeoJSON and GeoPackage for maps.

In spreadsheets headings and codes are in the reader's language, with each code beside its words; in files for maps
the names of the columns are the stable ones that scripts hold on to. No text in any cell computes: in CSV it gets an
apostrophe as OWASP advises, in XLSX it is typed text with the quote prefix. What a table is about, how it is counted,
as of when and who took it away travels with it: on the second sheet of XLSX, as members of the GeoJSON object
(RFC 7946, 6.1), as metadata of the layer in GeoPackage. A CSV file is the table and nothing else.
"""

from __future__ import annotations

import csv
import io
import json
import math
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from api.i18n import Words
from gis.errors import InvalidInput
from grids.csvtables import safe_cell
from grids.rules.calendar import SHANGHAI
from grids.spreadsheets import typed_cell

__all__ = ["MEDIA_TYPES", "MOST_ROWS", "About", "Column", "TableKind", "columns_of", "write_table"]

MOST_ROWS = 60_000
"""Rows that one table made in a request holds; more are for `gridwhistle incidents export`, which streams."""

_WIDEST = 60
_LAYER = "table"

Kind = Literal["text", "whole", "number", "share", "time", "flag", "words"]


class TableKind(StrEnum):
    """What a table is written as."""

    CSV = "csv"
    XLSX = "xlsx"
    GEOJSON = "geojson"
    GPKG = "gpkg"


MEDIA_TYPES = {
    TableKind.CSV: "text/csv; charset=utf-8",
    TableKind.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    TableKind.GEOJSON: "application/geo+json",
    TableKind.GPKG: "application/geopackage+sqlite3",
}


@dataclass(frozen=True)
class Column:
    """A column: its stable name, its heading in the reader's language, what is in it.

    codes : of which kind of `api.i18n.KINDS` its codes are ("level"): then their words stand in a column before.
    """

    name: str
    heading: str
    kind: Kind = "text"
    codes: str = ""


@dataclass(frozen=True)
class About:
    """What a table is about. name : of the file, without its end. filters : (what, which) in words.

    notes : how it is counted. as_of : when the data was read, aware. mark : who took it away, and when.
    """

    name: str
    title: str
    filters: Sequence[tuple[str, str]]
    notes: Sequence[str]
    as_of: datetime
    mark: str = ""


def columns_of(frame: pd.DataFrame, words: Words) -> list[Column]:
    """Return the columns of a figure as people know them; one without a word here keeps its name."""
    known = _headings(words)
    if "p90" in frame.columns:  # a time, and which one
        known["value"] = (words("Median, minutes"), "number", "")
    made = []
    for name in frame.columns:
        if str(name) in _NOT_TAKEN or str(name).startswith("_"):
            continue
        heading, kind, codes = known.get(str(name), (str(name), None, ""))
        made.append(Column(str(name), heading, kind or _kind_of(frame[name]), codes))
    return made


def write_table(
    frame: pd.DataFrame, columns: Sequence[Column], kind: TableKind, about: About, words: Words
) -> bytes:
    """Return a table as a file of a kind; a frame with geometry is in EPSG:4490, which GeoJSON calls WGS84.

    Raises `InvalidInput`: "too_many_rows" above `MOST_ROWS`; "no_geometry" for a map's file of a table without.
    """
    if len(frame) > MOST_ROWS:
        raise InvalidInput(
            "too_many_rows",
            f"{len(frame):,} rows are more than the {MOST_ROWS:,} of one file: take a smaller area or a shorter period",
            field="format",
            got=len(frame),
            wanted=MOST_ROWS,
        )
    if kind is TableKind.CSV:
        return _csv(frame, columns, words)
    if kind is TableKind.XLSX:
        return _xlsx(frame, columns, about, words)
    if not isinstance(frame, gpd.GeoDataFrame):
        raise InvalidInput(
            "no_geometry",
            "this table has no place on a map: take csv or xlsx",
            field="format",
            got=kind.value,
        )
    return _geojson(frame, columns, about) if kind is TableKind.GEOJSON else _package(frame, columns, about)


# ---- cells -------------------------------------------------------------------------------------------------


def _spread(
    frame: pd.DataFrame, columns: Sequence[Column], words: Words
) -> tuple[list[Column], list[list[Any]]]:
    """Return the columns of a spreadsheet with their cells: words before codes, places as two numbers."""
    made: list[Column] = []
    cells: list[list[Any]] = []
    for column in columns:
        values = [_plain(value) for value in frame[column.name].tolist()]
        if column.kind == "words":
            made.append(Column(f"{column.name}_text", column.heading))
            cells.append([words.of(column.codes, value) for value in values])
            made.append(Column(column.name, words("{name} (code)", name=column.heading)))
        elif column.kind == "flag":
            values = [None if value is None else words("yes") if value else words("no") for value in values]
            made.append(column)
        else:
            made.append(column)
        cells.append(values)
    if isinstance(frame, gpd.GeoDataFrame) and len(frame) and (frame.geom_type == "Point").all():
        for name, heading, axis in (("lon", words("Longitude"), "x"), ("lat", words("Latitude"), "y")):
            if name not in frame.columns:
                made.append(Column(name, heading, "number"))
                cells.append([round(float(at), 7) for at in getattr(frame.geometry, axis)])
    return made, cells


def _plain(value: Any) -> Any:
    """Return a value as Python's own: None for what is missing, lists as one text."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return "; ".join(str(part) for part in value)
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, pd.Timestamp):
        value = value.to_pydatetime()
    if isinstance(value, datetime):
        return value.astimezone(SHANGHAI) if value.tzinfo else value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.value if isinstance(value, StrEnum) else value


# ---- spreadsheets ------------------------------------------------------------------------------------------


def _csv(frame: pd.DataFrame, columns: Sequence[Column], words: Words) -> bytes:
    made, cells = _spread(frame, columns, words)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([safe_cell(column.heading) for column in made])
    for row in zip(*cells, strict=True):
        writer.writerow([_csv_cell(value) for value in row])
    return text.getvalue().encode("utf-8-sig")


def _csv_cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, float):
        return repr(round(value, 7)).removesuffix(".0")
    return safe_cell(value)


_FORMATS = {"whole": "#,##0", "number": "#,##0.##", "share": "0.0%", "time": "yyyy-mm-dd hh:mm"}


def _xlsx(frame: pd.DataFrame, columns: Sequence[Column], about: About, words: Words) -> bytes:
    made, cells = _spread(frame, columns, words)
    book = Workbook(write_only=True)
    sheet = book.create_sheet(words("Table"))
    sheet.freeze_panes = "A2"
    for place, (column, values) in enumerate(zip(made, cells, strict=True), start=1):
        sheet.column_dimensions[get_column_letter(place)].width = _width(column.heading, values)
    heads = [typed_cell(sheet, column.heading) for column in made]
    for cell in heads:
        cell.font = Font(bold=True)
        cell.fill = PatternFill("solid", fgColor="E7EAEE")
        cell.alignment = Alignment(wrap_text=True, vertical="center")
    sheet.append(heads)
    for row in zip(*cells, strict=True):
        sheet.append(
            [
                typed_cell(sheet, value, _FORMATS.get(column.kind))
                for column, value in zip(made, row, strict=True)
            ]
        )
    if len(frame):
        sheet.auto_filter.ref = f"A1:{get_column_letter(len(made))}{len(frame) + 1}"
    told = book.create_sheet(words("About this table"))
    told.column_dimensions["A"].width, told.column_dimensions["B"].width = 24, 90
    for name, text in _told(about, made, words):
        first, second = typed_cell(told, name), typed_cell(told, text)
        first.font = Font(bold=True)
        first.alignment = second.alignment = Alignment(wrap_text=True, vertical="top")
        told.append([first, second])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _told(about: About, columns: Sequence[Column], words: Words) -> Iterator[tuple[str, str]]:
    yield words("Title"), about.title
    yield from about.filters
    for note in about.notes:
        yield words("How it is counted"), note
    yield words("Data as of"), words.moment(about.as_of) + " (UTC+8)"
    if about.mark:
        yield words("Taken away"), about.mark
    yield words("Column"), words("Name of the column in files for programs")
    for column in columns:
        yield column.heading, column.name


def _width(heading: str, values: Sequence[Any]) -> float:
    texts = [heading, *(_shown(value) for value in values[:2000])]
    return min(max(sum(2 if _is_wide(char) else 1 for char in text) for text in texts) + 3, _WIDEST)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return "2026-01-01 00:00"
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in ("W", "F")


# ---- files for maps ----------------------------------------------------------------------------------------


def _geojson(frame: gpd.GeoDataFrame, columns: Sequence[Column], about: About) -> bytes:
    shapes = shapely.orient_polygons(np.asarray(frame.geometry.array, dtype=object))  # RFC 7946, 3.1.6
    texts = shapely.to_geojson(shapes)
    names = [column.name for column in columns]
    rows = zip(*([_plain(value) for value in frame[name].tolist()] for name in names), strict=True)
    features = [
        {
            "type": "Feature",
            "geometry": None if text is None else json.loads(text),
            "properties": {name: _json(value) for name, value in zip(names, row, strict=True)},
        }
        for text, row in zip(texts.tolist(), rows, strict=True)
    ]
    whole = {"type": "FeatureCollection", **_facts(about), "features": features}
    return json.dumps(whole, ensure_ascii=False, allow_nan=False).encode()


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    return round(value, 6) if isinstance(value, float) else value


def _facts(about: About) -> dict[str, Any]:
    return {
        "title": about.title,
        "filters": dict(about.filters),
        "definition": list(about.notes),
        "as_of": about.as_of.astimezone(SHANGHAI).isoformat(timespec="seconds"),
        "taken_away": about.mark,
    }


def _package(frame: gpd.GeoDataFrame, columns: Sequence[Column], about: About) -> bytes:
    table: dict[str, Any] = {}
    for column in columns:
        values = frame[column.name]
        if column.kind in ("text", "words"):
            plain = [_plain(value) for value in values.tolist()]
            table[column.name] = pd.Series([None if v is None else str(v) for v in plain], dtype="string")
        elif column.kind == "time":
            table[column.name] = pd.to_datetime(pd.Series(values.tolist()), utc=True)
        else:
            table[column.name] = pd.Series(values.tolist())
    made = gpd.GeoDataFrame(table, geometry=list(frame.geometry), crs=frame.crs)
    facts = _facts(about)
    told = {
        "TITLE": facts["title"],
        "FILTERS": "; ".join(f"{name}: {which}" for name, which in about.filters),
        "DEFINITION": " ".join(facts["definition"]),
        "AS_OF": facts["as_of"],
        "TAKEN_AWAY": facts["taken_away"],
    }
    with tempfile.TemporaryDirectory(prefix="gridwhistle-export-") as directory:
        path = Path(directory) / "table.gpkg"
        made.to_file(path, layer=_LAYER, driver="GPKG", layer_metadata={k: v for k, v in told.items() if v})
        return path.read_bytes()


# ---- headings ----------------------------------------------------------------------------------------------


def _kind_of(values: pd.Series[Any]) -> Kind:
    if pd.api.types.is_bool_dtype(values):
        return "flag"
    if pd.api.types.is_integer_dtype(values):
        return "whole"
    if pd.api.types.is_float_dtype(values):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(values):
        return "time"
    return "time" if any(isinstance(value, datetime) for value in values.tolist()[:20]) else "text"


def _headings(words: Words) -> dict[str, tuple[str, Kind | None, str]]:
    return {
        "code": (words("Code"), "text", ""),
        "name": (words("Name of the area"), "text", ""),
        "level": (words("Level"), "words", "level"),
        "households": (words("Households"), "whole", ""),
        "km2": (words("Area (km²)"), "number", ""),
        "n": (words("n"), "whole", ""),
        "value": (words("Value"), "number", ""),
        "denominator": (words("Denominator"), "number", ""),
        "smoothed": (words("Smoothed rate"), "number", ""),
        "z": (words("Gi* z"), "number", ""),
        "p": (words("p of Gi*"), "number", ""),
        "hot": (words("Hot spot"), "flag", ""),
        "cold": (words("Cold spot"), "flag", ""),
        "quadrant": (words("Quadrant of local Moran"), "whole", ""),
        "places": (words("Recurrent places"), "whole", ""),
        "open": (words("Still open"), "whole", ""),
        "open_late": (words("Open and late"), "whole", ""),
        "p90": (words("P90, minutes"), "number", ""),
        "overdue_share": (words("Overdue share"), "share", ""),
        "pattern": (words("Pattern"), "text", ""),
        "trend_z": (words("Trend z"), "number", ""),
        "trend_p": (words("Trend p"), "number", ""),
        "value_before": (words("Value before"), "number", ""),
        "n_before": (words("n before"), "whole", ""),
        "change": (words("Change of the figure"), "number", ""),
        "category": (words("Category (code)"), "text", ""),
        "category_name": (words("Category"), "text", ""),
        "category_name_en": (words("Category, English"), "text", ""),
        "kind": (words("Kind"), "text", ""),
        "times": (words("Cases"), "whole", ""),
        "first_at": (words("First case"), "time", ""),
        "last_at": (words("Last case"), "time", ""),
        "mean_gap_days": (words("Mean interval, days"), "number", ""),
        "numbers": (words("Numbers of the cases"), "text", ""),
        "grid_code": (words("Grid (code)"), "text", ""),
        "small": (words("small sample"), "flag", ""),
        "left_out": (words("Left out at default points"), "whole", ""),
        "number": (words("Number"), "text", ""),
        "grade": (words("Grade"), "words", "grade"),
        "status": (words("Status"), "words", "status"),
        "due_at": (words("Due"), "time", ""),
        "address": (words("Address"), "text", ""),
        "text": (words("What was said"), "text", ""),
        "population": (words("People"), "whole", ""),
        "posts": (words("Empty posts"), "whole", ""),
        "posts_needed": (words("Posts needed"), "whole", ""),
        "nobody": (words("Categories without a lead"), "whole", ""),
        "several": (words("Categories with several leads"), "whole", ""),
        "categories": (words("Categories"), "whole", ""),
        "addresses": (words("Addresses"), "whole", ""),
        "days": (words("Days"), "whole", ""),
        "lon": (words("Longitude"), "number", ""),
        "lat": (words("Latitude"), "number", ""),
    }


# of the grid's own bookkeeping: nobody reads a figure by them
_NOT_TAKEN = frozenset(
    {"geometry", "source_code", "size_reason", "area_m2", "edition_id", "edition", "how", "url"}
)
