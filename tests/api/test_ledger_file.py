"""The ledger of recurrent problem points as a file."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import openpyxl
import pyogrio
import pytest
from pypdf import PdfReader


@pytest.fixture(scope="module")
def ledger(still_city: Any) -> Any:
    """A city with three named places, one of them with a name that would compute."""
    for place, name in enumerate(["鹿鸣路桥下", "=1+1", "升平巷口"]):
        body = {"category": "01-002", "lon": 117.005 + place / 100, "lat": 36.01, "frame": "CGCS2000"}
        answer = still_city.as_("platform").post("/api/places", json={**body, "name": name})
        assert answer.status_code == 201, answer.text
    return still_city


def taken(city: Any, query: str) -> Any:
    answer = city.as_("platform").get(f"/points/file?{query}")
    assert answer.status_code == 200, answer.text[:400]
    return answer


def test_the_ledger_is_a_table_under_the_filters_of_its_page(ledger: Any, tmp_path: Any) -> None:
    query = "kind=water&status=all"
    rows = list(csv.DictReader(io.StringIO(taken(ledger, f"{query}&format=csv").content.decode("utf-8-sig"))))
    book = openpyxl.load_workbook(io.BytesIO(taken(ledger, f"{query}&format=xlsx").content))
    (tmp_path / "p.gpkg").write_bytes(taken(ledger, f"{query}&format=gpkg").content)
    whole = json.loads(taken(ledger, f"{query}&format=geojson").content)

    assert {row["地点"] for row in rows} == {
        "鹿鸣路桥下",
        "'=1+1",
        "升平巷口",
    }
    assert len(pyogrio.read_dataframe(tmp_path / "p.gpkg")) == 3
    assert {one["properties"]["name"] for one in whole["features"]} == {"鹿鸣路桥下", "=1+1", "升平巷口"}
    assert whole["title"] == "积水点台账"
    assert book["数据表"].max_row == 4
    assert all(cell.data_type != "f" for row in book["数据表"].iter_rows() for cell in row)
    assert not list(csv.reader(io.StringIO(taken(ledger, "kind=parking&format=csv").text)))[1:]


def test_the_ledger_is_a_paper_with_its_pages_counted(ledger: Any) -> None:
    paper = taken(ledger, "kind=water&status=all&format=pdf")

    (page,) = PdfReader(io.BytesIO(paper.content)).pages
    said = page.extract_text()
    for wanted in ("积水点台账", "鹿鸣路桥下", "=1+1", "数据截至", "第 1 页，共 1 页", "导出："):
        assert wanted in said
    assert re.search(r"阶段 时限 整治措施", said)
    assert "nan" not in said  # what nobody has planned is left empty
    assert float(page.mediabox.width) > float(page.mediabox.height)


def test_a_paper_without_a_place_says_so(ledger: Any) -> None:
    (page,) = PdfReader(io.BytesIO(taken(ledger, "kind=other&status=all&format=pdf").content)).pages

    assert "其他问题点台账" in page.extract_text()
    assert "没有符合条件的记录" in page.extract_text()


def test_an_unknown_form_or_filter_is_refused_in_words(ledger: Any) -> None:
    for query in ("format=docx", "status=gone"):
        answer = ledger.as_("platform").get(f"/points/file?{query}", headers={"accept": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_choice")


def test_the_page_of_the_ledger_offers_its_files_under_its_filters(ledger: Any) -> None:
    page = ledger.as_("platform").get("/points?kind=water&status=all").text

    assert "/points/file?kind=water&amp;status=all&amp;format=xlsx" in page
