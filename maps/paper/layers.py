"""The layers of a drawing on a sheet: each kind as map.js draws it, in the same colours, sizes and order.

Nothing can be clicked on paper, so what map.js keeps for a click is left out: cards, links, lists. Marks that would
lie on each other become one, by the rules of map.js.
"""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.path import Path
from numpy.typing import NDArray
from PIL import Image

from maps.palette import INK, NO_DATA
from maps.paper import stamps
from maps.paper.ground import Ground
from maps.paper.ink import Box, Ink, disc_path

__all__ = [
    "FAULT_HATCHES",
    "KINDS",
    "LOOKS",
    "OUTLINES",
    "Label",
    "Look",
    "Scene",
    "cell_fill",
    "draw_layers",
]

_SHORT, _VALUE, _OUTLINE, _SPOT, _STEP, _FLAGS = 2, 3, 4, 5, 6, 7  # of a row of cells
_SMALL = 1
_CLUSTER, _TOGETHER = 46.0, 24.0  # pixels within which marks become one
_NO_DATA_HATCH = "/////"
_WHOLE_SIGN, _LEAST_SIGN, _LEAST_DISC = 12.0, 7.0, 3.0  # pixels across half a sign: whole, still read, a disc


@dataclass(frozen=True)
class Look:
    """How the outline of a cell is drawn; `fill` of None is by step."""

    edge: str
    width: float
    opacity: float
    fill: str | None = None
    fill_opacity: float = 1.0


LOOKS: Mapping[str, Look] = {
    "area": Look("#6E6876", 0.7, 0.85, None, 0.94),
    "plain": Look("#8E96A3", 0.8, 0.9, "#FFFFFF", 0.95),
    "own": Look("#5B6B82", 1.0, 0.9, "#FFFFFF", 1.0),
    "plan": Look(stamps.DISC, 1.8, 0.9, "#FFFFFF", 0.95),
    "clear": Look("#6E6876", 0.8, 0.75, "#FFFFFF", 0.0),
    "faded": Look("#A3ABB8", 1.0, 0.8, "#F4F5F7", 0.75),
}
OUTLINES: Mapping[str, Sequence[tuple[str, float, float, tuple[float, float] | None]]] = {
    "hot": [("#FFFFFF", 5.5, 0.95, None), (INK, 2.6, 1.0, None)],
    "cold": [("#FFFFFF", 5.5, 0.95, None), (INK, 2.6, 1.0, (7.0, 4.0))],
    "own": [("#FFFFFF", 8.0, 0.9, None), (stamps.DISC, 4.0, 1.0, None)],
}
"""Strokes of a line round several cells: colour, width, opacity, dashes."""
FAULT_HATCHES = {"cross": "xxx", "slant": "///", "upright": "|||", "level": "---"}


@dataclass(frozen=True)
class Label:
    """A cell's name, and where it has most room: centre and radius in pixels."""

    name: str
    short: str
    value: str | None
    x: float
    y: float
    room: float
    quiet: bool
    first: bool


@dataclass
class Scene:
    """A map that is being drawn: where, on what ground, and what is taken already.

    near : how far the map is in by map.js's zoom, to which its rules refer.
    """

    ink: Ink
    ground: Ground
    frame: Box
    near: float
    labels: list[Label] = field(default_factory=list)
    taken: list[Box] = field(default_factory=list)
    bubbles: list[Box] = field(default_factory=list)


def draw_layers(scene: Scene, layers: Sequence[Mapping[str, Any]]) -> None:
    """Draw what is shown at first, the last layer on top. Raises `KeyError` for a kind that is not in `KINDS`."""
    shown = [layer for layer in layers if not layer.get("hidden")]
    for layer in shown:
        if layer["kind"] == "recurrences":
            scene.bubbles += [one.edges for one in _bubbles(scene, layer)[0]]
    for layer in _in_order(shown):
        KINDS[layer["kind"]](scene, layer)


def _in_order(layers: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return layers as they lie: ground, lines above it, then marks, of which recurrent places lie on top."""
    height = {"signs": 1, "incidents": 2, "faults": 2, "recurrences": 3, "dots": 1, "lines": 1}
    return sorted(layers, key=lambda layer: height.get(layer["kind"], 0))


def _cells(scene: Scene, layer: Mapping[str, Any]) -> None:
    rows, look = layer["rows"], LOOKS[layer["look"]]
    paths = scene.ground.outlines([row[_OUTLINE] for row in rows])
    alike: dict[tuple[int, bool], list[Path]] = defaultdict(list)
    for row, path in zip(rows, paths, strict=True):
        key = (int(row[_STEP]), bool(row[_FLAGS] & _SMALL)) if look.fill is None else (0, False)
        alike[key].append(path)
    for (step, small), some in alike.items():
        if look.fill is not None:
            scene.ink.paths(some, fill=look.fill, alpha=look.fill_opacity)
        else:
            cell_fill(scene.ink, some, layer["fills"], step, small=small, alpha=look.fill_opacity)
    for (step, _), some in alike.items():
        dark = look.fill is None and step >= 0 and is_dark(layer["fills"][step])
        edge, opacity = ("#FFFFFF", 0.6) if dark else (look.edge, look.opacity)
        scene.ink.paths(some, edge=edge, width=look.width, alpha=opacity)
    _remember_names(scene, layer)


def cell_fill(
    ink: Ink, paths: Sequence[Path], fills: Sequence[str], step: int, *, small: bool, alpha: float = 1.0
) -> None:
    """Fill outlines of one step: hatched without data (step below 0), dotted on a small sample."""
    if step < 0:
        ink.paths(paths, fill="#FFFFFF", hatch=_NO_DATA_HATCH, hatch_ink=NO_DATA)
        return
    ink.paths(paths, fill=fills[step], alpha=alpha)
    if small:
        dark = is_dark(fills[step])
        ink.dotted(paths, "#FFFFFF" if dark else INK, alpha=0.75 if dark else 0.5)


def is_dark(colour: str) -> bool:
    """Tell whether light ink reads better on a colour (its lightness by ITU-R BT.601 is below a half)."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue < 128


def _remember_names(scene: Scene, layer: Mapping[str, Any]) -> None:
    rows = layer["rows"]
    spots = scene.ground.spots([row[_SPOT] for row in rows])
    edges = scene.ground.spots([[row[_SPOT][0], row[_SPOT][1] + row[_SPOT][2]] for row in rows])
    for row, (x, y), edge in zip(rows, spots, edges, strict=True):
        scene.labels.append(
            Label(
                str(row[1]),
                str(row[_SHORT] or row[1]),
                row[_VALUE],
                float(x),
                float(y),
                float(abs(y - edge[1])),
                quiet=layer["look"] == "faded",
                first=layer["look"] == "own",
            )
        )


def _outline(scene: Scene, layer: Mapping[str, Any]) -> None:
    for path in scene.ground.outlines([layer["outline"]]):
        for colour, width, opacity, dash in OUTLINES[layer["look"]]:
            scene.ink.path(path, edge=colour, width=width, alpha=opacity, dash=dash, cap="butt")


def _borders(scene: Scene, layer: Mapping[str, Any]) -> None:
    paths = scene.ground.outlines(layer["shapes"])
    scene.ink.paths(paths, edge="#3E4A5C", width=layer["weight"], alpha=0.85)


def _dots(scene: Scene, layer: Mapping[str, Any]) -> None:
    spots = scene.ground.spots(layer["dots"])
    discs = [disc_path(x, y, dot[2] / 10) for (x, y), dot in zip(spots, layer["dots"], strict=True)]
    scene.ink.paths(discs, fill=INK, alpha=0.42)


def _lines(scene: Scene, layer: Mapping[str, Any]) -> None:
    for line in layer["lines"]:
        path = Path(scene.ground.spots(line))
        scene.ink.path(path, edge=stamps.RING, width=4, alpha=0.85, dash=(10, 8), cap="butt")


# ---- cases -------------------------------------------------------------------------------------------------


@dataclass
class _Together:
    at: NDArray[np.float64]
    members: list[tuple[Mapping[str, Any], NDArray[np.float64]]]


def _incidents(scene: Scene, layer: Mapping[str, Any]) -> None:
    """Draw cases; those that would lie on each other are one disc with their number and the worst among them."""
    order = sorted(range(len(layer["rows"])), key=lambda place: layer["rows"][place]["urgency"])
    rows = [layer["rows"][place] for place in order]
    spots = scene.ground.spots([row["at"] for row in rows])
    found: list[_Together] = []
    for row, at in zip(rows, spots, strict=True):
        home = next((one for one in found if np.hypot(*(one.at - at)) < _CLUSTER), None)
        if home is None:
            found.append(_Together(at, [(row, at)]))
        else:
            home.members.append((row, at))
    urgencies = layer["urgencies"]
    alone = [one for one in found if len(one.members) == 1]
    for one in reversed(alone):
        row, (x, y) = one.members[0]
        stamps.symbol(scene.ink, urgencies[row["urgency"]], row["badge"], x - 16, y - 16)
        scene.taken.append((x - 20, y - 20, x + 20, y + 20))
    marked = [one.at for one in alone]
    for one in found:
        if len(one.members) == 1:
            continue
        free = [
            at for _, at in one.members if all(np.hypot(*(at - other)) > _CLUSTER - 4 for other in marked)
        ]
        spot = next((at for at in free if not _covered(scene, at)), free[0] if free else one.at)
        marked.append(spot)
        worst = urgencies[one.members[0][0]["urgency"]]
        x, y = spot
        stamps.cluster(scene.ink, len(one.members), worst["letter"], x - 22, y - 22)
        scene.taken.append((x - 20, y - 20, x + 20, y + 20))


def _covered(scene: Scene, at: NDArray[np.float64]) -> bool:
    x, y = at
    return any(b[0] - 14 < x < b[2] + 14 and b[1] - 14 < y < b[3] - 4 for b in scene.bubbles)


# ---- recurrent places --------------------------------------------------------------------------------------


@dataclass
class _Bubble:
    row: Mapping[str, Any]
    edges: Box
    hidden: int = 0


def _bubbles(scene: Scene, layer: Mapping[str, Any]) -> tuple[list[_Bubble], list[tuple[float, float]]]:
    """Return which recurrent places have room for a bubble, the worst first, and where small rings are."""
    rows = sorted(layer["rows"], key=lambda row: -row["times"])
    shown: list[_Bubble] = []
    small: list[tuple[float, float]] = []
    for row, (x, y) in zip(rows, scene.ground.spots([row["at"] for row in rows]).tolist(), strict=True):
        edges = (x - 17, y - 42, x + 40 + 7.4 * len(str(row["times"])), y)
        if all(_apart(edges, other.edges) for other in shown):
            shown.append(_Bubble(row, edges))
            continue
        over = next((one for one in shown if _lies_under(one.edges, x, y)), None)
        if over is None:
            small.append((x, y))
        else:
            over.hidden += 1
    return shown, small


def _recurrences(scene: Scene, layer: Mapping[str, Any]) -> None:
    """Draw recurrent places; one that another hides altogether is counted on it, "×9 +1", others are small rings."""
    shown, small = _bubbles(scene, layer)
    for x, y in small:
        stamps.ring(scene.ink, x - 12, y - 12)
        scene.taken.append((x - 9, y - 9, x + 9, y + 9))
    for one in reversed(shown):
        left, top, _, bottom = one.edges
        text = f"×{one.row['times']}" + (f" +{one.hidden}" if one.hidden else "")
        stamps.bubble(scene.ink, one.row["icon"], text, left + 1, bottom - 41)
        scene.taken.append((left - 1, top, left + 43 + 7.4 * len(text), bottom + 2))


def _apart(one: Box, other: Box) -> bool:
    return one[2] < other[0] or one[0] > other[2] or one[3] < other[1] or one[1] > other[3]


def _lies_under(box: Box, x: float, y: float) -> bool:
    return box[0] - 8 < x < box[2] + 8 and box[1] - 8 < y < box[3] + 4


def _image(scene: Scene, layer: Mapping[str, Any]) -> None:
    """Lay a picture on the ground: as it is stored, its rows are even on a web map (Mercator) of its box."""
    west, south, east, north = layer["box"]
    stored = np.asarray(_picture(layer["image"]))
    left, top, right, bottom = scene.frame
    step = 0.5  # of a pixel
    x, y = np.meshgrid(np.arange(left, right, step) + step / 2, np.arange(top, bottom, step) + step / 2)
    degrees = scene.ground.to_degrees(np.column_stack([x.ravel(), y.ravel()]))
    high, low, at = (_mercator(np.asarray(latitude)) for latitude in (north, south, degrees[:, 1]))
    across = np.floor((degrees[:, 0] - west) / (east - west) * stored.shape[1]).astype(int)
    down = np.floor((high - at) / (high - low) * stored.shape[0]).astype(int)
    inside = (across >= 0) & (across < stored.shape[1]) & (down >= 0) & (down < stored.shape[0])
    drawn = np.zeros((len(x.ravel()), 4), dtype=np.uint8)
    drawn[inside] = stored[down[inside], across[inside]]
    wide, tall = x.shape[1] * step, x.shape[0] * step
    scene.ink.image(drawn.reshape(*x.shape, 4), (left, top, left + wide, top + tall))


def _picture(address: str) -> Image.Image:
    kind, _, data = address.partition(",")
    if kind != "data:image/png;base64":
        raise ValueError("a picture of a drawing is a PNG within it")
    return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA")


def _mercator(latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.arcsinh(np.tan(np.radians(latitude))))


def _signs(scene: Scene, layer: Mapping[str, Any]) -> None:
    """Draw how hot and cold spots came about: a sign on each cell, as large as cells have room for."""
    room = float(np.median([label.room for label in scene.labels])) if scene.labels else _WHOLE_SIGN
    half = max(_LEAST_DISC, min(_WHOLE_SIGN, room))
    at = scene.ground.spots(layer["spots"])
    strokes = [layer["signs"][spot[2]] if half >= _LEAST_SIGN else "" for spot in layer["spots"]]
    stamps.signs(scene.ink, strokes, [bool(spot[3]) for spot in layer["spots"]], at, half / _WHOLE_SIGN)
    scene.taken += [(x - half, y - half, x + half, y + half) for x, y in at]


# ---- faults of a grid --------------------------------------------------------------------------------------


def _faults(scene: Scene, layer: Mapping[str, Any]) -> None:
    """Draw each fault's ground and its mark; marks that would lie on each other are one disc with their number."""
    kinds = layer["kinds"]
    shaped = [row for row in layer["rows"] if row["shape"]]
    for row, path in zip(shaped, scene.ground.outlines([row["shape"] for row in shaped]), strict=True):
        kind = kinds[row["kind"]]
        dash = None if row["error"] else (6.0, 4.0)
        scene.ink.path(path, fill="#FFFFFF", alpha=0.35)
        hatch = FAULT_HATCHES.get(kind["hatch"], "///")
        scene.ink.path(path, edge=kind["fill"], width=2.2, dash=dash, hatch=hatch, hatch_ink=kind["fill"])
    placed = [row for row in layer["rows"] if row["at"]]
    found: list[tuple[NDArray[np.float64], list[Mapping[str, Any]]]] = []
    for row, at in zip(placed, scene.ground.spots([row["at"] for row in placed]), strict=True):
        home = next((rows for spot, rows in found if np.hypot(*(spot - at)) < _TOGETHER), None)
        if home is None:
            found.append((at, [row]))
        else:
            home.append(row)
    for (x, y), rows in found:
        if len(rows) == 1:
            stamps.fault(scene.ink, kinds[rows[0]["kind"]], rows[0]["error"], x - 13, y - 13)
        else:
            stamps.faults_here(scene.ink, len(rows), any(row["error"] for row in rows), x - 17, y - 17)
        scene.taken.append((x - 17, y - 17, x + 17, y + 17))


KINDS: Mapping[str, Callable[[Scene, Mapping[str, Any]], None]] = {
    "borders": _borders,
    "cells": _cells,
    "dots": _dots,
    "faults": _faults,
    "image": _image,
    "incidents": _incidents,
    "lines": _lines,
    "outline": _outline,
    "recurrences": _recurrences,
    "signs": _signs,
}
"""Every kind of layer that a `maps.base.Drawing` may hold."""
