"""What becomes of a report besides being accepted, as JSON: looked at, turned down, merged, called off, regraded."""

from __future__ import annotations

from pydantic import Field

from api.schemas.base import Answer, Body, IncidentNumber, Passage, Shown
from grids.rules.duplicates import Proposal
from grids.rules.grading import Grade
from grids.rules.lifecycle import Channel, IncidentStatus, Inspection, RejectReason
from grids.tables import Incident

__all__ = ["CancelIn", "InspectIn", "MergeIn", "MergedOut", "ProposalOut", "RegradeIn", "RejectIn"]


class InspectIn(Body):
    """What is to be seen where the public reported something."""

    found: Inspection
    note: Passage | None = Field(default=None, description="needed unless it is there")


class RejectIn(Body):
    """Why a report is turned down, and what the reporter is told."""

    reason: RejectReason
    reply: Passage


class MergeIn(Body):
    """The open case that a report is about."""

    master: IncidentNumber


class CancelIn(Body):
    """Why a report is called off."""

    reason: Passage


class RegradeIn(Body):
    """A running case judged anew."""

    grade: Grade
    reason: Passage


class MergedOut(Answer):
    """A report that was joined to a case."""

    number: str
    status: IncidentStatus
    channel: Channel
    received_at: Shown
    text: str
    into: str | None = Field(description="the case that it was joined to, directly")

    @classmethod
    def of(cls, incident: Incident, into: str | None) -> MergedOut:
        """Return a joined report from its row."""
        return cls(
            number=incident.number,
            status=incident.status,
            channel=incident.channel,
            received_at=incident.received_at,
            text=incident.text,
            into=into,
        )


class ProposalOut(Answer):
    """An open case that a report may be about; a person decides."""

    number: str
    distance_m: int
    apart_hours: float

    @classmethod
    def of(cls, proposal: Proposal) -> ProposalOut:
        """Return a proposal of the system."""
        return cls(
            number=proposal.number,
            distance_m=round(proposal.distance_m),
            apart_hours=round(proposal.apart.total_seconds() / 3600, 1),
        )
