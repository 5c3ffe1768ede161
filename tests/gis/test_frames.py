"""A frame that is declared wrongly is noticed and the right one named; where nothing tells, nobody is accused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from numpy.typing import NDArray
from shapely.geometry import box

from benchmarks.frames import EVIDENCE, judged, tally
from gis.areas import read_areas
from gis.crs import EpsgFrame, Frame, from_storage, parse_frame
from gis.errors import InvalidInput
from gis.frames import examine_borders, examine_control_points, examine_points
from gis.readings import Reading, explained, readings_at, readings_inside

SHANGHAI = Path(__file__).parents[2].parent / "shared" / "data" / "shanghai"
XUZHOU = (117.2, 34.28)
DISTRICT = box(117.1, 34.2, 117.3, 34.36)

Floats = NDArray[np.float64]


def written(shapes: NDArray[np.object_], frame: str, *, swapped: bool = False) -> NDArray[np.object_]:
    """Return shapes of the storage frame as a file in `frame` has them."""
    reading = Reading(parse_frame(frame), swapped)
    return np.asarray(shapely.transform(shapes, lambda xy: reading.numbers(*xy.T)), dtype=object)


def uneven_cells(seed: int = 0) -> NDArray[np.object_]:
    random = np.random.default_rng(seed)
    seeds = shapely.MultiPoint(random.uniform(DISTRICT.bounds[:2], DISTRICT.bounds[2:], (60, 2)))
    cells = shapely.get_parts(shapely.voronoi_polygons(seeds, extend_to=DISTRICT))
    return np.asarray(shapely.intersection(cells, DISTRICT), dtype=object)


def spots(count: int, seed: int = 0) -> tuple[Floats, Floats]:
    random = np.random.default_rng(seed)
    west, south, east, north = DISTRICT.bounds
    return random.uniform(west, east, count), random.uniform(south, north, count)


def test_of_many_made_up_districts_the_misdeclared_are_noticed_and_the_honest_left_alone():
    sets = int(os.environ.get("GRIDWHISTLE_FRAME_SETS", "180"))  # 1000 for the figures that are published

    found = tally(list(judged(sets)))

    assert found.honest >= found.misdeclared >= sets / 4
    assert found.recall >= 0.99
    assert found.false_alarm_rate <= 0.01
    assert found.named_rate >= 0.99
    assert found.undecided <= 0.02 * found.honest


def test_a_table_of_points_accuses_hardly_anybody():
    found = tally(list(judged(90, evidence=("points",))))

    assert found.false_alarm_rate <= 0.01
    assert found.named_rate == 1


@pytest.mark.parametrize(
    ("true", "declared", "apart"),
    [
        ("GCJ02", "WGS84", 548),
        ("BD09", "CGCS2000", 1242),
        ("BD09", "GCJ02", 906),
        ("WGS84", "BD09", 1242),
        ("CGCS2000", "GCJ02", 548),
        ("EPSG:4548", "EPSG:32650", 1518),
        ("EPSG:4548", "EPSG:4547", 276_000),
    ],
)
def test_borders_and_control_points_name_the_frame_that_fits_and_how_far_it_is_off(true, declared, apart):
    lon, lat = spots(20)
    x, y = from_storage(lon, lat, true)
    cells = uneven_cells()

    by_points = examine_control_points(x, y, lon, lat, declared)
    by_borders = examine_borders(written(cells, true), declared, cells)

    for verdict in (by_points, by_borders):
        assert verdict.misdeclared
        assert str(verdict.fits) == str(Reading(parse_frame(true)))
        assert verdict.shift_m == pytest.approx(apart, rel=0.02)
        assert verdict.confidence > 0.9


@pytest.mark.parametrize(
    "frame", ["WGS84", "CGCS2000", "GCJ02", "BD09", "EPSG:4548", "EPSG:4527", "EPSG:3857"]
)
def test_a_frame_that_is_declared_as_it_is_fits(frame):
    lon, lat = spots(20)
    cells = uneven_cells()

    by_points = examine_control_points(*from_storage(lon, lat, frame), lon, lat, frame)
    by_borders = examine_borders(written(cells, frame), frame, cells)

    for verdict in (by_points, by_borders):
        assert verdict.fits == Reading(parse_frame(frame))
        assert not verdict.misdeclared


def test_swapped_axes_are_named():
    lon, lat = spots(20)
    cells = uneven_cells()
    x, y = from_storage(lon, lat, "EPSG:4548")

    assert examine_control_points(y, x, lon, lat, "EPSG:4548").fits == Reading(EpsgFrame(4548), swapped=True)
    by_borders = examine_borders(written(cells, "EPSG:4548", swapped=True), "EPSG:4548", cells)
    assert by_borders.fits == Reading(EpsgFrame(4548), swapped=True)
    assert "axes swapped" in by_borders.reason


def test_feet_are_told_from_metres_where_a_city_counts_in_them():
    random = np.random.default_rng(0)
    lon, lat = random.uniform(-74.02, -73.8, 20), random.uniform(40.6, 40.85, 20)
    x, y = from_storage(lon, lat, "EPSG:2263")  # New York, US survey feet

    verdict = examine_control_points(x, y, lon, lat, "EPSG:32618")

    assert verdict.fits == Reading(EpsgFrame(2263))


def test_a_constant_shift_that_no_frame_explains_is_told_as_such():
    lon, lat = spots(20)

    verdict = examine_control_points(lon + 0.0012, lat - 0.0006, lon, lat, "WGS84")  # as Xi'an 1980 might lie

    assert verdict.fits is None
    assert verdict.shift_m == pytest.approx(129, abs=3)
    assert "no known frame fits" in verdict.reason


def test_some_wrong_control_points_do_not_hide_the_frame():
    lon, lat = spots(20)
    x, y = from_storage(lon, lat, "GCJ02")
    x[:8] += 0.01

    assert examine_control_points(x, y, lon, lat, "WGS84").fits == Reading(Frame.GCJ02)


def test_two_control_points_are_too_few():
    with pytest.raises(InvalidInput) as refused:
        examine_control_points([1, 2], [1, 2], [1, 2], [1, 2], "WGS84")

    assert refused.value.code == "too_few_control_points"


def test_cells_drawn_entirely_anew_accuse_nobody_and_their_outline_still_tells():
    old, new = uneven_cells(1), uneven_cells(2)
    inner = np.array([cell for cell in new if not cell.touches(DISTRICT.exterior)], dtype=object)
    inner = np.array([cell for cell in inner if cell.disjoint(DISTRICT.exterior)], dtype=object)

    nothing_common = examine_borders(written(inner, "GCJ02"), "WGS84", old)
    by_outline = examine_borders(written(new, "GCJ02"), "WGS84", np.array([DISTRICT], dtype=object))

    assert nothing_common.fits is None
    assert by_outline.fits == Reading(Frame.GCJ02)


@pytest.mark.parametrize("off_m", [0.0, 11.0])
def test_where_gcj02_hardly_shifts_an_honest_file_is_not_accused(off_m):
    there = np.array([96.6377 - 117.2, 37.0547 - 34.28])  # here GCJ-02 lies 21 m off
    cells = shapely.transform(
        uneven_cells(), lambda xy: (xy - XUZHOU) * 0.15 + XUZHOU + there
    )  # farther on by more
    way = np.array(from_storage(96.6377, 37.0547, "GCJ02")) - np.array([96.6377, 37.0547])
    file = shapely.transform(cells, lambda xy: xy + way * off_m / 21)  # surveyed that much differently

    assert not examine_borders(file, "WGS84", cells).misdeclared


def test_a_chessboard_of_equal_cells_fits_as_it_is_declared():
    cells = np.array(
        [
            box(117.1 + i * 0.005, 34.2 + j * 0.005, 117.105 + i * 0.005, 34.205 + j * 0.005)
            for i in range(20)
            for j in range(20)
        ],
        dtype=object,
    )

    assert examine_borders(cells, "WGS84", cells).fits == Reading(Frame.WGS84)
    assert examine_borders(written(cells, "BD09"), "WGS84", cells).fits == Reading(Frame.BD09)


def test_a_file_of_another_place_is_told_and_nobody_accused():
    elsewhere = np.array([box(120.0, 30.0, 120.1, 30.1)], dtype=object)

    verdict = examine_borders(elsewhere, "WGS84", uneven_cells())

    assert verdict.fits is None
    assert "elsewhere" in verdict.reason


@pytest.mark.parametrize("nothing", [np.array([], dtype=object), np.array([None], dtype=object)])
def test_without_borders_nothing_can_be_said(nothing):
    assert examine_borders(nothing, "WGS84", uneven_cells()).fits is None
    assert examine_borders(uneven_cells(), "WGS84", nothing).fits is None


def test_points_that_all_lie_inside_another_frame_tell_and_points_in_the_middle_do_not():
    lon, lat = spots(20_000)
    x, y = from_storage(lon, lat, "BD09")
    middle = np.hypot(lon - 117.2, lat - 34.28) < 0.04

    everywhere = examine_points(x, y, "WGS84", DISTRICT)
    only_there = examine_points(x[middle], y[middle], "WGS84", DISTRICT)

    assert everywhere.fits == Reading(Frame.BD09)
    assert everywhere.shift_m == pytest.approx(1242, abs=5)
    assert only_there.fits is None


def test_points_of_the_neighbours_accuse_nobody():
    random = np.random.default_rng(0)
    lon, lat = random.normal(117.2, 0.02, 20_000), random.normal(34.28, 0.02, 20_000)
    lon[:900], lat[:900] = (
        random.uniform(117.3, 117.316, 900),
        random.uniform(34.21, 34.35, 900),
    )  # 1.5 km to the east

    assert not examine_points(lon, lat, "WGS84", DISTRICT).misdeclared


@pytest.mark.skipif(not SHANGHAI.is_dir(), reason="the sample data is not beside this checkout")
@pytest.mark.parametrize("true", ["WGS84", "GCJ02", "BD09"])
def test_real_places_in_a_real_outline_tell_their_frame(true):
    """The outline and the places are of different sources, both in WGS84; the other frames are written from it."""
    outline = shapely.union_all(
        read_areas(SHANGHAI / "shanghai_districts_2010.geojson").frame.geometry.to_numpy()
    )
    table = pd.read_csv(SHANGHAI / "shanghai_poi.csv.gz", usecols=["lon", "lat"])
    x, y = from_storage(table["lon"].to_numpy(), table["lat"].to_numpy(), true)

    verdict = examine_points(x, y, "WGS84", outline)

    assert str(verdict.fits) == str(Reading(parse_frame(true)))


def test_points_without_numbers_are_left_out():
    lon, lat = spots(1_000)
    lon[:100] = np.nan

    assert not examine_points(lon, lat, "CGCS2000", DISTRICT).misdeclared


def test_metres_that_are_read_as_degrees_are_told_in_which_systems_they_would_fit():
    (west, east), (south, north) = from_storage(
        np.array([117.12, 117.28]), np.array([34.21, 34.35]), "EPSG:4548"
    )
    bounds = [west, south, east, north]
    refused = InvalidInput("coordinate_out_of_range", "no place in WGS84", bounds=bounds)

    told = explained(refused, DISTRICT.bounds, "the city")

    assert told.facts["fits"] == ["EPSG:4548", "EPSG:32650"]
    assert "would lie in the city in EPSG:4548" in str(told)
    other = InvalidInput("unknown_column", "no", bounds=bounds)
    assert explained(other, DISTRICT.bounds, "the city") is other
    nowhere = InvalidInput("coordinate_out_of_range", "no", bounds=[9e6, 9e6, 9e6, 9e6])
    assert explained(nowhere, DISTRICT.bounds, "the city") is nowhere


def test_each_frame_of_a_place_is_listed_once_and_the_declared_one_first():
    found = readings_at(*XUZHOU, first=EpsgFrame(4509))  # the 6-degree zone whose middle is that of EPSG:4548

    names = [str(reading) for reading in found]
    assert found[0] == Reading(EpsgFrame(4509))
    assert "EPSG:4548" not in names
    assert len(names) == len(set(names))
    assert {"GCJ02", "BD09", "EPSG:4527", "EPSG:32650", "EPSG:3857"} <= set(names)


def test_outside_china_gcj02_is_no_frame_of_its_own():
    assert "GCJ02" not in [str(reading) for reading in readings_at(-73.9, 40.7)]


def test_a_single_point_in_metres_is_told_its_zone():
    x, y = from_storage(*XUZHOU, "EPSG:4527")

    assert Reading(EpsgFrame(4527)) in readings_inside([x, y, x, y], DISTRICT.bounds)
    assert Reading(EpsgFrame(4527), swapped=True) in readings_inside([y, x, y, x], DISTRICT.bounds)


def test_the_kinds_of_evidence_are_all_in_the_sets():
    kinds = {one.evidence for one in judged(6)}

    assert kinds == set(EVIDENCE)
