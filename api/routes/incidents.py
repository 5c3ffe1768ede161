"""Incidents: report, find, show, and the acts of their state table."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.deps import AdmitFrame, Me, Now, ReadOnly, UnitOfWork
from api.idempotency import Once
from api.problems import answers
from api.routes.query import Area, Bbox, Category, Cursor, From, Limit, Text, To
from api.schemas.base import IncidentNumber, moment_from
from api.schemas.incidents import (
    AcceptIn,
    CallbackIn,
    IncidentBrief,
    IncidentListOut,
    IncidentOut,
    PlaceIn,
    ReceiptOut,
    ReopenIn,
    ReportIn,
    TraceOut,
    VerifyIn,
)
from api.schemas.whistles import ResultIn, WhistleIn, WhistleOut
from grids import casefile, register
from grids.acts import callbacks, incidents, joint, whistles
from grids.register import Filters
from grids.rules.grading import Grade
from grids.rules.lifecycle import Channel, IncidentStatus

__all__ = ["router"]

router = APIRouter(prefix="/api/incidents", tags=["incidents"])

ACT = answers(401, 403, 404, 409, 422)


@router.post("", status_code=201, response_model=ReceiptOut, responses=answers(401, 403, 422, 503))
def report_incident(
    body: ReportIn, me: Me, admit: AdmitFrame, once: Once, session: UnitOfWork, now: Now
) -> Response:
    """File an incident at its cell; a grid worker's own find is accepted and whistled at once.

    Near a border, ask first: where GET /api/locate answers `"confirm": true`, show its `candidates` to whoever
    reports and send their choice as `cell`. The incident is then `confirmed` in that cell. Without `cell` the point
    alone decides, and the answer says `"confirm": true`.
    """

    def file() -> tuple[ReceiptOut, str]:
        incident = incidents.report(session, body.to_report(admit), by=me, now=now)
        answer = ReceiptOut.of(incident, casefile.receipt(session, incident))
        return answer, f"/api/incidents/{incident.number}"

    return once.create(body, file)


@router.get("", responses=answers(401, 422))
def list_incidents(
    me: Me,
    session: ReadOnly,
    area: Area = None,
    status: Annotated[list[IncidentStatus] | None, Query(max_length=12)] = None,
    category: Category = None,
    grade: Grade | None = None,
    channel: Channel | None = None,
    since: From = None,
    until: To = None,
    bbox: Bbox = None,
    q: Text = None,
    open_only: Annotated[bool, Query(alias="open")] = False,
    overdue: bool = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> IncidentListOut:
    """Return incidents in sight, newest first, a page at a time."""
    filters = Filters(
        area=area,
        statuses=tuple(status or ()),
        category=category,
        grade=grade,
        channel=channel,
        since=moment_from(since, "from"),
        until=moment_from(until, "to", end=True),
        bbox=bbox,
        text=q,
        open_only=open_only,
        overdue_only=overdue,
    )
    page = register.find_incidents(session, me.scope, filters, cursor=cursor, limit=limit)
    return IncidentListOut(
        items=[IncidentBrief.brief(incident) for incident in page.items], next_cursor=page.next_cursor
    )


@router.get("/{number}", responses=answers(401, 404, 422))
def show_incident(number: IncidentNumber, me: Me, session: ReadOnly, now: Now) -> IncidentOut:
    """Return a whole case with what the reader may do now."""
    return IncidentOut.of(casefile.show_incident(session, me, number, now=now), me)


@router.get("/{number}/trace", responses=answers(401, 404, 422))
def show_trace(number: IncidentNumber, me: Me, session: ReadOnly) -> list[TraceOut]:
    """Return the history of a case, step by step, with its hashes."""
    return [TraceOut.of(step) for step in casefile.show_incident(session, me, number).trace]


@router.post("/{number}/place", responses=ACT)
def place_incident(
    number: IncidentNumber, body: PlaceIn, me: Me, session: UnitOfWork, now: Now
) -> IncidentOut:
    """Put an incident that lay outside every cell into one by hand."""
    incidents.place(session, number, code=body.code, by=me, now=now)
    return IncidentOut.of(casefile.show_incident(session, me, number, now=now), me)


@router.post("/{number}/accept", responses=ACT)
def accept_incident(
    number: IncidentNumber, body: AcceptIn, me: Me, session: UnitOfWork, now: Now
) -> IncidentOut:
    """Accept a report: its grade, its limits, who answers for it, and its first whistle."""
    incidents.accept(
        session,
        number,
        category=body.category,
        grade=body.grade,
        level=body.level,
        reason=body.reason,
        circumstances=body.circumstances,
        by=me,
        now=now,
    )
    return IncidentOut.of(casefile.show_incident(session, me, number, now=now), me)


@router.post("/{number}/resolve", responses=ACT)
def resolve_incident(
    number: IncidentNumber, body: ResultIn, me: Me, session: UnitOfWork, now: Now
) -> IncidentOut:
    """Report an incident as resolved, by solving the whistle that runs for it."""
    whistles.resolve(session, number, result=body.result, by=me, now=now)
    return IncidentOut.of(casefile.show_incident(session, me, number, now=now), me)


@router.post("/{number}/verify", responses=ACT)
def verify_incident(
    number: IncidentNumber, body: VerifyIn, me: Me, session: UnitOfWork, now: Now
) -> IncidentOut:
    """Check what was reported as resolved, on the spot or by others' word: verified, or back to work."""
    incidents.verify(session, number, passed=body.passed, comment=body.comment, how=body.how, by=me, now=now)
    return IncidentOut.of(casefile.show_incident(session, me, number, now=now), me)


@router.post("/{number}/callback", responses=ACT)
def call_back(number: IncidentNumber, body: CallbackIn, me: Me, session: UnitOfWork, now: Now) -> IncidentOut:
    """Record one call to one reporter; the last one closes the case, or reopens it."""
    callbacks.callback(session, number, body.to_answer(), by=me, now=now)
    return IncidentOut.of(casefile.show_incident(session, me, number, now=now), me)


@router.post("/{number}/reopen", responses=ACT)
def reopen_incident(
    number: IncidentNumber, body: ReopenIn, me: Me, session: UnitOfWork, now: Now
) -> IncidentOut:
    """Take a closed case up again."""
    callbacks.reopen(session, number, reason=body.reason, by=me, now=now)
    return IncidentOut.of(casefile.show_incident(session, me, number, now=now), me)


@router.post("/{number}/whistles", status_code=201, response_model=WhistleOut, responses=ACT)
def blow_whistle(
    number: IncidentNumber, body: WhistleIn, me: Me, once: Once, session: UnitOfWork, now: Now
) -> Response:
    """Blow a whistle on an incident, from the level below: for the town, or for its departments."""

    def blow() -> tuple[WhistleOut, str]:
        whistle = joint.blow(session, number, level=body.level, draft=body.to_draft(), by=me, now=now)
        answer = WhistleOut.of(casefile.show_whistle(session, me, whistle.number), me)
        return answer, f"/api/whistles/{whistle.number}"

    return once.create(body, blow)
