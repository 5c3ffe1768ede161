"""The gate held to a grid with faults put into it at known places: it finds every one of them, and no other."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from benchmarks.damage import KINDS, METRE, Seeded, sound_grid, spoil
from gis.faults import CoverageReport, FaultKind, Severity
from grids.ground.gate import check_grid
from grids.ground.mapping import read_mapping
from grids.ground.plan import check_plan, plan_edition

FREE_OF_FAULTS = ("just_over_the_border", "noise", "repeated_vertices")
LEVELS = ("district", "town", "community", "building_group")


@pytest.fixture(scope="module")
def sound():
    """A district of four levels without a fault: 728 areas, 47 vertices each."""
    return sound_grid(communities=80, cells=640, seed=0)


@pytest.fixture(scope="module")
def wide():
    """The same with room for every kind of fault at once."""
    return [sound_grid(communities=150, cells=1200, seed=seed) for seed in range(2)]


def compared(report: CoverageReport, seeded: list[Seeded]) -> tuple[list[str], list[str]]:
    """Return what was missed and what was invented, in words."""
    missed, invented = list(seeded), []
    for fault in report.faults:
        match = next((one for one in missed if matches(fault, one)), None)
        if match is None:
            invented.append(fault.line())
        else:
            missed.remove(match)
    return [f"{one.kind.value} of {sorted(one.codes)}" for one in missed], invented


def matches(fault, seeded):
    if fault.kind is not seeded.kind or not seeded.codes <= set(fault.codes):
        return False
    if seeded.ground is None:
        return fault.lon is None
    if fault.lon is None:
        return False
    return shapely.Point(fault.lon, fault.lat).distance(seeded.ground) < METRE


def as_many_as_fit(sound, random, seed):
    """Return a grid with all kinds of faults in random order, as many as find room, and what is to be found."""
    kinds = list(random.permutation(list(KINDS)))
    while True:
        try:
            return (*spoil(sound, kinds, seed=seed), kinds)
        except LookupError:
            kinds.pop()


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_of_each_kind_is_found_where_it_is_and_nothing_else(sound, kind):
    grid, seeded = spoil(sound, [kind], seed=sorted(KINDS).index(kind))

    report = check_grid(grid)

    assert bool(seeded) == (kind not in FREE_OF_FAULTS)
    assert compared(report, seeded) == ([], [])
    assert report.ok == all(one.kind is FaultKind.SIZE_RULE for one in seeded)


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=[pytest.mark.soak] if seed >= 12 else []) for seed in range(30)]
)
def test_many_faults_at_once_are_each_found_and_nothing_else(wide, seed):
    random = np.random.default_rng(seed)
    grid, seeded, kinds = as_many_as_fit(wide[seed % 2], random, seed)

    report = check_grid(grid)

    assert len(kinds) > 25
    assert compared(report, seeded) == ([], [])


def test_the_order_of_the_rows_does_not_matter(wide):
    grid, seeded, _ = as_many_as_fit(wide[0], np.random.default_rng(5), 5)
    shuffled = grid.sample(frac=1, random_state=1).reset_index(drop=True)

    assert compared(check_grid(shuffled), seeded) == ([], [])


def test_the_comparison_notices_a_fault_that_is_missed_and_one_that_is_invented(sound):
    grid, seeded = spoil(sound, ["gap_wide"])
    report = check_grid(grid)

    assert compared(report.with_faults([]), seeded)[0] == [f"gap of {sorted(seeded[0].codes)}"]
    assert len(compared(report, [])[1]) == 1
    elsewhere = Seeded(seeded[0].kind, seeded[0].codes, shapely.Point(0, 0))
    assert compared(report, [elsewhere])[0]


def mapping(joined: bool) -> str:
    """Return how the file holds the levels: all drawn, or only the district and the cells."""
    same = [f'{key} = "{key}"' for key in ("code", "households", "population")]
    same.append('parent_by = "prefix"' if joined else 'parent = "parent_code"')
    text = ""
    for level in LEVELS:
        lines = [*same, 'column = "level"', f'value = "{level}"']
        if joined and level not in ("district", LEVELS[-1]):
            lines = ["dissolve = true", 'parent_by = "prefix"']
        text += "\n".join([f"[levels.{level}]", *lines]) + "\n"
    return text


@pytest.mark.parametrize("joined", [False, True], ids=["drawn", "joined"])
def test_what_a_file_holds_is_judged_the_same(wide, tmp_path, joined):
    """Communities and towns drawn in the file, or joined from the cells by their codes."""
    kinds = ["bow_tie", "hole_outside", "overlap_sliver", "overlap_big", "twin", "nested", "too_small"]
    if not joined:
        kinds += [
            "malformed_code",
            "not_of_its_parent",
            "gap_inside",
            "slit",
            "missing_cell",
            "level_skipped",
        ]
        kinds += ["bow_tie_community", "outside_the_district", "no_such_parent", "empty"]
    grid, seeded = spoil(wide[1], kinds, seed=3)
    rows = grid[grid["level"].isin(["district", LEVELS[-1]])] if joined else grid
    rows.drop(columns="name").to_file(tmp_path / "grid.gpkg", layer="grid")
    (tmp_path / "grid.toml").write_text(mapping(joined), "utf-8")

    plan = plan_edition(tmp_path / "grid.gpkg", read_mapping(tmp_path / "grid.toml"))

    assert compared(check_plan(plan), seeded) == ([], [])


def test_an_area_without_a_usable_code_is_one_fault_and_no_gap(sound, tmp_path):
    grid = sound.copy()
    cells = grid.index[grid["level"] == LEVELS[-1]]
    grid.loc[cells[40], "code"] = grid.loc[cells[40], "code"][:-1]
    grid.loc[cells[300], "code"] = "?"
    grid[["code", "geometry"]].to_file(tmp_path / "grid.gpkg", layer="grid")

    report = check_plan(plan_edition(tmp_path / "grid.gpkg"))

    assert [fault.kind for fault in report.faults] == [FaultKind.WRONG_CODE] * 2
    assert {fault.severity for fault in report.faults} == {Severity.ERROR}
