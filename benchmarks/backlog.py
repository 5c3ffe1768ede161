"""A district with its people, and any number of cases whose clocks have run out: what the sweeper is measured on.

Two people take turns as duty of each of 30 departments, 14 towns have ten communities of ten cells each, and every
post is filled. Each clock has its case (and whistle, and task) in the state in which such a clock runs.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from grids.demo.copying import ewkb, reserve, write
from grids.founding import ensure_defaults
from grids.rules.deadlines import RULES, DeadlineKind, Subject
from grids.rules.grading import Grade
from grids.rules.lifecycle import Channel, IncidentStatus
from grids.rules.permissions import SYSTEM, Role
from grids.rules.tasks import TaskRole, TaskStatus
from grids.rules.trace import chain_hash, plain
from grids.rules.whistles import WhistleStatus, WhistleType
from grids.tables import Deadline, Department, Incident, Person, Placement, Post, Task, Trace, Whistle

__all__ = ["MIX", "NOON", "fill", "people"]

NOON = datetime(2026, 6, 3, 4, 0, tzinfo=UTC)  # a Wednesday, noon in the city
DISTRICT = "990101"
TOWNS, COMMUNITIES, CELLS = 14, 10, 10

_K = DeadlineKind
MIX: Mapping[DeadlineKind, int] = {
    # how often a clock runs out, in parts: those that warn are common, those that change something less so
    _K.ACCEPT: 12,
    _K.INSPECT: 8,
    _K.VERIFY: 10,
    _K.CALLBACK: 10,
    _K.LIAISON: 8,
    _K.FILE: 6,
    _K.ASSIGN: 8,
    _K.CONFIRM: 5,
    _K.SCORE: 8,
    _K.RETURN_DECISION: 3,
    _K.EXTENSION_DECISION: 3,
    _K.HANDLE: 6,
    _K.COMMUNITY: 4,
    _K.RESPOND: 3,
    _K.CHECK_IN: 2,
    _K.COMPLETE: 3,
    _K.PROGRESS: 1,
}
_STATUS = {
    _K.ACCEPT: IncidentStatus.REPORTED,
    _K.INSPECT: IncidentStatus.TO_VERIFY,
    _K.VERIFY: IncidentStatus.RESOLVED,
    _K.CALLBACK: IncidentStatus.VERIFIED,
}
_WHISTLE = {
    _K.COMMUNITY: (1, WhistleStatus.BLOWN),
    _K.LIAISON: (2, WhistleStatus.BLOWN),
    _K.FILE: (2, WhistleStatus.BLOWN),
    _K.ASSIGN: (2, WhistleStatus.FILED),
    _K.CONFIRM: (3, WhistleStatus.PENDING_CONFIRM),
    _K.WRITTEN: (3, WhistleStatus.IN_PROGRESS),
}
_TASK = {_K.RESPOND: TaskStatus.PENDING_RESPONSE, _K.SCORE: TaskStatus.ACCEPTED_OK}


def people(session: Session, now: datetime = NOON) -> None:
    """Fill every post of the district."""
    ensure_defaults(session, [DISTRICT], now=now)
    bodies = list(session.scalars(select(Department.id).order_by(Department.id)))
    posts: list[tuple[Role, str | None, int | None]] = [
        (role, DISTRICT, None)
        for role in (
            Role.HOTLINE_DESK,
            Role.CALLBACK_OFFICER,
            Role.DISTRICT_PLATFORM,
            Role.DISTRICT_PLATFORM,
            Role.DISTRICT_LEADER,
            Role.GOVERNANCE_CENTRE,
        )
    ]
    for town in (f"{DISTRICT}{number + 1:03d}" for number in range(TOWNS)):
        posts += [(role, town, None) for role in (Role.TOWN_GRID_CENTRE, Role.TOWN_OFFICE, Role.TOWN_LEADER)]
        for community in (f"{town}{number + 1:03d}" for number in range(COMMUNITIES)):
            posts.append((Role.GRID_LEADER, community, None))
            posts += [(Role.GRID_WORKER, f"{community}{number + 1:03d}", None) for number in range(CELLS)]
    posts += [(Role.DEPARTMENT_DUTY, None, body) for body in bodies for _ in range(2)]
    ids = reserve(session, Person, len(posts))
    write(
        session,
        Person,
        [
            {"id": one, "login": f"p{one}", "name": f"同志{one}", "party_member": False, "failed_logins": 0}
            for one in ids
        ],
    )
    write(
        session,
        Post,
        [
            {
                "person_id": one,
                "role": role,
                "area_code": area,
                "department_id": body,
                "title": role.value,
                "on_duty": True,
            }
            for one, (role, area, body) in zip(ids, posts, strict=True)
        ],
    )


def fill(
    session: Session,
    clocks: int,
    *,
    mix: Mapping[DeadlineKind, int] = MIX,
    first: datetime = NOON - timedelta(hours=1),
    last: datetime = NOON - timedelta(seconds=10),
    district: str = DISTRICT,
    seed: int = 1,
) -> None:
    """Put `clocks` cases on record, each with one running clock that is due between two moments.

    The kinds are drawn by their parts in `mix`; the first step of each history is there, so that a chain goes on.
    """
    luck = random.Random(seed)
    kinds = luck.choices(list(mix), weights=list(mix.values()), k=clocks)
    bodies = list(
        session.scalars(
            select(Department.id).where(Department.district_code == district).order_by(Department.id)
        )
    )
    incidents = reserve(session, Incident, clocks)
    whistles = iter(reserve(session, Whistle, clocks))
    tasks = iter(reserve(session, Task, clocks))
    spot = ewkb(np.array([shapely.Point(117.0, 36.0)]))[0]
    rows: dict[type[Any], list[dict[str, Any]]] = {
        table: [] for table in (Incident, Whistle, Task, Trace, Deadline)
    }
    for number, (kind, incident_id) in enumerate(zip(kinds, incidents, strict=True)):
        due_at = first + (last - first) * (number / clocks)
        began = due_at - timedelta(hours=20)
        cell = (
            f"{district}{luck.randrange(TOWNS) + 1:03d}{luck.randrange(COMMUNITIES) + 1:03d}"
            f"{luck.randrange(CELLS) + 1:03d}"
        )
        name = f"I{seed:03d}{incident_id:09d}"
        status = _STATUS.get(kind, IncidentStatus.HANDLING)
        step = _first_step(name, began, cell)
        rows[Incident].append(_incident(incident_id, name, status, cell, began, due_at, spot, step["hash"]))
        rows[Trace].append({"incident_id": incident_id, **step})
        whistle_id = task_id = None
        if RULES[kind].subject is not Subject.INCIDENT:
            whistle_id = next(whistles)
            level, whistle_status = _WHISTLE.get(kind, (3, WhistleStatus.IN_PROGRESS))
            rows[Whistle].append(
                _whistle(
                    whistle_id,
                    incident_id,
                    level,
                    whistle_status,
                    cell,
                    began,
                    f"W{seed:03d}{whistle_id:09d}",
                )
            )
        if RULES[kind].subject is Subject.TASK:
            task_id = next(tasks)
            rows[Task].append(
                {
                    "id": task_id,
                    "incident_id": incident_id,
                    "whistle_id": whistle_id,
                    "department_id": luck.choice(bodies),
                    "role": TaskRole.LEAD,
                    "status": _TASK.get(kind, TaskStatus.RESPONDED),
                    "disputed": False,
                    "letter_number": f"W{seed:03d}{whistle_id:09d}-01",
                    "issued_at": began,
                    "response_due_at": due_at,
                    "due_at": due_at,
                    "rework_count": 0,
                    "version": 1,
                }
            )
        rows[Deadline].append(
            {
                "incident_id": incident_id,
                "whistle_id": whistle_id,
                "task_id": task_id,
                "kind": kind,
                "round": 1,
                "started_at": began,
                "due_at": due_at,
            }
        )
    for table, some in rows.items():
        write(session, table, some)


def _first_step(name: str, at: datetime, cell: str) -> dict[str, Any]:
    step: dict[str, Any] = {
        "seq": 1,
        "at": at,
        "actor_id": None,
        "actor": f"{SYSTEM.name} ({SYSTEM.role})",
        "unit": SYSTEM.unit,
        "machine": "incident",
        "subject": name,
        "row": "I1",
        "action": "report",
        "from_state": None,
        "to_state": "reported",
        "payload": plain({"channel": "hotline", "grid": cell}),
    }
    return {**step, "previous_hash": None, "hash": chain_hash(None, incident_number=name, **step)}


def _incident(
    incident_id: int,
    name: str,
    status: IncidentStatus,
    cell: str,
    began: datetime,
    due_at: datetime,
    spot: str,
    head: bytes,
) -> dict[str, Any]:
    return {
        "id": incident_id,
        "number": name,
        "status": status,
        "round": 1,
        "channel": Channel.HOTLINE,
        "text": "车库里有人烧烤，烟很大，已经好几天了。",
        "category_code": "10-001",
        "grade": Grade.YELLOW,
        "point": spot,
        "native_lon": 117.0,
        "native_lat": 36.0,
        "native_frame": "CGCS2000",
        "grid_code": cell,
        "placement": Placement.INSIDE,
        "received_at": began,
        "accepted_at": began,
        "due_at": due_at,
        "rework_count": 0,
        "trace_seq": 1,
        "trace_hash": head,
        "version": 1,
    }


def _whistle(
    whistle_id: int,
    incident_id: int,
    level: int,
    status: WhistleStatus,
    cell: str,
    began: datetime,
    number: str,
) -> dict[str, Any]:
    return {
        "id": whistle_id,
        "number": number,
        "incident_id": incident_id,
        "level": level,
        "round": 1,
        "status": status,
        "area_code": cell[: 12 if level == 1 else 9],
        "blown_at": began,
        "type": WhistleType.COMPREHENSIVE if level == 3 else None,
        "appointed_at": began if level == 3 else None,
        "version": 1,
    }
