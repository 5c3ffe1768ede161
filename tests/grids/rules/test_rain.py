from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from gis.errors import InvalidInput
from grids.rules.rain import NO_RAIN, Rain, rain_of, rain_starts
from grids.rules.recurrence import counted_times, find_recurrences

START = datetime(2026, 7, 1, tzinfo=UTC)


def hour(number: float) -> datetime:
    return START + timedelta(hours=number)


def rain(
    *readings: tuple[float, float] | tuple[float, float, str], minutes: int = 60, **rule: object
) -> Rain:
    """Readings: hours after the start, millimetres, and the gauge where there are several."""
    return rain_of(
        np.array([hour(r[0]).replace(tzinfo=None) for r in readings], dtype="datetime64[us]"),
        np.full(len(readings), minutes),
        np.array([r[1] for r in readings], dtype=float),
        [str(r[2]) if len(r) > 2 else "one" for r in readings],
        **rule,  # type: ignore[arg-type]
    )


def spans(found: Rain) -> list[tuple[float, float, float]]:
    def after(at: datetime) -> float:
        return (at - START) / timedelta(hours=1)

    return [(after(one.began_at), after(one.ended_at), one.mm) for one in found.episodes]


@pytest.mark.parametrize(
    ("readings", "wanted"),
    [
        ([], []),
        ([(0, 0.0), (1, 0.0)], []),  # read, and dry
        ([(0, 5.0)], [(0, 1, 5.0)]),
        ([(0, 5.0), (1, 2.5)], [(0, 2, 7.5)]),
        ([(0, 5.0), (6, 2.0)], [(0, 7, 7.0)]),  # five dry hours from 1 to 6: one rain
        ([(0, 5.0), (7, 2.0)], [(0, 1, 5.0), (7, 8, 2.0)]),  # six dry hours from 1 to 7: two
        ([(0, 5.0), (3, 0.05), (7, 2.0)], [(0, 1, 5.0), (7, 8, 2.0)]),  # dew is no rain
        ([(0, 5.0), (3, 0.1), (7, 2.0)], [(0, 8, 7.1)]),
        ([(7, 2.0), (0, 5.0)], [(0, 1, 5.0), (7, 8, 2.0)]),  # in any order
    ],
)
def test_a_dry_gap_ends_a_rain(
    readings: list[tuple[float, float]], wanted: list[tuple[float, float, float]]
) -> None:
    assert spans(rain(*readings)) == wanted


def test_it_is_wet_when_any_gauge_is_and_the_wettest_says_how_much() -> None:
    found = rain((0, 4.0, "east"), (0, 1.0, "west"), (5, 9.0, "west"), (10, 0.5, "east"))

    assert spans(found) == [(0, 11, 10.0)]  # west 1 + 9, east 4.5
    assert found.episodes[0].peak_mm_h == 9.0


def test_the_gap_is_an_argument() -> None:
    assert len(rain((0, 1.0), (3, 1.0), dry_gap=timedelta(hours=2)).episodes) == 2
    assert len(rain((0, 1.0), (3, 1.0), dry_gap=timedelta(hours=2, microseconds=1)).episodes) == 1


def test_short_readings_add_up_and_tell_the_peak() -> None:
    found = rain((0, 1.0), (0.25, 6.0), minutes=15)

    assert spans(found) == [(0, 0.5, 7.0)]
    assert found.episodes[0].peak_mm_h == 24.0


def test_what_no_gauge_read_is_unknown_and_not_dry() -> None:
    found = rain((0, 0.0), (1, 0.0), (10, 0.0))

    assert found.known == ((hour(0), hour(2)), (hour(10), hour(11)))
    assert found.known_share(hour(0), hour(4)) == 0.5
    assert found.known_share(hour(2), hour(10)) == 0.0
    assert NO_RAIN.known_share(hour(0), hour(1)) == 0.0


@pytest.mark.parametrize(
    ("at", "began"),
    [(-0.1, None), (0, 0), (0.5, 0), (13, 0), (13.1, None), (20, 20), (22, 20)],
)
def test_water_belongs_to_the_rain_that_it_stands_after(at: float, began: float | None) -> None:
    found = rain((0, 5.0), (20, 5.0), (21, 5.0))

    episode = found.behind(hour(at))

    assert (None if episode is None else episode.began_at) == (None if began is None else hour(began))


@pytest.mark.parametrize(
    ("readings", "reports", "began"),
    [
        ([], [0, 5, 10.9], [0, 0, 0]),  # no gauge: less than six hours apart is one rain
        ([], [0, 6, 11], [0, 6, 6]),
        ([(0, 5.0)], [0.5, 8, 12.9], [0, 0, 0]),  # a gauge: eight hours without a report are no second rain
        ([(0, 5.0), (8, 5.0)], [0.5, 8.1], [0, 8]),
        ([(0, 5.0), (7, 5.0)], [6.9, 7.1], [0, 7]),  # minutes apart and two rains
        (
            [(0, 5.0)],
            [12, 14, 30],
            [0, 0, 30],
        ),  # still seen when the rain has drained; later, water of its own
        ([(10, 5.0)], [9.5, 10.5], [9.5, 10]),
    ],
)
def test_which_rain_a_report_of_water_tells_of(
    readings: list[tuple[float, float]], reports: list[float], began: list[float]
) -> None:
    found = rain_starts([hour(one) for one in reports], rain(*readings))

    assert found == [hour(one) for one in began]


def test_rains_that_gauges_tell_apart_count_where_the_gap_between_reports_would_not() -> None:
    # reported every five hours: without a gauge that is one rain
    reports = [0.2, 5.0, 10.0, 14.9]
    gauges = rain((0, 5.0), (7.5, 5.0), (14.8, 5.0))
    at = np.array([hour(one).replace(tzinfo=None) for one in reports], dtype="datetime64[us]")
    zero = np.zeros(len(reports))

    def found(known: Rain) -> list[int]:
        points = find_recurrences(zero, zero, at, ["01-002"] * 4, {"01-002": 100.0}, rain=known)
        return [point.times for point in points]

    assert found(NO_RAIN) == []
    assert found(gauges) == [3]
    assert len(counted_times([hour(one) for one in reports], [None] * 4, rain=gauges)) == 3


def test_one_long_rain_is_one_time_however_rarely_it_is_reported() -> None:
    reports = [0.2, 8.0, 16.0]
    gauges = rain(*((number, 2.0) for number in range(18)))
    at = np.array([hour(one).replace(tzinfo=None) for one in reports], dtype="datetime64[us]")
    zero = np.zeros(3)

    assert len(find_recurrences(zero, zero, at, ["01-002"] * 3, {"01-002": 100.0})) == 1
    assert find_recurrences(zero, zero, at, ["01-002"] * 3, {"01-002": 100.0}, rain=gauges) == []


@pytest.mark.parametrize(("mm", "minutes"), [(-0.1, 60), (float("nan"), 60), (1.0, 0)])
def test_a_reading_that_cannot_be_is_refused(mm: float, minutes: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        rain((0, mm), minutes=minutes)
    assert refused.value.code == "bad_rain"
