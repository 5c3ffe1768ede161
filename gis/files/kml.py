"""KML, in and out: placemarks, what their ExtendedData says of them, and the folders that they lie in.

Read here and not by GDAL, whose two drivers make a layer of every nested folder, drop or rename the columns of
ExtendedData and do not know GBK. A document type is refused before any entity of it is looked at, links to
other files are never followed, and elements may lie in each other only so deep. KML counts in WGS84.

This module is loaded by the reading process (`gis.files.child`): it knows nothing else of ours.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

__all__ = ["KmlFile", "NotKml", "read_kml", "write_kml"]

_DEEPEST = 64
_DECLARED = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_CODECS = {
    name: codec
    for codec, names in {
        "utf-8": ("utf-8", "utf8", "us-ascii", "ascii"),
        "gb18030": ("gb18030", "gbk", "gb2312", "cp936"),  # which holds the others whole
        "big5": ("big5",),
        "latin-1": ("iso-8859-1",),
    }.items()
    for name in names
}
_CONTAINERS = ("Document", "Folder")
_SIMPLE = {"Point": shapely.Point, "LineString": shapely.LineString, "LinearRing": shapely.LinearRing}
_COLUMNS_OF_KML = ("name", "description")
# What XML 1.0 cannot hold, not even as a reference.
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class NotKml(ValueError):
    """Why a document is not taken, in words that follow "it"."""


@dataclass
class KmlFile:
    """What the placemarks of a document hold; all but `links` have one entry a placemark, in their order.

    folders : the names of what each lies in, from the top, joined by "/"; a document is one too.
    shapes : None where there is none, or where `problems` says by position why it cannot be used.
    links : how many other files the document points to.
    """

    folders: list[str] = field(default_factory=list)
    values: list[dict[str, str]] = field(default_factory=list)
    shapes: list[BaseGeometry | None] = field(default_factory=list)
    problems: dict[int, str] = field(default_factory=dict)
    links: int = 0


def read_kml(raw: bytes) -> KmlFile:
    """Read all placemarks.

    `values` has name, description and folder besides the columns of ExtendedData, which go before them. Of a
    MultiGeometry with areas these are taken, and not the label or outline that lies beside them.
    Raises `NotKml` for what is no whole, plain KML document.
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text.append
    try:
        parser.Parse(_decoded(raw), True)
    except expat.ExpatError as broken:
        raise NotKml(f"is not whole XML: {broken}") from broken
    return reader.result()


def _refuse_document_type(*_: object) -> None:
    raise NotKml("has a document type or entities of its own, which are never taken")


def _decoded(raw: bytes) -> str:
    raw = raw.removeprefix(codecs.BOM_UTF8)
    stated = _DECLARED.match(raw)
    name = stated.group(1).decode().lower() if stated else "utf-8"
    codec = _CODECS.get(name)
    if codec is None:
        raise NotKml(f"is written in {name!r}, which is not taken; write it in UTF-8")
    try:
        return raw.decode(codec)
    except UnicodeDecodeError as wrong:
        raise NotKml(f"says that it is written in {name}, but byte {wrong.start} is not") from wrong


@dataclass
class _Container:
    """A folder or document; its name may come after what lies in it."""

    above: _Container | None
    name: str

    def path(self) -> str:
        upper = self.above.path() if self.above else ""
        return f"{upper}/{self.name}" if upper else self.name


class _Reader:
    """Takes the elements as they come, and keeps of them what the placemark at hand needs."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self._file = KmlFile()
        self._inside: list[str] = []
        self._container = _Container(None, "")
        self._containers: list[_Container] = []
        self._values: dict[str, str] = {}
        self._extended: dict[str, str] = {}
        self._column = ""
        self._parts: list[BaseGeometry] = []
        self._rings: list[Any] = []
        self._problem: str | None = None

    def start(self, qualified: str, attributes: Mapping[str, str]) -> None:
        tag = qualified.rpartition(":")[2]
        if not self._inside and tag != "kml":
            raise NotKml(f"is XML, but no KML: it begins with {tag!r}")
        self._inside.append(tag)
        self.text.clear()
        if len(self._inside) > _DEEPEST:
            raise NotKml(f"is nested too deeply: at most {_DEEPEST} elements may lie in each other")
        if tag in _CONTAINERS:
            self._container = _Container(self._container, tag)
        elif tag == "Placemark":
            self._values, self._extended, self._parts, self._problem = {}, {}, [], None
        elif tag == "Polygon":
            self._rings = []
        elif tag in ("Data", "SimpleData"):
            self._column = attributes.get("name", "").strip()
        elif tag == "NetworkLink":
            self._file.links += 1

    def end(self, _qualified: str) -> None:
        tag = self._inside.pop()
        above = self._inside[-1] if self._inside else ""
        text = "".join(self.text).strip()
        self.text.clear()
        if tag == "coordinates":
            self._take_coordinates(above, text)
        elif tag == "Polygon":
            self._take(lambda: shapely.Polygon(self._rings[0] if self._rings else None, self._rings[1:]))
        elif tag == "Placemark":
            self._take_placemark()
        elif tag == "SimpleData" or (tag == "value" and above == "Data"):
            if self._column and text:
                self._extended[self._column] = text
        elif tag in _COLUMNS_OF_KML and above == "Placemark":
            self._values[tag] = text
        elif tag == "name" and above in _CONTAINERS:
            self._container.name = text or above
        elif tag in _CONTAINERS and self._container.above is not None:
            self._container = self._container.above

    def result(self) -> KmlFile:
        self._file.folders = [container.path() for container in self._containers]
        for values, folder in zip(self._file.values, self._file.folders, strict=True):
            if folder:
                values.setdefault("folder", folder)
        return self._file

    def _take_coordinates(self, kind: str, text: str) -> None:
        if kind == "LinearRing" and self._inside[-2:-1] in (["outerBoundaryIs"], ["innerBoundaryIs"]):
            place = 0 if self._inside[-2] == "outerBoundaryIs" else len(self._rings)
            self._take(lambda: self._rings.insert(place, _ring(text)))
        elif kind in _SIMPLE:
            self._take(lambda: _SIMPLE[kind](_numbers(text)))

    def _take(self, make: Any) -> None:
        try:
            shape = make()
        except (ValueError, shapely.errors.GEOSException) as broken:
            self._problem = self._problem or str(broken)
            return
        if shape is not None:
            self._parts.append(shape)

    def _take_placemark(self) -> None:
        row = len(self._file.values)
        self._containers.append(self._container)
        self._file.values.append({**self._values, **self._extended})
        self._file.shapes.append(None if self._problem else _joined(self._parts))
        if self._problem:
            self._file.problems[row] = self._problem


def _joined(parts: list[BaseGeometry]) -> BaseGeometry | None:
    areas = [part for part in parts if isinstance(part, shapely.Polygon)]
    if len(areas) > 1:
        return shapely.MultiPolygon(areas)
    kept = areas or parts
    return shapely.GeometryCollection(kept) if len(kept) > 1 else kept[0] if kept else None


def _numbers(text: str) -> Any:
    """Return (n, 2) numbers of "lon,lat[,height] lon,lat[,height] ..."; raises ValueError."""
    places = text.split()
    size = places[0].count(",") + 1 if places else 2
    if size not in (2, 3) or any(place.count(",") != size - 1 for place in places):
        raise ValueError("its coordinates are not written lon,lat or lon,lat,height with blanks between")
    if not places:
        return np.empty((0, 2))
    try:
        return np.array(",".join(places).split(","), dtype=np.float64).reshape(-1, size)[:, :2]
    except ValueError:
        raise ValueError("its coordinates are not all numbers") from None


def _ring(text: str) -> Any:
    numbers = _numbers(text)
    if len(numbers) and np.isfinite(numbers).all() and (numbers[0] != numbers[-1]).any():
        raise ValueError("its ring is not closed")
    if 0 < len(numbers) < 4:
        raise ValueError("its ring has fewer than 4 coordinates")
    return numbers


def write_kml(
    file: IO[str], title: str, rows: Iterable[tuple[Mapping[str, Any], BaseGeometry | None]]
) -> None:
    """Write areas in WGS84 as placemarks, with all digits.

    rows : the columns of each, of which `name` becomes the name of the placemark and what is None is left out,
        and a Polygon or MultiPolygon. Characters that XML cannot hold become U+FFFD.
    """
    file.write(
        '<?xml version="1.0" encoding="UTF-8"?>\n<kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
    )
    file.write(f"<name>{_escaped(title)}</name>\n")
    for values, shape in rows:
        file.write("<Placemark>")
        if values.get("name") is not None:
            file.write(f"<name>{_escaped(values['name'])}</name>")
        file.write("<ExtendedData>")
        for column, value in values.items():
            if column != "name" and value is not None:
                file.write(f"<Data name={quoteattr(column)}><value>{_escaped(value)}</value></Data>")
        file.write("</ExtendedData>")
        if shape is not None:
            file.write(_geometry(shape))
        file.write("</Placemark>\n")
    file.write("</Document></kml>\n")


def _escaped(value: object) -> str:
    return escape(_UNWRITABLE.sub("\ufffd", str(value)), {"\r": "&#13;"})


def _geometry(shape: BaseGeometry) -> str:
    polygons = [
        "<Polygon>"
        + _boundary("outer", polygon.exterior)
        + "".join(_boundary("inner", ring) for ring in polygon.interiors)
        + "</Polygon>"
        for polygon in getattr(shape, "geoms", [shape])
    ]
    return polygons[0] if len(polygons) == 1 else f"<MultiGeometry>{''.join(polygons)}</MultiGeometry>"


def _boundary(which: str, ring: BaseGeometry) -> str:
    places = " ".join(f"{lon!r},{lat!r}" for lon, lat in shapely.get_coordinates(ring).tolist())
    return (
        f"<{which}BoundaryIs><LinearRing><coordinates>{places}</coordinates></LinearRing></{which}BoundaryIs>"
    )
