"""Buildings read, drafts proposed, and a whole grid made of one: what `grids load` takes back."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, Point, Polygon, box

from gis.errors import InvalidInput, NotFound, UnknownFrame
from gis.geometry import as_multipolygon
from gis.partition import SizeReason
from grids.exports import write_areas
from grids.ground import planner
from grids.ground.gate import check_grid
from grids.ground.plan import check_plan, plan_edition
from grids.ground.planner import Columns

DISTRICT, TOWN, HERE, THERE = "990101", "990101001", "990101001001", "990101001002"
WEST, MIDDLE, EAST = box(117.60, 36.10, 117.61, 36.11), 117.61, box(117.61, 36.10, 117.62, 36.11)


def a_grid():
    """Return a district of one town with two communities, each of one cell yet."""
    both = box(117.60, 36.10, 117.62, 36.11)
    rows = [
        (DISTRICT, "district", "澄原区", both),
        (TOWN, "town", "永泉街道", both),
        (HERE, "community", "景远社区", WEST),
        (f"{HERE}001", "building_group", "第1网格", WEST),
        (THERE, "community", "升平社区", EAST),
        (f"{THERE}001", "building_group", "第1网格", EAST),
    ]
    codes, levels, names, shapes = zip(*rows, strict=True)
    return gpd.GeoDataFrame(
        {"code": codes, "level": levels, "name": names, "households": 400, "population": 900},
        geometry=[as_multipolygon(shape) for shape in shapes],
        crs="EPSG:4490",
    )


def a_table(path, *, count=100, households=12, encoding="utf-8", header="lon,lat,households,people"):
    random = np.random.default_rng(1)
    places = random.uniform((117.6002, 36.1002), (117.6098, 36.1098), (count, 2))
    rows = [f"{lon:.7f},{lat:.7f},{households},{2 * households}" for lon, lat in places]
    path.write_text("\n".join([header, *rows]) + "\n", encoding)
    return path


def a_file(path, shapes, crs="EPSG:4490", **columns):
    gpd.GeoDataFrame(columns, geometry=shapes, crs=crs).to_file(path, driver="GPKG")
    return path


@pytest.fixture
def drafts(tmp_path):
    return planner.propose(
        WEST, planner.read_buildings(a_table(tmp_path / "homes.csv")), None, drafts=2, seed=1
    )


def say(reason):
    return f"because of {reason.value}"


def test_a_table_is_read_with_the_names_that_people_use(tmp_path):
    table = a_table(tmp_path / "楼栋.csv", encoding="gb18030", header="经度,纬度,户数,人口")

    found = planner.read_buildings(table, encoding="gb18030")

    assert len(found.lon) == 100
    assert found.households.tolist() == [12] * 100
    assert found.people.tolist() == [24] * 100
    assert found.names[0] == "line 2"
    assert shapely.is_missing(found.footprints).all()


def test_the_frame_of_a_table_is_the_one_that_is_declared(tmp_path):
    table = a_table(tmp_path / "homes.csv")

    plain, shifted = (planner.read_buildings(table, frame=frame) for frame in (None, "GCJ-02"))

    assert 0.003 < (plain.lon - shifted.lon).mean() < 0.008


@pytest.mark.parametrize(
    ("cell", "code", "said"),
    [
        (
            "117.6,36.1,-3,9",
            "wrong_count",
            "line 4: households must be a whole number from 0 on, but is '-3'",
        ),
        ("117.6,36.1,,9", "wrong_count", "line 4: households"),
        ("117.6,36.1,nan,9", "wrong_count", "line 4: households"),
        ("117.6,36.1,5,many", "wrong_count", "line 4: people"),
        ("117.6,36.1,5.5,9", "wrong_count", "line 4: households"),
        ("here,36.1,5,9", "wrong_coordinate", "line 4: lon must be a number of degrees, but is 'here'"),
        ("517.6,36.1,5,9", "coordinate_out_of_range", "lon must lie between"),
    ],
)
def test_a_number_that_is_none_is_refused_with_its_row_and_column(tmp_path, cell, code, said):
    table = tmp_path / "homes.csv"
    table.write_text(f"lon,lat,households,people\n117.6,36.1,5,9\n117.6,36.1,0,0\n{cell}\n", "utf-8")

    with pytest.raises(InvalidInput) as refused:
        planner.read_buildings(table)

    assert refused.value.code == code
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        (Columns(households="homes"), "households_column"),
        (Columns(people="souls"), "people_column"),
        (Columns(lat="north"), "lat_column"),
    ],
)
def test_a_column_that_is_not_there_is_refused(tmp_path, columns, field):
    with pytest.raises(InvalidInput) as refused:
        planner.read_buildings(a_table(tmp_path / "homes.csv"), columns=columns)

    assert (refused.value.code, refused.value.facts["field"]) == ("unknown_column", field)


def test_an_empty_table_has_no_buildings(tmp_path):
    with pytest.raises(InvalidInput) as refused:
        planner.read_buildings(a_table(tmp_path / "homes.csv", count=0))

    assert refused.value.code == "no_buildings"


def test_a_row_that_does_not_fit_is_listed(tmp_path):
    table = a_table(tmp_path / "homes.csv", count=3)
    table.write_text(table.read_text() + "117.6,36.1\n")

    found = planner.read_buildings(table)

    assert len(found.lon) == 3
    assert found.problems == ("homes.csv line 5: 2 cells where the header has 4; left out",)


def test_footprints_points_and_faults_are_told_apart(tmp_path):
    crossed = Polygon([(117.602, 36.102), (117.603, 36.103), (117.603, 36.102), (117.602, 36.103)])
    shapes = [
        box(117.601, 36.101, 117.6012, 36.1011),
        Point(117.605, 36.105),
        crossed,
        LineString([(1, 1), (2, 2)]),
    ]
    file = a_file(tmp_path / "homes.gpkg", shapes, households=[30, 20, 10, 5], people=[60, 40, 20, 10])

    found = planner.read_buildings(file)

    assert found.households.tolist() == [30, 20, 10]
    assert [shape is not None for shape in found.footprints] == [True, False, False]
    assert len(found.problems) == 2
    assert "row 3: it is a LineString" in found.problems[0]
    assert "row 2: its footprint is not valid (Self-intersection" in found.problems[1]


def test_barriers_are_lines_and_the_edges_of_areas(tmp_path):
    road, lake, tree = (
        LineString([(117.60, 36.105), (117.61, 36.105)]),
        box(117.6, 36.1, 117.602, 36.102),
        Point(1, 1),
    )

    found, problems = planner.read_barriers(
        a_file(tmp_path / "roads.gpkg", [road, lake, tree], name=["a", "b", "c"])
    )

    assert shapely.get_dimensions(shapely.get_parts(found)).tolist() == [1, 2]
    assert len(problems) == 1
    assert "row 2: it is a Point" in problems[0]


def test_barriers_without_a_frame_are_refused_not_guessed(tmp_path):
    file = tmp_path / "roads.geojson"
    line = {"type": "LineString", "coordinates": [[500_000, 4_000_000], [500_900, 4_000_000]]}
    feature = {"type": "Feature", "properties": {}, "geometry": line}
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))

    with pytest.raises(InvalidInput) as refused:
        planner.read_barriers(file)
    with pytest.raises(UnknownFrame):
        planner.read_barriers(file, frame="local grid")

    assert refused.value.code == "coordinate_out_of_range"


def test_a_community_is_found_by_its_code():
    assert planner.community_outline(a_grid(), HERE).equals(WEST)
    with pytest.raises(NotFound):
        planner.community_outline(a_grid(), "990101001009")
    with pytest.raises(InvalidInput):
        planner.community_outline(a_grid(), TOWN)


def test_cells_are_numbered_from_west_to_east_and_from_north_to_south(drafts):
    cells = planner.coded(drafts[0], HERE, "景远社区", say)

    assert cells["code"].tolist() == [f"{HERE}{n:03d}" for n in range(1, len(cells) + 1)]
    assert cells["name"].tolist() == [f"景远社区第{n}网格" for n in range(1, len(cells) + 1)]
    assert cells["households"].sum() == 1200
    assert cells["population"].sum() == 2400
    assert cells.geometry.iloc[0].centroid.y > cells.geometry.iloc[-1].centroid.y


def test_the_whole_grid_passes_the_gate_without_any_slack_and_loads_without_a_mapping(tmp_path, drafts):
    grid = planner.whole_grid(a_grid(), HERE, planner.coded(drafts[0], HERE, "景远社区", say), drafts[0])
    write_areas(grid, tmp_path / "grid.gpkg", layer="grids")

    plan = plan_edition(tmp_path / "grid.gpkg")
    report = check_plan(plan)

    assert report.ok, report.lines()
    assert not [fault for fault in report.faults if HERE in fault.codes[0]]
    cells = plan.frame[plan.frame["code"].str.startswith(HERE) & (plan.frame["level"] == "building_group")]
    assert cells["households"].sum() == 1200
    assert f"{THERE}001" in plan.frame["code"].tolist()
    for level in ("building_group", "community"):
        shapes = np.array(plan.frame.geometry[plan.frame["level"] == level], dtype=object)
        assert shapely.coverage_is_valid(shapes)
    joined = shapely.coverage_union_all(np.array(cells.geometry, dtype=object))
    own = plan.frame.geometry[plan.frame["code"] == HERE].iloc[0]
    assert shapely.equals_exact(as_multipolygon(joined).normalize(), own.normalize())
    assert any(x == MIDDLE for x, _ in drafts[0].vertices.tolist())  # a border ends on the neighbour's edge


def test_a_reason_goes_into_the_file_where_the_rule_cannot_hold(tmp_path):
    homes = planner.read_buildings(a_table(tmp_path / "homes.csv", count=20))

    (draft,) = planner.propose(WEST, homes, None, drafts=1, seed=1)
    grid = planner.whole_grid(a_grid(), HERE, planner.coded(draft, HERE, "景远社区", say), draft)

    said = grid.set_index("code").loc[f"{HERE}001", "size_reason"]
    assert said == say(SizeReason.FEW_HOUSEHOLDS)
    assert grid["size_reason"].notna().sum() == 1
    assert check_grid(grid.assign(parent_code=None, derived=False)).counts["building_group"] == 2


def test_drafts_are_layers_of_one_file(tmp_path, drafts):
    layers = [planner.coded(draft, HERE, "景远社区", say) for draft in drafts]

    planner.write_drafts(layers, tmp_path / "plan.gpkg")

    assert gpd.list_layers(tmp_path / "plan.gpkg")["name"].tolist() == ["draft_1", "draft_2"]
    again = gpd.read_file(tmp_path / "plan.gpkg", layer="draft_2")
    assert again["code"].tolist() == layers[1]["code"].tolist()
    assert again["households"].tolist() == layers[1]["households"].tolist()
    with pytest.raises(InvalidInput):
        planner.write_drafts(layers, tmp_path / "plan.pdf")
