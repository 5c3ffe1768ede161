"""A whistle from the community up to the departments, and what they do under it, on a real PostGIS."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from gis.errors import Conflict, Forbidden, InvalidInput
from grids import casefile, deadlines, trace
from grids.acts import callbacks, incidents, joint, presence, scores, tasks, whistles
from grids.acts.callbacks import CallbackAnswer
from grids.acts.joint import Draft
from grids.rules.lifecycle import IncidentStatus
from grids.rules.permissions import Role
from grids.rules.tasks import CheckInMethod, TaskRole, TaskStatus
from grids.rules.whistles import WhistleLevel, WhistleType
from grids.tables import Message, Slip, Solved, Trace

pytestmark = pytest.mark.database


@pytest.fixture
def town_case(city):
    """An incident that the community passed up, filed at the town's centre and given to an office."""
    incident = city.accepted()
    first = city.whistle(incident, 1)
    second = whistles.escalate(
        city.session, first.number, reason="社区管不了", by=city["leader"], now=city.clock()
    )
    whistles.file(
        city.session,
        second.number,
        liaison_name="李芳",
        liaison_phone="13912345678",
        by=city["centre"],
        now=city.clock(),
    )
    whistles.assign(
        city.session,
        second.number,
        office="综合执法办",
        instruction="今天到现场",
        by=city["centre"],
        now=city.clock(),
    )
    return incident


def draft(city, **said):
    told = {
        "type": WhistleType.JOINT_ENFORCEMENT,
        "reason": "街道无执法权",
        "appointed_at": city.clock() + timedelta(hours=9),
        "appointed_place": "升平巷车库",
    } | said
    return Draft(**told)


def whistle_up(city, incident, **said):
    return joint.blow(
        city.session,
        incident.number,
        level=WhistleLevel.THIRD,
        draft=draft(city, **said),
        by=city["office"],
        now=city.clock(),
    )


@pytest.fixture
def issued(city, town_case):
    whistle = whistle_up(city, town_case)
    joint.confirm(city.session, whistle.number, by=city["town"], now=city.clock())
    return town_case


def respond(city, incident, code, **said):
    told = {"staff_name": "赵某", "staff_phone": "13612345678"} | said
    task = city.tasks(incident)[code]
    return tasks.respond(city.session, task.id, **told, by=city[code], now=city.clock())


def check_in(city, incident, code, **how):
    lon, lat = city.centre_of(incident.grid_code)
    told = {"method": CheckInMethod.GPS, "lon": lon, "lat": lat, "frame": "WGS84"} | how
    task = city.tasks(incident)[code]
    return presence.check_in(city.session, task.id, presence.CheckIn(**told), by=city[code], now=city.clock())


def test_the_dual_track_names_a_person_and_files_at_the_centre(city, town_case):
    second = city.whistle(town_case, 2)

    assert (second.status, second.liaison_name, second.office) == ("tasked", "李芳", "综合执法办")
    assert city.outcomes(town_case, "liaison") == ["met"]
    assert city.outcomes(town_case, "assign") == ["met"]
    assert city.told("leader")[-1] == "whistle.liaison"
    assert "whistle.assigned" in city.told("town")


def test_the_town_solves_at_level_two(city, town_case):
    whistles.solve(
        city.session,
        city.whistle(town_case, 2).number,
        result="已取缔",
        by=city["office"],
        now=city.clock(),
    )

    assert town_case.status is IncidentStatus.RESOLVED


def test_a_level_two_whistle_is_not_assigned_before_it_is_filed(city):
    incident = city.accepted(WhistleLevel.SECOND)

    with pytest.raises(Conflict):
        whistles.assign(
            city.session,
            city.whistle(incident, 2).number,
            office="办",
            instruction="去",
            by=city["centre"],
            now=city.clock(),
        )


def test_departments_come_from_the_responsibility_list_with_one_lead(city, town_case):
    whistle = whistle_up(city, town_case)

    assert whistle.departments == [
        {"code": "SCJG", "role": "lead"},
        {"code": "CG", "role": "cooperating"},
        {"code": "STHJ", "role": "cooperating"},
        {"code": "GA", "role": "cooperating"},
    ]
    assert whistle.status == "pending_confirm"
    assert city.told("town")[-1] == "whistle.to_confirm"


def test_until_the_leader_confirms_no_department_hears_anything(city, town_case):
    whistle_up(city, town_case)

    assert [city.told(code) for code in ("SCJG", "CG", "STHJ", "GA")] == [[], [], [], []]
    assert city.tasks(town_case) == {}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"departments": (("CG", TaskRole.LEAD), ("GA", TaskRole.LEAD))}, "one_lead"),
        ({"departments": (("CG", TaskRole.COOPERATING),)}, "one_lead"),
        ({"departments": (("CG", TaskRole.LEAD), ("CG", TaskRole.COOPERATING))}, "one_lead"),
        ({"departments": (("XX", TaskRole.LEAD),)}, "unknown_department"),
        ({"departments": (("TOWN", TaskRole.LEAD),)}, "not_whistled"),
        ({"appointed_place": " "}, "text_needed"),
        ({"appointed_at": None}, "appointment_needed"),
    ],
)
def test_a_bad_draft_is_refused_and_nothing_is_written(city, town_case, said, code):
    steps = city.steps(town_case)

    with pytest.raises(InvalidInput) as refusal, city.session.begin_nested():
        whistle_up(city, town_case, **said)

    assert refusal.value.code == code
    assert city.steps(town_case) == steps
    assert city.whistle(town_case, 3) is None


def test_only_the_main_leader_confirms(city, town_case):
    whistle = whistle_up(city, town_case)

    with pytest.raises(Forbidden):
        joint.confirm(city.session, whistle.number, by=city["office"], now=city.clock())


def test_confirmation_gives_every_department_its_task_at_once(city, issued):
    found = city.tasks(issued)

    assert list(found) == ["SCJG", "CG", "STHJ", "GA"]
    assert [t.role for t in found.values()] == [TaskRole.LEAD] + [TaskRole.COOPERATING] * 3
    assert len({t.letter_number for t in found.values()}) == 4
    assert all(t.response_due_at == city.clock() + timedelta(minutes=30) for t in found.values())
    assert all(t.due_at == issued.due_at for t in found.values())
    assert city.told("SCJG") == ["task.issued"]


def test_issuing_again_changes_nothing(city, issued):
    steps = city.steps(issued)

    joint.issue(city.session, city.whistle(issued, 3).number, by=city["platform"], now=city.clock())

    assert city.steps(issued) == steps
    assert len(city.tasks(issued)) == 4


def test_a_refused_whistle_stays_with_the_town(city, town_case):
    whistle = whistle_up(city, town_case)

    joint.refuse(city.session, whistle.number, reason="先自行处置", by=city["town"], now=city.clock())

    assert city.whistle(town_case, 2).status == "tasked"
    assert whistle.status == "refused"
    again = whistle_up_again(city, town_case)
    assert again.status == "pending_confirm"
    assert again.number != whistle.number


def whistle_up_again(city, incident):
    return whistle_up(city, incident, reason="自行处置无效")


def test_a_response_carries_a_name_and_a_phone(city, issued):
    with pytest.raises(InvalidInput) as refusal:
        respond(city, issued, "CG", staff_phone="12345")
    assert refusal.value.facts["field"] == "staff_phone"

    task = respond(city, issued, "CG")

    assert (task.status, task.staff_name, task.staff_phone) == ("responded", "赵某", "13612345678")
    assert task.arrives_at == city.whistle(issued, 3).appointed_at
    assert city.whistle(issued, 3).status == "in_progress"
    assert "13612345678" not in str([step.payload for step in trace.of_incident(city.session, issued.id)])


def test_nobody_answers_for_another_department(city, issued):
    task = city.tasks(issued)["CG"]
    steps = city.steps(issued)

    with pytest.raises(Exception) as refusal:
        tasks.respond(
            city.session, task.id, staff_name="钱", staff_phone="13612345678", by=city["JJ"], now=city.clock()
        )

    assert refusal.value.code in ("task_not_found", "not_your_department")
    assert city.steps(issued) == steps


def test_a_late_response_is_marked_and_still_taken(city, issued):
    city.clock.advance(minutes=30, seconds=1)
    fired = deadlines.fire_due(city.session, city.clock())

    task = respond(city, issued, "GA")

    assert fired.fired == 4
    assert task.status is TaskStatus.RESPONDED
    assert city.outcomes(issued, "respond") == ["missed"] * 4
    assert city.told("GA") == ["task.issued", "slip.remind", "clock.respond"]
    assert "clock.respond" in city.told("platform")


def test_a_response_at_the_very_due_moment_is_in_time(city, issued):
    city.clock.advance(minutes=30)
    assert deadlines.fire_due(city.session, city.clock()).fired == 0

    respond(city, issued, "SCJG")

    assert city.outcomes(issued, "respond").count("met") == 1


def test_a_check_in_far_away_needs_a_reason_and_is_never_turned_away(city, issued):
    respond(city, issued, "CG")

    with pytest.raises(InvalidInput) as refusal:
        check_in(city, issued, "CG", lon=117.015)
    assert refusal.value.facts["field"] == "reason"
    task = check_in(city, issued, "CG", lon=117.015, reason="道路封闭, 停在路口")

    assert task.status is TaskStatus.CHECKED_IN
    assert task.check_in_distance_m == pytest.approx(901, abs=2)


def test_who_comes_late_is_on_record_by_the_minute(city, issued):
    respond(city, issued, "CG")
    city.clock.advance(hours=9, minutes=20)

    task = check_in(city, issued, "CG")

    assert task.minutes_late == 20
    assert city.outcomes(issued, "check_in")[1] == "missed"


def act(city, incident):
    codes = list(city.tasks(incident))
    for code in codes:
        respond(city, incident, code)
    city.clock.advance(hours=9)
    for code in codes:
        check_in(city, incident, code)
    tasks.start(city.session, city.tasks(incident)["SCJG"].id, by=city["SCJG"], now=city.clock())


def finish(city, incident, code):
    task = city.tasks(incident)[code]
    evidence = casefile.show_task(city.session, city[code], task.id).category.evidence
    return tasks.complete(
        city.session, task.id, result=f"{code} 已处理", evidence=evidence, by=city[code], now=city.clock()
    )


def test_the_lead_starts_for_everyone_who_came_and_completes_last(city, issued):
    act(city, issued)
    assert {task.status for task in city.tasks(issued).values()} == {TaskStatus.IN_ACTION}

    with pytest.raises(Conflict) as refusal:
        finish(city, issued, "SCJG")
    assert refusal.value.facts["departments"] == ["CG", "STHJ", "GA"]
    for code in ("GA", "STHJ", "CG"):
        finish(city, issued, code)
    assert issued.status is IncidentStatus.HANDLING
    finish(city, issued, "SCJG")

    assert issued.status is IncidentStatus.RESOLVED
    assert issued.result == "SCJG 已处理"


@pytest.fixture
def completed(city, issued):
    act(city, issued)
    for code in ("GA", "STHJ", "CG", "SCJG"):
        finish(city, issued, code)
    return issued


def test_the_town_sends_a_part_back_and_the_case_goes_back_to_work(city, completed):
    task = city.tasks(completed)["CG"]

    tasks.rework(city.session, task.id, comment="灶台还在", by=city["office"], now=city.clock())

    assert (task.status, task.rework_count) == (TaskStatus.REWORK, 1)
    assert completed.status is IncidentStatus.HANDLING
    assert city.told("CG")[-1] == "task.rework"
    finish(city, completed, "CG")
    assert completed.status is IncidentStatus.RESOLVED


def test_a_reopened_departments_case_goes_to_the_town_first(city, completed):
    whistle = city.whistle(completed, 3)
    joint.verify(city.session, whistle.number, by=city["office"], now=city.clock())
    incidents.verify(city.session, completed.number, passed=True, by=city["worker"], now=city.clock())
    no = CallbackAnswer(reached=True, solved=Solved.NO, satisfaction=1)

    callbacks.callback(city.session, completed.number, no, by=city["callback"], now=city.clock())

    assert (city.whistle(completed, 2).round, city.whistle(completed, 3).round) == (2, 1)

    # the departments' parts are done: it is the town that is late with the second round
    city.clock.advance(days=20)
    while deadlines.fire_due(city.session, city.clock()).fired:
        pass
    late = select(Slip).where(Slip.incident_id == completed.id, Slip.kind == "supervise", Slip.round == 2)
    assert city.session.scalars(late).first().task_id is None


def test_scores_close_the_whistle_and_a_low_one_needs_a_reason(city, completed):
    whistle = city.whistle(completed, 3)
    joint.verify(city.session, whistle.number, by=city["office"], now=city.clock())

    def score(code, mark, comment=None):
        return scores.score(
            city.session,
            city.tasks(completed)[code].id,
            response=mark,
            handling=mark,
            result=mark,
            comment=comment,
            by=city["office"],
            now=city.clock(),
        )

    with pytest.raises(InvalidInput):
        score("CG", 59)
    assert str(score("CG", 59, "迟到").total) == "59.00"
    for code in ("SCJG", "STHJ", "GA"):
        score(code, 100)

    assert whistle.status == "scored"
    joint.archive(city.session, whistle.number, by=city["centre"], now=city.clock())
    assert whistle.status == "archived"


def test_the_whole_case_leaves_a_history_without_a_gap(city, completed):
    steps = trace.of_incident(city.session, completed.id)

    assert [step.seq for step in steps] == list(range(1, len(steps) + 1))
    assert trace.first_broken(city.session, completed) is None
    steps[7].payload = {"liaison": "别人"}
    assert trace.first_broken(city.session, completed) == 8


def test_an_illegal_act_writes_nothing_at_all(city, issued):
    counts = [city.session.scalar(select(func.count()).select_from(t)) for t in (Trace, Message)]

    with pytest.raises(Conflict):
        finish(city, issued, "SCJG")
    with pytest.raises(Conflict):
        joint.confirm(city.session, city.whistle(issued, 3).number, by=city["town"], now=city.clock())

    assert [city.session.scalar(select(func.count()).select_from(t)) for t in (Trace, Message)] == counts


def test_what_one_may_do_is_what_the_use_cases_take(city, issued):
    number = issued.number

    def acts(login):
        return {
            (a.machine, a.action) for a in casefile.show_incident(city.session, city[login], number).actions
        }

    objections = {
        ("task", "request_return"),
        ("task", "dispute"),
        ("task", "extend"),
        ("incident", "ask_suspension"),
    }
    assert acts("CG") == {("task", "respond")} | objections
    assert acts("town") == set()
    assert acts("auditor") == set()
    respond(city, issued, "CG")
    assert acts("CG") == {("task", "check_in")} | objections
    assert ("task", "check_in") in acts("office")


def test_a_department_without_anyone_on_duty_is_the_platforms_to_chase(city, town_case):
    from grids.tables import Post

    for post in city.session.scalars(select(Post).where(Post.role == Role.DEPARTMENT_DUTY)):
        post.on_duty = False
    city.session.flush()
    whistle = whistle_up(city, town_case)

    joint.confirm(city.session, whistle.number, by=city["town"], now=city.clock())

    assert city.told("platform").count("task.empty_post") == 4
