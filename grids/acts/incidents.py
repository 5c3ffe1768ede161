"""Incidents: report, place, accept, verify; what else becomes of them is in `intake` and `callbacks`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from geoalchemy2.shape import from_shape
from shapely import Point
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID
from gis.errors import Conflict, Forbidden, InvalidInput, NotFound
from grids import atlas, directory
from grids.acts import callbacks, intake, ladder, regrading
from grids.acts.case import Case, next_number
from grids.duty import duties
from grids.places import finding
from grids.rules import explanation
from grids.rules.calendar import SHANGHAI, local_day
from grids.rules.deadlines import DeadlineKind
from grids.rules.explanation import What
from grids.rules.grading import Grade, RaiseReason, limits_for, raise_grade
from grids.rules.lifecycle import INCIDENT, Channel, IncidentStatus, VerifiedHow
from grids.rules.limits import due
from grids.rules.permissions import SYSTEM, Actor, Role, require_area
from grids.rules.phones import check_phone
from grids.rules.whistles import WhistleLevel, WhistleStatus
from grids.standing import hands_in
from grids.tables import Category, Incident, Placement, Reporter

__all__ = [
    "Report",
    "accept",
    "place",
    "report",
    "verify",
]

_LONGEST_TEXT = 4000
_OLDEST_CLAIM = timedelta(days=365)
_CLOCK_SKEW = timedelta(minutes=5)  # a phone's clock may run ahead of ours by this much


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
        case.start_clock(DeadlineKind.ACCEPT)
        case.tell((Role.HOTLINE_DESK, Role.DISTRICT_PLATFORM), "incident.outside")
    elif by.role is Role.GRID_WORKER and said.category is not None and by.scope.covers(code):
        _accept(case, directory.category(session, said.category), grade=None, level=None, reason=None)
    else:
        case.start_clock(DeadlineKind.ACCEPT)
        case.tell((Role.TOWN_GRID_CENTRE, Role.GRID_WORKER), "incident.reported")
        intake.look_first(case)
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
    intake.look_first(case)
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
    circumstances: Collection[RaiseReason] = (),
) -> Incident:
    """Accept a report: grade it, fix its limits and its people, and blow its first whistle (rows I3, I6).

    circumstances : what makes it worse than its category, as far as a person says so (people trapped, a school
    near by); that it keeps coming back, or that many reported it, is found without. grade and level default to
    what follows; another grade or a higher first whistle needs a reason, and no grade may be below what was
    stated. Red cases run from the moment of the report, all others from now. Raises `Conflict` where the
    incident still lies in no cell.
    """
    regrading.check_stated(circumstances)
    case = Case.open(session, number, by, now)
    incident = case.incident
    code = category or incident.category_code
    if code is None:
        raise InvalidInput("category_needed", "choose a category before accepting", field="category")
    INCIDENT.decide(incident.status, "accept", by.role)
    _accept(
        case,
        directory.category(session, code),
        grade=grade,
        level=level,
        reason=reason,
        stated=frozenset(circumstances),
    )
    session.flush()
    return incident


def _accept(
    case: Case,
    category: Category,
    *,
    grade: Grade | None,
    level: WhistleLevel | None,
    reason: str | None,
    stated: frozenset[RaiseReason] = frozenset(),
) -> None:
    incident = case.incident
    if incident.placement is Placement.OUTSIDE:
        raise Conflict(
            "not_placed", "this report lies in no grid cell: place it first", number=incident.number
        )
    worse = regrading.reasons_for(case, category, stated)
    follows = raise_grade(category.grade, worse)
    graded = grade or follows
    first = WhistleLevel.THIRD if graded is Grade.RED else WhistleLevel(category.whistle_level)
    if stated and graded.rank > raise_grade(category.grade, stated & set(worse)).rank:
        raise InvalidInput(
            "grade_below_circumstances",
            "what was stated makes it worse than this grade",
            field="grade",
            got=graded.value,
            wanted=follows.value,
        )
    if not reason and (graded is not follows or (level or first) > first):
        raise InvalidInput(
            "reason_needed",
            "say why the grade differs from what follows from the category, or the first whistle is above it",
            field="reason",
            wanted={"grade": follows.value, "level": int(first)},
        )
    raised = worse if graded is follows is not category.grade else ()
    start = incident.received_at if graded is Grade.RED else case.now
    clock_from = "report" if graded is Grade.RED else "accept"
    rules = case.rules
    limits = limits_for(category, graded, rules.ceilings)
    moments = [due(start, limit, case.calendar) for limit in limits]
    case.explain(
        explanation.category(category.code, incident.category_code, case.actor, at=case.now),
        explanation.grade_raised(
            graded, category.grade, raised, at=case.now, by=case.actor if stated else None
        )
        if raised
        else explanation.grade(graded, category.grade, case.actor, reason, at=case.now),
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
        "profile": rules.snapshot(),
    }
    incident.responsible = _responsible(case, category)
    case.move(
        incident,
        "accept",
        {
            "category": category.code,
            "grade": graded.value,
            "due_at": incident.due_at,
            "limits": {**incident.limits, "profile": rules.seal()},
            "responsible": incident.responsible,
            "reason": reason,
            "raised": [one.value for one in raised],
        },
    )
    case.stop_clock(DeadlineKind.ACCEPT)
    case.stop_clock(DeadlineKind.INSPECT, void=True)
    binding = limits[moments.index(incident.due_at)]
    case.start_clock(DeadlineKind.HANDLE, binding, due_at=incident.due_at)
    case.move(incident, "start", by=SYSTEM)
    if level is None or level == first:
        ladder.begin(case, first, "red" if graded is Grade.RED else "category")
    else:
        ladder.begin(case, level, "by_hand", **explanation.by_whom(case.actor, reason))
    finding.look_at_report(case.session, incident, case.now)


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
    session: Session,
    number: str,
    *,
    passed: bool,
    comment: str | None = None,
    how: VerifiedHow = VerifiedHow.ON_SITE,
    by: Actor,
    now: datetime,
) -> Incident:
    """Check what was reported as resolved (row I10): verified, or back to work.

    how : seen on the spot, or by the word of experts or residents; what these said is the comment. Raises
    `Forbidden` ("own_work") for who handled it or did a department's part, `Conflict` while the town has not yet
    accepted those parts.
    """
    if not passed and not comment:
        raise InvalidInput("comment_needed", "say what is still wrong", field="comment")
    if how is not VerifiedHow.ON_SITE and not comment:
        raise InvalidInput("comment_needed", "say what the experts or the residents found", field="comment")
    case = Case.open(session, number, by, now)
    incident = case.incident
    if by.person_id is not None and by.person_id in hands_in(session, incident):
        raise Forbidden("own_work", "somebody else than those who handled it has to verify this")
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
    case.move(incident, "verify", {"how": how.value, "comment": comment})
    incident.verified_at, incident.verified_how = now, how
    case.stop_clock(DeadlineKind.VERIFY)
    if incident.category_code is None:
        raise Conflict("category_needed", "an incident without a category cannot be closed", number=number)
    callbacks.ask_or_close(case, session.get_one(Category, incident.category_code))
    session.flush()
    return incident


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
