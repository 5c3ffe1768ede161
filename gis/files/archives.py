"""Files as people hand them in, and a private copy of one that is safe to open.

Only a file that is what its name says goes on (`gis.files.filekinds`). Zips are listed before anything is unpacked,
and only the parts of the one data set that is wanted are written, under our own names.
"""

from __future__ import annotations

import codecs
import hashlib
import mmap
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO

from gis.errors import InvalidInput, NotFound
from gis.files.filekinds import HEAD_BYTES, SUFFIXES, FileKind, describe, kind_by_name, sniff

__all__ = ["DataSet", "FileLimits", "bring_in"]

_CHUNK = 1 << 20


@dataclass(frozen=True)
class FileLimits:
    """How much one file may ask of us; a public upload passes tighter ones than the command line."""

    bytes: int = 200_000_000
    zip_entries: int = 200
    zip_ratio: float = 100.0
    features: int = 100_000
    vertices: int = 10_000_000
    vertices_each: int = 100_000
    memory_bytes: int = 4_000_000_000
    cpu_seconds: int = 60
    wall_seconds: float = 90.0


@dataclass(frozen=True)
class DataSet:
    """A private copy of one data set: the file to open, and what it says of its text.

    name : what the person called it, for messages.
    encoding : codec of the attribute text, None where the format settles it.
    sha256 : over the bytes of all its parts, in the order of their names.
    """

    name: str
    kind: FileKind
    path: Path
    encoding: str | None
    sha256: str


_NEEDED_PARTS = (".shp", ".shx", ".dbf")
_SHAPEFILE_PARTS = (*_NEEDED_PARTS, ".prj", ".cpg")
_KMZ_MAIN = "doc.kml"  # the one that a viewer opens, whatever else a .kmz holds

# Language driver byte of a dBASE file, only where it names one code page: 0x57 ("ANSI") says nothing.
_LANGUAGE_DRIVERS = {0x4D: "gb18030", 0x7A: "gb18030", 0x4F: "big5", 0x78: "big5"}


def bring_in(
    path: Path, member: str | None, into: Path, limits: FileLimits, encoding: str | None = None
) -> DataSet:
    """Copy one data set into the private directory `into` and tell what it is.

    path : a file with one of the names in `SUFFIXES`: of the Shapefile its .shp, beside its other parts; or a
        directory or zip (.kmz is one) with such files.
    member : which one, by its name in the zip or directory; None where there is only one.
    encoding : the text encoding that the person declares; it goes before what a Shapefile says.
    Raises `NotFound` (`file_not_found`) and `InvalidInput`: `unknown_file_type`,
    `file_not_what_its_name_says`, `file_too_big`, `member_needed`, `unknown_member`, `shapefile_incomplete`,
    `bad_archive`, `archive_too_big`, `unsafe_archive`, `encoding_not_declared`, `unknown_encoding`.
    """
    if path.is_dir():
        found = _choose(path.name, [child.name for child in path.iterdir() if child.is_file()], member)
        path, member = path / found, None
    if not path.is_file():
        raise NotFound("file_not_found", f"there is no file {str(path)!r}", field="file", got=str(path))
    if kind_by_name(path.name) is FileKind.ZIP:
        _check_content(path.name, FileKind.ZIP, path)
        return _from_zip(path, member, into, limits, encoding)
    if member is not None and member != path.name:
        raise _unknown_member(path.name, member, [path.name])
    siblings = {child.name: child for child in path.parent.iterdir()} if path.suffix.lower() == ".shp" else {}
    parts = {path.name: path, **{name: siblings[name] for name in _siblings(path.name, siblings)}}
    return _copy(path.name, {name: part.open for name, part in parts.items()}, into, limits, encoding)


def _from_zip(
    path: Path, member: str | None, into: Path, limits: FileLimits, encoding: str | None
) -> DataSet:
    _check_list(path, limits)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _checked_entries(path.name, archive, limits)
            found = _choose(path.name, list(entries), member)
            if kind_by_name(found) is FileKind.ZIP:
                raise InvalidInput(
                    "unsafe_archive",
                    f"{path.name} holds another archive, {found}: unpack it first",
                    field="file",
                )
            names = [found, *_siblings(found, entries)]

            def opener(entry: zipfile.ZipInfo) -> Callable[[str], IO[bytes]]:
                return lambda _mode: archive.open(entry)

            return _copy(found, {name: opener(entries[name]) for name in names}, into, limits, encoding)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as broken:
        raise InvalidInput(
            "bad_archive", f"{path.name} cannot be unpacked: {broken}", field="file", got=path.name
        ) from broken


def _check_list(path: Path, limits: FileLimits) -> None:
    """Refuse an archive before its list becomes objects: each row in it begins with the same four bytes."""
    size = path.stat().st_size
    if size > limits.bytes:
        raise _too_big(path.name, "bytes", size, limits.bytes)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        rows = sum(1 for _ in islice(re.finditer(rb"PK\x01\x02", content), 10 * limits.zip_entries))
    if rows == 10 * limits.zip_entries:
        raise _too_big(path.name, "entries", rows, limits.zip_entries)


def _checked_entries(name: str, archive: zipfile.ZipFile, limits: FileLimits) -> dict[str, zipfile.ZipInfo]:
    """Return the files in the archive by name, after a look at the list alone."""
    listed = archive.infolist()
    unpacked, packed = sum(e.file_size for e in listed), sum(e.compress_size for e in listed)
    if len(listed) > limits.zip_entries:
        raise _too_big(name, "entries", len(listed), limits.zip_entries)
    if unpacked > limits.bytes:
        raise _too_big(name, "bytes unpacked", unpacked, limits.bytes)
    if unpacked > _CHUNK and unpacked > limits.zip_ratio * max(packed, 1):
        raise _too_big(name, "times its packed size", round(unpacked / max(packed, 1)), limits.zip_ratio)
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in listed:
        shown = _entry_name(entry)
        unsafe = _why_unsafe(shown, entry) or ("appears twice" if shown in entries else None)
        if unsafe:
            raise InvalidInput(
                "unsafe_archive",
                f"{name}: entry {shown!r} {unsafe}",
                field="file",
                got=shown,
                wanted="plain files",
            )
        hidden = any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(shown).parts)
        if not entry.is_dir() and not hidden:
            entries[shown] = entry
    return entries


def _why_unsafe(shown: str, entry: zipfile.ZipInfo) -> str | None:
    pure = PurePosixPath(shown)
    if pure.is_absolute() or "\\" in shown or ":" in shown or "\x00" in shown:
        return "has an absolute name"
    if ".." in pure.parts:
        return "leads out of the archive"
    mode = entry.external_attr >> 16
    if mode and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode) and stat.S_IFMT(mode):
        return "is a link or a device"
    if entry.flag_bits & 0x1:
        return "is encrypted"
    return None


def _entry_name(entry: zipfile.ZipInfo) -> str:
    # Before zips could say UTF-8, Chinese tools wrote GBK; Python shows either as code page 437.
    if entry.flag_bits & 0x800:
        return entry.filename
    try:
        raw = entry.filename.encode("cp437")
    except UnicodeEncodeError:
        return entry.filename
    for codec in ("utf-8", "gb18030"):
        try:
            return raw.decode(codec)
        except UnicodeDecodeError:
            continue
    return entry.filename


def _choose(where: str, names: Iterable[str], member: str | None) -> str:
    """Return the one data set that is meant among the file names of a directory or an archive."""
    readable = sorted(name for name in names if PurePosixPath(name).suffix.lower() in SUFFIXES)
    if member is None:
        if len(readable) == 1:
            return readable[0]
        if where.lower().endswith(".kmz") and _KMZ_MAIN in readable:
            return _KMZ_MAIN
        raise InvalidInput(
            "member_needed",
            f"{where} holds {len(readable)} files that we can read; a mapping says which is which level",
            field="file",
            got=readable,
            wanted="one file of areas",
        )
    meant = [name for name in readable if member in (name, PurePosixPath(name).name)]
    if len(meant) != 1:
        raise _unknown_member(where, member, readable)
    return meant[0]


def _siblings(name: str, among: Iterable[str]) -> list[str]:
    """Return the names of the further parts of a Shapefile, whatever the case of their suffixes."""
    pure = PurePosixPath(name)
    if pure.suffix.lower() != ".shp":
        return []
    return sorted(
        other
        for other in among
        if other != name
        and PurePosixPath(other).with_suffix("") == pure.with_suffix("")
        and PurePosixPath(other).suffix.lower() in _SHAPEFILE_PARTS
    )


def _copy(
    name: str,
    parts: Mapping[str, Callable[[str], IO[bytes]]],
    into: Path,
    limits: FileLimits,
    encoding: str | None,
) -> DataSet:
    kind = kind_by_name(name)
    digest, copied, left = hashlib.sha256(), {}, limits.bytes
    for part in sorted(parts):
        suffix = PurePosixPath(part).suffix.lower()
        target = into / f"areas{suffix}"
        with parts[part]("rb") as source, target.open("wb") as sink:
            while chunk := source.read(min(_CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:
                    raise _too_big(name, "bytes", limits.bytes + 1, limits.bytes)
                digest.update(chunk)
                sink.write(chunk)
        copied[suffix] = target
    path = copied[PurePosixPath(name).suffix.lower()]
    _check_content(name, kind, path)
    if kind is FileKind.SHAPEFILE:
        missing = [suffix for suffix in _NEEDED_PARTS if suffix not in copied]
        if missing:
            raise InvalidInput(
                "shapefile_incomplete",
                f"{name} is a part of a Shapefile, but {', '.join(missing)} is missing beside it: hand in "
                "the whole set as one zip",
                field="file",
                got=sorted(copied),
                wanted=list(_NEEDED_PARTS),
            )
        encoding = _shapefile_encoding(name, copied, encoding)
    else:
        encoding = None  # the others say it themselves, or are UTF-8 by their standards
    return DataSet(name=name, kind=kind, path=path, encoding=encoding, sha256=digest.hexdigest())


def _check_content(name: str, wanted: FileKind, path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if sniff(head) is not wanted:
        raise InvalidInput(
            "file_not_what_its_name_says",
            f"{name} should be a {wanted.value} by its name, but holds {describe(head)}",
            field="file",
            got=describe(head),
            wanted=wanted.value,
            file=name,
        )


def _shapefile_encoding(name: str, parts: Mapping[str, Path], declared: str | None) -> str:
    """Return the codec of the attribute table: declared, or stated by .cpg or the table itself."""
    if declared is not None:
        return _codec(name, declared)
    if ".cpg" in parts:
        return _codec(name, parts[".cpg"].read_bytes()[:64].decode("ascii", "replace").strip())
    table = parts[".dbf"].read_bytes()
    stated = _LANGUAGE_DRIVERS.get(table[29]) if len(table) > 32 else None
    if stated is not None:
        return stated
    fields_end = int.from_bytes(table[8:10], "little")
    field_names = b"".join(table[at : at + 11] for at in range(32, fields_end - 1, 32))
    if (field_names + table[fields_end:]).isascii():
        return "utf-8"
    raise InvalidInput(
        "encoding_not_declared",
        f"{name} has Chinese or other non-English text, but no .cpg file that says how it is written: "
        "declare it as encoding, GBK (older files, mostly) or UTF-8: --encoding GBK, or in the mapping",
        field="encoding",
        wanted=["UTF-8", "GBK"],
    )


def _codec(name: str, stated: str) -> str:
    text = stated.lower().replace("ansi", "").strip()
    if text.isdigit():
        text = {"65001": "utf-8", "936": "gbk", "54936": "gb18030"}.get(text, f"cp{text}")
    try:
        codec = codecs.lookup(text).name
    except (LookupError, ValueError):
        raise InvalidInput(
            "unknown_encoding",
            f"{name}: text encoding {stated!r} is not known; use UTF-8 or GBK",
            field="encoding",
            got=stated,
            wanted=["UTF-8", "GBK"],
        ) from None
    # GB18030 holds GBK and GB2312 whole, and the rarer name characters beside them
    return "gb18030" if codec in ("gbk", "gb2312") else codec


def _too_big(name: str, of_what: str, got: float, most: float) -> InvalidInput:
    return InvalidInput(
        "file_too_big" if of_what == "bytes" else "archive_too_big",
        f"{name} has {got:,} {of_what} or more; at most {most:,} are taken",
        field="file",
        got=got,
        wanted=most,
    )


def _unknown_member(where: str, member: str, readable: list[str]) -> InvalidInput:
    return InvalidInput(
        "unknown_member",
        f"{where} has no one file {member!r}; it holds {', '.join(readable) or 'nothing that we read'}",
        field="file",
        got=member,
        wanted=readable,
    )
