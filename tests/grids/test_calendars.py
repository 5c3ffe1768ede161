"""The working calendar on a real PostGIS: drafted by one, published by another, and no running clock moves."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import select

from gis.errors import Conflict, Forbidden, InvalidInput, NotFound
from grids import calendars
from grids.rules.holidays import DayOfYear
from grids.rules.notices import library_notice
from grids.tables import CalendarDay, Deadline, DraftStatus

pytestmark = pytest.mark.database


def drafted(city: Any, year: int, days: Any, by: str = "赵 (1)") -> Any:
    return calendars.draft(city.session, year, days, source="国办发明电", by=by, now=city.clock())


def changed_2026(*changes: DayOfYear) -> list[DayOfYear]:
    """The notice of 2026 with some days said otherwise."""
    days = {one.day: one for one in library_notice(2026)}
    for one in changes:
        if one.name is None and one.working is (one.day.weekday() < 5):
            days.pop(one.day, None)
        else:
            days[one.day] = one
    return list(days.values())


def test_a_new_year_is_drafted_by_one_and_published_by_another(city: Any) -> None:
    notice = [
        DayOfYear(date(2027, 1, 1), False, "元旦"),
        DayOfYear(date(2027, 2, 14), True, "春节"),
        DayOfYear(date(2027, 2, 15), False, "春节"),
    ]
    row = drafted(city, 2027, notice)

    assert calendars.days_of(city.session, 2027) == []
    assert [(one.day, one.before, one.after) for one in calendars.changes(city.session, row)] == [
        (date(2027, 1, 1), None, False),
        (date(2027, 2, 14), None, True),
        (date(2027, 2, 15), None, False),
    ]
    with pytest.raises(Forbidden, match="somebody else"):
        calendars.publish(city.session, row.id, by="赵 (1)", now=city.clock())
    calendars.publish(city.session, row.id, by="钱 (2)", now=city.clock())

    days = {one.day: one for one in calendars.days_of(city.session, 2027)}
    assert len(days) == 365
    assert not days[date(2027, 1, 1)].working
    assert days[date(2027, 1, 4)].working
    assert not days[date(2027, 1, 9)].working  # an ordinary Saturday
    assert days[date(2027, 2, 14)] == DayOfYear(date(2027, 2, 14), True, "春节")
    assert calendars.known_until(city.session) == date(2027, 12, 31)
    assert row.status is DraftStatus.PUBLISHED
    with pytest.raises(Conflict):
        calendars.publish(city.session, row.id, by="孙 (3)", now=city.clock())


def test_a_day_that_is_over_does_not_change(city: Any) -> None:
    row = drafted(city, 2026, changed_2026(DayOfYear(date(2026, 5, 6), False, "劳动节")))

    with pytest.raises(InvalidInput, match="2026-05-06") as refused:
        calendars.publish(city.session, row.id, by="钱 (2)", now=city.clock())

    assert refused.value.code == "past_day"
    assert {one.day: one.working for one in calendars.days_of(city.session, 2026)}[date(2026, 5, 6)]


def test_a_past_day_that_nobody_loaded_may_be_filled_in(city: Any) -> None:
    row = drafted(city, 2024, library_notice(2024))

    calendars.publish(city.session, row.id, by="钱 (2)", now=city.clock())

    assert len(calendars.days_of(city.session, 2024)) == 366


def test_a_later_day_changes_and_what_is_past_keeps_its_source(city: Any) -> None:
    row = drafted(city, 2026, changed_2026(DayOfYear(date(2026, 10, 10), False, None)))

    changed = calendars.publish(city.session, row.id, by="钱 (2)", now=city.clock())

    assert [(one.day, one.before, one.after) for one in changed] == [(date(2026, 10, 10), True, False)]
    rows = city.session.execute(select(CalendarDay.day, CalendarDay.source))
    sources = {day: source for day, source in rows}  # noqa: C416 - a Result has keys()
    assert sources[date(2026, 6, 2)] == "chinesecalendar"
    assert sources[date(2026, 6, 3)] == sources[date(2026, 12, 31)] == "国办发明电"


def test_no_clock_that_runs_is_counted_anew(city: Any) -> None:
    city.clock.set(datetime(2026, 9, 30, 1, 0, tzinfo=UTC))
    before = city.accepted(category="07-001")
    rows = select(Deadline.id, Deadline.due_at, Deadline.settled_at).order_by(Deadline.id)
    clocks = city.session.execute(rows).all()
    row = drafted(city, 2026, changed_2026(DayOfYear(date(2026, 10, 8), False, "国庆节")))

    calendars.publish(city.session, row.id, by="钱 (2)", now=city.clock())
    after = city.accepted(category="07-001")

    assert city.session.execute(rows).all()[: len(clocks)] == clocks
    assert before.due_at < after.due_at  # what begins now counts by the new days
    assert calendars.running_clocks(city.session) > 0


@pytest.mark.parametrize(
    ("year", "days", "source", "code"),
    [
        (2027, [], "通知", "bad_notice"),
        (1999, [DayOfYear(date(1999, 1, 1), False, "元旦")], "通知", "bad_notice"),
        (2027, [DayOfYear(date(2027, 1, 1), False, "元旦")], "  ", "source_needed"),
    ],
)
def test_a_notice_with_a_slip_is_not_stored(
    city: Any, year: int, days: list[DayOfYear], source: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        calendars.draft(city.session, year, days, source=source, by="赵 (1)", now=city.clock())

    assert refused.value.code == code
    assert calendars.drafts(city.session) == []


def test_a_draft_that_was_withdrawn_is_not_published(city: Any) -> None:
    row = drafted(city, 2027, [DayOfYear(date(2027, 1, 1), False, "元旦")])
    calendars.withdraw(city.session, row.id)

    with pytest.raises(Conflict):
        calendars.publish(city.session, row.id, by="钱 (2)", now=city.clock())
    with pytest.raises(NotFound):
        calendars.get(city.session, 999_999)
    assert [one.status for one in calendars.drafts(city.session, 2027)] == [DraftStatus.WITHDRAWN]
