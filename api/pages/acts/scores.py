"""Forms of the marks for departments, and of appeals against them."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import FormData

from api.deps import UnitOfWork
from api.pages.forms import text_of, whole_of
from api.pages.visit import Act, Visit
from gis.errors import InvalidInput
from grids.acts import scores
from grids.rules.assessment import PenaltyKind
from grids.rules.tasks import TASK

__all__ = ["ACTS"]

_ITEMS = ("response", "handling", "result")


def _mark(data: FormData, name: str) -> int:
    mark = whole_of(data, name)
    if mark is None:
        raise InvalidInput("missing_field", f"{name} is missing", field=name)
    return mark


def _score(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> object:
    response, handling, result = (_mark(data, name) for name in _ITEMS)
    return scores.score(
        session,
        int(key),
        response=response,
        handling=handling,
        result=result,
        comment=text_of(data, "comment"),
        by=visit.me,
        now=visit.now,
    )


def _score_peer(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> object:
    return scores.score_peer(
        session,
        int(key),
        mark=_mark(data, "mark"),
        comment=text_of(data, "comment"),
        by=visit.me,
        now=visit.now,
    )


def _appeal(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> object:
    return scores.appeal(
        session, int(key), grounds=text_of(data, "grounds") or "", by=visit.me, now=visit.now
    )


def _decide_appeal(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> object:
    upheld = data.get("upheld") == "1"
    changed = upheld and any(text_of(data, name) for name in _ITEMS)
    marks = tuple(_mark(data, name) for name in _ITEMS) if changed else None
    return scores.decide_appeal(
        session,
        int(key),
        upheld=upheld,
        note=text_of(data, "note") or "",
        marks=None if marks is None else (marks[0], marks[1], marks[2]),
        waived=[kind for kind in PenaltyKind if upheld and data.get(f"waived_{kind}")],
        by=visit.me,
        now=visit.now,
    )


ACTS: Mapping[tuple[str, str], Act] = {
    (TASK.name, "appeal"): _appeal,
    (TASK.name, "decide_appeal"): _decide_appeal,
    (TASK.name, "score"): _score,
    (TASK.name, "score_peer"): _score_peer,
}
