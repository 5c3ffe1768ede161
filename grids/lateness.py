"""The auditor of the sweeper: what is late, how long and why, who is at work, and how late clocks fired.

A clock that is due and has not fired is set aside (it could not fire: `stuck_code` says why), held (somebody is at
work on its case, or sits on it), or waits for a worker.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from grids.deadlines import GRACE
from grids.rules.deadlines import DeadlineKind
from grids.rules.permissions import Scope
from grids.scope import incidents_in
from grids.tables import Deadline, Heartbeat, Incident, Whistle

__all__ = [
    "ALIVE",
    "Holder",
    "KindCount",
    "Lag",
    "Late",
    "beat",
    "forget_workers",
    "kinds",
    "lag",
    "late_clocks",
    "left_behind",
    "oldest_due",
    "workers",
]

ALIVE = timedelta(seconds=30)
"""A worker that was not seen for so long is taken for gone."""

_PATIENCE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class KindCount:
    """Clocks of one kind: how many run, are late, are set aside; the next due moment and the oldest that is late."""

    kind: DeadlineKind
    running: int
    late: int
    stuck: int
    next_due: datetime | None
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a case: a connection of the database, what it calls itself, and since when."""

    pid: int
    program: str
    since: datetime
    state: str


@dataclass(frozen=True, slots=True)
class Late:
    """One clock that should have fired. Neither stuck nor held: no worker has come to it."""

    id: int
    kind: DeadlineKind
    incident: str
    whistle: str | None
    due_at: datetime
    stuck_code: str | None
    stuck_at: datetime | None
    holder: Holder | None


@dataclass(frozen=True, slots=True)
class Lag:
    """How long after their due moments clocks fired in a span of time, in seconds; None where none fired."""

    fired: int
    p50: float | None
    p99: float | None
    longest: float | None


def left_behind(session: Session, now: datetime, *, grace: timedelta = _PATIENCE) -> int:
    """Return how many clocks should have fired more than `grace` ago and have not: 0 when all is well."""
    return session.scalar(select(func.count()).where(*_late(now, grace))) or 0


def _late(now: datetime, grace: timedelta) -> tuple[Any, ...]:
    return Deadline.settled_at.is_(None), Deadline.due_at < now - grace


def oldest_due(session: Session, now: datetime) -> datetime | None:
    """Return the oldest due moment whose clock should have fired by now and has not."""
    return session.scalar(select(func.min(Deadline.due_at)).where(*_late(now, GRACE)))


def kinds(session: Session, now: datetime) -> list[KindCount]:
    """Return the running clocks by kind, that with the oldest due moment first."""
    late = Deadline.due_at < now - GRACE
    rows = session.execute(
        select(
            Deadline.kind,
            func.count(),
            func.count().filter(late),
            func.count().filter(Deadline.stuck_at.is_not(None)),
            func.min(Deadline.due_at).filter(~late),
            func.min(Deadline.due_at).filter(late),
        )
        .where(Deadline.settled_at.is_(None))
        .group_by(Deadline.kind)
        .order_by(func.min(Deadline.due_at), Deadline.kind)
    )
    return [KindCount(*row) for row in rows]


def late_clocks(session: Session, scope: Scope, now: datetime, *, limit: int = 50) -> list[Late]:
    """Return clocks in a scope that should have fired and have not, the oldest first, with what keeps each."""
    rows = session.execute(
        select(Deadline, Incident.number, Whistle.number)
        .join(Incident, Incident.id == Deadline.incident_id)
        .outerjoin(Whistle, Whistle.id == Deadline.whistle_id)
        .where(*_late(now, GRACE), incidents_in(scope))
        .order_by(Deadline.due_at, Deadline.id)
        .limit(limit)
    ).all()
    held = _holders(session, {clock.incident_id for clock, _, _ in rows})
    return [
        Late(
            clock.id,
            clock.kind,
            incident,
            whistle,
            clock.due_at,
            clock.stuck_code,
            clock.stuck_at,
            held.get(clock.incident_id),
        )
        for clock, incident, whistle in rows
    ]


def _holders(session: Session, incident_ids: Collection[int]) -> dict[int, Holder]:
    # the lock on a row stands in the row: `xmax` is the transaction that holds it while that runs
    if not incident_ids:
        return {}
    rows = session.execute(
        text(
            "select incident.id, holder.pid, holder.application_name, holder.xact_start, holder.state "
            "from incident join pg_locks held on held.locktype = 'transactionid' and held.granted "
            "and held.mode = 'ExclusiveLock' and held.transactionid = incident.xmax "
            "join pg_stat_activity holder on holder.pid = held.pid where incident.id = any(:ids)"
        ),
        {"ids": list(incident_ids)},
    )
    return {
        row.id: Holder(row.pid, row.application_name, row.xact_start, row.state or "")
        for row in rows
        if row.xact_start is not None
    }


def lag(session: Session, now: datetime, *, span: timedelta = timedelta(hours=1)) -> Lag:
    """Return how late clocks fired within a span before now."""
    seconds = func.extract("epoch", Deadline.fired_at - Deadline.due_at)
    fired, p50, p99, longest = session.execute(
        select(
            func.count(),
            func.percentile_cont(0.5).within_group(seconds),
            func.percentile_cont(0.99).within_group(seconds),
            func.max(seconds),
        ).where(Deadline.fired_at.is_not(None), Deadline.fired_at > now - span, Deadline.fired_at <= now)
    ).one()
    return Lag(fired, *(None if value is None else float(value) for value in (p50, p99, longest)))


def workers(
    session: Session, now: datetime, *, gone_for: timedelta = timedelta(hours=1)
) -> Sequence[Heartbeat]:
    """Return the workers that were seen lately, those at work first; who was not seen within `ALIVE` is gone."""
    return session.scalars(
        select(Heartbeat)
        .where(Heartbeat.seen_at > now - gone_for)
        .order_by(Heartbeat.ended_at.is_not(None), Heartbeat.seen_at.desc(), Heartbeat.worker)
    ).all()


def beat(
    session: Session,
    worker: str,
    now: datetime,
    *,
    started_at: datetime,
    fired: int = 0,
    hold_seconds: float = 0.0,
    ended: bool = False,
) -> None:
    """Say that a worker is at work (or ends), how many clocks it fired since it last said so, and its longest round."""
    statement = insert(Heartbeat).values(
        worker=worker,
        started_at=started_at,
        seen_at=now,
        ended_at=now if ended else None,
        fired=fired,
        longest_hold_ms=round(hold_seconds * 1000),
    )
    said = statement.excluded
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["worker"],
            set_={
                "seen_at": said.seen_at,
                "ended_at": said.ended_at,
                "fired": Heartbeat.fired + said.fired,
                "longest_hold_ms": func.greatest(Heartbeat.longest_hold_ms, said.longest_hold_ms),
            },
        )
    )


def forget_workers(session: Session, *, before: datetime) -> None:
    """Strike off workers that were last seen before a moment."""
    session.execute(delete(Heartbeat).where(Heartbeat.seen_at < before))
