"""The inbox: what waits for a person, with the forms to do it, and the messages that they have not read."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from api.deps import ReadOnly, UnitOfWork
from api.pages.forms import Filled, whole_of
from api.pages.layout import see_other
from api.pages.visit import Sent, Visit, Visiting
from api.pages.waiting import waiting_for
from gis.errors import CityError, InvalidInput
from grids import outbox
from grids.deliveries import LOG_READERS

__all__ = ["inbox_page", "router"]

router = APIRouter(include_in_schema=False)

_MESSAGES = 50


@router.get("/inbox")
def show_inbox(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show what waits for a person: tasks first, then whistles and incidents, then messages."""
    return inbox_page(session, visit)


def inbox_page(
    session: ReadOnly, visit: Visit, *, sent: Filled = Filled(), problem: CityError | None = None
) -> HTMLResponse:
    """Return the inbox; with a form that came back, that form open and its problem named."""
    waiting = waiting_for(session, visit.me, visit.now)
    rows = [row for group in waiting.tasks for row in group.rows]
    asked = {row.task.id: row.category.evidence if row.category else [] for row in rows}
    messages = outbox.unread(session, visit.signed.person.id, limit=_MESSAGES + 1)
    return visit.show(
        session,
        "inbox.html",
        problem=problem,
        here="/inbox",
        sent=sent,
        waiting=waiting,
        messages=messages[:_MESSAGES],
        more=len(messages) > _MESSAGES,
        log_reader=visit.me.role in LOG_READERS,
        whistle_of={key: row.whistle for row in rows for key in (row.whistle.id, row.whistle.number)},
        task_of={str(row.task.id): row.task for row in rows},
        more_time={row.task.id: row.extensions for row in rows},
        sent_back={row.task.id: row.returns for row in rows},
        evidence_of=lambda task: asked[task.id],
        at="inbox",
    )


@router.post("/messages/read")
def mark_read(session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """Mark the messages up to the newest that was shown as read; what came meanwhile stays unread."""
    up_to = whole_of(data, "up_to")
    if up_to is None:
        raise InvalidInput("missing_field", "up_to is missing", field="up_to")
    outbox.mark_read(session, visit.signed.person.id, up_to=up_to, now=visit.now)
    return see_other("/inbox#messages")
