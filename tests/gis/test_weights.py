"""Neighbours are those that touch, or those that are near, and the relation goes both ways."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from libpysal.weights import DistanceBand, Queen  # type: ignore[import-untyped]
from shapely.geometry import box

from gis.errors import InvalidInput
from gis.weights import contiguity, distance_band, star

CHESSBOARD = [box(i, j, i + 1, j + 1) for j in range(8) for i in range(8)]


def test_a_grid_touches_those_at_its_edges_and_at_its_corners() -> None:
    neighbours = contiguity([box(0, 0, 1, 1), box(1, 0, 2, 1), box(1, 1, 2, 2), box(5, 5, 6, 6)])

    assert neighbours.toarray().tolist() == [[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]]


def test_a_long_edge_against_two_short_ones_touches_both() -> None:
    neighbours = contiguity([box(0, 0, 2, 1), box(0, 1, 1.3, 2), box(1.3, 1, 2, 2)])

    assert neighbours.sum(axis=1).tolist() == [2, 2, 2]


def test_touching_equals_the_queen_of_pysal() -> None:
    peer = Queen.from_dataframe(gpd.GeoDataFrame(geometry=CHESSBOARD), use_index=False).sparse

    assert (contiguity(CHESSBOARD) != peer).nnz == 0


def test_nearness_equals_the_distance_band_of_pysal() -> None:
    places = np.random.default_rng(1).uniform(0, 1_000, (300, 2))
    peer = DistanceBand(places, 80.0, binary=True, silence_warnings=True).sparse

    assert (distance_band(places, 80.0) != peer).nnz == 0


def test_a_neighbour_at_exactly_the_radius_counts() -> None:
    assert distance_band([[0.0, 0.0], [3.0, 4.0], [3.0, 4.1]], 5.0).toarray().tolist() == [
        [0, 1, 0],
        [1, 0, 1],
        [0, 1, 0],
    ]


def test_the_star_counts_each_grid_among_its_own_neighbours_once() -> None:
    neighbours = contiguity(CHESSBOARD)

    assert star(neighbours).diagonal().tolist() == [1.0] * 64
    assert star(neighbours).sum() == neighbours.sum() + 64
    np.testing.assert_array_equal(star(star(neighbours)).toarray(), star(neighbours).toarray())


def test_a_city_without_grids_has_no_neighbours() -> None:
    assert contiguity(np.array([], dtype=object)).shape == (0, 0)
    assert distance_band(shapely.get_coordinates([]), 10.0).shape == (0, 0)


@pytest.mark.parametrize(
    ("places", "radius", "code"),
    [
        ([[0.0, np.nan]], 1.0, "coordinate_not_finite"),
        ([0.0, 1.0], 1.0, "lengths_differ"),
        ([[0.0, 1.0]], 0.0, "radius_out_of_range"),
        ([[0.0, 1.0]], float("nan"), "radius_out_of_range"),
    ],
)
def test_places_or_a_radius_that_mean_nothing_are_refused(
    places: list[list[float]], radius: float, code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        distance_band(places, radius)

    assert refused.value.code == code
