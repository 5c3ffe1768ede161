"""Reading small tables of text that people keep in spreadsheets: a fault names its row and column."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NoReturn, TypeVar

from gis.errors import InvalidInput

__all__ = ["Row", "read_rows", "read_sheet"]

E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a sheet; every reader below raises `InvalidInput("bad_sheet")` with row and column."""

    sheet: str
    number: int
    """As a spreadsheet counts: the header is row 1."""
    cells: dict[str, str]

    def refuse(self, column: str, wanted: str) -> NoReturn:
        """Raise the error of this row and a column: what was got, what was wanted."""
        got = self.cells[column]
        key = next(iter(self.cells.values()))
        raise InvalidInput(
            "bad_sheet",
            f"{self.sheet}, row {self.number} ({key}), column {column}: got '{got}', wanted {wanted}",
            sheet=self.sheet,
            row=self.number,
            column=column,
            got=got,
            wanted=wanted,
        )

    def text(self, column: str, *, most: int = 100) -> str:
        """Return a cell that must not be empty."""
        value = self.cells[column]
        if not value or len(value) > most:
            self.refuse(column, f"1 to {most} characters")
        return value

    def matching(self, column: str, pattern: str, wanted: str) -> str:
        """Return a cell that a regular expression matches whole."""
        if not re.fullmatch(pattern, self.cells[column], re.ASCII):
            self.refuse(column, wanted)
        return self.cells[column]

    def number_in(self, column: str, least: int, most: int) -> int:
        """Return a whole number from `least` to `most`."""
        value = self.cells[column]
        if not re.fullmatch(r"\d{1,9}", value, re.ASCII) or not least <= int(value) <= most:
            self.refuse(column, f"a whole number from {least} to {most}")
        return int(value)

    def flag(self, column: str) -> bool:
        """Return true or false."""
        if self.cells[column] not in {"true", "false"}:
            self.refuse(column, "true or false")
        return self.cells[column] == "true"

    def member(self, column: str, kind: type[E]) -> E:
        """Return the member of an enumeration that the cell names."""
        try:
            return kind(self.cells[column])
        except ValueError:
            self.refuse(column, f"one of {', '.join(kind)}")

    def names(self, column: str, pattern: str, wanted: str) -> tuple[str, ...]:
        """Return a list of names separated by semicolons, empty for an empty cell, no name twice."""
        if not self.cells[column]:
            return ()
        names = tuple(self.cells[column].split(";"))
        if len(set(names)) != len(names) or not all(re.fullmatch(pattern, name, re.ASCII) for name in names):
            self.refuse(column, wanted)
        return names


def read_sheet(source: Path | str, sheet: str, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a comma-separated table with exactly these columns, in any order.

    source : a file (UTF-8, a byte order mark is allowed), or the text itself.
    sheet : its name in messages.
    Cells lose the blanks around them. The first of `columns` is the key: never empty, never twice.
    Raises `InvalidInput("bad_sheet")` for a file that is not UTF-8 text, other columns, a row of another
    length, or a key that comes twice.
    """
    reader = csv.reader(io.StringIO(_text(source, sheet), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if sorted(header) != sorted(columns):
            missing, extra = sorted(set(columns) - set(header)), sorted(set(header) - set(columns))
            raise _bad_sheet(
                sheet,
                f"row 1: the columns are not the wanted ones (missing: {', '.join(missing) or 'none'};"
                f" unknown: {', '.join(extra) or 'none'}; none may come twice)",
                row=1,
                missing=missing,
                unknown=extra,
            )
        seen: dict[str, int] = {}
        for number, cells in enumerate(reader, start=2):
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise _bad_sheet(
                    sheet, f"row {number}: {len(cells)} cells under {len(header)} columns", row=number
                )
            named = dict(zip(header, (cell.strip() for cell in cells), strict=True))
            row = Row(sheet, number, {column: named[column] for column in columns})
            key = row.text(columns[0])
            if key in seen:
                row.refuse(columns[0], f"a key that is not already in row {seen[key]}")
            seen[key] = number
            yield row
    except csv.Error as error:
        raise _bad_sheet(
            sheet, f"near line {reader.line_num}: not a comma-separated table ({error})"
        ) from error


def read_rows(
    content: bytes, sheet: str, columns: Sequence[str], needed: Sequence[str], *, most: int = 20_000
) -> list[Row]:
    """Return the rows of a table that people hand in: columns of `columns` in any order, those of `needed` present.

    content : of a file in UTF-8 (with or without a byte order mark) or GB 18030. A column that is missing counts as
    empty, one that is not known is refused, for nobody would notice that it was dropped. most : rows.
    Raises `InvalidInput("bad_sheet")`.
    """
    reader = csv.reader(io.StringIO(_decoded(content, sheet), newline=""), strict=True)
    rows: list[Row] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        unknown, missing = sorted(set(header) - set(columns)), [name for name in needed if name not in header]
        if unknown or missing or len(set(header)) != len(header):
            raise _bad_sheet(
                sheet,
                f"row 1: the columns are not the wanted ones (missing: {', '.join(missing) or 'none'};"
                f" unknown: {', '.join(unknown) or 'none'}; none may come twice)",
                row=1,
                missing=missing,
                unknown=unknown,
            )
        for number, cells in enumerate(reader, start=2):
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise _bad_sheet(
                    sheet, f"row {number}: {len(cells)} cells under {len(header)} columns", row=number
                )
            if len(rows) == most:
                raise _bad_sheet(sheet, f"it has more than {most} rows", wanted=most)
            named = dict(zip(header, (cell.strip() for cell in cells), strict=True))
            rows.append(Row(sheet, number, {column: named.get(column, "") for column in columns}))
    except csv.Error as error:
        raise _bad_sheet(
            sheet, f"near line {reader.line_num}: not a comma-separated table ({error})"
        ) from error
    if not rows:
        raise _bad_sheet(sheet, "it has no rows under its header")
    return rows


def _decoded(content: bytes, sheet: str) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise _bad_sheet(sheet, "it is neither UTF-8 nor GB 18030 text; save it as CSV UTF-8")


def _text(source: Path | str, sheet: str) -> str:
    if isinstance(source, str):
        return source
    try:
        return source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad_sheet(
            sheet, f"{source.name} is not UTF-8 text (byte {error.start}); save it as CSV UTF-8"
        ) from error
    except OSError as error:
        raise _bad_sheet(sheet, f"{source.name} cannot be read: {error.strerror}") from error


def _bad_sheet(sheet: str, message: str, **facts: object) -> InvalidInput:
    return InvalidInput("bad_sheet", f"{sheet}, {message}", sheet=sheet, **facts)
