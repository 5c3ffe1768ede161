"""A grid drawn anew at random, step by step: after each step it is a grid, and replayed it is the same one."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import numpy as np
import pytest
import shapely
from shapely.geometry import LineString

from gis.edges import edges_of, shared_runs
from gis.errors import CityError
from gis.lineage import changes_of, lineage
from gis.locate import Locator
from grids.demo.ground import make_ground
from grids.demo.scales import Size
from grids.ground.gate import check_grid
from grids.ground.redraw import Operation, apply
from grids.rules.levels import GridLevel

STEPS = 50
CARELESS = {
    "line_does_not_cut",
    "piece_too_small",
    "line_leaves_areas",
    "line_misses_edge",
    "parent_left_empty",
    "children_straddle",
    "line_crosses_itself",
}
CELL = GridLevel.BUILDING_GROUP.value


class Hand:
    """Somebody who draws: picks areas that are there, and lines that go roughly right."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def draws(self, areas):
        kind = self.random.choice(["split", "merge", "move_edge", "reassign"], p=[0.35, 0.2, 0.25, 0.2])
        return Operation.from_json({"kind": str(kind), **getattr(self, str(kind))(areas)})

    def one_of(self, areas):
        return areas.iloc[int(self.random.integers(len(areas)))]

    def neighbours(self, areas):
        """Return the codes of two cells that share an edge, and that edge."""
        while True:
            cell = self.one_of(areas)
            for other in areas.iloc[self.random.permutation(len(areas))[:40]].itertuples(index=False):
                if other.code != cell.code and (runs := shared_runs(cell.geometry, other.geometry)):
                    return cell, other, runs[int(self.random.integers(len(runs)))]

    def split(self, areas):
        cell = self.one_of(areas[areas["level"] == CELL])
        west, south, east, north = cell.geometry.bounds
        middle, size = np.array([(west + east) / 2, (south + north) / 2]), max(east - west, north - south)
        turn = self.random.uniform(0, np.pi)
        way = np.array([np.cos(turn), np.sin(turn)]) * size
        bend = middle + self.random.normal(0, 0.08, 2) * size
        return {"code": cell.code, "line": [(middle - way).tolist(), bend.tolist(), (middle + way).tolist()]}

    def merge(self, areas):
        level = self.random.choice([CELL, CELL, CELL, GridLevel.COMMUNITY.value])
        while True:
            one, other, _ = self.neighbours(areas[areas["level"] == level])
            if one.parent_code == other.parent_code:
                return {"codes": [one.code, other.code]}

    def move_edge(self, areas):
        one, other, run = self.neighbours(areas[areas["level"] == CELL])
        start, end = np.array(run.coords[0]), np.array(run.coords[-1])
        aside = np.array([start[1] - end[1], end[0] - start[0]]) * self.random.uniform(-0.25, 0.25)
        places = [start, start * 0.6 + end * 0.4 + aside, end + 5e-5]  # the far end some metres off
        return {"codes": [one.code, other.code], "line": [place.tolist() for place in places]}

    def reassign(self, areas):
        level = self.random.choice([CELL, CELL, GridLevel.COMMUNITY.value])
        for _ in range(200):
            one, other, _ = self.neighbours(areas[areas["level"] == level])
            if one.parent_code != other.parent_code:
                return {"code": one.code, "to_parent": other.parent_code}
        raise AssertionError("all cells lie in one community")


def a_city(seed):
    size = Size(1, 2, 2, 16, 100, 1, 1, 1, 9_000.0)
    areas = make_ground(size, np.random.default_rng(seed)).areas
    areas["name"] = areas["code"]
    return areas


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_however_a_grid_is_redrawn_each_place_has_exactly_one_cell(seed):
    base = a_city(seed)
    hand, random = Hand(seed), np.random.default_rng(seed)
    district = base.geometry[0]
    west, south, east, north = district.bounds
    points = random.uniform([west, south], [east, north], (5_000, 2))
    places = shapely.points(points)
    held = shapely.covers(district, places)
    done, areas, used = [], base, frozenset()
    refused = Counter()

    while len(done) < STEPS:
        operation = hand.draws(areas)
        try:
            after = apply(areas, [operation], used)
        except CityError as error:
            refused[error.code] += 1
            continue
        assert check_grid(after.areas).errors == (), operation
        check_edges_match(after.areas)
        assert after.areas["code"].is_unique
        assert used | set(areas["code"]) <= after.used_codes
        fresh = set(after.areas["code"]) - set(areas["code"])
        assert fresh.isdisjoint(used), "a retired code came back"
        check_rest_untouched(areas, after.areas)
        cells = after.areas[after.areas["level"] == CELL]
        found = shapely.STRtree(places).query(cells.geometry.to_numpy(), predicate="intersects")[1]
        assert (np.bincount(found, minlength=len(points))[held] == 1).all()
        done.append(operation)
        areas, used = after.areas, after.used_codes

    assert len({operation.kind for operation in done}) == 4
    assert set(refused) <= CARELESS
    assert refused.total() < STEPS
    assert shapely.area(cells.geometry.to_numpy()).sum() == pytest.approx(district.area, rel=1e-6)
    located = Locator(cells.geometry.to_numpy()).locate(*points.T)
    assert ((located >= 0) == held).all()
    again = apply(base, done)
    assert_same(again.areas, areas)
    assert_same(apply(base, [Operation.from_json(one.to_json()) for one in done]).areas, areas)
    homes = areas[areas["level"] == GridLevel.DISTRICT.value]["households"].sum()
    assert homes == base["households"][0] == cells["households"].sum()
    links = lineage(base, areas)
    assert links.groupby("before_code")["area_share"].sum().to_numpy() == pytest.approx(1, abs=1e-9)
    assert set(changes_of(links)["kind"]) <= {"same", "cut", "merged", "split", "renamed"}


kept_edges_of = lru_cache(1_000)(edges_of)  # most areas are those of the step before


def check_edges_match(areas):
    """Neighbours have the same vertices, and each parent those of its children."""
    for level in GridLevel:
        shapes = areas[areas["level"] == level.value].geometry.to_numpy()
        assert shapely.coverage_is_valid(shapes), level
    edges = dict(zip(areas["code"], map(kept_edges_of, areas.geometry), strict=True))
    for parent, children in areas.groupby("parent_code")["code"]:
        total = set()
        for code in children:
            back = {(end, start) for start, end in edges[code]}
            total = (total - back) | (edges[code] - {(end, start) for start, end in total})
        assert total == edges[parent], parent


def check_rest_untouched(before, after):
    """What an operation does not touch is the same to the last digit, and most is not touched."""
    old, new = (
        dict(zip(areas["code"], shapely.to_wkb(areas.geometry), strict=True)) for areas in (before, after)
    )
    kept = set(old.values()) & set(new.values())
    assert len(new) - len(kept) < 25


def assert_same(one, other):
    assert one.drop(columns="geometry").equals(other.drop(columns="geometry"))
    assert shapely.to_wkb(one.geometry).tolist() == shapely.to_wkb(other.geometry).tolist()


def test_a_line_along_the_borders_of_cells_splits_their_community():
    areas = a_city(5)
    community = areas[areas["level"] == GridLevel.COMMUNITY.value].iloc[2]
    cells = areas[areas["parent_code"] == community.code]
    first = cells.iloc[: len(cells) // 2]
    edge = shapely.line_merge(
        shapely.intersection(
            shapely.coverage_union_all(first.geometry),
            shapely.coverage_union_all(cells.iloc[len(first) :].geometry),
        )
    )
    drawn = max(shapely.get_parts(edge), key=lambda line: line.length).simplify(1e-5)
    assert isinstance(drawn, LineString)

    after = apply(
        areas, [Operation.from_json({"kind": "split", "code": community.code, "line": list(drawn.coords)})]
    )

    assert check_grid(after.areas).errors == ()
    check_edges_match(after.areas)
    assert len(after.areas) == len(areas) + 1
    assert set(after.code_changes) < set(cells["code"])
    assert after.areas["households"].iloc[0] == areas["households"].iloc[0]
