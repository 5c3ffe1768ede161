"""The made-up ground is a grid as any other: it tiles, it nests, and its codes are written as codes are."""

from __future__ import annotations

import numpy as np
import pytest

from gis.faults import FaultKind
from grids.demo.ground import make_ground
from grids.demo.names import name_areas
from grids.demo.scales import SIZES, Scale
from grids.ground.gate import check_grid
from grids.rules.levels import GridLevel


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scale", [Scale.TINY, Scale.DISTRICT])
def test_cells_tile_the_ground_and_nest_without_a_fault(scale, seed):
    random = np.random.default_rng(seed)
    ground = make_ground(SIZES[scale], random)
    name_areas(ground, random)

    report = check_grid(ground.areas)

    assert report.errors == ()
    assert {fault.kind for fault in report.warnings} <= {FaultKind.SIZE_RULE}  # villages are small
    assert not ground.areas.duplicated(["parent_code", "name"]).any()
    assert set(ground.areas["code"].str.len().value_counts()) == set(ground.areas["level"].value_counts())


def test_towns_and_villages_are_numbered_as_divisions_are():
    random = np.random.default_rng(1)
    ground = make_ground(SIZES[Scale.DISTRICT], random)

    towns, communities = ground.of(GridLevel.TOWN), ground.of(GridLevel.COMMUNITY)

    assert towns["code"].str[6:].tolist() == [f"{n:03d}" for n in (*range(1, 7), *range(100, 104))]
    assert towns["urban"].tolist() == [True] * 6 + [False] * 4
    villages = communities["code"].str[9:].astype(int) >= 200
    assert not (villages & communities["urban"]).any()
    assert (~villages & ~communities["urban"]).sum() == 2 * 4
    cells = ground.of(GridLevel.BUILDING_GROUP)
    assert cells.loc[cells["urban"], "households"].between(300, 500).all()
    assert cells["population"].max() <= 1000
    assert cells.loc[~cells["urban"], "population"].mean() == pytest.approx(500, abs=25)
    assert cells.loc[cells["urban"], "area_m2"].median() * 5 < cells.loc[~cells["urban"], "area_m2"].median()
