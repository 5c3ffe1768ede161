"""Areas as sums of directed edges: joined and taken apart without a new digit."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Polygon, box
from shapely.geometry import MultiPolygon

from benchmarks.tessellation import tessellation
from gis.edges import edges_of, joined, shaped, shared_runs, stitched, taken_from, turned, with_vertices
from gis.errors import InvalidGeometry

CELLS = np.array([MultiPolygon([cell]) for cell in tessellation(60, width=0.1, seed=4)])
RING = box(0, 0, 3, 3).difference(box(1, 1, 2, 2))


def multi(shape):
    return MultiPolygon([shape]) if isinstance(shape, Polygon) else shape


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 59), min_size=1), st.data())
def test_what_is_joined_and_taken_away_again_has_the_very_same_vertices(rows, data):
    chosen = CELLS[sorted(rows)]
    whole = joined(chosen)
    part = data.draw(st.sampled_from(sorted(rows)))

    rest = taken_from(whole, CELLS[part])

    assert whole.equals(shapely.union_all(chosen))
    assert rest.is_valid
    assert (
        edges_of(rest) == edges_of(joined(CELLS[sorted(rows - {part})])) if len(rows) > 1 else rest.is_empty
    )
    assert set(shapely.get_coordinates(whole)[:, 0]) <= set(shapely.get_coordinates(list(chosen))[:, 0])


@pytest.mark.parametrize(
    "shape",
    [
        box(0, 0, 1, 1),
        RING,
        shapely.union_all([RING, box(1.2, 1.2, 1.8, 1.8)]),  # an island in the hole
        MultiPolygon([box(0, 0, 1, 1), box(1, 1, 2, 2)]),  # two parts that touch in a corner
        Polygon(
            [(0, 0), (3, 0), (3, 3), (0, 3)], [[(0, 0), (2, 1), (1, 2)]]
        ),  # a hole that touches its shell
    ],
)
def test_an_area_is_the_sum_of_its_edges_whatever_its_holes_and_parts(shape):
    again = shaped(edges_of(shape))

    assert again.equals(shape)
    assert edges_of(again) == edges_of(shape)


def test_the_form_of_an_area_does_not_hang_on_the_way_it_was_made():
    row = [multi(box(n, 0, n + 1, 1)) for n in range(4)]

    one = joined([joined(row[:2]), joined(row[2:])])
    other = joined(row[::-1])

    assert shapely.to_wkb(one) == shapely.to_wkb(other)
    assert shapely.is_ccw(one.geoms[0].exterior)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (box(0, 0, 2, 2), box(1, 0, 2, 2)),  # over each other, with an edge in common
        (box(0, 0, 2, 2), box(0, 0, 2, 2)),
    ],
)
def test_areas_over_each_other_are_not_joined(one, other):
    with pytest.raises(InvalidGeometry) as refused:
        joined([one, other])

    assert refused.value.code == "edges_differ"


def test_what_is_not_part_of_an_area_is_not_taken_from_it():
    with pytest.raises(InvalidGeometry) as refused:
        taken_from(box(0, 0, 2, 2), box(2, 0, 3, 2))

    assert refused.value.code == "edges_differ"


def test_the_shared_edges_of_two_neighbours_are_one_line_a_run():
    west = box(0, 0, 2, 3).difference(box(1, 1, 2, 2))
    east = Polygon([(2, 0), (4, 0), (4, 3), (2, 3), (2, 2), (3, 2), (3, 1), (2, 1)])

    runs = shared_runs(west, east)

    assert sorted(sorted(run.coords) for run in runs) == [[(2, 0), (2, 1)], [(2, 2), (2, 3)]]
    assert shared_runs(west, box(9, 9, 10, 10)) == []
    assert shared_runs(box(0, 0, 1, 1), box(1, 1, 2, 2)) == []  # a corner is no edge


def test_neighbours_get_the_vertices_that_they_lack_on_their_common_edge():
    long, short = multi(box(0, 0, 1, 2)), multi(box(1, 0.5, 2, 1))

    one, other = stitched([long, short])

    assert {(1.0, 0.5), (1.0, 1.0)} <= set(map(tuple, shapely.get_coordinates(one).tolist()))
    assert other is short
    assert edges_of(one) & turned(edges_of(other)) == {((1.0, 0.5), (1.0, 1.0))}


@pytest.mark.parametrize(("off", "meets"), [(4e-8, True), (-4e-8, True), (5e-7, False)])
def test_corners_that_rounding_moved_apart_are_one_again(off, meets):
    here, there = multi(box(0, 0, 1, 1)), multi(box(1 + off, 0, 2, 1))

    one, other = stitched([here, there])

    assert one is here
    assert bool(shared_runs(one, other)) == meets


def test_vertices_are_inserted_in_holes_and_parts_in_their_order_along_the_edge():
    shape = MultiPolygon([RING, box(5, 0, 6, 1)])
    places = np.array([[2.0, 1.7], [2.0, 1.3], [5.5, 0.0], [9.0, 9.0], [3.0, 3.0], [0.5, 0.5]])

    found = with_vertices(shape, places)

    assert found.equals(shape)
    assert shapely.get_num_coordinates(found) == shapely.get_num_coordinates(shape) + 3
    (hole,) = found.geoms[0].interiors
    assert {(2.0, 1.7), (2.0, 1.3)} < set(hole.coords)
    assert with_vertices(found, places) is found
