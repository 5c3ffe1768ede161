"""Which papers there are of a time: the need letters that went out, the slips that were issued."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from gis.errors import InvalidInput
from grids.acts import slips
from grids.rules.permissions import Actor
from grids.scope import whistles_in
from grids.tables import Incident, Whistle

__all__ = ["MOST", "letters", "slip_numbers"]

MOST = 1000
"""So many papers may be asked for at once."""


def letters(session: Session, actor: Actor, since: datetime, until: datetime) -> Sequence[str]:
    """Return the numbers of the level-3 whistles in sight whose letters went out in a time (until is exclusive).

    Raises `InvalidInput` ("too_many_papers").
    """
    found = session.scalars(
        select(Whistle.number)
        .join(Incident, Incident.id == Whistle.incident_id)
        .where(whistles_in(actor.scope), Whistle.issued_at >= since, Whistle.issued_at < until)
        .order_by(Whistle.issued_at, Whistle.id)
        .limit(MOST + 1)
    ).all()
    return _not_too_many(found)


def slip_numbers(session: Session, actor: Actor, since: datetime, until: datetime) -> Sequence[str]:
    """Return the numbers of the slips in sight that were issued in a time. Raises as `letters`."""
    rows = slips.find(session, actor, since=since, until=until, limit=MOST + 1)
    return _not_too_many([row.slip.number for row in reversed(rows)])


def _not_too_many(found: Sequence[str]) -> Sequence[str]:
    if not 1 <= len(found) <= MOST:
        raise InvalidInput(
            "too_many_papers",
            f"between 1 and {MOST} papers can be asked for at once; in this time there are "
            + (f"more than {MOST}" if found else "none"),
            field="until",
            got=len(found),
        )
    return found
