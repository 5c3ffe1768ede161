"""A whole table of points is placed, row by row, and what cannot be placed says why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely import box

from gis.errors import InvalidInput
from grids.atlas import Atlas
from grids.locating import Placed, agreement, place_table
from grids.rules.levels import GridLevel

NYC = Path(__file__).parents[2].parent / "shared" / "data" / "nyc"
MAPPING = Path(__file__).parents[2] / "docs" / "examples" / "mappings" / "nyc.toml"

AREAS = {
    "990101": ("升平区", box(117.00, 36.00, 117.04, 36.02)),
    "990101001": ("北街道", box(117.00, 36.00, 117.02, 36.02)),
    "990101002": ("南街道", box(117.02, 36.00, 117.04, 36.02)),
    "990101001001": ("北一社区", box(117.00, 36.00, 117.02, 36.02)),
    "990101002001": ("南一社区", box(117.02, 36.00, 117.04, 36.02)),
}
LEVELS = {6: "district", 9: "town", 12: "community"}


@pytest.fixture(scope="module")
def atlas():
    frame = gpd.GeoDataFrame(
        {
            "code": list(AREAS),
            "level": [LEVELS[len(code)] for code in AREAS],
            "name": [name for name, _ in AREAS.values()],
        },
        geometry=[shape for _, shape in AREAS.values()],
        crs="EPSG:4490",
    )
    return Atlas.of(frame, GridLevel.COMMUNITY)


def place(atlas, *points, **columns):
    table = pd.DataFrame(
        {"lon": [p[0] for p in points], "lat": [p[1] for p in points], **columns}, dtype=object
    )
    return place_table(table, atlas, lon="lon", lat="lat", frame="WGS84")


def test_a_row_keeps_its_columns_and_gets_the_areas_of_all_levels(atlas):
    placed = place(atlas, ("117.005", "36.01"), note=["垃圾"])

    row = placed.rows.iloc[0]
    assert row["note"] == "垃圾"
    assert row["grid_code"] == row["community_code"] == "990101001001"
    assert (row["district_name"], row["town_name"], row["community_name"]) == ("升平区", "北街道", "北一社区")
    assert row["how"] == "inside"
    assert row["border_distance_m"] == pytest.approx(450, abs=2)


def test_a_row_says_by_which_edition_it_was_placed(atlas):
    of_a_file = place(atlas, ("117.005", "36.01"))
    stored = replace(atlas, editions=np.full(len(atlas.codes), 7, dtype=np.int64))

    in_force = place(stored, ("117.005", "36.01"), ("118", "36.01"))

    assert of_a_file.rows["edition"].isna().all()  # a file that was never loaded has none
    assert in_force.rows["edition"].to_csv(index=False, header=False).split("\n")[:2] == ["7", '""']


def test_a_point_on_a_shared_edge_goes_to_the_lowest_code(atlas):
    placed = place(atlas, ("117.02", "36.01"))

    assert placed.rows["grid_code"].tolist() == ["990101001001"]
    assert placed.rows["how"].tolist() == ["border"]


def test_a_point_outside_every_grid_is_kept_and_says_so(atlas):
    placed = place(atlas, ("118", "36.01"), ("117.01", "36.01"))

    assert placed.rows["how"].tolist() == ["outside", "inside"]
    assert placed.rows["grid_code"].tolist() == ["", "990101001001"]
    assert placed.counts() == {"read": 2, "inside": 1, "border": 0, "outside": 1, "rejected": 0}


@pytest.mark.parametrize(
    ("lon", "lat", "reason"),
    [
        ("", " ", "no coordinates"),
        ("", "36.01", "no longitude"),
        ("117.01", None, "no latitude"),
        ("117,01", "36.01", "longitude is not a number"),
        ("117.01", "inf", "latitude is not a number"),
        ("nan", "36.01", "longitude is not a number"),
        ("500000", "36.01", "longitude is beyond 180 degrees"),
        ("36.01", "117.01", "latitude is beyond 90 degrees"),
    ],
)
def test_a_row_without_a_usable_place_says_why(atlas, lon, lat, reason):
    placed = place(atlas, (lon, lat), ("117.01", "36.01"))

    assert placed.rejects["reason"].tolist() == [reason]
    assert placed.reasons == {reason: 1}
    assert len(placed.rows) == 1


def test_coordinates_of_another_frame_are_brought_over(atlas):
    table = pd.DataFrame({"x": ["117.0262"], "y": ["36.0105"]})  # 500 m further east than where they mean

    shifted = place_table(table, atlas, lon="x", lat="y", frame="GCJ02")
    taken_as_it_is = place_table(table, atlas, lon="x", lat="y", frame="WGS84")

    assert taken_as_it_is.rows["town_code"].tolist() == ["990101002"]
    assert shifted.rows["storage_lon"].iloc[0] == pytest.approx(117.0205, abs=0.0005)


def test_columns_in_the_wrong_order_are_noticed():
    # in a city that has both of its coordinates below 90 degrees either way round
    shape = box(30.00, 36.00, 30.04, 36.02)
    frame = gpd.GeoDataFrame(
        {"code": ["990101"], "level": ["district"], "name": ["区"]}, geometry=[shape], crs=4490
    )
    city = Atlas.of(frame, GridLevel.DISTRICT)

    with pytest.raises(InvalidInput, match="swapped") as refused:
        place(city, *[("36.01", "30.01")] * 20)

    assert refused.value.code == "axes_swapped"


def test_a_column_that_is_not_there_is_named(atlas):
    with pytest.raises(InvalidInput) as refused:
        place_table(pd.DataFrame({"lng": ["1"]}), atlas, lon="lng", lat="lat", frame="WGS84")

    assert (refused.value.code, refused.value.facts["field"]) == ("unknown_column", "lat_column")


def test_all_blocks_of_a_table_have_the_same_columns(atlas):
    placed = place(atlas, ("117.005", "36.01"))
    nothing_placed = place(atlas, ("118", "36.01"))
    nothing_at_all = place(atlas, ("", ""))

    assert (
        placed.rows.columns.tolist()
        == nothing_placed.rows.columns.tolist()
        == nothing_at_all.rows.columns.tolist()
    )


def test_agreement_goes_by_name_where_the_values_are_names(atlas):
    placed = place(
        atlas, *[("117.005", "36.01")] * 3, ("118", "36"), town=["北街道", "南街道", "不详", "北街道"]
    )

    said = agreement(placed, "town", GridLevel.TOWN)

    assert (said["compared"], said["agree"], said["left_out"]) == (2, 1, 2)


def test_agreement_goes_by_majority_where_they_are_not(atlas):
    points = [("117.005", "36.01")] * 3 + [("117.035", "36.01")] * 2
    placed = place(atlas, *points, board=["01", "01", "02", "02", "02"])

    said = agreement(placed, "board", GridLevel.TOWN)

    assert (said["compared"], said["agree"]) == (5, 4)
    assert said["share"] == pytest.approx(0.8)


def test_agreement_with_no_row_to_compare_is_no_number(atlas):
    said = agreement(place(atlas, ("118", "36.01"), town=["x"]), "town", GridLevel.TOWN)

    assert said["compared"] == 0
    assert np.isnan(said["share"])


def test_agreement_with_a_column_or_level_that_is_not_there_is_refused(atlas):
    placed = place(atlas, ("117.005", "36.01"), town=["北街道"])

    for column, level in (("village", GridLevel.TOWN), ("town", GridLevel.BUILDING_GROUP)):
        with pytest.raises(InvalidInput) as refused:
            agreement(Placed(placed.rows, placed.rejects), column, level)
        assert refused.value.code == "unknown_column"


@pytest.mark.skipif(not NYC.is_dir(), reason="the sample data of New York is not beside this checkout")
def test_the_boroughs_of_new_york_are_those_that_the_city_gave():
    from grids.ground.mapping import read_mapping
    from grids.ground.plan import plan_edition

    plan = plan_edition(NYC / "nyc_grids_4level.gpkg", read_mapping(MAPPING))
    table = pd.read_csv(NYC / "nyc311_incidents.csv.gz", dtype=str, keep_default_na=False)

    placed = place_table(
        table, Atlas.of(plan.frame, plan.leaf_level), lon="longitude", lat="latitude", frame="WGS84"
    )

    assert agreement(placed, "borough", GridLevel.DISTRICT)["share"] >= 0.998
    assert placed.counts()["outside"] < 50
