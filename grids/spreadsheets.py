"""Cells of an XLSX workbook (ISO/IEC 29500): typed, and none of them computes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from grids.csvtables import safe_cell

__all__ = ["MOST_SHEET_ROWS", "typed_cell"]

MOST_SHEET_ROWS = 1_048_575
"""Rows of a sheet below its head."""

_LONGEST_TEXT = 32_000  # a cell holds 32,767


def typed_cell(sheet: Any, value: Any, number_format: str | None = None) -> Any:
    """Return a cell of a write-only sheet; text is text whatever it begins with, also when it is typed over.

    A text that is longer than a cell takes ends in "…".

    A time loses its zone, because spreadsheets know none: give it as the city's clock shows it.
    """
    if isinstance(value, datetime):
        value = value.replace(tzinfo=None)
    if isinstance(value, str):
        value = ILLEGAL_CHARACTERS_RE.sub("", value)
        if len(value) > _LONGEST_TEXT:
            value = value[: _LONGEST_TEXT - 1] + "…"  # what was left out shows
    cell = WriteOnlyCell(sheet, value=value)
    if isinstance(value, str):
        cell.data_type = "s"
        cell.quotePrefix = safe_cell(value) != value
    elif number_format and value is not None:
        cell.number_format = number_format
    return cell
