"""Incidents from the report to the closed case, on a real PostGIS."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from gis.crs import from_storage
from gis.errors import Conflict, Forbidden, InvalidInput, NotFound
from grids import deadlines, trace
from grids.acts import callbacks, incidents, whistles
from grids.acts.callbacks import CallbackAnswer
from grids.rules.grading import Grade
from grids.rules.lifecycle import Channel, IncidentStatus
from grids.rules.permissions import Role
from grids.tables import Incident, Placement, Solved, Trace

pytestmark = pytest.mark.database


def test_a_report_lies_in_its_cell_and_the_town_hears_of_it(city):
    incident = city.report(code="990101001002001")

    assert (incident.grid_code, incident.placement) == ("990101001002001", Placement.INSIDE)
    assert incident.status is IncidentStatus.REPORTED
    assert incident.number.startswith("20260603990101")
    assert city.told("centre") == ["incident.reported"]
    assert city.told("centre2") == []
    assert list(city.clocks(incident)) == ["accept"]


def test_a_point_thirty_metres_from_the_border_says_so(city):
    incident = city.report(lon=117.0002, lat=36.01)

    assert incident.placement is Placement.BORDER
    assert incident.border_distance_m == pytest.approx(18.0, abs=0.1)


def test_a_point_on_a_shared_edge_goes_to_the_lower_code(city):
    assert city.report(lon=117.01, lat=36.01).grid_code == "990101001001001"


def test_a_point_outside_every_cell_is_kept_and_waits_to_be_placed(city):
    incident = city.report(lon=117.2, lat=36.01)

    assert (incident.placement, incident.grid_code) == (Placement.OUTSIDE, "990101")
    assert city.told("hotline") == ["incident.outside"]
    with pytest.raises(NotFound):  # no town may take it while it lies in none
        incidents.accept(city.session, incident.number, by=city["centre"], now=city.clock())

    placed = incidents.place(
        city.session, incident.number, code="990101002001002", by=city["platform"], now=city.clock()
    )

    assert (placed.grid_code, placed.placement) == ("990101002001002", Placement.MANUAL)
    assert city.told("centre2") == ["incident.reported"]
    incidents.accept(city.session, incident.number, by=city["centre2"], now=city.clock())
    assert incident.status is IncidentStatus.HANDLING


def test_a_phone_that_counts_in_gcj02_is_brought_to_the_right_cell(city):
    lon, lat = from_storage(117.0095, 36.01, "GCJ02")

    incident = city.report(lon=lon, lat=lat, frame="GCJ-02")

    assert incident.grid_code == "990101001001001"
    assert (incident.native_lon, incident.native_frame) == (lon, "GCJ02")
    # taken at its word as WGS84, the same numbers lie next door
    assert city.report(lon=lon, lat=lat, frame="WGS84").grid_code == "990101001001002"


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({"frame": "mars"}, "unknown_frame", "frame"),
        ({"lon": float("nan")}, None, "lon"),
        ({"lon": 117.005, "lat": 91.0}, None, "lat"),
        ({"category": "99-999"}, "unknown_category", "category"),
        ({"text": "   "}, "text_length", "text"),
        ({"text": "长" * 4001}, "text_length", "text"),
        ({"reporter_phone": "12345"}, "bad_phone", "reporter.phone"),
    ],
)
def test_bad_input_names_its_field_and_writes_nothing(city, said, code, field):
    before = city.session.scalar(select(func.count()).select_from(Incident))

    with pytest.raises(InvalidInput) as refusal, city.session.begin_nested():
        city.report(**said)

    if code:
        assert refusal.value.code == code
    if field:
        assert refusal.value.facts["field"] == field
    assert city.session.scalar(select(func.count()).select_from(Incident)) == before
    assert city.session.scalar(select(func.count()).select_from(Trace)) == 0


def test_swapped_axes_are_named_as_such(city):
    with pytest.raises(InvalidInput, match="swapped") as refusal:
        city.report(lon=36.01, lat=117.005)

    assert refusal.value.code == "axes_swapped"


@pytest.mark.parametrize("shift", [timedelta(minutes=10), timedelta(days=-400)])
def test_a_claimed_time_in_the_future_or_long_past_is_refused(city, shift):
    with pytest.raises(InvalidInput) as refusal:
        city.report(occurred_at=city.clock() + shift)

    assert refusal.value.facts["field"] == "occurred_at"


def test_accepting_fixes_grade_limits_and_people(city):
    incident = city.accepted()

    assert incident.status is IncidentStatus.HANDLING
    assert incident.grade is Grade.YELLOW
    assert incident.due_at == city.clock() + timedelta(hours=24)  # 24 urgent hours beat 2 working days
    assert incident.limits["response_minutes"] == 30
    names = {(p["role"], p["name"]) for p in incident.responsible["people"]}
    assert ("grid_leader", "leader") in names
    assert incident.responsible["departments"][0] == {"code": "SCJG", "role": "lead"}
    assert city.told("leader") == ["whistle.first"]


def test_a_grid_workers_own_find_is_whistled_at_once(city):
    incident = city.report(by="worker", channel=Channel.GRID_WORKER, category="02-001")

    assert incident.status is IncidentStatus.HANDLING
    assert city.whistle(incident, 1).area_code == "990101001001"
    assert incident.accepted_at == incident.received_at


def test_a_red_case_runs_from_the_report_and_calls_departments_at_once(city):
    incident = city.report(category="01-003")
    city.clock.advance(hours=3)

    incidents.accept(city.session, incident.number, by=city["centre"], now=city.clock())

    assert incident.due_at == incident.received_at + timedelta(hours=24)
    assert city.whistle(incident, 3).status == "drafted"
    assert city.told("office") == ["whistle.drafted"]


def test_another_grade_needs_a_reason(city):
    incident = city.report()

    with pytest.raises(InvalidInput) as refusal:
        incidents.accept(
            city.session, incident.number, grade=Grade.ORANGE, by=city["centre"], now=city.clock()
        )

    assert refusal.value.facts["field"] == "reason"


def test_a_case_is_accepted_once(city):
    incident = city.accepted()
    steps = city.steps(incident)

    with pytest.raises(Conflict) as refusal:
        incidents.accept(city.session, incident.number, by=city["centre"], now=city.clock())

    assert refusal.value.code == "illegal_transition"
    assert city.steps(incident) == steps


def test_what_lies_in_another_town_cannot_be_told_from_what_does_not_exist(city):
    incident = city.report()

    with pytest.raises(NotFound) as hidden:
        incidents.accept(city.session, incident.number, by=city["centre2"], now=city.clock())
    with pytest.raises(NotFound) as missing:
        incidents.accept(city.session, "20260603990101" + "99999", by=city["centre2"], now=city.clock())

    assert hidden.value.code == missing.value.code


@pytest.fixture
def solved(city):
    incident = city.accepted()
    whistles.solve(
        city.session, city.whistle(incident, 1).number, result="已劝离", by=city["leader"], now=city.clock()
    )
    return incident


def test_a_solved_whistle_resolves_the_incident_and_asks_for_a_check(city, solved):
    assert solved.status is IncidentStatus.RESOLVED
    assert list(city.clocks(solved)) == ["verify"]
    assert city.outcomes(solved, "handle") == ["met"]
    assert "incident.to_verify" in city.told("worker")


def test_nobody_verifies_their_own_work(city, solved):
    solved.handler_id = city["worker"].person_id

    with pytest.raises(Forbidden) as refusal:
        incidents.verify(city.session, solved.number, passed=True, by=city["worker"], now=city.clock())

    assert refusal.value.code == "own_work"


def test_a_failed_check_sends_it_back_and_its_old_due_moment_binds(city, solved):
    due = solved.due_at
    city.clock.advance(hours=5)

    incidents.verify(
        city.session, solved.number, passed=False, comment="又摆出来了", by=city["worker"], now=city.clock()
    )

    assert (solved.status, solved.rework_count) == (IncidentStatus.HANDLING, 1)
    assert city.clocks(solved) == {"handle": due}
    assert city.whistle(solved, 1).status == "handling"


@pytest.fixture
def verified(city, solved):
    incidents.verify(city.session, solved.number, passed=True, by=city["worker"], now=city.clock())
    return solved


def call(city, incident, **answer):
    told = {"reached": True, "solved": Solved.YES, "satisfaction": 5} | answer
    return callbacks.callback(
        city.session, incident.number, CallbackAnswer(**told), by=city["callback"], now=city.clock()
    )


def test_a_satisfied_reporter_closes_the_case(city, verified):
    call(city, verified)

    assert verified.status is IncidentStatus.CLOSED
    assert city.clocks(verified) == {}
    assert trace.first_broken(city.session, verified) is None


@pytest.mark.parametrize("answer", [{"solved": Solved.NO}, {"satisfaction": 2}])
def test_a_dissatisfied_reporter_reopens_it_and_the_first_due_moment_stays(city, verified, answer):
    due = verified.due_at

    call(city, verified, **answer)

    assert (verified.status, verified.round, verified.due_at) == (IncidentStatus.HANDLING, 2, due)
    assert city.steps(verified)[-4:] == [
        "incident.callback",
        "incident.close",
        "incident.reopen",
        "whistle.blow",
    ]
    assert "handle" in city.clocks(verified)


def test_unreachable_means_three_tries_on_two_days(city, verified):
    for _ in range(3):
        call(city, verified, reached=False, solved=None, satisfaction=None)
    assert verified.status is IncidentStatus.VERIFIED
    city.clock.advance(days=1)

    call(city, verified, reached=False, solved=None, satisfaction=None)

    assert verified.status is IncidentStatus.CLOSED


def test_a_reached_reporter_says_both_things(city, verified):
    with pytest.raises(InvalidInput) as refusal:
        call(city, verified, satisfaction=None)

    assert refusal.value.facts["field"] == "satisfaction"


def test_a_case_without_a_reporter_closes_when_it_is_verified(city):
    incident = city.report(
        by="worker", channel=Channel.GRID_WORKER, category="02-001", reporter_name=None, reporter_phone=None
    )
    number = city.whistle(incident, 1).number
    whistles.solve(city.session, number, result="已清理", by=city["leader"], now=city.clock())

    incidents.verify(city.session, incident.number, passed=True, by=city["office"], now=city.clock())

    assert incident.status is IncidentStatus.CLOSED


def test_a_closed_case_is_reopened_with_a_reason(city, verified):
    call(city, verified)
    with pytest.raises(InvalidInput):
        callbacks.reopen(city.session, verified.number, reason=" ", by=city["callback"], now=city.clock())

    callbacks.reopen(city.session, verified.number, reason="复发", by=city["callback"], now=city.clock())

    assert verified.round == 2
    assert city.whistle(verified, 1).round == 2


def test_an_empty_community_post_climbs_at_once(city):
    city.vacate(Role.GRID_LEADER, "990101001001")

    incident = city.accepted()

    assert city.whistle(incident, 1).status == "escalated"
    assert city.whistle(incident, 2).status == "blown"
    assert city.told("centre")[-1] == "whistle.second"


# -- near a border


METRE = 1 / 90_160  # degrees of longitude at the latitude of the town
NEAR = {"lon": 117.01 - 12 * METRE, "lat": 36.01}  # twelve metres west of the second cell
FIRST, SECOND = "990101001001001", "990101001001002"


def why(incident, what):
    return [one for one in incident.explanation if one["what"] == what]


def test_the_reporters_word_decides_which_side_of_a_border_it_is(city):
    incident = city.report(**NEAR, cell=SECOND)

    assert (incident.grid_code, incident.placement) == (SECOND, Placement.CONFIRMED)
    assert incident.border_distance_m == pytest.approx(12, abs=0.1)
    assert incident.edition_id is not None
    step = city.session.scalars(select(Trace).where(Trace.incident_id == incident.id)).one()
    assert (step.payload["placement"], step.payload["grid"]) == ("confirmed", SECOND)
    [cell] = why(incident, "cell")
    assert (cell["chose"], cell["because"]) == (SECOND, "confirmed")
    assert [(one["code"], one["m"]) for one in cell["facts"]["candidates"]] == [
        (FIRST, "0.0"),
        (SECOND, "12.0"),
    ]


def test_the_word_for_the_cell_that_holds_the_point_confirms_it_too(city):
    assert city.report(**NEAR, cell=FIRST).placement is Placement.CONFIRMED
    assert city.report(**NEAR).placement is Placement.BORDER
    assert city.report(cell=FIRST).placement is Placement.INSIDE  # nobody had to ask


def test_a_cell_that_the_point_cannot_lie_in_is_refused_with_those_that_it_can(city):
    with pytest.raises(InvalidInput) as refusal, city.session.begin_nested():
        city.report(**NEAR, cell="990101002001001")

    assert refusal.value.code == "cell_not_candidate"
    assert (refusal.value.facts["field"], refusal.value.facts["wanted"]) == ("cell", [FIRST, SECOND])
    assert city.session.scalar(select(func.count()).select_from(Incident)) == 0


def test_a_point_just_outside_comes_into_the_cell_that_the_reporter_names(city):
    incident = city.report(lon=117.06 + 12 * METRE, cell="990101002001002")

    assert (incident.grid_code, incident.placement) == ("990101002001002", Placement.CONFIRMED)
    assert city.told("hotline") == []
    assert city.told("centre2") == ["incident.reported"]


# -- why


def test_every_automatic_choice_of_a_case_is_explained_in_order(city):
    incident = city.report(accuracy_m=8.0)
    city.clock.advance(minutes=10)
    incidents.accept(city.session, incident.number, by=city["centre"], now=city.clock())

    assert [(one["what"], one["because"]) for one in incident.explanation] == [
        ("cell", "inside"),
        ("category", "reported"),
        ("grade", "category"),
        ("due", "category_limit"),
        ("people", "empty_posts"),
        ("departments", "default"),
        ("whistle", "category"),
        ("departments", "default"),
    ]
    cell, _, grade, due, people, departments, whistle, drafted = incident.explanation
    assert cell["at"] == "2026-06-03T01:00:00.000000Z"
    assert cell["facts"] == {
        "edition": incident.edition_id,
        "edition_name": "first",
        "frame": "CGCS2000",
        "lon": "117.0050000",
        "lat": "36.0100000",
        "accuracy_m": "8.0",
        "border_m": f"{incident.border_distance_m:.1f}",
    }
    assert (grade["chose"], grade["at"]) == ("yellow", "2026-06-03T01:10:00.000000Z")
    assert due["chose"] == "2026-06-04T01:10:00.000000Z"
    assert due["facts"]["limit"] == {"value": 24, "unit": "urgent_hour"}
    assert due["facts"]["other"] == {"value": 2, "unit": "work_day"}
    assert people["chose"] == [
        one["person_id"] for one in incident.responsible["people"] if one["person_id"] is not None
    ]
    assert departments["chose"] == [one["code"] for one in incident.responsible["departments"]]
    assert f"responsibility {departments['facts']['rule']} " in incident.responsible["rule"]
    assert whistle["chose"] == 3
    assert drafted["facts"]["whistle"] == city.whistle(incident, 3).number


def test_what_a_person_decides_otherwise_is_explained_by_their_name_and_reason(city):
    incident = city.report(category="02-007")
    incidents.accept(
        city.session,
        incident.number,
        category="10-001",
        grade=Grade.RED,
        reason="有人受伤",
        by=city["centre"],
        now=city.clock(),
    )

    [category], [grade], [due] = (why(incident, what) for what in ("category", "grade", "due"))
    assert (category["because"], category["facts"]["before"]) == ("by_hand", "02-007")
    assert (grade["because"], grade["facts"]["default"]) == ("by_hand", "yellow")
    assert (grade["facts"]["by"], grade["facts"]["reason"]) == ("centre", "有人受伤")
    assert due["facts"]["clock_from"] == "report"
    assert [(one["chose"], one["because"]) for one in why(incident, "whistle")] == [(3, "red")]
    accepted, drafted = why(incident, "departments")
    assert "whistle" not in accepted["facts"]
    assert drafted["facts"]["whistle"] == city.whistle(incident, 3).number
    assert set(accepted["chose"]) - set(drafted["chose"]) <= {"TOWN", "PMC"}


def test_an_empty_post_and_a_silent_one_are_explained_where_the_case_climbs(city):
    city.vacate(Role.GRID_LEADER, "990101001001")
    empty = city.accepted()
    silent = city.accepted(code="990101001002001")
    city.clock.advance(days=3)
    deadlines.fire_due(city.session, city.clock())

    assert [(one["chose"], one["because"]) for one in why(empty, "whistle")] == [
        (1, "by_hand"),
        (2, "empty_post"),
    ]
    assert [(one["chose"], one["because"]) for one in why(silent, "whistle")][-1] == (2, "no_answer_in_time")
    assert why(silent, "whistle")[-1]["facts"] == {"area": "990101001002"}


def test_a_point_in_no_cell_is_explained_and_so_is_the_hand_that_places_it(city):
    incident = city.report(lon=117.2, lat=36.01)
    incidents.place(
        city.session, incident.number, code="990101002001002", by=city["platform"], now=city.clock()
    )

    assert [(one["chose"], one["because"]) for one in why(incident, "cell")] == [
        (None, "outside"),
        ("990101002001002", "manual"),
    ]
    assert why(incident, "cell")[1]["facts"] == {
        "edition": incident.edition_id,
        "edition_name": "first",
        "by": "platform",
        "role": "district_platform",
    }


def test_equal_reports_have_equal_explanations(city):
    first, second = city.report(**NEAR), city.report(**NEAR)

    assert first.explanation == second.explanation


def test_who_places_a_report_holds_the_grid_in_force(city):
    city.report()

    held = city.session.scalar(
        select(func.count())
        .select_from(text("pg_locks"))
        .where(text("locktype = 'advisory' and mode = 'ShareLock' and granted and pid = pg_backend_pid()"))
    )
    assert held == 1
