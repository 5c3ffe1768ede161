"""A map on a sheet of A4: what a browser shows, with all that paper must say by itself."""

from __future__ import annotations

import io
import re
import threading
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from PIL import Image
from pypdf import PdfReader

from api.papers.sheet import find_font
from gis.errors import Unavailable
from maps import GridMap, Words, area_map, fault_map, hotspot_map, recurrence_map, response_map
from maps.base import base_map
from maps.paper import marks, stamps
from maps.paper.ground import Ground, nice_length
from maps.paper.key import SWATCHES
from maps.paper.layers import KINDS, LOOKS, OUTLINES
from maps.paper.typeface import Typeface, typeface
from maps.sheet import SheetKind, SheetWords, draw_sheet

STATIC = Path(__file__).parents[2] / "api" / "static"
DEJAVU = "DejaVuSans.ttf"
SAID = SheetWords(place="莱城示范区 › 凤城街道", mark="导出：李芳（街道派单员），2026-11-21 14:32")
SPOTS = [(117.66, 36.15), (117.6605, 36.1501), (117.64, 36.13), (117.70, 36.18), (117.62, 36.19)]


@pytest.fixture
def facts(words: Words, now: Any) -> dict[str, Any]:
    return {
        "level": "building_group",
        "period": (date(2026, 10, 1), date(2026, 10, 31)),
        "words": words,
        "as_of": now,
        "attribution": "边界 © 自然资源局",
    }


@pytest.fixture
def drawn(cells: Any, facts: Any, make_incidents: Any, make_places: Any) -> dict[str, GridMap]:
    """Every kind of map."""
    plain = {name: facts[name] for name in ("words", "as_of", "attribution")}
    return {
        "area": area_map(
            cells.iloc[8:12],
            cells.drop(cells.index[8:12]),
            make_incidents(SPOTS),
            make_places(SPOTS),
            **plain,
        ),
        "hotspots": hotspot_map(cells, "per_1000_households", category="道路积水", **facts),
        "responses": response_map(cells.assign(value=cells["minutes"]), "handle", **facts),
        "recurrences": recurrence_map(make_places(SPOTS), cells, period=facts["period"], **plain),
    }


def made(m: GridMap, kind: SheetKind, words: Words, said: SheetWords = SAID) -> bytes:
    return draw_sheet(m, kind, font=find_font(), words=words, said=said)


def text_of(pdf: bytes) -> str:
    (page,) = PdfReader(io.BytesIO(pdf)).pages
    return str(page.extract_text())


@pytest.mark.parametrize("kind", ["area", "hotspots", "responses", "recurrences"])
def test_a_picture_is_wide_enough_to_print_and_not_blank(drawn: Any, words: Words, kind: str) -> None:
    picture = Image.open(io.BytesIO(made(drawn[kind], SheetKind.PNG, words)))

    assert picture.width >= 1600
    assert picture.width / picture.height == pytest.approx(297 / 210, abs=0.002)
    assert len(picture.convert("RGB").resize((300, 212)).getcolors(100_000) or []) > 50


@pytest.mark.parametrize("kind", ["area", "hotspots", "responses", "recurrences"])
def test_a_pdf_says_what_the_map_says_and_whose_it_is(drawn: Any, words: Words, kind: str) -> None:
    said = text_of(made(drawn[kind], SheetKind.PDF, words))

    drawing = drawn[kind].drawing
    spaced = said.replace("\n", "")
    for wanted in [
        drawing.title,
        *drawing.subtitle.splitlines(),
        *drawing.credits,
        *(item["text"] for part in drawing.legend for item in part["items"]),
        *(part["title"] for part in drawing.legend),
        SAID.place,
        SAID.mark,
    ]:
        # a line that is broken loses the blank at its end
        assert wanted.replace(" ", "") in spaced.replace(" ", "")
    assert "Data as of 2026-11-21 14:30" in said
    assert re.search(r"Scale 1 : [\d,]+ \(A4\)", said)
    assert re.search(r"0 [\d.]+ [\d.]+ k?m", said)
    assert "Page 1 of 1" in said


def test_a_pdf_is_one_sheet_of_a4_across_with_its_font_in_it(drawn: Any, words: Words) -> None:
    pdf = made(drawn["hotspots"], SheetKind.PDF, words)

    (page,) = PdfReader(io.BytesIO(pdf)).pages
    assert [float(side) / 72 * 25.4 for side in page.mediabox[2:]] == pytest.approx([297, 210], abs=0.1)
    assert b"/FontFile2" in pdf
    assert b"/Subtype /Type3" not in pdf


def test_the_same_map_is_the_same_sheet_again(drawn: Any, words: Words, now: Any) -> None:
    said = SheetWords(made_at=now)

    for kind in SheetKind:
        assert made(drawn["area"], kind, words, said) == made(drawn["area"], kind, words, said)


def test_sheets_that_are_drawn_at_once_do_not_mix(cells: Any, facts: Any, words: Words) -> None:
    maps = [hotspot_map(cells.assign(n=cells["n"] + more), "count", **facts) for more in range(4)]
    alone = [made(one, SheetKind.PNG, words) for one in maps]
    together: dict[int, bytes] = {}

    def draw(place: int) -> None:
        together[place] = made(maps[place], SheetKind.PNG, words)

    threads = [threading.Thread(target=draw, args=(place,)) for place in range(len(maps))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [together[place] for place in range(len(maps))] == alone


def test_every_kind_of_layer_and_swatch_that_the_browser_draws_is_drawn_on_paper() -> None:
    script = (STATIC / "map.js").read_text("utf-8") + (STATIC / "faults.js").read_text("utf-8")
    python = "".join(path.read_text("utf-8") for path in Path("maps").glob("*.py"))

    assert set(re.findall(r'\{kind: "(\w+)"', script)) == set(KINDS)
    assert set(re.findall(r'"kind": "(\w+)"', python)) <= set(KINDS)
    swatches = set(re.findall(r'item\.swatch === "(\w+)"', script))
    assert swatches
    assert swatches <= set(SWATCHES)
    looks = re.search(r"const LOOKS = \{(.*?)\n  \};", script, re.DOTALL)
    assert looks is not None
    assert set(re.findall(r"^    (\w+): \{", looks[1], re.MULTILINE)) == set(LOOKS)
    assert {"hot", "own"} <= set(OUTLINES)


def test_a_layer_of_no_known_kind_is_a_fault_of_ours(words: Words) -> None:
    m = base_map((117.6, 36.1, 117.7, 36.2), title="x", words=words)
    m.drawing.layers.append({"kind": "hologram", "id": "h"})

    with pytest.raises(KeyError, match="hologram"):
        made(m, SheetKind.PNG, words)


def test_marks_are_those_of_the_browser() -> None:
    script = (STATIC / "map.js").read_text("utf-8") + (STATIC / "faults.js").read_text("utf-8")

    for letters in (*marks.SHAPES.values(), *marks.ICONS.values(), *marks.SIGNS.values(), marks.ERROR):
        assert f'"{letters}"' in script
    assert f'"{marks.WARNING}"' in script


@pytest.mark.parametrize(
    ("letters", "box"),
    [
        (marks.SHAPES["circle"], (3, 3, 29, 29)),
        (marks.SHAPES["diamond"], (1.5, 1.5, 30.5, 30.5)),
        ("M16 3A13 13 0 0 0 3 16", (3, 3, 16, 16)),
        ("M16 3A13 13 0 0 1 29 16", (16, 3, 29, 16)),
        ("M16 3A13 13 0 1 0 29 16", (3, 3, 29, 29)),
    ],
)
def test_an_arc_runs_the_way_that_svg_says(letters: str, box: tuple[float, ...]) -> None:
    assert marks.svg_path(letters).get_extents().extents == pytest.approx(box, abs=0.02)


def test_no_letter_of_any_sheet_is_missing_from_the_font(drawn: Any) -> None:
    face = typeface(find_font())
    texts: list[str] = []

    def gather(value: Any) -> None:
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, dict):
            for inner in value.values():
                gather(inner)
        elif isinstance(value, list | tuple):
            for inner in value:
                gather(inner)

    for m in drawn.values():
        gather(vars(m.drawing))

    assert sorted({char for text in texts for char in text if char not in face and char != "\n"}) == []


def test_a_character_that_no_font_has_is_marked_and_what_is_unseen_left_out() -> None:
    face = typeface(find_font())

    assert face.shown("𠮷祥🙂路") == "〓祥〓路"
    assert face.shown("a\u200bb\u202ec\nd\x00") == "abc d"


@pytest.mark.parametrize("name", ["$\\frac{1}{0}$", "a$b$c", "\\alpha", "{x} %s ${y}", "🙂" * 3])
def test_what_people_wrote_is_drawn_as_it_stands(cells: Any, facts: Any, words: Words, name: str) -> None:
    named = cells.assign(name=name).iloc[:1]
    m = hotspot_map(named.assign(n=3, value=3.0, hot=False), "count", **facts)

    said = text_of(made(m, SheetKind.PDF, words))

    assert typeface(find_font()).shown(name) in said


def test_a_font_without_chinese_is_refused_in_clear_words(drawn: Any, words: Words, tmp_path: Path) -> None:
    from matplotlib import get_data_path

    latin = Path(get_data_path()) / "fonts" / "ttf" / DEJAVU
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")

    for font in (latin, broken, tmp_path / "nowhere.ttf"):
        with pytest.raises(Unavailable) as refused:
            draw_sheet(drawn["area"], SheetKind.PDF, font=font, words=words)
        assert refused.value.code == "font_missing"


@pytest.mark.parametrize(
    ("text", "room", "lines"),
    [
        ("升平社区第十二网格", 5.0, ["升平社区第", "十二网格"]),
        ("积水，停车", 2.0, ["积", "水，", "停车"]),
        ("（积水）", 2.0, ["（积", "水）"]),
        ("one two three", 4.2, ["one two", "three"]),
        ("abcdefghijklmnop", 3.0, None),
        ("two\nlines", 9.0, ["two", "lines"]),
        ("", 9.0, [""]),
    ],
)
def test_lines_break_as_chinese_and_latin_do(text: str, room: float, lines: list[str] | None) -> None:
    face: Typeface = typeface(find_font())

    broken = face.lines(text, 1.0, room)

    assert lines is None or broken == lines
    assert "".join(broken).replace(" ", "") == text.replace(" ", "").replace("\n", "")
    assert all(face.width(line, 1.0) <= room for line in broken)


@pytest.mark.parametrize(("count", "whole"), [(60, True), (2_000, False)])
def test_signs_on_paper_are_as_large_as_their_cells_leave_room_for(
    make_cells: Any, words: Words, facts: Any, monkeypatch: pytest.MonkeyPatch, count: int, whole: bool
) -> None:
    cells = make_cells(count).assign(pattern="new")
    stamped: list[tuple[set[str], float]] = []
    drawn_by = stamps.signs

    def signs(ink: Any, strokes: Any, hot: Any, at: Any, scale: float = 1.0) -> None:
        stamped.append((set(strokes), scale))
        drawn_by(ink, strokes, hot, at, scale)

    monkeypatch.setattr(stamps, "signs", signs)
    made(hotspot_map(cells, "count", layer="emerging", **facts), SheetKind.PNG, words)

    strokes, scale = stamped[0]  # those of the legend come after it
    assert (strokes == {""}, scale == 1.0) == (not whole, whole)


def test_a_scale_bar_is_true_in_metres() -> None:
    frame = (0.0, 0.0, 800.0, 600.0)
    ground = Ground((117.6, 36.1, 117.7, 36.2), frame)

    one, other = ground.of_degrees(np.array([[117.65, 36.15], [117.65, 36.15 + 1000 / 110_958]]))

    assert np.hypot(*(one - other)) * ground.metres == pytest.approx(1000, rel=1e-3)
    assert ground.to_degrees(np.array([one]))[0] == pytest.approx([117.65, 36.15], abs=1e-9)
    assert abs(ground.turn) < 1.5


@pytest.mark.parametrize(("most", "length"), [(999, 500), (1000, 1000), (150.2, 100), (0.3, 0.2), (49, 20)])
def test_a_scale_bar_has_a_round_length(most: float, length: float) -> None:
    assert nice_length(most) == pytest.approx(length)


def test_a_hole_in_a_cell_stays_open() -> None:
    ground = Ground((0.0, 0.0, 0.01, 0.01), (0.0, 0.0, 400.0, 400.0))
    square = [0, 0, 10_000, 0, 0, 10_000, -10_000, 0]
    for hole in ([3000, 3000, 4000, 0, 0, 4000, -4000, 0], [3000, 3000, 0, 4000, 4000, 0, 0, -4000]):
        (path,) = ground.outlines([[[square, hole]]])

        around, inside = (
            shapely.Polygon(part).exterior.is_ccw for part in path.to_polygons(closed_only=True)
        )
        assert around != inside


def test_a_map_of_faults_is_drawn_with_its_kinds_in_the_legend(cells: Any, words: Words, now: Any) -> None:
    import geopandas as gpd

    faults = gpd.GeoDataFrame(
        {
            "kind": ["gap", "overlap", "overlap"],
            "kind_text": ["Gap", "Overlap", "Overlap"],
            "severity": ["error", "error", "warning"],
            "level": ["building_group"] * 3,
            "codes": [["990001001001001"], ["990001001001002"], ["990001001001002"]],
            "area_m2": [12.5, 3.0, np.nan],
            "message": ["a hole", "twice", "twice"],
            "lon": [117.65, 117.66, 117.66],
            "lat": [36.15, 36.16, 36.16],
        },
        geometry=[shapely.box(117.65, 36.15, 117.652, 36.152), None, None],
        crs="EPSG:4490",
    )
    m = fault_map(cells, faults, words=words, title="grid.gpkg", as_of=now)

    said = text_of(made(m, SheetKind.PDF, words))

    assert "Gap (1)" in said
    assert "Overlap (2)" in said
