"""People in their posts, categories and departments; which department answers for what is in `grids.duty.duties`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from gis.errors import InvalidInput
from grids import roster
from grids.rules.permissions import POST_DIGITS, Actor, Role
from grids.scope import under
from grids.tables import Category, Department, Person, Post

__all__ = [
    "LOCAL_POSTS",
    "answering",
    "categories",
    "category",
    "department",
    "department_duty",
    "departments",
    "district_of",
    "on_duty",
    "people_of",
    "responsible_people",
]


def on_duty(session: Session, roles: Iterable[Role], code: str, now: datetime) -> Sequence[Person]:
    """Return who keeps posts in these roles at this moment whose area covers a code, nearest area first.

    A role that several areas on the way up hold (a district's leader and a town's, say) yields all of them.
    Outside a post's hours nobody keeps it, unless somebody stands in.
    """
    above = [code[:n] for n in (6, 9, 12, 15) if n <= len(code)]
    chosen = and_(Post.role.in_(list(roles)), Post.area_code.in_(above))
    return roster.on_post(session, chosen, now, func.length(Post.area_code).desc())


def department_duty(session: Session, department_id: int, now: datetime) -> Sequence[Person]:
    """Return who keeps a department's duty posts at this moment."""
    chosen = and_(Post.role == Role.DEPARTMENT_DUTY, Post.department_id == department_id)
    return roster.on_post(session, chosen, now)


def category(session: Session, code: str, *, field: str = "category") -> Category:
    """Return a category by its code. Raises `InvalidInput` ("unknown_category")."""
    found = session.get(Category, code)
    if found is None or found.retired_on is not None:
        raise InvalidInput(
            "unknown_category",
            f"category '{code}' is not in the list; take a code such as 07-001 from /api/categories",
            field=field,
            got=code,
        )
    return found


def categories(session: Session) -> Sequence[Category]:
    """Return the list of categories by code, those that are retired among them."""
    return session.scalars(select(Category).order_by(Category.code)).all()


def district_of(session: Session, actor: Actor) -> str | None:
    """Return the district that a person works in, None for the system."""
    if actor.area_code:
        return actor.area_code[:6]
    body = session.get(Department, actor.department_id) if actor.department_id else None
    return body.district_code if body is not None else None


def departments(session: Session, district_code: str) -> Sequence[Department]:
    """Return a district's departments by code."""
    return session.scalars(
        select(Department).where(Department.district_code == district_code).order_by(Department.code)
    ).all()


def department(session: Session, district_code: str, code: str) -> Department:
    """Return one department of a district. Raises `InvalidInput` ("unknown_department")."""
    found = session.scalar(
        select(Department).where(Department.district_code == district_code, Department.code == code)
    )
    if found is None:
        known = [d.code for d in departments(session, district_code)]
        raise InvalidInput(
            "unknown_department",
            f"district {district_code} has no department '{code}'",
            field="departments",
            got=code,
            wanted=known,
        )
    return found


LOCAL_POSTS = (
    Role.GRID_WORKER,
    Role.BUILDING_LEADER,
    Role.GRID_LEADER,
    Role.TOWN_GRID_CENTRE,
    Role.TOWN_OFFICE,
    Role.TOWN_LEADER,
)
"""The posts that answer for a place, from the cell up to the town."""

Holders = Mapping[tuple[Role, str], Sequence[tuple[int | None, str]]]


def responsible_people(session: Session, code: str) -> list[dict[str, Any]]:
    """Return who answers for a place, from the cell up to the town; an empty post is named as empty.

    Each item has `role`, `area`, and `name` and `person_id`, which are None for an empty post.
    """
    above = [code[:n] for n in (9, 12, 15) if n <= len(code)]
    rows = session.execute(
        select(Post.role, Post.area_code, Person.id, Person.name)
        .join(Person, Person.id == Post.person_id)
        .where(
            Post.role.in_(LOCAL_POSTS), Post.area_code.in_(above), Post.on_duty, Person.disabled_at.is_(None)
        )
        .order_by(Post.id)
    )
    holders: dict[tuple[Role, str], list[tuple[int | None, str]]] = {}
    for role, area, person_id, name in rows:
        holders.setdefault((role, str(area)), []).append((person_id, name))
    return answering(code, holders)


def answering(code: str, holders: Holders) -> list[dict[str, Any]]:
    """Return `responsible_people` of those who hold posts on duty: (id, name) by role and place."""
    found: list[dict[str, Any]] = []
    for role in LOCAL_POSTS:
        held = [
            {"role": role.value, "area": area, "person_id": person_id, "name": name}
            for area in (code[:n] for n in (15, 12, 9) if n <= len(code))
            for person_id, name in holders.get((role, area), ())
        ]
        digits = max((n for n in POST_DIGITS[role] if n <= len(code)), default=None)
        if held or digits is None:
            found += held
        else:
            found.append({"role": role.value, "area": code[:digits], "person_id": None, "name": None})
    return found


def people_of(session: Session, area_code: str) -> Sequence[tuple[Post, Person]]:
    """Return the posts in an area's subtree and the people in them, by code and role."""
    return session.execute(
        select(Post, Person)
        .join(Person, Person.id == Post.person_id)
        .where(and_(under(Post.area_code, area_code), Person.disabled_at.is_(None)))  # type: ignore[arg-type]
        .order_by(Post.area_code, Post.role, Post.id)
    ).all()
