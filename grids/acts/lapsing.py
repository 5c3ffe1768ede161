"""What was asked for and not decided lapses where the thing has gone on without it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import update

from grids.rules.deadlines import DeadlineKind
from grids.rules.lifecycle import IncidentStatus
from grids.rules.pauses import Decision
from grids.rules.tasks import DONE_STATUSES, LET_GO
from grids.tables import Extension, Incident, Suspension, Task

if TYPE_CHECKING:
    from grids.acts.case import Case, Thing

__all__ = ["lapse"]


def lapse(case: Case, thing: Thing, before: StrEnum) -> None:
    """Let a suspension that was asked for lapse when its case moves on, an extension when its part is done."""
    lapsed = {"decision": Decision.LAPSED, "decided_at": case.now}
    if isinstance(thing, Incident):
        if before is IncidentStatus.HANDLING and thing.status not in (before, IncidentStatus.SUSPENDED):
            mine = (Suspension.incident_id == thing.id) & (Suspension.decision == Decision.ASKED)
            case.session.execute(update(Suspension).where(mine).values(lapsed))
    elif isinstance(thing, Task) and thing.status in DONE_STATUSES | LET_GO and before not in DONE_STATUSES:
        asked = (Extension.task_id == thing.id) & (Extension.decision == Decision.ASKED)
        case.session.execute(update(Extension).where(asked).values(lapsed))
        case.stop_clock(DeadlineKind.EXTENSION_DECISION, task=thing, void=True)
