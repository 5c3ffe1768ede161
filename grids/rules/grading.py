"""How bad an incident is, in five colours, and how long each colour may last at most.

Two ceilings are published practice: red within 24 hours, nights included, and green within 3 working days (a
county-level city's governance centre). Those between are defaults of ours, to configure.
A grade may rise as more becomes known; it never falls by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from grids.rules.calendar import WorkCalendar
from grids.rules.limits import Limit, Unit, binding_limit

__all__ = [
    "CEILINGS",
    "RAISE_WHEN",
    "STATED",
    "Circumstances",
    "Grade",
    "RaiseReason",
    "RaiseWhen",
    "Timed",
    "limit_for",
    "limits_for",
    "raise_grade",
    "reasons_to_raise",
]


class Grade(StrEnum):
    """The colour of an incident, worst first."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    BLUE = "blue"
    GREEN = "green"

    @property
    def rank(self) -> int:
        """0 for red, the worst, to 4 for green."""
        return _WORST_FIRST.index(self)


_WORST_FIRST = tuple(Grade)

CEILINGS: Mapping[Grade, Limit] = MappingProxyType(
    {
        Grade.RED: Limit(24, Unit.NATURAL_HOUR),
        Grade.ORANGE: Limit(48, Unit.NATURAL_HOUR),
        Grade.YELLOW: Limit(2, Unit.WORK_DAY),
        Grade.BLUE: Limit(3, Unit.WORK_DAY),
        Grade.GREEN: Limit(3, Unit.WORK_DAY),
    }
)
"""The longest that handling may take in each colour, unless the category is a long process."""


class RaiseReason(StrEnum):
    """Why an incident is worse than its category says."""

    CASUALTIES = "casualties"
    TRAPPED = "trapped"
    FIRE = "fire"
    NEAR_SCHOOL_OR_HOSPITAL = "near_school_or_hospital"
    RAIN_WARNING = "rain_warning"
    MANY_REPORTERS = "many_reporters"
    KEEPS_RETURNING = "keeps_returning"


TO_RED = frozenset({RaiseReason.CASUALTIES, RaiseReason.TRAPPED, RaiseReason.FIRE})

STATED = TO_RED | {RaiseReason.NEAR_SCHOOL_OR_HOSPITAL, RaiseReason.RAIN_WARNING}
"""What a person says of a case; the other reasons the system finds by itself."""


@dataclass(frozen=True, slots=True)
class RaiseWhen:
    """From where on a circumstance raises the grade; defaults of ours, to configure."""

    school_or_hospital_within_m: float = 100.0
    reporters: int = 5
    times_in_30_days: int = 3


RAISE_WHEN = RaiseWhen()


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of one incident besides its category.

    school_or_hospital_m : metres to the nearest one, None when unknown or far.
    rain_warning : a rain warning is in force at the place; counts for waterlogging only.
    reporters : people who reported it, merged duplicates included.
    times_in_30_days : how often this category happened at this place in 30 days, this time included.
    """

    casualties: bool = False
    trapped: bool = False
    fire: bool = False
    school_or_hospital_m: float | None = None
    waterlogging: bool = False
    rain_warning: bool = False
    reporters: int = 1
    times_in_30_days: int = 1


class Timed(Protocol):
    """What `limit_for` needs of a category."""

    @property
    def handle_limit(self) -> Limit:
        """The limit that the category sets for handling."""

    @property
    def long_process(self) -> bool:
        """True where the law needs longer than any colour allows (demolition, land)."""


def reasons_to_raise(facts: Circumstances, when: RaiseWhen = RAISE_WHEN) -> tuple[RaiseReason, ...]:
    """Return every reason that the circumstances give to raise a grade, in the order of `RaiseReason`."""
    distance = facts.school_or_hospital_m
    holds = {
        RaiseReason.CASUALTIES: facts.casualties,
        RaiseReason.TRAPPED: facts.trapped,
        RaiseReason.FIRE: facts.fire,
        RaiseReason.NEAR_SCHOOL_OR_HOSPITAL: distance is not None
        and distance <= when.school_or_hospital_within_m,
        RaiseReason.RAIN_WARNING: facts.waterlogging and facts.rain_warning,
        RaiseReason.MANY_REPORTERS: facts.reporters >= when.reporters,
        RaiseReason.KEEPS_RETURNING: facts.times_in_30_days >= when.times_in_30_days,
    }
    return tuple(reason for reason, true in holds.items() if true)


def raise_grade(grade: Grade, reasons: Collection[RaiseReason]) -> Grade:
    """Return the grade after all reasons: people hurt, trapped or fire make it red, any other adds one step.

    A reason named twice counts once; red is the end.
    """
    distinct = set(reasons)
    if distinct & TO_RED:
        return Grade.RED
    return _WORST_FIRST[max(0, grade.rank - len(distinct))]


def limits_for(
    category: Timed, grade: Grade, ceilings: Mapping[Grade, Limit] = CEILINGS
) -> tuple[Limit, ...]:
    """Return the limits that bind handling together: the category's own and the ceiling of the colour.

    A long process has its own limit only, except in red: a red case ends within its ceiling, and what takes
    longer (the demolition after the rescue) goes on the ledger.
    """
    if category.long_process and grade is not Grade.RED:
        return (category.handle_limit,)
    return (category.handle_limit, ceilings[grade])


def limit_for(
    category: Timed,
    grade: Grade,
    start: datetime,
    calendar: WorkCalendar,
    ceilings: Mapping[Grade, Limit] = CEILINGS,
) -> Limit:
    """Return the limit for handling an incident whose clock starts at `start`: the one that falls due first.

    Which of two limits on different clocks is the shorter depends on the start, so it has to be known; of
    equals the category's own is named. Raises what `grids.rules.limits.due` raises.
    """
    limits: Iterable[Limit] = limits_for(category, grade, ceilings)
    return binding_limit(start, limits, calendar)
