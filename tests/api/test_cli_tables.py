"""`gridwhistle locate` and `incidents`: tables come in row by row, and leave for a spreadsheet or a map."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pytest
from shapely import box, to_geojson
from typer.testing import CliRunner

from api.cli import main

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "nyc"
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

AREAS = {
    "990101": ("升平区", 117.00, 117.04),
    "990101001": ("北街道", 117.00, 117.02),
    "990101002": ("南街道", 117.02, 117.04),
}
PROFILE = """
source = "old"
frame = "CGCS2000"
timezone = "Asia/Shanghai"
[columns]
id = "id"
text = "text"
category = "kind"
received = "received"
closed = "closed"
lon = "lon"
lat = "lat"
[categories]
"乱停车" = "07-001"
[defaults]
channel = "hotline"
"""
TABLE = """id,lon,lat,town,text,kind,received,closed
A1,117.005,36.005,北街道,=1+1,乱停车,2026-01-05T08:00:00,2026-01-06T09:00:00
A2,117.035,36.005,北街道,积水,积水,2026-01-05T09:00:00,
A3,,,南街道,没有位置,乱停车,2026-01-05T10:00:00,
A4,118,36.005,南街道,很远,乱停车,2026-01-05T11:00:00,2026-01-05T10:00:00
A5,118,36.005,南街道,也很远,乱停车,2026-01-05T12:00:00,2026-01-05T13:00:00
A6,117.01
"""


@pytest.fixture
def run(monkeypatch, make_database, tmp_path):
    """Run a command on a database of its own, in a directory of its own."""
    monkeypatch.setenv("GRID_DATABASE_URL", make_database())
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, list(map(str, arguments)), prog_name="gridwhistle")


@pytest.fixture
def files(tmp_path):
    """The grid, the table and the profile above as files; return their directory."""
    features = [
        {
            "type": "Feature",
            "properties": {"code": code, "name": name},
            "geometry": json.loads(to_geojson(box(west, 36.0, east, 36.01))),
        }
        for code, (name, west, east) in AREAS.items()
    ]
    document = json.dumps({"type": "FeatureCollection", "features": features})
    (tmp_path / "grid.geojson").write_text(document, "utf-8")
    (tmp_path / "table.csv").write_text(TABLE, "utf-8")
    (tmp_path / "profile.toml").write_text(PROFILE, "utf-8")
    return tmp_path


@pytest.fixture
def published(run, files):
    """The grid above, in force."""
    run("grids", "load", "grid.geojson", "--frame", "CGCS2000", "--effective", "2020-01-01")
    assert run("grids", "publish", "1").exit_code == 0


def rows_of(path, encoding="utf-8"):
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_is_located_in_a_file_of_areas(run, files):
    result = run("locate", "table.csv", "-o", "out.csv", "--grids", "grid.geojson", "--compare", "town=town")

    assert result.exit_code == 0
    assert "read 6 rows, coordinates taken as WGS84" in result.stdout
    assert "town agrees with town in 50.00% (1 of 2" in result.stdout
    rows = rows_of(files / "out.csv")
    assert [(row["id"], row["town_name"], row["how"]) for row in rows] == [
        ("A1", "北街道", "inside"),
        ("A2", "南街道", "inside"),
        ("A4", "", "outside"),
        ("A5", "", "outside"),
    ]
    assert rows[0]["text"] == "=1+1"  # somebody's own table comes back as it was
    rejects = [
        (row["id"], row["reject_line"], row["reject_reason"]) for row in rows_of(files / "out.rejects.csv")
    ]
    assert rejects == [("A6", "7", "2 cells where the header has 8"), ("A3", "4", "no coordinates")]


def test_a_table_is_located_in_the_edition_in_force(run, files, published):
    result = run(
        "locate", "table.csv", "-o", "out.csv", "--frame", "CGCS2000", "--rejects", "bad.csv", "--json"
    )

    said = json.loads(result.stdout)
    assert (said["read"], said["inside"], said["border"], said["outside"], said["rejected"]) == (
        6,
        2,
        0,
        2,
        2,
    )
    assert said["reasons"] == {"2 cells where the header has 8": 1, "no coordinates": 1}
    assert said["rejects"] == "bad.csv"


def test_a_draft_can_be_tried_before_it_is_published(run, files):
    run("grids", "load", "grid.geojson", "--frame", "CGCS2000", "--effective", "2020-01-01")

    assert "[no_grid]" in run("locate", "table.csv", "-o", "out.csv").stderr
    assert run("locate", "table.csv", "-o", "out.csv", "--edition", "1").exit_code == 0
    assert "[edition_not_found]" in run("locate", "table.csv", "-o", "out.csv", "--edition", "2").stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("table.csv", "-o", "out.csv", "--lon-column", "x"), "unknown_column"),
        (("table.csv", "-o", "out.csv", "--compare", "village=town"), "unknown_column"),
        (("table.csv", "-o", "out.csv", "--compare", "town=building_group"), "unknown_column"),
        (("table.csv", "-o", "out.csv", "--frame", "Mars"), "unknown_frame"),
        (("table.csv", "-o", "nowhere/out.csv"), "cannot_write"),
        (("nothing.csv", "-o", "out.csv"), "file_not_found"),
        (("table.csv", "-o", "out.csv", "--encoding", "ascii"), "wrong_encoding"),
    ],
)
def test_what_cannot_be_located_leaves_nothing_half_written(run, files, arguments, code):
    result = run("locate", *arguments, "--grids", "grid.geojson")

    assert (result.exit_code, result.stdout) == (1, "")
    assert f"[{code}]" in result.stderr
    assert sorted(path.name for path in files.iterdir()) == [
        "grid.geojson",
        "profile.toml",
        "table.csv",
    ]


def test_a_comparison_that_is_not_written_as_one_is_used_wrongly(run, files):
    assert run("locate", "table.csv", "-o", "o.csv", "--compare", "town").exit_code == 2
    assert (
        run("locate", "table.csv", "-o", "o.csv", "--grids", "grid.geojson", "--edition", "1").exit_code == 2
    )


def test_a_table_goes_back_in_the_encoding_that_it_came_in(run, files):
    (files / "gb.csv").write_text("编号,经度,纬度\n一,117.005,36.005\n二,,\n", "gb18030")

    run("locate", "gb.csv", "-o", "out.csv", "--grids", "grid.geojson", "--encoding", "gb18030")

    assert rows_of(files / "out.csv", "gb18030")[0]["town_name"] == "北街道"
    assert rows_of(files / "out.rejects.csv", "gb18030")[0]["编号"] == "二"


def test_packed_tables_come_in_and_go_out(run, files):
    (files / "table.csv.gz").write_bytes(gzip.compress(TABLE.encode("utf-8-sig")))

    assert run("locate", "table.csv.gz", "-o", "out.csv.gz", "--grids", "grid.geojson").exit_code == 0

    text = gzip.decompress((files / "out.csv.gz").read_bytes()).decode()
    assert text.startswith("\ufeffid,lon,lat")
    assert (files / "out.rejects.csv").exists()


def test_a_table_without_any_row_is_a_table_all_the_same(run, files):
    (files / "empty.csv").write_text("id,lon,lat\n")

    result = run("locate", "empty.csv", "-o", "out.csv", "--grids", "grid.geojson", "--compare", "id=town")

    assert result.exit_code == 0
    assert (files / "out.csv").read_text().startswith("id,lon,lat,grid_code,")


def test_a_history_is_imported_once(run, files, published):
    tried = run("incidents", "import", "table.csv", "--profile", "profile.toml", "--dry-run", "--json")
    first = run("incidents", "import", "table.csv", "--profile", "profile.toml", "--json")
    again = run("incidents", "import", "table.csv", "--profile", "profile.toml")

    said = json.loads(first.stdout)
    assert first.exit_code == again.exit_code == 0
    assert (said["read"], said["imported"], said["closed"], said["open"]) == (6, 3, 2, 1)
    assert said["rejected"] == {
        "2 cells where the header has 8": 1,
        "no coordinates": 1,
        "closed before it was received": 1,
    }
    assert said["placed"] == {"inside": 2, "outside": 1}
    assert said["unmapped"] == {"积水": 1}
    assert {**json.loads(tried.stdout), "dry_run": False} == said
    assert "           0  imported" in again.stdout
    assert "           3  already there" in again.stdout
    assert len(rows_of(files / "table.rejects.csv")) == 3


def test_an_import_that_fails_keeps_nothing(run, files, published):
    broken = files / "broken.csv"
    broken.write_bytes(TABLE.encode() + b'A7,"never closed\n' + b"x," * 600_000)

    result = run("incidents", "import", "broken.csv", "--profile", "profile.toml")
    run("incidents", "export", "-o", "out.csv")

    assert (result.exit_code, "[bad_table]" in result.stderr) == (1, True)
    assert rows_of(files / "out.csv") == []


def test_what_was_imported_has_a_whole_history_and_can_be_taken_out(run, files, published):
    run("incidents", "import", "table.csv", "--profile", "profile.toml")

    verified = run("trace", "verify")
    everything = run("incidents", "export", "-o", "all.csv")
    run("incidents", "export", "-o", "closed.csv", "--status", "closed", "--area", "990101001")
    run("incidents", "export", "-o", "day.csv", "--from", "2026-01-06", "--to", "2026-01-07")
    run("incidents", "export", "-o", "map.geojson", "--category", "07-001")

    assert verified.stdout == "3 cases, 3 steps, 0 broken.\n"
    assert everything.stdout == "all.csv: 3 incidents\n"
    [row] = rows_of(files / "closed.csv", "utf-8-sig")
    assert (row["source_key"], row["text"]) == ("old:A1", "'=1+1")
    assert rows_of(files / "day.csv") == []
    assert len(json.loads((files / "map.geojson").read_text("utf-8"))["features"]) == 2


def test_a_status_or_a_day_that_is_none_is_used_wrongly(run):
    assert run("incidents", "export", "-o", "o.csv", "--status", "gone").exit_code == 2
    assert run("incidents", "export", "-o", "o.csv", "--from", "January").exit_code == 2
    assert "[unknown_file_type]" in run("incidents", "export", "-o", "o.ods").stderr


@pytest.mark.skipif(not DATA.is_dir(), reason="the sample data of New York is not beside this checkout")
def test_the_complaints_of_new_york_are_located_and_imported(run):
    grid, mapping = DATA / "nyc_grids_4level.gpkg", EXAMPLES / "mappings" / "nyc.toml"
    run("grids", "load", grid, "--mapping", mapping, "--frame", "WGS84", "--effective", "2010-01-01")
    run("grids", "publish", "1")
    table = DATA / "nyc311_incidents.csv.gz"

    located = run("locate", table, "-o", "out.csv", "--compare", "borough=district", "--json")
    imported = run("incidents", "import", table, "--profile", EXAMPLES / "profiles" / "nyc311.toml", "--json")

    said = json.loads(located.stdout)
    assert said["agreement"][0]["share"] >= 0.998
    assert said["inside"] + said["border"] + said["outside"] + said["rejected"] == said["read"] == 50_458
    done = json.loads(imported.stdout)
    assert done["imported"] == 49_578
    assert done["rejected"] == {"closed before it was received": 295, "no coordinates": 585}


def test_a_file_that_is_read_is_never_written_over(run, files):
    before = {name: (files / name).read_bytes() for name in ("table.csv", "grid.geojson")}

    for command in (
        ("locate", "table.csv", "-o", "table.csv", "--grids", "grid.geojson"),
        ("locate", "table.csv", "-o", "out.csv", "--grids", "grid.geojson", "--rejects", "./grid.geojson"),
        ("grids", "check", "grid.geojson", "--fix", "grid.geojson"),
        ("grids", "check", "grid.geojson", "--faults", "grid.geojson"),
    ):
        refused = run(*command)
        assert refused.exit_code == 1, command
        assert "[output_is_input]" in refused.stderr

    assert {name: (files / name).read_bytes() for name in before} == before
