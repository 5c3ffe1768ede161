"""What becomes of a report besides being accepted: looked at first, turned down, merged, called off, regraded."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from gis.errors import CityError, Conflict, Forbidden, InvalidInput, NotFound
from grids import casefile, deadlines, trace
from grids.acts import callbacks, incidents, intake, joint, regrading, whistles
from grids.acts.callbacks import CallbackAnswer
from grids.acts.joint import Draft
from grids.acts.reporters import how_many, reporters
from grids.rules.grading import Grade, RaiseReason
from grids.rules.lifecycle import Channel, IncidentStatus, Inspection, RejectReason
from grids.rules.permissions import Actor, Role
from grids.rules.whistles import WhistleLevel, WhistleStatus
from grids.tables import Deadline, Reporter, Solved, Whistle

pytestmark = pytest.mark.database

METRE = 1 / 90_160  # degrees of longitude at the latitude of the town
CITIZEN = {"by": "hotline", "channel": Channel.CITIZEN}


def at(metres: float) -> dict[str, float]:
    """Return a place so many metres east of the middle of the first cell."""
    return {"lon": 117.005 + metres * METRE, "lat": 36.01}


def again(city, n, *, metres=0.0, category="02-001", **said):
    """File one more report, of a person of its own."""
    return city.report(
        reporter_name=f"第{n}位", reporter_phone=f"138{n:08d}", category=category, **at(metres), **said
    )


def merged(city, one, other, by="centre"):
    return intake.merge(city.session, one.number, master=other.number, by=city[by], now=city.clock())


def accept(city, incident, **said):
    """Accept a case for the community."""
    told = {"level": WhistleLevel.FIRST, "reason": "由社区办", "by": city["centre"], "now": city.clock()}
    return incidents.accept(city.session, incident.number, **told | said)


def turn_down(city, incident, reason, reply="无此情况"):
    told = {"by": city["centre"], "now": city.clock()}
    return intake.reject(city.session, incident.number, reason=reason, reply=reply, **told)


def look(city, incident, found, note=None, by="worker"):
    told = {"by": city[by], "now": city.clock()}
    return intake.inspect(city.session, incident.number, found=found, note=note, **told)


# -- I2: looked at first


def test_what_the_public_reports_is_looked_at_by_the_worker_of_the_cell(city):
    incident = city.report(**CITIZEN)

    assert incident.status is IncidentStatus.TO_VERIFY
    assert city.told("worker") == ["incident.reported", "incident.to_inspect"]
    assert city.told("worker2") == []
    assert city.clocks(incident) == {
        "accept": datetime(2026, 6, 3, 6, 30, tzinfo=UTC),
        "inspect": datetime(2026, 6, 3, 3, 0, tzinfo=UTC),
    }


@pytest.mark.parametrize(
    "said",
    [
        {"by": "hotline", "channel": Channel.HOTLINE},
        CITIZEN | {"category": "01-003"},  # red: nobody waits
        CITIZEN | {"code": "990101001002001"},  # nobody holds the cell's post
        CITIZEN | {"lon": 117.2, "lat": 36.01},  # in no cell
    ],
)
def test_other_reports_wait_for_the_town_alone(city, said):
    assert city.report(**said).status is IncidentStatus.REPORTED


def test_a_worker_who_is_off_duty_is_not_waited_for(city):
    city.vacate(Role.GRID_WORKER, "990101001001001")

    assert city.report(**CITIZEN).status is IncidentStatus.REPORTED


def test_what_the_public_said_of_a_place_outside_is_looked_at_once_it_is_placed(city):
    incident = city.report(**CITIZEN, lon=117.2, lat=36.01)

    incidents.place(
        city.session, incident.number, code="990101001001001", by=city["platform"], now=city.clock()
    )

    assert incident.status is IncidentStatus.TO_VERIFY


def test_the_workers_word_goes_to_the_centre_and_stops_the_workers_clock(city):
    incident = city.report(**CITIZEN)
    city.clock.advance(minutes=20)

    look(city, incident, Inspection.EXIST)

    assert (incident.inspection, incident.inspected_at) == (Inspection.EXIST, city.clock())
    assert city.told("centre")[-1] == "incident.inspected"
    assert list(city.clocks(incident)) == ["accept"]
    assert city.outcomes(incident, "inspect") == ["met"]
    accept(city, incident)
    assert incident.status is IncidentStatus.HANDLING


@pytest.mark.parametrize("found", [Inspection.NOT_EXIST, Inspection.UNABLE])
def test_what_was_not_seen_needs_a_note(city, found):
    incident = city.report(**CITIZEN)

    with pytest.raises(InvalidInput) as refusal:
        look(city, incident, found, " ")

    assert refusal.value.facts["field"] == "note"
    assert incident.inspection is None


def test_who_could_not_look_may_look_again_and_who_has_looked_has_looked(city):
    incident = city.report(**CITIZEN)
    said = {"by": city["worker"], "now": city.clock()}
    intake.inspect(city.session, incident.number, found=Inspection.UNABLE, note="门锁着", **said)
    intake.inspect(city.session, incident.number, found=Inspection.EXIST, **said)

    with pytest.raises(Conflict) as refusal:
        intake.inspect(city.session, incident.number, found=Inspection.NOT_EXIST, note="没有", **said)

    assert refusal.value.code == "already_inspected"


def test_a_neighbour_does_not_look_and_neither_does_the_centre(city):
    incident = city.report(**CITIZEN)

    with pytest.raises(NotFound):
        look(city, incident, Inspection.EXIST, by="worker2")
    with pytest.raises(Forbidden):
        look(city, incident, Inspection.EXIST, by="centre")


def test_a_worker_who_does_not_look_is_reminded_and_the_town_may_accept_all_the_same(city):
    incident = city.report(**CITIZEN)
    city.clock.advance(hours=2, seconds=1)
    deadlines.fire_due(city.session, city.clock())

    assert "clock.inspect" in city.told("worker")
    assert "clock.inspect" in city.told("centre")
    incidents.accept(city.session, incident.number, by=city["centre"], now=city.clock())
    assert incident.status is IncidentStatus.HANDLING
    assert city.outcomes(incident, "inspect") == ["missed"]


# -- T9: only the moment of receipt drives clocks


def test_a_backdated_claim_moves_no_clock(city):
    now = city.report()
    claimed = city.report(occurred_at=city.clock() - timedelta(days=200))

    assert city.clocks(claimed) == city.clocks(now)
    red = city.report(category="01-003", occurred_at=city.clock() - timedelta(days=2))
    incidents.accept(city.session, red.number, by=city["centre"], now=city.clock())
    assert red.due_at > city.clock()


# -- I4: turned down


def test_a_report_is_turned_down_with_a_reply_that_the_hotline_passes_on(city):
    incident = city.report()
    city.clock.advance(minutes=30)

    turn_down(city, incident, RejectReason.OUT_OF_AREA, "请拨打属地热线")

    assert (incident.status, incident.rejected_for) == (IncidentStatus.REJECTED, RejectReason.OUT_OF_AREA)
    assert incident.reply == "请拨打属地热线"
    assert city.clocks(incident) == {}
    assert city.outcomes(incident, "accept") == ["met"]
    assert city.told("hotline")[-1] == "incident.reply"


def test_no_reply_no_rejection(city):
    incident = city.report()

    with pytest.raises(InvalidInput) as refusal:
        turn_down(city, incident, RejectReason.NO_CONTENT, " ")

    assert refusal.value.facts["field"] == "reply"


@pytest.mark.parametrize("found", [None, Inspection.EXIST, Inspection.UNABLE])
def test_the_town_does_not_call_missing_what_the_worker_has_not(city, found):
    incident = city.report(**CITIZEN)
    if found:
        look(city, incident, found, "x")

    with pytest.raises(InvalidInput) as refusal:
        turn_down(city, incident, RejectReason.NOT_EXIST, "没有")

    assert refusal.value.code == "not_found_missing"


# -- I5: merged


def test_a_report_near_an_open_case_is_proposed_to_the_centre_the_nearest_first(city):
    first, second = again(city, 1, metres=20), again(city, 2, metres=5)
    again(city, 3, metres=31)  # this category allows thirty
    again(city, 4, metres=1, category="07-001")
    city.clock.advance(hours=3)
    incident = again(city, 5)

    file = casefile.show_incident(city.session, city["centre"], incident.number)

    assert [(one.number, round(one.distance_m)) for one in file.proposals] == [
        (second.number, 5),
        (first.number, 20),
    ]
    assert casefile.show_incident(city.session, city["leader"], incident.number).proposals == ()
    assert intake.proposals(city.session, first, city["centre"].scope) == []  # nothing came before it


def test_a_report_without_a_category_is_proposed_by_the_radius_of_each(city):
    parked = again(city, 1, metres=80, category="07-001")
    again(city, 2, metres=80, category="02-001")
    incident = again(city, 3, category=None)

    assert [one.number for one in intake.proposals(city.session, incident, city["centre"].scope)] == [
        parked.number
    ]


def test_what_lies_in_another_town_is_not_proposed(city):
    edge = {"lon": 117.04 + 5 * METRE, "lat": 36.01}
    again(city, 1, metres=(117.04 - 117.005) / METRE + 5)
    incident = again(city, 2, metres=(117.04 - 117.005) / METRE - 5)

    assert edge["lon"] > 117.04
    assert incident.grid_code.startswith("990101001")
    assert intake.proposals(city.session, incident, city["centre"].scope) == []
    assert len(intake.proposals(city.session, incident, city["platform"].scope)) == 1


def test_a_merged_report_ends_with_all_that_it_has_and_its_reporter_is_kept(city):
    master = again(city, 1)
    incidents.accept(city.session, master.number, by=city["centre"], now=city.clock())
    incident = again(city, 2, metres=10)
    incidents.accept(city.session, incident.number, by=city["centre"], now=city.clock())
    due = master.due_at

    merged(city, incident, master)

    assert (incident.status, incident.master_id) == (IncidentStatus.MERGED, master.id)
    assert city.clocks(incident) == {}
    assert city.outcomes(incident, "handle") == ["void"]
    assert city.whistle(incident, 1).status is WhistleStatus.WITHDRAWN
    assert city.whistle(incident, 1).ended_at == city.clock()
    assert (master.status, master.due_at) == (IncidentStatus.HANDLING, due)
    assert [one.phone for one in reporters(city.session, master.id)] == ["13800000001", "13800000002"]
    assert city.steps(master)[-1] == "incident.joined"
    assert city.told("leader")[-1] == "incident.joined"
    for case in (incident, master):
        assert trace.first_broken(city.session, case) is None


def test_a_late_case_stays_late_though_it_is_merged(city):
    master = again(city, 1)
    incident = again(city, 2)
    incidents.accept(city.session, incident.number, by=city["centre"], now=city.clock())
    city.clock.set(incident.due_at + timedelta(minutes=1))

    merged(city, incident, master)

    assert incident.first_overdue_at == incident.due_at
    assert city.outcomes(incident, "handle") == ["missed"]
    assert city.outcomes(incident, "community") == ["void"]


@pytest.mark.parametrize(
    ("report", "code"),
    [
        ({"metres": 31}, "too_far_apart"),
        ({"category": "07-001"}, "another_category"),
    ],
)
def test_what_is_not_the_same_thing_is_not_merged(city, report, code):
    master, incident = again(city, 1), again(city, 2, **report)

    with pytest.raises(Conflict) as refusal:
        merged(city, incident, master)

    assert refusal.value.code == code
    assert incident.status is IncidentStatus.REPORTED


def test_reports_of_more_than_seven_days_apart_are_not_merged(city):
    master = again(city, 1)
    city.clock.advance(days=7)
    in_time = again(city, 2)
    city.clock.advance(seconds=1)
    late = again(city, 3)

    merged(city, in_time, master)
    with pytest.raises(Conflict) as refusal:
        merged(city, late, master)

    assert refusal.value.code == "too_long_apart"


def test_a_report_without_a_category_joins_a_case_that_has_one_and_two_without_do_not(city):
    master, incident = again(city, 1), again(city, 2, category=None)
    other = again(city, 3, category=None)

    with pytest.raises(Conflict) as refusal:
        merged(city, incident, other)
    merged(city, incident, master)

    assert refusal.value.code == "category_needed"
    assert incident.status is IncidentStatus.MERGED


def test_a_matter_without_a_place_is_merged_where_one_person_repeats_it(city):
    wages = {"category": "12-001"}
    one = city.report(**wages, **at(0), reporter_phone="13800000001")
    same = city.report(**wages, **at(400), reporter_phone="13800000001")
    other = city.report(**wages, **at(0), reporter_phone="13800000002")

    merged(city, same, one)
    with pytest.raises(Conflict) as refusal:
        merged(city, other, one)

    assert same.status is IncidentStatus.MERGED
    assert refusal.value.code == "no_merge_radius"


@pytest.mark.parametrize("how", ["merged", "rejected", "cancelled"])
def test_a_case_that_has_ended_is_no_master(city, how):
    master, ended, incident = again(city, 1), again(city, 2), again(city, 3)
    if how == "merged":
        merged(city, ended, master)
    elif how == "rejected":
        turn_down(city, ended, RejectReason.NO_CONTENT, "无")
    else:
        intake.cancel(city.session, ended.number, reason="误报", by=city["hotline"], now=city.clock())

    with pytest.raises(Conflict) as refusal:
        merged(city, incident, ended)

    assert refusal.value.code == "master_ended"


def test_what_is_reported_after_a_case_was_resolved_is_not_hidden_in_it(city):
    master = again(city, 1)
    incidents.accept(city.session, master.number, by=city["centre"], now=city.clock())
    before = again(city, 2)
    city.clock.advance(minutes=5)
    whistles.solve(
        city.session, city.whistle(master, 1).number, result="已清", by=city["leader"], now=city.clock()
    )
    city.clock.advance(minutes=5)
    after = again(city, 3)

    merged(city, before, master)
    with pytest.raises(Conflict) as refusal:
        merged(city, after, master)

    assert refusal.value.code == "master_resolved"
    assert intake.proposals(city.session, after, city["centre"].scope) == []


def test_a_report_is_not_merged_into_itself_nor_into_what_is_out_of_sight(city):
    incident = again(city, 1)
    elsewhere = city.report(code="990101002001001", category="02-001")

    for master, code in (
        (incident.number, "merged_into_itself"),
        (elsewhere.number, "no_such_master"),
        ("9" * 19, "no_such_master"),
    ):
        with pytest.raises(InvalidInput) as refusal:
            intake.merge(city.session, incident.number, master=master, by=city["centre"], now=city.clock())
        assert (refusal.value.code, refusal.value.facts["field"]) == (code, "master")


def called(city, incident):
    """Accept a case and draft a whistle for the departments of the list, for the leader to confirm."""
    accept(city, incident, level=WhistleLevel.THIRD)
    third = city.whistle(incident, 3)
    draft = Draft(
        reason="街道无执法权", appointed_at=city.clock() + timedelta(hours=3), appointed_place="居委会"
    )
    joint.submit(city.session, third.number, draft, by=city["office"], now=city.clock())
    return third


def test_a_drafted_whistle_ends_with_its_case_and_one_that_called_departments_keeps_it(city):
    master, drafted, out = again(city, 1), again(city, 2), again(city, 3)
    called(city, drafted)
    third = called(city, out)
    joint.confirm(city.session, third.number, by=city["town"], now=city.clock())

    merged(city, drafted, master)
    with pytest.raises(Conflict) as refusal:
        merged(city, out, master)
    with pytest.raises(Conflict):
        intake.cancel(city.session, out.number, reason="误报", by=city["centre"], now=city.clock())

    assert city.whistle(drafted, 3).status is WhistleStatus.WITHDRAWN
    assert city.outcomes(drafted, "confirm") == ["void"]
    assert refusal.value.code == "departments_called"
    offered = {
        (a.machine, a.action)
        for a in casefile.show_incident(city.session, city["centre"], out.number).actions
    }
    assert not offered & {("incident", "merge"), ("incident", "cancel")}
    merged(city, master, out)
    assert master.master_id == out.id


def test_two_merges_that_cross_have_one_winner_and_nobody_waits_for_ever(committed_city):
    city = committed_city
    pairs = [(again(city, 2 * n), again(city, 2 * n + 1)) for n in range(6)]
    city.session.commit()
    numbers = [(a.number, b.number) for a, b in pairs]
    won: list[str] = []
    lost: list[CityError] = []
    gate = Barrier(2)

    def run(swap: bool) -> None:
        for a, b in numbers:
            one, other = (b, a) if swap else (a, b)
            gate.wait()
            with Session(city.session.get_bind()) as session:
                try:
                    intake.merge(session, one, master=other, by=city["centre"], now=city.clock())
                    session.commit()
                    won.append(one)
                except CityError as refused:
                    session.rollback()
                    lost.append(refused)

    threads = [Thread(target=run, args=(swap,)) for swap in (False, True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(won) == len(lost) == len(numbers)
    assert {refused.code for refused in lost} <= {"master_ended", "illegal_transition"}


# -- C5: merging loses nobody


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_however_reports_are_merged_everybody_who_reported_is_called(city, seed):
    chance = random.Random(seed)
    count = 14
    cases = [
        again(
            city,
            chance.randint(1, 10),
            metres=chance.uniform(0, 10),
            category=chance.choice(["02-001", None]),
        )
        for _ in range(count)
    ]
    accepted = 0
    for case in chance.sample(cases, 5):
        if case.status is IncidentStatus.REPORTED:
            accept(city, case, category="02-001")
            accepted += 1
    left = list(cases)
    while len(left) > 1:  # chains and bushes of whatever depth
        one, other = chance.sample(left, 2)
        if one.category_code is None and other.category_code is None:
            accept(city, other, category="02-001")
        merged(city, one, other)
        left.remove(one)
    (master,) = left
    if master.status is not IncidentStatus.HANDLING:
        accept(city, master, category="02-001")
    everybody = set(
        city.session.scalars(select(Reporter.phone).where(Reporter.incident_id.in_([c.id for c in cases])))
    )
    whistle = city.session.scalars(
        select(Whistle).where(Whistle.incident_id == master.id).order_by(Whistle.id.desc())
    ).first()
    whistles.solve(city.session, whistle.number, result="已清", by=city["leader"], now=city.clock())
    incidents.verify(city.session, master.number, passed=True, by=city["office"], now=city.clock())

    rung: list[str] = []
    while master.status is IncidentStatus.VERIFIED:
        first = callbacks.to_call(city.session, master)[0]
        rung.append(first.phone)
        yes = CallbackAnswer(reached=True, solved=Solved.YES, satisfaction=5, reporter_id=first.id)
        callbacks.callback(city.session, master.number, yes, by=city["callback"], now=city.clock())

    assert accepted
    assert sorted(rung) == sorted(everybody)  # everybody, and nobody twice
    assert master.status is IncidentStatus.CLOSED
    assert {c.status for c in cases if c is not master} == {IncidentStatus.MERGED}
    running = city.session.scalars(
        select(Deadline).where(Deadline.incident_id.in_([c.id for c in cases]), Deadline.settled_at.is_(None))
    ).all()
    assert running == []


# -- I14: called off


def test_a_report_is_called_off_with_a_reason_and_its_whistle_ends(city):
    incident = city.accepted()

    intake.cancel(city.session, incident.number, reason="反映人撤回", by=city["hotline"], now=city.clock())

    assert incident.status is IncidentStatus.CANCELLED
    assert city.clocks(incident) == {}
    assert city.whistle(incident, 1).status is WhistleStatus.WITHDRAWN
    with pytest.raises(InvalidInput):
        intake.cancel(city.session, city.report().number, reason="", by=city["hotline"], now=city.clock())


def test_a_citizen_calls_off_only_their_own_report(city):
    me = Actor(city["worker2"].person_id, "市民", Role.CITIZEN, "", "990101")
    mine, theirs = city.report(**CITIZEN), city.report(**CITIZEN)
    mine.reported_by_id = me.person_id
    city.session.flush()

    with pytest.raises(Forbidden) as refusal:
        intake.cancel(city.session, theirs.number, reason="误报", by=me, now=city.clock())
    intake.cancel(city.session, mine.number, reason="已自行解决", by=me, now=city.clock())

    assert refusal.value.code == "not_your_report"
    assert mine.status is IncidentStatus.CANCELLED


def test_what_others_reported_too_is_not_called_off(city):
    master, incident = again(city, 1), again(city, 2)
    merged(city, incident, master)

    with pytest.raises(Conflict) as refusal:
        intake.cancel(city.session, master.number, reason="误报", by=city["centre"], now=city.clock())

    assert refusal.value.code == "others_reported"
    actions = casefile.show_incident(city.session, city["centre"], master.number).actions
    assert "cancel" not in {one.action for one in actions}


# -- I7: how bad it is


def grades(incident):
    return [
        (e["chose"], e["because"], e["facts"].get("reasons"))
        for e in incident.explanation
        if e["what"] == "grade"
    ]


def test_a_case_that_is_worse_than_thought_is_due_earlier_at_once(city):
    incident = city.accepted()
    first = incident.due_at
    city.clock.advance(hours=1)

    regrading.regrade(
        city.session, incident.number, grade=Grade.RED, reason="有人受伤", by=city["centre"], now=city.clock()
    )

    assert incident.grade is Grade.RED
    clocks = city.session.scalars(
        select(Deadline)
        .where(Deadline.incident_id == incident.id, Deadline.kind == "handle")
        .order_by(Deadline.id)
    ).all()
    if incident.due_at == first:  # its own limit falls due sooner than any ceiling from now on
        assert len(clocks) == 1
    assert grades(incident)[-1][:2] == ("red", "regraded")
    assert "incident.regraded" in city.told("town")


def test_the_tighter_due_moment_takes_the_place_of_the_old_one_which_stays_to_be_read(city):
    incident = again(city, 1, category="01-001")  # three working days, green
    accept(city, incident)
    first = incident.due_at
    city.clock.advance(minutes=30)

    regrading.regrade(
        city.session, incident.number, grade=Grade.RED, reason="塌陷扩大", by=city["centre"], now=city.clock()
    )

    old, new = city.session.scalars(
        select(Deadline)
        .where(Deadline.incident_id == incident.id, Deadline.kind == "handle")
        .order_by(Deadline.id)
    ).all()
    assert (old.due_at, old.outcome.value) == (first, "moved")
    assert (new.replaces_id, new.because.value) == (old.id, "regrade")
    assert new.due_at == city.clock() + timedelta(hours=24) == incident.due_at
    assert new.limit == {"value": 24, "unit": "natural_hour"}
    due = [e for e in incident.explanation if e["what"] == "due"][-1]
    assert due["facts"]["clock_from"] == "regrade"


def test_a_grade_falls_by_the_platform_only_and_no_due_moment_moves(city):
    incident = city.accepted()
    due = incident.due_at
    told = {"reason": "已无危险", "now": city.clock()}

    with pytest.raises(Forbidden) as refusal:
        regrading.regrade(city.session, incident.number, grade=Grade.GREEN, by=city["centre"], **told)
    regrading.regrade(city.session, incident.number, grade=Grade.GREEN, by=city["platform"], **told)

    assert refusal.value.code == "grade_falls"
    assert (incident.grade, incident.due_at) == (Grade.GREEN, due)
    assert city.clocks(incident)["handle"] == due
    with pytest.raises(InvalidInput) as same:
        regrading.regrade(city.session, incident.number, grade=Grade.GREEN, by=city["platform"], **told)
    assert same.value.code == "same_grade"


def test_five_people_who_report_it_raise_it_by_one_step_and_only_once(city):
    master = again(city, 1)
    incidents.accept(city.session, master.number, by=city["centre"], now=city.clock())
    assert master.grade is Grade.GREEN
    for n in range(2, 5):
        merged(city, again(city, n), master)
    merged(city, again(city, 4), master)  # the fourth person once more
    assert (how_many(city.session, master.id), master.grade) == (4, Grade.GREEN)

    merged(city, again(city, 5), master)
    merged(city, again(city, 6), master)

    assert master.grade is Grade.BLUE
    assert grades(master)[-1] == ("blue", "raised", ["many_reporters"])
    assert city.steps(master).count("incident.regrade") == 1


def test_a_crowd_without_names_raises_nothing(city):
    master = again(city, 1)
    incidents.accept(city.session, master.number, by=city["centre"], now=city.clock())
    for _ in range(8):
        merged(city, city.report(category="02-001", reporter_name=None, reporter_phone=None, **at(1)), master)

    assert master.grade is Grade.GREEN


def test_five_reports_before_it_is_accepted_count_when_it_is(city):
    master = again(city, 1)
    for n in range(2, 6):
        merged(city, again(city, n), master)

    incidents.accept(city.session, master.number, by=city["centre"], now=city.clock())

    assert master.grade is Grade.BLUE
    assert grades(master) == [("blue", "raised", ["many_reporters"])]


def settled(city, n, **said):
    case = again(city, n, **said)
    incidents.accept(city.session, case.number, by=city["centre"], now=city.clock())
    city.clock.advance(minutes=10)
    whistles.solve(
        city.session, city.whistle(case, 1).number, result="已清", by=city["leader"], now=city.clock()
    )
    incidents.verify(city.session, case.number, passed=True, by=city["worker"], now=city.clock())
    yes = CallbackAnswer(reached=True, solved=Solved.YES, satisfaction=5)
    callbacks.callback(city.session, case.number, yes, by=city["callback"], now=city.clock())
    city.clock.advance(days=2)
    return case


def test_what_comes_back_a_third_time_in_thirty_days_is_worse(city):
    first, second = settled(city, 1), settled(city, 2, metres=20)
    third = settled(city, 3, metres=10)
    far = settled(city, 4, metres=60)
    city.clock.advance(days=30)
    later = settled(city, 5, metres=10)

    assert [case.grade.value for case in (first, second, third, far, later)] == [
        "green",
        "green",
        "blue",
        "green",
        "green",
    ]
    assert grades(third) == [("blue", "raised", ["keeps_returning"])]


@pytest.mark.parametrize("stated", [RaiseReason.TRAPPED, RaiseReason.CASUALTIES, RaiseReason.FIRE])
def test_people_in_danger_make_it_red_whatever_its_category(city, stated):
    incident = city.report(category="02-001")
    city.clock.advance(hours=1)

    incidents.accept(
        city.session, incident.number, circumstances=[stated], by=city["centre"], now=city.clock()
    )

    assert incident.grade is Grade.RED
    assert incident.due_at <= incident.received_at + timedelta(hours=24)
    assert city.whistle(incident, 3) is not None
    assert grades(incident) == [("red", "raised", [stated.value])]


def test_a_school_near_by_is_one_step_and_rain_counts_for_water_only(city):
    school = city.report(category="02-001")
    rain = city.report(category="02-001")
    said = {"by": city["centre"], "now": city.clock()}

    incidents.accept(city.session, school.number, circumstances=[RaiseReason.NEAR_SCHOOL_OR_HOSPITAL], **said)
    incidents.accept(city.session, rain.number, circumstances=[RaiseReason.RAIN_WARNING], **said)

    assert (school.grade, rain.grade) == (Grade.BLUE, Grade.GREEN)


def test_nobody_states_what_the_system_counts_nor_a_grade_below_what_they_state(city):
    incident = city.report()
    said = {"by": city["centre"], "now": city.clock()}

    with pytest.raises(InvalidInput) as counted:
        incidents.accept(city.session, incident.number, circumstances=[RaiseReason.MANY_REPORTERS], **said)
    with pytest.raises(InvalidInput) as below:
        incidents.accept(
            city.session,
            incident.number,
            grade=Grade.YELLOW,
            reason="不急",
            circumstances=[RaiseReason.FIRE],
            **said,
        )

    assert counted.value.code == "not_to_be_stated"
    assert below.value.code == "grade_below_circumstances"
    assert incident.status is IncidentStatus.REPORTED
