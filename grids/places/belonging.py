"""To which place of the ledger the cases of a recurrence on a map belong, and what people call where they happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from grids.rules.permissions import Scope
from grids.scope import incidents_in, places_in
from grids.tables import Incident, Place, PlaceIncident

__all__ = ["Belonging", "belongings"]


@dataclass(frozen=True, slots=True)
class Belonging:
    """number : of the place that most of the cases belong to, None where none does. address : told most often."""

    number: str | None
    address: str | None


def belongings(session: Session, scope: Scope, recurrences: Sequence[Sequence[str]]) -> list[Belonging]:
    """Return for each recurrence, given by the numbers of its cases, where it stands in the ledger.

    Places out of the reader's sight are as if they were not there, and so are cases.
    """
    wanted = sorted({number for numbers in recurrences for number in numbers})
    rows = session.execute(
        select(Incident.number, Incident.address, Place.number)
        .outerjoin(PlaceIncident, PlaceIncident.incident_id == Incident.id)
        .outerjoin(Place, and_(Place.id == PlaceIncident.place_id, places_in(scope)))
        .where(incidents_in(scope), Incident.number == func.any(wanted))
    ).all()
    told = {number: (place, (address or "").strip()) for number, address, place in rows}
    found = []
    for numbers in recurrences:
        known = [told[number] for number in numbers if number in told]
        place = _most(place for place, _ in known)
        found.append(Belonging(place, _most(address for _, address in known)))
    return found


def _most(texts: Iterable[str | None]) -> str | None:
    """Return the text that occurs most often, of equally many the first in order; None where there is none."""
    counts = Counter(text for text in texts if text)
    return min(counts, key=lambda text: (-counts[text], text), default=None)
