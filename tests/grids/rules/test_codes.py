"""Grid codes: their form, their tree, their ranges and how new ones are numbered."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import InvalidInput
from grids.rules.codes import (
    MOST_CHILDREN,
    check_code,
    code_range,
    follows,
    level_of,
    next_code,
    number_children,
)
from grids.rules.levels import CODE_LENGTH, TOP_DOWN, GridLevel, parent_level

parts = st.integers(1, 599).map("{:03d}".format)
districts = st.integers(0, 999_999).map("{:06d}".format)
cells = st.tuples(districts, parts, parts, st.integers(1, 999).map("{:03d}".format)).map("".join)
codes = st.tuples(cells, st.sampled_from([6, 9, 12, 15])).map(lambda pair: pair[0][: pair[1]])


@given(codes)
def test_the_length_of_a_code_tells_its_level(code):
    level = level_of(code)

    assert CODE_LENGTH[level] == len(code)
    assert check_code(code, level) == code


@pytest.mark.parametrize(
    "code",
    [
        "",
        "37011",  # one digit short
        "370116000",  # town 000 is the district itself
        "370116600",  # town parts end at 599
        "370116001000",
        "370116001001000",  # cell 000 is the community itself
        "3701160010010011",
        "37011a",
        " 370116",
        "370116\n",
        "３７０１１６",  # full-width digits are no digits of a code
        "३७०११६",
        "370116001001001-00001",  # a building, not a grid
    ],
)
def test_what_is_not_written_as_a_code_is_refused_by_name(code):
    with pytest.raises(InvalidInput) as refused:
        level_of(code)

    assert refused.value.code == "wrong_grid_code"
    assert refused.value.facts["got"] == code
    assert not any(follows(code, level) for level in TOP_DOWN)


def test_a_cell_may_carry_any_number_up_to_999():
    assert follows("320302004002801", GridLevel.BUILDING_GROUP)


@given(st.lists(codes, min_size=1, max_size=30), codes)
def test_the_range_of_a_code_holds_exactly_its_subtree(population, area):
    low, high = code_range(area)

    inside = {code for code in population if low.encode() <= code.encode() < high.encode()}

    assert inside == {code for code in population if code.startswith(area)}


def test_the_range_of_a_district_ends_before_the_next_and_holds_its_highest_cell():
    low, high = code_range("370116")

    assert low <= "370116999999999" < high
    assert not low <= "370117" < high
    assert not low <= "370115599599999" < high


def test_children_are_numbered_as_a_page_is_read():
    places = [(0, 0), (1, 0), (0, 1), (1, 1)]  # south-west, south-east, north-west, north-east

    assert number_children("370116001001", GridLevel.BUILDING_GROUP, places) == [
        "370116001001003",
        "370116001001004",
        "370116001001001",
        "370116001001002",
    ]


def test_neighbours_that_lie_a_little_north_or_south_stay_in_one_row():
    places = [(0, 2.0), (1, 2.3), (2, 1.8), (0, 1.1), (1, 0.9), (2, 1.2), (0, 0.2), (1, 0.0), (2, -0.3)]

    numbers = number_children("370116001001", GridLevel.BUILDING_GROUP, places)

    assert numbers == [f"370116001001{n:03d}" for n in range(1, 10)]


@pytest.mark.parametrize(
    ("columns", "rows"), [(1, 1), (7, 1), (1, 7), (4, 2), (2, 4), (6, 6), (10, 2), (12, 5)]
)
def test_cells_in_rows_are_numbered_row_by_row(columns, rows):
    places = [(x + 1e-14 * (-1) ** x, -y + 1e-14 * (-1) ** x) for y in range(rows) for x in range(columns)]

    numbers = number_children("370116001001", GridLevel.BUILDING_GROUP, places)

    assert numbers == sorted(numbers)


def test_a_single_child_and_children_in_one_row_have_numbers():
    assert number_children("370116", GridLevel.TOWN, [(5, 5)]) == ["370116001"]
    assert number_children("370116", GridLevel.TOWN, [(2, 0), (1, 0), (3, 0)]) == [
        "370116002",
        "370116001",
        "370116003",
    ]


def test_a_child_without_a_place_comes_last():
    numbers = number_children("370116", GridLevel.TOWN, [(math.nan, math.nan), (1, 1), (2, 1)])

    assert numbers == ["370116003", "370116001", "370116002"]
    assert number_children("370116", GridLevel.TOWN, [(math.nan, math.nan)]) == ["370116001"]


def test_districts_are_numbered_after_the_four_digits_of_the_prefecture():
    assert number_children("9901", GridLevel.DISTRICT, [(1, 0), (0, 0)]) == ["990102", "990101"]


@given(
    st.lists(st.tuples(st.floats(70, 140), st.floats(1, 55)), max_size=60), st.randoms(use_true_random=False)
)
def test_the_numbers_do_not_hang_on_the_order_of_the_file(places, shuffler):
    places = sorted(set(places))
    shuffled = places.copy()
    shuffler.shuffle(shuffled)

    once = dict(zip(places, number_children("370116", GridLevel.TOWN, places), strict=True))
    again = dict(zip(shuffled, number_children("370116", GridLevel.TOWN, shuffled), strict=True))

    assert once == again
    assert sorted(once.values()) == [f"370116{n:03d}" for n in range(1, len(places) + 1)]


@pytest.mark.parametrize("level", TOP_DOWN)
def test_more_children_than_numbers_are_refused(level):
    above = {6: "3701", 9: "370116", 12: "370116001", 15: "370116001001"}[CODE_LENGTH[level]]
    most = MOST_CHILDREN[level]

    full = number_children(above, level, [(n, 0) for n in range(most)])
    with pytest.raises(InvalidInput) as refused:
        number_children(above, level, [(n, 0) for n in range(most + 1)])

    assert all(follows(code, level) for code in full)
    assert refused.value.code == "too_many_children"
    assert refused.value.facts["got"] == most + 1


@pytest.mark.parametrize("level", TOP_DOWN)
def test_children_are_numbered_only_under_a_code_of_the_level_above(level):
    wrong = "37" if parent_level(level) is None else "3701"

    with pytest.raises(InvalidInput) as refused:
        number_children(wrong, level, [(0, 0)])

    assert refused.value.code == "wrong_grid_code"


TOWN, COMMUNITY = "990101001", "990101001001"


@pytest.mark.parametrize(
    ("parent", "level", "taken", "like", "wanted"),
    [
        (COMMUNITY, GridLevel.BUILDING_GROUP, [], "001", "001"),
        (COMMUNITY, GridLevel.BUILDING_GROUP, ["001", "002"], "001", "003"),
        (COMMUNITY, GridLevel.BUILDING_GROUP, ["001", "004"], "001", "005"),  # 002 and 003 may be retired
        (COMMUNITY, GridLevel.BUILDING_GROUP, ["001", "999"], "001", "002"),
        (TOWN, GridLevel.COMMUNITY, ["003", "201"], "002", "004"),
        (TOWN, GridLevel.COMMUNITY, ["003", "201"], "205", "202"),  # a village stays a village
        (TOWN, GridLevel.COMMUNITY, ["003"], "205", "200"),
        (TOWN, GridLevel.COMMUNITY, [f"{n:03d}" for n in range(200, 400)], "205", "001"),
        ("990101", GridLevel.TOWN, ["001", "100"], "002", "002"),
        ("990101", GridLevel.TOWN, ["001", "100"], "101", "101"),
    ],
)
def test_one_more_child_follows_the_highest_of_its_kind(parent, level, taken, like, wanted):
    code = next_code(parent, level, {parent + number for number in taken}, like=parent + like)

    assert code == parent + wanted
    assert follows(code, level)


@pytest.mark.parametrize("level", TOP_DOWN[1:])
def test_a_parent_gives_out_each_of_its_numbers_once_and_then_none(level):
    parent = COMMUNITY[: CODE_LENGTH[level] - 3]
    taken = set()

    while (code := next_code(parent, level, taken, like=f"{parent}001")) is not None:
        assert code not in taken
        taken.add(code)

    assert len(taken) == MOST_CHILDREN[level]
    assert all(follows(code, level) for code in taken)
