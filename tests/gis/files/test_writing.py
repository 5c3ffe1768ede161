"""Areas as files of every kind: what is written is what our own reader finds."""

from __future__ import annotations

import zipfile

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
import shapely
from shapely.geometry import MultiPolygon, Polygon, box

from gis.areas import read_areas
from gis.errors import InvalidInput
from gis.files.filekinds import SUFFIXES, FileKind
from gis.files.writing import KINDS_WRITTEN, write_areas

HOLED = Polygon(box(117, 34, 117.01, 34.01).exterior, [box(117.001, 34.001, 117.002, 34.002).exterior])


@pytest.fixture
def areas():
    """Return three areas with all that an edition has of them, also where something is missing."""
    shapes = [
        MultiPolygon([HOLED, box(117.02, 34, 117.03, 34.01)]),
        MultiPolygon([box(117 + 0.1 / 3, 34 + 0.2 / 3, 117.04, 34.08)]),
        MultiPolygon([box(117.05, 34, 117.06, 34.01)]),
    ]
    columns = {
        "code": ["990101", "990101001", "990101001001"],
        "name": ["鼓楼区", "<b>&amp; 'quoted', \"twice\"", "=1+1"],
        "src_code": pd.array(["B1", None, "07"], dtype="string"),
        "households": pd.array([310, None, 0], dtype="Int64"),
    }
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=4490)


@pytest.mark.parametrize("suffix", KINDS_WRITTEN)
def test_what_is_written_is_what_is_read(areas, tmp_path, suffix):
    path = tmp_path / f"grid{suffix}"

    write_areas(areas, path, KINDS_WRITTEN[suffix], layer="grids")
    found = read_areas(path)

    back = found.frame.set_index(found.frame["code"].astype(str)).loc[areas["code"]]
    assert found.kind is KINDS_WRITTEN[suffix]
    assert not found.problems
    assert back["name"].tolist() == areas["name"].tolist()
    assert [None if pd.isna(value) else str(value) for value in back["src_code"]] == ["B1", None, "07"]
    assert [None if pd.isna(value) else int(value) for value in back["households"]] == [310, None, 0]
    assert shapely.equals_exact(
        shapely.normalize(back.geometry.array), shapely.normalize(areas.geometry.array), 1e-9
    ).all()
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", KINDS_WRITTEN)
def test_no_areas_at_all_are_a_file_too(areas, tmp_path, suffix):
    path = tmp_path / f"grid{suffix}"

    write_areas(areas.iloc[:0], path, KINDS_WRITTEN[suffix], layer="grids")
    with pytest.raises(InvalidInput) as refused:
        read_areas(path)

    assert refused.value.code == "no_areas"


def test_every_kind_that_is_written_is_read_under_the_same_name():
    read = {suffix: kind for suffix, kind in SUFFIXES.items() if kind is not FileKind.ZIP}

    assert {
        suffix: kind for suffix, kind in KINDS_WRITTEN.items() if suffix != ".zip"
    }.items() <= read.items()
    assert set(KINDS_WRITTEN.values()) == set(read.values())


def test_a_shapefile_says_its_encoding_and_its_frame(areas, tmp_path):
    write_areas(areas, tmp_path / "grid.zip", FileKind.SHAPEFILE, layer="grids")

    with zipfile.ZipFile(tmp_path / "grid.zip") as archive:
        parts = {name.partition(".")[2]: archive.read(name) for name in archive.namelist()}
    assert parts["cpg"] == b"UTF-8"
    assert b"CGCS2000" in parts["prj"] or b"China_2000" in parts["prj"]
    assert "鼓楼区".encode() in parts["dbf"]


@pytest.mark.parametrize(
    "change", [{"long_column_name": "x"}, {"name": "字" * 100}], ids=["name of a column", "text"]
)
def test_a_shapefile_that_would_cut_something_short_is_refused(areas, tmp_path, change):
    with pytest.raises(InvalidInput) as refused:
        write_areas(areas.assign(**change), tmp_path / "grid.zip", FileKind.SHAPEFILE, layer="grids")

    assert refused.value.code == "cannot_write"
    assert "Shapefile" in str(refused.value)


def test_a_flatgeobuf_and_a_geopackage_state_cgcs2000(areas, tmp_path):
    for suffix in (".fgb", ".gpkg", ".parquet"):
        write_areas(areas, tmp_path / f"grid{suffix}", KINDS_WRITTEN[suffix], layer="grids")

        assert read_areas(tmp_path / f"grid{suffix}").native_frame == "EPSG:4490"

    assert pyogrio.read_info(tmp_path / "grid.gpkg")["layer_name"] == "grids"


def test_a_place_that_cannot_be_written_to_is_an_error_of_the_system(areas, tmp_path):
    for suffix, kind in KINDS_WRITTEN.items():
        with pytest.raises(OSError):
            write_areas(areas, tmp_path / "nowhere" / f"grid{suffix}", kind, layer="grids")
