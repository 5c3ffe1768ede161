"""Limit profiles on a real PostGIS: two people, a day, and cases that keep what they began with."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gis.errors import Conflict, Forbidden, InvalidInput, NotFound
from grids import limits
from grids.acts.case import Case
from grids.rules.deadlines import DeadlineKind
from grids.rules.limits import Limit, Unit
from grids.rules.permissions import SYSTEM
from grids.rules.profiles import DEFAULT, parse_profile, shipped_profile
from grids.rules.whistles import WhistleLevel
from grids.tables import Deadline, Trace

pytestmark = pytest.mark.database

HEAD = {"code": "ours", "name": "本区方案", "name_en": "Ours", "source": "a paper"}
DISTRICT = "990101"


def put_into_force(city: Any, on: date | None = None, **rules: Any) -> Any:
    day = on or city.clock().date()
    row = limits.draft(
        city.session,
        parse_profile({**HEAD, **rules}),
        district=DISTRICT,
        effective_from=day,
        by="赵 (1)",
        now=city.clock(),
    )
    return limits.publish(city.session, row.id, by="钱 (2)", now=city.clock())


def test_a_district_that_published_nothing_runs_by_the_default(city: Any) -> None:
    incident = city.accepted()

    assert limits.in_force(city.session, DISTRICT, city.clock().date()) is DEFAULT
    kept = incident.limits["profile"]
    assert (kept["code"], kept["version"], kept["rules"]) == ("default", 0, DEFAULT.rules())


def test_limits_hold_from_their_day_and_in_their_district_only(city: Any) -> None:
    today = city.clock().date()
    put_into_force(city, today, most_hops=1)
    put_into_force(city, today + timedelta(days=10), most_hops=3)
    put_into_force(city, today + timedelta(days=5), most_hops=4)

    def hops(days: int, district: str = DISTRICT) -> int:
        return limits.in_force(city.session, district, today + timedelta(days=days)).most_hops

    assert [hops(-1), hops(0), hops(4), hops(5), hops(10), hops(400)] == [2, 1, 1, 4, 3, 3]
    assert hops(400, "990199") == 2
    versions = [row.version_no for row in limits.listing(city.session, [DISTRICT])]
    assert sorted(versions) == [1, 2, 3]


def test_who_drafted_limits_does_not_publish_them(city: Any) -> None:
    today = city.clock().date()
    row = limits.draft(
        city.session,
        shipped_profile("shandong"),
        district=DISTRICT,
        effective_from=today,
        by="赵 (1)",
        now=city.clock(),
    )

    with pytest.raises(Forbidden, match="somebody else"):
        limits.publish(city.session, row.id, by="赵 (1)", now=city.clock())

    assert limits.in_force(city.session, DISTRICT, today) is DEFAULT
    limits.publish(city.session, row.id, by="钱 (2)", now=city.clock())
    assert limits.in_force(city.session, DISTRICT, today).return_window == Limit(2, Unit.WORK_DAY)
    with pytest.raises(Conflict):  # what was published never changes
        limits.publish(city.session, row.id, by="孙 (3)", now=city.clock())
    with pytest.raises(Conflict):
        limits.withdraw(city.session, row.id)


def test_limits_do_not_begin_in_the_past(city: Any) -> None:
    today = city.clock().date()
    with pytest.raises(InvalidInput) as refused:
        put_into_force(city, today - timedelta(days=1))
    assert refused.value.code == "past_day"

    row = limits.draft(
        city.session, DEFAULT, district=DISTRICT, effective_from=today, by="赵 (1)", now=city.clock()
    )
    city.clock.advance(days=1)
    with pytest.raises(InvalidInput):
        limits.publish(city.session, row.id, by="钱 (2)", now=city.clock())
    limits.withdraw(city.session, row.id)
    assert limits.in_force(city.session, DISTRICT, city.clock().date()) is DEFAULT
    with pytest.raises(NotFound):
        limits.get(city.session, 999_999)


def test_a_running_case_keeps_the_limits_that_it_began_with(city: Any) -> None:
    before = city.accepted(category="10-001")
    due = city.clocks(before)
    put_into_force(
        city,
        clocks={"community": "2 work_hour"},
        ceilings={"green": "1 work_hour", "blue": "1 work_hour", "yellow": "1 work_hour"},
        second_handling="7 work_day",
    )
    after = city.accepted(category="10-001")

    assert city.clocks(before) == due
    assert (after.limits["profile"]["code"], after.limits["profile"]["version"]) == ("ours", 1)
    old, new = (Case.open(city.session, one.number, SYSTEM, city.clock()) for one in (before, after))
    assert old.limit(DeadlineKind.COMMUNITY) == Limit(1, Unit.WORK_DAY)
    assert new.limit(DeadlineKind.COMMUNITY) == Limit(2, Unit.WORK_HOUR)
    assert (old.rules.second_handling, new.rules.second_handling) == (
        Limit(3, Unit.WORK_DAY),
        Limit(7, Unit.WORK_DAY),
    )
    assert after.due_at == city.clock() + timedelta(hours=1)
    assert limits.running_cases(city.session, DISTRICT) == 2


def test_a_report_that_nobody_accepted_yet_begins_with_the_limits_of_the_day_of_acceptance(city: Any) -> None:
    incident = city.report()
    put_into_force(city, most_hops=1)
    case = Case.open(city.session, incident.number, SYSTEM, city.clock())

    assert case.rules.code == "ours"  # read again when it is accepted
    accepted = city.accepted()
    assert accepted.limits["profile"]["code"] == "ours"


def test_a_case_from_before_profiles_runs_by_what_held_on_its_day(city: Any) -> None:
    incident = city.accepted()
    incident.limits = {key: value for key, value in incident.limits.items() if key != "profile"}
    city.session.flush()
    put_into_force(city, city.clock().date() + timedelta(days=1), most_hops=1)
    city.clock.advance(days=2)

    assert Case.open(city.session, incident.number, SYSTEM, city.clock()).rules is DEFAULT


def test_the_trace_keeps_which_limits_a_case_began_with(city: Any) -> None:
    incident = city.accepted()

    step = city.session.scalars(
        select(Trace).where(Trace.incident_id == incident.id, Trace.action == "accept")
    ).one()

    assert step.payload["limits"]["profile"] == DEFAULT.seal()


def test_publishing_moves_no_clock_that_runs(city: Any) -> None:
    for level in (WhistleLevel.FIRST, WhistleLevel.SECOND):
        city.accepted(level)
    rows = select(Deadline.id, Deadline.due_at, Deadline.settled_at).order_by(Deadline.id)
    before = city.session.execute(rows).all()

    put_into_force(city, clocks={"liaison": "1 urgent_hour", "assign": "1 urgent_hour"})

    assert city.session.execute(rows).all() == before
