"""The areas of one edition while they are drawn anew: a sheet that keeps codes, levels and shapes together.

What the operations of `grids.ground.redraw` have in common: finding areas by code, giving codes that were never used
before, moving an area with all that lies below it, giving neighbours the vertices that a new border needs, and
keeping the totals of parents. No database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon

from gis.edges import ROUNDING, with_vertices
from gis.errors import InvalidInput
from gis.geometry import check_polygon
from grids.rules.codes import next_code
from grids.rules.levels import GridLevel

__all__ = ["Area", "Drawing", "Note", "NoteKind"]

Floats = NDArray[np.float64]

_SIZES = ("households", "population")


@dataclass(frozen=True, slots=True)
class Area:
    """One area; `parent_code` is None for a district, `shape` in EPSG:4490."""

    code: str
    level: GridLevel
    name: str
    parent_code: str | None
    shape: MultiPolygon
    source_code: str | None = None
    households: int | None = None
    population: int | None = None
    size_reason: str | None = None


class NoteKind(StrEnum):
    """What somebody should know about a redrawn area; the value is stable."""

    ESTIMATED = "estimated"  # households or people shared out by ground
    UNKNOWN_SIZE = "unknown_size"  # households or people that nobody knows after the change
    IN_PARTS = "in_parts"  # the area lies in more separate parts than before


@dataclass(frozen=True, slots=True)
class Note:
    """A remark about one area. step : which operation it comes from, 0 for the first."""

    step: int
    kind: NoteKind
    code: str
    message: str


class Drawing:
    """All areas of an edition, by code; `used` are the codes that no new area may get."""

    def __init__(self, areas: Iterable[Area], used: Iterable[str]) -> None:
        self.areas = {area.code: area for area in areas}
        self.used = {*used, *self.areas}
        self.notes: list[Note] = []
        self.step = 0
        self._origin = {code: code for code in self.areas}
        self._below: dict[str, set[str]] = {}
        for area in self.areas.values():
            if area.parent_code is not None:
                self._below.setdefault(area.parent_code, set()).add(area.code)

    def get(self, code: str, *, field: str) -> Area:
        """Return an area. Raises `InvalidInput` ("unknown_area") naming `field`."""
        if code not in self.areas:
            raise InvalidInput(
                "unknown_area",
                f"{field}: the draft has no area {code!r}; it may have got another code by now",
                field=field,
                got=code,
            )
        return self.areas[code]

    def children(self, code: str) -> list[Area]:
        """Return the areas that an area is divided into, by code."""
        return [self.areas[child] for child in sorted(self._below.get(code, ()))]

    def above(self, code: str) -> Iterator[Area]:
        """Yield the areas that an area lies in, from its parent up."""
        parent = self.areas[code].parent_code
        while parent is not None and parent in self.areas:
            yield self.areas[parent]
            parent = self.areas[parent].parent_code

    def put(self, area: Area) -> None:
        """Draw an area, in the place of the one that had its code.

        Raises `InvalidGeometry` for a shape that may not be stored.
        """
        known = self.areas.get(area.code)
        if known is None or known.shape is not area.shape:
            check_polygon(area.shape, field=area.code)
        if known is not None and _parts(area) > _parts(known):
            words = f"{area.code} {area.name} now lies in {_parts(area)} separate parts"
            self.note(NoteKind.IN_PARTS, area.code, words)
        self._place(area)

    def _place(self, area: Area) -> None:
        self.areas[area.code] = area
        self.used.add(area.code)
        if area.parent_code is not None:
            self._below.setdefault(area.parent_code, set()).add(area.code)

    def drop(self, code: str) -> None:
        """Take an area off the sheet; its code stays used."""
        area = self.areas.pop(code)
        self._origin.pop(code, None)
        self._below.pop(code, None)
        if area.parent_code is not None:
            self._below.get(area.parent_code, set()).discard(code)

    def new_code(self, parent: str, level: GridLevel, *, like: str) -> str:
        """Return the next code in a parent that was never used, and use it.

        Raises `InvalidInput` ("no_free_code").
        """
        code = next_code(parent, level, self.used, like=like)
        if code is None:
            raise InvalidInput(
                "no_free_code",
                f"{parent} has no number left for one more {level.value.replace('_', ' ')}; retired numbers "
                "are not used again: make a new parent",
                field="code",
                got=parent,
            )
        self.used.add(code)
        return code

    def move(self, code: str, parent: str, new: str) -> None:
        """Give an area another parent and another code; what lies below it keeps its last digits if it can."""
        area = self.areas[code]
        children = self.children(code)
        origin = self._origin.get(code)
        self.drop(code)
        self._place(replace(area, code=new, parent_code=parent))
        if origin is not None:
            self._origin[new] = origin
        for child in children:
            self.adopt(child.code, new)

    def adopt(self, code: str, parent: str) -> None:
        """Move an area into a parent, with its last digits where nothing had them there, else a new number."""
        wanted = f"{parent}{code[-3:]}"
        if wanted in self.used:
            wanted = self.new_code(parent, self.areas[code].level, like=code)
        self.move(code, parent, wanted)

    def insert(self, places: Floats) -> None:
        """Give every area on whose border one of the places (n, 2) lies a vertex there."""
        codes = list(self.areas)
        bounds = shapely.bounds([self.areas[code].shape for code in codes])
        (west, south), (east, north) = places.min(axis=0) - ROUNDING, places.max(axis=0) + ROUNDING
        x1, y1, x2, y2 = bounds.T
        for row in np.flatnonzero((x1 <= east) & (x2 >= west) & (y1 <= north) & (y2 >= south)).tolist():
            area = self.areas[codes[row]]
            shape = with_vertices(area.shape, places)
            if shape is not area.shape:
                self._place(replace(area, shape=shape))

    def note(self, kind: NoteKind, code: str, message: str) -> None:
        """Add a remark of the present step, once."""
        note = Note(self.step, kind, code, message)
        if note not in self.notes:
            self.notes.append(note)

    def totals(self) -> dict[str, tuple[str, ...]]:
        """Return which sizes of each parent are the sum of those of its children."""
        return {
            code: held
            for code in self._below
            if code in self.areas and (held := tuple(size for size in _SIZES if self._adds_up(code, size)))
        }

    def keep_totals(self, held: dict[str, tuple[str, ...]], told: str | None = None) -> None:
        """Make the sizes that were sums of the children's (`totals` before) such sums again, from below up.

        told : an area whose sizes somebody has just stated.
        """
        for code in sorted(held, key=len, reverse=True):
            if code not in self.areas or not self._below.get(code) or code == told:
                continue
            for size in held[code]:
                total = self._sum(code, size)
                if total != getattr(self.areas[code], size):
                    change: dict[str, Any] = {size: total}
                    self.areas[code] = replace(self.areas[code], **change)

    def code_changes(self) -> dict[str, str]:
        """Return the new code of each area of the beginning that goes on under another one."""
        return {origin: code for code, origin in sorted(self._origin.items()) if origin != code}

    def _adds_up(self, code: str, size: str) -> bool:
        total = self._sum(code, size)
        return total is not None and total == getattr(self.areas[code], size)

    def _sum(self, code: str, size: str) -> int | None:
        values: Sequence[int | None] = [
            getattr(self.areas[child], size) for child in self._below.get(code, ())
        ]
        known = [value for value in values if value is not None]
        return sum(known) if known and len(known) == len(values) else None


def _parts(area: Area) -> int:
    return int(shapely.get_num_geometries(area.shape))
