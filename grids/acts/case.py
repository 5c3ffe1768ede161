"""A locked case: the one place that changes states, and what every change writes with it.

Whoever opens a case holds the lock on its incident row until the transaction ends. Locks are always taken
in the order incident, whistle, task, so that use cases wait for each other and never deadlock. A change of
state, its trace row, its clocks and its messages belong to one transaction; nothing here commits.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session, aliased, joinedload

from gis.errors import Conflict, InvalidInput, NotFound
from grids import calendars, directory, limits, outbox, trace
from grids.acts.lapsing import lapse
from grids.batch import Batch
from grids.numbers import next_number
from grids.rules.calendar import WorkCalendar, local_day
from grids.rules.deadlines import DeadlineKind, Outcome
from grids.rules.disputes import DISPUTE
from grids.rules.lifecycle import INCIDENT
from grids.rules.limits import Limit, due
from grids.rules.machine import Machine
from grids.rules.pauses import HELD, STANDS_STILL, WAITING, ClockMove
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.rules.profiles import LimitProfile
from grids.rules.tasks import TASK
from grids.rules.whistles import WHISTLE, WhistleLevel
from grids.scope import disputes_in, incidents_in, tasks_in, whistles_in
from grids.tables import Deadline, Dispute, Incident, Slip, Task, Whistle

__all__ = ["STANDING", "Case", "Thing", "next_number", "said"]

_T = TypeVar("_T", Whistle, Task, Dispute)
_Made = TypeVar("_Made")
_Next = aliased(Deadline)

STANDING: ColumnElement[bool] = (Deadline.outcome == Outcome.MOVED) & ~(
    select(_Next.id).where(_Next.replaces_id == Deadline.id).exists()
)
"""The condition of a clock that stands still: it was stopped, and none took its place yet."""

# the rows of the reference under which clocks are moved
_MOVED_BY = {
    ClockMove.SUSPENSION: "I8",
    ClockMove.LEDGER: "I13",
    ClockMove.EXTENSION: "T9",
    ClockMove.REGRADE: "I7",
}

Thing = Incident | Whistle | Task | Dispute
"""What has a state machine of its own."""


def said(text: str, field: str, what: str) -> None:
    """Raise `InvalidInput` ("text_needed") when a required text is empty."""
    if not text.strip():
        raise InvalidInput("text_needed", f"{field} is empty: {what}", field=field)


def _table(thing: Thing) -> tuple[Machine[Any], str, int | None]:
    if isinstance(thing, Incident):
        return INCIDENT, thing.number, None
    if isinstance(thing, Whistle):
        return WHISTLE, thing.number, thing.level
    if isinstance(thing, Dispute):
        return DISPUTE, thing.number, None
    return TASK, thing.letter_number, None


@dataclass
class Case:
    """An incident under lock, the person who acts on it, and the moment at which they do.

    batch : the round of the sweeper that fires this case among others; None for an act by itself.
    gathers : its steps and new clocks are gathered by the round and written with those of the others.
    """

    session: Session
    incident: Incident
    actor: Actor
    now: datetime
    batch: Batch | None = None
    gathers: bool = False

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
        seen = select(Task.id).join(Incident, Incident.id == Task.incident_id).where(tasks_in(actor.scope))
        return cls._of_task(session, task_id, Task.id.in_(seen.where(Task.id == task_id)), actor, now)

    @classmethod
    def of_task_beside(
        cls, session: Session, task_id: int, actor: Actor, now: datetime
    ) -> tuple[Case, Whistle, Task]:
        """Lock the case of a task that lies under the same whistle as one of the actor's own department."""
        mine = aliased(Task)
        beside = select(mine.whistle_id).where(mine.department_id == actor.department_id)
        return cls._of_task(session, task_id, Task.whistle_id.in_(beside), actor, now)

    @classmethod
    def _of_task(
        cls, session: Session, task_id: int, seen: ColumnElement[bool], actor: Actor, now: datetime
    ) -> tuple[Case, Whistle, Task]:
        found = session.execute(
            select(Task.id, Task.whistle_id, Task.incident_id).where(Task.id == task_id, seen)
        ).first()
        if found is None:
            raise NotFound("task_not_found", f"there is no task {task_id} that you may see", id=task_id)
        case = cls.open_by_id(session, found.incident_id, actor, now)
        return case, case._fresh(Whistle, found.whistle_id), case._fresh(Task, found.id)

    @classmethod
    def of_dispute(cls, session: Session, number: str, actor: Actor, now: datetime) -> tuple[Case, Dispute]:
        """Lock the case of a dispute and return both; a party sees it that holds no task in the case."""
        found = session.execute(
            select(Dispute.id, Dispute.incident_id).where(Dispute.number == number, disputes_in(actor.scope))
        ).first()
        if found is None:
            what = f"there is no dispute {number} that you may see"
            raise NotFound("dispute_not_found", what, number=number)
        case = cls.open_by_id(session, found.incident_id, SYSTEM, now)
        case.actor = actor
        return case, case._fresh(Dispute, found.id)

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
        return self.batch.calendar if self.batch else calendars.around(self.session, self.now)

    @cached_property
    def at(self) -> datetime:
        """Return the moment that steps written now carry: never before that of the step before.

        An act counts from when it arrived (`now`), but may have waited for another that arrived later.
        """
        head = (self.incident.id, self.incident.trace_seq)
        known = self.batch.last_at if self.batch else trace.last_at(self.session, [head] if head[1] else [])
        return max(self.now, known.get(head[0], self.now))

    @cached_property
    def rules(self) -> LimitProfile:
        """Return the limits of this case: those that it began with; before that, those in force today."""
        kept = (self.incident.limits or {}).get("profile")
        day = local_day(self.incident.accepted_at or self.now)
        key = repr(kept) if kept else (self.incident.grid_code[:6], day)
        return self.once(key, lambda: limits.of_case(self.session, self.incident, self.now))

    def once(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """Return what `make` returns; a round of the sweeper makes it once for all its cases with this key."""
        return self.batch.once(key, make) if self.batch else make()

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

    @property
    def waits(self) -> bool:
        """Whether the case is suspended or on the ledger: nothing is worked on, its clocks of work stand still."""
        return self.incident.status in WAITING

    def handle_by(self) -> datetime | None:
        """Return when handling is due in this round, as it is judged (`due_effective`).

        The first round is due by its own limit, a later one by its second; both moved by approved extensions and by
        the time in which the case stood still. `incident.due_at` keeps the first promise.
        """
        clock = self._handling()
        return clock.due_at if clock is not None else self.incident.due_at

    def handle_limit(self) -> Limit | None:
        """Return the limit by which handling is counted in this round, None where no clock says."""
        clock = self._handling()
        return Limit.from_json(clock.limit) if clock is not None and clock.limit else None

    def _handling(self) -> Deadline | None:
        return self.session.scalar(
            select(Deadline)
            .where(
                Deadline.incident_id == self.incident.id,
                Deadline.kind == DeadlineKind.HANDLE,
                Deadline.round == self.incident.round,
            )
            .order_by(Deadline.id.desc())
            .limit(1)
        )

    def limit(self, kind: DeadlineKind) -> Limit:
        """Return how long a clock of this kind runs for this case, by the rules that the case began with."""
        return self.rules.limit(kind, self.incident.grade)

    # -- changes

    def move(
        self,
        thing: Thing,
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
        if self.waits and actor.role is not Role.SYSTEM and action in HELD.get(machine.name, ()):
            raise Conflict(
                "case_waits",
                f"the case is {self.incident.status}: nothing is worked on until it goes on",
                state=self.incident.status,
                action=action,
            )
        thing.status = step.target
        lapse(self, thing, before)
        self._write(machine.name, subject, step.row, action, before.value, step.target.value, payload, actor)

    def begun(
        self,
        thing: Thing,
        action: str,
        payload: Mapping[str, Any] | None = None,
        *,
        by: Actor | None = None,
    ) -> None:
        """Write down that a new thing was made in its first state."""
        actor = by or self.actor
        if self.batch is None or not self.gathers:
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
        if self.at > self.now:
            payload = {**(payload or {}), "received_at": self.now}
        step: dict[str, Any] = {
            "actor": actor,
            "at": self.at,
            "machine": machine,
            "subject": subject,
            "row": row,
            "action": action,
            "from_state": before,
            "to_state": after,
            "payload": payload,
        }
        if self.batch is not None and self.gathers:
            self.batch.steps.append(trace.next_step(self.incident, **step))
        else:
            trace.append(self.session, self.incident, **step)

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
        """Start a clock by its limit from now, or to a given moment; return when it runs out.

        limit : that of the kind, where neither is given. With a moment, the limit that it was counted by. In a case
        that waits a clock of work stands still from the first: it runs from when the case goes on.
        """
        if due_at is None:
            limit = limit or self.limit(kind)
            due_at = due(self.now, limit, self.calendar)
        # what it belongs to needs an id, and a clock of its kind that it follows has to end before it begins
        if self.batch is None or not self.gathers:
            self.session.flush()
        stands = self.waits and kind in STANDS_STILL
        if kind is DeadlineKind.HANDLE:
            self.incident.due_effective = due_at
        clock = Deadline(
            incident_id=self.incident.id,
            whistle_id=whistle.id if whistle else None,
            task_id=task.id if task else None,
            kind=kind,
            round=self.incident.round,
            limit=limit.to_json() if limit else None,
            started_at=self.now,
            due_at=due_at,
            settled_at=self.now if stands else None,
            outcome=Outcome.MOVED if stands else None,
        )
        self.put(clock)
        return due_at

    def put(self, row: Deadline | Slip) -> None:
        """Put a new row on record; in a round of the sweeper it is written with those of the other cases."""
        if self.batch is not None and self.gathers:
            self.batch.gather(row)
        else:
            self.session.add(row)

    def stop_clock(
        self,
        *kinds: DeadlineKind,
        whistle: Whistle | None = None,
        task: Task | None = None,
        own: bool = False,
        void: bool = False,
    ) -> None:
        """Settle running clocks: met when now is not after the due moment, else missed; or void.

        own : only those of the case itself, and of none of its parts.

        A clock is on time exactly when the act arrived at or before its due moment, whether or not the
        sweeper has looked meanwhile: both hold the lock on the incident, and an act that waited for the
        sweeper settles what that has just fired. A clock that stands still is met: it had not run out.
        """
        live: list[ColumnElement[bool]] = [
            Deadline.settled_at.is_(None),
            Deadline.fired_at.is_not(None) & (Deadline.due_at >= self.now),
        ]
        if self.waits:
            live.append(STANDING)
        conditions = [Deadline.incident_id == self.incident.id, or_(*live), Deadline.kind.in_(kinds)]
        if whistle is not None:
            conditions.append(Deadline.whistle_id == whistle.id)
        if task is not None:
            conditions.append(Deadline.task_id == task.id)
        elif own:
            conditions.append(Deadline.task_id.is_(None))
        for clock in self.session.scalars(select(Deadline).where(*conditions)):
            stood = clock.outcome is Outcome.MOVED
            in_time = Outcome.MET if stood or self.now <= clock.due_at else Outcome.MISSED
            self.settle(clock, Outcome.VOID if void else in_time)

    def move_clock(self, clock: Deadline, due_at: datetime, because: ClockMove) -> Deadline:
        """End a clock and put another in its place that runs out at another moment; write it down; return that.

        A row's due moment never changes: what was due when, and why no more, stays to be read.
        """
        if clock.outcome is not Outcome.MOVED:
            self.settle(clock, Outcome.MOVED)
            self.session.flush()
        new = Deadline(
            incident_id=clock.incident_id,
            whistle_id=clock.whistle_id,
            task_id=clock.task_id,
            kind=clock.kind,
            round=clock.round,
            limit=clock.limit,
            because=because,
            replaces_id=clock.id,
            started_at=clock.started_at,
            due_at=due_at,
        )
        self.session.add(new)
        self.session.flush()
        if clock.kind is DeadlineKind.HANDLE:
            self.incident.due_effective = due_at
        self.moved(clock.kind, clock.due_at, due_at, because, self.session.get(Task, clock.task_id or 0))
        return new

    def moved(
        self, kind: DeadlineKind, before: datetime, after: datetime, because: ClockMove, task: Task | None
    ) -> None:
        """Write down that a due moment is another one, and why: none ever changes silently."""
        facts = {
            "clock": kind.value,
            "due_before": before,
            "due_at": after,
            "clock_move": because.value,
            "letter": task.letter_number if task is not None else None,
        }
        self.note("clock_moved", _MOVED_BY[because], facts)

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
        return self.tell_people(self.on_duty(roles), template, **facts)

    def tell_department(self, department_id: int, template: str, **facts: Any) -> int:
        """Message a department's people on duty."""
        return self.tell_people(self.department_duty(department_id), template, **facts)

    def on_duty(self, roles: Iterable[Role]) -> list[int]:
        """Return the ids of those who keep a post in these roles for the incident's place, nearest first."""
        if self.batch is not None:
            return self.batch.on_duty(roles, self.incident.grid_code)
        return [one.id for one in directory.on_duty(self.session, roles, self.incident.grid_code, self.now)]

    def department_duty(self, department_id: int) -> list[int]:
        """Return the ids of those who keep a department's duty."""
        if self.batch is not None:
            return self.batch.department_duty(department_id)
        return [one.id for one in directory.department_duty(self.session, department_id, self.now)]

    def tell_people(self, person_ids: Iterable[int], template: str, **facts: Any) -> int:
        """Message these people about the incident."""
        reached = set(person_ids)
        facts = {"number": self.incident.number, **facts}
        if self.batch is not None:
            self.batch.post(reached, template, facts, incident_id=self.incident.id)
        else:
            outbox.post(self.session, reached, template, facts, incident_id=self.incident.id, now=self.now)
        return len(reached)
