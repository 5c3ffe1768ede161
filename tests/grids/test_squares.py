"""Incidents gathered in squares: counted in memory or by PostgreSQL, it is the same."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from gis.tiles import Tile
from grids import squares
from grids.register import Filters
from grids.rules.grading import Grade
from grids.rules.lifecycle import UNCOUNTED_STATUSES, Channel, IncidentStatus
from grids.rules.permissions import Scope
from grids.tables import Placement

pytestmark = pytest.mark.database

WEST, SOUTH, EAST, NORTH = 117.0, 36.0, 117.06, 36.02
TILES = [Tile(5, 26, 12), Tile(9, 422, 200), Tile(9, 422, 201), Tile(12, 3379, 1608), Tile(14, 13517, 6433)]


@pytest.fixture
def scattered(city):
    """Incidents of every state, grade, channel and placement all over the town, some on the edges of squares."""
    draw = np.random.default_rng(5)
    places = draw.uniform((WEST, SOUTH), (EAST, NORTH), (240, 2)).tolist()
    lons, lats = Tile(12, 3379, 1608).edges(squares.SIDE)
    places += (
        [(lon, 36.01) for lon in lons] + [(117.01, lat) for lat in lats] + list(zip(lons, lats, strict=True))
    )
    city.report()  # one that holds a whistle and tasks, so that a department sees something
    grades, states, channels = [*Grade, None], list(IncidentStatus), list(Channel)
    for i, (lon, lat) in enumerate(places):
        city.stand_at(
            f"T{i:05d}",
            lon,
            lat,
            status=states[i % len(states)],
            channel=channels[i % len(channels)],
            text="路灯不亮" if i % 9 == 0 else "x",
            category_code=("10-001", None, "02-001")[i % 3],
            grade=grades[i % 6],
            grid_code=f"990101001001{1 + i % 2:03d}" if i % 5 else "990101002001001",
            placement=Placement.OUTSIDE if i % 11 == 0 else Placement.INSIDE,
            received_at=city.clock() - timedelta(days=i % 50, seconds=i),
            first_overdue_at=city.clock() if i % 7 == 0 else None,
        )
    city.session.flush()
    return city


WALLS = {
    "none": {},
    "since": {"since": timedelta(days=20)},
    "until": {"until": timedelta(days=10)},
    "period": {"since": timedelta(days=30, seconds=17), "until": timedelta(days=9)},
    "area": {"area": "990101002"},
    "cell": {"area": "990101001001002"},
    "elsewhere": {"area": "990188"},
    "category": {"category": "10-001"},
    "no such category": {"category": "99-999"},
    "grade": {"grade": Grade.BLUE},
    "channel": {"channel": Channel.HOTLINE},
    "overdue": {"overdue_only": True},
    "counted": {"counted_only": True},
    "open": {"open_only": True},
    "states": {"statuses": (IncidentStatus.CLOSED, IncidentStatus.HANDLING, IncidentStatus.MERGED)},
    "no state that counts": {"statuses": (IncidentStatus.MERGED,)},
    "many": {"since": timedelta(days=40), "grade": Grade.RED, "area": "990101001", "overdue_only": True},
}


@pytest.mark.parametrize("name", WALLS)
def test_memory_and_rows_count_the_same(scattered, name):
    walls = {
        key: scattered.clock() - wall if isinstance(wall, timedelta) else wall
        for key, wall in WALLS[name].items()
    }
    filters = Filters(**walls)
    readers = [scattered[login].scope for login in ("platform", "centre", "worker", "leader3", "CG")]
    seen = 0

    for scope in [Scope(everything=True), Scope(), *readers]:
        for tile in TILES:
            by_rows = squares.from_rows(scattered.session, scope, tile, filters)

            assert squares.from_facts(scattered.session, scope, tile, filters) == by_rows
            seen += sum(square.n for square in by_rows)

    assert bool(seen) != (name in ("elsewhere", "no such category", "no state that counts"))


@pytest.mark.parametrize(
    "filters", [Filters(text="路灯"), Filters(bbox=(117.0, 36.0, 117.02, 36.01))], ids=str
)
def test_what_the_facts_do_not_know_is_asked_of_the_rows(scattered, filters):
    everything = Scope(everything=True)
    tile = TILES[2]

    found = squares.squares(scattered.session, everything, tile, filters)

    assert found == squares.from_rows(scattered.session, everything, tile, filters)
    assert (
        0
        < sum(s.n for s in found)
        < sum(s.n for s in squares.squares(scattered.session, everything, tile, Filters()))
    )


def test_an_incident_on_an_edge_lies_in_the_square_to_the_east_or_south_of_it(scattered):
    tile = Tile(12, 3379, 1608)
    lons, lats = tile.edges(squares.SIDE)
    states = list(IncidentStatus)
    first = 240 + 2 * (squares.SIDE + 1)  # behind the others
    met = 0

    for step in range(squares.SIDE + 1):
        found = squares.from_rows(
            scattered.session, Scope(everything=True), tile, Filters(text=f"T{first + step:05d}")
        )

        if step == squares.SIDE or states[(first + step) % len(states)] in UNCOUNTED_STATUSES:
            assert found == []  # the last lies in the next tile
            continue
        (square,) = found
        assert (square.line, square.column, square.n) == (step, step, 1)
        assert (square.lon, square.lat) == pytest.approx((lons[step], lats[step]))
        met += 1
    assert met > 5
