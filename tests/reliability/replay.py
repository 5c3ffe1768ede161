"""States from history alone: what the steps of a case say, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from grids.tables import Dispute, Incident, Task, Trace, Whistle

__all__ = ["Broken", "check", "replay", "stored"]


class Broken(AssertionError):
    """The history does not lead to what is stored."""


def replay(steps: Iterable[Any]) -> dict[tuple[str, str], str]:
    """Return where every thing of a case stands by (machine, subject), from its steps (with seq, machine, subject,
    from_state, to_state) in order. Raises `Broken` where a step does not begin where the one before it ended."""
    states: dict[tuple[str, str], str] = {}
    for place, step in enumerate(steps, start=1):
        key = step.machine, step.subject
        if step.seq != place:
            raise Broken(f"step {step.seq} stands at place {place}")
        if step.from_state != states.get(key):
            raise Broken(f"step {place} takes {key} from {step.from_state}; it stood at {states.get(key)}")
        states[key] = step.to_state
    return states


def stored(session: Session, incident_id: int) -> dict[tuple[str, str], str]:
    """Return where every thing of a case stands by (machine, subject), as its rows say."""
    tables: tuple[tuple[str, Any, Any, Any], ...] = (
        ("incident", Incident, Incident.number, Incident.id),
        ("whistle", Whistle, Whistle.number, Whistle.incident_id),
        ("task", Task, Task.letter_number, Task.incident_id),
        ("dispute", Dispute, Dispute.number, Dispute.incident_id),
    )
    return {
        (machine, subject): status.value
        for machine, table, number, of in tables
        for subject, status in session.execute(select(number, table.status).where(of == incident_id))
    }


def check(session: Session, incident_id: int) -> int:
    """Hold the rows of a case against its history; return how many rows there were. Raises `Broken`."""
    steps = session.execute(
        select(Trace.seq, Trace.machine, Trace.subject, Trace.from_state, Trace.to_state)
        .where(Trace.incident_id == incident_id)
        .order_by(Trace.seq)
    ).all()
    told, found = replay(steps), stored(session, incident_id)
    if told != found:
        differ = {
            key: (told.get(key), found.get(key)) for key in {*told, *found} if told.get(key) != found.get(key)
        }
        raise Broken(f"case {incident_id}, (history, row): {differ}")
    return len(found)
