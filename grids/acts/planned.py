"""Acts that stand in the state tables and have no use case yet.

They answer as every act does: out of sight is not found, a state that does not allow them is a conflict, a
role that may not is forbidden; and where all of that holds, the table itself says that they are not offered.
Nothing is written.
"""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

from sqlalchemy.orm import Session

from gis.errors import Conflict
from grids.acts.case import Case
from grids.rules.lifecycle import INCIDENT
from grids.rules.permissions import Actor
from grids.rules.tasks import TASK
from grids.rules.whistles import WHISTLE

__all__ = ["incident", "task", "whistle"]


def incident(session: Session, number: str, action: str, *, by: Actor, now: datetime) -> NoReturn:
    """Refuse an act on an incident; raises `NotFound`, `Conflict` or `Forbidden`."""
    case = Case.open(session, number, by, now)
    INCIDENT.decide(case.incident.status, action, by.role)
    raise _not_offered(action)


def whistle(session: Session, number: str, action: str, *, by: Actor, now: datetime) -> NoReturn:
    """Refuse an act on a whistle; raises `NotFound`, `Conflict` or `Forbidden`."""
    _, found = Case.of_whistle(session, number, by, now)
    WHISTLE.decide(found.status, action, by.role, level=found.level)
    raise _not_offered(action)


def task(session: Session, task_id: int, action: str, *, by: Actor, now: datetime) -> NoReturn:
    """Refuse an act on a department's task; raises `NotFound`, `Conflict` or `Forbidden`."""
    _, _, found = Case.of_task(session, task_id, by, now)
    TASK.decide(found.status, action, by.role)
    raise _not_offered(action)


def _not_offered(action: str) -> Conflict:
    # a row that is offered has a use case, and its own address: asking here is then our mistake, not theirs
    return Conflict("not_offered_yet", f"'{action}' cannot be done with this version", action=action)
