"""What happens when work comes back: a part, a whole whistle, a second round; and whom one then offers what."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from gis.errors import Conflict
from grids import casefile, deadlines, register
from grids.acts import callbacks, incidents, joint, presence, scores, tasks, whistles
from grids.acts.callbacks import CallbackAnswer
from grids.acts.joint import Draft
from grids.rules.grading import Grade
from grids.rules.lifecycle import IncidentStatus
from grids.rules.tasks import CheckInMethod, TaskRole, TaskStatus
from grids.rules.whistles import WhistleLevel, WhistleStatus
from grids.tables import Placement, Score, Solved

pytestmark = pytest.mark.database

LEAD, OTHER = "SCJG", "CG"
PARTS = ((LEAD, TaskRole.LEAD), (OTHER, TaskRole.COOPERATING))


def call_departments(city, incident, **said):
    told = {
        "reason": "街道无执法权",
        "departments": PARTS,
        "appointed_at": city.clock() + timedelta(hours=2),
        "appointed_place": "居委会",
    } | said
    whistle = joint.blow(
        city.session,
        incident.number,
        level=WhistleLevel.THIRD,
        draft=Draft(**told),
        by=city["office"],
        now=city.clock(),
    )
    return joint.confirm(city.session, whistle.number, by=city["town"], now=city.clock())


def finish(city, incident, code):
    task = city.tasks(incident)[code]
    evidence = casefile.show_task(city.session, city[code], task.id).category.evidence
    return tasks.complete(
        city.session, task.id, result="已处理", evidence=evidence, by=city[code], now=city.clock()
    )


def come_and_work(city, incident):
    for code, task in city.tasks(incident).items():
        said = {"by": city[code], "now": city.clock()}
        tasks.respond(city.session, task.id, staff_name="赵某", staff_phone="13612345678", **said)
        how = presence.CheckIn(CheckInMethod.MANUAL, reason="手机没电")
        presence.check_in(city.session, task.id, how, **said)
    tasks.start(city.session, city.tasks(incident)[LEAD].id, by=city[LEAD], now=city.clock())


def score(city, incident, code, mark=90):
    marks = dict.fromkeys(("response", "handling", "result"), mark)
    task = city.tasks(incident)[code]
    return scores.score(city.session, task.id, **marks, by=city["office"], now=city.clock())


def send_back(city, incident, code, by="office"):
    task = city.tasks(incident)[code]
    return tasks.rework(city.session, task.id, comment="灶台还在", by=city[by], now=city.clock())


def accept_parts(city, incident):
    whistle = city.whistle(incident, 3)
    return joint.verify(city.session, whistle.number, by=city["office"], now=city.clock())


def check(city, incident, *, passed=True):
    comment = None if passed else "又摆出来了"
    return incidents.verify(
        city.session, incident.number, passed=passed, comment=comment, by=city["worker"], now=city.clock()
    )


def call(city, incident, **said):
    answer = CallbackAnswer(**({"reached": True, "solved": Solved.YES, "satisfaction": 5} | said))
    return callbacks.callback(city.session, incident.number, answer, by=city["callback"], now=city.clock())


def acts(city, login, incident):
    file = casefile.show_incident(city.session, city[login], incident.number)
    return {(act.machine, act.action) for act in file.actions}


@pytest.fixture
def issued(city):
    incident = city.accepted(WhistleLevel.THIRD)
    call_departments(city, incident)
    return incident


@pytest.fixture
def done(city, issued):
    """Both departments have reported their parts as done, and the incident is resolved."""
    come_and_work(city, issued)
    finish(city, issued, OTHER)
    finish(city, issued, LEAD)
    return issued


def test_a_part_that_fails_after_the_whistle_was_verified_takes_the_whistle_back_with_it(city, done):
    accept_parts(city, done)

    send_back(city, done, OTHER)

    assert city.whistle(done, 3).status is WhistleStatus.IN_PROGRESS
    finish(city, done, OTHER)
    assert done.status is IncidentStatus.RESOLVED
    with pytest.raises(Conflict, match="verify the whistle"):
        check(city, done)
    accept_parts(city, done)
    assert {task.status for task in city.tasks(done).values()} == {TaskStatus.ACCEPTED_OK}


def test_a_part_that_is_scored_does_not_keep_the_town_from_accepting_the_rest(city, done):
    accept_parts(city, done)
    score(city, done, LEAD)
    send_back(city, done, OTHER)
    finish(city, done, OTHER)

    accept_parts(city, done)

    score(city, done, OTHER)
    assert city.whistle(done, 3).status is WhistleStatus.SCORED


@pytest.mark.parametrize("put_away", [False, True])
def test_work_that_fails_its_check_after_all_scores_goes_back_to_everyone_and_is_scored_anew(
    city, done, put_away
):
    accept_parts(city, done)
    for code in (LEAD, OTHER):
        score(city, done, code)
    if put_away:
        joint.archive(city.session, city.whistle(done, 3).number, by=city["centre"], now=city.clock())

    check(city, done, passed=False)

    assert city.whistle(done, 3).status is WhistleStatus.IN_PROGRESS
    assert {task.status for task in city.tasks(done).values()} == {TaskStatus.REWORK}
    for code in (OTHER, LEAD):
        finish(city, done, code)
    accept_parts(city, done)
    score(city, done, LEAD, 70)
    rows = city.session.scalars(select(Score).where(Score.task_id == city.tasks(done)[LEAD].id))
    assert sorted((row.version_no, row.result) for row in rows) == [(1, 90), (2, 70)]


def test_the_towns_centre_may_send_a_part_of_a_resolved_case_back(city, done):
    assert ("task", "rework") in acts(city, "centre", done)

    send_back(city, done, OTHER, by="centre")

    assert done.status is IncidentStatus.HANDLING


def test_a_part_of_a_closed_case_is_not_sent_back_behind_its_back(city, done):
    accept_parts(city, done)
    check(city, done)
    call(city, done)
    assert ("task", "rework") not in acts(city, "office", done)
    steps = city.steps(done)

    with pytest.raises(Conflict) as refusal:
        send_back(city, done, OTHER)

    assert refusal.value.code == "illegal_transition"
    assert city.steps(done) == steps


def test_a_part_of_the_first_round_is_not_worked_on_in_the_second(city, done):
    accept_parts(city, done)
    check(city, done)
    call(city, done, solved=Solved.NO)
    assert done.round == 2
    assert ("task", "rework") not in acts(city, "office", done)

    with pytest.raises(Conflict) as refusal:
        send_back(city, done, OTHER)

    assert refusal.value.code == "illegal_transition"
    assert set(city.clocks(done)) == {"handle", "liaison", "file", "score", "appraisal"}


def test_the_incident_is_verified_after_its_parts_were_accepted_and_not_by_who_solved_it(city, done):
    assert ("incident", "verify") not in acts(city, "office", done)
    assert ("incident", "rework") in acts(city, "office", done)
    accept_parts(city, done)

    assert ("incident", "verify") in acts(city, "office", done)
    done.handler_id = city["office"].person_id
    assert acts(city, "office", done).isdisjoint({("incident", "verify"), ("incident", "rework")})


def test_the_list_of_tasks_offers_the_lead_to_complete_when_it_may(city, issued):
    come_and_work(city, issued)

    def offered():
        rows = register.find_tasks(city.session, city[LEAD])
        return [act.action for row in rows for act in row.actions if act.machine == "task"]

    assert offered() == ["dispute", "extend"]
    finish(city, issued, OTHER)
    assert offered() == ["dispute", "complete", "extend"]


def test_a_department_that_has_five_minutes_has_them_whole(city):
    incident = city.accepted(WhistleLevel.THIRD)
    incident.limits = {**incident.limits, "response_minutes": 5}
    call_departments(city, incident)

    assert city.tasks(incident)[LEAD].response_due_at == city.clock() + timedelta(minutes=5)


def solve_first(city, incident):
    number = city.whistle(incident, 1).number
    return whistles.solve(city.session, number, result="已劝离", by=city["leader"], now=city.clock())


@pytest.fixture
def second_round(city):
    """A case that was handled in time, closed, and taken up again after a dissatisfied call two days later."""
    incident = city.accepted()
    solve_first(city, incident)
    check(city, incident)
    city.clock.advance(days=2)
    call(city, incident, solved=Solved.NO)
    return incident


def test_work_sent_back_in_the_second_round_has_the_second_rounds_limit(city, second_round):
    due = city.clocks(second_round)["handle"]
    solve_first(city, second_round)

    check(city, second_round, passed=False)

    assert city.clocks(second_round) == {"handle": due}
    city.clock.advance(seconds=1)
    deadlines.fire_due(city.session, city.clock())
    assert second_round.first_overdue_at is None


def test_the_town_gives_an_office_the_time_that_the_second_round_has(city, second_round):
    due = city.clocks(second_round)["handle"]
    number = city.whistle(second_round, 1).number
    second = whistles.escalate(city.session, number, reason="社区管不了", by=city["leader"], now=city.clock())
    by_centre = {"by": city["centre"], "now": city.clock()}
    whistles.file(city.session, second.number, liaison_name="李芳", liaison_phone="13912345678", **by_centre)

    whistles.assign(city.session, second.number, office="执法办", instruction="去现场", **by_centre)

    assert second.due_at == due
    third = call_departments(city, second_round)
    assert third.due_at == due


def test_departments_called_after_the_due_moment_get_the_shorter_of_its_limits_anew(city):
    incident = city.report(category="01-001")
    incidents.accept(
        city.session,
        incident.number,
        grade=Grade.RED,
        reason="有人被困",
        by=city["centre"],
        now=city.clock(),
    )
    city.clock.advance(days=2)

    third = call_departments(city, incident)

    assert third.due_at <= city.clock() + timedelta(hours=24)


def test_a_case_resolved_late_is_overdue_though_no_worker_had_looked(city):
    incident = city.accepted()
    city.clock.advance(hours=24, seconds=1)

    solve_first(city, incident)

    assert city.outcomes(incident, "handle") == ["missed"]
    assert incident.first_overdue_at == incident.due_at


def test_a_part_done_late_is_overdue_though_no_worker_had_looked(city, issued):
    come_and_work(city, issued)
    city.clock.advance(days=3)

    finish(city, issued, OTHER)

    task = city.tasks(issued)[OTHER]
    assert task.first_overdue_at == task.due_at


def test_what_arrived_in_time_is_in_time_though_a_worker_was_first_at_the_lock(city):
    incident = city.accepted()
    city.clock.set(incident.due_at)
    deadlines.fire_due(city.session, incident.due_at + timedelta(seconds=1))
    assert incident.first_overdue_at is not None

    solve_first(city, incident)

    assert city.outcomes(incident, "handle") == ["met"]
    assert incident.first_overdue_at is None


def test_a_grid_worker_accepts_finds_of_their_own_cell_and_reports_those_of_others(city):
    own = city.report(by="worker", category="02-001")
    elsewhere = city.report(by="worker", category="02-001", code="990101002001001")

    assert own.status is IncidentStatus.HANDLING
    assert elsewhere.status is IncidentStatus.REPORTED
    assert city.told("centre2") == ["incident.reported"]


@pytest.mark.parametrize(
    ("lacking", "code"),
    [({"category_code": None}, "category_needed"), ({"placement": Placement.OUTSIDE}, "not_placed")],
)
def test_a_case_of_another_system_that_could_never_be_closed_again_is_not_reopened(city, lacking, code):
    incident = city.report()
    incident.status = IncidentStatus.CLOSED  # as imported: its steps are not ours
    for name, value in lacking.items():
        setattr(incident, name, value)
    city.session.flush()
    assert ("incident", "reopen") not in acts(city, "hotline", incident)

    with pytest.raises(Conflict) as refusal:
        callbacks.reopen(city.session, incident.number, reason="复发", by=city["hotline"], now=city.clock())

    assert refusal.value.code == code
