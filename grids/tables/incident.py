"""Incidents, those who reported them, and the calls back."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import (
    Boolean,
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    literal_column,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from grids.rules.grading import Grade
from grids.rules.lifecycle import Channel, IncidentStatus, Inspection, RejectReason, VerifiedHow
from grids.tables.base import Base, BigId, Code, coded

__all__ = ["IS_OPEN", "Callback", "Incident", "NumberSeries", "Placement", "Reporter", "Solved"]


_ENDED = "('closed', 'rejected', 'merged', 'cancelled')"

IS_OPEN: ColumnElement[bool] = literal_column(f"incident.status not in {_ENDED}", Boolean)
"""The condition of the index of open cases; written out, for the planner cannot see it in bound values."""


class Placement(StrEnum):
    """How a point was put into its cell."""

    INSIDE = "inside"
    BORDER = "border"  # inside, within 30 m of the border
    OUTSIDE = "outside"  # in no cell: a person has to place it
    MANUAL = "manual"  # a person placed it
    CONFIRMED = "confirmed"  # near a border: the reporter said which of the cells it is


class Solved(StrEnum):
    """What a reporter says when called back."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"


class Incident(Base):
    """One thing that is wrong at one place.

    `received_at` is the server's own time and drives the clocks; `occurred_at` is what was claimed.
    `grid_code` is the cell, or the nearest district while the point lies in no cell (`placement` says so).
    The row carries the head of its trace, so that one lock on it guards the whole case.
    """

    __tablename__ = "incident"
    __table_args__ = (
        Index("ix_incident_grid_received", "grid_code", "received_at"),
        Index("ix_incident_received", text("received_at desc"), text("id desc")),
        Index("ix_incident_category_received", "category_code", "received_at"),
        Index("ix_incident_point", "point", postgresql_using="gist"),
        Index(
            "ix_incident_open",
            "grid_code",
            postgresql_where=text(f"status not in {_ENDED}"),
        ),
        Index("ix_incident_open_edition", "edition_id", postgresql_where=text(f"status not in {_ENDED}")),
        # of all cases hardly any was merged into another
        Index("ix_incident_master_id", "master_id", postgresql_where=text("master_id is not null")),
    )

    id: Mapped[BigId]
    number: Mapped[str] = mapped_column(String(19, collation="C"), unique=True)
    # of an imported case: where it comes from; in the order of bytes, so that those of one source lie together
    source_key: Mapped[str | None] = mapped_column(Text(collation="C"), unique=True)
    status: Mapped[IncidentStatus] = mapped_column(coded(IncidentStatus))
    round: Mapped[int] = mapped_column(default=1)
    channel: Mapped[Channel] = mapped_column(coded(Channel))
    text: Mapped[str]
    address: Mapped[str | None]
    category_code: Mapped[str | None] = mapped_column(ForeignKey("category.code"))
    grade: Mapped[Grade | None] = mapped_column(coded(Grade))

    point: Mapped[WKBElement] = mapped_column(Geometry("POINT", srid=4490, spatial_index=False))
    native_lon: Mapped[float]
    native_lat: Mapped[float]
    native_frame: Mapped[str]
    accuracy_m: Mapped[float | None]
    edition_id: Mapped[int | None] = mapped_column(ForeignKey("edition.id"))
    grid_code: Mapped[Code]
    placement: Mapped[Placement] = mapped_column(coded(Placement))
    border_distance_m: Mapped[float | None]

    occurred_at: Mapped[datetime | None]
    received_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]  # the first promise; it stays
    # what is judged: the due moment of this round's handling clock, moved by extensions and by standing still
    due_effective: Mapped[datetime | None]
    first_overdue_at: Mapped[datetime | None]
    overdue_grid_code: Mapped[Code | None]  # where it lay when it became overdue: the mark stays there
    limits: Mapped[dict[str, Any] | None]  # the limits in force when it was accepted; they never change
    responsible: Mapped[dict[str, Any] | None]  # who answered for it then, and by which rule
    explanation: Mapped[list[Any]] = mapped_column(server_default="[]")  # why each automatic choice was made
    inspection: Mapped[Inspection | None] = mapped_column(coded(Inspection))  # what the cell's worker found
    inspected_at: Mapped[datetime | None]
    rejected_for: Mapped[RejectReason | None] = mapped_column(coded(RejectReason))
    reply: Mapped[str | None]  # what the reporter is told
    verified_how: Mapped[VerifiedHow | None] = mapped_column(coded(VerifiedHow))
    result: Mapped[str | None]
    handler_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    rework_count: Mapped[int] = mapped_column(default=0)
    master_id: Mapped[int | None] = mapped_column(ForeignKey("incident.id"))
    reported_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))

    trace_seq: Mapped[int] = mapped_column(default=0)
    trace_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own name for it


class Reporter(Base):
    """A person who reported an incident; kept apart from it, so that few ever read this table."""

    __tablename__ = "reporter"

    id: Mapped[BigId]
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    name: Mapped[str | None]
    phone: Mapped[str | None]
    reported_at: Mapped[datetime]


class Callback(Base):
    """One call to one reporter after the case was verified."""

    __tablename__ = "callback"

    id: Mapped[BigId]
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    reporter_id: Mapped[int] = mapped_column(ForeignKey("reporter.id"))
    round: Mapped[int]
    called_at: Mapped[datetime]
    called_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    reached: Mapped[bool]
    solved: Mapped[Solved | None] = mapped_column(coded(Solved))
    satisfaction: Mapped[int | None]  # 1 to 5, five best (the five levels of 好差评)
    comment: Mapped[str | None]


class NumberSeries(Base):
    """The last number given out in a series, such as one district's incidents of one day."""

    __tablename__ = "number_series"

    name: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int]
