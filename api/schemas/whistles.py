"""Whistles and the tasks under them, as they come in and go out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from api.schemas.base import Answer, AreaCode, Body, Line, Moment, Passage, Phone, Real, ShortCode, Shown
from api.schemas.places import Named
from api.schemas.presence import JointActionOut, PresenceWordOut
from api.schemas.tasks import ActionOut, TaskOut, masked, may_call, of_task
from grids.acts.joint import Draft
from grids.casefile import WhistleFile
from grids.rules.deadlines import DeadlineKind
from grids.rules.limits import Limit, Unit
from grids.rules.permissions import Actor
from grids.rules.tasks import TaskRole
from grids.rules.whistles import WhistleLevel, WhistleStatus, WhistleType
from grids.tables import Deadline, Incident, Whistle

__all__ = [
    "AssignIn",
    "ChangeIn",
    "ClockOut",
    "CommentIn",
    "DepartmentIn",
    "FileIn",
    "HeardIn",
    "LiaisonIn",
    "LimitIn",
    "NoteIn",
    "ReasonIn",
    "ResultIn",
    "SubmitIn",
    "WhistleBrief",
    "WhistleIn",
    "WhistleListOut",
    "WhistleOut",
]


class DepartmentIn(Body):
    """A department to call, as the lead or beside it."""

    code: ShortCode
    role: TaskRole


class LimitIn(Body):
    """How long it may take, on one of the five clocks."""

    value: Real = Field(gt=0)
    unit: Unit


class SubmitIn(Body):
    """What a level-3 whistle says; what is left out is taken from the responsibility list and from who submits it."""

    type: WhistleType = WhistleType.COMPREHENSIVE
    reason: Passage | None = Field(default=None, description="left out: that of the draft")
    departments: list[DepartmentIn] | None = Field(
        default=None,
        max_length=40,
        description="exactly one leads; left out: those of the responsibility list",
    )
    chosen_reason: Passage | None = Field(
        default=None, description="why others are called than the list names"
    )
    appointed_at: Moment | None = Field(
        default=None, description="when the departments come; left out in an emergency: at once"
    )
    appointed_place: Line | None = Field(default=None, description="where they come to; level 3 needs it")
    limit: LimitIn | None = None
    contact_name: Line | None = Field(default=None, description="of the town, for the departments")
    contact_phone: Phone | None = None

    def to_draft(self) -> Draft:
        """Return it as the use case takes it."""
        chosen = None
        if self.departments is not None:
            chosen = tuple((body.code, body.role) for body in self.departments)
        return Draft(
            type=self.type,
            reason=self.reason,
            departments=chosen,
            chosen_reason=self.chosen_reason,
            appointed_at=self.appointed_at,
            appointed_place=self.appointed_place,
            limit=Limit(self.limit.value, self.limit.unit) if self.limit else None,
            contact_name=self.contact_name,
            contact_phone=self.contact_phone,
        )


class WhistleIn(SubmitIn):
    """A whistle to blow on an incident, from the level below it; its reason also says why others are called."""

    level: WhistleLevel
    reason: Passage  # blowing needs one


class ResultIn(Body):
    """What was done."""

    result: Passage


class ReasonIn(Body):
    """Why."""

    reason: Passage


class CommentIn(Body):
    """What is still wrong."""

    comment: Passage


class NoteIn(Body):
    """A remark, if there is one."""

    comment: Passage | None = None


class LiaisonIn(Body):
    """Who goes from the town to the community (one track of level 2)."""

    liaison_name: Line
    liaison_phone: Phone


class FileIn(Body):
    """Filing at the centre (the other track), with who goes to the community where it names them at once."""

    liaison_name: Line | None = None
    liaison_phone: Phone | None = None


class HeardIn(Body):
    """Who heard the leader confirm by telephone."""

    heard_by: Line


class ChangeIn(Body):
    """All departments that answer from now on, with exactly one lead, and why."""

    departments: list[DepartmentIn] = Field(max_length=40)
    reason: Passage


class AssignIn(Body):
    """Which office of the town does what."""

    office: Line
    instruction: Passage


class ClockOut(Answer):
    """A clock that runs."""

    kind: DeadlineKind
    due_at: Shown
    started_at: Shown
    round: int
    whistle: str | None = None
    task: int | None = None

    @classmethod
    def all(cls, clocks: Sequence[Deadline], numbers: Mapping[int, str]) -> list[ClockOut]:
        """Return clocks; `numbers` gives a whistle's number by its id."""
        return [
            cls(
                kind=clock.kind,
                due_at=clock.due_at,
                started_at=clock.started_at,
                round=clock.round,
                whistle=numbers.get(clock.whistle_id) if clock.whistle_id else None,
                task=clock.task_id,
            )
            for clock in clocks
        ]


class WhistleBrief(Answer):
    """A whistle in a list."""

    number: str
    level: WhistleLevel
    round: int
    status: WhistleStatus
    area: AreaCode
    type: WhistleType | None
    reason: str | None
    blown_at: Shown
    appointed_at: Shown | None
    due_at: Shown | None
    ended_at: Shown | None
    incident: str

    @classmethod
    def brief(cls, whistle: Whistle, incident: Incident) -> WhistleBrief:
        """Return a whistle in short."""
        plain = {name: getattr(whistle, name) for name in _BRIEF_FIELDS}
        return cls.model_validate({**plain, "area": whistle.area_code, "incident": incident.number})


_BRIEF_FIELDS = tuple(name for name in WhistleBrief.model_fields if name not in {"area", "incident"})


class WhistleOut(WhistleBrief):
    """A whistle whole, with its tasks and what the reader may do."""

    answered_at: Shown | None
    liaison_name: str | None
    liaison_phone: str | None = Field(description="whole for the community and the town of an open whistle")
    liaison_named_at: Shown | None
    filed_at: Shown | None
    office: str | None
    instruction: str | None
    tasked_at: Shown | None
    departments: list[Named] | None
    chosen_reason: str | None = Field(description="why others are called than the responsibility list names")
    appointed_place: str | None
    contact_name: str | None = Field(description="of the town, for the departments")
    contact_phone: str | None = Field(description="whole for the town and the departments of an open whistle")
    submitted_at: Shown | None
    confirmed_at: Shown | None
    confirmed_by_phone: str | None = Field(description="who heard the leader confirm an emergency")
    written_at: Shown | None = Field(description="when the leader wrote what was confirmed by telephone")
    issued_at: Shown | None
    completed_at: Shown | None
    result: str | None
    tasks: list[TaskOut]
    action: JointActionOut | None = Field(description="what the departments did together")
    clocks: list[ClockOut]
    actions: list[ActionOut]

    @classmethod
    def of(cls, file: WhistleFile, me: Actor) -> WhistleOut:
        """Return a whistle as one reader may see it."""
        whistle, called = file.whistle, {task.department_id for task in file.tasks}
        near = me.area_code is not None and len(me.area_code) >= len("370199001")
        reach = near and whistle.ended_at is None
        plain = {name: getattr(whistle, name) for name in _WHISTLE_FIELDS}
        return cls.model_validate(
            {
                **plain,
                "area": whistle.area_code,
                "incident": file.incident.number,
                "liaison_phone": masked(whistle.liaison_phone, shown=reach),
                "contact_phone": masked(whistle.contact_phone, shown=may_call(me, whistle, called)),
                "tasks": [
                    TaskOut.of(
                        task,
                        whistle,
                        file.incident,
                        open_phone=may_call(me, whistle, called),
                        marks=file.marks[task.id],
                        extensions=file.extensions.get(task.id, ()),
                        words=PresenceWordOut.all(file.words.get(task.id, ()), me),
                        actions=of_task(file.actions, task.id),
                    )
                    for task in file.tasks
                ],
                "action": JointActionOut.of(file.action),
                "clocks": ClockOut.all(file.clocks, {whistle.id: whistle.number}),
                "actions": ActionOut.all(file.actions),
            }
        )


_WHISTLE_FIELDS = tuple(
    name
    for name in WhistleOut.model_fields
    if name
    not in {"area", "incident", "liaison_phone", "contact_phone", "tasks", "action", "clocks", "actions"}
)


class WhistleListOut(Answer):
    """Whistles, newest first, and where the next page begins."""

    items: list[WhistleBrief]
    next_cursor: str | None
