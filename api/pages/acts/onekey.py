"""The one-key whistle: one press takes the town's whistle up and sends it to the leader."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import FormData

from api.deps import UnitOfWork
from api.pages.acts.whistles import draft_of
from api.pages.visit import Act, Visit
from grids.acts import joint
from grids.rules.lifecycle import INCIDENT
from grids.rules.whistles import WhistleLevel

__all__ = ["ACTS"]


def _whistle(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    draft = draft_of(data)
    return joint.blow(session, number, level=WhistleLevel.THIRD, draft=draft, by=visit.me, now=visit.now)


ACTS: Mapping[tuple[str, str], Act] = {(INCIDENT.name, "whistle"): _whistle}
