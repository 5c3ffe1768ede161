"""Who leads in which cell, and how what is missing is told once for the widest area."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from grids.rules.coverage import Hole, holes, leads_by_cell, shared, worst
from grids.rules.responsibilities import Rule, RuleKind

DAY = date(2026, 6, 3)
CELLS = [
    "990101001001001",
    "990101001001002",
    "990101001002001",
    "990101002001001",
]
EVERYWHERE = Rule(1, RuleKind.DEFAULT, "", "07-001", "JJ", date(2026, 1, 1))
TOWN = replace(EVERYWHERE, id=2, kind=RuleKind.LISTED, area="990101001", lead="CG")
CLASH = replace(TOWN, id=3, lead="GA")
CELL = replace(TOWN, id=4, area=CELLS[0], lead="ZJ")


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([], [(), (), (), ()]),
        ([EVERYWHERE], [("JJ",)] * 4),
        ([EVERYWHERE, TOWN], [("CG",), ("CG",), ("CG",), ("JJ",)]),
        ([TOWN], [("CG",), ("CG",), ("CG",), ()]),
        ([EVERYWHERE, TOWN, CLASH], [("CG", "GA"), ("CG", "GA"), ("CG", "GA"), ("JJ",)]),
        ([EVERYWHERE, TOWN, CLASH, CELL], [("ZJ",), ("CG", "GA"), ("CG", "GA"), ("JJ",)]),
        ([replace(EVERYWHERE, until=DAY)], [(), (), (), ()]),
        ([replace(EVERYWHERE, kind=RuleKind.DECIDED), CELL], [("JJ",)] * 4),
    ],
)
def test_each_cell_has_the_leads_of_its_strongest_rule(rules, expected):
    assert leads_by_cell(rules, CELLS, ["07-001"], DAY) == {"07-001": expected}


@pytest.mark.parametrize(
    ("leads", "expected"),
    [
        ([("JJ",)] * 4, []),
        ([()] * 4, [Hole("990101", "07-001", ())]),
        ([("JJ",), ("JJ",), ("JJ",), ()], [Hole("990101002", "07-001", ())]),
        ([(), (), (), ("JJ",)], [Hole("990101001", "07-001", ())]),
        ([(), (), ("JJ",), ("JJ",)], [Hole("990101001001", "07-001", ())]),
        (
            [("A", "B"), ("JJ",), (), ()],
            [
                Hole("990101001001001", "07-001", ("A", "B")),
                Hole("990101001002", "07-001", ()),
                Hole("990101002", "07-001", ()),
            ],
        ),
    ],
)
def test_what_is_missing_is_told_once_for_the_widest_area(leads, expected):
    assert list(holes({"07-001": leads}, CELLS, "990101")) == expected


@pytest.mark.parametrize(
    ("leads", "count", "lead"),
    [
        ([("A",), ("A",)], 1, "A"),
        ([("A",), ("B",)], 1, None),
        ([("A",), ()], 0, None),
        ([("A", "B"), ("A",)], 2, None),
        ([("A", "B"), ()], 0, None),
        ([("A", "B"), ("A", "B")], 2, None),
    ],
)
def test_an_area_counts_as_its_worst_cell_does(leads, count, lead):
    assert (worst(leads, [0, 1]), shared(leads, [0, 1])) == (count, lead)
