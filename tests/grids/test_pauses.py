"""Cases that wait: suspended on request, put on the ledger; parts that are given more time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from gis.errors import Conflict, Forbidden, InvalidInput, NotFound
from grids import casefile, deadlines, ledger, measures
from grids.acts import extensions, incidents, joint, pauses, presence, tasks, whistles
from grids.acts import ledger as acts_ledger
from grids.acts.joint import Draft
from grids.acts.presence import CheckIn
from grids.measures import ResponseMetric, Window
from grids.offers import actions
from grids.rules.calendar import SHANGHAI
from grids.rules.deadlines import DeadlineKind
from grids.rules.grading import Grade
from grids.rules.levels import GridLevel
from grids.rules.lifecycle import IncidentStatus
from grids.rules.limits import Limit
from grids.rules.pauses import ClockMove, Decision, SuspensionReason
from grids.rules.tasks import CheckInMethod, TaskRole, TaskStatus
from grids.rules.whistles import WhistleLevel, WhistleStatus
from grids.standing import standings
from grids.tables import Deadline, Suspension, Task, Trace, Whistle

WEATHER = SuspensionReason.WEATHER


def local(text):
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


def ask(city, incident, by="leader", *, days=5, note="连日大雨, 无法施工"):
    return pauses.ask_suspension(
        city.session,
        incident.number,
        reason=WEATHER,
        note=note,
        until=city.clock() + timedelta(days=days),
        by=city[by],
        now=city.clock(),
    )


def suspend(city, incident, by="centre", **said):
    return pauses.suspend(city.session, incident.number, by=city[by], now=city.clock(), **said)


def suspended(city, incident, by="centre", *, days=5):
    until = city.clock() + timedelta(days=days)
    return suspend(city, incident, by, reason=WEATHER, note="连日大雨", until=until)


def resume(city, incident, by="centre"):
    return pauses.resume(city.session, incident.number, by=city[by], now=city.clock())


def called(city, *, bodies=("SCJG", "CG"), category="07-001", hours=1):
    """A case with departments at work: the lead first."""
    incident = city.accepted(WhistleLevel.SECOND, category=category)
    second = city.whistle(incident, 2)
    now = city.clock()
    whistles.file(
        city.session,
        second.number,
        liaison_name="李芳",
        liaison_phone="13912345678",
        by=city["centre"],
        now=now,
    )
    pairs = tuple((code, TaskRole.COOPERATING if n else TaskRole.LEAD) for n, code in enumerate(bodies))
    draft = Draft(
        reason="街道无执法权",
        departments=pairs,
        appointed_at=now + timedelta(hours=hours),
        appointed_place="居委会",
    )
    third = joint.blow(
        city.session,
        incident.number,
        level=WhistleLevel.THIRD,
        draft=draft,
        by=city["office"],
        now=now,
    )
    joint.confirm(city.session, third.number, by=city["town"], now=now)
    return incident


def come(city, incident, *codes):
    for code in codes:
        task = city.tasks(incident)[code]
        said = {"by": city[code], "now": city.clock()}
        tasks.respond(city.session, task.id, staff_name="赵某", staff_phone="13612345678", **said)
        how = CheckIn(CheckInMethod.MANUAL, reason="手机没电")
        presence.check_in(city.session, task.id, how, **said)


def finish(city, task, by):
    evidence = casefile.show_task(city.session, city[by], task.id).category.evidence
    tasks.complete(city.session, task.id, result="好了", evidence=evidence, by=city[by], now=city.clock())


def extend(city, task, by, *, value=2, unit="work_day", reason="等待鉴定", told=True):
    return extensions.extend(
        city.session,
        task.id,
        amount=Limit(value, unit),
        reason=reason,
        citizen_told=told,
        by=city[by],
        now=city.clock(),
    )


def decide(city, task, *, granted=True, by="platform", note="同意"):
    return extensions.decide(city.session, task.id, granted=granted, note=note, by=city[by], now=city.clock())


def on_ledger(city, incident, *, days=30, lead="CG"):
    return acts_ledger.put(
        city.session,
        incident.number,
        plan="随片区改造一并解决",
        lead=lead,
        review_on=(city.clock().astimezone(SHANGHAI) + timedelta(days=days)).date(),
        public_reply="已纳入改造计划, 九月开工",
        by=city["platform"],
        now=city.clock(),
    )


def rows(city, incident, kind):
    return city.session.scalars(
        select(Deadline)
        .where(Deadline.incident_id == incident.id, Deadline.kind == kind)
        .order_by(Deadline.id)
    ).all()


def offered(city, incident, login):
    session = city.session
    blown = session.scalars(select(Whistle).where(Whistle.incident_id == incident.id)).all()
    parts = session.scalars(select(Task).where(Task.incident_id == incident.id)).all()
    standing = standings(session, [incident.id])[incident.id]
    return {one.action for one in actions(city[login], incident, blown, parts, standing)}


# -- who asks, who decides


@pytest.mark.parametrize(
    ("level", "asks", "decides"),
    [(1, "leader", "centre"), (2, "office", "centre"), (3, "SCJG", "platform")],
)
def test_whoever_handles_a_case_asks_and_the_desk_above_decides(city, level, asks, decides):
    incident = called(city) if level == 3 else city.accepted(WhistleLevel(level), category="07-001")
    for wrong in {"leader", "office", "SCJG"} - {asks}:
        assert "ask_suspension" not in offered(city, incident, wrong)
    assert "ask_suspension" in offered(city, incident, asks)
    other = "platform" if decides == "centre" else "centre"

    ask(city, incident, asks)

    assert city.told(decides)[-1] == "suspension.asked"
    assert "ask_suspension" not in offered(city, incident, asks)
    assert {"suspend", "refuse_suspension"} <= offered(city, incident, decides)
    assert not {"suspend", "refuse_suspension"} & offered(city, incident, other)
    with pytest.raises(Forbidden) as refusal:
        suspend(city, incident, other)
    assert refusal.value.code == "not_your_level"
    asked = suspend(city, incident, decides)
    assert (asked.decision, asked.reason) == (Decision.GRANTED, WEATHER)
    assert incident.status is IncidentStatus.SUSPENDED
    assert city.told(asks)[-1] == "suspension.granted"
    assert city.clocks(incident)["suspension"] == asked.until


@pytest.mark.parametrize(
    ("level", "asks"), [(1, "office"), (1, "SCJG"), (2, "leader"), (3, "office"), (3, "GA")]
)
def test_nobody_asks_for_a_case_that_somebody_else_handles(city, level, asks):
    incident = called(city) if level == 3 else city.accepted(WhistleLevel(level), category="07-001")

    with pytest.raises((Forbidden, NotFound)) as refusal:
        ask(city, incident, asks)

    assert refusal.value.code in ("not_your_level", "incident_not_found")
    assert incident.status is IncidentStatus.HANDLING


def test_a_case_that_is_asked_for_runs_on_until_somebody_decides(city):
    incident = city.accepted(category="07-001")
    before = city.clocks(incident)

    ask(city, incident)

    assert city.clocks(incident) == before
    with pytest.raises(Conflict) as again:
        ask(city, incident)
    assert again.value.code == "already_asked"


def test_a_refusal_says_why_and_leaves_the_case_as_it_was(city):
    incident = city.accepted(category="07-001")
    ask(city, incident)

    refused = pauses.refuse_suspension(
        city.session, incident.number, note="雨已停", by=city["centre"], now=city.clock()
    )

    assert (refused.decision, refused.decision_note) == (Decision.REFUSED, "雨已停")
    assert incident.status is IncidentStatus.HANDLING
    assert city.told("leader")[-1] == "suspension.refused"
    assert "refuse_suspension" not in offered(city, incident, "centre")
    with pytest.raises(Conflict) as nothing:
        pauses.refuse_suspension(
            city.session, incident.number, note="雨已停", by=city["centre"], now=city.clock()
        )
    assert nothing.value.code == "nothing_asked"


def test_what_was_asked_for_lapses_when_the_case_is_resolved_first(city):
    incident = city.accepted(category="07-001")
    asked = ask(city, incident)

    whistles.resolve(city.session, incident.number, result="已疏导", by=city["leader"], now=city.clock())

    city.session.refresh(asked)
    assert (asked.decision, asked.decided_at) == (Decision.LAPSED, city.clock())


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "reason"),
        ({"reason": WEATHER}, "until"),
        ({"reason": WEATHER, "until": timedelta(days=1)}, "note"),
        ({"reason": WEATHER, "until": timedelta(days=31), "note": "雨"}, "until"),
        ({"reason": WEATHER, "until": timedelta(0), "note": "雨"}, "until"),
    ],
)
def test_a_suspension_of_one_s_own_says_why_and_until_when(city, said, field):
    incident = city.accepted(category="07-001")
    if "until" in said:
        said = {**said, "until": city.clock() + said["until"]}

    with pytest.raises(InvalidInput) as refusal:
        suspend(city, incident, **said)

    assert refusal.value.facts["field"] == field
    assert "incident.suspend" not in city.steps(incident)


def test_a_red_case_and_a_late_one_are_not_suspended(city):
    red_case = accepted_red(city, city.report())
    late = city.accepted(category="07-001")
    city.clock.set(late.due_at + timedelta(seconds=1))

    for case, code, by in ((red_case, "red_runs_on", "centre"), (late, "already_overdue", "centre")):
        with pytest.raises(Conflict) as refusal:
            suspended(city, case, by)
        assert refusal.value.code == code
    deadlines.fire_due(city.session, city.clock())
    assert "suspend" not in offered(city, late, "centre")
    assert "suspend" not in offered(city, red_case, "centre")


def accepted_red(city, incident):
    return incidents.accept(
        city.session,
        incident.number,
        by=city["centre"],
        now=city.clock(),
        grade=Grade.RED,
        level=WhistleLevel.THIRD,
        reason="有人受伤",
    )


# -- standing still and going on


def test_a_suspended_case_stands_still_and_goes_on_with_what_it_had_left(city):
    city.clock.set(local("2026-06-03 16:30"))  # a Wednesday
    incident = city.accepted(category="07-001")
    first_promise = incident.due_at
    city.clock.set(local("2026-06-04 10:00"))

    suspended(city, incident)

    assert set(city.clocks(incident)) == {"suspension"}
    assert [row.outcome.value for row in rows(city, incident, DeadlineKind.HANDLE)] == ["moved"]
    city.clock.set(local("2026-06-08 10:00"))  # Monday: two days of work later
    deadlines.fire_due(city.session, city.clock() - timedelta(days=1))
    resume(city, incident)

    old, new = rows(city, incident, DeadlineKind.HANDLE)
    assert (new.replaces_id, new.because, new.started_at) == (old.id, ClockMove.SUSPENSION, old.started_at)
    assert old.due_at == first_promise
    assert new.due_at == local("2026-06-08 17:30")
    assert first_promise == local("2026-06-04 17:30")
    assert new.due_at == local("2026-06-08 17:30")
    assert (incident.due_at, incident.due_effective) == (first_promise, new.due_at)
    assert incident.status is IncidentStatus.HANDLING
    assert set(city.clocks(incident)) == {"handle", "community"}
    (said,) = [one for one in incident.explanation if one["because"] == "suspension"]
    assert datetime.fromisoformat(said["chose"]) == new.due_at
    moved = city.session.scalars(
        select(Trace).where(Trace.incident_id == incident.id, Trace.action == "clock_moved")
    ).all()
    assert {(step.payload["clock"], step.payload["clock_move"]) for step in moved} == {
        ("handle", "suspension"),
        ("community", "suspension"),
    }


def test_a_suspension_ends_by_itself_on_its_day_and_nobody_is_late_meanwhile(city):
    incident = city.accepted(category="07-001")
    asked = suspended(city, incident, days=10)
    city.clock.set(asked.until + timedelta(seconds=1))

    assert not deadlines.fire_due(city.session, city.clock()).stuck

    assert incident.status is IncidentStatus.HANDLING
    assert incident.first_overdue_at is None
    assert asked.ended_at == city.clock()
    assert city.outcomes(incident, "suspension") == ["missed"]
    assert incident.due_effective > city.clock()
    assert "suspension.over" in city.told("leader")


def test_a_case_may_wait_more_than_once(city):
    incident = city.accepted(category="07-001")
    for _ in range(3):
        suspended(city, incident, days=2)
        city.clock.advance(days=1)
        resume(city, incident)

    kept = rows(city, incident, DeadlineKind.HANDLE)
    assert [row.replaces_id for row in kept[1:]] == [row.id for row in kept[:-1]]
    assert [row.due_at for row in kept] == sorted(row.due_at for row in kept)
    assert len(city.session.scalars(select(Suspension)).all()) == 3


def test_nothing_is_worked_on_while_a_case_waits(city):
    incident = called(city)
    come(city, incident, "SCJG", "CG")
    scjg, cg = city.tasks(incident)["SCJG"], city.tasks(incident)["CG"]
    tasks.start(city.session, cg.id, by=city["CG"], now=city.clock())
    suspended(city, incident, "platform")

    assert (scjg.status, cg.status) == (TaskStatus.CHECKED_IN, TaskStatus.SUSPENDED)
    assert not {"start", "complete", "extend"} & offered(city, incident, "SCJG")
    with pytest.raises(Conflict) as refusal:
        tasks.start(city.session, scjg.id, by=city["SCJG"], now=city.clock())
    assert refusal.value.code == "case_waits"
    with pytest.raises(Conflict):
        finish(city, cg, "CG")
    city.clock.advance(days=1)
    resume(city, incident, "platform")
    assert cg.status is TaskStatus.IN_ACTION
    finish(city, cg, "CG")


def test_a_department_answers_and_comes_while_the_case_waits(city):
    incident = called(city)
    suspended(city, incident, "platform")

    assert {"respond", "check_in"} <= set(city.clocks(incident))
    come(city, incident, "SCJG")

    assert city.tasks(incident)["SCJG"].status is TaskStatus.CHECKED_IN
    city.clock.advance(days=1)
    resume(city, incident, "platform")
    dues = {task.due_at for task in city.tasks(incident).values()}
    assert dues == {city.clocks(incident)["complete"]}
    assert city.whistle(incident, 3).due_at == max(dues)


def test_the_community_s_clock_does_not_climb_while_the_case_waits(city):
    incident = city.accepted(category="07-001")
    suspended(city, incident, days=20)
    city.clock.advance(days=10)

    deadlines.fire_due(city.session, city.clock())

    assert city.whistle(incident, 2) is None
    with pytest.raises(Conflict) as refusal:
        whistles.answer(city.session, city.whistle(incident, 1).number, by=city["leader"], now=city.clock())
    assert refusal.value.code == "case_waits"


def test_a_part_that_is_done_keeps_its_time_for_when_it_is_sent_back(city):
    incident = called(city)
    come(city, incident, "SCJG", "CG")
    tasks.start(city.session, city.tasks(incident)["CG"].id, by=city["CG"], now=city.clock())
    cg = city.tasks(incident)["CG"]
    finish(city, cg, "CG")
    before = cg.due_at

    suspended(city, incident, "platform", days=20)
    city.clock.advance(days=15)
    resume(city, incident, "platform")

    assert cg.due_at > before
    tasks.rework(city.session, cg.id, comment="没好", by=city["office"], now=city.clock())
    assert (
        city.session.scalars(
            select(Deadline.due_at)
            .where(Deadline.task_id == cg.id, Deadline.settled_at.is_(None))
            .where(Deadline.kind == DeadlineKind.COMPLETE)
        ).one()
        == cg.due_at
        > city.clock()
    )


# -- extension


def test_more_time_is_asked_for_in_time_and_moves_every_clock_that_was_due_before(city):
    incident = called(city)
    scjg, cg = city.tasks(incident)["SCJG"], city.tasks(incident)["CG"]
    before, promise = scjg.due_at, incident.due_at

    asked = extend(city, scjg, "SCJG")

    assert asked.due_before == before
    assert city.clocks(incident)["extension_decision"]
    assert "extension.asked" in city.told("platform")
    assert {"grant_extension", "refuse_extension"} <= offered(city, incident, "platform")
    decide(city, scjg)
    after = asked.due_after
    assert after > before
    assert scjg.due_at == city.whistle(incident, 3).due_at == incident.due_effective == after
    assert cg.due_at == before
    assert incident.due_at == promise
    assert "extension_decision" not in city.clocks(incident)
    complete = [row for row in rows(city, incident, DeadlineKind.COMPLETE) if row.task_id == scjg.id]
    assert [(row.due_at, row.because) for row in complete] == [
        (before, None),
        (after, ClockMove.EXTENSION),
    ]
    assert rows(city, incident, DeadlineKind.HANDLE)[-1].because is ClockMove.EXTENSION
    assert any(one["because"] == "extension" for one in incident.explanation)


def test_the_lead_finishes_last_and_gets_the_time_of_whoever_helps_it(city):
    incident = called(city)
    scjg, cg = city.tasks(incident)["SCJG"], city.tasks(incident)["CG"]

    extend(city, cg, "CG")
    decide(city, cg)

    assert scjg.due_at == cg.due_at > incident.due_at


def test_a_refusal_moves_nothing(city):
    incident = called(city)
    scjg = city.tasks(incident)["SCJG"]
    before = city.clocks(incident)

    extend(city, scjg, "SCJG")
    with pytest.raises(InvalidInput) as unsaid:
        decide(city, scjg, granted=False, note=" ")
    assert unsaid.value.facts["field"] == "note"
    asked = decide(city, scjg, granted=False, note="可以按期办结")

    assert asked.decision is Decision.REFUSED
    assert city.clocks(incident) == before
    with pytest.raises(Conflict) as nothing:
        decide(city, scjg)
    assert nothing.value.code == "nothing_asked"


def test_more_time_is_not_asked_for_too_late_too_often_or_too_long(city):
    incident = called(city)
    scjg, cg = city.tasks(incident)["SCJG"], city.tasks(incident)["CG"]
    with pytest.raises(InvalidInput) as long:
        extend(city, scjg, "SCJG", value=11)
    assert long.value.code == "extension_too_long"

    extend(city, scjg, "SCJG", value=10)
    with pytest.raises(Conflict) as twice:
        extend(city, scjg, "SCJG")
    assert twice.value.code == "already_asked"
    decide(city, scjg)
    assert "extend" not in offered(city, incident, "SCJG")
    with pytest.raises(Conflict) as often:
        extend(city, scjg, "SCJG")
    assert often.value.code == "extension_used_up"
    city.clock.set(cg.due_at + timedelta(seconds=1))
    with pytest.raises(Conflict) as late:
        extend(city, cg, "CG")
    assert late.value.code == "already_overdue"


def test_a_slow_decision_does_not_make_the_part_late(city):
    incident = called(city)
    scjg = city.tasks(incident)["SCJG"]
    city.clock.set(scjg.due_at)
    deadlines.fire_due(city.session, city.clock())
    extend(city, scjg, "SCJG", value=3)
    city.clock.advance(hours=1)
    deadlines.fire_due(city.session, city.clock())
    assert scjg.first_overdue_at is not None
    assert incident.first_overdue_at is not None

    decide(city, scjg)

    assert scjg.first_overdue_at is None
    assert incident.first_overdue_at is None
    assert scjg.due_at == incident.due_effective > city.clock()


def test_what_was_asked_for_lapses_when_the_part_is_done_first(city):
    incident = called(city, bodies=("SCJG",))
    come(city, incident, "SCJG")
    scjg = city.tasks(incident)["SCJG"]
    asked = extend(city, scjg, "SCJG")
    tasks.start(city.session, scjg.id, by=city["SCJG"], now=city.clock())

    finish(city, scjg, "SCJG")

    city.session.refresh(asked)
    assert asked.decision is Decision.LAPSED
    assert city.outcomes(incident, "extension_decision") == ["void"]


# -- the ledger


def test_a_hard_case_stands_on_the_ledger_until_it_is_taken_up(city):
    incident = called(city)
    come(city, incident, "SCJG")
    tasks.start(city.session, city.tasks(incident)["SCJG"].id, by=city["SCJG"], now=city.clock())
    due_before = incident.due_effective

    item = on_ledger(city, incident)

    assert incident.status is IncidentStatus.LEDGER
    assert incident.reply == item.public_reply
    assert not {"handle", "complete"} & set(city.clocks(incident))
    assert city.clocks(incident)["ledger_review"] == local("2026-07-04 00:00")
    assert city.told("CG")[-1] == "ledger.opened"
    city.clock.advance(days=20)
    acts_ledger.review(
        city.session,
        incident.number,
        note="管线已迁",
        review_on=date(2026, 8, 1),
        by=city["platform"],
        now=city.clock(),
    )
    assert item.review_on == date(2026, 8, 1)
    assert item.reviews[0]["note"] == "管线已迁"
    assert city.clocks(incident)["ledger_review"] == local("2026-08-02 00:00")
    acts_ledger.take_up(
        city.session, incident.number, note="场地已腾空", by=city["platform"], now=city.clock()
    )
    assert incident.status is IncidentStatus.HANDLING
    assert (item.ended_how, item.ended_at) == ("taken_up", city.clock())
    assert city.tasks(incident)["SCJG"].status is TaskStatus.IN_ACTION
    new = rows(city, incident, DeadlineKind.HANDLE)[-1]
    assert (new.because, new.due_at) == (ClockMove.LEDGER, incident.due_effective)
    assert new.due_at > due_before
    assert "ledger_review" not in city.clocks(incident)


def test_who_forgets_a_review_is_reminded(city):
    incident = city.accepted(category="07-001")
    item = on_ledger(city, incident, days=3)
    city.clock.advance(days=5)

    deadlines.fire_due(city.session, city.clock())

    assert incident.status is IncidentStatus.LEDGER
    assert item.ended_at is None
    assert "clock.ledger_review" in city.told("platform")


def test_a_case_is_closed_from_the_ledger_and_whoever_had_a_part_is_let_go(city):
    incident = called(city)
    on_ledger(city, incident)
    city.clock.advance(days=3)

    acts_ledger.close(
        city.session,
        incident.number,
        public_reply="依法终结, 已书面答复",
        by=city["platform"],
        now=city.clock(),
    )

    assert incident.status is IncidentStatus.CLOSED
    assert incident.closed_at == city.clock()
    assert {task.status for task in city.tasks(incident).values()} == {TaskStatus.WITHDRAWN}
    assert city.whistle(incident, 3).status is WhistleStatus.WITHDRAWN
    assert city.clocks(incident) == {}
    assert "moved" not in city.outcomes(incident, "handle") + city.outcomes(incident, "complete")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"plan": " "}, "plan"),
        ({"public_reply": ""}, "public_reply"),
        ({"review_on": date(2026, 6, 3)}, "review_on"),
        ({"review_on": date(2026, 9, 2)}, "review_on"),
        ({"lead": "NOBODY"}, None),
    ],
)
def test_the_ledger_wants_a_plan_a_lead_a_day_and_a_reply(city, change, field):
    incident = city.accepted(category="07-001")
    said = {
        "plan": "随改造解决",
        "lead": "CG",
        "review_on": date(2026, 9, 1),
        "public_reply": "已列入计划",
    } | change

    with pytest.raises((InvalidInput, NotFound)) as refusal:
        acts_ledger.put(city.session, incident.number, by=city["platform"], now=city.clock(), **said)

    assert refusal.value.facts.get("field") == field or refusal.value.code == "unknown_department"
    assert incident.status is IncidentStatus.HANDLING


def test_the_ledger_is_listed_apart_and_leaves_the_rate_of_its_period(city):
    kept, other = city.accepted(category="07-001"), city.accepted(category="07-001")
    window = Window(
        "990101", GridLevel.TOWN, city.clock() - timedelta(days=1), city.clock() + timedelta(days=1)
    )
    everywhere = city["platform"].scope

    def counted():
        frame = measures.responses(city.session, everywhere, window, ResponseMetric.HANDLE, now=city.clock())
        return int(frame["n"].sum())

    assert counted() == 2
    item = on_ledger(city, kept)
    assert counted() == 1
    assert [row.incident for row in ledger.on_ledger(city.session, everywhere)] == [kept]
    acts_ledger.close(city.session, kept.number, public_reply="已答复", by=city["platform"], now=city.clock())
    assert counted() == 1
    assert ledger.on_ledger(city.session, everywhere) == []
    assert [row.item for row in ledger.on_ledger(city.session, everywhere, ended=True)] == [item]
    suspended(city, other)
    assert counted() == 0


def test_the_ledger_shows_what_its_reader_may_see(city):
    incident = city.accepted(category="07-001")
    on_ledger(city, incident)

    assert [row.incident for row in ledger.on_ledger(city.session, city["centre"].scope)] == [incident]
    assert ledger.on_ledger(city.session, city["centre2"].scope) == []
