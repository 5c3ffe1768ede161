"""Recurrent problem points on a real PostGIS: found, confirmed, planned, treated, cured, and back again."""

from __future__ import annotations

import io
import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from gis.errors import Conflict, Forbidden, InvalidInput, NotFound
from grids import audit
from grids.acts import incidents, intake
from grids.places import acts, campaigns, finding, ledger, night, photos
from grids.places.acts import Plan
from grids.places.campaigns import CampaignPlan, Cluster
from grids.places.ledger import PlaceFilters
from grids.places.placecase import seat
from grids.rules.permissions import Role
from grids.rules.places import CAMPAIGN_ACTS, PLACE, FoundHow, PhotoSide, PlaceStatus
from grids.tables import (
    Campaign,
    Edition,
    Grid,
    Incident,
    Message,
    Person,
    Place,
    PlaceIncident,
    PlaceStep,
    RainReading,
)

pytestmark = pytest.mark.database

DISTRICT = "990101"
CELL = "990101001001001"
PARKING, WATER = "07-001", "01-002"
_S = PlaceStatus
METRE = 1 / 111_000  # of latitude, in degrees


def happen(
    city: Any, *, category: str = PARKING, north_m: float = 0.0, closes: bool = True, **said: Any
) -> Incident:
    """Let something happen now: reported, accepted, and closed an hour later."""
    code = said.pop("code", CELL)
    lon, lat = city.centre_of(code)
    town = "centre" if code.startswith("990101001") else "centre2"
    said = {"address": "幸福路口"} | said
    incident = city.report(category=category, lon=lon, lat=lat + north_m * METRE, **said)
    incidents.accept(city.session, incident.number, by=city[town], now=city.clock())
    if closes:
        city.session.execute(
            text("update incident set status = 'closed', closed_at = :at where id = :id"),
            {"at": city.clock() + timedelta(hours=1), "id": incident.id},
        )
        city.session.expire(incident)
    return incident


def thrice(city: Any, days: int = 10, **said: Any) -> list[Incident]:
    """Let the same happen three times, `days` apart; the clock stands `days` after the last."""
    found = []
    for _ in range(3):
        found.append(happen(city, **said))
        city.clock.advance(days=days)
    return found


def the_place(city: Any) -> Place:
    return city.session.scalars(select(Place)).one()


def steps(city: Any, place: Place) -> list[str]:
    rows = city.session.scalars(
        select(PlaceStep).where(PlaceStep.place_id == place.id).order_by(PlaceStep.seq)
    )
    return [row.action for row in rows]


def members(city: Any, place: Place) -> set[int]:
    return set(
        city.session.scalars(select(PlaceIncident.incident_id).where(PlaceIncident.place_id == place.id))
    )


def a_plan(city: Any, **changes: Any) -> Plan:
    said: dict[str, Any] = {
        "cause": "路口没有隔离桩",
        "measure": "装八根隔离桩",
        "lead": "JJ",
        "due_on": date(2026, 9, 1),
        "cooperating": ("CG",),
    }
    return Plan(**said | changes)


def found(city: Any, **said: Any) -> Place:
    thrice(city, **said)
    finding.find(city.session, DISTRICT, city.clock())
    return the_place(city)


def treated(city: Any, **said: Any) -> Place:
    place = found(city, **said)
    acts.confirm(city.session, place.number, by=city["leader"], now=city.clock())
    acts.plan(city.session, place.number, a_plan(city), by=city["office"], now=city.clock())
    acts.finish(city.session, place.number, result="隔离桩已装", by=city["JJ"], now=city.clock())
    return place


def a_night(city: Any) -> night.Night:
    done = night.nightly(city.session, DISTRICT, city.clock())
    assert done is not None
    return done


def fall(city: Any, mm: float, *, gauge: str = "站前") -> None:
    """Let it rain for an hour from now, with dry hours read before and after."""
    for offset, amount in ((-1, 0.0), (0, mm), (1, 0.0)):
        city.session.merge(
            RainReading(
                district_code=DISTRICT,
                gauge=gauge,
                at=city.clock() + timedelta(hours=offset),
                minutes=60,
                mm=amount,
            )
        )
    city.session.flush()


# -- found


def test_the_night_opens_a_place_where_the_same_came_back(city):
    three = thrice(city)

    done = a_night(city)

    place = the_place(city)
    assert done.found.found == 1
    assert (place.status, place.found_how, place.times) == (_S.SUSPECTED, FoundHow.RULE, 3)
    assert (place.category_code, place.grid_code, place.name, place.radius_m) == (
        PARKING,
        CELL,
        "幸福路口",
        100,
    )
    assert (place.first_at, place.last_at) == (three[0].received_at, three[2].received_at)
    assert members(city, place) == {one.id for one in three}
    assert place.number.startswith("P20260703990101")
    assert steps(city, place) == ["find"]
    assert city.told("leader")[-1] == "place.found"
    assert city.told("office")[-1] == "place.found"
    assert "place.found" not in city.told("leader2")


def test_a_second_night_finds_nothing_new_and_a_night_is_done_once(city):
    thrice(city)
    a_night(city)

    assert night.nightly(city.session, DISTRICT, city.clock()) is None
    assert night.districts_due(city.session, city.clock()) == []
    city.clock.advance(days=1)
    assert night.districts_due(city.session, city.clock()) == [DISTRICT]
    again = a_night(city)

    assert (again.found.found, again.found.joined) == (0, 0)
    assert len(city.session.scalars(select(Place)).all()) == 1


def test_the_night_begins_at_two(city):
    city.clock.set(datetime(2026, 6, 3, 17, 59, tzinfo=UTC))  # one minute before two in the city
    a_night(city)
    assert night.districts_due(city.session, city.clock()) == []

    city.clock.advance(minutes=1)

    assert night.districts_due(city.session, city.clock()) == [DISTRICT]


def test_what_was_merged_turned_down_or_only_reported_is_no_time(city):
    first = happen(city, closes=False)
    city.clock.advance(days=5)
    twin = city.report(category=PARKING)
    intake.merge(city.session, twin.number, master=first.number, by=city["centre"], now=city.clock())
    city.clock.advance(days=5)
    happen(city)
    city.clock.advance(days=10)
    city.report(category=PARKING)

    assert finding.find(city.session, DISTRICT, city.clock()).found == 0


def test_a_report_at_a_place_joins_it_at_once_and_never_makes_a_second(city):
    place = found(city)

    fourth = happen(city, north_m=60)
    far = happen(city, north_m=160)
    city.clock.advance(days=10)

    assert fourth.id in members(city, place)
    assert far.id not in members(city, place)
    assert place.times == 4
    assert steps(city, place) == ["find", "join"]
    assert finding.find(city.session, DISTRICT, city.clock()).found == 0


def test_another_category_at_the_same_corner_is_another_matter(city):
    place = found(city)

    other = happen(city, category="02-001")

    assert other.id not in members(city, place)


def test_the_night_lets_in_what_an_import_brought(city):
    place = found(city)
    late = happen(city)
    city.session.execute(text("delete from place_incident where incident_id = :id"), {"id": late.id})

    done = finding.find(city.session, DISTRICT, city.clock())

    assert (done.found, done.joined) == (0, 1)
    assert late.id in members(city, place)


def test_many_unrelated_things_at_one_coordinate_are_no_place(city):
    kinds = [PARKING, "02-001", "03-001", "04-001", "09-002", "05-001"]
    for number in range(24):
        happen(city, category=kinds[number % 6], address=f"第{number}号")
        city.clock.advance(days=2)

    assert finding.find(city.session, DISTRICT, city.clock()).found == 0


def test_of_many_places_in_one_night_a_person_hears_once(city):
    for category in (PARKING, "02-001", "03-001", "04-001", "09-002", "05-001"):
        for day in range(3):
            city.clock.advance(days=2)
            happen(city, category=category, north_m=float(day))
    city.clock.advance(days=1)

    done = finding.find(city.session, DISTRICT, city.clock())

    assert done.found == 6
    assert city.told("leader").count("place.found_many") == 1
    assert "place.found" not in city.told("leader")


def test_a_person_names_a_place_and_what_happened_there_joins_it(city):
    lon, lat = city.centre_of(CELL)
    twice = [happen(city), happen(city, north_m=50)]
    city.clock.advance(days=1)

    place = acts.name(
        city.session, category=PARKING, lon=lon, lat=lat, frame="CGCS2000", name="幸福路口", by=city["leader"],
        now=city.clock(),
    )  # fmt: skip

    assert (place.status, place.found_how, place.times) == (_S.SUSPECTED, FoundHow.PERSON, 1)  # an hour apart
    assert members(city, place) == {one.id for one in twice}
    assert steps(city, place) == ["name", "join"]
    assert "place.named" in city.told("office")
    assert "place.named" not in city.told("leader")  # who knows it already


@pytest.mark.parametrize(
    ("said", "by", "error", "code"),
    [
        ({"category": "11-002"}, "leader", InvalidInput, "category_without_place"),
        ({"category": "99-999"}, "leader", InvalidInput, "unknown_category"),
        ({"lon": 118.0}, "leader", InvalidInput, "outside_every_cell"),
        ({"name": "  "}, "leader", InvalidInput, "text_needed"),
        ({"name": "x" * 81}, "leader", InvalidInput, "text_length"),
        ({}, "leader2", NotFound, "area_not_found"),
        ({}, "worker", Forbidden, "not_your_role"),
        ({}, "auditor", Forbidden, "not_your_role"),
    ],
)
def test_a_place_that_nobody_can_name(city, said, by, error, code):
    lon, lat = city.centre_of(CELL)
    named = {"category": PARKING, "lon": lon, "lat": lat, "frame": "CGCS2000", "name": "幸福路口"} | said

    with pytest.raises(error) as refused:
        acts.name(city.session, **named, by=city[by], now=city.clock())

    assert refused.value.code == code
    assert city.session.scalars(select(Place)).all() == []


def test_nobody_names_a_place_that_is_on_the_ledger(city):
    place = found(city)
    lon, lat = city.centre_of(CELL)

    with pytest.raises(Conflict) as refused:
        acts.name(
            city.session, category=PARKING, lon=lon, lat=lat, frame="CGCS2000", name="x", by=city["leader"],
            now=city.clock(),
        )  # fmt: skip

    assert (refused.value.code, refused.value.facts["number"]) == ("place_known", place.number)


# -- set aside


def test_a_place_that_was_set_aside_is_found_again_only_by_what_came_since(city):
    place = found(city)
    acts.dismiss(city.session, place.number, reason="演唱会期间", by=city["leader"], now=city.clock())
    assert place.status is _S.DISMISSED

    assert finding.find(city.session, DISTRICT, city.clock()).found == 0
    city.clock.advance(days=1)
    happen(city)
    city.clock.advance(days=5)
    happen(city)
    city.clock.advance(days=5)
    twice = finding.find(city.session, DISTRICT, city.clock())
    happen(city)
    city.clock.advance(days=5)
    thrice_more = finding.find(city.session, DISTRICT, city.clock())

    assert (twice.found, twice.found_again, twice.joined) == (0, 0, 0)
    assert (thrice_more.found, thrice_more.found_again, thrice_more.joined) == (0, 1, 3)
    assert (place.status, place.times) == (_S.SUSPECTED, 6)
    assert city.told("leader")[-1] == "place.found_again"


# -- confirmed, planned, treated


def test_a_place_from_the_finding_to_its_cure(city):
    place = found(city)
    session, clock = city.session, city.clock

    acts.confirm(session, place.number, note="每晚都堵", by=city["leader"], now=clock())
    assert city.told("office")[-1] == "place.confirmed"
    acts.plan(session, place.number, a_plan(city), by=city["office"], now=clock())
    assert city.told("JJ")[-1] == "place.planned"
    assert (place.lead, place.cooperating, place.due_on) == ("JJ", ["CG"], date(2026, 9, 1))
    acts.change_plan(
        session, place.number, a_plan(city, lead="TOWN", due_on=date(2026, 10, 1)), reason="桩到货晚",
        by=city["office"], now=clock(),
    )  # fmt: skip
    acts.finish(session, place.number, result="隔离桩已装", by=city["leader"], now=clock())
    assert place.status is _S.TREATED
    clock.advance(days=89, hours=23)
    assert night.cure_due(session, DISTRICT, clock()) == 0
    clock.advance(hours=1)
    done = a_night(city)

    assert done.cured == 1
    assert (place.status, place.cured_at) == (_S.CURED, clock())
    assert steps(city, place) == ["find", "confirm", "plan", "change_plan", "finish", "cure"]
    assert city.told("leader")[-1] == "place.cured"
    changed = session.scalars(select(PlaceStep).where(PlaceStep.action == "change_plan")).one()
    assert changed.payload["before"]["lead"] == "JJ"
    assert changed.payload["reason"] == "桩到货晚"


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"cause": " "}, "text_needed", "cause"),
        ({"measure": ""}, "text_needed", "measure"),
        ({"lead": "NOBODY"}, "unknown_department", "lead"),
        ({"cooperating": ("JJ", "NOBODY")}, "unknown_department", "cooperating"),
        ({"due_on": date(2026, 7, 2)}, "due_in_the_past", "due_on"),
        ({"measure": "x" * 2001}, "text_length", "measure"),
    ],
)
def test_a_plan_that_does_not_hold(city, changes, code, field):
    place = found(city)
    acts.confirm(city.session, place.number, by=city["leader"], now=city.clock())

    with pytest.raises(InvalidInput) as refused:
        acts.plan(city.session, place.number, a_plan(city, **changes), by=city["office"], now=city.clock())

    assert (refused.value.code, refused.value.facts["field"]) == (code, field)
    assert place.status is _S.CONFIRMED


def test_only_the_department_that_leads_finishes_and_shows_photos(city):
    place = found(city)
    acts.confirm(city.session, place.number, by=city["leader"], now=city.clock())
    acts.plan(city.session, place.number, a_plan(city), by=city["office"], now=city.clock())

    with pytest.raises(Forbidden) as refused:
        acts.finish(city.session, place.number, result="x", by=city["CG"], now=city.clock())  # it cooperates
    assert refused.value.code == "not_leading_here"
    with pytest.raises(NotFound):  # it has nothing to do with it
        acts.finish(city.session, place.number, result="x", by=city["SCJG"], now=city.clock())

    acts.finish(city.session, place.number, result="隔离桩已装", by=city["JJ"], now=city.clock())
    assert place.status is _S.TREATED


def test_what_is_offered_is_what_the_use_cases_allow(city):
    """Every person, every state: an act that is offered is done, one that is not is refused."""
    place = found(city)
    tries = {
        "confirm": lambda by: acts.confirm(city.session, place.number, by=by, now=city.clock()),
        "dismiss": lambda by: acts.dismiss(city.session, place.number, reason="x", by=by, now=city.clock()),
        "plan": lambda by: acts.plan(city.session, place.number, a_plan(city), by=by, now=city.clock()),
        "change_plan": lambda by: acts.change_plan(
            city.session, place.number, a_plan(city), reason="x", by=by, now=city.clock()
        ),
        "finish": lambda by: acts.finish(city.session, place.number, result="x", by=by, now=city.clock()),
        "add_photo": lambda by: photos.add_photo(
            city.session, place.number, a_photo(), side=PhotoSide.BEFORE, by=by, now=city.clock()
        ),
    }
    acted = {row.action for row in PLACE.transitions if row.roles != {Role.SYSTEM}} - CAMPAIGN_ACTS
    assert acted == {*tries, "name"}
    done: set[str] = set()
    for status in PlaceStatus:
        city.session.execute(
            text(
                "update place set status = :status, lead = 'JJ', cooperating = '[\"CG\"]', treated_at = found_at"
            ),
            {"status": status.value},
        )
        city.session.expire(place)
        for login, actor in city.people.items():
            offered = acts.actions_on(actor, place, seat(city.session, actor, place.grid_code))
            assert CAMPAIGN_ACTS.isdisjoint(offered)
            for action, attempt in tries.items():
                with city.session.begin_nested() as point:
                    try:
                        attempt(actor)
                    except (Conflict, Forbidden, NotFound):
                        assert action not in offered, (status, login, action)
                    else:
                        assert action in offered, (status, login, action)
                        done.add(action)
                    point.rollback()
                city.session.expire(place)
    assert done == set(tries)


def test_plans_are_reminded_of_before_and_after_their_day(city):
    place = found(city)
    acts.confirm(city.session, place.number, by=city["leader"], now=city.clock())
    due = date(2026, 7, 20)
    acts.plan(city.session, place.number, a_plan(city, due_on=due), by=city["office"], now=city.clock())
    told = {}

    for _ in range(30):
        before = len(city.told("JJ"))
        a_night(city)
        for template in city.told("JJ")[before:]:
            told.setdefault(template, []).append((city.clock().date() - due).days)
        city.clock.advance(days=1)

    assert told == {"place.due_tomorrow": [-1], "place.overdue": [1, 8]}
    assert "place.overdue" in city.told("office")


# -- back again


def test_what_comes_back_after_the_treatment_brings_the_place_back_with_an_alert(city):
    place = treated(city)
    city.clock.advance(days=20)

    again = happen(city, north_m=30)

    assert (place.status, place.returns, place.returned_at) == (_S.RETURNED, 1, city.clock())
    assert again.id in members(city, place)
    assert city.told("JJ")[-1] == "place.returned"
    assert city.told("leader")[-1] == "place.returned"
    message = city.session.scalars(
        select(Message).where(
            Message.template == "place.returned", Message.person_id == city["platform"].person_id
        )
    ).one()
    assert message.incident_id == again.id
    assert (message.facts["place"], message.facts["incident"], message.facts["days"]) == (
        place.number, again.number, 20,
    )  # fmt: skip
    assert steps(city, place)[-1] == "return"


def test_a_cured_place_comes_back_too_and_gets_a_new_plan(city):
    place = treated(city)
    city.clock.advance(days=91)
    a_night(city)
    assert place.status is _S.CURED
    city.clock.advance(days=60)

    happen(city)
    assert place.status is _S.RETURNED
    city.clock.advance(days=3)
    happen(city)
    assert place.returns == 1  # it is back already: that only joins
    acts.plan(
        city.session,
        place.number,
        a_plan(city, due_on=date(2026, 12, 30)),
        by=city["office"],
        now=city.clock(),
    )

    assert (place.status, place.treated_at, place.result) == (_S.TREATING, None, None)


def test_a_report_from_before_the_treatment_does_not_bring_it_back(city):
    place = found(city)
    acts.confirm(city.session, place.number, by=city["leader"], now=city.clock())
    acts.plan(city.session, place.number, a_plan(city), by=city["office"], now=city.clock())
    waiting = city.report(category=PARKING)
    city.clock.advance(hours=1)
    acts.finish(city.session, place.number, result="x", by=city["JJ"], now=city.clock())
    city.clock.advance(hours=1)

    incidents.accept(city.session, waiting.number, by=city["centre"], now=city.clock())

    assert place.status is _S.TREATED
    assert waiting.id in members(city, place)


def test_a_report_that_nobody_has_looked_at_holds_the_cure(city):
    place = treated(city)
    city.clock.advance(days=89)
    waiting = city.report(category=PARKING)
    city.clock.advance(days=2)

    assert night.cure_due(city.session, DISTRICT, city.clock()) == 0
    shown = ledger.show_place(city.session, city["leader"], place.number, now=city.clock())
    assert (shown.unjudged, shown.quiet is not None and shown.quiet.over) == (1, True)
    intake.reject(
        city.session, waiting.number, reason=intake.RejectReason.NO_CONTENT, reply="没有内容", by=city["centre"],
        now=city.clock(),
    )  # fmt: skip
    assert ledger.show_place(city.session, city["leader"], place.number, now=city.clock()).unjudged == 0
    assert night.cure_due(city.session, DISTRICT, city.clock()) == 1
    assert place.status is _S.CURED


# -- water and rain


def test_a_waterlogging_point_is_cured_by_rain_without_water_and_not_by_a_dry_season(city):
    place = None
    for _ in range(3):
        fall(city, 30.0)
        happen(city, category=WATER)
        city.clock.advance(days=5)
    a_night(city)
    place = the_place(city)
    assert (place.category_code, place.times) == (WATER, 3)
    acts.confirm(city.session, place.number, by=city["leader"], now=city.clock())
    acts.plan(city.session, place.number, a_plan(city, lead="CG"), by=city["office"], now=city.clock())
    acts.finish(city.session, place.number, result="换了管", by=city["CG"], now=city.clock())

    city.clock.advance(days=120)
    a_night(city)
    assert place.status is _S.TREATED  # quiet, and it has not rained

    fall(city, 25.0)
    city.clock.advance(days=2)
    fall(city, 9.9)
    city.clock.advance(days=2)
    a_night(city)
    assert place.status is _S.TREATED  # one rain, and a drizzle
    shown = ledger.show_place(city.session, city["leader"], place.number, now=city.clock())
    assert shown.quiet is not None
    assert [one.value for one in shown.quiet.waits_for] == ["rain"]
    assert (shown.quiet.rains, shown.quiet.rains_wanted) == (1, 2)

    fall(city, 40.0)
    city.clock.advance(days=1)
    a_night(city)
    assert place.status is _S.CURED
    shown = ledger.show_place(city.session, city["leader"], place.number, now=city.clock())
    assert [(line.episode.mm, line.reports) for line in shown.rains] == [
        (40.0, 0), (9.9, 0), (25.0, 0), (30.0, 1), (30.0, 1), (30.0, 1),
    ]  # fmt: skip

    ended = shown.quiet
    city.clock.advance(days=30)
    fall(city, 60.0)
    city.clock.advance(hours=2)
    shown = ledger.show_place(city.session, city["leader"], place.number, now=city.clock())
    assert (shown.quiet, shown.rains[0].episode.mm) == (ended, 60.0)  # what cured it is not counted on
    happen(city, category=WATER)
    assert (place.status, place.returns, place.times) == (_S.RETURNED, 1, 4)


def test_reports_of_one_rain_are_one_time_however_far_apart(city):
    for _ in range(2):
        fall(city, 30.0)
        happen(city, category=WATER)
        city.clock.advance(hours=11)  # beyond the six hours that stand for a dry gap, within what drains
        happen(city, category=WATER)
        city.clock.advance(days=5)

    assert finding.find(city.session, DISTRICT, city.clock()).found == 0
    fall(city, 30.0)
    last = happen(city, category=WATER)
    city.clock.advance(days=1)
    assert finding.find(city.session, DISTRICT, city.clock()).found == 1

    place = the_place(city)
    assert (place.times, len(members(city, place))) == (3, 5)
    episode = city.session.scalars(
        select(PlaceIncident.episode_at).where(PlaceIncident.incident_id == last.id)
    ).one()
    assert episode == last.received_at


def test_the_rain_behind_a_report_may_have_ended_before_it(city):
    lon, lat = city.centre_of(CELL)
    place = acts.name(
        city.session, category=WATER, lon=lon, lat=lat, frame="CGCS2000", name="桥下", by=city["leader"],
        now=city.clock(),
    )  # fmt: skip
    fall(city, 12.0)
    city.clock.advance(days=20)
    fall(city, 30.0)
    city.clock.advance(hours=3)
    shown = ledger.show_place(city.session, city["leader"], place.number, now=city.clock())
    assert [line.episode.mm for line in shown.rains] == [30.0, 12.0]  # also where nothing came of them

    for _ in range(2):  # two hours and ten after it: its water still
        happen(city, category=WATER)
        city.clock.advance(hours=8)

    assert place.times == 1
    shown = ledger.show_place(city.session, city["leader"], place.number, now=city.clock())
    assert [(line.episode.mm, line.reports) for line in shown.rains] == [(30.0, 2), (12.0, 0)]
    city.clock.advance(days=1)
    a_night(city)
    assert place.times == 1


def test_rain_that_is_read_later_counts_the_place_anew(city):
    for _ in range(3):
        happen(city, category=WATER)
        city.clock.advance(days=5)
    a_night(city)
    place = the_place(city)
    happen(city, category=WATER)
    city.clock.advance(hours=8)
    happen(city, category=WATER)
    assert place.times == 5  # no gauge was read: eight hours without a report are a dry gap

    for hour in range(9):  # now it is: it rained all the while
        city.session.add(
            RainReading(
                district_code=DISTRICT,
                gauge="站前",
                at=city.clock() - timedelta(hours=8 - hour, minutes=10),
                minutes=60,
                mm=3,
            )
        )
    city.clock.advance(days=1)
    a_night(city)

    assert place.times == 4


# -- photos


def a_photo(size: tuple[int, int] = (40, 30), kind: str = "JPEG", **saved: Any) -> bytes:
    written = io.BytesIO()
    mode = saved.pop("mode", "RGB")
    Image.new(mode, size, saved.pop("colour", "red")).save(written, kind, **saved)
    return written.getvalue()


def with_tags(tags: dict[int, str] | None = None) -> bytes:
    """A photo as a telephone writes it: lying on its side, with the time and the place in its tags."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010F] = "SECRETPHONE"
    exif.get_ifd(0x8769).update({0x9003: "2026:06:30 08:15:00"} | (tags or {}))
    exif.get_ifd(0x8825).update({1: "N", 2: (36.0, 0.0, 36.0)})
    return a_photo((4000, 3000), exif=exif)


def test_a_photo_is_kept_upright_small_and_without_its_tags(city):
    place = found(city)

    photo = photos.add_photo(
        city.session, place.number, with_tags(), side=PhotoSide.BEFORE, note="整治前", by=city["worker"],
        now=city.clock(),
    )  # fmt: skip

    with Image.open(io.BytesIO(photo.content)) as stored:
        assert (stored.format, stored.size) == ("JPEG", (1200, 1600))
        assert dict(stored.getexif()) == {}
    assert b"SECRETPHONE" not in photo.content
    assert photo.taken_at == datetime(2026, 6, 30, 0, 15, tzinfo=UTC)
    assert (photo.width, photo.height) == (1200, 1600)
    assert steps(city, place) == ["find", "add_photo"]
    again = photos.add_photo(
        city.session, place.number, with_tags(), side=PhotoSide.BEFORE, by=city["worker"], now=city.clock()
    )
    assert again.id == photo.id
    assert (
        photos.read_photo(city.session, city["leader"].scope, place.number, photo.id).content == photo.content
    )
    with pytest.raises(NotFound) as refused:
        photos.read_photo(city.session, city["leader2"].scope, place.number, photo.id)
    assert refused.value.code == "photo_not_found"


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        ({0x9011: "+02:00"}, datetime(2026, 6, 30, 6, 15, tzinfo=UTC)),
        ({0x9003: "0000:00:00 00:00:00"}, None),
        ({0x9003: "yesterday"}, None),
        ({0x9003: "2031:01:01 00:00:00"}, None),  # a clock that runs ahead
        ({0x9011: "+99:99"}, None),
    ],
)
def test_when_a_photo_was_taken(city, tags, wanted):
    place = found(city)

    photo = photos.add_photo(
        city.session,
        place.number,
        with_tags(tags),
        side=PhotoSide.AFTER,
        by=city["leader"],
        now=city.clock(),
    )

    assert photo.taken_at == wanted


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (a_photo((100, 50), "PNG"), (100, 50)),
        (a_photo((2000, 10), "WEBP"), (1600, 8)),
        (a_photo((30, 30), "PNG", mode="RGBA", colour=(0, 0, 0, 0)), (30, 30)),
        (a_photo((30, 30), "PNG", mode="L", colour=9), (30, 30)),
        (a_photo((30, 30), "PNG", mode="P", colour=9), (30, 30)),
        (a_photo((1, 1)), (1, 1)),
    ],
    ids=["png", "webp", "clear", "grey", "palette", "dot"],
)
def test_what_a_photo_may_come_as(content, size):
    picture = photos.taken_in(content)

    with Image.open(io.BytesIO(picture.jpeg)) as stored:
        assert (stored.format, stored.mode, stored.size) == ("JPEG", "RGB", size)


def a_bomb() -> bytes:
    """A small PNG that says it has ten thousand million pixels."""
    plain = bytearray(a_photo((10, 10), "PNG"))
    plain[16:24] = (100_000).to_bytes(4, "big") * 2
    import zlib

    plain[29:33] = zlib.crc32(bytes(plain[12:29])).to_bytes(4, "big")
    return bytes(plain)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "photo_empty"),
        (b"<svg onload=alert(1)>", "not_a_photo"),
        (b"\xff\xd8\xff" + bytes(100), "not_a_photo"),
        (a_photo((400, 300))[:600], "not_a_photo"),  # cut off
        (a_photo((10, 10), "GIF"), "not_a_photo"),
        (a_photo((10, 10), "BMP"), "not_a_photo"),
        (a_bomb(), "photo_too_large"),
        (a_photo((7800, 7800), "PNG", mode="1", colour=1), "photo_too_large"),
        (a_photo((10_000, 10_000), "PNG", mode="1", colour=1), "photo_too_large"),
        (bytes(15_000_001), "photo_too_large"),
    ],
    ids=["empty", "svg", "head", "cut", "gif", "bmp", "bomb", "wide", "wider", "heavy"],
)
def test_what_is_no_photo_is_refused_in_plain_words(content, code):
    with pytest.raises(InvalidInput) as refused:
        photos.taken_in(content)
    assert refused.value.code == code
    assert refused.value.facts["field"] == "photo"


def test_a_place_keeps_so_many_photos(city, monkeypatch):
    place = found(city)
    monkeypatch.setattr(photos, "MOST_PHOTOS", 1)
    photos.add_photo(
        city.session,
        place.number,
        a_photo((5, 5)),
        side=PhotoSide.BEFORE,
        by=city["leader"],
        now=city.clock(),
    )

    with pytest.raises(Conflict) as refused:
        photos.add_photo(
            city.session,
            place.number,
            a_photo((6, 6)),
            side=PhotoSide.BEFORE,
            by=city["leader"],
            now=city.clock(),
        )
    assert refused.value.code == "too_many_photos"


# -- read


def test_who_sees_which_places(city):
    here = treated(city)
    thrice(city, code="990101002001001")
    finding.find(city.session, DISTRICT, city.clock())
    there = city.session.scalars(select(Place).where(Place.id != here.id)).one()

    def seen(login: str) -> set[str]:
        page = ledger.find_places(city.session, city[login].scope, now=city.clock())
        return {row.place.number for row in page.items}

    assert seen("leader") == {here.number}
    assert seen("leader3") == {there.number}
    assert seen("centre2") == {there.number}
    assert seen("platform") == {here.number, there.number}
    assert seen("JJ") == {here.number}  # it leads there
    assert seen("CG") == {here.number}  # it cooperates
    assert seen("SCJG") == set()
    for login in ("leader", "JJ"):
        ledger.show_place(city.session, city[login], here.number, now=city.clock())
    with pytest.raises(NotFound):
        ledger.show_place(city.session, city["leader3"], here.number, now=city.clock())


def test_the_ledger_page_by_page_and_by_filter(city):
    for code in ("990101001001001", "990101001002001", "990101002001001"):
        thrice(city, days=3, code=code)
        finding.find(city.session, DISTRICT, city.clock())
    first, second, third = city.session.scalars(select(Place).order_by(Place.id)).all()
    scope = city["platform"].scope

    def found_by(**walls: Any) -> list[str]:
        page = ledger.find_places(city.session, scope, PlaceFilters(**walls), now=city.clock())
        return [row.place.number for row in page.items]

    page = ledger.find_places(city.session, scope, now=city.clock(), limit=2)
    rest = ledger.find_places(city.session, scope, now=city.clock(), limit=2, cursor=page.next_cursor)
    assert [row.place.number for row in page.items] == [third.number, second.number]
    assert ([row.place.number for row in rest.items], rest.next_cursor) == ([first.number], None)
    assert [row.members for row in rest.items] == [3]
    assert found_by(area="990101002") == [third.number]
    assert found_by(statuses=(_S.CONFIRMED,)) == []
    assert found_by(text=second.number) == [second.number]
    assert found_by(text="幸福", category=PARKING, bbox=(116.9, 35.9, 117.03, 36.1)) == [
        second.number, first.number,
    ]  # fmt: skip
    counts = ledger.count_places(city.session, scope, now=city.clock())
    assert counts[_S.SUSPECTED] == 3
    assert sum(counts.values()) == 3
    with pytest.raises(InvalidInput):
        ledger.find_places(city.session, scope, now=city.clock(), cursor="nonsense")


def test_a_place_is_shown_with_all_that_is_known_of_it(city):
    place = treated(city, days=7)

    shown = ledger.show_place(city.session, city["leader"], place.number, now=city.clock())

    assert shown.intervals.days == (7.0, 7.0)
    assert shown.hours.sum() == 3
    assert shown.hours[2, 9] == 3  # three Wednesdays at nine
    assert [member.counts for member in shown.members] == [True] * 3
    assert shown.quiet is not None
    assert shown.quiet.days == 0
    assert (shown.row.overdue, shown.row.open) == (False, 0)
    assert [step.action for step in shown.steps] == steps(city, place)
    assert shown.actions == ("add_photo",)
    assert "JJ" in shown.bodies


# -- campaigns


def test_a_campaign_works_on_the_places_of_a_cluster(city):
    place = found(city)
    acts.confirm(city.session, place.number, by=city["leader"], now=city.clock())
    begins = city.clock().date()
    wanted = CampaignPlan(
        "停车整治", "990101001", "十天内减半", "JJ", begins, begins + timedelta(days=9), PARKING
    )

    campaign = campaigns.begin(
        city.session, wanted, cluster=Cluster(city.clock() - timedelta(days=90), city.clock()), by=city["office"],
        now=city.clock(),
    )  # fmt: skip
    city.clock.advance(days=1)
    happen(city)
    city.clock.advance(days=3)
    shown = campaigns.show_campaign(city.session, city["leader"], campaign.number, now=city.clock())

    assert campaign.number.startswith("C20260703990101")
    assert [row.place.number for row in shown.places] == [place.number]
    assert shown.standing[_S.CONFIRMED] == 1
    assert (shown.before.days, shown.during.days) == pytest.approx((4.375, 4.375))
    assert (shown.before.incidents, shown.during.incidents) == (0, 1)
    assert campaigns.show_campaign(city.session, city["office"], campaign.number, now=city.clock()).may_end
    assert not shown.may_end
    campaigns.end(city.session, campaign.number, result="少了", by=city["office"], now=city.clock())
    with pytest.raises(Conflict):
        campaigns.end(city.session, campaign.number, result="少了", by=city["office"], now=city.clock())
    rows, more = campaigns.find_campaigns(city.session, city["leader"].scope, running_only=True)
    assert (list(rows), more) == ([], None)
    with pytest.raises(NotFound):
        campaigns.show_campaign(city.session, city["leader3"], campaign.number, now=city.clock())
    assert ledger.show_place(city.session, city["leader"], place.number, now=city.clock()).campaigns == [
        campaign
    ]


@pytest.mark.parametrize(
    ("changes", "numbers", "by", "code"),
    [
        ({"name": " "}, True, "office", "text_length"),
        ({"until_on": date(2020, 1, 1)}, True, "office", "campaign_days"),
        ({"lead": "NOBODY"}, True, "office", "unknown_department"),
        ({"category": "99-999"}, True, "office", "unknown_category"),
        ({"category": WATER}, True, "office", "campaign_places"),
        ({}, False, "office", "campaign_places"),
        ({}, True, "leader", "not_your_role"),
        ({"area": "990101"}, True, "office", "area_not_found"),
    ],
)
def test_a_campaign_that_does_not_hold(city, changes, numbers, by, code):
    place = found(city)
    day = city.clock().date()
    said = {
        "name": "整治",
        "area": "990101001",
        "goal": "少",
        "lead": "TOWN",
        "from_on": day,
        "until_on": day,
    }

    with pytest.raises((InvalidInput, Forbidden, NotFound)) as refused:
        campaigns.begin(
            city.session, CampaignPlan(**said | changes), places=[place.number] if numbers else [], by=city[by],
            now=city.clock(),
        )  # fmt: skip
    assert refused.value.code == code


def a_campaign(city: Any, *places: Place, lead: str = "JJ", by: str = "office") -> Campaign:
    day = city.clock().date()
    wanted = CampaignPlan("停车整治", "990101001", "少", lead, day, day + timedelta(days=9))
    return campaigns.begin(
        city.session, wanted, places=[place.number for place in places], by=city[by], now=city.clock()
    )


def told(city: Any, template: str) -> dict[str, int]:
    """Return who was told how many points are theirs, by login."""
    rows = city.session.execute(
        select(Person.login, Message.facts["count"].as_integer())
        .join(Person, Person.id == Message.person_id)
        .where(Message.template == template)
    ).all()
    assert len(rows) == len({row[0] for row in rows})  # each once
    return {login.lower(): count for login, count in rows}


def test_a_campaign_stands_in_the_history_of_its_places_from_its_beginning_to_its_end(city):
    place = found(city)

    campaign = a_campaign(city, place)
    city.clock.advance(days=3)
    campaigns.end(city.session, campaign.number, result="秩序好转", by=city["office"], now=city.clock())

    shown = ledger.show_place(city.session, city["leader"], place.number, now=city.clock())
    begun, ended = shown.steps[-2:]
    assert [(one.row, one.action) for one in (begun, ended)] == [
        ("P10", "begin_campaign"),
        ("P10", "end_campaign"),
    ]
    assert begun.payload == {"campaign": campaign.number, "name": "停车整治"}
    assert ended.payload["result"] == "秩序好转"
    assert begun.actor_id == city["office"].person_id
    assert place.status is _S.SUSPECTED
    assert audit.verify_places(city.session).broken == {}


def test_who_leads_a_campaign_or_a_place_of_it_hears_of_it_once(city):
    thrice(city)
    thrice(city, category=WATER, north_m=60)
    thrice(city, north_m=200)
    finding.find(city.session, DISTRICT, city.clock())
    places = city.session.scalars(select(Place).order_by(Place.id)).all()
    parking = [place for place in places if place.category_code == PARKING]
    acts.confirm(city.session, parking[0].number, by=city["leader"], now=city.clock())
    acts.plan(city.session, parking[0].number, a_plan(city, lead="CG", cooperating=()), by=city["office"],
              now=city.clock())  # fmt: skip

    campaign = a_campaign(city, *parking, lead="JJ")

    begun = told(city, "place.campaign_begun")
    assert begun["jj"] == len(parking) == 2
    assert begun["cg"] == 1
    assert begun["leader"] == 1  # the other has no lead yet: who answers for it
    assert "office" not in begun  # who began it knows
    campaigns.end(city.session, campaign.number, result="少了", by=city["office"], now=city.clock())
    assert told(city, "place.campaign_ended") == begun


def test_the_department_that_leads_a_campaign_sees_it_and_its_places_while_it_runs(city):
    place = found(city)
    campaign = a_campaign(city, place)

    for login, seen in (("JJ", True), ("CG", False)):
        rows, _ = campaigns.find_campaigns(city.session, city[login].scope)
        assert (campaign in rows) is seen
    shown = campaigns.show_campaign(city.session, city["JJ"], campaign.number, now=city.clock())
    assert [row.place.number for row in shown.places] == [place.number]
    assert ledger.show_place(city.session, city["JJ"], place.number, now=city.clock()).actions == ()


def test_a_campaign_that_is_over_opens_its_places_to_nobody_any_more(city):
    thrice(city)
    thrice(city, category=WATER, north_m=300)
    finding.find(city.session, DISTRICT, city.clock())
    theirs, own = city.session.scalars(select(Place).order_by(Place.category_code.desc())).all()
    acts.confirm(city.session, own.number, by=city["leader"], now=city.clock())
    acts.plan(
        city.session,
        own.number,
        a_plan(city, lead="CG", cooperating=("JJ",)),
        by=city["office"],
        now=city.clock(),
    )
    campaign = a_campaign(city, theirs, own)
    happen(city)

    def listed() -> set[str]:
        page = ledger.find_places(city.session, city["JJ"].scope, now=city.clock())
        return {row.place.number for row in page.items}

    assert listed() == {theirs.number, own.number}
    during = campaigns.show_campaign(city.session, city["JJ"], campaign.number, now=city.clock())
    city.clock.advance(days=1)
    campaigns.end(city.session, campaign.number, result="好", by=city["office"], now=city.clock())

    assert listed() == {own.number}  # it cooperates there
    with pytest.raises(NotFound):
        ledger.show_place(city.session, city["JJ"], theirs.number, now=city.clock())
    after = campaigns.show_campaign(city.session, city["JJ"], campaign.number, now=city.clock())
    assert ([row.place.number for row in after.places], after.out_of_sight) == ([own.number], 1)
    assert (sum(after.standing.values()), during.out_of_sight) == (2, 0)
    assert after.during is not None
    assert after.during.incidents >= 1  # counted at all of its places
    rows, _ = campaigns.find_campaigns(city.session, city["JJ"].scope)
    assert rows == [campaign]  # what came of it stays theirs to read
    office = campaigns.show_campaign(city.session, city["office"], campaign.number, now=city.clock())
    assert (len(office.places), office.out_of_sight) == (2, 0)
    # who only cooperates at one place of it counts that one
    cooperating = campaigns.show_campaign(city.session, city["CG"], campaign.number, now=city.clock())
    assert (sum(cooperating.standing.values()), cooperating.out_of_sight) == (1, 0)


def test_a_place_that_was_cured_meanwhile_still_hears_the_end_of_its_campaign(city):
    place = treated(city)
    campaign = a_campaign(city, place)
    city.clock.advance(days=91)
    assert a_night(city).cured == 1

    campaigns.end(city.session, campaign.number, result="好", by=city["office"], now=city.clock())

    assert steps(city, place)[-3:] == ["begin_campaign", "cure", "end_campaign"]
    assert place.status is _S.CURED


# -- the chain, the grid, races


def test_the_steps_of_a_place_are_a_chain_and_a_change_shows(city):
    place = treated(city)
    assert audit.verify_places(city.session).broken == {}
    assert audit.verify_places(city.session).steps == 4

    city.session.execute(text("update place_step set actor = 'somebody else' where seq = 3"))
    city.session.expire_all()
    assert audit.verify_places(city.session).broken == {place.number: 3}

    city.session.execute(text("delete from place_step where seq >= 3"))
    city.session.expire_all()
    assert audit.verify_places(city.session).broken == {place.number: 3}


def test_a_place_follows_the_grid(city):
    place = found(city)
    before = place.edition_id
    edition = city.session.get_one(Edition, before)
    day = city.clock().date()
    new = Edition(
        name="second", status=edition.status, source="test", frame="CGCS2000", leaf_level=edition.leaf_level,
        effective_from=day, loaded_at=city.clock(), report={},
    )  # fmt: skip
    city.session.add(new)
    city.session.flush()
    for grid in city.session.scalars(select(Grid).where(Grid.edition_id == before)).all():
        code = grid.code if grid.code != CELL else "990101001001009"
        city.session.add(
            Grid(
                edition_id=new.id, code=code, level=grid.level, name=grid.name, households=grid.households,
                area_m2=1.0, boundary=grid.boundary,
            )
        )  # fmt: skip
    edition.effective_to = day
    city.session.flush()

    a_night(city)

    assert (place.grid_code, place.edition_id) == ("990101001001009", new.id)
    assert steps(city, place) == ["find", "follow"]


def test_two_reports_at_once_bring_a_place_back_once(committed_city, engine: Engine):
    city = committed_city
    place = treated(city)
    city.clock.advance(days=10)
    numbers = [city.report(category=PARKING).number for _ in range(2)]
    city.session.commit()
    begun = threading.Barrier(2)
    failures: list[BaseException] = []

    def accept(number: str) -> None:
        try:
            with Session(engine) as session:
                begun.wait(10)
                incidents.accept(session, number, by=city["centre"], now=city.clock())
                session.commit()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=accept, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert failures == []
    city.session.expire_all()
    assert (place.status, place.returns) == (_S.RETURNED, 1)
    assert steps(city, place)[-2:] == ["return", "join"]
    assert len(members(city, place)) == 5
    assert audit.verify_places(city.session).broken == {}
    told = city.session.scalar(
        select(func.count()).where(
            Message.template == "place.returned", Message.person_id == city["leader"].person_id
        )
    )
    assert told == 1


def test_two_workers_at_once_do_a_night_once(committed_city, engine: Engine):
    city = committed_city
    thrice(city)
    city.session.commit()
    begun = threading.Barrier(3)
    done: list[Any] = []

    def work() -> None:
        with Session(engine) as session:
            begun.wait(10)
            done.append(night.nightly(session, DISTRICT, city.clock()))
            session.commit()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len([one for one in done if one is not None]) == 1
    assert len(city.session.scalars(select(Place)).all()) == 1


def test_the_night_waits_for_nobody_who_holds_a_case(committed_city, engine: Engine):
    city = committed_city
    three = thrice(city)
    fourth = happen(city)
    city.clock.advance(days=2)
    city.session.commit()
    with Session(engine) as other, Session(engine) as session:
        other.execute(text("select 1 from incident where id = :id for update"), {"id": fourth.id})
        session.execute(text("set local lock_timeout = '2s'"))

        night.nightly(session, DISTRICT, city.clock())
        session.commit()

    place = the_place(city)
    assert members(city, place) == {one.id for one in three}
    city.clock.advance(days=1)
    a_night(city)
    assert members(city, place) == {*(one.id for one in three), fourth.id}
    city.session.rollback()


def at_once(engine: Engine, *acts: Any) -> list[Any]:
    """Do several things at the same moment, each in a transaction of its own; return what each gave."""
    begun = threading.Barrier(len(acts))
    given: list[Any] = [None] * len(acts)

    def run(place: int, act: Any) -> None:
        try:
            with Session(engine, expire_on_commit=False) as session:
                begun.wait(10)
                given[place] = act(session)
                session.commit()
        except BaseException as error:
            given[place] = error

    threads = [threading.Thread(target=run, args=one) for one in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return given


NIGHT_ROUNDS = 3
SPOTS = [
    (code, north)
    for north in (0.0, 250.0, -250.0)
    for code in ("990101001001002", "990101001002001", "990101001002002")
]


def test_two_nights_a_report_and_a_campaign_at_once_find_nothing_twice_and_lose_nothing(
    committed_city, engine: Engine, soak: bool
):
    city = committed_city
    old = treated(city)
    for turn, (code, north) in enumerate(SPOTS if soak else SPOTS[:NIGHT_ROUNDS]):
        fresh = {one.id for one in thrice(city, days=2, code=code, north_m=north)}
        lon, lat = city.centre_of(code)
        coming = [
            city.report(category=PARKING, lon=lon, lat=lat + north * METRE),
            city.report(category=PARKING),
        ]
        numbers, campaign = [one.number for one in coming], f"第{turn}次整治"
        city.session.commit()
        now, day = city.clock(), city.clock().date()
        plan = CampaignPlan(campaign, "990101001", "少", "JJ", day, day + timedelta(days=9))

        given = at_once(
            engine,
            *[lambda session, now=now: night.nightly(session, DISTRICT, now)] * 2,
            *[
                lambda session, now=now, number=number: incidents.accept(
                    session, number, by=city["centre"], now=now
                )
                for number in numbers
            ],
            lambda session, now=now, plan=plan: campaigns.begin(
                session, plan, places=[old.number], by=city["office"], now=now
            ),
        )

        assert [one for one in given if isinstance(one, BaseException)] == []
        done = [one for one in given[:2] if one is not None]
        assert len(done) <= 1  # none where the campaign was first: then the night is still due
        if not done:
            assert night.districts_due(city.session, now) == [DISTRICT]
            a_night(city)
        city.clock.advance(days=1)
        a_night(city)  # lets in what somebody held
        city.session.commit()
        city.session.expire_all()
        (new,) = city.session.scalars(
            select(Place).join(PlaceIncident).where(PlaceIncident.incident_id.in_(fresh)).distinct()
        )
        assert members(city, new) == fresh | {coming[0].id}
        assert coming[1].id in members(city, old)
        assert steps(city, old).count("begin_campaign") == turn + 1
        assert city.session.scalar(select(func.count()).select_from(Place)) == turn + 2
    assert (old.status, old.returns, steps(city, old).count("return")) == (_S.RETURNED, 1, 1)
    assert audit.verify_places(city.session).broken == {}
    twice = select(PlaceIncident.incident_id).group_by(PlaceIncident.incident_id).having(func.count() > 1)
    assert city.session.scalars(twice).all() == []
    city.session.rollback()


def test_who_locks_several_places_waits_for_the_night_and_holds_the_next_one_off(
    committed_city, engine: Engine
):
    city = committed_city
    found(city)
    city.session.commit()
    with Session(engine) as first, Session(engine) as second:
        assert night.nightly(first, DISTRICT, city.clock()) is not None
        second.execute(text("set local lock_timeout = '200ms'"))
        with pytest.raises(OperationalError):
            night.hold_off(second, DISTRICT)
        second.rollback()
        first.commit()

        night.hold_off(second, DISTRICT)
        city.clock.advance(days=1)
        assert night.nightly(first, DISTRICT, city.clock()) is None
        first.commit()
        second.commit()

        assert night.districts_due(first, city.clock()) == [DISTRICT]  # put off, not lost
        assert night.nightly(first, DISTRICT, city.clock()) is not None
        first.rollback()
