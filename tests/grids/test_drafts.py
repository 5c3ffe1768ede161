"""A draft is drawn anew step by step, undone, checked, published by somebody else, or thrown away."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from geoalchemy2.shape import to_shape
from sqlalchemy import select

from gis.errors import Conflict, CoverageBroken, Forbidden, InvalidInput
from gis.faults import CoverageReport, Fault, FaultKind
from grids import atlas
from grids.ground import drafts, editions, succession
from grids.ground.redraw import Operation
from grids.rules.calendar import local_day
from grids.tables import Edition, EditionStatus, Grid

pytestmark = pytest.mark.database

FIRST, SECOND, THIRD = "990101001001001", "990101001001002", "990101001002001"
ACROSS = [[117.004, 35.999], [117.004, 36.021]]


@pytest.fixture
def draft(city):
    """A draft with the areas of the town's edition, for tomorrow."""
    base = city.session.scalars(select(Edition)).one()
    tomorrow = local_day(city.clock()) + timedelta(days=1)
    return drafts.begin(
        city.session, base.id, name="改划", effective_from=tomorrow, by="drawer", now=city.clock()
    )


def operate(city, draft, **told):
    return drafts.operate(city.session, draft.id, Operation.from_json(told), by="drawer", now=city.clock())


def areas(city, draft):
    return editions.areas_of(city.session, draft.id).set_index("code")


def test_a_draft_begins_with_the_areas_of_its_edition(city, draft):
    base = editions.areas_of(city.session, draft.based_on_id)
    mine = editions.areas_of(city.session, draft.id)

    assert mine["code"].tolist() == base["code"].tolist()
    assert mine.geometry.geom_equals_exact(base.geometry, 0).all()
    assert (draft.status, draft.loaded_by) == (EditionStatus.DRAFT, "drawer")
    assert draft.report["counts"] == {"district": 1, "town": 2, "community": 3, "building_group": 6}


def test_a_cell_is_split_and_only_what_changed_is_written(city, draft):
    rows = dict(city.session.execute(select(Grid.code, Grid.id).where(Grid.edition_id == draft.id)).all())

    done = operate(city, draft, kind="split", code=FIRST, line=ACROSS)

    now = areas(city, draft)
    assert {FIRST, "990101001001003"} <= set(now.index)
    assert now.loc[[FIRST, "990101001001003"], "households"].sum() == 400
    assert {note.kind.value for note in done.notes} == {"estimated"}
    left = dict(city.session.execute(select(Grid.code, Grid.id).where(Grid.edition_id == draft.id)).all())
    assert left[THIRD] == rows[THIRD]
    assert draft.report["errors"] == 0
    assert [step["operation"]["kind"] for step in draft.operations] == ["split"]


def test_the_last_step_is_undone_and_those_before_it_stay(city, draft):
    before = areas(city, draft)
    operate(city, draft, kind="split", code=FIRST, line=ACROSS)
    split = areas(city, draft)
    operate(city, draft, kind="merge", codes=[FIRST, SECOND])

    drafts.undo(city.session, draft.id)
    again = areas(city, draft)
    assert again.index.tolist() == split.index.tolist()
    assert again.geometry.geom_equals_exact(split.geometry, 0).all()

    drafts.undo(city.session, draft.id)
    assert areas(city, draft).geometry.geom_equals_exact(before.geometry, 0).all()
    with pytest.raises(Conflict, match="nothing was drawn"):
        drafts.undo(city.session, draft.id)


def test_a_step_that_cannot_be_done_changes_nothing(city, draft):
    with pytest.raises(InvalidInput) as refused:
        operate(city, draft, kind="merge", codes=[FIRST, "990101002001002"])

    assert refused.value.code in ("different_parents", "not_neighbours")
    assert draft.operations == []


def test_a_code_that_was_retired_is_never_given_again(city, draft):
    operate(city, draft, kind="merge", codes=[FIRST, SECOND])
    drafts_effective = draft.effective_from
    city.clock.advance(days=1)
    editions.publish(city.session, draft.id, by="decider", now=city.clock())
    assert draft.effective_from == drafts_effective

    again = drafts.begin(
        city.session, draft.id, name=None, effective_from=date(2026, 7, 1), by="drawer", now=city.clock()
    )
    operate(city, again, kind="split", code=FIRST, line=ACROSS)

    codes = {code for code in areas(city, again).index if code.startswith("990101001001") and len(code) == 15}
    assert codes == {FIRST, "990101001001003"}  # 002 was merged away, and rests


def test_a_code_that_came_and_went_in_a_draft_rests_there_too_and_undoing_finds_it_again(city, draft):
    operate(city, draft, kind="split", code=FIRST, line=ACROSS)
    operate(city, draft, kind="merge", codes=[FIRST, "990101001001003"])
    operate(city, draft, kind="split", code=FIRST, line=ACROSS)
    assert "990101001001004" in areas(city, draft).index

    assert [step["used"] for step in draft.operations] == [["990101001001003"], [], ["990101001001004"]]

    operate(city, draft, kind="rename", code="990101001001004", name="西")
    operate(city, draft, kind="rename", code=FIRST, name="东")
    drafts.undo(city.session, draft.id)

    assert areas(city, draft).loc["990101001001004", "name"] == "西"


def test_the_one_who_drew_it_does_not_publish_it(city, draft):
    operate(city, draft, kind="rename", code=FIRST, name="新名")

    with pytest.raises(Forbidden):
        editions.publish(city.session, draft.id, by="drawer", now=city.clock())
    editions.publish(city.session, draft.id, by="decider", now=city.clock())

    assert draft.published_by == "decider"
    with pytest.raises(Conflict, match="not a draft"):
        operate(city, draft, kind="rename", code=FIRST, name="又改")


def test_a_redrawn_cell_gets_the_reports_of_its_day(city, draft):
    lon = 117.002
    before = city.report(lon=lon, lat=36.01)
    operate(city, draft, kind="split", code=FIRST, line=ACROSS, names=["东", "西"])
    editions.publish(city.session, draft.id, by="decider", now=city.clock())
    assert before.grid_code == FIRST

    city.clock.advance(days=1)
    while succession.bring_over(city.session, city.clock()).moved:
        pass
    after = city.report(lon=lon, lat=36.01)

    there = atlas.locate(city.session, lon, 36.01, "CGCS2000", on=local_day(city.clock()))
    assert before.grid_code == after.grid_code == there.code
    assert after.edition_id == draft.id


def test_a_draft_is_thrown_away_unless_another_is_drawn_from_it(city, draft):
    other = drafts.begin(
        city.session, draft.id, name=None, effective_from=draft.effective_from, by="drawer", now=city.clock()
    )
    with pytest.raises(Conflict) as refused:
        drafts.discard(city.session, draft.id)
    assert refused.value.code == "draft_is_a_base"

    drafts.discard(city.session, other.id)
    drafts.discard(city.session, draft.id)

    assert city.session.scalars(select(Edition.status)).all() == [EditionStatus.PUBLISHED]


def test_a_wrong_frame_is_not_forgotten_by_checking_again_or_by_drawing(city, draft):
    wrong = Fault(FaultKind.MISDECLARED_FRAME, (), "the coordinates are declared as WGS84, but fit as GCJ02")
    draft.report = CoverageReport({}, (wrong,)).to_dict()
    city.session.flush()

    drafts.check(city.session, draft.id)
    operate(city, draft, kind="rename", code=FIRST, name="东")

    assert [fault["kind"] for fault in draft.report["faults"]] == ["misdeclared_frame"]
    with pytest.raises(CoverageBroken):
        editions.publish(city.session, draft.id, by="other", now=city.clock())


def test_many_steps_leave_no_case_without_a_cell(city, draft):
    """Invariant: after any redivision every open incident has one cell of the grid in force."""
    cases = [city.report(lon=117.0005 + n * 0.00097, lat=36.001 + (n * 7 % 18) / 1000) for n in range(60)]
    for turn in range(6):
        code = sorted(c for c in areas(city, draft).index if len(c) == 15)[turn]
        west, south, east, north = areas(city, draft).loc[code].geometry.bounds
        middle = (west + east) / 2
        operate(city, draft, kind="split", code=code, line=[[middle, south - 1e-5], [middle, north + 1e-5]])
        cells = sorted(c for c in areas(city, draft).index if c.startswith(code[:12]) and len(c) == 15)
        if turn % 2:
            operate(city, draft, kind="merge", codes=[cells[-1], code])
    editions.publish(city.session, draft.id, by="decider", now=city.clock())
    city.clock.advance(days=1)
    while succession.bring_over(city.session, city.clock()).moved:
        pass

    cells = areas(city, draft)
    for case in cases:
        assert case.edition_id == draft.id
        held = cells.loc[case.grid_code].geometry
        assert held.distance(to_shape(case.point)) < 1e-12


def begin(city, base, by="drawer", effective=None):
    day = effective or local_day(city.clock()) + timedelta(days=1)
    return drafts.begin(city.session, base.id, name=None, effective_from=day, by=by, now=city.clock())


def test_whoever_drew_a_draft_drew_also_what_somebody_else_begins_from_it(city, draft):
    """Else a copy in another name would let people decide what they drew themselves."""
    operate(city, draft, kind="split", code=FIRST, line=ACROSS)
    copy = begin(city, draft, by="clerk")

    for hand in ("drawer", "clerk"):
        with pytest.raises(Forbidden, match="somebody else"):
            editions.publish(city.session, copy.id, by=hand, now=city.clock())
    editions.publish(city.session, copy.id, by="decider", now=city.clock())


def test_whoever_loaded_a_file_drew_also_what_somebody_else_begins_from_it(city, draft):
    draft.based_on_id, draft.loaded_by = None, "loader"  # as a file is loaded
    copy = begin(city, draft, by="clerk")

    assert editions.drawn_by(copy) == {"loader", "clerk"}
    with pytest.raises(Forbidden, match="somebody else"):
        editions.publish(city.session, copy.id, by="loader", now=city.clock())


def test_a_draft_that_another_is_drawn_from_stays_as_it_is(city, draft):
    """The steps of the other are replayed on it when its last one is undone."""
    operate(city, draft, kind="split", code=FIRST, line=ACROSS)
    copy = begin(city, draft)
    operate(city, copy, kind="rename", code=SECOND, name="新名")

    for change in (
        lambda: operate(city, draft, kind="merge", codes=[FIRST, SECOND]),
        lambda: drafts.undo(city.session, draft.id),
    ):
        with pytest.raises(Conflict) as refused:
            change()
        assert refused.value.code == "draft_is_a_base"

    drafts.undo(city.session, copy.id)
    assert "990101001001003" in areas(city, copy).index
    drafts.discard(city.session, copy.id)
    drafts.undo(city.session, draft.id)
    assert "990101001001003" not in areas(city, draft).index


def test_a_draft_begun_before_another_was_published_is_not_put_over_it(city, draft):
    """Its areas know nothing of what was decided since, and its new codes may be those of other ground by now."""
    base = city.session.get(Edition, draft.based_on_id)
    operate(city, draft, kind="split", code=FIRST, line=ACROSS)
    other = begin(city, base)
    operate(city, other, kind="split", code=SECOND, line=[[117.014, 35.999], [117.014, 36.021]])
    city.clock.advance(minutes=1)
    editions.publish(city.session, draft.id, by="decider", now=city.clock())

    with pytest.raises(Conflict) as refused:
        editions.publish(city.session, other.id, by="decider", now=city.clock())

    assert refused.value.code == "drawn_from_older"
    assert other.status is EditionStatus.DRAFT
    city.clock.advance(minutes=1)
    copy = begin(city, other)
    with pytest.raises(Conflict, match="begin again"):
        editions.publish(city.session, copy.id, by="decider", now=city.clock())
    back = begin(city, base)  # whoever goes back to an older grid on purpose loads it as a file
    with pytest.raises(Conflict, match="begin again"):
        editions.publish(city.session, back.id, by="decider", now=city.clock())
