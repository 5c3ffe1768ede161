"""The histories of all cases, checked one after the other without holding them in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gis.errors import NotFound
from grids.places.placecase import first_broken_step
from grids.rules.trace import verify_chain
from grids.tables import Incident, Place, PlaceStep, Trace
from grids.trace import link_of

__all__ = ["Audit", "count_incidents", "verify_places", "verify_traces"]

_BATCH = 1000  # incidents at a time

_STEP = (
    Trace.incident_id,
    Trace.seq,
    Trace.at,
    Trace.actor,
    Trace.actor_id,
    Trace.unit,
    Trace.machine,
    Trace.subject,
    Trace.row,
    Trace.action,
    Trace.from_state,
    Trace.to_state,
    Trace.payload,
    Trace.previous_hash,
    Trace.hash,
)


@dataclass
class Audit:
    """What was found. broken : incident number -> seq of the first step that is not as it was written."""

    incidents: int = 0
    steps: int = 0
    broken: dict[str, int] = field(default_factory=dict)


def count_incidents(session: Session) -> int:
    """Return how many incidents there are to check."""
    return session.scalar(select(func.count()).select_from(Incident)) or 0


def verify_traces(
    session: Session,
    number: str | None = None,
    *,
    advance: Callable[[int], object] = lambda _incidents: None,
) -> Audit:
    """Check the chain of every case, or of one, against the head that its incident carries.

    A case without any step is broken at 1: each begins with the step that made it.
    Raises `NotFound` ("incident_not_found").
    """
    audit = Audit()
    for batch in _batches(session, number):
        heads = {incident_id: (name, seq, seal) for incident_id, name, seq, seal in batch}
        rows = session.execute(
            select(*_STEP).where(Trace.incident_id.in_(heads)).order_by(Trace.incident_id, Trace.seq)
        ).all()
        steps = {key: list(group) for key, group in groupby(rows, key=lambda row: row.incident_id)}
        for incident_id, (name, seq, seal) in heads.items():
            links = [link_of(name, step) for step in steps.get(incident_id, [])]
            head = (seq, seal) if seal is not None else None
            first = verify_chain(links, head) if links or head else 1
            if first is not None:
                audit.broken[name] = first
            audit.steps += len(links)
        audit.incidents += len(heads)
        advance(len(heads))
    if number is not None and not audit.incidents:
        raise NotFound("incident_not_found", f"there is no incident {number}", number=number)
    return audit


def verify_places(session: Session) -> Audit:
    """Check the chain of every recurrent problem point against the head that its row carries.

    `incidents` of the answer counts the places, `broken` names them.
    """
    audit = Audit()
    last = 0
    while True:
        heads = session.execute(
            select(Place.id, Place.number, Place.step_seq, Place.step_hash)
            .where(Place.id > last)
            .order_by(Place.id)
            .limit(_BATCH)
        ).all()
        if not heads:
            return audit
        rows = session.scalars(
            select(PlaceStep)
            .where(PlaceStep.place_id.in_([head.id for head in heads]))
            .order_by(PlaceStep.place_id, PlaceStep.seq)
            .execution_options(yield_per=_BATCH)
        )
        steps = {key: list(group) for key, group in groupby(rows, key=lambda row: row.place_id)}
        for head in heads:
            mine = steps.get(head.id, [])
            first = first_broken_step(head.number, mine, (head.step_seq, head.step_hash))
            if first is not None:
                audit.broken[head.number] = first
            audit.steps += len(mine)
        audit.incidents += len(heads)
        last = heads[-1].id


def _batches(session: Session, number: str | None) -> Iterator[list[tuple[int, str, int, bytes | None]]]:
    last = 0
    while True:
        query = select(Incident.id, Incident.number, Incident.trace_seq, Incident.trace_hash)
        query = query.where(Incident.id > last).order_by(Incident.id).limit(_BATCH)
        if number is not None:
            query = query.where(Incident.number == number)
        batch = [(row.id, row.number, row.trace_seq, row.trace_hash) for row in session.execute(query)]
        if not batch:
            return
        yield batch
        last = batch[-1][0]
