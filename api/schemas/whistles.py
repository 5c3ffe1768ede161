"""Whistles and the tasks under them, as they come in and go out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from api.schemas.base import Answer, AreaCode, Body, Line, Moment, Passage, Phone, Real, ShortCode, Shown
from api.schemas.places import Named
from api.schemas.tasks import ActionOut, TaskOut, masked, may_call, of_task
from grids.acts.joint import Draft
from grids.register import WhistleFile
from grids.rules.deadlines import DeadlineKind
from grids.rules.limits import Limit, Unit
from grids.rules.permissions import Actor
from grids.rules.tasks import TaskRole
from grids.rules.whistles import WhistleLevel, WhistleStatus, WhistleType
from grids.tables import Deadline, Incident, Whistle

__all__ = [
    "AssignIn",
    "ClockOut",
    "CommentIn",
    "DepartmentIn",
    "FileIn",
    "LimitIn",
    "NoteIn",
    "ReasonIn",
    "ResultIn",
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


class WhistleIn(Body):
    """A whistle to blow on an incident, from the level below it."""

    level: WhistleLevel
    reason: Passage
    type: WhistleType = WhistleType.COMPREHENSIVE
    departments: list[DepartmentIn] | None = Field(
        default=None,
        max_length=40,
        description="exactly one leads; left out: those of the responsibility list",
    )
    appointed_at: Moment | None = Field(
        default=None, description="when the departments come; level 3 needs it"
    )
    appointed_place: Line | None = Field(default=None, description="where they come to; level 3 needs it")
    limit: LimitIn | None = None

    def to_draft(self) -> Draft:
        """Return it as the use case takes it."""
        chosen = None
        if self.departments is not None:
            chosen = tuple((body.code, body.role) for body in self.departments)
        return Draft(
            type=self.type,
            reason=self.reason,
            departments=chosen,
            appointed_at=self.appointed_at,
            appointed_place=self.appointed_place,
            limit=Limit(self.limit.value, self.limit.unit) if self.limit else None,
        )


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


class FileIn(Body):
    """Who goes from the town to the community (the dual track of level 2)."""

    liaison_name: Line
    liaison_phone: Phone


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
    filed_at: Shown | None
    office: str | None
    instruction: str | None
    tasked_at: Shown | None
    departments: list[Named] | None
    appointed_place: str | None
    submitted_at: Shown | None
    confirmed_at: Shown | None
    issued_at: Shown | None
    completed_at: Shown | None
    result: str | None
    tasks: list[TaskOut]
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
                "tasks": [
                    TaskOut.of(
                        task,
                        whistle,
                        file.incident,
                        open_phone=may_call(me, whistle, called),
                        score=file.scores.get(task.id),
                        actions=of_task(file.actions, task.id),
                    )
                    for task in file.tasks
                ],
                "clocks": ClockOut.all(file.clocks, {whistle.id: whistle.number}),
                "actions": ActionOut.all(file.actions),
            }
        )


_WHISTLE_FIELDS = tuple(
    name
    for name in WhistleOut.model_fields
    if name not in {"area", "incident", "liaison_phone", "tasks", "clocks", "actions"}
)


class WhistleListOut(Answer):
    """Whistles, newest first, and where the next page begins."""

    items: list[WhistleBrief]
    next_cursor: str | None
