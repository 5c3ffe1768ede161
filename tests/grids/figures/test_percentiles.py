"""Medians of many groups at once are those of each group by itself, however long things take."""

from __future__ import annotations

import numpy as np
import pytest

from grids.figures.times import percentiles
from grids.rules.survival import kaplan_meier

MINUTE = 60_000_000


@pytest.mark.parametrize("longest", [30 * MINUTE, 1 << 59], ids=["minutes", "as long as a number can be"])
def test_each_group_has_its_own_percentiles(longest: int) -> None:
    chance = np.random.default_rng(11)
    group = chance.integers(0, 6, 500).astype(np.int32)
    took = chance.integers(0, longest, 500) // 7 * 7
    ended = (group < 3) | (chance.random(500) > 0.3)

    found = percentiles(group, took, ended, 8, (0.5, 0.9))

    for one in range(8):
        mine = group == one
        minutes = took[mine] / MINUTE
        if not mine.any():
            assert np.isnan(found[one]).all()
        elif ended[mine].all():
            assert found[one] == pytest.approx(np.quantile(minutes, [0.5, 0.9]))
        else:
            curve = kaplan_meier(minutes, ended[mine])
            assert found[one].tolist() == pytest.approx([curve.quantile(p) for p in (0.5, 0.9)], nan_ok=True)


def test_where_all_still_run_nobody_knows_how_long_it_takes() -> None:
    found = percentiles(
        np.zeros(3, dtype=np.int32), np.arange(3) * MINUTE, np.zeros(3, dtype=np.bool_), 1, (0.5,)
    )

    assert np.isnan(found).all()
