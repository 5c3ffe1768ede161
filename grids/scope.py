"""One scope, turned into SQL once: every reader of cases filters by these."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute

from grids.rules.codes import code_range
from grids.rules.permissions import Scope
from grids.tables import Campaign, CampaignPlace, Department, Dispute, Incident, Place, Task, Whistle

__all__ = ["campaign_led_in", "disputes_in", "incidents_in", "places_in", "tasks_in", "under", "whistles_in"]


def under(column: ColumnElement[str] | InstrumentedAttribute[str], area_code: str) -> ColumnElement[bool]:
    """Return the condition that a code lies in an area's subtree: one range of an ordinary index."""
    low, high = code_range(area_code)
    return and_(column >= low, column < high)


def incidents_in(scope: Scope) -> ColumnElement[bool]:
    """Return the condition that a reader with this scope may see the incident."""
    if scope.everything:
        return true()
    walls = [under(Incident.grid_code, area) for area in scope.areas]
    if scope.departments:
        mine = select(Task.incident_id).where(Task.department_id.in_(scope.departments))
        walls.append(Incident.id.in_(mine))
    return or_(*walls) if walls else false()


def whistles_in(scope: Scope) -> ColumnElement[bool]:
    """Return the condition on a whistle joined with its incident."""
    if scope.everything:
        return true()
    walls = [under(Incident.grid_code, area) for area in scope.areas]
    if scope.departments:
        mine = select(Task.whistle_id).where(Task.department_id.in_(scope.departments))
        walls.append(Whistle.id.in_(mine))
    return or_(*walls) if walls else false()


def tasks_in(scope: Scope) -> ColumnElement[bool]:
    """Return the condition on a task joined with its incident."""
    if scope.everything:
        return true()
    walls = [under(Incident.grid_code, area) for area in scope.areas]
    if scope.departments:
        walls.append(Task.department_id.in_(scope.departments))
    return or_(*walls) if walls else false()


def disputes_in(scope: Scope) -> ColumnElement[bool]:
    """Return the condition that a reader with this scope may see the dispute.

    The town, and who is above it; of the departments those that are party to it. Communities and cells are not.
    """
    if scope.everything:
        return true()
    walls = [under(Dispute.area_code, area) for area in scope.areas]
    if scope.departments:
        party = exists().where(
            Department.id.in_(scope.departments),
            Department.district_code == func.left(Dispute.area_code, 6),
            func.jsonb_exists(Dispute.parties, Department.code),
        )
        walls.append(party)
    return or_(*walls) if walls else false()


def places_in(scope: Scope) -> ColumnElement[bool]:
    """Return the condition that a reader with this scope may see the recurrent problem point.

    Whoever it lies under; of the departments those that lead or cooperate there, or lead a campaign on it that has not
    ended.
    """
    if scope.everything:
        return true()
    walls = [under(Place.grid_code, area) for area in scope.areas]
    if scope.departments:
        called = exists().where(
            Department.id.in_(scope.departments),
            Department.district_code == func.left(Place.grid_code, 6),
            or_(Department.code == Place.lead, func.jsonb_exists(Place.cooperating, Department.code)),
        )
        campaign = exists().where(
            CampaignPlace.place_id == Place.id,
            CampaignPlace.campaign_id == Campaign.id,
            Campaign.ended_at.is_(None),
            campaign_led_in(scope),
        )
        walls += [called, campaign]
    return or_(*walls) if walls else false()


def campaign_led_in(scope: Scope) -> ColumnElement[bool]:
    """Return the condition that a department of this scope leads the campaign, or led it until it ended."""
    return exists().where(
        Department.id.in_(scope.departments),
        Department.district_code == func.left(Campaign.area_code, 6),
        Department.code == Campaign.lead,
    )
