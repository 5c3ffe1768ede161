"""The pages in a real Chromium, with the made-up district behind them: whole, ours alone, and usable by clicks."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from browsing import SIZES, Town, report_on_the_map, visiting
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def pages_of(town: Town, login: str) -> list[str]:
    """Return what this person can open, a case and a whistle among it."""
    found = ["/home", "/my", "/dispatch", "/inbox", "/map/hotspots", "/map/responses", "/map/recurrences"]
    if login != "audit":
        found.append("/report/new")
    found += ["/slips", "/ledger", "/my/contacts", "/my/hours"]
    if login in ("platform", "governance", "admin"):
        found += ["/grids", "/grids/1", "/rules/limits", "/rules/calendar"]
    if login in ("platform", "admin"):
        found += ["/ops", "/messages/log"]
    if login in ("platform", "scjg", "centre"):
        found.append("/disputes")
    if login in ("platform", "centre"):
        found.append("/map/coverage")
    return [*found, f"/incidents/{town.facts.barbecue}", f"/whistles/{town.departments_whistle()}"]


# what a phone's user has to hit with a thumb; inside running text a link may be as high as its line
SMALL_TARGETS = """(least) => [...document.querySelectorAll(
    "button, .button, summary, select, input:not([type=hidden]), nav a")]
  .filter((node) => node.checkVisibility())
  .map((node) => [(node.type === "checkbox" || node.type === "radio") ? node.closest("label") : node, node])
  .filter(([box]) => { const size = box.getBoundingClientRect(); return size.height < least || size.width < 24; })
  .map(([box, node]) => node.outerHTML.slice(0, 90))"""

FAINT = """() => {
  const light = (colour) => {
    const parts = colour.match(/[\\d.]+/g).map(Number);
    const [r, g, b] = parts.slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (let up = node; up; up = up.parentElement) {
      const colour = getComputedStyle(up).backgroundColor;
      if (!/, 0\\)$|transparent/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const faint = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !node.checkVisibility()) continue;
    if (node.closest("[disabled], .leaflet-container")) continue;
    const style = getComputedStyle(node);
    const [a, b] = [light(style.color), light(ground(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) faint.add(`${ratio.toFixed(2)} ${walk.currentNode.data.trim().slice(0, 30)}`);
  }
  return [...faint];
}"""


# English words are the longer ones, a telephone the narrower screen; the other two pairs where there is time
@pytest.mark.parametrize(
    ("size", "language"),
    [
        ("phone", "en"),
        ("desk", "zh-CN"),
        pytest.param("phone", "zh-CN", marks=pytest.mark.soak),
        pytest.param("desk", "en", marks=pytest.mark.soak),
    ],
)
@pytest.mark.parametrize("login", ["worker", "centre", "platform", "scjg"])
def test_every_page_opens_without_a_complaint_and_fits_its_screen(chromium, town, login, size, language):
    with visiting(chromium, town, login, size=size, language=language) as visitor:
        for path in pages_of(town, login):
            visitor.open(path)

            wide = visitor.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= SIZES[size][0], f"{path} is {wide} wide"
            assert visitor.page.get_attribute("html", "lang") == language
            assert visitor.page.evaluate(SMALL_TARGETS, 44 if size == "phone" else 24) == [], path
            assert visitor.page.evaluate(FAINT) == [], path


@pytest.mark.parametrize(
    "login", ["leader", "office", "town", "hotline", "callback", "district", "governance", "audit", "admin"]
)
def test_every_role_finds_its_pages_in_order(chromium, town, login):
    with visiting(chromium, town, login) as visitor:
        for path in pages_of(town, login)[:-1]:
            visitor.open(path)


def test_the_login_and_the_pages_of_errors_are_in_order(chromium, town):
    with visiting(chromium, town, None, size="phone") as visitor:
        visitor.open("/login")
        assert visitor.page.evaluate(SMALL_TARGETS, 44) == []
        assert visitor.page.evaluate(FAINT) == []
        answer = visitor.page.goto(f"{town.address}/incidents/1?lang=en")
        assert answer.url.startswith(f"{town.address}/login?next=")

    with visiting(chromium, town, "worker") as visitor:
        assert visitor.page.goto(f"{town.address}/nowhere").status == 404
        assert visitor.page.evaluate(FAINT) == []
        # a browser notes every answer of this kind on its console; that is the only complaint
        assert all("404" in line for line in visitor.complaints)
        visitor.complaints.clear()


def test_the_keyboard_reaches_the_content_first(chromium, town):
    with visiting(chromium, town, "centre") as visitor:
        visitor.open("/my")
        visitor.page.keyboard.press("Tab")
        first = visitor.page.evaluate("document.activeElement.getAttribute('href')")
        visitor.page.keyboard.press("Tab")
        second = visitor.page.evaluate("document.activeElement.getAttribute('href')")
        visitor.page.keyboard.press("Enter")

        assert (first, second) == ("#main", "#open")
        assert visitor.page.evaluate("document.activeElement.id") == "open"


def test_filters_change_the_list_and_the_address_and_back_brings_them_back(chromium, town):
    with visiting(chromium, town, "platform") as visitor:
        visitor.open("/dispatch")
        everything = visitor.page.locator("a.case").count()
        visitor.page.check('[name="open"]')
        visitor.page.wait_for_url("**/dispatch?open=1")
        expect(visitor.page.locator("a.case")).not_to_have_count(everything)  # polls, and needs no eval
        few = visitor.page.locator("a.case").count()
        visitor.page.locator("a.case").first.click()
        visitor.page.wait_for_url("**/incidents/*")
        visitor.page.go_back()

        visitor.page.wait_for_url("**/dispatch?open=1")
        assert 0 < visitor.page.locator("a.case").count() == few < everything


def test_a_map_leads_to_the_case_and_a_level_down(chromium, town):
    with visiting(chromium, town, "platform") as visitor:
        visitor.open("/map/hotspots")
        frame = visitor.page.frame_locator("iframe")
        frame.locator("path.leaflet-interactive, canvas").first.wait_for()
        visitor.page.locator("tbody th a").first.click()

        visitor.page.wait_for_url("**/map/hotspots?area=*")
        assert visitor.page.locator(".crumbs a").count() == 1


def test_the_slider_moves_map_list_and_total_together_and_the_address_keeps_it(chromium, town):
    with visiting(chromium, town, "platform") as visitor:
        visitor.open("/map/hotspots?level=building_group&from=2026-06-01&metric=per_1000_households")
        page, frame = visitor.page, visitor.page.frame_locator("iframe")
        total, said = page.locator("tfoot [data-n]"), frame.locator(".gw-weeks-said")
        whole = total.inner_text()

        frame.locator(".gw-weeks select").first.select_option("4")
        expect(page.locator("[data-weeks-said]")).to_be_visible()
        frame.locator(".gw-weeks-range").press("ArrowLeft")
        expect(page).to_have_url(re.compile("span=4&week="))
        moved = said.inner_text()
        expect(total).to_have_text(re.search(r"([\d,]+) 件", moved)[1])
        counts = [int(text.replace(",", "")) for text in page.locator("tbody [data-n]").all_inner_texts()]
        assert sum(counts) == int(total.inner_text().replace(",", "")) < int(whole.replace(",", ""))
        rates = [float(text) for text in page.locator("tbody [data-value]").all_inner_texts()]
        assert rates == sorted(rates, reverse=True)

        page.reload()
        expect(said).to_have_text(moved)
        expect(total).to_have_text(re.search(r"([\d,]+) 件", moved)[1])
        top = page.locator("tbody tr").first
        listed = int(top.locator("[data-n]").inner_text())
        top.locator("[data-n]").click()
        page.wait_for_url("**/dispatch?*")
        assert page.locator("a.case").count() == min(listed, 50)


def test_one_drills_down_by_a_click_and_comes_back_by_the_trail_with_all_filters(chromium, town):
    with visiting(chromium, town, "platform") as visitor:
        visitor.open("/map/hotspots?level=town&from=2026-06-01&grade=green&classes=quantile")
        page = visitor.page
        first = dict(zip(*_listed(page), strict=True))
        visitor.click_area("**/map/hotspots?area=990101*level=community*")

        assert "grade=green" in page.url
        assert "classes=quantile" in page.url
        code = re.search(r"area=(\d+)", page.url)[1]
        below, counts = _listed(page)
        assert all(one.startswith(code) for one in below)
        assert sum(counts) == first[code]
        page.locator(".crumbs a").first.click()
        page.wait_for_url("**/map/hotspots?area=990101&level=town*")
        assert "grade=green" in page.url
        assert dict(zip(*_listed(page), strict=True)) == first


def test_two_periods_are_compared_from_the_form(chromium, town):
    with visiting(chromium, town, "platform") as visitor:
        visitor.open("/map/hotspots?level=community&from=2026-10-01&to=2026-10-31")
        visitor.page.select_option('[name="compare"]', "previous")
        with visitor.page.expect_navigation():
            visitor.page.locator(".filters-analysis button").click()

        assert "compare=previous" in visitor.page.url
        changes = visitor.page.locator("tbody td:nth-child(2)").all_inner_texts()
        assert all(re.match(r"^(▲ \+|▼ −|= )\d", text) for text in changes)
        title = visitor.page.frame_locator("iframe").locator(".gw-title")
        assert title.inner_text() == "变化：事件件数"


def test_the_form_follows_the_choice_without_a_reload(chromium, town):
    with visiting(chromium, town, "platform") as visitor:
        visitor.open("/map/responses?metric=handle&stat=p90")
        which, clock = (visitor.page.locator(f'[name="{name}"]') for name in ("stat", "time"))
        expect(which).to_be_visible()

        visitor.page.select_option('[name="metric"]', "overdue")
        expect(which).to_be_hidden()
        expect(clock).to_be_hidden()

        visitor.page.select_option('[name="metric"]', "close")
        expect(clock).to_be_visible()
        assert which.input_value() == "p90"


def test_without_scripts_the_form_shows_what_applied_and_what_does_not_is_left_out(chromium, town):
    with visiting(chromium, town, "platform", scripts=False) as visitor:
        visitor.page.goto(f"{town.address}/map/responses?metric=handle&stat=p90")
        visitor.page.select_option('[name="metric"]', "overdue")
        with visitor.page.expect_navigation():
            visitor.page.locator(".filters-analysis button").click()

        assert "P90" not in visitor.says()
        expect(visitor.page.locator('[name="stat"]')).to_be_hidden()


def _listed(page):
    """Return the codes of the areas in the table, and their counts."""
    rows = page.locator("tbody tr[data-code]").all()
    return (
        [row.get_attribute("data-code") for row in rows],
        [int(row.locator("[data-n]").inner_text().replace(",", "")) for row in rows],
    )


def test_without_scripts_a_report_is_filed_and_accepted(chromium, town):
    lon, lat = town.inside("worker")
    with visiting(chromium, town, "hotline", scripts=False) as visitor:
        visitor.page.goto(f"{town.address}/report/new")
        visitor.page.click("summary >> nth=0")
        visitor.page.fill('[name="lon"]', str(lon))
        visitor.page.fill('[name="lat"]', str(lat))
        visitor.page.click('[name="do"]')
        assert visitor.page.locator("[data-located]").count() == 1
        visitor.page.fill('[name="text"]', "路灯不亮")
        visitor.page.click("main form > section:last-child button")
        visitor.page.wait_for_url("**/incidents/*")
        case = visitor.page.url

    with visiting(chromium, town, "centre", scripts=False) as visitor:
        visitor.page.goto(case)
        visitor.act("accept", category="01-011")

        assert "已立案" in visitor.says()


def test_a_coarse_position_is_looked_at_first_and_its_cell_said_then(chromium, town):
    at, other = town.near_a_border()
    with visiting(chromium, town, "hotline", size="phone", at=at, accuracy=320) as visitor:
        visitor.open("/report/new")
        visitor.page.click("[data-locate]")
        pin = visitor.page.locator("#report-pin")
        pin.wait_for()
        visitor.page.fill('[name="text"]', "路灯不亮")
        visitor.page.click("main form > section:last-child button")
        assert pin.evaluate("node => node.validity.valueMissing")  # the browser itself holds it back
        assert visitor.page.url.endswith("/report/new")
        pin.check()
        visitor.page.check(f'[name="cell"][value="{other}"]')
        visitor.page.click("main form > section:last-child button")
        visitor.page.wait_for_url("**/incidents/*")

        assert "报件人确认是这一格" in visitor.says()


def test_a_case_goes_from_the_map_to_the_end_by_clicks(chromium, town):
    at = town.inside("worker")
    with visiting(chromium, town, "hotline", at=at) as desk:
        case = report_on_the_map(desk, town)
    with visiting(chromium, town, "centre", size="phone") as centre:
        centre.open(case)
        centre.act("accept", category="10-001", level="1", reason="先由社区协调")
    with visiting(chromium, town, "leader", size="phone") as leader:
        leader.open("/inbox")
        leader.page.locator("a.case", has_text="升平巷车库").click()
        leader.act("escalate", reason="社区没有执法权，多次劝导无效")
    with visiting(chromium, town, "centre") as centre:
        centre.open(case)
        centre.act("file", liaison_name="孙干事", liaison_phone="13855550000")
        centre.act("assign", office="综合行政执法办公室", instruction="今晚到场劝离")
    with visiting(chromium, town, "office") as office:
        office.open(case)
        reason = "街道没有执法权，无法单独解决"
        office.act(
            "whistle",
            type="joint_enforcement",
            reason=reason,
            appointed_at="2026-11-20T19:00",
            appointed_place="居委会门口",
        )
        assert "待领导确认" in office.says()
    with visiting(chromium, town, "town", size="phone") as leader:
        leader.open("/inbox")
        leader.page.locator("a.case", has_text="升平巷车库").click()
        leader.act("confirm")
        whistle = leader.page.url.removeprefix(town.address)
        called = leader.page.locator("table.matrix tbody th").all_inner_texts()
    assert len(called) == 4

    bodies = ("scjg", "cg", "sthj", "ga")
    for login in bodies:
        with visiting(chromium, town, login, size="phone") as duty:
            duty.open("/inbox")
            mine = 'article:has-text("居委会门口")'
            duty.act("respond", within=mine, staff_name="值班员", staff_phone="13900001111")
    town.now += timedelta(hours=4, minutes=20)  # ten to seven, at the appointed place
    for login in bodies:
        with visiting(chromium, town, login, size="phone", at=at) as duty:
            duty.open(whistle)
            duty.page.click("[data-locate]")
            expect(duty.page.locator("[name=lon]").first).not_to_have_value("")
            duty.act("check_in")
    with visiting(chromium, town, "scjg", size="phone") as lead:
        lead.open(whistle)
        lead.act("start")
    for login in reversed(bodies):
        with visiting(chromium, town, login, size="phone") as duty:
            duty.open(whistle)
            duty.act("complete", result="已取缔，现场已清理", without="夜间当场处置，照片见执法记录仪")
    with visiting(chromium, town, "office") as office:
        office.open(whistle)
        shown = office.says()
        office.act("verify", comment="现场已清理")
        for _ in bodies:
            office.act("score", response="100", handling="95", result="100")
        assert "98.80" in office.says()
    with visiting(chromium, town, "worker", size="phone") as worker:
        worker.open(case)
        worker.act("verify", comment="夜间复查无反弹")
    with visiting(chromium, town, "callback") as desk:
        desk.open(case)
        desk.act("callback", solved="yes", satisfaction="5", comment="十分满意")
        assert "已结案" in desk.says()

    for text in ("响应 4/4", "到场 4/4", "办结 4/4", "准时", "我单位于2026-11-20 19:00准时报到"):
        assert text in shown
