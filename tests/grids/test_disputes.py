"""Whose duty is it: disputes from the filing to the rule that they leave behind, on a real PostGIS."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from shapely import box
from sqlalchemy import select

from gis.errors import CityError, Conflict, Forbidden, InvalidInput, NotFound
from gis.geometry import to_geojson
from grids import casefile, deadlines, directory, docket, trace
from grids.acts import disputes, intake, joint, presence, tasks, verdicts
from grids.acts.disputes import Filing
from grids.acts.joint import Draft
from grids.acts.verdicts import Settlement
from grids.duty import duties
from grids.duty.decided import Extent
from grids.rules.disputes import BODIES_THAT_SIGN, DISPUTE, DisputeStatus, Ground, GroundKind
from grids.rules.permissions import Actor, Role
from grids.rules.responsibilities import RuleKind
from grids.rules.tasks import LET_GO, CheckInMethod, TaskRole
from grids.rules.whistles import WhistleLevel
from grids.tables import (
    Deadline,
    Dispute,
    DisputeStep,
    DutyBasis,
    Message,
    Person,
    Post,
    Responsibility,
    Task,
)

pytestmark = pytest.mark.database

PARKING = "07-001"
TOWN, OTHER_TOWN, DISTRICT = "990101001", "990101002", "990101"
CELL, ELSEWHERE = "990101001001001", "990101002001001"
LAW = (Ground(GroundKind.POLICY, "会议纪要第3号"), Ground(GroundKind.LAW, "《城市停车条例》第五条"))


def hire(city: Any, login: str, role: Role, *, area: str | None = None, code: str | None = None) -> None:
    """Give the city one more person in a post, where it has nobody of that name."""
    if login in city.people:
        return
    body = directory.department(city.session, DISTRICT, code) if code else None
    person = Person(login=login, name=login)
    city.session.add(person)
    city.session.flush()
    body_id = body.id if body else None
    city.session.add(
        Post(person_id=person.id, role=role, area_code=area, department_id=body_id, title=role.value)
    )
    city.session.flush()
    city.people[login] = Actor(person.id, login, role, body.name if body else area or "", area, body_id)


@pytest.fixture
def county(city: Any) -> Any:
    """The town, with the district's board, its leader and one more department."""
    hire(city, "governance", Role.GOVERNANCE_CENTRE, area=DISTRICT)
    hire(city, "district", Role.DISTRICT_LEADER, area=DISTRICT)
    hire(city, "ZJ", Role.DEPARTMENT_DUTY, code="ZJ")
    return city


def called(city: Any, lead: str = "JJ", *others: str, category: str = PARKING) -> Any:
    """Return an incident for which departments were called; the first leads."""
    incident = city.accepted(WhistleLevel.THIRD, category=category, code=CELL)
    parts = ((lead, TaskRole.LEAD), *((code, TaskRole.COOPERATING) for code in others or ("CG",)))
    whistle = joint.submit(
        city.session,
        city.whistle(incident, 3).number,
        Draft(
            reason="停车场监管主体不明",
            chosen_reason="停车场监管主体不明",
            departments=parts,
            appointed_at=city.clock() + timedelta(hours=3),
            appointed_place="停车场",
        ),
        by=city["office"],
        now=city.clock(),
    )
    joint.confirm(city.session, whistle.number, by=city["town"], now=city.clock())
    return incident


def filed(city: Any, incident: Any, by: str = "JJ", **said: Any) -> Dispute:
    told = {"matter": "停车场由谁监管", "position": "收费停车场不在交警职责内", "basis": "三定方案"} | said
    return disputes.file(city.session, incident.number, Filing(**told), by=city[by], now=city.clock())


def act(city: Any, name: str, dispute: Dispute, by: str, /, *args: Any, **said: Any) -> Dispute:
    """Let somebody take a step of a dispute."""
    module = verdicts if hasattr(verdicts, name) and name in verdicts.__all__ else disputes
    return getattr(module, name)(city.session, dispute.number, *args, **said, by=city[by], now=city.clock())


def settlement(lead: str = "CG", *cooperating: str, **said: Any) -> Settlement:
    return Settlement(**({"lead": lead, "cooperating": cooperating, "grounds": LAW} | said))


def in_coordination(city: Any, dispute: Dispute, lead: str = "CG") -> Dispute:
    return act(city, "coordinate", dispute, "governance", opinion="应由执法局监管", lead=lead)


def met_and_signed(city: Any, dispute: Dispute) -> Dispute:
    act(city, "meet", dispute, "governance", minutes="编办、司法局、政府办到会", lead="CG")
    for body in BODIES_THAT_SIGN:
        act(city, "sign_off", dispute, "governance", party=body, name="签字人")
    return dispute


def clocks(city: Any, incident: Any) -> dict[int, tuple[Any, ...]]:
    """Return every clock of a case but those of its dispute, whole."""
    city.session.flush()
    columns = [column for column in Deadline.__table__.columns if column.name != "id"]
    rows = city.session.execute(
        select(Deadline.id, *columns).where(Deadline.incident_id == incident.id, Deadline.kind != "dispute")
    )
    return {row.id: tuple(str(value) for value in row[1:]) for row in rows}


def leads(city: Any, incident: Any) -> list[str]:
    return [task.department.code for task in held(city, incident).values() if task.role is TaskRole.LEAD]


def held(city: Any, incident: Any) -> dict[str, Task]:
    return {code: task for code, task in city.tasks(incident).items() if task.status not in LET_GO}


# -- filing


def test_a_dispute_marks_every_part_and_stops_no_clock(county):
    incident = called(county)
    before = clocks(county, incident)

    dispute = filed(county, incident, lead="CG")

    assert (dispute.status, dispute.provisional_lead) == ("filed", "JJ")
    assert dispute.parties == ["JJ", "CG", "TOWN"]
    assert dispute.number == "D2026060399010100001"
    assert {task.disputed for task in county.tasks(incident).values()} == {True}
    assert clocks(county, incident) == before
    assert county.clocks(incident)["dispute"] == dispute.stage_due_at
    assert casefile.show_incident(county.session, county["office"], incident.number).standing.dispute
    for login in ("CG", "JJ", "office", "centre", "town", "governance"):
        assert "dispute.filed" in county.told(login), login
    assert "dispute.filed" not in county.told("ZJ")
    why = incident.explanation[-1]
    assert (why["what"], why["because"], why["chose"]) == ("dispute", "filed", "JJ")


def test_a_case_has_one_running_dispute(county):
    incident = called(county)
    first = filed(county, incident)

    with pytest.raises(Conflict) as refusal:
        filed(county, incident, by="CG")

    assert (refusal.value.code, refusal.value.facts["number"]) == ("dispute_running", first.number)


@pytest.mark.parametrize("by", ["JJ", "CG", "office", "centre", "hotline"])
def test_any_called_department_the_town_and_the_hotline_may_file(county, by):
    assert filed(county, called(county), by=by).status is DisputeStatus.FILED


@pytest.mark.parametrize(
    ("by", "kind"),
    [
        ("ZJ", NotFound),
        ("leader", Forbidden),
        ("platform", Forbidden),
        ("auditor", Forbidden),
        ("centre2", NotFound),
    ],
)
def test_nobody_else_may_file(county, by, kind):
    incident = called(county)

    with pytest.raises(kind):
        filed(county, incident, by=by)


def test_before_any_department_is_called_the_town_leads_and_names_whom_it_means(county):
    incident = county.accepted(WhistleLevel.SECOND, category=PARKING)
    with pytest.raises(InvalidInput) as nobody:
        filed(county, incident, by="office")

    dispute = filed(county, incident, by="office", also=("JJ", "CG"))

    assert nobody.value.code == "parties_needed"
    assert (dispute.provisional_lead, dispute.whistle_id) == ("TOWN", None)
    assert dispute.parties == ["JJ", "CG", "TOWN"]


def test_duty_is_disputed_while_a_case_is_handled(county):
    incident = county.report(category=PARKING)

    with pytest.raises(Conflict) as early:
        filed(county, incident, by="hotline")

    assert early.value.code == "not_disputable"


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"matter": " "}, "matter"),
        ({"position": ""}, "position"),
        ({"lead": "XX"}, "lead"),
        ({"also": ("XX",)}, "also"),
    ],
)
def test_a_filing_is_checked_before_anything_is_written(county, said, field):
    incident = called(county)
    steps = incident.trace_seq

    with pytest.raises(InvalidInput) as refusal:
        filed(county, incident, **said)

    assert refusal.value.facts["field"] == field
    assert incident.trace_seq == steps


# -- who sees it


def test_a_department_sees_the_disputes_that_it_is_party_to(county):
    dispute = filed(county, called(county), also=("ZJ",))

    def sees(login: str) -> bool:
        listed = [row.dispute.number for row in docket.find_disputes(county.session, county[login])]
        try:
            docket.show_dispute(county.session, county[login], dispute.number)
        except NotFound:
            assert listed == []
            return False
        assert listed == [dispute.number]
        return True

    seen = {login: sees(login) for login in county.people}

    assert {login for login, may in seen.items() if may} == {
        *("JJ", "CG", "ZJ", "office", "centre", "town", "hotline", "callback"),
        *("platform", "governance", "district", "auditor"),
    }


def test_a_party_without_a_part_speaks_in_it(county):
    dispute = filed(county, called(county), also=("ZJ",))

    act(county, "state_position", dispute, "ZJ", position="规划内车位由住建管理", lead="ZJ")

    file = docket.show_dispute(county.session, county["ZJ"], dispute.number)
    assert file.positions["ZJ"].text == "规划内车位由住建管理"
    assert (file.positions["CG"], file.case_open) == (None, False)
    assert file.stand.views == {"ZJ": "ZJ"}


# -- talk


def test_who_leads_for_now_calls_the_others_together(county):
    dispute = filed(county, called(county))
    with pytest.raises(Forbidden) as other:
        act(county, "negotiate", dispute, "CG", minutes="两家见面")

    act(county, "negotiate", dispute, "JJ", minutes="两家见面,未达成一致")

    assert other.value.code == "lead_convenes"
    assert dispute.status is DisputeStatus.NEGOTIATING
    assert county.outcomes(county.session.get_one(type(called(county)), dispute.incident_id), "dispute") == [
        None
    ]


def test_the_day_for_talk_begins_with_filing(county):
    incident = called(county)
    dispute = filed(county, incident)
    due = dispute.stage_due_at
    county.clock.advance(hours=5)

    act(county, "negotiate", dispute, "JJ", minutes="见面")

    assert county.clocks(incident)["dispute"] == due


def test_departments_settle_it_themselves_when_all_name_the_same_lead(county):
    incident = called(county)
    dispute = filed(county, incident, lead="CG")
    with pytest.raises(Conflict) as differ:
        act(county, "agree", dispute, "JJ", settlement(basis=DutyBasis.AGREED))
    act(county, "state_position", dispute, "CG", position="同意由我局牵头", lead="CG")
    with pytest.raises(Conflict) as another:
        act(county, "agree", dispute, "JJ", settlement("JJ", basis=DutyBasis.AGREED))

    act(county, "agree", dispute, "JJ", settlement("CG", "JJ", basis=DutyBasis.AGREED))

    assert (differ.value.code, another.value.code) == ("positions_differ", "positions_differ")
    assert (dispute.status, dispute.basis) == ("executing", "agreed")
    assert leads(county, incident) == ["CG"]
    assert incident.explanation[-2]["because"] == "agreed"


def test_a_party_that_changes_its_mind_takes_its_word_back(county):
    dispute = filed(county, called(county), lead="CG")
    act(county, "state_position", dispute, "CG", position="同意", lead="CG")
    act(county, "state_position", dispute, "CG", position="经研究,不同意")

    with pytest.raises(Conflict, match="name the same lead"):
        act(county, "agree", dispute, "JJ", settlement())


# -- coordination, meeting, leader


def test_the_establishment_office_may_give_its_opinion_later(county):
    dispute = filed(county, called(county))
    act(county, "coordinate", dispute, "governance")
    with pytest.raises(Conflict) as early:
        act(county, "decide", dispute, "governance", settlement())
    with pytest.raises(InvalidInput):
        act(county, "give_opinion", dispute, "governance", opinion="另议", lead=None)
    act(county, "give_opinion", dispute, "governance", opinion="应由执法局监管", lead="CG")
    with pytest.raises(Conflict) as other:
        act(county, "decide", dispute, "governance", settlement("JJ"))

    act(county, "decide", dispute, "governance", settlement())

    assert (early.value.code, other.value.code) == ("opinion_needed", "opinion_differs")
    assert dispute.status is DisputeStatus.EXECUTING


def test_a_joint_opinion_decides_when_its_bodies_have_signed(county):
    dispute = in_coordination(county, filed(county, called(county)))
    act(county, "meet", dispute, "platform", minutes="三家到会", lead="CG")
    act(county, "sign_off", dispute, "governance", party="bianban", name="甲")
    act(county, "sign_off", dispute, "CG", party="CG", name="乙")
    act(county, "sign_off", dispute, "office", party="TOWN", name="丙")
    with pytest.raises(Conflict) as missing:
        act(county, "decide", dispute, "governance", settlement())
    with pytest.raises(Forbidden) as foreign:
        act(county, "sign_off", dispute, "JJ", party="CG", name="丁")
    with pytest.raises(Conflict) as twice:
        act(county, "sign_off", dispute, "governance", party="bianban", name="甲")
    act(county, "sign_off", dispute, "governance", party="justice", name="戊")
    act(county, "sign_off", dispute, "governance", party="government_office", name="己")

    act(county, "decide", dispute, "governance", settlement())

    assert missing.value.facts["wanted"] == ["justice", "government_office"]
    assert (foreign.value.code, twice.value.code) == ("not_yours_to_sign", "already_signed")
    papers = county.session.scalars(
        select(DisputeStep.kind).where(DisputeStep.dispute_id == dispute.id).order_by(DisputeStep.id)
    ).all()
    assert papers == ["position", "opinion", "meeting", *["sign_off"] * 5]


def to_the_leader(city: Any, incident: Any) -> Dispute:
    dispute = met_and_signed(city, in_coordination(city, filed(city, incident)))
    return act(city, "put_to_leader", dispute, "governance", reason="会商未达成一致")


def test_the_leader_decides_with_one_set_of_minutes(county):
    dispute = to_the_leader(county, called(county))
    with pytest.raises(Forbidden):
        act(county, "decide", dispute, "governance", settlement(minutes="纪要"))
    with pytest.raises(InvalidInput):
        act(county, "decide", dispute, "district", settlement())

    act(county, "decide", dispute, "district", settlement(minutes="由执法局牵头,一次议定"))

    assert "dispute.to_leader" in county.told("district")
    assert dispute.status is DisputeStatus.EXECUTING


def test_the_leader_coordinates_a_case_once(county):
    incident = called(county)
    first = to_the_leader(county, incident)
    act(county, "decide", first, "district", settlement(minutes="由执法局牵头"))
    act(county, "close", first, "governance")
    second = met_and_signed(county, in_coordination(county, filed(county, incident, by="CG")))

    with pytest.raises(Conflict) as refusal:
        act(county, "put_to_leader", second, "governance", reason="再议")

    assert refusal.value.code == "leader_once"
    offered = docket.show_dispute(county.session, county["governance"], second.number).actions
    assert "put_to_leader" not in {one.action for one in offered}


@pytest.mark.parametrize(
    ("others", "category", "refused"),
    [
        (("JJ", "CG"), PARKING, True),
        (("JJ", "CG", "ZJ"), PARKING, True),
        (("JJ", "ZJ"), PARKING, False),
        (("JJ", "CG"), "07-002", False),
    ],
)
def test_nor_does_the_leader_coordinate_the_same_matter_again_on_another_case(
    county, others, category, refused
):
    to_the_leader(county, called(county))
    dispute = filed(county, called(county, *others, category=category))
    met_and_signed(county, in_coordination(county, dispute))

    if refused:
        with pytest.raises(Conflict, match="happens once"):
            act(county, "put_to_leader", dispute, "governance", reason="再议")
    else:
        act(county, "put_to_leader", dispute, "governance", reason="另一事项")
    assert (dispute.status is DisputeStatus.LEADER) is not refused


# -- the decision


def decided(city: Any, incident: Any, what: Settlement) -> Dispute:
    dispute = in_coordination(city, filed(city, incident), lead=what.lead)
    return act(city, "decide", dispute, "governance", what)


def test_a_decision_is_a_rule_of_the_list_from_that_day_on(county):
    incident = called(county)

    dispute = decided(county, incident, settlement("CG", "JJ", basis=DutyBasis.STATUTORY))

    rule = county.session.get_one(Responsibility, dispute.rule_id)
    assert (rule.kind, rule.lead, rule.cooperating) == (RuleKind.DECIDED, "CG", ["JJ"])
    assert (rule.area_code, rule.category_code, rule.basis) == (TOWN, PARKING, "statutory")
    assert (rule.source, rule.effective_from.isoformat()) == (dispute.number, "2026-06-03")
    assert rule.legal_basis.startswith("《城市停车条例》第五条")
    today = rule.effective_from
    duty = duties.duty_for(county.session, PARKING, CELL, on=today)
    assert (duty.lead, duty.rule_id, duty.name) == ("CG", rule.id, dispute.number)
    assert duties.duty_for(county.session, PARKING, ELSEWHERE, on=today).rule_id != rule.id
    assert duties.duty_for(county.session, PARKING, CELL, on=today - timedelta(days=1)).rule_id != rule.id
    later = county.accepted(WhistleLevel.THIRD, category=PARKING, code="990101001002001")
    assert county.whistle(later, 3).departments[0] == {"code": "CG", "role": "lead"}
    why = [one for one in later.explanation if one["what"] == "departments"][-1]
    assert (why["because"], why["facts"]["name"]) == ("decided", dispute.number)


def test_a_decision_may_hold_for_the_whole_district(county):
    dispute = decided(county, called(county), settlement(extent=Extent(area=DISTRICT)))

    for cell in (CELL, ELSEWHERE):
        duty = duties.duty_for(county.session, PARKING, cell, on=dispute.decided_at.date())
        assert duty.rule_id == dispute.rule_id


def polygon(west: float, east: float) -> dict[str, object]:
    return to_geojson(box(west, 36.0, east, 36.02))


def test_a_decision_may_hold_inside_a_polygon_only(county):
    inside, outside = (117.005, 36.01), (117.035, 36.01)

    dispute = decided(county, called(county), settlement(extent=Extent(boundary=polygon(117.0, 117.01))))

    on = dispute.decided_at.date()
    found = [
        duties.duty_for(county.session, PARKING, CELL, on=on, point=at).rule_id for at in (inside, outside)
    ]
    assert found[0] == dispute.rule_id
    assert found[1] != dispute.rule_id


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ({"grounds": ()}, "grounds_needed"),
        ({"grounds": LAW[:1], "basis": DutyBasis.STATUTORY}, "law_needed"),
        ({"basis": DutyBasis.DEFAULT}, "unknown_choice"),
        ({"cooperating": ("CG",)}, "one_lead"),
        ({"cooperating": ("XX",)}, "unknown_department"),
        ({"cooperating": ("TOWN",)}, "not_whistled"),
        ({"extent": Extent(area=OTHER_TOWN)}, "rule_area"),
        ({"extent": Extent(area=CELL)}, "rule_area"),
        ({"extent": Extent(boundary=polygon(117.02, 117.03))}, "rule_misses_case"),
        ({"extent": Extent(boundary=polygon(116.9, 117.01))}, "polygon_outside"),
        ({"extent": Extent(boundary={"type": "Point", "coordinates": [117, 36]})}, "geometry_wrong_type"),
    ],
)
def test_a_decision_that_cannot_stand_writes_nothing(county, what, code):
    incident = called(county)
    dispute = in_coordination(county, filed(county, incident))
    steps, rules = incident.trace_seq, county.session.scalars(select(Responsibility.id)).all()

    with pytest.raises(InvalidInput) as refusal:
        act(county, "decide", dispute, "governance", settlement(**what))

    assert refusal.value.code == code
    assert incident.trace_seq == steps
    assert county.session.scalars(select(Responsibility.id)).all() == rules
    assert dispute.status is DisputeStatus.COORDINATION


def test_the_newest_decision_for_a_place_holds(county):
    town = decided(county, called(county), settlement("CG"))
    again = decided(county, called(county, "CG", "JJ"), settlement("JJ"))
    whole = decided(county, called(county, "JJ", "CG"), settlement("ZJ", extent=Extent(area=DISTRICT)))

    on = whole.decided_at.date()
    duty = duties.duty_for(county.session, PARKING, CELL, on=on)

    assert (duty.lead, duty.rule_id, duty.conflict) == ("ZJ", whole.rule_id, ())
    for older in (town, again):
        assert county.session.get_one(Responsibility, older.rule_id).effective_to == on


# -- the parts change hands


def test_the_parts_change_hands_at_once(county):
    incident = called(county, "JJ", "CG", "GA")
    before = {code: (task.id, task.due_at) for code, task in county.tasks(incident).items()}
    handle = county.clocks(incident)["handle"]

    decided(county, incident, settlement("CG", "ZJ", "GA"))

    now = held(county, incident)
    assert {code: task.role.value for code, task in now.items()} == {
        "CG": "lead",
        "ZJ": "cooperating",
        "GA": "cooperating",
    }
    gone = county.session.get_one(Task, before["JJ"][0])
    assert (gone.status, gone.disputed) == ("withdrawn", False)
    assert {code: (now[code].id, now[code].due_at) for code in ("CG", "GA")} == {
        code: before[code] for code in ("CG", "GA")
    }
    assert not any(task.disputed for task in now.values())
    assert county.clocks(incident)["handle"] == handle
    running = county.session.scalars(
        select(Deadline.id).where(Deadline.task_id == gone.id, Deadline.settled_at.is_(None))
    ).all()
    assert running == []
    assert "task.withdrawn" in county.told("JJ")
    assert "task.leads" in county.told("CG")
    assert "task.issued" in county.told("ZJ")
    assert "dispute.decided" in county.told("ZJ")
    assert trace.first_broken(county.session, incident) is None


def test_being_let_go_does_not_make_good_what_was_late(county):
    incident = called(county)
    dispute = in_coordination(county, filed(county, incident))
    county.clock.advance(hours=2)  # the hour to answer is over, and no sweeper has looked

    act(county, "decide", dispute, "governance", settlement())

    gone = county.session.scalars(
        select(Task).where(Task.incident_id == incident.id, Task.status == "withdrawn")
    ).one()
    ends = dict(
        county.session.execute(
            select(Deadline.kind, Deadline.outcome).where(Deadline.task_id == gone.id)
        ).all()
    )
    assert (ends["respond"], ends["complete"]) == ("missed", "void")


def test_whoever_comes_new_does_not_begin_late(county):
    incident = called(county)
    dispute = in_coordination(county, filed(county, incident), lead="ZJ")
    county.clock.advance(days=30)
    deadlines.fire_due(county.session, county.clock(), limit=1000)
    assert incident.first_overdue_at is not None
    due = incident.due_at

    act(county, "decide", dispute, "governance", settlement("ZJ"))

    task = held(county, incident)["ZJ"]
    fired = deadlines.fire_due(county.session, county.clock() + timedelta(minutes=1))
    assert task.due_at > county.clock()
    assert fired.fired == 0
    assert (incident.due_at, incident.first_overdue_at is None) == (due, False)


def work(city: Any, incident: Any, code: str) -> None:
    task = held(city, incident)[code]
    said = {"by": city[code], "now": city.clock()}
    tasks.respond(city.session, task.id, staff_name="赵某", staff_phone="13612345678", **said)
    presence.check_in(city.session, task.id, presence.CheckIn(CheckInMethod.MANUAL, reason="现场"), **said)
    tasks.start(city.session, task.id, **said)
    tasks.complete(city.session, task.id, result="已完成", **said)


def test_a_department_that_has_done_its_part_and_is_named_alone_ends_the_case(county):
    incident = called(county)
    dispute = in_coordination(county, filed(county, incident))
    work(county, incident, "CG")

    act(county, "decide", dispute, "governance", settlement("CG"))

    assert incident.status == "resolved"
    assert leads(county, incident) == ["CG"]
    assert county.outcomes(incident, "handle")[0] == "met"


def test_a_decision_that_confirms_who_leads_changes_no_part(county):
    incident = called(county)
    before = clocks(county, incident)

    dispute = decided(county, incident, settlement("JJ", "CG"))

    assert clocks(county, incident) == before
    assert "whistle.change_departments" not in county.steps(incident)
    assert dispute.status is DisputeStatus.EXECUTING


def test_a_decision_before_anybody_is_called_names_them_in_the_draft(county):
    incident = county.accepted(WhistleLevel.THIRD, category=PARKING)
    dispute = filed(county, incident, by="office", also=("CG", "JJ"))
    in_coordination(county, dispute)

    act(county, "decide", dispute, "governance", settlement("CG", "ZJ"))

    assert county.whistle(incident, 3).departments == [
        {"code": "CG", "role": "lead"},
        {"code": "ZJ", "role": "cooperating"},
    ]


# -- after it


def test_a_refusal_is_on_record_for_accountability_and_changes_nothing(county):
    incident = called(county)
    dispute = decided(county, incident, settlement("CG"))
    before = clocks(county, incident)
    with pytest.raises(Forbidden):
        act(county, "refuse", dispute, "JJ", reason="与我无关")

    act(county, "refuse", dispute, "CG", reason="人手不足")

    assert clocks(county, incident) == before
    assert dispute.status is DisputeStatus.EXECUTING
    assert "dispute.refused" in county.told("governance")
    assert "dispute.refused" in county.told("district")
    act(county, "close", dispute, "governance", note="已谈话,开始执行")
    assert county.outcomes(incident, "dispute")[-1] == "met"


def test_who_filed_takes_it_back(county):
    incident = called(county)
    dispute = filed(county, incident)
    with pytest.raises(Forbidden):
        act(county, "withdraw", dispute, "CG", reason="算了")

    act(county, "withdraw", dispute, "JJ", reason="已说清")

    assert dispute.ended_at is not None
    assert not any(task.disputed for task in county.tasks(incident).values())
    assert county.outcomes(incident, "dispute") == ["void"]
    assert filed(county, incident, by="CG").number != dispute.number


@pytest.mark.parametrize(
    ("far", "ends"),
    [("talk", "withdrawn"), ("rest", "withdrawn"), ("leader", "withdrawn"), ("decided", "closed")],
)
def test_a_case_that_ends_takes_its_dispute_with_it_however_far_that_has_come(county, far, ends):
    incident = county.accepted(WhistleLevel.SECOND, category=PARKING)
    dispute = filed(county, incident, by="office", also=("JJ", "CG"))
    if far != "talk":
        in_coordination(county, dispute)
    if far == "rest":
        until = county.clock() + timedelta(days=2)
        act(county, "suspend", dispute, "governance", reason="等省里批复", until=until)
    if far in ("leader", "decided"):
        met_and_signed(county, dispute)
    if far == "leader":
        act(county, "put_to_leader", dispute, "governance", reason="会商未达成一致")
    if far == "decided":
        act(county, "decide", dispute, "governance", settlement())

    intake.cancel(
        county.session, incident.number, reason="来电人撤回", by=county["centre"], now=county.clock()
    )

    assert dispute.status == ends
    running = select(Deadline.kind).where(Deadline.incident_id == incident.id, Deadline.settled_at.is_(None))
    assert not county.session.scalars(running).all()


def test_a_rest_is_of_the_coordination_alone_and_ends_by_itself(county):
    incident = called(county)
    dispute = filed(county, incident)
    before = clocks(county, incident)
    until = county.clock() + timedelta(days=2)
    for wrong in (county.clock(), county.clock() + timedelta(days=40)):
        with pytest.raises(InvalidInput):
            act(county, "suspend", dispute, "governance", reason="等省里批复", until=wrong)

    act(county, "suspend", dispute, "governance", reason="等省里批复", until=until)

    assert clocks(county, incident) == before
    assert all(task.disputed for task in county.tasks(incident).values())
    started = dispute.counted_from
    county.clock.set(until + timedelta(minutes=1))
    deadlines.fire_due(county.session, county.clock(), limit=1000)
    assert dispute.status is DisputeStatus.COORDINATION
    assert dispute.counted_from - started == county.clock() - (until - timedelta(days=2))
    assert "dispute.resumed" in county.told("JJ")


def test_those_above_hear_of_a_stage_that_takes_too_long(county):
    incident = called(county)
    dispute = filed(county, incident)

    county.clock.set(dispute.stage_due_at + timedelta(minutes=1))
    deadlines.fire_due(county.session, county.clock(), limit=1000)
    assert "dispute.overdue" in county.told("CG")
    assert "clock.dispute" in county.told("governance")
    assert "dispute.overdue" not in county.told("district")
    met_and_signed(county, in_coordination(county, dispute))
    assert dispute.stage_due_at > county.clock()
    county.clock.set(dispute.stage_due_at + timedelta(minutes=1))
    deadlines.fire_due(county.session, county.clock(), limit=1000)

    assert "dispute.overdue" in county.told("district")
    assert county.outcomes(incident, "dispute") == ["missed", "met", "missed"]


def test_a_joint_meeting_ends_five_working_days_after_filing_whatever_came_before(county):
    dispute = filed(county, called(county))
    county.clock.advance(days=2)

    met_and_signed(county, in_coordination(county, dispute))

    assert dispute.stage_due_at.isoformat() == "2026-06-10T09:30:00+00:00"  # filed on a Wednesday


# -- T3: nobody disputes a duty to stop a clock

ACTS: dict[str, Any] = {
    "state_position": lambda chance: {"position": "不是我局", "lead": chance.choice(["CG", "JJ", None])},
    "negotiate": lambda _: {"minutes": "见面"},
    "coordinate": lambda chance: chance.choice([{}, {"opinion": "意见", "lead": "CG"}]),
    "give_opinion": lambda _: {"opinion": "意见", "lead": "CG"},
    "meet": lambda _: {"minutes": "会议"},
    "put_to_leader": lambda _: {"reason": "议而未决"},
    "refuse": lambda _: {"reason": "不办"},
    "close": lambda _: {},
    "withdraw": lambda _: {"reason": "撤回"},
    "resume": lambda _: {},
}
DECIDES = {"agree", "decide"}


def a_step(city: Any, chance: random.Random, dispute: Dispute) -> str | None:
    """Let somebody take a step that they are offered, or try one that they are not."""
    everybody = sorted(city.people)
    offered = [(login, one.action) for login in everybody for one in _offered(city, login, dispute)]
    if chance.random() < 0.2 or not offered:
        login = chance.choice(everybody)
        action = chance.choice(sorted({row.action for row in DISPUTE.transitions} - {"file", "execute"}))
        if (login, action) not in offered:
            before = city.session.get_one(type(dispute), dispute.id).status
            with pytest.raises(CityError), city.session.begin_nested():
                _do(city, chance, dispute, login, action)
            assert dispute.status == before
            return None
        return _do(city, chance, dispute, login, action)
    verbs = sorted({action for _, action in offered})
    weights = [1 if verb in ("withdraw", "suspend") else 4 for verb in verbs]
    (verb,) = chance.choices(verbs, weights)
    login = chance.choice([login for login, action in offered if action == verb])
    return _do(city, chance, dispute, login, verb)


def _offered(city: Any, login: str, dispute: Dispute) -> tuple[Any, ...]:
    try:
        return docket.show_dispute(city.session, city[login], dispute.number).actions
    except NotFound:
        return ()


def _do(city: Any, chance: random.Random, dispute: Dispute, login: str, action: str) -> str:
    if action == "sign_off":
        try:
            mine = docket.show_dispute(city.session, city[login], dispute.number).signs_for
        except NotFound:
            mine = ()
        act(city, action, dispute, login, party=chance.choice(mine or ("bianban",)), name="某")
    elif action == "suspend":
        until = city.clock() + timedelta(days=chance.randint(1, 9))
        act(city, action, dispute, login, reason="等批复", until=until)
    elif action in DECIDES:
        stand = docket.stand_of(city.session, dispute)
        free = chance.choice(["CG", "JJ", "ZJ"])
        lead = {"agree": stand.agreed}.get(action) or (
            stand.opinion if dispute.status is DisputeStatus.COORDINATION else free
        )
        others = [code for code in ("CG", "JJ", "GA", "ZJ") if code != lead and chance.random() < 0.4]
        act(city, action, dispute, login, settlement(lead or free, *others, minutes="纪要"))
    else:
        act(city, action, dispute, login, **ACTS[action](chance))
    return action


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=[pytest.mark.soak] if seed >= 10 else []) for seed in range(24)]
)
def test_no_step_of_a_dispute_touches_a_clock_of_the_case(county, seed):
    chance = random.Random(seed)
    city = county
    incident = called(city, "JJ", "CG", *(["GA"] if chance.random() < 0.5 else []))
    if chance.random() < 0.3:
        work(city, incident, "CG")
    of_handling = select(Deadline.id, Deadline.due_at).where(
        Deadline.incident_id == incident.id, Deadline.kind == "handle"
    )
    handle = city.session.execute(of_handling).all()
    before = clocks(city, incident)
    dispute = filed(city, incident, by=chance.choice(["JJ", "CG", "office", "hotline"]))
    assert clocks(city, incident) == before
    taken: list[str] = []
    for _ in range(25):
        if dispute.status in (DisputeStatus.CLOSED, DisputeStatus.WITHDRAWN):
            break
        city.clock.advance(minutes=chance.choice([1, 30, 240, 1500]))
        if chance.random() < 0.3:
            deadlines.fire_due(city.session, city.clock(), limit=1000)
        before, parts = clocks(city, incident), set(held(city, incident))
        step = a_step(city, chance, dispute)
        after = clocks(city, incident)
        if step in DECIDES:
            taken.append(step)
            changed = {row for row in after if before.get(row) != after[row]}
            owners = set(city.session.scalars(select(Deadline.task_id).where(Deadline.id.in_(changed))))
            stayed = {task.id for code, task in held(city, incident).items() if code in parts}
            if incident.status == "handling":
                assert not owners & {None, *stayed}, "only who goes and who comes has clocks to change"
        else:
            assert after == before, step
        assert len(leads(city, incident)) == 1
    rows = dict(city.session.execute(of_handling).all())
    assert all(rows[number] == due for number, due in handle)
    assert trace.first_broken(city.session, incident) is None
    assert not [row for row in city.session.scalars(select(Message)) if "13612345678" in str(row.facts)]


def test_a_dispute_ends_with_the_case_that_is_called_off(city):
    incident = city.accepted(WhistleLevel.SECOND, category=PARKING)
    said = {"by": city["office"], "now": city.clock()}
    filed = disputes.file(city.session, incident.number, Filing("谁管", "不归街道", also=("CG",)), **said)

    intake.cancel(city.session, incident.number, reason="误报", by=city["centre"], now=city.clock())

    assert (filed.status, filed.ended_at) == (DisputeStatus.WITHDRAWN, city.clock())
    assert city.clocks(incident) == {}
