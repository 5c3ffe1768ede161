"""Rows of a responsibility list as people hand them in: every cell that cannot be used is named, none is guessed.

Items of the list come as a table (`LIST_COLUMNS`), places by their polygon with features (`PLACE_COLUMNS`). Columns
that a file lacks count as empty.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import TypeVar

from gis.errors import InvalidInput
from grids.rules.departments import DEPARTMENT_CODE
from grids.rules.phones import check_phone
from grids.rules.responsibilities import RuleKind
from grids.rules.sheets import Row

__all__ = ["BASES", "LIST_COLUMNS", "PLACE_COLUMNS", "DutyRow", "Fault", "Known", "bad_rules", "read_duty"]

PLACE_COLUMNS = (
    "kind",
    "name",
    "category",
    "area",
    "lead",
    "cooperating",
    "contact_name",
    "contact_phone",
    "basis",
    "source",
    "effective_from",
    "effective_to",
)
LIST_COLUMNS = tuple(name for name in PLACE_COLUMNS if name not in ("name", "contact_name", "contact_phone"))

BASES: Mapping[str, str] = MappingProxyType(
    {
        **{code: code for code in ("statutory", "agreed", "designated", "default")},
        "法定": "statutory",
        "商定": "agreed",
        "指定": "designated",
    }
)
"""What may stand in the column basis -> the code of `DutyBasis`."""

_OF_LIST = (RuleKind.LISTED, RuleKind.DECIDED, RuleKind.DEFAULT)
_OF_PLACES = (RuleKind.EXCEPTION, RuleKind.SPECIAL_GRID)

_SHOWN = 20  # faults named in one sentence; the rest are counted

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fault:
    """One cell that cannot be used. row : as a spreadsheet counts, the header being row 1."""

    row: int
    column: str
    message: str

    def line(self) -> str:
        """Return the fault in words."""
        return f"row {self.row}, column {self.column}: {self.message}"


@dataclass(frozen=True)
class Known:
    """What a row may name: categories; areas in force; departments by district code."""

    categories: Collection[str]
    areas: Collection[str]
    departments: Mapping[str, Collection[str]]


@dataclass(frozen=True, slots=True)
class DutyRow:
    """One rule to be stored; its fields are those of the table `responsibility`."""

    row: int
    kind: RuleKind
    name: str | None
    category: str | None
    area: str
    lead: str | None
    cooperating: tuple[str, ...]
    contact_name: str | None
    contact_phone: str | None
    basis: str
    source: str
    since: date
    until: date | None


@dataclass
class _Reader:
    row: Row
    faults: list[Fault] = field(default_factory=list)

    def read(self, column: str, take: Callable[[], T], default: T) -> T:
        try:
            return take()
        except InvalidInput as wrong:
            wanted = wrong.facts.get("wanted")
            got = self.row.cells[column]
            # a telephone number is not repeated
            said = f"got '{got}', wanted {wanted}" if "wanted" in wrong.facts else wrong.message
            self.faults.append(Fault(self.row.number, column, said))
            return default

    def cell(self, column: str) -> str:
        return self.row.cells[column]


def read_duty(
    number: int, cells: Mapping[str, str], known: Known, *, places: bool, area: str | None = None
) -> DutyRow | list[Fault]:
    """Return a row as a rule, or every cell of it that cannot be used.

    cells : column -> text. places : the row comes with a polygon, else it is an item of the list. area : the
    smallest area that holds its polygon, which holds where the column `area` is empty.
    """
    row = Row("responsibilities", number, {column: cells.get(column, "").strip() for column in PLACE_COLUMNS})
    reader = _Reader(row)
    allowed = _OF_PLACES if places else _OF_LIST
    kind = reader.read("kind", lambda: _kind(row, allowed), allowed[0])
    place = reader.read("area", lambda: _area(row, known, area), "")
    made = DutyRow(
        row=number,
        kind=kind,
        name=reader.read("name", lambda: row.text("name"), "") if places else row.cells["name"] or None,
        category=reader.read("category", lambda: _category(row, known, optional=places), None),
        area=place,
        lead=reader.read("lead", lambda: _lead(row, known, place, kind), None),
        cooperating=reader.read("cooperating", lambda: _cooperating(row, known, place), ()),
        contact_name=row.cells["contact_name"] or None,
        contact_phone=reader.read("contact_phone", lambda: _phone(row), None),
        basis=reader.read("basis", lambda: _basis(row), ""),
        source=reader.read("source", lambda: row.text("source", most=300), ""),
        since=reader.read("effective_from", lambda: _day(row, "effective_from"), date.min),
        until=reader.read("effective_to", lambda: _until(row), None),
    )
    return sorted(reader.faults, key=lambda fault: PLACE_COLUMNS.index(fault.column)) or made


def _kind(row: Row, allowed: Collection[RuleKind]) -> RuleKind:
    if not row.cells["kind"] and RuleKind.LISTED in allowed:
        return RuleKind.LISTED
    if row.cells["kind"] not in [kind.value for kind in allowed]:
        row.refuse("kind", f"one of {', '.join(allowed)}")
    return RuleKind(row.cells["kind"])


def _category(row: Row, known: Known, *, optional: bool) -> str | None:
    code = row.cells["category"]
    if not code and optional:
        return None
    if code not in known.categories:
        row.refuse("category", "the code of a category of the list, such as 07-001")
    return code


def _area(row: Row, known: Known, found: str | None) -> str:
    code = row.cells["area"] or found or ""
    if code not in known.areas:
        row.refuse("area", "the code of an area of the grid in force")
    if found is not None and not found.startswith(code):
        row.refuse("area", f"an area that holds the whole polygon, such as {found}")
    return code


def _lead(row: Row, known: Known, area: str, kind: RuleKind) -> str | None:
    code = row.cells["lead"]
    if not code and kind is RuleKind.SPECIAL_GRID:
        return None
    if code not in _departments(known, area):
        row.refuse("lead", f"a department of the district {area[:6]}".rstrip())
    return code


def _cooperating(row: Row, known: Known, area: str) -> tuple[str, ...]:
    codes = row.names("cooperating", DEPARTMENT_CODE, "department codes separated by ;, each once")
    departments = _departments(known, area)
    if [code for code in codes if code not in departments] or row.cells["lead"] in codes:
        row.refuse("cooperating", f"departments of the district {area[:6]} other than the lead")
    return codes


def _departments(known: Known, area: str) -> Collection[str]:
    return known.departments.get(area[:6], ())


def _phone(row: Row) -> str | None:
    return check_phone(row.cells["contact_phone"]) if row.cells["contact_phone"] else None


def _basis(row: Row) -> str:
    if row.cells["basis"] not in BASES:
        row.refuse("basis", f"one of {', '.join(BASES)}")
    return BASES[row.cells["basis"]]


def _day(row: Row, column: str) -> date:
    try:
        return date.fromisoformat(row.cells[column][:10])
    except ValueError:
        row.refuse(column, "a day such as 2026-07-01")


def _until(row: Row) -> date | None:
    if not row.cells["effective_to"]:
        return None
    until = _day(row, "effective_to")
    if until <= _day(row, "effective_from"):
        row.refuse("effective_to", "a day after effective_from: the first on which the rule no longer holds")
    return until


def bad_rules(name: str, faults: list[Fault], *, field: str = "file") -> InvalidInput:
    """Return the error that names every cell of a file that cannot be used."""
    faults.sort(key=lambda fault: fault.row)
    lines = [fault.line() for fault in faults[:_SHOWN]]
    more = len(faults) - len(lines)
    words = "; ".join(lines) + (f"; and {more} more" if more else "")
    return InvalidInput(
        "bad_rules",
        f"{name}: nothing was stored, for {len(faults)} cells cannot be used: {words}",
        field=field,
        faults=[{"row": one.row, "column": one.column, "message": one.message} for one in faults],
    )
