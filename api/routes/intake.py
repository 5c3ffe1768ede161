"""Acts on a report besides accepting it: look at it, turn it down, join it to another, call it off, regrade it."""

from __future__ import annotations

from fastapi import APIRouter

from api.deps import Me, Now, UnitOfWork
from api.problems import answers
from api.schemas.base import IncidentNumber
from api.schemas.incidents import IncidentOut
from api.schemas.intake import CancelIn, InspectIn, MergeIn, RegradeIn, RejectIn
from grids import casefile
from grids.acts import intake, regrading

__all__ = ["router"]

router = APIRouter(prefix="/api/incidents", tags=["incidents"])

ACT = answers(401, 403, 404, 409, 422)


@router.post("/{number}/inspect", responses=ACT)
def inspect_incident(
    number: IncidentNumber, body: InspectIn, me: Me, session: UnitOfWork, now: Now
) -> IncidentOut:
    """Say what is to be seen where the public reported something; the town's centre hears of it."""
    intake.inspect(session, number, found=body.found, note=body.note, by=me, now=now)
    return IncidentOut.of(casefile.show_incident(session, me, number, now=now), me)


@router.post("/{number}/reject", responses=ACT)
def reject_incident(
    number: IncidentNumber, body: RejectIn, me: Me, session: UnitOfWork, now: Now
) -> IncidentOut:
    """Turn a report down, with a reply to who reported it."""
    intake.reject(session, number, reason=body.reason, reply=body.reply, by=me, now=now)
    return IncidentOut.of(casefile.show_incident(session, me, number, now=now), me)


@router.post("/{number}/merge", responses=ACT)
def merge_incident(
    number: IncidentNumber, body: MergeIn, me: Me, session: UnitOfWork, now: Now
) -> IncidentOut:
    """Join a report to the open case that it is about; who reported it is called back when that is done.

    A case shows in `proposals` what it may be about: same category, near by, within seven days.
    """
    intake.merge(session, number, master=body.master, by=me, now=now)
    return IncidentOut.of(casefile.show_incident(session, me, number, now=now), me)


@router.post("/{number}/cancel", responses=ACT)
def cancel_incident(
    number: IncidentNumber, body: CancelIn, me: Me, session: UnitOfWork, now: Now
) -> IncidentOut:
    """Call a report off before departments are at work; a citizen only their own."""
    intake.cancel(session, number, reason=body.reason, by=me, now=now)
    return IncidentOut.of(casefile.show_incident(session, me, number, now=now), me)


@router.post("/{number}/regrade", responses=ACT)
def regrade_incident(
    number: IncidentNumber, body: RegradeIn, me: Me, session: UnitOfWork, now: Now
) -> IncidentOut:
    """Judge a running case anew: worse is due earlier at once; better only by the district's platform."""
    regrading.regrade(session, number, grade=body.grade, reason=body.reason, by=me, now=now)
    return IncidentOut.of(casefile.show_incident(session, me, number, now=now), me)
