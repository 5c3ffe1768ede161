"""One JSON text with places left open, to be written once and filled many times.

A history of a million cases has a million steps that differ in a few texts. What they have in common is written by
the same functions as for a single case, with a mark where something is to be filled in; so the two cannot part.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

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
        text = canonical(value).decode()
        self._text = _MARK.sub(r"%(\1)s", text.replace("%", "%%"))

    def filled(self, places: Mapping[str, str]) -> str:
        """Return the text with each place filled by what `as_json` made; further places are no harm.

        What is filled in is not looked at again: it has to be a value that `canonical` would write so.
        Raises KeyError for a place that is not given.
        """
        return self._text % places
