"""Files that people hand in: what they are, and what is refused before anything is opened."""

from __future__ import annotations

import io
import stat
import zipfile

import pytest

from gis.archives import FileKind, FileLimits, bring_in, describe, sniff
from gis.errors import InvalidInput, NotFound

GEOJSON = b'{"type": "FeatureCollection", "features": []}'
VRT = b"""<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>/etc/passwd</SrcDataSource></OGRVRTLayer>
</OGRVRTDataSource>"""
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
        (VRT, None),
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
        ("grid.geojson", VRT, "XML"),
        ("grid.gpkg", VRT, "XML"),
        ("grid.zip", VRT, "XML"),
        ("grid.shp", VRT, "XML"),
        ("grid.gpkg", GEOJSON, "GeoJSON"),
        ("grid.gpkg", b"SQLite format 3\x00" + b"\x00" * 496, "SQLite database that is not a GeoPackage"),
        ("grid.geojson", GEOPACKAGE, "GeoPackage"),
        ("grid.geojson", b"\x89PNG\r\n", "PNG"),
        ("grid.geojson", b"", "empty"),
        ("grid.zip", b"PK\x05\x06" + b"\x00" * 18, "empty zip"),
        ("grid.json", b"CSV:/etc/passwd", "do not know"),
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
        hand_in("grid.kml", VRT)

    assert refused.value.code == "unknown_file_type"


def test_a_file_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(NotFound) as missing:
        bring_in(tmp_path / "none.gpkg", None, tmp_path, FileLimits())

    assert missing.value.code == "file_not_found"


def test_a_name_that_gdal_would_take_for_an_address_is_only_a_name(tmp_path):
    for name in ("/vsicurl/http://127.0.0.1/x.geojson", "CSV:/etc/passwd", "GPKG:/etc/passwd.gpkg"):
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


def test_what_lies_in_a_zip_must_be_what_its_name_says_too(hand_in):
    with pytest.raises(InvalidInput) as refused:
        hand_in("grid.zip", a_zip([("grid.geojson", VRT)]))

    assert refused.value.code == "file_not_what_its_name_says"


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


@pytest.mark.parametrize(
    "name", ["../../escaped.geojson", "/etc/escaped.geojson", "C:\\escaped.geojson", "a/../../b.geojson"]
)
def test_a_zip_entry_that_leads_elsewhere_is_refused(hand_in, tmp_path, name):
    with pytest.raises(InvalidInput) as refused:
        hand_in("grid.zip", a_zip([("grid.geojson", GEOJSON), (name, GEOJSON)]))

    assert refused.value.code == "unsafe_archive"
    assert not list((tmp_path / "work").iterdir())


def test_a_link_in_a_zip_is_refused(hand_in):
    link = zipfile.ZipInfo("grid.geojson")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16

    with pytest.raises(InvalidInput) as refused:
        hand_in("grid.zip", a_zip([(link, b"/etc/passwd")]))

    assert refused.value.code == "unsafe_archive"
    assert "link" in str(refused.value)


def test_an_archive_inside_an_archive_is_refused(hand_in):
    inner = a_zip([("grid.geojson", GEOJSON)])

    with pytest.raises(InvalidInput) as refused:
        hand_in("outer.zip", a_zip([("inner.zip", inner)]))

    assert refused.value.code == "unsafe_archive"


def test_a_bomb_is_refused_by_its_list_alone(hand_in, tmp_path):
    bomb = a_zip([("grid.geojson", b" " * 20_000_000)])
    assert len(bomb) < 40_000

    with pytest.raises(InvalidInput) as refused:
        hand_in("grid.zip", bomb)

    assert refused.value.code == "archive_too_big"
    assert not list((tmp_path / "work").iterdir())


def test_an_archive_that_unpacks_to_too_much_or_has_too_many_entries_is_refused(hand_in):
    big = a_zip([("grid.geojson", GEOJSON * 100)], packing=zipfile.ZIP_STORED)
    many = a_zip([(f"{n}.txt", b"") for n in range(201)] + [("grid.geojson", GEOJSON)])

    for content, limits in ((big, FileLimits(bytes=1000)), (many, FileLimits())):
        with pytest.raises(InvalidInput) as refused:
            hand_in("grid.zip", content, limits=limits)
        assert refused.value.code == "archive_too_big"


def test_a_list_that_lies_about_sizes_does_not_unpack_more(hand_in):
    content = bytearray(a_zip([("grid.geojson", GEOJSON * 1000)]))
    central = content.index(b"PK\x01\x02")
    content[central + 24 : central + 28] = (10).to_bytes(4, "little")  # claims to be ten bytes unpacked

    with pytest.raises(InvalidInput) as refused:
        hand_in("grid.zip", bytes(content), limits=FileLimits(bytes=1000))

    assert refused.value.code in ("bad_archive", "file_not_what_its_name_says")


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
