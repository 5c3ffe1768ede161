"""Rain: the episodes that a district's gauges tell of."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter

from api.deps import Me, Now, ReadOnly
from api.problems import answers
from api.routes.query import From, To
from api.schemas.base import moment_from
from api.schemas.recurring import RainOut
from gis.errors import InvalidInput
from grids import rain
from grids.directory import district_of

__all__ = ["router"]

router = APIRouter(prefix="/api/rain", tags=["places"])

_DAYS = 90
_MOST_DAYS = 3 * 366


@router.get("", responses=answers(401, 422))
def list_episodes(me: Me, session: ReadOnly, now: Now, since: From = None, until: To = None) -> RainOut:
    """Return the rains of one's district, newest first: by default of the last 90 days, at most three years."""
    last = moment_from(until, "to", end=True) or now
    first = moment_from(since, "from") or last - timedelta(days=_DAYS)
    if not first < last <= first + timedelta(days=_MOST_DAYS):
        raise InvalidInput(
            "bad_period", "the period ends before it begins, or is longer than three years", field="from"
        )
    return RainOut.of(district_of(session, me), first, last, rain.rain_seen_by(session, me, first, last))
