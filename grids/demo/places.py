"""Where something is, in words: roads and house numbers, villages, and the spots that everybody knows."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from grids.demo.ground import Ground
from grids.demo.happenings import Spot, Terrain
from grids.demo.luck import Luck
from grids.demo.names import road_names
from grids.demo.patterns import BRIDGE

__all__ = ["GARAGE", "Gazetteer", "spot_names"]

GARAGE = "升平巷车库"
"""Where the barbecue is, in the street office in the middle."""

_ROADS = 14
_SIDES = ("村东", "村西", "村南", "村北", "村委会旁", "进村路口", "河道边", "田间路")


class Gazetteer:
    """Addresses of a made-up city."""

    def __init__(self, ground: Ground, random: np.random.Generator) -> None:
        self._names: dict[str, str] = dict(zip(ground.areas["code"], ground.areas["name"], strict=True))
        self._roads = {
            code: road_names(name, _ROADS, random)
            for code, name in self._names.items()
            if len(code) == len("990101001")
        }

    def area(self, code: str) -> str:
        """Return the name of an area."""
        return self._names[code]

    def road(self, cell: str, number: int = 0) -> str:
        """Return a road in a cell's neighbourhood; each cell has a few of its own."""
        roads = self._roads[cell[:9]]
        return roads[(crc32(cell.encode()) + number) % len(roads)]

    def address(self, cell: str, luck: Luck) -> str:
        """Return an address in a cell: a house number in a street, a side of a village."""
        community = self._names[cell[:12]]
        if community.endswith("村"):
            return community + luck.pick(_SIDES)
        return f"{self.road(cell, luck.number(3))}{1 + luck.number(180)}号"


def spot_names(spots: Sequence[Spot], terrain: Terrain, gazetteer: Gazetteer) -> list[str]:
    """Return what people call the spots, each name once."""
    names: list[str] = []
    for spot in spots:
        place = int(terrain.cell_of(np.array([spot.lon]), np.array([spot.lat]))[0])
        cell = terrain.codes[place]
        if spot.kind is BRIDGE or spot.kind.times < 20:
            stems = [gazetteer.road(cell, number) for number in range(_ROADS)]
        else:
            stems = [gazetteer.area(cell[:9])[:2], *(gazetteer.area(cell[:12])[:2],), gazetteer.road(cell)]
        options = [stem + spot.kind.name for stem in stems]
        free = [name for name in options if name not in names]
        names.append(free[0] if free else f"{options[0]}{len(names)}")
    return names
