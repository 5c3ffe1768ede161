"""One person's request for a page: who they are, when it is, in which language they read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData

from api import i18n
from api.deps import Now, PageSigned, ReadOnly, UnitOfWork, Words, frame_door
from api.names import Names
from api.pages.layout import Header, render
from api.problems import problem_of
from gis.crs import SHIFTED
from gis.errors import CityError
from grids import accounts, outbox
from grids.accounts import Signed
from grids.rules.permissions import Actor

__all__ = ["Act", "Sent", "Visit", "Visiting"]

_COUNTED = 99  # unread messages are counted so far in the header


@dataclass(frozen=True)
class Visit:
    """What every page of a signed-in person needs besides its own facts."""

    request: Request
    signed: Signed
    words: i18n.Words
    now: datetime

    @property
    def me(self) -> Actor:
        """The person, in the post that they act from."""
        return self.signed.actor

    def frame(self, said: str | None) -> str:
        """Return the name of the frame that a form says. Raises as `api.deps.frame_door` tells."""
        return frame_door(self.request)(said or "")

    def frames(self) -> list[tuple[str, str]]:
        """Return (code, words) of the frames of degrees that may be said here."""
        forbidden: bool = self.request.app.state.settings.forbid_gcj_inverse
        return [one for one in self.words.options("frame") if not (forbidden and one[0] in SHIFTED)]

    def names(self, session: ReadOnly) -> Names:
        """Return the names of places and categories in the reader's language."""
        return Names(session, self.words, self.now)

    def show(
        self,
        session: ReadOnly,
        template: str,
        *,
        names: Names | None = None,
        problem: CityError | None = None,
        here: str | None = None,
        **facts: Any,
    ) -> HTMLResponse:
        """Return a page with the person's header; with a problem, under the problem's status."""
        names = names or self.names(session)
        return render(
            self.request,
            self.words,
            template,
            header=self._header(session, names),
            problem=problem,
            status=problem_of(problem).status if problem else 200,
            here=here,
            names=names,
            now=self.now,
            me=self.me,
            own_phone=self.signed.person.phone,
            **facts,
        )

    def part(
        self, session: ReadOnly, template: str, *, names: Names | None = None, **facts: Any
    ) -> HTMLResponse:
        """Return a part of a page, for a page that is open already."""
        names = names or self.names(session)
        return render(self.request, self.words, template, names=names, now=self.now, me=self.me, **facts)

    def _header(self, session: ReadOnly, names: Names) -> Header:
        posts = []
        for post in accounts.posts_of(session, self.signed.person.id):
            unit = self.words.name(post.department) or names.area(post.area_code)
            posts.append((post.id, f"{unit} · {self.words.of('role', post.role)}"))
        unread = len(outbox.unread(session, self.signed.person.id, limit=_COUNTED + 1))
        return Header(self.me, self.signed.post.id, tuple(posts), min(unread, _COUNTED), unread > _COUNTED)


def _visit(request: Request, signed: PageSigned, words: Words, now: Now) -> Visit:
    return Visit(request, signed, words, now)


async def _sent(request: Request) -> FormData:
    return await request.form(max_files=0, max_fields=200)


Act = Callable[[UnitOfWork, Visit, str, FormData], object]
"""From a form to a use case: the session, the visit, the key of the thing (number or id), the fields."""

Visiting = Annotated[Visit, Depends(_visit)]
"""The visit behind a page; a stranger is sent to the login and back."""

Sent = Annotated[FormData, Depends(_sent)]
"""The fields of the form that was sent."""
