"""`gridwhistle grids check|load`: faults repaired on request, each one told, and drawn on a page."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import geopandas as gpd
import pytest
from shapely.geometry import box
from typer.testing import CliRunner

from api.cli import main

M = 1e-5
CODES = ["990101", "990101001", "990101001001", "990101001001001", "990101001001002"]


@pytest.fixture
def run(monkeypatch):
    """Run a command that must get along without a database."""
    monkeypatch.setenv("GRID_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/nothing")
    return lambda *arguments: CliRunner().invoke(main, list(map(str, arguments)), prog_name="gridwhistle")


@pytest.fixture
def grid_file(tmp_path):
    """Write a community of two cells that overlap by so many metres, the eastern one of so many households."""

    def write(overlap, households=400):
        whole = box(117.0, 36.0, 117.02, 36.01)
        shapes = [
            whole,
            whole,
            whole,
            box(117, 36, 117.01 + overlap * M, 36.01),
            box(117.01, 36, 117.02, 36.01),
        ]
        counts = [None, None, None, 400, households]
        frame = gpd.GeoDataFrame({"code": CODES, "households": counts}, geometry=shapes, crs=4490)
        frame.to_file(tmp_path / "grid.gpkg", layer="grids")
        return tmp_path / "grid.gpkg"

    return write


def test_a_sliver_is_repaired_told_and_written(run, grid_file, tmp_path):
    file, fixed = grid_file(1), tmp_path / "fixed.gpkg"

    before = run("grids", "check", file)
    result = run("grids", "check", file, "--fix", fixed)
    after = run("grids", "check", fixed)

    assert (before.exit_code, result.exit_code, after.exit_code) == (1, 0, 0)
    [told] = [line for line in result.stdout.splitlines() if line.startswith("repaired overlap: ")]
    assert "is 990101001001001's now at 117.0100" in told
    assert "m2 before" in told
    assert "m2 after" in told
    assert f"{fixed}: 5 areas" in result.stderr
    assert "0 errors" in after.stdout


def test_a_program_reads_each_repair_before_and_after(run, grid_file, tmp_path):
    result = run("grids", "check", grid_file(1), "--fix", tmp_path / "fixed.geojson", "--json")

    report = json.loads(result.stdout)
    [repair] = report["repairs"]
    assert report["ok"] is True
    assert (repair["done"], repair["kind"], repair["codes"]) == (True, "overlap", CODES[3:])
    [area] = repair["areas"]
    assert area["before_m2"] - area["after_m2"] == pytest.approx(repair["area_m2"], rel=1e-2)
    assert repair["geometry"]["type"] in ("Polygon", "MultiPolygon")
    assert repair["lon"] == pytest.approx(117.01, abs=1e-4)


def test_what_is_wider_than_wished_for_is_left_and_says_why(run, grid_file, tmp_path):
    narrow = run("grids", "check", grid_file(5), "--fix", tmp_path / "fixed.gpkg")
    wide = run("grids", "check", grid_file(5), "--fix", tmp_path / "fixed.gpkg", "--slivers", "10")

    assert (narrow.exit_code, wide.exit_code) == (1, 0)
    assert (
        "left overlap: 990101001001001 and 990101001001002 overlap 4.5 m wide, more than 2 m" in narrow.stdout
    )
    assert "error overlap" in narrow.stdout


def test_without_the_wish_nothing_is_repaired(run, grid_file):
    result = run("grids", "check", grid_file(1), "--json")

    assert json.loads(result.stdout)["repairs"] == []
    assert result.exit_code == 1


def test_the_page_of_the_faults_is_one_file_in_the_readers_language(run, grid_file, tmp_path):
    chinese, english = tmp_path / "zh.html", tmp_path / "en.html"

    run("grids", "check", grid_file(5, households=20), "--page", chinese)
    result = run("grids", "check", grid_file(5, households=20), "--page", english, "--language", "en")

    assert result.exit_code == 1
    assert str(english) in result.stderr
    assert '<html lang="zh-CN">' in chinese.read_text("utf-8")
    assert "重叠" in chinese.read_text("utf-8")
    assert "Overlap" in english.read_text("utf-8")
    assert "1 errors, 1 warnings" in english.read_text("utf-8")
    refused = run("grids", "check", grid_file(5), "--page", tmp_path / "page.pdf")
    assert refused.exit_code == 1
    assert "[unknown_file_type]" in refused.stderr


@pytest.mark.database
def test_a_repaired_grid_is_stored_with_what_was_done(monkeypatch, make_database, grid_file):
    monkeypatch.setenv("GRID_DATABASE_URL", make_database())
    load = ["grids", "load", str(grid_file(1)), "--frame", "CGCS2000", "--effective", "2026-01-01"]

    refused = CliRunner().invoke(main, load, prog_name="gridwhistle")
    stored = CliRunner().invoke(main, [*load, "--fix", "--json"], prog_name="gridwhistle")

    assert (refused.exit_code, stored.exit_code) == (1, 0)
    report = json.loads(stored.stdout)
    assert [repair["done"] for repair in report["repairs"]] == [True]
    published = CliRunner().invoke(
        main, ["grids", "publish", str(report["edition"])], prog_name="gridwhistle"
    )
    assert published.exit_code == 0


def test_the_how_to_works_as_it_is_written(run, tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "fix-the-faults.md").read_text("utf-8")
    blocks = re.findall(r"^```\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    said = ""
    for block in blocks:
        if block.startswith("cat > cells.geojson"):
            (tmp_path / "cells.geojson").write_text("\n".join(block.splitlines()[1:-1]), "utf-8")
        elif block.startswith(("./gridwhistle", "sed")):
            for line in block.splitlines():
                if line.startswith("sed"):
                    subprocess.run(shlex.split(line), check=True)
                else:
                    result = run(*shlex.split(line)[1:])
                    said = result.stdout
        else:
            assert [line for line in block.splitlines() if line not in said.splitlines()] == []

    assert result.exit_code == 0
    assert (tmp_path / "faults.html").stat().st_size > 100_000
