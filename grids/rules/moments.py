"""Moments as whole numbers: microseconds of Unix time, as columns of figures hold them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["MICROSECOND", "micros", "moment"]

MICROSECOND = timedelta(microseconds=1)
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


def micros(at: datetime) -> int:
    """Return an aware moment as microseconds of Unix time."""
    return (at - _BEGIN) // MICROSECOND


def moment(number: int) -> datetime:
    """Return the moment, in UTC, that a number of microseconds of Unix time stands for."""
    return _BEGIN + timedelta(microseconds=number)
