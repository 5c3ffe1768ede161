"""What a drafted responsibility list would have changed: the incidents of the year before, given out by both lists.

Incidents are not judged one by one. The database groups those that no rule can tell apart (category, cell, and the
polygons that hold the point), and each group is decided once by the list in force and once by the draft; both with the
rules of the day from which the draft is to hold, so that nothing but the list differs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from geoalchemy2 import Geography
from sqlalchemy import and_, cast, func, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID
from gis.errors import Conflict
from grids.duty.duties import in_force, rule_of
from grids.duty.lists import get, replaced_by
from grids.rules.responsibilities import Place, Rule, choose
from grids.rules.trace import rendered
from grids.scope import under
from grids.tables import DraftStatus, DutyList, Incident, Responsibility

__all__ = ["DAYS", "dry_run"]

DAYS = 365
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class _Named:
    """Whom a list names for a group: the lead, None for nobody, and who cooperates."""

    lead: str | None
    cooperating: tuple[str, ...] = ()


@dataclass
class _Book:
    """The rules of one side, found by category and area; a question that was answered is not asked again."""

    on: date
    rules: Mapping[tuple[str | None, str], list[Rule]]
    polygons: Mapping[int, Rule]
    cooperating: Mapping[int, tuple[str, ...]]
    _known: dict[tuple[str, tuple[str, ...], tuple[int, ...]], _Named] = field(default_factory=dict)

    def names(self, category: str, code: str, polygons: Sequence[int]) -> _Named:
        """Return who leads for a category at a cell whose point lies in these polygons."""
        above = tuple(area for area in _above(code) if (category, area) in self.rules)
        inside = tuple(
            one for one in polygons if one in self.polygons and code.startswith(self.polygons[one].area)
        )
        key = (category, above, inside)
        found = self._known.get(key)
        if found is None:
            rules = [rule for area in above for rule in self.rules[category, area]]
            rules += [self.polygons[one] for one in inside]
            choice = choose(rules, Place(category, code, self.on))
            found = _Named(None)
            if choice is not None:
                found = _Named(choice.rule.lead, self.cooperating[choice.rule.id])
            self._known[key] = found
        return found


def _above(code: str) -> tuple[str, ...]:
    return tuple(code[:length] for length in (0, 6, 9, 12, 15) if length <= len(code))


@dataclass
class _Changed:
    count: int = 0
    examples: list[str] = field(default_factory=list)


def dry_run(session: Session, list_id: int, *, by: str, now: datetime) -> dict[str, Any]:
    """Give out the incidents of the last 365 days by a draft and by what it would replace; keep and return the result.

    Returns since, until, run_at, run_by; incidents : with a category, in the district; match : the same lead;
    change : another one; cooperating : the same lead with others beside it; rows : category, before, after (codes of
    leads, None for nobody), count, examples (numbers, newest first), the most frequent first.
    Raises `NotFound` ("no_such_list"), `Conflict` ("not_a_draft").
    """
    row = get(session, list_id, lock=True)
    if row.status is not DraftStatus.DRAFT:
        raise Conflict("not_a_draft", f"responsibility list {list_id} is {row.status.value}, not a draft")
    old, new = _books(session, row)
    since = now - timedelta(days=DAYS)
    match = change = cooperating = 0
    changed: dict[tuple[str, str | None, str | None], _Changed] = defaultdict(_Changed)
    for category, code, polygons, count, examples in _groups(session, row, since, now):
        before, after = old.names(category, code, polygons), new.names(category, code, polygons)
        if before.lead == after.lead:
            match += count
            cooperating += count if set(before.cooperating) != set(after.cooperating) else 0
            continue
        change += count
        told = changed[category, before.lead, after.lead]
        told.count += count
        told.examples = sorted({*told.examples, *examples}, reverse=True)[:_EXAMPLES]
    frequent = sorted(changed.items(), key=lambda one: (-one[1].count, str(one[0])))
    row.dry_run = {
        "since": rendered(since),
        "until": rendered(now),
        "run_at": rendered(now),
        "run_by": by,
        "incidents": match + change,
        "match": match,
        "change": change,
        "cooperating": cooperating,
        "rows": [
            {
                "category": category,
                "before": before,
                "after": after,
                "count": told.count,
                "examples": told.examples,
            }
            for (category, before, after), told in frequent
        ],
    }
    session.flush()
    return row.dry_run


def _groups(session: Session, row: DutyList, since: datetime, now: datetime) -> Sequence[Any]:
    """Return (category, cell, ids of polygon rules, how many, some numbers) of incidents that no rule tells apart."""
    window = (
        under(Incident.grid_code, row.district_code),
        Incident.received_at >= since,
        Incident.received_at < now,
        Incident.category_code.is_not(None),
    )
    inside = (
        select(
            Incident.id.label("incident_id"),
            func.array_agg(aggregate_order_by(Responsibility.id, Responsibility.id)).label("rules"),
        )
        .join(Responsibility, func.ST_Covers(Responsibility.boundary, Incident.point))
        .where(*window, _with_polygon(row))
        .group_by(Incident.id)
        .cte("inside")
    )
    rules = inside.c.rules
    newest = aggregate_order_by(Incident.number, Incident.received_at.desc(), Incident.id.desc())
    found = session.execute(
        select(
            Incident.category_code,
            Incident.grid_code,
            rules,
            func.count(),
            func.array_agg(newest)[1:_EXAMPLES],
        )
        .outerjoin(inside, inside.c.incident_id == Incident.id)
        .where(*window)
        .group_by(Incident.category_code, Incident.grid_code, rules)
    )
    return [(category, code, held or (), count, examples) for category, code, held, count, examples in found]


def _with_polygon(row: DutyList) -> Any:
    return and_(Responsibility.boundary.is_not(None), _here(row), in_force(row.effective_from))


def _here(row: DutyList) -> Any:
    return or_(Responsibility.area_code == "", under(Responsibility.area_code, row.district_code))


def _books(session: Session, row: DutyList) -> tuple[_Book, _Book]:
    """Return the rules of the day by the list in force, and by the draft in its place."""
    size = func.ST_Area(cast(Responsibility.boundary, Geography(srid=STORAGE_SRID)))
    own = Responsibility.list_id == row.id
    found = session.execute(
        select(Responsibility, size).where(or_(and_(_here(row), in_force(row.effective_from)), own))
    ).all()
    gone = {rule.id for rule in replaced_by(session, row)}
    drafted = {rule.id for rule, _ in found if rule.list_id == row.id}
    rules = [(rule_of(rule, m2), tuple(rule.cooperating)) for rule, m2 in found]
    return (
        _book([one for one in rules if one[0].id not in drafted], row.effective_from),
        _book([one for one in rules if one[0].id not in gone], row.effective_from),
    )


def _book(rules: Sequence[tuple[Rule, tuple[str, ...]]], on: date) -> _Book:
    plain: dict[tuple[str | None, str], list[Rule]] = {}
    polygons: dict[int, Rule] = {}
    for rule, _ in rules:
        if rule.polygon_m2 is None:
            plain.setdefault((rule.category, rule.area), []).append(rule)
        else:
            polygons[rule.id] = rule
    return _Book(on, plain, polygons, {rule.id: beside for rule, beside in rules})
