"""Robots of chat groups: WeCom and DingTalk, each with its own shape of JSON.

Neither has a place for a key, so it stands in the text: a repeat can be told by eye. Sources: the "group robot"
pages of the two vendors' developer documents (msgtype text, 2,048 and 20,000 bytes; errcode in the answer).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from urllib.parse import quote, urldefrag

from api.senders.outgoing import Door
from api.senders.posting import as_json, object_in, post_json
from api.senders.sending import SendFailed
from grids.outbox import Sending

__all__ = ["DingTalkSender", "WeComSender", "dingtalk_signature"]

_WECOM_BYTES = 2048
_DINGTALK_BYTES = 20_000
# said for "too many messages": worth another try
_WECOM_BUSY, _DINGTALK_BUSY = frozenset({45009, -1}), frozenset({130101, -1, 410100})


class WeComSender:
    """Posts to the webhook of a WeCom group robot; the address holds its key."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def send(self, sending: Sending) -> None:
        """Post one text. Raises `SendFailed`."""
        body = {"msgtype": "text", "text": {"content": _text(sending, _WECOM_BYTES)}}
        _post(self._door, urldefrag(sending.address).url, body, sending, _WECOM_BUSY)


class DingTalkSender:
    """Posts to the webhook of a DingTalk group robot.

    A robot that wants signatures has its secret behind a # at the end of the address: it is not sent, but signs.
    clock : seconds since 1970, for the signature.
    """

    def __init__(self, door: Door, clock: Callable[[], float] = time.time) -> None:  # noqa: TID251 - of the wire
        self._door = door
        self._clock = clock

    def send(self, sending: Sending) -> None:
        """Post one text. Raises `SendFailed`."""
        url, secret = urldefrag(sending.address)
        if secret:
            stamp = str(int(self._clock() * 1000))
            signed = quote(dingtalk_signature(stamp, secret), safe="")
            url = f"{url}{'&' if '?' in url else '?'}timestamp={stamp}&sign={signed}"
        body = {"msgtype": "text", "text": {"content": _text(sending, _DINGTALK_BYTES)}}
        _post(self._door, url, body, sending, _DINGTALK_BUSY)


def dingtalk_signature(stamp: str, secret: str) -> str:
    """Return the signature of a moment in milliseconds: base64 of HMAC-SHA256 over "stamp, newline, secret"."""
    digest = hmac.new(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _text(sending: Sending, most: int) -> str:
    """Return subject, body and key, cut to so many bytes of UTF-8 in the middle of the body where need be."""
    tail = f"\n[{sending.key}]"
    text = f"{sending.subject}\n{sending.body}".encode()
    room = most - len(tail)
    if len(text) > room:
        text = text[: room - 3].decode("utf-8", "ignore").encode() + "…".encode()
    return text.decode() + tail


def _post(door: Door, url: str, body: object, sending: Sending, busy: frozenset[int]) -> None:
    answer = post_json(door, url, as_json(body), {"Idempotency-Key": str(sending.key)})
    code = object_in(answer).get("errcode", 0)
    if code != 0:
        raise SendFailed(f"robot_{str(code)[:12]}", final=code not in busy)
