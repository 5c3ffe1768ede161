"""The JSON interface under /api, one module per noun, and the maps and health beside it."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes import (
    calendar,
    campaigns,
    departments,
    disputes,
    duties,
    dutylists,
    editions,
    grids,
    health,
    incidents,
    intake,
    jobs,
    limits,
    login,
    maps,
    measures,
    messages,
    metrics,
    onekey,
    papers,
    pauses,
    places,
    powers,
    presence,
    rain,
    returns,
    scores,
    slips,
    tasks,
    tiles,
    whistles,
)

__all__ = ["router"]

router = APIRouter()
for part in (
    login,
    disputes,
    intake,
    incidents,
    onekey,
    presence,
    pauses,
    returns,
    whistles,
    tasks,
    scores,
    slips,
    papers,
    grids,
    editions,
    departments,
    duties,
    dutylists,
    powers,
    limits,
    calendar,
    measures,
    metrics,
    maps,
    tiles,
    places,
    campaigns,
    rain,
    messages,
    jobs,
    health,
):
    router.include_router(part.router)
