"""Files that people hand in: what they are, and what is refused before anything is opened."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile

import pytest

from gis.errors import InvalidInput, NotFound
from gis.files.archives import FileLimits, bring_in
from gis.files.filekinds import SUFFIXES, FileKind, describe, sniff

GEOJSON = b'{"type": "FeatureCollection", "features": []}'
VRT = b"""<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>/etc/passwd</SrcDataSource></OGRVRTLayer>
</OGRVRTDataSource>"""
KML = b'<?xml version="1.0" encoding="UTF-8"?>\n<kml xmlns="http://www.opengis.net/kml/2.2"/>'
GEOPACKAGE = b"SQLite format 3\x00" + b"\x00" * 52 + b"GPKG" + b"\x00" * 440


@pytest.fixture
def hand_in(tmp_path):
    """Write files and bring one of them in."""
    work = tmp_path / "work"
    work.mkdir()

    def bring(name, content, *, member=None, limits=FileLimits(), encoding=None):
        path = tmp_path / name
        path.write_bytes(content)
        return bring_in(path, member, work, limits, encoding)

    return bring


def a_zip(entries, *, packing=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (GEOPACKAGE, FileKind.GEOPACKAGE),
        (GEOJSON, FileKind.GEOJSON),
        (b"\xef\xbb\xbf\n  " + GEOJSON, FileKind.GEOJSON),
        (b"\x00\x00\x27\x0a" + b"\x00" * 96, FileKind.SHAPEFILE),
        (b"PK\x03\x04", FileKind.ZIP),
        (KML, FileKind.KML),
        (b"\xef\xbb\xbf<!-- made by hand -->\n<?x y?>\n<k:kml xmlns:k='z'>", FileKind.KML),
        (b"fgb\x03fgb\x01", FileKind.FLATGEOBUF),
        (b"PAR1\x15\x04", FileKind.GEOPARQUET),
        (VRT, None),
        (b"<html><kml/></html>", None),
        (b"<!DOCTYPE kml><kml/>", None),
        (b"<!-- <kml> -->", None),
        (b"<kmlx/>", None),
        (b"SQLite format 3\x00" + b"\x00" * 496, None),
        (b"[1, 2]", None),
        (b"", None),
    ],
)
def test_the_first_bytes_say_what_a_file_is(head, kind):
    assert sniff(head) is kind


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        *[(f"grid{end}", VRT, "XML") for end in SUFFIXES],
        *[(f"grid{end}", b"", "empty") for end in SUFFIXES],
        ("grid.gpkg", GEOJSON, "GeoJSON"),
        ("grid.gpkg", b"SQLite format 3\x00" + b"\x00" * 496, "SQLite database that is not a GeoPackage"),
        ("grid.geojson", GEOPACKAGE, "GeoPackage"),
        ("grid.geojson", b"\x89PNG\r\n", "PNG"),
        ("grid.geojson", b"<!DOCTYPE html><script>alert(1)</script>", "HTML"),
        ("grid.geojson", b"%PDF-1.7\n" + GEOJSON, "PDF"),
        ("grid.geojson", GEOJSON.decode().encode("utf-16"), "do not know"),
        ("grid.json", b"CSV:/etc/passwd", "do not know"),
        ("grid.json", b"[1]", "do not know"),
        ("grid.zip", b"PK\x05\x06" + b"\x00" * 18, "empty zip"),
        ("grid.zip", b"GIF89a" + b"PK\x03\x04", "GIF"),
        ("grid.zip", b"7z\xbc\xaf", "7-Zip"),
        ("grid.kml", b"PK\x03\x04", "zip"),
        ("grid.kml", b"<svg onload='x()'><kml/></svg>", "XML"),
        ("grid.kml", b"<?xml version='1.0'?><gml:FeatureCollection/>", "XML"),
        ("grid.kml", b'<!DOCTYPE kml [<!ENTITY a "b">]><kml>&a;</kml>', "document type"),
        (
            "grid.kml",
            b'<?xml version="1.0"?><!DOCTYPE kml SYSTEM "http://127.0.0.1/x"><kml/>',
            "document type",
        ),
        ("grid.kml", b"<!---->" * 100_000 + b"<kml", "XML"),
        ("grid.fgb", b"PAR1" * 9, "Parquet"),
        ("grid.parquet", b"PARE" + b"\x00" * 64, "encrypted Parquet"),
        ("grid.parquet", GEOJSON, "GeoJSON"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(hand_in, name, content, words):
    with pytest.raises(InvalidInput) as refused:
        hand_in(name, content)

    assert refused.value.code == "file_not_what_its_name_says"
    assert name in str(refused.value)
    assert words in str(refused.value)
    assert refused.value.facts["wanted"]


def test_a_name_that_says_nothing_is_refused(hand_in):
    with pytest.raises(InvalidInput) as refused:
        hand_in("grid.vrt", VRT)

    assert refused.value.code == "unknown_file_type"


def test_a_file_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(NotFound) as missing:
        bring_in(tmp_path / "none.gpkg", None, tmp_path, FileLimits())

    assert missing.value.code == "file_not_found"


def test_a_name_that_gdal_would_take_for_an_address_is_only_a_name(tmp_path):
    for name in (
        "/vsicurl/http://127.0.0.1/x.geojson",
        "/vsizip//etc/passwd/x.gpkg",
        "http://127.0.0.1/x.kml",
        "CSV:/etc/passwd",
        "GPKG:/etc/passwd.gpkg",
        "GeoJSON:/etc/passwd",
        "PG:host=127.0.0.1",
        "grid.geojson\x00.zip",
        ".geojson",
    ):
        with pytest.raises((NotFound, InvalidInput)) as refused:
            bring_in(tmp_path / name, None, tmp_path, FileLimits())

        assert refused.value.code in ("file_not_found", "unknown_file_type")


def test_the_copy_has_our_name_and_a_seal(hand_in, tmp_path):
    data = hand_in("网格 (final).geojson", GEOJSON)

    assert data.name == "网格 (final).geojson"
    assert data.path == tmp_path / "work" / "areas.geojson"
    assert data.path.read_bytes() == GEOJSON
    assert len(data.sha256) == 64


def test_a_file_that_is_too_big_is_refused_while_it_is_copied(hand_in):
    with pytest.raises(InvalidInput) as refused:
        hand_in("grid.geojson", GEOJSON + b" " * 100, limits=FileLimits(bytes=100))

    assert refused.value.code == "file_too_big"


def test_a_zip_with_one_data_set_needs_no_further_word(hand_in):
    data = hand_in("grid.zip", a_zip([("readme.txt", b"hello"), ("data/grid.geojson", GEOJSON)]))

    assert data.name == "data/grid.geojson"
    assert data.path.read_bytes() == GEOJSON


def test_a_zip_with_several_says_which_there_are(hand_in):
    content = a_zip([("a.geojson", GEOJSON), ("b/c.geojson", GEOJSON)])

    with pytest.raises(InvalidInput) as refused:
        hand_in("grid.zip", content)
    with pytest.raises(InvalidInput) as unknown:
        hand_in("grid.zip", content, member="d.geojson")

    assert refused.value.code == "member_needed"
    assert refused.value.facts["got"] == ["a.geojson", "b/c.geojson"]
    assert unknown.value.code == "unknown_member"
    assert hand_in("grid.zip", content, member="c.geojson").name == "b/c.geojson"


def test_a_directory_is_as_good_as_a_zip(tmp_path):
    (tmp_path / "a.geojson").write_bytes(GEOJSON)
    (tmp_path / "notes.txt").write_bytes(b"")
    work = tmp_path / "work"
    work.mkdir()

    assert bring_in(tmp_path, None, work, FileLimits()).name == "a.geojson"

    with pytest.raises(InvalidInput) as refused:
        bring_in(tmp_path, "../../etc/passwd", work, FileLimits())
    assert refused.value.code == "unknown_member"


SECRETS = "/etc/passwd"
HOSTILE = [
    ("VRT", lambda: a_zip([("grid.geojson", VRT)]), "file_not_what_its_name_says"),
    ("VRT as a part of a Shapefile", lambda: a_zip([("grid.shp", VRT)]), "file_not_what_its_name_says"),
    ("name that leads out", lambda: a_zip([("../../grid.geojson", GEOJSON)]), "unsafe_archive"),
    ("name that leads out and in", lambda: a_zip([("a/../../grid.geojson", GEOJSON)]), "unsafe_archive"),
    ("absolute name", lambda: a_zip([("/etc/grid.geojson", GEOJSON)]), "unsafe_archive"),
    ("name with a drive", lambda: a_zip([("C:\\grid.geojson", GEOJSON)]), "unsafe_archive"),
    ("one of its names leads out", lambda: a_zip([("grid.geojson", GEOJSON), ("../x", b"")]), "unsafe_archive"),
    ("link", lambda: a_zip([(special(stat.S_IFLNK), SECRETS)]), "unsafe_archive"),
    ("device", lambda: a_zip([(special(stat.S_IFCHR), b"")]), "unsafe_archive"),
    ("pipe", lambda: a_zip([(special(stat.S_IFIFO), b"")]), "unsafe_archive"),
    ("archive in it", lambda: a_zip([("in.zip", a_zip([("grid.geojson", GEOJSON)]))]), "unsafe_archive"),
    ("KMZ in it", lambda: a_zip([("in.kmz", a_zip([("doc.kml", KML)]))]), "unsafe_archive"),
    ("encrypted entry", lambda: in_list(a_zip([("grid.geojson", GEOJSON)]), 8, b"\x01"), "unsafe_archive"),
    ("one name twice", lambda: a_zip([("a.json", GEOJSON), ("b.json", GEOJSON)]).replace(b"b.json", b"a.json"),
     "unsafe_archive"),
    ("201 entries", lambda: a_zip([(f"{n}.txt", b"") for n in range(201)]), "archive_too_big"),
    ("100,000 entries", lambda: many_times(a_zip([("grid.json", b"")]), 100_000), "archive_too_big bad_archive"),
    ("bomb", lambda: a_zip([("grid.geojson", b" " * 20_000_000)]), "archive_too_big"),
    ("bomb in many parts", lambda: a_zip([(f"{n}.json", b" " * 200_000) for n in range(150)]), "archive_too_big"),
    ("bomb whose list lies", lambda: in_list(a_zip([("grid.json", b"{" * 20_000_000)]), 24, b"\x01\x00\x00\x00"),
     "bad_archive"),
    ("much unpacked", lambda: a_zip([("grid.json", os.urandom(600_000).hex())]), "archive_too_big"),
    ("much packed", lambda: a_zip([("grid.json", bytes(2_000_000))], packing=zipfile.ZIP_STORED), "file_too_big"),
    ("unknown packing", lambda: in_list(a_zip([("grid.geojson", GEOJSON)]), 10, b"\x63\x00"), "bad_archive"),
    ("damage", lambda: a_zip([("grid.geojson", GEOJSON * 9)]).replace(b"\xab", b"\xff")[:-60], "bad_archive"),
    ("nothing that we read", lambda: a_zip([("readme.txt", b"hello")]), "member_needed"),
    ("only the shadow of a Mac", lambda: a_zip([("__MACOSX/._grid.geojson", GEOJSON)]), "member_needed"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "make", "codes"), HOSTILE, ids=[case[0] for case in HOSTILE])
def test_a_hostile_zip_costs_one_clear_error_and_unpacks_nothing(hand_in, tmp_path, what, make, codes):
    with pytest.raises(InvalidInput) as refused:
        hand_in(
            "grid.zip", make(), limits=FileLimits(bytes=1_000_000 if what.startswith("much") else 50_000_000)
        )

    assert refused.value.code in codes.split()
    assert "grid." in str(refused.value) or "in." in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "root:" not in str(refused.value)
    assert sum(path.stat().st_size for path in (tmp_path / "work").iterdir()) < 1000


def special(kind):
    entry = zipfile.ZipInfo("grid.geojson")
    entry.external_attr = (kind | 0o777) << 16
    return entry


def in_list(content, at, value):
    """Change the first row of the list of an archive, and leave the file itself."""
    row = content.index(b"PK\x01\x02") + at
    return content[:row] + value + content[row + len(value) :]


def many_times(content, count):
    """Repeat the one row in the list of an archive, so that all its entries are the same bytes."""
    begin, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    listed = content[begin:end] * count
    tail = content[end : end + 8] + struct.pack("<HHIIH", 0xFFFF, 0xFFFF, len(listed), begin, 0)
    return content[:begin] + listed + tail


def test_a_list_of_many_entries_is_not_even_read_to_its_end(hand_in):
    with pytest.raises(InvalidInput) as refused:
        hand_in("grid.zip", many_times(a_zip([("grid.json", b"")]), 100_000))

    assert refused.value.facts["got"] == 2000


def test_a_link_in_a_zip_is_called_a_link(hand_in):
    with pytest.raises(InvalidInput) as refused:
        hand_in("grid.zip", a_zip([(special(stat.S_IFLNK), SECRETS)]))

    assert "is a link" in str(refused.value)


def test_of_a_kmz_the_main_document_is_read(hand_in):
    pictures = [("files/photo.png", b"\x89PNG"), ("files/more.kml", KML)]

    assert hand_in("grid.kmz", a_zip([*pictures, ("doc.kml", KML)])).name == "doc.kml"
    assert hand_in("grid.kmz", a_zip([("any.kml", KML)])).kind is FileKind.KML

    with pytest.raises(InvalidInput) as asked:
        hand_in("grid.kmz", a_zip([("a.kml", KML), ("b.kml", KML)]))
    assert asked.value.code == "member_needed"


@pytest.mark.parametrize("cut", [30, 100])
def test_half_a_zip_is_refused(hand_in, cut):
    with pytest.raises(InvalidInput) as refused:
        hand_in("grid.zip", a_zip([("grid.geojson", GEOJSON * 9)])[:cut])

    assert refused.value.code == "bad_archive"


def test_chinese_names_of_old_zip_tools_are_read(hand_in):
    content = a_zip([("xx.json", GEOJSON)]).replace(b"xx.json", b"\xb4\xe5.json")  # GBK, as long

    data = hand_in("grid.zip", content)

    assert data.name == "村.json"


def test_a_part_of_a_shapefile_alone_is_refused(hand_in):
    with pytest.raises(InvalidInput) as refused:
        hand_in("grid.zip", a_zip([("towns.shp", b"\x00\x00\x27\x0a" + b"\x00" * 96)]))

    assert refused.value.code == "shapefile_incomplete"
    assert ".shx, .dbf" in str(refused.value)


def test_every_kind_has_words():
    assert describe(b"%PDF-1.7") == "a PDF document"
    assert describe(b"\xff\xfe\x00\x01") == "something that we do not know"
