"""Who came to the place (rows T5, T13): two sides' words on it, kept as they were said, and what they come to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from geoalchemy2.shape import to_shape
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gis.crs import metres_between, parse_frame, to_storage
from gis.errors import Conflict, Forbidden, InvalidInput, NotFound
from grids.acts.case import Case, said
from grids.rules.deadlines import DeadlineKind
from grids.rules.permissions import Actor, Role, require_department
from grids.rules.presence import (
    Code,
    Presence,
    PresenceFlag,
    Seen,
    Way,
    Witness,
    Word,
    check_code,
    code_at,
    flags_of,
    is_far,
    minutes_late,
    new_secret,
    presence_of,
)
from grids.rules.tasks import LET_GO, TASK, CheckInMethod
from grids.scope import whistles_in
from grids.tables import Attendance, Department, Incident, Task, Whistle

__all__ = [
    "SHOWS_CODE",
    "CheckIn",
    "attendances",
    "check_in",
    "confirm_presence",
    "deny_presence",
    "ensure_secret",
    "meets_at",
    "no_show",
    "shown_code",
    "start_remote",
]

_SAME_DEVICE_WITHIN = timedelta(hours=24)
_SHOWN_BY_CODE = frozenset({CheckInMethod.QR, CheckInMethod.CODE})
SHOWS_CODE = frozenset({Role.TOWN_OFFICE, Role.TOWN_GRID_CENTRE, Role.TOWN_LEADER})
"""Who of the town shows the code at the place."""


@dataclass(frozen=True, slots=True)
class CheckIn:
    """How somebody showed that they had come.

    A point is needed for `gps`, the six digits for `code` and `qr`, a reason for `manual` and for what is far
    away. accuracy_m : of the point, as the device says. claimed_at, sent_at : when it was made and when it was
    sent, by the device's clock, for what was made without a network. client_key : of the device's own, so that
    a record that is sent twice is one. device : the same for all records of one device.
    """

    method: CheckInMethod
    lon: float | None = None
    lat: float | None = None
    frame: str | None = None
    reason: str | None = None
    accuracy_m: float | None = None
    code: str | None = None
    device: str | None = None
    claimed_at: datetime | None = None
    sent_at: datetime | None = None
    client_key: str | None = None
    person_name: str | None = None


@dataclass(frozen=True, slots=True)
class _Point:
    lon: float
    lat: float
    distance_m: float


# -- coming


def check_in(session: Session, task_id: int, how: CheckIn, *, by: Actor, now: datetime) -> Task:
    """Record that a department's people came (row T5): time, place, distance, how late, and what is doubtful.

    The department says so itself, which the town then confirms or denies; or the town registers it, which is
    confirmed at once. Farther than 200 m from the incident a reason is needed; nobody is turned away. A record
    that was made without a network counts from when it arrived, until the town confirms the device's own time.
    """
    case, whistle, task = Case.of_task(session, task_id, by, now)
    own = by.role is Role.DEPARTMENT_DUTY
    if own:
        require_department(by, task.department_id)
    if how.client_key is not None and _known(session, task, how.client_key):
        return task
    point = _point(case, how)
    _check(whistle, how, point, now)
    row = _row(case, task, how, point, Witness.DEPARTMENT if own else Witness.TOWN)
    came_at = now if own or how.claimed_at is None else min(how.claimed_at, now)
    late = row.minutes_late = minutes_late(meets_at(whistle, task), came_at)
    presence = presence_of([*_words(session, task), Word(row.witness, True)])
    case.move(
        task,
        "check_in",
        {
            "method": how.method.value,
            "distance_m": None if point is None else round(point.distance_m),
            "accuracy_m": None if how.accuracy_m is None else round(how.accuracy_m),
            "minutes_late": late,
            "reason": how.reason,
            "presence": presence,
            "flags": row.flags,
            "claimed_at": how.claimed_at,
        },
    )
    session.add(row)
    task.presence, task.checked_in_at, task.check_in_method = presence, came_at, how.method
    task.minutes_late, task.check_in_reason = late, how.reason
    if point is not None:
        task.check_in_lon, task.check_in_lat, task.check_in_distance_m = (
            point.lon,
            point.lat,
            point.distance_m,
        )
    case.stop_clock(DeadlineKind.CHECK_IN, task=task)
    if own:
        case.tell(
            (Role.TOWN_OFFICE,),
            "task.checked_in",
            whistle=whistle.number,
            task=task.id,
            department=task.department.name,
        )
    session.flush()
    return task


def _known(session: Session, task: Task, client_key: str) -> bool:
    same = select(Attendance.id).where(Attendance.task_id == task.id, Attendance.client_key == client_key)
    return session.scalar(same) is not None


def _point(case: Case, how: CheckIn) -> _Point | None:
    if how.lon is None or how.lat is None:
        if how.method is CheckInMethod.GPS:
            raise InvalidInput("point_needed", "a check-in by GPS needs lon, lat and frame", field="lon")
        return None
    lon, lat = to_storage(how.lon, how.lat, parse_frame(how.frame or ""))
    (at_lon, at_lat), *_ = to_shape(case.incident.point).coords
    return _Point(float(lon), float(lat), metres_between(float(lon), float(lat), at_lon, at_lat))


def _check(whistle: Whistle, how: CheckIn, point: _Point | None, now: datetime) -> None:
    if how.method in _SHOWN_BY_CODE:
        # what was typed without a network was read when it was typed
        read_at = now if how.claimed_at is None else min(how.claimed_at, now)
        check_code(whistle.code_secret or new_secret(), how.code or "", read_at)
    far = point is not None and is_far(point.distance_m, how.accuracy_m)
    if not (how.reason or "").strip() and (how.method is CheckInMethod.MANUAL or far):
        away = f": {point.distance_m:.0f} m away" if far and point is not None else ""
        raise InvalidInput("reason_needed", f"this check-in needs a reason{away}", field="reason")


def _row(case: Case, task: Task, how: CheckIn, point: _Point | None, witness: Witness) -> Attendance:
    seen = Seen(
        recorded_at=case.now,
        distance_m=None if point is None else point.distance_m,
        accuracy_m=how.accuracy_m,
        claimed_at=how.claimed_at,
        sent_at=how.sent_at,
        way=_way(case, how, point),
        others_on_device=_others_on_device(case, how.device),
        earliest=task.issued_at,
    )
    return Attendance(
        incident_id=case.incident.id,
        task_id=task.id,
        witness=witness,
        came=True,
        method=how.method,
        recorded_at=case.now,
        claimed_at=how.claimed_at,
        lon=None if point is None else point.lon,
        lat=None if point is None else point.lat,
        accuracy_m=how.accuracy_m,
        distance_m=None if point is None else point.distance_m,
        reason=how.reason,
        person_name=how.person_name or task.staff_name,
        device=how.device,
        client_key=how.client_key,
        flags=[flag.value for flag in flags_of(seen)],
        by_id=case.actor.person_id,
    )


def _way(case: Case, how: CheckIn, point: _Point | None) -> Way | None:
    if point is None or case.actor.person_id is None:
        return None
    at = func.coalesce(Attendance.claimed_at, Attendance.recorded_at)
    before = case.session.execute(
        select(Attendance.lon, Attendance.lat, Attendance.accuracy_m, at)
        .where(Attendance.by_id == case.actor.person_id, Attendance.lon.is_not(None), at <= case.now)
        .order_by(at.desc(), Attendance.id.desc())
        .limit(1)
    ).first()
    if before is None:
        return None
    lon, lat, accuracy, when = before
    if lon is None or lat is None:
        return None
    slack = (accuracy or 0.0) + (how.accuracy_m or 0.0)
    return Way(metres_between(lon, lat, point.lon, point.lat), slack, (how.claimed_at or case.now) - when)


def _others_on_device(case: Case, device: str | None) -> int:
    if device is None:
        return 0
    others = select(func.count(Attendance.by_id.distinct())).where(
        Attendance.device == device,
        Attendance.by_id != case.actor.person_id,
        Attendance.recorded_at > case.now - _SAME_DEVICE_WITHIN,
    )
    return case.session.scalar(others) or 0


def meets_at(whistle: Whistle, task: Task) -> datetime | None:
    """Return when a department is to be there: at the appointed time; called after that, when it has to answer."""
    if whistle.appointed_at is None or whistle.appointed_at > task.issued_at:
        return whistle.appointed_at
    return task.response_due_at


# -- the town's word


def confirm_presence(
    session: Session, task_id: int, *, comment: str | None = None, by: Actor, now: datetime
) -> Task:
    """Say as the town that a department came that says so (row T5); its own time counts then.

    Raises `Conflict` ("no_claim") where there is nothing to confirm: who came without saying so is registered
    by `check_in`.
    """
    return _town_says(session, task_id, True, comment, by, now)


def deny_presence(session: Session, task_id: int, *, comment: str, by: Actor, now: datetime) -> Task:
    """Say as the town that a department did not come that is on record as there (row T5).

    Both words stay on record, and the department and the auditor are told: nothing is taken back by itself.
    """
    said(comment, "comment", "say what the town saw")
    return _town_says(session, task_id, False, comment, by, now)


_SAYS_SO_ALREADY = {
    True: frozenset({None, Presence.NO_SHOW, Presence.CONFIRMED}),
    False: frozenset({None, Presence.NO_SHOW, Presence.CONTRADICTED}),
}


def _town_says(
    session: Session, task_id: int, came: bool, comment: str | None, by: Actor, now: datetime
) -> Task:
    case, whistle, task = Case.of_task(session, task_id, by, now)
    verb = "confirm_presence" if came else "deny_presence"
    before = task.presence
    presence = presence_of([*_words(session, task), Word(Witness.TOWN, came)])
    claim = _last_claim(session, task)
    TASK.decide(task.status, verb, by.role)
    if before in _SAYS_SO_ALREADY[came]:
        raise Conflict(
            "no_claim",
            "nobody has said that this department came, or the town has said so already",
            presence=before,
        )
    case.move(task, verb, {"comment": comment, "presence": presence})
    session.add(
        Attendance(
            incident_id=case.incident.id,
            task_id=task.id,
            witness=Witness.TOWN,
            came=came,
            recorded_at=now,
            reason=comment,
            by_id=by.person_id,
        )
    )
    task.presence = presence
    if came and claim is not None and PresenceFlag.LATE_SYNCED.value in claim.flags and claim.claimed_at:
        task.checked_in_at = claim.claimed_at
        task.minutes_late = minutes_late(meets_at(whistle, task), claim.claimed_at)
    if not came:
        facts = {"whistle": whistle.number, "task": task.id, "department": task.department.name}
        case.tell_department(task.department_id, "task.contradicted", **facts)
        case.tell((Role.AUDITOR,), "task.contradicted", **facts)
    session.flush()
    return task


def no_show(case: Case, whistle: Whistle | None, task: Task | None) -> None:
    """Put on record that nobody came by the appointed time and its grace (effect of the clock CHECK_IN)."""
    if whistle is None or task is None or task.status in LET_GO or task.remote_reason is not None:
        return
    if presence_of(_words(case.session, task), over=True) is not Presence.NO_SHOW:
        return
    task.presence = Presence.NO_SHOW
    facts = {"whistle": whistle.number, "letter": task.letter_number}
    case.note("no_show", "T5", {**facts, "appointed_at": whistle.appointed_at})
    body = case.session.get_one(Department, task.department_id)
    case.tell(
        (Role.TOWN_OFFICE, Role.TOWN_LEADER), "task.no_show", **facts, task=task.id, department=body.name
    )


def start_remote(session: Session, task_id: int, *, reason: str, by: Actor, now: datetime) -> Task:
    """Let a department begin without coming, as the town (row T13): a service, or work from afar.

    It owes no check-in then, and does not count where coming is counted.
    """
    said(reason, "reason", "say why nobody has to come")
    case, whistle, task = Case.of_task(session, task_id, by, now)
    case.move(task, "start_remote", {"reason": reason})
    task.remote_reason, task.started_at, task.presence = reason, now, None
    case.stop_clock(DeadlineKind.CHECK_IN, task=task, void=True)
    case.tell_department(
        task.department_id, "task.remote", whistle=whistle.number, task=task.id, reason=reason
    )
    session.flush()
    return task


# -- what was said


def _rows(session: Session, task: Task) -> Sequence[Attendance]:
    return session.scalars(
        select(Attendance).where(Attendance.task_id == task.id).order_by(Attendance.id)
    ).all()


def _words(session: Session, task: Task) -> list[Word]:
    return [Word(row.witness, row.came) for row in _rows(session, task)]


def _last_claim(session: Session, task: Task) -> Attendance | None:
    claims = [row for row in _rows(session, task) if row.witness is Witness.DEPARTMENT and row.came]
    return claims[-1] if claims else None


def attendances(session: Session, task_ids: Collection[int]) -> dict[int, list[Attendance]]:
    """Return every word on the presence under these tasks, by task id, oldest first."""
    found: dict[int, list[Attendance]] = {task_id: [] for task_id in task_ids}
    rows = select(Attendance).where(Attendance.task_id.in_(task_ids)).order_by(Attendance.id)
    for row in session.scalars(rows):
        found[row.task_id].append(row)
    return found


# -- the code at the place


def ensure_secret(whistle: Whistle) -> None:
    """Give a whistle the secret of its six digits, once."""
    whistle.code_secret = whistle.code_secret or new_secret()


def shown_code(session: Session, actor: Actor, number: str, now: datetime) -> Code:
    """Return the six digits that the town shows at the place of a whistle now.

    Raises `Forbidden` ("not_your_role") for everybody but the town, `NotFound` out of sight, and `Conflict`
    ("no_code") where no department is to come: not issued, or over.
    """
    whistle = session.scalar(
        select(Whistle)
        .join(Incident, Incident.id == Whistle.incident_id)
        .where(Whistle.number == number, whistles_in(actor.scope))
    )
    if whistle is None:
        raise NotFound("whistle_not_found", f"there is no whistle {number} that you may see", number=number)
    if actor.role not in SHOWS_CODE:
        raise Forbidden("not_your_role", "the town shows the code at the place", wanted=sorted(SHOWS_CODE))
    if whistle.code_secret is None or whistle.ended_at is not None:
        raise Conflict("no_code", f"no department is to come under whistle {number} now", number=number)
    return code_at(whistle.code_secret, now)
