"""Signing in and out, and going on in another of one's posts."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from api import auth
from api.deps import Now, SignIn, UnitOfWork, Words
from api.pages.forms import Filled, own_path, text_of, whole_of
from api.pages.layout import render, see_other
from api.pages.visit import Sent, Visiting
from api.problems import problem_of
from gis.errors import InvalidInput
from grids import accounts
from grids.accounts import Refused

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/")
def door() -> RedirectResponse:
    """Send everybody home; who is not signed in is asked to on the way."""
    return see_other("/home")


@router.get("/login")
def ask_login(request: Request, words: Words, next: str | None = None) -> HTMLResponse:  # noqa: A002 - its name in addresses
    """Ask for login and password; `next` is the page to go on to."""
    return render(request, words, "login.html", form=Filled("login"), next=own_path(next), wait=None)


@router.post("/login")
def log_in(request: Request, words: Words, data: Sent, sign_in: SignIn, now: Now) -> Response:
    """Open a session and go on; a wrong password comes back with the login kept and the password gone."""
    goal = own_path(text_of(data, "next"))
    login, password = text_of(data, "login") or "", str(data.get("password") or "")
    done = sign_in(login, password)
    if isinstance(done, Refused):
        problem = auth.refusal(done)
        form = Filled("login", {"login": login}, problem)
        again = now + done.retry_after if done.retry_after else None
        return render(
            request,
            words,
            "login.html",
            problem=problem,
            status=problem_of(problem).status,
            here="/login",
            form=form,
            next=goal,
            wait=again,
        )
    answer = see_other(goal)
    auth.set_cookie(answer, done.token, request)
    return answer


@router.post("/logout")
def log_out(request: Request, session: UnitOfWork, _visit: Visiting) -> Response:
    """End the session."""
    accounts.sign_out(session, auth.token_of(request) or "")
    answer = see_other("/login")
    auth.clear_cookie(answer)
    return answer


@router.post("/identity")
def change_post(session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """Go on in another of one's posts, on the landing page: what was open may be out of its sight."""
    post = whole_of(data, "post")
    if post is None:
        raise InvalidInput("missing_field", "post is missing", field="post")
    accounts.act_as(session, auth.token_of(visit.request) or "", post, person_id=visit.signed.person.id)
    return see_other("/home")
