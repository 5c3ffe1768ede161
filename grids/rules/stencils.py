"""One JSON text with places left open, to be written once and filled for many rows.

A history of a million cases has a million steps that differ in a few texts. What they have in common is written by
the same functions as for a single case, with a mark where something is to be filled in; so the two cannot part.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from grids.rules.trace import canonical

__all__ = ["Stencil", "as_json", "mark"]

_MARK = re.compile('"\ufdd0([a-z_]+)\ufdd1"')  # two characters that Unicode keeps out of all texts

as_json = json.JSONEncoder(ensure_ascii=False).encode
"""Write a text, a whole number or None as it stands in a stencil's place."""


def mark(name: str) -> str:
    """Return the text that keeps a place open."""
    return f"\ufdd0{name}\ufdd1"


class Stencil:
    """A value in canonical JSON, in which each `mark(name)` is a place to fill in."""

    def __init__(self, value: object) -> None:
        text = canonical(value).decode().replace("%", "%%")
        self._text = _MARK.sub("%s", text)
        self._places = _MARK.findall(text)

    def filled(self, places: Mapping[str, Sequence[str]]) -> list[str]:
        """Return the text once for each row, its places filled by what `as_json` made.

        places : a column of texts for each place, one text a row; further columns are no harm.
        What is filled in is not looked at again: it has to be a value that `canonical` would write so.
        Raises KeyError for a place that is not given, ValueError for a stencil without any and for columns of
        different lengths.
        """
        if not self._places:
            raise ValueError("a stencil without a place is one text: nothing says how many rows there are")
        return [self._text % row for row in zip(*(places[name] for name in self._places), strict=True)]
