"""Long jobs that people ask for: put on the queue in the transaction of the asking, and what came of them.

The queue is procrastinate's, whose tables live beside ours; only its SQL function is used here, so that a job is
there exactly when what it is about is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session, undefer

from gis.errors import NotFound
from grids.rules.permissions import Actor
from grids.tables import LongJob

__all__ = ["KEPT", "QUEUE", "TASK", "Made", "ask", "begin", "fail", "finish", "forget", "show"]

QUEUE = "long"
TASK = "long_job"
KEPT = timedelta(days=1)
"""How long a file is kept for who asked for it."""

_DEFER = text(
    "select procrastinate_defer_jobs_v1(array[row(:queue, :task, 0, null, null, cast(:args as jsonb), null)]"
    "::procrastinate_job_to_defer_v1[])"
)


@dataclass(frozen=True, slots=True)
class Made:
    """The file that a job made."""

    file_name: str
    media_type: str
    content: bytes


def ask(
    session: Session, name: str, args: Mapping[str, Any], *, person_id: int | None, now: datetime
) -> LongJob:
    """Put a job on the queue; it begins after this transaction has committed."""
    job = LongJob(key=uuid4(), name=name, args=dict(args), person_id=person_id, asked_at=now)
    session.add(job)
    session.flush()
    session.execute(_DEFER, {"queue": QUEUE, "task": TASK, "args": json.dumps({"key": str(job.key)})})
    return job


def begin(session: Session, key: UUID, *, now: datetime) -> LongJob | None:
    """Return a job that is to be done now, None where it is done already or forgotten."""
    job = session.get(LongJob, key, with_for_update=True)
    if job is None or (job.ended_at is not None and job.error is None):
        return None
    job.started_at, job.ended_at, job.error = now, None, None
    session.flush()
    return job


def finish(session: Session, key: UUID, made: Made, *, now: datetime) -> None:
    """Keep the file that a job made, for a day."""
    job = session.get(LongJob, key, with_for_update=True)
    if job is not None:
        job.file_name, job.media_type, job.content = made.file_name, made.media_type, made.content
        job.ended_at, job.error, job.forget_at = now, None, now + KEPT
        session.flush()


def fail(session: Session, key: UUID, code: str, *, now: datetime) -> None:
    """Write down that a try failed; the queue may try again."""
    job = session.get(LongJob, key, with_for_update=True)
    if job is not None:
        job.ended_at, job.error, job.forget_at = now, code, now + KEPT
        session.flush()


def show(session: Session, key: UUID, by: Actor, *, whole: bool = False) -> LongJob:
    """Return a job of one's own, with its file when `whole`. Raises `NotFound` ("job_not_found")."""
    asked = select(LongJob).where(LongJob.key == key, LongJob.person_id == by.person_id)
    job = session.scalar(asked.options(undefer(LongJob.content)) if whole else asked)
    if job is None or (whole and job.content is None):
        raise NotFound(
            "job_not_found", "there is no such job of yours, or its file is not there", key=str(key)
        )
    return job


def forget(session: Session, *, before: datetime) -> None:
    """Drop jobs whose files have been kept long enough."""
    session.execute(delete(LongJob).where(LongJob.forget_at < before))
