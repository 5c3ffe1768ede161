"""`gridwhistle grids`: a file is checked, loaded, published, listed, exported and compared from a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shapely import Polygon, box, to_geojson
from typer.testing import CliRunner

from api.cli import main

DATA = Path(__file__).parents[2].parent / "shared" / "data"
MAPPINGS = Path(__file__).parents[2] / "docs" / "examples" / "mappings"


@pytest.fixture
def run(monkeypatch, make_database):
    """Run a command on a database of its own."""
    monkeypatch.setenv("GRID_DATABASE_URL", make_database())
    return lambda *arguments: CliRunner().invoke(main, list(map(str, arguments)), prog_name="gridwhistle")


@pytest.fixture
def run_without_database(monkeypatch):
    """Run a command that must get along without any."""
    monkeypatch.setenv("GRID_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/nothing")
    return lambda *arguments: CliRunner().invoke(main, list(map(str, arguments)), prog_name="gridwhistle")


def cells_of(widths):
    """Return a town of one community in a row of cells, from widths in hundredths of a degree."""
    west, shapes = 117.0, {}
    for number, width in enumerate(widths, start=1):
        east = round(west + width / 100, 6)
        shapes[f"990101001001{number:03d}"] = box(west, 36.0, east, 36.01)
        west = east
    whole = box(117.0, 36.0, west, 36.01)
    return {"990101": whole, "990101001": whole, "990101001001": whole, **shapes}


def with_99_bowties():
    shapes = cells_of([1] * 120)
    for number in range(1, 100):
        code = f"990101001001{number:03d}"
        west, south, east, north = shapes[code].bounds
        shapes[code] = Polygon([(west, south), (east, north), (east, south), (west, north)])
    return shapes


@pytest.fixture
def grid_file(tmp_path):
    """Write a grid to a GeoJSON file."""

    def write(shapes, name="grid.geojson"):
        features = [
            {"type": "Feature", "properties": {"code": code}, "geometry": json.loads(to_geojson(shape))}
            for code, shape in shapes.items()
        ]
        path = tmp_path / name
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")
        return path

    return write


def load(run, file, *more, effective="2026-01-01"):
    result = run("grids", "load", file, "--frame", "CGCS2000", "--effective", effective, "--json", *more)
    return json.loads(result.stdout)["edition"]


def test_a_sound_grid_passes_the_check_without_a_database(run_without_database, grid_file):
    result = run_without_database("grids", "check", grid_file(cells_of([1, 2, 1])))

    assert result.exit_code == 0
    assert "Looked at 1 district, 1 town, 1 community, 3 building_group." in result.stdout
    assert result.stdout.splitlines()[-1] == "0 errors, 0 warnings."


def test_every_one_of_99_invalid_rings_is_listed(run_without_database, grid_file, tmp_path):
    file = grid_file(with_99_bowties())

    result = run_without_database("grids", "check", file, "--faults", tmp_path / "faults.geojson")
    as_json = run_without_database("grids", "check", file, "--json")

    assert result.exit_code == as_json.exit_code == 1
    rings = [line for line in result.stdout.splitlines() if line.startswith("error invalid_ring")]
    assert all(any(f"990101001001{number:03d}" in line for line in rings) for number in range(1, 100))
    report = json.loads(as_json.stdout)
    assert report["ok"] is False
    assert sum(fault["kind"] == "invalid_ring" for fault in report["faults"]) == 99
    shapes = json.loads((tmp_path / "faults.geojson").read_text("utf-8"))["features"]
    assert len(shapes) == report["errors"] + report["warnings"]


def test_a_file_that_is_not_what_its_name_says_is_refused_in_one_line(run_without_database, tmp_path):
    (tmp_path / "grid.gpkg").write_bytes(b"%PDF-1.7 ...")

    result = run_without_database("grids", "check", tmp_path / "grid.gpkg")

    assert result.exit_code == 1
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert "grid.gpkg" in line
    assert "[file_not_what_its_name_says]" in line


def test_a_grid_is_loaded_published_and_listed(run, grid_file):
    number = load(run, grid_file(cells_of([1, 1])), "--name", "第一版")

    published = run("grids", "publish", number, "--by", "王")

    assert published.exit_code == 0
    assert "holds from 2026-01-01 for 990101" in published.stdout
    [listed] = json.loads(run("grids", "list", "--json").stdout)
    assert (listed["edition"], listed["status"], listed["areas"], listed["name"]) == (
        number,
        "published",
        5,
        "第一版",
    )
    assert "第一版" in run("grids", "list").stdout


def test_a_frame_has_to_be_declared(run, grid_file, tmp_path):
    file = grid_file(cells_of([1]))
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        'frame = "CGCS2000"\n'
        + "".join(f'[levels.{level}]\ncode = "code"\nparent_by = "prefix"\n' for level in ("district",))
    )

    assert run("grids", "load", file, "--effective", "2026-01-01").exit_code == 2
    unknown = run("grids", "load", file, "--effective", "2026-01-01", "--frame", "Mars")
    assert unknown.exit_code == 1
    assert "[unknown_frame]" in unknown.stderr
    assert json.loads(run("grids", "list", "--json").stdout) == []


def test_a_day_that_is_none_is_used_wrongly(run, grid_file):
    result = run("grids", "load", grid_file(cells_of([1])), "--frame", "WGS84", "--effective", "1 January")

    assert result.exit_code == 2


def test_a_grid_with_faults_is_kept_as_a_draft_and_never_published(run, grid_file):
    first = load(run, grid_file(cells_of([1, 1])))
    run("grids", "publish", first)

    result = run(
        "grids", "load", grid_file(with_99_bowties()), "--frame", "CGCS2000", "--effective", "2026-02-01"
    )
    refused = run("grids", "publish", first + 1)

    assert result.exit_code == refused.exit_code == 1
    assert result.stdout.count("error invalid_ring") == 99
    assert "[edition_has_faults]" in refused.stderr
    draft, in_force = json.loads(run("grids", "list", "--json").stdout)
    assert (draft["status"], draft["errors"] >= 99) == ("draft", True)
    assert (in_force["status"], in_force["effective_to"]) == ("published", None)


def test_an_edition_that_takes_the_place_of_another_says_so(run, grid_file):
    first = load(run, grid_file(cells_of([1, 1])))
    second = load(run, grid_file(cells_of([2])), effective="2026-02-01")
    run("grids", "publish", first)

    result = run("grids", "publish", second)

    assert f"editions that end there: {first}" in result.stdout
    ended = json.loads(run("grids", "list", "--json").stdout)[1]
    assert (ended["status"], ended["effective_to"]) == ("superseded", "2026-02-01")


def test_an_edition_that_is_not_there_is_refused(run):
    for command in (("publish", "9"), ("export", "9", "-o", "x.gpkg"), ("diff", "9", "10")):
        result = run("grids", *command)
        assert (result.exit_code, "[edition_not_found]" in result.stderr) == (1, True)


@pytest.mark.parametrize("kind", ["gpkg", "geojson", "zip"])
def test_an_exported_edition_is_loaded_again_and_does_not_differ(run, grid_file, tmp_path, kind):
    first = load(run, grid_file(cells_of([1, 2, 1])))

    exported = run("grids", "export", first, "-o", tmp_path / f"out.{kind}")
    again = load(run, tmp_path / f"out.{kind}")
    diff = run("grids", "diff", first, again)

    assert exported.exit_code == 0
    assert diff.stdout == "0 added, 0 removed, 0 changed, 6 the same.\n"


def test_what_two_editions_differ_in_is_told_area_by_area(run, grid_file):
    first = load(run, grid_file(cells_of([1, 1])))
    second = load(run, grid_file(cells_of([1.5, 0.5, 1])))

    result = run("grids", "diff", first, second)
    as_json = json.loads(run("grids", "diff", first, second, "--json").stdout)

    assert result.exit_code == 0
    assert "+ 990101001001003" in result.stdout
    assert "~ 990101001001002 990101001001002 (building_group): -50.00% +0.00% of its area" in result.stdout
    assert as_json["added"] == {"990101001001003": "990101001001003"}


@pytest.mark.skipif(not DATA.is_dir(), reason="the sample data is not beside this checkout")
@pytest.mark.parametrize(
    ("path", "mapping", "counts"),
    [
        ("nyc/nyc_grids_4level.gpkg", "nyc.toml", "5 district, 55 town, 219 community, 2165 building_group"),
        ("taichung", "taichung.toml", "1 district, 29 town, 625 community"),
    ],
)
def test_real_grids_are_checked_loaded_published_and_come_back(run, tmp_path, path, mapping, counts):
    loaded = run(
        "grids", "load", DATA / path, "--mapping", MAPPINGS / mapping, "--frame", "WGS84",
        "--effective", "2020-01-01",
    )  # fmt: skip

    assert loaded.exit_code == 0
    assert f"Looked at {counts}." in loaded.stdout
    assert run("grids", "publish", "1").exit_code == 0
    run("grids", "export", "1", "-o", tmp_path / "out.gpkg")
    again = run("grids", "check", tmp_path / "out.gpkg", "--json")
    kinds = {fault["kind"] for fault in json.loads(again.stdout)["faults"]}
    assert kinds <= {"gap", "parent_not_covered", "child_outside_parent"}  # what the mapping had allowed
