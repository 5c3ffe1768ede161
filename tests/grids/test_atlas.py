"""Where a point lies: the same answer from memory and from SQL, and after a new edition at once."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from geoalchemy2.shape import from_shape
from shapely import box
from shapely.geometry import MultiPolygon
from sqlalchemy import func, select

from gis.errors import NotFound, Unavailable
from grids import atlas
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
    assert place.candidates == (("990101001001001", pytest.approx(1.0, abs=0.01)),)


def test_a_wide_accuracy_circle_shares_its_candidates(city):
    place = atlas.locate(city.session, 117.01, 36.01, "WGS84", accuracy_m=100, on=TODAY)

    assert [code for code, _ in place.candidates] == ["990101001001001", "990101001001002"]
    assert [share for _, share in place.candidates] == [pytest.approx(0.5, abs=0.01)] * 2


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
