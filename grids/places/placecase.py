"""A recurrent problem point under lock: the one place that changes its state, and what each change writes with it.

Whoever opens one holds the lock on its row until the transaction ends. An act on an incident takes the lock on that
first; nothing that holds a place waits for an incident. Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from gis.errors import NotFound
from grids import directory, outbox
from grids.numbers import next_number
from grids.rules.calendar import SHANGHAI, local_day
from grids.rules.disputes import TOWN
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.rules.places import PLACE
from grids.rules.trace import Link, chain_hash, plain, verify_chain
from grids.scope import places_in
from grids.tables import Category, Department, Place, PlaceStep

__all__ = [
    "LEADERS",
    "TOWN_DESKS",
    "PlaceCase",
    "first_broken_step",
    "leading",
    "link_of_step",
    "place_number",
    "seat",
]

LEADERS = (Role.GRID_LEADER,)
TOWN_DESKS = (Role.TOWN_OFFICE, Role.TOWN_GRID_CENTRE)


@dataclass
class PlaceCase:
    """A locked place, the person who acts on it, and the moment at which they do."""

    session: Session
    place: Place
    actor: Actor
    now: datetime

    @classmethod
    def open(cls, session: Session, number: str, actor: Actor, now: datetime) -> PlaceCase:
        """Lock a place by its number. Raises `NotFound` where it is missing or out of the actor's sight."""
        found = cls._lock(session, (Place.number == number) & places_in(actor.scope))
        if found is None:
            raise NotFound(
                "place_not_found",
                f"there is no recurrent problem point {number} that you may see",
                number=number,
            )
        return cls(session, found, actor, now)

    @classmethod
    def open_by_id(cls, session: Session, place_id: int, now: datetime) -> PlaceCase | None:
        """Lock a place for what the system does by itself; None where it is gone."""
        found = cls._lock(session, Place.id == place_id)
        return None if found is None else cls(session, found, SYSTEM, now)

    @classmethod
    def by_itself(cls, session: Session, place: Place, now: datetime) -> PlaceCase:
        """Return a place for what the system says about it; nothing of it is changed."""
        return cls(session, place, SYSTEM, now)

    @staticmethod
    def _lock(session: Session, wall: ColumnElement[bool]) -> Place | None:
        session.flush()  # what was changed here and not written yet is not read over
        return session.scalar(
            select(Place).where(wall).with_for_update().execution_options(populate_existing=True)
        )

    @property
    def today(self) -> date:
        """Return the day in the city."""
        return local_day(self.now)

    # -- changes

    def move(self, action: str, payload: Mapping[str, Any] | None = None, *, by: Actor | None = None) -> None:
        """Take the place to the state that its table gives for this act, and write it down.

        by : `SYSTEM` for what follows by itself; else the actor of the case. Raises `Conflict` or `Forbidden` as the
        table says, before anything is written.
        """
        before = self.place.status
        actor = by or self.actor
        step = PLACE.decide(before, action, actor.role)
        self.place.status = step.target
        self._write(step.row, action, before.value, step.target.value, payload, actor)

    def begun(self, action: str, payload: Mapping[str, Any] | None = None) -> None:
        """Put a new place on record in its first state."""
        step = PLACE.decide(None, action, self.actor.role)
        self.session.add(self.place)
        self.session.flush()
        self._write(step.row, action, None, self.place.status.value, payload, self.actor)

    def _write(
        self,
        row: str,
        action: str,
        before: str | None,
        after: str,
        payload: Mapping[str, Any] | None,
        actor: Actor,
    ) -> None:
        place = self.place
        step: dict[str, Any] = {
            "seq": place.step_seq + 1,
            "at": self.now,
            "actor_id": actor.person_id,
            "actor": f"{actor.name} ({actor.role})",
            "unit": actor.unit,
            "row": row,
            "action": action,
            "from_state": before,
            "to_state": after,
            "payload": plain(payload or {}),
        }
        previous = place.step_hash
        digest = _hashed(previous, place.number, step)
        self.session.add(PlaceStep(place_id=place.id, **step, previous_hash=previous, hash=digest))
        place.step_seq, place.step_hash = step["seq"], digest

    # -- messages

    def tell(
        self,
        template: str,
        *,
        roles: Iterable[Role] = (),
        lead: bool = False,
        incident_id: int | None = None,
        **facts: Any,
    ) -> int:
        """Message who keeps one of these posts for the place, and who leads there; return how many that were.

        Nobody is told of what they did themselves.
        """
        reached = self.reached(roles, lead=lead) - {self.actor.person_id}
        told = {**self.facts(), **facts}
        outbox.post(self.session, reached, template, told, incident_id=incident_id, now=self.now)
        return len(reached)

    def facts(self) -> dict[str, Any]:
        """Return what every message about the place says."""
        category = self.session.get_one(Category, self.place.category_code)
        return {
            "place": self.place.number,
            "name": self.place.name,
            "category": category.name,
            "category_en": category.name_en,
        }

    def reached(self, roles: Iterable[Role] = (), *, lead: bool = False) -> set[int]:
        """Return who keeps one of these posts for the place now, and who leads there.

        Where nobody does, the town's leader and the district's platform stand in.
        """
        found = self._on_duty(roles)
        if lead and self.place.lead is not None:
            found |= leading(self.session, self.place.grid_code, self.place.lead, self.now)
        return found or self._on_duty((Role.TOWN_LEADER, Role.DISTRICT_PLATFORM))

    def _on_duty(self, roles: Iterable[Role]) -> set[int]:
        return _on_duty(self.session, roles, self.place.grid_code, self.now)


def leading(session: Session, code: str, lead: str, now: datetime) -> set[int]:
    """Return who is on duty for what leads in an area: a department by its code, or the desks of the TOWN."""
    if lead == TOWN:
        return _on_duty(session, TOWN_DESKS, code, now)
    body = session.scalar(
        select(Department.id).where(Department.district_code == code[:6], Department.code == lead)
    )
    return set() if body is None else {one.id for one in directory.department_duty(session, body, now)}


def _on_duty(session: Session, roles: Iterable[Role], code: str, now: datetime) -> set[int]:
    wanted = tuple(roles)
    return {one.id for one in directory.on_duty(session, wanted, code, now)} if wanted else set()


def place_number(session: Session, code: str, now: datetime) -> str:
    """Return the number of a new place of a district: P, the day, the district, and a number of five digits."""
    stem = f"P{now.astimezone(SHANGHAI):%Y%m%d}{code[:6]}"
    return f"{stem}{next_number(session, f'place {stem}'):05d}"


def seat(session: Session, actor: Actor, code: str) -> str | None:
    """Return the code of the department as which an actor acts in the district of a code, None for the others."""
    if actor.department_id is None:
        return None
    body = session.get(Department, actor.department_id)
    return body.code if body is not None and body.district_code == code[:6] else None


# -- the chain of a place's steps


def _hashed(previous: bytes | None, number: str, step: Mapping[str, Any]) -> bytes:
    return chain_hash(previous, incident_number=number, machine=PLACE.name, subject=number, **step)


_LINKED = ("seq", "at", "actor", "actor_id", "unit", "row", "action", "from_state", "to_state", "payload")


def link_of_step(number: str, step: Any) -> Link:
    """Return a step of a place as the rules of the chain take it."""
    return Link(
        incident_number=number,
        machine=PLACE.name,
        subject=number,
        previous_hash=step.previous_hash,
        hash=step.hash,
        **{column: getattr(step, column) for column in _LINKED},
    )


def first_broken_step(number: str, steps: Iterable[Any], head: tuple[int, bytes | None]) -> int | None:
    """Return the seq of the first step that is not as it was written, None when all are; each place has one."""
    seq, seal = head
    links = [link_of_step(number, step) for step in steps]
    return verify_chain(links, (seq, seal)) if links and seal is not None else 1
