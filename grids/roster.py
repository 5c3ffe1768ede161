"""Duty hours of posts, and who is reached in a post at a moment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.orm import Session, joinedload

from gis.errors import Forbidden, InvalidInput, NotFound
from grids.rules.permissions import Actor, Role
from grids.rules.roster import Hours, check_hours, keepers, next_kept
from grids.scope import under
from grids.tables import Department, DutyHours, Person, Post

__all__ = ["hours_of", "in_district", "off_until", "on_post", "post_for", "set_hours", "stand_ins"]


def hours_of(session: Session, post_ids: Iterable[int]) -> dict[int, list[Hours]]:
    """Return the hours of posts, by post; a post without any is left out."""
    rows = session.scalars(
        select(DutyHours)
        .where(DutyHours.post_id.in_(list(post_ids)))
        .order_by(DutyHours.day.nulls_first(), DutyHours.weekday, DutyHours.opens, DutyHours.id)
    )
    found: dict[int, list[Hours]] = {}
    for row in rows:
        found.setdefault(row.post_id, []).append(_plain(row))
    return found


def _plain(row: DutyHours) -> Hours:
    return Hours(row.opens, row.closes, row.weekday, row.day, row.stands_in_id)


def on_post(session: Session, chosen: ColumnElement[bool], now: datetime, *order: object) -> list[Person]:
    """Return who keeps these posts now, each once, in the order of the posts. One query, two with stand-ins.

    chosen, order : conditions and order on `Post`; posts that are off duty for good are left out.
    """
    rows = session.execute(
        select(Post.id, Person, DutyHours)
        .join(Person, Person.id == Post.person_id)
        .outerjoin(DutyHours, DutyHours.post_id == Post.id)
        .where(chosen, Post.on_duty)
        .order_by(*order, Post.id, DutyHours.id)  # type: ignore[arg-type]
    ).all()
    holders: dict[int, Person] = {}
    hours: dict[int, list[Hours]] = {}
    for post_id, person, row in rows:
        holders[post_id] = person
        if row is not None:
            hours.setdefault(post_id, []).append(_plain(row))
    reached = [
        one for post_id, holder in holders.items() for one in keepers(holder.id, hours.get(post_id, ()), now)
    ]
    known = {person.id: person for person in holders.values()}
    missing = set(reached) - known.keys()
    if missing:
        known |= {one.id: one for one in session.scalars(select(Person).where(Person.id.in_(missing)))}
    return [known[one] for one in dict.fromkeys(reached) if known[one].disabled_at is None]


def off_until(session: Session, person_ids: Sequence[int], now: datetime) -> dict[int, datetime]:
    """Return when people who are off duty now come on duty next; who is on duty, or has no hours, is left out.

    Somebody is on duty while they keep any post, their own or one in which they stand in.
    """
    asked = set(person_ids)
    rows = session.execute(
        select(Post.id, Post.person_id, DutyHours)
        .outerjoin(DutyHours, DutyHours.post_id == Post.id)
        .where(Post.on_duty, or_(Post.person_id.in_(asked), DutyHours.stands_in_id.in_(asked)))
    ).all()
    # a stand-in's row alone does not tell what other rows override it
    hours = hours_of(session, {post_id for post_id, _, row in rows if row is not None})
    holders = {post_id: holder for post_id, holder, _ in rows}
    off: dict[int, datetime] = {}
    for person in asked:
        mine = [
            next_kept(person, holder, hours.get(post_id, ()), now)
            for post_id, holder in holders.items()
            if person == holder or any(row.stands_in == person for row in hours.get(post_id, ()))
        ]
        ahead = [moment for moment in mine if moment is not None]
        if ahead and min(ahead) > now:
            off[person] = min(ahead)
    return off


def post_for(session: Session, post_id: int, by: Actor) -> Post:
    """Return a post whose hours this person may say: their own, or an administrator's in their district.

    Raises `NotFound` ("post_not_found"), `Forbidden` ("not_your_post").
    """
    post = session.scalar(
        select(Post).where(Post.id == post_id).options(joinedload(Post.department), joinedload(Post.person))
    )
    if post is None or not (post.person_id == by.person_id or _in_scope(post, by)):
        raise NotFound("post_not_found", f"there is no post {post_id} that you may see", id=post_id)
    if post.person_id != by.person_id and by.role is not Role.ADMINISTRATOR:
        raise Forbidden("not_your_post", "hours are said by who holds the post, or by an administrator")
    return post


def _in_scope(post: Post, by: Actor) -> bool:
    code = post.department.district_code if post.department else post.area_code
    return code is not None and by.scope.covers(code)


def set_hours(session: Session, post_id: int, hours: Sequence[Hours], *, by: Actor) -> Post:
    """Say anew when a post is kept; no rows at all: always.

    Raises as `post_for` does, and `InvalidInput` ("bad_hours", "unknown_stand_in").
    """
    post = post_for(session, post_id, by)
    check_hours(hours)
    possible = {person_id for person_id, _ in stand_ins(session, post)}
    for place, row in enumerate(hours):
        if row.stands_in is not None and row.stands_in not in possible:
            raise InvalidInput(
                "unknown_stand_in",
                "who stands in is somebody else who holds a post in the same unit or place",
                field=f"hours.{place}.stands_in",
                got=row.stands_in,
            )
    session.execute(delete(DutyHours).where(DutyHours.post_id == post.id))
    for row in hours:
        session.add(
            DutyHours(
                post_id=post.id,
                weekday=row.weekday,
                day=row.day,
                opens=row.opens,
                closes=row.closes,
                stands_in_id=row.stands_in,
            )
        )
    session.flush()
    return post


def stand_ins(session: Session, post: Post) -> Sequence[tuple[int, str]]:
    """Return (id, name) of those who may stand in: of the same department, or of the town (district) of the place."""
    if post.department_id is not None:
        near: ColumnElement[bool] = Post.department_id == post.department_id
    else:
        near = under(Post.area_code, (post.area_code or "")[:9])  # type: ignore[arg-type]
    rows = session.execute(
        select(Person.id, Person.name)
        .join(Post, Post.person_id == Person.id)
        .where(near, Person.id != post.person_id, Person.disabled_at.is_(None), Post.on_duty)
        .distinct()
        .order_by(Person.name, Person.id)
    )
    return [(person_id, name) for person_id, name in rows]


def in_district(district: str) -> ColumnElement[bool]:
    """Return the condition on `Person` of holding a post in a district, in its places or its departments."""
    return Person.id.in_(
        select(Post.person_id)
        .outerjoin(Department, Department.id == Post.department_id)
        .where(or_(under(Post.area_code, district), Department.district_code == district))  # type: ignore[arg-type]
    )
