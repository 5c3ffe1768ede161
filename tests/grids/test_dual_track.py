"""A level-2 whistle: somebody goes to the community, the centre files it; and back to where the case came from."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gis.errors import Conflict, Forbidden, InvalidInput
from grids import casefile, deadlines
from grids.acts import whistles
from grids.rules.permissions import Role
from grids.rules.whistles import WhistleLevel

pytestmark = pytest.mark.database

LIAISON = {"liaison_name": "李芳", "liaison_phone": "13912345678"}


@pytest.fixture
def blown(city):
    return city.accepted(WhistleLevel.SECOND)


def name(city, incident, login="office", **said):
    number = city.whistle(incident, 2).number
    return whistles.name_liaison(city.session, number, **LIAISON | said, by=city[login], now=city.clock())


def file(city, incident, **said):
    number = city.whistle(incident, 2).number
    return whistles.file(city.session, number, **said, by=city["centre"], now=city.clock())


def assign(city, incident):
    number = city.whistle(incident, 2).number
    told = {"office": "综合执法办", "instruction": "今天到现场"}
    return whistles.assign(city.session, number, **told, by=city["centre"], now=city.clock())


def hand_back(city, incident, reason="社区可以协调"):
    number = city.whistle(incident, 2).number
    return whistles.hand_back(city.session, number, reason=reason, by=city["centre"], now=city.clock())


def test_the_two_tracks_are_two_steps_with_a_clock_each(city, blown):
    assert {"liaison", "file"} <= set(city.clocks(blown))
    assert "assign" not in city.clocks(blown)

    name(city, blown)
    assert city.whistle(blown, 2).status == "blown"
    assert city.told("leader")[-1] == "whistle.liaison"
    city.clock.advance(minutes=30)
    file(city, blown)

    whistle = city.whistle(blown, 2)
    assert (whistle.status, whistle.liaison_name) == ("filed", "李芳")
    assert whistle.filed_at - whistle.liaison_named_at == timedelta(minutes=30)
    assert city.outcomes(blown, "liaison") == city.outcomes(blown, "file") == ["met"]
    assert city.steps(blown)[-2:] == ["whistle.name_liaison", "whistle.file"]


def test_the_office_is_named_within_its_time_from_the_filing_on(city, blown):
    city.clock.advance(hours=2)

    file(city, blown)

    assert city.clocks(blown)["assign"] == city.clock() + timedelta(
        hours=5, minutes=30
    )  # past noon, four hours
    assign(city, blown)
    assert city.outcomes(blown, "assign") == ["met"]


def test_who_files_and_names_somebody_takes_both_steps_at_once(city, blown):
    file(city, blown, **LIAISON)

    assert city.steps(blown)[-2:] == ["whistle.name_liaison", "whistle.file"]
    assert "liaison" not in city.clocks(blown)


def test_a_file_names_a_whole_person_or_none(city, blown):
    with pytest.raises(InvalidInput) as refusal:
        file(city, blown, liaison_name="李芳")

    assert refusal.value.facts["field"] == "liaison_phone"
    assert city.whistle(blown, 2).status == "blown"


def test_filing_alone_leaves_the_visit_to_the_community_owed(city, blown):
    file(city, blown)
    assign(city, blown)
    city.clock.advance(days=1)
    deadlines.fire_due(city.session, city.clock())

    assert city.outcomes(blown, "liaison") == ["missed"]
    assert "clock.liaison" in city.told("town")
    name(city, blown)
    assert city.whistle(blown, 2).liaison_named_at == city.clock()


def test_another_person_may_go_and_the_first_naming_counts(city, blown):
    name(city, blown)
    first = city.clock()
    city.clock.advance(hours=1)

    name(city, blown, liaison_name="周强")

    whistle = city.whistle(blown, 2)
    assert (whistle.liaison_name, whistle.liaison_named_at) == ("周强", first)


def test_the_community_does_not_file_for_the_town(city, blown):
    with pytest.raises(Forbidden):
        name(city, blown, login="leader")


def test_a_case_that_is_handed_back_begins_anew_in_the_community(city):
    incident = city.accepted()
    whistles.escalate(
        city.session, city.whistle(incident, 1).number, reason="管不了", by=city["leader"], now=city.clock()
    )
    file(city, incident, **LIAISON)
    due = incident.due_at
    city.clock.advance(hours=1)

    first = hand_back(city, incident)

    assert (first.level, first.status, first.reason) == (1, "blown", "社区可以协调")
    assert city.whistle(incident, 2).status == "returned_to_community"
    assert city.clocks(incident)["community"] > city.clock()
    assert "assign" not in city.clocks(incident)
    assert incident.due_at == due
    assert incident.explanation[-1]["because"] == "handed_back"
    whistles.solve(city.session, first.number, result="调解好了", by=city["leader"], now=city.clock())
    assert incident.status == "resolved"


def test_what_comes_back_to_the_community_may_climb_again(city, blown):
    file(city, blown, **LIAISON)
    first = hand_back(city, blown)

    again = whistles.escalate(
        city.session, first.number, reason="还是管不了", by=city["leader"], now=city.clock()
    )

    assert (again.level, again.status) == (2, "blown")
    assert again.id != city.whistle(blown, 1).id
    file(city, blown)
    hand_back(city, blown)
    assert city.whistle(blown, 1).status == "blown"


def test_a_case_handed_back_to_an_empty_post_climbs_at_once(city, blown):
    file(city, blown, **LIAISON)
    city.vacate(Role.GRID_LEADER, "990101001001")

    hand_back(city, blown)

    assert city.whistle(blown, 1).status == "escalated"
    assert city.whistle(blown, 2).status == "blown"


def test_a_whistle_that_is_not_filed_yet_is_not_handed_back(city, blown):
    with pytest.raises(Conflict):
        hand_back(city, blown)


def test_handing_back_does_not_make_good_what_was_late(city, blown):
    file(city, blown)  # nobody was named for the community
    city.clock.advance(days=2)

    hand_back(city, blown)

    assert city.outcomes(blown, "liaison") == ["missed"]


def test_the_page_offers_what_the_use_cases_take(city, blown):
    def acts(login):
        file_ = casefile.show_whistle(city.session, city[login], city.whistle(blown, 2).number)
        return {action.action for action in file_.actions if action.machine == "whistle"}

    assert acts("centre") == {"name_liaison", "file"}
    file(city, blown)
    assert {"name_liaison", "assign", "hand_back", "escalate"} <= acts("centre")
    assert acts("leader") == set()
