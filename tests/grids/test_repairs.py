"""A planned grid repaired, and what is written of it."""

from __future__ import annotations

from dataclasses import replace

import geopandas as gpd
import pytest
from shapely.geometry import box

from gis.faults import FaultKind
from gis.repair import Wishes
from grids.exports import fault_table, write_areas
from grids.ground.gate import Accepted
from grids.ground.mapping import read_mapping
from grids.ground.plan import check_plan, plan_edition
from grids.ground.repairs import file_areas, repair_plan

M = 1e-5
WHOLE = box(117.0, 36.0, 117.02, 36.01)


@pytest.fixture
def grid_file(tmp_path):
    """Write a district of two cells that overlap by a metre and have a hole of a metre and one of 40 m."""
    west = box(117.0, 36.0, 117.01 + M, 36.01) - box(117.003, 36.003, 117.003 + M, 36.004)
    east = box(117.01, 36.0, 117.02, 36.01) - box(117.015, 36.003, 117.0155, 36.004)
    codes = ["990101", "990101001", "990101001001", "990101001001001", "990101001001002"]
    frame = gpd.GeoDataFrame(
        {
            "code": codes,
            "households": [None, None, None, 20, 400],
            "size_reason": [None, None, None, "a market without flats", None],
        },
        geometry=[WHOLE, WHOLE, WHOLE, west, east],
        crs=4490,
    )
    frame.to_file(tmp_path / "grid.gpkg", layer="grids")
    return tmp_path / "grid.gpkg"


def test_what_is_small_is_repaired_and_the_gate_judges_what_is_left(grid_file):
    plan = plan_edition(grid_file)
    assert [fault.kind for fault in check_plan(plan).errors] == [
        FaultKind.OVERLAP,
        FaultKind.GAP,
        FaultKind.GAP,
    ]

    mended, report = repair_plan(plan, Wishes())

    assert [(one.fault.kind, one.done) for one in report.repairs] == [
        (FaultKind.OVERLAP, True),
        (FaultKind.GAP, True),
        (FaultKind.GAP, False),
    ]
    (left,) = report.errors
    assert left.kind is FaultKind.GAP
    assert report == replace(check_plan(mended), repairs=report.repairs)
    assert repair_plan(mended, Wishes())[0].frame.geometry.geom_equals_exact(mended.frame.geometry, 0).all()


def test_an_accepted_gap_is_not_given_away(grid_file):
    known = Accepted(FaultKind.GAP, 117.003, 36.0035, "a pond")
    plan = replace(plan_edition(grid_file), accepted=(known,))

    _, report = repair_plan(plan, Wishes(gap_m2=10_000))

    assert [one.fault.kind for one in report.repairs if one.done] == [FaultKind.OVERLAP, FaultKind.GAP]
    assert report.ok
    assert any("(accepted: a pond)" in fault.message for fault in report.warnings)


@pytest.mark.parametrize("name", ["fixed.gpkg", "fixed.geojson", "fixed.zip"])
def test_the_repaired_file_loads_without_a_mapping_and_needs_no_repair(grid_file, tmp_path, name):
    mended, _ = repair_plan(plan_edition(grid_file), Wishes(gap_m2=10_000))

    write_areas(file_areas(mended), tmp_path / name, layer="grids")
    again = plan_edition(tmp_path / name, frame="CGCS2000")
    _, report = repair_plan(again, Wishes(gap_m2=10_000))

    assert report.ok
    assert report.repairs == ()
    assert "(accepted: a market without flats)" in report.warnings[0].message


def test_a_mapping_names_the_column_of_the_reason(grid_file, tmp_path):
    levels = ["district", "town", "community", "building_group"]
    lengths = {6: "1", 9: "2", 12: "3", 15: "4"}
    frame = gpd.read_file(grid_file).rename(columns={"size_reason": "why"})
    frame["rank"] = [lengths[len(code)] for code in frame["code"]]
    frame.to_file(tmp_path / "own.gpkg", layer="grids")
    tables = [
        f'[levels.{level}]\ncode = "code"\nhouseholds = "households"\nparent_by = "prefix"\n'
        f'column = "rank"\nvalue = "{rank}"\n' + ('size_reason = "why"\n' if rank == 4 else "")
        for rank, level in enumerate(levels, start=1)
    ]
    (tmp_path / "own.toml").write_text("".join(tables), "utf-8")

    plan = plan_edition(tmp_path / "own.gpkg", read_mapping(tmp_path / "own.toml"))

    reasons = plan.frame.set_index("code")["size_reason"]
    assert reasons["990101001001001"] == "a market without flats"
    assert reasons.drop("990101001001001").isna().all()


def test_faults_become_a_table_with_the_shape_and_the_place_of_each(grid_file):
    report = check_plan(plan_edition(grid_file))

    table = fault_table(report.to_dict()["faults"])

    assert list(table["kind"]) == ["overlap", "gap", "gap", "size_rule"]
    assert table["codes"][0] == ["990101001001001", "990101001001002"]
    assert table.geometry.notna().tolist() == [True, True, True, False]
    assert table["lon"].notna().all()
    assert len(fault_table([])) == 0
