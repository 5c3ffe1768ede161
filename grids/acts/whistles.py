"""Whistles of level 1 (the community) and level 2 (the town): answer, solve, pass up, hand back, and the town's
dual track: somebody goes to the community, and the centre files the whistle and gives it to an office."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from gis.errors import Conflict
from grids.acts.case import Case, said
from grids.acts.ladder import give_back, last_level, pass_up, resolve_incident, stop_town_clocks
from grids.rules.deadlines import DeadlineKind
from grids.rules.permissions import Actor, Role
from grids.rules.phones import check_phone
from grids.tables import Whistle

__all__ = [
    "answer",
    "assign",
    "escalate",
    "file",
    "hand_back",
    "name_liaison",
    "resolve",
    "solve",
]


def answer(session: Session, number: str, *, by: Actor, now: datetime) -> Whistle:
    """Take a level-1 whistle in hand (row W2)."""
    case, whistle = Case.of_whistle(session, number, by, now)
    case.move(whistle, "answer")
    whistle.answered_at = now
    session.flush()
    return whistle


def solve(session: Session, number: str, *, result: str, by: Actor, now: datetime) -> Whistle:
    """Report a level-1 or level-2 whistle as solved (rows W2, W4, I9)."""
    said(result, "result", "say what was done")
    case, whistle = Case.of_whistle(session, number, by, now)
    _solve(case, whistle, result)
    session.flush()
    return whistle


def resolve(session: Session, incident_number: str, *, result: str, by: Actor, now: datetime) -> Whistle:
    """Report an incident as resolved (row I9) by solving the whistle that runs for it; return that.

    Raises `Conflict` ("no_whistle") where none was blown, or what the whistle's own table says: departments
    resolve an incident by completing their parts.
    """
    said(result, "result", "say what was done")
    case = Case.open(session, incident_number, by, now)
    whistle = case.whistle_at(last_level(case))
    if whistle is None:
        raise Conflict("no_whistle", "no whistle was blown for this incident yet", number=incident_number)
    _solve(case, whistle, result)
    session.flush()
    return whistle


def _solve(case: Case, whistle: Whistle, result: str) -> None:
    case.move(whistle, "solve", {"result": result})
    whistle.result, whistle.ended_at = result, case.now
    stop_town_clocks(case, whistle)
    resolve_incident(case, result, by=case.actor)


def escalate(session: Session, number: str, *, reason: str, by: Actor, now: datetime) -> Whistle:
    """Pass a whistle up: community to town (row W3), town to departments (row W5). Returns the new whistle."""
    said(reason, "reason", "say why it cannot be solved here")
    case, whistle = Case.of_whistle(session, number, by, now)
    new = pass_up(case, whistle, reason)
    session.flush()
    return new


def name_liaison(
    session: Session, number: str, *, liaison_name: str, liaison_phone: str, by: Actor, now: datetime
) -> Whistle:
    """Name who of the town goes to the community (row W3, one of its two tracks); a second one replaces the first."""
    phone = _liaison(liaison_name, liaison_phone)
    case, whistle = Case.of_whistle(session, number, by, now)
    _name_liaison(case, whistle, liaison_name.strip(), phone)
    session.flush()
    return whistle


def file(
    session: Session,
    number: str,
    *,
    liaison_name: str | None = None,
    liaison_phone: str | None = None,
    by: Actor,
    now: datetime,
) -> Whistle:
    """File a level-2 whistle at the town's centre (row W3, the other track); from now on it has to be assigned.

    Who names the person that goes to the community along with it takes both steps at once.
    """
    both = liaison_name is not None or liaison_phone is not None
    phone = _liaison(liaison_name or "", liaison_phone or "") if both else ""
    case, whistle = Case.of_whistle(session, number, by, now)
    if both:
        _name_liaison(case, whistle, (liaison_name or "").strip(), phone)
    case.move(whistle, "file")
    whistle.filed_at = now
    case.stop_clock(DeadlineKind.FILE, whistle=whistle)
    case.start_clock(DeadlineKind.ASSIGN, whistle=whistle)
    session.flush()
    return whistle


def _liaison(name: str, phone: str) -> str:
    said(name, "liaison_name", "name the person who goes to the community")
    return check_phone(phone, field="liaison_phone")


def _name_liaison(case: Case, whistle: Whistle, name: str, phone: str) -> None:
    case.move(whistle, "name_liaison", {"liaison": name})
    whistle.liaison_name, whistle.liaison_phone = name, phone
    whistle.liaison_named_at = whistle.liaison_named_at or case.now
    case.stop_clock(DeadlineKind.LIAISON, whistle=whistle)
    case.tell((Role.GRID_LEADER,), "whistle.liaison", whistle=whistle.number, liaison=name)


def assign(
    session: Session, number: str, *, office: str, instruction: str, by: Actor, now: datetime
) -> Whistle:
    """Give a level-2 whistle to an office of the town with its task (row W4); the town's leader hears of it."""
    said(office, "office", "name the town's office")
    said(instruction, "instruction", "say what the office has to do")
    case, whistle = Case.of_whistle(session, number, by, now)
    due_at = case.handle_by()
    case.move(whistle, "assign", {"office": office, "instruction": instruction, "due_at": due_at})
    whistle.office, whistle.instruction, whistle.tasked_at = office, instruction, now
    whistle.due_at = due_at
    case.stop_clock(DeadlineKind.ASSIGN, whistle=whistle)
    case.tell((Role.TOWN_OFFICE, Role.TOWN_LEADER), "whistle.assigned", whistle=whistle.number, office=office)
    session.flush()
    return whistle


def hand_back(session: Session, number: str, *, reason: str, by: Actor, now: datetime) -> Whistle:
    """Give a case back to the community as the town's centre (row W4); return the community's new whistle.

    Its time begins anew, the incident's own does not. Raises `Conflict` ("no_community") where the case belongs to
    none. Where the community's post is empty the case climbs at once, as every whistle to an empty post does.
    """
    said(reason, "reason", "say what the community can do about it")
    case, whistle = Case.of_whistle(session, number, by, now)
    if len(case.incident.grid_code) < len("990101001001"):
        raise Conflict("no_community", "this incident lies in no community that it could be given back to")
    case.move(whistle, "hand_back", {"reason": reason})
    whistle.ended_at, whistle.result = now, reason
    stop_town_clocks(case, whistle)
    first = give_back(case, reason)
    session.flush()
    return first
