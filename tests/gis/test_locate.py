"""Every point of the city belongs to exactly one grid, the same one as by trying all of them."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial import Voronoi
from shapely import affinity
from shapely.geometry import MultiPolygon, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

from gis import locate as locate_module
from gis.crs import metres_between, metric_crs
from gis.errors import InvalidGeometry, InvalidInput
from gis.locate import Locator
from gis.lookup import halving
from gis.lookup import squares as squares_module

Floats = NDArray[np.float64]
Shapes = NDArray[np.object_]

NYC = Path(__file__).parents[2].parent / "shared" / "data" / "nyc"
LAIWU = (117.65, 36.21)
DEGREE = 1 / 111_320  # a metre, roughly, in degrees of latitude


def by_trying_all(polygons: Shapes, x: Floats, y: Floats) -> NDArray[np.intp]:
    """The rule itself, without any table: the lowest index that covers the point."""
    found = np.full(x.size, len(polygons), dtype=np.intp)
    tree = shapely.STRtree(polygons)
    points, holders = tree.query(shapely.points(x, y), predicate="covered_by")
    np.minimum.at(found, points, holders)
    return np.where(found == len(polygons), -1, found)


def district(cells: int, seed: int, *, width: float = 10_000.0, x0: float = 0.0, y0: float = 0.0) -> Shapes:
    """Return cells that share wiggly edges to the last bit, in the square (x0, y0) .. + width."""
    random = np.random.default_rng(seed)
    seeds = random.uniform(0, width, (cells, 2))
    mirrored = [seeds, seeds * [-1, 1], seeds * [1, -1], [2 * width, 0] + seeds * [-1, 1]]
    tessellation = Voronoi(np.vstack([*mirrored, [0, 2 * width] + seeds * [1, -1]]))
    lines = []
    for first, second in tessellation.ridge_vertices:
        ends = tessellation.vertices[[first, second]]
        steps = np.linspace(0, 1, 9)[:, None]
        line = ends[0] + steps * (ends[1] - ends[0])
        line[1:-1] += random.uniform(-0.04, 0.04, (7, 2)) * np.hypot(*(ends[1] - ends[0]))
        if first >= 0 and second >= 0:
            lines.append(line + np.array([x0, y0]))
    frame = box(x0 + 0.01 * width, y0 + 0.01 * width, x0 + 0.99 * width, y0 + 0.99 * width)
    noded = shapely.unary_union([frame.boundary, *(shapely.LineString(line) for line in lines)])
    faces = shapely.get_parts(shapely.polygonize([noded]))
    inside: Shapes = faces[shapely.contains_xy(frame, *shapely.get_coordinates(shapely.centroid(faces)).T)]
    return inside


def town_and_countryside() -> Shapes:
    """Return cells of a metre beside cells of kilometres, in one seamless district."""
    town = district(150, seed=30, width=30.0, x0=4_000.0, y0=3_000.0)
    land = district(60, seed=29, width=10_000.0)
    hole = shapely.union_all(town)
    cut = shapely.difference(land, hole)
    cells: Shapes = np.append(town, cut[~shapely.is_empty(cut)])
    return cells


def tried_points(polygons: Shapes, count: int, seed: int) -> tuple[Floats, Floats]:
    """Points anywhere, on vertices, in the middle of edges, and a last bit beside both."""
    random = np.random.default_rng(seed)
    west, south, east, north = shapely.total_bounds(polygons)
    margin = 0.05 * (east - west)
    anywhere = random.uniform((west - margin, south - margin), (east + margin, north + margin), (count, 2))
    vertices = shapely.get_coordinates(polygons)
    middles = (vertices[1:] + vertices[:-1]) / 2
    on_borders = np.vstack([vertices, middles])
    beside = np.nextafter(on_borders, random.choice([-np.inf, np.inf], on_borders.shape))
    x, y = np.vstack([anywhere, on_borders, beside]).T
    return x, y


def assert_same_as_trying_all(polygons: Shapes, x: Floats, y: Floats) -> None:
    np.testing.assert_array_equal(Locator(polygons).locate(x, y), by_trying_all(polygons, x, y))


def test_a_million_points_anywhere_and_on_borders_land_as_by_trying_all() -> None:
    polygons = district(300, seed=1)
    assert shapely.coverage_is_valid(polygons)
    x, y = tried_points(polygons, 1_000_000, seed=2)

    assert_same_as_trying_all(polygons, x, y)


@pytest.mark.parametrize(
    ("width", "x0", "y0"),
    [
        (0.3, 117.5, 36.1),  # degrees
        (30_000.0, 39_500_000.0, 4_000_000.0),  # Gauss-Krueger with the zone in front
        (1e-7, 117.5, 36.1),  # a district of a centimetre: only its numbers are coarse
        (3e-11, 117.5, 36.1),
        (1e6, -1e6, -1e6),
    ],
)
def test_small_and_far_districts_are_as_exact(width: float, x0: float, y0: float) -> None:
    polygons = district(40, seed=3, width=width, x0=x0, y0=y0)
    polygons = polygons[shapely.is_valid(polygons)]
    x, y = tried_points(polygons, 20_000, seed=4)

    assert_same_as_trying_all(polygons, x, y)


def of_fineness(
    patch: pytest.MonkeyPatch, *, squares: int = 1 << 18, finest: float = 1 / 64, blocks: int = 32
) -> None:
    """Lay tables of so many squares, halved down to `finest`, while there are blocks left."""
    patch.setattr(squares_module, "_FEWEST_SQUARES", squares)
    patch.setattr(squares_module, "_MOST_SQUARES", squares)
    patch.setattr(halving, "_FINEST", finest)
    patch.setattr(halving, "_BLOCKS_A_SEGMENT", 0)
    patch.setattr(halving, "_BLOCKS_A_POLYGON", blocks)


@pytest.mark.parametrize("halved", [1, 2, 8])
def test_points_on_the_lines_between_squares_and_their_quarters_are_as_exact(
    monkeypatch: pytest.MonkeyPatch, halved: int
) -> None:
    of_fineness(monkeypatch, squares=1 << 12)
    polygons = district(60, seed=5, x0=117.5)
    raster = Locator(polygons)._table._raster
    across, up = np.meshgrid(np.arange(halved * raster.columns), np.arange(halved * raster.rows))
    x, y = raster.back(across.ravel() / halved, up.ravel() / halved)

    for toward in (-np.inf, np.inf):
        assert_same_as_trying_all(polygons, np.nextafter(x, toward), np.nextafter(y, toward))
    assert_same_as_trying_all(polygons, x, y)


@pytest.mark.parametrize("squares", [1 << 8, 1 << 14, 1 << 20])
def test_points_a_last_bit_off_a_border_through_the_corners_of_squares_are_as_exact(
    monkeypatch: pytest.MonkeyPatch, squares: int
) -> None:
    of_fineness(monkeypatch, squares=squares)
    random = np.random.default_rng(18)
    for _ in range(20):
        west, south, width = random.uniform(0.1, 1, 3)
        slope = random.choice([0.5, 1, 2, 3])
        corners = [(west, south), (west + width, south), (west + width, south + width * slope)]
        polygons = np.array(
            [Polygon([corners[0], corners[2], (west, south + width * slope)]), Polygon(corners)]
        )
        raster = Locator(polygons)._table._raster
        steps = np.repeat(np.arange(1, raster.columns - 2) / raster.per_unit, 20)
        x, y = west + steps, south + steps * slope
        for _ in range(3):
            x, y = (np.nextafter(at, at + random.integers(-1, 2, at.size)) for at in (x, y))

        assert_same_as_trying_all(polygons, x, y)  # without the slack of a square 0.02 % would differ


def test_small_grids_of_a_town_beside_huge_ones_of_the_countryside_are_as_exact() -> None:
    polygons = town_and_countryside()
    x, y = tried_points(polygons, 200_000, seed=31)
    town = shapely.get_coordinates(polygons[shapely.area(polygons) < 1])
    random = np.random.default_rng(32)
    near = town[random.integers(0, len(town), 200_000)] + random.normal(0, 0.3, (200_000, 2))

    assert_same_as_trying_all(polygons, np.append(x, near[:, 0]), np.append(y, near[:, 1]))


def test_small_grids_beside_huge_ones_take_no_more_memory_than_even_ones() -> None:
    uneven = town_and_countryside()
    even = district(len(uneven), seed=33)
    vertices = shapely.get_num_coordinates(uneven).sum() / shapely.get_num_coordinates(even).sum()

    assert Locator(uneven).nbytes < 2 * vertices * Locator(even).nbytes


def test_grids_whose_neighbours_have_other_vertices_on_the_same_edge_are_as_exact() -> None:
    rows = [box(i / 7, 0, (i + 1) / 7, 1) for i in range(7)] + [
        box(i / 3, 1, (i + 1) / 3, 2) for i in range(3)
    ]
    polygons = shapely.segmentize(np.array(rows), 0.3)
    x, y = tried_points(polygons, 20_000, seed=34)

    assert_same_as_trying_all(polygons, x, y)


def test_corners_and_lines_at_any_angle_are_as_exact() -> None:
    for seed in range(20):
        random = np.random.default_rng(seed)
        angles = np.sort(random.uniform(0, 2 * np.pi, random.integers(3, 12)))
        star = np.column_stack([np.cos(angles), np.sin(angles)]) * random.uniform(0.05, 1, (angles.size, 1))
        shape = Polygon(star)
        if not shape.is_valid or shape.area == 0:
            continue
        around = box(-1.5, -1.5, 1.5, 1.5).difference(shape)
        for polygons in (np.array([shape, around]), np.array([around, shape])):
            x, y = tried_points(polygons, 5_000, seed)

            assert_same_as_trying_all(polygons, x, y)


def test_a_polygon_drawn_the_other_way_round_or_with_a_vertex_twice_holds_the_same_points() -> None:
    ring = [(0, 0), (4, 0), (4, 0), (4, 4), (2, 4), (2, 4), (0, 4)]
    hole = [(1, 1), (3, 1), (3, 3), (1, 3)]
    drawn = [Polygon(shell, [inner]) for shell in (ring, ring[::-1]) for inner in (hole, hole[::-1])]
    x, y = tried_points(np.array(drawn[:1]), 20_000, seed=35)

    for polygon in drawn:
        assert_same_as_trying_all(np.array([polygon, Polygon(hole)]), x, y)


def test_borders_along_the_lines_of_the_table_are_as_exact() -> None:
    polygons = np.array([box(i, j, i + 1, j + 1) for j in range(16) for i in range(16)])
    x, y = (half.ravel() for half in np.meshgrid(np.arange(-8, 136) / 8, np.arange(-8, 136) / 8))

    assert_same_as_trying_all(polygons, x, y)


def test_a_point_on_a_shared_edge_goes_to_the_lowest_index() -> None:
    west, east = box(0, 0, 1, 1), box(1, 0, 2, 1)

    assert Locator([west, east]).locate([1.0], [0.5]) == [0]
    assert Locator([east, west]).locate([1.0], [0.5]) == [0]


def test_a_corner_of_four_grids_goes_to_the_lowest_index() -> None:
    four = [box(1, 1, 2, 2), box(0, 1, 1, 2), box(1, 0, 2, 1), box(0, 0, 1, 1)]

    assert Locator(four).locate([1.0, 0.0, 2.0], [1.0, 0.0, 0.0]).tolist() == [0, 3, 2]


def test_where_grids_overlap_the_lowest_index_has_it() -> None:
    random = np.random.default_rng(6)
    centres, radii = random.uniform(0, 100, (60, 2)), random.uniform(1, 40, 60)
    polygons = shapely.buffer(shapely.points(centres), radii)
    x, y = tried_points(polygons, 50_000, seed=7)

    assert_same_as_trying_all(polygons, x, y)


def test_a_grid_wholly_inside_another_has_its_points_only_when_it_comes_first() -> None:
    outer, inner = box(0, 0, 100, 100), box(49.2, 49.2, 50.4, 50.4)

    assert Locator([outer, inner]).locate([50.0], [50.0]) == [0]
    assert Locator([inner, outer]).locate([50.0, 10.0], [50.0, 10.0]).tolist() == [0, 1]


def test_holes_and_scattered_parts_are_respected() -> None:
    ring = box(0, 0, 10, 10).difference(box(3, 3, 7, 7))
    islands = MultiPolygon([box(4, 4, 5, 5), box(20, 0, 21, 1)])
    polygons = np.array([ring, islands])
    x, y = tried_points(polygons, 50_000, seed=8)

    assert_same_as_trying_all(polygons, x, y)
    assert Locator(polygons).locate([3.5, 4.5, 20.5, 5.5, 3.0], [3.5, 4.5, 0.5, 5.5, 5.0]).tolist() == [
        -1,
        1,
        1,
        -1,
        0,
    ]


def test_a_sliver_thinner_than_any_square_is_found() -> None:
    sliver = Polygon([(0, 0), (1000, 1e-9), (1000, 2e-9)])
    polygons = np.array([sliver, box(0, 1, 1000, 100)])
    x, y = tried_points(polygons, 10_000, seed=9)

    assert_same_as_trying_all(polygons, x, y)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 40),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1 << 4, 1 << 8, 1 << 14]),
    st.sampled_from([1.0, 1 / 64, 1e-4]),
    st.sampled_from([0, 3, 200]),
    st.floats(-180, 180),
    st.floats(1e-3, 1e3),
)
def test_any_overlapping_shapes_at_any_fineness_are_exact(
    count: int, seed: int, squares: int, finest: float, blocks: int, angle: float, size: float
) -> None:
    random = np.random.default_rng(seed)
    shapes: list[BaseGeometry] = []
    for _ in range(count):
        corners = random.normal(0, size * random.uniform(0.01, 1), (6, 2)) + random.normal(0, size, 2)
        shapes.append(affinity.rotate(shapely.MultiPoint(corners).convex_hull, angle, origin=(0, 0)))
    polygons = np.array(shapes)
    x, y = tried_points(polygons, 500, seed)

    with pytest.MonkeyPatch.context() as patch:
        of_fineness(patch, squares=squares, finest=finest, blocks=blocks)
        assert_same_as_trying_all(polygons, x, y)


def test_one_point_at_a_time_many_at_once_and_in_any_thread_answer_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(locate_module, "THREADS", 4)
    monkeypatch.setattr(locate_module, "_CHUNK", 1_000)
    polygons = district(50, seed=10)
    x, y = tried_points(polygons, 20_000, seed=11)
    locator = Locator(polygons)

    at_once = locator.locate(x, y)

    assert [int(locator.locate(x[i], y[i])[0]) for i in range(500)] == at_once[:500].tolist()
    with ThreadPoolExecutor(4) as pool:
        for again in pool.map(lambda _: Locator(polygons).locate(x, y), range(4)):
            np.testing.assert_array_equal(again, at_once)


def test_a_locator_sent_to_another_process_answers_alike() -> None:
    polygons = district(20, seed=12)
    x, y = tried_points(polygons, 2_000, seed=13)

    again = pickle.loads(pickle.dumps(Locator(polygons)))

    np.testing.assert_array_equal(again.locate(x, y), by_trying_all(polygons, x, y))


def test_a_city_without_grids_holds_no_point() -> None:
    empty = Locator([])

    assert len(empty) == 0
    assert empty.locate([0.0, 117.0], [0.0, 36.0]).tolist() == [-1, -1]
    assert empty.nearest([117.0], [36.0])[0].tolist() == [-1]
    assert empty.shares(117.0, 36.0, 20.0) == []


def test_no_points_give_no_answers() -> None:
    locator = Locator([box(0, 0, 1, 1)])

    assert locator.locate([], []).size == 0
    assert locator.nearest([], [])[1].size == 0
    assert locator.distance_to_border([], [], []).size == 0


def test_a_small_district_takes_little_memory_and_a_large_one_stays_below_a_hundred_megabytes() -> None:
    assert Locator(district(10, seed=14)).nbytes < 2e6
    assert Locator(district(1_500, seed=15)).nbytes < 100e6


@pytest.mark.parametrize(
    ("x", "y", "field", "count"),
    [([0.0, np.nan], [0.0, 1.0], "x", 1), ([0.0, 1.0], [np.inf, -np.inf], "y", 2)],
)
def test_points_that_are_no_numbers_are_counted_and_refused(
    x: list[float], y: list[float], field: str, count: int
) -> None:
    with pytest.raises(InvalidInput) as refused:
        Locator([box(0, 0, 1, 1)]).locate(x, y)

    assert refused.value.code == "coordinate_not_finite"
    assert refused.value.facts["field"] == field
    assert refused.value.facts["count"] == count
    assert f"{count} of 2 points" in str(refused.value)


def test_more_x_than_y_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        Locator([box(0, 0, 1, 1)]).locate([0.0, 1.0], [0.0])

    assert refused.value.code == "lengths_differ"


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        (Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), "geometry_invalid"),
        (Polygon(), "geometry_empty"),
        (Point(1, 1), "geometry_wrong_type"),
        (None, "geometry_wrong_type"),
    ],
)
def test_a_broken_shape_is_refused_with_its_position(shape: BaseGeometry, code: str) -> None:
    with pytest.raises(InvalidGeometry) as refused:
        Locator([box(0, 0, 1, 1), shape])

    assert refused.value.code == code
    assert refused.value.facts["index"] == 1


def test_the_new_york_grids_answer_as_by_trying_all() -> None:
    pyogrio = pytest.importorskip("pyogrio")
    if not (NYC / "nyc_grids_4level.gpkg").exists():
        pytest.skip("the New York grids are not beside this repository")
    layers = [name for name, _ in pyogrio.list_layers(NYC / "nyc_grids_4level.gpkg")]
    for layer in layers:
        shapes = np.asarray(pyogrio.read_dataframe(NYC / "nyc_grids_4level.gpkg", layer=layer).geometry)
        polygons = shapes[shapely.is_valid(shapes)]
        x, y = tried_points(polygons, 20_000, seed=16)
        some = np.random.default_rng(17).permutation(x.size)[:40_000]

        assert_same_as_trying_all(polygons, x[some], y[some])


# How far from the border


def in_metres(shapes: Shapes, lon: float, lat: float) -> Shapes:
    """Return `shapes` in a plane round the point whose lengths near it are true: an independent measure."""
    plane = pyproj.CRS.from_proj4(f"+proj=aeqd +lon_0={lon} +lat_0={lat} +ellps=GRS80 +units=m")
    return projected(shapes, plane)


def projected(shapes: Shapes, crs: pyproj.CRS) -> Shapes:
    to_crs = pyproj.Transformer.from_crs(4490, crs, always_xy=True)
    return shapely.transform(shapes, lambda places: np.column_stack(to_crs.transform(*places.T)))


def near_borders(polygons: Shapes, metres: float, count: int, seed: int) -> tuple[Floats, Floats]:
    random = np.random.default_rng(seed)
    vertices = shapely.get_coordinates(polygons)[:-1]
    chosen = vertices[random.integers(0, len(vertices), count)]
    moved = chosen + random.uniform(-metres, metres, chosen.shape) * DEGREE
    return moved[:, 0], moved[:, 1]


@pytest.mark.parametrize("lat", [3.0, 25.86, 36.21, 53.0])
def test_the_border_within_thirty_metres_is_right_to_a_centimetre(lat: float) -> None:
    polygons = district(40, seed=20, width=0.1, x0=117.6, y0=lat)
    lon_near, lat_near = near_borders(polygons, 30, 100, seed=21)
    locator = Locator(polygons)
    index = locator.locate(lon_near, lat_near)

    metres = locator.border_distance_m(lon_near, lat_near, index)

    for i in np.flatnonzero(index >= 0):
        [plane] = in_metres(polygons[[index[i]]], lon_near[i], lat_near[i])
        assert metres[i] == pytest.approx(plane.boundary.distance(Point(0, 0)), abs=0.01)
    assert np.isnan(metres[index < 0]).all()


def test_the_border_in_a_metric_crs_is_as_shapely_measures_it() -> None:
    polygons = district(40, seed=22)
    x, y = tried_points(polygons, 5_000, seed=23)
    locator = Locator(polygons)
    index = locator.locate(x, y)
    held = index >= 0

    away = locator.distance_to_border(x, y, index)

    expected = shapely.distance(shapely.boundary(polygons[index[held]]), shapely.points(x[held], y[held]))
    np.testing.assert_allclose(away[held], expected, atol=1e-8)
    assert np.isnan(away[~held]).all()


def test_many_points_are_measured_in_batches_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    polygons = district(40, seed=24)
    x, y = tried_points(polygons, 500, seed=25)
    locator = Locator(polygons)
    index = locator.locate(x, y)
    at_once = locator.distance_to_border(x, y, index)
    monkeypatch.setattr("gis.borders._BATCH", 300)

    np.testing.assert_array_equal(locator.distance_to_border(x, y, index), at_once)


def test_a_hole_is_a_border_too() -> None:
    yard = box(0, 0, 10, 10).difference(box(4, 4, 6, 6))

    assert Locator([yard]).distance_to_border([3.0], [5.0], [0]).tolist() == [1.0]


@pytest.mark.parametrize("index", [[1], [-2], [0, 0]])
def test_a_border_of_no_grid_is_refused(index: list[int]) -> None:
    with pytest.raises(InvalidInput) as refused:
        Locator([box(0, 0, 1, 1)]).distance_to_border([0.5], [0.5], index)

    assert refused.value.code == "index_out_of_range"


def test_a_point_outside_is_told_the_nearest_grid_and_how_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate_module, "_OUTSIDE_AT_ONCE", 50)
    polygons = district(60, seed=26, width=0.2, x0=117.6, y0=52.0)
    random = np.random.default_rng(27)
    lon, lat = random.uniform(117.3, 118.1, 300), random.uniform(51.8, 52.5, 300)
    locator = Locator(polygons)

    index, metres = locator.nearest(lon, lat)

    inside = locator.locate(lon, lat)
    np.testing.assert_array_equal(index[inside >= 0], inside[inside >= 0])
    assert (metres[inside >= 0] == 0).all()
    for i in np.flatnonzero(inside < 0)[:80]:
        expected = shapely.distance(in_metres(polygons, lon[i], lat[i]), Point(0, 0))
        assert metres[i] == pytest.approx(expected.min(), rel=5e-3)
        assert expected[index[i]] == pytest.approx(expected.min(), rel=5e-3)


def test_the_nearest_of_two_grids_at_one_distance_is_the_lowest_index() -> None:
    north, south = box(117.0, 36.0, 117.1, 36.1), box(117.0, 35.9, 117.1, 36.0)

    for pair in ([north, south], [south, north]):
        index, metres = Locator(pair).nearest([117.2], [36.0])

        assert index.tolist() == [0]
        assert metres[0] == pytest.approx(metres_between(117.1, 36.0, 117.2, 36.0), abs=1e-6)


def test_a_point_abroad_still_has_a_nearest_grid() -> None:
    index, metres = Locator([box(117.0, 36.0, 117.1, 36.1)]).nearest([-73.98, 0.0], [40.75, 90.0])

    assert index.tolist() == [0, 0]
    assert (metres > 5e6).all()


# A point of limited accuracy


def test_a_blurred_point_on_a_straight_border_is_shared_half_and_half() -> None:
    lon, lat = LAIWU
    west, east = box(lon - 0.1, lat - 0.1, lon, lat + 0.1), box(lon, lat - 0.1, lon + 0.1, lat + 0.1)

    shares = Locator([west, east]).shares(lon, lat, 20.0)

    assert [index for index, _ in shares] == [0, 1]
    assert [share for _, share in shares] == pytest.approx([0.5, 0.5], abs=1e-9)


@pytest.mark.parametrize("metres", [5.0, 50.0, 500.0])
def test_the_shares_are_those_of_the_circle_in_metres(metres: float) -> None:
    polygons = district(80, seed=28, width=0.1, x0=117.6, y0=36.2)
    lon_near, lat_near = near_borders(polygons, metres, 20, seed=29)
    locator = Locator(polygons)

    for lon, lat in zip(lon_near.tolist(), lat_near.tolist(), strict=True):
        circle = Point(0, 0).buffer(metres, quad_segs=64)
        expected = shapely.area(shapely.intersection(in_metres(polygons, lon, lat), circle)) / circle.area
        shares = locator.shares(lon, lat, metres)
        assert sum(share for _, share in shares) == pytest.approx(expected.sum(), abs=1e-3)
        assert [share for _, share in shares] == sorted((share for _, share in shares), reverse=True)
        for index, share in shares:
            assert share == pytest.approx(expected[index], abs=1e-3)


def test_a_point_known_exactly_lies_in_one_grid_or_in_none() -> None:
    lon, lat = LAIWU
    locator = Locator([box(lon, lat, lon + 1, lat + 1)])

    assert locator.shares(lon, lat, 0.0) == [(0, 1.0)]
    assert locator.shares(lon - 1, lat, 0.0) == []
    assert locator.shares(lon - 1, lat, 100.0) == []


@pytest.mark.parametrize("accuracy", [-1.0, float("nan"), float("inf"), 100_001.0])
def test_an_accuracy_that_means_nothing_is_refused(accuracy: float) -> None:
    with pytest.raises(InvalidInput) as refused:
        Locator([box(0, 0, 1, 1)]).shares(0.5, 0.5, accuracy)

    assert refused.value.code == "accuracy_out_of_range"
    assert refused.value.facts["field"] == "accuracy_m"


def test_the_metric_crs_and_the_scaled_degrees_agree() -> None:
    lon, lat = LAIWU
    polygon = box(lon, lat, lon + 0.01, lat + 0.01)
    here = Point(lon + 0.0002, lat + 0.003)
    drawn, standing = projected(np.array([polygon, here]), metric_crs(lon, lat))

    metres = Locator([polygon]).border_distance_m([here.x], [here.y], [0])

    assert metres[0] == pytest.approx(drawn.boundary.distance(standing), abs=0.01)
