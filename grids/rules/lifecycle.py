"""The life of an incident, from the report to the closed case, as one table (rows I1 to I14)."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from grids.rules.calendar import local_day
from grids.rules.machine import Machine, Transition
from grids.rules.permissions import Role

__all__ = [
    "INCIDENT",
    "OPEN_STATUSES",
    "REOPEN_WITHIN",
    "UNCOUNTED_STATUSES",
    "Channel",
    "IncidentStatus",
    "Inspection",
    "RejectReason",
    "VerifiedHow",
    "may_reopen",
]


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


class Inspection(StrEnum):
    """What the cell's worker found where the public reported something."""

    EXIST = "exist"
    NOT_EXIST = "not_exist"
    UNABLE = "unable"


class RejectReason(StrEnum):
    """Why a report is not taken up; the reporter is told."""

    NOT_EXIST = "not_exist"
    OUT_OF_AREA = "out_of_area"
    IN_LITIGATION = "in_litigation"
    EMERGENCY_LINE = "emergency_line"  # for 110, 119, 120
    DUPLICATE_CLOSED = "duplicate_closed"
    NO_CONTENT = "no_content"


class VerifiedHow(StrEnum):
    """By what a result was checked."""

    ON_SITE = "on_site"
    EXPERT = "expert"  # 专业评估
    SURVEY = "survey"  # residents were asked


_S = IncidentStatus
_ANYBODY = frozenset(Role) - {Role.AUDITOR}
_CENTRE = frozenset({Role.TOWN_GRID_CENTRE})
_SYSTEM = frozenset({Role.SYSTEM})
_PLATFORM = frozenset({Role.DISTRICT_PLATFORM})
_CHECKERS = frozenset({Role.GRID_WORKER, Role.TOWN_OFFICE, Role.TOWN_LEADER})

OPEN_STATUSES = frozenset(
    {_S.REPORTED, _S.TO_VERIFY, _S.ACCEPTED, _S.HANDLING, _S.SUSPENDED, _S.RESOLVED, _S.VERIFIED}
)

UNCOUNTED_STATUSES = frozenset({_S.MERGED, _S.REJECTED, _S.CANCELLED})
"""Cases that no figure counts: told twice, none of ours, or taken back."""


REOPEN_WITHIN = timedelta(days=15)
"""How long after the day of its closing a case is taken up again; later only by those who inspect."""


def _row(
    row: str,
    action: str,
    sources: set[IncidentStatus],
    target: IncidentStatus | None,
    roles: frozenset[Role] | set[Role],
) -> Transition[IncidentStatus]:
    return Transition(row, action, frozenset(sources), target, frozenset(roles))


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
            None,
            {Role.HOTLINE_DESK, Role.DISTRICT_PLATFORM, Role.TOWN_GRID_CENTRE},
        ),
        # what the public reports is looked at by the worker of the cell first
        _row("I2", "send_to_verify", {_S.REPORTED}, _S.TO_VERIFY, _SYSTEM),
        _row("I2", "inspect", {_S.TO_VERIFY}, None, {Role.GRID_WORKER, Role.BUILDING_LEADER}),
        _row(
            "I3",
            "accept",
            {_S.REPORTED, _S.TO_VERIFY},
            _S.ACCEPTED,
            {Role.GRID_WORKER, Role.TOWN_GRID_CENTRE},
        ),
        _row("I4", "reject", {_S.REPORTED, _S.TO_VERIFY}, _S.REJECTED, _CENTRE),
        _row("I5", "merge", {_S.REPORTED, _S.TO_VERIFY, _S.ACCEPTED, _S.HANDLING}, _S.MERGED, _CENTRE),
        _row("I6", "start", {_S.ACCEPTED}, _S.HANDLING, _SYSTEM),
        _row(
            "I7",
            "climb",
            {_S.HANDLING},
            None,
            {Role.SYSTEM, Role.GRID_LEADER, Role.TOWN_OFFICE, Role.TOWN_GRID_CENTRE},
        ),
        _row("I7", "regrade", {_S.HANDLING}, None, _CENTRE | _PLATFORM | _SYSTEM),
        # asked for by whoever handles it, decided by the centre or, with departments at work, by the platform
        _row(
            "I8",
            "ask_suspension",
            {_S.HANDLING},
            None,
            {Role.GRID_LEADER, Role.TOWN_OFFICE, Role.DEPARTMENT_DUTY},
        ),
        _row("I8", "refuse_suspension", {_S.HANDLING}, None, _CENTRE | _PLATFORM),
        _row("I8", "suspend", {_S.HANDLING}, _S.SUSPENDED, _CENTRE | _PLATFORM),
        _row("I8", "resume", {_S.SUSPENDED}, _S.HANDLING, _SYSTEM | _CENTRE | _PLATFORM),
        _row(
            "I9",
            "resolve",
            {_S.HANDLING},
            _S.RESOLVED,
            {Role.GRID_LEADER, Role.TOWN_OFFICE, Role.SYSTEM},
        ),
        # by the town's leader too: where one office person did it and no worker is there, nobody else could
        _row("I10", "verify", {_S.RESOLVED}, _S.VERIFIED, _CHECKERS),
        # by the system where the town sends a department's part back
        _row("I10", "rework", {_S.RESOLVED}, _S.HANDLING, _CHECKERS | _SYSTEM),
        _row(
            "I11",
            "callback",
            {_S.VERIFIED},
            None,
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
            {
                Role.CITIZEN,
                Role.CALLBACK_OFFICER,
                Role.HOTLINE_DESK,
                Role.GOVERNANCE_CENTRE,
                Role.SYSTEM,
            },
        ),
        _row("I13", "ledger", {_S.HANDLING}, _S.LEDGER, _PLATFORM | {Role.DISTRICT_LEADER}),
        _row("I13", "review_ledger", {_S.LEDGER}, None, _PLATFORM | {Role.DISTRICT_LEADER}),
        _row("I13", "take_up", {_S.LEDGER}, _S.HANDLING, _PLATFORM | {Role.DISTRICT_LEADER}),
        _row("I13", "close_ledger", {_S.LEDGER}, _S.CLOSED, _PLATFORM | {Role.DISTRICT_LEADER}),
        # before departments were called
        _row(
            "I14",
            "cancel",
            {_S.REPORTED, _S.TO_VERIFY, _S.ACCEPTED, _S.HANDLING},
            _S.CANCELLED,
            _CENTRE | {Role.CITIZEN, Role.HOTLINE_DESK},
        ),
    ),
)


def may_reopen(
    role: Role, closed_at: datetime | None, now: datetime, within: timedelta = REOPEN_WITHIN
) -> bool:
    """Tell whether a case that was closed then may still be taken up again; those who inspect always may."""
    if role is Role.GOVERNANCE_CENTRE or closed_at is None:
        return True
    return local_day(now) <= local_day(closed_at) + within
