"""Marks for a department's part in one whistle, and the result that they make."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from api.schemas.base import Answer, Body, Passage, Shown, Whole
from grids.acts.scores import Marks
from grids.rules.assessment import PenaltyKind
from grids.rules.pauses import Decision
from grids.tables import Appraisal

__all__ = ["AppealDecisionIn", "AppealIn", "AppraisalOut", "PeerScoreIn", "ScoreIn"]


class ScoreIn(Body):
    """The town's marks, 0 to 100 each; a total under 60 needs a comment."""

    response: Whole
    handling: Whole
    result: Whole
    comment: Passage | None = None


class PeerScoreIn(Body):
    """The lead's mark for a cooperating department, 0 to 100; under 60 with a comment."""

    mark: Whole
    comment: Passage | None = None


class AppealIn(Body):
    """What is wrong with a result, and what shows it."""

    grounds: Passage


class AppealDecisionIn(Body):
    """Upheld or not and why; upheld with other marks, or with penalties that do not count."""

    upheld: bool
    note: Passage
    marks: ScoreIn | None = None
    waived: list[PenaltyKind] = Field(default_factory=list, max_length=8)

    def items(self) -> tuple[int, int, int] | None:
        """Return the three marks, None where they stay."""
        return None if self.marks is None else (self.marks.response, self.marks.handling, self.marks.result)


class PenaltyOut(Answer):
    """Points off, and the steps of the case's history that show why."""

    kind: PenaltyKind
    points: Decimal
    times: int
    seq: list[int] = Field(description="numbers of the steps in the incident's trace")
    waived: bool


class VersionOut(Answer):
    """One version of a result."""

    version_no: int
    town: Decimal | None = Field(description="None where the town gave no marks in its time")
    peer: Decimal | None
    system: Decimal
    total: Decimal
    weight: Decimal
    formula: str
    because: str
    made_at: Shown
    penalties: list[PenaltyOut]

    @classmethod
    def of(cls, row: Appraisal) -> VersionOut:
        """Return a stored version."""
        plain = {name: getattr(row, name) for name in cls.model_fields if name != "penalties"}
        return cls.model_validate({**plain, "penalties": row.penalties})


class MarksOut(Answer):
    """The town's marks as they were given."""

    response: int
    handling: int
    result: int
    total: Decimal
    comment: str | None
    scored_at: Shown


class AppealOut(Answer):
    """A department's objection and what became of it."""

    grounds: str
    asked_at: Shown
    decision: Decision
    decided_at: Shown | None
    decision_note: str | None


class AppraisalOut(Answer):
    """How a department's result for one whistle came about; what the reader may not see yet is left out."""

    task: int
    marks: MarksOut | None
    peer_mark: int | None
    versions: list[VersionOut]
    appeal: AppealOut | None

    @classmethod
    def of(cls, task_id: int, marks: Marks) -> AppraisalOut:
        """Return what one reader may see."""
        return cls(
            task=task_id,
            marks=None if marks.score is None else MarksOut.model_validate(marks.score),
            peer_mark=None if marks.peer is None else marks.peer.mark,
            versions=[VersionOut.of(row) for row in marks.versions],
            appeal=None if marks.appeal is None else AppealOut.model_validate(marks.appeal),
        )
