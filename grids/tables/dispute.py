"""Disputes about whose duty something is, with all that was said, signed and decided."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from grids.rules.disputes import DisputeStatus, DisputeStepKind
from grids.tables.base import Base, BigId, Code, coded
from grids.tables.category import DutyBasis

__all__ = ["Dispute", "DisputeStep"]


class Dispute(Base):
    """One dispute on a case. `lead` and `cooperating` are what was decided, codes of departments."""

    __tablename__ = "dispute"
    __table_args__ = (
        Index(
            "uq_dispute_running",
            "incident_id",
            unique=True,
            postgresql_where=text("status not in ('closed', 'withdrawn')"),
        ),
        Index("ix_dispute_area_filed", "area_code", "filed_at"),
    )

    id: Mapped[BigId]
    number: Mapped[str] = mapped_column(String(24, collation="C"), unique=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    whistle_id: Mapped[int | None] = mapped_column(ForeignKey("whistle.id"))
    area_code: Mapped[Code]  # the town of the case
    status: Mapped[DisputeStatus] = mapped_column(coded(DisputeStatus))
    matter: Mapped[str]
    parties: Mapped[list[Any]]  # codes of departments, and TOWN: all jointly responsible while it runs
    provisional_lead: Mapped[str | None] = mapped_column(String(16))
    filed_at: Mapped[datetime]
    filed_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    filed_by_party: Mapped[str] = mapped_column(String(32))
    counted_from: Mapped[datetime]  # of the coordination: the time of its suspensions moves it on
    stage_due_at: Mapped[datetime | None]
    suspended_from: Mapped[str | None]
    suspended_at: Mapped[datetime | None]
    leader_at: Mapped[datetime | None]  # when the one coordination by the leader was begun
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    lead: Mapped[str | None] = mapped_column(String(16))
    cooperating: Mapped[list[Any] | None]
    basis: Mapped[DutyBasis | None] = mapped_column(coded(DutyBasis))
    grounds: Mapped[list[Any] | None]  # what it rests on, the strongest first: [{"kind", "text"}]
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("responsibility.id"))
    ended_at: Mapped[datetime | None]


class DisputeStep(Base):
    """One paper of a dispute: a position, minutes, an opinion, a signature; added, never changed."""

    __tablename__ = "dispute_step"

    id: Mapped[BigId]
    dispute_id: Mapped[int] = mapped_column(ForeignKey("dispute.id"), index=True)
    kind: Mapped[DisputeStepKind] = mapped_column(coded(DisputeStepKind))
    party: Mapped[str | None] = mapped_column(String(32))  # code of the department or body that speaks
    text: Mapped[str]
    basis: Mapped[str | None]
    lead: Mapped[str | None] = mapped_column(String(16))  # code of whom the paper holds to be the lead
    at: Mapped[datetime]
    by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    by_name: Mapped[str]
