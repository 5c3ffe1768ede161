"""Vector tiles of the grid and of incidents, for maps with more on them than a page should carry."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from api.deps import Me, Now, ReadOnly
from api.problems import answers
from api.routes.query import Area, Category, From, To
from api.schemas.base import moment_from
from gis.tiles import MOST_ZOOM, Tile
from grids import tiles
from grids.ground import editions
from grids.register import Filters
from grids.rules.calendar import local_day
from grids.rules.grading import Grade
from grids.rules.levels import GridLevel

__all__ = ["router"]

router = APIRouter(prefix="/api/tiles", tags=["tiles"], default_response_class=Response)

MEDIA_TYPE = "application/vnd.mapbox-vector-tile"
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: {}}},
    204: {"description": "nothing lies there"},
    304: {"description": "the tile of If-None-Match still holds"},
    **answers(401, 404, 422, 503),
}

Zoom = Annotated[int, Path(ge=0, le=MOST_ZOOM)]
Step = Annotated[int, Path(ge=0, lt=2**MOST_ZOOM, description="below 2 to the power of z")]


@router.get("/grids/{z}/{x}/{y}.mvt", responses=ANSWERS)
def grid_tile(
    request: Request,
    z: Zoom,
    x: Step,
    y: Step,
    _me: Me,
    session: ReadOnly,
    now: Now,
    level: Annotated[GridLevel | None, Query(description="by default the one that fits the zoom")] = None,
    edition: Annotated[
        int | None, Query(ge=1, le=2**31 - 1, description="by default those in force today")
    ] = None,
) -> Response:
    """Return the areas of a level in a tile: layer `grids` with code, name, level, edition, households, population."""
    tile = Tile(z, x, y)
    if edition is not None:
        editions.get(session, edition)
    drawn = tiles.grid_tile(session, tile, level=level, edition_id=edition, on=local_day(now))
    return _answer(request, drawn, "private, max-age=60")


@router.get("/incidents/{z}/{x}/{y}.mvt", responses=ANSWERS)
def incident_tile(
    request: Request,
    z: Zoom,
    x: Step,
    y: Step,
    me: Me,
    session: ReadOnly,
    area: Area = None,
    category: Category = None,
    grade: Grade | None = None,
    since: From = None,
    until: To = None,
    open_only: Annotated[
        bool | None, Query(alias="open", description="by default so, unless a period is named")
    ] = None,
    overdue: bool = False,
) -> Response:
    """Return the incidents in sight in a tile: layer `incidents`, points from zoom 13 on, squares with n above."""
    period = since is not None or until is not None
    filters = Filters(
        area=area,
        category=category,
        grade=grade,
        since=moment_from(since, "from"),
        until=moment_from(until, "to", end=True),
        open_only=not period if open_only is None else open_only,
        overdue_only=overdue,
    )
    drawn = tiles.incident_tile(session, me.scope, Tile(z, x, y), filters)
    return _answer(request, drawn, "private, no-cache")


def _answer(request: Request, tile: bytes, keep: str) -> Response:
    """Return a tile that its reader alone may keep, or that the one already kept still holds."""
    tag = f'"{hashlib.sha256(tile).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": keep, "Vary": "Cookie"}
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if tag in known:
        return Response(status_code=304, headers=headers)
    if not tile:
        return Response(status_code=204, headers=headers)
    return Response(tile, media_type=MEDIA_TYPE, headers=headers)
