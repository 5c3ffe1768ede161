"""Departments' tasks, as they come in and go out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from decimal import Decimal

from pydantic import Field

from api.schemas.base import Answer, Body, FrameCode, Line, Moment, Passage, Phone, Real, Shown, Whole
from grids.acts.tasks import CheckIn
from grids.register import Action, TaskRow
from grids.rules.permissions import Actor
from grids.rules.phones import mask_phone
from grids.rules.tasks import CheckInMethod, TaskRole, TaskStatus
from grids.tables import Incident, Score, Task, Whistle

__all__ = [
    "ActionOut",
    "CheckInIn",
    "CompleteIn",
    "RespondIn",
    "ScoreIn",
    "ScoreOut",
    "TaskListOut",
    "TaskOut",
    "masked",
    "may_call",
    "of_task",
]


class RespondIn(Body):
    """The promise to come: who, how to reach them, when."""

    staff_name: Line
    staff_phone: Phone
    arrives_at: Moment | None = None


class CheckInIn(Body):
    """How somebody showed that they came."""

    method: CheckInMethod
    lon: Real | None = None
    lat: Real | None = None
    frame: FrameCode | None = None
    reason: Passage | None = None

    def to_check_in(self, admit: Callable[[str], str]) -> CheckIn:
        """Return it as the use case takes it; admit : names the frame, or refuses it."""
        frame = None if self.frame is None else admit(self.frame)
        return CheckIn(self.method, self.lon, self.lat, frame, self.reason)


class CompleteIn(Body):
    """What the department did, and what shows it."""

    result: Passage
    evidence: list[Line] = Field(default_factory=list, max_length=50)


class ScoreIn(Body):
    """The town's marks, 0 to 100 each; a total under 60 needs a comment."""

    response: Whole
    handling: Whole
    result: Whole
    comment: Passage | None = None


class ActionOut(Answer):
    """Something that the reader may do now: a verb on an incident, a whistle or a task."""

    on: str = Field(description="incident, whistle or task")
    key: str = Field(description="number of the incident or whistle, id of the task")
    action: str

    @classmethod
    def all(cls, actions: Sequence[Action]) -> list[ActionOut]:
        """Return the acts of a case."""
        return [cls(on=one.machine, key=one.key, action=one.action) for one in actions]


class ScoreOut(Answer):
    """A town's marks for a department's part."""

    response: int
    handling: int
    result: int
    total: Decimal
    formula: str
    comment: str | None
    scored_at: Shown


class TaskDepartment(Answer):
    """The department that owes a task."""

    code: str
    name: str
    name_en: str


class TaskOut(Answer):
    """What one department owes under a level-3 whistle."""

    id: int
    letter_number: str
    whistle: str
    incident: str
    department: TaskDepartment
    role: TaskRole
    status: TaskStatus
    disputed: bool
    issued_at: Shown
    response_due_at: Shown
    due_at: Shown
    responded_at: Shown | None
    staff_name: str | None
    staff_phone: str | None = Field(description="whole for the town and the departments of an open whistle")
    arrives_at: Shown | None
    checked_in_at: Shown | None
    check_in_method: CheckInMethod | None
    check_in_distance_m: float | None
    check_in_reason: str | None
    minutes_late: int | None
    started_at: Shown | None
    completed_at: Shown | None
    accepted_at: Shown | None
    result: str | None
    evidence: list[str] | None
    first_overdue_at: Shown | None
    rework_count: int
    score: ScoreOut | None = None
    actions: list[ActionOut] = Field(default_factory=list)

    @classmethod
    def of(
        cls,
        task: Task,
        whistle: Whistle,
        incident: Incident,
        *,
        open_phone: bool,
        score: Score | None = None,
        actions: Sequence[Action] = (),
    ) -> TaskOut:
        """Return a task with its department loaded."""
        plain = {name: getattr(task, name) for name in _TASK_FIELDS}
        return cls.model_validate(
            {
                **plain,
                "whistle": whistle.number,
                "incident": incident.number,
                "department": TaskDepartment.model_validate(task.department),
                "staff_phone": masked(task.staff_phone, shown=open_phone),
                "score": ScoreOut.model_validate(score) if score is not None else None,
                "actions": ActionOut.all(actions),
            }
        )

    @classmethod
    def of_row(cls, row: TaskRow, me: Actor, departments: Collection[int] = ()) -> TaskOut:
        """Return a row of a list; `departments` are the ids of those under the same whistle."""
        return cls.of(
            row.task,
            row.whistle,
            row.incident,
            open_phone=may_call(me, row.whistle, departments or (row.task.department_id,)),
            score=row.score,
            actions=of_task(row.actions, row.task.id),
        )


_MADE = frozenset({"whistle", "incident", "department", "staff_phone", "score", "actions"})
_TASK_FIELDS = tuple(name for name in TaskOut.model_fields if name not in _MADE)


def masked(phone: str | None, *, shown: bool) -> str | None:
    """Return a number whole where it is shown, else with its middle hidden."""
    return phone if phone is None or shown else mask_phone(phone)


def may_call(me: Actor, whistle: Whistle, departments: Collection[int]) -> bool:
    """Tell whether a reader has to be able to call those who come.

    The town that blew and the departments that were called do, while the whistle is open; everybody else,
    and everybody later, reads a masked number.
    """
    if whistle.ended_at is not None:
        return False
    return me.area_code == whistle.area_code[:9] or me.department_id in departments


def of_task(actions: Sequence[Action], task_id: int) -> list[Action]:
    """Return those of a case's acts that are on one task."""
    return [one for one in actions if one.machine == "task" and one.key == str(task_id)]


class TaskListOut(Answer):
    """Tasks, the most urgent first, and where the next page begins."""

    items: list[TaskOut]
    next_cursor: str | None
