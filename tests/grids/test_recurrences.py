"""What comes back at one place: as a share of each grid's cases, and place by place."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gis.errors import InvalidInput
from grids import measures
from grids.figures import recurring
from grids.measures import Window
from grids.rules.levels import GridLevel
from grids.rules.lifecycle import IncidentStatus
from grids.rules.permissions import Scope

pytestmark = pytest.mark.database
ALL = Scope(everything=True)
PARKING, LITTER = "07-001", "02-001"
BORDER = 117.01  # between the first cell and the second


def window(city, level=GridLevel.BUILDING_GROUP, area="990101"):
    now = city.clock()
    return Window(area, level, now - timedelta(days=60), now + timedelta(days=1))


def closed(city, **said):
    incident = city.report(**said)
    incident.status, incident.closed_at = IncidentStatus.CLOSED, city.clock() + timedelta(hours=5)
    return incident


def by_code(frame, column):
    return {code: value for code, value in zip(frame["code"], frame[column], strict=True) if value > 0}


def shares(city, level=GridLevel.BUILDING_GROUP):
    city.session.flush()
    return measures.recurrences(city.session, ALL, window(city, level))


def listed(city, **asked):
    city.session.flush()
    return measures.recurrent_places(city.session, ALL, window(city), **asked)


def test_the_share_of_cases_at_recurrent_places_sums_up_from_the_cells_to_the_district(city):
    for _ in range(3):
        closed(city, category=PARKING, lon=117.003)
        city.clock.advance(days=7)
    city.report(category=PARKING, lon=117.003)
    city.report(category=PARKING, lon=117.008)  # elsewhere in the cell
    city.report(category=LITTER, lon=117.003)  # another trouble
    city.report(code="990101002001001", lon=117.043)

    for level in GridLevel:
        cells = shares(city, level)
        assert (cells["n"].sum(), cells["denominator"].sum()) == (4, 7)
        assert (cells["places"].sum(), cells["open"].sum()) == (1, 1)
    cells = shares(city)
    assert by_code(cells, "n") == {"990101001001001": 4}
    assert by_code(cells, "value") == {"990101001001001": pytest.approx(4 / 6)}
    assert set(by_code(cells, "small")) == {"990101001001001", "990101002001001"}


def test_of_a_place_across_a_border_each_case_counts_in_its_own_grid(city):
    for step, lon in enumerate([BORDER - 0.0003, BORDER + 0.0003, BORDER + 0.0003, BORDER - 0.0003]):
        code = "990101001001001" if lon < BORDER else "990101001001002"
        closed(city, category=PARKING, lon=lon, code=code)
        city.clock.advance(days=3 + step)

    cells = shares(city)

    assert by_code(cells, "n") == {"990101001001001": 2, "990101001001002": 2}
    assert by_code(cells, "places") == {"990101001001001": 1}
    assert shares(city, GridLevel.COMMUNITY)["n"].tolist() == [4, 0, 0]


def test_a_grid_without_a_case_has_no_share_which_is_not_none_of_its_cases(city):
    city.report()

    cells = shares(city)

    told = dict(zip(cells["code"], cells["value"], strict=True))
    assert told.pop("990101001001001") == 0.0
    assert all(value != value for value in told.values())


def several(city, places=7, more=2):
    """Litter that comes back at some places, three times at each and oftener at the first ones."""
    for turn in range(3 + more):
        for place in range(places if turn < 3 else more):
            closed(city, category=LITTER, lon=117.001 + 0.001 * place)
        city.clock.advance(days=2)


@pytest.mark.parametrize("most", [1, 2, 3, 6, 7, 20])
def test_pages_hold_every_place_once_the_most_frequent_first(city, most):
    several(city)
    whole = listed(city)
    pages, cursor = [], None
    while True:
        page = listed(city, most=most, cursor=cursor)
        assert page.total == whole.total == 7
        pages.append(page.places)
        cursor = page.next_cursor
        if cursor is None:
            break

    assert [len(page) for page in pages[:-1]] == [most] * (len(pages) - 1)
    assert whole.places["times"].tolist() == [5, 5, 3, 3, 3, 3, 3]
    assert [numbers for page in pages for numbers in page["numbers"]] == whole.places["numbers"].tolist()


def test_a_page_goes_on_where_the_one_before_ended_also_when_places_came_in_between(city):
    several(city, places=4, more=0)
    first = listed(city, most=2)
    for _ in range(4):
        closed(city, category=PARKING, lon=117.005)
        city.clock.advance(days=2)

    second = listed(city, most=2, cursor=first.next_cursor)

    assert second.total == 5
    assert second.next_cursor is None
    assert second.places["category"].tolist() == [LITTER, LITTER]
    seen = [*first.places["numbers"], *second.places["numbers"]]
    assert len({numbers[0] for numbers in seen}) == 4


@pytest.mark.parametrize("cursor", ["x", "MjAyNg==", "MjAyNi0wNi0wMVQwMDowMDowMCswMDowMHw1fG1hbnk="])
def test_a_cursor_that_is_none_of_ours_is_refused(city, cursor):
    several(city, places=1)

    with pytest.raises(InvalidInput) as caught:
        listed(city, most=1, cursor=cursor)

    assert (caught.value.code, caught.value.facts["field"]) == ("bad_cursor", "cursor")


def test_places_are_looked_for_again_only_in_the_category_in_which_something_changed(city, monkeypatch):
    sought = []
    real = recurring.recurrences_of

    def counted(x, *rest, **more):
        sought.append(len(x))
        return real(x, *rest, **more)

    monkeypatch.setattr(recurring, "recurrences_of", counted)
    several(city, places=2, more=0)
    for _ in range(3):
        late = closed(city, category=PARKING, lon=117.005)
        city.clock.advance(days=2)

    assert listed(city).total == 3
    assert sorted(sought) == [3, 6]
    assert by_code(shares(city), "n") == {"990101001001001": 9}
    assert len(sought) == 2  # another question about the same cases
    late.closed_at = None
    late.status = IncidentStatus.HANDLING
    assert listed(city).places["open"].sum() == 1
    assert sorted(sought) == [3, 3, 6]
    closed(city, category=PARKING, lon=117.005)
    assert listed(city).places["times"].tolist() == [3, 3, 3]  # the one before is not closed yet
    assert sorted(sought) == [3, 3, 4, 6]
