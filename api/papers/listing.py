"""A list on paper: A4 across, the head of its table on every page, with what it is, who took it and page x of y."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import TableBordersLayout, TextEmphasis, WrapMode
from fpdf.fonts import FontFace

from api.i18n import Words
from api.tablefiles import About

__all__ = ["write_listing"]

_FAMILY = "paper"
_MARGIN, _WIDTH = 12.0, 273.0  # mm
_GREY = (95, 99, 104)


class _Pages(FPDF):
    """Pages with a foot: who took the list away, and which page of how many it is."""

    def __init__(self, about: About, words: Words) -> None:
        super().__init__(orientation="landscape", format="A4")
        self._said, self._words = about.mark, words

    def footer(self) -> None:
        """Write the foot of a page."""
        self.set_y(-12)
        self.set_font(_FAMILY, size=8)
        self.set_text_color(*_GREY)
        pages = self._words("Page {page} of {pages}", page=self.page_no(), pages="{nb}")
        self.cell(_WIDTH * 0.75, 6, self._said)
        self.cell(_WIDTH * 0.25, 6, pages, align="R")
        self.set_text_color(0)


def write_listing(
    about: About,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    widths: Sequence[float],
    *,
    font: Path,
    words: Words,
) -> bytes:
    """Return a list as PDF. widths : of the columns, in proportion; the same input gives the same bytes."""
    pdf = _Pages(about, words)
    pdf.set_creation_date(about.as_of)
    pdf.set_title(about.title)
    pdf.set_creator("gridwhistle")
    pdf.set_margins(_MARGIN, 12)
    pdf.set_auto_page_break(auto=True, margin=15)
    pdf.add_font(_FAMILY, fname=font)
    pdf.add_page()
    pdf.set_font(_FAMILY, size=16)
    pdf.cell(_WIDTH, 9, about.title, new_x="LMARGIN", new_y="NEXT")
    pdf.set_font(_FAMILY, size=9)
    pdf.set_text_color(*_GREY)
    said = [words("{kind}: {name}", kind=name, name=which) for name, which in about.filters]
    said.append(f"{words('Data as of')} {words.moment(about.as_of)}")
    pdf.multi_cell(
        _WIDTH, 5, " · ".join(said), align="L", wrapmode=WrapMode.CHAR, new_x="LMARGIN", new_y="NEXT"
    )
    for note in about.notes:
        pdf.multi_cell(_WIDTH, 5, note, align="L", wrapmode=WrapMode.CHAR, new_x="LMARGIN", new_y="NEXT")
    pdf.set_text_color(0)
    pdf.ln(2)
    pdf.set_draw_color(160)
    pdf.set_line_width(0.2)
    head = FontFace(emphasis=TextEmphasis.NONE, fill_color=(231, 234, 238))
    with pdf.table(
        text_align="LEFT",
        line_height=5,
        width=int(_WIDTH),
        col_widths=tuple(widths),
        headings_style=head,
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        wrapmode=WrapMode.CHAR,
        padding=1,
    ) as table:
        for line in (headings, *rows):
            cells = table.row()
            for cell in line:
                cells.cell(cell)
    if not rows:
        pdf.ln(3)
        pdf.cell(_WIDTH, 6, words("Nothing matches these filters."))
    return bytes(pdf.output())
