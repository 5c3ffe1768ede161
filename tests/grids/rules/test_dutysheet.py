"""Rows of a responsibility list: what they may say, and that every cell that cannot be used is named."""

from __future__ import annotations

from datetime import date

import pytest

from grids.rules.dutysheet import DutyRow, Known, read_duty
from grids.rules.responsibilities import RuleKind

KNOWN = Known(
    categories={"07-001", "03-003"},
    areas={"990101", "990101001", "990101001001001"},
    departments={"990101": {"JJ", "CG", "SCJG"}},
)
ITEM = {
    "category": "07-001",
    "area": "990101001",
    "lead": "JJ",
    "cooperating": "CG;SCJG",
    "basis": "agreed",
    "source": "会商纪要第3号",
    "effective_from": "2026-07-01",
}
PLACE = {
    "kind": "special_grid",
    "name": "农贸市场",
    "contact_name": "值班室",
    "contact_phone": "138 1234 5678",
    "basis": "指定",
    "source": "名册",
    "effective_from": "2026-07-01",
}


def read(cells: dict[str, str], **changes: str) -> DutyRow | list[tuple[str, str]]:
    found = read_duty(
        5,
        cells | changes,
        KNOWN,
        places="name" in cells,
        area="990101001001001" if "name" in cells else None,
    )
    return found if isinstance(found, DutyRow) else [(fault.column, fault.message) for fault in found]


def test_an_item_of_the_list_is_read_whole():
    assert read(ITEM) == DutyRow(
        row=5,
        kind=RuleKind.LISTED,
        name=None,
        category="07-001",
        area="990101001",
        lead="JJ",
        cooperating=("CG", "SCJG"),
        contact_name=None,
        contact_phone=None,
        basis="agreed",
        source="会商纪要第3号",
        since=date(2026, 7, 1),
        until=None,
    )


def test_a_place_takes_the_smallest_area_that_holds_it_and_may_leave_the_departments_as_they_are():
    found = read(PLACE)

    assert isinstance(found, DutyRow)
    assert (found.kind, found.area, found.lead, found.category) == (
        RuleKind.SPECIAL_GRID,
        "990101001001001",
        None,
        None,
    )
    assert (found.contact_phone, found.basis) == ("13812345678", "designated")
    wider = read(PLACE, area="990101")
    assert isinstance(wider, DutyRow)
    assert wider.area == "990101"


@pytest.mark.parametrize(
    ("cells", "column", "wrong"),
    [
        (ITEM, "kind", "exception"),
        (ITEM, "category", ""),
        (ITEM, "category", "7-1"),
        (ITEM, "area", ""),
        (ITEM, "area", "990101009"),
        (ITEM, "lead", ""),
        (ITEM, "lead", "XX"),
        (ITEM, "cooperating", "CG;CG"),
        (ITEM, "cooperating", "CG;XX"),
        (ITEM, "cooperating", "JJ"),
        (ITEM, "basis", "law"),
        (ITEM, "source", ""),
        (ITEM, "effective_from", "1.7.2026"),
        (ITEM, "effective_to", "2026-07-01"),
        (PLACE, "kind", "listed"),
        (PLACE, "kind", ""),
        (PLACE, "name", ""),
        (PLACE, "area", "990101002"),
        (PLACE, "contact_phone", "110"),
    ],
)
def test_a_cell_that_cannot_be_used_is_named(cells, column, wrong):
    assert column in [name for name, _ in read(cells, **{column: wrong})]


def test_an_exception_needs_a_lead():
    assert [name for name, _ in read(PLACE, kind="exception")] == ["lead"]


def test_all_cells_that_cannot_be_used_are_named_and_no_telephone_number_is():
    found = read(PLACE, contact_phone="999-1234", basis="", lead="XX")

    assert [name for name, _ in found] == ["lead", "contact_phone", "basis"]
    assert "999" not in dict(found)["contact_phone"]
