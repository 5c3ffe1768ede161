"""The life of a whistle at its three levels, as one table (rows W1 to W9).

Level 1 is blown for the community, level 2 for the town, level 3 for the district's departments. A whistle
level is never a level of the grid: the community's own grid tier is called `community`.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

from grids.rules.machine import Machine, Transition
from grids.rules.permissions import Role

__all__ = ["WHISTLE", "WhistleLevel", "WhistleStatus", "WhistleType"]


class WhistleLevel(IntEnum):
    """Who must act: the community, the town, the district's departments."""

    FIRST = 1
    SECOND = 2
    THIRD = 3


class WhistleType(StrEnum):
    """The three situations in which departments are called (Beijing's practice)."""

    COMPREHENSIVE = "comprehensive"
    JOINT_ENFORCEMENT = "joint_enforcement"
    EMERGENCY = "emergency"


class WhistleStatus(StrEnum):
    """Where a whistle stands; which states occur depends on its level."""

    BLOWN = "blown"
    HANDLING = "handling"
    SOLVED = "solved"
    ESCALATED = "escalated"
    FILED = "filed"
    TASKED = "tasked"
    ESCALATION_APPLIED = "escalation_applied"
    RETURNED_TO_COMMUNITY = "returned_to_community"
    DRAFTED = "drafted"
    PENDING_CONFIRM = "pending_confirm"
    ISSUED = "issued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    VERIFIED = "verified"
    SCORED = "scored"
    ARCHIVED = "archived"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


_S = WhistleStatus
_R = Role
_TOWN = {_R.TOWN_OFFICE, _R.TOWN_GRID_CENTRE}
_DISTRICT = {_R.DISTRICT_PLATFORM, _R.DISTRICT_LEADER}
_OUT = {_S.ISSUED, _S.IN_PROGRESS}
_CALLED = _OUT | {_S.COMPLETED, _S.VERIFIED, _S.SCORED, _S.ARCHIVED}
_DESKS = {_R.TOWN_GRID_CENTRE, _R.DISTRICT_PLATFORM, _R.HOTLINE_DESK, _R.SYSTEM}


def _row(
    row: str,
    level: int,
    action: str,
    sources: set[WhistleStatus],
    target: WhistleStatus | None,
    roles: set[Role],
) -> Transition[WhistleStatus]:
    return Transition(row, action, frozenset(sources), target, frozenset(roles), level=level)


WHISTLE: Machine[WhistleStatus] = Machine(
    "whistle",
    (
        _row("W1", 1, "blow", set(), _S.BLOWN, {_R.GRID_WORKER, _R.BUILDING_LEADER, _R.SYSTEM}),
        _row("W2", 1, "answer", {_S.BLOWN}, _S.HANDLING, {_R.GRID_LEADER}),
        _row("W2", 1, "solve", {_S.BLOWN, _S.HANDLING}, _S.SOLVED, {_R.GRID_LEADER}),
        _row("W2", 1, "escalate", {_S.BLOWN, _S.HANDLING}, _S.ESCALATED, {_R.GRID_LEADER, _R.SYSTEM}),
        _row("W2", 1, "rework", {_S.SOLVED}, _S.HANDLING, {_R.SYSTEM}),
        # the incident was merged into another, or is no more: its whistles end with it
        _row("I5", 1, "withdraw", {_S.BLOWN, _S.HANDLING}, _S.WITHDRAWN, {_R.SYSTEM}),
        _row("W3", 2, "blow", set(), _S.BLOWN, {_R.GRID_LEADER, _R.TOWN_GRID_CENTRE, _R.SYSTEM}),
        # two tracks: somebody of the town goes to the community, and the town's centre files it
        _row("W3", 2, "name_liaison", {_S.BLOWN, _S.FILED, _S.TASKED}, None, _TOWN),
        _row("W3", 2, "file", {_S.BLOWN}, _S.FILED, {_R.TOWN_GRID_CENTRE}),
        _row("W4", 2, "assign", {_S.FILED}, _S.TASKED, {_R.TOWN_GRID_CENTRE}),
        _row("W4", 2, "solve", {_S.TASKED}, _S.SOLVED, {_R.TOWN_OFFICE}),
        _row("W4", 2, "rework", {_S.SOLVED}, _S.TASKED, {_R.SYSTEM}),
        _row("W4", 2, "hand_back", {_S.FILED, _S.TASKED}, _S.RETURNED_TO_COMMUNITY, {_R.TOWN_GRID_CENTRE}),
        _row("W5", 2, "escalate", {_S.FILED, _S.TASKED}, _S.ESCALATION_APPLIED, _TOWN | {_R.SYSTEM}),
        # the main leader said no, or the town took it back: the town keeps the case, where it stood
        _row("W6", 2, "keep", {_S.ESCALATION_APPLIED}, _S.TASKED, {_R.SYSTEM}),
        _row("W6", 2, "keep_filed", {_S.ESCALATION_APPLIED}, _S.FILED, {_R.SYSTEM}),
        _row("I5", 2, "withdraw", {_S.BLOWN, _S.FILED, _S.TASKED}, _S.WITHDRAWN, {_R.SYSTEM}),
        _row("W5", 3, "draft", set(), _S.DRAFTED, _TOWN | {_R.SYSTEM}),
        _row("W5", 3, "submit", {_S.DRAFTED}, _S.PENDING_CONFIRM, _TOWN),
        _row("W6", 3, "confirm", {_S.PENDING_CONFIRM}, _S.ISSUED, {_R.TOWN_LEADER}),
        # an emergency: the leader said so by phone, and writes it within a day
        _row("W6", 3, "confirm_by_phone", {_S.PENDING_CONFIRM}, _S.ISSUED, _TOWN),
        _row("W6", 3, "write_confirmation", _CALLED, None, {_R.TOWN_LEADER}),
        # nobody confirmed in time: the district does, and says why
        _row("W6", 3, "confirm_instead", {_S.PENDING_CONFIRM}, _S.ISSUED, _DISTRICT),
        _row("W6", 3, "refuse", {_S.PENDING_CONFIRM}, _S.REFUSED, {_R.TOWN_LEADER}),
        # a task for each department that has none yet: by the system at once, by a desk if one was added
        _row("W7", 3, "issue", _OUT, None, _DESKS),
        # the departments under it are changed; where every task was sent back the town drafts anew
        _row("T12", 3, "change_departments", _OUT, None, {_R.DISTRICT_PLATFORM, _R.SYSTEM}),
        # a dispute was decided before anybody was called
        _row("T12", 3, "change_departments", {_S.DRAFTED, _S.PENDING_CONFIRM}, None, {_R.SYSTEM}),
        _row("T12", 3, "redraft", _OUT, _S.DRAFTED, {_R.SYSTEM}),
        # what the departments did together at the place, and what the town does after it
        _row("T6", 3, "end_action", {_S.IN_PROGRESS}, None, _TOWN | {_R.DEPARTMENT_DUTY, _R.SYSTEM}),
        _row("T6", 3, "follow_up", _CALLED - {_S.ISSUED, _S.ARCHIVED}, None, _TOWN),
        _row("W8", 3, "progress", {_S.ISSUED}, _S.IN_PROGRESS, {_R.SYSTEM}),
        _row("W8", 3, "complete", {_S.IN_PROGRESS}, _S.COMPLETED, {_R.SYSTEM}),
        _row("W8", 3, "verify", {_S.COMPLETED}, _S.VERIFIED, _TOWN),
        _row(
            "W8",
            3,
            "rework",
            {_S.COMPLETED, _S.VERIFIED, _S.SCORED, _S.ARCHIVED},
            _S.IN_PROGRESS,
            {_R.SYSTEM},
        ),
        _row("W8", 3, "score", {_S.VERIFIED}, _S.SCORED, {_R.SYSTEM}),
        _row("W8", 3, "archive", {_S.SCORED}, _S.ARCHIVED, {_R.TOWN_GRID_CENTRE}),
        # before anybody came; the reason counts in how well the town whistles
        _row("W9", 3, "withdraw", {_S.DRAFTED, _S.PENDING_CONFIRM} | _OUT, _S.WITHDRAWN, _TOWN),
        _row("I5", 3, "withdraw", {_S.DRAFTED, _S.PENDING_CONFIRM}, _S.WITHDRAWN, {_R.SYSTEM}),
        # the case was closed from the ledger: whoever still had a part is let go
        _row("I13", 3, "withdraw", _OUT, _S.WITHDRAWN, {_R.SYSTEM}),
    ),
)
