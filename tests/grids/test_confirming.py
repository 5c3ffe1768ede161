"""A whistle for the departments: who is called and why, the leader's word and what stands in for it, and back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gis.errors import Conflict, Forbidden, InvalidInput
from grids import casefile, deadlines
from grids.acts import confirming, incidents, joint, onekey, tasks, whistles
from grids.acts.joint import Draft
from grids.rules.permissions import Role
from grids.rules.tasks import CheckInMethod, TaskRole
from grids.rules.whistles import WhistleLevel, WhistleType
from grids.tables import Person, Post

pytestmark = pytest.mark.database

RED = "08-001"
OTHERS = (("CG", TaskRole.LEAD), ("GA", TaskRole.COOPERATING))


@pytest.fixture
def filed(city):
    """A case at the town, filed and not yet given to an office."""
    incident = city.accepted(WhistleLevel.SECOND)
    whistles.file(
        city.session,
        city.whistle(incident, 2).number,
        liaison_name="李芳",
        liaison_phone="13912345678",
        by=city["centre"],
        now=city.clock(),
    )
    return incident


@pytest.fixture
def red(city):
    """A red case: its whistle for the departments is drafted at once."""
    incident = city.report(category=RED)
    incidents.accept(city.session, incident.number, by=city["centre"], now=city.clock())
    return incident


def said(city, **told):
    return Draft(
        **{
            "type": WhistleType.JOINT_ENFORCEMENT,
            "reason": "街道无执法权",
            "appointed_at": city.clock() + timedelta(hours=2),
            "appointed_place": "居委会",
        }
        | told
    )


def blow(city, incident, login="office", **told):
    return joint.blow(
        city.session,
        incident.number,
        level=WhistleLevel.THIRD,
        draft=said(city, **told),
        by=city[login],
        now=city.clock(),
    )


def submit(city, incident, **told):
    number = city.whistle(incident, 3).number
    return joint.submit(city.session, number, said(city, **told), by=city["office"], now=city.clock())


def act(name, city, incident, login, **told):
    number = city.whistle(incident, 3).number
    return getattr(confirming, name)(city.session, number, **told, by=city[login], now=city.clock())


def acts(city, incident, login):
    file = casefile.show_whistle(city.session, city[login], city.whistle(incident, 3).number)
    return {action.action for action in file.actions if action.machine == "whistle"}


def district_leader(city):
    from grids.rules.permissions import Actor

    person = Person(login="chief", name="chief")
    city.session.add(person)
    city.session.flush()
    city.session.add(
        Post(person_id=person.id, role=Role.DISTRICT_LEADER, area_code="990101", department_id=None, title="")
    )
    city.session.flush()
    city.people["chief"] = Actor(person.id, "chief", Role.DISTRICT_LEADER, "", "990101", None)


# -- what the town says


def test_others_than_the_list_names_are_called_for_a_reason(city, red):
    with pytest.raises(InvalidInput) as refusal:
        submit(city, red, departments=OTHERS)
    assert refusal.value.facts["field"] == "chosen_reason"

    whistle = submit(city, red, departments=OTHERS, chosen_reason="现场另有占道")

    told = [one for one in red.explanation if one["what"] == "departments"][-2:]
    assert [one["because"] for one in told] == ["default", "by_hand"]
    assert told[0]["chose"] != told[1]["chose"] == ["CG", "GA"]
    assert (whistle.chosen_reason, told[1]["facts"]["reason"]) == ("现场另有占道", "现场另有占道")


def test_those_of_the_list_need_no_reason_in_whichever_order(city, red):
    listed = [(d["code"], TaskRole(d["role"])) for d in city.whistle(red, 3).departments]

    whistle = submit(city, red, departments=tuple(reversed(listed)), chosen_reason="")

    assert whistle.chosen_reason is None
    assert [one["because"] for one in red.explanation if one["what"] == "departments"][-1] == "default"


def test_who_names_departments_while_blowing_gives_one_reason_for_all(city, filed):
    whistle = blow(city, filed, departments=OTHERS, reason="另有占道")

    assert whistle.chosen_reason == "另有占道"


def test_departments_do_not_meet_after_they_have_to_be_done(city, filed):
    with pytest.raises(InvalidInput) as refusal:
        blow(city, filed, appointed_at=filed.due_at + timedelta(minutes=1))

    assert (refusal.value.code, refusal.value.facts["field"]) == ("appointment_after_due", "appointed_at")


def test_the_departments_know_whom_of_the_town_to_call(city, filed):
    city.session.get_one(Person, city["office"].person_id).phone = "13700000001"

    whistle = blow(city, filed)

    assert (whistle.contact_name, whistle.contact_phone) == ("office", "13700000001")
    other = city.accepted(WhistleLevel.SECOND, text="又一处")
    whistles.file(city.session, city.whistle(other, 2).number, by=city["centre"], now=city.clock())
    with pytest.raises(InvalidInput), city.session.begin_nested():
        blow(city, other, contact_phone="12")
    named = blow(city, other, contact_name="李芳", contact_phone="13912345678")
    assert (named.contact_name, named.contact_phone) == ("李芳", "13912345678")


# -- a draft that waits


def test_a_draft_that_nobody_submits_is_told_above(city, red):
    assert city.clocks(red)["draft"] == city.clock() + timedelta(hours=1)
    city.clock.advance(hours=1, seconds=1)

    deadlines.fire_due(city.session, city.clock())

    assert city.outcomes(red, "draft") == ["missed"]
    for login in ("office", "town", "platform"):
        assert "clock.draft" in city.told(login)


def test_the_draft_of_a_red_case_is_submitted_with_one_key(city, red):
    made = onekey.proposal(city.session, red.number, by=city["office"], now=city.clock())

    joint.submit(
        city.session,
        made.draft,
        Draft(type=made.type, reason=made.reason, appointed_place=made.appointed_place),
        by=city["office"],
        now=city.clock(),
    )

    whistle = city.whistle(red, 3)
    assert whistle.status == "pending_confirm"
    assert whistle.appointed_at == made.appointed_at
    assert city.outcomes(red, "draft") == ["met"]


# -- an emergency


def test_an_emergency_is_confirmed_by_phone_and_written_within_a_day(city, red):
    submit(city, red, type=WhistleType.EMERGENCY, appointed_at=None)

    whistle = act("confirm_by_phone", city, red, "office", heard_by="李芳")

    assert (whistle.status, whistle.confirmed_by_phone, whistle.confirmed_by_id) == ("issued", "李芳", None)
    assert city.tasks(red)
    assert city.clocks(red)["written"] == city.clock() + timedelta(hours=24)
    assert acts(city, red, "town") == {"write_confirmation"}
    city.clock.advance(hours=3)
    act("write_confirmation", city, red, "town")
    assert whistle.confirmed_by_id == city["town"].person_id
    assert city.outcomes(red, "written") == ["met"]
    with pytest.raises(Conflict) as refusal:
        act("write_confirmation", city, red, "town")
    assert refusal.value.code == "nothing_to_write"


def test_a_word_by_phone_that_is_not_written_is_told_above(city, red):
    submit(city, red, type=WhistleType.EMERGENCY)
    act("confirm_by_phone", city, red, "office", heard_by="李芳")
    city.clock.advance(hours=24, seconds=1)

    deadlines.fire_due(city.session, city.clock())

    assert city.outcomes(red, "written") == ["missed"]
    assert "clock.written" in city.told("platform")
    assert "write_confirmation" in acts(city, red, "town")


def test_what_is_no_emergency_is_not_confirmed_by_phone(city, filed):
    blow(city, filed)

    assert "confirm_by_phone" not in acts(city, filed, "office")
    with pytest.raises(Conflict) as refusal:
        act("confirm_by_phone", city, filed, "office", heard_by="李芳")
    assert refusal.value.code == "not_an_emergency"


# -- nobody confirms


def test_the_district_confirms_instead_only_once_the_leader_is_late(city, filed):
    blow(city, filed)
    with pytest.raises(Conflict) as refusal:
        act("confirm_instead", city, filed, "platform", reason="无人确认")
    assert refusal.value.code == "leader_has_time"
    city.clock.advance(hours=3)
    deadlines.fire_due(city.session, city.clock())
    assert "clock.confirm" in city.told("platform")
    assert acts(city, filed, "platform") >= {"confirm_instead"}

    whistle = act("confirm_instead", city, filed, "platform", reason="主要领导在外开会")

    assert (whistle.status, whistle.confirmed_by_id) == ("issued", city["platform"].person_id)
    assert len(city.tasks(filed)) == 4
    assert "whistle.confirmed_instead" in city.told("town")


def test_the_districts_leader_is_told_and_may_confirm_too(city, filed):
    district_leader(city)
    blow(city, filed)
    city.clock.advance(hours=3)
    deadlines.fire_due(city.session, city.clock())

    act("confirm_instead", city, filed, "chief", reason="街道无人确认")

    assert "clock.confirm" in city.told("chief")
    assert city.whistle(filed, 3).status == "issued"


def test_before_the_sweeper_has_looked_the_moment_itself_says_that_it_is_late(city, filed):
    blow(city, filed)
    city.clock.advance(hours=3)

    act("confirm_instead", city, filed, "platform", reason="无人确认")

    assert city.outcomes(filed, "confirm") == ["missed"]


def test_a_leader_who_is_late_may_still_confirm(city, filed):
    blow(city, filed)
    city.clock.advance(hours=3)
    deadlines.fire_due(city.session, city.clock())

    joint.confirm(city.session, city.whistle(filed, 3).number, by=city["town"], now=city.clock())

    assert city.outcomes(filed, "confirm") == ["missed"]


def test_the_town_does_not_confirm_instead_of_its_leader(city, filed):
    blow(city, filed)
    city.clock.advance(hours=3)

    with pytest.raises(Forbidden):
        act("confirm_instead", city, filed, "office", reason="急")


# -- and back


def test_a_refused_whistle_comes_back_to_where_the_town_stood(city, filed):
    blow(city, filed)
    assert "assign" not in city.clocks(filed)

    joint.refuse(
        city.session, city.whistle(filed, 3).number, reason="先自行处置", by=city["town"], now=city.clock()
    )

    assert city.whistle(filed, 2).status == "filed"
    assert "assign" in city.clocks(filed)


def test_a_whistle_is_withdrawn_before_anybody_came(city, filed):
    blow(city, filed)
    joint.confirm(city.session, city.whistle(filed, 3).number, by=city["town"], now=city.clock())
    task = city.tasks(filed)["SCJG"]
    tasks.respond(
        city.session, task.id, staff_name="赵", staff_phone="13612345678", by=city["SCJG"], now=city.clock()
    )

    whistle = act("withdraw", city, filed, "office", reason="商户已自行搬离")

    assert (whistle.status, whistle.result) == ("withdrawn", "商户已自行搬离")
    assert {task.status for task in city.tasks(filed).values()} == {"withdrawn"}
    assert not {"respond", "check_in", "complete", "confirm"} & set(city.clocks(filed))
    assert city.whistle(filed, 2).status == "filed"
    assert city.told("SCJG")[-1] == "task.withdrawn"
    again = blow(city, filed, reason="又来了")
    assert (again.status, again.number != whistle.number) == ("pending_confirm", True)


def test_a_withdrawn_red_case_is_whistled_for_the_town(city, red):
    act("withdraw", city, red, "office", reason="误报为突发")

    assert city.whistle(red, 2).status == "blown"
    assert "draft" not in city.clocks(red)


def test_once_somebody_came_a_whistle_is_not_withdrawn(city, filed):
    blow(city, filed)
    joint.confirm(city.session, city.whistle(filed, 3).number, by=city["town"], now=city.clock())
    task = city.tasks(filed)["CG"]
    tasks.respond(
        city.session, task.id, staff_name="赵", staff_phone="13612345678", by=city["CG"], now=city.clock()
    )
    assert "withdraw" in acts(city, filed, "office")
    from grids.acts import presence

    how = presence.CheckIn(CheckInMethod.MANUAL, reason="手机没电")
    presence.check_in(city.session, task.id, how, by=city["office"], now=city.clock())

    assert "withdraw" not in acts(city, filed, "office")
    with pytest.raises(Conflict) as refusal:
        act("withdraw", city, filed, "office", reason="不需要了")
    assert refusal.value.code == "somebody_came"


def test_a_late_answer_stays_late_when_the_whistle_is_withdrawn(city, filed):
    blow(city, filed)
    joint.confirm(city.session, city.whistle(filed, 3).number, by=city["town"], now=city.clock())
    city.clock.advance(hours=1)

    act("withdraw", city, filed, "office", reason="不需要了")

    assert set(city.outcomes(filed, "respond")) == {"missed"}
    assert set(city.outcomes(filed, "check_in")) == {"void"}
