"""Versions of a district's responsibility list: drafted by one person, compared, tried out, published by another.

The items of a version are rules of the kind `listed` that name it. Those of a draft decide nothing; on the day from
which a published list holds, its items begin and those of the list before end. What disputes decided, exceptions and
special grids stay beside it. A case keeps the list that it was accepted under (`grids.duty.duties.find_duty`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, null, or_, select, update
from sqlalchemy.orm import Session

from gis.errors import Conflict, Forbidden, InvalidInput, NotFound
from grids.csvtables import safe_cell
from grids.duty.responsibilities import known_names
from grids.rules.calendar import local_day
from grids.rules.dutylists import COLUMNS, NEEDED, Comparison, Item, cells_of, read_items
from grids.rules.dutylists import compare as compare_items
from grids.rules.dutysheet import Fault, bad_rules
from grids.rules.responsibilities import RuleKind
from grids.rules.sheets import Row, read_rows
from grids.scope import under
from grids.tables import DraftStatus, DutyBasis, DutyList, Responsibility

__all__ = [
    "as_csv",
    "change_item",
    "compare",
    "copy",
    "discard",
    "draft",
    "get",
    "in_force",
    "items_of",
    "listing",
    "publish",
    "replaced_by",
    "rules_of",
]

_PUBLISH_LOCK = 7_301_009  # any constant: one publication at a time, whoever runs it


def get(session: Session, list_id: int, *, lock: bool = False) -> DutyList:
    """Return a version of a list. Raises `NotFound` ("no_such_list")."""
    row = session.get(DutyList, list_id, with_for_update=lock, populate_existing=lock)
    if row is None:
        raise NotFound("no_such_list", f"there is no responsibility list {list_id}", id=list_id)
    return row


def listing(
    session: Session, districts: Sequence[str] = (), statuses: Collection[DraftStatus] = ()
) -> Sequence[DutyList]:
    """Return the versions of some districts, of all where none is named; the newest first."""
    rows = select(DutyList).order_by(DutyList.effective_from.desc(), DutyList.id.desc())
    if districts:
        rows = rows.where(DutyList.district_code.in_([code[:6] for code in districts]))
    if statuses:
        rows = rows.where(DutyList.status.in_(statuses))
    return session.scalars(rows).all()


def in_force(session: Session, district: str, day: date) -> DutyList | None:
    """Return the list that a district published last for a day, None where it published none."""
    return session.scalar(
        select(DutyList)
        .where(
            DutyList.district_code == district[:6],
            DutyList.status == DraftStatus.PUBLISHED,
            DutyList.effective_from <= day,
        )
        .order_by(DutyList.effective_from.desc(), DutyList.published_at.desc(), DutyList.id.desc())
        .limit(1)
    )


def rules_of(session: Session, list_id: int) -> Sequence[Responsibility]:
    """Return the items of a version as they are stored, in the order in which they were handed in."""
    return session.scalars(
        select(Responsibility).where(Responsibility.list_id == list_id).order_by(Responsibility.id)
    ).all()


def items_of(session: Session, list_id: int) -> list[Item]:
    """Return the items of a version."""
    return [_item(rule) for rule in rules_of(session, list_id)]


def draft(
    session: Session,
    content: bytes,
    *,
    district: str,
    name: str,
    source: str,
    effective_from: date,
    by: str,
    now: datetime,
) -> DutyList:
    """Store a table as the next version of a district's list, a draft: all of it, or nothing.

    content : a CSV file with the columns of `grids.rules.dutylists.COLUMNS`, in UTF-8 or GB 18030.
    Raises `InvalidInput`: "bad_sheet" for what is no such table, "bad_rules" whose `faults` name row and column of
    every cell that cannot be used, "past_day", "text_needed", "source_needed".
    """
    _check_head(name, source, effective_from, now)
    rows = read_rows(content, "responsibilities", COLUMNS, NEEDED)
    known = known_names(session, local_day(now))
    items, faults = read_items(
        rows, known, district=district, effective_from=effective_from, source=source.strip()
    )
    if faults:
        raise bad_rules("the list", faults)
    return _store(session, items, district, name, source, effective_from, by, now)


def copy(
    session: Session, *, district: str, name: str, source: str, effective_from: date, by: str, now: datetime
) -> DutyList:
    """Store what a district's list says on a day as the next version, a draft, to be changed item by item.

    Raises `InvalidInput` ("past_day", "text_needed", "source_needed"), `Conflict` ("no_list_yet") where nothing
    is listed.
    """
    _check_head(name, source, effective_from, now)
    items = [replace(_item(rule), source=source.strip()) for rule in _base(session, district, effective_from)]
    if not items:
        raise Conflict(
            "no_list_yet",
            f"nothing is listed for {district}: hand a table in",
            field="file",
            district=district,
        )
    return _store(session, items, district, name, source, effective_from, by, now)


def change_item(
    session: Session, list_id: int, rule_id: int, changes: dict[str, str], *, by: str, now: datetime
) -> Responsibility:
    """Change cells of one item of a draft; who does so has drafted it from then on, and does not publish it.

    changes : column of `COLUMNS` -> text as in a table. Raises `Conflict` ("not_a_draft"), `NotFound`
    ("no_such_item"), `InvalidInput` ("bad_rules").
    """
    row = _draft_row(session, list_id)
    rule = session.get(Responsibility, rule_id, with_for_update=True)
    if rule is None or rule.list_id != list_id:
        raise NotFound("no_such_item", f"list {list_id} has no item {rule_id}", list=list_id, item=rule_id)
    cells = dict(cells_of(_item(rule))) | {key: text.strip() for key, text in changes.items()}
    (item,) = _read_again(session, cells, row, now)
    if item.key in {one.key for one in items_of(session, list_id)} - {_item(rule).key}:
        raise bad_rules("the item", [Fault(2, "category", "another item is for the same area and category")])
    for column, value in _columns(item).items():
        setattr(rule, column, value)
    row.drafted_by, row.drafted_at, row.dry_run = by, now, None
    session.flush()
    return rule


def _read_again(session: Session, cells: dict[str, str], row: DutyList, now: datetime) -> list[Item]:
    items, faults = read_items(
        [Row("responsibilities", 2, {column: cells.get(column, "") for column in COLUMNS})],
        known_names(session, local_day(now)),
        district=row.district_code,
        effective_from=row.effective_from,
        source=row.source,
    )
    if faults:
        raise bad_rules("the item", faults, field=faults[0].column)
    return items


def compare(session: Session, list_id: int) -> Comparison:
    """Return what a version changes against what holds, or held, in its district when it begins."""
    row = get(session, list_id)
    return compare_items([_item(rule) for rule in replaced_by(session, row)], items_of(session, list_id))


def replaced_by(session: Session, row: DutyList) -> Sequence[Responsibility]:
    """Return the items that end, or ended, where a version begins."""
    return _base(session, row.district_code, row.effective_from, apart_from=row)


def publish(session: Session, list_id: int, *, by: str, now: datetime) -> DutyList:
    """Put a draft into force from its day on: its items begin, those of the list before end; cases keep theirs.

    Raises `Conflict` ("not_a_draft"), `InvalidInput` ("past_day") for a day that is over meanwhile, and `Forbidden`
    ("second_person_needed") when `by` drafted it.
    """
    session.execute(select(func.pg_advisory_xact_lock(_PUBLISH_LOCK)))
    row = _draft_row(session, list_id)
    if row.drafted_by == by:
        raise Forbidden(
            "second_person_needed",
            f"{by} drafted responsibility list {list_id}: somebody else has to publish it",
            list=list_id,
            drafted_by=row.drafted_by,
        )
    _not_past(row.effective_from, now)
    before = in_force(session, row.district_code, row.effective_from)
    row.based_on_id = None if before is None else before.id
    for rule in _base(session, row.district_code, row.effective_from, apart_from=row):
        rule.effective_to = row.effective_from
    until = session.scalar(  # a list that was published for a later day comes after this one as it would have
        select(func.min(DutyList.effective_from)).where(
            DutyList.district_code == row.district_code,
            DutyList.status == DraftStatus.PUBLISHED,
            DutyList.effective_from > row.effective_from,
        )
    )
    for rule in rules_of(session, list_id):
        rule.draft, rule.effective_from, rule.effective_to = False, row.effective_from, until
    row.status, row.published_at, row.published_by = DraftStatus.PUBLISHED, now, by
    session.execute(  # what other drafts were tried out against is no longer what they would replace
        update(DutyList)
        .where(DutyList.district_code == row.district_code, DutyList.status == DraftStatus.DRAFT)
        .values(dry_run=null())
    )
    session.flush()
    return row


def discard(session: Session, list_id: int) -> DutyList:
    """Put a draft away with its items. Raises `Conflict` ("not_a_draft") for what was published."""
    row = _draft_row(session, list_id)
    session.execute(delete(Responsibility).where(Responsibility.list_id == list_id, Responsibility.draft))
    row.status = DraftStatus.WITHDRAWN
    session.flush()
    return row


def as_csv(session: Session, list_id: int) -> str:
    """Return the items of a version as a table that `draft` takes again."""
    written = io.StringIO(newline="")
    table = csv.DictWriter(written, COLUMNS, lineterminator="\n")
    table.writeheader()
    for item in items_of(session, list_id):
        table.writerow({column: safe_cell(cell) for column, cell in cells_of(item).items()})
    return written.getvalue()


# -- what stands behind them


def _listed(district: str) -> ColumnElement[bool]:
    """Return the condition on items of the lists of a district that were published or loaded."""
    return and_(
        Responsibility.kind == RuleKind.LISTED,
        Responsibility.boundary.is_(None),
        ~Responsibility.draft,
        under(Responsibility.area_code, district),
    )


def _base(
    session: Session, district: str, day: date, *, apart_from: DutyList | None = None
) -> Sequence[Responsibility]:
    """Return the items that hold in a district on a day or, for a published list, that it took the place of."""
    ends = Responsibility.effective_to > day
    wanted = [_listed(district), Responsibility.effective_from <= day]
    if apart_from is not None:
        if apart_from.status is DraftStatus.PUBLISHED:
            ends = Responsibility.effective_to == day
            wanted.append(Responsibility.effective_to.is_not(None))
        # an item that is loaded by itself has no list
        wanted.append(Responsibility.list_id.is_distinct_from(apart_from.id))
    return session.scalars(
        select(Responsibility)
        .where(*wanted, or_(Responsibility.effective_to.is_(None), ends))
        .order_by(Responsibility.effective_from, Responsibility.id)
    ).all()


def _store(
    session: Session,
    items: Sequence[Item],
    district: str,
    name: str,
    source: str,
    effective_from: date,
    by: str,
    now: datetime,
) -> DutyList:
    session.execute(select(func.pg_advisory_xact_lock(_PUBLISH_LOCK)))
    last = session.scalar(select(func.max(DutyList.version_no)).where(DutyList.district_code == district))
    before = in_force(session, district, effective_from)
    row = DutyList(
        district_code=district,
        version_no=(last or 0) + 1,
        name=name.strip(),
        source=source.strip(),
        based_on_id=None if before is None else before.id,
        effective_from=effective_from,
        status=DraftStatus.DRAFT,
        drafted_at=now,
        drafted_by=by,
    )
    session.add(row)
    session.flush()
    session.add_all(
        Responsibility(
            kind=RuleKind.LISTED, list_id=row.id, draft=True, effective_from=effective_from, **_columns(item)
        )
        for item in items
    )
    session.flush()
    return row


def _columns(item: Item) -> dict[str, Any]:
    """Return an item as columns of its table."""
    cells = asdict(item)
    cells["area_code"], cells["category_code"] = cells.pop("area"), cells.pop("category")
    return cells | {"cooperating": list(item.cooperating), "basis": DutyBasis(item.basis)}


def _item(rule: Responsibility) -> Item:
    return Item(
        area=rule.area_code,
        category=rule.category_code or "",
        lead=rule.lead or "",
        cooperating=tuple(rule.cooperating),
        basis=rule.basis.value,
        source=rule.source,
        item_no=rule.item_no,
        town_duty=rule.town_duty,
        process=rule.process,
        legal_basis=rule.legal_basis,
        demarcation=rule.demarcation,
    )


def _draft_row(session: Session, list_id: int) -> DutyList:
    row = get(session, list_id, lock=True)
    if row.status is not DraftStatus.DRAFT:
        raise Conflict("not_a_draft", f"responsibility list {list_id} is {row.status.value}, not a draft")
    return row


def _check_head(name: str, source: str, effective_from: date, now: datetime) -> None:
    if not name.strip():
        raise InvalidInput("text_needed", "give the list a name", field="name")
    if not source.strip():
        raise InvalidInput("source_needed", "say which paper issues the list", field="source")
    _not_past(effective_from, now)


def _not_past(day: date, now: datetime) -> None:
    today = local_day(now)
    if day < today:
        raise InvalidInput(
            "past_day",
            f"a list holds from today, {today}, on or later; {day} is over",
            field="effective_from",
            got=day.isoformat(),
            wanted=today.isoformat(),
        )
