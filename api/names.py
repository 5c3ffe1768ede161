"""Names of places, categories and departments by their codes, for pages that show many of them.

The names of the areas in force are in memory with the grid; categories and departments are few and are read
when a page asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from api.deps import ReadOnly
from api.i18n import Words
from gis.errors import Unavailable
from grids import atlas, directory
from grids.rules.calendar import local_day
from grids.rules.codes import level_of
from grids.rules.levels import CODE_LENGTH, GridLevel
from grids.tables import Category, Department

__all__ = ["Names"]


@dataclass
class Names:
    """Looks names up in one language, for one page; what is not asked for is not read.

    drawn : code -> name of the areas of an edition that the page is about; they come before those in force, and
    such a page is shown before any grid is in force.
    """

    session: ReadOnly
    words: Words
    now: datetime
    drawn: Mapping[str, str] | None = None

    @cached_property
    def areas(self) -> Mapping[str, str]:
        """Code -> name of every area in force, and of the edition that the page is about."""
        try:
            known = atlas.current(self.session, on=local_day(self.now)).names
        except Unavailable:
            if self.drawn is None:
                raise
            known = {}
        return known if self.drawn is None else {**known, **self.drawn}

    def area(self, code: str | None) -> str:
        """Return the name of an area; the code itself where the grid in force has none of it."""
        return self.areas.get(code, code) if code else ""

    def place(self, code: str) -> str:
        """Return town, community and cell of a code, largest first; the district's name alone for a district.

        What a name repeats of the one before is left out; a cell is often called after its community.
        """
        lengths = [n for n in CODE_LENGTH.values() if n <= len(code)]
        names = [self.area(code[:n]) for n in (lengths[1:] or lengths)]
        own = [name.removeprefix(above) or name for above, name in zip(["", *names], names, strict=False)]
        return " · ".join(own)

    def above(self, code: str) -> list[tuple[str, str]]:
        """Return (code, name) of the areas that hold this one, itself last, the district first."""
        return [(code[:n], self.area(code[:n])) for n in CODE_LENGTH.values() if n <= len(code)]

    def below(self, code: str | None) -> list[tuple[str, str]]:
        """Return (code, name) of the areas one level below a code, or of all districts for None."""
        length = CODE_LENGTH[GridLevel.DISTRICT]
        if code:
            deeper = [n for n in CODE_LENGTH.values() if n > len(code)]
            if not deeper:
                return []
            length = deeper[0]
        start = code or ""
        found = [(c, name) for c, name in self.areas.items() if len(c) == length and c.startswith(start)]
        return sorted(found)

    def level(self, code: str) -> str:
        """Return what the level of a code is called."""
        return self.words.of("level", level_of(code))

    @cached_property
    def _categories(self) -> dict[str, Category]:
        return {category.code: category for category in directory.categories(self.session)}

    def category(self, code: str | None) -> str:
        """Return the name of a category in the reader's language, "" for None."""
        if code is None:
            return ""
        return self.words.name(self._categories.get(code)) or code

    def categories(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Return the categories in use, grouped by field: (field's name, [(code, name)])."""
        groups: dict[str, list[tuple[str, str]]] = {}
        english = self.words.language == "en"
        for category in self._categories.values():
            if category.retired_on is None:
                heading = category.field_name_en if english else category.field_name
                groups.setdefault(heading, []).append((category.code, self.words.name(category)))
        return list(groups.items())

    def departments(self, district: str) -> Sequence[Department]:
        """Return a district's departments by code."""
        return self._departments.setdefault(district, directory.departments(self.session, district))

    @cached_property
    def _departments(self) -> dict[str, Sequence[Department]]:
        return {}

    def department(self, district: str, code: str) -> str:
        """Return the name of a department in the reader's language, its code where it is not known."""
        found = next((body for body in self.departments(district) if body.code == code), None)
        return self.words.name(found) or code
