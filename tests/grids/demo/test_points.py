"""The made-up city's recurrent problem points: in all states, by the product's own rules."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from grids import audit, demo, rain
from grids.places import campaigns, finding, ledger
from grids.rules.permissions import Actor, Role, Scope
from grids.rules.places import PlaceStatus
from grids.tables import Campaign, Grid, Incident, Place, PlaceIncident, PlacePhoto, RainReading

pytestmark = pytest.mark.database

NOW = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
ALL = Scope(everything=True)


@pytest.fixture(scope="module", params=["tiny", pytest.param("district", marks=pytest.mark.soak)])
def made(
    request: pytest.FixtureRequest, made_up: Callable[..., Any], make_database: Callable[[], str]
) -> Iterator[Session]:
    from api.database import make_engine

    tiny = request.param == "tiny"
    engine = make_engine(made_up(NOW)[0] if tiny else make_database())
    with Session(engine) as session:
        if not tiny:
            demo.make(session, scale=demo.Scale(request.param), seed=1, now=NOW)
            session.commit()
        yield session
    engine.dispose()


def test_there_is_a_place_in_every_state(made):
    counts = ledger.count_places(made, ALL, now=NOW)

    assert all(counts.values()), counts


def test_their_histories_are_whole_and_in_order(made):
    found = audit.verify_places(made)

    assert found.broken == {}
    platform = Actor(None, "x", Role.SYSTEM)
    for number in made.scalars(select(Place.number)):
        file = ledger.show_place(made, platform, number, now=NOW)
        moments = [step.at for step in file.steps]
        assert moments == sorted(moments), number
        assert max(moments) <= NOW
        assert file.steps[-1].to_state == file.place.status.value
        assert file.place.times == len(file.times), number
        assert {member.counts for member in file.members} <= {True}


def test_the_rule_finds_nothing_more_the_next_night(made):
    district = made.scalars(select(Grid.code).where(func.length(Grid.code) == 6).limit(1)).one()

    done = finding.find(made, district, NOW)
    made.rollback()

    assert (done.found, done.found_again) == (0, 0)


def test_what_came_after_a_treatment_has_brought_the_place_back(made):
    rows = made.execute(
        select(Place, func.max(Incident.received_at))
        .join(PlaceIncident, PlaceIncident.place_id == Place.id)
        .join(Incident, Incident.id == PlaceIncident.incident_id)
        .where(Place.status.in_((PlaceStatus.TREATED, PlaceStatus.CURED)))
        .group_by(Place.id)
    ).all()

    assert rows
    for place, last in rows:
        assert place.treated_at is not None
        assert last <= place.treated_at


def test_it_rained_when_water_stood_under_the_bridges(made):
    district = made.scalars(select(Grid.code).where(func.length(Grid.code) == 6).limit(1)).one()
    known = rain.read_rain(made, district, NOW - timedelta(days=365), NOW)
    under_bridges = made.scalars(
        select(Incident.received_at).where(
            Incident.category_code == "01-002", Incident.address.contains("桥下")
        )
    ).all()

    assert known.known_share(NOW - timedelta(days=364), NOW) > 0.99
    assert 20 < len(known.episodes) < 200
    wet = [moment for moment in under_bridges if known.behind(moment) is not None]
    assert len(wet) >= 0.9 * len(under_bridges)
    assert made.scalar(select(func.count()).select_from(RainReading)) >= 2 * 24 * 364


def test_there_are_drawn_photos_and_a_campaign(made):
    pictures = made.scalars(select(PlacePhoto)).all()
    number = made.scalars(select(Campaign.number)).one()

    assert len(pictures) >= 2
    for picture in pictures:
        with Image.open(io.BytesIO(picture.content)) as image:
            assert image.size == (picture.width, picture.height)
    shown = campaigns.show_campaign(made, Actor(None, "x", Role.SYSTEM), number, now=NOW)
    assert shown.places
    assert shown.during is not None
