"""A webhook of one's own: JSON with a signature, and a key by which a repeat is known."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from urllib.parse import urldefrag

from api.senders.outgoing import Door
from api.senders.posting import as_json, post_json
from grids.outbox import Sending

__all__ = ["WebhookSender", "signature"]


class WebhookSender:
    """POSTs {"id", "try", "subject", "text", "read_url"} to an address of the reader's.

    Headers: Idempotency-Key, the same at every try, and X-Gridwhistle-Signature, "t=SECONDS,v1=HEX". `read_url`
    takes a POST when the message was read; null where GRID_PUBLIC_URL is not set.
    """

    def __init__(
        self,
        door: Door,
        secret: str,
        *,
        public_url: str | None = None,
        clock: Callable[[], float] = time.time,  # noqa: TID251 - the receiver's clock is compared with it
    ) -> None:
        self._door, self._secret, self._clock = door, secret, clock
        self._home = public_url.rstrip("/") if public_url else None

    def send(self, sending: Sending) -> None:
        """Post one sending. Raises `SendFailed`."""
        body = as_json(
            {
                "id": str(sending.key),
                "try": sending.tries,
                "subject": sending.subject,
                "text": sending.body,
                "read_url": f"{self._home}/api/deliveries/{sending.key}/read" if self._home else None,
            }
        )
        stamp = int(self._clock())
        headers = {
            "Idempotency-Key": str(sending.key),
            "X-Gridwhistle-Signature": f"t={stamp},v1={signature(self._secret, stamp, body)}",
        }
        post_json(self._door, urldefrag(sending.address).url, body, headers)


def signature(secret: str, stamp: int, body: bytes) -> str:
    """Return the hexadecimal HMAC-SHA256 of "stamp.body": a receiver checks it, and that the stamp is recent."""
    return hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
