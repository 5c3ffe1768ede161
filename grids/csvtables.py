"""CSV tables as people hand them in and take them away.

Reading: in blocks, all cells as text, a gzip unpacked on the way; a row that does not fit the header is handed
out beside the table with its line and the reason, so that one broken row never costs a whole file. Writing: a
spreadsheet that opens the file shall show what was written and compute nothing.
"""

from __future__ import annotations

import codecs
import csv
import errno
import gzip
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

import pandas as pd

from gis.errors import InvalidInput, NotFound

__all__ = ["Block", "CsvSource", "Malformed", "Rejects", "partial", "safe_cell"]

BLOCK_ROWS = 50_000
_LONGEST_CELL = 1_000_000
_GZIP = b"\x1f\x8b"

# what makes a spreadsheet compute, half and full width (ASVS 5.0, 1.2.10); NUL and CR end cells in some
_COMPUTES = (*"=+-@\t\r\x00", *"\uff1d\uff0b\uff0d\uff20")


@dataclass(frozen=True, slots=True)
class Malformed:
    """A row that does not fit the header: where it ends, its cells as they stand, and why."""

    line: int
    cells: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Block:
    """Some rows of a table: the columns of the header as text; index : the line in which each row ends."""

    rows: pd.DataFrame
    malformed: tuple[Malformed, ...] = ()


@dataclass
class CsvSource:
    """One CSV file, plain or gzip.

    encoding : of the text, "utf-8" (with or without a byte-order mark), "gb18030" or another that Python knows.
    advance : called with the number of bytes of the file that were read since the last call.
    """

    path: Path
    encoding: str = "utf-8"
    advance: Callable[[int], object] = lambda _bytes: None
    columns: tuple[str, ...] = field(default=(), init=False)
    marked: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Read the header.

        Raises `NotFound` ("file_not_found") and `InvalidInput`: "unknown_encoding", "wrong_encoding",
        "bad_table".
        """
        self.encoding = _codec(self.encoding)
        with self._open() as (text, _):
            header = next(self._rows(csv.reader(text, strict=True)), None)
        if header is None:
            raise self._bad("it is empty: wanted a header line with the names of the columns")
        # with the mark already taken off by the codec
        self.columns = tuple(name.strip() for name in header)
        twice = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if twice or not any(self.columns):
            raise self._bad(f"its header names {twice[0]!r} twice" if twice else "its header names no column")

    @property
    def written_as(self) -> str:
        """The codec to write a table in that goes back to where this one came from."""
        return "utf-8-sig" if self.marked else self.encoding

    def require(self, column: str, field: str) -> None:
        """Raise `InvalidInput` ("unknown_column") unless the table has this column."""
        if column not in self.columns:
            raise InvalidInput(
                "unknown_column",
                f"{self.path.name} has no column {column!r}; it has {', '.join(self.columns)}",
                field=field,
                got=column,
                wanted=list(self.columns),
            )

    def blocks(self, rows: int = BLOCK_ROWS) -> Iterator[Block]:
        """Yield the table in blocks of at most `rows` rows, one at least; blank lines are left out.

        Raises `InvalidInput` ("wrong_encoding", "bad_table") naming the line where reading had to stop.
        """
        width = len(self.columns)
        with self._open() as (text, raw):
            reader = csv.reader(text, strict=True)
            found = self._rows(reader)
            next(found, None)
            cells: list[list[str]] = []
            lines: list[int] = []
            malformed: list[Malformed] = []
            seen, yielded = 0, False
            for row in found:
                if not row:
                    continue
                if len(row) == width:
                    cells.append(row)
                    lines.append(reader.line_num)
                else:
                    reason = f"{len(row)} cells where the header has {width}"
                    malformed.append(Malformed(reader.line_num, tuple(row), reason))
                if len(cells) + len(malformed) == rows:
                    yield self._block(cells, lines, malformed)
                    yielded = True
                    self.advance(raw.tell() - seen)
                    seen = raw.tell()
                    cells, lines, malformed = [], [], []
            if cells or malformed or not yielded:
                yield self._block(cells, lines, malformed)
            self.advance(raw.tell() - seen)

    def _block(self, cells: list[list[str]], lines: list[int], malformed: list[Malformed]) -> Block:
        rows = pd.DataFrame(cells, columns=list(self.columns), index=lines, dtype=object)
        return Block(rows, tuple(malformed))

    @contextmanager
    def _open(self) -> Iterator[tuple[IO[str], IO[bytes]]]:
        """Open the file as text; the second is the file itself, to tell how far reading has come."""
        try:
            raw = self.path.open("rb")
        except FileNotFoundError:
            raise NotFound("file_not_found", f"there is no file {str(self.path)!r}", field="file") from None
        except OSError as refused:
            raise self._bad(f"it cannot be opened ({refused.strerror})") from None
        with raw:
            head = raw.read(2)
            raw.seek(0)
            inner: Any = gzip.GzipFile(fileobj=raw) if head == _GZIP else raw
            buffered = io.BufferedReader(inner)
            try:
                self.marked = buffered.peek(3)[:3] == codecs.BOM_UTF8
            except (OSError, EOFError) as broken:
                raise self._bad(f"it cannot be unpacked: {broken}") from None
            codec = "utf-8-sig" if self.encoding == "utf-8" else self.encoding
            with io.TextIOWrapper(buffered, encoding=codec, errors="strict", newline="") as text:
                yield text, raw

    def _rows(self, reader: Any) -> Iterator[list[str]]:
        """Yield what a reader reads; what stops it is told with the line from which on."""
        csv.field_size_limit(_LONGEST_CELL)
        line = 1
        try:
            for row in reader:
                line = reader.line_num + 1
                yield row
        except UnicodeDecodeError as wrong:
            raise InvalidInput(
                "wrong_encoding",
                f"{self.path.name} is not written in {self.encoding} (near line {line}): say which with "
                "--encoding, such as gb18030",
                field="encoding",
                got=self.encoding,
                near_line=line,
            ) from wrong
        except csv.Error as broken:
            words = f"it cannot be read from line {line} on: {broken}"
            if "field larger" in str(broken) or "unexpected end" in str(broken):
                words += " (a quotation mark is opened and never closed?)"
            raise self._bad(words) from None
        except (OSError, EOFError) as broken:
            raise self._bad(f"it cannot be unpacked beyond line {line}: {broken}") from None

    def _bad(self, words: str) -> InvalidInput:
        return InvalidInput("bad_table", f"{self.path.name}: {words}", field="file", got=self.path.name)


class Rejects:
    """The rows of a table that could not be used: a file like it, with the line, the field at fault and the reason.

    The file is in the encoding of the table, so that mended rows can be handed in again. It takes its place when
    the block ends well; without any row, one that an earlier run left is taken away.
    """

    def __init__(self, path: Path, source: CsvSource) -> None:
        self.path = path
        self.reasons: dict[str, int] = {}
        self._source = source
        self._temporary = _beside(path)
        self._file: IO[str] | None = None
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        well = failure[0] is None
        if self._file is not None:
            self._file.close()
        if self._file is not None and well:
            self._temporary.replace(self.path)
        elif well:
            self.path.unlink(missing_ok=True)
        self._temporary.unlink(missing_ok=True)

    @property
    def count(self) -> int:
        """How many rows were turned away."""
        return sum(self.reasons.values())

    def add(self, rows: pd.DataFrame, reasons: Sequence[str], fields: Sequence[str] | None = None) -> None:
        """Turn rows away: the columns of the source, indexed by line, and one reason each.

        fields : the column at fault of each row, "" where it is the row as a whole.
        """
        columns = list(self._source.columns)
        cells = rows[columns].itertuples(index=True, name=None)
        at_fault = [""] * len(rows) if fields is None else fields
        for (line, *row), reason, name in zip(cells, reasons, at_fault, strict=True):
            self._write(row, line, name, reason)

    def add_malformed(self, malformed: Sequence[Malformed]) -> None:
        """Turn away rows that do not fit the header; cells that are missing stay empty, others are cut off."""
        width = len(self._source.columns)
        for row in malformed:
            cells = [*row.cells, *[""] * width][:width]
            self._write(cells, row.line, "", row.reason)

    def _write(self, cells: Sequence[object], line: int, name: str, reason: str) -> None:
        if self._writer is None:
            try:
                self._file = self._temporary.open("w", encoding=self._source.written_as, newline="")
            except OSError as refused:
                raise _cannot_write(self.path, refused) from None
            self._writer = csv.writer(self._file)
            self._writer.writerow([*self._source.columns, "reject_line", "reject_field", "reject_reason"])
        self._writer.writerow([*cells, line, name, reason])
        self.reasons[reason] = self.reasons.get(reason, 0) + 1


def _codec(name: str) -> str:
    try:
        found = codecs.lookup(name).name
        "".encode(found)  # base64 and its like are codecs too, but none of text
    except (LookupError, TypeError):
        raise InvalidInput(
            "unknown_encoding",
            f"encoding {name!r} is not known; use utf-8 or gb18030",
            field="encoding",
            got=name,
            wanted=["utf-8", "gb18030"],
        ) from None
    # GB 18030 holds all of GBK and GB 2312, and files that claim those two often use more than they have
    return {"utf-8-sig": "utf-8", "gbk": "gb18030", "gb2312": "gb18030"}.get(found, found)


def safe_cell(value: object) -> object:
    """Return a value for a cell that somebody may open in a spreadsheet: text never begins a formula.

    Text that begins with = + - @, their full-width forms, a tab or a carriage return gets an apostrophe before
    it, as OWASP advises; numbers stay numbers.
    """
    if isinstance(value, str) and value.startswith(_COMPUTES):
        return f"'{value}"
    return value


@contextmanager
def partial(path: Path) -> Iterator[Path]:
    """Yield a name beside `path` to write to; it takes the place of `path` only when all went well.

    Raises `InvalidInput` ("cannot_write") for a place that cannot be written to.
    """
    temporary = _beside(path)
    try:
        if not path.parent.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "there is no such directory", str(path))
        yield temporary
        temporary.replace(path)
    except OSError as refused:
        if refused.filename not in (str(temporary), str(path)):
            raise
        raise _cannot_write(path, refused) from None
    finally:
        temporary.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    """Return a hidden name with the same ending, for what is not whole yet."""
    return path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")


def _cannot_write(path: Path, refused: OSError) -> InvalidInput:
    return InvalidInput(
        "cannot_write", f"{path} cannot be written: {refused.strerror}", field="output", got=str(path)
    )
