"""Signing in and out, and who one is."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api import auth
from api.deps import ReadOnly, SignedPerson, SignIn, UnitOfWork
from api.problems import answers, respond
from api.schemas.people import LoginIn, MeOut, PostIn, PostOut
from grids import accounts
from grids.accounts import Refused

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["people"])


@router.post("/login", response_model=MeOut, responses=answers(401, 422, 429))
def log_in(
    body: LoginIn, request: Request, response: Response, sign_in: SignIn, session: UnitOfWork
) -> MeOut | Response:
    """Open a session; its cookie comes with the answer. Five failures lock a login for a quarter of an hour."""
    done = sign_in(body.login.strip(), body.password)
    if isinstance(done, Refused):
        # answered and not raised: what was counted has to be committed
        return respond(request, auth.refusal(done))
    auth.set_cookie(response, done.token, request)
    posts = accounts.posts_of(session, done.signed.person.id)
    return MeOut.of(done.signed, [PostOut.of(post) for post in posts])


@router.post("/logout", status_code=204, responses=answers(401))
def log_out(request: Request, response: Response, session: UnitOfWork, _who: SignedPerson) -> None:
    """End the session."""
    accounts.sign_out(session, auth.token_of(request) or "")
    auth.clear_cookie(response)


@router.get("/me", responses=answers(401))
def who_am_i(signed: SignedPerson, session: ReadOnly) -> MeOut:
    """Return who is signed in, as what, and what they may see."""
    posts = accounts.posts_of(session, signed.person.id)
    return MeOut.of(signed, [PostOut.of(post) for post in posts])


@router.post("/me/post", status_code=204, responses=answers(401, 404, 422))
def act_in_another_post(body: PostIn, request: Request, session: UnitOfWork, signed: SignedPerson) -> None:
    """Go on in another of one's posts; the next request acts from it."""
    accounts.act_as(session, auth.token_of(request) or "", body.post, person_id=signed.person.id)
