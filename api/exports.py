"""What leaves the house over HTTP: a map or a table as a file, with who took it and when on it and in the log.

The log names the person by number and the file by kind; what was asked for stands in neither.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Request, Response

from api.deps import Now, PageSigned, SignedPerson, Words
from api.i18n import Words as InWords
from grids.accounts import Signed

__all__ = ["Exporter", "JsonExporter", "PageExporter", "attachment", "mark_of"]

_log = logging.getLogger("gridwhistle.exports")


@dataclass(frozen=True)
class Exporter:
    """Who takes files away in this request, and when."""

    person: int
    mark: str
    at: datetime
    path: str

    def file(self, content: bytes | str, name: str, media_type: str, *, rows: int | None = None) -> Response:
        """Return a file under a name of any letters; that it was taken away is logged."""
        facts: dict[str, Any] = {"person": self.person, "route": self.path, "file": name.rpartition(".")[2]}
        if rows is not None:
            facts["rows"] = rows
        _log.info("exported", extra={"facts": facts})
        headers = {"content-disposition": attachment(name), "cache-control": "private, no-store"}
        return Response(content, media_type=media_type, headers=headers)


def mark_of(name: str, role: str, at: datetime, words: InWords) -> str:
    """Return the line that says who took something away, and when."""
    return words("Exported by {name} ({role}), {time}", name=name, role=role, time=words.moment(at))


def attachment(name: str) -> str:
    """Return the header by which a browser keeps a file under a name of any letters (RFC 6266)."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _exporter(request: Request, signed: Signed, words: InWords, now: datetime) -> Exporter:
    mark = mark_of(signed.person.name, words.of("role", signed.post.role), now, words)
    return Exporter(signed.person.id, mark, now, request.url.path)


def _of_page(request: Request, signed: PageSigned, words: Words, now: Now) -> Exporter:
    return _exporter(request, signed, words, now)


def _of_json(request: Request, signed: SignedPerson, words: Words, now: Now) -> Exporter:
    return _exporter(request, signed, words, now)


PageExporter = Annotated[Exporter, Depends(_of_page)]
"""Who takes a file away by an address that a browser opens: a stranger is sent to the login."""

JsonExporter = Annotated[Exporter, Depends(_of_json)]
"""Who takes a file away by an address under /api."""
