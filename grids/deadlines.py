"""Fire what is due, exactly once, however many workers run and whenever one is killed.

A worker takes due clocks in order, locking the incident of each and skipping incidents that somebody holds.
A clock's effect, the state change, the trace and the messages are one transaction, and firing settles the
clock: what a killed worker had not committed, the next one does.

A round reads and writes for all its cases at once. Where nothing happens but that a clock ends, is written down
and told of, the rows are copied in together; where a state changes the case is worked on as by a person's act.
A clock that cannot fire is set aside with its reason and tried again after `RETRY`: it holds up nobody.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.orm import Session, joinedload
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.orm.util import identity_key

from gis.errors import CityError, Conflict, Unavailable
from grids import trace
from grids.acts import effects
from grids.acts.case import Case
from grids.batch import Batch
from grids.numbers import NUMBERS, take_turns
from grids.rules.deadlines import RULES, Outcome
from grids.rules.permissions import SYSTEM, Role
from grids.tables import Deadline, Incident, NumberSeries, Task, Whistle

__all__ = ["GRACE", "RETRY", "Fired", "fire_due", "next_due"]

GRACE = timedelta(seconds=1)
"""How long after its due moment a clock fires: an act that arrived in time has then reached its case."""

RETRY = timedelta(seconds=60)
"""How long a clock that could not fire is left alone."""


@dataclass
class Fired:
    """What one round did: clocks that fired, and those that could not, with the reason.

    claimed : clocks that it took up; 0 when nothing was left that nobody else held.
    held_seconds : how long the incidents were locked, up to the commit.
    """

    fired: int = 0
    stuck: dict[int, CityError] = field(default_factory=dict)
    claimed: int = 0
    held_seconds: float = 0.0


def fire_due(session: Session, now: datetime, *, limit: int = 100, grace: timedelta = GRACE) -> Fired:
    """Fire up to `limit` clocks that ran out `grace` or more before `now`, earliest first.

    With a clock all others of its incident that are due fire too. The caller commits. A clock that cannot fire
    (its effect needs a calendar year that nobody loaded, say) is reported as stuck and left running.
    """
    begun = time.perf_counter()
    claimed = session.execute(
        select(Deadline.id, Deadline.incident_id)
        .join(Incident, Incident.id == Deadline.incident_id)
        .where(*_due(now, grace))
        .order_by(Deadline.due_at, Deadline.id)
        .limit(limit)
        .with_for_update(of=Incident, skip_locked=True)
    ).all()
    done = Fired(claimed=len(claimed))
    if claimed:
        # read anew under the lock: another worker may have fired some meanwhile
        clocks = session.execute(
            select(*_CLOCK)
            .outerjoin(Whistle, Whistle.id == Deadline.whistle_id)
            .outerjoin(Task, Task.id == Deadline.task_id)
            .where(Deadline.incident_id.in_({row.incident_id for row in claimed}), *_due(now, grace))
            .order_by(Deadline.due_at, Deadline.id)
        ).all()
        if clocks:
            _fire_all(session, now, clocks, done)
    done.held_seconds = time.perf_counter() - begun
    return done


_Row = Any  # a row of columns: of `_CLOCK`, or of `_CASE`

_CLOCK = (
    Deadline.id,
    Deadline.incident_id,
    Deadline.whistle_id,
    Deadline.task_id,
    Deadline.kind,
    Deadline.due_at,
    Whistle.number,
    Task.letter_number,
    Task.department_id,
)


def _due(now: datetime, grace: timedelta) -> tuple[ColumnElement[bool], ...]:
    rested = or_(Deadline.stuck_at.is_(None), Deadline.stuck_at <= now - RETRY)
    return Deadline.settled_at.is_(None), Deadline.due_at <= now - grace, rested


_CASE = (
    Incident.id,
    Incident.number,
    Incident.status,
    Incident.grid_code,
    Incident.trace_seq,
    Incident.trace_hash,
)


def _fire_all(session: Session, now: datetime, clocks: Sequence[_Row], done: Fired) -> None:
    """Fire these clocks, each after the earlier ones of its incident."""
    ids = {clock.incident_id for clock in clocks}
    heads = {row.id: row for row in session.execute(select(*_CASE).where(Incident.id.in_(ids)))}
    batch = Batch(
        session,
        now,
        incidents=ids,
        areas={head.grid_code for head in heads.values()},
        departments={clock.department_id for clock in clocks if clock.department_id is not None},
        last_at=trace.last_at(session, [(head.id, head.trace_seq) for head in heads.values()]),
    )
    worked_on = {clock.incident_id for clock in clocks if effects.changes_more(clock.kind)}
    _end(batch, heads, [clock for clock in clocks if clock.incident_id not in worked_on], done)
    # what draws numbers comes last, so that other rounds wait for a short time
    rest = [clock for clock in clocks if clock.incident_id in worked_on]
    take_turns(session, (heads[clock.incident_id].grid_code[:6] for clock in rest))
    _work_on(batch, rest, done)
    batch.write()


def _end(batch: Batch, heads: Mapping[int, _Row], clocks: Sequence[_Row], done: Fired) -> None:
    """End clocks from which nothing follows: a step, messages, and the head of the case, all written together."""
    cases = {
        clock.incident_id: Case(
            batch.session,
            Incident(**heads[clock.incident_id]._mapping),
            SYSTEM,
            batch.now,
            batch,
            gathers=True,
        )
        for clock in clocks
    }
    for row in clocks:
        clock = Deadline(id=row.id, kind=row.kind, due_at=row.due_at)
        whistle = Whistle(number=row.number) if row.whistle_id else None
        task = Task(letter_number=row.letter_number, department_id=row.department_id) if row.task_id else None
        _fire(cases[row.incident_id], clock, whistle, task)
    if not clocks:
        return
    session, heads_now = batch.session, [case.incident for case in cases.values()]
    session.execute(
        text(
            "update incident set trace_seq = new.seq, trace_hash = new.hash, version = version + 1 "
            "from unnest(cast(:ids as bigint[]), cast(:seqs as int[]), cast(:hashes as bytea[])) "
            "as new (id, seq, hash) where incident.id = new.id"
        ),
        {
            "ids": [one.id for one in heads_now],
            "seqs": [one.trace_seq for one in heads_now],
            "hashes": [one.trace_hash for one in heads_now],
        },
    )
    session.execute(
        update(Deadline)
        .where(Deadline.id.in_([row.id for row in clocks]))
        .values(
            settled_at=batch.now, fired_at=batch.now, outcome=Outcome.MISSED, stuck_at=None, stuck_code=None
        )
        .execution_options(synchronize_session=False)
    )
    seen = session.identity_map
    for table, row_ids in ((Incident, cases), (Deadline, [row.id for row in clocks])):
        for row_id in row_ids if len(seen) else ():
            known = seen.get(identity_key(table, row_id))
            if known is not None:
                session.expire(known)
    done.fired += len(clocks)


def _work_on(batch: Batch, clocks: Sequence[_Row], done: Fired) -> None:
    """Fire clocks that change more than themselves, together; one by one where one of them cannot."""
    if not clocks:
        return
    session, gathered = batch.session, (len(batch.steps), len(batch.messages))
    try:
        with session.begin_nested():
            fired = _fire_loaded(batch, clocks)
    except (OperationalError, InterfaceError):
        raise  # the database, not a clock
    except Exception:
        del batch.steps[gathered[0] :], batch.messages[gathered[1] :]
        fired = sum(_alone(batch, clock, done) for clock in clocks)
    done.fired += fired


def _alone(batch: Batch, clock: _Row, done: Fired) -> int:
    """Fire one clock by itself, or set it aside with its reason; return how many fired."""
    gathered = len(batch.steps), len(batch.messages)
    try:
        with batch.session.begin_nested():
            return _fire_loaded(batch, [clock])
    except (OperationalError, InterfaceError):
        raise
    except CityError as refused:
        reason = refused
    except (IntegrityError, StaleDataError):
        reason = Conflict("stale_version", "somebody changed this case at the same time")
    except Exception as bug:  # of ours: it must not stop the clocks of everybody else
        if isinstance(bug, DBAPIError) and bug.connection_invalidated:
            raise
        reason = Unavailable("clock_failed", f"this clock cannot fire: {type(bug).__name__}")
        reason.__cause__ = bug
    del batch.steps[gathered[0] :], batch.messages[gathered[1] :]
    batch.session.execute(
        update(Deadline).where(Deadline.id == clock.id).values(stuck_at=batch.now, stuck_code=reason.code)
    )
    done.stuck[clock.id] = reason
    return 0


def _fire_loaded(batch: Batch, clocks: Sequence[_Row]) -> int:
    session = batch.session
    loaded: dict[type[Any], dict[int, Any]] = {}
    tables: tuple[tuple[Any, set[Any]], ...] = (
        (Incident, {clock.incident_id for clock in clocks}),
        (Deadline, {clock.id for clock in clocks}),
        (Whistle, {clock.whistle_id for clock in clocks} - {None}),
        (Task, {clock.task_id for clock in clocks} - {None}),
    )
    for table, row_ids in tables:
        rows = select(table).where(table.id.in_(row_ids)).execution_options(populate_existing=True)
        if table is Task:
            rows = rows.options(joinedload(Task.department))
        loaded[table] = {row.id: row for row in session.scalars(rows)} if row_ids else {}
    # the writing of a case of which one clock fires is put off, for one statement to write many
    times = Counter(clock.incident_id for clock in clocks)
    at_once = {
        row.incident_id for row in clocks if times[row.incident_id] > 1 or effects.reads_back(row.kind)
    }
    cases = {
        row_id: Case(session, incident, SYSTEM, batch.now, batch, gathers=row_id not in at_once)
        for row_id, incident in loaded[Incident].items()
    }
    drawn: dict[str, int] = {}
    session.info[NUMBERS] = drawn
    fired = 0
    try:
        for row in clocks:
            clock: Deadline = loaded[Deadline][row.id]
            if clock.settled_at is not None:
                continue  # an earlier clock of this round has ended it
            whistle, task = loaded[Whistle].get(row.whistle_id), loaded[Task].get(row.task_id)
            with nullcontext() if row.incident_id in at_once else session.no_autoflush:
                _fire(cases[row.incident_id], clock, whistle, task)
            clock.stuck_at = clock.stuck_code = None
            if row.incident_id in at_once:
                session.flush()
            fired += 1
        batch.write_changes(one for table in (Incident, Whistle, Task) for one in loaded[table].values())
        session.flush()  # what a new clock or a slip is of comes before it
        batch.write_new()
    finally:
        batch.new.clear()
        del session.info[NUMBERS]
    for series, last in sorted(drawn.items()):
        session.execute(update(NumberSeries).where(NumberSeries.name == series).values(last=last))
    return fired


def _fire(case: Case, clock: Deadline, whistle: Whistle | None, task: Task | None) -> None:
    rule = RULES[clock.kind]
    clock.fired_at = case.now
    case.settle(clock, Outcome.MISSED)
    facts = {
        "clock": clock.kind.value,
        "due_at": clock.due_at,
        "whistle": whistle.number if whistle else None,
        "letter": task.letter_number if task else None,
    }
    case.note("clock_ran_out", "T11" if task else "clock", facts)
    effects.carry_out(case, clock, whistle, task)
    if task is not None and Role.DEPARTMENT_DUTY in rule.owed_by:
        case.tell_department(task.department_id, f"clock.{clock.kind}", **facts)
    case.tell((*rule.owed_by, *rule.told), f"clock.{clock.kind}", **facts)


def next_due(session: Session, now: datetime) -> datetime | None:
    """Return when the next running clock runs out that has not been set aside."""
    rested = or_(Deadline.stuck_at.is_(None), Deadline.stuck_at <= now - RETRY)
    return session.scalar(select(func.min(Deadline.due_at)).where(Deadline.settled_at.is_(None), rested))
