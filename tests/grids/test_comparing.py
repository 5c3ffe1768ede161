"""Two editions side by side, without a database: what is said of areas that came, went and changed."""

from __future__ import annotations

import geopandas as gpd
import pytest
from shapely import box

from grids.ground.comparing import compare

STEP = 0.01


def areas(**spans):
    """Return cells in a row, each from one step to another."""
    return gpd.GeoDataFrame(
        {"code": list(spans), "level": "building_group", "name": list(spans), "households": 400},
        geometry=[box(117 + a * STEP, 36, 117 + b * STEP, 36 + STEP) for a, b in spans.values()],
        crs=4490,
    )


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ({"a": (0, 1)}, {"a": (0, 1)}, []),
        (
            {"a": (0, 1)},
            {"a": (0, 0.75), "c": (0.75, 1)},
            [
                "+ c c (split from a)",
                "~ a a (building_group): -25.00% +0.00% of its area (split into a and c)",
            ],
        ),
        (
            {"a": (0, 1), "b": (1, 1.5)},
            {"a": (0, 1.5)},
            [
                "- b b (merged into a)",
                "~ a a (building_group): -0.00% +50.00% of its area (merged from a and b)",
            ],
        ),
        (
            {"a": (0, 1), "b": (1, 2)},
            {"a": (0, 1.5), "b": (1.5, 2)},
            [
                "~ a a (building_group): -0.00% +50.00% of its area",
                "~ b b (building_group): -50.00% +0.00% of its area",
            ],
        ),
        ({"a": (0, 1)}, {"x": (0, 1)}, ["+ x x (was a)", "- a a (now x)"]),
        ({"a": (0, 1)}, {"a": (0, 1), "n": (5, 6)}, ["+ n n"]),
        (
            {"a": (0, 1), "b": (1, 2)},
            {"a": (0, 0.5), "c": (0.5, 1.5), "b": (1.5, 2)},
            [
                "+ c c (cut from a and b)",
                "~ a a (building_group): -50.00% +0.00% of its area",
                "~ b b (building_group): -50.00% +0.00% of its area",
            ],
        ),
    ],
)
def test_each_area_that_differs_has_a_line_that_says_where_its_ground_went(before, after, lines):
    assert compare(areas(**before), areas(**after)).lines() == lines


def test_of_many_pieces_a_line_names_the_first():
    found = compare(areas(a=(0, 7)), areas(**{f"b{n}": (n, n + 1) for n in range(7)}))

    assert found.lines()[-1] == "- a a (split into b0, b1, b2, b3 and 3 more)"
    assert found.kinds == dict.fromkeys(["a", *(f"b{n}" for n in range(7))], "split")
