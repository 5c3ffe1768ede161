"""A redrawn grid takes the place of the old one: open cases follow, marks stay, nobody is orphaned."""

from __future__ import annotations

import threading
import time
from datetime import date, timedelta

import geopandas as gpd
import pytest
from shapely import MultiPolygon, box
from sqlalchemy import create_engine, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from gis.errors import Forbidden
from grids import atlas, deadlines, directory, measures
from grids.acts import callbacks, incidents
from grids.acts.incidents import Report
from grids.ground import editions, succession
from grids.measures import HotspotMetric, Window
from grids.rules.calendar import local_day
from grids.rules.deadlines import Outcome
from grids.rules.levels import GridLevel
from grids.rules.lifecycle import Channel
from grids.rules.permissions import Role, Scope
from grids.rules.responsibilities import RuleKind
from grids.tables import (
    IS_OPEN,
    Deadline,
    DutyBasis,
    Edition,
    EditionStatus,
    Incident,
    Lineage,
    OpenCases,
    Placement,
    Post,
    Responsibility,
)

pytestmark = pytest.mark.database

ALL = Scope(everything=True)
FIRST = "990101001001001"
A_POOL = Report(Channel.HOTLINE, 117.018, 36.01, "CGCS2000", "积水", category="10-001")
CELLS = {
    "990101001001001": 117.00,
    "990101001001002": 117.01,
    "990101001002001": 117.02,
    "990101001002002": 117.03,
    "990101002001001": 117.04,
    "990101002001002": 117.05,
}


def draft(session, cells, *, effective, now, by="drawer"):
    """Store a draft whose cells are strips from one west edge to the next, the last to 117.06."""
    edition = Edition(
        name="redrawn",
        status=EditionStatus.DRAFT,
        source="test",
        frame="CGCS2000",
        leaf_level=GridLevel.BUILDING_GROUP,
        effective_from=effective,
        loaded_at=now,
        loaded_by=by,
        report={"errors": 0},
        operations=[],
    )
    session.add(edition)
    session.flush()
    west = sorted(cells.items(), key=lambda item: item[1])
    ends = [edge for _, edge in west[1:]] + [117.06]
    strips = {code: box(edge, 36.0, end, 36.02) for (code, edge), end in zip(west, ends, strict=True)}
    areas = {}
    for code, shape in strips.items():
        for length in (6, 9, 12, 15):
            areas.setdefault(code[:length], []).append(shape)
    levels = {6: "district", 9: "town", 12: "community", 15: "building_group"}
    rows = [
        {
            "code": code,
            "level": levels[len(code)],
            "name": f"第{code[-3:]}",
            "source_code": None,
            "households": 400 if len(code) == 15 else None,
            "population": None,
            "geometry": MultiPolygon(
                [box(min(s.bounds[0] for s in shapes), 36.0, max(s.bounds[2] for s in shapes), 36.02)]
            ),
        }
        for code, shapes in areas.items()
    ]
    editions.store_areas(session, edition.id, gpd.GeoDataFrame(rows, crs="EPSG:4490"))
    return edition


def redrawn(city, cells=None, **how):
    """Publish a grid whose border between the second and third cell lies 300 m further west."""
    told = {**CELLS, "990101001002001": 117.017} if cells is None else cells
    now = city.clock()
    edition = draft(city.session, told, effective=how.pop("effective", local_day(now)), now=now)
    return editions.publish(city.session, edition.id, by="decider", now=now, **how)


def bring_over(city):
    moved = 0
    while step := succession.bring_over(city.session, city.clock()).moved:
        moved += step
    return moved


def at(city, lon, **said):
    return city.report(lon=lon, lat=36.01, **said)


def test_an_open_case_follows_the_border_that_moved_over_it(city):
    moves, stays = at(city, 117.018), at(city, 117.012)
    edition = redrawn(city)

    assert bring_over(city) == 2
    assert (moves.grid_code, moves.edition_id) == ("990101001002001", edition.id)
    assert (stays.grid_code, stays.edition_id) == ("990101001001002", edition.id)
    assert "incident.follow" in city.steps(moves)
    assert "incident.follow" not in city.steps(stays)
    assert bring_over(city) == 0


def test_what_an_edition_would_change_is_told_before_it_is_published(city):
    for lon in (117.018, 117.0185, 117.012):
        at(city, lon)
    late = at(city, 117.019)
    late.first_overdue_at = city.clock()
    city.session.flush()
    edition = draft(
        city.session,
        {**CELLS, "990101001002001": 117.017},
        effective=local_day(city.clock()),
        now=city.clock(),
    )

    seen = editions.impact(city.session, edition.id, now=city.clock())

    assert seen.sentence() == "3 open incidents move, 1 of them overdue"
    assert (seen.open, seen.moving, seen.to_other_community, seen.to_other_town) == (4, 3, 3, 0)
    assert {one.to for one in seen.shown} == {"990101001002001"}
    assert seen.changes["building_group"] == {"cut": 2}
    assert city.session.scalar(select(Lineage.before_code).limit(1)) is None


def test_whoever_drew_a_grid_does_not_publish_it_over_another(city):
    edition = draft(city.session, CELLS, effective=local_day(city.clock()), now=city.clock(), by="drawer")

    with pytest.raises(Forbidden, match="somebody else"):
        editions.publish(city.session, edition.id, by="drawer", now=city.clock())

    assert edition.status is EditionStatus.DRAFT


def test_open_cases_stay_where_they_are_when_that_is_chosen(city):
    stays = at(city, 117.018)
    redrawn(city, open_cases=OpenCases.STAY)

    bring_over(city)

    assert (
        stays.grid_code,
        atlas.locate(city.session, 117.018, 36.01, "CGCS2000", on=date(2026, 6, 3)).code,
    ) == (
        "990101001001002",
        "990101001002001",
    )


def test_a_case_whose_community_is_no_more_follows_whatever_was_chosen(city):
    case = at(city, 117.025)
    one_community = {
        code if code[:12] != "990101001002" else "990101001001" + f"{int(code[-3:]) + 2:03d}": west
        for code, west in CELLS.items()
    }
    edition = redrawn(city, one_community, open_cases=OpenCases.STAY)

    bring_over(city)

    assert (case.grid_code, case.edition_id) == ("990101001001003", edition.id)


def test_a_closed_case_that_is_taken_up_again_goes_to_those_who_answer_now(city):
    case = city.accepted(lon=117.018, lat=36.01)
    city.session.execute(
        update(Deadline)
        .where(Deadline.incident_id == case.id, Deadline.settled_at.is_(None))
        .values(settled_at=city.clock(), outcome=Outcome.MET)
    )
    case.status, case.closed_at = "closed", city.clock()
    city.session.flush()
    redrawn(city)
    assert bring_over(city) == 0

    callbacks.reopen(city.session, case.number, reason="又来了", by=city["hotline"], now=city.clock())

    assert case.grid_code == "990101001002001"
    assert city.whistle(case, 1).area_code == "990101001002"


def test_a_mark_of_being_overdue_stays_where_it_arose(city):
    case = city.accepted(lon=117.018, lat=36.01)
    since = city.clock() - timedelta(days=1)
    while case.first_overdue_at is None:
        city.clock.advance(days=1)
        deadlines.fire_due(city.session, city.clock())
    due = case.due_at
    redrawn(city)
    bring_over(city)

    assert (case.grid_code, case.overdue_grid_code) == ("990101001002001", "990101001001002")
    assert case.due_at == due
    window = Window("990101", GridLevel.BUILDING_GROUP, since, city.clock() + timedelta(days=1))
    late = measures.responses(city.session, ALL, window, measures.ResponseMetric.HANDLE, now=city.clock())
    assert late.set_index("code")["overdue_share"].dropna().to_dict() == {"990101001001002": 1.0}


def test_a_running_whistle_goes_to_the_community_that_answers_now(city):
    case = city.accepted(lon=117.018, lat=36.01)
    clocks = city.clocks(case)
    redrawn(city)

    bring_over(city)

    whistle = city.whistle(case, 1)
    assert whistle.area_code == "990101001002"
    assert "incident.moved" in city.told("leader2")
    assert city.clocks(case) == clocks


def test_a_whistle_that_comes_to_an_empty_post_climbs(city):
    case = city.accepted(lon=117.018, lat=36.01)
    city.vacate(Role.GRID_LEADER, "990101001002")
    redrawn(city)

    bring_over(city)

    assert city.whistle(case, 2).area_code == "990101001"


def test_people_of_a_cell_that_is_renamed_go_with_it(city):
    renamed = {code if code != FIRST else "990101001001009": west for code, west in CELLS.items()}
    redrawn(city, renamed)

    bring_over(city)

    held = city.session.scalars(
        select(Post.area_code).where(Post.person_id == city["worker"].person_id)
    ).one()
    assert held == "990101001001009"


def test_an_edition_of_tomorrow_moves_nothing_today(city):
    case = at(city, 117.018)
    redrawn(city, effective=local_day(city.clock()) + timedelta(days=1))

    assert bring_over(city) == 0
    city.clock.advance(days=1)
    assert bring_over(city) == 1
    assert case.grid_code == "990101001002001"


def test_a_closed_case_keeps_what_it_hit_and_is_counted_on_either_grid(city):
    case = at(city, 117.018)
    at(city, 117.012)
    first = case.edition_id
    case.status = "closed"
    city.session.flush()
    edition = redrawn(city)
    bring_over(city)

    now = city.clock()
    window = {"since": now - timedelta(days=1), "until": now + timedelta(days=1)}
    counts = {}
    for chosen in (None, first, edition.id):
        asked = Window("990101", GridLevel.COMMUNITY, **window, edition=chosen)
        cells = measures.hotspots(city.session, ALL, asked, HotspotMetric.COUNT)
        counts[chosen] = cells.set_index("code")["n"].to_dict()

    assert case.edition_id == first
    assert counts[None] == counts[first] == {"990101001001": 2, "990101001002": 0, "990101002001": 0}
    assert counts[edition.id] == {"990101001001": 1, "990101001002": 1, "990101002001": 0}


def test_the_lineage_of_a_border_that_moved_tells_the_shares(city):
    at(city, 117.018)
    at(city, 117.012)
    edition = redrawn(city)

    rows = city.session.execute(
        select(Lineage.after_code, Lineage.area_share, Lineage.households, Lineage.incident_share).where(
            Lineage.after_id == edition.id, Lineage.before_code == "990101001001002"
        )
    ).all()

    shares = {row.after_code: (round(row.area_share, 3), row.households, row.incident_share) for row in rows}
    assert shares == {"990101001001002": (0.7, 280, 0.5), "990101001002001": (0.3, 120, 0.5)}


def test_another_process_places_its_next_report_by_the_new_grid(committed_city, engine):
    """Each process has a pool of its own, and with it the cells in its own memory."""
    city = committed_city
    city.session.commit()
    now = city.clock()
    elsewhere = create_engine(engine.url)
    try:
        for pool in (engine, elsewhere):  # both hold the old cells in memory
            with Session(pool) as own:
                assert (
                    atlas.current(own, on=local_day(now)).place(117.018, 36.01, "CGCS2000").code[-6:]
                    == "001002"
                )
        with Session(engine) as own:
            edition = draft(own, {**CELLS, "990101001002001": 117.017}, effective=local_day(now), now=now)
            editions.publish(own, edition.id, by="decider", now=now)
            own.commit()
            number = edition.id
        for pool in (engine, elsewhere):
            with Session(pool) as own:
                one = incidents.report(own, A_POOL, by=city["hotline"], now=now)
                assert (one.grid_code, one.edition_id) == ("990101001002001", number)
                own.rollback()
    finally:
        elsewhere.dispose()


def test_a_publication_waits_for_a_report_that_is_being_placed(committed_city, engine):
    city = committed_city
    city.session.commit()
    now = city.clock()
    with Session(engine) as reporting, Session(engine) as publishing:
        incidents.report(reporting, A_POOL, by=city["hotline"], now=now)
        edition = draft(publishing, {**CELLS, "990101001002001": 117.017}, effective=local_day(now), now=now)
        publishing.commit()
        publishing.execute(text("SET LOCAL lock_timeout = '200ms'"))
        with pytest.raises(OperationalError, match="lock timeout"):
            editions.publish(publishing, edition.id, by="decider", now=now)
        publishing.rollback()

        reporting.commit()
        editions.publish(publishing, edition.id, by="decider", now=now)
        publishing.commit()


def test_a_report_waits_for_a_publication_and_lies_on_the_new_grid(committed_city, engine):
    city = committed_city
    city.session.commit()
    now = city.clock()
    with Session(engine) as reporting, Session(engine) as publishing:
        edition = draft(publishing, {**CELLS, "990101001002001": 117.017}, effective=local_day(now), now=now)
        editions.publish(publishing, edition.id, by="decider", now=now)
        reporting.execute(text("SET LOCAL lock_timeout = '200ms'"))
        with pytest.raises(OperationalError, match="lock timeout"):
            incidents.report(reporting, A_POOL, by=city["hotline"], now=now)
        reporting.rollback()

        publishing.commit()
        one = incidents.report(reporting, A_POOL, by=city["hotline"], now=now)
        assert one.edition_id == edition.id
        reporting.rollback()


def test_a_redrawn_grid_is_published_while_reports_come_in(committed_city, engine):
    """No report is placed by a grid that is no longer in force, and none is left behind."""
    city, stop = committed_city, threading.Event()
    city.session.commit()
    now, placed, errors = city.clock(), [], []

    def keep_reporting(worker: int) -> None:
        number = 0
        while not stop.is_set():
            lon = 117.0005 + (worker * 17 + number * 7) % 59 / 1000
            number += 1
            try:
                with Session(engine, expire_on_commit=False) as own:
                    said = Report(Channel.HOTLINE, lon, 36.01, "CGCS2000", "积水", category="10-001")
                    begun = time.monotonic()
                    one = incidents.report(own, said, by=city["hotline"], now=now)
                    own.commit()
                    placed.append((begun, time.monotonic(), one.number, one.edition_id))
            except Exception as error:  # a report that fails is a report that is lost
                errors.append(error)
                return

    reporters = [threading.Thread(target=keep_reporting, args=(n,)) for n in range(3)]
    for thread in reporters:
        thread.start()
    committed = []
    for turn in range(3):
        time.sleep(0.2)
        with Session(engine) as own:
            edge = 117.017 if turn % 2 == 0 else 117.02
            edition = draft(own, {**CELLS, "990101001002001": edge}, effective=local_day(now), now=now)
            editions.publish(own, edition.id, by="decider", now=now)
            own.commit()
            committed.append((time.monotonic(), edition.id))
        with Session(engine) as own:
            while succession.bring_over(own, now).moved:
                own.commit()
    time.sleep(0.2)
    stop.set()
    for thread in reporters:
        thread.join(20)
    with Session(engine) as own:
        while succession.bring_over(own, now).moved:
            own.commit()

    assert not errors
    assert len(placed) > 20
    for ended, edition_id in committed:
        after = [edition for begun, _, _, edition in placed if begun > ended]
        assert after
        assert all(edition >= edition_id for edition in after)
    with Session(engine) as own:
        orphans = own.execute(
            text(
                "SELECT count(*) FROM incident i JOIN edition e ON e.id = i.edition_id "
                "LEFT JOIN grid g ON g.edition_id = i.edition_id AND g.code = i.grid_code "
                "WHERE e.effective_to IS NOT NULL OR g.id IS NULL OR NOT ST_Covers(g.boundary, i.point)"
            )
        ).scalar_one()
        assert orphans == 0
        assert (
            own.execute(select(Incident.id).where(IS_OPEN, Incident.placement == Placement.OUTSIDE)).first()
            is None
        )
        broken = own.execute(
            text(
                "SELECT count(*) FROM incident i WHERE i.trace_seq <> "
                "(SELECT count(*) FROM trace t WHERE t.incident_id = i.id)"
            )
        ).scalar_one()
        assert broken == 0


SPLIT = {**CELLS, "990101001001003": 117.015}
"""The second cell in two halves: the western one keeps its code."""


def test_a_case_that_stayed_through_one_edition_follows_the_next_by_its_own_ground(city):
    """What became of a code is told from the edition that the case lies in, not from the one before the last."""
    case = at(city, 117.018)
    redrawn(city, SPLIT, open_cases=OpenCases.STAY)
    bring_over(city)
    assert case.grid_code == "990101001001002"
    city.clock.advance(days=1)
    edition = redrawn(city, SPLIT)

    bring_over(city)

    assert (case.grid_code, case.edition_id) == ("990101001001003", edition.id)


def test_the_preview_looks_at_each_case_from_the_edition_that_it_lies_in(city):
    at(city, 117.018)
    redrawn(city, SPLIT, open_cases=OpenCases.STAY)
    bring_over(city)
    edition = draft(city.session, SPLIT, effective=local_day(city.clock()), now=city.clock())

    seen = editions.impact(city.session, edition.id, now=city.clock())

    assert [(one.before, one.to) for one in seen.shown] == [("990101001001002", "990101001001003")]


def test_people_come_along_although_an_edition_between_never_came_into_force(city):
    """Two on one day: the first holds for no day at all, and nothing was brought over to it."""
    renamed = {code if code != FIRST else "990101001001009": west for code, west in CELLS.items()}
    case = at(city, 117.005)
    redrawn(city, renamed)
    edition = redrawn(city, {**renamed, "990101001002001": 117.017})

    bring_over(city)

    held = city.session.scalars(
        select(Post.area_code).where(Post.person_id == city["worker"].person_id)
    ).one()
    assert (held, case.grid_code, case.edition_id) == ("990101001001009", "990101001001009", edition.id)


def test_people_stay_at_an_area_that_was_gone_only_in_an_edition_that_never_held(city):
    """Renamed and named back on one day: whoever answered for the cell still does."""
    redrawn(city, {code if code != FIRST else "990101001001009": west for code, west in CELLS.items()})
    redrawn(city, CELLS)

    bring_over(city)

    held = city.session.scalars(
        select(Post.area_code).where(Post.person_id == city["worker"].person_id)
    ).one()
    assert held == FIRST


def test_a_case_whose_cell_is_no_more_follows_whatever_was_chosen(city):
    """Its people and rules went to the cell that took it over: nobody would answer for the old one."""
    case = at(city, 117.005)
    gone = {code: west for code, west in CELLS.items() if code != FIRST} | {"990101001001002": 117.00}
    redrawn(city, gone, open_cases=OpenCases.STAY)

    bring_over(city)

    assert case.grid_code == "990101001001002"
    assert city["worker"].person_id in {
        person["person_id"] for person in directory.responsible_people(city.session, case.grid_code)
    }


def test_a_rule_with_an_end_goes_with_the_area_that_it_is_for(city):
    """A rule that still holds for a while is no older history."""
    now = local_day(city.clock())
    until = {"open": now + timedelta(days=30), "over": now - timedelta(days=1)}
    for name, end in until.items():
        city.session.add(
            Responsibility(
                kind=RuleKind.LISTED, name=name, category_code="10-001", area_code=FIRST, lead="CG",
                cooperating=[], basis=DutyBasis.AGREED, source="test", effective_from=date(2020, 1, 1),
                effective_to=end,
            )
        )  # fmt: skip
    city.session.flush()
    renamed = {code if code != FIRST else "990101001001009": west for code, west in CELLS.items()}
    seen = draft(city.session, renamed, effective=now, now=city.clock())
    assert editions.impact(city.session, seen.id, now=city.clock()).rules == 1
    redrawn(city, renamed)

    bring_over(city)

    rows = select(Responsibility.name, Responsibility.area_code).where(Responsibility.name.in_(until))
    assert dict(city.session.execute(rows).all()) == {"open": "990101001001009", "over": FIRST}


def test_whoever_places_reports_hears_of_one_that_lies_in_no_cell_any_more(city):
    case = at(city, 117.058)
    now = city.clock()
    smaller = draft(city.session, CELLS, effective=local_day(now), now=now)
    city.session.execute(
        text(
            "UPDATE grid SET boundary = ST_Multi(ST_Intersection(boundary, "
            "ST_MakeEnvelope(117, 36, 117.055, 36.02, 4490))) WHERE edition_id = :id"
        ),
        {"id": smaller.id},
    )
    before = len(city.told("hotline"))
    editions.publish(city.session, smaller.id, by="decider", now=now)

    bring_over(city)

    assert (case.placement, case.edition_id, case.grid_code) == (Placement.OUTSIDE, None, "990101")
    assert city.told("hotline")[before:] == ["incident.outside"]


def test_what_lay_in_a_cell_that_is_no_more_counts_in_the_one_that_holds_it_now(city):
    """So the cells of a community always add up to it, also for cases that were closed before."""
    case = at(city, 117.005)
    case.status, case.accepted_at, case.resolved_at = "closed", city.clock(), city.clock()
    city.session.flush()
    first = case.edition_id
    gone = {code: west for code, west in CELLS.items() if code != FIRST} | {"990101001001002": 117.00}
    redrawn(city, gone)

    now = city.clock()
    since, until = now - timedelta(days=1), now + timedelta(days=1)
    for edition, cell in ((None, "990101001001002"), (first, FIRST)):
        for level, code in ((GridLevel.BUILDING_GROUP, cell), (GridLevel.COMMUNITY, "990101001001")):
            asked = Window("990101", level, since, until, edition=edition)
            count = measures.hotspots(city.session, ALL, asked, HotspotMetric.COUNT)
            assert count[count["n"] > 0].set_index("code")["n"].to_dict() == {code: 1}
            times = measures.responses(city.session, ALL, asked, measures.ResponseMetric.HANDLE, now=now)
            assert times[times["n"] > 0].set_index("code")["n"].to_dict() == {code: 1}
    assert case.grid_code == FIRST


def test_a_case_that_moves_names_the_people_of_its_new_place_and_says_why(city):
    case = city.accepted(lon=117.018, lat=36.01)
    before = case.responsible
    redrawn(city)

    bring_over(city)

    leaders = {one["person_id"] for one in case.responsible["people"] if one["role"] == "grid_leader"}
    assert leaders == {city["leader2"].person_id}
    assert case.responsible["departments"] == before["departments"]
    assert [entry["what"] for entry in case.explanation[-2:]] == ["cell", "people"]
