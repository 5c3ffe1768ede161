"""The figures behind the maps: every one with its n and its denominator, children summing to their parent."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from gis.errors import InvalidInput
from grids import measures
from grids.acts import tasks, whistles
from grids.measures import HotspotMetric, ResponseMetric, Window
from grids.rules.levels import GridLevel
from grids.rules.lifecycle import IncidentStatus
from grids.rules.permissions import Scope
from grids.tables import Edition, EditionStatus

pytestmark = pytest.mark.database
ALL = Scope(everything=True)


def window(city, level=GridLevel.BUILDING_GROUP, area="990101", **said):
    now = city.clock()
    told = {"since": now - timedelta(days=30), "until": now + timedelta(days=1)} | said
    return Window(area, level, **told)


def by_code(frame, column):
    return dict(zip(frame["code"], frame[column], strict=True))


def test_counts_of_children_sum_to_their_parent_at_every_level(city):
    for code, times in [("990101001001001", 3), ("990101001001002", 1), ("990101002001001", 2)]:
        for _ in range(times):
            city.report(code=code)

    totals = []
    for level in GridLevel:
        cells = measures.hotspots(city.session, ALL, window(city, level))
        totals.append(int(cells["n"].sum()))

    assert totals == [6, 6, 6, 6]
    towns = measures.hotspots(city.session, ALL, window(city, GridLevel.TOWN))
    assert by_code(towns, "n") == {"990101001": 4, "990101002": 2}


def test_a_month_is_drawn_on_its_own_grid_though_another_begins_when_it_ends(city):
    city.report()
    end = datetime(2026, 6, 30, 16, 0, tzinfo=UTC)  # midnight in the city: the first of July
    edition = city.session.scalars(select(Edition)).one()
    edition.status, edition.effective_to = EditionStatus.SUPERSEDED, date(2026, 7, 1)
    city.session.flush()

    cells = measures.hotspots(city.session, ALL, window(city, GridLevel.TOWN, until=end))

    assert by_code(cells, "n") == {"990101001": 1, "990101002": 0}


def test_a_rate_has_the_households_below_as_its_denominator(city):
    for _ in range(4):
        city.report(code="990101001001001")

    cells = measures.hotspots(
        city.session, ALL, window(city, GridLevel.COMMUNITY), HotspotMetric.PER_1000_HOUSEHOLDS
    )

    assert by_code(cells, "denominator")["990101001001"] == 800
    assert by_code(cells, "value")["990101001001"] == pytest.approx(5.0)
    assert by_code(cells, "value")["990101002001"] == 0


def test_merged_rejected_and_unplaced_reports_do_not_count(city):
    city.report()
    city.report(lon=117.2, lat=36.01)
    for status in (IncidentStatus.MERGED, IncidentStatus.REJECTED, IncidentStatus.CANCELLED):
        city.report().status = status
    city.session.flush()

    cells = measures.hotspots(city.session, ALL, window(city, GridLevel.DISTRICT))

    assert cells["n"].tolist() == [1]


def test_a_reader_counts_only_what_they_may_see(city):
    city.report(code="990101001001001")
    city.report(code="990101002001001")

    cells = measures.hotspots(city.session, city["centre2"].scope, window(city, GridLevel.TOWN))

    assert by_code(cells, "n") == {"990101001": 0, "990101002": 1}


def test_a_level_above_the_area_is_refused(city):
    with pytest.raises(InvalidInput) as refusal:
        measures.hotspots(city.session, ALL, window(city, GridLevel.DISTRICT, area="990101001001"))

    assert refusal.value.facts["field"] == "level"


def test_handling_time_runs_from_acceptance_to_the_result(city):
    for hours in (1, 2, 30):
        incident = city.accepted()
        start = city.clock()
        city.clock.advance(hours=hours)
        number = city.whistle(incident, 1).number
        whistles.solve(city.session, number, result="好了", by=city["leader"], now=city.clock())
        city.clock.set(start)
    city.clock.advance(hours=30)

    cells = measures.responses(
        city.session, ALL, window(city, GridLevel.TOWN), ResponseMetric.HANDLE, now=city.clock()
    )

    row = cells.set_index("code").loc["990101001"]
    assert (row["n"], row["open"], row["value"]) == (3, 0, 120.0)
    assert row["p90"] == pytest.approx(120 + 0.8 * (1800 - 120))
    empty = cells.set_index("code").loc["990101002"]
    assert empty["n"] == 0
    assert empty["value"] != empty["value"]  # no data is no number


def test_open_cases_count_with_the_time_that_has_passed(city):
    city.accepted()
    city.clock.advance(hours=10)

    cells = measures.responses(
        city.session, ALL, window(city, GridLevel.DISTRICT), ResponseMetric.HANDLE, now=city.clock()
    )

    assert (cells["n"].item(), cells["open"].item(), cells["value"].item()) == (1, 1, 600.0)


def test_answers_of_departments_are_timed_from_the_issue(city, issued_case):
    for minutes, code in ((10, "CG"), (20, "GA")):
        task = city.tasks(issued_case)[code]
        at = city.clock() + timedelta(minutes=minutes)
        tasks.respond(
            city.session, task.id, staff_name="赵", staff_phone="13612345678", by=city[code], now=at
        )

    cells = measures.responses(
        city.session,
        ALL,
        window(city, GridLevel.TOWN),
        ResponseMetric.RESPOND,
        now=city.clock() + timedelta(minutes=40),
    )

    row = cells.set_index("code").loc["990101001"]
    assert (row["n"], row["open"], row["value"]) == (4, 2, 30.0)
    assert row["overdue_share"] == 0.5


def test_a_place_where_parking_comes_back_three_times_is_recurrent(city):
    start = city.clock()
    for _ in range(3):
        incident = city.report(category="07-001", lon=117.0031, lat=36.0101)
        incident.status, incident.closed_at = IncidentStatus.CLOSED, city.clock() + timedelta(hours=5)
        city.clock.advance(days=7)
    city.report(category="07-001", lon=117.03, lat=36.0101)
    city.session.flush()

    places = measures.recurrences(
        city.session, ALL, window(city, since=start - timedelta(days=1), until=city.clock())
    )

    assert len(places) == 1
    found = places.iloc[0]
    assert (found["times"], found["kind"], found["open"]) == (3, "parking", 0)
    assert found["mean_gap_days"] == pytest.approx(7.0)
    assert (found.geometry.x, found.geometry.y) == (pytest.approx(117.0031), pytest.approx(36.0101))


def test_the_area_view_holds_ones_own_cells_and_the_neighbours(city):
    mine = city.report(code="990101001002001")
    city.report(code="990101001001001")

    view = measures.area_view(city.session, city["leader2"].scope, "990101001002", now=city.clock())

    assert view.own["code"].tolist() == ["990101001002001", "990101001002002"]
    assert view.neighbours["code"].tolist() == ["990101001001", "990101002001"]
    assert view.incidents["number"].tolist() == [mine.number]
    assert view.recurrences.empty


def test_the_area_view_of_one_cell_has_the_cells_around_it(city):
    view = measures.area_view(city.session, city["worker"].scope, "990101001001001", now=city.clock())

    assert view.own["code"].tolist() == ["990101001001001"]
    assert view.neighbours["code"].tolist() == ["990101001001002"]


@pytest.fixture
def issued_case(city):
    from grids.acts import joint
    from grids.rules.whistles import WhistleLevel

    incident = city.accepted(WhistleLevel.SECOND)
    whistles.file(
        city.session,
        city.whistle(incident, 2).number,
        liaison_name="李",
        liaison_phone="13912345678",
        by=city["centre"],
        now=city.clock(),
    )
    whistle = joint.blow(
        city.session,
        incident.number,
        level=WhistleLevel.THIRD,
        draft=joint.Draft(
            reason="无执法权", appointed_at=city.clock() + timedelta(hours=2), appointed_place="升平巷"
        ),
        by=city["office"],
        now=city.clock(),
    )
    joint.confirm(city.session, whistle.number, by=city["town"], now=city.clock())
    return incident


def test_history_older_than_the_grid_is_drawn_on_the_oldest_grid(city):
    city.report().received_at = city.clock() - timedelta(days=365 * 12)
    city.session.flush()
    long_ago = city.clock() - timedelta(days=365 * 12)
    period = {"since": long_ago - timedelta(days=1), "until": long_ago + timedelta(days=1)}

    cells = measures.hotspots(city.session, ALL, window(city, GridLevel.TOWN, **period))

    assert by_code(cells, "n") == {"990101001": 1, "990101002": 0}
