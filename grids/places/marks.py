"""What an incident's own page says of the recurrent problem point that it happened at."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from grids.places.membership import HAPPENED
from grids.rules.permissions import Scope
from grids.rules.places import PlaceStatus
from grids.scope import places_in
from grids.tables import Incident, Place, PlaceIncident

__all__ = ["PlaceMark", "mark_of"]


@dataclass(frozen=True, slots=True)
class PlaceMark:
    """The place of an incident. nth : which of the reports there it is, by time; times : how often it came back."""

    number: str
    name: str
    status: PlaceStatus
    nth: int
    times: int


def mark_of(session: Session, scope: Scope, incident: Incident) -> PlaceMark | None:
    """Return the place that an incident belongs to, None where it belongs to none that the reader may see."""
    place = session.scalar(
        select(Place)
        .join(PlaceIncident, PlaceIncident.place_id == Place.id)
        .where(PlaceIncident.incident_id == incident.id, places_in(scope))
    )
    if place is None:
        return None
    before = session.scalar(
        select(func.count())
        .select_from(PlaceIncident)
        .join(Incident, Incident.id == PlaceIncident.incident_id)
        .where(
            PlaceIncident.place_id == place.id,
            HAPPENED,
            Incident.id != incident.id,
            (Incident.received_at < incident.received_at)
            | ((Incident.received_at == incident.received_at) & (Incident.id < incident.id)),
        )
    )
    return PlaceMark(place.number, place.name, place.status, (before or 0) + 1, place.times)
