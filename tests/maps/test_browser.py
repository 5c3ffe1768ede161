"""The maps in a real Chromium, under the policy that map pages are served with."""

from __future__ import annotations

import time
from datetime import date, timedelta

import folium
import numpy as np
import pytest
from playwright.sync_api import expect

from maps import GridMap, Weeks, Words, area_map, hotspot_map, page, recurrence_map, response_map, save_html

pytestmark = pytest.mark.browser

PERIOD = (date(2026, 6, 1), date(2026, 9, 30))
SPOTS = [(117.652, 36.152), (117.661, 36.163), (117.672, 36.141), (117.683, 36.134), (117.694, 36.152)]
RUN = "window.ran=(window.ran||0)+1"
HOSTILE = [
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    "${" + RUN + "}",
    "\\\\`+(" + RUN + ")+`",
    f'"><svg onload="{RUN}">',
    f"');{RUN};//",
    f"javascript:{RUN}",
    f"<!--<script>{RUN}</script>",
    "{{ 7 * 7 }}{% raw %}{0.__class__}",
]
# Open every card and every tooltip there is, a place at a time.
TOUCH_EVERYTHING = """() => {
  const texts = [];
  const read = () => texts.push(...[...document.querySelectorAll(".gw-card, .gw-tip")].map((node) => node.textContent));
  map_grid.setZoom(map_grid.getMaxZoom(), {animate: false});
  map_grid.eachLayer((layer) => {
    if (!layer.fire || !(layer.getLatLng || layer.getCenter)) return;
    if (layer instanceof L.Polygon && !layer.options.interactive) return;
    if (!(layer instanceof L.Marker) && !(layer instanceof L.Polygon)) return;
    const latlng = layer.getLatLng ? layer.getLatLng() : layer.getBounds().getCenter();
    const event = {latlng, containerPoint: L.point(300, 300)};
    layer.fire("mouseover", event, true); read();
    layer.fire("click", event, true); read();
  });
  for (const box of document.querySelectorAll("input")) { box.click(); box.click(); }
  return texts.join("\\n");
}"""


@pytest.fixture
def draw_all(make_cells, make_incidents, make_places, now):
    """Return a function that draws one map of each kind, row by row with a text wherever people write."""

    def draw(texts: list[str], words: Words) -> list[GridMap]:
        count = max(len(texts), 12)
        each = [texts[row % len(texts)] for row in range(count)]
        joined = " ".join(texts)
        spots = [(117.62 + row % 4 * 0.03, 36.12 + row // 4 * 0.03) for row in range(count)]
        cells = make_cells(count).assign(name=each, code=each)
        said = dict.fromkeys(("category_name", "address", "url"), each)
        incidents = make_incidents(spots).assign(
            **said, number=each, status=each, status_text=each, text=each
        )
        places = make_places(spots).assign(**said, kind=each, name=each)
        everywhere = {"words": words, "as_of": now, "attribution": joined}
        choice = {"level": "community", "period": PERIOD, "category": joined, **everywhere}
        return [
            area_map(cells.iloc[:3], cells.iloc[3:], incidents, places, title=joined, **everywhere),
            hotspot_map(cells, "per_1000_households", list_url="/dispatch?area={code}", **choice),
            response_map(
                cells.assign(value=cells["minutes"]), "handle", list_url="/map?area={code}", **choice
            ),
            recurrence_map(places, cells, period=PERIOD, category=joined, **everywhere),
        ]

    return draw


def test_what_people_write_is_shown_and_never_run(draw_all, words, assets, show):
    for m in draw_all(HOSTILE, words):
        seen = show(page(m, assets, nonce="n0nce"))

        shown = seen.page.evaluate(TOUCH_EVERYTHING)

        assert [text for text in HOSTILE if text not in shown] == []
        assert (
            seen.page.locator(".gw-title, .gw-subtitle, .gw-credits").filter(has_text=HOSTILE[-1]).count()
            >= 2
        )
        assert seen.page.evaluate("window.ran") is None
        assert not seen.page.evaluate("document.querySelectorAll('img, iframe, object, form').length")
        links = seen.page.evaluate("[...document.querySelectorAll('a[target]')].map((node) => node.protocol)")
        assert set(links) <= {"http:"}
        assert seen.complaints == []
        assert seen.strangers == []


def test_the_check_would_notice_text_that_folium_runs(draw_all, words, assets, show):
    m = draw_all(["plain"], words)[0]
    folium.Marker([36.15, 117.65], tooltip="${" + RUN + "}").add_to(m)

    seen = show(page(m, assets, nonce="n0nce"))

    assert seen.page.evaluate("window.ran") == 1


def test_a_page_runs_clean_under_its_policy_and_asks_nobody_else(draw_all, assets, show):
    for m in draw_all(["升平社区第12网格"], Words("zh-CN")):
        seen = show(page(m, assets, nonce="n0nce"))

        seen.page.evaluate(TOUCH_EVERYTHING)

        assert seen.complaints == []
        assert seen.strangers == []
        assert seen.page.evaluate("document.documentElement.lang") == "zh-CN"


def test_the_policy_stops_a_script_without_the_nonce(draw_all, words, assets, show):
    m = draw_all(["plain"], words)[0]
    html = page(m, assets, nonce="n0nce").replace("</body>", f"<script>{RUN}</script></body>")

    seen = show(html)

    assert seen.page.evaluate("window.ran") is None
    assert "Content Security Policy" in seen.complaints[0]


def test_a_saved_file_opens_from_a_disk_and_asks_for_nothing(draw_all, words, assets, chromium, tmp_path):
    for m in draw_all(["升平社区"], words):
        path = save_html(m, tmp_path / "map.html", assets)
        context = chromium.new_context()
        tab = context.new_page()
        complaints, asked = [], []
        tab.on("console", lambda line, into=complaints: into.append(line.text))
        tab.on("pageerror", lambda error, into=complaints: into.append(str(error)))
        tab.on("request", lambda call, into=asked: into.append(call.url))

        tab.goto(path.as_uri())
        tab.wait_for_selector('[data-ready="yes"]', timeout=15_000)

        assert complaints == []
        assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
        context.close()


def test_on_a_phone_the_legend_is_a_pill_that_opens_to_half_the_screen(draw_all, words, assets, show):
    seen = show(
        page(draw_all(["升平社区"], words)[1], assets, nonce="n0nce"), width=390, height=844, touch=True
    )
    legend, pill = seen.page.locator(".gw-legend-body"), seen.page.locator(".gw-pill")

    assert not legend.is_visible()
    assert pill.bounding_box()["height"] >= 44
    pill.click()
    assert legend.is_visible()
    assert legend.bounding_box()["height"] <= 844 / 2
    seen.page.keyboard.press("Escape")
    assert not legend.is_visible()
    assert seen.page.evaluate("document.activeElement.className") == "gw-pill"


def test_on_a_wide_screen_the_legend_stands_beside_the_map(draw_all, words, assets, show):
    seen = show(page(draw_all(["升平社区"], words)[1], assets, nonce="n0nce"), width=1440, height=900)

    drawn = seen.page.locator(".gw-map").bounding_box()
    legend = seen.page.locator(".gw-legend").bounding_box()

    assert drawn["x"] + drawn["width"] <= legend["x"]
    assert drawn["height"] == legend["height"] == 900


def test_missing_data_and_small_samples_are_patterns_that_exist(draw_all, words, assets, show):
    seen = show(page(draw_all(["升平社区"], words)[1], assets, nonce="n0nce"))

    fills = set(
        seen.page.evaluate("[...document.querySelectorAll('path')].map((node) => node.getAttribute('fill'))")
    )

    used = {fill[5:-1] for fill in fills if fill and fill.startswith("url(")}
    assert "gw-nodata" in used
    assert any(name.startswith("gw-dots-") for name in used)
    assert seen.page.evaluate("(names) => names.every((name) => document.getElementById(name))", sorted(used))


def test_names_do_not_lie_on_each_other_or_on_a_marker(make_cells, make_places, words, assets, show):
    cells = make_cells(80)
    m = recurrence_map(make_places(SPOTS), cells, period=PERIOD, words=words)
    seen = show(page(m, assets, nonce="n0nce"))

    boxes = seen.page.evaluate(
        """[...document.querySelectorAll(".gw-name")].map((node) => {
             const box = node.getBoundingClientRect(); return [box.left, box.top, box.right, box.bottom]; })"""
    )

    assert 20 < len(boxes) <= 60
    for place, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[place + 1 :]:
            assert (
                right <= other[0] + 1 or left >= other[2] - 1 or bottom <= other[1] + 1 or top >= other[3] - 1
            )


def test_cases_at_one_place_are_one_disc_that_lists_them(
    make_cells, make_incidents, make_places, words, now, assets, show
):
    cells = make_cells(12)
    incidents = make_incidents([SPOTS[0]] * 3)
    m = area_map(cells.iloc[:3], cells.iloc[3:], incidents, make_places([]), words=words, as_of=now)
    seen = show(page(m, assets, nonce="n0nce"))

    disc = seen.page.locator(".gw-mark")
    assert disc.count() == 1
    assert disc.text_content() == "3·R"
    disc.click()
    lines = seen.page.locator(".gw-line")
    assert lines.all_text_contents() == ["R路面塌陷", "O无照经营烧烤", "Y乱停车"]
    lines.nth(1).click()
    link = seen.page.locator(".gw-card a")
    assert link.get_attribute("href") == "/incidents/2026112199000100001"
    assert link.get_attribute("target") == "_top"


def test_a_link_in_a_sandboxed_frame_leads_the_whole_page_to_the_case(
    make_cells, make_incidents, make_places, words, now, assets, show
):
    cells = make_cells(12)
    incidents = make_incidents([SPOTS[0]], url="/static/map.css")
    m = area_map(cells.iloc[:3], cells.iloc[3:], incidents, make_places([]), words=words, as_of=now)
    seen = show(page(m, assets, nonce="n0nce"), framed=True)
    frame = seen.page.frame_locator("iframe")

    frame.locator(".gw-mark").click()
    with seen.page.expect_navigation():
        frame.locator(".gw-card a").click()

    assert seen.page.url.endswith("/static/map.css")
    assert seen.complaints == []


def test_a_district_of_727_grids_is_there_at_once(make_cells, words, now, assets, show):
    m = hotspot_map(
        make_cells(727), "per_1000_households", level="building_group", period=PERIOD, words=words, as_of=now
    )
    html = page(m, assets, nonce="n0nce")

    started = time.perf_counter()
    seen = show(html)

    assert seen.page.locator("path.leaflet-interactive").count() == 727
    # A bound against the absurd, not a measurement: 0.3 s on a quiet machine.
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(("width", "touch"), [(1200, False), (390, True)])
def test_a_whole_city_is_one_drawing_whose_grids_answer_the_pointer(
    make_cells, words, now, assets, show, width, touch
):
    cells = make_cells(2100)
    cells.loc[cells.index[:700], "value"] = np.nan
    m = hotspot_map(
        cells.drop(columns="hot"),
        "per_1000_households",
        level="building_group",
        period=PERIOD,
        list_url="/dispatch?area={code}",
        words=words,
        as_of=now,
    )
    seen = show(page(m, assets, nonce="n0nce"), width=width, height=844, touch=touch)

    assert seen.page.locator("path.leaflet-interactive").count() == 0
    assert seen.page.locator(".leaflet-overlay-pane canvas").count() == 1
    fills = seen.page.evaluate(
        """() => { const all = {}; map_grid.eachLayer((one) => { if (!one.gwRow) return;
          const fill = one.options.fillColor, kind = fill instanceof CanvasPattern ? "pattern" : "plain";
          const said = one.gwRow[6] < 0 || one.gwRow[7] & 1 ? "pattern" : "plain";
          if (kind !== said) throw new Error(one.gwRow[0]);
          all[kind] = (all[kind] || 0) + 1; }); return all; }"""
    )
    assert fills["pattern"] >= 700
    assert sum(fills.values()) == 2100
    middle, name = seen.page.evaluate(
        """() => { let best = null; map_grid.eachLayer((one) => {
          if (one.gwRow && (!best || one.gwRow[5][2] > best[5][2])) best = one.gwRow; });
          map_grid.setView([best[5][1] / 1e6, best[5][0] / 1e6], 16, {animate: false});
          const at = map_grid.latLngToContainerPoint([best[5][1] / 1e6, best[5][0] / 1e6]);
          return [[at.x, at.y], best[1]]; }"""
    )
    if touch:
        seen.page.touchscreen.tap(*middle)
        expect(seen.page.locator(".gw-card h2")).to_have_text(name)
    else:
        seen.page.mouse.move(middle[0] - 40, middle[1])
        seen.page.mouse.move(*middle)
        expect(seen.page.locator(".gw-tip h2")).to_have_text(name)
    assert seen.complaints == []


def test_a_recurrent_place_leads_where_its_words_say(make_cells, make_places, words, assets, show):
    places = make_places(
        SPOTS[:1], url="/points/new?category=07-001&lon=117.65&lat=36.15", url_text="Put it into the ledger"
    )
    seen = show(
        page(recurrence_map(places, make_cells(12), period=PERIOD, words=words), assets, nonce="n0nce")
    )

    seen.page.locator(".gw-mark").click()

    link = seen.page.locator(".gw-card a")
    assert link.text_content() == "Put it into the ledger"
    assert link.get_attribute("href") == "/points/new?category=07-001&lon=117.65&lat=36.15"


@pytest.fixture
def timed(make_cells, words, now):
    """A map of 60 cells with 20 weeks, each case of a cell in a week of its own."""
    cells = make_cells(60)
    mondays = [date(2026, 6, 1) + timedelta(weeks=week) for week in range(20)]
    counts = np.array([np.bincount(np.arange(n) % 20, minlength=20) for n in cells["n"]])
    m = hotspot_map(
        cells,
        "per_1000_households",
        level="building_group",
        period=(date(2026, 6, 3), date(2026, 10, 18)),
        method="fixed",
        weekly=Weeks(list(cells["code"]), mondays, counts),
        drill_url="/static/map.css?area={code}",
        words=words,
        as_of=now,
    )
    return m, counts


def test_the_slider_adds_up_its_weeks_and_paints_the_cells_by_them(timed, assets, show):
    m, counts = timed
    seen = show(page(m, assets, nonce="n0nce"), width=1200, height=800)
    said, track = seen.page.locator(".gw-weeks-said"), seen.page.locator(".gw-weeks-range")
    fills = (
        "[...document.querySelectorAll('path.leaflet-interactive')].map((node) => node.getAttribute('fill'))"
    )
    whole = seen.page.evaluate(fills)

    assert said.text_content() == f"2026-06-03 to 2026-10-18: {counts.sum():,} cases"
    assert seen.page.locator(".gw-legend li", has_text="Hot spot beyond chance").count() == 1
    track.focus()
    seen.page.keyboard.press("ArrowLeft")
    assert said.text_content() == f"2026-06-03 to 2026-10-11: {counts[:, :19].sum():,} cases"
    seen.page.select_option(".gw-weeks select >> nth=0", "4")
    assert said.text_content() == f"2026-09-14 to 2026-10-11: {counts[:, 15:19].sum():,} cases"
    assert track.get_attribute("aria-valuetext") == said.text_content()
    assert seen.page.locator(".gw-legend li", has_text="Hot spot beyond chance").count() == 0
    assert seen.page.evaluate(fills) != whole
    seen.page.select_option(".gw-weeks select >> nth=0", "")
    seen.page.keyboard.press("Tab")
    track.focus()
    seen.page.keyboard.press("End")
    assert seen.page.evaluate(fills) == whole
    assert seen.complaints == []


def test_space_plays_the_weeks_and_stops_them(timed, assets, show):
    seen = show(page(timed[0], assets, nonce="n0nce"))
    track = seen.page.locator(".gw-weeks-range")
    track.focus()

    seen.page.keyboard.press("Home")
    seen.page.keyboard.press("Space")
    expect(track).not_to_have_value("0", timeout=10_000)  # polls, and needs no eval
    seen.page.keyboard.press("Space")
    at = track.input_value()
    seen.page.wait_for_timeout(1200)

    assert track.input_value() == at
    assert seen.page.locator(".gw-weeks button").nth(1).get_attribute("aria-label") == "Play"


def test_a_week_of_727_cells_is_painted_at_once(make_cells, words, assets, show):
    cells = make_cells(727)
    counts = np.random.default_rng(1).poisson(0.3, (727, 104))
    cells["n"] = counts.sum(axis=1)
    cells["value"] = cells["n"] / cells["households"] * 1000
    mondays = [date(2024, 6, 3) + timedelta(weeks=week) for week in range(104)]
    period = (mondays[0], mondays[-1] + timedelta(days=6))
    m = hotspot_map(
        cells,
        "per_1000_households",
        level="building_group",
        period=period,
        method="fixed",
        weekly=Weeks(list(cells["code"]), mondays, counts),
        words=words,
    )
    seen = show(page(m, assets, nonce="n0nce"))
    seen.page.select_option(".gw-weeks select >> nth=0", "4")

    took = seen.page.evaluate(
        """() => { const track = document.querySelector(".gw-weeks-range"), begun = performance.now();
          track.value = "60"; track.dispatchEvent(new Event("input")); return performance.now() - begun; }"""
    )

    # A bound against the absurd, not a measurement: 40 ms on a quiet machine.
    assert took < 1500
    total = seen.page.locator(".gw-weeks-said").text_content()
    assert f"{counts[:, 57:61].sum():,} cases" in total


def test_a_click_leads_a_level_down_and_a_tap_shows_the_facts_first(timed, assets, show, chromium):
    html = page(timed[0], assets, nonce="n0nce")
    seen = show(html, framed=True)
    with seen.page.expect_navigation():
        seen.page.frame_locator("iframe").locator("path.leaflet-interactive").nth(30).click()
    assert "/static/map.css?area=990001" in seen.page.url

    standalone = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    tab = standalone.new_page()
    tab.set_content(page(timed[0], assets, standalone=True))
    tab.wait_for_selector('[data-ready="yes"]')
    tab.locator("path.leaflet-interactive").nth(30).tap()
    tab.wait_for_selector(".gw-card dl")
    standalone.close()


def test_a_surface_and_signs_are_drawn_without_a_complaint(make_cells, words, assets, show):
    cells = make_cells(40)
    cells["pattern"] = ["new", "cold_persistent", *[""] * 38]
    m = hotspot_map(cells, "count", level="town", period=PERIOD, layer="emerging", words=words)

    seen = show(page(m, assets, nonce="n0nce"))

    assert seen.page.evaluate(SIGNS_INK) > 200
    seen.page.locator(".gw-toggle input").click()
    seen.page.wait_for_function(f"({SIGNS_INK})() === 0")
    assert seen.complaints == []


# of how many pixels the signs are, on the canvas that they share
SIGNS_INK = """() => {
  const copy = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const drawn = document.querySelector(".leaflet-gwQuiet-pane canvas");
  if (!drawn) return 0;
  [copy.canvas.width, copy.canvas.height] = [drawn.width, drawn.height];
  copy.drawImage(drawn, 0, 0);
  return copy.getImageData(0, 0, drawn.width, drawn.height).data.filter((part, at) => at % 4 === 3 && part).length;
}"""


def test_signs_on_thousands_of_cells_are_one_drawing_and_as_large_as_there_is_room(
    make_cells, words, assets, show
):
    cells = make_cells(5_000)
    cells["pattern"] = ["new", "cold_persistent"] * 2_500
    m = hotspot_map(cells, "count", level="building_group", period=PERIOD, layer="emerging", words=words)

    seen = show(page(m, assets, nonce="n0nce"))
    size = """() => { let found = null;
      map_grid.eachLayer((layer) => { if (layer.options && layer.options.strokes) found = layer.getRadius(); });
      return found; }"""

    assert seen.page.evaluate("document.querySelectorAll('*').length") < 400
    assert seen.page.evaluate(SIGNS_INK) > 10_000
    far = seen.page.evaluate(size)
    seen.page.evaluate("() => void map_grid.setZoom(map_grid.getZoom() + 3, {animate: false})")
    assert (far < 7, seen.page.evaluate(size)) == (True, 11)
    assert seen.complaints == []
