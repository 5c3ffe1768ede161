"""The limits that cases run by: what is in force, and what was drafted."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.deps import Me, Now, ReadOnly
from api.problems import answers
from api.schemas.rules import ProfileOut, StoredProfileOut
from grids import limits
from grids.rules.calendar import local_day
from grids.rules.permissions import RULE_READERS, require_area, require_role
from grids.rules.profiles import compare

__all__ = ["router"]

router = APIRouter(prefix="/api/limits", tags=["rules"])


@router.get("", responses=answers(401, 403))
def list_profiles(me: Me, session: ReadOnly) -> list[StoredProfileOut]:
    """Return the profiles of one's district that were drafted or published, the newest first."""
    require_role(me, RULE_READERS)
    return [
        StoredProfileOut.stored(row) for row in limits.listing(session) if me.scope.covers(row.district_code)
    ]


@router.get("/in-force", responses=answers(401, 404, 422))
def in_force(
    _me: Me,
    session: ReadOnly,
    now: Now,
    district: Annotated[str, Query(pattern=r"^\d{6}$")],
    day: Annotated[date | None, Query(description="today, where it is left out")] = None,
) -> ProfileOut:
    """Return the limits of a district on a day. They bind everybody, so everybody who signs in may read them."""
    return ProfileOut.of(limits.in_force(session, district, day or local_day(now)))


@router.get("/{profile_id}", responses=answers(401, 403, 404, 422))
def show_profile(
    me: Me, session: ReadOnly, profile_id: Annotated[int, Path(ge=1, le=2**31 - 1)]
) -> StoredProfileOut:
    """Return one profile, and what it changes against what holds on its first day."""
    require_role(me, RULE_READERS)
    row = limits.get(session, profile_id)
    require_area(me, row.district_code)
    return StoredProfileOut.stored(
        row, compare(limits.in_force(session, row.district_code, row.effective_from), limits.profile_of(row))
    )
