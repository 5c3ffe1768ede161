"""Disputes about duty, as they come in and go out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from pydantic import Field

from api.schemas.base import Answer, AreaCode, Body, FrameCode, Line, Moment, Passage, ShortCode, Shown
from api.schemas.tasks import ActionOut
from grids.acts.disputes import Filing
from grids.acts.verdicts import Settlement
from grids.docket import DisputeFile, DisputeRow
from grids.duty.decided import Extent
from grids.rules.disputes import (
    RUNNING_DISPUTES,
    DisputeStatus,
    DisputeStepKind,
    Ground,
    GroundKind,
    missing_signatures,
)
from grids.tables import DutyBasis

__all__ = [
    "DisputeBrief",
    "DisputeListOut",
    "DisputeOut",
    "FilingIn",
    "MeetingIn",
    "MinutesIn",
    "OpinionGivenIn",
    "OpinionIn",
    "PositionIn",
    "RestIn",
    "SettlementIn",
    "SignatureIn",
]


class PositionIn(Body):
    """What a party holds, on what basis, and whom it holds to lead."""

    position: Passage
    basis: Passage | None = None
    lead: ShortCode | None = Field(default=None, description="code of the department that should lead")


class FilingIn(PositionIn):
    """Whose duty is in question, and what the filer holds."""

    matter: Passage
    also: list[ShortCode] = Field(
        default_factory=list, max_length=20, description="further departments that are concerned, by code"
    )

    def to_filing(self) -> Filing:
        """Return it as the use case takes it."""
        return Filing(self.matter, self.position, self.basis, self.lead, tuple(self.also))


class MinutesIn(Body):
    """What came of a talk."""

    minutes: Passage


class MeetingIn(MinutesIn):
    """What the joint meeting holds, and whom it holds to lead."""

    lead: ShortCode | None = None


class OpinionIn(Body):
    """The establishment office takes it up; its opinion may come later."""

    opinion: Passage | None = None
    lead: ShortCode | None = None


class OpinionGivenIn(Body):
    """What the establishment office holds, and who should lead."""

    opinion: Passage
    lead: ShortCode


class SignatureIn(Body):
    """As whom somebody signs, and the name of who signs."""

    party: ShortCode = Field(description="a department's code, TOWN, bianban, justice or government_office")
    name: Line


class RestIn(Body):
    """Why the coordination rests, and until when."""

    reason: Passage
    until: Moment


class GroundIn(Body):
    """One text that a decision rests on."""

    kind: GroundKind
    text: Passage


class SettlementIn(Body):
    """Who answers from now on, on which grounds, and where."""

    lead: ShortCode
    cooperating: list[ShortCode] = Field(default_factory=list, max_length=40)
    grounds: list[GroundIn] = Field(max_length=40, description="kept with the strongest first")
    basis: DutyBasis | None = Field(
        default=None, description="statutory, agreed or designated; left out: agreed, or designated"
    )
    area: AreaCode | None = Field(
        default=None, description="the town of the case, which is the default, or its district"
    )
    boundary: dict[str, Any] | None = Field(
        default=None,
        description="GeoJSON Polygon or MultiPolygon inside the area, for a rule that holds there alone",
    )
    frame: FrameCode = "CGCS2000"
    minutes: Passage | None = Field(default=None, description="the leader's; else what there is to add")

    def to_settlement(self, admit: Callable[[str], str], basis: DutyBasis) -> Settlement:
        """Return it as the use case takes it; admit : names the frame, or refuses it."""
        frame = admit(self.frame) if self.boundary is not None else self.frame
        return Settlement(
            lead=self.lead,
            cooperating=tuple(self.cooperating),
            grounds=tuple(Ground(one.kind, one.text) for one in self.grounds),
            basis=self.basis or basis,
            extent=Extent(self.area, self.boundary, frame),
            minutes=self.minutes,
        )


class DisputeBrief(Answer):
    """A dispute in a list."""

    number: str
    status: DisputeStatus
    incident: str
    area: AreaCode = Field(description="the town of the case")
    category: str | None
    matter: str
    parties: list[str] = Field(description="codes of departments, and TOWN")
    jointly_responsible: bool = Field(description="while it runs, every party is; duties and clocks go on")
    provisional_lead: str | None
    filed_at: Shown
    filed_by: str
    stage_due_at: Shown | None
    lead: str | None
    ended_at: Shown | None

    @classmethod
    def brief(cls, row: DisputeRow) -> DisputeBrief:
        """Return a dispute in short."""
        return cls.model_validate(_plain(row.dispute, row.incident.number, row.incident.category_code))


def _plain(dispute: Any, incident: str, category: str | None) -> dict[str, Any]:
    made = {
        "incident": incident,
        "area": dispute.area_code,
        "category": category,
        "jointly_responsible": dispute.status in RUNNING_DISPUTES,
        "filed_by": dispute.filed_by_party,
    }
    return {name: getattr(dispute, name) for name in DisputeBrief.model_fields if name not in made} | made


class DisputeListOut(Answer):
    """Disputes, newest first, and where the next page begins."""

    items: list[DisputeBrief]
    next_cursor: str | None


class PaperOut(Answer):
    """A position, minutes, an opinion, a signature."""

    kind: DisputeStepKind
    party: str | None
    text: str
    basis: str | None
    lead: str | None
    at: Shown
    by_name: str


class PositionOut(Answer):
    """What a party holds last; empty for one that has said nothing."""

    party: str
    position: str | None = None
    basis: str | None = None
    lead: str | None = None
    at: Shown | None = None


class GroundOut(Answer):
    """One text that a decision rests on."""

    kind: GroundKind
    text: str


class RuleOut(Answer):
    """The rule of the responsibility list that a decision wrote."""

    id: int
    category: str | None
    area: str
    polygon: bool
    lead: str | None
    cooperating: list[str]
    basis: DutyBasis
    effective_from: date
    effective_to: date | None


class DecisionOut(Answer):
    """What was decided, why, and the rule that it wrote."""

    lead: str
    cooperating: list[str]
    basis: DutyBasis
    grounds: list[GroundOut]
    decided_at: Shown
    rule: RuleOut | None


class DisputeOut(DisputeBrief):
    """A dispute whole, with what the reader may do."""

    whistle: str | None
    counted_from: Shown
    suspended_from: str | None
    leader_at: Shown | None
    positions: list[PositionOut]
    papers: list[PaperOut]
    signatures_missing: list[str] = Field(description="bodies without which a joint opinion decides nothing")
    decision: DecisionOut | None
    signs_for: list[str] = Field(description="as whom the reader may sign now")
    actions: list[ActionOut]

    @classmethod
    def of(cls, file: DisputeFile) -> DisputeOut:
        """Return a dispute as one reader may see it."""
        dispute = file.dispute
        return cls.model_validate(
            {
                **_plain(dispute, file.incident.number, file.incident.category_code),
                "whistle": file.whistle.number if file.whistle else None,
                "counted_from": dispute.counted_from,
                "suspended_from": dispute.suspended_from,
                "leader_at": dispute.leader_at,
                "positions": [
                    {"party": party}
                    if said is None
                    else {
                        "party": party,
                        "position": said.text,
                        "basis": said.basis,
                        "lead": said.lead,
                        "at": said.at,
                    }
                    for party, said in file.positions.items()
                ],
                "papers": [PaperOut.model_validate(paper) for paper in file.papers],
                "signatures_missing": [body.value for body in missing_signatures(file.stand.signed)],
                "decision": _decision(file),
                "signs_for": list(file.signs_for),
                "actions": ActionOut.all(file.actions),
            }
        )


def _decision(file: DisputeFile) -> dict[str, Any] | None:
    dispute, rule = file.dispute, file.rule
    decided: datetime | None = dispute.decided_at
    if decided is None:
        return None
    return {
        "lead": dispute.lead,
        "cooperating": dispute.cooperating or [],
        "basis": dispute.basis,
        "grounds": dispute.grounds or [],
        "decided_at": decided,
        "rule": None
        if rule is None
        else {
            "id": rule.id,
            "category": rule.category_code,
            "area": rule.area_code,
            "polygon": rule.boundary is not None,
            "lead": rule.lead,
            "cooperating": rule.cooperating,
            "basis": rule.basis,
            "effective_from": rule.effective_from,
            "effective_to": rule.effective_to,
        },
    }
