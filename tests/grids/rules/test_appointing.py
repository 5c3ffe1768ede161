"""When departments can meet, proposed to the town."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from grids.rules.appointing import proposed, soonest


def at(clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, 6, 3, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "minutes", "due", "meets"),
    [
        ("01:00", 30, "09:00", "02:00"),  # answered by half past, there by the full hour
        ("01:01", 30, "09:00", "03:00"),
        ("01:00", 60, "09:00", "03:00"),
        ("01:00", 5, "09:00", "02:00"),
        ("01:10", 30, "02:00", "01:40"),  # the full hour lies after the due moment
        ("01:50", 30, "02:00", "02:00"),
    ],
)
def test_departments_meet_at_the_first_full_hour_that_they_can_keep(now, minutes, due, meets):
    assert proposed(at(now), minutes, at(due)) == at(meets)


@pytest.mark.parametrize(
    ("now", "minutes", "due", "meets"),
    [
        ("01:00", 30, "09:00", "01:30"),
        ("01:02", 30, "09:00", "01:35"),
        ("01:02", 30, "01:20", "01:20"),
    ],
)
def test_in_an_emergency_they_meet_when_they_can_have_answered(now, minutes, due, meets):
    assert soonest(at(now), minutes, at(due)) == at(meets)


def test_nobody_is_proposed_a_time_that_is_over():
    late = at("05:00")

    assert proposed(late, 30, late - timedelta(hours=1)) == late
