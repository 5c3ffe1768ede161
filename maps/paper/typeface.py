"""One font file: which characters it has, how wide they run, where a line of text breaks.

A character that the font lacks would leave an empty box on the sheet; it is shown as the geta mark, which East
Asian printers set for a sort that is missing from the case (JIS X 0208, 1-14).
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font

from gis.errors import Unavailable

__all__ = ["CHINESE", "Typeface", "typeface"]

CHINESE = "图例数据截至比例尺口径区镇村社网格积水"
"""Characters that a font for our sheets must have."""

_MISSING = ("\u3013", "\u25a1", "?")
_SIZE = 1000  # points at which widths are read: thousandths of the font's size
_OPENS = frozenset("（《〈“‘【「『([{")
_SHUTS = frozenset("，。、；：？！）》〉”’】」』)]},.;:?!%…·")


class Typeface:
    """A font file with Chinese glyphs. Not to be shared between threads: `maps.sheet` draws one sheet at a time."""

    def __init__(self, path: Path) -> None:
        """Open a font. Raises `Unavailable` ("font_missing") for a file that is none or has no Chinese."""
        try:
            self._font = FT2Font(str(path))
            self._known = frozenset(self._font.get_charmap())
        except (OSError, RuntimeError) as broken:
            raise Unavailable(
                "font_missing", f"{path} is no font that can be drawn with", got=str(path)
            ) from (broken)
        if not all(ord(char) in self._known for char in CHINESE):
            raise Unavailable("font_missing", f"{path} has no Chinese glyphs", got=str(path))
        self.path = path
        self._widths: dict[str, float] = {}
        self._font.set_size(_SIZE, 72)
        self._stand_in = next(char for char in _MISSING if ord(char) in self._known)

    def __contains__(self, char: str) -> bool:
        return ord(char) in self._known

    def properties(self, size: float) -> FontProperties:
        """Return the font at a size in points, as matplotlib takes it."""
        return FontProperties(fname=self.path, size=size)

    def shown(self, text: str) -> str:
        """Return a text in characters that the font has, on one line."""
        kept = []
        for char in unicodedata.normalize("NFC", text):
            if char.isspace():
                kept.append(" ")
            elif ord(char) in self._known and not unicodedata.category(char).startswith("C"):
                kept.append(char)
            elif unicodedata.category(char) not in ("Cc", "Cf", "Mn"):  # what is not seen is left out
                kept.append(self._stand_in)
        return "".join(kept)

    def width(self, text: str, size: float) -> float:
        """Return how wide a shown text runs, in the unit of `size`."""
        return size * sum(self._advance(char) for char in text)

    def lines(self, text: str, size: float, room: float) -> list[str]:
        """Break a text into lines of at most `room`, in the unit of `size`.

        Chinese breaks anywhere but before a shutting mark and after an opening one; all else between words, and
        inside a word that alone is too long. A line break in the text is kept.
        """
        made: list[str] = []
        for paragraph in text.splitlines() or [""]:
            line = ""
            for piece in _pieces(self.shown(paragraph)):
                if self.width((line + piece).rstrip(), size) <= room or not line:
                    line += piece
                else:
                    made.append(line.rstrip())
                    line = piece.lstrip()
                while len(line) > 1 and self.width(line.rstrip(), size) > room:
                    fits = self._fitting(line, size, room)
                    made.append(line[:fits].rstrip())
                    line = line[fits:]
            made.append(line.rstrip())
        return made

    def cut(self, text: str, size: float, room: float) -> str:
        """Return a shown text on one line, cut short with an ellipsis where it is too long."""
        text = self.shown(text)
        if self.width(text, size) <= room:
            return text
        return text[: self._fitting(text, size, room - self.width("…", size))].rstrip() + "…"

    def _fitting(self, text: str, size: float, room: float) -> int:
        used = 0.0
        for place, char in enumerate(text):
            used += size * self._advance(char)
            if used > room:
                return max(place, 1)
        return len(text)

    def _advance(self, char: str) -> float:
        if char not in self._widths:
            self._widths[char] = float(self._font.load_char(ord(char)).linearHoriAdvance) / 65536 / _SIZE
        return self._widths[char]


@lru_cache(maxsize=4)
def typeface(path: Path) -> Typeface:
    """Return an opened font; the same one for the same file."""
    return Typeface(path)


def _pieces(text: str) -> list[str]:
    """Split a text where a line may break: after blanks, and beside wide characters."""
    pieces: list[str] = []
    for char in text:
        before = pieces[-1][-1] if pieces else " "
        glued = before not in " " and (
            char in _SHUTS
            or char == " "
            or before in _OPENS
            or not (_is_wide(char) or _is_wide(before) or before == " ")
        )
        if glued and pieces:
            pieces[-1] += char
        else:
            pieces.append(char)
    return pieces


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in ("W", "F")
