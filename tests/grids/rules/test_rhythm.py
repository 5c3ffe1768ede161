from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from grids.rules.rhythm import hour_of_week, intervals


def test_hours_of_the_week_are_those_of_the_citys_clock() -> None:
    sunday_evening = datetime(2026, 6, 7, 20, 30, tzinfo=UTC)  # half past four on Monday in the city

    counts = hour_of_week(
        [sunday_evening, sunday_evening + timedelta(days=7), sunday_evening + timedelta(hours=1)]
    )

    assert counts.shape == (7, 24)
    assert counts[0, 4] == 2
    assert counts[0, 5] == 1
    assert counts.sum() == 3


def test_nothing_has_no_rhythm() -> None:
    assert hour_of_week([]).sum() == 0


@pytest.mark.parametrize(
    ("days", "wanted", "median"),
    [([], (), None), ([3], (), None), ([0, 10], (10.0,), 10.0), ([30, 0, 10], (10.0, 20.0), 15.0)],
)
def test_the_time_from_one_to_the_next(
    days: list[float], wanted: tuple[float, ...], median: float | None
) -> None:
    start = datetime(2026, 6, 1, tzinfo=UTC)

    found = intervals([start + timedelta(days=day) for day in days])

    assert (found.days, found.median) == (wanted, median)
    assert (found.shortest, found.longest) == ((min(wanted), max(wanted)) if wanted else (None, None))
