"""Where people want to be told, when they are on duty, what was sent, and long jobs."""

from __future__ import annotations

from datetime import date, time
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, Body, Flag, Line, Moment, TaskId
from grids.deliveries import Logged
from grids.rules.messages import DeliveryStatus, Way
from grids.rules.roster import Hours
from grids.tables import Contact, LongJob

__all__ = [
    "CodeIn",
    "ContactChangeIn",
    "ContactIn",
    "ContactOut",
    "DeliveryOut",
    "DeliveryPage",
    "HoursIn",
    "HoursOut",
    "HoursRow",
    "JobOut",
]

Language = Literal["zh-CN", "en"]


class ContactIn(Body):
    """An address to be told at; a code is sent there."""

    way: Way
    address: str = Field(min_length=1, max_length=600)
    language: Language = "zh-CN"
    urgent_only: Flag = False


class ContactChangeIn(Body):
    """How somebody is told at an address."""

    language: Language
    urgent_only: Flag


class CodeIn(Body):
    """The code that came to an address."""

    code: str = Field(max_length=20)


class ContactOut(Answer):
    """An address of one's own; nothing but codes goes there before `confirmed_at`."""

    id: int
    way: Way
    address: str
    language: str
    urgent_only: bool
    added_at: Moment
    confirmed_at: Moment | None

    @classmethod
    def of(cls, contact: Contact) -> ContactOut:
        """Return an address from its row."""
        return cls.model_validate(contact)


class HoursRow(Body):
    """A stretch of duty on a weekday (0 is Monday) or on one day; closing before opening is the next day's.

    A day without times is one without duty.
    """

    weekday: int | None = Field(default=None, ge=0, le=6)
    day: date | None = None
    opens: time | None = None
    closes: time | None = None
    stands_in: TaskId | None = None

    def hours(self) -> Hours:
        """Return it as the rule takes it."""
        return Hours(self.opens, self.closes, self.weekday, self.day, self.stands_in)


class HoursIn(Body):
    """All hours of a post, in place of what was said before; none at all: always on duty."""

    hours: list[HoursRow] = Field(max_length=100)


class HoursOut(Answer):
    """The hours of a post, and who keeps it now."""

    post: int
    title: str
    hours: list[HoursRow]
    on_duty_now: list[int]


class DeliveryOut(Answer):
    """One sending; the address is masked, and the words of a code are nobody's to read."""

    key: UUID
    person: str
    way: Way
    address: str
    subject: str
    body: str | None
    messages: int
    status: DeliveryStatus
    tries: int
    made_at: Moment
    next_try_at: Moment | None
    sent_at: Moment | None
    read_at: Moment | None
    error: str | None

    @classmethod
    def of(cls, row: Logged) -> DeliveryOut:
        """Return a sending from its row of the log."""
        return cls.model_validate(row)


class DeliveryPage(Answer):
    """Sendings, newest first; `next_cursor` is None on the last page."""

    items: list[DeliveryOut]
    next_cursor: str | None


class JobOut(Answer):
    """A long job of one's own. `file` is where what it made can be had, None while it is not there."""

    key: UUID
    name: str
    status: Literal["waiting", "running", "done", "failed"]
    asked_at: Moment
    started_at: Moment | None
    ended_at: Moment | None
    error: Line | None
    file: str | None
    forget_at: Moment | None

    @classmethod
    def of(cls, job: LongJob) -> JobOut:
        """Return a job from its row."""
        done = job.ended_at is not None
        status: Literal["waiting", "running", "done", "failed"] = "running" if job.started_at else "waiting"
        if done:
            status = "failed" if job.error else "done"
        return cls(
            key=job.key,
            name=job.name,
            status=status,
            asked_at=job.asked_at,
            started_at=job.started_at,
            ended_at=job.ended_at,
            error=job.error,
            file=f"/api/jobs/{job.key}/file" if status == "done" else None,
            forget_at=job.forget_at,
        )
