"""What departments and the town do under a made-up level-3 whistle, act by act, named as the use cases are.

Each function does to a `Chronicle` what its namesake in `grids.acts.joint` and `grids.acts.tasks` does to a `Case`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from grids.acts.scores import penalty_rows
from grids.demo import slips
from grids.demo.acts import resolve
from grids.demo.chronicle import Chronicle, Thing
from grids.demo.copying import Sheets
from grids.demo.names import mobile
from grids.rules.assessment import FORMULA, appraise, part_record, score_town, shown
from grids.rules.deadlines import DeadlineKind
from grids.rules.limits import Limit
from grids.rules.permissions import SYSTEM, Actor
from grids.rules.presence import Presence, Witness, minutes_late
from grids.rules.profiles import DEFAULT
from grids.rules.tasks import TASK, CheckInMethod, TaskRole, TaskStatus
from grids.rules.trace import rendered
from grids.rules.whistles import WhistleStatus, WhistleType
from grids.tables import Appraisal, Attendance, JointAction, Score, Task

__all__ = [
    "archive",
    "check_in",
    "complete",
    "confirm",
    "confirm_presence",
    "respond",
    "score",
    "start",
    "submit",
    "verify",
]

_TASK_COLUMNS = tuple(Task.__table__.columns.keys())
_WORD_COLUMNS = tuple(column.key for column in Attendance.__table__.columns if column.key != "id")


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
        "chosen_reason": None,
        "appointed_at": rendered(appointed_at),
        "place": place,
        "contact": by.name,
        "due_at": rendered(due_at),
    }
    case.move(whistle, "submit", by, facts)
    row["submitted_at"], row["contact_name"] = case.now, by.name
    row["contact_phone"] = mobile(20_000_000 + (by.person_id or 0))
    case.stop_clock(DeadlineKind.DRAFT, whistle=whistle)
    limit = DEFAULT.confirm_emergency if row["type"] is WhistleType.EMERGENCY else None
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
    come_by = whistle.row["appointed_at"] + DEFAULT.check_in_grace
    case.start_clock(DeadlineKind.CHECK_IN, due_at=come_by, whistle=whistle, task=task)
    case.start_clock(DeadlineKind.COMPLETE, due_at=row["due_at"], whistle=whistle, task=task)
    slips.watch(case, task)


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
    late = minutes_late(_third(case).row["appointed_at"], case.now)
    facts = {
        "method": CheckInMethod.GPS.value,
        "distance_m": round(distance_m),
        "accuracy_m": 10,
        "minutes_late": late,
        "reason": None,
        "presence": Presence.CLAIMED.value,
        "flags": [],
        "claimed_at": None,
    }
    case.move(task, "check_in", by, facts)
    word = _word(case, task, by, Witness.DEPARTMENT)
    case.book.sheets.add(
        Attendance,
        word
        | {
            "method": CheckInMethod.GPS,
            "lon": lon,
            "lat": lat,
            "accuracy_m": 10.0,
            "distance_m": distance_m,
            "minutes_late": late,
            "person_name": task.row["staff_name"],
        },
    )
    task.row |= {
        "presence": Presence.CLAIMED,
        "checked_in_at": case.now,
        "check_in_method": CheckInMethod.GPS,
        "check_in_lon": lon,
        "check_in_lat": lat,
        "check_in_distance_m": distance_m,
        "minutes_late": late,
    }
    case.stop_clock(DeadlineKind.CHECK_IN, task=task)


def confirm_presence(case: Chronicle, task: Thing, by: Actor) -> None:
    """Say as the town that a department came (row T5)."""
    case.move(task, "confirm_presence", by, {"comment": None, "presence": Presence.CONFIRMED.value})
    case.book.sheets.add(Attendance, _word(case, task, by, Witness.TOWN))
    task.row["presence"] = Presence.CONFIRMED


def _word(case: Chronicle, task: Thing, by: Actor, witness: Witness) -> dict[str, Any]:
    return {
        **dict.fromkeys(_WORD_COLUMNS),
        "incident_id": case.incident.row["id"],
        "task_id": task.row["id"],
        "witness": witness,
        "came": True,
        "recorded_at": case.now,
        "flags": [],
        "by_id": by.person_id,
    }


def start(case: Chronicle, by: Actor) -> None:
    """Begin the joint action as the lead (row T6): all who have checked in begin with it."""
    together = [task for task in case.tasks if task.status is TaskStatus.CHECKED_IN]
    for task in together:
        case.move(task, "start", by, {"together": len(together)})
        task.row["started_at"] = case.now
    case.action = {
        "incident_id": case.incident.row["id"],
        "whistle_id": _third(case).row["id"],
        "started_at": case.now,
        "started_by_id": by.person_id,
        "ended_at": None,
        "participants": [
            {
                "department": task.body.code if task.body else None,
                "staff": task.row["staff_name"],
                "part": task.row["role"].value,
            }
            for task in together
        ],
        "measures": None,
        "documents": [],
        "follow_up": None,
    }
    case.book.sheets.add(JointAction, case.action)


def complete(case: Chronicle, task: Thing, by: Actor, result: str) -> None:
    """Report one part as done (row T7); the lead's, which comes last, resolves the case (row I9)."""
    evidence = list(case.category.evidence)
    case.move(task, "complete", by, {"result": result, "evidence": evidence, "without": None})
    task.row |= {"result": result, "evidence": evidence, "completed_at": case.now}
    case.stop_clock(DeadlineKind.COMPLETE, task=task)
    case.stop_clock(DeadlineKind.PROGRESS, DeadlineKind.LONG_OVERDUE, task=task, void=True)
    if task.row["role"] is TaskRole.LEAD:
        _third(case).row["result"] = result
        if case.action is not None and case.action["ended_at"] is None:
            together: dict[str, Any] = {"measures": result, "documents": [], "follow_up": None}
            case.move(_third(case), "end_action", SYSTEM, together)
            case.action |= {"ended_at": case.now, "measures": result}
        resolve(case, SYSTEM, result, handler=by)


def verify(case: Chronicle, by: Actor, comment: str | None) -> None:
    """Accept every part and the whole whistle as the town (rows T8, W8)."""
    whistle = _third(case)
    for task in case.tasks:
        case.move(task, "accept", by, {"comment": comment})
        task.row["accepted_at"] = case.now
        case.start_clock(DeadlineKind.SCORE, whistle=whistle, task=task)
        case.start_clock(DeadlineKind.APPRAISAL, whistle=whistle, task=task)
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
    case.stop_clock(DeadlineKind.APPRAISAL, task=task, void=True)
    _appraise(case, task, given.total)
    if all(other.status is TaskStatus.SCORED for other in case.tasks):
        case.move(_third(case), "score", SYSTEM)


def _appraise(case: Chronicle, task: Thing, town: Decimal) -> None:
    """Make the result of the town's marks and the record; the made-up leads mark nobody."""
    whistle = _third(case)
    row = task.row
    result = appraise(
        town,
        None,
        part_record(
            responded_at=row["responded_at"],
            response_due_at=row["response_due_at"],
            named=bool(row["staff_name"] and row["staff_phone"]),
            remote=False,
            came=row["checked_in_at"] is not None,
            minutes_late=row["minutes_late"],
            grace=DEFAULT.check_in_grace,
            completed_at=row["completed_at"],
            due_at=row["due_at"],
            reworks=row["rework_count"],
            unfounded_returns=0,
        ),
        emergency=whistle.row["type"] is WhistleType.EMERGENCY,
    )
    shown_by = case.shown_by(task)
    case.book.sheets.add(
        Appraisal,
        {
            "task_id": row["id"],
            "version_no": 1,
            "town": shown(town),
            "peer": None,
            "system": shown(result.system),
            "total": shown(result.total),
            "weight": result.weight,
            "penalties": penalty_rows(result, shown_by),
            "formula": FORMULA,
            "because": "scored",
            "made_at": case.now,
        },
    )
    case.note(
        "appraised",
        "T10",
        {
            "letter": task.subject,
            "whistle": whistle.subject,
            "town": str(town),
            "peer": None,
            "system": str(result.system),
            "overall": str(result.total),
            "formula": FORMULA,
            "because": "scored",
        },
    )


def archive(case: Chronicle, by: Actor) -> None:
    """Put the scored whistle away (row W8)."""
    case.move(_third(case), "archive", by)


def _third(case: Chronicle) -> Thing:
    if case.third is None:
        raise ValueError("there is no level-3 whistle to act on")
    return case.third
