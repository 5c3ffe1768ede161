"""The one-key whistle (一键吹哨): everything that a level-3 whistle says, proposed from what is on record.

Who is called comes from decided rules, exceptions on the spot and the responsibility list, in that order; the town
may change all of it. Nothing is written here: `grids.acts.joint.blow` and `submit` take what was proposed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from gis.errors import Conflict, Forbidden, NotFound, Unavailable
from grids import atlas
from grids.acts.case import Case
from grids.acts.joint import departments_due, response_minutes
from grids.acts.ladder import by_the_list
from grids.rules.appointing import proposed, soonest
from grids.rules.grading import Grade
from grids.rules.levels import CODE_LENGTH
from grids.rules.lifecycle import IncidentStatus
from grids.rules.permissions import Actor
from grids.rules.whistles import WHISTLE, WhistleLevel, WhistleStatus, WhistleType
from grids.scope import incidents_in
from grids.tables import Category, Incident, Person, Whistle

__all__ = ["BEYOND", "Proposal", "proposal"]

BEYOND = "beyond_the_town"
"""Code of the reason that is proposed where nobody has given one."""

_BLOWN_FROM = frozenset({WhistleStatus.FILED, WhistleStatus.TASKED})


@dataclass(frozen=True, slots=True)
class Proposal:
    """A level-3 whistle as it would go out now.

    draft : number of the drafted whistle that it completes, None where one is blown. type, reason : reason is a
    code (`BEYOND` or what the system climbed by) or somebody's words. departments : as a whistle holds them, lead
    first; empty where the list names nobody. at_once : an emergency, which needs no appointed time. appointed_at,
    due_at : UTC; due_at is when the departments have to be done. response_minutes : to answer. why : the entries of
    the explain record that it would leave, the departments' first. contact_name, contact_phone : of the town.
    """

    incident: str
    draft: str | None
    type: WhistleType
    reason: str
    departments: tuple[dict[str, str], ...]
    rule: str
    at_once: bool
    appointed_at: datetime
    appointed_place: str
    due_at: datetime
    response_minutes: int
    contact_name: str
    contact_phone: str | None
    why: tuple[dict[str, Any], ...]


def proposal(session: Session, number: str, *, by: Actor, now: datetime) -> Proposal:
    """Return the level-3 whistle that an incident would have now, for the town that would blow it.

    Raises `NotFound` out of sight, `Forbidden` ("not_your_role") for who does not whistle for departments, and
    `Conflict` ("nothing_to_escalate") where the town's whistle cannot be passed up now.
    """
    incident = session.scalar(select(Incident).where(Incident.number == number, incidents_in(by.scope)))
    if incident is None:
        raise NotFound("incident_not_found", f"there is no incident {number} that you may see", number=number)
    case = Case(session, incident, by, now)  # read, not locked: nothing is decided here
    draft, second = _from(case)
    kind = _kind(case, draft)
    listed = by_the_list(case, draft.number if draft is not None else None)
    # a draft may know better than the list: what a dispute decided, whom nobody calls twice
    departments = listed.departments if draft is None else list(draft.departments or ())
    due_at = departments_due(case, None)
    minutes = response_minutes(case, kind)
    at_once = kind is WhistleType.EMERGENCY
    own = session.get(Person, by.person_id) if by.person_id else None
    return Proposal(
        incident=number,
        draft=draft.number if draft is not None else None,
        type=kind,
        reason=_reason(draft, second),
        departments=tuple(departments),
        rule=listed.rule,
        at_once=at_once,
        appointed_at=(soonest if at_once else proposed)(now, minutes, due_at),
        appointed_place=incident.address or _place(case),
        due_at=due_at,
        response_minutes=minutes,
        contact_name=by.name,
        contact_phone=own.phone if own is not None else None,
        why=(
            listed.why,
            *(
                one
                for one in incident.explanation or ()
                if one["what"] in ("category", "grade", "due", "whistle")
            ),
        ),
    )


def _from(case: Case) -> tuple[Whistle | None, Whistle | None]:
    """Return the draft that would be completed and the town's whistle that it comes from."""
    third, second = case.whistle_at(WhistleLevel.THIRD), case.whistle_at(WhistleLevel.SECOND)
    if third is not None and third.status is WhistleStatus.DRAFTED:
        WHISTLE.decide(third.status, "submit", case.actor.role, level=3)
        return third, second
    ready = case.incident.status is IncidentStatus.HANDLING
    if second is None or second.status not in _BLOWN_FROM or not ready:
        raise Conflict("nothing_to_escalate", "this incident has no level-2 whistle to take up")
    if all(case.actor.role not in row.roles for row in WHISTLE.rows("submit", 3)):
        raise Forbidden("not_your_role", "the town whistles for the departments", role=case.actor.role)
    return None, second


def _kind(case: Case, draft: Whistle | None) -> WhistleType:
    if draft is not None and draft.type is not None:
        return draft.type
    if case.incident.grade is Grade.RED:
        return WhistleType.EMERGENCY
    category = case.session.get(Category, case.incident.category_code or "")
    asks = category.evidence if category is not None else []
    # where the case ends with a paper of law somebody has to have the power to write it
    return WhistleType.JOINT_ENFORCEMENT if "legal_document" in asks else WhistleType.COMPREHENSIVE


def _reason(draft: Whistle | None, second: Whistle | None) -> str:
    told = [one.reason for one in (draft, second) if one is not None and one.reason]
    return next(iter(told), BEYOND)


def _place(case: Case) -> str:
    """Return the names of community and cell, as far as the grid in force has them."""
    code = case.incident.grid_code
    codes = [code[:length] for length in CODE_LENGTH.values() if length <= len(code)][2:] or [code]
    try:
        names = atlas.current(case.session, on=case.today).names
    except Unavailable:
        names = {}
    parts = [names.get(one, one) for one in codes]
    own = [part.removeprefix(above) or part for above, part in zip(["", *parts], parts, strict=False)]
    return "".join(own)
