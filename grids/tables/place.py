"""Recurrent problem points: what comes back where, what is done about it, and the rain it comes with."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    Numeric,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from gis.crs import STORAGE_SRID
from grids.rules.places import FoundHow, PhotoSide, PlaceStatus
from grids.tables.base import Base, BigId, Code, coded

__all__ = ["Campaign", "CampaignPlace", "Place", "PlaceIncident", "PlacePhoto", "PlaceStep", "RainReading"]


class Place(Base):
    """One recurrent problem point. Its members are `PlaceIncident`, its history `PlaceStep`.

    point : the incident from which all members of the finding lie within `radius_m`, or what a person named.
    times : how often it came back, as the rule counts (rain episodes for waterlogging).
    """

    __tablename__ = "place"
    __table_args__ = (
        Index("ix_place_grid_code_status", "grid_code", "status"),
        Index("ix_place_category_code", "category_code"),
        Index("ix_place_point", "point", postgresql_using="gist"),
        # quiet periods that run, looked through every night
        Index("ix_place_quiet", "treated_at", postgresql_where=text("status = 'treated'")),
        CheckConstraint("radius_m > 0", name="radius"),
        CheckConstraint("times >= 0 and returns >= 0", name="times"),
        CheckConstraint("status not in ('treating', 'treated') or lead is not null", name="lead"),
    )

    id: Mapped[BigId]
    number: Mapped[str] = mapped_column(String(24, collation="C"), unique=True)
    category_code: Mapped[str] = mapped_column(ForeignKey("category.code"))
    grid_code: Mapped[Code]
    edition_id: Mapped[int] = mapped_column(ForeignKey("edition.id"))  # whose cell `grid_code` is
    point: Mapped[WKBElement] = mapped_column(Geometry("POINT", srid=STORAGE_SRID, spatial_index=False))
    radius_m: Mapped[int]
    name: Mapped[str]  # as people call it: the address told most often
    status: Mapped[PlaceStatus] = mapped_column(coded(PlaceStatus))
    found_how: Mapped[FoundHow] = mapped_column(coded(FoundHow))
    found_at: Mapped[datetime]
    times: Mapped[int]
    first_at: Mapped[datetime | None]
    last_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]
    confirmed_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    note: Mapped[str | None]  # why it was confirmed or set aside
    cause: Mapped[str | None]
    measure: Mapped[str | None]
    lead: Mapped[str | None] = mapped_column(String(16))  # code of a department, or TOWN
    cooperating: Mapped[list[Any]] = mapped_column(server_default="[]")  # codes of departments
    due_on: Mapped[date | None]
    planned_at: Mapped[datetime | None]
    treated_at: Mapped[datetime | None]
    result: Mapped[str | None]  # what was done in the end
    quiet_days: Mapped[int]  # how long nothing may come back; kept from when the place was found
    cured_at: Mapped[datetime | None]
    returned_at: Mapped[datetime | None]
    returns: Mapped[int] = mapped_column(server_default="0")
    step_seq: Mapped[int] = mapped_column(server_default="0")
    step_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own name for it


class PlaceIncident(Base):
    """An incident that happened at a place; each belongs to one place at most."""

    __tablename__ = "place_incident"

    place_id: Mapped[int] = mapped_column(ForeignKey("place.id"), primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), primary_key=True, unique=True)
    joined_at: Mapped[datetime]
    episode_at: Mapped[datetime | None]  # when its rain began; missing where rain does not matter


class PlaceStep(Base):
    """One step of a place, chained by hash as the history of a case is; added, never changed."""

    __tablename__ = "place_step"
    __table_args__ = (UniqueConstraint("place_id", "seq"),)

    id: Mapped[BigId]
    place_id: Mapped[int] = mapped_column(ForeignKey("place.id"))
    seq: Mapped[int]
    at: Mapped[datetime]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    actor: Mapped[str]
    unit: Mapped[str]
    row: Mapped[str] = mapped_column(String(8))
    action: Mapped[str] = mapped_column(String(32))
    from_state: Mapped[str | None] = mapped_column(String(32))
    to_state: Mapped[str] = mapped_column(String(32))
    payload: Mapped[dict[str, Any]]
    previous_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class PlacePhoto(Base):
    """A photo before or after the treatment, as it was stored: turned upright, made small, without its tags."""

    __tablename__ = "place_photo"
    __table_args__ = (UniqueConstraint("place_id", "sha256"),)

    id: Mapped[BigId]
    place_id: Mapped[int] = mapped_column(ForeignKey("place.id"))
    side: Mapped[PhotoSide] = mapped_column(coded(PhotoSide))
    note: Mapped[str | None]
    taken_at: Mapped[datetime | None]  # as the camera wrote it
    added_at: Mapped[datetime]
    added_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    width: Mapped[int]
    height: Mapped[int]
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))  # of the file as it came
    content: Mapped[bytes] = mapped_column(LargeBinary)  # JPEG


class RainReading(Base):
    """How much rain fell at a gauge from a moment on, in millimetres."""

    __tablename__ = "rain_reading"
    __table_args__ = (
        CheckConstraint("mm >= 0", name="mm"),
        CheckConstraint("minutes > 0", name="minutes"),
    )

    district_code: Mapped[str] = mapped_column(String(6, collation="C"), primary_key=True)
    gauge: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    minutes: Mapped[int]  # for how long it was collected
    mm: Mapped[Decimal] = mapped_column(Numeric(7, 2))


class Campaign(Base):
    """Work on several places at once for a time (专项整治)."""

    __tablename__ = "campaign"
    __table_args__ = (CheckConstraint("until_on >= from_on", name="days"),)

    id: Mapped[BigId]
    number: Mapped[str] = mapped_column(String(24, collation="C"), unique=True)
    name: Mapped[str]
    area_code: Mapped[Code]
    category_code: Mapped[str | None] = mapped_column(ForeignKey("category.code"))
    goal: Mapped[str]
    lead: Mapped[str] = mapped_column(String(16))
    from_on: Mapped[date]
    until_on: Mapped[date]
    begun_at: Mapped[datetime]
    begun_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    ended_at: Mapped[datetime | None]
    ended_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    result: Mapped[str | None]


class CampaignPlace(Base):
    """A place that a campaign works on."""

    __tablename__ = "campaign_place"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    place_id: Mapped[int] = mapped_column(ForeignKey("place.id"), primary_key=True, index=True)
