"""Editions: a checked grid is loaded, put into force from a day on, and ends when another takes its place."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from shapely import Polygon, box, to_geojson

from gis.errors import Conflict, CoverageBroken, NotFound, Unavailable
from grids import atlas
from grids.ground import editions
from grids.ground.comparing import compare
from grids.ground.mapping import read_mapping
from grids.ground.plan import check_plan, plan_edition
from grids.tables import Edition, EditionStatus

DATA = Path(__file__).parents[2].parent / "shared" / "data"
MAPPINGS = Path(__file__).parents[2] / "docs" / "examples" / "mappings"
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
TODAY = date(2026, 3, 2)
WEST, SOUTH, STEP = 117.0, 36.0, 0.01


def features(cells, district="990101", names=None, south=SOUTH):
    """Return a grid of one town with one community in a row of square cells, from widths in steps."""
    edges = [WEST]
    for width in cells:
        edges.append(round(edges[-1] + width * STEP, 6))
    whole = box(WEST, south, edges[-1], south + STEP)
    shapes = {district: whole, f"{district}001": whole, f"{district}001001": whole}
    for number in range(len(cells)):
        code = f"{district}001001{number + 1:03d}"
        shapes[code] = box(edges[number], south, edges[number + 1], south + STEP)
    return {code: (shape, (names or {}).get(code, f"第{code[-3:]}")) for code, shape in shapes.items()}


def write(path, areas, households=400):
    rows = [
        {
            "type": "Feature",
            "properties": {"code": code, "name": name, "households": households if len(code) == 15 else None},
            "geometry": json.loads(to_geojson(shape)),
        }
        for code, (shape, name) in areas.items()
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": rows}), "utf-8")
    return path


@pytest.fixture
def load(session, tmp_path):
    """Load a grid made of cells of these widths, effective from a day."""

    def load(cells, effective=date(2026, 1, 1), **how):
        areas = cells if isinstance(cells, dict) else features(cells, **how)
        plan = plan_edition(write(tmp_path / "grid.geojson", areas), frame="CGCS2000")
        return editions.load(session, plan, check_plan(plan), name="n", effective_from=effective, now=NOW)

    return load


def with_99_bowties():
    """Return a grid of 120 cells, 99 of which cross themselves."""
    areas = features([1] * 120)
    for number in range(1, 100):
        code = f"990101001001{number:03d}"
        west, south, east, north = areas[code][0].bounds
        bowtie = Polygon([(west, south), (east, north), (east, south), (west, north)])
        areas[code] = (bowtie, areas[code][1])
    return areas


def test_a_draft_is_stored_whole_and_is_not_in_force(session, load):
    edition = load([1, 1, 2])

    areas = editions.areas_of(session, edition.id)
    assert areas["code"].tolist()[-3:] == [f"99010100100100{n}" for n in (1, 2, 3)]
    assert areas["area_m2"].iloc[-1] == pytest.approx(2 * areas["area_m2"].iloc[-2], rel=1e-4)
    assert (edition.status, edition.effective_to) == (EditionStatus.DRAFT, None)
    with pytest.raises(Unavailable):
        atlas.current(session, on=TODAY)


def test_publishing_puts_it_into_force_at_once(session, load):
    edition = load([1, 1])

    editions.publish(session, edition.id, by="王", now=NOW)

    assert (edition.published_at, edition.published_by) == (NOW, "王")
    place = atlas.locate(session, 117.015, 36.005, "CGCS2000", on=TODAY)
    assert (place.code, place.edition_id) == ("990101001001002", edition.id)


def test_an_edition_is_not_in_force_before_its_day(session, load):
    edition = load([1, 1], effective=date(2026, 4, 1))
    editions.publish(session, edition.id, by="王", now=NOW)

    with pytest.raises(Unavailable):
        atlas.current(session, on=date(2026, 3, 31))
    assert atlas.current(session, on=date(2026, 4, 1)).editions.tolist() == [edition.id] * 2


def test_a_new_edition_takes_the_place_of_the_old_one_and_the_atlas_changes_at_once(session, load):
    first = load([1, 1])
    editions.publish(session, first.id, by="王", now=NOW)
    assert atlas.locate(session, 117.012, 36.005, "CGCS2000", on=TODAY).code == "990101001001002"

    second = load([1.5, 0.5], effective=date(2026, 3, 1))
    editions.publish(session, second.id, by="王", now=NOW)

    assert (first.status, first.effective_to) == (EditionStatus.SUPERSEDED, date(2026, 3, 1))
    place = atlas.locate(session, 117.012, 36.005, "CGCS2000", on=TODAY)
    assert (place.code, place.edition_id) == ("990101001001001", second.id)
    earlier = atlas.locate(session, 117.012, 36.005, "CGCS2000", on=date(2026, 2, 28))
    assert (earlier.code, earlier.edition_id) == ("990101001001002", first.id)


def test_a_grid_with_99_invalid_rings_is_kept_refused_and_touches_nothing(session, load):
    first = load([1, 1])
    editions.publish(session, first.id, by="王", now=NOW)
    codes = atlas.current(session, on=TODAY).codes.tolist()

    broken = load(with_99_bowties(), effective=date(2026, 3, 1))
    with pytest.raises(CoverageBroken) as refused:
        editions.publish(session, broken.id, by="王", now=NOW)

    assert refused.value.code == "edition_has_faults"
    rings = [fault for fault in broken.report["faults"] if fault["kind"] == "invalid_ring"]
    assert {code for fault in rings for code in fault["codes"]} == {
        f"990101001001{n:03d}" for n in range(1, 100)
    }
    session.refresh(first)
    assert (first.status, first.effective_to) == (EditionStatus.PUBLISHED, None)
    assert (broken.status, broken.published_at) == (EditionStatus.DRAFT, None)
    assert atlas.current(session, on=TODAY).codes.tolist() == codes


def test_an_edition_cannot_begin_before_the_one_it_replaces(session, load):
    first, second = load([1, 1], effective=date(2026, 2, 1)), load([2], effective=date(2026, 1, 1))
    editions.publish(session, first.id, by="王", now=NOW)

    with pytest.raises(Conflict) as refused:
        editions.publish(session, second.id, by="王", now=NOW)

    assert refused.value.code == "earlier_than_current"
    assert (first.status, second.status) == (EditionStatus.PUBLISHED, EditionStatus.DRAFT)


def test_a_published_edition_is_not_published_again(session, load):
    edition = load([1, 1])
    editions.publish(session, edition.id, by="王", now=NOW)

    with pytest.raises(Conflict) as refused:
        editions.publish(session, edition.id, by="李", now=NOW)

    assert refused.value.code == "not_a_draft"
    assert edition.published_by == "王"


def test_editions_of_two_districts_are_in_force_side_by_side(session, load):
    here, there = load([1, 1]), load([1, 1], district="990102")
    for edition in (here, there):
        editions.publish(session, edition.id, by="王", now=NOW)

    assert here.effective_to is None
    assert {code[:6] for code in atlas.current(session, on=TODAY).codes} == {"990101", "990102"}


def test_an_edition_that_would_leave_a_district_without_a_grid_is_refused(session, load):
    both, one = load(features([1, 1]) | features([1, 1], district="990102", south=36.02)), load([2])
    editions.publish(session, both.id, by="王", now=NOW)

    with pytest.raises(Conflict) as refused:
        editions.publish(session, one.id, by="王", now=NOW)

    assert (refused.value.code, refused.value.facts["districts"]) == ("districts_left_out", ["990102"])
    assert {code[:6] for code in atlas.current(session, on=TODAY).codes} == {"990101", "990102"}


def test_an_edition_that_is_not_there_is_named(session):
    with pytest.raises(NotFound) as refused:
        editions.publish(session, 4711, by="王", now=NOW)

    assert refused.value.code == "edition_not_found"


def test_editions_are_listed_the_newest_first(session, load):
    first, second = load([1, 1]), load([1, 1, 1])

    assert [(edition.id, areas) for edition, areas in editions.listing(session)] == [
        (second.id, 6),
        (first.id, 5),
    ]


def test_two_editions_are_told_apart_area_by_area(session, load):
    first = load([1, 1])
    second = load([1.5, 0.5, 1], names={"990101001001001": "东头"})

    found = compare(editions.areas_of(session, first.id), editions.areas_of(session, second.id))

    assert found.added == {"990101001001003": "第003"}
    assert found.removed == {}
    grown = next(change for change in found.changed if change.code == "990101001001001")
    assert (grown.name_before, grown.name_after) == ("第001", "东头")
    assert grown.gained == pytest.approx(0.5, abs=1e-3)
    assert grown.lost == 0
    shifted = next(change for change in found.changed if change.code == "990101001001002")
    assert shifted.lost == pytest.approx(0.5, abs=1e-3)
    assert "+50.0" in grown.line()


def test_an_edition_does_not_differ_from_itself(session, load):
    areas = editions.areas_of(session, load([1, 2, 1]).id)

    found = compare(areas, areas)

    assert (found.added, found.removed, found.changed, found.unchanged) == ({}, {}, (), len(areas))


def test_a_draft_with_faults_can_be_compared(session, load):
    sound, broken = load([1] * 120), load(with_99_bowties())

    found = compare(editions.areas_of(session, sound.id), editions.areas_of(session, broken.id))

    assert len(found.changed) == 99
    assert all(0 < change.lost < 1 for change in found.changed)


@pytest.mark.skipif(not DATA.is_dir(), reason="the sample data is not beside this checkout")
@pytest.mark.parametrize(
    ("path", "mapping", "areas"),
    [("nyc/nyc_grids_4level.gpkg", "nyc.toml", 2444), ("taichung", "taichung.toml", 655)],
)
def test_real_grids_load_and_publish(session, path, mapping, areas):
    plan = plan_edition(DATA / path, read_mapping(MAPPINGS / mapping))

    edition = editions.load(
        session, plan, check_plan(plan), name=path, effective_from=date(2020, 1, 1), now=NOW
    )
    editions.publish(session, edition.id, by="王", now=NOW)

    assert session.get(Edition, edition.id).status is EditionStatus.PUBLISHED
    assert len(editions.areas_of(session, edition.id)) == areas
