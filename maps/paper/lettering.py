"""Names on a sheet: at most sixty, one's own cell first, then the widest; none on a mark or on another name."""

from __future__ import annotations

from maps.palette import INK
from maps.paper.ink import Box
from maps.paper.layers import Label, Scene

__all__ = ["MOST_NAMES", "draw_names"]

MOST_NAMES = 60
_FULL_NAMES_FROM = 15  # zoom of map.js from which names are written whole
_QUIET = "#5A6270"


def draw_names(scene: Scene) -> int:
    """Write the names that find room by the rules of map.js; return how many."""
    left, top, right, bottom = frame = scene.frame
    inside = [one for one in scene.labels if left < one.x < right and top < one.y < bottom]
    inside.sort(key=lambda one: (not one.first, one.quiet, -one.room))
    written = 0
    for label in inside:
        if written == MOST_NAMES:
            break
        written += _write(scene, label, frame)
    return written


def _write(scene: Scene, label: Label, frame: Box) -> bool:
    size = 14.0 if label.first else 12.5
    whole = scene.near >= _FULL_NAMES_FROM or label.first
    for name in [label.name, label.short] if whole else [label.short]:
        most = label.room * (3 if label.first else 1.45)
        wide = scene.ink.face.width(scene.ink.face.shown(name), size) / 2 + 2
        if wide > most or label.room < 8:
            continue
        value = scene.ink.face.width(label.value, size) / 2 + 2 if label.value else float("inf")
        two = label.room > 17 and value <= most
        half, high = (max(wide, value), 17.0) if two else (wide, 8.5)
        spot = next((at for at in _spots(label) if _is_free(scene, frame, *at, half, high)), None)
        if spot is None:
            continue
        x, y = spot
        scene.taken.append((x - half, y - high, x + half, y + high))
        colour = _QUIET if label.quiet else INK
        first = y - 4 if two else y + 4.5
        scene.ink.text(x, first, name, size, bold=not label.quiet, halo=3.5, align="center", colour=colour)
        if two and label.value:
            scene.ink.text(x, y + 13, label.value, size, halo=3.5, align="center", colour=colour)
        return True
    return False


def _spots(label: Label) -> list[tuple[float, float]]:
    """Return the middle first, then above, below and aside, as far as the widest circle allows."""
    x, y, room = label.x, label.y, label.room
    moves = [(0.0, 0.0), (0.0, -0.5), (0.0, 0.5), (-0.4, 0.0), (0.4, 0.0), (0.0, -0.8), (0.0, 0.8)]
    return [(x + room * right, y + room * down) for right, down in moves]


def _is_free(scene: Scene, frame: Box, x: float, y: float, half: float, high: float) -> bool:
    left, top, right, bottom = frame
    if not (left + 2 < x - half and x + half < right - 2 and top < y - high and y + high < bottom):
        return False
    return all(
        x + half < box[0] or x - half > box[2] or y + high < box[1] or y - high > box[3]
        for box in scene.taken
    )
