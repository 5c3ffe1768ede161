"""What may stop or move a clock, and when: suspension (挂起), extension (延期), the ledger (挂账).

Only these make a due moment later. A dispute about duty never stops a clock; a late case is not suspended; a red
case is neither suspended nor extended. Practice: extensions are asked for before expiry and told to the citizen; a
hard item goes on a ledger with a plan and a day of review, out of the period's rates and listed apart.

A due moment that is judged (`due_effective`) is start + limit, moved by approved extensions, with the time taken out
in which the clock stood still. Time is taken out by the clock's own count: a working clock gets back the office hours
that it lost, and a night of standing still costs it nothing; one that runs always gets back every hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType

from gis.errors import Conflict, InvalidInput
from grids.rules.calendar import SHANGHAI, WorkCalendar, aware_utc, forward, local_day
from grids.rules.deadlines import DeadlineKind
from grids.rules.grading import Grade
from grids.rules.lifecycle import IncidentStatus
from grids.rules.limits import Limit, Unit, due
from grids.rules.permissions import Role
from grids.rules.whistles import WhistleLevel, WhistleStatus

__all__ = [
    "ASKED_BY",
    "DECIDED_BY",
    "HELD",
    "STANDS_STILL",
    "WAITING",
    "ClockMove",
    "Decision",
    "SuspensionReason",
    "check_extension",
    "check_review_day",
    "check_runs_in_time",
    "check_until",
    "due_after_extension",
    "due_after_pause",
    "level_at_work",
    "review_due",
    "time_left",
]


class SuspensionReason(StrEnum):
    """Why a case may wait. Who is responsible is never a reason: that is a dispute, and it stops nothing."""

    AWAITING_PARTY = "awaiting_party"
    WEATHER = "weather"
    STATUTORY_PROCEDURE = "statutory_procedure"
    APPRAISAL = "appraisal"
    APPROVED_PROJECT = "approved_project"


class Decision(StrEnum):
    """What became of something that one asked for and another decides."""

    ASKED = "asked"
    GRANTED = "granted"
    REFUSED = "refused"
    LAPSED = "lapsed"  # its reason went away before anybody decided


class ClockMove(StrEnum):
    """Why a clock was replaced by another with a later due moment, or an earlier one."""

    SUSPENSION = "suspension"
    EXTENSION = "extension"
    LEDGER = "ledger"
    REGRADE = "regrade"  # the case is worse than was thought: due earlier


WAITING = frozenset({IncidentStatus.SUSPENDED, IncidentStatus.LEDGER})
"""A case in one of these states waits: nothing is worked on, and its clocks of work stand still."""

_K = DeadlineKind
STANDS_STILL = frozenset(
    {
        _K.HANDLE,
        _K.COMMUNITY,
        _K.LIAISON,
        _K.FILE,
        _K.ASSIGN,
        _K.DRAFT,
        _K.DRAFT,
        _K.CONFIRM,
        _K.COMPLETE,
        _K.PROGRESS,
        _K.LONG_OVERDUE,
        _K.RETURN_DECISION,
        _K.EXTENSION_DECISION,
    }
)
"""Clocks that stand still while the case waits: those of work, at whichever level it is done, and of decisions on it.

A level-1 clock that ran on would whistle for the town in a case where nobody may act. What goes on is what a
department owes whether or not the case waits: to answer, and to come where it said it would; and what belongs to
parts that are done already (marks), to disputes and to slips.
"""

HELD: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "whistle": frozenset(
            {
                "answer",
                "assign",
                "change_departments",
                "confirm",
                "confirm_by_phone",
                "confirm_instead",
                "escalate",
                "file",
                "hand_back",
                "issue",
                "name_liaison",
                "refuse",
                "solve",
                "submit",
                "withdraw",
            }
        ),
        "task": frozenset(
            {
                "accept",
                "complete",
                "extend",
                "grant_extension",
                "refuse_extension",
                "return",
                "rework",
                "send_back",
                "send_back_responded",
                "start",
                "start_remote",
            }
        ),
    }
)
"""Acts by machine that no person does while the case waits: the acts that answer the clocks which stand still."""

_WORKING = frozenset({Unit.WORK_HOUR, Unit.WORK_DAY})


_ENDED = frozenset({WhistleStatus.REFUSED, WhistleStatus.WITHDRAWN, WhistleStatus.RETURNED_TO_COMMUNITY})
_CALLED = frozenset({WhistleStatus.ISSUED, WhistleStatus.IN_PROGRESS})


def level_at_work(whistles: Iterable[tuple[int, WhistleStatus]]) -> WhistleLevel:
    """Return the level at which a case is worked on: who there asks for a suspension, and who decides on it.

    whistles : (level, status) of those blown in the round. Departments are at work once the leader called them; until
    then the town is.
    """
    running = [(level, status) for level, status in whistles if status not in _ENDED]
    if any(level == WhistleLevel.THIRD and status in _CALLED for level, status in running):
        return WhistleLevel.THIRD
    return (
        WhistleLevel.SECOND if any(level > WhistleLevel.FIRST for level, _ in running) else WhistleLevel.FIRST
    )


ASKED_BY: Mapping[WhistleLevel, Role] = MappingProxyType(
    {
        WhistleLevel.FIRST: Role.GRID_LEADER,
        WhistleLevel.SECOND: Role.TOWN_OFFICE,
        WhistleLevel.THIRD: Role.DEPARTMENT_DUTY,
    }
)
"""Who handles a case, and asks for its suspension, at each level."""

DECIDED_BY: Mapping[WhistleLevel, Role] = MappingProxyType(
    {
        WhistleLevel.FIRST: Role.TOWN_GRID_CENTRE,
        WhistleLevel.SECOND: Role.TOWN_GRID_CENTRE,
        WhistleLevel.THIRD: Role.DISTRICT_PLATFORM,
    }
)
"""Who suspends a case at each level, asked or not, and lets it go on."""


def time_left(due_at: datetime, unit: Unit, at: datetime, calendar: WorkCalendar) -> timedelta:
    """Return how much of a clock is left at a moment: office hours for a working unit, else all hours; never below 0.

    Raises `Unavailable("calendar_unknown")` for a working unit when the calendar lacks a day on the way.
    """
    due_at, at = aware_utc(due_at, "due_at"), aware_utc(at, "at")
    if at >= due_at:
        return timedelta()
    return calendar.working_time(at, due_at) if unit in _WORKING else due_at - at


def due_after_pause(
    due_at: datetime, unit: Unit, began: datetime, ended: datetime, calendar: WorkCalendar
) -> datetime:
    """Return when a clock runs out (UTC) that was to run out at `due_at` and stood still between two moments.

    It has as much left when it goes on as it had when it stopped, by its own count; so a pause of nothing moves
    nothing, pauses may be taken out in any order, and no pause makes it earlier. A clock that stood still does not
    run out before it goes on; one that had run out before the pause is not touched.
    Raises `InvalidInput("period_backwards")` and, for a working unit, `Unavailable("calendar_unknown")`.
    """
    began, ended = forward(began, ended)
    due_at = aware_utc(due_at, "due_at")
    if began > due_at:
        return due_at
    if unit not in _WORKING:
        return due_at + (ended - began)
    lost = calendar.working_time(began, ended)
    moved = calendar.after_working_time(due_at, lost) if lost else due_at
    return max(moved, ended)


def due_after_extension(due_at: datetime, amount: Limit, calendar: WorkCalendar) -> datetime:
    """Return when a clock runs out (UTC) that is given so much more: counted from the moment at which it was due."""
    return due(due_at, amount, calendar)


def check_runs_in_time(grade: Grade | None, *, overdue: bool) -> None:
    """Raise `Conflict` for a case whose clocks nobody stops or extends: a red one, and one that is late."""
    if grade is Grade.RED:
        raise Conflict("red_runs_on", "a red case is neither suspended nor extended", grade=grade.value)
    if overdue:
        raise Conflict("already_overdue", "what is overdue is neither suspended nor extended")


def check_until(until: datetime, now: datetime, *, most_days: int) -> None:
    """Raise `InvalidInput` ("bad_until") for a suspension that ends at once, or later than it may.

    most_days : of 24 hours, counted from now.
    """
    latest = now + timedelta(days=most_days)
    if not now < aware_utc(until, "until") <= latest:
        raise InvalidInput(
            "bad_until",
            f"a suspension ends after now and within {most_days} days",
            field="until",
            got=until.isoformat(),
            wanted=f"after {now.isoformat()}, not after {latest.isoformat()}",
            days=most_days,
        )


def check_extension(
    amount: Limit, due_at: datetime, calendar: WorkCalendar, *, granted: int, times: int, most: Limit
) -> None:
    """Hold an extension against its rule: so many times, each time at most so much.

    granted : how many this part was given already. most, amount : may run on different clocks; what counts is where
    they lead from `due_at`. Raises `Conflict` ("extension_used_up"), `InvalidInput` ("extension_too_long").
    """
    if granted >= times:
        raise Conflict(
            "extension_used_up",
            f"a part is extended {times} times at most; this one was {granted} times",
            times=times,
        )
    if due_after_extension(due_at, amount, calendar) > due_after_extension(due_at, most, calendar):
        raise InvalidInput(
            "extension_too_long",
            f"an extension is {most} at most, got {amount}",
            field="amount",
            got=amount.to_json(),
            wanted=most.to_json(),
        )


def check_review_day(review_on: date, now: datetime, *, most_days: int) -> None:
    """Raise `InvalidInput` ("bad_review_day") for a day of review that is not after today, or too far off."""
    today = local_day(now)
    latest = today + timedelta(days=most_days)
    if not today < review_on <= latest:
        raise InvalidInput(
            "bad_review_day",
            f"the ledger is reviewed after today and within {most_days} days",
            field="review_on",
            got=review_on.isoformat(),
            wanted=f"after {today.isoformat()}, not after {latest.isoformat()}",
            days=most_days,
        )


def review_due(review_on: date) -> datetime:
    """Return the moment (UTC) at which a day of review is over."""
    return aware_utc(datetime.combine(review_on + timedelta(days=1), time(), SHANGHAI))
