"""Signing in over HTTP: the cookie, tries that fail, and which addresses need nobody.

The cookie holds a random token and nothing else; who it stands for is a row that can be deleted at any moment
(`grids.accounts`). Where a request may come from is checked by `api.middleware.SameOrigin`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from api.problems import NotSignedIn, TooManyTries
from api.settings import Settings
from gis.errors import CityError
from grids.accounts import Refused, SessionRules

__all__ = ["COOKIE", "PUBLIC", "Strangers", "clear_cookie", "refusal", "rules_of", "set_cookie", "token_of"]

COOKIE = "gridwhistle_session"

PUBLIC = frozenset(
    {
        "GET /",
        "GET /livez",
        "GET /login",
        "GET /metrics",  # a setting says who: programs on this machine, everybody, nobody
        "GET /openapi.json",
        "GET /readyz",
        "POST /api/deliveries/{key}/read",  # who knows the key is the receiver
        "POST /api/login",
        "POST /login",
    }
)
"""The routes that answer a stranger, besides the files under /static; every other one needs a person."""


@dataclass
class Strangers:
    """Tries with logins that do not exist, so that they are locked as real ones are and look the same.

    Kept in this process and only for the newest `most`: what is forgotten here protects nobody.
    """

    most: int = 10_000
    _tries: OrderedDict[str, tuple[int, datetime]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def locked_for(self, login: str, rules: SessionRules, now: datetime) -> timedelta | None:
        """Return how long a login that is not known stays locked, None while it is not."""
        with self._lock:
            count, since = self._tries.get(login, (0, now))
        left = since + rules.lock - now
        return left if count >= rules.tries and left > timedelta() else None

    def failed(self, login: str, rules: SessionRules, now: datetime) -> timedelta | None:
        """Count one more failure; return the lock when this was the last one allowed."""
        with self._lock:
            count, since = self._tries.pop(login, (0, now))
            if count >= rules.tries and now >= since + rules.lock:
                count = 0
            count += 1
            self._tries[login] = (count, now)
            while len(self._tries) > self.most:
                self._tries.popitem(last=False)
        return rules.lock if count >= rules.tries else None


def rules_of(settings: Settings) -> SessionRules:
    """Return how long sessions live, as the operator set it."""
    return SessionRules(
        idle=timedelta(minutes=settings.session_idle_minutes),
        absolute=timedelta(hours=settings.session_hours),
    )


def refusal(refused: Refused) -> CityError:
    """Return the problem of a sign-in that failed: it does not say whether the login exists."""
    if refused.retry_after is not None:
        return TooManyTries(
            "account_locked",
            "too many tries with this login; wait, then try again",
            retry_after=refused.retry_after,
        )
    return NotSignedIn("bad_credentials", "login or password is wrong")


def token_of(request: Request) -> str | None:
    """Return the token that the browser holds."""
    return request.cookies.get(COOKIE) or None


def set_cookie(response: Response, token: str, request: Request) -> None:
    """Hand the browser its token: no script reads it, and no foreign page sends it with an act."""
    settings: Settings = request.app.state.settings
    response.set_cookie(
        COOKIE,
        token,
        max_age=settings.session_hours * 3600,
        httponly=True,
        samesite="lax",
        secure=settings.secure_cookies or request.url.scheme == "https",
        path="/",
    )


def clear_cookie(response: Response) -> None:
    """Take the token back."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
