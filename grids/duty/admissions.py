"""What departments may hand down to towns (交办事项准入): nothing without approval.

A department asks; the governance centre or the district's leader decides with a reason where it refuses; the towns that
are meant see what was approved for them, and nothing else is theirs to do.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.orm import Session

from gis.errors import Conflict, Forbidden, InvalidInput, NotFound
from grids import atlas
from grids.rules.calendar import local_day
from grids.rules.levels import CODE_LENGTH, GridLevel
from grids.rules.pauses import Decision
from grids.rules.permissions import Actor, Role, require_role
from grids.tables import Department, Person, TaskAdmission

__all__ = [
    "ASKERS",
    "DECIDERS",
    "Admission",
    "Wish",
    "ask",
    "decide",
    "find",
    "get",
    "towns_of",
]

ASKERS = frozenset({Role.DEPARTMENT_DUTY})
"""Who may ask that towns do something for them."""

DECIDERS = frozenset({Role.GOVERNANCE_CENTRE, Role.DISTRICT_LEADER})
"""Who lets a task down to the towns, or keeps it from them."""

_WHOLE_DISTRICT = DECIDERS | {Role.DISTRICT_PLATFORM, Role.AUDITOR, Role.ADMINISTRATOR}
_TOWN = CODE_LENGTH[GridLevel.TOWN]
_MOST = 200


@dataclass(frozen=True, slots=True)
class Wish:
    """What a department wants towns to do. towns : codes, none for all. support : people, money, powers with it."""

    title: str
    content: str
    legal_basis: str
    support: str
    towns: tuple[str, ...] = ()
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """A wish with who asked and who decided, by name."""

    row: TaskAdmission
    department: Department
    asked_by: str | None
    decided_by: str | None


def ask(session: Session, wish: Wish, *, by: Actor, now: datetime) -> TaskAdmission:
    """Ask for a task to be handed down to towns.

    Raises `Forbidden` ("not_your_role"), `InvalidInput`: "text_needed" for a text that is missing, "unknown_town",
    "past_day".
    """
    require_role(by, ASKERS)
    body = session.get_one(Department, by.department_id)
    for name in ("title", "content", "legal_basis", "support"):
        if not getattr(wish, name).strip():
            raise InvalidInput("text_needed", _WANTED[name], field=name)
    today = local_day(now)
    known = towns_of(session, body.district_code, on=today)
    missing = [code for code in wish.towns if code not in known]
    if missing or len(set(wish.towns)) != len(wish.towns):
        raise InvalidInput(
            "unknown_town",
            f"not a town of {body.district_code}, or twice: {', '.join(missing or wish.towns)}",
            field="towns",
            got=list(wish.towns),
            wanted=sorted(known),
        )
    if wish.until is not None and wish.until < today:
        raise InvalidInput(
            "past_day",
            f"{wish.until} is over: a task ends today, {today}, or later",
            field="until",
            got=wish.until.isoformat(),
            wanted=today.isoformat(),
        )
    row = TaskAdmission(
        department_id=body.id,
        district_code=body.district_code,
        title=wish.title.strip(),
        content=wish.content.strip(),
        legal_basis=wish.legal_basis.strip(),
        support=wish.support.strip(),
        towns=sorted(wish.towns),
        until=wish.until,
        asked_at=now,
        asked_by_id=by.person_id,
        decision=Decision.ASKED,
    )
    session.add(row)
    session.flush()
    return row


_WANTED = {
    "title": "say in one line what the towns are to do",
    "content": "say what exactly the towns are to do, how often and how well",
    "legal_basis": "name the law or the paper that it rests on",
    "support": "say which people, money and powers come with it",
}


def decide(
    session: Session, admission_id: int, *, granted: bool, note: str | None, by: Actor, now: datetime
) -> TaskAdmission:
    """Approve or refuse a wish; a refusal says why.

    Raises `NotFound` ("no_such_admission"), `Forbidden` ("not_your_role", "own_wish"), `Conflict`
    ("already_decided"), `InvalidInput` ("text_needed").
    """
    row = get(session, by, admission_id, lock=True).row
    require_role(by, DECIDERS)
    said = (note or "").strip()
    if row.asked_by_id is not None and row.asked_by_id == by.person_id:
        raise Forbidden("own_wish", "whoever asked does not decide on it: somebody else has to")
    if row.decision is not Decision.ASKED:
        raise Conflict(
            "already_decided",
            f"this was {row.decision.value} already",
            id=row.id,
            decision=row.decision.value,
        )
    if not granted and not said:
        raise InvalidInput("text_needed", "say why the task is not handed down", field="note")
    row.decision = Decision.GRANTED if granted else Decision.REFUSED
    row.decided_at, row.decided_by_id, row.decision_note = now, by.person_id, said or None
    session.flush()
    return row


def get(session: Session, by: Actor, admission_id: int, *, lock: bool = False) -> Admission:
    """Return one wish that somebody may see. Raises `NotFound` ("no_such_admission")."""
    if lock:
        session.execute(select(TaskAdmission.id).where(TaskAdmission.id == admission_id).with_for_update())
    found = _found(session, TaskAdmission.id == admission_id, _seen_by(by))
    if not found:
        raise NotFound(
            "no_such_admission", f"there is no wish {admission_id} that you may see", id=admission_id
        )
    return found[0]


def find(session: Session, by: Actor, *, decisions: Collection[Decision] = ()) -> list[Admission]:
    """Return the wishes that somebody may see, the newest first.

    A department sees its own; a town, and what lies in it, those approved that are meant for it; the district all.
    """
    wanted = [_seen_by(by)]
    if decisions:
        wanted.append(TaskAdmission.decision.in_(decisions))
    return _found(session, *wanted)


def towns_of(session: Session, district: str, *, on: date) -> dict[str, str]:
    """Return code and name of the towns of a district in the grid in force."""
    names = atlas.current(session, on=on).names
    return {code: name for code, name in names.items() if len(code) == _TOWN and code.startswith(district)}


def _seen_by(by: Actor) -> ColumnElement[bool]:
    if by.role is Role.SYSTEM:
        return true()
    if by.department_id is not None:
        return TaskAdmission.department_id == by.department_id
    area = by.area_code or ""
    mine = TaskAdmission.district_code == area[:6]
    if len(area) < _TOWN:
        return mine if by.role in _WHOLE_DISTRICT else mine & (TaskAdmission.decision == Decision.GRANTED)
    meant = or_(
        func.jsonb_array_length(TaskAdmission.towns) == 0, TaskAdmission.towns.contains([area[:_TOWN]])
    )
    return mine & (TaskAdmission.decision == Decision.GRANTED) & meant


def _found(session: Session, *wanted: ColumnElement[bool]) -> list[Admission]:
    rows: Sequence[tuple[TaskAdmission, Department]] = [
        (row, body)
        for row, body in session.execute(
            select(TaskAdmission, Department)
            .join(Department, Department.id == TaskAdmission.department_id)
            .where(*wanted)
            .order_by(TaskAdmission.asked_at.desc(), TaskAdmission.id.desc())
            .limit(_MOST)
            .execution_options(populate_existing=True)
        )
    ]
    ids = {one for row, _ in rows for one in (row.asked_by_id, row.decided_by_id) if one is not None}
    people = session.execute(select(Person.id, Person.name).where(Person.id.in_(ids)))
    names = {row.id: row.name for row in people}
    return [
        Admission(row, body, names.get(row.asked_by_id or 0), names.get(row.decided_by_id or 0))
        for row, body in rows
    ]
