"""After the work: somebody else checks it, everybody who reported it is called, and it may be taken up again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from gis.errors import Conflict, Forbidden, InvalidInput
from grids import casefile, deadlines, trace
from grids.acts import callbacks, incidents, intake, joint, tasks, whistles
from grids.acts.callbacks import CallbackAnswer
from grids.acts.joint import Draft
from grids.rules.lifecycle import Channel, IncidentStatus, VerifiedHow
from grids.rules.permissions import Actor, Role
from grids.rules.whistles import WhistleLevel, WhistleStatus
from grids.tables import Callback, Category, Deadline, Reporter, Solved

pytestmark = pytest.mark.database


def solve(city, incident):
    whistles.solve(
        city.session, city.whistle(incident, 1).number, result="已劝离", by=city["leader"], now=city.clock()
    )


def verify(city, incident, by="worker", **said):
    return incidents.verify(city.session, incident.number, passed=True, by=city[by], now=city.clock(), **said)


def call(city, incident, **answer):
    told = {"reached": True, "solved": Solved.YES, "satisfaction": 5} | answer
    return callbacks.callback(
        city.session, incident.number, CallbackAnswer(**told), by=city["callback"], now=city.clock()
    )


def missed(city, incident, **who):
    return call(city, incident, reached=False, solved=None, satisfaction=None, **who)


def waiting(city, incident):
    return [one.phone for one in callbacks.to_call(city.session, incident)]


def joined(city, phones):
    """Return a verified case that these phones reported, one report each, all merged into the first."""
    first, *others = [city.report(reporter_phone=phone) for phone in phones]
    incidents.accept(
        city.session,
        first.number,
        level=WhistleLevel.FIRST,
        reason="由社区办",
        by=city["centre"],
        now=city.clock(),
    )
    for other in others:
        intake.merge(city.session, other.number, master=first.number, by=city["centre"], now=city.clock())
    solve(city, first)
    return verify(city, first)


def reopen(city, incident, by="callback"):
    who = city[by] if isinstance(by, str) else by
    return callbacks.reopen(city.session, incident.number, reason="复发", by=who, now=city.clock())


ONE, TWO, THREE = "13800000001", "13800000002", "13800000003"


@pytest.fixture
def resolved(city):
    incident = city.accepted()
    solve(city, incident)
    return incident


@pytest.fixture
def closed(city, resolved):
    verify(city, resolved)
    return call(city, resolved)


# -- I10: somebody else checks it


@pytest.mark.parametrize("how", [VerifiedHow.EXPERT, VerifiedHow.SURVEY])
def test_the_word_of_experts_and_residents_is_written_down(city, resolved, how):
    with pytest.raises(InvalidInput) as refusal:
        verify(city, resolved, how=how)

    verify(city, resolved, how=how, comment="专家两人现场评估,达标")

    assert refusal.value.facts["field"] == "comment"
    assert resolved.verified_how is how
    step = trace.of_incident(city.session, resolved.id)[-1]
    assert step.payload == {"how": how.value, "comment": "专家两人现场评估,达标"}


def acted(city):
    """Return a case for which departments were called."""
    incident = city.accepted(WhistleLevel.THIRD)
    third = city.whistle(incident, 3)
    draft = Draft(
        reason="街道无执法权", appointed_at=city.clock() + timedelta(hours=1), appointed_place="居委会"
    )
    joint.submit(city.session, third.number, draft, by=city["office"], now=city.clock())
    joint.confirm(city.session, third.number, by=city["town"], now=city.clock())
    return incident


def evidence_of(city, incident):
    return city.session.get_one(Category, incident.category_code).evidence


def test_who_did_a_departments_part_does_not_check_the_case(city):
    worker = city["worker"]
    incident = acted(city)
    parts = city.tasks(incident)
    for code, part in parts.items():
        tasks.respond(
            city.session,
            part.id,
            staff_name="赵某",
            staff_phone="13612345678",
            by=city[code],
            now=city.clock(),
        )
        part.status = "in_action"
    city.session.flush()
    lead, *others = parts.values()
    for part in (*others, lead):
        own = city[part.department.code]
        who = Actor(worker.person_id, "worker", own.role, own.unit, None, own.department_id)
        tasks.complete(
            city.session,
            part.id,
            result="已处理",
            evidence=evidence_of(city, incident),
            by=own if part is lead else who,
            now=city.clock(),
        )
    joint.verify(city.session, city.whistle(incident, 3).number, by=city["office"], now=city.clock())
    assert incident.handler_id == city[lead.department.code].person_id

    with pytest.raises(Forbidden) as refusal:
        verify(city, incident)

    assert refusal.value.code == "own_work"
    offered = {a.action for a in casefile.show_incident(city.session, worker, incident.number).actions}
    assert not offered & {"verify", "rework"}
    assert verify(city, incident, by="office").status is IncidentStatus.VERIFIED


def test_where_nobody_else_could_check_it_the_towns_leader_hears_of_it_and_may(city):
    city.vacate(Role.GRID_WORKER, "990101001001001")
    city.vacate(Role.GRID_LEADER, "990101001001")
    incident = city.accepted()  # climbs to the town, which has one office person
    second = city.whistle(incident, 2).number
    city.session.flush()
    whistles.file(
        city.session,
        second,
        liaison_name="李芳",
        liaison_phone="13912345678",
        by=city["centre"],
        now=city.clock(),
    )
    whistles.assign(
        city.session, second, office="执法办", instruction="处置", by=city["centre"], now=city.clock()
    )
    whistles.solve(city.session, second, result="已劝离", by=city["office"], now=city.clock())

    assert city.told("town")[-1] == "incident.no_verifier"
    assert "incident.no_verifier" in city.told("centre")
    with pytest.raises(Forbidden):
        verify(city, incident, by="office")
    assert verify(city, incident, by="town").status is IncidentStatus.VERIFIED


def test_where_somebody_else_is_there_nobody_is_bothered(city, resolved):
    assert "incident.no_verifier" not in city.told("town") + city.told("centre")


# -- I11: everybody is called


def test_everybody_who_reported_it_is_called_and_each_person_once(city, publish):
    case = joined(city, [ONE, TWO, ONE, THREE, TWO])

    assert waiting(city, case) == [ONE, TWO, THREE]
    call(city, case)
    assert waiting(city, case) == [TWO, THREE]
    call(city, case)
    assert case.status is IncidentStatus.VERIFIED
    call(city, case)
    assert case.status is IncidentStatus.CLOSED
    publish("C5", reports=5, people=3, called=3, lost=0)


def test_any_of_a_persons_reports_names_them(city):
    case = joined(city, [ONE, TWO, ONE])
    rows = city.session.scalars(
        select(Reporter).where(Reporter.phone == ONE).order_by(Reporter.id.desc())
    ).all()

    call(city, case, reporter_id=rows[0].id)

    assert waiting(city, case) == [TWO]
    with pytest.raises(InvalidInput) as refusal:  # who was reached is not called again
        call(city, case, reporter_id=rows[1].id)
    assert refusal.value.code == "no_such_reporter"


def test_a_merged_report_brings_those_that_were_merged_into_it_before(city):
    a, b, c = (city.report(reporter_phone=phone) for phone in (ONE, TWO, THREE))
    said = {"by": city["centre"], "now": city.clock()}
    intake.merge(city.session, b.number, master=c.number, **said)
    intake.merge(city.session, c.number, master=a.number, **said)
    incidents.accept(city.session, a.number, level=WhistleLevel.FIRST, reason="由社区办", **said)
    solve(city, a)

    verify(city, a)

    assert waiting(city, a) == [ONE, TWO, THREE]
    merged = casefile.show_incident(city.session, city["centre"], a.number).merged
    assert [one.number for one in merged] == [b.number, c.number]


def test_a_find_of_the_grid_worker_that_a_caller_joined_is_called_back_about(city):
    found = city.report(by="worker", channel=Channel.GRID_WORKER, reporter_name=None, reporter_phone=None)
    call_in = city.report(reporter_phone=ONE)
    third = city.whistle(found, 3)  # this category begins with the departments: not out yet
    assert third.status is WhistleStatus.DRAFTED

    intake.merge(city.session, call_in.number, master=found.number, by=city["centre"], now=city.clock())

    assert waiting(city, found) == [ONE]


def test_each_of_several_reporters_has_three_tries_on_two_days(city):
    case = joined(city, [ONE, TWO])
    two = callbacks.to_call(city.session, case)[1].id
    for _ in range(3):
        missed(city, case)
    assert waiting(city, case) == [ONE, TWO]
    city.clock.advance(days=1)

    missed(city, case)
    assert waiting(city, case) == [TWO]
    for _ in range(2):
        missed(city, case, reporter_id=two)
    assert case.status is IncidentStatus.VERIFIED
    city.clock.advance(days=1)
    missed(city, case, reporter_id=two)

    assert case.status is IncidentStatus.CLOSED


def test_one_of_many_who_is_not_content_takes_it_up_again_when_all_were_called(city):
    case = joined(city, [ONE, TWO])

    call(city, case, solved=Solved.NO)
    assert case.status is IncidentStatus.VERIFIED
    call(city, case)

    assert (case.status, case.round) == (IncidentStatus.HANDLING, 2)
    solve(city, case)
    verify(city, case)
    assert waiting(city, case) == [ONE, TWO]  # a new round calls everybody again


def test_the_callback_officer_sees_who_waits_and_the_town_does_not(city):
    case = joined(city, [ONE, TWO])

    seen = casefile.show_incident(city.session, city["callback"], case.number)
    assert [one.phone for one in seen.to_call] == [ONE, TWO]
    assert casefile.show_incident(city.session, city["centre"], case.number).to_call == ()
    assert casefile.show_incident(city.session, city["centre"], case.number).reporters == ()


# -- I12: taken up again


@pytest.mark.parametrize("by", ["callback", "hotline"])
def test_a_case_is_taken_up_again_within_fifteen_days(city, closed, by):
    city.clock.advance(days=15)

    reopen(city, closed, by)

    assert closed.round == 2


def test_later_only_those_who_inspect_take_it_up_again(city, closed):
    inspector = Actor(city["platform"].person_id, "督查", Role.GOVERNANCE_CENTRE, "", "990101")
    city.clock.advance(days=16)

    with pytest.raises(Conflict) as refusal:
        reopen(city, closed)
    offered = [
        {a.action for a in casefile.show_incident(city.session, who, closed.number, now=city.clock()).actions}
        for who in (city["callback"], inspector)
    ]
    reopen(city, closed, inspector)

    assert refusal.value.code == "too_late_to_reopen"
    assert ["reopen" in acts for acts in offered] == [False, True]
    assert closed.round == 2


def test_a_citizen_has_only_their_own_report_taken_up_again(city, closed):
    me = Actor(city["worker2"].person_id, "市民", Role.CITIZEN, "", "990101")

    with pytest.raises(Forbidden) as refusal:
        reopen(city, closed, me)
    closed.reported_by_id = me.person_id
    city.session.flush()
    reopen(city, closed, me)

    assert refusal.value.code == "not_your_report"
    assert closed.status is IncidentStatus.HANDLING


def test_a_second_round_has_its_own_limit_and_the_first_due_moment_is_still_judged(city):
    incident = city.accepted()
    first_due = incident.due_at
    city.clock.set(first_due + timedelta(hours=1))
    deadlines.fire_due(city.session, city.clock())
    late_since = incident.first_overdue_at
    solve(city, incident)
    verify(city, incident)

    call(city, incident, solved=Solved.NO)

    assert (incident.round, incident.due_at, incident.first_overdue_at) == (2, first_due, late_since)
    assert late_since == first_due
    rounds = city.session.scalars(
        select(Deadline)
        .where(Deadline.incident_id == incident.id, Deadline.kind == "handle")
        .order_by(Deadline.id)
    ).all()
    assert [(clock.round, clock.outcome and clock.outcome.value) for clock in rounds] == [
        (1, "missed"),
        (2, None),
    ]
    assert rounds[1].due_at > city.clock()
    assert incident.verified_how is None
    city.session.flush()
    assert city.session.scalars(select(Callback.round).where(Callback.incident_id == incident.id)).all() == [
        1
    ]
