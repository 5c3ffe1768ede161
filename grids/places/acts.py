"""What people do with a recurrent problem point: name it, confirm it or set it aside, plan, treat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from geoalchemy2.shape import from_shape
from shapely import Point
from sqlalchemy import select
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID
from gis.errors import Conflict, Forbidden, InvalidInput
from grids import atlas, directory
from grids.places.membership import LOOK_BACK, at_place, count_again, join_all, place_of
from grids.places.placecase import LEADERS, TOWN_DESKS, PlaceCase, place_number, seat
from grids.rules.calendar import local_day
from grids.rules.curing import QUIET_DAYS
from grids.rules.disputes import TOWN
from grids.rules.permissions import Actor, Role, require_area
from grids.rules.places import CAMPAIGN_ACTS, LONGEST_NAME, PLACE, FoundHow, PlaceStatus
from grids.tables import Department, Place, Placement

__all__ = [
    "Plan",
    "actions_on",
    "change_plan",
    "confirm",
    "dismiss",
    "finish",
    "name",
    "plan",
]

_LONGEST = 2000
_OF_THE_LEAD = frozenset({"finish", "add_photo"})


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done about a place. lead : code of a department of the district, or TOWN; cooperating : codes."""

    cause: str
    measure: str
    lead: str
    due_on: date
    cooperating: tuple[str, ...] = ()


def actions_on(actor: Actor, place: Place, seat: str | None) -> tuple[str, ...]:
    """Return what a person may do with a place now, in the order of the table.

    seat : code of the department that they act for in this district (`placecase.seat`). A department finishes and
    shows photos only where it leads.
    """
    covers = actor.scope.covers(place.grid_code)
    offered = tuple(act for act in PLACE.actions(place.status, actor.role) if act not in CAMPAIGN_ACTS)
    if actor.role is Role.DEPARTMENT_DUTY:
        return tuple(act for act in offered if act in _OF_THE_LEAD and seat == place.lead)
    return offered if covers and actor.role is not Role.SYSTEM else ()


def require_may(case: PlaceCase, action: str) -> None:
    """Raise `Conflict` or `Forbidden` unless this person may do this now; a department acts where it leads."""
    PLACE.decide(case.place.status, action, case.actor.role)
    if case.actor.role is Role.DEPARTMENT_DUTY and case.place.lead != seat(
        case.session, case.actor, case.place.grid_code
    ):
        raise Forbidden(
            "not_leading_here", "only the department that leads here does this", wanted=case.place.lead
        )


def name(
    session: Session,
    *,
    category: str,
    lon: float,
    lat: float,
    frame: str,
    name: str,
    note: str | None = None,
    by: Actor,
    now: datetime,
) -> Place:
    """Name a place that comes back before the rule finds it (row P1); what happened there of late joins it.

    Raises `InvalidInput` ("category_without_place", "outside_every_cell"), `NotFound` out of the actor's sight,
    and `Conflict` ("place_known") where a place of the category already holds the point.
    """
    PLACE.decide(None, "name", by.role)
    called = _text(name, "name", "say how people call the place", LONGEST_NAME)
    said = _text(note, "note", "", _LONGEST) if note and note.strip() else None
    kind = directory.category(session, category)
    if kind.recurrence_radius_m is None:
        raise InvalidInput(
            "category_without_place",
            f"category {kind.code} has no place where it comes back",
            field="category",
            got=kind.code,
        )
    found = atlas.current(session, on=local_day(now)).place(lon, lat, frame)
    if found.code is None or found.edition_id is None or found.how is Placement.OUTSIDE:
        raise InvalidInput("outside_every_cell", "this point lies in no grid cell", field="lon")
    require_area(by, found.code)
    known = place_of(session, kind.code, found.lon, found.lat)
    if known is not None:
        raise Conflict(
            "place_known",
            f"{known.number} is on the ledger here already",
            number=known.number,
            name=known.name,
        )
    place = Place(
        number=place_number(session, found.code, now),
        category_code=kind.code,
        grid_code=found.code,
        edition_id=found.edition_id,
        point=from_shape(Point(found.lon, found.lat), srid=STORAGE_SRID),
        radius_m=kind.recurrence_radius_m,
        name=called,
        status=PlaceStatus.SUSPECTED,
        found_how=FoundHow.PERSON,
        found_at=now,
        times=0,
        quiet_days=QUIET_DAYS,
        returns=0,
        step_seq=0,
        cooperating=[],
        note=said,
    )
    case = PlaceCase(session, place, by, now)
    case.begun("name", {"category": kind.code, "grid": found.code, "lon": lon, "lat": lat, "note": said})
    join_all(case, at_place(session, place, since=now - LOOK_BACK, until=now))
    count_again(session, place)
    case.tell("place.named", roles=(*LEADERS, *TOWN_DESKS))
    session.flush()
    return place


def confirm(session: Session, number: str, *, note: str | None = None, by: Actor, now: datetime) -> Place:
    """Say that it is one (row P3); the town hears that a plan is wanted."""
    said = _text(note, "note", "", _LONGEST) if note and note.strip() else None
    case = PlaceCase.open(session, number, by, now)
    require_may(case, "confirm")
    case.move("confirm", {"note": said})
    place = case.place
    place.confirmed_at, place.confirmed_by_id = now, by.person_id
    place.note = said or place.note
    case.tell("place.confirmed", roles=TOWN_DESKS, times=place.times)
    session.flush()
    return place


def dismiss(session: Session, number: str, *, reason: str, by: Actor, now: datetime) -> Place:
    """Say that it is none (row P4); it is found again only when it comes back often enough from now on."""
    said = _text(reason, "reason", "say why it is none", _LONGEST)
    case = PlaceCase.open(session, number, by, now)
    require_may(case, "dismiss")
    case.move("dismiss", {"reason": said})
    case.place.note = said
    session.flush()
    return case.place


def plan(session: Session, number: str, wanted: Plan, *, by: Actor, now: datetime) -> Place:
    """Say what is done, by whom and by when (row P5); who leads hears of it."""
    case = PlaceCase.open(session, number, by, now)
    require_may(case, "plan")
    checked = _checked(case, wanted)
    case.move("plan", _payload(checked))
    _take_over(case.place, checked)
    case.place.planned_at, case.place.treated_at, case.place.result = now, None, None
    _tell_of_plan(case, "place.planned")
    session.flush()
    return case.place


def change_plan(
    session: Session, number: str, wanted: Plan, *, reason: str, by: Actor, now: datetime
) -> Place:
    """Put another plan in the place of the one that runs (row P5), and say why."""
    said = _text(reason, "reason", "say why the plan changes", _LONGEST)
    case = PlaceCase.open(session, number, by, now)
    require_may(case, "change_plan")
    checked = _checked(case, wanted)
    before = {
        "lead": case.place.lead,
        "due_on": case.place.due_on.isoformat() if case.place.due_on else None,
        "measure": case.place.measure,
    }
    case.move("change_plan", {**_payload(checked), "reason": said, "before": before})
    _take_over(case.place, checked)
    _tell_of_plan(case, "place.plan_changed")
    session.flush()
    return case.place


def finish(session: Session, number: str, *, result: str, by: Actor, now: datetime) -> Place:
    """Say that the measure is done (row P7); from now on the quiet period runs."""
    said = _text(result, "result", "say what was done", _LONGEST)
    case = PlaceCase.open(session, number, by, now)
    require_may(case, "finish")
    case.move("finish", {"result": said})
    case.place.treated_at, case.place.result = now, said
    case.tell("place.treated", roles=(*LEADERS, *TOWN_DESKS), days=case.place.quiet_days)
    session.flush()
    return case.place


# -- pieces


def _take_over(place: Place, wanted: Plan) -> None:
    place.cause, place.measure, place.lead = wanted.cause, wanted.measure, wanted.lead
    place.cooperating, place.due_on = list(wanted.cooperating), wanted.due_on


def _tell_of_plan(case: PlaceCase, template: str) -> None:
    due_on = case.place.due_on.isoformat() if case.place.due_on else None
    case.tell(template, roles=LEADERS, lead=True, due_on=due_on, measure=case.place.measure)


def _payload(wanted: Plan) -> dict[str, object]:
    return {
        "cause": wanted.cause,
        "measure": wanted.measure,
        "lead": wanted.lead,
        "cooperating": list(wanted.cooperating),
        "due_on": wanted.due_on.isoformat(),
    }


def _checked(case: PlaceCase, wanted: Plan) -> Plan:
    cause = _text(wanted.cause, "cause", "say why it comes back", _LONGEST)
    measure = _text(wanted.measure, "measure", "say what is done about it", _LONGEST)
    bodies = _bodies(case.session, case.place.grid_code[:6])
    for field, codes in (("lead", (wanted.lead,)), ("cooperating", wanted.cooperating)):
        for code in codes:
            if code != TOWN and code not in bodies:
                raise InvalidInput(
                    "unknown_department",
                    f"the district has no department '{code}'",
                    field=field,
                    got=code,
                    wanted=[TOWN, *bodies],
                )
    if wanted.due_on < case.today:
        raise InvalidInput(
            "due_in_the_past",
            "the day by which it is done lies before today",
            field="due_on",
            got=wanted.due_on.isoformat(),
        )
    others = tuple(code for code in dict.fromkeys(wanted.cooperating) if code != wanted.lead)
    return Plan(cause, measure, wanted.lead, wanted.due_on, others)


def _bodies(session: Session, district: str) -> Sequence[str]:
    return session.scalars(
        select(Department.code).where(Department.district_code == district).order_by(Department.code)
    ).all()


def _text(text: str | None, field: str, what: str, longest: int) -> str:
    cleaned = (text or "").strip()
    if not cleaned:
        raise InvalidInput("text_needed", f"{field} is empty: {what}", field=field)
    if len(cleaned) > longest:
        raise InvalidInput(
            "text_length", f"{field} has 1 to {longest} characters; got {len(cleaned)}", field=field
        )
    return cleaned
