"""People who sign in: their passwords, their sessions, and the post that they act from.

A session is a row; the browser holds a random token of 256 bits and the table only its hash, so that a copy of
the table lets nobody in, and deleting the row signs out at once. The id of a session changes at every sign-in.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, joinedload

from gis.errors import Forbidden, NotFound
from grids.atlas import in_force
from grids.rules.calendar import local_day
from grids.rules.permissions import Actor
from grids.tables import Department, Edition, Grid, Person, Post, WebSession

__all__ = [
    "Refused",
    "SessionRules",
    "Signed",
    "SignedIn",
    "act_as",
    "actor_of",
    "hash_password",
    "posts_of",
    "sign_in",
    "sign_out",
]

_TOUCH = timedelta(minutes=1)  # a session's last use is written down at most this often
_LONGEST_PASSWORD = 256

_hasher = PasswordHasher()  # Argon2id with the parameters of RFC 9106, low-memory profile


@dataclass(frozen=True, slots=True)
class SessionRules:
    """How long a session lives: `idle` without use, `absolute` at most; `tries` failures lock for `lock`."""

    idle: timedelta = timedelta(minutes=30)
    absolute: timedelta = timedelta(hours=12)
    tries: int = 5
    lock: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Signed:
    """A person behind a session, and the post that they act from now."""

    actor: Actor
    person: Person
    post: Post


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session: the token goes to the browser and is written down nowhere else."""

    token: str
    signed: Signed


@dataclass(frozen=True, slots=True)
class Refused:
    """A sign-in that failed.

    retry_after : how long the account stays locked, None while it is not. known : whether there is such an
    account; it decides who counts the failure and is never told.
    """

    retry_after: timedelta | None = None
    known: bool = True


def hash_password(password: str) -> str:
    """Return what the table keeps of a password (Argon2id, about 50 ms)."""
    return _hasher.hash(password)


@cache
def _nobodys_hash() -> str:
    """Return the hash that an unknown login is checked against, so that both answers take the same time."""
    return _hasher.hash(secrets.token_urlsafe(16))


def sign_in(
    session: Session,
    login: str,
    password: str,
    *,
    rules: SessionRules,
    now: datetime,
    old_token: str | None = None,
) -> SignedIn | Refused:
    """Check a password and open a session in the person's first post; `old_token`'s session ends.

    The caller commits either way: a failure is counted. Raises `Forbidden` ("no_post") for a person who holds
    no post.
    """
    person = None
    if login.isprintable():
        # the lock makes tries at one account wait for each other, so that none escapes the count
        person = session.scalar(
            select(Person).where(Person.login == login, Person.disabled_at.is_(None)).with_for_update()
        )
    if person is not None and person.locked_until is not None and person.locked_until > now:
        return Refused(person.locked_until - now)
    if not _fits(person, password) or person is None:
        return _count_failure(person, rules, now)
    person.failed_logins, person.locked_until = 0, None
    if _hasher.check_needs_rehash(person.password_hash or ""):
        person.password_hash = _hasher.hash(password)
    posts = posts_of(session, person.id)
    if not posts:
        raise Forbidden("no_post", "this person holds no post, so there is nothing to act on")
    if old_token is not None:
        sign_out(session, old_token)
    session.execute(delete(WebSession).where(WebSession.person_id == person.id, WebSession.expires_at <= now))
    token = secrets.token_urlsafe(32)
    session.add(
        WebSession(
            token_hash=_fingerprint(token),
            person_id=person.id,
            post_id=posts[0].id,
            started_at=now,
            seen_at=now,
            expires_at=now + rules.absolute,
        )
    )
    session.flush()
    signed = actor_of(session, token, rules=rules, now=now)
    if signed is None:
        raise AssertionError("a session that was just opened is not there")
    return SignedIn(token, signed)


def _fits(person: Person | None, password: str) -> bool:
    known = person.password_hash if person is not None else None
    try:
        fits = _hasher.verify(known or _nobodys_hash(), password[:_LONGEST_PASSWORD])
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False
    return fits and known is not None and len(password) <= _LONGEST_PASSWORD


def _count_failure(person: Person | None, rules: SessionRules, now: datetime) -> Refused:
    if person is None:
        return Refused(known=False)
    person.failed_logins += 1
    if person.failed_logins < rules.tries:
        return Refused()
    person.failed_logins, person.locked_until = 0, now + rules.lock
    return Refused(rules.lock)


def sign_out(session: Session, token: str) -> None:
    """End a session; one that is over already stays so."""
    session.execute(delete(WebSession).where(WebSession.token_hash == _fingerprint(token)))


def actor_of(session: Session, token: str, *, rules: SessionRules, now: datetime) -> Signed | None:
    """Return who is behind a token, or None when its session is over or its person disabled.

    The last use is written down; the caller commits.
    """
    area = (
        select(Grid.name)
        .join(Edition, Edition.id == Grid.edition_id)
        .where(Grid.code == Post.area_code, in_force(local_day(now)))
        .limit(1)
        .correlate(Post)
        .scalar_subquery()
    )
    found = session.execute(
        select(WebSession.seen_at, Person, Post, area)
        .join(Person, Person.id == WebSession.person_id)
        .join(Post, Post.id == WebSession.post_id)
        .options(joinedload(Post.department))
        .where(
            WebSession.token_hash == _fingerprint(token),
            WebSession.expires_at > now,
            WebSession.seen_at > now - rules.idle,
            Person.disabled_at.is_(None),
        )
    ).first()
    if found is None:
        return None
    seen_at, person, post, area_name = found
    if now - seen_at > _TOUCH:
        session.execute(
            update(WebSession).where(WebSession.token_hash == _fingerprint(token)).values(seen_at=now)
        )
    return Signed(_actor(person, post, area_name), person, post)


def _actor(person: Person, post: Post, area_name: str | None) -> Actor:
    department: Department | None = post.department
    return Actor(
        person_id=person.id,
        name=person.name,
        role=post.role,
        unit=department.name if department is not None else (area_name or post.title),
        area_code=post.area_code,
        department_id=post.department_id,
    )


def act_as(session: Session, token: str, post_id: int, *, person_id: int) -> None:
    """Go on in another of the person's posts. Raises `NotFound` ("post_not_found") for somebody else's."""
    if post_id not in {post.id for post in posts_of(session, person_id)}:
        raise NotFound("post_not_found", f"you hold no post {post_id}", id=post_id)
    session.execute(
        update(WebSession).where(WebSession.token_hash == _fingerprint(token)).values(post_id=post_id)
    )


def posts_of(session: Session, person_id: int) -> Sequence[Post]:
    """Return the posts that a person holds, with their departments, the first one first."""
    return session.scalars(
        select(Post).where(Post.person_id == person_id).options(joinedload(Post.department)).order_by(Post.id)
    ).all()


def _fingerprint(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
