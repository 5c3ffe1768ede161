"""What departments do under a level-3 whistle: respond, check in, start, complete; how the town scores them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from geoalchemy2.shape import to_shape
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gis.crs import metres_between, parse_frame, to_storage
from gis.errors import Conflict, Forbidden, InvalidInput
from grids.acts.case import Case
from grids.acts.ladder import resolve_incident, resume_handling, said, send_task_back, tasks_of
from grids.rules.assessment import TOWN_WEIGHTS, score_town, shown
from grids.rules.deadlines import DeadlineKind
from grids.rules.lifecycle import INCIDENT, IncidentStatus
from grids.rules.permissions import SYSTEM, Actor, Role, require_department
from grids.rules.phones import check_phone
from grids.rules.tasks import DONE_STATUSES, TASK, CheckInMethod, TaskRole, TaskStatus
from grids.rules.whistles import WhistleStatus
from grids.tables import Score, Task

__all__ = ["FORMULA", "CheckIn", "check_in", "complete", "respond", "rework", "score", "start"]

FORMULA = f"town 1: {TOWN_WEIGHTS.response} response + {TOWN_WEIGHTS.handling} handling + {TOWN_WEIGHTS.result} result"
NEAR_M = 200.0  # farther than this from the incident a check-in needs a reason


@dataclass(frozen=True, slots=True)
class CheckIn:
    """How somebody showed that they had come. A point is needed for `gps`, a reason for `manual`."""

    method: CheckInMethod
    lon: float | None = None
    lat: float | None = None
    frame: str | None = None
    reason: str | None = None


def respond(
    session: Session,
    task_id: int,
    *,
    staff_name: str,
    staff_phone: str,
    arrives_at: datetime | None = None,
    by: Actor,
    now: datetime,
) -> Task:
    """Promise to come, with the name and the phone of who does (row T1).

    arrives_at defaults to the appointed time and may not be later.
    """
    said(staff_name, "staff_name", "name who comes")
    phone = check_phone(staff_phone, field="staff_phone")
    case, whistle, task = Case.of_task(session, task_id, by, now)
    require_department(by, task.department_id)
    if arrives_at is not None and whistle.appointed_at is not None and arrives_at > whistle.appointed_at:
        raise InvalidInput(
            "late_arrival",
            "the promised arrival is after the time that the town appointed",
            field="arrives_at",
            got=arrives_at.isoformat(),
            wanted=whistle.appointed_at.isoformat(),
        )
    task.arrives_at = arrives_at or whistle.appointed_at
    # the trace says that a phone was given, and keeps none: people may ask for theirs to be erased
    case.move(task, "respond", {"staff": staff_name, "arrives_at": task.arrives_at, "phone_given": True})
    task.staff_name, task.staff_phone, task.responded_at = staff_name.strip(), phone, now
    case.stop_clock(DeadlineKind.RESPOND, task=task)
    if whistle.status is WhistleStatus.ISSUED:
        case.move(whistle, "progress", by=SYSTEM)
    case.tell(
        (Role.TOWN_OFFICE, Role.TOWN_GRID_CENTRE), "task.responded", whistle=whistle.number, task=task.id
    )
    session.flush()
    return task


def check_in(session: Session, task_id: int, how: CheckIn, *, by: Actor, now: datetime) -> Task:
    """Record that a department's people came (row T5): time, place, distance, how late.

    The department records it from its own phone, or the town's office registers it. Farther than 200 m from
    the incident, or without a point, a reason is needed; nobody is turned away.
    """
    case, whistle, task = Case.of_task(session, task_id, by, now)
    if by.role is Role.DEPARTMENT_DUTY:
        require_department(by, task.department_id)
    distance = None
    if how.lon is not None and how.lat is not None:
        lon, lat = to_storage(how.lon, how.lat, parse_frame(how.frame or ""))
        (at_lon, at_lat), *_ = to_shape(case.incident.point).coords
        distance = metres_between(lon, lat, at_lon, at_lat)
        task.check_in_lon, task.check_in_lat = float(lon), float(lat)
    elif how.method is CheckInMethod.GPS:
        raise InvalidInput("point_needed", "a check-in by GPS needs lon, lat and frame", field="lon")
    if not (how.reason or "").strip() and (
        how.method is CheckInMethod.MANUAL or (distance is not None and distance > NEAR_M)
    ):
        away = "" if distance is None else f": {distance:.0f} m away, more than {NEAR_M:.0f} m"
        raise InvalidInput("reason_needed", f"this check-in needs a reason{away}", field="reason")
    late = 0
    if whistle.appointed_at is not None:
        late = max(0, int((now - whistle.appointed_at).total_seconds() // 60))
    case.move(
        task,
        "check_in",
        {
            "method": how.method.value,
            "distance_m": None if distance is None else round(distance),
            "minutes_late": late,
            "reason": how.reason,
        },
    )
    task.checked_in_at, task.check_in_method, task.minutes_late = now, how.method, late
    task.check_in_distance_m, task.check_in_reason = distance, how.reason
    case.stop_clock(DeadlineKind.CHECK_IN, task=task)
    session.flush()
    return task


def start(session: Session, task_id: int, *, by: Actor, now: datetime) -> Task:
    """Begin the action (row T6). When the lead begins, everyone who has checked in begins with it."""
    case, whistle, task = Case.of_task(session, task_id, by, now)
    require_department(by, task.department_id)
    together = [task]
    if task.role is TaskRole.LEAD:
        together += [
            other
            for other in tasks_of(session, whistle.id)
            if other.id != task.id and other.status is TaskStatus.CHECKED_IN
        ]
    for one in together:
        case.move(one, "start", {"together": len(together)})
        one.started_at = now
    session.flush()
    return task


def complete(
    session: Session,
    task_id: int,
    *,
    result: str,
    evidence: Sequence[str] = (),
    by: Actor,
    now: datetime,
) -> Task:
    """Report the department's part as done (row T7); the last part resolves the incident (row I9).

    Raises `Conflict` when the lead reports before the cooperating departments have.
    """
    said(result, "result", "say what was done")
    case, whistle, task = Case.of_task(session, task_id, by, now)
    require_department(by, task.department_id)
    others = [other for other in tasks_of(session, whistle.id) if other.id != task.id]
    open_parts = [other for other in others if other.status not in DONE_STATUSES]
    if task.role is TaskRole.LEAD and open_parts:
        raise Conflict(
            "parts_open",
            "the lead completes last; still open: " + ", ".join(t.department.name for t in open_parts),
            departments=[t.department.code for t in open_parts],
        )
    case.move(task, "complete", {"result": result, "evidence": list(evidence)})
    task.result, task.evidence, task.completed_at = result, list(evidence), now
    case.stop_clock(DeadlineKind.COMPLETE, task=task)
    if not open_parts and case.incident.status is IncidentStatus.HANDLING:
        lead = next(t for t in (task, *others) if t.role is TaskRole.LEAD)
        whistle.result = lead.result
        resolve_incident(case, lead.result or result, by=SYSTEM)
    session.flush()
    return task


def rework(session: Session, task_id: int, *, comment: str, by: Actor, now: datetime) -> Task:
    """Send a department's part back (row T8); a resolved incident goes back to work with it (row I10).

    Raises `Conflict` for a part of an incident that is verified or closed, or of a round that is over: such an
    incident is reopened instead.
    """
    said(comment, "comment", "say what is still wrong")
    case, whistle, task = Case.of_task(session, task_id, by, now)
    if whistle.round != case.incident.round:
        raise Conflict(
            "illegal_transition",
            f"this part belongs to round {whistle.round} of the case, which is over",
            machine=TASK.name,
            state=task.status,
            action="rework",
            allowed=[],
        )
    resolved = case.incident.status is not IncidentStatus.HANDLING
    if resolved:
        INCIDENT.decide(case.incident.status, "rework", SYSTEM.role)
    send_task_back(case, whistle, task, comment, by=by)
    if resolved:
        case.move(case.incident, "rework", {"comment": comment}, by=SYSTEM)
        case.stop_clock(DeadlineKind.VERIFY, void=True)
        resume_handling(case)
    session.flush()
    return task


def score(
    session: Session,
    task_id: int,
    *,
    response: int,
    handling: int,
    result: int,
    comment: str | None = None,
    by: Actor,
    now: datetime,
) -> Score:
    """Score a department for this whistle as the town that blew it (row T10), 0 to 100 on three points.

    When every department is scored, so is the whistle.
    """
    marks = score_town(response, handling, result, reason=comment)
    case, whistle, task = Case.of_task(session, task_id, by, now)
    if by.department_id == task.department_id:
        raise Forbidden("own_score", "nobody scores their own department")
    case.move(
        task,
        "score",
        {
            "response": response,
            "handling": handling,
            "result": result,
            "total": marks.total,
            "formula": FORMULA,
        },
    )
    given = Score(
        task_id=task.id,
        version_no=1
        + (session.scalar(select(func.max(Score.version_no)).where(Score.task_id == task.id)) or 0),
        response=response,
        handling=handling,
        result=result,
        total=shown(marks.total),
        formula=FORMULA,
        comment=marks.reason,
        scored_at=now,
        scored_by_id=by.person_id,
    )
    session.add(given)
    case.stop_clock(DeadlineKind.SCORE, task=task)
    if all(other.status is TaskStatus.SCORED for other in tasks_of(session, whistle.id)):
        case.move(whistle, "score", by=SYSTEM)
    session.flush()
    return given
