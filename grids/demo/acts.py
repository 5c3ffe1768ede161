"""What people do with a made-up case at levels 1 and 2, act by act, named as the use cases are.

Each function does to a `Chronicle` what its namesake in `grids.acts` (`incidents`, `intake`, `callbacks`, `ladder`,
`whistles`) does to a `Case`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grids.acts.ladder import NOT_WHISTLED
from grids.demo.chronicle import Chronicle, Thing, maker
from grids.duty.duties import Duty
from grids.rules import explanation
from grids.rules.deadlines import DeadlineKind
from grids.rules.grading import Grade, limits_for
from grids.rules.lifecycle import Channel, Inspection, RejectReason, VerifiedHow
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.rules.profiles import DEFAULT
from grids.rules.trace import rendered
from grids.rules.whistles import WhistleStatus, WhistleType
from grids.tables import Callback, Solved

__all__ = [
    "accept",
    "answer",
    "assign",
    "callback",
    "close",
    "draft",
    "escalate",
    "file",
    "inspect",
    "merge",
    "reject",
    "reopen",
    "report",
    "resolve",
    "send_back",
    "solve",
    "verify",
]

# a made-up district has published no limits of its own
_SNAPSHOT, _SEAL = DEFAULT.snapshot(), DEFAULT.seal()


def report(case: Chronicle, by: Actor) -> None:
    """Begin the case (row I1)."""
    row = case.incident.row
    row["reported_by_id"] = by.person_id
    case.begun(
        case.incident,
        "report",
        by,
        {
            "channel": row["channel"].value,
            "lon": str(row["native_lon"]),
            "lat": str(row["native_lat"]),
            "frame": row["native_frame"],
            "grid": row["grid_code"],
            "placement": row["placement"].value,
            "edition": row["edition_id"],
            "category": case.category.code,
        },
    )
    if by.role is not Role.GRID_WORKER:
        case.start_clock(DeadlineKind.ACCEPT)
        _look_first(case)


def _look_first(case: Chronicle) -> None:
    """Send what the public reported to the worker of the cell (row I2)."""
    public = case.incident.row["channel"] is Channel.CITIZEN and case.category.grade is not Grade.RED
    if public and case.book.staff.at(Role.GRID_WORKER, case.cell) is not None:
        case.move(case.incident, "send_to_verify", SYSTEM)
        case.start_clock(DeadlineKind.INSPECT)


def inspect(case: Chronicle, by: Actor, found: Inspection, note: str | None) -> None:
    """Say what is to be seen (row I2)."""
    case.move(case.incident, "inspect", by, {"found": found.value, "comment": note})
    case.incident.row |= {"inspection": found, "inspected_at": case.now}
    case.stop_clock(DeadlineKind.INSPECT)


def accept(case: Chronicle, by: Actor, level: int) -> None:
    """Grade the case, start its handling and blow the first whistle (rows I3, I6)."""
    row, rule = case.incident.row, case.category
    grade = case.grade
    red = grade is Grade.RED
    start = row["received_at"] if red else case.now
    clock_from = "report" if red else "accept"
    limits = limits_for(rule, grade, DEFAULT.ceilings)
    moments = [case.book.due(start, limit) for limit in limits]
    duty = case.book.duties.of(rule.code, case.cell, case.point)
    row["grade"], row["accepted_at"] = grade, case.now
    row["due_at"] = min(moments)
    row["limits"] = {
        "handle": [limit.to_json() for limit in limits],
        "clock_from": clock_from,
        "response_minutes": rule.response_limit_min,
        "arrive_hours": rule.arrive_limit_h,
        "long_process": rule.long_process,
        "profile": _SNAPSHOT,
    }
    row["responsible"] = {
        "people": case.book.staff.answering(case.cell),
        "departments": duty.departments(),
        "rule": duty.rule,
        "basis": duty.basis,
    }
    case.explain(
        explanation.category(rule.code, rule.code, by, at=case.now),
        explanation.grade_raised(grade, rule.grade, case.worse, at=case.now)
        if grade is not rule.grade
        else explanation.grade(grade, rule.grade, by, None, at=case.now),
        explanation.due(limits, moments, start, case.book.calendar, clock_from=clock_from, at=case.now),
        explanation.people(row["responsible"]["people"], at=case.now),
        explanation.departments(row["responsible"]["departments"], duty, at=case.now),
    )
    facts = {
        "category": rule.code,
        "grade": grade.value,
        "due_at": rendered(row["due_at"]),
        "limits": {**row["limits"], "profile": _SEAL},
        "responsible": row["responsible"],
        "reason": None,
        "raised": [one.value for one in case.worse] if grade is not rule.grade else [],
    }
    case.move(case.incident, "accept", by, facts)
    case.stop_clock(DeadlineKind.ACCEPT)
    case.stop_clock(DeadlineKind.INSPECT, void=True)
    binding = limits[moments.index(row["due_at"])]
    case.start_clock(DeadlineKind.HANDLE, binding, due_at=row["due_at"])
    case.move(case.incident, "start", SYSTEM)
    _begin(case, by, level, *_why(case, by, level))


def _why(case: Chronicle, by: Actor, level: int) -> tuple[str, dict[str, Any]]:
    """Return why the first whistle is blown at a level, and the facts of it."""
    if case.grade is Grade.RED:
        return "red", {}
    if level == case.category.whistle_level:
        return "category", {}
    return "by_hand", explanation.by_whom(by, None)


def _begin(case: Chronicle, by: Actor, level: int, because: str, facts: Mapping[str, Any]) -> None:
    case.explain(explanation.whistle(level, because, at=case.now, **facts))
    if level == 3:
        duty = case.book.duties.of(case.category.code, case.cell, case.point)
        red = case.grade is Grade.RED
        draft(case, by, duty, None, WhistleType.EMERGENCY if red else WhistleType.COMPREHENSIVE)
        return
    if level > 1:
        case.blow_second(by, None)
        return
    case.first = case.new_whistle(1, WhistleStatus.BLOWN, by, None)
    case.begun(case.first, "blow", maker("blow", 1, by))
    if case.book.staff.at(Role.GRID_LEADER, case.cell[:12]) is None:
        case.climb(case.first, "empty_post", by)
    else:
        case.start_clock(DeadlineKind.COMMUNITY, whistle=case.first)


def reject(case: Chronicle, by: Actor, reason: RejectReason, reply: str) -> None:
    """Turn a report down (row I4)."""
    case.move(case.incident, "reject", by, {"rejected_for": reason.value, "reply": reply})
    case.incident.row |= {"rejected_for": reason, "reply": reply}
    case.stop_clock(DeadlineKind.ACCEPT)
    case.stop_clock(*DeadlineKind, void=True)


def merge(case: Chronicle, by: Actor, master: Mapping[str, Any]) -> None:
    """Join a report to the one that it repeats (row I5)."""
    case.move(case.incident, "merge", by, {"master": master["number"]})
    case.incident.row["master_id"] = master["id"]
    case.stop_clock(*DeadlineKind, void=True)


def answer(case: Chronicle, by: Actor) -> None:
    """Take a level-1 whistle in hand (row W2)."""
    whistle = _running(case.first)
    case.move(whistle, "answer", by)
    whistle.row["answered_at"] = case.now


def file(case: Chronicle, by: Actor, liaison: str, phone: str) -> None:
    """File a level-2 whistle and name who goes to the community (row W3)."""
    whistle = _running(case.second)
    case.move(whistle, "name_liaison", by, {"liaison": liaison})
    case.stop_clock(DeadlineKind.LIAISON, whistle=whistle)
    case.move(whistle, "file", by)
    whistle.row |= {
        "liaison_name": liaison,
        "liaison_phone": phone,
        "liaison_named_at": case.now,
        "filed_at": case.now,
    }
    case.stop_clock(DeadlineKind.FILE, whistle=whistle)
    case.start_clock(DeadlineKind.ASSIGN, whistle=whistle)


def assign(case: Chronicle, by: Actor, office: str, instruction: str) -> None:
    """Give a level-2 whistle to an office of the town (row W4)."""
    whistle = _running(case.second)
    facts = {"office": office, "instruction": instruction, "due_at": rendered(case.due_at)}
    case.move(whistle, "assign", by, facts)
    whistle.row |= {
        "office": office,
        "instruction": instruction,
        "tasked_at": case.now,
        "due_at": case.due_at,
    }
    case.stop_clock(DeadlineKind.ASSIGN, whistle=whistle)


def solve(case: Chronicle, by: Actor, result: str) -> None:
    """Report the level-1 or level-2 whistle as solved (rows W2, W4, I9)."""
    whistle = _running(case.second or case.first)
    case.move(whistle, "solve", by, {"result": result})
    whistle.row["result"], whistle.row["ended_at"] = result, case.now
    case.stop_clock(DeadlineKind.COMMUNITY, DeadlineKind.ASSIGN, whistle=whistle)
    case.stop_clock(DeadlineKind.LIAISON, DeadlineKind.FILE, whistle=whistle, void=True)
    resolve(case, by, result, handler=by)


def escalate(case: Chronicle, by: Actor, reason: str) -> None:
    """Pass a whistle up (rows W3, W5)."""
    whistle = _running(case.second or case.first)
    case.move(whistle, "escalate", by, {"reason": reason})
    case.stop_clock(DeadlineKind.COMMUNITY, DeadlineKind.ASSIGN, whistle=whistle)
    case.stop_clock(DeadlineKind.LIAISON, DeadlineKind.FILE, whistle=whistle, void=True)
    whistle.row["ended_at"] = case.now
    case.move(case.incident, "climb", SYSTEM, {"reason": reason, "level": (whistle.level or 0) + 1})
    if whistle is case.first:
        case.blow_second(by, reason)
    else:
        duty = case.book.duties.of(case.category.code, case.cell, case.point)
        draft(case, by, duty, reason, WhistleType.COMPREHENSIVE)


def draft(case: Chronicle, by: Actor, duty: Duty, reason: str | None, kind: WhistleType) -> None:
    """Draft a level-3 whistle (row W5) for those whom the responsibility list names."""
    case.third = case.new_whistle(3, WhistleStatus.DRAFTED, by, reason)
    named = [d for d in duty.departments() if d["code"] not in NOT_WHISTLED]
    case.third.row |= {"type": kind, "departments": named}
    case.explain(explanation.departments(named, duty, at=case.now, whistle=case.third.subject))
    facts = {"departments": named, "rule": duty.rule, "reason": reason}
    case.begun(case.third, "draft", maker("draft", 3, by), facts)
    case.start_clock(DeadlineKind.DRAFT, whistle=case.third)


def resolve(case: Chronicle, by: Actor, result: str, *, handler: Actor) -> None:
    """Report the case as resolved (row I9); `handler` did it, `by` may be the system that follows."""
    row = case.incident.row
    case.move(case.incident, "resolve", by, {"result": result})
    row["result"], row["resolved_at"], row["handler_id"] = result, case.now, handler.person_id
    case.stop_clock(DeadlineKind.HANDLE)
    case.start_clock(DeadlineKind.VERIFY)


def verify(case: Chronicle, by: Actor, comment: str | None) -> None:
    """Find the case done (row I10)."""
    how = VerifiedHow.ON_SITE
    case.move(case.incident, "verify", by, {"how": how.value, "comment": comment})
    case.incident.row |= {"verified_at": case.now, "verified_how": how}
    case.stop_clock(DeadlineKind.VERIFY)


def send_back(case: Chronicle, by: Actor, comment: str) -> None:
    """Find the case not done (row I10): level 1 or 2 works on, the old due moment still binds."""
    whistle = _running(case.second or case.first)
    row = case.incident.row
    case.move(case.incident, "rework", by, {"comment": comment})
    case.stop_clock(DeadlineKind.VERIFY)
    row["rework_count"] += 1
    row["resolved_at"] = None
    case.start_clock(DeadlineKind.HANDLE, case.handle_limit, due_at=row["due_at"])
    case.move(whistle, "rework", SYSTEM, {"comment": comment})
    whistle.row["ended_at"] = None


def callback(
    case: Chronicle, by: Actor, reporter_id: int, *, solved: Solved | None, satisfaction: int | None
) -> None:
    """Call the reporter (row I11); nobody was reached where there is no answer."""
    facts = {
        "reporter": reporter_id,
        "reached": satisfaction is not None,
        "solved": solved.value if solved else None,
        "satisfaction": satisfaction,
    }
    case.move(case.incident, "callback", by, facts)
    case.book.sheets.add(
        Callback,
        {
            "incident_id": case.incident.row["id"],
            "reporter_id": reporter_id,
            "round": case.incident.row["round"],
            "called_at": case.now,
            "called_by_id": by.person_id,
            "reached": satisfaction is not None,
            "solved": solved,
            "satisfaction": satisfaction,
            "comment": None,
        },
    )


def close(case: Chronicle, by: Actor, how: str) -> None:
    """Close the case (row I11)."""
    case.stop_clock(DeadlineKind.CALLBACK)
    case.move(case.incident, "close", by, {"callback": how})
    case.incident.row["closed_at"] = case.now


def reopen(case: Chronicle, by: Actor) -> None:
    """Take the case up again after a call (row I12): a new round that begins at level 1 or 2."""
    row = case.incident.row
    level = 1 if case.second is None and case.third is None else 2
    case.move(case.incident, "reopen", by, {"reason": "callback", "round": row["round"] + 1})
    row["round"] += 1
    row["rework_count"] = 0
    row["closed_at"] = row["verified_at"] = row["resolved_at"] = row["verified_how"] = None
    again = DEFAULT.second_handling
    due_at = case.start_clock(DeadlineKind.HANDLE, again)
    case.explain(explanation.second_due(due_at, again, case.now, case.book.calendar))
    case.first = case.second = case.third = None
    case.tasks = []
    _begin(case, by, level, "reopened", {"round": row["round"]})


def _running(whistle: Thing | None) -> Thing:
    if whistle is None:
        raise ValueError("there is no such whistle to act on")
    return whistle
