"""People, the posts they hold, and their sessions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column, relationship

from grids.rules.permissions import Role
from grids.tables.base import Base, Code, coded
from grids.tables.organisation import Department

__all__ = ["Person", "Post", "WebSession"]


class Person(Base):
    """One person, one account."""

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    phone: Mapped[str | None]
    party_member: Mapped[bool] = mapped_column(default=False)
    password_hash: Mapped[str | None]  # None: a person on record who cannot log in
    disabled_at: Mapped[datetime | None]
    failed_logins: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]


class Post(Base):
    """A role that a person holds in an area or a department; one person may hold several."""

    __tablename__ = "post"
    __table_args__ = (
        Index("ix_post_role_area", "role", "area_code"),
        CheckConstraint("area_code is not null or department_id is not null", name="somewhere"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    role: Mapped[Role] = mapped_column(coded(Role))
    area_code: Mapped[Code | None]
    department_id: Mapped[int | None] = mapped_column(ForeignKey("department.id"), index=True)
    title: Mapped[str]
    on_duty: Mapped[bool] = mapped_column(default=True)

    person: Mapped[Person] = relationship(lazy="raise")
    department: Mapped[Department | None] = relationship(lazy="raise")


class WebSession(Base):
    """A server-side session; the cookie holds a random token, the table only its hash."""

    __tablename__ = "web_session"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id", ondelete="CASCADE"))
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
