"""A car park that fills up again and again, in a real Chromium: named, confirmed, planned, treated, cured, and back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from browsing import AFTERNOON, Town, Visitor, visiting
from PIL import Image

from grids.places import night

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

Shot = Callable[[Visitor, str], None]
NAME = "小学西门 <b>路口</b>"


def picture(folder: Path, name: str, colour: str) -> str:
    """Write a photo as a telephone would send it; return its path."""
    path = folder / f"{name}.jpg"
    taken = BytesIO()
    Image.new("RGB", (1200, 900), colour).save(taken, "JPEG")
    path.write_bytes(taken.getvalue())
    return str(path)


def add_photo(who: Visitor, path: str, side: str, note: str) -> None:
    form = who.page.locator('form[action$="/add_photo"]')
    who._unfold(form)
    form.locator('[name="side"]').select_option(side)
    form.locator('[name="photo"]').set_input_files(path)
    form.locator('[name="note"]').fill(note)
    with who.page.expect_navigation():
        form.locator("button").last.click()


def at_night(town: Town) -> None:
    """Let the district's night come."""
    with town.database.sessions.begin() as session:
        for district in night.districts_due(session, town.now):
            night.nightly(session, district, town.now)


def story(town: Town, chromium: Any, tmp_path: Path, shot: Shot) -> None:
    """Tell it; `shot` is called where it is worth looking."""
    at = town.inside("worker")
    with (
        visiting(chromium, town, "leader", size="phone", at=at) as leader,
        visiting(chromium, town, "office", at=at) as office,
        visiting(chromium, town, "hotline", at=at) as hotline,
        visiting(chromium, town, "centre", at=at) as centre,
    ):
        # the grid leader knows it before the rule does
        leader.open("/points?kind=parking")
        shot(leader, "ledger-empty")
        leader.page.locator('.head a[href="/points/new"]').click()
        leader.page.locator("[data-pick-point]").wait_for()
        leader.page.fill('[name="lon"]', f"{at[0]:.6f}")
        leader.page.fill('[name="lat"]', f"{at[1]:.6f}")
        leader.page.select_option('[name="category"]', "07-001")
        leader.page.fill('[name="name"]', NAME)
        leader.page.fill('[name="note"]', "每天放学时占满行车道")
        shot(leader, "new")
        with leader.page.expect_navigation():
            leader.page.locator("form#name button.full").click()
        assert NAME in leader.says()  # as text: what people write is never markup
        point = leader.page.url.removeprefix(town.address)
        leader.act("confirm", note="现场看过，属实")
        add_photo(leader, picture(tmp_path, "before", "#7a6a5a"), "before", "放学时段")
        assert leader.page.locator(".photo img").count() == 1
        shot(leader, "confirmed")

        # the town plans; a day in the past comes back with its reason beside the field, and what was typed
        office.open(point)
        plan = {"cause": "无处临停", "measure": "划设限时停车位，安排护学岗", "lead": "JJ", "co_CG": "yes"}
        office.act("plan", due_on=(AFTERNOON - timedelta(days=1)).date().isoformat(), **plan)
        assert office.page.locator('[name="due_on"][aria-invalid]').count() == 1
        assert office.page.input_value('form[action$="/plan"] [name="cause"]') == "无处临停"
        shot(office, "plan-refused")
        office.complaints.clear()  # the refusal itself
        office.act("plan", due_on=(AFTERNOON + timedelta(days=5)).date().isoformat(), **plan)
        office.open("/points?kind=parking")
        assert "还剩 5 天" in office.says()
        shot(office, "ledger")
        town.now += timedelta(days=8)
        office.open("/points?kind=parking&overdue=1")
        assert "逾期 3 天" in office.says()

        # done, and quiet for ninety days
        office.open(point)
        office.act("finish", result="划线 12 个车位，护学岗每日到位")
        add_photo(office, picture(tmp_path, "after", "#6a8a6a"), "after", "同一位置")
        assert office.page.locator(".side-of").count() == 2
        assert "已平静 0/90 天" in office.says()
        shot(office, "treated")
        town.now += timedelta(days=91)
        at_night(town)
        office.open("/points?kind=parking")
        assert NAME not in office.says()
        office.open("/points?kind=parking&status=cured")
        assert NAME in office.says()

        # it happens again: the point is back, and says so
        town.now += timedelta(days=9)
        hotline.open("/report/new")
        hotline.page.click("[data-locate]")
        hotline.page.wait_for_selector("[data-located]")
        hotline.page.fill('[name="text"]', "学校门口又停满了车")
        hotline.page.select_option('[name="category"]', "07-001")
        hotline.page.click("main form > section:last-child button")
        hotline.page.wait_for_url("**/incidents/*")
        case = hotline.page.url.removeprefix(town.address)
        centre.open(case)
        centre.act("accept", category="07-001", level="1", reason="先由社区劝导")
        centre.open(case)
        centre.page.locator(f'a[href="{point}"]').click()
        assert "整治后于" in centre.says()
        shot(centre, "returned")
        leader.open(point)
        for part in (".table-long", ".heat-scroll"):  # whole on a telephone: no time and no hour out of sight
            shown = leader.page.locator(part).first
            assert shown.evaluate("node => node.scrollWidth <= node.clientWidth")
        office.open("/points?kind=parking")
        assert "个问题点整治后又复发" in office.says()

        # and a campaign is begun with what was ticked
        office.page.locator(f'.point:has(a[href="{point}"]) input[name="place"]').check()
        office.page.locator("#choosing button").click()
        office.page.fill('[name="name"]', "校园周边停车专项整治")
        office.page.fill('[name="goal"]', "放学时段行车道畅通")
        office.page.select_option('[name="lead"]', "JJ")
        shot(office, "campaign-new")
        office.page.set_viewport_size({"width": 390, "height": 844})
        send, until = (
            office.page.locator(what).bounding_box()
            for what in ("#campaign button.full", '[name="until_on"]')
        )
        assert until["x"] + until["width"] <= send["x"] + send["width"]  # no wider than the form
        office.page.set_viewport_size({"width": 1440, "height": 900})
        with office.page.expect_navigation():
            office.page.locator("form#campaign button").last.click()
        assert NAME in office.says()
        shot(office, "campaign")
        with office.page.expect_navigation():
            office.page.fill('[name="result"]', "秩序好转")
            office.page.locator("form#end button").click()
        assert "秩序好转" in office.says()


def test_a_point_that_was_cured_comes_back_with_an_alert(town: Town, chromium: Any, tmp_path: Path) -> None:
    story(town, chromium, tmp_path, lambda _who, _name: None)


def test_a_row_and_its_sign_on_the_map_belong_together(town: Town, chromium: Any) -> None:
    at = town.inside("worker")
    with visiting(chromium, town, "leader", at=at) as leader:
        for number, metres in enumerate((0.0, 0.003)):
            leader.open(
                f"/points/new?category=01-002&lon={at[0] + metres:.6f}&lat={at[1]:.6f}&name=桥下{number}"
            )
            if leader.page.locator("form#name button.full").count():
                with leader.page.expect_response("**/points"):
                    leader.page.locator("form#name button.full").click()
        leader.open("/home")
        leader.complaints.clear()  # of a place that is there already; they may come late
        leader.open("/points?kind=water")
        row = leader.page.locator("[data-spot]").first
        number = row.get_attribute("data-spot")
        row.locator("[data-show]").click()
        leader.page.locator(".spot-card a").wait_for()

        assert leader.page.locator(".spot-card a").get_attribute("href") == f"/points/{number}"
        assert row.get_attribute("aria-current") == "true"
        leader.page.locator(".spot-card a").click()
        leader.page.wait_for_url(f"**/points/{number}")


def test_places_at_one_spot_are_one_sign_that_lists_them(town: Town, chromium: Any) -> None:
    at = town.inside("worker")
    with visiting(chromium, town, "leader", at=at) as leader:
        for category in ("02-001", "06-001", "01-006"):
            leader.open(
                f"/points/new?category={category}&lon={at[0]:.6f}&lat={at[1]:.6f}&name=后巷{category}"
            )
            with leader.page.expect_response("**/points"):
                leader.page.locator("form#name button.full").click()
        leader.open("/home")
        leader.complaints.clear()  # of a place that is there already
        leader.open("/points?kind=other")
        leader.page.locator(".spot-several").last.wait_for()

        for _ in range(12):  # nearer, as long as that parts others from them
            leader.page.locator(".spot-several").last.click()
            leader.page.wait_for_timeout(500)
            if leader.page.locator(".spot-line").count():
                break
        lines = leader.page.locator(".spot-line")
        names = [text.split("\n")[-1] for text in lines.all_inner_texts()]
        assert len(names) > 1
        lines.last.click()
        card = leader.page.locator(".spot-card", has=leader.page.locator("a"))
        card.wait_for()

        assert names[-1] in card.inner_text()
        number = str(card.locator("a").get_attribute("href")).removeprefix("/points/")
        row = leader.page.locator(f'[data-spot="{number}"]')
        assert row.get_attribute("aria-current") == "true"
        row.hover()
        assert leader.page.locator(".spot-lit .spot-several").count() == 1
