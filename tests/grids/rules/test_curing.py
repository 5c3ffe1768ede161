from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from grids.rules.curing import PlanReminder, WaitsFor, is_back, quiet_of, reminder
from grids.rules.places import PlaceStatus
from grids.rules.rain import NO_RAIN, Rain, RainEpisode

TREATED = datetime(2026, 5, 1, tzinfo=UTC)
_W = WaitsFor


def rains(*of: tuple[float, float]) -> Rain:
    """Rains by days after the treatment and millimetres, three hours each."""
    made = [
        RainEpisode(TREATED + timedelta(days=day), TREATED + timedelta(days=day, hours=3), mm)
        for day, mm in of
    ]
    return Rain(tuple(made), ((TREATED, TREATED + timedelta(days=200)),))


@pytest.mark.parametrize(
    ("days", "rain", "waits_for"),
    [
        (0, None, (_W.DAYS,)),
        (89.99, None, (_W.DAYS,)),
        (90, None, ()),
        # a place of water needs rain besides
        (89, rains((1, 20), (2, 20)), (_W.DAYS,)),
        (90, rains((1, 20), (2, 20)), ()),
        (90, rains((1, 10.0), (2, 10.0)), ()),
        (90, rains((1, 10.0), (2, 9.9)), (_W.RAIN,)),  # the second was a drizzle
        (90, rains((1, 80)), (_W.RAIN,)),  # one big rain is one
        (90, rains((-1, 20), (1, 20)), (_W.RAIN,)),  # one fell before the work was done
        (90, rains((1, 20), (89.95, 20)), (_W.RAIN,)),  # the second has not ended yet
        (90, rains(), (_W.RAIN,)),
        (400, NO_RAIN, (_W.RAIN,)),  # no gauge was read: nobody can say
        (10, rains(), (_W.DAYS, _W.RAIN)),
    ],
)
def test_when_a_place_is_cured(days: float, rain: Rain | None, waits_for: tuple[WaitsFor, ...]) -> None:
    quiet = quiet_of(TREATED, 90, TREATED + timedelta(days=days), rain=rain)

    assert quiet.waits_for == waits_for
    assert quiet.over is (waits_for == ())


def test_how_far_the_quiet_period_has_come() -> None:
    quiet = quiet_of(TREATED, 90, TREATED + timedelta(days=30, hours=5), rain=rains((1, 20)))

    assert (quiet.days, quiet.days_wanted, quiet.rains, quiet.rains_wanted) == (30, 90, 1, 2)
    assert quiet.until == TREATED + timedelta(days=90)
    assert quiet.rain_known == 1.0
    assert quiet_of(TREATED, 90, TREATED + timedelta(days=300)).days == 90


@pytest.mark.parametrize("status", list(PlaceStatus))
@pytest.mark.parametrize(("hours", "later"), [(-1, False), (0, False), (1, True)])
def test_only_what_is_reported_after_the_treatment_brings_a_place_back(
    status: PlaceStatus, hours: int, later: bool
) -> None:
    watched = status in (PlaceStatus.TREATED, PlaceStatus.CURED)

    assert is_back(status, TREATED, TREATED + timedelta(hours=hours)) is (watched and later)


def test_a_place_that_was_never_treated_does_not_come_back() -> None:
    assert not is_back(PlaceStatus.TREATED, None, TREATED)


@pytest.mark.parametrize(
    ("days_late", "wanted"),
    [
        (-2, None),
        (-1, PlanReminder.DUE_TOMORROW),
        (0, None),  # there is still today
        (1, PlanReminder.OVERDUE),
        (2, None),
        (7, None),
        (8, PlanReminder.OVERDUE),
        (15, PlanReminder.OVERDUE),
    ],
)
def test_when_a_plan_is_reminded_of(days_late: int, wanted: PlanReminder | None) -> None:
    assert reminder(date(2026, 6, 1), date(2026, 6, 1) + timedelta(days=days_late)) is wanted
