"""The history of a case: append-only rows, chained by hash, written by every change of state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from grids.rules.permissions import Actor
from grids.rules.trace import Link, chain_hash, plain, verify_chain
from grids.tables import Incident, Trace

__all__ = ["append", "first_broken", "link_of", "of_incident"]


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


def append(
    session: Session,
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
) -> Trace:
    """Add one step to a case whose incident row the caller has locked; return the new row."""
    step = Trace(
        incident_id=incident.id,
        seq=incident.trace_seq + 1,
        at=at,
        actor_id=actor.person_id,
        actor=f"{actor.name} ({actor.role})",
        unit=actor.unit,
        machine=machine,
        subject=subject,
        row=row,
        action=action,
        from_state=from_state,
        to_state=to_state,
        payload=plain(payload or {}),
        previous_hash=incident.trace_hash,
    )
    linked = {column: getattr(step, column) for column in _LINKED}
    step.hash = chain_hash(step.previous_hash, incident_number=incident.number, **linked)
    session.add(step)
    incident.trace_seq, incident.trace_hash = step.seq, step.hash
    return step


def of_incident(session: Session, incident_id: int) -> Sequence[Trace]:
    """Return the steps of a case in order."""
    return session.scalars(select(Trace).where(Trace.incident_id == incident_id).order_by(Trace.seq)).all()


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
