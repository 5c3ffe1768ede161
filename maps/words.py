"""What a map says, in the language of its reader: words, numbers, times.

Words are msgids in English, looked up by a function that the caller passes in, so that this package knows no
catalogue. Times are shown for the city, Asia/Shanghai, whatever zone the machine is in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

__all__ = ["CITY_ZONE", "Words", "short_name"]

CITY_ZONE = ZoneInfo("Asia/Shanghai")

_NUMBERED = re.compile(r"^(?P<place>.+?)(?:社区|村)?第?(?P<number>\d+)号?网格(?P<piece>(?:-\d+)*)$")
_KIND = re.compile(r"^(?P<place>.{2,}?)(?:街道|社区|镇|乡|村|区|县|市)$")


@dataclass(frozen=True)
class Words:
    """The language of a map: its BCP 47 tag and the function from a msgid to words (English by default)."""

    language: str = "en"
    translate: Callable[[str], str] = str

    def __call__(self, msgid: str, /, **facts: object) -> str:
        """Return a msgid's words, with its `{named}` places filled from `facts`."""
        words = self.translate(msgid)
        return words.format(**facts) if facts else words

    def duration(self, minutes: float) -> str:
        """Write minutes as a length of time: "45 min", "2 h 10 min", "3 d 4 h"; "-" for NaN."""
        if not math.isfinite(minutes):
            return "-"
        whole = round(abs(minutes))
        days, rest = divmod(whole, 24 * 60)
        hours, left = divmod(rest, 60)
        if days:
            return (
                self("{days} d {hours} h", days=days, hours=hours) if hours else self("{days} d", days=days)
            )
        if hours:
            return (
                self("{hours} h {minutes} min", hours=hours, minutes=left)
                if left
                else self("{hours} h", hours=hours)
            )
        return self("{minutes} min", minutes=left)

    def brief_duration(self, minutes: float) -> str:
        """Write minutes shortly, for a label on a map: "45 min", "2.2 h", "3.1 d"; "-" for NaN."""
        if not math.isfinite(minutes) or abs(minutes) < 60:
            return self.duration(minutes)
        if abs(minutes) < 48 * 60:
            return self("{hours} h", hours=f"{minutes / 60:.1f}".removesuffix(".0"))
        return self("{days} d", days=f"{minutes / 60 / 24:.1f}".removesuffix(".0"))

    def moment(self, at: datetime) -> str:
        """Write an aware time as the city's clock shows it, "2026-11-21 14:32"."""
        return f"{at.astimezone(CITY_ZONE):%Y-%m-%d %H:%M}"

    def period(self, first: date, last: date) -> str:
        """Write a span of whole days, both ends included."""
        return self("{first} to {last}", first=first.isoformat(), last=last.isoformat())

    def due(self, at: datetime, now: datetime) -> tuple[str, bool]:
        """Write a deadline against `now`; return the words and whether it has passed."""
        left = at - now
        late = left < timedelta(0)
        length = self.duration(left.total_seconds() / 60)
        return (
            self("overdue by {length}", length=length) if late else self("{length} left", length=length)
        ), late


def short_name(name: str) -> str:
    """Shorten a Chinese grid name for a small map: 升平社区第12网格 -> 升平12, 凤城街道 -> 凤城.

    A cell that was split keeps the number of its piece: 升平社区第12网格-2 -> 升平12-2.
    """
    numbered = _NUMBERED.match(name)
    if numbered:
        return numbered["place"] + numbered["number"] + numbered["piece"]
    kind = _KIND.match(name)
    return kind["place"] if kind else name
