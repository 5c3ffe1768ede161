"""Files of areas, read: every format, frame and encoding, and everything that a file may do to us."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from shapely.geometry import LineString, MultiPolygon, Point, box

from gis.areas import read_areas
from gis.crs import from_storage
from gis.errors import InvalidInput, UnknownFrame
from gis.faults import FaultKind
from gis.files.archives import FileLimits
from gis.files.filekinds import FileKind

CELL = box(117.0, 34.0, 117.01, 34.01)
NEIGHBOUR = box(117.01, 34.0, 117.02, 34.01)
DATA = Path(__file__).parents[2].parent / "shared" / "data"


def some_areas(crs="EPSG:4490", **columns):
    columns = columns or {"code": ["a", "b"], "name": ["鼓楼社区", "Bell"]}
    return gpd.GeoDataFrame(columns, geometry=[CELL, NEIGHBOUR], crs=crs)


def a_geopackage(path, areas=None, **options):
    pyogrio.write_dataframe(some_areas() if areas is None else areas, path, driver="GPKG", **options)
    return path


def a_shapefile_zip(path, areas=None, *, encoding="UTF-8", without=(), rename=None, language=None):
    """Write a zipped Shapefile, less some parts; `language` is what the table says of its text."""
    folder = path.parent / "parts"
    folder.mkdir(exist_ok=True)
    pyogrio.write_dataframe(
        some_areas() if areas is None else areas,
        folder / "cells.shp",
        driver="ESRI Shapefile",
        encoding=encoding,
    )
    if language is not None:
        table = bytearray((folder / "cells.dbf").read_bytes())
        table[29] = language
        (folder / "cells.dbf").write_bytes(table)
    with zipfile.ZipFile(path, "w") as archive:
        for part in sorted(folder.iterdir()):
            if part.suffix not in without:
                archive.write(part, rename(part.name) if rename else part.name)
    return path


def a_feature(geometry, **properties):
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def a_geojson(path, *features, **members):
    path.write_text(json.dumps({"type": "FeatureCollection", **members, "features": list(features)}), "utf-8")
    return path


def a_polygon(shape=CELL):
    return json.loads(shapely.to_geojson(shape))


def test_a_geopackage_is_read_with_its_columns(tmp_path):
    found = read_areas(a_geopackage(tmp_path / "网格.gpkg", layer="cells"))

    assert found.kind is FileKind.GEOPACKAGE
    assert found.layer == "cells"
    assert found.native_frame == "EPSG:4490"
    assert list(found.frame["name"]) == ["鼓楼社区", "Bell"]
    assert found.frame.crs.to_epsg() == 4490
    assert all(isinstance(shape, MultiPolygon) for shape in found.frame.geometry)
    assert found.frame.geometry[0].equals(CELL)
    assert not found.problems


def test_a_geojson_file_is_in_wgs84_unless_it_says_otherwise(tmp_path):
    plain = read_areas(a_geojson(tmp_path / "a.geojson", a_feature(a_polygon(), code="1", tags=["x"])))
    metres = some_areas().to_crs(4548).geometry[0]
    member = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4548"}}
    projected = read_areas(a_geojson(tmp_path / "b.geojson", a_feature(a_polygon(metres)), crs=member))

    assert plain.native_frame == "OGC:CRS84"
    assert plain.frame.geometry[0].equals(CELL)
    assert plain.frame["tags"][0] == '["x"]'
    assert projected.native_frame == "EPSG:4548"
    assert shapely.equals_exact(projected.frame.geometry[0], MultiPolygon([CELL]), 1e-9)


def test_a_single_feature_is_a_file_too(tmp_path):
    path = tmp_path / "one.json"
    path.write_text(json.dumps(a_feature(a_polygon(), code="1")), "utf-8")

    assert list(read_areas(path).frame["code"]) == ["1"]


def test_a_zipped_shapefile_is_read_in_the_encoding_that_it_states(tmp_path):
    for encoding in ("UTF-8", "GBK", "GB18030"):
        found = read_areas(a_shapefile_zip(tmp_path / f"{encoding}.zip", encoding=encoding))

        assert found.kind is FileKind.SHAPEFILE
        assert list(found.frame["name"]) == ["鼓楼社区", "Bell"]


def test_a_shapefile_lying_loose_is_read_whatever_the_case_of_its_names(tmp_path):
    a_shapefile_zip(tmp_path / "z.zip")
    for part in (tmp_path / "parts").iterdir():
        part.rename(part.with_suffix(part.suffix.upper()))

    assert len(read_areas(tmp_path / "parts" / "cells.SHP").frame) == 2


def test_chinese_text_of_unstated_encoding_is_asked_for_and_not_guessed(tmp_path):
    path = a_shapefile_zip(tmp_path / "old.zip", encoding="GBK", without=[".cpg"])

    with pytest.raises(InvalidInput) as asked:
        read_areas(path)
    with pytest.raises(InvalidInput) as wrong:
        read_areas(path, encoding="UTF-8")
    with pytest.raises(InvalidInput) as unknown:
        read_areas(path, encoding="klingon")

    assert asked.value.code == "encoding_not_declared"
    assert wrong.value.code == "wrong_encoding"
    assert unknown.value.code == "unknown_encoding"
    assert list(read_areas(path, encoding="GBK").frame["name"]) == ["鼓楼社区", "Bell"]


@pytest.mark.parametrize(
    ("language", "encoding"), [(0x4D, "GBK"), (0x7A, "GBK"), (0x4F, "Big5"), (0x78, "Big5")]
)
def test_the_table_itself_may_state_its_chinese_code_page(tmp_path, language, encoding):
    areas = some_areas(name=["西區", "Bell"])
    path = a_shapefile_zip(
        tmp_path / "old.zip", areas, encoding=encoding, without=[".cpg"], language=language
    )

    assert read_areas(path).frame["name"][0] == "西區"


@pytest.mark.parametrize(
    "language", [0x00, 0x03, 0x57]
)  # nothing, Western Windows, "ANSI": nobody meant these
def test_a_table_that_states_no_chinese_code_page_is_asked_for_with_the_option_that_answers(
    tmp_path, language
):
    path = a_shapefile_zip(tmp_path / "old.zip", encoding="GBK", without=[".cpg"], language=language)

    with pytest.raises(InvalidInput, match=r"^cells\.shp .*--encoding GBK, or in the mapping$") as asked:
        read_areas(path)

    assert asked.value.code == "encoding_not_declared"
    assert asked.value.facts["field"] == "encoding"


def test_english_text_needs_no_encoding(tmp_path):
    areas = some_areas(code=["1", "2"])

    assert len(read_areas(a_shapefile_zip(tmp_path / "z.zip", areas, without=[".cpg"])).frame) == 2


def test_a_shapefile_without_projection_asks_for_the_frame(tmp_path):
    path = a_shapefile_zip(tmp_path / "z.zip", without=[".prj"])

    with pytest.raises(UnknownFrame) as asked:
        read_areas(path)

    assert asked.value.code == "frame_not_declared"
    assert "GCJ02" in asked.value.facts["wanted"]
    assert read_areas(path, frame="CGCS2000").native_frame == "CGCS2000"


def test_a_projection_that_nobody_knows_is_shown_unless_the_frame_is_declared(tmp_path):
    a_shapefile_zip(tmp_path / "z.zip")
    folder = tmp_path / "parts"
    (folder / "cells.prj").write_text("地方坐标系, see office 3")

    with pytest.raises(UnknownFrame, match="see office 3") as refused:
        read_areas(folder / "cells.shp")

    assert refused.value.code == "unknown_crs"
    assert read_areas(folder / "cells.shp", frame="CGCS2000").native_frame == "CGCS2000"


def test_projected_metres_that_state_no_projection_are_refused(tmp_path):
    path = a_shapefile_zip(tmp_path / "z.zip", some_areas().to_crs(4548), without=[".prj"])

    with pytest.raises(InvalidInput) as refused:
        read_areas(path, frame="CGCS2000")

    assert refused.value.code == "coordinate_out_of_range"
    assert "metres" in str(refused.value)


@pytest.mark.parametrize("frame", ["GCJ02", "BD09"])
def test_a_declared_frame_goes_before_what_the_file_says(tmp_path, frame):
    shifted = shapely.transform(CELL, lambda xy: np.column_stack(from_storage(xy[:, 0], xy[:, 1], frame)))
    path = a_geopackage(tmp_path / "a.gpkg", gpd.GeoDataFrame(geometry=[shifted], crs=4326))

    found = read_areas(path, frame=frame)

    assert found.native_frame == frame
    assert shapely.equals_exact(found.frame.geometry[0], MultiPolygon([CELL]), 1e-9)


def test_gcj02_that_was_projected_is_unprojected_first(tmp_path):
    shifted = shapely.transform(CELL, lambda xy: np.column_stack(from_storage(xy[:, 0], xy[:, 1], "GCJ02")))
    path = a_geopackage(tmp_path / "a.gpkg", gpd.GeoDataFrame(geometry=[shifted], crs=4326).to_crs(32650))

    found = read_areas(path, frame="GCJ02")

    assert shapely.equals_exact(found.frame.geometry[0], MultiPolygon([CELL]), 1e-8)


@pytest.mark.parametrize("epsg", [4326, 4490, 4548, 4527, 32650, 3857])
def test_any_stated_system_with_a_published_conversion_is_brought_to_storage(tmp_path, epsg):
    there = some_areas(crs=4326).to_crs(epsg)

    found = read_areas(a_geopackage(tmp_path / "a.gpkg", there))

    assert found.native_frame == f"EPSG:{epsg}"
    assert shapely.hausdorff_distance(found.frame.geometry[0], CELL) < 1e-6


@pytest.mark.parametrize("epsg", [4610, 2362, 4214, 2436])  # Xi'an 1980, Beijing 1954
def test_a_datum_without_published_conversion_is_refused_rather_than_shifted_wrongly(tmp_path, epsg):
    east = {2362: 38_500_000, 2436: 500_000}.get(epsg)
    there = CELL if east is None else shapely.affinity.translate(CELL, east, 3_800_000)
    path = a_geopackage(tmp_path / "a.gpkg", gpd.GeoDataFrame(geometry=[there], crs=epsg))

    with pytest.raises(UnknownFrame) as refused:
        read_areas(path)

    assert refused.value.code == "no_exact_conversion"


def test_swapped_axes_are_told(tmp_path):
    swapped = shapely.transform(CELL, lambda xy: xy[:, ::-1])

    with pytest.raises(InvalidInput) as refused:
        read_areas(a_geojson(tmp_path / "a.geojson", a_feature(a_polygon(swapped))))

    assert refused.value.code == "coordinate_out_of_range"
    assert "swapped?" in str(refused.value)


def test_shapes_that_are_no_areas_are_listed_by_row_and_the_others_read(tmp_path):
    path = a_geojson(
        tmp_path / "a.geojson",
        a_feature(a_polygon(), code="good"),
        a_feature(None, code="none"),
        a_feature(a_polygon(Point(117, 34)), code="point"),
        a_feature({"type": "Polygon", "coordinates": [[[117, 34], [117.1, 34], [117.1, 34.1]]]}, code="open"),
        a_feature({"type": "Polygon", "coordinates": []}, code="empty"),
        a_feature({"type": "Blob"}, code="blob"),
        "not a feature",
    )

    found = read_areas(path)

    assert {row: kind for row, (kind, _) in found.problems.items()} == {
        1: FaultKind.EMPTY_GEOMETRY,
        2: FaultKind.WRONG_GEOMETRY_TYPE,
        3: FaultKind.UNREADABLE_GEOMETRY,
        4: FaultKind.EMPTY_GEOMETRY,
        5: FaultKind.UNREADABLE_GEOMETRY,
        6: FaultKind.EMPTY_GEOMETRY,
    }
    assert "closed" in found.problems[3][1]
    assert found.frame.geometry[0] is not None
    assert all(found.frame.geometry[row] is None for row in found.problems)


def test_coordinates_that_are_no_numbers_are_listed(tmp_path):
    with np.errstate(invalid="ignore"):
        broken = shapely.Polygon([(117, 34), (117.1, 34), (117.1, np.nan), (117, 34)])
    path = a_geopackage(tmp_path / "a.gpkg", gpd.GeoDataFrame(geometry=[CELL, broken], crs=4490))

    found = read_areas(path)

    assert found.problems[1][0] is FaultKind.UNREADABLE_GEOMETRY
    assert found.frame.geometry[0].equals(CELL)


def test_broken_rings_are_read_as_they_are(tmp_path):
    bow_tie = shapely.Polygon([(117, 34), (117.1, 34.1), (117.1, 34), (117, 34.1)])

    found = read_areas(a_geopackage(tmp_path / "a.gpkg", gpd.GeoDataFrame(geometry=[bow_tie], crs=4490)))

    assert not found.problems
    assert not found.frame.geometry[0].is_valid


def test_of_several_layers_one_must_be_named(tmp_path):
    path = a_geopackage(tmp_path / "a.gpkg", layer="towns")
    a_geopackage(path, some_areas(code=["c", "d"]), layer="cells", append=True)

    with pytest.raises(InvalidInput) as asked:
        read_areas(path)
    with pytest.raises(InvalidInput) as unknown:
        read_areas(path, layer="villages")

    assert asked.value.code == "layer_needed"
    assert asked.value.facts["wanted"] == ["towns", "cells"]
    assert unknown.value.code == "unknown_layer"
    assert list(read_areas(path, layer="cells").frame["code"]) == ["c", "d"]


def a_folder(name, *inside):
    return f"<Folder><name>{name}</name>{''.join(inside)}</Folder>"


def a_placemark(name):
    ring = "<LinearRing><coordinates>117,34 117.01,34 117.01,34.01 117,34</coordinates></LinearRing>"
    polygon = f"<Polygon><outerBoundaryIs>{ring}</outerBoundaryIs></Polygon>"
    return f"<Placemark><name>{name}</name>{polygon}</Placemark>"


@pytest.fixture
def folders(tmp_path):
    """Return a .kmz with areas in several folders, as field apps keep them."""
    label = "<Placemark><name>no area</name></Placemark>"
    inside = a_folder("镇", a_placemark("t")) + a_folder(
        "网格", a_folder("甲", a_placemark("a")), a_placemark("b")
    )
    document = f"<kml><Document><name>D</name>{label}{inside}</Document></kml>"
    with zipfile.ZipFile(tmp_path / "app.kmz", "w") as archive:
        archive.writestr("doc.kml", document)
    return tmp_path / "app.kmz"


def test_of_several_folders_one_must_be_named(folders):
    with pytest.raises(InvalidInput) as asked:
        read_areas(folders)
    with pytest.raises(InvalidInput) as unknown:
        read_areas(folders, layer="村")

    assert asked.value.code == "layer_needed"
    assert asked.value.facts["wanted"] == ["D/镇", "D/网格/甲", "D/网格"]
    assert unknown.value.code == "unknown_layer"


@pytest.mark.parametrize(
    ("layer", "names"),
    [
        ("镇", ["t"]),
        ("D/网格", ["a", "b"]),
        ("网格/甲", ["a"]),
        ("甲", ["a"]),
        ("D", ["no area", "t", "a", "b"]),
    ],
)
def test_a_folder_takes_all_that_lies_in_it(folders, layer, names):
    found = read_areas(folders, layer=layer)

    assert found.layer == layer
    assert found.native_frame == "OGC:CRS84"
    assert found.frame["name"].tolist() == names
    assert found.frame["folder"].iloc[-1].startswith("D/")
    assert len(found.problems) == names.count("no area")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"type": "FeatureCollection", "features": [', "file_unreadable"),
        ('{"type": "FeatureCollection", "features": [NaN]}', "file_unreadable"),
        ('{"type": "FeatureCollection", "features": 3}', "not_area_geojson"),
        ('{"type": "Topology"}', "not_area_geojson"),
        ("{} {}", "file_unreadable"),
        ('{"a":' * 100_000, "file_unreadable"),
        (
            '{"type": "FeatureCollection", "crs": {"type": "link"}, "features": []}',
            "unknown_crs",
        ),
        (
            '{"type": "FeatureCollection", "crs": {"properties": {"name": "EPSG:1"}}, "features": []}',
            "unknown_crs",
        ),
        (
            json.dumps({"type": "Feature", "geometry": None, "properties": {"name": "a\u0000b"}}),
            "text_not_storable",
        ),
        (
            json.dumps({"type": "Feature", "geometry": None, "properties": {"name": "\ud800"}}),
            "text_not_storable",
        ),
    ],
)
def test_json_that_is_no_set_of_areas_is_refused(tmp_path, text, code):
    path = tmp_path / "a.geojson"
    path.write_text(text, "utf-8")

    with pytest.raises(InvalidInput) as refused:
        read_areas(path)

    assert refused.value.code == code
    assert str(refused.value).startswith("a.geojson")


def test_geojson_in_gbk_is_refused(tmp_path):
    path = tmp_path / "a.geojson"
    path.write_bytes('{"type": "FeatureCollection", "name": "鼓楼", "features": []}'.encode("gbk"))

    with pytest.raises(InvalidInput) as refused:
        read_areas(path)

    assert refused.value.code == "file_unreadable"
    assert "UTF-8" in str(refused.value)


def test_a_geopackage_that_is_cut_off_or_tampered_with_is_refused(tmp_path):
    whole = a_geopackage(tmp_path / "whole.gpkg").read_bytes()
    cut, filled = tmp_path / "cut.gpkg", tmp_path / "filled.gpkg"
    cut.write_bytes(whole[: len(whole) // 3])
    filled.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))

    for path in (cut, filled):
        with pytest.raises(InvalidInput) as refused:
            read_areas(path)
        assert refused.value.code in ("file_unreadable", "layer_needed", "file_too_demanding")


def test_a_view_in_a_geopackage_that_reads_for_ever_is_stopped(tmp_path):
    path = a_geopackage(tmp_path / "a.gpkg", layer="cells")
    with sqlite3.connect(path) as database:
        database.execute("DROP TRIGGER IF EXISTS trigger_delete_feature_count_cells")
        database.execute("ALTER TABLE cells RENAME TO real_cells")
        database.execute(
            "CREATE VIEW cells AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
            "SELECT fid, geom, code FROM real_cells, n WHERE i < 0"
        )
    database.close()

    with pytest.raises(InvalidInput) as refused:
        read_areas(path, limits=FileLimits(wall_seconds=3))

    assert refused.value.code in ("file_too_demanding", "file_unreadable", "layer_needed")


def test_a_file_over_its_limits_is_refused(tmp_path):
    path = a_geojson(tmp_path / "a.geojson", *[a_feature(a_polygon(CELL.buffer(0.01)))] * 10)
    usual = FileLimits()

    for limits, code in (
        (replace(usual, features=9), "too_many_features"),
        (replace(usual, vertices=100), "too_many_vertices"),
        (replace(usual, bytes=1000), "file_too_big"),
    ):
        with pytest.raises(InvalidInput) as refused:
            read_areas(path, limits=limits)
        assert refused.value.code == code

    found = read_areas(path, limits=replace(usual, vertices_each=50))
    assert found.problems[0][0] is FaultKind.TOO_MANY_VERTICES
    assert len(found.problems) == 10


def test_a_geopackage_with_too_many_features_is_refused(tmp_path):
    with pytest.raises(InvalidInput) as refused:
        read_areas(a_geopackage(tmp_path / "a.gpkg"), limits=FileLimits(features=1))

    assert refused.value.code == "too_many_features"


def test_a_file_that_takes_too_much_memory_is_refused(tmp_path):
    path = a_geojson(tmp_path / "a.geojson", *[a_feature(a_polygon(), note="x" * 1000)] * 60_000)

    with pytest.raises(InvalidInput) as refused:
        read_areas(path, limits=FileLimits(memory_bytes=300_000_000))

    assert refused.value.code in ("file_too_demanding", "file_unreadable")


def test_the_source_is_neither_changed_nor_written_beside(tmp_path):
    path = a_geopackage(tmp_path / "a.gpkg")
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode=WAL")  # reading in place would write two files beside it
    database.close()
    before = path.read_bytes()

    read_areas(path)

    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.gpkg"]


def test_areas_in_three_dimensions_or_with_lines_among_them_are_flattened_or_listed(tmp_path):
    raised = shapely.force_3d(CELL, 12.0)
    areas = gpd.GeoDataFrame(geometry=[raised, LineString([(117, 34), (117.1, 34)])], crs=4490)

    found = read_areas(a_geopackage(tmp_path / "a.gpkg", areas))

    assert not found.frame.geometry[0].has_z
    assert found.problems[1][0] is FaultKind.WRONG_GEOMETRY_TYPE


@pytest.mark.skipif(not DATA.exists(), reason="the sample data lies beside the project, and is not here")
def test_cells_that_a_field_app_keeps_in_bd09_come_to_their_true_place():
    path = DATA / "xuzhou_grids_bd09.geojson"

    raw, true = read_areas(path), read_areas(path, frame="BD09")

    assert len(true.frame) == 10
    assert not true.problems
    west, south, east, north = true.frame.total_bounds - raw.frame.total_bounds
    assert -0.0130 < west < -0.0110  # the app's coordinates lie some 1.1 km east ...
    assert -0.0060 < south < -0.0030  # ... and 0.5 km north of the ground
    assert (east, north) == pytest.approx((west, south), abs=2e-3)
