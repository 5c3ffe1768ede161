"""What departments and the town do under a made-up level-3 whistle, act by act, named as the use cases are.

Each function does to a `Chronicle` what its namesake in `grids.acts.joint` and `grids.acts.tasks` does to a `Case`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from grids.acts.tasks import FORMULA
from grids.demo.acts import resolve
from grids.demo.chronicle import Chronicle, Thing
from grids.demo.copying import Sheets
from grids.rules.assessment import score_town
from grids.rules.deadlines import CHECK_IN_GRACE, DeadlineKind, confirm_limit
from grids.rules.limits import Limit
from grids.rules.permissions import SYSTEM, Actor
from grids.rules.tasks import TASK, CheckInMethod, TaskRole, TaskStatus
from grids.rules.trace import rendered
from grids.rules.whistles import WhistleStatus, WhistleType
from grids.tables import Score, Task

__all__ = ["archive", "check_in", "complete", "confirm", "respond", "score", "start", "submit", "verify"]

_TASK_COLUMNS = tuple(Task.__table__.columns.keys())


def submit(case: Chronicle, by: Actor, *, reason: str, appointed_at: datetime, place: str) -> None:
    """Complete the drafted whistle and send it to the town's main leader (row W5)."""
    whistle = _third(case)
    row = whistle.row
    due_at = case.due_at
    if due_at <= case.now:  # overdue already: the departments get the handling limit anew
        due_at = case.book.due(case.now, Limit.from_json(case.incident.row["limits"]["handle"][0]))
    row |= {"reason": row["reason"] or reason, "appointed_at": appointed_at, "appointed_place": place}
    row["due_at"] = due_at
    facts = {
        "type": row["type"].value,
        "reason": row["reason"],
        "departments": row["departments"],
        "appointed_at": rendered(appointed_at),
        "place": place,
        "due_at": rendered(due_at),
    }
    case.move(whistle, "submit", by, facts)
    row["submitted_at"] = case.now
    limit = confirm_limit(emergency=row["type"] is WhistleType.EMERGENCY)
    case.start_clock(DeadlineKind.CONFIRM, limit, whistle=whistle)


def confirm(case: Chronicle, by: Actor) -> None:
    """Confirm as the town's main leader (row W6); every department gets its task (row W7)."""
    whistle = _third(case)
    row = whistle.row
    case.move(whistle, "confirm", by, {"departments": row["departments"]})
    row["confirmed_at"], row["confirmed_by_id"] = case.now, by.person_id
    case.stop_clock(DeadlineKind.CONFIRM, whistle=whistle)
    case.move(whistle, "issue", SYSTEM, {"departments": [named["code"] for named in row["departments"]]})
    row["issued_at"] = case.now
    for number, named in enumerate(row["departments"], start=1):
        _issue(case, whistle, named["code"], TaskRole(named["role"]), f"{whistle.subject}-{number:02d}")


def _issue(case: Chronicle, whistle: Thing, code: str, role: TaskRole, letter: str) -> None:
    body = case.book.bodies[case.cell[:6], code]
    minutes = case.incident.row["limits"]["response_minutes"]
    respond_by = case.now + timedelta(minutes=minutes)
    row: dict[str, Any] = {
        **dict.fromkeys(_TASK_COLUMNS),
        "id": next(case.book.ids["task"]),
        "incident_id": case.incident.row["id"],
        "whistle_id": whistle.row["id"],
        "department_id": body.id,
        "role": role,
        "status": TaskStatus.PENDING_RESPONSE,
        "disputed": False,
        "letter_number": letter,
        "issued_at": case.now,
        "response_due_at": respond_by,
        "due_at": max(whistle.row["due_at"], case.now),
        "rework_count": 0,
        "version": 1,
    }
    case.book.sheets.add(Task, row)
    task = Thing(TASK.name, letter, row, body=body)
    case.tasks.append(task)
    facts = {
        "department": code,
        "role": role.value,
        "respond_by": rendered(respond_by),
        "due_at": rendered(row["due_at"]),
    }
    case.begun(task, "issue", SYSTEM, facts)
    case.start_clock(DeadlineKind.RESPOND, due_at=respond_by, whistle=whistle, task=task)
    come_by = whistle.row["appointed_at"] + CHECK_IN_GRACE
    case.start_clock(DeadlineKind.CHECK_IN, due_at=come_by, whistle=whistle, task=task)
    case.start_clock(DeadlineKind.COMPLETE, due_at=row["due_at"], whistle=whistle, task=task)


def respond(case: Chronicle, task: Thing, by: Actor, *, staff_name: str, staff_phone: str) -> None:
    """Promise to come at the appointed time, with name and phone (row T1)."""
    whistle = _third(case)
    arrives_at = whistle.row["appointed_at"]
    facts = {"staff": staff_name, "arrives_at": rendered(arrives_at), "phone_given": True}
    case.move(task, "respond", by, facts)
    task.row |= {
        "arrives_at": arrives_at,
        "staff_name": staff_name,
        "staff_phone": staff_phone,
        "responded_at": case.now,
    }
    case.stop_clock(DeadlineKind.RESPOND, task=task)
    if whistle.status is WhistleStatus.ISSUED:
        case.move(whistle, "progress", SYSTEM)


def check_in(case: Chronicle, task: Thing, by: Actor, *, lon: float, lat: float, distance_m: float) -> None:
    """Show by position that one has come (row T5)."""
    late = max(0, int((case.now - _third(case).row["appointed_at"]).total_seconds() // 60))
    facts = {
        "method": CheckInMethod.GPS.value,
        "distance_m": round(distance_m),
        "minutes_late": late,
        "reason": None,
    }
    case.move(task, "check_in", by, facts)
    task.row |= {
        "checked_in_at": case.now,
        "check_in_method": CheckInMethod.GPS,
        "check_in_lon": lon,
        "check_in_lat": lat,
        "check_in_distance_m": distance_m,
        "minutes_late": late,
    }
    case.stop_clock(DeadlineKind.CHECK_IN, task=task)


def start(case: Chronicle, by: Actor) -> None:
    """Begin the joint action as the lead (row T6): all who have checked in begin with it."""
    together = [task for task in case.tasks if task.status is TaskStatus.CHECKED_IN]
    for task in together:
        case.move(task, "start", by, {"together": len(together)})
        task.row["started_at"] = case.now


def complete(case: Chronicle, task: Thing, by: Actor, result: str) -> None:
    """Report one part as done (row T7); the lead's, which comes last, resolves the case (row I9)."""
    evidence = list(case.category.evidence)
    case.move(task, "complete", by, {"result": result, "evidence": evidence})
    task.row |= {"result": result, "evidence": evidence, "completed_at": case.now}
    case.stop_clock(DeadlineKind.COMPLETE, task=task)
    if task.row["role"] is TaskRole.LEAD:
        _third(case).row["result"] = result
        resolve(case, SYSTEM, result, handler=by)


def verify(case: Chronicle, by: Actor, comment: str | None) -> None:
    """Accept every part and the whole whistle as the town (rows T8, W8)."""
    whistle = _third(case)
    for task in case.tasks:
        case.move(task, "accept", by, {"comment": comment})
        task.row["accepted_at"] = case.now
        case.start_clock(DeadlineKind.SCORE, whistle=whistle, task=task)
    case.move(whistle, "complete", SYSTEM)
    whistle.row["completed_at"] = case.now
    case.move(whistle, "verify", by, {"comment": comment})
    whistle.row["ended_at"] = case.now


def score(case: Chronicle, task: Thing, by: Actor, marks: Sequence[int], comment: str | None) -> None:
    """Score a department as the town (row T10): response, handling, result."""
    response, handling, result = marks
    given = score_town(response, handling, result, reason=comment)
    facts = {
        "response": response,
        "handling": handling,
        "result": result,
        "total": str(given.total),
        "formula": FORMULA,
    }
    case.move(task, "score", by, facts)
    sheets: Sheets = case.book.sheets
    sheets.add(
        Score,
        {
            "task_id": task.row["id"],
            "version_no": 1,
            "response": response,
            "handling": handling,
            "result": result,
            "total": given.total,
            "formula": FORMULA,
            "comment": given.reason,
            "scored_at": case.now,
            "scored_by_id": by.person_id,
        },
    )
    case.stop_clock(DeadlineKind.SCORE, task=task)
    if all(other.status is TaskStatus.SCORED for other in case.tasks):
        case.move(_third(case), "score", SYSTEM)


def archive(case: Chronicle, by: Actor) -> None:
    """Put the scored whistle away (row W8)."""
    case.move(_third(case), "archive", by)


def _third(case: Chronicle) -> Thing:
    if case.third is None:
        raise ValueError("there is no level-3 whistle to act on")
    return case.third
