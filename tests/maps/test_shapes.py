from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from benchmarks.tessellation import tessellation
from gis.errors import InvalidGeometry, InvalidInput, UnknownFrame
from maps.shapes import bounds_of, checked, joint_outline, label_spots, outline, points, simplified

POLYGONS = ("Polygon", "MultiPolygon")


def frame(*shapes, crs="EPSG:4490", **columns):
    return gpd.GeoDataFrame({"code": range(len(shapes)), **columns}, geometry=list(shapes), crs=crs)


def read_back(drawn):
    """Return the polygons that a browser would draw from an outline."""
    polygons = []
    for polygon in drawn:
        rings = [np.cumsum(np.reshape(ring, (-1, 2)), axis=0) / 1e6 for ring in polygon]
        polygons.append(Polygon(rings[0], rings[1:]))
    return MultiPolygon(polygons)


def test_a_frame_without_a_needed_column_says_which():
    with pytest.raises(InvalidInput) as refusal:
        checked(frame(box(0, 0, 1, 1)), ("code", "name"), "cells", POLYGONS)

    assert refusal.value.code == "map_columns"
    assert "cells lacks the columns name" in str(refusal.value)


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:4549", None])
def test_coordinates_that_are_not_degrees_of_the_storage_frame_are_refused(crs):
    with pytest.raises(UnknownFrame):
        checked(frame(box(0, 0, 1, 1), crs=crs), ("code",), "cells", POLYGONS)


@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:4326"])
def test_both_geographic_frames_are_drawn(crs):
    assert len(checked(frame(box(0, 0, 1, 1), crs=crs), ("code",), "cells", POLYGONS)) == 1


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        (None, "no shape"),
        (Polygon(), "no shape"),
        (Point(1, 1), "Point"),
        (LineString([(0, 0), (1, 1)]), "LineString"),
        (Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), "an invalid shape"),
    ],
)
def test_a_shape_that_is_no_area_is_named_by_its_row(shape, found):
    with pytest.raises(InvalidGeometry) as refusal:
        checked(frame(box(0, 0, 1, 1), shape), ("code",), "cells", POLYGONS)

    assert refusal.value.facts["row"] == 1
    assert refusal.value.facts["got"] == found


def test_an_outline_comes_back_within_a_tenth_of_a_metre():
    ring = Point(117.65, 36.15).buffer(0.01).difference(Point(117.65, 36.15).buffer(0.004))

    drawn = read_back(outline(ring))

    assert drawn.hausdorff_distance(ring) < 1e-6


def test_neighbours_keep_one_common_edge_even_across_frames(make_cells):
    cells = make_cells(60)
    own, others = cells.iloc[:5], cells.iloc[5:]

    mine, around = simplified(own, others)

    drawn = [read_back(outline(shape)) for shape in (*mine, *around)]
    whole = shapely.union_all(drawn)
    assert sum(shape.area for shape in drawn) == pytest.approx(whole.area, rel=1e-9)
    assert whole.geom_type == "Polygon"
    assert not whole.interiors


@pytest.mark.parametrize("mismatch", [0.0, 1e-9])
def test_a_city_of_fine_outlines_is_thinned_to_what_a_browser_can_take(mismatch):
    heights = np.linspace(30, 31, 4000)
    edges = [np.column_stack([place / 20 + 0.01 * np.sin(heights * 40), heights]) for place in range(21)]
    strips = [Polygon([*edges[place], *(edges[place + 1] + (mismatch, 0))[::-1]]) for place in range(20)]

    (shapes,) = simplified(frame(*strips))

    assert shapely.get_num_coordinates(shapes).sum() <= 24_000
    assert all(shape.is_valid for shape in shapes)
    assert shapely.area(shapes) == pytest.approx(shapely.area(strips), rel=0.001)


def test_a_whole_city_is_thinned_to_the_pixels_of_its_first_view():
    metres = tessellation(2_100, width=40_000, halvings=3, uneven=True)
    cells = frame(*shapely.transform(metres, lambda xy: xy / (90_000, 111_000) + (117.2, 36.0)))
    pixel = np.ptp(cells.total_bounds.reshape(2, 2), axis=0).max() / 3_000

    (shapes,) = simplified(cells)

    assert shapely.get_num_coordinates(shapes).sum() < 0.5 * shapely.get_num_coordinates(cells.geometry).sum()
    away = shapely.hausdorff_distance(shapes, cells.geometry.to_numpy())
    assert np.quantile(away, 0.95) < 2 * pixel
    assert shapely.coverage_is_valid(shapes)
    drawn = [read_back(outline(shape)) for shape in shapes]
    whole = shapely.union_all(drawn)
    assert sum(shape.area for shape in drawn) == pytest.approx(whole.area, rel=1e-9)


def test_the_line_round_a_group_leaves_out_the_edges_between():
    shapes = np.array([box(0, 0, 1, 1), box(1, 0, 2, 1)], dtype=object)

    assert read_back(joint_outline(shapes)).equals(box(0, 0, 2, 1))
    assert joint_outline(shapes[:0]) == []


def test_a_name_stands_where_its_grid_is_widest_not_in_the_middle_of_its_box():
    corner = Polygon([(117, 36), (118, 36), (118, 36.1), (117.3, 36.1), (117.3, 37), (117, 37)])

    ((x, y, r),) = label_spots(np.array([corner], dtype=object))

    assert corner.contains(Point(x / 1e6, y / 1e6))
    assert 100_000 < r < 200_000
    assert not corner.contains(Point(117.5, 36.5))


def test_no_grid_at_all_cannot_be_drawn():
    empty = frame()

    with pytest.raises(InvalidInput) as refusal:
        bounds_of(empty)

    assert refusal.value.code == "map_empty"
    assert simplified(empty)[0].tolist() == []
    assert label_spots(simplified(empty)[0]) == []
    assert points(empty) == []
