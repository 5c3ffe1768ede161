"""The form of a slip that is issued by hand."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import FormData

from api.deps import UnitOfWork
from api.pages.forms import text_of
from api.pages.visit import Act, Visit
from gis.errors import InvalidInput
from grids.acts import slips
from grids.rules.slips import SlipKind
from grids.rules.tasks import TASK

__all__ = ["ACTS"]


def _nudge(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> object:
    try:
        kind = SlipKind(str(data.get("kind")))
    except ValueError:
        raise InvalidInput("unknown_choice", "choose one of the three slips", field="kind") from None
    note = text_of(data, "note") or ""
    return slips.nudge(session, int(key), kind=kind, note=note, by=visit.me, now=visit.now)


ACTS: Mapping[tuple[str, str], Act] = {(TASK.name, "nudge"): _nudge}
