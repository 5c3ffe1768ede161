"""Who keeps a post when: by the week, by the day, over midnight, with somebody standing in."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from gis.errors import InvalidInput
from grids.rules.calendar import SHANGHAI
from grids.rules.roster import MOST_HOURS, Hours, check_hours, keepers, next_kept

HOLDER, DEPUTY = 1, 2
WEEK = [Hours(time(8, 30), time(17, 30), weekday=day) for day in range(5)]
NIGHT = [Hours(time(20), time(6), weekday=day, stands_in=DEPUTY) for day in range(7)]
WEDNESDAY = date(2026, 6, 3)


def at(text: str) -> datetime:
    """Return a moment of the city's clock: "06-03 08:30"."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=SHANGHAI).astimezone(UTC)


@pytest.mark.parametrize(
    ("hours", "moment", "reached"),
    [
        ([], "06-06 03:00", (HOLDER,)),  # nobody said anything: always
        (WEEK, "06-03 08:29", ()),
        (WEEK, "06-03 08:30", (HOLDER,)),
        (WEEK, "06-03 17:29", (HOLDER,)),
        (WEEK, "06-03 17:30", ()),
        (WEEK, "06-06 10:00", ()),  # a Saturday
        (NIGHT, "06-03 23:59", (DEPUTY,)),
        (NIGHT, "06-04 05:59", (DEPUTY,)),
        (NIGHT, "06-04 06:00", ()),
        (WEEK + NIGHT, "06-03 09:00", (HOLDER,)),
        (WEEK + NIGHT, "06-03 21:00", (DEPUTY,)),
        # a day and a night without end
        ([Hours(time(8), time(8), weekday=2)], "06-04 07:59", (HOLDER,)),
        ([Hours(time(8), time(8), weekday=2)], "06-04 08:00", ()),
        # a day overrides its weekday, and only that
        ([*WEEK, Hours(None, None, day=WEDNESDAY)], "06-03 10:00", ()),
        ([*WEEK, Hours(None, None, day=WEDNESDAY)], "06-04 10:00", (HOLDER,)),
        ([*WEEK, Hours(time(13), time(15), day=WEDNESDAY, stands_in=DEPUTY)], "06-03 10:00", ()),
        ([*WEEK, Hours(time(13), time(15), day=WEDNESDAY, stands_in=DEPUTY)], "06-03 14:00", (DEPUTY,)),
        # the morning's end of a night is yesterday's, whatever is said of today
        ([*NIGHT, Hours(None, None, day=WEDNESDAY)], "06-03 05:00", (DEPUTY,)),
        ([*NIGHT, Hours(None, None, day=WEDNESDAY)], "06-03 23:00", ()),
        ([*NIGHT, Hours(None, None, day=WEDNESDAY)], "06-04 05:00", ()),
        # two at once are both reached
        ([*WEEK, Hours(time(9), time(12), weekday=2, stands_in=DEPUTY)], "06-03 10:00", (HOLDER, DEPUTY)),
    ],
)
def test_who_keeps_a_post(hours: list[Hours], moment: str, reached: tuple[int, ...]) -> None:
    assert keepers(HOLDER, hours, at(moment)) == reached


@pytest.mark.parametrize(
    ("hours", "moment", "opens"),
    [
        (WEEK, "06-03 10:00", "06-03 10:00"),  # now
        (WEEK, "06-03 07:00", "06-03 08:30"),
        (WEEK, "06-05 18:00", "06-08 08:30"),  # over the weekend
        ([*WEEK, Hours(None, None, day=date(2026, 6, 8))], "06-05 18:00", "06-09 08:30"),
        ([], "06-05 18:00", "06-05 18:00"),
    ],
)
def test_when_a_post_is_kept_next(hours: list[Hours], moment: str, opens: str) -> None:
    assert next_kept(HOLDER, HOLDER, hours, at(moment)) == at(opens)


def test_who_only_stands_in_waits_for_their_own_hours() -> None:
    assert next_kept(DEPUTY, HOLDER, WEEK + NIGHT, at("06-03 10:00")) == at("06-03 20:00")
    assert next_kept(HOLDER, HOLDER, NIGHT, at("06-03 10:00")) is None


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (Hours(time(8), time(9)), "weekday"),
        (Hours(time(8), time(9), weekday=1, day=WEDNESDAY), "weekday"),
        (Hours(time(8), time(9), weekday=7), "weekday"),
        (Hours(time(8), None, weekday=1), "closes"),
        (Hours(None, None, weekday=1), "opens"),
        (Hours(None, None, day=WEDNESDAY, stands_in=DEPUTY), "opens"),
    ],
)
def test_hours_that_cannot_be_meant_are_refused(row: Hours, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_hours([WEEK[0], row])

    assert (refused.value.code, refused.value.facts["field"]) == ("bad_hours", f"hours.1.{field}")


def test_a_post_has_no_endless_list_of_hours() -> None:
    with pytest.raises(InvalidInput, match="at most"):
        check_hours(WEEK * (MOST_HOURS // 5 + 1))
