from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest

from gis.near import circles, spread


def pairs(x: list[float], y: list[float], radius: float, at_once: int = 1 << 22) -> set[tuple[int, int]]:
    found = []
    for centre, other in circles(np.array(x, dtype=float), np.array(y, dtype=float), radius, at_once=at_once):
        centres = [one for one, _ in groupby(centre.tolist())]
        assert len(centres) == len(set(centres))  # a circle stands together
        assert not {one for one, _ in found} & set(centres)  # and is whole
        found += list(zip(centre.tolist(), other.tolist(), strict=True))
    assert len(found) == len(set(found))
    return set(found)


def by_hand(x: list[float], y: list[float], radius: float) -> set[tuple[int, int]]:
    return {
        (i, j)
        for i in range(len(x))
        for j in range(len(x))
        if np.hypot(np.subtract(x[j], x[i]), np.subtract(y[j], y[i])) <= radius
    }


@pytest.mark.parametrize("at_once", [1, 300, 1 << 22])
@pytest.mark.parametrize("radius", [0.5, 10.0, 37.3, 500.0, 5_000.0])
@pytest.mark.parametrize("seed", range(4))
def test_random_points_have_the_neighbours_that_all_distances_tell(
    seed: int, radius: float, at_once: int
) -> None:
    chance = np.random.default_rng(seed)
    # on a lattice of half metres many lie at the radius itself, and many on one spot
    x, y = (np.round(chance.uniform(0, side, 150) * 2) / 2 for side in (40, 1_000))

    assert pairs(x.tolist(), y.tolist(), radius, at_once) == by_hand(x.tolist(), y.tolist(), radius)


def test_the_radius_itself_is_near_and_what_is_beyond_by_a_last_bit_is_not() -> None:
    beyond = float(np.nextafter(100.0, 200.0))

    assert (0, 1) in pairs([0.0, 60.0], [0.0, 80.0], 100.0)
    assert (0, 1) in pairs([0.0, 100.0], [0.0, 0.0], 100.0)
    assert (0, 1) not in pairs([0.0, beyond], [0.0, 0.0], 100.0)


def test_at_coordinates_of_a_projection_every_multiple_of_the_radius_is_near_its_neighbours() -> None:
    x = [440_000.1 + 100 * step for step in range(60)]

    assert pairs(x, [4_420_000.7] * 60, 100.0) == by_hand(x, [4_420_000.7] * 60, 100.0)


@pytest.mark.parametrize("far", [1e6, 1e12, 1e300])
def test_one_point_far_away_disturbs_nobody(far: float) -> None:
    assert pairs([0.0, 3.0, far], [0.0, 4.0, far], 5.0) == {(0, 0), (0, 1), (1, 0), (1, 1), (2, 2)}


def test_no_points_have_no_circles() -> None:
    assert pairs([], [], 5.0) == set()


def test_stretches_are_spread_out_one_after_the_other() -> None:
    assert spread(np.array([5, 0, 9]), np.array([2, 0, 3])).tolist() == [5, 6, 9, 10, 11]
    assert spread(np.array([], dtype=np.int64), np.array([], dtype=np.int64)).tolist() == []
