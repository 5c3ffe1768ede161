"""The frame round every page: templates, our own assets, the header, the language that a reader keeps."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.i18n import COOKIE, DEFAULT, LANGUAGES, Words
from api.pages.forms import Filled
from api.pages.menu import Link, menu, pages_beside
from api.pages.offering import arranged
from api.vendor import Vendored, vendored
from gis.errors import CityError
from grids.rules.permissions import Actor

__all__ = ["LANGUAGE_NAMES", "Header", "query_of", "render", "see_other", "static_url", "templates"]

_PACKAGE = Path(__file__).resolve().parent.parent
_KEEP_LANGUAGE = int(timedelta(days=365).total_seconds())


@dataclass(frozen=True, slots=True)
class Header:
    """What the header shows of a person: who they are, as what, and what they have not read.

    posts : (id, words) of each post they hold. unread : messages, `more` when there are more than counted.
    """

    actor: Actor
    post_id: int
    posts: tuple[tuple[int, str], ...]
    unread: int
    more: bool


@cache
def templates() -> Environment:
    """Return the templates: every value is escaped, and a name that nobody gave is an error."""
    env = Environment(
        loader=FileSystemLoader(_PACKAGE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.do"],
    )
    forms = frozenset(name for name in env.list_templates() if name.startswith("acts/"))
    env.globals.update(vendor=_vendor, static=static_url, Filled=Filled, act_forms=forms, arranged=arranged)
    return env


def _vendor(name: str) -> Vendored:
    return vendored(name)


@lru_cache
def static_url(name: str) -> str:
    """Return the address of one of our own files; it changes with what is in the file, for caches."""
    digest = hashlib.sha256((_PACKAGE / "static" / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def query_of(request: Request, **changes: str | None) -> str:
    """Return the request's query with some values changed or, where None, left out; "" or "?..."."""
    kept = [(key, value) for key, value in parse_qsl(request.url.query) if key not in changes]
    kept += [(key, value) for key, value in changes.items() if value is not None]
    return f"?{urlencode(kept)}" if kept else ""


def render(
    request: Request,
    words: Words,
    template: str,
    *,
    header: Header | None = None,
    problem: CityError | None = None,
    status: int = 200,
    here: str | None = None,
    **facts: Any,
) -> HTMLResponse:
    """Return a page. `here` is the address at which a GET shows it, where that is not the request's own.

    A language that the address asks for is kept in a cookie.
    """
    address = here or request.url.path + query_of(request, lang=None)
    joint = "&" if "?" in address else "?"
    html = (
        templates()
        .get_template(template)
        .render(
            _=words,
            words=words,
            here=address,
            header=header,
            problem=problem,
            nav=menu(header.actor, words, request.url.path) if header else (),
            beside=pages_beside(header.actor, words, request.url.path) if header else (),
            languages=[
                Link(f"{address}{joint}lang={tag}", LANGUAGE_NAMES[tag], tag == words.language)
                for tag in LANGUAGES
            ],
            **facts,
        )
    )
    response = HTMLResponse(html, status_code=status)
    response.headers["Content-Language"] = words.language
    response.headers["Cache-Control"] = "no-store"
    return _keep_language(request, response)


LANGUAGE_NAMES = {DEFAULT: "\u4e2d\u6587", "en": "English"}  # each in its own language, whatever is read now


def _keep_language(request: Request, response: HTMLResponse) -> HTMLResponse:
    asked = request.query_params.get("lang")
    if asked in LANGUAGES and asked != request.cookies.get(COOKIE):
        response.set_cookie(COOKIE, asked or DEFAULT, max_age=_KEEP_LANGUAGE, samesite="lax", path="/")
    return response


def see_other(path: str) -> RedirectResponse:
    """Return the redirect after a form that was carried out: GET this page of ours."""
    return RedirectResponse(path, status_code=303)
