"""Powers of departments that towns exercise themselves (赋权): imported, listed by town, found for a case.

Where a town holds the power for a category it could act itself, under the conditions and within the limit that came
with it; whether it does stays its decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from grids.duty.responsibilities import known_names
from grids.rules.dutysheet import Fault, bad_rules
from grids.rules.levels import CODE_LENGTH, GridLevel
from grids.rules.powersheet import COLUMNS, NEEDED, PowerRow, read_powers
from grids.rules.sheets import read_rows
from grids.scope import under
from grids.tables import DelegatedPower, Department

__all__ = ["Imported", "Power", "import_powers", "in_town", "of_case"]

_TOWN = CODE_LENGTH[GridLevel.TOWN]


@dataclass(frozen=True, slots=True)
class Power:
    """A power that a town holds, and the department that it comes from."""

    row: DelegatedPower
    department: Department


@dataclass(frozen=True, slots=True)
class Imported:
    """How many powers began, one for each town, and how many that ran before ended for them."""

    begun: int
    ended: int


def import_powers(session: Session, content: bytes, *, district: str, on: date) -> Imported:
    """Store a table of powers for the towns of a district; all of it, or nothing.

    content : a CSV file with the columns of `grids.rules.powersheet.COLUMNS`, in UTF-8 or GB 18030. on : the day whose
    grid in force has the towns. A power of the same number that runs in a town ends where the new one begins.
    Raises `InvalidInput` ("bad_sheet", "bad_rules", whose `faults` name row and column).
    """
    rows = read_rows(content, "powers", COLUMNS, NEEDED)
    known = known_names(session, on)
    bodies = {
        body.code: body
        for body in session.scalars(select(Department).where(Department.district_code == district))
    }
    towns = [code for code in known.areas if len(code) == _TOWN and code.startswith(district)]
    powers, faults = read_powers(rows, towns=towns, departments=bodies, categories=known.categories)
    standing, clashes = _standing(session, powers, district)
    if faults or clashes:
        raise bad_rules("the powers", [*faults, *clashes])
    for running, day in standing:
        running.effective_to = day
    begun = [
        DelegatedPower(
            area_code=town,
            department_id=bodies[one.department].id,
            item_no=one.item_no,
            name=one.name,
            category_codes=list(one.categories),
            conditions=one.conditions,
            limit_text=one.limit_text,
            contact_phone=one.contact_phone,
            legal_basis=one.legal_basis,
            source=one.source,
            effective_from=one.since,
            effective_to=one.until,
        )
        for one in powers
        for town in one.towns
    ]
    session.add_all(begun)
    session.flush()
    return Imported(begun=len(begun), ended=len(standing))


def _standing(
    session: Session, powers: Sequence[PowerRow], district: str
) -> tuple[list[tuple[DelegatedPower, date]], list[Fault]]:
    """Return the powers that end where a new one begins, and the rows that find their place taken."""
    kept: dict[tuple[str, str], list[DelegatedPower]] = {}
    for row in session.scalars(select(DelegatedPower).where(under(DelegatedPower.area_code, district))):
        kept.setdefault((row.area_code, row.item_no), []).append(row)
    ended: list[tuple[DelegatedPower, date]] = []
    faults: list[Fault] = []
    for one in powers:
        for town in one.towns:
            for row in kept.get((town, one.item_no), ()):
                if row.effective_to is not None and row.effective_to <= one.since:
                    continue
                if row.effective_from >= one.since:
                    words = f"{town} holds power {one.item_no} from {row.effective_from} already"
                    faults.append(Fault(one.row, "effective_from", words))
                else:
                    ended.append((row, one.since))
    return ended, faults


def in_town(session: Session, area: str, *, on: date) -> list[Power]:
    """Return the powers that hold on a day in a town, or in all towns of a district, by town and number.

    area : a code; of what lies in a town, the town counts.
    """
    return _found(session, under(DelegatedPower.area_code, area[:_TOWN]), on)


def of_case(session: Session, category_code: str | None, grid_code: str, *, on: date) -> list[Power]:
    """Return the powers by which the town of a case could act itself; none without a category or a town."""
    if category_code is None or len(grid_code) < _TOWN:
        return []
    mine = and_(
        DelegatedPower.area_code == grid_code[:_TOWN],
        DelegatedPower.category_codes.contains([category_code]),
    )
    return _found(session, mine, on)


def _found(session: Session, wanted: ColumnElement[bool], on: date) -> list[Power]:
    rows = session.execute(
        select(DelegatedPower, Department)
        .join(Department, Department.id == DelegatedPower.department_id)
        .where(
            wanted,
            DelegatedPower.effective_from <= on,
            or_(DelegatedPower.effective_to.is_(None), DelegatedPower.effective_to > on),
        )
        .order_by(DelegatedPower.area_code, DelegatedPower.item_no, DelegatedPower.id)
    )
    return [Power(row, body) for row, body in rows]
