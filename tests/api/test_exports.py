"""Maps and tables taken away over HTTP: the file, what stands on it, who took it."""

from __future__ import annotations

import csv
import io
import json
import logging
import re
from pathlib import Path
from typing import Any

import openpyxl
import pyogrio
import pytest
from pypdf import PdfReader

MAPS = ["area", "hotspots", "responses", "recurrences"]
HOSTILE = '=HYPERLINK("http://evil.example","x")'


@pytest.fixture(scope="module")
def lively(still_city: Any) -> Any:
    """A city in which some things have happened."""
    for _ in range(3):
        still_city.report()
    still_city.report(cell="990101001002001", text=HOSTILE, address=HOSTILE)
    return still_city


def taken(city: Any, path: str, who: str = "platform") -> Any:
    answer = city.as_(who).get(path)
    assert answer.status_code == 200, answer.text[:500]
    return answer


@pytest.mark.parametrize("kind", MAPS)
def test_a_map_is_a_picture_or_a_paper_that_says_who_took_it(lively: Any, kind: str) -> None:
    picture = taken(lively, f"/maps/{kind}?format=png")
    paper = taken(lively, f"/maps/{kind}?format=pdf")

    assert (picture.headers["content-type"], picture.content[:4]) == ("image/png", b"\x89PNG")
    assert int.from_bytes(picture.content[16:20]) >= 1600
    assert re.search(rf'filename="{kind}-990101[a-z0-9-]*\.png"', picture.headers["content-disposition"])
    assert paper.headers["content-type"] == "application/pdf"
    assert paper.headers["cache-control"] == "private, no-store"
    (page,) = PdfReader(io.BytesIO(paper.content)).pages
    said = page.extract_text()
    assert "导出：" in said
    assert "数据截至" in said
    assert lively.see("platform", "me")["name"] in said


JUNE = "from=2026-05-25&to=2026-06-03"


def test_maps_of_different_questions_are_files_of_different_names(lively: Any) -> None:
    asked = {
        f"hotspots?{JUNE}&format=png": "hotspots-990101-count-20260525-20260603.png",
        f"hotspots?{JUNE}&format=csv&compare=previous": (
            "hotspots-990101-count-20260525-20260603-against-20260515-20260524.csv"
        ),
        f"hotspots?{JUNE}&metric=per_km2&layer=moran&level=community&classes=quantile&download=1": (
            "hotspots-990101-community-per_km2-moran-20260525-20260603-quantile.html"
        ),
        f"responses?{JUNE}&metric=handle&stat=p90&time=working&category=02-007&format=csv": (
            "responses-990101-handle-p90-working-02-007-20260525-20260603.csv"
        ),
        f"responses?{JUNE}&metric=overdue&stat=p90&format=csv": (
            "responses-990101-overdue-20260525-20260603.csv"
        ),
        "coverage?metric=leads&format=csv": "coverage-990101-leads.csv",
    }

    names = [taken(lively, f"/maps/{one}").headers["content-disposition"] for one in asked]

    for said, name in zip(names, asked.values(), strict=True):
        assert f'filename="{name}"' in said


@pytest.mark.parametrize("kind", MAPS)
def test_what_a_map_shows_is_a_table_under_the_same_title(lively: Any, kind: str, tmp_path: Path) -> None:
    table = taken(lively, f"/maps/{kind}?format=csv")
    book = openpyxl.load_workbook(io.BytesIO(taken(lively, f"/maps/{kind}?format=xlsx").content))
    (tmp_path / "t.gpkg").write_bytes(taken(lively, f"/maps/{kind}?format=gpkg").content)
    whole = json.loads(taken(lively, f"/maps/{kind}?format=geojson").content)

    rows = list(csv.reader(io.StringIO(table.content.decode("utf-8-sig"))))
    assert len(whole["features"]) == len(rows) - 1
    assert pyogrio.read_info(tmp_path / "t.gpkg")["features"] == len(rows) - 1
    assert book.sheetnames == ["数据表", "说明"]
    assert whole["title"]
    assert whole["definition"] or kind == "area"


def test_what_people_wrote_computes_in_no_table(lively: Any) -> None:
    rows = list(csv.reader(io.StringIO(taken(lively, "/maps/area?format=csv").content.decode("utf-8-sig"))))
    book = openpyxl.load_workbook(io.BytesIO(taken(lively, "/maps/area?format=xlsx").content))

    cells = [cell for row in rows for cell in row]
    assert f"'{HOSTILE}" in cells
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    assert all(cell.data_type != "f" for row in book["数据表"].iter_rows() for cell in row)


FIGURES = [
    "counts",
    "hotspots?metric=per_1000_households",
    "responses?metric=accept",
    "rates?metric=overdue",
    "compare",
    "recurrences",
    "recurrent-places",
    "weekly",
    "default-points",
]


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_is_a_table_with_its_definition(lively: Any, figure: str) -> None:
    joined = "&" if "?" in figure else "?"
    name, _, metric = figure.partition("?metric=")
    figures = lively.see("platform", f"measures/{name}", **({"metric": metric} if metric else {}))
    rows = csv.reader(
        io.StringIO(taken(lively, f"/api/measures/{figure}{joined}format=csv").content.decode("utf-8-sig"))
    )
    book = openpyxl.load_workbook(
        io.BytesIO(taken(lively, f"/api/measures/{figure}{joined}format=xlsx").content)
    )

    assert len(list(rows)) - 1 == len(figures["rows"]) == book["数据表"].max_row - 1
    assert figures["definition"] in [row[1].value for row in book["说明"].iter_rows()]


def test_a_figure_without_places_is_refused_as_a_map(lively: Any) -> None:
    answer = lively.as_("platform").get("/api/measures/weekly?format=geojson")

    assert (answer.status_code, answer.json()["code"]) == (422, "no_geometry")


def test_a_file_holds_no_more_than_its_reader_may_see(lively: Any) -> None:
    own = json.loads(taken(lively, "/api/measures/counts?format=geojson", "scjg").content)

    assert sum(feature["properties"]["n"] for feature in own["features"]) == 0
    assert lively.as_("sibling").get("/maps/hotspots?area=990101001&format=xlsx").status_code == 404


def test_what_is_taken_away_is_logged_by_number_and_kind(lively: Any, caplog: Any) -> None:
    with caplog.at_level(logging.INFO, "gridwhistle.exports"):
        taken(lively, "/api/measures/counts?format=csv&from=2026-01-01")
        taken(lively, "/maps/hotspots?format=png")
        taken(lively, "/maps/hotspots")

    said = [record.facts for record in caplog.records if record.name == "gridwhistle.exports"]
    assert [(one["file"], one["route"]) for one in said] == [
        ("csv", "/api/measures/counts"),
        ("png", "/maps/hotspots"),
    ]
    assert said[0]["rows"] == 2
    assert all(isinstance(one["person"], int) for one in said)


def test_a_stranger_takes_nothing(lively: Any) -> None:
    stranger = lively.stranger()

    assert stranger.get("/api/measures/counts?format=csv").status_code == 401
    assert stranger.get("/maps/hotspots?format=pdf", follow_redirects=False).status_code in (303, 307, 401)


def test_a_page_offers_its_map_and_its_table_in_every_form(lively: Any) -> None:
    page = taken(lively, "/map/hotspots?area=990101001&level=building_group&metric=per_1000_households").text

    for wanted in ("png", "pdf", "csv", "xlsx", "geojson", "gpkg"):
        assert f"format={wanted}" in page
    assert "area=990101001&amp;level=building_group" in page
