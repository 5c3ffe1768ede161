"""Borders drawn anew: the shapes alone."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely import box
from shapely.geometry import LineString, MultiPolygon, mapping

from benchmarks.tessellation import tessellation
from gis.edges import edges_of, joined, shared_runs, turned, with_vertices
from gis.errors import InvalidGeometry, InvalidInput
from gis.redraw import SNAP_M, Cut, cut, edge_moved, meant_run, read_line, size_m2

DEGREE = 111_000
CELLS = [
    MultiPolygon([shapely.transform(cell, lambda xy: xy / DEGREE + [117.0, 36.0])])
    for cell in tessellation(40, width=2_400.0, seed=11)
]
PLAIN = MultiPolygon([box(117.0, 36.0, 117.01, 36.01)])


def try_to_cut(area, line):
    try:
        return cut(area, line)
    except InvalidGeometry as refused:
        if refused.code in {"line_does_not_cut", "piece_too_small"}:
            return None
        raise


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 39),
    st.lists(st.tuples(st.floats(-0.3, 1.3), st.floats(-0.3, 1.3)), min_size=2, max_size=6),
)
def test_however_a_cell_is_cut_its_pieces_fill_it_and_meet_edge_on_edge(row, places):
    area = CELLS[row]
    west, south, east, north = area.bounds
    line = LineString([(west + x * (east - west), south + y * (north - south)) for x, y in places])
    assume(line.is_simple and line.length)

    made = try_to_cut(area, line)

    assume(made is not None)
    assert isinstance(made, Cut)
    sizes = [size_m2(piece) for piece in made.pieces]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(piece.area for piece in made.pieces) == pytest.approx(area.area, rel=1e-9)
    assert shapely.coverage_is_valid(list(made.pieces))
    assert edges_of(joined(made.pieces)) == edges_of(with_vertices(area, made.nodes))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 39), st.floats(-0.3, 0.3), st.floats(0.2, 0.8))
def test_however_an_edge_is_moved_the_two_areas_keep_their_ground_between_them(row, aside, along):
    one = CELLS[row]
    other, runs = next((cell, runs) for cell in CELLS if cell is not one and (runs := shared_runs(one, cell)))
    start, end = np.array(runs[0].coords[0]), np.array(runs[0].coords[-1])
    middle = start + along * (end - start) + aside * np.array([start[1] - end[1], end[0] - start[0]])
    line = LineString([start + 5e-5, middle, end])
    assume(line.is_simple)

    try:
        run = meant_run(one, other, line)
    except InvalidGeometry as refused:
        if refused.code == "line_leaves_areas":
            return
        raise
    left, right = edge_moved(one, other, run)

    assert joined([left, right]).equals(joined([one, other]))
    assert edges_of(left) & turned(edges_of(right))
    assert tuple(middle) in set(map(tuple, shapely.get_coordinates(left).tolist()))
    back = edge_moved(left, right, type(run)(run.line, run.edge))
    assert [edges_of(shape) for shape in back] == [edges_of(one), edges_of(other)]


@pytest.mark.parametrize(("metres", "cuts"), [(SNAP_M - 1, True), (SNAP_M + 1, False)])
def test_a_line_may_fall_short_by_so_much_and_no_more(metres, cuts):
    line = LineString([(117.0 - 0.001, 36.005), (117.01 - metres / 90_163, 36.005)])

    made = try_to_cut(PLAIN, line)

    assert (made is not None) == cuts
    if made is not None:
        assert made.nodes[:, 0].tolist() == pytest.approx([117.0, 117.01], abs=1e-12)


@pytest.mark.parametrize(
    "value",
    [
        [[117.0, 36.0], [117.1, 36.1]],
        [[117.0, 36.0, 12.0], [117.1, 36.1, 12.0]],
        ((117.0, 36.0), (117.0, 36.0), (117.1, 36.1)),
        mapping(LineString([(117.0, 36.0), (117.1, 36.1)])),
    ],
)
def test_a_line_is_read_from_geojson_or_places(value):
    assert list(read_line(value).coords) == [(117.0, 36.0), (117.1, 36.1)]


@pytest.mark.parametrize(
    "value",
    [None, 5, "line", [], [[117, 36]], [[117, 36], [117]], [[[1, 2]], [[3, 4]]],
     [[117, 36]] * 9, [[117, 36], [118, 37]] * 3_000, {"type": "LineString"}, {"coordinates": [[1, 2], [3, 4]]}],
)  # fmt: skip
def test_what_is_no_line_is_refused_by_its_name(value):
    with pytest.raises(InvalidInput) as refused:
        read_line(value, field="border")

    assert (refused.value.code, refused.value.facts["field"]) == ("line_unreadable", "border")
