"""Need letters and slips as PDF, read back with a PDF reader."""

from __future__ import annotations

import io
import threading
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pypdf import PdfReader

from api import jobs
from api.papers.sheet import Sheet, find_font, write_pdf
from gis.errors import Unavailable

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def sheet(**changed) -> Sheet:
    said = {
        "title": "承办需求信函",
        "number": "编号：W2026030299010100001-01",
        "addressed": "市场监督管理局：",
        "facts": [("事由", "露天烧烤"), ("地点", "升平巷 12 号车库")],
        "paragraphs": [("反映内容", "车库里无照经营烧烤，夜间扰民。")],
        "table": [["部门", "身份"], ["市场监督管理局", "牵头"]],
        "signed": ["升平街道"],
    } | changed
    return Sheet(**said)


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def made(*sheets: Sheet) -> bytes:
    return write_pdf(sheets, font=find_font(), title="函", made_at=NOW)


def test_a_paper_holds_its_words_in_an_embedded_font():
    pdf = made(sheet())

    assert pdf.startswith(b"%PDF-")
    assert b"/FontFile2" in pdf
    words = text_of(pdf)
    for wanted in ("承办需求信函", "升平巷 12 号车库", "市场监督管理局", "牵头"):
        assert wanted in words
    assert len(pdf) < 200_000


def test_the_same_paper_is_the_same_bytes():
    assert made(sheet()) == made(sheet())


def test_each_paper_begins_on_a_page_of_its_own_and_a_long_one_goes_on():
    pdf = made(sheet(), sheet(paragraphs=[("反映内容", "扰民。" * 2000)]))

    assert len(PdfReader(io.BytesIO(pdf)).pages) > 2


def test_text_that_looks_like_markup_is_text():
    words = text_of(made(sheet(paragraphs=[("x", "<b>**粗**</b> {{7*7}} __下划__")])))

    assert "<b>**粗**</b> {{7*7}} __下划__" in words


def test_a_missing_font_is_said():
    with pytest.raises(Unavailable, match="GRID_PDF_FONT"):
        find_font(Path("/nowhere/font.ttf"))


JOINT = {
    "level": 3,
    "type": "joint_enforcement",
    "reason": "街道无执法权",
    "departments": [{"code": "SCJG", "role": "lead"}, {"code": "CG", "role": "cooperating"}],
    "chosen_reason": "只需两个部门",
    "appointed_at": "2026-06-03T19:00:00+08:00",
    "appointed_place": "居委会",
    "contact_name": "孙干事",
    "contact_phone": "13855550000",
}


@pytest.fixture
def whistle(city):
    """Number of a level-3 whistle, confirmed, whose departments have their letters."""
    incident = city.report()
    city.act("centre", f"incidents/{incident}/accept", {"level": 2})
    second = city.whistle(incident, 2)
    city.act("centre", f"whistles/{second}/file", {"liaison_name": "孙干事", "liaison_phone": "13855550000"})
    city.act("centre", f"whistles/{second}/assign", {"office": "执法办", "instruction": "处置"})
    blown = city.as_("office").post(f"/api/incidents/{incident}/whistles", json=JOINT)
    assert blown.status_code == 201, blown.text
    number = blown.json()["number"]
    city.act("town", f"whistles/{number}/confirm")
    return number


def letter(city, by, number, **query):
    return city.as_(by).get(f"/api/whistles/{number}/letter.pdf", params=query)


def test_the_town_prints_a_letter_to_each_department_with_all_that_it_has_to_know(city, whistle):
    answer = letter(city, "office", whistle)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    assert len(PdfReader(io.BytesIO(answer.content)).pages) == 2
    words = text_of(answer.content)
    for wanted in (
        f"{whistle}-01",
        f"{whistle}-02",
        "2026-06-03 19:00",
        "居委会",
        "13855550000",
        "街道无执法权",
    ):
        assert wanted in words


def test_a_department_reads_its_own_letter_and_no_other(city, whistle):
    mine = text_of(letter(city, "cg", whistle).content)

    assert f"{whistle}-02" in mine
    assert len(PdfReader(io.BytesIO(letter(city, "cg", whistle).content)).pages) == 1
    assert letter(city, "cg", whistle, department="SCJG").status_code == 404
    assert letter(city, "leader2", whistle).status_code == 404


def test_letters_speak_the_readers_language(city, whistle):
    english = city.as_("office").get(f"/api/whistles/{whistle}/letter.pdf", params={"lang": "en"})

    assert "Need letter of the whistle" in text_of(english.content)


def test_a_whistle_that_called_nobody_yet_has_no_letter(city):
    incident = city.report()
    city.act("centre", f"incidents/{incident}/accept", {"level": 2})

    answer = letter(city, "office", city.whistle(incident, 2))

    assert (answer.status_code, answer.json()["code"]) == (409, "not_issued")


def test_many_letters_are_made_beside_the_work_as_one_zip(city, whistle):
    asked = city.as_("cg").post(
        "/api/papers",
        json={"kind": "letter", "since": "2026-06-01T00:00:00+08:00", "until": "2026-06-30T00:00:00+08:00"},
    )

    assert (asked.status_code, asked.json()["status"]) == (202, "waiting")
    stop = threading.Event()
    thread = threading.Thread(
        target=jobs.run, args=(city.database, city.clock), kwargs={"poll_seconds": 0.05, "stop": stop}
    )
    thread.start()
    try:
        for _ in range(200):
            job = city.see("cg", f"jobs/{asked.json()['key']}")
            if job["status"] in ("done", "failed"):
                break
            time.sleep(0.1)
    finally:
        stop.set()
        thread.join(15)
    assert job["status"] == "done", job
    archive = zipfile.ZipFile(io.BytesIO(city.as_("cg").get(job["file"]).content))
    assert f"letter-{whistle}.pdf" in archive.namelist()
    words = text_of(archive.read(f"letter-{whistle}.pdf"))
    assert f"{whistle}-02" in words
    assert len(PdfReader(io.BytesIO(archive.read(f"letter-{whistle}.pdf"))).pages) == 1


def test_a_time_without_papers_is_said(city):
    refused = city.as_("sibling").post(
        "/api/papers",
        json={"kind": "slip", "since": "2020-06-01T00:00:00+08:00", "until": "2020-06-30T00:00:00+08:00"},
    )

    assert (refused.status_code, refused.json()["code"]) == (422, "too_many_papers")
