"""What departments may hand down to towns, on a real PostGIS: asked for, decided on, and seen by whom it is for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from gis.errors import Conflict, Forbidden, InvalidInput, NotFound
from grids.duty import admissions
from grids.duty.admissions import Wish
from grids.rules.pauses import Decision
from grids.tables import TaskAdmission

pytestmark = pytest.mark.database

WISH = Wish(
    title="沿街商铺消防安全排查",
    content="每月一次，逐户登记",
    legal_basis="山东省乡镇人民政府工作条例",
    support="每镇街下沉2人，经费3万元，委托检查权",
    towns=("990101001",),
    until=date(2026, 12, 31),
)


def seen(city: Any, who: str, *decisions: Decision) -> list[str]:
    return [one.row.title for one in admissions.find(city.session, city[who], decisions=decisions)]


def asked(city: Any, by: str = "CG", **changes: Any) -> TaskAdmission:
    return admissions.ask(city.session, replace(WISH, **changes), by=city[by], now=city.clock())


def decided(
    city: Any, row: TaskAdmission, by: str = "governance", note: str | None = None, *, yes: bool = True
) -> Any:
    return admissions.decide(city.session, row.id, granted=yes, note=note, by=city[by], now=city.clock())


def test_a_task_goes_to_the_towns_that_it_is_meant_for_once_it_is_approved(city: Any) -> None:
    row = asked(city)
    watchers = ("CG", "GA", "centre", "office", "leader", "centre2", "platform", "hotline")

    before = {who: bool(seen(city, who)) for who in watchers}
    decided(city, row)
    after = {who: bool(seen(city, who)) for who in watchers}

    assert [who for who, sees in before.items() if sees] == ["CG", "platform"]
    assert [who for who, sees in after.items() if sees] == [
        "CG",
        "centre",
        "office",
        "leader",
        "platform",
        "hotline",
    ]
    (one,) = admissions.find(city.session, city["centre"])
    assert (one.asked_by, one.decided_by, one.row.decided_at) == ("CG", "governance", city.clock())
    assert one.department.code == "CG"


def test_a_task_that_names_no_town_is_for_all_of_them(city: Any) -> None:
    decided(city, asked(city, towns=()), by="district")

    assert seen(city, "centre") == seen(city, "centre2") == [WISH.title]


def test_what_is_refused_says_why_and_reaches_no_town(city: Any) -> None:
    row = asked(city)
    with pytest.raises(InvalidInput) as silent:
        decided(city, row, yes=False, note="  ")
    assert silent.value.facts["field"] == "note"

    decided(city, row, yes=False, note="人员和经费均未落实")

    assert (row.decision, row.decision_note) == (Decision.REFUSED, "人员和经费均未落实")
    assert seen(city, "centre") == []
    assert seen(city, "governance", Decision.REFUSED) == seen(city, "CG", Decision.REFUSED) == [WISH.title]
    assert seen(city, "governance", Decision.GRANTED) == []
    with pytest.raises(Conflict) as again:
        decided(city, row)
    assert again.value.code == "already_decided"


@pytest.mark.parametrize("who", ["centre", "town", "leader", "platform", "governance", "district", "hotline"])
def test_only_a_department_asks(city: Any, who: str) -> None:
    with pytest.raises(Forbidden):
        asked(city, by=who)


@pytest.mark.parametrize(
    ("who", "error"),
    [
        ("platform", Forbidden),
        ("auditor", Forbidden),
        ("CG", Forbidden),
        ("GA", NotFound),
        ("centre", NotFound),
        ("town", NotFound),
    ],
)
def test_only_the_governance_centre_and_the_leader_decide(
    city: Any, who: str, error: type[Exception]
) -> None:
    row = asked(city)
    with pytest.raises(error):
        decided(city, row, by=who)
    assert row.decision is Decision.ASKED


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"title": " "}, "text_needed", "title"),
        ({"content": ""}, "text_needed", "content"),
        ({"legal_basis": ""}, "text_needed", "legal_basis"),
        ({"support": ""}, "text_needed", "support"),
        ({"towns": ("990102001",)}, "unknown_town", "towns"),
        ({"towns": ("990101001001",)}, "unknown_town", "towns"),
        ({"towns": ("990101001", "990101001")}, "unknown_town", "towns"),
        ({"until": date(2026, 6, 2)}, "past_day", "until"),
    ],
)
def test_a_wish_is_whole_or_it_is_not_taken(city: Any, changes: Any, code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        asked(city, **changes)

    assert (refused.value.code, refused.value.facts["field"]) == (code, field)
    assert seen(city, "CG") == []


def test_a_wish_that_does_not_exist_is_not_found(city: Any) -> None:
    with pytest.raises(NotFound) as missing:
        admissions.get(city.session, city["governance"], 999_999)
    assert missing.value.code == "no_such_admission"
