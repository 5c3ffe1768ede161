"""Who answers at a place and who is near it, for the pages that show a place."""

from __future__ import annotations

from dataclasses import dataclass

from api.deps import ReadOnly
from api.names import Names
from api.pages.visit import Visit
from grids.atlas import Place
from grids.casefile import position
from grids.duty import duties
from grids.duty.duties import Duty, SpecialGrid
from grids.nearby import Nearby, nearest
from grids.rules.calendar import local_day
from grids.rules.departments import StationKind
from grids.rules.lifecycle import OPEN_STATUSES
from grids.rules.permissions import Role
from grids.rules.phones import mask_phone
from grids.tables import Incident, Placement

__all__ = ["Answering", "answering_at", "keepers_of", "near_incident"]

_DISPATCHERS = frozenset({Role.TOWN_GRID_CENTRE, Role.TOWN_OFFICE, Role.DISTRICT_PLATFORM})
_SENT = (Role.GRID_WORKER, Role.BUILDING_LEADER, Role.GRID_LEADER, *StationKind)
"""Who is sent from a desk: those in the field, not the town's own office."""
_SHOWN = 6  # people, and as many stations


@dataclass(frozen=True, slots=True)
class Answering:
    """What answers at a point besides the posts of its cell.

    keepers : of special grids: (name, contact, number masked). departments : (role, name, number) for a category,
    lead first. rule : in words, "" where no category was asked for or nobody is named.
    """

    keepers: tuple[tuple[str, str, str], ...] = ()
    departments: tuple[tuple[str, str, str], ...] = ()
    rule: str = ""


def answering_at(
    session: ReadOnly, visit: Visit, names: Names, place: Place | None, category: str | None
) -> Answering:
    """Return who answers at a place that was located, for a category if one is chosen."""
    if place is None or place.code is None:
        return Answering()
    today, point = local_day(visit.now), (place.lon, place.lat)
    keepers = _keepers(duties.special_grids(session, place.code, point, on=today))
    duty = duties.find_duty(session, category, place.code, on=today, point=point) if category else None
    if duty is None:
        return Answering(keepers)
    return Answering(keepers, _departments(duty, names, place.code[:6]), names.words.rule(duty.rule))


def keepers_of(session: ReadOnly, visit: Visit, incident: Incident) -> tuple[tuple[str, str, str], ...]:
    """Return the keepers of the special grids that hold an incident: (name, contact, number masked)."""
    if incident.placement is Placement.OUTSIDE:
        return ()
    found = duties.special_grids(session, incident.grid_code, incident.point, on=local_day(visit.now))
    return _keepers(found)


def near_incident(session: ReadOnly, visit: Visit, incident: Incident) -> Nearby | None:
    """Return who could be sent to an open incident, None for a reader who sends nobody."""
    if visit.me.role not in _DISPATCHERS or incident.status not in OPEN_STATUSES:
        return None
    code = None if incident.placement is Placement.OUTSIDE else incident.grid_code
    return nearest(
        session,
        position(incident),
        by=visit.me,
        on=local_day(visit.now),
        code=code,
        category=incident.category_code,
        roles=_SENT,
        limit=_SHOWN,
    )


def _keepers(found: list[SpecialGrid]) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (grid.name, grid.contact_name or "", mask_phone(grid.contact_phone) if grid.contact_phone else "")
        for grid in found
    )


def _departments(duty: Duty, names: Names, district: str) -> tuple[tuple[str, str, str], ...]:
    phones = {body.code: body.phone or "" for body in names.departments(district)}
    return tuple(
        (
            names.words.of("task_role", one["role"]),
            names.department(district, one["code"]),
            phones.get(one["code"], ""),
        )
        for one in duty.departments()
    )
