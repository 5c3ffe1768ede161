"""Drawing an edition anew: what each operation does to cells, codes, people and the areas above."""

from __future__ import annotations

import json
from itertools import pairwise

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely import box
from shapely.geometry import LineString, MultiPolygon, Polygon, mapping

from gis.errors import InvalidGeometry, InvalidInput
from gis.redraw import size_m2
from grids.ground.gate import check_grid
from grids.ground.redraw import NoteKind, Operation, OperationKind, apply

WEST, SOUTH, STEP = 117.0, 36.0, 0.004  # a cell is some 360 m by 440 m
DISTRICT = "990101"


def corner(x, y):
    """Return a corner of the lattice, moved a little when it is not on the border of the district."""
    aside = 0.0 if x in (0, 4) or y in (0, 4) else 0.12
    return (
        round(WEST + STEP * (x + aside * np.sin(5 * x + 3 * y)), 7),
        round(SOUTH + STEP * (y + aside * np.cos(2 * x + 7 * y)), 7),
    )


def bend(start, end):
    """Return the places from one corner to the next, the first left out; the same there as back."""
    (x1, y1), (x2, y2) = sorted([start, end])
    middle = (round((x1 + x2) / 2 + 0.1 * (y2 - y1), 7), round((y1 + y2) / 2 - 0.1 * (x2 - x1), 7))
    return [middle, end]


def cell(x, y):
    """Return the cell of column x from the west and row y from the south."""
    around = [corner(x, y), corner(x + 1, y), corner(x + 1, y + 1), corner(x, y + 1), corner(x, y)]
    ring = [around[0]]
    for start, end in pairwise(around):
        ring += bend(start, end)
    return Polygon(ring)


def code_of(x, y):
    """Return town 001 in the west and 002 in the east, in each a community south and one north, of 4 cells."""
    return f"{DISTRICT}{x // 2 + 1:03d}{y // 2 + 1:03d}{y % 2 * 2 + x % 2 + 1:03d}"


def a_district(**changes):
    cells = {code_of(x, y): cell(x, y) for x in range(4) for y in range(4)}
    rows = []
    for length, level in ((6, "district"), (9, "town"), (12, "community"), (15, "building_group")):
        for code in sorted({code[:length] for code in cells}):
            members = [shape for key, shape in cells.items() if key.startswith(code)]
            rows.append(
                {
                    "code": code,
                    "level": level,
                    "name": f"第{code[-3:]}",
                    "parent_code": code[:-3] if length > 6 else None,
                    "source_code": f"s{code}",
                    "households": 400 * len(members),
                    "population": 900 * len(members),
                    "size_reason": None,
                    "geometry": MultiPolygon([shapely.coverage_union_all(members)]),
                }
            )
    return gpd.GeoDataFrame(rows, crs=4490)


def drawn(areas, *operations, used=frozenset()):
    """Apply operations, each a kind and its arguments, and hold the result against the gate."""
    result = apply(areas, [operation(kind, **given) for kind, given in operations], used)
    assert check_grid(result.areas).errors == ()
    for _, level in result.areas.groupby("level"):
        assert shapely.coverage_is_valid(level.geometry.to_numpy())
    return result


def operation(kind, **given):
    return Operation.from_json({"kind": kind, **given})


def area(areas, code):
    return areas.set_index("code").loc[code]


def line(*places):
    """Return a line through places in steps of the lattice."""
    return [[WEST + STEP * x, SOUTH + STEP * y] for x, y in places]


SW = code_of(0, 0)  # 990101 001 001 001, in the corner of the district
EAST_OF_IT = code_of(1, 0)
SOUTH_WEST, NORTH_WEST, SOUTH_EAST = (f"{DISTRICT}{tail}" for tail in ("001001", "001002", "002001"))
ACROSS = line((-0.2, 0.3), (0.5, 0.35), (1.5, 0.3))  # over the SW cell from outside into its neighbour


def test_the_lattice_is_a_grid():
    assert check_grid(a_district()).faults == ()


# split


def test_the_larger_piece_keeps_the_code_and_the_other_gets_the_next_number():
    base = a_district()

    after = drawn(base, ("split", {"code": SW, "line": ACROSS}))

    large, small = (area(after.areas, code) for code in (SW, f"{SOUTH_WEST}005"))
    assert size_m2(large.geometry) > size_m2(small.geometry)
    assert size_m2(large.geometry) + size_m2(small.geometry) == pytest.approx(size_m2(cell(0, 0)), rel=1e-4)
    assert (large["name"], small["name"]) == ("第001", "第001-2")
    assert large["source_code"] == f"s{SW}"
    assert pd.isna(small["source_code"])
    assert small["parent_code"] == SOUTH_WEST
    assert after.code_changes == {}


def test_households_go_by_ground_are_marked_and_add_up():
    after = drawn(a_district(), ("split", {"code": SW, "line": ACROSS}))

    pieces = after.areas[after.areas["code"].isin([SW, f"{SOUTH_WEST}005"])]
    assert pieces["households"].sum() == 400
    assert pieces["population"].sum() == 900
    share = size_m2(pieces.geometry.iloc[1]) / size_m2(cell(0, 0))
    assert pieces["households"].iloc[1] == pytest.approx(400 * share, abs=1)
    assert {(note.step, note.kind, note.code) for note in after.notes} == {
        (0, NoteKind.ESTIMATED, code) for code in pieces["code"]
    }


def test_names_and_people_may_be_told():
    told = {"names": ["东", "西"], "households": [350, None], "population": [800, 100]}

    after = drawn(a_district(), ("split", {"code": SW, "line": ACROSS, **told}))

    pieces = after.areas[after.areas["code"].isin([SW, f"{SOUTH_WEST}005"])]
    assert pieces["name"].tolist() == ["东", "西"]
    assert pieces["households"].iloc[0] == 350
    assert pd.isna(pieces["households"].iloc[1])
    assert pieces["population"].tolist() == [800, 100]
    assert after.notes == ()


def test_neighbours_and_parents_get_a_vertex_where_the_cut_meets_them_and_nobody_else_changes():
    base = a_district()

    after = drawn(base, ("split", {"code": SW, "line": ACROSS}))

    old, new = (dict(zip(f["code"], shapely.to_wkb(f.geometry), strict=True)) for f in (base, after.areas))
    changed = {code for code, shape in old.items() if new[code] != shape}
    # the line leaves the district in the west, and in the east it meets the next cell
    assert changed == {SW, EAST_OF_IT, SOUTH_WEST, SOUTH_WEST[:9], DISTRICT}
    for code in changed - {SW}:
        assert shapely.get_num_coordinates(
            area(after.areas, code).geometry
        ) == 1 + shapely.get_num_coordinates(area(base, code).geometry)


@pytest.mark.parametrize("metres", [-30.0, -5.0, 0.0, 5.0, 18.0])
def test_a_line_that_falls_short_by_some_metres_is_brought_to_the_border(metres):
    chord = LineString(ACROSS).intersection(cell(0, 0))
    (x1, y1), *_, (x2, y2) = chord.coords
    across = [[x1 + metres / 90_000, y1], [(x1 + x2) / 2, y1], [x2 - metres / 90_000, y2]]

    after = drawn(a_district(), ("split", {"code": SW, "line": across}))

    assert len(after.areas) == len(a_district()) + 1


def test_a_line_may_cut_a_cell_in_three():
    hook = line((-0.1, 0.3), (1.4, 0.3), (1.4, 0.7), (-0.1, 0.7))

    after = drawn(a_district(), ("split", {"code": SW, "line": hook}))

    assert {f"{SOUTH_WEST}005", f"{SOUTH_WEST}006"} <= set(after.areas["code"])


def test_a_cut_close_to_a_corner_meets_it_in_the_corner():
    x, y = corner(1, 1)
    start = [x + 3e-6, y + 1e-6]  # 0.3 m beside the corner

    after = drawn(a_district(), ("split", {"code": SW, "line": [start, *line((0.5, 0.5), (-0.2, 0.2))]}))

    assert (x, y) in area(after.areas, f"{SOUTH_WEST}005").geometry.geoms[0].exterior.coords
    old, new = (area(areas, code_of(1, 1)).geometry for areas in (a_district(), after.areas))
    assert new.equals_exact(old, 0)


def test_retired_numbers_rest():
    used = {f"{SOUTH_WEST}005", f"{SOUTH_WEST}009"}

    after = drawn(a_district(), ("split", {"code": SW, "line": ACROSS}), used=used)

    assert f"{SOUTH_WEST}010" in set(after.areas["code"])
    assert used < after.used_codes


def test_a_community_is_split_between_its_cells_and_the_line_need_not_follow_them_closely():
    (x0, y0), (x1, y1), (x2, y2) = (corner(x, 1) for x in range(3))
    roughly = [[x0 - 1e-3, y0 + 1e-4], [x1, y1 - 1e-4], [x2 + 1e-3, y2 + 2e-4]]

    after = drawn(a_district(), ("split", {"code": SOUTH_WEST, "line": roughly}))

    other = f"{DISTRICT}001003"
    found = [shapely.union_all([cell(x, y) for x in (0, 1)]) for y in (0, 1)]
    assert all(
        any(area(after.areas, code).geometry.equals(shape) for shape in found) for code in (SOUTH_WEST, other)
    )
    assert set(after.code_changes.values()) <= set(after.areas["code"])
    assert len(after.code_changes) == 2
    assert area(after.areas, other)["households"] == 800
    assert after.notes == ()  # the sums of the cells are known


def test_a_town_takes_its_communities_and_their_cells_along():
    roughly = line((-0.2, 2.05), (2.2, 1.95))

    after = drawn(a_district(), ("split", {"code": f"{DISTRICT}001", "line": roughly}))

    assert len(after.code_changes) == 1 + 4
    (new,) = {code[:9] for code in after.code_changes.values()}
    assert new == f"{DISTRICT}003"
    assert all(old[-3:] == code[-3:] for old, code in after.code_changes.items())


# merge


def test_neighbours_become_one_under_the_lowest_code_with_all_their_people():
    after = drawn(a_district(), ("merge", {"codes": [EAST_OF_IT, SW]}))

    merged = area(after.areas, SW)
    assert EAST_OF_IT not in set(after.areas["code"])
    assert (merged["households"], merged["population"]) == (800, 1800)
    assert merged.geometry.equals(MultiPolygon([shapely.coverage_union_all([cell(0, 0), cell(1, 0)])]))
    assert area(after.areas, SOUTH_WEST)["households"] == 1600
    assert after.notes == ()


def test_the_code_and_the_name_of_a_merged_area_may_be_chosen():
    codes = [SW, EAST_OF_IT, code_of(1, 1)]

    after = drawn(
        a_district(), ("merge", {"codes": codes, "into": EAST_OF_IT, "name": "大院", "households": 1000})
    )

    merged = area(after.areas, EAST_OF_IT)
    assert (merged["name"], merged["households"]) == ("大院", 1000)
    assert area(after.areas, SOUTH_WEST)["households"] == 1400


def test_people_that_one_of_the_areas_does_not_state_are_left_open():
    base = a_district()
    base.loc[base["code"] == SW, "households"] = None

    after = drawn(base, ("merge", {"codes": [EAST_OF_IT, SW]}))

    assert pd.isna(area(after.areas, SW)["households"])
    assert [(note.kind, note.code) for note in after.notes] == [(NoteKind.UNKNOWN_SIZE, SW)]


def test_merged_communities_keep_the_numbers_of_their_cells_where_they_can():
    after = drawn(a_district(), ("merge", {"codes": [SOUTH_WEST, NORTH_WEST]}))

    assert after.code_changes == {f"{NORTH_WEST}00{n}": f"{SOUTH_WEST}00{n + 4}" for n in (1, 2, 3, 4)}
    assert area(after.areas, SOUTH_WEST)["households"] == 3200


def test_a_number_that_went_with_a_merge_does_not_come_back():
    merged = drawn(a_district(), ("merge", {"codes": [code_of(0, 1), code_of(1, 1)]}))

    after = drawn(merged.areas, ("split", {"code": SW, "line": ACROSS}), used=merged.used_codes)

    assert f"{SOUTH_WEST}004" not in set(after.areas["code"])
    assert f"{SOUTH_WEST}005" in set(after.areas["code"])


def test_a_retired_number_does_not_come_back_with_a_cell_that_had_it_elsewhere():
    codes = [code_of(0, 1), code_of(1, 1)]  # 003 and 004, and 004 goes

    after = drawn(
        a_district(),
        ("merge", {"codes": codes}),
        ("merge", {"codes": [SOUTH_WEST, NORTH_WEST]}),
    )

    assert after.code_changes[f"{NORTH_WEST}004"] == f"{SOUTH_WEST}008"
    assert f"{SOUTH_WEST}004" not in set(after.areas["code"])


# move_edge


def between(x, y, *places):
    """Return a line from corner to corner of the lattice, through places in steps."""
    return [list(corner(x, y)), *line(*places), list(corner(x, y + 1))]


def test_the_line_takes_the_place_of_the_edge_and_people_go_with_the_ground():
    base = a_district()
    moved = between(1, 0, (1.4, 0.5))

    after = drawn(base, ("move_edge", {"codes": [SW, EAST_OF_IT], "line": moved}))

    west, east = area(after.areas, SW), area(after.areas, EAST_OF_IT)
    assert size_m2(west.geometry) > size_m2(cell(0, 0)) * 1.1
    assert west["households"] + east["households"] == 800
    assert west["households"] > 430
    assert tuple(moved[1]) in west.geometry.geoms[0].exterior.coords
    assert {note.kind for note in after.notes} == {NoteKind.ESTIMATED}
    others = [code for code in base["code"] if code not in (SW, EAST_OF_IT)]
    assert all(area(base, c).geometry.equals_exact(area(after.areas, c).geometry, 0) for c in others)


@pytest.mark.parametrize("metres", [-15, 15])
def test_ends_some_metres_off_are_brought_to_the_ends_of_the_edge(metres):
    moved = between(1, 0, (1.2, 0.5))
    moved[0][1] += metres / 111_000

    after = drawn(a_district(), ("move_edge", {"codes": [SW, EAST_OF_IT], "line": moved[::-1]}))

    assert corner(1, 0) in area(after.areas, SW).geometry.geoms[0].exterior.coords


def test_an_edge_between_towns_moves_at_every_level():
    west, east = code_of(1, 0), code_of(2, 0)

    after = drawn(a_district(), ("move_edge", {"codes": [west, east], "line": between(2, 0, (2.4, 0.4))}))

    for code in (west, SOUTH_WEST, f"{DISTRICT}001"):
        assert size_m2(area(after.areas, code).geometry) > size_m2(area(a_district(), code).geometry) * 1.005
    assert area(after.areas, DISTRICT).geometry.equals_exact(area(a_district(), DISTRICT).geometry, 0)
    gone = 400 - area(after.areas, east)["households"]
    assert gone > 20
    assert area(after.areas, f"{DISTRICT}001")["households"] == 3200 + gone


def test_of_several_shared_edges_the_one_is_moved_that_the_line_ends_at():
    # the middle cell parts two neighbours that meet north and south of it
    middle = Polygon([(1, 1), (2, 1), (3, 1), (3, 2), (2, 2), (1, 2)])
    west = box(0, 0, 2, 3).difference(middle)
    east = Polygon([(2, 0), (4, 0), (4, 3), (2, 3), (2, 2), (3, 2), (3, 1), (2, 1)])
    areas = squares({"001": west, "002": east, "003": middle})
    codes = [f"{SOUTH_WEST}001", f"{SOUTH_WEST}002"]

    after = drawn(areas, ("move_edge", {"codes": codes, "line": line((2, 0), (2.5, 0.5), (2, 1))}))
    with pytest.raises(InvalidGeometry) as refused:
        apply(areas, [operation("move_edge", codes=codes, line=line((2, 0), (2.5, 0.5), (2, 3)))])

    assert size_m2(area(after.areas, codes[0]).geometry) > size_m2(area(areas, codes[0]).geometry)
    assert refused.value.code == "line_misses_edge"
    assert len(refused.value.facts["wanted"]) == 2


def squares(cells):
    """Return a district of one community with these cells, in steps of the lattice."""

    def placed(shape):
        return shapely.transform(shape, lambda xy: xy * STEP + [WEST, SOUTH])

    whole = placed(shapely.union_all(list(cells.values())))
    shapes = dict.fromkeys((DISTRICT, f"{DISTRICT}001", SOUTH_WEST), whole)
    shapes |= {f"{SOUTH_WEST}{tail}": placed(shape) for tail, shape in cells.items()}
    level = {6: "district", 9: "town", 12: "community", 15: "building_group"}
    return gpd.GeoDataFrame(
        {"code": list(shapes), "level": [level[len(code)] for code in shapes]},
        geometry=list(shapes.values()),
        crs=4490,
    )


# reassign


def test_a_cell_goes_to_the_next_community_and_gets_a_number_there():
    cell_code = code_of(1, 1)

    after = drawn(a_district(), ("reassign", {"code": cell_code, "to_parent": NORTH_WEST}))

    assert after.code_changes == {cell_code: f"{NORTH_WEST}005"}
    moved = area(after.areas, f"{NORTH_WEST}005")
    assert moved["parent_code"] == NORTH_WEST
    assert moved.geometry.equals_exact(area(a_district(), cell_code).geometry, 0)
    assert area(after.areas, NORTH_WEST)["households"] == 2000
    assert area(after.areas, SOUTH_WEST)["households"] == 1200
    assert area(after.areas, f"{DISTRICT}001").geometry.equals_exact(
        area(a_district(), f"{DISTRICT}001").geometry, 0
    )


def test_between_towns_the_outlines_of_both_follow():
    after = drawn(a_district(), ("reassign", {"code": code_of(1, 1), "to_parent": SOUTH_EAST}))

    for code, number in ((f"{DISTRICT}001", 7), (f"{DISTRICT}002", 9)):
        assert area(after.areas, code)["households"] == number * 400


def test_a_community_takes_its_cells_along():
    after = drawn(a_district(), ("reassign", {"code": SOUTH_WEST, "to_parent": f"{DISTRICT}002"}))

    new = f"{DISTRICT}002003"
    assert after.code_changes == {
        SOUTH_WEST: new,
        **{f"{SOUTH_WEST}00{n}": f"{new}00{n}" for n in (1, 2, 3, 4)},
    }


def test_a_village_stays_a_village_where_it_goes():
    village, there = f"{DISTRICT}001203", f"{DISTRICT}002201"
    names = {SOUTH_WEST: village, SOUTH_EAST: there}
    base = a_district()
    for column in ("code", "parent_code"):
        base[column] = [c if pd.isna(c) else names.get(c[:12], c[:12]) + c[12:] for c in base[column]]

    after = drawn(base, ("reassign", {"code": village, "to_parent": f"{DISTRICT}002"}))

    assert after.code_changes[village] == f"{DISTRICT}002202"


def test_code_changes_lead_from_the_beginning_to_the_end():
    cell_code = code_of(1, 1)

    after = drawn(
        a_district(),
        ("reassign", {"code": cell_code, "to_parent": NORTH_WEST}),
        ("reassign", {"code": NORTH_WEST, "to_parent": f"{DISTRICT}002"}),
    )

    assert after.code_changes[cell_code] == f"{DISTRICT}002003005"


def test_an_area_that_falls_apart_is_pointed_out():
    base = drawn(a_district(), ("merge", {"codes": [code_of(0, 1), code_of(1, 1)]}))
    three = drawn(
        base.areas, ("reassign", {"code": EAST_OF_IT, "to_parent": SOUTH_EAST}), used=base.used_codes
    )

    after = drawn(three.areas, ("reassign", {"code": f"{SOUTH_WEST}003", "to_parent": NORTH_WEST}))
    split = drawn(
        a_district(),
        ("reassign", {"code": code_of(0, 1), "to_parent": NORTH_WEST}),
        ("reassign", {"code": EAST_OF_IT, "to_parent": SOUTH_EAST}),
    )

    assert [note for note in after.notes if note.kind is NoteKind.IN_PARTS] == []
    (note,) = split.notes
    assert (note.step, note.kind, note.code) == (1, NoteKind.IN_PARTS, SOUTH_WEST)


# replace_children


def planned(count, wobble=0.0):
    """Return the south-west community in vertical strips, as GeoJSON."""
    whole = area(a_district(), SOUTH_WEST).geometry
    west, south, east, north = whole.bounds
    edges = np.linspace(west - 1, east + 1, 2).tolist()
    edges = [edges[0], *np.linspace(west, east, count + 1)[1:-1], edges[-1]]
    strips = [
        whole.intersection(box(left + wobble, south - 1, right, north + 1)) for left, right in pairwise(edges)
    ]
    return [json.loads(json.dumps({"geometry": mapping(strip)})) for strip in strips]


def test_the_cells_of_a_community_give_way_to_planned_ones():
    cells = planned(3)
    cells[0] |= {"name": "西", "households": 300, "size_reason": "market"}

    after = drawn(a_district(), ("replace_children", {"code": SOUTH_WEST, "cells": cells}))

    found = after.areas[after.areas["parent_code"] == SOUTH_WEST]
    assert found["code"].tolist() == [f"{SOUTH_WEST}00{n}" for n in (5, 6, 7)]
    assert found["name"].tolist() == ["西", f"{SOUTH_WEST}006", f"{SOUTH_WEST}007"]
    assert found["households"].sum() == 1600
    assert found["households"].iloc[0] == 300
    assert found["size_reason"].iloc[0] == "market"
    assert shapely.get_x(shapely.centroid(found.geometry.to_numpy())).tolist() == sorted(
        shapely.get_x(shapely.centroid(found.geometry.to_numpy()))
    )
    assert {note.code for note in after.notes} == set(found["code"])


@pytest.mark.parametrize("wobble", [1e-4, -1e-4])
def test_cells_that_leave_a_gap_or_overlap_are_refused_with_the_size_of_it(wobble):
    with pytest.raises(InvalidGeometry) as refused:
        apply(a_district(), [operation("replace_children", code=SOUTH_WEST, cells=planned(3, wobble))])

    assert refused.value.code == "cells_do_not_fill"
    missing, over = refused.value.facts["got"]
    assert (missing if wobble > 0 else over) > 1000


def test_a_new_edge_that_ends_at_a_neighbour_gives_him_a_vertex():
    after = drawn(a_district(), ("replace_children", {"code": SOUTH_WEST, "cells": planned(3)}))

    assert shapely.get_num_coordinates(area(after.areas, DISTRICT).geometry) > shapely.get_num_coordinates(
        area(a_district(), DISTRICT).geometry
    )


# names and sizes


def test_names_and_sizes_are_stated_and_the_totals_above_follow():
    after = drawn(
        a_district(),
        ("rename", {"code": SW, "name": " 西南 "}),
        ("set_size", {"code": SW, "households": 450, "size_reason": "新建小区"}),
    )

    found = area(after.areas, SW)
    assert (found["name"], found["households"], found["population"], found["size_reason"]) == (
        "西南",
        450,
        900,
        "新建小区",
    )
    assert [area(after.areas, SW[:n])["households"] for n in (12, 9, 6)] == [1650, 3250, 6450]


def test_a_total_that_was_no_sum_stays_as_it_was_stated():
    base = a_district()
    base.loc[base["code"] == SOUTH_WEST, "households"] = 1700

    after = drawn(base, ("set_size", {"code": SW, "households": 450}))

    assert area(after.areas, SOUTH_WEST)["households"] == 1700
    assert area(after.areas, DISTRICT)["households"] == 6400


def test_the_size_of_a_parent_may_be_stated_against_its_children():
    after = drawn(a_district(), ("set_size", {"code": SOUTH_WEST, "households": 2000, "population": None}))

    assert area(after.areas, SOUTH_WEST)["households"] == 2000
    assert pd.isna(area(after.areas, SOUTH_WEST)["population"])


# what is refused

REFUSED = [
    ("unknown_area", "split", {"code": f"{SOUTH_WEST}099", "line": ACROSS}),
    ("wrong_level", "split", {"code": DISTRICT, "line": ACROSS}),
    ("line_does_not_cut", "split", {"code": SW, "line": line((0.3, 0.3), (0.5, 0.5))}),
    ("line_does_not_cut", "split", {"code": SW, "line": line((-1, 0.3), (0.5, 0.5))}),
    ("line_does_not_cut", "split", {"code": SW, "line": line((-1, 3), (5, 3))}),
    ("line_does_not_cut", "split", {"code": SW, "line": [list(p) for p in cell(0, 0).exterior.coords[:3]]}),
    ("piece_too_small", "split", {"code": SW, "line": line((-0.1, 0.12), (0.12, -0.1))}),
    ("line_crosses_itself", "split", {"code": SW, "line": line((-0.2, 0.3), (1, 0.6), (1, 0.3), (-0.2, 0.6))}),
    ("line_unreadable", "split", {"code": SW, "line": [[117.0, 36.0]]}),
    ("line_unreadable", "split", {"code": SW, "line": [[117.0, 36.0], [117.0, 36.0]]}),
    ("line_unreadable", "split", {"code": SW, "line": {"type": "Point", "coordinates": [117.0, 36.0]}}),
    ("line_unreadable", "split", {"code": SW, "line": ["a", "b"]}),
    ("line_unreadable", "split", {"code": SW, "line": [[117.0, 36.0], [float("nan"), 36.0]]}),
    ("coordinate_out_of_range", "split", {"code": SW, "line": [[36.0, 117.0], [36.1, 117.1]]}),
    ("children_straddle", "split", {"code": SOUTH_WEST, "line": line((-0.2, 0.5), (2.2, 0.5))}),
    ("line_does_not_cut", "split", {"code": SOUTH_WEST, "line": line((-0.2, 0.3), (0.3, -0.2))}),
    ("unusable_operation", "split", {"code": SW, "line": ACROSS, "names": ["one"]}),
    ("unusable_operation", "split", {"code": SW}),
    ("unusable_operation", "split", {"code": SW, "line": ACROSS, "colour": "red"}),
    ("unusable_operation", "burn", {"code": SW}),
    ("not_neighbours", "merge", {"codes": [SW, code_of(1, 1)]}),  # they meet in a corner only
    ("different_parents", "merge", {"codes": [code_of(1, 0), code_of(2, 0)]}),
    ("different_parents", "merge", {"codes": [SW, SOUTH_WEST]}),
    ("wrong_level", "merge", {"codes": [DISTRICT, SW]}),
    ("unusable_operation", "merge", {"codes": [SW, SW]}),
    ("unusable_operation", "merge", {"codes": [SW, EAST_OF_IT], "into": SOUTH_WEST}),
    ("not_neighbours", "move_edge", {"codes": [SW, code_of(3, 3)], "line": ACROSS}),
    ("wrong_level", "move_edge", {"codes": [SW, SOUTH_WEST], "line": ACROSS}),
    ("wrong_level", "move_edge", {"codes": [SW, SW], "line": ACROSS}),
    ("area_divided", "move_edge", {"codes": [SOUTH_WEST, NORTH_WEST], "line": ACROSS}),
    ("line_misses_edge", "move_edge", {"codes": [SW, EAST_OF_IT], "line": line((1, 0.2), (1, 0.8))}),
    ("line_leaves_areas", "move_edge", {"codes": [SW, EAST_OF_IT], "line": between(1, 0, (1.4, 0.5), (1.4, 1.5))}),
    ("line_leaves_areas", "move_edge", {"codes": [SW, EAST_OF_IT], "line": between(1, 0, (1.4, 0.5), (-0.5, 0.5))}),
    ("same_parent", "reassign", {"code": SW, "to_parent": SOUTH_WEST}),
    ("wrong_level", "reassign", {"code": SW, "to_parent": f"{DISTRICT}002"}),
    ("wrong_level", "reassign", {"code": DISTRICT, "to_parent": f"{DISTRICT}002"}),
    ("not_neighbours", "reassign", {"code": SW, "to_parent": SOUTH_EAST}),
    ("wrong_level", "replace_children", {"code": SW, "cells": planned(2)}),
    ("area_divided", "replace_children", {"code": f"{DISTRICT}001", "cells": planned(2)}),
    ("geometry_unreadable", "replace_children", {"code": SOUTH_WEST, "cells": [{"geometry": {"type": "x"}}]}),
    ("unusable_operation", "replace_children", {"code": SOUTH_WEST, "cells": []}),
    ("unusable_operation", "rename", {"code": SW, "name": " "}),
    ("unusable_operation", "set_size", {"code": SW, "households": -1}),
    ("unusable_operation", "set_size", {"code": SW, "households": True}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "kind", "given"), REFUSED, ids=[f"{c}-{k}-{n}" for n, (c, k, _) in enumerate(REFUSED)]
)
def test_what_cannot_be_done_is_refused_with_its_reason(code, kind, given):
    with pytest.raises(InvalidInput) as refused:
        apply(a_district(), [operation("rename", code=SW, name="x"), operation(kind, **given)])

    assert refused.value.code == code
    assert refused.value.facts["field"]
    assert refused.value.facts.get("step", 1) == 1


def test_the_last_area_of_a_parent_is_not_taken_away():
    base = drawn(
        a_district(),
        ("merge", {"codes": [SW, EAST_OF_IT, code_of(0, 1), code_of(1, 1)]}),
    )

    with pytest.raises(InvalidInput) as refused:
        apply(base.areas, [operation("reassign", code=SW, to_parent=NORTH_WEST)])

    assert refused.value.code == "parent_left_empty"


def test_when_all_numbers_were_used_a_parent_takes_no_more():
    used = {f"{SOUTH_WEST}{number:03d}" for number in range(1, 1000)}

    with pytest.raises(InvalidInput) as refused:
        apply(a_district(), [operation("split", code=SW, line=ACROSS)], used)

    assert refused.value.code == "no_free_code"


def test_outlines_that_lie_apart_are_refused_and_not_mended():
    base = a_district()
    crooked = area(base, SOUTH_WEST).geometry.buffer(-3e-6)
    base.loc[base["code"] == SOUTH_WEST, "geometry"] = gpd.GeoSeries(
        [MultiPolygon([crooked])], crs=4490
    ).array

    with pytest.raises(InvalidGeometry) as refused:
        apply(base, [operation("reassign", code=code_of(1, 1), to_parent=NORTH_WEST)])

    assert refused.value.code == "edges_differ"


# the list of operations


def test_operations_are_plain_values_that_come_back_from_json():
    cells = planned(2)
    for kind, given in [
        *((kind, given) for code, kind, given in REFUSED if not code.startswith("unusable")),
        ("replace_children", {"code": SW, "cells": cells}),
    ]:
        if "nan" in str(given):
            continue
        one = operation(kind, **given)
        again = Operation.from_json(json.loads(json.dumps(one.to_json())))
        assert again == one
        assert again.line()


def test_without_its_last_operation_a_draft_is_what_it_was_before():
    first, second = operation("split", code=SW, line=ACROSS), operation("merge", codes=[SW, EAST_OF_IT])
    base = a_district()

    undone = apply(apply(base, [first]).areas, [])

    assert undone.areas.equals(apply(base, [first, second][:1]).areas)
    assert set(shapely.to_wkb(apply(base, []).areas.geometry)) == set(shapely.to_wkb(base.geometry))


def test_every_kind_is_described_and_done():
    assert {kind for _, kind, _ in REFUSED if kind != "burn"} == {kind.value for kind in OperationKind}


# grids as files bring them


def coarse():
    """Return a grid whose large areas lack the vertices where small ones meet on their edges."""
    return squares(
        {"001": box(0, 0, 1, 1), "002": box(0, 1, 1, 2), "003": box(1, 0, 2, 2), "004": box(2, 0, 3, 2)}
    )


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("split", {"code": f"{SOUTH_WEST}003", "line": line((0.9, 0.5), (2.1, 1.4))}),
        ("merge", {"codes": [f"{SOUTH_WEST}00{n}" for n in (1, 2, 3)]}),
        ("move_edge", {"codes": [f"{SOUTH_WEST}001", f"{SOUTH_WEST}002"], "line": line((0, 1), (0.5, 1.4), (1, 1))}),
        ("move_edge", {"codes": [f"{SOUTH_WEST}001", f"{SOUTH_WEST}003"], "line": line((1, 0), (1.4, 0.5), (1, 1))}),
    ],
)  # fmt: skip
def test_edges_without_the_vertices_of_their_neighbours_are_no_hindrance(kind, given):
    after = apply(coarse(), [operation(kind, **given)])

    assert check_grid(after.areas).errors == ()
    cells = after.areas[after.areas["level"] == "building_group"].geometry
    assert shapely.area(cells.to_numpy()).sum() == pytest.approx(6 * STEP**2, rel=1e-9)


def test_a_grid_that_ends_at_the_community_is_redrawn_like_any_other():
    areas = a_district()
    areas = areas[areas["level"] != "building_group"]
    moved = [list(corner(2, 2)), *line((2.5, 3)), list(corner(2, 4))]

    after = drawn(
        areas,
        ("split", {"code": SOUTH_WEST, "line": line((-0.2, 0.7), (2.2, 0.6))}),
        ("move_edge", {"codes": [NORTH_WEST, f"{DISTRICT}002002"], "line": moved}),
    )

    assert f"{DISTRICT}001003" in set(after.areas["code"])


def test_a_cell_in_two_parts_is_cut_in_the_part_that_the_line_meets():
    islands = shapely.union_all([box(0, 0, 1, 1), box(2, 0, 2.3, 0.3)])
    areas = squares({"001": islands, "002": box(0, 1, 1, 2)})

    after = drawn(areas, ("split", {"code": f"{SOUTH_WEST}001", "line": line((-0.1, 0.3), (1.1, 0.3))}))

    assert len(area(after.areas, f"{SOUTH_WEST}001").geometry.geoms) == 2
    assert len(area(after.areas, f"{SOUTH_WEST}003").geometry.geoms) == 1


def test_a_ring_shaped_cell_is_opened_by_a_line_through_its_hole():
    ring = box(0, 0, 3, 3).difference(box(1, 1, 2, 2))
    areas = squares({"001": ring, "002": box(1, 1, 2, 2)})

    after = drawn(areas, ("split", {"code": f"{SOUTH_WEST}001", "line": line((1.5, -0.1), (1.5, 3.1))}))
    with pytest.raises(InvalidGeometry) as refused:
        apply(areas, [operation("split", code=f"{SOUTH_WEST}001", line=line((1.5, -0.1), (1.5, 1.5)))])
    codes = [f"{SOUTH_WEST}001", f"{SOUTH_WEST}002"]
    with pytest.raises(InvalidGeometry) as closed:
        apply(areas, [operation("move_edge", codes=codes, line=line((1, 1), (0.5, 1.5), (1, 2)))])

    assert len(after.areas) == len(areas) + 1
    assert refused.value.code == "line_does_not_cut"
    assert closed.value.code == "line_misses_edge"
