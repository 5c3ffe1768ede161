"""Office hours of many pairs at once: always what one pair by itself gives."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from gis.errors import Unavailable
from grids.rules.calendar import WorkCalendar
from grids.rules.workingtime import working_micros

FIRST = date(2026, 1, 1)
# weekends are free, and so is a week in February; one Saturday is worked for it
DAYS = {
    day: (day.weekday() < 5 and not date(2026, 2, 16) <= day <= date(2026, 2, 22)) or day == date(2026, 2, 28)
    for day in (FIRST + timedelta(days=number) for number in range(120))
}
CALENDAR = WorkCalendar(DAYS)
MINUTE = 60_000_000


def moments(*given: datetime) -> np.ndarray:
    return np.array([one.astimezone(UTC).replace(tzinfo=None) for one in given], dtype="datetime64[us]")


def test_many_pairs_give_what_each_gives_by_itself() -> None:
    random = np.random.default_rng(7)
    base = datetime(2026, 1, 2, tzinfo=UTC)
    starts = [base + timedelta(microseconds=int(random.integers(0, 80 * 86_400_000_000))) for _ in range(500)]
    ends = [start + timedelta(microseconds=int(random.integers(0, 30 * 86_400_000_000))) for start in starts]

    found = working_micros(CALENDAR, moments(*starts), moments(*ends))

    alone = [CALENDAR.working_time(start, end) for start, end in zip(starts, ends, strict=True)]
    assert found.tolist() == [one // timedelta(microseconds=1) for one in alone]


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [
        ("2026-03-02T00:30", "2026-03-02T09:30", 450.0),  # a whole day, 08:30 to 17:30 in the city
        ("2026-03-02T00:00", "2026-03-02T00:30", 0.0),  # before opening
        ("2026-03-02T04:00", "2026-03-02T05:30", 0.0),  # at noon
        ("2026-03-06T09:29", "2026-03-09T00:31", 2.0),  # over a weekend
        ("2026-02-15T00:00", "2026-02-23T00:30", 0.0),  # a holiday
        ("2026-02-28T00:30", "2026-02-28T01:30", 60.0),  # a Saturday that is worked
        ("2026-03-02T02:00", "2026-03-02T01:00", 0.0),  # whoever comes early did not wait
    ],
)
def test_a_pair_counts_office_hours_alone(start: str, end: str, minutes: float) -> None:
    found = working_micros(CALENDAR, np.array([start], "datetime64[us]"), np.array([end], "datetime64[us]"))

    assert found.tolist() == [minutes * MINUTE]


def test_a_day_that_the_calendar_does_not_know_is_not_guessed() -> None:
    known = (moments(datetime(2026, 1, 5, 3, tzinfo=UTC)), moments(datetime(2026, 1, 6, 3, tzinfo=UTC)))
    beyond = (moments(datetime(2026, 4, 29, 3, tzinfo=UTC)), moments(datetime(2026, 5, 2, 3, tzinfo=UTC)))

    with pytest.raises(Unavailable) as refusal:
        working_micros(CALENDAR, np.concatenate([known[0], beyond[0]]), np.concatenate([known[1], beyond[1]]))

    assert refusal.value.facts["day"] == "2026-05-01"
    assert working_micros(CALENDAR, *known).tolist() == [450 * MINUTE]


def test_no_pairs_need_no_calendar() -> None:
    assert working_micros(WorkCalendar({}), moments(), moments()).tolist() == []
