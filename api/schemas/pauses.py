"""What stops or moves clocks, as it comes in and goes out: suspensions, extensions, the ledger."""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import Field

from api.schemas.base import Answer, Body, Flag, Moment, Passage, Real, ShortCode, Shown
from grids.ledger import LedgerRow
from grids.rules.grading import Grade
from grids.rules.lifecycle import IncidentStatus
from grids.rules.limits import Limit, Unit
from grids.rules.pauses import Decision, SuspensionReason
from grids.tables import Extension, LedgerItem, Suspension

__all__ = [
    "AskSuspensionIn",
    "CloseLedgerIn",
    "DecideExtensionIn",
    "ExtendIn",
    "ExtensionOut",
    "LedgerIn",
    "LedgerItemOut",
    "LedgerListOut",
    "NoteIn",
    "ResumeIn",
    "ReviewIn",
    "SuspendIn",
    "SuspensionOut",
]


class AskSuspensionIn(Body):
    """What a case should wait for, and until when."""

    reason: SuspensionReason
    note: Passage
    until: Moment = Field(description="30 days from now at the latest, or as the case's limits say")


class SuspendIn(Body):
    """A suspension: what is left out is as it was asked for; unasked, all three are needed."""

    reason: SuspensionReason | None = None
    note: Passage | None = None
    until: Moment | None = None


class NoteIn(Body):
    """Why."""

    note: Passage


class ResumeIn(Body):
    """Why a case goes on before its day."""

    note: Passage | None = None


class LedgerIn(Body):
    """A hard case: its plan, who carries it out, when it is looked at again, what the public is told."""

    plan: Passage
    lead: ShortCode = Field(description="code of a department, or TOWN")
    review_on: date = Field(description="after today, 90 days from now at the latest, or as its limits say")
    public_reply: Passage


class ReviewIn(Body):
    """How far a case on the ledger is, and when it is looked at next."""

    note: Passage
    review_on: date


class CloseLedgerIn(Body):
    """What the public is told in the end."""

    public_reply: Passage


class ExtendIn(Body):
    """How much more time a department needs, counted from the moment at which its part is due."""

    value: Real = Field(gt=0)
    unit: Unit
    reason: Passage
    citizen_told: Flag = Field(description="whether those who reported it know")

    def amount(self) -> Limit:
        """Return it as the use case takes it."""
        return Limit(self.value, self.unit)


class DecideExtensionIn(Body):
    """More time, or not; a refusal needs a note."""

    granted: Flag
    note: Passage | None = None


class SuspensionOut(Answer):
    """A time in which a case waits, or was asked to."""

    reason: SuspensionReason
    note: str
    until: Shown
    decision: Decision
    asked_at: Shown
    decided_at: Shown | None = Field(description="granted: from here on the case waits")
    decision_note: str | None
    ended_at: Shown | None

    @classmethod
    def of(cls, row: Suspension) -> SuspensionOut:
        """Return a suspension from its row."""
        return cls.model_validate(row)


class ExtensionOut(Answer):
    """More time for one part, asked for or decided."""

    amount: dict[str, Any]
    reason: str
    citizen_told: bool
    decision: Decision
    asked_at: Shown
    decided_at: Shown | None
    decision_note: str | None
    due_before: Shown
    due_after: Shown | None

    @classmethod
    def of(cls, row: Extension) -> ExtensionOut:
        """Return an extension from its row."""
        return cls.model_validate(row)


class LedgerItemOut(Answer):
    """What holds a case on the ledger, or held it."""

    plan: str
    lead: str
    review_on: date
    public_reply: str
    opened_at: Shown
    reviews: list[dict[str, Any]] = Field(description="each with `on`, `by`, `note` and `next`")
    ended_at: Shown | None
    ended_how: str | None = Field(description="`taken_up` or `closed`")

    @classmethod
    def of(cls, row: LedgerItem) -> LedgerItemOut:
        """Return an item from its row."""
        return cls.model_validate(row)


class LedgerRowOut(LedgerItemOut):
    """An item of the ledger with the case that it holds."""

    number: str
    status: IncidentStatus
    category: str | None
    grade: Grade | None
    address: str | None
    grid: str
    due_at: Shown | None = Field(description="the first promise")

    @classmethod
    def of_row(cls, row: LedgerRow) -> LedgerRowOut:
        """Return a row of the list."""
        held = LedgerItemOut.of(row.item)
        incident = row.incident
        return cls(
            **held.model_dump(),
            number=incident.number,
            status=incident.status,
            category=incident.category_code,
            grade=incident.grade,
            address=incident.address,
            grid=incident.grid_code,
            due_at=incident.due_at,
        )


class LedgerListOut(Answer):
    """The ledger: what is reviewed first on top."""

    items: list[LedgerRowOut]
