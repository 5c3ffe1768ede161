"""What every way of sending promises."""

from __future__ import annotations

from typing import Protocol

from grids.outbox import Sending

__all__ = ["SendFailed", "Sender"]


class SendFailed(Exception):
    """A try that did not succeed.

    reason : a short code for the log, such as "http_500"; never an address, never what the other side wrote.
    final : whether no further try can help.
    """

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final


class Sender(Protocol):
    """One way by which a message leaves the house."""

    def send(self, sending: Sending) -> None:
        """Hand one sending over, within a minute; return only when the other side has taken it.

        `sending.key` goes with it wherever the way has a place for it, so that a receiver knows a repeat.
        Raises `SendFailed`.
        """
        ...
