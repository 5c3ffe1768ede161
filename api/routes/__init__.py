"""The JSON interface under /api, one module per noun, and the maps and health beside it."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes import (
    departments,
    duties,
    editions,
    grids,
    health,
    incidents,
    login,
    maps,
    measures,
    tasks,
    whistles,
)

__all__ = ["router"]

router = APIRouter()
for part in (login, incidents, whistles, tasks, grids, editions, departments, duties, measures, maps, health):
    router.include_router(part.router)
