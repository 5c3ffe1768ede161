"""A table of powers that are given to towns (赋权清单): every cell that cannot be used is named."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from gis.errors import InvalidInput
from grids.rules.dutysheet import Fault
from grids.rules.phones import check_phone
from grids.rules.sheets import Row

__all__ = ["COLUMNS", "NEEDED", "PowerRow", "read_powers"]

COLUMNS = (
    "item_no",
    "name",
    "towns",
    "department",
    "categories",
    "conditions",
    "limit",
    "contact_phone",
    "legal_basis",
    "source",
    "effective_from",
    "effective_to",
)
NEEDED = ("item_no", "name", "towns", "department", "legal_basis", "source", "effective_from")


@dataclass(frozen=True, slots=True)
class PowerRow:
    """One power for some towns. department : whose power it is. until : the first day on which it no longer holds."""

    row: int
    item_no: str
    name: str
    towns: tuple[str, ...]
    department: str
    categories: tuple[str, ...]
    conditions: str
    limit_text: str
    contact_phone: str | None
    legal_basis: str
    source: str
    since: date
    until: date | None


def read_powers(
    rows: Iterable[Row],
    *,
    towns: Collection[str],
    departments: Collection[str],
    categories: Collection[str],
) -> tuple[list[PowerRow], list[Fault]]:
    """Return the powers of a table and every cell that cannot be used.

    towns : codes of the district's towns; `*` in the column stands for all of them. departments, categories : codes
    that exist.
    """
    read: list[PowerRow] = []
    faults: list[Fault] = []
    seen: dict[tuple[str, str], int] = {}
    for row in rows:
        wrong: dict[str, str] = {}
        one = _read(row, wrong, towns, departments, categories)
        faults += [Fault(row.number, column, words) for column, words in wrong.items()]
        if wrong:
            continue
        twins = {seen.setdefault((town, one.item_no), row.number) for town in one.towns} - {row.number}
        if twins:
            faults.append(
                Fault(row.number, "item_no", f"row {min(twins)} gives this power to one of these towns")
            )
        read.append(one)
    return read, faults


def _read(
    row: Row,
    wrong: dict[str, str],
    towns: Collection[str],
    departments: Collection[str],
    categories: Collection[str],
) -> PowerRow:
    cells: Mapping[str, str] = row.cells

    def text(column: str, most: int, *, needed: bool = True) -> str:
        if (needed and not cells[column]) or len(cells[column]) > most:
            wrong[column] = (
                f"wanted 1 to {most} characters" if needed else f"wanted at most {most} characters"
            )
        return cells[column]

    def codes(column: str, known: Collection[str], what: str) -> tuple[str, ...]:
        found = tuple(filter(None, (part.strip() for part in cells[column].replace("；", ";").split(";"))))
        missing = [code for code in found if code not in known]
        if missing or len(set(found)) != len(found):
            wrong[column] = f"got '{cells[column]}', wanted {what} separated by ;, each once"
        return found

    def day(column: str) -> date | None:
        if not cells[column] and column == "effective_to":
            return None
        try:
            return date.fromisoformat(cells[column])
        except ValueError:
            wrong[column] = f"got '{cells[column]}', wanted a day such as 2026-07-01"
            return None

    phone = None
    try:
        phone = check_phone(cells["contact_phone"]) if cells["contact_phone"] else None
    except InvalidInput as refused:
        wrong["contact_phone"] = refused.message  # the number itself is not repeated
    if cells["department"] not in departments:
        wrong["department"] = f"got '{cells['department']}', wanted a department of the district, such as CG"
    given = tuple(sorted(towns)) if cells["towns"] == "*" else codes("towns", towns, "codes of towns, or *,")
    if not given:
        wrong["towns"] = "name the towns by their codes, or * for all"
    since, until = day("effective_from"), day("effective_to")
    if since is not None and until is not None and until <= since:
        wrong["effective_to"] = "wanted a day after effective_from: the first on which it no longer holds"
    return PowerRow(
        row=row.number,
        item_no=text("item_no", 40),
        name=text("name", 200),
        towns=given,
        department=cells["department"],
        categories=codes("categories", categories, "codes of categories such as 07-001,"),
        conditions=text("conditions", 2000, needed=False),
        limit_text=text("limit", 200, needed=False),
        contact_phone=phone,
        legal_basis=text("legal_basis", 2000),
        source=text("source", 300),
        since=since or date.min,
        until=until,
    )
