"""The ground of a made-up city: districts, towns, communities and cells that tile it, with codes and people.

Cells are drawn first and joined upwards, so every level has exactly the edges of the one below. Small cells
lie in the middle of each district, where the street offices are, large ones outside. The place is somewhere in
the north of China and the county codes are of a province that does not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely.geometry import MultiPolygon

from gis.borders import degree_in_metres
from gis.crs import STORAGE_SRID, metric_crs
from gis.geometry import as_multipolygon
from grids.demo.scales import Size
from grids.demo.tessellation import spread, tessellate
from grids.rules.codes import number_children
from grids.rules.levels import CODE_LENGTH, GridLevel

__all__ = ["ORIGIN", "PREFIX", "Ground", "make_ground"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

ORIGIN = (117.65, 36.20)
"""Longitude and latitude of the middle of the city, CGCS2000."""

PREFIX = "9901"
"""Province and prefecture of the codes: no province has the number 99."""

_COLUMNS = 5  # of districts in a city, side by side
_CORE_SHARE = 0.6  # of a district's cells and communities that lie in its middle
_CORE_WIDTH = 0.11  # standard deviation of the middle, as a share of the district's side
_FIRST_TOWN = 100  # towns are numbered from 100, street offices from 001 (statistical division codes)
_FIRST_VILLAGE = 200  # villages from 200, residents' communities from 001
_TOWN_SEATS = 2  # communities that are not villages in a town, nearest to its middle
_URBAN_HOUSEHOLDS = (300, 500)
_MOST_PEOPLE = 1000


@dataclass(frozen=True)
class Ground:
    """All areas of the city, sorted by code.

    areas : EPSG:4490 with the columns code, level, name (empty), parent_code (missing for districts), urban
        (a cell or community of a street office), households, population, area_m2 and geometry (MultiPolygon).
    """

    areas: gpd.GeoDataFrame

    def of(self, level: GridLevel) -> gpd.GeoDataFrame:
        """Return the areas of one level, by code."""
        return self.areas[self.areas["level"] == level.value].reset_index(drop=True)


def make_ground(size: Size, random: np.random.Generator) -> Ground:
    """Draw a city of this size; the same numbers give the same ground."""
    seeds, ghosts, district = _seeds(size, random)
    drawn = tessellate(seeds, ghosts, random)
    pairs = drawn.neighbours
    community = np.full(len(seeds), -1)
    town = np.full(len(seeds), -1)
    office = np.zeros(len(seeds), dtype=bool)
    for number in range(size.districts):
        rows = np.flatnonzero(district == number)
        near = _within(pairs, rows, len(seeds))
        groups = _joined(_halved(seeds[rows], size.communities, random), near)
        parents, urban = _towns(seeds[rows], groups, near, size, random)
        community[rows] = groups + number * size.communities
        town[rows] = parents[groups] + number * (size.offices + size.towns)
        office[rows] = urban[groups]
    degrees = _to_degrees(drawn.polygons)
    codes = _codes(seeds, district, town, community, office)
    return Ground(_frame(degrees, codes, office, random))


def _seeds(size: Size, random: np.random.Generator) -> tuple[Floats, Floats, Ints]:
    """Return seeds and the ghosts around them, (n, 2) metres from the origin, and the district of each seed."""
    columns = min(_COLUMNS, size.districts)
    rows = -(-size.districts // columns)
    parts, owner = [], []
    for number in range(size.districts):
        middle = np.array([number % columns + 0.5, number // columns + 0.5])
        parts.append(_district_seeds(size, random) + middle)
        owner.append(np.full(size.cells, number))
    seeds = np.vstack(parts)
    # mirrored over the four sides, the outermost seeds make the border of the city
    wide = np.array([columns, rows], dtype=float)
    sideways, upward = np.array([-1, 1]), np.array([1, -1])
    far = 2 * wide * [[1, 0], [0, 1]]
    mirrored = np.vstack(
        [seeds * sideways, seeds * upward, far[0] + seeds * sideways, far[1] + seeds * upward]
    )
    near = ((mirrored > -0.3) & (mirrored < wide + 0.3)).all(axis=1)
    bend = _warp(random)
    places, ghosts = (bend(points - wide / 2) * size.width_m for points in (seeds, mirrored[near]))
    return places, ghosts, np.concatenate(owner)


def _district_seeds(size: Size, random: np.random.Generator) -> Floats:
    """Return seeds in the unit square round the origin, dense in the middle."""

    def sample(count: int) -> Floats:
        core = random.normal((0.03, -0.02), _CORE_WIDTH, (count, 2))
        out = random.uniform(-0.5, 0.5, (count, 2))
        inside = random.uniform(size=count) < _CORE_SHARE
        return np.clip(np.where(inside[:, None], core, out), -0.499, 0.499)

    return spread(sample(size.cells), sample(size.cells * 120))


def _warp(random: np.random.Generator) -> Callable[[Floats], Floats]:
    """Return a smooth map of the plane that bends straight borders and folds nothing."""
    phase = random.uniform(0, 2 * np.pi, (2, 2))

    def bend(points: Floats) -> Floats:
        x, y = points.T
        return np.column_stack(
            [
                x + 0.055 * np.sin(4.1 * y + phase[0, 0]) + 0.02 * np.sin(11.3 * y + phase[0, 1]),
                y + 0.055 * np.sin(3.7 * x + phase[1, 0]) + 0.02 * np.sin(9.7 * x + phase[1, 1]),
            ]
        )

    return bend


def _halved(points: Floats, groups: int, random: np.random.Generator) -> Ints:
    """Split points into so many groups of about equal size by straight cuts, each group at least one point."""
    labels = np.zeros(len(points), dtype=np.intp)

    def cut(rows: Ints, parts: int, first: int) -> None:
        if parts == 1:
            labels[rows] = first
            return
        left = parts // 2
        share = left / parts * random.uniform(0.88, 1.12)
        count = int(np.clip(round(share * len(rows)), left, len(rows) - (parts - left)))
        around = points[rows] - points[rows].mean(axis=0)
        axis = np.linalg.svd(around, full_matrices=False)[2][0] if len(rows) > 2 else np.array([1.0, 0.0])
        turn = random.normal(0.0, 0.25)
        axis = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ axis
        order = rows[np.argsort(around @ axis, kind="stable")]
        cut(order[:count], left, first)
        cut(order[count:], parts - left, first + left)

    cut(np.arange(len(points)), groups, 0)
    return labels


def _within(pairs: Ints, rows: Ints, total: int) -> Ints:
    """Return the pairs among `rows`, numbered by their place in `rows`."""
    place = np.full(total, -1)
    place[rows] = np.arange(len(rows))
    local = place[pairs]
    return np.asarray(local[(local >= 0).all(axis=1)])


def _joined(labels: Ints, pairs: Ints) -> Ints:
    """Give what lies apart from the rest of its group to the neighbouring group it shares most edges with."""
    labels = labels.copy()
    for _ in range(len(labels)):
        same = pairs[labels[pairs[:, 0]] == labels[pairs[:, 1]]]
        graph = coo_array((np.ones(len(same)), (same[:, 0], same[:, 1])), shape=(len(labels), len(labels)))
        _, part = connected_components(graph, directed=False)
        size = np.bincount(part)
        largest: dict[int, int] = {}
        for one in np.unique(part):
            label = int(labels[part == one][0])
            if label not in largest or size[one] > size[largest[label]]:
                largest[label] = int(one)
        stray = ~np.isin(part, list(largest.values()))
        if not stray.any():
            return labels
        row = int(np.flatnonzero(stray)[0])
        piece = part == part[row]
        out = pairs[piece[pairs[:, 0]] != piece[pairs[:, 1]]]
        across = np.where(piece[out[:, 0]], out[:, 1], out[:, 0])
        labels[piece] = np.bincount(labels[across]).argmax()
    return labels


def _towns(
    seeds: Floats, groups: Ints, near: Ints, size: Size, random: np.random.Generator
) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the town of each community, street offices first, and which communities belong to one."""
    count = size.communities
    weight = np.bincount(groups, minlength=count)
    middle = np.column_stack([np.bincount(groups, seeds[:, axis], count) / weight for axis in (0, 1)])
    edges = np.unique(np.sort(groups[near], axis=1), axis=0)
    edges = edges[edges[:, 0] != edges[:, 1]]
    core = np.median(seeds, axis=0)
    parents = np.zeros(count, dtype=np.intp)
    if size.offices == 1 and size.towns == 1:
        side = middle[:, 0] - np.median(middle[:, 0])
        parents[side > 0] = 1
    else:
        inner = np.argsort(np.hypot(*(middle - core).T), kind="stable")[: round(count * _CORE_SHARE)]
        outer = np.setdiff1d(np.arange(count), inner)
        parents[inner] = _halved(middle[inner], size.offices, random)
        around = np.argsort(np.arctan2(*(middle[outer] - core).T), kind="stable")
        parents[outer[around]] = size.offices + np.arange(len(outer)) * size.towns // len(outer)
    parents = _joined(parents, edges)
    return parents, parents < size.offices


def _to_degrees(polygons: NDArray[np.object_]) -> NDArray[np.object_]:
    along, up = degree_in_metres(np.array([ORIGIN[1]]))
    scale = np.array([float(along[0]), float(up[0])])
    return np.asarray(shapely.transform(polygons, lambda xy: xy / scale + ORIGIN), dtype=object)


def _codes(
    seeds: Floats, district: Ints, town: Ints, community: Ints, office: NDArray[np.bool_]
) -> list[str]:
    """Return the 15-digit code of each cell, numbered level by level as the codes' rule says."""

    def middles(labels: Ints, wanted: Ints) -> list[tuple[float, float]]:
        return [tuple(seeds[labels == label].mean(axis=0).tolist()) for label in wanted]

    of_district = np.unique(district)
    numbered = number_children(PREFIX, GridLevel.DISTRICT, middles(district, of_district))
    district_code = dict(zip(of_district.tolist(), numbered, strict=True))
    town_code: dict[int, str] = {}
    community_code: dict[int, str] = {}
    for number, code in district_code.items():
        for urban, first in ((True, 1), (False, _FIRST_TOWN)):
            members = np.unique(town[(district == number) & (office == urban)])
            numbered = number_children(code, GridLevel.TOWN, middles(town, members))
            town_code |= zip(members.tolist(), _moved(numbered, first), strict=True)
    for number, code in town_code.items():
        members = np.unique(community[town == number])
        places = middles(community, members)
        away = np.hypot(*(np.array(places) - seeds[town == number].mean(axis=0)).T)
        seats = len(members) if office[town == number][0] else _TOWN_SEATS
        rank = np.argsort(np.argsort(away, kind="stable"))
        for some, first in ((members[rank < seats], 1), (members[rank >= seats], _FIRST_VILLAGE)):
            numbered = number_children(code, GridLevel.COMMUNITY, middles(community, some))
            community_code |= zip(some.tolist(), _moved(numbered, first), strict=True)
    codes = [""] * len(seeds)
    for number, code in community_code.items():
        rows = np.flatnonzero(community == number)
        places = [(float(x), float(y)) for x, y in seeds[rows]]
        for row, cell in zip(
            rows.tolist(), number_children(code, GridLevel.BUILDING_GROUP, places), strict=True
        ):
            codes[row] = cell
    return codes


def _moved(codes: list[str], first: int) -> list[str]:
    """Return codes whose last three digits count from `first` instead of 1."""
    return [f"{code[:-3]}{int(code[-3:]) - 1 + first:03d}" for code in codes]


def _frame(
    polygons: NDArray[np.object_], codes: list[str], office: NDArray[np.bool_], random: np.random.Generator
) -> gpd.GeoDataFrame:
    homes, people = _people(office, random)
    order = np.argsort(codes)
    cell_codes = np.array(codes)[order]
    columns: dict[str, list[Any]] = {
        name: [] for name in ("code", "level", "parent_code", "urban", "households", "population")
    }
    shapes: list[MultiPolygon] = []
    for level in GridLevel:
        length = CODE_LENGTH[level]
        own, first = np.unique([code[:length] for code in cell_codes.tolist()], return_index=True)
        columns["code"] += own.tolist()
        columns["level"] += [level.value] * len(own)
        columns["parent_code"] += [
            code[:-3] if level is not GridLevel.DISTRICT else None for code in own.tolist()
        ]
        columns["urban"] += office[order][first].tolist()
        columns["households"] += np.add.reduceat(homes[order], first).tolist()
        columns["population"] += np.add.reduceat(people[order], first).tolist()
        shapes += [_multi(group) for group in np.split(polygons[order], first[1:])]
    areas = gpd.GeoDataFrame(columns, geometry=shapes, crs=f"EPSG:{STORAGE_SRID}")
    areas["name"] = ""
    areas["area_m2"] = areas.geometry.to_crs(metric_crs(*ORIGIN)).area
    return areas.sort_values("code", ignore_index=True)


def _multi(cells: NDArray[np.object_]) -> MultiPolygon:
    """Join cells along the edges that they share; their vertices stay as they are."""
    return as_multipolygon(shapely.coverage_union_all(cells))


def _people(office: NDArray[np.bool_], random: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return households and people of each cell: 300 to 500 homes in a street office, else about 500 people."""
    count = len(office)
    low, high = _URBAN_HOUSEHOLDS
    homes = random.integers(low, high + 1, count)
    people = np.minimum(_MOST_PEOPLE, np.round(homes * random.uniform(1.9, 2.5, count)).astype(int))
    rural = np.clip(np.round(random.normal(500, 70, count)), 280, 760).astype(int)
    return np.where(office, homes, np.round(rural / 2.7).astype(int)), np.where(office, people, rural)
