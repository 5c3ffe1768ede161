"""Powers that towns exercise themselves, on a real PostGIS: imported whole, found for a case, told in its record."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from gis.errors import InvalidInput
from grids.acts.case import Case
from grids.acts.ladder import by_the_list
from grids.duty import powers
from grids.rules.calendar import local_day
from grids.rules.permissions import SYSTEM
from grids.rules.whistles import WhistleLevel
from grids.tables import DelegatedPower

pytestmark = pytest.mark.database

DISTRICT = "990101"
HEAD = "item_no,name,towns,department,categories,conditions,limit,contact_phone,legal_basis,source,effective_from\n"
GRILL = (
    "31,露天烧烤处罚,990101001,CG,10-001;07-001,两名执法人员在场,5000元以下,"
    "0531-81234567,大气污染防治法,赋权清单,2026-01-01\n"
)
ALL = "32,占道经营查处,*,CG,,,,,条例,赋权清单,2026-01-01\n"


def give(city: Any, table: str) -> powers.Imported:
    return powers.import_powers(city.session, table.encode(), district=DISTRICT, on=local_day(city.clock()))


def held(city: Any, area: str, on: date | None = None) -> list[tuple[str, str]]:
    found = powers.in_town(city.session, area, on=on or local_day(city.clock()))
    return [(one.row.area_code, one.row.item_no) for one in found]


def test_powers_are_given_to_towns_and_listed_by_town(city: Any) -> None:
    assert give(city, HEAD + GRILL + ALL) == powers.Imported(begun=3, ended=0)

    assert held(city, "990101001") == [("990101001", "31"), ("990101001", "32")]
    assert held(city, "990101001001001") == held(city, "990101001")
    assert held(city, "990101002") == [("990101002", "32")]
    assert len(held(city, DISTRICT)) == 3
    assert held(city, DISTRICT, date(2025, 12, 31)) == []


def test_a_power_that_is_given_anew_ends_the_one_before(city: Any) -> None:
    give(city, HEAD + GRILL)

    assert give(city, HEAD + GRILL.replace("2026-01-01", "2026-07-01")) == powers.Imported(begun=1, ended=1)

    for day in (date(2026, 6, 30), date(2026, 7, 1)):
        assert held(city, "990101001", day) == [("990101001", "31")]
    rows = city.session.scalars(select(DelegatedPower).order_by(DelegatedPower.effective_from)).all()
    assert [row.effective_to for row in rows] == [date(2026, 7, 1), None]
    with pytest.raises(InvalidInput, match="already"):
        give(city, HEAD + GRILL)


def test_the_case_of_a_town_shows_what_the_town_could_do_itself(city: Any) -> None:
    give(city, HEAD + GRILL + ALL)
    today = local_day(city.clock())

    def of(category: str | None, code: str) -> list[str]:
        return [one.row.item_no for one in powers.of_case(city.session, category, code, on=today)]

    assert of("10-001", "990101001001001") == ["31"]
    assert of("07-001", "990101001002001") == ["31"]
    assert of("10-001", "990101002001001") == []  # another town
    assert of("01-001", "990101001001001") == []  # another category
    assert of(None, "990101001001001") == of("10-001", DISTRICT) == []


def test_a_draft_for_departments_says_in_its_record_that_the_town_could_act(city: Any) -> None:
    give(city, HEAD + GRILL)
    mine, other = (
        city.accepted(WhistleLevel.SECOND),
        city.accepted(WhistleLevel.SECOND, code="990101002001001"),
    )
    before = city.clock()

    why = {
        one.id: by_the_list(Case.open(city.session, one.number, SYSTEM, before)).why["facts"]
        for one in (mine, other)
    }

    assert why[mine.id]["powers"] == [{"no": "31", "name": "露天烧烤处罚", "since": "2026-01-01"}]
    assert "powers" not in why[other.id]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (GRILL.replace("990101001", "990102001"), "towns"),
        (GRILL.replace("990101001", "990101001001"), "towns"),
        (GRILL.replace("990101001", ""), "towns"),
        (GRILL.replace("CG", "NONE"), "department"),
        (GRILL.replace("07-001", "99-999"), "categories"),
        (GRILL.replace("0531-81234567", "call me"), "contact_phone"),
        (GRILL.replace("2026-01-01", "soon"), "effective_from"),
        (GRILL.replace("露天烧烤处罚", ""), "name"),
        (GRILL.replace("大气污染防治法", ""), "legal_basis"),
        (GRILL + GRILL.replace("CG", "GA"), "item_no"),
    ],
)
def test_a_cell_that_cannot_be_used_is_named_and_nothing_is_stored(city: Any, row: str, column: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        give(city, HEAD + row)

    assert refused.value.code == "bad_rules"
    assert {fault["column"] for fault in refused.value.facts["faults"]} == {column}
    assert "call me" not in refused.value.message
    assert city.session.scalar(select(func.count()).select_from(DelegatedPower)) == 0


def test_a_power_that_ran_out_is_held_no_more(city: Any) -> None:
    until = local_day(city.clock()) + timedelta(days=2)
    give(
        city,
        HEAD.replace("effective_from", "effective_from,effective_to") + GRILL.replace("\n", f",{until}\n"),
    )

    assert held(city, "990101001", until - timedelta(days=1)) == [("990101001", "31")]
    assert held(city, "990101001", until) == []
