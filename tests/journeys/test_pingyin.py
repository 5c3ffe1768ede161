"""Parking round a housing estate, after a case of a county of Jinan: who leads hangs on the planning red line.

Cars block the traffic and the fire lane. Inside the estate's red line planning and housing see to bays and lane;
outside it the traffic police and urban management patrol. The list holds the red line as an exception on the spot,
and one key calls whoever it names.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from geoalchemy2.shape import from_shape
from shapely import MultiPolygon, box

from grids.rules.responsibilities import RuleKind
from grids.tables import DutyBasis, Responsibility

PARKING = "07-001"
RED_LINE = box(117.001, 36.004, 117.006, 36.012)
INSIDE, OUTSIDE = (117.004, 36.008), (117.008, 36.008)


@pytest.fixture
def estate(city: Any) -> Any:
    """The city, with the red line of one estate in its responsibility list."""
    with city.database.sessions.begin() as session:
        session.add(
            Responsibility(
                kind=RuleKind.EXCEPTION,
                category_code=PARKING,
                area_code="990101001",
                name="锦绣园小区红线内",
                boundary=from_shape(MultiPolygon([RED_LINE]), srid=4490),
                lead="ZRZY",
                cooperating=["ZJ", "PMC"],
                basis=DutyBasis.AGREED,
                source="联合会商纪要",
                effective_from=date(2026, 1, 1),
            )
        )
    return city


def at_the_town(city: Any, where: tuple[float, float]) -> str:
    """Report parked cars at a place and file the case at the town; return its number."""
    lon, lat = where
    number: str = city.report(
        lon=lon, lat=lat, category=PARKING, text="小区周边违规停车,堵塞消防通道", address="锦绣园小区"
    )
    city.act("centre", f"incidents/{number}/accept", {"level": 2})
    liaison = {"liaison_name": "孙干事", "liaison_phone": "13855550000"}
    city.act("centre", f"whistles/{city.whistle(number, 2)}/file", liaison)
    return number


def one_key(city: Any, number: str) -> dict[str, Any]:
    """Blow the whistle as it is proposed, and let the leader confirm it; return it."""
    made = city.see("office", f"incidents/{number}/whistle-proposal")
    asked = ("type", "reason", "departments", "appointed_at", "appointed_place")
    body = {"level": 3, **{name: made[name] for name in asked}}
    blown = city.act("office", f"incidents/{number}/whistles", body, 201)
    confirmed: dict[str, Any] = city.act("town", f"whistles/{blown['number']}/confirm")
    return confirmed


def called(whistle: dict[str, Any]) -> list[tuple[str, str]]:
    """Return who was called, the lead first."""
    return [(task["department"]["code"], task["role"]) for task in whistle["tasks"]]


@pytest.mark.timeout(120)
def test_inside_the_red_line_planning_leads(estate: Any) -> None:
    number = at_the_town(estate, INSIDE)

    whistle = one_key(estate, number)

    assert called(whistle) == [
        ("ZRZY", "lead"),
        ("ZJ", "cooperating"),
    ]  # the keeper of the estate is informed
    why = [
        one
        for one in estate.see("platform", f"incidents/{number}")["explanation"]
        if one["what"] == "departments"
    ]
    assert [one["because"] for one in why] == ["exception", "exception"]
    assert why[-1]["facts"]["name"] == "锦绣园小区红线内"
    assert [one["why"] for one in why[-1]["facts"]["gave_way"]] == ["kind"]


@pytest.mark.timeout(120)
def test_outside_it_the_traffic_police_do(estate: Any) -> None:
    number = at_the_town(estate, OUTSIDE)

    whistle = one_key(estate, number)

    assert called(whistle)[:2] == [("JJ", "lead"), ("CG", "cooperating")]
    assert "ZRZY" not in [code for code, role in called(whistle) if role == "lead"]
    assert "task.issued" in estate.told("jj")
    assert "task.issued" in estate.told("cg")


@pytest.mark.timeout(120)
def test_the_same_day_all_of_them_are_on_the_spot(estate: Any) -> None:
    number = at_the_town(estate, OUTSIDE)
    whistle = one_key(estate, number)
    tasks = {task["department"]["code"]: task["id"] for task in whistle["tasks"]}
    here = {"method": "gps", "lon": OUTSIDE[0], "lat": OUTSIDE[1], "frame": "CGCS2000"}
    for code in ("JJ", "CG"):
        staff = {"staff_name": "王警官", "staff_phone": "13866660000"}
        estate.act(code.lower(), f"tasks/{tasks[code]}/respond", staff)
    estate.clock.advance(hours=1)
    estate.fire()

    for code in ("JJ", "CG"):
        estate.act(code.lower(), f"tasks/{tasks[code]}/check-in", here)

    seen = estate.see("office", f"whistles/{whistle['number']}")["tasks"]
    late = {task["department"]["code"]: task["minutes_late"] for task in seen if task["checked_in_at"]}
    assert late == {"JJ": 0, "CG": 0}


@pytest.mark.timeout(120)
def test_a_town_that_calls_others_than_the_red_line_says_why(estate: Any) -> None:
    number = at_the_town(estate, INSIDE)
    body = {
        "level": 3,
        "reason": "现场另有车辆占用市政道路",
        "departments": [{"code": "JJ", "role": "lead"}],
        "appointed_at": "2026-06-03T11:00:00+08:00",
        "appointed_place": "锦绣园小区东门",
    }

    whistle = estate.act("office", f"incidents/{number}/whistles", body, 201)

    assert whistle["chosen_reason"] == "现场另有车辆占用市政道路"
    why = estate.see("platform", f"incidents/{number}")["explanation"]
    told = [one["because"] for one in why if one["what"] == "departments"]
    assert told == ["exception", "exception", "by_hand"]
