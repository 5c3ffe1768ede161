"""`gridwhistle grids plan`: from a table of buildings to drafts, a map, and a file that is loaded as an edition."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import box
from typer.testing import CliRunner

from api.cli import main

HERE = "990101001001"
AREA = box(117.60, 36.10, 117.61, 36.11)


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run `grids plan` beside a grid file, without any database."""
    monkeypatch.setenv("GRID_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/nothing")
    monkeypatch.chdir(tmp_path)
    codes = [HERE[:6], HERE[:9], HERE, f"{HERE}001"]
    areas = gpd.GeoDataFrame({"code": codes, "name": codes}, geometry=[AREA] * 4, crs="EPSG:4490")
    areas.to_file(tmp_path / "areas.gpkg", driver="GPKG")
    random = np.random.default_rng(3)
    places = random.uniform((117.6002, 36.1002), (117.6098, 36.1098), (90, 2)).round(6).tolist()
    rows = [f"{lon},{lat},12,25" for lon, lat in [*places, [117.7, 36.1]]]
    (tmp_path / "homes.csv").write_text("\n".join(["lon,lat,households,people", *rows]) + "\n", "utf-8")
    line = {"type": "LineString", "coordinates": [[117.59, 36.105], [117.62, 36.1055]]}
    road = {"type": "Feature", "properties": {}, "geometry": line}
    (tmp_path / "road.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [road]}))

    def run(*arguments, table="homes.csv", grids="areas.gpkg", community=HERE):
        given = ["grids", "plan", table, "--community", community, *arguments]
        return CliRunner().invoke(main, [*given, "--grids", grids] if grids else given)

    return run


def test_drafts_are_told_written_and_drawn(run, tmp_path):
    result = run("--barriers", "road.geojson", "-o", "plan.gpkg", "--page", "plan.html", "--language", "en")

    assert result.exit_code == 0, result.output
    assert "barriers" in result.output
    assert "1 buildings lie outside the community and take no part: line 92" in result.output
    assert gpd.list_layers(tmp_path / "plan.gpkg")["name"].tolist() == ["draft_1", "draft_2", "draft_3"]
    assert "along barriers" in (tmp_path / "plan.html").read_text("utf-8")


def test_a_program_reads_the_same_numbers(run):
    told = json.loads(run("--json", "--drafts", "2").stdout)

    assert [one["draft"] for one in told["drafts"]] == [1, 2]
    assert told["drafts"][0]["within_rule"] == 1
    assert told["drafts"][0]["households"]["least"] >= 300
    assert told["outside"] == ["line 92"]
    assert told["drafts"] == json.loads(run("--json", "--drafts", "2").stdout)["drafts"]


def test_a_draft_becomes_a_grid_that_has_no_fault(run, tmp_path):
    result = run("--draft", "2", "--into", "grid.geojson")

    assert result.exit_code == 0, result.output
    checked = CliRunner().invoke(main, ["grids", "check", "grid.geojson"])
    assert checked.exit_code == 0, checked.output
    assert "0 errors, 0 warnings" in checked.output


def test_why_a_cell_breaks_the_rule_is_said(run, tmp_path):
    lines = (tmp_path / "homes.csv").read_text().splitlines()[:11]
    (tmp_path / "few.csv").write_text("\n".join(lines) + "\n")

    result = run("--language", "en", table="few.csv")

    assert result.exit_code == 0
    assert f"draft 1: {HERE}001 has 120 households. The community has fewer households" in result.output


@pytest.mark.parametrize(
    ("arguments", "change", "exit_code", "said"),
    [
        (("--draft", "1"), {}, 2, "--draft and --into belong together"),
        (("--draft", "4", "--into", "x.gpkg"), {}, 2, "there will be 3 drafts only"),
        (("--edition", "1"), {}, 2, "give either --edition or --grids"),
        ((), {"grids": None}, 2, "give either --edition or --grids"),
        (("-o", "plan.pdf"), {}, 1, "[unknown_file_type]"),
        (("--page", "plan.pdf"), {}, 1, "[unknown_file_type]"),
        ((), {"community": "990101001"}, 1, "[wrong_grid_code]"),
        ((), {"community": "990101001002"}, 1, "[area_not_found]"),
        ((), {"table": "none.csv"}, 1, "[file_not_found]"),
        (("--households-column", "homes"), {}, 1, "[unknown_column]"),
        (("--frame", "XX"), {}, 1, "[unknown_frame]"),
    ],
)
def test_what_is_missing_or_wrong_is_one_line(run, arguments, change, exit_code, said):
    result = run(*arguments, **change)

    assert result.exit_code == exit_code
    assert said in " ".join(result.output.replace("│", " ").split())


@pytest.mark.database
def test_a_plan_goes_from_one_edition_to_the_next(monkeypatch, made_up, tmp_path):
    address, _facts = made_up()
    monkeypatch.setenv("GRID_DATABASE_URL", address)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        result = CliRunner().invoke(main, list(map(str, arguments)))
        assert result.exit_code == 0, result.output
        return result.output

    run("grids", "export", 1, "-o", "district.gpkg")
    areas = gpd.read_file("district.gpkg").set_index("code")
    community = areas.index[areas["level"] == "community"][0]
    inside = areas.geometry[community]
    places = np.random.default_rng(1).uniform(inside.bounds[:2], inside.bounds[2:], (300, 2)).tolist()
    rows = [f"{lon},{lat},9,20" for lon, lat in places]
    (tmp_path / "homes.csv").write_text("\n".join(["lon,lat,households,people", *rows]) + "\n", "utf-8")
    wish = ("homes.csv", "--edition", 1, "--community", community, "--drafts", 1)

    run("grids", "plan", *wish, "--draft", 1, "--into", "grid.gpkg")
    said = run("grids", "load", "grid.gpkg", "--frame", "CGCS2000", "--effective", "2031-01-01")

    assert "edition 2: draft" in said
    assert "0 errors" in said
    assert f"+ {community}" in run("grids", "diff", 1, 2) or f"~ {community}" in run("grids", "diff", 1, 2)
