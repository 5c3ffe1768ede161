"""One kind of paper for all: a heading, a number, facts in two columns, paragraphs, a table, a place to sign.

The font is embedded as far as it is used, so that a paper looks the same wherever it is read (ISO 32000-1, 9.9).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import WrapMode, XPos, YPos

from gis.errors import Unavailable

__all__ = ["FONTS", "Sheet", "find_font", "write_pdf"]

FONTS = (
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/wqy-microhei/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/truetype/arphic/uming.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/opt/homebrew/share/fonts/wqy-microhei.ttc",
    "/System/Library/Fonts/Supplemental/Arial Unicode.ttf",
    "/Library/Fonts/Arial Unicode.ttf",
)
"""Where a font with Chinese glyphs lies on usual systems; the first that is there is taken."""

_FAMILY = "paper"
_MARGIN, _WIDTH = 22.0, 166.0  # mm
_LABEL = 34.0
_GREY = (95, 99, 104)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What stands on one paper. facts : (heading, text) pairs. table : rows of equal length, the first its heads."""

    title: str
    number: str
    addressed: str
    facts: Sequence[tuple[str, str]]
    paragraphs: Sequence[tuple[str, str]] = ()
    table: Sequence[Sequence[str]] = ()
    signed: Sequence[str] = ()
    foot: str = ""


@cache
def find_font(chosen: Path | None = None) -> Path:
    """Return the font file to embed. Raises `Unavailable` ("font_missing") where there is none."""
    candidates = [chosen] if chosen is not None else [Path(name) for name in FONTS]
    for path in candidates:
        if path.is_file():
            return path
    raise Unavailable(
        "font_missing",
        "there is no font with Chinese glyphs for papers; install fonts-wqy-microhei, or name one in GRID_PDF_FONT",
        wanted=[str(path) for path in candidates],
    )


def write_pdf(sheets: Sequence[Sheet], *, font: Path, title: str, made_at: datetime) -> bytes:
    """Return one PDF with each sheet beginning on a page of its own; the same input gives the same bytes."""
    pdf = FPDF(format="A4")
    pdf.set_creation_date(made_at)
    pdf.set_title(title)
    pdf.set_creator("gridwhistle")
    pdf.set_margins(_MARGIN, 20)
    pdf.set_auto_page_break(auto=True, margin=24)
    pdf.add_font(_FAMILY, fname=font)
    for sheet in sheets:
        _write(pdf, sheet)
    return bytes(pdf.output())


def _write(pdf: FPDF, sheet: Sheet) -> None:
    pdf.add_page()
    _line(pdf, sheet.title, size=18, height=10, align="C")
    pdf.set_text_color(*_GREY)
    _line(pdf, sheet.number, size=10, height=7, align="C")
    pdf.set_text_color(0)
    pdf.set_draw_color(176, 0, 32)
    pdf.set_line_width(0.6)
    pdf.line(_MARGIN, pdf.get_y() + 1, _MARGIN + _WIDTH, pdf.get_y() + 1)
    pdf.set_draw_color(160)
    pdf.set_line_width(0.2)
    pdf.ln(6)
    _line(pdf, sheet.addressed, size=13, height=9)
    pdf.ln(1)
    for heading, text in sheet.facts:
        _fact(pdf, heading, text)
    for heading, text in sheet.paragraphs:
        pdf.ln(3)
        pdf.set_text_color(*_GREY)
        _line(pdf, heading, size=10, height=6)
        pdf.set_text_color(0)
        _line(pdf, text, size=11.5, height=7)
    if sheet.table:
        pdf.ln(4)
        _table(pdf, sheet.table)
    pdf.ln(8)
    for line in sheet.signed:
        _line(pdf, line, size=11.5, height=8, align="R")
    if sheet.foot:
        pdf.ln(6)
        pdf.set_text_color(*_GREY)
        _line(pdf, sheet.foot, size=9, height=5)
        pdf.set_text_color(0)


def _wrap(text: str) -> WrapMode:
    """Return how a text breaks: Chinese anywhere, all else between words."""
    return WrapMode.CHAR if any("\u4e00" <= char <= "\u9fff" for char in text) else WrapMode.WORD


def _line(pdf: FPDF, text: str, *, size: float, height: float, align: str = "L") -> None:
    pdf.set_font(_FAMILY, size=size)
    pdf.multi_cell(
        _WIDTH, height, text, align=align, wrapmode=_wrap(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT
    )


def _fact(pdf: FPDF, heading: str, text: str) -> None:
    pdf.set_font(_FAMILY, size=11.5)
    if pdf.get_y() > 260:
        pdf.add_page()
    top = pdf.get_y()
    pdf.set_text_color(*_GREY)
    pdf.multi_cell(_LABEL, 7, heading, align="L", new_x=XPos.RIGHT, new_y=YPos.TOP)
    label_end = pdf.get_y()
    pdf.set_text_color(0)
    pdf.set_xy(_MARGIN + _LABEL, top)
    pdf.multi_cell(
        _WIDTH - _LABEL, 7, text or "—", align="L", wrapmode=_wrap(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT
    )
    pdf.set_y(max(pdf.get_y(), label_end) + 1)


def _table(pdf: FPDF, rows: Sequence[Sequence[str]]) -> None:
    pdf.set_font(_FAMILY, size=10.5)
    with pdf.table(text_align="LEFT", line_height=7, width=int(_WIDTH), first_row_as_headings=False) as table:
        for row in rows:
            cells = table.row()
            for cell in row:
                cells.cell(cell)
