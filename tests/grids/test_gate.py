"""The gate before a publication: codes, sizes and accepted defects, on top of the topology."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from shapely.geometry import box

from gis.faults import Fault, FaultKind, Severity
from grids.ground.gate import Accepted, check_grid

WEST, EAST = box(117.0, 34.0, 117.01, 34.01), box(117.01, 34.0, 117.02, 34.01)


def a_district(**changes):
    """Return one district > town > community > two cells; `changes` set columns by code."""
    both = shapely.union_all([WEST, EAST])
    frame = gpd.GeoDataFrame(
        {
            "code": ["370116", "370116001", "370116001001", "370116001001001", "370116001001002"],
            "level": ["district", "town", "community", "building_group", "building_group"],
            "parent_code": [None, "370116", "370116001", "370116001001", "370116001001"],
            "households": pd.array([None, None, None, 400, 350], dtype="Int64"),
            "population": pd.array([None, None, None, 990, 900], dtype="Int64"),
        },
        geometry=[both, both, both, WEST, EAST],
        crs=4490,
    ).set_index("code", drop=False)
    for column, (code, value) in changes.items():
        if column == "geometry":
            frame.loc[[code], column] = gpd.GeoSeries([value], crs=4490).array
        else:
            frame.loc[code, column] = value
    return frame.reset_index(drop=True)


def test_a_grid_that_keeps_all_rules_may_be_published():
    report = check_grid(a_district())

    assert report.faults == ()
    assert report.ok


@pytest.mark.parametrize(
    ("column", "code", "value", "kind"),
    [
        ("code", "370116001001002", "370116001001000", FaultKind.WRONG_CODE),
        ("code", "370116001001002", "37011600100100x", FaultKind.WRONG_CODE),
        ("code", "370116001001002", "370116001002002", FaultKind.NOT_CHILD_OF_PARENT),
        ("parent_code", "370116001001002", "370116001", FaultKind.NOT_CHILD_OF_PARENT),
        ("parent_code", "370116001001002", None, FaultKind.NOT_CHILD_OF_PARENT),
    ],
)
def test_a_code_that_breaks_the_rules_stops_the_publication(column, code, value, kind):
    report = check_grid(a_district(**{column: (code, value)}))

    assert kind in {fault.kind for fault in report.errors}


def test_cells_that_one_worker_cannot_look_after_are_warned_of():
    crowded = check_grid(a_district(population=("370116001001001", 1001)))
    empty = check_grid(a_district(households=("370116001001002", 20)))
    unknown = check_grid(a_district(households=("370116001001002", pd.NA)))

    (fault,) = crowded.warnings
    assert fault.kind is FaultKind.SIZE_RULE
    assert "1001 people" in fault.message
    assert "20 households" in empty.warnings[0].message
    assert crowded.ok
    assert empty.ok
    assert unknown.faults == ()


def test_a_cell_outside_the_size_rule_wants_a_reason_and_keeps_it():
    bare = a_district(households=("370116001001002", 20))
    reasoned = bare.assign(size_reason=[None, None, None, None, "a market without flats"])

    (wanted,) = check_grid(bare).warnings
    (given,) = check_grid(reasoned).warnings

    assert "20 households" in wanted.message
    assert "no reason is given (size_reason)" in wanted.message
    assert given.message == (
        "370116001001002 has 20 households (the rule is 300 to 500) (accepted: a market without flats)"
    )
    assert wanted.codes == given.codes
    assert (wanted.lon, wanted.lat) == pytest.approx((117.015, 34.005), abs=1e-4)


def test_a_reason_alone_is_no_fault():
    assert check_grid(a_district().assign(size_reason="a school")).faults == ()


def test_a_malformed_code_is_said_once():
    report = check_grid(a_district(code=("370116001001002", "3701160010x1002")))

    assert [(fault.kind, fault.codes) for fault in report.faults] == [
        (FaultKind.WRONG_CODE, ("3701160010x1002",))
    ]


@pytest.mark.parametrize("kind", [FaultKind.INVALID_RING, FaultKind.DUPLICATE_CODE, FaultKind.EMPTY_GEOMETRY])
def test_what_breaks_the_placing_of_points_cannot_be_accepted(kind):
    bow_tie = shapely.Polygon([(117.0, 34.0), (117.01, 34.01), (117.01, 34.0), (117.0, 34.01)])
    broken = a_district(geometry=("370116001001001", bow_tie))
    known = Accepted(kind, 117.005, 34.005, "never mind", within_m=5000)

    assert not check_grid(broken, accepted=[known]).ok


def test_one_known_defect_is_accepted_at_its_place_and_stays_in_the_report():
    hollow = a_district(geometry=("370116001001001", WEST.difference(box(117.002, 34.002, 117.004, 34.004))))
    known = Accepted(FaultKind.GAP, 117.0045, 34.003, "the barracks", within_m=50)

    refused, passed = check_grid(hollow), check_grid(hollow, accepted=[known])

    assert not refused.ok
    assert passed.ok
    (fault,) = passed.warnings
    assert "(accepted: the barracks)" in fault.message


@pytest.mark.parametrize(
    "elsewhere",
    [
        Accepted(FaultKind.GAP, 117.006, 34.003, "another place"),
        Accepted(FaultKind.OVERLAP, 117.003, 34.003, "another kind"),
    ],
)
def test_a_defect_elsewhere_or_of_another_kind_is_not_accepted(elsewhere):
    hollow = a_district(geometry=("370116001001001", WEST.difference(box(117.002, 34.002, 117.004, 34.004))))

    report = check_grid(hollow, accepted=[elsewhere])

    assert not report.ok
    assert any("matches no fault any more" in note for note in report.notes)


def test_what_the_planning_found_is_taken_over():
    before = Fault(FaultKind.WRONG_VALUE, ("x",), "row 3: households must be a whole number")

    report = check_grid(a_district(), faults=[before])

    assert report.errors == (before,)
    assert report.errors[0].severity is Severity.ERROR
