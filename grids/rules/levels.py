"""The four levels of the grid, from the district down to the building group.

District, town (or street office), community (or village), building group: the fourth is the cell that one
grid worker looks after. Chinese papers count grid levels from the community down and whistle levels from the
bottom up, so a bare "level 1" says two things; here levels have names and never numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

__all__ = ["CODE_LENGTH", "TOP_DOWN", "GridLevel", "child_level", "is_above", "parent_level"]


class GridLevel(StrEnum):
    """One of the four levels; the value is what the database, the files and the interface carry."""

    DISTRICT = "district"
    TOWN = "town"
    COMMUNITY = "community"
    BUILDING_GROUP = "building_group"


TOP_DOWN: tuple[GridLevel, ...] = tuple(GridLevel)
"""The levels in the order in which they contain each other."""

CODE_LENGTH: Mapping[GridLevel, int] = MappingProxyType(
    {
        GridLevel.DISTRICT: 6,
        GridLevel.TOWN: 9,
        GridLevel.COMMUNITY: 12,
        GridLevel.BUILDING_GROUP: 15,
    }
)
"""Digits of a code at each level: six of the county, then three for each further level."""


def parent_level(level: GridLevel) -> GridLevel | None:
    """Return the level that contains `level`, or None above the district."""
    place = TOP_DOWN.index(level)
    return TOP_DOWN[place - 1] if place else None


def child_level(level: GridLevel) -> GridLevel | None:
    """Return the level that `level` is divided into, or None below the building group."""
    place = TOP_DOWN.index(level)
    return TOP_DOWN[place + 1] if place + 1 < len(TOP_DOWN) else None


def is_above(upper: GridLevel, lower: GridLevel) -> bool:
    """Tell whether `upper` contains `lower`; a level is not above itself."""
    return TOP_DOWN.index(upper) < TOP_DOWN.index(lower)
