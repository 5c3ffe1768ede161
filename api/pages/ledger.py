"""The ledger: hard cases that stand apart, with their plan, their lead and the day of the next review."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.deps import ReadOnly
from api.pages.visit import Visiting
from grids import ledger
from grids.rules.calendar import local_day

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/ledger")
def show_ledger(session: ReadOnly, visit: Visiting, ended: bool = False) -> HTMLResponse:
    """Show what is on the ledger where the reader may see it; what is looked at first on top."""
    return visit.show(
        session,
        "ledger.html",
        rows=ledger.on_ledger(session, visit.me.scope, ended=ended),
        ended=ended,
        today=local_day(visit.now),
    )
