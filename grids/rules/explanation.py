"""Why a case went as it did: the entries of its explain record, made from plain values.

An entry is one choice that was made for a case: `what` was chosen, what it `chose`, `because` of which reason, `at`
which moment, and the `facts` that decided. Reasons are codes that stay the same; their words live in the
catalogues. Entries hold texts and whole numbers only, as the trace does, so that equal inputs give equal entries.
They are kept short, for every case carries some seven of them: a fact that is not known is left out, and what
stands in the case itself (names, all limits, the reporter) is not repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol

from grids.rules.calendar import WorkCalendar, local_day
from grids.rules.grading import Grade, RaiseReason
from grids.rules.limits import Limit, Unit
from grids.rules.permissions import Actor
from grids.rules.responsibilities import RuleKind
from grids.rules.trace import plain, rendered

__all__ = [
    "BECAUSE",
    "Deciding",
    "What",
    "by_whom",
    "category",
    "cell",
    "days_off",
    "departments",
    "departments_by_hand",
    "dispute",
    "due",
    "entry",
    "extended",
    "grade",
    "grade_raised",
    "nobody",
    "people",
    "raised_for",
    "regraded",
    "second_due",
    "stood_still",
    "whistle",
]

Entry = dict[str, Any]

_MOST_CANDIDATES = 5
_LONGEST_REASON = 200  # the trace has it whole


class What(StrEnum):
    """What is chosen for a case."""

    CELL = "cell"
    CATEGORY = "category"
    GRADE = "grade"
    DUE = "due"
    PEOPLE = "people"
    DEPARTMENTS = "departments"
    WHISTLE = "whistle"
    DISPUTE = "dispute"


BECAUSE: Mapping[What, tuple[str, ...]] = MappingProxyType(
    {
        # the point alone decided; the reporter or somebody else did; the grid was drawn anew under it
        What.CELL: ("inside", "border", "outside", "confirmed", "manual", "new_edition"),
        What.CATEGORY: ("reported", "by_hand"),
        # raised: the circumstances make it worse than its category; regraded: somebody judged it anew later
        What.GRADE: ("category", "by_hand", "raised", "regraded"),
        # which limit falls due first: the category's own or the ceiling of the colour
        # which limit falls due first; later than that by an extension, or because the case stood still
        What.DUE: (
            "category_limit",
            "ceiling",
            "long_process",
            "second_round",
            "suspension",
            "extension",
            "ledger",
        ),
        What.PEOPLE: ("posts", "empty_posts"),
        What.DEPARTMENTS: (*(kind.value for kind in RuleKind), "nobody", "by_hand"),
        What.WHISTLE: (
            "category",
            "red",
            "by_hand",
            "no_community",
            "empty_post",
            "no_answer_in_time",
            "handed_back",
            "reopened",
        ),
        # who leads until it is settled; then by what it was settled
        What.DISPUTE: ("filed", "withdrawn", "agreed", "coordination", "joint_meeting", "leader"),
    }
)
"""Every reason that each choice can have."""


def entry(what: What, chose: object, because: str, *, at: datetime, **facts: object) -> Entry:
    """Return one entry; facts that are None are left out, moments and fractions become text.

    Raises `ValueError` for a reason that is not one of `BECAUSE`.
    """
    if because not in BECAUSE[what]:
        raise ValueError(f"a {what} is never chosen because of {because!r}")
    return {
        "what": what.value,
        "chose": plain(chose),
        "because": because,
        "at": rendered(at),
        "facts": {name: plain(fact) for name, fact in facts.items() if fact is not None},
    }


def by_whom(actor: Actor, reason: str | None) -> dict[str, object]:
    """Return the facts of a choice that a person made: `by`, `role`, and their `reason`, if they gave one."""
    short = reason if reason is None or len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}…"
    return {"by": actor.name, "role": actor.role.value, "reason": short or None}


def cell(
    code: str | None,
    because: str,
    *,
    at: datetime,
    edition: int | None,
    edition_name: str | None,
    frame: str,
    lon: float,
    lat: float,
    accuracy_m: float | None = None,
    border_m: float | None = None,
    candidates: Sequence[tuple[str, float, float]] = (),
    **facts: object,
) -> Entry:
    """Say why a point came into a cell, or into none.

    lon, lat : as given, in `frame`. border_m : to the nearest border of a cell. candidates : (code, share of the
    circle, metres away) of the cells that it may lie in; told where there is a choice, the first five of them.
    """
    told = [{"code": one, "share": f"{share:.2f}", "m": f"{metres:.1f}"} for one, share, metres in candidates]
    return entry(
        What.CELL,
        code,
        because,
        at=at,
        edition=edition,
        edition_name=edition_name,
        frame=frame,
        lon=f"{lon:.7f}",
        lat=f"{lat:.7f}",
        accuracy_m=None if accuracy_m is None else f"{accuracy_m:.1f}",
        border_m=None if border_m is None else f"{border_m:.1f}",
        candidates=told[:_MOST_CANDIDATES] if any(one != code for one, _, _ in candidates) else None,
        **facts,
    )


def category(code: str, reported: str | None, by: Actor, *, at: datetime) -> Entry:
    """Say whose word the category is: the one that came with the report, or that of who accepted it."""
    if code == reported:
        return entry(What.CATEGORY, code, "reported", at=at)
    return entry(What.CATEGORY, code, "by_hand", at=at, before=reported, **by_whom(by, None))


def grade(chosen: Grade, default: Grade, by: Actor, reason: str | None, *, at: datetime) -> Entry:
    """Say why a case has its colour: its category's default, or a person's own judgement."""
    if chosen is default:
        return entry(What.GRADE, chosen.value, "category", at=at)
    return entry(What.GRADE, chosen.value, "by_hand", at=at, default=default.value, **by_whom(by, reason))


def grade_raised(
    chosen: Grade,
    before: Grade,
    reasons: Iterable[RaiseReason],
    *,
    at: datetime,
    by: Actor | None = None,
) -> Entry:
    """Say which circumstances make a case worse than it was; `by` where a person stated any of them."""
    told = [reason.value for reason in reasons]
    whose = {} if by is None else by_whom(by, None)
    return entry(What.GRADE, chosen.value, "raised", at=at, before=before.value, reasons=told, **whose)


def regraded(chosen: Grade, before: Grade, by: Actor, reason: str, *, at: datetime) -> Entry:
    """Say that a person judged a running case anew, and why."""
    return entry(What.GRADE, chosen.value, "regraded", at=at, before=before.value, **by_whom(by, reason))


def raised_for(record: Iterable[Mapping[str, Any]]) -> frozenset[RaiseReason]:
    """Return the circumstances that have raised a case's grade so far: none of them counts twice."""
    return frozenset(
        RaiseReason(reason)
        for one in record
        if one["what"] == What.GRADE
        for reason in one["facts"].get("reasons", ())
    )


def due(
    limits: Sequence[Limit],
    moments: Sequence[datetime],
    start: datetime,
    calendar: WorkCalendar,
    *,
    clock_from: str,
    at: datetime,
) -> Entry:
    """Say which limit binds: the category's own or the ceiling of the colour, whichever falls due first.

    limits : as `grids.rules.grading.limits_for` returns them; moments : when each falls due. Of equals the category's
    own is named. clock_from : "report", "accept" or "regrade".
    """
    first = min(moments)
    binding = moments.index(first)
    other = 1 - binding
    return entry(
        What.DUE,
        first,
        "long_process" if len(limits) == 1 else ("category_limit", "ceiling")[binding],
        at=at,
        limit=limits[binding].to_json(),
        clock_from=clock_from,
        other=limits[other].to_json() if len(limits) > 1 else None,
        other_due=moments[other] if len(limits) > 1 else None,
        days_off=days_off(limits[binding], start, first, calendar) or None,
    )


def second_due(due_at: datetime, limit: Limit, start: datetime, calendar: WorkCalendar) -> Entry:
    """Say why a case that was taken up again is due then: by the limit of second rounds, from `start` on."""
    return entry(
        What.DUE,
        due_at,
        "second_round",
        at=start,
        limit=limit.to_json(),
        days_off=days_off(limit, start, due_at, calendar) or None,
    )


def stood_still(
    due_at: datetime, before: datetime, because: str, *, since: datetime, at: datetime, **facts: object
) -> Entry:
    """Say why a case is due later: it stood still from `since` until `at`, suspended or on the ledger."""
    return entry(What.DUE, due_at, because, at=at, before=before, stood_since=since, **facts)


def extended(
    due_at: datetime, before: datetime, amount: Limit, by: Actor, reason: str, *, at: datetime, letter: str
) -> Entry:
    """Say why a case, or a department's part of it, is due later: more time was asked for and granted."""
    return entry(
        What.DUE,
        due_at,
        "extension",
        at=at,
        before=before,
        limit=amount.to_json(),
        letter=letter,
        **by_whom(by, reason),
    )


def days_off(limit: Limit, start: datetime, end: datetime, calendar: WorkCalendar) -> int:
    """Return how many days without work a limit passed over, after the day of its start; 0 on clocks that run on."""
    if limit.unit not in (Unit.WORK_DAY, Unit.WORK_HOUR):
        return 0
    first, last = local_day(start), local_day(end)
    days = (first + timedelta(days=passed) for passed in range(1, (last - first).days + 1))
    return sum(not calendar.is_working_day(day) for day in days)


def people(answering: Iterable[Mapping[str, Any]], *, at: datetime) -> Entry:
    """Say who answers for the place by their posts, and which posts nobody holds.

    answering : as `grids.directory.responsible_people` returns them.
    """
    held, empty = [], []
    for one in answering:
        if one["person_id"] is None:
            empty.append({"role": one["role"], "area": one["area"]})
        else:
            held.append(one["person_id"])
    return entry(What.PEOPLE, held, "empty_posts" if empty else "posts", at=at, empty=empty or None)


class Deciding(Protocol):
    """What `departments` needs of a `grids.duty.duties.Duty`."""

    @property
    def kind(self) -> RuleKind:
        """What the rule comes from."""

    @property
    def rule_id(self) -> int:
        """The number of the rule in the responsibility list."""

    @property
    def since(self) -> date:
        """The day from which it holds."""

    @property
    def basis(self) -> str:
        """By law, agreed, designated, or by default."""

    @property
    def source(self) -> str:
        """Where it is written."""

    @property
    def because(self) -> tuple[dict[str, Any], ...]:
        """The rules that fit, the one that decides first."""

    @property
    def conflict(self) -> tuple[str, ...]:
        """The leads between which nothing but the numbers of rules decided."""


def departments(
    named: Iterable[Mapping[str, str]],
    duty: Deciding,
    *,
    at: datetime,
    whistle: str | None = None,
    powers: Sequence[Mapping[str, Any]] = (),
) -> Entry:
    """Say by which rule of the responsibility list departments are called, the lead first.

    whistle : the number of the whistle that they are drafted for, None when the case is accepted. `gave_way` has
    the other rules that fit, each with why. powers : by which the town could act itself, each with no, name, since.
    """
    decides = duty.because[0] if duty.because else {}
    return entry(
        What.DEPARTMENTS,
        [body["code"] for body in named],
        duty.kind.value,
        at=at,
        rule=duty.rule_id,
        name=decides.get("name"),
        area=decides.get("area") or None,
        since=duty.since.isoformat(),
        basis=duty.basis,
        source=duty.source,
        gave_way=[{"rule": one["rule"], "why": one["why"]} for one in duty.because[1:]] or None,
        conflict=list(duty.conflict) or None,
        whistle=whistle,
        powers=[dict(one) for one in powers] or None,
    )


def nobody(*, at: datetime, whistle: str | None = None, powers: Sequence[Mapping[str, Any]] = ()) -> Entry:
    """Say that the responsibility list names no department; powers : as in `departments`."""
    told = [dict(one) for one in powers] or None
    return entry(What.DEPARTMENTS, [], "nobody", at=at, whistle=whistle, powers=told)


def departments_by_hand(
    named: Iterable[Mapping[str, str]], by: Actor, reason: str | None, *, at: datetime, whistle: str
) -> Entry:
    """Say that a person chose the departments of a whistle."""
    codes = [body["code"] for body in named]
    return entry(What.DEPARTMENTS, codes, "by_hand", at=at, whistle=whistle, **by_whom(by, reason))


def whistle(level: int, because: str, *, at: datetime, **facts: object) -> Entry:
    """Say why a whistle was blown at a level."""
    return entry(What.WHISTLE, int(level), because, at=at, **facts)


def dispute(number: str, lead: str, because: str, *, at: datetime, **facts: object) -> Entry:
    """Say who leads while a duty is disputed, and who does now that it is settled.

    lead : code of the department, or TOWN. because : "filed", "withdrawn", or how it was settled.
    """
    return entry(What.DISPUTE, lead, because, at=at, dispute=number, **facts)
