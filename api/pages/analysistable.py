"""The numbers of the analysis as a table: one row an area, the whole of it below, each count leading to its cases."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.analysis import Found, View, Wish, change_said, indicator, writer
from api.i18n import Words
from grids.measures import HotspotMetric, Rate, TimeKind
from maps.choropleth import number, percent
from maps.palette import FEW_CASES
from maps.responses import reached, time_writer

__all__ = ["MOST_LINES", "Cell", "Line", "Numbers", "numbers"]

MOST_LINES = 1_000
"""Lines of the table on the page; the files hold all."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. what : "n" for the count that leads to its cases, "value" for what is coloured, "" for others."""

    text: str
    what: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One area. note : what is to be said of its figures. size : what its rate divides by, for the page's script."""

    code: str
    name: str
    cells: tuple[Cell, ...]
    note: str = ""
    size: float | None = None


@dataclass(frozen=True, slots=True)
class Numbers:
    """The table: headings without the first, the lines in order, and the line of the whole, if there is one.

    areas : how many there are; of more than `MOST_LINES` only the first are among the lines.
    """

    headings: tuple[str, ...]
    lines: tuple[Line, ...]
    total: Line | None
    areas: int


_Row = Mapping[str, Any]
_Cells = Callable[[_Row], tuple[Cell, ...]]


def numbers(found: Found, wish: Wish, words: Words) -> Numbers:
    """Return the figures of areas as a table, the largest first, those without data last; at most `MOST_LINES`."""
    headings, cells_of = _columns(wish, words)
    rows: list[_Row] = found.cells.drop(columns="geometry").to_dict("records")

    def line(row: _Row) -> Line:
        return Line(
            str(row["code"]), str(row["name"]), cells_of(row), _note(row, wish, words), _size(row, wish)
        )

    total = found.total
    return Numbers(
        tuple(headings),
        tuple(line(row) for row in _sorted(rows, wish)[:MOST_LINES]),
        line({**total, "hot": False, "cold": False, "quadrant": 0, "pattern": ""}) if total else None,
        len(rows),
    )


def _columns(wish: Wish, words: Words) -> tuple[list[str], _Cells]:
    if wish.view is View.COVERAGE:
        return _of_coverage(words)
    if wish.against is not None:
        return _of_changes(wish, words)
    if wish.view is View.HOTSPOTS:
        return _of_counts(wish, words)
    return _of_rates(wish, words) if wish.metric in tuple(Rate) else _of_times(wish, words)


def _of_counts(wish: Wish, words: Words) -> tuple[list[str], _Cells]:
    write = writer(wish, words)
    if wish.metric == HotspotMetric.COUNT:
        return [words("Cases")], lambda row: (Cell(number(float(row["n"])), "n"),)
    by_homes = wish.metric == HotspotMetric.PER_1000_HOUSEHOLDS
    headings = [
        words("Per 1,000 households") if by_homes else words("Per km²"),
        words("Cases"),
        words("Households") if by_homes else words("Area (km²)"),
    ]
    return headings, lambda row: (
        Cell(write(row["value"]), "value"),
        Cell(number(float(row["n"])), "n"),
        Cell(number(float(row["denominator"]))),
    )


def _of_times(wish: Wish, words: Words) -> tuple[list[str], _Cells]:
    write = time_writer(words, working=wish.time is TimeKind.WORKING)[0]
    headings = [words("Median"), words("P90"), words("Overdue"), "n", words("Still running")]
    return headings, lambda row: (
        Cell(reached(write, float(row["value"]), row["n"], words)),
        Cell(reached(write, float(row["p90"]), row["n"], words)),
        Cell(percent(row["overdue_share"])),
        Cell(number(float(row["n"])), "n"),
        Cell(number(float(row["open"]))),
    )


def _of_rates(wish: Wish, words: Words) -> tuple[list[str], _Cells]:
    headings = [indicator(wish, words), words("Cases counted"), words("Out of"), words("Open and late")]
    return headings, lambda row: (
        Cell(percent(row["value"])),
        Cell(number(float(row["n"]))),
        Cell(number(float(row["denominator"])), "n"),
        Cell(number(float(row["open_late"]))),
    )


def _of_changes(wish: Wish, words: Words) -> tuple[list[str], _Cells]:
    write = writer(wish, words)
    headings = [words("Change of the figure"), words("Now"), words("Before"), words("n now / before")]
    return headings, lambda row: (
        Cell(change_said(row["change"], wish, words)),
        Cell(write(row["value"])),
        Cell(write(row["value_before"])),
        Cell(f"{number(float(row['n']))} / {number(float(row['n_before']))}", "n"),
    )


def _of_coverage(words: Words) -> tuple[list[str], _Cells]:
    headings = [
        words("Empty posts"),
        words("Categories without a lead"),
        words("Categories with several leads"),
    ]
    return headings, lambda row: (
        Cell(words("{count} of {all}", count=row["posts"], all=row["posts_needed"]), "n"),
        Cell(words("{count} of {all}", count=row["nobody"], all=row["categories"])),
        Cell(number(float(row["several"]))),
    )


def _note(row: _Row, wish: Wish, words: Words) -> str:
    if wish.view is View.COVERAGE:
        return ""
    notes = []
    if wish.against is None and wish.view is View.HOTSPOTS:
        notes += [words("hot, significant")] if row["hot"] else []
        notes += [words("cold, significant")] if row["cold"] else []
    if row.get("small") or _few(row, wish):
        notes.append(words("small sample"))
    return words.listed(notes)


def _few(row: _Row, wish: Wish) -> bool:
    """Tell whether the period before a change stands on few cases, where that matters."""
    return wish.against is not None and wish.metric != HotspotMetric.COUNT and row["n_before"] < FEW_CASES


def _size(row: _Row, wish: Wish) -> float | None:
    if wish.view is not View.HOTSPOTS or wish.metric == HotspotMetric.COUNT:
        return None
    unit = 1000.0 if wish.metric == HotspotMetric.PER_1000_HOUSEHOLDS else 1.0
    size = float(row["denominator"]) / unit
    return None if math.isnan(size) else round(size, 6)


def _sorted(rows: Sequence[_Row], wish: Wish) -> list[_Row]:
    column = "change" if wish.against is not None else wish.metric if wish.view is View.COVERAGE else "value"
    column = {"leads": "nobody"}.get(column, column)

    def key(row: _Row) -> tuple[bool, float, float, str]:
        value = float(row[column])
        missing = math.isnan(value)
        first = 0.0 if missing else -abs(value) if wish.against is not None else -value
        return missing, first, -float(row.get("n", 0)), str(row["code"])

    return sorted(rows, key=key)
