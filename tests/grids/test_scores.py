"""One whistle, one assessment: marks of the town and the lead, what the record costs, appeals, on a real PostGIS."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from gis.errors import Conflict, Forbidden, InvalidInput
from grids import casefile, deadlines
from grids.acts import joint, presence, scores, tasks, whistles
from grids.acts.case import Case
from grids.acts.joint import Draft
from grids.acts.ladder import send_task_back
from grids.rules.assessment import PenaltyKind
from grids.rules.permissions import SYSTEM, Role
from grids.rules.tasks import CheckInMethod, TaskRole, TaskStatus
from grids.rules.whistles import WhistleLevel, WhistleType
from grids.tables import Appraisal, Post, Trace

pytestmark = pytest.mark.database

LEAD, OTHER = "SCJG", "CG"


@pytest.fixture
def called(city):
    """A level-3 whistle to a lead and a cooperating department, who meet in three hours."""
    incident = city.accepted(WhistleLevel.SECOND)
    second = city.whistle(incident, 2)
    contact = {"liaison_name": "李芳", "liaison_phone": "13912345678"}
    whistles.file(city.session, second.number, **contact, by=city["centre"], now=city.clock())
    joint.blow(
        city.session,
        incident.number,
        level=WhistleLevel.THIRD,
        draft=Draft(
            type=WhistleType.JOINT_ENFORCEMENT,
            reason="街道无执法权",
            departments=((LEAD, TaskRole.LEAD), (OTHER, TaskRole.COOPERATING)),
            appointed_at=city.clock() + timedelta(hours=3),
            appointed_place="升平巷车库",
            **_extra(),
        ),
        by=city["office"],
        now=city.clock(),
    )
    joint.confirm(city.session, city.whistle(incident, 3).number, by=city["town"], now=city.clock())
    return incident


def _extra():
    """What a draft asks for where the departments are not those of the list."""
    return {"chosen_reason": "只需两个部门"} if "chosen_reason" in Draft.__dataclass_fields__ else {}


def work(city, incident, *, respond_after=0, arrive_after=180):
    """Let both departments do their parts, so many minutes after the call."""
    started = city.clock()
    session = city.session

    def at(minutes):
        city.clock.advance(
            seconds=max(0.0, (started + timedelta(minutes=minutes) - city.clock()).total_seconds())
        )
        deadlines.fire_due(session, city.clock())

    at(respond_after)
    for code, task in city.tasks(incident).items():
        who = {"staff_name": "赵某", "staff_phone": "13612345678"}
        tasks.respond(session, task.id, **who, by=city[code], now=city.clock())
    at(arrive_after)
    for code in (OTHER, LEAD):
        check_in(city, incident, code)
    tasks.start(session, city.tasks(incident)[LEAD].id, by=city[LEAD], now=city.clock())
    for code in (OTHER, LEAD):
        finish(city, incident, code)
    joint.verify(session, city.whistle(incident, 3).number, by=city["office"], now=city.clock())


def check_in(city, incident, code):

    lon, lat = city.centre_of(incident.grid_code)
    how = presence.CheckIn(method=CheckInMethod.GPS, lon=lon, lat=lat, frame="WGS84")
    presence.check_in(city.session, city.tasks(incident)[code].id, how, by=city[code], now=city.clock())


def finish(city, incident, code):
    task = city.tasks(incident)[code]
    tasks.complete(
        city.session,
        task.id,
        result=f"{code} 已处理",
        evidence=casefile.show_task(city.session, city[code], task.id).category.evidence,
        by=city[code],
        now=city.clock(),
    )


def score(city, incident, code, mark, comment=None, by="office"):
    marks = dict.fromkeys(("response", "handling", "result"), mark)
    task = city.tasks(incident)[code]
    return scores.score(city.session, task.id, **marks, comment=comment, by=city[by], now=city.clock())


def result(city, incident, code):
    return city.session.scalars(
        select(Appraisal)
        .where(Appraisal.task_id == city.tasks(incident)[code].id)
        .order_by(Appraisal.version_no.desc())
    ).first()


def test_spotless_work_and_full_marks_make_a_hundred(city, called):
    work(city, called)

    score(city, called, LEAD, 100)

    made = result(city, called, LEAD)
    assert (made.total, made.system, made.town, made.penalties) == (100, 100, 100, [])
    assert city.whistle(called, 3).status == "verified"
    score(city, called, OTHER, 80)
    assert result(city, called, OTHER).total == 88
    assert city.whistle(called, 3).status == "scored"


def test_each_penalty_names_the_steps_that_it_rests_on(city, called):
    work(city, called, respond_after=90, arrive_after=240)

    score(city, called, LEAD, 90)

    made = result(city, called, LEAD)
    assert [(off["kind"], off["points"]) for off in made.penalties] == [
        ("late_response", "10"),
        ("late_arrival", "5"),
    ]
    assert made.total == Decimal("88.00")  # 0.6 * 90 + 0.4 * 85
    rows = {row.seq: row for row in city.session.scalars(select(Trace).where(Trace.incident_id == called.id))}
    first = [rows[seq] for seq in made.penalties[0]["seq"]]
    assert [(step.action, step.payload.get("clock")) for step in first] == [
        ("clock_ran_out", "respond"),
        ("respond", None),
    ]


def test_the_lead_marks_those_who_worked_with_it_and_nobody_else_does(city, called):
    work(city, called)
    task = city.tasks(called)[OTHER]

    def peer(by, mark=60, task=task):
        return scores.score_peer(city.session, task.id, mark=mark, by=city[by], now=city.clock())

    with pytest.raises(Forbidden, match="the lead marks"):
        peer(OTHER)
    with pytest.raises(Forbidden, match="the lead marks"):
        peer(LEAD, task=city.tasks(called)[LEAD])
    with pytest.raises(InvalidInput, match="needs a reason"):
        peer(LEAD, 59)
    peer(LEAD)
    with pytest.raises(Conflict, match="already"):
        peer(LEAD)
    score(city, called, OTHER, 80)

    made = result(city, called, OTHER)
    assert (made.peer, made.total) == (60, Decimal("85.60"))


def test_a_mark_of_the_lead_that_comes_later_makes_a_new_version(city, called):
    work(city, called)
    score(city, called, OTHER, 80)

    scores.score_peer(city.session, city.tasks(called)[OTHER].id, mark=100, by=city[LEAD], now=city.clock())

    versions = city.session.scalars(select(Appraisal).order_by(Appraisal.id)).all()
    assert [(v.version_no, v.total, v.because) for v in versions] == [
        (1, 88, "scored"),
        (2, Decimal("90.40"), "peer"),
    ]


def test_nobody_who_serves_a_department_scores_it(city, called):
    work(city, called)
    office = city["office"]
    task = city.tasks(called)[LEAD]
    city.session.add(
        Post(
            person_id=office.person_id,
            role=Role.DEPARTMENT_DUTY,
            department_id=task.department_id,
            title="兼职",
        )
    )
    city.session.flush()

    with pytest.raises(Forbidden, match="their own department"):
        score(city, called, LEAD, 100)


def test_without_marks_in_time_the_record_alone_counts_and_says_so(city, called):
    work(city, called, respond_after=90)

    city.clock.advance(days=12)
    while deadlines.fire_due(city.session, city.clock()).fired:
        pass

    assert {task.status for task in city.tasks(called).values()} == {TaskStatus.SCORED}
    made = result(city, called, LEAD)
    assert (made.town, made.system, made.total, made.because) == (None, 90, 90, "window_over")
    assert city.whistle(called, 3).status == "scored"
    assert "task.no_marks" in city.told("office")
    with pytest.raises(Conflict):
        score(city, called, LEAD, 100)


def test_whoever_has_still_to_give_marks_does_not_see_those_of_others(city, called):
    work(city, called)
    task = city.tasks(called)[OTHER]
    scores.score_peer(city.session, task.id, mark=100, by=city[LEAD], now=city.clock())

    def seen(by):
        return casefile.show_whistle(city.session, city[by], city.whistle(called, 3).number).marks[task.id]

    assert seen("office").peer is None
    assert seen(OTHER).peer is None
    assert seen(LEAD).peer.mark == 100
    assert seen("auditor").peer.mark == 100
    score(city, called, OTHER, 80)
    assert seen("office").peer.mark == 100
    assert (seen(OTHER).peer.mark, seen(OTHER).score.total) == (100, 80)
    assert seen(LEAD).score is None


@pytest.fixture
def scored(city, called):
    work(city, called, respond_after=90)
    score(city, called, LEAD, 50, "来晚了")
    return called


def appeal(city, incident, grounds="系统故障，已电话响应"):
    task = city.tasks(incident)[LEAD]
    return scores.appeal(city.session, task.id, grounds=grounds, by=city[LEAD], now=city.clock())


def decide(city, incident, **said):
    task = city.tasks(incident)[LEAD]
    told = {"upheld": True, "note": "通话记录属实"} | said
    return scores.decide_appeal(city.session, task.id, **told, by=city["governance"], now=city.clock())


def test_an_upheld_appeal_makes_a_new_version_and_keeps_the_old(city, scored):
    before = result(city, scored, LEAD)
    assert (before.total, before.system) == (66, 90)
    appeal(city, scored)
    assert "task.appealed" in city.told("governance")

    decide(city, scored, waived=[PenaltyKind.LATE_RESPONSE])

    after = result(city, scored, LEAD)
    assert (after.version_no, after.system, after.total, after.because) == (2, 100, 70, "appeal")
    assert [off["waived"] for off in after.penalties] == [True]
    assert before.total == 66
    assert city.outcomes(scored, "appeal_decision") == ["met"]


def test_an_appeal_may_correct_the_marks_and_a_later_version_keeps_what_was_waived(city, scored):
    appeal(city, scored)

    decide(city, scored, marks=(80, 80, 80), waived=[PenaltyKind.LATE_RESPONSE])

    assert result(city, scored, LEAD).total == 88
    versions = [version.total for version in marks(city, scored).versions]
    assert versions == [66, 88]


def marks(city, incident):
    number = city.whistle(incident, 3).number
    return casefile.show_whistle(city.session, city["auditor"], number).marks[city.tasks(incident)[LEAD].id]


def test_a_refused_appeal_changes_nothing_and_there_is_no_second(city, scored):
    appeal(city, scored)

    decide(city, scored, upheld=False)

    assert len(marks(city, scored).versions) == 1
    assert marks(city, scored).appeal.decision == "refused"
    with pytest.raises(Conflict, match="once"):
        appeal(city, scored)
    with pytest.raises(Conflict, match="no appeal"):
        decide(city, scored, upheld=False)


def test_an_appeal_comes_within_five_working_days(city, scored):
    city.clock.advance(days=10)

    with pytest.raises(Conflict, match="until"):
        appeal(city, scored)
    file = casefile.show_incident(city.session, city[LEAD], scored.number, now=city.clock())
    assert "appeal" not in {act.action for act in file.actions}


def test_an_upheld_appeal_has_to_change_something(city, scored):
    appeal(city, scored)

    with pytest.raises(InvalidInput) as refusal:
        decide(city, scored)
    assert refusal.value.code == "nothing_changed"


def test_the_appeal_is_offered_to_its_department_and_the_decision_to_the_governance_centre(city, scored):
    def offered(by):
        found = casefile.show_whistle(city.session, city[by], city.whistle(scored, 3).number).actions
        task = str(city.tasks(scored)[LEAD].id)
        return {act.action for act in found if act.key == task}

    assert "appeal" in offered(LEAD)
    assert "decide_appeal" not in offered("governance")
    appeal(city, scored)
    assert "appeal" not in offered(LEAD)
    assert "decide_appeal" in offered("governance")


def test_an_appeal_lapses_with_its_result_when_the_part_is_worked_on_again(city, scored):
    appeal(city, scored)
    case, whistle, task = Case.of_task(city.session, city.tasks(scored)[LEAD].id, SYSTEM, city.clock())

    send_task_back(case, whistle, task, "复查未过", by=SYSTEM)

    assert marks(city, scored).appeal.decision == "lapsed"
    assert city.outcomes(scored, "appeal_decision") == ["void"]
