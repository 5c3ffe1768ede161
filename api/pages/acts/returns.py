"""Forms of tasks that departments send back, and of the decision on it."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import FormData

from api.deps import UnitOfWork
from api.pages.forms import text_of
from api.pages.visit import Act, Visit
from gis.errors import InvalidInput
from grids.acts import returns
from grids.acts.returns import Verdict
from grids.rules.returns import ReturnReason
from grids.rules.tasks import TASK

__all__ = ["ACTS"]


def _request(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> object:
    try:
        reason = ReturnReason(str(data.get("reason")))
    except ValueError:
        raise InvalidInput("unknown_choice", "choose one of the reasons", field="reason") from None
    return returns.request_return(
        session,
        int(key),
        reason=reason,
        legal_basis=text_of(data, "legal_basis") or "",
        suggested=text_of(data, "suggested"),
        by=visit.me,
        now=visit.now,
    )


def _decide(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> object:
    verdict = Verdict(
        data.get("granted") == "1",
        text_of(data, "note") or "",
        hand_to=text_of(data, "department"),
        lead=text_of(data, "lead"),
    )
    return returns.decide(session, int(key), verdict, by=visit.me, now=visit.now)


ACTS: Mapping[tuple[str, str], Act] = {
    (TASK.name, "request_return"): _request,
    (TASK.name, "return"): _decide,
}
