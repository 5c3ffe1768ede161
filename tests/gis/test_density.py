"""A density surface holds every incident once, and says how many there are to a square kilometre."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gis.density import Surface, bands, kernel_density, round_breaks
from gis.errors import InvalidInput

Floats = NDArray[np.float64]

TOWN = (500_000.0, 4_000_000.0, 503_000.0, 4_002_000.0)


def places(count: int, seed: int = 1) -> tuple[Floats, Floats]:
    west, south, east, north = TOWN
    random = np.random.default_rng(seed)
    return random.uniform(west, east, count), random.uniform(south, north, count)


def middles(surface: Surface) -> tuple[Floats, Floats]:
    rows, columns = surface.values.shape
    return (
        surface.x0 + (np.arange(columns) + 0.5) * surface.cell_m,
        surface.y0 + (np.arange(rows) + 0.5) * surface.cell_m,
    )


def by_the_formula(surface: Surface, x: Floats, y: Floats, bandwidth_m: float) -> Floats:
    across, up = middles(surface)
    curve_x = np.exp(-0.5 * ((across[:, None] - x) / bandwidth_m) ** 2)
    curve_y = np.exp(-0.5 * ((up[:, None] - y) / bandwidth_m) ** 2)
    density: Floats = curve_y @ curve_x.T / (2 * np.pi * bandwidth_m**2)
    return density


@pytest.mark.parametrize(("squares", "off"), [(2, 0.03), (4, 0.01), (10, 0.002)])
def test_the_surface_is_the_sum_of_normal_curves(squares: int, off: float) -> None:
    x, y = places(80)

    surface = kernel_density(x, y, TOWN, 200.0 / squares, 200.0)

    exact = by_the_formula(surface, x, y, 200.0)
    assert np.abs(surface.values - exact).max() < off * exact.max()


@given(
    st.lists(st.tuples(st.floats(TOWN[0], TOWN[2]), st.floats(TOWN[1], TOWN[3])), min_size=0, max_size=30),
    st.floats(20, 300),
    st.floats(2, 6),
)
def test_the_surface_holds_every_incident_once_also_those_on_the_border(
    at: list[tuple[float, float]], cell_m: float, squares: float
) -> None:
    x, y = np.array(at).reshape(-1, 2).T

    surface = kernel_density(x, y, TOWN, cell_m, cell_m * squares)

    assert surface.n == len(at)
    assert surface.total == pytest.approx(len(at), rel=1e-9, abs=1e-12)
    assert (surface.values >= 0).all()


@given(st.lists(st.floats(0, 50), min_size=1, max_size=30))
def test_with_weights_it_holds_their_sum(weights: list[float]) -> None:
    x, y = places(len(weights))

    surface = kernel_density(x, y, TOWN, 100.0, 300.0, weights)

    assert surface.total == pytest.approx(sum(weights), rel=1e-9, abs=1e-12)


def test_an_incident_outside_the_bounds_does_not_count() -> None:
    x, y = places(10)

    surface = kernel_density([*x, TOWN[2] + 1], [*y, TOWN[1]], TOWN, 100.0, 300.0)

    assert (surface.n, surface.total) == (10, pytest.approx(10))


def test_the_peak_lies_where_the_incident_is_and_rows_run_from_south_to_north() -> None:
    surface = kernel_density([500_450.0], [4_001_850.0], TOWN, 100.0, 300.0)

    across, up = middles(surface)
    row, column = np.unravel_index(surface.values.argmax(), surface.values.shape)
    assert (across[column], up[row]) == (500_450.0, 4_001_850.0)
    assert surface.per_km2.max() == pytest.approx(1 / (2 * np.pi * 0.3**2), rel=0.01)


def test_the_bounds_of_the_surface_are_those_of_its_squares() -> None:
    surface = kernel_density(*places(5), TOWN, 100.0, 300.0)

    west, south, east, north = surface.bounds
    assert (west <= TOWN[0] - 1_200, south <= TOWN[1] - 1_200) == (True, True)
    assert (east >= TOWN[2] + 1_200, north >= TOWN[3] + 1_200) == (True, True)
    assert (east - west) / 100.0 == surface.values.shape[1]


def test_moving_all_incidents_moves_the_surface() -> None:
    x, y = places(40)
    moved = (TOWN[0] + 7e4, TOWN[1] - 3e4, TOWN[2] + 7e4, TOWN[3] - 3e4)

    np.testing.assert_allclose(
        kernel_density(x + 7e4, y - 3e4, moved, 50.0, 250.0).values,
        kernel_density(x, y, TOWN, 50.0, 250.0).values,
        atol=1e-15,
    )


def test_a_bare_surface_is_zero_and_has_no_bands() -> None:
    surface = kernel_density([], [], TOWN, 100.0, 300.0)

    assert (surface.n, surface.total) == (0, 0.0)
    assert round_breaks(surface) == ()
    assert bands(surface, round_breaks(surface)) == []


def test_breaks_are_round_numbers_below_the_peak() -> None:
    x, y = np.random.default_rng(2).normal([501_500, 4_001_000], 300, (5_000, 2)).T
    surface = kernel_density(x, y, TOWN, 50.0, 200.0)

    breaks = round_breaks(surface)

    assert breaks == (200.0, 500.0, 1_000.0, 2_000.0, 5_000.0)
    assert breaks[-1] < surface.per_km2.max()


def test_bands_are_valid_areas_that_meet_without_overlap_and_hold_what_the_squares_say() -> None:
    x, y = places(400, seed=3)
    surface = kernel_density(x, y, TOWN, 50.0, 150.0)
    breaks = round_breaks(surface)

    found = bands(surface, breaks)

    assert [band.low for band in found] == list(breaks)
    assert all(band.area.is_valid for band in found)
    for lower, upper in pairwise(found):
        assert lower.high == upper.low
        assert lower.area.intersection(upper.area).area < 1e-3
    across, up = middles(surface)
    at_x, at_y = np.meshgrid(across, up)
    for band in found:
        within = (surface.per_km2 > band.low * 1.001) & (surface.per_km2 < band.high * 0.999)
        assert shapely.contains_xy(band.area.buffer(1e-3), at_x[within], at_y[within]).all()


def test_a_hole_between_four_dense_places_stays_a_hole() -> None:
    ring = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    surface = kernel_density(501_500 + 700 * np.cos(ring), 4_001_000 + 700 * np.sin(ring), TOWN, 25.0, 100.0)

    (band,) = bands(surface, [surface.per_km2.max() / 2])

    assert len(band.area.geoms[0].interiors) == 1
    assert not band.area.contains(shapely.Point(501_500, 4_001_000))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"y_m": [4_000_100.0]}, "lengths_differ"),
        ({"x_m": [500_100.0, np.nan]}, "coordinate_not_finite"),
        ({"weights": [1.0, -1.0]}, "count_not_finite"),
        ({"weights": [1.0]}, "lengths_differ"),
        ({"bounds": (1.0, 0.0, 0.0, 1.0)}, "bad_bounds"),
        ({"bounds": (0.0, 0.0, float("nan"), 1.0)}, "bad_bounds"),
        ({"cell_m": 0.0}, "square_out_of_range"),
        ({"bandwidth_m": 199.0}, "bandwidth_out_of_range"),
        ({"bandwidth_m": float("inf")}, "bandwidth_out_of_range"),
        ({"cell_m": 0.1}, "too_many_squares"),
    ],
)
def test_a_surface_that_cannot_be_is_refused(change: dict[str, object], code: str) -> None:
    asked: dict[str, object] = {
        "x_m": [500_100.0, 500_200.0],
        "y_m": [4_000_100.0, 4_000_200.0],
        "bounds": TOWN,
        "cell_m": 100.0,
        "bandwidth_m": 300.0,
    }

    with pytest.raises(InvalidInput) as refused:
        kernel_density(**(asked | change))  # type: ignore[arg-type]

    assert refused.value.code == code


@pytest.mark.parametrize("breaks", [[0.0, 1.0], [2.0, 1.0], [1.0, 1.0], [1.0, float("nan")]])
def test_limits_of_classes_that_do_not_rise_are_refused(breaks: list[float]) -> None:
    with pytest.raises(InvalidInput) as refused:
        bands(kernel_density(*places(5), TOWN, 100.0, 300.0), breaks)

    assert refused.value.code == "bad_breaks"
