"""Who could be sent to a place, and whether everything in an area has somebody."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import AdmitFrame, Me, Now, ReadOnly
from api.problems import answers
from api.routes.query import Area, Category
from api.schemas.base import FrameCode, ShortCode
from api.schemas.duties import CoverageOut, NearbyOut
from grids import atlas
from grids.ground.coverage import coverage
from grids.nearby import NEAR_M, nearest
from grids.rules.calendar import local_day
from grids.rules.levels import GridLevel
from grids.rules.permissions import DUTY_KEEPERS, require_area, require_role

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["duties"])


@router.get("/nearest", responses=answers(401, 422, 503))
def find_nearest(
    me: Me,
    session: ReadOnly,
    now: Now,
    lon: Annotated[float, Query(allow_inf_nan=False, ge=-1e9, le=1e9)],
    lat: Annotated[float, Query(allow_inf_nan=False, ge=-1e9, le=1e9)],
    frame: FrameCode,
    admit: AdmitFrame,
    category: Category = None,
    roles: Annotated[
        list[ShortCode] | None,
        Query(max_length=9, description="posts or kinds of stations, one each; all of them by default"),
    ] = None,
    within_m: Annotated[float, Query(allow_inf_nan=False, gt=0, le=50_000)] = NEAR_M,
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> NearbyOut:
    """Return people on duty and stations near a point, in the order in which one would send them.

    People are those of the reader's own area, stations those of the reader's district; `limit` is of each.
    """
    today = local_day(now)
    place = atlas.locate(session, lon, lat, admit(frame), on=today)
    found = nearest(
        session,
        (place.lon, place.lat),
        by=me,
        on=today,
        code=place.code,
        category=category,
        roles=roles or (),
        within_m=within_m,
        limit=limit,
    )
    return NearbyOut.of(found)


@router.get("/coverage", responses=answers(401, 403, 404, 422))
def show_coverage(
    me: Me,
    session: ReadOnly,
    now: Now,
    area: Area = None,
    level: GridLevel | None = None,
    category_field: Annotated[str | None, Query(pattern=r"^[0-9]{2}$", description="such as 07")] = None,
) -> CoverageOut:
    """Return for each area of a level and each category how many departments lead, and the empty posts."""
    require_role(me, DUTY_KEEPERS)
    code = area or me.area_code or ""
    require_area(me, code)
    today = local_day(now)
    found = coverage(session, code, on=today, level=level, category_field=category_field)
    return CoverageOut.of(found, atlas.current(session, on=today).names)
