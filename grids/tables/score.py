"""Marks for a department's part in one whistle (一哨一考核): the town's, the lead's, and what follows from them.

Rows are added, never changed: a corrected mark or a decided appeal is a new version.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ForeignKey, Index, Numeric, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from grids.rules.pauses import Decision
from grids.tables.base import Base, BigId, coded

__all__ = ["Appeal", "Appraisal", "PeerScore", "Score"]


class Score(Base):
    """A town's marks for a department's part in one whistle."""

    __tablename__ = "score"
    __table_args__ = (UniqueConstraint("task_id", "version_no"),)

    id: Mapped[BigId]
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"), index=True)
    version_no: Mapped[int] = mapped_column(default=1)
    response: Mapped[int]
    handling: Mapped[int]
    result: Mapped[int]
    total: Mapped[Decimal] = mapped_column(Numeric(6, 2))
    formula: Mapped[str]  # which version of the formula made `total`
    comment: Mapped[str | None]
    scored_at: Mapped[datetime]
    scored_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


class PeerScore(Base):
    """The lead's mark for a cooperating department, 0 to 100."""

    __tablename__ = "peer_score"
    __table_args__ = (UniqueConstraint("task_id", "version_no"),)

    id: Mapped[BigId]
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"), index=True)
    version_no: Mapped[int] = mapped_column(default=1)
    mark: Mapped[int]
    comment: Mapped[str | None]
    scored_at: Mapped[datetime]
    scored_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


class Appraisal(Base):
    """The result of one department for one whistle: town, peers and system together, with what each rests on."""

    __tablename__ = "appraisal"
    __table_args__ = (UniqueConstraint("task_id", "version_no"),)

    id: Mapped[BigId]
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"), index=True)
    version_no: Mapped[int] = mapped_column(default=1)
    town: Mapped[Decimal | None] = mapped_column(Numeric(6, 2))  # None: the town gave none in its time
    peer: Mapped[Decimal | None] = mapped_column(Numeric(6, 2))
    system: Mapped[Decimal] = mapped_column(Numeric(6, 2))
    total: Mapped[Decimal] = mapped_column(Numeric(6, 2))
    weight: Mapped[Decimal] = mapped_column(Numeric(4, 2))  # in the year: an emergency counts more
    penalties: Mapped[
        list[Any]
    ]  # [{"kind", "points", "seq", "fact"}]: seq is the step of the trace that shows it
    formula: Mapped[str]
    because: Mapped[str]  # scored, window_over, appeal, correction
    made_at: Mapped[datetime]


class Appeal(Base):
    """A department's one objection to its result; it lapses with the result when the part is worked on again."""

    __tablename__ = "appeal"
    __table_args__ = (
        Index("uq_appeal_task_id", "task_id", unique=True, postgresql_where=text("decision <> 'lapsed'")),
        Index("ix_appeal_asked", "asked_at", postgresql_where=text("decision = 'asked'")),
    )

    id: Mapped[BigId]
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"))
    grounds: Mapped[str]
    asked_at: Mapped[datetime]
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decision: Mapped[Decision] = mapped_column(coded(Decision))
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decision_note: Mapped[str | None]
