"""An edition drawn anew, one operation after the other: split, merge, move an edge, reassign, replace, rename.

An operation is plain values that can be written as JSON, so a draft is an edition and a list of them: replayed
it comes out the same, and without the last it is undone. Each is computed so that neighbours keep the very same
vertices at every level; areas that it does not touch stay as they are, to the last digit. No database.

Codes: an area that goes on keeps its code, the largest piece of a split too; new ones get the next number that
was never used; one that changes its parent gets a new code, and so do those below it. Retired codes rest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import geopandas as gpd
import pandas as pd

from gis.crs import STORAGE_SRID
from gis.errors import CityError, InvalidInput
from gis.geometry import as_multipolygon
from grids.ground import redrawing
from grids.ground.drawing import Area, Drawing, Note, NoteKind
from grids.rules.levels import GridLevel

__all__ = ["COLUMNS", "Note", "NoteKind", "Operation", "OperationKind", "Redrawn", "apply"]

COLUMNS = (
    "code",
    "level",
    "name",
    "parent_code",
    "source_code",
    "households",
    "population",
    "size_reason",
    "geometry",
)
"""What is kept of each area."""

_LONGEST_TEXT = 200
_MOST_PEOPLE = 10_000_000


class OperationKind(StrEnum):
    """What can be done to a draft; the value is stored."""

    SPLIT = "split"
    MERGE = "merge"
    MOVE_EDGE = "move_edge"
    REASSIGN = "reassign"
    REPLACE_CHILDREN = "replace_children"
    RENAME = "rename"
    SET_SIZE = "set_size"


@dataclass(frozen=True)
class Operation:
    """One step of drawing anew: what, and with which arguments. Those in brackets may be left out.

    split : code, line, [names, households, population] (one entry a piece, the largest first: that one keeps
        the code). An area that is divided further is split between its children, none of which may straddle.
    merge : codes, [into, name, households, population]: neighbours of one parent become `into`, else the lowest.
    move_edge : codes (two), line, [households, population] (one entry each): the line takes the place of their
        shared edge, from end to end of it.
    reassign : code, to_parent: with all below it, into another parent of the same level that it touches.
    replace_children : code (the parent), cells: mappings with geometry (GeoJSON in degrees of EPSG:4490) and
        where known name, households, population, size_reason; together they fill the parent.
    rename : code, name.
    set_size : code and any of households, population, size_reason; None: unknown.

    A line is a GeoJSON LineString, or a list of [longitude, latitude], in degrees of EPSG:4490.
    Raises `InvalidInput` ("unusable_operation") naming the argument that is missing, unknown or of a wrong kind.
    """

    kind: OperationKind
    arguments: Mapping[str, Any]

    def __post_init__(self) -> None:
        wanted = _ARGUMENTS[self.kind]
        for name in self.arguments:
            if name not in wanted:
                raise _unusable(self.kind, name, "is not known", sorted(wanted))
        for name, argument in wanted.items():
            if name not in self.arguments:
                if argument.needed:
                    raise _unusable(self.kind, name, "is missing", argument.words)
            elif not argument.fits(self.arguments[name]):
                raise _unusable(self.kind, name, f"must be {argument.words}", argument.words)

    @classmethod
    def from_json(cls, value: object) -> Operation:
        """Return the operation that `to_json` wrote, or somebody else by the same form.

        Raises `InvalidInput` ("unusable_operation") as for the arguments.
        """
        if not isinstance(value, Mapping) or value.get("kind") not in set(OperationKind):
            kinds = [kind.value for kind in OperationKind]
            raise InvalidInput(
                "unusable_operation",
                f"an operation is an object with a kind ({', '.join(kinds)}) and its arguments",
                field="kind",
                wanted=kinds,
            )
        arguments = {str(name): part for name, part in value.items() if name != "kind"}
        return cls(OperationKind(value["kind"]), arguments)

    def to_json(self) -> dict[str, Any]:
        """Return the operation as one object of plain values: its kind and its arguments side by side."""
        return {"kind": self.kind.value, **self.arguments}

    def line(self) -> str:
        """Return the operation as one line of text."""
        given = self.arguments
        codes = " and ".join(given["codes"]) if "codes" in given else given["code"]
        match self.kind:
            case OperationKind.SPLIT:
                return f"{codes} split along a line"
            case OperationKind.MERGE:
                return f"{codes} merged into {given.get('into') or min(given['codes'])}"
            case OperationKind.MOVE_EDGE:
                return f"edge between {codes} moved"
            case OperationKind.REASSIGN:
                return f"{codes} reassigned to {given['to_parent']}"
            case OperationKind.REPLACE_CHILDREN:
                return f"{codes} divided anew into {len(given['cells'])} areas"
            case OperationKind.RENAME:
                return f"{codes} named {given['name']}"
            case OperationKind.SET_SIZE:
                told = ", ".join(f"{name} {part}" for name, part in given.items() if name != "code")
                return f"{codes} given {told}"


@dataclass(frozen=True)
class Redrawn:
    """An edition after its operations.

    areas : EPSG:4490, by code, with `COLUMNS`; households and population Int64.
    notes : what somebody should know, in the order of the operations.
    code_changes : old -> new code of the areas that go on under another one, over all operations.
    used_codes : every code that there was or is; none of them may be given to a new area later on.
    """

    areas: gpd.GeoDataFrame
    notes: tuple[Note, ...]
    code_changes: Mapping[str, str]
    used_codes: frozenset[str]


def apply(
    areas: gpd.GeoDataFrame, operations: Sequence[Operation], used_codes: Collection[str] = frozenset()
) -> Redrawn:
    """Draw an edition anew; the same operations on the same edition give the same result, digit by digit.

    areas : a whole edition in EPSG:4490: code, level, geometry, and where known name, parent_code (else the
        code without its last digits), source_code, households, population, size_reason.
    used_codes : codes that were retired in the editions before; those of `areas` count by themselves.
    Raises `InvalidInput` or `InvalidGeometry`, with the `step` (0 for the first operation) beside the `field`:
    `unknown_area`, `wrong_level`, `area_divided`, `different_parents`, `not_neighbours`, `same_parent`,
    `parent_left_empty`, `no_free_code`, `cells_do_not_fill`, `children_straddle`, `edges_differ`,
    `unusable_operation`, and what reading, cutting and moving lines raise (`gis.redraw`). Nothing is half done.
    """
    board = Drawing(_read(areas), used_codes)
    for step, operation in enumerate(operations):
        board.step = step
        held = board.totals()
        told = None
        try:
            told = _DO[operation.kind](board, operation.arguments)
        except CityError as refused:
            refused.facts["step"] = step
            raise
        board.keep_totals(held, told)
    return Redrawn(_frame(board), tuple(board.notes), board.code_changes(), frozenset(board.used))


_DO: Mapping[OperationKind, Callable[[Drawing, Mapping[str, Any]], str | None]] = {
    OperationKind.SPLIT: redrawing.split,
    OperationKind.MERGE: redrawing.merge,
    OperationKind.MOVE_EDGE: redrawing.move_edge,
    OperationKind.REASSIGN: redrawing.reassign,
    OperationKind.REPLACE_CHILDREN: redrawing.replace_children,
    OperationKind.RENAME: redrawing.rename,
    OperationKind.SET_SIZE: redrawing.set_size,
}


def _read(areas: gpd.GeoDataFrame) -> Iterator[Area]:
    missing = [None] * len(areas)
    columns = {name: areas[name].tolist() if name in areas else missing for name in COLUMNS[:-1]}
    shapes = (
        areas.geometry.array.tolist() if hasattr(areas.geometry.array, "tolist") else list(areas.geometry)
    )
    for values in zip(*columns.values(), shapes, strict=True):
        code, level, name, parent, source, households, population, reason, shape = values
        at = GridLevel(level)
        above = _text(parent) or (None if at is GridLevel.DISTRICT else code[:-3])
        yield Area(
            code=code,
            level=at,
            name=_text(name) or code,
            parent_code=above,
            shape=as_multipolygon(shape, field=code),
            source_code=_text(source),
            households=None if pd.isna(households) else int(households),
            population=None if pd.isna(population) else int(population),
            size_reason=_text(reason),
        )


def _text(value: Any) -> str | None:
    return None if pd.isna(value) else str(value)


def _frame(board: Drawing) -> gpd.GeoDataFrame:
    rows = [board.areas[code] for code in sorted(board.areas)]
    frame = gpd.GeoDataFrame(
        {name: [getattr(row, name) for row in rows] for name in COLUMNS[:-1]},
        geometry=[row.shape for row in rows],
        crs=f"EPSG:{STORAGE_SRID}",
    )
    frame["level"] = [row.level.value for row in rows]
    return frame.astype({"households": "Int64", "population": "Int64"})


class _Argument(NamedTuple):
    fits: Callable[[Any], bool]
    words: str
    needed: bool = True


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value.strip()) > 0 and len(value) <= _LONGEST_TEXT


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_PEOPLE


def _list_of(fits: Callable[[Any], bool], *, least: int = 1, most: int = 1000) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        return isinstance(value, list | tuple) and least <= len(value) <= most and all(map(fits, value))

    return check


def _or_none(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


def _is_cell(value: Any) -> bool:
    known: dict[str, Callable[[Any], bool]] = {
        "geometry": lambda part: isinstance(part, Mapping),
        "name": _or_none(_is_text),
        "households": _or_none(_is_count),
        "population": _or_none(_is_count),
        "size_reason": _or_none(_is_text),
    }
    return (
        isinstance(value, Mapping)
        and "geometry" in value
        and all(name in known and known[name](part) for name, part in value.items())
    )


_CODE = _Argument(_is_text, "the code of an area")
_LINE = _Argument(lambda value: isinstance(value, list | tuple | Mapping), "a line")
_COUNT = _Argument(_or_none(_is_count), "a number of 0 or more, or nothing", needed=False)
_COUNTS = _Argument(_list_of(_or_none(_is_count)), "a list of numbers of 0 or more", needed=False)
_NAME = f"a text of 1 to {_LONGEST_TEXT} characters"

_ARGUMENTS: Mapping[OperationKind, Mapping[str, _Argument]] = {
    OperationKind.SPLIT: {
        "code": _CODE,
        "line": _LINE,
        "names": _Argument(_list_of(_is_text), f"a list, each {_NAME}", needed=False),
        "households": _COUNTS,
        "population": _COUNTS,
    },
    OperationKind.MERGE: {
        "codes": _Argument(_list_of(_is_text, least=2), "two or more codes"),
        "into": _Argument(_or_none(_is_text), "one of the codes", needed=False),
        "name": _Argument(_or_none(_is_text), _NAME, needed=False),
        "households": _COUNT,
        "population": _COUNT,
    },
    OperationKind.MOVE_EDGE: {
        "codes": _Argument(_list_of(_is_text, least=2, most=2), "two codes"),
        "line": _LINE,
        "households": _COUNTS,
        "population": _COUNTS,
    },
    OperationKind.REASSIGN: {"code": _CODE, "to_parent": _CODE},
    OperationKind.REPLACE_CHILDREN: {
        "code": _CODE,
        "cells": _Argument(
            _list_of(_is_cell), "a list of cells: geometry, name, households, population, size_reason"
        ),
    },
    OperationKind.RENAME: {"code": _CODE, "name": _Argument(_is_text, _NAME)},
    OperationKind.SET_SIZE: {
        "code": _CODE,
        "households": _COUNT,
        "population": _COUNT,
        "size_reason": _Argument(_or_none(_is_text), _NAME, needed=False),
    },
}


def _unusable(kind: OperationKind, name: str, words: str, wanted: object) -> InvalidInput:
    return InvalidInput(
        "unusable_operation", f"{kind.value}: the argument {name} {words}", field=name, wanted=wanted
    )
