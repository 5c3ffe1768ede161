"""Recurrent problem points, campaigns and rain over HTTP, from the worker and from the command line."""

from __future__ import annotations

import html
import io
import json
import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from sqlalchemy import func, select, text
from typer.testing import CliRunner

from api import analysis, worker
from api.cli import main
from grids import measures
from grids.tables import Place, PlaceStep, RainReading

PARKING = "07-001"
PLAN = {
    "cause": "没有隔离桩",
    "measure": "装隔离桩",
    "lead": "JJ",
    "cooperating": ["CG"],
    "due_on": "2026-09-01",
}


def happens(city: Any, **said: Any) -> str:
    number = city.report(**{"category": PARKING, "address": "幸福路口"} | said)
    city.act("centre", f"incidents/{number}/accept", {"level": 1})
    return str(number)


def found(city: Any, **said: Any) -> str:
    """Let the same happen three times and the night find it; return the number of the place."""
    for _ in range(3):
        number = happens(city, **said)
        with city.database.sessions.begin() as session:
            session.execute(
                text("update incident set status = 'closed', closed_at = :at where number = :number"),
                {"at": city.clock() + timedelta(hours=1), "number": number},
            )
        city.clock.advance(days=5)
    assert worker.do_nights(city.database, city.clock) == set()
    (place,) = city.see("leader", "places")["items"]
    return str(place["number"])


def a_photo(colour: str = "red") -> dict[str, Any]:
    written = io.BytesIO()
    Image.new("RGB", (400, 300), colour).save(written, "JPEG")
    return {"file": ("x.jpg", written.getvalue(), "image/jpeg")}


def test_a_place_from_the_night_to_its_return(city):
    number = found(city)
    shown = city.see("leader", f"places/{number}")
    assert (shown["status"], shown["times"], shown["incidents"], shown["name"]) == (
        "suspected",
        3,
        3,
        "幸福路口",
    )
    assert shown["actions"] == ["confirm", "dismiss", "add_photo"]
    assert shown["intervals_days"] == [5.0, 5.0]
    assert len(shown["hours"]) == 7
    assert sum(map(sum, shown["hours"])) == 3

    city.act("leader", f"places/{number}/confirm", {"comment": "每晚都堵"})
    city.act("office", f"places/{number}/plan", PLAN)
    city.act("office", f"places/{number}/change-plan", PLAN | {"due_on": "2026-10-01", "reason": "桩到货晚"})
    done = city.act("jj", f"places/{number}/finish", {"result": "装好了"})
    assert (done["status"], done["lead"], done["due_on"]) == ("treated", "JJ", "2026-10-01")
    assert done["quiet"]["waits_for"] == ["days"]

    city.clock.advance(days=10)
    again = happens(city)
    back = city.see("jj", f"places/{number}")
    assert (back["status"], back["returns"], back["quiet"]) == ("returned", 1, None)
    assert back["members"][-1]["number"] == again
    assert [step["action"] for step in back["history"]] == [
        "find", "confirm", "plan", "change_plan", "finish", "return",
    ]  # fmt: skip
    assert city.told("jj")[-1] == "place.returned"


def test_acts_that_do_not_fit_are_problems_with_a_code(city):
    number = found(city)

    late = city.act("jj", f"places/{number}/finish", {"result": "x"}, 404)
    assert late["code"] == "place_not_found"  # nobody has called it yet
    early = city.act("office", f"places/{number}/plan", PLAN, 409)
    assert early["code"] == "illegal_transition"
    city.act("worker", f"places/{number}/confirm", {}, 403)
    city.act("leader", f"places/{number}/dismiss", {"reason": "  "}, 422)
    city.act("leader", f"places/{number}/confirm")
    wrong = city.act("office", f"places/{number}/plan", PLAN | {"lead": "NOBODY"}, 422)
    assert (wrong["code"], wrong["field"]) == ("unknown_department", "lead")
    with city.database.readers() as session:
        assert session.scalar(select(func.count()).select_from(PlaceStep)) == 2


def test_a_place_is_named_once_however_often_it_is_sent(city):
    client = city.as_("leader")
    body = {"category": PARKING, "lon": 117.005, "lat": 36.01, "frame": "CGCS2000", "name": "幸福路口"}

    first = client.post("/api/places", json=body, headers={"Idempotency-Key": "k1"})
    second = client.post("/api/places", json=body, headers={"Idempotency-Key": "k1"})
    third = client.post("/api/places", json=body)

    assert (first.status_code, first.json()) == (201, second.json())
    assert first.headers["Location"] == f"/api/places/{first.json()['number']}"
    assert (third.status_code, third.json()["code"]) == (409, "place_known")
    gcj = client.post("/api/places", json=body | {"frame": "mars"})
    assert (gcj.status_code, gcj.json()["code"]) == (422, "unknown_frame")


def test_a_photo_goes_in_as_a_file_and_comes_back_as_a_picture(city):
    number = found(city)
    client = city.as_("worker")

    made = client.post(
        f"/api/places/{number}/photos", data={"side": "before", "note": "整治前"}, files=a_photo()
    )
    assert made.status_code == 201, made.text
    picture = city.as_("leader").get(made.json()["url"])
    none = client.post(
        f"/api/places/{number}/photos", data={"side": "before"}, files={"file": ("x.jpg", b"<svg/>")}
    )

    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
    assert "nosniff" in picture.headers["x-content-type-options"]
    with Image.open(io.BytesIO(picture.content)) as image:
        assert image.size == (400, 300)
    assert (none.status_code, none.json()["code"]) == (422, "not_a_photo")
    assert city.as_("sibling").get(made.json()["url"]).status_code == 404
    assert city.see("leader", f"places/{number}")["photos"][0]["note"] == "整治前"


def test_the_list_page_by_page_and_by_filter(city):
    client = city.as_("platform")
    for place in range(3):
        body = {"category": PARKING, "lon": 117.005 + 0.01 * place, "lat": 36.01, "frame": "CGCS2000"}
        client.post("/api/places", json=body | {"name": f"第{place}处"})
        city.clock.advance(minutes=1)

    first = city.see("platform", "places", limit=2)
    rest = city.see("platform", "places", limit=2, cursor=first["next_cursor"])

    assert [one["name"] for one in first["items"] + rest["items"]] == ["第2处", "第1处", "第0处"]
    assert rest["next_cursor"] is None
    assert len(city.see("platform", "places", status="suspected", area="990101001001")["items"]) == 2
    assert city.see("platform", "places", status="cured")["items"] == []
    assert len(city.see("platform", "places", q="第1处", bbox="116.9,35.9,117.2,36.2")["items"]) == 1
    assert client.get("/api/places?cursor=x").json()["code"] == "bad_cursor"
    assert city.stranger().get("/api/places").status_code == 401


def test_a_campaign_is_begun_read_and_ended(city):
    number = found(city)
    body = {
        "name": "停车整治",
        "area": "990101001",
        "category": PARKING,
        "goal": "减半",
        "lead": "JJ",
        "from_on": "2026-06-10",
        "until_on": "2026-07-31",
        "since": "2026-05-01T00:00:00+08:00",
        "until": "2026-07-01T00:00:00+08:00",
    }

    made = city.act("office", "campaigns", body, 201)
    assert [one["number"] for one in made["places"]] == [number]
    assert (made["during"]["incidents"], made["before"]["incidents"]) == (1, 2)
    assert made["during"]["days"] == made["before"]["days"]
    assert city.see("platform", "places", campaign=made["number"])["items"][0]["number"] == number
    assert city.see("leader", "campaigns", running=True)["items"][0]["name"] == "停车整治"
    ended = city.act("office", f"campaigns/{made['number']}/end", {"result": "少了一半"})
    assert (ended["result"], ended["may_end"]) == ("少了一半", False)
    assert city.see("leader", "campaigns", running=True)["items"] == []
    refused = city.act("leader", "campaigns", body, 403)
    assert refused["code"] == "not_your_role"


def test_the_rain_of_ones_district(city):
    with city.database.sessions.begin() as session:
        for hour, mm in enumerate((0, 5, 7.5, 0, 0, 0, 0, 0, 0, 4)):
            session.add(
                RainReading(
                    district_code="990101",
                    gauge="站前",
                    at=city.clock() - timedelta(hours=20 - hour),
                    minutes=60,
                    mm=mm,
                )
            )

    shown = city.see("worker", "rain")

    assert [one["mm"] for one in shown["items"]] == [4.0, 12.5]
    assert 0 < shown["known"] < 0.01
    assert city.see("jj", "rain")["district"] == "990101"
    assert city.as_("worker").get("/api/rain?from=2026-06-01&to=2026-05-01").json()["code"] == "bad_period"


def test_workers_do_a_night_once_and_one_bad_district_does_not_stop_the_others(city, monkeypatch, caplog):
    from grids.places import night

    def broken(*_: object) -> None:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(night, "find", broken)
    assert worker.do_nights(city.database, city.clock) == {"990101"}
    monkeypatch.undo()

    assert worker.do_nights(city.database, city.clock) == set()  # the day was not taken
    with city.database.readers() as session:
        assert night.districts_due(session, city.clock()) == []
        assert session.scalars(select(Place)).all() == []


# -- the command line

TABLE = """时间,雨量
2026-06-01 00:00,0
2026-06-01 01:00,5.5
2026-06-01T02:00:00+08:00,12
2026-06-01 02:00,3
yesterday,1
2026-06-01 04:00,-1
2026-06-01 05:00,wet
2999-01-01 00:00,1
2026-06-01 06:00
"""


@pytest.fixture
def run(monkeypatch, make_database, tmp_path):
    monkeypatch.setenv("GRID_DATABASE_URL", make_database())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rain.csv").write_text(TABLE, "utf-8")
    return lambda *arguments: CliRunner().invoke(main, list(map(str, arguments)), prog_name="gridwhistle")


def test_rain_is_imported_and_a_second_time_changes_nothing(run, tmp_path):
    order = ("rain", "import", "rain.csv", "--district", "990101", "--gauge", "站前", "--json")

    first = json.loads(run(*order).stdout)
    again = json.loads(run(*order).stdout)
    (tmp_path / "rain.csv").write_text(TABLE.replace("5.5", "6.5"), "utf-8")
    corrected = json.loads(run(*order).stdout)

    assert (first["read"], first["added"]) == (9, 3)
    assert first["rejected"] == {
        "1 cells where the header has 2": 1,
        "its time came earlier in the file": 1,
        "its time cannot be read": 1,
        "its rain is below 0 mm or beyond what can fall": 1,
        "its rain is no number": 1,
        "its time lies in the future": 1,
    }
    assert (again["added"], again["already_there"]) == (0, 3)
    assert (corrected["changed"], corrected["already_there"]) == (1, 2)
    assert "yesterday" in (tmp_path / first["rejects"]).read_text("utf-8")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"--district": "9901"}, "wrong_grid_code"),
        ({"--gauge": " "}, "bad_gauge"),
        ({"--timezone": "Mars/Olympus"}, "unknown_timezone"),
        ({"--timezone": "../etc"}, "unknown_timezone"),
    ],
)
def test_rain_that_belongs_nowhere_is_refused(run, changes, code):
    options = {"--district": "990101", "--gauge": "站前"} | changes

    done = run("rain", "import", "rain.csv", *(part for pair in options.items() for part in pair))

    assert done.exit_code == 1
    assert f"[{code}]" in done.stderr


def test_times_without_an_offset_are_told_by_the_zone_that_is_named(run, tmp_path):
    (tmp_path / "rain.csv").write_text("time,mm,minutes\n2026-06-01 08:00,1,30\n", "utf-8")
    run("rain", "import", "rain.csv", "--district", "990101", "--gauge", "a", "--timezone", "UTC")

    from api.database import open_database
    from api.settings import read_settings

    with open_database(read_settings()) as database, database.readers() as session:
        row = session.scalars(select(RainReading)).one()
    assert (row.at.isoformat(), row.minutes) == ("2026-06-01T08:00:00+00:00", 30)


def test_a_recurrence_on_the_map_leads_to_its_place_in_the_ledger(city):
    number = found(city)

    page = city.as_("leader").get("/map/recurrences").text
    frame = city.as_("leader").get("/maps/recurrences").text

    assert f'href="/points/{number}"' in page
    assert f'"href":"/points/{number}"' in frame
    assert "/points/new?" not in page + frame


def test_a_long_address_names_a_place_alike_by_the_rule_and_by_a_person(city):
    number = found(city, address="鹿鸣路与幸福路交叉口东北角" * 8)
    name = city.see("leader", f"places/{number}")["name"]
    with city.database.sessions.begin() as session:
        session.execute(text("delete from place_incident"))

    page = city.as_("leader").get("/map/recurrences").text
    (address,) = re.findall(r'href="(/points/new[^"]*)"', page)
    form = city.as_("leader").get(html.unescape(address)).text

    assert len(name) == 80
    assert f'value="{name}"' in form
    assert 'maxlength="80"' in form


def test_of_many_places_the_most_frequent_are_shown_with_the_number_of_all(city, monkeypatch):
    found(city)
    for _ in range(4):
        number = happens(city, category="02-001")
        with city.database.sessions.begin() as session:
            closing = "update incident set status = 'closed', closed_at = :at where number = :number"
            session.execute(text(closing), {"at": city.clock() + timedelta(hours=1), "number": number})
        city.clock.advance(days=2)
    monkeypatch.setattr(analysis, "MOST_LISTED", 1)
    monkeypatch.setattr(measures, "MOST_ON_A_MAP", 1)

    page = city.as_("leader").get("/map/recurrences").text
    frame = city.as_("leader").get("/maps/recurrences").text
    (address,) = re.findall(r'href="(/api/measures/recurrent-places[^"]*)"', page)
    table = city.as_("leader").get(html.unescape(address).replace("xlsx", "csv"))

    first = city.see("leader", "measures/recurrent-places", limit="1")
    second = city.see("leader", "measures/recurrent-places", limit="1", cursor=first["next_cursor"])
    cells = city.see("leader", "measures/recurrences")["rows"]

    assert (first["total"], first["rows"][0]["times"], second["rows"][0]["times"]) == (2, 4, 3)
    assert second["next_cursor"] is None
    assert [sum(row[name] for row in cells) for name in ("n", "denominator", "places")] == [7, 7, 2]
    assert "共 2 处，只列出次数最多的 1 处" in page
    assert page.count("×4") == 1
    assert "×3" not in page
    assert "1／共 2" in frame
    assert len(table.content.decode("utf-8-sig").splitlines()) == 3


def test_a_recurrence_that_is_in_no_ledger_leads_to_naming_it(city):
    found(city)
    with city.database.sessions.begin() as session:
        session.execute(text("delete from place_incident"))

    named = city.as_("leader").get("/map/recurrences").text
    frame = city.as_("leader").get("/maps/recurrences").text
    read_only = city.as_("auditor").get("/map/recurrences").text

    (address,) = re.findall(r'href="(/points/new[^"]*)"', named)
    asked = parse_qs(urlsplit(html.unescape(address)).query)
    assert (asked["category"], asked["name"]) == ([PARKING], ["幸福路口"])
    assert 117.0 < float(asked["lon"][0]) < 117.1
    assert f'"href":"{html.unescape(address)}"' in frame
    form = city.as_("leader").get(html.unescape(address)).text
    assert 'value="幸福路口"' in form
    assert "/points/new?" not in read_only
    assert "×3" in read_only
