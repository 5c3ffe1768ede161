"""The one-key whistle: everything that a whistle for departments says, proposed."""

from __future__ import annotations

from fastapi import APIRouter

from api.deps import Me, Now, ReadOnly
from api.problems import answers
from api.schemas.base import IncidentNumber
from api.schemas.onekey import ProposalOut
from grids.acts import onekey

__all__ = ["router"]

router = APIRouter(prefix="/api/incidents", tags=["incidents"])


@router.get("/{number}/whistle-proposal", responses=answers(401, 403, 404, 409, 422))
def propose_whistle(number: IncidentNumber, me: Me, session: ReadOnly, now: Now) -> ProposalOut:
    """Return the whistle for departments that an incident would have now, for the town that would blow it."""
    return ProposalOut.of(onekey.proposal(session, number, by=me, now=now))
