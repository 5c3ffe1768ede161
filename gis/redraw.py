"""Borders drawn anew: an area cut by a line, an edge between two neighbours moved to one.

Shapes only, in EPSG:4490 degrees; lengths and sizes in metres. A drawn line is never exact, so its ends are
brought to the border that they mean (`SNAP_M`), and to a corner that is close (`CORNER_M`). Pieces that share
an edge have the very same vertices on it, and `Cut.nodes` says which vertices a neighbour needs besides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from gis.borders import Borders, degree_in_metres
from gis.crs import check_degrees
from gis.edges import (
    ROUNDING,
    edges_along,
    edges_of,
    faces_of,
    run_between,
    shaped,
    shared_runs,
    tidy,
    turned,
    with_vertices,
)
from gis.errors import InvalidGeometry
from gis.plane import Plane

__all__ = [
    "CORNER_M",
    "LEAST_PIECE_M2",
    "LEAST_WIDTH_M",
    "MOST_LINE_VERTICES",
    "SNAP_M",
    "Cut",
    "Run",
    "check_piece",
    "cut",
    "edge_moved",
    "meant_run",
    "read_line",
    "size_m2",
]

SNAP_M = 20.0
"""How far the end of a drawn line may be from the place that it means."""

CORNER_M = 0.5
"""How close to a corner a line has to meet a border to meet it in that corner."""

LEAST_PIECE_M2, LEAST_WIDTH_M = 100.0, 2.0
"""What is smaller, or on average narrower, is a sliver of careless drawing and no area of the city."""

MOST_LINE_VERTICES = 5_000

Floats = NDArray[np.float64]


class Cut(NamedTuple):
    """An area in pieces.

    pieces : from the largest to the smallest; parts that the line does not meet go with the largest.
    nodes : (n, 2) where the line meets the border; neighbours need a vertex there too.
    """

    pieces: tuple[MultiPolygon, ...]
    nodes: Floats


class Run(NamedTuple):
    """An edge that two neighbours share without a break, and the line drawn to take its place, end on end."""

    edge: LineString
    line: LineString


def read_line(value: object, *, field: str = "line") -> LineString:
    """Return the line that `value` holds: a GeoJSON LineString, or a list of [lon, lat]; in degrees.

    Places that follow each other and are the same count once. Raises `InvalidGeometry`: `line_unreadable`
    (not a line of 2 to `MOST_LINE_VERTICES` places), `line_crosses_itself`; and as `gis.crs.check_degrees`.
    """
    places = value.get("coordinates") if isinstance(value, Mapping) else value
    if isinstance(value, Mapping) and value.get("type") != "LineString":
        raise _unreadable(field, str(value.get("type")))
    try:
        xy = np.array(json.loads(json.dumps(places, allow_nan=False)), dtype=np.float64)
    except (TypeError, ValueError, RecursionError) as broken:
        raise _unreadable(field, "something else") from broken
    if xy.ndim != 2 or xy.shape[1] not in (2, 3) or not 2 <= len(xy) <= MOST_LINE_VERTICES:
        raise _unreadable(field, f"numbers of shape {list(xy.shape)}")
    xy = xy[:, :2]
    check_degrees(*xy.T)
    xy = xy[np.append(True, (np.diff(xy, axis=0) != 0).any(axis=1))]
    if len(xy) < 2:
        raise _unreadable(field, "one place only")
    line = LineString(xy)
    if not line.is_simple:
        raise InvalidGeometry(
            "line_crosses_itself", f"{field} crosses or touches itself; draw it in one sweep", field=field
        )
    return line


def size_m2(area: BaseGeometry) -> float:
    """Return the size of an area in square metres, on the sheet of its own middle."""
    return float(_sheet(area).flat(area).area)


def cut(area: MultiPolygon, line: LineString, *, field: str = "line") -> Cut:
    """Cut an area along a line that enters and leaves it.

    An end inside counts as on the border when that is within `SNAP_M`; what lies outside is cut off. A line
    may cut more than once, and then there are more than two pieces.
    Raises `InvalidGeometry`: `line_does_not_cut` with what keeps it from dividing the area,
    `piece_too_small` for a piece under `LEAST_PIECE_M2` or `LEAST_WIDTH_M`.
    """
    border = Borders(np.array([area], dtype=object))
    lines = [_on_border(piece, area, border) for piece in _inside(_fitted(line, area, border, field), area)]
    lines = [piece for piece in lines if piece.length and not _along(piece, area)]
    nodes = np.array([place for piece in lines for place in (piece.coords[0], piece.coords[-1])])
    if not len(lines):
        raise _uncut(field, "it passes the area by, or only touches its border")
    noded = with_vertices(area, nodes)
    outline = edges_of(noded)
    drawn = {edge for piece in lines for edge in edges_along(piece)}
    fresh: list[Polygon] = []
    whole: list[Polygon] = []
    for face, edges in faces_of(outline | drawn):
        if not edges.isdisjoint(outline) or (edges.isdisjoint(turned(outline)) and _covers(area, face)):
            (fresh if not edges.isdisjoint(drawn | turned(drawn)) else whole).append(face)
    found = [*fresh, *whole]
    if len(found) <= len(shapely.get_parts(area)):
        raise _uncut(field, "it does not divide the area in two; draw it from border to border")
    if not shapely.is_valid(found).all() or not np.isclose(
        shapely.area(found).sum(), area.area, rtol=1e-9, atol=0
    ):
        raise _uncut(field, "it runs along the border of the area; keep it clearly inside")
    fresh.sort(key=size_m2, reverse=True)
    for piece in fresh:
        check_piece(piece, field=field)
    first = MultiPolygon([fresh[0], *whole])
    return Cut(tuple(tidy(piece) for piece in (first, *fresh[1:])), nodes)


def check_piece(piece: BaseGeometry, *, field: str) -> None:
    """Raise `InvalidGeometry` ("piece_too_small") for a sliver."""
    flat = _sheet(piece).flat(piece)
    width = 2 * flat.area / flat.length if flat.length else 0.0
    if flat.area >= LEAST_PIECE_M2 and width >= LEAST_WIDTH_M:
        return
    raise InvalidGeometry(
        "piece_too_small",
        f"{field} leaves a piece of {flat.area:,.0f} m2, {width:.1f} m wide on average; at least "
        f"{LEAST_PIECE_M2:g} m2 and {LEAST_WIDTH_M:g} m are wanted",
        field=field,
        got=[round(float(flat.area), 1), round(float(width), 1)],
        wanted=[LEAST_PIECE_M2, LEAST_WIDTH_M],
    )


def meant_run(one: MultiPolygon, other: MultiPolygon, line: LineString, *, field: str = "line") -> Run:
    """Return the shared edge whose two ends the line begins and ends at, and the line brought to them.

    Areas that share several edges, with others in between, are moved one edge at a time.
    Raises `InvalidGeometry`: `not_neighbours` when they share no edge, `line_misses_edge` (with the ends of
    the shared edges as `wanted`) when the line ends further than `SNAP_M` from them, `line_leaves_areas`.
    """
    runs = shared_runs(one, other)
    if not runs:
        raise InvalidGeometry(
            "not_neighbours",
            "the two areas do not touch along an edge, so there is none to move",
            field=field,
        )
    sheet = _sheet(line)
    ends = [(run, turn) for run in runs if not run.is_closed for turn in (False, True)]
    away = [_ends_apart(sheet, run.reverse() if turn else run, line) for run, turn in ends]
    if not away or min(away) > SNAP_M:
        wanted = [[list(run.coords[0]), list(run.coords[-1])] for run in runs if not run.is_closed]
        said = "; ".join(f"{a[0]:.6f}, {a[1]:.6f} and {b[0]:.6f}, {b[1]:.6f}" for a, b in wanted)
        words = (
            f"{field} must begin and end within {SNAP_M:g} m of the ends of an edge that they share: {said}"
        )
        if not wanted:
            words = "one of the areas lies inside the other: their edge has no ends; split and merge instead"
        raise InvalidGeometry(
            "line_misses_edge",
            words,
            field=field,
            got=[list(line.coords[0]), list(line.coords[-1])],
            wanted=wanted,
        )
    run, turn = ends[int(np.argmin(away))]
    edge = run.reverse() if turn else run
    return Run(edge, _between_ends(one, other, edge, line, field))


def edge_moved(one: MultiPolygon, other: MultiPolygon, run: Run) -> tuple[MultiPolygon, MultiPolygon]:
    """Return two neighbours with the line in the place of their edge; what one loses the other gets.

    Holds for the areas that the run was found between, and for areas above them that meet along it too.
    Raises `InvalidGeometry`: `edges_differ` when they do not meet along all of it, or the line does not divide.
    """
    left, right = edges_of(one), edges_of(other)
    mine = run_between(run.edge, left, right)
    line = set(edges_along(run.line))
    forward = line if set(edges_along(run.edge)) == mine else turned(line)
    return shaped((left - mine) | forward), shaped((right - turned(mine)) | turned(forward))


def _fitted(line: LineString, area: MultiPolygon, border: Borders, field: str) -> LineString:
    """Return the line with an end that falls short of the border moved to it."""
    places = [(x, y) for x, y in line.coords]
    for end, name in ((0, "begins"), (-1, "ends")):
        if not area.covers(Point(places[end])):
            continue
        metres, foot = _nearest(border, places[end])
        if metres > SNAP_M:
            raise _uncut(
                field,
                f"it {name} inside the area, {metres:,.0f} m from its border; draw it across the border, "
                f"or at least to within {SNAP_M:g} m",
            )
        places[end] = foot
    return LineString(places)


def _inside(line: LineString, area: MultiPolygon) -> list[LineString]:
    found = shapely.intersection(line, area)
    if isinstance(found, MultiLineString):
        found = shapely.line_merge(found)
    return [part for part in shapely.get_parts(found) if isinstance(part, LineString) and not part.is_empty]


def _on_border(piece: LineString, area: MultiPolygon, border: Borders) -> LineString:
    """Return a piece of the line with both ends on the border: in a corner, where one is close."""
    places = [(x, y) for x, y in piece.coords]
    corners = shapely.get_coordinates(area)
    for end in (0, -1):
        foot = _nearest(border, places[end])[1]
        scale = _scale(foot[1])
        away = np.hypot(*((corners - foot) * scale).T)
        nearest = int(np.argmin(away))
        x, y = corners[nearest].tolist() if away[nearest] <= CORNER_M else foot
        places[end] = (x, y)
    return LineString(list(dict.fromkeys(places)) if places[0] != places[-1] else places[:1] * 2)


def _along(piece: LineString, area: MultiPolygon) -> bool:
    """Tell whether a piece runs along the border only."""
    return bool(area.boundary.buffer(ROUNDING).covers(piece))


def _between_ends(
    one: MultiPolygon, other: MultiPolygon, edge: LineString, line: LineString, field: str
) -> LineString:
    """Return the line from end to end of the edge, where it stays inside the two areas."""
    start, end = edge.coords[0], edge.coords[-1]
    places = list(line.coords)[1:-1]
    held = shapely.covers(shapely.union(one, other), shapely.points(places or [start]))
    scale = _scale(start[1])
    # what sticks out close to an end was meant to stop there
    loose = [
        not inside and min(np.hypot(*((np.array(place) - node) * scale)) for node in (start, end)) <= SNAP_M
        for place, inside in zip(places, held.tolist(), strict=False)
    ]
    middle = [
        place for place, out in zip(places, loose, strict=True) if not out and place not in (start, end)
    ]
    drawn = LineString([start, *middle, end])
    run = set(edges_along(edge))
    rest = (edges_of(one) | edges_of(other)) - run - turned(run)
    met = drawn.intersection(MultiLineString(sorted(rest)))
    half = drawn.interpolate(0.5, normalized=True)
    clear = {(x, y) for x, y in shapely.get_coordinates(met).tolist()} <= {start, end}
    if drawn.is_simple and clear and not met.length and (one.covers(half) or other.covers(half)):
        return drawn
    place = next((p for p in shapely.get_coordinates(met).tolist() if tuple(p) not in (start, end)), None)
    where = "" if place is None else f", at {place[0]:.6f}, {place[1]:.6f}"
    raise InvalidGeometry(
        "line_leaves_areas",
        f"{field} has to stay inside the two areas between the ends of their edge, but leaves them{where}",
        field=field,
        got=place,
    )


def _ends_apart(sheet: Plane, run: LineString, line: LineString) -> float:
    """Return how far, in metres, the further of the two ends of the line is from that of the run."""
    own, drawn = (shapely.get_coordinates(sheet.flat(shape))[[0, -1]] for shape in (run, line))
    return float(np.hypot(*(own - drawn).T).max())


def _covers(area: MultiPolygon, face: BaseGeometry) -> bool:
    return bool(area.covers(face.representative_point()))


def _nearest(border: Borders, place: tuple[float, float]) -> tuple[float, tuple[float, float]]:
    """Return how many metres the border is away, and where on it."""
    x, y = np.array([place[0]]), np.array([place[1]])
    along, up = degree_in_metres(y)
    found = border.nearest(x, y, np.zeros(1, dtype=np.intp), along, up)
    return float(found.distance[0]), (float(found.x[0]), float(found.y[0]))


def _scale(lat: float) -> Floats:
    along, up = degree_in_metres(np.array([lat]))
    return np.array([float(along[0]), float(up[0])])


def _sheet(shape: BaseGeometry) -> Plane:
    west, south, east, north = shape.bounds
    x, y = (west + east) / 2, (south + north) / 2
    along, up = _scale(y).tolist()
    return Plane((x, y), (along, up))


def _uncut(field: str, why: str) -> InvalidGeometry:
    return InvalidGeometry("line_does_not_cut", f"{field} does not cut the area: {why}", field=field)


def _unreadable(field: str, got: str) -> InvalidGeometry:
    return InvalidGeometry(
        "line_unreadable",
        f"{field} must be a line of 2 to {MOST_LINE_VERTICES} places, as a GeoJSON LineString or a list of "
        f"[longitude, latitude], but is {got}",
        field=field,
        got=got,
        wanted="LineString",
    )
