"""Plans of editions: other people's files become our levels and our codes, and nothing is guessed away."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
import shapely
from shapely.geometry import Polygon, box

from gis.errors import InvalidInput
from gis.faults import FaultKind
from gis.files.kml import write_kml
from gis.files.writing import KINDS_WRITTEN, write_areas
from grids.ground.mapping import read_mapping
from grids.ground.plan import check_plan, plan_edition
from grids.rules.codes import follows
from grids.rules.levels import GridLevel

DATA = Path(__file__).parents[2].parent / "shared" / "data"
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "mappings"
needs_data = pytest.mark.skipif(
    not DATA.exists(), reason="the sample data lies beside the project, and is not here"
)

BOW_TIE = Polygon([(117, 34), (117.01, 34.01), (117.01, 34), (117, 34.01)])


def cell(column, row):
    west, south = 117 + column / 100, 34 + row / 100
    return box(west, south, round(west + 0.01, 6), round(south + 0.01, 6))


def some_cells(**columns):
    """Return 4 by 2 cells, row by row from the south-west, with two communities of 2 by 2."""
    places = [(i, j) for j in range(2) for i in range(4)]
    made = {
        "id": [f"cell {i}{j}" for i, j in places],
        "community": ["west" if i < 2 else "east" for i, j in places],
        "community_name": ["西社区" if i < 2 else "东社区" for i, j in places],
        "town": "centre",
        "district": "D",
        "homes": [310 + i for i, j in places],
    }
    return gpd.GeoDataFrame({**made, **columns}, geometry=[cell(i, j) for i, j in places], crs=4490)


def joined(by):
    return some_cells().dissolve(by=by, as_index=False)


@pytest.fixture
def plan(tmp_path):
    """Write layers and a mapping, and plan an edition of them."""

    def make(mapping=None, *, name="grid.gpkg", **layers):
        path = tmp_path / name
        if path.suffix == ".gpkg":
            for layer, frame in layers.items():
                pyogrio.write_dataframe(frame, path, layer=layer, driver="GPKG", append=path.exists())
        else:
            path.mkdir()
            for layer, frame in layers.items():
                pyogrio.write_dataframe(frame, path / f"{layer}.geojson", driver="GeoJSON")
        if mapping is None:
            return plan_edition(path)
        (tmp_path / "mapping.toml").write_text(mapping, "utf-8")
        return plan_edition(path, read_mapping(tmp_path / "mapping.toml"))

    return make


JOINED = """
[codes]
prefix = "9901"
[levels.district]
dissolve = true
code = "district"
[levels.town]
dissolve = true
code = "town"
[levels.community]
dissolve = true
code = "community"
name = "community_name"
[levels.building_group]
code = "id"
households = "homes"
"""


def code_of(planned, source):
    return planned.frame.loc[planned.frame["source_code"] == source, "code"].iloc[0]


def test_upper_levels_are_joined_from_the_cells_and_all_codes_are_given(plan):
    planned = plan(JOINED, cells=some_cells())

    frame = planned.frame.set_index("source_code")
    assert check_plan(planned).ok
    assert planned.leaf_level is GridLevel.BUILDING_GROUP
    assert list(planned.frame["code"]) == sorted(planned.frame["code"])
    assert frame.loc["D", "code"] == "990101"
    assert frame.loc["centre", "code"] == "990101001"
    assert frame.loc[["west", "east"], "code"].to_list() == ["990101001001", "990101001002"]
    assert frame.loc["west", "name"] == "西社区"
    assert frame.loc["west", "households"] == 310 + 311 + 310 + 311
    assert frame.loc["west", "geometry"].equals(box(117, 34, 117.02, 34.02))
    assert frame.loc["D", "parent_code"] is None


def test_cells_are_numbered_from_the_north_west(plan):
    planned = plan(JOINED, cells=some_cells())

    assert code_of(planned, "cell 01") == "990101001001001"
    assert code_of(planned, "cell 11") == "990101001001002"
    assert code_of(planned, "cell 00") == "990101001001003"
    assert code_of(planned, "cell 31") == "990101001002002"


def test_one_layer_with_a_level_column_is_sorted_into_levels(plan):
    mapping = """
    [codes]
    prefix = "9901"
    [every_level]
    layer = "all"
    column = "level"
    code = "code"
    parent = "above"
    [levels.district]
    value = 1
    [levels.town]
    value = 2
    """
    frame = gpd.GeoDataFrame(
        {"level": [1, 2, 2, 9], "code": ["D", "w", "e", "?"], "above": [None, "D", "D", None]},
        geometry=[box(117, 34, 117.02, 34.01), cell(0, 0), cell(1, 0), cell(0, 0)],
        crs=4490,
    )

    planned = plan(mapping, all=frame, other=some_cells())

    assert planned.frame["source_code"].to_list() == ["D", "w", "e"]
    assert check_plan(planned).ok
    assert planned.leaf_level is GridLevel.TOWN


SEPARATE = """
[codes]
prefix = "9901"
[levels.district]
file = "districts.geojson"
code = "district"
[levels.town]
file = "towns.geojson"
code = "town"
parent = "district"
[levels.community]
file = "communities.geojson"
code = "community"
parent_by = "place"
"""


def separate():
    return {"districts": joined("district"), "towns": joined("town"), "communities": joined("community")}


def test_levels_in_several_files_find_each_other_by_column_and_by_place(plan):
    planned = plan(SEPARATE, name="folder", **separate())

    assert check_plan(planned).ok
    assert planned.frame["parent_code"].to_list() == [None, "990101", "990101001", "990101001"]
    assert [source.name for source in planned.sources] == [
        "communities.geojson",
        "towns.geojson",
        "districts.geojson",
    ]


def test_a_zip_is_as_good_as_a_directory(plan, tmp_path):
    loose = plan(SEPARATE, name="folder", **separate())
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for file in (tmp_path / "folder").iterdir():
            archive.write(file, f"网格/{file.name}")

    zipped = plan_edition(tmp_path / "all.zip", read_mapping(tmp_path / "mapping.toml"))

    pd.testing.assert_frame_equal(zipped.frame, loose.frame)


def ready_codes():
    """Return a district with codes of our own, all levels in one layer."""
    cells = some_cells()
    cells["code"] = [f"37011600100{1 + (i >= 2)}{n:03d}" for n, i in enumerate([0, 1, 2, 3] * 2, start=1)]
    frames = [cells[["code", "homes", "geometry"]]]
    for length in (12, 9, 6):
        upper = cells.assign(code=cells["code"].str[:length]).dissolve(by="code", as_index=False)
        frames.append(upper[["code", "geometry"]])
    return pd.concat(frames, ignore_index=True).rename(columns={"homes": "households"})


def test_a_file_with_our_own_codes_needs_no_mapping(plan):
    planned = plan(grid=ready_codes())

    assert check_plan(planned).ok
    assert len(planned.frame) == 12
    assert planned.frame["code"].iloc[0] == "370116"
    assert planned.frame["source_code"].isna().all()
    assert planned.frame["households"].sum() == 2 * (310 + 311 + 312 + 313)
    assert all(follows(row.code, GridLevel(row.level)) for row in planned.frame.itertuples())


@pytest.mark.parametrize("column", ["source_code", "src_code"])
def test_the_codes_that_an_edition_of_ours_came_from_are_kept(plan, column):
    planned = plan(grid=ready_codes().assign(**{column: ["c", None] * 6}))

    kept = planned.frame.sort_values("code")["source_code"]
    assert kept.isna().sum() == 6
    assert set(kept.dropna()) == {"c"}


WRITTEN = """
frame = "CGCS2000"
[codes]
prefix = "9901"
[every_level]
layer = "cells"
[levels.district]
dissolve = true
code = "district"
[levels.town]
dissolve = true
code = "town"
[levels.community]
dissolve = true
code = "community"
[levels.building_group]
code = "id"
name = "community_"
households = "homes"
"""


@pytest.mark.parametrize("suffix", KINDS_WRITTEN)
def test_a_mapping_works_for_a_file_of_every_kind(tmp_path, suffix):
    cells = some_cells().rename(columns={"community_name": "community_"})
    write_areas(cells, tmp_path / f"grid{suffix}", KINDS_WRITTEN[suffix], layer="cells")
    (tmp_path / "mapping.toml").write_text(WRITTEN, "utf-8")

    planned = plan_edition(tmp_path / f"grid{suffix}", read_mapping(tmp_path / "mapping.toml"))

    assert check_plan(planned).ok
    assert code_of(planned, "cell 31") == "990101001002002"
    assert planned.frame["households"].iloc[0] == 2 * (310 + 311 + 312 + 313)
    assert planned.frame["name"].iloc[-1] == "东社区"


def test_levels_in_folders_of_one_kml_file_are_told_by_their_layer(tmp_path):
    levels = {"district": "区", "town": "镇", "community": "社区"}
    body = ""
    for column, name in levels.items():
        file = io.StringIO()
        table = joined(column)
        write_kml(
            file, name, zip(table.drop(columns="geometry").to_dict("records"), table.geometry, strict=True)
        )
        inside = file.getvalue().partition("<Document>")[2].partition("</Document>")[0]
        body += f"<Folder>{inside}</Folder>"
    (tmp_path / "grid.kml").write_text(f"<kml><Document><name>网格</name>{body}</Document></kml>", "utf-8")
    (tmp_path / "mapping.toml").write_text(
        '[codes]\nprefix = "9901"\n[every_level]\nparent_by = "place"\n'
        + "".join(
            f'[levels.{column}]\nlayer = "网格/{name}"\ncode = "{column}"\n'
            for column, name in levels.items()
        ),
        "utf-8",
    )

    planned = plan_edition(tmp_path / "grid.kml", read_mapping(tmp_path / "mapping.toml"))

    assert check_plan(planned).ok
    assert planned.frame["source_code"].to_list() == ["D", "centre", "west", "east"]
    assert [source.layer for source in planned.sources] == ["网格/社区", "网格/镇", "网格/区"]


def test_a_wrong_code_among_ours_is_a_fault_and_never_renumbered(plan):
    frame = ready_codes()
    frame.loc[0, "code"] = "3701160010010"
    frame.loc[1, "code"] = "370116001001000"

    report = check_plan(plan(grid=frame))

    wrong = {fault.codes for fault in report.errors if fault.kind is FaultKind.WRONG_CODE}
    assert wrong == {("3701160010010",), ("370116001001000",)}


def test_cells_alone_with_our_codes_lack_their_parents_unless_a_mapping_joins_them(plan, tmp_path):
    cells = ready_codes().iloc[:8]
    joining = "".join(f"[levels.{level}]\ndissolve = true\n" for level in ("district", "town", "community"))

    alone = check_plan(plan(grid=cells))
    whole = plan(joining + '[levels.building_group]\ncode = "code"\n', name="again.gpkg", grid=cells)

    assert {fault.kind for fault in alone.errors} == {FaultKind.NOT_CHILD_OF_PARENT}
    assert check_plan(whole).ok
    assert whole.frame["code"].to_list()[:4] == ["370116", "370116001", "370116001001", "370116001001001"]
    assert whole.frame["derived"].sum() == 4


def test_an_area_whose_parent_is_not_there_is_listed_and_left_out(plan):
    layers = separate()
    layers["towns"]["district"] = "Q"

    planned = plan(SEPARATE, name="folder", **layers)

    (fault,) = [fault for fault in planned.faults if "centre" in fault.codes]
    assert fault.kind is FaultKind.NOT_CHILD_OF_PARENT
    assert "Q" in fault.message
    assert "centre" not in set(planned.frame["source_code"])
    assert not check_plan(planned).ok


def test_two_areas_with_one_source_code_are_listed(plan):
    cells = some_cells()
    cells.loc[1, "id"] = "cell 00"

    report = check_plan(plan(JOINED, cells=cells))

    assert [fault.codes for fault in report.errors] == [("cell 00",)]
    assert report.errors[0].kind is FaultKind.DUPLICATE_CODE


def test_broken_and_missing_shapes_are_coded_and_listed(plan):
    cells = some_cells()
    cells.loc[0, "geometry"] = BOW_TIE
    cells.loc[7, "geometry"] = None

    planned = plan(JOINED, cells=cells)
    report = check_plan(planned)

    kinds = {fault.kind: fault for fault in report.errors}
    assert code_of(planned, "cell 00") in kinds[FaultKind.INVALID_RING].codes
    assert "cell 00" in kinds[FaultKind.INVALID_RING].message
    assert code_of(planned, "cell 31") in kinds[FaultKind.EMPTY_GEOMETRY].codes
    assert code_of(planned, "cell 31") == "990101001002004"


def test_a_number_that_is_none_is_listed(plan):
    cells = some_cells(homes=["300", "many", "-1", "4.5", None, "301", "302", "303"])

    planned = plan(JOINED, cells=cells)

    wrong = [fault.codes[0] for fault in planned.faults if fault.kind is FaultKind.WRONG_VALUE]
    assert wrong == ["cell 10", "cell 20", "cell 30"]
    assert (
        planned.frame["households"].isna().sum() == 3 + 1 + 4
    )  # their cells, the missing one, the sums above


def test_one_code_with_two_names_is_warned_of(plan):
    cells = some_cells()
    cells.loc[0, "community_name"] = "旧名"

    (fault,) = [fault for fault in plan(JOINED, cells=cells).faults if fault.kind is FaultKind.WRONG_VALUE]

    assert "several names" in fault.message
    assert fault.severity.value == "warning"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (('code = "id"', 'code = "ID"'), "unknown_column"),
        (('households = "homes"', 'households = "families"'), "unknown_column"),
        (('code = "town"', 'code = "TOWN"'), "unknown_column"),
        (('prefix = "9901"', ""), "prefix_needed"),
        (('code = "id"', 'code = "id"\ncolumn = "town"\nvalue = "elsewhere"'), "empty_level"),
        (('code = "id"', 'code = "id"\nlayer = "houses"'), "unknown_layer"),
    ],
)
def test_a_mapping_that_does_not_fit_the_file_is_refused(plan, change, code):
    with pytest.raises(InvalidInput) as refused:
        plan(JOINED.replace(*change), cells=some_cells())

    assert refused.value.code == code


def test_a_file_that_explains_nothing_asks_for_a_mapping(plan):
    with pytest.raises(InvalidInput) as refused:
        plan(cells=some_cells())

    assert refused.value.code == "mapping_needed"
    assert "community_name" in refused.value.facts["got"]


@needs_data
def test_new_york_comes_in_whole():
    planned = plan_edition(DATA / "nyc" / "nyc_grids_4level.gpkg", read_mapping(EXAMPLES / "nyc.toml"))
    report = check_plan(planned)

    assert report.faults == ()
    assert report.counts == {"district": 5, "town": 55, "community": 219, "building_group": 2165}
    assert planned.frame["code"].is_unique
    assert set(planned.frame.loc[planned.frame["level"] == "district", "name"]) == {
        "Manhattan",
        "Bronx",
        "Brooklyn",
        "Queens",
        "Staten Island",
    }


@needs_data
def test_taichung_comes_in_with_its_two_known_defects():
    planned = plan_edition(DATA / "taichung", read_mapping(EXAMPLES / "taichung.toml"))
    report = check_plan(planned)

    assert report.ok
    assert report.counts == {"district": 1, "town": 29, "community": 625}
    assert planned.leaf_level is GridLevel.COMMUNITY
    assert [fault.kind for fault in report.warnings] == [FaultKind.GAP, FaultKind.GAP]
    assert all("accepted" in fault.message for fault in report.warnings)
    assert 7.0e6 < max(fault.area_m2 for fault in report.warnings) < 7.3e6
    assert planned.frame.loc[planned.frame["source_code"] == "66000", "name"].to_list() == ["台中市"]


@needs_data
def test_the_districts_of_shanghai_come_in_as_one_level_without_a_mapping():
    planned = plan_edition(DATA / "shanghai" / "shanghai_districts_2010.geojson")

    assert check_plan(planned).faults == ()
    assert planned.leaf_level is GridLevel.DISTRICT
    assert len(planned.frame) == 17
    assert planned.frame.loc[planned.frame["code"] == "310113", "name"].to_list() == ["宝山区"]


@needs_data
def test_without_its_allowances_taichung_is_refused():
    mapping = read_mapping(EXAMPLES / "taichung.toml")
    planned = plan_edition(DATA / "taichung", mapping)

    strict = check_plan(type(planned)(frame=planned.frame, sources=planned.sources))

    kinds = [fault.kind for fault in strict.errors]
    assert kinds.count(FaultKind.CHILD_OUTSIDE_PARENT) == 4
    assert FaultKind.GAP in kinds


@needs_data
def test_cells_of_a_field_app_come_in_from_bd09_with_joined_parents(tmp_path):
    (tmp_path / "m.toml").write_text(
        "".join(f"[levels.{level}]\ndissolve = true\n" for level in ("district", "town", "community"))
        + '[levels.building_group]\ncode = "code"\nname = "name"\n',
        "utf-8",
    )

    planned = plan_edition(
        DATA / "xuzhou_grids_bd09.geojson", read_mapping(tmp_path / "m.toml"), frame="BD09"
    )

    assert planned.sources[0].native_frame == "BD09"
    assert check_plan(planned).ok
    assert planned.frame["level"].value_counts().to_dict()["building_group"] == 10
    assert shapely.is_valid(planned.frame.geometry.array).all()
