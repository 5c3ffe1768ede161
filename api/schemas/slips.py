"""Slips of supervision, as they come in and go out."""

from __future__ import annotations

from api.schemas.base import Answer, Body, Passage, Shown
from grids.acts.slips import SlipRow
from grids.rules.slips import SlipCause, SlipKind

__all__ = ["NudgeIn", "SlipAnswerIn", "SlipListOut", "SlipOut"]


class NudgeIn(Body):
    """A slip by hand: which, and what is asked for."""

    kind: SlipKind = SlipKind.REMIND
    note: Passage


class SlipAnswerIn(Body):
    """What the unit says: what was and what will be done."""

    text: Passage


class Named(Answer):
    """A person as they were named on the paper."""

    name: str
    post: str


class SlipOut(Answer):
    """One slip to one unit."""

    number: str
    kind: SlipKind
    cause: SlipCause
    incident: str
    whistle: str | None
    unit: str
    unit_name: str | None
    round: int
    step: int
    note: str | None
    recipients: list[Named]
    copies: list[Named]
    issued_at: Shown
    answer_due_at: Shown | None
    answered_at: Shown | None
    answer: str | None
    may_answer: bool

    @classmethod
    def of(cls, row: SlipRow) -> SlipOut:
        """Return a slip with the numbers of what it is about."""
        plain = {name: getattr(row.slip, name) for name in _PLAIN}
        return cls.model_validate(
            {
                **plain,
                "incident": row.incident.number,
                "whistle": row.whistle.number if row.whistle else None,
                "unit_name": row.department.name if row.department else None,
                "note": row.slip.facts.get("note"),
                "may_answer": row.may_answer,
            }
        )


_MADE = frozenset({"incident", "whistle", "unit_name", "note", "may_answer"})
_PLAIN = tuple(name for name in SlipOut.model_fields if name not in _MADE)


class SlipListOut(Answer):
    """Slips, newest first, and where the next page begins."""

    items: list[SlipOut]
    next_cursor: str | None
