"""Items of a responsibility list: what a row may say, and what two versions differ in."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from gis.errors import InvalidInput
from grids.rules.dutylists import COLUMNS, NEEDED, Change, Item, cells_of, compare, read_items
from grids.rules.dutysheet import Known
from grids.rules.sheets import Row, read_rows

DAY = date(2026, 7, 1)
KNOWN = Known(
    categories={"07-001", "10-001"},
    areas={"990101", "990101001", "990102"},
    departments={"990101": {"CG", "JJ", "GA"}, "990102": {"CG"}},
)
GOOD = {
    "item_no": "12",
    "category": "07-001",
    "area": "990101",
    "lead": "JJ",
    "cooperating": "CG;GA",
    "basis": "法定",
    "demarcation": "路内交警，路外城管",
}
PARKING = Item(
    "990101",
    "07-001",
    "JJ",
    ("CG", "GA"),
    "statutory",
    "清单",
    item_no="12",
    demarcation="路内交警，路外城管",
)


def row(number: int = 2, **changes: str) -> Row:
    cells = dict.fromkeys(COLUMNS, "") | GOOD | changes
    return Row("responsibilities", number, cells)


def read(*rows: Row) -> tuple[list[Item], list[tuple[int, str]]]:
    items, faults = read_items(rows, KNOWN, district="990101", effective_from=DAY, source="清单")
    return items, [(one.row, one.column) for one in faults]


def test_a_row_becomes_an_item_of_the_list_and_of_the_boundary_list() -> None:
    items, faults = read(row())

    assert (items, faults) == ([PARKING], [])
    assert items[0].shared
    assert not replace(PARKING, demarcation=None).shared


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"lead": ""}, "lead"),
        ({"lead": "NONE"}, "lead"),
        ({"category": ""}, "category"),
        ({"category": "99-999"}, "category"),
        ({"basis": "maybe"}, "basis"),
        ({"cooperating": "JJ"}, "cooperating"),
        ({"area": "990102", "lead": "CG", "cooperating": "", "demarcation": ""}, "area"),
        ({"kind": "decided"}, "kind"),
        ({"effective_from": "2026-07-02"}, "effective_from"),
        ({"effective_to": "2027-07-02"}, "effective_to"),
        ({"cooperating": ""}, "demarcation"),
        ({"item_no": "1" * 41}, "item_no"),
        ({"process": "x" * 2001}, "process"),
    ],
)
def test_a_cell_that_cannot_be_used_is_named(changes: dict[str, str], column: str) -> None:
    items, faults = read(
        row(), row(3, category="10-001", **changes) if "category" not in changes else row(3, **changes)
    )

    assert items == [PARKING]
    assert (3, column) in faults


def test_an_item_stands_in_a_list_once() -> None:
    assert read(row(), row(3, lead="CG", cooperating="JJ"))[1] == [(3, "category")]
    assert read(row(), row(3, area="990101001"))[1] == []


def test_two_versions_are_compared_by_area_and_category() -> None:
    town = replace(PARKING, area="990101001")
    noise = replace(PARKING, category="10-001")
    changed = replace(PARKING, lead="CG", cooperating=("JJ",), town_duty="巡查、上报", source="新清单")

    found = compare([PARKING, noise], [changed, town])

    assert (found.added, found.dropped, found.same) == ((town,), (noise,), 0)
    assert found.changed[0].changes == (
        Change("lead", "JJ", "CG"),
        Change("cooperating", "CG;GA", "JJ"),
        Change("town_duty", None, "巡查、上报"),
    )
    assert compare([PARKING], [replace(PARKING, source="新清单")]).same == 1


def test_an_item_written_out_is_read_the_same_again() -> None:
    assert read(Row("x", 2, dict(cells_of(PARKING)))) == ([PARKING], [])


def test_a_table_comes_in_utf8_or_gb18030_and_names_its_columns() -> None:
    table = "category,area,lead,basis,demarcation\n07-001,990101,JJ,法定,\n\n"
    for encoding in ("utf-8", "utf-8-sig", "gb18030"):
        (one,) = read_rows(table.encode(encoding), "x", COLUMNS, NEEDED)
        assert (one.number, one.cells["basis"], one.cells["process"]) == (2, "法定", "")
    for broken in (b"", b"category,area\n", table.replace("demarcation", "wish").encode(), b"\xff\xff\xff,"):
        with pytest.raises(InvalidInput) as refused:
            read_rows(broken, "x", COLUMNS, NEEDED)
        assert refused.value.code == "bad_sheet"
    with pytest.raises(InvalidInput, match="3 cells"):
        read_rows(b"category,area,lead,basis\n1,2,3\n", "x", COLUMNS, NEEDED)
    with pytest.raises(InvalidInput, match="more than 1"):
        read_rows(b"category,area,lead,basis\n1,2,3,4\n1,2,3,4\n", "x", COLUMNS, NEEDED, most=1)
