"""The life of a department's task under a level-3 whistle, as one table (rows T1 to T13)."""

from __future__ import annotations

from enum import StrEnum

from grids.rules.machine import Machine, Transition
from grids.rules.permissions import Role

__all__ = ["DONE_STATUSES", "LET_GO", "TASK", "CheckInMethod", "TaskRole", "TaskStatus"]


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
    WITHDRAWN = "withdrawn"  # let go: the whistle was withdrawn, or another department does it


class TaskRole(StrEnum):
    """A department leads or cooperates; a whistle has exactly one lead."""

    LEAD = "lead"
    COOPERATING = "cooperating"


class CheckInMethod(StrEnum):
    """How presence was established."""

    GPS = "gps"
    QR = "qr"
    CODE = "code"  # the six digits that the town shows at the place
    MANUAL = "manual"


_S = TaskStatus
_R = Role
_DUTY = {_R.DEPARTMENT_DUTY}
_TOWN = {_R.TOWN_OFFICE, _R.TOWN_GRID_CENTRE}
_DECIDE = {_R.TOWN_GRID_CENTRE, _R.DISTRICT_PLATFORM}
DONE_STATUSES = frozenset({_S.COMPLETED, _S.ACCEPTED_OK, _S.SCORED})
"""The department has done its part, whatever the town thinks of it."""

LET_GO = frozenset({_S.RETURNED, _S.WITHDRAWN})
"""The department owes nothing more under this whistle."""

_AT_WORK = {_S.PENDING_RESPONSE, _S.RESPONDED, _S.CHECKED_IN, _S.IN_ACTION, _S.COMPLETED, _S.REWORK}
_OPEN = {_S.PENDING_RESPONSE, _S.RESPONDED, _S.CHECKED_IN, _S.IN_ACTION, _S.REWORK}


def _row(
    row: str,
    action: str,
    sources: set[TaskStatus],
    target: TaskStatus | None,
    roles: set[Role],
) -> Transition[TaskStatus]:
    return Transition(row, action, frozenset(sources), target, frozenset(roles))


TASK: Machine[TaskStatus] = Machine(
    "task",
    (
        _row("W7", "issue", set(), _S.PENDING_RESPONSE, {_R.SYSTEM}),
        _row("T1", "respond", {_S.PENDING_RESPONSE}, _S.RESPONDED, _DUTY),
        _row("T2", "request_return", {_S.PENDING_RESPONSE, _S.RESPONDED}, _S.RETURN_REQUESTED, _DUTY),
        _row("T3", "return", {_S.RETURN_REQUESTED}, _S.RETURNED, _DECIDE),
        # refused: it stands where it stood; by the system where it was asked for too late
        _row("T3", "send_back", {_S.RETURN_REQUESTED}, _S.PENDING_RESPONSE, _DECIDE | {_R.SYSTEM}),
        _row("T3", "send_back_responded", {_S.RETURN_REQUESTED}, _S.RESPONDED, _DECIDE | {_R.SYSTEM}),
        # a flag beside the state: duties and clocks go on
        _row(
            "T4",
            "dispute",
            _AT_WORK | {_S.RETURN_REQUESTED, _S.SUSPENDED},
            None,
            _DUTY | _TOWN | {_R.HOTLINE_DESK, _R.SYSTEM},
        ),
        _row("T4", "settle", set(TaskStatus) - LET_GO, None, {_R.SYSTEM}),
        _row("T5", "check_in", {_S.RESPONDED}, _S.CHECKED_IN, _DUTY | _TOWN),
        # the town's word on a check-in that the department made, and on one that nobody made
        _row("T5", "confirm_presence", _AT_WORK, None, _TOWN),
        _row("T5", "deny_presence", _AT_WORK, None, _TOWN),
        _row("T6", "start", {_S.CHECKED_IN}, _S.IN_ACTION, _DUTY),
        _row("T7", "complete", {_S.IN_ACTION, _S.REWORK}, _S.COMPLETED, _DUTY),
        _row("T8", "accept", {_S.COMPLETED}, _S.ACCEPTED_OK, _TOWN),
        _row("T8", "rework", {_S.COMPLETED, _S.ACCEPTED_OK}, _S.REWORK, _TOWN | {_R.SYSTEM}),
        # the whole case failed its check: what was scored is done and scored anew
        _row("T8", "rework", {_S.SCORED}, _S.REWORK, {_R.SYSTEM}),
        _row("T9", "extend", _OPEN, None, _DUTY),
        _row("T9", "grant_extension", _OPEN, None, _DECIDE),
        _row("T9", "refuse_extension", _OPEN, None, _DECIDE),
        _row("T10", "score", {_S.ACCEPTED_OK}, _S.SCORED, {_R.TOWN_OFFICE}),
        # the lead marks those who worked with it; four eyes correct a mark
        _row("T10", "score_peer", {_S.ACCEPTED_OK, _S.SCORED}, None, _DUTY),
        _row("T10", "appraise", {_S.ACCEPTED_OK}, _S.SCORED, {_R.SYSTEM}),
        _row("T10", "appeal", {_S.SCORED}, None, _DUTY),
        _row("T10", "decide_appeal", {_S.SCORED}, None, {_R.GOVERNANCE_CENTRE}),
        _row("T11", "nudge", _OPEN, None, _DECIDE | {_R.GOVERNANCE_CENTRE, _R.TOWN_OFFICE}),
        _row("T12", "change_role", set(TaskStatus) - LET_GO, None, {_R.DISTRICT_PLATFORM, _R.SYSTEM}),
        # by the system: the whistle was withdrawn, or what was decided names others
        _row(
            "T12",
            "withdraw",
            _OPEN | {_S.RETURN_REQUESTED, _S.SUSPENDED},
            _S.WITHDRAWN,
            {_R.DISTRICT_PLATFORM, _R.SYSTEM},
        ),
        # nobody has to come: a service, or work from afar
        _row("T13", "start_remote", {_S.RESPONDED}, _S.IN_ACTION, _TOWN),
        _row("I8", "suspend", {_S.IN_ACTION}, _S.SUSPENDED, {_R.SYSTEM}),
        _row("I8", "resume", {_S.SUSPENDED}, _S.IN_ACTION, {_R.SYSTEM}),
    ),
)
