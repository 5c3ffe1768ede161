"""Tiles, decoded by GDAL, hold what the rows hold."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pandas as pd
import pyogrio
import pytest
from geoalchemy2.shape import from_shape
from shapely import MultiPolygon, box
from sqlalchemy import func, select

from gis.tiles import EXTENT, Tile
from grids import register, tiles
from grids.register import Filters
from grids.rules.grading import Grade
from grids.rules.levels import GridLevel
from grids.rules.lifecycle import IncidentStatus
from grids.rules.permissions import Scope
from grids.tables import Edition, EditionStatus, Grid, Incident

pytestmark = pytest.mark.database

TODAY = date(2026, 6, 3)
WEST, SOUTH, EAST, NORTH = 117.0, 36.0, 117.06, 36.02


def read(tmp_path, tile: bytes, layer: str):
    """Return a decoded tile, its geometry in the tile's units, y from the south as GDAL turns it."""
    path = tmp_path / "0.mvt"
    path.write_bytes(tile)
    return pyogrio.read_dataframe(path, layer=layer, CLIP="NO")


def spot(lon: float, lat: float, z: int) -> tuple[float, float]:
    """Return where a place lies among the tiles of a zoom, in tiles."""
    x = (lon + 180) / 360 * 2**z
    y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * 2**z
    return x, y


def tile_of(lon: float, lat: float, z: int) -> Tile:
    return Tile(z, *(math.floor(value) for value in spot(lon, lat, z)))


def tiles_of_the_town(z: int) -> list[Tile]:
    (west, north), (east, south) = spot(WEST, NORTH, z), spot(EAST, SOUTH, z)
    return [
        Tile(z, x, y)
        for x in range(math.floor(west), math.floor(east) + 1)
        for y in range(math.floor(north), math.floor(south) + 1)
    ]


@pytest.mark.parametrize(
    ("zoom", "level", "codes"),
    [
        (8, "district", 1),
        (9, "town", 2),
        (11, "community", 3),
    ],
)
def test_the_zoom_says_which_level_is_drawn(city, tmp_path, zoom, level, codes):
    drawn = read(tmp_path, tiles.grid_tile(city.session, tile_of(117.03, 36.01, zoom), on=TODAY), "grids")

    assert set(drawn["level"]) == {level}
    assert len(drawn) == codes


@pytest.mark.parametrize("zoom", [12, 13, 15])
def test_a_tile_has_the_cells_that_touch_it_and_no_other(city, tmp_path, zoom):
    for tile in tiles_of_the_town(zoom):
        touched = city.session.scalars(
            select(Grid.code)
            .where(
                Grid.level == "building_group",
                func.ST_Intersects(Grid.boundary, func.ST_MakeEnvelope(*tile.box(tiles.BUFFER), 4490)),
            )
            .order_by(Grid.code)
        ).all()

        made = tiles.grid_tile(city.session, tile, level=GridLevel.BUILDING_GROUP, on=TODAY)

        assert (read(tmp_path, made, "grids")["code"].tolist() if made else []) == touched


def test_a_cell_has_its_attributes_and_its_shape(city, tmp_path):
    code = "990101001001002"
    tile = tile_of(117.015, 36.01, 14)
    row = city.session.scalars(select(Grid).where(Grid.code == code)).one()

    drawn = read(tmp_path, tiles.grid_tile(city.session, tile, on=TODAY), "grids").set_index("code")

    found = drawn.loc[code]
    assert (found["name"], found["level"], found["households"]) == ("第002", "building_group", 400)
    assert (found["edition"], found["mvt_id"]) == (row.edition_id, row.id)
    (west, north), (east, south) = (spot(*place, 14) for place in ((117.01, 36.02), (117.02, 36.0)))
    shape = box(*(EXTENT * v for v in (west - tile.x, tile.y + 1 - south, east - tile.x, tile.y + 1 - north)))
    clipped = shape.intersection(box(-64, -64, EXTENT + 64, EXTENT + 64))
    assert found.geometry.symmetric_difference(clipped).area < 0.001 * clipped.area


def test_neighbours_share_their_border_in_the_tile_too(city, tmp_path):
    drawn = read(tmp_path, tiles.grid_tile(city.session, tile_of(117.02, 36.01, 14), on=TODAY), "grids")

    shapes = drawn.geometry.tolist()
    assert len(shapes) > 1
    assert sum(shape.area for shape in shapes) == pytest.approx(drawn.union_all().area)


def test_nothing_lies_in_a_tile_of_the_sea(city):
    assert tiles.grid_tile(city.session, Tile(14, 0, 0), on=TODAY) == b""
    assert tiles.incident_tile(city.session, Scope(everything=True), Tile(14, 0, 0), Filters()) == b""
    assert tiles.incident_tile(city.session, Scope(everything=True), Tile(3, 0, 0), Filters()) == b""


def test_another_edition_is_drawn_when_asked_for(city, tmp_path):
    draft = Edition(
        name="draft",
        status=EditionStatus.DRAFT,
        source="test",
        frame="CGCS2000",
        leaf_level=GridLevel.DISTRICT,
        effective_from=date(2030, 1, 1),
        loaded_at=city.clock(),
        report={},
    )
    city.session.add(draft)
    city.session.flush()
    city.session.add(
        Grid(
            edition_id=draft.id,
            code="990199",
            level=GridLevel.DISTRICT,
            name="新区",
            area_m2=1.0,
            boundary=from_shape(MultiPolygon([box(WEST, SOUTH, EAST, NORTH)]), srid=4490),
        )
    )
    city.session.flush()
    tile = tile_of(117.03, 36.01, 8)

    now = read(tmp_path, tiles.grid_tile(city.session, tile, on=TODAY), "grids")
    then = read(tmp_path, tiles.grid_tile(city.session, tile, edition_id=draft.id, on=TODAY), "grids")

    assert (now["code"].tolist(), then["code"].tolist()) == (["990101"], ["990199"])


@pytest.fixture
def scattered(city):
    """Two hundred incidents all over the town, some on the very edges of tiles."""
    draw = np.random.default_rng(3)
    places = draw.uniform((WEST, SOUTH), (EAST, NORTH), (180, 2)).tolist()
    edges = [tile.box()[::3] for tile in tiles_of_the_town(15)[:6]]  # west, north
    first = city.report()
    grades = [*Grade, None]
    for i, (lon, lat) in enumerate(places + [(w, min(max(n, SOUTH), NORTH)) for w, n in edges]):
        city.stand_at(
            f"T{i:05d}",
            lon,
            lat,
            status=IncidentStatus.REPORTED if i % 4 else IncidentStatus.CLOSED,
            channel=first.channel,
            text="x",
            category_code="10-001" if i % 3 else None,
            grade=grades[i % 6],
            grid_code=f"990101001001{1 + i % 2:03d}" if i % 5 else "990101002001001",
            placement=first.placement,
            received_at=city.clock(),
        )
    for status in (IncidentStatus.MERGED, IncidentStatus.REJECTED, IncidentStatus.CANCELLED):
        city.report().status = status
    city.session.flush()
    return city


@pytest.mark.parametrize("zoom", [5, 9, 11, 12])
@pytest.mark.parametrize("login", ["platform", "centre", "worker", "leader3", "CG"])
def test_the_squares_of_all_tiles_add_up_to_what_the_reader_may_see(scattered, tmp_path, zoom, login):
    scope = scattered[login].scope
    seen = [
        one
        for one in register.find_incidents(scattered.session, scope, Filters(), limit=200).items
        if one.status not in (IncidentStatus.MERGED, IncidentStatus.REJECTED, IncidentStatus.CANCELLED)
    ]
    counted, worst = 0, []

    for tile in tiles_of_the_town(zoom):
        made = tiles.incident_tile(scattered.session, scope, tile, Filters())
        if made:
            drawn = read(tmp_path, made, "incidents")
            counted += int(drawn["n"].sum())
            worst += [Grade(each) for each in drawn["worst"].dropna()] if "worst" in drawn else []

    assert counted == len(seen)
    assert min((grade.rank for grade in worst), default=None) == min(
        (one.grade.rank for one in seen if one.grade), default=None
    )


def test_from_a_zoom_on_each_incident_is_a_point_where_it_lies(scattered, tmp_path):
    scope = scattered["platform"].scope
    where = {
        row.number: (row.lon, row.lat, row.status.value, row.grade)
        for row in scattered.session.execute(
            select(
                Incident.number,
                func.ST_X(Incident.point).label("lon"),
                func.ST_Y(Incident.point).label("lat"),
                Incident.status,
                Incident.grade,
            ).where(Incident.status.in_((IncidentStatus.REPORTED, IncidentStatus.CLOSED)))
        )
    }
    inside: list[str] = []

    for tile in tiles_of_the_town(15):
        made = tiles.incident_tile(scattered.session, scope, tile, Filters())
        for row in read(tmp_path, made, "incidents").itertuples() if made else ():
            lon, lat, status, grade = where[row.number]
            x, y = spot(lon, lat, 15)
            unit = ((x - tile.x) * EXTENT, (tile.y + 1 - y) * EXTENT)
            assert (row.geometry.x, row.geometry.y) == pytest.approx(unit, abs=1.01)
            assert row.status == status
            assert row.grade == grade.value if grade else pd.isna(row.grade)
            if (math.floor(x), math.floor(y)) == (tile.x, tile.y):
                inside.append(row.number)

    assert sorted(inside) == sorted(where)


def test_a_tile_with_more_points_than_a_browser_draws_is_gathered_in_squares(
    scattered, tmp_path, monkeypatch
):
    tile = tile_of(117.03, 36.01, 13)
    scope = scattered["platform"].scope
    assert "number" in read(
        tmp_path, tiles.incident_tile(scattered.session, scope, tile, Filters()), "incidents"
    )

    monkeypatch.setattr(tiles, "MOST_POINTS", 5)

    drawn = read(tmp_path, tiles.incident_tile(scattered.session, scope, tile, Filters()), "incidents")
    assert "number" not in drawn
    assert drawn["n"].sum() > 5


@pytest.mark.parametrize(
    "filters",
    [
        Filters(open_only=True),
        Filters(category="10-001"),
        Filters(grade=Grade.RED),
        Filters(area="990101002"),
        Filters(statuses=(IncidentStatus.CLOSED,)),
    ],
    ids=str,
)
def test_a_tile_holds_what_the_list_of_the_same_filters_holds(scattered, tmp_path, filters):
    scope = scattered["platform"].scope
    listed = register.find_incidents(scattered.session, scope, filters, limit=200).items
    kept = [one.number for one in listed if one.status in (IncidentStatus.REPORTED, IncidentStatus.CLOSED)]

    found: set[str] = set()
    for tile in tiles_of_the_town(14):
        made = tiles.incident_tile(scattered.session, scope, tile, filters)
        found |= set(read(tmp_path, made, "incidents")["number"]) if made else set()

    assert found == set(kept)


def test_a_tile_made_twice_is_the_same_to_the_last_byte(scattered):
    tile = tile_of(117.03, 36.01, 12)
    scope = scattered["platform"].scope

    assert tiles.grid_tile(scattered.session, tile, on=TODAY) == tiles.grid_tile(
        scattered.session, tile, on=TODAY
    )
    assert len({tiles.incident_tile(scattered.session, scope, tile, Filters()) for _ in range(3)}) == 1


def test_a_published_grid_is_drawn_once_and_a_draft_each_time(committed_city, monkeypatch):
    committed_city.session.commit()
    tile = tile_of(117.03, 36.01, 12)
    asked = []
    drawn = tiles.drawn_grid
    monkeypatch.setattr(tiles, "drawn_grid", lambda *about: asked.append(about[1]) or drawn(*about))

    first, again = (tiles.grid_tile(committed_city.session, tile, on=TODAY) for _ in range(2))

    assert first == again != b""
    assert asked == [tile]
    edition = committed_city.session.scalars(select(Edition)).one()
    edition.status = EditionStatus.DRAFT
    committed_city.session.commit()
    for _ in range(2):
        assert tiles.grid_tile(committed_city.session, tile, edition_id=edition.id, on=TODAY) == first
    assert len(asked) == 3


def test_what_a_transaction_has_written_is_drawn_for_it_alone(city, tmp_path):
    tile = tile_of(117.03, 36.01, 12)
    before = tiles.grid_tile(city.session, tile, on=TODAY)
    city.session.scalars(select(Grid).where(Grid.code == "990101001")).one().name = "新名"
    city.session.flush()

    now = tiles.grid_tile(city.session, tile, level=GridLevel.TOWN, on=TODAY)

    assert "新名" in read(tmp_path, now, "grids")["name"].tolist()
    assert tiles.grid_tile(city.session, tile, on=TODAY) == before
