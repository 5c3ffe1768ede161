"""The topology gate: it finds what is wrong with a grid, all of it, and nothing else."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely.affinity import translate
from shapely.geometry import LineString, Polygon, box

from gis.coverage import Tolerance, check_coverage
from gis.errors import UnknownFrame
from gis.faults import FaultKind, Severity

ORIGIN = np.array([117.0, 34.0])
M = 1e-5  # about a metre, in degrees
STEP = 0.001  # a cell is about 92 m by 111 m


def cells(columns, rows, *, seed=0):
    """Return shapes by (column, row): wiggly cells that share every vertex of their edges."""
    random = np.random.default_rng(seed)
    corner = {
        (i, j): np.array([i, j]) + random.uniform(-0.2, 0.2, 2) * (0 < i < columns) * (0 < j < rows)
        for i in range(columns + 1)
        for j in range(rows + 1)
    }

    def edge(a, b, outer):
        along = np.linspace(0, 1, 6)[:, None]
        line = corner[a] + (corner[b] - corner[a]) * along
        if not outer:
            line[1:-1] += random.uniform(-0.05, 0.05, (4, 2))
        return line

    across = {
        (i, j): edge((i, j), (i + 1, j), j in (0, rows)) for i in range(columns) for j in range(rows + 1)
    }
    up = {
        (i, j): edge((i, j), (i, j + 1), i in (0, columns)) for i in range(columns + 1) for j in range(rows)
    }
    return {
        (i, j): Polygon(
            ORIGIN
            + STEP
            * np.vstack(
                [across[i, j][:-1], up[i + 1, j][:-1], across[i, j + 1][::-1][:-1], up[i, j][::-1][:-1]]
            )
        )
        for i in range(columns)
        for j in range(rows)
    }


def a_grid(shapes=None, **changes):
    """Return a district of 2 by 2 communities of 3 by 3 cells; `changes` replace cells by code."""
    shapes = shapes or cells(6, 6)
    rows = [("d", "district", None, shapely.union_all(list(shapes.values())))]
    for (i, j), shape in shapes.items():
        rows.append((f"c{i}{j}", "building_group", f"m{i // 3}{j // 3}", shape))
    for a in range(2):
        for b in range(2):
            mine = [shape for (i, j), shape in shapes.items() if (i // 3, j // 3) == (a, b)]
            rows.append((f"m{a}{b}", "community", "d", shapely.union_all(mine)))
    frame = gpd.GeoDataFrame(
        {
            "code": [row[0] for row in rows],
            "level": [row[1] for row in rows],
            "parent_code": [row[2] for row in rows],
        },
        geometry=[row[3] for row in rows],
        crs=4490,
    )
    for code, shape in changes.items():
        frame.loc[frame["code"] == code, "geometry"] = gpd.GeoSeries([shape], crs=4490).array
    return frame


def shape_of(grid, code):
    return grid.geometry[grid["code"] == code].iloc[0]


def found(report):
    return [(fault.kind.value, *fault.codes) for fault in report.errors]


def test_a_grid_that_tiles_the_district_has_no_faults():
    report = check_coverage(a_grid())

    assert report.ok
    assert report.faults == ()
    assert report.counts == {"district": 1, "building_group": 36, "community": 4}


def test_an_overlap_is_listed_with_its_pair_its_size_and_its_place():
    grid = a_grid()
    west, east = shape_of(grid, "c00"), shape_of(grid, "c10")
    report = check_coverage(a_grid(c00=west.union(east.intersection(west.buffer(5 * M)))))

    (fault,) = report.errors
    assert (fault.kind, fault.codes, fault.level) == (FaultKind.OVERLAP, ("c00", "c10"), "building_group")
    assert 400 < fault.area_m2 < 800  # 5 m along a shared edge of about 111 m
    assert fault.geometry.buffer(M).contains(shapely.Point(fault.lon, fault.lat))
    assert "c00 and c10 overlap by" in fault.message


def test_sizes_are_measured_on_the_ground_and_not_in_degrees():
    square = [box(117.0, 34.0, 117.01, 34.01), box(117.005, 34.0, 117.015, 34.01)]
    equator = [translate(shape, xoff=-10.0, yoff=-34.0) for shape in square]

    (north,) = check_coverage(gpd.GeoDataFrame(geometry=square, crs=4490)).errors
    (south,) = check_coverage(gpd.GeoDataFrame(geometry=equator, crs=4490)).errors

    assert north.area_m2 == pytest.approx(461.9 * 1109.2, rel=2e-3)
    assert south.area_m2 == pytest.approx(556.6 * 1105.7, rel=2e-3)


def test_a_gap_is_listed_with_the_area_that_lacks_it_and_its_neighbours():
    grid = a_grid()
    inner = shape_of(grid, "c11")

    report = check_coverage(a_grid(c11=inner.difference(inner.centroid.buffer(20 * M))))

    (fault,) = report.errors
    assert (fault.kind, fault.codes) == (FaultKind.GAP, ("m00", "c11"))
    assert fault.area_m2 == pytest.approx(np.pi * 20**2 * 1.109 * 0.922, rel=0.03)


def test_a_slit_between_cells_that_runs_to_the_border_is_a_gap():
    shape = shape_of(a_grid(), "c01")

    report = check_coverage(
        a_grid(c01=shape.difference(LineString([shape.centroid, (116.9, 34.0)]).buffer(M)))
    )

    assert found(report) == [("gap", "m00", "c01")]


def test_a_missing_cell_is_one_gap():
    grid = a_grid()

    report = check_coverage(grid[grid["code"] != "c44"])

    (fault,) = report.errors
    assert fault.kind is FaultKind.GAP
    assert fault.codes[0] == "m11"
    assert 8_000 < fault.area_m2 < 15_000


def test_a_child_that_leaves_its_parent_is_listed_with_how_far():
    outer = shape_of(a_grid(), "c00")

    report = check_coverage(a_grid(c00=outer.union(box(117 - 8 * M, 34.0002, 117, 34.0005))))

    (fault,) = report.errors
    assert (fault.kind, fault.codes) == (FaultKind.CHILD_OUTSIDE_PARENT, ("c00", "m00"))
    assert "up to 7.4 m" in fault.message  # 8e-5 degrees of longitude at 34 N


def test_a_cell_under_the_wrong_community_is_outside_it_and_leaves_no_gap():
    grid = a_grid()
    grid.loc[grid["code"] == "c30", "parent_code"] = "m00"

    assert found(check_coverage(grid)) == [("child_outside_parent", "c30", "m00")]


def test_borders_of_parent_and_children_may_differ_by_a_metre_both_ways():
    district = shape_of(a_grid(), "d")
    inward, outward = district.buffer(-0.5 * M), district.buffer(0.5 * M)

    assert check_coverage(a_grid(d=inward)).ok
    assert check_coverage(a_grid(d=outward)).ok


def test_borders_that_differ_by_more_are_faults_unless_a_wider_tolerance_is_stated():
    district = shape_of(a_grid(), "d")
    inward, outward = a_grid(d=district.buffer(-3 * M)), a_grid(d=district.buffer(3 * M))

    assert {fault.kind for fault in check_coverage(inward).errors} == {FaultKind.CHILD_OUTSIDE_PARENT}
    assert {fault.kind for fault in check_coverage(outward).errors} == {FaultKind.GAP}
    relaxed = check_coverage(inward, tolerance=Tolerance(edge_m=5))
    assert relaxed.ok
    assert relaxed.tolerance["edge_m"] == 5
    assert check_coverage(outward, tolerance=Tolerance(edge_m=5, covered_percent=95)).ok


def test_strips_along_the_border_may_come_to_half_a_percent_only():
    district = shape_of(a_grid(), "d")  # about 550 m by 670 m: a strip of 2 m is 1.3 %

    report = check_coverage(a_grid(d=district.buffer(2 * M)), tolerance=Tolerance(edge_m=3))

    (fault,) = report.errors
    assert (fault.kind, fault.codes) == (FaultKind.PARENT_NOT_COVERED, ("d",))
    assert "98." in fault.message


def test_overlaps_and_gaps_under_a_square_metre_are_noise():
    grid = a_grid()
    inner = shape_of(grid, "c11")
    dot = inner.centroid.buffer(0.4 * M)

    assert check_coverage(a_grid(c11=inner.difference(dot))).ok
    assert check_coverage(a_grid(c12=shape_of(grid, "c12").union(dot))).ok
    assert not check_coverage(a_grid(c11=inner.difference(dot)), tolerance=Tolerance(gap_m2=0.1)).ok


def test_every_invalid_ring_is_listed_and_makes_no_further_faults():
    shapes = cells(12, 12)
    frame = gpd.GeoDataFrame(
        {"code": [f"{i}-{j}" for i, j in shapes], "level": "cell", "parent_code": "all"},
        geometry=list(shapes.values()),
        crs=4490,
    )
    broken = []
    for row in range(99):
        ring = np.array(frame.geometry[row].exterior.coords)[:-1]
        ring[[2, 7]] = ring[[7, 2]]
        broken.append(Polygon(ring))
    frame.loc[:98, "geometry"] = gpd.GeoSeries(broken, crs=4490).array
    whole = {
        "code": "all",
        "level": "whole",
        "parent_code": None,
        "geometry": shapely.union_all(list(shapes.values())),
    }
    frame.loc[144] = whole

    report = check_coverage(frame)

    invalid = [fault for fault in report.faults if fault.kind is FaultKind.INVALID_RING]
    assert len(invalid) == 99
    assert {fault.codes[0] for fault in invalid} == set(frame["code"][:99])
    assert all("Self-intersection" in fault.message and fault.lon and fault.lat for fault in invalid)
    # what a swapped pair of vertices leaves bare beyond the reach of its own ring is the only other find
    assert {fault.kind for fault in report.faults} <= {
        FaultKind.INVALID_RING,
        FaultKind.GAP,
        FaultKind.OVERLAP,
    }


def test_an_invalid_parent_is_listed_and_its_children_are_said_to_be_unchecked():
    bow_tie = Polygon([(117, 34), (117.006, 34.006), (117.006, 34), (117, 34.006)])

    report = check_coverage(a_grid(m00=bow_tie))

    assert ("invalid_ring", "m00") in found(report)
    assert any("m00 was not held against its shape" in note for note in report.notes)


def test_a_star_of_crossings_is_listed_at_once():
    angles = np.arange(201) * 100 * 2 * np.pi / 201
    star = Polygon(ORIGIN + STEP * (1.5 + np.column_stack([np.cos(angles), np.sin(angles)])))

    report = check_coverage(a_grid(c11=star))

    assert ("invalid_ring", "c11") in found(report)


def test_areas_without_a_shape_are_listed_with_what_the_reader_knew():
    grid = a_grid(c00=None, c55=Polygon())
    row = int(np.flatnonzero(grid["code"] == "c00")[0])

    report = check_coverage(grid, problems={row: (FaultKind.UNREADABLE_GEOMETRY, "its ring is open")})

    listed = {fault.codes[0]: fault for fault in report.errors if fault.kind is not FaultKind.GAP}
    assert listed["c00"].kind is FaultKind.UNREADABLE_GEOMETRY
    assert "its ring is open" in listed["c00"].message
    assert listed["c55"].kind is FaultKind.EMPTY_GEOMETRY


def test_lines_and_points_are_no_areas():
    report = check_coverage(gpd.GeoDataFrame(geometry=[LineString([(117, 34), (117.1, 34)])], crs=4490))

    assert found(report) == [("wrong_geometry_type", "0")]


def test_a_code_that_two_areas_have_and_a_parent_that_nobody_has_are_listed():
    grid = a_grid()
    grid.loc[grid["code"] == "c01", "code"] = "c00"
    grid.loc[grid["code"].isin(["c44", "c45"]), "parent_code"] = "m99"

    faults = found(check_coverage(grid))

    assert ("duplicate_code", "c00") in faults
    assert ("not_child_of_parent", "c44", "c45") in faults


def test_a_parent_without_children_among_divided_ones_is_listed():
    grid = a_grid()

    report = check_coverage(grid[~grid["parent_code"].isin(["m11"])])

    (fault,) = report.errors
    assert (fault.kind, fault.codes) == (FaultKind.PARENT_NOT_COVERED, ("m11",))


def test_equal_areas_and_an_area_inside_another_overlap():
    one = box(117.0, 34.0, 117.01, 34.01)
    inner = box(117.002, 34.002, 117.004, 34.004)

    twins = check_coverage(gpd.GeoDataFrame({"code": ["a", "b"]}, geometry=[one, one], crs=4490))
    nested = check_coverage(gpd.GeoDataFrame({"code": ["a", "b"]}, geometry=[one, inner], crs=4490))

    assert found(twins) == [("overlap", "a", "b")]
    assert found(nested) == [("overlap", "a", "b")]


def test_water_between_districts_is_no_gap_but_a_crack_is():
    west = box(117.0, 34.0, 117.01, 34.01)
    across_the_river = box(117.0105, 34.0, 117.02, 34.01)  # 46 m
    cracked = box(117.010005, 34.0, 117.02, 34.01)  # 46 cm

    river = check_coverage(gpd.GeoDataFrame(geometry=[west, across_the_river], crs=4490))
    crack = check_coverage(gpd.GeoDataFrame({"code": ["a", "b"]}, geometry=[west, cracked], crs=4490))

    assert river.faults == ()
    (fault,) = crack.errors
    assert (fault.kind, fault.codes) == (FaultKind.GAP, ("a", "b"))
    assert fault.area_m2 == pytest.approx(0.46 * 1109, rel=0.1)


def test_a_wide_hole_among_districts_is_for_a_person_to_judge():
    ring = [
        box(117.0, 34.0, 117.02, 34.01),
        box(117.0, 34.01, 117.01, 34.02),
        box(117.0, 34.02, 117.03, 34.03),
        box(117.02, 34.0, 117.03, 34.02),
    ]

    report = check_coverage(gpd.GeoDataFrame({"code": list("abcd")}, geometry=ring, crs=4490))

    (fault,) = report.faults
    assert (fault.kind, fault.severity) == (FaultKind.GAP, Severity.WARNING)
    assert "enclave" in fault.message
    assert report.ok


def test_a_parent_that_was_joined_from_its_children_hides_no_gap():
    grid = a_grid()
    slim = shape_of(grid, "c11").buffer(-2 * M)
    mine = [slim if code == "c11" else shape for code, shape in zip(grid["code"], grid.geometry, strict=True)]
    grid = grid.set_geometry(gpd.GeoSeries(mine, index=grid.index, crs=4490))
    children = grid[grid["parent_code"] == "m00"]
    grid.loc[grid["code"] == "m00", "geometry"] = gpd.GeoSeries(
        [children.geometry.union_all()], crs=4490
    ).array
    grid["derived"] = grid["code"] == "m00"

    report = check_coverage(grid)

    assert any(fault.kind is FaultKind.GAP and "c11" in fault.codes for fault in report.errors)


def test_an_edge_with_a_vertex_on_one_side_only_is_no_slit_on_a_long_border():
    # 9 km from west to east: projected, the middle of the edge would lie a metre off the chord
    north = Polygon([(117.0, 34.0), (117.1, 34.0), (117.1, 34.1), (117.0, 34.1)])
    south = Polygon([(117.0, 33.9), (117.1, 33.9), (117.1, 34.0), (117.05, 34.0), (117.0, 34.0)])

    assert check_coverage(gpd.GeoDataFrame(geometry=[north, south], crs=4490)).faults == ()


def test_areas_in_a_projected_system_are_checked_and_reported_in_degrees():
    grid = a_grid()
    west, east = shape_of(grid, "c00"), shape_of(grid, "c10")
    broken = a_grid(c00=west.union(east.intersection(west.buffer(5 * M))))

    (there,) = check_coverage(broken.to_crs(4548)).errors
    (here,) = check_coverage(broken).errors

    assert there.codes == here.codes
    assert there.area_m2 == pytest.approx(here.area_m2, rel=1e-3)
    assert (there.lon, there.lat) == pytest.approx((here.lon, here.lat), abs=1e-3)


def test_areas_that_do_not_say_where_they_are_are_refused():
    with pytest.raises(UnknownFrame):
        check_coverage(gpd.GeoDataFrame(geometry=[box(0, 0, 1, 1)]))


def test_nothing_is_no_fault():
    assert check_coverage(gpd.GeoDataFrame(geometry=[], crs=4490)).ok


@pytest.mark.parametrize("seed", range(6))
def test_overlaps_are_those_that_comparing_every_pair_finds(seed):
    random = np.random.default_rng(seed)
    shapes = list(cells(8, 8, seed=seed).values())
    for row in random.choice(64, 10, replace=False):
        shapes[row] = translate(shapes[row], *(random.uniform(-30, 30, 2) * M))
    for row in random.choice(64, 5, replace=False):
        shapes[row] = shapes[row].buffer(random.uniform(0.1, 10) * M)
    frame = gpd.GeoDataFrame({"code": [f"{n:02d}" for n in range(64)]}, geometry=shapes, crs=4490)

    listed = {fault.codes for fault in check_coverage(frame).faults if fault.kind is FaultKind.OVERLAP}

    flat = frame.to_crs(4548).geometry
    area = {
        (f"{a:02d}", f"{b:02d}"): flat[a].intersection(flat[b]).area
        for a in range(64)
        for b in range(a + 1, 64)
    }
    assert {pair for pair, size in area.items() if size > 1.1} <= listed
    assert listed <= {pair for pair, size in area.items() if size > 0.9}


def test_the_report_reads_as_text_and_as_json():
    report = check_coverage(a_grid(c11=None))

    lines = report.lines()
    machine = json.loads(json.dumps(report.to_dict()))

    assert lines[0] == "Looked at 1 district, 36 building_group, 4 community."
    assert "gap_m2 1" in lines[1]
    assert lines[-1] == "2 errors, 0 warnings: 1 empty_geometry (error), 1 gap (error)."
    assert machine["ok"] is False
    assert machine["errors"] == 2
    assert machine["faults"][1]["geometry"]["type"] == "Polygon"
