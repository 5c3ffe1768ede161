"""JSON by POST: what all senders over HTTP share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from api.senders.outgoing import Answer, Door
from api.senders.sending import SendFailed

__all__ = ["as_json", "object_in", "post_json"]

_AGAIN = frozenset({408, 425, 429})


def as_json(content: object) -> bytes:
    """Return content as JSON in UTF-8, compact."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def post_json(door: Door, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """POST JSON and return the answer. Raises `SendFailed` unless it is 2xx.

    A server that is busy or broken (408, 425, 429, 5xx) is tried again; any other refusal is final, a redirect
    among them.
    """
    answer = door.post(url, body, {"Content-Type": "application/json; charset=utf-8", **headers})
    if not 200 <= answer.status < 300:
        again = answer.status in _AGAIN or answer.status >= 500
        raise SendFailed(f"http_{answer.status}", final=not again)
    return answer


def object_in(answer: Answer) -> dict[str, Any]:
    """Return the JSON object of an answer, {} for other JSON. Raises `SendFailed` for what is none."""
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise SendFailed("bad_answer") from None
    return said if isinstance(said, dict) else {}
