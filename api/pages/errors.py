"""The page that is shown in the place of one that cannot be."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from api import i18n
from api.pages.layout import render
from api.problems import Problem

__all__ = ["error_page"]


def error_page(request: Request, problem: Problem) -> Response:
    """Return what went wrong in a plain sentence, its code, and what to do next.

    Nothing is read from the database, which may be what does not answer.
    """
    words = i18n.words_in(
        i18n.language_of(request.query_params.get("lang"), request.cookies.get(i18n.COOKIE))
    )
    return render(
        request,
        words,
        "error.html",
        status=problem.status,
        error=problem.error,
        status_code=problem.status,
        request_id=problem.request_id,
        repeatable=request.method in ("GET", "HEAD"),
        here=request.url.path if request.method in ("GET", "HEAD") else "/home",
    )
