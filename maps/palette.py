"""Colours, shapes and classes: what a colour on a map means, and nothing else may mean.

Two families that are never mixed. Urgency (red, orange, yellow, blue, green) colours markers only, always
with its own shape and its own character, so that it is read without colour. Areas are filled from hues
outside those five: plum for how many, slate for how long, brown to plum for what has changed; neighbouring
steps stay apart under the three colour-vision deficiencies. The two ends of a change are near each other for
some, so a triangle and a signed number say it too. Missing data is a diagonal hatch, a small sample is dotted,
zero is a step of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gis.errors import InvalidInput

__all__ = [
    "CHANGE",
    "FAULTS",
    "FEW_ANSWERS",
    "FEW_CASES",
    "INK",
    "NO_DATA",
    "OTHER_FAULT",
    "PATTERNS",
    "PLUM",
    "QUADRANTS",
    "SLATE",
    "URGENCIES",
    "Classes",
    "FaultMark",
    "Method",
    "Stage",
    "Urgency",
    "classify",
    "stage_of",
    "steps_of",
    "urgency_of",
]

PLUM = ("#F9F1F7", "#E3C3DC", "#C58FBB", "#96548F", "#4C1A4E")
SLATE = ("#F5F6F8", "#CDD2D9", "#9AA2AE", "#626C7A", "#2B3340")
CHANGE = ("#6B3F0E", "#D2B48C", "#F5F4F2", "#D9B3D0", "#6A2467")
"""Much less, less, as before, more, much more."""
QUADRANTS = (CHANGE[2], CHANGE[4], CHANGE[1], CHANGE[0], CHANGE[3])
"""By the quadrant of a local Moran: none beyond chance, high among high, low among high, low among low, high among
low."""
PATTERNS: Mapping[str, str] = {
    "new": "M12 5V19M5 12H19",
    "consecutive": "M7 18V12M12 18V9M17 18V6",
    "intensifying": "M6 13L12 6L18 13M6 19L12 12L18 19",
    "persistent": "M6 9H18M6 15H18",
    "diminishing": "M6 5L12 12L18 5M6 11L12 18L18 11",
    "sporadic": "M6 8H8M14 7H16M10 13H12M16 16H18M6 17H8",
    "oscillating": "M4.5 12L8 6.5L12 12L16 17.5L19.5 12",
    "historical": "M12 6V12L16 15M5 5L5 9L9 9",
}
"""How a hot or cold spot came about, and its sign: strokes in a box of 24. Hot on a dark disc, cold on a light one."""
NO_DATA = "#8A8A93"
INK = "#1B1B1F"

FEW_CASES = 10  # a rate that stands on fewer cases is dotted
FEW_ANSWERS = 10  # a median that stands on fewer answers is dotted

Method = Literal["fixed", "quantile"]
Stage = Literal["waiting", "working", "done"]


@dataclass(frozen=True)
class Urgency:
    """One grade: its marker's fill, the ink on that, and its shape. Character and name are words."""

    code: str
    fill: str
    ink: str
    shape: str


URGENCIES = (
    Urgency("red", "#C1121F", "#FFFFFF", "triangle"),
    Urgency("orange", "#E8830C", INK, "diamond"),
    Urgency("yellow", "#F4CF1B", INK, "square"),
    Urgency("blue", "#1B72CC", "#FFFFFF", "circle"),
    Urgency("green", "#0B7A4B", "#FFFFFF", "bar"),
)
_BY_CODE = {urgency.code: place for place, urgency in enumerate(URGENCIES)}


@dataclass(frozen=True)
class FaultMark:
    """How a kind of fault of a grid is shown: the colour, the hatch of its ground, the sign in its mark.

    Kinds of one family share a colour, outside the five of urgency; no two kinds share a sign.
    """

    fill: str
    hatch: str
    sign: str


FAULTS: Mapping[str, FaultMark] = {
    "invalid_ring": FaultMark("#1B1B1F", "cross", "ring"),
    "overlap": FaultMark("#96548F", "cross", "overlap"),
    "gap": FaultMark("#6B3F0E", "slant", "gap"),
    "child_outside_parent": FaultMark("#0F6B78", "upright", "outside"),
    "parent_not_covered": FaultMark("#0F6B78", "level", "uncovered"),
    "empty_geometry": FaultMark("#1B1B1F", "cross", "empty"),
    "wrong_geometry_type": FaultMark("#1B1B1F", "cross", "line"),
    "unreadable_geometry": FaultMark("#1B1B1F", "cross", "unreadable"),
    "too_many_vertices": FaultMark("#1B1B1F", "cross", "dots"),
    "duplicate_code": FaultMark("#4C1A4E", "slant", "twice"),
    "wrong_code": FaultMark("#4C1A4E", "slant", "number"),
    "not_child_of_parent": FaultMark("#4C1A4E", "slant", "branch"),
    "wrong_value": FaultMark("#626C7A", "level", "question"),
    "size_rule": FaultMark("#626C7A", "level", "people"),
    "misdeclared_frame": FaultMark("#2B3340", "upright", "frame"),
    "contradicted_frame": FaultMark("#2B3340", "upright", "text"),
}
"""By the value of `gis.faults.FaultKind`, in the order of the list."""

OTHER_FAULT = FaultMark("#626C7A", "level", "question")

# The states of an incident, as a reader of the map needs them: nobody on it yet, being handled, over.
_WAITING = frozenset({"reported", "to_verify", "accepted"})
_DONE = frozenset({"resolved", "verified", "closed", "rejected", "merged", "cancelled"})


def urgency_of(grade: str) -> int:
    """Return a grade's place in URGENCIES, 0 the most urgent. Raises `InvalidInput` for an unknown grade."""
    if grade not in _BY_CODE:
        wanted = ", ".join(_BY_CODE)
        raise InvalidInput(
            "unknown_grade", f"grade {grade!r} is not known; use one of {wanted}", field="grade", got=grade
        )
    return _BY_CODE[grade]


def stage_of(status: str) -> Stage:
    """Return how far an incident is; a status that is neither waiting nor over is work going on."""
    if status in _WAITING:
        return "waiting"
    return "done" if status in _DONE else "working"


@dataclass(frozen=True)
class Classes:
    """Steps of a choropleth, lowest first.

    edges : the lower edge of each step above zero, rising: a step holds edges[i] <= value < edges[i + 1], the
    last one has no upper edge. zero_alone : a first step before them holds zero and nothing else.
    method : how the edges came about, said on the legend.
    whole : the values are whole numbers, so that a step is written 1 - 3 rather than 1 - 4.
    """

    edges: tuple[float, ...]
    method: Method
    whole: bool
    zero_alone: bool = False

    def __len__(self) -> int:
        return len(self.edges) + self.zero_alone

    def of(self, values: ArrayLike) -> NDArray[np.int64]:
        """Return each value's step, -1 for NaN; a value under the lowest edge belongs to the lowest step."""
        array = np.asarray(values, dtype=np.float64)
        steps = np.searchsorted(np.array(self.edges), array, side="right") - 1
        steps = np.clip(steps, 0, None)
        if self.zero_alone:
            steps = np.where(array == 0, 0, steps + 1)
        return np.where(np.isnan(array), -1, steps).astype(np.int64)

    def labels(self, write: Callable[[float], str], *, from_zero: bool = True) -> list[str]:
        """Return the words of each step, numbers written by `write`.

        from_zero : the lowest step reads "0 - 2", because zero is a value that occurs; else "< 2".
        """
        words = [write(0.0)] if self.zero_alone else []
        for low, high in itertools.pairwise(self.edges):
            top = high - 1 if self.whole else high
            if low == 0 and (self.zero_alone or not from_zero):
                words.append(f"< {write(top)}")
            else:
                words.append(write(low) if top == low else f"{write(low)} – {write(top)}")
        return [*words, *(f"≥ {write(edge)}" if edge else "> 0" for edge in self.edges[-1:])]


def classify(
    values: ArrayLike,
    *,
    whole: bool,
    breaks: Sequence[float] | None = None,
    near: Callable[[float], float] | None = None,
    most: int = 5,
    zero: bool = False,
) -> Classes:
    """Cut values (n,), none below zero, into at most `most` steps; NaN is no data and takes no part.

    whole : values are counts. breaks : rising inner edges, for colours that can be compared over time. Without
    them quantiles are used, rounded by `near` to numbers that people can read (by default whole numbers for
    counts, else two figures that matter), and a zero keeps the lowest step to itself.
    zero : with breaks too a zero has a step of its own, whether one occurs or not.
    Raises `InvalidInput` when breaks do not rise, are not above zero or are more than `most` - 1 (or - 2, where
    zero has a step).
    """
    array = np.asarray(values, dtype=np.float64)
    known = array[np.isfinite(array)]
    if breaks is not None:
        inner = [float(edge) for edge in breaks]
        rising = all(low < high for low, high in itertools.pairwise([0.0, *inner]))
        alone = zero and not (whole and inner[:1] == [1.0])  # counts from 1 on leave zero alone as it is
        room = most - 1 - alone
        if not 0 < len(inner) <= room or not rising or not np.all(np.isfinite(inner)):
            wanted = f"1 to {room} rising numbers above zero"
            raise InvalidInput(
                "map_breaks", f"breaks must be {wanted}", field="breaks", got=inner, wanted=wanted
            )
        integral = whole and all(edge == round(edge) for edge in inner)
        return Classes((1.0 if alone and integral else 0.0, *inner), "fixed", integral, zero_alone=alone)
    above = known[known > 0]
    none = len(above) < len(known)
    if not len(above):
        return Classes((), "quantile", whole, zero_alone=none)
    near = near or (_whole_number if whole else _two_figures)
    steps = most - 1 if none else most
    first = 1.0 if whole and none else 0.0
    cuts = {near(float(cut)) for cut in np.quantile(above, [step / steps for step in range(1, steps)])}
    inner = sorted(cut for cut in cuts if above.min() < cut <= above.max())
    if not inner and not none:
        first = float(above.min())  # all about alike: one step, named by the least
    return Classes((first, *inner), "quantile", whole, zero_alone=none)


def steps_of(ramp: Sequence[str], count: int) -> tuple[str, ...]:
    """Return `count` colours spread over a ramp, lightest first."""
    if count >= len(ramp):
        return tuple(ramp)
    if count == 1:
        return (ramp[0],)
    return tuple(ramp[round(step * (len(ramp) - 1) / (count - 1))] for step in range(count))


def _whole_number(value: float) -> float:
    return float(round(value))


def _two_figures(value: float) -> float:
    return float(f"{value:.2g}")
