"""The three slips of supervision (三单), by progress: 提示 reminds, 督办 supervises, 警示 warns.

A governance centre's published practice has the three slips, copies to leaders and filing with the discipline
body; from where on each is issued, and what answers it, are defaults of ours:

    remind      three quarters of the limit are used up, or nobody responded in time; answered by doing it
    supervise   overdue, or sent back for the second time; a written answer within a working day
    warn        overdue by as much again as the limit was (at least a day), or a slip was not answered; a written
                answer within a working day; copied to the district's leaders and to discipline
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from grids.rules.permissions import Role

__all__ = [
    "HANDLING",
    "Handling",
    "SlipCause",
    "SlipKind",
    "kind_for",
    "long_overdue_at",
    "progress_at",
]


class SlipKind(StrEnum):
    """How serious a slip is, mildest first."""

    REMIND = "remind"
    SUPERVISE = "supervise"
    WARN = "warn"


class SlipCause(StrEnum):
    """What a slip answers to."""

    PROGRESS = "progress"  # a share of the limit is used up
    NO_RESPONSE = "no_response"  # nobody answered in time
    OVERDUE = "overdue"
    REWORK = "rework"  # sent back again
    LONG_OVERDUE = "long_overdue"
    IGNORED = "ignored"  # an earlier slip was not answered
    BY_HAND = "by_hand"


@dataclass(frozen=True, slots=True)
class Handling:
    """What goes with a kind: its letter in the number, who gets a copy, whether a written answer is owed."""

    letter: str
    copies: tuple[Role, ...]
    answered: bool


_R = Role
HANDLING: Mapping[SlipKind, Handling] = MappingProxyType(
    {
        SlipKind.REMIND: Handling("T", (_R.TOWN_GRID_CENTRE,), answered=False),
        SlipKind.SUPERVISE: Handling("B", (_R.TOWN_LEADER, _R.DISTRICT_PLATFORM), answered=True),
        SlipKind.WARN: Handling(
            "J", (_R.TOWN_LEADER, _R.DISTRICT_LEADER, _R.GOVERNANCE_CENTRE), answered=True
        ),
    }
)

_KINDS: Mapping[SlipCause, SlipKind] = MappingProxyType(
    {
        SlipCause.PROGRESS: SlipKind.REMIND,
        SlipCause.NO_RESPONSE: SlipKind.REMIND,
        SlipCause.OVERDUE: SlipKind.SUPERVISE,
        SlipCause.REWORK: SlipKind.SUPERVISE,
        SlipCause.LONG_OVERDUE: SlipKind.WARN,
        SlipCause.IGNORED: SlipKind.WARN,
    }
)


def kind_for(cause: SlipCause) -> SlipKind:
    """Return which slip a cause leads to. What is issued by hand says its kind itself: `KeyError`."""
    return _KINDS[cause]


def progress_at(started_at: datetime, due_at: datetime, share: Decimal) -> datetime:
    """Return when a share of the time up to a due moment is used up; a due moment that moves gives time back."""
    whole = (due_at - started_at) // _TICK
    return started_at + int(whole * share) * _TICK


def long_overdue_at(started_at: datetime, due_at: datetime, least: timedelta) -> datetime:
    """Return when a thing is overdue by as much again as it had, and by `least` in any case."""
    return due_at + max(due_at - started_at, least)


_TICK = timedelta(microseconds=1)
