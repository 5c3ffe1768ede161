"""The register: find incidents, whistles and tasks, for those who may see them.

Every reader takes a `Scope` and filters by it in SQL; what lies outside answers like what does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import ColumnElement, Select, case, func, literal, or_, select, tuple_
from sqlalchemy.orm import Session, joinedload

from gis.crs import STORAGE_SRID
from gis.errors import InvalidInput
from grids.casefile import TaskRow, extensions_of, on_task, returns_of
from grids.cursors import read_cursor, write_cursor
from grids.offers import actions
from grids.rules.grading import Grade
from grids.rules.lifecycle import OPEN_STATUSES, UNCOUNTED_STATUSES, Channel, IncidentStatus
from grids.rules.pauses import Decision
from grids.rules.permissions import Actor, Scope
from grids.rules.tasks import TASK, TaskStatus
from grids.rules.whistles import WhistleStatus
from grids.scope import incidents_in, tasks_in, under, whistles_in
from grids.standing import standings
from grids.tables import (
    IS_OPEN,
    Category,
    Incident,
    Placement,
    Suspension,
    Task,
    Whistle,
)

__all__ = ["Filters", "Page", "conditions", "cursor_of", "find_incidents", "find_tasks", "find_whistles"]

LONGEST_PAGE = 200


@dataclass(frozen=True, slots=True)
class Filters:
    """What to look for; None means no wall. `since` is inclusive, `until` exclusive; `bbox` is W, S, E, N.

    asks_to_wait : somebody asked for a suspension, and nobody has decided. counted_only : those that figures count
    (`grids.measures`): not merged, rejected or cancelled, and in a cell.
    """

    area: str | None = None
    statuses: tuple[IncidentStatus, ...] = ()
    category: str | None = None
    grade: Grade | None = None
    channel: Channel | None = None
    since: datetime | None = None
    until: datetime | None = None
    bbox: tuple[float, float, float, float] | None = None
    text: str | None = None
    open_only: bool = False
    overdue_only: bool = False
    asks_to_wait: bool = False
    counted_only: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, newest first, and the cursor of the next page (None on the last)."""

    items: Sequence[Incident]
    next_cursor: str | None


def find_incidents(
    session: Session,
    scope: Scope,
    filters: Filters = Filters(),
    *,
    cursor: str | None = None,
    limit: int = 50,
) -> Page:
    """Return incidents in a scope, newest first, a page at a time (at most 200).

    Raises `InvalidInput` ("bad_cursor", "bad_limit").
    """
    if not 1 <= limit <= LONGEST_PAGE:
        raise InvalidInput("bad_limit", f"limit is 1 to {LONGEST_PAGE}", field="limit", got=limit)
    query = (
        select(Incident)
        .where(incidents_in(scope), *conditions(filters))
        .order_by(Incident.received_at.desc(), Incident.id.desc())
        .limit(limit + 1)
    )
    if cursor is not None:
        at, last, _ = read_cursor(cursor)
        query = query.where(tuple_(Incident.received_at, Incident.id) < tuple_(literal(at), literal(last)))
    rows = session.scalars(query).all()
    more = len(rows) > limit
    items = rows[:limit]
    return Page(items, cursor_of(items[-1]) if more else None)


def conditions(filters: Filters) -> list[ColumnElement[bool]]:
    """Return the walls on incidents that a set of filters asks for."""
    walls = _marks(filters)
    if filters.area:
        walls.append(under(Incident.grid_code, filters.area))
    if filters.statuses:
        walls.append(Incident.status.in_(filters.statuses))
    if filters.open_only:
        walls.append(Incident.status.in_(OPEN_STATUSES))
    if filters.open_only or (filters.statuses and OPEN_STATUSES.issuperset(filters.statuses)):
        walls.append(IS_OPEN)
    if filters.category:
        walls.append(Incident.category_code == filters.category)
    if filters.grade:
        walls.append(Incident.grade == filters.grade)
    if filters.channel:
        walls.append(Incident.channel == filters.channel)
    if filters.since:
        walls.append(Incident.received_at >= filters.since)
    if filters.until:
        walls.append(Incident.received_at < filters.until)
    if filters.bbox:
        walls.append(Incident.point.op("&&")(func.ST_MakeEnvelope(*filters.bbox, STORAGE_SRID)))
    if filters.text:
        wanted = filters.text.strip()
        walls.append(
            or_(
                Incident.number == wanted,
                Incident.text.contains(wanted, autoescape=True),
                Incident.address.contains(wanted, autoescape=True),
            )
        )
    return walls


def _marks(filters: Filters) -> list[ColumnElement[bool]]:
    """Return the walls of what is marked beside the state."""
    walls: list[ColumnElement[bool]] = []
    if filters.counted_only:
        walls += [Incident.status.not_in(UNCOUNTED_STATUSES), Incident.placement != Placement.OUTSIDE]
    if filters.overdue_only:
        walls.append(Incident.first_overdue_at.is_not(None))
    if filters.asks_to_wait:
        asked = select(Suspension.incident_id).where(Suspension.decision == Decision.ASKED)
        walls.append(Incident.id.in_(asked))
    return walls


def cursor_of(row: Incident | Whistle | Task) -> str:
    """Return the cursor of the page that begins after this row, for the list that the row came from."""
    if isinstance(row, Incident):
        return write_cursor(row.received_at, row.id)
    if isinstance(row, Whistle):
        return write_cursor(row.blown_at, row.id)
    return write_cursor(row.due_at, row.id, "done" if row.status is TaskStatus.SCORED else "open")


def find_whistles(
    session: Session,
    scope: Scope,
    *,
    area: str | None = None,
    level: int | None = None,
    status: WhistleStatus | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Sequence[tuple[Whistle, Incident]]:
    """Return whistles in a scope with their incidents, newest first, after a cursor (`cursor_of`).

    At most 201: one more than a page holds, so that the caller sees whether there is another.
    """
    query: Select[Whistle, Incident] = (
        select(Whistle, Incident)
        .join(Incident, Incident.id == Whistle.incident_id)
        .where(whistles_in(scope))
        .order_by(Whistle.blown_at.desc(), Whistle.id.desc())
        .limit(min(limit, LONGEST_PAGE + 1))
    )
    if cursor is not None:
        at, last, _ = read_cursor(cursor)
        query = query.where(tuple_(Whistle.blown_at, Whistle.id) < tuple_(literal(at), literal(last)))
    if area:
        query = query.where(under(Whistle.area_code, area))
    if level:
        query = query.where(Whistle.level == level)
    if status:
        query = query.where(Whistle.status == status)
    return session.execute(query).all()


def find_tasks(
    session: Session,
    actor: Actor,
    *,
    department: str | None = None,
    statuses: Sequence[TaskStatus] = (),
    cursor: str | None = None,
    limit: int = 50,
) -> Sequence[TaskRow]:
    """Return departments' tasks in sight with what the actor may do, after a cursor (`cursor_of`).

    Open ones first, the one that is due first on top; then those that are scored, the last one on top. At
    most 201, as for whistles.
    """
    scored = Task.status == TaskStatus.SCORED
    seconds = func.extract("epoch", Task.due_at)
    urgency = case((scored, -seconds), else_=seconds)
    query = (
        select(Task, Whistle, Incident, Category)
        .join(Whistle, Whistle.id == Task.whistle_id)
        .join(Incident, Incident.id == Task.incident_id)
        .outerjoin(Category, Category.code == Incident.category_code)
        .where(tasks_in(actor.scope))
        .options(joinedload(Task.department))
        .order_by(scored, urgency, Task.id)
        .limit(min(limit, LONGEST_PAGE + 1))
    )
    if cursor is not None:
        at, last, part = read_cursor(cursor)
        done = part == "done"
        key = Decimal((at - _EPOCH) // timedelta(microseconds=1)) / 1_000_000
        query = query.where(
            tuple_(scored, urgency, Task.id)
            > tuple_(literal(done), literal(-key if done else key), literal(last))
        )
    if statuses:
        query = query.where(Task.status.in_(statuses))
    if department:
        query = query.where(Task.department.has(code=department))
    rows = session.execute(query).all()
    standing = standings(session, {row[2].id for row in rows})
    beside: dict[int, list[Task]] = {}  # a lead completes last: what it may do hangs on the other parts
    for other in session.scalars(select(Task).where(Task.whistle_id.in_({row[1].id for row in rows}))):
        beside.setdefault(other.whistle_id, []).append(other)
    more = extensions_of(session, {row[2].id for row in rows})
    back = returns_of(session, {row[2].id for row in rows})
    return [
        TaskRow(
            task,
            whistle,
            incident,
            category,
            tuple(
                act
                for act in actions(actor, incident, [whistle], beside[whistle.id], standing[incident.id])
                if act.machine != TASK.name or on_task(act, task.id)
            ),
            extensions=more.get(task.id, ()),
            returns=back.get(task.id, ()),
        )
        for task, whistle, incident, category in rows
    ]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
