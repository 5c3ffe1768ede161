"""KML: placemarks as field apps and viewers write them, and our own, which come back as they left."""

from __future__ import annotations

import io

import pytest
import shapely
from shapely.geometry import MultiPolygon, Polygon, box

from gis.files.kml import NotKml, read_kml, write_kml

CELL, NEIGHBOUR = box(117, 34, 117.01, 34.01), box(117.01, 34, 117.02, 34.01)


def a_document(inside, encoding="UTF-8"):
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    return f'{head}<kml xmlns="http://www.opengis.net/kml/2.2">{inside}</kml>'.encode(encoding)


def a_boundary(coordinates, which="outer"):
    ring = f"<LinearRing><coordinates>{coordinates}</coordinates></LinearRing>"
    return f"<{which}BoundaryIs>{ring}</{which}BoundaryIs>"


SQUARE = "0,0 4,0 4,4 0,4 0,0"
AREA = f"<Polygon>{a_boundary(SQUARE)}</Polygon>"


def a_placemark(inside=AREA, name="a"):
    return f"<Placemark><name>{name}</name>{inside}</Placemark>"


def test_a_placemark_has_its_name_and_the_columns_of_its_extended_data():
    data = (
        "<description><![CDATA[<b>1</b> & 2]]></description><ExtendedData>"
        '<Data name="code"><displayName>编码</displayName><value>990101</value></Data>'
        '<Data name="empty"><value/></Data><Data><value>nameless</value></Data>'
        '<SchemaData schemaUrl="#s"><SimpleData name="households"> 310 </SimpleData></SchemaData>'
        "</ExtendedData>"
    )

    found = read_kml(
        a_document(f"<Document><name>网格</name>{a_placemark(data + AREA, '鼓楼社区')}</Document>")
    )

    assert found.values == [
        {
            "name": "鼓楼社区",
            "description": "<b>1</b> & 2",
            "code": "990101",
            "households": "310",
            "folder": "网格",
        }
    ]
    assert found.shapes[0].equals(box(0, 0, 4, 4))


def test_extended_data_goes_before_what_the_viewer_shows():
    data = '<ExtendedData><Data name="name"><value>full name</value></Data></ExtendedData>'

    assert read_kml(a_document(a_placemark(data + AREA, "label"))).values[0]["name"] == "full name"


@pytest.mark.parametrize("encoding", ["UTF-8", "GBK", "gb2312", "GB18030", "Big5"])
def test_chinese_in_any_of_its_encodings_is_read(encoding):
    name = "鼓楼" if encoding != "Big5" else "鼓樓"

    assert read_kml(a_document(a_placemark(name=name), encoding)).values[0]["name"] == name


def test_folders_in_folders_are_told_by_their_names():
    inside = (
        f"<Document>{a_placemark(name='d')}<Folder><name>镇</name>{a_placemark(name='t')}"
        f"<Folder>{a_placemark(name='c')}<name>社区</name></Folder></Folder><Folder>{a_placemark()}</Folder></Document>"
    )

    found = read_kml(a_document(inside))

    assert found.folders == ["Document", "Document/镇", "Document/镇/社区", "Document/Folder"]
    assert [values["name"] for values in found.values] == ["d", "t", "c", "a"]


def test_a_prefix_or_none_is_all_the_same():
    bare = f"<k:kml xmlns:k='x'><k:Placemark><k:name>a</k:name>{AREA}</k:Placemark></k:kml>".encode()
    undeclared = f"<kml><Placemark><gx:drawOrder>1</gx:drawOrder>{AREA}</Placemark></kml>".encode()

    for document in (bare, undeclared):
        assert read_kml(document).shapes[0].equals(box(0, 0, 4, 4))


def test_holes_come_after_the_outer_ring_wherever_they_stand():
    hole = a_boundary("1,1 2,1 2,2 1,1", "inner")

    found = read_kml(a_document(a_placemark(f"<Polygon>{hole}{a_boundary(SQUARE)}{hole}</Polygon>")))

    assert found.shapes[0].exterior.bounds == (0, 0, 4, 4)
    assert len(found.shapes[0].interiors) == 2


@pytest.mark.parametrize(
    ("inside", "kind"),
    [
        (f"<MultiGeometry>{AREA}{AREA}</MultiGeometry>", "MultiPolygon"),
        (f"<MultiGeometry><MultiGeometry>{AREA}</MultiGeometry></MultiGeometry>", "Polygon"),
        (f"<MultiGeometry>{AREA}<Point><coordinates>1,1</coordinates></Point></MultiGeometry>", "Polygon"),
        ("<Point><coordinates>1,1,0</coordinates></Point>", "Point"),
        ("<LineString><coordinates>1,1 2,2</coordinates></LineString>", "LineString"),
        ("<LinearRing><coordinates>1,1 2,2 2,1 1,1</coordinates></LinearRing>", "LinearRing"),
        ("<Polygon/>", "Polygon"),
    ],
)
def test_every_geometry_is_what_it_is(inside, kind):
    found = read_kml(a_document(a_placemark(inside)))

    assert found.shapes[0].geom_type == kind
    assert not found.problems


@pytest.mark.parametrize(
    ("coordinates", "words"),
    [
        ("0,0 4,0 4,4", "not closed"),
        ("0,0 4,0 0,0", "4 coordinates"),
        ("0, 0 4, 0 4, 4 0, 0", "lon,lat"),
        ("0,0 4,0,1 4,4 0,0", "lon,lat"),
        ("0 4 4 0", "lon,lat"),
        ("0,x 4,0 4,4 0,x", "not all numbers"),
    ],
)
def test_a_ring_that_cannot_be_meant_is_a_problem_of_its_placemark(coordinates, words):
    bad = a_placemark(f"<Polygon>{a_boundary(coordinates)}{a_boundary(SQUARE, 'inner')}</Polygon>")

    found = read_kml(a_document(f"<Folder>{a_placemark()}{bad}{a_placemark()}</Folder>"))

    assert [shape is None for shape in found.shapes] == [False, True, False]
    assert words in found.problems[1]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"<kml><Document>", "not whole XML"),
        (b"<svg/>", "begins with 'svg'"),
        (b"<!DOCTYPE kml [<!ENTITY a 'b'>]><kml>&a;</kml>", "document type"),
        (b"<kml>" + b"<Folder>" * 70, "too deeply"),
        (b'<?xml version="1.0" encoding="utf-7"?><kml/>', "'utf-7'"),
        (b"<kml>\xff</kml>", "byte 5"),
        (b"", "not whole XML"),
    ],
)
def test_what_is_no_plain_document_is_refused(document, words):
    with pytest.raises(NotKml, match=words):
        read_kml(document)


def test_what_was_written_comes_back():
    whole = MultiPolygon(
        [Polygon(CELL.exterior, [box(117.001, 34.001, 117.002, 34.002).exterior]), NEIGHBOUR]
    )
    rows = [
        ({"code": "1", "name": "东头 <b>&amp;\r\n]]>", "households": 310, "none": None}, whole),
        ({"code": "2", "name": None}, shapely.transform(CELL, lambda xy: xy + 0.1 / 3)),
        ({"code": "\x01", "name": "none"}, None),
    ]
    file = io.StringIO()

    write_kml(file, "grids & <more>", rows)
    found = read_kml(file.getvalue().encode())

    assert found.folders == ["grids & <more>"] * 3
    assert found.values[0] == {
        "code": "1",
        "name": "东头 <b>&amp;\r\n]]>",
        "households": "310",
        "folder": "grids & <more>",
    }
    assert "name" not in found.values[1]
    assert found.values[2]["code"] == "\ufffd"
    assert found.shapes[0].equals_exact(whole, 0)
    assert found.shapes[1].equals_exact(rows[1][1], 0)
    assert found.shapes[2] is None
