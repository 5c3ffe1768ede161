"""Papers as a long job makes them: one PDF each, by number, in the language and for the reader who asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.i18n import words_in
from api.names import Names
from api.papers.letters import need_letter
from api.papers.sheet import Sheet, find_font, write_pdf
from api.papers.slips import slip_sheet
from grids import casefile
from grids.acts import slips
from grids.rules.permissions import SYSTEM
from grids.tables import Person

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = ["letter_paper", "slip_paper"]


def letter_paper(session: Session, of: Mapping[str, Any]) -> tuple[str, bytes]:
    """Return the letters of one whistle; of a department's own reader (`department_id`) only its own."""
    names = _names(session, of)
    file = casefile.show_whistle(session, SYSTEM, str(of["number"]))
    mine = of.get("department_id")
    by = file.whistle.confirmed_by_id
    leader = session.get(Person, by) if by else None
    sheets = [
        need_letter(file, task, names.words, place=names.place, confirmed_by=leader)
        for task in file.tasks
        if mine is None or task.department_id == mine
    ]
    return f"letter-{of['number']}.pdf", _pdf(sheets, of)


def slip_paper(session: Session, of: Mapping[str, Any]) -> tuple[str, bytes]:
    """Return one slip of supervision."""
    names = _names(session, of)
    row = slips.show(session, SYSTEM, str(of["number"]))
    return f"slip-{of['number']}.pdf", _pdf([slip_sheet(row, names.words, place=names.place)], of)


def _names(session: Session, of: Mapping[str, Any]) -> Names:
    return Names(session, words_in(str(of["language"])), datetime.fromisoformat(str(of["at"])))


def _pdf(sheets: list[Sheet], of: Mapping[str, Any]) -> bytes:
    font = find_font(Path(of["font"]) if of.get("font") else None)
    return write_pdf(sheets, font=font, title=sheets[0].title, made_at=datetime.fromisoformat(str(of["at"])))
