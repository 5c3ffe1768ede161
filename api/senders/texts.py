"""Text messages through the HTTP gateway of whichever provider the operator has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Any
from urllib.parse import urlsplit

from api.senders.outgoing import Door
from api.senders.posting import as_json, post_json
from grids.outbox import Sending

__all__ = ["TextSender"]

_MOST = 280  # characters: four parts of a long text message


class TextSender:
    """POSTs a JSON of the operator's making, in which {phone}, {text} and {key} are filled in."""

    def __init__(
        self,
        url: str,
        body: str,
        *,
        authorization: str | None = None,
        networks: Sequence[IPv4Network | IPv6Network] = (),
    ) -> None:
        self._shape = json.loads(body)
        self._url = url
        self._headers = {"Authorization": authorization} if authorization else {}
        self._door = Door([(urlsplit(url).hostname or "").lower()], networks)

    def send(self, sending: Sending) -> None:
        """Send one text message. Raises `SendFailed`."""
        text = f"{sending.subject}\n{sending.body}"
        if len(text) > _MOST:
            text = text[: _MOST - 1] + "…"
        facts = {"{phone}": sending.address, "{text}": text, "{key}": str(sending.key)}
        body = as_json(_filled(self._shape, facts))
        post_json(self._door, self._url, body, {"Idempotency-Key": str(sending.key), **self._headers})


def _filled(shape: Any, facts: dict[str, str]) -> Any:
    """Return the shape with the facts in its texts, whatever they hold: they never become structure."""
    if isinstance(shape, dict):
        return {key: _filled(value, facts) for key, value in shape.items()}
    if isinstance(shape, list):
        return [_filled(value, facts) for value in shape]
    if not isinstance(shape, str):
        return shape
    if shape in facts:
        return facts[shape]
    # the number and the key hold no braces, the text may: it comes last and is not looked through
    return (
        shape.replace("{phone}", facts["{phone}"])
        .replace("{key}", facts["{key}"])
        .replace("{text}", facts["{text}"])
    )
