"""Campaigns: begun on places, read with what came of them, ended."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.deps import Me, Now, ReadOnly, UnitOfWork
from api.idempotency import Once
from api.problems import answers
from api.routes.query import Area, Cursor, Limit
from api.schemas.recurring import CampaignIn, CampaignListOut, CampaignOut, CampaignWholeOut, EndIn
from grids.places import campaigns

__all__ = ["router"]

router = APIRouter(prefix="/api/campaigns", tags=["places"])

Number = Annotated[str, Path(max_length=24, pattern=r"^C[0-9]{14,23}$")]


@router.get("", responses=answers(401, 422))
def list_campaigns(
    me: Me,
    session: ReadOnly,
    area: Area = None,
    running: Annotated[bool, Query(description="only those that have not ended")] = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> CampaignListOut:
    """Return campaigns in one's area, and those that work on a place in sight, the last begun first."""
    rows, more = campaigns.find_campaigns(
        session, me.scope, area=area, running_only=running, cursor=cursor, limit=limit
    )
    return CampaignListOut(items=[CampaignOut.of(row) for row in rows], next_cursor=more)


@router.post("", status_code=201, response_model=CampaignWholeOut, responses=answers(401, 403, 404, 409, 422))
def begin_campaign(body: CampaignIn, me: Me, once: Once, session: UnitOfWork, now: Now) -> Response:
    """Begin a campaign on places by number, or on the live ones of its category and area where something happened."""

    def make() -> tuple[CampaignWholeOut, str]:
        made = campaigns.begin(
            session, body.to_plan(), places=body.places, cluster=body.to_cluster(), by=me, now=now
        )
        shown = campaigns.show_campaign(session, me, made.number, now=now)
        return CampaignWholeOut.whole(shown), f"/api/campaigns/{made.number}"

    return once.create(body, make)


@router.get("/{number}", responses=answers(401, 404, 422))
def show_campaign(number: Number, me: Me, session: ReadOnly, now: Now) -> CampaignWholeOut:
    """Return a campaign with its places in sight, and what happened there before and during it."""
    return CampaignWholeOut.whole(campaigns.show_campaign(session, me, number, now=now))


@router.post("/{number}/end", responses=answers(401, 403, 404, 409, 422))
def end_campaign(number: Number, body: EndIn, me: Me, session: UnitOfWork, now: Now) -> CampaignWholeOut:
    """End a campaign with what came of it."""
    campaigns.end(session, number, result=body.result, by=me, now=now)
    return CampaignWholeOut.whole(campaigns.show_campaign(session, me, number, now=now))
