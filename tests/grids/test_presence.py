"""Who came to the place: the department's word, the town's, the clock's, and what they come to, on a real PostGIS."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from gis.errors import Conflict, Forbidden, InvalidInput, NotFound
from grids import casefile, deadlines, outbox, trace
from grids.acts import callbacks, incidents, joint, presence, scores, tasks, together, whistles
from grids.acts.callbacks import CallbackAnswer
from grids.acts.joint import Draft
from grids.acts.presence import CheckIn
from grids.rules.permissions import Role
from grids.rules.tasks import CheckInMethod, TaskRole
from grids.rules.whistles import WhistleLevel, WhistleType
from grids.tables import Attendance, Category, Deadline, Post, Solved

pytestmark = pytest.mark.database

BODIES = ("SCJG", "CG", "GA")


@pytest.fixture
def called(city):
    """A case for which three departments are called for six in the evening; SCJG leads."""
    return called_out(city)


def called_out(city, bodies=BODIES):
    session, now = city.session, city.clock()
    incident = city.accepted(WhistleLevel.SECOND)
    second = city.whistle(incident, 2)
    liaison = {"liaison_name": "李芳", "liaison_phone": "13912345678"}
    whistles.file(session, second.number, **liaison, by=city["centre"], now=now)
    whistles.assign(session, second.number, office="办", instruction="去", by=city["centre"], now=now)
    pairs = tuple((code, TaskRole.COOPERATING if n else TaskRole.LEAD) for n, code in enumerate(bodies))
    draft = Draft(
        type=WhistleType.JOINT_ENFORCEMENT,
        reason="街道无执法权",
        departments=pairs,
        appointed_at=now + timedelta(hours=9),
        appointed_place="升平巷车库",
    )
    third = joint.blow(
        session, incident.number, level=WhistleLevel.THIRD, draft=draft, by=city["office"], now=now
    )
    joint.confirm(session, third.number, by=city["town"], now=now)
    return incident


def respond(city, incident, code):
    task = city.tasks(incident)[code]
    staff = {"staff_name": "赵某", "staff_phone": "13612345678"}
    return tasks.respond(city.session, task.id, **staff, by=city[code], now=city.clock())


def at_the_place(city, incident, **said):
    lon, lat = city.centre_of(incident.grid_code)
    told = {"method": CheckInMethod.GPS, "lon": lon, "lat": lat, "frame": "WGS84", "accuracy_m": 9.0}
    return CheckIn(**told | said)


def come(city, incident, code, how=None, by=None, **said):
    task = city.tasks(incident)[code]
    how = how or at_the_place(city, incident, **said)
    return presence.check_in(city.session, task.id, how, by=city[by or code], now=city.clock())


def by_hand(reason="现场登记"):
    return CheckIn(CheckInMethod.MANUAL, reason=reason)


@pytest.fixture
def promised(city, called):
    """The same at the appointed time, after all three have answered."""
    for code in BODIES:
        respond(city, called, code)
    city.clock.advance(hours=9)
    return called


def town_says(city, incident, code, came, by="office", comment="没见到人"):
    act = presence.confirm_presence if came else presence.deny_presence
    return act(city.session, city.tasks(incident)[code].id, comment=comment, by=city[by], now=city.clock())


def said_of(city, incident, code):
    task = city.tasks(incident)[code]
    return presence.attendances(city.session, [task.id])[task.id]


# -- two sides


def test_what_a_department_says_of_itself_counts_until_the_town_has_spoken(city, promised):
    task = come(city, promised, "CG")

    assert (task.status, task.presence, task.minutes_late) == ("checked_in", "claimed", 0)
    assert city.told("office")[-1] == "task.checked_in"
    assert city.outcomes(promised, "check_in").count("met") == 1


def test_the_towns_word_makes_it_certain_and_both_words_are_kept(city, promised):
    come(city, promised, "CG")

    task = town_says(city, promised, "CG", True, comment=None)

    assert (task.status, task.presence) == ("checked_in", "confirmed")
    assert [(word.witness, word.came) for word in said_of(city, promised, "CG")] == [
        ("department", True),
        ("town", True),
    ]


def test_what_the_town_itself_registers_is_confirmed_at_once(city, promised):
    task = come(city, promised, "CG", by_hand(), by="office")

    assert (task.presence, task.check_in_method) == ("confirmed", "manual")
    assert "task.checked_in" not in city.told("office")


def test_a_contradiction_is_a_recorded_state_that_both_sides_and_the_auditor_hear_of(city, promised):
    come(city, promised, "CG")

    task = town_says(city, promised, "CG", False)

    assert (task.status, task.presence) == ("checked_in", "contradicted")  # nothing is taken back by itself
    assert city.told("CG")[-1] == "task.contradicted"
    assert city.told("auditor")[-1] == "task.contradicted"
    seen = casefile.show_whistle(city.session, city["CG"], city.whistle(promised, 3).number)
    assert [word.reason for word in seen.words[task.id]] == [None, "没见到人"]
    assert town_says(city, promised, "CG", True).presence == "confirmed"


@pytest.mark.parametrize(("came", "before"), [(True, None), (False, None), (True, True), (False, False)])
def test_the_town_says_what_is_to_be_said_and_says_it_once(city, promised, came, before):
    if before is not None:
        come(city, promised, "CG")
        town_says(city, promised, "CG", before)
    steps = city.steps(promised)

    with pytest.raises(Conflict) as refusal:
        town_says(city, promised, "CG", came)

    assert refusal.value.code == "no_claim"
    assert city.steps(promised) == steps


def test_a_department_confirms_nobody(city, promised):
    come(city, promised, "CG")

    with pytest.raises((Forbidden, NotFound)):
        town_says(city, promised, "CG", True, by="GA")
    with pytest.raises(Forbidden):
        town_says(city, promised, "CG", True, by="CG")


# -- nobody came


def fire(city):
    city.clock.advance(seconds=2)
    done = deadlines.fire_due(city.session, city.clock())
    assert not done.stuck
    city.session.expire_all()


def test_who_does_not_come_is_on_record_when_the_grace_is_over(city, promised):
    come(city, promised, "SCJG")
    city.clock.advance(minutes=15)
    fire(city)

    found = {code: task.presence for code, task in city.tasks(promised).items()}

    assert found == {"SCJG": "claimed", "CG": "no_show", "GA": "no_show"}
    assert city.steps(promised).count("incident.no_show") == 2
    assert city.told("office").count("task.no_show") == 2
    assert city.told("CG").count("clock.check_in") == 1
    assert city.told("SCJG").count("clock.check_in") == 0


def test_who_comes_late_is_still_taken_and_its_minutes_are_counted(city, promised):
    city.clock.advance(minutes=40)
    fire(city)

    task = come(city, promised, "CG")

    assert (task.status, task.presence, task.minutes_late) == ("checked_in", "claimed", 40)
    assert city.outcomes(promised, "check_in") == ["missed"] * 3


def test_who_never_answered_and_never_came_is_a_no_show_too(city, called):
    city.clock.advance(hours=9, minutes=15)
    fire(city)

    assert {task.presence for task in city.tasks(called).values()} == {"no_show"}


def test_nobody_has_to_come_whom_the_town_lets_work_from_afar(city, promised):
    task = city.tasks(promised)["CG"]

    presence.start_remote(city.session, task.id, reason="线上核查许可", by=city["office"], now=city.clock())
    city.clock.advance(minutes=16)
    fire(city)

    assert (task.status, task.presence, task.remote_reason) == ("in_action", None, "线上核查许可")
    assert "void" in city.outcomes(promised, "check_in")
    assert city.told("CG")[-1] == "task.remote"


def test_a_department_does_not_let_itself_off(city, promised):
    with pytest.raises(Forbidden):
        presence.start_remote(
            city.session, city.tasks(promised)["CG"].id, reason="忙", by=city["CG"], now=city.clock()
        )


# -- how somebody shows it


def test_the_code_at_the_place_is_a_check_in_for_those_without_a_position(city, promised):
    number = city.whistle(promised, 3).number
    code = presence.shown_code(city.session, city["office"], number, city.clock())

    task = come(city, promised, "CG", CheckIn(CheckInMethod.CODE, code=code.digits))

    assert (task.presence, task.check_in_method) == ("claimed", "code")
    assert said_of(city, promised, "CG")[0].flags == ["no_point"]


def test_a_code_that_was_shown_half_an_hour_ago_shows_nothing(city, promised):
    number = city.whistle(promised, 3).number
    code = presence.shown_code(city.session, city["office"], number, city.clock() - timedelta(minutes=30))

    with pytest.raises(InvalidInput) as refusal, city.session.begin_nested():
        come(city, promised, "CG", CheckIn(CheckInMethod.QR, code=code.digits))

    assert refusal.value.code == "wrong_code"
    assert said_of(city, promised, "CG") == []


def test_each_whistle_has_a_code_of_its_own_which_only_the_town_sees(city, promised):
    session, now = city.session, city.clock()
    first = city.whistle(promised, 3).number
    second = city.whistle(called_out(city), 3).number
    shown = [presence.shown_code(session, city["office"], number, now).digits for number in (first, second)]

    assert shown[0] != shown[1]
    for login in ("CG", "platform", "auditor"):
        with pytest.raises(Forbidden):
            presence.shown_code(session, city[login], first, now)
    for login in ("centre2", "JJ"):
        with pytest.raises(NotFound):
            presence.shown_code(session, city[login], first, now)


def test_no_code_is_shown_where_nobody_is_to_come(city, promised):
    second = city.whistle(promised, 2).number

    with pytest.raises(Conflict) as refusal:
        presence.shown_code(city.session, city["office"], second, city.clock())

    assert refusal.value.code == "no_code"


def test_an_unsharp_position_is_judged_with_its_accuracy(city, promised):
    lon, _ = city.centre_of(promised.grid_code)
    beside = {"lon": lon + 0.0028}  # some 252 m

    with pytest.raises(InvalidInput) as refusal, city.session.begin_nested():
        come(city, promised, "CG", **beside)
    task = come(city, promised, "CG", **beside, accuracy_m=60.0)

    assert refusal.value.facts["field"] == "reason"
    assert task.check_in_distance_m == pytest.approx(252, abs=1)
    assert said_of(city, promised, "CG")[0].flags == []


# -- what is doubtful


def test_flags_are_for_the_town_to_look_at_and_turn_nobody_away(city, promised):
    come(city, promised, "CG", device="one-telephone")
    task = come(city, promised, "GA", device="one-telephone", lon=117.03, reason="堵车", accuracy_m=500.0)

    assert task.status == "checked_in"
    assert said_of(city, promised, "GA")[0].flags == ["far", "coarse", "same_device"]


def test_nobody_is_at_two_places_at_once(city, promised):
    other = called_out(city, ("CG",))
    respond(city, other, "CG")
    come(city, promised, "CG")
    city.clock.advance(minutes=1)

    come(city, other, "CG", lon=117.2, reason="先到了路口")  # 17 km in a minute

    assert "fast" in said_of(city, other, "CG")[0].flags


def test_what_was_made_without_a_network_counts_when_it_arrives_until_the_town_confirms_it(city, promised):
    made = city.clock()
    city.clock.advance(minutes=35)
    fire(city)
    how = {"claimed_at": made, "sent_at": city.clock(), "client_key": "0123456789abcdef"}

    task = come(city, promised, "CG", **how)
    word = said_of(city, promised, "CG")[0]
    before = (task.presence, task.minutes_late)
    town_says(city, promised, "CG", True)

    assert (word.flags, word.claimed_at, word.recorded_at) == (["late_synced"], made, city.clock())
    assert before == ("claimed", 35)
    assert (task.minutes_late, task.checked_in_at) == (0, made)


def test_what_is_sent_twice_is_one_record(city, promised):
    how = {"claimed_at": city.clock(), "client_key": "0123456789abcdef"}
    come(city, promised, "CG", **how)
    steps = city.steps(promised)

    again = come(city, promised, "CG", **how)

    assert again.status == "checked_in"
    assert len(said_of(city, promised, "CG")) == 1
    assert city.steps(promised) == steps


def test_a_wrong_clock_is_flagged(city, promised):
    come(city, promised, "CG", sent_at=city.clock() + timedelta(hours=8), claimed_at=city.clock())

    assert said_of(city, promised, "CG")[0].flags == ["clock_off"]


# -- what is offered


def offered(city, incident, login):
    file = casefile.show_whistle(city.session, city[login], city.whistle(incident, 3).number)
    codes = {str(task.id): code for code, task in city.tasks(incident).items()}
    return {(codes.get(act.key, "whistle"), act.action) for act in file.actions}


def test_the_town_is_asked_about_those_who_say_they_came(city, promised):
    come(city, promised, "CG")

    now = offered(city, promised, "office")

    assert {("CG", "confirm_presence"), ("CG", "deny_presence"), ("GA", "check_in")} <= now
    assert ("GA", "confirm_presence") not in now
    assert ("CG", "check_in") not in now


def test_the_lead_begins_for_all_and_others_only_where_it_does_not(city, promised):
    for code in ("SCJG", "CG"):
        come(city, promised, code)
    assert ("SCJG", "start") in offered(city, promised, "SCJG")
    assert ("CG", "start") not in offered(city, promised, "CG")

    tasks.start(city.session, city.tasks(promised)["SCJG"].id, by=city["SCJG"], now=city.clock())
    come(city, promised, "GA")

    assert ("GA", "start") in offered(city, promised, "GA")


def test_where_the_lead_did_not_come_the_others_begin(city, promised):
    come(city, promised, "CG")
    city.clock.advance(minutes=15)
    fire(city)

    assert ("CG", "start") in offered(city, promised, "CG")


# -- together


@pytest.fixture
def acting(city, promised):
    for code in ("SCJG", "CG"):
        come(city, promised, code)
    tasks.start(city.session, city.tasks(promised)["SCJG"].id, by=city["SCJG"], now=city.clock())
    return promised


def action(city, incident):
    return together.action_of(city.session, city.whistle(incident, 3).id)


def test_a_joint_action_says_who_took_part_with_whom(city, acting):
    come(city, acting, "GA")
    tasks.start(city.session, city.tasks(acting)["GA"].id, by=city["GA"], now=city.clock())

    assert [(one["department"], one["staff"], one["part"]) for one in action(city, acting).participants] == [
        ("SCJG", "赵某", "lead"),
        ("CG", "赵某", "cooperating"),
        ("GA", "赵某", "cooperating"),
    ]


def test_the_lead_says_what_was_done_and_the_town_what_follows(city, acting):
    number = city.whistle(acting, 3).number
    assert ("whistle", "end_action") in offered(city, acting, "SCJG")
    assert ("whistle", "end_action") not in offered(city, acting, "CG")
    city.clock.advance(hours=1)

    with pytest.raises(Forbidden):
        together.end_action(city.session, number, measures="取缔", by=city["CG"], now=city.clock())
    together.end_action(
        city.session,
        number,
        measures="取缔并处罚",
        documents=["莱市监罚〔2026〕7号", " "],
        by=city["SCJG"],
        now=city.clock(),
    )
    together.follow_up(city.session, number, text="帮商户在夜市找到摊位", by=city["office"], now=city.clock())

    done = action(city, acting)
    assert done.ended_at - done.started_at == timedelta(hours=1)
    assert (done.measures, done.documents) == ("取缔并处罚", ["莱市监罚〔2026〕7号"])
    assert done.follow_up == "帮商户在夜市找到摊位"
    assert ("whistle", "end_action") not in offered(city, acting, "SCJG")
    with pytest.raises(Conflict):
        together.end_action(city.session, number, measures="再来", by=city["SCJG"], now=city.clock())


# -- done, with evidence


def asked(city, incident):
    return list(city.session.get_one(Category, incident.category_code).evidence)


def complete(city, incident, code, evidence=(), **said):
    task = city.tasks(incident)[code]
    return tasks.complete(
        city.session, task.id, result="已处理", evidence=evidence, **said, by=city[code], now=city.clock()
    )


@pytest.fixture
def last_part(city, acting):
    """Everyone but the lead has done its part, and CG has shown one of the photographs."""
    come(city, acting, "GA")
    tasks.start(city.session, city.tasks(acting)["GA"].id, by=city["GA"], now=city.clock())
    complete(city, acting, "CG", ["after_photo"])
    complete(city, acting, "GA")
    return acting


def test_the_last_part_needs_the_whole_list_and_what_others_showed_counts(city, last_part):
    steps = city.steps(last_part)

    with pytest.raises(InvalidInput) as refusal:
        complete(city, last_part, "SCJG", ["licence_check"])

    missing = [name for name in asked(city, last_part) if name not in ("after_photo", "licence_check")]
    assert (refusal.value.code, refusal.value.facts["missing"]) == ("evidence_missing", missing)
    assert city.steps(last_part) == steps
    complete(city, last_part, "SCJG", ["licence_check", *missing])
    assert last_part.status == "resolved"


def test_a_reason_stands_for_what_there_is_none_of(city, last_part):
    shown = [name for name in asked(city, last_part) if name != "legal_document"]

    with pytest.raises(InvalidInput), city.session.begin_nested():
        complete(city, last_part, "SCJG", shown, without={"legal_document": " "})
    task = complete(city, last_part, "SCJG", shown, without={"legal_document": "当场改正,未立案"})

    assert task.evidence == [*shown, {"without": "legal_document", "reason": "当场改正,未立案"}]
    assert last_part.status == "resolved"


def test_what_still_runs_together_ends_with_the_last_part(city, last_part):
    complete(city, last_part, "SCJG", asked(city, last_part))

    assert (action(city, last_part).measures, action(city, last_part).ended_at) == ("已处理", city.clock())


# -- what a department reads


def test_a_department_reads_neither_the_callback_nor_the_marks_of_others(city, last_part):

    session, number = city.session, city.whistle(last_part, 3).number
    complete(city, last_part, "SCJG", asked(city, last_part))
    joint.verify(session, number, by=city["office"], now=city.clock())
    incidents.verify(session, last_part.number, passed=True, by=city["worker"], now=city.clock())
    answer = CallbackAnswer(reached=True, solved=Solved.YES, satisfaction=4, comment="还有点油烟味")
    callbacks.callback(session, last_part.number, answer, by=city["callback"], now=city.clock())
    for code, mark in (("CG", 61), ("GA", 97)):
        marks = {"response": mark, "handling": mark, "result": mark}
        task = city.tasks(last_part)[code]
        scores.score(session, task.id, **marks, by=city["office"], now=city.clock())

    def read(login):
        file = casefile.show_incident(session, city[login], last_part.number)
        return [(step.action, str(step.payload)) for step in file.trace]

    everything = read("platform")
    for mark in ("61", "97"):
        assert any(mark in said for _, said in everything), mark
    assert "callback" in [act for act, _ in everything]
    own = [said for act, said in read("CG") if act in ("score", "appraised")]
    assert any("61" in said for said in own)
    assert not any("97" in said for act, said in read("CG") if act in ("score", "appraised"))
    assert "callback" not in [act for act, _ in read("CG")]
    assert not [act for act, _ in read("SCJG") if act in ("score", "appraised", "callback")]


# -- the answer


def test_the_answer_reaches_the_town_as_a_message_without_a_whole_number(city, called):
    respond(city, called, "CG")

    message = outbox.unread(city.session, city["office"].person_id)[0]
    assert message.template == "task.responded"
    assert (message.facts["staff"], message.facts["phone"]) == ("赵某", "136****5678")


def test_nobody_promises_to_come_after_the_appointed_time(city, called):
    task = city.tasks(called)["CG"]
    staff = {"staff_name": "赵某", "staff_phone": "13612345678"}

    with pytest.raises(InvalidInput) as refusal:
        tasks.respond(
            city.session,
            task.id,
            **staff,
            arrives_at=city.clock() + timedelta(hours=9, seconds=1),
            by=city["CG"],
            now=city.clock(),
        )

    assert refusal.value.code == "late_arrival"


def test_the_history_of_all_this_holds_and_names_no_number(city, last_part):
    town_says(city, last_part, "CG", False)

    steps = trace.of_incident(city.session, last_part.id)

    assert trace.first_broken(city.session, last_part) is None
    assert "13612345678" not in str([step.payload for step in steps])


def test_words_are_added_and_the_clock_of_coming_ran_once(city, promised):
    come(city, promised, "CG")
    town_says(city, promised, "CG", False)
    town_says(city, promised, "CG", True)

    rows = city.session.scalars(select(Attendance).where(Attendance.incident_id == promised.id)).all()
    clocks = city.session.scalars(
        select(Deadline).where(Deadline.incident_id == promised.id, Deadline.kind == "check_in")
    ).all()
    assert [row.came for row in rows] == [True, False, True]
    assert len(clocks) == len(BODIES)


def test_an_empty_post_keeps_no_check_in_from_being_recorded(city, promised):
    for post in city.session.scalars(select(Post).where(Post.role == Role.TOWN_OFFICE)):
        post.on_duty = False
    city.session.flush()

    assert come(city, promised, "CG").presence == "claimed"
