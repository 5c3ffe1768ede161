"""GeoParquet: what its metadata may say, and what a file that unpacks to too much costs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import geopandas as gpd
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import pytest
import shapely
from shapely.geometry import MultiPolygon, box

from gis.areas import read_areas
from gis.files.archives import FileLimits
from gis.files.geoparquet import NotGeoParquet, TooMuch, read_geoparquet

CELLS = [box(117, 34, 117.01, 34.01), box(117.01, 34, 117.02, 34.01)]


@pytest.fixture
def a_file(tmp_path):
    """Write a table with WKB in `geometry` and what is said about it."""

    def write(said=None, *, geo=None, **columns):
        about = {"geometry": {"encoding": "WKB", "geometry_types": [], **(said or {})}}
        geo = geo or {"version": "1.1.0", "primary_column": "geometry", "columns": about}
        table = pa.table({"geometry": pa.array(shapely.to_wkb(CELLS)), **columns})
        path = tmp_path / "grid.parquet"
        pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), path)
        return path

    return write


def read(path, rows=100, size=1_000_000):
    return read_geoparquet(path, rows, size)


def test_a_file_without_a_system_is_in_wgs84_and_one_of_null_in_none(a_file):
    epsg = pyproj.CRS.from_epsg(4548).to_json_dict()

    assert read(a_file())[2] == "OGC:CRS84"
    assert read(a_file({"crs": None}))[2] is None
    assert pyproj.CRS.from_user_input(read(a_file({"crs": epsg}))[2]).to_epsg() == 4548


def test_columns_become_plain_values(a_file):
    columns = {
        "name": pa.array(["鼓楼", None]),
        "kind": pa.array(["a", "a"]).dictionary_encode(),
        "households": pa.array([310, None]),
        "share": pa.array([0.5, float("nan")]),
        "open": pa.array([True, False]),
        "since": pa.array([datetime(2026, 6, 3, 9, tzinfo=UTC), None]),
        "exact": pa.array([Decimal("1.20"), None]),
        "tags": pa.array([["x", "y"], []]),
        "picture": pa.array([b"\x89PNG", None]),
        "bbox": pa.array([{"xmin": 1.0, "ymin": 1.0, "xmax": 1.0, "ymax": 1.0}] * 2),
        "fine": pa.array([1_780_000_000_000_000_001, None], pa.timestamp("ns")),
    }

    found = read(a_file(**columns))[1]

    assert found.pop("fine")[1] is None
    assert found == {
        "name": ["鼓楼", None],
        "kind": ["a", "a"],
        "households": [310, None],
        "share": [0.5, None],
        "open": [True, False],
        "since": ["2026-06-03 09:00:00+00:00", None],
        "exact": ["1.20", None],
        "tags": ['["x", "y"]', "[]"],
    }
    json.dumps(found)


def test_further_columns_of_shapes_are_left_out(a_file):
    about = {"encoding": "WKB"}
    geo = {"primary_column": "geometry", "columns": {"geometry": about, "centre": about}}

    assert read(a_file(geo=geo, centre=pa.array([b"", b""]), code=pa.array(["1", "2"])))[1] == {
        "code": ["1", "2"]
    }


@pytest.mark.parametrize("encoding", ["WKB", "geoarrow"])
@pytest.mark.parametrize("multi", [False, True])
def test_shapes_are_read_in_both_their_encodings(tmp_path, encoding, multi):
    shapes = [MultiPolygon([cell]) for cell in CELLS] if multi else CELLS
    frame = gpd.GeoDataFrame({"code": ["1", "2"]}, geometry=[*shapes[:1], shapes[1]], crs=4490)
    frame.to_parquet(tmp_path / "grid.parquet", geometry_encoding=encoding, schema_version="1.1.0")

    found = read_areas(tmp_path / "grid.parquet")

    assert found.native_frame == "EPSG:4490"
    assert list(found.frame["code"]) == ["1", "2"]
    assert [shape.equals(cell) for shape, cell in zip(found.frame.geometry, CELLS, strict=True)] == [
        True,
        True,
    ]


def test_too_many_rows_are_seen_before_any_is_read(a_file):
    assert len(read(a_file(), rows=1)[0]) == 2


def test_what_unpacks_to_too_much_is_refused(a_file):
    stated = a_file(note=pa.array(["x" * 90_000, "y" * 90_000]))
    with pytest.raises(TooMuch):
        read(stated, size=100_000)

    table = pa.table({"geometry": pa.nulls(50_000, pa.binary()), "note": ["x" * 10_000] * 50_000})
    geo = {"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}}
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), stated)

    assert stated.stat().st_size < 50_000  # one text in a dictionary, and 500 MB of it
    with pytest.raises(TooMuch):
        read(stated, rows=100_000)


@pytest.mark.parametrize(
    ("geo", "words"),
    [
        ({"columns": {}}, "None"),
        ({"primary_column": "geometry", "columns": {"geometry": 1}}, "no one such column"),
        ({"primary_column": "elsewhere", "columns": {"elsewhere": {"encoding": "WKB"}}}, "elsewhere"),
        ({"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKT"}}}, "'WKT'"),
        ({"primary_column": "geometry", "columns": {"geometry": {}}}, "'None'"),
    ],
)
def test_metadata_that_tells_nothing_is_the_reason_that_is_given(a_file, geo, words):
    with pytest.raises(NotGeoParquet, match=words) as refused:
        read(a_file(geo=geo))

    assert refused.value.code == "not_geoparquet"


def test_the_reading_process_has_room_for_arrow_in_one_gigabyte(a_file):
    path = a_file(code=pa.array(["1", "2"]))

    assert len(read_areas(path, limits=FileLimits(memory_bytes=1_000_000_000, cpu_seconds=5)).frame) == 2
