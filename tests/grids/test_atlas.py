"""Where a point lies: the same answer from memory and from SQL, and after a new edition at once."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest
import shapely
from geoalchemy2.shape import from_shape
from shapely import box
from shapely.geometry import MultiPolygon
from sqlalchemy import func, select, text

from gis.errors import InvalidInput, NotFound, Unavailable
from grids import atlas
from grids.demo.ground import make_ground
from grids.demo.scales import SIZES, Scale
from grids.ground import editions
from grids.ground.plan import check_plan, plan_edition
from grids.rules.levels import GridLevel
from grids.tables import Edition, EditionStatus, Grid, Placement

pytestmark = pytest.mark.database
TODAY = date(2026, 6, 3)


def in_sql(session, lon, lat):
    point = func.ST_SetSRID(func.ST_MakePoint(lon, lat), 4490)
    return session.scalar(
        select(func.min(Grid.code)).where(
            Grid.level == GridLevel.BUILDING_GROUP, func.ST_Covers(Grid.boundary, point)
        )
    )


def test_memory_and_sql_agree_on_random_points_edges_and_corners(city):
    rng = np.random.default_rng(7)
    lon, lat = rng.uniform(116.99, 117.07, 300), rng.uniform(35.995, 36.025, 300)
    edges = [(117 + 0.01 * i, 36.0 + y) for i in range(7) for y in (0.0, 0.011, 0.02)]
    points = [*zip(lon, lat, strict=True), *edges]

    for x, y in points:
        assert atlas.locate(city.session, x, y, "CGCS2000", on=TODAY).code == in_sql(city.session, x, y), (
            x,
            y,
        )


def test_an_answer_names_all_levels_the_edition_and_the_way_it_came_about(city):
    place = atlas.locate(city.session, 117.005, 36.01, "WGS84", accuracy_m=30, on=TODAY)

    assert place.levels == {
        "district": "990101",
        "town": "990101001",
        "community": "990101001001",
        "building_group": "990101001001001",
    }
    assert place.how is Placement.INSIDE
    assert place.edition_id is not None
    assert [(one.code, one.share, one.distance_m) for one in place.candidates] == [
        ("990101001001001", 1.0, 0.0)
    ]
    assert not place.confirm


def test_a_wide_accuracy_circle_shares_its_candidates(city):
    place = atlas.locate(city.session, 117.01, 36.01, "WGS84", accuracy_m=100, on=TODAY)

    assert [one.code for one in place.candidates] == ["990101001001001", "990101001001002"]
    assert [one.share for one in place.candidates] == [pytest.approx(0.5, abs=0.01)] * 2
    assert place.confirm


METRE = 1 / 90_160  # degrees of longitude at the latitude of the town
FIRST, SECOND, LAST = "990101001001001", "990101001001002", "990101002001002"


@pytest.mark.parametrize(
    ("east_m", "accuracy_m", "codes", "confirm"),
    [
        # metres east of the edge between the first and the second cell
        (-12, None, [FIRST, SECOND], True),  # nobody says how sure: a circle of thirty metres
        (12, None, [SECOND, FIRST], True),
        (-12, 3, [FIRST, SECOND], True),  # a phone that thinks it is sure is not believed that far
        (-29, None, [FIRST, SECOND], True),
        (-31, None, [FIRST], False),
        (-31, 29, [FIRST], False),
        (-31, 40, [FIRST, SECOND], True),
        (-400, 40, [FIRST], False),
        (-400, 450, [FIRST, SECOND], True),
    ],
)
def test_a_circle_that_reaches_into_another_cell_asks_which_it_is(city, east_m, accuracy_m, codes, confirm):
    x = 117.01 + east_m * METRE

    place = atlas.locate(city.session, x, 36.01, "CGCS2000", accuracy_m=accuracy_m, on=TODAY)

    assert [one.code for one in place.candidates] == codes
    assert place.confirm is confirm
    away = [0.0, pytest.approx(abs(east_m), abs=0.1)]
    assert [one.distance_m for one in place.candidates] == away[: len(codes)]
    assert sum(one.share for one in place.candidates) == pytest.approx(1, abs=0.06)


def test_at_the_end_of_the_city_there_is_nothing_to_ask(city):
    place = atlas.locate(city.session, 117.06 - 12 * METRE, 36.01, "CGCS2000", on=TODAY)

    assert (place.how, place.code, place.confirm) == (Placement.BORDER, LAST, False)


def test_a_point_just_outside_may_lie_in_the_cell_beside_it(city):
    near = atlas.locate(city.session, 117.06 + 12 * METRE, 36.01, "CGCS2000", on=TODAY)
    far = atlas.locate(city.session, 117.06 + 40 * METRE, 36.01, "CGCS2000", on=TODAY)

    assert (near.how, near.code, near.confirm) == (Placement.OUTSIDE, None, True)
    assert [(one.code, one.distance_m) for one in near.candidates] == [(LAST, pytest.approx(12, abs=0.1))]
    assert (far.candidates, far.confirm) == ((), False)


def test_the_word_of_the_reporter_decides_between_candidates_and_only_there(city):
    near = atlas.locate(city.session, 117.01 - 12 * METRE, 36.01, "CGCS2000", on=TODAY)
    sure = atlas.locate(city.session, 117.005, 36.01, "CGCS2000", on=TODAY)

    chosen = near.confirmed(SECOND)

    assert (chosen.code, chosen.how, chosen.confirm) == (SECOND, Placement.CONFIRMED, False)
    assert chosen.levels["building_group"] == SECOND
    assert chosen.border_distance_m == near.border_distance_m
    assert sure.confirmed(FIRST) is sure  # where there is no choice nothing is confirmed
    for place in (near, sure):
        with pytest.raises(InvalidInput) as refusal:
            place.confirmed(LAST)
        assert (refusal.value.code, refusal.value.facts["field"]) == ("cell_not_candidate", "cell")
        assert refusal.value.facts["wanted"] == [one.code for one in place.candidates]


def test_outside_says_how_far_and_which_district_is_nearest(city):
    place = atlas.locate(city.session, 117.07, 36.01, "WGS84", on=TODAY)

    assert (place.code, place.how, place.nearest_district) == (None, Placement.OUTSIDE, "990101")
    assert place.border_distance_m == pytest.approx(901, abs=2)


def test_a_new_edition_is_used_for_the_next_point(city):
    before = atlas.locate(city.session, 117.005, 36.01, "WGS84", on=TODAY)
    old = city.session.scalars(select(Edition)).one()
    old.status, old.effective_to = EditionStatus.SUPERSEDED, TODAY
    new = Edition(
        name="second",
        status=EditionStatus.PUBLISHED,
        source="test",
        frame="CGCS2000",
        leaf_level=GridLevel.BUILDING_GROUP,
        effective_from=TODAY,
        loaded_at=city.clock(),
        report={},
    )
    city.session.add(new)
    city.session.flush()
    for code in ("990101", "990101001", "990101001001", "990101001001009"):
        city.session.add(
            Grid(
                edition_id=new.id,
                code=code,
                level={6: "district", 9: "town", 12: "community", 15: "building_group"}[len(code)],
                name=code,
                area_m2=1.0,
                boundary=from_shape(MultiPolygon([box(117, 36, 117.06, 36.02)]), srid=4490),
            )
        )
    city.session.flush()

    after = atlas.locate(city.session, 117.005, 36.01, "WGS84", on=TODAY)

    assert (before.code, after.code) == ("990101001001001", "990101001001009")
    assert after.edition_id == new.id
    yesterday = atlas.locate(city.session, 117.005, 36.01, "WGS84", on=date(2026, 6, 2))
    assert yesterday.code == "990101001001001"


def test_without_a_published_grid_nothing_can_be_located(session):
    with pytest.raises(Unavailable) as refusal:
        atlas.locate(session, 117.0, 36.0, "WGS84", on=TODAY)

    assert refusal.value.code == "no_grid"


def test_an_unknown_area_is_not_found(city):
    with pytest.raises(NotFound):
        atlas.grid(city.session, "990101009", on=TODAY)


# Points by the million, from memory and from SQL


def in_force_from(session, areas, path, *, effective):
    """Load areas as somebody's file would be, publish them, and return the atlas."""
    areas[["code", "name", "households", "population", "geometry"]].to_file(path, driver="GPKG")
    plan = plan_edition(path)
    now = datetime(2026, 6, 3, 1, 0, tzinfo=UTC)
    edition = editions.load(session, plan, check_plan(plan), name="n", effective_from=effective, now=now)
    editions.publish(session, edition.id, by="王", now=now)
    return atlas.current(session, on=TODAY)


def points_everywhere(polygons, count, seed):
    """Return points anywhere, on every vertex, in the middle of edges, and a last bit beside both."""
    random = np.random.default_rng(seed)
    west, south, east, north = shapely.total_bounds(polygons)
    vertices = shapely.get_coordinates(polygons)
    on_borders = np.vstack([vertices, (vertices[1:] + vertices[:-1]) / 2])
    beside = np.nextafter(on_borders, random.choice([-np.inf, np.inf], on_borders.shape))
    rest = count - len(on_borders) - len(beside)
    anywhere = random.uniform((west - 0.01, south - 0.01), (east + 0.01, north + 0.01), (rest, 2))
    return np.vstack([on_borders, beside, anywhere]).T


def all_in_sql(session, x, y, edition_id):
    """Return the lowest code of the edition's cells that cover each point, None where none does."""
    session.execute(text("SET LOCAL statement_timeout = '5min'"))
    session.execute(text("CREATE TEMP TABLE spot (id int, place geometry(Point, 4490)) ON COMMIT DROP"))
    places = shapely.to_wkb(shapely.set_srid(shapely.points(x, y), 4490), hex=True, include_srid=True)
    with session.connection().connection.cursor() as cursor, cursor.copy("COPY spot FROM STDIN") as copy:
        copy.write("".join(f"{row}\t{place}\n" for row, place in enumerate(places)))
    session.execute(text("CREATE INDEX ON spot USING gist (place)"))
    session.execute(text("ANALYZE spot"))
    # cell by cell, so that PostGIS prepares each cell once
    rows = session.execute(
        text(
            "SELECT covered.id, min(code) FROM grid CROSS JOIN LATERAL"
            " (SELECT id FROM spot WHERE place && boundary AND ST_Covers(boundary, place)) AS covered"
            " WHERE edition_id = :edition AND level = 'building_group' GROUP BY covered.id"
        ),
        {"edition": int(edition_id)},
    ).all()
    session.execute(text("DROP TABLE spot"))
    codes = np.full(x.size, None, dtype=object)
    codes[[row[0] for row in rows]] = [row[1] for row in rows]
    return codes


def from_memory(held, x, y):
    return np.append(held.codes, None)[held.locator.locate(x, y)]


def test_points_anywhere_lie_in_the_same_cells_from_memory_from_sql_and_after_importing_again(
    session, soak, tmp_path
):
    areas = make_ground(SIZES[Scale.DISTRICT], np.random.default_rng(5)).areas
    held = in_force_from(session, areas, tmp_path / "grid.gpkg", effective=date(2026, 1, 1))
    x, y = points_everywhere(held.locator.polygons, 1_000_000 if soak else 200_000, seed=8)

    in_memory = from_memory(held, x, y)

    differ = in_memory != all_in_sql(session, x, y, held.editions[0])
    assert not differ.any(), (differ.sum(), x[differ][:3], y[differ][:3])
    shuffled = areas.sample(frac=1, random_state=9)
    again = in_force_from(session, shuffled, tmp_path / "again.gpkg", effective=date(2026, 2, 1))
    assert again.editions[0] != held.editions[0]
    assert np.array_equal(from_memory(again, x, y), in_memory)
