"""What waits for a person: incidents, whistles, tasks, disputes, recurrent problem points on which they have an act to
do, slips to answer.

Which those are is read from the state tables, so that a new row there shows up here by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from api.deps import ReadOnly
from grids import directory, docket, register
from grids.acts import slips
from grids.acts.slips import SlipRow
from grids.casefile import TaskRow
from grids.docket import DisputeFile
from grids.offers import Action, actions
from grids.places import ledger
from grids.places.ledger import PlaceFilters, PlaceRow
from grids.places.placecase import LEADERS, TOWN_DESKS, seat
from grids.register import Filters
from grids.rules.disputes import DISPUTE_READERS, RUNNING_DISPUTES, TOWN, DisputeStatus
from grids.rules.lifecycle import INCIDENT, OPEN_STATUSES, IncidentStatus
from grids.rules.permissions import Actor, Role
from grids.rules.places import PlaceStatus
from grids.rules.presence import Presence
from grids.rules.tasks import TASK, TaskStatus
from grids.rules.whistles import WHISTLE, WhistleLevel, WhistleStatus
from grids.standing import standings
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
class TaskGroup:
    """The tasks under one whistle that wait for one person, and what they may do with all of them."""

    rows: tuple[TaskRow, ...]
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Everything that waits for one person, what is due first on top; each list ends at 50."""

    tasks: Sequence[TaskGroup]
    whistles: Sequence[WhistleRow]
    incidents: Sequence[Incident]
    disputes: Sequence[DisputeFile]
    slips: Sequence[SlipRow]
    places: Sequence[PlaceRow]

    @property
    def count(self) -> int:
        """How many things wait; the tasks under one whistle are one thing."""
        lists = (self.tasks, self.whistles, self.incidents, self.disputes, self.slips, self.places)
        return sum(map(len, lists))


def incident_statuses(role: Role) -> tuple[IncidentStatus, ...]:
    """Return the open states of an incident in which this role has an act to do."""
    return tuple(
        status
        for status in IncidentStatus
        if status in OPEN_STATUSES and _OWED_ON_INCIDENT & set(INCIDENT.actions(status, role))
    )


_OWED_ON_INCIDENT = frozenset({"accept", "callback", "inspect", "verify"})
_DECIDES_WAITING = frozenset(role for row in INCIDENT.rows("refuse_suspension") for role in row.roles)

# what somebody is owed; all else that may be done stands on the page of the case
_OWED = frozenset(
    {
        "answer",
        "assign",
        "check_in",
        "complete",
        "confirm",
        "confirm_instead",
        "confirm_presence",
        "decide_appeal",
        "deny_presence",
        "escalate",
        "file",
        "grant_extension",
        "name_liaison",
        "refuse",
        "refuse_extension",
        "respond",
        "return",
        "score",
        "score_peer",
        "solve",
        "start",
        "submit",
        "verify",
        "write_confirmation",
    }
)


def _whistle_states(role: Role) -> list[tuple[WhistleLevel, WhistleStatus]]:
    return [
        (level, status)
        for level in WhistleLevel
        for status in WhistleStatus
        if _OWED & set(WHISTLE.actions(status, role, level=level))
    ]


def _task_states(role: Role) -> list[TaskStatus]:
    return [status for status in TaskStatus if _OWED & set(TASK.actions(status, role))]


def waiting_for(session: ReadOnly, actor: Actor, now: datetime) -> Waiting:
    """Return what waits for a person, within what they may see."""
    tasks = _tasks(session, actor)
    grouped = {group.rows[0].whistle.id for group in tasks}
    return Waiting(
        tasks,
        [row for row in _whistles(session, actor) if row.whistle.id not in grouped],
        _incidents(session, actor),
        _disputes(session, actor),
        [row for row in slips.find(session, actor, open_only=True, limit=_MOST) if row.may_answer],
        _places(session, actor, now),
    )


def _tasks(session: ReadOnly, actor: Actor) -> list[TaskGroup]:
    states = _task_states(actor.role)
    if not states:
        return []
    rows = register.find_tasks(session, actor, statuses=states, limit=200)
    owed = [replace(row, actions=tuple(act for act in row.actions if _is_owed(row, act))) for row in rows]
    groups: dict[int, list[TaskRow]] = {}
    for row in sorted((row for row in owed if row.actions), key=lambda row: row.task.due_at):
        groups.setdefault(row.whistle.id, []).append(row)
    return [
        TaskGroup(tuple(found), tuple(dict.fromkeys(act for row in found for act in row.actions)))
        for found in list(groups.values())[:_MOST]
    ]


def _is_owed(row: TaskRow, act: Action) -> bool:
    """Tell whether an act is waited for: the town's word only until it has given one."""
    given = act.action in ("confirm_presence", "deny_presence") and row.task.presence is not Presence.CLAIMED
    return act.action in _OWED and not given


def _whistles(session: ReadOnly, actor: Actor) -> list[WhistleRow]:
    whistles = []
    for level, status in _whistle_states(actor.role):
        found = register.find_whistles(session, actor.scope, level=level, status=status, limit=_MOST)
        for whistle, incident in found:
            standing = standings(session, [incident.id])[incident.id]
            acts = actions(actor, incident, [whistle], [], standing)
            named = {"name_liaison"} if whistle.liaison_name else set()
            mine = tuple(one for one in acts if one.machine == WHISTLE.name and one.action in _OWED - named)
            if mine and incident.status in OPEN_STATUSES:
                whistles.append(WhistleRow(whistle, incident, mine))
    return sorted(
        whistles, key=lambda row: (row.incident.grade.rank if row.incident.grade else 9, row.whistle.blown_at)
    )


def _incidents(session: ReadOnly, actor: Actor) -> list[Incident]:
    """Return incidents with an act for the person, those first in which somebody asks to let them wait."""
    found: list[Incident] = []
    if actor.role in _DECIDES_WAITING:
        asked = register.find_incidents(session, actor.scope, Filters(asks_to_wait=True), limit=_MOST).items
        standing = standings(session, [incident.id for incident in asked])
        found = [
            incident
            for incident in asked
            if any(
                act.action == "refuse_suspension"
                for act in actions(actor, incident, [], [], standing[incident.id])
            )
        ]
    statuses = incident_statuses(actor.role)
    if statuses:
        rows = register.find_incidents(session, actor.scope, Filters(statuses=statuses), limit=_MOST).items
        found += [row for row in rows if row not in found and not _looked_at(row, actor.role)]
    return found[:_MOST]


def _looked_at(incident: Incident, role: Role) -> bool:
    """Tell whether only a look at the spot was asked of this role, and was taken."""
    owed = _OWED_ON_INCIDENT & set(INCIDENT.actions(incident.status, role))
    return owed == {"inspect"} and incident.inspection is not None


def _disputes(session: ReadOnly, actor: Actor) -> list[DisputeFile]:
    """Return disputes in which it is this person's turn."""
    if actor.role not in DISPUTE_READERS or actor.role in _LOOKS_ON:
        return []
    states = {*RUNNING_DISPUTES, DisputeStatus.EXECUTING}
    rows = docket.find_disputes(session, actor, statuses=states, limit=_MOST)
    files = [docket.show_dispute(session, actor, row.dispute.number) for row in rows]
    return [file for file in files if _turn(session, file, actor)]


# the secretariat sits with the governance centre; the platform may act for it
_LOOKS_ON = frozenset({Role.DISTRICT_PLATFORM, Role.AUDITOR, Role.TOWN_LEADER})
_TURNS = frozenset({"agree", "close", "decide", "meet", "negotiate", "sign_off"})


def _turn(session: ReadOnly, file: DisputeFile, actor: Actor) -> bool:
    verbs = {act.action for act in file.actions}
    if "state_position" in verbs:
        party = docket.seat_of(session, actor, file.dispute.area_code)
        if party is not None and file.positions.get(party) is None:
            return True
    talked = file.dispute.status is DisputeStatus.NEGOTIATING
    return bool(verbs & (_TURNS | {"coordinate"} if talked else _TURNS))


def _places(session: ReadOnly, actor: Actor, now: datetime) -> list[PlaceRow]:
    """Return recurrent problem points at which it is this person's turn: to confirm, to plan, to finish as the lead.

    The others who may do the same at a place find it on the ledger.
    """
    turns: list[PlaceFilters] = []
    if actor.role in LEADERS:
        turns = [PlaceFilters(statuses=(PlaceStatus.SUSPECTED,))]
    elif actor.role in TOWN_DESKS:
        turns = [
            PlaceFilters(statuses=(PlaceStatus.RETURNED, PlaceStatus.CONFIRMED)),
            PlaceFilters(statuses=(PlaceStatus.TREATING,), lead=TOWN),
        ]
    elif actor.role is Role.DEPARTMENT_DUTY and (
        body := seat(session, actor, directory.district_of(session, actor) or "")
    ):
        turns = [PlaceFilters(statuses=(PlaceStatus.TREATING,), lead=body)]
    return [
        row
        for turn in turns
        for row in ledger.find_places(session, actor.scope, turn, now=now, limit=_MOST).items
    ][:_MOST]
