"""Fire what is due, exactly once, however many workers run and whenever one is killed.

A worker takes due clocks in order, locking the incident of each and skipping incidents that somebody holds.
A clock's effect, the state change, the trace and the messages are one transaction, and firing settles the
clock: what a killed worker had not committed, the next one does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from gis.errors import CityError, Conflict
from grids.acts.case import Case
from grids.acts.ladder import climb
from grids.rules.deadlines import RULES, Effect, Outcome
from grids.rules.permissions import SYSTEM, Role
from grids.tables import Deadline, Incident, Task, Whistle

__all__ = ["Fired", "fire_due", "left_behind", "next_due"]


@dataclass
class Fired:
    """What one round did: clocks that fired, and those that could not, with the reason."""

    fired: int = 0
    stuck: dict[int, CityError] = field(default_factory=dict)


def fire_due(session: Session, now: datetime, *, limit: int = 100) -> Fired:
    """Fire up to `limit` clocks whose due moment lies before `now`, earliest first.

    The caller commits. A clock that cannot fire (its effect needs a calendar year that nobody loaded, say)
    is reported as stuck and left running; it does not hold up the others.
    """
    done = Fired()
    due = session.execute(
        select(Deadline.id, Deadline.incident_id, Incident.grid_code)
        .join(Incident, Incident.id == Deadline.incident_id)
        .where(Deadline.settled_at.is_(None), Deadline.due_at < now)
        .order_by(Deadline.due_at, Deadline.id)
        .limit(limit)
        .with_for_update(of=Incident, skip_locked=True)
    ).all()
    # a whistle's number comes from a series of its district that stays locked: all workers take districts in
    # one order, so that none waits for another in a ring
    for clock_id, incident_id, _ in sorted(due, key=lambda row: row.grid_code[:6]):
        try:
            with session.begin_nested():
                case = Case.open_by_id(session, incident_id, SYSTEM, now)
                clock = session.get_one(Deadline, clock_id, populate_existing=True)
                if clock.settled_at is None:  # an earlier clock of this round may have ended it
                    _fire(case, clock)
                    session.flush()
                    done.fired += 1
        except CityError as reason:
            done.stuck[clock_id] = reason
        except (IntegrityError, StaleDataError):
            done.stuck[clock_id] = Conflict("stale_version", "somebody changed this case at the same time")
    return done


def _fire(case: Case, clock: Deadline) -> None:
    rule = RULES[clock.kind]
    clock.fired_at = case.now
    case.settle(clock, Outcome.MISSED)
    whistle = case.session.get(Whistle, clock.whistle_id) if clock.whistle_id else None
    task = case.session.get(Task, clock.task_id) if clock.task_id else None
    facts = {
        "clock": clock.kind.value,
        "due_at": clock.due_at,
        "whistle": whistle.number if whistle else None,
        "letter": task.letter_number if task else None,
    }
    case.note("clock_ran_out", "T11" if task else "clock", facts)
    if rule.effect is Effect.CLIMB and whistle is not None:
        climb(case, whistle, "no_answer_in_time")
    if task is not None and Role.DEPARTMENT_DUTY in rule.owed_by:
        case.tell_department(task.department_id, f"clock.{clock.kind}", **facts)
    case.tell((*rule.owed_by, *rule.told), f"clock.{clock.kind}", **facts)


def next_due(session: Session) -> datetime | None:
    """Return when the next running clock runs out."""
    return session.scalar(select(func.min(Deadline.due_at)).where(Deadline.settled_at.is_(None)))


def left_behind(session: Session, now: datetime, *, grace: timedelta = timedelta(seconds=60)) -> int:
    """Return how many clocks should have fired more than `grace` ago and have not: 0 when all is well."""
    return (
        session.scalar(
            select(func.count()).where(Deadline.settled_at.is_(None), Deadline.due_at < now - grace)
        )
        or 0
    )
