"""People in their posts, departments and their stations, and who answers for a place and a category."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from gis.errors import InvalidInput, NotFound
from grids.rules.permissions import Actor, Role
from grids.rules.tasks import TaskRole
from grids.scope import under
from grids.tables import Category, Department, Person, Post, Responsibility

__all__ = [
    "Duty",
    "categories",
    "category",
    "department",
    "department_duty",
    "departments",
    "district_of",
    "duty_for",
    "on_duty",
    "people_of",
    "responsible_people",
]


@dataclass(frozen=True, slots=True)
class Duty:
    """Who answers for a category in a place, and why: the rule that decided is named."""

    lead: str
    cooperating: tuple[str, ...]
    basis: str
    rule: str

    def departments(self) -> list[dict[str, str]]:
        """Return the departments as a whistle's draft holds them, lead first."""
        return [
            {"code": self.lead, "role": TaskRole.LEAD.value},
            *({"code": code, "role": TaskRole.COOPERATING.value} for code in self.cooperating),
        ]


def on_duty(session: Session, roles: Iterable[Role], code: str) -> Sequence[Person]:
    """Return people on duty in these roles whose area covers a code, nearest area first.

    A role that several areas on the way up hold (a district's leader and a town's, say) yields all of them.
    """
    above = [code[:n] for n in (6, 9, 12, 15) if n <= len(code)]
    return session.scalars(
        select(Person)
        .join(Post, Post.person_id == Person.id)
        .where(
            Post.role.in_(list(roles)),
            Post.area_code.in_(above),
            Post.on_duty,
            Person.disabled_at.is_(None),
        )
        .order_by(func.length(Post.area_code).desc(), Post.id)
    ).all()


def department_duty(session: Session, department_id: int) -> Sequence[Person]:
    """Return a department's people on duty."""
    return session.scalars(
        select(Person)
        .join(Post, Post.person_id == Person.id)
        .where(
            Post.role == Role.DEPARTMENT_DUTY,
            Post.department_id == department_id,
            Post.on_duty,
            Person.disabled_at.is_(None),
        )
        .order_by(Post.id)
    ).all()


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


def duty_for(session: Session, category_code: str, code: str, *, on: date) -> Duty:
    """Return who answers for a category at a place on a day: the rule of the smallest area wins.

    Raises `NotFound` ("no_responsibility") where the list says nothing: a person has to decide.
    """
    above = [code[:n] for n in (0, 6, 9, 12, 15) if n <= len(code)]
    rule = session.scalar(
        select(Responsibility)
        .where(
            Responsibility.category_code == category_code,
            Responsibility.area_code.in_(above),
            Responsibility.effective_from <= on,
            or_(Responsibility.effective_to.is_(None), Responsibility.effective_to > on),
        )
        .order_by(func.length(Responsibility.area_code).desc(), Responsibility.effective_from.desc())
        .limit(1)
    )
    if rule is None:
        raise NotFound(
            "no_responsibility",
            f"the responsibility list names nobody for category {category_code} at {code}",
            category=category_code,
            area=code,
        )
    where = f"area {rule.area_code}" if rule.area_code else "the whole list"
    return Duty(
        lead=rule.lead,
        cooperating=tuple(rule.cooperating),
        basis=rule.basis.value,
        rule=f"responsibility {rule.id} for {where} since {rule.effective_from.isoformat()}",
    )


_LOCAL = (Role.GRID_WORKER, Role.BUILDING_LEADER, Role.GRID_LEADER, Role.TOWN_GRID_CENTRE, Role.TOWN_LEADER)


def responsible_people(session: Session, code: str) -> list[dict[str, Any]]:
    """Return who answers for a place, from the cell up to the town; an empty post is named as empty.

    Each item has `role`, `area`, and `name` and `person_id`, which are None for an empty post.
    """
    above = [code[:n] for n in (9, 12, 15) if n <= len(code)]
    rows = session.execute(
        select(Post.role, Post.area_code, Person.id, Person.name)
        .join(Person, Person.id == Post.person_id)
        .where(Post.role.in_(_LOCAL), Post.area_code.in_(above), Post.on_duty, Person.disabled_at.is_(None))
        .order_by(func.length(Post.area_code).desc(), Post.id)
    ).all()
    people = [
        {"role": row.role.value, "area": row.area_code, "person_id": row.id, "name": row.name} for row in rows
    ]
    lengths = {
        Role.GRID_WORKER: 15,
        Role.GRID_LEADER: 12,
        Role.TOWN_GRID_CENTRE: 9,
        Role.TOWN_LEADER: 9,
    }
    held = {row.role for row in rows}
    for role, length in lengths.items():
        if role not in held and len(code) >= length:
            people.append({"role": role.value, "area": code[:length], "person_id": None, "name": None})
    return people


def people_of(session: Session, area_code: str) -> Sequence[tuple[Post, Person]]:
    """Return the posts in an area's subtree and the people in them, by code and role."""
    return session.execute(
        select(Post, Person)
        .join(Person, Person.id == Post.person_id)
        .where(and_(under(Post.area_code, area_code), Person.disabled_at.is_(None)))  # type: ignore[arg-type]
        .order_by(Post.area_code, Post.role, Post.id)
    ).all()
