"""What a file of areas is: by its name, which is a claim, and by its first bytes, which decide.

Nothing is ever opened by trying one driver after another, because one of them reads `<OGRVRTDataSource>` and
with it any file of the machine.
"""

from __future__ import annotations

import codecs
import re
from enum import StrEnum
from pathlib import PurePosixPath

from gis.errors import InvalidInput

__all__ = ["HEAD_BYTES", "SUFFIXES", "FileKind", "describe", "kind_by_name", "sniff"]

HEAD_BYTES = 4096
"""How much of a file tells what it is; KML may begin with a comment."""


class FileKind(StrEnum):
    """The kinds of file that areas come in."""

    GEOPACKAGE = "GeoPackage"
    GEOJSON = "GeoJSON"
    SHAPEFILE = "Shapefile"
    KML = "KML"
    FLATGEOBUF = "FlatGeobuf"
    GEOPARQUET = "GeoParquet"
    ZIP = "zip archive"


SUFFIXES = {
    ".gpkg": FileKind.GEOPACKAGE,
    ".geojson": FileKind.GEOJSON,
    ".json": FileKind.GEOJSON,
    ".shp": FileKind.SHAPEFILE,
    ".kml": FileKind.KML,
    ".fgb": FileKind.FLATGEOBUF,
    ".parquet": FileKind.GEOPARQUET,
    ".geoparquet": FileKind.GEOPARQUET,
    ".zip": FileKind.ZIP,
    ".kmz": FileKind.ZIP,
}
"""The endings of names that we read, and what each claims to be."""

# Each group is atomic: a head full of comments must not be divided in every possible way.
_KML_ROOT = re.compile(
    rb"(?>\s*)(?>(?:<\?(?>.*?\?>)|<!--(?>.*?-->)|\s+)*)<(?:[A-Za-z_][\w.-]*:)?kml[\s/>]", re.DOTALL
)
_OWN_DOCUMENT_TYPE = re.compile(rb"<!ENTITY|<!DOCTYPE(?!\s+html)", re.IGNORECASE)

_SIGNATURES = (
    (b"PK\x05\x06", "an empty zip archive"),
    (b"PARE", "an encrypted Parquet file"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)


def sniff(head: bytes) -> FileKind | None:
    """Return what a file is by its first `HEAD_BYTES`, None for anything that we do not read."""
    if head.startswith(b"SQLite format 3\x00") and head[68:72] in (b"GPKG", b"GP10", b"GP11"):
        return FileKind.GEOPACKAGE
    for signature, kind in (
        (b"PK\x03\x04", FileKind.ZIP),
        (b"\x00\x00\x27\x0a", FileKind.SHAPEFILE),
        (b"fgb\x03fgb", FileKind.FLATGEOBUF),
        (b"PAR1", FileKind.GEOPARQUET),
    ):
        if head.startswith(signature):
            return kind
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if text.startswith(b"{"):
        return FileKind.GEOJSON
    return FileKind.KML if _KML_ROOT.match(text) else None


def describe(head: bytes) -> str:
    """Return in plain words what a file seems to be by its first `HEAD_BYTES`."""
    kind = sniff(head)
    if kind is not None:
        return f"a {'Parquet file' if kind is FileKind.GEOPARQUET else kind.value}"
    if not head:
        return "nothing: it is empty"
    if head.startswith(b"SQLite format 3\x00"):
        return "an SQLite database that is not a GeoPackage"
    if head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"<"):
        if _OWN_DOCUMENT_TYPE.search(head):
            return "XML with a document type or entities of its own, which are never taken"
        return "an XML or HTML document"
    for signature, words in _SIGNATURES:
        if head.startswith(signature):
            return words
    return "something that we do not know"


def kind_by_name(name: str) -> FileKind:
    """Return what a file claims to be by the end of its name.

    Raises `InvalidInput` (`unknown_file_type`).
    """
    kind = SUFFIXES.get(PurePosixPath(name).suffix.lower())
    if kind is None:
        raise InvalidInput(
            "unknown_file_type",
            f"{name} has none of the names that we read: {', '.join(SUFFIXES)}",
            field="file",
            got=name,
            wanted=list(SUFFIXES),
        )
    return kind
