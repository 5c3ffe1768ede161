"""Ways to a confirmed level-3 whistle beside the leader's own word, and back from one (rows W6, W9)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from gis.errors import Conflict
from grids.acts.case import Case, said
from grids.acts.joint import issue_tasks
from grids.acts.ladder import drop_clocks, take_back, tasks_of
from grids.acts.parties import let_go
from grids.rules.deadlines import DeadlineKind
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.rules.tasks import LET_GO, TaskStatus
from grids.rules.whistles import WHISTLE, WhistleType
from grids.tables import Deadline, Task, Whistle

__all__ = ["confirm_by_phone", "confirm_instead", "has_come", "withdraw", "write_confirmation"]

_NOT_THERE_YET = frozenset({TaskStatus.PENDING_RESPONSE, TaskStatus.RESPONDED, TaskStatus.RETURN_REQUESTED})


def confirm_by_phone(session: Session, number: str, *, heard_by: str, by: Actor, now: datetime) -> Whistle:
    """Record that the main leader confirmed an emergency by telephone (row W6); its tasks go out at once.

    heard_by : who heard the leader say so. The leader writes it within the limit of the clock WRITTEN.
    Raises `Conflict` ("not_an_emergency") for any other whistle.
    """
    said(heard_by, "heard_by", "name who heard the leader confirm")
    case, whistle = Case.of_whistle(session, number, by, now)
    WHISTLE.decide(whistle.status, "confirm_by_phone", by.role, level=whistle.level)
    if whistle.type is not WhistleType.EMERGENCY:
        raise Conflict("not_an_emergency", "only an emergency is confirmed by telephone", type=whistle.type)
    heard = heard_by.strip()
    case.move(whistle, "confirm_by_phone", {"heard_by": heard, "departments": whistle.departments})
    whistle.confirmed_at, whistle.confirmed_by_phone = now, heard
    case.stop_clock(DeadlineKind.CONFIRM, whistle=whistle)
    case.start_clock(DeadlineKind.WRITTEN, whistle=whistle)
    case.tell((Role.TOWN_LEADER,), "whistle.to_write", whistle=whistle.number)
    issue_tasks(case, whistle, by=SYSTEM)
    session.flush()
    return whistle


def write_confirmation(session: Session, number: str, *, by: Actor, now: datetime) -> Whistle:
    """Confirm in writing, as the town's main leader, what was confirmed by telephone (row W6).

    Raises `Conflict` ("nothing_to_write") where there was no such call, or it was written already.
    """
    case, whistle = Case.of_whistle(session, number, by, now)
    WHISTLE.decide(whistle.status, "write_confirmation", by.role, level=whistle.level)
    if whistle.confirmed_by_phone is None or whistle.written_at is not None:
        raise Conflict("nothing_to_write", "no confirmation by telephone waits to be written", number=number)
    case.move(whistle, "write_confirmation", {"heard_by": whistle.confirmed_by_phone})
    whistle.written_at, whistle.confirmed_by_id = now, by.person_id
    case.stop_clock(DeadlineKind.WRITTEN, whistle=whistle)
    session.flush()
    return whistle


def confirm_instead(session: Session, number: str, *, reason: str, by: Actor, now: datetime) -> Whistle:
    """Confirm a whistle as the district, because the town's leader did not in time (row W6).

    Raises `Conflict` ("leader_has_time") before the leader's time is over.
    """
    said(reason, "reason", "say why the district confirms instead of the town")
    case, whistle = Case.of_whistle(session, number, by, now)
    WHISTLE.decide(whistle.status, "confirm_instead", by.role, level=whistle.level)
    if not _leader_is_late(case, whistle):
        raise Conflict("leader_has_time", "the town's leader still has time to confirm", number=number)
    case.move(whistle, "confirm_instead", {"reason": reason, "departments": whistle.departments})
    whistle.confirmed_at, whistle.confirmed_by_id = now, by.person_id
    case.stop_clock(DeadlineKind.CONFIRM, whistle=whistle)
    case.tell(
        (Role.TOWN_LEADER, Role.TOWN_OFFICE, Role.TOWN_GRID_CENTRE),
        "whistle.confirmed_instead",
        whistle=whistle.number,
        reason=reason,
    )
    issue_tasks(case, whistle, by=SYSTEM)
    session.flush()
    return whistle


def _leader_is_late(case: Case, whistle: Whistle) -> bool:
    clocks = select(Deadline.id).where(
        Deadline.whistle_id == whistle.id, Deadline.kind == DeadlineKind.CONFIRM, Deadline.outcome.is_(None)
    )
    # the sweeper settles what it has seen run out; before it looks, the moment itself says so
    in_time = clocks.where(Deadline.due_at >= case.now)
    return not case.session.scalar(select(exists(in_time)))


def withdraw(session: Session, number: str, *, reason: str, by: Actor, now: datetime) -> Whistle:
    """Take a level-3 whistle back as the town, before anybody came (row W9); the town has the case again.

    The departments are let go, and the reason counts in how well the town whistles. Raises `Conflict`
    ("somebody_came") once a department has checked in or begun.
    """
    said(reason, "reason", "say why the departments are not called any more")
    case, whistle = Case.of_whistle(session, number, by, now)
    WHISTLE.decide(whistle.status, "withdraw", by.role, level=whistle.level)
    tasks = tasks_of(session, whistle.id)
    came = [task.department.name for task in tasks if has_come(task)]
    if came:
        raise Conflict("somebody_came", "somebody has come already: " + ", ".join(came), departments=came)
    case.move(whistle, "withdraw", {"reason": reason})
    whistle.ended_at, whistle.result = now, reason
    for task in tasks:
        if task.status not in LET_GO:
            let_go(case, whistle, task, reason, by=SYSTEM)
    drop_clocks(case, Deadline.whistle_id == whistle.id)
    take_back(case, reason)
    case.tell(
        (Role.TOWN_LEADER, Role.TOWN_GRID_CENTRE), "whistle.withdrawn", whistle=whistle.number, reason=reason
    )
    session.flush()
    return whistle


def has_come(task: Task) -> bool:
    """Tell whether a department's people came, or work from afar: then the whistle is not withdrawn any more."""
    return task.checked_in_at is not None or task.status not in _NOT_THERE_YET | LET_GO
