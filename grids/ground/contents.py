"""What a database holds: nothing yet, a made-up city, or somebody's own.

A made-up city never shares a database with a real one: its people have a password that everybody knows.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, joinedload

from gis.errors import Conflict
from grids.rules.permissions import Role
from grids.tables import Base, Edition, Incident, Person, Post

__all__ = ["DEMO_SOURCE", "Contents", "KnownLogin", "contents_of", "empty_demo", "shared_logins"]

DEMO_SOURCE = "demo:"
"""What the source of an edition begins with when it was made up."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is there. demo : the source of the made-up edition, None without one; own : somebody's own data."""

    demo: str | None
    own: bool


@dataclass(frozen=True, slots=True)
class KnownLogin:
    """Somebody of a made-up city whom a visitor may sign in as; `department` is a code or None."""

    login: str
    name: str
    role: Role
    department: str | None


def contents_of(session: Session) -> Contents:
    """Return what the database holds. Editions beside a made-up one are somebody's own."""
    demo = session.scalar(
        select(Edition.source).where(Edition.source.startswith(DEMO_SOURCE)).order_by(Edition.id).limit(1)
    )
    editions = select(func.count()).select_from(Edition).where(~Edition.source.startswith(DEMO_SOURCE))
    own = session.scalar(editions) or 0
    if demo is None:
        for table in (Person, Incident):
            own += session.scalar(select(func.count()).select_from(table)) or 0
    return Contents(demo, own > 0)


def empty_demo(session: Session) -> None:
    """Take everything out of a database that holds a made-up city and nothing else.

    Raises `Conflict` ("not_a_demo") for any other database; one that is empty stays as it is.
    """
    found = contents_of(session)
    if found.own:
        raise Conflict(
            "not_a_demo",
            "this database holds data that no demo made, so it is not emptied: use another one "
            "(GRID_DATA_DIR or GRID_DATABASE_URL)",
        )
    if found.demo is not None:
        tables = ", ".join(f'"{table.name}"' for table in Base.metadata.sorted_tables)
        session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY"))


def shared_logins(session: Session) -> list[KnownLogin]:
    """Return the people of a made-up city who can sign in with its password, in the order in which they came.

    They share one stored password; people who were added since have each their own.
    """
    shared = (
        select(Person.password_hash)
        .where(Person.password_hash.is_not(None))
        .group_by(Person.password_hash)
        .having(func.count() > 1)
        .order_by(func.count().desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(
        select(Person, Post)
        .join(Post, Post.person_id == Person.id)
        .where(Person.password_hash == shared, Person.disabled_at.is_(None))
        .options(joinedload(Post.department))
        .order_by(Post.id)
    )
    return [
        KnownLogin(person.login, person.name, post.role, post.department.code if post.department else None)
        for person, post in rows
    ]
