"""The marks of a map, stamped on a sheet: cases, recurrent places, faults, and several of them at one place.

Each is drawn in the box that map.js gives it; x and y are the corner of that box, scale its size over the box's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.path import Path
from matplotlib.transforms import Affine2D
from numpy.typing import NDArray

from maps.palette import INK
from maps.paper.ink import Ink, box_path, disc_path
from maps.paper.marks import BADGES, ERROR, ICONS, SHAPES, SIGNS, WARNING, svg_path

__all__ = [
    "DISC",
    "RING",
    "badge",
    "bubble",
    "cluster",
    "fault",
    "faults_here",
    "ring",
    "sign",
    "signs",
    "symbol",
]

DISC, RING = "#1F3A5F", "#0F6B78"
_WHITE = "#FFFFFF"


def symbol(
    ink: Ink, urgency: Mapping[str, Any], state: str | None, x: float, y: float, scale: float = 1.0
) -> None:
    """Stamp a case into a box of 34: its urgency as shape, colour and letter, its state as a badge."""
    path = svg_path(SHAPES[urgency["shape"]])
    ink.mark(path, x, y, scale, edge=_WHITE, width=5.5)
    ink.mark(path, x, y, scale, fill=urgency["fill"], edge=INK, width=1.4)
    low = urgency["shape"] == "triangle"
    ink.text(
        x + 16 * scale,
        y + (25.2 if low else 21.4) * scale,
        str(urgency["letter"]),
        (13 if low else 15) * scale,
        colour=urgency["ink"],
        bold=True,
        align="center",
    )
    if state:
        badge(ink, state, x + 22 * scale, y + 22 * scale, 1.25 * scale)


def badge(ink: Ink, state: str, x: float, y: float, scale: float = 1.0) -> None:
    """Stamp the badge of a state into a box of 12."""
    for letters, fill, edge, width in BADGES[state]:
        ink.mark(svg_path(letters), x, y, scale, fill=fill, edge=edge, width=width, cap="butt")


def bubble(ink: Ink, icon: str, text: str, x: float, y: float, scale: float = 1.0) -> None:
    """Stamp a recurrent place into a box of 58 by 42, its tip at (16, 41): its kind, and how often."""
    ink.mark(svg_path("M16 41 11 29.5H21Z"), x, y, scale, fill=RING, edge=_WHITE, width=1.5)
    ink.mark(disc_path(16, 16, 15.5), x, y, scale, fill=_WHITE)
    ink.mark(disc_path(16, 16, 13.5), x, y, scale, fill=_WHITE, edge=RING, width=3.2)
    ink.mark(svg_path(ICONS.get(icon, ICONS["loop"])), x, y, scale, fill=RING)
    if text:
        wide = 6 + ink.face.width(text, 12.5)
        plate = box_path(26, 1, 28 + wide, 19, 9)
        ink.mark(plate, x, y, scale, fill=RING, edge=_WHITE, width=1.5)
        at = x + (27 + wide / 2) * scale
        ink.text(at, y + 14.4 * scale, text, 12.5 * scale, colour=_WHITE, bold=True, align="center")


def ring(ink: Ink, x: float, y: float, scale: float = 1.0) -> None:
    """Stamp a recurrent place that has no room, into a box of 24."""
    ink.mark(disc_path(12, 12, 7.5), x, y, scale, fill=_WHITE)
    ink.mark(disc_path(12, 12, 5), x, y, scale, fill=_WHITE, edge=RING, width=3)


def cluster(ink: Ink, count: int, letter: str, x: float, y: float, scale: float = 1.0) -> None:
    """Stamp several cases into a box of 44: how many, and the letter of the worst."""
    ink.mark(disc_path(22, 22, 20.5), x, y, scale, fill=_WHITE)
    ink.mark(disc_path(22, 22, 18.5), x, y, scale, fill=DISC, edge=INK, width=1)
    size = (11 if count > 99 else 13) * scale
    text = f"{count}·{letter}"
    ink.text(x + 22 * scale, y + 26.6 * scale, text, size, colour=_WHITE, bold=True, align="center")


def fault(ink: Ink, kind: Mapping[str, Any], error: bool, x: float, y: float, scale: float = 1.0) -> None:
    """Stamp a fault of a grid into a box of 26: an octagon for an error, a hexagon for a warning."""
    path = svg_path(ERROR if error else WARNING)
    ink.mark(path, x, y, scale, fill=_WHITE, edge=_WHITE, width=4)
    ink.mark(path, x, y, scale, fill=kind["fill"] if error else _WHITE, edge=kind["fill"], width=2)
    sign = svg_path(SIGNS.get(kind["sign"], SIGNS["question"]))
    inner = 0.8 * scale
    colour = _WHITE if error else kind["fill"]
    ink.mark(sign, x + 3.4 * scale, y + 3.4 * scale, inner, edge=colour, width=2.3)


def faults_here(ink: Ink, count: int, error: bool, x: float, y: float, scale: float = 1.0) -> None:
    """Stamp several faults into a box of 34."""
    ink.mark(disc_path(17, 17, 16.5), x, y, scale, fill=_WHITE)
    ink.mark(disc_path(17, 17, 14), x, y, scale, fill=DISC if error else _WHITE, edge=DISC, width=2)
    size, colour = (10.5 if count > 99 else 12.5) * scale, _WHITE if error else DISC
    ink.text(x + 17 * scale, y + 21.4 * scale, str(count), size, colour=colour, bold=True, align="center")


def signs(
    ink: Ink, strokes: Sequence[str], hot: Sequence[bool], at: NDArray[np.float64], scale: float = 1.0
) -> None:
    """Stamp signs of patterns into boxes of 24 round (n, 2) points: dark discs for hot spots, light ones for cold.

    strokes : of each sign; "" for the disc alone, where it is too small for more. All at once, as there are thousands.
    """

    def sized(path: Path, size: float) -> Path:
        return Affine2D().translate(-12, -12).scale(size).transform_path(path)

    edge, disc = sized(disc_path(12, 12, 12), scale), sized(disc_path(12, 12, 10.5), scale)
    drawn = {letters: sized(svg_path(letters), 0.74 * scale) for letters in set(strokes) - {""}}
    parts: list[tuple[Path, str, str, float]] = []
    for spot, letters, warm in zip(at, strokes, hot, strict=True):
        ground, line = (INK, _WHITE) if warm else (_WHITE, INK)
        own = [(edge, _WHITE, "none", 0.0), (disc, ground, INK, 1.4)]
        own += [(drawn[letters], "none", line, 2.6 * 0.74)] if letters else []
        parts += [
            (Path(np.asarray(path.vertices) + spot, path.codes), fill, edge_ink, width)
            for path, fill, edge_ink, width in own
        ]
    if parts:
        paths, fills, edges, widths = zip(*parts, strict=True)
        ink.paths(paths, fill=fills, edge=edges, width=np.array(widths) * scale, cap="round")


def sign(ink: Ink, letters: str, hot: bool, x: float, y: float, scale: float = 1.0) -> None:
    """Stamp the sign of a pattern into a box of 24."""
    signs(ink, [letters], [hot], np.array([[x + 12 * scale, y + 12 * scale]]), scale)
