"""Tasks that departments sent back as not their own."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from grids.rules.pauses import Decision
from grids.rules.returns import ReturnReason
from grids.tables.base import Base, BigId, coded

__all__ = ["ReturnRequest"]


class ReturnRequest(Base):
    """One request to be rid of a task (rows T2, T3). Refused counts as unfounded in the rate of returns."""

    __tablename__ = "return_request"
    __table_args__ = (
        Index("uq_return_request_asked", "task_id", unique=True, postgresql_where=text("decision = 'asked'")),
    )

    id: Mapped[BigId]
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"), index=True)
    reason: Mapped[ReturnReason] = mapped_column(coded(ReturnReason))
    legal_basis: Mapped[str]
    suggested: Mapped[str | None] = mapped_column(
        String(16)
    )  # code of the department whose duty it is said to be
    before: Mapped[str]  # state of the task when it was asked for
    due_at: Mapped[datetime]  # until when it could be asked for
    asked_at: Mapped[datetime]
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decision: Mapped[Decision] = mapped_column(coded(Decision))
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))  # None: too late, by itself
    decision_note: Mapped[str | None]
    handed_to: Mapped[str | None] = mapped_column(String(16))  # code of the department that got it instead
