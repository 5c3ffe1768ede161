"""Cut an area into cells: contiguous, compact, of the wanted size, along barriers; several drafts to choose from.

METIS divides the graph of the pieces (`gis.cells.pieces`) for each number of cells that the size rule allows; a
search moves pieces at the borders until the rule holds and shapes are good (`gis.cells.refining`); then borders are
straightened (`gis.cells.straighten`). What counts most differs from draft to draft. The same input gives the same
drafts.
Source of the partitioning: Karypis & Kumar (1998), SIAM Journal on Scientific Computing 20(1), 359-392.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

import geopandas as gpd
import numpy as np
import pymetis
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from shapely.geometry import MultiLineString, MultiPolygon
from shapely.geometry.base import BaseGeometry

from gis.cells.pieces import Pieces, as_points, cut, joined_spots, sums
from gis.cells.refining import Load, Rank, SizeRule, Weights, excess, mended, rank, refine
from gis.cells.straighten import draw
from gis.crs import STORAGE_SRID, check_degrees
from gis.errors import InvalidInput
from gis.geometry import check_polygon
from gis.plane import Plane, plane_of

__all__ = ["Draft", "Numbers", "SizeReason", "Style", "Wishes", "divide", "partition"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Shapes = NDArray[np.object_]

_BARRIER = 0.03  # what a metre of edge along a barrier holds together, against a free one
# divisions that are searched for one draft, and pieces in all of them together; steps without an improvement before
# a search ends, and pieces times steps: so that a large community takes seconds too
_MOST_TRIES, _TRIES_WORK = 6, 12_000
_MOST_STEPS, _STEPS_WORK = 80, 40_000
_MOST_CELLS = 999
_FAR_M = 2_000.0


class Style(StrEnum):
    """What a draft is made for, once the size rule holds."""

    COMPACT = "compact"
    EVEN = "even"
    FEW = "few"
    BARRIERS = "barriers"


_WEIGHTS = MappingProxyType(
    {
        Style.COMPACT: Weights(compact=1.0, even=0.05, barriers=0.3),
        Style.EVEN: Weights(compact=0.2, even=1.0, barriers=0.3),
        Style.FEW: Weights(compact=0.7, even=0.05, barriers=0.3),
        Style.BARRIERS: Weights(compact=0.4, even=0.02, barriers=3.0),
    }
)


class SizeReason(StrEnum):
    """Why a cell breaks the size rule."""

    FEW_HOUSEHOLDS = "few_households"  # the community has fewer than one cell needs
    LARGE_BUILDING = "large_building"  # what stands at one spot is more than a cell may have
    NO_NUMBER_FITS = "no_number_fits"  # cells of one size are too small, and with one less too large
    CROWDED = "crowded"  # too many people for as few households as a cell may have
    NONE_FOUND = "none_found"  # buildings are too large or too far apart to be grouped better


@dataclass(frozen=True)
class Wishes:
    """What is wanted of drafts.

    drafts : how many. seed : another one gives other drafts. straighten : how far borders may be straightened, as
    a share of the usual distance between buildings.
    """

    rule: SizeRule
    drafts: int = 3
    seed: int = 1
    straighten: float = 0.5


@dataclass(frozen=True)
class Numbers:
    """How a draft does.

    households : least, median and most of a cell. within_rule : share of cells. compactness : mean and least of
    the cells (Polsby-Popper: 1 for a circle). barrier_m : barrier inside cells, 1 m and more from their border.
    walk_m : the longest way from the middle of a cell's households to a building of it, as the crow flies.
    """

    cells: int
    households: tuple[int, float, int]
    within_rule: float
    most_people: int | None
    compactness: tuple[float, float]
    barrier_m: float
    walk_m: float
    outside: int


@dataclass(frozen=True)
class Draft:
    """One way to cut a community.

    cells : EPSG:4490, one row a cell, with households, population (missing where nobody counted people),
        buildings, compactness, barrier_m, walk_m, reason (of `SizeReason`, missing where the rule holds), geometry.
    cell : (n,) row of the cell that each building is in; -1 outside the community.
    vertices : (m, 2) where borders end on the edges of the outline; `gis.edges.with_vertices` gives them to those
        who share these edges.
    """

    style: Style
    cells: gpd.GeoDataFrame
    cell: Ints
    vertices: Floats
    numbers: Numbers = field(repr=False)


@dataclass(frozen=True)
class _Ground:
    """A community laid out on its sheet.

    rows, places : (i,) and (i, 2) of the buildings inside. spots, walls : (s, 2) and (s,) of their spots.
    piece : (i,) the piece of each building inside. households, people : (n,) of all buildings.
    """

    outline: MultiPolygon
    plane: Plane
    rows: Ints
    places: Floats
    spots: Floats
    walls: Shapes
    piece: Ints
    pieces: Pieces
    load: Load
    households: Floats
    people: Floats | None
    count: int


def partition(
    outline: BaseGeometry,
    lon: ArrayLike,
    lat: ArrayLike,
    households: ArrayLike,
    people: ArrayLike | None = None,
    *,
    footprints: ArrayLike | None = None,
    barriers: BaseGeometry | None = None,
    wishes: Wishes,
) -> list[Draft]:
    """Propose cells for a community.

    outline : valid polygon or multipolygon. lon, lat : (n,) of buildings. households, people : (n,) of each.
    footprints : (n,) valid polygons or None. barriers : lines that borders should follow, or areas whose edges
    they should follow. All coordinates in EPSG:4490 degrees.
    Returns the drafts, at most `wishes.drafts` and no two alike; each has whole cells that tile the outline to
    the last digit. Buildings outside the outline take no part.
    Raises `InvalidGeometry` for the outline, and `InvalidInput`: `lengths_differ`, `wrong_count`,
    `no_buildings` (none lies in the outline), `barriers_elsewhere`, and what `check_degrees` raises.
    """
    ground = _lay_out(outline, lon, lat, households, people, footprints, barriers)
    load, rule = ground.load, wishes.rule
    drafts: list[Draft] = []
    seen: set[bytes] = set()
    reasons = _reasons(load, rule)
    for style, divisions in _searches(ground, wishes):
        for cell in divisions:
            if cell.tobytes() not in seen:
                seen.add(cell.tobytes())
                drafts.append(_drafted(ground, style, cell, reasons, wishes))
                break
        if len(drafts) == wishes.drafts:
            break
    return drafts


def divide(pieces: Pieces, load: Load, count: int, rule: SizeRule, seed: int) -> Ints:
    """Return the cell (p,) of each piece as METIS divides them: `count` cells about alike, short borders.

    A piece with more than a cell may have is a cell of its own, and the others are divided round it.
    """
    if count < 2 or len(pieces) <= count:
        return np.arange(len(pieces)) if len(pieces) <= count else np.zeros(len(pieces), dtype=np.intp)
    strength = pieces.free_m + _BARRIER * pieces.barrier_m
    strength = np.maximum(np.round(100 * strength / max(float(np.median(strength)), 1.0)), 1)
    pairs = np.vstack([pieces.pairs, pieces.pairs[:, ::-1]])
    size = len(pieces)
    graph = coo_array((np.tile(strength, 2), tuple(pairs.T)), shape=(size, size)).tocsr()
    weight = _size(load, rule)
    large = np.flatnonzero(weight > 1.0)
    weight[large] = 0.0
    found = pymetis.part_graph(
        max(count - len(large), 1),
        pymetis.CSRAdjacency(graph.indptr.tolist(), graph.indices.tolist()),
        eweights=graph.data.astype(int).tolist(),
        vweights=np.round(1000 * weight).astype(int).tolist(),
        recursive=False,
        options=pymetis.Options(contig=1, seed=seed, ncuts=2, ufactor=50),
    )
    cell = np.array(found.vertex_part, dtype=np.intp)
    cell[large] = count + np.arange(len(large))
    return mended(pieces, cell)


def _size(load: Load, rule: SizeRule) -> Floats:
    """Return how much of a full cell each piece is."""
    result: Floats = np.maximum(load.households / rule.most_households, load.people / rule.most_people)
    return result


def _lay_out(
    outline: BaseGeometry,
    lon: ArrayLike,
    lat: ArrayLike,
    households: ArrayLike,
    people: ArrayLike | None,
    footprints: ArrayLike | None,
    barriers: BaseGeometry | None,
) -> _Ground:
    outline = check_polygon(outline, field="outline")
    x, y = check_degrees(lon, lat)
    homes = _counts("households", households, len(x))
    persons = None if people is None else _counts("people", people, len(x))
    bodies = (
        np.full(len(x), None, dtype=object) if footprints is None else np.asarray(footprints, dtype=object)
    )
    plane = plane_of(gpd.GeoSeries([outline], crs=f"EPSG:{STORAGE_SRID}").to_frame("geometry"))
    sheet = plane.flat(outline)
    shapely.prepare(sheet)
    places = plane.flat(as_points(np.column_stack([x, y])))
    rows = np.flatnonzero(shapely.intersects(sheet, places))
    if not len(rows):
        raise _no_buildings(sheet, places)
    inside = shapely.get_coordinates(places[rows])
    spot = joined_spots(inside)
    walls = _walls(spot, plane.flat(bodies[rows]))
    first = np.unique(spot, return_index=True)[1]
    pieces = cut(sheet, inside[first], walls, _lines(sheet, plane, barriers))
    piece = pieces.home[spot]

    def summed(values: Floats | None) -> Floats:
        return np.zeros(len(pieces)) if values is None else sums(piece, values[rows], len(pieces))

    return _Ground(
        outline=outline,
        plane=plane,
        rows=rows,
        places=inside,
        spots=inside[first],
        walls=walls,
        piece=piece,
        pieces=pieces,
        load=Load(summed(homes), summed(persons)),
        households=homes,
        people=persons,
        count=len(x),
    )


def _counts(name: str, given: ArrayLike, length: int) -> Floats:
    values = np.asarray(given, dtype=np.float64)
    if values.shape != (length,):
        raise InvalidInput(
            "lengths_differ", f"{name} must have {length} entries, but has {values.size}", field=name
        )
    wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0) & (values == np.floor(values))))
    if len(wrong):
        raise InvalidInput(
            "wrong_count",
            f"{name} must be whole numbers from 0 on, but entry {wrong[0]} is {values[wrong[0]]:g}",
            field=name,
            row=int(wrong[0]),
            got=str(values[wrong[0]]),
        )
    return values


def _no_buildings(sheet: BaseGeometry, places: Shapes) -> InvalidInput:
    words = "there is no building to make cells of"
    if len(places):
        away = float(shapely.distance(sheet, places).min())
        words = (
            f"none of the {len(places)} buildings lies in the community, the nearest {away:,.0f} m away: is it "
            "the right one, and is the frame of the buildings right?"
        )
    return InvalidInput("no_buildings", words, field="buildings", got=len(places))


def _lines(sheet: BaseGeometry, plane: Plane, barriers: BaseGeometry | None) -> BaseGeometry:
    """Return the barriers as lines of the sheet."""
    if barriers is None or barriers.is_empty:
        return MultiLineString()
    check_degrees(*shapely.get_coordinates(barriers).T)
    parts = shapely.get_parts(plane.flat(barriers))
    kinds = shapely.get_dimensions(parts)
    lines = shapely.union_all([*parts[kinds == 1], *shapely.boundary(parts[kinds == 2])])
    away = shapely.distance(sheet, lines)
    if not away < _FAR_M:
        raise InvalidInput(
            "barriers_elsewhere",
            f"no barrier comes near the community, the nearest is {away / 1000:,.0f} km away: is their frame right?",
            field="barriers",
            got=round(float(away)),
        )
    return lines


def _walls(spot: Ints, bodies: Shapes) -> Shapes:
    """Return the footprint of what stands at each spot, None where none is known."""
    walls = np.full(spot.max() + 1, None, dtype=object)
    for row in np.flatnonzero(~shapely.is_missing(bodies)):
        known = walls[spot[row]]
        walls[spot[row]] = bodies[row] if known is None else shapely.union(known, bodies[row])
    return walls


def _counts_of_cells(load: Load, rule: SizeRule) -> list[int]:
    """Return how many cells a community could have, the most promising first."""
    weight = _size(load, rule)
    large = weight > 1.0
    homes, people = load.households[~large].sum(), load.people[~large].sum()
    least = max(math.ceil(homes / rule.most_households), math.ceil(people / rule.most_people))
    most = int(homes // rule.least_households)
    usual = (rule.least_households + rule.most_households) / 2
    best = max(round(homes / usual), math.ceil(1.06 * people / rule.most_people))
    alone = int(large.sum())
    if least > most:
        wanted = sorted({max(most, 0), least, (most + least + 1) // 2})
    else:
        best = min(max(best, least), most)
        wanted = [best, *(n for step in (1, 2) for n in (best - step, best + step) if least <= n <= most)]
        wanted += [n for n in (least,) if n not in wanted]
    return list(dict.fromkeys(max(1, min(n + alone, _MOST_CELLS, len(weight))) for n in wanted))


def _searches(ground: _Ground, wishes: Wishes) -> Iterator[tuple[Style, list[Ints]]]:
    """Yield the styles that are wanted, again and again with other seeds, each with its divisions, best first."""
    pieces, load, rule = ground.pieces, ground.load, wishes.rule
    counts = _counts_of_cells(load, rule)
    barred = not ground.pieces.barriers.is_empty
    styles = [*([Style.BARRIERS] if barred else []), Style.COMPACT, Style.FEW, Style.EVEN]
    tries = max(2, min(_MOST_TRIES, _TRIES_WORK // len(pieces)))
    steps = max(20, min(_MOST_STEPS, _STEPS_WORK // len(pieces)))
    divided: dict[tuple[int, int], Ints] = {}
    for round_ in range(1 + wishes.drafts // len(styles)):
        for style in styles:
            wanted = sorted(counts) if style is Style.FEW else counts
            ranked: list[tuple[Rank, int, bytes, Ints]] = []
            for number in range(tries):
                key = (wanted[number % len(wanted)], number // len(wanted) + round_ * tries)
                if key not in divided:
                    divided[key] = divide(pieces, load, key[0], rule, wishes.seed + key[1])
                cell = refine(pieces, load, divided[key], rule, _WEIGHTS[style], steps)
                found = rank(pieces, load, cell, rule, _WEIGHTS[style])
                ranked.append((_fair(found, cell, style), number, b"", _renumbered(cell)))
            ranked.sort(key=lambda entry: entry[:2])
            yield style, [entry[-1] for entry in ranked]


def _fair(found: Rank, cell: Ints, style: Style) -> Rank:
    """Return a rank that can be held against that of a division into another number of cells."""
    count = int(cell.max()) + 1
    return found._replace(rest=float(count) if style is Style.FEW else found.rest / count)


def _renumbered(cell: Ints) -> Ints:
    """Return the same cells numbered as they first occur, so that equal divisions are equal."""
    _, first, inverse = np.unique(cell, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[inverse], dtype=np.intp)


def _reasons(load: Load, rule: SizeRule) -> SizeReason:
    """Return why cells break the rule that have no large building."""
    homes, people = load.households.sum(), load.people.sum()
    if homes < rule.least_households:
        return SizeReason.FEW_HOUSEHOLDS
    if people / rule.most_people > homes / rule.least_households:
        return SizeReason.CROWDED
    weight = _size(load, rule)
    rest = load.households[weight <= 1.0].sum(), load.people[weight <= 1.0].sum()
    least = max(math.ceil(rest[0] / rule.most_households), math.ceil(rest[1] / rule.most_people))
    return SizeReason.NO_NUMBER_FITS if least > rest[0] // rule.least_households else SizeReason.NONE_FOUND


def _drafted(ground: _Ground, style: Style, cell: Ints, reason: SizeReason, wishes: Wishes) -> Draft:
    rule, load = wishes.rule, ground.load
    laid = ground.outline, ground.plane, ground.pieces
    reach = wishes.straighten * float(np.sqrt(ground.pieces.area.mean()))
    drawn = draw(*laid, cell, ground.spots, ground.walls, reach)
    flat = ground.plane.flat(np.array(drawn.cells, dtype=object))
    count = len(drawn.cells)
    of = cell[ground.piece]
    homes, people = sums(cell, load.households, count), sums(cell, load.people, count)
    large = np.bincount(cell, _size(load, rule) > 1.0, count) > 0
    over = excess(homes, people, rule) > 0
    walks = [_walk(ground.places[of == n], ground.households[ground.rows][of == n]) for n in range(count)]
    reasons = [
        (SizeReason.LARGE_BUILDING if alone else reason).value if wrong else None
        for alone, wrong in zip(large, over, strict=True)
    ]
    frame = gpd.GeoDataFrame(
        {
            "households": homes.astype(int),
            "population": people.astype(int) if ground.people is not None else None,
            "buildings": np.bincount(of, minlength=count),
            "compactness": 4 * np.pi * shapely.area(flat) / shapely.length(flat) ** 2,
            "barrier_m": shapely.length(
                shapely.intersection(ground.pieces.barriers, shapely.buffer(flat, -1.0))
            ),
            "walk_m": walks,
            "reason": np.array(reasons, dtype=object),
        },
        geometry=list(drawn.cells),
        crs=f"EPSG:{STORAGE_SRID}",
    )
    rows = np.full(ground.count, -1, dtype=np.intp)
    rows[ground.rows] = of
    numbers = Numbers(
        cells=count,
        households=(int(homes.min()), float(np.median(homes)), int(homes.max())),
        within_rule=float((~over).mean()),
        most_people=None if ground.people is None else int(people.max()),
        compactness=(float(frame["compactness"].mean()), float(frame["compactness"].min())),
        barrier_m=float(frame["barrier_m"].sum()),
        walk_m=max(walks),
        outside=ground.count - len(ground.rows),
    )
    return Draft(style, frame, rows, drawn.vertices, numbers)


def _walk(places: Floats, households: Floats) -> float:
    """Return how far the farthest building is from the middle of the households, in metres."""
    if not len(places):
        return 0.0
    middle = np.average(places, axis=0, weights=households if households.any() else None)
    return float(np.hypot(*(places - middle).T).max())
