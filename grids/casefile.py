"""One case, whistle or task as one person may see it: what is on record, what runs, what they may do now.

What lies outside the reader's scope answers like what does not exist.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from geoalchemy2.shape import to_shape
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from gis.errors import NotFound
from grids import atlas, trace
from grids.acts import intake, presence, scores, together
from grids.acts.callbacks import to_call
from grids.acts.ladder import tasks_of
from grids.acts.reporters import belonging, merged_into
from grids.acts.scores import Marks
from grids.offers import Action, actions
from grids.rules.calendar import local_day
from grids.rules.duplicates import Proposal
from grids.rules.permissions import Actor, Role
from grids.rules.reading import Reader, is_readable
from grids.rules.tasks import TASK, TaskRole
from grids.scope import incidents_in, tasks_in, whistles_in
from grids.standing import Standing, standings
from grids.tables import (
    Attendance,
    Callback,
    Category,
    Deadline,
    Extension,
    Incident,
    JointAction,
    LedgerItem,
    Placement,
    Reporter,
    ReturnRequest,
    Suspension,
    Task,
    Trace,
    Whistle,
)

__all__ = [
    "STEPS",
    "CaseFile",
    "Receipt",
    "TaskRow",
    "WhistleFile",
    "extensions_of",
    "on_task",
    "position",
    "receipt",
    "returns_of",
    "show_incident",
    "show_task",
    "show_whistle",
]


STEPS = 100
"""How many steps of a history are loaded at a time."""


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
    """A whole case, as one person may see it.

    merged : the reports that were joined to it, and to those. master : the case that it was joined to itself, where
    the reader may see that. to_call : who waits for a call, for those who make it. proposals : the cases that
    it may be about, for those who may join it to one. suspensions, ledger : what let it wait, the last one last.
    extensions : by task, what more time was asked for. earlier : the seq before which older steps stand, None where
    `trace` begins with the first.
    """

    incident: Incident
    category: Category | None
    whistles: Sequence[Whistle]
    tasks: Sequence[Task]
    marks: Mapping[int, Marks]
    clocks: Sequence[Deadline]
    trace: Sequence[Trace]
    callbacks: Sequence[Callback]
    reporters: Sequence[Reporter]
    actions: tuple[Action, ...]
    standing: Standing
    merged: Sequence[Incident] = ()
    master: Incident | None = None
    to_call: Sequence[Reporter] = ()
    proposals: Sequence[Proposal] = ()
    suspensions: Sequence[Suspension] = ()
    ledger: Sequence[LedgerItem] = ()
    extensions: Mapping[int, Sequence[Extension]] = field(default_factory=dict)
    returns: Mapping[int, Sequence[ReturnRequest]] = field(default_factory=dict)
    earlier: int | None = None


@dataclass(frozen=True, slots=True)
class WhistleFile:
    """A whistle with its incident and the tasks under it."""

    whistle: Whistle
    incident: Incident
    category: Category | None
    tasks: Sequence[Task]
    marks: Mapping[int, Marks]
    clocks: Sequence[Deadline]
    trace: Sequence[Trace]
    actions: tuple[Action, ...]
    standing: Standing
    words: Mapping[int, Sequence[Attendance]] = field(default_factory=dict)
    action: JointAction | None = None
    extensions: Mapping[int, Sequence[Extension]] = field(default_factory=dict)
    returns: Mapping[int, Sequence[ReturnRequest]] = field(default_factory=dict)
    earlier: int | None = None


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A department's task with the whistle and the incident that it belongs to."""

    task: Task
    whistle: Whistle
    incident: Incident
    category: Category | None
    actions: tuple[Action, ...] = field(default=())
    marks: Marks = field(default=Marks())
    words: Sequence[Attendance] = ()
    extensions: Sequence[Extension] = ()
    returns: Sequence[ReturnRequest] = ()


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


def show_incident(
    session: Session,
    actor: Actor,
    number: str,
    *,
    now: datetime | None = None,
    steps: int | None = None,
    before: int | None = None,
) -> CaseFile:
    """Return a whole case. Raises `NotFound` where it is missing or out of the actor's sight.

    now : for acts that are offered for a time only. steps, before : how many steps of its history to load, and
    before which; by default all.
    """
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
    standing = standings(session, [incident.id])[incident.id]
    offered = actions(actor, incident, whistles, tasks, standing, now)
    whole = actor.department_id is None  # a department reads its own part, not the town's callbacks
    marks = scores.marks_of(session, actor, tasks)
    history, earlier = _history(session, actor, incident, tasks, marks, most=steps, before=before)
    return CaseFile(
        incident=incident,
        category=_category(session, incident),
        whistles=whistles,
        tasks=tasks,
        marks=marks,
        clocks=_clocks(session, incident.id),
        trace=history,
        earlier=earlier,
        callbacks=_rows(session, Callback, incident.id) if whole else (),
        reporters=_reporters(session, incident.id) if actor.role in _CALLERS else (),
        actions=offered,
        standing=standing,
        merged=merged_into(session, incident.id) if standing.joined else (),
        master=_master(session, actor, incident),
        to_call=to_call(session, incident) if any(act.action == "callback" for act in offered) else (),
        proposals=(
            intake.proposals(session, incident, actor.scope)
            if any(act.action == "merge" for act in offered)
            else ()
        ),
        suspensions=_rows(session, Suspension, incident.id),
        ledger=_rows(session, LedgerItem, incident.id),
        extensions=extensions_of(session, [incident.id]),
        returns=returns_of(session, [incident.id]),
    )


def _reporters(session: Session, incident_id: int) -> Sequence[Reporter]:
    """Return everybody who reported a case, or a report that was merged into it."""
    return session.scalars(
        select(Reporter).where(Reporter.incident_id.in_(belonging(incident_id))).order_by(Reporter.id)
    ).all()


def _master(session: Session, actor: Actor, incident: Incident) -> Incident | None:
    if incident.master_id is None:
        return None
    return session.scalar(
        select(Incident).where(Incident.id == incident.master_id, incidents_in(actor.scope))
    )


# reporters are shown to those who take calls and make them, and to nobody who handles the case
_CALLERS = frozenset({Role.HOTLINE_DESK, Role.CALLBACK_OFFICER})


def _rows(session: Session, table: type[Any], incident_id: int) -> Sequence[Any]:
    return session.scalars(select(table).where(table.incident_id == incident_id).order_by(table.id)).all()


def extensions_of(session: Session, incident_ids: Collection[int]) -> dict[int, list[Extension]]:
    """Return what more time was asked for in these cases, by the id of the task, the first first."""
    found: dict[int, list[Extension]] = {}
    rows = select(Extension).where(Extension.incident_id.in_(incident_ids)).order_by(Extension.id)
    for row in session.scalars(rows):
        found.setdefault(row.task_id, []).append(row)
    return found


def returns_of(session: Session, incident_ids: Collection[int]) -> dict[int, list[ReturnRequest]]:
    """Return the requests to be rid of tasks in these cases, by the id of the task, the first first."""
    found: dict[int, list[ReturnRequest]] = {}
    rows = select(ReturnRequest).where(ReturnRequest.incident_id.in_(incident_ids)).order_by(ReturnRequest.id)
    for row in session.scalars(rows):
        found.setdefault(row.task_id, []).append(row)
    return found


def _category(session: Session, incident: Incident) -> Category | None:
    return session.get(Category, incident.category_code) if incident.category_code else None


def _clocks(session: Session, incident_id: int) -> Sequence[Deadline]:
    return session.scalars(
        select(Deadline)
        .where(Deadline.incident_id == incident_id, Deadline.settled_at.is_(None))
        .order_by(Deadline.due_at)
    ).all()


def show_whistle(
    session: Session,
    actor: Actor,
    number: str,
    *,
    now: datetime | None = None,
    steps: int | None = STEPS,
    before: int | None = None,
) -> WhistleFile:
    """Return a whistle with its tasks. Raises `NotFound` where it is missing or out of sight.

    now : for acts that may come too late; without it they are offered. steps, before : how many steps of its history
    to load (None: all), and before which.
    """
    found = session.execute(
        select(Whistle, Incident)
        .join(Incident, Incident.id == Whistle.incident_id)
        .where(Whistle.number == number, whistles_in(actor.scope))
    ).first()
    if found is None:
        raise NotFound("whistle_not_found", f"there is no whistle {number} that you may see", number=number)
    whistle, incident = found
    tasks = tasks_of(session, whistle.id)
    standing = standings(session, [incident.id])[incident.id]
    marks = scores.marks_of(session, actor, tasks)
    history, earlier = _history(
        session, actor, incident, tasks, marks, most=steps, before=before, whistle=whistle.number
    )
    return WhistleFile(
        whistle=whistle,
        incident=incident,
        category=_category(session, incident),
        tasks=tasks,
        marks=marks,
        clocks=[clock for clock in _clocks(session, incident.id) if clock.whistle_id == whistle.id],
        trace=history,
        earlier=earlier,
        actions=actions(actor, incident, [whistle], tasks, standing, now),
        standing=standing,
        words=presence.attendances(session, [task.id for task in tasks]),
        action=together.action_of(session, whistle.id),
        extensions=extensions_of(session, [incident.id]),
        returns=returns_of(session, [incident.id]),
    )


def _history(
    session: Session,
    actor: Actor,
    incident: Incident,
    tasks: Sequence[Task],
    marks: Mapping[int, Marks],
    *,
    most: int | None,
    before: int | None,
    whistle: str | None = None,
) -> tuple[Sequence[Trace], int | None]:
    """Return the last steps of a case (or whistle) that this person may read, in order; and where older ones stand."""
    own = [task for task in tasks if task.department_id == actor.department_id]
    leads = {task.whistle_id for task in own if task.role is TaskRole.LEAD}
    reader = Reader(
        own={task.letter_number for task in own},
        marked={task.letter_number for task in own if marks[task.id].versions},
        led={task.letter_number for task in tasks if task.whistle_id in leads},
    )

    def readable(step: Trace) -> bool:
        return actor.department_id is None or is_readable(
            reader,
            machine=step.machine,
            action=step.action,
            letter=step.subject if step.machine == TASK.name else step.payload.get("letter"),
        )

    wanted = incident.trace_seq if most is None else most
    found: list[Trace] = []
    while len(found) <= wanted:  # one more than is shown tells that there are older ones
        block = trace.latest(session, incident.id, before=before, whistle=whistle, limit=wanted + 1)
        found += filter(readable, block)
        if len(block) <= wanted:
            break
        before = block[-1].seq
    shown = found[wanted - 1 :: -1] if len(found) > wanted else found[::-1]
    return shown, shown[0].seq if len(found) > wanted else None


def show_task(session: Session, actor: Actor, task_id: int, *, now: datetime | None = None) -> TaskRow:
    """Return one task. Raises `NotFound` where it is missing or out of sight. now : as for `show_whistle`."""
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
    standing = standings(session, [incident.id])[incident.id]
    offered = actions(actor, incident, [whistle], others, standing, now)
    mine = [one for one in offered if on_task(one, task_id)]
    marks = scores.marks_of(session, actor, others)[task_id]
    words = presence.attendances(session, [task_id])[task_id]
    more = extensions_of(session, [incident.id]).get(task_id, ())
    back = returns_of(session, [incident.id]).get(task_id, ())
    category = _category(session, incident)
    return TaskRow(task, whistle, incident, category, tuple(mine), marks, words, more, back)


def on_task(action: Action, task_id: int) -> bool:
    """Tell whether an act is on this task."""
    return action.machine == TASK.name and action.key == str(task_id)
