"""The life of a department's task under a level-3 whistle, as one table (rows T1 to T13)."""

from __future__ import annotations

from enum import StrEnum

from grids.rules.machine import Machine, Transition
from grids.rules.permissions import Role

__all__ = ["DONE_STATUSES", "TASK", "CheckInMethod", "TaskRole", "TaskStatus"]


class TaskStatus(StrEnum):
    """Where a department's task stands. A duty dispute is a flag beside it, never a state."""

    PENDING_RESPONSE = "pending_response"
    RESPONDED = "responded"
    CHECKED_IN = "checked_in"
    IN_ACTION = "in_action"
    COMPLETED = "completed"
    REWORK = "rework"
    ACCEPTED_OK = "accepted_ok"
    SCORED = "scored"
    RETURN_REQUESTED = "return_requested"
    RETURNED = "returned"
    SUSPENDED = "suspended"


class TaskRole(StrEnum):
    """A department leads or cooperates; a whistle has exactly one lead."""

    LEAD = "lead"
    COOPERATING = "cooperating"


class CheckInMethod(StrEnum):
    """How presence was established."""

    GPS = "gps"
    QR = "qr"
    MANUAL = "manual"


_S = TaskStatus
_R = Role
_DUTY = {_R.DEPARTMENT_DUTY}
_TOWN = {_R.TOWN_OFFICE, _R.TOWN_GRID_CENTRE}
_DECIDE = {_R.TOWN_GRID_CENTRE, _R.DISTRICT_PLATFORM}
DONE_STATUSES = frozenset({_S.COMPLETED, _S.ACCEPTED_OK, _S.SCORED})
"""The department has done its part, whatever the town thinks of it."""

_OPEN = {_S.PENDING_RESPONSE, _S.RESPONDED, _S.CHECKED_IN, _S.IN_ACTION, _S.REWORK}


def _row(
    row: str,
    action: str,
    sources: set[TaskStatus],
    target: TaskStatus,
    roles: set[Role],
    *,
    offered: bool = True,
) -> Transition[TaskStatus]:
    return Transition(row, action, frozenset(sources), target, frozenset(roles), offered=offered)


TASK: Machine[TaskStatus] = Machine(
    "task",
    (
        _row("W7", "issue", set(), _S.PENDING_RESPONSE, {_R.SYSTEM}),
        _row("T1", "respond", {_S.PENDING_RESPONSE}, _S.RESPONDED, _DUTY),
        _row(
            "T2",
            "request_return",
            {_S.PENDING_RESPONSE, _S.RESPONDED},
            _S.RETURN_REQUESTED,
            _DUTY,
            offered=False,
        ),
        _row("T3", "return", {_S.RETURN_REQUESTED}, _S.RETURNED, _DECIDE, offered=False),
        _row("T3", "send_back", {_S.RETURN_REQUESTED}, _S.PENDING_RESPONSE, _DECIDE, offered=False),
        *(_row("T4", "dispute", {state}, state, _DUTY, offered=False) for state in sorted(_OPEN)),
        _row("T5", "check_in", {_S.RESPONDED}, _S.CHECKED_IN, _DUTY | _TOWN),
        _row("T6", "start", {_S.CHECKED_IN}, _S.IN_ACTION, _DUTY),
        _row("T7", "complete", {_S.IN_ACTION, _S.REWORK}, _S.COMPLETED, _DUTY),
        _row("T8", "accept", {_S.COMPLETED}, _S.ACCEPTED_OK, _TOWN),
        _row("T8", "rework", {_S.COMPLETED, _S.ACCEPTED_OK}, _S.REWORK, _TOWN | {_R.SYSTEM}),
        # the whole case failed its check: what was scored is done and scored anew
        _row("T8", "rework", {_S.SCORED}, _S.REWORK, {_R.SYSTEM}),
        *(_row("T9", "extend", {state}, state, _DUTY, offered=False) for state in sorted(_OPEN)),
        _row("T10", "score", {_S.ACCEPTED_OK}, _S.SCORED, {_R.TOWN_OFFICE}),
        _row("T10", "appeal", {_S.SCORED}, _S.SCORED, _DUTY, offered=False),
        *(_row("T11", "nudge", {state}, state, {_R.SYSTEM}, offered=False) for state in sorted(_OPEN)),
        *(
            _row("T12", "change_role", {state}, state, {_R.DISTRICT_PLATFORM}, offered=False)
            for state in sorted(_OPEN)
        ),
        _row("T13", "start_remote", {_S.RESPONDED}, _S.IN_ACTION, _TOWN, offered=False),
        _row("T8", "suspend", {_S.IN_ACTION}, _S.SUSPENDED, _DECIDE, offered=False),
        _row("T8", "resume", {_S.SUSPENDED}, _S.IN_ACTION, _DECIDE | {_R.SYSTEM}, offered=False),
    ),
)
