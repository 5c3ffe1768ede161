"""Where incidents lie dense: a smooth surface of so many per square kilometre, and the bands of it for a map."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import shapely
from contourpy import FillType, contour_generator
from numpy.typing import ArrayLike, NDArray
from scipy.signal import oaconvolve
from shapely.geometry import MultiPolygon

from gis.errors import InvalidInput

__all__ = ["MOST_SQUARES", "Band", "Surface", "bands", "kernel_density", "round_breaks"]

Floats = NDArray[np.float64]

MOST_SQUARES = 16_000_000
"""Squares that a surface may have: 40 x 40 km in squares of 10 m."""

_REACH = 4.0  # bandwidths: of a normal curve 6 in 100,000 lie beyond, and are given back to the rest
_FEWEST_SQUARES = 2.0  # a bandwidth: with fewer the squares show instead of the curve


@dataclass(frozen=True)
class Surface:
    """A density in squares. It reaches past its bounds as far as incidents in them do, so that none is cut off."""

    x0: float
    """West edge, metres in the CRS of the points."""
    y0: float
    """South edge, metres."""
    cell_m: float
    """Side of a square."""
    values: Floats
    """(ny, nx), weight per square metre as a mean over each square, rows from south to north."""
    n: int
    """Points that count: those within the bounds."""

    @property
    def per_km2(self) -> Floats:
        """The density per square kilometre, (ny, nx), which is what legends say."""
        return self.values * 1e6

    @property
    def total(self) -> float:
        """What the surface holds in all: the weight of its points."""
        return float(self.values.sum() * self.cell_m**2)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in metres, for an image of the squares."""
        rows, columns = self.values.shape
        return self.x0, self.y0, self.x0 + columns * self.cell_m, self.y0 + rows * self.cell_m


class Band(NamedTuple):
    """The ground where the density lies between two breaks."""

    low: float
    """Per square kilometre, included."""
    high: float
    """Per square kilometre; infinite in the last band."""
    area: MultiPolygon
    """In the CRS of the points."""


def kernel_density(
    x_m: ArrayLike,
    y_m: ArrayLike,
    bounds: tuple[float, float, float, float],
    cell_m: float,
    bandwidth_m: float,
    weights: ArrayLike | None = None,
) -> Surface:
    """Spread each incident over its surroundings, and add up.

    x_m, y_m : (n,) metres in a projected CRS; those outside `bounds` do not count.
    bounds : west, south, east, north. cell_m : side of the squares that the answer is in.
    bandwidth_m : standard deviation of the normal curve, at least two squares; about two thirds of an incident lie
    within it along each axis, nothing beyond four of it. A disc of radius r (the "search radius" of quartic
    kernels) is about as smooth as a bandwidth of r / 2.65.
    weights : (n,) 0 or more; by default each point counts 1.
    Returns a surface that holds exactly the weight of its points. Near the border of the district it is too low by
    what happens outside and is not known here.
    Raises `InvalidInput` when lengths differ, a coordinate is not finite, a weight is below 0 or not finite, bounds,
    square or bandwidth make no sense, or there were more than `MOST_SQUARES` squares.
    Source: Silverman (1986), Density Estimation, chapter 4; by linear binning and convolution after Wand (1994),
    Journal of Computational and Graphical Statistics 3(4), 433-445.
    """
    west, south, east, north = bounds
    _check_squares(bounds, cell_m, bandwidth_m)
    x, y, weight = _checked(x_m, y_m, weights)
    inside = (x >= west) & (x <= east) & (y >= south) & (y <= north)
    if not inside.all():
        x, y = x[inside], y[inside]
        weight = weight if weight is None else weight[inside]
    # One square more on each side: a point is shared among the four squares whose middles lie about it.
    columns, rows = (int(np.ceil((far - near) / cell_m)) + 2 for near, far in ((west, east), (south, north)))
    binned = _binned(x - west + cell_m, y - south + cell_m, weight, cell_m, (rows, columns))
    curve = _curve(bandwidth_m / cell_m)
    reach = curve.size // 2
    _check_size((rows + 2 * reach) * (columns + 2 * reach))
    values = oaconvolve(oaconvolve(binned, curve[:, None]), curve[None, :])
    values[values < _noise(values)] = 0.0
    held = values.sum()
    if held > 0:
        values *= binned.sum() / (held * cell_m**2)
    margin = (reach + 1) * cell_m
    return Surface(west - margin, south - margin, cell_m, values, int(inside.sum()))


def _noise(values: Floats) -> float:
    # A transform leaves rounding of either sign where nothing is; no single incident is as small as this.
    return float(values.max(initial=0.0)) * 1e-12


def _curve(bandwidth: float) -> Floats:
    """Return the weights of a normal curve by squares, of a sum of 1."""
    reach = int(np.ceil(_REACH * bandwidth))
    curve: Floats = np.exp(-0.5 * (np.arange(-reach, reach + 1) / bandwidth) ** 2)
    curve /= curve.sum()
    return curve


def _binned(x: Floats, y: Floats, weight: Floats | None, cell_m: float, shape: tuple[int, int]) -> Floats:
    """Share each point among the four squares whose middles lie about it, so that its place is kept."""
    across, up = x / cell_m - 0.5, y / cell_m - 0.5
    column, row = across.astype(np.int64), up.astype(np.int64)
    east, north = across - column, up - row
    corner = row * shape[1] + column
    size = shape[0] * shape[1]
    squares = np.zeros(size)
    for down, right, share in (
        (0, 0, (1 - east) * (1 - north)),
        (0, 1, east * (1 - north)),
        (1, 0, (1 - east) * north),
        (1, 1, east * north),
    ):
        squares += np.bincount(
            corner + (down * shape[1] + right), share if weight is None else share * weight, size
        )
    return squares.reshape(shape)


def round_breaks(surface: Surface, classes: int = 5) -> tuple[float, ...]:
    """Return round limits per square kilometre, lowest first, for `bands`: at most `classes` of them.

    Each is 1, 2 or 5 times a power of ten, about half the next, so that both the centre and the outskirts show; the
    highest lies below the peak. A surface with nothing on it has none.
    """
    peak = float(surface.per_km2.max(initial=0.0))
    if peak <= 0:
        return ()
    power = int(np.floor(np.log10(peak)))
    steps = [digit * 10.0**at for at in range(power - classes, power + 1) for digit in (1, 2, 5)]
    return tuple(step for step in steps if step < peak)[-classes:]


def bands(surface: Surface, breaks: ArrayLike) -> list[Band]:
    """Return the ground between each of the `breaks` and the next, and above the last, as areas for a map.

    breaks : rising, above 0, per square kilometre. Bands where nothing lies are left out; what lies below the lowest
    break is in none. Areas of neighbouring bands meet along the same line.
    Raises `InvalidInput` (bad_breaks) for limits that do not rise from above 0.
    """
    limits = np.asarray(breaks, dtype=np.float64)
    if limits.ndim != 1 or not np.all(np.isfinite(limits) & (limits > 0)) or np.any(np.diff(limits) <= 0):
        raise InvalidInput(
            "bad_breaks",
            "the limits of classes must rise from above 0, each beyond the one before",
            field="breaks",
            wanted="rising numbers above 0",
        )
    rows, columns = surface.values.shape
    lines = contour_generator(
        surface.x0 + (np.arange(columns) + 0.5) * surface.cell_m,
        surface.y0 + (np.arange(rows) + 0.5) * surface.cell_m,
        surface.per_km2,
        fill_type=FillType.OuterOffset,
    )
    found = []
    for low, high in zip(limits, np.append(limits, np.inf)[1:], strict=True):
        areas = [_polygon(points, offsets) for points, offsets in zip(*lines.filled(low, high), strict=True)]
        if areas:
            found.append(Band(float(low), float(high), MultiPolygon(areas)))
    return found


def _polygon(points: Floats, offsets: NDArray[np.uint32]) -> shapely.Polygon:
    rings = [points[start:end] for start, end in pairwise(offsets)]
    return shapely.Polygon(rings[0], rings[1:])


def _check_squares(bounds: tuple[float, float, float, float], cell_m: float, bandwidth_m: float) -> None:
    west, south, east, north = bounds
    if not (np.isfinite(bounds).all() and west < east and south < north):
        raise InvalidInput(
            "bad_bounds",
            f"bounds must be west, south, east, north in metres, but are {tuple(bounds)}",
            field="bounds",
            got=[str(edge) for edge in bounds],
        )
    if not 0 < cell_m < np.inf:
        raise InvalidInput(
            "square_out_of_range",
            f"cell_m must be above 0 metres, but is {cell_m}",
            field="cell_m",
            got=str(cell_m),
        )
    if not _FEWEST_SQUARES * cell_m <= bandwidth_m < np.inf:
        raise InvalidInput(
            "bandwidth_out_of_range",
            f"bandwidth_m must be at least two squares, {_FEWEST_SQUARES * cell_m:g} metres, but is {bandwidth_m}",
            field="bandwidth_m",
            got=str(bandwidth_m),
            wanted=_FEWEST_SQUARES * cell_m,
        )
    reach = 2 * np.ceil(_REACH * bandwidth_m / cell_m) + 3
    _check_size(((east - west) / cell_m + reach) * ((north - south) / cell_m + reach))


def _check_size(squares: float) -> None:
    if squares > MOST_SQUARES:
        raise InvalidInput(
            "too_many_squares",
            f"the surface would have {squares:,.0f} squares, but may have {MOST_SQUARES:,}: choose larger ones",
            field="cell_m",
            got=int(squares),
            wanted=MOST_SQUARES,
        )


def _checked(
    x_m: ArrayLike, y_m: ArrayLike, weights: ArrayLike | None
) -> tuple[Floats, Floats, Floats | None]:
    x, y = np.asarray(x_m, dtype=np.float64), np.asarray(y_m, dtype=np.float64)
    weight = None if weights is None else np.asarray(weights, dtype=np.float64)
    for field, values in (("x_m", x), ("y_m", y), ("weights", weight)):
        if values is None:
            continue
        if values.ndim != 1 or values.shape != x.shape:
            raise InvalidInput(
                "lengths_differ",
                f"{field} must be as long as x_m, {x.shape}, but is {values.shape}",
                field=field,
                got=list(values.shape),
                wanted=list(x.shape),
            )
        broken = ~np.isfinite(values) | ((values < 0) & (field == "weights"))
        if broken.any():
            raise InvalidInput(
                "count_not_finite" if field == "weights" else "coordinate_not_finite",
                f"{field} must be a finite number, a weight 0 or more, but {int(broken.sum())} of {x.size} are not",
                field=field,
                count=int(broken.sum()),
            )
    return x, y, weight
