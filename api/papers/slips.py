"""A slip of supervision as a paper, with its recipients, copies and, once it is there, the answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from api.i18n import Words
from api.papers.letters import Place
from api.papers.sheet import Sheet
from grids.acts.slips import SlipRow

__all__ = ["slip_sheet"]


def slip_sheet(row: SlipRow, words: Words, *, place: Place) -> Sheet:
    """Return a slip as a paper."""
    slip = row.slip
    unit = words.name(row.department) if row.department is not None else place(slip.unit)
    due_at = slip.facts.get("due_at")
    facts = [
        (words("Issued"), words.moment(slip.issued_at)),
        (words("What is wrong"), words.of("slip_cause", slip.cause)),
        (words("Incident"), row.incident.number),
        (words("The whistle"), row.whistle.number if row.whistle is not None else "—"),
        (words("Place"), row.incident.address or place(row.incident.grid_code)),
        (words("Was due"), words.moment(datetime.fromisoformat(due_at)) if due_at else "—"),
        (words("To"), _people(slip.recipients, words)),
        (words("Copies"), _people(slip.copies, words)),
    ]
    if slip.answer_due_at is not None:
        facts.append((words("Answer due"), words.moment(slip.answer_due_at)))
    paragraphs = [(words("What was reported"), row.incident.text)]
    if slip.facts.get("note"):
        paragraphs.append((words("What is asked for"), str(slip.facts["note"])))
    if slip.answer is not None and slip.answered_at is not None:
        paragraphs.append((words("Answered {time}", time=words.moment(slip.answered_at)), slip.answer))
    return Sheet(
        title=words.of("slip", slip.kind),
        number=words("Number {number}", number=slip.number),
        addressed=words("To {department}:", department=unit),
        facts=facts,
        paragraphs=paragraphs,
        signed=[place(row.incident.grid_code[:6])],
    )


def _people(named: Sequence[dict[str, Any]], words: Words) -> str:
    return (
        words.listed(words.noted(one["name"], one["post"]) if one["post"] else one["name"] for one in named)
        or "—"
    )
