"""What waits for a person: incidents, whistles and tasks on which their role has an act to do.

Which those are is read from the state tables, so that a new row there shows up here by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.deps import ReadOnly
from grids import register
from grids.register import Action, Filters, TaskRow
from grids.rules.lifecycle import INCIDENT, OPEN_STATUSES, IncidentStatus
from grids.rules.permissions import Actor, Role
from grids.rules.tasks import TASK, TaskStatus
from grids.rules.whistles import WHISTLE, WhistleLevel, WhistleStatus
from grids.tables import Incident, Whistle

__all__ = ["Waiting", "WhistleRow", "incident_statuses", "waiting_for"]

_MOST = 50


@dataclass(frozen=True, slots=True)
class WhistleRow:
    """A whistle that waits, with its incident and what the person may do."""

    whistle: Whistle
    incident: Incident
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Everything that waits for one person, what is due first on top; each list ends at 50."""

    tasks: Sequence[TaskRow]
    whistles: Sequence[WhistleRow]
    incidents: Sequence[Incident]

    @property
    def count(self) -> int:
        """How many things wait."""
        return len(self.tasks) + len(self.whistles) + len(self.incidents)


def incident_statuses(role: Role) -> tuple[IncidentStatus, ...]:
    """Return the open states of an incident in which this role has an act to do."""
    acts = {"accept", "verify", "callback"}
    return tuple(
        status
        for status in IncidentStatus
        if status in OPEN_STATUSES and acts & set(INCIDENT.actions(status, role))
    )


def _whistle_states(role: Role) -> list[tuple[WhistleLevel, WhistleStatus]]:
    return [
        (level, status)
        for level in WhistleLevel
        for status in WhistleStatus
        if set(WHISTLE.actions(status, role, level=level)) - {"issue", "archive"}
    ]


def _task_states(role: Role) -> list[TaskStatus]:
    # the town's marks are given on the whistle's page, once for all departments
    return [status for status in TaskStatus if set(TASK.actions(status, role)) - {"rework"}]


def waiting_for(session: ReadOnly, actor: Actor) -> Waiting:
    """Return what waits for a person, within what they may see."""
    tasks: list[TaskRow] = []
    states = _task_states(actor.role)
    if states:
        rows = register.find_tasks(session, actor, statuses=states, limit=200)
        tasks = sorted((row for row in rows if row.actions), key=lambda row: row.task.due_at)[:_MOST]
    whistles = []
    for level, status in _whistle_states(actor.role):
        found = register.find_whistles(session, actor.scope, level=level, status=status, limit=_MOST)
        for whistle, incident in found:
            actions = register.actions(actor, incident, [whistle], [])
            mine = tuple(action for action in actions if action.machine == WHISTLE.name)
            if mine and incident.status in OPEN_STATUSES:
                whistles.append(WhistleRow(whistle, incident, mine))
    whistles.sort(
        key=lambda row: (row.incident.grade.rank if row.incident.grade else 9, row.whistle.blown_at)
    )
    incidents: Sequence[Incident] = ()
    statuses = incident_statuses(actor.role)
    if statuses:
        incidents = register.find_incidents(
            session, actor.scope, Filters(statuses=statuses), limit=_MOST
        ).items
    return Waiting(tasks, whistles, incidents)
