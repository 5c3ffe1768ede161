"""Which clocks run, how long, and what happens when one runs out, as one table.

Limits come from the category and the grade where those say so; the rest are defaults that a deployment may
change. A clock that was met in time, or that lost its reason, is settled and never fires.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from grids.rules.grading import Grade
from grids.rules.limits import Limit, Unit
from grids.rules.permissions import Role

__all__ = [
    "CHECK_IN_GRACE",
    "RULES",
    "SECOND_HANDLING",
    "DeadlineKind",
    "Effect",
    "Outcome",
    "Rule",
    "Subject",
    "confirm_limit",
    "limit_of",
]


class Subject(StrEnum):
    """What a clock belongs to."""

    INCIDENT = "incident"
    WHISTLE = "whistle"
    TASK = "task"


class Effect(StrEnum):
    """What a clock does when it runs out."""

    CLIMB = "climb"  # the next level is whistled at once
    OVERDUE = "overdue"  # the case is marked overdue and those above are told
    REMIND = "remind"  # those who owe it and those above are told
    RESUME = "resume"  # a suspended case goes on
    NO_SHOW = "no_show"  # nobody came: on record, and those above are told
    SLIP = "slip"  # a slip of supervision is issued
    APPRAISE = "appraise"  # the time for marks is over: the result is made without them


class Outcome(StrEnum):
    """How a clock ended."""

    MET = "met"
    MISSED = "missed"
    VOID = "void"
    MOVED = "moved"  # it stands still, or another took its place


class DeadlineKind(StrEnum):
    """The clocks by name."""

    ACCEPT = "accept"
    HANDLE = "handle"
    VERIFY = "verify"
    CALLBACK = "callback"
    COMMUNITY = "community"
    LIAISON = "liaison"
    ASSIGN = "assign"
    CONFIRM = "confirm"
    RESPOND = "respond"
    CHECK_IN = "check_in"
    COMPLETE = "complete"
    SCORE = "score"
    INSPECT = "inspect"
    FILE = "file"
    DRAFT = "draft"
    WRITTEN = "written"
    RETURN_DECISION = "return_decision"
    EXTENSION_DECISION = "extension_decision"
    SUSPENSION = "suspension"
    LEDGER_REVIEW = "ledger_review"
    DISPUTE = "dispute"
    APPRAISAL = "appraisal"
    APPEAL_DECISION = "appeal_decision"
    PROGRESS = "progress"
    LONG_OVERDUE = "long_overdue"
    SLIP_ANSWER = "slip_answer"


@dataclass(frozen=True, slots=True)
class Rule:
    """One clock: whose it is, its effect, who owes the act, who is told when it is missed.

    limit : the default; None where the category, the grade or the whistle itself sets it.
    urgent : the default for red and orange incidents, where it differs.
    owed_by : roles in the place (or the department) that should have acted.
    told : roles that hear of it besides those who owe it.
    """

    kind: DeadlineKind
    subject: Subject
    effect: Effect
    owed_by: tuple[Role, ...]
    told: tuple[Role, ...]
    limit: Limit | None = None
    urgent: Limit | None = None


CHECK_IN_GRACE = timedelta(minutes=15)
SECOND_HANDLING = Limit(3, Unit.WORK_DAY)  # after a dissatisfied callback (Qingpu's rule)

_K, _R = DeadlineKind, Role
RULES: dict[DeadlineKind, Rule] = {
    rule.kind: rule
    for rule in (
        Rule(
            _K.ACCEPT,
            Subject.INCIDENT,
            Effect.REMIND,
            (_R.TOWN_GRID_CENTRE,),
            (_R.TOWN_LEADER, _R.DISTRICT_PLATFORM),
            Limit(4, Unit.WORK_HOUR),
        ),
        Rule(
            _K.HANDLE,
            Subject.INCIDENT,
            Effect.OVERDUE,
            (_R.GRID_LEADER, _R.TOWN_GRID_CENTRE),
            (_R.TOWN_LEADER, _R.DISTRICT_PLATFORM),
        ),
        Rule(
            _K.VERIFY,
            Subject.INCIDENT,
            Effect.REMIND,
            (_R.GRID_WORKER, _R.TOWN_OFFICE),
            (_R.TOWN_GRID_CENTRE,),
            Limit(2, Unit.WORK_DAY),
        ),
        Rule(
            _K.CALLBACK,
            Subject.INCIDENT,
            Effect.REMIND,
            (_R.CALLBACK_OFFICER,),
            (_R.DISTRICT_PLATFORM,),
            Limit(3, Unit.WORK_DAY),
        ),
        Rule(
            _K.COMMUNITY,
            Subject.WHISTLE,
            Effect.CLIMB,
            (_R.GRID_LEADER,),
            (_R.TOWN_GRID_CENTRE,),
            Limit(1, Unit.WORK_DAY),
            Limit(24, Unit.NATURAL_HOUR),
        ),
        Rule(
            _K.LIAISON,
            Subject.WHISTLE,
            Effect.OVERDUE,
            (_R.TOWN_GRID_CENTRE,),
            (_R.TOWN_LEADER, _R.GRID_LEADER),
            Limit(4, Unit.WORK_HOUR),
            Limit(1, Unit.URGENT_HOUR),
        ),
        Rule(
            _K.ASSIGN,
            Subject.WHISTLE,
            Effect.OVERDUE,
            (_R.TOWN_GRID_CENTRE,),
            (_R.TOWN_LEADER,),
            Limit(4, Unit.WORK_HOUR),
        ),
        Rule(
            _K.CONFIRM,
            Subject.WHISTLE,
            Effect.OVERDUE,
            (_R.TOWN_LEADER,),
            (_R.TOWN_GRID_CENTRE, _R.DISTRICT_PLATFORM, _R.DISTRICT_LEADER),
            Limit(2, Unit.WORK_HOUR),
        ),
        Rule(
            _K.RESPOND,
            Subject.TASK,
            Effect.OVERDUE,
            (_R.DEPARTMENT_DUTY,),
            (_R.TOWN_GRID_CENTRE, _R.DISTRICT_PLATFORM),
        ),
        Rule(
            _K.CHECK_IN,
            Subject.TASK,
            Effect.NO_SHOW,
            (_R.DEPARTMENT_DUTY,),
            (_R.TOWN_GRID_CENTRE, _R.DISTRICT_PLATFORM),
        ),
        Rule(
            _K.COMPLETE,
            Subject.TASK,
            Effect.OVERDUE,
            (_R.DEPARTMENT_DUTY,),
            (_R.TOWN_GRID_CENTRE, _R.DISTRICT_PLATFORM),
        ),
        Rule(
            _K.SCORE,
            Subject.TASK,
            Effect.REMIND,
            (_R.TOWN_OFFICE,),
            (_R.TOWN_GRID_CENTRE,),
            Limit(3, Unit.WORK_DAY),
        ),
        Rule(
            _K.INSPECT,
            Subject.INCIDENT,
            Effect.REMIND,
            (_R.GRID_WORKER,),
            (_R.TOWN_GRID_CENTRE,),
            Limit(2, Unit.WORK_HOUR),
        ),
        Rule(
            _K.FILE,
            Subject.WHISTLE,
            Effect.OVERDUE,
            (_R.TOWN_GRID_CENTRE,),
            (_R.TOWN_LEADER,),
            Limit(4, Unit.WORK_HOUR),
        ),
        Rule(
            _K.DRAFT,
            Subject.WHISTLE,
            Effect.REMIND,
            (_R.TOWN_OFFICE,),
            (_R.TOWN_LEADER, _R.DISTRICT_PLATFORM),
            Limit(4, Unit.WORK_HOUR),
            Limit(1, Unit.URGENT_HOUR),
        ),
        Rule(
            _K.WRITTEN,
            Subject.WHISTLE,
            Effect.REMIND,
            (_R.TOWN_LEADER,),
            (_R.TOWN_GRID_CENTRE, _R.DISTRICT_PLATFORM),
            Limit(24, Unit.NATURAL_HOUR),
        ),
        Rule(
            _K.RETURN_DECISION,
            Subject.TASK,
            Effect.REMIND,
            (_R.TOWN_GRID_CENTRE, _R.DISTRICT_PLATFORM),
            (_R.TOWN_LEADER,),
            Limit(4, Unit.WORK_HOUR),
        ),
        Rule(
            _K.EXTENSION_DECISION,
            Subject.TASK,
            Effect.REMIND,
            (_R.TOWN_GRID_CENTRE, _R.DISTRICT_PLATFORM),
            (_R.TOWN_LEADER,),
            Limit(4, Unit.WORK_HOUR),
        ),
        Rule(
            _K.SUSPENSION,
            Subject.INCIDENT,
            Effect.RESUME,
            (_R.GRID_LEADER, _R.TOWN_OFFICE),
            (_R.TOWN_GRID_CENTRE,),
        ),
        Rule(
            _K.LEDGER_REVIEW,
            Subject.INCIDENT,
            Effect.REMIND,
            (_R.DISTRICT_PLATFORM,),
            (_R.DISTRICT_LEADER,),
        ),
        Rule(
            _K.DISPUTE,
            Subject.INCIDENT,
            Effect.REMIND,
            (_R.GOVERNANCE_CENTRE,),
            (_R.DISTRICT_PLATFORM,),
        ),
        Rule(
            _K.APPRAISAL,
            Subject.TASK,
            Effect.APPRAISE,
            (_R.TOWN_OFFICE,),
            (_R.GOVERNANCE_CENTRE,),
            Limit(10, Unit.NATURAL_DAY),
        ),
        Rule(
            _K.APPEAL_DECISION,
            Subject.TASK,
            Effect.REMIND,
            (_R.GOVERNANCE_CENTRE,),
            (_R.DISTRICT_LEADER,),
            Limit(5, Unit.WORK_DAY),
        ),
        Rule(
            _K.PROGRESS,
            Subject.TASK,
            Effect.SLIP,
            (_R.DEPARTMENT_DUTY,),
            (_R.TOWN_GRID_CENTRE,),
        ),
        Rule(
            _K.LONG_OVERDUE,
            Subject.TASK,
            Effect.SLIP,
            (_R.DEPARTMENT_DUTY,),
            (_R.DISTRICT_LEADER, _R.GOVERNANCE_CENTRE),
        ),
        Rule(
            _K.SLIP_ANSWER,
            Subject.TASK,
            Effect.SLIP,
            (_R.DEPARTMENT_DUTY,),
            (_R.GOVERNANCE_CENTRE,),
            Limit(1, Unit.WORK_DAY),
        ),
    )
}

_URGENT = frozenset({Grade.RED, Grade.ORANGE})


def limit_of(kind: DeadlineKind, grade: Grade | None) -> Limit:
    """Return the default limit of a clock for an incident of this grade (None: not graded yet).

    Raises `KeyError` for a clock whose limit comes from the category or the whistle: asking is a mistake.
    """
    rule = RULES[kind]
    limit = rule.urgent if rule.urgent is not None and grade in _URGENT else rule.limit
    if limit is None:
        raise KeyError(f"the clock '{kind}' has no default limit")
    return limit


def confirm_limit(*, emergency: bool) -> Limit:
    """Return how long the main leader may take: 2 working hours, in an emergency a quarter of an hour."""
    return Limit(0.25, Unit.NATURAL_HOUR) if emergency else limit_of(DeadlineKind.CONFIRM, None)
