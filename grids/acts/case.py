"""A locked case: the one place that changes states, and what every change writes with it.

Whoever opens a case holds the lock on its incident row until the transaction ends. Locks are always taken
in the order incident, whistle, task, so that use cases wait for each other and never deadlock. A change of
state, its trace row, its clocks and its messages belong to one transaction; nothing here commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, joinedload

from gis.errors import NotFound
from grids import calendars, directory, outbox, trace
from grids.rules.calendar import WorkCalendar, local_day
from grids.rules.deadlines import DeadlineKind, Outcome
from grids.rules.lifecycle import INCIDENT
from grids.rules.limits import Limit, due
from grids.rules.machine import Machine
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.rules.tasks import TASK
from grids.rules.whistles import WHISTLE, WhistleLevel
from grids.scope import incidents_in, tasks_in, whistles_in
from grids.tables import Deadline, Incident, NumberSeries, Task, Whistle

__all__ = ["Case", "next_number"]

_T = TypeVar("_T", Whistle, Task)


def next_number(session: Session, series: str) -> int:
    """Return the next number of a series, from 1; the series stays locked until the transaction ends."""
    statement = (
        insert(NumberSeries)
        .values(name=series, last=1)
        .on_conflict_do_update(index_elements=["name"], set_={"last": NumberSeries.last + 1})
        .returning(NumberSeries.last)
    )
    return session.execute(statement).scalar_one()


def _table(thing: Incident | Whistle | Task) -> tuple[Machine[Any], str, int | None]:
    if isinstance(thing, Incident):
        return INCIDENT, thing.number, None
    if isinstance(thing, Whistle):
        return WHISTLE, thing.number, thing.level
    return TASK, thing.letter_number, None


@dataclass
class Case:
    """An incident under lock, the person who acts on it, and the moment at which they do."""

    session: Session
    incident: Incident
    actor: Actor
    now: datetime

    @classmethod
    def open(cls, session: Session, number: str, actor: Actor, now: datetime) -> Case:
        """Lock an incident by its number. Raises `NotFound` where it is missing or out of the actor's sight."""
        return cls._lock(session, actor, now, Incident.number == number, f"incident {number}")

    @classmethod
    def open_by_id(cls, session: Session, incident_id: int, actor: Actor, now: datetime) -> Case:
        """Lock an incident by its id, as the sweeper does."""
        return cls._lock(session, actor, now, Incident.id == incident_id, "this incident")

    @classmethod
    def of_whistle(cls, session: Session, number: str, actor: Actor, now: datetime) -> tuple[Case, Whistle]:
        """Lock the case of a whistle and return both."""
        found = session.execute(
            select(Whistle.id, Whistle.incident_id)
            .join(Incident, Incident.id == Whistle.incident_id)
            .where(Whistle.number == number, whistles_in(actor.scope))
        ).first()
        if found is None:
            raise NotFound(
                "whistle_not_found", f"there is no whistle {number} that you may see", number=number
            )
        case = cls.open_by_id(session, found.incident_id, actor, now)
        return case, case._fresh(Whistle, found.id)

    @classmethod
    def of_task(
        cls, session: Session, task_id: int, actor: Actor, now: datetime
    ) -> tuple[Case, Whistle, Task]:
        """Lock the case of a department's task and return it with its whistle."""
        found = session.execute(
            select(Task.id, Task.whistle_id, Task.incident_id)
            .join(Incident, Incident.id == Task.incident_id)
            .where(Task.id == task_id, tasks_in(actor.scope))
        ).first()
        if found is None:
            raise NotFound("task_not_found", f"there is no task {task_id} that you may see", id=task_id)
        case = cls.open_by_id(session, found.incident_id, actor, now)
        return case, case._fresh(Whistle, found.whistle_id), case._fresh(Task, found.id)

    @classmethod
    def _lock(
        cls, session: Session, actor: Actor, now: datetime, condition: ColumnElement[bool], what: str
    ) -> Case:
        incident = session.scalar(
            select(Incident)
            .where(condition, incidents_in(actor.scope))
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        if incident is None:
            raise NotFound("incident_not_found", f"there is no {what} that you may see")
        return cls(session, incident, actor, now)

    def _fresh(self, table: type[_T], row_id: int) -> _T:
        # read again under the lock: what was seen before it may have changed meanwhile
        options = (joinedload(Task.department),) if table is Task else ()
        return self.session.get_one(table, row_id, populate_existing=True, options=options)

    # -- what a change needs to know

    @cached_property
    def calendar(self) -> WorkCalendar:
        """Return the working calendar around now."""
        return calendars.around(self.session, self.now)

    @property
    def today(self) -> date:
        """Return the day in the city."""
        return local_day(self.now)

    def whistle_at(self, level: WhistleLevel) -> Whistle | None:
        """Return the running or last whistle of a level in this round."""
        return self.session.scalar(
            select(Whistle)
            .where(
                Whistle.incident_id == self.incident.id,
                Whistle.level == level,
                Whistle.round == self.incident.round,
            )
            .order_by(Whistle.id.desc())
            .limit(1)
        )

    def handle_by(self) -> datetime | None:
        """Return when handling is due in this round: the first by its own limit, a later one by its second."""
        latest = (
            select(Deadline.due_at)
            .where(
                Deadline.incident_id == self.incident.id,
                Deadline.kind == DeadlineKind.HANDLE,
                Deadline.round == self.incident.round,
            )
            .order_by(Deadline.id.desc())
            .limit(1)
        )
        return self.session.scalar(latest) or self.incident.due_at

    # -- changes

    def move(
        self,
        thing: Incident | Whistle | Task,
        action: str,
        payload: Mapping[str, Any] | None = None,
        *,
        by: Actor | None = None,
    ) -> None:
        """Take a thing to the state that its table gives for this act, and write it down.

        `by` is `SYSTEM` for what follows by itself; else the case's actor. Raises `Conflict` or `Forbidden`
        as the table says, before anything is written.
        """
        actor = by or self.actor
        machine, subject, level = _table(thing)
        before = thing.status
        step = machine.decide(before, action, actor.role, level=level)
        thing.status = step.target
        self._write(machine.name, subject, step.row, action, before.value, step.target.value, payload, actor)

    def begun(
        self,
        thing: Incident | Whistle | Task,
        action: str,
        payload: Mapping[str, Any] | None = None,
        *,
        by: Actor | None = None,
    ) -> None:
        """Write down that a new thing was made in its first state."""
        actor = by or self.actor
        self.session.flush()
        machine, subject, level = _table(thing)
        step = machine.decide(None, action, actor.role, level=level)
        self._write(machine.name, subject, step.row, action, None, thing.status.value, payload, actor)

    def note(self, action: str, row: str, payload: Mapping[str, Any], *, by: Actor = SYSTEM) -> None:
        """Write down something that changes no state, such as a clock that ran out."""
        status = self.incident.status.value
        self._write(INCIDENT.name, self.incident.number, row, action, status, status, payload, by)

    def _write(
        self,
        machine: str,
        subject: str,
        row: str,
        action: str,
        before: str | None,
        after: str,
        payload: Mapping[str, Any] | None,
        actor: Actor,
    ) -> None:
        trace.append(
            self.session,
            self.incident,
            actor=actor,
            at=self.now,
            machine=machine,
            subject=subject,
            row=row,
            action=action,
            from_state=before,
            to_state=after,
            payload=payload,
        )

    def explain(self, *entries: dict[str, Any]) -> None:
        """Add to why the case goes as it does (`grids.rules.explanation`); what stands there stays."""
        self.incident.explanation = [*(self.incident.explanation or ()), *entries]

    # -- clocks

    def start_clock(
        self,
        kind: DeadlineKind,
        limit: Limit | None = None,
        *,
        due_at: datetime | None = None,
        whistle: Whistle | None = None,
        task: Task | None = None,
    ) -> datetime:
        """Start a clock by its limit from now, or to a given moment; return when it runs out."""
        if due_at is None:
            if limit is None:
                raise TypeError("a clock needs a limit or a moment")
            due_at = due(self.now, limit, self.calendar)
        self.session.flush()
        self.session.add(
            Deadline(
                incident_id=self.incident.id,
                whistle_id=whistle.id if whistle else None,
                task_id=task.id if task else None,
                kind=kind,
                round=self.incident.round,
                started_at=self.now,
                due_at=due_at,
            )
        )
        return due_at

    def stop_clock(
        self,
        *kinds: DeadlineKind,
        whistle: Whistle | None = None,
        task: Task | None = None,
        void: bool = False,
    ) -> None:
        """Settle running clocks: met when now is not after the due moment, else missed; or void.

        A clock is on time exactly when the act arrived at or before its due moment, whether or not the
        sweeper has looked meanwhile: both hold the lock on the incident, and an act that waited for the
        sweeper settles what that has just fired.
        """
        conditions = [
            Deadline.incident_id == self.incident.id,
            or_(
                Deadline.settled_at.is_(None), Deadline.fired_at.is_not(None) & (Deadline.due_at >= self.now)
            ),
            Deadline.kind.in_(kinds),
        ]
        if whistle is not None:
            conditions.append(Deadline.whistle_id == whistle.id)
        if task is not None:
            conditions.append(Deadline.task_id == task.id)
        for clock in self.session.scalars(select(Deadline).where(*conditions)):
            in_time = Outcome.MET if self.now <= clock.due_at else Outcome.MISSED
            self.settle(clock, Outcome.VOID if void else in_time)

    def settle(self, clock: Deadline, outcome: Outcome) -> None:
        """End a clock; a case or a part that is found late carries the mark for good, whoever found it."""
        clock.settled_at, clock.outcome = self.now, outcome
        owner: Incident | Task | None = None
        if clock.kind is DeadlineKind.HANDLE:
            owner = self.incident
        elif clock.kind is DeadlineKind.COMPLETE:
            owner = self.session.get_one(Task, clock.task_id)
        if owner is None:
            return
        if outcome is Outcome.MISSED:
            owner.first_overdue_at = owner.first_overdue_at or clock.due_at
        elif owner.first_overdue_at == clock.due_at:
            owner.first_overdue_at = None  # the sweeper looked before an act that had come in time
        if owner is self.incident:
            # the mark stays where it arose, whatever becomes of the grid
            late = owner.first_overdue_at is not None
            self.incident.overdue_grid_code = (
                (self.incident.overdue_grid_code or self.incident.grid_code) if late else None
            )

    # -- messages

    def tell(self, roles: Iterable[Role], template: str, **facts: Any) -> int:
        """Message everyone on duty who holds one of these roles for the incident's place.

        Returns how many people were reached; 0 means that the post is empty.
        """
        people = directory.on_duty(self.session, roles, self.incident.grid_code)
        return self.tell_people((person.id for person in people), template, **facts)

    def tell_department(self, department_id: int, template: str, **facts: Any) -> int:
        """Message a department's people on duty."""
        people = directory.department_duty(self.session, department_id)
        return self.tell_people((person.id for person in people), template, **facts)

    def tell_people(self, person_ids: Iterable[int], template: str, **facts: Any) -> int:
        """Message these people about the incident."""
        reached = set(person_ids)
        outbox.post(
            self.session,
            reached,
            template,
            {"number": self.incident.number, **facts},
            incident_id=self.incident.id,
            now=self.now,
        )
        return len(reached)
