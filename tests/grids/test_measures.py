"""The figures behind the maps: every one with its n and its denominator, children summing to their parent."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from geoalchemy2.shape import from_shape, to_shape
from shapely import box
from shapely.geometry import MultiPolygon
from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from gis.errors import InvalidInput
from grids import atlas, measures
from grids.acts import tasks, whistles
from grids.measures import HotspotMetric, Rate, ResponseMetric, TimeKind, Window
from grids.rules.grading import Grade
from grids.rules.levels import CODE_LENGTH, GridLevel
from grids.rules.lifecycle import Channel, IncidentStatus
from grids.rules.permissions import Scope
from grids.rules.tasks import TaskStatus
from grids.tables import Edition, EditionStatus, Grid, Incident, Placement

pytestmark = pytest.mark.database
ALL = Scope(everything=True)
CELLS = {
    f"990101{town}{cell}": 117.0 + 0.01 * place
    for place, (town, cell) in enumerate(
        (town, cell) for town in ("001001", "001002", "002001") for cell in ("001", "002")
    )
}
"""West edges of the cells of the town, 0.01 degrees wide."""


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


def test_what_is_usual_is_one_number_for_all_areas_and_periods_of_a_quarter(city):
    """Twelve cases in sixty days are six a month, of 2,400 households."""
    city.clock.set(datetime(2026, 5, 1, tzinfo=UTC))
    for _ in range(12):
        city.report(code="990101001001001")
        city.clock.advance(days=5)
    now = city.clock()
    households = float(
        measures.counts(city.session, ALL, window(city, GridLevel.DISTRICT))["households"].sum()
    )
    wanted = 6 / households * 1000

    for area, days in (("990101", 30), ("990101002001", 3), ("990101001001001", 30)):
        asked = window(city, area=area, since=now - timedelta(days=days), until=now)
        assert measures.usual(city.session, ALL, asked, now=now) == pytest.approx(wanted)
    quiet = window(city, category="01-002", until=now)
    assert measures.usual(city.session, ALL, quiet, now=now) is None


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


def test_a_grid_in_which_nothing_has_ended_has_no_median(city):
    city.accepted()
    city.clock.advance(hours=10)

    cells = measures.responses(
        city.session, ALL, window(city, GridLevel.DISTRICT), ResponseMetric.HANDLE, now=city.clock()
    )

    assert (cells["n"].item(), cells["open"].item()) == (1, 1)
    assert np.isnan(cells["value"].item())


def test_open_cases_count_as_waiting_at_least_as_long_as_they_have(city):
    for hours, done in [(2, True), (5, False), (9, True)]:
        incident = city.accepted()
        start = city.clock()
        city.clock.advance(hours=hours)
        if done:
            number = city.whistle(incident, 1).number
            whistles.solve(city.session, number, result="好了", by=city["leader"], now=city.clock())
        city.clock.set(start)
    city.clock.advance(hours=5)

    cells = measures.responses(
        city.session, ALL, window(city, GridLevel.DISTRICT), ResponseMetric.HANDLE, now=city.clock()
    )

    # two of three are left after two hours, and one of them after five: only after nine nobody is
    assert cells[["n", "open", "value", "p90"]].iloc[0].tolist() == [3, 1, 540.0, 540.0]


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
    assert (row["n"], row["open"], row["value"]) == (4, 2, 20.0)
    assert row["overdue_share"] == 0.5


def test_a_place_where_parking_comes_back_three_times_is_recurrent(city):
    start = city.clock()
    for _ in range(3):
        incident = city.report(category="07-001", lon=117.0031, lat=36.0101)
        incident.status, incident.closed_at = IncidentStatus.CLOSED, city.clock() + timedelta(hours=5)
        city.clock.advance(days=7)
    city.report(category="07-001", lon=117.03, lat=36.0101)
    city.session.flush()

    asked = window(city, since=start - timedelta(days=1), until=city.clock())
    places = measures.recurrent_places(city.session, ALL, asked)

    assert (len(places.places), places.total, places.next_cursor) == (1, 1, None)
    found = places.places.iloc[0]
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
    assert (view.recurrences.total, view.recurrences.places.empty) == (0, True)


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


# -- the same by SQL over the rows


def cells_by_sql(session, told):
    """Return the cell that each case of a window counts in by its id, "" for none, as SQL and the atlas tell it."""
    walls = [
        Incident.status.not_in((IncidentStatus.MERGED, IncidentStatus.REJECTED, IncidentStatus.CANCELLED)),
        Incident.placement != Placement.OUTSIDE,
        Incident.received_at >= told.since,
        Incident.received_at < told.until,
    ]
    hit = select(Incident.id, Incident.grid_code, func.ST_X(Incident.point), func.ST_Y(Incident.point)).where(
        *walls
    )
    if told.edition is None:
        there = atlas.current(session, on=told.last_day, keep=False)
        on_it = select(Grid.code).join(Edition).where(atlas.in_force(told.last_day))
        stays = Incident.grid_code.in_(on_it.where(Grid.level == Edition.leaf_level))
    else:
        there = atlas.of_edition(session, told.edition)
        theirs, wanted = aliased(Grid), aliased(Grid)
        same = (
            select(theirs.id)
            .join(
                wanted,
                (wanted.code == theirs.code) & func.ST_OrderingEquals(wanted.boundary, theirs.boundary),
            )
            .where(
                wanted.edition_id == told.edition,
                theirs.edition_id == Incident.edition_id,
                theirs.code == Incident.grid_code,
            )
        )
        stays = (Incident.edition_id == told.edition) | same.exists()
    cells = {row.id: row.grid_code for row in session.execute(hit.where(stays))}
    for number, _, lon, lat in session.execute(hit.where(~stays)):
        at = int(there.locator.locate(np.array([lon]), np.array([lat]))[0])
        cells[number] = "" if at < 0 else str(there.codes[at])
    return cells


def by_sql(session, told, *, level):
    """Return code -> n of a window as SQL tells it."""
    codes = [code[: CODE_LENGTH[level]] for code in cells_by_sql(session, told).values()]
    return {code: codes.count(code) for code in codes}


def divided(city):
    """Publish a grid on which the first cell is two, and another has a new border; return its id."""
    first = city.session.scalars(select(Edition)).one()
    first.status, first.effective_to = EditionStatus.SUPERSEDED, date(2026, 6, 5)
    second = Edition(
        name="second",
        status=EditionStatus.PUBLISHED,
        source="test",
        frame="CGCS2000",
        leaf_level=GridLevel.BUILDING_GROUP,
        effective_from=date(2026, 6, 5),
        loaded_at=city.clock(),
        report={},
    )
    city.session.add(second)
    city.session.flush()
    shapes = {}
    for row in city.session.scalars(select(Grid).where(Grid.edition_id == first.id)):
        shapes[row.code] = (row.level, to_shape(row.boundary))
    west = 117.0
    del shapes["990101001001001"]
    shapes["990101001001003"] = (
        GridLevel.BUILDING_GROUP,
        MultiPolygon([box(west, 36.0, west + 0.005, 36.02)]),
    )
    shapes["990101001001004"] = (
        GridLevel.BUILDING_GROUP,
        MultiPolygon([box(west + 0.005, 36.0, west + 0.01, 36.02)]),
    )
    # the border between these two moves to the east
    for code, begins, ends in [("990101002001001", 117.04, 117.058), ("990101002001002", 117.058, 117.06)]:
        shapes[code] = (GridLevel.BUILDING_GROUP, MultiPolygon([box(begins, 36.0, ends, 36.02)]))
    for code, (level, shape) in shapes.items():
        city.session.add(
            Grid(
                edition_id=second.id,
                code=code,
                level=level,
                name=code[-3:],
                area_m2=1.0,
                boundary=from_shape(shape, srid=4490),
            )
        )
    city.session.flush()
    return first.id, second.id


def test_on_whatever_grid_the_counts_are_those_by_sql_at_all_levels(city):
    chance = np.random.default_rng(5)
    for place, code in enumerate([*CELLS] * 4):
        lon = CELLS[code] + float(chance.uniform(0.0005, 0.0095))
        incident = city.report(code=code, lon=lon)
        if place % 5 == 0:
            incident.overdue_grid_code = "990101001001001"
        if place % 7 == 0:
            incident.status = IncidentStatus.REJECTED
    city.report(lon=117.2, lat=36.01)
    first, second = divided(city)
    city.clock.advance(days=5)
    for code in CELLS:
        if code != "990101001001001":
            city.report(code=code)
    city.session.flush()

    for edition in (None, first, second):
        sums = set()
        for level in GridLevel:
            asked = window(city, level, edition=edition)
            cells = measures.counts(city.session, ALL, asked)
            wanted = by_sql(city.session, asked, level=level)
            assert by_code(cells, "n") == {code: wanted.get(code, 0) for code in cells["code"]}
            sums.add(int(cells["n"].sum()))
        assert len(sums) == 1
    moved = by_code(measures.counts(city.session, ALL, window(city)), "n")
    assert moved["990101001001003"] > 0
    assert moved["990101001001004"] > 0


def test_on_whatever_grid_recurrent_places_lie_in_the_cells_that_sql_says(city):
    for _ in range(3):
        for code in CELLS:
            incident = city.report(code=code, lon=CELLS[code] + 0.008, category="07-001")
            incident.status, incident.closed_at = (
                IncidentStatus.CLOSED,
                city.clock() + timedelta(hours=5),
            )
        city.clock.advance(days=3)
    city.report(category=None)
    first, second = divided(city)
    city.session.flush()
    seen = set()

    for edition in (None, first, second):
        for area in ("990101", "990101001", "990101002001001"):
            asked = window(city, GridLevel.BUILDING_GROUP, area, edition=edition)
            cells = cells_by_sql(city.session, asked)
            wanted = {}
            for case in city.session.scalars(select(Incident).where(Incident.category_code == "07-001")):
                if cells[case.id].startswith(area):  # at each place lie those that hit one cell
                    wanted.setdefault((cells[case.id], case.grid_code), []).append(case.number)
            found = measures.recurrent_places(city.session, ALL, asked).places
            assert sorted((row.grid_code, sorted(row.numbers)) for row in found.itertuples()) == sorted(
                (cell, sorted(numbers)) for (cell, _), numbers in wanted.items()
            )
            assert found["times"].tolist() == [3] * len(wanted)
            seen |= {cell for cell, _ in wanted}

    assert {"990101001001001", "990101001001004"} <= seen
    assert measures.recurrent_places(city.session, ALL, window(city, area="990101009")).total == 0


def test_what_was_late_counts_where_it_became_so(city):
    for code in ("990101001001002", "990101002001001"):
        incident = city.accepted(code=code)
        incident.first_overdue_at, incident.overdue_grid_code = city.clock(), "990101001002001"
    city.session.flush()

    cells = measures.responses(city.session, ALL, window(city), ResponseMetric.HANDLE, now=city.clock())
    counted = measures.counts(city.session, ALL, window(city))

    assert by_code(cells, "n")["990101001002001"] == 2
    assert by_code(counted, "n")["990101001002001"] == 0


def test_an_open_case_that_a_new_grid_renumbered_silently_counts_in_its_cell(city):
    """The edition of an open case changes without a step where its cell is the same."""
    incident = city.report(code="990101002001002", lon=117.055)
    _, second = divided(city)
    assert (
        by_code(measures.counts(city.session, ALL, window(city, edition=second)), "n")["990101002001001"] == 1
    )
    incident.edition_id = second
    city.session.flush()

    cells = measures.counts(city.session, ALL, window(city, edition=second))

    assert by_code(cells, "n")["990101002001002"] == 1


@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_where_all_have_ended_percentiles_are_those_of_postgresql(city, n):
    chance = np.random.default_rng(n)
    for _ in range(n):
        incident = city.report(code=list(CELLS)[int(chance.integers(0, 3))])
        incident.accepted_at = incident.received_at + timedelta(minutes=float(chance.uniform(1, 3000)))
    city.session.flush()
    minutes = func.extract("epoch", Incident.accepted_at - Incident.received_at) / 60
    wanted = city.session.execute(
        select(
            func.left(Incident.grid_code, 12).label("code"),
            func.percentile_cont(0.5).within_group(minutes),
            func.percentile_cont(0.9).within_group(minutes),
        ).group_by("code")
    )

    cells = measures.responses(
        city.session,
        ALL,
        window(city, GridLevel.COMMUNITY),
        ResponseMetric.ACCEPT,
        now=city.clock() + timedelta(days=9),
    ).set_index("code")

    for code, median, p90 in wanted:
        assert cells.loc[code, ["value", "p90"]].tolist() == pytest.approx([float(median), float(p90)])


def test_office_hours_count_no_nights(city):
    city.clock.set(
        datetime(2026, 6, 3, 9, 0, tzinfo=UTC)
    )  # 17:00 in the city: half an hour is left of the day
    incident = city.accepted()
    city.clock.set(datetime(2026, 6, 4, 1, 30, tzinfo=UTC))  # an hour after opening
    whistles.solve(
        city.session, city.whistle(incident, 1).number, result="好了", by=city["leader"], now=city.clock()
    )

    def median(time):
        asked = window(city, GridLevel.DISTRICT)
        cells = measures.responses(
            city.session, ALL, asked, ResponseMetric.HANDLE, now=city.clock(), time=time
        )
        return cells["value"].item()

    assert (median(TimeKind.NATURAL), median(TimeKind.WORKING)) == (990.0, 90.0)


def test_whoever_comes_within_the_grace_of_the_case_is_not_late(city, issued_case):
    came = city.clock() + timedelta(hours=2, minutes=25)
    for task in city.tasks(issued_case).values():
        task.checked_in_at = came
    shares = []
    for grace in (20, 30):
        rules = {**issued_case.limits["profile"]["rules"], "check_in_grace": grace}
        issued_case.limits = {
            **issued_case.limits,
            "profile": {**issued_case.limits["profile"], "rules": rules},
        }
        city.session.flush()
        cells = measures.responses(
            city.session, ALL, window(city, GridLevel.DISTRICT), ResponseMetric.ARRIVE, now=came
        )
        shares.append(cells["overdue_share"].item())

    assert shares == [1.0, 0.0]


def test_a_part_that_was_let_go_unanswered_waits_no_longer(city, issued_case):
    task = city.tasks(issued_case)["CG"]
    task.status = TaskStatus.WITHDRAWN
    city.session.flush()

    cells = measures.responses(
        city.session, ALL, window(city, GridLevel.DISTRICT), ResponseMetric.RESPOND, now=city.clock()
    )

    assert cells["n"].item() == len(city.tasks(issued_case)) - 1


def stand(city, *, accepted=True, status=IncidentStatus.HANDLING, **said):
    """Make a case that stands as told."""
    incident = city.report()
    incident.status = status
    if accepted:
        incident.accepted_at = incident.received_at
        incident.due_effective = incident.received_at + timedelta(days=2)
    for name, value in said.items():
        setattr(incident, name, value)
    city.session.flush()
    return incident


@pytest.mark.parametrize(
    ("rate", "n", "denominator", "open_late"),
    [
        (Rate.OVERDUE, 3, 5, 2),  # two late and open, one late and done; two in time
        (Rate.ON_TIME, 2, 5, 2),
        (Rate.REWORK, 1, 5, 2),
        (Rate.REOPENED, 1, 4, 2),
    ],
)
def test_a_rate_has_the_late_open_cases_in_its_denominator(city, rate, n, denominator, open_late):
    begun = city.clock()
    done, late = begun + timedelta(days=1), begun + timedelta(days=2)
    stand(city)  # open, and its due moment is over: late though no sweeper has marked it yet
    stand(city, first_overdue_at=late)
    stand(city, due_effective=begun + timedelta(days=30))  # open and not due: undecided, in no rate
    stand(city, status=IncidentStatus.CLOSED, resolved_at=done, closed_at=done)
    stand(city, status=IncidentStatus.RESOLVED, resolved_at=done, round=2, rework_count=1)
    stand(city, status=IncidentStatus.RESOLVED, resolved_at=late, first_overdue_at=late)
    stand(city, status=IncidentStatus.SUSPENDED, first_overdue_at=late)  # waits: in no rate
    stand(city, status=IncidentStatus.REPORTED, accepted=False)

    asked = window(city, GridLevel.DISTRICT)
    cells = measures.rates(city.session, ALL, asked, rate, now=begun + timedelta(days=3))

    row = cells.iloc[0]
    assert (row["n"], row["denominator"], row["open_late"]) == (n, denominator, open_late)
    assert row["value"] == pytest.approx(n / denominator)
    assert row["small"]


def test_parts_sent_back_are_a_share_of_those_that_are_decided_or_late(city, issued_case):
    parts = list(city.tasks(issued_case).values())
    parts[0].status = TaskStatus.RETURNED
    parts[1].completed_at = city.clock()
    parts[2].status = TaskStatus.WITHDRAWN
    city.session.flush()
    asked = window(city, GridLevel.DISTRICT)

    early = measures.rates(city.session, ALL, asked, Rate.RETURNED, now=city.clock()).iloc[0]
    late = measures.rates(
        city.session, ALL, asked, Rate.RETURNED, now=city.clock() + timedelta(days=400)
    ).iloc[0]

    assert (early["n"], early["denominator"], early["open_late"]) == (1, 2, 0)
    assert (late["n"], late["denominator"], late["open_late"]) == (1, 2 + len(parts) - 3, len(parts) - 3)


def test_a_grid_without_cases_has_no_rate(city):
    cells = measures.rates(city.session, ALL, window(city, GridLevel.TOWN), Rate.OVERDUE, now=city.clock())

    assert cells["value"].isna().all()
    assert cells["denominator"].tolist() == [0, 0]


def test_counts_by_ground_are_measured_in_metres(city):
    city.report()

    cells = measures.counts(city.session, ALL, window(city, GridLevel.DISTRICT), HotspotMetric.PER_KM2)

    row = cells.iloc[0]
    assert row["km2"] == pytest.approx(12.0, rel=0.02)  # 0.06 by 0.02 degrees at 36 degrees north
    assert row["value"] == pytest.approx(1 / row["km2"])


def test_grade_and_channel_are_walls(city):
    city.report(channel=Channel.HOTLINE)
    city.report(channel=Channel.CITIZEN).grade = Grade.RED
    city.session.flush()

    def total(**said):
        return int(measures.counts(city.session, ALL, window(city, GridLevel.DISTRICT, **said))["n"].sum())

    assert total() == 2
    assert total(grade=Grade.RED) == 1
    assert total(channel=Channel.HOTLINE) == 1
    assert total(channel=Channel.HOTLINE, grade=Grade.RED) == 0
    assert total(category="99-999") == 0


def test_a_department_counts_the_cases_that_it_holds_a_part_of(city, issued_case):
    city.report()

    cells = measures.counts(city.session, city["CG"].scope, window(city, GridLevel.DISTRICT))
    nobody = measures.counts(city.session, Scope(), window(city, GridLevel.DISTRICT))

    assert cells["n"].tolist() == [1]
    assert nobody["n"].tolist() == [0]


def test_weeks_begin_on_monday_in_the_city(city):
    for moment in ("2026-05-31T15:59", "2026-05-31T16:00", "2026-06-07T15:59", "2026-06-07T16:00"):
        city.report().received_at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    city.session.flush()
    since, until = datetime(2026, 5, 31, 4, tzinfo=UTC), datetime(2026, 6, 8, tzinfo=UTC)

    found = measures.weekly(city.session, ALL, window(city, GridLevel.DISTRICT, since=since, until=until))

    assert found.weeks == [date(2026, 5, 25), date(2026, 6, 1), date(2026, 6, 8)]
    assert found.counts.tolist() == [[1, 2, 1]]
    assert found.whole.tolist() == [False, True, False]


def test_a_trend_over_few_weeks_is_refused(city):
    with pytest.raises(InvalidInput) as refusal:
        measures.emerging(city.session, ALL, window(city))

    assert refusal.value.code == "too_few_bins"


def test_two_periods_are_compared_and_what_has_no_figure_has_no_change(city):
    for hours in (1, 3):
        city.report().accepted_at = city.clock() + timedelta(hours=hours)
    begun = city.clock()
    city.clock.advance(days=40)
    city.report().accepted_at = city.clock() + timedelta(hours=5)
    city.session.flush()
    later = window(city, GridLevel.TOWN)
    earlier = window(city, GridLevel.TOWN, since=begun - timedelta(days=1), until=begun + timedelta(days=1))

    def asked(one):
        return measures.responses(city.session, ALL, one, ResponseMetric.ACCEPT, now=city.clock())

    change = measures.compare(asked(later), asked(earlier)).set_index("code")

    assert change.loc["990101001", ["value", "value_before", "n_before", "change"]].tolist() == [
        300,
        120,
        2,
        180,
    ]
    assert np.isnan(change.loc["990101002", "change"])


def hall(city, times=30):
    """Report everything under the sun at one coordinate, day by day; and one thing elsewhere."""
    kinds = ("10-001", "02-001", "07-001", "01-001", "08-001", "02-007")
    for number in range(times):
        incident = city.report(lon=117.0031, lat=36.0101, category=kinds[number % 6], address="区政府大厅")
        incident.received_at -= timedelta(days=number % 10)
    city.report(code="990101002001001")
    city.session.flush()


def test_a_coordinate_that_holds_everything_is_named_and_left_out(city):
    hall(city)
    asked = window(city, GridLevel.TOWN)

    found = measures.default_points(city.session, ALL, asked)
    kept = measures.hotspots(city.session, ALL, asked)
    without = measures.hotspots(city.session, ALL, asked, without_default_points=True)
    surface = measures.density(city.session, ALL, asked)

    assert found[["name", "n", "categories", "left_out"]].iloc[0].tolist() == ["区政府大厅", 30, 6, 30]
    assert by_code(kept, "n") == {"990101001": 30, "990101002": 1}
    assert by_code(without, "n") == {"990101001": 0, "990101002": 1}
    assert by_code(without, "left_out") == {"990101001": 30, "990101002": 0}
    assert (surface.surface.n, surface.left_out) == (1, 30)
    assert surface.surface.total == pytest.approx(1.0)


def test_a_city_without_default_points_has_none(city):
    city.report()

    found = measures.default_points(city.session, ALL, window(city))

    assert found.empty
    assert "left_out" in found.columns
