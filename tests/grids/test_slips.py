"""Slips of supervision: what issues them, whom they reach, what answers them, on a real PostGIS."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from gis.errors import Conflict, Forbidden, NotFound
from grids import deadlines
from grids.acts import joint, slips, tasks, whistles
from grids.acts.case import Case
from grids.acts.joint import Draft
from grids.rules.deadlines import DeadlineKind
from grids.rules.limits import Limit, Unit
from grids.rules.pauses import ClockMove
from grids.rules.slips import SlipCause, SlipKind
from grids.rules.tasks import TaskRole
from grids.rules.whistles import WhistleLevel, WhistleType
from grids.tables import Deadline, Slip

pytestmark = pytest.mark.database

LEAD, OTHER = "SCJG", "CG"


@pytest.fixture
def called(city):
    """Two departments who have eight natural hours, and meet in one."""
    incident = city.accepted(WhistleLevel.SECOND)
    second = city.whistle(incident, 2)
    contact = {"liaison_name": "李芳", "liaison_phone": "13912345678"}
    whistles.file(city.session, second.number, **contact, by=city["centre"], now=city.clock())
    extra = {"chosen_reason": "只需两个部门"} if "chosen_reason" in Draft.__dataclass_fields__ else {}
    joint.blow(
        city.session,
        incident.number,
        level=WhistleLevel.THIRD,
        draft=Draft(
            type=WhistleType.JOINT_ENFORCEMENT,
            reason="街道无执法权",
            departments=((LEAD, TaskRole.LEAD), (OTHER, TaskRole.COOPERATING)),
            appointed_at=city.clock() + timedelta(hours=1),
            appointed_place="升平巷车库",
            limit=Limit(8, Unit.NATURAL_HOUR),
            **extra,
        ),
        by=city["office"],
        now=city.clock(),
    )
    joint.confirm(city.session, city.whistle(incident, 3).number, by=city["town"], now=city.clock())
    return incident


def issued(city, incident, code=LEAD):
    task = city.tasks(incident)[code] if code else None
    rows = city.session.scalars(
        select(Slip)
        .where(Slip.incident_id == incident.id, Slip.task_id == (task.id if task else None))
        .order_by(Slip.id)
    )
    return [(slip.kind.value, slip.cause.value) for slip in rows]


def wait(city, **length):
    city.clock.advance(**length)
    while deadlines.fire_due(city.session, city.clock()).fired:
        pass


def respond(city, incident):
    for code, task in city.tasks(incident).items():
        who = {"staff_name": "赵某", "staff_phone": "13612345678"}
        tasks.respond(city.session, task.id, **who, by=city[code], now=city.clock())


def test_progress_leads_from_the_reminder_to_supervision_and_to_the_warning(city, called):
    respond(city, called)

    wait(city, hours=5, minutes=59)
    assert issued(city, called) == []
    wait(city, minutes=2)
    assert issued(city, called) == [("remind", "progress")]
    wait(city, hours=2)
    assert issued(city, called) == [("remind", "progress"), ("supervise", "overdue")]
    wait(city, hours=24)
    assert ("warn", "long_overdue") in issued(city, called)


def test_who_does_not_respond_in_time_is_reminded_at_once(city, called):
    wait(city, hours=2)

    assert issued(city, called) == [("remind", "no_response")]
    slip = city.session.scalars(select(Slip)).first()
    assert slip.number.startswith("T")
    assert len(slip.number) == 20
    assert [person["name"] for person in slip.recipients] == [slip.unit]
    assert "slip.remind" in city.told(LEAD)
    assert "slip.remind" in city.told("centre")


def test_a_supervision_is_answered_in_writing_and_an_unanswered_one_becomes_a_warning(city, called):
    respond(city, called)
    wait(city, hours=9)
    numbers = {row.unit: row.number for row in city.session.scalars(select(Slip)) if row.kind == "supervise"}

    slips.answer(city.session, numbers[LEAD], text="人员已到位，今日完成", by=city[LEAD], now=city.clock())
    with pytest.raises(Conflict, match="answered already"):
        slips.answer(city.session, numbers[LEAD], text="又一次", by=city[LEAD], now=city.clock())
    city.clock.advance(days=4)
    while deadlines.fire_due(city.session, city.clock()).fired:
        pass

    assert ("warn", "ignored") not in issued(city, called, LEAD)
    assert ("warn", "ignored") in issued(city, called, OTHER) or ("warn", "long_overdue") in issued(
        city, called, OTHER
    )
    assert "slip.warn" in city.told("governance")
    assert "slip.warn" in city.told("district")


def test_only_the_unit_answers_and_others_do_not_see_it(city, called):
    wait(city, hours=2)
    number = next(slip.number for slip in city.session.scalars(select(Slip)) if slip.unit == LEAD)

    with pytest.raises(NotFound):
        slips.answer(city.session, number, text="代答", by=city[OTHER], now=city.clock())
    with pytest.raises(Forbidden):
        slips.answer(city.session, number, text="代答", by=city["centre"], now=city.clock())
    with pytest.raises(NotFound):
        slips.show(city.session, city["centre2"], number)
    assert [row.slip.number for row in slips.find(city.session, city[LEAD])] == [number]
    assert len(slips.find(city.session, city["platform"])) == 2


def test_time_that_was_given_back_puts_the_reminder_off(city, called):
    respond(city, called)
    task = city.tasks(called)[LEAD]
    case, _, _ = Case.of_task(city.session, task.id, city["platform"], city.clock())
    clock = city.session.scalars(
        select(Deadline).where(Deadline.task_id == task.id, Deadline.kind == DeadlineKind.COMPLETE)
    ).one()
    task.due_at = case.move_clock(clock, clock.due_at + timedelta(hours=8), ClockMove.EXTENSION).due_at

    wait(city, hours=7)
    assert issued(city, called) == []
    assert issued(city, called, OTHER) == [("remind", "progress")]
    wait(city, hours=5, minutes=1)
    assert issued(city, called)[0] == ("remind", "progress")


def test_a_slip_is_issued_by_hand_by_whom_it_is_for(city, called):
    task = city.tasks(called)[LEAD]

    def nudge(by, kind=SlipKind.REMIND):
        return slips.nudge(city.session, task.id, kind=kind, note="请尽快", by=city[by], now=city.clock())

    with pytest.raises(Forbidden):
        nudge("centre", SlipKind.WARN)
    with pytest.raises(Forbidden):
        nudge("worker")
    assert nudge("centre").cause is SlipCause.BY_HAND
    assert nudge("centre").step == 2
    assert nudge("governance", SlipKind.WARN).answer_due_at is not None


def test_a_town_that_lets_a_case_become_overdue_is_supervised(city):
    incident = city.accepted(WhistleLevel.SECOND)

    city.clock.advance(days=20)
    while deadlines.fire_due(city.session, city.clock()).fired:
        pass

    assert ("supervise", "overdue") in issued(city, incident, None)
    assert "slip.supervise" in city.told("office")


def test_the_same_cause_issues_one_slip(city, called):
    respond(city, called)
    wait(city, hours=30)

    found = issued(city, called)
    assert len(found) == len(set(found))


def test_the_towns_answer_leaves_what_a_department_has_still_to_answer(city):
    incident = city.accepted(WhistleLevel.SECOND)
    wait(city, days=4)  # the case is overdue before departments are called
    assert issued(city, incident, None) == [("supervise", "overdue")]
    number = city.session.scalars(select(Slip.number)).one()
    second = city.whistle(incident, 2)
    draft = Draft(
        type=WhistleType.JOINT_ENFORCEMENT,
        reason="街道无执法权",
        departments=((LEAD, TaskRole.LEAD),),
        chosen_reason="只需一个部门",
        appointed_at=city.clock() + timedelta(hours=1),
        appointed_place="升平巷车库",
        limit=Limit(8, Unit.NATURAL_HOUR),
    )
    contact = {"liaison_name": "李芳", "liaison_phone": "13912345678"}
    whistles.file(city.session, second.number, **contact, by=city["centre"], now=city.clock())
    joint.blow(
        city.session,
        incident.number,
        level=WhistleLevel.THIRD,
        draft=draft,
        by=city["office"],
        now=city.clock(),
    )
    joint.confirm(city.session, city.whistle(incident, 3).number, by=city["town"], now=city.clock())
    said = {"note": "请抓紧", "by": city["governance"], "now": city.clock()}
    slips.nudge(city.session, city.tasks(incident)[LEAD].id, kind=SlipKind.SUPERVISE, **said)

    slips.answer(city.session, number, text="已安排", by=city["centre"], now=city.clock())

    owed = city.session.scalars(
        select(Deadline.task_id).where(
            Deadline.kind == DeadlineKind.SLIP_ANSWER, Deadline.settled_at.is_(None)
        )
    ).all()
    assert owed == [city.tasks(incident)[LEAD].id]
