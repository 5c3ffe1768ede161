"""What a route may ask for: a transaction, the time, the person who acts, the reader's words.

A route that writes takes `UnitOfWork`, one that reads `ReadOnly`; both are one transaction. The unit of work is
declared with `scope="function"`: its COMMIT runs before the answer leaves, so that nobody is told of what was
not written. With FastAPI's default scope a failing COMMIT has already answered 201.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import text
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from api import auth, i18n
from api.database import Database, database_busy
from api.problems import NotSignedIn, SignInFirst
from gis.crs import admit_frame
from gis.errors import Conflict, InvalidInput
from grids import accounts
from grids.accounts import Refused, Signed, SignedIn
from grids.rules.permissions import Actor

__all__ = [
    "AdmitFrame",
    "Durability",
    "Me",
    "Now",
    "PageMe",
    "PageSigned",
    "ReadOnly",
    "SignIn",
    "SignedPerson",
    "UnitOfWork",
    "Words",
    "current_actor",
    "durability",
    "frame_door",
    "now",
    "page_actor",
    "read_only",
    "signed_in",
    "unit_of_work",
]

_TAKEN = frozenset({"23505", "23P01"})  # somebody else wrote what only one may write


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Turn what the database refuses into the errors of the city; what is a bug of ours stays one."""
    try:
        yield
    except StaleDataError as error:
        raise _stale() from error
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) in _TAKEN:
            raise _stale() from error
        raise
    except (DataError, UnicodeEncodeError) as error:
        raise InvalidInput("unusable_value", "a value cannot be stored: check texts and numbers") from error
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise database_busy() from error


def _stale() -> Conflict:
    return Conflict("stale_version", "somebody changed this at the same moment: look again, then repeat")


def unit_of_work(request: Request) -> Iterator[Session]:
    """Yield a session whose transaction commits when the route is done, or rolls back when it raises."""
    database: Database = request.app.state.database
    with _in_our_words(), database.sessions() as session:
        yield session
        session.commit()


def read_only(request: Request) -> Iterator[Session]:
    """Yield a session that can change nothing."""
    database: Database = request.app.state.database
    with _in_our_words(), database.readers() as session:
        yield session


def now(request: Request) -> datetime:
    """Return the moment of this request, aware and in UTC: one moment for all that it does."""
    moment: datetime = request.app.state.clock()
    return moment


UnitOfWork = Annotated[Session, Depends(unit_of_work, scope="function")]
ReadOnly = Annotated[Session, Depends(read_only)]
Now = Annotated[datetime, Depends(now)]


def _who(request: Request, moment: datetime) -> Signed | None:
    token = auth.token_of(request)
    if token is None:
        return None
    database: Database = request.app.state.database
    rules = auth.rules_of(request.app.state.settings)
    # a transaction of its own, over before the route's begins: no request ever holds two connections
    with _in_our_words(), database.sessions() as session:
        signed = accounts.actor_of(session, token, rules=rules, now=moment)
        session.expunge_all()
        session.commit()
    if signed is not None:
        request.state.person = signed.person.id
    return signed


def signed_in(request: Request, moment: Now) -> Signed:
    """Return who asks, for JSON. Raises `NotSignedIn` (401)."""
    signed = _who(request, moment)
    if signed is None:
        raise NotSignedIn("not_signed_in", "sign in with POST /api/login, or your session has ended")
    return signed


def page_signed_in(request: Request, moment: Now) -> Signed:
    """Return who asks, for pages. A stranger is sent to the login and back."""
    signed = _who(request, moment)
    if signed is None:
        raise SignInFirst("not_signed_in", "sign in first")
    return signed


SignedPerson = Annotated[Signed, Depends(signed_in)]
PageSigned = Annotated[Signed, Depends(page_signed_in)]


def current_actor(signed: SignedPerson) -> Actor:
    """Return the person who acts, in the post that they act from, for JSON."""
    return signed.actor


def page_actor(signed: PageSigned) -> Actor:
    """Return the person who acts, in the post that they act from, for pages."""
    return signed.actor


Me = Annotated[Actor, Depends(current_actor)]
PageMe = Annotated[Actor, Depends(page_actor)]


def _sign_in(request: Request, session: UnitOfWork, moment: Now) -> Callable[[str, str], SignedIn | Refused]:
    """Return the act of signing in; the session that the browser had before ends with it."""
    rules = auth.rules_of(request.app.state.settings)
    strangers: auth.Strangers = request.app.state.strangers

    def sign_in(login: str, password: str) -> SignedIn | Refused:
        locked = strangers.locked_for(login, rules, moment)
        if locked is not None:
            return Refused(locked, known=False)
        old = auth.token_of(request)
        done = accounts.sign_in(session, login, password, rules=rules, now=moment, old_token=old)
        if isinstance(done, Refused) and not done.known:
            return Refused(strangers.failed(login, rules, moment), known=False)
        return done

    return sign_in


SignIn = Annotated[Callable[[str, str], SignedIn | Refused], Depends(_sign_in)]


def words(request: Request) -> i18n.Words:
    """Return the words of the reader's language, which the address or the cookie says."""
    return i18n.words_in(i18n.language_of(request.query_params.get("lang"), request.cookies.get(i18n.COOKIE)))


Words = Annotated[i18n.Words, Depends(words)]


def frame_door(request: Request) -> Callable[[str], str]:
    """Return what gives the name of a frame that the operator lets in, and refuses any other.

    Raises, when called, `UnknownFrame` and `InvalidInput` ("frame_forbidden").
    """
    forbidden: bool = request.app.state.settings.forbid_gcj_inverse
    return lambda text: admit_frame(text, forbid_gcj_inverse=forbidden).value


AdmitFrame = Annotated[Callable[[str], str], Depends(frame_door)]

_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")


def durability(session: ReadOnly) -> dict[str, str]:
    """Return the database's settings that decide whether what was acknowledged outlives a power cut."""
    names = (*_DURABLE, "data_checksums")
    return {name: str(session.scalar(text(f"SHOW {name}"))) for name in names}


Durability = Annotated[dict[str, str], Depends(durability)]
