"""The four levels, and which lies in which."""

from __future__ import annotations

from grids.rules.levels import CODE_LENGTH, TOP_DOWN, GridLevel, child_level, is_above, parent_level


def test_a_district_holds_towns_that_hold_communities_that_hold_building_groups():
    assert [level.value for level in TOP_DOWN] == ["district", "town", "community", "building_group"]
    assert [child_level(level) for level in TOP_DOWN] == [*TOP_DOWN[1:], None]
    assert [parent_level(level) for level in TOP_DOWN] == [None, *TOP_DOWN[:-1]]


def test_each_level_adds_three_digits_to_the_six_of_the_district():
    assert [CODE_LENGTH[level] for level in TOP_DOWN] == [6, 9, 12, 15]


def test_no_level_is_above_itself():
    assert not is_above(GridLevel.TOWN, GridLevel.TOWN)
    assert is_above(GridLevel.DISTRICT, GridLevel.BUILDING_GROUP)
    assert not is_above(GridLevel.COMMUNITY, GridLevel.TOWN)
