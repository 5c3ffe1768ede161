"""Versions of the responsibility list, powers of towns, and what departments wish to hand down, as JSON."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from api.schemas.base import Answer, AreaCode, Body, Flag, Line, Passage, Shown
from grids.duty.admissions import Admission
from grids.duty.powers import Imported, Power
from grids.rules.dutylists import Comparison, Item
from grids.rules.pauses import Decision
from grids.tables import DraftStatus, DutyBasis, DutyList

__all__ = [
    "AdmissionIn",
    "AdmissionOut",
    "ComparisonOut",
    "DecideAdmissionIn",
    "DryRunOut",
    "DutyListOut",
    "ImportedOut",
    "ItemOut",
    "PowerOut",
    "SentTable",
    "WholeListOut",
]


class SentTable(Body):
    """What tells one upload of a table from another: a repeat with the same key has to be the same file."""

    sha256: str
    name: str | None = None
    source: str | None = None
    effective_from: date | None = None
    district: str | None = None


class DryRunRowOut(Answer):
    """Incidents that another department would have led; null for nobody."""

    category: str
    before: str | None = Field(description="code of the lead by the list in force")
    after: str | None = Field(description="code of the lead by the draft")
    count: int
    examples: list[str] = Field(description="numbers of incidents, the newest first")


class DryRunOut(Answer):
    """What a draft would have changed in the 365 days before it was tried out."""

    since: str
    until: str
    run_at: str
    run_by: str
    incidents: int = Field(description="with a category, in the district")
    match: int = Field(description="led by the same department")
    change: int = Field(description="led by another one")
    cooperating: int = Field(description="of those that match: with other departments cooperating")
    rows: list[DryRunRowOut] = Field(description="the changes, the most frequent first")


class DutyListOut(Answer):
    """One version of a district's responsibility list."""

    id: int
    district: AreaCode
    version: int
    name: str
    source: str = Field(description="the paper that issues it")
    status: DraftStatus
    effective_from: date
    based_on: int | None = Field(description="the version in force before it")
    drafted_at: Shown
    drafted_by: str
    published_at: Shown | None
    published_by: str | None
    dry_run: DryRunOut | None = Field(description="null: not tried out since it was changed last")

    @classmethod
    def of(cls, row: DutyList) -> DutyListOut:
        """Return a version without its items."""
        return cls.model_validate(_head(row))


def _head(row: DutyList) -> dict[str, object]:
    return {
        "id": row.id,
        "district": row.district_code,
        "version": row.version_no,
        "name": row.name,
        "source": row.source,
        "status": row.status,
        "effective_from": row.effective_from,
        "based_on": row.based_on_id,
        "drafted_at": row.drafted_at,
        "drafted_by": row.drafted_by,
        "published_at": row.published_at,
        "published_by": row.published_by,
        "dry_run": row.dry_run,
    }


class ItemOut(Answer):
    """One item: who leads and who cooperates for a category in an area."""

    item_no: str | None
    area: str
    category: str
    lead: str
    cooperating: list[str]
    basis: DutyBasis
    source: str
    town_duty: str | None
    process: str | None
    legal_basis: str | None
    demarcation: str | None = Field(description="set: an item of the boundary list, who does which part")

    @classmethod
    def of(cls, item: Item) -> ItemOut:
        """Return an item."""
        return cls.model_validate(item)


class WholeListOut(DutyListOut):
    """A version with its items."""

    items: list[ItemOut]

    @classmethod
    def whole(cls, row: DutyList, items: list[Item]) -> WholeListOut:
        """Return a version with its items."""
        return cls.model_validate(_head(row) | {"items": [ItemOut.of(item) for item in items]})


class CellOut(Answer):
    """One cell in which two versions of an item differ; null is empty."""

    field: str
    before: str | None
    after: str | None


class ItemChangeOut(Answer):
    """An item that both lists have."""

    area: str
    category: str
    changes: list[CellOut]


class ComparisonOut(Answer):
    """What a list changes against the one that it replaces, by area and category."""

    added: list[ItemOut]
    dropped: list[ItemOut]
    changed: list[ItemChangeOut]
    same: int = Field(description="items that are alike")

    @classmethod
    def of(cls, found: Comparison) -> ComparisonOut:
        """Return a comparison."""
        return cls(
            added=[ItemOut.of(item) for item in found.added],
            dropped=[ItemOut.of(item) for item in found.dropped],
            changed=[
                ItemChangeOut(
                    area=one.after.area,
                    category=one.after.category,
                    changes=[CellOut(**cell._asdict()) for cell in one.changes],
                )
                for one in found.changed
            ],
            same=found.same,
        )


class PowerOut(Answer):
    """A power that a town exercises itself; its number is an office's and shown as it is."""

    item_no: str
    name: str
    town: AreaCode
    department: str
    department_name: str
    department_name_en: str
    categories: list[str] = Field(description="for which the town could act itself")
    conditions: str
    limit: str
    contact_phone: str | None
    legal_basis: str
    source: str
    since: date
    until: date | None = Field(description="the first day on which it no longer holds")

    @classmethod
    def of(cls, power: Power) -> PowerOut:
        """Return a power."""
        row = power.row
        return cls(
            item_no=row.item_no,
            name=row.name,
            town=row.area_code,
            department=power.department.code,
            department_name=power.department.name,
            department_name_en=power.department.name_en,
            categories=row.category_codes,
            conditions=row.conditions,
            limit=row.limit_text,
            contact_phone=row.contact_phone,
            legal_basis=row.legal_basis,
            source=row.source,
            since=row.effective_from,
            until=row.effective_to,
        )


class ImportedOut(Answer):
    """What an import of powers did, a power of three towns counting three times."""

    begun: int
    ended: int = Field(description="that ran before, and end where a new one begins")

    @classmethod
    def of(cls, done: Imported) -> ImportedOut:
        """Return what was done."""
        return cls(begun=done.begun, ended=done.ended)


class AdmissionIn(Body):
    """A department's wish that towns do something."""

    title: Line
    content: Passage
    legal_basis: Passage
    support: Passage = Field(description="the people, money and powers that come with it")
    towns: list[AreaCode] = Field(default=[], max_length=200, description="empty: all towns of the district")
    until: date | None = None


class DecideAdmissionIn(Body):
    """What becomes of a wish; a refusal needs its note."""

    granted: Flag
    note: Passage | None = None


class AdmissionOut(Answer):
    """A wish to hand a task down to towns, and what became of it."""

    id: int
    department: str
    department_name: str
    department_name_en: str
    title: str
    content: str
    legal_basis: str
    support: str
    towns: list[str] = Field(description="empty: all towns of the district")
    until: date | None
    asked_at: Shown
    asked_by: str | None
    decision: Decision
    decided_at: Shown | None
    decided_by: str | None
    decision_note: str | None

    @classmethod
    def of(cls, one: Admission) -> AdmissionOut:
        """Return a wish."""
        row = one.row
        return cls(
            id=row.id,
            department=one.department.code,
            department_name=one.department.name,
            department_name_en=one.department.name_en,
            title=row.title,
            content=row.content,
            legal_basis=row.legal_basis,
            support=row.support,
            towns=row.towns,
            until=row.until,
            asked_at=row.asked_at,
            asked_by=one.asked_by,
            decision=row.decision,
            decided_at=row.decided_at,
            decided_by=one.decided_by,
            decision_note=row.decision_note,
        )
