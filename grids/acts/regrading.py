"""How bad a case is, as it becomes known: the circumstances that raise its grade, and who may judge it anew.

A grade rises by the word of the town's centre or the district's platform, or by itself where many people report
the same thing or it keeps coming back. The handling clock then gets the earlier due moment at once, counted from
the rise: nobody is late for what they could not know. A grade falls only by the district's platform, and no due
moment moves with it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from geoalchemy2.shape import to_shape
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID
from gis.errors import Conflict, Forbidden, InvalidInput
from grids.acts.case import Case, said
from grids.acts.reporters import how_many
from grids.rules import explanation
from grids.rules.categories import WATERLOGGING
from grids.rules.deadlines import DeadlineKind
from grids.rules.duplicates import metres_from
from grids.rules.grading import (
    STATED,
    Circumstances,
    Grade,
    RaiseReason,
    limits_for,
    raise_grade,
    reasons_to_raise,
)
from grids.rules.lifecycle import INCIDENT, IncidentStatus
from grids.rules.limits import due
from grids.rules.pauses import ClockMove
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.tables import Category, Deadline, Incident

__all__ = ["check_stated", "look_again", "reasons_for", "regrade"]

_RETURNS_WITHIN = timedelta(days=30)
_DEGREE_M = 111_000.0  # of latitude, at least; for the window that an index searches


def check_stated(stated: Collection[RaiseReason]) -> None:
    """Raise `InvalidInput` for a circumstance that nobody states: the system counts those itself."""
    found = sorted(reason.value for reason in set(stated) - STATED)
    if found:
        raise InvalidInput(
            "not_to_be_stated",
            f"{', '.join(found)} is counted by the system",
            field="circumstances",
            got=found,
            wanted=sorted(reason.value for reason in STATED),
        )


def reasons_for(
    case: Case, category: Category, stated: Collection[RaiseReason] = ()
) -> tuple[RaiseReason, ...]:
    """Return every circumstance that raises this case above its category's grade, and has not raised it yet."""
    facts = Circumstances(
        casualties=RaiseReason.CASUALTIES in stated,
        trapped=RaiseReason.TRAPPED in stated,
        fire=RaiseReason.FIRE in stated,
        school_or_hospital_m=0.0 if RaiseReason.NEAR_SCHOOL_OR_HOSPITAL in stated else None,
        waterlogging=category.code in WATERLOGGING,
        rain_warning=RaiseReason.RAIN_WARNING in stated,
        reporters=how_many(case.session, case.incident.id),
        times_in_30_days=1 + _times_before(case.session, case.incident, category),
    )
    known = explanation.raised_for(case.incident.explanation or ())
    return tuple(reason for reason in reasons_to_raise(facts) if reason not in known)


def _times_before(session: Session, incident: Incident, category: Category) -> int:
    """Return how often this category was settled here in the 30 days before, and came back.

    Open cases near by do not count: they may be this very thing, reported twice.
    """
    radius = category.recurrence_radius_m
    if radius is None:
        return 0
    ((lon, lat),) = to_shape(incident.point).coords
    reach = 4 * radius / _DEGREE_M  # a degree of longitude is that much shorter up to 75 degrees of latitude
    window = func.ST_MakeEnvelope(lon - reach, lat - reach, lon + reach, lat + reach, STORAGE_SRID)
    rows = session.execute(
        select(func.ST_X(Incident.point), func.ST_Y(Incident.point)).where(
            Incident.category_code == category.code,
            Incident.status == IncidentStatus.CLOSED,
            Incident.id != incident.id,
            Incident.received_at >= incident.received_at - _RETURNS_WITHIN,
            Incident.closed_at <= incident.received_at,
            Incident.point.op("&&")(window),
        )
    )
    near = (metres_from(lon, lat, x, y) for x, y in rows)
    return sum(east * east + north * north <= radius * radius for east, north in near)


def regrade(
    session: Session, number: str, *, grade: Grade, reason: str, by: Actor, now: datetime
) -> Incident:
    """Judge a running case anew (row I7).

    Raises `Forbidden` ("grade_falls") where somebody else than the district's platform would lower it, and
    `InvalidInput` where it has that grade already.
    """
    said(reason, "reason", "say why the grade changes")
    case = Case.open(session, number, by, now)
    incident = case.incident
    INCIDENT.decide(incident.status, "regrade", by.role)
    before = _graded(incident)
    if grade is before:
        raise InvalidInput("same_grade", f"it is {grade} already", field="grade", got=grade.value)
    if grade.rank > before.rank and by.role is not Role.DISTRICT_PLATFORM:
        raise Forbidden(
            "grade_falls", "only the district's platform lets a grade fall", wanted="district_platform"
        )
    case.explain(explanation.regraded(grade, before, by, reason, at=now))
    _change(case, grade, before, reason=reason, reasons=(), by=by)
    session.flush()
    return incident


def look_again(case: Case) -> None:
    """Raise a running case by itself where its circumstances have become worse."""
    incident = case.incident
    if incident.status is not IncidentStatus.HANDLING or incident.category_code is None:
        return
    category = case.session.get_one(Category, incident.category_code)
    reasons, before = reasons_for(case, category), _graded(incident)
    if not reasons:
        return
    grade = raise_grade(before, reasons)
    case.explain(explanation.grade_raised(grade, before, reasons, at=case.now))
    if grade is not before:
        _change(case, grade, before, reason=None, reasons=reasons, by=SYSTEM)


def _graded(incident: Incident) -> Grade:
    if incident.grade is None:
        raise Conflict("not_graded", "a case is graded when it is accepted", number=incident.number)
    return incident.grade


def _change(
    case: Case,
    grade: Grade,
    before: Grade,
    *,
    reason: str | None,
    reasons: Collection[RaiseReason],
    by: Actor,
) -> None:
    incident = case.incident
    incident.grade = grade
    if grade.rank < before.rank:
        _tighten(case, grade)
    case.move(
        incident,
        "regrade",
        {
            "before": before.value,
            "grade": grade.value,
            "reason": reason,
            "raised": [one.value for one in reasons],
            "due_at": case.handle_by(),
        },
        by=by,
    )
    roles = [Role.GRID_LEADER, Role.TOWN_GRID_CENTRE, Role.TOWN_OFFICE]
    if grade is Grade.RED:
        roles += [Role.TOWN_LEADER, Role.DISTRICT_PLATFORM]
    case.tell(roles, "incident.regraded", before=before.value, grade=grade.value)


def _tighten(case: Case, grade: Grade) -> None:
    """Put an earlier due moment in the place of the running one, where the limits of the grade give one."""
    incident, session = case.incident, case.session
    clock = session.scalar(
        select(Deadline).where(
            Deadline.incident_id == incident.id,
            Deadline.kind == DeadlineKind.HANDLE,
            Deadline.settled_at.is_(None),
        )
    )
    if clock is None or incident.category_code is None:
        return
    limits = limits_for(session.get_one(Category, incident.category_code), grade, case.rules.ceilings)
    moments = [due(case.now, limit, case.calendar) for limit in limits]
    first = min(moments)
    if first >= clock.due_at:
        return
    new = case.move_clock(clock, first, ClockMove.REGRADE)
    new.limit = limits[moments.index(first)].to_json()
    if incident.round == 1:
        incident.due_at = first
    case.explain(explanation.due(limits, moments, case.now, case.calendar, clock_from="regrade", at=case.now))
