"""The addresses at which people want to be told: added, shown to be theirs by a code that is sent there, taken off."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from gis.errors import Conflict, InvalidInput, NotFound
from grids import outbox
from grids.outbox import Wording
from grids.rules.messages import CODE_LIVES, CODE_TRIES, PAUSE, Way, check_address
from grids.rules.permissions import Actor
from grids.tables import Contact, Person

__all__ = ["CodeWords", "add", "change", "confirm", "mine", "remove", "send_code"]

CodeWords = Callable[[str, str], Wording]
"""From a language and a code to the words that bring it."""


def mine(session: Session, person_id: int) -> Sequence[Contact]:
    """Return a person's addresses, those that wait for their code among them."""
    return session.scalars(
        select(Contact)
        .where(Contact.person_id == person_id, Contact.ended_at.is_(None))
        .order_by(Contact.way, Contact.id)
    ).all()


def add(
    session: Session,
    way: Way,
    address: str,
    *,
    language: str,
    urgent_only: bool,
    by: Actor,
    now: datetime,
    words: CodeWords,
) -> Contact:
    """Add an address and send a code there; nothing else goes there before the code was given.

    Raises `InvalidInput` as `check_address` does, `Conflict` ("contact_exists") where the person has an address
    for this way already.
    """
    address = check_address(way, address)
    person_id = _lock(session, by)
    if any(contact.way is way for contact in mine(session, person_id)):
        raise Conflict("contact_exists", f"you have an address for {way} already: take that one off first")
    found = session.scalar(
        select(Contact).where(Contact.person_id == person_id, Contact.way == way, Contact.address == address)
    )
    if found is None:
        found = Contact(person_id=person_id, way=way, address=address, language=language, added_at=now)
        session.add(found)
    found.language, found.urgent_only = language, urgent_only
    found.ended_at, found.confirmed_at = None, None
    _send(session, found, now, words)
    return found


def send_code(session: Session, contact_id: int, *, by: Actor, now: datetime, words: CodeWords) -> Contact:
    """Send a new code; the one before is worth nothing then. Raises `Conflict` ("contact_confirmed")."""
    _lock(session, by)
    found = _own(session, contact_id, by)
    if found.confirmed_at is not None:
        raise Conflict("contact_confirmed", "this address was confirmed already")
    _send(session, found, now, words)
    return found


def _send(session: Session, contact: Contact, now: datetime, words: CodeWords) -> None:
    if contact.code_sent_at is not None and now - contact.code_sent_at < PAUSE:
        raise Conflict(
            "code_just_sent", "a code was sent less than a minute ago: wait for it", retry_after=60
        )
    code = f"{secrets.randbelow(1_000_000):06d}"
    contact.code_hash, contact.code_sent_at, contact.code_tries = _fingerprint(code), now, 0
    outbox.queue(
        session, contact.person_id, contact.way, contact.address, words(contact.language, code), now=now
    )
    session.flush()


def confirm(session: Session, contact_id: int, code: str, *, by: Actor, now: datetime) -> bool:
    """Take a code that came to an address; return whether it was the one. The caller commits either way.

    Five wrong tries, or ten minutes, end a code. Raises `Conflict` ("code_over").
    """
    _lock(session, by)
    found = _own(session, contact_id, by)
    if found.confirmed_at is not None:
        return True
    if (
        found.code_hash is None
        or found.code_sent_at is None
        or now - found.code_sent_at > CODE_LIVES
        or found.code_tries >= CODE_TRIES
    ):
        raise Conflict("code_over", "this code is over: have a new one sent")
    found.code_tries += 1
    if not hmac.compare_digest(found.code_hash, _fingerprint(code.strip())):
        session.flush()
        return False
    found.confirmed_at, found.code_hash = now, None
    session.flush()
    return True


def change(session: Session, contact_id: int, *, language: str, urgent_only: bool, by: Actor) -> Contact:
    """Say anew in which language, and whether only of urgent cases, somebody is told."""
    found = _own(session, contact_id, by)
    found.language, found.urgent_only = language, urgent_only
    session.flush()
    return found


def remove(session: Session, contact_id: int, *, by: Actor, now: datetime) -> None:
    """Take an address off; what is on its way arrives."""
    _lock(session, by)
    _own(session, contact_id, by).ended_at = now
    session.flush()


def _own(session: Session, contact_id: int, by: Actor) -> Contact:
    found = session.get(Contact, contact_id)
    if found is None or found.person_id != by.person_id or found.ended_at is not None:
        raise NotFound("contact_not_found", f"you have no address {contact_id}", id=contact_id)
    return found


def _lock(session: Session, by: Actor) -> int:
    """Let one change of a person's addresses go at a time."""
    found = session.scalar(select(Person.id).where(Person.id == by.person_id).with_for_update(key_share=True))
    if found is None:
        raise InvalidInput("no_person", "only a person has addresses", field="person")
    return found


def _fingerprint(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "replace")).digest()
