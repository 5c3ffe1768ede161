"""The one-key whistle: what is proposed to the town, and that it goes out as it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from geoalchemy2.shape import from_shape
from shapely import MultiPolygon, box

from gis.errors import Conflict, Forbidden, NotFound
from grids.acts import incidents, joint, onekey, whistles
from grids.acts.joint import Draft
from grids.rules.responsibilities import RuleKind
from grids.rules.tasks import TaskRole
from grids.rules.whistles import WhistleLevel
from grids.tables import DutyBasis, Responsibility

pytestmark = pytest.mark.database


def filed(city, **said):
    incident = city.accepted(WhistleLevel.SECOND, **said)
    whistles.file(city.session, city.whistle(incident, 2).number, by=city["centre"], now=city.clock())
    return incident


def proposed(city, incident, login="office"):
    return onekey.proposal(city.session, incident.number, by=city[login], now=city.clock())


def rule(city, kind, lead, boundary=None, name=None):
    city.session.add(
        Responsibility(
            kind=kind,
            category_code="10-001",
            area_code="990101",
            name=name,
            boundary=None if boundary is None else from_shape(MultiPolygon([boundary]), srid=4490),
            lead=lead,
            cooperating=["GA"],
            basis=DutyBasis.AGREED,
            source="认定意见",
            effective_from=city.clock().date() - timedelta(days=9),
        )
    )
    city.session.flush()


def test_everything_is_proposed_with_its_reasons(city):
    incident = filed(city, address="升平巷车库")

    made = proposed(city, incident)

    assert [d["code"] for d in made.departments] == ["SCJG", "CG", "STHJ", "GA"]
    assert made.departments[0]["role"] == "lead"
    assert made.appointed_at == datetime(2026, 6, 3, 2, 0, tzinfo=UTC)  # called at nine, there at ten
    assert (made.appointed_place, made.due_at) == ("升平巷车库", incident.due_at)
    assert (made.reason, made.at_once, made.contact_name) == (onekey.BEYOND, False, "office")
    assert made.why[0]["what"] == "departments"
    assert {"category", "grade", "due"} <= {one["what"] for one in made.why}


def test_what_the_community_said_is_the_reason(city):
    incident = city.accepted()
    first = city.whistle(incident, 1)
    whistles.escalate(city.session, first.number, reason="多次劝导无效", by=city["leader"], now=city.clock())
    whistles.file(city.session, city.whistle(incident, 2).number, by=city["centre"], now=city.clock())

    assert proposed(city, incident).reason == "多次劝导无效"


def test_a_place_without_an_address_is_named_by_its_grid(city):
    assert proposed(city, filed(city, code="990101001001002")).appointed_place == "第001第002"


def test_a_decided_rule_and_an_exception_on_the_spot_come_before_the_list(city):
    incident = filed(city)
    rule(city, RuleKind.EXCEPTION, "JJ", box(117.0, 36.0, 117.01, 36.02), name="红线内")
    assert proposed(city, incident).departments[0]["code"] == "JJ"

    rule(city, RuleKind.DECIDED, "STHJ")
    made = proposed(city, incident)

    assert [d["code"] for d in made.departments] == ["STHJ", "GA"]
    assert made.why[0]["because"] == "decided"


def test_what_is_proposed_goes_out_as_it_is(city):
    incident = filed(city)
    made = proposed(city, incident)

    whistle = joint.blow(
        city.session,
        incident.number,
        level=WhistleLevel.THIRD,
        draft=Draft(
            type=made.type,
            reason=made.reason,
            departments=tuple((d["code"], TaskRole(d["role"])) for d in made.departments),
            chosen_reason="",
            appointed_at=made.appointed_at,
            appointed_place=made.appointed_place,
        ),
        by=city["office"],
        now=city.clock(),
    )

    assert (whistle.status, whistle.chosen_reason, whistle.due_at) == ("pending_confirm", None, made.due_at)


def test_a_red_case_is_an_emergency_and_meets_at_once(city):
    incident = city.report(category="08-001")
    incidents.accept(city.session, incident.number, by=city["centre"], now=city.clock())

    made = proposed(city, incident)

    assert (made.type, made.at_once, made.draft) == ("emergency", True, city.whistle(incident, 3).number)
    assert made.appointed_at <= city.clock() + timedelta(minutes=made.response_minutes + 5)


def test_nothing_is_proposed_before_the_town_has_the_case(city):
    with pytest.raises(Conflict):
        proposed(city, city.accepted())


def test_only_the_town_is_proposed_a_whistle(city):
    incident = filed(city)

    with pytest.raises(Forbidden):
        proposed(city, incident, "platform")
    with pytest.raises(NotFound):
        proposed(city, incident, "centre2")
    assert city.steps(incident)[-1] == "whistle.file"
