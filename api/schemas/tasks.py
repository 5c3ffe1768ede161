"""Departments' tasks, as they come in and go out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal

from pydantic import Field

from api.i18n import LANGUAGES, words_in
from api.schemas.base import Answer, Body, Line, Moment, Passage, Phone, Shown
from api.schemas.pauses import ExtensionOut
from api.schemas.presence import PresenceWordOut
from grids.acts.scores import Marks
from grids.casefile import TaskRow
from grids.offers import Action
from grids.rules.evidence import named_evidence, reasons_without
from grids.rules.permissions import Actor
from grids.rules.phones import mask_phone
from grids.rules.presence import Presence
from grids.rules.tasks import CheckInMethod, TaskRole, TaskStatus
from grids.tables import Extension, Incident, Task, Whistle

__all__ = [
    "ActionOut",
    "CompleteIn",
    "RespondIn",
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


class WithoutIn(Body):
    """Something of the category's list that there is none of, and why."""

    evidence: Line
    reason: Passage


class CompleteIn(Body):
    """What the department did, and what shows it."""

    result: Passage
    evidence: list[Line] = Field(default_factory=list, max_length=50)
    without: list[WithoutIn] = Field(default_factory=list, max_length=50)


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
    without: dict[str, str] = Field(description="what of the category's list there is none of, and why")
    presence: Presence | None = Field(description="what both sides' words on its coming come to")
    presence_words: list[PresenceWordOut] = Field(description="in the task itself and in its whistle")
    remote_reason: str | None = Field(description="why nobody had to come")
    answer: dict[str, str] | None = Field(description="the answer as a sentence, by language")
    first_overdue_at: Shown | None
    rework_count: int
    score: ScoreOut | None = Field(default=None, description="the town's marks")
    whistle_result: Decimal | None = Field(default=None, description="town, lead and record together")
    extensions: list[ExtensionOut] = Field(default_factory=list, description="more time that was asked for")
    actions: list[ActionOut] = Field(default_factory=list)

    @classmethod
    def of(
        cls,
        task: Task,
        whistle: Whistle,
        incident: Incident,
        *,
        open_phone: bool,
        marks: Marks = Marks(),
        words: Sequence[PresenceWordOut] = (),
        extensions: Sequence[Extension] = (),
        actions: Sequence[Action] = (),
    ) -> TaskOut:
        """Return a task with its department loaded."""
        plain = {name: getattr(task, name) for name in _TASK_FIELDS}
        phone = masked(task.staff_phone, shown=open_phone)
        return cls.model_validate(
            {
                **plain,
                "whistle": whistle.number,
                "incident": incident.number,
                "department": TaskDepartment.model_validate(task.department),
                "staff_phone": phone,
                "evidence": None if task.evidence is None else named_evidence(task.evidence),
                "without": reasons_without(task.evidence),
                "presence_words": words,
                "answer": _answer(task, phone),
                "score": ScoreOut.model_validate(marks.score) if marks.score is not None else None,
                "whistle_result": None if marks.result is None else marks.result.total,
                "extensions": [ExtensionOut.of(row) for row in extensions],
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
            marks=row.marks,
            extensions=row.extensions,
            words=PresenceWordOut.all(row.words, me),
            actions=of_task(row.actions, row.task.id),
        )


_MADE = frozenset(
    {
        "whistle",
        "incident",
        "department",
        "staff_phone",
        "evidence",
        "without",
        "presence_words",
        "answer",
        "score",
        "whistle_result",
        "extensions",
        "actions",
    }
)
_TASK_FIELDS = tuple(name for name in TaskOut.model_fields if name not in _MADE)


def _answer(task: Task, phone: str | None) -> dict[str, str] | None:
    if task.responded_at is None:
        return None
    return {
        tag: words.answer(words.name(task.department), task.arrives_at, task.staff_name, phone)
        for tag, words in ((tag, words_in(tag)) for tag in LANGUAGES)
    }


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
