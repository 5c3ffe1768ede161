from __future__ import annotations

import math

import pytest
from pyproj import Transformer

from gis.errors import InvalidInput
from gis.tiles import EXTENT, MOST_ZOOM, Tile

_HALF = math.pi * 6378137.0


def test_the_tile_of_the_whole_world_goes_from_edge_to_edge() -> None:
    assert Tile(0, 0, 0).box() == pytest.approx((-180.0, -85.0511287798, 180.0, 85.0511287798))


@pytest.mark.parametrize("tile", [(1, 1, 0), (10, 847, 401), (14, 13549, 6426), (22, 3468556, 1645123)])
def test_a_tile_is_the_square_of_the_mercator_plane_that_its_numbers_say(tile: tuple[int, int, int]) -> None:
    z, x, y = tile
    side = 2 * _HALF / 2**z
    to_degrees = Transformer.from_crs(3857, 4326, always_xy=True)

    west, south, east, north = Tile(z, x, y).box()

    assert (west, north) == pytest.approx(to_degrees.transform(x * side - _HALF, _HALF - y * side), abs=1e-9)
    assert (east, south) == pytest.approx(
        to_degrees.transform((x + 1) * side - _HALF, _HALF - (y + 1) * side), abs=1e-9
    )


def test_tiles_beside_and_below_each_other_share_their_edge() -> None:
    here, east, south = Tile(12, 3387, 1606), Tile(12, 3388, 1606), Tile(12, 3387, 1607)

    assert here.box()[2] == east.box()[0]
    assert here.box()[1] == south.box()[3]


def test_a_tile_is_cut_into_squares_of_the_mercator_plane() -> None:
    here, parts = Tile(12, 3387, 1606), 16

    lons, lats = here.edges(parts)

    finer = [Tile(16, here.x * parts + step, here.y * parts + step) for step in range(parts)]
    assert lons == [tile.box()[0] for tile in finer] + [here.box()[2]]
    assert lats == [tile.box()[3] for tile in finer] + [here.box()[1]]
    assert lons[-1] == Tile(12, 3388, 1606).edges(parts)[0][0]
    assert lats[-1] == Tile(12, 3387, 1607).edges(parts)[1][0]


def test_a_buffer_widens_a_tile_by_its_own_units_and_never_leaves_the_world() -> None:
    west, south, east, north = Tile(12, 3387, 1606).box(EXTENT)
    around = Tile(12, 3386, 1605).box(), Tile(12, 3388, 1607).box()

    assert (west, north) == pytest.approx((around[0][0], around[0][3]))
    assert (east, south) == pytest.approx((around[1][2], around[1][1]))
    assert Tile(0, 0, 0).box(64)[::2] == (-180.0, 180.0)


@pytest.mark.parametrize(
    ("tile", "field"),
    [
        ((-1, 0, 0), "z"),
        ((MOST_ZOOM + 1, 0, 0), "z"),
        ((3, 8, 0), "x"),
        ((3, -1, 0), "x"),
        ((3, 0, 8), "y"),
        ((0, 0, 1), "y"),
    ],
)
def test_a_tile_that_no_map_has_is_refused_by_the_number_that_is_wrong(
    tile: tuple[int, int, int], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        Tile(*tile)

    assert (caught.value.code, caught.value.facts["field"]) == ("bad_tile", field)
