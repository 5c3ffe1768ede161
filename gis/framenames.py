"""Frames that a text names: a note in an attribute, the name of a file, a layer or a column.

People write beside coordinates what these are counted in, and others hand them on under another name. The name of
a company counts only beside a word for coordinates: a cell may well be called after the Baidu building.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gis.crs import SHIFTED, AnyFrame, EpsgFrame, Frame, parse_frame
from gis.errors import UnknownFrame

__all__ = ["contradicted_by", "frames_named", "notes_in"]

_ABOUT = r"(?:坐标|座标|经度|纬度|经纬|(?:coord(?:inates?)?|crs|datum|lon|lng|lat)(?![a-z]))"
_COMPANIES = {Frame.BD09: "百度|baidu", Frame.GCJ02: "高德|腾讯|amap|autonavi|gaode|tencent"}
_TERMS = {
    Frame.BD09: r"(?<![a-z0-9])bd[\s_-]?09(?:ll|mc)?(?![a-z0-9])",
    Frame.GCJ02: r"(?<![a-z0-9])gcj[\s_-]?(?:20)?02(?![a-z0-9])|火星坐标",
    Frame.WGS84: r"(?<![a-z0-9])wgs[\s_-]?(?:19)?84(?![a-z0-9])",
    Frame.CGCS2000: r"(?<![a-z0-9])cgcs[\s_-]?2000(?![a-z0-9])|国家\s?2000|2000\s?国家大地",
}


def _pattern(frame: Frame) -> re.Pattern[str]:
    words = [_TERMS[frame]]
    if frame in _COMPANIES:
        company = f"(?:{_COMPANIES[frame]})"
        words += [rf"{company}[\s_-]*(?:地图)?[\s_-]*{_ABOUT}", rf"{_ABOUT}[\s_:：-]*{company}"]
    return re.compile("|".join(words), re.IGNORECASE)


_PATTERNS = {frame: _pattern(frame) for frame in _TERMS}
_EPSG = re.compile(r"(?<![a-z])EPSG[\s:_-]{0,3}([0-9]{4,6})(?![0-9])", re.IGNORECASE)
_SHARE = 0.9  # of a column's texts that must name a frame, so that it is a note and not a street
_LONGEST, _MOST_TEXTS = 300, 2_000


def frames_named(text: str) -> frozenset[AnyFrame]:
    """Return the frames that a text names: "BD-09 lon/lat", "火星坐标", "百度坐标", "wgs84", "EPSG:4548"."""
    found: set[AnyFrame] = {frame for frame, pattern in _PATTERNS.items() if pattern.search(text)}
    for number in _EPSG.findall(text):
        try:
            found.add(parse_frame(f"EPSG:{number}"))
        except UnknownFrame:
            continue
    return frozenset(found)


def notes_in(columns: Mapping[str, Sequence[object]]) -> list[tuple[str, str, frozenset[AnyFrame]]]:
    """Return (column, one of its texts, frames) for each column in which nearly every text names the same frames."""
    notes = []
    for name, values in columns.items():
        texts = [value[:_LONGEST] for value in values if isinstance(value, str) and value.strip()]
        texts = texts[:_MOST_TEXTS]
        named = [frames_named(text) for text in texts]
        if not texts or not named[0]:
            continue
        if sum(frames == named[0] for frames in named) >= _SHARE * len(texts):
            notes.append((name, texts[0], named[0]))
    return notes


def contradicted_by(declared: AnyFrame, named: frozenset[AnyFrame]) -> AnyFrame | None:
    """Return the named frame that speaks against the declared one, None where none does.

    Whoever names the declared frame too, tells of a conversion. WGS84, CGCS2000 and what is projected from them
    do not contradict each other.
    """
    if declared in named:
        return None
    if declared in SHIFTED:
        against = named
    elif isinstance(declared, EpsgFrame):
        against = frozenset(one for one in named if one in SHIFTED or isinstance(one, EpsgFrame))
    else:
        against = named & SHIFTED
    if not against or (declared not in SHIFTED and named & {Frame.WGS84, Frame.CGCS2000}):
        return None
    return min(against, key=str)
