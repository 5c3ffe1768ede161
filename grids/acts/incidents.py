"""Incidents: report, place, accept, verify, call back, close, reopen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from geoalchemy2.shape import from_shape
from shapely import Point
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID
from gis.errors import Conflict, Forbidden, InvalidInput, NotFound
from grids import atlas, directory
from grids.acts import ladder
from grids.acts.case import Case, next_number
from grids.duty import duties
from grids.ground import succession
from grids.rules import explanation
from grids.rules.calendar import SHANGHAI, local_day
from grids.rules.deadlines import SECOND_HANDLING, DeadlineKind, limit_of
from grids.rules.explanation import What
from grids.rules.grading import Grade, limits_for
from grids.rules.lifecycle import Channel, IncidentStatus
from grids.rules.limits import due
from grids.rules.permissions import SYSTEM, Actor, Role, require_area
from grids.rules.phones import check_phone
from grids.rules.whistles import WhistleLevel, WhistleStatus
from grids.tables import Callback, Category, Incident, Placement, Reporter, Solved

__all__ = [
    "CallbackAnswer",
    "Report",
    "accept",
    "callback",
    "place",
    "reopen",
    "report",
    "reporters",
    "verify",
]

_LONGEST_TEXT = 4000
_OLDEST_CLAIM = timedelta(days=365)
_CLOCK_SKEW = timedelta(minutes=5)  # a phone's clock may run ahead of ours by this much
_TRIES, _TRY_DAYS = 3, 2  # a reporter is unreachable after three tries on two different days


@dataclass(frozen=True, slots=True)
class Report:
    """What a reporter says. `lon` and `lat` are in `frame`; `occurred_at` is their claim, if they make one.

    cell : which of the cells that the position may lie in it is (`grids.atlas.Place.candidates`), if they know.
    """

    channel: Channel
    lon: float
    lat: float
    frame: str
    text: str
    accuracy_m: float | None = None
    address: str | None = None
    category: str | None = None
    reporter_name: str | None = None
    reporter_phone: str | None = None
    occurred_at: datetime | None = None
    cell: str | None = None


@dataclass(frozen=True, slots=True)
class CallbackAnswer:
    """What came of one call: reached or not and, if reached, solved or not and how satisfied (1 to 5)."""

    reached: bool
    solved: Solved | None = None
    satisfaction: int | None = None
    comment: str | None = None
    reporter_id: int | None = None


def report(session: Session, said: Report, *, by: Actor, now: datetime) -> Incident:
    """File an incident at its cell (row I1); a grid worker's find in their own cell is accepted at once.

    A point in no cell is kept and waits for a person to place it. Near a border the reporter's own word decides
    which cell it is, if they give one. Raises `InvalidInput` naming the field.
    """
    atlas.hold_edition(session)
    text = _checked_text(said.text)
    _check_time(said.occurred_at, now)
    phone = check_phone(said.reporter_phone, field="reporter.phone") if said.reporter_phone else None
    if said.category is not None:
        directory.category(session, said.category)
    grid = atlas.current(session, on=local_day(now))
    found = grid.place(said.lon, said.lat, said.frame, accuracy_m=said.accuracy_m)
    if said.cell is not None:
        found = found.confirmed(said.cell)
    code = found.code or found.nearest_district
    incident = Incident(
        number=_number(session, code, now),
        status=IncidentStatus.REPORTED,
        channel=said.channel,
        text=text,
        address=said.address,
        category_code=said.category,
        point=from_shape(Point(found.lon, found.lat), srid=STORAGE_SRID),
        native_lon=said.lon,
        native_lat=said.lat,
        native_frame=found.frame,
        accuracy_m=said.accuracy_m,
        edition_id=found.edition_id,
        grid_code=code,
        placement=found.how,
        border_distance_m=found.border_distance_m,
        occurred_at=said.occurred_at,
        received_at=now,
        reported_by_id=by.person_id,
        explanation=[grid.why(found, said.lon, said.lat, accuracy_m=said.accuracy_m, at=now)],
        trace_seq=0,
    )
    session.add(incident)
    case = Case(session, incident, by, now)
    case.begun(
        incident,
        "report",
        {
            "channel": said.channel.value,
            "lon": said.lon,
            "lat": said.lat,
            "frame": found.frame,
            "grid": code,
            "placement": found.how.value,
            "edition": found.edition_id,
            "category": said.category,
        },
    )
    if phone or said.reporter_name:
        session.add(Reporter(incident_id=incident.id, name=said.reporter_name, phone=phone, reported_at=now))
    if found.how is Placement.OUTSIDE:
        case.start_clock(DeadlineKind.ACCEPT, limit_of(DeadlineKind.ACCEPT, None))
        case.tell((Role.HOTLINE_DESK, Role.DISTRICT_PLATFORM), "incident.outside")
    elif by.role is Role.GRID_WORKER and said.category is not None and by.scope.covers(code):
        _accept(case, directory.category(session, said.category), grade=None, level=None, reason=None)
    else:
        case.start_clock(DeadlineKind.ACCEPT, limit_of(DeadlineKind.ACCEPT, None))
        case.tell((Role.TOWN_GRID_CENTRE, Role.GRID_WORKER), "incident.reported")
    session.flush()
    return incident


def place(session: Session, number: str, *, code: str, by: Actor, now: datetime) -> Incident:
    """Put an incident that lay outside every cell into a cell by hand (row I1)."""
    atlas.hold_edition(session)
    case = Case.open(session, number, by, now)
    incident = case.incident
    if incident.placement is not Placement.OUTSIDE:
        raise Conflict("already_placed", f"incident {number} already lies in {incident.grid_code}")
    edition_id = atlas.require_cell(session, code, on=case.today)
    require_area(by, code)
    before = incident.grid_code
    incident.grid_code, incident.placement, incident.edition_id = code, Placement.MANUAL, edition_id
    case.move(incident, "place", {"from": before, "to": code})
    names = atlas.current(session, on=case.today).edition_names
    case.explain(
        explanation.entry(
            What.CELL,
            code,
            "manual",
            at=now,
            edition=edition_id,
            edition_name=names.get(edition_id),
            **explanation.by_whom(by, None),
        )
    )
    case.tell((Role.TOWN_GRID_CENTRE,), "incident.reported")
    session.flush()
    return incident


def accept(
    session: Session,
    number: str,
    *,
    by: Actor,
    now: datetime,
    category: str | None = None,
    grade: Grade | None = None,
    level: WhistleLevel | None = None,
    reason: str | None = None,
) -> Incident:
    """Accept a report: grade it, fix its limits and its people, and blow its first whistle (rows I3, I6).

    grade and level default to the category's; another grade or a higher first whistle needs a reason. Red cases
    run from the moment of the report, all others from now. Raises `Conflict` where the incident still lies in no cell.
    """
    case = Case.open(session, number, by, now)
    incident = case.incident
    code = category or incident.category_code
    if code is None:
        raise InvalidInput("category_needed", "choose a category before accepting", field="category")
    _accept(case, directory.category(session, code), grade=grade, level=level, reason=reason)
    session.flush()
    return incident


def _accept(
    case: Case, category: Category, *, grade: Grade | None, level: WhistleLevel | None, reason: str | None
) -> None:
    incident = case.incident
    if incident.placement is Placement.OUTSIDE:
        raise Conflict(
            "not_placed", "this report lies in no grid cell: place it first", number=incident.number
        )
    graded = grade or category.grade
    first = WhistleLevel.THIRD if graded is Grade.RED else WhistleLevel(category.whistle_level)
    if not reason and (graded is not category.grade or (level or first) > first):
        raise InvalidInput(
            "reason_needed",
            "say why the grade differs from the category's, or the first whistle is above it",
            field="reason",
            wanted={"grade": category.grade.value, "level": int(first)},
        )
    start = incident.received_at if graded is Grade.RED else case.now
    clock_from = "report" if graded is Grade.RED else "accept"
    limits = limits_for(category, graded)
    moments = [due(start, limit, case.calendar) for limit in limits]
    case.explain(
        explanation.category(category.code, incident.category_code, case.actor, at=case.now),
        explanation.grade(graded, category.grade, case.actor, reason, at=case.now),
        explanation.due(limits, moments, start, case.calendar, clock_from=clock_from, at=case.now),
    )
    incident.category_code, incident.grade = category.code, graded
    incident.accepted_at = case.now
    incident.due_at = min(moments)
    incident.limits = {
        "handle": [limit.to_json() for limit in limits],
        "clock_from": clock_from,
        "response_minutes": category.response_minutes,
        "arrive_hours": category.arrive_hours,
        "long_process": category.long_process,
    }
    incident.responsible = _responsible(case, category)
    case.move(
        incident,
        "accept",
        {
            "category": category.code,
            "grade": graded.value,
            "due_at": incident.due_at,
            "limits": incident.limits,
            "responsible": incident.responsible,
            "reason": reason,
        },
    )
    case.stop_clock(DeadlineKind.ACCEPT)
    case.start_clock(DeadlineKind.HANDLE, due_at=incident.due_at)
    case.move(incident, "start", by=SYSTEM)
    if level is None or level == first:
        ladder.begin(case, first, "red" if graded is Grade.RED else "category")
    else:
        ladder.begin(case, level, "by_hand", **explanation.by_whom(case.actor, reason))


def _responsible(case: Case, category: Category) -> dict[str, Any]:
    people = directory.responsible_people(case.session, case.incident.grid_code)
    try:
        duty = duties.duty_for(
            case.session,
            category.code,
            case.incident.grid_code,
            on=case.today,
            point=case.incident.point,
        )
    except NotFound as nobody:
        case.explain(explanation.people(people, at=case.now), explanation.nobody(at=case.now))
        return {"people": people, "departments": [], "rule": nobody.message}
    named = duty.departments()
    case.explain(explanation.people(people, at=case.now), explanation.departments(named, duty, at=case.now))
    return {"people": people, "departments": named, "rule": duty.rule, "basis": duty.basis}


def verify(
    session: Session, number: str, *, passed: bool, comment: str | None = None, by: Actor, now: datetime
) -> Incident:
    """Check on the spot what was reported as resolved (row I10): verified, or back to work.

    Raises `Forbidden` when the handler checks their own work, `Conflict` while the town has not yet accepted
    the departments' parts.
    """
    case = Case.open(session, number, by, now)
    incident = case.incident
    if incident.handler_id is not None and incident.handler_id == by.person_id:
        raise Forbidden("own_work", "somebody else than the handler has to verify this")
    if not passed and not comment:
        raise InvalidInput("comment_needed", "say what is still wrong", field="comment")
    third = case.whistle_at(WhistleLevel.THIRD)
    if passed and third is not None and third.status in (WhistleStatus.ISSUED, WhistleStatus.IN_PROGRESS):
        raise Conflict(
            "parts_not_accepted",
            "the town has to verify the whistle before the incident",
            whistle=third.number,
        )
    if not passed:
        case.move(incident, "rework", {"comment": comment})
        case.stop_clock(DeadlineKind.VERIFY)
        ladder.send_back(case, comment or "")
        session.flush()
        return incident
    case.move(incident, "verify", {"comment": comment})
    incident.verified_at = now
    case.stop_clock(DeadlineKind.VERIFY)
    if incident.category_code is None:
        raise Conflict("category_needed", "an incident without a category cannot be closed", number=number)
    category = session.get_one(Category, incident.category_code)
    if category.callback_required and reporters(session, incident.id):
        case.start_clock(DeadlineKind.CALLBACK, limit_of(DeadlineKind.CALLBACK, incident.grade))
        case.tell((Role.CALLBACK_OFFICER,), "incident.call_back")
    else:
        _close(case, {"callback": "none to call"}, by=SYSTEM)
    session.flush()
    return incident


def callback(session: Session, number: str, answer: CallbackAnswer, *, by: Actor, now: datetime) -> Incident:
    """Record one call to a reporter (row I11); the last one closes the case, or reopens it.

    Every reporter is called. One who cannot be reached three times on two days counts as called. "Not
    solved", or a satisfaction of 1 or 2, reopens the case at once (row I12).
    """
    case = Case.open(session, number, by, now)
    _check_answer(answer)
    incident = case.incident
    waiting = _waiting(session, incident)
    if answer.reporter_id is None and waiting:
        reporter_id = waiting[0].id
    elif answer.reporter_id in {reporter.id for reporter in waiting}:
        reporter_id = answer.reporter_id
    else:
        raise InvalidInput(
            "no_such_reporter",
            "this reporter is not waiting for a call about this incident",
            field="reporter_id",
            got=answer.reporter_id,
            wanted=[reporter.id for reporter in waiting],
        )
    facts = {
        "reporter": reporter_id,
        "reached": answer.reached,
        "solved": answer.solved.value if answer.solved else None,
        "satisfaction": answer.satisfaction,
    }
    case.move(incident, "callback", facts)
    session.add(
        Callback(
            incident_id=incident.id,
            reporter_id=reporter_id,
            round=incident.round,
            called_at=now,
            called_by_id=by.person_id,
            reached=answer.reached,
            solved=answer.solved,
            satisfaction=answer.satisfaction,
            comment=answer.comment,
        )
    )
    session.flush()
    if not _waiting(session, incident):
        case.stop_clock(DeadlineKind.CALLBACK)
        _close(case, {"callback": "done"}, by=by)
        if _dissatisfied(session, incident):
            _reopen(case, "callback", by=by)
    session.flush()
    return incident


def reopen(session: Session, number: str, *, reason: str, by: Actor, now: datetime) -> Incident:
    """Take a closed case up again (row I12): a new round with a limit of its own; the first due date is kept."""
    if not reason.strip():
        raise InvalidInput("reason_needed", "say why the case is taken up again", field="reason")
    case = Case.open(session, number, by, now)
    _reopen(case, reason, by=by)
    session.flush()
    return case.incident


def _reopen(case: Case, reason: str, *, by: Actor) -> None:
    incident = case.incident
    _check_reopen(incident)
    level = ladder.last_level(case)
    case.move(incident, "reopen", {"reason": reason, "round": incident.round + 1}, by=by)
    incident.round += 1
    incident.rework_count = 0
    incident.closed_at = incident.verified_at = incident.resolved_at = None
    succession.catch_up(case)
    due_at = case.start_clock(DeadlineKind.HANDLE, SECOND_HANDLING)
    case.explain(explanation.second_due(due_at, SECOND_HANDLING, case.now, case.calendar))
    # the town looks again before departments are called a second time
    ladder.begin(case, min(level, WhistleLevel.SECOND), "reopened", round=incident.round)


def _check_reopen(incident: Incident) -> None:
    """Refuse a case of another system that could never be closed again here."""
    if incident.placement is Placement.OUTSIDE:
        raise Conflict("not_placed", "this case lies in no grid cell: report it anew", number=incident.number)
    if incident.category_code is None:
        raise Conflict(
            "category_needed", "this case came without a category: report it anew", number=incident.number
        )


def _close(case: Case, facts: dict[str, Any], *, by: Actor) -> None:
    case.move(case.incident, "close", facts, by=by)
    case.incident.closed_at = case.now


def reporters(session: Session, incident_id: int) -> Sequence[Reporter]:
    """Return those who reported an incident and left a phone, first reporter first."""
    return session.scalars(
        select(Reporter)
        .where(Reporter.incident_id == incident_id, Reporter.phone.is_not(None))
        .order_by(Reporter.id)
    ).all()


def _waiting(session: Session, incident: Incident) -> list[Reporter]:
    calls = session.execute(
        select(
            Callback.reporter_id,
            func.bool_or(Callback.reached),
            func.count(),
            func.count(func.distinct(func.date(func.timezone("Asia/Shanghai", Callback.called_at)))),
        )
        .where(Callback.incident_id == incident.id, Callback.round == incident.round)
        .group_by(Callback.reporter_id)
    ).all()
    done = {
        reporter
        for reporter, reached, tries, days in calls
        if reached or (tries >= _TRIES and days >= _TRY_DAYS)
    }
    return [reporter for reporter in reporters(session, incident.id) if reporter.id not in done]


def _dissatisfied(session: Session, incident: Incident) -> bool:
    return bool(
        session.scalar(
            select(func.count()).where(
                Callback.incident_id == incident.id,
                Callback.round == incident.round,
                Callback.reached,
                (Callback.solved == Solved.NO) | (Callback.satisfaction <= 2),
            )
        )
    )


def _number(session: Session, code: str, now: datetime) -> str:
    stem = f"{now.astimezone(SHANGHAI):%Y%m%d}{code[:6]}"
    return f"{stem}{next_number(session, f'incident {stem}'):05d}"


def _checked_text(text: str) -> str:
    cleaned = text.strip()
    if not cleaned or len(cleaned) > _LONGEST_TEXT:
        raise InvalidInput(
            "text_length",
            f"describe the incident in 1 to {_LONGEST_TEXT} characters; got {len(cleaned)}",
            field="text",
        )
    return cleaned


def _check_time(occurred_at: datetime | None, now: datetime) -> None:
    if occurred_at is None:
        return
    if occurred_at.tzinfo is None:
        raise InvalidInput("time_without_zone", "give occurred_at with its offset", field="occurred_at")
    if not now - _OLDEST_CLAIM <= occurred_at <= now + _CLOCK_SKEW:
        raise InvalidInput(
            "time_out_of_range",
            "occurred_at has to lie within the last year and not in the future",
            field="occurred_at",
            got=occurred_at.isoformat(),
            wanted=f"{(now - _OLDEST_CLAIM).isoformat()} to {now.isoformat()}",
        )


def _check_answer(answer: CallbackAnswer) -> None:
    if answer.reached and (answer.solved is None or answer.satisfaction is None):
        raise InvalidInput(
            "answer_incomplete",
            "a reporter who was reached says whether it is solved and how satisfied they are (1 to 5)",
            field="solved" if answer.solved is None else "satisfaction",
        )
    if answer.satisfaction is not None and not 1 <= answer.satisfaction <= 5:
        raise InvalidInput(
            "satisfaction_range",
            "satisfaction runs from 1 to 5",
            field="satisfaction",
            got=answer.satisfaction,
        )
