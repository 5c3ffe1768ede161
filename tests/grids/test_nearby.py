"""Who is near a place: people by the areas of their posts, stations by their places, in the order of dispatch."""

from __future__ import annotations

from datetime import date, timedelta
from math import cos, radians
from typing import Any

import pytest
from geoalchemy2.shape import from_shape
from shapely import Point, box
from shapely.geometry import MultiPolygon
from sqlalchemy import select

from gis.errors import InvalidInput
from grids import directory
from grids.acts import joint
from grids.acts.ladder import Draft
from grids.nearby import nearest
from grids.rules.departments import StationKind
from grids.rules.levels import GridLevel
from grids.rules.permissions import Role
from grids.rules.tasks import TaskRole
from grids.rules.whistles import WhistleLevel
from grids.tables import Grid, Person, Post, Station

DAY = date(2026, 6, 3)
CELL = "990101001001001"
MIDDLE = (117.005, 36.01)
DEGREE = 111_320 * cos(radians(36.01))  # of longitude, about


def station(
    city: Any, department: str, name: str, lon: float, kind: StationKind, town: str = "990101001"
) -> int:
    row = Station(
        department_id=directory.department(city.session, "990101", department).id,
        town_code=town,
        kind=kind,
        name=name,
        contact_name="值班",
        contact_phone="15400000001",
        place=from_shape(Point(lon, 36.01), srid=4490),
    )
    city.session.add(row)
    city.session.flush()
    return row.id


def names(found: Any) -> list[str]:
    return [one.name for one in found.people]


def test_those_whose_area_holds_the_point_come_first_from_the_smallest_area_up(city):
    found = nearest(city.session, MIDDLE, by=city["platform"], on=DAY, within_m=2_000)

    assert names(found) == ["worker", "leader", "centre", "office", "town", "worker2", "leader2"]
    assert [one.distance_m for one in found.people[:5]] == [0.0] * 5
    assert found.people[5].distance_m == pytest.approx(0.005 * DEGREE, rel=0.002)
    assert found.people[6].distance_m == pytest.approx(0.015 * DEGREE, rel=0.002)


def test_a_town_finds_its_own_people_and_a_department_none(city):
    town = nearest(city.session, (117.0401, 36.01), by=city["centre"], on=DAY)
    office = nearest(city.session, MIDDLE, by=city["SCJG"], on=DAY)

    assert {one.area[:9] for one in town.people} == {"990101001"}
    assert office.people == ()


def test_who_is_off_duty_or_struck_off_is_not_near(city):
    city.vacate(Role.GRID_WORKER, CELL)
    gone = city.session.get_one(Person, city["leader"].person_id)
    gone.disabled_at = city.clock()
    city.session.flush()

    assert "worker" not in names(nearest(city.session, MIDDLE, by=city["centre"], on=DAY))
    assert "leader" not in names(nearest(city.session, MIDDLE, by=city["centre"], on=DAY))


def test_somebody_with_two_cells_stands_once_with_the_nearer(city):
    city.session.add(
        Post(
            person_id=city["worker"].person_id,
            role=Role.GRID_WORKER,
            area_code="990101001001002",
            title="网格员",
        )
    )
    city.session.flush()

    found = nearest(city.session, (117.015, 36.01), by=city["centre"], on=DAY, roles=["grid_worker"])

    assert sorted((one.name, one.area, one.distance_m) for one in found.people) == [
        ("worker", "990101001001002", 0.0),
        ("worker2", "990101001001002", 0.0),
    ]


def test_of_two_equally_near_the_one_with_fewer_open_cases_is_named_first(city):
    second = Person(login="second", name="second")
    city.session.add(second)
    city.session.flush()
    for area in ("990101001001001", "990101001001002"):
        city.session.add(Post(person_id=second.id, role=Role.GRID_WORKER, area_code=area, title="网格员"))
    city.report()
    city.report(code="990101001001002")
    city.session.flush()

    found = nearest(city.session, MIDDLE, by=city["centre"], on=DAY, roles=["grid_worker"])

    assert [(one.name, one.load) for one in found.people if one.distance_m == 0] == [
        ("worker", 1),
        ("second", 2),
    ]


def test_the_load_counts_open_cases_only_and_each_once(city):
    closed = city.report()
    city.report()
    closed.status = "closed"
    city.session.flush()

    loads = {one.name: one.load for one in nearest(city.session, MIDDLE, by=city["centre"], on=DAY).people}

    assert (loads["worker"], loads["leader"], loads["town"], loads["worker2"]) == (1, 1, 1, 0)


def test_the_nearest_station_of_the_lead_comes_first_and_no_second_one_before_the_other_departments(city):
    station(city, "SW", "水务", 117.0051, StationKind.FURTHER)
    station(city, "CG", "中队", 117.010, StationKind.ENFORCEMENT_SQUAD)
    station(city, "SCJG", "远所", 117.030, StationKind.FIXED)
    station(city, "SCJG", "近所", 117.020, StationKind.FIXED)

    asked = nearest(city.session, MIDDLE, by=city["centre"], on=DAY, code=CELL, category="10-001")
    plain = nearest(city.session, MIDDLE, by=city["centre"], on=DAY)

    assert [(one.name, one.duty) for one in asked.stations] == [
        ("近所", TaskRole.LEAD),
        ("中队", TaskRole.COOPERATING),
        ("水务", None),
        ("远所", TaskRole.LEAD),
    ]
    assert [one.name for one in plain.stations] == ["水务", "中队", "近所", "远所"]
    assert plain.stations[1].distance_m == pytest.approx(0.005 * DEGREE, rel=0.002)


def test_a_station_of_another_district_is_not_near(city):
    station(city, "SW", "别区", 117.0051, StationKind.FURTHER, town="990102001")

    assert nearest(city.session, MIDDLE, by=city["centre"], on=DAY).stations == ()


def test_a_stations_load_is_what_its_department_still_owes_in_the_town(city):
    here = station(city, "SCJG", "市场监管所", 117.005, StationKind.FIXED)
    there = station(city, "SCJG", "口镇所", 117.045, StationKind.FIXED, town="990101002")
    incident = city.accepted(WhistleLevel.THIRD)
    third = city.whistle(incident, 3)
    third.departments = [{"code": "SCJG", "role": "lead"}]
    issue(city, incident)

    loads = {
        one.station_id: one.load
        for one in nearest(city.session, MIDDLE, by=city["centre"], on=DAY, within_m=9_000).stations
    }

    assert loads == {here: 1, there: 0}


def issue(city: Any, incident: Any) -> None:
    third = city.whistle(incident, 3)
    draft = Draft(reason="需执法", appointed_at=city.clock() + timedelta(hours=3), appointed_place="居委会")
    joint.submit(city.session, third.number, draft, by=city["office"], now=city.clock())
    joint.confirm(city.session, third.number, by=city["town"], now=city.clock())


def test_only_the_roles_that_are_asked_for_are_named(city):
    station(city, "CG", "中队", 117.010, StationKind.ENFORCEMENT_SQUAD)
    station(city, "SW", "水务", 117.010, StationKind.FURTHER)

    people = nearest(city.session, MIDDLE, by=city["centre"], on=DAY, roles=["grid_leader"])
    squad = nearest(city.session, MIDDLE, by=city["centre"], on=DAY, roles=["enforcement_squad"])

    assert ({one.role for one in people.people}, people.stations) == ({Role.GRID_LEADER}, ())
    assert (squad.people, [one.name for one in squad.stations]) == ((), ["中队"])
    with pytest.raises(InvalidInput, match="mayor"):
        nearest(city.session, MIDDLE, by=city["centre"], on=DAY, roles=["mayor"])


def test_far_from_everybody_nobody_is_near(city):
    assert nearest(city.session, (117.5, 36.5), by=city["platform"], on=DAY).nobody


def test_the_nearest_are_found_in_metres_though_the_index_counts_in_degrees(city):
    """A degree east is a fifth shorter here: five people in the north are nearer in degrees, not in metres."""
    north = "990101003001001"
    edition = city.session.scalar(select(Grid.edition_id).limit(1))
    shape = MultiPolygon([box(117.069, 36.0185, 117.071, 36.02)])
    city.session.add(
        Grid(
            edition_id=edition,
            code=north,
            level=GridLevel.BUILDING_GROUP,
            name="北",
            area_m2=1.0,
            boundary=from_shape(shape, srid=4490),
        )
    )
    for number in range(5):
        worker(city, f"north{number}", north)
    worker(city, "west", "990101002001002")

    found = nearest(
        city.session, (117.07, 36.01), by=city["platform"], on=DAY, roles=["grid_worker"], limit=1
    )

    assert names(found) == ["west"]
    assert found.people[0].distance_m == pytest.approx(0.01 * DEGREE, rel=0.002)


def worker(city: Any, login: str, area: str) -> None:
    person = Person(login=login, name=login)
    city.session.add(person)
    city.session.flush()
    city.session.add(Post(person_id=person.id, role=Role.GRID_WORKER, area_code=area, title="网格员"))
    city.session.flush()
