"""How areas of one grid went into those of the next."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely import Polygon, box

from gis.lineage import changes_of, heir, lineage

STEP = 0.01


def cells(households=400, level="cell", **spans):
    """Return areas in a row: each from one step to another."""
    return gpd.GeoDataFrame(
        {"code": list(spans), "level": level, "households": households},
        geometry=[box(117 + a * STEP, 36, 117 + b * STEP, 36 + STEP) for a, b in spans.values()],
        crs=4490,
    )


CASES = [
    ("nothing happens", {"a": (0, 1), "b": (1, 2)}, {"a": (0, 1), "b": (1, 2)}, {"a": "same", "b": "same"}),
    ("another code", {"a": (0, 1)}, {"x": (0, 1)}, {"a": "renamed", "x": "renamed"}),
    ("codes change places", {"a": (0, 1), "b": (1, 2)}, {"b": (0, 1), "a": (1, 2)}, {"a": "renamed", "b": "renamed"}),
    ("a border moves", {"a": (0, 1), "b": (1, 2)}, {"a": (0, 1.4), "b": (1.4, 2)}, {"a": "cut", "b": "cut"}),
    ("a split", {"a": (0, 1)}, {"a": (0, 0.6), "c": (0.6, 1)}, {"a": "split", "c": "split"}),
    ("a split into new codes", {"a": (0, 1)}, {"x": (0, 0.6), "c": (0.6, 1)}, dict.fromkeys("acx", "split")),
    ("a merge", {"a": (0, 1), "b": (1, 2)}, {"a": (0, 2)}, {"a": "merged", "b": "merged"}),
    ("a merge under a new code", {"a": (0, 1), "b": (1, 2)}, {"x": (0, 2)}, dict.fromkeys("abx", "merged")),
    ("new ground", {"a": (0, 1)}, {"a": (0, 1), "b": (1, 2)}, {"a": "same", "b": "new"}),
    ("ground given up", {"a": (0, 1), "b": (1, 2)}, {"a": (0, 1)}, {"a": "same", "b": "gone"}),
    ("ground got from outside", {"a": (0, 1)}, {"a": (0, 1.5)}, {"a": "cut"}),
    ("ground lost to the outside", {"a": (0, 1)}, {"a": (0, 0.5)}, {"a": "cut"}),
    (
        "a part goes to a new area made of two",
        {"a": (0, 1), "b": (1, 2)},
        {"a": (0, 0.5), "c": (0.5, 1.5), "b": (1.5, 2)},
        {"a": "cut", "b": "cut", "c": "cut"},
    ),
    ("rounding", {"a": (0, 1), "b": (1, 2)}, {"a": (0, 1.00005), "b": (1.00005, 2)}, dict.fromkeys("ab", "same")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "kinds"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_what_happened_to_an_area_follows_from_its_ground(before, after, kinds):
    found = changes_of(lineage(cells(**before), cells(**after)))

    assert dict(zip(found["code"], found["kind"], strict=True)) == kinds


def test_shares_and_households_of_an_area_add_up():
    thirds = lineage(cells(households=100, a=(0, 1)), cells(x=(0, 1 / 3), y=(1 / 3, 2 / 3), z=(2 / 3, 1)))

    assert thirds["area_share"].tolist() == pytest.approx([1 / 3] * 3, abs=1e-6)
    assert thirds["area_share"].sum() == pytest.approx(1, abs=1e-12)
    assert thirds["households"].sum() == 100
    assert set(thirds["households"]) == {33, 34}
    assert thirds["after_share"].tolist() == pytest.approx([1, 1, 1], abs=1e-6)


def test_ground_that_left_the_district_is_not_made_up_for():
    (row,) = lineage(cells(a=(0, 1)), cells(a=(0, 0.25))).to_dict("records")

    assert row["area_share"] == pytest.approx(0.25)
    assert row["households"] == 100


def test_unknown_households_stay_unknown():
    link = lineage(cells(households=pd.NA, a=(0, 1)), cells(a=(0, 1)))

    assert link["households"].isna().all()
    assert lineage(cells(a=(0, 1)).drop(columns="households"), cells(a=(0, 1)))["households"].isna().all()


def test_levels_are_followed_apart():
    before = pd.concat([cells(level="town", t=(0, 2)), cells(a=(0, 1), b=(1, 2))], ignore_index=True)
    after = pd.concat([cells(level="town", t=(0, 2)), cells(a=(0, 2))], ignore_index=True)

    link = lineage(before, after)

    assert link[["before_code", "after_code", "level"]].to_numpy().tolist() == [
        ["t", "t", "town"],
        ["a", "a", "cell"],
        ["b", "a", "cell"],
    ]


def test_a_small_area_cut_from_a_large_one_has_a_past():
    link = lineage(cells(a=(0, 100)), cells(a=(0, 99.995), b=(99.995, 100)))

    assert link["after_code"].tolist() == ["a", "b"]


def test_the_same_shape_written_in_another_order_is_the_same():
    here = cells(a=(0, 1))
    there = here.set_geometry(shapely.reverse(here.geometry.to_numpy()))

    assert lineage(here, there)["area_share"].tolist() == [1.0]


def test_a_shape_with_faults_shares_no_ground_unless_it_is_kept():
    bowtie = Polygon([(117, 36), (117.01, 36.01), (117.01, 36), (117, 36.01)])
    good, bad = cells(a=(0, 1)), cells(a=(0, 1)).set_geometry([bowtie], crs=4490)

    assert lineage(good, bad).empty
    assert lineage(bad, good).empty
    assert lineage(bad, bad)["area_share"].tolist() == [1.0]


def test_nothing_came_from_nothing():
    empty, some = cells().set_crs(4490), cells(a=(0, 1))

    assert changes_of(lineage(empty, some))["kind"].tolist() == ["new"]
    assert changes_of(lineage(some, empty))["kind"].tolist() == ["gone"]
    assert changes_of(lineage(empty, empty)).empty


@pytest.mark.parametrize(
    ("shares", "who"),
    [
        ({"a": 1.0}, "a"),
        ({"a": 0.1, "b": 0.9}, "b"),
        ({"a": 0.89, "b": 0.11}, None),
        ({"a": 0.5, "b": 0.5}, None),
        ({}, None),
    ],
)
def test_who_has_nine_tenths_of_an_area_takes_it_over(shares, who):
    assert heir(shares) == who


def test_figures_carried_over_twice_are_those_carried_over_at_once_where_areas_are_whole():
    first, second, third = cells(a=(0, 1), b=(1, 2), c=(2, 3)), cells(a=(0, 2), c=(2, 3)), cells(x=(0, 3))

    one, two, both = lineage(first, second), lineage(second, third), lineage(first, third)

    followed = one.merge(two, left_on="after_code", right_on="before_code")
    assert np.allclose(followed["area_share_x"] * followed["area_share_y"], both["area_share"])
