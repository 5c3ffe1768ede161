"""Files that want more than to be read: each costs one clear error that names it, or one listed fault."""

from __future__ import annotations

import contextlib
import io
import json
import re
import socket
import sqlite3
import struct
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from shapely.geometry import Point, Polygon, box

from gis.areas import read_areas
from gis.errors import CityError
from gis.faults import FaultKind
from gis.files.archives import FileLimits

SECRET = "the-secret-of-another-file"
CELL, NEIGHBOUR = box(117.0, 34.0, 117.01, 34.01), box(117.01, 34.0, 117.02, 34.01)
AREAS = gpd.GeoDataFrame({"code": ["a", "b"]}, geometry=[CELL, NEIGHBOUR], crs=4490)
UPLOAD = FileLimits(
    bytes=20_000_000,
    features=5_000,
    vertices=2_000_000,
    memory_bytes=1_000_000_000,
    cpu_seconds=2,
    wall_seconds=15,
)


@dataclass(frozen=True)
class World:
    """Where the hostile files point to: a file of somebody else, and a port that nobody must knock at."""

    secret: Path
    port: int
    whole: dict[str, bytes]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    secret = folder / "secret.geojson"
    secret.write_text(f'{{"type": "Feature", "properties": {{"code": "{SECRET}"}}, "geometry": null}}')
    for name, driver in (("a.gpkg", "GPKG"), ("a.fgb", "FlatGeobuf"), ("a.shp", "ESRI Shapefile")):
        pyogrio.write_dataframe(AREAS, folder / name, driver=driver, layer="cells")
    AREAS.to_parquet(folder / "a.parquet")
    whole = {part.suffix: part.read_bytes() for part in folder.glob("a.*")}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        yield World(secret, listener.getsockname()[1], whole)
        with pytest.raises(BlockingIOError):
            listener.accept()


def a_zip(*entries):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def patched(content, at, value):
    return content[:at] + value + content[at + len(value) :]


def a_shapefile(world, *, without=(), **parts):
    kept = {suffix: world.whole[suffix] for suffix in (".shp", ".shx", ".dbf", ".prj", ".cpg")}
    kept |= {f".{suffix}": content for suffix, content in parts.items()}
    return a_zip(*[(f"grid{suffix}", content) for suffix, content in kept.items() if suffix not in without])


def in_gbk(world):
    """Return a table whose text is GBK, and which does not say so."""
    return world.whole[".dbf"].replace(b"a       ", "鼓楼".encode("gbk") + b"    ", 1)


def a_geopackage(world, *statements):
    """Return a GeoPackage after some statements, without the triggers that would keep it in order."""
    database = sqlite3.connect(":memory:")
    database.deserialize(world.whole[".gpkg"])
    triggers = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for statement in [*(f'DROP TRIGGER "{name}"' for (name,) in triggers), *statements]:
        database.execute(statement)
    database.commit()
    content = database.serialize()
    database.close()
    return content


def with_view(code):
    """Return a maker of a GeoPackage whose layer is a view, with an expression for its code."""
    return lambda world: a_geopackage(
        world,
        "ALTER TABLE cells RENAME TO c",
        f"CREATE VIEW cells AS SELECT fid, geom, {code} AS code FROM c",
    )


def tampered(*statements):
    return lambda world: a_geopackage(world, *statements)


def promising(count):
    """Return a maker of a FlatGeobuf whose header says that it has so many features."""
    return lambda world: world.whole[".fgb"].replace(struct.pack("<Q", 2), struct.pack("<Q", count), 1)


def features(*geometries, **members):
    listed = [{"type": "Feature", "properties": {"code": "a"}, "geometry": one} for one in geometries]
    return json.dumps({"type": "FeatureCollection", **members, "features": listed}).encode()


def a_geojson_in(system):
    return features(a_polygon(RING), crs={"type": "name", "properties": {"name": system}})


def a_feature(properties):
    return f'{{"type": "Feature", "geometry": null, "properties": {properties}}}'.encode()


def a_polygon(*rings):
    return {"type": "Polygon", "coordinates": rings}


RING = [[117, 34], [117.01, 34], [117.01, 34.01], [117, 34]]


def a_kml(inside):
    return f'<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2">{inside}</kml>'.encode()


def a_placemark(coordinates="117,34 117.01,34 117.01,34.01 117,34", name="a"):
    return (
        f"<Placemark><name>{name}</name><Polygon><outerBoundaryIs><LinearRing><coordinates>{coordinates}"
        "</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>"
    )


def a_parquet(geo: Any = "usual", column=None, **columns):
    """Return a Parquet file with two rows, or as many as `column` (of shapes) has."""
    shapes = pa.array([shapely.to_wkb(CELL), shapely.to_wkb(NEIGHBOUR)]) if column is None else column
    if geo == "usual":
        geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}}
    metadata = {} if geo is None else {"geo": geo if isinstance(geo, bytes) else json.dumps(geo)}
    table = pa.table({"geometry": shapes, **columns}).replace_schema_metadata(metadata)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def about_shapes(**said):
    return a_parquet({"primary_column": "geometry", "columns": {"geometry": said}})


def a_deep_collection(depth):
    head = b"\x01" + struct.pack("<II", 7, 1)
    return head * depth + shapely.to_wkb(Point(1, 1))


BOMB = '<!DOCTYPE kml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;">]>'
TOO_MUCH = "file_too_demanding file_unreadable"
NO_SYSTEM = "unknown_crs frame_not_declared"

# what it is, the name, the content or how it is made, the codes that it may be refused with
SHAPEFILES = [
    ("GBK without a word", "grid.zip", lambda w: a_shapefile(w, without=[".cpg"], dbf=in_gbk(w)),
     "encoding_not_declared"),
    ("GBK that says UTF-8", "grid.zip", lambda w: a_shapefile(w, dbf=in_gbk(w)), "wrong_encoding"),
    ("no projection", "grid.zip", lambda w: a_shapefile(w, without=[".prj"]), "frame_not_declared"),
    ("projection of brackets", "grid.zip", lambda w: a_shapefile(w, prj=b"PROJCS[" * 5000), "file_unreadable"),
    ("projection that is a page", "grid.zip", lambda w: a_shapefile(w, prj=b"<html>404</html>"), "unknown_crs"),
    ("projection with a file", "grid.zip", lambda w: a_shapefile(
        w, prj=f"+proj=longlat +ellps=krass +nadgrids={w.secret}".encode()), "unknown_crs"),
    ("half its shapes", "grid.zip", lambda w: a_shapefile(w, shp=w.whole[".shp"][:150]), "file_unreadable"),
    ("index into nowhere", "grid.zip", lambda w: a_shapefile(
        w, shx=w.whole[".shx"][:100] + b"\x7f\xff\xff\xff" * 4), "file_unreadable"),
    ("table of noise", "grid.zip", lambda w: a_shapefile(w, dbf=bytes(range(128)) * 9), "file_unreadable"),
]  # fmt: skip

GEOPACKAGES = [
    ("GeoPackage cut off", "grid.gpkg", lambda w: w.whole[".gpkg"][:30_000], "file_unreadable"),
    ("GeoPackage of noise", "grid.gpkg", lambda w: w.whole[".gpkg"][:4096] + b"\xff" * 90_000, "file_unreadable"),
    ("view with an extension", "grid.gpkg", with_view("load_extension('/tmp/x.so')"), "file_unreadable"),
    ("view that geocodes", "grid.gpkg", with_view("ogr_geocode('x')"), "file_unreadable"),
    ("view of a raster", "grid.gpkg",
     with_view("gdal_get_pixel_value('/etc/passwd', 1, 'georef', 1, 1)"), "file_unreadable"),
    ("view of a file", "grid.gpkg", with_view("readfile('/etc/passwd')"), "file_unreadable"),
    ("view without end", "grid.gpkg", with_view(
        "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n)"), TOO_MUCH),
    ("view of a long text", "grid.gpkg", with_view("printf('%.*c', 60000000, 'x')"), TOO_MUCH),
    ("view of 3,000,000 rows", "grid.gpkg", tampered(
        "ALTER TABLE cells RENAME TO c", "CREATE VIEW cells AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
        "SELECT i + 1 FROM n WHERE i < 3000000) SELECT i AS fid, geom, code FROM c, n"), "too_many_features"),
    ("geometry of words", "grid.gpkg", tampered("UPDATE cells SET geom = 'hello'"), "file_unreadable"),
    ("text that is no UTF-8", "grid.gpkg",
     tampered("UPDATE cells SET code = CAST(x'b9c4c2a5' AS TEXT)"), "wrong_encoding"),
    ("system of nobody", "grid.gpkg", tampered("UPDATE gpkg_geometry_columns SET srs_id = 4711"), NO_SYSTEM),
    ("no layer", "grid.gpkg", tampered("DELETE FROM gpkg_contents"), "no_areas"),
    ("layer without table", "grid.gpkg", tampered("DROP TABLE cells"), "no_areas file_unreadable"),
]  # fmt: skip

GEOJSONS = [
    ("GeoJSON cut off", "grid.geojson", lambda _: features(a_polygon(RING))[:-9], "file_unreadable"),
    ("a list for a type", "grid.json", b'{"type": ["FeatureCollection"]}', "not_area_geojson"),
    ("NaN", "grid.geojson", b'{"type": "FeatureCollection", "features": [NaN]}', "file_unreadable"),
    ("a million brackets", "grid.geojson", b'{"a":' + b"[" * 1_000_000, "file_unreadable"),
    ("100,000 digits", "grid.geojson", lambda _: a_feature('{"a": ' + "9" * 100_000 + "}"), "file_unreadable"),
    ("NUL in a text", "grid.geojson", lambda _: a_feature('{"name": "a\\u0000b"}'), "text_not_storable"),
    ("half a character", "grid.geojson", lambda _: a_feature('{"name": "\\ud800"}'), "text_not_storable"),
    ("3,000 columns", "grid.geojson",
     lambda _: a_feature(json.dumps({f"c{n}": 1 for n in range(3000)})), "file_too_demanding"),
    ("a column a feature", "grid.geojson", lambda _: json.dumps({"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {f"c{n}": n}} for n in range(5000)]}).encode(), "file_too_demanding"),
    ("5,001 features", "grid.geojson", lambda _: features(*[None] * 5001), "too_many_features"),
    ("no features", "grid.geojson", lambda _: features(), "no_areas"),
    ("system by a link", "grid.geojson", lambda w: features(a_polygon(RING), crs={
        "type": "link", "properties": {"href": f"http://127.0.0.1:{w.port}/crs"}}), "unknown_crs"),
    ("system that is an address", "grid.geojson", lambda w: a_geojson_in(
        f"http://127.0.0.1:{w.port}/def/crs/EPSG/0/4326"), "unknown_crs"),
    ("system that is a file", "grid.geojson", lambda w: a_geojson_in(str(w.secret)), "unknown_crs"),
    ("system that begins in a file", "grid.geojson", lambda w: a_geojson_in(f"+init={w.secret}:x"), "unknown_crs"),
    ("swapped axes", "grid.geojson", lambda _: features(a_polygon([[y, x] for x, y in RING])),
     "coordinate_out_of_range"),
    ("metres", "grid.geojson", lambda _: features(a_polygon([[x * 1e4, y * 1e4] for x, y in RING])),
     "coordinate_out_of_range"),
]  # fmt: skip

KMLS = [
    ("KML cut off", "grid.kml", lambda _: a_kml(a_placemark())[:-30], "file_unreadable"),
    ("entities after the root", "grid.kml", lambda _: a_kml(BOMB + "<name>&c;</name>"), "file_unreadable"),
    ("entity of nobody", "grid.kml", lambda _: a_kml("<Folder><name>&x;</name></Folder>"), "file_unreadable"),
    ("100 folders in each other", "grid.kml",
     lambda _: a_kml("<Folder>" * 100 + a_placemark() + "</Folder>" * 100), "file_unreadable"),
    ("a million elements in each other", "grid.kml", lambda _: a_kml("<a>" * 1_000_000), "file_unreadable"),
    ("encoding that is not known", "grid.kml", b'<?xml version="1.0" encoding="utf-7"?><kml/>', "file_unreadable"),
    ("encoding that is not true", "grid.kml", b"<kml><name>\xe9</name></kml>", "file_unreadable"),
    ("links only", "grid.kml", lambda w: a_kml(
        f"<NetworkLink><Link><href>http://127.0.0.1:{w.port}/x.kml</href></Link></NetworkLink>"), "no_areas"),
    ("link to another file", "grid.kmz", lambda w: a_zip(("grid.kml", a_kml(
        f"<NetworkLink><Link><href>file://{w.secret}</href></Link></NetworkLink>"))), "no_areas"),
    ("several folders", "grid.kml", lambda _: a_kml(
        "".join(f"<Folder><name>{n}</name>{a_placemark()}</Folder>" for n in "ab")), "layer_needed"),
    ("no placemark", "grid.kml", lambda _: a_kml("<Document/>"), "no_areas"),
    ("5,001 placemarks", "grid.kml",
     lambda _: a_kml("<Folder>" + a_placemark() * 5001 + "</Folder>"), "too_many_features"),
]  # fmt: skip

PARQUETS = [
    ("plain Parquet", "grid.parquet", lambda _: a_parquet(None), "not_geoparquet"),
    ("geo that is no JSON", "grid.parquet", lambda _: a_parquet(b"\xff{"), "not_geoparquet"),
    ("geo that is a list", "grid.parquet", lambda _: a_parquet([1]), "not_geoparquet"),
    ("geo nested deeply", "grid.parquet", lambda _: a_parquet(b"[" * 200_000), "not_geoparquet"),
    ("shapes in no column", "grid.parquet",
     lambda _: a_parquet({"primary_column": "x", "columns": {"x": {"encoding": "WKB"}}}), "not_geoparquet"),
    ("a list for a column", "grid.parquet",
     lambda _: a_parquet({"primary_column": ["geometry"], "columns": {}}), "not_geoparquet"),
    ("encoding of nobody", "grid.parquet", lambda _: about_shapes(encoding="pickle"), "not_geoparquet"),
    ("numbers for shapes", "grid.parquet", lambda _: a_parquet(column=pa.array([1, 2])), "file_unreadable"),
    ("bytes for native shapes", "grid.parquet",
     lambda _: about_shapes(encoding="multipolygon"), "file_unreadable"),
    ("system of noise", "grid.parquet",
     lambda _: about_shapes(encoding="WKB", crs={"$schema": "x", "type": "y"}), "unknown_crs"),
    ("system of null", "grid.parquet",
     lambda _: about_shapes(encoding="WKB", crs=None), "frame_not_declared"),
    ("system with a file", "grid.parquet", lambda w: about_shapes(
        encoding="WKB", crs=f"+proj=longlat +ellps=krass +nadgrids={w.secret}"), "unknown_crs"),
    ("Parquet cut off", "grid.parquet", lambda w: w.whole[".parquet"][:-40], "file_unreadable"),
    ("Parquet of its name only", "grid.parquet", b"PAR1" * 3, "file_unreadable"),
    ("footer of 4 GB", "grid.parquet",
     lambda w: w.whole[".parquet"][:-8] + b"\xff\xff\xff\xffPAR1", "file_unreadable"),
    ("footer of noise", "grid.parquet",
     b"PAR1" + bytes(range(256)) * 8 + struct.pack("<I", 2000) + b"PAR1", "file_unreadable"),
    ("pages of noise", "grid.parquet", lambda w: patched(w.whole[".parquet"], 4, b"\xff" * 60), TOO_MUCH),
    ("one long text 400 times", "grid.parquet", lambda _: a_parquet(
        column=pa.array([None] * 400, pa.binary()), note=pa.array(["x" * 500_000] * 400)), TOO_MUCH),
    ("a million rows", "grid.parquet",
     lambda _: a_parquet(column=pa.nulls(1_000_000, pa.binary())), "too_many_features"),
    ("text of bytes", "grid.parquet", lambda _: a_parquet(note=pa.StringArray.from_buffers(
        2, pa.array([b"ab", b"c"]).buffers()[1], pa.py_buffer(b"ab\xff"))), "file_unreadable"),
    ("collections in collections", "grid.parquet", lambda _: a_parquet(
        column=pa.array([a_deep_collection(1_000_000), None])), TOO_MUCH),
]  # fmt: skip

FLATGEOBUFS = [
    ("FlatGeobuf of 9 bytes", "grid.fgb", lambda w: w.whole[".fgb"][:9], "file_unreadable"),
    ("FlatGeobuf of 200 bytes", "grid.fgb", lambda w: w.whole[".fgb"][:200], "file_unreadable"),
    ("FlatGeobuf cut off", "grid.fgb", lambda w: w.whole[".fgb"][:-30], "file_unreadable"),
    ("header of 2 GB", "grid.fgb", lambda w: patched(w.whole[".fgb"], 8, b"\xff\xff\xff\x7f"), "file_unreadable"),
    ("FlatGeobuf of zeros", "grid.fgb", lambda w: w.whole[".fgb"][:8] + bytes(500), "file_unreadable"),
    ("2**63 - 1 features promised", "grid.fgb", promising(2**63 - 1), "file_unreadable"),
    ("10**9 features promised", "grid.fgb", promising(10**9), "file_unreadable"),
    ("features of noise", "grid.fgb", lambda w: w.whole[".fgb"][:-200] + b"\xff" * 200, "file_unreadable"),
]  # fmt: skip

REFUSED = [*SHAPEFILES, *GEOPACKAGES, *GEOJSONS, *KMLS, *PARQUETS, *FLATGEOBUFS]


@pytest.mark.parametrize(("what", "name", "content", "codes"), REFUSED, ids=[case[0] for case in REFUSED])
def test_a_hostile_file_costs_one_clear_error(world, tmp_path, what, name, content, codes):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content(world))
    began = time.monotonic()

    with pytest.raises(CityError) as refused:
        read_areas(path, limits=UPLOAD)

    words = str(refused.value)
    assert refused.value.code in codes.split()
    assert words.startswith("grid.")
    assert "\n" not in words
    assert len(words) < 600
    assert SECRET not in words + str(refused.value.facts)
    assert not re.search(r"Traceback|root:|object at 0x|/gridwhistle-read-", words)
    assert time.monotonic() - began < 20
    assert [other.name for other in tmp_path.iterdir()] == [name]


def a_star(points):
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    far = np.where(np.arange(points) % 2, 0.005, 0.01)
    return Polygon(np.column_stack([117 + far * np.cos(angle), 34 + far * np.sin(angle)]))


LISTED = [
    ("an open ring in KML", "a.kml", lambda _: a_kml(a_placemark("1,3 8,3 8,5")), FaultKind.UNREADABLE_GEOMETRY),
    ("words in KML", "a.kml", lambda _: a_kml(a_placemark("a,b c,d e,f a,b")), FaultKind.UNREADABLE_GEOMETRY),
    ("blanks in KML", "a.kml", lambda _: a_kml(a_placemark("1, 3 8, 3 8, 5")), FaultKind.UNREADABLE_GEOMETRY),
    ("NaN in KML", "a.kml", lambda _: a_kml(a_placemark("nan,3 8,3 8,5 nan,3")), FaultKind.UNREADABLE_GEOMETRY),
    ("1e999 in KML", "a.kml", lambda _: a_kml(a_placemark("1e999,3 8,3 8,5 1e999,3")), FaultKind.UNREADABLE_GEOMETRY),
    ("a point in KML", "a.kml", lambda _: a_kml(
        "<Placemark><Point><coordinates>1,2</coordinates></Point></Placemark>"), FaultKind.WRONG_GEOMETRY_TYPE),
    ("a line", "a.geojson", lambda _: features(
        {"type": "LineString", "coordinates": [[1, 2], [3, 4]]}), FaultKind.WRONG_GEOMETRY_TYPE),
    ("an empty area", "a.geojson", lambda _: features(a_polygon()), FaultKind.EMPTY_GEOMETRY),
    ("1e999", "a.geojson", lambda _: features(a_polygon(RING)).replace(b"117.01", b"1e999"),
     FaultKind.UNREADABLE_GEOMETRY),
    ("100,000 rings", "a.geojson", lambda _: features(a_polygon(RING, *[RING] * 99_999)), FaultKind.TOO_MANY_VERTICES),
    ("a million vertices", "a.parquet", lambda _: a_parquet(
        column=pa.array([shapely.to_wkb(a_star(1_000_000))])), FaultKind.TOO_MANY_VERTICES),
    ("collections in a collection", "a.geojson", lambda _: features(
        json.loads('{"type": "GeometryCollection", "geometries": [' * 90 + "]}" * 90)), FaultKind.EMPTY_GEOMETRY),
    ("collections in WKB", "a.parquet", lambda _: a_parquet(
        column=pa.array([a_deep_collection(50)])), FaultKind.WRONG_GEOMETRY_TYPE),
    ("half of WKB", "a.parquet", lambda _: a_parquet(column=pa.array([b"\x01\xff"])), FaultKind.UNREADABLE_GEOMETRY),
    ("4,000,000,000 rings promised", "a.parquet", lambda _: a_parquet(
        column=pa.array([b"\x01" + struct.pack("<II", 3, 2**32 - 1)])), FaultKind.UNREADABLE_GEOMETRY),
]  # fmt: skip


@pytest.mark.parametrize(("what", "name", "make", "kind"), LISTED, ids=[case[0] for case in LISTED])
def test_a_shape_that_cannot_be_used_is_one_listed_fault(world, tmp_path, what, name, make, kind):
    (tmp_path / name).write_bytes(make(world))

    found = read_areas(tmp_path / name, limits=UPLOAD)

    assert {row: problem[0] for row, problem in found.problems.items()} == {0: kind}
    assert found.frame.geometry[0] is None
    assert all("\n" not in words and len(words) < 300 for _, words in found.problems.values())


def test_a_curved_area_is_read_as_many_short_lines(world, tmp_path):
    head = b"GP\x00\x01" + struct.pack("<I", 4490) + b"\x01" + struct.pack("<II", 10, 1)
    circle = b"\x01" + struct.pack("<II6d", 8, 3, 117, 34, 117.01, 34.01, 117, 34)
    (tmp_path / "a.gpkg").write_bytes(
        a_geopackage(world, f"UPDATE cells SET geom = x'{(head + circle).hex()}' WHERE fid = 1")
    )

    found = read_areas(tmp_path / "a.gpkg")

    assert not found.problems
    assert shapely.get_num_coordinates(found.frame.geometry[0]) > 50
    assert found.frame.geometry[0].area == pytest.approx(np.pi * 0.5e-4, rel=0.01)


def test_heights_and_measures_are_left_out(tmp_path):
    raised = shapely.from_wkt("POLYGON ZM ((117 34 5 1, 118 34 5 2, 118 35 5 3, 117 34 5 4))")
    (tmp_path / "a.parquet").write_bytes(
        a_parquet(column=pa.array([shapely.to_wkb(raised, output_dimension=4)]))
    )
    (tmp_path / "a.kml").write_bytes(a_kml(a_placemark("117,34,5 118,34,5 118,35,5 117,34,5")))

    for path in sorted(tmp_path.iterdir()):
        shape = read_areas(path).frame.geometry[0]
        assert not shape.has_z
        assert shape.equals(shapely.force_2d(raised))


def test_triggers_in_a_geopackage_never_fire(world, tmp_path):
    fire = "BEGIN UPDATE cells SET code = 'fired'; END"
    content = a_geopackage(
        world,
        *(f"CREATE TRIGGER on_{act} AFTER {act} ON cells {fire}" for act in ("INSERT", "UPDATE", "DELETE")),
    )
    (tmp_path / "a.gpkg").write_bytes(content)

    assert list(read_areas(tmp_path / "a.gpkg").frame["code"]) == ["a", "b"]


def test_what_a_file_unpacks_to_stays_out_of_the_service(world, tmp_path):
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the system does not tell how much memory a process took at most")
    bombs = {
        "bomb.zip": a_zip(("a.geojson", b" " * 15_000_000)),
        "bomb.kml": a_kml(BOMB),
        "view.gpkg": with_view("printf('%.*c', 40000000, 'x')")(world),
        "rows.parquet": a_parquet(column=pa.nulls(1_000_000, pa.binary())),
        "text.parquet": a_parquet(column=pa.nulls(400, pa.binary()), note=pa.array(["x" * 500_000] * 400)),
        "deep.kml": a_kml("<a>" * 1_000_000),
        "rings.geojson": features(a_polygon(RING, *[RING] * 99_999)),
    }
    for name, content in bombs.items():
        (tmp_path / name).write_bytes(content)
    bombs.clear()

    def memory(what):
        line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith(what))
        return int(line.split()[1]) * 1024

    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    for path in tmp_path.iterdir():
        with contextlib.suppress(CityError):
            read_areas(path, limits=UPLOAD)

    assert memory("VmHWM") - before < 64_000_000
