"""What a person may do with a case now: what the state tables allow and no use case refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grids.rules.lifecycle import INCIDENT, IncidentStatus
from grids.rules.permissions import Actor, Role
from grids.rules.tasks import DONE_STATUSES, TASK, TaskRole
from grids.rules.whistles import WHISTLE, WhistleStatus
from grids.tables import Incident, Placement, Task, Whistle

__all__ = ["Action", "actions"]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a person may do now: a verb of the state table on an incident, a whistle or a task.

    key : number of the incident or whistle, or id of the task.
    """

    machine: str
    key: str
    action: str


# what the person at the screen starts; the rest follows by itself or has a page of its own
_FOLLOWS = frozenset({"start", "climb", "resolve", "close", "progress", "complete_whistle", "accept_part"})


def actions(
    actor: Actor, incident: Incident, whistles: Sequence[Whistle], tasks: Sequence[Task]
) -> tuple[Action, ...]:
    """Return what this person may do with a case now.

    whistles, tasks : of the case, or one whistle of it with all tasks under that.
    """
    found: list[Action] = []
    if actor.scope.covers(incident.grid_code):
        refused = _refused(actor, incident, whistles)
        for verb in INCIDENT.actions(incident.status, actor.role):
            if verb not in _FOLLOWS and verb not in refused:
                found.append(Action(INCIDENT.name, incident.number, verb))  # noqa: PERF401 - reads better
        for whistle in whistles:
            if incident.status is IncidentStatus.HANDLING or whistle.level == 3:
                found += [
                    Action(WHISTLE.name, whistle.number, verb)
                    for verb in WHISTLE.actions(whistle.status, actor.role, level=whistle.level)
                    if verb != "issue"
                ]
            if (
                whistle.status is WhistleStatus.IN_PROGRESS
                and actor.role in _TOWN
                and not _parts_open(whistle, tasks)
            ):
                found.append(Action(WHISTLE.name, whistle.number, "verify"))
    over = {whistle.id for whistle in whistles if whistle.round != incident.round}
    for task in tasks:
        mine = actor.department_id == task.department_id
        if not mine and (actor.role is Role.DEPARTMENT_DUTY or not actor.scope.covers(incident.grid_code)):
            continue
        refused = {"accept"}  # with the whole whistle, by verifying that
        if task.role is TaskRole.LEAD and _others_open(task, tasks):
            refused.add("complete")
        if incident.status not in _AT_WORK or task.whistle_id in over:
            refused.add("rework")
        verbs = TASK.actions(task.status, actor.role)
        found += [Action(TASK.name, str(task.id), verb) for verb in verbs if verb not in refused]
    return tuple(found)


_TOWN = frozenset({Role.TOWN_OFFICE, Role.TOWN_GRID_CENTRE})
_AT_WORK = frozenset({IncidentStatus.HANDLING, IncidentStatus.RESOLVED})
_CALLED = frozenset({WhistleStatus.ISSUED, WhistleStatus.IN_PROGRESS})


def _refused(actor: Actor, incident: Incident, whistles: Sequence[Whistle]) -> set[str]:
    """Return acts on an incident that its state allows and its use cases refuse to this person now."""
    refused = {"accept", "reopen"} if incident.placement is Placement.OUTSIDE else {"place"}
    if incident.category_code is None:
        refused.add("reopen")
    if incident.handler_id is not None and incident.handler_id == actor.person_id:
        refused |= {"verify", "rework"}
    if any(whistle.status in _CALLED and whistle.round == incident.round for whistle in whistles):
        refused.add("verify")
    return refused


def _parts_open(whistle: Whistle, tasks: Sequence[Task]) -> bool:
    return any(task.status not in DONE_STATUSES for task in tasks if task.whistle_id == whistle.id)


def _others_open(lead: Task, tasks: Sequence[Task]) -> bool:
    return any(
        task.status not in DONE_STATUSES
        for task in tasks
        if task.whistle_id == lead.whistle_id and task is not lead
    )
