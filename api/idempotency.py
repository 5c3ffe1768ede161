"""The `Idempotency-Key` of a POST that creates: a copy gets the first one's answer, to the byte.

The key belongs to the person and to this one request; its row is written in the transaction of the effect
(`grids.repeats`), so that a client may repeat a request for which it got no answer without looking first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic import BaseModel
from starlette.responses import Response

from api.deps import Me, Now, UnitOfWork
from grids import repeats
from grids.rules.permissions import Actor

__all__ = ["Once", "once"]

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="a new one for each act, such as a UUID; a repeat with the same one changes nothing",
    ),
]


@dataclass(frozen=True)
class Repeatable:
    """One creating request, which is carried out once however often it comes with the same key."""

    session: UnitOfWork
    me: Actor
    now: datetime
    key: str | None
    target: str

    def create(self, body: BaseModel, make: Callable[[], tuple[BaseModel, str]]) -> Response:
        """Carry `make` out, or repeat the answer that it gave; it returns the answer and its address.

        Raises `InvalidInput` ("idempotency_key_reused") when the key came with another request.
        """
        if self.key is None or self.me.person_id is None:
            answer, location = make()
            return _created(answer.model_dump_json(), location)
        said = hashlib.sha256(f"{self.target}\n{body.model_dump_json()}".encode()).digest()
        kept = repeats.claim(self.session, self.me.person_id, self.key, said, now=self.now)
        if kept is None:
            answer, location = make()
            kept = {"body": answer.model_dump_json(), "location": location}
            repeats.keep(self.session, self.me.person_id, self.key, 201, kept)
        return _created(kept["body"], kept["location"])


def _created(body: str, location: str) -> Response:
    return Response(body, status_code=201, media_type="application/json", headers={"Location": location})


def once(request: Request, session: UnitOfWork, me: Me, now: Now, key: Key = None) -> Repeatable:
    """Return the request as one that may be repeated."""
    return Repeatable(session, me, now, key, f"{request.method} {request.url.path}")


Once = Annotated[Repeatable, Depends(once)]
