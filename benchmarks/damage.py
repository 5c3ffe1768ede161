"""A four-level grid without a fault, and every kind of fault put into it at a known place.

Each kind in `KINDS` takes a part of the grid that no other fault has touched and spoils it in one way. It returns
what a topology gate has to say of that, no more and no less: which kind of fault, of which areas, and where. The
tests hold the gate to it; the benchmark times the gate on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from gis.edges import with_vertices
from gis.faults import FaultKind
from gis.geometry import polygonal
from grids.demo.ground import make_ground
from grids.demo.scales import Size

__all__ = ["CELL", "KINDS", "METRE", "Seeded", "Spoiled", "sound_grid", "spoil"]

METRE = 1e-5
"""About a metre, in degrees: 0.9 m along a parallel at 36 degrees north, 1.1 m along a meridian."""

CELL, COMMUNITY, TOWN = "building_group", "community", "town"


@dataclass(frozen=True)
class Seeded:
    """One fault that the gate has to find.

    codes : areas that it has to name, among others or alone. ground : where its place must lie, within a metre;
    None for a fault that has no place.
    """

    kind: FaultKind
    codes: frozenset[str]
    ground: BaseGeometry | None


def sound_grid(
    *, districts: int = 1, communities: int = 80, cells: int = 640, seed: int = 0
) -> gpd.GeoDataFrame:
    """Return a grid without a fault: columns code, level, parent_code, name, households, population, geometry.

    communities, cells : of one district. Cells are about 350 m wide, with bent edges that neighbours share.
    """
    width = 350.0 * np.sqrt(cells)
    size = Size(districts, 4, 3, communities, cells, 0, 0, 0, width)
    random = np.random.default_rng(seed)
    areas = make_ground(size, random).areas.drop(columns=["urban", "area_m2"])
    cell = (areas["level"] == CELL).to_numpy()
    areas.loc[cell, "households"] = random.integers(300, 501, cell.sum())
    areas.loc[cell, "population"] = random.integers(500, 1001, cell.sum())
    return areas


class Spoiled:
    """A grid while faults are put into it; every fault takes areas that are `free` and marks what it touches.

    Rows keep their numbers: a row that is taken out is only listed in `gone`.
    """

    def __init__(self, sound: gpd.GeoDataFrame, random: np.random.Generator) -> None:
        self.random = random
        self.table = sound.drop(columns="geometry").to_dict("list")
        self.shapes: list[BaseGeometry | None] = list(sound.geometry)
        self.sound = np.asarray(sound.geometry.array, dtype=object)
        self.gone: set[int] = set()
        self.tree = shapely.STRtree(self.sound)
        self.levels = np.array(self.table["level"])
        self.parent = {code: row for row, code in enumerate(self.table["code"])}
        district = sound[sound["level"] == "district"].geometry
        self.border = shapely.union_all(shapely.boundary(district.to_numpy()))
        self.taken = np.zeros(len(sound), dtype=bool)

    def frame(self) -> gpd.GeoDataFrame:
        """Return the grid as it is now."""
        frame = gpd.GeoDataFrame(self.table, geometry=self.shapes, crs=4490)
        return frame.drop(index=list(self.gone)).sort_values("code", ignore_index=True, kind="stable")

    def code(self, row: int) -> str:
        """Return the code of a row as it is now."""
        return str(self.table["code"][row])

    def above(self, row: int) -> int:
        """Return the row of the area that a row lay in at first."""
        return self.parent[self.code(row)[:-3]]

    def kids(self, row: int) -> list[int]:
        """Return the rows whose codes lie right below a row's."""
        code = self.code(row)
        return [self.parent[one] for one in self.parent if one[:-3] == code]

    def beside(self, row: int) -> list[int]:
        """Return the rows of the same level that share more than a point with a row."""
        near = self.tree.query(self.sound[row], predicate="intersects")
        near = near[(self.levels[near] == self.levels[row]) & (near != row)]
        shared = shapely.length(shapely.intersection(self.sound[near], self.sound[row]))
        return [int(one) for one in near[shared > 20 * METRE]]

    def pick(self, level: str, fits: Callable[[int], bool] = lambda _row: True) -> int:
        """Return a row of a level that fits and has no fault near, and keep its surroundings for it.

        Raises `LookupError` when there is no room left.
        """
        for row in self.random.permutation(np.flatnonzero(self.levels == level)).tolist():
            around = self.tree.query(self.sound[row].buffer(120 * METRE), predicate="intersects")
            around = around[(self.levels[around] == CELL) | (self.levels[around] == level)]
            if not self.taken[around].any() and fits(row):
                self.taken[around] = True
                return int(row)
        raise LookupError(f"no room is left for a fault of a {level}")

    def inner(self, row: int) -> bool:
        """Tell whether a row lies away from the border of the district, among areas of its own parent."""
        return not self.outer(row) and all(self.above(other) == self.above(row) for other in self.beside(row))

    def outer(self, row: int) -> bool:
        """Tell whether a row lies at the border of the district."""
        return bool(self.sound[row].distance(self.border) < METRE)

    def sibling(self, row: int) -> int | None:
        """Return a neighbour of the same parent, one of its widest, or None."""
        near = [other for other in self.beside(row) if self.above(other) == self.above(row)]
        return near[0] if near else None

    def cousin(self, row: int) -> int | None:
        """Return a neighbour of another parent, or None."""
        near = [other for other in self.beside(row) if self.above(other) != self.above(row)]
        return near[0] if near else None

    def seeded(self, kind: FaultKind, rows: Iterable[int], ground: BaseGeometry | None) -> Seeded:
        """Return what is to be found, with the codes that rows have now."""
        return Seeded(kind, frozenset(self.code(row) for row in rows), ground)


Kind = Callable[[Spoiled], Iterator[Seeded]]
KINDS: dict[str, Kind] = {}
"""Each way of spoiling a grid, by name."""


def spoil(
    sound: gpd.GeoDataFrame, kinds: Iterable[str], *, seed: int = 0
) -> tuple[gpd.GeoDataFrame, list[Seeded]]:
    """Return the grid with these faults in it, and what there is to find. Raises `LookupError` without room."""
    grid = Spoiled(sound, np.random.default_rng(seed))
    found = [one for kind in kinds for one in KINDS[kind](grid)]
    return grid.frame(), found


def _kind(function: Kind) -> Kind:
    KINDS[function.__name__.strip("_")] = function
    return function


def _ring(grid: Spoiled, row: int) -> NDArray[np.float64]:
    """Return the vertices of the largest ring of a row, without the closing one."""
    parts = shapely.get_parts(grid.sound[row])
    largest = parts[int(np.argmax(shapely.area(parts)))]
    return shapely.get_coordinates(largest.exterior)[:-1]


def _with(shape: BaseGeometry, ground: BaseGeometry) -> BaseGeometry:
    """Return an area and some ground, without spikes as thin as a rounding error where they meet."""
    return _fitted(shape, ground) | _fitted(ground, shape)


def _without(shape: BaseGeometry, ground: BaseGeometry) -> BaseGeometry:
    """Return an area without some ground, and without such spikes."""
    return _fitted(shape, ground) - _fitted(ground, shape)


def _fitted(shape: BaseGeometry, other: BaseGeometry) -> MultiPolygon:
    return with_vertices(polygonal(shape), np.unique(shapely.get_coordinates(other), axis=0), near=1e-10)


def _broken(grid: Spoiled, row: int, wanted: str, rings: Iterable[NDArray[np.float64]]) -> Seeded:
    """Give a row the first of these rings that is invalid for the wanted reason."""
    for ring in rings:
        shape = Polygon(ring)
        if wanted in shapely.is_valid_reason(shape):
            grid.shapes[row] = shape
            return grid.seeded(FaultKind.INVALID_RING, [row], shape.boundary)
    raise LookupError(f"{grid.code(row)} cannot be broken by a {wanted}")


# ---- shapes that are none ---------------------------------------------------------------------------------------


@_kind
def bow_tie(grid: Spoiled) -> Iterator[Seeded]:
    """Two vertices change places."""
    row = grid.pick(CELL)
    ring = _ring(grid, row)

    def swapped() -> Iterator[NDArray[np.float64]]:
        for _ in range(200):
            one, other = grid.random.choice(len(ring), 2, replace=False)
            crossed = ring.copy()
            crossed[[one, other]] = ring[[other, one]]
            yield crossed

    yield _broken(grid, row, "Self-intersection", swapped())


@_kind
def bow_tie_community(grid: Spoiled) -> Iterator[Seeded]:
    """The same one level up; the cells under it stay sound."""
    row = grid.pick(COMMUNITY, grid.inner)
    ring = _ring(grid, row)
    third = len(ring) // 3
    crossed = ring.copy()
    crossed[[0, third]] = ring[[third, 0]]
    yield _broken(grid, row, "Self-intersection", [crossed])


@_kind
def hole_outside(grid: Spoiled) -> Iterator[Seeded]:
    """A hole that lies beside its shell."""
    row = grid.pick(CELL)
    ring = _ring(grid, row)
    east, north = ring[np.argmax(ring[:, 0])]
    hole = shapely.box(east + 5 * METRE, north, east + 15 * METRE, north + 10 * METRE)
    grid.shapes[row] = Polygon(ring, [hole.exterior.coords])
    yield grid.seeded(FaultKind.INVALID_RING, [row], hole)


@_kind
def self_touch(grid: Spoiled) -> Iterator[Seeded]:
    """A ring that comes back to one of its own vertices."""
    row = grid.pick(CELL)
    ring = _ring(grid, row)
    size = len(ring)
    touching = (np.insert(ring, other, ring[0], axis=0) for other in range(size // 3, 2 * size // 3))
    yield _broken(grid, row, "Ring Self-intersection", touching)


@_kind
def spike(grid: Spoiled) -> Iterator[Seeded]:
    """A vertex far off and straight back: a spike without any width."""
    row = grid.pick(CELL)
    ring = _ring(grid, row)
    away = grid.sound[row].representative_point()
    tip = ring[1] + (np.array([away.x, away.y]) - ring[1]) * 0.3
    yield _broken(grid, row, "elf-intersection", [np.insert(ring, [2, 2], [tip, ring[1]], axis=0)])


@_kind
def collapsed(grid: Spoiled) -> Iterator[Seeded]:
    """A ring of one vertex four times over: no area, and nothing covers the ground."""
    row = grid.pick(CELL, grid.inner)
    grid.shapes[row] = Polygon([grid.sound[row].centroid.coords[0]] * 4)
    yield grid.seeded(FaultKind.INVALID_RING, [row], grid.shapes[row].buffer(METRE))
    yield grid.seeded(FaultKind.GAP, [grid.above(row)], grid.sound[row])


@_kind
def empty(grid: Spoiled) -> Iterator[Seeded]:
    """No geometry at all."""
    row = grid.pick(CELL, grid.inner)
    grid.shapes[row] = None if grid.random.random() < 0.5 else MultiPolygon()
    yield grid.seeded(FaultKind.EMPTY_GEOMETRY, [row], None)
    yield grid.seeded(FaultKind.GAP, [grid.above(row)], grid.sound[row])


@_kind
def only_a_line(grid: Spoiled) -> Iterator[Seeded]:
    """The border of a cell instead of the cell."""
    row = grid.pick(CELL)
    grid.shapes[row] = LineString(_ring(grid, row)[[*range(len(_ring(grid, row))), 0]])
    yield grid.seeded(FaultKind.WRONG_GEOMETRY_TYPE, [row], grid.sound[row].convex_hull)


@_kind
def only_a_point(grid: Spoiled) -> Iterator[Seeded]:
    """The middle of a cell instead of the cell."""
    row = grid.pick(CELL, grid.inner)
    grid.shapes[row] = grid.sound[row].centroid
    yield grid.seeded(FaultKind.WRONG_GEOMETRY_TYPE, [row], grid.shapes[row])
    yield grid.seeded(FaultKind.GAP, [grid.above(row)], grid.sound[row])


# ---- overlaps ---------------------------------------------------------------------------------------------------


def _reach_into(grid: Spoiled, row: int, other: int, width: float) -> BaseGeometry:
    """Widen a row into one neighbour; return the ground that both claim."""
    shape, neighbour = grid.sound[row], grid.sound[other]
    common = neighbour.intersection(shape.buffer(width, quad_segs=3))
    grid.shapes[row] = _with(shape, common)
    return common


def _overlap(grid: Spoiled, width: float) -> Iterator[Seeded]:
    row = grid.pick(CELL, lambda one: grid.sibling(one) is not None)
    other = grid.sibling(row)
    assert other is not None
    common = _reach_into(grid, row, other, width)
    yield grid.seeded(FaultKind.OVERLAP, [row, other], common)


@_kind
def overlap_hair(grid: Spoiled) -> Iterator[Seeded]:
    """A hand wide, along a whole edge."""
    return _overlap(grid, 0.1 * METRE)


@_kind
def overlap_sliver(grid: Spoiled) -> Iterator[Seeded]:
    """A metre and a half along a whole edge."""
    return _overlap(grid, 1.5 * METRE)


@_kind
def overlap_big(grid: Spoiled) -> Iterator[Seeded]:
    """Forty metres along a whole edge."""
    return _overlap(grid, 40 * METRE)


@_kind
def overlap_of_three(grid: Spoiled) -> Iterator[Seeded]:
    """Three cells claim the ground round the corner where they meet."""

    def corner(row: int) -> tuple[int, int, Point] | None:
        for other in grid.beside(row):
            for third in set(grid.beside(row)) & set(grid.beside(other)):
                meet = grid.sound[row] & grid.sound[other] & grid.sound[third]
                same = len({grid.above(one) for one in (row, other, third)}) == 1
                if same and not meet.is_empty and meet.geom_type == "Point":
                    return other, third, meet
        return None

    row = grid.pick(CELL, lambda one: grid.inner(one) and corner(one) is not None)
    found = corner(row)
    assert found is not None
    other, third, meet = found
    three = [row, other, third]
    common = meet.buffer(6 * METRE) & shapely.union_all(grid.sound[three])
    for one in three:
        grid.shapes[one] = _with(grid.sound[one], common - grid.sound[one])
    for pair in ([row, other], [row, third], [other, third]):
        yield grid.seeded(FaultKind.OVERLAP, pair, common)


def _further(grid: Spoiled, row: int, shape: BaseGeometry) -> int:
    """Add an area to the community of a cell; return its row."""
    beside = {code for code in grid.table["code"] if code[:-3] == grid.code(row)[:-3]}
    free = next(
        code for number in range(900, 999) if (code := f"{grid.code(row)[:-3]}{number}") not in beside
    )
    for name, values in grid.table.items():
        values.append(values[row] if name != "code" else free)
    grid.shapes.append(shape)
    return len(grid.shapes) - 1


@_kind
def twin(grid: Spoiled) -> Iterator[Seeded]:
    """A cell that is there twice, under two codes."""
    row = grid.pick(CELL)
    yield grid.seeded(FaultKind.OVERLAP, [row, _further(grid, row, grid.sound[row])], grid.sound[row])


@_kind
def nested(grid: Spoiled) -> Iterator[Seeded]:
    """A cell in the middle of another."""
    row = grid.pick(CELL)
    inside = grid.sound[row].representative_point().buffer(8 * METRE) & grid.sound[row]
    yield grid.seeded(FaultKind.OVERLAP, [row, _further(grid, row, inside)], inside)


@_kind
def overlap_of_communities(grid: Spoiled) -> Iterator[Seeded]:
    """Two communities overlap, their cells do not."""
    row = grid.pick(COMMUNITY, lambda one: grid.sibling(one) is not None)
    other = grid.sibling(row)
    assert other is not None
    yield grid.seeded(FaultKind.OVERLAP, [row, other], _reach_into(grid, row, other, 3 * METRE))


@_kind
def overlap_of_cousins(grid: Spoiled) -> Iterator[Seeded]:
    """Two cells of different communities overlap: one of them has left its own."""
    row = grid.pick(CELL, lambda one: not grid.outer(one) and grid.cousin(one) is not None)
    other = grid.cousin(row)
    assert other is not None
    common = _reach_into(grid, row, other, 4 * METRE)
    yield grid.seeded(FaultKind.OVERLAP, [row, other], common)
    yield grid.seeded(FaultKind.CHILD_OUTSIDE_PARENT, [row, grid.above(row)], common)


# ---- gaps -------------------------------------------------------------------------------------------------------


@_kind
def gap_inside(grid: Spoiled) -> Iterator[Seeded]:
    """A hole in the middle of a cell."""
    row = grid.pick(CELL)
    hole = grid.sound[row].representative_point().buffer(4 * METRE) & grid.sound[row]
    grid.shapes[row] = _without(grid.sound[row], hole)
    yield grid.seeded(FaultKind.GAP, [row, grid.above(row)], hole)


def _gap(grid: Spoiled, width: float) -> Iterator[Seeded]:
    row = grid.pick(CELL, lambda one: grid.inner(one) and grid.sibling(one) is not None)
    other = grid.sibling(row)
    assert other is not None
    bare = grid.sound[row] & grid.sound[other].buffer(width, quad_segs=3)
    grid.shapes[row] = _without(grid.sound[row], bare)
    yield grid.seeded(FaultKind.GAP, [row, other, grid.above(row)], bare)


@_kind
def gap_hair(grid: Spoiled) -> Iterator[Seeded]:
    """A hand wide, between two neighbours."""
    return _gap(grid, 0.1 * METRE)


@_kind
def gap_sliver(grid: Spoiled) -> Iterator[Seeded]:
    """A metre and a half between two neighbours."""
    return _gap(grid, 1.5 * METRE)


@_kind
def gap_wide(grid: Spoiled) -> Iterator[Seeded]:
    """Forty metres between two neighbours."""
    return _gap(grid, 40 * METRE)


@_kind
def slit(grid: Spoiled) -> Iterator[Seeded]:
    """A cut from the middle of a cell out over the border of the district."""
    row = grid.pick(CELL, grid.outer)
    middle = grid.sound[row].representative_point()
    out = shapely.shortest_line(middle, grid.border)
    (x1, y1), (x2, y2) = shapely.get_coordinates(out)
    cut = LineString([(x1, y1), (2 * x2 - x1, 2 * y2 - y1)]).buffer(0.4 * METRE, cap_style="flat")
    grid.shapes[row] = _without(grid.sound[row], cut & grid.sound[row])
    yield grid.seeded(FaultKind.GAP, [row, grid.above(row)], cut & grid.sound[row])


@_kind
def missing_cell(grid: Spoiled) -> Iterator[Seeded]:
    """A cell that is not in the file."""
    row = grid.pick(CELL, grid.inner)
    grid.gone.add(row)
    yield grid.seeded(FaultKind.GAP, [grid.above(row)], grid.sound[row])


# ---- nesting ----------------------------------------------------------------------------------------------------


@_kind
def outside_the_district(grid: Spoiled) -> Iterator[Seeded]:
    """A cell reaches over the border of the whole district."""
    row = grid.pick(CELL, grid.outer)
    spot = shapely.get_coordinates(shapely.shortest_line(grid.sound[row], grid.border))[1]
    beyond = Point(spot).buffer(9 * METRE) - shapely.union_all(grid.sound[grid.levels == "district"])
    beyond = beyond & grid.sound[row].buffer(7 * METRE)
    grid.shapes[row] = _with(grid.sound[row], beyond)
    yield grid.seeded(FaultKind.CHILD_OUTSIDE_PARENT, [row, grid.above(row)], beyond)


@_kind
def border_moved(grid: Spoiled) -> Iterator[Seeded]:
    """A cell takes ground from a cell of another community, which gives it up."""
    row = grid.pick(CELL, lambda one: not grid.outer(one) and grid.cousin(one) is not None)
    other = grid.cousin(row)
    assert other is not None
    common = _reach_into(grid, row, other, 5 * METRE)
    grid.shapes[other] = _without(grid.sound[other], common)
    yield grid.seeded(FaultKind.CHILD_OUTSIDE_PARENT, [row, grid.above(row)], common)


@_kind
def under_another_community(grid: Spoiled) -> Iterator[Seeded]:
    """A cell with a code of the community beside."""
    row = grid.pick(CELL, lambda one: not grid.outer(one) and grid.cousin(one) is not None)
    other = grid.cousin(row)
    assert other is not None
    moved = _further(grid, other, grid.sound[row])
    grid.gone.add(row)
    yield grid.seeded(FaultKind.CHILD_OUTSIDE_PARENT, [moved, grid.above(other)], grid.sound[row])


@_kind
def undivided(grid: Spoiled) -> Iterator[Seeded]:
    """A community without cells."""
    row = grid.pick(COMMUNITY)
    grid.gone |= set(grid.kids(row))
    yield grid.seeded(FaultKind.PARENT_NOT_COVERED, [row], grid.sound[row])


@_kind
def not_covered(grid: Spoiled) -> Iterator[Seeded]:
    """The cells of a community all stay just under a metre off its border: too much of it together."""

    def thin(row: int) -> bool:
        shape = grid.sound[row]
        return bool(1 - shape.buffer(-0.8 * METRE).area / shape.area > 0.0065)

    row = grid.pick(COMMUNITY, lambda one: not grid.outer(one) and thin(one))
    shrunk = grid.sound[row].buffer(-0.8 * METRE)
    for kid in grid.kids(row):
        grid.shapes[kid] = grid.sound[kid] & shrunk
    yield grid.seeded(FaultKind.PARENT_NOT_COVERED, [row], grid.sound[row] - shrunk)


# ---- codes and numbers ------------------------------------------------------------------------------------------


def _recoded(grid: Spoiled, row: int, code: str, parent: str | None) -> None:
    grid.table["code"][row], grid.table["parent_code"][row] = code, parent


@_kind
def same_code(grid: Spoiled) -> Iterator[Seeded]:
    """Two cells with one code."""
    row = grid.pick(CELL, lambda one: grid.sibling(one) is not None)
    other = grid.sibling(row)
    assert other is not None
    _recoded(grid, row, grid.code(other), grid.table["parent_code"][row])
    yield grid.seeded(FaultKind.DUPLICATE_CODE, [row], grid.sound[row] | grid.sound[other])


@_kind
def malformed_code(grid: Spoiled) -> Iterator[Seeded]:
    """A code that is not written as one."""
    row = grid.pick(CELL)
    above = grid.code(row)[:-3]
    _recoded(grid, row, above + str(grid.random.choice(["000", "0x1", "00", "０１２"])), above)
    yield grid.seeded(FaultKind.WRONG_CODE, [row], grid.sound[row])


@_kind
def not_of_its_parent(grid: Spoiled) -> Iterator[Seeded]:
    """A code that begins with another area's than the one it is said to lie in."""
    row = grid.pick(CELL)
    above = grid.code(row)[:-3]
    _recoded(grid, row, f"{above[:-3]}997{grid.code(row)[-3:]}", above)
    yield grid.seeded(FaultKind.NOT_CHILD_OF_PARENT, [row], grid.sound[row])


@_kind
def no_such_parent(grid: Spoiled) -> Iterator[Seeded]:
    """A cell of a community that is not in the file."""
    row = grid.pick(CELL, lambda one: not grid.outer(one))
    unknown = grid.code(row)[:-6] + "998"
    _recoded(grid, row, f"{unknown}{grid.code(row)[-3:]}", unknown)
    yield grid.seeded(FaultKind.NOT_CHILD_OF_PARENT, [row], grid.sound[row])


@_kind
def no_parent(grid: Spoiled) -> Iterator[Seeded]:
    """A cell that does not say what it lies in."""
    row = grid.pick(CELL, lambda one: not grid.outer(one))
    _recoded(grid, row, grid.code(row), None)
    yield grid.seeded(FaultKind.NOT_CHILD_OF_PARENT, [row], grid.sound[row])


@_kind
def level_skipped(grid: Spoiled) -> Iterator[Seeded]:
    """A cell that is said to lie right in a town."""
    row = grid.pick(CELL, lambda one: not grid.outer(one))
    _recoded(grid, row, grid.code(row), grid.code(row)[:-6])
    yield grid.seeded(FaultKind.NOT_CHILD_OF_PARENT, [row], grid.sound[row])


def _counted(grid: Spoiled, column: str, count: int) -> Iterator[Seeded]:
    row = grid.pick(CELL)
    grid.table[column][row] = count
    yield grid.seeded(FaultKind.SIZE_RULE, [row], grid.sound[row])


@_kind
def too_small(grid: Spoiled) -> Iterator[Seeded]:
    """One household under the rule."""
    return _counted(grid, "households", 299)


@_kind
def too_large(grid: Spoiled) -> Iterator[Seeded]:
    """One household over the rule."""
    return _counted(grid, "households", 501)


@_kind
def too_many_people(grid: Spoiled) -> Iterator[Seeded]:
    """One person over the rule."""
    return _counted(grid, "population", 1001)


# ---- what is no fault -------------------------------------------------------------------------------------------


@_kind
def repeated_vertices(grid: Spoiled) -> Iterator[Seeded]:
    """Every vertex of a cell twice: untidy, and still the same area."""
    row = grid.pick(CELL)
    ring = _ring(grid, row)
    grid.shapes[row] = Polygon(np.repeat(ring, 2, axis=0))
    yield from ()


@_kind
def noise(grid: Spoiled) -> Iterator[Seeded]:
    """An overlap and a gap of half a square metre, and a cell half a metre over its community's border."""
    row = grid.pick(CELL, lambda one: grid.sibling(one) is not None)
    other = grid.sibling(row)
    assert other is not None
    dot = grid.sound[other].representative_point().buffer(0.4 * METRE)
    grid.shapes[row] = grid.sound[row] | dot
    spot = grid.sound[row].representative_point().buffer(0.4 * METRE)
    grid.shapes[row] = grid.shapes[row] - spot
    yield from ()


@_kind
def just_over_the_border(grid: Spoiled) -> Iterator[Seeded]:
    """Half a metre over the border of the district, all along: as far as edges may lie apart."""
    row = grid.pick(CELL, grid.outer)
    district = shapely.union_all(grid.sound[grid.levels == "district"])
    beyond = grid.sound[row].buffer(0.5 * METRE) - district
    near = grid.sound[grid.beside(row)]
    grid.shapes[row] = grid.sound[row] | (beyond - shapely.union_all(shapely.buffer(near, METRE)))
    yield from ()
