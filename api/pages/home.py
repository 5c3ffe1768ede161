"""The landing page: how much waits for this person, each number a link to what it counts."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.deps import ReadOnly
from api.pages.visit import Visit, Visiting
from api.pages.waiting import incident_statuses, waiting_for
from grids import outbox, register
from grids.register import Filters
from grids.rules.lifecycle import IncidentStatus

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_COUNTED = 200  # a tile counts so far, then says "200+"


@dataclass(frozen=True, slots=True)
class Tile:
    """A number with its words, and the list that it counts."""

    href: str
    text: str
    count: str
    late: bool = False


@router.get("/home")
def home(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show the numbers of a person's post, what waits for them and the newest messages."""
    waiting = waiting_for(session, visit.me, visit.now)
    messages = outbox.unread(session, visit.signed.person.id, limit=5)
    return visit.show(
        session, "home.html", tiles=_tiles(session, visit, waiting.count), waiting=waiting, messages=messages
    )


def _tiles(session: ReadOnly, visit: Visit, waiting: int) -> list[Tile]:
    words = visit.words

    def count(filters: Filters) -> str:
        page = register.find_incidents(session, visit.me.scope, filters, limit=_COUNTED)
        return f"{len(page.items)}+" if page.next_cursor else str(len(page.items))

    late = count(Filters(open_only=True, overdue_only=True))
    tiles = [
        Tile("/inbox", words("Waiting for you"), str(waiting)),
        Tile("/dispatch?open=1", words("Open"), count(Filters(open_only=True))),
        Tile("/dispatch?open=1&overdue=1", words("Overdue"), late, late != "0"),
    ]
    mine = incident_statuses(visit.me.role)
    titles = {
        IncidentStatus.REPORTED: words("To accept"),
        IncidentStatus.RESOLVED: words("To verify"),
        IncidentStatus.VERIFIED: words("To call back"),
    }
    for status, text in titles.items():
        if status in mine:
            tiles.append(Tile(f"/dispatch?status={status}", text, count(Filters(statuses=(status,)))))
    return tiles
