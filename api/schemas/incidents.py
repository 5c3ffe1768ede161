"""Incidents, as they come in and go out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import Field

from api.schemas.base import (
    Answer,
    AreaCode,
    Body,
    Flag,
    FrameCode,
    Line,
    Moment,
    Passage,
    Phone,
    Real,
    ShortCode,
    Shown,
    TaskId,
    Whole,
)
from api.schemas.intake import MergedOut, ProposalOut
from api.schemas.pauses import LedgerItemOut, SuspensionOut
from api.schemas.places import AskedOut, PlacementOut
from api.schemas.tasks import ActionOut, TaskOut, may_call, of_task
from api.schemas.whistles import ClockOut, WhistleBrief
from grids.acts.callbacks import CallbackAnswer
from grids.acts.incidents import Report
from grids.casefile import CaseFile, Receipt, position
from grids.rules.deadlines import DeadlineKind
from grids.rules.explanation import What
from grids.rules.grading import Grade, RaiseReason
from grids.rules.lifecycle import Channel, IncidentStatus, Inspection, RejectReason, VerifiedHow
from grids.rules.permissions import Actor
from grids.rules.whistles import WhistleLevel
from grids.tables import Callback, Incident, Solved, Trace

__all__ = [
    "AcceptIn",
    "CallbackIn",
    "CallbackOut",
    "ChoiceOut",
    "IncidentBrief",
    "IncidentListOut",
    "IncidentOut",
    "PlaceIn",
    "ReceiptOut",
    "ReopenIn",
    "ReportIn",
    "ReporterIn",
    "ReporterOut",
    "TraceOut",
    "VerifyIn",
]


class ReporterIn(Body):
    """Who reports; a phone is needed to be called back."""

    name: Line | None = None
    phone: Phone | None = None


class ReportIn(Body):
    """A thing that is wrong at a place."""

    channel: Channel
    lon: Real = Field(description="longitude in degrees, or the easting in a projected system")
    lat: Real = Field(description="latitude in degrees, or the northing in a projected system")
    frame: FrameCode
    text: Passage
    accuracy_m: Real | None = Field(default=None, ge=0, le=10_000)
    address: Line | None = None
    category: ShortCode | None = None
    reporter: ReporterIn | None = None
    occurred_at: Moment | None = Field(default=None, description="when it happened, as the reporter says")
    cell: AreaCode | None = Field(
        default=None,
        description="which of the `candidates` of GET /api/locate it is, as the reporter says; another cell is "
        "refused with `cell_not_candidate`, which names the candidates",
    )

    def to_report(self, admit: Callable[[str], str]) -> Report:
        """Return it as the use case takes it; admit : names the frame, or refuses it."""
        return Report(
            channel=self.channel,
            lon=self.lon,
            lat=self.lat,
            frame=admit(self.frame),
            text=self.text,
            accuracy_m=self.accuracy_m,
            address=self.address or None,
            category=self.category,
            reporter_name=(self.reporter.name or None) if self.reporter else None,
            reporter_phone=(self.reporter.phone or None) if self.reporter else None,
            occurred_at=self.occurred_at,
            cell=self.cell,
        )


class PlaceIn(Body):
    """The cell that a person chose."""

    code: AreaCode


class AcceptIn(Body):
    """How a report is accepted; what is left out comes from its category."""

    category: ShortCode | None = None
    grade: Grade | None = None
    level: WhistleLevel | None = Field(default=None, description="the first whistle's level")
    reason: Passage | None = Field(
        default=None, description="needed where grade or level differ from the list"
    )
    circumstances: frozenset[RaiseReason] = Field(
        default=frozenset(),
        max_length=len(RaiseReason),
        description="what makes it worse than its category: casualties, trapped, fire, near_school_or_hospital, "
        "rain_warning; that many reported it or that it keeps returning is counted without",
    )


class VerifyIn(Body):
    """What was found; not passed needs a comment, and so does the word of experts or residents."""

    passed: Flag
    comment: Passage | None = None
    how: VerifiedHow = VerifiedHow.ON_SITE


class CallbackIn(Body):
    """What came of one call to one reporter."""

    reached: Flag
    solved: Solved | None = None
    satisfaction: Whole | None = Field(default=None, description="1 to 5, five best")
    comment: Passage | None = None
    reporter_id: TaskId | None = Field(default=None, strict=True)

    def to_answer(self) -> CallbackAnswer:
        """Return it as the use case takes it."""
        return CallbackAnswer(self.reached, self.solved, self.satisfaction, self.comment, self.reporter_id)


class ReopenIn(Body):
    """Why a closed case is taken up again."""

    reason: Passage


class ReceiptOut(Answer):
    """What a reporter learns at once."""

    number: str
    status: IncidentStatus
    category: str | None
    grade: Grade | None
    placement: AskedOut
    received_at: Shown
    due: dict[DeadlineKind, Shown] = Field(description="the clocks that run, by kind: when each runs out")
    whistles: list[WhistleBrief]

    @classmethod
    def of(cls, incident: Incident, receipt: Receipt) -> ReceiptOut:
        """Return the answer to a report."""
        return cls(
            number=incident.number,
            status=incident.status,
            category=incident.category_code,
            grade=incident.grade,
            placement=AskedOut.answered(incident, confirm=receipt.confirm, candidates=receipt.candidates),
            received_at=incident.received_at,
            due={clock.kind: clock.due_at for clock in receipt.clocks},
            whistles=[WhistleBrief.brief(whistle, incident) for whistle in receipt.whistles],
        )


class IncidentBrief(Answer):
    """An incident in a list."""

    number: str
    status: IncidentStatus
    channel: Channel
    category: str | None
    grade: Grade | None
    text: str
    address: str | None
    lon: float = Field(description="WGS84, which CGCS2000 equals within a metre")
    lat: float
    placement: PlacementOut
    round: int
    occurred_at: Shown | None
    received_at: Shown
    accepted_at: Shown | None
    resolved_at: Shown | None
    verified_at: Shown | None
    closed_at: Shown | None
    due_at: Shown | None = Field(description="the first promise; it stays")
    due_effective: Shown | None = Field(
        description="what is judged: moved by approved extensions, by the time in which the case stood still, and by "
        "a further round"
    )
    first_overdue_at: Shown | None = Field(description="set for good once handling was late")
    result: str | None
    rework_count: int

    @classmethod
    def brief(cls, incident: Incident) -> IncidentBrief:
        """Return an incident in short."""
        return cls.model_validate(_plain(incident))


_MADE = frozenset({"category", "lon", "lat", "placement"})
_FIELDS = tuple(name for name in IncidentBrief.model_fields if name not in _MADE)


def _plain(incident: Incident) -> dict[str, Any]:
    lon, lat = position(incident)
    plain = {name: getattr(incident, name) for name in _FIELDS}
    placement = PlacementOut.of(incident)
    return {**plain, "category": incident.category_code, "lon": lon, "lat": lat, "placement": placement}


class IncidentListOut(Answer):
    """Incidents, newest first, and where the next page begins (null on the last)."""

    items: list[IncidentBrief]
    next_cursor: str | None


class ReporterOut(Answer):
    """Who reported; shown to those who take calls and make them."""

    id: int
    name: str | None
    phone: str | None
    reported_at: Shown


class CallbackOut(Answer):
    """One call to one reporter."""

    reporter_id: int
    round: int
    called_at: Shown
    reached: bool
    solved: Solved | None
    satisfaction: int | None
    comment: str | None

    @classmethod
    def of(cls, call: Callback) -> CallbackOut:
        """Return a call from its row."""
        return cls.model_validate(call)


class Native(Answer):
    """The coordinate as it came in."""

    lon: float
    lat: float
    frame: str
    accuracy_m: float | None


class ChoiceOut(Answer):
    """One choice that was made for a case, and why."""

    what: What
    chose: str | int | list[str] | list[int] | None = Field(
        description="the code of a cell, category or grade, the moment that it is due, the codes of departments, "
        "the ids of people, or the level of a whistle"
    )
    because: str = Field(
        description="a reason that stays the same: `border`, `category`, `ceiling`, `by_hand`..."
    )
    at: Shown
    facts: dict[str, Any] = Field(description="what decided; fractions as text, unknown facts left out")


class IncidentOut(IncidentBrief):
    """A whole case, as its reader may see it."""

    native: Native
    limits: dict[str, Any] | None = Field(description="the limits in force when it was accepted")
    responsible: dict[str, Any] | None = Field(description="who answered for it then, and by which rule")
    explanation: list[ChoiceOut] = Field(description="why it went so, choice by choice, in order")
    whistles: list[WhistleBrief]
    tasks: list[TaskOut]
    clocks: list[ClockOut]
    callbacks: list[CallbackOut]
    reporters: list[ReporterOut]
    to_call: list[int] = Field(description="ids of reporters who wait for a call, for those who make it")
    inspection: Inspection | None = Field(description="what the worker of the cell found")
    inspected_at: Shown | None
    rejected_for: RejectReason | None
    reply: str | None = Field(description="what the reporter was told")
    verified_how: VerifiedHow | None
    master: str | None = Field(description="the case that it was joined to")
    merged: list[MergedOut] = Field(description="the reports that were joined to it, and to those")
    proposals: list[ProposalOut] = Field(description="what it may be about, for those who may join it to one")
    suspensions: list[SuspensionOut] = Field(description="what let it wait, or was to; the last one last")
    ledger: list[LedgerItemOut] = Field(description="what holds it on the ledger, or held it")
    actions: list[ActionOut]

    @classmethod
    def of(cls, file: CaseFile, me: Actor) -> IncidentOut:
        """Return a case as one reader may see it."""
        incident = file.incident
        by_id = {whistle.id: whistle for whistle in file.whistles}
        called = {task.department_id for task in file.tasks}
        numbers: dict[int | None, str] = {one.id: one.number for one in (incident, *file.merged)}
        return cls.model_validate(
            {
                **_plain(incident),
                "native": Native(
                    lon=incident.native_lon,
                    lat=incident.native_lat,
                    frame=incident.native_frame,
                    accuracy_m=incident.accuracy_m,
                ),
                "limits": incident.limits,
                "responsible": incident.responsible,
                "explanation": incident.explanation,
                "whistles": [WhistleBrief.brief(whistle, incident) for whistle in file.whistles],
                "tasks": [
                    TaskOut.of(
                        task,
                        by_id[task.whistle_id],
                        incident,
                        open_phone=may_call(me, by_id[task.whistle_id], called),
                        marks=file.marks[task.id],
                        extensions=file.extensions.get(task.id, ()),
                        actions=of_task(file.actions, task.id),
                    )
                    for task in file.tasks
                ],
                "clocks": ClockOut.all(file.clocks, {key: one.number for key, one in by_id.items()}),
                "callbacks": [CallbackOut.of(call) for call in file.callbacks],
                "suspensions": [SuspensionOut.of(row) for row in file.suspensions],
                "ledger": [LedgerItemOut.of(row) for row in file.ledger],
                "reporters": [ReporterOut.model_validate(one) for one in file.reporters],
                "to_call": [one.id for one in file.to_call],
                "inspection": incident.inspection,
                "inspected_at": incident.inspected_at,
                "rejected_for": incident.rejected_for,
                "reply": incident.reply,
                "verified_how": incident.verified_how,
                "master": file.master.number if file.master else None,
                "merged": [MergedOut.of(one, numbers.get(one.master_id)) for one in file.merged],
                "proposals": [ProposalOut.of(one) for one in file.proposals],
                "actions": ActionOut.all(file.actions),
            }
        )


class TraceOut(Answer):
    """One step of a case, chained to the one before by hash."""

    seq: int
    at: Shown
    actor: str
    unit: str
    machine: str
    subject: str
    row: str
    action: str
    from_state: str | None
    to_state: str
    payload: dict[str, Any]
    previous_hash: str | None = Field(description="SHA-256, hexadecimal")
    hash: str

    @classmethod
    def of(cls, step: Trace) -> TraceOut:
        """Return a step from its row."""
        plain = {name: getattr(step, name) for name in _STEP_FIELDS}
        before = step.previous_hash.hex() if step.previous_hash is not None else None
        return cls(**plain, previous_hash=before, hash=step.hash.hex())


_STEP_FIELDS = tuple(name for name in TraceOut.model_fields if name not in {"previous_hash", "hash"})
