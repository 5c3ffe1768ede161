"""Departments of a district and the stations they keep in the towns (1+5+N)."""

from __future__ import annotations

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from grids.rules.departments import DepartmentKind, StationKind
from grids.tables.base import Base, Code, coded

__all__ = ["Department", "Station"]


class Department(Base):
    """A body of the district that answers level-3 whistles."""

    __tablename__ = "department"
    __table_args__ = (UniqueConstraint("district_code", "code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    district_code: Mapped[Code]
    code: Mapped[str] = mapped_column(String(16))
    name: Mapped[str]
    name_en: Mapped[str]
    kind: Mapped[DepartmentKind] = mapped_column(coded(DepartmentKind))
    phone: Mapped[str | None]


class Station(Base):
    """People of a department who are stationed in a town, with a place and a contact."""

    __tablename__ = "station"
    __table_args__ = (Index("ix_station_place", "place", postgresql_using="gist"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    department_id: Mapped[int] = mapped_column(ForeignKey("department.id"), index=True)
    town_code: Mapped[Code] = mapped_column(index=True)
    kind: Mapped[StationKind] = mapped_column(coded(StationKind))
    name: Mapped[str]
    contact_name: Mapped[str]
    contact_phone: Mapped[str]
    place: Mapped[WKBElement] = mapped_column(Geometry("POINT", srid=4490, spatial_index=False))
