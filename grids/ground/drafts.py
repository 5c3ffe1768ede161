"""Drafts of the grid: begun from an edition that is there, drawn anew step by step, undone, checked, thrown away.

A draft holds whole areas, so that it is looked at and exported as any edition is. What was done to it is kept as a
list of operations (`grids.ground.redraw`) with who did each: replayed on the edition that it is based on they give the
same areas again, and so the last one can be undone.
"""

from __future__ import annotations

from datetime import date, datetime

import geopandas as gpd
import shapely
from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from gis.coverage import Tolerance
from gis.errors import Conflict
from gis.faults import Fault, FaultKind, Severity
from grids.ground import editions, redraw
from grids.ground.gate import accepted_in, check_grid
from grids.ground.redraw import Operation
from grids.scope import under
from grids.tables import Edition, EditionStatus, Grid

__all__ = ["begin", "check", "discard", "operate", "undo"]

_OF_THE_FILE = (FaultKind.MISDECLARED_FRAME, FaultKind.CONTRADICTED_FRAME)


def begin(
    session: Session, edition_id: int, *, name: str | None, effective_from: date, by: str, now: datetime
) -> Edition:
    """Begin a draft with the areas of an edition. Raises `NotFound` ("edition_not_found")."""
    base = editions.get(session, edition_id, lock=True)  # nobody draws in it while it is copied
    draft = Edition(
        name=name or base.name,
        status=EditionStatus.DRAFT,
        source=f"drawn from edition {base.id}",
        frame=base.frame,
        leaf_level=base.leaf_level,
        effective_from=effective_from,
        loaded_at=now,
        loaded_by=by,
        based_on_id=base.id,
        operations=[],
        report=base.report,
    )
    session.add(draft)
    session.flush()
    areas = editions.areas_of(session, base.id)
    editions.store_areas(session, draft.id, areas)
    _check(draft, areas)
    session.flush()
    return draft


def operate(
    session: Session, edition_id: int, operation: Operation, *, by: str, now: datetime
) -> redraw.Redrawn:
    """Carry out one operation on a draft and check the whole of it again; return what it did.

    Raises what `grids.ground.redraw.apply` raises, naming the argument, and `Conflict`: "not_a_draft", "not_drawn_here"
    for a draft that was loaded from a file (begin one from it first, then every step can be undone),
    "draft_is_a_base" while another is drawn from it.
    """
    draft = _draft(session, edition_id)
    if draft.based_on_id is None:
        raise Conflict(
            "not_drawn_here",
            f"edition {edition_id} was loaded from a file: begin a draft from it, and draw in that",
            edition=edition_id,
        )
    _check_no_base(session, draft)
    before = editions.areas_of(session, edition_id)
    retired = {code for step in draft.operations for code in step["used"]}
    known = _used_codes(session, draft)
    done = redraw.apply(before, [operation], known | retired)
    _store(session, draft, before, done.areas)
    notes = [{"kind": note.kind.value, "code": note.code, "message": note.message} for note in done.notes]
    step = {
        "operation": operation.to_json(),
        "by": by,
        "at": now.isoformat(),
        "notes": notes,
        "used": sorted(done.used_codes - known - retired),
    }
    draft.operations = [*draft.operations, step]
    _check(draft, done.areas)
    session.flush()
    return done


def undo(session: Session, edition_id: int) -> Edition:
    """Undo the last operation of a draft. Raises `Conflict`: "not_a_draft", "nothing_to_undo", "draft_is_a_base"."""
    draft = _draft(session, edition_id)
    if not draft.operations or draft.based_on_id is None:
        raise Conflict("nothing_to_undo", f"nothing was drawn in edition {edition_id}", edition=edition_id)
    _check_no_base(session, draft)
    kept = draft.operations[:-1]
    base = editions.areas_of(session, draft.based_on_id)
    steps = [Operation.from_json(step["operation"]) for step in kept]
    again = redraw.apply(base, steps, _used_codes(session, draft))
    _store(session, draft, editions.areas_of(session, edition_id), again.areas)
    draft.operations = kept
    _check(draft, again.areas)
    session.flush()
    return draft


def check(session: Session, edition_id: int) -> Edition:
    """Hold a draft against all rules of a grid and keep the report. Raises `Conflict` ("not_a_draft")."""
    draft = _draft(session, edition_id)
    _check(draft, editions.areas_of(session, edition_id))
    session.flush()
    return draft


def discard(session: Session, edition_id: int) -> None:
    """Throw a draft away. Raises `Conflict`: "not_a_draft", "draft_is_a_base" where another is drawn from it."""
    draft = _draft(session, edition_id)
    _check_no_base(session, draft)
    session.delete(draft)
    session.flush()


def _draft(session: Session, edition_id: int) -> Edition:
    draft = editions.get(session, edition_id, lock=True)
    if draft.status is not EditionStatus.DRAFT:
        raise Conflict("not_a_draft", f"edition {edition_id} is {draft.status.value}, not a draft")
    return draft


def _check_no_base(session: Session, draft: Edition) -> None:
    """Raise while another draft is drawn from this one: its steps are replayed on these areas."""
    other = session.scalar(select(Edition.id).where(Edition.based_on_id == draft.id).limit(1))
    if other is not None:
        raise Conflict(
            "draft_is_a_base",
            f"edition {other} is drawn from edition {draft.id}: throw that away first",
            edition=draft.id,
            other=other,
        )


def _used_codes(session: Session, draft: Edition) -> set[str]:
    """Return the codes that areas of these districts ever had in force: none is given to other ground."""
    districts = editions.districts_of(session, draft.id)
    found = (
        select(Grid.code)
        .join(Edition, Edition.id == Grid.edition_id)
        .where(
            or_(*(under(Grid.code, district) for district in districts)),
            or_(Edition.status != EditionStatus.DRAFT, Edition.id == draft.based_on_id),
        )
    )
    return set(session.scalars(found.distinct()))


def _store(session: Session, draft: Edition, before: gpd.GeoDataFrame, after: gpd.GeoDataFrame) -> None:
    """Write only what differs."""
    old, new = before.set_index("code"), after.set_index("code")
    common = old.index.intersection(new.index)
    columns = ["name", "households", "population", "size_reason", "source_code"]
    was, now = old.loc[common], new.loc[common]
    same = shapely.equals_identical(was.geometry.to_numpy(), now.geometry.to_numpy())
    for column in columns:
        left, right = was[column], now[column]
        same &= ((left == right) | (left.isna() & right.isna())).fillna(False).to_numpy(dtype=bool)
    kept = set(common[same])
    gone = [code for code in old.index if code not in kept]
    session.execute(delete(Grid).where(Grid.edition_id == draft.id, Grid.code.in_(gone)))
    editions.store_areas(session, draft.id, after[~after["code"].isin(kept)])
    session.expire_all()


def _check(draft: Edition, areas: gpd.GeoDataFrame) -> None:
    """Hold the areas against all rules, under the allowances that the draft began with.

    What was wrong with the frame of its file stays: the areas alone cannot show it any more.
    """
    told = draft.report
    tolerance = Tolerance(**told.get("tolerance", {}))
    kept = [
        Fault(
            FaultKind(fault["kind"]),
            tuple(fault["codes"]),
            fault["message"],
            Severity(fault["severity"]),
            reason=fault["accepted"],
        )
        for fault in told.get("faults", ())
        if fault["kind"] in _OF_THE_FILE
    ]
    draft.report = check_grid(areas, tolerance=tolerance, accepted=accepted_in(told), faults=kept).to_dict()
