"""Forms of the acts on an incident."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import FormData

from api.deps import UnitOfWork
from api.pages.forms import text_of, whole_of
from api.pages.visit import Act, Visit
from gis.errors import InvalidInput
from grids.acts import callbacks, incidents
from grids.acts.callbacks import CallbackAnswer
from grids.rules.grading import STATED, Grade
from grids.rules.lifecycle import INCIDENT, VerifiedHow
from grids.rules.whistles import WhistleLevel
from grids.tables import Solved

__all__ = ["ACTS"]


def _accept(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    grade, level = text_of(data, "grade"), whole_of(data, "level")
    try:
        chosen = Grade(grade) if grade else None
        first = WhistleLevel(level) if level else None
    except ValueError:
        raise InvalidInput(
            "unknown_choice", "the grade or the level is not one of the list", field="grade"
        ) from None
    return incidents.accept(
        session,
        number,
        category=text_of(data, "category"),
        grade=chosen,
        level=first,
        reason=text_of(data, "reason"),
        circumstances=[reason for reason in STATED if data.get(f"stated_{reason.value}")],
        by=visit.me,
        now=visit.now,
    )


def _place_by_hand(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    code = text_of(data, "code") or ""
    return incidents.place(session, number, code=code, by=visit.me, now=visit.now)


def _verify(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    try:
        how = VerifiedHow(text_of(data, "how") or VerifiedHow.ON_SITE)
    except ValueError:
        raise InvalidInput("unknown_choice", "choose one of the list", field="how") from None
    comment = text_of(data, "comment")
    return incidents.verify(
        session, number, passed=True, comment=comment, how=how, by=visit.me, now=visit.now
    )


def _rework(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    comment = text_of(data, "comment")
    return incidents.verify(session, number, passed=False, comment=comment, by=visit.me, now=visit.now)


def _callback(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    reached = data.get("reached") == "1"
    solved = text_of(data, "solved") if reached else None
    try:
        said = Solved(solved) if solved else None
    except ValueError:
        raise InvalidInput("unknown_choice", "solved is yes, partly or no", field="solved") from None
    answer = CallbackAnswer(
        reached=reached,
        solved=said,
        satisfaction=whole_of(data, "satisfaction") if reached else None,
        comment=text_of(data, "comment"),
        reporter_id=whole_of(data, "reporter_id"),
    )
    return callbacks.callback(session, number, answer, by=visit.me, now=visit.now)


def _reopen(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    reason = text_of(data, "reason") or ""
    return callbacks.reopen(session, number, reason=reason, by=visit.me, now=visit.now)


ACTS: Mapping[tuple[str, str], Act] = {
    (INCIDENT.name, "accept"): _accept,
    (INCIDENT.name, "callback"): _callback,
    (INCIDENT.name, "place"): _place_by_hand,
    (INCIDENT.name, "reopen"): _reopen,
    (INCIDENT.name, "rework"): _rework,
    (INCIDENT.name, "verify"): _verify,
}
