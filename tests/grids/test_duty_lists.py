"""Versions of the responsibility list on a real PostGIS: two people, a day, a year tried out, old cases."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from geoalchemy2.shape import from_shape
from shapely import box
from shapely.geometry import MultiPolygon
from sqlalchemy import delete, func, select, update

from gis.errors import Conflict, Forbidden, InvalidInput, NotFound
from grids.acts.case import Case
from grids.acts.ladder import by_the_list
from grids.duty import dryrun, dutycheck, lists
from grids.duty import responsibilities as loading
from grids.duty.duties import find_duty
from grids.rules.calendar import local_day
from grids.rules.permissions import SYSTEM
from grids.rules.responsibilities import RuleKind
from grids.tables import DraftStatus, DutyBasis, Incident, Responsibility

pytestmark = pytest.mark.database

DISTRICT = "990101"
CELL = "990101001001001"
ELSEWHERE = "990101002001001"
HEAD = "item_no,category,area,lead,cooperating,basis,town_duty,process,legal_basis,demarcation\n"
FIRST = (
    HEAD
    + "1,10-001,990101,SCJG,CG,法定,巡查、上报,先劝导后查处,食品安全法,\n"
    + "2,07-001,990101,JJ,CG,法定,,,,路内交警，路外城管\n"
)
SECOND = (
    HEAD
    + "1,10-001,990101,CG,SCJG,法定,巡查、上报,先劝导后查处,食品安全法,\n3,07-001,990101001,CG,,商定,,,,\n"
)


def drafted(city: Any, table: str = FIRST, day: date | None = None, by: str = "赵 (1)", **head: str) -> Any:
    said = {"name": "属地管理事项清单", "source": "区办发〔2026〕12号"} | head
    return lists.draft(
        city.session,
        table.encode(),
        district=DISTRICT,
        effective_from=day or local_day(city.clock()),
        by=by,
        now=city.clock(),
        **said,
    )


def published(city: Any, table: str = FIRST, day: date | None = None) -> Any:
    row = drafted(city, table, day)
    return lists.publish(city.session, row.id, by="钱 (2)", now=city.clock())


def leads(city: Any, day: date, category: str = "10-001", code: str = CELL) -> str | None:
    duty = find_duty(city.session, category, code, on=day)
    return None if duty is None else duty.lead


def test_a_draft_decides_nothing_and_what_a_second_person_publishes_holds_from_its_day(city: Any) -> None:
    today = local_day(city.clock())
    city.session.execute(delete(Responsibility))
    row = drafted(city, day=today + timedelta(days=3))

    assert (row.version_no, row.status) == (1, DraftStatus.DRAFT)
    assert leads(city, today + timedelta(days=5)) is None
    assert loading.listing(city.session) == []
    assert [f for f in dutycheck.check(city.session, on=today + timedelta(days=5)) if f.rules] == []

    lists.publish(city.session, row.id, by="钱 (2)", now=city.clock())

    assert [leads(city, today + timedelta(days=n)) for n in (2, 3, 400)] == [None, "SCJG", "SCJG"]
    assert lists.in_force(city.session, DISTRICT, today) is None
    assert lists.in_force(city.session, DISTRICT, today + timedelta(days=3)) is row
    duty = find_duty(city.session, "10-001", CELL, on=today + timedelta(days=3))
    assert (duty.kind, duty.basis, duty.source) == (RuleKind.LISTED, "statutory", "区办发〔2026〕12号")


def test_who_drafted_a_list_or_changed_it_last_does_not_publish_it(city: Any) -> None:
    row = drafted(city)
    with pytest.raises(Forbidden, match="somebody else"):
        lists.publish(city.session, row.id, by="赵 (1)", now=city.clock())

    (first, *_) = lists.rules_of(city.session, row.id)
    lists.change_item(city.session, row.id, first.id, {"lead": "GA"}, by="钱 (2)", now=city.clock())
    with pytest.raises(Forbidden):
        lists.publish(city.session, row.id, by="钱 (2)", now=city.clock())

    lists.publish(city.session, row.id, by="赵 (1)", now=city.clock())
    for act in (
        lambda: lists.publish(city.session, row.id, by="孙 (3)", now=city.clock()),
        lambda: lists.discard(city.session, row.id),
        lambda: lists.change_item(city.session, row.id, first.id, {}, by="孙", now=city.clock()),
        lambda: dryrun.dry_run(city.session, row.id, by="孙", now=city.clock()),
    ):
        with pytest.raises(Conflict):  # what was published never changes
            act()


def test_the_list_before_ends_where_the_next_begins_and_decided_rules_and_places_stay(city: Any) -> None:
    today = local_day(city.clock())
    first = published(city)
    city.session.add_all(
        [
            Responsibility(
                kind=RuleKind.DECIDED,
                category_code="07-001",
                area_code=CELL,
                lead="GA",
                cooperating=[],
                basis=DutyBasis.AGREED,
                source="D1",
                effective_from=today,
            ),
            Responsibility(
                kind=RuleKind.EXCEPTION,
                name="红线",
                category_code="10-001",
                area_code=ELSEWHERE,
                boundary=from_shape(MultiPolygon([box(117.04, 36.0, 117.05, 36.02)]), srid=4490),
                lead="ZJ",
                cooperating=[],
                basis=DutyBasis.AGREED,
                source="纪要",
                effective_from=today,
            ),
        ]
    )
    city.session.flush()
    later = today + timedelta(days=10)
    second = published(city, SECOND, later)

    assert second.based_on_id == first.id
    assert [leads(city, today + timedelta(days=n)) for n in (0, 9, 10)] == ["SCJG", "SCJG", "CG"]
    assert leads(city, later, "07-001", CELL) == "GA"
    assert leads(city, later, "07-001", "990101001001002") == "CG"  # the new list has it for one town only
    assert leads(city, later - timedelta(days=1), "07-001", ELSEWHERE) == "JJ"
    assert leads(city, later, "07-001", ELSEWHERE) == "JJ"  # dropped: what came with the product holds again
    inside = find_duty(city.session, "10-001", ELSEWHERE, on=later, point=(117.045, 36.01))
    assert (inside.kind, inside.lead) == (RuleKind.EXCEPTION, "ZJ")

    between = published(city, FIRST, today + timedelta(days=5))  # ends where the one after it begins
    assert {rule.effective_to for rule in lists.rules_of(city.session, between.id)} == {later}
    assert {rule.effective_to for rule in lists.rules_of(city.session, first.id)} == {
        today + timedelta(days=5)
    }
    assert [leads(city, today + timedelta(days=n)) for n in (4, 5, 10)] == ["SCJG", "SCJG", "CG"]
    assert [f for f in dutycheck.check(city.session, on=today) if f.fault.value == "dates_overlap"] == []


def test_a_case_keeps_the_list_that_it_began_with(city: Any) -> None:
    published(city, FIRST)
    old = city.accepted()
    began = old.responsible
    city.clock.advance(days=1)
    second = published(city, SECOND)

    new = city.accepted()

    city.session.refresh(old)
    assert old.responsible == began
    assert (old.responsible["departments"][0]["code"], new.responsible["departments"][0]["code"]) == (
        "SCJG",
        "CG",
    )
    later = {
        one.number: by_the_list(Case.open(city.session, one.number, SYSTEM, city.clock()))
        for one in (old, new)
    }
    assert [later[one.number].departments[0]["code"] for one in (old, new)] == ["SCJG", "CG"]
    assert later[old.number].rule == began["rule"]
    assert later[new.number].why["facts"]["source"] == second.source


def test_what_was_decided_since_holds_for_a_case_of_the_old_list_too(city: Any) -> None:
    published(city, FIRST)
    old = city.accepted()
    city.clock.advance(days=1)
    published(city, SECOND)
    city.session.add(
        Responsibility(
            kind=RuleKind.DECIDED,
            category_code="10-001",
            area_code="990101001",
            lead="GA",
            cooperating=[],
            basis=DutyBasis.DESIGNATED,
            source="D2",
            effective_from=local_day(city.clock()),
        )
    )
    city.session.flush()

    called = by_the_list(Case.open(city.session, old.number, SYSTEM, city.clock())).departments

    assert called[0]["code"] == "GA"


def test_versions_are_compared_before_and_after_publication(city: Any) -> None:
    today = local_day(city.clock())
    published(city, FIRST)
    row = drafted(city, SECOND, today + timedelta(days=1))

    before = lists.compare(city.session, row.id)
    lists.publish(city.session, row.id, by="钱 (2)", now=city.clock())

    assert [(one.area, one.category) for one in before.added] == [("990101001", "07-001")]
    assert [(one.area, one.category) for one in before.dropped] == [("990101", "07-001")]
    (changed,) = before.changed
    assert [change._asdict() for change in changed.changes] == [
        {"field": "lead", "before": "SCJG", "after": "CG"},
        {"field": "cooperating", "before": "CG", "after": "SCJG"},
    ]
    assert lists.compare(city.session, row.id) == before


def test_a_copy_is_changed_item_by_item_and_goes_out_as_a_table(city: Any) -> None:
    published(city, FIRST)
    row = lists.copy(
        city.session,
        district=DISTRICT,
        name="二版",
        source="区办发〔2026〕30号",
        effective_from=local_day(city.clock()),
        by="赵 (1)",
        now=city.clock(),
    )
    assert lists.compare(city.session, row.id).same == 2
    dryrun.dry_run(city.session, row.id, by="赵 (1)", now=city.clock())
    _, parking = lists.rules_of(city.session, row.id)

    for cell, column in (("NONE", "lead"), ("", "cooperating")):
        with pytest.raises(InvalidInput) as refused:
            lists.change_item(city.session, row.id, parking.id, {column: cell}, by="赵 (1)", now=city.clock())
        assert refused.value.code == "bad_rules"
    with pytest.raises(InvalidInput):
        lists.change_item(city.session, row.id, parking.id, {"category": "10-001"}, by="赵", now=city.clock())
    with pytest.raises(NotFound):
        lists.change_item(city.session, row.id, 999_999, {"lead": "CG"}, by="赵 (1)", now=city.clock())
    lists.change_item(
        city.session, row.id, parking.id, {"lead": "CG", "cooperating": "JJ"}, by="赵 (1)", now=city.clock()
    )

    assert row.dry_run is None  # what was tried out is no longer what would be published
    assert [change.field for change in lists.compare(city.session, row.id).changed[0].changes] == [
        "lead",
        "cooperating",
    ]
    table = lists.as_csv(city.session, row.id)
    assert "路内交警，路外城管" in table
    again = drafted(city, table)
    assert lists.items_of(city.session, again.id) == lists.items_of(city.session, row.id)


def test_a_draft_that_is_put_away_leaves_nothing(city: Any) -> None:
    count = select(func.count()).select_from(Responsibility)
    before = city.session.scalar(count)
    row = drafted(city)

    lists.discard(city.session, row.id)

    assert city.session.scalar(count) == before
    assert row.status is DraftStatus.WITHDRAWN
    assert drafted(city).version_no == 2


def test_a_table_that_cannot_be_used_stores_nothing(city: Any) -> None:
    today = local_day(city.clock())
    count = select(func.count()).select_from(Responsibility)
    before = city.session.scalar(count)
    for table, code in (
        (FIRST.replace("JJ", "NONE"), "bad_rules"),
        (FIRST.replace("990101,", "990102,"), "bad_rules"),
        (HEAD, "bad_sheet"),
        ("lead,who\n", "bad_sheet"),
    ):
        with pytest.raises(InvalidInput) as refused:
            drafted(city, table)
        assert refused.value.code == code
    for wrong, code in (
        ({"day": today - timedelta(days=1)}, "past_day"),
        ({"name": " "}, "text_needed"),
        ({"source": ""}, "source_needed"),
    ):
        with pytest.raises(InvalidInput) as refused:
            drafted(city, **wrong)
        assert refused.value.code == code
    assert city.session.scalar(count) == before
    with pytest.raises(Conflict) as nothing:
        lists.copy(
            city.session,
            district=DISTRICT,
            name="x",
            source="x",
            effective_from=today,
            by="x",
            now=city.clock(),
        )
    assert nothing.value.code == "no_list_yet"
    row = drafted(city)
    city.clock.advance(days=1)
    with pytest.raises(InvalidInput):
        lists.publish(city.session, row.id, by="钱 (2)", now=city.clock())
    with pytest.raises(NotFound):
        lists.get(city.session, 999_999)


def test_a_dry_run_gives_out_the_last_year_by_both_lists(city: Any) -> None:
    published(city, FIRST)
    for _ in range(3):
        city.report(code=CELL)  # SCJG -> CG
    city.report(category="07-001", code=CELL)  # JJ -> CG, in the first town only
    city.report(category="07-001", code=ELSEWHERE)
    city.report(category=None)  # no category, so nobody is named
    outside = city.report(code=ELSEWHERE)
    city.session.add(
        Responsibility(
            kind=RuleKind.EXCEPTION,
            name="红线",
            category_code="10-001",
            area_code=ELSEWHERE,
            boundary=from_shape(MultiPolygon([box(117.04, 36.0, 117.05, 36.02)]), srid=4490),
            lead="ZJ",
            cooperating=[],
            basis=DutyBasis.AGREED,
            source="纪要",
            effective_from=local_day(city.clock()),
        )
    )
    too_old = city.report(code=CELL)
    city.session.execute(
        update(Incident)
        .where(Incident.id == too_old.id)
        .values(received_at=city.clock() - timedelta(days=366))
    )
    city.clock.advance(minutes=1)
    row = drafted(city, SECOND)

    told = dryrun.dry_run(city.session, row.id, by="赵 (1)", now=city.clock())

    assert row.dry_run == told
    assert (told["incidents"], told["match"], told["change"]) == (6, 2, 4)
    assert [(one["category"], one["before"], one["after"], one["count"]) for one in told["rows"]] == [
        ("10-001", "SCJG", "CG", 3),
        ("07-001", "JJ", "CG", 1),
    ]
    assert len(set(told["rows"][0]["examples"])) == 3
    assert outside.number not in told["rows"][0]["examples"]  # the red line goes before both lists
    assert leads(city, local_day(city.clock())) == "SCJG"


def test_what_was_tried_out_is_forgotten_when_another_list_comes_between(city: Any) -> None:
    waiting = drafted(city, SECOND)
    dryrun.dry_run(city.session, waiting.id, by="赵 (1)", now=city.clock())

    published(city, FIRST)

    city.session.refresh(waiting)
    assert waiting.dry_run is None


def test_the_sentence_of_the_paper_61_match_and_4_change_lead(city: Any) -> None:
    published(city, FIRST)
    for number in range(65):
        city.report(category="10-001" if number < 61 else "07-001", code=CELL)
    city.clock.advance(minutes=1)
    table = FIRST.replace("07-001,990101,JJ,CG", "07-001,990101,CG,JJ")

    told = dryrun.dry_run(city.session, drafted(city, table).id, by="赵 (1)", now=city.clock())

    assert (told["match"], told["change"]) == (61, 4)


def test_a_dry_run_names_every_group_as_the_rules_name_each_incident(city: Any) -> None:
    """The groups of the database against one question for each incident."""
    published(city, FIRST)
    for shift, lead in ((0.0, "ZJ"), (0.004, "ZRZY")):
        city.session.add(
            Responsibility(
                kind=RuleKind.SPECIAL_GRID,
                name=f"市场{shift}",
                category_code=None,
                area_code=CELL,
                boundary=from_shape(MultiPolygon([box(117.0, 36.0, 117.006 + shift, 36.02)]), srid=4490),
                lead=lead,
                cooperating=[],
                basis=DutyBasis.AGREED,
                source="x",
                effective_from=date(2026, 1, 1),
            )
        )
    city.session.flush()
    made = [
        city.report(category=category, lon=lon, lat=36.011)
        for category in ("10-001", "07-001", "01-001")
        for lon in (117.003, 117.008, 117.015, 117.025, 117.045)
    ]
    city.clock.advance(minutes=1)
    row = drafted(city, SECOND)
    today = local_day(city.clock())
    before = {
        one.number: duty.lead
        if (duty := find_duty(city.session, one.category_code, one.grid_code, on=today, point=one.point))
        else None
        for one in made
    }
    told = dryrun.dry_run(city.session, row.id, by="赵", now=city.clock())
    lists.publish(city.session, row.id, by="钱", now=city.clock())
    after = {
        one.number: duty.lead
        if (duty := find_duty(city.session, one.category_code, one.grid_code, on=today, point=one.point))
        else None
        for one in made
    }

    wanted: dict[tuple[str, str | None, str | None], int] = {}
    for one in made:
        if before[one.number] != after[one.number]:
            key = (one.category_code, before[one.number], after[one.number])
            wanted[key] = wanted.get(key, 0) + 1
    assert {(r["category"], r["before"], r["after"]): r["count"] for r in told["rows"]} == wanted
    assert told["incidents"] == len(made)
    assert wanted
