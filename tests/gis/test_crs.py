"""A coordinate that names its frame lands where it was taken, and one that does not is refused by name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import geocoordinates_ffi as oracle  # type: ignore[import-untyped]
import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gis.crs import (
    STORAGE_SRID,
    AnyFrame,
    EpsgFrame,
    Frame,
    admit_frame,
    from_storage,
    is_place,
    looks_swapped,
    metres_between,
    metric_crs,
    parse_frame,
    to_storage,
)
from gis.errors import InvalidInput, UnknownFrame

DEGREES_OFF = 1e-9  # a tenth of a millimetre on the ground


def places_in_china(n: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    random = np.random.default_rng(seed)
    return random.uniform(74, 135, n), random.uniform(4, 53, n)


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ("WGS84", Frame.WGS84),
        ("wgs-84", Frame.WGS84),
        ("EPSG:4326", Frame.WGS84),
        ("CGCS2000", Frame.CGCS2000),
        ("EPSG:4490", Frame.CGCS2000),
        ("GCJ-02", Frame.GCJ02),
        (" gcj02 ", Frame.GCJ02),
        ("BD-09", Frame.BD09),
        ("bd09ll", Frame.BD09),
        ("EPSG:4548", EpsgFrame(4548)),
        (" epsg 4527 ", EpsgFrame(4527)),
        ("urn:ogc:def:crs:EPSG::3857", EpsgFrame(3857)),
        ("EPSG:2263", EpsgFrame(2263)),
    ],
)
def test_a_frame_is_known_by_each_of_its_usual_spellings(text: str, frame: AnyFrame) -> None:
    assert parse_frame(text) == frame
    assert parse_frame(parse_frame(text)) == parse_frame(frame.value) == frame


@pytest.mark.parametrize(
    "text", ["", "MARS", "4548", "EPSG:1", "EPSG:4479", "EPSG:5773", "EPSG:32600", "火星坐标"]
)
def test_an_unknown_frame_is_refused_and_told_which_are_known(text: str) -> None:
    with pytest.raises(UnknownFrame) as refused:
        parse_frame(text)

    assert refused.value.code == "unknown_frame"
    assert refused.value.facts == {
        "field": "frame",
        "got": text,
        "wanted": ["WGS84", "CGCS2000", "GCJ02", "BD09", "EPSG:<number>"],
    }


def test_what_a_map_service_publishes_equals_an_independent_program() -> None:
    lon, lat = places_in_china(2_000, seed=1)

    gcj = from_storage(lon, lat, Frame.GCJ02)
    bd = from_storage(lon, lat, Frame.BD09)

    for i in range(lon.size):
        place = oracle.Wgs84(lon=lon[i], lat=lat[i])
        expected_gcj, expected_bd = oracle.wgs84_to_gcj02(place), oracle.wgs84_to_bd09(place)
        assert (gcj[0][i], gcj[1][i]) == pytest.approx((expected_gcj.lon, expected_gcj.lat), abs=DEGREES_OFF)
        assert (bd[0][i], bd[1][i]) == pytest.approx((expected_bd.lon, expected_bd.lat), abs=DEGREES_OFF)


@pytest.mark.parametrize("frame", [Frame.GCJ02, Frame.BD09])
def test_a_shifted_coordinate_comes_back_to_where_it_was_taken(frame: Frame) -> None:
    lon, lat = places_in_china(100_000, seed=2)

    back = to_storage(*from_storage(lon, lat, frame), frame)

    assert metres_between(lon, lat, *back).max() < 1e-6


@pytest.mark.parametrize("frame", [Frame.WGS84, Frame.CGCS2000])
def test_wgs84_and_cgcs2000_pass_unchanged(frame: Frame) -> None:
    assert to_storage(117.65, 36.21, frame) == (117.65, 36.21)
    assert from_storage(117.65, 36.21, frame) == (117.65, 36.21)


@pytest.mark.parametrize(
    ("frame", "easting", "northing"),
    [
        # CGCS2000, 3-degree zone about 117 E, without and with its number: by the Krueger series, apart from PROJ
        ("EPSG:4548", 558_451.006, 4_009_040.338),
        ("EPSG:4527", 39_558_451.006, 4_009_040.338),
        ("EPSG:3857", 13_096_738.092, 4_329_555.655),
    ],
)
def test_a_projected_coordinate_names_its_system_and_lands_where_it_was_taken(
    frame, easting, northing
) -> None:
    assert from_storage(117.65, 36.21, frame) == pytest.approx((easting, northing), abs=0.01)
    assert to_storage(easting, northing, frame) == pytest.approx((117.65, 36.21), abs=1e-7)


def test_projected_tables_come_back_and_keep_their_shape() -> None:
    random = np.random.default_rng(3)
    lon, lat = random.uniform(115.6, 118.4, (2, 500)), random.uniform(25, 49, (2, 500))

    back = to_storage(*from_storage(lon, lat, "EPSG:4548"), "EPSG:4548")

    assert back[0].shape == (2, 500)
    assert metres_between(lon, lat, *back).max() < 1e-6


def test_many_threads_convert_at_once_and_agree() -> None:
    x, y = (
        np.random.default_rng(4).uniform(4e5, 6e5, 2_000),
        np.random.default_rng(5).uniform(3.9e6, 4e6, 2_000),
    )
    alone = to_storage(x, y, "EPSG:4548")

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: to_storage(x, y, "EPSG:4548"), range(64)))

    assert all(np.array_equal(one[0], alone[0]) and np.array_equal(one[1], alone[1]) for one in together)


@pytest.mark.parametrize(
    "frame", ["EPSG:2385", "EPSG:4610", "EPSG:2436", "EPSG:4214"]
)  # Xi'an 1980, Beijing 1954
def test_a_datum_without_published_conversion_is_refused_for_points_as_for_files(frame: str) -> None:
    place = (117.2, 34.3) if frame in ("EPSG:4610", "EPSG:4214") else (518_400.0, 3_796_900.0)

    with pytest.raises(UnknownFrame) as refused:
        to_storage(*place, frame)

    assert refused.value.code == "no_exact_conversion"


def test_a_conversion_of_ten_metres_is_not_good_enough_and_one_of_the_place_is_taken() -> None:
    with pytest.raises(UnknownFrame):
        to_storage(108.2, 20.3, "EPSG:4214")  # Beijing 1954 in the Gulf of Tonkin, published to 10 m

    assert metres_between(84.2, 40.3, *to_storage(84.2, 40.3, "EPSG:4214")) == pytest.approx(
        87, abs=60
    )  # the Tarim


@pytest.mark.parametrize(
    ("frame", "x", "y", "hint"),
    [
        ("EPSG:4548", 117.2, 34.3, "look like degrees"),
        ("EPSG:4548", 3_796_900, 518_400, "axes swapped"),
        ("EPSG:4548", 39_518_400, 3_796_900, "no place in EPSG:4548"),
        ("WGS84", 518_400, 3_796_900, "look"),
        ("EPSG:4269", 518_400, 3_796_900, "look like metres"),
    ],
)
def test_numbers_that_are_no_place_in_their_system_are_refused_with_a_hint(frame, x, y, hint) -> None:
    with pytest.raises(InvalidInput) as refused:
        to_storage(np.array([x]), np.array([y]), frame)

    assert refused.value.code == "coordinate_out_of_range"
    assert hint in str(refused.value)
    assert refused.value.facts["bounds"] == [x, y, x, y]
    assert not is_place([x], [y], parse_frame(frame)).any()


@pytest.mark.parametrize("text", ["GCJ-02", "bd09", "BD09LL"])
def test_an_operator_may_forbid_to_convert_shifted_coordinates_back(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        admit_frame(text, forbid_gcj_inverse=True)

    assert refused.value.code == "frame_forbidden"
    assert refused.value.facts["wanted"] == ["CGCS2000", "WGS84"]
    assert admit_frame(text, forbid_gcj_inverse=False) == parse_frame(text)
    assert admit_frame("EPSG:4548", forbid_gcj_inverse=True) == EpsgFrame(4548)


def test_numbers_give_numbers_and_arrays_keep_their_shape() -> None:
    lon, lat = to_storage(117.65, 36.21, "GCJ02")
    lons, lats = to_storage(np.full((2, 3), 117.65), np.full((2, 3), 36.21), "GCJ02")

    assert type(lon) is float
    assert type(lat) is float
    assert lons.shape == lats.shape == (2, 3)
    assert (lons[1, 2], lats[1, 2]) == (lon, lat)


def test_a_misdeclared_frame_would_move_laiwu_by_half_a_kilometre() -> None:
    moved = metres_between(117.65, 36.21, *from_storage(117.65, 36.21, Frame.GCJ02))

    assert 450 < moved < 600


@pytest.mark.parametrize(
    ("lon", "lat", "shifted"),
    [
        (72.0039, 30, False),
        (72.004, 30, True),
        (137.8347, 40, True),
        (137.8348, 40, False),
        (100, 0.8292, False),
        (100, 0.8293, True),
        (100, 55.8271, True),
        (100, 55.8272, False),
        (-74, 40.7, False),
        (0, 90, False),
    ],
)
def test_gcj02_is_shifted_inside_the_china_box_only(lon: float, lat: float, shifted: bool) -> None:
    assert (from_storage(lon, lat, Frame.GCJ02) != (lon, lat)) is shifted
    assert (to_storage(lon, lat, Frame.GCJ02) != (lon, lat)) is shifted


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("field", ["lon", "lat"])
def test_a_coordinate_that_is_no_number_is_refused_by_name(field: str, broken: float) -> None:
    place = {"lon": 117.65, "lat": 36.21, field: broken}

    with pytest.raises(InvalidInput) as refused:
        to_storage(place["lon"], place["lat"], Frame.WGS84)

    assert refused.value.code == "coordinate_not_finite"
    assert refused.value.facts["field"] == field


@pytest.mark.parametrize(
    ("lon", "lat", "field"), [(180.1, 36, "lon"), (-181, 36, "lon"), (36, 117.6, "lat"), (36, -91, "lat")]
)
def test_a_coordinate_off_the_globe_is_refused_by_name(lon: float, lat: float, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        from_storage(np.array([117.0, lon]), np.array([36.0, lat]), Frame.BD09)

    assert refused.value.code == "coordinate_out_of_range"
    assert refused.value.facts["field"] == field
    assert refused.value.facts["count"] == 1


def test_longitudes_without_their_latitudes_are_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        to_storage(np.zeros(3), np.zeros(2), Frame.WGS84)

    assert refused.value.code == "lengths_differ"


@pytest.mark.parametrize(
    ("lon", "lat", "epsg"),
    [
        (75.0, 39.0, 4534),
        (117.65, 36.21, 4548),
        (114.93, 25.86, 4547),
        (118.49, 36.0, 4548),
        (118.51, 36.0, 4549),
        (135.0, 48.0, 4554),
        (-73.98, 40.75, 32618),
        (151.2, -33.9, 32756),
        (180.0, 10.0, 32660),
        (-180.0, 10.0, 32601),
        (20.0, 85.0, 32661),
        (20.0, -85.0, 32761),
    ],
)
def test_each_place_is_measured_in_its_own_zone(lon: float, lat: float, epsg: int) -> None:
    assert metric_crs(lon, lat).to_epsg() == epsg


@given(st.floats(74, 135), st.floats(4, 53))
def test_a_hundred_metres_are_a_hundred_metres_anywhere_in_china(lon: float, lat: float) -> None:
    to_metres = pyproj.Transformer.from_crs(STORAGE_SRID, metric_crs(lon, lat), always_xy=True)
    here, there = to_metres.transform(lon, lat), to_metres.transform(lon, lat + 0.0009)

    on_the_map = float(np.hypot(there[0] - here[0], there[1] - here[1]))

    assert on_the_map == pytest.approx(metres_between(lon, lat, lon, lat + 0.0009), rel=5e-4)


def test_lengths_between_many_points_are_broadcast() -> None:
    lengths = metres_between(117.0, 36.0, np.array([117.0, 117.0, 118.0]), np.array([36.0, 37.0, 36.0]))

    assert lengths == pytest.approx([0.0, 110_960.0, 90_163.0], abs=20)


def test_swapped_axes_are_noticed_and_a_right_point_is_left_alone() -> None:
    laiwu = (117.3, 36.0, 117.9, 36.6)

    assert looks_swapped(36.21, 117.65, laiwu)
    assert not looks_swapped(117.65, 36.21, laiwu)
    assert not looks_swapped(36.21, 100.0, laiwu)
    assert not looks_swapped(float("nan"), 36.21, laiwu)
    assert looks_swapped(4_008_856, 558_491, laiwu, EpsgFrame(4548))
    assert not looks_swapped(558_491, 4_008_856, laiwu, EpsgFrame(4548))
    assert not looks_swapped(1e300, float("nan"), laiwu, EpsgFrame(4548))
