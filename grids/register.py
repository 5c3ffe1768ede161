"""The register: find and show incidents, whistles and tasks to those who may see them.

Every reader takes a `Scope` and filters by it in SQL; what lies outside answers like what does not exist.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from geoalchemy2.shape import to_shape
from sqlalchemy import ColumnElement, Select, case, func, literal, or_, select, tuple_
from sqlalchemy.orm import Session, joinedload

from gis.crs import STORAGE_SRID
from gis.errors import InvalidInput, NotFound
from grids import atlas, trace
from grids.acts.ladder import tasks_of
from grids.offers import Action, actions
from grids.rules.calendar import local_day
from grids.rules.grading import Grade
from grids.rules.lifecycle import OPEN_STATUSES, IncidentStatus
from grids.rules.permissions import Actor, Role, Scope
from grids.rules.tasks import TASK, TaskStatus
from grids.rules.whistles import WhistleStatus
from grids.scope import incidents_in, tasks_in, under, whistles_in
from grids.tables import (
    IS_OPEN,
    Callback,
    Category,
    Deadline,
    Incident,
    Placement,
    Reporter,
    Score,
    Task,
    Trace,
    Whistle,
)

__all__ = [
    "Action",
    "CaseFile",
    "Filters",
    "Page",
    "Receipt",
    "TaskRow",
    "WhistleFile",
    "actions",
    "cursor_of",
    "find_incidents",
    "find_tasks",
    "find_whistles",
    "position",
    "receipt",
    "show_incident",
    "show_task",
    "show_whistle",
]

LONGEST_PAGE = 200


@dataclass(frozen=True, slots=True)
class Filters:
    """What to look for; None means no wall. `since` is inclusive, `until` exclusive; `bbox` is W, S, E, N."""

    area: str | None = None
    statuses: tuple[IncidentStatus, ...] = ()
    category: str | None = None
    grade: Grade | None = None
    since: datetime | None = None
    until: datetime | None = None
    bbox: tuple[float, float, float, float] | None = None
    text: str | None = None
    open_only: bool = False
    overdue_only: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, newest first, and the cursor of the next page (None on the last)."""

    items: Sequence[Incident]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a reporter learns at once: the whistles that were blown, the clocks that run, where else it may lie.

    candidates : the cells that the position may lie in. confirm : the reporter was not asked which of them it is.
    """

    whistles: Sequence[Whistle]
    clocks: Sequence[Deadline]
    candidates: tuple[atlas.Candidate, ...]
    confirm: bool


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A whole case, as one person may see it."""

    incident: Incident
    category: Category | None
    whistles: Sequence[Whistle]
    tasks: Sequence[Task]
    scores: dict[int, Score]
    clocks: Sequence[Deadline]
    trace: Sequence[Trace]
    callbacks: Sequence[Callback]
    reporters: Sequence[Reporter]
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class WhistleFile:
    """A whistle with its incident and the tasks under it."""

    whistle: Whistle
    incident: Incident
    category: Category | None
    tasks: Sequence[Task]
    scores: dict[int, Score]
    clocks: Sequence[Deadline]
    trace: Sequence[Trace]
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A department's task with the whistle and the incident that it belongs to."""

    task: Task
    whistle: Whistle
    incident: Incident
    category: Category | None
    actions: tuple[Action, ...] = field(default=())
    score: Score | None = None


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
        .where(incidents_in(scope), *_conditions(filters))
        .order_by(Incident.received_at.desc(), Incident.id.desc())
        .limit(limit + 1)
    )
    if cursor is not None:
        at, last, _ = _read_cursor(cursor)
        query = query.where(tuple_(Incident.received_at, Incident.id) < tuple_(literal(at), literal(last)))
    rows = session.scalars(query).all()
    more = len(rows) > limit
    items = rows[:limit]
    return Page(items, cursor_of(items[-1]) if more else None)


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    walls: list[ColumnElement[bool]] = []
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
    if filters.since:
        walls.append(Incident.received_at >= filters.since)
    if filters.until:
        walls.append(Incident.received_at < filters.until)
    if filters.overdue_only:
        walls.append(Incident.first_overdue_at.is_not(None))
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


def cursor_of(row: Incident | Whistle | Task) -> str:
    """Return the cursor of the page that begins after this row, for the list that the row came from."""
    if isinstance(row, Incident):
        return _write_cursor(row.received_at, row.id)
    if isinstance(row, Whistle):
        return _write_cursor(row.blown_at, row.id)
    return _write_cursor(row.due_at, row.id, "done" if row.status is TaskStatus.SCORED else "open")


def _write_cursor(at: datetime, row_id: int, part: str = "") -> str:
    return base64.urlsafe_b64encode(f"{at.isoformat()}|{row_id}|{part}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[datetime, int, str]:
    try:
        at, last, part = base64.urlsafe_b64decode(cursor.encode()).decode().split("|")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or not 0 < int(last) < 2**63:
            raise ValueError("not one of ours")
        return moment, int(last), part
    except (ValueError, binascii.Error):
        raise InvalidInput(
            "bad_cursor", "take the cursor from the answer before this one", field="cursor"
        ) from None


def position(incident: Incident) -> tuple[float, float]:
    """Return longitude and latitude of an incident in the storage frame."""
    ((lon, lat),) = to_shape(incident.point).coords
    return float(lon), float(lat)


def receipt(session: Session, incident: Incident) -> Receipt:
    """Return what the reporter of an incident learns, wherever it lies: no more than that it is in hand."""
    whistles = session.scalars(
        select(Whistle).where(Whistle.incident_id == incident.id).order_by(Whistle.id)
    ).all()
    place = atlas.locate(
        session,
        incident.native_lon,
        incident.native_lat,
        incident.native_frame,
        accuracy_m=incident.accuracy_m,
        on=local_day(incident.received_at),
    )
    asked = incident.placement is Placement.CONFIRMED
    return Receipt(
        whistles, _clocks(session, incident.id), place.candidates, confirm=place.confirm and not asked
    )


def show_incident(session: Session, actor: Actor, number: str) -> CaseFile:
    """Return a whole case. Raises `NotFound` where it is missing or out of the actor's sight."""
    incident = session.scalar(select(Incident).where(Incident.number == number, incidents_in(actor.scope)))
    if incident is None:
        raise NotFound("incident_not_found", f"there is no incident {number} that you may see", number=number)
    whistles = session.scalars(
        select(Whistle).where(Whistle.incident_id == incident.id).order_by(Whistle.id)
    ).all()
    tasks = session.scalars(
        select(Task)
        .where(Task.incident_id == incident.id)
        .options(joinedload(Task.department))
        .order_by(Task.letter_number)
    ).all()
    whole = actor.department_id is None  # a department reads its own part, not the town's callbacks
    return CaseFile(
        incident=incident,
        category=_category(session, incident),
        whistles=whistles,
        tasks=tasks,
        scores=_scores(session, [task.id for task in tasks]),
        clocks=_clocks(session, incident.id),
        trace=trace.of_incident(session, incident.id),
        callbacks=_rows(session, Callback, incident.id) if whole else (),
        reporters=_rows(session, Reporter, incident.id) if actor.role in _CALLERS else (),
        actions=actions(actor, incident, whistles, tasks),
    )


# reporters are shown to those who take calls and make them, and to nobody who handles the case
_CALLERS = frozenset({Role.HOTLINE_DESK, Role.CALLBACK_OFFICER})


def _rows(session: Session, table: type[Any], incident_id: int) -> Sequence[Any]:
    return session.scalars(select(table).where(table.incident_id == incident_id).order_by(table.id)).all()


def _category(session: Session, incident: Incident) -> Category | None:
    return session.get(Category, incident.category_code) if incident.category_code else None


def _clocks(session: Session, incident_id: int) -> Sequence[Deadline]:
    return session.scalars(
        select(Deadline)
        .where(Deadline.incident_id == incident_id, Deadline.settled_at.is_(None))
        .order_by(Deadline.due_at)
    ).all()


def _scores(session: Session, task_ids: Sequence[int]) -> dict[int, Score]:
    rows = session.scalars(select(Score).where(Score.task_id.in_(task_ids)).order_by(Score.version_no))
    return {score.task_id: score for score in rows}


def show_whistle(session: Session, actor: Actor, number: str) -> WhistleFile:
    """Return a whistle with its tasks. Raises `NotFound` where it is missing or out of sight."""
    found = session.execute(
        select(Whistle, Incident)
        .join(Incident, Incident.id == Whistle.incident_id)
        .where(Whistle.number == number, whistles_in(actor.scope))
    ).first()
    if found is None:
        raise NotFound("whistle_not_found", f"there is no whistle {number} that you may see", number=number)
    whistle, incident = found
    tasks = tasks_of(session, whistle.id)
    steps = [
        step
        for step in trace.of_incident(session, incident.id)
        if step.subject.startswith(whistle.number) or step.payload.get("whistle") == whistle.number
    ]
    return WhistleFile(
        whistle=whistle,
        incident=incident,
        category=_category(session, incident),
        tasks=tasks,
        scores=_scores(session, [task.id for task in tasks]),
        clocks=[clock for clock in _clocks(session, incident.id) if clock.whistle_id == whistle.id],
        trace=steps,
        actions=actions(actor, incident, [whistle], tasks),
    )


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
        at, last, _ = _read_cursor(cursor)
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
        at, last, part = _read_cursor(cursor)
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
    beside: dict[int, list[Task]] = {}  # a lead completes last: what it may do hangs on the other parts
    for other in session.scalars(select(Task).where(Task.whistle_id.in_({row[1].id for row in rows}))):
        beside.setdefault(other.whistle_id, []).append(other)
    return [
        TaskRow(
            task,
            whistle,
            incident,
            category,
            tuple(
                act
                for act in actions(actor, incident, [whistle], beside[whistle.id])
                if act.machine != TASK.name or _on_task(act, task.id)
            ),
        )
        for task, whistle, incident, category in rows
    ]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def show_task(session: Session, actor: Actor, task_id: int) -> TaskRow:
    """Return one task. Raises `NotFound` where it is missing or out of sight."""
    found = session.execute(
        select(Task, Whistle, Incident)
        .join(Whistle, Whistle.id == Task.whistle_id)
        .join(Incident, Incident.id == Task.incident_id)
        .where(Task.id == task_id, tasks_in(actor.scope))
        .options(joinedload(Task.department))
    ).first()
    if found is None:
        raise NotFound("task_not_found", f"there is no task {task_id} that you may see", id=task_id)
    task, whistle, incident = found
    others = tasks_of(session, whistle.id)
    mine = [one for one in actions(actor, incident, [whistle], others) if _on_task(one, task_id)]
    scores = _scores(session, [task_id])
    return TaskRow(task, whistle, incident, _category(session, incident), tuple(mine), scores.get(task_id))


def _on_task(action: Action, task_id: int) -> bool:
    return action.machine == TASK.name and action.key == str(task_id)
