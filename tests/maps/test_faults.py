"""The map of what is wrong with a grid: every fault in its place, in the list and under the filters."""

from __future__ import annotations

import json
import time

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from gis.errors import InvalidInput
from gis.faults import FaultKind
from maps import Words, fault_map, page, save_html
from maps.faults import FAULT_COLUMNS, MOST_FAULTS
from maps.palette import FAULTS, URGENCIES

RUN = "window.ran=(window.ran||0)+1"
HOSTILE = [
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    "${" + RUN + "}",
    "\\\\`+(" + RUN + ")+`",
    f'"><svg onload="{RUN}">',
    f"<!--<script>{RUN}</script>",
    "{{ 7 * 7 }}{% raw %}{0.__class__}",
]

THE_ONLY_CARD_SAYS = """text => {
  const cards = document.querySelectorAll(".leaflet-popup .gw-card");
  return cards.length === 1 && cards[0].textContent.includes(text);
}"""


def fault(kind="overlap", at=(117.65, 36.15), size=0.001, **changes):
    """Return one row of the faults: a square of `size` degrees, or a fault without a place."""
    shape = None if at is None or not size else shapely.box(*at, at[0] + size, at[1] + size)
    return {
        "kind": kind,
        "kind_text": kind.replace("_", " ").capitalize(),
        "severity": "error",
        "level": "building_group",
        "codes": ["990001001001001", "990001001001002"],
        "area_m2": np.nan if shape is None else 1234.56,
        "message": "two cells overlap",
        "lon": np.nan if at is None else at[0],
        "lat": np.nan if at is None else at[1],
        "geometry": shape,
        **changes,
    }


def table(rows):
    frame = pd.DataFrame(rows, columns=[*FAULT_COLUMNS, "geometry"])
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=4490)


def layer_of(m, kind="faults"):
    (found,) = [layer for layer in m.drawing.layers if layer["kind"] == kind]
    return found


def levels(cells):
    """Return the cells with one area round all of them."""
    whole = cells.iloc[:1].assign(code="990001", level="district", name="区")
    whole.geometry = [shapely.union_all(cells.geometry.to_numpy())]
    return gpd.GeoDataFrame(pd.concat([whole, cells], ignore_index=True), crs=cells.crs)


# ---- what is drawn ----------------------------------------------------------------------------------------------


def test_each_fault_has_its_kind_its_place_its_shape_and_its_words(cells, words):
    rows = [fault("gap", size=0), fault("overlap"), fault("wrong_code", at=None), fault("a_new_kind")]

    layer = layer_of(fault_map(cells, table(rows), words=words, title="Faults"))

    assert [kind["text"] for kind in layer["kinds"]] == ["Overlap", "Gap", "Wrong code", "A new kind"]
    assert [layer["kinds"][row["kind"]]["text"] for row in layer["rows"]] == [
        "Gap",
        "Overlap",
        "Wrong code",
        "A new kind",
    ]
    assert [row["at"] for row in layer["rows"]][:3] == [[117650000, 36150000], [117650000, 36150000], None]
    assert [row["shape"] is None for row in layer["rows"]] == [True, False, True, False]
    assert layer["rows"][1]["values"] == [
        "990001001001001, 990001001001002",
        "Building group",
        "1,234.6 m²",
        "two cells overlap",
    ]


def test_errors_stand_before_warnings_and_both_are_counted(cells, words):
    rows = [fault("size_rule", severity="warning"), fault("gap"), fault("gap", severity="warning")]

    m = fault_map(cells, table(rows), words=words, title="Faults")

    layer = layer_of(m)
    assert [row["error"] for row in layer["rows"]] == [True, False, False]
    counts = {kind["text"]: (kind["errors"], kind["warnings"]) for kind in layer["kinds"]}
    assert counts == {"Gap": (1, 1), "Size rule": (0, 1)}
    assert m.drawing.subtitle == "1 errors, 2 warnings"


def test_every_kind_of_fault_has_a_mark_of_its_own_outside_the_colours_of_urgency():
    assert set(FAULTS) == set(FaultKind)
    assert len({mark.sign for mark in FAULTS.values()}) == len(FAULTS)
    assert {mark.fill for mark in FAULTS.values()}.isdisjoint({urgency.fill for urgency in URGENCIES})
    hatched = ["overlap", "gap", "child_outside_parent", "parent_not_covered"]
    assert len({(FAULTS[kind].fill, FAULTS[kind].hatch) for kind in hatched}) == len(hatched)


def test_areas_without_a_sound_shape_are_drawn_as_far_as_they_go(cells, words):
    shapes = list(cells.geometry)
    west, south, east, north = shapes[0].bounds
    shapes[0] = shapely.Polygon([(west, south), (east, north), (east, south), (west, north)])
    shapes[1] = None
    shapes[2] = shapely.Polygon()
    shapes[3] = shapely.LineString([(west, south), (east, north)])
    shapes[4] = shapely.Polygon([(west, south)] * 4)
    shapes[5] = shapely.Polygon([(west, np.inf), (east, np.inf), (east, south)])
    broken = cells.set_geometry(gpd.GeoSeries(shapes, crs=cells.crs))

    drawn = layer_of(fault_map(broken, table([fault()]), words=words, title="Faults"), "cells")

    codes = [row[0] for row in drawn["rows"]]
    assert codes == [cells["code"][0], *cells["code"][6:]]
    assert len(drawn["rows"][0][4][0][0]) == 8  # the bow tie as it was drawn: four corners


def test_of_many_areas_those_near_a_fault_are_drawn_and_the_page_says_so(make_cells, words):
    cells = levels(make_cells(2000))

    m = fault_map(cells, table([fault(size=0.0001)]), words=words, title="Faults")

    drawn = layer_of(m, "cells")["rows"]
    assert 3 < len(drawn) < 60
    assert len(layer_of(m, "borders")["shapes"]) == 1
    assert m.drawing.notes == [
        f"{len(drawn) + 1} of 2,001 areas are drawn: of a level with many, those near a fault."
    ]
    assert len(page_of(m)) < 600_000


def page_of(m):
    return json.dumps(m.drawing.as_json(links=False, tiles=False))


def test_twenty_thousand_areas_with_faults_everywhere_stay_a_page(words):
    random = np.random.default_rng(0)
    squares = [
        shapely.box(
            117 + i % 150 / 200, 36 + i // 150 / 200, 117 + (i % 150 + 1) / 200, 36 + (i // 150 + 1) / 200
        )
        for i in range(20_000)
    ]
    cells = gpd.GeoDataFrame(
        {"code": [f"{i:015d}" for i in range(20_000)], "level": "building_group", "name": "网格"},
        geometry=squares,
        crs=4490,
    )
    spots = random.uniform((117, 36), (117.75, 36.66), (5_000, 2))
    rows = [fault(at=tuple(spot), size=0.0003) for spot in spots]
    started = time.perf_counter()

    m = fault_map(cells, table(rows), words=words, title="Faults")

    assert time.perf_counter() - started < 20
    assert len(page_of(m)) < 4_000_000
    assert len(layer_of(m)["rows"]) == MOST_FAULTS
    assert "The first 2,000 of 5,000 faults are listed, errors first" in m.drawing.notes[1]


def test_a_huge_fault_is_drawn_with_few_corners(cells, words):
    ring = shapely.Point(117.66, 36.16).buffer(0.03, quad_segs=5000)

    layer = layer_of(fault_map(cells, table([fault(geometry=ring)]), words=words, title="Faults"))

    assert len(layer["rows"][0]["shape"][0][0]) <= 2 * 400


def test_a_fault_far_off_is_in_sight_too(cells, words):
    m = fault_map(cells, table([fault(at=(36.15, 117.65 - 90))]), words=words, title="Faults")

    west, south, _, _ = m.drawing.view
    assert west == pytest.approx(36.15)
    assert south == pytest.approx(27.65)


def test_what_cannot_be_drawn_is_refused(cells, words):
    with pytest.raises(InvalidInput) as missing:
        fault_map(cells, table([]).drop(columns="kind_text"), words=words, title="Faults")
    with pytest.raises(InvalidInput) as empty:
        fault_map(cells.iloc[:0], table([]), words=words, title="Faults")

    assert missing.value.code == "map_columns"
    assert empty.value.code == "map_empty"


# ---- in a browser -----------------------------------------------------------------------------------------------


@pytest.fixture
def shown(cells, words, assets, show):
    """Return a function that opens the page of these faults."""

    def open_page(rows, areas=cells, **size):
        m = fault_map(areas, table(rows), words=words, title="Faults of a grid", attribution="made up")
        return show(page(m, assets, nonce="n0nce"), **size)

    return open_page


ROWS = [
    fault("overlap"),
    fault("gap", at=(117.62, 36.12), size=0.0002),
    fault("gap", at=(117.7, 36.18), severity="warning"),
    fault("wrong_code", at=(117.63, 36.19), size=0, codes=["99000100100100x"]),
    fault("empty_geometry", at=None, codes=["990001001001003"]),
]


@pytest.mark.browser
def test_the_list_has_a_row_for_each_fault_and_a_row_flies_to_its_place(shown):
    seen = shown(ROWS, width=1440, height=900)

    lines = seen.page.locator(".gw-fault")
    assert lines.count() == 5
    assert seen.page.locator(".gw-mark").count() == 4
    seen.page.locator("button.gw-fault", has_text="Gap").first.click()
    seen.page.locator(".leaflet-popup .gw-card").wait_for()
    centre = seen.page.evaluate(
        "(() => { const c = map_grid.getCenter(); return [c.lng, c.lat, map_grid.getZoom()]; })()"
    )
    assert centre[:2] == pytest.approx((117.6201, 36.1201), abs=2e-3)
    assert centre[2] > 16
    assert seen.page.locator(".gw-card h2").text_content() == "Gap · Error"
    assert seen.page.locator('.gw-fault[aria-current="true"]').count() == 1
    assert seen.complaints == []
    assert seen.strangers == []


@pytest.mark.browser
def test_a_fault_without_a_place_is_listed_and_leads_nowhere(shown):
    seen = shown(ROWS)

    line = seen.page.locator(".gw-fault", has_text="Empty geometry")
    assert line.evaluate("node => node.tagName") == "DIV"
    assert "has no place" in line.text_content()


@pytest.mark.browser
def test_the_filters_thin_the_list_and_the_map(shown):
    seen = shown(ROWS)
    count, marks = seen.page.locator(".gw-count"), seen.page.locator(".gw-mark")
    lines = seen.page.locator(".gw-faults > li:visible")

    assert count.text_content() == "5 of 5 shown"
    seen.page.locator(".gw-severity button", has_text="Warnings 1").click()
    assert (lines.count(), marks.count()) == (1, 1)
    seen.page.locator(".gw-severity button", has_text="All 5").click()
    seen.page.locator(".gw-kinds label", has_text="Gap").click()
    assert (lines.count(), marks.count()) == (3, 2)
    assert count.text_content() == "3 of 5 shown"
    seen.page.locator(".gw-plain", has_text="No kind").click()
    assert (lines.count(), marks.count()) == (0, 0)
    assert seen.page.locator(".gw-clean").is_visible()
    seen.page.locator(".gw-plain", has_text="All kinds").click()
    assert (lines.count(), marks.count()) == (5, 4)


@pytest.mark.browser
def test_the_legend_shows_colour_sign_hatch_and_number_of_each_kind(shown):
    seen = shown(ROWS)

    lines = seen.page.locator(".gw-kinds li")
    assert lines.all_text_contents() == ["Overlap1", "Gap2", "Empty geometry1", "Wrong code1"]
    used = set(
        seen.page.evaluate(
            "[...document.querySelectorAll('.gw-kinds rect')].map((n) => n.getAttribute('fill'))"
        )
    )
    assert used == {f"url(#gw-fault-{place})" for place in range(4)}
    assert seen.page.evaluate("[0, 1, 2, 3].every((place) => document.getElementById('gw-fault-' + place))")


@pytest.mark.browser
def test_faults_at_one_place_are_one_disc_that_lists_them(shown):
    seen = shown([fault("overlap", codes=[str(place)]) for place in range(3)])

    disc = seen.page.locator(".gw-mark")
    assert disc.count() == 1
    assert disc.text_content() == "3"
    for _ in range(8):
        if seen.page.locator(".gw-line").count():
            break
        disc.click()
        seen.page.wait_for_timeout(400)
    assert seen.page.locator(".gw-line").count() == 3
    seen.page.locator(".gw-line").nth(1).click()
    assert "1" in seen.page.locator(".gw-card dd").first.text_content()


@pytest.mark.browser
def test_what_files_say_is_shown_and_never_run(make_cells, words, assets, show):
    cells = make_cells(12)
    each = [HOSTILE[row % len(HOSTILE)] for row in range(12)]
    cells = cells.assign(name=each, code=each, level=each)
    rows = [
        fault(
            text,
            at=(117.62 + place * 0.01, 36.15),
            kind_text=text,
            codes=[text, text],
            message=text,
            level=text,
            severity=text,
        )
        for place, text in enumerate(HOSTILE)
    ]
    m = fault_map(cells, table(rows), words=words, title=" ".join(HOSTILE), attribution=" ".join(HOSTILE))
    seen = show(page(m, assets, nonce="n0nce"), width=1440, height=900)

    shown = [seen.page.locator(".gw-legend-body").text_content()]
    for place in range(len(HOSTILE)):
        seen.page.locator("button.gw-fault").nth(place).click()
        seen.page.wait_for_function(THE_ONLY_CARD_SAYS, arg=HOSTILE[place])  # the card before goes slowly
        shown.append(seen.page.locator(".leaflet-popup .gw-card").text_content())
    seen.page.wait_for_timeout(1200)  # whatever would run has run by now

    assert [text for text, said in zip(HOSTILE, shown[1:], strict=True) if text not in said] == []
    assert [text for text in HOSTILE if text not in shown[0]] == []
    assert seen.page.evaluate("window.ran") is None
    assert not seen.page.evaluate("document.querySelectorAll('img, iframe, object, form').length")
    assert seen.complaints == []
    assert seen.strangers == []


@pytest.mark.browser
def test_on_a_phone_the_list_lies_below_the_map_which_stays_in_sight(shown):
    rows = [fault("gap", at=(117.61 + place * 0.005, 36.15)) for place in range(20)]
    seen = shown(rows, width=390, height=844, touch=True)
    drawn = seen.page.locator(".gw-map")

    box, body = drawn.bounding_box(), seen.page.locator(".gw-legend-body").bounding_box()
    assert body["y"] >= box["y"] + box["height"] - 1
    assert box["width"] == body["width"] == 390
    assert not seen.page.locator(".gw-pill").is_visible()
    seen.page.locator("button.gw-fault").nth(15).click()
    seen.page.locator(".leaflet-popup .gw-card").wait_for()
    assert drawn.bounding_box()["y"] == pytest.approx(0, abs=1)
    for name in (".gw-severity button", ".gw-kinds label", "button.gw-fault", ".gw-plain"):
        assert min(node.bounding_box()["height"] for node in seen.page.locator(name).all()) >= 44, name


@pytest.mark.browser
def test_a_grid_without_faults_says_so(shown):
    seen = shown([])

    assert "Nothing is wrong with this grid." in seen.page.locator(".gw-legend-body").text_content()
    assert seen.complaints == []


@pytest.mark.browser
def test_a_saved_page_of_faults_opens_from_a_disk_and_asks_for_nothing(cells, assets, chromium, tmp_path):
    path = save_html(
        fault_map(cells, table(ROWS), words=Words("zh-CN"), title="问题"), tmp_path / "f.html", assets
    )
    context = chromium.new_context()
    tab = context.new_page()
    complaints, asked = [], []
    tab.on("console", lambda line: complaints.append(line.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda call: asked.append(call.url))

    tab.goto(path.as_uri())
    tab.wait_for_selector('[data-ready="yes"]', timeout=15_000)
    tab.locator("button.gw-fault").first.click()
    tab.locator(".leaflet-popup .gw-card").wait_for()

    assert complaints == []
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    context.close()
