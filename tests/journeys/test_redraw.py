"""The grid is drawn anew in a real Chromium: a file with faults, a draft, a line by mouse, a second person."""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import expect
from shapely import box, to_geojson

from api import worker

pytestmark = pytest.mark.browser

FIRST, NEW = "990101001001001", "990101001001003"


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve an application on a free port; yield its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@contextmanager
def keeper(
    chromium: Any, address: str, login: str, password: str, *, wide: int = 1440, high: int = 900
) -> Iterator[Any]:
    """Sign in and open the list of editions; the browser must have had nothing to complain of but refusals."""
    context = chromium.new_context(viewport={"width": wide, "height": high}, reduced_motion="reduce")
    context.set_default_timeout(15_000)
    page, complaints = context.new_page(), list[str]()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None
    )
    page.on(
        "request",
        lambda call: None if call.url.startswith((address, "data:")) else complaints.append(call.url),
    )
    try:
        page.goto(f"{address}/login?next=/grids")
        page.fill("#login-login", login)
        page.fill("#login-password", password)
        page.click("main form button")
        page.wait_for_url("**/grids")
        yield page
        assert [line for line in complaints if "status of 403" not in line] == []
    finally:
        context.close()


def drawn(page: Any) -> None:
    """Wait until the map of an edition is drawn."""
    page.wait_for_selector("#edition-map[data-ready=yes]")


def click_at(page: Any, lon: float, lat: float) -> None:
    """Click a place on the map of an edition, where its view says that it is."""
    view, edge = page.evaluate(
        """() => {
          const node = document.getElementById("edition-map");
          const box = node.getBoundingClientRect();
          return [JSON.parse(sessionStorage.getItem(`grid-${node.dataset.edition}`)).view,
                  [box.x + box.width / 2, box.y + box.height / 2]];
        }"""
    )
    (x, y), (x0, y0) = _pixels(lon, lat, view[2]), _pixels(view[1], view[0], view[2])
    page.mouse.click(edge[0] + x - x0, edge[1] + y - y0)


def _pixels(lon: float, lat: float, zoom: float) -> tuple[float, float]:
    """Return where a place lies on the whole map of the world in Web Mercator, in pixels."""
    size, sine = 256 * 2**zoom, math.sin(math.radians(lat))
    return (lon + 180) / 360 * size, (0.5 - math.log((1 + sine) / (1 - sine)) / (4 * math.pi)) * size


def broken_grid(cells: dict[str, float]) -> bytes:
    """Return GeoJSON of the city's areas, in which a corner of the first cell lies over the second."""
    spans: dict[str, list[float]] = {}
    for code, west in cells.items():
        for length in (6, 9, 12, 15):
            spans.setdefault(code[:length], []).append(west)
    shapes = {code: box(min(wests), 36.0, max(wests) + 0.01, 36.02) for code, wests in spans.items()}
    shapes[FIRST] |= box(117.01, 36.0, 117.011, 36.001)
    rows = [
        {"type": "Feature", "properties": {"code": code}, "geometry": json.loads(to_geojson(shape))}
        for code, shape in shapes.items()
    ]
    return json.dumps({"type": "FeatureCollection", "features": rows}).encode()


def test_a_grid_office_redraws_a_cell_and_the_reports_of_the_day_lie_in_it(
    chromium: Any, city: Any, http: Any, clock: Any
) -> None:
    moved = city.report(lon=117.002, lat=36.01)  # open, in the part that will be cut off

    with serving(city.app) as address:
        with keeper(chromium, address, "platform", http.PASSWORD) as page:
            _drop_a_broken_file(page, http)
            _draw_a_line_through_the_first_cell(page, address)
            path = page.url.removeprefix(address)
            page.click('form[action$="/publish"] button')
            expect(page.locator(".problem")).to_contain_text("须由另一人发布")
        with keeper(chromium, address, "governance", http.PASSWORD, wide=390, high=844) as phone:
            phone.goto(address + path)
            drawn(phone)
            assert not phone.locator("#operation").is_visible()
            phone.click('form[action$="/publish"] button')
            expect(phone.locator("main .note-good")).to_contain_text("2026-06-04")
            assert phone.evaluate("document.documentElement.scrollWidth") <= 390

    def cell(number: str) -> str:
        return str(city.see("platform", f"incidents/{number}")["placement"]["code"])

    eve = city.report(lon=117.002, lat=36.01, text="生效前一天")
    assert cell(eve) == FIRST
    clock.advance(days=1)
    city.fire()
    worker.bring_all_over(city.database, clock)
    day = city.report(lon=117.002, lat=36.01, text="生效当天")
    assert [cell(number) for number in (moved, eve, day)] == [NEW] * 3


def _drop_a_broken_file(page: Any, http: Any) -> None:
    page.set_input_files(
        "#load-file",
        {"name": "网格.geojson", "mimeType": "application/geo+json", "buffer": broken_grid(http.CELLS)},
    )
    page.select_option("#load-frame", "CGCS2000")
    page.click('form[action="/grids"] button')
    drawn(page)
    before = _view(page)
    row = page.locator(".fault-error", has_text="重叠").first
    row.focus()
    page.keyboard.press("Enter")

    expect(row).to_have_attribute("aria-current", "true")
    page.wait_for_function("was => sessionStorage.getItem(was[0]) !== was[1]", arg=before)
    _, told = _view(page)
    _lat, lon, zoom = json.loads(told)["view"]
    assert 117.01 <= lon <= 117.011
    assert zoom > json.loads(before[1])["view"][2]
    assert page.locator('form[action$="/publish"] button').is_disabled()


def _view(page: Any) -> tuple[str, str]:
    key = "grid-" + page.get_attribute("#edition-map", "data-edition")
    return key, str(page.evaluate("key => sessionStorage.getItem(key)", key))


def _draw_a_line_through_the_first_cell(page: Any, address: str) -> None:
    page.goto(f"{address}/grids")
    in_force = page.locator("li.edition", has_text="现行")
    in_force.locator("summary").click()
    in_force.locator("form button").click()
    page.wait_for_selector("#operation")
    drawn(page)
    click_at(page, 117.007, 36.01)
    expect(page.locator("#operation-codes")).to_have_value(FIRST)
    page.click("[data-draw]")
    click_at(page, 117.004, 36.0215)
    click_at(page, 117.0041, 36.01)
    click_at(page, 117.004, 35.9985)
    page.keyboard.press("Enter")
    expect(page.locator("[data-draw]")).to_have_attribute("aria-pressed", "false")
    was = json.loads(_view(page)[1])["view"]

    page.click("#operation button.full")

    expect(page.locator(".last-step")).to_contain_text(NEW)
    drawn(page)
    expect(page.locator("#impact")).to_contain_text("在办 1 件中有 1 件换格")
    assert json.loads(_view(page)[1])["view"] == pytest.approx(was)


def test_a_submit_that_takes_long_says_so_and_cannot_be_pressed_twice(
    chromium: Any, city: Any, http: Any
) -> None:
    with serving(city.app) as address, keeper(chromium, address, "platform", http.PASSWORD) as page:
        page.click("li.edition summary")
        # the window hears of it last: all is as in a page that waits for its answer
        page.evaluate("window.addEventListener('submit', (event) => event.preventDefault())")
        button = page.locator('form[action="/grids/drafts"] button')

        button.click()

        expect(button).to_be_disabled()
        expect(button).to_have_attribute("aria-busy", "true")
        expect(button).to_contain_text("正在建立草稿")
