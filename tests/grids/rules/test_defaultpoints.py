from __future__ import annotations

import random
from itertools import cycle, islice

import numpy as np
import pytest

from gis.errors import InvalidInput
from grids.rules.defaultpoints import DefaultPoint, find_default_points

HALL = (117.660001, 36.214)
MIXED = ("01-002", "02-001", "07-001", "10-001", "09-003", "05-002")
START = np.datetime64("2026-03-01")

Told = tuple[float, float, str, int, str]  # lon, lat, category, day, address


def here(
    n: int,
    categories: tuple[str, ...] = MIXED,
    *,
    at: tuple[float, float] = HALL,
    days: int = 30,
    addresses: tuple[str, ...] = ("",),
) -> list[Told]:
    """n incidents at one coordinate, with categories, days and addresses in turn."""
    return [
        (*at, category, i % days, address)
        for i, (category, address) in enumerate(islice(zip(cycle(categories), cycle(addresses)), n))
    ]


def neighbours(each: int, *, several: int = 12) -> list[Told]:
    """Coordinates in a row to the east of the hall, some 20 m apart, each with a bit of everything."""
    return [
        told for step in range(1, several + 1) for told in here(each, at=(HALL[0] + step * 0.0002, HALL[1]))
    ]


def found(told: list[Told], **rule: float) -> list[DefaultPoint]:
    lon, lat, category, day, address = zip(*told, strict=True)
    return find_default_points(
        np.array(lon),
        np.array(lat),
        list(category),
        START + np.array(day),
        list(address),
        **rule,  # type: ignore[arg-type]
    )


def test_addresses_are_asked_once_and_of_those_alone_that_they_can_decide_about() -> None:
    lon, lat, category, day, address = zip(
        *neighbours(2), *here(60, addresses=tuple(f"road {n}" for n in range(9))), strict=True
    )
    asked = []

    def addresses(places: np.ndarray) -> list[str]:
        asked.append(sorted(places.tolist()))
        return [address[place] for place in places.tolist()]

    points = find_default_points(np.array(lon), np.array(lat), category, START + np.array(day), addresses)

    assert points == found(list(zip(lon, lat, category, day, address, strict=True)))
    assert points[0].addresses == 9
    assert asked == [list(range(24, 84))]


def test_a_city_hall_that_holds_a_bit_of_everything_is_a_default_point() -> None:
    (point,) = found(neighbours(2) + here(60))

    assert (point.lon, point.lat) == HALL
    assert (point.n, point.categories, point.addresses, point.days) == (60, 6, 0, 30)
    assert point.members == tuple(range(24, 84))


NINE_OF_TEN = ("07-001",) * 9 + ("02-001",)
ESTATES = ("锦绣园", "东风街8号", "鹏泉路", "升平巷", "胜利路", "车站")


@pytest.mark.parametrize(
    ("case", "told", "is_one"),
    [
        ("everything, on many days", here(60), True),
        ("just enough", here(20), True),
        ("too few to tell", here(19), False),
        ("a hot crossing: one category only", here(200, ("07-001",)), False),
        ("a hot crossing, and what else happens at a crossing", here(200, NINE_OF_TEN), False),
        (
            "a broken lift among four kinds: more than half is one",
            here(60, (*MIXED[:3], *["03-001"] * 4)),
            False,
        ),
        ("three kinds alike are a busy corner", here(60, MIXED[:3]), False),
        ("three kinds, but six addresses at one coordinate", here(60, MIXED[:3], addresses=ESTATES), True),
        (
            "one kind at six addresses: a market as people name it",
            here(60, MIXED[:1], addresses=ESTATES),
            False,
        ),
        ("two spellings of one address", here(60, MIXED[:3], addresses=("升平巷", "昇平巷")), False),
        (
            "few have an address, and those differ",
            here(60, MIXED[:3], addresses=(*ESTATES, *[""] * 9)),
            False,
        ),
        ("always the same address: the hotline's own", here(60, addresses=("市民中心",)), True),
        ("one storm", here(60, days=2), False),
        ("an estate among estates that have as much", here(60) + neighbours(50), False),
        ("five times what is around", here(60) + neighbours(12), True),
        ("a little less than five times", here(60) + neighbours(13), False),
        (
            "the same, a step of a tenth of a metre apart",
            here(15) + here(15, at=(HALL[0] + 2e-6, HALL[1])),
            False,
        ),
        ("the same within rounding", here(15) + here(15, at=(HALL[0] + 2e-7, HALL[1])), True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_a_default_point_and_what_is_a_hot_spot(case: str, told: list[Told], is_one: bool) -> None:
    assert bool(found(told)) is is_one, case


def test_only_the_next_coordinates_say_how_much_a_coordinate_holds_there() -> None:
    far = [(lon + 0.1, *rest) for lon, *rest in neighbours(50, several=40)]

    assert [point.n for point in found(here(60) + neighbours(2, several=20) + far)] == [60]  # type: ignore[arg-type]
    assert not found(here(60) + far)  # type: ignore[arg-type] # an estate beyond the last houses


def test_the_order_of_the_incidents_does_not_matter() -> None:
    told = here(60) + here(40, at=(117.7, 36.3)) + neighbours(1)
    shuffled = random.Random(4).sample(told, len(told))

    points = found(shuffled)

    assert (
        [(p.lon, p.n) for p in points] == [(p.lon, p.n) for p in found(told)] == [(HALL[0], 60), (117.7, 40)]
    )
    assert all((shuffled[i][0], shuffled[i][1]) == (p.lon, p.lat) for p in points for i in p.members)


def test_a_year_of_reports_all_over_a_town_has_no_default_point() -> None:
    draw = np.random.default_rng(7)
    doors = draw.uniform((117.6, 36.2), (117.7, 36.3), (400, 2)).round(6)
    where = doors[draw.integers(0, len(doors), 20_000)]
    kinds = draw.choice(MIXED, 20_000)

    assert find_default_points(where[:, 0], where[:, 1], kinds, START + draw.integers(0, 365, 20_000)) == []


def test_no_incidents_have_no_default_point() -> None:
    nothing = np.array([])

    assert find_default_points(nothing, nothing, [], nothing.astype("datetime64[D]")) == []


def test_an_incident_without_a_place_is_refused_by_its_position() -> None:
    with pytest.raises(InvalidInput) as caught:
        find_default_points(
            np.array([117.0, np.nan]), np.array([36.0, 36.0]), ["a", "b"], START + np.array([0, 1])
        )

    assert (caught.value.code, caught.value.facts["index"]) == ("bad_incidents", 1)


@pytest.mark.parametrize(
    "rule",
    [
        {"min_count": 1},
        {"min_categories": 1.0},
        {"largest_share": 0.0},
        {"min_addresses": 1.0},
        {"min_days": 0},
        {"times_neighbours": 0.5},
    ],
    ids=str,
)
def test_numbers_that_make_no_rule_are_refused(rule: dict[str, float]) -> None:
    with pytest.raises(InvalidInput) as caught:
        found(here(20), **rule)

    assert caught.value.code == "bad_default_point_rule"
