"""The sheet of metres: there and back, and sizes as surveyors measure them."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from shapely.geometry import Polygon, box

from gis.errors import UnknownFrame
from gis.plane import areas_m2, plane_of

BLOCK = box(117.0, 34.0, 117.01, 34.01)
TRUE_M2 = abs(pyproj.Geod(ellps="GRS80").geometry_area_perimeter(BLOCK)[0])


@pytest.mark.parametrize("epsg", [4490, 4326, 4548, 32650, 2263])
def test_a_shape_comes_back_to_where_it_was(epsg):
    frame = gpd.GeoDataFrame(geometry=[box(-74.0, 40.6, -73.9, 40.7)], crs=4326).to_crs(epsg)
    if epsg in (4548, 32650):
        frame = gpd.GeoDataFrame(geometry=[BLOCK], crs=4326).to_crs(epsg)
    plane = plane_of(frame)

    back = plane.degrees(plane.flat(frame.geometry[0]))

    assert shapely.hausdorff_distance(back, frame.to_crs(4490).geometry[0]) < 1e-9


def test_lengths_on_the_sheet_are_metres():
    (west, south, east, north) = plane_of(gpd.GeoDataFrame(geometry=[BLOCK], crs=4490)).flat(BLOCK).bounds

    geod = pyproj.Geod(ellps="GRS80")
    assert east - west == pytest.approx(geod.line_length([117.0, 117.01], [34.005, 34.005]), rel=1e-4)
    assert north - south == pytest.approx(geod.line_length([117.0, 117.0], [34.0, 34.01]), rel=1e-4)


def test_feet_are_no_metres():
    frame = gpd.GeoDataFrame(geometry=[box(-74.0, 40.6, -73.9, 40.7)], crs=4326)

    feet, degrees = plane_of(frame.to_crs(2263)), plane_of(frame)

    flat = feet.flat(frame.to_crs(2263).geometry[0])
    assert flat.area == pytest.approx(degrees.flat(frame.geometry[0]).area, rel=1e-3)


def test_shared_edges_stay_shared_to_the_last_bit():
    neighbour = box(117.01, 34.0, 117.02, 34.01)
    plane = plane_of(gpd.GeoDataFrame(geometry=[BLOCK, neighbour], crs=4490))

    flat = plane.flat(np.array([BLOCK, neighbour], dtype=object))

    assert shapely.coverage_is_valid(flat)


def test_sizes_agree_with_the_ellipsoid():
    frame = gpd.GeoDataFrame(geometry=[BLOCK, None, Polygon()], crs=4490)
    plane = plane_of(frame)

    assert plane.area_m2(plane.flat(BLOCK)) == pytest.approx(TRUE_M2, rel=1e-3)
    assert areas_m2(frame) == pytest.approx([TRUE_M2, 0, 0], rel=1e-3)
    assert areas_m2(frame.iloc[:0]).shape == (0,)


def test_a_place_lies_on_the_largest_part():
    parts = shapely.union_all([box(117.0, 34.0, 117.001, 34.001), box(117.1, 34.0, 117.11, 34.01)])
    plane = plane_of(gpd.GeoDataFrame(geometry=[parts], crs=4490))

    lon, lat = plane.place(plane.flat(parts))

    assert box(117.1, 34.0, 117.11, 34.01).contains(shapely.Point(lon, lat))


def test_coordinates_of_nowhere_are_refused():
    with pytest.raises(UnknownFrame):
        plane_of(gpd.GeoDataFrame(geometry=[BLOCK]))
