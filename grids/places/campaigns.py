"""Campaigns (专项整治): work on several recurrent problem points at once for a time, and what came of it.

Beginning and ending is a step in the history of each place, and one message to each person who leads: the campaign,
or a place of it that stands on a plan; where a place has no lead yet, to those who answer for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.orm import Session

from gis.errors import Conflict, InvalidInput, NotFound
from grids import directory, outbox
from grids.numbers import next_number
from grids.places.ledger import LONGEST_PAGE, PlaceRow, rows_of
from grids.places.membership import HAPPENED
from grids.places.night import hold_off
from grids.places.placecase import LEADERS, PlaceCase, leading
from grids.rules.calendar import SHANGHAI
from grids.rules.disputes import TOWN
from grids.rules.permissions import Actor, Role, Scope, require_area, require_role
from grids.rules.places import LIVE_PLACES, PlaceStatus
from grids.scope import campaign_led_in, places_in, under
from grids.tables import Campaign, CampaignPlace, Incident, Place, PlaceIncident

__all__ = [
    "BEGINNERS",
    "CampaignFile",
    "CampaignPlan",
    "Cluster",
    "Span",
    "begin",
    "end",
    "find_campaigns",
    "show_campaign",
]

BEGINNERS = frozenset(
    {Role.TOWN_OFFICE, Role.TOWN_GRID_CENTRE, Role.DISTRICT_PLATFORM, Role.GOVERNANCE_CENTRE}
)
"""Who begins and ends campaigns in their area."""

_LONGEST_NAME = 80
_LONGEST = 2000
_LONGEST_DAYS = 366
_MOST_PLACES = 500


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """What a campaign is for. lead : code of a department of the district, or TOWN; both days belong to it."""

    name: str
    area: str
    goal: str
    lead: str
    from_on: date
    until_on: date
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """The live places of the campaign's category and area at which something happened between two moments."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Span:
    """What happened at the places of a campaign in a span of time. days : how long it is; incidents : how many."""

    since: datetime
    until: datetime
    incidents: int

    @property
    def days(self) -> float:
        """How many days the span has."""
        return (self.until - self.since) / timedelta(days=1)


@dataclass(frozen=True)
class CampaignFile:
    """A campaign with the places of it that the reader may see, and what came of it there.

    during : from its first day to its end, or now; before : as long, right before it. Both None before it begins.
    standing : how many places stand how now. may_end : whether the reader may end it now. Who leads a campaign reads
    the counts of all of its places also when it is over; out_of_sight : how many of those are no longer listed.
    """

    campaign: Campaign
    places: Sequence[PlaceRow]
    standing: dict[PlaceStatus, int]
    before: Span | None
    during: Span | None
    may_end: bool
    out_of_sight: int


def begin(
    session: Session,
    plan: CampaignPlan,
    *,
    places: Sequence[str] = (),
    cluster: Cluster | None = None,
    by: Actor,
    now: datetime,
) -> Campaign:
    """Begin a campaign on places by their numbers, or on those of a cluster (row P10); who leads there hears of it.

    Raises `InvalidInput`: "campaign_days", "campaign_places" for places that are cured, set aside, of another area
    or category, or none at all; "unknown_department", "unknown_category"; `NotFound` for what is out of sight.
    """
    require_role(by, BEGINNERS)
    require_area(by, plan.area)
    name = _text(plan.name, "name", _LONGEST_NAME)
    goal = _text(plan.goal, "goal", _LONGEST)
    if not plan.from_on <= plan.until_on <= plan.from_on + timedelta(days=_LONGEST_DAYS):
        raise InvalidInput(
            "campaign_days",
            f"a campaign ends on or after its first day, within {_LONGEST_DAYS} days",
            field="until_on",
        )
    if plan.category is not None:
        directory.category(session, plan.category)
    if plan.lead != TOWN:
        directory.department(session, plan.area[:6], plan.lead)
    chosen = _chosen(session, plan, places, cluster, by)
    stem = f"C{now.astimezone(SHANGHAI):%Y%m%d}{plan.area[:6]}"
    campaign = Campaign(
        number=f"{stem}{next_number(session, f'campaign {stem}'):05d}",
        name=name,
        area_code=plan.area,
        category_code=plan.category,
        goal=goal,
        lead=plan.lead,
        from_on=plan.from_on,
        until_on=plan.until_on,
        begun_at=now,
        begun_by_id=by.person_id,
    )
    session.add(campaign)
    session.flush()
    session.add_all(CampaignPlace(campaign_id=campaign.id, place_id=one.id) for one in chosen)
    theirs = _write(chosen, campaign, "begin_campaign", session, by, now)
    _tell(session, campaign, "place.campaign_begun", theirs, now)
    session.flush()
    return campaign


def _chosen(
    session: Session, plan: CampaignPlan, places: Sequence[str], cluster: Cluster | None, by: Actor
) -> Sequence[Place]:
    """Return the places that a campaign begins on, locked."""
    walls = [places_in(by.scope), under(Place.grid_code, plan.area), Place.status.in_(LIVE_PLACES)]
    if plan.category is not None:
        walls.append(Place.category_code == plan.category)
    if cluster is not None and not places:
        happened = (
            select(PlaceIncident.place_id)
            .join(Incident, Incident.id == PlaceIncident.incident_id)
            .where(Incident.received_at >= cluster.since, Incident.received_at < cluster.until, HAPPENED)
        )
        walls.append(Place.id.in_(happened))
    else:
        walls.append(Place.number.in_(places))
    found = _locked(session, plan.area[:6], *walls)
    missing = sorted(set(places) - {place.number for place in found})
    if missing or not 0 < len(found) <= _MOST_PLACES:
        raise InvalidInput(
            "campaign_places",
            "these are no live places of the campaign's area and category: " + ", ".join(missing[:10])
            if missing
            else f"a campaign works on 1 to {_MOST_PLACES} places, got {len(found)}",
            field="places",
            got=missing or len(found),
        )
    return found


def _locked(session: Session, district: str, *walls: ColumnElement[bool]) -> Sequence[Place]:
    """Lock the places of a district, as many as a campaign may have and one more."""
    session.flush()
    hold_off(session, district)  # a night locks them in turns of its own
    query = select(Place).where(*walls).order_by(Place.id).limit(_MOST_PLACES + 1)
    return session.scalars(query.with_for_update(of=Place).execution_options(populate_existing=True)).all()


def _write(
    places: Sequence[Place], campaign: Campaign, act: str, session: Session, by: Actor, now: datetime
) -> dict[int, int]:
    """Write a campaign's step at each of its places (row P10); return who leads, and at how many of them."""
    said = {"campaign": campaign.number, "name": campaign.name}
    if campaign.result is not None:
        said["result"] = campaign.result
    known: dict[tuple[str | None, str], set[int]] = {}
    theirs: Counter[int] = Counter()
    for place in places:
        case = PlaceCase(session, place, by, now)
        case.move(act, said)
        # who leads in a town is the same for all of its places; without a lead it is who answers for the place
        where = place.grid_code[:9] if place.lead else place.grid_code
        if (place.lead, where) not in known:
            known[place.lead, where] = case.reached(() if place.lead else LEADERS, lead=True)
        theirs.update(known[place.lead, where])
    for person_id in leading(session, campaign.area_code, campaign.lead, now):
        theirs[person_id] = len(places)
    return {person_id: count for person_id, count in theirs.items() if person_id != by.person_id}


def _tell(
    session: Session, campaign: Campaign, template: str, theirs: Mapping[int, int], now: datetime
) -> None:
    facts = {
        "campaign": campaign.number,
        "name": campaign.name,
        "until_on": campaign.until_on.isoformat(),
        "result": campaign.result,
    }
    for person_id, count in sorted(theirs.items()):
        outbox.post(session, [person_id], template, {**facts, "count": count}, incident_id=None, now=now)


def end(session: Session, number: str, *, result: str, by: Actor, now: datetime) -> Campaign:
    """End a campaign with what came of it (row P10); who leads there hears of it.

    Raises `Conflict` ("campaign_over").
    """
    said = _text(result, "result", _LONGEST)
    campaign = session.scalar(
        select(Campaign).where(Campaign.number == number, _in_sight(by.scope)).with_for_update()
    )
    if campaign is None:
        raise _missing(number)
    require_role(by, BEGINNERS)
    require_area(by, campaign.area_code)
    if campaign.ended_at is not None:
        raise Conflict("campaign_over", f"campaign {number} has ended already", number=number)
    campaign.ended_at, campaign.ended_by_id, campaign.result = now, by.person_id, said
    mine = select(CampaignPlace.place_id).where(CampaignPlace.campaign_id == campaign.id)
    theirs = _write(
        _locked(session, campaign.area_code[:6], Place.id.in_(mine)),
        campaign,
        "end_campaign",
        session,
        by,
        now,
    )
    _tell(session, campaign, "place.campaign_ended", theirs, now)
    session.flush()
    return campaign


def find_campaigns(
    session: Session,
    scope: Scope,
    *,
    area: str | None = None,
    running_only: bool = False,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[Sequence[Campaign], str | None]:
    """Return campaigns in sight, the last begun first, and the cursor of the next page; at most 200.

    In sight is what works on a place in the scope or in an area of it, and what a department of it leads.
    """
    walls = [_in_sight(scope)]
    if area:
        walls.append(under(Campaign.area_code, area))
    if running_only:
        walls.append(Campaign.ended_at.is_(None))
    if cursor is not None:
        if not cursor.isascii() or not cursor.isdecimal() or not 0 < int(cursor) < 2**63:
            raise InvalidInput(
                "bad_cursor", "take the cursor from the answer before this one", field="cursor"
            )
        walls.append(Campaign.id < int(cursor))
    count = max(1, min(limit, LONGEST_PAGE))
    rows = session.scalars(select(Campaign).where(*walls).order_by(Campaign.id.desc()).limit(count + 1)).all()
    return rows[:count], str(rows[count - 1].id) if len(rows) > count else None


def show_campaign(session: Session, actor: Actor, number: str, *, now: datetime) -> CampaignFile:
    """Return a campaign whole. Raises `NotFound` ("campaign_not_found") where it is missing or out of sight."""
    campaign = session.scalar(select(Campaign).where(Campaign.number == number, _in_sight(actor.scope)))
    if campaign is None:
        raise _missing(number)
    mine = select(CampaignPlace.place_id).where(CampaignPlace.campaign_id == campaign.id)
    places = rows_of(session, [Place.id.in_(mine), places_in(actor.scope)], now=now)
    stands = {row.place.id: row.place.status for row in places}
    if session.scalar(select(campaign_led_in(actor.scope)).where(Campaign.id == campaign.id)):
        stands |= {
            row.id: row.status
            for row in session.execute(select(Place.id, Place.status).where(Place.id.in_(mine)))
        }
    standing = dict.fromkeys(PlaceStatus, 0) | Counter(stands.values())
    before, during = _spans(session, campaign, list(stands), now)
    return CampaignFile(
        campaign=campaign,
        places=places,
        standing=standing,
        before=before,
        during=during,
        may_end=campaign.ended_at is None
        and actor.role in BEGINNERS
        and actor.scope.covers(campaign.area_code),
        out_of_sight=len(stands) - len(places),
    )


def _spans(
    session: Session, campaign: Campaign, place_ids: Sequence[int], now: datetime
) -> tuple[Span | None, Span | None]:
    begins = datetime.combine(campaign.from_on, time(), SHANGHAI)
    ends = datetime.combine(campaign.until_on + timedelta(days=1), time(), SHANGHAI)
    ends = min(ends, now, campaign.ended_at or now)
    if ends <= begins:
        return None, None
    earlier = begins - (ends - begins)
    received = Incident.received_at
    before, during = session.execute(
        select(
            func.count().filter(received >= earlier, received < begins),
            func.count().filter(received >= begins, received < ends),
        )
        .select_from(Incident)
        .join(PlaceIncident, PlaceIncident.incident_id == Incident.id)
        .where(PlaceIncident.place_id.in_(place_ids), HAPPENED)
    ).one()
    return Span(earlier, begins, before), Span(begins, ends, during)


def _in_sight(scope: Scope) -> ColumnElement[bool]:
    if scope.everything:
        return true()
    worked_on = (
        select(CampaignPlace.campaign_id)
        .join(Place, Place.id == CampaignPlace.place_id)
        .where(places_in(scope))
    )
    return or_(
        campaign_led_in(scope),
        Campaign.id.in_(worked_on),
        *(under(Campaign.area_code, area) for area in scope.areas),
    )


def _missing(number: str) -> NotFound:
    return NotFound("campaign_not_found", f"there is no campaign {number} that you may see", number=number)


def _text(text: str, field: str, longest: int) -> str:
    cleaned = text.strip()
    if not 0 < len(cleaned) <= longest:
        raise InvalidInput(
            "text_length", f"{field} has 1 to {longest} characters; got {len(cleaned)}", field=field
        )
    return cleaned
