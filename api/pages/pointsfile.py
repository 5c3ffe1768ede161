"""The ledger of recurrent problem points as a file: all of it, under the filters of its page."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely
from fastapi import APIRouter, Request, Response

from api.deps import ReadOnly
from api.exports import PageExporter
from api.names import Names
from api.pages.forms import text_of
from api.pages.points import Line, asked_of, lines_of
from api.pages.visit import Visit, Visiting
from api.papers.listing import write_listing
from api.papers.sheet import find_font
from api.tablefiles import MEDIA_TYPES, MOST_ROWS, About, Column, TableKind, write_table
from gis.crs import STORAGE_SRID
from gis.errors import InvalidInput
from grids.places import ledger
from grids.places.ledger import PlaceFilters, PlaceRow
from grids.rules.calendar import local_day
from grids.rules.permissions import require_area
from grids.rules.places import PlaceKind

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_PAGE = 200
_MOST_ON_PAPER = 2_000
_WIDTHS = (23, 30, 24, 34, 11, 20, 36, 30, 17, 20, 28)  # mm; a day stands on one line


class LedgerFormat(StrEnum):
    """As what the ledger is given."""

    CSV = "csv"
    XLSX = "xlsx"
    GEOJSON = "geojson"
    GPKG = "gpkg"
    PDF = "pdf"


@router.get("/points/file")
def ledger_file(session: ReadOnly, visit: Visiting, exporter: PageExporter, request: Request) -> Response:
    """Return the places that the ledger's page lists under this address, all of them, as a file."""
    query = request.query_params
    wanted = text_of(query, "format") or LedgerFormat.XLSX.value
    if wanted not in set(LedgerFormat):
        raise InvalidInput(
            "unknown_choice",
            f"format {wanted[:40]!r} is not known",
            field="format",
            wanted=[one.value for one in LedgerFormat],
        )
    kind, filters = asked_of(query)
    if filters.area:
        require_area(visit.me, filters.area)
    most = _MOST_ON_PAPER if wanted == LedgerFormat.PDF else MOST_ROWS
    names = visit.names(session)
    lines = lines_of(_all(session, visit, filters, most), names, local_day(visit.now))
    words = visit.words
    rest = words("Ledger of other recurrent points")
    title = words("Ledger of recurrent points: {kind}", kind=words.of("place_kind", kind))
    about = About(
        name=f"points-{kind.value}-{filters.area or visit.me.area_code or 'district'}",
        title=rest if kind is PlaceKind.OTHER else title,
        filters=[*_said(filters, names, visit), (words("Number of points"), f"{len(lines):,}")],
        notes=[words("Times are rains where water stands, else cases; merged duplicates count once.")],
        as_of=visit.now,
        mark=exporter.mark,
    )
    columns, table = _table(lines, visit)
    if wanted == LedgerFormat.PDF:
        font = find_font(request.app.state.settings.pdf_font)
        rows = [[_text(value) for value in row] for row in table[_ON_PAPER].itertuples(index=False)]
        headings = {column.name: column.heading for column in columns}
        heads = [headings[name] for name in _ON_PAPER]
        made = write_listing(about, heads, rows, _WIDTHS, font=font, words=words)
        return exporter.file(made, f"{about.name}.pdf", "application/pdf", rows=len(rows))
    file = TableKind(wanted)
    columns = [column for column in columns if column.name != _DAY]
    made = write_table(table, columns, file, about, words)
    return exporter.file(made, f"{about.name}.{file.value}", MEDIA_TYPES[file], rows=len(table))


def _all(session: ReadOnly, visit: Visit, filters: PlaceFilters, most: int) -> list[PlaceRow]:
    """Return all places in sight, at most one above `most`. Raises `InvalidInput` ("too_many_rows")."""
    rows: list[PlaceRow] = []
    cursor: str | None = None
    while True:
        page = ledger.find_places(session, visit.me.scope, filters, now=visit.now, cursor=cursor, limit=_PAGE)
        rows += page.items
        if len(rows) > most:
            raise InvalidInput(
                "too_many_rows", f"more than {most:,} places: choose fewer", field="format", wanted=most
            )
        if page.next_cursor is None:
            return rows
        cursor = page.next_cursor


def _said(filters: PlaceFilters, names: Names, visit: Visit) -> list[tuple[str, str]]:
    words = visit.words
    area = filters.area or visit.me.area_code
    said = [(words("Area"), " › ".join(name for _, name in names.above(area)) if area else words("All"))]
    stages = words.listed(words.of("place_status", status) for status in filters.statuses)
    said.append((words("Stage"), stages or words("All, cured too")))
    if filters.lead:
        unit = names.department(area[:6], filters.lead) if area else filters.lead
        said.append((words("Unit that leads"), unit))
    if filters.least_times:
        said.append((words("Came back"), words("{count} times or more", count=filters.least_times)))
    if filters.overdue_only:
        said.append((words("Due"), words("Overdue only")))
    if filters.text:
        said.append((words("Number or name"), filters.text))
    return said


_DAY = "last_day"  # for paper, which has no room for the time
_ON_PAPER = [
    "number",
    "name",
    "category_name",
    "where",
    "times",
    _DAY,
    "lead_name",
    "cooperating",
    "status_text",
    "due",
    "measure",
]


def _table(lines: list[Line], visit: Visit) -> tuple[list[Column], gpd.GeoDataFrame]:
    words = visit.words
    columns = [
        Column("number", words("Number")),
        Column("name", words("Place")),
        Column("category", words("Category (code)")),
        Column("category_name", words("Category")),
        Column("grid_code", words("Grid (code)")),
        Column("where", words("Grid")),
        Column("times", words("Times"), "whole"),
        Column("members", words("Cases"), "whole"),
        Column("open", words("Still open"), "whole"),
        Column("first_at", words("First case"), "time"),
        Column("last_at", words("Last case"), "time"),
        Column(_DAY, words("Last")),
        Column("lead", words("Unit that leads (code)")),
        Column("lead_name", words("Unit that leads")),
        Column("cooperating", words("Cooperate")),
        Column("status", words("Stage (code)")),
        Column("status_text", words("Stage")),
        Column("cause", words("Cause")),
        Column("measure", words("Measure")),
        Column("due", words("Due")),
        Column("overdue", words("Overdue"), "flag"),
        Column("returns", words("Came back after treatment"), "whole"),
        Column("cured_at", words("Cured"), "time"),
    ]
    rows = [_row(line, visit) for line in lines]
    table = pd.DataFrame(rows, columns=[column.name for column in columns])
    shapes = [shapely.Point(line.row.lon, line.row.lat) for line in lines]
    return columns, gpd.GeoDataFrame(table, geometry=shapes, crs=f"EPSG:{STORAGE_SRID}")


def _row(line: Line, visit: Visit) -> dict[str, object]:
    place, words = line.row.place, visit.words
    return {
        "number": place.number,
        "name": place.name,
        "category": place.category_code,
        "category_name": words.name(line.row.category),
        "grid_code": place.grid_code,
        "where": line.where,
        "times": place.times,
        "members": line.row.members,
        "open": line.row.open,
        "first_at": place.first_at,
        "last_at": place.last_at,
        _DAY: local_day(place.last_at).isoformat() if place.last_at else "",
        "lead": place.lead,
        "lead_name": line.lead,
        "cooperating": line.others,
        "status": place.status.value,
        "status_text": words.of("place_status", place.status),
        "cause": place.cause,
        "measure": place.measure,
        "due": place.due_on.isoformat() if place.due_on else "",
        "overdue": line.row.overdue,
        "returns": place.returns,
        "cured_at": place.cured_at,
    }


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)
