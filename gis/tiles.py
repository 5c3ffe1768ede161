"""The tiles of a web map: squares of the Mercator plane, halved at each zoom (the XYZ scheme, y from the north)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gis.errors import InvalidInput

__all__ = ["EXTENT", "MOST_ZOOM", "Tile"]

MOST_ZOOM = 22
"""A tile of this zoom is 10 m wide at the equator; nothing of a city is drawn finer."""

EXTENT = 4096
"""Units along the side of a tile, in which its geometry is counted (Mapbox Vector Tile 2.1)."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile. Raises `InvalidInput` ("bad_tile") for one that no map has."""

    z: int
    x: int
    y: int

    def __post_init__(self) -> None:
        if not 0 <= self.z <= MOST_ZOOM:
            raise InvalidInput(
                "bad_tile",
                f"z is 0 to {MOST_ZOOM}, got {self.z}",
                field="z",
                got=self.z,
                wanted=f"0 to {MOST_ZOOM}",
            )
        last = 2**self.z - 1
        for name, value in (("x", self.x), ("y", self.y)):
            if not 0 <= value <= last:
                raise InvalidInput(
                    "bad_tile",
                    f"at zoom {self.z}, {name} is 0 to {last}, got {value}",
                    field=name,
                    got=value,
                    wanted=f"0 to {last}",
                )

    def box(self, buffer: int = 0) -> tuple[float, float, float, float]:
        """Return west, south, east, north in degrees, wider by `buffer` units of the tile on each side."""
        margin = buffer / EXTENT
        tiles = 2**self.z
        west, east = ((self.x + side) / tiles * 360 - 180 for side in (-margin, 1 + margin))
        north, south = (_latitude((self.y + side) / tiles) for side in (-margin, 1 + margin))
        return max(west, -180.0), south, min(east, 180.0), north

    def edges(self, parts: int) -> tuple[list[float], list[float]]:
        """Return the degrees of the lines that cut the tile into `parts` each way: longitudes eastwards, latitudes
        southwards, `parts` + 1 of each. Neighbouring tiles have the very same number for the edge that they share.
        """
        tiles = 2**self.z
        steps = [step / parts for step in range(parts + 1)]
        return (
            [(self.x + step) / tiles * 360 - 180 for step in steps],
            [_latitude((self.y + step) / tiles) for step in steps],
        )


def _latitude(down: float) -> float:
    """Return the latitude of a place in the square of the whole world, 0 at its northern edge and 1 at its southern."""
    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * down))))
