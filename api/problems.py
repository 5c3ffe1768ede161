"""Every error as one shape: problem+json (RFC 9457) for programs, a page of ours for people.

    {"type": "urn:gridwhistle:problem:unknown_frame", "title": "...", "status": 422, "detail": "...",
     "code": "unknown_frame", "field": "frame", ...facts of this case}

The families of `gis.errors` become statuses here and nowhere else. What somebody sent is never sent back: a
body that does not fit is described by field and rule, because it may hold a telephone number. Anything that is
not of the family is a fault of ours: 500, logged with the id of the request, and no word of detail.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gis.errors import CityError, Conflict, Forbidden, InvalidInput, NotFound, Unavailable
from maps.base import own_link

__all__ = [
    "FAMILIES",
    "MEDIA_TYPE",
    "BadRequest",
    "BodyTooLarge",
    "Failure",
    "MethodNotAllowed",
    "NotSignedIn",
    "Problem",
    "SignInFirst",
    "TooManyTries",
    "answers",
    "install",
    "invalid",
    "problem_of",
    "respond",
    "too_large",
]

MEDIA_TYPE = "application/problem+json"

_log = logging.getLogger("gridwhistle.problems")


class BadRequest(CityError):
    """The request itself is not in order: HTTP that cannot be read."""


class NotSignedIn(CityError):
    """Nobody knows who asks."""


class SignInFirst(NotSignedIn):
    """A page was asked for without a session: its reader is sent to the login."""


class MethodNotAllowed(CityError):
    """There is such an address, but not for this method."""


class BodyTooLarge(CityError):
    """More was sent than we read."""


class TooManyTries(CityError):
    """Too often in too short a time; `facts["retry_after"]` says how many seconds to wait."""


class Failure(CityError):
    """A fault of ours: what it was stands in the log, under the id of the request."""


FAMILIES: Mapping[type[CityError], tuple[int, str]] = {
    BadRequest: (400, "The request cannot be read"),
    NotSignedIn: (401, "Sign in first"),
    Forbidden: (403, "This is not yours to do"),
    NotFound: (404, "There is no such thing, or none that you may see"),
    MethodNotAllowed: (405, "Not with this method"),
    Conflict: (409, "Its state does not allow this now"),
    BodyTooLarge: (413, "Too much was sent"),
    InvalidInput: (422, "What came in cannot be used"),
    TooManyTries: (429, "Too many tries"),
    Failure: (500, "Something went wrong on our side"),
    Unavailable: (503, "Not now"),
}
"""Family -> status and title; an error belongs to the first of its classes that stands here."""

_OWN = frozenset({"type", "title", "status", "detail", "code", "instance", "request_id"})
_LONGEST_FACT = 2000
_UNSAFE = re.compile("[\ud800-\udfff\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Problem:
    """One error, ready to be shown. `error` is what was raised, for those who look its words up."""

    status: int
    title: str
    error: CityError
    headers: Mapping[str, str] = field(default_factory=dict)
    request_id: str | None = None

    @property
    def code(self) -> str:
        """Return the stable code, which docs/problems.md explains."""
        return self.error.code

    def to_json(self) -> dict[str, Any]:
        """Return the members of RFC 9457 with our code and the facts of this case."""
        ours = self.status >= HTTPStatus.INTERNAL_SERVER_ERROR  # then the id leads us to what happened
        facts = {name: _plain(fact) for name, fact in self.error.facts.items() if name not in _OWN}
        return {
            "type": f"urn:gridwhistle:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": _clean(self.error.message),
            "code": self.code,
            **facts,
            **({"request_id": self.request_id} if self.request_id and ours else {}),
        }


def problem_of(error: CityError, request_id: str | None = None) -> Problem:
    """Return an error with its status, its title and the headers that go with it."""
    family = next((kind for kind in type(error).__mro__ if kind in FAMILIES), Failure)
    status, title = FAMILIES[family]
    headers = {}
    wait = error.facts.get("retry_after")
    if isinstance(wait, timedelta):
        wait = wait.total_seconds()
    if isinstance(wait, int | float):
        headers["Retry-After"] = str(max(1, round(wait)))
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "2"
    return Problem(status, title, error, headers, request_id)


def respond(request: Request, error: CityError) -> Response:
    """Return the answer to an error: a page where a person looks at one, else problem+json."""
    if isinstance(error, SignInFirst):
        return _to_login(request)
    problem = problem_of(error, getattr(request.state, "id", None))
    render = getattr(request.app.state, "error_page", None)
    if render is not None and _is_page(request):
        page: Response = render(request, problem)
        page.headers.update(problem.headers)
        return page
    return Response(
        json.dumps(problem.to_json(), ensure_ascii=False, allow_nan=False),
        status_code=problem.status,
        headers=dict(problem.headers),
        media_type=MEDIA_TYPE,
    )


def _is_page(request: Request) -> bool:
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def _to_login(request: Request) -> Response:
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    back = own_link(here) if request.method == "GET" and here != "/" else None
    wanted = f"?next={quote(back)}" if back else ""
    if request.headers.get("hx-request") == "true":
        # a part of a page was asked for: the whole page has to go to the login, not the part
        return Response(status_code=401, headers={"HX-Redirect": f"/login{wanted}"})
    return RedirectResponse(f"/login{wanted}", status_code=303)


def install(app: FastAPI) -> None:
    """Let an application answer its errors in our shape."""
    app.add_exception_handler(CityError, _on_city_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_error)


async def _on_city_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, CityError):
        raise TypeError("this handler is for CityError")
    if isinstance(error, Unavailable):
        _log.warning("unavailable", extra={"facts": {"code": error.code, "id": request.state.id}})
    return respond(request, error)


async def _on_invalid(request: Request, error: Exception) -> Response:
    faults = error.errors() if isinstance(error, RequestValidationError) else ()
    return respond(request, invalid(faults))


async def _on_http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return respond(request, _http_errors(request, status))


def _http_errors(request: Request, status: int) -> CityError:
    if status == HTTPStatus.NOT_FOUND:
        return NotFound("no_such_address", "there is nothing at this address")
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return MethodNotAllowed("method_not_allowed", f"this address does not take {request.method}")
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return too_large(request.state.most_bytes)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return BadRequest("bad_request", "the body of the request cannot be read")
    return Failure("internal_error", "this is our fault; tell us the request_id")


def too_large(most: int) -> BodyTooLarge:
    """Return that more was sent than the bytes that an address reads."""
    megabytes = most // 1_000_000
    return BodyTooLarge(
        "body_too_large",
        f"the body of a request to this address may hold {megabytes} MB",
        most=most,
        megabytes=megabytes,
    )


def invalid(faults: Sequence[Mapping[str, Any]]) -> InvalidInput:
    """Return what pydantic found wrong, by field and rule; what was sent is left out."""
    listed = [
        {"field": _field(fault.get("loc", ())), "message": _clean(str(fault.get("msg", "")))}
        for fault in faults[:20]
    ]
    first = faults[0] if faults else {}
    kind = str(first.get("type", ""))
    code, words = _WORDS.get(kind, ("invalid_field", "{field}: {message}"))
    place = listed[0]["field"] if listed else "body"
    message = listed[0]["message"] if listed else "it does not fit"
    return InvalidInput(code, words.format(field=place, message=message), field=place, errors=listed)


_WORDS = {
    "json_invalid": ("invalid_json", "the body is not JSON ({message})"),
    "missing": ("missing_field", "{field} is missing"),
    "extra_forbidden": ("unknown_field", "there is no field {field}"),
}


def _field(place: Sequence[object]) -> str:
    parts = [str(part) for part in place]
    inner = parts[1:] if parts and parts[0] in ("body", "query", "path", "header", "cookie") else parts
    return _clean(".".join(inner) or "body", 100)


def _clean(text: str, longest: int = _LONGEST_FACT) -> str:
    """Return text that can be written as UTF-8, with nothing in it that a terminal would obey."""
    return _UNSAFE.sub("\ufffd", text)[:longest]


def _plain(fact: object) -> Any:
    """Return a fact as JSON: what JSON does not know becomes text, and every text is cleaned."""
    if fact is None or isinstance(fact, bool):
        return fact
    if isinstance(fact, str):
        return _clean(str(fact))
    if isinstance(fact, int) and abs(fact) < 2**53:
        return int(fact)
    if isinstance(fact, float) and math.isfinite(fact):
        return fact
    if isinstance(fact, timedelta):
        return round(fact.total_seconds())
    if isinstance(fact, Mapping):
        return {_clean(str(name), 100): _plain(inner) for name, inner in fact.items()}
    if isinstance(fact, list | tuple | set | frozenset):
        return [_plain(inner) for inner in fact]
    if isinstance(fact, int):
        return "a number beyond 2**53"
    return _clean(str(fact))


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses=` of a route that may answer these statuses with a problem."""
    titles = dict(FAMILIES.values())
    return {
        status: {
            "description": titles[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }
