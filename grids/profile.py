"""The profile: a TOML file that says how another system's table of incidents is to be read.

source = "nyc311"               # a short name; with the id of a row it makes the key of an incident
frame = "WGS84"                 # what lon and lat are counted in: WGS84, CGCS2000, GCJ02, BD09, or EPSG:4548
timezone = "America/New_York"   # whose wall clock the times show, by its IANA name
time_formats = ["%Y-%m-%d %H:%M:%S"]    # tried in order; "iso" reads ISO 8601, with its offset where one is
encoding = "utf-8"              # of the file; an argument of the command goes before it

[columns]                       # id, received, lon and lat are needed, the others are not
id = "unique_key"
text = ["complaint_type", "descriptor"]     # one column, or several joined by "; "
category = "complaint_type"
received = "created_date"
closed = "closed_date"          # a row with a closing time is a closed case, any other an open one
lon = "longitude"
lat = "latitude"
address = "incident_address"
channel = "open_data_channel_type"

[categories]                    # their word = our code, upper and lower case alike
"Illegal Parking" = "07-001"

[channels]                      # their word = citizen, grid_worker, building_leader, hotline, patrol, sensor
PHONE = "hotline"

[defaults]                      # for words that are not listed
category = "12-001"             # without it such a row comes without a category, and the word is reported
channel = "hotline"             # needed
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gis.crs import AnyFrame, parse_frame
from gis.errors import InvalidInput, NotFound
from grids.rules.lifecycle import Channel

__all__ = ["ISO", "Columns", "Profile", "read_profile"]

ISO = "iso"
"""The time format that stands for ISO 8601."""

_SOURCE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
_NEEDED = ("id", "received", "lon", "lat")
_OPTIONAL = ("text", "category", "closed", "address", "channel")
_TOP = (
    "source",
    "frame",
    "timezone",
    "time_formats",
    "encoding",
    "columns",
    "categories",
    "channels",
    "defaults",
)


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the columns; None for what the table does not have. text : those that are joined."""

    id: str
    received: str
    lon: str
    lat: str
    text: tuple[str, ...] = ()
    category: str | None = None
    closed: str | None = None
    address: str | None = None
    channel: str | None = None

    def named(self) -> list[tuple[str, str]]:
        """Return (key of the profile, column) for each column that is named."""
        single = [(key, getattr(self, key)) for key in (*_NEEDED, "category", "closed", "address", "channel")]
        return [(key, name) for key, name in (*single, *(("text", part) for part in self.text)) if name]


@dataclass(frozen=True)
class Profile:
    """How a table of incidents is read; the keys of `categories` and `channels` are case-folded."""

    source: str
    columns: Columns
    frame: AnyFrame
    zone: ZoneInfo
    time_formats: tuple[str, ...]
    default_channel: Channel
    default_category: str | None = None
    categories: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, Channel] = field(default_factory=dict)
    encoding: str | None = None


def read_profile(path: Path) -> Profile:
    """Read a profile.

    Raises `NotFound` (`file_not_found`), `UnknownFrame`, and `InvalidInput` (`wrong_profile`) that names the key
    at fault: one that is unknown, of the wrong type or missing.
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise NotFound("file_not_found", f"there is no file {str(path)!r}", field="profile") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise _wrong(f"{path.name} is not TOML: {broken}", "profile") from broken
    top = _table(document, "", _TOP)
    source = _text(top, "source")
    if _SOURCE.fullmatch(source) is None:
        raise _wrong(f"source must be a short name of a-z, 0-9, . _ -, but is {source!r}", "source")
    defaults = _table(top.get("defaults", {}), "defaults", ("category", "channel"))
    return Profile(
        source=source,
        columns=_columns(top),
        frame=parse_frame(_text(top, "frame")),
        zone=_zone(_text(top, "timezone")),
        time_formats=_formats(top.get("time_formats", [ISO])),
        default_channel=_channel(_text(defaults, "channel", "defaults."), "defaults.channel"),
        default_category=_text(defaults, "category", "defaults.") if "category" in defaults else None,
        categories=_words(top, "categories"),
        channels={word: _channel(to, f"channels.{word}") for word, to in _words(top, "channels").items()},
        encoding=_text(top, "encoding") if "encoding" in top else None,
    )


def _columns(top: Mapping[str, Any]) -> Columns:
    table = dict(_table(top.get("columns", {}), "columns", (*_NEEDED, *_OPTIONAL)))
    text = table.pop("text", [])
    parts = [text] if isinstance(text, str) else text
    if not isinstance(parts, list) or not all(isinstance(part, str) and part for part in parts):
        raise _wrong("columns.text must be the name of a column, or a list of names", "columns.text")
    names = {key: _text(table, key, "columns.") for key in (*_NEEDED, *table)}
    return Columns(text=tuple(parts), **names)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise _wrong(
            f"timezone must be an IANA name such as Asia/Shanghai, but is {name!r}", "timezone"
        ) from None


def _formats(given: Any) -> tuple[str, ...]:
    formats = [given] if isinstance(given, str) else given
    good = isinstance(formats, list) and formats and all(isinstance(one, str) and one for one in formats)
    if not good or not all(one == ISO or "%" in one for one in formats):
        raise _wrong(
            'time_formats must be a list of formats such as "%Y-%m-%d %H:%M:%S", or "iso"', "time_formats"
        )
    return tuple(formats)


def _channel(word: str, key: str) -> Channel:
    try:
        return Channel(word)
    except ValueError:
        raise _wrong(f"{key} must be one of {', '.join(Channel)}, but is {word!r}", key) from None


def _words(top: Mapping[str, Any], name: str) -> dict[str, str]:
    table = top.get(name, {})
    if not isinstance(table, dict) or not all(isinstance(code, str) and code for code in table.values()):
        raise _wrong(f'{name} must be a table of "their word" = "our code"', name)
    folded: dict[str, str] = {}
    for word, code in table.items():
        if folded.setdefault(word.strip().casefold(), code) != code:
            raise _wrong(f"{name} has {word!r} twice, with different codes", name)
    return folded


def _table(value: Any, name: str, keys: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(f"{name} must be a table", name)
    unknown = [key for key in value if key not in keys]
    if unknown:
        where = f"{name}." if name else ""
        raise _wrong(f"{where}{unknown[0]} is not known; use {', '.join(keys)}", f"{where}{unknown[0]}")
    return value


def _text(table: Mapping[str, Any], key: str, where: str = "") -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        got = "is missing" if value is None else f"must be text, but is {value!r}"
        raise _wrong(f"{where}{key} {got}", f"{where}{key}")
    return value.strip()


def _wrong(words: str, field: str) -> InvalidInput:
    return InvalidInput("wrong_profile", words, field=field)
