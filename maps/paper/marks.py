"""The marks of a map as outlines: shapes of urgency, signs of recurrent places and of faults, badges.

They are written as in api/static/map.js and faults.js, in SVG's letters, and are the same; a test holds them
equal. `svg_path` reads the part of those letters that occurs: M L H V C A Z in absolute coordinates, with round
arcs only (SVG 1.1, 8.3).
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

import numpy as np
from matplotlib.path import Path
from matplotlib.transforms import Affine2D

__all__ = ["BADGES", "ERROR", "ICONS", "SHAPES", "SIGNS", "WARNING", "svg_path"]

SHAPES = {
    "triangle": "M16 2.5 30 28.5H2Z",
    "diamond": "M16 1.5 30.5 16 16 30.5 1.5 16Z",
    "square": "M4 4H28V28H4Z",
    "circle": "M16 3A13 13 0 1 1 15.99 3Z",
    "bar": "M1 7.5H31V24.5H1Z",
}
ICONS = {
    "drop": "M16 7.5C19.5 12 22 15 22 18.6A6 6 0 0 1 10 18.6C10 15 12.5 12 16 7.5Z",
    "parking": "M11.5 8H17.6A5.2 5.2 0 0 1 17.6 18.4H14.7V24H11.5ZM14.7 11V15.4H17.3A2.2 2.2 0 0 0 17.3 11Z",
    "bin": "M10.5 11.5H21.5L20.4 24H11.6ZM9.5 8.6H13.4L14.2 7.2H17.8L18.6 8.6H22.5V10.2H9.5Z",
    "loop": "M16 8.2A7.8 7.8 0 1 0 23.8 16H21A5 5 0 1 1 16 11V14.2L21.6 9.6 16 5Z",
}
SIGNS = {
    "ring": "M6 7L18 17V7L6 17Z",
    "overlap": "M5 6.5H14V15.5H5ZM10 9.5H19V18.5H10Z",
    "gap": "M4.5 7H9.5L8 12 9.5 17H4.5ZM14.5 7H19.5V17H14.5L16 12Z",
    "outside": "M4.5 6.5H13V17.5H4.5ZM9 12H20M16.5 8.5 20 12 16.5 15.5",
    "uncovered": "M5 6H19V18H5ZM5 12H19M12 12V18",
    "empty": "M12 5.5A6.5 6.5 0 1 1 11.9 5.5ZM7.5 16.5 16.5 7.5",
    "line": "M5 17 10 8 14 15 19 7",
    "unreadable": "M6 6 18 18M18 6 6 18",
    "dots": "M6 8H6.1M12 6H12.1M18 8H18.1M6 14H6.1M12 12H12.1M18 14H18.1M9 18H9.1M15 18H15.1",
    "twice": "M6 7H12V17H6ZM14 7H19V17H14",
    "number": "M9 6 8 18M16 6 15 18M5.5 10H19M5 14.5H18.5",
    "branch": "M12 5.5V11M6 18V13H18V18M12 11V13M4.5 18H7.5M16.5 18H19.5",
    "question": "M8.5 9A3.5 3.5 0 1 1 12 12.5V14.5M12 18V18.1",
    "people": "M9 10.5A2.4 2.4 0 1 1 9.1 10.5M4.8 18C4.8 13 13.2 13 13.2 18M16 11A2 2 0 1 1 16.1 11M15.8 14"
    "C18 14 19.4 15.4 19.4 18",
    "frame": "M12 5V19M5 12H19M7.5 7.5 16.5 16.5",
    "text": "M6 7.5H18M6 12H18M6 16.5H13",
}
ERROR = "M8.3 2H17.7L24 8.3V17.7L17.7 24H8.3L2 17.7V8.3Z"
WARNING = "M13 1.5 23.4 7.3V18.7L13 24.5 2.6 18.7V7.3Z"

BADGES = {
    # each stroke: path, fill, edge, width; circles as two arcs
    "waiting": [("M6 1A5 5 0 1 1 5.99 1Z", "#FFFFFF", "#1B1B1F", 1.6)],
    "working": [
        ("M6 1A5 5 0 1 1 5.99 1Z", "#FFFFFF", "#1B1B1F", 1.6),
        ("M6 1A5 5 0 0 1 6 11Z", "#1B1B1F", "none", 0.0),
    ],
    "done": [
        ("M6 1A5 5 0 1 1 5.99 1Z", "#FFFFFF", "#626C7A", 1.2),
        ("M3.4 6.2 5.3 8.1 8.7 4.2", "none", "#626C7A", 1.7),
    ],
    "late": [
        ("M6 0.6A5.4 5.4 0 1 1 5.99 0.6Z", "#1B1B1F", "#FFFFFF", 1.0),
        ("M6 3V6.8M6 8.3V9.6", "none", "#FFFFFF", 1.7),
    ],
}

_TOKEN = re.compile(r"[MLHVCAZ]|-?\d*\.?\d+")
_LENGTHS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "A": 7}


@lru_cache(maxsize=256)
def svg_path(letters: str) -> Path:
    """Return the path that a `d` attribute says. Raises `ValueError` for letters that do not occur here."""
    tokens = _TOKEN.findall(letters)
    vertices: list[tuple[float, float]] = []
    codes: list[int] = []
    x = y = 0.0
    start = (0.0, 0.0)
    letter, at = "", 0
    while at < len(tokens):
        if tokens[at].isalpha():
            letter = tokens[at]
            at += 1
        if letter == "Z":
            vertices.append(start)
            codes.append(int(Path.CLOSEPOLY))
            x, y = start
            continue
        if letter not in _LENGTHS:
            raise ValueError(f"{letters!r} begins with no letter of a path")
        values = [float(token) for token in tokens[at : at + _LENGTHS[letter]]]
        at += _LENGTHS[letter]
        if letter == "A":
            arc = _arc((x, y), (values[5], values[6]), values[0], bool(values[3]), bool(values[4]))
            vertices += arc
            codes += [int(Path.CURVE4)] * len(arc)
        elif letter == "C":
            vertices += [(values[0], values[1]), (values[2], values[3]), (values[4], values[5])]
            codes += [int(Path.CURVE4)] * 3
        else:
            spot = {"H": (values[0], y), "V": (x, values[0])}.get(letter) or (values[0], values[1])
            vertices.append(spot)
            codes.append(int(Path.MOVETO if letter == "M" else Path.LINETO))
            if letter == "M":
                start, letter = spot, "L"  # further pairs after M are lines
        x, y = vertices[-1]
    return Path(vertices, codes)


def _arc(
    begin: tuple[float, float], end: tuple[float, float], radius: float, large: bool, sweep: bool
) -> list[tuple[float, float]]:
    """Return the control points of a round arc (SVG 1.1, F.6.5), without its begin."""
    (x1, y1), (x2, y2) = begin, end
    half = math.hypot(x2 - x1, y2 - y1) / 2
    radius = max(radius, half)
    away = math.sqrt(max(radius**2 - half**2, 0.0)) * (1 if large != sweep else -1)
    middle = ((x1 + x2) / 2, (y1 + y2) / 2)
    cx = middle[0] - away * (y2 - y1) / (2 * half)
    cy = middle[1] + away * (x2 - x1) / (2 * half)
    first, last = math.degrees(math.atan2(y1 - cy, x1 - cx)), math.degrees(math.atan2(y2 - cy, x2 - cx))
    if sweep:
        last += 360.0 if last < first else 0.0
        unit = Path.arc(first, last)
    else:
        first += 360.0 if first < last else 0.0
        unit = Path.arc(last, first)
    drawn = np.asarray(Affine2D().scale(radius).translate(cx, cy).transform(unit.vertices))
    drawn = drawn if sweep else drawn[::-1]
    return [(float(px), float(py)) for px, py in drawn[1:]]
