"""What a person may do with a case now: what the state tables allow and no use case refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from grids.acts.confirming import has_come
from grids.rules.disputes import DISPUTABLE, DISPUTE, Stand, obstacle
from grids.rules.grading import Grade
from grids.rules.levels import CODE_LENGTH, GridLevel
from grids.rules.lifecycle import INCIDENT, IncidentStatus, Inspection, may_reopen
from grids.rules.pauses import ASKED_BY, DECIDED_BY, HELD, WAITING
from grids.rules.permissions import Actor, Role
from grids.rules.presence import Presence
from grids.rules.profiles import kept_by
from grids.rules.tasks import DONE_STATUSES, LET_GO, TASK, TaskRole
from grids.rules.whistles import WHISTLE, WhistleStatus, WhistleType
from grids.standing import Standing
from grids.tables import Incident, Placement, Task, Whistle

__all__ = ["Action", "actions", "on_dispute"]


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
    actor: Actor,
    incident: Incident,
    whistles: Sequence[Whistle],
    tasks: Sequence[Task],
    standing: Standing,
    now: datetime | None = None,
) -> tuple[Action, ...]:
    """Return what this person may do with a case now.

    whistles, tasks : of the case, or one whistle of it with all tasks under that. standing : of the case. now :
    for what time forbids; without it, that is offered too.
    """
    case = _Seen(actor, incident, tuple(whistles), tuple(tasks), standing, now)
    found: list[Action] = []
    if actor.scope.covers(incident.grid_code):
        found += _on_incident(case)
        for whistle in whistles:
            found += _on_whistle(case, whistle)
    elif actor.role is Role.DEPARTMENT_DUTY:
        for whistle in whistles:
            found += _on_whistle_as_lead(case, whistle)
        if "ask_suspension" not in _pause_refused(case):
            found += [
                Action(INCIDENT.name, incident.number, verb)
                for verb in INCIDENT.actions(incident.status, actor.role)
                if verb == "ask_suspension"
            ]
    for task in tasks:
        found += _on_task(case, task)
    if incident.status in WAITING:
        found = [act for act in found if act.action not in HELD.get(act.machine, ())]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A case as one person sees it."""

    actor: Actor
    incident: Incident
    whistles: tuple[Whistle, ...]
    tasks: tuple[Task, ...]
    standing: Standing
    now: datetime | None


def _on_incident(case: _Seen) -> list[Action]:
    incident = case.incident
    refused = _refused(case) | _FOLLOWS
    verbs = INCIDENT.actions(incident.status, case.actor.role)
    return [Action(INCIDENT.name, incident.number, verb) for verb in verbs if verb not in refused]


def _on_whistle(case: _Seen, whistle: Whistle) -> list[Action]:
    role = case.actor.role
    verbs: list[str] = []
    if case.incident.status is IncidentStatus.HANDLING or whistle.level == 3:
        verbs += [v for v in WHISTLE.actions(whistle.status, role, level=whistle.level) if v != "issue"]
    if whistle.status is WhistleStatus.IN_PROGRESS and role in _TOWN and not _parts_open(whistle, case.tasks):
        verbs.append("verify")
    refused = _together_refused(case, whistle) | _whistle_refused(case, whistle)
    return [Action(WHISTLE.name, whistle.number, verb) for verb in verbs if verb not in refused]


def _whistle_refused(case: _Seen, whistle: Whistle) -> set[str]:
    """Return acts on a whistle that its state allows and its own circumstances forbid now."""
    refused: set[str] = set()
    if whistle.type is not WhistleType.EMERGENCY:
        refused.add("confirm_by_phone")
    if whistle.confirmed_by_phone is None or whistle.written_at is not None:
        refused.add("write_confirmation")
    if whistle.id not in case.standing.confirms_late:
        refused.add("confirm_instead")
    if any(task.whistle_id == whistle.id and has_come(task) for task in case.tasks):
        refused.add("withdraw")
    if len(case.incident.grid_code) < CODE_LENGTH[GridLevel.COMMUNITY]:
        refused.add("hand_back")
    return refused


def _on_whistle_as_lead(case: _Seen, whistle: Whistle) -> list[Action]:
    """Return what the department that leads under a whistle does for all of them."""
    mine = any(
        task.whistle_id == whistle.id
        and task.department_id == case.actor.department_id
        and task.role is TaskRole.LEAD
        and task.status not in LET_GO
        for task in case.tasks
    )
    verbs = WHISTLE.actions(whistle.status, case.actor.role, level=whistle.level) if mine else ()
    refused = _together_refused(case, whistle)
    return [Action(WHISTLE.name, whistle.number, verb) for verb in verbs if verb not in refused]


def _on_task(case: _Seen, task: Task) -> list[Action]:
    actor, standing = case.actor, case.standing
    mine = actor.department_id == task.department_id
    if actor.role is Role.DEPARTMENT_DUTY and not mine:
        only = {"score_peer"} if _leads_over(actor, task, case.tasks) else set()
        only -= {"score_peer"} if task.id in standing.peer_marked else set()
        return [
            Action(TASK.name, str(task.id), verb)
            for verb in TASK.actions(task.status, actor.role)
            if verb in only
        ]
    if not mine and not actor.scope.covers(case.incident.grid_code):
        return []
    # with the whole whistle: by verifying it, by changing its departments; a mark by the lead is above; a return is
    # granted or not by one act
    refused = {"accept", "change_role", "score_peer", "send_back", "send_back_responded", "withdraw"}
    if task.role is TaskRole.LEAD and _others_open(task, case.tasks):
        refused.add("complete")
    if task.role is not TaskRole.LEAD and _waits_for_lead(task, case.tasks):
        refused.add("start")
    refused |= _town_word_refused(task)
    over = any(w.id == task.whistle_id and w.round != case.incident.round for w in case.whistles)
    if case.incident.status not in _AT_WORK or over:
        refused.add("rework")
    too_late = case.now is not None and case.now > standing.appeal_until.get(task.id, case.now)
    if task.id in standing.appealed or too_late:
        refused.add("appeal")
    if task.id not in standing.appeals_asked:
        refused.add("decide_appeal")
    if task.id not in standing.returns_asked:
        refused.add("return")
    refused |= _extension_refused(case, task)
    if _no_dispute(case, task):
        refused.add("dispute")
    return [
        Action(TASK.name, str(task.id), verb)
        for verb in TASK.actions(task.status, actor.role)
        if verb not in refused
    ]


def on_dispute(actor: Actor, party: str | None, number: str, stand: Stand) -> tuple[Action, ...]:
    """Return what this person may do in a dispute now; party : as whom they speak in it."""
    verbs = DISPUTE.actions(stand.status, actor.role)
    return tuple(
        Action(DISPUTE.name, number, verb)
        for verb in verbs
        if obstacle(verb, stand, actor.role, party) is None
    )


def _no_dispute(case: _Seen, task: Task) -> bool:
    """Tell whether nobody disputes a duty from this task now: one dispute a case, told from the lead's by others."""
    others = case.actor.department_id != task.department_id and task.role is not TaskRole.LEAD
    over = any(w.id == task.whistle_id and w.round != case.incident.round for w in case.whistles)
    return case.standing.dispute is not None or case.incident.status not in DISPUTABLE or others or over


_TOWN = frozenset({Role.TOWN_OFFICE, Role.TOWN_GRID_CENTRE})
_AT_WORK = frozenset({IncidentStatus.HANDLING, IncidentStatus.RESOLVED})
_CALLED = frozenset({WhistleStatus.ISSUED, WhistleStatus.IN_PROGRESS})


def _refused(case: _Seen) -> set[str]:
    """Return acts on an incident that its state allows and its use cases refuse to this person now."""
    actor, incident = case.actor, case.incident
    refused = {"accept", "reopen"} if incident.placement is Placement.OUTSIDE else {"place"}
    if incident.category_code is None:
        refused.add("reopen")
    if actor.person_id in case.standing.hands:
        refused |= {"verify", "rework"}
    if any(whistle.status in _CALLED and whistle.round == incident.round for whistle in case.whistles):
        refused.add("verify")
    if incident.inspection not in (None, Inspection.UNABLE):
        refused.add("inspect")
    if any(
        whistle.issued_at is not None and whistle.status is not WhistleStatus.WITHDRAWN
        for whistle in case.whistles
    ):
        refused |= {"merge", "cancel"}
    if case.standing.joined:
        refused.add("cancel")
    if actor.role is Role.CITIZEN and incident.reported_by_id != actor.person_id:
        refused |= {"cancel", "reopen"}
    if incident.grade is Grade.RED and actor.role is not Role.DISTRICT_PLATFORM:
        refused.add("regrade")
    within = timedelta(days=kept_by(incident.limits).reopen_days)
    if case.now is not None and not may_reopen(actor.role, incident.closed_at, case.now, within):
        refused.add("reopen")
    return refused | _pause_refused(case)


def _pause_refused(case: _Seen) -> set[str]:
    """Return which of the acts about a suspension are not this person's now, or nobody's."""
    actor, standing = case.actor, case.standing
    refused: set[str] = set()
    if actor.role is not DECIDED_BY[standing.level]:
        refused |= {"suspend", "refuse_suspension", "resume"}
    asks = actor.role is ASKED_BY[standing.level]
    if actor.role is Role.DEPARTMENT_DUTY:
        asks = asks and actor.department_id in standing.parts
    if not asks or standing.suspension_asked:
        refused.add("ask_suspension")
    if not standing.suspension_asked:
        refused.add("refuse_suspension")
    due = [task.due_at for task in case.tasks if task.status not in DONE_STATUSES | LET_GO]
    if case.incident.due_effective is not None:
        due.append(case.incident.due_effective)
    late = case.now is not None and any(moment < case.now for moment in due)
    if case.incident.grade is Grade.RED or standing.overdue or late:
        refused |= {"ask_suspension", "suspend"}
    return refused


def _extension_refused(case: _Seen, task: Task) -> set[str]:
    """Return what of an extension is not to be asked for, or decided, now."""
    refused = set() if task.id in case.standing.extensions_asked else {"grant_extension", "refuse_extension"}
    times = kept_by(case.incident.limits).extension_times
    late = task.first_overdue_at is not None or (case.now is not None and task.due_at < case.now)
    used_up = case.standing.extended[task.id] >= times
    if case.incident.grade is Grade.RED or late or used_up or task.id in case.standing.extensions_asked:
        refused.add("extend")
    return refused


def _town_word_refused(task: Task) -> set[str]:
    """Return what the town need not say of a department's coming: nobody claims it, or the town has said it."""
    refused = set()
    if task.presence not in (Presence.CLAIMED, Presence.CONTRADICTED):
        refused.add("confirm_presence")
    if task.presence not in (Presence.CLAIMED, Presence.CONFIRMED):
        refused.add("deny_presence")
    return refused


def _waits_for_lead(task: Task, tasks: Sequence[Task]) -> bool:
    """Tell whether the lead will begin for this department too: it is on its way, or there and has not begun."""
    return any(
        lead.role is TaskRole.LEAD
        and lead.whistle_id == task.whistle_id
        and lead.started_at is None
        and lead.status not in LET_GO | DONE_STATUSES
        and lead.presence not in (Presence.NO_SHOW, Presence.CONTRADICTED)
        for lead in tasks
    )


def _together_refused(case: _Seen, whistle: Whistle) -> set[str]:
    """Return what is not to be said of a joint action: none runs, none was begun, or another says it."""
    refused = set() if whistle.id in case.standing.acting else {"end_action"}
    if whistle.id not in case.standing.acted:
        refused.add("follow_up")
    return refused


def _leads_over(actor: Actor, task: Task, tasks: Sequence[Task]) -> bool:
    """Tell whether the actor's department leads the whistle in which this task cooperates."""
    return any(
        lead.role is TaskRole.LEAD
        and lead.whistle_id == task.whistle_id
        and lead.department_id == actor.department_id
        and lead.status not in LET_GO
        for lead in tasks
    )


def _parts_open(whistle: Whistle, tasks: Sequence[Task]) -> bool:
    return any(task.status not in DONE_STATUSES | LET_GO for task in tasks if task.whistle_id == whistle.id)


def _others_open(lead: Task, tasks: Sequence[Task]) -> bool:
    return any(
        task.status not in DONE_STATUSES | LET_GO
        for task in tasks
        if task.whistle_id == lead.whistle_id and task is not lead
    )
