"""Repairs: what is small and asked for is mended vertex by vertex, everything else stays as it was."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely.geometry import Polygon, box

from benchmarks.damage import METRE, sound_grid, spoil
from gis.coverage import Tolerance, check_coverage
from gis.errors import UnknownFrame
from gis.faults import FaultKind
from gis.plane import areas_m2
from gis.repair import Wishes, repair

M = METRE
WIDE = Wishes(sliver_m=60, clip_m=60, gap_m2=1e6)
MENDABLE = (
    "overlap_hair",
    "overlap_sliver",
    "overlap_big",
    "overlap_of_three",
    "overlap_of_communities",
    "overlap_of_cousins",
    "gap_inside",
    "gap_hair",
    "gap_sliver",
    "gap_wide",
    "slit",
    "missing_cell",
    "outside_the_district",
    "border_moved",
)
HOPELESS = ("bow_tie", "self_touch", "hole_outside", "spike", "same_code", "undivided", "malformed_code")


@pytest.fixture(scope="module")
def sound():
    return sound_grid(communities=80, cells=640, seed=0)


@pytest.fixture(scope="module")
def wide():
    return sound_grid(communities=150, cells=1200, seed=0)


def cells(**shapes):
    """Return cells by code, in degrees round 117 east, 36 north; shapes in metres."""
    flat = [shapely.transform(shape, lambda xy: xy * M + [117.0, 36.0]) for shape in shapes.values()]
    return gpd.GeoDataFrame({"code": list(shapes)}, geometry=flat, crs=4490)


def same_shapes(one, other):
    pairs = zip(one.geometry, other.geometry, strict=True)
    return [a is b or (a is not None and b is not None and a.equals_exact(b, 0)) for a, b in pairs]


def faults_left(areas):
    return [fault.line() for fault in check_coverage(areas).errors]


def exact(areas):
    """Tell of each level whether its neighbours have every vertex of their common edges."""
    groups = areas.groupby("level").geometry if "level" in areas else [("all", areas.geometry)]
    return {level: bool(shapely.coverage_is_valid(np.asarray(shapes.array))) for level, shapes in groups}


# ---- one repair at a time ---------------------------------------------------------------------------------------


def test_what_two_cells_both_claim_stays_with_the_lower_code():
    areas = cells(a=box(0, 0, 101, 100), b=box(100, 0, 200, 100))

    mended, [done] = repair(areas)

    west, east = mended.geometry
    assert (west.bounds[2], east.bounds[0]) == pytest.approx((117.00101, 117.00101))
    assert west.equals(areas.geometry[0])
    assert done.done
    assert set(done.sizes) == {"b"}
    before, after = done.sizes["b"]
    assert before - after == pytest.approx(done.fault.area_m2, rel=1e-3)
    assert "is a's now" in done.words
    assert faults_left(mended) == []
    assert exact(mended) == {"all": True}


def test_what_two_cells_of_different_parents_claim_stays_where_the_parent_holds_it():
    areas = cells(
        p=box(0, 0, 100, 100), q=box(100, 0, 200, 100), pa=box(0, 0, 101.5, 100), qa=box(100, 0, 200, 100)
    )
    areas["level"] = ["town", "town", "cell", "cell"]
    areas["parent_code"] = [None, None, "p", "q"]

    mended, done = repair(areas)

    assert [repair.fault.kind for repair in done] == [FaultKind.CHILD_OUTSIDE_PARENT]
    assert mended.geometry[2].equals(areas.geometry[0])
    assert faults_left(mended) == []


def test_a_gap_goes_to_the_neighbour_with_the_longest_edge_along_it():
    areas = cells(
        whole=box(0, 0, 200, 100), a=box(0, 0, 100, 100), b=box(101, 0, 200, 60), c=box(101, 60, 200, 100)
    )
    areas["level"] = ["town", "cell", "cell", "cell"]
    areas["parent_code"] = [None, "whole", "whole", "whole"]

    mended, [done] = repair(areas)

    assert list(done.sizes) == ["a"]
    assert mended.geometry[1].bounds[2] == pytest.approx(117.00101)
    assert (117.00101, 36.0006) in mended.geometry[1].exterior.coords[:]  # where b and c meet
    assert (
        shapely.get_num_coordinates(mended.geometry[0]) == 9
    )  # the corners of all three, for the parent too
    assert faults_left(mended) == []
    assert exact(mended) == {"town": True, "cell": True}


def test_a_wider_gap_is_given_away_only_when_its_size_is_wished_for():
    areas = cells(whole=box(0, 0, 200, 100), a=box(0, 0, 100, 100), b=box(110, 0, 200, 100))
    areas["level"], areas["parent_code"] = ["town", "cell", "cell"], [None, "whole", "whole"]

    as_it_was, [left] = repair(areas)
    mended, [done] = repair(areas, wishes=Wishes(gap_m2=2_000))

    assert all(same_shapes(as_it_was, areas))
    assert not left.done
    assert "the gap is 9.0 m wide" in left.words
    assert list(done.sizes) == ["a"]
    assert faults_left(mended) == []


def test_a_child_is_cut_off_at_the_border_of_its_parent():
    areas = cells(whole=box(0, 0, 200, 100), a=box(-1.5, 0, 100, 100), b=box(100, 0, 200, 100))
    areas["level"], areas["parent_code"] = ["town", "cell", "cell"], [None, "whole", "whole"]

    mended, [done] = repair(areas)

    assert done.fault.kind is FaultKind.CHILD_OUTSIDE_PARENT
    assert mended.geometry[1].bounds[0] == 117.0
    assert mended.geometry[2] is areas.geometry[2]
    assert faults_left(mended) == []


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        (Wishes(sliver_m=0.5), "overlap 0.9 m wide, more than 0.5 m"),
        (Wishes(sliver_m=0), "slivers are not to be closed"),
    ],
)
def test_what_is_larger_than_wished_for_is_left_and_says_why(wishes, words):
    areas = cells(a=box(0, 0, 101, 100), b=box(100, 0, 200, 100))

    mended, [left] = repair(areas, wishes=wishes)

    assert all(one is other for one, other in zip(mended.geometry, areas.geometry, strict=True))
    assert not left.done
    assert words in left.words
    assert len(faults_left(mended)) == 1


def test_an_area_of_which_too_little_would_be_left_stays():
    areas = cells(a=box(0, 0, 100, 100), b=box(99, 0, 100.5, 100))

    mended, [left] = repair(areas)

    assert all(same_shapes(mended, areas))
    assert left.words.startswith("too little of b would be left")


def test_a_slit_between_districts_is_closed_from_corner_to_corner():
    areas = cells(a=box(0, 0, 100, 100), b=Polygon([(100, 0), (200, 0), (200, 100), (100.5, 100)]))

    mended, [done] = repair(areas)

    assert list(done.sizes) == ["a"]
    assert faults_left(mended) == []
    assert exact(mended) == {"all": True}


def test_a_slit_that_widens_into_open_ground_has_no_end_and_is_left():
    areas = cells(
        a=Polygon([(0, 0), (100, 0), (100.1, 30), (99.9, 40), (100, 70), (98, 80), (97, 100), (0, 100)]),
        b=Polygon([(100.5, 0), (200, 0), (200, 100), (101.5, 99), (100.6, 50)]),
    )

    mended, [left] = repair(areas)

    assert all(same_shapes(mended, areas))
    assert "where the gap ends cannot be told" in left.words


def test_a_closed_hole_between_areas_without_a_parent_goes_to_one_of_them():
    areas = cells(
        a=box(0, 0, 100, 49.5),
        b=box(0, 49.5, 40, 100),
        c=Polygon([(40, 50), (100, 50), (100, 100), (40, 100)]),
    )
    areas.loc[2, "geometry"] = shapely.transform(
        Polygon([(40, 50.5), (99, 50.5), (100, 49.5), (100, 100), (40, 100)]),
        lambda xy: xy * M + [117.0, 36.0],
    )

    mended, [done] = repair(areas)

    assert set(done.sizes) == {"c"}
    assert faults_left(mended) == []
    assert exact(mended) == {"all": True}


def test_a_web_of_slivers_between_many_cells_is_for_no_single_one_of_them():
    grid = {
        f"c{x}{y}": box(100 * x + 0.5, 100 * y + 0.5, 100 * x + 99.5, 100 * y + 99.5)
        for x in range(3)
        for y in range(3)
    }
    areas = cells(whole=box(0, 0, 300, 300), **grid)
    areas["level"], areas["parent_code"] = ["town"] + ["cell"] * 9, [None] + ["whole"] * 9

    mended, [left] = repair(areas)

    assert all(same_shapes(mended, areas))
    assert left.words == "the gap runs between more areas than one of them could take"


def test_a_row_of_slivers_closes_at_once():
    strips = {f"c{x:02d}": box(100 * x, 0, 100 * x + 99, 100) for x in range(30)}
    areas = cells(whole=box(0, 0, 2999, 100), **strips)
    areas["level"], areas["parent_code"] = ["town"] + ["cell"] * 30, [None] + ["whole"] * 30

    mended, repairs = repair(areas)

    assert [one.done for one in repairs] == [True] * 29
    assert faults_left(mended) == []
    assert exact(mended) == {"town": True, "cell": True}


def test_what_somebody_has_accepted_stays():
    areas = cells(a=box(0, 0, 101, 100), b=box(100, 0, 200, 100))

    mended, repairs = repair(areas, keep=lambda fault: fault.kind is FaultKind.OVERLAP)

    assert repairs == []
    assert all(same_shapes(mended, areas))


def test_areas_with_one_code_are_left_alone():
    areas = cells(a=box(0, 0, 101, 100), b=box(100, 0, 200, 100), c=box(300, 0, 400, 100))
    areas["code"] = ["a", "b", "b"]

    mended, [left] = repair(areas)

    assert all(same_shapes(mended, areas))
    assert "several areas have one of these codes" in left.words


def test_a_joined_area_is_joined_anew():
    areas = cells(
        p=box(0, 0, 200, 100), a=box(0, 0, 100, 100), b=box(100, 0, 200, 100), q=box(199, 0, 300, 100)
    )
    areas["level"] = ["community", "cell", "cell", "community"]
    areas["parent_code"] = [None, "p", "p", None]
    areas["derived"] = [True, False, False, True]
    cell = gpd.GeoDataFrame(
        {"code": ["c"], "level": ["cell"], "parent_code": ["q"], "derived": [False]},
        geometry=[areas.geometry[3]],
        crs=4490,
    )
    areas = gpd.GeoDataFrame(gpd.pd.concat([areas, cell], ignore_index=True), crs=4490)

    mended, repairs = repair(areas)

    assert [(one.done, list(one.sizes)) for one in repairs] == [(True, ["c"])]
    assert mended.geometry[3].equals(mended.geometry[4])
    assert mended.geometry[3].bounds[0] == pytest.approx(117.002)
    assert faults_left(mended) == []


def test_projected_areas_are_refused():
    with pytest.raises(UnknownFrame) as refused:
        repair(gpd.GeoDataFrame(geometry=[box(500000, 4e6, 500100, 4000100)], crs=4548))

    assert refused.value.code == "repair_needs_degrees"


def test_nothing_needs_no_repair():
    mended, repairs = repair(gpd.GeoDataFrame({"code": []}, geometry=[], crs=4490))

    assert (len(mended), repairs) == (0, [])


# ---- whole grids ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["overlap_hair", "overlap_sliver", "gap_hair", "gap_sliver", "slit"])
@pytest.mark.parametrize("seed", range(3))
def test_a_sliver_closes_and_only_its_neighbours_are_touched(sound, kind, seed):
    spoiled, seeded = spoil(sound, [kind], seed=seed)

    mended, repairs = repair(spoiled)

    assert faults_left(mended) == []
    assert exact(mended) == dict.fromkeys(exact(mended), True)
    [done] = repairs
    (code,) = done.sizes
    near = shapely.union_all([one.ground for one in seeded]).buffer(M)
    for old, new, name in zip(spoiled.geometry, mended.geometry, spoiled["code"], strict=True):
        assert old.equals_exact(new, 0) or old.intersects(near)
        moved = old.symmetric_difference(new)
        assert moved.difference(near).area < 1e-16  # square degrees: a millionth of a square metre
        assert name == code or moved.area < 1e-16
    ground = areas_m2(gpd.GeoDataFrame(geometry=[one.ground for one in seeded], crs=4490)).sum()
    before, after = done.sizes[code]
    assert abs(before - after) == pytest.approx(ground, rel=0.01)


@pytest.mark.parametrize("kind", HOPELESS)
def test_what_a_person_has_to_redraw_is_never_touched(sound, kind):
    spoiled, _ = spoil(sound, [kind], seed=1)

    mended, repairs = repair(spoiled, wishes=WIDE)

    assert repairs == []
    assert all(one is other for one, other in zip(mended.geometry, spoiled.geometry, strict=True))
    assert not check_coverage(mended).ok or kind == "malformed_code"


@pytest.mark.parametrize(
    "kind", ["overlap_big", "gap_wide", "outside_the_district", "missing_cell", "twin", "nested"]
)
def test_what_is_large_is_left_as_it_is_and_stays_an_error(sound, kind):
    spoiled, seeded = spoil(sound, [kind], seed=2)

    mended, repairs = repair(spoiled)

    assert all(one is other for one, other in zip(mended.geometry, spoiled.geometry, strict=True))
    assert [one.done for one in repairs] == [False] * len(seeded)
    assert all("more than" in one.words for one in repairs)
    assert len(faults_left(mended)) == len(seeded)


@pytest.mark.parametrize("seed", range(12))
def test_many_faults_are_mended_at_once_and_a_second_time_changes_nothing(wide, seed):
    kinds = list(np.random.default_rng(seed).permutation(MENDABLE * 2))
    while True:
        try:
            spoiled, _ = spoil(wide, kinds, seed=seed)
            break
        except LookupError:
            kinds.pop()

    mended, repairs = repair(spoiled, wishes=WIDE)
    again, nothing = repair(mended, wishes=WIDE)

    assert len(kinds) > 12
    assert [one.line() for one in repairs if not one.done] == []
    assert faults_left(mended) == []
    assert exact(mended) == dict.fromkeys(exact(mended), True)
    assert shapely.is_valid(mended.geometry.array).all()
    assert nothing == []
    assert all(one is other for one, other in zip(again.geometry, mended.geometry, strict=True))
    level = mended["level"] == "building_group"
    district = mended.geometry[mended["level"] == "district"]
    assert areas_m2(mended[level]).sum() == pytest.approx(
        areas_m2(mended.loc[district.index]).sum(), rel=1e-9
    )


@pytest.mark.parametrize("metres", [1.5, 8])
def test_a_border_of_two_towns_that_overlap_at_every_level_becomes_one_line(wide, metres):
    grid = dict(zip(wide["code"], wide.geometry, strict=True))
    level = dict(zip(wide["code"], wide["level"], strict=True))
    west, east = "990101001", "990101002"
    assert grid[west].intersection(grid[east]).length > 500 * M
    wider = dict(grid)
    for code in grid:
        for other in grid:
            meets = code.startswith(west) and other.startswith(east) and level[code] == level[other]
            if meets and grid[code].distance(grid[other]) < metres * M:
                wider[code] = wider[code].union(grid[other].intersection(grid[code].buffer(metres * M)))
    spoiled = wide.set_geometry(gpd.GeoSeries([wider[code] for code in wide["code"]], crs=4490))
    assert len(faults_left(spoiled)) > 50

    mended, repairs = repair(spoiled, wishes=Wishes(sliver_m=10, clip_m=10))

    assert faults_left(mended) == []
    assert all(exact(mended).values())
    town = mended.geometry[mended["code"] == west].iloc[0]
    # the lower code has the ground, and so has all that lies in it
    assert town.symmetric_difference(wider[west]).area < 1e-14
    assert {one.fault.level for one in repairs} == {"town", "community", "building_group"}


def test_noise_that_the_gate_ignores_is_not_repaired(sound):
    spoiled, _ = spoil(sound, ["noise", "just_over_the_border", "repeated_vertices"], seed=0)

    mended, repairs = repair(spoiled)

    assert repairs == []
    assert all(one is other for one, other in zip(mended.geometry, spoiled.geometry, strict=True))


def test_a_wider_tolerance_leaves_more_alone(sound):
    spoiled, _ = spoil(sound, ["overlap_sliver"], seed=0)

    assert repair(spoiled, Tolerance(overlap_m2=1e6))[1] == []
