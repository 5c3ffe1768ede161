"""What every request passes through: an id and a line in the log, headers that protect the reader, a limit on
what is read, and the check that an act was started on a page of ours.

Plain ASGI, outermost first: `Envelope`, `BodyLimit`, `SameOrigin`.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Failure, respond, too_large
from gis.errors import Forbidden

__all__ = [
    "HEADERS",
    "MOST_BYTES",
    "MOST_FILE_BYTES",
    "MOST_PHOTO_BYTES",
    "BodyLimit",
    "Envelope",
    "SameOrigin",
]

MOST_BYTES = 1_000_000
MOST_FILE_BYTES = 52_000_000
"""Of a request that brings a file of areas."""

MOST_PHOTO_BYTES = 16_000_000
"""Of a request that brings a photo as a telephone takes it."""

_BRINGS_FILE = frozenset({"/api/editions", "/grids"})
_BRINGS_PHOTO = re.compile(r"/api/places/[^/]+/photos|/points/[^/]+/add_photo")

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": (
            "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
            "connect-src 'self'; frame-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
            "frame-ancestors 'self'"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "geolocation=(self)",
        "Cross-Origin-Opener-Policy": "same-origin",
        # what one person may see is never kept for the next
        "Cache-Control": "no-store",
    }
)
"""Set on every answer, except where the answer brings its own (maps their policy, assets their caching)."""

_access = logging.getLogger("gridwhistle.access")
_faults = logging.getLogger("gridwhistle.faults")
_QUIET = frozenset({"/livez", "/readyz"})


class Envelope:
    """Gives a request its id, an answer its headers and the log its line; the last resort when all fails."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through and see its answer off."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex
        scope.setdefault("state", {})["id"] = request_id
        began = time.perf_counter()
        status = 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers["X-Request-ID"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, send_on)
        except Exception:
            _faults.exception("unexpected", extra={"facts": {"id": request_id, "route": _route(scope)}})
            if status:
                raise  # the answer is on its way already: only cutting it off says that it is not whole
            fault = Failure("internal_error", "this is our fault; tell us the request_id")
            await respond(Request(scope, receive), fault)(scope, receive, send_on)
        finally:
            if scope["path"] not in _QUIET:
                facts = {
                    "id": request_id,
                    "method": scope["method"],
                    "route": _route(scope),
                    "status": status,
                    "ms": round((time.perf_counter() - began) * 1000, 1),
                    "person": scope["state"].get("person"),
                }
                _access.info("request", extra={"facts": facts})


def _route(scope: Scope) -> str:
    """Return the pattern that a request matched, such as /api/incidents/{number}; never its address."""
    route = scope.get("route")
    pattern = getattr(route, "path_format", None) or getattr(route, "path", None)
    return str(pattern) if pattern else "(none)"


class BodyLimit:
    """Refuses a body of more than `most` bytes, announced or not, before it is held in memory."""

    def __init__(self, app: ASGIApp, most: int = MOST_BYTES) -> None:
        self.app = app
        self.most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through while its body is small enough."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most = max(self.most, _brought(scope["path"]))
        scope.setdefault("state", {})["most_bytes"] = most
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and (len(announced) > 12 or int(announced) > most):
            await respond(Request(scope, receive), too_large(most))(scope, receive, send)
            return
        read = 0

        async def receive_some() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise HTTPException(413)
            return message

        await self.app(scope, receive_some, send)


def _brought(path: str) -> int:
    if path in _BRINGS_FILE:
        return MOST_FILE_BYTES
    return MOST_PHOTO_BYTES if _BRINGS_PHOTO.fullmatch(path) else 0


_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class SameOrigin:
    """Refuses an act that a page of somebody else made the browser send (CSRF).

    Browsers say where a request comes from and no page can change it: `Sec-Fetch-Site` over HTTPS and on this
    machine, and `Origin` everywhere on a request that is not GET or HEAD. The first decides where it is there,
    for it holds behind a proxy that changes the Host; else `Origin` and `Referer` have to name our host. A
    request that has none of them was not sent by a browser, so nobody's cookie was borrowed: scripts that sign
    in and keep a cookie jar go through.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through unless a foreign page sent it."""
        if scope["type"] == "http" and scope["method"] not in _SAFE and _foreign(Headers(scope=scope)):
            refused = Forbidden("cross_site", "this act was not started on a page of this service")
            await respond(Request(scope, receive), refused)(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _foreign(headers: Headers) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    host = headers.get("host", "")
    # the scheme is left out: behind a proxy we are spoken to by http though the reader uses https
    for name in ("origin", "referer"):
        said = headers.get(name)
        if said is not None and _netloc(said) != host.lower():
            return True
    return False


def _netloc(address: str) -> str | None:
    try:
        return urlsplit(address).netloc.lower() or None
    except ValueError:
        return None
