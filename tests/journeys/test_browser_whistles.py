"""Two stories of level-3 whistles in a real Chromium, each person at a page of their own, by what the pages offer.

The barbecue in the garage, from the call to the contented caller, with the code at the place; and a quarrel about a
car park, from the first word to the rule by which the next case goes out.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from browsing import Town, Visitor, report_on_the_map, visiting

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

People = Callable[[str], Visitor]


@pytest.fixture
def people(chromium: Any, town: Town) -> Callable[[], Any]:
    """Return a way to open the city for everybody who signs in, each once."""
    return partial(_Doors, chromium, town)


class _Doors(ExitStack):
    """One open page for each login; departments and leaders hold a phone."""

    def __init__(self, chromium: Any, town: Town) -> None:
        super().__init__()
        self.chromium, self.town = chromium, town
        self.seen: dict[str, Visitor] = {}

    def __call__(self, login: str) -> Visitor:
        if login not in self.seen:
            size = "desk" if login in ("hotline", "centre", "office", "governance", "callback") else "phone"
            at = self.town.inside("worker")
            door = visiting(self.chromium, self.town, login, size=size, at=at)
            self.seen[login] = self.enter_context(door)
        return self.seen[login]


def called(who: People, town: Town, **report: str) -> tuple[str, str]:
    """Take a call, file it at the town, and whistle with one key; return the paths of case and whistle."""
    case = report_on_the_map(who("hotline"), town, **report)
    place = report["address"]
    who("centre").turn_to(place)
    who("centre").act("accept", category=report["category"], level="1", reason="先由社区协调")
    who("leader").turn_to(place)
    who("leader").act("escalate", reason="社区没有执法权，多次劝导无效")
    who("centre").turn_to(place)
    who("centre").act("file", liaison_name="孙干事", liaison_phone="13855550000")
    who("office").open(case)
    who("office").act("whistle")
    who("town").turn_to(place)
    whistle = str(who("town").page.url.removeprefix(town.address))
    who("town").act("confirm")
    return case, whistle


def test_the_barbecue_goes_from_the_call_to_the_contented_caller(town: Town, people: Any) -> None:
    with people() as who:
        place = "凤城路车库"
        case, whistle = called(
            who, town, text="车库里有人无照经营烧烤，夜间扰民", category="10-001", address=place
        )
        bodies = ("scjg", "cg", "sthj", "ga")
        mine = f'article:has-text("{place}")'
        for body in bodies:
            who(body).open("/inbox")
            who(body).act("respond", within=mine, staff_name="值班员", staff_phone="13900001111")

        # the town shows six digits at the place, and hears who is there
        office = who("office")
        office.open(whistle)
        office.page.click('a[href$="/code"]')
        digits = "".join(office.page.locator(".digits span").all_inner_texts())
        for body in bodies:
            who(body).open(whistle)
            who(body).act("check_in", method="code", code=digits)
        office.page.reload()
        assert "4/4" in office.page.inner_text("#came-title")
        office.open(whistle)
        office.act("confirm_presence")

        lead = who("scjg")
        lead.open(whistle)
        lead.act("start")
        lead.act("end_action", measures="联合取缔，暂扣炉具", documents="责令改正通知书")
        for body in reversed(bodies):
            who(body).open("/inbox")
            who(body).act("complete", within=mine, result="已取缔，现场已清理", without="照片见执法记录仪")
        office.turn_to(place)
        office.act("verify", comment="现场已清理")
        office.act("follow_up", follow_up="协调到夜市疏导点合法经营")
        for _ in bodies:
            office.act("score", response="100", handling="95", result="100")
        office.page.locator('table a[href$="/result"]').first.click()
        assert "98.00" in office.says()

        who("worker").turn_to(place)
        who("worker").act("verify", comment="夜间复查无反弹")
        who("callback").turn_to(place)
        who("callback").act("callback", solved="yes", satisfaction="5", comment="十分满意")
        assert "已结案" in who("callback").says()
        assert who("callback").page.url.endswith(case)


def test_a_quarrel_about_a_car_park_ends_in_a_rule_for_the_next_one(town: Town, people: Any) -> None:
    with people() as who:
        text = "空地自设停车场，无证收费"
        _, whistle = called(who, town, text=text, category="07-003", address="鹏桥路停车场")
        filer = who("jj")
        filer.open(whistle)
        position = "路外停车场不在我单位职责内"
        filer.act("dispute", matter="经营性停车场由谁监管", position=position, lead="CG")
        assert "职责争议中" in filer.says()

        board = who("governance")
        lead = filer.page.locator("table.matrix tbody tr", has_text="主办").first.inner_text()
        convenes = who("cg" if "城市管理" in lead else "jj" if "交警" in lead else "scjg")
        convenes.open("/inbox")
        convenes.page.locator('a[href^="/disputes/"]', has_text="经营性停车场由谁监管").first.click()
        convenes.act("negotiate", minutes="视频会商，未取得一致")
        board.turn_to("经营性停车场由谁监管")
        board.act("coordinate", opinion="建议由综合执法局牵头", lead="CG")
        board.act("meet", minutes="编办、司法局、政府办会商认定", lead="CG")
        assert not board.page.locator('form[action$="/decide"]').count()  # nobody has signed
        for body in ("bianban", "justice", "government_office"):
            board.act("sign_off", party=body, name="某主任")
        board.act("decide", lead="CG", ground_san_ding="综合行政执法局三定规定第四条", basis="designated")
        number = board.page.inner_text(".head .number")
        assert "执行中" in board.says()

        later = report_on_the_map(
            who("hotline"), town, text=text, category="07-003", address="鹏桥路另一停车场"
        )
        who("centre").open(later)
        who("centre").act("accept", category="07-003", level="3", reason="街道无监管权")
        who("office").open(later)
        proposed = who("office").page.inner_text('section[aria-labelledby="onekey-title"]')
        first = proposed.split("主办")[0]
        assert "城市管理局" in first
        assert number in proposed
