"""The pages, one module per page, and the page that is shown when something is wrong."""

from __future__ import annotations

from fastapi import APIRouter

from api.pages import (
    analysis,
    area,
    calendar,
    campaigns,
    coverage,
    dispatch,
    disputes,
    dutylists,
    edition,
    editions,
    home,
    inbox,
    incident,
    ledger,
    limits,
    ops,
    place,
    point,
    points,
    pointsfile,
    powers,
    report,
    result,
    session,
    slips,
    telling,
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
    ledger,
    whistle,
    disputes,
    place,
    result,
    slips,
    inbox,
    analysis,
    points,
    pointsfile,
    point,
    campaigns,
    coverage,
    dutylists,
    powers,
    editions,
    edition,
    limits,
    calendar,
    telling,
    ops,
):
    router.include_router(part.router)
