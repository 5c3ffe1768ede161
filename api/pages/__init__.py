"""The pages, one module per page, and the page that is shown when something is wrong."""

from __future__ import annotations

from fastapi import APIRouter

from api.pages import (
    analysis,
    area,
    coverage,
    dispatch,
    edition,
    editions,
    home,
    inbox,
    incident,
    report,
    session,
    whistle,
)
from api.pages.errors import error_page

__all__ = ["error_page", "router"]

router = APIRouter(include_in_schema=False)
for part in (
    session,
    home,
    area,
    report,
    dispatch,
    incident,
    whistle,
    inbox,
    analysis,
    coverage,
    editions,
    edition,
):
    router.include_router(part.router)
