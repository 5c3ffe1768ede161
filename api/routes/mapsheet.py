"""A map as an answer: a page, that page as one file, a sheet of A4, or its figures as a table.

`format=png|pdf` is the sheet, `format=csv|xlsx|geojson|gpkg` the table: of exactly what the map shows, under the same
title, filters and definition, because both are taken from it.

A map is shown in a frame of a page of ours. Its policy puts it into a sandbox, so that nothing in it could read
a cookie or act for the reader even if something ran that should not; and because a sandbox has no origin of its
own, the policy names ours.
"""

from __future__ import annotations

import re
import secrets
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Protocol

import pandas as pd
from fastapi import Depends, Query, Request, Response
from fastapi.responses import HTMLResponse

from api.deps import ReadOnly, Words
from api.exports import PageExporter
from api.names import Names
from api.papers.sheet import find_font
from api.problems import BadRequest
from api.tablefiles import MEDIA_TYPES, About, TableKind, columns_of, write_table
from maps import Assets, GridMap, page

__all__ = ["ASSETS", "MapFormat", "Sheet", "policy"]

ASSETS = Assets(Path(__file__).resolve().parents[1] / "static")

_HOST = re.compile(r"[A-Za-z0-9._-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")


class MapFormat(StrEnum):
    """As what a map is given."""

    HTML = "html"
    PNG = "png"
    PDF = "pdf"
    CSV = "csv"
    XLSX = "xlsx"
    GEOJSON = "geojson"
    GPKG = "gpkg"


class Maker(Protocol):
    """What makes an answer of a map.

    kind, code, detail : the name of a file is made of them. cells : the frame that the map shows.
    """

    def __call__(
        self, drawn: GridMap, kind: str, code: str, cells: pd.DataFrame, detail: str = ""
    ) -> Response: ...


def _sheet(
    request: Request,
    session: ReadOnly,
    exporter: PageExporter,
    words: Words,
    wanted: Annotated[
        MapFormat,
        Query(alias="format", description="a page, a sheet of A4 (png, pdf), or the figures as a table"),
    ] = MapFormat.HTML,
    download: Annotated[bool, Query(description="the page as one file that opens from a disk")] = False,
) -> Maker:
    """Return what makes an answer of a map: of its kind, its area, and the frame that it shows."""

    def make(drawn: GridMap, kind: str, code: str, cells: pd.DataFrame, detail: str = "") -> Response:
        name = "-".join(part for part in (kind, code, detail) if part)
        if wanted in _ON_PAPER:
            return on_paper(drawn, name, code)
        if wanted is not MapFormat.HTML:
            return as_table(drawn, name, code, cells)
        if download:
            drawn.drawing.credits.append(exporter.mark)
            response = exporter.file(page(drawn, ASSETS, standalone=True), f"{name}.html", "text/html")
            response.headers["Content-Security-Policy"] = "sandbox allow-scripts"
            return response
        nonce = secrets.token_urlsafe(16)
        response = HTMLResponse(page(drawn, ASSETS, nonce=nonce))
        response.headers["Content-Security-Policy"] = policy(_origin(request), nonce)
        return response

    def on_paper(drawn: GridMap, name: str, code: str) -> Response:
        from maps.sheet import SheetKind, SheetWords, draw_sheet  # matplotlib takes a second to load

        said = SheetWords(place=place_of(code), mark=exporter.mark, made_at=exporter.at)
        font = find_font(request.app.state.settings.pdf_font)
        made = draw_sheet(drawn, SheetKind(wanted.value), font=font, words=words, said=said)
        return exporter.file(made, f"{name}.{wanted.value}", _ON_PAPER[wanted])

    def as_table(drawn: GridMap, name: str, code: str, cells: pd.DataFrame) -> Response:
        table = TableKind(wanted.value)
        drawing = drawn.drawing
        asked = [(words("Filters"), line) for line in drawing.subtitle.splitlines() if line]
        units = [(words("Legend"), part["title"]) for part in drawing.legend[:1] if part["title"]]
        about = About(
            name=name,
            title=drawing.title,
            filters=[(words("Area"), place_of(code)), *asked, *units],
            notes=drawing.notes,
            as_of=exporter.at,
            mark=exporter.mark,
        )
        made = write_table(cells, columns_of(cells, words), table, about, words)
        return exporter.file(made, f"{name}.{table.value}", MEDIA_TYPES[table], rows=len(cells))

    def place_of(code: str) -> str:
        return " › ".join(name for _, name in Names(session, words, exporter.at).above(code))

    return make


_ON_PAPER = {MapFormat.PNG: "image/png", MapFormat.PDF: "application/pdf"}

Sheet = Annotated[Maker, Depends(_sheet)]
"""What makes an answer of a map."""


def policy(origin: str, nonce: str) -> str:
    """Return the policy of a map's page."""
    return (
        "sandbox allow-scripts allow-popups allow-top-navigation-by-user-activation; default-src 'none'; "
        f"script-src 'nonce-{nonce}' {origin}; style-src {origin} 'unsafe-inline'; img-src {origin} data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )


def _origin(request: Request) -> str:
    """Return our own address as the reader wrote it; what is no host never gets into a header."""
    host = request.url.netloc
    if not _HOST.fullmatch(host):
        raise BadRequest("bad_host", "the Host of this request is not the name of one")
    return f"{request.url.scheme}://{host}"
