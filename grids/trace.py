"""The history of a case: append-only rows, chained by hash, written by every change of state."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, or_, select, tuple_
from sqlalchemy.orm import Session

from grids.rules.permissions import Actor
from grids.rules.trace import Link, chain_hash, plain, verify_chain
from grids.tables import Incident, Trace

__all__ = ["append", "first_broken", "last_at", "latest", "link_of", "next_step", "of_incident"]


# what of a step is under its hash: everything that a reader relies on
_LINKED = (
    "seq",
    "at",
    "actor",
    "actor_id",
    "unit",
    "machine",
    "subject",
    "row",
    "action",
    "from_state",
    "to_state",
    "payload",
)


def next_step(
    incident: Incident,
    *,
    actor: Actor,
    at: datetime,
    machine: str,
    subject: str,
    row: str,
    action: str,
    from_state: str | None,
    to_state: str,
    payload: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the next step of a case as the columns of its row, and carry its head over to the incident.

    The caller holds the lock on the incident's row, and adds the step in the same transaction.
    """
    step: dict[str, Any] = {
        "seq": incident.trace_seq + 1,
        "at": at,
        "actor_id": actor.person_id,
        "actor": f"{actor.name} ({actor.role})",
        "unit": actor.unit,
        "machine": machine,
        "subject": subject,
        "row": row,
        "action": action,
        "from_state": from_state,
        "to_state": to_state,
        "payload": plain(payload or {}),
    }
    previous = incident.trace_hash
    digest = chain_hash(previous, incident_number=incident.number, **step)
    incident.trace_seq, incident.trace_hash = step["seq"], digest
    return {"incident_id": incident.id, **step, "previous_hash": previous, "hash": digest}


def append(session: Session, incident: Incident, **step: Any) -> Trace:
    """Add one step (as `next_step` has it) to a case whose incident row the caller has locked; return its row."""
    row = Trace(**next_step(incident, **step))
    session.add(row)
    return row


def last_at(session: Session, steps: Collection[tuple[int, int]]) -> dict[int, datetime]:
    """Return when these steps, (incident id, seq), were written, by incident."""
    if not steps:
        return {}
    rows = session.execute(
        select(Trace.incident_id, Trace.at).where(tuple_(Trace.incident_id, Trace.seq).in_(steps))
    )
    return {row[0]: row[1] for row in rows}


def of_incident(session: Session, incident_id: int) -> Sequence[Trace]:
    """Return the steps of a case in order."""
    return session.scalars(select(Trace).where(Trace.incident_id == incident_id).order_by(Trace.seq)).all()


def latest(
    session: Session, incident_id: int, *, before: int | None = None, whistle: str | None = None, limit: int
) -> Sequence[Trace]:
    """Return the last steps of a case before one (its seq), the last first; those of one whistle alone, if asked."""
    query = select(Trace).where(Trace.incident_id == incident_id).order_by(Trace.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(Trace.seq < before)
    if whistle is not None:
        of_it = Trace.subject.startswith(whistle, autoescape=True)
        query = query.where(or_(of_it, Trace.payload["whistle"].astext == whistle))
    return session.scalars(query).all()


def link_of(incident_number: str, step: Trace | Row[Any]) -> Link:
    """Return a step, stored or about to be, as the rules of the chain take it."""
    return Link(
        incident_number=incident_number,
        previous_hash=step.previous_hash,
        hash=step.hash,
        **{column: getattr(step, column) for column in _LINKED},
    )


def first_broken(session: Session, incident: Incident) -> int | None:
    """Return the seq of the first step that is not as it was written; None if the history is whole.

    The head that the incident row carries is checked too, so that a cut tail is found.
    """
    head = (incident.trace_seq, incident.trace_hash) if incident.trace_hash else None
    return verify_chain((link_of(incident.number, s) for s in of_incident(session, incident.id)), head)
