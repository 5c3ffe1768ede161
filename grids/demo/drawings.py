"""Pictures for a made-up ledger: plainly drawn, and each says that it is an example (示例)."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw

__all__ = ["drawing"]

_SIZE = (960, 720)
_SKY, _WALL, _ROAD, _KERB = "#dce8f2", "#c9bfae", "#8a8f98", "#c4c8ce"
_WATER, _CAR, _POST, _INK = "#6f9fc8", "#b5483e", "#e0a030", "#5b6470"

# the two characters as strokes in a square of 100, so that no font has to be there
_SAMPLE: tuple[tuple[tuple[float, float], ...], ...] = (
    ((22, 18), (78, 18)),
    ((8, 42), (92, 42)),
    ((50, 42), (50, 92), (38, 84)),
    ((30, 58), (14, 80)),
    ((70, 58), (86, 80)),
    ((124, 10), (106, 48)),
    ((117, 34), (117, 94)),
    ((130, 20), (164, 20)),
    ((145, 20), (130, 52)),
    ((141, 38), (161, 38), (154, 68), (130, 94)),
    ((140, 56), (150, 66)),
    ((174, 26), (174, 66)),
    ((192, 10), (192, 92), (180, 84)),
)


def drawing(*, water: bool, treated: bool) -> bytes:
    """Return a drawn street as a PNG: water or cars where they do not belong, or neither once it is treated."""
    picture = Image.new("RGB", _SIZE, _SKY)
    pen = ImageDraw.Draw(picture)
    width, height = _SIZE
    for left, top in ((40, 150), (300, 90), (620, 190)):
        pen.rectangle((left, top, left + 230, 420), fill=_WALL)
        for x in range(left + 30, left + 200, 60):
            for y in range(top + 30, 380, 70):
                pen.rectangle((x, y, x + 30, y + 40), fill=_SKY)
    pen.polygon([(0, 470), (width, 470), (width, height), (0, height)], fill=_ROAD)
    pen.rectangle((0, 420, width, 470), fill=_KERB)
    for x in range(30, width, 160):
        pen.rectangle((x, 590, x + 80, 602), fill="white")
    {(True, False): _pool, (True, True): _drains, (False, False): _cars, (False, True): _posts}[
        water, treated
    ](pen)
    for stroke in _SAMPLE:
        at = [(width - 330 + 1.4 * x, 30 + 1.0 * y) for x, y in stroke]
        pen.line(at, fill=_INK, width=9, joint="curve")
    stored = io.BytesIO()
    picture.save(stored, "PNG")
    return stored.getvalue()


def _pool(pen: ImageDraw.ImageDraw) -> None:
    pen.ellipse((180, 490, 800, 690), fill=_WATER)
    for inset in (40, 90, 140):
        pen.arc((180 + inset, 490 + inset // 2, 800 - inset, 690 - inset // 2), 10, 80, fill="white", width=4)


def _drains(pen: ImageDraw.ImageDraw) -> None:
    for x in (430, 500):
        pen.rectangle((x, 476, x + 50, 500), fill=_INK)
        pen.line([(x + 8, 480), (x + 42, 480)], fill=_KERB, width=5)
        pen.line([(x + 8, 492), (x + 42, 492)], fill=_KERB, width=5)


def _cars(pen: ImageDraw.ImageDraw) -> None:
    for x in (110, 380, 650):
        pen.rounded_rectangle((x, 405, x + 210, 470), 16, fill=_CAR)
        pen.rounded_rectangle((x + 45, 370, x + 165, 420), 14, fill=_CAR)
        for wheel in (x + 35, x + 145):
            pen.ellipse((wheel, 450, wheel + 36, 486), fill=_INK)


def _posts(pen: ImageDraw.ImageDraw) -> None:
    for x in range(120, 880, 95):
        pen.rounded_rectangle((x, 400, x + 16, 478), 6, fill=_POST)
