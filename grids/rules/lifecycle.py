"""The life of an incident, from the report to the closed case, as one table (rows I1 to I14)."""

from __future__ import annotations

from enum import StrEnum

from grids.rules.machine import Machine, Transition
from grids.rules.permissions import Role

__all__ = ["INCIDENT", "OPEN_STATUSES", "Channel", "IncidentStatus"]


class IncidentStatus(StrEnum):
    """Where an incident stands. Overdue is no status: it is a mark beside it."""

    REPORTED = "reported"
    TO_VERIFY = "to_verify"
    ACCEPTED = "accepted"
    HANDLING = "handling"
    SUSPENDED = "suspended"
    RESOLVED = "resolved"
    VERIFIED = "verified"
    CLOSED = "closed"
    REJECTED = "rejected"
    MERGED = "merged"
    LEDGER = "ledger"
    CANCELLED = "cancelled"


class Channel(StrEnum):
    """The way an incident came in."""

    CITIZEN = "citizen"
    GRID_WORKER = "grid_worker"
    BUILDING_LEADER = "building_leader"
    HOTLINE = "hotline"
    PATROL = "patrol"
    SENSOR = "sensor"


_S = IncidentStatus
_ANYBODY = frozenset(Role) - {Role.AUDITOR}
_CENTRE = frozenset({Role.TOWN_GRID_CENTRE})
_SYSTEM = frozenset({Role.SYSTEM})
_PLATFORM = frozenset({Role.DISTRICT_PLATFORM})

OPEN_STATUSES = frozenset(
    {_S.REPORTED, _S.TO_VERIFY, _S.ACCEPTED, _S.HANDLING, _S.SUSPENDED, _S.RESOLVED, _S.VERIFIED}
)


def _row(
    row: str,
    action: str,
    sources: set[IncidentStatus],
    target: IncidentStatus,
    roles: frozenset[Role] | set[Role],
    *,
    offered: bool = True,
) -> Transition[IncidentStatus]:
    return Transition(row, action, frozenset(sources), target, frozenset(roles), offered=offered)


INCIDENT: Machine[IncidentStatus] = Machine(
    "incident",
    (
        _row("I1", "report", set(), _S.REPORTED, _ANYBODY),
        # history of another system: its steps are not ours to invent, so it arrives in its last state
        _row("I1", "import_open", set(), _S.REPORTED, {Role.SYSTEM}),
        _row("I1", "import_closed", set(), _S.CLOSED, {Role.SYSTEM}),
        # a point outside every grid waits for a person who knows the place
        _row(
            "I1",
            "place",
            {_S.REPORTED},
            _S.REPORTED,
            {Role.HOTLINE_DESK, Role.DISTRICT_PLATFORM, Role.TOWN_GRID_CENTRE},
        ),
        _row("I2", "send_to_verify", {_S.REPORTED}, _S.TO_VERIFY, _SYSTEM, offered=False),
        _row(
            "I3",
            "accept",
            {_S.REPORTED, _S.TO_VERIFY},
            _S.ACCEPTED,
            {Role.GRID_WORKER, Role.TOWN_GRID_CENTRE},
        ),
        _row("I4", "reject", {_S.REPORTED, _S.TO_VERIFY}, _S.REJECTED, _CENTRE, offered=False),
        _row(
            "I5",
            "merge",
            {_S.REPORTED, _S.TO_VERIFY, _S.ACCEPTED, _S.HANDLING},
            _S.MERGED,
            _CENTRE,
            offered=False,
        ),
        _row("I6", "start", {_S.ACCEPTED}, _S.HANDLING, _SYSTEM),
        _row(
            "I7",
            "climb",
            {_S.HANDLING},
            _S.HANDLING,
            {Role.SYSTEM, Role.GRID_LEADER, Role.TOWN_OFFICE, Role.TOWN_GRID_CENTRE},
        ),
        _row(
            "I8",
            "suspend",
            {_S.HANDLING},
            _S.SUSPENDED,
            {Role.TOWN_GRID_CENTRE, Role.DISTRICT_PLATFORM},
            offered=False,
        ),
        _row(
            "I8",
            "resume",
            {_S.SUSPENDED},
            _S.HANDLING,
            {Role.SYSTEM, Role.TOWN_GRID_CENTRE, Role.DISTRICT_PLATFORM},
            offered=False,
        ),
        _row(
            "I9",
            "resolve",
            {_S.HANDLING},
            _S.RESOLVED,
            {Role.GRID_LEADER, Role.TOWN_OFFICE, Role.SYSTEM},
        ),
        _row("I10", "verify", {_S.RESOLVED}, _S.VERIFIED, {Role.GRID_WORKER, Role.TOWN_OFFICE}),
        # by the system where the town sends a department's part back
        _row("I10", "rework", {_S.RESOLVED}, _S.HANDLING, {Role.GRID_WORKER, Role.TOWN_OFFICE, Role.SYSTEM}),
        _row(
            "I11",
            "callback",
            {_S.VERIFIED},
            _S.VERIFIED,
            {Role.CALLBACK_OFFICER, Role.HOTLINE_DESK},
        ),
        _row(
            "I11", "close", {_S.VERIFIED}, _S.CLOSED, {Role.CALLBACK_OFFICER, Role.HOTLINE_DESK, Role.SYSTEM}
        ),
        _row(
            "I12",
            "reopen",
            {_S.CLOSED},
            _S.HANDLING,
            {Role.CALLBACK_OFFICER, Role.HOTLINE_DESK, Role.GOVERNANCE_CENTRE, Role.SYSTEM},
        ),
        _row("I13", "ledger", {_S.HANDLING}, _S.LEDGER, _PLATFORM, offered=False),
        _row("I13", "take_up", {_S.LEDGER}, _S.HANDLING, _PLATFORM, offered=False),
        _row("I13", "close_ledger", {_S.LEDGER}, _S.CLOSED, _PLATFORM, offered=False),
        _row(
            "I14",
            "cancel",
            {_S.REPORTED, _S.TO_VERIFY, _S.ACCEPTED, _S.HANDLING},
            _S.CANCELLED,
            _CENTRE | {Role.CITIZEN, Role.HOTLINE_DESK},
            offered=False,
        ),
    ),
)
