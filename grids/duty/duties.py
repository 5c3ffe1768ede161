"""Who answers for a category at a place: the rule of the responsibility list that decides, and why it does.

The database finds the rules that fit (one query, polygons by their GiST index);
`grids.rules.responsibilities.choose` says which of them decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from geoalchemy2 import Geography, WKBElement
from sqlalchemy import ColumnElement, and_, cast, func, or_, select
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID
from gis.errors import NotFound
from grids.rules.levels import CODE_LENGTH
from grids.rules.responsibilities import Choice, Place, Rule, RuleKind, choose
from grids.rules.tasks import TaskRole
from grids.tables import Responsibility

__all__ = [
    "Duty",
    "Point",
    "SpecialGrid",
    "duty_for",
    "duty_from",
    "find_duty",
    "in_force",
    "rule_of",
    "special_grids",
    "where",
]

Point = WKBElement | tuple[float, float]
"""A point as a table holds it, or longitude and latitude in the storage frame."""


_SIZE_M2 = func.ST_Area(cast(Responsibility.boundary, Geography(srid=STORAGE_SRID)))


@dataclass(frozen=True, slots=True)
class Duty:
    """Who answers for a category at a place, and the rule that decided.

    basis : code of `DutyBasis`. rule : the rule in one sentence. name, contact_name, contact_phone : of the special
    grid or exception. because : plain facts, one mapping a rule that fits, the one that decides first: rule
    (id), kind, name, area, category, lead, since, and why it gave way (a code of `Why`, None for the first).
    conflict : the leads between which only the ids of rules decided, empty where there was no such thing.
    """

    lead: str
    cooperating: tuple[str, ...]
    basis: str
    rule: str
    kind: RuleKind
    rule_id: int
    since: date
    source: str
    name: str | None = None
    contact_name: str | None = None
    contact_phone: str | None = None
    because: tuple[dict[str, Any], ...] = ()
    conflict: tuple[str, ...] = ()

    def departments(self) -> list[dict[str, str]]:
        """Return the departments as a whistle's draft holds them, lead first."""
        return [
            {"code": self.lead, "role": TaskRole.LEAD.value},
            *({"code": code, "role": TaskRole.COOPERATING.value} for code in self.cooperating),
        ]


@dataclass(frozen=True, slots=True)
class SpecialGrid:
    """A market, a school, a station: a place inside the grid with a keeper of its own."""

    rule_id: int
    name: str
    contact_name: str | None
    contact_phone: str | None
    source: str
    since: date


def duty_for(
    session: Session,
    category_code: str,
    code: str,
    *,
    on: date,
    point: Point | None = None,
    list_on: date | None = None,
) -> Duty:
    """Return `find_duty`; raises `NotFound` ("no_responsibility") where the list says nothing: a person decides."""
    duty = find_duty(session, category_code, code, on=on, point=point, list_on=list_on)
    if duty is None:
        raise NotFound(
            "no_responsibility",
            f"the responsibility list names nobody for category {category_code} at {code}",
            category=category_code,
            area=code,
        )
    return duty


def find_duty(
    session: Session,
    category_code: str,
    code: str,
    *,
    on: date,
    point: Point | None = None,
    list_on: date | None = None,
) -> Duty | None:
    """Return who answers for a category at a place on a day, None where the list says nothing.

    code : the cell. point : what rules with a polygon are judged by; without it they have no say. list_on : the day
    whose list counts, where that is another one: a case keeps the items that it began with, while what was decided
    since then holds for it too.
    """
    fits = [and_(Responsibility.category_code == category_code, Responsibility.boundary.is_(None))]
    if point is not None:
        any_category = or_(
            Responsibility.category_code == category_code, Responsibility.category_code.is_(None)
        )
        fits.append(and_(_holds(point), any_category))
    found = session.execute(
        select(Responsibility, _SIZE_M2)
        .where(Responsibility.area_code.in_(_above(code)), _holds_for_case(on, list_on), or_(*fits))
        .order_by(Responsibility.id)
    ).all()
    kept = list_on is not None
    choice = choose((rule_of(row, size, kept=kept) for row, size in found), Place(category_code, code, on))
    if choice is None:
        return None
    row = next(row for row, _ in found if row.id == choice.rule.id)
    return duty_from(
        choice,
        {
            "cooperating": row.cooperating,
            "basis": row.basis,
            "source": row.source,
            "contact_name": row.contact_name,
            "contact_phone": row.contact_phone,
        },
    )


def duty_from(choice: Choice, row: Mapping[str, Any]) -> Duty:
    """Return a duty from what was chosen and the row of the rule that decides.

    row : with the keys cooperating, basis, source, contact_name, contact_phone.
    """
    rule = choice.rule
    if rule.lead is None:
        raise ValueError(f"rule {rule.id} names no lead: it cannot decide")
    return Duty(
        lead=rule.lead,
        cooperating=tuple(row["cooperating"]),
        basis=row["basis"].value,
        rule=_sentence(rule),
        kind=rule.kind,
        rule_id=rule.id,
        since=rule.since,
        source=row["source"],
        name=rule.name,
        contact_name=row["contact_name"],
        contact_phone=row["contact_phone"],
        because=(_fact(rule, None), *(_fact(other, why.value) for other, why in choice.others)),
        conflict=choice.leads if len(choice.leads) > 1 else (),
    )


def special_grids(session: Session, code: str, point: Point, *, on: date) -> list[SpecialGrid]:
    """Return the special grids that hold a point, the smallest first; one with rules for several categories once."""
    rows = session.scalars(
        select(Responsibility)
        .where(
            Responsibility.kind == RuleKind.SPECIAL_GRID,
            Responsibility.area_code.in_(_above(code)),
            in_force(on),
            _holds(point),
        )
        .order_by(_SIZE_M2, Responsibility.id)
    )
    found: dict[tuple[str | None, str | None], SpecialGrid] = {}
    for row in rows:
        grid = SpecialGrid(
            row.id, row.name or "", row.contact_name, row.contact_phone, row.source, row.effective_from
        )
        found.setdefault((row.name, row.contact_phone), grid)
    return list(found.values())


def in_force(on: date) -> ColumnElement[bool]:
    """Return the condition that a rule of the list holds on a day."""
    return and_(
        ~Responsibility.draft,
        Responsibility.effective_from <= on,
        or_(Responsibility.effective_to.is_(None), Responsibility.effective_to > on),
    )


def _holds_for_case(on: date, list_on: date | None) -> ColumnElement[bool]:
    if list_on is None or list_on == on:
        return in_force(on)
    listed = Responsibility.kind == RuleKind.LISTED
    return or_(and_(~listed, in_force(on)), and_(listed, in_force(list_on)))


def where(point: Point) -> Any:
    """Return a point as SQL, in the storage frame."""
    if isinstance(point, WKBElement):
        return point
    return func.ST_SetSRID(func.ST_MakePoint(*point), STORAGE_SRID)


def _holds(point: Point) -> ColumnElement[bool]:
    covers: ColumnElement[bool] = func.ST_Covers(Responsibility.boundary, where(point))
    return covers


def _above(code: str) -> list[str]:
    return [code[:n] for n in (0, *CODE_LENGTH.values()) if n <= len(code)]


def rule_of(row: Responsibility, polygon_m2: float | None = None, *, kept: bool = False) -> Rule:
    """Return a row as a rule.

    polygon_m2 : the area of its own polygon, where it has one. kept : an item of the list holds on for the case
    that began with it.
    """
    return Rule(
        id=row.id,
        kind=row.kind,
        area=row.area_code,
        category=row.category_code,
        lead=row.lead,
        since=row.effective_from,
        until=None if kept and row.kind is RuleKind.LISTED else row.effective_to,
        name=row.name,
        polygon_m2=polygon_m2,
    )


def _sentence(rule: Rule) -> str:
    """Return the rule as a case keeps it; what is not plainly of the list says what it is."""
    plain = rule.kind in (RuleKind.LISTED, RuleKind.DEFAULT)
    what = "" if plain else f" ({' '.join(part for part in (rule.kind.value, rule.name) if part)})"
    place = f"area {rule.area}" if rule.area else "the whole list"
    return f"responsibility {rule.id}{what} for {place} since {rule.since.isoformat()}"


def _fact(rule: Rule, why: str | None) -> dict[str, Any]:
    return {
        "rule": rule.id,
        "kind": rule.kind.value,
        "name": rule.name,
        "area": rule.area,
        "category": rule.category,
        "lead": rule.lead,
        "since": rule.since.isoformat(),
        "why": why,
    }
