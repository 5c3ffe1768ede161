"""Who reported a case: with the case itself, and with every report that was merged into it, however deep.

A person is their telephone: who left the same number twice is one person, and is called once.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from grids.rules.lifecycle import Channel
from grids.tables import Incident, Reporter

__all__ = ["belonging", "how_many", "merged_into", "reporters"]

_STAFF = (Channel.GRID_WORKER, Channel.BUILDING_LEADER, Channel.PATROL)


def belonging(incident_id: int) -> Select[int]:
    """Return, as SQL, the ids of a case and of all that was merged into it and into those."""
    tree = select(Incident.id).where(Incident.id == incident_id).cte("belonging", recursive=True)
    tree = tree.union(select(Incident.id).where(Incident.master_id == tree.c.id))
    return select(tree.c.id)


def merged_into(session: Session, incident_id: int) -> Sequence[Incident]:
    """Return the reports that were merged into a case, the first that came in first."""
    return session.scalars(
        select(Incident)
        .where(Incident.id.in_(belonging(incident_id)), Incident.id != incident_id)
        .order_by(Incident.received_at, Incident.id)
    ).all()


def reporters(session: Session, incident_id: int) -> list[Reporter]:
    """Return those who can be called about a case, each person once, the first reporter first."""
    rows = session.scalars(
        select(Reporter)
        .where(Reporter.incident_id.in_(belonging(incident_id)), Reporter.phone.is_not(None))
        .order_by(Reporter.reported_at, Reporter.id)
    )
    once: dict[str | None, Reporter] = {}
    for row in rows:
        once.setdefault(row.phone, row)
    return list(once.values())


def how_many(session: Session, incident_id: int) -> int:
    """Return how many people are known to have reported a case: telephones, and people of the grid in person.

    Reports without either do not count: anybody could make as many of those as they like.
    """
    ids = belonging(incident_id)
    phones = select(func.count(func.distinct(Reporter.phone))).where(Reporter.incident_id.in_(ids))
    named = select(Reporter.id).where(Reporter.incident_id == Incident.id, Reporter.phone.is_not(None))
    finders = select(func.count(func.distinct(Incident.reported_by_id))).where(
        Incident.id.in_(ids), Incident.channel.in_(_STAFF), ~named.exists()
    )
    return (session.scalar(phones) or 0) + (session.scalar(finders) or 0)
