"""Grid codes: what they look like, how they nest, and how new ones are numbered.

A code is text of digits, 6 / 9 / 12 / 15 long by level, and starts with the code of its parent, so that
"all of this town" is one range of text. Sources: the division-code rules of the National Bureau of Statistics
(town and village parts 001-599) and DB11 unit grids (15 digits; numbered inside a community from west to east
and from north to south).
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from gis.errors import InvalidInput
from grids.rules.levels import CODE_LENGTH, GridLevel, parent_level

__all__ = [
    "CODE_PATTERN",
    "MOST_CHILDREN",
    "PREFIX_PATTERN",
    "check_code",
    "code_range",
    "follows",
    "level_of",
    "next_code",
    "number_children",
]

_DISTRICT = r"[0-9]{6}"
_DIVISION = r"(?!000)[0-5][0-9]{2}"
_CELL = r"(?!000)[0-9]{3}"

CODE_PATTERN: Mapping[GridLevel, re.Pattern[str]] = MappingProxyType(
    {
        GridLevel.DISTRICT: re.compile(_DISTRICT),
        GridLevel.TOWN: re.compile(_DISTRICT + _DIVISION),
        GridLevel.COMMUNITY: re.compile(_DISTRICT + _DIVISION + _DIVISION),
        # any twelve digits, as the standard writes it: the community part is judged at the community
        GridLevel.BUILDING_GROUP: re.compile(r"[0-9]{12}" + _CELL),
    }
)
"""What a code of each level looks like; use with `fullmatch`."""

PREFIX_PATTERN = re.compile(r"[0-9]{4}")
"""Province and prefecture: what a district code starts with."""

MOST_CHILDREN: Mapping[GridLevel, int] = MappingProxyType(
    {
        GridLevel.DISTRICT: 99,
        GridLevel.TOWN: 599,
        GridLevel.COMMUNITY: 599,
        GridLevel.BUILDING_GROUP: 999,
    }
)
"""How many areas of a level one parent (for districts: one four-digit prefix) has numbers for."""


def follows(code: str, level: GridLevel) -> bool:
    """Tell whether `code` is written as codes of `level` are."""
    return CODE_PATTERN[level].fullmatch(code) is not None


_KINDS: Mapping[GridLevel, tuple[int, ...]] = MappingProxyType(
    {
        GridLevel.TOWN: (1, 100, 200, 400),  # street offices, towns, townships, what is run like one
        GridLevel.COMMUNITY: (1, 200, 400, 500),  # residents' communities, villages, what is run like either
        GridLevel.BUILDING_GROUP: (1,),
    }
)
# where the numbers of each kind of area begin: the division codes of the National Bureau of Statistics


def check_code(code: str, level: GridLevel) -> str:
    """Return `code`, or raise `InvalidInput` (code `wrong_grid_code`) when it is none of `level`."""
    if not follows(code, level):
        raise InvalidInput(
            "wrong_grid_code",
            f"{code!r} is not a {level.value} code: wanted {CODE_LENGTH[level]} digits, "
            "each three-digit part from 001 on",
            field="code",
            got=code,
            wanted=CODE_PATTERN[level].pattern,
        )
    return code


def level_of(code: str) -> GridLevel:
    """Return the level that `code` belongs to by its length.

    Raises `InvalidInput` (`wrong_grid_code`) when it is a code of no level.
    """
    for level, length in CODE_LENGTH.items():
        if len(code) == length:
            check_code(code, level)
            return level
    raise InvalidInput(
        "wrong_grid_code",
        f"{code!r} is not a grid code: wanted 6, 9, 12 or 15 digits, got {len(code)} characters",
        field="code",
        got=code,
        wanted=sorted(CODE_LENGTH.values()),
    )


def code_range(code: str) -> tuple[str, str]:
    """Return (low, high) so that low <= c < high holds for exactly the codes that start with `code`.

    Compare as bytes: Python's `<` on text of digits, or `COLLATE "C"` in SQL. ":" is the character after "9".
    """
    return code, code + ":"


def next_code(parent_code: str, level: GridLevel, taken: Collection[str], *, like: str) -> str | None:
    """Return the code for one more child of a parent, or None when all numbers are taken.

    level : of the child, below the district. taken : codes in use, and those that were and stay retired.
    like : a code of that level, in any parent: the new one is of its kind (a village stays a village).
    The number follows the highest of its kind; when the kind has no more, the lowest free one is taken.
    """
    starts = [*_KINDS[level], MOST_CHILDREN[level] + 1]
    kind = max(row for row, start in enumerate(starts[:-1]) if start <= max(int(like[-3:]), 1))
    numbers = range(starts[kind], starts[kind + 1])

    def code(number: int) -> str:
        return f"{parent_code}{number:03d}"

    highest = max((number for number in numbers if code(number) in taken), default=numbers.start - 1)
    rest = [*range(highest + 1, numbers.stop), *numbers, *range(1, starts[-1])]
    return next((code(number) for number in rest if code(number) not in taken), None)


def number_children(
    parent_code: str, level: GridLevel, centroids_xy: Sequence[tuple[float, float]]
) -> list[str]:
    """Give codes to the children of one parent, as one reads a page: from the north, west to east.

    parent_code : the code above `level`; for districts the four digits of province and prefecture.
    centroids_xy : (x, y) of each child, x to the east and y to the north, in one unit of length.
    Returns the codes in the order of `centroids_xy`, sequence numbers 001, 002, ... (districts 01, 02, ...).

    The rule, so that anyone can number again and get the same. Let n centroids span a width W and a height H.
    As squares that fill this evenly they would have the side s with (W + s)(H + s) = n s s, and would stand in
    r = H / s + 1 rows, r rounded. So r rows are spread evenly from the northernmost to the southernmost
    centroid, and each child joins the nearest. Rows are numbered from the north, in a row from west to east,
    then from north to south, then in the order given. Children without a place (NaN) come last.
    Raises `InvalidInput`: `wrong_grid_code` when `parent_code` cannot hold children of `level`,
    `too_many_children` when the numbers do not suffice (`MOST_CHILDREN`).
    """
    upper = parent_level(level)
    if upper is not None:
        check_code(parent_code, upper)
    elif PREFIX_PATTERN.fullmatch(parent_code) is None:
        raise InvalidInput(
            "wrong_grid_code",
            f"{parent_code!r} cannot start a district code: wanted four digits (province, prefecture)",
            field="prefix",
            got=parent_code,
            wanted=PREFIX_PATTERN.pattern,
        )
    if len(centroids_xy) > MOST_CHILDREN[level]:
        raise InvalidInput(
            "too_many_children",
            f"{parent_code} has {len(centroids_xy)} areas of level {level.value}, "
            f"but codes for {MOST_CHILDREN[level]} only: divide it further up first",
            field="code",
            got=len(centroids_xy),
            wanted=MOST_CHILDREN[level],
            parent=parent_code,
        )
    width = CODE_LENGTH[level] - len(parent_code)
    codes = [""] * len(centroids_xy)
    for number, index in enumerate(_reading_order(centroids_xy), start=1):
        codes[index] = f"{parent_code}{number:0{width}d}"
    return codes


def _reading_order(points: Sequence[tuple[float, float]]) -> list[int]:
    placed = [i for i, (x, y) in enumerate(points) if math.isfinite(x) and math.isfinite(y)]
    if not placed:
        return list(range(len(points)))
    west, north = min(points[i][0] for i in placed), max(points[i][1] for i in placed)
    width, height = max(points[i][0] for i in placed) - west, north - min(points[i][1] for i in placed)
    grain = max(width, height) * 1e-9 or 1.0  # what the last digits of a centroid say is no order
    gaps = _row_gaps(len(placed), width, height)

    def place(index: int) -> tuple[int, int, int, float, float, int]:
        east, south = points[index][0] - west, north - points[index][1]
        row = round(south / height * gaps) if gaps else 0
        return row, round(east / grain), round(south / grain), east, south, index

    known = set(placed)
    return sorted(placed, key=place) + [i for i in range(len(points)) if i not in known]


def _row_gaps(count: int, width: float, height: float) -> int:
    """Return how many gaps there are between rows of `count` points on a square lattice of that extent."""
    if count < 2 or height <= 0:
        return 0
    both = width + height
    side = (both + math.sqrt(both * both + 4 * (count - 1) * width * height)) / (2 * (count - 1))
    return round(height / side)
