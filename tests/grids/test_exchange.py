"""The history of another system becomes cases of ours: in their last state, with a whole trace, and only once."""

from __future__ import annotations

import csv
import gc
import io
import math
import sys
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import delete, func, select, text

from gis.errors import InvalidInput, Unavailable
from grids import trace
from grids.csvtables import CsvSource, Rejects
from grids.exchange import import_incidents
from grids.measures import ResponseMetric, Window, hotspots, responses
from grids.profile import read_profile
from grids.rules import explanation
from grids.rules.categories import shipped_categories
from grids.rules.levels import GridLevel
from grids.rules.lifecycle import Channel, IncidentStatus
from grids.rules.permissions import SYSTEM
from grids.tables import Category, Deadline, Edition, Incident, Message, Placement, Responsibility

NYC = Path(__file__).parents[2].parent / "shared" / "data" / "nyc" / "nyc311_incidents.csv.gz"

HEADER = ["id", "title", "body", "kind", "received", "closed", "lon", "lat", "where", "channel"]
ROW = {
    "id": "A1",
    "title": "占道",
    "body": "三轮车占道",
    "kind": "乱停车",
    "received": "2026-05-01 08:00:00",
    "closed": "2026-05-02 09:30:00",
    "lon": "117.005",
    "lat": "36.01",
    "where": "升平巷5号",
    "channel": "电话",
}
PROFILE = """
source = "old12345"
frame = "CGCS2000"
timezone = "Asia/Shanghai"
time_formats = ["%Y-%m-%d %H:%M:%S", "iso"]
[columns]
id = "id"
text = ["title", "body"]
category = "kind"
received = "received"
closed = "closed"
lon = "lon"
lat = "lat"
address = "where"
channel = "channel"
[categories]
"乱停车" = "07-001"
[channels]
"电话" = "hotline"
"网格" = "grid_worker"
[defaults]
channel = "citizen"
"""


@pytest.fixture
def bring(city, tmp_path):
    """Import rows, each the one above with some cells exchanged."""

    def bring(*rows, profile=PROFILE, **how):
        table, said = tmp_path / "table.csv", tmp_path / "profile.toml"
        text = io.StringIO()
        writer = csv.DictWriter(text, HEADER)
        writer.writeheader()
        writer.writerows({**ROW, **row} for row in rows)
        table.write_text(text.getvalue(), "utf-8")
        said.write_text(profile, "utf-8")
        source = CsvSource(table)
        with Rejects(tmp_path / "rejects.csv", source) as rejects:
            return import_incidents(
                city.session, source, read_profile(said), rejects, now=city.clock(), **how
            )

    return bring


def only(city):
    return city.session.scalars(select(Incident)).one()


def count(city, table=Incident):
    return city.session.scalar(select(func.count()).select_from(table))


def test_a_closed_case_arrives_closed_in_its_cell(city, bring):
    done = bring({})

    case = only(city)
    assert (done.read, done.imported, done.closed, done.open) == (1, 1, 1, 0)
    assert (case.status, case.channel, case.category_code) == (
        IncidentStatus.CLOSED,
        Channel.HOTLINE,
        "07-001",
    )
    assert (case.text, case.address) == ("占道; 三轮车占道", "升平巷5号")
    assert (case.grid_code, case.placement) == ("990101001001001", Placement.INSIDE)
    assert case.received_at == datetime(2026, 5, 1, 0, 0, tzinfo=UTC)
    assert case.closed_at == datetime(2026, 5, 2, 1, 30, tzinfo=UTC)
    assert (case.source_key, case.number) == ("old12345:A1", "2026050199010100001")
    assert case.edition_id == city.session.scalar(select(Edition.id))
    [why] = case.explanation
    assert (why["what"], why["chose"], why["because"]) == ("cell", "990101001001001", "inside")
    assert (why["facts"]["edition"], why["facts"]["edition_name"]) == (case.edition_id, "first")


def test_a_case_without_a_closing_time_arrives_as_a_report(city, bring):
    done = bring({"closed": ""})

    assert (done.closed, done.open) == (0, 1)
    assert (only(city).status, only(city).closed_at) == (IncidentStatus.REPORTED, None)


def test_its_history_begins_with_where_it_comes_from_and_is_whole(city, bring):
    bring({}, {"id": "A2", "closed": ""})

    for case in city.session.scalars(select(Incident).order_by(Incident.source_key)):
        [step] = trace.of_incident(city.session, case.id)
        assert trace.first_broken(city.session, case) is None
        assert (step.seq, step.row, step.at) == (1, "I1", city.clock())
        assert step.to_state == case.status.value
        assert step.action == ("import_closed" if case.closed_at else "import_open")
        assert step.payload["source_id"] == case.source_key.partition(":")[2]


def test_texts_that_would_break_a_line_or_a_json_text_arrive_as_they_are(city, bring):
    odd = "a\"b\\n\\N %s %(number)s\t{}'街"

    bring({"id": odd, "title": odd, "body": "two\r\nlines", "where": f"\\{odd}", "kind": odd})

    case = only(city)
    [step] = trace.of_incident(city.session, case.id)
    assert (case.source_key, case.text) == (f"old12345:{odd}", f"{odd}; two\r\nlines")
    assert case.address == f"\\{odd}"
    assert step.payload["source_id"] == odd
    assert trace.first_broken(city.session, case) is None


def test_its_explanation_is_that_of_any_other_point(city, bring):
    bring({}, {"id": "A2", "lon": "117.5"})

    for case in city.session.scalars(select(Incident).order_by(Incident.source_key)):
        inside = case.placement is not Placement.OUTSIDE
        assert case.explanation == [
            explanation.cell(
                case.grid_code if inside else None,
                case.placement.value,
                at=city.clock(),
                edition=case.edition_id,
                edition_name="first" if inside else None,
                frame="CGCS2000",
                lon=case.native_lon,
                lat=case.native_lat,
                border_m=case.border_distance_m,
            )
        ]


def test_no_clock_runs_for_it_and_nobody_is_messaged(city, bring):
    bring({}, {"id": "A2", "closed": ""})

    assert (count(city, Deadline), count(city, Message)) == (0, 0)


def test_an_imported_report_can_be_taken_up_like_any_other(city, bring):
    from grids.acts import incidents

    bring({"closed": ""})

    incidents.accept(city.session, only(city).number, by=city["centre"], now=city.clock())

    assert only(city).status is IncidentStatus.HANDLING
    assert trace.first_broken(city.session, only(city)) is None


def test_a_case_that_was_closed_elsewhere_does_not_count_as_waiting_here(city, bring):
    bring({}, {"id": "A2", "closed": ""})
    month = Window(
        "990101", GridLevel.TOWN, datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    )

    cells = responses(city.session, SYSTEM.scope, month, ResponseMetric.ACCEPT, now=city.clock())
    counted = hotspots(city.session, SYSTEM.scope, month)

    assert cells[["n", "open"]].sum().tolist() == [1, 1]
    assert counted["n"].sum() == 2


def test_the_time_from_receipt_to_closing_is_known_of_a_history_and_open_cases_count_in_it(city, bring):
    bring({}, {"id": "A2", "closed": "2026-05-01 10:00:00"}, {"id": "A3", "closed": ""})
    month = Window(
        "990101", GridLevel.DISTRICT, datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    )

    [cell] = responses(city.session, SYSTEM.scope, month, ResponseMetric.CLOSE, now=city.clock()).itertuples()

    assert (cell.n, cell.open, cell.overdue_share) == (3, 1, 0.0)
    # two hours, a day and an hour and a half, and one that has run longer than both
    assert cell.value == 25.5 * 60
    assert math.isnan(cell.p90)


def test_the_same_file_again_adds_nothing(city, bring):
    bring({}, {"id": "A2"})

    again = bring({}, {"id": "A2"}, {"id": "A3"})

    assert (again.read, again.imported, again.already_there) == (3, 1, 2)
    assert count(city) == 3


def test_the_same_id_of_another_source_is_another_case(city, bring):
    bring({})

    done = bring({}, profile=PROFILE.replace("old12345", "field-app"))

    assert (done.imported, count(city)) == (1, 2)


@pytest.mark.parametrize("other", ["old1234", "old12345-b", "old12345.b", "old12345_b", "old123456"])
def test_sources_with_names_alike_are_never_taken_for_each_other(city, bring, other):
    alike = PROFILE.replace("old12345", other)

    done = [bring({}, profile=one).imported for one in (alike, PROFILE, PROFILE, alike)]

    assert done == [1, 1, 0, 0]


def test_cases_of_all_forms_in_one_file_keep_what_is_their_own(city, bring):
    rows = [
        {"id": "A0"},
        {"id": "A1", "closed": "", "where": ""},
        {"id": "A2", "lon": "117.5", "kind": "奇怪的事", "where": "\\N"},
        {"id": "A3", "lon": "117.5", "closed": "", "channel": "网格"},
        {"id": "A4", "where": "二\t街"},
        {"id": "A5", "closed": "", "body": "第二件"},
    ]

    done = bring(*rows)

    cases = city.session.scalars(select(Incident).order_by(Incident.source_key)).all()
    assert [case.source_key for case in cases] == [f"old12345:A{n}" for n in range(6)]
    assert [case.closed_at is None for case in cases] == [False, True, False, True, False, True]
    assert [case.address for case in cases] == ["升平巷5号", None, "\\N", "升平巷5号", "二\t街", "升平巷5号"]
    assert [case.category_code for case in cases] == ["07-001", "07-001", None, "07-001", "07-001", "07-001"]
    assert [case.native_lon for case in cases] == [117.005, 117.005, 117.5, 117.5, 117.005, 117.005]
    assert (cases[3].channel, cases[5].text) == (Channel.GRID_WORKER, "占道; 第二件")
    for case in cases:
        [step] = trace.of_incident(city.session, case.id)
        assert trace.first_broken(city.session, case) is None
        assert (step.subject, step.payload["source_id"]) == (case.number, case.source_key.partition(":")[2])
        assert (step.payload["lon"], step.payload["closed_at"] is None) == (
            str(case.native_lon),
            case.closed_at is None,
        )
    assert done.placed == {"inside": 4, "outside": 2}


def test_an_import_leaves_the_process_as_it_was(city, bring):
    before = sys.getswitchinterval(), gc.get_freeze_count()

    bring({})
    with pytest.raises(InvalidInput), city.session.begin_nested():
        bring(
            {"id": "A2", "lon": "36", "lat": "117"},
            *({"id": f"B{n}", "lon": "36.01", "lat": "117.005"} for n in range(20)),
        )

    assert (sys.getswitchinterval(), gc.get_freeze_count()) == before


@pytest.mark.parametrize(
    ("row", "reason", "at_fault"),
    [
        ({"id": " "}, "no id", "id"),
        ({"id": "x" * 201}, "its id is longer than 200 characters", "id"),
        ({"lon": "", "lat": ""}, "no coordinates", "lon, lat"),
        ({"lon": ""}, "no longitude", "lon"),
        ({"lat": "north"}, "latitude is not a number", "lat"),
        ({"received": ""}, "no time of receipt", "received"),
        ({"received": "yesterday"}, "its time of receipt cannot be read", "received"),
        ({"received": "2026-02-30 08:00:00"}, "its time of receipt cannot be read", "received"),
        ({"received": "2026-06-04 08:00:00", "closed": ""}, "received in the future", "received"),
        ({"closed": "soon"}, "its closing time cannot be read", "closed"),
        ({"closed": "2026-04-30 08:00:00"}, "closed before it was received", "closed"),
        ({"closed": "2027-01-01 08:00:00"}, "closed in the future", "closed"),
        ({"body": "a\x00b"}, "text that holds U+0000", ""),
    ],
)
def test_a_row_that_cannot_be_used_is_turned_away_with_its_reason(
    city, bring, tmp_path, row, reason, at_fault
):
    done = bring({"id": "good"}, row)

    assert done.rejected == {reason: 1}
    assert (done.read, done.imported, count(city)) == (2, 1, 1)
    with (tmp_path / "rejects.csv").open(encoding="utf-8", newline="") as file:
        [rejected] = csv.DictReader(file)
    told = [rejected[f"reject_{name}"] for name in ("line", "field", "reason")]
    assert told == ["3", at_fault, reason]
    assert {name: rejected[name] for name in HEADER} == {**ROW, **row}


def test_an_id_that_comes_twice_counts_once(city, bring):
    done = bring({}, {"title": "再报"}, {"id": "A2", "lon": ""}, {"id": "A2"})

    assert done.rejected == {"its id came earlier in the file": 1, "no longitude": 1}
    assert done.imported == 2


def test_a_point_outside_every_grid_is_kept_with_the_nearest_district(city, bring):
    done = bring({"lon": "117.5"})

    case = only(city)
    assert done.placed == {"outside": 1}
    assert (case.placement, case.grid_code, case.edition_id) == (Placement.OUTSIDE, "990101", None)
    assert case.border_distance_m == pytest.approx(39_700, rel=0.01)
    assert [(why["chose"], why["because"]) for why in case.explanation] == [(None, "outside")]


def test_the_clock_on_the_wall_is_that_of_the_profile(city, bring):
    new_york = PROFILE.replace("Asia/Shanghai", "America/New_York")

    bring(
        {"id": "winter", "received": "2026-01-15 12:00:00", "closed": ""},
        {"id": "summer", "received": "2025-07-15 12:00:00", "closed": ""},
        {"id": "offset", "received": "2025-07-15T12:00:00+08:00", "closed": ""},
        {"id": "left out", "received": "2026-03-08 02:30:00", "closed": ""},
        # 01:50 and 01:10 of the night in which the hour from one to two comes twice
        {"id": "twice", "received": "2025-11-02 01:50:00", "closed": "2025-11-02 01:10:00"},
        profile=new_york,
    )

    moments = dict(city.session.execute(select(Incident.source_key, Incident.received_at)).all())
    assert moments == {
        "old12345:winter": datetime(2026, 1, 15, 17, tzinfo=UTC),
        "old12345:summer": datetime(2025, 7, 15, 16, tzinfo=UTC),
        "old12345:offset": datetime(2025, 7, 15, 4, tzinfo=UTC),
        "old12345:left out": datetime(2026, 3, 8, 7, tzinfo=UTC),
        "old12345:twice": datetime(2025, 11, 2, 5, 50, tzinfo=UTC),
    }
    twice = city.session.scalar(select(Incident.closed_at).where(Incident.source_key == "old12345:twice"))
    assert twice == datetime(2025, 11, 2, 6, 10, tzinfo=UTC)


@pytest.mark.parametrize("block", [1, 5_000])
def test_numbers_go_on_where_those_of_the_day_stand(city, bring, monkeypatch, block):
    monkeypatch.setattr("grids.exchange._BLOCK_ROWS", block)
    reported = city.report()

    bring(
        {"id": "A2", "received": "2026-06-03 08:30:00", "closed": ""},
        {"id": "A1", "received": "2026-06-03 08:00:00", "closed": ""},
        {"id": "A0", "received": "2026-06-02 23:59:00", "closed": ""},
    )
    after = city.report()

    numbers = dict(city.session.execute(select(Incident.source_key, Incident.number)).all())
    assert reported.number == "2026060399010100001"
    # within a block those that were received first come first
    assert {numbers["old12345:A1"], numbers["old12345:A2"]} == {"2026060399010100002", "2026060399010100003"}
    assert (numbers["old12345:A1"] < numbers["old12345:A2"]) == (block > 1)
    assert numbers["old12345:A0"] == "2026060299010100001"
    assert after.number == "2026060399010100004"


def test_a_word_that_the_profile_does_not_list_is_told(city, bring):
    done = bring({"kind": "奇怪的事"}, {"id": "A2", "kind": "乱停车"}, {"id": "A3", "kind": ""})

    assert done.unmapped == {"奇怪的事": 1}
    codes = city.session.scalars(select(Incident.category_code).order_by(Incident.source_key)).all()
    assert codes == [None, "07-001", None]


def test_words_fall_back_to_what_the_profile_says(city, bring):
    with_default = PROFILE.replace("[defaults]", '[defaults]\ncategory = "12-001"')

    bring({"kind": "奇怪的事", "channel": "飞鸽"}, profile=with_default)

    assert (only(city).category_code, only(city).channel) == ("12-001", Channel.CITIZEN)


def test_a_case_without_a_text_is_told_by_its_kind(city, bring):
    bring({"title": "", "body": " "})

    assert only(city).text == "乱停车"


def test_a_category_that_is_not_in_the_list_stops_everything(city, bring):
    with pytest.raises(InvalidInput) as refused:
        bring({}, profile=PROFILE.replace("07-001", "99-001"))

    assert (refused.value.code, refused.value.facts["field"]) == ("unknown_category", "categories.乱停车")
    assert count(city) == 0


def test_a_column_that_is_not_there_stops_everything(city, bring):
    with pytest.raises(InvalidInput) as refused:
        bring({}, profile=PROFILE.replace('address = "where"', 'address = "street"'))

    assert (refused.value.code, refused.value.facts["field"]) == ("unknown_column", "columns.address")


def test_a_dry_run_tells_the_same_and_writes_nothing(city, bring):
    rows = ({}, {"id": "A2", "lon": ""}, {"id": "A3", "closed": ""})

    tried = bring(*rows, dry_run=True)

    assert count(city) == 0
    assert vars(tried) == vars(bring(*rows))


def test_only_the_rows_of_one_source_are_brought_in(city, bring):
    rows = (
        {"where": "甲"},
        {"id": "A2", "where": " 乙 "},
        {"id": "A3", "where": "乙", "lon": ""},
        {"id": "A4", "lon": ""},
    )

    done = bring(*rows, only=("where", "乙"))

    assert (done.read, done.imported, done.left_out, done.rejected) == (4, 1, 2, {"no longitude": 1})
    assert only(city).source_key == "old12345:A2"
    with pytest.raises(InvalidInput) as refused:
        bring(*rows, only=("source", "乙"))
    assert (refused.value.code, refused.value.facts["field"]) == ("unknown_column", "only")


@pytest.mark.parametrize("broken_at", [4, 9])
def test_a_database_that_refuses_any_block_keeps_none(city, bring, monkeypatch, broken_at):
    monkeypatch.setattr("grids.exchange._BLOCK_ROWS", 3)
    city.session.execute(text(f"ALTER TABLE incident ADD CHECK (source_key <> 'old12345:A{broken_at}')"))

    with pytest.raises(psycopg.errors.CheckViolation), city.session.begin_nested():
        bring(*({"id": f"A{n}"} for n in range(10)))

    assert count(city) == 0


def test_without_a_grid_in_force_nothing_can_be_placed(city, bring):
    city.session.execute(
        Edition.__table__.update().values(effective_from=city.clock().date().replace(year=2027))
    )

    with pytest.raises(Unavailable) as refused:
        bring({})

    assert refused.value.code == "no_grid"


def test_a_database_without_categories_begins_with_those_that_are_shipped(city, bring):
    city.session.execute(delete(Responsibility))
    city.session.execute(delete(Category))

    bring({})

    assert count(city, Category) == len(shipped_categories())
    assert only(city).category_code == "07-001"


def test_a_table_without_any_row_adds_nothing(city, bring):
    done = bring()

    assert (done.read, done.imported, count(city)) == (0, 0, 0)


def test_many_blocks_are_one_import(city, bring, monkeypatch):
    monkeypatch.setattr("grids.exchange._BLOCK_ROWS", 3)

    done = bring(*({"id": f"A{n}"} for n in range(10)), {"id": "A0"})

    assert (done.imported, done.rejected) == (10, {"its id came earlier in the file": 1})
    numbers = city.session.scalars(select(Incident.number).order_by(Incident.number)).all()
    assert numbers == [f"20260501990101{n:05d}" for n in range(1, 11)]


@pytest.mark.skipif(not NYC.is_file(), reason="the sample data of New York is not beside this checkout")
def test_real_complaints_far_from_this_city_are_all_kept_or_told(city, tmp_path):
    example = Path(__file__).parents[2] / "docs" / "examples" / "profiles" / "nyc311.toml"
    source = CsvSource(NYC)

    with Rejects(tmp_path / "rejects.csv", source) as rejects:
        done = import_incidents(city.session, source, read_profile(example), rejects, now=city.clock())

    assert done.read == 50_458
    assert done.imported + sum(done.rejected.values()) == done.read
    assert done.rejected["closed before it was received"] == 295
    assert done.placed == {"outside": done.imported}
