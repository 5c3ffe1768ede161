from __future__ import annotations

from collections import Counter

import pytest

from gis.errors import InvalidInput
from grids.rules.departments import (
    DEPARTMENT_COLUMNS,
    DepartmentKind,
    StationKind,
    read_departments,
    shipped_departments,
)

HEADER = ",".join(DEPARTMENT_COLUMNS)


def test_the_shipped_bodies_are_the_26_of_a_district() -> None:
    codes = [body.code for body in shipped_departments()]

    assert " ".join(codes) == (
        "CG SCJG STHJ GA JJ XF ZJ ZRZY SW JT NY RS YJ WJ MZ JY SF GX FG XFJ YB JRB ZZB TOWN PMC UTIL"
    )
    assert len({body.name_zh for body in shipped_departments()}) == 26
    assert len({body.name_en for body in shipped_departments()}) == 26


def test_enterprises_and_the_town_are_not_ranked() -> None:
    assert {body.code for body in shipped_departments() if not body.ranked} == {"PMC", "UTIL", "TOWN"}
    assert Counter(body.kind for body in shipped_departments()) == {
        DepartmentKind.BUREAU: 23,
        DepartmentKind.ENTERPRISE: 2,
        DepartmentKind.TOWN: 1,
    }


def test_stations_follow_one_five_n() -> None:
    stations = {kind: {b.code for b in shipped_departments() if b.station is kind} for kind in StationKind}

    assert stations[StationKind.ENFORCEMENT_SQUAD] == {"CG"}
    assert stations[StationKind.FIXED] == {"GA", "XF", "JT", "SCJG", "SF"}
    assert stations[StationKind.FURTHER] == {"GX", "ZRZY", "ZJ", "SW", "NY"}


def test_no_body_names_a_real_place() -> None:
    for body in shipped_departments():
        assert body.kind is not DepartmentKind.BUREAU or body.name_zh.startswith("区")


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("cg,局,Bureau,bureau,district,,,", "code"),
        ("CG,,Bureau,bureau,district,,,", "name_zh"),
        ("CG,局,,bureau,district,,,", "name_en"),
        ("CG,局,Bureau,office,district,,,", "kind"),
        ("CG,局,Bureau,bureau,moon,,,", "seat"),
        ("CG,局,Bureau,bureau,district,squad,中队,Squad", "station"),
        ("CG,局,Bureau,bureau,district,fixed,,Squad", "station_zh"),
        ("CG,局,Bureau,bureau,district,,,Squad", "station_en"),
    ],
)
def test_a_fault_names_its_row_and_column(row: str, column: str) -> None:
    with pytest.raises(InvalidInput, match=rf"departments, row 2 .*column {column}:") as caught:
        read_departments(f"{HEADER}\n{row}\n")

    assert caught.value.facts["row"] == 2
    assert caught.value.facts["column"] == column
