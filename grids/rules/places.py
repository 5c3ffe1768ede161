"""The life of a recurrent problem point (反复问题点), as one table (rows P1 to P10).

A place is found by the rule or named by a person, confirmed or set aside by the grid leader, given a plan,
treated, watched for its quiet period, and cured when nothing came back in it. What comes back after the treatment
brings it back too, with an alert. An incident at a place that is not treated yet only joins it. A campaign begins
and ends at all of its places at once; what it did there stands in their histories.
"""

from __future__ import annotations

from enum import StrEnum

from grids.rules.categories import WATERLOGGING
from grids.rules.machine import Machine, Transition
from grids.rules.permissions import Role

__all__ = [
    "CAMPAIGN_ACTS",
    "LIVE_PLACES",
    "LONGEST_NAME",
    "PARKING",
    "PLACE",
    "WATCHED_PLACES",
    "FoundHow",
    "PhotoSide",
    "PlaceKind",
    "PlaceStatus",
    "kind_of",
]


LONGEST_NAME = 80
"""Characters of what people call a place; an address that is taken for its name is cut to so many."""


class PlaceKind(StrEnum):
    """What the ledger sorts places by: a page each."""

    WATER = "water"
    PARKING = "parking"
    OTHER = "other"


PARKING = frozenset({"07-001", "07-002", "07-003"})
"""Categories of vehicles where they should not stand (乱停车点)."""


def kind_of(category: str) -> PlaceKind:
    """Return the page of the ledger that a category stands on."""
    if category in WATERLOGGING:
        return PlaceKind.WATER
    return PlaceKind.PARKING if category in PARKING else PlaceKind.OTHER


class PlaceStatus(StrEnum):
    """Where a recurrent problem point stands."""

    SUSPECTED = "suspected"  # the rule found it, or a person named it
    CONFIRMED = "confirmed"  # the grid leader says it is one
    TREATING = "treating"  # somebody leads, with a measure and a day
    TREATED = "treated"  # the measure is done; its quiet period runs
    CURED = "cured"  # quiet for its whole period (销号)
    RETURNED = "returned"  # it came back after the treatment
    DISMISSED = "dismissed"  # looked at, and none


class FoundHow(StrEnum):
    """How a place came onto the ledger."""

    RULE = "rule"
    PERSON = "person"


class PhotoSide(StrEnum):
    """On which side of the treatment a photo was taken."""

    BEFORE = "before"
    AFTER = "after"


_S = PlaceStatus
_SYSTEM = frozenset({Role.SYSTEM})
_LEADS = frozenset({Role.GRID_LEADER, Role.TOWN_OFFICE, Role.TOWN_GRID_CENTRE, Role.DISTRICT_PLATFORM})
_PLANS = frozenset({Role.TOWN_OFFICE, Role.TOWN_GRID_CENTRE, Role.DISTRICT_PLATFORM, Role.GOVERNANCE_CENTRE})

LIVE_PLACES = frozenset({_S.SUSPECTED, _S.CONFIRMED, _S.TREATING, _S.TREATED, _S.RETURNED})
"""Places that somebody still owes something for (未销号)."""

WATCHED_PLACES = frozenset({_S.TREATED, _S.CURED})
"""Places that return when something happens there again."""

CAMPAIGN_ACTS = frozenset({"begin_campaign", "end_campaign"})
"""Acts that a place has from its campaign; nobody is offered them at the place."""


def _row(
    row: str, action: str, sources: set[PlaceStatus], target: PlaceStatus | None, roles: frozenset[Role]
) -> Transition[PlaceStatus]:
    return Transition(row, action, frozenset(sources), target, roles)


PLACE: Machine[PlaceStatus] = Machine(
    "place",
    (
        _row("P1", "find", set(), _S.SUSPECTED, _SYSTEM),
        _row("P1", "name", set(), _S.SUSPECTED, _LEADS),
        # what happens at a place, as it happens; found again after it was set aside, it has to be looked at anew
        _row("P2", "join", set(LIVE_PLACES), None, _SYSTEM),
        _row("P2", "find_again", {_S.DISMISSED}, _S.SUSPECTED, _SYSTEM),
        # the grid was drawn anew: the place lies in another cell, or in the same one of another edition
        _row("P2", "follow", set(_S), None, _SYSTEM),
        _row("P3", "confirm", {_S.SUSPECTED}, _S.CONFIRMED, _LEADS),
        _row("P4", "dismiss", {_S.SUSPECTED, _S.CONFIRMED}, _S.DISMISSED, _LEADS),
        _row("P5", "plan", {_S.CONFIRMED, _S.RETURNED}, _S.TREATING, _PLANS),
        _row("P5", "change_plan", {_S.TREATING}, None, _PLANS),
        _row(
            "P6",
            "add_photo",
            {_S.SUSPECTED, _S.CONFIRMED, _S.TREATING, _S.TREATED, _S.RETURNED},
            None,
            _LEADS | {Role.GRID_WORKER, Role.BUILDING_LEADER, Role.DEPARTMENT_DUTY},
        ),
        _row(
            "P7",
            "finish",
            {_S.TREATING},
            _S.TREATED,
            _PLANS | {Role.GRID_LEADER, Role.DEPARTMENT_DUTY},
        ),
        _row("P8", "cure", {_S.TREATED}, _S.CURED, _SYSTEM),
        _row("P9", "return", set(WATCHED_PLACES), _S.RETURNED, _SYSTEM),
        # who begins or ends a campaign does it at the campaign, never at one place (`CAMPAIGN_ACTS`)
        _row("P10", "begin_campaign", set(LIVE_PLACES), None, _PLANS),
        _row("P10", "end_campaign", set(_S), None, _PLANS),
    ),
)
