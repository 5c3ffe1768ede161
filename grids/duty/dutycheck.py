"""What is wrong with the responsibility list: nobody or several lead, or a rule names what is not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from geoalchemy2 import Geography
from sqlalchemy import Select, and_, case, cast, func, or_, select
from sqlalchemy.orm import Session, aliased

from gis.crs import STORAGE_SRID
from grids import atlas
from grids.duty.responsibilities import OUTSIDE_M2
from grids.ground.coverage import coverage, touching
from grids.rules.levels import CODE_LENGTH, GridLevel
from grids.tables import Category, Department, Edition, Grid, Responsibility

__all__ = ["DutyFault", "Finding", "check"]


class DutyFault(StrEnum):
    """What can be wrong with the list."""

    NOBODY = "nobody"  # no department leads for a category in an area
    SEVERAL = "several"  # several do, and nothing tells their rules apart
    UNKNOWN_DEPARTMENT = "unknown_department"
    UNKNOWN_CATEGORY = "unknown_category"
    UNKNOWN_AREA = "unknown_area"
    POLYGON_OUTSIDE = "polygon_outside"
    DATES_OVERLAP = "dates_overlap"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend. rules : the ids of the rules that it is about, none where one is missing."""

    fault: DutyFault
    area: str
    category: str | None
    rules: tuple[int, ...]
    message: str


def check(session: Session, *, on: date, area: str | None = None) -> list[Finding]:
    """Return everything that is wrong with the list on a day, and with rules that are still to begin.

    area : judge this area only, and the rules that touch it; else all districts in force.
    Raises `NotFound` ("grid_not_found") for an area that the grid in force does not have.
    """
    codes = atlas.current(session, on=on).names
    if area is not None:
        atlas.grid(session, area, on=on)
    districts = [code for code in codes if len(code) == CODE_LENGTH[GridLevel.DISTRICT]]
    wanted = (
        select(Responsibility)
        .where(
            ~Responsibility.draft,
            or_(Responsibility.effective_to.is_(None), Responsibility.effective_to > on),
        )
        .order_by(Responsibility.id)
    )
    if area is not None:
        wanted = wanted.where(touching(area))
        districts = [area[:6]]
    rules = session.scalars(wanted).all()
    found = [one for place in ([area] if area else sorted(districts)) for one in _leads(session, place, on)]
    found += _unknown(session, rules, set(codes), districts)
    found += _outside(session, wanted, on)
    found += _overlapping(session, wanted, on)
    return found


def _leads(session: Session, area: str, on: date) -> Iterator[Finding]:
    for hole in coverage(session, area, on=on).holes:
        if hole.leads:
            words = f"several departments lead for {hole.category} in {hole.area}: {', '.join(hole.leads)}"
            yield Finding(DutyFault.SEVERAL, hole.area, hole.category, (), words)
        else:
            words = f"no department leads for {hole.category} in {hole.area}"
            yield Finding(DutyFault.NOBODY, hole.area, hole.category, (), words)


def _unknown(
    session: Session, rules: Sequence[Responsibility], areas: set[str], districts: list[str]
) -> Iterator[Finding]:
    bodies: dict[str, set[str]] = {}
    for district, code in session.execute(select(Department.district_code, Department.code)):
        bodies.setdefault(district, set()).add(code)
    categories = set(session.scalars(select(Category.code)))
    for rule in rules:

        def finding(fault: DutyFault, words: str, rule: Responsibility = rule) -> Finding:
            return Finding(fault, rule.area_code, rule.category_code, (rule.id,), f"rule {rule.id} {words}")

        if rule.category_code is not None and rule.category_code not in categories:
            yield finding(
                DutyFault.UNKNOWN_CATEGORY, f"is for a category {rule.category_code} that is not listed"
            )
        if rule.area_code and rule.area_code not in areas:
            yield finding(
                DutyFault.UNKNOWN_AREA, f"is for {rule.area_code}, which the grid in force does not have"
            )
            continue
        named = [code for code in (rule.lead, *rule.cooperating) if code is not None]
        for district in [rule.area_code[:6]] if rule.area_code else districts:
            missing = [code for code in named if code not in bodies.get(district, set())]
            if missing:
                words = f"names {', '.join(missing)}: no department of the district {district}"
                yield finding(DutyFault.UNKNOWN_DEPARTMENT, words)


def _outside(session: Session, wanted: Select[Responsibility], on: date) -> Iterator[Finding]:
    """Yield rules whose polygon leaves their area; one for everywhere has to stay in the districts."""
    rule = wanted.where(Responsibility.boundary.is_not(None)).order_by(None).subquery()
    everywhere = (
        select(func.ST_Union(Grid.boundary))
        .join(Edition, Edition.id == Grid.edition_id)
        .where(atlas.in_force(on), Grid.level == GridLevel.DISTRICT)
        .scalar_subquery()
    )
    own = (
        select(Grid.boundary)
        .join(Edition, Edition.id == Grid.edition_id)
        .where(atlas.in_force(on), Grid.code == rule.c.area_code)
        .limit(1)
        .scalar_subquery()
    )
    place = case((rule.c.area_code == "", everywhere), else_=own)
    beyond = case(
        (func.ST_Covers(place, rule.c.boundary), 0.0),
        else_=func.ST_Area(cast(func.ST_Difference(rule.c.boundary, place), Geography(srid=STORAGE_SRID))),
    )
    rows = session.execute(
        select(rule.c.id, rule.c.area_code, rule.c.category_code, beyond.label("m2")).order_by(rule.c.id)
    )
    for number, area, category, m2 in rows:
        if m2 is not None and m2 > OUTSIDE_M2:
            where = area or "every district"
            words = f"rule {number}: {m2:,.0f} m² of its polygon lie outside {where}"
            yield Finding(DutyFault.POLYGON_OUTSIDE, area, category, (number,), words)


def _overlapping(session: Session, wanted: Select[Responsibility], on: date) -> Iterator[Finding]:
    """Yield pairs of one kind, area and category, both for the whole area or one polygon, that share days."""
    one = wanted.order_by(None).subquery()
    other = aliased(Responsibility)
    rows = session.execute(
        select(one.c.id, other.id, one.c.area_code, one.c.category_code)
        .join(
            other,
            and_(
                one.c.id < other.id,
                ~other.draft,
                one.c.kind == other.kind,
                one.c.area_code == other.area_code,
                one.c.category_code.is_not_distinct_from(other.category_code),
                or_(
                    and_(one.c.boundary.is_(None), other.boundary.is_(None)),
                    func.ST_Equals(one.c.boundary, other.boundary),
                ),
                or_(
                    other.effective_to.is_(None),
                    and_(one.c.effective_from < other.effective_to, other.effective_to > on),
                ),
                or_(one.c.effective_to.is_(None), other.effective_from < one.c.effective_to),
            ),
        )
        .order_by(one.c.id, other.id)
    )
    for first, second, area, category in rows:
        words = (
            f"rules {first} and {second} are of one kind for {category or 'any category'} in "
            f"{area or 'every area'} on the same days"
        )
        yield Finding(DutyFault.DATES_OVERLAP, area, category, (first, second), words)
