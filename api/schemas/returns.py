"""Tasks that departments send back, as they come in and go out."""

from __future__ import annotations

from api.schemas.base import Answer, Body, Line, Passage, ShortCode, Shown
from grids.acts.returns import Verdict
from grids.rules.pauses import Decision
from grids.rules.returns import ReturnReason
from grids.tables import ReturnRequest

__all__ = ["DecideReturnIn", "RequestReturnIn", "ReturnOut"]


class RequestReturnIn(Body):
    """Why a task is not one's own, by which text, and whose it is said to be."""

    reason: ReturnReason
    legal_basis: Passage
    department: ShortCode | None = None


class DecideReturnIn(Body):
    """Whether a return is granted, why, and who gets the task instead or leads from now on."""

    granted: bool
    note: Passage
    department: ShortCode | None = None
    lead: ShortCode | None = None

    def to_verdict(self) -> Verdict:
        """Return it as the use case takes it."""
        return Verdict(self.granted, self.note, hand_to=self.department, lead=self.lead)


class ReturnOut(Answer):
    """A request to be rid of a task, and what became of it."""

    task: int
    reason: ReturnReason
    legal_basis: Line
    suggested: str | None
    asked_at: Shown
    due_at: Shown
    decision: Decision
    decided_at: Shown | None
    note: str | None
    by_itself: bool
    handed_to: str | None

    @classmethod
    def of(cls, request: ReturnRequest) -> ReturnOut:
        """Return a request; by_itself: it came too late, nobody decided."""
        return cls(
            task=request.task_id,
            reason=request.reason,
            legal_basis=request.legal_basis,
            suggested=request.suggested,
            asked_at=request.asked_at,
            due_at=request.due_at,
            decision=request.decision,
            decided_at=request.decided_at,
            note=request.decision_note,
            by_itself=request.decided_at is not None and request.decided_by_id is None,
            handed_to=request.handed_to,
        )
