"""What leaves the house: incidents that a spreadsheet shows and never computes, editions that come back whole."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta

import geopandas as gpd
import pytest
import shapely
from sqlalchemy import select, update

from gis.errors import InvalidInput, NotFound
from gis.faults import CoverageReport, Fault, FaultKind, Severity
from grids.exports import INCIDENT_COLUMNS, export_edition, export_incidents, write_faults
from grids.ground import editions
from grids.ground.plan import check_plan, plan_edition
from grids.register import Filters
from grids.rules.lifecycle import IncidentStatus
from grids.tables import Edition, Grid


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def source_codes(session, edition_id):
    query = select(Grid.code, Grid.source_code).where(
        Grid.edition_id == edition_id, Grid.source_code.is_not(None)
    )
    return dict(session.execute(query).all())


def export(city, path, **filters):
    return export_incidents(city.session, Filters(**filters), path)


def test_a_table_of_incidents_opens_in_a_spreadsheet(city, tmp_path):
    incident = city.accepted(address="升平巷5号")

    assert export(city, tmp_path / "out.csv") == 1

    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbfnumber,status,")
    [row] = rows_of(tmp_path / "out.csv")
    assert row["\ufeffnumber"] == incident.number
    assert (row["status"], row["grade"], row["placement"]) == ("handling", "yellow", "inside")
    assert row["edition"] == str(incident.edition_id)
    assert (row["category_name_en"], row["grid_name"]) == ("Unlicensed business incl. barbecue", "第001")
    assert (float(row["lon"]), float(row["lat"])) == city.centre_of("990101001001001")
    assert row["received_at"] == "2026-06-03T09:00:00+08:00"
    assert row["closed_at"] == ""


def test_those_who_reported_stay_at_home(city, tmp_path):
    city.report(reporter_name="王某某", reporter_phone="13812345678")

    for kind in ("csv", "geojson", "gpkg"):
        export(city, tmp_path / f"out.{kind}")
        content = (tmp_path / f"out.{kind}").read_bytes()
        assert "王某某".encode() not in content
        assert b"13812345678" not in content


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_text_that_a_citizen_wrote_computes_nothing(city, tmp_path, start):
    city.report(text=f"{start}HYPERLINK(1)", address=f"{start}1")

    export(city, tmp_path / "out.csv")

    [row] = rows_of(tmp_path / "out.csv")
    assert (row["text"], row["address"]) == (f"'{start}HYPERLINK(1)", f"'{start}1")


def test_a_map_of_incidents_is_plain_geojson(city, tmp_path):
    incident = city.report(text='"引号"\n=1+1')

    export(city, tmp_path / "out.geojson")

    document = json.loads((tmp_path / "out.geojson").read_text("utf-8"))
    [feature] = document["features"]
    assert feature["geometry"] == {"type": "Point", "coordinates": list(city.centre_of("990101001001001"))}
    assert feature["properties"]["number"] == feature["id"] == incident.number
    assert feature["properties"]["text"] == '"引号"\n=1+1'
    assert set(feature["properties"]) == set(INCIDENT_COLUMNS) - {"lon", "lat"}


def test_a_geopackage_of_incidents_keeps_text_and_place(city, tmp_path):
    city.report(text="=1+1")
    city.report(code="990101002001001")

    assert export(city, tmp_path / "out.gpkg") == 2

    frame = gpd.read_file(tmp_path / "out.gpkg", layer="incidents")
    assert frame.crs.to_epsg() == 4490
    assert frame["text"].tolist() == ["=1+1", "车库里有人烧烤"]
    assert frame["edition"].dtype.kind == "i"
    assert frame.geometry.iloc[1].coords[0] == city.centre_of("990101002001001")


@pytest.mark.parametrize("kind", ["csv", "geojson", "gpkg"])
def test_an_export_without_any_incident_is_a_file_all_the_same(city, tmp_path, kind):
    assert export(city, tmp_path / f"out.{kind}") == 0
    assert (tmp_path / f"out.{kind}").stat().st_size > 0


def test_an_export_keeps_to_what_was_asked_for(city, tmp_path):
    first = city.report(code="990101001001001")
    city.clock.advance(days=1)
    second = city.accepted(code="990101002001001")
    at = city.clock()

    def numbers(**filters):
        export(city, tmp_path / "out.csv", **filters)
        return [row["\ufeffnumber"] for row in rows_of(tmp_path / "out.csv")]

    assert numbers() == [first.number, second.number]
    assert numbers(area="990101002") == [second.number]
    assert numbers(statuses=(IncidentStatus.REPORTED,)) == [first.number]
    assert numbers(since=at) == [second.number]
    assert numbers(until=at) == [first.number]
    assert numbers(category="07-001") == []


def test_a_file_of_another_kind_is_refused_before_anything_is_read(city, tmp_path):
    with pytest.raises(InvalidInput) as refused:
        export(city, tmp_path / "out.ods")

    assert refused.value.code == "unknown_file_type"


@pytest.mark.parametrize("kind", ["gpkg", "geojson", "zip", "kml", "fgb", "parquet"])
def test_an_edition_comes_back_as_it_left_without_a_mapping(city, tmp_path, kind):
    edition_id = city.session.scalar(select(Edition.id))
    city.session.execute(
        update(Grid)
        .where(Grid.code == "990101001001001")
        .values(name="东头,=1+1", population=7, source_code="07")
    )
    city.session.execute(update(Grid).where(Grid.code == "990101").values(source_code="B1"))

    export_edition(city.session, edition_id, tmp_path / f"grid.{kind}")
    plan = plan_edition(tmp_path / f"grid.{kind}", frame="CGCS2000")
    again = editions.load(
        city.session,
        plan,
        check_plan(plan),
        name="again",
        effective_from=datetime(2026, 7, 1, tzinfo=UTC).date(),
        now=city.clock(),
    )

    before, after = (editions.areas_of(city.session, one) for one in (edition_id, again.id))
    assert check_plan(plan).ok
    assert after[["code", "level", "name"]].equals(before[["code", "level", "name"]])
    assert after["households"].fillna(-1).tolist() == before["households"].fillna(-1).tolist()
    assert after["population"].fillna(-1).tolist() == before["population"].fillna(-1).tolist()
    assert source_codes(city.session, again.id) == {"990101": "B1", "990101001001001": "07"}
    assert shapely.equals_identical(
        shapely.normalize(after.geometry.to_numpy()), shapely.normalize(before.geometry.to_numpy())
    ).all()


def test_what_cannot_be_written_is_told_and_leaves_what_was_there(city, tmp_path):
    edition_id = city.session.scalar(select(Edition.id))
    for kind in ("gpkg", "geojson", "zip", "kml", "fgb", "parquet"):
        with pytest.raises(InvalidInput) as refused:
            export_edition(city.session, edition_id, tmp_path / "nowhere" / f"grid.{kind}")
        assert refused.value.code == "cannot_write"

    (tmp_path / "grid.zip").write_bytes(b"older")
    city.session.execute(update(Grid).where(Grid.code == "990101").values(name="字" * 100))
    with pytest.raises(InvalidInput) as cut:
        export_edition(city.session, edition_id, tmp_path / "grid.zip")

    assert cut.value.code == "cannot_write"
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("grid.zip", b"older")]


def test_an_edition_that_is_not_there_leaves_no_file(city, tmp_path):
    with pytest.raises(NotFound):
        export_edition(city.session, 4711, tmp_path / "grid.gpkg")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["gpkg", "geojson"])
def test_faults_become_shapes_on_a_map(tmp_path, kind):
    gap = shapely.box(117, 36, 117.01, 36.01)
    report = CoverageReport(
        counts={},
        faults=(
            Fault(FaultKind.GAP, ("990101",), "a gap", area_m2=5.5, geometry=gap),
            Fault(
                FaultKind.SIZE_RULE, ("990101001001001",), "too big", Severity.WARNING, lon=117.5, lat=36.5
            ),
            Fault(FaultKind.DUPLICATE_CODE, ("990101", "990102"), "twice"),
        ),
    )

    write_faults(report, tmp_path / f"faults.{kind}")

    frame = gpd.read_file(tmp_path / f"faults.{kind}")
    assert frame["kind"].tolist() == ["gap", "size_rule", "duplicate_code"]
    assert frame["codes"].iloc[2] == "990101, 990102"
    assert frame.geometry.iloc[0].equals(gap)
    assert frame.geometry.iloc[1].equals(shapely.Point(117.5, 36.5))
    assert frame.geometry.iloc[2] is None


def test_a_report_without_faults_is_an_empty_map(tmp_path):
    write_faults(CoverageReport(counts={}), tmp_path / "faults.geojson")

    assert json.loads((tmp_path / "faults.geojson").read_text())["features"] == []


def test_times_are_those_of_the_city_whatever_the_machine_says(city, tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    city.clock.advance(hours=15, minutes=30)  # half past midnight in the city
    city.report()

    export(city, tmp_path / "out.csv", since=city.clock() - timedelta(minutes=1))

    assert rows_of(tmp_path / "out.csv")[0]["received_at"] == "2026-06-04T00:30:00+08:00"
