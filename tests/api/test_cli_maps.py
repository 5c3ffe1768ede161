"""`gridwhistle maps`: one file that opens anywhere, or a picture of it."""

from __future__ import annotations

import re

import openpyxl
import pyogrio
import pytest
from pypdf import PdfReader
from typer.testing import CliRunner

from api.cli import main


@pytest.fixture(scope="module")
def demo(made_up):
    """The smallest made-up district, which all tests of this module only read."""
    address, _facts = made_up()
    return address


@pytest.fixture
def draw(monkeypatch, demo, tmp_path):
    """Draw a map of the made-up district, whose code begins with 99."""
    monkeypatch.setenv("GRID_DATABASE_URL", demo)
    monkeypatch.chdir(tmp_path)

    def draw(kind, *arguments, area="990101", output="map.html"):
        return CliRunner().invoke(main, ["maps", kind, "--area", area, "-o", output, *arguments])

    return draw


@pytest.mark.parametrize(
    ("kind", "arguments", "said"),
    [
        ("area", (), "事件"),
        ("area", ("--language", "en"), "Cases by urgency"),
        ("hotspots", ("--language", "en", "--level", "building_group"), "Number of cases"),
        ("hotspots", ("--language", "en", "--metric", "per_1000_households"), "Cases per 1,000 households"),
        ("responses", ("--language", "en", "--metric", "respond"), "Time to respond, median"),
        (
            "recurrences",
            ("--language", "en", "--from", "2026-01-01", "--to", "2026-12-31"),
            "Recurrent places",
        ),
    ],
)
def test_a_map_is_one_file_that_asks_for_nothing(draw, tmp_path, kind, arguments, said):
    result = draw(kind, *arguments)

    assert result.exit_code == 0, result.output
    html = (tmp_path / "map.html").read_text("utf-8")
    assert said in html
    assert "default-src 'none'" in html
    assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=[\"'](?!data:)", html)


@pytest.mark.parametrize("kind", ["hotspots", "responses", "recurrences"])
def test_a_map_says_on_which_grid_it_counts(draw, tmp_path, kind):
    for edition, said in (("as_was", "按当时网格"), ("today", "（第 1 版）"), ("1", "（第 1 版）")):
        result = draw(kind, "--edition", edition)

        assert result.exit_code == 0, result.output
        assert said in (tmp_path / "map.html").read_text("utf-8")


@pytest.mark.parametrize("kind", ["area", "hotspots", "responses", "recurrences"])
def test_a_map_is_drawn_on_a_sheet_without_a_browser(draw, monkeypatch, tmp_path, kind):
    monkeypatch.setenv("PATH", "/nowhere")

    for output in ("map.png", "map.pdf"):
        result = draw(kind, output=output)
        assert result.exit_code == 0, result.output

    picture = (tmp_path / "map.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert int.from_bytes(picture[16:20]) >= 1600
    (page,) = PdfReader(tmp_path / "map.pdf").pages
    said = page.extract_text()
    for wanted in ("比例尺 1", "数据截至", "第 1 页，共 1 页", "命令行导出"):
        assert wanted in said


@pytest.mark.parametrize("kind", ["hotspots", "responses", "recurrences"])
def test_the_figures_of_a_map_are_a_table_that_opens_in_its_program(draw, tmp_path, kind):
    for output in ("table.csv", "table.xlsx", "table.geojson", "table.gpkg"):
        result = draw(kind, output=output)
        assert result.exit_code == 0, result.output

    lines = (tmp_path / "table.csv").read_text("utf-8-sig").splitlines()
    book = openpyxl.load_workbook(tmp_path / "table.xlsx")
    assert book["数据表"].max_row == len(lines)
    assert "命令行导出" in str([row[1].value for row in book["说明"].iter_rows()])
    if kind != "recurrences":
        for output in ("table.geojson", "table.gpkg"):
            assert len(pyogrio.read_dataframe(tmp_path / output)) == len(lines) - 1


def test_without_a_chinese_font_a_sheet_is_refused_before_anything_is_drawn(draw, monkeypatch, tmp_path):
    monkeypatch.setenv("GRID_PDF_FONT", str(tmp_path / "nowhere.ttf"))

    result = draw("area", output="map.png")

    assert (result.exit_code, "[font_missing]" in result.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "arguments", "how", "code"),
    [
        ("area", (), {"output": "map.csv"}, "unknown_file_type"),
        ("hotspots", (), {"output": "map.svg"}, "unknown_file_type"),
        ("area", (), {"area": "110101"}, "grid_not_found"),
        ("recurrences", (), {"area": "110101"}, "grid_not_found"),
        ("hotspots", (), {"area": "99"}, "wrong_grid_code"),
        ("responses", ("--level", "district"), {"area": "990101001"}, "no_cells"),
        ("hotspots", ("--category", "99-999"), {}, "unknown_category"),
        ("hotspots", ("--from", "2026-05-02", "--to", "2026-05-01"), {}, "bad_period"),
        ("hotspots", (), {"output": "nowhere/map.html"}, "cannot_write"),
        ("hotspots", ("--edition", "yesterday"), {}, "unknown_choice"),
        ("responses", ("--edition", "99"), {}, "grid_not_found"),
    ],
)
def test_a_map_that_cannot_be_drawn_is_refused_in_one_line(draw, kind, arguments, how, code):
    result = draw(kind, *arguments, **how)

    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert f"[{code}]" in result.stderr


def test_a_metric_or_a_language_that_is_none_is_used_wrongly(draw):
    assert draw("hotspots", "--metric", "sleep").exit_code == 2
    assert draw("area", "--language", "fr").exit_code == 2
