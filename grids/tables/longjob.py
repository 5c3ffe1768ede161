"""Long jobs that a person asked for: what was asked, how far it is, and the file that came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from grids.tables.base import Base

__all__ = ["LongJob"]


class LongJob(Base):
    """One long job of a person. The queue that runs it (procrastinate's tables) holds only its key."""

    __tablename__ = "long_job"

    key: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    args: Mapped[dict[str, Any]]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    asked_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    error: Mapped[str | None]  # a code
    file_name: Mapped[str | None]
    media_type: Mapped[str | None]
    content: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    forget_at: Mapped[datetime | None] = mapped_column(index=True)  # the file goes then
