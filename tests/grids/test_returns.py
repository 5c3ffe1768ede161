"""Tasks that departments send back: in time and with a text, decided by somebody else, handed on only so often."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from gis.errors import Conflict, Forbidden, InvalidInput
from grids import casefile, deadlines
from grids.acts import joint, returns, tasks, whistles
from grids.acts.joint import Draft
from grids.acts.ladder import tasks_of
from grids.acts.returns import Verdict
from grids.rules.pauses import Decision
from grids.rules.returns import ReturnReason
from grids.rules.tasks import LET_GO, TaskRole, TaskStatus
from grids.rules.whistles import WhistleLevel
from grids.tables import Dispute, ReturnRequest

pytestmark = pytest.mark.database

CALLED = (("SCJG", TaskRole.LEAD), ("CG", TaskRole.COOPERATING))


@pytest.fixture
def issued(city):
    """A whistle under which the market office leads and urban management helps, both called just now."""
    incident = city.accepted(WhistleLevel.SECOND)
    second = city.whistle(incident, 2)
    whistles.file(city.session, second.number, by=city["centre"], now=city.clock())
    whistle = joint.blow(
        city.session,
        incident.number,
        level=WhistleLevel.THIRD,
        draft=Draft(
            reason="街道无执法权",
            departments=CALLED,
            appointed_at=city.clock() + timedelta(hours=9),
            appointed_place="居委会",
        ),
        by=city["office"],
        now=city.clock(),
    )
    joint.confirm(city.session, whistle.number, by=city["town"], now=city.clock())
    return incident


def held(city, incident):
    """Return the tasks that somebody still owes, by department, with their roles."""
    whistle = city.whistle(incident, 3)
    rows = tasks_of(city.session, whistle.id)
    return {task.department.code: task.role.value for task in rows if task.status not in LET_GO}


def task_of(city, incident, code):
    rows = [t for t in tasks_of(city.session, city.whistle(incident, 3).id) if t.department.code == code]
    return rows[-1]


def respond(city, incident, code):
    told = {"staff_name": "赵某", "staff_phone": "13612345678"}
    return tasks.respond(
        city.session, task_of(city, incident, code).id, **told, by=city[code], now=city.clock()
    )


def ask(city, incident, code, **said):
    told = {"reason": ReturnReason.NOT_OUR_DUTY, "legal_basis": "三定规定第五条"} | said
    task = task_of(city, incident, code)
    return returns.request_return(city.session, task.id, **told, by=city[code], now=city.clock())


def decide(city, incident, code, granted=True, login="platform", **said):
    verdict = Verdict(granted, said.pop("note", "经查属实"), **said)
    task = task_of(city, incident, code)
    return returns.decide(city.session, task.id, verdict, by=city[login], now=city.clock())


# -- asking


def test_a_return_waits_for_a_decision_while_every_clock_runs_on(city, issued):
    before = city.clocks(issued)

    request = ask(city, issued, "CG", suggested="JJ")

    assert task_of(city, issued, "CG").status is TaskStatus.RETURN_REQUESTED
    assert (request.decision, request.suggested) == (Decision.ASKED, "JJ")
    assert city.clocks(issued) == before | {"return_decision": city.clock() + timedelta(hours=5, minutes=30)}
    assert city.told("centre")[-1] == city.told("platform")[-1] == "task.return_requested"


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({"legal_basis": "  "}, "text_needed", "legal_basis"),
        ({"suggested": "XX"}, "unknown_department", "suggested"),
        ({"suggested": "TOWN"}, "not_whistled", "suggested"),
        ({"suggested": "CG"}, "already_called", "suggested"),
    ],
)
def test_a_return_names_its_text_and_somebody_who_can_be_called(city, issued, said, code, field):
    with pytest.raises(InvalidInput) as refusal:
        ask(city, issued, "CG", **said)

    assert refusal.value.code == code
    assert task_of(city, issued, "CG").status is TaskStatus.PENDING_RESPONSE


def test_a_late_return_is_refused_by_itself(city, issued):
    respond(city, issued, "CG")
    city.clock.advance(days=2)

    request = ask(city, issued, "CG")

    assert (request.decision, request.decided_at, request.decided_by_id) == (
        Decision.REFUSED,
        city.clock(),
        None,
    )
    assert task_of(city, issued, "CG").status is TaskStatus.RESPONDED
    assert "return_decision" not in city.clocks(issued)
    assert city.told("CG")[-1] == "task.return_too_late"
    assert city.steps(issued)[-2:] == ["task.request_return", "task.send_back_responded"]


def test_a_return_at_the_very_end_of_its_time_is_in_time(city, issued):
    last = ask(city, issued, "SCJG").due_at
    decide(city, issued, "SCJG", granted=False)
    city.clock.set(last)

    assert ask(city, issued, "CG").decision is Decision.ASKED


def test_nobody_sends_back_what_is_another_departments(city, issued):
    task = task_of(city, issued, "CG")

    with pytest.raises(Exception) as refusal:
        returns.request_return(
            city.session,
            task.id,
            reason=ReturnReason.WRONG_AREA,
            legal_basis="x",
            by=city["SCJG"],
            now=city.clock(),
        )

    assert refusal.value.code in ("task_not_found", "not_your_department")


def test_who_does_not_decide_in_time_is_told_above(city, issued):
    ask(city, issued, "CG")
    city.clock.advance(days=1)

    deadlines.fire_due(city.session, city.clock())

    assert city.outcomes(issued, "return_decision") == ["missed"]
    assert "clock.return_decision" in city.told("town")


# -- deciding


@pytest.mark.parametrize("answered", [True, False])
def test_a_refused_return_stands_where_it_stood(city, issued, answered):
    if answered:
        respond(city, issued, "CG")
    ask(city, issued, "CG")

    request = decide(city, issued, "CG", granted=False, note="属本单位职责")

    expected = TaskStatus.RESPONDED if answered else TaskStatus.PENDING_RESPONSE
    assert task_of(city, issued, "CG").status is expected
    assert (request.decision, request.decision_note) == (Decision.REFUSED, "属本单位职责")
    assert city.outcomes(issued, "return_decision") == ["met"]
    assert city.told("CG")[-1] == "task.return_refused"


def test_a_refused_return_does_not_excuse_the_late_answer(city, issued):
    ask(city, issued, "CG")
    city.clock.advance(hours=1)
    deadlines.fire_due(city.session, city.clock())

    decide(city, issued, "CG", granted=False)
    respond(city, issued, "CG")

    assert "missed" in city.outcomes(issued, "respond")


def test_a_granted_return_goes_to_the_department_whose_duty_it_is(city, issued):
    whistle = city.whistle(issued, 3)
    due = (issued.due_at, whistle.due_at, whistle.appointed_at)
    ask(city, issued, "CG", suggested="JJ")
    city.clock.advance(hours=1)

    request = decide(city, issued, "CG", hand_to="JJ")

    old, new = task_of(city, issued, "CG"), task_of(city, issued, "JJ")
    assert (old.status, new.status) == (TaskStatus.RETURNED, TaskStatus.PENDING_RESPONSE)
    assert new.letter_number not in {task.letter_number for task in (old, task_of(city, issued, "SCJG"))}
    assert new.response_due_at == city.clock() + timedelta(minutes=30)
    assert (issued.due_at, whistle.due_at, whistle.appointed_at) == due
    assert new.due_at == due[1]
    assert held(city, issued) == {"SCJG": "lead", "JJ": "cooperating"}
    assert whistle.departments == [
        {"code": "SCJG", "role": "lead"},
        {"code": "JJ", "role": "cooperating"},
    ]
    assert (request.handed_to, city.told("JJ")) == ("JJ", ["task.issued"])
    assert city.told("CG")[-1] == "task.returned"


def test_the_one_that_is_gone_owes_nothing_more(city, issued):
    ask(city, issued, "CG")

    decide(city, issued, "CG")

    assert held(city, issued) == {"SCJG": "lead"}
    city.clock.advance(days=5)
    deadlines.fire_due(city.session, city.clock())
    assert task_of(city, issued, "CG").first_overdue_at is None
    joint.issue(city.session, city.whistle(issued, 3).number, by=city["platform"], now=city.clock())
    assert held(city, issued) == {"SCJG": "lead"}


def test_a_lead_that_goes_is_followed_by_the_one_that_is_named(city, issued):
    ask(city, issued, "SCJG")
    with pytest.raises(InvalidInput) as refusal:
        decide(city, issued, "SCJG")
    assert (refusal.value.code, refusal.value.facts["wanted"]) == ("successor_needed", ["CG"])

    decide(city, issued, "SCJG", lead="CG")

    assert held(city, issued) == {"CG": "lead"}
    assert city.told("CG")[-1] == "task.leads"


def test_who_gets_the_leads_task_leads(city, issued):
    ask(city, issued, "SCJG")

    decide(city, issued, "SCJG", hand_to="JJ")

    assert held(city, issued) == {"CG": "cooperating", "JJ": "lead"}


def test_a_department_that_helps_already_may_take_the_lead_over(city, issued):
    ask(city, issued, "SCJG")

    decide(city, issued, "SCJG", hand_to="CG")

    assert held(city, issued) == {"CG": "lead"}


def test_nobody_is_called_twice(city, issued):
    ask(city, issued, "CG")

    with pytest.raises(InvalidInput) as refusal:
        decide(city, issued, "CG", hand_to="SCJG")

    assert (refusal.value.code, refusal.value.facts["field"]) == ("already_called", "department")


def test_who_asks_to_go_does_not_follow_as_the_lead(city, issued):
    ask(city, issued, "SCJG")
    ask(city, issued, "CG")

    with pytest.raises(Conflict) as refusal:
        decide(city, issued, "SCJG", lead="CG")

    assert refusal.value.code == "successor_not_free"


def test_where_every_task_was_sent_back_the_town_drafts_anew(city, issued):
    ask(city, issued, "CG")
    decide(city, issued, "CG")
    ask(city, issued, "SCJG")

    decide(city, issued, "SCJG", login="centre")

    whistle = city.whistle(issued, 3)
    assert (whistle.status, whistle.issued_at, whistle.confirmed_at) == ("drafted", None, None)
    assert {"CG", "SCJG"}.isdisjoint(d["code"] for d in whistle.departments)
    assert "draft" in city.clocks(issued)
    assert city.told("office")[-1] == "whistle.redrafted"
    again = Draft(
        departments=(("CG", TaskRole.LEAD), ("JJ", TaskRole.COOPERATING)),
        chosen_reason="由城管牵头",
        appointed_at=city.clock() + timedelta(hours=1),
        appointed_place="居委会",
    )
    joint.submit(city.session, whistle.number, again, by=city["office"], now=city.clock())
    joint.confirm(city.session, whistle.number, by=city["town"], now=city.clock())
    assert held(city, issued) == {"CG": "lead", "JJ": "cooperating"}
    letters = [task.letter_number for task in tasks_of(city.session, whistle.id)]
    assert len(letters) == len(set(letters)) == 4


def test_the_town_and_the_department_do_not_decide_for_each_other(city, issued):
    ask(city, issued, "CG")

    for login in ("office", "CG", "hotline"):
        with pytest.raises(Forbidden):
            decide(city, issued, "CG", login=login)


def test_only_what_was_asked_for_is_decided(city, issued):
    with pytest.raises(Conflict):
        decide(city, issued, "CG")


# -- handed on only so often


def handed_on_twice(city, issued):
    """Let the helper's task go from urban management over the traffic police to the public security office."""
    ask(city, issued, "CG")
    decide(city, issued, "CG", hand_to="JJ")
    ask(city, issued, "JJ")
    decide(city, issued, "JJ", hand_to="GA")
    assert returns.hops(city.session, issued.id) == 2


def test_a_third_hop_goes_to_the_joint_meeting_instead(city, issued):
    handed_on_twice(city, issued)
    ask(city, issued, "GA", suggested="STHJ")

    request = decide(city, issued, "GA", hand_to="STHJ", login="centre", note="应属生态环境")

    assert task_of(city, issued, "GA").status is TaskStatus.PENDING_RESPONSE
    assert (request.decision, request.handed_to) == (Decision.LAPSED, None)
    dispute = city.session.scalars(select(Dispute).where(Dispute.incident_id == issued.id)).one()
    assert {"GA", "STHJ", "SCJG"} <= set(dispute.parties)
    assert task_of(city, issued, "GA").disputed
    assert held(city, issued) == {"SCJG": "lead", "GA": "cooperating"}


def test_who_may_not_file_a_dispute_is_told_that_one_is_needed(city, issued):
    handed_on_twice(city, issued)
    ask(city, issued, "GA")

    with pytest.raises(Conflict) as refusal:
        decide(city, issued, "GA", hand_to="STHJ", login="platform")

    assert refusal.value.code == "too_many_hops"


def test_beyond_the_hops_a_task_may_still_be_dropped_or_kept(city, issued):
    handed_on_twice(city, issued)
    ask(city, issued, "GA")

    decide(city, issued, "GA")

    assert held(city, issued) == {"SCJG": "lead"}


# -- the platform changes who is called


def change(city, incident, *called, login="platform", reason="经协调"):
    number = city.whistle(incident, 3).number
    return returns.change_departments(
        city.session, number, called, reason=reason, by=city[login], now=city.clock()
    )


def test_the_platform_adds_lets_go_and_changes_the_lead_at_once(city, issued):
    change(city, issued, ("JJ", TaskRole.LEAD), ("SCJG", TaskRole.COOPERATING))

    assert held(city, issued) == {"SCJG": "cooperating", "JJ": "lead"}
    assert task_of(city, issued, "CG").status is TaskStatus.WITHDRAWN
    assert city.told("CG")[-1] == "task.withdrawn"


def test_a_change_has_one_lead_and_changes_something(city, issued):
    with pytest.raises(InvalidInput):
        change(city, issued, ("JJ", TaskRole.COOPERATING))
    with pytest.raises(Conflict) as refusal:
        change(city, issued, *CALLED)
    assert refusal.value.code == "nothing_changed"
    with pytest.raises(InvalidInput):
        change(city, issued, ("JJ", TaskRole.LEAD), reason=" ")


def test_the_town_does_not_change_who_is_called(city, issued):
    with pytest.raises(Forbidden):
        change(city, issued, ("JJ", TaskRole.LEAD), login="office")


def test_whoever_is_let_go_has_no_return_left_to_decide(city, issued):
    ask(city, issued, "CG")

    change(city, issued, ("SCJG", TaskRole.LEAD), ("JJ", TaskRole.COOPERATING))

    (request,) = city.session.scalars(select(ReturnRequest))
    assert request.decision is Decision.LAPSED
    assert "return_decision" not in city.clocks(issued)


def test_the_page_offers_what_the_use_cases_take(city, issued):
    def acts(login, machine="task"):
        file = casefile.show_whistle(city.session, city[login], city.whistle(issued, 3).number)
        return {action.action for action in file.actions if action.machine == machine}

    assert "request_return" in acts("CG")
    assert "change_departments" in acts("platform", "whistle")
    assert not {"return", "send_back", "withdraw", "change_role"} & acts("platform")
    ask(city, issued, "CG")
    assert "return" in acts("platform") & acts("centre")
    assert "return" not in acts("office") | acts("CG")
