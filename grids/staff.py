"""Who may sign in: people are put on record with a post, and struck off without losing what they did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, joinedload

from gis.errors import Conflict, InvalidInput, NotFound
from grids import atlas, directory
from grids.accounts import hash_password
from grids.rules.calendar import local_day
from grids.rules.permissions import POST_DIGITS, Role
from grids.rules.phones import check_phone
from grids.tables import Person, Post, WebSession

__all__ = ["PASSWORD_LENGTH", "NewPerson", "add", "disable", "everybody"]

PASSWORD_LENGTH = (8, 256)
"""Characters of a password, from and to; length is all that is asked (ASVS 5.0, 6.2)."""

_LONGEST_LOGIN = 64
_NO_POST = frozenset({Role.SYSTEM, Role.CITIZEN})  # the one is no person, the other has no post


@dataclass(frozen=True, slots=True)
class NewPerson:
    """A person to put on record, with the post that they take up.

    area : code of the place that the post is for. department : code of the department, in the district `area`.
    A department's duty has both; every other post is for a place alone.
    """

    login: str
    name: str
    role: Role
    area: str
    department: str | None = None
    title: str = ""
    phone: str | None = None
    party_member: bool = False


def add(session: Session, new: NewPerson, password: str, *, now: datetime) -> Person:
    """Put a person on record who may sign in from now on.

    Raises `Conflict` ("login_taken"), `NotFound` ("grid_not_found") for a place that the grid in force does not
    have, and `InvalidInput`: "bad_login", "bad_password", "bad_post", "unknown_department", "bad_phone".
    """
    login, name = new.login.strip(), new.name.strip()
    if not login.isprintable() or not 1 <= len(login) <= _LONGEST_LOGIN or " " in login or not name:
        raise InvalidInput(
            "bad_login",
            f"a person needs a name and a login of 1 to {_LONGEST_LOGIN} characters without blanks",
            field="name" if not name else "login",
        )
    shortest, longest = PASSWORD_LENGTH
    if not shortest <= len(password) <= longest:
        raise InvalidInput(
            "bad_password", f"a password has {shortest} to {longest} characters", field="password"
        )
    if session.scalar(select(Person.id).where(Person.login == login)) is not None:
        raise Conflict("login_taken", f"somebody else has the login {login!r}", login=login)
    area, department_id = _place(session, new, now)
    person = Person(
        login=login,
        name=name,
        phone=check_phone(new.phone, field="phone") if new.phone else None,
        party_member=new.party_member,
        password_hash=hash_password(password),
    )
    session.add(person)
    session.flush()
    session.add(
        Post(
            person_id=person.id,
            role=new.role,
            area_code=area,
            department_id=department_id,
            title=new.title.strip() or new.role.value,
        )
    )
    session.flush()
    return person


def _place(session: Session, new: NewPerson, now: datetime) -> tuple[str | None, int | None]:
    of_department = new.role is Role.DEPARTMENT_DUTY
    if new.role in _NO_POST or of_department != (new.department is not None):
        raise InvalidInput(
            "bad_post",
            f"{new.role.value} is no post that a person holds"
            if new.role in _NO_POST
            else f"the post {Role.DEPARTMENT_DUTY.value} is for a department, and no other is: got {new.role.value}",
            field="role",
            got=new.role.value,
        )
    atlas.grid(session, new.area, on=local_day(now))
    if new.department is None:
        digits = POST_DIGITS.get(new.role, (6,))
        if len(new.area) not in digits:
            wanted = " or ".join(map(str, digits))
            raise InvalidInput(
                "bad_post",
                f"a {new.role.value} works in an area whose code has {wanted} digits; {new.area} has {len(new.area)}",
                field="area",
                got=new.area,
            )
        return new.area, None
    return None, directory.department(session, new.area[:6], new.department).id


def disable(session: Session, login: str, *, now: datetime) -> Person:
    """Let a person sign in no more, and end the sessions that they have; what they did stays on record.

    Raises `NotFound` ("person_not_found").
    """
    person = session.scalar(select(Person).where(Person.login == login).with_for_update())
    if person is None:
        raise NotFound("person_not_found", f"nobody has the login {login!r}", login=login)
    person.disabled_at = person.disabled_at or now
    session.execute(delete(WebSession).where(WebSession.person_id == person.id))
    session.flush()
    return person


def everybody(session: Session) -> Sequence[tuple[Person, Sequence[Post]]]:
    """Return all people by login, each with the posts that they hold (departments loaded)."""
    people = session.scalars(select(Person).order_by(Person.login)).all()
    posts: dict[int, list[Post]] = {person.id: [] for person in people}
    for post in session.scalars(select(Post).options(joinedload(Post.department)).order_by(Post.id)):
        posts[post.person_id].append(post)
    return [(person, posts[person.id]) for person in people]
