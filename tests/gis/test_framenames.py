"""What people write beside coordinates names a frame; the name of a company on a building does not."""

from __future__ import annotations

import pytest

from gis.crs import Frame, parse_frame
from gis.framenames import contradicted_by, frames_named, notes_in


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("BD-09 lon/lat as used by the source app", {"BD09"}),
        ("calls_bd09.csv", {"BD09"}),
        ("百度坐标系", {"BD09"}),
        ("百度地图坐标", {"BD09"}),
        ("坐标：百度", {"BD09"}),
        ("baidu_lng", {"BD09"}),
        ("火星坐标", {"GCJ02"}),
        ("GCJ-02", {"GCJ02"}),
        ("GCJ-2002", {"GCJ02"}),
        ("高德坐标", {"GCJ02"}),
        ("amap_lon", {"GCJ02"}),
        ("WGS-84", {"WGS84"}),
        ("国家2000坐标系", {"CGCS2000"}),
        ("CGCS2000, EPSG:4548", {"CGCS2000", "EPSG:4548"}),
        ("brought from BD-09 to WGS84", {"BD09", "WGS84"}),
        ("EPSG:1", set()),
        ("百度大厦网格", set()),
        ("腾讯大厦", set()),
        ("高德路", set()),
        ("BD0901号楼", set()),
        ("中国百度latte", set()),
        ("", set()),
    ],
)
def test_a_text_names_the_frames_that_it_names(text, named):
    assert {str(frame) for frame in frames_named(text)} == named


def test_a_column_is_a_note_when_nearly_all_its_texts_say_the_same():
    notes = notes_in(
        {
            "crs_note": ["BD-09 as in the app"] * 10,
            "name": ["百度大厦网格", *["平安里网格"] * 9],
            "remark": ["GCJ-02", *["白天有人"] * 9],
            "number": [1, 2, 3],
            "empty": [None, None, ""],
        }
    )

    assert notes == [("crs_note", "BD-09 as in the app", frozenset({Frame.BD09}))]


@pytest.mark.parametrize(
    ("declared", "named", "against"),
    [
        ("WGS84", ["BD09"], "BD09"),
        ("CGCS2000", ["GCJ02"], "GCJ02"),
        ("EPSG:4548", ["GCJ02"], "GCJ02"),
        ("EPSG:4548", ["EPSG:4547"], "EPSG:4547"),
        ("GCJ02", ["WGS84"], "WGS84"),
        ("GCJ02", ["BD09"], "BD09"),
        ("BD09", ["BD09"], None),
        ("WGS84", ["BD09", "WGS84"], None),
        ("WGS84", ["BD09", "CGCS2000"], None),
        ("WGS84", ["CGCS2000"], None),
        ("WGS84", ["EPSG:4548"], None),
        ("EPSG:4548", ["CGCS2000", "EPSG:4548"], None),
        ("WGS84", [], None),
    ],
)
def test_a_named_frame_speaks_against_another_one_and_against_no_twin(declared, named, against):
    found = contradicted_by(parse_frame(declared), frozenset(map(parse_frame, named)))

    assert found == (None if against is None else parse_frame(against))
