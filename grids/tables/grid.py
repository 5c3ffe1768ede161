"""Editions of the grid and the areas in them, at four levels."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from grids.rules.levels import GridLevel
from grids.tables.base import Base, Code, coded

__all__ = ["Edition", "EditionStatus", "Grid", "Lineage", "OpenCases"]


class EditionStatus(StrEnum):
    """A draft may be changed; a published one never."""

    DRAFT = "draft"
    PUBLISHED = "published"
    SUPERSEDED = "superseded"


class OpenCases(StrEnum):
    """What becomes of open incidents when an edition takes the place of another: a choice of who publishes it."""

    FOLLOW = "follow"  # each goes to the cell that its point lies in now
    STAY = "stay"  # each stays with its cell and the people there, as long as there is such a cell


class Edition(Base):
    """A dated cut of one or more districts into grids.

    Of the published editions that hold a district, one is in force on any day: from `effective_from`
    (inclusive) to `effective_to` (exclusive, None: until another takes its place).
    """

    __tablename__ = "edition"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    status: Mapped[EditionStatus] = mapped_column(coded(EditionStatus))
    source: Mapped[str]  # the file it was loaded from, or what made it
    frame: Mapped[str]  # the frame that the file was in
    leaf_level: Mapped[GridLevel] = mapped_column(coded(GridLevel))
    effective_from: Mapped[date]
    effective_to: Mapped[date | None]
    loaded_at: Mapped[datetime]
    loaded_by: Mapped[str | None]
    based_on_id: Mapped[int | None] = mapped_column(ForeignKey("edition.id", ondelete="SET NULL"))
    # how it was drawn anew from the one it is based on: what, by whom and when, in order
    operations: Mapped[list[Any]] = mapped_column(server_default="[]")
    open_cases: Mapped[OpenCases | None] = mapped_column(coded(OpenCases))  # None: it replaced nothing
    published_at: Mapped[datetime | None]
    published_by: Mapped[str | None]
    took_effect_at: Mapped[datetime | None]  # when posts and open incidents were brought over to it
    report: Mapped[dict[str, Any]]  # what the topology gate said, with the tolerances it was asked to use


class Grid(Base):
    """One area of the city at one of four levels; siblings share edges and never overlap."""

    __tablename__ = "grid"
    __table_args__ = (
        UniqueConstraint("edition_id", "code"),
        Index("ix_grid_boundary", "boundary", postgresql_using="gist"),
        CheckConstraint("length(code) in (6, 9, 12, 15)", name="code_length"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    edition_id: Mapped[int] = mapped_column(ForeignKey("edition.id", ondelete="CASCADE"))
    code: Mapped[Code]  # starts with its parent's code
    level: Mapped[GridLevel] = mapped_column(coded(GridLevel))
    name: Mapped[str]
    source_code: Mapped[str | None]  # the code in the file, where it was not of our form
    households: Mapped[int | None]
    population: Mapped[int | None]
    size_reason: Mapped[str | None]  # why a cell is larger or smaller than the rule of the size of cells
    area_m2: Mapped[float]
    boundary: Mapped[WKBElement] = mapped_column(Geometry("MULTIPOLYGON", srid=4490, spatial_index=False))


class Lineage(Base):
    """How much of an area of one edition went into an area of the next, so that figures can be followed.

    Shares are of the older area, 0 to 1: of its ground, and of its incidents of the year before, None where it
    had none. households : of the older area by share of ground, None where unknown.
    """

    __tablename__ = "lineage"
    __table_args__ = (Index("ix_lineage_before", "before_id", "before_code"),)

    after_id: Mapped[int] = mapped_column(ForeignKey("edition.id", ondelete="CASCADE"), primary_key=True)
    after_code: Mapped[Code] = mapped_column(primary_key=True)
    before_id: Mapped[int] = mapped_column(ForeignKey("edition.id", ondelete="CASCADE"), primary_key=True)
    before_code: Mapped[Code] = mapped_column(primary_key=True)
    level: Mapped[GridLevel] = mapped_column(coded(GridLevel))
    area_share: Mapped[float]
    households: Mapped[int | None]
    incident_share: Mapped[float | None]
