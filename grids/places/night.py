"""What is done about recurrent problem points once a night: find, count anew, cure, remind.

A night is one transaction for a district and done once, however many workers run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from geoalchemy2.shape import to_shape
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from grids import atlas
from grids import rain as rains
from grids.numbers import claim_day, day_claimed
from grids.places.finding import Found, find
from grids.places.membership import MAY_HAVE, at_place, count_again, is_rainy
from grids.places.placecase import LEADERS, TOWN_DESKS, PlaceCase
from grids.rules.calendar import SHANGHAI, local_day
from grids.rules.categories import WATERLOGGING
from grids.rules.curing import PlanReminder, quiet_of, reminder
from grids.rules.places import LIVE_PLACES, PlaceStatus
from grids.rules.rain import NO_RAIN
from grids.scope import under
from grids.tables import Edition, Grid, Place

__all__ = ["NIGHT_HOUR", "Night", "cure_due", "districts_due", "hold_off", "nightly", "remind"]

NIGHT_HOUR = 2
"""The hour of the city's clock from which a night's work is done; a service that was down does it when it is back."""


@dataclass(frozen=True, slots=True)
class Night:
    """What one night did: what the rule found, places that were cured, plans that were reminded of."""

    found: Found
    cured: int
    reminded: int


def districts_due(session: Session, now: datetime) -> list[str]:
    """Return the districts with a grid in force whose night has come and is not done yet."""
    codes = session.scalars(
        select(Grid.code)
        .join(Edition, Edition.id == Grid.edition_id)
        .where(atlas.in_force(local_day(now)), func.length(Grid.code) == 6)
        .distinct()
        .order_by(Grid.code)
    ).all()
    done = day_claimed(session, map(_series, codes), _night_of(now))
    return [code for code in codes if _series(code) not in done]


def nightly(session: Session, district: str, now: datetime) -> Night | None:
    """Do a district's night; None where it is done, or another worker is at it. The caller commits."""
    if not session.scalar(select(func.pg_try_advisory_xact_lock(_key(district)))):
        return None
    if not claim_day(session, _series(district), _night_of(now)):
        return None
    atlas.hold_edition(session)
    _follow_grid(session, district, now)
    found = find(session, district, now)
    _count_all(session, district, now)
    return Night(found, cure_due(session, district, now), remind(session, district, now))


def hold_off(session: Session, district: str) -> None:
    """Wait for a district's night to end, and let none begin before this transaction does.

    For who locks several places at once: two who do take turns, so that neither waits for the other in a circle.
    """
    session.execute(select(func.pg_advisory_xact_lock(_key(district))))


def _key(district: str) -> ColumnElement[int]:
    return func.hashtextextended(_series(district), 0)


def _series(district: str) -> str:
    return f"places by night {district}"


def _night_of(now: datetime) -> date:
    return (now.astimezone(SHANGHAI) - timedelta(hours=NIGHT_HOUR)).date()


def _follow_grid(session: Session, district: str, now: datetime) -> None:
    """Bring places over to the cells of the edition in force."""
    today = local_day(now)
    in_force = select(Edition.id).where(atlas.in_force(today))
    ids = session.scalars(
        select(Place.id)
        .where(under(Place.grid_code, district), Place.edition_id.not_in(in_force))
        .order_by(Place.id)
    ).all()
    for place_id in ids:
        case = PlaceCase.open_by_id(session, place_id, now)
        if case is None:
            continue
        place = case.place
        ((lon, lat),) = to_shape(place.point).coords
        found = atlas.current(session, on=today).place(lon, lat, "CGCS2000")
        if found.code is None or found.edition_id is None:
            continue  # its ground is in no grid any more: it stays where people know it
        if found.code != place.grid_code:
            case.move("follow", {"from": place.grid_code, "to": found.code, "edition": found.edition_id})
        place.grid_code, place.edition_id = found.code, found.edition_id
    session.flush()


def _count_all(session: Session, district: str, now: datetime) -> None:
    """Count live places anew: what was merged or closed meanwhile, or rain read since, changes how often."""
    live = (under(Place.grid_code, district), Place.status.in_(LIVE_PLACES))
    first = session.scalar(
        select(func.min(Place.first_at)).where(*live, Place.category_code.in_(WATERLOGGING))
    )
    rain = rains.read_rain(session, district, first, now) if first is not None else NO_RAIN
    for place_id in session.scalars(select(Place.id).where(*live).order_by(Place.id)).all():
        case = PlaceCase.open_by_id(session, place_id, now)
        if case is not None:
            count_again(session, case.place, rain=rain)
    session.flush()


def cure_due(session: Session, district: str, now: datetime) -> int:
    """Cure the treated places of a district whose quiet period is over (row P8); return how many.

    A place of a category that rain causes has to have stood rain without water (`grids.rules.curing`). One near
    which a report still waits to be accepted is not cured before somebody has said what that is.
    """
    quiet_long = Place.treated_at + func.make_interval(0, 0, 0, Place.quiet_days) <= now
    ids = session.scalars(
        select(Place.id)
        .where(under(Place.grid_code, district), Place.status == PlaceStatus.TREATED, quiet_long)
        .order_by(Place.id)
    ).all()
    cured = 0
    for place_id in ids:
        case = PlaceCase.open_by_id(session, place_id, now)
        if case is None or case.place.status is not PlaceStatus.TREATED or case.place.treated_at is None:
            continue
        place, treated_at = case.place, case.place.treated_at
        rain = rains.read_rain(session, district, treated_at, now) if is_rainy(place) else None
        quiet = quiet_of(treated_at, place.quiet_days, now, rain=rain)
        if not quiet.over or at_place(session, place, since=treated_at, until=now, what=MAY_HAVE):
            continue
        case.move("cure", {"days": (now - treated_at).days, "rains": quiet.rains})
        place.cured_at = now
        case.tell("place.cured", roles=(*LEADERS, *TOWN_DESKS), lead=True, days=(now - treated_at).days)
        cured += 1
    session.flush()
    return cured


def remind(session: Session, district: str, now: datetime) -> int:
    """Remind who leads, and the town, of plans due tomorrow and of those that are late; return how many.

    Done once a night: called twice it reminds twice.
    """
    today = local_day(now)
    rows = session.scalars(
        select(Place)
        .where(
            under(Place.grid_code, district),
            Place.status == PlaceStatus.TREATING,
            Place.due_on <= today + timedelta(days=1),
        )
        .order_by(Place.id)
    ).all()
    count = 0
    for place in rows:
        what = reminder(place.due_on, today) if place.due_on is not None else None
        if what is not None and place.due_on is not None:
            case = PlaceCase.by_itself(session, place, now)
            late = (today - place.due_on).days
            case.tell(
                "place.overdue" if what is PlanReminder.OVERDUE else "place.due_tomorrow",
                roles=TOWN_DESKS,
                lead=True,
                due_on=place.due_on.isoformat(),
                days=late,
            )
            count += 1
    session.flush()
    return count
