"""A map on a sheet of A4, as PNG or PDF: what map.js draws in a browser, with all that a sheet must say by itself.

Title, place and filters; the map in a projection of the place in metres, with a scale bar, the scale and north; the
legend with indicator, unit, n and marks; below it how the figures are counted, as of when, from where, by whom it was
taken away. Text in the PDF is text (TrueType, embedded as far as it is used), so it can be found and copied.

matplotlib is no library for several threads, and a sheet in pixels takes some 20 MB: one is drawn at a time.
"""

from __future__ import annotations

import io
import math
import threading
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf

from maps.base import Drawing, GridMap
from maps.palette import INK
from maps.paper.ground import Ground, nice_length
from maps.paper.ink import Box, Ink, box_path
from maps.paper.key import draw_key
from maps.paper.layers import Scene, draw_layers
from maps.paper.lettering import draw_names
from maps.paper.marks import svg_path
from maps.paper.typeface import typeface
from maps.words import Words

__all__ = ["SheetKind", "SheetWords", "draw_sheet"]

mpl.rcParams["pdf.fonttype"] = 42  # TrueType as it is: what is read back from the file is text

_WIDTH, _HEIGHT = 297 / 25.4 * 96, 210 / 25.4 * 96  # A4, in pixels of 96 to the inch
_DPI = 200  # of a picture: 2,338 by 1,654
_MARGIN = 38.0
_KEY_WIDTH = 250.0
_GREY, _LINE = "#4A515C", "#8E96A3"
_ONE_AT_A_TIME = threading.Lock()


class SheetKind(StrEnum):
    """What a sheet is made as."""

    PNG = "png"
    PDF = "pdf"


@dataclass(frozen=True)
class SheetWords:
    """What a sheet says beside its drawing. place : the area with those above it. mark : who took it, and when."""

    place: str = ""
    mark: str = ""
    made_at: datetime | None = None


def draw_sheet(
    m: GridMap, kind: SheetKind, *, font: Path, words: Words, said: SheetWords | None = None
) -> bytes:
    """Return a map as a file. font : with Chinese glyphs.

    Raises `Unavailable` ("font_missing") for a font that cannot be drawn with.
    """
    said = said or SheetWords()
    with _ONE_AT_A_TIME:
        ink = Ink(_WIDTH, _HEIGHT, typeface(font), as_picture=kind is SheetKind.PNG)
        _compose(ink, m.drawing, said, words)
        return _written(ink, m.drawing, kind, said)


def _written(ink: Ink, drawing: Drawing, kind: SheetKind, said: SheetWords) -> bytes:
    file = io.BytesIO()
    about: dict[str, Any] = {"Title": drawing.title, "Creator": "gridwhistle"}
    if kind is SheetKind.PDF:
        about |= {"Subject": drawing.subtitle.replace("\n", " · "), "CreationDate": said.made_at}
        FigureCanvasPdf(ink.figure)
        ink.figure.savefig(file, format="pdf", metadata={**about, "Producer": "gridwhistle"})
    else:
        FigureCanvasAgg(ink.figure)
        ink.figure.savefig(file, format="png", dpi=_DPI, metadata=about)
    return file.getvalue()


def _compose(ink: Ink, drawing: Drawing, said: SheetWords, words: Words) -> None:
    right = _WIDTH - _MARGIN
    top = _head(ink, drawing, said)
    low = _foot(ink, drawing, said, words)
    frame: Box = (_MARGIN, top, right - _KEY_WIDTH - 14, low)
    key: Box = (right - _KEY_WIDTH, top, right, low)
    # the scale stands below the ground: nobody's corner lies under it
    ground = Ground(drawing.view, (*frame[:3], _scale_box(frame)[1] + 8))
    scene = Scene(ink, ground, frame, near=_zoom(drawing, ground))
    ink.path(box_path(*frame), fill="#E7EAEE")
    ink.inside(frame)
    scene.taken += [_scale_box(frame), _north_box(frame)]
    draw_layers(scene, drawing.layers)
    draw_names(scene)
    _north(ink, ground, frame, words)
    _scale(ink, ground, frame, words)
    ink.inside(None)
    ink.path(box_path(*frame), edge=_LINE, width=1)
    draw_key(ink, drawing, key)


def _zoom(drawing: Drawing, ground: Ground) -> float:
    """Return map.js's zoom at which a pixel is as much ground as here."""
    latitude = math.radians((drawing.view[1] + drawing.view[3]) / 2)
    return math.log2(2 * math.pi * 6378137 * math.cos(latitude) / 256 / ground.metres)


def _head(ink: Ink, drawing: Drawing, said: SheetWords) -> float:
    """Write title, place and filters; return where the map may begin."""
    room = _WIDTH - 2 * _MARGIN
    y = _MARGIN + 16
    title = ink.face.cut(drawing.title, 22, room)
    wide = ink.text(_MARGIN, y, title, 22, bold=True)
    if said.place and said.place != drawing.title:
        if wide + 16 + ink.face.width(ink.face.shown(said.place), 15) <= room:
            ink.text(_WIDTH - _MARGIN, y, said.place, 15, colour=_GREY, align="right")
        else:
            y += 21
            ink.text(_MARGIN, y, ink.face.cut(said.place, 15, room), 15, colour=_GREY)
    subtitle = " · ".join(line for line in drawing.subtitle.splitlines() if line)
    if subtitle:
        for line in ink.face.lines(subtitle, 13.5, room)[:3]:
            y += 20
            ink.text(_MARGIN, y, line, 13.5, colour=_GREY)
    return y + 12


def _foot(ink: Ink, drawing: Drawing, said: SheetWords, words: Words) -> float:
    """Write how it is counted, as of when, from where, by whom; return where the map must end."""
    room = _WIDTH - 2 * _MARGIN
    bottom = _HEIGHT - _MARGIN + 12
    page = words("Page {page} of {pages}", page=1, pages=1)
    wide = ink.face.width(ink.face.shown(page), 11) + 16
    ink.text(_WIDTH - _MARGIN, bottom, page, 11, colour=_GREY, align="right")
    last = " · ".join([*drawing.credits, *([said.mark] if said.mark else [])])
    notes = " ".join(note.replace("\n", " ") for note in drawing.notes)
    lines = ink.face.lines(notes, 11, room) if notes else []
    lines += ink.face.lines(last, 11, room - wide) if last else []
    y = bottom - 15 * (len(lines) - 1)
    for place, line in enumerate(lines):
        ink.text(_MARGIN, y + 15 * place, line, 11, colour=_GREY)
    return y - 22


# ---- scale and north ---------------------------------------------------------------------------------------

_BAR = 150.0  # pixels that a scale bar has at most


def _scale_box(frame: Box) -> Box:
    return (frame[0] + 6, frame[3] - 48, frame[0] + _BAR + 56, frame[3] - 4)


def _scale(ink: Ink, ground: Ground, frame: Box, words: Words) -> None:
    """Draw a bar of a round number of metres, its half marked, and the scale of the printed sheet."""
    length = nice_length(_BAR * ground.metres)
    wide = length / ground.metres
    box = _scale_box(frame)
    left, y = box[0] + 14, box[3] - 14
    plate = box_path(box[0], box[1], left + wide + 44, box[3], 3)
    ink.path(plate, fill="#FFFFFF", alpha=0.9)
    ink.path(box_path(left, y, left + wide, y + 5), fill="#FFFFFF", edge=INK, width=1)
    ink.path(box_path(left, y, left + wide / 2, y + 5), fill=INK, edge=INK, width=1)
    kilometres = length >= 2000
    for share in (0.0, 0.5, 1.0):
        metres = length * share
        text = f"{metres / 1000:g}" if kilometres else f"{metres:g}"
        if share == 1.0:
            text += " km" if kilometres else " m"
        ink.text(left + wide * share, y - 4, text, 11, align="center" if share < 1 else "left")
    denominator = ground.metres / (25.4e-3 / 96)
    digits = 10 ** max(math.floor(math.log10(denominator)) - 2, 0)
    said = words("Scale 1 : {number} (A4)", number=f"{round(denominator / digits) * digits:,}")
    ink.text(left, y - 19, said, 11, colour=_GREY)


def _north_box(frame: Box) -> Box:
    return (frame[2] - 44, frame[1] + 6, frame[2] - 6, frame[1] + 62)


def _north(ink: Ink, ground: Ground, frame: Box, words: Words) -> None:
    """Draw an arrow to true north, which in a projection may lie a little beside the top."""
    from matplotlib.transforms import Affine2D

    left, top, right, bottom = _north_box(frame)
    ink.path(box_path(left, top, right, bottom, 3), fill="#FFFFFF", alpha=0.9)
    x = (left + right) / 2
    ink.text(x, top + 15, words("N"), 13, bold=True, align="center")
    turned = Affine2D().translate(-12, -15).rotate_deg(ground.turn).translate(x, top + 37)
    for half, fill in (("M12 0 4 28 12 21Z", INK), ("M12 0 20 28 12 21Z", "#FFFFFF")):
        ink.path(turned.transform_path(svg_path(half)), fill=fill, edge=INK, width=1)
