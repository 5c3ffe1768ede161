"""The legend of a sheet, in a column: what each colour and mark of the drawing stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.path import Path

from maps.base import Drawing
from maps.palette import INK
from maps.paper import stamps
from maps.paper.ink import Box, Ink, box_path, disc_path
from maps.paper.layers import OUTLINES, cell_fill

__all__ = ["SWATCHES", "draw_key"]

_SIZE, _HEADING, _NOTE = 13.0, 13.5, 12.0
_GREY, _RULE = "#4A515C", "#CDD2D9"
_SMALLEST = 0.62  # to which a long legend is made smaller


def draw_key(ink: Ink, drawing: Drawing, box: Box) -> float:
    """Write the legend from the top of a box, smaller where it is long; return where it ends."""
    scale = 1.0
    while scale > _SMALLEST and _Key(ink, drawing, box, scale, dry=True).draw() > box[3]:
        scale *= 0.94
    return _Key(ink, drawing, box, scale, dry=False).draw()


class _Key:
    """One run over the legend; a dry run only measures."""

    def __init__(self, ink: Ink, drawing: Drawing, box: Box, scale: float, *, dry: bool) -> None:
        self.ink, self.drawing, self.scale, self.dry = ink, drawing, scale, dry
        self.left, self.y, self.right = box[0], box[1], box[2]
        painted = next((layer for layer in drawing.layers if layer.get("fills")), {})
        self.fills: Sequence[str] = painted.get("fills", [])
        marked = next((layer for layer in drawing.layers if layer.get("urgencies")), {})
        self.urgencies: Sequence[Mapping[str, Any]] = marked.get("urgencies", [])

    def draw(self) -> float:
        parts = [*self.drawing.legend, *_of_faults(self.drawing)]
        for place, part in enumerate(parts):
            if place:
                self._rule()
            if part["title"]:
                self._lines(part["title"], _HEADING, bold=True)
                self.y += 3 * self.scale
            if part.get("choices"):
                self._choices(part["choices"])
            self._items(part["items"], 2 if part.get("across") else 1)
            if part.get("note"):
                self.y += 3 * self.scale
                self._lines(part["note"], _NOTE, colour=_GREY)
        return self.y

    def _rule(self) -> None:
        self.y += 8 * self.scale
        if not self.dry:
            line = Path([(self.left, self.y), (self.right, self.y)])
            self.ink.path(line, edge=_RULE, width=1)
        self.y += 8 * self.scale

    def _lines(self, text: str, size: float, *, bold: bool = False, colour: str = INK) -> None:
        size *= self.scale
        for line in self.ink.face.lines(text, size, self.right - self.left):
            self.y += size * 1.42
            if not self.dry:
                self.ink.text(self.left, self.y - size * 0.32, line, size, bold=bold, colour=colour)

    def _items(self, items: Sequence[Mapping[str, Any]], columns: int) -> None:
        room = (self.right - self.left) / columns
        column = 0
        for item in items:
            if item.get("wide") and column:
                self.y += self._high(items)
                column = 0
            left = self.left + column * room
            wide = self.right - left if item.get("wide") else room
            self._item(item, left, wide)
            column += 1
            if item.get("wide") or column == columns:
                self.y += self._tall(item, wide)
                column = 0
        if column:
            self.y += self._high(items)

    def _high(self, items: Sequence[Mapping[str, Any]]) -> float:
        return max(self._tall(item, (self.right - self.left) / 2) for item in items[-1:])

    def _texts(self, item: Mapping[str, Any], wide: float) -> list[str]:
        size = _SIZE * self.scale
        return self.ink.face.lines(str(item["text"]), size, wide - 44 * self.scale)

    def _tall(self, item: Mapping[str, Any], wide: float) -> float:
        marks = 34.0 if item["swatch"] in ("recurrence", "cluster", "urgency", "sign") else 25.0
        return max(marks * self.scale, len(self._texts(item, wide)) * _SIZE * self.scale * 1.36 + 4)

    def _item(self, item: Mapping[str, Any], left: float, wide: float) -> None:
        if self.dry:
            return
        tall, size = self._tall(item, wide), _SIZE * self.scale
        SWATCHES[item["swatch"]](self, item, left, self.y + tall / 2)
        texts = self._texts(item, wide)
        y = self.y + tall / 2 - (len(texts) - 1) * size * 0.68 + size * 0.36
        for line in texts:
            self.ink.text(left + 42 * self.scale, y, line, size)
            y += size * 1.36

    def _choices(self, choices: Mapping[str, Any]) -> None:
        """Write what could be chosen between as a table; the first is what the map shows."""
        size = 11.0 * self.scale
        columns = choices["columns"]
        side = (self.right - self.left) * 0.4
        step = (self.right - self.left - side) / max(len(columns), 1)
        rows = [["", *(column["title"] for column in columns)]]
        rows += [["", *(column["note"] for column in columns)], *choices["rows"]]
        for place, (name, *values) in enumerate(rows):
            names = self.ink.face.lines(name, size, side - 4) if name else [""]
            cells = [self.ink.face.lines(str(value), size, step - 4) for value in values]
            deep = max(len(names), *(len(cell) for cell in cells))
            for column, lines in enumerate([names, *cells]):
                for depth, line in enumerate(lines):
                    y = self.y + size * (1.1 + 1.3 * depth)
                    x = self.left if not column else self.left + side + step * column
                    if not self.dry and line:
                        self.ink.text(
                            x,
                            y,
                            line,
                            size,
                            bold=column == 1 or place == 0,
                            colour=INK if column else _GREY,
                            align="right" if column else "left",
                        )
            self.y += size * (1.3 * deep + 0.45)

    # ---- swatches: each round the middle y, from left on -----------------------------------------------

    def _plate(self, left: float, y: float) -> Path:
        return box_path(left + 1, y - 9 * self.scale, left + 33 * self.scale, y + 9 * self.scale)

    def fill(self, item: Mapping[str, Any], left: float, y: float) -> None:
        self.ink.path(self._plate(left, y), fill=item["fill"], edge="#6E6876", width=0.8)

    def hatched(self, item: Mapping[str, Any], left: float, y: float) -> None:
        step = -1 if item["swatch"] == "nodata" else int(item["step"])
        cell_fill(self.ink, [self._plate(left, y)], self.fills, step, small=True)
        self.ink.path(self._plate(left, y), edge="#6E6876", width=0.8)

    def bounded(self, item: Mapping[str, Any], left: float, y: float) -> None:
        looks = {
            "own": (stamps.DISC, 3.4, "#FFFFFF"),
            "faded": ("#A3ABB8", 1.2, "#F4F5F7"),
            "plan": (stamps.DISC, 1.8, "#FFFFFF"),
            "plain": ("#8E96A3", 1.2, "#FFFFFF"),
        }
        edge, width, fill = looks[item["swatch"]]
        self.ink.path(self._plate(left, y), fill=fill, edge=edge, width=width)

    def lined(self, item: Mapping[str, Any], left: float, y: float) -> None:
        for colour, width, opacity, dash in OUTLINES[item["swatch"]][1:]:
            self.ink.path(
                self._plate(left, y), fill="#FFFFFF", edge=colour, width=width, alpha=opacity, dash=dash
            )

    def dot(self, _item: Mapping[str, Any], left: float, y: float) -> None:
        discs = [disc_path(left + x * self.scale, y, r) for x, r in ((8, 3), (16, 4.5), (26, 6))]
        self.ink.paths(discs, fill=INK, alpha=0.42)

    def barrier(self, _item: Mapping[str, Any], left: float, y: float) -> None:
        line = Path([(left + 1, y), (left + 33 * self.scale, y)])
        self.ink.path(line, edge=stamps.RING, width=4, dash=(9, 6), cap="butt")

    def urgency(self, item: Mapping[str, Any], left: float, y: float) -> None:
        scale = 0.78 * self.scale
        x = left + 17 * self.scale - 16 * scale
        stamps.symbol(self.ink, self.urgencies[item["step"]], None, x, y - 16 * scale, scale)

    def state(self, item: Mapping[str, Any], left: float, y: float) -> None:
        scale = 1.3 * self.scale
        stamps.badge(self.ink, item["badge"], left + 17 * self.scale - 6 * scale, y - 6 * scale, scale)

    def recurrence(self, item: Mapping[str, Any], left: float, y: float) -> None:
        scale = 0.72 * self.scale
        stamps.bubble(self.ink, item["icon"], "", left + 17 * self.scale - 16 * scale, y - 21 * scale, scale)

    def cluster(self, item: Mapping[str, Any], left: float, y: float) -> None:
        scale = 0.74 * self.scale
        x = left + 17 * self.scale - 22 * scale
        stamps.cluster(self.ink, item["count"], item["letter"], x, y - 22 * scale, scale)

    def sign(self, item: Mapping[str, Any], left: float, y: float) -> None:
        scale = self.scale
        stamps.sign(self.ink, item["sign"], item["hot"], left + 5 * scale, y - 12 * scale, scale)

    def fault(self, item: Mapping[str, Any], left: float, y: float) -> None:
        scale = 0.85 * self.scale
        x = left + 17 * self.scale - 13 * scale
        stamps.fault(self.ink, item["kind"], item["error"], x, y - 13 * scale, scale)


def _of_faults(drawing: Drawing) -> list[dict[str, Any]]:
    """Return the kinds of faults as a part of the legend; in the browser they head the list."""
    parts = []
    for layer in drawing.layers:
        if layer["kind"] == "faults":
            items = [
                {
                    "swatch": "fault",
                    "kind": kind,
                    "error": kind["errors"] > 0,
                    "text": f"{kind['text']} ({kind['errors'] + kind['warnings']:,})",
                }
                for kind in layer["kinds"]
            ]
            parts.append({"title": layer["words"]["kinds"], "layer": None, "items": items, "note": ""})
    return parts


SWATCHES: Mapping[str, Callable[[_Key, Mapping[str, Any], float, float], None]] = {
    "badge": _Key.state,
    "barrier": _Key.barrier,
    "cluster": _Key.cluster,
    "cold": _Key.lined,
    "dot": _Key.dot,
    "dots": _Key.hatched,
    "faded": _Key.bounded,
    "fault": _Key.fault,
    "fill": _Key.fill,
    "hot": _Key.lined,
    "nodata": _Key.hatched,
    "own": _Key.bounded,
    "plain": _Key.bounded,
    "plan": _Key.bounded,
    "recurrence": _Key.recurrence,
    "sign": _Key.sign,
    "urgency": _Key.urgency,
}
"""Every swatch that a part of a legend may hold."""
