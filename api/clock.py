"""The clock of the running service; everything below `api` is told the time instead of asking for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

__all__ = ["Clock", "system_clock"]

Clock = Callable[[], datetime]
"""Returns the present moment, aware and in UTC; a test passes one that it can move."""


def system_clock() -> datetime:
    """Return the machine's present moment, aware and in UTC."""
    return datetime.now(UTC)  # noqa: TID251  the one place that may: routes, worker and commands are handed it
