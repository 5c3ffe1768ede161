"""A page to draw on: text, outlines and marks in CSS pixels, y downwards, in the order in which they are drawn.

Everything is counted in the pixels of map.js (96 to the inch), so that a sheet and the browser's map agree on how
large a name or a mark is. Text stays text in a PDF: bold and halos are strokes below it. In a picture the letters
that have such strokes are outlines too, because the letters of its own are set on whole pixels, beside the strokes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.patheffects import Normal, Stroke
from matplotlib.text import Text
from matplotlib.transforms import Affine2D
from numpy.typing import NDArray

from maps.palette import INK
from maps.paper.typeface import Typeface

__all__ = ["Box", "Ink", "box_path", "disc_path"]

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""

_POINT = 0.75  # of a pixel
_GREEK = str.maketrans({"−": "-"})


class Ink:
    """A page of `width` times `height` pixels; `as_picture` where it becomes one."""

    def __init__(self, width: float, height: float, face: Typeface, *, as_picture: bool) -> None:
        self.width, self.height, self.face, self.as_picture = width, height, face, as_picture
        self.figure = Figure(figsize=(width / 96, height / 96), facecolor="white")
        self._axes: Axes = self.figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self._axes.set_axis_off()
        self._axes.set_xlim(0, width)
        self._axes.set_ylim(height, 0)
        self._clip: PathPatch | None = None
        self._frame: Box | None = None
        self._order = 0

    def inside(self, frame: Box | None) -> None:
        """Draw from now on only what lies in a frame; everywhere, for None."""
        self._clip, self._frame = None, frame
        if frame is not None:
            self._clip = PathPatch(box_path(*frame), transform=self._axes.transData)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        *,
        colour: str = INK,
        bold: bool = False,
        halo: float = 0.0,
        align: Literal["left", "center", "right"] = "left",
    ) -> float:
        """Write one line whose baseline lies at y; return how wide it runs. halo : its width round a letter."""
        shown = self.face.shown(text).translate(_GREEK)
        strokes = [(halo, "#FFFFFF")] * (halo > 0) + [(size / 22, colour)] * bold
        effects: list[Any] = [
            Stroke(linewidth=width * _POINT, foreground=ink, joinstyle="round", capstyle="round")
            for width, ink in strokes
        ]
        if effects:
            below = self._letters(x, y, shown, size, colour, align)
            below.set_path_effects([*effects, *([Normal()] if self.as_picture else [])])
        if not (effects and self.as_picture):
            self._letters(x, y, shown, size, colour, align)
        return self.face.width(shown, size)

    def _letters(self, x: float, y: float, shown: str, size: float, colour: str, align: Any) -> Text:
        made = Text(
            x,
            y,
            shown,
            color=colour,
            fontproperties=self.face.properties(size * _POINT),
            ha=align,
            va="baseline",
            parse_math=False,  # a dollar sign in a name is a dollar sign
        )
        self._add(made)
        return made

    def path(
        self,
        path: Path,
        *,
        fill: str = "none",
        edge: str = "none",
        width: float = 1.0,
        alpha: float = 1.0,
        dash: Sequence[float] | None = None,
        hatch: str | None = None,
        hatch_ink: str = INK,
        cap: Literal["butt", "round"] = "round",
    ) -> None:
        """Draw one outline, filled or not. dash : lengths on and off, in pixels."""
        patch = PathPatch(path, facecolor=fill, edgecolor=edge, linewidth=width * _POINT, alpha=alpha)
        patch.set_joinstyle("round")
        patch.set_capstyle(cap)
        if dash:
            patch.set_linestyle((0, [length / max(width, 0.1) for length in dash]))
        if hatch:
            patch.set_hatch(hatch)
            patch.set_hatchcolor(hatch_ink)
            patch.set_hatch_linewidth(_HATCH_LINE)
        self._add(patch)

    def paths(
        self,
        paths: Sequence[Path],
        *,
        fill: str | Sequence[str] = "none",
        edge: str | Sequence[str] = "none",
        width: float | NDArray[np.float64] = 1.0,
        alpha: float = 1.0,
        hatch: str | None = None,
        hatch_ink: str = INK,
        cap: Literal["butt", "round"] = "butt",
    ) -> None:
        """Draw many outlines, the first below; fill, edge and width may be one for all or of each."""
        if not paths:
            return
        made = PathCollection(
            list(paths),
            facecolors=_with_alpha(fill, alpha),
            edgecolors=_with_alpha(edge, alpha),
            linewidths=width * _POINT,
            joinstyle="round",
            capstyle=cap,
        )
        if hatch:
            made.set_hatch(hatch)
            made.set_hatchcolor(hatch_ink)
            made.set_hatch_linewidth(_HATCH_LINE)
        self._add(made)

    def dotted(self, paths: Sequence[Path], colour: str, *, alpha: float) -> None:
        """Lay the dots of a small sample over outlines, every other one between the two before it, as map.js does."""
        if not paths:
            return
        both = Path.make_compound_path(*paths)
        box = both.get_extents()
        step = _DOT_STEP
        x, y = np.meshgrid(
            np.arange(np.floor(box.x0 / step), np.ceil(box.x1 / step)) * step,
            np.arange(np.floor(box.y0 / step), np.ceil(box.y1 / step)) * step,
        )
        spots = np.concatenate([np.column_stack([x.ravel() + s, y.ravel() + s]) for s in (2.0, 6.0)])
        if self._frame is not None:
            left, top, right, bottom = self._frame
            inside = (
                (spots[:, 0] > left) & (spots[:, 0] < right) & (spots[:, 1] > top) & (spots[:, 1] < bottom)
            )
            spots = spots[inside]
        # One outline of them all: as marks they would be thousands of objects in a PDF, where readers give up.
        corners = np.vstack([_DOT, _DOT[:1]])
        codes = np.full(len(corners), Path.LINETO)
        codes[0], codes[-1] = Path.MOVETO, Path.CLOSEPOLY
        discs = (spots[:, None, :] + corners).reshape(-1, 2)
        made = PathPatch(
            Path(discs, np.tile(codes, len(spots))), facecolor=to_rgba(colour, alpha), edgecolor="none"
        )
        self._add(made)
        made.set_clip_on(True)
        made.set_clip_path(PathPatch(both, transform=self._axes.transData))

    def mark(
        self,
        path: Path,
        x: float,
        y: float,
        scale: float,
        *,
        fill: str = "none",
        edge: str = "none",
        width: float = 1.0,
        alpha: float = 1.0,
        cap: Literal["butt", "round"] = "round",
    ) -> None:
        """Draw an outline made in a small box of its own, with that box's corner at x, y; width in its units."""
        placed = Affine2D().scale(scale).translate(x, y).transform_path(path)
        self.path(placed, fill=fill, edge=edge, width=width * scale, alpha=alpha, cap=cap)

    def image(self, pixels: Any, box: Box) -> None:
        """Lay a picture (ny, nx, 4; bytes, the first row on top) into a box."""
        left, top, right, bottom = box
        made = AxesImage(
            self._axes, extent=(left, right, bottom, top), interpolation="nearest", origin="upper"
        )
        made.set_data(pixels)
        self._add(made)

    def _add(self, artist: Any) -> None:
        self._order += 1
        artist.set_zorder(self._order)
        artist.set_clip_on(False)
        self._axes.add_artist(artist)
        if self._clip is not None:
            artist.set_clip_on(True)
            artist.set_clip_path(self._clip)
        else:
            artist.set_clip_path(None)


_HATCH_LINE = 1.3  # points
_DOT_STEP = 8.0  # pixels
_DOT = np.array([(0.0, -1.1), (1.1, 0.0), (0.0, 1.1), (-1.1, 0.0)])  # so small that it looks round


def box_path(left: float, top: float, right: float, bottom: float, round_by: float = 0.0) -> Path:
    """Return the outline of a box, its corners cut round."""
    if not round_by:
        corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        return Path(corners, closed=True)
    turn = np.asarray(Path.arc(0, 90).vertices, dtype=float) * round_by
    parts = []
    for (x, y), angle in (
        ((right - round_by, bottom - round_by), 0),
        ((left + round_by, bottom - round_by), 90),
        ((left + round_by, top + round_by), 180),
        ((right - round_by, top + round_by), 270),
    ):
        parts.append(Affine2D().rotate_deg(angle).translate(x, y).transform(turn))
    vertices: list[Any] = []
    codes: list[Any] = []
    for part in parts:
        codes += [Path.LINETO if vertices else Path.MOVETO, *[Path.CURVE4] * (len(part) - 1)]
        vertices += part.tolist()
    return Path([*vertices, vertices[0]], [*codes, Path.CLOSEPOLY])


def disc_path(x: float, y: float, radius: float) -> Path:
    """Return a circle."""
    return Affine2D().scale(radius).translate(x, y).transform_path(Path.unit_circle())


def _with_alpha(colours: str | Iterable[str], alpha: float) -> Any:
    if isinstance(colours, str):
        return "none" if colours == "none" else [to_rgba(colours, alpha)]
    return np.array([to_rgba(colour, alpha) for colour in colours])
