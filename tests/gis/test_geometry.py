"""Shapes: what is taken, what is refused and where it is broken."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from gis.errors import InvalidGeometry
from gis.geometry import (
    MOST_VERTICES,
    as_multipolygon,
    check_polygon,
    from_geojson,
    polygonal,
    ring_faults,
    to_geojson,
)

BOW_TIE = Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])


def as_array(*shapes):
    result = np.empty(len(shapes), dtype=object)
    result[:] = shapes
    return result


def test_each_broken_shape_is_named_with_its_reason_and_place():
    outside_hole = Polygon(box(0, 0, 1, 1).exterior, [box(5, 5, 6, 6).exterior])

    faults = ring_faults(as_array(box(0, 0, 1, 1), BOW_TIE, None, outside_hole, Polygon()))

    assert [(fault.row, fault.reason) for fault in faults] == [
        (1, "Self-intersection"),
        (3, "Hole lies outside shell"),
    ]
    assert (faults[0].x, faults[0].y) == (0.5, 0.5)


def test_a_coordinate_that_is_no_number_has_no_place_to_point_at():
    with np.errstate(invalid="ignore"):
        shape = Polygon([(0, 0), (1, 0), (1, math.nan), (0, 0)])

    (fault,) = ring_faults(as_array(shape))

    assert fault.reason == "Invalid Coordinate"
    assert fault.x is None
    assert fault.y is None


def test_a_polygon_is_stored_as_a_flat_multipolygon():
    area = as_multipolygon(shapely.from_wkt("POLYGON Z ((0 0 5, 1 0 5, 1 1 5, 0 0 5))"))

    assert isinstance(area, MultiPolygon)
    assert not area.has_z


@pytest.mark.parametrize("shape", [Point(0, 0), LineString([(0, 0), (1, 1)]), shapely.GeometryCollection()])
def test_what_is_no_area_is_refused(shape):
    with pytest.raises(InvalidGeometry) as refused:
        as_multipolygon(shape)

    assert refused.value.code == "geometry_wrong_type"
    assert refused.value.facts["got"] == shape.geom_type


def test_an_overlay_leaves_its_points_and_lines_behind():
    mixed = shapely.GeometryCollection([Point(0, 0), box(0, 0, 1, 1), MultiPolygon([box(2, 2, 3, 3)])])

    assert polygonal(mixed).equals(MultiPolygon([box(0, 0, 1, 1), box(2, 2, 3, 3)]))
    assert polygonal(LineString([(0, 0), (1, 1)])).is_empty


def test_a_drawn_area_comes_in_and_goes_out_as_geojson():
    drawn = {"type": "Polygon", "coordinates": [[[117, 34], [117.5, 34], [117.5, 34.123456789], [117, 34]]]}

    area = from_geojson(drawn, field="area")

    assert area.geom_type == "MultiPolygon"
    assert to_geojson(area)["coordinates"][0][0][2] == [117.5, 34.1234568]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0]]]}, "geometry_unreadable"),  # open ring
        ({"type": "Polygon", "coordinates": [[[math.nan, 0], [1, 1], [1, 0]]]}, "geometry_unreadable"),
        ({"type": "Polygon", "coordinates": [[["a", 0], [1, 1], [1, 0]]]}, "geometry_unreadable"),
        ({"type": "Circle"}, "geometry_unreadable"),
        ({}, "geometry_unreadable"),
        ({"type": "Polygon", "coordinates": []}, "geometry_empty"),
        ({"type": "Point", "coordinates": [1, 2]}, "geometry_wrong_type"),
        (
            {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]},
            "geometry_invalid",
        ),
    ],
)
def test_geojson_that_is_no_area_is_refused_by_field(value, code):
    with pytest.raises(InvalidGeometry) as refused:
        from_geojson(value, field="boundary")

    assert refused.value.code == code
    assert refused.value.facts["field"] == "boundary"


def test_a_shape_with_more_vertices_than_a_province_is_refused():
    angles = np.linspace(0, 2 * np.pi, MOST_VERTICES + 2)

    with pytest.raises(InvalidGeometry) as refused:
        check_polygon(Polygon(np.column_stack([np.cos(angles), np.sin(angles)])), field="area")

    assert refused.value.code == "geometry_too_big"


def test_a_star_that_would_hold_up_a_repair_for_a_minute_is_judged_at_once():
    # 201 vertices, each joined to one almost opposite: 20,000 crossings
    angles = np.arange(201) * 100 * 2 * np.pi / 201
    star = Polygon(np.column_stack([np.cos(angles), np.sin(angles)]))

    (fault,) = ring_faults(as_array(star))

    assert fault.reason == "Self-intersection"
