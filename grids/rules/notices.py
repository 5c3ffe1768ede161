"""A holiday notice as a table: the days of one year that differ from their weekday.

Each autumn the State Council says which days of the next year are off, and which weekend days are worked in exchange.
The table has one row a day, in CSV:

    day,working,name
    2027-01-01,no,元旦
    2027-02-14,yes,春节

or in JSON, as a list of {"day", "working", "name"} or {"days": [...]}; the names `date` and `isOffDay`, which a widely
used public table of these notices has, are read too. A holiday that falls on a weekend may be named; it changes
nothing. Every day that is not named is worked from Monday to Friday.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from gis.errors import InvalidInput
from grids.rules.holidays import DayOfYear, days_of_year

__all__ = ["check_notice", "differences", "library_notice", "read_notice", "whole_year"]

_YES = frozenset({"yes", "true", "1", "work", "班", "上班", "是"})
_NO = frozenset({"no", "false", "0", "off", "休", "放假", "否"})
_MOST_ROWS = 200
_LONGEST_NAME = 40


def whole_year(year: int, notice: Iterable[DayOfYear]) -> list[DayOfYear]:
    """Return all days of a year: those of the notice as it says, the others by their weekday."""
    said = {one.day: one for one in notice}
    return [said.get(day) or DayOfYear(day, day.weekday() < 5, None) for day in _days(year)]


def differences(days: Iterable[DayOfYear]) -> tuple[DayOfYear, ...]:
    """Return the days that a notice would name: not as their weekday, or with a name."""
    return tuple(one for one in days if one.name is not None or one.working is not (one.day.weekday() < 5))


def library_notice(year: int) -> tuple[DayOfYear, ...]:
    """Return the notice of a year that the library chinesecalendar carries.

    Raises `Unavailable` ("calendar_unknown") for a year that it does not know.
    """
    return differences(days_of_year(year))


def check_notice(year: int, notice: Iterable[DayOfYear]) -> tuple[DayOfYear, ...]:
    """Return a notice in the order of its days.

    Raises `InvalidInput` ("bad_notice") that names the day: outside the year, twice, as its weekday and without a
    name; and for a notice without a single holiday, which would be a slip.
    """
    rows = sorted(notice)
    seen: set[date] = set()
    for row in rows:
        at = row.day.isoformat()
        if row.day.year != year:
            raise _bad(f"{at} does not lie in {year}: a notice is for one year", at)
        if row.day in seen:
            raise _bad(f"{at} stands there twice", at)
        if row.name is not None and len(row.name) > _LONGEST_NAME:
            raise _bad(f"the name of {at} is longer than {_LONGEST_NAME} characters", at)
        if row.name is None and row.working is (row.day.weekday() < 5):
            raise _bad(f"{at} is a {_said(row)} as its weekday is: it needs no row, or a holiday's name", at)
        seen.add(row.day)
    if not any(not row.working and row.day.weekday() < 5 for row in rows):
        raise _bad(f"the notice for {year} gives not one weekday off", None)
    return tuple(rows)


def read_notice(content: bytes, name: str) -> list[DayOfYear]:
    """Read a notice from the content of a .csv or .json file; raises `InvalidInput` ("bad_notice") naming the row."""
    text = _text(content, name)
    rows = _json_rows(text, name) if name.lower().endswith(".json") else _csv_rows(text, name)
    return [_day(row, f"{name}, {place}") for place, row in rows]


def _text(content: bytes, name: str) -> str:
    for codec in ("utf-8-sig", "gb18030"):  # a Chinese spreadsheet saves CSV in the second
        try:
            return content.decode(codec)
        except UnicodeDecodeError:
            continue
    raise _bad(f"{name} is neither UTF-8 nor GB 18030 text", None)


def _csv_rows(text: str, name: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        if not {"day", "working"} <= {column.strip() for column in reader.fieldnames or ()}:
            raise _bad(f"{name} needs a header line day,working,name; it has {reader.fieldnames}", None)
        rows = [
            (f"line {reader.line_num}", {(key or "").strip(): value for key, value in row.items()})
            for row in reader
        ]
    except csv.Error as broken:
        raise _bad(f"{name} is no CSV: {broken}", None) from broken
    return _few(rows, name)


def _json_rows(text: str, name: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as broken:
        raise _bad(f"{name} is no JSON: {broken}", None) from broken
    days = found.get("days") if isinstance(found, Mapping) else found
    if not isinstance(days, list) or not all(isinstance(day, Mapping) for day in days):
        raise _bad(f'{name} holds neither a list of days nor {{"days": [...]}}', None)
    return _few([(f"day {number}", day) for number, day in enumerate(days, 1)], name)


def _few(rows: Sequence[tuple[str, Mapping[str, Any]]], name: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
    if not 0 < len(rows) <= _MOST_ROWS:
        raise _bad(f"{name} has {len(rows)} days; a notice names 1 to {_MOST_ROWS}", None)
    return rows


def _day(row: Mapping[str, Any], place: str) -> DayOfYear:
    said = row.get("day") or row.get("date")
    try:
        day = date.fromisoformat(str(said).strip())
    except ValueError:
        raise _bad(f"{place}: {said!r} is not a day such as 2027-01-01", said) from None
    off = row.get("isOffDay")
    working = row.get("working") if off is None else not off
    word = str(working).strip().lower()
    if word not in _YES | _NO:
        raise _bad(f"{place}: working is yes or no, got {working!r}", working)
    name = str(row.get("name") or "").strip()
    return DayOfYear(day, word in _YES, name or None)


def _days(year: int) -> Iterable[date]:
    first = date(year, 1, 1)
    return (first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days))


def _said(row: DayOfYear) -> str:
    return "working day" if row.working else "day off"


def _bad(message: str, got: object) -> InvalidInput:
    return InvalidInput("bad_notice", message, field="days", got=None if got is None else str(got)[:40])
